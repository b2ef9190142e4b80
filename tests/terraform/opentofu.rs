//! OpenTofu as a client: the one at hand is older than write-only arguments. `role` has the life of a role with it.

use crate::fixture::without_network;
use crate::workspace::{Cli, Workspace};

const REQUIRED: &str =
    "terraform {\n  required_providers {\n    rdsaccess = { source = \"rdsaccess/rdsaccess\" }\n  }\n}\n";
const ARN: &str = "arn:aws:rds:eu-central-1:123456789012:db:ledger";
const KEY: &str = "whsec_YSBrZXkgb2YgU3RhbmRhcmQgV2ViaG9va3Mh";

fn workspace(resource: &str) -> Workspace<'static> {
    let workspace = Workspace::offline().cli(Cli::opentofu());
    workspace.write("main.tf", &format!("{REQUIRED}\n{resource}"));
    workspace
}

fn validate(resource: &str) -> crate::workspace::Run {
    without_network(&workspace(resource), &["validate", "-no-color"])
}

#[test]
fn the_client_is_opentofu() {
    let said = without_network(&workspace(""), &["version"]).ok().stdout;
    assert!(said.starts_with("OpenTofu v1.6."), "{said}");
}

/// It takes them for ordinary arguments, and would keep them in its state.
#[test]
fn write_only_arguments_are_refused_by_name_where_the_client_would_store_them() {
    let role = |more: &str| {
        format!(
            "resource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{ARN}\"\n  access = \"read_only\"\n  {more}\n}}\n"
        )
    };
    let notification = |secret: &str| {
        format!(
            "resource \"rdsaccess_notification\" \"it\" {{\n  target_arn = \"{ARN}\"\n  results = [{{ username = \"a\" }}]\n  \
             webhook = {{ url = \"https://h.example.com\"{secret} }}\n}}\n"
        )
    };
    validate(&role("")).ok();
    validate(&notification("")).ok();
    for (resource, argument) in [
        (role("password_wo = \"Hunter2-hunter2\"\n  password_wo_version = \"1\""), "password_wo"),
        (notification(&format!(", secret_wo = \"{KEY}\"")), "webhook.secret_wo"),
    ] {
        let said = validate(&resource).error();
        assert!(said.contains(&format!("does not support the write-only argument `{argument}`")), "{said}");
        assert!(said.contains("Use Terraform 1.11 or OpenTofu 1.11"), "{said}");
    }
}
