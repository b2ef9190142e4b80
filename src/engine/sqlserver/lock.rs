//! The lock that one writer holds, and who else has it.

use super::SqlServer;
use super::catalog::{number, text};
use super::connect::Reserved;
use super::error::Failure;
use super::quote::{Statement, literal};
use crate::engine::Fault;
use crate::engine::retry::Class;

/// Name of the lock that one writer holds, in `master`.
const LOCK: &str = "rdsaccess.roles";

impl SqlServer {
    /// The lock of one writer. It ends with its session, so a run that dies frees it.
    pub(super) async fn lock(&self) -> Result<WriterLock, Failure> {
        let mut session = self.pool.reserved().await?;
        let sql = format!(
            "DECLARE @taken int; EXEC @taken = sys.sp_getapplock @Resource = {}, @LockMode = 'Exclusive', \
             @LockOwner = 'Session', @LockTimeout = {}; SELECT @taken;",
            literal(LOCK),
            self.patience.as_millis()
        );
        let results = session.run(&Statement::new("waiting for the lock of the writer", sql)).await?;
        let taken = results.last().and_then(|rows| rows.first()).and_then(|row| number(row, 0));
        if taken.is_some_and(|taken| taken >= 0) { Ok(WriterLock(session)) } else { Err(holder(&mut session).await) }
    }
}

/// The lock, while this value lives.
pub(super) struct WriterLock(Reserved);

impl WriterLock {
    /// Gives the lock back at once; without this the server notices the closed connection a little later.
    pub(super) async fn release(mut self) -> Result<(), Failure> {
        let resource = literal(LOCK);
        let sql = format!("EXEC sys.sp_releaseapplock @Resource = {resource}, @LockOwner = 'Session';");
        self.0.run(&Statement::new("giving back the lock of the writer", sql)).await.map(drop)
    }
}

/// Who holds the lock, for the error.
async fn holder(session: &mut Reserved) -> Failure {
    let step = "waiting for the lock of the writer";
    let sql = format!(
        "SELECT s.session_id, s.login_name, s.program_name, s.host_name FROM sys.dm_tran_locks AS l \
         JOIN sys.dm_exec_sessions AS s ON s.session_id = l.request_session_id \
         WHERE l.resource_type = 'APPLICATION' AND l.request_status = 'GRANT' \
         AND CHARINDEX({}, l.resource_description) > 0;",
        literal(LOCK)
    );
    let text = match session.run(&Statement::new("looking who holds the lock of the writer", sql)).await {
        Ok(results) => match results.first().and_then(|rows| rows.first()) {
            Some(row) => format!(
                "it is held by session {} of {} ({}, from {})",
                number(row, 0).unwrap_or_default(),
                text(row, 1),
                text(row, 2),
                text(row, 3)
            ),
            None => "it was held until now".to_owned(),
        },
        Err(failure) => format!("who holds it is not visible: {}", failure.fault),
    };
    Failure { class: Class::Final, code: 0, fault: Fault::Blocked { step: step.to_owned(), text } }
}
