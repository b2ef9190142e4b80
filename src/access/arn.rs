//! The ARN of a database: the argument that carries partition, region and account.

use std::fmt;
use std::str::FromStr;

use super::{AccountId, Invalid, Partition, Region};

/// Whether an ARN names a DB instance or a DB cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// `…:db:<identifier>`
    Instance,
    /// `…:cluster:<identifier>`
    Cluster,
}

impl TargetKind {
    /// The word used in HCL (`instance`, `cluster`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Cluster => "cluster",
        }
    }

    /// The word used inside the ARN and in the names of secrets (`db`, `cluster`).
    pub fn arn_word(self) -> &'static str {
        match self {
            Self::Instance => "db",
            Self::Cluster => "cluster",
        }
    }
}

/// The ARN of an RDS instance or cluster, as `target_arn` takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// `aws`, `aws-us-gov` or `aws-cn`
    pub partition: Partition,
    /// Region of the database
    pub region: Region,
    /// Account of the database
    pub account_id: AccountId,
    /// Instance or cluster
    pub kind: TargetKind,
    /// DB instance or cluster identifier, lower case
    pub identifier: String,
}

impl FromStr for Arn {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let expected =
            "`arn:<partition>:rds:<region>:<account>:db:<identifier>` or `…:cluster:<identifier>` is expected";
        let refuse = |why: &str| Invalid::new(format!("`{text}` is not the ARN of a database ({why}): {expected}"));
        let parts: Vec<&str> = text.split(':').collect();
        let [arn, partition, service, region, account, word, identifier] = parts[..] else {
            return Err(refuse("seven parts separated by `:` are needed"));
        };
        if arn != "arn" {
            return Err(refuse("it does not begin with `arn:`"));
        }
        if service != "rds" {
            return Err(refuse("the service is not `rds`"));
        }
        let kind = match word {
            "db" => TargetKind::Instance,
            "cluster" => TargetKind::Cluster,
            _ => return Err(refuse("it names neither an instance nor a cluster")),
        };
        Ok(Self {
            partition: partition.parse().map_err(|e: Invalid| refuse(&e.0))?,
            region: region.parse().map_err(|e: Invalid| refuse(&e.0))?,
            account_id: account.parse().map_err(|e: Invalid| refuse(&e.0))?,
            kind,
            identifier: parse_identifier(identifier).ok_or_else(|| refuse("the identifier is not one of RDS"))?,
        })
    }
}

/// RDS identifiers: 1 to 63 letters, digits and single hyphens, beginning with a letter, stored in lower case.
fn parse_identifier(text: &str) -> Option<String> {
    let shape = (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--");
    shape.then(|| text.to_owned())
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, region, account_id, kind, identifier } = self;
        write!(f, "arn:{partition}:rds:{region}:{account_id}:{}:{identifier}", kind.arn_word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_an_instance_and_of_a_cluster_survive_a_round_trip() {
        for text in [
            "arn:aws:rds:eu-central-1:123456789012:db:ledger",
            "arn:aws-us-gov:rds:us-gov-west-1:123456789012:cluster:ledger-1",
            "arn:aws-cn:rds:cn-north-1:123456789012:db:a",
        ] {
            assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_arns_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "seven parts"),
            ("ledger", "seven parts"),
            ("arn:aws:s3:::bucket", "seven parts"),
            ("arn:aws:ec2:eu-central-1:123456789012:db:ledger", "service"),
            ("arn:aws:rds:eu-central-1:123456789012:snapshot:ledger", "neither an instance"),
            ("arn:aws:rds:eu-central-1:1234:db:ledger", "12 digits"),
            ("arn:aws:rds:mars:123456789012:db:ledger", "region"),
            ("arn:aws:rds:eu-central-1:123456789012:db:Ledger", "identifier"),
            ("arn:aws:rds:eu-central-1:123456789012:db:a--b", "identifier"),
            ("arn:moon:rds:eu-central-1:123456789012:db:ledger", "partition"),
        ] {
            let error = text.parse::<Arn>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
