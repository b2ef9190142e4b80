//! Roles on a real MariaDB (or MySQL, see `server_mariadb`), proven by logging in as the role.

mod access;
mod concurrency;
mod drift;
mod faults;
mod grants;
mod iam;
mod locks;
mod login;
mod memberships;
mod mysql_server;
mod powers;
mod property;
mod removal;
mod round_trips;
mod secrets;
mod sessions;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use rdsaccess::access::{Access, Coverage, Grant, Mark, ObjectKind, Secret};
use rdsaccess::engine::mysql::Mysql;
use rdsaccess::engine::{Observed, RoleSpec, Scope, Server};

use super::server_mariadb::TestServer;

const PASSWORD: &str = "R0le-pass.word~geheim";

fn mysql(server: &TestServer) -> Mysql {
    Mysql::new(server.admin()).unwrap().with_patience(std::time::Duration::from_secs(20))
}

/// A role of ours. `adopt` stands for the stored secret, which is what says so on MariaDB.
fn role(name: &str, access: Access) -> RoleSpec {
    RoleSpec {
        name: name.parse().unwrap(),
        host: "%".parse().unwrap(),
        access,
        scope: Scope::default(),
        grants: Default::default(),
        terms: Default::default(),
        mark: Mark::new("db-TEST", None),
        adopt: true,
        known: false,
    }
}

fn on(databases: &[&str], role: RoleSpec) -> RoleSpec {
    let databases: BTreeSet<_> = databases.iter().map(|name| name.parse().unwrap()).collect();
    RoleSpec { scope: Scope { databases: Some(databases), ..Scope::default() }, ..role }
}

/// One entry of `grants`.
fn single(database: &str, kind: ObjectKind, objects: &[&str], privileges: &[&str]) -> Grant {
    let names = objects.iter().map(|name| name.parse().unwrap()).collect();
    Grant {
        database: database.parse().unwrap(),
        schema: None,
        kind,
        objects: Some(names).filter(|_| !objects.is_empty()),
        privileges: privileges.iter().map(|name| name.parse().unwrap()).collect(),
    }
}

fn with(grants: &[Grant], role: RoleSpec) -> RoleSpec {
    RoleSpec { grants: grants.iter().cloned().collect(), ..role }
}

fn password() -> Secret<String> {
    Secret::from(PASSWORD)
}

async fn ensure(mysql: &Mysql, role: &RoleSpec) -> Observed {
    mysql.ensure(role, Some(&password())).await.unwrap_or_else(|error| panic!("{error}"))
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

/// Logs in as the role, with a current database.
async fn enter(server: &TestServer, user: &str, database: &str) -> Conn {
    server.connect((user, PASSWORD), database).await.unwrap_or_else(|error| panic!("{user} at {database}: {error}"))
}

async fn may(conn: &mut Conn, statement: &str) {
    conn.query::<Row, _>(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// The statement is refused for want of a right, and not for anything else.
async fn may_not(conn: &mut Conn, statement: &str) {
    match conn.query::<Row, _>(statement).await {
        Err(mysql_async::Error::Server(error)) if [1044, 1045, 1142, 1143, 1227, 1370].contains(&error.code) => {}
        other => panic!("{statement}: {:?}", other.map(|rows| rows.len())),
    }
}

/// The statements in a piece of the general log that change accounts or grants.
pub(crate) fn changing(log: &str) -> Vec<String> {
    let verbs = ["CREATE USER", "ALTER USER", "DROP USER", "GRANT ", "REVOKE "];
    let start = |line: &str| verbs.iter().filter_map(|verb| line.find(verb)).min();
    log.lines().filter_map(|line| start(line).map(|at| line[at..].trim_end_matches(';').to_owned())).collect()
}
