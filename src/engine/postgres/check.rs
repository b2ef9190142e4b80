//! What is refused before anything is sent: names that the server would cut, reserve or misread, and grants that it
//! does not know.

use super::catalog::Privilege;
use super::level::word;
use crate::access::{Access, Grant, Identifier, Invalid, ObjectKind, PrivilegeName, RoleName};
use crate::engine::RoleSpec;

/// The longest name, in bytes. The server cuts a longer one without an error.
const LONGEST_NAME: usize = 63;
/// Beginnings of names that PostgreSQL, RDS or our groups own.
const RESERVED_PREFIXES: [&str; 4] = ["pg_", "rds_", "rdsaccess_", "rdsadmin"];
/// Names that mean something else in SQL or belong to RDS.
const RESERVED_NAMES: [&str; 7] =
    ["public", "none", "current_user", "current_role", "session_user", "rdsrepladmin", "rdstopmgr"];

/// Refuses a name that the server would cut, reserve or misread.
///
/// # Errors
/// The sentence says the rule.
pub fn check_role_name(name: &RoleName) -> Result<(), Invalid> {
    check_length("a role name", name)?;
    let text = name.as_str();
    let prefix = RESERVED_PREFIXES.into_iter().find(|prefix| text.starts_with(prefix));
    if let Some(prefix) = prefix {
        return Err(Invalid::new(format!("the role name `{text}` is reserved: it begins with `{prefix}`")));
    }
    if RESERVED_NAMES.contains(&text) {
        return Err(Invalid::new(format!("the role name `{text}` is reserved")));
    }
    Ok(())
}

/// Refuses a grant that no version of the server knows.
///
/// # Errors
/// The sentence says what is expected.
pub fn check_grant(grant: &Grant) -> Result<(), Invalid> {
    check_length("a database name", &grant.database)?;
    check_place(grant)?;
    check_objects(grant)?;
    if grant.privileges.is_empty() {
        return Err(Invalid::new(format!("a grant on a {} needs at least one privilege", grant.kind)));
    }
    grant.privileges.iter().try_for_each(|name| privilege(grant.kind, name).map(|_| ()))
}

/// Everything of a specification that can be judged without the server.
///
/// # Errors
/// The sentence says the rule.
pub(super) fn check_spec(spec: &RoleSpec) -> Result<(), Invalid> {
    check_role_name(&spec.name)?;
    spec.scope.databases.iter().flatten().try_for_each(|name| check_length("a database name", name))?;
    spec.scope.schemas.iter().flatten().try_for_each(|name| check_schema(name.as_str()))?;
    spec.scope.owners.iter().flatten().try_for_each(|name| check_length("a role name", name))?;
    spec.grants.iter().try_for_each(check_grant)?;
    if spec.access == Access::Ddl && !spec.grants.is_empty() {
        let text = "grants cannot stand beside access = \"ddl\": such a login runs as its group, and rights of its own \
                    would not reach it";
        return Err(Invalid::new(text));
    }
    let outside = |grant: &&Grant| spec.scope.databases.as_ref().is_some_and(|names| !names.contains(&grant.database));
    if let Some(grant) = spec.grants.iter().find(outside) {
        let name = &grant.database;
        return Err(Invalid::new(format!("a grant is in the database `{name}`, which databases does not name")));
    }
    if spec.terms.keeps_old_password {
        return Err(Invalid::new("PostgreSQL keeps one password per role: there is no dual password"));
    }
    Ok(())
}

/// The privilege of this name on this kind of object.
///
/// # Errors
/// The sentence lists the privileges of the kind.
pub(super) fn privilege(kind: ObjectKind, name: &PrivilegeName) -> Result<Privilege, Invalid> {
    let known = privileges_of(kind);
    known.iter().copied().find(|privilege| word(*privilege) == name.as_str()).ok_or_else(|| {
        let words: Vec<&str> = known.iter().map(|privilege| word(*privilege)).collect();
        Invalid::new(format!("`{name}` is not a privilege on a {kind} of PostgreSQL: {} is expected", words.join(", ")))
    })
}

fn privileges_of(kind: ObjectKind) -> &'static [Privilege] {
    use Privilege::{
        Connect, Create, Delete, Execute, Insert, Maintain, References, Select, Temporary, Trigger, Truncate, Update,
        Usage,
    };
    match kind {
        ObjectKind::Database => &[Connect, Create, Temporary],
        ObjectKind::Schema => &[Usage, Create],
        ObjectKind::Table => &[Select, Insert, Update, Delete, Truncate, References, Trigger, Maintain],
        ObjectKind::Sequence => &[Select, Usage, Update],
        ObjectKind::Function => &[Execute],
    }
}

fn check_place(grant: &Grant) -> Result<(), Invalid> {
    match (&grant.schema, grant.kind) {
        (Some(_), ObjectKind::Database) => Err(Invalid::new("a grant on a database takes no schema")),
        (None, ObjectKind::Database) => Ok(()),
        (Some(schema), _) => check_schema(schema.as_str()),
        (None, kind) => Err(Invalid::new(format!("a grant on a {kind} needs a schema"))),
    }
}

fn check_objects(grant: &Grant) -> Result<(), Invalid> {
    let Some(objects) = &grant.objects else { return Ok(()) };
    if matches!(grant.kind, ObjectKind::Database | ObjectKind::Schema) {
        return Err(Invalid::new(format!("a grant on a {} takes no objects", grant.kind)));
    }
    if objects.is_empty() {
        return Err(Invalid::new("objects must not be empty; leave it out to mean all objects of the schema"));
    }
    objects.iter().try_for_each(|name| check_length("an object name", name))
}

fn check_schema(name: &str) -> Result<(), Invalid> {
    check_bytes("a schema name", name)?;
    if name.starts_with("pg_") || name == "information_schema" {
        return Err(Invalid::new(format!("`{name}` is a system schema: nothing is granted there")));
    }
    Ok(())
}

fn check_length(noun: &str, name: &impl Identifier) -> Result<(), Invalid> {
    check_bytes(noun, name.as_str())
}

fn check_bytes(noun: &str, text: &str) -> Result<(), Invalid> {
    if text.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "{noun} of PostgreSQL must not be longer than {LONGEST_NAME} bytes, `{text}` has {}",
        text.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str) -> Result<(), String> {
        check_role_name(&name.parse().unwrap()).map_err(|e| e.0)
    }

    #[test]
    fn a_name_is_measured_in_bytes() {
        assert!(check(&"x".repeat(63)).is_ok());
        assert!(check(&"x".repeat(64)).unwrap_err().contains("63 bytes"));
        assert!(check(&"é".repeat(32)).unwrap_err().contains("has 64"));
    }

    #[test]
    fn names_of_the_server_and_of_rds_are_refused() {
        for name in ["pg_reader", "rds_superuser", "rdsadmin", "rdsaccess_ro_x", "public", "none", "rdsrepladmin"] {
            assert!(check(name).unwrap_err().contains("reserved"), "{name}");
        }
        for name in ["hoop_ro", "Public", "select", "rd", "a\"b"] {
            assert!(check(name).is_ok(), "{name}");
        }
    }

    fn grant(kind: ObjectKind, schema: Option<&str>, objects: Option<&[&str]>, privileges: &[&str]) -> Grant {
        Grant {
            database: "app".parse().unwrap(),
            schema: schema.map(|name| name.parse().unwrap()),
            kind,
            objects: objects.map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
            privileges: privileges.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn each_kind_takes_its_own_privileges_and_no_others() {
        for (kind, schema, privileges) in [
            (ObjectKind::Database, None, &["CONNECT", "CREATE", "TEMPORARY"][..]),
            (ObjectKind::Schema, Some("sales"), &["USAGE", "CREATE"]),
            (
                ObjectKind::Table,
                Some("sales"),
                &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"],
            ),
            (ObjectKind::Sequence, Some("sales"), &["SELECT", "USAGE", "UPDATE"]),
            (ObjectKind::Function, Some("sales"), &["EXECUTE"]),
        ] {
            check_grant(&grant(kind, schema, None, privileges)).unwrap();
            for wrong in ["ALL", "SUPER", "DROP"] {
                let text = check_grant(&grant(kind, schema, None, &[wrong])).unwrap_err().0;
                assert!(text.contains(wrong) && text.contains(privileges[0]), "{text}");
            }
        }
        let crossed =
            [(ObjectKind::Table, "EXECUTE"), (ObjectKind::Function, "SELECT"), (ObjectKind::Sequence, "INSERT")];
        for (kind, word) in crossed {
            assert!(check_grant(&grant(kind, Some("sales"), None, &[word])).is_err(), "{kind} {word}");
        }
    }

    #[test]
    fn a_grant_says_where_exactly_as_far_as_its_kind_has_places() {
        for (wrong, expected) in [
            (grant(ObjectKind::Database, Some("sales"), None, &["CONNECT"]), "takes no schema"),
            (grant(ObjectKind::Database, None, Some(&["t"]), &["CONNECT"]), "takes no objects"),
            (grant(ObjectKind::Schema, Some("sales"), Some(&["t"]), &["USAGE"]), "takes no objects"),
            (grant(ObjectKind::Schema, None, None, &["USAGE"]), "needs a schema"),
            (grant(ObjectKind::Table, None, None, &["SELECT"]), "needs a schema"),
            (grant(ObjectKind::Function, None, Some(&["f"]), &["EXECUTE"]), "needs a schema"),
            (grant(ObjectKind::Table, Some("sales"), Some(&[]), &["SELECT"]), "must not be empty"),
            (grant(ObjectKind::Table, Some("sales"), None, &[]), "at least one privilege"),
            (grant(ObjectKind::Table, Some("pg_catalog"), None, &["SELECT"]), "system schema"),
            (grant(ObjectKind::Schema, Some("information_schema"), None, &["USAGE"]), "system schema"),
            (grant(ObjectKind::Table, Some("sales"), Some(&["é".repeat(32).as_str()]), &["SELECT"]), "63 bytes"),
            (grant(ObjectKind::Table, Some("s".repeat(64).as_str()), None, &["SELECT"]), "63 bytes"),
        ] {
            let text = check_grant(&wrong).unwrap_err().0;
            assert!(text.contains(expected), "{text}");
        }
        check_grant(&grant(ObjectKind::Table, Some("sales"), Some(&["a\"b", "select"]), &["SELECT"])).unwrap();
    }
}
