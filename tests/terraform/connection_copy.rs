//! `secret_delivery = "copy"` with secrets that no database belongs to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::blocks;
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::Rig;
use crate::wish::Wish;
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_connection.it";
const COPY: &str = "secret_delivery = \"copy\"";
const FIRST: &str = "first-hunter2-of-the-store";
const SECOND: &str = "second-hunter2-of-the-store";
const BY_HAND: &str = "hunter2-by-hand";

/// A secret of somebody else in a member account, and a connection that uses it.
struct Copied<'a> {
    rig: &'a Rig,
    gateway: &'a FakeGateway,
    workspace: Workspace<'a>,
    secret_ref: String,
}

impl<'a> Copied<'a> {
    fn new(rig: &'a Rig, gateway: &'a FakeGateway) -> Self {
        let params = json!({"Name": "payments/hoop_ro", "SecretString": credential(FIRST)});
        let mut workspace = Workspace::new(rig);
        workspace.set("HOOP_APIURL", &gateway.url);
        workspace.set("HOOP_APIKEY", ADMIN);
        let made = rig.aws(Some("payments-prod"), "us-east-1", "secretsmanager", "create_secret", &params).unwrap();
        Self { rig, gateway, workspace, secret_ref: made["ARN"].as_str().unwrap().to_owned() }
    }

    fn write(&self, connection: &str, version: &str, provider: &str) {
        let text = format!(
            r#"{provider}
resource "rdsaccess_connection" "it" {{
  name       = "ledger-ro"
  target_arn = "arn:aws:rds:us-east-1:{account}:db:ledger"
  agent_name = "lab"
  role = {{
    username         = "hoop_ro"
    engine           = "postgres"
    endpoint         = "ledger.c1a2b3.us-east-1.rds.amazonaws.com"
    port             = 5432
    default_database = "ledger"
    secret_ref       = "{secret_ref}"
    secret_version   = {version}
  }}
  {connection}
}}
"#,
            provider = blocks::provider(self.rig, provider),
            account = self.rig.account_id("payments-prod"),
            secret_ref = self.secret_ref,
        );
        self.workspace.write("main.tf", &text);
    }

    /// The password in the gateway, decoded.
    fn pass(&self) -> String {
        let stored = self.gateway.stored("ledger-ro");
        let encoded = stored["secret"]["envvar:PASS"].as_str().unwrap_or_default().to_owned();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    }

    fn overwrite(&self, password: &str) {
        let mut secret = self.gateway.stored("ledger-ro")["secret"].clone();
        secret["envvar:PASS"] = json!(STANDARD.encode(password));
        self.gateway.change("ledger-ro", &json!({ "secret": secret }));
    }

    fn store(&self, operation: &str, more: &Value) {
        let mut params = json!({ "SecretId": self.secret_ref });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.rig.aws(Some("payments-prod"), "us-east-1", "secretsmanager", operation, &params).unwrap();
    }

    fn rotate(&self, value: &str) {
        self.store("put_secret_value", &json!({ "SecretString": value }));
    }

    fn state(&self, attribute: &str) -> Value {
        self.workspace.resource(IT).unwrap()[attribute].clone()
    }

    /// How often a value was read from the store, since the last call.
    fn reads(&self) -> usize {
        let calls = self.rig.calls("GetSecretValue").len();
        self.rig.control("DELETE", "log", &Value::Null);
        calls
    }

    fn leaks_nothing(&self) {
        assert_eq!(self.workspace.leaks(&[FIRST, SECOND, BY_HAND, ADMIN]), []);
    }
}

fn credential(password: &str) -> String {
    json!({"username": "hoop_ro", "password": password}).to_string()
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_reference_becomes_a_copy_and_a_copy_a_reference_in_place() {
    let (rig, gateway) = (Rig::start(&Wish::organization()), FakeGateway::start());
    let it = Copied::new(&rig, &gateway);
    it.write("", "null", "");
    it.workspace.apply().ok();
    let id = gateway.stored("ledger-ro")["id"].clone();
    assert_eq!((it.pass(), it.reads()), ("_aws:payments/hoop_ro:password".to_owned(), 0));

    it.write(COPY, "null", "");
    let said = flat(&it.workspace.plan().changes().stdout);
    assert!(said.contains("secret_delivery = \"reference\" -> \"copy\""), "{said}");
    assert!(said.contains("secret_state = \"in_sync\" -> (known after apply)"), "{said}");
    assert_eq!(it.reads(), 0, "a plan reads no value that it does not compare");
    it.workspace.apply_planned().ok();
    assert_eq!((it.pass(), it.reads()), (FIRST.to_owned(), 1));
    it.workspace.plan().nothing();

    it.write("", "null", "");
    it.workspace.apply().ok();
    assert_eq!(it.pass(), "_aws:payments/hoop_ro:password");
    it.workspace.plan().nothing();
    assert_eq!(gateway.stored("ledger-ro")["id"], id);
    it.leaks_nothing();
}

#[test]
fn a_copy_follows_the_secret_and_is_repaired_when_a_hand_changed_it() {
    let (rig, gateway) = (Rig::start(&Wish::organization()), FakeGateway::start());
    let it = Copied::new(&rig, &gateway);
    it.write(COPY, "\"1\"", "refresh = \"aws\"");
    it.workspace.apply().ok();
    it.workspace.plan().nothing();
    assert_eq!((it.pass(), it.state("secret_state")), (FIRST.to_owned(), json!("in_sync")));

    for wrong in [BY_HAND, "_aws:somebody/else:password"] {
        it.overwrite(wrong);
        let said = flat(&it.workspace.plan().changes().stdout);
        assert!(said.contains("secret_state = \"differs\" -> \"in_sync\""), "{said}");
        it.workspace.apply_planned().ok();
        assert_eq!(it.pass(), FIRST);
        it.workspace.plan().nothing();
    }

    // Somebody rotates the secret and does not say so: the comparison finds it.
    it.rotate(&credential(SECOND));
    let said = flat(&it.workspace.plan().changes().stdout);
    assert!(said.contains("secret_state = \"differs\" -> \"in_sync\""), "{said}");
    it.workspace.apply_planned().ok();
    assert_eq!(it.pass(), SECOND);

    // A new version without a refresh: the version alone is enough.
    it.rotate(&credential(FIRST));
    it.write(COPY, "\"2\"", "refresh = \"aws\"");
    it.workspace.run(&["apply", "-refresh=false", "-input=false", "-no-color", "-auto-approve"]).ok();
    assert_eq!((it.pass(), it.state("secret_state")), (FIRST.to_owned(), json!("in_sync")));
    it.workspace.plan().nothing();

    // An import finds a copy, and knows it again.
    it.workspace.run(&["state", "rm", IT]).ok();
    it.workspace.import(IT, "ledger-ro").ok();
    assert_eq!((it.state("secret_delivery"), it.state("secret_state")), (json!("copy"), Value::Null));
    gateway.forget_log();
    it.workspace.apply().ok();
    assert_eq!((it.state("secret_state"), gateway.writes()), (json!("in_sync"), Vec::<String>::new()));
    it.workspace.plan().nothing();
    it.leaks_nothing();
}

#[test]
fn a_copy_that_the_gateway_hides_is_left_alone_until_the_secret_moves() {
    let (rig, gateway) = (Rig::start(&Wish::organization()), FakeGateway::start());
    let it = Copied::new(&rig, &gateway);
    gateway.toggle("hide_role_info", true);
    it.write(COPY, "\"1\"", "");
    it.workspace.apply().ok();
    assert_eq!((it.pass(), it.state("secret_state")), (FIRST.to_owned(), json!("hidden")));
    it.reads();
    it.workspace.plan().nothing();
    assert_eq!(it.reads(), 0, "nothing to compare with");

    it.rotate(&credential(SECOND));
    it.write(COPY, "\"2\"", "");
    it.workspace.plan().changes();
    it.workspace.apply_planned().ok();
    assert_eq!((it.pass(), it.state("secret_state")), (SECOND.to_owned(), json!("hidden")));
    it.workspace.plan().nothing();

    gateway.toggle("hide_role_info", false);
    it.workspace.plan().nothing();
    it.workspace.run(&["apply", "-refresh-only", "-input=false", "-no-color", "-auto-approve"]).ok();
    assert_eq!(it.state("secret_state"), "in_sync");
    it.leaks_nothing();
}

#[test]
fn a_secret_that_cannot_be_copied_is_named_with_its_connection() {
    let (rig, gateway) = (Rig::start(&Wish::organization()), FakeGateway::start());
    let it = Copied::new(&rig, &gateway);
    let refused = |words: &[&str]| {
        let said = it.workspace.apply().error();
        for word in words {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
        assert!(said.contains("`ledger-ro`") && said.contains("Cannot read the password"), "{said}");
        assert!(said.contains(&it.secret_ref), "{said}");
        assert!(gateway.stored("ledger-ro").is_null());
    };
    it.write(COPY, "null", "");
    it.rotate(&json!({"password": BY_HAND}).to_string());
    refused(&["`username` is missing"]);

    // A value of our own that no login has proven carries AWSCURRENT and AWSPENDING.
    it.store("tag_resource", &json!({"Tags": [{"Key": "rdsaccess:managed", "Value": "true"}]}));
    it.store(
        "put_secret_value",
        &json!({"SecretString": credential(FIRST), "VersionStages": ["AWSCURRENT", "AWSPENDING"]}),
    );
    refused(&["not proven"]);

    it.store("delete_secret", &json!({}));
    refused(&["does not exist", "Restore the secret"]);

    // The password of somebody else would never log in as this user.
    it.store("restore_secret", &json!({}));
    it.store("untag_resource", &json!({"TagKeys": ["rdsaccess:managed"]}));
    it.rotate(&json!({"username": "somebody", "password": BY_HAND}).to_string());
    let said = it.workspace.apply().error();
    for word in ["The secret is for another user", "`ledger-ro`", "`hoop_ro`", "`somebody`", &it.secret_ref] {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
    assert!(gateway.stored("ledger-ro").is_null());

    // The agent would take this password for a reference.
    let magic = "_aws:hunter2-magic:password";
    it.rotate(&credential(magic));
    let said = it.workspace.apply().error();
    assert!(said.contains("`ledger-ro`") && said.contains("`PASS` reads like a reference"), "{said}");
    assert!(gateway.stored("ledger-ro").is_null());
    assert_eq!(it.workspace.leaks(&[magic]), []);
    it.leaks_nothing();
}

#[test]
fn a_copy_outlives_its_secret_and_says_so() {
    let (rig, gateway) = (Rig::start(&Wish::organization()), FakeGateway::start());
    let it = Copied::new(&rig, &gateway);
    it.write(COPY, "null", "");
    it.workspace.apply().ok();
    it.store("delete_secret", &json!({}));
    let said = flat(&it.workspace.plan().changes().stdout);
    assert!(said.contains("Warning: Cannot read the password"), "{said}");
    assert!(said.contains("secret_state = \"differs\" -> \"in_sync\""), "{said}");
    let said = it.workspace.apply_planned().error();
    assert!(said.contains("`ledger-ro`") && said.contains(&it.secret_ref), "{said}");
    assert_eq!(it.pass(), FIRST, "a failed update changes nothing");
    it.workspace.destroy().ok();
    assert!(gateway.stored("ledger-ro").is_null());
    it.leaks_nothing();
}

#[test]
fn a_store_that_may_not_be_asked_is_an_error_or_a_kept_state() {
    let (rig, gateway) = (Rig::start(&Wish::organization()), FakeGateway::start());
    let it = Copied::new(&rig, &gateway);
    it.write(COPY, "null", "");
    it.workspace.apply().ok();
    let account = rig.account_id("payments-prod");
    rig.control("POST", "deny", &json!({ "actions": ["secretsmanager:GetSecretValue"], "account": account }));
    let said = it.workspace.plan_run().error();
    for word in ["`ledger-ro`", &it.secret_ref, "secretsmanager:GetSecretValue", "Error: Cannot read the password"] {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }

    it.overwrite(BY_HAND);
    it.write(COPY, "null", "on_unreachable = \"keep\"");
    let said = flat(&it.workspace.plan().nothing().stdout);
    assert!(said.contains("Warning: Cannot read the password") && said.contains("`ledger-ro`"), "{said}");
    rig.control("DELETE", "deny", &Value::Null);
    it.workspace.plan().changes();
    it.leaks_nothing();
}

#[test]
fn iam_logins_are_refused_by_validate() {
    let (rig, gateway) = (Rig::start(&Wish::organization()), FakeGateway::start());
    let it = Copied::new(&rig, &gateway);
    it.write(COPY, "null\n    auth = \"iam\"", "");
    let said = it.workspace.validate().error();
    assert!(said.contains("There is no password to copy"), "{said}");
}
