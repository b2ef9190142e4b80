//! What goes wrong: TLS, logins, locks, lost connections, read-only nodes, missing rights.

use std::time::{Duration, Instant};

use rdsaccess::access::{Access, Endpoint, Secret, TlsMode, Trust};
use rdsaccess::engine::{Connections, Fault, Login, Server};
use rdsaccess::report::Explain;

use super::*;

fn fault(login: Login) -> impl Future<Output = Fault> {
    let mysql = Mysql::new(login).unwrap();
    async move { mysql.ping().await.unwrap_err().fault }
}

#[tokio::test]
async fn the_certificate_is_verified_as_far_as_asked() {
    let server = TestServer::start(&[]).await;
    let with = |host: &str, mode: TlsMode| {
        let mut login = server.admin();
        login.endpoint.host = host.to_owned();
        login.trust.mode = mode;
        login
    };
    let mut no_roots = server.admin();
    no_roots.trust.roots = Default::default();
    assert!(matches!(fault(no_roots).await, Fault::Tls(_)));
    let mut stranger = server.admin();
    stranger.trust.roots = TestServer::start(&[]).await.admin().trust.roots;
    assert!(matches!(fault(stranger.clone()).await, Fault::Tls(_)));
    stranger.trust.mode = TlsMode::VerifyCa;
    stranger.endpoint.host = "127.0.0.1".to_owned();
    assert!(matches!(fault(stranger).await, Fault::Tls(_)), "verify-ca checks the chain");

    Mysql::new(with("localhost", TlsMode::VerifyFull)).unwrap().ping().await.unwrap();
    assert!(
        matches!(fault(with("127.0.0.1", TlsMode::VerifyFull)).await, Fault::Tls(text) if text.contains("localhost"))
    );
    let verify_ca = Mysql::new(with("127.0.0.1", TlsMode::VerifyCa)).unwrap();
    verify_ca.ping().await.unwrap();
    assert!(ensure(&verify_ca, &role("hoop_ro", Access::ReadOnly)).await.login.is_empty());
    Mysql::new(with("127.0.0.1", TlsMode::Disable)).unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_set_of_roots_with_an_unreadable_certificate_still_works() {
    let server = TestServer::start(&[]).await;
    let mut login = server.admin();
    let mut roots = vec![b"not a certificate".to_vec()];
    roots.extend(login.trust.roots.iter().cloned());
    login.trust.roots = std::sync::Arc::new(roots);
    Mysql::new(login).unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_and_a_closed_port_are_told_apart() {
    let server = TestServer::start(&[]).await;
    let wrong = Login { key: Secret::from("wrong-Secret9").into(), ..server.admin() };
    let error = Mysql::new(wrong).unwrap().ping().await.unwrap_err();
    assert!(matches!(error.fault, Fault::LoginRefused(_)), "{error}");
    assert!(error.detail().contains("user `admin1`") && !error.detail().contains("wrong-Secret9"));

    let mut closed = server.admin();
    drop(server);
    closed.connections = Connections::at_most(1);
    let began = Instant::now();
    assert!(matches!(fault(closed).await, Fault::Unreachable(_)));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_locked_account_says_nothing_of_its_password() {
    let server = TestServer::start(&["--disconnect-on-expired-password=ON"]).await;
    server
        .by_hand(&[
            "CREATE USER locked@'%' IDENTIFIED BY 'locked-Pass1' ACCOUNT LOCK",
            "CREATE USER expired@'%' IDENTIFIED BY 'expired-Pass1'",
            "ALTER USER expired@'%' PASSWORD EXPIRE",
        ])
        .await;
    let login = |name: &str, password: &str| Login {
        username: name.parse().unwrap(),
        key: Secret::from(password).into(),
        ..server.admin()
    };
    let locked = Mysql::new(login("locked", "locked-Pass1")).unwrap().ping().await.unwrap_err();
    assert!(matches!(&locked.fault, Fault::LoginBarred(text) if text.contains("locked")), "{locked}");
    assert!(locked.next_step().unwrap().contains("the stored password stays as it is"));
    let expired = Mysql::new(login("expired", "expired-Pass1")).unwrap().ping().await.unwrap_err();
    assert!(matches!(&expired.fault, Fault::LoginBarred(text) if text.contains("1862")), "{expired}");
    let wrong = Mysql::new(login("expired", "wrong-Pass1")).unwrap().ping().await.unwrap_err();
    assert!(matches!(wrong.fault, Fault::LoginRefused(_)), "{wrong}");
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
async fn the_holder_of_the_writers_lock_is_named() {
    let server = TestServer::start(&[]).await;
    let mut other = server.connect(crate::server_mariadb::DBA, "").await.unwrap();
    other.query_drop("DO GET_LOCK('rdsaccess.roles', 0)").await.unwrap();
    let mysql = Mysql::new(server.admin()).unwrap().with_patience(Duration::from_secs(1));
    let error = mysql.ensure(&role("hoop_ro", Access::ReadOnly), None).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Blocked { text, .. } if text.contains("of user dba from")), "{error}");
    drop(other);
    ensure(&super::mysql(&server), &role("hoop_ro", Access::ReadOnly)).await;
}

#[tokio::test]
async fn a_read_only_node_is_waited_for_and_then_named() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&["SET GLOBAL read_only = ON"]).await;
    let ro = role("hoop_ro", Access::ReadOnly);
    let impatient = Mysql::new(server.admin()).unwrap().with_patience(Duration::from_secs(1));
    let error = impatient.ensure(&ro, None).await.unwrap_err();
    assert!(matches!(error.fault, Fault::ReadOnly(_)), "{error}");

    let failover = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.by_hand(&["SET GLOBAL read_only = OFF"]).await;
    };
    let patient = mysql(&server);
    tokio::join!(ensure(&patient, &ro), failover);
}

#[tokio::test]
async fn an_administrator_without_a_right_gets_told_which_step_needs_it() {
    let server = TestServer::start(&[]).await;
    server
        .by_hand(&[
            "CREATE DATABASE app",
            "CREATE USER weak@'%' IDENTIFIED BY 'weak-Pass1'",
            "GRANT CREATE USER ON *.* TO weak@'%'",
        ])
        .await;
    let ro = role("hoop_ro", Access::ReadOnly);
    ensure(&mysql(&server), &ro).await;
    let weak = Login { username: "weak".parse().unwrap(), key: Secret::from("weak-Pass1").into(), ..server.admin() };
    let weak = Mysql::new(weak).unwrap();
    let error = weak.read(&ro).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Denied { step, .. } if step.contains("needs SELECT on mysql.*")), "{error}");

    // Without the hashes one login decides.
    assert!(weak.accepts(&ro, &password()).await.unwrap());
    assert!(!weak.accepts(&ro, &Secret::from("wrong-Secret9")).await.unwrap());

    // The statement that failed is named, not the one before or after it in the same round trip.
    server
        .by_hand(&[
            "GRANT SELECT ON *.* TO weak@'%'",
            "CREATE DATABASE early",
            "CREATE DATABASE fresh",
            "CREATE DATABASE later",
            "GRANT ALL ON early.* TO weak@'%' WITH GRANT OPTION",
            "GRANT ALL ON later.* TO weak@'%' WITH GRANT OPTION",
        ])
        .await;
    let error = weak.ensure(&ro, None).await.unwrap_err();
    assert!(
        matches!(&error.fault, Fault::Denied { step, .. } if step == "granting SELECT, SHOW VIEW on fresh"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_roles_are_ensured_in_parallel_by_several_runs() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&["CREATE DATABASE app_prod", "CREATE DATABASE web"]).await;
    let runs = [mysql(&server), mysql(&server)];
    let roles: Vec<RoleSpec> = (0..12).map(|n| role(&format!("hoop_{n}"), Access::ALL[n % 3])).collect();
    let work = roles.iter().enumerate().map(|(n, role)| ensure(&runs[n % 2], role));
    for observed in futures_util::future::join_all(work).await {
        assert_complete(&observed, &["app_prod", "web"]);
    }
    let most: usize = server.by_hand(&["SHOW STATUS LIKE 'Max_used_connections'"]).await[0][1].parse().unwrap();
    assert!(most <= 2 * 3 + 1, "at most three connections per run and one by hand: {most}");
    let reads = futures_util::future::join_all(roles.iter().map(|role| runs[0].read(role))).await;
    assert!(reads.into_iter().all(|read| read.unwrap().coverage.is_complete()));
}

#[tokio::test]
async fn a_full_server_is_waited_for() {
    let server = TestServer::start(&["--max-connections=10"]).await;
    server.by_hand(&["CREATE DATABASE app_prod", "CREATE USER crowd@'%' IDENTIFIED BY 'crowd-Pass1'"]).await;
    let mut crowd = Vec::new();
    while let Ok(conn) = server.connect(("crowd", "crowd-Pass1"), "").await {
        crowd.push(conn);
    }
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        crowd.clear();
    };
    let (mysql, ro) = (mysql(&server), role("hoop_ro", Access::ReadOnly));
    let (observed, ()) = tokio::join!(ensure(&mysql, &ro), leaving);
    assert_complete(&observed, &["app_prod"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_is_enough_for_everything_at_once() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&["CREATE DATABASE app_prod"]).await;
    let mysql = Mysql::new(Login { connections: Connections::at_most(1), ..server.admin() }).unwrap();
    let work = (0..6).map(|n| {
        let (mysql, role) = (&mysql, role(&format!("hoop_{n}"), Access::ReadOnly));
        async move {
            mysql.read(&role).await.unwrap();
            ensure(mysql, &role).await;
            assert!(mysql.accepts(&role, &password()).await.unwrap());
            mysql.remove(&role, &removal::dropped()).await.unwrap();
        }
    });
    tokio::time::timeout(Duration::from_secs(60), futures_util::future::join_all(work)).await.unwrap();
    assert_eq!(server.by_hand(&["SHOW STATUS LIKE 'Max_used_connections'"]).await[0][1], "2", "one, and one by hand");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_role_ensured_twice_at_once_is_made_once() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&["CREATE DATABASE app_prod"]).await;
    let (one, two, ro) = (mysql(&server), mysql(&server), role("hoop_ro", Access::ReadOnly));
    let (first, second) = tokio::join!(ensure(&one, &ro), ensure(&two, &ro));
    assert_complete(&first, &["app_prod"]);
    assert_complete(&second, &["app_prod"]);
    assert_eq!(server.logged_since(0).matches("CREATE USER `hoop_ro`").count(), 1);
}

#[tokio::test]
async fn the_catalog_is_read_once_for_all_roles_and_again_after_a_write() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&["CREATE DATABASE app_prod"]).await;
    let mysql = mysql(&server);
    let roles: Vec<RoleSpec> = (0..5).map(|n| role(&format!("hoop_{n}"), Access::ReadOnly)).collect();
    let reads = |position: usize| server.logged_since(position).matches("SELECT * FROM mysql.db").count();
    let position = server.log_position();
    futures_util::future::join_all(roles.iter().map(|role| mysql.read(role))).await;
    assert_eq!(reads(position), 1);

    ensure(&mysql, &roles[0]).await;
    let position = server.log_position();
    assert!(mysql.read(&roles[0]).await.unwrap().coverage.is_complete());
    assert_eq!(reads(position), 1);
    assert!(mysql.read(&roles[1]).await.unwrap().login.is_empty());
    assert_eq!(reads(position), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_under_way_change_nothing_about_the_outcome() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&["CREATE DATABASE app_prod", "CREATE DATABASE web"]).await;
    let mysql = mysql(&server);
    let cutting = async {
        for _ in 0..12 {
            let sessions =
                server.by_hand(&["SELECT ID FROM information_schema.processlist WHERE USER = 'admin1'"]).await;
            for session in sessions {
                // The session may have ended by itself.
                let mut dba = server.connect(crate::server_mariadb::DBA, "").await.unwrap();
                let _ = dba.query_drop(format!("KILL {}", session[0])).await;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    let work = async {
        for n in 0..8 {
            let role = role(&format!("hoop_{n}"), Access::ALL[n % 3]);
            assert_complete(&ensure(&mysql, &role).await, &["app_prod", "web"]);
        }
    };
    tokio::join!(work, cutting);
    assert!(server.logged_since(0).contains("KILL"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_anywhere_is_continued_by_the_next() {
    let server = TestServer::start(&[]).await;
    let databases: Vec<String> = (0..10).map(|n| format!("CREATE DATABASE d_{n}")).collect();
    server.by_hand(&databases.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut cut = 0;
    for step in 0..30 {
        let role = role(&format!("hoop_{step}"), Access::Ddl);
        let killed = mysql(&server);
        let password = password();
        let run = killed.ensure(&role, Some(&password));
        if tokio::time::timeout(Duration::from_millis(step), run).await.is_err() {
            cut += 1;
        }
        drop(killed);
        let observed = ensure(&mysql(&server), &role).await;
        assert!(observed.coverage.is_complete() && observed.login.is_empty(), "{step}: {observed:?}");
        enter(&server, role.name.to_string().as_str(), "d_3").await;
    }
    assert!(cut > 5, "too few runs were cut: {cut}");
}
