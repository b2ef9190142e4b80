//! Thirty roles at once, beside people who grant and revoke on the same tables and take no lock of ours.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rdsaccess::access::EngineKind;
use rdsaccess::engine::postgres::Postgres;
use rdsaccess::engine::{Connections, Fault, Login, Ownership, open};
use tokio::task::JoinHandle;

use super::*;
use crate::figures::{Figure, Peak};

const ROLES: usize = 30;
const SCHEMAS: usize = 10;
const BETWEEN_SAMPLES: Duration = Duration::from_millis(5);

async fn with_schemas() -> PostgresServer {
    let server = PostgresServer::start().await;
    let master = server.master("app").await;
    master.batch_execute("CREATE ROLE bystander").await.unwrap();
    for n in 0..SCHEMAS {
        let sql = format!("CREATE SCHEMA s{n}; CREATE TABLE s{n}.orders (id int); CREATE TABLE s{n}.parts (id int)");
        master.batch_execute(&sql).await.unwrap();
    }
    server
}

/// Three levels on each of ten schemas, so that every role has a group of its own to grant to.
fn specs() -> Vec<RoleSpec> {
    let spec = |n: usize| {
        let mut spec = spec_in(&format!("hoop_{n:02}"), Access::ALL[n % 3], &["app"]);
        spec.scope.schemas = Some([format!("s{}", n / 3).parse().unwrap()].into());
        spec
    };
    (0..ROLES).map(spec).collect()
}

/// Somebody who grants and revokes without a pause, in the order of the schemas and against it, until told to stop.
struct Bystander {
    stop: Arc<AtomicBool>,
    rounds: Vec<JoinHandle<usize>>,
}

impl Bystander {
    async fn start(server: &PostgresServer) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut rounds = Vec::new();
        for backwards in [false, true] {
            let session = server.master("app").await;
            rounds.push(tokio::spawn(annoy(session, backwards, Arc::clone(&stop))));
        }
        Self { stop, rounds }
    }

    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        join_all(self.rounds).await.into_iter().map(Result::unwrap).sum()
    }
}

async fn annoy(session: Client, backwards: bool, stop: Arc<AtomicBool>) -> usize {
    for round in 0.. {
        for n in 0..SCHEMAS {
            let (first, second) = if backwards { ("parts", "orders") } else { ("orders", "parts") };
            let n = if backwards { SCHEMAS - n - 1 } else { n };
            for (grant, from) in [("GRANT", "TO"), ("REVOKE", "FROM")] {
                let both = format!(
                    "BEGIN; {grant} SELECT ON s{n}.{first} {from} bystander; {grant} SELECT ON s{n}.{second} {from} bystander; COMMIT"
                );
                let schema = format!("{grant} USAGE ON SCHEMA s{n} {from} bystander");
                let defaults =
                    format!("ALTER DEFAULT PRIVILEGES IN SCHEMA s{n} {grant} SELECT ON TABLES {from} bystander");
                let database = format!("{grant} CONNECT ON DATABASE app {from} bystander");
                for sql in [both, schema, defaults, database] {
                    if stop.load(Ordering::SeqCst) {
                        return round;
                    }
                    if session.batch_execute(&sql).await.is_err() {
                        let _ends_what_collided_too = session.batch_execute("ROLLBACK").await;
                    }
                }
            }
        }
    }
    unreachable!("it goes on until it is told to stop")
}

/// Looks for the provider's connections until told to stop. Returns how many there were at most.
async fn sample(owner: Client, stop: Arc<AtomicBool>) -> usize {
    let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'terraform-provider-rdsaccess'";
    let mut peak = Peak::default();
    while !stop.load(Ordering::SeqCst) {
        let pids: BTreeSet<i32> = owner.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        peak.note(pids);
        tokio::time::sleep(BETWEEN_SAMPLES).await;
    }
    peak.most()
}

/// Makes all roles at once, each process its share of them, and proves that they are whole.
async fn make_all(server: &PostgresServer, processes: usize) {
    let specs = specs();
    let password = Secret::from(PASSWORD);
    let engines: Vec<Arc<dyn Server>> = (0..processes).map(|_| server.engine()).collect();
    let bystander = Bystander::start(server).await;
    let stop = Arc::new(AtomicBool::new(false));
    let sampling = tokio::spawn(sample(server.superuser("postgres").await, Arc::clone(&stop)));
    let calls = engines.iter().cycle().zip(&specs).map(|(engine, spec)| engine.ensure(spec, Some(&password)));
    let made = join_all(calls).await;
    stop.store(true, Ordering::SeqCst);
    let (count, rounds) = (sampling.await.unwrap(), bystander.stop().await);
    let errors: Vec<String> = made.iter().filter_map(|made| made.as_ref().err()).map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(rounds > 0, "somebody else was at work");
    assert!(count > 1, "the samples show the lock's connection and another");
    let log = server.log();
    let ours = log.lines().filter(|line| line.starts_with("terraform-provider-rdsaccess|") && line.contains("|ERROR:"));
    let beside = format!("{} conflicts with {rounds} rounds of others", ours.count());
    let case = format!("PostgreSQL, {ROLES} roles at once, {processes} processes");
    let bar = server.login().connections.bound() * processes;
    Figure { case, unit: "connections at most", count, bar, beside }.check();
    let engine = server.engine();
    for spec in &specs {
        assert_complete(&engine.read(spec).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_of_the_writers_lock_is_named() {
    let server = PostgresServer::start().await;
    let other = server.master("postgres").await;
    other.batch_execute("SELECT pg_advisory_lock(1380209473, 1)").await.unwrap();
    let pid = column(&other, "SELECT pg_backend_pid()::text").await.remove(0);
    let engine = Postgres::new(server.login()).unwrap().with_patience(Duration::from_millis(300));
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    let error = engine.ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
    let Fault::Blocked { step, text } = &error.fault else { panic!("{error}") };
    assert_eq!(step, "waiting for the lock of this provider");
    assert!(
        text.starts_with(&format!("it is held by process {pid}, test, user admin1, from 127.0.0.1, since ")),
        "{text}"
    );
    assert_eq!(engine.read(&spec).await.unwrap().ownership, Ownership::Absent, "nothing was sent");
    // The process that holds it dies, and its session with it.
    drop(other);
    make(&*server.engine(), &spec).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_roles_of_one_process_hold_beside_others_who_grant() {
    make_all(&with_schemas().await, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_roles_of_five_processes_hold_beside_others_who_grant() {
    make_all(&with_schemas().await, 5).await;
}

/// Twelve roles at once, six by each of two administrators, and a login of every role to try its password.
async fn of_two_administrators(server: &PostgresServer, bound: usize) -> usize {
    let first = Login { connections: Connections::at_most(bound), ..server.login() };
    let second =
        Login { username: "second".parse().unwrap(), key: Secret::from("Second~Pass1").into(), ..first.clone() };
    let engines = [first, second].map(|login| open(EngineKind::Postgres, login).unwrap());
    let specs: Vec<RoleSpec> =
        (0..12).map(|n| spec_in(&format!("hoop_{bound}_{n:02}"), Access::ALL[n % 2], &["app"])).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let sampling = tokio::spawn(sample(server.superuser("postgres").await, Arc::clone(&stop)));
    let password = Secret::from(PASSWORD);
    let calls = engines.iter().cycle().zip(&specs).map(async |(engine, spec)| {
        engine.read(spec).await.unwrap();
        assert_complete(&engine.ensure(spec, Some(&password)).await.unwrap_or_else(|error| panic!("{error}")));
        assert!(engine.accepts(spec, &password).await.unwrap());
    });
    join_all(calls).await;
    stop.store(true, Ordering::SeqCst);
    sampling.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_of_one_server_stay_within_one_bound() {
    let server = PostgresServer::start().await;
    let make = "CREATE ROLE second SUPERUSER LOGIN PASSWORD 'Second~Pass1'";
    server.superuser("app").await.batch_execute(make).await.unwrap();
    for (bound, most) in [(3, 3), (2, 2), (1, 2)] {
        let count = of_two_administrators(&server, bound).await;
        assert!(count > 1, "the samples show the lock's connection and another");
        let case = format!("PostgreSQL, 12 roles at once, 2 administrators, at most {bound}");
        let beside = "with a bound of one the lock of the writer comes on top".to_owned();
        Figure { case, unit: "connections at most", count, bar: most, beside }.check();
    }
}
