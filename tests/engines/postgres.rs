//! PostgreSQL: what a role may do is proved by logging in as it; what the engine sees is proved by changing things by
//! hand.

mod concurrency;
mod drift;
mod grants;
mod hostile;
mod large_schema;
mod levels;
mod ownership;
mod parallel;
mod passed_on;
mod property;
mod recording;
mod removal;
mod round_trips;
mod sessions;
mod terms;
mod tokens;
mod writer;

use rdsaccess::access::{Access, DatabaseName, Mark, Secret};
use rdsaccess::engine::{Observed, RoleSpec, Scope, Server};
use tokio_postgres::Client;

use crate::server_postgres::PostgresServer;

/// Resource id of the database under test.
pub const RESOURCE_ID: &str = "db-ABCDEFGHIJKL";
/// Password of every role that these tests make.
pub const PASSWORD: &str = "Sentinel~w0rd~7f3a";

/// A role on all databases and schemas.
pub fn spec(name: &str, access: Access) -> RoleSpec {
    RoleSpec {
        name: name.parse().unwrap(),
        host: "%".parse().unwrap(),
        access,
        scope: Scope::default(),
        grants: Default::default(),
        terms: Default::default(),
        mark: Mark::new(RESOURCE_ID, Some(format!("{access} login"))),
        adopt: false,
        known: false,
    }
}

/// A role on some databases.
pub fn spec_in(name: &str, access: Access, databases: &[&str]) -> RoleSpec {
    let mut spec = spec(name, access);
    spec.scope.databases = Some(databases.iter().map(|d| d.parse::<DatabaseName>().unwrap()).collect());
    spec
}

/// The three roles of an access gateway.
pub fn trio() -> [RoleSpec; 3] {
    [
        spec_in("hoop_ro", Access::ReadOnly, &["app"]),
        spec_in("hoop_rw", Access::ReadWrite, &["app"]),
        spec_in("hoop_ddl", Access::Ddl, &["app"]),
    ]
}

/// Makes a role with the usual password; everything must be complete afterwards.
pub async fn make(engine: &dyn Server, spec: &RoleSpec) -> Observed {
    let observed = engine.ensure(spec, Some(&Secret::from(PASSWORD))).await.unwrap_or_else(|e| panic!("{e}"));
    assert_complete(&observed);
    observed
}

pub fn assert_complete(observed: &Observed) {
    assert!(observed.login.is_empty(), "{:?}", observed.login);
    assert!(observed.coverage.is_complete(), "{:?}", observed.coverage.texts());
}

/// A schema with one relation of every kind, owned by the master user.
pub const EVERY_KIND: &str = "
    CREATE SCHEMA sales;
    CREATE TABLE sales.orders (id serial PRIMARY KEY, note text);
    CREATE TABLE sales.parts (id int) PARTITION BY RANGE (id);
    CREATE TABLE sales.parts_low PARTITION OF sales.parts FOR VALUES FROM (0) TO (100);
    CREATE VIEW sales.notes AS SELECT note FROM sales.orders;
    CREATE MATERIALIZED VIEW sales.counts AS SELECT count(*) FROM sales.orders;
    CREATE SEQUENCE sales.numbers;
    INSERT INTO sales.orders (note) VALUES ('first')";

/// The SQLSTATE of a refusal, or `ok`.
pub async fn outcome(client: &Client, sql: &str) -> String {
    match client.batch_execute(sql).await {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned()),
    }
}

pub async fn assert_allowed(client: &Client, statements: &[&str]) {
    for sql in statements {
        assert_eq!(outcome(client, sql).await, "ok", "{sql}");
    }
}

pub async fn assert_denied(client: &Client, statements: &[&str]) {
    for sql in statements {
        assert_eq!(outcome(client, sql).await, "42501", "{sql}");
    }
}

/// One column of text; nulls are left out.
pub async fn column(client: &Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).await.unwrap().iter().filter_map(|row| row.get(0)).collect()
}

/// Logs in as a role that these tests made.
pub async fn enter(server: &PostgresServer, role: &str, database: &str) -> Client {
    server.connect(role, PASSWORD, database).await.unwrap_or_else(|e| panic!("{role}: {e:?}"))
}
