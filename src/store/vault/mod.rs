//! Secrets in the key-value engine of HashiCorp Vault or OpenBao, versions 1 and 2.
//!
//! The current value lies at `<mount>/<path_prefix><the name as in Secrets Manager>` with the keys that the gateway's
//! agent reads (`HOST`, `PORT`, `USER`, `PASSWORD`, `DB`), and besides them `ENGINE` and `VERSION`, our id of the
//! version. A value that waits for its proof lies beside it, at `<path>.pending`, so that readers of the current value
//! never see it. Names are escaped and hold no `.`, so that no other secret has that path.
//!
//! | step             | version 2                                                   | version 1                       |
//! |------------------|-------------------------------------------------------------|---------------------------------|
//! | our mark         | `custom_metadata` of both paths                             | `<path>.mark`, without a secret |
//! | store as pending | mark, then the value with check-and-set                     | the value, then the mark        |
//! | promote          | name the coming version in `custom_metadata`, write it with check-and-set, destroy the pending one | mark, value, pending away, mark |
//! | forget           | the pending path goes, every version is soft-deleted        | all three paths go              |
//!
//! On version 2 the id of a version comes from number and time that Vault itself gave the pending one, so that two runs
//! at once can never mean different values by one id; `rdsaccess:version:<n>` in `custom_metadata` carries it over to
//! the current path, written before the value is. A current version without such an entry was written by a hand: it
//! counts as proven under its number, as in Secrets Manager, and a login says whether it works.
//!
//! Vault has no schedule for a deletion. After `forget` the metadata stays, and `vault kv undelete` brings the versions
//! back; a secret that is made again goes on at the same path with a new version, and the old ones stay soft-deleted
//! until `max_versions` pushes them out. Version 1 keeps nothing, and it has no check-and-set: two runs at once are
//! noticed by reading back, which leaves a small gap that Terraform's lock of the state has to close.

mod client;
mod error;
mod http;
mod kv1;
mod kv2;
mod layout;
mod login;
mod settings;
mod tokens;

use std::fmt;
use std::time::SystemTime;

use serde_json::Value;

use crate::access::{KvVersion, RoleName, SecretRef, SecretStage};
use crate::store::secrets_manager::Entropy;

use super::{Credential, Error, Held, Place, Reply, Store, VaultStoreSettings, Version, VersionId};

pub use client::Vault;
pub use error::Fault;
pub use settings::{Address, AuthMount, JwtSource, Login, Namespace, Settings, Token, is_path};

/// The secrets below one mount.
pub struct VaultStore {
    vault: Vault,
    settings: VaultStoreSettings,
    entropy: Entropy,
}

impl fmt::Debug for VaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultStore").field("vault", &self.vault).field("mount", &self.settings.mount).finish()
    }
}

/// Where a secret lies, taken from its reference.
#[derive(Debug, Clone)]
struct At {
    secret_ref: SecretRef,
    version: KvVersion,
    namespace: Namespace,
    mount: String,
    path: String,
}

impl At {
    /// # Errors
    /// A secret of another store, or a path that no URL can carry.
    fn of(secret_ref: &SecretRef) -> Result<Self, super::Fault> {
        let other = |why: String| super::Fault::OtherStore(why);
        let SecretRef::Vault { version, namespace, mount, path } = secret_ref else {
            return Err(other("it is not in Vault".to_owned()));
        };
        let swallowed = |text: &str| text.split('/').any(|part| matches!(part, "" | "." | ".."));
        if swallowed(mount) || swallowed(path) {
            return Err(other("a part of its path is empty, `.` or `..`".to_owned()));
        }
        let namespace = namespace.parse().map_err(|why: crate::access::Invalid| other(why.0))?;
        let (mount, path) = (mount.clone(), path.clone());
        Ok(Self { secret_ref: secret_ref.clone(), version: *version, namespace, mount, path })
    }
}

impl VaultStore {
    /// The store below the mount that the settings name.
    pub fn new(vault: Vault, settings: VaultStoreSettings, entropy: Entropy) -> Self {
        Self { vault, settings, entropy }
    }

    fn place(&self, place: &Place) -> SecretRef {
        self.settings.secret_ref(place)
    }
}

/// Gives an error the reference of its secret.
fn about<T>(secret_ref: &SecretRef, result: Result<T, super::Fault>) -> Result<T, Error> {
    result.map_err(|fault| Error::new(secret_ref, fault))
}

impl Store for VaultStore {
    fn find<'a>(&'a self, place: &'a Place) -> Reply<'a, Option<Held>> {
        Box::pin(async move { look(&self.vault, &self.place(place)).await })
    }

    fn look<'a>(&'a self, secret_ref: &'a SecretRef) -> Reply<'a, Option<Held>> {
        Box::pin(look(&self.vault, secret_ref))
    }

    fn value<'a>(&'a self, secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, Credential> {
        Box::pin(async move { about(secret_ref, value(&self.vault, secret_ref, version).await) })
    }

    fn stored_at<'a>(&'a self, secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, Option<SystemTime>> {
        Box::pin(async move {
            let stored_at = async {
                let at = At::of(secret_ref)?;
                match at.version {
                    KvVersion::One => kv1::stored_at(&self.vault, &at, version).await,
                    KvVersion::Two => kv2::stored_at(&self.vault, &at, version).await,
                }
            };
            about(secret_ref, stored_at.await)
        })
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
            let secret_ref = self.place(place);
            let put = async {
                let at = At::of(&secret_ref)?;
                let mark = layout::mark(target, username);
                match at.version {
                    KvVersion::One => {
                        let id = new_id(&self.entropy)?;
                        kv1::put_pending(&self.vault, &at, mark, username, kv1::New { credential, id, replacing }).await
                    }
                    KvVersion::Two => kv2::put_pending(&self.vault, &at, &mark, username, credential, replacing).await,
                }
            };
            about(&secret_ref, put.await)
        })
    }

    fn promote<'a>(&'a self, secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, ()> {
        Box::pin(async move {
            let promoted = async {
                let at = At::of(secret_ref)?;
                match at.version {
                    KvVersion::One => kv1::promote(&self.vault, &at, version).await,
                    KvVersion::Two => kv2::promote(&self.vault, &at, version).await,
                }
            };
            about(secret_ref, promoted.await)
        })
    }

    fn forget<'a>(&'a self, secret_ref: &'a SecretRef) -> Reply<'a, ()> {
        Box::pin(async move {
            let forgotten = async {
                let at = At::of(secret_ref)?;
                match at.version {
                    KvVersion::One => kv1::forget(&self.vault, &at).await,
                    KvVersion::Two => kv2::forget(&self.vault, &at).await,
                }
            };
            about(secret_ref, forgotten.await)
        })
    }
}

async fn look(vault: &Vault, secret_ref: &SecretRef) -> Result<Option<Held>, Error> {
    let found = async {
        let at = At::of(secret_ref)?;
        match at.version {
            KvVersion::One => kv1::look(vault, &at).await,
            KvVersion::Two => kv2::look(vault, &at).await,
        }
    };
    about(secret_ref, found.await)
}

async fn value(vault: &Vault, secret_ref: &SecretRef, version: &VersionId) -> Result<Credential, super::Fault> {
    let at = At::of(secret_ref)?;
    match at.version {
        KvVersion::One => kv1::value(vault, &at, version).await,
        KvVersion::Two => kv2::value(vault, &at, version).await,
    }
}

/// Reads any secret for a login. One of ours only when it is proven; one of somebody else as it is.
///
/// # Errors
/// [`super::Fault::Unproven`], [`super::Fault::Gone`], [`super::Fault::Malformed`], or Vault refuses.
pub async fn read(vault: &Vault, secret_ref: &SecretRef) -> Result<Credential, Error> {
    let read = async {
        let at = At::of(secret_ref)?;
        match at.version {
            KvVersion::One => kv1::read(vault, &at).await,
            KvVersion::Two => kv2::read(vault, &at).await,
        }
    };
    about(secret_ref, read.await)
}

/// Reads a version of any secret, as far as it goes. Version 1 keeps no version before the current one.
///
/// # Errors
/// [`super::Fault::Unproven`], [`super::Fault::Gone`], [`super::Fault::NoVersion`], [`super::Fault::Malformed`], or
/// Vault refuses.
pub async fn read_version(vault: &Vault, secret_ref: &SecretRef, stage: SecretStage) -> Result<Version, Error> {
    about(secret_ref, version(vault, secret_ref, stage).await)
}

async fn version(vault: &Vault, secret_ref: &SecretRef, stage: SecretStage) -> Result<Version, super::Fault> {
    let at = At::of(secret_ref)?;
    let found = match (at.version, stage) {
        (KvVersion::One, SecretStage::Current) => Some(kv1::current(vault, &at).await?),
        (KvVersion::Two, SecretStage::Current) => Some(kv2::current(vault, &at).await?),
        (KvVersion::One, SecretStage::Pending) => with_id(kv1::pending(vault, &at).await?),
        (KvVersion::Two, SecretStage::Pending) => with_id(kv2::pending(vault, &at).await?),
        (KvVersion::Two, SecretStage::Previous) => kv2::previous(vault, &at).await?,
        (KvVersion::One, SecretStage::Previous) => None,
    };
    let (id, value) = found.ok_or(super::Fault::NoVersion(stage))?;
    Ok(Version { id, contents: layout::contents(&value).map_err(super::Fault::Malformed)? })
}

fn with_id(found: Option<(VersionId, Value)>) -> Option<(Option<VersionId>, Value)> {
    found.map(|(id, value)| (Some(id), value))
}

/// Reads the value of one of our secrets that waits for its proof, to try it where the proven one is refused.
///
/// # Errors
/// [`super::Fault::Malformed`], or Vault refuses.
pub async fn read_pending(vault: &Vault, secret_ref: &SecretRef) -> Result<Option<Credential>, Error> {
    let held = look(vault, secret_ref).await?;
    match held.filter(|held| held.target.is_some() && !held.deleted).and_then(|held| held.pending) {
        Some(pending) => about(secret_ref, value(vault, secret_ref, &pending).await).map(Some),
        None => Ok(None),
    }
}

/// Id of a new version, in the form of a UUID of version 4.
fn new_id(entropy: &Entropy) -> Result<VersionId, super::Fault> {
    let mut bytes = [0_u8; 16];
    entropy(&mut bytes).map_err(super::Fault::NoEntropy)?;
    Ok(VersionId(uuid(bytes)))
}

fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
