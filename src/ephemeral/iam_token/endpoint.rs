//! What a token is signed for: host, port and region. `None` where it is not known yet.

use crate::access::{Endpoint, EngineKind, Region, check_host_name, region_of_endpoint};
use crate::report::Report;
use crate::value::Path;

use super::model::Token;

/// Host and port.
pub(super) fn endpoint(config: &Token) -> Result<Option<Endpoint>, Report> {
    let host = host(config)?.map(str::to_owned);
    Ok(host.zip(port(config)?).map(|(host, port)| Endpoint { host, port }))
}

/// The host to sign: the name that RDS gave the database. A name of one's own and an address are refused here, because
/// the server refuses the token later without a useful word.
pub(super) fn host(config: &Token) -> Result<Option<&str>, Report> {
    if config.signing_host.is_unknown() {
        return Ok(None);
    }
    if let Some(host) = config.signing_host.get() {
        return match check_host_name(host) {
            Ok(()) => Ok(Some(host)),
            Err(why) => Err(refused("signing_host", &format!("{why}. Set the name that RDS gave the database."))),
        };
    }
    let Some(host) = config.host.get() else { return Ok(None) };
    match region_of_endpoint(host) {
        Ok(_) => Ok(Some(host)),
        Err(why) => Err(refused("host", &format!("{why}. {OWN_NAME}"))),
    }
}

const OWN_NAME: &str = "The server checks the host that was signed: where `host` is a tunnel, an address or a name of \
                        your own, set `signing_host` to the name that RDS gave the database.";

/// The region to sign for: the one that is set, else the one in the name that RDS gave. There is no default.
pub(super) fn region(config: &Token) -> Result<Option<Region>, Report> {
    if let Some(region) = config.region.get() {
        return Ok(Some(region.clone()));
    }
    if config.region.is_unknown() || config.host.is_unknown() || config.signing_host.is_unknown() {
        return Ok(None);
    }
    let (attribute, host) = match config.signing_host.get() {
        Some(host) => ("signing_host", Some(host)),
        None => ("host", config.host.get()),
    };
    let Some(host) = host else { return Ok(None) };
    match region_of_endpoint(host) {
        Ok(Some(region)) => Ok(Some(region)),
        Ok(None) => Err(refused(
            attribute,
            &format!(
                "`{host}` is the endpoint of a global database, which moves between regions: set `region` to that of \
                 the cluster that writes."
            ),
        )),
        Err(why) => Err(refused(attribute, &format!("{why}. Set `region`."))),
    }
}

/// The port: the one that is set, else that of the engine.
pub(super) fn port(config: &Token) -> Result<Option<u16>, Report> {
    if config.port.is_unknown() || config.engine.is_unknown() {
        return Ok(None);
    }
    let engine = config.engine.get().copied();
    if engine == Some(EngineKind::Sqlserver) {
        let why = "SQL Server takes no tokens of IAM authentication: use the password of a role, `rdsaccess_secret`.";
        return Err(refused("engine", why));
    }
    let written = config.port.get().and_then(|port| u16::try_from(*port).ok());
    match written.or_else(|| engine.map(EngineKind::default_port)) {
        Some(port) => Ok(Some(port)),
        None => {
            let why = "The port is a part of what is signed: set `port`, or `engine` for the default port of it.";
            Err(refused("port", why))
        }
    }
}

fn refused(attribute: &str, why: &str) -> Report {
    Report::error("The token cannot be signed", why).at(Path::attribute(attribute))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Attr;

    const LEDGER: &str = "ledger.abc123.eu-west-1.rds.amazonaws.com";
    const WORLD: &str = "world.global-abc123.global.rds.amazonaws.com";

    fn token(host: &str) -> Token {
        Token { host: host.to_owned().into(), port: 5432.into(), ..Token::default() }
    }

    fn at(mut token: Token, region: &str) -> Token {
        token.region = region.parse::<Region>().unwrap().into();
        token
    }

    fn signing(host: &str, signing_host: &str) -> Token {
        Token { signing_host: signing_host.to_owned().into(), ..token(host) }
    }

    fn said<T>(result: Result<T, Report>, attribute: &str) -> String {
        let report = result.err().unwrap();
        assert_eq!(report.attribute, Some(Path::attribute(attribute)));
        report.detail
    }

    #[test]
    fn the_name_that_rds_gave_is_signed_for_the_region_in_it() {
        let ledger = token(LEDGER);
        assert_eq!((host(&ledger), region(&ledger)), (Ok(Some(LEDGER)), Ok("eu-west-1".parse().ok())));
        let tunnel = signing("127.0.0.1", LEDGER);
        assert_eq!((host(&tunnel), region(&tunnel)), (Ok(Some(LEDGER)), Ok("eu-west-1".parse().ok())));
        let other = at(token(LEDGER), "us-east-1");
        assert_eq!(region(&other), Ok("us-east-1".parse().ok()), "what is written wins");
    }

    #[test]
    fn a_name_of_ones_own_and_an_address_need_the_name_that_rds_gave() {
        for own in ["db.example.com", "10.0.0.5", "::1", "localhost", "lb-1.elb.us-east-2.amazonaws.com"] {
            for config in [token(own), at(token(own), "eu-west-1")] {
                let said = said(host(&config), "host");
                assert!(said.contains(own) && said.contains("`signing_host`"), "{said}");
            }
        }
    }

    #[test]
    fn what_is_signed_for_another_name_is_a_name_with_a_known_region() {
        for address in ["10.0.0.5", "::1", "a b", "", "db_1/x"] {
            assert!(
                said(host(&signing("localhost", address)), "signing_host").contains("not a host name"),
                "{address}"
            );
        }
        // A partition that this version does not know.
        let new = signing("localhost", "ledger.abc123.eusc-de-east-1.rds.amazonaws.eu");
        assert!(said(region(&new), "signing_host").contains("Set `region`"));
        let new = at(new, "eusc-de-east-1");
        assert!(host(&new).is_ok() && region(&new).is_ok());
    }

    #[test]
    fn a_global_endpoint_needs_the_region_of_the_writer() {
        assert!(host(&token(WORLD)).is_ok());
        assert!(said(region(&token(WORLD)), "host").contains("global database"));
        assert_eq!(region(&at(token(WORLD), "eu-west-1")), Ok("eu-west-1".parse().ok()));
    }

    #[test]
    fn the_port_is_written_or_that_of_the_engine() {
        let of = |port: Attr<i64>, engine: Option<EngineKind>| {
            port_of(Token { port, engine: engine.into(), ..token(LEDGER) })
        };
        assert_eq!(of(6432.into(), None), Ok(Some(6432)));
        assert_eq!(of(6432.into(), Some(EngineKind::Mysql)), Ok(Some(6432)));
        for (engine, port) in [(EngineKind::Postgres, 5432), (EngineKind::Mysql, 3306), (EngineKind::Mariadb, 3306)] {
            assert_eq!(of(Attr::Null, Some(engine)), Ok(Some(port)));
        }
        assert_eq!(of(Attr::Unknown, None), Ok(None), "an unknown value is not judged");
        assert!(said(of(Attr::Null, None), "port").contains("`engine`"));
        assert!(said(of(1433.into(), Some(EngineKind::Sqlserver)), "engine").contains("no tokens"));
    }

    fn port_of(config: Token) -> Result<Option<u16>, Report> {
        port(&config)
    }

    #[test]
    fn what_is_not_known_yet_is_not_judged() {
        let unknown = Token { host: Attr::Unknown, port: Attr::Unknown, ..Token::default() };
        assert_eq!((host(&unknown), region(&unknown), port(&unknown)), (Ok(None), Ok(None), Ok(None)));
        let unknown = Token { signing_host: Attr::Unknown, ..token("db.example.com") };
        assert_eq!((host(&unknown), region(&unknown)), (Ok(None), Ok(None)));
    }
}
