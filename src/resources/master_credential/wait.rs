//! Waiting for a new master password to work. RDS answers before it has changed anything, and the status may still say
//! `available` by then: the only proof is a login.

use std::time::Duration;

use tokio::time::Instant;

use crate::access::{Arn, RoleName, Secret, Span, Target, TargetKind};
use crate::context::{Attempt, Found, Takes, found};
use crate::report::Explain;
use crate::schema::Reports;

use super::steps::Master;

/// How RDS names a waiting master password.
pub(super) const PENDING_PASSWORD: &str = "MasterUserPassword";

/// RDS needs some seconds, a busy cluster some minutes.
const LIMIT: Duration = Duration::from_secs(900);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// RDS shows a password as pending for some seconds while it begins to work. One that still waits after this time, with
/// the cluster idle, waits for the maintenance window.
const BEGINS_WITHIN: Duration = Duration::from_secs(30);

/// What was in the way until the time was over.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// It never logged in
    #[error(
        "RDS accepted the new master password of {username} on {arn}, but within {limit} no login with it worked \
         (status {status}{pending}): {last}"
    )]
    NoLogin { arn: Arn, username: RoleName, limit: Span, status: String, pending: String, last: String },
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
            Self::NoLogin { .. } => "The new master password does not log in",
            Self::Others { .. } => "Other changes are waiting",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        let resume = "The password is stored as the pending version of the secret; apply again to continue with it";
        Some(match self {
            Self::NoLogin { .. } => resume.to_owned(),
            Self::Others { .. } => {
                format!("Apply or withdraw the other changes, or wait for the maintenance window. {resume}")
            }
        })
    }
}

/// Tries the password until it logs in.
pub(super) async fn for_login(master: &Master<'_>, password: &Secret<String>) -> Result<(), Reports> {
    let start = Instant::now();
    let (mut pause, mut released) = (FIRST_PAUSE, false);
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
        if start.elapsed() >= LIMIT {
            return Err(no_login(master, target.as_ref(), last).into());
        }
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The database as it is now. An answer that does not come only costs the words about its status.
async fn look(master: &Master<'_>) -> Option<Target> {
    let described = master.lock.describe_now().await.ok()?;
    match found(master.lock.arn(), Takes::Writers, described) {
        Ok(Found::Target(target)) => Some(*target),
        _ => None,
    }
}

fn waits_for_the_window(target: &Target) -> bool {
    target.arn.kind == TargetKind::Cluster
        && target.status == "available"
        && target.pending_changes.iter().any(|change| change == PENDING_PASSWORD)
}

/// Applies a password that waits, as long as nothing else would be applied with it.
async fn release(master: &Master<'_>, target: &Target, password: &Secret<String>) -> Result<(), Reports> {
    let others: Vec<&str> =
        target.pending_changes.iter().map(String::as_str).filter(|change| *change != PENDING_PASSWORD).collect();
    if !others.is_empty() {
        return Err(Error::Others { arn: target.arn.clone(), others: others.join(", ") }.into());
    }
    Ok(master.lock.apply_master_password(password).await?)
}

fn no_login(master: &Master<'_>, target: Option<&Target>, last: String) -> Error {
    let pending = match target {
        Some(target) if !target.pending_changes.is_empty() => {
            format!(", pending {}", target.pending_changes.join(", "))
        }
        _ => String::new(),
    };
    Error::NoLogin {
        arn: master.target.arn.clone(),
        username: master.username.clone(),
        limit: Span::from_seconds(LIMIT.as_secs()),
        status: target.map_or_else(|| "unknown".to_owned(), |target| target.status.clone()),
        pending,
        last,
    }
}

/// Up to a quarter longer, so that many databases changed at once do not ask AWS in step.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0_u8];
    // Without randomness the pause is only less spread.
    let _ = getrandom::fill(&mut byte);
    pause + pause * u32::from(byte[0]) / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_quarter_longer_at_most() {
        let pause = Duration::from_secs(4);
        for _ in 0..100 {
            let longer = jittered(pause);
            assert!(longer >= pause && longer < Duration::from_secs(5), "{longer:?}");
        }
    }
}
