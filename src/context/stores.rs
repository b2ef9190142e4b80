//! Where secrets live, and reading any of them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use crate::access::{Arn, RoleName, SecretRef, SecretStage};
use crate::report::{Explain, Report};
use crate::schema::Reports;
use crate::store::secrets_manager::{self, SecretsManager};
use crate::store::vault::{self, VaultStore};
use crate::store::{
    self, Credential, Held, Place, Reply, SecretsManagerSettings, Store, StoreSettings, VaultStoreSettings, Version,
    VersionId,
};

use super::Context;

/// Both kinds of stores behind one trait: a place is looked up where the settings say, and a secret that a reference
/// names where the reference says. So a secret is still found, read and forgotten after `store` has changed.
struct Stores {
    by_settings: Arc<dyn Store>,
    aws: Arc<dyn Store>,
    /// Or why there is none: nobody needs one before a reference names it
    vault: Result<Arc<dyn Store>, Arc<dyn Explain + Send + Sync>>,
    /// Whether the settings will be known only at apply: no place can be looked up
    is_open: bool,
}

impl Stores {
    fn of(&self, secret_ref: &SecretRef) -> Result<&dyn Store, store::Error> {
        match secret_ref {
            SecretRef::SecretsManager { .. } => Ok(&*self.aws),
            SecretRef::Vault { .. } => match &self.vault {
                Ok(vault) => Ok(&**vault),
                Err(reason) => Err(store::Error::new(secret_ref, store::Fault::NoStore(Arc::clone(reason)))),
            },
        }
    }
}

impl Store for Stores {
    fn find<'a>(&'a self, place: &'a Place) -> Reply<'a, Option<Held>> {
        if self.is_open {
            return Box::pin(async { Err(store::Error::new(place.name(""), store::Fault::PlaceUnknown)) });
        }
        self.by_settings.find(place)
    }

    fn look<'a>(&'a self, secret_ref: &'a SecretRef) -> Reply<'a, Option<Held>> {
        Box::pin(async move { self.of(secret_ref)?.look(secret_ref).await })
    }

    fn value<'a>(&'a self, secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, Credential> {
        Box::pin(async move { self.of(secret_ref)?.value(secret_ref, version).await })
    }

    fn is_ours(&self, version: &VersionId) -> bool {
        // Asked of what `find` has found.
        self.by_settings.is_ours(version)
    }

    fn stored_at<'a>(&'a self, secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, Option<SystemTime>> {
        Box::pin(async move { self.of(secret_ref)?.stored_at(secret_ref, version).await })
    }

    fn put_pending<'a>(
        &'a self,
        place: &'a Place,
        target: &'a str,
        username: &'a RoleName,
        credential: &'a Credential,
        replacing: Option<&'a VersionId>,
    ) -> Reply<'a, Held> {
        self.by_settings.put_pending(place, target, username, credential, replacing)
    }

    fn promote<'a>(&'a self, secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, ()> {
        Box::pin(async move { self.of(secret_ref)?.promote(secret_ref, version).await })
    }

    fn forget<'a>(&'a self, secret_ref: &'a SecretRef) -> Reply<'a, ()> {
        Box::pin(async move { self.of(secret_ref)?.forget(secret_ref).await })
    }
}

impl Context {
    /// The store for the secrets of a database: the one that a resource asks for, else the provider's. What a reference
    /// names is found wherever it is.
    ///
    /// # Errors
    /// The provider block is not known yet.
    pub fn store(&self, wanted: Option<&StoreSettings>, target: &Arn) -> Result<Arc<dyn Store>, Reports> {
        let is_open = self.store_is_unknown(wanted);
        match self.store_settings(wanted).into_owned() {
            StoreSettings::SecretsManager(settings) => {
                let aws = self.in_aws(settings, target)?;
                let vault = self.in_vault(VaultStoreSettings::default()).map_err(|error| Arc::new(error) as _);
                Ok(Arc::new(Stores { by_settings: Arc::clone(&aws), aws, vault, is_open }))
            }
            StoreSettings::Vault(settings) => {
                let vault = self.in_vault(settings)?;
                let aws = self.in_aws(SecretsManagerSettings::default(), target)?;
                Ok(Arc::new(Stores { by_settings: Arc::clone(&vault), aws, vault: Ok(vault), is_open }))
            }
        }
    }

    fn in_aws(&self, settings: SecretsManagerSettings, target: &Arn) -> Result<Arc<dyn Store>, Reports> {
        Ok(Arc::new(SecretsManager::new(self.aws()?.clone(), settings, target, self.entropy())))
    }

    fn in_vault(&self, settings: VaultStoreSettings) -> Result<Arc<dyn Store>, super::VaultError> {
        Ok(Arc::new(VaultStore::new(self.try_vault()?.clone(), settings, self.entropy())))
    }

    /// The settings behind [`Context::store`].
    pub fn store_settings<'a>(&'a self, wanted: Option<&'a StoreSettings>) -> Cow<'a, StoreSettings> {
        match wanted.unwrap_or(&self.parts.store) {
            // The namespace stands beside the address, not in `store`.
            StoreSettings::Vault(settings) => {
                let namespace = self.vault_namespace();
                Cow::Owned(StoreSettings::Vault(VaultStoreSettings { namespace, ..settings.clone() }))
            }
            settings @ StoreSettings::SecretsManager(_) => Cow::Borrowed(settings),
        }
    }

    /// What a plan says of a store that an apply will need: a Vault that is not configured, or whose token would travel
    /// in clear text. `wanted` is the store that a resource asks for. A plan on another machine than the apply may lack
    /// what the environment gives there: with `on_unreachable = "keep"`, which is for such machines, it is a warning.
    ///
    /// # Errors
    /// Vault is not configured, or not correctly.
    pub fn check_store(&self, wanted: Option<&StoreSettings>) -> Result<Vec<Report>, Reports> {
        if !matches!(wanted.unwrap_or(&self.parts.store), StoreSettings::Vault(_)) || !self.is_vault_known() {
            return Ok(Vec::new());
        }
        match self.try_vault() {
            Ok(_) => Ok(self.clear_text_of_vault().into_iter().collect()),
            Err(error) if self.keeps(&error) => Ok(vec![Report::of(&error).as_warning()]),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it cannot be told yet where secrets live: the provider's own store, or the Vault that is meant.
    pub fn store_is_unknown(&self, wanted: Option<&StoreSettings>) -> bool {
        let is_unknown = |attribute: &str| self.parts.unknown.iter().any(|name| name == attribute);
        let is_in_vault = matches!(wanted.unwrap_or(&self.parts.store), StoreSettings::Vault(_));
        wanted.is_none() && is_unknown("store") || is_in_vault && is_unknown("vault")
    }

    /// Reads a secret for a login: one of ours only when it is proven, others by their current version.
    ///
    /// # Errors
    /// It is gone, unproven or no credential, or it may not be read.
    pub async fn read_secret(&self, secret_ref: &SecretRef) -> Result<Credential, Reports> {
        Ok(self.try_secret(secret_ref).await??)
    }

    /// The version of one of our secrets that waits for its proof; `None` when there is none.
    ///
    /// # Errors
    /// It may not be read, or it is no credential.
    pub async fn read_pending(&self, secret_ref: &SecretRef) -> Result<Option<Credential>, Reports> {
        Ok(match secret_ref {
            SecretRef::SecretsManager { .. } => secrets_manager::read_pending(self.aws()?, secret_ref).await?,
            SecretRef::Vault { .. } => vault::read_pending(self.vault()?, secret_ref).await?,
        })
    }

    /// Reads a version of any secret in the form of RDS, as far as it goes: who asks for no stage, or for the current
    /// one, gets no version of ours that is not proven.
    ///
    /// # Errors
    /// It is gone, has no such version, is unproven or of another form, or it may not be read.
    pub async fn read_version(&self, secret_ref: &SecretRef, stage: SecretStage) -> Result<Version, Reports> {
        Ok(match secret_ref {
            SecretRef::SecretsManager { .. } => secrets_manager::read_version(self.aws()?, secret_ref, stage).await?,
            SecretRef::Vault { .. } => vault::read_version(self.vault()?, secret_ref, stage).await?,
        })
    }

    /// As [`Context::read_secret`], for who must tell apart why a secret cannot be read.
    ///
    /// # Errors
    /// The provider block is not known yet; the store's own errors are inside.
    pub async fn try_secret(&self, secret_ref: &SecretRef) -> Result<Result<Credential, store::Error>, Reports> {
        // As an object: the compiler follows the types of futures in futures only so far.
        let reading: Reply<'_, Credential> = match secret_ref {
            SecretRef::SecretsManager { .. } => Box::pin(secrets_manager::read(self.aws()?, secret_ref)),
            SecretRef::Vault { .. } => Box::pin(vault::read(self.vault()?, secret_ref)),
        };
        Ok(reading.await)
    }
}

#[cfg(test)]
mod tests {
    use super::super::OnUnreachable;
    use super::*;
    use crate::context::{VaultAuth, VaultBlock};
    use crate::report::{Reach, Severity};

    fn context(vault: VaultBlock, on_unreachable: OnUnreachable) -> Context {
        let mut context = Context::with_clock(super::super::Clock::default());
        context.parts.vault = vault;
        context.parts.on_unreachable = on_unreachable;
        context
    }

    fn block(address: &str) -> VaultBlock {
        let auth = Some(VaultAuth::Token("hvs.hunter2".into()));
        VaultBlock { address: Some(address.to_owned()), auth, ..VaultBlock::default() }
    }

    fn in_vault() -> StoreSettings {
        StoreSettings::Vault(VaultStoreSettings::default())
    }

    #[test]
    fn a_plan_says_that_an_apply_will_lack_its_vault() {
        let without = context(VaultBlock::default(), OnUnreachable::Fail);
        let Reports(reports) = without.check_store(Some(&in_vault())).unwrap_err();
        assert!(reports[0].detail.contains("VAULT_ADDR"), "{}", reports[0]);
        assert_eq!(without.check_store(None), Ok(Vec::new()), "no Vault is wanted");
        let no_login = VaultBlock { auth: None, ..block("https://vault.example.com") };
        let elsewhere = context(no_login, OnUnreachable::Keep).check_store(Some(&in_vault())).unwrap();
        assert!(elsewhere[0].severity == Severity::Warning && elsewhere[0].detail.contains("VAULT_TOKEN"));
        let mut open = context(VaultBlock::default(), OnUnreachable::Fail);
        open.parts.unknown = vec!["vault".to_owned()];
        assert_eq!(open.check_store(Some(&in_vault())), Ok(Vec::new()), "it will be known at apply");
        let whole = context(block("https://vault.example.com"), OnUnreachable::Fail);
        assert_eq!(whole.check_store(Some(&in_vault())), Ok(Vec::new()));
    }

    #[test]
    fn clear_text_is_said_where_the_vault_of_the_environment_is_used_first() {
        let said =
            |block: VaultBlock| context(block, OnUnreachable::Fail).check_store(Some(&in_vault())).unwrap().len();
        assert_eq!(said(block("http://vault.example.com")), 1);
        assert_eq!(
            said(VaultBlock { is_judged: true, ..block("http://vault.example.com") }),
            0,
            "the provider said it"
        );
    }

    #[tokio::test]
    async fn a_reference_into_a_vault_that_is_not_configured_keeps_the_reason() {
        let arn: Arn = "arn:aws:rds:eu-west-1:123456789012:db:a".parse().unwrap();
        let secret_ref: SecretRef = "vault:kv2::secret:a/b".parse().unwrap();
        let no_login = VaultBlock { auth: None, ..block("https://vault.example.com") };
        let no_file =
            VaultBlock { ca_file: Some("/nonexistent/ca.pem".to_owned()), ..block("https://vault.example.com") };
        for (block, word) in
            [(VaultBlock::default(), "VAULT_ADDR"), (no_login, "VAULT_TOKEN"), (no_file, "VAULT_CACERT")]
        {
            let store = context(block, OnUnreachable::Fail).store(None, &arn).unwrap();
            let error = store.look(&secret_ref).await.unwrap_err();
            let text = Report::of(&error).to_string();
            assert!(text.contains(word) && text.contains("vault:kv2::secret:a/b"), "{text}");
            assert!(!text.contains("full ARN") && error.reach() == Reach::OutOfReach, "{text}");
        }
    }
}
