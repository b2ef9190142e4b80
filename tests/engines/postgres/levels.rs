use rdsaccess::access::Access;

use super::*;

const READS: [&str; 6] = [
    "SELECT * FROM sales.orders",
    "SELECT * FROM sales.parts",
    "SELECT * FROM sales.parts_low",
    "SELECT * FROM sales.notes",
    "SELECT * FROM sales.counts",
    "SELECT last_value FROM sales.numbers",
];
const WRITES: [&str; 5] = [
    "INSERT INTO sales.orders (note) VALUES ('x')",
    "UPDATE sales.orders SET note = 'y'",
    "DELETE FROM sales.orders WHERE note = 'z'",
    "SELECT nextval('sales.numbers')",
    "SELECT setval('sales.numbers', 5)",
];
const CHANGES: [&str; 3] = [
    "TRUNCATE sales.orders",
    "CREATE TABLE sales.made_by_ddl (id serial, owner_note text)",
    "CREATE FUNCTION sales.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
];
/// What no level may do.
const ESCALATIONS: [&str; 6] = [
    "CREATE ROLE escalated",
    "CREATE SCHEMA escalated",
    "SET ROLE admin1",
    "GRANT rds_superuser TO CURRENT_USER",
    "DROP TABLE sales.orders",
    "ALTER TABLE sales.orders ADD COLUMN c int",
];

#[tokio::test(flavor = "multi_thread")]
async fn each_level_can_do_what_it_promises_and_nothing_more() {
    let server = PostgresServer::start().await;
    let master = server.master("app").await;
    master.batch_execute(EVERY_KIND).await.unwrap();
    let engine = server.engine();
    for spec in &trio() {
        make(&*engine, spec).await;
    }

    let ro = enter(&server, "hoop_ro", "app").await;
    assert_allowed(&ro, &READS).await;
    assert_denied(&ro, &WRITES).await;
    assert_denied(&ro, &CHANGES).await;
    let rw = enter(&server, "hoop_rw", "app").await;
    assert_allowed(&rw, &READS).await;
    assert_allowed(&rw, &WRITES).await;
    assert_denied(&rw, &CHANGES).await;
    let ddl = enter(&server, "hoop_ddl", "app").await;
    assert_allowed(&ddl, &READS).await;
    assert_allowed(&ddl, &WRITES).await;
    assert_allowed(&ddl, &CHANGES).await;
    for client in [&ro, &rw, &ddl] {
        for sql in ESCALATIONS {
            assert_ne!(outcome(client, sql).await, "ok", "{sql}");
        }
        // The server answers this with a warning; the access list below shows that nothing happened.
        let _only_a_warning = outcome(client, "GRANT SELECT ON sales.orders TO hoop_ro").await;
    }
    let granted = column(&master, "SELECT relacl::text FROM pg_class WHERE oid = 'sales.orders'::regclass").await;
    assert!(!granted[0].contains("hoop_"), "the login itself was granted something: {granted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn later_objects_of_every_creator_are_covered() {
    let server = PostgresServer::start().await;
    let master = server.master("app").await;
    master.batch_execute(EVERY_KIND).await.unwrap();
    // A role that owns nothing yet, one that inherits its right to create, and one that only the schema's owner is.
    let creators =
        "CREATE ROLE direct LOGIN PASSWORD 'direct'; CREATE ROLE team; CREATE ROLE inheriting LOGIN IN ROLE team;
        GRANT USAGE, CREATE ON SCHEMA sales TO direct, team";
    master.batch_execute(creators).await.unwrap();
    let engine = server.engine();
    let memberships = "SELECT roleid::regrole || ' ' || member::regrole || ' ' || admin_option FROM pg_auth_members
        WHERE roleid::regrole::text !~ 'hoop|rdsaccess' ORDER BY 1";
    let before = column(&master, memberships).await;
    // The ddl role comes last: what its group makes must reach the groups that were there before.
    for spec in &trio() {
        make(&*engine, spec).await;
    }
    assert_eq!(column(&master, memberships).await, before, "a borrowed role was not given back");

    let superuser = server.superuser("app").await;
    for role in ["admin1", "direct", "inheriting", "team"] {
        let sql = format!("SET ROLE {role}; CREATE TABLE sales.later_{role} (id serial); RESET ROLE");
        superuser.batch_execute(&sql).await.unwrap();
    }
    let ddl = enter(&server, "hoop_ddl", "app").await;
    ddl.batch_execute("CREATE TABLE sales.later_ddl (id serial)").await.unwrap();

    // Before PostgreSQL 15 this schema belongs to the superuser, and everybody may create in it.
    ddl.batch_execute("CREATE TABLE public.later_ddl (id serial)").await.unwrap();

    let (ro, rw) = (enter(&server, "hoop_ro", "app").await, enter(&server, "hoop_rw", "app").await);
    assert_allowed(&ro, &["SELECT * FROM public.later_ddl"]).await;
    assert_allowed(&rw, &["INSERT INTO public.later_ddl DEFAULT VALUES"]).await;
    for creator in ["admin1", "direct", "inheriting", "team", "ddl"] {
        let (select, insert) = (
            format!("SELECT * FROM sales.later_{creator}"),
            format!("INSERT INTO sales.later_{creator} DEFAULT VALUES"),
        );
        assert_allowed(&ro, &[&select]).await;
        assert_denied(&ro, &[&insert]).await;
        assert_allowed(&rw, &[&select, &insert]).await;
        assert_allowed(&ddl, &[&select, &insert, &format!("TRUNCATE sales.later_{creator}")]).await;
    }
    let engine = server.engine();
    for spec in &trio() {
        assert_complete(&engine.read(spec).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_ddl_login_makes_belongs_to_the_group_and_every_ddl_login_may_change_it() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let master = server.master("app").await;
    master.batch_execute("CREATE SCHEMA sales").await.unwrap();
    make(&*engine, &spec_in("first", Access::Ddl, &["app"])).await;
    make(&*engine, &spec_in("second", Access::Ddl, &["app"])).await;

    let first = enter(&server, "first", "app").await;
    first.batch_execute("CREATE TABLE sales.t (id int)").await.unwrap();
    let second = enter(&server, "second", "app").await;
    assert_allowed(&second, &["ALTER TABLE sales.t ADD COLUMN c int", "DROP TABLE sales.t"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn named_owners_let_ddl_change_what_is_theirs() {
    let server = PostgresServer::start().await;
    let master = server.master("app").await;
    let setup = "CREATE SCHEMA sales; CREATE ROLE keeper; CREATE ROLE other; GRANT keeper, other TO admin1;
        CREATE TABLE sales.kept (id int); CREATE TABLE sales.strange (id int);
        GRANT USAGE, CREATE ON SCHEMA sales TO keeper, other;
        ALTER TABLE sales.kept OWNER TO keeper; ALTER TABLE sales.strange OWNER TO other";
    master.batch_execute(setup).await.unwrap();
    let mut spec = spec_in("hoop_ddl", Access::Ddl, &["app"]);
    spec.scope.owners = Some(["keeper".parse().unwrap()].into());
    make(&*server.engine(), &spec).await;

    let ddl = enter(&server, "hoop_ddl", "app").await;
    assert_allowed(&ddl, &["ALTER TABLE sales.kept ADD COLUMN c int"]).await;
    assert_denied(&ddl, &["ALTER TABLE sales.strange ADD COLUMN c int", "SET ROLE other"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_schema_is_all_that_a_role_sees() {
    let server = PostgresServer::start().await;
    let master = server.master("app").await;
    master.batch_execute(EVERY_KIND).await.unwrap();
    master.batch_execute("CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int)").await.unwrap();
    let mut spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    spec.scope.schemas = Some(["sales".parse().unwrap()].into());
    make(&*server.engine(), &spec).await;

    let ro = enter(&server, "hoop_ro", "app").await;
    assert_allowed(&ro, &READS).await;
    assert_denied(&ro, &["SELECT * FROM hidden.t"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_databases_means_those_that_are_not_the_systems() {
    let server = PostgresServer::start().await;
    let observed = make(&*server.engine(), &spec("hoop_ro", Access::ReadOnly)).await;
    let databases: Vec<_> = observed.coverage.databases.keys().cloned().collect();
    assert_eq!(databases, ["app", "postgres"]);
    assert_eq!(observed.covered.iter().collect::<Vec<_>>(), ["app", "postgres"]);
    assert_eq!(observed.default_database.unwrap().to_string(), "app");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_level_takes_the_old_one_away() {
    let server = PostgresServer::start().await;
    let master = server.master("app").await;
    master.batch_execute(EVERY_KIND).await.unwrap();
    let engine = server.engine();
    make(&*engine, &spec_in("hoop", Access::Ddl, &["app"])).await;
    let reader = spec_in("hoop", Access::ReadOnly, &["app"]);
    let before = engine.read(&reader).await.unwrap();
    assert!(before.login.iter().any(|gap| gap.what.starts_with("is a member of rdsaccess_ddl_")), "{before:?}");
    assert_eq!(before.access, Access::Ddl);
    assert_complete(&engine.ensure(&reader, None).await.unwrap());

    let client = enter(&server, "hoop", "app").await;
    assert_allowed(&client, &READS).await;
    assert_denied(&client, &WRITES).await;
    let groups = column(&master, "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'rdsaccess%'").await;
    assert!(groups.len() == 1 && groups[0].starts_with("rdsaccess_ro_"), "{groups:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_level_of_a_role_made_by_hand_is_inferred() {
    let server = PostgresServer::start().await;
    let master = server.master("app").await;
    master.batch_execute(EVERY_KIND).await.unwrap();
    let setup = "CREATE ROLE none LOGIN; CREATE ROLE r LOGIN; CREATE ROLE w LOGIN; CREATE ROLE d LOGIN;
        GRANT SELECT ON sales.orders TO r; GRANT SELECT, UPDATE ON sales.orders TO w;
        GRANT CREATE ON SCHEMA sales TO d";
    master.batch_execute(&setup.replace("ROLE none", "ROLE nobody_yet")).await.unwrap();
    let engine = server.engine();
    for (name, level) in
        [("nobody_yet", Access::ReadOnly), ("r", Access::ReadOnly), ("w", Access::ReadWrite), ("d", Access::Ddl)]
    {
        let observed = engine.read(&spec_in(name, Access::ReadOnly, &["app"])).await.unwrap();
        assert_eq!(observed.access, level, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_tables_and_partitions_that_come_later_are_covered() {
    let server = PostgresServer::start().await;
    let (master, superuser) = (server.master("app").await, server.superuser("app").await);
    master.batch_execute(EVERY_KIND).await.unwrap();
    let wrapper = "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
        GRANT USAGE ON FOREIGN SERVER far TO admin1";
    superuser.batch_execute(wrapper).await.unwrap();
    master.batch_execute("CREATE FOREIGN TABLE sales.before (id int) SERVER far").await.unwrap();
    let engine = server.engine();
    for spec in &trio() {
        make(&*engine, spec).await;
    }
    let later = "CREATE FOREIGN TABLE sales.after (id int) SERVER far;
        CREATE TABLE sales.parts_high PARTITION OF sales.parts FOR VALUES FROM (100) TO (200);
        CREATE MATERIALIZED VIEW sales.sums AS SELECT 1 AS one; CREATE VIEW sales.ones AS SELECT 1 AS one;
        INSERT INTO sales.parts VALUES (150)";
    master.batch_execute(later).await.unwrap();
    let (ro, rw) = (enter(&server, "hoop_ro", "app").await, enter(&server, "hoop_rw", "app").await);
    let reads = ["SELECT * FROM sales.parts_high", "SELECT * FROM sales.sums", "SELECT * FROM sales.ones"];
    for client in [&ro, &rw] {
        assert_allowed(client, &reads).await;
    }
    // The wrapper has no code, so that the server itself is asked.
    for (role, privilege, expected) in [
        ("hoop_ro", "SELECT", true),
        ("hoop_ro", "INSERT", false),
        ("hoop_rw", "INSERT", true),
        ("hoop_rw", "TRUNCATE", false),
    ] {
        for table in ["before", "after"] {
            let sql = format!("SELECT has_table_privilege('{role}', 'sales.{table}', '{privilege}')::text");
            assert_eq!(column(&superuser, &sql).await, [expected.to_string()], "{role} {privilege} {table}");
        }
    }
    assert_denied(&ro, &["INSERT INTO sales.parts_high VALUES (160)", "TRUNCATE sales.parts_high"]).await;
    assert_allowed(&rw, &["INSERT INTO sales.parts_high VALUES (160)", "UPDATE sales.parts SET id = 161"]).await;
    for spec in &trio() {
        assert_complete(&server.engine().read(spec).await.unwrap());
    }
}
