//! Many roles on many servers in one apply, beside each other.

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, login, master_secret, our_roles};
use crate::rig::{Database, Rig};
use crate::sql::as_owner;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Run, Workspace};

const LEVELS: [&str; 3] = ["read_only", "read_write", "ddl"];
/// Its account is the one that is denied.
const DENIED: usize = 3;

fn rig() -> Rig {
    let wishes = [
        DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres"),
        DatabaseWish::instance("payments-prod", "us-east-1", "stock", "mariadb"),
        DatabaseWish::instance("payments-eu", "eu-west-1", "orders", "postgres"),
        DatabaseWish::instance("orders-eu", "eu-west-1", "carts", "mariadb"),
    ];
    let rig = Rig::start(&wishes.into_iter().fold(Wish::organization(), |all, one| all.with(one.holding(&["shop"]))));
    rig.made.databases.iter().for_each(|database| fill(database, &["shop"]));
    rig
}

/// Three roles and a group for every database.
fn configuration(rig: &Rig) -> String {
    let mut admins = String::new();
    for database in &rig.made.databases {
        admins += &format!("    \"{}\" = \"{}\"\n", database.arn, master_secret(rig, database));
    }
    format!(
        r#"{provider}
locals {{
  admins = {{
{admins}  }}
  roles = {{ for pair in setproduct(keys(local.admins), {LEVELS:?}) : "${{pair[0]}} ${{pair[1]}}" => pair }}
}}

resource "rdsaccess_security_group" "it" {{
  for_each   = local.admins
  target_arn = each.key
  ingress    = [{{ cidr_ipv4 = "10.20.0.0/16" }}]
}}

resource "rdsaccess_role" "it" {{
  for_each   = local.roles
  target_arn = each.value[0]
  access     = each.value[1]
  admin      = {{ secret_ref = local.admins[each.value[0]] }}
}}
"#,
        provider = blocks::provider(rig, ""),
    )
}

fn apply(workspace: &Workspace<'_>) -> Run {
    workspace.run(&["apply", "-input=false", "-no-color", "-auto-approve", "-parallelism=20"])
}

/// The values of all roles and groups in the state, by address.
fn resources(workspace: &Workspace<'_>) -> Vec<(String, Value)> {
    let state = workspace.state();
    let all = state["values"]["root_module"]["resources"].as_array().cloned().unwrap_or_default();
    all.into_iter().map(|one| (one["address"].as_str().unwrap().to_owned(), one["values"].clone())).collect()
}

fn try_roles(rig: &Rig, database: &Database, resources: &[(String, Value)]) {
    for (level, insert, create) in [("read_only", false, false), ("read_write", true, false), ("ddl", true, true)] {
        let address = format!("rdsaccess_role.it[\"{} {level}\"]", database.arn);
        let (_, state) = resources.iter().find(|(found, _)| *found == address).expect("the role is in the state");
        let login = login(rig, database, state).database("shop");
        let may = |sql: &str| login.run(rig, sql).is_ok();
        let id = if level == "ddl" { 3 } else { 2 };
        assert!(may("SELECT note FROM orders"), "{address}");
        assert_eq!(may(&format!("INSERT INTO orders VALUES ({id}, 'x')")), insert, "{address}");
        assert_eq!(may("CREATE TABLE made_by_ddl (id int)"), create, "{address}");
    }
}

#[test]
fn three_levels_on_four_servers_are_made_beside_each_other() {
    let rig = rig();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig));
    apply(&workspace).ok();
    workspace.plan().nothing();
    let resources = resources(&workspace);
    assert_eq!(resources.len(), 16);
    rig.made.databases.iter().for_each(|database| try_roles(&rig, database, &resources));
    // The table of the `ddl` role is covered for the others at once.
    workspace.plan().nothing();
    for database in &rig.made.databases {
        as_owner(database, "shop", "DROP TABLE made_by_ddl");
    }
    workspace.run(&["destroy", "-input=false", "-no-color", "-auto-approve", "-parallelism=20"]).ok();
    for database in &rig.made.databases {
        assert_eq!(our_roles(database), Vec::<Vec<String>>::new(), "{}", database.identifier);
    }
}

/// Closes the account of a database to the provider.
fn deny(rig: &Rig, database: &Database) {
    rig.control("POST", "deny", &json!({ "actions": ["sts:AssumeRole"], "account": database.account_id }));
}

fn allow(rig: &Rig) {
    rig.control("DELETE", "deny", &Value::Null);
}

/// A plan in a denied account says so and changes nothing; an account that is closed after the plan fails alone.
#[test]
fn a_denied_account_fails_its_own_objects_only() {
    let rig = rig();
    let denied = rig.database(DENIED);
    let others = || rig.made.databases.iter().take(DENIED);
    let workspace = Workspace::new(&rig);
    let text = configuration(&rig);
    workspace.write("main.tf", &text);
    deny(&rig, denied);
    let said = apply(&workspace).error();
    assert!(said.contains(&denied.account_id) && said.contains("sts:AssumeRole"), "{said}");
    assert_eq!(resources(&workspace), [], "without a plan nothing is made");

    allow(&rig);
    workspace.plan().changes();
    deny(&rig, denied);
    let run = workspace.run(&["apply", "-input=false", "-no-color", "-parallelism=20", "plan.bin"]);
    let said = run.error();
    assert_eq!(run.stderr.matches("Error: ").count(), 4, "one error for each role and the group: {said}");
    assert!(said.matches(&denied.account_id).count() >= 4 && said.contains("sts:AssumeRole"), "{said}");
    let made = resources(&workspace);
    assert_eq!(made.len(), 12, "the other three databases are done");
    assert!(made.iter().all(|(address, _)| !address.contains(&denied.arn)));
    others().for_each(|database| try_roles(&rig, database, &made));
    others().for_each(|database| drop(as_owner(database, "shop", "DROP TABLE made_by_ddl")));
    assert_eq!(our_roles(denied), Vec::<Vec<String>>::new());

    allow(&rig);
    apply(&workspace).ok();
    workspace.plan().nothing();
    assert_eq!(resources(&workspace).len(), 16);
    deny(&rig, denied);
    let failed = workspace.plan_run();
    assert_eq!(failed.stderr.matches("Error: ").count(), 4, "{}", failed.error());
    let keep = "on_unreachable = \"keep\"\n  member_role";
    workspace.write("main.tf", &text.replacen("member_role", keep, 1));
    let kept = workspace.plan().nothing();
    assert!(kept.stdout.contains("Warning: ") && kept.stdout.contains(&denied.account_id), "{}", kept.stdout);
}
