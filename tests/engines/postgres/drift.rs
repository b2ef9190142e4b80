use rdsaccess::access::Access;

use super::*;

async fn prepared() -> (PostgresServer, RoleSpec, String) {
    let server = PostgresServer::start().await;
    server.master("app").await.batch_execute(EVERY_KIND).await.unwrap();
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*server.engine(), &spec).await;
    let sql = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'rdsaccess%'";
    let group = column(&server.master("app").await, sql).await.remove(0);
    (server, spec, group)
}

/// Does something by hand, looks at the words, lets the engine repair it, and looks again.
async fn seen_and_repaired(by_hand: &str, words: &[&str]) -> PostgresServer {
    let (server, spec, group) = prepared().await;
    let sql = by_hand.replace("$group", &group);
    server.superuser("app").await.batch_execute(&sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let engine = server.engine();
    let observed = engine.read(&spec).await.unwrap();
    let login: Vec<String> = observed.login.iter().map(|gap| gap.what.clone()).collect();
    let text = format!("{}; {}", observed.coverage.texts()["app"], login.join("; ")).replace(&group, "$group");
    for expected in words {
        assert!(text.contains(expected), "`{expected}` is not in `{text}`");
    }
    assert_complete(&engine.ensure(&spec, None).await.unwrap());
    assert_complete(&server.engine().read(&spec).await.unwrap());
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_were_taken_from_the_group() {
    seen_and_repaired(
        "REVOKE SELECT ON sales.orders, sales.notes, sales.parts FROM \"$group\";
         REVOKE USAGE ON SCHEMA sales FROM \"$group\"; REVOKE CONNECT ON DATABASE app FROM \"$group\"",
        &[
            "missing SELECT on 2 tables: sales.orders, sales.parts",
            "missing SELECT on view sales.notes",
            "missing USAGE on schema sales",
            "missing CONNECT on database app",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_the_group_got_beyond_its_level() {
    let server = seen_and_repaired(
        "SET ROLE admin1; GRANT INSERT, DELETE ON sales.orders TO \"$group\";
         GRANT UPDATE (note) ON sales.orders TO \"$group\";
         GRANT CREATE ON SCHEMA sales TO \"$group\"; GRANT SELECT ON sales.parts TO \"$group\" WITH GRANT OPTION;
         GRANT CREATE, CONNECT ON DATABASE postgres TO \"$group\";
         ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT DELETE ON TABLES TO \"$group\";
         ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO \"$group\";
         CREATE FUNCTION sales.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
         GRANT EXECUTE ON FUNCTION sales.f() TO \"$group\"",
        &[
            "extra INSERT on table sales.orders",
            "extra DELETE on table sales.orders",
            "extra UPDATE on table sales.orders",
            "extra CREATE on schema sales",
            "extra GRANT OPTION FOR SELECT on table sales.parts",
            "extra CREATE on database postgres",
            "extra CONNECT on database postgres",
            "extra DELETE for later tables of admin1 on schema sales",
            "extra EXECUTE for later functions of admin1 on schema (all)",
            "extra EXECUTE on function sales.f()",
        ],
    )
    .await;
    let ro = enter(&server, "hoop_ro", "app").await;
    assert_allowed(&ro, &["SELECT * FROM sales.parts"]).await;
    assert_denied(&ro, &["INSERT INTO sales.orders (note) VALUES ('x')", "UPDATE sales.orders SET note = 'x'"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_the_group_got_from_somebody_who_is_not_the_owner() {
    let server = seen_and_repaired(
        "SET ROLE admin1; CREATE ROLE middle; GRANT USAGE ON SCHEMA sales TO middle;
         GRANT UPDATE ON sales.parts TO middle WITH GRANT OPTION; RESET ROLE;
         SET ROLE middle; GRANT UPDATE ON sales.parts TO \"$group\"",
        &["extra UPDATE on table sales.parts"],
    )
    .await;
    let kept = "SELECT has_table_privilege('middle', 'sales.parts', 'UPDATE')::text";
    assert_eq!(column(&server.superuser("app").await, kept).await, ["true"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_changed() {
    let server = seen_and_repaired(
        "ALTER ROLE hoop_ro NOLOGIN NOINHERIT CREATEROLE VALID UNTIL '2001-01-01' CONNECTION LIMIT 0;
         ALTER ROLE hoop_ro IN DATABASE app SET role = 'admin1'; SET ROLE admin1;
         CREATE ROLE extra; GRANT extra TO hoop_ro;
         REVOKE \"$group\" FROM hoop_ro",
        &[
            "login is disabled",
            "login does not inherit the rights of its groups",
            "has CREATEROLE",
            "login is valid until 2001-01-01T00:00:00Z, not for ever",
            "login may have 0 sessions, not any number of sessions",
            "is a member of extra",
            "runs as admin1 in database app",
            "is not a member of $group",
        ],
    )
    .await;
    let ro = enter(&server, "hoop_ro", "app").await;
    assert_allowed(&ro, &["SELECT * FROM sales.orders"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_made_strong() {
    seen_and_repaired(
        "SET ROLE admin1; ALTER ROLE \"$group\" LOGIN CREATEROLE; CREATE ROLE extra; GRANT extra TO \"$group\"",
        &["group $group has LOGIN", "group $group has CREATEROLE", "group $group is a member of extra"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_schema_a_new_table_and_a_new_creator() {
    seen_and_repaired(
        "SET ROLE admin1; CREATE SCHEMA later; CREATE TABLE later.t (id int); CREATE ROLE newcomer;
         GRANT CREATE ON SCHEMA sales TO newcomer",
        &[
            "missing USAGE on schema later",
            "missing SELECT for later tables of admin1 on schema later",
            "missing SELECT for later tables of newcomer on schema sales",
            "missing SELECT on table later.t",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_gone_is_made_again() {
    let (server, spec, _) = prepared().await;
    server.master("app").await.batch_execute("DROP ROLE hoop_ro").await.unwrap();
    let engine = server.engine();
    let observed = engine.read(&spec).await.unwrap();
    assert_eq!(observed.ownership, rdsaccess::engine::Ownership::Absent);
    assert_eq!(observed.coverage.texts()["app"], "role is missing");
    make(&*engine, &spec).await;
    enter(&server, "hoop_ro", "app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_to_others_and_what_is_within_the_level_stay() {
    let (server, spec, _) = prepared().await;
    let master = server.master("app").await;
    let by_hand = "CREATE ROLE other; GRANT INSERT ON sales.orders TO other; GRANT SELECT ON sales.orders TO hoop_ro;
        GRANT SELECT ON sales.orders TO PUBLIC";
    master.batch_execute(by_hand).await.unwrap();
    let engine = server.engine();
    assert_complete(&engine.read(&spec).await.unwrap());
    engine.ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap();
    let acl = "SELECT relacl::text FROM pg_class WHERE oid = 'sales.orders'::regclass";
    let acl = column(&master, acl).await.remove(0);
    for held in ["other=a/admin1", "hoop_ro=r/admin1", "=r/admin1"] {
        assert!(acl.contains(held), "{held} is not in {acl}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_apply_sends_nothing() {
    let (server, spec, _) = prepared().await;
    let engine = server.engine();
    let before = server.log().len();
    assert_complete(&engine.ensure(&spec, None).await.unwrap());
    let log = server.log().split_off(before);
    let statements: Vec<&str> =
        log.lines().filter_map(|line| line.split_once("statement: ")).map(|(_, sql)| sql).collect();
    assert!(!statements.is_empty());
    for sql in statements {
        assert!(sql.starts_with("SELECT "), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_group_may_pass_on_of_single_columns() {
    let server = seen_and_repaired(
        "CREATE ROLE bystander; GRANT USAGE ON SCHEMA sales TO bystander; SET ROLE admin1;
         GRANT SELECT (note) ON sales.orders TO \"$group\" WITH GRANT OPTION;
         GRANT UPDATE ON sales.orders TO \"$group\"; GRANT UPDATE (id) ON sales.orders TO \"$group\";
         GRANT UPDATE (note) ON sales.orders TO \"$group\" WITH GRANT OPTION; RESET ROLE; SET ROLE \"$group\";
         GRANT SELECT (note), UPDATE (note) ON sales.orders TO bystander; RESET ROLE",
        &["extra GRANT OPTION FOR SELECT on table sales.orders", "extra UPDATE on table sales.orders"],
    )
    .await;
    let superuser = server.superuser("app").await;
    let sql = "SELECT attacl::text FROM pg_attribute WHERE attrelid = 'sales.orders'::regclass AND attacl IS NOT NULL";
    let lists = column(&superuser, sql).await.join(" ");
    assert!(!lists.contains('*') && !lists.contains("bystander") && !lists.contains("w/"), "{lists}");
}
