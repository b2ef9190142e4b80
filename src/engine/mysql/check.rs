//! What a configuration may say: names and single rights, checked before anything is sent.

use super::catalog::is_system;
use super::level::grantable;
use crate::access::{EngineKind, Grant, Identifier, Invalid, ObjectKind, PrivilegeName, RoleName};

/// The longest name of a database, table or routine, in characters.
const LONGEST_NAME: usize = 64;

/// Accounts and roles of the servers themselves and of RDS.
const RESERVED: [&str; 13] = [
    "root",
    "mysql.sys",
    "mysql.session",
    "mysql.infoschema",
    "mariadb.sys",
    "rdsadmin",
    "rdsrepladmin",
    "rdsproxyadmin",
    "rdstopmgr",
    "rds_superuser_role",
    "public",
    "none",
    "current_role",
];

/// Refuses a name that the engine cannot hold or that belongs to the server.
///
/// # Errors
/// The sentence says the limit.
pub fn check_role_name(kind: EngineKind, name: &RoleName) -> Result<(), Invalid> {
    let text = name.as_str();
    let (engine, longest) = match kind {
        EngineKind::Mariadb => ("MariaDB", 128),
        _ => ("MySQL", 32),
    };
    // Three bytes per character would fit, but the server's own copy of the name is one byte shorter.
    let most_bytes = 3 * longest - 1;
    let length = text.chars().count();
    if length > longest {
        Err(Invalid::new(format!(
            "a user name of {engine} must not be longer than {longest} characters, this one has {length}"
        )))
    } else if text.len() > most_bytes {
        // It logs in, but its grants on databases are not found.
        Err(Invalid::new(format!(
            "{engine} gives a user no rights on databases when its name is longer than {most_bytes} bytes, this one has {}",
            text.len()
        )))
    } else if is_trimmed(kind, text) {
        Err(Invalid::new(format!(
            "{engine} removes spaces around a user name, which makes it another one; leave them out"
        )))
    } else if text.chars().any(|c| u32::from(c) > 0xFFFF) {
        Err(Invalid::new(format!(
            "a user name of {engine} must not hold characters beyond the basic plane, such as emoji"
        )))
    } else if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(text)) {
        Err(Invalid::new(format!("`{text}` is reserved by {engine} or by RDS")))
    } else {
        Ok(())
    }
}

/// Whether the server takes something off the name before it looks for the account: MySQL all white space of ASCII
/// around it, MariaDB the spaces behind it.
fn is_trimmed(kind: EngineKind, text: &str) -> bool {
    let space = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    text.ends_with(' ') || (kind != EngineKind::Mariadb && text.trim_matches(space) != text)
}

/// Refuses a single right that the engine does not have, or that a role must not hold.
///
/// # Errors
/// The sentence says what is expected instead.
pub fn check_grant(kind: EngineKind, grant: &Grant) -> Result<(), Invalid> {
    let engine = engine_name(kind);
    if grant.schema.is_some() {
        return Err(Invalid::new(format!("{engine} has no schemas inside a database; leave `schema` out")));
    }
    check_kind(kind, grant.kind)?;
    check_name(engine, "database", grant.database.as_str())?;
    if is_system(grant.database.as_str()) {
        return Err(Invalid::new(format!(
            "`{}` belongs to the server itself; nothing is granted there",
            grant.database
        )));
    }
    check_objects(engine, grant)?;
    if grant.privileges.is_empty() {
        return Err(Invalid::new("`privileges` is empty; name at least one, or leave the grant out"));
    }
    grant.privileges.iter().try_for_each(|name| check_privilege(kind, grant.kind, name))
}

fn engine_name(kind: EngineKind) -> &'static str {
    if kind == EngineKind::Mariadb { "MariaDB" } else { "MySQL" }
}

fn check_kind(kind: EngineKind, object: ObjectKind) -> Result<(), Invalid> {
    let text = match (object, kind) {
        (ObjectKind::Schema, _) => {
            format!("{} has no schemas inside a database; grant on object_type `database`", engine_name(kind))
        }
        (ObjectKind::Sequence, EngineKind::Mariadb) => {
            "MariaDB grants on a sequence as on a table; use object_type `table`".to_owned()
        }
        (ObjectKind::Sequence, _) => "MySQL has no sequences".to_owned(),
        (ObjectKind::Database | ObjectKind::Table | ObjectKind::Function, _) => return Ok(()),
    };
    Err(Invalid::new(text))
}

fn check_objects(engine: &str, grant: &Grant) -> Result<(), Invalid> {
    let Some(objects) = &grant.objects else { return Ok(()) };
    if grant.kind == ObjectKind::Database {
        return Err(Invalid::new("a grant on a database names no objects; leave `objects` out, or grant on `table`"));
    }
    if objects.is_empty() {
        return Err(Invalid::new("`objects` is empty; name at least one, or leave it out for all of the database"));
    }
    let of_routine = grant.kind == ObjectKind::Function && engine == "MariaDB";
    match objects.iter().find(|object| of_routine && object.as_str().len() > LONGEST_NAME) {
        // The server notes the bytes of the name as characters, and cuts them.
        Some(long) => Err(Invalid::new(format!(
            "MariaDB cannot hold a grant on the routine `{long}`: its name is longer than {LONGEST_NAME} bytes"
        ))),
        None => objects.iter().try_for_each(|object| check_name(engine, grant.kind.as_str(), object.as_str())),
    }
}

/// The server cuts or refuses such names, each at another place.
fn check_name(engine: &str, noun: &str, name: &str) -> Result<(), Invalid> {
    let length = name.chars().count();
    let text = if length > LONGEST_NAME {
        format!("is longer than {LONGEST_NAME} characters, it has {length}")
    } else if name.ends_with(' ') {
        "ends in a space".to_owned()
    } else if name.chars().any(|c| u32::from(c) > 0xFFFF) {
        "holds characters beyond the basic plane, such as emoji".to_owned()
    } else {
        return Ok(());
    };
    Err(Invalid::new(format!("`{name}` is not the name of a {noun} of {engine}: it {text}")))
}

fn check_privilege(kind: EngineKind, object: ObjectKind, name: &PrivilegeName) -> Result<(), Invalid> {
    let known = grantable(kind == EngineKind::Mariadb, object);
    let text = match name.as_str() {
        known_name if known.contains(&known_name) => return Ok(()),
        "GRANT OPTION" => "`GRANT OPTION` is never given: the role could hand its rights on".to_owned(),
        "ALL" | "ALL PRIVILEGES" => format!(
            "`{name}` is not given, because it grows with the version of the server; name the privileges: {}",
            known.join(", ")
        ),
        _ => format!("{} has no privilege `{name}` on a {object}; it has {}", engine_name(kind), known.join(", ")),
    };
    Err(Invalid::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(kind: ObjectKind, objects: Option<&[&str]>, privileges: &[&str]) -> Grant {
        Grant {
            database: "app".parse().unwrap(),
            schema: None,
            kind,
            objects: objects.map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
            privileges: privileges.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    fn refusal(kind: EngineKind, grant: &Grant) -> String {
        check_grant(kind, grant).unwrap_err().0
    }

    #[test]
    fn each_kind_takes_its_own_privileges_and_no_others() {
        use ObjectKind::{Database, Function, Table};
        for (object, names, privileges) in [
            (Database, None, ["EXECUTE", "LOCK TABLES", "CREATE TEMPORARY TABLES", "EVENT", "TRIGGER"].as_slice()),
            (Table, None, &["SELECT", "INDEX", "TRIGGER"]),
            (Table, Some(["t"].as_slice()), &["SELECT", "CREATE VIEW", "REFERENCES"]),
            (Function, None, &["EXECUTE", "ALTER ROUTINE"]),
            (Function, Some(&["f"]), &["EXECUTE"]),
        ] {
            for kind in [EngineKind::Mysql, EngineKind::Mariadb] {
                assert_eq!(check_grant(kind, &grant(object, names, privileges)), Ok(()), "{object} {privileges:?}");
            }
        }
        for (object, privilege) in
            [(Database, "SUPER"), (Database, "USAGE"), (Table, "EXECUTE"), (Function, "SELECT"), (Database, "SELEC")]
        {
            let text = refusal(EngineKind::Mysql, &grant(object, None, &[privilege]));
            assert!(text.contains(&format!("no privilege `{privilege}` on a {object}")), "{text}");
        }
        let history = grant(Table, None, &["DELETE HISTORY"]);
        assert_eq!(check_grant(EngineKind::Mariadb, &history), Ok(()));
        assert!(check_grant(EngineKind::Mysql, &history).is_err());
    }

    #[test]
    fn what_would_reach_further_or_nowhere_is_refused_with_the_reason() {
        let database = |privilege: &str| grant(ObjectKind::Database, None, &[privilege]);
        for (kind, grant, words) in [
            (EngineKind::Mysql, database("GRANT OPTION"), "hand its rights on"),
            (EngineKind::Mariadb, database("ALL"), "grows with the version"),
            (EngineKind::Mysql, grant(ObjectKind::Schema, None, &["CREATE"]), "has no schemas"),
            (EngineKind::Mysql, grant(ObjectKind::Sequence, None, &["SELECT"]), "MySQL has no sequences"),
            (EngineKind::Mariadb, grant(ObjectKind::Sequence, None, &["SELECT"]), "object_type `table`"),
            (EngineKind::Mysql, grant(ObjectKind::Database, Some(&["t"]), &["SELECT"]), "names no objects"),
            (EngineKind::Mysql, grant(ObjectKind::Table, Some(&[]), &["SELECT"]), "`objects` is empty"),
            (EngineKind::Mysql, grant(ObjectKind::Table, None, &[]), "`privileges` is empty"),
            (
                EngineKind::Mysql,
                Grant { schema: Some("dbo".parse().unwrap()), ..database("SELECT") },
                "leave `schema` out",
            ),
            (
                EngineKind::Mysql,
                Grant { database: "MySQL".parse().unwrap(), ..database("SELECT") },
                "belongs to the server itself",
            ),
        ] {
            let text = refusal(kind, &grant);
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn names_that_the_server_would_cut_are_refused() {
        let long = "x".repeat(65);
        for (name, words) in
            [(long.as_str(), "it has 65"), ("t ", "ends in a space"), ("t😀", "beyond the basic plane")]
        {
            let of_table = refusal(EngineKind::Mysql, &grant(ObjectKind::Table, Some(&[name]), &["SELECT"]));
            assert!(of_table.contains(words) && of_table.contains("of a table"), "{of_table}");
            let database = Grant { database: name.parse().unwrap(), ..grant(ObjectKind::Table, None, &["SELECT"]) };
            assert!(refusal(EngineKind::Mariadb, &database).contains(words));
        }
        let exact = "ü".repeat(64);
        assert_eq!(check_grant(EngineKind::Mysql, &grant(ObjectKind::Table, Some(&[&exact]), &["SELECT"])), Ok(()));
        let routine = grant(ObjectKind::Function, Some(&[&exact]), &["EXECUTE"]);
        assert_eq!(check_grant(EngineKind::Mysql, &routine), Ok(()));
        assert!(refusal(EngineKind::Mariadb, &routine).contains("longer than 64 bytes"));
    }

    #[test]
    fn names_that_the_engine_cannot_hold_are_refused_before_anything_is_sent() {
        let check = |kind, name: &str| check_role_name(kind, &name.parse::<RoleName>().unwrap());
        assert!(check(EngineKind::Mysql, &"x".repeat(32)).is_ok());
        assert!(check(EngineKind::Mysql, &"x".repeat(33)).unwrap_err().0.contains("32 characters, this one has 33"));
        assert!(check(EngineKind::Mariadb, &"x".repeat(128)).is_ok());
        assert!(check(EngineKind::Mariadb, &"日".repeat(127)).is_ok());
        assert!(check(EngineKind::Mariadb, &"日".repeat(128)).unwrap_err().0.contains("383 bytes, this one has 384"));
        assert!(check(EngineKind::Mysql, &"日".repeat(31)).is_ok());
        assert!(check(EngineKind::Mysql, &"日".repeat(32)).unwrap_err().0.contains("95 bytes, this one has 96"));
        for reserved in ["root", "rdsadmin", "mysql.sys", "PUBLIC", "trailing ", "smile😀"] {
            assert!(check(EngineKind::Mariadb, reserved).is_err(), "{reserved}");
        }
    }
}
