//! Providers that are killed and runs that are interrupted, at the worst moments: the next apply repairs.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{
    fill, has_role, is_unproven, login, master_secret, our_roles, providers_of, secret_of, signal, within,
};
use crate::rig::{Database, Rig};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_role.it";
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A call to the fake AWS that hangs, and is refused when it ends: whoever died meanwhile has not made it.
pub(crate) fn hang(rig: &Rig, action: &str, skip: u32) {
    rig.control(
        "POST",
        "faults",
        &json!({
            "service": "secretsmanager", "action": action, "skip": skip, "times": 1,
            "latency_ms": 60_000, "code": "InternalServiceError", "status": 500,
        }),
    );
}

pub(crate) fn hangs(rig: &Rig) -> bool {
    rig.control("GET", "faults", &Value::Null)[0]["hits"] == 1
}

struct Stage {
    rig: Rig,
}

impl Stage {
    fn new(engine: &str) -> Self {
        let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop"]);
        let rig = Rig::start(&Wish::organization().with(wish));
        fill(rig.database(0), &["shop"]);
        Self { rig }
    }

    fn database(&self) -> &Database {
        self.rig.database(0)
    }

    fn workspace(&self) -> Workspace<'_> {
        let workspace = Workspace::new(&self.rig);
        let text = format!(
            "{}\nresource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{}\"\n  access = \"read_only\"\n  admin = {{ \
             secret_ref = \"{}\" }}\n}}\n",
            blocks::provider(&self.rig, ""),
            self.database().arn,
            master_secret(&self.rig, self.database())
        );
        workspace.write("main.tf", &text);
        workspace
    }

    /// The last part of every test: the state is whole, the stored password works, nothing is left after destroy.
    fn is_repaired_by_the_next_apply(&self, workspace: &Workspace<'_>) {
        self.rig.control("DELETE", "faults", &Value::Null);
        workspace.apply().ok();
        workspace.plan().nothing();
        let state = workspace.resource(IT).expect("the role is in the state");
        assert_eq!((&state["credential"], &state["coverage"]["shop"]), (&json!("ok"), &json!("complete")));
        let reader = login(&self.rig, self.database(), &state).database("shop");
        assert_eq!(reader.run(&self.rig, "SELECT note FROM orders").unwrap(), [["first"]]);
        assert!(!is_unproven(&secret_of(&self.rig, self.database(), "hoop_ro").unwrap()));
        workspace.destroy().ok();
        self.is_empty(workspace);
    }

    fn is_empty(&self, workspace: &Workspace<'_>) {
        assert_eq!(workspace.resource(IT), None);
        assert_eq!(our_roles(self.database()), Vec::<Vec<String>>::new());
        let secret = secret_of(&self.rig, self.database(), "hoop_ro").expect("it waits for its deletion");
        assert!(secret.get("DeletedDate").is_some(), "the secret stays: {secret}");
    }
}

/// Starts a command in a process group of its own, as a shell does.
pub(crate) fn start(workspace: &Workspace<'_>, command: &str) -> Child {
    let mut command = workspace.command(&[command, "-input=false", "-no-color", "-auto-approve"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command.spawn().expect("terraform runs")
}

/// Kills the provider below a running command as the kernel would; the command fails and says so.
pub(crate) fn kill_provider(terraform: Child) {
    let providers = providers_of(terraform.id());
    assert!(!providers.is_empty(), "terraform runs no provider");
    for pid in providers {
        signal("KILL", i64::from(pid));
    }
    let said = failed(terraform);
    // Terraform says the one when the connection breaks first, the other when it first sees that the process ended.
    let words = ["Plugin did not respond", "Request cancelled"];
    assert!(words.iter().any(|word| said.contains(word)), "{said}");
}

/// The errors of a command that is about to fail, on one line.
fn failed(terraform: Child) -> String {
    let output = terraform.wait_with_output().expect("terraform ends");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    stderr.split_whitespace().filter(|word| !["│", "╷", "╵"].contains(word)).collect::<Vec<_>>().join(" ")
}

fn killed_after_the_role_was_made(engine: &str) {
    let stage = Stage::new(engine);
    let workspace = stage.workspace();
    hang(&stage.rig, "UpdateSecretVersionStage", 0);
    let terraform = start(&workspace, "apply");
    assert!(within(SOON, || hangs(&stage.rig)), "the promotion was never asked for");
    assert!(has_role(stage.database(), "hoop_ro"), "a password is proven before it is promoted");
    kill_provider(terraform);
    assert_eq!(workspace.resource(IT), None, "Terraform knows nothing of the role");
    assert!(is_unproven(&secret_of(&stage.rig, stage.database(), "hoop_ro").unwrap()));
    stage.is_repaired_by_the_next_apply(&workspace);
}

#[test]
fn a_provider_killed_between_create_role_and_the_state_is_repaired_on_postgres() {
    killed_after_the_role_was_made("postgres");
}

#[test]
fn a_provider_killed_between_create_user_and_the_state_is_repaired_on_mariadb() {
    killed_after_the_role_was_made("mariadb");
}

/// The first GetSecretValue reads the administrator's secret, the second the pending one just before the change.
fn killed_before_the_role_was_made(engine: &str) {
    let stage = Stage::new(engine);
    let workspace = stage.workspace();
    hang(&stage.rig, "GetSecretValue", 1);
    let terraform = start(&workspace, "apply");
    assert!(within(SOON, || hangs(&stage.rig)), "the pending secret was never read");
    assert!(is_unproven(&secret_of(&stage.rig, stage.database(), "hoop_ro").expect("it is stored first")));
    assert!(!has_role(stage.database(), "hoop_ro"));
    kill_provider(terraform);
    assert_eq!(workspace.resource(IT), None);
    stage.is_repaired_by_the_next_apply(&workspace);
    assert_eq!(stage.rig.calls("PutSecretValue").len(), 1, "the pending password was used, not replaced");
}

#[test]
fn a_provider_killed_with_a_pending_secret_is_repaired_on_postgres() {
    killed_before_the_role_was_made("postgres");
}

#[test]
fn a_provider_killed_with_a_pending_secret_is_repaired_on_mariadb() {
    killed_before_the_role_was_made("mariadb");
}

#[test]
fn a_provider_killed_in_the_middle_of_a_destroy_is_continued() {
    let stage = Stage::new("mariadb");
    let workspace = stage.workspace();
    workspace.apply().ok();
    hang(&stage.rig, "DeleteSecret", 0);
    let terraform = start(&workspace, "destroy");
    assert!(within(SOON, || hangs(&stage.rig)), "the secret was never deleted");
    assert!(!has_role(stage.database(), "hoop_ro"));
    kill_provider(terraform);
    assert!(workspace.resource(IT).is_some(), "Terraform still knows the role");
    stage.rig.control("DELETE", "faults", &Value::Null);
    workspace.destroy().ok();
    stage.is_empty(&workspace);
}

/// The password of a role is repaired, and the provider dies when the database holds the new one.
#[test]
fn a_provider_killed_in_the_middle_of_a_new_password_is_continued() {
    let stage = Stage::new("postgres");
    let workspace = stage.workspace();
    workspace.apply().ok();
    crate::sql::as_owner(stage.database(), "postgres", "ALTER ROLE hoop_ro PASSWORD 'changed-by-hand-1'");
    hang(&stage.rig, "UpdateSecretVersionStage", 0);
    let terraform = start(&workspace, "apply");
    assert!(within(SOON, || hangs(&stage.rig)), "the promotion was never asked for");
    kill_provider(terraform);
    let state = workspace.resource(IT).expect("Terraform still knows the role");
    let proven = login(&stage.rig, stage.database(), &state);
    assert!(proven.run(&stage.rig, "SELECT 1").is_err(), "the database holds the pending password");
    stage.is_repaired_by_the_next_apply(&workspace);
}

/// Ctrl-C reaches every process of the terminal's foreground group.
pub(crate) fn interrupt(terraform: Child) -> String {
    let start = Instant::now();
    signal("INT", -i64::from(terraform.id()));
    let said = failed(terraform);
    assert!(start.elapsed() < Duration::from_secs(20), "it ended after {:?}", start.elapsed());
    said
}

#[test]
fn an_interrupted_create_ends_in_seconds_and_the_next_apply_goes_on() {
    for engine in ["postgres", "mariadb"] {
        let stage = Stage::new(engine);
        let workspace = stage.workspace();
        hang(&stage.rig, "UpdateSecretVersionStage", 0);
        let terraform = start(&workspace, "apply");
        assert!(within(SOON, || hangs(&stage.rig)), "the promotion was never asked for");
        let said = interrupt(terraform);
        assert!(said.contains("Interrupted") && said.contains("apply again to continue"), "{said}");
        assert!(workspace.resource(IT).is_some(), "what was begun is in the state");
        stage.is_repaired_by_the_next_apply(&workspace);
    }
}

/// The server is frozen in the middle of the change, so that it finishes only when Terraform is gone already.
#[test]
fn an_interrupted_wait_for_a_frozen_database_ends_in_seconds_and_destroy_finds_everything() {
    let stage = Stage::new("mariadb");
    let workspace = stage.workspace();
    let server = i64::from(stage.database().pid.expect("the database has a server"));
    let slow = json!({
        "service": "secretsmanager", "action": "GetSecretValue", "skip": 1, "times": 1, "latency_ms": 2_000,
    });
    stage.rig.control("POST", "faults", &slow);
    let terraform = start(&workspace, "apply");
    assert!(within(SOON, || hangs(&stage.rig)), "the pending secret was never read");
    signal("STOP", server);
    std::thread::sleep(Duration::from_secs(3));
    let said = interrupt(terraform);
    signal("CONT", server);
    assert!(said.contains("Interrupted") && said.contains("apply again to continue"), "{said}");
    workspace.destroy().ok();
    stage.is_empty(&workspace);
}
