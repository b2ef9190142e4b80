//! What each level may do, and what not.

use super::*;

#[tokio::test]
async fn a_reader_reads_and_changes_nothing() {
    let server = TestServer::start();
    let app = server.database("app").await;
    server.by_hand(&app, &["CREATE TABLE dbo.orders (id int);"]).await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    assert_complete(&ensure(&sqlserver, &ro).await, &[&app]);

    let mut reader = enter(&server, &ro, &app).await;
    may(&mut reader, "SELECT id FROM dbo.orders;").await;
    for statement in [
        "INSERT INTO dbo.orders VALUES (1);",
        "UPDATE dbo.orders SET id = 2;",
        "DELETE FROM dbo.orders;",
        "CREATE TABLE dbo.mine (id int);",
        "GRANT SELECT ON OBJECT::dbo.orders TO guest;",
    ] {
        may_not(&mut reader, statement).await;
    }
    server.by_hand(&app, &["CREATE TABLE dbo.later (id int);"]).await;
    may(&mut reader, "SELECT id FROM dbo.later;").await;
}

#[tokio::test]
async fn each_level_adds_to_the_one_before() {
    let server = TestServer::start();
    let app = server.database("app").await;
    server.by_hand(&app, &["CREATE TABLE dbo.orders (id int);"]).await;
    let sqlserver = sqlserver(&server);
    let rw = role(&server, "hoop_rw", Access::ReadWrite, &[&app]);
    assert_eq!(ensure(&sqlserver, &rw).await.access, Access::ReadWrite);
    let mut writer = enter(&server, &rw, &app).await;
    may(&mut writer, "INSERT INTO dbo.orders VALUES (1);").await;
    may(&mut writer, "DELETE FROM dbo.orders;").await;
    may_not(&mut writer, "CREATE TABLE dbo.mine (id int);").await;

    let ddl = role(&server, "hoop_ddl", Access::Ddl, &[&app]);
    assert_eq!(ensure(&sqlserver, &ddl).await.access, Access::Ddl);
    let mut designer = enter(&server, &ddl, &app).await;
    may(&mut designer, "CREATE TABLE dbo.mine (id int);").await;
    may(&mut designer, "INSERT INTO dbo.mine VALUES (1);").await;
    may_not(&mut designer, "CREATE USER escaped WITHOUT LOGIN;").await;
}

#[tokio::test]
async fn a_level_is_changed_in_place() {
    let server = TestServer::start();
    let app = server.database("app").await;
    server.by_hand(&app, &["CREATE TABLE dbo.orders (id int);"]).await;
    let sqlserver = sqlserver(&server);
    let mut spec = role(&server, "hoop_x", Access::Ddl, &[&app]);
    ensure(&sqlserver, &spec).await;
    spec.access = Access::ReadOnly;
    let seen = sqlserver.read(&spec).await.unwrap();
    assert_eq!(
        texts(&seen.coverage)[&app],
        "is a member of db_datawriter beyond the level; is a member of db_ddladmin beyond the level"
    );
    assert_complete(&converge(&sqlserver, &spec).await, &[&app]);
    let mut reader = enter(&server, &spec, &app).await;
    may(&mut reader, "SELECT id FROM dbo.orders;").await;
    may_not(&mut reader, "INSERT INTO dbo.orders VALUES (1);").await;
}

#[tokio::test]
async fn other_databases_stay_closed() {
    let server = TestServer::start();
    let (app, other) = (server.database("app").await, server.database("other").await);
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    let refused = server.connect((ro.name.to_string().as_str(), PASSWORD), &other).await;
    assert_eq!(refused.err().and_then(|error| error.code()), Some(4060));
}

#[tokio::test]
async fn single_rights_are_held_beside_the_level() {
    let server = TestServer::start();
    let app = server.database("app").await;
    let make = ["CREATE SCHEMA sales;", "CREATE TABLE sales.orders (id int);", "CREATE TABLE dbo.plain (id int);"];
    server.by_hand(&app, &make).await;
    server.by_hand(&app, &["CREATE PROCEDURE sales.report AS SELECT 1;"]).await;
    let sqlserver = sqlserver(&server);
    let mut spec = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    spec.grants = BTreeSet::from([
        grant(&app, ObjectKind::Table, Some("sales"), Some(&["orders"]), &["INSERT"]),
        grant(&app, ObjectKind::Function, Some("sales"), None, &["EXECUTE"]),
        grant(&app, ObjectKind::Database, None, None, &["SHOWPLAN"]),
    ]);
    let seen = ensure(&sqlserver, &spec).await;
    assert_complete(&seen, &[&app]);
    assert_eq!(seen.access, Access::ReadOnly, "what `grants` names is beside the level");
    let mut user = enter(&server, &spec, &app).await;
    may(&mut user, "INSERT INTO sales.orders VALUES (1);").await;
    may(&mut user, "EXEC sales.report;").await;
    may_not(&mut user, "INSERT INTO dbo.plain VALUES (1);").await;

    spec.grants.clear();
    let seen = sqlserver.read(&spec).await.unwrap();
    assert_eq!(
        texts(&seen.coverage)[&app],
        "holds EXECUTE beyond the level on schema sales; holds INSERT beyond the level on object sales.orders; \
         holds SHOWPLAN beyond the level"
    );
    assert_complete(&converge(&sqlserver, &spec).await, &[&app]);
    may_not(&mut user, "INSERT INTO sales.orders VALUES (1);").await;
    may_not(&mut user, "EXEC sales.report;").await;
}

#[tokio::test]
async fn a_grant_outside_the_covered_databases_is_refused() {
    let server = TestServer::start();
    let (app, other) = (server.database("app").await, server.database("other").await);
    let mut spec = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    spec.grants = BTreeSet::from([grant(&other, ObjectKind::Database, None, None, &["EXECUTE"])]);
    let error = sqlserver(&server).ensure(&spec, Some(&password())).await.unwrap_err();
    assert!(error.to_string().contains("does not cover"), "{error}");
}

#[tokio::test]
async fn hostile_names_are_names_and_nothing_else() {
    let server = TestServer::start();
    let app = server.database("it's [a] \"db\"; DROP--").await;
    server.by_hand(&app, &["CREATE SCHEMA [s]]; --];", "CREATE TABLE [s]]; --].[t'] (id int);"]).await;
    let sqlserver = sqlserver(&server);
    let mut spec = role(&server, "x]; DROP LOGIN admin1; -- '\" /* \u{65E5}\u{672C}", Access::ReadOnly, &[&app]);
    spec.grants = BTreeSet::from([grant(&app, ObjectKind::Table, Some("s]; --"), Some(&["t'"]), &["INSERT"])]);
    assert_complete(&ensure(&sqlserver, &spec).await, &[&app]);
    let mut user = enter(&server, &spec, &app).await;
    may(&mut user, "INSERT INTO [s]]; --].[t'] VALUES (1);").await;
    drop(user);
    let how = rdsaccess::engine::Removal {
        action: rdsaccess::engine::RemovalAction::Drop,
        end_sessions: true,
        reassign_owned_to: None,
    };
    assert_eq!(sqlserver.remove(&spec, &how).await.unwrap(), [""; 0]);
    sqlserver.ping().await.unwrap();
}
