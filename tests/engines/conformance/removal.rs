//! A role goes: nothing of it stays, and nothing else goes with it.

use rdsaccess::access::{Access, Secret};
use rdsaccess::engine::{Fault, Ownership, Removal, RemovalAction};

use super::subject::{NEXT_PASSWORD, PASSWORD, Schemas, Subject};
use super::{assert_complete, make, role_of};

fn dropped() -> Removal {
    Removal { action: RemovalAction::Drop, end_sessions: true, reassign_owned_to: None }
}

pub(crate) async fn a_dropped_role_leaves_nothing_and_can_be_made_again<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    server.make_shop("other").await;
    let engine = server.engine();
    let specs = Access::ALL.map(|access| server.spec(&role_of(access), access, &["app", "other"]));
    let before = server.traces().await;
    for password in [PASSWORD, NEXT_PASSWORD] {
        for spec in &specs {
            assert_eq!(engine.read(spec).await.unwrap().ownership, Ownership::Absent);
            assert_complete(&engine.ensure(spec, Some(&Secret::from(password))).await.unwrap());
            server.login(spec.name.to_string().as_str(), password, "app").await.unwrap();
        }
        for spec in &specs {
            assert_eq!(engine.remove(spec, &dropped()).await.unwrap(), [""; 0]);
            assert!(server.login(spec.name.to_string().as_str(), password, "app").await.is_err());
        }
        for spec in &specs {
            assert_eq!(engine.remove(spec, &dropped()).await.unwrap(), [""; 0], "a second time");
        }
        assert_eq!(server.traces().await, before);
    }
    let orders = server.column("app", &format!("SELECT id FROM {}", S::table("app", "orders"))).await;
    assert_eq!(orders, ["1"]);
}

pub(crate) async fn a_disabled_role_keeps_its_name_and_comes_back_with_its_password<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let engine = server.engine();
    let spec = server.spec("hoop_rw", Access::ReadWrite, &["app"]);
    make(&*engine, &spec).await;
    let mut open = server.login("hoop_rw", PASSWORD, "app").await.unwrap();
    let how = Removal { action: RemovalAction::Disable, ..dropped() };
    assert_eq!(engine.remove(&spec, &how).await.unwrap(), [""; 0]);
    assert!(server.login("hoop_rw", PASSWORD, "app").await.is_err());
    assert!(!S::attempt(&mut open, "SELECT 1").await.is_allowed(), "a session outlived its role");
    let seen = engine.read(&spec).await.unwrap();
    assert!(seen.ownership == Ownership::Ours && !seen.login.is_empty(), "{seen:?}");
    assert_complete(&engine.ensure(&spec, None).await.unwrap());
    let insert = format!("INSERT INTO {} (id) VALUES (2)", S::table("app", "orders"));
    let got = server.try_as("hoop_rw", "app", &insert).await;
    assert!(got.is_allowed(), "{got}");
}

pub(crate) async fn sessions_end_with_the_role_or_are_named<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let engine = server.engine();
    for access in Access::ALL {
        let spec = server.spec(&role_of(access), access, &["app"]);
        make(&*engine, &spec).await;
        let mut open = server.login(&role_of(access), PASSWORD, "app").await.unwrap();
        assert!(S::attempt(&mut open, "SELECT 1").await.is_allowed());
        assert_eq!(engine.remove(&spec, &dropped()).await.unwrap(), [""; 0]);
        assert!(!S::attempt(&mut open, "SELECT 1").await.is_allowed(), "{access}: a session outlived its role");
    }
    let spec = server.spec("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*engine, &spec).await;
    let mut open = server.login("hoop_ro", PASSWORD, "app").await.unwrap();
    let warnings = engine.remove(&spec, &Removal { end_sessions: false, ..dropped() }).await.unwrap();
    assert!(warnings.len() == 1 && warnings[0].contains("session"), "{warnings:?}");
    assert!(S::attempt(&mut open, "SELECT 1").await.is_allowed());
    assert_eq!(engine.read(&spec).await.unwrap().ownership, Ownership::Absent);
}

pub(crate) async fn what_a_role_made_stays_and_is_named<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let engine = server.engine();
    let spec = server.spec("hoop_ddl", Access::Ddl, &["app"]);
    make(&*engine, &spec).await;
    let legacy = server.legacy();
    let mut session = server.login("hoop_ddl", PASSWORD, "app").await.unwrap();
    for sql in legacy.makes {
        let got = S::attempt(&mut session, sql).await;
        assert!(got.is_allowed(), "{sql}: {got}");
    }
    let kept = server.column("app", legacy.kept).await;
    assert!(!kept.is_empty());
    let said = match engine.remove(&spec, &dropped()).await {
        Ok(warnings) => warnings.join("\n"),
        Err(error) => {
            assert!(!legacy.freed.is_empty(), "{error}");
            server.by_hand("app", legacy.freed).await;
            let warnings = engine.remove(&spec, &dropped()).await.unwrap();
            format!("{error}\n{}", warnings.join("\n"))
        }
    };
    assert!(said.contains(legacy.named), "`{}` is not in `{said}`", legacy.named);
    assert!(server.login("hoop_ddl", PASSWORD, "app").await.is_err());
    assert_eq!(server.column("app", legacy.kept).await, kept);
}

pub(crate) async fn what_a_role_made_is_handed_to_its_heir<S: Schemas>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let engine = server.engine();
    let before = server.traces().await;
    let spec = server.spec("hoop_ddl", Access::Ddl, &["app"]);
    make(&*engine, &spec).await;
    let made = S::table("app", "made");
    for sql in [format!("CREATE TABLE {made} (id INT)"), format!("INSERT INTO {made} VALUES (5)")] {
        assert!(server.try_as("hoop_ddl", "app", &sql).await.is_allowed());
    }
    let heir = |name: &str| Removal { reassign_owned_to: Some(name.parse().unwrap()), ..dropped() };
    let error = engine.remove(&spec, &heir("nobody_here")).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::NotFound(text) if text.contains("nobody_here")), "{error}");
    assert!(server.login("hoop_ddl", PASSWORD, "app").await.is_ok(), "a wrong heir took the role away");
    assert_eq!(engine.remove(&spec, &heir(&server.administrator())).await.unwrap(), [""; 0]);
    assert_eq!(server.owner("app", "made").await, server.administrator());
    assert_eq!(server.column("app", &format!("SELECT id FROM {made}")).await, ["5"]);
    let mut after = server.traces().await;
    after.retain(|trace| !trace.contains("made"));
    assert_eq!(after, before);
}
