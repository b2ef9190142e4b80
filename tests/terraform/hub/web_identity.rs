//! `assume_role_with_web_identity`, and the variables that Kubernetes and CI systems set for it.

use serde_json::{Value, json};

use super::issuer::{Ci, parts};
use super::{calls, contains_all, instances, keyless, principals, session_arn};
use crate::rig::Rig;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

fn rig() -> Rig {
    let ledger = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").unreachable();
    Rig::start(&Wish::organization().with(ledger))
}

/// A group beside what is listed: calls that change something.
fn configuration(rig: &Rig) -> String {
    let arn = &rig.database(0).arn;
    let group = format!("resource \"rdsaccess_security_group\" \"it\" {{\n  target_arn = \"{arn}\"\n}}\n");
    instances(rig) + &group
}

/// Only STS was called without a signature, and nobody but the role of the token and the member role did anything.
fn only_the_role_acts(rig: &Rig, session: &str) {
    for call in calls(rig) {
        assert_eq!(call["signed"], call["action"] != "AssumeRoleWithWebIdentity", "{call}");
    }
    let member = format!(
        "arn:aws:sts::{}:assumed-role/{}/",
        rig.account_id("payments-prod"),
        "HoopOrganizationAccountAccessRole"
    );
    let hub = session_arn(rig, "ci", session);
    let seen = principals(rig);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(seen[0], hub);
    assert!(seen[1].starts_with(&member), "{seen:?}");
}

fn no_token_is_left(workspace: &Workspace<'_>, token: &str) {
    assert_eq!(workspace.leaks(&parts(token)), []);
    contains_all(&workspace.trace(), &["[TRACE]", "provider.terraform-provider-rdsaccess"]);
}

#[test]
fn a_token_in_a_file_is_all_that_is_needed() {
    let rig = rig();
    let ci = Ci::start(&rig);
    let token = ci.token();
    let block = format!(
        "assume_role_with_web_identity = {{\n    role_arn = \"{}\"\n    token_file = \"token.jwt\"\n    session_name = \
         \"job-42\"\n  }}",
        ci.role_arn
    );
    let workspace = keyless(&rig, &block, &configuration(&rig));
    let file = workspace.home().join("token.jwt");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let text = std::fs::read_to_string(workspace.folder().join("main.tf")).unwrap();
    workspace.write("main.tf", &text.replace("token.jwt", &file.display().to_string()));

    workspace.plan().changes();
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let found = workspace.resource("data.rdsaccess_instances.all").unwrap();
    assert_eq!(found["targets"].as_object().unwrap().len(), 1);
    only_the_role_acts(&rig, "job-42");
    let asked = rig.calls("AssumeRoleWithWebIdentity");
    assert_eq!(asked[0]["params"], json!({ "RoleArn": ci.role_arn, "RoleSessionName": "job-42" }));
    let entered = &rig.calls("AssumeRole")[0]["params"];
    assert_eq!(entered["RoleSessionName"], "rdsaccess-job-42");
    workspace.destroy().ok();
    no_token_is_left(&workspace, &token);
}

#[test]
fn a_token_may_be_an_ephemeral_variable() {
    let rig = rig();
    let ci = Ci::start(&rig);
    let token = ci.token();
    let block =
        format!("assume_role_with_web_identity = {{\n    role_arn = \"{}\"\n    token = var.token\n  }}", ci.role_arn);
    let variable = "variable \"token\" {\n  type = string\n  ephemeral = true\n  sensitive = true\n}\n";
    let mut workspace = keyless(&rig, &block, &(configuration(&rig) + variable));
    workspace.set("TF_VAR_token", &token);
    workspace.plan().changes();
    workspace.apply_planned().ok();
    only_the_role_acts(&rig, "rdsaccess-provider");
    assert_eq!(rig.calls("AssumeRole")[0]["params"]["RoleSessionName"], "rdsaccess-provider");
    workspace.destroy().ok();
    no_token_is_left(&workspace, &token);
}

/// What the webhook of EKS puts into a pod. `endpoints.sts` of the provider block is for this call, too; without it
/// the variable of the SDKs is.
#[test]
fn the_environment_of_a_pod_is_enough() {
    let rig = rig();
    let ci = Ci::start(&rig);
    let token = ci.token();
    let mut workspace = keyless(&rig, "", &configuration(&rig));
    let file = workspace.home().join("token.jwt");
    std::fs::write(&file, &token).unwrap();
    workspace.set("AWS_ROLE_ARN", &ci.role_arn);
    workspace.set("AWS_WEB_IDENTITY_TOKEN_FILE", &file.display().to_string());
    workspace.apply().ok();
    only_the_role_acts(&rig, "rdsaccess-provider");

    super::forget(&rig);
    workspace.set("AWS_ROLE_SESSION_NAME", "pod-7");
    workspace.set("AWS_ENDPOINT_URL_STS", &rig.made.endpoint);
    let text = std::fs::read_to_string(workspace.folder().join("main.tf")).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("sts ")).collect();
    assert_eq!(without.len() + 1, text.lines().count());
    workspace.write("main.tf", &(without.join("\n") + "\n"));
    workspace.plan().nothing();
    only_the_role_acts(&rig, "pod-7");

    super::forget(&rig);
    std::fs::remove_file(&file).unwrap();
    let said = workspace.plan_run().error();
    let path = file.display().to_string();
    contains_all(
        &said,
        &["No web identity token", &path, "cannot be read", "AWS_WEB_IDENTITY_TOKEN_FILE", "id-token: write"],
    );
    assert_eq!(calls(&rig), Vec::<Value>::new(), "nothing was asked without a token");
    no_token_is_left(&workspace, &token);
}

#[test]
fn a_role_may_be_taken_from_the_role_of_the_token() {
    let rig = rig();
    let ci = Ci::start(&rig);
    let hub = super::role_of_the_hub(&rig, "access-hub");
    super::forget(&rig);
    let block = format!(
        "assume_role_with_web_identity = {{\n    role_arn = \"{}\"\n    token = \"{}\"\n  }}\n  assume_role = {{ role_arn \
         = \"{hub}\", duration = \"30m\", session_name = \"chained\" }}",
        ci.role_arn,
        ci.token()
    );
    let workspace = keyless(&rig, &block, &instances(&rig));
    workspace.apply().ok();
    let expected = [session_arn(&rig, "ci", "rdsaccess-provider"), session_arn(&rig, "access-hub", "chained")];
    assert_eq!(principals(&rig)[..2], expected);
    let asked = rig.calls("AssumeRole");
    assert_eq!(asked[0]["params"]["DurationSeconds"], "1800");
    assert_eq!(asked[1]["params"]["RoleSessionName"], "rdsaccess-chained");
    assert_eq!(asked[1]["principal"], expected[1]);
}
