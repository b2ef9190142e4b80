//! `rdsaccess_master_credential` while the provider process is killed: the next apply continues.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::killed::{interrupt, start};
use crate::master_credential::{ADDRESS, configuration, logs_in, stored_password, text};
use crate::rig::Rig;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const PATIENCE: Duration = Duration::from_secs(60);
/// How late RDS makes a change that a killed run asked for.
const DELAY: Duration = Duration::from_millis(3_000);
const FIRST: &str = "  rotation = { keepers = { round = \"1\" } }";
const SECOND: &str = "  rotation = { keepers = { round = \"2\" } }";

/// Where the process is killed.
#[derive(Debug, Clone, Copy)]
enum Kill {
    /// The pending version is stored; the change was never sent
    BeforeModify,
    /// RDS took the change and makes it after the process is dead
    AfterModify,
    /// The login worked; nothing was promoted
    BeforePromote,
    /// AWSCURRENT has moved, AWSPENDING is still there
    BetweenLabels,
    /// RDS manages the password; the stored secret of before is still there
    BeforeForget,
}

impl Kill {
    fn arm(self, rig: &Rig) {
        let hang = |action: &str, skip: u32| {
            let fault = json!({"action": action, "skip": skip, "times": -1, "latency_ms": 5_000, "drop": true});
            rig.control("POST", "faults", &fault);
        };
        match self {
            Self::BeforeModify => hang("ModifyDBInstance", 0),
            Self::AfterModify => {
                rig.control("PUT", "settings", &json!({"password_delay_ms": DELAY.as_millis()}));
            }
            Self::BeforePromote => hang("UpdateSecretVersionStage", 0),
            Self::BetweenLabels => hang("UpdateSecretVersionStage", 1),
            Self::BeforeForget => hang("DeleteSecret", 0),
        }
    }

    fn reached(self, rig: &Rig) -> bool {
        let calls = |action: &str| rig.calls(action);
        match self {
            Self::BeforeModify => !calls("ModifyDBInstance").is_empty(),
            Self::AfterModify => calls("ModifyDBInstance").iter().any(|call| call["status"] == 200),
            Self::BeforePromote => !calls("UpdateSecretVersionStage").is_empty(),
            Self::BetweenLabels => calls("UpdateSecretVersionStage").len() > 1,
            Self::BeforeForget => !calls("DeleteSecret").is_empty(),
        }
    }

    fn disarm(rig: &Rig) {
        rig.control("DELETE", "faults", &Value::Null);
        rig.control("PUT", "settings", &json!({"password_delay_ms": 0}));
    }
}

/// The provider process below a Terraform process.
fn provider_of(terraform: u32) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok()).find(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        parent == Some(terraform) && program.file_name().is_some_and(is_provider)
    })
}

fn is_provider(name: &std::ffi::OsStr) -> bool {
    Path::new(name).to_string_lossy().starts_with("terraform-provider-rdsaccess")
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Applies, kills the provider with SIGKILL at the point, and waits for Terraform to notice.
fn apply_and_kill(rig: &Rig, workspace: &Workspace<'_>, kill: Kill) {
    rig.control("DELETE", "log", &Value::Null);
    kill.arm(rig);
    let mut command = workspace.command(&["apply", "-input=false", "-no-color", "-auto-approve"]);
    let mut terraform: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until(&format!("{kill:?}"), || kill.reached(rig));
    let provider = provider_of(terraform.id()).expect("the provider runs");
    assert!(Command::new("kill").args(["-9", &provider.to_string()]).status().unwrap().success());
    assert!(!terraform.wait().unwrap().success(), "Terraform notices that the provider died");
    Kill::disarm(rig);
}

/// Kills a create, then a rotation, at the same point; each time the next apply gets to a proven password.
fn recovers(kill: Kill) {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres");
    let rig = Rig::start(&Wish::organization().with(wish));
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, FIRST));
    let mut passwords = Vec::new();
    for (round, arguments) in [FIRST, SECOND].into_iter().enumerate() {
        workspace.write("main.tf", &configuration(&rig, arguments));
        // A first version is AWSCURRENT already: its promotion is one step.
        let kill = if round == 0 && matches!(kill, Kill::BetweenLabels) { Kill::BeforePromote } else { kill };
        apply_and_kill(&rig, &workspace, kill);
        let prepared = prepared(&rig);
        workspace.apply().ok();
        workspace.plan().nothing();
        let state = workspace.resource(ADDRESS).unwrap();
        let password = stored_password(&rig, &text(&state, "secret_ref"));
        assert!(logs_in(&rig, &password), "{kill:?} in round {round}");
        assert_eq!(state["secret_version"], prepared, "the pending version was used, not replaced: {kill:?}");
        passwords.push(password);
        if matches!(kill, Kill::AfterModify) {
            // The fake RDS would make the change of this round after that of the next.
            std::thread::sleep(DELAY);
            assert!(logs_in(&rig, &passwords[round]), "the late change is the same password");
        }
    }
    assert_ne!(passwords[0], passwords[1]);
    let passwords: Vec<&str> = passwords.iter().map(String::as_str).collect();
    assert_eq!(workspace.leaks(&passwords), []);
}

/// Id of the version that the killed run stored last.
fn prepared(rig: &Rig) -> Value {
    let puts = rig.calls("PutSecretValue");
    puts.last().expect("a pending version was stored")["params"]["ClientRequestToken"].clone()
}

#[test]
fn a_run_killed_with_the_pending_version_stored_is_continued() {
    recovers(Kill::BeforeModify);
}

#[test]
fn a_run_killed_after_rds_took_the_password_is_continued() {
    recovers(Kill::AfterModify);
}

#[test]
fn a_run_killed_after_the_login_is_continued() {
    recovers(Kill::BeforePromote);
}

#[test]
fn a_run_killed_between_the_two_labels_is_continued() {
    recovers(Kill::BetweenLabels);
}

/// All that tells a run that was killed before the state was saved from one that ended is the state of before.
#[test]
fn a_rotation_that_a_killed_run_has_finished_is_not_done_again() {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres");
    let rig = Rig::start(&Wish::organization().with(wish));
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, FIRST));
    workspace.apply().ok();
    let file = workspace.folder().join("terraform.tfstate");
    let before = std::fs::read(&file).unwrap();
    workspace.write("main.tf", &configuration(&rig, SECOND));
    workspace.apply().ok();
    let version = || workspace.resource(ADDRESS).unwrap()["secret_version"].clone();
    let second = version();
    std::fs::write(&file, before).unwrap();
    rig.control("DELETE", "log", &Value::Null);
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!((version(), rig.calls("ModifyDBInstance").len()), (second.clone(), 0));

    for rounds in [FIRST, SECOND] {
        workspace.write("main.tf", &configuration(&rig, rounds));
        workspace.apply().ok();
        workspace.plan().nothing();
        assert_ne!(version(), second, "the state knows that version now");
    }
    let password = stored_password(&rig, &text(&workspace.resource(ADDRESS).unwrap(), "secret_ref"));
    assert!(logs_in(&rig, &password));
}

#[test]
fn keepers_that_come_back_after_an_import_with_others_rotate() {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres");
    let rig = Rig::start(&Wish::organization().with(wish));
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, FIRST));
    workspace.apply().ok();
    let version = || workspace.resource(ADDRESS).unwrap()["secret_version"].clone();
    let first = version();
    workspace.run(&["state", "rm", ADDRESS]).ok();
    workspace.write("main.tf", &configuration(&rig, SECOND));
    workspace.import(ADDRESS, &rig.database(0).arn).ok();
    workspace.apply().ok();
    assert_eq!(version(), first, "an import rotates nothing");

    workspace.write("main.tf", &configuration(&rig, FIRST));
    workspace.apply().ok();
    assert_ne!(version(), first, "the plan has promised another");
    let password = stored_password(&rig, &text(&workspace.resource(ADDRESS).unwrap(), "secret_ref"));
    assert!(logs_in(&rig, &password));
    workspace.plan().nothing();
}

/// Kills a switch of the method at each point; the next apply continues, and what it says logs in.
fn switch_recovers(from: &str, to: &str, kills: &[Kill]) {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres");
    let rig = Rig::start(&Wish::organization().with(wish));
    let workspace = Workspace::new(&rig);
    let mut passwords = Vec::new();
    for kill in kills {
        workspace.write("main.tf", &configuration(&rig, from));
        workspace.apply().ok();
        workspace.plan().nothing();
        let before = stored_password(&rig, &text(&workspace.resource(ADDRESS).unwrap(), "secret_ref"));
        workspace.write("main.tf", &configuration(&rig, to));
        apply_and_kill(&rig, &workspace, *kill);
        workspace.apply().ok();
        workspace.plan().nothing();
        let password = stored_password(&rig, &text(&workspace.resource(ADDRESS).unwrap(), "secret_ref"));
        assert!(logs_in(&rig, &password) && password != before, "{kill:?}");
        if matches!(kill, Kill::AfterModify) {
            // The fake RDS makes the change of the killed run late.
            std::thread::sleep(DELAY);
            assert!(logs_in(&rig, &password), "the late change is the same password");
        }
        passwords.extend([before, password]);
    }
    let passwords: Vec<&str> = passwords.iter().map(String::as_str).collect();
    assert_eq!(workspace.leaks(&passwords), []);
}

const RDS_MANAGED: &str = "  method = \"rds_managed\"";

#[test]
fn a_switch_to_rds_that_was_killed_anywhere_is_continued() {
    switch_recovers("", RDS_MANAGED, &[Kill::BeforeModify, Kill::AfterModify, Kill::BeforeForget]);
}

#[test]
fn a_switch_from_rds_that_was_killed_anywhere_is_continued() {
    let kills = [Kill::BeforeModify, Kill::AfterModify, Kill::BeforePromote, Kill::BetweenLabels];
    switch_recovers(RDS_MANAGED, "", &kills);
}

/// Ctrl-C while RDS has not made the change yet: what was reached is saved, and the next apply goes on with it.
#[test]
fn an_interrupted_wait_for_a_new_password_is_continued() {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres");
    let rig = Rig::start(&Wish::organization().with(wish));
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, FIRST));
    workspace.apply().ok();
    let before = workspace.resource(ADDRESS).unwrap();
    workspace.write("main.tf", &configuration(&rig, SECOND));
    rig.control("DELETE", "log", &Value::Null);
    rig.control("PUT", "settings", &json!({"password_delay_ms": 20_000}));
    let terraform = start(&workspace, "apply");
    wait_until("the change", || rig.calls("ModifyDBInstance").iter().any(|call| call["status"] == 200));
    let said = interrupt(terraform);
    assert!(said.contains("Interrupted") && said.contains("apply again to continue"), "{said}");
    let saved = workspace.resource(ADDRESS).expect("it is in the state");
    assert_eq!(saved["secret_version"], before["secret_version"], "nothing is promoted");
    assert!(logs_in(&rig, &stored_password(&rig, &text(&saved, "secret_ref"))), "the password before is good");
    Kill::disarm(&rig);
    let prepared = prepared(&rig);
    workspace.apply().ok();
    workspace.plan().nothing();
    let state = workspace.resource(ADDRESS).unwrap();
    assert_eq!(state["secret_version"], prepared, "the pending version was used, not replaced");
    assert!(logs_in(&rig, &stored_password(&rig, &text(&state, "secret_ref"))));
}
