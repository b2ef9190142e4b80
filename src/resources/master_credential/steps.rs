//! The steps that bring database and store to a proven password.

use futures_util::future::BoxFuture;

use crate::access::rotation::Goal;
use crate::access::{Arn, EngineKind, RoleName, Secret, SecretRef, Target};
use crate::aws::rds::ModifyLock;
use crate::context::{Attempt, Context, Found, Takes, TargetError, check_ready, found};
use crate::report::{Explain, Report};
use crate::schema::Reports;
use crate::store::{self, Credential, Place, Request, Settled, Store, Subject, rotate};

use super::model::MasterCredential;
use super::{plan, wait};

/// What `credential` says when there is no secret any more.
pub(super) const GONE: &str = "the secret is gone";

/// What is in the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The engine
    #[error("{arn}: the master password of {engine} cannot be proven by a login yet")]
    Engine { arn: Arn, engine: EngineKind },
    /// RDS manages the password
    #[error("RDS manages the master password of {arn} itself, in the secret {secret}")]
    Managed { arn: Arn, secret: SecretRef },
    /// RDS refuses longer ones
    #[error("{arn} takes master passwords of at most 41 characters, {length} are asked for")]
    TooLong { arn: Arn, length: usize },
    /// Somebody else changes the password now
    #[error("another new master password of {0} waits in its pending changes")]
    Waiting(Arn),
    /// The adopted secret is for somebody else
    #[error("the secret {secret} is for the user `{found}`; the master user of {arn} is `{wanted}`")]
    OtherUser { arn: Arn, secret: SecretRef, found: RoleName, wanted: RoleName },
    /// The adopted secret does not work
    #[error("{arn} refuses the user name and password in {secret}")]
    AdoptRefused { arn: Arn, secret: SecretRef },
    /// The plan is out of date
    #[error("the secret of {0} is not where it was when the change was planned")]
    Moved(Arn),
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::Engine { .. } => "This engine is not supported yet",
            Self::Managed { .. } => "RDS manages this master password",
            Self::TooLong { .. } => "The password would be too long",
            Self::Waiting(_) => "The master password is being changed already",
            Self::OtherUser { .. } | Self::AdoptRefused { .. } => "The secret cannot be adopted",
            Self::Moved(_) => "The plan is out of date",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        Some(
            match self {
                Self::Engine { .. } => "Leave this database out. Nothing was changed",
                Self::Managed { .. } => {
                    "Use that secret where this resource's secret_ref would stand, or switch \
                     manage_master_user_password off first. Nothing was changed"
                }
                Self::TooLong { .. } => "Lower `password_length`. Nothing was changed",
                Self::Waiting(_) => "Wait until RDS has applied it, then apply again. Nothing was changed",
                Self::OtherUser { .. } => "Name the secret of the master user. Nothing was changed",
                Self::AdoptRefused { .. } => {
                    "Correct the secret, or leave adopt_secret_ref out to replace the password. Nothing was changed"
                }
                Self::Moved(_) => "Plan again. Nothing was changed",
            }
            .to_owned(),
        )
    }
}

/// What [`secure`] reached.
pub(super) struct Secured {
    pub(super) settled: Settled,
    pub(super) target: Target,
    pub(super) username: RoleName,
}

/// Rules that the description of a database can break.
pub(super) fn check(target: &Target) -> Result<(), Error> {
    if target.engine == EngineKind::Sqlserver {
        return Err(Error::Engine { arn: target.arn.clone(), engine: target.engine });
    }
    match &target.managed_secret {
        Some(secret) => Err(Error::Managed { arn: target.arn.clone(), secret: secret.clone() }),
        None => Ok(()),
    }
}

/// Brings database and store to a proven password. Everything that can be checked is checked before the database is
/// asked to change: engine, state, who manages the password, that the database answers, and, by storing the new
/// password, that the store can be written.
pub(super) async fn secure(
    context: &Context,
    arn: &Arn,
    model: &MasterCredential,
    goal: Goal,
    adopt: Option<&SecretRef>,
) -> Result<Secured, Reports> {
    let master = Master::enter(context, arn).await?;
    plan::check_length(&master.target, model.length())?;
    let store = context.store(model.store_settings().as_ref(), arn)?;
    let place = Place::user(arn.clone(), master.username.clone());
    let settled = match adopt {
        Some(secret) if !master.is_under_way(&*store, &place).await? => master.adopt(&*store, &place, secret).await?,
        _ => {
            master.check_before(&*store, &place, goal).await?;
            let make = || Ok(master.credential(context.password(model.length())?));
            let request = Request { goal, place: &place, target: &master.target.resource_id, make: &make };
            rotate(&*store, &master, &request).await?
        }
    };
    Ok(Secured { settled, target: master.target, username: master.username })
}

/// The master user of a database, under the lock of its Modify calls.
pub(super) struct Master<'a> {
    pub(super) context: &'a Context,
    pub(super) lock: ModifyLock,
    pub(super) target: Target,
    pub(super) username: RoleName,
}

impl<'a> Master<'a> {
    async fn enter(context: &'a Context, arn: &Arn) -> Result<Self, Reports> {
        let lock = context.aws()?.modify_lock(arn).await;
        let target = match found(arn, Takes::Writers, lock.describe_now().await?)? {
            Found::Target(target) => check_ready(*target)?,
            Found::Gone => return Err(TargetError::Gone(arn.clone()).into()),
        };
        check(&target)?;
        let username = username(&target)?;
        Ok(Self { context, lock, target, username })
    }

    /// What must hold before a password is made. A login is tried even where none is needed to decide what to do: a
    /// database that does not answer must not get a password that cannot be proven.
    async fn check_before(&self, store: &dyn Store, place: &Place, goal: Goal) -> Result<(), Reports> {
        let held = store.find(place).await?.filter(|held| held.is_for(&self.target.resource_id));
        let (proven, pending) =
            held.as_ref().map_or((None, None), |held| (held.proven.as_ref(), held.pending.as_ref()));
        if pending.is_some() || proven.is_some() && goal == Goal::Ensure {
            return Ok(());
        }
        if self.target.pending_changes.iter().any(|change| change == wait::PENDING_PASSWORD) {
            return Err(Error::Waiting(self.target.arn.clone()).into());
        }
        let credential = match (&held, proven) {
            (Some(held), Some(version)) => store.value(&held.secret_ref, version).await?,
            _ => self.credential(self.context.password(40)?),
        };
        self.accepts(&credential).await.map(drop)
    }

    /// Whether a password of an earlier run waits for its proof: RDS may have it already, so it is never replaced.
    async fn is_under_way(&self, store: &dyn Store, place: &Place) -> Result<bool, Reports> {
        let held = store.find(place).await?.filter(|held| held.is_for(&self.target.resource_id));
        Ok(held.is_some_and(|held| held.pending.is_some()))
    }

    /// Takes over the password of another secret, if it works; one of ours that works is kept. Never changes the
    /// database.
    async fn adopt(&self, store: &dyn Store, place: &Place, secret: &SecretRef) -> Result<Settled, Reports> {
        let held = store.find(place).await?.filter(|held| held.is_for(&self.target.resource_id));
        if let Some(held) = &held
            && let Some(version) = &held.proven
            && self.accepts(&store.value(&held.secret_ref, version).await?).await?
        {
            let (secret_ref, version) = (held.secret_ref.clone(), version.clone());
            return Ok(Settled { secret_ref, version, username: self.username.clone(), moved: false });
        }
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
        let held = store.put_pending(place, &self.target.resource_id, &self.username, &credential).await?;
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
            tracing::info!(target_arn = %self.target.arn, "setting the master password");
            self.lock.set_master_password(&credential.password).await?;
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
