//! Accounts that are suspended, closing or closed, or that have left the organization: what becomes of the objects in them.

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{distrust, fill, has_role, secret_of, trust};
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::{Database, Rig};
use crate::sql::as_owner;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Run, Workspace};

const BOTH: [&str; 2] = ["going", "staying"];

/// Two databases in two accounts; the account of the first one goes.
fn rig() -> Rig {
    let going = DatabaseWish::instance("payments-eu", "us-east-1", "ledger", "postgres").holding(&["shop"]);
    let staying = DatabaseWish::instance("orders-eu", "us-east-1", "stock", "postgres").holding(&["shop"]);
    let rig = Rig::start(&Wish::organization().with(going).with(staying));
    for number in [0, 1] {
        fill(rig.database(number), &["shop"]);
    }
    rig
}

/// A group, a master credential, a role with its secret beside it and one with its secret in a central account, and for
/// each database a connection by reference and one with a copied password.
fn configuration(rig: &Rig, databases: &[&str], more: &str) -> String {
    let arn = |name: &str| &rig.database(usize::from(name == "staying")).arn;
    let targets: String = databases.iter().map(|name| format!("    {name} = {:?}\n", arn(name))).collect();
    format!(
        r#"{provider}
locals {{
  targets = {{
{targets}  }}
}}

resource "rdsaccess_security_group" "it" {{
  for_each   = local.targets
  target_arn = each.value
  ingress    = [{{ cidr_ipv4 = "10.20.0.0/16" }}]
}}

resource "rdsaccess_master_credential" "it" {{
  for_each   = local.targets
  target_arn = each.value
  rotation   = {{ after = each.key == "going" ? "1s" : "365d" }}
}}

resource "rdsaccess_role" "beside" {{
  for_each         = local.targets
  target_arn       = each.value
  access           = "read_only"
  admin            = {{ secret_ref = rdsaccess_master_credential.it[each.key].secret_ref }}
  {more}
}}

resource "rdsaccess_role" "central" {{
  for_each   = local.targets
  target_arn = each.value
  access     = "read_write"
  store      = {{ secrets_manager = {{ account_id = "{central}", region = "us-east-1" }} }}
  admin      = {{ secret_ref = rdsaccess_master_credential.it[each.key].secret_ref }}
}}

resource "rdsaccess_connection" "beside" {{
  for_each        = local.targets
  name            = "${{each.key}}-ro"
  target_arn      = each.value
  role            = rdsaccess_role.beside[each.key]
  secret_delivery = "copy"
  agent_name      = "lab"
}}

resource "rdsaccess_connection" "central" {{
  for_each   = local.targets
  name       = "${{each.key}}-rw"
  target_arn = each.value
  role       = rdsaccess_role.central[each.key]
  agent_name = "lab"
}}
"#,
        provider = blocks::provider(rig, ""),
        central = rig.account_id("shared-services"),
    )
}

fn workspace<'a>(rig: &'a Rig, gateway: &FakeGateway) -> Workspace<'a> {
    let mut workspace = Workspace::new(rig);
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace.write("main.tf", &configuration(rig, &BOTH, ""));
    workspace.init().ok();
    workspace
}

fn set_status(rig: &Rig, database: &Database, status: &str) {
    rig.control("POST", "accounts", &json!({ "id": database.account_id, "status": status }));
}

/// The output without Terraform's boxes and line breaks.
fn flat(text: &str) -> String {
    text.split_whitespace().filter(|word| !["│", "╷", "╵"].contains(word)).collect::<Vec<_>>().join(" ")
}

fn contains_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

/// The calls that were made inside an account.
fn calls_inside(rig: &Rig, database: &Database) -> Vec<Value> {
    let log = rig.control("GET", "log", &Value::Null);
    let all = log.as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|call| call["account"] == database.account_id.as_str()).collect()
}

/// How many resources the state holds whose address contains a text.
fn count(workspace: &Workspace<'_>, part: &str) -> usize {
    let state = workspace.state();
    let all = state["values"]["root_module"]["resources"].as_array().cloned().unwrap_or_default();
    all.iter().filter(|resource| resource["address"].as_str().is_some_and(|address| address.contains(part))).count()
}

/// The secret of a role in the central account, by `describe_secret`.
fn central_secret(rig: &Rig, database: &Database, user: &str) -> Value {
    let Database { account_id, region, identifier, .. } = database;
    let id = json!({ "SecretId": format!("rdsaccess/{account_id}/{region}/db/{identifier}/{user}") });
    rig.aws(Some("shared-services"), "us-east-1", "secretsmanager", "describe_secret", &id).expect("it was there")
}

fn kept(run: &Run, account: &str, state: &str) {
    let said = flat(&run.stdout);
    let is = format!("the account is {state} in AWS Organizations");
    contains_all(
        &said,
        &["Warning: The account is suspended or closed", account, &is, "its objects stay in the state"],
    );
    only_about_the_account(&said);
}

fn refresh(workspace: &Workspace<'_>) -> Run {
    workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false", "-no-color"]).ok()
}

/// Once for the account, not for each of its objects. The client itself warns of the provider under development.
fn only_about_the_account(said: &str) {
    let ours = said.matches("Warning: ").count() - said.matches("Warning: Provider development overrides").count();
    assert_eq!(ours, 1, "{said}");
    assert!(!said.contains("more similar warning"), "{said}");
}

#[test]
fn a_refresh_keeps_what_is_in_a_suspended_account_and_a_destroy_lets_it_go() {
    let (rig, gateway) = (rig(), FakeGateway::start());
    let (going, staying) = (rig.database(0), rig.database(1));
    let workspace = workspace(&rig, &gateway);
    workspace.apply().ok();
    // What was wrong before cannot be repaired any more.
    as_owner(going, "postgres", "ALTER ROLE hoop_ro NOLOGIN");
    refresh(&workspace);
    let drift = flat(&workspace.run(&["plan", "-refresh=false", "-input=false", "-no-color"]).ok().stdout);
    contains_all(&drift, &["rdsaccess_role.beside[\"going\"] will be updated in-place", "to change"]);
    let before = workspace.state()["values"]["root_module"]["resources"].clone();
    let of_going = |resources: &Value| -> Vec<Value> {
        let all = resources.as_array().expect("resources").iter();
        all.filter(|resource| resource["index"] == "going").map(|resource| resource["values"].clone()).collect()
    };

    for status in ["PENDING_CLOSURE", "CLOSED", "SUSPENDED"] {
        set_status(&rig, going, status);
        rig.control("DELETE", "log", &Value::Null);
        kept(&workspace.plan().nothing(), &going.account_id, status);
        assert_eq!(rig.calls("DescribeAccount").len(), 1, "Organizations is asked once for the account");
        assert_eq!(calls_inside(&rig, going), Vec::<Value>::new());
    }
    kept(&refresh(&workspace), &going.account_id, "SUSPENDED");
    let after = workspace.state()["values"]["root_module"]["resources"].clone();
    assert_eq!(of_going(&after), of_going(&before), "all of it is kept as it was");

    workspace.write("main.tf", &configuration(&rig, &BOTH, "connection_limit = each.key == \"going\" ? 5 : null"));
    let refused = workspace.apply().error();
    contains_all(&refused, &["The account is suspended or closed", &going.account_id, "nothing in it can be changed"]);
    let one_more = format!(
        "resource \"rdsaccess_security_group\" \"more\" {{\n  target_arn = {:?}\n  name = \"more\"\n}}\n",
        going.arn
    );
    workspace.write("main.tf", &(configuration(&rig, &BOTH, "") + &one_more));
    contains_all(&workspace.plan_run().error(), &["The account is suspended or closed", &going.account_id]);

    rig.control("DELETE", "log", &Value::Null);
    workspace.write("main.tf", &configuration(&rig, &["staying"], ""));
    let run = workspace.apply().ok();
    let said = flat(&run.stdout);
    contains_all(&said, &["6 destroyed", "Left to go with its account", "can be imported"]);
    assert_eq!((count(&workspace, "\"going\""), count(&workspace, "\"staying\"")), (0, 6));
    assert_eq!(calls_inside(&rig, going), Vec::<Value>::new(), "nothing was asked inside the account");
    for name in ["going-ro", "going-rw"] {
        assert!(gateway.stored(name).is_null(), "{name} was in the gateway, which is still there");
    }
    assert!(central_secret(&rig, going, "hoop_rw").get("DeletedDate").is_some(), "it was in an account that stays");

    set_status(&rig, going, "ACTIVE");
    assert!(secret_of(&rig, going, "hoop_ro").expect("it stays").get("DeletedDate").is_none());
    assert!(secret_of(&rig, going, &going.master_username).expect("it stays").get("DeletedDate").is_none());
    assert!(has_role(going, "hoop_ro") && has_role(going, "hoop_rw"));
    for name in ["staying-ro", "staying-rw"] {
        assert!(!gateway.stored(name).is_null(), "{name} is of another account");
    }
    assert!(has_role(staying, "hoop_ro") && has_role(staying, "hoop_rw"));
    assert!(central_secret(&rig, staying, "hoop_rw").get("DeletedDate").is_none());
}

#[test]
fn a_hub_that_only_lost_the_way_loses_nothing() {
    let (rig, gateway) = (rig(), FakeGateway::start());
    let going = rig.database(0);
    let workspace = workspace(&rig, &gateway);
    workspace.apply().ok();
    rig.control("POST", "deny", &json!({ "actions": ["sts:AssumeRole"], "account": going.account_id }));

    contains_all(&workspace.plan_run().error(), &["Cannot enter the account", "identity-based policy"]);
    let destroy = ["destroy", "-refresh=false", "-auto-approve", "-input=false", "-no-color"];
    let targets = [
        "-target=rdsaccess_security_group.it[\"going\"]",
        "-target=rdsaccess_role.beside[\"going\"]",
        "-target=rdsaccess_role.central[\"going\"]",
        "-target=rdsaccess_master_credential.it[\"going\"]",
    ];
    let refused = workspace.run(&[&destroy[..], &targets[..]].concat()).error();
    contains_all(&refused, &["Cannot enter the account", &going.account_id]);
    // The connections stand in the gateway, which can be reached.
    assert_eq!(count(&workspace, "\"going\""), 4, "group, roles and master credential stay in the state");
    assert!(has_role(going, "hoop_ro") && has_role(going, "hoop_rw"));
    assert!(central_secret(&rig, going, "hoop_rw").get("DeletedDate").is_none());

    // Suspended, and Organizations may not be asked: nothing is known, so nothing changes.
    rig.control("DELETE", "deny", &Value::Null);
    set_status(&rig, going, "SUSPENDED");
    rig.control("POST", "deny", &json!({ "actions": ["organizations:DescribeAccount"] }));
    rig.control("DELETE", "log", &Value::Null);
    let refused = workspace.run(&[&destroy[..], &targets[..]].concat()).error();
    contains_all(&refused, &["Cannot enter the account", "does not tell the possible causes apart"]);
    assert!(!refused.contains("suspended or closed"), "{refused}");
    assert_eq!(count(&workspace, "\"going\""), 4);
    set_status(&rig, going, "ACTIVE");
    rig.control("DELETE", "deny", &Value::Null);
    assert!(secret_of(&rig, going, "hoop_ro").expect("it stays").get("DeletedDate").is_none());
}

#[test]
fn an_account_that_left_the_organization_keeps_its_databases() {
    let (rig, gateway) = (rig(), FakeGateway::start());
    let going = rig.database(0);
    let workspace = workspace(&rig, &gateway);
    workspace.apply().ok();
    distrust(&rig, &going.account);
    let removed = json!({ "AccountId": going.account_id });
    rig.aws(None, "us-east-1", "organizations", "remove_account_from_organization", &removed).expect("it leaves");

    let run = workspace.run(&["plan", "-refresh-only", "-input=false", "-no-color"]).ok();
    let said = flat(&run.stdout);
    contains_all(
        &said,
        &[
            "Warning: Cannot enter the account",
            "Organizations knows no such account",
            &going.account_id,
            "a destroy is refused",
        ],
    );
    only_about_the_account(&said);
    workspace.write("main.tf", &configuration(&rig, &["staying"], ""));
    let refused = workspace.apply().error();
    contains_all(
        &refused,
        &[
            "Cannot enter the account",
            "Organizations knows no such account",
            &going.account_id,
            "removed { from",
            "terraform state rm",
        ],
    );
    assert!(count(&workspace, "\"going\"") >= 4, "group, roles and master credential stay in the state");

    trust(&rig, &going.account, &format!("arn:aws:iam::{}:root", rig.made.organization.management_account));
    assert!(has_role(going, "hoop_ro") && has_role(going, "hoop_rw"));
    assert!(central_secret(&rig, going, "hoop_rw").get("DeletedDate").is_none());
    workspace.apply().ok();
    assert!(!has_role(going, "hoop_ro") && !has_role(going, "hoop_rw"), "and go with a hub that may enter again");
}
