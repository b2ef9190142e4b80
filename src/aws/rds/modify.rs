//! The changes of a database that RDS makes for us, one at a time per database.
//!
//! Calls send `ApplyImmediately = false`: RDS applies passwords and security groups at once anyway, and `true` would
//! release changes of other people that wait for the maintenance window. The exceptions are those that RDS makes only at
//! once: a cluster's password that it keeps waiting, and switching its own management of the password on, off and over to
//! a new password. They are refused while anything else waits.

mod groups;

use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::inventory::Described;
use crate::access::{Arn, Secret, TargetKind, jittered};
use crate::aws::{Error, Fault, Session, Sessions};

pub use groups::GroupsError;

/// The first pause before a refused change is tried again; later ones are twice as long, up to the usual interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The right to change a database, held over read, check, change and verification, so that two resources of one
/// database do not overwrite each other's list of security groups.
#[derive(Debug)]
pub struct ModifyLock {
    sessions: Sessions,
    arn: Arn,
    end: Option<Instant>,
    _turn: OwnedMutexGuard<()>,
}

/// The pauses between the tries of one change.
#[derive(Debug)]
pub struct Pauses {
    since: Instant,
    next: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { since: Instant::now(), next: FIRST_PAUSE }
    }
}

/// One parameter of a Modify call.
enum Change<'a> {
    SecurityGroups(&'a [String]),
    MasterPassword(&'a Secret<String>),
    MasterPasswordNow(&'a Secret<String>),
    Manage { kms_key_id: Option<&'a str> },
    RotateManaged,
    StopManaging(&'a Secret<String>),
}

impl Change<'_> {
    /// Whether RDS makes the change only with `ApplyImmediately`, which applies everything else that waits.
    fn is_at_once(&self) -> bool {
        !matches!(self, Self::SecurityGroups(_) | Self::MasterPassword(_))
    }

    fn password(&self) -> Option<&Secret<String>> {
        match self {
            Self::MasterPassword(password) | Self::MasterPasswordNow(password) | Self::StopManaging(password) => {
                Some(password)
            }
            _ => None,
        }
    }

    fn groups(&self) -> Option<Vec<String>> {
        if let Self::SecurityGroups(ids) = self { Some(ids.to_vec()) } else { None }
    }

    /// `ManageMasterUserPassword`
    fn manages(&self) -> Option<bool> {
        match self {
            Self::Manage { .. } => Some(true),
            Self::StopManaging(_) => Some(false),
            _ => None,
        }
    }

    fn kms_key_id(&self) -> Option<String> {
        if let Self::Manage { kms_key_id } = self { kms_key_id.map(str::to_owned) } else { None }
    }

    /// `RotateMasterUserPassword`
    fn rotates(&self) -> Option<bool> {
        matches!(self, Self::RotateManaged).then_some(true)
    }
}

impl Sessions {
    /// Waits for the turn to change a database; dropping the lock ends it.
    pub async fn modify_lock(&self, arn: &Arn) -> ModifyLock {
        let turn = self.modify_mutex(arn).lock_owned().await;
        ModifyLock { sessions: self.clone(), arn: arn.clone(), end: None, _turn: turn }
    }
}

impl ModifyLock {
    /// The database under the lock.
    pub fn arn(&self) -> &Arn {
        &self.arn
    }

    /// Waits for a state that allows a change until then, instead of the usual time.
    pub fn wait_until(&mut self, end: Instant) {
        self.end = Some(end);
    }

    /// The database as it is now.
    ///
    /// # Errors
    /// As [`Sessions::describe_now`].
    pub async fn describe_now(&self) -> Result<Described, Error> {
        self.sessions.describe_now(&self.arn).await
    }

    /// Resets the master password. RDS answers before the change is done: the proof is a login. Waits while the state
    /// of the database refuses changes.
    ///
    /// # Errors
    /// RDS refuses the value, or manages the password itself.
    pub async fn set_master_password(&self, password: &Secret<String>) -> Result<(), Error> {
        let outcome = self.modify(Change::MasterPassword(password)).await;
        outcome.map_err(of_password)
    }

    /// Applies a master password that waits for the maintenance window, with every other change that waits: the caller
    /// has made sure that there is none.
    ///
    /// # Errors
    /// As [`ModifyLock::set_master_password`].
    pub async fn apply_master_password(&self, password: &Secret<String>) -> Result<(), Error> {
        let outcome = self.modify(Change::MasterPasswordNow(password)).await;
        outcome.map_err(of_password)
    }

    /// Lets RDS make, store and rotate the master password.
    ///
    /// # Errors
    /// RDS refuses, or another change waits for the maintenance window.
    pub async fn manage_master_password(&self, kms_key_id: Option<&str>) -> Result<(), Error> {
        self.modify(Change::Manage { kms_key_id }).await
    }

    /// Lets RDS replace the password that it manages; `false` after a pause when the state of the database refuses it.
    /// That may be the work of this very call, sent again after its answer was lost, so before the next one the caller
    /// finds out whether it is done.
    ///
    /// # Errors
    /// As [`ModifyLock::manage_master_password`].
    pub async fn try_rotate_managed_password(&self, pauses: &mut Pauses) -> Result<bool, Error> {
        let session = self.sessions.session_for(&self.arn).await?;
        match self.try_modify(&session, &Change::RotateManaged).await {
            Ok(()) => Ok(true),
            Err(error) => self.pause_after(error, &session, pauses).await.map(|()| false),
        }
    }

    /// Ends the management by RDS, which deletes its secret at once, and sets this password, in one call.
    ///
    /// # Errors
    /// As [`ModifyLock::manage_master_password`].
    pub async fn stop_managing(&self, password: &Secret<String>) -> Result<(), Error> {
        let outcome = self.modify(Change::StopManaging(password)).await;
        outcome.map_err(of_password)
    }

    async fn modify(&self, change: Change<'_>) -> Result<(), Error> {
        let session = self.sessions.session_for(&self.arn).await?;
        let mut pauses = Pauses::default();
        loop {
            match self.try_modify(&session, &change).await {
                Ok(()) => return Ok(()),
                Err(error) => self.pause_after(error, &session, &mut pauses).await?,
            }
        }
    }

    /// As [`ModifyLock::wait_out`], with pauses that get longer.
    async fn pause_after(&self, error: Error, session: &Session, pauses: &mut Pauses) -> Result<(), Error> {
        let patience = self.sessions.settings().patience;
        let pause = pauses.next.min(patience.interval);
        pauses.next = pause * 2;
        self.wait_out(error, session, pause, self.end.unwrap_or(pauses.since + patience.limit)).await
    }

    /// Waits before the next try when the state of the database refuses the change; any other error, and one that comes
    /// too late, is handed back.
    async fn wait_out(&self, error: Error, session: &Session, pause: Duration, end: Instant) -> Result<(), Error> {
        let Fault::InvalidState(text) = &error.fault else { return Err(error) };
        if Instant::now() + pause >= end {
            return Err(error);
        }
        tracing::debug!(target = %self.arn, %text, "waiting for a state that allows the change");
        if self.is_stopped().await? {
            let call = session.call(self.action()).on(&self.arn);
            return Err(call.failed(Fault::Refused("the database is stopped: start it first".to_owned())));
        }
        tokio::time::sleep(jittered(pause)).await;
        Ok(())
    }

    /// Refuses a change that would release others: they may have been asked for while it waited for its turn.
    async fn check_alone(&self, session: &Session) -> Result<(), Error> {
        let Described::Target(target) = self.describe_now().await? else { return Ok(()) };
        let others = target.other_pending_changes();
        if others.is_empty() {
            return Ok(());
        }
        let text = format!("{} would be applied with it, but waits for the maintenance window", others.join(", "));
        Err(session.call(self.action()).on(&self.arn).failed(Fault::Refused(text)))
    }

    /// A stopped database never becomes available by waiting.
    async fn is_stopped(&self) -> Result<bool, Error> {
        Ok(match self.describe_now().await? {
            Described::Target(target) => target.is_stopped(),
            Described::Unsupported(other) => other.target.is_some_and(|t| t.is_stopped()),
            Described::Gone => false,
        })
    }

    async fn try_modify(&self, session: &Session, change: &Change<'_>) -> Result<(), Error> {
        if change.is_at_once() {
            self.check_alone(session).await?;
        }
        let outcome = self.send(session, change).await;
        self.sessions.forget(&self.arn.account_id, &self.arn.region);
        outcome
    }

    async fn send(&self, session: &Session, change: &Change<'_>) -> Result<(), Error> {
        let call = session.call(self.action()).on(&self.arn);
        let (groups, password) = (change.groups(), change.password().map(|password| password.expose().clone()));
        // RDS does not repeat the password in its messages; should it ever, it ends here.
        let secret = change.password().map_or("", |password| password.expose());
        match self.arn.kind {
            TargetKind::Instance => {
                let request = session.rds().modify_db_instance().db_instance_identifier(&self.arn.identifier);
                let request = request.set_vpc_security_group_ids(groups).set_master_user_password(password);
                let request = request.set_manage_master_user_password(change.manages());
                let request = request.set_rotate_master_user_password(change.rotates());
                let request = request.set_master_user_secret_kms_key_id(change.kms_key_id());
                let answer = request.apply_immediately(change.is_at_once()).send().await;
                answer.map(drop).map_err(|e| call.refused_hiding(&e, secret))
            }
            TargetKind::Cluster => {
                let request = session.rds().modify_db_cluster().db_cluster_identifier(&self.arn.identifier);
                let request = request.set_vpc_security_group_ids(groups).set_master_user_password(password);
                let request = request.set_manage_master_user_password(change.manages());
                let request = request.set_rotate_master_user_password(change.rotates());
                let request = request.set_master_user_secret_kms_key_id(change.kms_key_id());
                let answer = request.apply_immediately(change.is_at_once()).send().await;
                answer.map(drop).map_err(|e| call.refused_hiding(&e, secret))
            }
        }
    }

    fn action(&self) -> &'static str {
        match self.arn.kind {
            TargetKind::Instance => "rds:ModifyDBInstance",
            TargetKind::Cluster => "rds:ModifyDBCluster",
        }
    }
}

/// A change of the password alone has one value that RDS can find invalid.
fn of_password(mut error: Error) -> Error {
    error.fault = match error.fault {
        Fault::Other { code, text } if code == "InvalidParameterValue" => Fault::Unfit(text),
        other => other,
    };
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Settings;
    use crate::aws::scene::{Scene, refusal};

    fn arn() -> Arn {
        "arn:aws:rds:eu-west-1:123456789012:db:ledger".parse().unwrap()
    }

    #[tokio::test]
    async fn changes_of_one_database_wait_for_each_other_and_of_two_do_not() {
        let sessions = Sessions::new(Settings::default());
        let arn = arn();
        let first = sessions.modify_lock(&arn).await;
        let other = Arn { identifier: "other".to_owned(), ..arn.clone() };
        sessions.modify_lock(&other).await;
        let second = sessions.modify_lock(&arn);
        tokio::pin!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(futures_util::poll!(&mut second).is_ready());
    }

    #[test]
    fn only_what_rds_makes_at_once_alone_releases_other_changes() {
        let password = Secret::from("p");
        assert!(!Change::MasterPassword(&password).is_at_once() && !Change::SecurityGroups(&[]).is_at_once());
        for change in [
            Change::MasterPasswordNow(&password),
            Change::Manage { kms_key_id: None },
            Change::RotateManaged,
            Change::StopManaging(&password),
        ] {
            assert!(change.is_at_once());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_password_never_stays_in_an_error_wherever_its_message_is_cut() {
        let password = "hunter2!-and-a-long-rest";
        for before in [0, 980, 990, 999, 1_000] {
            let message = format!("{}{password} is bad", "x".repeat(before));
            let scene = Scene::new(move |asked| {
                (asked.action == "ModifyDBInstance").then(|| refusal(400, "InvalidParameterValue", &message))
            });
            let lock = scene.sessions(4).modify_lock(&arn()).await;
            let secret = Secret::from(password);
            for outcome in [
                lock.set_master_password(&secret).await,
                lock.apply_master_password(&secret).await,
                lock.stop_managing(&secret).await,
            ] {
                let error = outcome.unwrap_err().to_string();
                assert!(!error.contains("hunter"), "{error}");
                assert!(error.contains("***") || before == 999 || before == 1_000, "{error}");
            }
        }
    }
}
