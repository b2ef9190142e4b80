//! The environment of a connection: what the agent needs to reach a database, per engine.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::access::{EngineKind, Invalid, Secret, TlsMode};

use super::{Connection, Env, Reference};

/// Host name of the database.
pub const HOST: &str = "HOST";
/// Port of the database.
pub const PORT: &str = "PORT";
/// Login.
pub const USER: &str = "USER";
/// Password.
pub const PASS: &str = "PASS";
/// Database to open.
pub const DB: &str = "DB";

/// The value of one environment variable of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// Not a secret: a host name, a port, a user
    Plain(String),
    /// Where the agent finds the value
    Reference(Reference),
    /// A secret that the gateway is to store
    Secret(Secret<String>),
}

impl EnvValue {
    /// The text before base64. It leaves the provider only inside a request to the gateway.
    pub(super) fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Reference(reference) => reference.as_str(),
            Self::Secret(secret) => secret.expose(),
        }
    }

    /// The value as it goes onto the wire.
    ///
    /// # Errors
    /// When a literal would be taken for a reference: the agent would look for a secret of that name instead. The
    /// error does not repeat the value.
    pub(super) fn encode(&self, key: &str) -> Result<String, Invalid> {
        let literal = !matches!(self, Self::Reference(_));
        if literal && Reference::is_magic(self.expose()) {
            return Err(Invalid::new(format!("the value of `{key}` reads like a reference to a secret store")));
        }
        Ok(STANDARD.encode(self.expose()))
    }
}

/// The gateway's name for an engine; MariaDB goes by its protocol.
pub fn subtype(engine: EngineKind) -> &'static str {
    match engine {
        EngineKind::Postgres => "postgres",
        EngineKind::Mysql | EngineKind::Mariadb => "mysql",
        EngineKind::Sqlserver => "mssql",
    }
}

/// [`HOST`], [`PORT`] and [`DB`] of a database.
pub fn endpoint_env(host: &str, port: u16, database: &str) -> BTreeMap<String, EnvValue> {
    let plain = |key: &str, value: String| (key.to_owned(), EnvValue::Plain(value));
    BTreeMap::from([plain(HOST, host.to_owned()), plain(PORT, port.to_string()), plain(DB, database.to_owned())])
}

/// [`USER`] and [`PASS`] of a login with IAM authentication. The agent looks at the user only, but wants a password.
///
/// # Errors
/// When the user cannot stand in the notation.
pub fn iam_env(user: &str) -> Result<BTreeMap<String, EnvValue>, Invalid> {
    let marker = |text| Reference::rds_iam(text).map(EnvValue::Reference);
    Ok(BTreeMap::from([(USER.to_owned(), marker(user)?), (PASS.to_owned(), marker("authtoken")?)]))
}

/// Variable of PostgreSQL connections with how far TLS goes.
const SSLMODE: &str = "SSLMODE";
/// Variable of SQL Server connections: `true` takes any certificate.
const INSECURE: &str = "INSECURE";

/// What a connection gets whose TLS goes less far, or that has no word on it yet.
///
/// PostgreSQL: `SSLMODE=require`. The agent's own default is `prefer`, which falls back to clear text when somebody in
/// between refuses TLS. `verify-full` would be better still, but needs the RDS roots on the agent's machine, where no
/// system store has them: with it a fresh connection would not open. SQL Server: `INSECURE=false`, as the gateway does.
/// MySQL and MariaDB have no such variable. Where the provider itself was told to do without TLS (`disable`), so is the
/// agent: `prefer` and `true` open sessions with servers that have none.
pub(super) fn initial_env(engine: EngineKind, tls: TlsMode) -> BTreeMap<String, EnvValue> {
    tls_variable(engine, tls)
        .map(|(key, value)| (key.to_owned(), EnvValue::Plain(value.to_owned())))
        .into_iter()
        .collect()
}

fn tls_variable(engine: EngineKind, tls: TlsMode) -> Option<(&'static str, &'static str)> {
    let off = tls == TlsMode::Disable;
    match engine {
        EngineKind::Postgres => Some((SSLMODE, if off { "prefer" } else { "require" })),
        EngineKind::Sqlserver => Some((INSECURE, if off { "true" } else { "false" })),
        EngineKind::Mysql | EngineKind::Mariadb => None,
    }
}

/// How far the TLS of a connection's sessions goes, compared with what [`initial_env`] sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsState {
    /// As far or further, or where the agent finds the value
    Enough,
    /// Less far: why, without any value that is no setting
    Weak(String),
    /// The gateway does not show it
    Hidden,
}

/// Compares the TLS of a connection; `None` for an engine whose connections have no setting. With
/// [`TlsMode::Disable`] anything is enough.
pub fn tls_state(connection: &Connection, engine: EngineKind, tls: TlsMode) -> Option<TlsState> {
    let (variable, _) = tls_variable(engine, tls)?;
    Some(match connection.env(variable) {
        Env::Hidden => TlsState::Hidden,
        found => weakness(&found, engine, tls).map_or(TlsState::Enough, TlsState::Weak),
    })
}

/// What is weak about a value of the variable for TLS. A reference is nobody's to judge, and what is hidden neither.
pub(super) fn weakness(found: &Env, engine: EngineKind, tls: TlsMode) -> Option<String> {
    let (variable, usual) = tls_variable(engine, tls).filter(|_| tls != TlsMode::Disable)?;
    let (strong, weak): (&[&str], &[&str]) = match engine {
        EngineKind::Postgres => (&["require", "verify-ca", "verify-full"], &["disable", "allow", "prefer"]),
        _ => (&["", "0", "f", "false"], &["1", "t", "true"]),
    };
    let is = match found {
        Env::Reference(_) | Env::Hidden => return None,
        // The gateway sets `INSECURE` itself.
        Env::Absent if engine != EngineKind::Postgres => return None,
        Env::Absent => "not set, which stands for prefer,".to_owned(),
        Env::Unreadable => "unreadable".to_owned(),
        Env::Literal(value) => {
            let value = value.expose().to_lowercase();
            if strong.contains(&value.as_str()) {
                return None;
            }
            let is_word = weak.contains(&value.as_str());
            if is_word { value } else { "no value that the agent knows".to_owned() }
        }
    };
    Some(format!("{variable} is {is} instead of {usual}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_value_never_prints() {
        let env = BTreeMap::from([(PASS, EnvValue::Secret("hunter2".into()))]);
        assert_eq!(format!("{env:?}"), r#"{"PASS": Secret(Secret(***))}"#);
    }

    #[test]
    fn a_literal_that_reads_like_a_reference_is_refused_without_repeating_it() {
        for value in [EnvValue::Plain("_aws:a:b".to_owned()), EnvValue::Secret("system.agent.envs".into())] {
            let error = value.encode(PASS).unwrap_err().to_string();
            assert!(error.contains("`PASS`") && !error.contains(value.expose()), "{error}");
        }
        assert_eq!(EnvValue::Reference(Reference::aws("a", "b").unwrap()).encode(PASS).unwrap(), "X2F3czphOmI=");
        assert_eq!(EnvValue::Secret("hunter2".into()).encode(PASS).unwrap(), "aHVudGVyMg==");
    }

    #[test]
    fn iam_logins_carry_the_marker_on_user_and_password() {
        let env = iam_env("hoop_ro").unwrap();
        assert_eq!(env[USER].expose(), "_aws_iam_rds:hoop_ro");
        assert_eq!(env[PASS].expose(), "_aws_iam_rds:authtoken");
        assert!(iam_env("a:b").is_err());
    }

    #[test]
    fn every_engine_has_its_subtype_and_postgresql_insists_on_tls() {
        assert_eq!(EngineKind::ALL.map(subtype), ["postgres", "mysql", "mysql", "mssql"]);
        let initial =
            |engine, tls| initial_env(engine, tls).into_iter().next().map(|(k, v)| format!("{k}={}", v.expose()));
        for tls in [TlsMode::VerifyFull, TlsMode::VerifyCa] {
            assert_eq!(initial(EngineKind::Postgres, tls).unwrap(), "SSLMODE=require");
            assert_eq!(initial(EngineKind::Sqlserver, tls).unwrap(), "INSECURE=false");
        }
        assert_eq!(initial(EngineKind::Postgres, TlsMode::Disable).unwrap(), "SSLMODE=prefer");
        assert_eq!(initial(EngineKind::Sqlserver, TlsMode::Disable).unwrap(), "INSECURE=true");
        assert_eq!([EngineKind::Mysql, EngineKind::Mariadb].map(|e| initial(e, TlsMode::VerifyFull)), [None, None]);
    }

    #[test]
    fn less_than_a_new_connection_has_is_weak_and_more_is_not() {
        let literal = |value: &str| Env::Literal(value.into());
        let judged = |engine, found: Env| weakness(&found, engine, TlsMode::VerifyFull);
        let postgres = |found| judged(EngineKind::Postgres, found);
        for enough in ["require", "verify-ca", "verify-full"] {
            assert_eq!(postgres(literal(enough)), None, "{enough}");
        }
        assert_eq!(postgres(literal("disable")).unwrap(), "SSLMODE is disable instead of require");
        assert_eq!(postgres(Env::Absent).unwrap(), "SSLMODE is not set, which stands for prefer, instead of require");
        for strange in ["", "hunter2"] {
            let said = postgres(literal(strange)).unwrap();
            assert_eq!(said, "SSLMODE is no value that the agent knows instead of require");
        }
        let sqlserver = |found| judged(EngineKind::Sqlserver, found);
        assert_eq!(sqlserver(literal("TRUE")).unwrap(), "INSECURE is true instead of false");
        assert_eq!((sqlserver(literal("false")), sqlserver(Env::Absent)), (None, None));
        let reference = Env::Reference(Reference::aws("tls", "mode").unwrap());
        assert_eq!((postgres(reference), postgres(Env::Hidden)), (None, None));
        assert_eq!(judged(EngineKind::Mysql, Env::Absent), None);
        assert_eq!(weakness(&literal("disable"), EngineKind::Postgres, TlsMode::Disable), None);
    }
}
