use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rdsaccess::access::Access;
use rdsaccess::engine::postgres::Postgres;
use rdsaccess::engine::{Fault, Removal, RemovalAction};

use super::*;

const DATABASES: [&str; 4] = ["app", "second", "third", "postgres"];

async fn with_databases() -> PostgresServer {
    let server = PostgresServer::start().await;
    let master = server.master("postgres").await;
    for database in ["second", "third"] {
        master.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
    }
    for database in DATABASES {
        server.master(database).await.batch_execute(EVERY_KIND).await.unwrap();
    }
    server
}

fn specs() -> Vec<RoleSpec> {
    ["hoop_ro", "hoop_rw", "hoop_ddl"].iter().zip(Access::ALL).map(|(name, level)| spec(name, level)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_roles_in_four_databases_from_two_processes_do_not_collide() {
    let server = with_databases().await;
    let specs = specs();
    let password = Secret::from(PASSWORD);
    let processes: Vec<Arc<dyn Server>> = vec![server.engine(), server.engine()];
    let calls = processes.iter().flat_map(|engine| specs.iter().map(|spec| engine.ensure(spec, Some(&password))));
    for result in join_all(calls).await {
        assert_complete(&result.unwrap_or_else(|e| panic!("{e}")));
    }
    let log = server.log();
    for conflict in ["tuple concurrently", "deadlock detected", "already exists", "duplicate key"] {
        assert!(!log.contains(conflict), "{conflict}");
    }
    let engine = server.engine();
    for spec in &specs {
        let observed = engine.read(spec).await.unwrap();
        assert_complete(&observed);
        assert_eq!(observed.coverage.databases.len(), DATABASES.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_with_other_tools_are_tried_again() {
    let server = with_databases().await;
    let other = server.master("app").await;
    other.batch_execute("CREATE ROLE bystander").await.unwrap();
    let noise = tokio::spawn(async move {
        for _ in 0..400 {
            let sql = "GRANT SELECT ON sales.orders TO bystander; REVOKE SELECT ON sales.orders FROM bystander";
            let _may_collide_too = other.batch_execute(sql).await;
        }
    });
    let engine = server.engine();
    for n in 0..6 {
        let spec = spec_in(&format!("hoop_{n}"), Access::ALL[n % 3], &["app"]);
        make(&*engine, &spec).await;
        let spec = spec_in(&format!("hoop_{n}"), Access::ALL[(n + 1) % 3], &["app"]);
        assert_complete(&engine.ensure(&spec, None).await.unwrap_or_else(|e| panic!("{e}")));
    }
    noise.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_is_killed_anywhere_is_completed_by_the_next() {
    let server = with_databases().await;
    let specs = specs();
    for (n, millis) in (1..60).step_by(4).enumerate() {
        let spec = &specs[n % 3];
        let password = Secret::from(PASSWORD);
        let engine = server.engine();
        let killed = tokio::time::timeout(Duration::from_millis(millis), engine.ensure(spec, Some(&password))).await;
        drop(killed);
        drop(engine);
        let engine = server.engine();
        make(&*engine, spec).await;
        enter(&server, &spec.name.to_string(), "third").await;
        let how = rdsaccess::engine::Removal {
            action: rdsaccess::engine::RemovalAction::Drop,
            end_sessions: true,
            reassign_owned_to: None,
        };
        let killed = tokio::time::timeout(Duration::from_millis(millis), engine.remove(spec, &how)).await;
        drop(killed);
        assert_eq!(server.engine().remove(spec, &how).await.unwrap_or_else(|e| panic!("{e}")), Vec::<String>::new());
        let traces = super::removal::traces(&server, &DATABASES).await;
        assert!(!traces.iter().any(|t| t.contains("rdsaccess") || t.contains("hoop")), "after {millis} ms: {traces:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_waits_for_another_process() {
    let server = with_databases().await;
    let other = server.master("postgres").await;
    other.batch_execute("SELECT pg_advisory_lock(1380209473, 1)").await.unwrap();
    let (engine, spec) = (server.engine(), spec_in("hoop_ro", Access::ReadOnly, &["app"]));
    let password = Secret::from(PASSWORD);
    let mut waiting = engine.ensure(&spec, Some(&password));
    assert!(tokio::time::timeout(Duration::from_millis(700), &mut waiting).await.is_err());
    let made = "SELECT rolname::text FROM pg_roles WHERE rolname = 'hoop_ro'";
    assert!(column(&other, made).await.is_empty());
    other.batch_execute("SELECT pg_advisory_unlock(1380209473, 1)").await.unwrap();
    assert_complete(&waiting.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_somebody_else_ends_in_an_error_that_names_the_holder() {
    let server = with_databases().await;
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    let quick = || Postgres::new(server.login()).unwrap().with_lock_wait(Duration::from_millis(400));
    let other = server.master("app").await;
    other.batch_execute("CREATE ROLE bystander; BEGIN; GRANT SELECT ON sales.orders TO bystander").await.unwrap();
    let pid = column(&other, "SELECT pg_backend_pid()::text").await.remove(0);
    let engine = quick();
    let error = engine.ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
    let Fault::Blocked { text, .. } = &error.fault else { panic!("{error}") };
    for expected in
        ["55P03", &format!("held by process {pid}, test, user admin1, idle in transaction, in a transaction since 20")]
    {
        assert!(text.contains(expected), "`{expected}` is not in `{text}`");
    }
    // Nothing is left half done, and with the lock gone the same call succeeds; so does one that waits meanwhile.
    let roles = "SELECT rolname::text FROM pg_roles WHERE rolname = 'hoop_ro'";
    assert!(column(&server.superuser("app").await, roles).await.is_empty());
    let later = async {
        tokio::time::sleep(Duration::from_millis(900)).await;
        other.batch_execute("COMMIT").await.unwrap();
    };
    let password = Secret::from(PASSWORD);
    let (made, ()) = tokio::join!(engine.ensure(&spec, Some(&password)), later);
    assert_complete(&made.unwrap());

    other.batch_execute("BEGIN; GRANT INSERT ON sales.orders TO bystander").await.unwrap();
    let how = Removal { action: RemovalAction::Drop, end_sessions: true, reassign_owned_to: None };
    let error = quick().remove(&spec, &how).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains(&format!("held by process {pid}")), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn round_trips_stay_within_the_bound() {
    let server = with_databases().await;
    let engine = server.engine();
    let count = |from: usize, database: &str| {
        let log = server.log().split_off(from);
        let start = format!("terraform-provider-rdsaccess|admin1|{database}|LOG:  statement: ");
        let batches = log.lines().filter(|line| line.starts_with(&start) && !line.contains("_advisory_"));
        // A batch is logged once, whatever number of statements it holds.
        batches.count()
    };
    let before = server.log().len();
    engine.read(&spec("hoop_ro", Access::ReadOnly)).await.unwrap();
    engine.read(&spec("hoop_rw", Access::ReadWrite)).await.unwrap();
    for database in ["app", "second", "third", "postgres"] {
        assert_eq!(count(before, database), 1, "reading {database}");
    }
    let before = server.log().len();
    make(&*engine, &spec("hoop_rw", Access::ReadWrite)).await;
    for database in DATABASES {
        assert!(count(before, database) <= 4, "{database}: {}", count(before, database));
    }
}
