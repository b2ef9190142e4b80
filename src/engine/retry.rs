//! Which failures are worth another try, and how long to wait before it: one rule for the engines whose drivers name a
//! failure by a number.

use std::time::{Duration, Instant};

use crate::access::between;

/// How often a step is tried again.
const RETRIES: u32 = 8;
/// First pause between tries; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What can be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Lock wait or deadlock: read again, plan again, try again
    Conflict,
    /// Somebody else changed the same thing first: read again and converge
    Converge,
    /// The node takes no writes: it may be the old writer of a failover
    ReadOnly,
    /// The connection broke or the server is going down: what was sent may have been executed
    Lost,
    /// The server starts, or has no free connection
    Busy,
    /// One database cannot be entered; the server can
    Closed,
    /// No connection could be made
    Unreachable,
    /// User or password refused: nothing else, because callers set another password then
    Login,
    /// A right is missing
    Denied,
    /// Nothing to be done here
    Final,
}

/// Decides whether a failure is worth another try, and waits before it.
pub(super) struct Retry {
    tries: u32,
    patience: Duration,
    /// When the first failure came
    since: Option<Instant>,
    /// A session broke before, so that an unreachable server may be one that restarts
    broken: bool,
}

impl Retry {
    /// Gives up when this time has passed since the first failure.
    pub(super) fn new(patience: Duration) -> Self {
        Self { tries: 0, patience, since: None, broken: false }
    }

    /// Waits, or gives the failure back.
    ///
    /// # Errors
    /// A failure that no other try can change, or one too many.
    pub(super) async fn after<F>(&mut self, class: Class, failure: F) -> Result<(), F> {
        self.broken |= matches!(class, Class::Lost | Class::ReadOnly);
        let in_time = self.since.get_or_insert_with(Instant::now).elapsed() < self.patience;
        let again = match class {
            Class::Conflict | Class::Converge | Class::Busy | Class::Lost => self.tries < RETRIES && in_time,
            // During a failover the old writer answers as read-only and then not at all.
            Class::ReadOnly => in_time,
            Class::Unreachable => self.broken && in_time,
            Class::Closed | Class::Login | Class::Denied | Class::Final => false,
        };
        if !again {
            return Err(failure);
        }
        pause(self.tries).await;
        self.tries += 1;
        Ok(())
    }
}

/// Waits after so many tries before the one that failed now: between half and all of the pause, so that writers that
/// met once do not meet again.
pub(super) async fn pause(tries: u32) {
    let most = (FIRST_PAUSE * 2_u32.pow(tries.min(6))).min(LONGEST_PAUSE);
    tokio::time::sleep(between(most / 2, most)).await;
}
