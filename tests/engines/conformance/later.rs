//! What is made after the role.

use rdsaccess::access::Access;
use rdsaccess::engine::Scope;

use super::subject::{PASSWORD, Schemas, Subject};
use super::{assert_complete, assert_settled, make, role_of, words};

pub(crate) async fn later_tables_of_everybody_who_creates_are_covered<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    server.make_creator().await;
    let engine = server.engine();
    // The level that creates comes last: what it makes must reach the roles that were there before.
    for access in Access::ALL {
        make(&*engine, &server.spec(&role_of(access), access, &["app"])).await;
    }
    let create = |name: &str| format!("CREATE TABLE {} (id INT)", S::table("app", name));
    server.as_administrator("app", &[&create("by_administrator")]).await;
    for maker in ["creator", "hoop_ddl"] {
        let got = server.try_as(maker, "app", &create(&format!("by_{maker}"))).await;
        assert!(got.is_allowed(), "{maker}: {got}");
    }
    for table in ["by_administrator", "by_creator", "by_hoop_ddl"] {
        let table = S::table("app", table);
        for access in Access::ALL {
            let read = server.try_as(&role_of(access), "app", &format!("SELECT * FROM {table}")).await;
            assert!(read.is_allowed(), "{access}: {table}: {read}");
            let written = server.try_as(&role_of(access), "app", &format!("INSERT INTO {table} (id) VALUES (1)")).await;
            assert_eq!(written.is_allowed(), access >= Access::ReadWrite, "{access}: {table}: {written}");
            assert!(written.is_allowed() || written.is_denied(), "{access}: {table}: {written}");
        }
        let emptied = server.try_as("hoop_ddl", "app", &format!("TRUNCATE TABLE {table}")).await;
        assert!(emptied.is_allowed(), "{table}: {emptied}");
    }
    for access in Access::ALL {
        assert_settled(&server, &*server.engine(), &server.spec(&role_of(access), access, &["app"])).await;
    }
}

pub(crate) async fn what_one_ddl_login_makes_another_may_change<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let engine = server.engine();
    for name in ["first", "second"] {
        make(&*engine, &server.spec(name, Access::Ddl, &["app"])).await;
    }
    let table = S::table("app", "made");
    for (login, sql) in [
        ("first", format!("CREATE TABLE {table} (id INT)")),
        ("second", format!("ALTER TABLE {table} ADD extra INT")),
        ("first", format!("CREATE INDEX by_id ON {table} (id)")),
        ("second", format!("DROP TABLE {table}")),
    ] {
        let got = server.try_as(login, "app", &sql).await;
        assert!(got.is_allowed(), "{login}: {sql}: {got}");
    }
}

pub(crate) async fn a_new_database_is_drift_until_the_next_ensure<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let mut spec = server.spec("hoop_rw", Access::ReadWrite, &[]);
    spec.scope = Scope::default();
    make(&*server.engine(), &spec).await;
    server.make_shop("fresh").await;

    let insert = format!("INSERT INTO {} (id) VALUES (1)", S::table("fresh", "orders"));
    let got = server.try_as("hoop_rw", "fresh", &insert).await;
    assert!(got.is_denied(), "{got}");
    let seen = server.engine().read(&spec).await.unwrap();
    let text = seen.coverage.texts()["fresh"].clone();
    assert!(text != "complete" && !text.is_empty(), "{text}");
    assert_eq!(seen.coverage.texts()["app"], "complete");

    assert_complete(&server.engine().ensure(&spec, None).await.unwrap());
    let got = server.try_as("hoop_rw", "fresh", &insert).await;
    assert!(got.is_allowed(), "{got}");
    assert_settled(&server, &*server.engine(), &spec).await;
}

pub(crate) async fn a_new_schema_and_a_new_creator_are_drift_until_the_next_ensure<S: Schemas>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let spec = server.spec("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*server.engine(), &spec).await;
    server.make_schema("app", "fresh").await;
    server.as_administrator("app", &[&format!("CREATE TABLE {} (id INT)", S::table_in("fresh", "t"))]).await;
    server.make_creator().await;

    let select = format!("SELECT * FROM {}", S::table_in("fresh", "t"));
    assert!(server.try_as("hoop_ro", "app", &select).await.is_denied());
    let seen = words(&server.engine().read(&spec).await.unwrap());
    for expected in ["missing USAGE on schema fresh", "missing SELECT on table fresh.t", "for later tables of creator"]
    {
        assert!(seen.contains(expected), "`{expected}` is not in `{seen}`");
    }
    assert_complete(&server.engine().ensure(&spec, None).await.unwrap());
    assert!(server.try_as("hoop_ro", "app", &select).await.is_allowed());
    let mut creator = server.login("creator", PASSWORD, "app").await.unwrap();
    let made = S::table("app", "by_creator");
    assert!(S::attempt(&mut creator, &format!("CREATE TABLE {made} (id INT)")).await.is_allowed());
    assert!(server.try_as("hoop_ro", "app", &format!("SELECT * FROM {made}")).await.is_allowed());
    assert_settled(&server, &*server.engine(), &spec).await;
}
