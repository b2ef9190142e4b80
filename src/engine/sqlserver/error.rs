//! What the driver and the server say, turned into a [`Fault`], and the closed list of what is worth another try.

use tiberius::error::{Error as Driver, IoErrorKind};

use crate::engine::Fault;
use crate::engine::retry::Class;

/// A fault with what can be done about it.
#[derive(Debug)]
pub(super) struct Failure {
    /// What can be done
    pub(super) class: Class,
    /// The server's error number, 0 when it came from elsewhere
    pub(super) code: u32,
    /// What happened
    pub(super) fault: Fault,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let class = if matches!(fault, Fault::Unreachable(_)) { Class::Unreachable } else { Class::Final };
        Self { class, code: 0, fault }
    }
}

impl Failure {
    /// A statement did not end in time, so whether it was executed is unknown.
    pub(super) fn timed_out(step: &str, seconds: u64) -> Self {
        let text = format!("no answer within {seconds} seconds");
        Self { class: Class::Lost, code: 0, fault: Fault::ConnectionLost { step: step.to_owned(), text } }
    }

    /// What a statement met.
    pub(super) fn of_statement(step: &str, error: &Driver) -> Self {
        let step = step.to_owned();
        let Driver::Server(server) = error else {
            let text = error.to_string();
            return Self { class: Class::Lost, code: 0, fault: Fault::ConnectionLost { step, text } };
        };
        let (code, class) = (server.code(), classify(server.code()));
        let text = text(code, server.message());
        let fault = match class {
            Class::Conflict => Fault::Blocked { step, text },
            Class::ReadOnly => Fault::ReadOnly(text),
            Class::Lost | Class::Busy => Fault::ConnectionLost { step, text },
            Class::Denied | Class::Closed | Class::Login => Fault::Denied { step, text },
            Class::Final if UNFIT.contains(&code) => Fault::Unfit(text),
            Class::Converge | Class::Unreachable | Class::Final => Fault::Statement { step, text },
        };
        Self { class, code, fault }
    }

    /// What a login met.
    pub(super) fn of_login(error: &Driver) -> Self {
        match error {
            Driver::Server(server) => {
                let (class, fault) = login_refusal(server.code(), text(server.code(), server.message()));
                Self { class, code: server.code(), fault }
            }
            Driver::Io { kind: IoErrorKind::UnexpectedEof | IoErrorKind::ConnectionReset, message } => {
                // A server that starts closes what it does not serve yet.
                Self { class: Class::Busy, code: 0, fault: Fault::Unreachable(message.clone()) }
            }
            Driver::Routing { host, port } => Fault::Unsupported(format!(
                "the server sends clients on to {host}:{port}; name that endpoint's own database"
            ))
            .into(),
            other => Fault::Unreachable(other.to_string()).into(),
        }
    }
}

/// What the server's answer to a login means: the one list. 18456 is said of a wrong password, of an unknown login and,
/// with a state that clients do not get, of a login without the right to connect. The others come after the password
/// was found right (18470, 18487, 18488, 4060) or say nothing of it (18486): the password may be right.
fn login_refusal(code: u32, text: String) -> (Class, Fault) {
    match code {
        18456 => (Class::Login, Fault::LoginRefused(text)),
        // cannot be opened: starting, failing over, or no user of this login
        4060 => (Class::Closed, Fault::LoginBarred(text)),
        916 | 942 | 976 | 978 | 983 => (Class::Closed, Fault::LoginBarred(text)),
        // shutdown, script upgrade, not ready, paused, connection limits, unavailable
        6005 | 10928 | 10929 | 17187 | 17142 | 17809 | 17810 | 18401 | 40197 | 40501 | 40613 => {
            (Class::Busy, Fault::Unreachable(text))
        }
        _ => (Class::Final, Fault::LoginBarred(text)),
    }
}

/// Whether a refusal of a login says that its password was right.
pub(super) fn proves_password(code: u32) -> bool {
    // no such database, no default database, no user in it
    matches!(code, 916 | 4060 | 4062 | 4063 | 4064)
}

/// A password that CHECK_POLICY refuses: used before, too short, too long, not of enough kinds of characters.
const UNFIT: [u32; 4] = [15115, 15116, 15117, 15118];

/// The closed list.
fn classify(code: u32) -> Class {
    match code {
        // deadlock, lock time-out
        1205 | 1222 => Class::Conflict,
        // login exists, user or role exists, login has another user, logged in at the moment of the drop
        15025 | 15023 | 15063 | 15434 => Class::Converge,
        // read-only database, secondary replicas
        3906 | 976 | 978 => Class::ReadOnly,
        // session in the kill state, shutdown in progress, connection broken by an administrator
        596 | 6005 | 10053 | 10054 => Class::Lost,
        17187 | 40197 | 40501 | 40613 => Class::Busy,
        // no access to the database, it is offline, in transition, in single-user mode or not recovered
        916 | 942 | 924 | 922 | 952 | 4060 | 911 => Class::Closed,
        // no right on a database, an object, a statement, a principal, a server-level view; not the grantor
        229 | 230 | 262 | 297 | 300 | 4613 | 6102 | 15151 | 15247 | 15562 => Class::Denied,
        _ => Class::Final,
    }
}

/// The server's words with what to do, where its words alone do not tell. A syntax error quotes the statement, which may
/// hold a password, so its words stay out.
fn text(code: u32, message: &str) -> String {
    let message = match code {
        102 | 103 | 105 | 156 => "syntax error",
        _ => message,
    };
    match advice(code) {
        Some(advice) => format!("error {code}: {message} ({advice})"),
        None => format!("error {code}: {message}"),
    }
}

fn advice(code: u32) -> Option<&'static str> {
    Some(match code {
        916 => {
            "the administrator has no user in this database, because another login made or restored it: let that login \
             run ALTER AUTHORIZATION ON DATABASE, or reset the master password with RDS, which restores its rights"
        }
        229 | 230 | 262 | 297 | 300 => "the right is missing",
        15151 => "there is no such object or principal, or it is not visible to this login",
        15247 => "the login must be db_owner of the database for users and roles, and needs ALTER ANY LOGIN for logins",
        15114 => "CHECK_POLICY does not let a password change again so soon: see the password policy parameters",
        15115 => "CHECK_POLICY refuses a password that was used before",
        15116 | 15118 => {
            "the password does not meet the password policy of the server: choose a longer one of capital and small \
             letters, digits and marks, or relax the rds.password_ parameters"
        }
        15136 => "the user is the EXECUTE AS context of a procedure, function or trigger: alter that one first",
        15138 => "the user owns a schema that could not be moved",
        15421 => "the user owns a role that could not be moved",
        15183 => "the user owns objects: ALTER AUTHORIZATION ON OBJECT::… TO SCHEMA OWNER first",
        15284 => "the user has granted or denied rights to others: revoke those with CASCADE first",
        15170 => "the login owns SQL Server Agent jobs: give them to another login first",
        15174 => "the login owns databases: ALTER AUTHORIZATION ON DATABASE first",
        15186 | 15190 => "the login is mapped to a certificate or a linked server",
        18470 => "the login is disabled",
        18486 => "the login is locked after too many failed attempts",
        18487 => "the password has expired",
        18488 => "the password must be changed",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_errors_are_tried_again() {
        for (code, class) in [
            (1205, Class::Conflict),
            (1222, Class::Conflict),
            (15025, Class::Converge),
            (15023, Class::Converge),
            (15063, Class::Converge),
            (3906, Class::ReadOnly),
            (976, Class::ReadOnly),
            (978, Class::ReadOnly),
            (40613, Class::Busy),
            (916, Class::Closed),
            (4060, Class::Closed),
            (229, Class::Denied),
            (262, Class::Denied),
            (15247, Class::Denied),
            (15151, Class::Denied),
            (15118, Class::Final),
            (15138, Class::Final),
            (102, Class::Final),
        ] {
            assert_eq!(classify(code), class, "{code}");
        }
    }

    #[test]
    fn only_18456_says_that_the_password_is_wrong() {
        let login = |code| login_refusal(code, "x".to_owned());
        assert!(matches!(login(18456), (Class::Login, Fault::LoginRefused(_))));
        for code in [18401, 40613, 17187, 6005] {
            assert!(matches!(login(code), (Class::Busy, Fault::Unreachable(_))), "{code}");
        }
        for code in [18470, 18486, 18487, 18488, 18461, 17892, 65535] {
            assert!(matches!(login(code), (Class::Final, Fault::LoginBarred(_))), "{code}");
        }
        assert!(proves_password(4064) && !proves_password(18486) && !proves_password(18456));
    }

    #[test]
    fn a_syntax_error_never_quotes_the_statement() {
        assert_eq!(text(102, "Incorrect syntax near 'geheim'."), "error 102: syntax error");
    }

    #[test]
    fn what_the_server_says_comes_with_what_to_do() {
        for (code, words) in [
            (916, "ALTER AUTHORIZATION ON DATABASE"),
            (15118, "rds.password_"),
            (15174, "owns databases"),
            (15170, "Agent jobs"),
            (15136, "EXECUTE AS"),
            (15284, "CASCADE"),
            (15247, "db_owner"),
        ] {
            assert!(text(code, "x").contains(words), "{code}");
        }
    }

    #[test]
    fn a_broken_connection_leaves_the_outcome_open() {
        let broken = Driver::Io { kind: IoErrorKind::ConnectionReset, message: "reset".to_owned() };
        let failure = Failure::of_statement("creating the login x", &broken);
        assert_eq!(failure.class, Class::Lost);
        assert!(failure.fault.to_string().contains("while creating the login x"));
        assert_eq!(Failure::of_login(&broken).class, Class::Busy);
        let routed = Driver::Routing { host: "other".to_owned(), port: 1433 };
        assert!(matches!(Failure::of_login(&routed).fault, Fault::Unsupported(_)));
    }
}
