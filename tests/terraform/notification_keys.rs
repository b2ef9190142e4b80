//! `webhook.secret_wo` of `rdsaccess_notification`: who needs the key and who does not.

use crate::blocks;
use crate::notification::{KEY, KEY_VARIABLE};
use crate::receiver::Receiver;
use crate::rig::{Rig, fakes, python, python_program};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_notification.it";
const KEY_NAME: &str = "TF_VAR_key";

fn rig(engine: &str) -> Rig {
    Rig::start(
        &Wish::organization()
            .with(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).unreachable()),
    )
}

fn write(workspace: &Workspace<'_>, rig: &Rig, results: &str, notification: &str) {
    let text = format!(
        r#"{provider}
{KEY_VARIABLE}
resource "rdsaccess_notification" "it" {{
  target_arn = "{arn}"
  results    = {results}
  {notification}
}}
"#,
        provider = blocks::provider(rig, "allow_command = true"),
        arn = rig.database(0).arn,
    );
    workspace.write("main.tf", &text);
}

const ROLES: &str = "[{ username = \"hoop_ro\", access = \"read_only\" }]";

/// On one line, without the boxes that Terraform draws.
fn words(said: &str) -> String {
    said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

/// Pull requests and drift checks run without the secrets of production.
#[test]
fn a_key_is_needed_by_what_sends_and_by_no_other_plan() {
    let (rig, receiver) = (rig("postgres"), Receiver::start());
    let mut workspace = Workspace::new(&rig);
    let key = "var.key == \"\" ? null : var.key";
    let webhook = format!("webhook = {{ url = \"{}/roles\", secret_wo = {key} }}", receiver.url);
    write(&workspace, &rig, ROLES, &webhook);
    workspace.validate().ok();
    let lacks_key = |said: &str| {
        let said = words(said);
        assert!(said.contains("The webhook has no signing key"), "{said}");
        assert!(said.contains("to the plan and again to the apply of a saved plan"), "{said}");
    };
    lacks_key(&workspace.plan_run().error());
    workspace.set(KEY_NAME, KEY);
    workspace.apply().ok();
    assert_eq!(receiver.taken().len(), 1);

    workspace.unset(KEY_NAME);
    workspace.plan().nothing();
    workspace.run(&["plan", "-input=false", "-no-color", "-refresh-only"]).ok();
    workspace.run(&["plan", "-input=false", "-no-color", "-destroy"]).ok();
    workspace.apply().ok();
    write(&workspace, &rig, ROLES, &format!("{webhook}\n  timeout = \"2m\""));
    workspace.apply().ok();
    assert_eq!(receiver.taken().len(), 1, "another time-out is no news");

    let news = format!("{webhook}\n  triggers = {{ run = 2 }}");
    write(&workspace, &rig, ROLES, &news);
    lacks_key(&workspace.plan_run().error());
    workspace.give(KEY_NAME, KEY);
    workspace.plan().changes();
    workspace.unset(KEY_NAME);
    let said = words(&workspace.apply_planned().error());
    assert!(said.contains("was set during the plan phase, and so must also be set during the apply"), "{said}");
    // Terraform itself asks for the variable; what becomes of it is ours to look at.
    workspace.give(KEY_NAME, "");
    lacks_key(&workspace.apply_planned().error());
    assert_eq!(receiver.taken().len(), 1, "nothing goes out unsigned");
    workspace.give(KEY_NAME, KEY);
    workspace.apply_planned().ok();
    let taken = receiver.taken();
    assert_eq!((taken.len(), taken[1].verified(python(), KEY)), (2, "standardwebhooks accepts\nsvix accepts\n".into()));

    workspace.unset(KEY_NAME);
    workspace.destroy().ok();
    assert_eq!((receiver.taken().len(), workspace.resource(IT)), (2, None));
}

#[test]
fn svix_needs_its_token_where_something_is_sent() {
    let rig = rig("postgres");
    let workspace = Workspace::new(&rig);
    write(&workspace, &rig, ROLES, "webhook = { svix = { app_id = \"a\" }, secret_wo = var.key }");
    workspace.validate().ok();
    let said = workspace.plan_run().error();
    assert!(said.contains("Svix needs a token"), "{said}");
}

#[test]
fn a_notification_of_no_role_is_refused() {
    let rig = rig("postgres");
    let workspace = Workspace::new(&rig);
    write(&workspace, &rig, "[]", "command = [\"true\"]");
    let said = workspace.validate().error();
    assert!(said.contains("No roles to tell of") && said.contains("`count` or `for_each`"), "{said}");
}

/// As AWS Connect tells it: scripts and receivers know the editions by RDS's word. The documented script takes both.
#[test]
fn the_event_and_the_command_name_the_engine_as_rds_does() {
    for engine in ["sqlserver-ex", "aurora-postgresql"] {
        let (rig, receiver) = (rig(engine), Receiver::start());
        let mut workspace = Workspace::new(&rig);
        workspace.set(KEY_NAME, KEY);
        let script = fakes().join("hoop-hooks/aws-connect-post-exec.runbook.py");
        let print = "printf %s \"$HOOP_AWS_CONNECT_REQUEST\" | grep -o '\"database_type\":\"[^\"]*\"'; exec \"$@\"";
        let command = format!("[\"sh\", \"-c\", {print:?}, \"sh\", {:?}, {script:?}]", python_program());
        let webhook = format!("webhook = {{ url = \"{}\", secret_wo = var.key }}", receiver.url);
        write(&workspace, &rig, ROLES, &format!("{webhook}\n  command = {command}"));
        workspace.apply().ok();
        workspace.plan().nothing();
        let it = workspace.resource(IT).unwrap();
        let output = it["output"].as_str().unwrap();
        assert!(output.starts_with(&format!("\"database_type\":\"{engine}\"\nSTARTING AWS CONNECT")), "{output}");
        assert_eq!(it["exit_code"], 0);
        assert_eq!(receiver.taken()[0].json()["event_payload"]["spec"]["db_engine"], engine);
    }
}
