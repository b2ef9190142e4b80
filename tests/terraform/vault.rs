//! Secrets in Vault with the real client: create, rotate, move there, destroy.

use std::io::Write as _;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, has_role};
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::{Rig, fakes, python};
use crate::sql::Login;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const MASTER: &str = "rdsaccess_master_credential.master";
const ROLE: &str = "rdsaccess_role.ro";

const STORE: &str = "store = { vault = { mount = \"secret\" } }";

/// A database, its master credential, a role and a connection. The administrator of the role is not named: it is found
/// at the place that the provider's store gives the master user.
fn configuration(rig: &Rig, store: &str, round: u32) -> String {
    let vault = rig.made.vault.as_ref().unwrap();
    let server =
        format!("vault = {{ address = \"{}\", ca_bundle = file(\"{}\") }}", vault.address, vault.ca_file.display());
    format!(
        r#"{provider}
resource "rdsaccess_master_credential" "master" {{
  target_arn = "{arn}"
  rotation   = {{ keepers = {{ round = "{round}" }} }}
}}

resource "rdsaccess_role" "ro" {{
  target_arn = "{arn}"
  access     = "read_only"
  databases  = ["shop"]
  rotation   = {{ keepers = {{ round = "{round}" }} }}
  depends_on = [rdsaccess_master_credential.master]
}}

resource "rdsaccess_connection" "ro" {{
  name       = "ledger-ro"
  target_arn = "{arn}"
  role       = rdsaccess_role.ro
  agent_name = "lab"
}}
"#,
        provider = blocks::provider(rig, &format!("{server}\n  {store}")),
        arn = rig.database(0).arn,
    )
}

fn start() -> (Rig, FakeGateway) {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").holding(&["shop"]);
    let rig = Rig::start(&Wish::organization().with(wish).with_vault());
    fill(rig.database(0), &["shop"]);
    (rig, FakeGateway::start())
}

fn workspace<'a>(rig: &'a Rig, gateway: &FakeGateway) -> Workspace<'a> {
    let mut workspace = Workspace::new(rig);
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace.set("VAULT_TOKEN", &rig.made.vault.as_ref().unwrap().token);
    workspace
}

/// What hvac reads at a path below `secret`; null where nothing is.
fn read(rig: &Rig, path: &str) -> Value {
    const PROGRAM: &str = r#"
import json, sys
import hvac
ask = json.load(sys.stdin)
client = hvac.Client(url=ask["url"], token=ask["token"], verify=ask["ca"])
try:
    found = client.secrets.kv.v2.read_secret_version(ask["path"], mount_point="secret", raise_on_deleted_version=True)
    print(json.dumps(found["data"]["data"]))
except hvac.exceptions.InvalidPath:
    print("null")
"#;
    let vault = rig.made.vault.as_ref().unwrap();
    let ask = json!({"url": vault.address, "token": vault.token, "ca": vault.ca_file, "path": path});
    let mut child = python()
        .args(["-c", PROGRAM])
        .current_dir(fakes())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs: scripts/install makes its environment");
    child.stdin.take().unwrap().write_all(ask.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).expect("hvac answers")
}

fn secret_ref(workspace: &Workspace<'_>, address: &str) -> String {
    workspace.resource(address).unwrap()["secret_ref"].as_str().unwrap().to_owned()
}

/// The password behind a reference of ours, as a reader of the current value sees it.
fn password(rig: &Rig, workspace: &Workspace<'_>, address: &str) -> String {
    let secret_ref = secret_ref(workspace, address);
    let path = secret_ref.strip_prefix("vault:kv2::secret:").unwrap_or_else(|| panic!("{secret_ref} is not in Vault"));
    read(rig, path)["PASSWORD"].as_str().unwrap_or_else(|| panic!("nothing is at {path}")).to_owned()
}

fn logs_in(rig: &Rig, user: &str, password: &str) -> bool {
    Login::new(rig.database(0), user, password).database("shop").run(rig, "SELECT 1").is_ok()
}

/// What the gateway's agent would take as the password.
fn by_reference(rig: &Rig, gateway: &FakeGateway) -> (String, String) {
    let encoded = gateway.stored("ledger-ro")["secret"]["envvar:PASS"].as_str().unwrap().to_owned();
    let reference = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
    let parts: Vec<&str> = reference.split(':').collect();
    let [kind, path, key] = parts[..] else { panic!("the agent wants three parts: {reference}") };
    assert_eq!(kind, "_vaultkv2");
    let value = read(rig, path.strip_prefix("secret/data/").unwrap());
    let text = value[key].as_str().unwrap_or_else(|| panic!("{reference} leads nowhere")).to_owned();
    (text, reference)
}

#[test]
fn master_role_and_connection_live_with_a_store_in_vault() {
    let (rig, gateway) = start();
    let (database, workspace) = (rig.database(0), workspace(&rig, &gateway));
    workspace.write("main.tf", &configuration(&rig, STORE, 1));
    workspace.apply().ok();
    workspace.plan().nothing();

    let master = &database.master_username;
    let path = format!("rdsaccess/{}/{}/db/ledger", database.account_id, database.region);
    assert_eq!(secret_ref(&workspace, MASTER), format!("vault:kv2::secret:{path}/{master}"));
    let first = [password(&rig, &workspace, MASTER), password(&rig, &workspace, ROLE)];
    assert!(logs_in(&rig, master, &first[0]) && logs_in(&rig, "hoop_ro", &first[1]));
    let (through, reference) = by_reference(&rig, &gateway);
    assert_eq!((&through, reference), (&first[1], format!("_vaultkv2:secret/data/{path}/hoop_ro:PASSWORD")));
    assert_eq!(read(&rig, &format!("{path}/hoop_ro.pending")), Value::Null);
    assert_eq!(rig.calls("CreateSecret").len(), 0, "nothing went into Secrets Manager");

    workspace.write("main.tf", &configuration(&rig, STORE, 2));
    workspace.apply().ok();
    workspace.plan().nothing();
    let second = [password(&rig, &workspace, MASTER), password(&rig, &workspace, ROLE)];
    assert!(first[0] != second[0] && first[1] != second[1]);
    assert!(logs_in(&rig, master, &second[0]) && logs_in(&rig, "hoop_ro", &second[1]));
    assert!(!logs_in(&rig, "hoop_ro", &first[1]));
    assert_eq!(by_reference(&rig, &gateway).0, second[1]);
    let token = &rig.made.vault.as_ref().unwrap().token;
    assert_eq!(workspace.leaks(&[&first[0], &first[1], &second[0], &second[1], token]), vec![]);

    workspace.destroy().ok();
    assert_eq!(read(&rig, &format!("{path}/hoop_ro")), Value::Null);
    assert!(!has_role(database, "hoop_ro"));
    assert_eq!(read(&rig, &format!("{path}/{master}"))["PASSWORD"], json!(second[0]), "nobody else knows it");
}

/// All that tells a run that was killed before the state was saved from one that ended is the state of before.
#[test]
fn rotations_that_a_killed_run_has_finished_are_not_done_again_in_vault() {
    let (rig, gateway) = start();
    let workspace = workspace(&rig, &gateway);
    workspace.write("main.tf", &configuration(&rig, STORE, 1));
    workspace.apply().ok();
    let file = workspace.folder().join("terraform.tfstate");
    let before = std::fs::read(&file).unwrap();
    workspace.write("main.tf", &configuration(&rig, STORE, 2));
    workspace.apply().ok();
    let versions = || [MASTER, ROLE].map(|address| workspace.resource(address).unwrap()["secret_version"].clone());
    let second = versions();
    std::fs::write(&file, before).unwrap();
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(versions(), second);
    assert!(logs_in(&rig, "hoop_ro", &password(&rig, &workspace, ROLE)));

    workspace.write("main.tf", &configuration(&rig, STORE, 3));
    workspace.apply().ok();
    workspace.plan().nothing();
    assert!(versions().iter().zip(&second).all(|(third, second)| third != second), "other keepers are no such run's");
}

#[test]
fn a_changed_store_takes_effect_with_the_next_rotation() {
    let (rig, gateway) = start();
    let (database, workspace) = (rig.database(0), workspace(&rig, &gateway));
    workspace.write("main.tf", &configuration(&rig, "", 1));
    workspace.apply().ok();
    let before = [MASTER, ROLE].map(|address| secret_ref(&workspace, address));
    assert!(before.iter().all(|secret| secret.starts_with("arn:aws:secretsmanager:")), "{before:?}");

    workspace.write("main.tf", &configuration(&rig, STORE, 1));
    workspace.plan().nothing();
    workspace.write("main.tf", &configuration(&rig, STORE, 2));
    workspace.apply().ok();
    workspace.plan().nothing();
    let passwords = [MASTER, ROLE].map(|address| password(&rig, &workspace, address));
    assert!(logs_in(&rig, &database.master_username, &passwords[0]) && logs_in(&rig, "hoop_ro", &passwords[1]));
    assert_eq!(by_reference(&rig, &gateway).0, passwords[1]);
    for old in before {
        let described = rig.aws_of(database, "secretsmanager", "describe_secret", &json!({ "SecretId": old })).unwrap();
        assert!(!described["DeletedDate"].is_null(), "{old} is to go");
    }
    workspace.destroy().ok();
}

#[test]
fn a_vault_without_a_login_stops_the_plan_and_keep_goes_on_without_it() {
    let (rig, gateway) = start();
    let mut workspace = workspace(&rig, &gateway);
    let token = rig.made.vault.as_ref().unwrap().token.clone();
    let keep = format!("{STORE}\n  on_unreachable = \"keep\"");
    workspace.write("main.tf", &configuration(&rig, STORE, 1));
    workspace.set("VAULT_TOKEN", "");
    let refused = workspace.plan_run().error();
    assert!(refused.contains("VAULT_TOKEN"), "{refused}");
    workspace.set("VAULT_TOKEN", &token);
    workspace.apply().ok();
    workspace.plan().nothing();

    for lost in ["", "hvs.of-yesterday"] {
        workspace.set("VAULT_TOKEN", lost);
        workspace.write("main.tf", &configuration(&rig, STORE, 1));
        let refused = workspace.plan_run().error();
        assert!(refused.contains("VAULT_TOKEN") && !refused.contains("of-yesterday"), "{refused}");
        workspace.write("main.tf", &configuration(&rig, &keep, 1));
        workspace.plan().nothing();
    }
    // The secrets are in Vault, new ones are not to be: the reason is still that of Vault.
    workspace.set("VAULT_TOKEN", "");
    workspace.write("main.tf", &configuration(&rig, "", 1));
    let refused = workspace.plan_run().error();
    assert!(refused.contains("VAULT_TOKEN") && !refused.contains("full ARN"), "{refused}");
    // A role without `admin` finds its administrator in the store of the provider only.
    workspace.set("VAULT_TOKEN", &token);
    workspace.write("main.tf", &configuration(&rig, STORE, 1));
    workspace.destroy().ok();
}
