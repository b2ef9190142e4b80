//! What the permissions are for, and who gets them.

use std::fmt;
use std::str::FromStr;

use crate::access::{AccountId, Invalid, Partition};

/// A part of the provider that needs permissions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Finding accounts and databases
    Discovery,
    /// `rdsaccess_security_group`
    SecurityGroup,
    /// `rdsaccess_master_credential` with a password of ours
    MasterPassword,
    /// `rdsaccess_master_credential` with a password of RDS
    MasterRdsManaged,
    /// `rdsaccess_role` with a password
    RolePassword,
    /// `rdsaccess_role` with tokens
    RoleIam,
    /// Reading stored secrets for somebody else
    SecretRead,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Discovery,
        Self::SecurityGroup,
        Self::MasterPassword,
        Self::MasterRdsManaged,
        Self::RolePassword,
        Self::RoleIam,
        Self::SecretRead,
    ];

    /// The word used in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::SecurityGroup => "security_group",
            Self::MasterPassword => "master_password",
            Self::MasterRdsManaged => "master_rds_managed",
            Self::RolePassword => "role_password",
            Self::RoleIam => "role_iam",
            Self::SecretRead => "secret_read",
        }
    }

    /// The word inside a `Sid`, which takes letters and digits only.
    pub(super) fn sid(self) -> String {
        let capital = |word: &str| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
        };
        self.as_str().split('_').map(capital).collect()
    }
}

impl FromStr for Feature {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|feature| feature.as_str() == text).ok_or_else(|| {
            let words: Vec<String> = Self::ALL.iter().map(|feature| format!("`{}`", feature.as_str())).collect();
            Invalid::new(format!("`{text}` is no feature; there are {}", words.join(", ")))
        })
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An IAM role, an IAM user or the root of an account, by ARN. Sessions come and go and have no place in a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrincipalArn {
    text: String,
    /// Partition of the ARN
    pub partition: Partition,
    /// Account of the principal
    pub account_id: AccountId,
}

impl PrincipalArn {
    /// What a condition on `aws:PrincipalArn` compares with: the root stands for everybody in its account.
    pub(super) fn pattern(&self) -> String {
        self.text.strip_suffix(":root").map_or_else(|| self.text.clone(), |account| format!("{account}:*"))
    }
}

impl FromStr for PrincipalArn {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = |why: &str| {
            Invalid::new(format!(
                "`{text}` is not the ARN of a principal ({why}): `arn:<partition>:iam::<account>:role/<name>`, `…:user/<name>` \
                 or `…:root` is expected"
            ))
        };
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, service, "", account, resource] = parts[..] else {
            return Err(refuse("six parts separated by `:` are needed, the fourth of them empty"));
        };
        if service != "iam" {
            return Err(refuse("the service is not `iam`; for a session name its role"));
        }
        let named = ["role/", "user/"].iter().filter_map(|kind| resource.strip_prefix(kind)).any(is_name);
        if resource.contains(',') {
            return Err(refuse("a `,` ends an ARN in the parameter of the CloudFormation template"));
        }
        if !named && resource != "root" {
            return Err(refuse("it names neither a role nor a user nor the root of an account"));
        }
        Ok(Self {
            partition: partition.parse().map_err(|e: Invalid| refuse(&e.0))?,
            account_id: account.parse().map_err(|e: Invalid| refuse(&e.0))?,
            text: text.to_owned(),
        })
    }
}

/// A name of IAM with its path; wildcards mean nothing in a principal.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=.@-_/".contains(&b))
}

impl fmt::Display for PrincipalArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The ARN of a KMS key. An alias is none: permissions are checked against the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyArn(String);

impl FromStr for KeyArn {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts: Vec<&str> = text.split(':').collect();
        let fits = matches!(parts[..], ["arn", partition, "kms", region, account, key]
            if partition.parse::<Partition>().is_ok()
                && region.parse::<crate::access::Region>().is_ok()
                && account.parse::<AccountId>().is_ok()
                && key.strip_prefix("key/").is_some_and(is_key_id));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(format!(
                "`{text}` is not the ARN of a key: `arn:<partition>:kms:<region>:<account>:key/<id>` is expected"
            )))
        }
    }
}

/// What IAM would read as a pattern or a variable is no id.
fn is_key_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::text_kinds! {
    Feature = Feature::ALL;
    PrincipalArn;
    KeyArn;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_letters_only_in_a_sid() {
        let sids: Vec<String> = Feature::ALL.into_iter().map(Feature::sid).collect();
        assert_eq!(sids[3], "MasterRdsManaged");
        assert!(sids.iter().all(|sid| sid.bytes().all(|b| b.is_ascii_alphabetic())));
    }

    #[test]
    fn principals_are_roles_users_and_roots() {
        for good in [
            "arn:aws:iam::123456789012:role/path/terraform",
            "arn:aws-cn:iam::123456789012:user/ci",
            "arn:aws-us-gov:iam::123456789012:root",
        ] {
            assert_eq!(good.parse::<PrincipalArn>().unwrap().to_string(), good);
        }
        for (bad, why) in [
            ("*", "six parts"),
            ("arn:aws:iam::123456789012:role/*", "neither a role"),
            ("arn:aws:sts::123456789012:assumed-role/a/b", "name its role"),
            ("arn:aws:iam::1234:role/a", "12 digits"),
            ("arn:aws:iam::123456789012:group/a", "neither a role"),
            ("arn:aws:iam::123456789012:role/a,arn:aws:iam::210987654321:root", "six parts"),
            ("arn:aws:iam::123456789012:role/a,b", "a `,` ends an ARN"),
        ] {
            let error = bad.parse::<PrincipalArn>().unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn the_root_stands_for_its_account() {
        let pattern = |text: &str| text.parse::<PrincipalArn>().unwrap().pattern();
        assert_eq!(pattern("arn:aws:iam::123456789012:root"), "arn:aws:iam::123456789012:*");
        assert_eq!(pattern("arn:aws:iam::123456789012:role/a"), "arn:aws:iam::123456789012:role/a");
    }

    #[test]
    fn a_key_is_named_by_its_arn() {
        assert!("arn:aws:kms:eu-west-1:123456789012:key/0a1b".parse::<KeyArn>().is_ok());
        for bad in [
            "0a1b",
            "alias/a",
            "arn:aws:kms:eu-west-1:123456789012:alias/a",
            "arn:aws:kms:eu-west-1:123456789012:key/*",
            "arn:aws:kms:eu-west-1:123456789012:key/????????-0000-0000-0000-000000000000",
            "arn:aws:kms:eu-west-1:123456789012:key/${aws:PrincipalTag/key}",
        ] {
            assert!(bad.parse::<KeyArn>().is_err(), "{bad}");
        }
    }
}
