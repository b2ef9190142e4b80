//! `rotation.after` as time goes by: with the real clock, the real client and ages of seconds.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, master_secret, moved, password, planned_changes};
use crate::rig::Rig;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

/// Longer than the shortest age that is used here.
const LATER: Duration = Duration::from_secs(3);

fn rig(engine: &str) -> Rig {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop"]);
    let rig = Rig::start(&Wish::organization().with(wish));
    fill(rig.database(0), &["shop"]);
    rig
}

/// One object whose password has an age.
struct Aged<'a> {
    rig: &'a Rig,
    workspace: Workspace<'a>,
    kind: &'static str,
    arguments: String,
}

impl<'a> Aged<'a> {
    fn role(rig: &'a Rig) -> Self {
        let admin = master_secret(rig, rig.database(0));
        let arguments = format!("  access = \"read_only\"\n  admin = {{ secret_ref = \"{admin}\" }}\n");
        Self { rig, workspace: Workspace::new(rig), kind: "rdsaccess_role", arguments }
    }

    fn master(rig: &'a Rig) -> Self {
        Self { rig, workspace: Workspace::new(rig), kind: "rdsaccess_master_credential", arguments: String::new() }
    }

    /// Writes the configuration with this `rotation` and these lines in the provider block.
    fn write(&self, rotation: &str, provider: &str) {
        let Self { rig, kind, arguments, .. } = self;
        let text = format!(
            "{}\nresource \"{kind}\" \"it\" {{\n  target_arn = \"{}\"\n{arguments}{rotation}\n}}\n",
            blocks::provider(rig, provider),
            rig.database(0).arn
        );
        self.workspace.write("main.tf", &text);
    }

    fn after(&self, age: &str) {
        self.write(&format!("  rotation = {{ after = \"{age}\" }}"), "");
    }

    fn state(&self) -> Value {
        self.workspace.resource(&format!("{}.it", self.kind)).expect("it is in the state")
    }

    fn password(&self) -> String {
        password(self.rig, self.rig.database(0), self.state()["secret_ref"].as_str().unwrap())
    }

    /// Whether a plan without a refresh is empty: nothing gets older without one.
    fn is_quiet_without_a_refresh(&self) {
        let run = self.workspace.run(&["plan", "-refresh=false", "-input=false", "-no-color", "-detailed-exitcode"]);
        assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    }

    /// The plan is one update in place that moves exactly these attributes.
    fn plans(&self, attributes: &[&str]) -> Value {
        self.workspace.plan().changes();
        let changes = planned_changes(&self.workspace);
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(changes[0]["change"]["actions"], json!(["update"]));
        assert_eq!(moved(&changes[0]), attributes.iter().copied().collect::<BTreeSet<_>>());
        changes[0]["change"].clone()
    }
}

/// What a rotation by age moves.
const MOVED: [&str; 3] = ["rotated_at", "rotation_due_at", "secret_version"];

fn gets_older(it: &Aged<'_>) {
    it.after("2s");
    it.workspace.apply().ok();
    let made = (it.state(), it.password());
    it.is_quiet_without_a_refresh();
    std::thread::sleep(LATER);
    it.is_quiet_without_a_refresh();

    let change = it.plans(&MOVED);
    for name in MOVED {
        assert_eq!(change["after_unknown"][name], true, "{name}");
    }
    // A saved plan does what it says, however late.
    std::thread::sleep(LATER);
    it.workspace.apply_planned().ok();
    it.is_quiet_without_a_refresh();
    let rotated = (it.state(), it.password());
    assert_ne!(rotated.0["secret_version"], made.0["secret_version"]);
    assert_ne!(rotated.1, made.1);
    assert_eq!(rotated.0["secret_ref"], made.0["secret_ref"]);

    // Longer, and shorter without being over: only when it is due moves, and a second plan is empty.
    for (age, seconds) in [("2h", 7_200), ("1h", 3_600)] {
        it.after(age);
        let change = it.plans(&["rotation", "rotation_due_at"]);
        assert_eq!(change["after_unknown"].get("rotation_due_at"), None, "it is known");
        it.workspace.apply_planned().ok();
        it.workspace.plan().nothing();
        assert_eq!(it.state()["secret_version"], rotated.0["secret_version"]);
        let moment = |name: &str| it.state()[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert_eq!((moment("rotation_due_at") - moment("rotated_at")).get_seconds(), seconds);
    }

    // Out of the configuration and back again, by now with an age that is over.
    it.write("", "");
    it.plans(&["rotation", "rotation_due_at"]);
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    assert_eq!((it.password(), &it.state()["rotation_due_at"]), (rotated.1.clone(), &Value::Null));
    std::thread::sleep(LATER);
    it.after("2s");
    it.plans(&["rotated_at", "rotation", "rotation_due_at", "secret_version"]);
    it.workspace.apply_planned().ok();
    it.is_quiet_without_a_refresh();
    let passwords = [made.1, rotated.1, it.password()];
    assert_eq!(passwords.iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(it.workspace.leaks(&passwords.each_ref().map(String::as_str)), []);
}

#[test]
fn a_role_is_rotated_when_its_age_is_over_and_never_twice_for_it() {
    let rig = rig("postgres");
    gets_older(&Aged::role(&rig));
}

#[test]
fn a_master_password_is_rotated_when_its_age_is_over_and_never_twice_for_it() {
    let rig = rig("mariadb");
    gets_older(&Aged::master(&rig));
}

/// What cannot be looked at does not get older, with `on_unreachable = "keep"`.
fn waits_until_it_is_seen(it: &Aged<'_>) {
    it.after("2s");
    it.workspace.apply().ok();
    std::thread::sleep(LATER);
    // A refresh that is kept already says that the age is over.
    it.workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false", "-no-color"]).ok();
    let database = it.rig.database(0);
    let deny = json!({ "actions": ["secretsmanager:DescribeSecret"], "account": database.account_id });
    it.rig.control("POST", "deny", &deny);
    assert_eq!(it.workspace.plan_run().code, 1, "a store that may not be asked stops the plan");
    it.write("  rotation = { after = \"2s\" }", "on_unreachable = \"keep\"");
    let said = it.workspace.plan().nothing().stdout;
    assert!(said.contains("Warning") && said.contains("secretsmanager:DescribeSecret"), "{said}");
    it.rig.control("DELETE", "deny", &Value::Null);
    it.plans(&MOVED);
    it.workspace.apply_planned().ok();
    it.is_quiet_without_a_refresh();
}

#[test]
fn a_role_whose_store_cannot_be_asked_is_not_rotated_for_its_age() {
    let rig = rig("postgres");
    waits_until_it_is_seen(&Aged::role(&rig));
}

#[test]
fn a_master_password_whose_store_cannot_be_asked_is_not_rotated_for_its_age() {
    let rig = rig("postgres");
    waits_until_it_is_seen(&Aged::master(&rig));
}

#[test]
fn an_age_of_no_time_is_refused() {
    let rig = rig("mariadb");
    for it in [Aged::role(&rig), Aged::master(&rig)] {
        it.after("0s");
        let said = it.workspace.validate().error();
        assert!(said.contains("rotation.after") && said.contains("longer than `0s`"), "{said}");
    }
}
