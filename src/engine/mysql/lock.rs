//! The lock that one writer holds, and who else is in the way.

use mysql_async::Value;

use super::Mysql;
use super::connect::{Dialect, Session};
use super::error::Failure;
use super::quote::{Statement, literal};
use crate::access::list_names;
use crate::engine::Fault;
use crate::engine::retry::Retry;

/// Name of the server-wide lock that one writer holds; at most 64 characters.
const LOCK: &str = "rdsaccess.roles";
/// What is done meanwhile.
const WAITING: &str = "waiting for the lock of the writer";
/// Seconds that one statement waits for a lock of somebody else at most. The server's own limit is a year.
const LOCK_WAIT: u64 = 30;
/// Lock wait timeout; on MariaDB the time of the statement, see [`waits`].
const TIMED_OUT: [u16; 2] = [1205, 1969];

/// Who holds what a change of accounts waits for: the global read lock, the backup lock, or tables of the grants. What
/// only reads or announces writes is not in the way.
const HOLDERS: &str = "SELECT DISTINCT t.PROCESSLIST_ID, t.PROCESSLIST_USER, IFNULL(t.PROCESSLIST_HOST, ''), \
     LOWER(CONCAT(m.OBJECT_TYPE, ' ', m.LOCK_TYPE)) \
     FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID \
     WHERE m.LOCK_STATUS = 'GRANTED' AND t.PROCESSLIST_ID <> CONNECTION_ID() \
     AND m.LOCK_TYPE NOT IN ('INTENTION_EXCLUSIVE', 'SHARED_READ', 'SHARED_HIGH_PRIO') \
     AND (m.OBJECT_TYPE IN ('GLOBAL', 'COMMIT', 'BACKUP LOCK', 'BACKUP') OR m.OBJECT_SCHEMA = 'mysql')";
/// Sessions of people and programs, for a server that does not tell who holds a lock.
const SESSIONS: &str = "SELECT ID, USER, HOST, CONCAT(LOWER(COMMAND), ' for ', TIME, ' s') \
     FROM information_schema.processlist WHERE ID <> CONNECTION_ID() AND USER NOT IN ('system user', 'event_scheduler') \
     AND COMMAND NOT IN ('Daemon', 'Binlog Dump', 'Binlog Dump GTID') ORDER BY TIME DESC";

impl Mysql {
    /// A session that holds the writer's lock. The lock ends with the session, so a run that dies frees it.
    pub(super) async fn locked_session(&self) -> Result<Session<'_>, Failure> {
        let mut session = self.sessions.session().await?;
        let patience = self.patience.as_secs();
        let lock = Statement::new(WAITING, format!("SELECT GET_LOCK({}, {patience})", literal(LOCK)));
        let (before, after) = waits(session.dialect(), patience.clamp(1, LOCK_WAIT));
        let statements: Vec<Statement> = before.into_iter().chain([lock, after]).collect();
        let rows = session.batch(&statements).await?;
        let taken = rows.into_iter().flatten().next().and_then(|mut row| row.take::<Option<i64>, _>(0)).flatten();
        if taken == Some(1) { Ok(session) } else { Err(holder(&mut session).await?) }
    }

    /// Gives the lock back and keeps the session.
    pub(super) async fn unlock(&self, mut session: Session<'_>) -> Result<(), Failure> {
        let sql = format!("DO RELEASE_LOCK({})", literal(LOCK));
        session.run(&Statement::new("giving back the lock of the writer", sql)).await?;
        session.rest();
        Ok(())
    }

    /// Waits before another try; gives the failure back when there is none, with the holder of a foreign lock.
    pub(super) async fn again(&self, retry: &mut Retry, failure: Failure) -> Result<(), Failure> {
        match retry.after(failure.class, failure).await {
            Err(Failure { class, code, fault: Fault::Blocked { step, text } }) if TIMED_OUT.contains(&code) => {
                let text = match self.in_the_way().await {
                    Some(holders) => format!("{text}; {holders}"),
                    None => text,
                };
                Err(Failure { class, code, fault: Fault::Blocked { step, text } })
            }
            other => other,
        }
    }

    /// Who holds a lock that a change of accounts waits for, in words. Best effort: a failure here must not hide the one
    /// that is explained.
    async fn in_the_way(&self) -> Option<String> {
        let mut session = self.sessions.session().await.ok()?;
        let step = "looking for the holder of a lock";
        let holders = session.run(&Statement::new(step, HOLDERS)).await.map(sessions).unwrap_or_default();
        if !holders.is_empty() {
            session.rest();
            return Some(format!("held by {}", list_names(&holders)));
        }
        let candidates = sessions(session.run(&Statement::new(step, SESSIONS)).await.ok()?);
        session.rest();
        (!candidates.is_empty()).then(|| {
            let names = list_names(&candidates);
            format!("performance_schema does not show who holds the lock; one of these does: {names}")
        })
    }
}

/// Bounds the waits for locks of somebody else, before and after the lock of the writer is taken. MariaDB does not bound
/// a change of accounts by `lock_wait_timeout`, only by the time of the whole statement.
fn waits(dialect: Dialect, seconds: u64) -> (Option<Statement>, Statement) {
    let setting = |sql: String| Statement::new("setting how long to wait for locks", sql);
    let locks = format!("SET SESSION lock_wait_timeout = {seconds}, SESSION innodb_lock_wait_timeout = {seconds}");
    if dialect.mariadb {
        let unbounded = setting("SET SESSION max_statement_time = 0".to_owned());
        (Some(unbounded), setting(format!("{locks}, SESSION max_statement_time = {seconds}")))
    } else {
        (None, setting(locks))
    }
}

/// Rows of id, user, host and what is done, in words.
fn sessions(rows: Vec<mysql_async::Row>) -> Vec<String> {
    let rows = rows.into_iter().filter_map(|row| mysql_async::from_row_opt::<(u64, String, String, String)>(row).ok());
    rows.map(|(id, user, host, what)| format!("session {id} of user {user} from {host} ({what})")).collect()
}

/// Who holds the writer's lock, as a failure.
async fn holder(session: &mut Session<'_>) -> Result<Failure, Failure> {
    let sql =
        format!("SELECT ID, USER, HOST FROM information_schema.processlist WHERE ID = IS_USED_LOCK({})", literal(LOCK));
    let rows = session.run(&Statement::new(WAITING, sql)).await?;
    let who = rows.into_iter().next().map(mysql_async::from_row_opt::<(u64, String, Value)>);
    let text = match who {
        Some(Ok((id, user, Value::Bytes(host)))) => format!(
            "another run of this provider is changing roles: session {id} of user {user} from {}",
            String::from_utf8_lossy(&host)
        ),
        _ => "another run of this provider is changing roles".to_owned(),
    };
    Ok(Failure::last(Fault::Blocked { step: WAITING.to_owned(), text }))
}
