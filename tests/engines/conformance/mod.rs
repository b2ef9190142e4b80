//! One suite for every engine: what a role promises, proved on a real server by logging in as the role.
//!
//! `subject` says what an engine must provide, a folder per engine provides it, and each other file holds the cases of
//! one topic, written once. `proof` writes what was tried into `target/proof/`, and compares it with the copy in
//! `proof/` beside it, which is what the product promises; `RDSACCESS_UPDATE=1` writes that copy anew.

/// The cases of the suite as tests of this module; attributes are given to each of them.
macro_rules! suite {
    ($subject:ty $(, #[$attribute:meta])*) => {
        suite!(@case $subject, [$(#[$attribute])*], levels, levels_hold);
    };
    (@case $subject:ty, [$($attributes:tt)*], $topic:ident, $case:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        $($attributes)*
        async fn $case() {
            crate::conformance::$topic::$case::<$subject>().await;
        }
    };
}

mod levels;
mod mysql;
mod postgres;
mod proof;
mod subject;

use rdsaccess::access::{Access, Secret};
use rdsaccess::engine::{Observed, RoleSpec, Server};

use subject::{PASSWORD, Subject};

/// The name of the suite's role of a level.
fn role_of(access: Access) -> String {
    format!("hoop_{}", access.suffix())
}

/// Makes a role with the usual password; everything must be complete afterwards.
async fn make(engine: &dyn Server, spec: &RoleSpec) -> Observed {
    let made = engine.ensure(spec, Some(&Secret::from(PASSWORD))).await;
    let observed = made.unwrap_or_else(|error| panic!("{}: {error}", spec.name));
    assert_complete(&observed);
    observed
}

fn assert_complete(observed: &Observed) {
    assert!(observed.login.is_empty(), "{:?}", observed.login);
    assert!(observed.coverage.is_complete(), "{:?}", observed.coverage.texts());
}

/// Everything that reading says, in one text.
fn words(observed: &Observed) -> String {
    let login = observed.login.iter().map(|gap| gap.what.clone());
    let texts = [observed.coverage.texts(), observed.uncovered.texts()];
    let places = texts.iter().flatten().map(|(database, text)| format!("{database}: {text}"));
    login.chain(places).collect::<Vec<_>>().join("\n")
}

/// The next ensure changes nothing: no statement that changes roles or rights is sent.
async fn assert_settled<S: Subject>(server: &S, spec: &RoleSpec) {
    let before = server.log().await.len();
    let observed = server.engine().ensure(spec, None).await.unwrap_or_else(|error| panic!("{error}"));
    assert_complete(&observed);
    let sent = S::changing(&server.log().await[before..]);
    assert!(sent.is_empty(), "a second ensure sent {sent:#?}");
    assert_complete(&server.engine().read(spec).await.unwrap());
}
