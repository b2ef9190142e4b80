//! The steps that bring database and store to a proven password.

use futures_util::future::BoxFuture;

use crate::access::rotation::Goal;
use crate::access::{Arn, PENDING_PASSWORD, RoleName, Secret, SecretRef, Target};
use crate::aws::rds::ModifyLock;
use crate::context::{Attempt, Context, Found, Takes, TargetError, check_ready, found};
use crate::report::Report;
use crate::resources::rotation::is_done;
use crate::schema::{Private, Reports};
use crate::store::{self, Credential, Held, Place, Request, Settled, Store, Subject, VersionId, rotate};

use super::error::Error;
use super::model::MasterCredential;
use super::wait::Deadline;
use super::{plan, wait};

/// What `credential` says when there is no secret any more.
pub(super) const GONE: &str = "the secret is gone";

/// The status of a database that is getting another master password.
const RESETTING: &str = "resetting-master-credentials";

/// What [`secure`] reached.
pub(super) struct Secured {
    pub(super) settled: Settled,
    pub(super) target: Target,
    pub(super) username: RoleName,
}

/// Refuses a database whose password is not ours to replace.
pub(super) fn check(target: &Target) -> Result<(), Error> {
    match &target.managed_secret {
        Some(secret) => Err(Error::Managed { arn: target.arn.clone(), secret: secret.clone() }),
        None => Ok(()),
    }
}

/// Whether another master password waits to be set.
pub(super) fn waits(target: &Target) -> bool {
    target.pending_changes.iter().any(|change| change == PENDING_PASSWORD)
}

/// Refuses a change that RDS makes only at once while something else would be applied with it.
pub(super) fn check_alone(target: &Target) -> Result<(), Error> {
    let arn = target.arn.clone();
    if waits(target) {
        return Err(Error::Waiting(arn));
    }
    let others = target.other_pending_changes().join(", ");
    if others.is_empty() { Ok(()) } else { Err(Error::Others { arn, others }) }
}

/// Which password is wanted.
pub(super) enum Wanted<'a> {
    /// One that logs in
    Working,
    /// The one of this secret
    Adopted(&'a SecretRef),
    /// Another one than now
    Another,
    /// Another one for keepers that differ, unless a run that was killed has made it; with the private state
    ForKeepers(&'a Private),
}

/// Brings database and store to a proven password. Everything that can be checked is checked before the database is
/// asked to change: state, who manages the password, that the database answers, and, by storing the new password, that
/// the store can be written.
pub(super) async fn secure(
    context: &Context,
    arn: &Arn,
    model: &MasterCredential,
    wanted: Wanted<'_>,
    end: Deadline,
) -> Result<Secured, Reports> {
    let master = Master::enter(context, arn, end).await?;
    check(&master.target)?;
    plan::check_length(&master.target, model.length())?;
    let store = context.store(model.store_settings().as_ref(), arn)?;
    let place = Place::user(arn.clone(), master.username.clone());
    let goal = match wanted {
        Wanted::Adopted(secret) => {
            let settled = master.adopt(&*store, &place, secret).await?;
            return Ok(Secured { settled, target: master.target, username: master.username });
        }
        Wanted::Working => Goal::Ensure,
        Wanted::Another => Goal::Renew,
        Wanted::ForKeepers(private) => {
            let held = store.find(&place).await?.filter(|held| held.is_for(&master.target.resource_id));
            let is_done = is_done(&*store, held.as_ref(), model.schedule().digest().as_ref(), private).await?;
            if is_done { Goal::Ensure } else { Goal::Renew }
        }
    };
    master.check_before(&*store, &place, goal).await?;
    let settled = master.rotate(&*store, &place, model, goal).await?;
    Ok(Secured { settled, target: master.target, username: master.username })
}

/// Takes the password over from RDS: a new one is stored as pending, then one call ends the management and sets it. A run
/// that was killed after that call finds a database that RDS no longer manages and a pending password that logs in.
pub(super) async fn take_over(
    context: &Context,
    arn: &Arn,
    model: &MasterCredential,
    end: Deadline,
) -> Result<Secured, Reports> {
    let master = Master::enter(context, arn, end).await?;
    plan::check_length(&master.target, model.length())?;
    let store = context.store(model.store_settings().as_ref(), arn)?;
    let place = Place::user(arn.clone(), master.username.clone());
    let goal = if let Some(secret) = &master.target.managed_secret {
        check_alone(&master.target)?;
        master.answers(secret).await?;
        Goal::Renew
    } else {
        master.check_before(&*store, &place, Goal::Ensure).await?;
        Goal::Ensure
    };
    let settled = master.rotate(&*store, &place, model, goal).await?;
    Ok(Secured { settled, target: master.target, username: master.username })
}

/// The master user of a database, under the lock of its Modify calls.
pub(super) struct Master<'a> {
    pub(super) context: &'a Context,
    pub(super) lock: ModifyLock,
    pub(super) target: Target,
    pub(super) username: RoleName,
    pub(super) end: Deadline,
}

impl<'a> Master<'a> {
    pub(super) async fn enter(context: &'a Context, arn: &Arn, end: Deadline) -> Result<Self, Reports> {
        let mut lock = end.turn(arn, context.aws()?.modify_lock(arn)).await?;
        lock.wait_until(end.last_change());
        let target = match found(arn, Takes::Writers, lock.describe_now().await?)? {
            Found::Target(target) => check_ready(*target)?,
            Found::Gone => return Err(TargetError::Gone(arn.clone()).into()),
        };
        let username = username(&target)?;
        Ok(Self { context, lock, target, username, end })
    }

    async fn rotate(
        &self,
        store: &dyn Store,
        place: &Place,
        model: &MasterCredential,
        goal: Goal,
    ) -> Result<Settled, Reports> {
        let make = || {
            let credential = self.credential(self.context.password(model.length())?);
            Ok(Credential { keepers: model.schedule().digest(), ..credential })
        };
        let (target, now) = (&self.target.resource_id, self.context.now());
        rotate(store, self, &Request { goal, place, target, now, make: &make }).await
    }

    /// Whether the database answers, by a login with the secret of RDS: a database that does not must not get a password
    /// that cannot be proven. A refusal is an answer: RDS may just rotate the password.
    async fn answers(&self, secret: &SecretRef) -> Result<(), Reports> {
        let credential = self.context.read_secret(secret).await?;
        self.accepts(&credential).await.map(drop)
    }

    /// What must hold before a password is made. A login is tried even where none is needed to decide what to do: a
    /// database that does not answer must not get a password that cannot be proven.
    async fn check_before(&self, store: &dyn Store, place: &Place, goal: Goal) -> Result<(), Reports> {
        let held = store.find(place).await?.filter(|held| held.is_for(&self.target.resource_id));
        let (proven, pending) =
            held.as_ref().map_or((None, None), |held| (held.proven.as_ref(), held.pending.as_ref()));
        let (waits, keeps) = (waits(&self.target), proven.is_some() && goal == Goal::Ensure);
        if pending.is_some() || keeps && !waits {
            return Ok(());
        }
        if waits && !keeps {
            return Err(Error::Waiting(self.target.arn.clone()).into());
        }
        let credential = match (&held, proven) {
            (Some(held), Some(version)) => store.value(&held.secret_ref, version).await?,
            _ => self.credential(self.context.password(40)?),
        };
        if !self.accepts(&credential).await? && waits {
            // A new password would be made for one that is refused, and would meet the one that waits.
            return Err(Error::Waiting(self.target.arn.clone()).into());
        }
        Ok(())
    }

    /// What works of our own secret already. A pending password that is refused is one that RDS never took, unless RDS is
    /// about to set it.
    async fn working(&self, store: &dyn Store, held: &Held) -> Result<Option<Settled>, Reports> {
        let settled = |version: &VersionId, moved| {
            let (secret_ref, version) = (held.secret_ref.clone(), version.clone());
            Some(Settled { secret_ref, version, username: self.username.clone(), moved })
        };
        if let Some(version) = &held.pending {
            if let Some(others) = store::others(store, held, self.context.now()).await? {
                return Err(others.into());
            }
            if self.accepts(&store.value(&held.secret_ref, version).await?).await? {
                store.promote(&held.secret_ref, version).await?;
                return Ok(settled(version, true));
            }
            self.check_idle()?;
        }
        match &held.proven {
            Some(version) if self.accepts(&store.value(&held.secret_ref, version).await?).await? => {
                Ok(settled(version, false))
            }
            _ => Ok(None),
        }
    }

    /// Refuses a database that is about to get another password: what works now ends with it.
    fn check_idle(&self) -> Result<(), Error> {
        let arn = self.target.arn.clone();
        if waits(&self.target) {
            return Err(Error::Waiting(arn));
        }
        if self.target.status == RESETTING { Err(Error::Resetting(arn)) } else { Ok(()) }
    }

    /// Takes over the password of another secret, if it works; one of ours that works is kept, and one of ours that never
    /// came to work is replaced. Never changes the database.
    async fn adopt(&self, store: &dyn Store, place: &Place, secret: &SecretRef) -> Result<Settled, Reports> {
        let found = store.find(place).await?;
        let pending = found.as_ref().and_then(|held| held.pending.clone());
        let held = found.filter(|held| held.is_for(&self.target.resource_id));
        if let Some(held) = &held
            && let Some(settled) = self.working(store, held).await?
        {
            return Ok(settled);
        }
        self.check_idle()?;
        let arn = self.target.arn.clone();
        let adopted = self.context.read_secret(secret).await?;
        if adopted.username != self.username {
            let (found, wanted) = (adopted.username, self.username.clone());
            return Err(Error::OtherUser { arn, secret: secret.clone(), found, wanted }.into());
        }
        if !self.accepts(&adopted).await? {
            return Err(Error::AdoptRefused { arn, secret: secret.clone() }.into());
        }
        let credential = self.credential(adopted.password);
        let resource_id = &self.target.resource_id;
        let held = store.put_pending(place, resource_id, &self.username, &credential, pending.as_ref()).await?;
        let version = held.pending.ok_or_else(|| store::Error::new(&held.secret_ref, store::Fault::Gone))?;
        store.promote(&held.secret_ref, &version).await?;
        Ok(Settled { secret_ref: held.secret_ref, version, username: self.username.clone(), moved: true })
    }

    fn credential(&self, password: Secret<String>) -> Credential {
        Credential {
            username: self.username.clone(),
            password,
            engine: Some(self.target.engine),
            endpoint: self.target.endpoint.clone(),
            database: self.target.database_name.as_ref().and_then(|name| name.parse().ok()),
            arn: Some(self.target.arn.clone()),
            master: None,
            keepers: None,
        }
    }
}

impl Subject for Master<'_> {
    fn accepts<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<bool, Reports>> {
        Box::pin(async move {
            match self.context.try_login(&self.target, &self.username, &credential.password).await? {
                Attempt::Accepted => Ok(true),
                Attempt::Refused => Ok(false),
                Attempt::OutOfReach(error) => Err(error.into()),
            }
        })
    }

    fn change<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), Reports>> {
        Box::pin(async move {
            self.end.check_change(&self.target.arn)?;
            tracing::info!(target_arn = %self.target.arn, "setting the master password");
            let taken = match self.target.managed_secret {
                Some(_) => self.lock.stop_managing(&credential.password).await,
                None => self.lock.set_master_password(&credential.password).await,
            };
            taken.map_err(|error| wait::refused(self, error))?;
            wait::for_login(self, &credential.password).await
        })
    }
}

/// The name of the master user.
pub(super) fn username(target: &Target) -> Result<RoleName, Reports> {
    target.master_username.parse().map_err(|error: crate::access::Invalid| {
        Report::error("Unknown master user", format!("AWS names no usable master user of {}: {error}.", target.arn))
            .into()
    })
}

/// Whether the secret is still where the plan found it: a secret that vanished since would come back under another ARN
/// than the plan promised.
pub(super) async fn check_place(context: &Context, arn: &Arn, planned: &MasterCredential) -> Result<(), Reports> {
    let (Some(secret_ref), settings) = (planned.secret_ref.get(), planned.store_settings()) else { return Ok(()) };
    match context.store(settings.as_ref(), arn)?.look(secret_ref).await? {
        Some(_) => Ok(()),
        None => Err(Error::Moved(arn.clone()).into()),
    }
}
