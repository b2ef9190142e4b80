//! What the driver and the server say, turned into the classes of [`Fault`] and into a decision to try again.

use std::error::Error as StdError;
use std::time::Duration;

use tokio_postgres::error::{DbError, Error as DriverError, SqlState};

use crate::engine::Fault;
use crate::report::with_causes;

/// A fault and what can be done about it.
#[derive(Debug)]
pub(super) struct Failure {
    /// For the person
    pub(super) fault: Fault,
    /// For the code
    pub(super) remedy: Remedy,
}

/// What can be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Nothing: tell the person
    Report,
    /// Read again, compute the change anew, send it again
    Retry,
    /// Only this database cannot be entered; the server and the user are fine
    OtherDatabase,
}

impl Failure {
    /// An attempt to log in that failed.
    pub(super) fn connecting(error: &DriverError) -> Self {
        let remedy = if is_closed_database(error) { Remedy::OtherDatabase } else { Remedy::Report };
        Self { fault: connecting(error), remedy }
    }

    /// A statement that failed; `step` says what was being done, as a participle.
    pub(super) fn running(error: &DriverError, step: &str) -> Self {
        let remedy = if is_retryable(error) { Remedy::Retry } else { Remedy::Report };
        let fault = match error.as_db_error() {
            Some(db) => statement(db, step),
            None => Fault::ConnectionLost { step: step.to_owned(), text: with_causes(error) },
        };
        Self { fault, remedy }
    }

    /// The same with another fault.
    pub(super) fn with(self, change: impl FnOnce(Fault) -> Fault) -> Self {
        Self { fault: change(self.fault), remedy: self.remedy }
    }

    /// Adds who held the lock, when that is known and the failure is about it.
    pub(super) fn held_by(self, holder: Option<String>) -> Self {
        self.with(|fault| match (fault, holder) {
            (Fault::Blocked { step, text }, Some(holder)) => {
                Fault::Blocked { step, text: format!("{text}; the lock is held by {holder}") }
            }
            (fault, _) => fault,
        })
    }

    /// No answer came in time. Another attempt would wait as long again.
    pub(super) fn timed_out(step: &str, limit: Duration) -> Self {
        let text = format!("no answer within {} seconds", limit.as_secs());
        Fault::ConnectionLost { step: step.to_owned(), text }.into()
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { fault, remedy: Remedy::Report }
    }
}

fn connecting(error: &DriverError) -> Fault {
    let Some(db) = error.as_db_error() else {
        let text = with_causes(error);
        return if is_tls(error) || text.contains("TLS") { Fault::Tls(text) } else { Fault::Unreachable(text) };
    };
    let text = describe(db);
    match login_answer(db.code().code()) {
        LoginAnswer::WrongPassword => Fault::LoginRefused(text),
        LoginAnswer::Barred => Fault::LoginBarred(text),
        LoginAnswer::Busy => Fault::Unreachable(text),
        LoginAnswer::Other => statement(db, "logging in"),
    }
}

/// What a SQLSTATE says about an attempt to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoginAnswer {
    /// The password is not that of the user, or there is no such user: the server does not say which
    WrongPassword,
    /// The user may not log in like this, whatever the password
    Barred,
    /// The server starts, or all its connections are taken
    Busy,
    /// What a statement may meet as well
    Other,
}

/// The one list. Class 28000 also reports a missing line of `pg_hba.conf`, PAM, and a role without LOGIN; none of them
/// says that the password is wrong.
fn login_answer(sqlstate: &str) -> LoginAnswer {
    match sqlstate {
        "28P01" => LoginAnswer::WrongPassword,
        _ if sqlstate.starts_with("28") => LoginAnswer::Barred,
        "57P03" | "53300" => LoginAnswer::Busy,
        _ => LoginAnswer::Other,
    }
}

fn statement(db: &DbError, step: &str) -> Fault {
    let (step, text) = (step.to_owned(), describe(db));
    match db.code().code() {
        "42501" => Fault::Denied { step, text },
        "25006" => Fault::ReadOnly(text),
        "57P01" | "57P02" | "57P03" => Fault::ConnectionLost { step, text },
        _ if db.code().code().starts_with("08") => Fault::ConnectionLost { step, text },
        _ if is_conflict(db) => Fault::Blocked { step, text },
        _ => Fault::Statement { step, text },
    }
}

/// The server's words with its code. Neither the statement nor the failing row is taken over.
fn describe(db: &DbError) -> String {
    let mut text = format!("{} (SQLSTATE {})", db.message(), db.code().code());
    if let Some(hint) = db.hint() {
        text.push_str("; ");
        text.push_str(hint);
    }
    text
}

/// Whether a change that failed may be computed anew and sent again: a conflict with another session, or something
/// that came or went since the catalog was read, or a server that is shutting down or has just become a standby. A
/// closed list.
fn is_retryable(error: &DriverError) -> bool {
    match error.as_db_error() {
        Some(db) => is_conflict(db) || may_be_retried(db.code().code()),
        None => true,
    }
}

fn is_conflict(db: &DbError) -> bool {
    match db.code().code() {
        "40P01" | "40001" | "55P03" => true,
        "XX000" => db.message().contains("tuple concurrently"),
        "23505" => {
            ["pg_authid", "pg_auth_members", "pg_default_acl"].iter().any(|catalog| db.message().contains(catalog))
        }
        _ => false,
    }
}

/// Codes that need no look at the text: an object, schema, function, column or role that vanished, or a role that
/// somebody else has just made; a node that takes no writes; a server that goes down or comes up; a broken connection.
fn may_be_retried(sqlstate: &str) -> bool {
    const VANISHED: [&str; 6] = ["42P01", "3F000", "42883", "42703", "42704", "42710"];
    const FAILING_OVER: [&str; 4] = ["25006", "57P01", "57P02", "57P03"];
    VANISHED.contains(&sqlstate) || FAILING_OVER.contains(&sqlstate) || sqlstate.starts_with("08")
}

/// Whether the login succeeded and only the database could not be entered, or the role has as many sessions as it may
/// have. The server checks the password before it looks at either.
pub(super) fn is_after_authentication(error: &DriverError) -> bool {
    let limited = || error.as_db_error().and_then(DbError::routine).is_some_and(|r| LIMITS_OF_ONE.contains(&r));
    match sqlstate(error) {
        Some("3D000" | "42501" | "55000") => true,
        Some("53300") => limited(),
        _ => false,
    }
}

/// The places in the server that count the sessions of one role and of one database; its words may be translated.
const LIMITS_OF_ONE: [&str; 2] = ["InitializeSessionUserId", "CheckMyDatabase"];

/// Whether the database itself cannot be entered, while the server and the user are fine.
fn is_closed_database(error: &DriverError) -> bool {
    matches!(sqlstate(error), Some("3D000" | "42501" | "55000"))
}

/// Whether waiting may help: the server starts, or all its connections are taken.
pub(super) fn is_busy(error: &DriverError) -> bool {
    sqlstate(error).map(login_answer) == Some(LoginAnswer::Busy)
}

fn sqlstate(error: &DriverError) -> Option<&str> {
    error.code().map(SqlState::code)
}

fn is_tls(error: &DriverError) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inner.is::<rustls::Error>() || io.is_some_and(|e| e.is::<rustls::Error>()) {
            return true;
        }
        cause = inner.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_what_is_tried_again_is_closed() {
        for code in ["42704", "42710", "25006", "57P01", "57P02", "57P03", "08006", "08P01"] {
            assert!(may_be_retried(code), "{code}");
        }
        for code in ["42501", "57014", "28P01", "28000", "42601", "2BP01", "53100", "XX000", "22023", "0LP01", "54000"]
        {
            assert!(!may_be_retried(code), "{code}");
        }
    }

    #[test]
    fn only_one_code_says_that_the_password_is_wrong() {
        for (code, answer) in [
            ("28P01", LoginAnswer::WrongPassword),
            ("28000", LoginAnswer::Barred),
            ("57P03", LoginAnswer::Busy),
            ("53300", LoginAnswer::Busy),
            ("3D000", LoginAnswer::Other),
            ("42501", LoginAnswer::Other),
            ("08P01", LoginAnswer::Other),
            ("XX000", LoginAnswer::Other),
        ] {
            assert_eq!(login_answer(code), answer, "{code}");
        }
    }
}
