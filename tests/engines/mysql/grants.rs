//! Single rights beside the level, tried as the role.

use rdsaccess::access::{Access, ObjectKind};
use rdsaccess::engine::{Fault, Removal, RemovalAction, Server};

use super::*;

async fn prepared() -> TestServer {
    let server = TestServer::start(&[]).await;
    server
        .by_hand(&[
            "CREATE DATABASE app_prod",
            "CREATE DATABASE appXprod",
            "CREATE TABLE app_prod.t (id INT)",
            "CREATE TABLE app_prod.u (id INT)",
            "CREATE TABLE app_prod.Tt (id INT)",
            "CREATE TABLE appXprod.t (id INT)",
            "CREATE PROCEDURE app_prod.Proc() SELECT 1",
            "CREATE FUNCTION app_prod.proc() RETURNS INT DETERMINISTIC RETURN 1",
            "CREATE PROCEDURE app_prod.other() SELECT 2",
        ])
        .await;
    server
}

fn reader(grants: &[Grant]) -> RoleSpec {
    with(grants, on(&["app_prod"], role("hoop_ro", Access::ReadOnly)))
}

#[tokio::test]
async fn rights_on_tables_and_routines_hold_there_and_nowhere_else() {
    let server = prepared().await;
    let spec = reader(&[
        single("app_prod", ObjectKind::Table, &["t"], &["INSERT"]),
        single("app_prod", ObjectKind::Function, &["PROC"], &["EXECUTE"]),
    ]);
    let mysql = mysql(&server);
    let observed = ensure(&mysql, &spec).await;
    assert_complete(&observed, &["app_prod"]);
    assert_eq!(observed.access, Access::ReadOnly, "grants are beside the level");
    let mut conn = enter(&server, "hoop_ro", "app_prod").await;
    for allowed in ["INSERT INTO t VALUES (1)", "SELECT * FROM u", "CALL Proc()", "SELECT proc()"] {
        may(&mut conn, allowed).await;
    }
    for refused in [
        "INSERT INTO u VALUES (1)",
        "INSERT INTO Tt VALUES (1)",
        "INSERT INTO appXprod.t VALUES (1)",
        "UPDATE t SET id = 2",
        "CALL other()",
        "DROP PROCEDURE Proc",
    ] {
        may_not(&mut conn, refused).await;
    }

    let position = server.log_position();
    assert_complete(&super::mysql(&server).read(&spec).await.unwrap(), &["app_prod"]);
    ensure(&mysql, &spec).await;
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);

    server
        .by_hand(&[
            "REVOKE INSERT ON app_prod.t FROM hoop_ro",
            "GRANT DELETE ON app_prod.u TO hoop_ro",
            "GRANT EXECUTE ON PROCEDURE app_prod.other TO hoop_ro",
        ])
        .await;
    let seen = super::mysql(&server).read(&spec).await.unwrap();
    assert_eq!(
        texts(&seen.coverage)["app_prod"],
        "holds DELETE beyond the level on table u; holds EXECUTE beyond the level on procedure other; \
         missing INSERT on table t"
    );
    assert_complete(&ensure(&mysql, &spec).await, &["app_prod"]);

    assert_complete(&ensure(&mysql, &reader(&[])).await, &["app_prod"]);
    let mut conn = enter(&server, "hoop_ro", "app_prod").await;
    for refused in ["INSERT INTO t VALUES (1)", "CALL Proc()", "SELECT proc()"] {
        may_not(&mut conn, refused).await;
    }
}

#[tokio::test]
async fn rights_on_a_whole_database_hold_for_later_objects_and_no_other_database() {
    let server = prepared().await;
    let spec = reader(&[
        single("app_prod", ObjectKind::Database, &[], &["CREATE TEMPORARY TABLES"]),
        single("app_prod", ObjectKind::Table, &[], &["INSERT"]),
        single("app_prod", ObjectKind::Function, &[], &["EXECUTE"]),
    ]);
    let position = server.log_position();
    assert_complete(&ensure(&mysql(&server), &spec).await, &["app_prod"]);
    let statements = changing(&server.logged_since(position));
    assert_eq!(statements.len(), 3, "one grant holds level and grants: {statements:#?}");
    server.by_hand(&["CREATE TABLE app_prod.later (id INT)", "CREATE PROCEDURE app_prod.late() SELECT 3"]).await;
    let mut conn = enter(&server, "hoop_ro", "app_prod").await;
    for allowed in ["INSERT INTO later VALUES (1)", "CALL late()", "CREATE TEMPORARY TABLE x (id INT)"] {
        may(&mut conn, allowed).await;
    }
    for refused in ["INSERT INTO appXprod.t VALUES (1)", "DELETE FROM t", "CREATE TABLE y (id INT)"] {
        may_not(&mut conn, refused).await;
    }
    assert_complete(&ensure(&mysql(&server), &reader(&[])).await, &["app_prod"]);
    may_not(&mut enter(&server, "hoop_ro", "app_prod").await, "INSERT INTO t VALUES (1)").await;
}

#[tokio::test]
async fn what_grants_name_must_be_there() {
    let server = prepared().await;
    let position = server.log_position();
    for (grant, words) in [
        (single("app_prod", ObjectKind::Table, &["T"], &["INSERT"]), "the table T, which does not exist"),
        (single("app_prod", ObjectKind::Function, &["nosuch"], &["EXECUTE"]), "the function nosuch"),
        (single("appXprod", ObjectKind::Table, &["t"], &["INSERT"]), "none of the role's databases"),
        (single("nosuch", ObjectKind::Database, &[], &["EXECUTE"]), "does not exist"),
    ] {
        let spec = reader(&[grant]);
        let error = mysql(&server).ensure(&spec, Some(&password())).await.unwrap_err();
        assert!(matches!(&error.fault, Fault::NotFound(text) if text.contains(words)), "{error}");
        let seen = mysql(&server).read(&spec).await.unwrap();
        assert!(texts(&seen.uncovered).values().any(|text| text.contains(words)), "{seen:?}");
    }
    assert_eq!(changing(&server.logged_since(position)), [""; 0], "nothing is changed before that is known");
}

#[tokio::test]
async fn a_table_that_is_made_again_is_covered_again() {
    let server = prepared().await;
    let spec = reader(&[single("app_prod", ObjectKind::Table, &["t"], &["INSERT"])]);
    ensure(&mysql(&server), &spec).await;
    server.by_hand(&["DROP TABLE app_prod.t"]).await;
    let seen = mysql(&server).read(&spec).await.unwrap();
    assert!(seen.coverage.is_complete(), "{seen:?}");
    assert!(texts(&seen.uncovered)["app_prod"].contains("the table t, which does not exist"), "{seen:?}");
    server.by_hand(&["CREATE TABLE app_prod.t (id INT)"]).await;
    assert_complete(&ensure(&mysql(&server), &spec).await, &["app_prod"]);
    may(&mut enter(&server, "hoop_ro", "app_prod").await, "INSERT INTO t VALUES (1)").await;
}

#[tokio::test]
async fn a_database_that_is_no_longer_covered_keeps_nothing() {
    let server = prepared().await;
    let both = on(&["app_prod", "appXprod"], role("hoop_ro", Access::ReadOnly));
    let wide = with(
        &[
            single("appXprod", ObjectKind::Function, &[], &["EXECUTE"]),
            single("appXprod", ObjectKind::Table, &["t"], &["INSERT"]),
        ],
        both,
    );
    assert_complete(&ensure(&mysql(&server), &wide).await, &["appXprod", "app_prod"]);
    let seen = mysql(&server).read(&reader(&[])).await.unwrap();
    let gaps: Vec<&str> = seen.login.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(
        gaps,
        ["holds INSERT outside its databases", "holds EXECUTE, SELECT, SHOW VIEW on appXprod, outside its databases"]
    );
    assert_complete(&ensure(&mysql(&server), &reader(&[])).await, &["app_prod"]);
    let mut conn = enter(&server, "hoop_ro", "app_prod").await;
    for refused in ["INSERT INTO appXprod.t VALUES (1)", "SELECT * FROM appXprod.t"] {
        may_not(&mut conn, refused).await;
    }
}

#[tokio::test]
async fn a_creator_of_routines_causes_no_difference() {
    let server = prepared().await;
    let spec = reader(&[single("app_prod", ObjectKind::Database, &[], &["CREATE ROUTINE"])]);
    ensure(&mysql(&server), &spec).await;
    may(&mut enter(&server, "hoop_ro", "app_prod").await, "CREATE PROCEDURE mine() SELECT 1").await;
    let position = server.log_position();
    assert_complete(&ensure(&mysql(&server), &spec).await, &["app_prod"]);
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
}

#[tokio::test]
async fn a_disabled_role_keeps_no_single_right() {
    let server = prepared().await;
    let spec = reader(&[
        single("app_prod", ObjectKind::Table, &["t"], &["INSERT"]),
        single("app_prod", ObjectKind::Function, &["proc"], &["EXECUTE"]),
    ]);
    ensure(&mysql(&server), &spec).await;
    let how = Removal { action: RemovalAction::Disable, ..removal::dropped() };
    mysql(&server).remove(&spec, &how).await.unwrap();
    let left = "SELECT (SELECT COUNT(*) FROM mysql.db WHERE User = 'hoop_ro') + \
                (SELECT COUNT(*) FROM mysql.tables_priv WHERE User = 'hoop_ro') + \
                (SELECT COUNT(*) FROM mysql.procs_priv WHERE User = 'hoop_ro')";
    assert_eq!(server.by_hand(&[left]).await, [["0"]]);
    assert_complete(&ensure(&mysql(&server), &spec).await, &["app_prod"]);
}

#[tokio::test]
async fn hostile_names_of_tables_and_routines_are_names_and_nothing_else() {
    let server = prepared().await;
    let long = "ü".repeat(64);
    let names = ["we`ird; DROP USER dba; --", "it's \"x\"", r"a\b", "50%", "日本", "a b", "select", "t_", &long];
    for name in names {
        let quoted = name.replace('`', "``");
        server
            .by_hand(&[
                &format!("CREATE TABLE app_prod.`{quoted}` (id INT)"),
                &format!("CREATE PROCEDURE app_prod.`{quoted}`() SELECT 1"),
            ])
            .await;
    }
    let spec = reader(&[
        single("app_prod", ObjectKind::Table, &names, &["INSERT"]),
        single("app_prod", ObjectKind::Function, &names, &["EXECUTE"]),
    ]);
    assert_complete(&ensure(&mysql(&server), &spec).await, &["app_prod"]);
    let mut conn = enter(&server, "hoop_ro", "app_prod").await;
    for name in names {
        let quoted = name.replace('`', "``");
        may(&mut conn, &format!("INSERT INTO `{quoted}` VALUES (1)")).await;
        may(&mut conn, &format!("CALL `{quoted}`()")).await;
        may_not(&mut conn, &format!("DELETE FROM `{quoted}`")).await;
    }
    may_not(&mut conn, "INSERT INTO t VALUES (1)").await;
    let position = server.log_position();
    assert_complete(&ensure(&mysql(&server), &spec).await, &["app_prod"]);
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
}
