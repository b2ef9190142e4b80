//! Account ids, regions and partitions of AWS.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// A 12-digit AWS account id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

impl AccountId {
    /// The 12 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(format!("`{text}` is not an AWS account id: 12 digits are expected")))
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An AWS region name such as `eu-central-1`. Only the shape is checked: new regions appear without notice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

impl Region {
    /// The name as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition that the region's prefix belongs to.
    pub fn partition(&self) -> Partition {
        match self.0.split('-').next() {
            Some("cn") => Partition::China,
            Some("us") if self.0.starts_with("us-gov-") => Partition::GovCloud,
            _ => Partition::Aws,
        }
    }
}

impl FromStr for Region {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts: Vec<&str> = text.split('-').collect();
        let words = parts.len() >= 3
            && parts.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        let numbered = parts.last().is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
        if words && numbered {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(format!("`{text}` is not an AWS region: a name such as `eu-central-1` is expected")))
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A group of regions with its own ARNs and endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// `aws`
    Aws,
    /// `aws-us-gov`
    GovCloud,
    /// `aws-cn`
    China,
}

impl Partition {
    /// The second part of an ARN.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::GovCloud => "aws-us-gov",
            Self::China => "aws-cn",
        }
    }
}

impl FromStr for Partition {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "aws" => Ok(Self::Aws),
            "aws-us-gov" => Ok(Self::GovCloud),
            "aws-cn" => Ok(Self::China),
            _ => Err(Invalid::new(format!("`{text}` is not a partition: `aws`, `aws-us-gov` or `aws-cn` is expected"))),
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_is_twelve_digits() {
        assert!("123456789012".parse::<AccountId>().is_ok());
        for bad in ["", "12345678901", "1234567890123", "12345678901a", "１23456789012"] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_region_has_the_shape_of_one() {
        for good in ["eu-central-1", "us-gov-west-1", "ap-southeast-5", "cn-north-1", "us-iso-east-1"] {
            assert!(good.parse::<Region>().is_ok(), "{good}");
        }
        for bad in ["", "eu", "eu-central", "EU-CENTRAL-1", "eu_central_1", "eu--1", "eu-central-1a"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_prefix_of_a_region_tells_its_partition() {
        let partition = |r: &str| r.parse::<Region>().unwrap().partition();
        assert_eq!(partition("us-gov-west-1"), Partition::GovCloud);
        assert_eq!(partition("cn-north-1"), Partition::China);
        assert_eq!(partition("us-west-2"), Partition::Aws);
    }
}
