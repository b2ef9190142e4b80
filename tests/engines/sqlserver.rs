//! Roles on SQL Server, proven by logging in as the role; see `server_sqlserver` for which server that is.

mod drift;
mod faults;
mod levels;
mod passwords;
mod removal;

use std::collections::{BTreeMap, BTreeSet};

use rdsaccess::access::{Access, Coverage, Grant, Mark, ObjectKind, Secret};
use rdsaccess::engine::sqlserver::SqlServer;
use rdsaccess::engine::{Observed, RoleSpec, Scope, Server};

use super::server_sqlserver::{Connection, TestServer, query};

const PASSWORD: &str = "R0le-pass.word~geheim";

fn sqlserver(server: &TestServer) -> SqlServer {
    SqlServer::new(server.admin()).unwrap().with_patience(std::time::Duration::from_secs(20))
}

/// A role of ours in these databases. `adopt` stands for the stored secret, which is what says so.
fn role(server: &TestServer, name: &str, access: Access, databases: &[&str]) -> RoleSpec {
    let name = server.name(name);
    server.drop_later(format!("DROP LOGIN [{}]", name.replace(']', "]]")));
    let databases: BTreeSet<_> = databases.iter().map(|name| name.parse().unwrap()).collect();
    RoleSpec {
        name: name.parse().unwrap(),
        host: "%".parse().unwrap(),
        access,
        scope: Scope { databases: Some(databases), ..Scope::default() },
        grants: Default::default(),
        terms: Default::default(),
        mark: Mark::new("db-TEST", None),
        adopt: true,
        known: false,
    }
}

fn grant(database: &str, kind: ObjectKind, schema: Option<&str>, objects: Option<&[&str]>, words: &[&str]) -> Grant {
    Grant {
        database: database.parse().unwrap(),
        schema: schema.map(|name| name.parse().unwrap()),
        kind,
        objects: objects.map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
        privileges: words.iter().map(|word| word.parse().unwrap()).collect(),
    }
}

fn password() -> Secret<String> {
    Secret::from(PASSWORD)
}

async fn ensure(sqlserver: &SqlServer, role: &RoleSpec) -> Observed {
    sqlserver.ensure(role, Some(&password())).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn converge(sqlserver: &SqlServer, role: &RoleSpec) -> Observed {
    sqlserver.ensure(role, None).await.unwrap_or_else(|error| panic!("{error}"))
}

fn texts(coverage: &Coverage) -> BTreeMap<String, String> {
    coverage.texts()
}

fn assert_complete(observed: &Observed, databases: &[&str]) {
    let texts = texts(&observed.coverage);
    assert_eq!(texts.keys().map(String::as_str).collect::<Vec<_>>(), databases);
    assert!(observed.coverage.is_complete(), "{texts:?}");
    assert!(observed.login.is_empty(), "{:?}", observed.login);
}

/// Logs in as the role.
async fn enter(server: &TestServer, role: &RoleSpec, database: &str) -> Connection {
    let user = role.name.to_string();
    server.connect((&user, PASSWORD), database).await.unwrap_or_else(|error| panic!("{user} at {database}: {error}"))
}

async fn may(connection: &mut Connection, statement: &str) {
    query(connection, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// The statement is refused for want of a right, and not for anything else.
async fn may_not(connection: &mut Connection, statement: &str) {
    match query(connection, statement).await.map_err(|error| error.code()) {
        Err(Some(229 | 230 | 262 | 297 | 300 | 1088 | 4613 | 15151 | 15247)) => {}
        other => panic!("{statement}: {other:?}"),
    }
}
