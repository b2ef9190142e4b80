//! The `store` argument: as it is written in the provider block or in a resource, and what it means.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{AccountId, Region, SecretRef};
use crate::model;
use crate::value::Value;

use super::Place;

const DEFAULT_PREFIX: &str = "rdsaccess/";
const DEFAULT_RECOVERY_WINDOW: u8 = 7;

model! {
    /// Where generated secrets live.
    #[derive(Eq)]
    pub struct StoreBlock {
        /// AWS Secrets Manager.
        secrets_manager: SecretsManagerBlock = required(),
    }
}

model! {
    /// Secrets in AWS Secrets Manager.
    #[derive(Eq)]
    pub struct SecretsManagerBlock {
        /// Account of the secrets. Set account and region to where the gateway's agent runs when one agent serves many
        /// accounts.
        account_id: AccountId = optional().default_words("the database's account"),
        /// Region of the secrets.
        region: Region = optional().default_words("the database's region"),
        /// What the name of every secret begins with.
        name_prefix: String = optional()
            .check("letters, digits and `/_+=.@-`, at most 128", is_prefix)
            .default_words("`rdsaccess/`"),
        /// KMS key of the secrets, as an ARN, an id or an alias.
        kms_key_id: String = optional().not_empty().default_words("`aws/secretsmanager`"),
        /// Days in which a deleted secret can be restored.
        recovery_window_days: i64 = optional().between(7, 30).default_words("`7`"),
        /// Regions that get a replica of every secret.
        replica_regions: BTreeSet<Region> = optional(),
        /// Tags of the secrets, besides those of the provider block.
        tags: BTreeMap<String, String> = optional().check("free of keys that begin with `aws:` or `rdsaccess:`", own_keys),
    }
}

/// Where generated secrets live, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSettings {
    /// In AWS Secrets Manager
    SecretsManager(SecretsManagerSettings),
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self::SecretsManager(SecretsManagerSettings::default())
    }
}

impl StoreSettings {
    /// Whether the secret of a place would be this one.
    pub fn holds(&self, place: &Place, secret_ref: &SecretRef) -> bool {
        match self {
            Self::SecretsManager(settings) => settings.holds(place, secret_ref),
        }
    }
}

/// How a store in AWS Secrets Manager is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretsManagerSettings {
    /// Account of the secrets; the database's when `None`
    pub account_id: Option<AccountId>,
    /// Region of the secrets; the database's when `None`
    pub region: Option<Region>,
    /// What every name begins with
    pub name_prefix: String,
    /// Customer key; `aws/secretsmanager` when `None`
    pub kms_key_id: Option<String>,
    /// Days between destroy and deletion, 7 to 30
    pub recovery_window_days: u8,
    /// Regions that get a replica
    pub replica_regions: Vec<Region>,
    /// Tags besides ours
    pub tags: BTreeMap<String, String>,
}

impl Default for SecretsManagerSettings {
    fn default() -> Self {
        Self {
            account_id: None,
            region: None,
            name_prefix: DEFAULT_PREFIX.to_owned(),
            kms_key_id: None,
            recovery_window_days: DEFAULT_RECOVERY_WINDOW,
            replica_regions: Vec::new(),
            tags: BTreeMap::new(),
        }
    }
}

impl SecretsManagerSettings {
    /// Whether the secret of a place would be this one: same account, region and name.
    fn holds(&self, place: &Place, secret_ref: &SecretRef) -> bool {
        let SecretRef::SecretsManager { account_id, region, .. } = secret_ref else { return false };
        account_id == self.account_id.as_ref().unwrap_or(&place.arn.account_id)
            && region == self.region.as_ref().unwrap_or(&place.arn.region)
            && secret_ref.secrets_manager_name() == Some(place.name(&self.name_prefix).as_str())
    }
}

impl StoreBlock {
    /// What the block means; `None` while parts of it are unknown.
    pub fn settings(&self) -> Option<StoreSettings> {
        let block = self.secrets_manager.get()?;
        block.is_known().then(|| StoreSettings::SecretsManager(block.settings()))
    }
}

impl SecretsManagerBlock {
    fn is_known(&self) -> bool {
        let Self { account_id, region, name_prefix, kms_key_id, recovery_window_days, replica_regions, tags } = self;
        ![account_id.is_unknown(), region.is_unknown(), name_prefix.is_unknown(), kms_key_id.is_unknown()]
            .into_iter()
            .chain([recovery_window_days.is_unknown(), replica_regions.is_unknown(), tags.is_unknown()])
            .any(|unknown| unknown)
    }

    fn settings(&self) -> SecretsManagerSettings {
        let defaults = SecretsManagerSettings::default();
        let days = self.recovery_window_days.get().and_then(|days| u8::try_from(*days).ok());
        SecretsManagerSettings {
            account_id: self.account_id.get().cloned(),
            region: self.region.get().cloned(),
            name_prefix: self.name_prefix.get().cloned().unwrap_or(defaults.name_prefix),
            kms_key_id: self.kms_key_id.get().cloned(),
            recovery_window_days: days.unwrap_or(defaults.recovery_window_days),
            replica_regions: self.replica_regions.get().into_iter().flatten().cloned().collect(),
            tags: self.tags.get().cloned().unwrap_or_default(),
        }
    }
}

/// The characters that Secrets Manager takes in names; the prefix leaves room for the longest place.
fn is_prefix(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            text.len() <= 128 && text.chars().all(|c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c))
        }
        _ => true,
    }
}

fn own_keys(value: &Value) -> bool {
    match value {
        Value::Map(tags) => {
            tags.keys().all(|key| !key.is_empty() && !key.starts_with("aws:") && !key.starts_with("rdsaccess:"))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Attr;

    #[test]
    fn nothing_written_means_the_documented_defaults() {
        let block = StoreBlock { secrets_manager: SecretsManagerBlock::default().into() };
        assert_eq!(block.settings(), Some(StoreSettings::default()));
    }

    #[test]
    fn an_unknown_part_makes_the_place_unknown() {
        let block = SecretsManagerBlock { region: Attr::Unknown, ..Default::default() };
        assert_eq!(StoreBlock { secrets_manager: block.into() }.settings(), None);
        assert_eq!(StoreBlock { secrets_manager: Attr::Unknown }.settings(), None);
    }

    #[test]
    fn a_place_is_recognised_by_account_region_and_name() {
        let arn = "arn:aws:rds:eu-west-1:123456789012:db:ledger".parse().unwrap();
        let place = Place::user(arn, "admin".parse().unwrap());
        let of = |region: &str, name: &str| {
            format!("arn:aws:secretsmanager:{region}:123456789012:secret:{name}-AbCdEf").parse().unwrap()
        };
        let name = place.name("rdsaccess/");
        let settings = SecretsManagerSettings::default();
        assert!(settings.holds(&place, &of("eu-west-1", &name)));
        assert!(!settings.holds(&place, &of("us-east-1", &name)));
        assert!(!settings.holds(&place, &of("eu-west-1", &place.name("other/"))));
        let central = SecretsManagerSettings { region: "us-east-1".parse().ok(), ..settings };
        assert!(central.holds(&place, &of("us-east-1", &name)));
    }

    #[test]
    fn a_prefix_holds_what_secrets_manager_takes() {
        assert!(is_prefix(&Value::string("team-a/rds_1=+.@/")));
        assert!(!is_prefix(&Value::string("with space")) && !is_prefix(&Value::string("x".repeat(129))));
    }
}
