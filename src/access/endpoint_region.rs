//! The region in the host name of an RDS endpoint.

use super::{Invalid, Region};

/// Domains that RDS endpoints live under: the commercial and GovCloud partitions, China, and the isolated partitions.
const DOMAINS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".c2s.ic.gov", ".sc2s.sgov.gov"];

/// Derives the region from an endpoint of an instance, cluster, proxy, shard group or global database. Upper case and a
/// final dot are accepted. There is no default: a token for a wrong region is refused by the database without a useful
/// word. `None` for a global database, which moves between regions.
///
/// # Errors
/// A custom name, an address or a load balancer.
pub fn region_of_endpoint(host: &str) -> Result<Option<Region>, Invalid> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let refuse = |why: &str| Invalid::new(format!("`{host}` {why}"));
    let labels = DOMAINS.iter().find_map(|domain| host.strip_suffix(domain));
    let labels: Vec<&str> = labels.ok_or_else(|| refuse("is not an endpoint of RDS"))?.split('.').collect();
    let (names, region) = match labels[..] {
        [ref names @ .., region, "rds"] | [ref names @ .., "rds", region] => (names, region),
        _ => return Err(refuse("is not an endpoint of RDS")),
    };
    // At least `<identifier>.<hash>` stands before the region.
    if names.len() < 2 || names.iter().any(|name| !is_label(name)) {
        return Err(refuse("is not the endpoint of a database"));
    }
    match region {
        "global" => Ok(None),
        region => region.parse().map(Some).map_err(|_| refuse("names no region")),
    }
}

/// Checks that a text is a host name and no address: letters, digits and hyphens between dots, the last part no number.
///
/// # Errors
/// An address, or another text.
pub fn check_host_name(host: &str) -> Result<(), Invalid> {
    let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    let number = labels.last().is_none_or(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if number || !labels.iter().all(|label| is_label(label)) {
        return Err(Invalid::new(format!("`{host}` is not a host name")));
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_form_of_endpoint_tells_its_region() {
        for (host, region) in [
            ("ledger.abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
            ("Ledger.ABC123.us-east-2.rds.amazonaws.com.", "us-east-2"),
            ("main.cluster-abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
            ("main.cluster-ro-abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
            ("any.cluster-custom-abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
            ("pool.proxy-abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
            ("ro.endpoint.proxy-abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
            ("shards.shardgrp-abc123.us-east-2.rds.amazonaws.com", "us-east-2"),
            ("main.cluster-abc123.rds.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
            ("ledger.abc123.rds.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("main.cluster-abc123.cn-northwest-1.rds.amazonaws.com.cn", "cn-northwest-1"),
            ("ledger.abc123.rds.us-gov-east-1.amazonaws.com", "us-gov-east-1"),
            ("ledger.abc123.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
            ("ledger.abc123.rds.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
            ("main.cluster-abc123.rds.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        ] {
            assert_eq!(region_of_endpoint(host).unwrap().unwrap().as_str(), region, "{host}");
        }
    }

    #[test]
    fn a_host_that_names_no_region_is_refused_with_the_reason() {
        for (host, reason) in [
            ("lb-123.elb.us-east-2.amazonaws.com", "not an endpoint of RDS"),
            ("db.example.com", "not an endpoint of RDS"),
            ("10.0.0.5", "not an endpoint of RDS"),
            ("localhost", "not an endpoint of RDS"),
            ("", "not an endpoint of RDS"),
            ("rds.us-east-2.amazonaws.com", "not the endpoint of a database"),
            ("ledger.abc123.mars.rds.amazonaws.com", "names no region"),
            ("ledger.abc123.us-east-2.rds.amazonaws.com.evil.com", "not an endpoint of RDS"),
            ("ledger.abc123.us-east-2.rds.amazonaws.com..", "not an endpoint of RDS"),
            ("evil.com/ledger.abc123.us-east-2.rds.amazonaws.com", "not the endpoint of a database"),
            ("user@ledger.abc123.us-east-2.rds.amazonaws.com", "not the endpoint of a database"),
        ] {
            let error = region_of_endpoint(host).unwrap_err().to_string();
            assert!(error.contains(reason), "{host}: {error}");
        }
    }

    #[test]
    fn a_global_endpoint_is_one_without_a_region() {
        assert_eq!(region_of_endpoint("World.global-abc123.global.rds.amazonaws.com."), Ok(None));
    }

    #[test]
    fn an_address_is_no_host_name() {
        for host in ["a", "db.example.com", "db.example.com.", "10-0-0-5.example"] {
            assert_eq!(check_host_name(host), Ok(()), "{host}");
        }
        for host in ["", ".", "10.0.0.5", "::1", "[::1]", "a b", "a/b", "a@b", "a:1", "a..b", "ü.example", "1"] {
            assert!(check_host_name(host).is_err(), "{host}");
        }
    }
}
