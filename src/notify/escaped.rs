//! A text in the escapes that programs write: those of JSON, C and shells, of URLs and of HTML, also one in another.
//! Programs differ in what they escape, so each character may stand in any of the forms.

use std::collections::BTreeSet;

/// Most backslashes before one character: JSON in JSON in JSON.
const MOST_BACKSLASHES: usize = 7;
/// Longest form of one character: a pair of surrogates in JSON in JSON in JSON.
const LONGEST: usize = 24;

/// How the beginning of some bytes compares with a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Length of the longest beginning that is the text
    pub length: Option<usize>,
    /// The bytes end before the text does
    pub runs_out: bool,
}

/// Compares the beginning of these bytes with a text.
pub(super) fn compare(bytes: &[u8], text: &[char]) -> Comparison {
    let mut ends = BTreeSet::from([0]);
    let mut runs_out = false;
    for wanted in text {
        let mut next = BTreeSet::new();
        for end in ends {
            let rest = bytes.get(end..).unwrap_or_default();
            runs_out |= is_open(rest, *wanted);
            next.extend(readings(rest).into_iter().filter(|(c, _)| c == wanted).map(|(_, length)| end + length));
        }
        ends = next;
    }
    Comparison { length: ends.last().copied(), runs_out }
}

/// Whether a form of something may begin with this byte, whatever it is.
pub(super) fn begins_escape(byte: u8) -> bool {
    matches!(byte, b'\\' | b'%' | b'&' | b'+')
}

/// Whether these last bytes may be the beginning of a form.
fn is_open(rest: &[u8], wanted: char) -> bool {
    let escape = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'\\' | b'%' | b'&' | b'#');
    if matches!(rest.first(), Some(b'\\' | b'%' | b'&')) && rest.len() < LONGEST && rest.iter().all(escape) {
        return true;
    }
    let backslashes = rest.iter().take_while(|byte| **byte == b'\\').count();
    let begun = rest.get(backslashes..).unwrap_or_default();
    let whole = wanted.len_utf8();
    begun.len() < whole && wanted.encode_utf8(&mut [0; 4]).as_bytes().starts_with(begun)
}

/// The characters that the beginning of these bytes may stand for, with the length of each form.
fn readings(rest: &[u8]) -> Vec<(char, usize)> {
    let mut all: Vec<(char, usize)> = first(rest).into_iter().collect();
    match rest.first() {
        Some(b'+') => all.push((' ', 1)),
        Some(b'%') => all.extend((0..=2).filter_map(|depth| utf8(rest, |bytes| percent(bytes, depth)))),
        Some(b'&') => all.extend(entity(rest)),
        Some(b'\\') => all.extend(backslashes(rest)),
        _ => {}
    }
    all
}

/// The character that stands there unescaped.
fn first(rest: &[u8]) -> Option<(char, usize)> {
    let head = rest.get(..rest.len().min(4))?;
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?,
    };
    valid.chars().next().map(|c| (c, c.len_utf8()))
}

/// A character of which every byte is escaped alike.
fn utf8(rest: &[u8], unit: impl Fn(&[u8]) -> Option<(u8, usize)>) -> Option<(char, usize)> {
    let (mut bytes, mut end) = (Vec::new(), 0);
    while bytes.len() < 4 {
        let (byte, length) = unit(rest.get(end..)?)?;
        bytes.push(byte);
        end += length;
        if let Some((c, _)) = first(&bytes) {
            return Some((c, end));
        }
    }
    None
}

/// `%41`, and `%2541` at a depth of one.
fn percent(rest: &[u8], depth: usize) -> Option<(u8, usize)> {
    let mut digits = rest.strip_prefix(b"%")?;
    for _ in 0..depth {
        digits = digits.strip_prefix(b"25")?;
    }
    Some((u8::try_from(hex(digits, 2)?).ok()?, 1 + 2 * depth + 2))
}

fn hex(rest: &[u8], digits: usize) -> Option<u32> {
    let digits = rest.get(..digits).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn backslashes(rest: &[u8]) -> Vec<(char, usize)> {
    let count = rest.iter().take(MOST_BACKSLASHES + 1).take_while(|byte| **byte == b'\\').count();
    let mut all: Vec<(char, usize)> = (2..=count).map(|length| ('\\', length)).collect();
    let after = rest.get(count..).unwrap_or_default();
    all.extend(first(after).map(|(c, length)| (c, count + length)));
    let control = match after.first() {
        Some(b'b') => Some('\u{8}'),
        Some(b'f') => Some('\u{c}'),
        Some(b'n') => Some('\n'),
        Some(b'r') => Some('\r'),
        Some(b't') => Some('\t'),
        _ => None,
    };
    all.extend(control.map(|c| (c, count + 1)));
    all.extend(utf16(rest, count));
    let prefix = [&vec![b'\\'; count][..], b"x"].concat();
    all.extend(utf8(rest, |bytes| {
        let byte = u8::try_from(hex(bytes.strip_prefix(&prefix[..])?, 2)?).ok()?;
        Some((byte, count + 3))
    }));
    all
}

/// `\u0041`, or two of them.
fn utf16(rest: &[u8], count: usize) -> Option<(char, usize)> {
    let prefix = [&vec![b'\\'; count][..], b"u"].concat();
    let unit = |rest: &[u8]| u16::try_from(hex(rest.strip_prefix(&prefix[..])?, 4)?).ok();
    let (length, high) = (count + 5, unit(rest)?);
    if let Some(Ok(c)) = char::decode_utf16([high]).next() {
        return Some((c, length));
    }
    let low = unit(rest.get(length..)?)?;
    char::decode_utf16([high, low]).next()?.ok().map(|c| (c, 2 * length))
}

/// `&lt;`, `&#60;` or `&#x3c;`.
fn entity(rest: &[u8]) -> Option<(char, usize)> {
    let end = rest.iter().take(12).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(rest.get(1..end)?).ok()?;
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let hex = number.strip_prefix(['x', 'X']).map(|digits| u32::from_str_radix(digits, 16));
            char::from_u32(hex.unwrap_or_else(|| number.parse()).ok()?)?
        }
    };
    Some((c, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(form: &str, text: &str) -> Option<usize> {
        compare(form.as_bytes(), &text.chars().collect::<Vec<_>>()).length
    }

    #[test]
    fn each_character_may_stand_in_any_form() {
        for form in [
            "<ä😀\"/ ",
            r#"\u003c\u00E4\ud83d\ude00\"\/ "#,
            r#"\\u003c\\u00e4\\uD83D\\uDE00\\\"\\/ "#,
            "%3C%c3%a4%F0%9f%98%80%22/+",
            "%253C%25c3%25a4%25F0%259f%2598%2580%2522/%20",
            "&lt;&#228;&#x1F600;&quot;/&#32;",
            r#"\x3c\xc3\xa4\xf0\x9f\x98\x80\"/\ "#,
        ] {
            assert_eq!(length(form, "<ä😀\"/ "), Some(form.len()), "{form}");
        }
        assert_eq!(length(r"a\\\\b", r"a\b"), Some(6));
        assert_eq!(length(r"a\\\\b", r"a\\b"), Some(6));
        for other in ["<ä😀\"/", "\\u003d", "%3D", "&gt;", "x"] {
            assert_eq!(length(other, "<ä😀\"/ "), None, "{other}");
        }
    }

    #[test]
    fn the_beginning_of_a_form_runs_out() {
        let runs_out = |form: &str| compare(form.as_bytes(), &['a', '<', 'ä']).runs_out;
        for form in ["a", "a<", r"a\", r"a\u003", "a%", "a%3", "a<%C3%", "a&l", "a&#6", r"a<\\u00"] {
            assert!(runs_out(form), "{form}");
        }
        assert!(compare(b"a<\xc3", &['a', '<', 'ä']).runs_out && compare(b"a<\\\xc3", &['a', '<', 'ä']).runs_out);
        for form in ["a<ä and more", "b", "a>", "a% ", "a&;"] {
            assert!(!runs_out(form), "{form}");
        }
    }
}
