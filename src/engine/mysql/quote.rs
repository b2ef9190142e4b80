//! The only way to build SQL for MySQL and MariaDB.
//!
//! Names go between backticks and values into hexadecimal literals, because neither depends on `sql_mode`. The one
//! place that takes a quoted text only ([`literal`]) relies on `NO_BACKSLASH_ESCAPES`, which every session sets.

use std::fmt;

use super::catalog::AccountName;

/// One statement, with what it does in words. The SQL may hold a password hash, so it never prints.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Statement {
    step: String,
    sql: String,
}

impl Statement {
    /// A statement; `step` is a participle such as `granting SELECT on app`.
    pub(super) fn new(step: impl Into<String>, sql: impl Into<String>) -> Self {
        Self { step: step.into(), sql: sql.into() }
    }

    /// What it does, for error texts.
    pub(super) fn step(&self) -> &str {
        &self.step
    }

    /// What is sent.
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statement({})", self.step)
    }
}

/// A name between backticks.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// An account, user and host quoted apart.
pub(super) fn account(name: &AccountName) -> String {
    format!("{}@{}", identifier(&name.user), identifier(&name.host))
}

/// The bytes of a text as a binary string, for comparisons in SELECT.
pub(super) fn bytes(text: &str) -> String {
    if text.is_empty() { "''".to_owned() } else { format!("0x{}", hex::encode_upper(text)) }
}

/// A text as a literal of characters, for comparisons that follow the rules of a column.
pub(super) fn text(text: &str) -> String {
    format!("_utf8mb4 {}", bytes(text))
}

/// A text between single quotes, for the few clauses that take nothing else. Correct under `NO_BACKSLASH_ESCAPES`.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a backticked identifier back as the server's lexer does; `None` when it ends early or late.
    fn lex(sql: &str) -> Option<String> {
        let inner = sql.strip_prefix('`')?.strip_suffix('`')?;
        let mut out = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            if c == '`' && chars.next() != Some('`') {
                return None;
            }
            out.push(c);
        }
        Some(out)
    }

    proptest! {
        #[test]
        fn an_identifier_reads_back_as_the_same_name(name in "[^\0]{0,40}") {
            prop_assert_eq!(lex(&identifier(&name)), Some(name));
        }
    }

    #[test]
    fn hostile_names_stay_one_token() {
        assert_eq!(identifier("a`; DROP USER root; -- "), "`a``; DROP USER root; -- `");
        let hostile = AccountName { user: "x`@`%".to_owned(), host: "10.%".to_owned() };
        assert_eq!(account(&hostile), "`x``@``%`@`10.%`");
        assert_eq!(literal("it's \\"), "'it''s \\'");
        assert_eq!(bytes("a'b"), "0x612762");
        assert_eq!(bytes(""), "''");
        assert_eq!(text("a'b"), "_utf8mb4 0x612762");
    }

    #[test]
    fn a_statement_prints_its_step_but_not_its_text() {
        let statement = Statement::new("setting the password", "ALTER USER … '*HASH'");
        assert_eq!(format!("{statement:?}"), "Statement(setting the password)");
    }
}
