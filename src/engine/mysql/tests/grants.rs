//! Single rights beside the level.

use super::super::named::Named;
use super::*;
use crate::access::{Grant, ObjectKind};

/// One entry of `grants` on the database `app`.
fn single(kind: ObjectKind, objects: Option<&[&str]>, privileges: &[&str]) -> Grant {
    Grant {
        database: "app".parse().unwrap(),
        schema: None,
        kind,
        objects: objects.map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
        privileges: privileges.iter().map(|name| name.parse().unwrap()).collect(),
    }
}

fn with(grants: &[Grant]) -> RoleSpec {
    RoleSpec { grants: grants.iter().cloned().collect(), ..adopted(Access::ReadOnly) }
}

/// A server with `app`, a table `t`, and both a function and a procedure `P`.
fn prepared() -> Catalog {
    let mut catalog = catalog(MARIADB, &["app"]);
    catalog.accounts = vec![account(&catalog)];
    catalog.grants = vec![grant("app", "SELECT, SHOW VIEW")];
    let routine = |kind: &str| ("app".to_owned(), kind.to_owned(), "P".to_owned());
    catalog.named = Named {
        tables: [("app".to_owned(), "t".to_owned())].into(),
        routines: [routine("FUNCTION"), routine("PROCEDURE")].into(),
    };
    catalog
}

fn held(object: Object, privileges_held: &str) -> ObjectGrant {
    ObjectGrant {
        account: name("hoop_ro", "%"),
        database: "app".to_owned(),
        object,
        privileges: privileges(privileges_held),
    }
}

fn table(name: &str) -> Object {
    Object::Table(name.to_owned())
}

#[test]
fn rights_on_a_whole_database_are_part_of_one_grant_with_the_level() {
    let catalog = prepared();
    let spec = with(&[
        single(ObjectKind::Database, None, &["LOCK TABLES"]),
        single(ObjectKind::Table, None, &["TRIGGER", "SELECT"]),
        single(ObjectKind::Function, None, &["EXECUTE"]),
    ]);
    assert_eq!(sql(&catalog, &spec), ["GRANT EXECUTE, LOCK TABLES, TRIGGER ON `app`.* TO `hoop_ro`@`%`"]);
    assert_eq!(coverage(&catalog, &spec)[0].1, "missing EXECUTE, LOCK TABLES, TRIGGER");
}

#[test]
fn rights_on_objects_are_given_one_by_one_and_only_where_the_level_does_not_reach() {
    let catalog = prepared();
    let spec = with(&[
        single(ObjectKind::Table, Some(&["t"]), &["SELECT", "INSERT"]),
        single(ObjectKind::Table, Some(&["t"]), &["UPDATE"]),
        single(ObjectKind::Function, Some(&["p"]), &["EXECUTE"]),
    ]);
    assert_eq!(
        sql(&catalog, &spec),
        [
            "GRANT INSERT, UPDATE ON `app`.`t` TO `hoop_ro`@`%`",
            "GRANT EXECUTE ON FUNCTION `app`.`P` TO `hoop_ro`@`%`",
            "GRANT EXECUTE ON PROCEDURE `app`.`P` TO `hoop_ro`@`%`",
        ]
    );
    assert_eq!(
        coverage(&catalog, &spec)[0].1,
        "missing EXECUTE on function P; missing EXECUTE on procedure P; missing INSERT, UPDATE on table t"
    );
}

#[test]
fn what_is_as_wanted_needs_no_statement_and_says_nothing_of_the_level() {
    let mut catalog = prepared();
    catalog.grants = vec![grant("app", "SELECT, SHOW VIEW, LOCK TABLES")];
    catalog.objects = vec![
        held(table("t"), "INSERT"),
        held(Object::Column("t".into(), "c".into()), "INSERT"),
        held(Object::Routine("PROCEDURE".into(), "p".into()), "EXECUTE"),
        held(Object::Routine("FUNCTION".into(), "P".into()), "EXECUTE"),
    ];
    let spec = with(&[
        single(ObjectKind::Database, None, &["LOCK TABLES"]),
        single(ObjectKind::Table, Some(&["t"]), &["INSERT"]),
        single(ObjectKind::Function, Some(&["P"]), &["EXECUTE"]),
    ]);
    assert_eq!(sql(&catalog, &spec), [""; 0]);
    assert_eq!(coverage(&catalog, &spec)[0].1, "complete");
    assert_eq!(compare(&catalog, &spec, true).access(), Access::ReadOnly, "grants are beside the level");
    assert_eq!(compare(&catalog, &with(&[]), true).access(), Access::Ddl, "without them these rights are in no level");
}

#[test]
fn rights_beyond_level_and_grants_are_taken_back() {
    let mut catalog = prepared();
    catalog.grants = vec![grant("app", "SELECT, SHOW VIEW, EXECUTE")];
    catalog.objects = vec![
        held(table("t"), "INSERT, DELETE"),
        held(table("u"), "INSERT"),
        held(Object::Routine("FUNCTION".into(), "p".into()), "EXECUTE, ALTER ROUTINE"),
    ];
    let spec = with(&[
        single(ObjectKind::Table, Some(&["t"]), &["INSERT"]),
        single(ObjectKind::Function, Some(&["P"]), &["EXECUTE"]),
    ]);
    assert_eq!(
        sql(&catalog, &spec),
        [
            "GRANT EXECUTE ON PROCEDURE `app`.`P` TO `hoop_ro`@`%`",
            "REVOKE EXECUTE ON `app`.* FROM `hoop_ro`@`%`",
            "REVOKE DELETE ON `app`.`t` FROM `hoop_ro`@`%`",
            "REVOKE INSERT ON `app`.`u` FROM `hoop_ro`@`%`",
            "REVOKE ALTER ROUTINE ON FUNCTION `app`.`p` FROM `hoop_ro`@`%`",
        ]
    );
}

#[test]
fn names_in_grants_on_objects_are_literal() {
    let mut catalog = catalog(MARIADB, &["app_prod"]);
    catalog.accounts = vec![account(&catalog)];
    catalog.named.tables = [("app_prod".to_owned(), "we`ird_%".to_owned())].into();
    let on =
        Grant { database: "app_prod".parse().unwrap(), ..single(ObjectKind::Table, Some(&["we`ird_%"]), &["INSERT"]) };
    assert_eq!(
        sql(&catalog, &with(&[on])),
        [
            r"GRANT SELECT, SHOW VIEW ON `app\_prod`.* TO `hoop_ro`@`%`",
            "GRANT INSERT ON `app_prod`.`we``ird_%` TO `hoop_ro`@`%`",
        ]
    );
}

#[test]
fn what_grants_name_and_is_not_there_is_an_error_on_ensure_and_named_on_read() {
    let catalog = prepared();
    for (grant, words) in [
        (single(ObjectKind::Table, Some(&["nosuch"]), &["INSERT"]), "the table nosuch, which does not exist"),
        (single(ObjectKind::Function, Some(&["nosuch"]), &["EXECUTE"]), "the function nosuch, which does not exist"),
        (
            Grant { database: "other".parse().unwrap(), ..single(ObjectKind::Database, None, &["EXECUTE"]) },
            "`grants` name it, and it does not exist",
        ),
    ] {
        let spec = with(&[grant]);
        let error = plan(&catalog, &spec, None, true).unwrap_err();
        assert!(matches!(&error.fault, Fault::NotFound(text) if text.contains(words)), "{}", error.fault);
        let uncovered = compare(&catalog, &spec, true).uncovered.texts();
        assert!(uncovered.values().any(|text| text.contains(words)), "{uncovered:?}");
    }
    let mut narrowed = with(&[single(ObjectKind::Database, None, &["EXECUTE"])]);
    narrowed.scope = chosen(&["web"]).scope;
    let mut catalog = super::catalog(MARIADB, &["app", "web"]);
    catalog.accounts = vec![account(&catalog)];
    let error = plan(&catalog, &narrowed, None, true).unwrap_err();
    assert!(error.fault.to_string().contains("none of the role's databases"), "{}", error.fault);
}

#[test]
fn what_is_held_on_a_dropped_table_stays_until_the_table_comes_back() {
    let mut catalog = prepared();
    catalog.named = Named::default();
    catalog.objects = vec![held(table("t"), "INSERT")];
    let spec = with(&[single(ObjectKind::Table, Some(&["t"]), &["INSERT"])]);
    assert_eq!(compare(&catalog, &spec, true).revoke, []);
}

#[test]
fn the_creator_of_routines_keeps_what_the_server_gives_him() {
    let mut catalog = prepared();
    catalog.grants = vec![grant("app", "SELECT, SHOW VIEW, CREATE ROUTINE")];
    catalog.objects = vec![held(Object::Routine("PROCEDURE".into(), "made".into()), "EXECUTE, ALTER ROUTINE")];
    let spec = with(&[single(ObjectKind::Database, None, &["CREATE ROUTINE"])]);
    assert_eq!(sql(&catalog, &spec), [""; 0]);
    assert_eq!(coverage(&catalog, &spec)[0].1, "complete");
}

#[test]
fn a_privilege_outside_the_closed_list_never_reaches_a_statement() {
    for (grant, words) in [
        (single(ObjectKind::Database, None, &["SUPER"]), "no privilege `SUPER`"),
        (single(ObjectKind::Database, None, &["GRANT OPTION"]), "never given"),
        (single(ObjectKind::Schema, None, &["CREATE"]), "no schemas"),
    ] {
        let error = plan(&prepared(), &with(&[grant]), None, true).unwrap_err();
        assert!(matches!(&error.fault, Fault::Unsupported(text) if text.contains(words)), "{}", error.fault);
    }
    let history = with(&[single(ObjectKind::Table, None, &["DELETE HISTORY"])]);
    assert!(plan(&prepared(), &history, None, true).is_ok());
    let mut mysql = catalog(MYSQL_8, &["app"]);
    mysql.accounts = vec![account(&mysql)];
    assert!(plan(&mysql, &history, None, true).is_err(), "MySQL has no such privilege");
}

#[test]
fn a_database_that_was_covered_once_is_left_whole_and_its_objects_first() {
    let mut catalog = catalog(MARIADB, &["app", "old", "theirs"]);
    catalog.accounts = vec![account(&catalog)];
    catalog.grants =
        vec![grant("app", "SELECT, SHOW VIEW"), grant("old", "SELECT, SHOW VIEW, EXECUTE"), grant("theirs", "SELECT")];
    let on = |database: &str, object| ObjectGrant { database: database.to_owned(), ..held(object, "INSERT") };
    catalog.objects =
        vec![on("old", table("a")), on("old", table("b")), on("theirs", table("c")), on("mysql", table("proc"))];
    assert_eq!(
        sql(&catalog, &chosen(&["app"])),
        [
            "REVOKE INSERT ON `old`.`a` FROM `hoop_ro`@`%`",
            "REVOKE INSERT ON `old`.`b` FROM `hoop_ro`@`%`",
            "REVOKE EXECUTE, SELECT, SHOW VIEW ON `old`.* FROM `hoop_ro`@`%`",
        ]
    );
    let comparison = compare(&catalog, &chosen(&["app"]), true);
    assert_eq!(comparison.login[0].names, ["old.a", "old.b"]);
    let uncovered = comparison.uncovered.texts();
    assert!(uncovered["theirs"].contains("holds INSERT on table c, granted by somebody else"), "{uncovered:?}");
    assert!(uncovered["mysql"].contains("holds INSERT on table proc, granted by somebody else"), "{uncovered:?}");

    let all = sql(&catalog, &adopted(Access::ReadOnly));
    assert!(all.contains(&"REVOKE INSERT ON `theirs`.`c` FROM `hoop_ro`@`%`".to_owned()), "{all:?}");
    assert!(!all.iter().any(|statement| statement.contains("`mysql`")), "{all:?}");
}

#[test]
fn what_everybody_holds_is_named_with_the_statement_that_ends_it() {
    let mut catalog = prepared();
    let of = |user: &str, host: &str, grant: DatabaseGrant| DatabaseGrant { account: name(user, host), ..grant };
    catalog.grants.extend([of("", "%", grant("ap%", "SELECT, INSERT")), of("PUBLIC", "", grant("app", "DROP"))]);
    catalog.objects = vec![ObjectGrant { account: name("PUBLIC", ""), ..held(table("t"), "DELETE, SELECT") }];
    let uncovered = compare(&catalog, &with(&[]), true).uncovered.texts();
    for words in [
        "everybody from % holds INSERT; to take it back: REVOKE INSERT ON `ap%`.* FROM ``@`%`",
        "PUBLIC holds DROP; to take it back: REVOKE DROP ON `app`.* FROM PUBLIC",
        "PUBLIC holds DELETE on table t",
    ] {
        assert!(uncovered["app"].contains(words), "{uncovered:?}");
    }
    assert_eq!(sql(&catalog, &with(&[])), [""; 0]);
}
