use rdsaccess::access::Access;
use rdsaccess::engine::{Fault, Removal, RemovalAction};

use super::*;

const NAMES: [&str; 8] = [
    "hoop\"quoted\"",
    "hoop'); DROP TABLE t; --",
    "hoop\\back\\slash\\",
    " hoop with spaces ",
    "hoop日本ünïcode",
    "SELECT hoop",
    "hoop$$;{}%s",
    "hoop_sixty_three_bytes_long_name_that_fits_exactly_into_the_limi",
];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_of_everything_are_only_names() {
    let server = PostgresServer::start().await;
    let master = server.master("postgres").await;
    let before = super::removal::traces(&server, &["postgres"]).await;
    for (n, name) in NAMES.iter().enumerate() {
        let name = &name.chars().take(63).collect::<String>();
        master.batch_execute(&format!("CREATE DATABASE {}", quoted(name))).await.unwrap();
        let inside = server.master(name).await;
        let setup = format!(
            "CREATE SCHEMA {q}; CREATE TABLE {q}.{q} (id serial, {q} text); CREATE SEQUENCE {q}.{s}; CREATE ROLE {owner};
             GRANT CREATE, USAGE ON SCHEMA {q} TO {owner}",
            q = quoted(name),
            s = quoted(&format!("{}'s", name.chars().take(20).collect::<String>())),
            owner = quoted(&format!("o{n}{}", name.chars().take(20).collect::<String>())),
        );
        inside.batch_execute(&setup).await.unwrap_or_else(|e| panic!("{setup}: {e:?}"));
        let level = Access::ALL[n % 3];
        let mut spec = spec_in(name, level, &[name]);
        spec.scope.schemas = Some([name.parse().unwrap()].into());
        let engine = server.engine();
        make(&*engine, &spec).await;
        assert!(engine.accepts(&spec, &Secret::from(PASSWORD)).await.unwrap());

        let client = enter(&server, name, name).await;
        let (select, insert) = (
            format!("SELECT * FROM {q}.{q}", q = quoted(name)),
            format!("INSERT INTO {q}.{q} DEFAULT VALUES", q = quoted(name)),
        );
        assert_allowed(&client, &[&select]).await;
        match level {
            Access::ReadOnly => assert_denied(&client, &[&insert]).await,
            Access::ReadWrite | Access::Ddl => assert_allowed(&client, &[&insert]).await,
        }
        assert_complete(&server.engine().read(&spec).await.unwrap());
        drop(client);
        let how = Removal { action: RemovalAction::Drop, end_sessions: true, reassign_owned_to: None };
        assert_eq!(engine.remove(&spec, &how).await.unwrap_or_else(|e| panic!("{e}")), Vec::<String>::new());
    }
    let after = super::removal::traces(&server, &["postgres"]).await;
    let left: Vec<_> = after.iter().filter(|t| !before.contains(t) && t.contains("rdsaccess")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_server_would_cut_is_refused_before_anything_is_sent() {
    let server = PostgresServer::start().await;
    let before = server.log().len();
    let error = server.engine().ensure(&spec(&"x".repeat(64), Access::ReadOnly), None).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Unsupported(text) if text.contains("63 bytes")), "{error}");
    assert_eq!(server.log().len(), before);
}
