//! What must hold when something happens to the one who writes: the lock goes, the answer does not come, the caller goes.

use std::time::Duration;

use rdsaccess::engine::Fault;
use rdsaccess::engine::postgres::Postgres;

use super::*;

const OURS: &str = "application_name = 'terraform-provider-rdsaccess'";

/// A server where somebody has a grant on `public.t` open, for which every other grant on it waits.
async fn with_open_grant() -> (PostgresServer, Client) {
    let server = PostgresServer::start().await;
    let other = server.master("app").await;
    other.batch_execute("CREATE ROLE bystander; CREATE TABLE public.t (id int)").await.unwrap();
    other.batch_execute("BEGIN; GRANT SELECT ON public.t TO bystander").await.unwrap();
    (server, other)
}

/// How many statements of the engine wait for a lock.
async fn waiting(watcher: &Client) -> usize {
    let sql = format!("SELECT pid::text FROM pg_stat_activity WHERE {OURS} AND wait_event_type = 'Lock'");
    column(watcher, &sql).await.len()
}

async fn until(watcher: &Client, sql: &str) {
    for _ in 0..200 {
        if !column(watcher, sql).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it never became so: {sql}");
}

async fn until_blocked(watcher: &Client) {
    let sql = format!("SELECT pid::text FROM pg_stat_activity WHERE {OURS} AND wait_event_type = 'Lock'");
    until(watcher, &sql).await;
}

async fn assert_nothing_was_made(watcher: &Client) {
    // A statement that went on would be through by now.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let made = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'hoop%' OR rolname LIKE 'rdsaccess%'";
    assert_eq!(column(watcher, made).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_lost_its_lock_changes_nothing_beside_the_next() {
    let (server, other) = with_open_grant().await;
    let watcher = server.superuser("postgres").await;
    let quick = Duration::from_millis(300);
    let engine = Postgres::new(server.login()).unwrap().with_lock_wait(quick).with_patience(quick);
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    let writing = tokio::spawn(async move { engine.ensure(&spec, Some(&Secret::from(PASSWORD))).await });
    until_blocked(&watcher).await;
    let next = server.master("postgres").await;
    let taken = tokio::spawn(async move {
        next.batch_execute("SELECT pg_advisory_lock(1380209473, 1)").await.unwrap();
        next
    });
    let holders = |granted: &str| {
        format!("SELECT pid::text FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND {granted} granted")
    };
    until(&watcher, &holders("NOT")).await;
    let holder = column(&watcher, &holders("")).await.remove(0);
    watcher.batch_execute(&format!("SELECT pg_terminate_backend({holder})")).await.unwrap();
    let next = taken.await.unwrap();
    // The attempt that was under way has ended after this time, without success.
    tokio::time::sleep(quick * 3).await;
    other.batch_execute("COMMIT").await.unwrap();
    let error = writing.await.unwrap().unwrap_err();
    assert!(matches!(&error.fault, Fault::Blocked { text, .. } if text.contains("it is held by process")), "{error}");
    assert_nothing_was_made(&watcher).await;
    next.batch_execute("SELECT pg_advisory_unlock(1380209473, 1)").await.unwrap();
    make(&*server.engine(), &spec_in("hoop_ro", Access::ReadOnly, &["app"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_lost_its_lock_takes_it_again() {
    let (server, other) = with_open_grant().await;
    let watcher = server.superuser("postgres").await;
    let engine = Postgres::new(server.login()).unwrap().with_lock_wait(Duration::from_millis(300));
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    let writing = tokio::spawn(async move { engine.ensure(&spec, Some(&Secret::from(PASSWORD))).await });
    until_blocked(&watcher).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1";
    watcher.batch_execute(end).await.unwrap();
    let taken = "SELECT pid::text FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND granted";
    until(&watcher, taken).await;
    other.batch_execute("COMMIT").await.unwrap();
    assert_complete(&writing.await.unwrap().unwrap_or_else(|e| panic!("{e}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_not_carried_out_later() {
    let (server, other) = with_open_grant().await;
    let watcher = server.superuser("postgres").await;
    let engine = Postgres::new(server.login()).unwrap().with_round_trip(Duration::from_secs(1));
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    let error = engine.ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
    let told = matches!(&error.fault, Fault::ConnectionLost { text, .. } if text == "no answer within 1 seconds");
    assert!(told, "{error}");
    assert_eq!(waiting(&watcher).await, 0, "the server has stopped when the call returns");
    other.batch_execute("COMMIT").await.unwrap();
    assert_nothing_was_made(&watcher).await;
    make(&engine, &spec).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_left_behind_is_stopped_before_the_next_one_writes() {
    let (server, other) = with_open_grant().await;
    let watcher = server.superuser("postgres").await;
    let (engine, password) = (server.engine(), Secret::from(PASSWORD));
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    tokio::select! {
        made = engine.ensure(&spec, Some(&password)) => panic!("{made:?}"),
        () = until_blocked(&watcher) => {}
    }
    until(&watcher, "SELECT 'free' FROM pg_locks WHERE locktype = 'advisory' HAVING count(*) = 0").await;
    assert_eq!(waiting(&watcher).await, 0, "the lock is free, and the statements go on");
    other.batch_execute("COMMIT").await.unwrap();
    assert_nothing_was_made(&watcher).await;
    make(&*engine, &spec).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_asks_whether_its_client_is_still_there() {
    let server = PostgresServer::start().await;
    let superuser = server.superuser("app").await;
    // What a session was set to is seen in that session only.
    let setup = "CREATE TABLE public.seen (line text);
        CREATE FUNCTION public.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
            INSERT INTO public.seen SELECT name || ' ' || setting FROM pg_settings
              WHERE name LIKE 'tcp_%';
        END $$;
        CREATE EVENT TRIGGER note ON ddl_command_end WHEN TAG IN ('GRANT') EXECUTE FUNCTION public.note()";
    superuser.batch_execute(setup).await.unwrap();
    // Up to version 14 nothing is granted where there is nothing.
    let sales = "CREATE SCHEMA sales; CREATE TABLE sales.orders (id int)";
    server.master("app").await.batch_execute(sales).await.unwrap();
    make(&*server.engine(), &spec_in("hoop_ro", Access::ReadOnly, &["app"])).await;
    let seen = column(&superuser, "SELECT DISTINCT line FROM public.seen ORDER BY 1").await;
    let expected =
        ["tcp_keepalives_count 3", "tcp_keepalives_idle 30", "tcp_keepalives_interval 10", "tcp_user_timeout 60000"];
    assert_eq!(seen, expected);
}
