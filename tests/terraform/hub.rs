//! Who the provider is: every source of the hub's credentials, and the roles that are taken from there.

mod issuer;
mod metadata;
mod partitions;
mod refusals;
mod renewal;
mod roles;
mod sources;
mod web_identity;

use serde_json::{Value, json};

use crate::blocks;
use crate::rig::Rig;
use crate::workspace::Workspace;

/// Names of variables that hold a key, or that lead to one.
const KEYS: [&str; 4] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"];

/// What a test looks at: the databases of the caller's account and of a member account.
fn instances(rig: &Rig) -> String {
    format!(
        "data \"rdsaccess_instances\" \"all\" {{\n  account_ids = [\"{}\", \"{}\"]\n}}\n",
        rig.made.organization.management_account,
        rig.account_id("payments-prod")
    )
}

/// A workspace without any key in its environment, which logs as much as it can.
///
/// # Panics
/// Where a key is left.
fn keyless<'a>(rig: &'a Rig, provider_arguments: &str, configuration: &str) -> Workspace<'a> {
    let mut workspace = Workspace::new(rig);
    for name in KEYS {
        workspace.unset(name);
    }
    for name in ["TF_LOG_PROVIDER", "TF_LOG_PROVIDER_RDSACCESS", "RUST_LOG"] {
        workspace.set(name, "trace");
    }
    let left = workspace.command(&["version"]);
    let left: Vec<_> =
        left.get_envs().filter(|(name, value)| value.is_some() && KEYS.iter().any(|k| k == name)).collect();
    assert!(left.is_empty(), "{left:?}");
    workspace.write("main.tf", &(blocks::provider(rig, provider_arguments) + configuration));
    workspace
}

/// The principals that made calls, each once, in the order of their first call.
fn principals(rig: &Rig) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for call in calls(rig) {
        let principal = call["principal"].as_str().expect("a principal").to_owned();
        if call["signed"] == true && !seen.contains(&principal) {
            seen.push(principal);
        }
    }
    seen
}

/// Every call since the start or the last [`forget`].
fn calls(rig: &Rig) -> Vec<Value> {
    rig.control("GET", "log", &Value::Null).as_array().expect("a list").clone()
}

fn forget(rig: &Rig) {
    rig.control("DELETE", "log", &Value::Null);
}

/// An IAM call in the hub's account.
fn iam(rig: &Rig, operation: &str, params: &Value) -> Value {
    rig.aws(None, "us-east-1", "iam", operation, params).expect("IAM answers")
}

/// A role in the hub's account that the hub's user may take.
fn role_of_the_hub(rig: &Rig, name: &str) -> String {
    let account = &rig.made.organization.management_account;
    let principal = json!({ "AWS": format!("arn:aws:iam::{account}:root") });
    let statement = json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole" });
    let document = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let made = iam(rig, "create_role", &json!({ "RoleName": name, "AssumeRolePolicyDocument": document }));
    made["Role"]["Arn"].as_str().expect("an ARN").to_owned()
}

/// Credentials of a role, as a source hands them out.
fn session_of(rig: &Rig, role_arn: &str, name: &str) -> Value {
    let params = json!({ "RoleArn": role_arn, "RoleSessionName": name });
    rig.aws(None, "us-east-1", "sts", "assume_role", &params).expect("a session")["Credentials"].clone()
}

/// The ARN of the sessions of a role in the hub's account.
fn session_arn(rig: &Rig, role: &str, name: &str) -> String {
    format!("arn:aws:sts::{}:assumed-role/{role}/{name}", rig.made.organization.management_account)
}

fn contains_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}
