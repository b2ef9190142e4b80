//! When and how the process ends.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::calls::Calls;

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The host has no more work
    Shutdown,
    /// The host died; nobody waits for the answers, but what was begun should not be left half done
    ParentGone,
    /// A person interrupted a process that was started for debugging
    Interrupted,
}

impl Reason {
    /// How long the calls in flight may still run. A host kills 2 s after a shutdown.
    fn grace(self) -> Duration {
        match self {
            Self::Shutdown => Duration::from_millis(500),
            Self::ParentGone => Duration::from_secs(30),
            Self::Interrupted => Duration::from_secs(5),
        }
    }
}

/// The life of the process, shared by everything that can end it and everything that ends with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Lifetime {
    ending: CancellationToken,
    reason: Arc<OnceLock<Reason>>,
    calls: Calls,
}

impl Lifetime {
    /// Begins to end. The first reason counts.
    pub(super) fn end(&self, reason: Reason) {
        if self.reason.set(reason).is_ok() {
            tracing::debug!(?reason, calls = self.calls.running(), "the process ends");
        }
        self.ending.cancel();
    }

    /// Fires when the process begins to end.
    pub(super) fn ending(&self) -> CancellationToken {
        self.ending.clone()
    }

    /// The calls in flight.
    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Returns when the end can be put off no longer.
    pub(super) async fn grace_is_over(&self) {
        self.ending.cancelled().await;
        let grace = self.reason.get().map_or(Duration::ZERO, |reason| reason.grace());
        tokio::time::sleep(grace).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_reason_sets_the_grace() {
        let lifetime = Lifetime::default();
        lifetime.end(Reason::ParentGone);
        lifetime.end(Reason::Shutdown);
        let start = Instant::now();
        lifetime.grace_is_over().await;
        assert!(start.elapsed() >= Duration::from_secs(30), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_shutdown_the_process_is_gone_before_the_host_kills_it() {
        let lifetime = Lifetime::default();
        let start = Instant::now();
        lifetime.end(Reason::Shutdown);
        lifetime.grace_is_over().await;
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}
