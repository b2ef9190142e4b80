//! What is refused before anything is sent: names that the server would not hold or that belong to it, grants that it does
//! not know, terms that it does not have.

use super::error::Failure;
use super::level::{right, rights};
use crate::access::{Auth, Grant, Identifier, Invalid, ObjectKind, RoleName};
use crate::engine::{Fault, RoleSpec};

/// The longest name, in UTF-16 units.
const LONGEST: usize = 128;
/// Principals of the server, of every database, and of RDS.
const RESERVED: [&str; 9] =
    ["sa", "public", "guest", "dbo", "sys", "information_schema", "rdsa", "rdsadmin", "rds_superuser_role"];

/// Rights that mean the same on a schema as on all objects of one kind in it. `UPDATE` for all sequences, for instance,
/// would open all tables too.
const TABLES_AT_ONCE: &[&str] = &["DELETE", "INSERT", "REFERENCES", "SELECT", "UPDATE", "VIEW DEFINITION"];
const FUNCTIONS_AT_ONCE: &[&str] = &["EXECUTE", "VIEW DEFINITION"];

/// Refuses a name that the engine cannot hold or that belongs to the server.
///
/// # Errors
/// The sentence says the limit.
pub fn check_role_name(name: &RoleName) -> Result<(), Invalid> {
    let text = name.as_str();
    let length = text.encode_utf16().count();
    let lower = text.to_lowercase();
    if length > LONGEST {
        Err(Invalid::new(format!(
            "a login of SQL Server must not be longer than {LONGEST} UTF-16 units, this name has {length}"
        )))
    } else if text.contains('\\') {
        Err(Invalid::new("a login of SQL Server must not contain a backslash, which stands for a Windows domain"))
    } else if text.trim() != text {
        Err(Invalid::new("SQL Server ignores spaces at the end of a login, so leave spaces around the name out"))
    } else if text.chars().any(char::is_control) {
        Err(Invalid::new("a login must not contain control characters"))
    } else if RESERVED.contains(&lower.as_str()) || lower.starts_with("##") || lower.starts_with("db_") {
        Err(Invalid::new(format!("`{text}` is reserved by SQL Server or by RDS")))
    } else {
        Ok(())
    }
}

/// What no server of this engine could give, refused before anything is sent.
pub(super) fn check_spec(spec: &RoleSpec) -> Result<(), Failure> {
    let terms = spec.terms;
    let beyond = [
        (terms.auth == Auth::Iam, "IAM database authentication"),
        (terms.valid_until.is_some(), "end of a login"),
        (terms.connection_limit.is_some(), "connection limit of a login"),
        (terms.keeps_old_password, "second password of a login"),
    ];
    if let Some((_, what)) = beyond.into_iter().find(|(asked, _)| *asked) {
        return Err(Fault::Unsupported(format!("SQL Server on RDS has no {what}")).into());
    }
    let name = check_role_name(&spec.name);
    match name.err().or_else(|| spec.grants.iter().find_map(|grant| check_grant(grant).err())) {
        Some(invalid) => Err(Fault::Unsupported(invalid.to_string()).into()),
        None => Ok(()),
    }
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
}
