//! What is sent instead of a password.

use postgres_protocol::password::scram_sha_256;

use crate::access::{Invalid, Secret};

/// The longest password, in bytes. The server has no limit of its own; poolers and older clients cut longer ones.
const LONGEST: usize = 1_024;

/// Refuses a password that some client could not send as it is.
///
/// # Errors
/// The sentence says the limit.
pub fn check_password(password: &Secret<String>) -> Result<(), Invalid> {
    match password.expose().len() {
        0..=LONGEST => Ok(()),
        _ => Err(Invalid::new(format!("a password for PostgreSQL must not be longer than {LONGEST} bytes"))),
    }
}

/// The SCRAM-SHA-256 verifier of a password: what the server stores, so that the password itself appears in no
/// statement and in no log. Every call salts anew.
///
/// The verifier is always built here. A user's text that merely looks like one would be stored as it is, and whoever
/// chose it would know the password's hash.
pub(super) fn verifier(password: &Secret<String>) -> Secret<String> {
    Secret::new(scram_sha_256(password.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_has_the_servers_form_and_does_not_hold_the_password() {
        for text in ["S3cret~pass", "with 'quotes'", "\u{2460}\u{a0}\u{fb01}", "SCRAM-SHA-256$4096:x$y:z"] {
            let verifier = verifier(&Secret::from(text));
            let verifier = verifier.expose();
            assert!(verifier.starts_with("SCRAM-SHA-256$4096:"), "{verifier}");
            assert!(!verifier.contains(text));
            assert!(verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"$:+/=-".contains(&b)), "{verifier}");
        }
    }

    #[test]
    fn a_password_that_clients_would_cut_is_refused() {
        assert!(check_password(&Secret::from("x".repeat(1_024).as_str())).is_ok());
        assert!(check_password(&Secret::from("x".repeat(1_025).as_str())).is_err());
    }

    #[test]
    fn the_same_password_never_gives_the_same_verifier() {
        let password = Secret::from("S3cret~pass");
        assert_ne!(verifier(&password), verifier(&password));
    }
}
