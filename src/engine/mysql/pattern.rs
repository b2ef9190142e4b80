//! How a grant names its database. With `partial_revokes` off (and always on MySQL 5.7 and MariaDB) the stored name is
//! a pattern: `_` and `%` are wildcards unless escaped, so a grant on `app_prod` also opens `appXprod`. With it on the
//! name is taken literally, and an escaped one opens nothing. So the right form depends on the mode.

/// The longest database name that the grant tables hold, in characters.
const LONGEST: usize = 64;

/// How the server reads the database name of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameForm {
    /// `_`, `%` and `\` are special
    Pattern,
    /// Every character stands for itself
    Literal,
}

impl NameForm {
    /// The form that opens exactly this database; `None` when the escaped name does not fit into the grant tables.
    pub(super) fn stored(self, database: &str) -> Option<String> {
        let text = match self {
            Self::Literal => database.to_owned(),
            Self::Pattern => escape(database),
        };
        (text.chars().count() <= LONGEST).then_some(text)
    }

    /// Whether a grant stored under this name opens this database.
    pub(super) fn opens(self, stored: &str, database: &str) -> bool {
        match self {
            Self::Literal => stored == database,
            Self::Pattern => {
                let (pattern, name): (Vec<char>, Vec<char>) = (stored.chars().collect(), database.chars().collect());
                matches(&pattern, &name)
            }
        }
    }

    /// The single database that a stored name can open; `None` when it is a pattern with a live wildcard.
    pub(super) fn only(self, stored: &str) -> Option<String> {
        match self {
            Self::Literal => Some(stored.to_owned()),
            Self::Pattern => unescape(stored),
        }
    }
}

fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '_' | '%' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Removes the escapes of a pattern; `None` when it holds a live wildcard.
pub(super) fn unescape(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '_' | '%' => return None,
            '\\' => out.push(chars.next().unwrap_or('\\')),
            other => out.push(other),
        }
    }
    Some(out)
}

/// The server's own matching. A backslash at the very end stands for itself. Anybody who may grant chooses the pattern,
/// so the work is bounded by the product of the lengths: only the last `%` is ever tried again.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Behind the last `%`, and where in the name it was assumed to end.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let taken = match &pattern[at..] {
            [] if from == name.len() => return true,
            ['%', ..] => {
                at += 1;
                retry = Some((at, from));
                continue;
            }
            ['_', ..] => usize::from(from < name.len()),
            ['\\', c, ..] => 2 * usize::from(name.get(from) == Some(c)),
            [c, ..] => usize::from(name.get(from) == Some(c)),
            [] => 0,
        };
        if taken > 0 {
            at += taken;
            from += 1;
            continue;
        }
        match retry {
            Some((behind, end)) if end < name.len() => {
                (at, from) = (behind, end + 1);
                retry = Some((behind, end + 1));
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_unescaped_underscore_leaks_where_names_are_patterns() {
        assert!(NameForm::Pattern.opens("app_prod", "app_prod"));
        assert!(NameForm::Pattern.opens("app_prod", "appXprod"));
        assert!(!NameForm::Literal.opens("app_prod", "appXprod"));
        assert!(!NameForm::Literal.opens(r"app\_prod", "app_prod"));
    }

    #[test]
    fn wildcards_match_as_on_the_server() {
        for (pattern, name, expected) in [
            ("%", "", true),
            ("a%c", "abbc", true),
            ("a%c", "abbd", false),
            (r"a\%c", "a%c", true),
            (r"a\%c", "abc", false),
            (r"a\\b", r"a\b", true),
            ("a_", "a", false),
            ("a\\", "a\\", true),
        ] {
            assert_eq!(NameForm::Pattern.opens(pattern, name), expected, "{pattern} {name}");
        }
    }

    /// The rules, word for word; exponential, so for short names only.
    fn simply_matches(pattern: &[char], name: &[char]) -> bool {
        match pattern {
            [] => name.is_empty(),
            ['%', rest @ ..] => (0..=name.len()).any(|skip| simply_matches(rest, &name[skip..])),
            ['_', rest @ ..] => !name.is_empty() && simply_matches(rest, &name[1..]),
            ['\\', c, rest @ ..] | [c, rest @ ..] => name.first() == Some(c) && simply_matches(rest, &name[1..]),
        }
    }

    #[test]
    fn a_hostile_pattern_costs_no_time() {
        let name = "a".repeat(64);
        let began = std::time::Instant::now();
        for end in ["b", "_b", r"\%"] {
            let pattern = format!("{}{end}", "%a".repeat(30));
            assert!(!NameForm::Pattern.opens(&pattern, &name));
        }
        assert!(NameForm::Pattern.opens(&"%a".repeat(30), &name));
        assert!(began.elapsed() < std::time::Duration::from_secs(1), "{:?}", began.elapsed());
    }

    #[test]
    fn only_a_name_without_live_wildcards_names_one_database() {
        assert_eq!(NameForm::Pattern.only(r"a\_b").as_deref(), Some("a_b"));
        assert_eq!(NameForm::Pattern.only("a_b"), None);
        assert_eq!(NameForm::Literal.only("a_b").as_deref(), Some("a_b"));
    }

    #[test]
    fn a_name_that_does_not_fit_when_escaped_is_refused() {
        let long = format!("a{}", "_".repeat(40));
        assert_eq!(NameForm::Pattern.stored(&long), None);
        assert_eq!(NameForm::Literal.stored(&long), Some(long));
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_rules(pattern in r"[ab_%\\]{0,8}", name in r"[ab_%\\]{0,8}") {
            let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
            prop_assert_eq!(matches(&p, &n), simply_matches(&p, &n));
        }

        #[test]
        fn the_stored_form_opens_its_own_database_only(name in r"[ab_%\\]{1,12}", other in r"[ab_%\\]{1,12}") {
            for form in [NameForm::Pattern, NameForm::Literal] {
                let stored = form.stored(&name).unwrap();
                prop_assert!(form.opens(&stored, &name));
                prop_assert_eq!(form.opens(&stored, &other), name == other);
                prop_assert_eq!(form.only(&stored), Some(name.clone()));
            }
        }
    }
}
