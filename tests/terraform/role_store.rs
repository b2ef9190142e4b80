//! `store` of `rdsaccess_role`: a place of its own for the secret, and what a change of it moves.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{default_master_secret, fill, login, master_secret, moved, planned_changes, secret_of};
use crate::rig::{Database, Rig};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_role.it";
const TEAM: &str = "store = { secrets_manager = { name_prefix = \"team/\", tags = { team = \"dba\" } } }";
const OTHER: &str = "store = { secrets_manager = { region = \"eu-west-1\", name_prefix = \"other/\" } }";

struct Stored<'a> {
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

fn round(number: u8) -> String {
    format!("rotation = {{ keepers = {{ round = \"{number}\" }} }}")
}

fn turn(number: u8) -> String {
    format!("rotation = {{ strategy = \"two_users\", keepers = {{ round = \"{number}\" }} }}")
}

impl<'a> Stored<'a> {
    fn new(rig: &'a Rig) -> Self {
        Self { rig, workspace: Workspace::new(rig), admin: master_secret(rig, rig.database(0)) }
    }

    fn database(&self) -> &'a Database {
        self.rig.database(0)
    }

    fn write(&self, lines: &[&str]) {
        let text = format!(
            "{}\nresource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{}\"\n  access = \"read_only\"\n  admin = {{ \
             secret_ref = \"{}\" }}\n  {}\n}}\n",
            blocks::provider(self.rig, ""),
            self.database().arn,
            self.admin,
            lines.join("\n  ")
        );
        self.workspace.write("main.tf", &text);
    }

    fn state(&self) -> Value {
        self.workspace.resource(IT).expect("the role is in the state")
    }

    fn apply(&self) -> Value {
        self.workspace.apply().ok();
        self.workspace.plan().nothing();
        self.state()
    }

    /// The one update in place that is planned, by the attributes that it moves.
    fn plans(&self, attributes: &[&str]) {
        self.workspace.plan().changes();
        let changes = planned_changes(&self.workspace);
        let roles: Vec<&Value> = changes.iter().filter(|change| change["address"] == IT).collect();
        assert_eq!(roles[0]["change"]["actions"], json!(["update"]));
        assert_eq!(moved(roles[0]), attributes.iter().copied().collect::<BTreeSet<_>>());
    }

    /// Where a secret is: its region and the beginning of its name.
    fn place(state: &Value) -> (String, String) {
        let parts: Vec<&str> = state["secret_ref"].as_str().unwrap().split(':').collect();
        (parts[3].to_owned(), parts[6].split('/').next().unwrap().to_owned())
    }

    fn describe(&self, state: &Value) -> Value {
        let region = Self::place(state).0;
        let params = json!({ "SecretId": state["secret_ref"] });
        self.rig.aws(Some("payments-prod"), &region, "secretsmanager", "describe_secret", &params).unwrap()
    }

    fn is_forgotten(&self, state: &Value) {
        let secret = self.describe(state);
        assert!(secret.get("DeletedDate").is_some(), "{secret}");
    }

    /// Whether the password that is proven now reads, wherever it is stored.
    fn reads(&self) -> bool {
        let state = self.state();
        let params = json!({ "SecretId": state["secret_ref"], "VersionStage": "AWSCURRENT" });
        let region = Self::place(&state).0;
        let value =
            self.rig.aws(Some("payments-prod"), &region, "secretsmanager", "get_secret_value", &params).unwrap();
        let value: Value = serde_json::from_str(value["SecretString"].as_str().unwrap()).unwrap();
        let [user, password] = ["username", "password"].map(|key| value[key].as_str().unwrap().to_owned());
        assert_eq!(state["username"], json!(user));
        let login = Login::new(self.database(), &user, &password).database("shop");
        login.run(self.rig, "SELECT note FROM orders").is_ok_and(|rows| rows == [["first"]])
    }
}

#[test]
fn a_store_of_its_own_moves_with_the_next_password() {
    let rig = rig("postgres");
    let it = Stored::new(&rig);
    it.write(&[TEAM, &round(1)]);
    let made = it.apply();
    assert_eq!(Stored::place(&made), ("us-east-1".to_owned(), "team".to_owned()));
    let tags = it.describe(&made)["Tags"].to_string();
    assert!(tags.contains("\"dba\"") && it.reads(), "{tags}");
    assert!(secret_of(&rig, it.database(), "hoop_ro").is_none(), "nothing is at the provider's place");

    it.write(&[OTHER, &round(1)]);
    it.plans(&["store"]);
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    assert_eq!(it.state()["secret_ref"], made["secret_ref"], "a new store waits for a new password");
    assert!(it.reads());

    it.write(&[OTHER, &round(2)]);
    it.plans(&["rotated_at", "rotation", "secret_ref", "secret_version"]);
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    let second = it.state();
    assert_eq!(Stored::place(&second), ("eu-west-1".to_owned(), "other".to_owned()));
    assert!(it.reads());
    it.is_forgotten(&made);

    // The store and the password at once, back to the provider's.
    it.write(&[&round(3)]);
    it.workspace.apply().ok();
    it.workspace.plan().nothing();
    let third = it.state();
    assert_eq!(Stored::place(&third), ("us-east-1".to_owned(), "rdsaccess".to_owned()));
    assert!(it.reads());
    it.is_forgotten(&second);
    it.write(&[OTHER, &round(3)]);
    it.apply();
    it.workspace.destroy().ok();
    it.is_forgotten(&third);
}

#[test]
fn a_store_that_is_not_known_yet_leaves_the_place_open() {
    let rig = rig("mariadb");
    let it = Stored::new(&rig);
    let unknown = |prefix: &str, round: u8| {
        let data = format!("resource \"terraform_data\" \"prefix\" {{\n  input = \"{prefix}/\"\n}}\n");
        it.workspace.write("prefix.tf", &data);
        it.write(&[
            "store = { secrets_manager = { name_prefix = terraform_data.prefix.output } }",
            &format!("rotation = {{ keepers = {{ round = \"{round}\" }} }}"),
        ]);
    };
    unknown("one", 1);
    let made = it.apply();
    assert_eq!(Stored::place(&made).1, "one");
    unknown("two", 1);
    it.plans(&["store"]);
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    assert_eq!(it.state()["secret_ref"], made["secret_ref"]);
    unknown("three", 2);
    it.plans(&["rotated_at", "rotation", "secret_ref", "secret_version", "store"]);
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    assert_eq!(Stored::place(&it.state()).1, "three");
    assert!(it.reads());
    it.is_forgotten(&made);
}

#[test]
fn two_logins_take_turns_over_one_secret_wherever_it_moves() {
    for engine in ["postgres", "mariadb"] {
        let rig = rig(engine);
        let it = Stored::new(&rig);
        it.write(&[TEAM, &turn(1)]);
        let first = it.apply();
        it.write(&[TEAM, &turn(2)]);
        let second = it.apply();
        assert_eq!((&second["username"], &second["secret_ref"]), (&json!("hoop_ro_clone"), &first["secret_ref"]));
        let before = login(&rig, it.database(), &second);
        assert!(it.reads());
        it.write(&[OTHER, &turn(3)]);
        let third = it.apply();
        assert_eq!(third["username"], "hoop_ro", "{engine}: it is the first one's turn again");
        assert!(
            it.reads() && before.database("shop").run(&rig, "SELECT 1").is_ok(),
            "{engine}: the one before is good"
        );
        it.is_forgotten(&second);
        it.write(&[OTHER, &turn(4)]);
        let fourth = it.apply();
        assert_eq!((&fourth["username"], &fourth["secret_ref"]), (&json!("hoop_ro_clone"), &third["secret_ref"]));
        it.workspace.destroy().ok();
        it.is_forgotten(&fourth);
    }
}

#[test]
fn a_secret_that_is_lost_comes_back_in_the_store_of_today() {
    let rig = rig("mariadb");
    let it = Stored::new(&rig);
    it.write(&[TEAM]);
    let made = it.apply();
    it.write(&[OTHER]);
    it.apply();
    as_owner(it.database(), "", "DROP USER hoop_ro");
    let plan = it.workspace.plan().changes().stdout;
    assert!(plan.contains("role is missing") && plan.contains("1 to change"), "the secret is remembered: {plan}");
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    assert!(it.reads());
    it.is_forgotten(&made);

    let params = json!({ "SecretId": it.state()["secret_ref"], "ForceDeleteWithoutRecovery": true });
    rig.aws(Some("payments-prod"), "eu-west-1", "secretsmanager", "delete_secret", &params).unwrap();
    it.plans(&["credential", "rotated_at", "secret_ref", "secret_version"]);
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    assert_eq!(Stored::place(&it.state()).1, "other");
    assert!(it.reads());
}

#[test]
fn tokens_end_the_secret_wherever_it_lies() {
    let rig = rig("mariadb");
    let it = Stored::new(&rig);
    it.write(&[TEAM]);
    let made = it.apply();
    it.write(&["auth = \"iam\""]);
    assert_eq!(it.apply()["secret_ref"], Value::Null);
    it.is_forgotten(&made);
    it.write(&[OTHER]);
    assert_eq!(Stored::place(&it.apply()).1, "other");
    assert!(it.reads());
}

#[test]
fn an_imported_role_finds_its_password_in_a_store_of_its_own() {
    let rig = rig("postgres");
    let it = Stored::new(&rig);
    it.write(&[TEAM]);
    let made = it.apply();
    it.workspace.run(&["state", "rm", IT]).ok();
    default_master_secret(&rig, it.database());
    it.workspace.import(IT, &format!("{}|hoop_ro", it.database().arn)).ok();
    assert_eq!(it.state()["credential"], "no stored password", "an import does not know the configuration");
    it.workspace.plan().changes();
    let planned = planned_changes(&it.workspace);
    assert_eq!(planned[0]["change"]["after"]["secret_ref"], made["secret_ref"], "the plan names what apply keeps");
    let again = it.apply();
    for name in ["secret_ref", "secret_version"] {
        assert_eq!(again[name], made[name], "{name}: nothing was replaced");
    }
    assert!(it.reads());
}

#[test]
fn a_secret_that_could_not_be_deleted_after_a_move_is_named_until_it_is() {
    let rig = rig("mariadb");
    let it = Stored::new(&rig);
    let fails = || {
        let fault = json!({
            "service": "secretsmanager", "action": "DeleteSecret", "times": 9, "code": "AccessDeniedException",
            "status": 400,
        });
        rig.control("POST", "faults", &fault);
    };
    it.write(&[TEAM, &round(1)]);
    let first = it.apply();
    let name = first["secret_ref"].as_str().unwrap();
    it.write(&[OTHER, &round(2)]);
    fails();
    let moved = it.workspace.apply().ok().stdout;
    assert!(
        moved.contains("A secret is left at its old place") && moved.replace("\n", "").contains("team/"),
        "{moved}"
    );
    rig.control("DELETE", "faults", &Value::Null);
    let second = it.state();
    assert_eq!((Stored::place(&second).1.as_str(), &second["credential"]), ("other", &json!("ok")));
    assert!(it.describe(&first).get("DeletedDate").is_none() && it.reads());
    it.plans(&["credential"]);
    let before = planned_changes(&it.workspace)[0]["change"]["before"]["credential"].to_string();
    assert!(before.contains("still there") && before.contains(name), "{before}");
    it.workspace.apply_planned().ok();
    it.workspace.plan().nothing();
    it.is_forgotten(&first);
    assert_eq!(it.state()["secret_version"], second["secret_version"], "no password was replaced for it");

    // A destroy finishes it as well.
    it.write(&[TEAM, &round(3)]);
    fails();
    it.workspace.apply().ok();
    rig.control("DELETE", "faults", &Value::Null);
    let third = it.state();
    assert!(it.describe(&second).get("DeletedDate").is_none());
    it.workspace.destroy().ok();
    it.is_forgotten(&second);
    it.is_forgotten(&third);
}

#[test]
fn a_provider_whose_store_is_not_known_yet_still_reads_what_references_name() {
    let rig = rig("postgres");
    let it = Stored::new(&rig);
    it.write(&[]);
    let made = it.apply();
    let open = "tags = { run = terraform_data.it.output }\n  store = { secrets_manager = { name_prefix = \
                terraform_data.it.output } }";
    let write = |prefix: &str| {
        let role = format!(
            "resource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{}\"\n  access = \"read_only\"\n  admin = {{ \
             secret_ref = \"{}\" }}\n}}\n",
            it.database().arn,
            it.admin
        );
        let data = format!("resource \"terraform_data\" \"it\" {{\n  input = \"{prefix}/\"\n}}\n");
        it.workspace.write("main.tf", &(blocks::provider(&rig, open) + &data + &role));
    };
    write("one");
    it.workspace.plan().changes();
    assert_eq!(planned_changes(&it.workspace).len(), 1, "the role stays as it is");
    it.workspace.apply_planned().ok();
    assert_eq!(it.apply()["secret_ref"], made["secret_ref"]);
    write("two");
    it.workspace.apply().ok();
    assert_eq!(it.apply()["secret_ref"], made["secret_ref"]);
}
