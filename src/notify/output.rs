//! What may be seen of a text of somebody else: no secret, and not too much of it.

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::escaped::{begins_escape, compare};
use crate::access::Secret;

/// Bytes of a command's output that are shown.
pub(super) const SHOWN: usize = 4096;
/// Bytes of a command's output that are kept to be cleaned.
pub(super) const KEPT: usize = 64 * 1024;
/// Stands for a secret.
const HIDDEN: &[u8] = b"***";
/// An encoded form of a shorter secret would be found by accident.
const SHORTEST_ENCODED: usize = 6;

/// Takes secrets out of texts, as they are and in the forms that programs give them: base64 and hexadecimal, and all of
/// that in the escapes of JSON, URLs, HTML and shells.
#[derive(Clone, Default)]
pub struct Redactor {
    forms: Vec<Form>,
}

/// A text to hide.
#[derive(Clone)]
struct Form {
    text: Vec<char>,
    /// Also where characters of it are escaped
    with_escapes: bool,
}

impl Form {
    /// Length of this form at the beginning of these bytes.
    fn length(&self, bytes: &[u8]) -> Option<usize> {
        if self.with_escapes {
            return compare(bytes, &self.text).length;
        }
        let text = self.text.iter().collect::<String>();
        bytes.starts_with(text.as_bytes()).then_some(text.len())
    }

    /// Whether these last bytes are the beginning of this form only.
    fn runs_out(&self, bytes: &[u8]) -> bool {
        if self.with_escapes {
            return compare(bytes, &self.text).runs_out;
        }
        let text = self.text.iter().collect::<String>();
        bytes.len() < text.len() && text.as_bytes().starts_with(bytes)
    }

    /// What it may begin with, unless that is escaped.
    fn first_byte(&self) -> Option<u8> {
        let first = self.text.first()?;
        first.encode_utf8(&mut [0; 4]).bytes().next()
    }
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
        let with_escapes = secret.expose().len() >= SHORTEST_ENCODED;
        let forms = forms(secret.expose()).into_iter();
        self.forms.extend(forms.map(|form| Form { text: form.chars().collect(), with_escapes }));
    }

    /// The text without the secrets.
    #[cfg(test)]
    fn clean(&self, text: &str) -> String {
        self.clean_bytes(text.as_bytes(), false)
    }

    /// These bytes as a text without the secrets, and where more would have followed without the beginning of one.
    pub(super) fn clean_bytes(&self, bytes: &[u8], breaks_off: bool) -> String {
        let end = if breaks_off { self.partial_end(bytes) } else { bytes.len() };
        String::from_utf8_lossy(&self.cleaned(bytes, end)).into_owned()
    }

    /// Every byte that belongs to an occurrence is hidden, also where two occurrences overlap, and of the rest those
    /// before the end are kept.
    fn cleaned(&self, bytes: &[u8], end: usize) -> Vec<u8> {
        let mut cleaned = Vec::with_capacity(bytes.len());
        let mut hidden_until = 0;
        let starts = self.starts();
        for (at, byte) in bytes.iter().enumerate() {
            let rest = bytes.get(at..).unwrap_or_default();
            let forms = if starts.contains(byte) { &self.forms[..] } else { &[] };
            if let Some(length) = forms.iter().filter_map(|form| form.length(rest)).max() {
                if at >= hidden_until {
                    cleaned.extend_from_slice(HIDDEN);
                }
                hidden_until = hidden_until.max(at + length);
            }
            if at >= hidden_until && at < end {
                cleaned.push(*byte);
            }
        }
        cleaned
    }

    /// Where a beginning of a secret lies at the end: where a text breaks off, so may a secret.
    fn partial_end(&self, bytes: &[u8]) -> usize {
        let starts = self.starts();
        let mut candidates = bytes.iter().enumerate().filter(|(_, byte)| starts.contains(byte)).map(|(at, _)| at);
        let is_beginning = |at: &usize| {
            let rest = bytes.get(*at..).unwrap_or_default();
            self.forms.iter().any(|form| form.runs_out(rest))
        };
        candidates.find(is_beginning).unwrap_or(bytes.len())
    }

    /// The bytes that an occurrence may begin with: at all others there is nothing to compare.
    fn starts(&self) -> Vec<u8> {
        let escapes = (0..=u8::MAX).filter(|byte| begins_escape(*byte));
        let mut starts: Vec<u8> = self.forms.iter().filter_map(Form::first_byte).chain(escapes).collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }
}

/// The output of a command as it is shown: its first bytes, cleaned before they are cut. `breaks_off` says that more
/// would have followed: bytes that were not kept, or the rest of a command that was stopped.
pub(super) fn shown(kept: &[u8], total: usize, breaks_off: bool, redactor: &Redactor) -> String {
    let breaks_off = breaks_off || total > kept.len();
    let text = redactor.clean_bytes(kept, breaks_off);
    if text.len() <= SHOWN && total <= kept.len() {
        return text;
    }
    let mut end = text.len().min(SHOWN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}\n[cut at {SHOWN} bytes, the output has {total}]", text.get(..end).unwrap_or_default())
}

/// A secret in every form, before any of it is escaped.
fn forms(secret: &str) -> Vec<String> {
    if secret.is_empty() {
        return Vec::new();
    }
    let mut forms = vec![secret.to_owned()];
    if secret.len() >= SHORTEST_ENCODED {
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

    /// What programs make of a secret, with their names.
    fn written(secret: &str) -> Vec<(&'static str, String)> {
        let json = |text: &str| {
            let quoted = serde_json::Value::from(text).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        };
        let go = |text: &str| json(text).replace('<', r"\u003c").replace('>', r"\u003e").replace('&', r"\u0026");
        let ascii = |text: &str| {
            let unit = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|u| format!(r"\u{u:04x}")).collect::<String>();
            text.chars().map(|c| if c.is_ascii() { c.to_string() } else { unit(c) }).collect::<String>()
        };
        let percent = |kept: &[u8], escape: fn(u8) -> String| {
            let byte = |b: u8| match b.is_ascii_alphanumeric() || kept.contains(&b) {
                true => char::from(b).to_string(),
                false => escape(b),
            };
            secret.bytes().map(byte).collect::<String>()
        };
        let upper: fn(u8) -> String = |b| format!("%{b:02X}");
        let lower: fn(u8) -> String = |b| format!("%{b:02x}");
        let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&#34;").replace('\'', "&#39;");
        let shell = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\{c}") };
        vec![
            ("serde_json", json(secret)),
            ("serde_json of JSON", json(&json(secret))),
            ("json.Marshal of Go", go(secret)),
            ("json.Marshal of Go of JSON", go(&go(secret))),
            ("json.dumps of Python", ascii(&json(secret))),
            ("json_encode of PHP", ascii(&json(secret).replace('/', r"\/"))),
            ("encodeURIComponent", percent(b"-_.!~*'()", upper)),
            ("quote of Python", percent(b"_.-~/", upper)),
            ("application/x-www-form-urlencoded", percent(b"-_.* ", upper).replace(' ', "+")),
            ("lower-case escapes", percent(b"", lower)),
            ("html.EscapeString of Go", html),
            ("printf %q of a shell", secret.chars().map(shell).collect()),
        ]
    }

    proptest! {
        #[test]
        fn a_secret_is_hidden_in_the_escapes_of_every_program(secret in r#"[ !-~äß€😀<>&"'/\\%+]{6,40}"#) {
            let hide = redactor(&[&secret]);
            for (program, form) in written(&secret) {
                prop_assert_eq!(hide.clean(&format!("\u{1}{form}\u{1}")), "\u{1}***\u{1}", "{}: {}", program, form);
            }
        }

        /// The last character of base64 depends on what follows, and stays.
        #[test]
        fn the_base64_of_a_secret_is_hidden_where_it_is_escaped(secret in "[ -~]{6,40}") {
            let base64 = STANDARD_NO_PAD.encode(&secret);
            for form in [base64.replace('/', r"\/"), base64.replace('/', "%2F").replace('+', "%2b")] {
                let cleaned = redactor(&[&secret]).clean(&form);
                prop_assert!(cleaned.starts_with("***") && cleaned.len() <= 6, "{}: {}", form, cleaned);
            }
        }

        #[test]
        fn no_beginning_of_a_secret_is_shown_where_an_output_breaks_off(secret in "[<>&/!ä]{8,20}", cut in 1_usize..300) {
            for (program, form) in written(&secret) {
                let bytes = form.as_bytes();
                let kept = &bytes[..cut.min(bytes.len())];
                let shown = shown(&[b"pass: ", kept].concat(), 6 + kept.len(), true, &redactor(&[&secret]));
                prop_assert!(matches!(shown.as_str(), "pass: " | "pass: ***"), "{}: {}", program, shown);
            }
        }

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
