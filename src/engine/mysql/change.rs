//! One GRANT or REVOKE, and how it is written.

use super::catalog::{AccountName, Object};
use super::level::{Privilege, Privileges, list};
use super::quote::{Statement, account as account_sql, identifier};

/// What a statement gives or takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum On {
    /// Everything on the server
    Everything,
    /// A database, by the exact text stored in the grant tables
    Database(String),
    /// A table, column or routine of a database
    Object(String, Object),
}

/// One GRANT or REVOKE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// What it is on
    pub(super) on: On,
    /// What is given or taken
    pub(super) privileges: Privileges,
}

/// Adds a change; the same object is listed once.
pub(super) fn push<'a>(changes: &mut Vec<Change>, on: On, privileges: impl IntoIterator<Item = &'a Privilege>) {
    let privileges: Privileges = privileges.into_iter().cloned().collect();
    if privileges.is_empty() {
        return;
    }
    match changes.iter_mut().find(|change| change.on == on) {
        Some(change) => change.privileges.extend(privileges),
        None => changes.push(Change { on, privileges }),
    }
}

impl Change {
    /// The GRANT.
    pub(super) fn grant(&self, name: &AccountName) -> Statement {
        let (held, on) = (list(&self.privileges), self.on.words());
        let sql = format!("GRANT {} ON {} TO {}", self.sql_privileges(), self.on.sql(), account_sql(name));
        Statement::new(format!("granting {held} on {on}"), sql)
    }

    /// The REVOKE.
    pub(super) fn revoke(&self, name: &AccountName) -> Statement {
        let (held, on) = (list(&self.privileges), self.on.words());
        let sql = format!("REVOKE {} ON {} FROM {}", self.sql_privileges(), self.on.sql(), account_sql(name));
        Statement::new(format!("revoking {held} on {on}"), sql)
    }

    fn sql_privileges(&self) -> String {
        match &self.on {
            On::Object(_, Object::Column(_, column)) => {
                let column = identifier(column);
                self.privileges.iter().map(|held| format!("{held} ({column})")).collect::<Vec<_>>().join(", ")
            }
            _ => list(&self.privileges),
        }
    }
}

impl On {
    fn sql(&self) -> String {
        match self {
            Self::Everything => "*.*".to_owned(),
            Self::Database(stored) => format!("{}.*", identifier(stored)),
            Self::Object(database, Object::Table(table) | Object::Column(table, _)) => {
                format!("{}.{}", identifier(database), identifier(table))
            }
            Self::Object(database, Object::Routine(kind, name)) => {
                // The kind comes from an ENUM of the server; anything unexpected must not reach the statement.
                let kind = Privilege::named(kind).map(|kind| format!("{kind} ")).unwrap_or_default();
                format!("{kind}{}.{}", identifier(database), identifier(name))
            }
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Everything => "all databases".to_owned(),
            Self::Database(stored) => stored.clone(),
            Self::Object(database, Object::Table(name) | Object::Column(name, _) | Object::Routine(_, name)) => {
                format!("{database}.{name}")
            }
        }
    }
}
