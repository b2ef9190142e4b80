//! `rdsaccess_policy`: documents that IAM and CloudFormation take, and a role that opens an account.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::mixed::aws_provider;
use crate::rig::{Rig, python_program, repository};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Run, Workspace, aws_mirror};

const SOURCE: &str = "data.rdsaccess_policy.it";
const EXTERNAL_ID: &str = "agreed-on";
const ROLE: &str = "RdsaccessEnters";

fn wish() -> Wish {
    Wish::organization()
        .with(DatabaseWish::instance("payments-eu", "eu-west-1", "orders", "postgres").unreachable())
        .with(DatabaseWish::cluster("payments-prod", "us-east-1", "ledger", "aurora-postgresql").unreachable())
}

/// The provider, entering accounts by the role that the documents are for.
fn provider(rig: &Rig, external_id: Option<&str>) -> String {
    let services = ["rds", "ec2", "sts", "organizations", "secretsmanager"];
    let endpoints: String = services.iter().map(|name| format!("    {name} = {:?}\n", rig.made.endpoint)).collect();
    let external_id = external_id.map_or_else(String::new, |id| format!("    external_id = {id:?}\n"));
    format!(
        "terraform {{\n  required_providers {{\n    rdsaccess = {{ source = \"rdsaccess/rdsaccess\" }}\n  }}\n}}\n\n\
         provider \"rdsaccess\" {{\n  region = {:?}\n  member_role = {{\n    name = {ROLE:?}\n{external_id}  }}\n  endpoints = \
         {{\n{endpoints}  }}\n}}\n",
        rig.made.region
    )
}

fn hub(rig: &Rig) -> String {
    format!("arn:aws:iam::{}:root", rig.made.organization.management_account)
}

fn source(rig: &Rig, arguments: &str) -> String {
    format!("data \"rdsaccess_policy\" \"it\" {{\n  hub_principal_arns = [{:?}]\n{arguments}\n}}\n", hub(rig))
}

fn workspace<'a>(rig: &'a Rig, configuration: &str) -> Workspace<'a> {
    let workspace = Workspace::new(rig);
    workspace.write("provider.tf", &provider(rig, Some(EXTERNAL_ID)));
    workspace.write("main.tf", configuration);
    workspace.init().ok();
    workspace
}

fn document(workspace: &Workspace<'_>, name: &str) -> String {
    let found = workspace.resource(SOURCE).expect("it is in the state");
    found[name].as_str().unwrap_or_else(|| panic!("{name} is null")).to_owned()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("a document is JSON")
}

/// Terraform's words on one line.
fn said(run: &Run) -> String {
    format!("{} {}", run.stdout, run.stderr).replace(['│', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A stack in an account, with the name of the role that it has made.
fn stack(rig: &Rig, account: &str, template: &str) {
    let parameters = json!({
        "StackName": "rdsaccess", "TemplateBody": template, "Capabilities": ["CAPABILITY_NAMED_IAM"],
    });
    rig.aws(Some(account), "us-east-1", "cloudformation", "create_stack", &parameters).expect("a stack");
}

#[test]
fn iam_takes_every_document() {
    let rig = Rig::start(&wish());
    let arns: Vec<&str> = rig.made.databases.iter().map(|database| database.arn.as_str()).collect();
    let agent = format!("arn:aws:iam::{}:role/agent", rig.account_id("payments-eu"));
    for arguments in [String::new(), format!("  target_arns = {arns:?}\n  agent_principal_arns = [{agent:?}]")] {
        let workspace = workspace(&rig, &source(&rig, &arguments));
        workspace.apply().ok();
        workspace.plan().nothing();
        for name in ["hub_policy_json", "member_policy_json", "agent_policy_json"] {
            let document = document(&workspace, name);
            let user = format!("{}{}", name.replace('_', ""), arguments.len());
            rig.aws(None, "us-east-1", "iam", "create_user", &json!({ "UserName": user })).expect("a user");
            let inline = json!({ "UserName": user, "PolicyName": name, "PolicyDocument": document });
            rig.aws(None, "us-east-1", "iam", "put_user_policy", &inline).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        }
        let trust = json!({
            "RoleName": format!("trusted-{}", arguments.len()),
            "AssumeRolePolicyDocument": document(&workspace, "trust_policy_json"),
        });
        rig.aws(None, "us-east-1", "iam", "create_role", &trust).expect("a role");
    }
}

#[test]
fn resource_ids_come_from_the_databases_where_they_can_be_asked_for() {
    let rig = Rig::start(&wish());
    let (orders, ledger) = (rig.database(0), rig.database(1));
    let arguments = format!("  features = [\"role_iam\"]\n  target_arns = [{:?}, {:?}]", orders.arn, ledger.arn);
    let workspace = workspace(&rig, &source(&rig, &arguments));
    // The role that the documents are for is still to be made.
    let words = said(&workspace.apply().ok());
    assert!(words.contains("A database is named by pattern"), "{words}");
    assert!(document(&workspace, "agent_policy_json").contains(":dbuser:db-*/hoop_ro"));

    for account in ["payments-eu", "payments-prod"] {
        stack(&rig, account, &document(&workspace, "cloudformation_template"));
    }
    let words = said(&workspace.apply().ok());
    assert!(!words.contains("by pattern"), "{words}");
    let agent = document(&workspace, "agent_policy_json");
    for database in [orders, ledger] {
        let user = format!(
            "arn:aws:rds-db:{}:{}:dbuser:{}/hoop_ro",
            database.region, database.account_id, database.resource_id
        );
        assert!(agent.contains(&user), "{user} in {agent}");
    }
    workspace.plan().nothing();
}

#[test]
fn the_role_of_the_template_opens_the_account_to_the_hub_alone() {
    let rig = Rig::start(&wish());
    let workspace = workspace(&rig, &source(&rig, ""));
    workspace.apply().ok();
    let template = document(&workspace, "cloudformation_template");
    let account = rig.account_id("payments-eu");

    let path = workspace.folder().join("template.json");
    fs::write(&path, &template).expect("the template is written");
    let lint = std::process::Command::new(python_program())
        .args(["-c", "from cfnlint.runner import main; main()"])
        .arg(&path)
        .output()
        .expect("cfn-lint runs");
    assert!(
        lint.status.success(),
        "{}{}",
        String::from_utf8_lossy(&lint.stdout),
        String::from_utf8_lossy(&lint.stderr)
    );

    let discovery = format!(
        "data \"rdsaccess_instances\" \"all\" {{\n  account_ids = [{account:?}]\n  regions = [\"eu-west-1\"]\n}}\n"
    );
    workspace.write("main.tf", &(source(&rig, "") + &discovery));
    let before = workspace.plan_run().error();
    assert!(before.contains(ROLE), "without the role nobody enters: {before}");

    stack(&rig, "payments-eu", &template);
    workspace.apply().ok();
    let found = workspace.resource("data.rdsaccess_instances.all").expect("it is in the state");
    let targets: Vec<&String> = found["targets"].as_object().expect("a map").keys().collect();
    assert_eq!(targets, [&rig.database(0).arn]);
    // The stand-in for CloudFormation writes documents as Python prints them.
    let made = policy_of_role(&rig, "payments-eu").to_string();
    assert!(!made.contains("AWS::") && made.contains(&format!("arn:aws:rds:*:{account}:db:*")), "{made}");
    for action in actions(&parsed(&document(&workspace, "member_policy_json"))) {
        assert!(made.contains(&action), "{action} in {made}");
    }

    workspace.write("provider.tf", &provider(&rig, Some("another-word")));
    assert!(workspace.plan_run().error().contains("Cannot enter the account"));
}

/// The document of the role's only policy.
fn policy_of_role(rig: &Rig, account: &str) -> Value {
    let wanted = json!({ "RoleName": ROLE, "PolicyName": "rdsaccess" });
    let found =
        rig.aws(Some(account), "us-east-1", "iam", "get_role_policy", &wanted).expect("the role has the policy");
    match &found["PolicyDocument"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
        document => document.clone(),
    }
}

fn actions(document: &Value) -> BTreeSet<String> {
    let statements = document["Statement"].as_array().expect("statements").iter();
    let texts = |value: &Value| match value {
        Value::String(text) => vec![text.clone()],
        list => list.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect(),
    };
    statements.flat_map(|statement| texts(&statement["Action"])).collect()
}

/// A copy of the module below the workspace.
fn module(workspace: &Workspace<'_>) -> &'static str {
    let folder = workspace.folder().join("member-role");
    fs::create_dir_all(&folder).expect("a new folder");
    let entries = fs::read_dir(repository().join("examples/modules/member-role")).expect("the module is there");
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "tf")) {
        fs::copy(&path, folder.join(path.file_name().expect("a name"))).expect("the file is copied");
    }
    "./member-role"
}

#[test]
fn the_module_makes_the_role_beside_the_peer_provider() {
    if aws_mirror().is_none() {
        eprintln!("skipped: RDSACCESS_AWS_MIRROR names no mirror with hashicorp/aws");
        return;
    }
    let rig = Rig::start(&wish());
    let workspace = workspace(&rig, "");
    let module = format!(
        "module \"role\" {{\n  source             = {:?}\n  name               = {ROLE:?}\n  member_policy_json = \
         {SOURCE}.member_policy_json\n  trust_policy_json  = {SOURCE}.trust_policy_json\n}}\n\nmodule \"units\" {{\n  source \
         = \"./member-role\"\n  count = 0\n  organizational_unit_ids = [\"ou-ab12-11112222\"]\n  cloudformation_template = \
         {SOURCE}.cloudformation_template\n}}\n",
        module(&workspace)
    );
    workspace.write("main.tf", &(source(&rig, "") + &aws_provider(&rig, rig.database(0)) + &module));
    workspace.init().ok();
    workspace.validate().ok();
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(policy_of_role(&rig, "payments-eu"), parsed(&document(&workspace, "member_policy_json")));
    workspace.destroy().ok();
}

#[test]
fn documents_that_cannot_be_written_are_errors_with_the_way_out() {
    let rig = Rig::start(&Wish::organization());
    let many: Vec<String> = (0..150).map(|n| format!("arn:aws:rds:eu-west-1:111122223333:db:orders-{n}")).collect();
    let workspace =
        workspace(&rig, &source(&rig, &format!("  features = [\"role_password\"]\n  target_arns = {many:?}")));
    let error = workspace.plan_run().error();
    assert!(error.contains("A policy document is too long") && error.contains("for_each"), "{error}");
    workspace.write("main.tf", &source(&rig, "  target_arns = [\"arn:aws-cn:rds:cn-north-1:111122223333:db:orders\"]"));
    assert!(workspace.plan_run().error().contains("several partitions"));
    workspace.write("main.tf", &source(&rig, "  role_names = [\"hoop_*\"]"));
    assert!(workspace.plan_run().error().contains("names are given exactly"));
}
