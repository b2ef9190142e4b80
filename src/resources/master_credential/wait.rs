//! Waiting for a new master password to work. RDS answers before it has changed anything, and the status may still say
//! `available` by then: the only proof is a login.

use std::time::Duration;

use tokio::time::Instant;

use crate::access::{Arn, EngineKind, RoleName, Secret, SecretRef, Span, Target, TargetKind, jittered};
use crate::aws;
use crate::context::{Attempt, Found, Takes, found};
use crate::report::Explain;
use crate::schema::Reports;

use super::managed::{self, Version};
use super::model::MasterCredential;
use super::steps::{self, Master};

/// Kept of a time-out for the proof of a change, at most: one that cannot be proven is not begun.
const LONGEST_PROOF: Duration = Duration::from_secs(30);
/// Kept of a time-out for the words about what was in the way, at most.
const LONGEST_RESERVE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// SQL Server locks a login after a few wrong passwords: there every attempt has this pause before it.
const PAUSE_OF_SQL_SERVER: Duration = LONGEST_PAUSE;
/// RDS shows a password as pending for some seconds while it begins to work. One that still waits after this time, with
/// the cluster idle, waits for the maintenance window.
const BEGINS_WITHIN: Duration = Duration::from_secs(30);

/// Until when a call waits: shortly before its time-out, so that the last thing seen can be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    limit: Span,
    call: &'static str,
}

impl Deadline {
    /// That of a call which begins now.
    pub(super) fn of(model: &MasterCredential, is_create: bool) -> Self {
        let limit = model.limit(is_create);
        let reserve = (limit.duration() / 10).min(LONGEST_RESERVE);
        let at = Instant::now() + limit.duration().saturating_sub(reserve);
        Self { at, limit, call: if is_create { "create" } else { "update" } }
    }

    /// Until when a change may begin: what is left after that is for its proof.
    pub(super) fn last_change(&self) -> Instant {
        self.at.checked_sub((self.limit.duration() / 10).min(LONGEST_PROOF)).unwrap_or(self.at)
    }

    /// Waits for something that others have, but not beyond the end.
    pub(super) async fn turn<T>(&self, arn: &Arn, wait: impl Future<Output = T>) -> Result<T, Reports> {
        let turn = tokio::time::timeout_at(self.last_change(), wait).await;
        Ok(turn.map_err(|_| self.too_late(arn, "other changes of this database took the time".to_owned()))?)
    }

    /// Refuses a change of the database that there is no time left to prove.
    pub(super) fn check_change(&self, arn: &Arn) -> Result<(), Reports> {
        if Instant::now() < self.last_change() {
            return Ok(());
        }
        Err(self.too_late(arn, "what comes before the change took too long".to_owned()).into())
    }

    fn too_late(&self, arn: &Arn, why: String) -> Error {
        Error::TooLate { arn: arn.clone(), limit: self.limit, call: self.call, why }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.at
    }

    /// Waits, but not beyond the end.
    async fn pause(&self, pause: Duration) {
        tokio::time::sleep_until((Instant::now() + jittered(pause)).min(self.at)).await;
    }
}

/// What was in the way until the time was over.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The state of the database never allowed it
    #[error("RDS did not take the new master password of {username} on {arn} within {limit}")]
    NotTaken { arn: Arn, username: RoleName, limit: Span, call: &'static str, source: aws::Error },
    /// It never logged in
    #[error(
        "RDS accepted the new master password of {username} on {arn}, but within {limit} no login with it worked \
         (status {status}{pending}): {last}"
    )]
    NoLogin {
        arn: Arn,
        username: RoleName,
        limit: Span,
        call: &'static str,
        status: String,
        pending: String,
        last: String,
    },
    /// RDS did not finish
    #[error(
        "RDS accepted to manage or rotate the master password of {arn}, but was not done within {limit} (status \
         {status}{pending}): {last}"
    )]
    NotManaged { arn: Arn, limit: Span, call: &'static str, status: String, pending: String, last: String },
    /// A change was not made, because its proof would not have fitted into the time
    #[error("the master password of {arn} could not be changed and proven within {limit}: {why}")]
    TooLate { arn: Arn, limit: Span, call: &'static str, why: String },
    /// It waits for the maintenance window, as do other changes
    #[error(
        "the new master password of {arn} waits for the maintenance window, and so does {others}, which applying it \
         immediately would release"
    )]
    Others { arn: Arn, others: String },
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::NotTaken { .. } => "RDS did not take the new master password",
            Self::NoLogin { .. } => "The new master password does not log in",
            Self::NotManaged { .. } => "RDS does not manage the master password yet",
            Self::TooLate { .. } => "There was no time to change the master password",
            Self::Others { .. } => "Other changes are waiting",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        let resume = "The password is stored as the pending version of the secret; apply again to continue with it";
        Some(match self {
            Self::NotTaken { call, .. } | Self::NoLogin { call, .. } => format!("{resume}, or raise `timeouts.{call}`"),
            Self::NotManaged { call, .. } => {
                format!("Apply again to go on waiting for what RDS has accepted, or raise `timeouts.{call}`")
            }
            Self::TooLate { call, .. } => {
                format!("Nothing was changed in the database; apply again, or raise `timeouts.{call}`")
            }
            Self::Others { .. } => {
                format!("Apply or withdraw the other changes, or wait for the maintenance window. {resume}")
            }
        })
    }
}

/// The error of a Modify call. One that the state of the database refused was sent again until the time was over.
pub(super) fn refused(master: &Master<'_>, error: aws::Error) -> Reports {
    if !matches!(error.fault, aws::Fault::InvalidState(_)) {
        return error.into();
    }
    let Deadline { limit, call, .. } = master.end;
    let (arn, username) = (master.target.arn.clone(), master.username.clone());
    Error::NotTaken { arn, username, limit, call, source: error }.into()
}

/// Tries the password until it logs in.
pub(super) async fn for_login(master: &Master<'_>, password: &Secret<String>) -> Result<(), Reports> {
    let start = Instant::now();
    let (mut pause, mut released) = (first_pause(master, true).await, false);
    loop {
        let last = match master.context.try_login(&master.target, &master.username, password).await? {
            Attempt::Accepted => return Ok(()),
            Attempt::Refused => "the server refuses it".to_owned(),
            // A failover or a restart in between ends by itself.
            Attempt::OutOfReach(error) => error.to_string(),
        };
        let target = look(master).await;
        if let Some(target) = &target
            && !released
            && start.elapsed() >= BEGINS_WITHIN
            && waits_for_the_window(target)
        {
            release(master, target, password).await?;
            released = true;
        }
        if master.end.is_over() {
            return Err(no_login(master, target.as_ref(), last).into());
        }
        master.end.pause(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The database as it is now. An answer that does not come only costs the words about its status.
pub(super) async fn look(master: &Master<'_>) -> Option<Target> {
    let described = master.lock.describe_now().await.ok()?;
    match found(master.lock.arn(), Takes::Writers, described) {
        Ok(Found::Target(target)) => Some(*target),
        _ => None,
    }
}

fn waits_for_the_window(target: &Target) -> bool {
    target.arn.kind == TargetKind::Cluster && target.status == "available" && steps::waits(target)
}

/// Applies a password that waits, as long as nothing else would be applied with it.
async fn release(master: &Master<'_>, target: &Target, password: &Secret<String>) -> Result<(), Reports> {
    let others = target.other_pending_changes();
    if !others.is_empty() {
        return Err(Error::Others { arn: target.arn.clone(), others: others.join(", ") }.into());
    }
    Ok(master.lock.apply_master_password(password).await?)
}

/// The pause between the first two attempts, after one before the first where a wrong password costs and the password
/// is just being changed.
async fn first_pause(master: &Master<'_>, changes: bool) -> Duration {
    if master.target.engine != EngineKind::Sqlserver {
        return FIRST_PAUSE;
    }
    if changes {
        master.end.pause(PAUSE_OF_SQL_SERVER).await;
    }
    PAUSE_OF_SQL_SERVER
}

/// Waits until RDS says that its secret is active and a login with another version than `known` works. `changes` says
/// whether RDS was asked for a change just now.
pub(super) async fn for_managed(
    master: &Master<'_>,
    changes: bool,
    known: Option<&str>,
) -> Result<(Target, SecretRef, Version), Reports> {
    let (start, mut pause) = (Instant::now(), first_pause(master, changes).await);
    loop {
        let target = look(master).await;
        let last = match &target {
            Some(target) => match managed::look(master, target, known).await? {
                managed::Progress::Works(secret_ref, version) => return Ok((target.clone(), secret_ref, version)),
                managed::Progress::Impaired(error) if start.elapsed() >= BEGINS_WITHIN => return Err(error.into()),
                managed::Progress::Impaired(error) => error.to_string(),
                managed::Progress::NotYet(why) => why,
            },
            None => "AWS does not describe the database".to_owned(),
        };
        if master.end.is_over() {
            let (status, pending) = (status(target.as_ref()), pending(target.as_ref()));
            let Deadline { limit, call, .. } = master.end;
            return Err(Error::NotManaged { arn: master.target.arn.clone(), limit, call, status, pending, last }.into());
        }
        master.end.pause(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn status(target: Option<&Target>) -> String {
    target.map_or_else(|| "unknown".to_owned(), |target| target.status.clone())
}

fn pending(target: Option<&Target>) -> String {
    let changes = target.map(|target| target.pending_changes.join(", ")).filter(|changes| !changes.is_empty());
    changes.map(|changes| format!(", pending {changes}")).unwrap_or_default()
}

fn no_login(master: &Master<'_>, target: Option<&Target>, last: String) -> Error {
    Error::NoLogin {
        arn: master.target.arn.clone(),
        username: master.username.clone(),
        limit: master.end.limit,
        call: master.end.call,
        status: status(target),
        pending: pending(target),
        last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Timeouts;

    fn model(create: &str, update: &str) -> MasterCredential {
        let span = |text: &str| text.parse::<Span>().unwrap().into();
        let timeouts = Timeouts { create: span(create), update: span(update), ..Timeouts::default() };
        MasterCredential { timeouts: timeouts.into(), ..MasterCredential::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_shortly_before_the_time_out_of_its_call() {
        let left = |model: &MasterCredential, is_create| Deadline::of(model, is_create).at - Instant::now();
        assert_eq!(left(&model("10m", "1m"), true), Duration::from_secs(590));
        assert_eq!(left(&model("10m", "1m"), false), Duration::from_secs(54));
        assert_eq!(left(&MasterCredential::default(), true), Duration::from_secs(1_790));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_never_lasts_beyond_the_end() {
        let end = Deadline::of(&model("10s", "10s"), true);
        end.pause(Duration::from_secs(3_600)).await;
        assert!(end.is_over());
    }
}
