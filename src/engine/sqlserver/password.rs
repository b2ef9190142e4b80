//! The password as a literal.
//!
//! SQL Server takes no verifier from an administrator who is not `sysadmin` (15118 with `CHECK_POLICY = ON`, CONTROL
//! SERVER otherwise), so the clear text stands in one statement. The server masks `CREATE LOGIN` and `ALTER LOGIN` in
//! traces and audits when it parses the statement itself. That is why it is sent as a batch of its own: never as a
//! parameter of a call, never inside dynamic SQL.

use super::quote::literal;
use crate::access::{Invalid, Secret};

/// The longest password, in UTF-16 units.
const LONGEST: usize = 128;

/// Refuses a password that the server cannot hold.
///
/// # Errors
/// The sentence says the limit.
pub fn check_password(password: &Secret<String>) -> Result<(), Invalid> {
    password_literal(password).map(drop)
}

/// The password between quotes.
///
/// # Errors
/// A password that the server cannot hold, or that would not arrive as it is.
pub(super) fn password_literal(password: &Secret<String>) -> Result<Secret<String>, Invalid> {
    let text = password.expose();
    if text.is_empty() {
        Err(Invalid::new("the password is empty"))
    } else if text.encode_utf16().count() > LONGEST {
        Err(Invalid::new(format!("a password of SQL Server must not be longer than {LONGEST} characters")))
    } else if text.chars().any(char::is_control) {
        // A backslash before a line break would continue the line and change the password.
        Err(Invalid::new("the password holds a control character, such as a line break"))
    } else {
        Ok(Secret::new(literal(text)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::quote::tests::{Token, lex};
    use super::*;

    proptest! {
        #[test]
        fn a_password_reaches_the_server_as_it_is(text in "[^\\p{Cc}]{1,60}") {
            let made = password_literal(&Secret::from(text.as_str())).unwrap();
            prop_assert_eq!(lex(made.expose()).unwrap(), [Token::Text(text)]);
        }
    }

    #[test]
    fn passwords_that_would_not_arrive_are_refused() {
        for bad in ["", "a\0b", "a\\\nb", "tab\t", &"x".repeat(129), &"\u{1F512}".repeat(65)] {
            assert!(password_literal(&Secret::from(bad)).is_err(), "{bad:?}");
        }
        assert!(password_literal(&Secret::from("x".repeat(128).as_str())).is_ok());
    }
}
