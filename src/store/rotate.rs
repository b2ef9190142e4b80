//! Drives the rotation state machine over a store and whatever has a password.

use futures_util::future::BoxFuture;

use crate::access::rotation::{Goal, Login, Seen, Step, next};
use crate::access::{Secret, SecretRef};
use crate::schema::Reports;

use super::{Credential, Held, Place, Store, VersionId};

/// Something with a password: a master user behind the RDS API, or a role behind a database session.
pub trait Subject: Send + Sync {
    /// Whether a login with this password works; at most one login.
    fn accepts<'a>(&'a self, password: &'a Secret<String>) -> BoxFuture<'a, Result<bool, Reports>>;

    /// Sets the password and returns when a login with it works. Called only after the password is stored.
    fn change<'a>(&'a self, password: &'a Secret<String>) -> BoxFuture<'a, Result<(), Reports>>;
}

/// How a rotation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Where the secret is
    pub secret_ref: SecretRef,
    /// The proven version
    pub version: VersionId,
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
                seen.pending = Some(try_login(store, subject, held, held.pending.as_ref()).await?);
            }
            (Step::TryProven, Some(held)) => {
                seen.proven = Some(try_login(store, subject, held, held.proven.as_ref()).await?);
            }
            (Step::Change, Some(known)) if changed(store, request, known).await? => {
                // Another run stored or promoted a version meanwhile: go on from what is there now.
                held = find(store, request).await?;
                seen = look(held.as_ref());
            }
            (Step::Change, Some(held)) => {
                let password = read(store, held, held.pending.as_ref()).await?;
                subject.change(&password).await?;
                seen.pending = Some(Login::Accepted);
            }
            (Step::Promote, Some(Held { secret_ref, pending: Some(version), .. })) => {
                store.promote(secret_ref, version).await?;
                return Ok(Settled { secret_ref: secret_ref.clone(), version: version.clone(), moved: true });
            }
            (Step::Keep, Some(Held { secret_ref, proven: Some(version), .. })) => {
                return Ok(Settled { secret_ref: secret_ref.clone(), version: version.clone(), moved: false });
            }
            _ => {
                held = find(store, request).await?;
                seen = look(held.as_ref());
            }
        }
    }
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

async fn try_login(
    store: &dyn Store,
    subject: &dyn Subject,
    held: &Held,
    version: Option<&VersionId>,
) -> Result<Login, Reports> {
    let password = read(store, held, version).await?;
    Ok(if subject.accepts(&password).await? { Login::Accepted } else { Login::Refused })
}

async fn read(store: &dyn Store, held: &Held, version: Option<&VersionId>) -> Result<Secret<String>, Reports> {
    match version {
        Some(version) => Ok(store.value(&held.secret_ref, version).await?.password),
        None => Err(super::Error::new(&held.secret_ref, super::Fault::Gone).into()),
    }
}

#[cfg(test)]
mod tests;
