//! What was changed by hand is seen, named and repaired.

use rdsaccess::engine::Ownership;

use super::*;

#[tokio::test]
async fn a_second_ensure_changes_nothing() {
    let server = TestServer::stand_in();
    let databases = [server.database("app").await, server.database("web").await];
    let names: Vec<&str> = databases.iter().map(String::as_str).collect();
    let sqlserver = sqlserver(&server);
    let ddl = role(&server, "hoop_ddl", Access::Ddl, &names);
    ensure(&sqlserver, &ddl).await;
    let position = server.batches().len();
    assert_complete(&converge(&sqlserver, &ddl).await, &names);
    assert_eq!(server.changes_since(position), []);
}

#[tokio::test]
async fn drift_is_named_and_repaired() {
    let server = TestServer::start();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    let user = format!("[{}]", ro.name);
    server
        .by_hand(
            &app,
            &[
                "CREATE TABLE dbo.t (a int, b int);",
                &format!("ALTER ROLE db_datareader DROP MEMBER {user};"),
                &format!("ALTER ROLE db_owner ADD MEMBER {user};"),
                "CREATE ROLE team;",
                &format!("ALTER ROLE team ADD MEMBER {user};"),
                &format!("GRANT EXECUTE TO {user};"),
                &format!("GRANT UPDATE ON OBJECT::dbo.t (b) TO {user};"),
                &format!("DENY SELECT ON OBJECT::dbo.t TO {user};"),
                &format!("GRANT VIEW DEFINITION ON SCHEMA::dbo TO {user} WITH GRANT OPTION;"),
                &format!("GRANT SELECT ON SCHEMA::dbo TO {user};"),
            ],
        )
        .await;
    // Another process: nothing of the first read is kept.
    let fresh = super::sqlserver(&server);
    let seen = fresh.read(&ro).await.unwrap();
    assert_eq!(
        texts(&seen.coverage)[&app],
        "holds EXECUTE beyond the level; holds UPDATE beyond the level on column dbo.t.b; \
         is a member of db_owner beyond the level; is a member of team beyond the level; \
         is denied SELECT on object dbo.t; is not a member of db_datareader; \
         may pass on VIEW DEFINITION on schema dbo"
    );
    assert_complete(&converge(&fresh, &ro).await, &[&app]);
    let mut reader = enter(&server, &ro, &app).await;
    may(&mut reader, "SELECT a FROM dbo.t;").await;
    may_not(&mut reader, "UPDATE dbo.t SET b = 1;").await;
}

#[tokio::test]
async fn drift_of_the_login_is_repaired() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    let by_hand = [
        "ALTER LOGIN hoop_ro DISABLE;",
        "ALTER LOGIN hoop_ro WITH CHECK_EXPIRATION = ON;",
        "ALTER LOGIN hoop_ro WITH DEFAULT_DATABASE = [app];",
        "ALTER SERVER ROLE securityadmin ADD MEMBER hoop_ro;",
        "GRANT VIEW SERVER STATE TO hoop_ro AS admin1;",
        "GRANT ALTER ON LOGIN::admin1 TO hoop_ro AS admin1;",
        "DENY CONNECT SQL TO hoop_ro AS admin1;",
    ];
    server.by_hand("master", &by_hand).await;
    let fresh = super::sqlserver(&server);
    let seen = fresh.read(&ro).await.unwrap();
    let gaps: Vec<&str> = seen.login.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(
        gaps,
        [
            "login is disabled",
            "default database is app",
            "password expiration is on",
            "is a member of the server role securityadmin",
            "missing CONNECT SQL",
            "holds VIEW SERVER STATE on the server",
            "holds ALTER on login admin1",
        ]
    );
    assert_complete(&converge(&fresh, &ro).await, &[&app]);
    enter(&server, &ro, &app).await;

    server.by_hand("master", &["ALTER LOGIN hoop_ro WITH CHECK_POLICY = OFF;"]).await;
    let fresh = super::sqlserver(&server);
    assert_eq!(fresh.read(&ro).await.unwrap().login[0].what, "password policy is off");
    assert_complete(&converge(&fresh, &ro).await, &[&app]);
}

#[tokio::test]
async fn a_denied_connect_is_a_gap() {
    let server = TestServer::start();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    server.by_hand(&app, &[&format!("DENY CONNECT TO [{}];", ro.name)]).await;
    let fresh = super::sqlserver(&server);
    assert_eq!(texts(&fresh.read(&ro).await.unwrap().coverage)[&app], "missing CONNECT");
    assert_complete(&converge(&fresh, &ro).await, &[&app]);
    enter(&server, &ro, &app).await;
}

/// Only who gave a right of the server takes it back.
#[tokio::test]
async fn a_right_of_the_server_that_somebody_else_gave_is_named_and_left() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    let by_hand = ["GRANT VIEW SERVER STATE TO hoop_ro;", "GRANT IMPERSONATE ON LOGIN::dba TO hoop_ro;"];
    server.by_hand("master", &by_hand).await;
    let seen = super::sqlserver(&server).read(&ro).await.unwrap();
    assert_complete(&seen, &[&app]);
    assert_eq!(
        texts(&seen.uncovered)["master"],
        "the login holds IMPERSONATE on login dba, given by sa, who alone can take it back: \
         REVOKE IMPERSONATE ON LOGIN::[dba] FROM [hoop_ro] CASCADE; \
         the login holds VIEW SERVER STATE on the server, given by sa, who alone can take it back: \
         REVOKE VIEW SERVER STATE FROM [hoop_ro] CASCADE"
    );
    let position = server.batches().len();
    assert_complete(&converge(&sqlserver, &ro).await, &[&app]);
    assert_eq!(server.changes_since(position), []);
}

#[tokio::test]
async fn what_others_gave_or_denied_is_taken_in_their_name() {
    let server = TestServer::start();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let mut ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ro.grants = [grant(&app, ObjectKind::Database, None, None, &["EXECUTE"])].into();
    ensure(&sqlserver, &ro).await;
    let user = format!("[{}]", ro.name);
    let by_hand = [
        "CREATE TABLE dbo.t (a int);",
        "CREATE USER giver WITHOUT LOGIN;",
        "GRANT INSERT ON SCHEMA::dbo TO giver WITH GRANT OPTION;",
        "GRANT EXECUTE TO giver WITH GRANT OPTION;",
        &format!("GRANT INSERT ON SCHEMA::dbo TO {user};"),
        &format!("GRANT INSERT ON SCHEMA::dbo TO {user} AS giver;"),
        &format!("DENY EXECUTE TO {user} AS giver;"),
    ];
    server.by_hand(&app, &by_hand).await;
    let fresh = super::sqlserver(&server);
    let seen = fresh.read(&ro).await.unwrap();
    assert_eq!(texts(&seen.coverage)[&app], "holds INSERT beyond the level on schema dbo; is denied EXECUTE");
    assert_complete(&converge(&fresh, &ro).await, &[&app]);
    let mut reader = enter(&server, &ro, &app).await;
    may_not(&mut reader, "INSERT INTO dbo.t VALUES (1);").await;
}

#[tokio::test]
async fn a_wanted_right_that_is_denied_is_there_after_one_apply() {
    let server = TestServer::start();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let mut ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ro.grants = [grant(&app, ObjectKind::Schema, Some("dbo"), None, &["EXECUTE"])].into();
    ensure(&sqlserver, &ro).await;
    let user = format!("[{}]", ro.name);
    server.by_hand(&app, &["CREATE PROCEDURE dbo.p AS SELECT 1;"]).await;
    server.by_hand(&app, &[&format!("DENY EXECUTE ON SCHEMA::dbo TO {user};")]).await;
    let fresh = super::sqlserver(&server);
    assert_eq!(texts(&fresh.read(&ro).await.unwrap().coverage)[&app], "missing EXECUTE on schema dbo");
    assert_complete(&converge(&fresh, &ro).await, &[&app]);
    may(&mut enter(&server, &ro, &app).await, "EXEC dbo.p;").await;
}

#[tokio::test]
async fn a_right_to_alter_roles_or_the_database_is_beyond_every_level() {
    let server = TestServer::start();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ddl = role(&server, "hoop_ddl", Access::Ddl, &[&app]);
    ensure(&sqlserver, &ddl).await;
    let user = format!("[{}]", ddl.name);
    let by_hand = [
        "CREATE ROLE app_admins;",
        &format!("GRANT ALTER ON ROLE::app_admins TO {user};"),
        &format!("GRANT ALTER TO {user};"),
    ];
    server.by_hand(&app, &by_hand).await;
    let fresh = super::sqlserver(&server);
    assert_eq!(
        texts(&fresh.read(&ddl).await.unwrap().coverage)[&app],
        "holds ALTER beyond the level; holds ALTER beyond the level on role app_admins"
    );
    assert_complete(&converge(&fresh, &ddl).await, &[&app]);
    let mut session = enter(&server, &ddl, &app).await;
    may_not(&mut session, &format!("ALTER ROLE app_admins ADD MEMBER {user};")).await;
    may(&mut session, "CREATE TABLE dbo.t (a int);").await;
}

/// Without sight of all logins, the user of another login looks like that of none.
#[tokio::test]
async fn a_user_of_a_login_that_is_not_visible_is_not_taken_over() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    server.by_hand("master", &["CREATE LOGIN other WITH PASSWORD = N'Other-pass1';"]).await;
    server.by_hand(&app, &["CREATE USER hoop_ro FOR LOGIN other;"]).await;
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    server.by_hand("master", &["REVOKE VIEW ANY DEFINITION FROM admin1;", "REVOKE ALTER ANY LOGIN FROM admin1;"]).await;
    let seen = sqlserver(&server).read(&ro).await.unwrap();
    assert_eq!(texts(&seen.coverage), BTreeMap::new());
    assert!(texts(&seen.uncovered)[&app].contains("cannot be told"), "{:?}", seen.uncovered);
}

/// `HAS_PERMS_BY_NAME` reads a name as a statement does.
#[tokio::test]
async fn a_database_is_managed_whatever_its_name() {
    let server = TestServer::start();
    let mut names = Vec::new();
    for name in ["we.b", "a]b [c", "1-st"] {
        names.push(server.database(name).await);
    }
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &names);
    assert_complete(&ensure(&sqlserver, &ro).await, &names);
}

#[tokio::test]
async fn an_orphaned_user_is_joined_to_its_login_again() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    server.command(&serde_json::json!({"restore": {"database": "app", "users": ["hoop_ro"]}}));
    let fresh = super::sqlserver(&server);
    assert_eq!(texts(&fresh.read(&ro).await.unwrap().coverage)[&app], "user belongs to a login that is gone");
    assert_complete(&converge(&fresh, &ro).await, &[&app]);
    enter(&server, &ro, &app).await;
}

#[tokio::test]
async fn a_user_of_another_name_gets_the_name_of_its_login() {
    let server = TestServer::start();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    server.by_hand(&app, &[&format!("ALTER USER [{}] WITH NAME = somebody;", ro.name)]).await;
    let fresh = super::sqlserver(&server);
    assert_eq!(texts(&fresh.read(&ro).await.unwrap().coverage)[&app], "user is named somebody");
    assert_complete(&converge(&fresh, &ro).await, &[&app]);
}

#[tokio::test]
async fn a_name_that_somebody_else_has_in_a_database_is_left_alone() {
    let server = TestServer::stand_in();
    let (app, web) = (server.database("app").await, server.database("web").await);
    let make = ["CREATE LOGIN other WITH PASSWORD = N'Other-pass1';"];
    server.by_hand("master", &make).await;
    server.by_hand(&app, &["CREATE USER hoop_ro FOR LOGIN other;"]).await;
    server.by_hand(&web, &["CREATE ROLE hoop_ro;"]).await;
    let ro = RoleSpec { scope: Scope::default(), ..role(&server, "hoop_ro", Access::ReadOnly, &[]) };
    let seen = ensure(&sqlserver(&server), &ro).await;
    assert_eq!(texts(&seen.coverage), BTreeMap::new());
    assert_eq!(
        texts(&seen.uncovered),
        BTreeMap::from([
            (app, "the user hoop_ro there belongs to the login other".to_owned()),
            (web, "a role is named hoop_ro there".to_owned()),
        ])
    );
}

#[tokio::test]
async fn databases_out_of_reach_are_named_and_never_planned() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    for name in ["off", "frozen"] {
        server.database(name).await;
    }
    let by_hand =
        ["ALTER DATABASE [off] SET OFFLINE;", "ALTER DATABASE frozen SET READ_ONLY;", "CREATE DATABASE theirs;"];
    server.by_hand("master", &by_hand).await;
    server.by_hand("master", &["CREATE DATABASE guests;"]).await;
    server.by_hand("guests", &["CREATE USER admin1 FOR LOGIN admin1;"]).await;
    let ro = RoleSpec { scope: Scope::default(), ..role(&server, "hoop_ro", Access::ReadOnly, &[]) };
    let seen = ensure(&sqlserver(&server), &ro).await;
    assert_complete(&seen, &[&app]);
    let uncovered = texts(&seen.uncovered);
    assert_eq!(uncovered.keys().collect::<Vec<_>>(), ["frozen", "guests", "off", "theirs"]);
    assert_eq!((uncovered["off"].as_str(), uncovered["frozen"].as_str()), ("is offline", "is read-only"));
    assert!(uncovered["theirs"].contains("916") && uncovered["guests"].contains("db_owner"), "{uncovered:?}");
    assert_eq!(seen.default_database.unwrap().to_string(), app);
    assert!(seen.covered.contains("off") && seen.covered.contains(&app), "it may come back: {:?}", seen.covered);
}

#[tokio::test]
async fn rights_of_public_are_named_with_the_statement_that_takes_them() {
    let server = TestServer::start();
    let app = server.database("app").await;
    server.by_hand(&app, &["CREATE TABLE dbo.t (a int);", "GRANT INSERT ON OBJECT::dbo.t TO public;"]).await;
    server.by_hand(&app, &["DENY SELECT ON OBJECT::dbo.t TO public;"]).await;
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    let seen = ensure(&sqlserver(&server), &ro).await;
    assert_complete(&seen, &[&app]);
    assert_eq!(
        texts(&seen.uncovered)[&app],
        "public holds INSERT on object dbo.t; to take it back: REVOKE INSERT ON OBJECT::[dbo].[t] FROM public CASCADE; \
         public is denied SELECT on object dbo.t; to take it back: REVOKE SELECT ON OBJECT::[dbo].[t] FROM public CASCADE"
    );
}

#[tokio::test]
async fn a_narrowed_choice_takes_the_user_away() {
    let server = TestServer::start();
    let (app, old) = (server.database("app").await, server.database("old").await);
    let sqlserver = sqlserver(&server);
    let wide = role(&server, "hoop_ro", Access::ReadOnly, &[&app, &old]);
    ensure(&sqlserver, &wide).await;
    let narrow =
        RoleSpec { scope: Scope { databases: Some([app.parse().unwrap()].into()), ..Scope::default() }, ..wide };
    let seen = sqlserver.read(&narrow).await.unwrap();
    assert!(texts(&seen.coverage)[&old].contains("is not covered"), "{:?}", seen.coverage);
    assert_complete(&converge(&sqlserver, &narrow).await, &[&app]);
    let refused = server.connect((narrow.name.to_string().as_str(), PASSWORD), &old).await;
    assert_eq!(refused.err().and_then(|error| error.code()), Some(4060));
}

#[tokio::test]
async fn a_user_that_somebody_made_outside_the_chosen_databases_stays() {
    let server = TestServer::start();
    let (app, old) = (server.database("app").await, server.database("old").await);
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    let user = format!("[{}]", ro.name);
    let by_hand =
        [format!("CREATE USER {user} FOR LOGIN {user};"), format!("ALTER ROLE db_backupoperator ADD MEMBER {user};")];
    server.by_hand(&old, &by_hand.each_ref().map(String::as_str)).await;
    let fresh = super::sqlserver(&server);
    assert_complete(&converge(&fresh, &ro).await, &[&app]);
    let left = texts(&fresh.read(&ro).await.unwrap().uncovered)[&old].clone();
    assert!(left.contains("somebody else made it") && left.contains("DROP USER"), "{left}");
    enter(&server, &ro, &old).await;
}

#[tokio::test]
async fn names_are_taken_as_the_server_takes_them() {
    let server = TestServer::stand_in();
    server.database("Sales").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "Hoop_RO", Access::ReadOnly, &["sales"]);
    assert_complete(&ensure(&sqlserver, &ro).await, &["sales"]);
    let lower = role(&server, "hoop_ro", Access::ReadOnly, &["sales"]);
    assert_complete(&sqlserver.read(&lower).await.unwrap(), &["sales"]);
}

#[tokio::test]
async fn a_login_of_somebody_else_is_not_touched() {
    let server = TestServer::stand_in();
    server.by_hand("master", &["CREATE LOGIN theirs WITH PASSWORD = N'Their-pass1';"]).await;
    let sqlserver = sqlserver(&server);
    for (name, adopt) in [("theirs", false), ("ADMIN1", true), ("processadmin", true)] {
        let spec = RoleSpec { adopt, ..role(&server, name, Access::ReadOnly, &[]) };
        let position = server.batches().len();
        let error = sqlserver.ensure(&spec, Some(&password())).await.unwrap_err();
        assert!(matches!(error.fault, rdsaccess::engine::Fault::Foreign(_)), "{error}");
        assert!(matches!(sqlserver.read(&spec).await.unwrap().ownership, Ownership::Foreign(_)));
        assert_eq!(server.changes_since(position), []);
    }
}

/// A login that is imported may be anybody's. One that is at a level is ours, and loses what it got by hand.
#[tokio::test]
async fn an_administrators_login_is_not_imported() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    for (name, power, first) in [
        ("second", "ALTER SERVER ROLE processadmin ADD MEMBER second;", "ALTER SERVER ROLE [processadmin] DROP MEMBER"),
        ("third", "GRANT ALTER ANY LOGIN TO third AS admin1;", "REVOKE ALTER ANY LOGIN FROM [third]"),
    ] {
        let make = format!("CREATE LOGIN {name} WITH PASSWORD = N'Their-pass1';");
        server.by_hand("master", &[&make, power]).await;
        server.by_hand(&app, &[&format!("CREATE USER {name} FOR LOGIN {name};")]).await;
        let spec = role(&server, name, Access::ReadOnly, &[&app]);
        let position = server.batches().len();
        let error = sqlserver.ensure(&spec, Some(&password())).await.unwrap_err();
        assert!(matches!(error.fault, rdsaccess::engine::Fault::Foreign(_)), "{error}");
        assert!(error.to_string().contains(first), "{error}");
        assert_eq!(server.changes_since(position), []);
        server.connect((name, "Their-pass1"), &app).await.unwrap();
        let undo =
            power.replace("ADD MEMBER", "DROP MEMBER").replace("GRANT", "REVOKE").replace("TO third", "FROM third");
        server.by_hand("master", &[&undo]).await;
        assert_complete(&super::sqlserver(&server).ensure(&spec, None).await.unwrap(), &[&app]);
    }
}

#[tokio::test]
async fn databases_that_cannot_be_covered_are_refused_before_anything_is_made() {
    let server = TestServer::stand_in();
    let sqlserver = sqlserver(&server);
    for name in ["nowhere", "msdb", "rdsadmin"] {
        let ro = role(&server, "hoop_ro", Access::ReadOnly, &[name]);
        let error = sqlserver.ensure(&ro, None).await.unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(texts(&sqlserver.read(&ro).await.unwrap().uncovered).contains_key(name));
    }
    assert_eq!(server.changes_since(0), []);
}
