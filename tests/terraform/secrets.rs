//! No secret is anywhere but in the secret store: the whole provider at TRACE, from create to destroy.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::blocks;
use crate::fixture::{fill, is_postgres, login, master_secret, password};
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::{Database, Rig};
use crate::sql::as_owner;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

/// What only the store may know.
const MASTERS: [&str; 2] = ["Master-0f-Ledger", "Master-0f-Stock"];

fn rig() -> Rig {
    let ledger = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres");
    let stock = DatabaseWish::instance("orders-eu", "eu-west-1", "stock", "mariadb");
    let [ledger, stock] = [(ledger, MASTERS[0]), (stock, MASTERS[1])]
        .map(|(wish, master)| wish.holding(&["shop"]).master_password(master));
    Rig::start(&Wish::organization().with(ledger).with(stock))
}

/// A group, a role and a connection for every database.
fn configuration(rig: &Rig, admins: &[String], round: u8) -> String {
    let admins = rig
        .made
        .databases
        .iter()
        .zip(admins)
        .map(|(database, admin)| format!("    \"{}\" = \"{admin}\"\n", database.arn));
    format!(
        r#"{provider}
locals {{
  admins = {{
{admins}  }}
}}

resource "rdsaccess_security_group" "it" {{
  for_each   = local.admins
  target_arn = each.key
  ingress    = [{{ cidr_ipv4 = "10.20.0.0/16" }}]
}}

resource "rdsaccess_role" "it" {{
  for_each   = local.admins
  target_arn = each.key
  access     = "read_only"
  admin      = {{ secret_ref = each.value }}
  rotation   = {{ after = "30d", strategy = "two_users", keepers = {{ round = "{round}" }} }}
}}

resource "rdsaccess_connection" "it" {{
  for_each   = local.admins
  name       = provider::rdsaccess::connection_name("read_only", provider::rdsaccess::arn_parse(each.key).identifier)
  target_arn = each.key
  role       = rdsaccess_role.it[each.key]
  agent_name = "lab"
}}
"#,
        provider = blocks::provider(rig, ""),
        admins = admins.collect::<String>(),
    )
}

/// The state of the role on a database.
fn role(workspace: &Workspace<'_>, database: &Database) -> Value {
    workspace.resource(&format!("rdsaccess_role.it[\"{}\"]", database.arn)).expect("the role is in the state")
}

fn passwords(rig: &Rig, workspace: &Workspace<'_>) -> Vec<String> {
    let one = |database| password(rig, database, role(workspace, database)["secret_ref"].as_str().unwrap());
    rig.made.databases.iter().map(one).collect()
}

/// The plan is kept in its file first, and shown, as a review in CI does.
fn plan_and_apply(workspace: &Workspace<'_>) {
    workspace.plan().changes();
    workspace.planned();
    workspace.apply_planned().ok();
}

#[test]
fn no_secret_leaves_the_store() {
    let (rig, gateway) = (rig(), FakeGateway::start());
    for database in &rig.made.databases {
        fill(database, &["shop"]);
    }
    let mut workspace = Workspace::new(&rig);
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.set("HOOP_APIKEY", ADMIN);
    let admins: Vec<String> = rig.made.databases.iter().map(|database| master_secret(&rig, database)).collect();
    workspace.write("main.tf", &configuration(&rig, &admins, 1));

    plan_and_apply(&workspace);
    workspace.plan().nothing();
    let mut secrets = passwords(&rig, &workspace);

    for database in &rig.made.databases {
        let postgres = is_postgres(database);
        let change = if postgres { "PASSWORD" } else { "IDENTIFIED BY" };
        let user = if postgres { "ROLE" } else { "USER" };
        as_owner(database, "shop", &format!("ALTER {user} hoop_ro {change} 'changed-by-hand-1'"));
    }
    plan_and_apply(&workspace);
    workspace.plan().nothing();
    let renewed = passwords(&rig, &workspace);
    assert!(renewed.iter().all(|new| !secrets.contains(new)), "the drift was repaired by new passwords");
    secrets.extend(renewed);
    for database in &rig.made.databases {
        let reader = login(&rig, database, &role(&workspace, database)).database("shop");
        assert_eq!(reader.run(&rig, "SELECT note FROM orders").unwrap(), [["first"]]);
    }
    workspace.write("main.tf", &configuration(&rig, &admins, 2));
    plan_and_apply(&workspace);
    workspace.plan().nothing();
    let rotated = passwords(&rig, &workspace);
    assert!(rotated.iter().all(|new| !secrets.contains(new)), "the second logins have passwords of their own");
    secrets.extend(rotated);
    let connections = ["ledger-ro", "stock-ro"].map(|name| gateway.stored(name));
    workspace.destroy().ok();

    assert_eq!(secrets.len(), 6);
    secrets.extend(MASTERS.map(str::to_owned));
    let mut texts: Vec<&str> = secrets.iter().map(String::as_str).collect();
    for database in &rig.made.databases {
        let log = fs::read(database.log.as_ref().expect("the server has a log")).expect("the log is read");
        let log = String::from_utf8_lossy(&log);
        assert!(log.contains("hoop_ro"), "the server of {} logs statements", database.identifier);
        let shown = texts.iter().filter(|text| log.contains(**text)).count();
        assert_eq!(shown, 0, "{shown} secrets are in the log of {}", database.identifier);
    }
    connections.iter().for_each(|stored| holds_references_only(stored, &texts));
    texts.push(ADMIN);
    assert_eq!(workspace.leaks(&texts), []);
    let trace = workspace.trace();
    assert!(trace.contains("rdsaccess_role.it") && trace.contains("[TRACE]"), "the log is the one of this run");
}

/// The values of a stored connection are base64 texts: looked at decoded.
fn holds_references_only(stored: &Value, secrets: &[&str]) {
    let values = stored["secret"].as_object().expect("a connection with variables");
    let decode = |value: &Value| STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
    let variables: Vec<(String, String)> =
        values.iter().map(|(name, value)| (name.clone(), String::from_utf8(decode(value)).expect("text"))).collect();
    let pass = variables.iter().find(|(name, _)| name == "envvar:PASS").expect("a password is referred to");
    assert!(pass.1.starts_with("_aws:rdsaccess/") && pass.1.ends_with("/hoop_ro:password"), "{}", pass.1);
    for secret in secrets {
        assert!(!stored.to_string().contains(secret) && variables.iter().all(|(_, text)| !text.contains(secret)));
    }
}
