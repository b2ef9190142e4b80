//! Changes that nobody waits for any more: the server is told to stop, and the writer's lock is held until it has. A
//! server that is slow would otherwise commit what was given up, beside the next writer.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::Failure;
use super::quote::Sql;
use crate::engine::Fault;

/// How long a request to stop may take to be delivered.
const DELIVERY: Duration = Duration::from_secs(10);
/// How long the server has to say that it has stopped, before the failure is reported without that.
const STOPPING: Duration = Duration::from_secs(30);
/// When the request is sent again: one that overtakes the statements finds nothing to stop.
const AGAIN: Duration = Duration::from_secs(1);

/// One transaction on its way. When this value goes without an answer, as with a caller who is cancelled, the server is
/// told to stop; whoever holds the lock then keeps it until that is done.
pub(super) struct Change {
    client: Arc<Client>,
    tls: Option<MakeRustlsConnect>,
    /// The session with the writer's lock, which ends with the last of those who hold it
    lock: Option<Arc<Client>>,
    limit: Duration,
}

impl Change {
    /// Nothing is sent yet. `limit` is the time for the answer.
    pub(super) fn new(client: Arc<Client>, tls: Option<MakeRustlsConnect>, lock: Arc<Client>, limit: Duration) -> Self {
        Self { client, tls, lock: Some(lock), limit }
    }

    /// Sends it and waits for the answer. What did not answer in time has been stopped when this returns, or the
    /// failure says that this is unknown.
    pub(super) async fn run(mut self, sql: &Sql, step: &str) -> Result<(), Failure> {
        let client = Arc::clone(&self.client);
        let mut answer = pin!(client.simple_query(sql.as_str()));
        let Ok(done) = timeout(self.limit, &mut answer).await else {
            cancel(&client, self.tls.clone(), self.limit).await;
            let stopped = timeout(self.limit.min(STOPPING), &mut answer).await;
            let late = Failure::timed_out(step, self.limit);
            return match stopped {
                // It came to its end before it could be stopped.
                Ok(Ok(_)) => {
                    self.lock = None;
                    Ok(())
                }
                Ok(Err(error)) if error.as_db_error().is_some() => {
                    self.lock = None;
                    Err(late)
                }
                Ok(Err(_)) | Err(_) => Err(late.with(of_unknown_end)),
            };
        };
        // The server may still be at work for a connection that broke.
        if done.as_ref().is_err_and(|error| error.as_db_error().is_none()) {
            cancel(&client, self.tls.clone(), self.limit).await;
        }
        self.lock = None;
        done.map(drop).map_err(|error| Failure::running(&error, step))
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        let Some(lock) = self.lock.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        let (client, tls, limit) = (Arc::clone(&self.client), self.tls.clone(), self.limit);
        runtime.spawn(async move {
            let _given_up = timeout(limit, stop(&client, tls, limit)).await;
            drop(lock);
        });
    }
}

/// Asks the server to stop until the session answers again.
async fn stop(client: &Client, tls: Option<MakeRustlsConnect>, limit: Duration) {
    let mut ended = pin!(client.simple_query("ROLLBACK"));
    loop {
        cancel(client, tls.clone(), limit).await;
        if timeout(AGAIN, &mut ended).await.is_ok() {
            return;
        }
    }
}

async fn cancel(client: &Client, tls: Option<MakeRustlsConnect>, limit: Duration) {
    let token = client.cancel_token();
    let request = async {
        match tls {
            Some(tls) => token.cancel_query(tls).await,
            None => token.cancel_query(NoTls).await,
        }
    };
    match timeout(limit.min(DELIVERY), request).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("the server could not be told to stop: {error}"),
        Err(_) => tracing::debug!("the server could not be told to stop in time"),
    }
}

fn of_unknown_end(fault: Fault) -> Fault {
    match fault {
        Fault::ConnectionLost { step, text } => {
            let text = format!("{text}, and the server did not say that it stopped: it may still carry this out");
            Fault::ConnectionLost { step, text }
        }
        other => other,
    }
}
