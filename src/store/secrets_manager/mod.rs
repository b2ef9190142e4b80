//! Secrets in AWS Secrets Manager.
//!
//! | step of a rotation | calls                                                                                     |
//! |--------------------|-------------------------------------------------------------------------------------------|
//! | store as pending   | CreateSecret without a value, or RestoreSecret; tags; PutSecretValue under AWSPENDING;     |
//! |                    | replicas, which promote adds where a run ended before them                                 |
//! | promote            | AWSCURRENT moves to the version, AWSPREVIOUS follows by itself; then AWSPENDING is removed |
//! | forget             | DeleteSecret with a recovery window, after its replicas                                    |
//!
//! Every step looks first and does only what is missing, so that one that was interrupted is continued.

mod labels;
pub mod token;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::access::{AccountId, Arn, Region, RoleName, SecretRef, SecretStage};
use crate::aws::Sessions;
use crate::aws::secrets::{CURRENT, PENDING, SecretDescription, Secrets, Version};

use crate::store;

use super::{Contents, Credential, Error, Fault, Held, Place, Reply, SecretsManagerSettings, Store, VersionId};

/// Fills a buffer with random bytes; the error is the system's text.
pub type Entropy = Arc<dyn Fn(&mut [u8]) -> Result<(), String> + Send + Sync>;

/// The secrets of one account and region.
pub struct SecretsManager {
    sessions: Sessions,
    settings: SecretsManagerSettings,
    account: AccountId,
    region: Region,
    entropy: Entropy,
}

impl fmt::Debug for SecretsManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsManager").field("account", &self.account).field("region", &self.region).finish()
    }
}

impl SecretsManager {
    /// The store for the secrets of one database: in the account and region that the settings name, else in its own.
    pub fn new(sessions: Sessions, settings: SecretsManagerSettings, target: &Arn, entropy: Entropy) -> Self {
        let account = settings.account_id.clone().unwrap_or_else(|| target.account_id.clone());
        let region = settings.region.clone().unwrap_or_else(|| target.region.clone());
        Self { sessions, settings, account, region, entropy }
    }

    async fn secrets(&self) -> Result<Secrets, Fault> {
        Ok(self.sessions.secrets(&self.account, &self.region).await?)
    }

    fn name(&self, place: &Place) -> String {
        place.name(&self.settings.name_prefix)
    }
}

impl Store for SecretsManager {
    fn find<'a>(&'a self, place: &'a Place) -> Reply<'a, Option<Held>> {
        Box::pin(async move {
            let name = self.name(place);
            let found = async { Ok(self.secrets().await?.describe(&name).await?) }.await;
            Ok(found.map_err(|fault: Fault| Error::new(&name, fault))?.as_ref().map(labels::held))
        })
    }

    fn look<'a>(&'a self, secret_ref: &'a SecretRef) -> Reply<'a, Option<Held>> {
        Box::pin(async move {
            let found = async { Ok(secrets_of(&self.sessions, secret_ref).await?.describe(&id(secret_ref)).await?) };
            let found: Result<Option<SecretDescription>, Fault> = found.await;
            Ok(found.map_err(|fault| Error::new(secret_ref, fault))?.as_ref().map(labels::held))
        })
    }

    fn value<'a>(&'a self, secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, Credential> {
        Box::pin(async move {
            let value = value(&self.sessions, secret_ref, Version::Id(&version.0)).await;
            value.map_err(|fault| Error::new(secret_ref, fault))
        })
    }

    fn stored_at<'a>(&'a self, secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, Option<SystemTime>> {
        Box::pin(async move {
            let versions = async { Ok(secrets_of(&self.sessions, secret_ref).await?.versions(&id(secret_ref)).await?) };
            let versions = versions.await.map_err(|fault: Fault| Error::new(secret_ref, fault))?;
            Ok(versions.into_iter().find(|v| v.id == version.0).and_then(|v| v.created_at))
        })
    }

    fn is_ours(&self, version: &VersionId) -> bool {
        token::is_ours(&version.0)
    }

    fn put_pending<'a>(
        &'a self,
        place: &'a Place,
        target: &'a str,
        username: &'a RoleName,
        credential: &'a Credential,
        replacing: Option<&'a VersionId>,
    ) -> Reply<'a, Held> {
        Box::pin(async move {
            let name = self.name(place);
            let put = write::put_pending(self, &name, (target, username), credential, replacing).await;
            put.map_err(|fault| Error::new(&name, fault))
        })
    }

    fn promote<'a>(&'a self, secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, ()> {
        Box::pin(async move {
            let promoted = async {
                let secrets = secrets_of(&self.sessions, secret_ref).await?;
                write::promote(self, &secrets, &id(secret_ref), version).await
            };
            promoted.await.map_err(|fault| Error::new(secret_ref, fault))
        })
    }

    fn forget<'a>(&'a self, secret_ref: &'a SecretRef) -> Reply<'a, ()> {
        Box::pin(async move {
            let forgotten = async {
                let secrets = secrets_of(&self.sessions, secret_ref).await?;
                write::forget(&secrets, &id(secret_ref), self.settings.recovery_window_days).await
            };
            forgotten.await.map_err(|fault| Error::new(secret_ref, fault))
        })
    }
}

/// Reads any secret for a login. One of ours only when it is proven; one of RDS or of somebody else by AWSCURRENT,
/// because their rotations leave AWSPENDING on the current version.
///
/// # Errors
/// [`Fault::Unproven`], [`Fault::Gone`], [`Fault::Malformed`], or AWS refuses.
pub async fn read(sessions: &Sessions, secret_ref: &SecretRef) -> Result<Credential, Error> {
    read_inner(sessions, secret_ref).await.map_err(|fault| Error::new(secret_ref, fault))
}

async fn read_inner(sessions: &Sessions, secret_ref: &SecretRef) -> Result<Credential, Fault> {
    let secrets = secrets_of(sessions, secret_ref).await?;
    let secret = secrets.describe(&id(secret_ref)).await?.filter(|s| s.deleted_at.is_none()).ok_or(Fault::Gone)?;
    if !labels::is_managed(&secret) {
        return value(sessions, secret_ref, Version::Stage(CURRENT)).await;
    }
    let proven = labels::held(&secret).proven.ok_or(Fault::Unproven)?;
    value(sessions, secret_ref, Version::Id(&proven.0)).await
}

/// Reads a version of any secret for somebody who says which one. A version that is AWSCURRENT alone is proven,
/// whoever made the secret, so that nothing but its value has to be readable; one that is AWSPENDING as well is refused
/// as the current one when the secret is ours.
///
/// # Errors
/// [`Fault::Unproven`], [`Fault::Gone`], [`Fault::NoVersion`], [`Fault::Malformed`], or AWS refuses.
pub async fn read_version(
    sessions: &Sessions,
    secret_ref: &SecretRef,
    stage: SecretStage,
) -> Result<store::Version, Error> {
    version_inner(sessions, secret_ref, stage).await.map_err(|fault| Error::new(secret_ref, fault))
}

async fn version_inner(
    sessions: &Sessions,
    secret_ref: &SecretRef,
    stage: SecretStage,
) -> Result<store::Version, Fault> {
    let secrets = secrets_of(sessions, secret_ref).await?;
    let Some(found) = secrets.value(&id(secret_ref), Version::Stage(stage.as_str())).await? else {
        let there = secrets.describe(&id(secret_ref)).await?;
        return Err(there.map_or(Fault::Gone, |_| Fault::NoVersion(stage)));
    };
    if stage == SecretStage::Current && found.stages.iter().any(|s| s == PENDING) {
        let secret = secrets.describe(&id(secret_ref)).await?.ok_or(Fault::Gone)?;
        if labels::is_managed(&secret) {
            return Err(Fault::Unproven);
        }
    }
    let contents = Contents::from_json(&found.value).map_err(|why| Fault::Malformed(why.to_string()))?;
    Ok(store::Version { id: Some(VersionId(found.version_id)), contents })
}

/// Reads the version of one of our secrets that waits for its proof, to try it where the proven one is refused.
///
/// # Errors
/// [`Fault::Malformed`], or AWS refuses.
pub async fn read_pending(sessions: &Sessions, secret_ref: &SecretRef) -> Result<Option<Credential>, Error> {
    pending_inner(sessions, secret_ref).await.map_err(|fault| Error::new(secret_ref, fault))
}

async fn pending_inner(sessions: &Sessions, secret_ref: &SecretRef) -> Result<Option<Credential>, Fault> {
    let secrets = secrets_of(sessions, secret_ref).await?;
    let secret = secrets.describe(&id(secret_ref)).await?.filter(|s| s.deleted_at.is_none() && labels::is_managed(s));
    match secret.and_then(|secret| labels::held(&secret).pending) {
        Some(pending) => match value(sessions, secret_ref, Version::Id(&pending.0)).await {
            // AWS names a version AWSPENDING before its rotation function has stored a value.
            Err(Fault::Gone) => Ok(None),
            found => found.map(Some),
        },
        None => Ok(None),
    }
}

async fn value(sessions: &Sessions, secret_ref: &SecretRef, version: Version<'_>) -> Result<Credential, Fault> {
    let secrets = secrets_of(sessions, secret_ref).await?;
    let text = secrets.value(&id(secret_ref), version).await?.ok_or(Fault::Gone)?;
    Credential::from_json(&text.value).map_err(|why| Fault::Malformed(why.to_string()))
}

/// The secrets of the account and region that a reference names.
async fn secrets_of(sessions: &Sessions, secret_ref: &SecretRef) -> Result<Secrets, Fault> {
    match secret_ref {
        SecretRef::SecretsManager { account_id, region, .. } => Ok(sessions.secrets(account_id, region).await?),
        SecretRef::Vault { .. } => Err(Fault::OtherStore("it is in Vault, not in Secrets Manager".to_owned())),
    }
}

fn id(secret_ref: &SecretRef) -> String {
    secret_ref.to_string()
}
