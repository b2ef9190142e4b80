//! Accounts that are more than a role: not taken over unless they are ours, and brought back to a role when they are.

use rdsaccess::access::Access;
use rdsaccess::engine::{Fault, Ownership, Removal, RemovalAction, Server};

use super::*;
use crate::server_mariadb::{ADMIN, DBA};

async fn prepared() -> TestServer {
    let server = TestServer::start(&[]).await;
    server.by_hand(&["CREATE DATABASE app", "CREATE TABLE app.t (id INT)"]).await;
    server
}

/// `adopt` alone is no reason to strip it of its rights and, at the end, to drop it.
#[tokio::test]
async fn a_powerful_account_of_somebody_else_is_not_taken_over() {
    let server = prepared().await;
    server
        .by_hand(&[
            "CREATE USER second@'%' IDENTIFIED BY 'Second-1'",
            "GRANT RELOAD, CREATE USER ON *.* TO second@'%' WITH GRANT OPTION",
            "CREATE USER replica@'%' IDENTIFIED BY 'Replica-1'",
            "GRANT REPLICATION SLAVE ON *.* TO replica@'%'",
            "CREATE ROLE outer_role",
            "CREATE ROLE wide_role",
            "GRANT PROCESS ON *.* TO wide_role",
            "GRANT wide_role TO outer_role",
            "CREATE USER member@'%' IDENTIFIED BY 'Member-1'",
            "GRANT outer_role TO member@'%'",
        ])
        .await;
    let accounts = "SELECT * FROM information_schema.user_privileges ORDER BY 1, 3";
    let before = server.by_hand(&[accounts]).await;
    let position = server.log_position();
    for (user, words) in [
        ("second", "take that back first: REVOKE CREATE USER, GRANT OPTION, RELOAD ON *.* FROM `second`@`%`"),
        ("replica", "holds REPLICATION SLAVE on all databases"),
        ("member", "is a member of outer_role, which holds rights on all databases"),
    ] {
        let spec = role(user, Access::ReadOnly);
        let seen = mysql(&server).read(&spec).await.unwrap().ownership;
        assert!(matches!(&seen, Ownership::Foreign(text) if text.contains(words)), "{seen:?}");
        let refused = mysql(&server).ensure(&spec, Some(&password())).await.unwrap_err();
        assert!(matches!(&refused.fault, Fault::Foreign(text) if text.contains(words)), "{refused}");
        let warnings = mysql(&server).remove(&spec, &removal::dropped()).await.unwrap();
        assert!(warnings[0].ends_with("it was left as it is"), "{warnings:?}");
    }
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
    assert_eq!(server.by_hand(&[accounts]).await, before);
    server.connect(("second", "Second-1"), "").await.unwrap();

    // What the sentence says to do is enough.
    server.by_hand(&["REVOKE CREATE USER, GRANT OPTION, RELOAD ON *.* FROM `second`@`%`"]).await;
    assert_complete(&ensure(&mysql(&server), &role("second", Access::ReadOnly)).await, &["app"]);
    server.connect(("second", PASSWORD), "app").await.unwrap();
}

#[tokio::test]
async fn a_right_on_everything_is_drift_once_the_account_is_ours() {
    let server = prepared().await;
    let ro = role("hoop_ro", Access::ReadOnly);
    ensure(&mysql(&server), &ro).await;
    server.by_hand(&["GRANT CREATE USER ON *.* TO hoop_ro@'%'"]).await;
    let seen = mysql(&server).read(&ro).await.unwrap();
    assert_eq!(seen.ownership, Ownership::Ours);
    assert_eq!(seen.login[0].what, "holds CREATE USER on all databases");
    assert_complete(&ensure(&mysql(&server), &ro).await, &["app"]);
    may_not(&mut enter(&server, "hoop_ro", "app").await, "CREATE USER x").await;
}

/// Grants PROXY to an account by hand; a GRANT would need it with the grant option first.
async fn lets_act(server: &TestServer, account: &str, on: &str, with_grant: u8) {
    let row = format!(
        "INSERT INTO mysql.proxies_priv (Host, User, Proxied_host, Proxied_user, With_grant, Grantor) \
         VALUES ('%', '{account}', '%', '{on}', {with_grant}, '')"
    );
    server.by_hand(&[&row, "FLUSH PRIVILEGES"]).await;
}

/// PROXY on an account, which the administrator may take back or not: the server says the same.
async fn is_judged_as_the_server_does(server: &TestServer, on: &str, may: bool) {
    let ro = role("hoop_ro", Access::ReadOnly);
    lets_act(server, "hoop_ro", on, 0).await;
    let (words, sql) =
        (format!("may act as `{on}`@`%` (PROXY)"), format!("REVOKE PROXY ON `{on}`@`%` FROM `hoop_ro`@`%`"));
    let seen = mysql(server).read(&ro).await.unwrap();
    let uncovered = texts(&seen.uncovered).remove("app").unwrap_or_default();
    let gaps: Vec<&str> = seen.login.iter().map(|gap| gap.what.as_str()).collect();
    let position = server.log_position();
    assert_complete(&ensure(&mysql(server), &ro).await, &["app"]);
    let sent = changing(&server.logged_since(position));
    if may {
        assert_eq!((gaps, sent), (vec![words.as_str()], vec![sql]));
        assert_eq!(uncovered, "");
    } else {
        let said = format!("{words}, which admin1 may not take back; whoever has PROXY on it can: {sql}");
        assert!(uncovered.contains(&said), "{uncovered}");
        assert_eq!((gaps, sent), (vec![], vec![]));
        let mut admin = server.connect(ADMIN, "").await.unwrap();
        assert!(admin.query_drop(sql).await.is_err(), "the server lets the administrator");
    }
    let count = "SELECT COUNT(*) FROM mysql.proxies_priv WHERE User = 'hoop_ro'";
    assert_eq!(server.by_hand(&[count]).await, [[if may { "0" } else { "1" }]]);
    server.by_hand(&["DELETE FROM mysql.proxies_priv WHERE User = 'hoop_ro'", "FLUSH PRIVILEGES"]).await;
}

#[tokio::test]
async fn a_right_to_act_as_another_account_is_seen_and_taken_back_where_that_is_allowed() {
    let server = prepared().await;
    ensure(&mysql(&server), &role("hoop_ro", Access::ReadOnly)).await;
    server.by_hand(&["CREATE USER other@'%' IDENTIFIED BY 'Other-1'"]).await;
    is_judged_as_the_server_does(&server, "other", false).await;
    is_judged_as_the_server_does(&server, ADMIN.0, true).await;
    lets_act(&server, ADMIN.0, "other", 0).await;
    is_judged_as_the_server_does(&server, "other", false).await;
    server.by_hand(&["DELETE FROM mysql.proxies_priv WHERE User = 'admin1'"]).await;
    lets_act(&server, ADMIN.0, "other", 1).await;
    is_judged_as_the_server_does(&server, "other", true).await;
    is_judged_as_the_server_does(&server, DBA.0, false).await;
    lets_act(&server, ADMIN.0, "", 1).await;
    // On MySQL that account is a system user.
    is_judged_as_the_server_does(&server, DBA.0, !server.is_mysql).await;
}

#[tokio::test]
async fn a_disabled_role_keeps_no_role_and_no_account_to_act_as() {
    let server = prepared().await;
    let ro = role("hoop_ro", Access::ReadOnly);
    ensure(&mysql(&server), &ro).await;
    server
        .by_hand(&[
            "CREATE ROLE ours",
            "CREATE ROLE theirs",
            "GRANT ours TO admin1 WITH ADMIN OPTION",
            "GRANT ours TO hoop_ro@'%'",
            "GRANT theirs TO hoop_ro@'%'",
        ])
        .await;
    if server.is_mysql {
        server.by_hand(&["GRANT SYSTEM_USER ON *.* TO theirs"]).await;
    }
    lets_act(&server, "hoop_ro", ADMIN.0, 0).await;
    let how = Removal { action: RemovalAction::Disable, ..removal::dropped() };
    let warnings = mysql(&server).remove(&ro, &how).await.unwrap();
    let words = "the disabled account 'hoop_ro'@'%' is a member of theirs, which admin1 may not take back";
    assert!(warnings.len() == 1 && warnings[0].starts_with(words), "{warnings:?}");
    let left = server.by_hand(&["SHOW GRANTS FOR hoop_ro@'%'"]).await.concat().join("\n");
    assert!(left.contains("theirs") && !left.contains("ours") && !left.contains("PROXY"), "{left}");
}
