//! The only way to build SQL here: constant templates, filled with quoted fragments.

use std::fmt;

/// A fragment that is safe to stand in a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Quoted(String);

/// A name: always in double quotes, so that case, reserved words and every character survive.
pub(super) fn ident(name: &str) -> Quoted {
    Quoted(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// A name inside a schema.
pub(super) fn qualified(schema: &str, name: &str) -> Quoted {
    Quoted(format!("{}.{}", ident(schema), ident(name)))
}

/// A string constant. With a backslash the escape form is used, whose meaning no server setting changes.
pub(super) fn literal(text: &str) -> Quoted {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        Quoted(format!(" E'{}'", quoted.replace('\\', "\\\\")))
    } else {
        Quoted(format!("'{quoted}'"))
    }
}

/// A number.
pub(super) fn number(value: impl Into<i64>) -> Quoted {
    Quoted(value.into().to_string())
}

/// Key words of ours.
pub(super) fn words(text: &'static str) -> Quoted {
    Quoted(text.to_owned())
}

/// A text that the server itself quoted, such as the identity that `pg_identify_object` returns.
pub(super) fn quoted_by_server(text: &str) -> Quoted {
    Quoted(text.to_owned())
}

/// Fragments joined by commas.
pub(super) fn list(parts: impl IntoIterator<Item = Quoted>) -> Quoted {
    Quoted(parts.into_iter().map(|part| part.0).collect::<Vec<_>>().join(", "))
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One or more statements.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sql(String);

impl Sql {
    /// Fills the `{}` of a constant template, one fragment each. A template that does not fit its fragments is a
    /// mistake in this crate; every template is run by a test.
    pub(super) fn of(template: &'static str, fragments: &[Quoted]) -> Self {
        debug_assert_eq!(template.matches("{}").count(), fragments.len(), "{template}");
        let mut out = String::with_capacity(template.len() + 32 * fragments.len());
        let mut fragments = fragments.iter();
        for (n, piece) in template.split("{}").enumerate() {
            if n > 0
                && let Some(fragment) = fragments.next()
            {
                out.push_str(&fragment.0);
            }
            out.push_str(piece);
        }
        Self(out)
    }

    /// Several statements as one text, which the server runs in one round trip.
    pub(super) fn batch(statements: impl IntoIterator<Item = Self>) -> Self {
        Self(statements.into_iter().map(|sql| sql.0).collect::<Vec<_>>().join(";\n"))
    }

    /// The text to send.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads one quoted token as the server's scanner does; `None` when it does not end exactly at the end of the text.
    fn scan(text: &str, quote: char, escapes: bool) -> Option<String> {
        let mut chars = text.strip_prefix(quote)?.chars().peekable();
        let mut out = String::new();
        while let Some(c) = chars.next() {
            if c == '\\' && escapes {
                out.push(chars.next()?);
            } else if c != quote {
                out.push(c);
            } else if chars.peek() == Some(&quote) {
                chars.next();
                out.push(quote);
            } else {
                return chars.next().is_none().then_some(out);
            }
        }
        None
    }

    proptest! {
        #[test]
        fn any_name_is_one_identifier_that_means_itself(name in "[^\0]{1,40}|[\"'\\\\;$-]{1,10}") {
            prop_assert_eq!(scan(&ident(&name).to_string(), '"', false), Some(name));
        }

        #[test]
        fn any_text_is_one_constant_that_means_itself(text in "[^\0]{0,40}|[\"'\\\\;$-]{0,10}") {
            let quoted = literal(&text).to_string();
            let meaning = match quoted.strip_prefix(" E") {
                Some(escaped) => scan(escaped, '\'', true),
                None => scan(&quoted, '\'', false),
            };
            prop_assert_eq!(meaning, Some(text));
        }
    }

    #[test]
    fn a_template_takes_its_fragments_in_order_and_never_reads_them_as_a_template() {
        let sql = Sql::of("GRANT {} TO {}", &[ident("{}"), ident("b\"c")]);
        assert_eq!(sql.as_str(), "GRANT \"{}\" TO \"b\"\"c\"");
    }
}
