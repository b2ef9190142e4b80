//! What a level holds, and which single rights can be granted.

use crate::access::{Access, Grant, Identifier, Invalid, ObjectKind};

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

/// Rights that mean the same on a schema as on all objects of one kind in it. `UPDATE` for all sequences, for instance,
/// would open all tables too.
const TABLES_AT_ONCE: &[&str] = &["DELETE", "INSERT", "REFERENCES", "SELECT", "UPDATE", "VIEW DEFINITION"];
const FUNCTIONS_AT_ONCE: &[&str] = &["EXECUTE", "VIEW DEFINITION"];

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
fn rights(kind: ObjectKind) -> &'static [&'static str] {
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

/// Refuses a grant that SQL Server does not know, or that would open more than it says.
///
/// # Errors
/// The sentence says what is possible.
pub fn check_grant(grant: &Grant) -> Result<(), Invalid> {
    let kind = grant.kind;
    check_place(grant)?;
    for privilege in &grant.privileges {
        let word = privilege.as_str();
        if right(kind, word).is_none() {
            let known = rights(kind).join(", ");
            return Err(Invalid::new(format!("SQL Server grants no `{word}` on a {kind}: {known} are possible")));
        }
        check_width(grant, word)?;
    }
    for name in
        grant.objects.iter().flatten().map(Identifier::as_str).chain(grant.schema.iter().map(Identifier::as_str))
    {
        if name.encode_utf16().count() > 128 {
            return Err(Invalid::new(format!("`{name}` is longer than the 128 UTF-16 units of a name of SQL Server")));
        }
    }
    Ok(())
}

fn check_place(grant: &Grant) -> Result<(), Invalid> {
    let (schema, objects) = (grant.schema.is_some(), grant.objects.is_some());
    let refuse = |text: &str| Err(Invalid::new(format!("a grant on a {} {text}", grant.kind)));
    match grant.kind {
        _ if grant.privileges.is_empty() => refuse("needs `privileges`"),
        ObjectKind::Database if schema || objects => refuse("names neither a schema nor objects"),
        ObjectKind::Schema if !schema => refuse("needs `schema`"),
        ObjectKind::Schema if objects => refuse("names no objects; use the kind of the objects instead"),
        ObjectKind::Table | ObjectKind::Sequence | ObjectKind::Function if objects && !schema => {
            refuse("with `objects` needs their `schema`")
        }
        _ => Ok(()),
    }
}

/// All objects of a schema or a database are granted at its scope, which covers later objects too, and objects of other
/// kinds.
fn check_width(grant: &Grant, word: &str) -> Result<(), Invalid> {
    let possible = match grant.kind {
        ObjectKind::Database | ObjectKind::Schema => return Ok(()),
        _ if grant.objects.is_some() => return Ok(()),
        ObjectKind::Table => TABLES_AT_ONCE,
        ObjectKind::Function => FUNCTIONS_AT_ONCE,
        ObjectKind::Sequence => &[],
    };
    if possible.contains(&word) {
        return Ok(());
    }
    let kind = grant.kind;
    Err(Invalid::new(format!(
        "`{word}` on every {kind} would be granted on the whole schema, where it opens more than each {kind}: name the \
         `objects`, or grant it with the kind `schema`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(kind: ObjectKind, schema: Option<&str>, objects: Option<&[&str]>, words: &[&str]) -> Grant {
        Grant {
            database: "app".parse().unwrap(),
            schema: schema.map(|name| name.parse().unwrap()),
            kind,
            objects: objects.map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
            privileges: words.iter().map(|word| word.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn every_right_is_granted_on_its_own_kind() {
        for kind in ObjectKind::ALL {
            let schema = (kind != ObjectKind::Database).then_some("dbo");
            let objects: Option<&[&str]> =
                (!matches!(kind, ObjectKind::Database | ObjectKind::Schema)).then_some(&["x"]);
            check_grant(&grant(kind, schema, objects, rights(kind))).unwrap();
            let refused = check_grant(&grant(kind, schema, objects, &["CONTROL"])).unwrap_err();
            assert!(refused.0.contains("CONTROL") && refused.0.contains("VIEW DEFINITION"), "{refused}");
        }
    }

    #[test]
    fn a_grant_names_its_place() {
        for (kind, schema, objects) in [
            (ObjectKind::Database, Some("dbo"), None),
            (ObjectKind::Schema, None, None),
            (ObjectKind::Schema, Some("dbo"), Some(&["t"][..])),
            (ObjectKind::Table, None, Some(&["t"][..])),
            (ObjectKind::Function, None, Some(&["f"][..])),
        ] {
            assert!(check_grant(&grant(kind, schema, objects, &["VIEW DEFINITION"])).is_err(), "{kind} {schema:?}");
        }
        let nothing = check_grant(&grant(ObjectKind::Database, None, None, &[])).unwrap_err();
        assert!(nothing.0.contains("`privileges`"), "{nothing}");
    }

    #[test]
    fn what_would_open_other_kinds_of_objects_is_refused() {
        let wide = |kind, word| check_grant(&grant(kind, Some("dbo"), None, &[word]));
        assert!(wide(ObjectKind::Table, "SELECT").is_ok());
        assert!(wide(ObjectKind::Function, "EXECUTE").is_ok());
        for (kind, word) in
            [(ObjectKind::Sequence, "UPDATE"), (ObjectKind::Function, "SELECT"), (ObjectKind::Table, "ALTER")]
        {
            assert!(wide(kind, word).unwrap_err().0.contains("name the `objects`"), "{kind} {word}");
        }
        let long = "\u{1F512}".repeat(65);
        assert!(check_grant(&grant(ObjectKind::Table, Some("dbo"), Some(&[&long]), &["SELECT"])).is_err());
    }

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
