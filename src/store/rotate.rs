//! Drives the rotation state machine over a store and whatever has a password.

use std::time::SystemTime;

use futures_util::future::BoxFuture;

use crate::access::rotation::{Goal, LEFT_ALONE, Login, Seen, Step, next};
use crate::access::{RoleName, SecretRef};
use crate::report::Reach;
use crate::schema::Reports;

use super::{Credential, Error, Fault, Held, Place, Store, VersionId};

/// Something with a password: a master user behind the RDS API, or a role behind a database session. A credential names
/// the user that it is for: a role may have two logins that take turns.
pub trait Subject: Send + Sync {
    /// Whether a login with this user and password works; at most one login.
    fn accepts<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<bool, Reports>>;

    /// Gives this user this password and returns when a login with it works. Called only after it is stored.
    fn change<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), Reports>>;

    /// Whether a pending password that was found is one that is wanted. One that is not gives way, as soon as the
    /// database is known not to hold it.
    fn wants(&self, _credential: &Credential) -> bool {
        true
    }

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
    /// The time of this call
    pub now: SystemTime,
    /// The credential with a new password; called only when one is needed
    pub make: &'a (dyn Fn() -> Result<Credential, Reports> + Send + Sync),
}

/// Brings store and subject to a proven password. May be killed after any step; the next call continues.
///
/// # Errors
/// A store or a subject that fails; nothing is lost.
pub async fn rotate(store: &dyn Store, subject: &dyn Subject, request: &Request<'_>) -> Result<Settled, Reports> {
    let mut run = Run {
        store,
        subject,
        request,
        goal: request.goal,
        held: None,
        replacing: None,
        seen: Seen::default(),
        tried: None,
        unfit: None,
        others: None,
        overtaken: 0,
    };
    run.look().await?;
    loop {
        if let Some(settled) = run.step().await? {
            return Ok(settled);
        }
    }
}

/// How often a run starts over because another one was faster. Two runs end after one or two of these.
const OVERTAKEN_AT_MOST: u8 = 8;

/// One run and what it knows. All of it can be observed again.
struct Run<'a> {
    store: &'a dyn Store,
    subject: &'a dyn Subject,
    request: &'a Request<'a>,
    goal: Goal,
    held: Option<Held>,
    /// The pending version under the name, whatever database it is for
    replacing: Option<VersionId>,
    seen: Seen,
    /// The credential that was tried or set last
    tried: Option<Credential>,
    /// Why the pending password was not taken
    unfit: Option<Reports>,
    /// Why the pending version is left alone
    others: Option<Error>,
    overtaken: u8,
}

impl Run<'_> {
    async fn step(&mut self) -> Result<Option<Settled>, Reports> {
        match (next(self.goal, self.seen), &self.held) {
            (Step::StorePending, _) => self.store_pending().await?,
            (Step::TryPending, Some(_)) => self.try_pending().await?,
            (Step::TryProven, Some(held)) => match self.read(held, held.proven.as_ref()).await? {
                Some(credential) => self.seen.proven = Some(self.log_in(credential).await?),
                None => self.start_over().await?,
            },
            (Step::Change, Some(held)) => {
                let now = find(self.store, self.request).await?;
                let is_same = now.is_some_and(|now| now.pending == held.pending);
                match if is_same { self.read(held, held.pending.as_ref()).await? } else { None } {
                    Some(credential) => self.change(credential).await?,
                    None => self.start_over().await?,
                }
            }
            (Step::Promote, Some(Held { secret_ref, pending: Some(version), .. })) if self.tried.is_some() => {
                let (secret_ref, version) = (secret_ref.clone(), version.clone());
                return self.promote(secret_ref, version).await;
            }
            (Step::Keep, Some(Held { secret_ref, proven: Some(version), .. })) if let Some(works) = &self.tried => {
                return Ok(Some(settled(secret_ref, version, works, false)));
            }
            (Step::Yield, _) if let Some(others) = self.others.take() => return Err(others.into()),
            (Step::GiveUp, _) if let Some(unfit) = self.unfit.take() => return Err(unfit),
            _ => self.look().await?,
        }
        Ok(None)
    }

    /// The value of a version; `None` when another run was faster and it is not there any more.
    async fn read(&self, held: &Held, version: Option<&VersionId>) -> Result<Option<Credential>, Error> {
        let version = version.ok_or_else(|| Error::new(&held.secret_ref, Fault::Gone))?;
        match self.store.value(&held.secret_ref, version).await {
            Err(Error { fault, .. }) if fault.is_overtaken() => Ok(None),
            value => Ok(Some(value?)),
        }
    }

    /// Tries the pending password. A version without a value, as a rotation function leaves it that died early, is none
    /// that the database could hold.
    async fn try_pending(&mut self) -> Result<(), Reports> {
        let Some(held) = &self.held else { return self.look().await };
        let credential = match self.read(held, held.pending.as_ref()).await {
            Err(Error { fault: Fault::Gone, .. }) => {
                let now = find(self.store, self.request).await?;
                if now.is_none_or(|now| now.pending != held.pending) {
                    return self.start_over().await;
                }
                self.seen.pending = Some(Login::Void);
                return Ok(());
            }
            read => read?,
        };
        let Some(credential) = credential else { return self.start_over().await };
        let is_wanted = self.is_wanted(&credential);
        let login = self.log_in(credential).await?;
        self.seen.pending = Some(if login == Login::Refused && !is_wanted { Login::Void } else { login });
        Ok(())
    }

    /// What a run that was faster has stored is as new as what this one wants.
    fn is_wanted(&self, credential: &Credential) -> bool {
        self.overtaken > 0 || self.subject.wants(credential)
    }

    async fn log_in(&mut self, credential: Credential) -> Result<Login, Reports> {
        let login = login(self.subject.accepts(&credential).await?);
        self.tried = Some(credential);
        Ok(login)
    }

    /// Observes the store; what was tried before is forgotten. A secret for another database (an earlier one with the
    /// same ARN) or one that is going away holds nothing to rely on; `put_pending` decides whether the name is free.
    async fn look(&mut self) -> Result<(), Reports> {
        let found = self.store.find(self.request.place).await?;
        self.replacing = found.as_ref().and_then(|held| held.pending.clone());
        self.held = found.filter(|held| held.is_for(self.request.target));
        self.seen = Seen { replaced: self.seen.replaced, ..look(self.held.as_ref()) };
        if let Some(held) = &self.held {
            self.others = others(self.store, held, self.request.now).await?;
            self.seen.others = self.others.is_some();
        }
        Ok(())
    }

    /// Another run stored or promoted a password meanwhile, which is as new as the one that this run wanted. What is
    /// left to do is to prove it, or to repair what the two did to each other.
    async fn start_over(&mut self) -> Result<(), Reports> {
        self.overtaken += 1;
        if self.overtaken > OVERTAKEN_AT_MOST {
            return Err(Error::new(self.request.place.name(""), Fault::Overtaken).into());
        }
        self.goal = Goal::Ensure;
        self.look().await
    }

    async fn store_pending(&mut self) -> Result<(), Reports> {
        let credential = (self.request.make)()?;
        let Request { place, target, .. } = *self.request;
        let held = match self.put(place, target, &credential).await {
            Err(Error { fault, .. }) if fault.is_overtaken() => return self.start_over().await,
            put => put?,
        };
        let replaced = self.seen.replaced || self.seen.pending == Some(Login::Unfit);
        // A fresh password is in nobody's hands: no login is needed to know that the database refuses it.
        self.seen = Seen { pending: Some(Login::Refused), replaced, ..look(Some(&held)) };
        self.replacing.clone_from(&held.pending);
        self.held = Some(held);
        Ok(())
    }

    async fn put(&self, place: &Place, target: &str, credential: &Credential) -> Result<Held, Error> {
        self.store.put_pending(place, target, &place.username, credential, self.replacing.as_ref()).await
    }

    /// A password that the database never takes is one that it cannot hold, and may be replaced; unless an earlier try
    /// has set it already, whose answer was lost, and a rule against repetition speaks.
    async fn change(&mut self, credential: Credential) -> Result<(), Reports> {
        match self.subject.change(&credential).await {
            Ok(()) => {
                self.seen.pending = Some(Login::Accepted);
                self.tried = Some(credential);
            }
            Err(reports) if reports.0.iter().any(|report| report.reach == Reach::Unfit) => {
                if self.subject.accepts(&credential).await? {
                    self.seen.pending = Some(Login::Accepted);
                    self.tried = Some(credential);
                    return Ok(());
                }
                let secret = self.request.place.name("");
                tracing::info!(%secret, "the pending password breaks a rule and is replaced");
                self.seen.pending = Some(Login::Unfit);
                self.unfit = Some(reports);
            }
            Err(reports) => return Err(reports),
        }
        Ok(())
    }

    async fn promote(&mut self, secret_ref: SecretRef, version: VersionId) -> Result<Option<Settled>, Reports> {
        let Some(works) = &self.tried else { return Ok(None) };
        self.subject.works(works).await?;
        let is_wanted = self.is_wanted(works);
        match self.store.promote(&secret_ref, &version).await {
            // An earlier run has set it, and it works; what is wanted by now follows.
            Ok(()) if !is_wanted => {
                self.goal = Goal::Renew;
                self.look().await.map(|()| None)
            }
            Ok(()) => Ok(Some(settled(&secret_ref, &version, works, true))),
            Err(Error { fault, .. }) if fault.is_overtaken() || matches!(fault, Fault::Gone) => {
                self.start_over().await.map(|()| None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Why a pending version is left alone: another program has stored it, and so lately that it may be at work still.
/// `None` for one of ours, and for one that was given up.
///
/// # Errors
/// The store cannot be asked.
pub async fn others(store: &dyn Store, held: &Held, now: SystemTime) -> Result<Option<Error>, Error> {
    let Some(version) = held.pending.as_ref().filter(|version| !store.is_ours(version)) else { return Ok(None) };
    let stored = store.stored_at(&held.secret_ref, version).await?;
    // One from the future, by a clock that is ahead, is young.
    let age = stored.map(|stored| now.duration_since(stored).unwrap_or_default());
    if age.is_some_and(|age| age >= LEFT_ALONE) {
        return Ok(None);
    }
    let since = match age.map(|age| age.as_secs() / 60) {
        None => "at an unknown time".to_owned(),
        Some(0) => "less than a minute ago".to_owned(),
        Some(minutes) => format!("{minutes} minutes ago"),
    };
    Ok(Some(Error::new(&held.secret_ref, Fault::Others { version: version.0.clone(), since })))
}

fn settled(secret_ref: &SecretRef, version: &VersionId, credential: &Credential, moved: bool) -> Settled {
    let (secret_ref, version) = (secret_ref.clone(), version.clone());
    Settled { secret_ref, version, username: credential.username.clone(), moved }
}

async fn find(store: &dyn Store, request: &Request<'_>) -> Result<Option<Held>, Reports> {
    Ok(store.find(request.place).await?.filter(|held| held.is_for(request.target)))
}

fn look(held: Option<&Held>) -> Seen {
    Seen {
        proven: held.and_then(|h| h.proven.as_ref()).map(|_| Login::Untried),
        pending: held.and_then(|h| h.pending.as_ref()).map(|_| Login::Untried),
        ..Seen::default()
    }
}

fn login(accepted: bool) -> Login {
    if accepted { Login::Accepted } else { Login::Refused }
}

#[cfg(test)]
mod tests;
