//! One suite for every engine: what a role promises, proved on a real server by logging in as the role.
//!
//! `subject` says what an engine must provide, a folder per engine provides it, and each other file holds the cases of
//! one topic, written once. `proof` writes what was tried into `target/proof/`, and compares it with the copy in
//! `proof/` beside it, which is what the product promises; `RDSACCESS_UPDATE=1` writes that copy anew.

/// The cases of the suite as tests of this module; attributes are given to each of them.
macro_rules! suite {
    ($subject:ty $(, #[$attribute:meta])*) => {
        case!($subject, [$(#[$attribute])*], levels, levels_hold);
        case!($subject, [$(#[$attribute])*], scope, a_chosen_database_is_all_that_a_role_enters);
        case!($subject, [$(#[$attribute])*], scope, all_databases_are_those_that_are_not_the_systems);
        case!($subject, [$(#[$attribute])*], scope, databases_that_cannot_be_covered_are_refused_by_name);
        case!($subject, [$(#[$attribute])*], later, later_tables_of_everybody_who_creates_are_covered);
        case!($subject, [$(#[$attribute])*], later, what_one_ddl_login_makes_another_may_change);
        case!($subject, [$(#[$attribute])*], later, a_new_database_is_drift_until_the_next_ensure);
        case!($subject, [$(#[$attribute])*], drift, every_change_by_hand_is_seen_and_repaired);
        case!($subject, [$(#[$attribute])*], grants, a_grant_outside_the_covered_databases_is_refused);
        case!($subject, [$(#[$attribute])*], grants, a_grant_that_cannot_be_is_refused_before_anything_is_sent);
        case!($subject, [$(#[$attribute])*], grants, each_grant_opens_what_it_names_and_goes_with_the_specification);
        case!($subject, [$(#[$attribute])*], change, a_level_is_changed_in_place);
        case!($subject, [$(#[$attribute])*], removal, a_dropped_role_leaves_nothing_and_can_be_made_again);
        case!($subject, [$(#[$attribute])*], removal, a_disabled_role_keeps_its_name_and_comes_back_with_its_password);
        case!($subject, [$(#[$attribute])*], removal, sessions_end_with_the_role_or_are_named);
        case!($subject, [$(#[$attribute])*], removal, what_a_role_made_stays_and_is_named);
        case!($subject, [$(#[$attribute])*], password, a_changed_password_replaces_the_old_one_and_is_never_logged);
        case!($subject, [$(#[$attribute])*], password, a_role_without_a_password_lets_nobody_in);
        case!($subject, [$(#[$attribute])*], password, a_password_that_cannot_be_set_is_not_logged_either);
        case!($subject, [$(#[$attribute])*], ownership, a_role_of_somebody_else_is_left_alone_until_it_is_adopted);
        case!($subject, [$(#[$attribute])*], ownership, a_role_that_came_with_a_copy_of_another_server_is_not_ours);
        case!($subject, [$(#[$attribute])*], ownership, administrators_are_never_managed);
        case!($subject, [$(#[$attribute])*], names, hostile_names_make_the_whole_round);
        case!($subject, [$(#[$attribute])*], names, a_refused_name_is_refused_before_anything_is_sent);
    };
}

/// The cases about the terms of a login.
macro_rules! suite_of_terms {
    ($subject:ty $(, #[$attribute:meta])*) => {
        case!($subject, [$(#[$attribute])*], terms, the_number_of_sessions_is_bounded);
        case!($subject, [$(#[$attribute])*], terms, a_login_ends_when_it_should);
    };
}

/// The cases about schemas and owners, for engines where a role can be confined to them.
macro_rules! suite_of_schemas {
    ($subject:ty $(, #[$attribute:meta])*) => {
        case!($subject, [$(#[$attribute])*], scope, chosen_schemas_are_all_that_a_role_sees);
        case!($subject, [$(#[$attribute])*], scope, chosen_owners_are_all_that_ddl_acts_for);
        case!($subject, [$(#[$attribute])*], later, a_new_schema_and_a_new_creator_are_drift_until_the_next_ensure);
        case!($subject, [$(#[$attribute])*], removal, what_a_role_made_is_handed_to_its_heir);
        case!($subject, [$(#[$attribute])*], names, hostile_names_of_schemas_make_the_whole_round);
    };
}

macro_rules! case {
    ($subject:ty, [$($attributes:tt)*], $topic:ident, $case:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        $($attributes)*
        async fn $case() {
            crate::conformance::$topic::$case::<$subject>().await;
        }
    };
}

mod change;
mod drift;
mod grants;
mod later;
mod levels;
mod mysql;
mod names;
mod ownership;
mod password;
mod postgres;
mod proof;
mod removal;
mod scope;
mod sqlserver;
mod subject;
mod terms;

use rdsaccess::access::{Access, Grant, ObjectKind, Secret};
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

/// A grant in the database `app`, on all objects of the kind when none is named.
fn grant(kind: ObjectKind, schema: &str, objects: &[&str], privileges: &[&str]) -> Grant {
    Grant {
        database: "app".parse().unwrap(),
        schema: (!schema.is_empty()).then(|| schema.parse().unwrap()),
        kind,
        objects: (!objects.is_empty()).then(|| objects.iter().map(|name| name.parse().unwrap()).collect()),
        privileges: privileges.iter().map(|name| name.parse().unwrap()).collect(),
    }
}

/// Everything that reading says, in one text.
fn words(observed: &Observed) -> String {
    let login = observed.login.iter().map(|gap| gap.what.clone());
    let texts = [observed.coverage.texts(), observed.uncovered.texts()];
    let places = texts.iter().flatten().map(|(database, text)| format!("{database}: {text}"));
    login.chain(places).collect::<Vec<_>>().join("\n")
}

/// The next ensure changes nothing: no statement that changes roles or rights is sent.
async fn assert_settled<S: Subject>(server: &S, engine: &dyn Server, spec: &RoleSpec) {
    let before = server.log().await.len();
    let observed = engine.ensure(spec, None).await.unwrap_or_else(|error| panic!("{error}"));
    assert_complete(&observed);
    let sent = S::changing(&server.log().await[before..]);
    assert!(sent.is_empty(), "a second ensure sent {sent:#?}");
    assert_complete(&engine.read(spec).await.unwrap());
}
