use rdsaccess::access::{Access, Grant, ObjectKind};
use rdsaccess::engine::{Fault, Removal, RemovalAction};

use super::grants::grant;
use super::*;

const NAMES: [&str; 8] = [
    "hoop\"quoted\"",
    "hoop'); DROP TABLE t; --",
    "hoop\\back\\slash\\",
    " hoop with spaces ",
    "hoop日本ünïcode",
    "SELECT hoop",
    "hoop$$;{}%s",
    "hoop_sixty_three_bytes_long_name_that_fits_exactly_into_the_limi",
];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_of_everything_are_only_names() {
    let server = PostgresServer::start().await;
    let master = server.master("postgres").await;
    let before = super::removal::traces(&server, &["postgres"]).await;
    for (n, name) in NAMES.iter().enumerate() {
        let name = &name.chars().take(63).collect::<String>();
        master.batch_execute(&format!("CREATE DATABASE {}", quoted(name))).await.unwrap();
        let inside = server.master(name).await;
        let setup = format!(
            "CREATE SCHEMA {q}; CREATE TABLE {q}.{q} (id serial, {q} text); CREATE SEQUENCE {q}.{s};
             CREATE FUNCTION {q}.{q}({q}.{q}) RETURNS int LANGUAGE sql AS 'SELECT 1';
             REVOKE EXECUTE ON FUNCTION {q}.{q} FROM PUBLIC;
             CREATE ROLE {owner};
             GRANT CREATE, USAGE ON SCHEMA {q} TO {owner}",
            q = quoted(name),
            s = quoted(&format!("{}'s", name.chars().take(20).collect::<String>())),
            owner = quoted(&format!("o{n}{}", name.chars().take(20).collect::<String>())),
        );
        inside.batch_execute(&setup).await.unwrap_or_else(|e| panic!("{setup}: {e:?}"));
        let level = Access::ALL[n % 3];
        let mut spec = spec_in(name, level, &[name]);
        spec.scope.schemas = Some([name.parse().unwrap()].into());
        let beside = level != Access::Ddl;
        if beside {
            spec.grants = [
                grant(ObjectKind::Table, name, &[name], &["TRUNCATE"]),
                grant(ObjectKind::Function, name, &[name], &["EXECUTE"]),
                grant(ObjectKind::Schema, name, &[], &["CREATE"]),
            ]
            .map(|grant| Grant { database: name.parse().unwrap(), ..grant })
            .into();
        }
        let engine = server.engine();
        make(&*engine, &spec).await;
        assert!(engine.accepts(&spec, &Secret::from(PASSWORD)).await.unwrap());

        let client = enter(&server, name, name).await;
        let (truncate, call) =
            (format!("TRUNCATE {q}.{q}", q = quoted(name)), format!("SELECT {q}.{q}(NULL)", q = quoted(name)));
        assert_allowed(&client, &[&truncate]).await;
        assert_eq!(outcome(&client, &call).await, if beside { "ok" } else { "42501" }, "{call}");
        let (select, insert) = (
            format!("SELECT * FROM {q}.{q}", q = quoted(name)),
            format!("INSERT INTO {q}.{q} DEFAULT VALUES", q = quoted(name)),
        );
        assert_allowed(&client, &[&select]).await;
        match level {
            Access::ReadOnly => assert_denied(&client, &[&insert]).await,
            Access::ReadWrite | Access::Ddl => assert_allowed(&client, &[&insert]).await,
        }
        assert_complete(&server.engine().read(&spec).await.unwrap());
        drop(client);
        let how = Removal { action: RemovalAction::Drop, end_sessions: true, reassign_owned_to: None };
        assert_eq!(engine.remove(&spec, &how).await.unwrap_or_else(|e| panic!("{e}")), Vec::<String>::new());
    }
    let after = super::removal::traces(&server, &["postgres"]).await;
    let left: Vec<_> = after.iter().filter(|t| !before.contains(t) && t.contains("rdsaccess")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_server_would_cut_or_reserve_is_refused_before_anything_is_sent() {
    let server = PostgresServer::start().await;
    let before = server.log().len();
    let long = "é".repeat(32);
    let usual = || spec_in("hoop", Access::Ddl, &["app"]);
    let mut specs: Vec<(RoleSpec, &str)> = Vec::new();
    for name in [long.as_str(), "pg_hoop", "rds_hoop", "rdsaccess_ro_1", "rdsadmin", "public", "none", "current_user"] {
        specs.push((spec(name, Access::ReadOnly), if name == long { "63 bytes" } else { "reserved" }));
    }
    let scoped = |change: &dyn Fn(&mut rdsaccess::engine::Scope)| {
        let mut spec = usual();
        change(&mut spec.scope);
        spec
    };
    specs.push((scoped(&|scope| scope.databases = Some([long.parse().unwrap()].into())), "63 bytes"));
    specs.push((scoped(&|scope| scope.schemas = Some([long.parse().unwrap()].into())), "63 bytes"));
    specs.push((scoped(&|scope| scope.schemas = Some(["pg_catalog".parse().unwrap()].into())), "system schema"));
    specs.push((scoped(&|scope| scope.owners = Some([long.parse().unwrap()].into())), "63 bytes"));
    for (grant, expected) in [
        (grant(ObjectKind::Table, &long, &["t"], &["SELECT"]), "63 bytes"),
        (grant(ObjectKind::Table, "sales", &[long.as_str()], &["SELECT"]), "63 bytes"),
        (grant(ObjectKind::Table, "information_schema", &[], &["SELECT"]), "system schema"),
    ] {
        let mut spec = spec_in("hoop", Access::ReadOnly, &["app"]);
        spec.grants = [grant].into();
        specs.push((spec, expected));
    }
    for (spec, expected) in &specs {
        let made = server.engine().ensure(spec, Some(&Secret::from(PASSWORD))).await.map(|_| ());
        for error in [made.unwrap_err(), server.engine().read(spec).await.unwrap_err()] {
            assert!(matches!(&error.fault, Fault::Unsupported(text) if text.contains(expected)), "{expected}: {error}");
        }
    }
    assert_eq!(server.log().len(), before);
}
