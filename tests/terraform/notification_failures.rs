//! `rdsaccess_notification` when something is in the way: receivers, commands, killed runs.

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::within;
use crate::killed::{SOON, interrupt, kill_provider, start};
use crate::notification::{KEY, KEY_VARIABLE};
use crate::receiver::{Answer, Receiver};
use crate::rig::{Rig, python};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_notification.it";

/// A database that nobody has to reach.
fn rig() -> Rig {
    let ledger = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres");
    Rig::start(&Wish::organization().with(ledger.unreachable()))
}

fn configuration(rig: &Rig, provider: &str, role: &str, notification: &str) -> String {
    format!(
        r#"{provider}
{KEY_VARIABLE}
resource "rdsaccess_notification" "it" {{
  target_arn = "{arn}"
  results = [{{
    username = "hoop_ro"
    access   = "read_only"
    engine   = "postgres"
    endpoint = "ledger.example"
    port     = 5432
    {role}
  }}]
  {notification}
}}
"#,
        provider = blocks::provider(rig, provider),
        arn = rig.database(0).arn,
    )
}

fn workspace<'a>(rig: &'a Rig, notification: &str) -> Workspace<'a> {
    let mut workspace = Workspace::new(rig);
    workspace.set("TF_VAR_key", KEY);
    workspace.write("main.tf", &configuration(rig, "allow_command = true", "", notification));
    workspace
}

fn webhook(receiver: &Receiver) -> String {
    format!("webhook = {{ url = \"{}/roles\", secret_wo = var.key }}", receiver.url)
}

fn it(workspace: &Workspace<'_>) -> Value {
    workspace.resource(IT).expect("it is in the state")
}

#[test]
fn a_provider_killed_between_sending_and_saving_sends_the_same_id_again() {
    let (rig, receiver) = (rig(), Receiver::start());
    let workspace = workspace(&rig, &webhook(&receiver));
    receiver.answers([Answer::Held]);
    let terraform = start(&workspace, "apply");
    assert!(within(SOON, || receiver.taken().len() == 1), "the event was never sent");
    kill_provider(terraform);
    assert_eq!(workspace.resource(IT), None, "Terraform knows nothing of it");
    workspace.apply().ok();
    workspace.plan().nothing();
    let taken = receiver.taken();
    assert_eq!((taken.len(), taken[0].id()), (2, taken[1].id()));
    assert_eq!(it(&workspace)["event_id"], taken[1].id());

    // The same for an event that follows another one.
    workspace
        .write("main.tf", &configuration(&rig, "", "", &format!("{}\n  triggers = {{ run = 2 }}", webhook(&receiver))));
    receiver.answers([Answer::Held]);
    let terraform = start(&workspace, "apply");
    assert!(within(SOON, || receiver.taken().len() == 3), "the event was never sent");
    kill_provider(terraform);
    workspace.apply().ok();
    let taken = receiver.taken();
    assert_eq!((taken.len(), taken[2].id()), (4, taken[3].id()));
    assert_ne!(taken[0].id(), taken[2].id());
}

#[test]
fn a_receiver_that_is_busy_or_whose_answer_is_lost_gets_the_same_event_again() {
    let (rig, receiver) = (rig(), Receiver::start());
    let workspace = workspace(&rig, &webhook(&receiver));
    let busy = Answer::Status(503, "Retry-After: 0\r\n", "later");
    receiver.answers([busy, Answer::Lost, Answer::Status(429, "Retry-After: 0\r\n", ""), Answer::Status(202, "", "")]);
    workspace.apply().ok();
    let taken = receiver.taken();
    assert_eq!(taken.len(), 4);
    for one in &taken {
        assert_eq!((one.id(), &one.body), (taken[0].id(), &taken[0].body));
        assert_eq!(one.verified(python(), KEY), "standardwebhooks accepts\nsvix accepts\n");
    }
    workspace.plan().nothing();
}

#[test]
fn a_receiver_is_trusted_when_the_machine_trusts_it_and_not_before() {
    let (rig, (receiver, certificate)) = (rig(), Receiver::start_tls());
    let mut workspace = workspace(&rig, &webhook(&receiver));
    let said = workspace.apply().error();
    assert!(said.contains("certificate is not accepted") && receiver.taken().is_empty(), "{said}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), certificate).unwrap();
    workspace.set("SSL_CERT_FILE", &file.path().display().to_string());
    workspace.apply().ok();
    assert_eq!(receiver.taken()[0].verified(python(), KEY), "standardwebhooks accepts\nsvix accepts\n");
}

#[test]
fn an_event_goes_through_the_proxy_of_the_environment() {
    let (rig, proxy) = (rig(), Receiver::start());
    let mut workspace = workspace(&rig, "webhook = { url = \"http://hooks.example.com/roles\", secret_wo = var.key }");
    for (name, value) in [("HTTP_PROXY", proxy.url.as_str()), ("NO_PROXY", "127.0.0.1,localhost")] {
        workspace.set(name, value);
        workspace.set(&name.to_lowercase(), value);
    }
    workspace.apply().ok();
    let taken = proxy.taken();
    assert_eq!((taken.len(), taken[0].line.as_str()), (1, "POST http://hooks.example.com/roles HTTP/1.1"));
    assert_eq!(taken[0].verified(python(), KEY), "standardwebhooks accepts\nsvix accepts\n");
}

#[test]
fn a_refusal_fails_the_apply_in_the_receivers_words_and_the_next_apply_sends_again() {
    let (rig, receiver) = (rig(), Receiver::start());
    let workspace = workspace(&rig, &webhook(&receiver));
    receiver.answers([Answer::Status(410, "", "the subscription has ended")]);
    let said = workspace.apply().error();
    assert!(said.contains("The event was not delivered") && said.contains("410: the subscription has ended"), "{said}");
    assert_eq!((receiver.taken().len(), workspace.resource(IT)), (1, None), "it is not sent again at once");
    workspace.apply().ok();
    let taken = receiver.taken();
    assert_eq!(taken[0].id(), taken[1].id());

    let again = format!("{}\n  triggers = {{ run = 2 }}\n  timeout = \"2s\"", webhook(&receiver));
    workspace.write("main.tf", &configuration(&rig, "", "", &again));
    receiver.answers([Answer::Status(503, "Retry-After: 3600\r\n", "<html>closed for the night</html>")]);
    let said = workspace.apply().error();
    assert!(said.contains("503: <html>closed for the night</html>") && said.contains("1 attempt"), "{said}");
    assert_eq!(it(&workspace)["event_id"], taken[1].id(), "the state is that of the event that was sent");
    workspace.plan().changes();
    workspace.apply().ok();
    workspace.plan().nothing();
    let taken = receiver.taken();
    assert_eq!((taken.len(), taken[2].id()), (4, taken[3].id()));
}

#[test]
fn a_role_that_is_not_in_order_makes_the_event_a_failed_one() {
    let (rig, receiver) = (rig(), Receiver::start());
    let workspace = workspace(&rig, "");
    let role =
        "coverage = { shop = \"complete\", books = \"missing SELECT on 1 table: a\" }\n  credential = \"locked\"";
    workspace.write("main.tf", &configuration(&rig, "", role, &webhook(&receiver)));
    let run = workspace.apply().ok();
    assert!(run.stdout.contains("Roles are not in order"), "{}", run.stdout);
    let why = "books: missing SELECT on 1 table: a, credential: locked";
    let message = format!("1 of 1 roles are not in order: hoop_ro: {why}");
    let state = it(&workspace);
    assert_eq!((&state["status"], &state["message"]), (&json!("failed"), &json!(message)));
    let status = receiver.taken()[0].json()["event_payload"]["status"].clone();
    assert_eq!((&status["phase"], &status["message"]), (&json!("failed"), &json!(message)));
    assert_eq!((&status["result"][0]["status"], &status["result"][0]["message"]), (&json!("failed"), &json!(why)));
    workspace.plan().nothing();
}

#[test]
fn svix_gets_the_event_through_its_api_and_an_event_that_it_has_is_said_and_not_sent_again() {
    let (rig, receiver) = (rig(), Receiver::start());
    let token = "testsk_hunter2-of-svix.eu";
    let svix =
        format!("webhook = {{ url = \"{}\", secret_wo = var.key, svix = {{ app_id = \"1f0e/a\" }} }}", receiver.url);
    let mut workspace = workspace(&rig, &svix);
    workspace.set("TF_VAR_key", token);
    receiver.answers([
        Answer::Status(401, "", "bad token testsk_hunter2-of-svix.eu"),
        Answer::Status(409, "", "there is one"),
    ]);
    let said = workspace.apply().error();
    assert!(said.contains("401: bad token ***") && !said.contains("hunter2"), "{said}");
    let run = workspace.apply().ok();
    workspace.plan().nothing();
    let id = it(&workspace)["event_id"].as_str().unwrap().to_owned();
    let known = format!("Svix had event {id} before, nothing was sent again");
    let said = words(&run.stdout);
    assert!(said.contains("Svix has this event already") && said.contains(&known), "{said}");
    assert!(said.contains("Change `triggers` to send another event"), "{said}");
    assert_eq!((&it(&workspace)["status"], &it(&workspace)["message"]), (&json!("completed"), &json!(known)));
    let taken = receiver.taken();
    assert_eq!((taken.len(), taken[1].line.as_str()), (2, "POST /api/v1/app/1f0e%2Fa/msg/ HTTP/1.1"));
    assert_eq!(taken[1].headers["authorization"], format!("Bearer {token}"));
    let message = taken[1].json();
    assert_eq!(
        (&message["eventType"], &message["eventId"]),
        (&json!("dbroles.job.finished"), &it(&workspace)["event_id"])
    );
    assert_eq!(message["payload"]["event_type"], "dbroles.job.finished");
    assert_eq!(message["payload"]["event_payload"]["org_id"], "1f0e/a");

    // Another event, which Svix takes: nothing of the one before is said any more.
    workspace.write("main.tf", &configuration(&rig, "", "", &format!("{svix}\n  triggers = {{ run = 2 }}")));
    let run = workspace.apply().ok();
    assert!(!run.stdout.contains("Svix has this event already"), "{}", run.stdout);
    assert_eq!((receiver.taken().len(), &it(&workspace)["message"]), (3, &json!("")));
    assert_ne!(it(&workspace)["event_id"], json!(id));
    assert_eq!(workspace.leaks(&[token]), []);
}

#[test]
fn a_command_needs_leave_of_the_provider_block() {
    let rig = rig();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, "", "", "command = [\"true\"]"));
    let said = workspace.plan_run().error();
    assert!(said.contains("Commands are not allowed") && said.contains("allow_command = true"), "{said}");
    workspace.write("main.tf", &configuration(&rig, "allow_command = true", "", "command = [\"true\"]"));
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!((&it(&workspace)["exit_code"], &it(&workspace)["output"]), (&json!(0), &json!("")));
}

/// Runs a script and gives the state and everything that Terraform said.
fn ran(rig: &Rig, script: &str, more: &str) -> (Value, String) {
    let workspace = workspace(rig, &format!("command = [\"sh\", \"-c\", {script:?}]\n  {more}"));
    let run = workspace.apply().ok();
    workspace.plan().nothing();
    (it(&workspace), words(&run.stdout))
}

/// On one line, without the boxes that Terraform draws.
fn words(said: &str) -> String {
    said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

#[test]
fn a_command_that_fails_or_is_late_is_a_warning_with_its_output_and_its_exit_code() {
    let rig = rig();
    let (state, said) = ran(&rig, "echo starting; echo 'no such table' >&2; exit 7", "");
    assert_eq!((&state["exit_code"], &state["output"]), (&json!(7), &json!("starting\nno such table\n")));
    assert!(said.contains("The command failed") && said.contains("no such table"), "{said}");
    let (state, said) = ran(&rig, "echo waiting; sleep 600 & sleep 600", "timeout = \"3s\"");
    assert_eq!((&state["exit_code"], &state["output"]), (&json!(124), &json!("waiting\n")));
    assert!(said.contains("out of time") && said.contains("ended with every process of its group"), "{said}");
    let (state, _) = ran(&rig, "head -c 100000 /dev/zero | tr '\\0' x", "");
    let output = state["output"].as_str().unwrap();
    assert!(output.starts_with(&"x".repeat(4096)) && output.ends_with("\n[cut at 4096 bytes, the output has 100000]"));
    assert_eq!(output.len(), 4096 + 43);
}

#[test]
fn an_interrupted_run_ends_the_command_and_the_next_apply_runs_it_again_for_the_same_event() {
    let rig = rig();
    let folder = tempfile::tempdir().unwrap();
    let (pid, sids) = (folder.path().join("pid"), folder.path().join("sids"));
    let note = format!("echo $HOOP_AWS_CONNECT_RESPONSE | grep -o '.sid.:.[-0-9a-f]*' >> {}", sids.display());
    let wait = format!("test -e {0} || {{ echo $$ > {0}.new; mv {0}.new {0}; sleep 600; }}", pid.display());
    let script = format!("{note}; {wait}");
    let workspace = workspace(&rig, &format!("command = [\"sh\", \"-c\", {script:?}]"));
    let terraform = start(&workspace, "apply");
    assert!(within(SOON, || pid.exists()), "the command never ran");
    let said = interrupt(terraform);
    assert!(said.contains("Interrupted"), "{said}");
    let number = std::fs::read_to_string(&pid).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", number.trim())).unwrap_or_default();
    assert!(within(SOON, || stat().is_empty() || stat().contains(") Z ")), "the command goes on");
    workspace.apply().ok();
    workspace.plan().nothing();
    let sids = std::fs::read_to_string(&sids).unwrap();
    let sids: Vec<&str> = sids.lines().collect();
    assert_eq!((sids.len(), sids[0]), (2, sids[1]));
    assert!(sids[0].contains(it(&workspace)["event_id"].as_str().unwrap()), "{sids:?}");
}

#[test]
fn a_command_does_not_see_the_credentials_of_the_provider() {
    let rig = rig();
    let mut workspace = workspace(&rig, "command = [\"sh\", \"-c\", \"env | cut -d= -f1 | sort\"]");
    for name in ["HOOP_APIKEY", "VAULT_TOKEN", "VAULT_SECRET_ID"] {
        workspace.set(name, "hunter2");
    }
    workspace.apply().ok();
    let state = it(&workspace);
    let names: Vec<&str> = state["output"].as_str().unwrap().lines().collect();
    assert!(names.contains(&"PATH") && names.contains(&"HOOP_AWS_CONNECT_RESPONSE"), "{names:?}");
    for foreign in ["AWS_", "TF_", "VAULT_", "HOOP_APIKEY"] {
        assert!(names.iter().all(|name| !name.starts_with(foreign)), "{names:?}");
    }
}

#[test]
fn a_script_beside_the_configuration_runs_where_terraform_runs_once_it_is_executable() {
    let rig = rig();
    let workspace = workspace(&rig, "command = [\"./hook.sh\", \"a b\"]");
    workspace.write("hook.sh", "#!/bin/sh\necho \"<$1> $(pwd -P)\"\n");
    let said = workspace.apply().error();
    assert!(said.contains("`./hook.sh`") && said.contains("Permission denied"), "{said}");
    assert!(said.contains("It must be executable"), "{said}");
    let script = workspace.folder().join("hook.sh");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    workspace.apply().ok();
    let folder = workspace.folder().canonicalize().unwrap();
    assert_eq!(it(&workspace)["output"], format!("<a b> {}\n", folder.display()));
}

#[test]
fn a_command_that_does_not_start_fails_the_apply_before_anybody_is_told() {
    let (rig, receiver) = (rig(), Receiver::start());
    let command = "command = [\"no-such-program\"]\n  timeout = \"20m\"";
    let workspace = workspace(&rig, &format!("{}\n  {command}", webhook(&receiver)));
    let planned = words(&workspace.plan().changes().stdout);
    assert!(planned.contains("together 40m, and `timeouts.create` is 30m"), "{planned}");
    let said = workspace.apply().error();
    assert!(said.contains("`no-such-program`") && said.contains("The command did not run"), "{said}");
    assert_eq!(receiver.taken().len(), 0);
}

#[test]
fn what_cannot_be_told_is_refused_before_it_is_tried() {
    let rig = rig();
    for (notification, words) in [
        ("", "Nobody is told"),
        ("webhook = { url = \"https://h.example.com\", secret_wo = \"whsec_hunter2\" }", "The signing key is not one"),
        ("webhook = { secret_wo = \"x\" }", "has no address"),
        ("webhook = { url = \"ftp://h.example.com\" }", "http or https URL"),
        ("command = [\"true\"]\n  include_secrets = true\n  timeout = \"0s\"", "between 1s and 1d"),
        ("command = [\"true\"]\n  timeout = \"1h\"", "`timeout` is 1h, and `timeouts.create` is 30m"),
        ("command = [\"true\"]\n  timeouts = { update = \"2m\" }", "`timeout` is 5m, and `timeouts.update` is 2m"),
    ] {
        let workspace = workspace(&rig, notification);
        let said = workspace.validate().error();
        assert!(said.contains(words) && !said.contains("hunter2"), "{notification}: {said}");
    }
    let workspace = workspace(&rig, "command = [\"true\"]");
    let said = workspace.import(IT, "anything").error();
    assert!(said.contains("A notification cannot be imported"), "{said}");
}
