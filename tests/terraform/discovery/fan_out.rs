//! The examples that go through a whole organization: all of it at once, a state per part, and the mirror of the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{contains_all, handle, names, provider_block};
use crate::agent::Agent;
use crate::fixture::{bash, distrust, fill, our_roles};
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::{Rig, python, repository};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Run, Workspace};

/// Where the gateway's one agent runs.
const AGENT: (&str, &str) = ("orders-eu", "eu-west-1");

fn example(name: &str) -> PathBuf {
    repository().join("examples/scenarios").join(name)
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The example as it is, with an override file that brings it to the fake AWS and to its databases.
fn try_out<'a>(rig: &'a Rig, name: &str, overrides: &str) -> Workspace<'a> {
    let mut workspace = Workspace::new(rig);
    workspace.set("TF_VAR_agent_account_id", rig.account_id(AGENT.0));
    workspace.set("TF_VAR_agent_region", AGENT.1);
    let trust = format!("  tls = {{ ca_bundle = file({:?}) }}", rig.made.ca_file.display().to_string());
    workspace.write("main.tf", &read(example(name).join("main.tf")));
    workspace.write("rig_override.tf", &format!("{}{overrides}", provider_block(rig, &trust)));
    workspace.init().ok();
    workspace
}

/// A database that the examples take.
fn managed(account: &str, region: &str, identifier: &str, engine: &str) -> DatabaseWish {
    DatabaseWish::instance(account, region, identifier, engine).tag("access", "managed")
}

/// An organization with a managed database of the same name in two of its accounts.
fn two_namesakes() -> Rig {
    let first = managed("payments-eu", "us-east-1", "main", "postgres").holding(&["shop"]);
    let second = managed("shared-services", "us-east-1", "main", "mariadb").holding(&["shop"]);
    let rig = Rig::start(&Wish::organization().with(first).with(second));
    for number in [0, 1] {
        fill(rig.database(number), &["shop"]);
    }
    rig
}

/// Runs the script of the example beside the configuration, as a job does.
fn each_shard(workspace: &Workspace<'_>, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
    let script = example("shards").join("each-shard").display().to_string();
    bash(workspace, &[&[script.as_str()], arguments].concat(), environment)
}

/// The accounts in the state of a part.
fn accounts_of(workspace: &Workspace<'_>, index: usize) -> BTreeMap<String, String> {
    workspace.run(&["workspace", "select", &format!("shard-{index}")]).ok();
    serde_json::from_value(workspace.output("accounts")).expect("handles by id")
}

const TWO_PARTS: &str = "terraform {\n  backend \"local\" {}\n}\nlocals {\n  shards = 2\n}\n\
                         data \"rdsaccess_accounts\" \"part\" {\n  organizational_units = [\"Root\"]\n}\n\
                         data \"rdsaccess_instances\" \"part\" {\n  regions = [\"us-east-1\"]\n}\n";

#[test]
fn the_states_of_all_parts_hold_every_account_once() {
    let rig = Rig::start(&Wish::organization());
    let workspace = try_out(&rig, "shards", TWO_PARTS);

    // Without a workspace of a part, or with another name of one, nothing is read and nothing is planned.
    for name in ["default", "1", "shard-01"] {
        workspace.run(&["workspace", "select", "-or-create=true", name]).ok();
        contains_all(&workspace.plan_run().error(), &["Select a workspace from shard-0 to shard-1"]);
    }
    assert_eq!(rig.calls("ListRoots"), Vec::<Value>::new());

    // A plan makes no workspace.
    let run = each_shard(&workspace, &["plan", "0"], &[]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let made = workspace.run(&["workspace", "list"]).ok().stdout;
    assert!(!made.split_whitespace().any(|name| name == "shard-0"), "{made}");

    each_shard(&workspace, &["create", "0", "1"], &[]).ok();
    assert_eq!(each_shard(&workspace, &["plan", "0", "1"], &[]).code, 2, "outputs are changes");
    each_shard(&workspace, &["apply", "0", "1"], &[]).ok();
    let (first, second) = (accounts_of(&workspace, 0), accounts_of(&workspace, 1));
    assert!(!first.is_empty() && !second.is_empty(), "{first:?} {second:?}");
    assert!(first.keys().all(|account| !second.contains_key(account)), "{first:?} {second:?}");
    let all: BTreeSet<&str> = first.keys().chain(second.keys()).map(String::as_str).collect();
    let members = rig.made.organization.accounts.values().map(|account| account.id.as_str());
    assert_eq!(all, members.chain([rig.made.organization.management_account.as_str()]).collect());

    let again = each_shard(&workspace, &["plan", "1", "0"], &[]).ok().stdout;
    contains_all(&again, &["== shard 1", "== shard 0", "No changes"]);
    // A part that fails, here one that does not exist, does not keep the next from its turn.
    each_shard(&workspace, &["create", "2"], &[]).ok();
    let run = each_shard(&workspace, &["plan", "2", "0"], &[]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    contains_all(&run.stderr, &["no part 2", "failed: 2"]);
    contains_all(&run.stdout, &["== shard 0", "No changes"]);
    let run = each_shard(&workspace, &["apply", "2", "0"], &[]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    contains_all(&run.stderr, &["there is no shard-2.tfplan", "failed: 2"]);
    contains_all(&run.stdout, &["== shard 0", "Apply complete!"]);
    assert_eq!(each_shard(&workspace, &["destroy", "0"], &[]).code, 64);
}

#[test]
fn a_plan_of_parts_only_reads_and_is_applied_as_it_was_saved() {
    let rig = two_namesakes();
    let workspace = try_out(&rig, "shards", TWO_PARTS);
    let member_role = ("TF_VAR_member_role", rig.made.organization.member_role.as_str());
    each_shard(&workspace, &["create", "0", "1"], &[member_role]).ok();

    rig.control("DELETE", "log", &Value::Null);
    let plan = || each_shard(&workspace, &["plan", "0", "1"], &[member_role, ("RDSACCESS_REFRESH", "aws")]);
    let run = plan();
    assert_eq!(run.code, 2, "{}\n{}", run.stdout, run.stderr);
    contains_all(&run.stdout, &["rdsaccess_role.role", "changes: "]);
    only_read(&rig);
    assert_eq!([0, 1].map(|number| our_roles(rig.database(number)).len()), [0, 0], "a plan makes nothing");

    let saved = workspace.folder().join("shard-0.tfplan");
    let old = fs::read(&saved).expect("a saved plan");
    each_shard(&workspace, &["apply", "0", "1"], &[member_role]).ok();
    let roles: BTreeMap<String, String> = [0, 1]
        .into_iter()
        .flat_map(|index| {
            accounts_of(&workspace, index);
            let held: BTreeMap<String, String> = serde_json::from_value(workspace.output("roles")).expect("a map");
            held
        })
        .collect();
    assert_eq!(roles.len(), 4, "two levels on two databases: {roles:?}");
    for number in [0, 1] {
        let made: Vec<_> = our_roles(rig.database(number)).concat();
        contains_all(&made.join(" "), &["hoop_ro", "hoop_rw"]);
    }

    // What was approved once is not applied twice.
    fs::write(&saved, old).expect("the plan is put back");
    let run = each_shard(&workspace, &["apply", "0"], &[member_role]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    contains_all(&run.stderr, &["Saved plan is stale", "failed: 0"]);

    rig.control("DELETE", "log", &Value::Null);
    contains_all(&plan().ok().stdout, &["No changes"]);
    only_read(&rig);
}

/// The calls since the log was emptied are those that the role of plans may make.
fn only_read(rig: &Rig) {
    let log = rig.control("GET", "log", &Value::Null);
    let actions: BTreeSet<String> =
        log.as_array().into_iter().flatten().filter_map(|call| call["action"].as_str().map(str::to_owned)).collect();
    assert!(actions.contains("DescribeDBInstances"), "{actions:?}");
    for action in &actions {
        let reads = ["Describe", "Get", "List", "AssumeRole"].iter().any(|verb| action.starts_with(verb));
        assert!(reads && action != "GetSecretValue", "a plan asked for {action}");
    }
}

#[test]
fn the_matrix_has_every_part_once_and_only_what_was_approved_is_applied() {
    let workflow = example("shards").join(".github/workflows/databases.yml");
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))['jobs']))";
    let output = python().args(["-c", script]).arg(workflow).output().expect("python runs");
    let jobs: Value = serde_json::from_slice(&output.stdout).expect("the workflow is YAML");
    let configuration = read(example("shards").join("main.tf"));
    let count = configuration.split("shards = ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let count: usize = count.and_then(|text| text.parse().ok()).expect("`shards` in main.tf");
    for job in ["plan", "apply"] {
        let lines = jobs[job]["strategy"]["matrix"]["indexes"].as_array().expect("a list").clone();
        let mut indexes: Vec<usize> = lines
            .iter()
            .flat_map(|line| line.as_str().expect("a text").split(' '))
            .map(|index| index.parse().expect("a number"))
            .collect();
        indexes.sort_unstable();
        assert_eq!(indexes, (0..count).collect::<Vec<_>>(), "{job}");
    }
    assert_eq!(jobs["plan"]["strategy"], jobs["apply"]["strategy"], "an artifact is made and taken by the same line");

    let runs = |job: &str| {
        let steps = jobs[job]["steps"].as_array().expect("a list");
        steps.iter().filter_map(|step| step["run"].as_str()).collect::<Vec<_>>().join("\n")
    };
    contains_all(&runs("plan"), &["terraform init", "./each-shard plan ${{ matrix.indexes }}"]);
    contains_all(&runs("apply"), &["terraform init", "./each-shard apply ${{ matrix.indexes }}"]);
    assert_eq!((&jobs["plan"]["environment"], &jobs["apply"]["environment"]), (&Value::Null, &json!("production")));
    assert_eq!(jobs["plan"]["env"]["RDSACCESS_REFRESH"], "aws");
    let when = jobs["apply"]["if"].as_str().expect("a condition");
    assert!(!when.contains("schedule") && !when.contains("pull_request"), "{when}");
}

#[test]
fn names_of_the_whole_organization_never_collide() {
    // The same identifier in another account, in another region, and of the other kind.
    let namesakes = [
        managed("payments-prod", "us-east-1", "main", "postgres"),
        managed("payments-prod", "eu-west-1", "main", "mariadb"),
        managed("payments-eu", "us-east-1", "main", "postgres"),
        DatabaseWish::cluster("payments-eu", "us-east-1", "main", "aurora-postgresql").tag("access", "managed"),
    ];
    let wish = namesakes.into_iter().fold(Wish::organization(), |wish, database| wish.with(database.unreachable()));
    let (rig, gateway) = (Rig::start(&wish), FakeGateway::start());
    let here = "data \"rdsaccess_instances\" \"managed\" {\n  regions = [\"us-east-1\", \"eu-west-1\"]\n}\n";
    let mut workspace = try_out(&rig, "tree", here);
    workspace.set("TF_VAR_agent_name", "lab");
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace.plan().changes();
    let planned = workspace.planned();
    let all = planned["resource_changes"].as_array().expect("changes");
    let connections: Vec<&Value> = all.iter().filter(|one| one["type"] == "rdsaccess_connection").collect();
    let named: BTreeSet<&str> = connections.iter().filter_map(|one| one["change"]["after"]["name"].as_str()).collect();
    assert_eq!((connections.len(), named.len()), (4, 4), "{named:?}");
}

#[test]
fn the_tree_is_mirrored_with_a_folder_per_unit_and_a_handle_per_account() {
    let (rig, gateway) = (two_namesakes(), FakeGateway::start());
    let mut workspace = try_out(&rig, "tree", "variable \"agent_name\" {\n  default = \"lab\"\n}\n");
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.set("HOOP_APIKEY", ADMIN);
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

    let agent = Agent::new(&rig, AGENT.0, AGENT.1);
    for (number, path) in [(0, "Root/Workloads/Prod/EU"), (1, "Root")] {
        let database = rig.database(number);
        let name = format!("{}-us-east-1-instance-main-ro", database.account_id);
        let opened = agent.login(&gateway, &name).expect("the agent finds the secret").database("shop");
        assert_eq!(opened.run(&rig, "SELECT note FROM orders").expect("the session opens"), [["first"]]);
        let connection = gateway.stored(&name);
        let place = format!("{path}/{}", handle(if number == 0 { "payments-eu" } else { "shared-services" }));
        assert_eq!(connection["connection_tags"]["folder"], json!(place), "{connection}");
        contains_all(&our_roles(database).concat().join(" "), &["hoop_ro"]);
    }
    workspace.plan().nothing();

    // Another name of the account is another tag, and not another connection.
    let (id, calls) = (rig.account_id("payments-eu"), gateway.calls().len());
    rig.control("POST", "accounts", &json!({ "id": id, "name": "billing" }));
    workspace.apply().ok();
    let writes: Vec<String> = gateway.calls().split_off(calls).into_iter().filter(|c| !c.starts_with("GET ")).collect();
    assert!(writes.iter().all(|call| call.starts_with("PUT ") || call.starts_with("PATCH ")), "{writes:?}");
    let renamed = gateway.stored(&format!("{id}-us-east-1-instance-main-ro"));
    let place = format!("Root/Workloads/Prod/EU/{}", super::handle("aws-billing", id));
    assert_eq!(renamed["connection_tags"]["folder"], json!(place));
}

/// The command of the guide for an account that is gone.
fn guides_command(gone: &str) -> String {
    let guide = read(repository().join("docs/guides/organization.md"));
    let command = guide.split("   terraform state list").nth(1).and_then(|rest| rest.split("```").next());
    let command = format!("terraform state list{}", command.expect("the command of the guide"));
    command.replace("123456789012", gone).replace("terraform ", "\"$TERRAFORM\" ")
}

/// An instance in a state, as `examples/organization` has it: in a module per database.
fn in_module(arn: &str, mode: &str, kind: &str, key: &str) -> Value {
    json!({
        "module": format!("module.database[{arn:?}]"), "mode": mode, "type": kind, "name": "this",
        "provider": "provider[\"registry.terraform.io/rdsaccess/rdsaccess\"]",
        "instances": [{ "index_key": key, "schema_version": 0, "attributes": {}, "sensitive_attributes": [] }],
    })
}

#[test]
fn the_guides_command_keeps_the_connections_that_a_module_made() {
    let (gone, stays) = ("111122223333", "444455556666");
    let workspace = Workspace::offline();
    let of = |account: &str| {
        let arn = format!("arn:aws:rds:us-east-1:{account}:db:ledger");
        ["rdsaccess_security_group", "rdsaccess_master_credential", "rdsaccess_role", "rdsaccess_connection"]
            .map(|kind| in_module(&arn, "managed", kind, "read_only"))
            .into_iter()
            .chain([in_module(&arn, "data", "rdsaccess_policy", "read_only")])
            .collect::<Vec<_>>()
    };
    let resources = [of(gone), of(stays)].concat();
    let state = json!({
        "version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "made-by-hand", "outputs": {},
        "resources": resources,
    });
    workspace.write("terraform.tfstate", &state.to_string());
    bash(&workspace, &["-c", &guides_command(gone)], &[]).ok();
    let left = workspace.run(&["state", "list"]).ok().stdout;
    let left = |account: &str| left.lines().filter(|line| line.contains(account)).collect::<Vec<_>>();
    let place = format!("module.database[\"arn:aws:rds:us-east-1:{gone}:db:ledger\"]");
    let wanted =
        ["data.rdsaccess_policy", "rdsaccess_connection"].map(|kind| format!("{place}.{kind}.this[\"read_only\"]"));
    assert_eq!(left(gone), wanted);
    assert_eq!(left(stays).len(), 5, "nobody else's");
}

#[test]
fn the_guides_command_lets_go_of_an_account_that_is_gone_for_good() {
    let (rig, gateway) = (two_namesakes(), FakeGateway::start());
    let mut workspace = try_out(&rig, "tree", "variable \"agent_name\" {\n  default = \"lab\"\n}\n");
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace.apply().ok();
    let gone = rig.account_id("payments-eu");
    distrust(&rig, "payments-eu");
    let left = json!({ "AccountId": gone });
    rig.aws(None, "us-east-1", "organizations", "remove_account_from_organization", &left).expect("it is gone");
    for _ in 0..2 {
        let error = workspace.apply().error();
        contains_all(&error, &["Cannot enter the account", gone, "a destroy is refused", "terraform state rm"]);
    }

    let command = guides_command(gone);
    let run = bash(&workspace, &["-c", &command], &[]).ok();
    contains_all(&run.stdout, &["Removed rdsaccess_role.read", "Removed rdsaccess_master_credential.master", gone]);
    assert!(!run.stdout.contains(rig.account_id("shared-services")), "{}", run.stdout);

    workspace.apply().ok();
    workspace.plan().nothing();
    assert!(gateway.stored(&format!("{gone}-us-east-1-instance-main-ro")).is_null());
    contains_all(&our_roles(rig.database(1)).concat().join(" "), &["hoop_ro"]);
}
