//! The last net under "no secret in a log": a field whose name says that it holds one is not printed.

/// Stands for what must not be seen.
pub(super) const HIDDEN: &str = "***";

/// Words that make a field a secret, wherever they stand in its name.
const WORDS: [&str; 10] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "credential",
    "cookie",
    "api_key",
    "access_key",
    "private_key",
];

/// Endings that make it something *about* a secret: where it lies, which one it is, when it changed.
const ABOUT: [&str; 12] =
    ["_ref", "_arn", "_id", "_name", "_version", "_stage", "_state", "_file", "_path", "_count", "_at", "_length"];

/// Whether a field of this name holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
    WORDS.iter().any(|word| name.contains(word)) && !ABOUT.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_their_names() {
        for name in
            ["password", "secret", "token", "authorization", "secret_string", "AuthToken", "x-api-key", "secret_key"]
        {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn what_is_about_a_secret_stays_readable() {
        for name in ["secret_ref", "secret_version", "access_key_id", "token_file", "username", "account", "key"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
