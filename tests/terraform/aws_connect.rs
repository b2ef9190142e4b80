//! The module `examples/modules/aws-connect`: what it makes of its settings.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, master_secret, password, secret_of};
use crate::gateway::{ADMIN, FakeGateway};
use crate::receiver::Receiver;
use crate::rig::{Database, Rig, repository};
use crate::sql::Login;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const KEY: &str = "whsec_dGhlIGtleSB0aGF0IHRoZSBtb2R1bGUgc2lnbnMgd2l0aA==";
const NAMES: [&str; 3] = ["shop", "other", "third"];
const LEVELS: [(&str, &str); 3] = [("read_only", "ro"), ("read_write", "rw"), ("ddl", "ddl")];

/// Databases with a table and a row: roles cover the first, or the first two.
pub(crate) fn rig(engine: &str) -> Rig {
    let ledger = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&NAMES);
    let rig = Rig::start(&Wish::organization().with(ledger));
    fill(rig.database(0), &NAMES);
    rig
}

/// Copies everything below a folder of the examples into a folder of the workspace.
pub(crate) fn copy(workspace: &Workspace<'_>, example: &str, to: &str) {
    copy_folder(&repository().join("examples").join(example), &workspace.folder().join(to));
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for path in fs::read_dir(from).expect("the example is there").flatten().map(|entry| entry.path()) {
        let place = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &place);
        } else {
            fs::copy(&path, &place).expect("the file is copied");
        }
    }
}

/// The provider block alone: the module says itself which provider it needs.
pub(crate) fn provider_block(rig: &Rig, more: &str) -> String {
    let text = blocks::provider(rig, more);
    text[text.find("provider \"rdsaccess\" {").expect("the block is there")..].to_owned()
}

pub(crate) fn with_gateway<'a>(rig: &'a Rig, gateway: &FakeGateway) -> Workspace<'a> {
    let mut workspace = Workspace::new(rig);
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace
}

#[test]
fn the_module_keeps_its_own_tests() {
    let workspace = Workspace::offline();
    copy(&workspace, "modules/aws-connect", ".");
    workspace.init().ok();
    let tests = fs::read_to_string(workspace.folder().join("tests/module.tftest.hcl")).expect("the tests are there");
    let count = tests.lines().filter(|line| line.starts_with("run ")).count();
    let said = workspace.run(&["test", "-no-color"]).ok().stdout;
    assert!(count > 20 && said.contains(&format!("Success! {count} passed, 0 failed.")), "{said}");
}

/// The names that stand in a file at this depth: `variable "name"`, `output "name"` or `name = optional(…)`.
fn names(path: &str, before: &str, after: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join("examples/modules/aws-connect").join(path)).expect("it is there");
    let starts = text
        .lines()
        .filter_map(|line| line.strip_prefix(before)?.split_once(after))
        .filter(|(name, _)| !name.starts_with(' '));
    let mut found: Vec<String> = starts.map(|(name, _)| name.trim().to_owned()).collect();
    found.retain(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
    found.dedup();
    assert!(found.len() > 3, "{path}: {found:?}");
    found
}

#[test]
fn the_readme_tells_every_input_setting_and_output() {
    let readme = fs::read_to_string(repository().join("examples/modules/aws-connect/README.md")).expect("a README");
    let tables: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `")).collect();
    let is_told = |name: &String| tables.iter().any(|line| line.contains(&format!("`{name}`")));
    let in_types = ["    ", "      "].map(|depth| names("variables.tf", depth, "= optional("));
    let wanted =
        [names("variables.tf", "variable \"", "\""), names("outputs.tf", "output \"", "\""), in_types.concat()]
            .concat();
    // Sources are those of the resource; `unset` has its own place.
    let apart = ["cidr_ipv4", "cidr_ipv6", "prefix_list_id", "description", "unset"];
    let missing: Vec<&String> =
        wanted.iter().filter(|name| !apart.contains(&name.as_str()) && !is_told(name)).collect();
    assert!(missing.is_empty(), "the tables lack {missing:?}");
    for name in names("tests/boundary/call/main.tf", "variable \"", "\"") {
        let example = format!("\n{name} ");
        assert!(
            readme.contains(&example) || readme.contains(&format!("\n# {name} = ")),
            "boundary.tfvars lacks {name}"
        );
    }
}

/// One call of the module, with what a person would set.
fn call(rig: &Rig, receiver: &Receiver) -> String {
    format!(
        r#"{provider}
variable "key" {{
  type      = string
  ephemeral = true
  default   = null
}}

module "ledger" {{
  source     = "./aws-connect"
  target_arn = "{arn}"
  agent_name = "lab"
  defaults = {{
    ingress      = [{{ cidr_ipv4 = "10.20.0.0/16", description = "gateway" }}]
    levels       = {{ read_only = {{ groups = ["developers"] }}, read_write = {{ groups = ["sre"] }}, ddl = {{ groups = ["dba"] }} }}
    notification = {{ webhook_url = "{url}/roles" }}
  }}
  overrides      = {{ databases = ["shop"], tags = {{ team = "pay" }} }}
  webhook_secret = var.key
}}

output "it" {{
  value = module.ledger
}}
"#,
        provider = blocks::provider(rig, ""),
        arn = rig.database(0).arn,
        url = receiver.url,
    )
}

/// What is granted works, and what is not is refused, by a login with the stored password.
pub(crate) fn boundary(rig: &Rig, database: &Database, role: &Value, covered: &str, closed: &str) {
    let user = role["username"].as_str().expect("a name");
    let secret = password(rig, database, role["secret_ref"].as_str().expect("a reference"));
    boundary_of(rig, &Login::new(database, user, &secret), role, covered, closed);
}

/// The same by a login that somebody else has found.
pub(crate) fn boundary_of(rig: &Rig, login: &Login<'_>, role: &Value, covered: &str, closed: &str) {
    let user = role["username"].as_str().expect("a name");
    let login = |name: &str| login.clone().database(name);
    let may = |name: &str, sql: &str| login(name).run(rig, sql).is_ok();
    let level = role["access"].as_str().expect("a level");
    assert!(may(covered, "SELECT * FROM orders"), "{user} reads");
    assert_eq!(
        may(covered, "INSERT INTO orders SELECT * FROM orders WHERE 1 = 0"),
        level != "read_only",
        "{user} writes"
    );
    let create = format!("CREATE TABLE of_{user} (id int); DROP TABLE of_{user}");
    assert_eq!(may(covered, &create), level == "ddl", "{user} creates");
    let refused = login(closed).run(rig, "SELECT * FROM orders").expect_err("the neighbour is closed");
    assert!(refused.contains("denied"), "{user}: {refused}");
}

fn the_module_does_what_the_wizard_does(engine: &str) {
    let (rig, gateway, receiver) = (rig(engine), FakeGateway::start(), Receiver::start());
    gateway.toggle("access_control", true);
    let database = rig.database(0);
    let mut workspace = with_gateway(&rig, &gateway);
    workspace.set("TF_VAR_key", KEY);
    copy(&workspace, "modules/aws-connect", "aws-connect");
    workspace.write("main.tf", &call(&rig, &receiver));
    workspace.init().ok();
    workspace.apply().ok();
    workspace.plan().nothing();

    let it = workspace.output("it");
    for (level, suffix) in LEVELS {
        let role = &it["roles"][level];
        assert_eq!(role["username"], format!("hoop_{suffix}"));
        boundary(&rig, database, role, "shop", "other");
        let stored = gateway.stored(&format!("ledger-{suffix}"));
        assert_eq!(stored["connection_tags"]["team"], "pay");
        assert_eq!(stored["connection_tags"]["hoop.dev/aws-connect.dbarn"], json!(database.arn));
    }
    assert_eq!(gateway.groups("ledger-rw"), json!(["sre"]));
    assert!(it["security_group_id"].as_str().is_some_and(|id| id.starts_with("sg-")), "{it}");
    assert_eq!((receiver.taken().len(), &it["notification"]["status"]), (1, &json!("completed")));
    let secrets: Vec<String> = LEVELS
        .iter()
        .map(|(level, _)| password(&rig, database, it["roles"][level]["secret_ref"].as_str().unwrap()))
        .collect();
    let master = password(&rig, database, it["master_secret_ref"].as_str().expect("a reference"));
    let all: Vec<&str> = secrets.iter().map(String::as_str).chain([master.as_str(), KEY]).collect();
    assert_eq!(workspace.leaks(&all), vec![]);

    workspace.destroy().ok();
    assert!(LEVELS.iter().all(|(_, suffix)| gateway.stored(&format!("ledger-{suffix}")).is_null()));
    assert_eq!(crate::fixture::our_roles(database), Vec::<Vec<String>>::new());
}

#[test]
fn one_call_does_what_the_wizard_does_on_postgres() {
    the_module_does_what_the_wizard_does("postgres");
}

#[test]
fn one_call_does_what_the_wizard_does_on_mariadb() {
    the_module_does_what_the_wizard_does("mariadb");
}

/// A call of the module as `agent` and `defaults` say, beside a name that only an apply knows.
fn call_by(rig: &Rig, agent: &str, defaults: &str) -> String {
    format!(
        "{}\nresource \"terraform_data\" \"agent\" {{\n  input = \"nowhere\"\n}}\n\nmodule \"ledger\" {{\n  source     = \
         \"./aws-connect\"\n  target_arn = \"{}\"\n  agent_name = {agent}\n  defaults   = {{ {defaults} }}\n}}\n",
        blocks::provider(rig, ""),
        rig.database(0).arn
    )
}

#[test]
fn nothing_is_reset_when_the_gateway_stands_in_the_way() {
    let (rig, gateway) = (rig("mariadb"), FakeGateway::start());
    let database = rig.database(0);
    let mut workspace = with_gateway(&rig, &gateway);
    copy(&workspace, "modules/aws-connect", "aws-connect");
    let refused = |workspace: &Workspace<'_>, agent: &str, defaults: &str, words: &[&str]| {
        workspace.write("main.tf", &call_by(&rig, agent, defaults));
        workspace.init().ok();
        let said = workspace.plan_run().error();
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} is not in: {said}");
    };
    let nowhere = "has no agent `nowhere`. Its agents: lab, spare.";
    refused(&workspace, "\"nowhere\"", "", &[nowhere]);
    let groups = "levels = { read_only = { groups = [\"developers\"] } }";
    refused(&workspace, "\"lab\"", groups, &["plugin access_control is not enabled"]);
    workspace.set("HOOP_APIKEY", "hpk_unknown");
    refused(&workspace, "\"lab\"", "", &["401", "HOOP_APIKEY"]);
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace.set("HOOP_APIURL", "http://127.0.0.1:9");
    refused(&workspace, "\"lab\"", "", &["The gateway cannot be reached", "HOOP_APIURL"]);
    workspace.set("HOOP_APIURL", "");
    refused(&workspace, "\"lab\"", "", &["The gateway is not configured", "HOOP_APIURL"]);

    // What only the apply knows is looked at there, before anything else.
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.write("main.tf", &call_by(&rig, "terraform_data.agent.output", ""));
    workspace.plan().changes();
    let said = workspace.apply_planned().error();
    assert!(said.contains(nowhere), "{said}");

    assert_eq!(gateway.writes(), Vec::<String>::new());
    assert!(Login::master(database).run(&rig, "SELECT 1").is_ok(), "the master password is the old one");
    assert!(secret_of(&rig, database, &database.master_username).is_none(), "no secret was made");
    assert_eq!(crate::fixture::our_roles(database), Vec::<Vec<String>>::new());
}

/// The secret of the administrator comes into being in the same apply, so that no plan knows it.
const LATER: &str = r#"
resource "terraform_data" "admin" {
  input = "SECRET"
}

module "ledger" {
  source     = "./aws-connect"
  target_arn = "ARN"
  agent_name = "lab"
  defaults   = { rotate_after = "30d", notification = { command = ["false"] } }
  overrides = {
    master_method    = "existing"
    admin_secret_ref = terraform_data.admin.output
    databases        = ["other", "shop"]
    database         = "shop"
    levels           = { read_write = null, ddl = null }
    unset            = ["rotate_after", "notification"]
  }
}

output "it" {
  value = module.ledger
}
"#;

#[test]
fn an_administrator_of_the_same_apply_makes_the_roles_and_sessions_begin_where_it_is_said() {
    let (rig, gateway) = (rig("mariadb"), FakeGateway::start());
    let database = rig.database(0);
    let workspace = with_gateway(&rig, &gateway);
    copy(&workspace, "modules/aws-connect", "aws-connect");
    let text = LATER.replace("SECRET", &master_secret(&rig, database)).replace("ARN", &database.arn);
    workspace.write("main.tf", &(blocks::provider(&rig, "") + &text));
    workspace.init().ok();
    workspace.apply().ok();
    workspace.plan().nothing();

    let it = workspace.output("it");
    assert_eq!((&it["master_secret_ref"], &it["notification"]), (&Value::Null, &Value::Null));
    let role = &it["roles"]["read_only"];
    assert_eq!((&role["default_database"], &role["auth"]), (&json!("other"), &json!("password")));
    boundary(&rig, database, role, "shop", "third");
    assert!(Login::master(database).run(&rig, "SELECT 1").is_ok(), "the master password is left alone");
    let opens = gateway.stored("ledger-ro")["secret"]["envvar:DB"].clone();
    assert_eq!(opens, json!(STANDARD.encode("shop")), "not the first of the names");

    // Somebody deletes the agent: nothing is changed any more, and everything can still be destroyed.
    gateway.remove_agent("lab");
    let said = workspace.plan_run().error();
    assert!(said.contains("has no agent `lab`. Its agents: spare."), "{said}");
    workspace.destroy().ok();
    assert!(gateway.stored("ledger-ro").is_null());
    assert_eq!(crate::fixture::our_roles(database), Vec::<Vec<String>>::new());
}
