//! One writer per server, also across processes: a session-level advisory lock in a database that every process picks
//! by the same rule. Advisory locks are per database, so a lock in each covered database would not protect the roles,
//! which all databases share.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;
use tokio_postgres::Client;

use super::connect::{APPLICATION_NAME, Connection, Pool, run};
use super::error::{Failure, Remedy};
use super::quote::{Quoted, Sql, literal, number};
use crate::engine::Fault;
use crate::engine::connections::Seat;

/// The two halves of the key: `RDSA` in ASCII, and the purpose (1 = changes of roles).
const KEY: (i32, i32) = (0x5244_5341, 1);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
const STEP: &str = "waiting for the lock of this provider";
const HOLDING: &str = "holding the lock of this provider";

/// The writers of one login.
#[derive(Default)]
pub(super) struct Writers {
    /// The session of the one who writes now
    current: std::sync::Mutex<Weak<Client>>,
}

/// The lock, while this value lives. It ends with its session, so a process that dies frees it; a writer that is
/// cancelled or fails drops the session with it.
pub(super) struct WriterLock<'a> {
    writers: &'a Writers,
    pool: &'a Pool,
    session: Connection,
    seat: Seat,
    /// Given back last
    _queue: OwnedMutexGuard<()>,
}

impl Writers {
    /// Waits until nobody else changes roles on this server, in this process and in others.
    ///
    /// # Errors
    /// [`Fault::Blocked`] names the session that holds the lock when another process keeps it for longer than the pool is patient.
    pub(super) async fn lock<'a>(&'a self, pool: &'a Pool, database: &str) -> Result<WriterLock<'a>, Failure> {
        let queue = pool.writer().await;
        let seat = pool.lock_seat().await?;
        let mut session = pool.lock_session(database).await?;
        match acquire(&session.client, pool.patience, pool.round_trip).await {
            // The server ended a session that rested; a new one may work.
            Err(failure) if failure.remedy == Remedy::Retry => {
                session = pool.lock_session(database).await?;
                acquire(&session.client, pool.patience, pool.round_trip).await?;
            }
            done => done?,
        }
        self.note(&session);
        Ok(WriterLock { writers: self, pool, session, seat, _queue: queue })
    }

    fn note(&self, session: &Connection) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&session.client);
    }

    /// The session that holds the lock: without it nothing may be changed.
    ///
    /// # Errors
    /// When it has ended, so that somebody else may be the writer now. Another attempt takes the lock again.
    pub(super) fn holder(&self) -> Result<Arc<Client>, Failure> {
        let session = self.current.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        session.filter(|session| !session.is_closed()).ok_or_else(|| {
            let text = "the session that held it has ended".to_owned();
            Failure { fault: Fault::ConnectionLost { step: HOLDING.to_owned(), text }, remedy: Remedy::Retry }
        })
    }

    /// Waits until it is dropped, and notes meanwhile whom the writer's other sessions wait for. The session that holds
    /// the lock has nothing else to do, so that it costs no connection.
    pub(super) async fn watch(&self, pool: &Pool, holder: &mut Option<String>) -> Infallible {
        loop {
            tokio::time::sleep(pool.lock_wait / 4).await;
            let session = self.current.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
            let Some(session) = session else { continue };
            if let Ok(rows) = run(&session, &waited_for(), STEP, pool.round_trip).await
                && let Some(found) = rows.into_iter().next()
            {
                *holder = Some(found);
            }
        }
    }
}

impl WriterLock<'_> {
    /// Takes the lock again when its session has ended, or leads to a server that takes no writes since a failover.
    pub(super) async fn renew(&mut self, database: &str) -> Result<(), Failure> {
        let (pool, alive) = (self.pool, Sql::of("SELECT 1 WHERE NOT pg_is_in_recovery()", &[]));
        let answer = run(&self.session.client, &alive, HOLDING, pool.round_trip).await;
        if answer.is_ok_and(|rows| !rows.is_empty()) {
            return Ok(());
        }
        let session = pool.lock_session(database).await?;
        acquire(&session.client, pool.patience, pool.round_trip).await?;
        self.writers.note(&session);
        self.session = session;
        Ok(())
    }

    /// Frees the lock and leaves the session to the next writer.
    pub(super) async fn release(self) {
        let sql = Sql::of("SELECT pg_advisory_unlock({}, {})", &key());
        if run(&self.session.client, &sql, STEP, self.pool.round_trip).await.is_ok() {
            self.pool.keep_lock(self.seat, self.session);
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

/// Who keeps a session of ours waiting. Names and times of others are there for members of `pg_monitor`, which the
/// master user of RDS is.
fn waited_for() -> Sql {
    Sql::of(
        "SELECT concat_ws(', ', CASE b.pid WHEN 0 THEN 'a prepared transaction' ELSE 'process ' || b.pid END, \
           nullif(a.application_name, ''), 'user ' || a.usename, a.state, \
           'in a transaction since ' || to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC') \
         FROM pg_stat_activity AS w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b(pid) \
         LEFT JOIN pg_stat_activity AS a ON a.pid = b.pid \
         WHERE w.usename = current_user AND w.application_name = {} AND w.pid <> pg_backend_pid() \
         ORDER BY a.xact_start LIMIT 1",
        &[literal(APPLICATION_NAME)],
    )
}

fn key() -> [Quoted; 2] {
    [number(KEY.0), number(KEY.1)]
}
