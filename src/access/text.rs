//! The gateway's rules for names and tags of connections, and the cleaning of a text to fit them.

/// Lengths of a connection name.
const NAME_LENGTH: std::ops::RangeInclusive<usize> = 3..=254;
/// Longest tag value, in characters.
const TAG_VALUE_LONGEST: usize = 256;
/// Longest tag key, in characters.
const TAG_KEY_LONGEST: usize = 64;

/// Whether the gateway takes this connection name: groups of letters, digits and `_`, joined by single `-` or `.`,
/// 3 to 254 characters, at least three of them not separators.
pub fn is_connection_name(text: &str) -> bool {
    NAME_LENGTH.contains(&text.len()) && has_enough_letters(text) && text.split(['-', '.']).all(is_word)
}

fn has_enough_letters(text: &str) -> bool {
    text.bytes().filter(|b| b.is_ascii_alphanumeric() || *b == b'_').count() >= *NAME_LENGTH.start()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Turns any text into a part of a connection name: other characters become `-`, runs become one, ends are trimmed.
/// An empty result is possible; the caller decides what that means.
pub fn clean_connection_name(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let separator = !(c.is_ascii_alphanumeric() || c == '_');
        if !separator {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(['-', '.']) {
            out.push(if c == '.' { '.' } else { '-' });
        }
    }
    out.trim_end_matches(['-', '.']).to_owned()
}

/// Whether the gateway takes this tag key: 1 to 64 letters, digits and `_` with single `-`, `.` or `/` inside.
pub fn is_tag_key(text: &str) -> bool {
    (1..=TAG_KEY_LONGEST).contains(&text.len()) && text.split(['-', '.', '/']).all(is_word)
}

/// Whether the gateway takes this tag value: 1 to 256 letters, digits, `-_+=@/:` and spaces. A dot is refused by the
/// gateway although its documentation allows it.
pub fn is_tag_value(text: &str) -> bool {
    (1..=TAG_VALUE_LONGEST).contains(&text.len()) && text.chars().all(is_tag_character)
}

fn is_tag_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '=' | '@' | '/' | ':' | ' ')
}

/// Turns any text into a tag value: other characters become `-`, the result is cut at 256 characters, an empty one
/// becomes `-`.
pub fn clean_tag_value(text: &str) -> String {
    let out: String = text.chars().take(TAG_VALUE_LONGEST).map(|c| if is_tag_character(c) { c } else { '-' }).collect();
    if out.is_empty() { "-".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn connection_names_follow_the_gateways_rule() {
        for good in ["abc", "payments-eu1-main-ro", "a_b.c-d", "___"] {
            assert!(is_connection_name(good), "{good}");
        }
        for bad in ["", "ab", "a-b", "-abc", "abc-", "a--b", "a.-b", "a b", "é12"] {
            assert!(!is_connection_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_dot_in_a_tag_value_is_replaced() {
        assert_eq!(clean_tag_value("db.example.com"), "db-example-com");
        assert!(!is_tag_value("db.example.com"));
    }

    proptest! {
        #[test]
        fn a_cleaned_name_fits_or_is_too_short(text in ".{0,80}") {
            let name = clean_connection_name(&text);
            prop_assert!(!has_enough_letters(&name) || is_connection_name(&name), "{name}");
        }

        #[test]
        fn a_cleaned_tag_value_always_fits(text in ".{0,400}") {
            prop_assert!(is_tag_value(&clean_tag_value(&text)));
        }

        #[test]
        fn cleaning_twice_changes_nothing(text in ".{0,80}") {
            let once = clean_connection_name(&text);
            prop_assert_eq!(clean_connection_name(&once), once.clone());
        }
    }
}
