//! The only way to build SQL for SQL Server.
//!
//! Names go between brackets, whatever QUOTED_IDENTIFIER says. `QUOTENAME` quotes no name of ours: it answers NULL beyond
//! 128 characters. A text between quotes is needed in one place only, the password: see [`password`](super::password).

use std::fmt;

use crate::access::Secret;

/// One batch, with what it does in words. The SQL may hold a password, so it never prints and is wiped.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Statement {
    step: String,
    sql: Secret<String>,
}

impl Statement {
    /// A batch; `step` is a participle such as `dropping the login x`.
    pub(super) fn new(step: impl Into<String>, sql: impl Into<String>) -> Self {
        Self { step: step.into(), sql: Secret::new(sql.into()) }
    }

    /// Statements that take effect together or not at all. `XACT_ABORT`, which every session sets, ends the transaction
    /// at the first error.
    pub(super) fn transaction(step: impl Into<String>, statements: &[String]) -> Self {
        Self::new(step, format!("BEGIN TRANSACTION;\n{};\nCOMMIT TRANSACTION;", statements.join(";\n")))
    }

    /// What it does, for error texts.
    pub(super) fn step(&self) -> &str {
        &self.step
    }

    /// What is sent.
    pub(super) fn sql(&self) -> &str {
        self.sql.expose()
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statement({})", self.step)
    }
}

/// A name between brackets.
pub(super) fn identifier(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// Bytes as a binary constant.
pub(super) fn bytes(value: &[u8]) -> String {
    format!("0x{}", hex::encode_upper(value))
}

/// A text between single quotes, in Unicode. A backslash before a line break would continue the line and lose both, so
/// callers keep control characters out.
pub(super) fn literal(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A token of T-SQL.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(in crate::engine::sqlserver) enum Token {
        /// A name between brackets or double quotes
        Quoted(String),
        /// A text between single quotes
        Text(String),
        /// A word, number or variable
        Word(String),
        /// Any other character
        Mark(char),
    }

    /// Splits T-SQL as the server's lexer does: brackets, quotes, both kinds of comment (block comments nest), line
    /// continuation inside texts. Written from the reference, not from the code under test. `None` for an open end.
    pub(in crate::engine::sqlserver) fn lex(sql: &str) -> Option<Vec<Token>> {
        let chars: Vec<char> = sql.chars().collect();
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            match (chars[at], chars.get(at + 1)) {
                ('-', Some('-')) => at += chars[at..].iter().position(|c| *c == '\n').unwrap_or(chars.len() - at),
                ('/', Some('*')) => at = skip_comment(&chars, at)?,
                ('[', _) => {
                    let (name, next) = until(&chars, at + 1, ']')?;
                    tokens.push(Token::Quoted(name));
                    at = next;
                }
                ('"', _) => {
                    let (name, next) = until(&chars, at + 1, '"')?;
                    tokens.push(Token::Quoted(name));
                    at = next;
                }
                ('N', Some('\'')) | ('\'', _) => {
                    let start = if chars[at] == 'N' { at + 2 } else { at + 1 };
                    let (text, next) = until(&chars, start, '\'')?;
                    tokens.push(Token::Text(text.replace("\\\r\n", "").replace("\\\n", "")));
                    at = next;
                }
                (c, _) if c.is_alphanumeric() || "_@#$".contains(c) => {
                    let end = chars[at..].iter().position(|c| !(c.is_alphanumeric() || "_@#$".contains(*c)));
                    let end = end.map_or(chars.len(), |length| at + length);
                    tokens.push(Token::Word(chars[at..end].iter().collect()));
                    at = end;
                }
                (c, _) => {
                    if !c.is_whitespace() {
                        tokens.push(Token::Mark(c));
                    }
                    at += 1;
                }
            }
        }
        Some(tokens)
    }

    fn skip_comment(chars: &[char], start: usize) -> Option<usize> {
        let (mut depth, mut at) = (0, start);
        loop {
            match (chars.get(at)?, chars.get(at + 1)) {
                ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
                ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
            if depth == 0 {
                return Some(at);
            }
        }
    }

    /// The text up to a closing mark that is not doubled, and the place after it.
    fn until(chars: &[char], start: usize, close: char) -> Option<(String, usize)> {
        let (mut text, mut at) = (String::new(), start);
        loop {
            let c = *chars.get(at)?;
            if c == close {
                if chars.get(at + 1) != Some(&close) {
                    return Some((text, at + 1));
                }
                at += 1;
            }
            text.push(c);
            at += 1;
        }
    }

    proptest! {
        #[test]
        fn an_identifier_reads_back_as_one_token(name in "[^\0]{1,40}") {
            let sql = format!("DROP USER {};", identifier(&name));
            let expected = [
                Token::Word("DROP".into()), Token::Word("USER".into()), Token::Quoted(name), Token::Mark(';'),
            ];
            prop_assert_eq!(lex(&sql).unwrap(), expected);
        }

        #[test]
        fn a_text_without_control_characters_reads_back_as_one_token(text in "[^\\p{Cc}]{0,60}") {
            prop_assert_eq!(lex(&literal(&text)).unwrap(), [Token::Text(text)]);
        }
    }

    #[test]
    fn the_lexer_of_the_tests_tells_code_from_comments_and_texts() {
        let words = |sql: &str| lex(sql).unwrap().len();
        assert_eq!(words("SELECT 1 -- ]'[ \n, 2"), 4);
        assert_eq!(words("a /* /* ' */ ] */ b"), 2);
        assert_eq!(lex("N'a\\\nb'").unwrap(), [Token::Text("ab".into())], "line continuation");
        assert_eq!(lex("[open"), None);
        assert_eq!(lex("'open"), None);
    }

    #[test]
    fn hostile_names_stay_one_token() {
        assert_eq!(identifier("a]; DROP LOGIN sa; --"), "[a]]; DROP LOGIN sa; --]");
        assert_eq!(literal("it's"), "N'it''s'");
        assert_eq!(bytes(&[1, 0xAB]), "0x01AB");
    }

    #[test]
    fn a_statement_prints_its_step_but_not_its_text() {
        let statement = Statement::new("setting the password", "ALTER LOGIN x WITH PASSWORD = N'geheim'");
        assert_eq!(format!("{statement:?}"), "Statement(setting the password)");
    }
}
