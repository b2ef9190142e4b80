//! Two processes apply to one target at the same time: one may be told to wait, and whatever the order, what is stored
//! in the end logs in.

use serde_json::json;

use super::hosted::{Applied, State};
use super::stage::{Engine, Stage, Subject};
use super::vault::Vault;

/// Applies the same change in two processes at once.
fn race(stage: &Stage, subject: &Subject, before: &State) -> [Applied; 2] {
    let planned = [(), ()].map(|()| {
        let mut provider = stage.provider();
        let prior = if before.value.is_null() { before.clone() } else { provider.refresh(subject.resource, before) };
        let plan = provider.plan(subject.resource, &prior, &subject.configuration);
        (provider, plan)
    });
    let (watch, configuration) = (&stage.watch, &subject.configuration);
    std::thread::scope(|scope| {
        let running = planned.map(|(mut provider, plan)| {
            scope.spawn(move || provider.apply(subject.resource, &plan, configuration, watch))
        });
        running.map(|apply| apply.join().expect("the apply ends"))
    })
}

/// The new states of those that got through, and the words of those that did not.
fn sorted(applied: [Applied; 2]) -> (Vec<State>, Vec<String>) {
    let (mut through, mut refused) = (Vec::new(), Vec::new());
    for applied in applied {
        match applied {
            Applied::Done(state, errors) if errors.is_empty() => through.push(state),
            Applied::Done(_, errors) => refused.push(errors.join("\n")),
            Applied::Killed => panic!("nothing is killed here"),
        }
    }
    (through, refused)
}

fn two_at_once(engine: Engine, strategy: &str) {
    let stage = Stage::new(engine);
    // So slow that both are under way at once.
    stage.rig.control("PUT", "settings", &json!({ "latency_ms": 20 }));
    two_at_once_on(&stage, engine, strategy);
}

fn two_at_once_on(stage: &Stage, engine: Engine, strategy: &str) {
    // The masters come last: the role's administrator has the first password of the master.
    for is_role in [true, false] {
        let mut state = State::none();
        for round in 1..=3 {
            let subject = if is_role { stage.role("kept", strategy, round) } else { stage.master(round) };
            let story = format!("{} round {round} of {}", engine.name(), subject.resource);
            let (through, refused) = sorted(race(stage, &subject, &state));
            for words in &refused {
                assert!(words.contains("again"), "{story}: the refusal says what to do: {words}");
            }
            let last =
                through.into_iter().next_back().unwrap_or_else(|| panic!("{story}: none got through: {refused:?}"));
            // Terraform keeps the state of one of them; the version of the other one may be the one that was promoted.
            let (settled, _) = stage.repair(&subject, &last);
            stage.assert_settled(&subject, &settled, &story);
            state = settled;
        }
    }
}

#[test]
fn two_processes_at_once_leave_one_good_password_on_postgres() {
    two_at_once(Engine::Postgres, "single");
}

#[test]
fn two_processes_at_once_leave_one_good_password_on_mysql() {
    two_at_once(Engine::Mysql, "dual_password");
}

#[test]
fn two_processes_at_once_leave_one_good_password_with_vault_kv2() {
    let stage = Stage::with(Engine::Postgres, Box::new(Vault::kv2()));
    two_at_once_on(&stage, Engine::Postgres, "single");
}
