//! One writer per server, also across processes: a session-level advisory lock in a database that every process picks
//! by the same rule. Advisory locks are per database, so a lock in each covered database would not protect the roles,
//! which all databases share.

use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::Client;

use super::connect::{Pool, run};
use super::error::{Failure, Remedy};
use super::quote::{Quoted, Sql, number};
use crate::engine::Fault;

/// The two halves of the key: `RDSA` in ASCII, and the purpose (1 = changes of roles).
const KEY: (i32, i32) = (0x5244_5341, 1);
/// How long a writer in another process is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
const STEP: &str = "waiting for the lock of this provider";

/// The queue of this process's writers, with the session that the last one left.
#[derive(Default)]
pub(super) struct Writers(Mutex<Option<Client>>);

/// The lock, while this value lives. It ends with its session, so a process that dies frees it; a writer that is
/// cancelled or fails drops the session with it.
pub(super) struct WriterLock<'a> {
    queue: MutexGuard<'a, Option<Client>>,
    session: Client,
    round_trip: Duration,
}

impl Writers {
    /// Waits until nobody else changes roles on this server, in this process and in others.
    ///
    /// # Errors
    /// [`Fault::Blocked`] names the session that holds the lock when another process keeps it for two minutes.
    pub(super) async fn lock(&self, pool: &Pool, database: &str) -> Result<WriterLock<'_>, Failure> {
        let mut queue = self.0.lock().await;
        let round_trip = pool.round_trip;
        if let Some(session) = queue.take() {
            match acquire(&session, PATIENCE, round_trip).await {
                Ok(()) => return Ok(WriterLock { queue, session, round_trip }),
                // The server ended the session meanwhile; a new one may work.
                Err(failure) if failure.remedy == Remedy::Retry => {}
                Err(failure) => return Err(failure),
            }
        }
        let session = pool.reserved(database).await?;
        acquire(&session, PATIENCE, round_trip).await?;
        Ok(WriterLock { queue, session, round_trip })
    }
}

impl WriterLock<'_> {
    /// Frees the lock and leaves the session to the next writer.
    pub(super) async fn release(mut self) {
        let sql = Sql::of("SELECT pg_advisory_unlock({}, {})", &key());
        if run(&self.session, &sql, STEP, self.round_trip).await.is_ok() {
            *self.queue = Some(self.session);
        }
    }
}

async fn acquire(session: &Client, patience: Duration, round_trip: Duration) -> Result<(), Failure> {
    let attempt = Sql::of("SELECT pg_try_advisory_lock({}, {})", &key());
    let start = Instant::now();
    while run(session, &attempt, STEP, round_trip).await?.first().map(String::as_str) != Some("t") {
        if start.elapsed() >= patience {
            return Err(blocked(session, round_trip).await);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn blocked(session: &Client, round_trip: Duration) -> Failure {
    let holder = Sql::of(
        "SELECT concat_ws(', ', 'process ' || l.pid, a.application_name, 'user ' || a.usename, \
           'from ' || host(a.client_addr), 'since ' || a.backend_start) \
         FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.classid::int8 = {} AND l.objid::int8 = {} \
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        &key(),
    );
    let text = match run(session, &holder, STEP, round_trip).await {
        Ok(rows) => rows.into_iter().next().unwrap_or_else(|| "nobody any more".to_owned()),
        Err(failure) => failure.fault.to_string(),
    };
    Fault::Blocked { step: STEP.to_owned(), text: format!("it is held by {text}") }.into()
}

fn key() -> [Quoted; 2] {
    [number(KEY.0), number(KEY.1)]
}
