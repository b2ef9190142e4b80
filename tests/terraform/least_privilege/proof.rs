//! Runs what a feature does with whole documents, then again and again with one action less.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::hub::{Documents, Entry, Hub};
use crate::rig::{Database, Rig};
use crate::workspace::Workspace;

/// Asked only where an account refuses the hub, to tell whether AWS takes it away; `scenarios` proves it apart.
pub(crate) const AFTER_A_REFUSAL: &str = "organizations:DescribeAccount";

/// A step of somebody's work with the provider: a configuration that is applied.
pub(crate) struct Act {
    /// Lines inside the provider block
    pub(crate) provider: String,
    /// All the rest; nothing to destroy everything
    pub(crate) configuration: String,
}

/// What a feature does, and the documents for it.
pub(crate) struct Scenario<'a> {
    pub(crate) features: &'static [&'static str],
    /// None for the documents of whole accounts
    pub(crate) targets: Vec<&'a Database>,
    /// Further arguments of `rdsaccess_policy`
    pub(crate) arguments: String,
    /// Lines inside the provider block when the documents are written
    pub(crate) provider: String,
    pub(crate) acts: Vec<Act>,
    /// What an output must be; where an action is missing that the provider does without, the output tells it
    pub(crate) outputs: BTreeMap<&'static str, Value>,
    /// Actions without which nothing fails, but an output differs
    pub(crate) softly: &'static [&'static str],
    /// What is there before the first act
    pub(crate) before: Box<dyn Fn(&Rig) + 'a>,
}

/// How many actions are really taken away. That each is needed is always shown from the log of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The first action of each statement
    OnePerStatement,
    /// Every one, which takes minutes
    Every,
    /// None: all acts, with the documents of whole accounts
    ByPattern,
}

/// Proves a scenario: it works, no action of the documents could be left out, and without one of them it fails or warns.
pub(crate) fn prove(hub: &Hub<'_>, scenario: &Scenario<'_>, depth: Depth) {
    if depth == Depth::ByPattern {
        return go_through(hub, scenario);
    }
    (scenario.before)(hub.rig);
    let documents = documents(hub, scenario);
    hub.enforce();
    let mut order = in_order(hub, scenario, &documents);
    if depth == Depth::OnePerStatement {
        let mut seen = BTreeSet::new();
        order.retain(|(entry, _)| seen.insert((entry.policy.clone(), entry.sid.clone())));
    }
    let mut left: Vec<(Entry, usize)> = order.into_iter().map(|(entry, (number, _))| (entry, number)).collect();
    while !left.is_empty() {
        let before = left.len();
        left = take_away(hub, scenario, &documents, &left);
        assert!(left.len() < before, "{:?}: everything goes well without {left:#?}", scenario.features);
    }
}

/// Runs all acts with the documents that organizations attach, which name no database: once those for a role that is made
/// by hand, once those of the template.
fn go_through(hub: &Hub<'_>, scenario: &Scenario<'_>) {
    let documents = hub.read(scenario.features, &[], &scenario.arguments, &scenario.provider);
    for documents in [&documents, &documents.of_template()] {
        forget_everything(hub.rig);
        (scenario.before)(hub.rig);
        hub.put(documents);
        hub.enforce();
        let workspace = hub.workspace();
        for act in &scenario.acts {
            write(hub, &workspace, act);
            workspace.apply().ok();
            workspace.plan().nothing();
            for (name, wanted) in scenario.outputs.iter().filter(|_| !act.configuration.is_empty()) {
                assert_eq!(workspace.output(name), *wanted, "{name}");
            }
        }
    }
}

/// Runs all acts from the beginning, each of them first without the actions that it needs, one at a time. Gives back
/// those that were not missed: what needs them had been done already by a run that failed for want of another one.
fn take_away(
    hub: &Hub<'_>,
    scenario: &Scenario<'_>,
    documents: &Documents,
    entries: &[(Entry, usize)],
) -> Vec<(Entry, usize)> {
    forget_everything(hub.rig);
    (scenario.before)(hub.rig);
    let (workspace, mut left) = (hub.workspace(), Vec::new());
    for (number, act) in scenario.acts.iter().enumerate() {
        write(hub, &workspace, act);
        let mut of_act = entries.iter().filter(|(_, first)| *first == number);
        while let Some((entry, _)) = of_act.next() {
            hub.put(&documents.without(entry));
            if !is_missed(scenario, &workspace, number, entry) {
                left.push((entry.clone(), number));
                left.extend(of_act.by_ref().cloned());
            }
        }
        hub.put(documents);
        workspace.apply().ok();
    }
    left
}

/// The documents for a scenario, in force.
pub(crate) fn documents(hub: &Hub<'_>, scenario: &Scenario<'_>) -> Documents {
    let documents = hub.read(scenario.features, &scenario.targets, &scenario.arguments, &scenario.provider);
    hub.put(&documents);
    documents
}

/// Runs all acts with whole documents. Gives every action with the act and the call that first needs it, in this order.
///
/// # Panics
/// When an action of the documents is needed by no call.
pub(crate) fn in_order(hub: &Hub<'_>, scenario: &Scenario<'_>, documents: &Documents) -> Vec<(Entry, (usize, u64))> {
    let workspace = hub.workspace();
    let mut first: BTreeMap<Entry, (usize, u64)> = BTreeMap::new();
    for (number, act) in scenario.acts.iter().enumerate() {
        hub.rig.control("DELETE", "log", &Value::Null);
        write(hub, &workspace, act);
        workspace.apply().ok();
        workspace.plan().nothing();
        if !act.configuration.is_empty() {
            for (name, wanted) in &scenario.outputs {
                assert_eq!(workspace.output(name), *wanted, "{name}");
            }
        }
        for (entry, requests) in hub.needed() {
            let Some(request) = requests.first() else { continue };
            first.entry(entry).or_insert((number, request["number"].as_u64().unwrap()));
        }
    }
    let is_spare = |entry: &Entry| !first.contains_key(entry) && entry.action != AFTER_A_REFUSAL;
    let spare: Vec<Entry> = documents.entries().into_iter().filter(is_spare).collect();
    assert!(spare.is_empty(), "{:?}: no call needs {spare:#?}", scenario.features);
    let mut order: Vec<(Entry, (usize, u64))> = first.into_iter().collect();
    order.sort_by_key(|(_, first)| *first);
    order
}

fn write(hub: &Hub<'_>, workspace: &Workspace<'_>, act: &Act) {
    workspace.write("main.tf", &format!("{}\n{}", hub.provider(&act.provider), act.configuration));
}

/// Whether the act fails by the missing action, or warns of it; an error names the action.
fn is_missed(scenario: &Scenario<'_>, workspace: &Workspace<'_>, number: usize, entry: &Entry) -> bool {
    let run = workspace.apply();
    if scenario.softly.contains(&entry.action.as_str()) {
        run.ok();
        return scenario.outputs.iter().any(|(name, wanted)| workspace.output(name) != *wanted);
    }
    if run.code == 0 {
        // What is left to somebody else, such as a secret that nobody needs any more, is a warning.
        return run.stdout.contains("Warning: ") && run.stdout.contains(&entry.action);
    }
    let error = run.error();
    let words = if entry.action.starts_with("kms:") && !error.contains(&entry.action) { "KMS" } else { &entry.action };
    assert!(error.contains(words), "act {number} without {entry:?} does not say so:\n{error}");
    true
}

/// Removes what destroy leaves: secrets that wait for their deletion, master passwords with RDS.
fn forget_everything(rig: &Rig) {
    for database in &rig.made.databases {
        let ask = |service: &str, operation: &str, params: &Value| rig.aws_of(database, service, operation, params);
        let (kind, operation) = match database.arn.contains(":cluster:") {
            true => ("DBClusterIdentifier", "modify_db_cluster"),
            false => ("DBInstanceIdentifier", "modify_db_instance"),
        };
        let back = json!({kind: database.identifier, "ManageMasterUserPassword": false,
            "MasterUserPassword": database.master_password, "ApplyImmediately": true});
        // Refused where RDS does not manage the password: then there is nothing to forget.
        let _ = ask("rds", operation, &back);
        let listed = ask("secretsmanager", "list_secrets", &json!({"IncludePlannedDeletion": true})).unwrap();
        for secret in listed["SecretList"].as_array().unwrap() {
            if secret["Description"].as_str().is_some_and(|text| text.contains("managed by Terraform")) {
                // Refused where it has none.
                let replicas = json!({"SecretId": secret["ARN"], "RemoveReplicaRegions": ["eu-west-1"]});
                let _ = ask("secretsmanager", "remove_regions_from_replication", &replicas);
                let params = json!({"SecretId": secret["ARN"], "ForceDeleteWithoutRecovery": true});
                ask("secretsmanager", "delete_secret", &params).unwrap();
            }
        }
    }
}
