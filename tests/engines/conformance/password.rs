//! Passwords: what logs in, and where a password must never be seen.

use rdsaccess::access::{Access, Secret};

use super::subject::{NEXT_PASSWORD, PASSWORD, Subject};
use super::{assert_complete, make};

pub(crate) async fn a_changed_password_replaces_the_old_one_and_is_never_logged<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let engine = server.engine();
    let spec = server.spec("hoop_ro", Access::ReadOnly, &["app"]);
    make(&*engine, &spec).await;
    let (first, second) = (Secret::from(PASSWORD), Secret::from(NEXT_PASSWORD));
    for (good, bad) in [(&first, &second), (&second, &first)] {
        assert_complete(&engine.ensure(&spec, Some(good)).await.unwrap());
        assert!(engine.accepts(&spec, good).await.unwrap() && engine.proves(&spec, good).await.unwrap());
        assert!(!engine.accepts(&spec, bad).await.unwrap() && !engine.proves(&spec, bad).await.unwrap());
        server.login("hoop_ro", good.expose(), "app").await.unwrap();
        let refused = server.login("hoop_ro", bad.expose(), "app").await.err().unwrap();
        assert!(refused.is_denied(), "{refused}");
    }
    // Another change leaves the password as it is.
    assert_complete(&engine.ensure(&server.spec("hoop_ro", Access::ReadWrite, &["app"]), None).await.unwrap());
    server.login("hoop_ro", NEXT_PASSWORD, "app").await.unwrap();
    assert_no_secret_was_logged(&server).await;
}

pub(crate) async fn a_role_without_a_password_lets_nobody_in<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let engine = server.engine();
    let spec = server.spec("hoop_ro", Access::ReadOnly, &["app"]);
    assert_complete(&engine.ensure(&spec, None).await.unwrap());
    for guess in ["", "hoop_ro", PASSWORD] {
        assert!(server.login("hoop_ro", guess, "app").await.is_err(), "{guess}");
    }
    assert!(!engine.accepts(&spec, &Secret::from(PASSWORD)).await.unwrap());
    make(&*engine, &spec).await;
    server.login("hoop_ro", PASSWORD, "app").await.unwrap();
    assert_no_secret_was_logged(&server).await;
}

pub(crate) async fn a_password_that_cannot_be_set_is_not_logged_either<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    server.make_stubborn().await;
    let mut spec = server.spec("stubborn", Access::ReadOnly, &["app"]);
    spec.adopt = true;
    let error = server.engine().ensure(&spec, Some(&Secret::from(PASSWORD))).await.unwrap_err();
    assert!(!error.to_string().contains(PASSWORD), "{error}");
    assert!(!format!("{error:?}").contains(PASSWORD));
    assert!(server.login("stubborn", PASSWORD, "app").await.is_err());
    assert_no_secret_was_logged(&server).await;
}

/// Neither password stands in the server's log, and no statement that would hold one.
async fn assert_no_secret_was_logged<S: Subject>(server: &S) {
    let log = server.log().await;
    assert!(log.contains("hoop_ro") || log.contains("stubborn"), "the server logs no statements");
    for secret in [PASSWORD, NEXT_PASSWORD] {
        assert!(!log.contains(secret), "a password is in the log");
    }
    let role = |line: &&str| line.contains("hoop_ro") || line.contains("stubborn");
    for line in log.lines().filter(role) {
        assert!(!S::CLEAR.iter().any(|word| line.contains(word)), "{line}");
    }
}
