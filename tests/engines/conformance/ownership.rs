//! Whose a role is: one of somebody else is refused until it is adopted, and some are never touched.

use rdsaccess::access::{Access, Mark, Secret};
use rdsaccess::engine::{Fault, Ownership, Removal, RemovalAction};

use super::subject::{NEXT_PASSWORD, PASSWORD, Subject};
use super::{assert_complete, assert_settled, make};

const ACTIONS: [RemovalAction; 2] = [RemovalAction::Drop, RemovalAction::Disable];

fn by(action: RemovalAction) -> Removal {
    Removal { action, end_sessions: true, reassign_owned_to: None }
}

pub(crate) async fn a_role_of_somebody_else_is_left_alone_until_it_is_adopted<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    server.make_foreign().await;
    let before = server.traces().await;
    let mut spec = server.spec("theirs", Access::ReadOnly, &["app"]);
    spec.adopt = false;
    let seen = server.engine().read(&spec).await.unwrap();
    assert!(matches!(&seen.ownership, Ownership::Foreign(text) if text.contains("theirs")), "{seen:?}");
    let error = server.engine().ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Foreign(text) if text.contains("theirs")), "{error}");
    for action in ACTIONS {
        let warnings = server.engine().remove(&spec, &by(action)).await.unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains("it was left as it is"), "{warnings:?}");
    }
    assert_eq!(server.traces().await, before);
    server.login("theirs", NEXT_PASSWORD, "app").await.unwrap();

    spec.adopt = true;
    assert_complete(&server.engine().ensure(&spec, None).await.unwrap());
    server.login("theirs", NEXT_PASSWORD, "app").await.unwrap();
    assert_complete(&server.engine().ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap());
    let got = server.try_as("theirs", "app", &format!("SELECT * FROM {}", S::table("app", "orders"))).await;
    assert!(got.is_allowed(), "{got}");
    assert!(server.login("theirs", NEXT_PASSWORD, "app").await.is_err());
    spec.adopt = !server.keeps_marks();
    assert_settled(&server, &*server.engine(), &spec).await;
    assert_eq!(server.engine().read(&spec).await.unwrap().ownership, Ownership::Ours);
}

pub(crate) async fn a_role_that_came_with_a_copy_of_another_server_is_not_ours<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let mut spec = server.spec("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*server.engine(), &spec).await;
    spec.mark = Mark::new("db-RESTORED", None);
    spec.adopt = false;
    let error = server.engine().ensure(&spec, Some(&Secret::from(NEXT_PASSWORD))).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Foreign(_)), "{error}");
    server.login("hoop_ro", PASSWORD, "app").await.unwrap();
    spec.adopt = true;
    assert_complete(&server.engine().ensure(&spec, None).await.unwrap());
    spec.adopt = !server.keeps_marks();
    assert_settled(&server, &*server.engine(), &spec).await;
}

pub(crate) async fn administrators_are_never_managed<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let names = server.untouchable().await;
    assert!(names.contains(&server.administrator()), "{names:?}");
    let before = server.traces().await;
    for name in names {
        let mut spec = server.spec(&name, Access::ReadOnly, &["app"]);
        spec.adopt = true;
        let seen = server.engine().read(&spec).await.unwrap();
        assert!(matches!(seen.ownership, Ownership::Foreign(_)), "{name}: {seen:?}");
        let error = server.engine().ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Foreign(_) | Fault::Unsupported(_)), "{name}: {error}");
        for action in ACTIONS {
            let warnings = server.engine().remove(&spec, &by(action)).await.unwrap();
            assert!(warnings.len() == 1 && warnings[0].contains("it was left as it is"), "{name}: {warnings:?}");
        }
    }
    assert_eq!(server.traces().await, before);
    server.engine().ping().await.unwrap();
}
