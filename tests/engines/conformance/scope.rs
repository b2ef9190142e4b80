//! Where a role may do it: the chosen databases, schemas and owners, and nowhere else.

use rdsaccess::access::{Access, Secret};
use rdsaccess::engine::{Fault, Scope};

use super::subject::{PASSWORD, Schemas, Subject};
use super::{make, role_of};

pub(crate) async fn a_chosen_database_is_all_that_a_role_enters<S: Subject>() {
    let server = S::start().await;
    for database in ["app", "other"] {
        server.make_shop(database).await;
    }
    let engine = server.engine();
    for access in Access::ALL {
        let observed = make(&*engine, &server.spec(&role_of(access), access, &["app"])).await;
        assert_eq!(observed.coverage.databases.keys().collect::<Vec<_>>(), ["app"]);
        assert_eq!(observed.default_database.unwrap().to_string(), "app");
    }
    for access in Access::ALL {
        let role = role_of(access);
        for database in ["app", "other"] {
            let orders = S::table(database, "orders");
            for sql in [
                format!("SELECT * FROM {orders}"),
                format!("INSERT INTO {orders} (id) VALUES (7)"),
                format!("CREATE TABLE {} (id INT)", S::table(database, &format!("by_{role}"))),
            ] {
                let least = match sql.split(' ').next() {
                    Some("SELECT") => Access::ReadOnly,
                    Some("INSERT") => Access::ReadWrite,
                    _ => Access::Ddl,
                };
                let got = server.try_as(&role, database, &sql).await;
                if database == "app" && access >= least {
                    assert!(got.is_allowed(), "{access}: {sql}: {got}");
                } else {
                    assert!(got.is_denied(), "{access}: {sql}: {got}");
                }
            }
        }
    }
}

pub(crate) async fn all_databases_are_those_that_are_not_the_systems<S: Subject>() {
    let server = S::start().await;
    for database in ["app", "other"] {
        server.make_shop(database).await;
    }
    let mut spec = server.spec("hoop_ro", Access::ReadOnly, &[]);
    spec.scope = Scope::default();
    let observed = make(&*server.engine(), &spec).await;
    let covered: Vec<_> = observed.coverage.databases.keys().map(String::as_str).collect();
    assert!(covered.contains(&"app") && covered.contains(&"other"), "{covered:?}");
    for system in S::SYSTEM_DATABASES {
        assert!(!covered.contains(system), "{covered:?}");
    }
    for database in ["app", "other"] {
        let got = server.try_as("hoop_ro", database, &format!("SELECT * FROM {}", S::table(database, "orders"))).await;
        assert!(got.is_allowed(), "{database}: {got}");
    }
}

pub(crate) async fn databases_that_cannot_be_covered_are_refused_by_name<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let before = server.traces().await;
    for wrong in S::SYSTEM_DATABASES.iter().chain(&["nowhere"]) {
        let spec = server.spec("hoop_ro", Access::ReadOnly, &["app", wrong]);
        let error = server.engine().ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
        let named = matches!(&error.fault, Fault::NotFound(text) | Fault::Unsupported(text) if text.contains(*wrong));
        assert!(named, "{wrong}: {error}");
        let seen = server.engine().read(&spec).await.unwrap();
        assert!(seen.uncovered.texts().contains_key(*wrong), "{wrong}: {seen:?}");
    }
    assert_eq!(server.traces().await, before);
}

pub(crate) async fn chosen_schemas_are_all_that_a_role_sees<S: Schemas>() {
    let server = S::start().await;
    server.make_shop("app").await;
    for schema in ["shown", "hidden"] {
        server.make_schema("app", schema).await;
        server.as_administrator("app", &[&format!("CREATE TABLE {} (id INT)", S::table_in(schema, "t"))]).await;
    }
    let engine = server.engine();
    for access in Access::ALL {
        let mut spec = server.spec(&role_of(access), access, &["app"]);
        spec.scope.schemas = Some(["shown".parse().unwrap()].into());
        make(&*engine, &spec).await;
        let select = format!("SELECT * FROM {}", S::table_in("shown", "t"));
        let got = server.try_as(&role_of(access), "app", &select).await;
        assert!(got.is_allowed(), "{access}: {got}");
        for sql in [
            format!("SELECT * FROM {}", S::table_in("hidden", "t")),
            format!("INSERT INTO {} VALUES (1)", S::table_in("hidden", "t")),
            format!("CREATE TABLE {} (id INT)", S::table_in("hidden", "made")),
            format!("SELECT * FROM {}", S::table("app", "orders")),
        ] {
            let got = server.try_as(&role_of(access), "app", &sql).await;
            assert!(got.is_denied(), "{access}: {sql}: {got}");
        }
    }
}

pub(crate) async fn chosen_owners_are_all_that_ddl_acts_for<S: Schemas>() {
    let server = S::start().await;
    server.make_shop("app").await;
    server.make_owners().await;
    let mut spec = server.spec("hoop_ddl", Access::Ddl, &["app"]);
    let alter = |table| format!("ALTER TABLE {} ADD COLUMN extra INT", S::table("app", table));
    make(&*server.engine(), &spec).await;
    for table in ["kept", "strange", "orders"] {
        assert!(server.try_as("hoop_ddl", "app", &alter(table)).await.is_denied(), "{table}");
    }
    spec.scope.owners = Some(["keeper".parse().unwrap()].into());
    make(&*server.engine(), &spec).await;
    assert!(server.try_as("hoop_ddl", "app", &alter("kept")).await.is_allowed());
    for table in ["strange", "orders"] {
        assert!(server.try_as("hoop_ddl", "app", &alter(table)).await.is_denied(), "{table}");
    }
    for system in [server.administrator()].into_iter().chain(server.untouchable().await) {
        spec.scope.owners = Some([system.parse().unwrap()].into());
        let error = server.engine().ensure(&spec, None).await.unwrap_err();
        assert!(matches!(&error.fault, Fault::Unsupported(text) if text.contains(&system)), "{system}: {error}");
    }
}
