//! Locks that somebody else holds end in an error with the name of the holder.

use std::time::Duration;

use rdsaccess::access::Access;
use rdsaccess::engine::{Fault, Server};

use super::*;
use crate::server_mariadb::DBA;

async fn blocked(server: &TestServer) -> (String, String) {
    let impatient = Mysql::new(server.admin()).unwrap().with_patience(Duration::from_secs(1));
    let error = impatient.ensure(&role("hoop_ro", Access::ReadOnly), None).await.unwrap_err();
    match error.fault {
        Fault::Blocked { step, text } => (step, text),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn the_holder_of_the_global_read_lock_is_named() {
    let server = TestServer::start(&[
        "--performance-schema=ON",
        "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON",
    ])
    .await;
    server.by_hand(&["CREATE DATABASE app"]).await;
    let mut holder = server.connect(DBA, "").await.unwrap();
    holder.query_drop("FLUSH TABLES WITH READ LOCK").await.unwrap();
    let (step, text) = blocked(&server).await;
    assert_eq!(step, "creating the account hoop_ro");
    assert!(
        text.contains("error 1205") && text.contains(&format!("held by session {} of user dba", holder.id())),
        "{text}"
    );
    holder.query_drop("UNLOCK TABLES").await.unwrap();
    assert_complete(&ensure(&mysql(&server), &role("hoop_ro", Access::ReadOnly)).await, &["app"]);
}

#[tokio::test]
async fn without_performance_schema_the_sessions_that_may_hold_it_are_named() {
    let server = TestServer::start(&[]).await;
    let mut holder = server.connect(DBA, "").await.unwrap();
    holder.query_drop("FLUSH TABLES WITH READ LOCK").await.unwrap();
    let (_, text) = blocked(&server).await;
    assert!(
        text.contains("one of these does") && text.contains(&format!("session {} of user dba", holder.id())),
        "{text}"
    );
}
