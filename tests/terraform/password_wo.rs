//! `password_wo` of `rdsaccess_role`: a password that somebody gives, through an ephemeral variable.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{
    default_master_secret, fill, is_postgres, is_unproven, master_secret, moved, password, planned_changes, secret_of,
};
use crate::rig::{Database, Rig};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_role.it";
const FIRST: &str = "First Gìven~Pass'word\"1";
const SECOND: &str = "Second-Given\\Pass$word2";
const THIRD: &str = "third:given@pass/word?3";

/// A database and a configuration that takes its password from an ephemeral variable.
struct Given<'a> {
    rig: &'a Rig,
    workspace: Workspace<'a>,
    admin: String,
}

fn rig(engine: &str) -> Rig {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop"]).with_iam();
    let rig = Rig::start(&Wish::organization().with(wish));
    fill(rig.database(0), &["shop"]);
    rig
}

impl<'a> Given<'a> {
    fn new(rig: &'a Rig) -> Self {
        Self { rig, workspace: Workspace::new(rig), admin: master_secret(rig, rig.database(0)) }
    }

    fn database(&self) -> &'a Database {
        self.rig.database(0)
    }

    fn write(&self, lines: &str) {
        let text = format!(
            "{}\nvariable \"password\" {{\n  type = string\n  ephemeral = true\n}}\n\nresource \"rdsaccess_role\" \"it\" \
             {{\n  target_arn = \"{}\"\n  access = \"read_only\"\n  admin = {{ secret_ref = \"{}\" }}\n  {lines}\n}}\n",
            blocks::provider(self.rig, ""),
            self.database().arn,
            self.admin
        );
        self.workspace.write("main.tf", &text);
    }

    /// Gives a password with a version, as the next commands see it.
    fn give(&mut self, password: &str, version: &str, more: &str) {
        self.workspace.set("TF_VAR_password", password);
        self.write(&format!("password_wo = var.password\n  password_wo_version = {version}\n  {more}"));
    }

    fn state(&self) -> Value {
        self.workspace.resource(IT).expect("the role is in the state")
    }

    fn apply(&self) -> Value {
        self.workspace.apply().ok();
        self.workspace.plan().nothing();
        self.state()
    }

    /// The plan is one update in place that moves exactly these attributes.
    fn plans(&self, attributes: &[&str]) {
        self.workspace.plan().changes();
        let changes = planned_changes(&self.workspace);
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(changes[0]["change"]["actions"], json!(["update"]));
        assert_eq!(moved(&changes[0]), attributes.iter().copied().collect::<BTreeSet<_>>());
    }

    fn stored(&self) -> String {
        password(self.rig, self.database(), self.state()["secret_ref"].as_str().unwrap())
    }

    fn logs_in(&self, password: &str) -> bool {
        let login = Login::new(self.database(), "hoop_ro", password).database("shop");
        login.run(self.rig, "SELECT note FROM orders").is_ok_and(|rows| rows == [["first"]])
    }

    /// Exactly one of the given passwords logs in, and it is the stored one.
    fn holds(&self, wanted: &str) {
        let good: Vec<&str> = [FIRST, SECOND, THIRD].into_iter().filter(|given| self.logs_in(given)).collect();
        assert_eq!((good, self.stored()), (vec![wanted], wanted.to_owned()));
    }

    fn changes_by_hand(&self, host: &str) {
        let sql = if is_postgres(self.database()) {
            "ALTER ROLE hoop_ro PASSWORD 'changed-by-hand-1'".to_owned()
        } else {
            format!("ALTER USER 'hoop_ro'@'{host}' IDENTIFIED BY 'changed-by-hand-1'")
        };
        as_owner(self.database(), if is_postgres(self.database()) { "shop" } else { "" }, &sql);
    }

    fn leaks_nothing(&self) {
        assert_eq!(self.workspace.leaks(&[FIRST, SECOND, THIRD]), []);
    }
}

fn lives(engine: &str, host: &str, more: &str) {
    let rig = rig(engine);
    let mut it = Given::new(&rig);
    it.give(FIRST, "1", more);
    it.workspace.plan().changes();
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    let made = it.state();
    it.holds(FIRST);
    assert_eq!((&made["password_wo"], &made["password_wo_version"]), (&Value::Null, &json!("1")));
    assert_eq!((&made["credential"], &made["rotation_due_at"]), (&json!("ok"), &Value::Null));
    if !host.is_empty() {
        assert!(made["secret_ref"].as_str().unwrap().contains("/hoop_ro@127=2E=25-"), "{made}");
    }

    it.give(SECOND, "\"1\"", more);
    it.workspace.plan().nothing();
    it.workspace.apply().ok();
    it.holds(FIRST);

    it.give(SECOND, "\"two\"", more);
    it.plans(&["password_wo_version", "rotated_at", "secret_version"]);
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    it.holds(SECOND);
    assert_eq!(it.state()["secret_ref"], made["secret_ref"]);

    it.changes_by_hand(host);
    it.plans(&["credential", "rotated_at", "secret_version"]);
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    it.holds(SECOND);

    let secret = json!({ "SecretId": made["secret_ref"] });
    rig.aws_of(it.database(), "secretsmanager", "delete_secret", &secret).unwrap();
    let plan = it.workspace.plan().changes().stdout;
    assert!(plan.contains("\"no stored password\" -> \"ok\""), "{plan}");
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    it.holds(SECOND);

    it.write(more);
    it.plans(&["password_wo_version"]);
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    it.holds(SECOND);
    it.write(&format!("rotation = {{ keepers = {{ round = \"1\" }} }}\n  {more}"));
    it.apply();
    it.holds(SECOND);
    it.write(&format!("rotation = {{ keepers = {{ round = \"2\" }} }}\n  {more}"));
    it.apply();
    let generated = it.stored();
    assert!(![FIRST, SECOND].contains(&generated.as_str()) && it.logs_in(&generated) && !it.logs_in(SECOND));
    it.give(THIRD, "3", more);
    it.apply();
    it.holds(THIRD);
    it.workspace.destroy().ok();
    it.leaks_nothing();
    assert_eq!(it.workspace.leaks(&[&generated]), []);
    let log = std::fs::read(it.database().log.as_ref().unwrap()).unwrap();
    let log = String::from_utf8_lossy(&log);
    assert!([FIRST, SECOND, THIRD].iter().all(|given| !log.contains(given)), "the server's log holds no password");
}

#[test]
fn a_given_password_lives_on_postgres() {
    lives("postgres", "", "");
}

#[test]
fn a_given_password_of_an_account_with_a_host_lives_on_mariadb() {
    lives("mariadb", "127.%", "host = \"127.%\"");
}

#[test]
fn a_given_password_follows_one_that_an_interrupted_run_had_set() {
    for engine in ["postgres", "mariadb"] {
        let rig = rig(engine);
        let mut it = Given::new(&rig);
        it.give(FIRST, "1", "");
        it.apply();
        it.give(SECOND, "2", "");
        let fault = json!({
            "service": "secretsmanager", "action": "UpdateSecretVersionStage", "times": 9,
            "code": "AccessDeniedException", "status": 400,
        });
        rig.control("POST", "faults", &fault);
        assert!(it.workspace.apply().error().contains("UpdateSecretVersionStage"), "{engine}");
        rig.control("DELETE", "faults", &Value::Null);
        assert!(it.logs_in(SECOND), "the database took it");

        it.give(THIRD, "2", "");
        it.apply();
        it.holds(THIRD);
        assert!(
            !secret_of(&rig, it.database(), "hoop_ro").unwrap()["VersionIdsToStages"].to_string().contains("PENDING")
        );
        it.leaks_nothing();
    }
}

/// The server refuses the change, first of all with nothing proven; the value that it never took gives way.
#[test]
fn a_given_password_that_the_server_refused_is_not_tried_for_ever() {
    for engine in ["postgres", "mariadb"] {
        let rig = rig(engine);
        let mut it = Given::new(&rig);
        let (database, postgres) = (it.database(), engine == "postgres");
        let master = &database.master_username;
        let (refuse, allow) = if postgres {
            (format!("ALTER ROLE \"{master}\" NOCREATEROLE"), format!("ALTER ROLE \"{master}\" CREATEROLE"))
        } else {
            // Whoever may write the tables of accounts needs no CREATE USER on MariaDB.
            let rights = "CREATE USER, INSERT, UPDATE, DELETE ON *.*";
            (format!("REVOKE {rights} FROM `{master}`"), format!("GRANT {rights} TO `{master}`"))
        };
        let order = |sql: &str| drop(as_owner(database, if postgres { "shop" } else { "" }, sql));
        let refused = |it: &Given<'_>| {
            order(&refuse);
            let error = it.workspace.apply().error();
            assert!(error.contains(&database.arn), "{error}");
            order(&allow);
        };
        it.give(FIRST, "1", "");
        refused(&it);
        it.give(SECOND, "1", "");
        refused(&it);
        let secret = secret_of(&rig, database, "hoop_ro").unwrap();
        assert!(is_unproven(&secret), "a value that no login has proven does not read as proven: {secret}");
        it.give(THIRD, "1", "");
        it.apply();
        it.holds(THIRD);

        it.give(FIRST, "2", "");
        refused(&it);
        assert!(it.logs_in(THIRD), "what was proven stays good");
        it.give(SECOND, "2", "");
        it.apply();
        it.holds(SECOND);
        let stages = secret_of(&rig, database, "hoop_ro").unwrap()["VersionIdsToStages"].to_string();
        assert!(!stages.contains("AWSPENDING"), "{engine}: {stages}");
        it.leaks_nothing();
    }
}

#[test]
fn an_imported_role_with_the_given_password_is_not_reset() {
    let rig = rig("postgres");
    let mut it = Given::new(&rig);
    it.give(FIRST, "1", "");
    let made = it.apply();
    it.workspace.run(&["state", "rm", IT]).ok();
    default_master_secret(&rig, it.database());
    it.workspace.import(IT, &format!("{}|hoop_ro", it.database().arn)).ok();
    let stored = rig.calls("PutSecretValue").len();
    it.workspace.plan().changes();
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    assert_eq!((rig.calls("PutSecretValue").len(), &it.state()["secret_version"]), (stored, &made["secret_version"]));
    it.holds(FIRST);

    it.workspace.run(&["state", "rm", IT]).ok();
    it.workspace.import(IT, &format!("{}|hoop_ro", it.database().arn)).ok();
    it.give(SECOND, "1", "");
    it.apply();
    it.holds(SECOND);
    it.leaks_nothing();
}

#[test]
fn tokens_come_and_go_around_a_given_password() {
    let rig = rig("mariadb");
    let mut it = Given::new(&rig);
    it.give(FIRST, "1", "");
    it.apply();
    it.write("auth = \"iam\"");
    assert_eq!(it.apply()["password_wo_version"], Value::Null);
    assert!(!it.logs_in(FIRST));
    it.give(SECOND, "2", "");
    it.apply();
    it.holds(SECOND);
    it.leaks_nothing();
}

#[test]
fn what_does_not_go_together_is_refused() {
    let rig = rig("mariadb");
    let mut it = Given::new(&rig);
    it.workspace.set("TF_VAR_password", FIRST);
    for (lines, words) in [
        ("password_wo = var.password", "The password has no version"),
        ("password_wo_version = 1", "There is no password to set"),
        ("password_wo = var.password\n password_wo_version = 1\n auth = \"iam\"", "token of its own"),
        ("password_wo = var.password\n password_wo_version = 1\n rotation = {}", "A given password is not rotated"),
        ("password_wo = var.password\n password_wo_version = \"\"", "not empty"),
    ] {
        it.write(lines);
        let error = it.workspace.plan_run().error();
        assert!(error.contains(words), "`{words}` is not in: {error}");
    }
    let long = "Long~Given1".repeat(30);
    for (password, words) in
        [("", "is empty"), ("line\nbreak-of-a-password", "control character"), (&long, "256 bytes")]
    {
        it.give(password, "1", "");
        let error = it.workspace.plan_run().error();
        assert!(error.contains("`password_wo` cannot be set") && error.contains(words), "{error}");
    }
    assert!(secret_of(&rig, it.database(), "hoop_ro").is_none(), "nothing was made");
    assert_eq!(it.workspace.leaks(&[&long, FIRST, "line\nbreak-of-a-password"]), []);

    // A literal in the configuration is the person's own doing; we still do not show it.
    it.write(&format!("password_wo = \"{long}\"\n  password_wo_version = 1"));
    let run = it.workspace.plan_run();
    assert!(run.error().contains("256 bytes") && !run.error().contains(&long) && !run.stdout.contains(&long));
    assert!(!it.workspace.trace().contains(&long));
}
