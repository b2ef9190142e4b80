//! Names inside a database server. The limits here hold on every engine; each engine checks its own on top.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// The longest name any engine takes, in characters (SQL Server's `sysname`, MariaDB's user).
const LONGEST: usize = 128;

/// A name that a database server knows: non-empty, no NUL, at most 128 characters.
pub trait Identifier: Sized + FromStr<Err = Invalid> {
    /// The exact name, unquoted.
    fn as_str(&self) -> &str;
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident = $noun:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl Identifier for $name {
            fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                check($noun, text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

identifiers! {
    /// The name of a role, login or user of a database server.
    RoleName = "a role name";
    /// The name of a database inside a server.
    DatabaseName = "a database name";
    /// The name of a schema inside a PostgreSQL or SQL Server database.
    SchemaName = "a schema name";
    /// The name of a table, view, sequence or function.
    ObjectName = "an object name";
    /// The host part of a MySQL or MariaDB account, `%` for any host.
    HostPattern = "a host pattern";
}

fn check(noun: &str, text: &str) -> Result<String, Invalid> {
    if text.is_empty() {
        Err(Invalid::new(format!("{noun} must not be empty")))
    } else if text.contains('\0') {
        Err(Invalid::new(format!("{noun} must not contain a NUL character")))
    } else if text.chars().count() > LONGEST {
        Err(Invalid::new(format!(
            "{noun} must not be longer than {LONGEST} characters, this one has {}",
            text.chars().count()
        )))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_but_possible_names_are_kept_exactly() {
        for name in ["hoop_ro", "Robert'); DROP TABLE students;--", "with \"quotes\"", "日本", " leading", "a\\b"] {
            assert_eq!(name.parse::<RoleName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn impossible_names_are_refused_with_the_reason() {
        assert!("".parse::<RoleName>().unwrap_err().0.contains("empty"));
        assert!("a\0b".parse::<DatabaseName>().unwrap_err().0.contains("NUL"));
        assert!("x".repeat(129).parse::<SchemaName>().unwrap_err().0.contains("129"));
    }
}
