//! Destroy leaves nothing behind, and says what it cannot end.

use rdsaccess::access::Access;
use rdsaccess::engine::{Removal, RemovalAction, Server};

use super::*;

pub(crate) fn dropped() -> Removal {
    Removal { action: RemovalAction::Drop, end_sessions: true, reassign_owned_to: None }
}

async fn prepared(access: Access) -> (TestServer, Mysql, RoleSpec) {
    furnished(TestServer::start(&[]).await, access).await
}

async fn furnished(server: TestServer, access: Access) -> (TestServer, Mysql, RoleSpec) {
    server.by_hand(&["CREATE DATABASE app_prod", "CREATE TABLE app_prod.t (id INT)"]).await;
    let (mysql, role) = (mysql(&server), role("hoop_x", access));
    ensure(&mysql, &role).await;
    (server, mysql, role)
}

async fn left(server: &TestServer) -> String {
    let counts = ["user", "db", "tables_priv", "columns_priv", "procs_priv"]
        .map(|table| format!("SELECT COUNT(*) AS n FROM mysql.{table} WHERE User = 'hoop_x'"));
    server.by_hand(&[&format!("SELECT SUM(n) FROM ({}) AS counts", counts.join(" UNION ALL "))]).await[0][0].clone()
}

#[tokio::test]
async fn a_dropped_role_leaves_nothing_and_dropping_it_again_succeeds() {
    let (server, mysql, role) = prepared(Access::ReadOnly).await;
    assert_eq!(left(&server).await, "2");
    assert_eq!(mysql.remove(&role, &dropped()).await.unwrap(), [""; 0]);
    assert_eq!(left(&server).await, "0");
    assert_eq!(mysql.remove(&role, &dropped()).await.unwrap(), [""; 0]);
    assert_eq!(texts(&mysql.read(&role).await.unwrap().coverage)["app_prod"], "role is missing");
}

#[tokio::test]
async fn open_sessions_end_with_the_role() {
    let (server, mysql, role) = prepared(Access::ReadWrite).await;
    let mut conn = enter(&server, "hoop_x", "app_prod").await;
    may(&mut conn, "INSERT INTO t VALUES (1)").await;
    assert_eq!(mysql.remove(&role, &dropped()).await.unwrap(), [""; 0]);
    assert!(conn.query_drop("INSERT INTO t VALUES (2)").await.is_err(), "a session outlived its role");
    assert_eq!(server.by_hand(&["SELECT COUNT(*) FROM app_prod.t"]).await, [["1"]]);
}

/// An open session keeps its rights on its current database whatever is revoked, until it ends.
async fn sessions_end_and_clients_may_come_back(server: TestServer) {
    let (server, mysql, role) = furnished(server, Access::ReadWrite).await;
    let other = crate::mysql::role("hoop_other", Access::ReadOnly);
    ensure(&mysql, &other).await;
    let mut with_database = enter(&server, "hoop_x", "app_prod").await;
    let mut without = enter(&server, "hoop_x", "").await;
    let mut of_another = enter(&server, "hoop_other", "app_prod").await;
    let reader = RoleSpec { access: Access::ReadOnly, ..role };
    ensure(&mysql, &reader).await;
    may(&mut with_database, "INSERT INTO t VALUES (1)").await;

    let position = server.log_position();
    assert_eq!(mysql.end_sessions(&reader).await.unwrap(), [""; 0]);
    for ended in [&mut with_database, &mut without] {
        let error = ended.query_drop("DO 1").await.unwrap_err();
        assert!(!is_of_statement(&error), "the session is still open: {error}");
    }
    may(&mut of_another, "SELECT * FROM t").await;
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
    let mut again = enter(&server, "hoop_x", "app_prod").await;
    may(&mut again, "SELECT * FROM t").await;
    may_not(&mut again, "INSERT INTO t VALUES (2)").await;

    // Neither a role that is not there nor one of somebody else has sessions of ours.
    let absent = crate::mysql::role("hoop_absent", Access::ReadOnly);
    assert_eq!(mysql.end_sessions(&absent).await.unwrap(), [""; 0]);
    let theirs = RoleSpec { adopt: false, mark: Mark::new("db-OTHER", None), ..reader };
    assert_eq!(mysql.end_sessions(&theirs).await.unwrap(), [""; 0]);
    may(&mut again, "SELECT * FROM t").await;
}

/// Whether the server refused a statement, in a session that is open.
fn is_of_statement(error: &mysql_async::Error) -> bool {
    // Killed; closed by the server while idle.
    matches!(error, mysql_async::Error::Server(said) if ![1927, 3169, 4031].contains(&said.code))
}

#[tokio::test]
async fn sessions_of_mariadb_end_and_clients_may_come_back() {
    sessions_end_and_clients_may_come_back(TestServer::start_mariadb(&[]).await).await;
}

#[tokio::test]
async fn sessions_of_mysql_end_and_clients_may_come_back() {
    sessions_end_and_clients_may_come_back(TestServer::start_mysql(&[]).await).await;
}

#[tokio::test]
async fn sessions_that_are_left_open_are_named() {
    let (server, mysql, role) = prepared(Access::ReadWrite).await;
    let mut conn = enter(&server, "hoop_x", "app_prod").await;
    let warnings = mysql.remove(&role, &Removal { end_sessions: false, ..dropped() }).await.unwrap();
    assert!(warnings.len() == 1 && warnings[0].contains(&format!("id {}", conn.id())), "{warnings:?}");
    assert_eq!(left(&server).await, "0");
    may(&mut conn, "INSERT INTO t VALUES (1)").await;
}

#[tokio::test]
async fn sessions_of_another_account_of_the_same_user_live_on() {
    let (server, mysql, role) = prepared(Access::ReadOnly).await;
    server
        .by_hand(&[
            "CREATE USER hoop_x@'127.0.0.1' IDENTIFIED BY 'x-Other1'",
            "GRANT SELECT ON app_prod.* TO hoop_x@'127.0.0.1'",
        ])
        .await;
    let mut theirs = server.connect(("hoop_x", "x-Other1"), "app_prod").await.unwrap();
    mysql.remove(&role, &dropped()).await.unwrap();
    may(&mut theirs, "SELECT * FROM t").await;
}

#[tokio::test]
async fn a_disabled_role_keeps_its_name_and_nothing_else() {
    let (server, mysql, role) = prepared(Access::ReadOnly).await;
    let how = Removal { action: RemovalAction::Disable, ..dropped() };
    mysql.remove(&role, &how).await.unwrap();
    assert_eq!(left(&server).await, "1");
    assert!(server.connect(("hoop_x", PASSWORD), "").await.is_err());
    assert_complete(&ensure(&mysql, &role).await, &["app_prod"]);
    enter(&server, "hoop_x", "app_prod").await;
}

#[tokio::test]
async fn what_the_role_defines_is_named_when_it_goes() {
    let (server, mysql, role) = prepared(Access::Ddl).await;
    may(&mut enter(&server, "hoop_x", "app_prod").await, "CREATE VIEW v AS SELECT * FROM t").await;
    if server.is_mysql {
        let error = mysql.remove(&role, &dropped()).await.unwrap_err().to_string();
        assert!(error.contains("it is the DEFINER of view app_prod.v"), "{error}");
        server.by_hand(&["GRANT ALLOW_NONEXISTENT_DEFINER ON *.* TO admin1"]).await;
    }
    let warnings = mysql.remove(&role, &dropped()).await.unwrap();
    assert!(warnings.len() == 1 && warnings[0].contains("view app_prod.v"), "{warnings:?}");
    assert_eq!(left(&server).await, "0");
}
