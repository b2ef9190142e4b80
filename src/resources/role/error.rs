//! What is in the way of a change.

use crate::access::Arn;
use crate::report::Explain;

/// What is in the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The name is taken
    #[error("on {arn} {words}")]
    Foreign { arn: Arn, words: String },
    /// The promise of the plan
    #[error("the role `{name}` on {arn} is not what the plan promised: {}", .gaps.join("; "))]
    Broken { arn: Arn, name: String, gaps: Vec<String> },
    /// Chosen databases that are not there
    #[error("on {arn} these databases cannot be covered: {}", .missing.join("; "))]
    NoDatabase { arn: Arn, missing: Vec<String> },
    /// The proof failed
    #[error("{arn} accepted a new password for `{name}` and then refused a login with it")]
    NotProven { arn: Arn, name: String },
    /// The plan is out of date
    #[error("the credential of `{name}` on {arn} is not as it was when the change was planned")]
    Moved { arn: Arn, name: String },
    /// A state that lacks a part
    #[error("`{0}` is missing in the state of this role")]
    Incomplete(&'static str),
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::Foreign { .. } => "The name of the role is taken",
            Self::Broken { .. } => "The role is not complete",
            Self::NoDatabase { .. } => "A chosen database cannot be covered",
            Self::NotProven { .. } => "The new password does not work",
            Self::Moved { .. } => "The plan is out of date",
            Self::Incomplete(_) => "Incomplete state",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        Some(
            match self {
                Self::Foreign { .. } => "Choose another `name`, or import the role as `<target_arn>|<role name>`",
                Self::Broken { .. } => {
                    "Plan again to see what is there now. What cannot be repaired is listed in `uncovered`"
                }
                Self::NoDatabase { .. } => "Correct `databases` and `grants`, or create them first",
                Self::NotProven { .. } => {
                    "Check what else decides about logins: pg_hba rules, expiry, locks. The password is stored as \
                     pending; apply again to continue"
                }
                Self::Moved { .. } => "Plan again. Nothing was changed",
                Self::Incomplete(_) => "Remove it from state and import it",
            }
            .to_owned(),
        )
    }
}
