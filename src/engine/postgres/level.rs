//! What each level holds on each kind of object. This table is the product's promise; everything else follows from it.

use std::collections::BTreeSet;

use super::catalog::{ObjectType, Privilege, RelationKind};
use super::quote::{Quoted, list, words};
use crate::access::Access;

/// Privileges of one kind of object.
pub(super) type Privileges = BTreeSet<Privilege>;

/// On a table, view or sequence.
pub(super) fn on_relation(level: Access, kind: RelationKind) -> Privileges {
    match kind {
        RelationKind::Sequence => on_sequences(level),
        _ => on_tables(level),
    }
}

/// On later objects; nothing for kinds that no level is about.
pub(super) fn on_later(level: Access, objects: ObjectType) -> Privileges {
    match objects {
        ObjectType::Tables => on_tables(level),
        ObjectType::Sequences => on_sequences(level),
        ObjectType::Functions | ObjectType::Types | ObjectType::Schemas | ObjectType::Other => Privileges::new(),
    }
}

/// On a schema.
pub(super) fn on_schema(level: Access) -> Privileges {
    match level {
        Access::ReadOnly | Access::ReadWrite => [Privilege::Usage].into(),
        Access::Ddl => [Privilege::Usage, Privilege::Create].into(),
    }
}

/// On a database.
pub(super) fn on_database() -> Privileges {
    [Privilege::Connect].into()
}

fn on_tables(level: Access) -> Privileges {
    use Privilege::{Delete, Insert, References, Select, Trigger, Truncate, Update};
    match level {
        Access::ReadOnly => [Select].into(),
        Access::ReadWrite => [Select, Insert, Update, Delete].into(),
        Access::Ddl => [Select, Insert, Update, Delete, Truncate, References, Trigger].into(),
    }
}

fn on_sequences(level: Access) -> Privileges {
    match level {
        Access::ReadOnly => [Privilege::Select].into(),
        Access::ReadWrite | Access::Ddl => [Privilege::Select, Privilege::Usage, Privilege::Update].into(),
    }
}

/// The smallest level that contains this privilege on tables, sequences or schemas; `None` when no level has it.
pub(super) fn smallest_with(privilege: Privilege, holds: impl Fn(Access) -> Privileges) -> Option<Access> {
    Access::ALL.into_iter().find(|level| holds(*level).contains(&privilege))
}

/// As SQL and people write it: `SELECT, INSERT`.
pub(super) fn sql(privileges: &Privileges) -> Quoted {
    list(privileges.iter().map(|privilege| words(word(*privilege))))
}

/// The server's word.
pub(super) fn word(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::Select => "SELECT",
        Privilege::Insert => "INSERT",
        Privilege::Update => "UPDATE",
        Privilege::Delete => "DELETE",
        Privilege::Truncate => "TRUNCATE",
        Privilege::References => "REFERENCES",
        Privilege::Trigger => "TRIGGER",
        Privilege::Maintain => "MAINTAIN",
        Privilege::Usage => "USAGE",
        Privilege::Create => "CREATE",
        Privilege::Connect => "CONNECT",
        Privilege::Temporary => "TEMPORARY",
        Privilege::Execute => "EXECUTE",
        // Unknown words never reach a statement: the readers of access lists leave them out.
        Privilege::Unknown => "ALL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_adds_to_the_one_before() {
        for kind in [RelationKind::Table, RelationKind::Sequence] {
            assert!(on_relation(Access::ReadOnly, kind).is_subset(&on_relation(Access::ReadWrite, kind)));
            assert!(on_relation(Access::ReadWrite, kind).is_subset(&on_relation(Access::Ddl, kind)));
        }
        assert!(on_schema(Access::ReadWrite).is_subset(&on_schema(Access::Ddl)));
    }

    #[test]
    fn a_reader_holds_nothing_that_changes_anything() {
        assert_eq!(on_relation(Access::ReadOnly, RelationKind::View), [Privilege::Select].into());
        assert_eq!(on_relation(Access::ReadOnly, RelationKind::Sequence), [Privilege::Select].into());
        assert_eq!(on_schema(Access::ReadOnly), [Privilege::Usage].into());
    }
}
