use rdsaccess::access::{Access, ObjectKind};
use rdsaccess::engine::{Fault, Ownership, Removal, RemovalAction};

use super::*;

const DROP: Removal = Removal { action: RemovalAction::Drop, end_sessions: true, reassign_owned_to: None };

async fn roles(server: &PostgresServer) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', rolname, rolcanlogin, rolcreaterole, shobj_description(oid, 'pg_authid'))::text
        FROM pg_roles ORDER BY 1";
    column(&server.superuser("app").await, sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_role_is_named_and_left_alone() {
    let server = PostgresServer::start().await;
    let setup = "CREATE ROLE hoop_ro LOGIN PASSWORD 'theirs'; COMMENT ON ROLE hoop_ro IS 'made by hand'";
    server.master("app").await.batch_execute(setup).await.unwrap();
    let before = roles(&server).await;
    let engine = server.engine();
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);

    let observed = engine.read(&spec).await.unwrap();
    assert!(matches!(observed.ownership, Ownership::Foreign(text) if text.contains("carries no mark")));
    let error = engine.ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Foreign(_)), "{error}");
    let warnings = engine.remove(&spec, &DROP).await.unwrap();
    assert!(warnings.len() == 1 && warnings[0].contains("left as it is"), "{warnings:?}");
    assert_eq!(roles(&server).await, before);
    assert!(server.connect("hoop_ro", "theirs", "app").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_another_database_is_taken_over_only_on_request() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let mut spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*engine, &spec).await;
    // The database was restored from a snapshot: the same roles, another resource id.
    spec.mark.target = "db-RESTORED".to_owned();
    let observed = server.engine().read(&spec).await.unwrap();
    assert!(matches!(observed.ownership, Ownership::Foreign(text) if text.contains(RESOURCE_ID)));
    spec.adopt = true;
    make(&*engine, &spec).await;
    spec.adopt = false;
    assert_eq!(server.engine().read(&spec).await.unwrap().ownership, Ownership::Ours);
    engine.remove(&spec, &DROP).await.unwrap();
    assert!(!roles(&server).await.iter().any(|role| role.contains("hoop_ro") || role.contains("rdsaccess")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_role_without_a_mark_keeps_its_grants_within_the_level_and_its_password() {
    let server = PostgresServer::start().await;
    let master = server.master("app").await;
    let setup = "CREATE ROLE hoop_ro LOGIN NOINHERIT PASSWORD 'old'; CREATE TABLE public.t (id int);
        GRANT SELECT, INSERT, DELETE ON public.t TO hoop_ro";
    master.batch_execute(setup).await.unwrap();
    let mut spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    spec.adopt = true;
    spec.grants = [super::grants::grant(ObjectKind::Table, "public", &["t"], &["INSERT"])].into();
    let engine = server.engine();
    assert_eq!(
        engine.read(&spec).await.unwrap().coverage.texts()["app"].matches("login holds").count(),
        1,
        "only DELETE is too much"
    );
    assert_complete(&engine.ensure(&spec, None).await.unwrap());
    let client = server.connect("hoop_ro", "old", "app").await.unwrap();
    assert_allowed(&client, &["INSERT INTO public.t VALUES (1)", "SELECT * FROM public.t"]).await;
    assert_denied(&client, &["DELETE FROM public.t"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administrator_itself_and_superusers_are_never_managed() {
    let server = PostgresServer::start().await;
    for name in ["admin1", "postgres_root"] {
        if name != "admin1" {
            let sql = "CREATE ROLE postgres_root SUPERUSER LOGIN";
            server.superuser("app").await.batch_execute(sql).await.unwrap();
        }
        let mut spec = spec_in(name, Access::ReadOnly, &["app"]);
        spec.adopt = true;
        let error = server.engine().ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Foreign(_)), "{error}");
        let observed = server.engine().read(&spec).await.unwrap();
        assert!(matches!(observed.ownership, Ownership::Foreign(_)), "{observed:?}");
        for action in [RemovalAction::Drop, RemovalAction::Disable] {
            let how = Removal { action, end_sessions: true, reassign_owned_to: None };
            let warnings = server.engine().remove(&spec, &how).await.unwrap();
            assert!(warnings[0].contains("it was left as it is"), "{warnings:?}");
        }
        assert!(roles(&server).await.iter().any(|role| role.starts_with(&format!("{name} t"))));
    }
    assert!(server.connect("admin1", crate::server_postgres::MASTER_PASSWORD, "app").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_name_that_somebody_else_uses_is_refused() {
    let server = PostgresServer::start().await;
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    let engine = server.engine();
    make(&*engine, &spec).await;
    let master = server.master("app").await;
    let group = column(&master, "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'rdsaccess%'").await.remove(0);
    master.batch_execute(&format!("COMMENT ON ROLE {group} IS 'mine now'")).await.unwrap();
    let error = engine.ensure(&spec, None).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Foreign(text) if text.contains(&group)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_reach_is_listed_and_the_rest_is_done() {
    let server = PostgresServer::start().await;
    server.master("app").await.batch_execute(EVERY_KIND).await.unwrap();
    let superuser = server.superuser("app").await;
    let setup = "CREATE TABLE sales.locked (id int); CREATE TABLE sales.open (id int);
        GRANT SELECT ON sales.open TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC;
        CREATE TABLE public.board (id int); GRANT INSERT ON public.board TO PUBLIC";
    superuser.batch_execute(setup).await.unwrap();
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    let observed = make(&*server.engine(), &spec).await;
    let uncovered = &observed.uncovered.texts()["app"];
    for expected in [
        "missing SELECT (owner rdsadmin is out of reach of admin1) on 2 tables: public.board, sales.locked",
        "missing SELECT for later tables of rdsadmin, who is out of reach of admin1, on 2 schemas: public, sales",
        "PUBLIC holds CREATE on schema public (REVOKE CREATE ON SCHEMA \"public\" FROM PUBLIC)",
        "PUBLIC holds INSERT on table public.board (REVOKE INSERT ON TABLE \"public\".\"board\" FROM PUBLIC)",
    ] {
        assert!(uncovered.contains(expected), "`{expected}` is not in `{uncovered}`");
    }
    assert!(!uncovered.contains("sales.open"), "{uncovered}");
    let ro = enter(&server, "hoop_ro", "app").await;
    assert_allowed(&ro, &["SELECT * FROM sales.orders", "SELECT * FROM sales.open"]).await;
    assert_denied(&ro, &["SELECT * FROM sales.locked"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_not_there_are_refused_by_name() {
    let server = PostgresServer::start().await;
    let engine = server.engine();
    let mut database = spec_in("hoop_ro", Access::ReadOnly, &["app", "nowhere"]);
    let observed = engine.read(&database).await.unwrap();
    assert_eq!(observed.uncovered.texts()["nowhere"], "there is no such database");
    let mut schema = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    schema.scope.schemas = Some(["nowhere".parse().unwrap(), "public".parse().unwrap()].into());
    let mut owner = spec_in("hoop_ro", Access::Ddl, &["app"]);
    owner.scope.owners = Some(["nowhere".parse().unwrap()].into());
    for spec in [&mut database, &mut schema, &mut owner] {
        let error = engine.ensure(spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
        assert!(matches!(&error.fault, Fault::NotFound(text) if text.contains("nowhere")), "{error}");
    }
    assert!(!roles(&server).await.iter().any(|role| role.starts_with("hoop") || role.starts_with("rdsaccess")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_lets_nobody_in_is_listed_and_the_others_are_done() {
    let server = PostgresServer::start().await;
    let superuser = server.superuser("postgres").await;
    let closing = "REVOKE ALL ON DATABASE app FROM PUBLIC; ALTER DATABASE app OWNER TO rdsadmin";
    superuser.batch_execute(closing).await.unwrap();
    let observed = make(&*server.engine(), &spec("hoop_ro", Access::ReadOnly)).await;
    assert_eq!(observed.coverage.databases.keys().collect::<Vec<_>>(), ["postgres"]);
    assert!(observed.uncovered.texts()["app"].starts_with("cannot be entered: permission denied"), "{observed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creator_that_the_administrator_may_not_act_for_is_listed_from_version_16_on() {
    let server = PostgresServer::start().await;
    server.master("app").await.batch_execute(EVERY_KIND).await.unwrap();
    let superuser = server.superuser("app").await;
    let setup = "CREATE ROLE stranger; GRANT USAGE, CREATE ON SCHEMA sales TO stranger;
        CREATE TABLE sales.strange (id int); ALTER TABLE sales.strange OWNER TO stranger";
    superuser.batch_execute(setup).await.unwrap();
    let mut spec = spec_in("hoop_ddl", Access::Ddl, &["app"]);
    let observed = make(&*server.engine(), &spec).await;
    let version: i32 = column(&superuser, "SHOW server_version_num").await[0].parse().unwrap();
    let uncovered = observed.uncovered.texts();
    spec.scope.owners = Some(["stranger".parse().unwrap()].into());
    let with_owner = server.engine().ensure(&spec, None).await;
    if version >= 160_000 {
        assert!(uncovered["app"].contains("later tables of stranger, who is out of reach of admin1"), "{uncovered:?}");
        assert!(uncovered["app"].contains("(owner stranger is out of reach of admin1) on table sales.strange"));
        let error = with_owner.unwrap_err();
        assert!(matches!(&error.fault, Fault::Denied { text, .. } if text.contains("WITH ADMIN OPTION")), "{error}");
        superuser.batch_execute("GRANT stranger TO admin1 WITH ADMIN OPTION").await.unwrap();
        assert_complete(&server.engine().ensure(&spec, None).await.unwrap());
    } else {
        assert!(!uncovered.contains_key("app"), "{uncovered:?}");
        assert_complete(&with_owner.unwrap());
    }
    let ddl = enter(&server, "hoop_ddl", "app").await;
    assert_allowed(&ddl, &["ALTER TABLE sales.strange ADD COLUMN c int"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_leads_to_an_administrator_is_refused() {
    let server = PostgresServer::start().await;
    let superuser = server.superuser("app").await;
    let chain = "CREATE ROLE team; CREATE ROLE middle; GRANT middle TO team; CREATE ROLE plain; GRANT plain TO middle;
        CREATE ROLE boss CREATEROLE; CREATE ROLE root SUPERUSER; CREATE ROLE seer BYPASSRLS;
        CREATE ROLE copier REPLICATION; GRANT team TO admin1 WITH ADMIN OPTION";
    superuser.batch_execute(chain).await.unwrap();
    let mut ddl = spec_in("hoop_ddl", Access::Ddl, &["app"]);
    ddl.scope.owners = Some(["team".parse().unwrap()].into());
    for power in ["boss", "root", "seer", "copier", "rds_superuser", "rds_iam", "pg_read_server_files", "admin1"] {
        if power == "admin1" {
            // The other way round would be a circle.
            superuser.batch_execute("REVOKE team FROM admin1").await.unwrap();
        }
        superuser.batch_execute(&format!("GRANT {power} TO middle")).await.unwrap();
        let error = server.engine().ensure(&ddl, Some(&Secret::from(PASSWORD))).await.unwrap_err();
        let named = |text: &str| text.contains("team is, directly or not, a member of") && text.contains("administers");
        assert!(matches!(&error.fault, Fault::Unsupported(text) if named(text)), "{power}: {error}");
        let observed = server.engine().read(&ddl).await.unwrap();
        let texts = observed.uncovered.texts();
        assert!(texts["app"].contains(&format!("a member of {power}, which administers")), "{power}: {texts:?}");
        superuser.batch_execute(&format!("REVOKE {power} FROM middle")).await.unwrap();
    }
    assert!(!roles(&server).await.iter().any(|role| role.starts_with("hoop") || role.starts_with("rdsaccess")));
    superuser.batch_execute("GRANT team TO admin1 WITH ADMIN OPTION").await.unwrap();
    make(&*server.engine(), &ddl).await;

    // An owner that becomes one later is told too, and is no gap that apply would try to close.
    let group = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'rdsaccess%'";
    let group = column(&superuser, group).await.remove(0);
    superuser.batch_execute(&format!("GRANT boss TO middle; REVOKE team FROM {group}")).await.unwrap();
    let observed = server.engine().read(&ddl).await.unwrap();
    assert!(observed.uncovered.texts()["app"].contains("a member of boss"), "{observed:?}");
    assert_complete(&observed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_defaults_to_read_only_is_covered_all_the_same() {
    let server = PostgresServer::start().await;
    let setting =
        "ALTER DATABASE app SET default_transaction_read_only = on; ALTER ROLE admin1 SET role = 'rds_superuser'";
    server.superuser("postgres").await.batch_execute(setting).await.unwrap();
    make(&*server.engine(), &spec_in("hoop_ro", Access::ReadOnly, &["app"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_extension_made_is_left_to_the_extension() {
    let server = PostgresServer::start().await;
    let superuser = server.superuser("app").await;
    superuser.batch_execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
    let observed = make(&*server.engine(), &spec_in("hoop_rw", Access::ReadWrite, &["app"])).await;
    let texts = observed.uncovered.texts();
    assert!(!texts.get("app").is_some_and(|text| text.contains("pg_stat")), "{texts:?}");
    let acl = column(&superuser, "SELECT relacl::text FROM pg_class WHERE relname = 'pg_stat_statements'").await;
    assert!(!acl.iter().any(|acl| acl.contains("rdsaccess")), "{acl:?}");
}

/// Everything about memberships that a borrowed role could change.
const MEMBERSHIPS: &str =
    "SELECT to_jsonb(m) - 'oid' || jsonb_build_object('role', roleid::regrole, 'to', member::regrole)
    FROM pg_auth_members AS m WHERE roleid::regrole::text !~ 'hoop|rdsaccess' ORDER BY 1";

async fn memberships(client: &Client) -> Vec<String> {
    column(client, &format!("SELECT row::text FROM ({MEMBERSHIPS}) AS found(row)")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_owns_nothing_covers_what_it_may_become_and_keeps_its_memberships() {
    let server = PostgresServer::start().await;
    let superuser = server.superuser("app").await;
    let version: i32 = column(&superuser, "SHOW server_version_num").await[0].parse().unwrap();
    // `held` is a membership from before that a careless REVOKE would take away.
    let setup = "CREATE ROLE app_owner; CREATE ROLE held; ALTER ROLE admin1 NOINHERIT; GRANT held TO admin1;
        ALTER DATABASE app OWNER TO app_owner; ALTER SCHEMA public OWNER TO app_owner;
        REVOKE CREATE ON SCHEMA public FROM PUBLIC; SET ROLE app_owner;
        CREATE SCHEMA sales; CREATE TABLE sales.orders (id int); CREATE SEQUENCE sales.numbers;
        GRANT ALL ON SCHEMA sales TO held; RESET ROLE;
        CREATE TABLE sales.kept (id int); ALTER TABLE sales.kept OWNER TO held";
    superuser.batch_execute(setup).await.unwrap();
    if version >= 160_000 {
        let observed = make(&*server.engine(), &spec_in("hoop_ro", Access::ReadOnly, &["app"])).await;
        let uncovered = &observed.uncovered.texts()["app"];
        assert!(uncovered.contains("(owner app_owner is out of reach of admin1)"), "{uncovered}");
        // Without SET and INHERIT, as PostgreSQL itself does it for whoever creates a role.
        let grant = "GRANT app_owner TO admin1 WITH ADMIN TRUE, INHERIT FALSE, SET FALSE";
        superuser.batch_execute(grant).await.unwrap();
    }
    let before = memberships(&superuser).await;
    for spec in &trio() {
        let observed = make(&*server.engine(), spec).await;
        assert!(!observed.uncovered.texts().contains_key("app"), "{:?}", observed.uncovered.texts());
    }
    assert_eq!(memberships(&superuser).await, before);
    let later = "SET ROLE app_owner; CREATE TABLE sales.later (id int); RESET ROLE;
        SET ROLE held; CREATE TABLE sales.later_kept (id int)";
    superuser.batch_execute(later).await.unwrap();
    let (ro, rw) = (enter(&server, "hoop_ro", "app").await, enter(&server, "hoop_rw", "app").await);
    for table in ["orders", "kept", "later", "later_kept"] {
        let (select, insert) =
            (format!("SELECT * FROM sales.{table}"), format!("INSERT INTO sales.{table} VALUES (1)"));
        assert_allowed(&ro, &[&select]).await;
        assert_denied(&ro, &[&insert]).await;
        assert_allowed(&rw, &[&select, &insert]).await;
    }
    drop((ro, rw));
    for spec in &trio() {
        assert_eq!(server.engine().remove(spec, &DROP).await.unwrap(), Vec::<String>::new());
    }
    assert_eq!(memberships(&superuser).await, before);
    assert!(!roles(&server).await.iter().any(|role| role.contains("hoop") || role.contains("rdsaccess")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_gives_a_borrowed_role_back() {
    let server = PostgresServer::start().await;
    let superuser = server.superuser("app").await;
    let setup = "CREATE ROLE keeper; GRANT keeper TO admin1 WITH ADMIN OPTION; ALTER ROLE admin1 NOINHERIT;
        CREATE SCHEMA sales; GRANT ALL ON SCHEMA sales TO keeper, admin1 WITH GRANT OPTION;
        CREATE TABLE sales.t (id int); ALTER TABLE sales.t OWNER TO keeper;
        CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql
          AS $$ BEGIN RAISE EXCEPTION 'not today' USING ERRCODE = '22023'; END $$;
        CREATE EVENT TRIGGER no_grants ON ddl_command_start WHEN TAG IN ('ALTER DEFAULT PRIVILEGES')
          EXECUTE FUNCTION public.refuse()";
    superuser.batch_execute(setup).await.unwrap();
    let before = memberships(&superuser).await;
    let spec = spec_in("hoop_ro", Access::ReadOnly, &["app"]);
    let error = server.engine().ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Statement { text, .. } if text.contains("not today")), "{error}");
    assert_eq!(memberships(&superuser).await, before);
    assert!(!roles(&server).await.iter().any(|role| role.contains("hoop") || role.contains("rdsaccess")));
    superuser.batch_execute("DROP EVENT TRIGGER no_grants").await.unwrap();
    make(&*server.engine(), &spec).await;
    assert_eq!(memberships(&superuser).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_powerful_role_is_not_taken_over_until_its_power_has_gone() {
    let server = PostgresServer::start().await;
    let superuser = server.superuser("app").await;
    superuser.batch_execute("CREATE ROLE team; GRANT rds_superuser TO team").await.unwrap();
    let by_admin = "CREATE ROLE theirs LOGIN PASSWORD 'theirs'; GRANT rds_iam TO theirs";
    server.master("app").await.batch_execute(by_admin).await.unwrap();
    let mut spec = spec_in("theirs", Access::ReadOnly, &["app"]);
    spec.adopt = true;
    for (by_hand, repair) in [
        ("ALTER ROLE theirs CREATEROLE", "ALTER ROLE \"theirs\" NOCREATEROLE"),
        ("ALTER ROLE theirs REPLICATION", "ALTER ROLE \"theirs\" NOREPLICATION"),
        ("ALTER ROLE theirs BYPASSRLS", "ALTER ROLE \"theirs\" NOBYPASSRLS"),
        ("GRANT rds_superuser TO theirs", "REVOKE \"rds_superuser\" FROM \"theirs\""),
        ("GRANT team TO theirs", "REVOKE \"team\" FROM \"theirs\""),
        ("SET ROLE admin1; GRANT theirs TO admin1; RESET ROLE", "REVOKE \"theirs\" FROM \"admin1\""),
    ] {
        superuser.batch_execute(by_hand).await.unwrap();
        let before = (roles(&server).await, memberships(&superuser).await);
        let Ownership::Foreign(text) = server.engine().read(&spec).await.unwrap().ownership else {
            panic!("{by_hand}: it would be taken over")
        };
        let (_, first) = text.split_once("first run: ").unwrap();
        assert!(first.starts_with(repair) && !first.contains(';'), "{by_hand}: {text}");
        let error = server.engine().ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Foreign(_)), "{error}");
        let warnings = server.engine().remove(&spec, &DROP).await.unwrap();
        assert!(warnings[0].contains("it was left as it is"), "{warnings:?}");
        assert_eq!((roles(&server).await, memberships(&superuser).await), before, "{by_hand}");
        superuser.batch_execute(first).await.unwrap();
        assert_eq!(server.engine().read(&spec).await.unwrap().ownership, Ownership::Ours, "{by_hand}");
    }
    make(&*server.engine(), &spec).await;
    // What a role of ours was given by hand is a gap as ever.
    superuser.batch_execute("ALTER ROLE theirs CREATEROLE").await.unwrap();
    let observed = server.engine().read(&spec).await.unwrap();
    assert_eq!((observed.ownership, observed.login[0].what.as_str()), (Ownership::Ours, "has CREATEROLE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_known_is_repaired_where_a_new_one_is_refused() {
    let server = PostgresServer::start().await;
    let spec = RoleSpec { adopt: true, ..spec_in("hoop_ro", Access::ReadOnly, &["app"]) };
    make(&*server.engine(), &spec).await;
    let superuser = server.superuser("app").await;
    superuser.batch_execute("COMMENT ON ROLE hoop_ro IS NULL; ALTER ROLE hoop_ro CREATEROLE").await.unwrap();
    let refused = server.engine().ensure(&spec, None).await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("more than a login") && text.contains("NOCREATEROLE"), "{text}");
    assert_eq!(column(&superuser, "SELECT 'x' FROM pg_roles WHERE rolname = 'hoop_ro' AND rolcreaterole").await, ["x"]);

    let known = RoleSpec { known: true, ..spec.clone() };
    let seen = server.engine().read(&known).await.unwrap();
    assert!(seen.login.iter().any(|gap| gap.what == "has CREATEROLE"), "{:?}", seen.login);
    assert_complete(&server.engine().ensure(&known, None).await.unwrap());
    let now = "SELECT rolcreaterole::text FROM pg_roles WHERE rolname = 'hoop_ro'";
    assert_eq!(column(&superuser, now).await, ["false"]);
    // It carries its mark again, so that it needs no trust any more.
    assert_complete(&server.engine().read(&spec_in("hoop_ro", Access::ReadOnly, &["app"])).await.unwrap());
}
