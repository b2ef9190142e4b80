//! How a password gets to the server, and what the server says of it.

use std::time::{Duration, SystemTime};

use rdsaccess::engine::Fault;
use serde_json::json;

use super::*;

const NEXT: &str = "N3xt-pass.word~geheim";

#[tokio::test]
async fn a_password_stands_in_one_direct_batch_only() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    sqlserver.ensure(&ro, Some(&Secret::from(NEXT))).await.unwrap();
    let with = |password: &str| -> Vec<String> {
        server.batches().into_iter().map(|(_, sql)| sql).filter(|sql| sql.contains(password)).collect()
    };
    assert_eq!(
        with(PASSWORD),
        [format!(
            "BEGIN TRANSACTION;\nCREATE LOGIN [hoop_ro] WITH PASSWORD = N'{PASSWORD}', DEFAULT_DATABASE = [master], \
             CHECK_EXPIRATION = OFF, CHECK_POLICY = ON;\nALTER LOGIN [hoop_ro] DISABLE;\nCOMMIT TRANSACTION;"
        )]
    );
    assert_eq!(with(NEXT), [format!("ALTER LOGIN [hoop_ro] WITH PASSWORD = N'{NEXT}' UNLOCK;")]);
    assert!(sqlserver.proves(&ro, &Secret::from(NEXT)).await.unwrap());
    assert!(!sqlserver.proves(&ro, &password()).await.unwrap());
}

/// The policy of the server refuses it a second time.
#[tokio::test]
async fn a_password_that_is_set_may_be_given_again() {
    let server = TestServer::stand_in();
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[]);
    for _ in 0..2 {
        ensure(&sqlserver, &ro).await;
        assert!(sqlserver.proves(&ro, &password()).await.unwrap());
    }
}

#[tokio::test]
async fn a_login_is_enabled_after_everything_else() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let position = server.batches().len();
    ensure(&sqlserver(&server), &role(&server, "hoop_rw", Access::ReadWrite, &[&app])).await;
    let changes = server.changes_since(position);
    let places: Vec<&str> = changes.iter().map(|(database, _)| database.as_str()).collect();
    assert_eq!(places, ["master", "app", "master"]);
    assert_eq!(changes[2].1, "ALTER LOGIN [hoop_rw] ENABLE;");
    assert!(changes[1].1.starts_with("BEGIN TRANSACTION;\nCREATE USER [hoop_rw] FOR LOGIN [hoop_rw];"), "{changes:?}");
}

#[tokio::test]
async fn a_role_without_a_password_of_ours_can_be_used_by_nobody() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    assert_complete(&converge(&sqlserver, &ro).await, &[&app]);
    assert!(!sqlserver.proves(&ro, &password()).await.unwrap());
}

#[tokio::test]
async fn a_disabled_or_locked_login_says_nothing_of_its_password() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    server.by_hand("master", &["ALTER LOGIN hoop_ro DISABLE;"]).await;
    let fresh = super::sqlserver(&server);
    for word in [PASSWORD, "wrong-Pass1"] {
        let error = fresh.proves(&ro, &Secret::from(word)).await.unwrap_err();
        assert!(matches!(&error.fault, Fault::LoginBarred(text) if text.contains("disabled")), "{error}");
    }
    server.by_hand("master", &["ALTER LOGIN hoop_ro ENABLE;"]).await;
    let fresh = super::sqlserver(&server);
    for _ in 0..4 {
        assert!(!fresh.proves(&ro, &Secret::from("wrong-Pass1")).await.unwrap());
    }
    let error = super::sqlserver(&server).proves(&ro, &password()).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::LoginBarred(text) if text.contains("18486")), "{error}");
    let fresh = super::sqlserver(&server);
    assert_eq!(fresh.read(&ro).await.unwrap().login[0].what, "login is locked");
    assert_complete(&converge(&fresh, &ro).await, &[&app]);
    assert!(fresh.proves(&ro, &password()).await.unwrap());
}

#[tokio::test]
async fn a_denied_login_is_not_taken_for_a_wrong_password() {
    let server = TestServer::stand_in();
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[]);
    ensure(&sqlserver, &ro).await;
    server.by_hand("master", &["DENY CONNECT SQL TO hoop_ro;"]).await;
    let error = super::sqlserver(&server).proves(&ro, &password()).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::LoginBarred(text) if text.contains("CONNECT SQL")), "{error}");
}

#[tokio::test]
async fn a_refresh_asks_for_a_time_and_never_logs_in() {
    let server = TestServer::stand_in();
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[]);
    assert_eq!(sqlserver.password_set(&ro).await.unwrap(), None, "there is no login");
    ensure(&sqlserver, &ro).await;
    let set = sqlserver.password_set(&ro).await.unwrap().unwrap();
    let now = set.at;
    assert!(now > SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000), "{set:?}");
    assert!(set.fits(now, Some(now)));
    server.command(&json!({"age": {"login": "hoop_ro", "seconds": 86_400}}));
    let fresh = super::sqlserver(&server);
    let set = fresh.password_set(&ro).await.unwrap().unwrap();
    assert!(!set.fits(now, Some(now)), "a password of yesterday is not the one that was stored today");
    assert!(set.fits(now - Duration::from_secs(86_400), Some(now)));

    server
        .by_hand(
            "master",
            &["ALTER LOGIN hoop_ro WITH PASSWORD = N'By-hand-pass1' MUST_CHANGE, CHECK_EXPIRATION = ON;"],
        )
        .await;
    let fresh = super::sqlserver(&server);
    assert_eq!(fresh.password_set(&ro).await.unwrap(), None);
    assert!(!fresh.accepts(&ro, &password()).await.unwrap(), "no password is good until it was changed");
    let peak = server.command(&json!({"state": true}))["peak"]["hoop_ro"].clone();
    assert_eq!(peak, serde_json::Value::Null, "the role itself never logged in");
    // What tells a caller that another password is to be set, and not that the server has a reason of its own.
    let by_hand = Secret::from("By-hand-pass1");
    let barred = fresh.proves(&ro, &by_hand).await.unwrap_err();
    assert!(matches!(barred.fault, Fault::LoginBarred(_)), "{barred}");
    assert!(!fresh.accepts(&ro, &by_hand).await.unwrap());
    sqlserver.ensure(&ro, Some(&Secret::from(NEXT))).await.unwrap();
    assert!(sqlserver.proves(&ro, &Secret::from(NEXT)).await.unwrap());
}

/// The server refuses to end the expiration before the password was changed (15128).
#[tokio::test]
async fn the_duty_to_change_a_password_ends_with_the_next_password() {
    let server = TestServer::stand_in();
    let app = server.database("app").await;
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[&app]);
    ensure(&sqlserver, &ro).await;
    let by_hand = "ALTER LOGIN hoop_ro WITH PASSWORD = N'By-hand-pass1' MUST_CHANGE, CHECK_EXPIRATION = ON;";
    server.by_hand("master", &[by_hand]).await;
    let seen = converge(&super::sqlserver(&server), &ro).await;
    assert_eq!(seen.login.iter().map(|gap| gap.what.as_str()).collect::<Vec<_>>(), ["password expiration is on"]);
    let seen = super::sqlserver(&server).ensure(&ro, Some(&Secret::from(NEXT))).await.unwrap();
    assert_complete(&seen, &[&app]);
    assert!(sqlserver.proves(&ro, &Secret::from(NEXT)).await.unwrap());
}

#[tokio::test]
async fn a_weak_password_is_refused_with_the_policy_and_without_its_text() {
    let server = TestServer::stand_in();
    let sqlserver = sqlserver(&server);
    let ro = role(&server, "hoop_ro", Access::ReadOnly, &[]);
    let error = sqlserver.ensure(&ro, Some(&Secret::from("weakweak"))).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("15118") && text.contains("rds.password_") && !text.contains("weakweak"), "{text}");
    let error = sqlserver.ensure(&ro, Some(&Secret::from("line\nbreak-A1"))).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Unsupported(text) if text.contains("control character")), "{error}");
}
