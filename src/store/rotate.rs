//! Drives the rotation state machine over a store and whatever has a password.

use futures_util::future::BoxFuture;

use crate::access::rotation::{Goal, Login, Seen, Step, next};
use crate::access::{RoleName, SecretRef};
use crate::schema::Reports;

use super::{Credential, Held, Place, Store, VersionId};

/// Something with a password: a master user behind the RDS API, or a role behind a database session. A credential names
/// the user that it is for: a role may have two logins that take turns.
pub trait Subject: Send + Sync {
    /// Whether a login with this user and password works; at most one login.
    fn accepts<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<bool, Reports>>;

    /// Gives this user this password and returns when a login with it works. Called only after it is stored.
    fn change<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), Reports>>;

    /// What is to be done once a new credential works and before it is promoted; done again by a run that continues.
    fn works<'a>(&'a self, _credential: &'a Credential) -> BoxFuture<'a, Result<(), Reports>> {
        Box::pin(async { Ok(()) })
    }
}

/// How a rotation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Where the secret is
    pub secret_ref: SecretRef,
    /// The proven version
    pub version: VersionId,
    /// The user that the proven version is for
    pub username: RoleName,
    /// Whether this run promoted a version; a proven one that still logs in was kept otherwise
    pub moved: bool,
}

/// What is asked of a rotation.
pub struct Request<'a> {
    /// What is wanted
    pub goal: Goal,
    /// Whose secret
    pub place: &'a Place,
    /// Resource id of the database
    pub target: &'a str,
    /// The credential with a new password; called only when one is needed
    pub make: &'a (dyn Fn() -> Result<Credential, Reports> + Send + Sync),
}

/// Brings store and subject to a proven password. May be killed after any step; the next call continues.
///
/// # Errors
/// A store or a subject that fails; nothing is lost.
pub async fn rotate(store: &dyn Store, subject: &dyn Subject, request: &Request<'_>) -> Result<Settled, Reports> {
    // A secret for another database (an earlier one with the same ARN) or one that is going away holds nothing to rely
    // on; `put_pending` decides whether the name can be used.
    let mut held = find(store, request).await?;
    let mut seen = look(held.as_ref());
    let mut tried = None;
    loop {
        match (next(request.goal, seen), &held) {
            (Step::StorePending, _) => {
                let credential = (request.make)()?;
                let username = &request.place.username;
                held = Some(store.put_pending(request.place, request.target, username, &credential).await?);
                // A fresh password is in nobody's hands: no login is needed to know that the database refuses it.
                seen = Seen { pending: Some(Login::Refused), ..look(held.as_ref()) };
            }
            (Step::TryPending, Some(held)) => {
                let credential = read(store, held, held.pending.as_ref()).await?;
                seen.pending = Some(login(subject.accepts(&credential).await?));
                tried = Some(credential);
            }
            (Step::TryProven, Some(held)) => {
                let credential = read(store, held, held.proven.as_ref()).await?;
                seen.proven = Some(login(subject.accepts(&credential).await?));
                tried = Some(credential);
            }
            (Step::Change, Some(known)) if changed(store, request, known).await? => {
                // Another run stored or promoted a version meanwhile: go on from what is there now.
                held = find(store, request).await?;
                seen = look(held.as_ref());
            }
            (Step::Change, Some(held)) => {
                let credential = read(store, held, held.pending.as_ref()).await?;
                subject.change(&credential).await?;
                seen.pending = Some(Login::Accepted);
                tried = Some(credential);
            }
            (Step::Promote, Some(Held { secret_ref, pending: Some(version), .. })) if let Some(works) = &tried => {
                subject.works(works).await?;
                store.promote(secret_ref, version).await?;
                return Ok(settled(secret_ref, version, works, true));
            }
            (Step::Keep, Some(Held { secret_ref, proven: Some(version), .. })) if let Some(works) = &tried => {
                return Ok(settled(secret_ref, version, works, false));
            }
            _ => {
                held = find(store, request).await?;
                seen = look(held.as_ref());
            }
        }
    }
}

fn settled(secret_ref: &SecretRef, version: &VersionId, credential: &Credential, moved: bool) -> Settled {
    let (secret_ref, version) = (secret_ref.clone(), version.clone());
    Settled { secret_ref, version, username: credential.username.clone(), moved }
}

async fn find(store: &dyn Store, request: &Request<'_>) -> Result<Option<Held>, Reports> {
    Ok(store.find(request.place).await?.filter(|held| held.is_for(request.target)))
}

/// Whether the pending version is not the one that this run knows.
async fn changed(store: &dyn Store, request: &Request<'_>, known: &Held) -> Result<bool, Reports> {
    Ok(find(store, request).await?.is_none_or(|now| now.pending != known.pending))
}

fn look(held: Option<&Held>) -> Seen {
    Seen {
        proven: held.and_then(|h| h.proven.as_ref()).map(|_| Login::Untried),
        pending: held.and_then(|h| h.pending.as_ref()).map(|_| Login::Untried),
    }
}

fn login(accepted: bool) -> Login {
    if accepted { Login::Accepted } else { Login::Refused }
}

async fn read(store: &dyn Store, held: &Held, version: Option<&VersionId>) -> Result<Credential, Reports> {
    match version {
        Some(version) => Ok(store.value(&held.secret_ref, version).await?),
        None => Err(super::Error::new(&held.secret_ref, super::Fault::Gone).into()),
    }
}

#[cfg(test)]
mod tests;
