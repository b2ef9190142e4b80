//! Faults of AWS and of the database in the middle of a rotation: what fails says so, and the next apply goes on.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::hosted::{Applied, State};
use super::stage::{Engine, Stage, Subject};
use super::vault::Vault;
use super::watch::Then;
use crate::kv::Reader;
use crate::sql::as_owner;

/// Orders a fault of the fake AWS.
fn fault(stage: &Stage, action: &str, code: &str, times: i32, when: &str) {
    let order = json!({ "action": action, "code": code, "status": 400, "times": times, "when": when });
    stage.rig.control("POST", "faults", &order);
}

fn no_faults(stage: &Stage) {
    stage.rig.control("DELETE", "faults", &Json::Null);
}

fn puts(stage: &Stage) -> usize {
    stage.rig.calls("PutSecretValue").len()
}

/// The master credential and a role whose administrator it is, both made; and what their next rotation is. The role
/// comes first: it needs the password that the master has now.
fn made(stage: &Stage, strategy: &str) -> [(Subject, State); 2] {
    let master = stage.apply(&stage.master(1), &State::none()).ok();
    let role = stage.apply(&role_below(stage, &master, strategy, 1), &State::none()).ok();
    [(role_below(stage, &master, strategy, 2), role), (stage.master(2), master)]
}

fn role_below(stage: &Stage, master: &State, strategy: &str, round: usize) -> Subject {
    let mut subject = stage.role("kept", strategy, round);
    subject.configuration["admin"] = json!({ "secret_ref": master.text("secret_ref") });
    subject
}

#[test]
fn a_store_that_fails_after_the_database_changed_is_continued() {
    let stage = Stage::new(Engine::Postgres);
    let role = (stage.role("kept", "single", 2), stage.apply(&stage.role("kept", "single", 1), &State::none()).ok());
    for (subject, before) in [role, (stage.master(1), State::none())] {
        fault(&stage, "UpdateSecretVersionStage", "AccessDeniedException", -1, "before");
        let (failed, words) = stage.apply(&subject, &before).errors();
        assert!(words.contains("UpdateSecretVersionStage") && words.contains("Allow"), "{words}");
        let pending = stage.versions(&subject).into_iter().find(|kept| kept.pending).expect("it waits");
        assert!(stage.works(&pending), "the database holds what waits");
        let stored = puts(&stage);
        no_faults(&stage);
        let state = if before.value.is_null() { State::none() } else { failed };
        let (state, changed) = stage.repair(&subject, &state);
        assert!(changed);
        stage.assert_settled(&subject, &state, "after a store that failed");
        assert_eq!(stage.current(&subject).unwrap().password, pending.password, "it is used, not replaced");
        assert!(puts(&stage) <= stored);
    }
}

#[test]
fn a_vault_that_fails_after_the_database_changed_is_continued() {
    let stage = Stage::with(Engine::Mariadb, Box::new(Vault::kv2()));
    let vault = Reader::of(stage.rig.made.vault.as_ref().unwrap());
    let mut state = stage.apply(&stage.role("kept", "single", 1), &State::none()).ok();
    let failures = [
        ("secret/metadata/*/kept", 403, "permission denied", "capabilities = [\"create\", \"update\"]"),
        ("secret/data/*/kept", 503, "Vault is sealed", "is sealed"),
        ("secret/destroy/*/kept.pending", 403, "permission denied", "capabilities = [\"update\"]"),
    ];
    for (round, (path, status, message, expected)) in failures.into_iter().enumerate() {
        let subject = stage.role("kept", "single", round + 2);
        let order = json!({ "method": "POST", "path": path, "n": -1, "status": status, "errors": [message] });
        vault.steer("POST", "faults", &order);
        let (failed, words) = stage.apply(&subject, &state).errors();
        assert!(words.contains(expected), "{path}: {words}");
        let pending = stage.versions(&subject).into_iter().find(|kept| kept.pending).expect("it waits");
        assert!(stage.works(&pending), "{path}: the database holds what waits");
        vault.steer("DELETE", "faults", &Json::Null);
        let (repaired, changed) = stage.repair(&subject, &failed);
        assert!(changed);
        stage.assert_settled(&subject, &repaired, path);
        assert_eq!(stage.current(&subject).unwrap().password, pending.password, "{path}: used, not replaced");
        state = repaired;
    }
}

#[test]
fn a_database_that_fails_after_the_store_wrote_is_continued() {
    let stage = Stage::new(Engine::Postgres);
    let subject = stage.role("kept", "single", 2);
    let before = stage.apply(&stage.role("kept", "single", 1), &State::none()).ok();
    let old = stage.current(&subject).unwrap();
    let rights = |word: &str| {
        as_owner(stage.database(), "postgres", &format!("ALTER ROLE {} {word}", stage.database().master_username));
    };
    rights("NOCREATEROLE");
    let (failed, words) = stage.apply(&subject, &before).errors();
    assert!(words.to_lowercase().contains("permission denied"), "{words}");
    assert!(stage.works(&old) && stage.current(&subject).unwrap() == old, "readers notice nothing");
    rights("CREATEROLE");
    let (state, _) = stage.repair(&subject, &failed);
    stage.assert_settled(&subject, &state, "after a database that refused");

    // RDS takes the call and answers with an error, or never gets it.
    let (subject, mut state) = (stage.master(1), State::none());
    for when in ["before", "after"] {
        fault(&stage, "ModifyDBInstance", "InsufficientDBInstanceCapacity", -1, when);
        let (_, words) = stage.apply(&subject, &state).errors();
        assert!(words.contains("ModifyDBInstance"), "{words}");
        no_faults(&stage);
        let versions = stage.versions(&subject);
        let initial = stage.logs_in(&subject.user, &stage.database().master_password);
        assert!(initial || versions.iter().any(|kept| stage.works(kept)), "somebody knows the password");
        state = stage.repair(&subject, &State::none()).0;
        stage.assert_settled(&subject, &state, "after an RDS that failed");
        stage.store.purge(&stage.rig, stage.database(), &subject.user);
        state = State::none();
    }
}

#[test]
fn throttling_slows_a_rotation_and_does_not_break_it() {
    let stage = Stage::new(Engine::Mariadb);
    for (subject, before) in made(&stage, "single") {
        let throttled = |times| {
            for action in ["PutSecretValue", "GetSecretValue", "DescribeSecret", "UpdateSecretVersionStage"] {
                fault(&stage, action, "ThrottlingException", times, "before");
            }
            fault(&stage, "ModifyDBInstance", "Throttling", times, "before");
        };
        throttled(2);
        let state = stage.apply(&subject, &before).ok();
        no_faults(&stage);
        stage.assert_settled(&subject, &state, "throttled");
    }
}

#[test]
fn a_database_that_is_busy_is_waited_for_as_long_as_the_time_out_allows() {
    let stage = Stage::new(Engine::Postgres);
    let mut subject = stage.master(1);
    subject.configuration["timeouts"] = json!({ "create": "40s", "update": "12s" });
    fault(&stage, "ModifyDBInstance", "InvalidDBInstanceState", 1, "before");
    let state = stage.apply(&subject, &State::none()).ok();
    assert_eq!(stage.rig.calls("ModifyDBInstance").len(), 2, "it was asked again");
    no_faults(&stage);
    let mut next = stage.master(2);
    next.configuration["timeouts"] = subject.configuration["timeouts"].clone();
    fault(&stage, "ModifyDBInstance", "InvalidDBInstanceState", -1, "before");
    let (failed, words) = stage.apply(&next, &state).errors();
    assert!(words.contains("12s") && words.contains("apply again"), "{words}");
    no_faults(&stage);
    assert!(stage.works(&stage.current(&next).unwrap()), "the password before is as good as it was");
    let (state, _) = stage.repair(&next, &failed);
    stage.assert_settled(&next, &state, "after a time-out");
}

/// The connection breaks after each effect, before its answer: the server has done it, and nobody was told.
fn survives_cuts(engine: Engine, strategy: &str, then: Then) {
    survives_cuts_on(&Stage::new(engine), engine, strategy, then);
}

fn survives_cuts_on(stage: &Stage, engine: Engine, strategy: &str, then: Then) {
    let [(_, mut state), (_, master)] = made(stage, strategy);
    let mut after = 1;
    while after < 20 {
        let subject = role_below(stage, &master, strategy, after + 1);
        let old = stage.current(&subject).unwrap();
        let applied = stage.apply_until(&subject, &state, after, then);
        let effects = stage.watch.disarm();
        let story = format!("{} {strategy}, cut after {}", engine.name(), effects.join(" > "));
        let Applied::Done(reached, errors) = applied else { panic!("{story}: nothing is killed here") };
        assert!(!errors.iter().any(|words| words.contains("panic")), "{story}: {errors:?}");
        if strategy == "dual_password" {
            let version = stage.current(&subject).unwrap();
            assert!(stage.works(&old), "{story}: the password before has ended");
            assert!(stage.works(&version), "{story}: the current password is refused");
        }
        state = stage.repair(&subject, &reached).0;
        stage.assert_settled(&subject, &state, &story);
        if strategy == "dual_password" && errors.is_empty() {
            assert!(stage.works(&old), "{story}: the password before has ended");
        }
        if effects.len() < after {
            return;
        }
        after = effects.len() + 1;
    }
    panic!("{}: there is no end of effects", engine.name());
}

#[test]
fn two_passwords_survive_a_connection_that_is_cut_after_the_change() {
    survives_cuts(Engine::Mysql, "dual_password", Then::Cut);
}

#[test]
fn a_connection_that_is_cut_after_the_change_is_no_reason_to_change_again() {
    survives_cuts(Engine::Postgres, "single", Then::Cut);
}

/// Also the answers of Vault get lost: a write that may have been carried out is not sent again blindly.
#[test]
fn connections_that_are_cut_are_outlived_with_vault_kv2() {
    survives_cuts_on(&Stage::with(Engine::Mysql, Box::new(Vault::kv2())), Engine::Mysql, "dual_password", Then::Cut);
}

#[test]
fn connections_that_are_cut_are_outlived_with_vault_kv1() {
    survives_cuts_on(&Stage::with(Engine::Postgres, Box::new(Vault::kv1())), Engine::Postgres, "single", Then::Cut);
}

/// All connections to the database break, and new ones are refused for a while.
#[test]
fn a_failover_in_the_middle_of_a_rotation_is_outlived() {
    survives_cuts(Engine::Mariadb, "two_users", Then::FailOver(Duration::from_secs(2)));
}

#[test]
fn a_version_that_another_program_has_just_stored_is_left_alone_and_an_old_one_is_continued() {
    let stage = Stage::new(Engine::Mariadb);
    for (subject, before) in made(&stage, "single") {
        let old = stage.current(&subject).unwrap();
        let version = stage.store.disturb(&stage.rig, stage.database(), &subject.user, "Theirs-and-long-enough.1");
        let (_, words) = stage.apply(&subject, &before).errors();
        assert!(words.contains(&version) && words.contains("another program is changing the password"), "{words}");
        assert!(words.contains("Nothing was changed"), "{words}");
        assert!(stage.works(&old) && stage.current(&subject).unwrap() == old);
        stage.store.age(&stage.rig, stage.database(), &subject.user, &version, 3_700);
        let (state, changed) = stage.repair(&subject, &before);
        assert!(changed);
        stage.assert_settled(&subject, &state, "an old version of somebody else");
        assert_eq!(stage.current(&subject).unwrap().password, "Theirs-and-long-enough.1");
    }
}

fn replaces_what_rds_never_takes(stage: &Stage) {
    let before = stage.apply(&stage.master(1), &State::none()).ok();
    let subject = stage.master(2);
    let version = stage.store.disturb(&stage.rig, stage.database(), &subject.user, "short");
    stage.store.age(&stage.rig, stage.database(), &subject.user, &version, 3_700);
    let (state, changed) = stage.repair(&subject, &before);
    assert!(changed);
    stage.assert_settled(&subject, &state, "a password that is too short");
    assert_eq!(stage.current(&subject).unwrap().password.len(), 40);
}

#[test]
fn a_pending_password_that_rds_never_takes_is_replaced() {
    replaces_what_rds_never_takes(&Stage::new(Engine::Postgres));
}

#[test]
fn a_pending_password_that_rds_never_takes_is_replaced_in_vault() {
    for store in [Vault::kv2(), Vault::kv1()] {
        replaces_what_rds_never_takes(&Stage::with(Engine::Mariadb, Box::new(store)));
    }
}
