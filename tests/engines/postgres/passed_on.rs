//! Rights that were passed on, in ways that the server's CASCADE does not follow: one apply takes them all back.

use rdsaccess::access::Access;

use super::*;

const SETUP: &str = "
    CREATE SCHEMA sales; CREATE TABLE sales.a (id int, note text); CREATE ROLE middle; CREATE ROLE keeper;
    GRANT keeper TO admin1; GRANT USAGE ON SCHEMA sales TO middle; GRANT USAGE, CREATE ON SCHEMA sales TO keeper;
    CREATE TABLE sales.b (id int); ALTER TABLE sales.b OWNER TO keeper;
    GRANT ALL ON sales.a TO middle WITH GRANT OPTION";

const GROUPS: &str = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'rdsaccess%' ORDER BY 1";

/// The login, with this done to it and its group by a superuser.
async fn after(by_hand: &str) -> (PostgresServer, RoleSpec, Client) {
    let server = PostgresServer::start().await;
    server.master("app").await.batch_execute(SETUP).await.unwrap();
    let spec = spec_in("hoop", Access::ReadOnly, &["app"]);
    make(&*server.engine(), &spec).await;
    let superuser = server.superuser("app").await;
    let group = column(&superuser, GROUPS).await.remove(0);
    superuser.batch_execute(&format!("{}; RESET ROLE", by_hand.replace("$group", &group))).await.unwrap();
    (server, spec, superuser)
}

/// One apply takes everything beyond SELECT on tables away, and a second one sends nothing.
async fn assert_taken_back(server: &PostgresServer, spec: &RoleSpec, superuser: &Client) {
    let lists = "SELECT x::text FROM pg_class, unnest(relacl) AS x WHERE relnamespace = 'sales'::regnamespace
        UNION ALL SELECT x::text FROM pg_attribute, unnest(attacl) AS x WHERE attrelid = 'sales.a'::regclass";
    let beyond = || async {
        let lines = column(superuser, lists).await;
        let ours = |line: &String| line.starts_with("hoop=") || line.starts_with("rdsaccess_");
        lines.into_iter().filter(|line| ours(line) && !line.contains("=r/")).collect::<Vec<_>>()
    };
    assert!(!beyond().await.is_empty());
    assert_complete(&server.engine().ensure(spec, None).await.unwrap());
    assert_eq!(beyond().await, Vec::<String>::new());
    let before = server.log().len();
    assert_complete(&server.engine().ensure(spec, None).await.unwrap());
    let log = server.log().split_off(before);
    assert!(!log.contains("BEGIN"), "a second apply sent something: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_login_to_its_own_group() {
    let (server, spec, superuser) = after(
        "GRANT UPDATE, SELECT ON sales.a TO hoop WITH GRANT OPTION;
         SET ROLE hoop; GRANT UPDATE, SELECT ON sales.a TO $group WITH GRANT OPTION",
    )
    .await;
    assert_taken_back(&server, &spec, &superuser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_login_and_its_group_to_each_other() {
    let (server, spec, superuser) = after(
        "GRANT UPDATE ON sales.a TO hoop, $group WITH GRANT OPTION;
         SET ROLE hoop; GRANT UPDATE ON sales.a TO $group WITH GRANT OPTION;
         SET ROLE $group; GRANT UPDATE ON sales.a TO hoop WITH GRANT OPTION",
    )
    .await;
    assert_taken_back(&server, &spec, &superuser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_somebody_who_has_lost_the_right_to_give() {
    let (server, spec, superuser) = after(
        "GRANT UPDATE ON sales.a TO hoop WITH GRANT OPTION;
         SET ROLE hoop; GRANT UPDATE ON sales.a TO $group WITH GRANT OPTION;
         RESET ROLE; REVOKE ALL ON sales.a FROM hoop CASCADE",
    )
    .await;
    let left =
        "SELECT x::text FROM pg_class, unnest(relacl) AS x WHERE oid = 'sales.a'::regclass AND x::text ~ '/hoop'";
    assert_eq!(column(&superuser, left).await.len(), 1, "the server's CASCADE has become complete");
    assert_taken_back(&server, &spec, &superuser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn along_a_chain_that_ends_at_the_group() {
    let (server, spec, superuser) = after(
        "SET ROLE middle; GRANT UPDATE, DELETE ON sales.a TO hoop WITH GRANT OPTION;
         SET ROLE hoop; GRANT UPDATE, DELETE ON sales.a TO $group WITH GRANT OPTION",
    )
    .await;
    assert_taken_back(&server, &spec, &superuser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_column_by_one_and_on_its_table_by_another() {
    let (server, spec, superuser) = after(
        "GRANT UPDATE (note) ON sales.a TO hoop; SET ROLE middle; GRANT UPDATE ON sales.a TO hoop;
         RESET ROLE; GRANT UPDATE ON sales.a TO $group WITH GRANT OPTION;
         SET ROLE $group; GRANT UPDATE (id) ON sales.a TO hoop",
    )
    .await;
    assert_taken_back(&server, &spec, &superuser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_group_that_is_a_member_of_the_owner_and_that_nobody_needs_any_more() {
    let (server, mut spec, superuser) = after(
        "GRANT UPDATE ON sales.b TO $group WITH GRANT OPTION; SET ROLE $group; GRANT UPDATE ON sales.b TO hoop;
         SET ROLE admin1; GRANT keeper TO $group",
    )
    .await;
    spec.access = Access::ReadWrite;
    make(&*server.engine(), &spec).await;
    let groups = column(&superuser, GROUPS).await;
    assert!(groups.len() == 1 && groups[0].starts_with("rdsaccess_rw_"), "{groups:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_could_not_go_goes_with_the_next_apply_even_when_nothing_else_is_to_do() {
    let (server, mut spec, superuser) = after("CREATE SCHEMA locked; GRANT USAGE ON SCHEMA locked TO $group").await;
    superuser.batch_execute("CREATE TABLE locked.t (id int)").await.unwrap();
    let reader = column(&superuser, GROUPS).await.remove(0);
    superuser.batch_execute(&format!("ALTER TABLE locked.t OWNER TO {reader}")).await.unwrap();
    spec.access = Access::ReadWrite;
    server.engine().ensure(&spec, None).await.unwrap();
    assert_eq!(column(&superuser, GROUPS).await.len(), 2);

    superuser.batch_execute("DROP SCHEMA locked CASCADE").await.unwrap();
    assert_complete(&server.engine().ensure(&spec, None).await.unwrap());
    let groups = column(&superuser, GROUPS).await;
    assert!(groups.len() == 1 && groups[0].starts_with("rdsaccess_rw_"), "{groups:?}");
}
