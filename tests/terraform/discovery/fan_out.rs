//! The examples that go through a whole organization: a state per part, and the mirror of the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::{contains_all, handle, names, provider_block};
use crate::rig::{Rig, python, repository};
use crate::wish::Wish;
use crate::workspace::{Run, Workspace};

fn example(name: &str) -> PathBuf {
    repository().join("examples/scenarios").join(name)
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The example as it is, with an override file that brings it to the fake AWS.
fn try_out<'a>(rig: &'a Rig, name: &str, overrides: &str) -> Workspace<'a> {
    let workspace = Workspace::new(rig);
    workspace.write("main.tf", &read(example(name).join("main.tf")));
    workspace.write("rig_override.tf", &format!("{}{overrides}", provider_block(rig, "")));
    workspace.init().ok();
    workspace
}

/// Runs the script of the example beside the configuration, as a job does.
fn each_shard(workspace: &Workspace<'_>, arguments: &[&str]) -> Run {
    let terraform = workspace.command(&[]);
    let program = terraform.get_args().last().expect("the program").to_owned();
    let mut command = Command::new("bash");
    command.arg(example("shards").join("each-shard")).args(arguments).current_dir(workspace.folder()).env_clear();
    command.envs(terraform.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERRAFORM", program);
    let output = command.output().expect("bash runs");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The accounts in the state of a part.
fn accounts_of(workspace: &Workspace<'_>, index: usize) -> BTreeMap<String, String> {
    workspace.run(&["workspace", "select", &format!("shard-{index}")]).ok();
    serde_json::from_value(workspace.output("accounts")).expect("handles by id")
}

#[test]
fn the_states_of_all_parts_hold_every_account_once() {
    let rig = Rig::start(&Wish::organization());
    let overrides = "terraform {\n  backend \"local\" {}\n}\nlocals {\n  shards = 2\n}\n\
                     data \"rdsaccess_accounts\" \"part\" {\n  organizational_units = [\"Root\"]\n}\n";
    let workspace = try_out(&rig, "shards", overrides);

    // Without a workspace of a part nothing is read and nothing is planned.
    let error = workspace.plan_run().error();
    contains_all(&error, &["Select a workspace from shard-0 to shard-1"]);
    assert_eq!(rig.calls("ListRoots"), Vec::<Value>::new());

    each_shard(&workspace, &["apply", "0", "1"]).ok();
    let (first, second) = (accounts_of(&workspace, 0), accounts_of(&workspace, 1));
    assert!(!first.is_empty() && !second.is_empty(), "{first:?} {second:?}");
    assert!(first.keys().all(|account| !second.contains_key(account)), "{first:?} {second:?}");
    let all: BTreeSet<&str> = first.keys().chain(second.keys()).map(String::as_str).collect();
    let members = rig.made.organization.accounts.values().map(|account| account.id.as_str());
    assert_eq!(all, members.chain([rig.made.organization.management_account.as_str()]).collect());

    contains_all(&each_shard(&workspace, &["plan", "1", "0"]).ok().stdout, &["== shard 1", "== shard 0", "No changes"]);
    // A part that fails, here one that does not exist, does not keep the next from its turn.
    let run = each_shard(&workspace, &["apply", "2", "0"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    contains_all(&run.stderr, &["no part 2", "failed: 2"]);
    contains_all(&run.stdout, &["== shard 0", "Apply complete!"]);
    assert_eq!(each_shard(&workspace, &["destroy", "0"]).code, 2);
}

#[test]
fn the_matrix_has_every_part_once() {
    let workflow = example("shards").join(".github/workflows/databases.yml");
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))['jobs']))";
    let output = python().args(["-c", script]).arg(workflow).output().expect("python runs");
    let jobs: Value = serde_json::from_slice(&output.stdout).expect("the workflow is YAML");
    let lines = jobs["shards"]["strategy"]["matrix"]["indexes"].as_array().expect("a list").clone();
    let mut indexes: Vec<usize> = lines
        .iter()
        .flat_map(|line| line.as_str().expect("a text").split(' '))
        .map(|index| index.parse().expect("a number"))
        .collect();
    indexes.sort_unstable();
    let configuration = read(example("shards").join("main.tf"));
    let count = configuration.split("shards = ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let count: usize = count.and_then(|text| text.parse().ok()).expect("`shards` in main.tf");
    assert_eq!(indexes, (0..count).collect::<Vec<_>>());

    let steps = jobs["shards"]["steps"].as_array().expect("a list");
    let runs: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    contains_all(&runs.join("\n"), &["terraform init", "./each-shard", "${{ matrix.indexes }}"]);
}

#[test]
fn the_tree_is_mirrored_with_a_folder_per_unit_and_a_handle_per_account() {
    let rig = Rig::start(&Wish::organization());
    let workspace = try_out(&rig, "tree", "");
    workspace.apply().ok();
    let (folders, paths) = (workspace.output("folders"), workspace.output("names"));
    let handle = |name: &str| handle(&format!("aws-{name}"), rig.account_id(name));
    let eu = &folders["Root/Workloads/Prod/EU"];
    assert_eq!(eu["parent"], "Root/Workloads/Prod");
    let held: BTreeSet<&str> = names(&eu["accounts"]).into_iter().collect();
    assert_eq!(held, BTreeSet::from([handle("payments-eu").as_str(), handle("orders-eu").as_str()]));
    assert_eq!(folders["Root/Workloads"]["accounts"], json!([]), "a unit that holds only units");
    for (name, account) in &rig.made.organization.accounts {
        assert_eq!(paths[&account.id], format!("{}/{}", account.ou_path, handle(name)));
    }
    assert_eq!(names(&paths).len(), 7, "the management account is in it too");
    workspace.plan().nothing();
}
