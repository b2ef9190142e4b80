//! What each feature does, with exactly the documents for it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::hub::Hub;
use super::proof::{AFTER_A_REFUSAL, Act, Depth, Scenario, documents, prove};
use crate::fixture::default_master_secret;
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::{Database, Rig};
use crate::sql::as_owner;
use crate::wish::{DatabaseWish, Wish};

const ACCOUNT: &str = "payments-prod";
const REGION: &str = "us-east-1";

pub(super) fn ledger() -> DatabaseWish {
    DatabaseWish::instance(ACCOUNT, REGION, "ledger", "postgres").holding(&["shop"]).with_iam()
}

/// An instance whose master password RDS will manage.
pub(super) fn books() -> DatabaseWish {
    DatabaseWish::instance(ACCOUNT, REGION, "books", "postgres").holding(&["shop"])
}

pub(super) fn cluster() -> DatabaseWish {
    DatabaseWish::cluster(ACCOUNT, REGION, "main", "aurora-postgresql").holding(&["shop"])
}

/// A cluster without members: its VPC is known by its subnet group only.
pub(super) fn bare_cluster(rig: &Rig) -> Database {
    let model = rig.database(0);
    let params = json!({
        "DBClusterIdentifier": "bare", "Engine": "aurora-postgresql", "EngineVersion": "15.4",
        "MasterUsername": "admin1", "MasterUserPassword": "Initial-Passw0rd", "DBSubnetGroupName": "dbs",
        "VpcSecurityGroupIds": [rig.network(model).db_base],
    });
    let made = rig.aws_of(model, "rds", "create_db_cluster", &params).unwrap();
    let arn = made["DBCluster"]["DBClusterArn"].as_str().unwrap().to_owned();
    Database { arn, identifier: "bare".to_owned(), ..model.clone() }
}

/// A customer key in the account of the databases.
pub(super) fn key(rig: &Rig) -> String {
    let made = rig.aws_of(rig.database(0), "kms", "create_key", &json!({})).unwrap();
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

/// The store with everything that takes a permission of its own.
pub(super) fn full_store(key: &str) -> String {
    format!(
        "store = {{ secrets_manager = {{ kms_key_id = \"{key}\", replica_regions = [\"eu-west-1\"], tags = {{ team = \
         \"dba\" }} }} }}"
    )
}

fn act(provider: &str, configuration: &str) -> Act {
    Act { provider: provider.to_owned(), configuration: configuration.to_owned() }
}

fn scenario<'a>(features: &'static [&'static str], targets: &[&'a Database], acts: Vec<Act>) -> Scenario<'a> {
    Scenario {
        features,
        targets: targets.to_vec(),
        arguments: String::new(),
        provider: String::new(),
        acts,
        outputs: BTreeMap::new(),
        softly: &[],
        before: Box::new(|_| ()),
    }
}

fn discovery(depth: Depth) {
    let rig = Rig::start(&Wish::organization().with(ledger().unreachable()));
    let bare = bare_cluster(&rig);
    let (own, own_vpc) = bare_cluster_of_the_hub(&rig);
    let hub = Hub::new(&rig, &[ACCOUNT]);
    let text = format!(
        r#"
data "rdsaccess_accounts" "it" {{
  include_tags = true
}}

data "rdsaccess_instances" "it" {{
  account_ids = ["{account}", "{own_account}"]
  regions     = ["*"]
}}

output "accounts" {{
  value = length(data.rdsaccess_accounts.it.ids)
}}

output "vpcs" {{
  value = [for arn in ["{ledger}", "{bare}", "{own}"] : data.rdsaccess_instances.it.targets[arn].vpc_id]
}}
"#,
        account = rig.account_id(ACCOUNT),
        own_account = rig.made.organization.management_account,
        ledger = rig.database(0).arn,
        bare = bare.arn,
    );
    let vpc = rig.network(rig.database(0)).vpc.clone();
    prove(
        &hub,
        &Scenario {
            outputs: BTreeMap::from([("accounts", json!(7)), ("vpcs", json!([vpc, vpc, own_vpc]))]),
            softly: &["rds:DescribeDBSubnetGroups"],
            ..scenario(&["discovery"], &[], vec![act("", &text)])
        },
        depth,
    );
}

/// A cluster without members in the account that the hub is at home in: its ARN, and its VPC.
fn bare_cluster_of_the_hub(rig: &Rig) -> (String, String) {
    let ask =
        |service: &str, operation: &str, params: &Value| rig.aws(None, REGION, service, operation, params).unwrap();
    let vpc =
        ask("ec2", "create_vpc", &json!({"CidrBlock": "10.90.0.0/16"}))["Vpc"]["VpcId"].as_str().unwrap().to_owned();
    let subnets = ["a", "b"].iter().enumerate().map(|(number, zone)| {
        let params = json!({"VpcId": vpc, "CidrBlock": format!("10.90.{number}.0/24"), "AvailabilityZone": format!("{REGION}{zone}")});
        ask("ec2", "create_subnet", &params)["Subnet"]["SubnetId"].clone()
    });
    let group = json!({"DBSubnetGroupName": "own", "DBSubnetGroupDescription": "own", "SubnetIds": subnets.collect::<Vec<_>>()});
    ask("rds", "create_db_subnet_group", &group);
    let params = json!({
        "DBClusterIdentifier": "own", "Engine": "aurora-postgresql", "EngineVersion": "15.4",
        "MasterUsername": "admin1", "MasterUserPassword": "Initial-Passw0rd", "DBSubnetGroupName": "own",
    });
    let made = ask("rds", "create_db_cluster", &params);
    (made["DBCluster"]["DBClusterArn"].as_str().unwrap().to_owned(), vpc)
}

/// A database in the account that the hub is at home in, by its ARN.
fn database_of_the_hub(rig: &Rig) -> String {
    let params = json!({
        "DBInstanceIdentifier": "own", "DBInstanceClass": "db.t3.micro", "Engine": "postgres", "AllocatedStorage": 20,
        "MasterUsername": "admin1", "MasterUserPassword": "Initial-Passw0rd",
    });
    let made = rig.aws(None, REGION, "rds", "create_db_instance", &params).unwrap();
    made["DBInstance"]["DBInstanceArn"].as_str().unwrap().to_owned()
}

/// What is found in these accounts, under the documents in force.
fn found(hub: &Hub<'_>, account_ids: &[&str]) -> Vec<String> {
    let text = format!(
        "data \"rdsaccess_instances\" \"it\" {{\n  account_ids = {}\n  regions = [\"{REGION}\"]\n}}\n\noutput \"found\" \
         {{\n  value = keys(data.rdsaccess_instances.it.targets)\n}}\n",
        json!(account_ids)
    );
    let workspace = hub.workspace();
    workspace.write("main.tf", &format!("{}\n{text}", hub.provider("")));
    workspace.apply().ok();
    serde_json::from_value(workspace.output("found")).expect("a list of ARNs")
}

#[test]
fn the_hubs_own_account_is_found_with_the_others() {
    let rig = Rig::start(&Wish::organization().with(ledger().unreachable()));
    let (hub, own) = (Hub::new(&rig, &[ACCOUNT]), database_of_the_hub(&rig));
    hub.put(&hub.read(&["discovery"], &[], "", ""));
    hub.enforce();
    let accounts = [rig.made.organization.management_account.as_str(), rig.account_id(ACCOUNT)];
    let mut wanted = vec![own, rig.database(0).arn.clone()];
    wanted.sort();
    assert_eq!(found(&hub, &accounts), wanted);
}

/// A team with one account gives the role's policy to the identity that it runs the provider as.
#[test]
fn one_account_is_found_without_the_organization_and_without_roles() {
    let rig = Rig::start(&Wish::organization().with(ledger().unreachable()));
    let (hub, own) = (Hub::new(&rig, &[]), database_of_the_hub(&rig));
    let documents = hub.read(&["discovery"], &[], "", "").alone();
    let is_foreign = |action: &str| action.starts_with("organizations:") || action.starts_with("sts:");
    assert!(!documents.entries().iter().any(|entry| is_foreign(&entry.action)), "{:?}", documents.entries());
    hub.put(&documents);
    hub.enforce();
    assert_eq!(found(&hub, &[&rig.made.organization.management_account]), [own]);
    assert_eq!(rig.calls("AssumeRole"), Vec::<Value>::new());
}

/// The action that is asked for only when something else goes wrong, so no scenario needs it.
#[test]
fn looking_up_a_suspended_account_needs_its_action() {
    let rig = Rig::start(&Wish::organization());
    let hub = Hub::new(&rig, &[ACCOUNT]);
    let documents = documents(&hub, &scenario(&["discovery"], &[], Vec::new()));
    hub.enforce();
    let account = rig.account_id(ACCOUNT);
    rig.control("POST", "accounts", &json!({"id": account, "status": "SUSPENDED"}));
    let workspace = hub.workspace();
    let text = format!("data \"rdsaccess_instances\" \"it\" {{\n  account_ids = [\"{account}\"]\n}}\n");
    workspace.write("main.tf", &format!("{}\n{text}", hub.provider("")));
    let error = workspace.plan_run().error();
    assert!(error.contains("The account is suspended or closed") && error.contains("SUSPENDED"), "{error}");
    let entry = documents.entries().into_iter().find(|entry| entry.action == AFTER_A_REFUSAL).expect("a permission");
    hub.put(&documents.without(&entry));
    let error = workspace.plan_run().error();
    assert!(error.contains("Cannot enter the account") && !error.contains("SUSPENDED"), "{error}");
}

/// Two groups, one after the other, so that the calls have an order. The one that takes most permissions comes first.
fn groups(ledger: &Database, bare: &Database, ingress: &str, tags: &str) -> String {
    format!(
        r#"
resource "rdsaccess_security_group" "one" {{
  target_arn = "{}"
  ingress    = {ingress}
  tags       = {tags}
  depends_on = [rdsaccess_security_group.two]
}}

resource "rdsaccess_security_group" "two" {{
  target_arn = "{}"
  ingress    = [{{ cidr_ipv4 = "10.20.0.0/16" }}]
}}
"#,
        ledger.arn, bare.arn
    )
}

fn security_group(depth: Depth) {
    let rig = Rig::start(&Wish::organization().with(ledger().unreachable()));
    let (ledger, bare) = (rig.database(0), bare_cluster(&rig));
    let hub = Hub::new(&rig, &[ACCOUNT]);
    let before = r#"[{ cidr_ipv4 = "10.20.0.0/16", description = "office" }, { cidr_ipv4 = "10.30.0.0/16" }]"#;
    let after = r#"[{ cidr_ipv4 = "10.20.0.0/16", description = "all offices" }, { cidr_ipv4 = "10.40.0.0/16" }]"#;
    let acts = vec![
        act("", &groups(ledger, &bare, before, r#"{ env = "test" }"#)),
        act("", &groups(ledger, &bare, after, r#"{ team = "dba" }"#)),
        act("", ""),
    ];
    prove(&hub, &scenario(&["security_group"], &[ledger, &bare], acts), depth);
}

fn master(name: &str, arn: &str, lines: &str) -> String {
    format!("\nresource \"rdsaccess_master_credential\" \"{name}\" {{\n  target_arn = \"{arn}\"\n  {lines}\n}}\n")
}

fn master_credential(depth: Depth) {
    let rig = Rig::start(&Wish::organization().with(ledger()));
    let (hub, key, arn) = (Hub::new(&rig, &[ACCOUNT]), key(&rig), rig.database(0).arn.clone());
    let store = full_store(&self::key(&rig));
    let rotated = |round: u8| format!("rotation = {{ keepers = {{ round = \"{round}\" }} }}");
    let managed = |after: &str, round: u8| {
        format!(
            "method = \"rds_managed\"\n  kms_key_id = \"{key}\"\n  rotation = {{ after = \"{after}\", keepers = {{ round \
             = \"{round}\" }} }}"
        )
    };
    let acts = vec![
        act("", &master("it", &arn, &rotated(1))),
        act(&store, &master("it", &arn, &rotated(2))),
        // What destroy leaves is adopted.
        act(&store, ""),
        act(&store, &master("it", &arn, &rotated(2))),
        act(&store, &master("it", &arn, &managed("30d", 2))),
        act(&store, &master("it", &arn, &managed("12h", 3))),
        act(&store, &master("it", &arn, &rotated(3))),
        act(&store, ""),
    ];
    let whole = scenario(&["master_password", "master_rds_managed"], &[rig.database(0)], acts);
    prove(
        &hub,
        &Scenario { arguments: format!("kms_key_arns = [\"{key}\"]"), provider: store.clone(), ..whole },
        depth,
    );
}

fn role(name: &str, arn: &str, lines: &str) -> String {
    format!(
        "\nresource \"rdsaccess_role\" \"{name}\" {{\n  target_arn = \"{arn}\"\n  access = \"read_only\"\n  {lines}\n}}\n"
    )
}

fn role_with_a_password(depth: Depth) {
    let rig = Rig::start(&Wish::organization().with(ledger()).with(cluster()).with(books()));
    let (ledger, main, books) = (rig.database(0), rig.database(1), rig.database(2));
    let (hub, key) = (Hub::new(&rig, &[ACCOUNT]), key(&rig));
    let admin = format!("admin = {{ secret_ref = \"{}\" }}", default_master_secret(&rig, ledger));
    let store = full_store(&self::key(&rig));
    let one = |round: u8, more: &str| {
        let lines = format!("{admin}\n  rotation = {{ keepers = {{ round = \"{round}\" }} }}\n  {more}");
        role("one", &ledger.arn, &lines)
    };
    let others = role("two", &main.arn, "depends_on = [rdsaccess_role.one]")
        + &role("three", &books.arn, "depends_on = [rdsaccess_role.two]");
    let stays = "on_destroy = \"retain\"";
    let acts = vec![
        act("", &(one(1, "") + &others)),
        act(&store, &(one(2, "") + &others)),
        // Dropped, its secret waits for the deletion; made again, it is restored.
        act(&store, ""),
        act(&store, &one(2, stays)),
        // Left where it is, and adopted.
        act(&store, ""),
        act(&store, &one(2, "")),
        act(&store, ""),
    ];
    let whole = scenario(&["role_password"], &[ledger, main, books], acts);
    let scenario = Scenario { arguments: format!("kms_key_arns = [\"{key}\"]"), provider: store.clone(), ..whole };
    prove(
        &hub,
        &Scenario { before: Box::new(move |rig| managed_by_rds(rig, &[main, books], &key)), ..scenario },
        depth,
    );
}

/// RDS manages the master passwords, with a customer key.
fn managed_by_rds(rig: &Rig, databases: &[&Database], key: &str) {
    for database in databases {
        manage(rig, database, key);
    }
}

fn manage(rig: &Rig, database: &Database, key: &str) {
    let (name, operation) = match database.arn.contains(":cluster:") {
        true => ("DBClusterIdentifier", "modify_db_cluster"),
        false => ("DBInstanceIdentifier", "modify_db_instance"),
    };
    let params = json!({name: database.identifier, "ManageMasterUserPassword": true,
        "MasterUserSecretKmsKeyId": key, "ApplyImmediately": true});
    rig.aws_of(database, "rds", operation, &params).unwrap();
}

fn role_with_tokens(depth: Depth) {
    let wish = Wish::organization().with(ledger()).with(cluster().with_iam()).with(books().with_iam());
    let rig = Rig::start(&wish);
    let (ledger, main, books) = (rig.database(0), rig.database(1), rig.database(2));
    let (hub, key) = (Hub::new(&rig, &[ACCOUNT]), key(&rig));
    let admin = default_master_secret(&rig, ledger);
    as_owner(ledger, "postgres", "CREATE ROLE dba LOGIN CREATEROLE CREATEDB");
    as_owner(ledger, "postgres", &format!("GRANT \"{}\" TO dba WITH ADMIN OPTION", ledger.master_username));
    as_owner(ledger, "postgres", "GRANT rds_iam TO dba");
    let all = role("one", &ledger.arn, &format!("auth = \"iam\"\n  admin = {{ secret_ref = \"{admin}\" }}"))
        + &role(
            "two",
            &ledger.arn,
            "name = \"hoop_two\"\n  auth = \"iam\"\n  admin = { auth = \"iam\", username = \"dba\" }\n  depends_on = \
             [rdsaccess_role.one]",
        )
        + &role("three", &main.arn, "auth = \"iam\"\n  depends_on = [rdsaccess_role.two]")
        + &role("four", &books.arn, "auth = \"iam\"\n  depends_on = [rdsaccess_role.three]");
    let whole = scenario(&["role_iam"], &[ledger, main, books], vec![act("", &all), act("", "")]);
    let arguments = format!("admin_names = [\"dba\"]\n  kms_key_arns = [\"{key}\"]");
    let before = Box::new(move |rig: &Rig| managed_by_rds(rig, &[main, books], &key));
    prove(&hub, &Scenario { arguments, before, ..whole }, depth);
}

fn secrets_for_others(depth: Depth) {
    let (rig, gateway) = (Rig::start(&Wish::organization().with(ledger().unreachable())), FakeGateway::start());
    let (ledger, hub, key) = (rig.database(0), Hub::new(&rig, &[ACCOUNT]), key(&rig));
    let secret = keyed_secret(&rig, ledger, &key);
    let text = format!(
        r#"
ephemeral "rdsaccess_secret" "it" {{
  secret_ref = "{secret}"
}}

resource "rdsaccess_connection" "it" {{
  name            = "ledger-ro"
  target_arn      = "{arn}"
  agent_name      = "lab"
  secret_delivery = "copy"
  role = {{
    username         = "hoop_ro"
    engine           = "postgres"
    endpoint         = "{endpoint}"
    port             = {port}
    default_database = "shop"
    secret_ref       = "{secret}"
    secret_version   = null
  }}
}}
"#,
        arn = ledger.arn,
        endpoint = ledger.endpoint,
        port = ledger.port,
    );
    let gateway_lines = format!("gateway = {{ url = \"{}\", token = \"{ADMIN}\" }}", gateway.url);
    let whole = scenario(&["secret_read"], &[ledger], vec![act(&gateway_lines, &text), act(&gateway_lines, "")]);
    prove(&hub, &Scenario { arguments: format!("kms_key_arns = [\"{key}\"]"), ..whole }, depth);
}

/// A secret of a role at the provider's place, with a customer key.
pub(super) fn keyed_secret(rig: &Rig, database: &Database, key: &str) -> String {
    let Database { account_id, region, identifier, .. } = database;
    let tags = json!([{"Key": "rdsaccess:managed", "Value": "true"}, {"Key": "rdsaccess:target", "Value": database.resource_id}]);
    let value = json!({"username": "hoop_ro", "password": "some-Passw0rd"}).to_string();
    let params: Value = json!({"Name": format!("rdsaccess/{account_id}/{region}/db/{identifier}/hoop_ro"), "Tags": tags,
        "SecretString": value, "KmsKeyId": key});
    rig.aws_of(database, "secretsmanager", "create_secret", &params).unwrap()["ARN"].as_str().unwrap().to_owned()
}

/// Each scenario as a test of a minute, as one that takes every action away (`make test-policy`), and as one that goes
/// through it with the documents of whole accounts.
macro_rules! tests {
    ($($scenario:ident: $short:ident, $long:ident, $whole:ident;)*) => {$(
        #[test]
        fn $short() {
            $scenario(Depth::OnePerStatement);
        }

        #[test]
        #[ignore = "takes minutes: make test-policy"]
        fn $long() {
            $scenario(Depth::Every);
        }

        #[test]
        fn $whole() {
            $scenario(Depth::ByPattern);
        }
    )*};
}

tests! {
    discovery: finding_accounts_and_databases_need_their_documents, finding_accounts_and_databases_need_every_action,
        finding_goes_by_pattern;
    security_group: groups_need_their_documents, groups_need_every_action, groups_go_by_pattern;
    master_credential: master_passwords_need_their_documents, master_passwords_need_every_action,
        master_passwords_go_by_pattern;
    role_with_a_password: roles_with_passwords_need_their_documents, roles_with_passwords_need_every_action,
        roles_with_passwords_go_by_pattern;
    role_with_tokens: roles_with_tokens_need_their_documents, roles_with_tokens_need_every_action,
        roles_with_tokens_go_by_pattern;
    secrets_for_others: reading_secrets_need_their_documents, reading_secrets_need_every_action, reading_secrets_goes_by_pattern;
}
