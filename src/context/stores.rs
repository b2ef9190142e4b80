//! Where secrets live, and reading any of them.

use std::sync::Arc;

use crate::access::{Arn, SecretRef, SecretStage};
use crate::schema::Reports;
use crate::store::secrets_manager::{self, SecretsManager};
use crate::store::{self, Credential, Fault, Store, StoreSettings, Version};

use super::Context;

impl Context {
    /// The store for the secrets of a database: the one that a resource asks for, else the provider's.
    ///
    /// # Errors
    /// The provider block is not known yet.
    pub fn store(&self, wanted: Option<&StoreSettings>, target: &Arn) -> Result<Arc<dyn Store>, Reports> {
        let StoreSettings::SecretsManager(settings) = self.store_settings(wanted);
        let sessions = self.aws()?.clone();
        Ok(Arc::new(SecretsManager::new(sessions, settings.clone(), target, self.entropy())))
    }

    /// The settings behind [`Context::store`].
    pub fn store_settings<'a>(&'a self, wanted: Option<&'a StoreSettings>) -> &'a StoreSettings {
        wanted.unwrap_or(&self.parts.store)
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
        Ok(secrets_manager::read_pending(self.aws()?, secret_ref).await?)
    }

    /// Reads a version of any secret in the form of RDS, as far as it goes: who asks for no stage, or for the current
    /// one, gets no version of ours that is not proven.
    ///
    /// # Errors
    /// It is gone, has no such version, is unproven or of another form, or it may not be read.
    pub async fn read_version(&self, secret_ref: &SecretRef, stage: SecretStage) -> Result<Version, Reports> {
        match secret_ref {
            SecretRef::SecretsManager { .. } => {
                Ok(secrets_manager::read_version(self.aws()?, secret_ref, stage).await?)
            }
            SecretRef::Vault { .. } => {
                let fault = Fault::OtherStore("it is in Vault, which is not configured".to_owned());
                Err(store::Error::new(secret_ref, fault).into())
            }
        }
    }

    /// As [`Context::read_secret`], for who must tell apart why a secret cannot be read.
    ///
    /// # Errors
    /// The provider block is not known yet; the store's own errors are inside.
    pub async fn try_secret(&self, secret_ref: &SecretRef) -> Result<Result<Credential, store::Error>, Reports> {
        Ok(secrets_manager::read(self.aws()?, secret_ref).await)
    }
}
