//! Round trips to a distant server, counted on the wire and compared with what the server says it was sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join_all;
use rdsaccess::access::EngineKind;
use rdsaccess::engine::{Connections, Ownership, Removal, RemovalAction, open};

use super::*;
use crate::figures::{Figure, with_login_and_lock};
use crate::proxy::{Connection, Proxy};

const DATABASES: [&str; 4] = ["app", "postgres", "second", "third"];
/// Round trips of a login inside TLS: the user and the database, and two of SCRAM.
const SET_UP: usize = 3;

/// A server far away, whose log says for every statement which connection it came on.
pub(super) struct Distant {
    pub(super) server: PostgresServer,
    proxy: Proxy,
}

impl Distant {
    /// With one relation of every kind in each of these databases.
    pub(super) async fn start(databases: &[&str]) -> Self {
        let server = PostgresServer::start().await;
        let owner = server.superuser("postgres").await;
        for database in databases.iter().filter(|name| !["app", "postgres"].contains(*name)) {
            owner.batch_execute(&format!("CREATE DATABASE {database} OWNER admin1")).await.unwrap();
        }
        for sql in ["ALTER SYSTEM SET log_line_prefix = '%a|%u|%d|%r|'", "SELECT pg_reload_conf()"] {
            owner.batch_execute(sql).await.unwrap();
        }
        for database in databases {
            server.master(database).await.batch_execute(EVERY_KIND).await.unwrap();
        }
        let proxy = Proxy::start(server.port()).await;
        Self { server, proxy }
    }

    /// The engine as a new process opens it.
    fn engine(&self) -> Arc<dyn Server> {
        let mut login = self.server.login();
        login.endpoint.port = self.proxy.port;
        // As many as are needed: here round trips are counted, not connections.
        login.connections = Connections::at_most(DATABASES.len() + 1);
        open(EngineKind::Postgres, login).unwrap()
    }

    /// Runs a case with a new engine, and counts.
    pub(super) async fn count(
        &self,
        case: &str,
        bar: usize,
        work: impl AsyncFnOnce(Arc<dyn Server>),
    ) -> BTreeMap<String, usize> {
        let (known, logged) = (self.proxy.connections().len(), self.server.log().len());
        let start = Instant::now();
        work(self.engine()).await;
        let time = start.elapsed();
        let connections = self.proxy.connections().split_off(known);
        let round_trips = connections.iter().map(|connection| connection.round_trips).sum();
        let log = self.server.log().split_off(logged);
        let databases = by_database(&connections, &log);
        let count = databases.values().copied().max().unwrap_or(0);
        let beside = format!("{}, {:>4} statements", with_login_and_lock(round_trips, time), statements(&log));
        let case = if databases.len() > 1 {
            format!("PostgreSQL, {} databases: {case}", databases.len())
        } else {
            format!("PostgreSQL, {case}")
        };
        Figure { case, unit: "round trips per database", count, bar, beside }.check();
        databases
    }
}

/// Round trips per database, without set-up and without the connection of the lock. Each of them carried one batch, as
/// the server logged it.
fn by_database(connections: &[Connection], log: &str) -> BTreeMap<String, usize> {
    let mut databases = BTreeMap::new();
    for Connection { port, round_trips } in connections {
        let from = format!("|127.0.0.1({port})|LOG:  statement: ");
        let batches: Vec<(&str, &str)> = log.lines().filter_map(|line| line.split_once(&from)).collect();
        assert_eq!(*round_trips, SET_UP + batches.len(), "{batches:?}");
        if batches.iter().any(|(_, sql)| sql.contains("_advisory_")) {
            // Beside the lock it only asks whom the writer waits for, where that takes long.
            let lock = |sql: &str| sql.contains("_advisory_") || sql.contains("pg_blocking_pids");
            assert!(batches.iter().all(|(_, sql)| lock(sql)), "the lock has its own: {batches:?}");
            continue;
        }
        for (who, _) in batches {
            let database = who.rsplit('|').next().unwrap();
            *databases.entry(database.to_owned()).or_default() += 1;
        }
    }
    databases
}

/// How many statements the engine sent, those of the lock left out. It sends every statement of a batch on a line.
fn statements(log: &str) -> usize {
    let mut ours = false;
    let sent = log.lines().filter(|line| {
        ours = if line.starts_with('\t') { ours } else { line.starts_with("terraform-provider-rdsaccess|") };
        ours && !line.contains("_advisory_")
            && !line.contains("pg_blocking_pids")
            && (line.starts_with('\t') || line.contains("LOG:  statement: "))
    });
    sent.count()
}

fn each(databases: &[&str], count: usize) -> BTreeMap<String, usize> {
    databases.iter().map(|&name| (name.to_owned(), count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_takes_three_round_trips_per_database_and_a_look_one() {
    let distant = Distant::start(&DATABASES).await;
    let rw = spec("hoop_rw", Access::ReadWrite);
    let password = Secret::from(PASSWORD);
    let made = distant.count("create", 4, async |engine| {
        assert_complete(&engine.ensure(&rw, Some(&password)).await.unwrap());
    });
    assert_eq!(made.await, each(&DATABASES, 3), "a look, a transaction, a look at what is there then");

    let read = distant.count("read of one role", 1, async |engine| {
        assert_complete(&engine.read(&rw).await.unwrap());
    });
    assert_eq!(read.await, each(&DATABASES, 1));

    let nothing = distant.count("apply with nothing to do", 1, async |engine| {
        assert_complete(&engine.ensure(&rw, None).await.unwrap());
    });
    assert_eq!(nothing.await, each(&DATABASES, 1));

    let grantee = "SELECT grantee::regrole::text FROM pg_class, aclexplode(relacl) \
                   WHERE oid = 'sales.orders'::regclass AND grantee::regrole::text LIKE 'rdsaccess_rw_%' LIMIT 1";
    let group = column(&distant.server.master("second").await, grantee).await.remove(0);
    let revoke = format!("REVOKE INSERT ON sales.orders FROM {group}");
    distant.server.master("second").await.batch_execute(&revoke).await.unwrap();
    let repaired = distant.count("repair of one grant", 4, async |engine| {
        assert_complete(&engine.ensure(&rw, None).await.unwrap());
    });
    let mut wanted = each(&DATABASES, 2);
    wanted.insert("second".to_owned(), 3);
    assert_eq!(repaired.await, wanted, "the transaction is sent where the grant is missing");

    let how = Removal { action: RemovalAction::Drop, end_sessions: true, reassign_owned_to: None };
    let dropped = distant.count("drop", 8, async |engine| {
        assert_eq!(engine.remove(&rw, &how).await.unwrap(), [""; 0]);
    });
    // Read, close the login, look for its sessions; read, drop it, look again; read, drop the four groups.
    let mut wanted = each(&DATABASES, 2);
    wanted.insert("postgres".to_owned(), 8);
    assert_eq!(dropped.await, wanted, "everywhere else a look and a transaction for the group");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_roles_are_read_in_one_round_trip_per_database() {
    let distant = Distant::start(&DATABASES).await;
    let engine = distant.server.engine();
    let specs: Vec<RoleSpec> = (0..30).map(|n| spec(&format!("hoop_{n:02}"), Access::ALL[n % 3])).collect();
    for spec in specs.iter().take(3) {
        make(&*engine, spec).await;
    }
    for roles in [3, 30] {
        let case = format!("read of {roles} roles at once");
        let read = distant.count(&case, 1, async |engine| {
            let reads = specs.iter().take(roles).map(|spec| engine.read(spec));
            let seen: Vec<Observed> = try_join_all(reads).await.unwrap();
            seen.iter().take(3).for_each(assert_complete);
            assert!(seen.iter().skip(3).all(|observed| observed.ownership == Ownership::Absent));
        });
        assert_eq!(read.await, each(&DATABASES, 1));
    }
}
