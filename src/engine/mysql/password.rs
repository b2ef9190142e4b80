//! Password hashes, computed on this side so that no clear password ever stands in a statement, and recomputed from the
//! stored value so that a password can be checked without a login.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::access::{Invalid, Secret};

/// The longest password that `caching_sha2_password` takes, in bytes.
const LONGEST: usize = 256;
/// Salt bytes of `caching_sha2_password`.
const SALT: usize = 20;
/// The alphabet of SHA-crypt, also used for salts: its characters need no escape in any literal.
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// An authentication plugin whose hash can be computed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plugin {
    /// Default of MySQL 8.0 and later
    CachingSha2,
    /// Default of MySQL 5.7 and of MariaDB
    Native,
}

impl Plugin {
    /// The name in SQL and in the account tables.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::CachingSha2 => "caching_sha2_password",
            Self::Native => "mysql_native_password",
        }
    }

    /// The plugin of that name; `None` for one whose hash cannot be computed here.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::CachingSha2, Self::Native].into_iter().find(|plugin| plugin.as_str() == name)
    }
}

/// Twenty random bytes for one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Salt(pub(super) [u8; SALT]);

/// A stored hash: plain ASCII without quotes or backslashes. It is not the password, but it never prints either.
#[derive(Clone)]
pub(super) struct Verifier {
    /// The plugin that reads it
    pub(super) plugin: Plugin,
    /// The text for `AS` or `USING`
    pub(super) text: Secret<String>,
}

/// Refuses a password that the server cannot hold.
///
/// # Errors
/// The sentence says the limit.
pub fn check_password(password: &Secret<String>) -> Result<(), Invalid> {
    check(password.expose())
}

/// Computes the hash of a password.
///
/// # Errors
/// A password that the engine cannot hold.
pub(super) fn verifier(
    plugin: Plugin,
    password: &Secret<String>,
    rounds: u32,
    salt: Salt,
) -> Result<Verifier, Invalid> {
    let text = password.expose();
    check(text)?;
    let hash = match plugin {
        Plugin::Native => native(text.as_bytes()),
        Plugin::CachingSha2 => caching_sha2(text.as_bytes(), rounds, salt),
    };
    Ok(Verifier { plugin, text: Secret::new(hash) })
}

/// Whether a stored hash is that of this password; `None` for a plugin or a layout that is not known here.
pub(super) fn is_hash_of(plugin: &str, stored: &[u8], password: &Secret<String>) -> Option<bool> {
    let password = password.expose().as_bytes();
    match Plugin::named(plugin)? {
        Plugin::Native => {
            Some(!stored.is_empty() && !password.is_empty() && native(password).as_bytes().eq_ignore_ascii_case(stored))
        }
        Plugin::CachingSha2 if stored.is_empty() => Some(false),
        Plugin::CachingSha2 => {
            let (rounds, salt, digest) = parse_caching_sha2(stored)?;
            Some(sha_crypt(password, salt, rounds).as_bytes() == digest)
        }
    }
}

fn check(password: &str) -> Result<(), Invalid> {
    if password.is_empty() {
        Err(Invalid::new("the password is empty"))
    } else if password.contains('\0') {
        Err(Invalid::new("the password holds a NUL character, which the client protocol cannot send"))
    } else if password.len() > LONGEST {
        Err(Invalid::new(format!("the password is longer than {LONGEST} bytes")))
    } else {
        Ok(())
    }
}

/// `*` and the upper-case hex of SHA1(SHA1(password)).
fn native(password: &[u8]) -> String {
    format!("*{}", hex::encode_upper(Sha1::digest(Sha1::digest(password))))
}

/// `$A$`, thousands of rounds as three hex digits, `$`, the salt, and SHA-crypt with SHA-256.
fn caching_sha2(password: &[u8], rounds: u32, salt: Salt) -> String {
    let thousands = (rounds / 1000).clamp(5, 0xFFF);
    let salt: String = salt.0.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])).collect();
    let digest = sha_crypt(password, salt.as_bytes(), thousands * 1000);
    format!("$A${thousands:03X}${salt}{}", digest.as_str())
}

fn parse_caching_sha2(stored: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let rest = stored.strip_prefix(b"$A$")?;
    let (thousands, rest) = rest.split_at_checked(3)?;
    let (salt, digest) = rest.strip_prefix(b"$")?.split_at_checked(SALT)?;
    let thousands = u32::from_str_radix(std::str::from_utf8(thousands).ok()?, 16).ok()?;
    (thousands > 0).then_some((thousands * 1000, salt, digest))
}

/// SHA-crypt with SHA-256 (the `$5$` scheme of Unix password files) without its limit of 16 salt bytes; 43 characters.
fn sha_crypt(password: &[u8], salt: &[u8], rounds: u32) -> Zeroizing<String> {
    let seed = seed_digest(password, salt);
    let repeated_password = Zeroizing::new(stretched(
        &(0..password.len()).fold(Sha256::new(), |hash, _| hash.chain_update(password)).finalize(),
        password.len(),
    ));
    let salt_repeats = 16 + usize::from(seed[0]);
    let repeated_salt =
        stretched(&(0..salt_repeats).fold(Sha256::new(), |hash, _| hash.chain_update(salt)).finalize(), salt.len());
    let mut digest = seed;
    for round in 0..rounds {
        let mut hash = Sha256::new();
        hash.update(if round % 2 == 1 { repeated_password.as_slice() } else { &digest });
        if round % 3 != 0 {
            hash.update(&repeated_salt);
        }
        if round % 7 != 0 {
            hash.update(repeated_password.as_slice());
        }
        hash.update(if round % 2 == 1 { digest.as_slice() } else { repeated_password.as_slice() });
        digest = hash.finalize().into();
    }
    Zeroizing::new(encode(&digest))
}

/// The digest that the rounds start from: password and salt, mixed by the bits of the password's length.
fn seed_digest(password: &[u8], salt: &[u8]) -> [u8; 32] {
    let alternate = Sha256::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut hash = Sha256::new().chain_update(password).chain_update(salt);
    hash.update(stretched(&alternate, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        if bits & 1 == 1 {
            hash.update(alternate);
        } else {
            hash.update(password);
        }
        bits >>= 1;
    }
    hash.finalize().into()
}

fn stretched(digest: &[u8], length: usize) -> Vec<u8> {
    digest.iter().copied().cycle().take(length).collect()
}

/// The alphabet and byte order of SHA-crypt: ten groups of three bytes and one of two, the lowest six bits first.
fn encode(digest: &[u8; 32]) -> String {
    let mut out = String::with_capacity(43);
    let (mut a, mut b, mut c) = (0, 10, 20);
    for _ in 0..10 {
        push(&mut out, u32::from(digest[a]) << 16 | u32::from(digest[b]) << 8 | u32::from(digest[c]), 4);
        (a, b, c) = (c + 1, a + 1, b + 1);
    }
    push(&mut out, u32::from(digest[31]) << 8 | u32::from(digest[30]), 3);
    out
}

fn push(out: &mut String, mut bits: u32, characters: usize) {
    for _ in 0..characters {
        out.push(char::from(ALPHABET[(bits & 0x3F) as usize]));
        bits >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Password, salt, rounds, digest: made with the C library's crypt(3).
    const VECTORS: &[(&str, &str, u32, &str)] = &[
        ("Hello world!", "saltstring", 5000, "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        ("Hello world!", "saltstringsaltst", 10_000, "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
        (
            "we have a short salt string but not a short password",
            "short",
            77_777,
            "JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/",
        ),
        ("\u{fc}", ".", 5000, "UDtf1WUb25GP3Sj9hbPwr2S.S8rAW0RUR5U/KNJvRK8"),
    ];

    /// Password and `authentication_string` in hex, made by a MySQL 9.7 server with its own salts.
    const SERVER_HASHES: &[(&str, &str)] = &[
        (
            "geheim",
            "24412430304124766D3F4E0320194C125F7119580667650937745E335535664B513450395770546771364E414D3335614159447663\
             787372644E57692E5039494A4E7A654C2E",
        ),
        (
            "p\u{e4}ssw\u{f6}rter-0123456789-0123456789-0123456789",
            "244124303041240E0168272C756937764D66460C102558511512576A44316D6B644A39423533616C2E334156564D65734479583163\
             4C432F463677545963785832666A577937",
        ),
        (
            "S3cret!",
            "244124303035242A7A1F0D2533546D1A3B742D7576344D513F5C77326B6341654E35744A414561534766494D43786F5A4F78373056\
             587A4E4B36427A306145733054584B5341",
        ),
    ];

    fn secret(text: &str) -> Secret<String> {
        Secret::from(text)
    }

    #[test]
    fn sha_crypt_agrees_with_the_vectors_of_its_specification() {
        for (password, salt, rounds, expected) in VECTORS {
            assert_eq!(sha_crypt(password.as_bytes(), salt.as_bytes(), *rounds).as_str(), *expected, "{password}");
        }
    }

    #[test]
    fn the_native_hash_agrees_with_the_servers() {
        assert_eq!(native(b"password"), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
    }

    #[test]
    fn a_hash_has_the_layout_of_the_server_and_needs_no_escape() {
        let made = verifier(Plugin::CachingSha2, &secret("geheim"), 10_000, Salt([7; 20])).unwrap();
        let text = made.text.expose();
        assert_eq!(text.len(), 70);
        assert!(text.starts_with("$A$00A$55555555555555555555"), "{text}");
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"$./".contains(&b)), "{text}");
    }

    #[test]
    fn only_the_right_password_matches_a_stored_hash() {
        for plugin in [Plugin::CachingSha2, Plugin::Native] {
            let made = verifier(plugin, &secret("geheim"), 5000, Salt([1; 20])).unwrap();
            let stored = made.text.expose().as_bytes();
            assert_eq!(is_hash_of(plugin.as_str(), stored, &secret("geheim")), Some(true));
            assert_eq!(is_hash_of(plugin.as_str(), stored, &secret("Geheim")), Some(false));
            assert_eq!(is_hash_of(plugin.as_str(), b"", &secret("")), Some(false), "an empty password never counts");
        }
        assert_eq!(is_hash_of("ed25519", b"x", &secret("geheim")), None);
        assert_eq!(is_hash_of("caching_sha2_password", b"$A$005", &secret("geheim")), None);
    }

    #[test]
    fn a_hash_made_by_a_server_is_recomputed() {
        for (password, stored) in SERVER_HASHES {
            let stored = hex::decode(stored).unwrap();
            assert_eq!(is_hash_of("caching_sha2_password", &stored, &secret(password)), Some(true), "{password}");
        }
    }

    #[test]
    fn passwords_that_cannot_log_in_are_refused() {
        for bad in ["", "a\0b", &"x".repeat(257)] {
            assert!(verifier(Plugin::CachingSha2, &secret(bad), 5000, Salt([0; 20])).is_err());
        }
    }
}
