//! What goes wrong: TLS, logins, locks, lost connections, missing rights. All on the stand-in.

use std::time::{Duration, Instant};

use rdsaccess::access::{Endpoint, TlsMode, Trust};
use rdsaccess::engine::{Connections, Fault, Login};
use rdsaccess::report::Explain;
use serde_json::json;

use super::*;

fn fault(login: Login) -> impl Future<Output = Fault> {
    let sqlserver = SqlServer::new(login).unwrap();
    async move { sqlserver.ping().await.unwrap_err().fault }
}

#[tokio::test]
async fn the_certificate_is_verified_as_far_as_asked() {
    let server = TestServer::stand_in();
    let with = |host: &str, mode: TlsMode| {
        let mut login = server.admin();
        login.endpoint.host = host.to_owned();
        login.trust.mode = mode;
        login
    };
    let mut stranger = server.admin();
    stranger.trust.roots = TestServer::stand_in().admin().trust.roots;
    assert!(matches!(fault(stranger.clone()).await, Fault::Tls(_)));
    stranger.trust.mode = TlsMode::VerifyCa;
    stranger.endpoint.host = "127.0.0.1".to_owned();
    assert!(matches!(fault(stranger).await, Fault::Tls(_)), "verify-ca checks the chain");
    let mut no_roots = server.admin();
    no_roots.trust.roots = Default::default();
    assert!(matches!(SqlServer::new(no_roots).map(|_| ()).unwrap_err().fault, Fault::Tls(_)));

    SqlServer::new(with("localhost", TlsMode::VerifyFull)).unwrap().ping().await.unwrap();
    assert!(
        matches!(fault(with("127.0.0.1", TlsMode::VerifyFull)).await, Fault::Tls(text) if text.contains("localhost"))
    );
    let verify_ca = SqlServer::new(with("127.0.0.1", TlsMode::VerifyCa)).unwrap();
    verify_ca.ping().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_and_a_closed_port_are_told_apart() {
    let server = TestServer::stand_in();
    let wrong = Login { key: Secret::from("wrong-Secret9").into(), ..server.admin() };
    let error = SqlServer::new(wrong).unwrap().ping().await.unwrap_err();
    assert!(matches!(error.fault, Fault::LoginRefused(_)), "{error}");
    assert!(error.detail().contains("user `admin1`") && !error.detail().contains("wrong-Secret9"));
    let closed = server.admin();
    drop(server);
    assert!(matches!(fault(closed).await, Fault::Unreachable(_)));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let login = Login {
        endpoint: Endpoint { host: "127.0.0.1".to_owned(), port: silent.local_addr().unwrap().port() },
        username: "admin1".parse().unwrap(),
        key: Secret::from("x").into(),
        trust: Trust { mode: TlsMode::Disable, roots: Default::default() },
        target: "arn:aws:rds:eu-west-1:123456789012:db:payments".to_owned(),
        connections: Connections::at_most(1),
    };
    assert!(matches!(fault(login).await, Fault::Unreachable(text) if text.contains("no answer")));
}

#[tokio::test]
async fn what_is_no_sql_server_is_not_given_a_password() {
    use tokio::io::AsyncWriteExt;
    let web = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut login = TestServer::stand_in().admin();
    login.endpoint.port = web.local_addr().unwrap().port();
    let answer = async {
        let (mut client, _) = web.accept().await.unwrap();
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    };
    let (fault, ()) = tokio::join!(fault(login), answer);
    assert!(matches!(fault, Fault::Unreachable(_)), "{fault}");
}

#[tokio::test]
async fn never_more_connections_than_asked_for() {
    let server = TestServer::stand_in();
    let mut names = Vec::new();
    for number in 0..6 {
        names.push(server.database(&format!("db{number}")).await);
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let sqlserver = std::sync::Arc::new(sqlserver(&server));
    let mut work = Vec::new();
    for number in 0..4 {
        let spec = role(&server, &format!("hoop_{number}"), Access::ReadOnly, &all);
        let sqlserver = std::sync::Arc::clone(&sqlserver);
        work.push(tokio::spawn(async move { ensure(&sqlserver, &spec).await }));
    }
    for done in work {
        assert_complete(&done.await.unwrap(), &all);
    }
    let peak = server.command(&json!({"state": true}))["peak"]["admin1"].as_u64().unwrap();
    assert!(peak <= 3, "{peak} connections at once");
}

#[tokio::test]
async fn many_reads_take_one_pass_over_the_databases() {
    let server = TestServer::stand_in();
    let (app, web) = (server.database("app").await, server.database("web").await);
    let sqlserver = sqlserver(&server);
    let specs: Vec<RoleSpec> =
        (0..5).map(|n| role(&server, &format!("hoop_{n}"), Access::ReadOnly, &[&app, &web])).collect();
    let position = server.batches().len();
    for spec in &specs {
        sqlserver.read(spec).await.unwrap();
    }
    let reads = server.batches().split_off(position);
    let in_app = reads.iter().filter(|(database, sql)| *database == app && sql.starts_with("SELECT")).count();
    assert_eq!(in_app, 1);
    ensure(&sqlserver, &specs[0]).await;
    assert_complete(&sqlserver.read(&specs[0]).await.unwrap(), &[&app, &web]);
}

#[tokio::test]
async fn a_rested_session_does_not_keep_its_database_from_being_dropped() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    sqlserver.read(&role(&server, "hoop_ro", Access::ReadOnly, &[&app])).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut dba = server.connect(crate::server_sqlserver::DBA, "master").await.unwrap();
    while let Err(error) = query(&mut dba, "DROP DATABASE app;").await {
        assert!(Instant::now() < deadline && error.code() == Some(3702), "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn the_holder_of_the_writers_lock_is_named() {
    let server = TestServer::stand_in();
    let mut other = server.connect(crate::server_sqlserver::DBA, "master").await.unwrap();
    let take = "DECLARE @taken int; EXEC @taken = sys.sp_getapplock @Resource = N'rdsaccess.roles', \
                @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0; SELECT @taken;";
    query(&mut other, take).await.unwrap();
    let impatient = SqlServer::new(server.admin()).unwrap().with_patience(Duration::from_millis(300));
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[]);
    let error = impatient.ensure(&ro, None).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Blocked { text, .. } if text.contains("of dba (rdsaccess tests")), "{error}");
    drop(other);
    ensure(&sqlserver(&server), &ro).await;
}

#[tokio::test]
async fn two_writers_take_turns() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let (one, two) = (sqlserver(&server), sqlserver(&server));
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    let rw = role(&server, "hoop_rw", Access::ReadWrite, &[&app]);
    let (first, second) = tokio::join!(ensure(&one, &ro), ensure(&two, &rw));
    assert_complete(&first, &[&app]);
    assert_complete(&second, &[&app]);
}

#[tokio::test]
async fn a_connection_that_breaks_midway_is_survived() {
    let places = [
        ("CREATE LOGIN", true),
        ("CREATE LOGIN", false),
        ("CREATE USER", true),
        ("CREATE USER", false),
        ("ENABLE", true),
        ("sys.server_principals", false),
        ("sp_getapplock", true),
    ];
    for (text, run) in places {
        let server = TestServer::stand_in();
        let app = server.database("app").await;
        let sqlserver = sqlserver(&server);
        let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
        server.command(&json!({"hang_up": {"contains": text, "run": run}}));
        assert_complete(&ensure(&sqlserver, &ro).await, &[&app]);
        assert!(sqlserver.proves(&ro, &password()).await.unwrap(), "{text} {run}");
    }
}

/// The policy of the server refuses the same password twice, so it must not be sent again when it arrived.
#[tokio::test]
async fn a_password_that_arrived_is_not_set_again() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    let next = Secret::from("N3xt-pass.word~geheim");
    server.command(&json!({"hang_up": {"contains": "WITH PASSWORD", "run": true}}));
    assert_complete(&sqlserver.ensure(&ro, Some(&next)).await.unwrap(), &[&app]);
    assert!(sqlserver.proves(&ro, &next).await.unwrap());
    let sent = server.batches().into_iter().filter(|(_, sql)| sql.contains("N3xt-pass")).count();
    assert_eq!(sent, 1);
}

#[tokio::test]
async fn conflicts_are_tried_again_and_other_errors_are_not() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    server.command(&json!({"fail": {"contains": "CREATE USER", "number": 1205, "times": 3}}));
    server.command(&json!({"fail": {"contains": "ENABLE", "number": 1222, "times": 1}}));
    assert_complete(&ensure(&sqlserver, &ro).await, &[&app]);
    let rw = role(&server, "hoop_rw", Access::ReadWrite, &[&app]);
    server.command(&json!({"fail": {"contains": "CREATE USER [hoop_rw]", "number": 15247, "times": 1}}));
    let error = sqlserver.ensure(&rw, Some(&password())).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Denied { step, .. } if step.contains("hoop_rw in app")), "{error}");
    let login = server.connect(("hoop_rw", PASSWORD), "master").await;
    assert_eq!(login.err().and_then(|error| error.code()), Some(18470), "a half-made login stays disabled");
    assert_complete(&converge(&sqlserver, &rw).await, &[&app]);
}

#[tokio::test]
async fn a_change_that_fails_in_a_database_is_undone_there() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let mut spec = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    spec.grants = [grant(&app, ObjectKind::Table, Some("dbo"), Some(&["missing"]), &["INSERT"])].into();
    let sqlserver = sqlserver(&server);
    let error = sqlserver.ensure(&spec, Some(&password())).await.unwrap_err();
    assert!(error.to_string().contains("there is no such object"), "{error}");
    let users = "SELECT name FROM sys.database_principals WHERE name = 'hoop_ro';";
    assert!(server.by_hand(&app, &[users]).await.is_empty());
}

#[tokio::test]
async fn an_administrator_without_a_right_gets_told_which_step_needs_it() {
    let server = TestServer::stand_in();
    server.by_hand("master", &["CREATE LOGIN weak WITH PASSWORD = N'Weak-pass1';"]).await;
    let weak = Login { username: "weak".parse().unwrap(), key: Secret::from("Weak-pass1").into(), ..server.admin() };
    let sqlserver = SqlServer::new(weak).unwrap();
    let error = sqlserver.ensure(&role(&server, "hoop_ro", Access::ReadOnly, &[]), None).await.unwrap_err();
    assert!(
        matches!(&error.fault, Fault::Denied { step, text } if step.contains("creating the login")
        && text.contains("ALTER ANY LOGIN")),
        "{error}"
    );
}

#[tokio::test]
async fn what_sql_server_does_not_have_is_refused() {
    let server = TestServer::stand_in();
    let sqlserver = sqlserver(&server);
    let plain = role(&server, "hoop_ro", Access::ReadOnly, &[]);
    for (change, word) in [
        ((|spec: &mut RoleSpec| spec.terms.auth = rdsaccess::access::Auth::Iam) as fn(&mut RoleSpec), "IAM"),
        (|spec| spec.terms.connection_limit = Some(3), "connection limit"),
        (|spec| spec.terms.keeps_old_password = true, "second password"),
        (|spec| spec.terms.valid_until = Some("2030-01-31T12:00:00Z".parse().unwrap()), "end of a login"),
        (|spec| spec.name = "sa".parse().unwrap(), "reserved"),
        (|spec| spec.grants = [grant("app", ObjectKind::Database, None, None, &["CONTROL"])].into(), "CONTROL"),
    ] {
        let mut spec = plain.clone();
        change(&mut spec);
        let error = sqlserver.ensure(&spec, None).await.unwrap_err();
        assert!(matches!(&error.fault, Fault::Unsupported(text) if text.contains(word)), "{error}");
    }
    assert_eq!(server.batches(), [], "refused before anything is sent");
}
