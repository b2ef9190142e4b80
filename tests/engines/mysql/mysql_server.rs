//! What only MySQL has: these tests start one, whatever the others run on.

use rdsaccess::access::{Access, Mark};
use rdsaccess::engine::{Fault, Ownership, Server, Terms};

use super::*;

const SCHEMA: [&str; 4] = [
    "CREATE DATABASE app_prod",
    "CREATE DATABASE appXprod",
    "CREATE TABLE app_prod.t (id INT)",
    "CREATE TABLE appXprod.t (id INT)",
];

#[tokio::test]
async fn a_flip_of_partial_revokes_is_drift_both_ways() {
    let server = TestServer::start_mysql(&[]).await;
    server.by_hand(&SCHEMA).await;
    let ro = on(&["app_prod"], role("hoop_ro", Access::ReadOnly));
    ensure(&mysql(&server), &ro).await;
    for (mode, gap, stored, old) in [
        (
            "ON",
            r"is granted as app\_prod, which opens nothing while partial_revokes is ON; missing SELECT, SHOW VIEW",
            "app_prod",
            r"app\_prod",
        ),
        ("OFF", "is granted as app_prod, a pattern that also opens appXprod", r"app\_prod", "app_prod"),
    ] {
        server.by_hand(&[&format!("SET GLOBAL partial_revokes = {mode}")]).await;
        let seen = mysql(&server).read(&ro).await.unwrap();
        assert_eq!(texts(&seen.coverage)["app_prod"], gap);
        let position = server.log_position();
        assert_complete(&ensure(&mysql(&server), &ro).await, &["app_prod"]);
        assert_eq!(
            changing(&server.logged_since(position)),
            [
                format!("GRANT SELECT, SHOW VIEW ON `{stored}`.* TO `hoop_ro`@`%`"),
                format!("REVOKE SELECT, SHOW VIEW ON `{old}`.* FROM `hoop_ro`@`%`"),
            ]
        );
        let mut conn = enter(&server, "hoop_ro", "app_prod").await;
        may(&mut conn, "SELECT * FROM t").await;
        may_not(&mut conn, "SELECT * FROM appXprod.t").await;
    }
}

#[tokio::test]
async fn the_mark_makes_a_role_ours_and_leaves_other_attributes() {
    let server = TestServer::start_mysql(&[]).await;
    server.by_hand(&SCHEMA).await;
    let unadopted = |target: &str| RoleSpec {
        adopt: false,
        known: false,
        mark: Mark::new(target, Some("reader's \"role\" \\ on app".to_owned())),
        ..role("hoop_ro", Access::ReadOnly)
    };
    let ours = unadopted("db-TEST");
    ensure(&mysql(&server), &ours).await;
    server.by_hand(&["ALTER USER hoop_ro@'%' ATTRIBUTE '{\"team\": \"payments\"}'"]).await;
    let position = server.log_position();
    assert_eq!(ensure(&mysql(&server), &ours).await.ownership, Ownership::Ours);
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);

    let restored = unadopted("db-RESTORED");
    let error = mysql(&server).ensure(&restored, None).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Foreign(text) if text.contains("made for db-TEST")), "{error}");
    ensure(&mysql(&server), &RoleSpec { adopt: true, ..restored.clone() }).await;
    assert_eq!(mysql(&server).read(&restored).await.unwrap().ownership, Ownership::Ours);
    let attributes = "SELECT ATTRIBUTE FROM information_schema.user_attributes WHERE USER = 'hoop_ro'";
    let text = server.by_hand(&[attributes]).await[0][0].clone();
    assert!(text.contains("payments") && text.contains("db-RESTORED") && !text.contains("db-TEST"), "{text}");
}

#[tokio::test]
async fn an_account_with_another_plugin_gets_a_password() {
    let server = TestServer::start_mysql(&[]).await;
    server.by_hand(&SCHEMA).await;
    server.by_hand(&["CREATE USER hoop_ro@'%' IDENTIFIED WITH sha256_password BY 'x-Other1'"]).await;
    let (mysql, ro) = (mysql(&server), role("hoop_ro", Access::ReadOnly));
    ensure(&mysql, &ro).await;
    enter(&server, "hoop_ro", "app_prod").await;
    assert!(mysql.accepts(&ro, &password()).await.unwrap());
}

#[tokio::test]
async fn an_old_password_that_another_plugin_keeps_from_staying_is_named() {
    let server = TestServer::start_mysql(&[]).await;
    server.by_hand(&SCHEMA).await;
    server.by_hand(&["CREATE USER hoop_ro@'%' IDENTIFIED WITH sha256_password BY 'x-Other1'"]).await;
    let keeping =
        RoleSpec { terms: Terms { keeps_old_password: true, ..Terms::default() }, ..role("hoop_ro", Access::ReadOnly) };
    let seen = ensure(&mysql(&server), &keeping).await;
    assert!(seen.notes[0].contains("the old password ended at once"), "{seen:?}");
    assert!(texts(&seen.uncovered).is_empty(), "it is said once and not held against the role: {seen:?}");
    assert!(server.connect(("hoop_ro", "x-Other1"), "app_prod").await.is_err());
    assert!(ensure(&mysql(&server), &keeping).await.notes.is_empty());
}

#[tokio::test]
async fn an_old_password_proves_nothing() {
    let server = TestServer::start_mysql(&[]).await;
    server.by_hand(&SCHEMA).await;
    let (mysql, ro) = (mysql(&server), role("hoop_ro", Access::ReadOnly));
    ensure(&mysql, &ro).await;
    assert!(mysql.proves(&ro, &password()).await.unwrap());
    server.by_hand(&["ALTER USER hoop_ro@'%' IDENTIFIED BY 'other-Pass1' RETAIN CURRENT PASSWORD"]).await;
    let mysql = self::mysql(&server);
    enter(&server, "hoop_ro", "app_prod").await;
    assert!(
        !mysql.proves(&ro, &password()).await.unwrap(),
        "it logs in, but only beside the password of somebody else"
    );
    assert!(mysql.proves(&ro, &Secret::from("other-Pass1")).await.unwrap());

    // What a repair does with that answer: the stored password is set again, and the other one ends.
    assert_complete(&ensure(&mysql, &ro).await, &["appXprod", "app_prod"]);
    assert!(mysql.proves(&ro, &password()).await.unwrap());
    assert!(server.connect(("hoop_ro", "other-Pass1"), "").await.is_err());
}
