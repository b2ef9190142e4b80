//! What may be seen of a text of somebody else: no secret, and not too much of it.

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::access::Secret;

/// Bytes of a command's output that are shown.
pub(super) const SHOWN: usize = 4096;
/// Bytes of a command's output that are kept to be cleaned.
pub(super) const KEPT: usize = 64 * 1024;
/// Stands for a secret.
const HIDDEN: &[u8] = b"***";
/// An encoded form of a shorter secret would be found by accident.
const SHORTEST_ENCODED: usize = 6;
/// RFC 3986: everything but the unreserved characters.
const UNRESERVED_KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Takes secrets out of texts, as they are and in the forms that programs give them: JSON, URLs, base64, hexadecimal.
#[derive(Clone, Default)]
pub struct Redactor {
    forms: Vec<Vec<u8>>,
}

impl Redactor {
    /// Hides these secrets; empty ones are left out.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret<String>>) -> Self {
        let mut all = Self::default();
        secrets.into_iter().for_each(|secret| all.hide(secret));
        all
    }

    /// Hides one more.
    pub fn hide(&mut self, secret: &Secret<String>) {
        self.forms.extend(forms(secret.expose()).into_iter().map(String::into_bytes));
    }

    /// The text without the secrets.
    pub fn clean(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.cleaned(text.as_bytes())).into_owned()
    }

    /// Every byte that belongs to an occurrence is hidden, also where two occurrences overlap.
    fn cleaned(&self, bytes: &[u8]) -> Vec<u8> {
        let mut cleaned = Vec::with_capacity(bytes.len());
        let mut hidden_until = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let rest = bytes.get(at..).unwrap_or_default();
            let longest = self.forms.iter().filter(|form| rest.starts_with(form)).map(Vec::len).max();
            if let Some(length) = longest {
                if at >= hidden_until {
                    cleaned.extend_from_slice(HIDDEN);
                }
                hidden_until = hidden_until.max(at + length);
            }
            if at >= hidden_until {
                cleaned.push(*byte);
            }
        }
        cleaned
    }

    /// The text without a beginning of a secret at its end: where a text breaks off, so may a secret.
    fn without_partial_end<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let longest = self.forms.iter().flat_map(|form| {
            (1..form.len()).filter(|length| form.get(..*length).is_some_and(|part| bytes.ends_with(part)))
        });
        let kept = bytes.len() - longest.max().unwrap_or(0);
        bytes.get(..kept).unwrap_or_default()
    }
}

/// The output of a command as it is shown: its first bytes, cleaned before they are cut. `breaks_off` says that more
/// would have followed: bytes that were not kept, or the rest of a command that was stopped.
pub(super) fn shown(kept: &[u8], total: usize, breaks_off: bool, redactor: &Redactor) -> String {
    let breaks_off = breaks_off || total > kept.len();
    let whole = redactor.cleaned(if breaks_off { redactor.without_partial_end(kept) } else { kept });
    let text = String::from_utf8_lossy(&whole);
    if text.len() <= SHOWN && total <= kept.len() {
        return text.into_owned();
    }
    let mut end = text.len().min(SHOWN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}\n[cut at {SHOWN} bytes, the output has {total}]", text.get(..end).unwrap_or_default())
}

/// A secret in every form.
fn forms(secret: &str) -> Vec<String> {
    if secret.is_empty() {
        return Vec::new();
    }
    let mut forms = vec![secret.to_owned()];
    if secret.len() >= SHORTEST_ENCODED {
        forms.extend([json(secret), json(&json(secret)), ascii_json(secret)]);
        forms.extend([NON_ALPHANUMERIC, UNRESERVED_KEPT].map(|kept| utf8_percent_encode(secret, kept).to_string()));
        forms.extend([hex::encode(secret), hex::encode_upper(secret)]);
        for shift in 0..3 {
            forms.push(inner_base64(&STANDARD_NO_PAD, secret, shift));
            forms.push(inner_base64(&URL_SAFE_NO_PAD, secret, shift));
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// As it stands between the quotes of JSON.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&quoted).to_owned()
}

/// As [`json`], from programs that write nothing but ASCII, such as Python.
fn ascii_json(text: &str) -> String {
    let mut out = String::new();
    for character in json(text).chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

/// The characters of base64 that depend on the secret alone, when so many bytes stand before it in their group of three.
fn inner_base64(alphabet: &impl base64::Engine, secret: &str, shift: usize) -> String {
    let whole = alphabet.encode([&vec![0; shift], secret.as_bytes()].concat());
    let (first, end) = ((shift * 8).div_ceil(6), (shift + secret.len()) * 8 / 6);
    whole.get(first..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::prelude::*;

    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<Secret<String>> = secrets.iter().map(|secret| Secret::from(*secret)).collect();
        Redactor::new(&secrets)
    }

    #[test]
    fn a_secret_is_hidden_in_every_form() {
        // Made with Python: json.dumps, urllib.parse.quote, base64.b64encode, bytes.hex.
        let secret = "pä\"ss/w+rd~1";
        for text in [
            "pä\"ss/w+rd~1",
            r#"pä\"ss/w+rd~1"#,
            r#"p\u00e4\"ss/w+rd~1"#,
            "p%C3%A4%22ss%2Fw%2Brd~1",
            "cMOkInNzL3crcmR+MQ",
            "cMOkInNzL3crcmR-MQ",
            "70c3a42273732f772b72647e31",
        ] {
            let cleaned = redactor(&[secret]).clean(&format!("<{text}>"));
            assert!(cleaned.contains("***") && cleaned.len() < 10, "{text}: {cleaned}");
        }
        assert_eq!(redactor(&[""]).clean("nothing to hide"), "nothing to hide");
    }

    #[test]
    fn a_secret_inside_base64_of_more_is_hidden() {
        let secret = "Sentinel-Passw0rd";
        for before in ["", "x", "xy", "xyz"] {
            let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{before}{secret} and more"));
            assert!(redactor(&[secret]).clean(&encoded).contains("***"), "{encoded}");
        }
    }

    #[test]
    fn overlapping_secrets_are_hidden_as_one() {
        assert_eq!(redactor(&["first-half", "half-second"]).clean("<first-half-second>"), "<***>");
        assert_eq!(redactor(&["long-secret", "secret"]).clean("long-secret secret"), "*** ***");
    }

    #[test]
    fn a_short_output_is_shown_whole_and_a_long_one_is_cut_between_characters_with_a_note() {
        let none = Redactor::default();
        assert_eq!(shown(b"hello\n", 6, false, &none), "hello\n");
        assert_eq!(shown(&[b'x'; SHOWN], SHOWN, false, &none).len(), SHOWN);
        let long = "ä".repeat(SHOWN);
        let text = shown(format!("x{long}").as_bytes(), 2 * SHOWN + 1, false, &none);
        let (kept, note) = text.split_once('\n').unwrap();
        assert_eq!((kept.len(), note), (SHOWN - 1, "[cut at 4096 bytes, the output has 8193]"));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(shown(b"a\xff\xfeb", 4, false, &Redactor::default()), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn an_output_that_breaks_off_shows_no_beginning_of_a_secret() {
        let hide = redactor(&["hunter2-of-the-role"]);
        assert_eq!(shown(b"pass: hunter2-of", 16, true, &hide), "pass: ");
        assert_eq!(shown(b"pass: hunter2-of", 16, false, &hide), "pass: hunter2-of", "all of it was said");
    }

    proptest! {
        /// Wherever a secret lies, on the cut, on the end of what is kept or apart, no four characters of it are shown.
        #[test]
        fn no_part_of_a_secret_is_shown_wherever_it_lies(
            secret in "[A-Z]{8,40}",
            before in 0_usize..KEPT + 100,
            between in 0_usize..50,
            after in 0_usize..6000,
        ) {
            let text = [".".repeat(before), secret.clone(), "_".repeat(between), secret.clone(), ".".repeat(after)].concat();
            let bytes = text.as_bytes();
            let kept = &bytes[..bytes.len().min(KEPT)];
            let shown = shown(kept, bytes.len(), false, &redactor(&[&secret]));
            for part in secret.as_bytes().windows(4) {
                prop_assert!(!shown.contains(std::str::from_utf8(part).unwrap()), "{shown}");
            }
            prop_assert!(shown.len() <= SHOWN + 60);
        }

        /// Just around the cut, where a secret would lose its end.
        #[test]
        fn a_secret_across_the_cut_is_hidden(secret in "[A-Z]{8,200}", before in SHOWN - 250..SHOWN + 10) {
            let text = [".".repeat(before), secret.clone(), ".".repeat(500)].concat();
            let shown = shown(text.as_bytes(), text.len(), false, &redactor(&[&secret]));
            prop_assert!(!shown.split('[').next().unwrap().contains(|c: char| c.is_ascii_uppercase()), "{shown}");
        }
    }
}
