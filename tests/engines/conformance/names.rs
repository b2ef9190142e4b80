//! Names are names and nothing else, whatever they hold.

use rdsaccess::access::{Access, Secret};
use rdsaccess::engine::{Removal, RemovalAction, check_role_name};

use super::subject::{PASSWORD, Schemas, Subject};
use super::{assert_settled, make};

fn dropped() -> Removal {
    Removal { action: RemovalAction::Drop, end_sessions: true, reassign_owned_to: None }
}

pub(crate) async fn hostile_names_make_the_whole_round<S: Subject>() {
    let server = S::start().await;
    let names = server.names();
    for database in &names.databases {
        server.make_database(database).await;
        for table in &names.tables {
            let create = format!("CREATE TABLE {} (id INT)", S::table(database, table));
            server.as_administrator(database, &[&create]).await;
        }
    }
    let before = server.traces().await;
    for (number, role) in names.roles.iter().enumerate() {
        let access = Access::ALL[number % 3];
        check_role_name(server.kind(), &role.parse().unwrap()).unwrap_or_else(|error| panic!("{role}: {error}"));
        let pair = [number, number + 1].map(|n| names.databases[n % names.databases.len()].as_str());
        let spec = server.spec(role, access, &pair);
        let engine = server.engine();
        let observed = make(&*engine, &spec).await;
        assert_eq!(observed.coverage.databases.len(), 2, "{role}: {observed:?}");
        assert!(engine.proves(&spec, &Secret::from(PASSWORD)).await.unwrap(), "{role}");
        for database in pair {
            let entered = server.login(role, PASSWORD, database).await;
            let mut session = entered.unwrap_or_else(|refused| panic!("{role} into {database}: {refused}"));
            for table in &names.tables {
                let table = S::table(database, table);
                let read = S::attempt(&mut session, &format!("SELECT * FROM {table}")).await;
                assert!(read.is_allowed(), "{role}: {table}: {read}");
                let written = S::attempt(&mut session, &format!("INSERT INTO {table} VALUES (1)")).await;
                let may = access >= Access::ReadWrite;
                let right = if may { written.is_allowed() } else { written.is_denied() };
                assert!(right, "{role}: {table}: {written}");
            }
        }
        assert_settled(&server, &*engine, &spec).await;
        assert_eq!(engine.remove(&spec, &dropped()).await.unwrap(), [""; 0], "{role}");
        assert_eq!(server.traces().await, before, "{role}");
    }
}

pub(crate) async fn hostile_names_of_schemas_make_the_whole_round<S: Schemas>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let names = server.schema_names();
    for schema in &names {
        server.make_schema("app", schema).await;
        server.as_administrator("app", &[&format!("CREATE TABLE {} (id INT)", S::table_in(schema, schema))]).await;
    }
    for (number, schema) in names.iter().enumerate() {
        let mut spec = server.spec("hoop", Access::ALL[number % 3], &["app"]);
        spec.scope.schemas = Some([schema.parse().unwrap()].into());
        make(&*server.engine(), &spec).await;
        let mut session = server.login("hoop", PASSWORD, "app").await.unwrap();
        for other in &names {
            let select = format!("SELECT * FROM {}", S::table_in(other, other));
            let got = S::attempt(&mut session, &select).await;
            assert!(if other == schema { got.is_allowed() } else { got.is_denied() }, "{schema}: {other}: {got}");
        }
    }
}

pub(crate) async fn a_refused_name_is_refused_before_anything_is_sent<S: Subject>() {
    let server = S::start().await;
    for name in server.names().refused {
        check_role_name(server.kind(), &name.parse().unwrap()).unwrap_err();
        let before = server.log().await.len();
        let spec = server.spec(&name, Access::ReadOnly, &["app"]);
        let refused = server.engine().ensure(&spec, Some(&Secret::from(PASSWORD))).await;
        assert!(refused.is_err(), "{name}");
        let sent = server.log().await[before..].to_owned();
        assert!(sent.is_empty(), "{name}: {sent}");
    }
}
