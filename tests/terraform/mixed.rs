//! Beside hashicorp/aws: a database that is made in the same apply, and access to it.

use serde_json::json;

use crate::blocks;
use crate::fixture::{login, our_roles, secret_of};
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::{Database, Rig};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Workspace, aws_mirror};

/// hashicorp/aws in the account and region of the database.
pub(crate) fn aws_provider(rig: &Rig, database: &Database) -> String {
    let services = ["ec2", "rds", "sts", "iam", "organizations", "secretsmanager", "kms"];
    let endpoints: String = services.iter().map(|name| format!("    {name} = \"{}\"\n", rig.made.endpoint)).collect();
    format!(
        r#"
provider "aws" {{
  region                      = "{region}"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  assume_role {{
    role_arn = "arn:aws:iam::{account}:role/{role}"
  }}
  endpoints {{
{endpoints}  }}
}}
"#,
        region = database.region,
        account = database.account_id,
        role = rig.made.organization.member_role,
    )
}

/// The database and its master's secret by hashicorp/aws, group, role and connection by us.
fn configuration(rig: &Rig, database: &Database) -> String {
    format!(
        r#"{ours}{aws}
resource "aws_db_instance" "it" {{
  identifier             = "{identifier}"
  engine                 = "postgres"
  instance_class         = "db.t4g.micro"
  allocated_storage      = 20
  username               = "{master}"
  password               = "{password}"
  port                   = {port}
  db_subnet_group_name   = "dbs"
  vpc_security_group_ids = ["{base}"]
  skip_final_snapshot    = true
  tags                   = {{ team = "payments" }}

  lifecycle {{
    ignore_changes = [vpc_security_group_ids]
  }}
}}

resource "aws_secretsmanager_secret" "master" {{
  name                    = "masters/{identifier}"
  recovery_window_in_days = 0
}}

resource "aws_secretsmanager_secret_version" "master" {{
  secret_id     = aws_secretsmanager_secret.master.id
  secret_string = jsonencode({{ username = "{master}", password = "{password}" }})
}}

resource "rdsaccess_security_group" "it" {{
  target_arn = aws_db_instance.it.arn
  ingress    = [{{ cidr_ipv4 = "10.20.0.0/16" }}]
}}

resource "rdsaccess_role" "it" {{
  target_arn = aws_db_instance.it.arn
  access     = "read_only"
  admin      = {{ secret_ref = aws_secretsmanager_secret_version.master.arn }}
}}

resource "rdsaccess_connection" "it" {{
  name       = "later-ro"
  target_arn = aws_db_instance.it.arn
  role       = rdsaccess_role.it
  agent_name = "lab"
}}
"#,
        ours = blocks::provider(rig, ""),
        aws = aws_provider(rig, database),
        identifier = database.identifier,
        master = database.master_username,
        password = database.master_password,
        port = database.port,
        base = rig.network(database).db_base,
    )
}

#[test]
fn a_database_of_the_peer_provider_and_access_to_it_are_made_in_one_apply() {
    if aws_mirror().is_none() {
        eprintln!("skipped: RDSACCESS_AWS_MIRROR names no mirror with hashicorp/aws");
        return;
    }
    let later = DatabaseWish::instance("payments-prod", "us-east-1", "later", "postgres");
    // With a database of other people comes the network: VPC, subnets, a group.
    let other = DatabaseWish::instance("payments-prod", "us-east-1", "other", "postgres").unreachable();
    let wish = Wish::organization().with(later.holding(&["shop"]).not_yet_in_aws()).with(other);
    let (rig, gateway) = (Rig::start(&wish), FakeGateway::start());
    let database = rig.database(0);
    let mut workspace = Workspace::new(&rig);
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace.write("main.tf", &configuration(&rig, database));
    workspace.init().ok();

    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("6 to add, 0 to change, 0 to destroy"), "{plan}");
    let planned = workspace.planned();
    let ours = planned["resource_changes"].as_array().unwrap().iter().filter(|c| c["type"] == "rdsaccess_role");
    let unknown: Vec<_> = ours.map(|c| c["change"]["after_unknown"]["target_arn"].clone()).collect();
    assert_eq!(unknown, [json!(true)], "the database does not exist yet");
    workspace.apply_planned().ok();
    workspace.plan().nothing();

    let role = workspace.resource("rdsaccess_role.it").unwrap();
    assert_eq!((&role["credential"], &role["coverage"]["shop"]), (&json!("ok"), &json!("complete")));
    assert_eq!(role["endpoint"], database.endpoint.as_str());
    assert_eq!(login(&rig, database, &role).database("shop").run(&rig, "SELECT 1").unwrap(), [["1"]]);
    let group = workspace.resource("rdsaccess_security_group.it").unwrap();
    assert_eq!(group["attached"], true);
    let params = json!({ "DBInstanceIdentifier": database.identifier });
    let instance = rig.aws_of(database, "rds", "describe_db_instances", &params).unwrap();
    let groups = instance["DBInstances"][0]["VpcSecurityGroups"].to_string();
    let base = &rig.network(database).db_base;
    assert!(groups.contains(base) && groups.contains(group["id"].as_str().unwrap()), "{groups}");
    assert!(!gateway.stored("later-ro").is_null());

    workspace.destroy().ok();
    assert!(rig.aws_of(database, "rds", "describe_db_instances", &params).is_err(), "the database is gone");
    assert_eq!(our_roles(database), Vec::<Vec<String>>::new());
    assert!(secret_of(&rig, database, "hoop_ro").expect("it waits for its deletion").get("DeletedDate").is_some());
    let id = json!({ "GroupIds": [group["id"]] });
    assert!(rig.aws_of(database, "ec2", "describe_security_groups", &id).is_err(), "the group is gone");
    assert!(gateway.stored("later-ro").is_null());
}
