//! Everything that the provider does, under exactly the documents for all features.

use std::fs;

use serde_json::{Value, json};

use super::hub::Hub;
use super::proof::AFTER_A_REFUSAL;
use super::scenarios::{bare_cluster, books, cluster, full_store, key, ledger};
use crate::fixture::fill;
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::{Database, Rig, repository};
use crate::sql::as_owner;
use crate::wish::Wish;
use crate::workspace::Workspace;

pub(super) const ALL: [&str; 7] = [
    "discovery",
    "security_group",
    "master_password",
    "master_rds_managed",
    "role_password",
    "role_iam",
    "secret_read",
];

struct Everything<'a> {
    hub: &'a Hub<'a>,
    gateway: &'a FakeGateway,
    bare: &'a Database,
    key: &'a str,
}

impl Everything<'_> {
    fn write(&self, workspace: &Workspace<'_>, round: u8, store: &str) {
        let lines = format!("{store}\n  gateway = {{ url = \"{}\", token = \"{ADMIN}\" }}", self.gateway.url);
        workspace.write("main.tf", &(self.hub.provider(&lines) + &self.configuration(round)));
    }

    /// Round 0 has nothing but what is read; from round 2 on things differ from before.
    fn configuration(&self, round: u8) -> String {
        if round == 0 {
            return String::new();
        }
        let rig = self.hub.rig;
        let [ledger, main, books] = [0, 1, 2].map(|number| &rig.database(number).arn);
        let (second, tags) = if round == 1 { ("10.30.0.0/16", "env") } else { ("10.40.0.0/16", "team") };
        let after = if round == 1 { "30d" } else { "12h" };
        format!(
            r#"
data "rdsaccess_accounts" "it" {{
  include_tags = true
}}

data "rdsaccess_instances" "it" {{
  account_ids = ["{account}"]
}}

resource "rdsaccess_security_group" "it" {{
  for_each   = toset(["{ledger}", "{bare}"])
  target_arn = each.key
  ingress    = [{{ cidr_ipv4 = "10.20.0.0/16", description = "round {round}" }}, {{ cidr_ipv4 = "{second}" }}]
  tags       = {{ {tags} = "yes" }}
}}

resource "rdsaccess_master_credential" "ledger" {{
  target_arn = "{ledger}"
  rotation   = {{ keepers = {{ round = "{round}" }} }}
}}

resource "rdsaccess_master_credential" "managed" {{
  for_each   = toset(["{main}", "{books}"])
  target_arn = each.key
  method     = "rds_managed"
  kms_key_id = "{key}"
  rotation   = {{ after = "{after}", keepers = {{ round = "{round}" }} }}
}}

resource "rdsaccess_role" "ledger" {{
  target_arn = "{ledger}"
  access     = "read_only"
  admin      = {{ secret_ref = rdsaccess_master_credential.ledger.secret_ref }}
  rotation   = {{ keepers = {{ round = "{round}" }} }}
}}

resource "rdsaccess_role" "managed" {{
  for_each   = rdsaccess_master_credential.managed
  target_arn = each.key
  access     = "read_only"
  admin      = {{ secret_ref = each.value.secret_ref }}
}}

resource "rdsaccess_role" "tokens" {{
  target_arn = "{ledger}"
  access     = "read_write"
  auth       = "iam"
  admin      = {{ auth = "iam", username = "dba" }}
  depends_on = [rdsaccess_role.ledger]
}}

resource "rdsaccess_connection" "it" {{
  name            = "ledger-ro"
  target_arn      = "{ledger}"
  role            = rdsaccess_role.ledger
  agent_name      = "lab"
  secret_delivery = "copy"
}}

ephemeral "rdsaccess_secret" "it" {{
  secret_ref = rdsaccess_role.ledger.secret_ref
}}
"#,
            account = rig.account_id("payments-prod"),
            bare = self.bare.arn,
            key = self.key,
        )
    }
}

fn apply(workspace: &Workspace<'_>) {
    workspace.apply().ok();
    workspace.plan().nothing();
}

fn rig() -> Rig {
    Rig::start(&Wish::organization().with(ledger()).with(cluster()).with(books()))
}

#[test]
fn everything_runs_under_exactly_the_documents() {
    let (rig, gateway) = (rig(), FakeGateway::start());
    let (bare, key) = (bare_cluster(&rig), key(&rig));
    for database in &rig.made.databases {
        fill(database, &["shop"]);
    }
    let ledger = rig.database(0);
    as_owner(ledger, "postgres", "CREATE ROLE dba LOGIN CREATEROLE CREATEDB");
    as_owner(ledger, "postgres", &format!("GRANT \"{}\" TO dba WITH ADMIN OPTION", ledger.master_username));
    as_owner(ledger, "postgres", "GRANT rds_iam TO dba");
    let hub = Hub::new(&rig, &["payments-prod", "orders-eu"]);
    let store = full_store(&super::scenarios::key(&rig));
    let arguments = format!("admin_names = [\"dba\"]\n  kms_key_arns = [\"{key}\"]");
    let documents = hub.read(&ALL, &[ledger, rig.database(1), rig.database(2), &bare], &arguments, &store);
    hub.put(&documents);
    hub.enforce();

    let everything = Everything { hub: &hub, gateway: &gateway, bare: &bare, key: &key };
    let workspace = hub.workspace();
    for (round, store) in [(1, ""), (2, store.as_str()), (3, &store), (0, &store), (4, &store), (0, &store)] {
        everything.write(&workspace, round, store);
        apply(&workspace);
    }

    let mut spare: Vec<_> = hub.needed().into_iter().filter(|(_, requests)| requests.is_empty()).collect();
    // `regions = ["*"]` asks for every region of an account, and these documents are for the databases in one.
    spare.retain(|(entry, _)| entry.action != "ec2:DescribeRegions" && entry.action != AFTER_A_REFUSAL);
    assert!(spare.is_empty(), "no call needs {spare:#?}");
    every_call_was_judged(&hub);
}

/// One agent for many accounts: the secrets of every database are in an account of their own.
#[test]
fn a_central_store_runs_under_exactly_the_documents() {
    let rig = Rig::start(&Wish::organization().with(ledger()));
    let (hub, arn) = (Hub::new(&rig, &["payments-prod", "shared-services"]), rig.database(0).arn.clone());
    let account = rig.account_id("shared-services");
    let store = format!("store = {{ secrets_manager = {{ account_id = \"{account}\", region = \"eu-west-1\" }} }}");
    hub.put(&hub.read(&["master_password", "role_password"], &[rig.database(0)], "", &store));
    hub.enforce();
    let text = |round: u8| {
        format!(
            r#"{provider}
resource "rdsaccess_master_credential" "it" {{
  target_arn = "{arn}"
  rotation   = {{ keepers = {{ round = "{round}" }} }}
}}

resource "rdsaccess_role" "it" {{
  target_arn = "{arn}"
  access     = "read_only"
  admin      = {{ secret_ref = rdsaccess_master_credential.it.secret_ref }}
  rotation   = {{ keepers = {{ round = "{round}" }} }}
}}
"#,
            provider = hub.provider(&store)
        )
    };
    let workspace = hub.workspace();
    for configuration in [text(1), text(2), hub.provider(&store)] {
        workspace.write("main.tf", &configuration);
        apply(&workspace);
    }
    every_call_was_judged(&hub);
    let secrets = rig.calls("PutSecretValue");
    assert!(!secrets.is_empty() && secrets.iter().all(|call| call["account"] == *account), "{secrets:?}");
}

/// No call of the provider went by the documents, and the evaluator asked about resources that AWS knows.
fn every_call_was_judged(hub: &Hub<'_>) {
    let log = hub.rig.control("GET", "log", &Value::Null);
    let ours = |entry: &&Value| entry["user_agent"].as_str().is_some_and(|agent| agent.contains("rdsaccess"));
    let calls: Vec<&Value> = log.as_array().unwrap().iter().filter(ours).collect();
    assert!(calls.len() > 30, "the log has all calls: {}", calls.len());
    let reference = fs::read_to_string(repository().join("tests/golden/policy/reference.json")).unwrap();
    let reference: Value = serde_json::from_str(&reference).unwrap();
    for call in calls {
        assert_eq!(call["iam_error"], Value::Null, "{call}");
        let judged = call["decisions"].as_array().unwrap_or_else(|| panic!("nobody judged {call}"));
        assert!(call["action"] == "GetCallerIdentity" || !judged.is_empty(), "{call}");
        for decision in judged {
            assert_eq!(decision["effect"], json!("Allow"), "{call}");
            assert!(decision["by"].as_array().is_some_and(|by| !by.is_empty()), "{call}");
            is_known(&reference, decision["action"].as_str().unwrap(), decision["resource"].as_str().unwrap());
        }
    }
}

/// AWS's reference has such a resource for the action; `*` stands for actions without one.
fn is_known(reference: &Value, action: &str, resource: &str) {
    let known = reference["actions"][action]["resources"].as_array();
    let known = known.unwrap_or_else(|| panic!("{action} is not in the reference"));
    let fits = known.iter().any(|pattern| follows(resource, pattern.as_str().unwrap()));
    assert!(fits || (resource == "*" && known.is_empty()), "{action} on {resource}: {known:?}");
}

/// Whether a text has the parts of a pattern that are no `${variable}`, in their order.
fn follows(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    for (number, part) in pattern.split("${").enumerate() {
        let fixed = if number == 0 { part } else { part.split_once('}').map_or("", |(_, fixed)| fixed) };
        match rest.find(fixed) {
            Some(at) if number > 0 || at == 0 => rest = &rest[at + fixed.len()..],
            _ => return false,
        }
    }
    true
}
