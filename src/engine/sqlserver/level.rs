//! What a level holds, and which single rights can be granted.

use crate::access::{Access, ObjectKind};

/// Rights on a whole database that can be granted, on every version from 2016.
const DATABASE: &[&str] = &[
    "CONNECT",
    "CREATE FUNCTION",
    "CREATE PROCEDURE",
    "CREATE SCHEMA",
    "CREATE SYNONYM",
    "CREATE TABLE",
    "CREATE TYPE",
    "CREATE VIEW",
    "DELETE",
    "EXECUTE",
    "INSERT",
    "REFERENCES",
    "SELECT",
    "SHOWPLAN",
    "UNMASK",
    "UPDATE",
    "VIEW DATABASE STATE",
    "VIEW DEFINITION",
];
const SCHEMA: &[&str] = &[
    "ALTER",
    "CREATE SEQUENCE",
    "DELETE",
    "EXECUTE",
    "INSERT",
    "REFERENCES",
    "SELECT",
    "UPDATE",
    "VIEW CHANGE TRACKING",
    "VIEW DEFINITION",
];
const TABLE: &[&str] =
    &["ALTER", "DELETE", "INSERT", "REFERENCES", "SELECT", "UPDATE", "VIEW CHANGE TRACKING", "VIEW DEFINITION"];
const SEQUENCE: &[&str] = &["REFERENCES", "UPDATE", "VIEW DEFINITION"];
const FUNCTION: &[&str] = &["EXECUTE", "REFERENCES", "SELECT", "VIEW DEFINITION"];

/// What `db_datareader` adds.
const READ: &[&str] = &["SELECT"];
/// What `db_datawriter` adds.
const WRITE: &[&str] = &["DELETE", "INSERT", "UPDATE"];
/// What `db_ddladmin` adds, as far as it is granted by name.
const DEFINE: &[&str] = &[
    "ALTER",
    "ALTER ANY ASSEMBLY",
    "ALTER ANY DATABASE DDL TRIGGER",
    "ALTER ANY SCHEMA",
    "CREATE AGGREGATE",
    "CREATE DEFAULT",
    "CREATE FUNCTION",
    "CREATE PROCEDURE",
    "CREATE RULE",
    "CREATE SCHEMA",
    "CREATE SEQUENCE",
    "CREATE SYNONYM",
    "CREATE TABLE",
    "CREATE TYPE",
    "CREATE VIEW",
    "REFERENCES",
    "VIEW DEFINITION",
];

/// The fixed database role that a level adds to the one before it.
fn role(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "db_datareader",
        Access::ReadWrite => "db_datawriter",
        Access::Ddl => "db_ddladmin",
    }
}

/// The fixed database roles of a level.
pub(super) fn level_roles(access: Access) -> Vec<&'static str> {
    Access::ALL.into_iter().filter(|level| *level <= access).map(role).collect()
}

/// The smallest level that contains a membership in this role; `None` for a role that is of no level.
pub(super) fn level_of_role(name: &str) -> Option<Access> {
    Access::ALL.into_iter().find(|level| role(*level) == name)
}

/// The smallest level that holds this right; `None` when none does.
pub(super) fn level_of_right(right: &str) -> Option<Access> {
    if READ.contains(&right) {
        Some(Access::ReadOnly)
    } else if WRITE.contains(&right) {
        Some(Access::ReadWrite)
    } else {
        // A definition may be read where it may be changed, and changing schemas is for `db_ddladmin`.
        DEFINE.contains(&right).then_some(Access::Ddl)
    }
}

/// Whether these roles of a user contain a level, so that this provider may have made it a member.
pub(super) fn contains_level(roles: &[&str]) -> bool {
    roles.contains(&role(Access::ReadOnly))
}

/// Whether a level holds this right on every schema, and on what is in schemas.
pub(super) fn is_within(access: Access, right: &str) -> bool {
    level_of_right(right).is_some_and(|level| level <= access)
}

/// The rights that can be granted on this kind of object, as the catalog prints them.
pub(super) fn rights(kind: ObjectKind) -> &'static [&'static str] {
    match kind {
        ObjectKind::Database => DATABASE,
        ObjectKind::Schema => SCHEMA,
        ObjectKind::Table => TABLE,
        ObjectKind::Sequence => SEQUENCE,
        ObjectKind::Function => FUNCTION,
    }
}

/// The right of this name, out of the closed list: what goes into a statement is never the configuration's own text.
pub(super) fn right(kind: ObjectKind, name: &str) -> Option<&'static str> {
    rights(kind).iter().copied().find(|right| *right == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_adds_one_role() {
        assert_eq!(level_roles(Access::ReadOnly), ["db_datareader"]);
        assert_eq!(level_roles(Access::Ddl), ["db_datareader", "db_datawriter", "db_ddladmin"]);
        assert_eq!(level_of_role("db_datawriter"), Some(Access::ReadWrite));
        assert_eq!(level_of_role("db_owner"), None);
        assert!(is_within(Access::ReadOnly, "SELECT") && !is_within(Access::ReadOnly, "INSERT"));
        assert!(is_within(Access::Ddl, "CREATE TABLE") && !is_within(Access::Ddl, "EXECUTE"));
        assert!(!is_within(Access::Ddl, "CONTROL"));
    }
}
