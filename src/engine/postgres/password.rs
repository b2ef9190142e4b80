//! What is sent instead of a password.

use postgres_protocol::password::scram_sha_256;

use crate::access::Secret;

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
    fn the_same_password_never_gives_the_same_verifier() {
        let password = Secret::from("S3cret~pass");
        assert_ne!(verifier(&password), verifier(&password));
    }
}
