//! What a level can and cannot do.

use rdsaccess::access::{Access, Secret};
use rdsaccess::engine::{Fault, Ownership, Server};

use super::*;

const SCHEMA: [&str; 4] = [
    "CREATE DATABASE app",
    "CREATE TABLE app.t (id INT PRIMARY KEY, v TEXT)",
    "INSERT INTO app.t VALUES (1, 'a')",
    "CREATE VIEW app.v AS SELECT * FROM app.t",
];

#[tokio::test]
async fn clients_are_sent_to_a_covered_database_and_to_none_with_rights_too_many() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&SCHEMA).await;
    let (mysql, ro) = (mysql(&server), on(&["app"], role("hoop_ro", Access::ReadOnly)));
    ensure(&mysql, &ro).await;
    server.by_hand(&["CREATE DATABASE aaa", "GRANT SELECT, SHOW VIEW ON aaa.* TO hoop_ro"]).await;
    let seen = self::mysql(&server).read(&ro).await.unwrap();
    assert!(seen.login.iter().any(|gap| gap.what.contains(" on aaa")), "{seen:?}");
    assert_eq!(seen.covered.iter().collect::<Vec<_>>(), ["app"]);
    assert_eq!(seen.default_database.unwrap().to_string(), "app");
}

#[tokio::test]
async fn a_read_only_role_reads_and_cannot_write() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&SCHEMA).await;
    let (mysql, ro) = (mysql(&server), role("hoop_ro", Access::ReadOnly));
    assert_eq!(mysql.read(&ro).await.unwrap().ownership, Ownership::Absent);
    let observed = ensure(&mysql, &ro).await;
    assert_eq!((observed.ownership.clone(), observed.access), (Ownership::Ours, Access::ReadOnly));
    assert_eq!(observed.default_database.as_ref().map(ToString::to_string).as_deref(), Some("app"));
    assert_complete(&observed, &["app"]);

    let mut conn = enter(&server, "hoop_ro", "app").await;
    for allowed in ["SELECT * FROM t", "SELECT * FROM v", "SHOW CREATE VIEW v"] {
        may(&mut conn, allowed).await;
    }
    for refused in [
        "INSERT INTO t VALUES (2, 'b')",
        "UPDATE t SET v = 'x'",
        "DELETE FROM t",
        "CREATE TABLE u (id INT)",
        "DROP TABLE t",
        "CREATE TEMPORARY TABLE x (id INT)",
        "SELECT * FROM mysql.user",
        "CREATE USER intruder",
    ] {
        may_not(&mut conn, refused).await;
    }
}

#[tokio::test]
async fn a_read_write_role_writes_and_cannot_change_the_schema() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&SCHEMA).await;
    ensure(&mysql(&server), &role("hoop_rw", Access::ReadWrite)).await;
    let mut conn = enter(&server, "hoop_rw", "app").await;
    for allowed in ["INSERT INTO t VALUES (2, 'b')", "UPDATE t SET v = 'x'", "DELETE FROM t"] {
        may(&mut conn, allowed).await;
    }
    for refused in ["CREATE TABLE u (id INT)", "ALTER TABLE t ADD c INT", "TRUNCATE t", "GRANT SELECT ON app.* TO dba"]
    {
        may_not(&mut conn, refused).await;
    }
}

#[tokio::test]
async fn a_ddl_role_changes_the_schema_and_cannot_grant() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&SCHEMA).await;
    ensure(&mysql(&server), &role("hoop_ddl", Access::Ddl)).await;
    let mut conn = enter(&server, "hoop_ddl", "app").await;
    for allowed in [
        "CREATE TABLE u (id INT PRIMARY KEY)",
        "ALTER TABLE u ADD c INT",
        "CREATE INDEX i ON u (c)",
        "CREATE TABLE w (id INT, FOREIGN KEY (id) REFERENCES u (id))",
        "CREATE VIEW x AS SELECT * FROM u",
        "DROP VIEW x",
        "DROP TABLE w",
    ] {
        may(&mut conn, allowed).await;
    }
    for refused in [
        "CREATE PROCEDURE p() SELECT 1",
        "GRANT SELECT ON app.* TO dba",
        "CREATE DATABASE other",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
    ] {
        may_not(&mut conn, refused).await;
    }
}

#[tokio::test]
async fn later_tables_are_covered_and_a_new_database_is_a_gap_until_the_next_ensure() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&SCHEMA).await;
    let (mysql, ro) = (mysql(&server), role("hoop_ro", Access::ReadOnly));
    ensure(&mysql, &ro).await;
    server
        .by_hand(&["CREATE TABLE app.later (id INT)", "CREATE DATABASE fresh", "CREATE TABLE fresh.t (id INT)"])
        .await;
    let mut conn = enter(&server, "hoop_ro", "app").await;
    may(&mut conn, "SELECT * FROM later").await;
    may_not(&mut conn, "SELECT * FROM fresh.t").await;

    let seen = super::mysql(&server).read(&ro).await.unwrap();
    assert_eq!(texts(&seen.coverage)["fresh"], "missing SELECT, SHOW VIEW");
    let position = server.log_position();
    assert_complete(&ensure(&mysql, &ro).await, &["app", "fresh"]);
    assert_eq!(changing(&server.logged_since(position)), ["GRANT SELECT, SHOW VIEW ON `fresh`.* TO `hoop_ro`@`%`"]);
    may(&mut enter(&server, "hoop_ro", "app").await, "SELECT * FROM fresh.t").await;

    server.by_hand(&["DROP DATABASE fresh"]).await;
    let seen = super::mysql(&server).read(&ro).await.unwrap();
    assert_eq!(seen.login[0].what, "holds SELECT, SHOW VIEW on fresh, a database that does not exist");
    assert_complete(&ensure(&mysql, &ro).await, &["app"]);
    assert!(server.by_hand(&["SELECT * FROM mysql.db WHERE Db = 'fresh'"]).await.is_empty());
}

#[tokio::test]
async fn an_underscore_opens_no_other_database() {
    let server = TestServer::start(&[]).await;
    server
        .by_hand(&[
            "CREATE DATABASE app_prod",
            "CREATE DATABASE appXprod",
            "CREATE TABLE app_prod.t (id INT)",
            "CREATE TABLE appXprod.t (id INT)",
        ])
        .await;
    let observed = ensure(&mysql(&server), &on(&["app_prod"], role("hoop_ro", Access::ReadOnly))).await;
    assert_complete(&observed, &["app_prod"]);
    let mut conn = enter(&server, "hoop_ro", "app_prod").await;
    may(&mut conn, "SELECT * FROM t").await;
    may_not(&mut conn, "SELECT * FROM appXprod.t").await;
}

#[tokio::test]
async fn hostile_names_are_names_and_nothing_else() {
    let server = TestServer::start(&[]).await;
    let long = "ü".repeat(64);
    let databases = [r"a\b", "we`ird; DROP USER dba; --", "it's \"x\"", "50%", "日本", "a b", "select", &long];
    for database in databases {
        let quoted = database.replace('`', "``");
        server.by_hand(&[&format!("CREATE DATABASE `{quoted}`"), &format!("CREATE TABLE `{quoted}`.t (id INT)")]).await;
    }
    let mysql = mysql(&server);
    let longest = "ü".repeat(if server.is_mysql { 32 } else { 128 });
    for name in ["x`; DROP USER dba; -- ", "o'neil \"q\" \\", "ünï`@`%", "select", &longest] {
        let ro = role(name.trim_end(), Access::ReadOnly);
        let observed = ensure(&mysql, &ro).await;
        assert!(observed.coverage.is_complete() && observed.login.is_empty(), "{name}: {observed:?}");
        assert_eq!(observed.coverage.databases.len(), databases.len());
        for database in databases {
            let mut conn = enter(&server, name.trim_end(), database).await;
            may(&mut conn, "SELECT * FROM t").await;
            may_not(&mut conn, "INSERT INTO t VALUES (1)").await;
        }
        assert!(mysql.accepts(&ro, &password()).await.unwrap());
        mysql.remove(&ro, &removal::dropped()).await.unwrap();
    }
    assert_eq!(
        server
            .by_hand(&["SELECT COUNT(*) FROM mysql.db WHERE User NOT IN ('dba', 'admin1', 'mysql.sys', \
        'mysql.session', 'mariadb.sys')"])
            .await,
        [["0"]]
    );
}

#[tokio::test]
async fn names_that_the_server_cannot_hold_are_refused_before_any_change() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&["CREATE DATABASE app"]).await;
    let position = server.log_position();
    let too_long = if server.is_mysql { 33 } else { 129 };
    let names =
        ["x".repeat(too_long), "日".repeat(128), "root".to_owned(), "smile😀".to_owned(), "mysql.sys".to_owned()];
    for name in names.iter().filter_map(|name| name.parse().ok()) {
        let error = mysql(&server).ensure(&RoleSpec { name, ..role("x", Access::ReadOnly) }, None).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Unsupported(_)), "{error}");
    }
    for (database, kind, objects, privileges) in [
        ("mysql", ObjectKind::Database, [].as_slice(), "SELECT"),
        ("app", ObjectKind::Database, &[], "GRANT OPTION"),
        ("app", ObjectKind::Schema, &[], "CREATE"),
        ("app", ObjectKind::Table, &["t "], "SELECT"),
    ] {
        let spec = with(&[single(database, kind, objects, &[privileges])], role("hoop_ro", Access::ReadOnly));
        let error = mysql(&server).ensure(&spec, None).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Unsupported(_)), "{error}");
    }
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
}

#[tokio::test]
async fn the_password_never_reaches_the_server_in_clear_and_is_checked_without_a_login() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&SCHEMA).await;
    let (mysql, ro) = (mysql(&server), role("hoop_ro", Access::ReadOnly));
    ensure(&mysql, &ro).await;
    let position = server.log_position();
    assert!(mysql.accepts(&ro, &password()).await.unwrap());
    assert!(!mysql.accepts(&ro, &Secret::from("R0le-pass.word~Geheim")).await.unwrap());
    assert!(!mysql.accepts(&role("nobody", Access::ReadOnly), &password()).await.unwrap());
    assert!(!server.logged_since(position).contains("hoop_ro@"), "no login was tried");

    let second = Secret::from("Rotated-pass.word~2");
    mysql.ensure(&ro, Some(&second)).await.unwrap();
    assert!(mysql.accepts(&ro, &second).await.unwrap() && !mysql.accepts(&ro, &password()).await.unwrap());
    server.connect(("hoop_ro", second.expose()), "app").await.unwrap();
    assert!(server.connect(("hoop_ro", PASSWORD), "app").await.is_err());

    server.by_hand(&["ALTER USER hoop_ro@'%' ACCOUNT LOCK"]).await;
    assert!(!super::mysql(&server).accepts(&ro, &second).await.unwrap(), "a locked account cannot log in");
    let log = server.logged_since(0);
    assert!(!log.contains(PASSWORD) && !log.contains(second.expose()));
}

#[tokio::test]
async fn a_more_specific_host_that_catches_the_client_is_seen_only_by_a_login() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&SCHEMA).await;
    let (mysql, ro) = (mysql(&server), role("hoop_ro", Access::ReadOnly));
    ensure(&mysql, &ro).await;
    assert!(mysql.proves(&ro, &password()).await.unwrap());
    assert!(!mysql.proves(&ro, &Secret::from("wrong-Secret9")).await.unwrap());
    server.by_hand(&["CREATE USER hoop_ro@'127.%' IDENTIFIED BY 'other-Pass1'"]).await;
    assert!(mysql.accepts(&ro, &password()).await.unwrap(), "the hash is that of the role's own account");
    assert!(!mysql.proves(&ro, &password()).await.unwrap(), "the client is another account");
    server.by_hand(&["ALTER USER hoop_ro@'127.%' IDENTIFIED BY 'R0le-pass.word~geheim' ACCOUNT LOCK"]).await;
    let error = mysql.proves(&ro, &password()).await.unwrap_err();
    assert!(matches!(error.fault, Fault::LoginBarred(_)), "{error}");
}

#[tokio::test]
async fn a_role_made_without_a_password_cannot_log_in_until_it_gets_one() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&SCHEMA).await;
    let (mysql, ro) = (mysql(&server), role("hoop_ro", Access::ReadOnly));
    assert_complete(&mysql.ensure(&ro, None).await.unwrap(), &["app"]);
    for guess in ["", PASSWORD] {
        assert!(server.connect(("hoop_ro", guess), "").await.is_err(), "{guess}");
    }
    ensure(&mysql, &ro).await;
    enter(&server, "hoop_ro", "app").await;
}

#[tokio::test]
async fn creating_takes_at_most_three_statements_more_than_databases_in_few_round_trips() {
    let server = TestServer::start(&[]).await;
    let databases: Vec<String> = (0..20).map(|n| format!("CREATE DATABASE d_{n}")).collect();
    server.by_hand(&databases.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mysql = mysql(&server);
    mysql.ping().await.unwrap();
    let position = server.log_position();
    ensure(&mysql, &role("hoop_ddl", Access::Ddl)).await;
    let log = server.logged_since(position);
    let statements = changing(&log);
    assert!(statements.len() <= databases.len() + 3, "{statements:#?}");
    assert!(!log.contains("Connect"), "the session is used again");
}

const FOLDING: &str = "--lower-case-table-names=1";

async fn takes_names_in_any_case(server: TestServer) {
    server.by_hand(&["CREATE DATABASE App_Prod", "CREATE TABLE App_Prod.T (id INT)"]).await;
    assert_complete(
        &ensure(&mysql(&server), &on(&["App_Prod"], role("hoop_ro", Access::ReadOnly))).await,
        &["app_prod"],
    );
    may(&mut enter(&server, "hoop_ro", "APP_PROD").await, "SELECT * FROM t").await;
    let on_table = single("App_Prod", ObjectKind::Table, &["T"], &["INSERT"]);
    let spec = with(&[on_table], on(&["App_Prod"], role("hoop_ro", Access::ReadOnly)));
    assert_complete(&ensure(&mysql(&server), &spec).await, &["app_prod"]);
    may(&mut enter(&server, "hoop_ro", "APP_PROD").await, "INSERT INTO t VALUES (1)").await;
    let position = server.log_position();
    assert_complete(&ensure(&mysql(&server), &spec).await, &["app_prod"]);
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
}

#[tokio::test]
async fn a_folding_mariadb_takes_names_in_any_case() {
    takes_names_in_any_case(TestServer::start_mariadb(&[FOLDING]).await).await;
}

#[tokio::test]
async fn a_folding_mysql_takes_names_in_any_case() {
    takes_names_in_any_case(TestServer::start_mysql(&[FOLDING]).await).await;
}

#[tokio::test]
async fn the_administrator_is_never_taken_for_a_role() {
    let server = TestServer::start(&[]).await;
    let admin = role(crate::server_mariadb::ADMIN.0, Access::ReadOnly);
    let position = server.log_position();
    assert!(mysql(&server).ensure(&admin, Some(&password())).await.is_err());
    assert_eq!(mysql(&server).remove(&admin, &removal::dropped()).await.unwrap().len(), 1);
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
}
