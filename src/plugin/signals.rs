//! What Ctrl-C and a request to terminate mean.
//!
//! A host and its plugins are one process group, so the terminal sends Ctrl-C to all of them, and a supervisor often
//! does the same with SIGTERM. The host then winds down in order: it asks running calls to stop, waits for them, closes
//! what is open and shuts the plugin down. A plugin that left by itself would break that and lose what it has made.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM. From the moment this exists they do not end the process.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

#[cfg(unix)]
impl Signals {
    /// Takes both signals over from the system.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Returns at the next of both signals.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(windows)]
#[derive(Debug)]
pub(super) struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    /// Takes Ctrl-C over from the system.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub(super) fn install() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    /// Returns at the next Ctrl-C.
    pub(super) async fn next(&mut self) {
        self.0.recv().await;
    }
}

impl Signals {
    /// Swallows the signals for good.
    pub(super) async fn ignore(mut self) {
        loop {
            self.next().await;
            tracing::debug!("a signal was ignored: the host decides when this process ends");
        }
    }
}
