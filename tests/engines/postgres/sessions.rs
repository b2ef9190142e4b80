use std::sync::Arc;
use std::time::{Duration, Instant};

use rdsaccess::access::{Access, EngineKind, TlsMode};
use rdsaccess::engine::postgres::Postgres;
use rdsaccess::engine::{Fault, open};
use rdsaccess::report::Report;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_proved_by_a_login_and_never_written_down() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*engine, &spec).await;
    assert!(engine.accepts(&spec, &Secret::from(PASSWORD)).await.unwrap());
    assert!(!engine.accepts(&spec, &Secret::from("wrong")).await.unwrap());
    assert!(engine.proves(&spec, &Secret::from(PASSWORD)).await.unwrap());
    assert!(!engine.proves(&spec, &Secret::from("wrong")).await.unwrap());

    let rotated = Secret::from("Sentinel~w0rd~rotated ①ﬁ'\"\\");
    engine.ensure(&spec, Some(&rotated)).await.unwrap();
    assert!(engine.accepts(&spec, &rotated).await.unwrap());
    assert!(!engine.accepts(&spec, &Secret::from(PASSWORD)).await.unwrap());
    // A statement that fails is logged whole, whatever the settings; so this one must fail too.
    let superuser = server.superuser("app").await;
    superuser
        .batch_execute("ALTER DATABASE app OWNER TO rdsadmin; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        .await
        .unwrap();
    superuser.batch_execute("ALTER ROLE admin1 NOCREATEROLE").await.unwrap();
    assert!(engine.ensure(&spec, Some(&rotated)).await.is_err());
    assert!(!server.log().contains("Sentinel~w0rd"), "the password is in the server's log");
    assert!(!engine.accepts(&spec_in("nobody", Access::ReadOnly, &["app"]), &rotated).await.unwrap());
    superuser.batch_execute("ALTER ROLE hoop_ro NOLOGIN").await.unwrap();
    assert!(!engine.accepts(&spec, &rotated).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_password_is_refused() {
    let server = PostgresServer::start().await;
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    let error = server.engine().ensure(&spec, Some(&Secret::from(""))).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Unsupported(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked_as_far_as_the_mode_says() {
    let (server, stranger) = (PostgresServer::start().await, PostgresServer::start().await);
    let ping = |change: &dyn Fn(&mut rdsaccess::engine::Login)| {
        let mut login = server.login();
        change(&mut login);
        let engine = open(EngineKind::Postgres, login);
        async move { engine?.ping().await }
    };
    assert!(ping(&|_| {}).await.is_ok());
    let wrong_roots = ping(&|login| login.trust = stranger.login().trust).await.unwrap_err();
    assert!(matches!(wrong_roots.fault, Fault::Tls(_)), "{wrong_roots}");
    let no_roots = ping(&|login| login.trust.roots = Arc::new(Vec::new())).await.unwrap_err();
    assert!(matches!(no_roots.fault, Fault::Tls(_)), "{no_roots}");
    // The same server under a name that its certificate does not have.
    let by_address = |mode| {
        move |login: &mut rdsaccess::engine::Login| {
            (login.endpoint.host, login.trust.mode) = ("127.0.0.1".to_owned(), mode);
        }
    };
    let wrong_name = ping(&by_address(TlsMode::VerifyFull)).await.unwrap_err();
    assert!(matches!(wrong_name.fault, Fault::Tls(_)), "{wrong_name}");
    assert!(ping(&by_address(TlsMode::VerifyCa)).await.is_ok());
    let plain = ping(&|login| login.trust.mode = TlsMode::Disable).await.unwrap_err();
    assert!(matches!(&plain.fault, Fault::LoginBarred(text) if text.contains("pg_hba.conf")), "{plain}");
    let other_ca = |login: &mut rdsaccess::engine::Login| {
        login.trust.mode = TlsMode::VerifyCa;
        login.trust.roots = stranger.login().trust.roots;
    };
    assert!(matches!(ping(&other_ca).await.unwrap_err().fault, Fault::Tls(_)));
    assert!(ping(&|login| login.trust.mode = TlsMode::VerifyCa).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_administrator_password_says_what_to_do_and_holds_no_secret() {
    let server = PostgresServer::start().await;
    let mut login = server.login();
    login.key = Secret::from("Wrong~Secret").into();
    let error = open(EngineKind::Postgres, login).unwrap().ping().await.unwrap_err();
    assert!(matches!(error.fault, Fault::LoginRefused(_)), "{error}");
    let text = Report::of(&error).to_string();
    assert!(text.contains("admin1") && text.contains("arn:aws:rds") && !text.contains("Wrong~Secret"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_the_server_does_not_let_in_says_nothing_of_its_password() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*engine, &spec).await;
    server.refuse("hoop_ro").await;
    for password in [PASSWORD, "wrong"] {
        let error = engine.accepts(&spec, &Secret::from(password)).await.unwrap_err();
        assert!(matches!(&error.fault, Fault::LoginBarred(text) if text.contains("pg_hba.conf")), "{error}");
    }
    server.refuse("admin1").await;
    let error = server.engine().ping().await.unwrap_err();
    assert!(matches!(error.fault, Fault::LoginBarred(_)), "{error}");
    assert!(Report::of(&error).to_string().contains("the stored password stays as it is"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_is_unreachable() {
    let server = PostgresServer::start().await;
    let login = server.login();
    drop(server);
    let error = open(EngineKind::Postgres, login).unwrap().ping().await.unwrap_err();
    assert!(matches!(error.fault, Fault::Unreachable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_given_up_in_time() {
    let server = PostgresServer::start().await;
    let engine = Postgres::new(server.login()).unwrap().with_round_trip(Duration::from_secs(1));
    let (ro, password) = (spec_in("hoop_ro", Access::ReadOnly, &["app"]), Secret::from(PASSWORD));
    // Leaves an idle session, and with the second one that of the writer's lock.
    engine.ping().await.unwrap();
    engine.ensure(&ro, Some(&password)).await.unwrap();
    let sessions = server.freeze_sessions().await;
    for what in ["ping", "ensure"] {
        let began = Instant::now();
        let error = match what {
            "ping" => engine.ping().await.unwrap_err(),
            _ => engine.ensure(&ro, None).await.unwrap_err(),
        };
        let told = matches!(&error.fault, Fault::ConnectionLost { text, .. } if text.contains("no answer within 1 s"));
        assert!(told && began.elapsed() < Duration::from_secs(5), "{what}: {error} after {:?}", began.elapsed());
    }
    sessions.thaw();
    engine.ping().await.unwrap();
    assert_complete(&engine.ensure(&ro, Some(&password)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_stay_within_the_bound() {
    let server = PostgresServer::start().await;
    let master = server.master("postgres").await;
    for n in 0..6 {
        master.batch_execute(&format!("CREATE DATABASE d{n}")).await.unwrap();
    }
    let engine = server.engine();
    let watcher = server.superuser("postgres").await;
    let (specs, password) =
        ([spec("hoop_ro", Access::ReadOnly), spec("hoop_rw", Access::ReadWrite)], Secret::from(PASSWORD));
    let work = async {
        tokio::try_join!(
            engine.ensure(&specs[0], Some(&password)),
            engine.ensure(&specs[1], Some(&password)),
            engine.read(&specs[0])
        )
        .unwrap();
    };
    let mut most = 0;
    let watch = async {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'terraform-provider-rdsaccess'";
        loop {
            most = most.max(watcher.query_one(sql, &[]).await.unwrap().get::<_, i64>(0));
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::select! { () = work => {}, () = watch => {} }
    // One more may still be saying goodbye.
    assert!((1..=4).contains(&most), "{most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_does_not_keep_a_database_from_being_dropped() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*engine, &spec).await;
    let superuser = server.superuser("postgres").await;
    assert_allowed(&superuser, &["DROP DATABASE app"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_an_operator_ends_are_replaced() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let superuser = server.superuser("postgres").await;
    for spec in &trio() {
        make(&*engine, spec).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'terraform%'";
        superuser.batch_execute(end).await.unwrap();
        assert_complete(&engine.read(spec).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_usual_database_is_managed_all_the_same() {
    let server = PostgresServer::start().await;
    server.superuser("app").await.batch_execute("DROP DATABASE postgres").await.unwrap();
    let engine = server.engine();
    engine.ping().await.unwrap();
    let observed = make(&*engine, &spec("hoop_ro", Access::ReadOnly)).await;
    assert_eq!(observed.coverage.databases.keys().collect::<Vec<_>>(), ["app"]);
    enter(&server, "hoop_ro", "app").await;
}
