//! The `store` argument: as it is written in the provider block or in a resource, and what it means.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{AccountId, KvVersion, Region, SecretRef};
use crate::model;
use crate::schema::Attr;
use crate::value::Value;

use super::Place;
use super::vault::is_path;

const DEFAULT_PREFIX: &str = "rdsaccess/";
const DEFAULT_MOUNT: &str = "secret";
const DEFAULT_RECOVERY_WINDOW: u8 = 7;

model! {
    /// Where generated secrets live.
    #[derive(Eq)]
    pub struct StoreBlock {
        /// AWS Secrets Manager. Exactly one of `secrets_manager` and `vault` is set.
        secrets_manager: SecretsManagerBlock = optional(),
        /// HashiCorp Vault or OpenBao, as the `vault` of the provider block reaches it.
        vault: VaultStoreBlock = optional(),
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
        /// KMS key of the secrets, as an ARN, an id or an alias. Another one holds from the next password on. Taken out,
        /// a secret that is there keeps its key: name `alias/aws/secretsmanager` to go back to the default one.
        kms_key_id: String = optional()
            .check("an ARN, an id or an alias of letters, digits and `:/_-`", is_key)
            .default_words("`aws/secretsmanager`"),
        /// Days in which a deleted secret can be restored.
        recovery_window_days: i64 = optional().between(7, 30).default_words("`7`"),
        /// Regions that get a replica of every secret. A new region gets its replica with the next password; the replica
        /// in a region that is taken out stays until somebody removes it (`aws secretsmanager
        /// remove-regions-from-replication`), or destroy does.
        replica_regions: BTreeSet<Region> = optional(),
        /// Tags of the secrets, besides those of the provider block. New and changed ones are written with the next
        /// password; one that is taken out stays on a secret that is there (`aws secretsmanager untag-resource`),
        /// because nothing tells it from a tag of somebody else.
        tags: BTreeMap<String, String> = optional().check("free of keys that begin with `aws:` or `rdsaccess:`", own_keys),
    }
}

model! {
    /// Secrets in the key-value engine of HashiCorp Vault or OpenBao.
    ///
    /// The current value lies at `<mount>/<path_prefix><account>/<region>/<db|cluster>/<identifier>/<user>` with the keys
    /// `HOST`, `PORT`, `USER`, `PASSWORD` and `DB`; a value that no login has proven yet lies beside it, at
    /// `<path>.pending`. The token needs `create`, `read` and `update` on `<mount>/data/<path_prefix>*`, those and
    /// `delete` on `<mount>/metadata/<path_prefix>*`, and `update` on `<mount>/delete/<path_prefix>*` and
    /// `<mount>/destroy/<path_prefix>*`; with version 1 of the engine `create`, `read`, `update` and `delete` on
    /// `<mount>/<path_prefix>*`.
    #[derive(Eq)]
    pub struct VaultStoreBlock {
        /// Mount of the engine.
        mount: String = optional()
            .check("a path of letters, digits and `_-.=@+` between slashes", is_vault_path)
            .default_words("`secret`"),
        /// Version of the engine, `1` or `2`. Version 1 has no check-and-set and keeps no old versions: prefer `2`.
        kv_version: i64 = optional().between(1, 2).default_words("`2`"),
        /// What the path of every secret begins with.
        path_prefix: String = optional()
            .check("letters, digits and `/_+=.@-` without a slash in front, at most 128", is_path_prefix)
            .default_words("`rdsaccess/`"),
    }
}

/// Where generated secrets live, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSettings {
    /// In AWS Secrets Manager
    SecretsManager(SecretsManagerSettings),
    /// In Vault or OpenBao
    Vault(VaultStoreSettings),
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
            Self::Vault(settings) => settings.secret_ref(place) == *secret_ref,
        }
    }

    /// Where the secret of a place would be, in words.
    pub fn describe(&self, place: &Place) -> String {
        match self {
            Self::SecretsManager(settings) => {
                let account = settings.account_id.as_ref().unwrap_or(&place.arn.account_id);
                let region = settings.region.as_ref().unwrap_or(&place.arn.region);
                let name = place.name(&settings.name_prefix);
                format!("the secret `{name}` in Secrets Manager of account {account} in {region}")
            }
            Self::Vault(settings) => format!("the secret {} in Vault", settings.secret_ref(place)),
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

/// How a store in Vault is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultStoreSettings {
    /// Namespace, as the provider block names it; empty for the root
    pub namespace: String,
    /// Mount of the engine
    pub mount: String,
    /// Version of the engine
    pub version: KvVersion,
    /// What every path begins with
    pub path_prefix: String,
}

impl Default for VaultStoreSettings {
    fn default() -> Self {
        Self {
            namespace: String::new(),
            mount: DEFAULT_MOUNT.to_owned(),
            version: KvVersion::Two,
            path_prefix: DEFAULT_PREFIX.to_owned(),
        }
    }
}

impl VaultStoreSettings {
    /// The secret of a place.
    pub fn secret_ref(&self, place: &Place) -> SecretRef {
        SecretRef::Vault {
            version: self.version,
            namespace: self.namespace.clone(),
            mount: self.mount.clone(),
            path: place.name(&self.path_prefix),
        }
    }
}

impl StoreBlock {
    /// What the block means; `None` while parts of it are unknown.
    pub fn settings(&self) -> Option<StoreSettings> {
        match (&self.secrets_manager, &self.vault) {
            (Attr::Known(block), Attr::Null) => {
                block.is_known().then(|| StoreSettings::SecretsManager(block.settings()))
            }
            (Attr::Null, Attr::Known(block)) => block.is_known().then(|| StoreSettings::Vault(block.settings())),
            _ => None,
        }
    }
}

impl VaultStoreBlock {
    fn is_known(&self) -> bool {
        let Self { mount, kv_version, path_prefix } = self;
        !(mount.is_unknown() || kv_version.is_unknown() || path_prefix.is_unknown())
    }

    fn settings(&self) -> VaultStoreSettings {
        let defaults = VaultStoreSettings::default();
        let version = if self.kv_version.get() == Some(&1) { KvVersion::One } else { KvVersion::Two };
        VaultStoreSettings {
            mount: self.mount.get().cloned().unwrap_or(defaults.mount),
            path_prefix: self.path_prefix.get().cloned().unwrap_or(defaults.path_prefix),
            version,
            ..defaults
        }
    }
}

/// What [`is_one_store`] expects, in words.
pub const ONE_STORE: &str = "an object with exactly one of `secrets_manager` and `vault`";

/// A `store` names one store; a block with none or with both is refused. Unknown parts are not judged.
pub fn is_one_store(value: &Value) -> bool {
    match (value.attribute("secrets_manager"), value.attribute("vault")) {
        (Value::Unknown(_), _) | (_, Value::Unknown(_)) => true,
        (Value::Null, Value::Null) => false,
        (one, other) => one.is_null() || other.is_null(),
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

/// What IAM would take for a pattern or a variable is no key: policies name the key.
fn is_key(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ":/_-".contains(c))
        }
        _ => true,
    }
}

fn is_vault_path(value: &Value) -> bool {
    match value {
        Value::String(text) => is_path(text),
        _ => true,
    }
}

/// As [`is_prefix`], and no part of it may be swallowed by a URL.
fn is_path_prefix(value: &Value) -> bool {
    match value {
        Value::String(text) => is_prefix(value) && (text.is_empty() || is_path(text.strip_suffix('/').unwrap_or(text))),
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
    use crate::schema::Model;

    fn in_aws(block: impl Into<Attr<SecretsManagerBlock>>) -> StoreBlock {
        StoreBlock { secrets_manager: block.into(), ..StoreBlock::default() }
    }

    fn in_vault(block: impl Into<Attr<VaultStoreBlock>>) -> StoreBlock {
        StoreBlock { vault: block.into(), ..StoreBlock::default() }
    }

    #[test]
    fn nothing_written_means_the_documented_defaults() {
        assert_eq!(in_aws(SecretsManagerBlock::default()).settings(), Some(StoreSettings::default()));
        let vault = StoreSettings::Vault(VaultStoreSettings::default());
        assert_eq!(in_vault(VaultStoreBlock::default()).settings(), Some(vault));
    }

    #[test]
    fn a_key_is_named_without_patterns_and_variables() {
        let is_key = |text: &str| is_key(&Value::from(text));
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        for key in
            [id, "alias/aws/secretsmanager", "alias/team_a", &format!("arn:aws:kms:eu-west-1:123456789012:key/{id}")]
        {
            assert!(is_key(key), "{key}");
        }
        for other in ["", "*", "alias/*", "key/????", "arn:aws:kms:eu-west-1:123456789012:key/${aws:username}", "a key"]
        {
            assert!(!is_key(other), "{other}");
        }
    }

    #[test]
    fn exactly_one_store_is_named() {
        let both = StoreBlock { vault: VaultStoreBlock::default().into(), ..in_aws(SecretsManagerBlock::default()) };
        assert!(!is_one_store(&both.to_value()) && !is_one_store(&StoreBlock::default().to_value()));
        assert!(is_one_store(&in_aws(SecretsManagerBlock::default()).to_value()));
        assert!(is_one_store(&in_vault(VaultStoreBlock::default()).to_value()));
        let unknown = StoreBlock { vault: Attr::Unknown, ..StoreBlock::default() };
        assert!(is_one_store(&unknown.to_value()) && unknown.settings().is_none());
    }

    #[test]
    fn a_place_in_vault_is_recognised_by_version_namespace_mount_and_path() {
        let arn = "arn:aws:rds:eu-west-1:123456789012:db:ledger".parse().unwrap();
        let place = Place::user(arn, "admin".parse().unwrap());
        let settings = StoreSettings::Vault(VaultStoreSettings::default());
        let holds = |text: &str| settings.holds(&place, &text.parse().unwrap());
        let path = "rdsaccess/123456789012/eu-west-1/db/ledger/admin";
        assert!(holds(&format!("vault:kv2::secret:{path}")));
        for other in ["vault:kv1::secret", "vault:kv2:team:secret", "vault:kv2::kv"] {
            assert!(!holds(&format!("{other}:{path}")), "{other}");
        }
        assert!(!holds("vault:kv2::secret:other"));
    }

    #[test]
    fn a_path_prefix_means_the_same_in_vault_and_in_a_url() {
        for good in ["", "rdsaccess/", "team-a/rds.1_", "a"] {
            assert!(is_path_prefix(&good.into()), "{good}");
        }
        for bad in ["/", "/a", "a//b", "../a", "a b", "a:b", "a/../b/"] {
            assert!(!is_path_prefix(&bad.into()), "{bad}");
        }
    }

    #[test]
    fn an_unknown_part_makes_the_place_unknown() {
        let block = SecretsManagerBlock { region: Attr::Unknown, ..Default::default() };
        assert_eq!(in_aws(block).settings(), None);
        assert_eq!(in_aws(Attr::Unknown).settings(), None);
        let block = VaultStoreBlock { mount: Attr::Unknown, ..Default::default() };
        assert_eq!(in_vault(block).settings(), None);
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
