//! Taking a role away: sessions, users, what it owns.

use rdsaccess::engine::{Ownership, Removal, RemovalAction};
use serde_json::json;

use super::*;

fn how(action: RemovalAction, end_sessions: bool) -> Removal {
    Removal { action, end_sessions, reassign_owned_to: None }
}

#[tokio::test]
async fn a_dropped_role_leaves_nothing_behind() {
    let server = TestServer::start();
    let (app, web) = (server.database("app").await, server.database("web").await);
    let sqlserver = sqlserver(&server);
    let ddl = role(&server, "hoop_ddl", Access::Ddl, &[&app, &web]);
    ensure(&sqlserver, &ddl).await;
    let mut session = enter(&server, &ddl, &app).await;
    may(&mut session, "CREATE TABLE dbo.kept (id int);").await;
    let owned = [
        format!("CREATE SCHEMA mine AUTHORIZATION [{}];", ddl.name),
        format!("CREATE ROLE team AUTHORIZATION [{}];", ddl.name),
    ];
    for statement in &owned {
        server.by_hand(&app, &[statement]).await;
    }
    assert_eq!(sqlserver.remove(&ddl, &how(RemovalAction::Drop, true)).await.unwrap(), [""; 0]);
    assert!(query(&mut session, "SELECT 1;").await.is_err(), "its session was ended");
    assert_eq!(sqlserver.read(&ddl).await.unwrap().ownership, Ownership::Absent);
    let left = "SELECT name FROM sys.database_principals WHERE type = 'S' AND principal_id > 4;";
    assert!(server.by_hand(&app, &[left]).await.is_empty());
    may(&mut server.connect(crate::server_sqlserver::DBA, &app).await.unwrap(), "SELECT id FROM dbo.kept;").await;
    assert_eq!(sqlserver.remove(&ddl, &how(RemovalAction::Drop, true)).await.unwrap(), [""; 0], "again");
}

/// ALTER AUTHORIZATION takes every right on what it moves from everybody.
#[tokio::test]
async fn a_schema_that_a_role_made_keeps_the_rights_of_others() {
    let server = TestServer::start();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ddl = role(&server, "hoop_ddl", Access::Ddl, &[&app]);
    let mut ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ddl).await;
    ensure(&sqlserver, &ro).await;
    let mut maker = enter(&server, &ddl, &app).await;
    for statement in ["CREATE SCHEMA mine;", "CREATE TABLE mine.t (a int, b int);", "CREATE TABLE mine.hidden (a int);"]
    {
        may(&mut maker, statement).await;
    }
    drop(maker);
    ro.grants = [
        grant(&app, ObjectKind::Table, Some("mine"), Some(&["t"]), &["INSERT"]),
        grant(&app, ObjectKind::Schema, Some("mine"), None, &["EXECUTE"]),
    ]
    .into();
    assert_complete(&converge(&sqlserver, &ro).await, &[&app]);
    let by_hand = [
        "CREATE USER other WITHOUT LOGIN;",
        "GRANT DELETE ON SCHEMA::mine TO other WITH GRANT OPTION;",
        "GRANT DELETE ON SCHEMA::mine TO public AS other;",
        "DENY SELECT ON OBJECT::mine.hidden TO other;",
        &format!("CREATE ROLE team AUTHORIZATION [{}];", ddl.name),
        "GRANT ALTER ON ROLE::team TO other;",
    ];
    server.by_hand(&app, &by_hand).await;
    let query = "SELECT u.name, p.class_desc, p.permission_name, p.state, g.name FROM sys.database_permissions AS p \
                 JOIN sys.database_principals AS u ON u.principal_id = p.grantee_principal_id \
                 JOIN sys.database_principals AS g ON g.principal_id = p.grantor_principal_id \
                 WHERE p.major_id > 0 ORDER BY u.name, p.class, p.permission_name;";
    let rights = async || -> Vec<String> {
        let rows = server.by_hand(&app, &[query]).await;
        let column = |row: &tiberius::Row, at: usize| row.get::<&str, _>(at).unwrap_or_default().trim_end().to_owned();
        rows.iter().map(|row| (0..5).map(|at| column(row, at)).collect::<Vec<_>>().join(" ")).collect()
    };
    let before: Vec<String> =
        rights().await.into_iter().map(|right| right.replace(&ddl.name.to_string(), "dbo")).collect();
    assert_eq!(before.len(), 6, "{before:?}");
    assert_eq!(sqlserver.remove(&ddl, &how(RemovalAction::Drop, true)).await.unwrap(), [""; 0]);
    assert_eq!(rights().await, before);
    let fresh = super::sqlserver(&server);
    let seen = fresh.read(&ro).await.unwrap();
    assert_complete(&seen, &[&app]);
    may(&mut enter(&server, &ro, &app).await, "INSERT INTO mine.t VALUES (1, 2);").await;
}

/// Somebody who acts as the role for a moment is not the role.
#[tokio::test]
async fn a_session_that_acts_as_the_role_is_not_ended() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    let mut own = enter(&server, &ro, &app).await;
    may(&mut own, "EXECUTE AS LOGIN = 'hoop_ro';").await;
    let mut dba = server.as_dba("master").await;
    may(&mut dba, "EXECUTE AS LOGIN = 'hoop_ro';").await;
    assert_eq!(sqlserver.remove(&ro, &how(RemovalAction::Disable, true)).await.unwrap(), [""; 0]);
    may(&mut dba, "SELECT 1;").await;
    assert!(query(&mut own, "SELECT 1;").await.is_err(), "its own session was ended");
}

#[tokio::test]
async fn a_disabled_role_has_no_rights_and_comes_back() {
    let server = TestServer::start();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let mut spec = role(&server, "hoop_rw", Access::ReadWrite, &[&app]);
    spec.grants = [grant(&app, ObjectKind::Database, None, None, &["EXECUTE"])].into();
    ensure(&sqlserver, &spec).await;
    assert_eq!(sqlserver.remove(&spec, &how(RemovalAction::Disable, true)).await.unwrap(), [""; 0]);
    let refused = server.connect((spec.name.to_string().as_str(), PASSWORD), "master").await;
    assert_eq!(refused.err().and_then(|error| error.code()), Some(18470));
    let seen = sqlserver.read(&spec).await.unwrap();
    assert_eq!(seen.login[0].what, "login is disabled");
    let gaps = texts(&seen.coverage)[&app].clone();
    for gap in
        ["is not a member of db_datareader", "is not a member of db_datawriter", "missing EXECUTE", "missing CONNECT"]
    {
        assert!(gaps.contains(gap), "{gaps}");
    }
    assert_complete(&converge(&sqlserver, &spec).await, &[&app]);
    enter(&server, &spec, &app).await;
}

#[tokio::test]
async fn open_sessions_are_left_alone_when_so_asked() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    let mut session = enter(&server, &ro, "master").await;
    let warnings = sqlserver.remove(&ro, &how(RemovalAction::Disable, false)).await.unwrap();
    assert!(warnings[0].contains("1 open session(s) of hoop_ro are left open as asked"), "{warnings:?}");
    may(&mut session, "SELECT 1;").await;
}

#[tokio::test]
async fn a_login_that_stays_connected_is_not_dropped() {
    let server = TestServer::stand_in();
    let sqlserver = SqlServer::new(server.admin()).unwrap().with_patience(std::time::Duration::from_secs(1));
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[]);
    ensure(&sqlserver, &ro).await;
    let _session = enter(&server, &ro, "master").await;
    let error = sqlserver.remove(&ro, &how(RemovalAction::Drop, false)).await.unwrap_err();
    assert!(error.to_string().contains("`end_sessions` does not end"), "{error}");
}

#[tokio::test]
async fn a_login_that_owns_a_database_stays_with_the_reason() {
    let server = TestServer::stand_in();
    let (app, own) = (server.database("app").await, server.database("own").await);
    let sqlserver = sqlserver(&server);
    let ro = RoleSpec { scope: Scope::default(), ..role(&server, "hoop_ro", Access::ReadOnly, &[]) };
    ensure(&sqlserver, &ro).await;
    server.by_hand("own", &["DROP USER hoop_ro;", "ALTER AUTHORIZATION ON DATABASE::own TO hoop_ro;"]).await;
    server.by_hand("own", &["CREATE USER admin1 FOR LOGIN admin1;", "ALTER ROLE db_owner ADD MEMBER admin1;"]).await;
    let fresh = super::sqlserver(&server);
    let seen = fresh.read(&ro).await.unwrap();
    assert_complete(&seen, &[&app]);
    assert!(texts(&seen.uncovered)[&own].contains("owns the database"), "{:?}", seen.uncovered);
    let error = fresh.remove(&ro, &how(RemovalAction::Drop, true)).await.unwrap_err();
    assert!(error.to_string().contains("ALTER AUTHORIZATION ON DATABASE"), "{error}");
}

/// The server says the same of a login that is gone and of a right that is missing.
#[tokio::test]
async fn a_login_that_somebody_else_drops_meanwhile_is_gone() {
    let server = TestServer::stand_in();
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[]);
    ensure(&sqlserver, &ro).await;
    server.command(&json!({"fail": {"contains": "DROP LOGIN", "number": 15151, "times": 1}}));
    assert_eq!(sqlserver.remove(&ro, &how(RemovalAction::Drop, true)).await.unwrap(), [""; 0]);
    assert_eq!(sqlserver.read(&ro).await.unwrap().ownership, Ownership::Absent);
}

#[tokio::test]
async fn an_interrupted_removal_is_continued() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    for (text, run) in [("DROP USER", true), ("DROP LOGIN", false), ("DROP LOGIN", true), (" DISABLE", true)] {
        ensure(&sqlserver, &RoleSpec { ..ro.clone() }).await;
        server.command(&json!({"hang_up": {"contains": text, "run": run}}));
        assert_eq!(sqlserver.remove(&ro, &how(RemovalAction::Drop, true)).await.unwrap(), [""; 0], "{text}");
        assert_eq!(sqlserver.read(&ro).await.unwrap().ownership, Ownership::Absent);
    }
}
