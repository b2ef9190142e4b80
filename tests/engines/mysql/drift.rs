//! Changes by hand are seen, named, and repaired with exactly the statements that differ.

use rdsaccess::access::Access;
use rdsaccess::engine::{Fault, Ownership, Server};

use super::*;

async fn prepared() -> (TestServer, Mysql, RoleSpec) {
    let server = TestServer::start(&[]).await;
    server.by_hand(&["CREATE DATABASE app_prod", "CREATE DATABASE appXprod", "CREATE TABLE app_prod.t (id INT)"]).await;
    let (mysql, ro) = (mysql(&server), on(&["app_prod"], role("hoop_ro", Access::ReadOnly)));
    ensure(&mysql, &ro).await;
    (server, mysql, ro)
}

/// What the next ensure changes.
async fn repair(server: &TestServer, ro: &RoleSpec) -> Vec<String> {
    let position = server.log_position();
    let observed = ensure(&mysql(server), ro).await;
    assert_complete(&observed, &["app_prod"]);
    changing(&server.logged_since(position))
}

#[tokio::test]
async fn a_second_ensure_sends_no_changing_statement() {
    let (server, _, ro) = prepared().await;
    assert_eq!(repair(&server, &ro).await, [""; 0]);
    assert_eq!(repair(&server, &RoleSpec { adopt: !server.is_mysql, ..ro }).await, [""; 0]);
}

#[tokio::test]
async fn lost_and_added_rights_are_named_and_repaired_exactly() {
    let (server, _, ro) = prepared().await;
    server
        .by_hand(&[
            r"REVOKE SHOW VIEW ON `app\_prod`.* FROM hoop_ro",
            r"GRANT DROP ON `app\_prod`.* TO hoop_ro WITH GRANT OPTION",
            "GRANT DELETE ON app_prod.t TO hoop_ro",
            "GRANT UPDATE (id) ON app_prod.t TO hoop_ro",
        ])
        .await;
    let seen = mysql(&server).read(&ro).await.unwrap();
    assert_eq!(
        texts(&seen.coverage)["app_prod"],
        "holds DELETE beyond the level on table t; holds DROP, GRANT OPTION beyond the level; \
         holds UPDATE beyond the level on column t.id; missing SHOW VIEW"
    );
    assert_eq!(seen.access, Access::Ddl);
    let mut statements = repair(&server, &ro).await;
    statements.sort();
    assert_eq!(
        statements,
        [
            r"GRANT SHOW VIEW ON `app\_prod`.* TO `hoop_ro`@`%`",
            "REVOKE DELETE ON `app_prod`.`t` FROM `hoop_ro`@`%`",
            r"REVOKE DROP, GRANT OPTION ON `app\_prod`.* FROM `hoop_ro`@`%`",
            "REVOKE UPDATE (`id`) ON `app_prod`.`t` FROM `hoop_ro`@`%`",
        ]
    );
    assert_eq!(repair(&server, &ro).await, [""; 0]);
}

#[tokio::test]
async fn a_grant_that_leaks_is_seen_and_replaced() {
    let (server, _, ro) = prepared().await;
    server
        .by_hand(&[
            r"REVOKE SELECT, SHOW VIEW ON `app\_prod`.* FROM hoop_ro",
            "GRANT SELECT, SHOW VIEW ON `app_prod`.* TO hoop_ro",
            "CREATE TABLE appXprod.t (id INT)",
        ])
        .await;
    may(&mut enter(&server, "hoop_ro", "appXprod").await, "SELECT * FROM t").await;
    let seen = mysql(&server).read(&ro).await.unwrap();
    assert_eq!(texts(&seen.coverage)["app_prod"], "is granted as app_prod, a pattern that also opens appXprod");
    assert_eq!(
        repair(&server, &ro).await,
        [
            r"GRANT SELECT, SHOW VIEW ON `app\_prod`.* TO `hoop_ro`@`%`",
            "REVOKE SELECT, SHOW VIEW ON `app_prod`.* FROM `hoop_ro`@`%`",
        ]
    );
    let mut conn = enter(&server, "hoop_ro", "app_prod").await;
    may(&mut conn, "SELECT * FROM t").await;
    may_not(&mut conn, "SELECT * FROM appXprod.t").await;
}

#[tokio::test]
async fn a_changed_account_is_seen_and_repaired() {
    let (server, _, ro) = prepared().await;
    server
        .by_hand(&[
            "ALTER USER hoop_ro@'%' REQUIRE NONE",
            "ALTER USER hoop_ro@'%' ACCOUNT LOCK",
            "CREATE ROLE admins",
            "GRANT admins TO hoop_ro@'%'",
            "GRANT PROCESS ON *.* TO hoop_ro@'%'",
        ])
        .await;
    if !server.is_mysql {
        server.by_hand(&["GRANT admins TO admin1 WITH ADMIN OPTION"]).await;
    }
    let seen = mysql(&server).read(&ro).await.unwrap();
    let gaps: Vec<&str> = seen.login.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(
        gaps,
        ["holds PROCESS on all databases", "login is locked", "login without TLS is allowed", "is a member of admins"]
    );
    let role = if server.is_mysql { "`admins`@`%`" } else { "`admins`" };
    assert_eq!(
        repair(&server, &ro).await,
        [
            "REVOKE PROCESS ON *.* FROM `hoop_ro`@`%`".to_owned(),
            format!("REVOKE {role} FROM `hoop_ro`@`%`"),
            "ALTER USER `hoop_ro`@`%` REQUIRE SSL ACCOUNT UNLOCK".to_owned(),
        ]
    );
    assert!(server.connect_with(("hoop_ro", PASSWORD), "app_prod", None).await.is_err(), "a login without TLS");
    enter(&server, "hoop_ro", "app_prod").await;
}

#[tokio::test]
async fn a_narrowed_choice_takes_back_what_we_granted_and_leaves_the_rest() {
    let (server, mysql, ro) = prepared().await;
    server.by_hand(&["CREATE DATABASE other"]).await;
    let wide = on(&["app_prod", "appXprod", "other"], role("hoop_ro", Access::ReadOnly));
    assert_complete(&ensure(&mysql, &wide).await, &["appXprod", "app_prod", "other"]);
    server.by_hand(&["CREATE DATABASE theirs", "GRANT EXECUTE ON theirs.* TO hoop_ro"]).await;
    server.by_hand(&["GRANT EXECUTE ON other.* TO hoop_ro"]).await;
    assert_eq!(
        repair(&server, &ro).await,
        [
            "REVOKE SELECT, SHOW VIEW ON `appXprod`.* FROM `hoop_ro`@`%`",
            "REVOKE EXECUTE, SELECT, SHOW VIEW ON `other`.* FROM `hoop_ro`@`%`",
        ]
    );
    let seen = mysql.read(&ro).await.unwrap();
    assert!(texts(&seen.uncovered)["theirs"].contains("EXECUTE"), "{seen:?}");
    assert_eq!(seen.access, Access::Ddl, "EXECUTE is in no level");
}

#[tokio::test]
async fn a_changed_level_changes_only_the_difference() {
    let (server, mysql, ro) = prepared().await;
    let position = server.log_position();
    ensure(&mysql, &RoleSpec { access: Access::ReadWrite, ..ro.clone() }).await;
    assert_eq!(
        changing(&server.logged_since(position)),
        [r"GRANT DELETE, INSERT, UPDATE ON `app\_prod`.* TO `hoop_ro`@`%`"]
    );
    assert_eq!(repair(&server, &ro).await, [r"REVOKE DELETE, INSERT, UPDATE ON `app\_prod`.* FROM `hoop_ro`@`%`"]);
}

#[tokio::test]
async fn an_account_of_somebody_else_is_left_untouched_until_it_is_adopted() {
    let (server, mysql, _) = prepared().await;
    server
        .by_hand(&["CREATE USER theirs@'%' IDENTIFIED BY 'their-Own1'", "GRANT INSERT ON appXprod.* TO theirs@'%'"])
        .await;
    let before = server.by_hand(&["SHOW GRANTS FOR theirs@'%'"]).await;
    let theirs = RoleSpec { adopt: false, ..on(&["app_prod"], role("theirs", Access::ReadOnly)) };
    let position = server.log_position();
    assert!(matches!(mysql.read(&theirs).await.unwrap().ownership, Ownership::Foreign(_)));
    let refused = mysql.ensure(&theirs, Some(&password())).await.unwrap_err();
    assert!(matches!(refused.fault, Fault::Foreign(_)), "{refused}");
    let warnings = mysql.remove(&theirs, &removal::dropped()).await.unwrap();
    assert!(warnings[0].ends_with("it was left as it is"), "{warnings:?}");
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
    assert_eq!(server.by_hand(&["SHOW GRANTS FOR theirs@'%'"]).await, before);
    server.connect(("theirs", "their-Own1"), "appXprod").await.unwrap();

    let adopted = RoleSpec { adopt: true, ..theirs };
    let observed = ensure(&mysql, &adopted).await;
    assert_complete(&observed, &["app_prod"]);
    assert!(texts(&observed.uncovered)["appXprod"].contains("INSERT"), "{observed:?}");
    enter(&server, "theirs", "app_prod").await;
}

#[tokio::test]
async fn a_run_that_died_after_creating_the_account_is_continued() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&["CREATE DATABASE app_prod", "CREATE USER hoop_ro@'%' IDENTIFIED BY 'x-Half1' ACCOUNT LOCK"]).await;
    let (mysql, ro) = (mysql(&server), role("hoop_ro", Access::ReadOnly));
    assert!(server.connect(("hoop_ro", "x-Half1"), "").await.is_err(), "the half account is harmless");
    assert_complete(&ensure(&mysql, &ro).await, &["app_prod"]);
    enter(&server, "hoop_ro", "app_prod").await;
}

#[tokio::test]
async fn another_account_of_the_same_user_is_named() {
    let (server, _, ro) = prepared().await;
    server.by_hand(&["CREATE USER hoop_ro@'10.%' IDENTIFIED BY 'x-Other1'"]).await;
    let seen = mysql(&server).read(&ro).await.unwrap();
    assert!(texts(&seen.uncovered)["app_prod"].contains("for host 10.%"), "{seen:?}");
    assert!(seen.coverage.is_complete() && seen.login.is_empty());
}
