//! Looking for secrets in everything that a run leaves behind, as they are and in every form that programs give them.

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A secret that is shorter would be found by accident.
const SHORTEST: usize = 8;

/// RFC 3986: everything but the unreserved characters.
const UNRESERVED_KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A place where a secret was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leak {
    pub(crate) place: String,
    pub(crate) form: &'static str,
}

/// Something that a run left: its name and its bytes.
pub(crate) type Trace = (String, Vec<u8>);

/// Every place in which one of the secrets stands.
///
/// # Panics
/// Where a secret is so short that it would be found by accident.
pub(crate) fn find(traces: &[Trace], secrets: &[&str]) -> Vec<Leak> {
    let needles: Vec<_> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    let mut found = Vec::new();
    for (place, bytes) in traces {
        // Base64, hexadecimal and URLs are told apart by case; a text in UTF-8 stays as it is.
        let text = String::from_utf8_lossy(bytes);
        for (form, needle) in &needles {
            let leak = Leak { place: place.clone(), form };
            if text.contains(needle.as_str()) && !found.contains(&leak) {
                found.push(leak);
            }
        }
    }
    found
}

/// A secret in every form: the name of the form, and the text to look for.
pub(crate) fn forms(secret: &str) -> Vec<(&'static str, String)> {
    assert!(secret.len() >= SHORTEST, "a secret of fewer than {SHORTEST} bytes would be found by accident");
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let json = json(secret);
    let mut forms = vec![
        ("plain", secret.to_owned()),
        ("url", utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()),
        ("url", utf8_percent_encode(secret, &UNRESERVED_KEPT).to_string()),
        ("url, lower case", lower_escapes(&utf8_percent_encode(secret, &UNRESERVED_KEPT).to_string())),
        ("form", utf8_percent_encode(secret, &UNRESERVED_KEPT).to_string().replace("%20", "+")),
        ("hex", hex.to_uppercase()),
        ("hex, lower case", hex),
        ("json", json.clone()),
        // Go writes these three as escapes.
        ("json of Go", json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")),
        ("json in json", self::json(&json)),
        ("sql", secret.replace('\'', "''")),
        ("sql", secret.replace('\\', "\\\\").replace('\'', "\\'")),
    ];
    for shift in 0..3 {
        forms.push(("base64", inner_base64(&STANDARD_NO_PAD, secret, shift)));
        forms.push(("base64 of URLs", inner_base64(&URL_SAFE_NO_PAD, secret, shift)));
    }
    let mut seen = Vec::new();
    forms.retain(|(_, text)| {
        !seen.contains(text) && {
            seen.push(text.clone());
            true
        }
    });
    forms
}

/// The characters of base64 that depend on the secret alone, when so many bytes stand before it in their group of three.
fn inner_base64(alphabet: &impl base64::Engine, secret: &str, shift: usize) -> String {
    let whole = alphabet.encode([&vec![0; shift], secret.as_bytes()].concat());
    let (first, end) = ((shift * 8).div_ceil(6), (shift + secret.len()) * 8 / 6);
    whole[first..end].to_owned()
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).expect("a text is JSON");
    quoted[1..quoted.len() - 1].to_owned()
}

/// `%2F` as `%2f`; the text itself stays.
fn lower_escapes(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        let (escape, rest) = part.split_at(2);
        format!("{all}%{}{rest}", escape.to_lowercase())
    })
}

/// What the secret scan must find: the forms, written by other means than those that look for them.
#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Sentinel/Passw0rd+1 <&>'\"\\~é";

    /// Made with Python: `base64`, `urllib.parse`, `json`, `bytes.hex`.
    const PLANTED: [(&str, &str); 14] = [
        ("plain", r#"Sentinel/Passw0rd+1 <&>'"\~é"#),
        ("base64", r#"U2VudGluZWwvUGFzc3cwcmQrMSA8Jj4nIlx+w6k="#),
        ("base64", r#"eFNlbnRpbmVsL1Bhc3N3MHJkKzEgPCY+JyJcfsOpdGFpbA=="#),
        ("base64", r#"eyJTZW50aW5lbC9QYXNzdzByZCsxIDwmPiciXH7DqSJ9"#),
        ("base64 of URLs", r#"U2VudGluZWwvUGFzc3cwcmQrMSA8Jj4nIlx-w6k="#),
        ("base64 of URLs", r#"eFNlbnRpbmVsL1Bhc3N3MHJkKzEgPCY-JyJcfsOp"#),
        ("base64", r#"eHlTZW50aW5lbC9QYXNzdzByZCsxIDwmPiciXH7DqQ=="#),
        ("url", r#"Sentinel%2FPassw0rd%2B1%20%3C%26%3E%27%22%5C~%C3%A9"#),
        ("url, lower case", r#"Sentinel%2fPassw0rd%2b1%20%3c%26%3e%27%22%5c~%c3%a9"#),
        ("form", r#"Sentinel%2FPassw0rd%2B1+%3C%26%3E%27%22%5C~%C3%A9"#),
        ("hex", r#"53656E74696E656C2F50617373773072642B31203C263E27225C7EC3A9"#),
        ("hex, lower case", r#"53656e74696e656c2f50617373773072642b31203c263e27225c7ec3a9"#),
        ("json", r#""Sentinel/Passw0rd+1 <&>'\"\\~é""#),
        ("json in json", r#""\"Sentinel/Passw0rd+1 <&>'\\\"\\\\~é\"""#),
    ];

    #[test]
    fn every_form_is_found_where_it_was_planted() {
        for (form, text) in PLANTED {
            let trace = ("trace".to_owned(), format!("before {text} after").into_bytes());
            let found = find(&[trace], &[SECRET]);
            assert!(found.iter().any(|leak| leak.form == form), "{form}: {text} {found:?}");
        }
    }

    #[test]
    fn another_secret_and_a_part_of_one_are_not_found() {
        let traces: Vec<Trace> =
            PLANTED.iter().map(|(form, text)| ((*form).to_owned(), text.as_bytes().to_vec())).collect();
        assert_eq!(find(&traces, &["Another-Passw0rd"]), []);
        assert_eq!(find(&[("half".to_owned(), SECRET.as_bytes()[..12].to_vec())], &[SECRET]), []);
    }

    #[test]
    #[should_panic(expected = "by accident")]
    fn a_short_secret_is_refused() {
        find(&[], &["short"]);
    }
}
