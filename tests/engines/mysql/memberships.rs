//! Roles of the server that somebody granted to ours: taken back where the administrator may, named where it may not.
//! Whether it may is compared with what the server says; these tests name their servers, whatever the others run on.

use rdsaccess::access::Access;
use rdsaccess::engine::Server;

use super::*;
use crate::server_mariadb::{ADMIN, DBA};

/// What is done by hand after `r` was granted to the role, and who can take it back instead of the administrator.
struct Case {
    by_hand: &'static [&'static str],
    left_to: Option<&'static str>,
}

const fn ours(by_hand: &'static [&'static str]) -> Case {
    Case { by_hand, left_to: None }
}

const fn theirs(by_hand: &'static [&'static str], left_to: &'static str) -> Case {
    Case { by_hand, left_to: Some(left_to) }
}

const ON_MARIADB: &[Case] = &[
    theirs(&[], "dba@%"),
    theirs(&["GRANT r TO admin1"], "dba@%"),
    theirs(&["GRANT SUPER ON *.* TO admin1"], "dba@%"),
    theirs(&["CREATE ROLE team", "GRANT r TO team WITH ADMIN OPTION"], "dba@%, team"),
    theirs(&["REVOKE ADMIN OPTION FOR r FROM dba@'%'"], "whoever has the role WITH ADMIN OPTION"),
    ours(&["GRANT r TO admin1 WITH ADMIN OPTION"]),
    ours(&["CREATE ROLE team", "GRANT team TO admin1", "GRANT r TO team WITH ADMIN OPTION"]),
    ours(&[
        "CREATE ROLE team",
        "CREATE ROLE middle",
        "GRANT middle TO admin1",
        "GRANT team TO middle",
        "GRANT r TO team WITH ADMIN OPTION",
    ]),
];

const ON_MYSQL: &[Case] = &[
    theirs(&[], "whoever has ROLE_ADMIN"),
    theirs(&["GRANT r TO admin1"], "whoever has ROLE_ADMIN"),
    // A role that is not active gives nothing.
    theirs(&["CREATE ROLE team", "GRANT team TO admin1", "GRANT r TO team WITH ADMIN OPTION"], "team@%"),
    theirs(&["CREATE ROLE team", "GRANT team TO admin1", "GRANT ROLE_ADMIN ON *.* TO team"], "whoever has ROLE_ADMIN"),
    theirs(
        &["GRANT ROLE_ADMIN ON *.* TO admin1", "GRANT SYSTEM_USER ON *.* TO r"],
        "whoever has ROLE_ADMIN and SYSTEM_USER",
    ),
    ours(&["GRANT r TO admin1 WITH ADMIN OPTION"]),
    ours(&["GRANT r TO rds_superuser_role WITH ADMIN OPTION"]),
    ours(&["CREATE ROLE team", "GRANT team TO rds_superuser_role", "GRANT r TO team WITH ADMIN OPTION"]),
    ours(&["GRANT ROLE_ADMIN ON *.* TO admin1"]),
    ours(&["GRANT ROLE_ADMIN ON *.* TO rds_superuser_role"]),
    ours(&["CREATE ROLE team", "GRANT team TO rds_superuser_role", "GRANT ROLE_ADMIN ON *.* TO team"]),
    ours(&["GRANT SUPER ON *.* TO admin1"]),
    ours(&["CREATE ROLE team", "GRANT ROLE_ADMIN ON *.* TO team", "SET GLOBAL mandatory_roles = 'team'"]),
];

/// Takes back what the case before did.
async fn forget(server: &TestServer) {
    let mut dba = server.connect(DBA, "").await.unwrap();
    if server.is_mysql {
        dba.query_drop("SET GLOBAL mandatory_roles = ''").await.unwrap();
        dba.query_drop("REVOKE IF EXISTS ROLE_ADMIN ON *.* FROM admin1, rds_superuser_role").await.unwrap();
    }
    dba.query_drop("REVOKE SUPER ON *.* FROM admin1").await.unwrap();
    for role in ["r", "team", "middle"] {
        dba.query_drop(format!("DROP ROLE IF EXISTS {role}")).await.unwrap();
    }
}

async fn is_judged_as_the_server_does(server: TestServer, refusal: u16, cases: &[Case]) {
    server.by_hand(&["CREATE DATABASE app", "CREATE TABLE app.t (id INT)"]).await;
    let ro = on(&["app"], role("hoop_ro", Access::ReadOnly));
    ensure(&mysql(&server), &ro).await;
    for Case { by_hand, left_to } in cases {
        forget(&server).await;
        server.by_hand(&["CREATE ROLE r", "GRANT INSERT ON app.t TO r", "GRANT r TO hoop_ro"]).await;
        server.by_hand(by_hand).await;
        let sql = if server.is_mysql { "REVOKE `r`@`%` FROM `hoop_ro`@`%`" } else { "REVOKE `r` FROM `hoop_ro`@`%`" };
        let seen = mysql(&server).read(&ro).await.unwrap();
        let uncovered = texts(&seen.uncovered).remove("app").unwrap_or_default();
        let position = server.log_position();
        let made = mysql(&server).ensure(&ro, None).await.unwrap_or_else(|error| panic!("{by_hand:?}: {error}"));
        assert_complete(&made, &["app"]);
        let sent = changing(&server.logged_since(position));
        match left_to {
            Some(who) => {
                let words = format!("is a member of r, which admin1 may not take back; {who} can: {sql}");
                assert!(uncovered.contains(&words), "{by_hand:?}: {uncovered}");
                assert!(seen.login.is_empty() && made.uncovered == seen.uncovered, "{by_hand:?}: {seen:?}");
                assert_eq!(sent, [""; 0], "{by_hand:?}");
                assert_refused(&server, sql, refusal).await;
            }
            None => {
                assert_eq!(seen.login.iter().map(|gap| gap.what.as_str()).collect::<Vec<_>>(), ["is a member of r"]);
                assert!(!uncovered.contains("member of r"), "{by_hand:?}: {uncovered}");
                assert_eq!(sent, [sql], "{by_hand:?}");
            }
        }
        assert_eq!(mysql(&server).read(&ro).await.unwrap(), made);
    }
}

async fn assert_refused(server: &TestServer, sql: &str, code: u16) {
    let error = server.connect(ADMIN, "").await.unwrap().query_drop(sql).await.unwrap_err();
    assert!(matches!(&error, mysql_async::Error::Server(said) if said.code == code), "{error}");
}

#[tokio::test]
async fn of_mariadb_are_judged_as_the_server_does() {
    is_judged_as_the_server_does(TestServer::start_mariadb(&[]).await, 1698, ON_MARIADB).await;
}

#[tokio::test]
async fn of_mysql_are_judged_as_the_server_does() {
    is_judged_as_the_server_does(TestServer::start_mysql(&[]).await, 1227, ON_MYSQL).await;
}
