//! The changes of a database that RDS makes for us, one at a time per database.
//!
//! Calls send `ApplyImmediately = false`: RDS applies passwords and security groups at once anyway, and `true` would
//! release changes of other people that wait for the maintenance window. The one exception is a cluster's password that
//! RDS keeps waiting with nothing else.

mod groups;

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::inventory::Described;
use crate::access::{Arn, Secret, TargetKind};
use crate::aws::{Error, Fault, Session, Sessions};

pub use groups::GroupsError;

/// The right to change a database, held over read, check, change and verification, so that two resources of one
/// database do not overwrite each other's list of security groups.
#[derive(Debug)]
pub struct ModifyLock {
    sessions: Sessions,
    arn: Arn,
    _turn: OwnedMutexGuard<()>,
}

/// One parameter of a Modify call.
enum Change<'a> {
    SecurityGroups(&'a [String]),
    MasterPassword(&'a Secret<String>),
    MasterPasswordNow(&'a Secret<String>),
}

impl Sessions {
    /// Waits for the turn to change a database; dropping the lock ends it.
    pub async fn modify_lock(&self, arn: &Arn) -> ModifyLock {
        let turn = self.modify_mutex(arn).lock_owned().await;
        ModifyLock { sessions: self.clone(), arn: arn.clone(), _turn: turn }
    }
}

impl ModifyLock {
    /// The database under the lock.
    pub fn arn(&self) -> &Arn {
        &self.arn
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
        outcome.map_err(|error| of_password(without(error, password)))
    }

    /// Applies a master password that waits for the maintenance window, with every other change that waits: the caller
    /// has made sure that there is none.
    ///
    /// # Errors
    /// As [`ModifyLock::set_master_password`].
    pub async fn apply_master_password(&self, password: &Secret<String>) -> Result<(), Error> {
        let outcome = self.modify(Change::MasterPasswordNow(password)).await;
        outcome.map_err(|error| of_password(without(error, password)))
    }

    async fn modify(&self, change: Change<'_>) -> Result<(), Error> {
        let session = self.sessions.session_for(&self.arn).await?;
        let end = Instant::now() + self.sessions.settings().patience.limit;
        loop {
            match self.try_modify(&session, &change).await {
                Ok(()) => return Ok(()),
                Err(error) => self.wait_out(error, &session, end).await?,
            }
        }
    }

    /// Waits before the next try when the state of the database refuses the change; any other error, and one that comes
    /// too late, is handed back.
    async fn wait_out(&self, error: Error, session: &Session, end: Instant) -> Result<(), Error> {
        let interval = self.sessions.settings().patience.interval;
        let Fault::InvalidState(text) = &error.fault else { return Err(error) };
        if Instant::now() + interval >= end {
            return Err(error);
        }
        tracing::debug!(target = %self.arn, %text, "waiting for a state that allows the change");
        if self.is_stopped().await? {
            let call = session.call(self.action()).on(&self.arn);
            return Err(call.failed(Fault::Refused("the database is stopped: start it first".to_owned())));
        }
        tokio::time::sleep(interval).await;
        Ok(())
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
        let outcome = self.send(session, change).await;
        self.sessions.forget(&self.arn.account_id, &self.arn.region);
        outcome
    }

    async fn send(&self, session: &Session, change: &Change<'_>) -> Result<(), Error> {
        let call = session.call(self.action()).on(&self.arn);
        let (groups, password) = match change {
            Change::SecurityGroups(ids) => (Some(ids.to_vec()), None),
            Change::MasterPassword(password) | Change::MasterPasswordNow(password) => {
                (None, Some(password.expose().clone()))
            }
        };
        let at_once = matches!(change, Change::MasterPasswordNow(_));
        match self.arn.kind {
            TargetKind::Instance => {
                let request = session.rds().modify_db_instance().db_instance_identifier(&self.arn.identifier);
                let request = request.set_vpc_security_group_ids(groups).set_master_user_password(password);
                request.apply_immediately(at_once).send().await.map(drop).map_err(|e| call.refused(&e))
            }
            TargetKind::Cluster => {
                let request = session.rds().modify_db_cluster().db_cluster_identifier(&self.arn.identifier);
                let request = request.set_vpc_security_group_ids(groups).set_master_user_password(password);
                request.apply_immediately(at_once).send().await.map(drop).map_err(|e| call.refused(&e))
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

/// RDS does not repeat the password in its messages; should it ever, it ends here.
fn without(mut error: Error, password: &Secret<String>) -> Error {
    let clean = |text: &mut String| {
        if !password.expose().is_empty() && text.contains(password.expose()) {
            *text = text.replace(password.expose(), "***");
        }
    };
    match &mut error.fault {
        Fault::Other { text, .. }
        | Fault::CannotAssume { text, .. }
        | Fault::AccessDenied(text)
        | Fault::NoCredentials(text)
        | Fault::CredentialsRefused(text)
        | Fault::NoOrganization(text)
        | Fault::Throttled(text)
        | Fault::NotFound(text)
        | Fault::Duplicate(text)
        | Fault::ScheduledForDeletion(text)
        | Fault::InvalidState(text)
        | Fault::InUse(text)
        | Fault::LimitExceeded(text)
        | Fault::Unreachable(text)
        | Fault::Unexpected(text)
        | Fault::Refused(text)
        | Fault::Unfit(text) => clean(text),
        Fault::NoRegion => {}
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Call, Settings};

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
    fn a_password_never_stays_in_an_error() {
        let fault = Fault::Other { code: "X".to_owned(), text: "the value hunter2! is bad".to_owned() };
        let error = without(Call::new("rds:ModifyDBInstance").failed(fault), &"hunter2!".into());
        assert!(error.to_string().contains("the value *** is bad"));
    }
}
