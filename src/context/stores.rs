//! Where secrets live, and reading any of them.

use std::sync::Arc;

use crate::access::{Arn, SecretRef};
use crate::schema::Reports;
use crate::store::secrets_manager::{self, SecretsManager};
use crate::store::{self, Credential, Store, StoreSettings};

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
        Ok(secrets_manager::read(self.aws()?, secret_ref).await?)
    }

    /// Whether a refresh should keep the prior state although the store could not be asked.
    pub fn keeps_store(&self, error: &store::Error) -> bool {
        match &error.fault {
            store::Fault::Aws(error) => self.keeps(error),
            _ => false,
        }
    }
}
