//! What our own sessions rely on, whatever the server would have them do.

use rdsaccess::access::{Access, Identifier};
use rdsaccess::engine::Server;

use super::*;

/// In GBK the last byte of this name and the backtick behind it are one character.
const SWALLOWING: &str = "文";

#[tokio::test]
async fn a_character_set_that_the_server_imposes_changes_no_name() {
    let server = TestServer::start(&["--init-connect=SET NAMES gbk"]).await;
    let (database, table) =
        (format!("CREATE DATABASE `{SWALLOWING}`"), format!("CREATE TABLE `{SWALLOWING}`.t (id INT)"));
    server.by_hand(&["SET NAMES utf8mb4", &database, &table]).await;
    let mut conn = server.connect(crate::server_mariadb::ADMIN, "").await.unwrap();
    let imposed: Vec<String> = conn.query("SELECT @@character_set_client").await.unwrap();
    assert_eq!(imposed, ["gbk"]);

    let ro = role(&format!("ro_{SWALLOWING}"), Access::ReadOnly);
    assert_complete(&ensure(&mysql(&server), &ro).await, &[SWALLOWING]);
    let mut conn = enter(&server, ro.name.as_str(), SWALLOWING).await;
    may(&mut conn, "SELECT * FROM t").await;
    mysql(&server).remove(&ro, &removal::dropped()).await.unwrap();
    assert!(server.connect((ro.name.as_str(), PASSWORD), "").await.is_err());
}

#[tokio::test]
async fn a_session_whose_machine_vanished_ends_soon() {
    let server = TestServer::start(&["--performance-schema=ON"]).await;
    let mysql = mysql(&server);
    mysql.ping().await.unwrap();
    let ended_after = |setting: &str| setting.parse::<u32>().unwrap();
    let global = server.by_hand(&["SELECT @@GLOBAL.wait_timeout"]).await;
    assert_eq!(ended_after(&global[0][0]), 28_800, "the server's own is hours");
    if server.is_mysql {
        // The session rests in the pool and still has it.
        let kept = "SELECT v.VARIABLE_VALUE FROM performance_schema.variables_by_thread v JOIN \
                    performance_schema.threads t USING (THREAD_ID) WHERE t.PROCESSLIST_USER = 'admin1' AND \
                    v.VARIABLE_NAME = 'wait_timeout'";
        assert_eq!(server.by_hand(&[kept]).await, [["180"]]);
    } else {
        // MariaDB shows nobody the settings of another session.
        assert!(server.logged_since(0).contains("SESSION wait_timeout = 180"));
    }
    mysql.ping().await.unwrap();
}
