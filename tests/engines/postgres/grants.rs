use rdsaccess::access::{Access, Grant, ObjectKind};
use rdsaccess::engine::{Fault, Removal, RemovalAction};

use super::*;

/// A grant in the database `app`.
pub(super) fn grant(kind: ObjectKind, schema: &str, objects: &[&str], privileges: &[&str]) -> Grant {
    Grant {
        database: "app".parse().unwrap(),
        schema: (!schema.is_empty()).then(|| schema.parse().unwrap()),
        kind,
        objects: (!objects.is_empty()).then(|| objects.iter().map(|name| name.parse().unwrap()).collect()),
        privileges: privileges.iter().map(|name| name.parse().unwrap()).collect(),
    }
}

fn reader(grants: &[Grant]) -> RoleSpec {
    let mut spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    spec.grants = grants.iter().cloned().collect();
    spec
}

const MORE: &str = "
    CREATE SCHEMA hr; CREATE TABLE hr.people (id int); CREATE TABLE hr.pay (id int); CREATE SEQUENCE hr.ids;
    CREATE FUNCTION hr.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION hr.f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
    CREATE FUNCTION hr.g(sales.orders, text[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE PROCEDURE hr.p(int) LANGUAGE sql AS 'SELECT 1';
    CREATE AGGREGATE hr.total(int) (SFUNC = int4pl, STYPE = int);
    REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA hr FROM PUBLIC";

async fn prepared() -> PostgresServer {
    let server = PostgresServer::start().await;
    let master = server.master("app").await;
    master.batch_execute(EVERY_KIND).await.unwrap();
    master.batch_execute(MORE).await.unwrap();
    server
}

async fn version(server: &PostgresServer) -> i32 {
    column(&server.superuser("app").await, "SHOW server_version_num").await[0].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_grant_works_and_nothing_beside_it() {
    let server = prepared().await;
    let mut spec = reader(&[
        grant(ObjectKind::Database, "", &[], &["CREATE", "TEMPORARY"]),
        grant(ObjectKind::Schema, "hr", &[], &["USAGE"]),
        grant(ObjectKind::Table, "sales", &["orders", "parts"], &["INSERT", "TRUNCATE"]),
        grant(ObjectKind::Table, "hr", &["people"], &["SELECT", "UPDATE"]),
        grant(ObjectKind::Sequence, "hr", &["ids"], &["USAGE"]),
        grant(ObjectKind::Function, "hr", &["f", "p", "total"], &["EXECUTE"]),
    ]);
    spec.scope.schemas = Some(["sales".parse().unwrap()].into());
    let engine = server.engine();
    make(&*engine, &spec).await;
    let ro = enter(&server, "hoop_ro", "app").await;
    let allowed = [
        "INSERT INTO sales.orders (id, note) VALUES (7, 'x')",
        "TRUNCATE sales.orders",
        "INSERT INTO sales.parts VALUES (1)",
        "SELECT * FROM hr.people",
        "UPDATE hr.people SET id = 1 WHERE id = 2",
        "SELECT nextval('hr.ids')",
        "SELECT hr.f(), hr.f(1), hr.total(1)",
        "CALL hr.p(1)",
        "CREATE SCHEMA own",
        "CREATE TEMPORARY TABLE t (id int)",
    ];
    assert_allowed(&ro, &allowed).await;
    let denied = [
        "UPDATE sales.orders SET note = 'y'",
        "DELETE FROM sales.parts",
        "INSERT INTO hr.people VALUES (1)",
        "SELECT * FROM hr.pay",
        "SELECT setval('hr.ids', 5)",
        "SELECT hr.g(NULL, NULL)",
        "CREATE TABLE hr.mine (id int)",
    ];
    assert_denied(&ro, &denied).await;
    assert_complete(&server.engine().read(&spec).await.unwrap());

    // Without the grants everything is as the level says again.
    spec.grants.clear();
    let observed = server.engine().read(&spec).await.unwrap();
    let text = &observed.coverage.texts()["app"];
    for expected in [
        "login holds extra INSERT on 2 tables: sales.orders, sales.parts",
        "login holds extra UPDATE on table hr.people",
        "login holds extra EXECUTE on 2 functions: hr.f(), hr.f(integer)",
        "login holds extra EXECUTE on procedure hr.p(integer)",
        "login holds extra USAGE on schema hr",
        "login holds extra CREATE on database app",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in `{text}`");
    }
    assert_complete(&engine.ensure(&spec, None).await.unwrap());
    drop(ro);
    let ro = enter(&server, "hoop_ro", "app").await;
    assert_denied(&ro, &allowed[..8]).await;
    assert_allowed(&ro, &["SELECT * FROM sales.orders"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_grant_is_told_and_repaired_and_a_later_object_is_drift() {
    let server = prepared().await;
    let spec = reader(&[
        grant(ObjectKind::Table, "sales", &[], &["INSERT"]),
        grant(ObjectKind::Function, "hr", &[], &["EXECUTE"]),
        grant(ObjectKind::Schema, "hr", &[], &["USAGE"]),
    ]);
    let engine = server.engine();
    make(&*engine, &spec).await;
    let master = server.master("app").await;
    master
        .batch_execute(
            "REVOKE INSERT ON sales.orders FROM hoop_ro; CREATE TABLE sales.later (id int);
             REVOKE EXECUTE ON FUNCTION hr.g FROM hoop_ro; CREATE PROCEDURE hr.q() LANGUAGE sql AS 'SELECT 1'",
        )
        .await
        .unwrap();
    let observed = server.engine().read(&spec).await.unwrap();
    let text = &observed.coverage.texts()["app"];
    for expected in [
        "missing INSERT on 2 tables: sales.later, sales.orders",
        "missing EXECUTE on function hr.g(sales.orders,text[])",
        "missing EXECUTE on procedure hr.q()",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in `{text}`");
    }
    assert_complete(&server.engine().ensure(&spec, None).await.unwrap());
    let before = server.log().len();
    assert_complete(&server.engine().ensure(&spec, None).await.unwrap());
    let log = server.log().split_off(before);
    assert!(!log.contains("BEGIN"), "a second apply sent something: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grants_names_and_is_not_there_is_refused_before_any_change() {
    let server = prepared().await;
    let old = version(&server).await < 170_000;
    let absent = [
        (grant(ObjectKind::Table, "sales", &["nope"], &["SELECT"]), "table sales.nope"),
        (grant(ObjectKind::Table, "hr", &["ids"], &["SELECT"]), "table hr.ids"),
        (grant(ObjectKind::Sequence, "hr", &["people"], &["SELECT"]), "sequence hr.people"),
        (grant(ObjectKind::Function, "hr", &["people"], &["EXECUTE"]), "function hr.people"),
        (grant(ObjectKind::Schema, "nowhere", &[], &["USAGE"]), "schema nowhere"),
        (grant(ObjectKind::Table, "nowhere", &["t"], &["SELECT"]), "schema nowhere"),
    ];
    for (grant, named) in absent {
        let spec = reader(&[grant]);
        let error = server.engine().ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
        assert!(matches!(&error.fault, Fault::NotFound(text) if text.contains(named)), "{named}: {error}");
        let uncovered = server.engine().read(&spec).await.unwrap().uncovered.texts();
        assert!(uncovered["app"].contains(&format!("there is no {named}")), "{uncovered:?}");
    }
    let mut elsewhere = spec("hoop_ro", Access::ReadOnly);
    let mut away = grant(ObjectKind::Table, "sales", &[], &["SELECT"]);
    away.database = "nowhere".parse().unwrap();
    elsewhere.grants = [away].into();
    let error = server.engine().ensure(&elsewhere, None).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::NotFound(text) if text.contains("nowhere")), "{error}");

    let maintain = reader(&[grant(ObjectKind::Table, "sales", &["orders"], &["MAINTAIN"])]);
    let made = server.engine().ensure(&maintain, Some(&Secret::from(PASSWORD))).await;
    if old {
        let error = made.unwrap_err();
        assert!(matches!(&error.fault, Fault::Unsupported(text) if text.contains("MAINTAIN")), "{error}");
        assert!(server.engine().read(&maintain).await.unwrap().uncovered.texts()["app"].contains("MAINTAIN"));
        let roles = "SELECT rolname::text FROM pg_roles WHERE rolname ~ '^(hoop|rdsaccess)'";
        assert!(column(&server.superuser("app").await, roles).await.is_empty());
    } else {
        assert_complete(&made.unwrap());
        assert_allowed(&enter(&server, "hoop_ro", "app").await, &["ANALYZE sales.orders", "VACUUM sales.orders"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_the_login_got_by_hand_are_taken_back_wherever_they_are() {
    let server = prepared().await;
    let master = server.master("postgres").await;
    master.batch_execute("CREATE DATABASE second").await.unwrap();
    for database in ["second", "postgres"] {
        server.master(database).await.batch_execute(EVERY_KIND).await.unwrap();
    }
    let spec = reader(&[grant(ObjectKind::Table, "sales", &["orders"], &["INSERT"])]);
    let engine = server.engine();
    make(&*engine, &spec).await;
    let by_hand = "GRANT SELECT ON sales.orders TO hoop_ro; GRANT INSERT ON sales.orders TO hoop_ro WITH GRANT OPTION;
        GRANT UPDATE (note) ON sales.orders TO hoop_ro; GRANT DELETE ON sales.notes TO hoop_ro;
        GRANT USAGE ON SEQUENCE sales.numbers TO hoop_ro; GRANT CREATE ON SCHEMA sales TO hoop_ro;
        GRANT EXECUTE ON FUNCTION hr.f() TO hoop_ro; CREATE TYPE sales.mood AS ENUM ('a');
        GRANT USAGE ON TYPE sales.mood TO hoop_ro;
        ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT UPDATE ON TABLES TO hoop_ro";
    server.master("app").await.batch_execute(by_hand).await.unwrap();
    server
        .master("second")
        .await
        .batch_execute("GRANT SELECT ON sales.orders TO hoop_ro; GRANT CONNECT ON DATABASE postgres TO hoop_ro")
        .await
        .unwrap();
    // Reading looks into no database where the login holds nothing.
    let before = server.log().len();
    let observed = server.engine().read(&spec).await.unwrap();
    assert!(!server.log().split_off(before).contains("terraform-provider-rdsaccess|admin1|postgres|"));
    let text = &observed.coverage.texts()["app"];
    for expected in [
        "login holds extra GRANT OPTION FOR INSERT on table sales.orders",
        "login holds extra UPDATE on table sales.orders",
        "login holds extra DELETE on view sales.notes",
        "login holds extra USAGE on sequence sales.numbers",
        "login holds extra CREATE on schema sales",
        "login holds extra EXECUTE on function hr.f()",
        "login holds extra rights on type sales.mood",
        "login holds extra UPDATE for later tables of admin1 on schema sales",
    ] {
        assert!(text.contains(expected), "`{expected}` is not in `{text}`");
    }
    assert!(!text.contains("SELECT"), "what is within the level is left alone: {text}");
    let login: Vec<String> =
        observed.login.iter().map(|gap| format!("{} on {} {}", gap.what, gap.noun, gap.names.join(","))).collect();
    for expected in [
        "login holds extra SELECT in database second on table sales.orders",
        "login holds extra CONNECT in database postgres on database postgres",
    ] {
        assert!(login.iter().any(|gap| gap == expected), "`{expected}` is not in {login:?}");
    }
    assert_complete(&server.engine().ensure(&spec, None).await.unwrap());
    assert_complete(&server.engine().read(&spec).await.unwrap());
    let ro = enter(&server, "hoop_ro", "app").await;
    assert_allowed(&ro, &["INSERT INTO sales.orders (id) VALUES (9)", "SELECT * FROM sales.orders"]).await;
    assert_denied(&ro, &["UPDATE sales.orders SET note = 'x'", "SELECT hr.f()"]).await;
    let left = "SELECT coalesce(relacl::text, '') FROM pg_class WHERE oid = 'sales.orders'::regclass";
    assert!(!column(&server.master("second").await, left).await[0].contains("hoop_ro"));
    let kept = column(&server.master("app").await, left).await;
    assert!(kept[0].contains("hoop_ro=ar/admin1"), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_from_somebody_who_is_not_the_owner_is_taken_back_as_that_one() {
    let server = prepared().await;
    let spec = reader(&[]);
    make(&*server.engine(), &spec).await;
    let superuser = server.superuser("app").await;
    let chain = "SET ROLE admin1; CREATE ROLE middle; GRANT USAGE ON SCHEMA hr TO middle;
        GRANT EXECUTE ON FUNCTION hr.f() TO middle WITH GRANT OPTION; RESET ROLE;
        SET ROLE middle; GRANT EXECUTE ON FUNCTION hr.f() TO hoop_ro; RESET ROLE;
        CREATE TABLE sales.locked (id int); GRANT INSERT ON sales.locked TO hoop_ro";
    superuser.batch_execute(chain).await.unwrap();
    let observed = server.engine().ensure(&spec, None).await.unwrap();
    assert_complete(&observed);
    let uncovered = &observed.uncovered.texts()["app"];
    let expected = "login holds extra INSERT (granted by rdsadmin is out of reach of admin1) on table sales.locked";
    assert!(uncovered.contains(expected), "{uncovered}");
    let held = "SELECT has_function_privilege('hoop_ro', 'hr.f()', 'EXECUTE')::text";
    assert_eq!(column(&superuser, held).await, ["false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_out_of_reach_and_out_of_sight_are_listed() {
    let server = prepared().await;
    let superuser = server.superuser("app").await;
    superuser.batch_execute("CREATE TABLE hr.locked (id int)").await.unwrap();
    let mut spec = reader(&[grant(ObjectKind::Table, "hr", &["people", "locked"], &["UPDATE"])]);
    spec.scope.schemas = Some(["sales".parse().unwrap()].into());
    let observed = make(&*server.engine(), &spec).await;
    let uncovered = &observed.uncovered.texts()["app"];
    for expected in [
        "missing UPDATE (owner rdsadmin is out of reach of admin1) on table hr.locked",
        "what grants gives in schema hr cannot be reached without USAGE on schema hr",
    ] {
        assert!(uncovered.contains(expected), "`{expected}` is not in `{uncovered}`");
    }
    spec.grants.insert(grant(ObjectKind::Schema, "hr", &[], &["USAGE"]));
    let observed = server.engine().ensure(&spec, None).await.unwrap();
    assert!(!observed.uncovered.texts()["app"].contains("USAGE"), "{observed:?}");
    assert_allowed(&enter(&server, "hoop_ro", "app").await, &["UPDATE hr.people SET id = 2"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_grants_goes_or_is_disabled_without_a_trace_of_them() {
    let server = prepared().await;
    let spec = reader(&[
        grant(ObjectKind::Table, "sales", &[], &["INSERT"]),
        grant(ObjectKind::Function, "hr", &[], &["EXECUTE"]),
        grant(ObjectKind::Database, "", &[], &["CREATE"]),
    ]);
    for action in [RemovalAction::Disable, RemovalAction::Drop] {
        let engine = server.engine();
        make(&*engine, &spec).await;
        let how = Removal { action, end_sessions: true, reassign_owned_to: None };
        assert_eq!(engine.remove(&spec, &how).await.unwrap(), Vec::<String>::new());
        let acls = "SELECT relacl::text FROM pg_class UNION ALL SELECT proacl::text FROM pg_proc
            UNION ALL SELECT datacl::text FROM pg_database";
        let left = column(&server.superuser("app").await, acls).await;
        assert!(!left.iter().any(|acl| acl.contains("hoop_ro")), "{action:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_beside_ddl_or_outside_the_databases_are_refused_before_anything_is_sent() {
    let server = PostgresServer::start().await;
    let before = server.log().len();
    let mut ddl = spec_in("hoop_ddl", Access::Ddl, &["app"]);
    ddl.grants = [grant(ObjectKind::Table, "sales", &[], &["SELECT"])].into();
    let mut outside = spec_in("hoop_ro", Access::ReadOnly, &["postgres"]);
    outside.grants = ddl.grants.clone();
    let wrong = reader(&[grant(ObjectKind::Table, "sales", &[], &["EXECUTE"])]);
    for (spec, expected) in [(ddl, "runs as its group"), (outside, "databases does not name"), (wrong, "EXECUTE")] {
        let error = server.engine().ensure(&spec, None).await.unwrap_err();
        assert!(matches!(&error.fault, Fault::Unsupported(text) if text.contains(expected)), "{error}");
    }
    assert_eq!(server.log().len(), before);
}
