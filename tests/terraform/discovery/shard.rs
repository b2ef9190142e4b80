//! `shard`: one state per part of the accounts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::tree::Administrator;
use super::{contains_all, data, errors, names, workspace};
use crate::rig::{Rig, python};
use crate::wish::{DatabaseWish, Wish};

const PARTS: usize = 3;

/// The state of some parts.
fn configuration(indexes: &[usize]) -> String {
    format!(
        "data \"rdsaccess_accounts\" \"part\" {{\n  shard = {{ count = {PARTS}, indexes = {indexes:?} }}\n}}\n\
         resource \"terraform_data\" \"account\" {{\n  for_each = data.rdsaccess_accounts.part.ids\n}}\n"
    )
}

/// In which part another program sees an account.
fn part_of(account: &str) -> usize {
    let script = "import hashlib, sys\n\
                  print(int.from_bytes(hashlib.sha256(sys.argv[1].encode()).digest()[:8], 'big') % int(sys.argv[2]))";
    let output = python().args(["-c", script, account, &PARTS.to_string()]).output().expect("python runs");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

#[test]
fn an_account_that_is_added_changes_the_state_of_its_part_only() {
    let rig = Rig::start(&Wish::organization());
    let administrator = Administrator::of(&rig);
    let states: Vec<_> = (0..PARTS).map(|index| workspace(&rig, "", &configuration(&[index]))).collect();
    let both = workspace(&rig, "", &configuration(&[0, 2]));
    let mut seen = BTreeSet::new();
    for (index, state) in states.iter().enumerate() {
        state.apply().ok();
        for account in names(&data(state, "rdsaccess_accounts.part")["ids"]) {
            assert_eq!(part_of(account), index, "{account}");
            assert!(seen.insert(account.to_owned()), "{account} is in two parts");
        }
    }
    let members = rig.made.organization.accounts.values().map(|account| account.id.clone());
    assert_eq!(seen, members.chain([rig.made.organization.management_account.clone()]).collect());

    both.apply().ok();
    let in_both: BTreeSet<_> = seen.iter().filter(|account| part_of(account) != 1).map(String::as_str).collect();
    let found = data(&both, "rdsaccess_accounts.part");
    assert_eq!(names(&found["ids"]).into_iter().collect::<BTreeSet<_>>(), in_both, "a job runs several parts");

    for (n, email) in ["a", "b"].into_iter().enumerate() {
        let new = administrator.create("New", email);
        for (index, state) in states.iter().enumerate() {
            if index == part_of(&new) {
                let plan = state.plan().changes().stdout;
                contains_all(&plan, &[&new, "1 to add, 0 to change, 0 to destroy"]);
                state.apply_planned().ok();
            } else {
                state.plan().nothing();
            }
        }
        let held = states.iter().map(|state| names(&data(state, "rdsaccess_accounts.part")["ids"]).len());
        assert_eq!(held.sum::<usize>(), 7 + n + 1, "it is in one part");
    }
    // The units are the same in every state, with the accounts of the part.
    let units = data(&states[0], "rdsaccess_accounts.part")["units"].clone();
    assert_eq!(names(&units), names(&data(&states[1], "rdsaccess_accounts.part")["units"]));
}

#[test]
fn databases_of_other_parts_are_neither_listed_nor_entered() {
    let accounts = ["shared-services", "payments-prod", "payments-eu", "orders-eu", "payments-staging", "sandbox"];
    let wish = accounts.into_iter().fold(Wish::organization(), |wish, account| {
        wish.with(DatabaseWish::instance(account, "eu-west-1", "ledger", "postgres").unreachable())
    });
    let rig = Rig::start(&wish);
    let ids = json!(accounts.map(|name| rig.account_id(name)));
    let mut seen = BTreeSet::new();
    for index in 0..PARTS {
        let text = format!(
            "data \"rdsaccess_instances\" \"part\" {{\n  account_ids = {ids}\n  regions = [\"eu-west-1\"]\n  shard = {{ \
             count = {PARTS}, indexes = [{index}] }}\n}}\n"
        );
        let workspace = workspace(&rig, "", &text);
        rig.control("DELETE", "log", &Value::Null);
        workspace.apply().ok();
        let found = data(&workspace, "rdsaccess_instances.part");
        let targets = found["targets"].as_object().expect("a map").values();
        let listed: BTreeSet<String> =
            targets.map(|target| target["account_id"].as_str().expect("an id").to_owned()).collect();
        let entered = rig.calls("AssumeRole");
        let entered: BTreeSet<String> = entered
            .iter()
            .filter_map(|call| Some(call["params"]["RoleArn"].as_str()?.split(':').nth(4)?.to_owned()))
            .collect();
        assert_eq!(entered, listed, "each has a database, and nobody else is entered");
        assert!(listed.iter().all(|account| part_of(account) == index), "{listed:?}");
        seen.extend(listed);
    }
    assert_eq!(seen.len(), accounts.len());
}

#[test]
fn a_part_that_there_is_not_is_named() {
    let rig = Rig::start(&Wish::organization());
    let workspace = workspace(&rig, "", "");
    rig.control("DELETE", "log", &Value::Null);
    for source in ["rdsaccess_accounts", "rdsaccess_instances"] {
        let said = |shard: &str| {
            workspace.write("main.tf", &format!("data {source:?} \"part\" {{\n  shard = {shard}\n}}\n"));
            let run = workspace.plan_run();
            assert_eq!(errors(&run), 1, "{}", run.stderr);
            run.error()
        };
        contains_all(&said("{ count = 4, indexes = [0, 4] }"), &["shard.indexes", "no part 4", "0 to 3"]);
        contains_all(&said("{ count = 4, indexes = [-1] }"), &["shard.indexes", "`-1` is below 0"]);
        contains_all(&said("{ count = 0, indexes = [0] }"), &["shard.count", "between 1 and 10000"]);
        contains_all(&said("{ count = 4, indexes = [] }"), &["shard.indexes", "not empty"]);
        contains_all(&said("{ count = 4 }"), &["indexes"]);
    }
    assert_eq!(rig.calls("GetCallerIdentity"), Vec::<Value>::new(), "what is wrong on paper needs no call");
}
