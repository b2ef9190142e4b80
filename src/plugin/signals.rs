//! What Ctrl-C and a request to terminate mean.
//!
//! A host and its plugins are one process group, so the terminal sends Ctrl-C to all of them, and a supervisor often
//! does the same with SIGTERM. The host then winds down in order: it asks running calls to stop, waits for them, closes
//! what is open and shuts the plugin down. A plugin that left by itself would break that and lose what it has made.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Swallows both signals for as long as it is polled.
pub(super) async fn ignore() {
    loop {
        interrupted().await;
        tracing::debug!("a signal was ignored: the host decides when this process ends");
    }
}

/// Returns at the first of both signals; never when the system lets us install no handler.
#[cfg(unix)]
pub(super) async fn interrupted() {
    tokio::select! {
        () = received(SignalKind::interrupt()) => {}
        () = received(SignalKind::terminate()) => {}
    }
}

/// Returns at Ctrl-C.
#[cfg(not(unix))]
pub(super) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut stream) => next(&mut stream).await,
        Err(error) => {
            tracing::warn!(%error, "cannot handle a signal");
            std::future::pending().await
        }
    }
}

#[cfg(unix)]
async fn next(stream: &mut Signal) {
    if stream.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}
