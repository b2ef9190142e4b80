//! Until when a login is good, and how many sessions it may have.

use rdsaccess::access::{Access, Secret};
use rdsaccess::engine::{Fault, RoleSpec, Terms};

use super::subject::{PASSWORD, Subject};
use super::{assert_complete, assert_settled, make};

pub(crate) async fn the_number_of_sessions_is_bounded<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let free = server.spec("hoop_ro", Access::ReadOnly, &["app"]);
    let terms = |limit| Terms { connection_limit: limit, ..Terms::default() };
    let bounded = RoleSpec { terms: terms(Some(2)), ..free.clone() };
    if !S::HAS_CONNECTION_LIMIT {
        return assert_refused(&server, &bounded).await;
    }
    make(&*server.engine(), &bounded).await;
    assert_eq!(possible_sessions(&server).await, 2);
    assert_settled(&server, &*server.engine(), &bounded).await;
    for next in [Some(1), Some(3), None] {
        let next = RoleSpec { terms: terms(next), ..free.clone() };
        let engine = server.engine();
        let seen = engine.read(&next).await.unwrap();
        assert!(!seen.login.is_empty() && seen.coverage.is_complete(), "{seen:?}");
        assert_complete(&engine.ensure(&next, None).await.unwrap());
        assert_eq!(possible_sessions(&server).await, next.terms.connection_limit.map_or(4, |limit| limit as usize));
        assert_settled(&server, &*engine, &next).await;
    }
}

/// How many sessions the role gets; no more than four are tried.
async fn possible_sessions<S: Subject>(server: &S) -> usize {
    let mut open = Vec::new();
    while open.len() < 4 {
        match server.login("hoop_ro", PASSWORD, "app").await {
            Ok(session) => open.push(session),
            Err(_) => break,
        }
    }
    let count = open.len();
    for session in open {
        S::leave(session).await;
    }
    server.wait_until_gone("hoop_ro").await;
    count
}

pub(crate) async fn a_login_ends_when_it_should<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let endless = server.spec("hoop_ro", Access::ReadOnly, &["app"]);
    let until = |text: Option<&str>| RoleSpec {
        terms: Terms { valid_until: text.map(|text| text.parse().unwrap()), ..Terms::default() },
        ..endless.clone()
    };
    if !S::HAS_EXPIRY {
        return assert_refused(&server, &until(Some("2099-12-31T23:59:59Z"))).await;
    }
    make(&*server.engine(), &until(Some("2099-12-31T23:59:59Z"))).await;
    for (text, good) in [
        (Some("2001-01-01T00:00:00Z"), false),
        (Some("2098-02-28T12:00:00+02:00"), true),
        (Some("2001-01-01T00:00:00Z"), false),
        (None, true),
    ] {
        let next = until(text);
        let engine = server.engine();
        assert!(!engine.read(&next).await.unwrap().login.is_empty(), "{text:?} is no drift");
        assert_complete(&engine.ensure(&next, None).await.unwrap());
        assert_eq!(server.login("hoop_ro", PASSWORD, "app").await.is_ok(), good, "{text:?}");
        assert_settled(&server, &*engine, &next).await;
    }
}

async fn assert_refused<S: Subject>(server: &S, spec: &RoleSpec) {
    let before = server.traces().await;
    let error = server.engine().ensure(spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Unsupported(_)), "{error}");
    assert_eq!(server.traces().await, before);
}
