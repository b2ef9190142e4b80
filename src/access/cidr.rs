//! Address blocks and the other sources of an ingress rule.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::{AccountId, Invalid};

/// A canonical IPv4 or IPv6 block: the bits after the prefix are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// The block that holds an address, with the bits after the prefix cleared, as AWS stores it. `None` for a text
    /// that is no block.
    pub fn containing(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let decimal = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|_| decimal)?;
        let network = match address.parse().ok()? {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(u32::from(prefix))?).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(u32::from(prefix))?).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Some(Self { network, prefix })
    }

    /// Whether it is an IPv4 block.
    pub fn is_ipv4(&self) -> bool {
        self.network.is_ipv4()
    }
}

impl FromStr for Cidr {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let cidr = Self::containing(text).ok_or_else(|| {
            Invalid::new(format!("`{text}` is not an address block: `10.0.0.0/16` or `2001:db8::/32` is expected"))
        })?;
        // AWS would store the canonical form, and every plan after would show a difference.
        if cidr.to_string() == text {
            Ok(cidr)
        } else {
            Err(Invalid::new(format!("`{text}` must be written `{cidr}`")))
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// A security group, `sg-…`, or `<account>/sg-…` for one of another account over VPC peering.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupRef {
    /// Owner, when it is another account
    pub account_id: Option<AccountId>,
    /// `sg-…`
    pub id: String,
}

impl FromStr for GroupRef {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (account, id) = text.split_once('/').map_or((None, text), |(account, id)| (Some(account), id));
        if !is_resource_id(id, "sg-") {
            let expected = "`sg-…` or `<account>/sg-…` is expected";
            return Err(Invalid::new(format!("`{text}` is not a security group: {expected}")));
        }
        Ok(Self { account_id: account.map(str::parse).transpose()?, id: id.to_owned() })
    }
}

impl fmt::Display for GroupRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(account) = &self.account_id {
            write!(f, "{account}/")?;
        }
        f.write_str(&self.id)
    }
}

/// Where an ingress rule lets traffic come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleSource {
    /// IPv4 or IPv6 addresses
    Cidr(Cidr),
    /// Members of a security group
    Group(GroupRef),
    /// A managed prefix list, `pl-…`
    PrefixList(String),
}

impl RuleSource {
    /// Takes the id of a managed prefix list.
    ///
    /// # Errors
    /// The text does not look like `pl-…`.
    pub fn prefix_list(text: &str) -> Result<Self, Invalid> {
        if is_resource_id(text, "pl-") {
            Ok(Self::PrefixList(text.to_owned()))
        } else {
            Err(Invalid::new(format!("`{text}` is not a managed prefix list: `pl-…` is expected")))
        }
    }
}

impl fmt::Display for RuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(cidr) => cidr.fmt(f),
            Self::Group(group) => group.fmt(f),
            Self::PrefixList(id) => f.write_str(id),
        }
    }
}

/// Ids of EC2: a prefix and at least 8 characters.
fn is_resource_id(text: &str, prefix: &str) -> bool {
    let word = |rest: &str| rest.len() >= 8 && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.strip_prefix(prefix).is_some_and(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_block_with_bits_after_its_prefix_is_refused_with_the_right_form() {
        for (text, right) in [
            ("10.2.3.4/16", "10.2.0.0/16"),
            ("10.0.0.1/0", "0.0.0.0/0"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("2001:db8:0:0::/32", "2001:db8::/32"),
            ("10.0.0.0/08", "10.0.0.0/8"),
        ] {
            assert_eq!(text.parse::<Cidr>().unwrap_err().0, format!("`{text}` must be written `{right}`"));
            assert!(right.parse::<Cidr>().is_ok(), "{right}");
        }
    }

    #[test]
    fn other_texts_are_no_blocks() {
        for text in ["", "10.0.0.0", "10.0.0/8", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/+8", "a/8", "::/"] {
            assert!(text.parse::<Cidr>().unwrap_err().0.contains("not an address block"), "{text}");
        }
    }

    #[test]
    fn groups_of_other_accounts_carry_the_account() {
        let text = "123456789012/sg-0123456789abcdef0";
        let group: GroupRef = text.parse().unwrap();
        assert_eq!(group.account_id.as_ref().unwrap().as_str(), "123456789012");
        assert_eq!(group.to_string(), text);
        for bad in ["sg-", "sg-UPPER", "12/sg-0123456789abcdef0", "vpc-0123456789abcdef0"] {
            assert!(bad.parse::<GroupRef>().is_err(), "{bad}");
        }
        assert!(RuleSource::prefix_list("pl-12345678").is_ok() && RuleSource::prefix_list("sg-12345678").is_err());
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_accepted_and_stable(bits: u32, prefix in 0_u8..=32) {
            let cidr = Cidr::containing(&format!("{}/{prefix}", Ipv4Addr::from_bits(bits))).unwrap();
            prop_assert_eq!(cidr.to_string().parse::<Cidr>().unwrap(), cidr);
        }
    }
}
