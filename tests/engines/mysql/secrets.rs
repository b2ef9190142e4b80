//! No password in any statement, log or table of the server, also when a statement failed.

use rdsaccess::access::{Access, Secret};
use rdsaccess::engine::{Fault, Login, Server};

use super::*;

#[tokio::test]
async fn a_password_is_nowhere_on_the_server_even_after_statements_that_failed() {
    let server = TestServer::start(&[
        "--performance-schema=ON",
        "--performance-schema-consumer-events-statements-history-long=ON",
        "--performance-schema-consumer-events-statements-history=ON",
    ])
    .await;
    server
        .by_hand(&[
            "CREATE DATABASE app",
            "CREATE USER weak@'%' IDENTIFIED BY 'weak-Pass1'",
            "GRANT SELECT ON *.* TO weak@'%'",
        ])
        .await;
    let ro = role("hoop_ro", Access::ReadOnly);
    let login = Login { username: "weak".parse().unwrap(), key: Secret::from("weak-Pass1").into(), ..server.admin() };
    let weak = Mysql::new(login).unwrap();
    let refused = weak.ensure(&ro, Some(&password())).await.unwrap_err();
    assert!(matches!(refused.fault, Fault::Denied { .. }), "{refused}");
    ensure(&mysql(&server), &ro).await;
    let second = Secret::from("Rotated-pass.word~2");
    assert!(weak.ensure(&ro, Some(&second)).await.is_err());
    mysql(&server).ensure(&ro, Some(&second)).await.unwrap();

    let seen = server
        .by_hand(&[
            "SELECT COUNT(*) FROM performance_schema.events_statements_history_long WHERE SQL_TEXT LIKE '%hoop_ro%'",
        ])
        .await;
    assert_ne!(seen, [["0"]], "the statements are recorded, so that their absence below says something");
    for (start, end) in [("R0le-pass", ".word~geheim"), ("Rotated-pass", ".word~2")] {
        for table in ["events_statements_history_long", "events_statements_history"] {
            let query = format!(
                "SELECT COUNT(*) FROM performance_schema.{table} WHERE SQL_TEXT LIKE CONCAT('%', '{start}', '{end}', '%')"
            );
            assert_eq!(server.by_hand(&[&query]).await, [["0"]], "{table}");
        }
        let clear = format!("{start}{end}");
        assert!(!server.logged_since(0).contains(&clear), "the general log");
        assert!(!server.text("error.log").contains(&clear), "the error log");
        assert!(!format!("{refused} {refused:?}").contains(&clear));
    }
}
