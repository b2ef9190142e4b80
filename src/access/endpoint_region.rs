//! The region in the host name of an RDS endpoint.

use super::{Invalid, Region};

/// Domains that RDS endpoints live under: the commercial and GovCloud partitions, China, and the isolated partitions.
const DOMAINS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".c2s.ic.gov", ".sc2s.sgov.gov"];

/// Derives the region from an endpoint of an instance, cluster, proxy or shard group. Upper case and a final dot are
/// accepted. There is no default: a token for a wrong region is refused by the database without a useful word.
///
/// # Errors
/// A custom name, an address, a load balancer, or the endpoint of a global database, which names no region.
pub fn region_of_endpoint(host: &str) -> Result<Region, Invalid> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let refuse = |why: &str| {
        Invalid::new(format!("`{host}` {why}: set the region, and the endpoint of the database that it stands for"))
    };
    let labels = DOMAINS.iter().find_map(|domain| host.strip_suffix(domain));
    let labels: Vec<&str> = labels.ok_or_else(|| refuse("is not an endpoint of RDS"))?.split('.').collect();
    let (names, region) = match labels[..] {
        [ref names @ .., region, "rds"] | [ref names @ .., "rds", region] => (names, region),
        _ => return Err(refuse("is not an endpoint of RDS")),
    };
    // At least `<identifier>.<hash>` stands before the region.
    if names.len() < 2 || names.iter().any(|name| name.is_empty()) {
        return Err(refuse("is not the endpoint of a database"));
    }
    if region == "global" {
        return Err(refuse("is the endpoint of a global database, which moves between regions"));
    }
    region.parse().map_err(|_| refuse("names no region"))
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
            assert_eq!(region_of_endpoint(host).unwrap().as_str(), region, "{host}");
        }
    }

    #[test]
    fn a_host_that_names_no_region_is_refused_with_the_reason() {
        for (host, reason) in [
            ("world.global-abc123.global.rds.amazonaws.com", "global database"),
            ("lb-123.elb.us-east-2.amazonaws.com", "not an endpoint of RDS"),
            ("db.example.com", "not an endpoint of RDS"),
            ("10.0.0.5", "not an endpoint of RDS"),
            ("localhost", "not an endpoint of RDS"),
            ("", "not an endpoint of RDS"),
            ("rds.us-east-2.amazonaws.com", "not the endpoint of a database"),
            ("ledger.abc123.mars.rds.amazonaws.com", "names no region"),
            ("ledger.abc123.us-east-2.rds.amazonaws.com.evil.com", "not an endpoint of RDS"),
        ] {
            let error = region_of_endpoint(host).unwrap_err().to_string();
            assert!(error.contains(reason), "{host}: {error}");
        }
    }
}
