//! Noticing that the host died without a word.

use std::time::Duration;

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(2);

/// The process that started this one. When it dies, the system gives this process another parent.
///
/// Linux could send a signal instead, but it sends it when the *thread* that started us ends, and programs in Go end
/// threads at will. A closed connection means nothing either: hosts may close an idle one and dial again.
#[derive(Debug)]
pub(super) struct Parent(u32);

impl Parent {
    /// Whoever is the parent now; take it early.
    pub(super) fn current() -> Self {
        Self(parent_id())
    }

    /// Returns when the parent has died.
    pub(super) async fn gone(&self) {
        while parent_id() == self.0 {
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

#[cfg(unix)]
fn parent_id() -> u32 {
    std::os::unix::process::parent_id()
}

/// Windows does not give orphans a new parent.
#[cfg(not(unix))]
fn parent_id() -> u32 {
    0
}
