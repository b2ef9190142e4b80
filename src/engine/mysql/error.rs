//! What the driver and the server say, turned into a [`Fault`], and the closed list of what is worth another try.

use mysql_async::{DriverError, Error as Driver, IoError, ServerError};

use crate::engine::Fault;
use crate::engine::retry::Class;

/// A fault with what can be done about it.
#[derive(Debug)]
pub(super) struct Failure {
    /// What can be done
    pub(super) class: Class,
    /// The server's error number, 0 when it came from elsewhere
    pub(super) code: u16,
    /// What happened
    pub(super) fault: Fault,
}

impl Failure {
    /// A failure that no retry changes.
    pub(super) fn last(fault: Fault) -> Self {
        Self { class: Class::Final, code: 0, fault }
    }

    /// A statement did not end in time, so whether it was executed is unknown.
    pub(super) fn timed_out(step: &str, seconds: u64) -> Self {
        let fault =
            Fault::ConnectionLost { step: step.to_owned(), text: format!("no answer within {seconds} seconds") };
        Self { class: Class::Lost, code: 0, fault }
    }

    /// What a statement met.
    pub(super) fn of_statement(step: &str, error: &Driver) -> Self {
        match error {
            Driver::Server(server) => Self::of_server(step, server),
            other => {
                let (step, text) = (step.to_owned(), other.to_string());
                Self { class: Class::Lost, code: 0, fault: Fault::ConnectionLost { step, text } }
            }
        }
    }

    fn of_server(step: &str, server: &ServerError) -> Self {
        let (class, text, step) = (classify(server), text(server), step.to_owned());
        let fault = match class {
            Class::Conflict => Fault::Blocked { step, text },
            Class::ReadOnly => Fault::ReadOnly(text),
            Class::Lost | Class::Busy => Fault::ConnectionLost { step, text },
            Class::Denied | Class::Login => Fault::Denied { step, text },
            Class::Final if UNFIT.contains(&server.code) => Fault::Unfit(text),
            Class::Final if refuses_hashes(server) => Fault::Unsupported(STRICT_VALIDATION.to_owned()),
            Class::Final if server.code == 1524 && server.message.contains("AWSAuthenticationPlugin") => {
                Fault::Unsupported(format!("{text}: {IAM_IS_OFF}"))
            }
            Class::Final if server.code == 1524 => Fault::Unsupported(format!(
                "{text}: the authentication plugin is not loaded on this server; enable it in the parameter group"
            )),
            Class::Converge | Class::Closed | Class::Unreachable | Class::Final => Fault::Statement { step, text },
        };
        Self { class, code: server.code, fault }
    }

    /// What a login met.
    pub(super) fn of_login(error: &Driver) -> Self {
        let (class, code, fault) = match error {
            Driver::Server(server) => {
                let (class, fault) = login_refusal(server.code, text(server));
                (class, server.code, fault)
            }
            Driver::Io(IoError::Tls(tls)) => (Class::Final, 0, Fault::Tls(tls.to_string())),
            // A handshake that fails inside the connector arrives as an I/O error around the TLS error.
            Driver::Io(IoError::Io(io)) if tls_error(io).is_some() => (Class::Final, 0, Fault::Tls(io.to_string())),
            Driver::Driver(DriverError::NoClientSslFlagFromServer) => {
                (Class::Final, 0, Fault::Tls("the server offers no TLS".to_owned()))
            }
            Driver::Driver(
                error @ (DriverError::UnknownAuthPlugin { .. }
                | DriverError::CleartextPluginDisabled
                | DriverError::MysqlOldPasswordDisabled),
            ) => (Class::Final, 0, Fault::LoginBarred(error.to_string())),
            other => (Class::Unreachable, 0, Fault::Unreachable(other.to_string())),
        };
        Self { class, code, fault }
    }
}

/// What the server's answer to a login means: the one list. Only access denied, with and without a password, is about
/// the password. The others are a blocked or unknown client address, a locked or blocked account, an expired password,
/// a plugin that is not loaded, a transport that is not allowed: the password may be right.
fn login_refusal(code: u16, text: String) -> (Class, Fault) {
    match code {
        1045 | 1698 => (Class::Login, Fault::LoginRefused(text)),
        1040 | 1203 | 1226 => (Class::Busy, Fault::Unreachable(text)),
        1053 => (Class::Lost, Fault::Unreachable(text)),
        _ => (Class::Final, Fault::LoginBarred(text)),
    }
}

/// Whether a login was refused only after its password was found right: an account counts its sessions then, while the
/// server as a whole (1040) counts them before.
pub(super) fn is_after_authentication(refusal: &Failure) -> bool {
    matches!(refusal.code, 1203 | 1226)
}

/// The TLS error inside an I/O error.
pub(super) fn tls_error(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What a server without the plugin for tokens means.
pub(super) const IAM_IS_OFF: &str = "IAM database authentication is off on this instance; enable it with \
     iam_database_authentication_enabled, or use auth = \"password\"";

/// A password that a validation plugin or component refuses (MySQL and MariaDB), and one that was used before.
const UNFIT: [u16; 2] = [1819, 3638];

const STRICT_VALIDATION: &str = "the server takes no password hashes, because a password validation plugin is loaded \
     while strict_password_validation is ON; set strict_password_validation = OFF in the parameter group, so that the \
     clear password never has to stand in a statement";

fn refuses_hashes(server: &ServerError) -> bool {
    server.code == 1290 && server.message.contains("strict-password-validation")
}

/// The closed list. 1290 covers several options, so its text decides.
fn classify(server: &ServerError) -> Class {
    match server.code {
        // lock wait timeout, deadlock, NOWAIT; on MariaDB the time of the statement, which bounds the wait for locks there
        1205 | 1213 | 3572 | 1969 => Class::Conflict,
        // account exists or is gone; no such grant on a database, table or routine; no such account, for GRANT as well;
        // a table or routine went since it was looked up
        1396 | 1141 | 1147 | 1403 | 1133 | 1410 | 1146 | 1305 => Class::Converge,
        1836 => Class::ReadOnly,
        1290 if ["read-only", "read_only"].iter().any(|word| server.message.contains(word)) => Class::ReadOnly,
        // shutdown in progress, connection killed (MariaDB, MySQL), idle connection closed by the server
        1053 | 1927 | 3169 | 4031 => Class::Lost,
        1040 | 1203 | 1226 => Class::Busy,
        // no right on a database, table, routine, column or globally; a restricted account under partial_revokes
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 3879 => Class::Denied,
        _ => Class::Final,
    }
}

/// The server's words. A syntax error quotes the statement, which may hold a hash, so its words stay out.
fn text(server: &ServerError) -> String {
    match server.code {
        1064 => "error 1064: syntax error".to_owned(),
        code => format!("error {code}: {}", server.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: u16, message: &str) -> Failure {
        let server = ServerError { code, message: message.to_owned(), state: "HY000".to_owned() };
        Failure::of_statement("granting SELECT on app", &Driver::Server(server))
    }

    #[test]
    fn error_1290_is_told_apart_by_its_text() {
        let read_only = failure(1290, "The MySQL server is running with the --super-read-only option so it cannot …");
        assert_eq!(read_only.class, Class::ReadOnly);
        assert!(matches!(read_only.fault, Fault::ReadOnly(_)));

        let mariadb = failure(1290, "The MariaDB server is running with the --read-only option so it cannot …");
        assert_eq!(mariadb.class, Class::ReadOnly);

        let strict = failure(1290, "The MariaDB server is running with the --strict-password-validation option so …");
        assert_eq!(strict.class, Class::Final);
        assert!(strict.fault.to_string().contains("strict_password_validation = OFF"), "{}", strict.fault);
    }

    /// The whole list; everything else is final.
    const LISTED: &[(Class, &[u16])] = &[
        (Class::Conflict, &[1205, 1213, 3572, 1969]),
        (Class::Converge, &[1396, 1141, 1147, 1403, 1133, 1410, 1146, 1305]),
        (Class::ReadOnly, &[1836]),
        (Class::Lost, &[1053, 1927, 3169, 4031]),
        (Class::Busy, &[1040, 1203, 1226]),
        (Class::Denied, &[1044, 1045, 1142, 1143, 1227, 1370, 3879]),
    ];

    #[test]
    fn only_the_listed_errors_are_tried_again() {
        for code in 1..=u16::MAX {
            let listed = LISTED.iter().find(|(_, codes)| codes.contains(&code));
            let class = listed.map_or(Class::Final, |(class, _)| *class);
            assert_eq!(failure(code, "x").class, class, "{code}");
        }
    }

    #[test]
    fn a_server_without_the_plugin_for_tokens_is_told_apart_from_other_plugins() {
        let iam = failure(1524, "Plugin 'AWSAuthenticationPlugin' is not loaded").fault;
        assert!(
            matches!(&iam, Fault::Unsupported(text) if text.contains("IAM database authentication is off")),
            "{iam}"
        );
        let other = failure(1524, "Plugin 'mysql_native_password' is not loaded").fault;
        assert!(matches!(&other, Fault::Unsupported(text) if text.contains("parameter group")), "{other}");
    }

    #[test]
    fn a_password_that_breaks_a_rule_is_told_apart_from_other_refusals() {
        for code in [1819, 3638] {
            assert!(matches!(failure(code, "x").fault, Fault::Unfit(_)), "{code}");
        }
        assert!(!matches!(failure(1290, "… --strict-password-validation …").fault, Fault::Unfit(_)));
    }

    #[test]
    fn a_syntax_error_never_quotes_the_statement() {
        let quoted = failure(1064, "You have an error … near ''*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'' at line 1");
        assert!(!quoted.fault.to_string().contains("2470C0C0"), "{}", quoted.fault);
    }

    #[test]
    fn only_access_denied_says_that_the_password_is_wrong() {
        let login = |code: u16| {
            let server = ServerError { code, message: "x".to_owned(), state: "HY000".to_owned() };
            Failure::of_login(&Driver::Server(server))
        };
        for code in [1045, 1698] {
            assert!(
                matches!(login(code), Failure { class: Class::Login, fault: Fault::LoginRefused(_), .. }),
                "{code}"
            );
        }
        for code in [1040, 1203, 1226, 1053] {
            assert!(matches!(login(code).fault, Fault::Unreachable(_)), "{code}");
        }
        for (code, is_after) in [(1203, true), (1226, true), (1040, false), (1045, false), (1862, false), (3118, false)]
        {
            assert_eq!(is_after_authentication(&login(code)), is_after, "{code}");
        }
        // Addresses, locks, expiry, plugins, TLS, and what nobody has heard of.
        for code in [1129, 1130, 1251, 1524, 1820, 1862, 3118, 3159, 3955, 4151, 65535] {
            assert!(matches!(login(code), Failure { class: Class::Final, fault: Fault::LoginBarred(_), .. }), "{code}");
        }
        let plugin = Driver::Driver(DriverError::UnknownAuthPlugin { name: "dialog".to_owned() });
        let cleartext = Driver::Driver(DriverError::CleartextPluginDisabled);
        for failure in [Failure::of_login(&plugin), Failure::of_login(&cleartext)] {
            assert!(matches!(failure, Failure { class: Class::Final, fault: Fault::LoginBarred(_), .. }));
        }
    }

    #[test]
    fn a_refused_login_is_not_an_unreachable_server() {
        let refused = ServerError { code: 1045, message: "Access denied".into(), state: "28000".into() };
        assert!(matches!(Failure::of_login(&Driver::Server(refused)).fault, Fault::LoginRefused(_)));
        let closed = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(Failure::of_login(&closed.into()).class, Class::Unreachable);
    }
}
