//! Passwords and random bytes.

use std::sync::Arc;

use crate::access::Secret;
use crate::report::Report;
use crate::schema::Reports;
use crate::store::secrets_manager::Entropy;

use super::Context;

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
/// Free of what RDS refuses (`/`, `"`, `@`, space) and of what shells, URLs and connection strings treat specially.
const MARKS: &[u8] = b"-_.~";

/// Every engine's policies ask for one character of each class at most, so four is the least.
const SHORTEST: usize = 4;

impl Context {
    /// A new password of letters, digits and `-_.~` with at least one of each class; all such passwords are equally
    /// likely.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn password(&self, length: usize) -> Result<Secret<String>, Reports> {
        password(length, &mut |buffer| getrandom::fill(buffer).map_err(|error| error.to_string())).map_err(|why| {
            Report::error("Cannot make a password", format!("The system gave no random bytes: {why}.")).into()
        })
    }

    /// Random bytes for the stores.
    pub(super) fn entropy(&self) -> Entropy {
        Arc::new(|buffer| getrandom::fill(buffer).map_err(|error| error.to_string()))
    }
}

type Fill<'a> = dyn FnMut(&mut [u8]) -> Result<(), String> + 'a;

/// Draws whole passwords until one holds every class: drawing single characters again would make some likelier.
fn password(length: usize, fill: &mut Fill<'_>) -> Result<Secret<String>, String> {
    let alphabet: Vec<u8> = [LOWER, UPPER, DIGITS, MARKS].concat();
    loop {
        let drawn = Secret::new(draw(length.max(SHORTEST), &alphabet, fill)?);
        let has = |class: &[u8]| drawn.expose().bytes().any(|byte| class.contains(&byte));
        if [LOWER, UPPER, DIGITS, MARKS].into_iter().all(has) {
            return Ok(drawn);
        }
    }
}

/// Bytes beyond the last whole multiple of the alphabet are thrown away: taken modulo they would favour its beginning.
fn draw(length: usize, alphabet: &[u8], fill: &mut Fill<'_>) -> Result<String, String> {
    let limit = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    let mut buffer = zeroize::Zeroizing::new([0_u8; 64]);
    while text.len() < length {
        fill(buffer.as_mut_slice())?;
        let fair = buffer.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < limit);
        text.extend(fair.map(|byte| char::from(alphabet[byte % alphabet.len()])).take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that run through all values in turn.
    fn counting() -> impl FnMut(&mut [u8]) -> Result<(), String> {
        let mut next = 0_u8;
        move |buffer| {
            for byte in buffer {
                *byte = next;
                next = next.wrapping_add(1);
            }
            Ok(())
        }
    }

    #[test]
    fn a_password_has_its_length_and_every_class() {
        for length in [8, 40, 128] {
            let mut fill = |buffer: &mut [u8]| getrandom::fill(buffer).map_err(|error| error.to_string());
            let password = password(length, &mut fill).unwrap();
            let text = password.expose();
            assert_eq!(text.len(), length);
            for class in [LOWER, UPPER, DIGITS, MARKS] {
                assert!(text.bytes().any(|byte| class.contains(&byte)));
            }
        }
    }

    #[test]
    fn every_character_is_equally_likely() {
        let alphabet: Vec<u8> = [LOWER, UPPER, DIGITS, MARKS].concat();
        let text = draw(198 * 64, &alphabet, &mut counting()).unwrap();
        for character in alphabet {
            assert_eq!(text.bytes().filter(|byte| *byte == character).count(), 3 * 64, "{}", char::from(character));
        }
    }

    #[test]
    fn a_draw_without_every_class_is_thrown_away() {
        let mut calls = 0;
        let mut fill = |buffer: &mut [u8]| {
            calls += 1;
            let byte = if calls == 1 { 0 } else { 26 };
            for (index, slot) in buffer.iter_mut().enumerate() {
                *slot = if calls <= 2 { byte } else { [0, 26, 52, 62][index % 4] };
            }
            Ok(())
        };
        let made = password(8, &mut fill).unwrap();
        assert_eq!(made.expose(), "aA0-aA0-");
        assert_eq!(calls, 3);
    }

    #[test]
    fn a_system_without_randomness_is_an_error() {
        assert_eq!(password(40, &mut |_| Err("no device".to_owned())), Err("no device".to_owned()));
    }
}
