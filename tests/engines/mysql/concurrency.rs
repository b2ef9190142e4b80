//! Thirty roles at once, beside people who grant and revoke on the same tables and take no lock of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use rdsaccess::engine::{Connections, Login};
use tokio::task::JoinHandle;

use super::*;
use crate::figures::{Figure, Peak};
use crate::server_mariadb::{ADMIN, DBA};

const ROLES: usize = 30;
const DATABASES: [&str; 3] = ["app", "billing", "stock"];
/// Another administrator.
const SECOND: &str = "second";
const BETWEEN_SAMPLES: Duration = Duration::from_millis(5);

/// A session that does something without a pause until told to stop; it says how often it did.
type Loop = JoinHandle<usize>;

/// Grants and revokes to accounts of its own, on the databases and tables that the roles cover.
async fn annoy(mut conn: Conn, number: usize, stop: Arc<AtomicBool>) -> usize {
    let user = format!("'bystander_{number}'@'%'");
    for round in 0.. {
        if stop.load(Ordering::SeqCst) {
            return round;
        }
        conn.query_drop(format!("CREATE USER {user}")).await.unwrap();
        for database in DATABASES {
            for (grant, to) in [("GRANT", "TO"), ("REVOKE", "FROM")] {
                conn.query_drop(format!("{grant} SELECT ON {database}.* {to} {user}")).await.unwrap();
                conn.query_drop(format!("{grant} SELECT, INSERT ON {database}.t {to} {user}")).await.unwrap();
            }
        }
        conn.query_drop(format!("DROP USER {user}")).await.unwrap();
    }
    unreachable!("it goes on until it is told to stop")
}

/// Looks for the provider's connections. Returns how many there were at most.
async fn sample(mut conn: Conn, stop: Arc<AtomicBool>) -> usize {
    let sql = format!(
        "SELECT ID FROM information_schema.processlist WHERE USER IN ('{}', '{SECOND}') OR USER LIKE 'hoop%'",
        ADMIN.0
    );
    let mut peak = Peak::default();
    while !stop.load(Ordering::SeqCst) {
        let ids: Vec<u64> = conn.query(&sql).await.unwrap();
        peak.note(ids.into_iter().collect());
        tokio::time::sleep(BETWEEN_SAMPLES).await;
    }
    assert!(peak.has_seen(), "the samples show the provider's connections");
    peak.most()
}

/// Makes all roles at once, each process its share of them, and proves that they are whole.
async fn make_all(processes: usize) {
    let server = TestServer::start(&[]).await;
    for database in DATABASES {
        server.by_hand(&[&format!("CREATE DATABASE {database}"), &format!("CREATE TABLE {database}.t (id INT)")]).await;
    }
    let specs: Vec<RoleSpec> = (0..ROLES).map(|n| role(&format!("hoop_{n:02}"), Access::ALL[n % 3])).collect();
    let engines: Vec<Mysql> = (0..processes).map(|_| mysql(&server)).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let mut others: Vec<Loop> = Vec::new();
    for number in 0..2 {
        let conn = server.connect(DBA, "").await.unwrap();
        others.push(tokio::spawn(annoy(conn, number, Arc::clone(&stop))));
    }
    let conn = server.connect(DBA, "").await.unwrap();
    let sampling: Loop = tokio::spawn(sample(conn, Arc::clone(&stop)));
    let password = password();
    let calls = engines.iter().cycle().zip(&specs).map(|(mysql, spec)| mysql.ensure(spec, Some(&password)));
    let (made, read) = (try_join_all(calls).await, try_join_all(specs.iter().map(|spec| engines[0].read(spec))).await);
    stop.store(true, Ordering::SeqCst);
    for observed in made.unwrap_or_else(|error| panic!("{error}")).iter().chain(&read.unwrap()) {
        assert_complete(observed, &DATABASES);
    }
    let mut rounds = 0;
    for other in others {
        rounds += other.await.unwrap();
    }
    assert!(rounds > 0, "somebody else was at work");
    let (count, bar) = (sampling.await.unwrap(), server.admin().connections.bound() * processes);
    assert!(count > 0, "the samples show the provider's connections");
    let engine = if server.is_mysql { "MySQL" } else { "MariaDB" };
    let case = format!("{engine}, {ROLES} roles at once, {processes} processes");
    let beside = format!("{rounds} rounds of others");
    Figure { case, unit: "connections at most", count, bar, beside }.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_roles_of_one_process_hold_beside_others_who_grant() {
    make_all(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_roles_of_five_processes_hold_beside_others_who_grant() {
    make_all(5).await;
}

/// Twelve roles at once, six by each of two administrators, and a login of every role to try its password.
async fn of_two_administrators(bound: usize) -> usize {
    let server = TestServer::start(&[]).await;
    let make = format!("CREATE USER {SECOND}@'%' IDENTIFIED BY 'Second-Pass1'");
    let give = format!("GRANT ALL ON *.* TO {SECOND}@'%' WITH GRANT OPTION");
    server.by_hand(&["CREATE DATABASE app", &make, &give]).await;
    let first = Login { connections: Connections::at_most(bound), ..server.admin() };
    let second = Login { username: SECOND.parse().unwrap(), key: Secret::from("Second-Pass1").into(), ..first.clone() };
    let engines = [first, second].map(|login| Mysql::new(login).unwrap().with_patience(Duration::from_secs(20)));
    let specs: Vec<RoleSpec> = (0..12).map(|n| role(&format!("hoop_{n:02}"), Access::ALL[n % 3])).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let sampling: Loop = tokio::spawn(sample(server.connect(DBA, "").await.unwrap(), Arc::clone(&stop)));
    let password = password();
    let calls = engines.iter().cycle().zip(&specs).map(async |(mysql, spec)| {
        mysql.read(spec).await.unwrap();
        assert_complete(&ensure(mysql, spec).await, &["app"]);
        assert!(mysql.proves(spec, &password).await.unwrap());
    });
    futures_util::future::join_all(calls).await;
    stop.store(true, Ordering::SeqCst);
    sampling.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_of_one_server_stay_within_one_bound() {
    for bound in [3, 1] {
        let case = format!("MariaDB or MySQL, 12 roles at once, 2 administrators, at most {bound}");
        let count = of_two_administrators(bound).await;
        Figure { case, unit: "connections at most", count, bar: bound, beside: String::new() }.check();
    }
}
