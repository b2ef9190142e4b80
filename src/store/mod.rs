//! Where generated secrets live: one trait, one folder per store.
//!
//! A version of a secret is *pending* until a login has proven it, then it is *proven*. Readers of the current value
//! (agents, applications) never see a pending one, except as the very first version of a secret, which some stores make
//! current whatever is asked. [`rotate`] drives the state machine of [`crate::access::rotation`] over any store.

mod contents;
mod credential;
mod error;
mod place;
mod rotate;
mod settings;

pub mod secrets_manager;
pub mod vault;

use std::time::SystemTime;

use futures_util::future::BoxFuture;

use crate::access::{RoleName, SecretRef};

pub use contents::{Contents, Version};
pub use credential::Credential;
pub use error::{Error, Fault};
pub use place::{Place, escape};
pub use rotate::{Request, Settled, Subject, others, rotate};
pub use settings::{
    ONE_STORE, SecretsManagerBlock, SecretsManagerSettings, StoreBlock, StoreSettings, VaultStoreBlock,
    VaultStoreSettings, is_one_store,
};

/// Id of one version of a secret, as the store names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(pub String);

/// A secret as far as it can be seen without reading a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Where it is
    pub secret_ref: SecretRef,
    /// The version that a login has proven
    pub proven: Option<VersionId>,
    /// The version that no login has proven yet
    pub pending: Option<VersionId>,
    /// Resource id of the database that it was made for; `None` when the secret does not carry our mark
    pub target: Option<String>,
    /// Whether it is scheduled for deletion
    pub deleted: bool,
}

impl Held {
    /// Whether it may be relied on for the database with this resource id: it carries our mark for it and is not going
    /// away. Whether its values work is for a login to say.
    pub fn is_for(&self, resource_id: &str) -> bool {
        !self.deleted && self.target.as_deref() == Some(resource_id)
    }
}

/// The result of a call on a store.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// A store of secrets.
///
/// Every method may be cancelled at any await and called again: it continues from what it observes. No method logs a
/// value.
pub trait Store: Send + Sync {
    /// The secret at a place, by its name. `None` when there is none.
    fn find<'a>(&'a self, place: &'a Place) -> Reply<'a, Option<Held>>;

    /// The secret behind a reference. `None` when it is gone.
    fn look<'a>(&'a self, secret_ref: &'a SecretRef) -> Reply<'a, Option<Held>>;

    /// The value of a version.
    fn value<'a>(&'a self, secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, Credential>;

    /// When a version was stored, where the store keeps it.
    fn stored_at<'a>(&'a self, _secret_ref: &'a SecretRef, _version: &'a VersionId) -> Reply<'a, Option<SystemTime>> {
        Box::pin(async { Ok(None) })
    }

    /// Whether the id of a version says that this provider stored it. A store where nobody else can store pending
    /// versions has nothing to tell apart.
    fn is_ours(&self, _version: &VersionId) -> bool {
        true
    }

    /// Stores a new pending version at a place: makes the secret, or restores one that is scheduled for deletion, or
    /// adds a version in place of the pending one. The answer names the version that was stored as pending. The secret
    /// carries our mark for `target` afterwards; one of ours that was made for an earlier database with the same ARN is
    /// taken over.
    ///
    /// `replacing` is the pending version that [`Store::find`] has shown, whatever database it is for: another one that
    /// is there by now may be what a faster run gives to the database, and stays.
    ///
    /// # Errors
    /// [`Fault::Foreign`] when the name is taken by a secret without our mark; [`Fault::Overtaken`] when another version
    /// than `replacing` is pending.
    fn put_pending<'a>(
        &'a self,
        place: &'a Place,
        target: &'a str,
        username: &'a RoleName,
        credential: &'a Credential,
        replacing: Option<&'a VersionId>,
    ) -> Reply<'a, Held>;

    /// Makes a pending version the proven one; one that is proven already is a success.
    ///
    /// # Errors
    /// [`Fault::Overtaken`] or [`Fault::Gone`] when another run has put another version in its place.
    fn promote<'a>(&'a self, secret_ref: &'a SecretRef, version: &'a VersionId) -> Reply<'a, ()>;

    /// Takes the secret away, where the store allows with a time to think; one that is gone is a success.
    fn forget<'a>(&'a self, secret_ref: &'a SecretRef) -> Reply<'a, ()>;
}
