use std::time::Duration;

use rdsaccess::access::{Access, Identifier};
use rdsaccess::engine::{Fault, Removal, RemovalAction};

use super::*;

fn drop_role() -> Removal {
    Removal { action: RemovalAction::Drop, end_sessions: true, reassign_owned_to: None }
}

/// Everything that a role of ours could leave behind: roles, memberships, settings, access lists, dependencies.
pub(super) async fn traces(server: &PostgresServer, databases: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for database in databases {
        let client = server.superuser(database).await;
        let sql = "SELECT 'role ' || rolname FROM pg_roles WHERE rolname LIKE 'rdsaccess%' OR rolname LIKE '%hoop%'
            UNION ALL SELECT 'member ' || roleid::regrole || ' ' || member::regrole || ' ' || grantor::regrole
              FROM pg_auth_members
            UNION ALL SELECT 'setting ' || setconfig::text FROM pg_db_role_setting
            UNION ALL SELECT 'depends ' || pg_describe_object(classid, objid, objsubid) || ' ' || refobjid::regrole
              FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
              AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
            UNION ALL SELECT 'relation ' || relname || ' ' || relacl::text FROM pg_class
              WHERE relnamespace::regnamespace::text !~ '^(pg_|information)'
            UNION ALL SELECT 'schema ' || nspname || ' ' || nspacl::text FROM pg_namespace
            UNION ALL SELECT 'default ' || defaclacl::text FROM pg_default_acl
            UNION ALL SELECT 'database ' || datname || ' ' || datacl::text FROM pg_database ORDER BY 1";
        found.extend(column(&client, sql).await.into_iter().filter(|line| !line.is_empty()));
    }
    // An access list that was empty is written out after the first GRANT and REVOKE; the rights are the same.
    found.retain(|line| {
        !["relation", "schema", "database"]
            .iter()
            .any(|kind| line.starts_with(kind) && !line.contains("rdsaccess") && !line.contains("hoop"))
    });
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_role_leaves_nothing() {
    let server = PostgresServer::start().await;
    server.master("app").await.batch_execute(EVERY_KIND).await.unwrap();
    let creator = "CREATE ROLE keeper; GRANT CREATE, USAGE ON SCHEMA sales TO keeper;
        CREATE TABLE sales.kept (id int); GRANT keeper TO admin1; ALTER TABLE sales.kept OWNER TO keeper";
    server.master("app").await.batch_execute(creator).await.unwrap();
    let before = traces(&server, &["app", "postgres"]).await;
    for backwards in [false, true] {
        make_and_drop(&server, backwards).await;
        assert_eq!(traces(&server, &["app", "postgres"]).await, before);
    }
}

async fn make_and_drop(server: &PostgresServer, backwards: bool) {
    let engine = server.engine();
    let mut all: Vec<RoleSpec> =
        ["hoop_ro", "hoop_rw", "hoop_ddl"].iter().zip(Access::ALL).map(|(n, a)| spec(n, a)).collect();
    for spec in &all {
        make(&*engine, spec).await;
    }
    if backwards {
        all.reverse();
    }
    // A grant by somebody else on the login goes with it.
    server.master("app").await.batch_execute("GRANT INSERT ON sales.parts TO hoop_ro").await.unwrap();
    for spec in &all {
        assert_eq!(engine.remove(spec, &drop_role()).await.unwrap_or_else(|e| panic!("{e}")), Vec::<String>::new());
    }
    for spec in &all {
        assert_eq!(engine.remove(spec, &drop_role()).await.unwrap(), Vec::<String>::new(), "a second time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_share_a_group_which_goes_with_the_last_one() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let (first, second) =
        (spec_in("hoop_a", Access::ReadOnly, &["app"]), spec_in("hoop_b", Access::ReadOnly, &["app"]));
    make(&*engine, &first).await;
    make(&*engine, &second).await;
    let groups = || async {
        let client = server.superuser("app").await;
        column(&client, "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'rdsaccess%'").await.len()
    };
    assert_eq!(groups().await, 1);
    engine.remove(&first, &drop_role()).await.unwrap();
    assert_eq!(groups().await, 1);
    assert_complete(&engine.read(&second).await.unwrap());
    engine.remove(&second, &drop_role()).await.unwrap();
    assert_eq!(groups().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_group_owns_stays_with_a_warning_or_is_handed_over() {
    let server = PostgresServer::start().await;
    server.master("app").await.batch_execute("CREATE SCHEMA sales").await.unwrap();
    let engine = server.engine();
    let spec = spec_in("hoop_ddl", Access::Ddl, &["app"]);
    make(&*engine, &spec).await;
    let client = enter(&server, "hoop_ddl", "app").await;
    client.batch_execute("CREATE TABLE sales.made (id int); INSERT INTO sales.made VALUES (1)").await.unwrap();
    drop(client);

    let warnings = engine.remove(&spec, &drop_role()).await.unwrap();
    assert!(warnings.len() == 1 && warnings[0].contains("table sales.made"), "{warnings:?}");
    let heir = Removal { reassign_owned_to: Some("admin1".parse().unwrap()), ..drop_role() };
    assert_eq!(engine.remove(&spec, &heir).await.unwrap(), Vec::<String>::new());
    let master = server.master("app").await;
    let owner = "SELECT tableowner::text FROM pg_tables WHERE tablename = 'made'";
    assert_eq!(column(&master, owner).await, ["admin1"]);
    assert_eq!(column(&master, "SELECT id::text FROM sales.made").await, ["1"]);
    assert!(traces(&server, &["app"]).await.iter().all(|t| !t.contains("rdsaccess") && !t.contains("hoop")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_owns_objects_is_not_dropped_without_an_heir() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*engine, &spec).await;
    let superuser = server.superuser("app").await;
    let setup = "CREATE ROLE keeper; GRANT keeper TO admin1; CREATE TABLE public.mine (id int);
        ALTER TABLE public.mine OWNER TO hoop_ro; GRANT CREATE ON SCHEMA public TO keeper";
    superuser.batch_execute(setup).await.unwrap();
    let error = engine.remove(&spec, &drop_role()).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Owner(text) if text.contains("table public.mine")), "{error}");
    enter(&server, "hoop_ro", "app").await;

    let heir = Removal { reassign_owned_to: Some("keeper".parse().unwrap()), ..drop_role() };
    engine.remove(&spec, &heir).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(column(&superuser, "SELECT tableowner::text FROM pg_tables WHERE tablename = 'mine'").await, ["keeper"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_even_those_that_run_as_the_group() {
    sessions_end(&PostgresServer::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_although_the_administrator_may_not_signal_others() {
    let server = PostgresServer::start().await;
    let sql = "REVOKE pg_signal_backend FROM rds_superuser; REVOKE pg_monitor FROM rds_superuser";
    server.superuser("postgres").await.batch_execute(sql).await.unwrap();
    sessions_end(&server).await;
}

async fn sessions_end(server: &PostgresServer) {
    server.master("app").await.batch_execute("CREATE TABLE public.t (id int)").await.unwrap();
    let engine = server.engine();
    let spec = spec_in("hoop_ddl", Access::Ddl, &["app"]);
    make(&*engine, &spec).await;
    let open = enter(server, "hoop_ddl", "app").await;
    assert_allowed(&open, &["SELECT * FROM public.t"]).await;
    assert_eq!(engine.remove(&spec, &drop_role()).await.unwrap(), Vec::<String>::new());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(open.batch_execute("SELECT 1").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_without_the_role_and_its_clients_may_come_back() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let (spec, other) =
        (spec_in("hoop_ro", Access::ReadOnly, &["app"]), spec_in("hoop_rw", Access::ReadWrite, &["app"]));
    make(&*engine, &spec).await;
    make(&*engine, &other).await;
    let (open, theirs) = (enter(&server, "hoop_ro", "app").await, enter(&server, "hoop_rw", "app").await);
    assert_eq!(engine.end_sessions(&spec).await.unwrap(), Vec::<String>::new());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(open.batch_execute("SELECT 1").await.is_err());
    theirs.batch_execute("SELECT 1").await.unwrap();
    enter(&server, "hoop_ro", "app").await.batch_execute("SELECT 1").await.unwrap();
    let nobody = spec_in("hoop_nobody", Access::ReadOnly, &["app"]);
    assert_eq!(engine.end_sessions(&nobody).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_left_open_are_counted() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*engine, &spec).await;
    let _open = enter(&server, "hoop_ro", "app").await;
    let warnings = engine.remove(&spec, &Removal { end_sessions: false, ..drop_role() }).await.unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].starts_with("Sessions of hoop_ro that are still open: 1."),
        "{warnings:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_role_keeps_its_name_and_nothing_else() {
    let server = PostgresServer::start().await;
    server.master("app").await.batch_execute("CREATE TABLE public.t (id int)").await.unwrap();
    let engine = server.engine();
    for spec in &trio() {
        let before = traces(&server, &["app"]).await;
        make(&*engine, spec).await;
        let disable = Removal { action: RemovalAction::Disable, ..drop_role() };
        assert_eq!(engine.remove(spec, &disable).await.unwrap(), Vec::<String>::new());
        assert!(server.connect(&spec.name.to_string(), PASSWORD, "app").await.is_err());
        let observed = engine.read(spec).await.unwrap();
        assert_eq!(observed.login[0].what, "login is disabled");
        assert!(!observed.coverage.is_complete());
        let added: Vec<String> =
            traces(&server, &["app"]).await.into_iter().filter(|trace| !before.contains(trace)).collect();
        assert!(added.iter().all(|trace| trace.contains(spec.name.as_str())), "{added:?}");
        assert_complete(&engine.ensure(spec, None).await.unwrap());
        let client = enter(&server, &spec.name.to_string(), "app").await;
        assert_allowed(&client, &["SELECT * FROM public.t"]).await;
        drop(client);
        engine.remove(spec, &drop_role()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_that_meet_other_tools_are_tried_again() {
    let server = PostgresServer::start().await;
    let master = server.master("app").await;
    master.batch_execute(EVERY_KIND).await.unwrap();
    master.batch_execute("CREATE ROLE bystander").await.unwrap();
    let engine = server.engine();
    let noise = tokio::spawn(async move {
        for _ in 0..300 {
            let sql = "GRANT SELECT ON sales.orders TO bystander; REVOKE SELECT ON sales.orders FROM bystander";
            let _may_collide_too = master.batch_execute(sql).await;
        }
    });
    for spec in trio().iter().chain(&trio()) {
        make(&*engine, spec).await;
        assert_eq!(engine.remove(spec, &drop_role()).await.unwrap_or_else(|e| panic!("{e}")), Vec::<String>::new());
    }
    noise.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_cannot_be_dropped_does_not_keep_the_login() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*engine, &spec).await;
    let superuser = server.superuser("app").await;
    let group =
        column(&superuser, "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'rdsaccess%'").await.remove(0);
    let by_hand = format!("CREATE TABLE public.locked (id int); GRANT SELECT ON public.locked TO {group}");
    superuser.batch_execute(&by_hand).await.unwrap();
    let warnings = engine.remove(&spec, &drop_role()).await.unwrap();
    assert!(warnings.len() == 1 && warnings[0].contains("could not be dropped"), "{warnings:?}");
    assert!(server.connect("hoop_ro", PASSWORD, "app").await.is_err());
    assert_eq!(engine.remove(&spec, &drop_role()).await.unwrap().len(), 1, "a second time");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_open_session_makes_at_the_last_moment_is_kept() {
    let server = PostgresServer::start().await;
    server.master("app").await.batch_execute(EVERY_KIND).await.unwrap();
    let (engine, spec) = (server.engine(), spec_in("hoop_ddl", Access::Ddl, &["app"]));
    make(&*engine, &spec).await;
    let open = enter(&server, "hoop_ddl", "app").await;
    // Holds the removal between its check and what it is about to let go of.
    let superuser = server.superuser("app").await;
    let pause = "CREATE FUNCTION public.pause() RETURNS event_trigger LANGUAGE plpgsql
            AS $$ BEGIN PERFORM pg_advisory_xact_lock(77); END $$;
        CREATE EVENT TRIGGER pause ON ddl_command_start WHEN TAG IN ('DROP OWNED') EXECUTE FUNCTION public.pause();
        SELECT pg_advisory_lock(77)";
    superuser.batch_execute(pause).await.unwrap();
    let how = Removal { end_sessions: false, ..drop_role() };
    let meanwhile = async {
        let paused = "SELECT pid::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        while column(&superuser, paused).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        open.batch_execute("CREATE TABLE sales.late (id int); INSERT INTO sales.late VALUES (7)").await.unwrap();
        superuser.batch_execute("SELECT pg_advisory_unlock(77)").await.unwrap();
    };
    let (removed, ()) = tokio::join!(engine.remove(&spec, &how), meanwhile);
    assert_eq!(column(&superuser, "SELECT id::text FROM sales.late").await, ["7"]);
    let warnings = removed.unwrap_or_else(|e| panic!("{e}"));
    assert!(warnings.iter().any(|text| text.contains("stays, because it owns table sales.late")), "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn letting_go_of_every_kind_of_right_counts_as_no_loss() {
    let server = PostgresServer::start().await;
    server.master("app").await.batch_execute(EVERY_KIND).await.unwrap();
    let (engine, spec) = (server.engine(), spec_in("hoop_ro", Access::ReadOnly, &["app"]));
    make(&*engine, &spec).await;
    let superuser = server.superuser("app").await;
    let group = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'rdsaccess%'";
    let group = column(&superuser, group).await.remove(0);
    let by_hand = "CREATE TYPE sales.mood AS ENUM ('ok'); ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY;
        ALTER TYPE sales.mood OWNER TO admin1; SET ROLE admin1;
        CREATE POLICY own ON sales.orders FOR SELECT TO $group USING (true); COMMENT ON POLICY own ON sales.orders IS 'x';
        CREATE POLICY shared ON sales.orders FOR SELECT TO $group, admin1 USING (true);
        GRANT USAGE ON TYPE sales.mood TO $group; SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO $group;
        ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO $group; RESET ROLE";
    superuser.batch_execute(&by_hand.replace("$group", &group)).await.unwrap();
    assert_eq!(engine.remove(&spec, &drop_role()).await.unwrap_or_else(|e| panic!("{e}")), Vec::<String>::new());
    let kept = "SELECT 'type ' || typname FROM pg_type WHERE typname = 'mood'
        UNION ALL SELECT 'policy ' || polname FROM pg_policy
        UNION ALL SELECT 'large object ' || oid FROM pg_largeobject_metadata ORDER BY 1";
    assert_eq!(column(&superuser, kept).await, ["large object 4711", "policy shared", "type mood"]);
    assert!(!traces(&server, &["app"]).await.iter().any(|t| t.contains("rdsaccess") || t.contains("hoop")));
}
