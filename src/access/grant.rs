//! Single rights beside a level: what `grants` of a role says, engine by engine checked in its own folder.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::{DatabaseName, Invalid, ObjectName, SchemaName};

/// The longest word of a privilege that any engine knows is far below this.
const LONGEST: usize = 64;

/// What a grant is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// `database`
    Database,
    /// `schema`
    Schema,
    /// `table`: also views, materialised views and foreign tables
    Table,
    /// `sequence`
    Sequence,
    /// `function`: also procedures
    Function,
}

impl ObjectKind {
    /// Every kind, from the widest.
    pub const ALL: [Self; 5] = [Self::Database, Self::Schema, Self::Table, Self::Sequence, Self::Function];

    /// The word used in HCL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Schema => "schema",
            Self::Table => "table",
            Self::Sequence => "sequence",
            Self::Function => "function",
        }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ObjectKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            Invalid::new(format!(
                "`{text}` is not a kind of object: `database`, `schema`, `table`, `sequence` or `function` is expected"
            ))
        })
    }
}

/// The words of a privilege, in capitals: `SELECT`, `CREATE VIEW`. Which ones exist is for the engine to say; it
/// matches this text against its own list and never puts it into a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrivilegeName(String);

impl PrivilegeName {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PrivilegeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PrivilegeName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let well_formed = text.split(' ').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase()));
        if well_formed && text.len() <= LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(format!("`{text}` is not a privilege: capital letters are expected, such as `SELECT`")))
        }
    }
}

/// One entry of `grants`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// Database that it is in
    pub database: DatabaseName,
    /// Schema, on engines that have schemas
    pub schema: Option<SchemaName>,
    /// Kind of the objects
    pub kind: ObjectKind,
    /// Names of the objects; all of the schema (or of the database, where there are no schemas) when `None`
    pub objects: Option<BTreeSet<ObjectName>>,
    /// What is granted
    pub privileges: BTreeSet<PrivilegeName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_privilege_is_words_in_capitals() {
        for text in ["SELECT", "CREATE VIEW", "CREATE TEMPORARY TABLES"] {
            assert_eq!(text.parse::<PrivilegeName>().unwrap().as_str(), text);
        }
        for text in ["", "select", "SELECT ", " SELECT", "CREATE  VIEW", "SELECT; DROP", "SELECT--", "ALTER\tX"] {
            assert!(text.parse::<PrivilegeName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_kind_is_one_of_five_words() {
        for kind in ObjectKind::ALL {
            assert_eq!(kind.as_str().parse::<ObjectKind>().unwrap(), kind);
        }
        assert!("view".parse::<ObjectKind>().unwrap_err().0.contains("`table`"));
    }
}
