//! Where a secret lives: a self-contained string that may stand in state.

use std::fmt;
use std::str::FromStr;

use super::{AccountId, Invalid, Partition, Region};

/// The version of a Vault key-value engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KvVersion {
    /// `kv1`
    One,
    /// `kv2`
    Two,
}

/// A reference to a stored secret, never its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretRef {
    /// The full ARN of a Secrets Manager secret.
    SecretsManager {
        /// Partition of the ARN
        partition: Partition,
        /// Region of the secret
        region: Region,
        /// Account of the secret
        account_id: AccountId,
        /// Name with the six random characters that AWS appends
        resource: String,
    },
    /// `vault:<kv1|kv2>:<namespace or empty>:<mount>:<path>`
    Vault {
        /// Version of the engine behind `mount`
        version: KvVersion,
        /// Vault namespace, empty for the root
        namespace: String,
        /// Mount of the key-value engine
        mount: String,
        /// Path below the mount
        path: String,
    },
}

impl SecretRef {
    /// The name of a Secrets Manager secret: the resource part without the random suffix that AWS adds (`-` and six
    /// characters). `None` for other stores.
    pub fn secrets_manager_name(&self) -> Option<&str> {
        match self {
            Self::SecretsManager { resource, .. } => {
                let cut = resource.len().checked_sub(7)?;
                resource.is_char_boundary(cut).then(|| resource.split_at(cut)).and_then(|(name, suffix)| {
                    (suffix.starts_with('-') && suffix[1..].bytes().all(|b| b.is_ascii_alphanumeric())).then_some(name)
                })
            }
            Self::Vault { .. } => None,
        }
    }
}

impl SecretRef {
    /// Whether both are secrets of the same account, region and name: one may have been made after the other was gone.
    pub fn is_same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::SecretsManager { partition, region, account_id, .. },
                Self::SecretsManager { partition: p, region: r, account_id: a, .. },
            ) => {
                (partition, region, account_id) == (p, r, a)
                    && self.secrets_manager_name() == other.secrets_manager_name()
            }
            _ => self == other,
        }
    }
}

impl FromStr for SecretRef {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let expected =
            "the full ARN of a Secrets Manager secret or `vault:<kv1|kv2>:<namespace>:<mount>:<path>` is expected";
        let refuse = |why: &str| Invalid::new(format!("`{text}` is not a reference to a secret ({why}): {expected}"));
        let parts: Vec<&str> = text.splitn(7, ':').collect();
        match parts[..] {
            ["arn", partition, "secretsmanager", region, account, "secret", resource] if !resource.is_empty() => {
                Ok(Self::SecretsManager {
                    partition: partition.parse().map_err(|e: Invalid| refuse(&e.0))?,
                    region: region.parse().map_err(|e: Invalid| refuse(&e.0))?,
                    account_id: account.parse().map_err(|e: Invalid| refuse(&e.0))?,
                    resource: resource.to_owned(),
                })
            }
            ["vault", ..] => parse_vault(text).ok_or_else(|| refuse("the parts after `vault:` do not fit")),
            _ => Err(refuse("it is neither of the two forms")),
        }
    }
}

fn parse_vault(text: &str) -> Option<SecretRef> {
    let mut parts = text.splitn(5, ':').skip(1);
    let version = match parts.next()? {
        "kv1" => KvVersion::One,
        "kv2" => KvVersion::Two,
        _ => return None,
    };
    let (namespace, mount, path) = (parts.next()?, parts.next()?, parts.next()?);
    (!mount.is_empty() && !path.is_empty()).then(|| SecretRef::Vault {
        version,
        namespace: namespace.to_owned(),
        mount: mount.to_owned(),
        path: path.to_owned(),
    })
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecretsManager { partition, region, account_id, resource } => {
                write!(f, "arn:{partition}:secretsmanager:{region}:{account_id}:secret:{resource}")
            }
            Self::Vault { version, namespace, mount, path } => {
                let version = match version {
                    KvVersion::One => "kv1",
                    KvVersion::Two => "kv2",
                };
                write!(f, "vault:{version}:{namespace}:{mount}:{path}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_survive_a_round_trip() {
        for text in [
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rdsaccess/123456789012/eu-central-1/db/ledger/hoop_ro-AbCdEf",
            "vault:kv2::secret:rdsaccess/a/b",
            "vault:kv1:team/a:kv:x:y",
        ] {
            assert_eq!(text.parse::<SecretRef>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_name_is_the_arn_without_the_random_suffix() {
        let name = |t: &str| t.parse::<SecretRef>().unwrap().secrets_manager_name().map(str::to_owned);
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";
        assert_eq!(name(&format!("{arn}a/b=2E-c-AbCdEf")).as_deref(), Some("a/b=2E-c"));
        assert_eq!(name(&format!("{arn}short")), None);
        assert_eq!(name("vault:kv2::secret:a"), None);
    }

    #[test]
    fn a_secret_that_was_made_again_is_at_the_same_place() {
        let of = |t: &str| t.parse::<SecretRef>().unwrap();
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";
        assert!(of(&format!("{arn}a/b-AbCdEf")).is_same_place(&of(&format!("{arn}a/b-GhIjKl"))));
        assert!(!of(&format!("{arn}a/b-AbCdEf")).is_same_place(&of(&format!("{arn}a/c-AbCdEf"))));
        assert!(!of(&format!("{arn}a/b-AbCdEf")).is_same_place(&of("vault:kv2::m:a/b")));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "ledger", "arn:aws:rds:eu-central-1:123456789012:db:ledger", "vault:kv3::m:p", "vault:kv2::m"]
        {
            assert!(text.parse::<SecretRef>().is_err(), "{text}");
        }
    }
}
