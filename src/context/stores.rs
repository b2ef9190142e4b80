//! Where secrets live, and reading any of them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use crate::access::{Arn, RoleName, SecretRef, SecretStage};
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
    /// `None` where no Vault is configured, or not correctly
    vault: Option<Arc<dyn Store>>,
}

impl Stores {
    fn of(&self, secret_ref: &SecretRef) -> Result<&dyn Store, store::Error> {
        match secret_ref {
            SecretRef::SecretsManager { .. } => Ok(&*self.aws),
            SecretRef::Vault { .. } => self.vault.as_deref().ok_or_else(|| no_vault(secret_ref)),
        }
    }
}

fn no_vault(secret_ref: &SecretRef) -> store::Error {
    let text = "it is in Vault, and the provider block has no usable `vault`";
    store::Error::new(secret_ref, store::Fault::OtherStore(text.to_owned()))
}

impl Store for Stores {
    fn find<'a>(&'a self, place: &'a Place) -> Reply<'a, Option<Held>> {
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
    ) -> Reply<'a, Held> {
        self.by_settings.put_pending(place, target, username, credential)
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
        match self.store_settings(wanted).into_owned() {
            StoreSettings::SecretsManager(settings) => {
                let aws = self.in_aws(settings, target)?;
                let vault = self.in_vault(VaultStoreSettings::default()).ok();
                Ok(Arc::new(Stores { by_settings: Arc::clone(&aws), aws, vault }))
            }
            StoreSettings::Vault(settings) => {
                let vault = self.in_vault(settings)?;
                let aws = self.in_aws(SecretsManagerSettings::default(), target)?;
                Ok(Arc::new(Stores { by_settings: Arc::clone(&vault), aws, vault: Some(vault) }))
            }
        }
    }

    fn in_aws(&self, settings: SecretsManagerSettings, target: &Arn) -> Result<Arc<dyn Store>, Reports> {
        Ok(Arc::new(SecretsManager::new(self.aws()?.clone(), settings, target, self.entropy())))
    }

    fn in_vault(&self, settings: VaultStoreSettings) -> Result<Arc<dyn Store>, Reports> {
        Ok(Arc::new(VaultStore::new(self.vault()?.clone(), settings, self.entropy())))
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
        Ok(match secret_ref {
            SecretRef::SecretsManager { .. } => secrets_manager::read(self.aws()?, secret_ref).await,
            SecretRef::Vault { .. } => vault::read(self.vault()?, secret_ref).await,
        })
    }
}
