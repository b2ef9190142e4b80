//! No secret is anywhere but in the secret store: the whole provider at TRACE, from create to destroy.

use std::collections::BTreeSet;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, is_postgres, login, master_secret, password};
use crate::gateway::{ADMIN, FakeGateway};
use crate::leaks::{self, Leak, Trace};
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

/// A group, a master credential, a role, a connection and the ephemeral values for every database.
fn configuration(rig: &Rig, round: u8) -> String {
    let arns: Vec<String> = rig.made.databases.iter().map(|database| format!("\"{}\"", database.arn)).collect();
    format!(
        r#"{provider}
locals {{
  arns = toset([{arns}])
}}

resource "rdsaccess_security_group" "it" {{
  for_each   = local.arns
  target_arn = each.key
  ingress    = [{{ cidr_ipv4 = "10.20.0.0/16" }}]
}}

resource "rdsaccess_master_credential" "it" {{
  for_each   = local.arns
  target_arn = each.key
  rotation   = {{ keepers = {{ round = "{round}" }} }}
}}

resource "rdsaccess_role" "it" {{
  for_each   = local.arns
  target_arn = each.key
  access     = "read_only"
  admin      = {{ secret_ref = rdsaccess_master_credential.it[each.key].secret_ref }}
  rotation   = {{ after = "30d", strategy = "two_users", keepers = {{ round = "{round}" }} }}
}}

resource "rdsaccess_connection" "it" {{
  for_each   = local.arns
  name       = provider::rdsaccess::connection_name("read_only", provider::rdsaccess::arn_parse(each.key).identifier)
  target_arn = each.key
  role       = rdsaccess_role.it[each.key]
  agent_name = "lab"
}}

ephemeral "rdsaccess_secret" "it" {{
  for_each   = merge(
    {{ for arn, role in rdsaccess_role.it : "role of ${{arn}}" => role.secret_ref }},
    {{ for arn, master in rdsaccess_master_credential.it : "master of ${{arn}}" => master.secret_ref }},
  )
  secret_ref = each.value
}}

ephemeral "rdsaccess_iam_token" "it" {{
  for_each = rdsaccess_role.it
  host     = each.value.endpoint
  port     = each.value.port
  username = each.value.username
}}
"#,
        provider = blocks::provider(rig, ""),
        arns = arns.join(", "),
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

/// Every password in the stores beside the databases: current, previous and pending.
fn all_stored(rig: &Rig) -> BTreeSet<String> {
    rig.made.databases.iter().flat_map(|database| stored(rig, database)).collect()
}

fn stored(rig: &Rig, database: &Database) -> BTreeSet<String> {
    let ask = |operation: &str, params: Value| rig.aws_of(database, "secretsmanager", operation, &params).unwrap();
    let secrets = ask("list_secrets", json!({"IncludePlannedDeletion": true}));
    let mut found = BTreeSet::new();
    for secret in secrets["SecretList"].as_array().unwrap() {
        if !secret["DeletedDate"].is_null() {
            continue;
        }
        let versions = ask("list_secret_version_ids", json!({"SecretId": secret["ARN"], "IncludeDeprecated": true}));
        for version in versions["Versions"].as_array().unwrap() {
            let value = ask("get_secret_value", json!({"SecretId": secret["ARN"], "VersionId": version["VersionId"]}));
            let value: Value = serde_json::from_str(value["SecretString"].as_str().unwrap()).unwrap();
            found.insert(value["password"].as_str().unwrap().to_owned());
        }
    }
    found
}

/// The keys of AWS: of the hub, and of every session that was handed out.
fn keys(rig: &Rig) -> Vec<String> {
    let sessions = rig.control("GET", "sessions", &Value::Null);
    let both = |session: &Value| ["secret_key", "session_token"].map(|name| session[name].as_str().unwrap().to_owned());
    let of_sessions = sessions.as_array().unwrap().iter().flat_map(both);
    of_sessions.chain([rig.made.secret_key.clone()]).collect()
}

/// What the servers of the databases logged of the statements that they were sent.
fn server_logs(rig: &Rig) -> Vec<Trace> {
    let log = |database: &Database| {
        let bytes = fs::read(database.log.as_ref().expect("the server has a log")).expect("the log is read");
        (format!("log of {}", database.identifier), bytes)
    };
    rig.made.databases.iter().map(log).collect()
}

/// Everything that this run left.
fn everything(rig: &Rig, workspace: &Workspace<'_>, gateway: &FakeGateway) -> Vec<Trace> {
    let requests = ("requests to the gateway".to_owned(), gateway.requests().into_bytes());
    [workspace.traces(), server_logs(rig), vec![requests]].concat()
}

fn leaks_of<S: AsRef<str>>(traces: &[Trace], secrets: impl IntoIterator<Item = S>) -> Vec<Leak> {
    let secrets: Vec<S> = secrets.into_iter().collect();
    leaks::find(traces, &secrets.iter().map(S::as_ref).collect::<Vec<_>>())
}

/// A directory that finds the gateway, and whose provider and clients log as much as they can.
fn workspace<'a>(rig: &'a Rig, gateway: &FakeGateway) -> Workspace<'a> {
    let mut workspace = Workspace::new(rig);
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.set("HOOP_APIKEY", ADMIN);
    for variable in ["TF_LOG_PROVIDER", "TF_LOG_PROVIDER_RDSACCESS", "RUST_LOG"] {
        workspace.set(variable, "trace");
    }
    workspace.set("RUST_BACKTRACE", "full");
    workspace
}

/// The plan is kept in its file first, and shown, as a review in CI does.
fn plan_and_apply(workspace: &Workspace<'_>) {
    workspace.plan().changes();
    workspace.apply_planned().ok();
    workspace.state();
}

#[test]
fn no_secret_leaves_the_store() {
    let (rig, gateway) = (rig(), FakeGateway::start());
    for database in &rig.made.databases {
        fill(database, &["shop"]);
    }
    let workspace = workspace(&rig, &gateway);
    workspace.write("main.tf", &configuration(&rig, 1));

    plan_and_apply(&workspace);
    workspace.plan().nothing();
    let first = passwords(&rig, &workspace);
    let mut secrets = all_stored(&rig);
    for database in &rig.made.databases {
        let postgres = is_postgres(database);
        let change = if postgres { "PASSWORD" } else { "IDENTIFIED BY" };
        let user = if postgres { "ROLE" } else { "USER" };
        as_owner(database, "shop", &format!("ALTER {user} hoop_ro {change} 'changed-by-hand-1'"));
    }
    plan_and_apply(&workspace);
    workspace.plan().nothing();
    let renewed = passwords(&rig, &workspace);
    secrets.extend(all_stored(&rig));
    assert!(renewed.iter().all(|new| !first.contains(new)), "the drift was repaired by new passwords");
    for database in &rig.made.databases {
        let reader = login(&rig, database, &role(&workspace, database)).database("shop");
        assert_eq!(reader.run(&rig, "SELECT note FROM orders").unwrap(), [["first"]]);
    }
    workspace.write("main.tf", &configuration(&rig, 2));
    plan_and_apply(&workspace);
    workspace.plan().nothing();
    secrets.extend(all_stored(&rig));
    assert!(secrets.len() >= 10, "two masters and two roles, before and after: {}", secrets.len());
    assert!(first.iter().chain(&renewed).all(|password| secrets.contains(password)));
    let connections = ["ledger-ro", "stock-ro"].map(|name| gateway.stored(name));
    workspace.destroy().ok();

    let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain(MASTERS).collect();
    connections.iter().for_each(|stored| holds_references_only(stored, &secrets));
    let (traces, keys) = (everything(&rig, &workspace, &gateway), keys(&rig));
    assert!(keys.len() > 4, "sessions were handed out");
    assert_eq!(leaks_of(&traces, &secrets), []);
    assert_eq!(leaks_of(&traces, &keys), []);
    assert_eq!(leaks_of(&workspace.traces(), [ADMIN]), [], "the gateway itself is shown its token");
    // The parts of a token that no configuration names.
    assert_eq!(leaks_of(&workspace.traces(), ["X-Amz-Signature", "X-Amz-Credential"]), []);
    looks_at_this_run(&traces);
}

/// A scan of nothing would find nothing.
fn looks_at_this_run(traces: &[Trace]) {
    let holds = |place: &str, words: &str| {
        let found = traces.iter().filter(|(name, _)| name == place || name.ends_with(place));
        assert!(found.clone().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(words)), "{words} in {place}");
    };
    holds("trace.log", "[TRACE]");
    holds("trace.log", "provider.terraform-provider-rdsaccess");
    holds("terraform.tfstate.backup", "secret_ref");
    holds("plan.bin, unpacked", "rdsaccess_role");
    holds("-show", "secret_version");
    holds("-apply", "ephemeral.rdsaccess_secret.it[\"role of ");
    holds("-apply", "ephemeral.rdsaccess_iam_token.it[");
    holds("log of ledger", "hoop_ro");
    holds("log of stock", "hoop_ro");
    holds("requests to the gateway", "ledger-ro");
}

/// One role whose statements a server refuses after its password was made and stored.
fn refused_by_the_server(rig: &Rig, number: usize, refuse: &str) {
    let (database, gateway) = (rig.database(number), FakeGateway::start());
    let workspace = workspace(rig, &gateway);
    let text = format!(
        "{}\nresource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{}\"\n  access = \"read_only\"\n  admin = {{ \
         secret_ref = \"{}\" }}\n}}\n",
        blocks::provider(rig, ""),
        database.arn,
        master_secret(rig, database),
    );
    workspace.write("main.tf", &text);
    workspace.plan().changes();
    as_owner(database, "shop", refuse);
    let said = workspace.apply_planned().error();
    assert!(said.contains(&database.arn), "{said}");
    let secrets = stored(rig, database);
    assert_eq!(secrets.len(), 2, "the password of the role was stored before the statement failed: {said}");
    workspace.plan().changes();
    let traces = everything(rig, &workspace, &gateway);
    assert_eq!(leaks_of(&traces, &secrets), []);
    assert_eq!(leaks_of(&traces, keys(rig)), []);
}

#[test]
fn a_statement_that_fails_tells_no_password() {
    let rig = rig();
    refused_by_the_server(&rig, 0, "ALTER ROLE admin1 NOCREATEROLE");
    refused_by_the_server(&rig, 1, "SET GLOBAL read_only = 1");
}

#[test]
fn a_store_and_a_gateway_that_fail_late_tell_no_password() {
    let (rig, gateway) = (rig(), FakeGateway::start());
    let workspace = workspace(&rig, &gateway);
    let copied = "agent_name = \"lab\"\n  secret_delivery = \"copy\"";
    workspace.write("main.tf", &configuration(&rig, 1).replace("agent_name = \"lab\"", copied));
    let late = json!({
        "service": "secretsmanager", "action": "UpdateSecretVersionStage", "times": -1, "code": "AccessDeniedException",
        "status": 400,
    });
    rig.control("POST", "faults", &late);
    assert!(workspace.apply().error().contains("UpdateSecretVersionStage"));
    rig.control("DELETE", "faults", &Value::Null);
    gateway.fault(&json!({"method": "POST", "path": "/api/connections", "n": 99, "status": 422}));
    assert!(workspace.apply().error().contains("fault of the rig"));
    let secrets = all_stored(&rig);
    assert!(secrets.len() >= 4, "masters and roles have passwords: {}", secrets.len());
    assert!(secrets.iter().any(|password| holds_copy(&gateway, password)), "the gateway was sent a password");
    let traces = [workspace.traces(), server_logs(&rig)].concat();
    assert_eq!(leaks_of(&traces, secrets.iter().map(String::as_str).chain(MASTERS)), []);
    assert_eq!(leaks_of(&traces, keys(&rig)), []);
    assert_eq!(leaks_of(&workspace.traces(), [ADMIN, "X-Amz-Signature"]), []);
}

fn holds_copy(gateway: &FakeGateway, password: &str) -> bool {
    !leaks_of(&[("requests".to_owned(), gateway.requests().into_bytes())], [password]).is_empty()
}

/// A resource that keeps texts, and says them.
const PLANTED: &str = r#"
variable "texts" {
  type = map(string)
}

resource "terraform_data" "it" {
  for_each = var.texts
  input    = each.value
}
"#;

/// The scan finds a secret in every form in every kind of file that it looks at: a scan that could not would prove
/// nothing.
#[test]
fn a_planted_secret_is_found_in_every_form_in_everything_that_is_looked_at() {
    let (rig, gateway) = (rig(), FakeGateway::start());
    let workspace = workspace(&rig, &gateway);
    let secret = "Planted/S3cret+of~the.test?";
    let forms = leaks::forms(secret);
    workspace.write("main.tf", PLANTED);
    let texts: serde_json::Map<String, Value> =
        forms.iter().enumerate().map(|(n, (_, text))| (format!("form{n}"), json!(format!("<{text}>")))).collect();
    // Terraform logs its command line.
    let variable = format!("-var=texts={}", Value::Object(texts));
    let run = |arguments: &[&str]| workspace.run(&[arguments, &["-input=false", "-no-color", &variable]].concat()).ok();
    workspace.init().ok();
    run(&["plan", "-out=plan.bin"]);
    workspace.planned();
    run(&["apply", "-auto-approve"]);
    workspace.state();
    run(&["apply", "-auto-approve", "-replace=terraform_data.it[\"form0\"]"]);
    for database in &rig.made.databases {
        for (_, text) in &forms {
            as_owner(database, "shop", &format!("SELECT '{}'", text.replace('\'', "''")));
        }
    }
    let planted = json!(forms.iter().map(|(_, text)| format!("<{text}>")).collect::<Vec<_>>());
    gateway.make("planted", &json!({ "secret": { "envvar:PLANTED": planted.to_string() } }));

    let found = leaks::find(&everything(&rig, &workspace, &gateway), &[secret]);
    let places = [
        "terraform.tfstate",
        "terraform.tfstate.backup",
        "plan.bin, unpacked",
        "1-plan",
        "2-show",
        "3-apply",
        "4-show",
        "trace.log",
        "log of ledger",
        "log of stock",
        "requests to the gateway",
    ];
    for place in places {
        for (form, _) in &forms {
            let leak = Leak { place: place.to_owned(), form };
            assert!(found.contains(&leak), "{form} is not found in {place}: {found:?}");
        }
    }
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
