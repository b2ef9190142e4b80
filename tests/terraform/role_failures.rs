//! What goes wrong with `rdsaccess_role`: each gives one error that names the database and the next step.

use serde_json::json;

use crate::blocks;
use crate::rig::{Database, Rig};
use crate::sql::as_owner;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

fn configuration(rig: &Rig, arn: &str, arguments: &str, block: &str) -> String {
    format!(
        "{}\nresource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{arn}\"\n  access = \"read_only\"\n{arguments}\n}}\n",
        blocks::provider(rig, block)
    )
}

fn secret(rig: &Rig, database: &Database, name: &str, value: &str) -> String {
    let params = json!({"Name": name, "SecretString": value});
    let made = rig.aws_of(database, "secretsmanager", "create_secret", &params).unwrap();
    made["ARN"].as_str().unwrap().to_owned()
}

fn admin(rig: &Rig, database: &Database, password: &str) -> String {
    let value = json!({"username": database.master_username, "password": password}).to_string();
    let arn = secret(rig, database, &format!("masters/{}-{}", database.identifier, password.len()), &value);
    format!("  admin = {{ secret_ref = \"{arn}\" }}")
}

/// A PostgreSQL server with one database.
fn ledger() -> Rig {
    let ledger = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").holding(&["shop"]);
    Rig::start(&Wish::organization().with(ledger))
}

/// One error that holds every word.
fn expect(workspace: &Workspace<'_>, words: &[&str]) {
    let error = workspace.apply().error();
    for word in words {
        assert!(error.contains(word), "`{word}` is not in:\n{error}");
    }
    assert!(workspace.resource("rdsaccess_role.it").is_none(), "nothing was made:\n{error}");
}

#[test]
fn a_database_that_is_being_created_is_asked_for_patience() {
    let rig = Rig::start(
        &Wish::organization()
            .with(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").unreachable()),
    );
    let workspace = Workspace::new(&rig);
    rig.control("PUT", "settings", &json!({"create_polls": 1000}));
    let params = json!({
        "DBInstanceIdentifier": "young", "Engine": "postgres", "DBInstanceClass": "db.t3.small", "AllocatedStorage": 20,
        "MasterUsername": "admin1", "MasterUserPassword": "S3cretPass-1",
    });
    let made = rig.aws_of(rig.database(0), "rds", "create_db_instance", &params).unwrap();
    let arn = made["DBInstance"]["DBInstanceArn"].as_str().unwrap();
    let listed = rig.aws_of(rig.database(0), "rds", "describe_db_instances", &json!({"DBInstanceIdentifier": "young"}));
    assert_eq!(listed.unwrap()["DBInstances"][0]["Endpoint"], json!(null));

    workspace.write("main.tf", &configuration(&rig, arn, "", ""));
    expect(&workspace, &["not ready", "has no endpoint yet (status creating)", arn, "apply again"]);
}

#[test]
fn databases_that_cannot_be_managed_are_refused_with_the_reason() {
    let rig = Rig::start(
        &Wish::organization()
            .with(DatabaseWish::cluster("payments-prod", "us-east-1", "ledger", "aurora-postgresql").unreachable())
            .with(DatabaseWish::instance("payments-prod", "us-east-1", "shop", "mariadb").unreachable()),
    );
    let cluster = &rig.database(0).arn;
    let members = rig
        .aws_of(rig.database(0), "rds", "describe_db_clusters", &json!({"DBClusterIdentifier": "ledger"}))
        .unwrap()["DBClusters"][0]["DBClusterMembers"]
        .clone();
    let member = members[0]["DBInstanceIdentifier"].as_str().unwrap();
    let member_arn = cluster.replace(":cluster:ledger", &format!(":db:{member}"));
    let workspace = Workspace::new(&rig);

    workspace.write("main.tf", &configuration(&rig, &member_arn, "", ""));
    expect(&workspace, &["cannot be managed", &member_arn, cluster]);

    let params = json!({
        "DBInstanceIdentifier": "reports", "Engine": "sqlserver-ex", "EngineVersion": "15.00.4385.2.v1",
        "DBInstanceClass": "db.t3.small", "AllocatedStorage": 20, "MasterUsername": "admin1",
        "MasterUserPassword": "S3cretPass-1",
    });
    let made = rig.aws_of(rig.database(0), "rds", "create_db_instance", &params).unwrap();
    let sqlserver = made["DBInstance"]["DBInstanceArn"].as_str().unwrap().to_owned();
    workspace.write("main.tf", &configuration(&rig, &sqlserver, "  auth = \"iam\"", ""));
    expect(&workspace, &["No IAM authentication on SQL Server", &sqlserver]);

    workspace.write("main.tf", &configuration(&rig, &sqlserver, "  connection_limit = 3", ""));
    expect(&workspace, &["`connection_limit` does not fit the engine", &sqlserver]);

    workspace.write("main.tf", &configuration(&rig, &sqlserver, "  schemas = [\"app\"]", ""));
    expect(&workspace, &["`schemas` does not fit the engine", &sqlserver]);

    workspace.write("main.tf", &configuration(&rig, &sqlserver, "  name = \"sa\"", ""));
    expect(&workspace, &["name does not fit the engine", "reserved"]);

    workspace.write("main.tf", &configuration(&rig, cluster, "  name = \"admin1\"", ""));
    expect(&workspace, &["master user cannot be a role", cluster]);

    workspace.write("main.tf", &configuration(&rig, cluster, "  host = \"10.%\"", ""));
    expect(&workspace, &["`host` does not fit the engine", "mysql"]);

    workspace.write("main.tf", &configuration(&rig, &rig.database(1).arn, "  schemas = [\"app\"]", ""));
    expect(&workspace, &["`schemas` does not fit the engine", "mariadb"]);

    let name = "x".repeat(64);
    workspace.write("main.tf", &configuration(&rig, cluster, &format!("  name = \"{name}\""), ""));
    expect(&workspace, &["name does not fit the engine", "63"]);

    workspace.write("main.tf", &configuration(&rig, &cluster.replace("ledger", "nothing"), "", ""));
    expect(&workspace, &["No such database", "cluster:nothing"]);

    workspace.write("main.tf", &configuration(&rig, "arn:aws:rds:us-east-1:999999999999:db:ledger", "", ""));
    expect(&workspace, &["Cannot enter the account", "999999999999"]);
}

#[test]
fn an_administrator_that_is_missing_or_wrong_is_named() {
    let rig = Rig::start(&Wish::organization().with(DatabaseWish::instance(
        "payments-prod",
        "us-east-1",
        "ledger",
        "postgres",
    )));
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);

    workspace.write("main.tf", &configuration(&rig, &database.arn, "", ""));
    expect(&workspace, &["No administrator", &database.arn, "rdsaccess_master_credential"]);

    workspace.write("main.tf", &configuration(&rig, &database.arn, &admin(&rig, database, "not-the-password"), ""));
    expect(&workspace, &["refused the login", &database.master_username, &database.arn]);

    let nonsense = secret(&rig, database, "masters/nonsense", "hunter2hunter2");
    let arguments = format!("  admin = {{ secret_ref = \"{nonsense}\" }}");
    workspace.write("main.tf", &configuration(&rig, &database.arn, &arguments, ""));
    expect(&workspace, &["masters/nonsense", "JSON"]);
    assert_eq!(workspace.leaks(&["hunter2hunter2"]), []);
}

#[test]
fn a_server_that_shows_another_certificate_is_refused() {
    let rig = Rig::start(&Wish::organization().with(DatabaseWish::instance(
        "payments-prod",
        "us-east-1",
        "ledger",
        "postgres",
    )));
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    let text = configuration(&rig, &database.arn, &admin(&rig, database, &database.master_password), "");
    let line = format!("tls = {{ ca_bundle = file(\"{}\") }}", rig.made.ca_file.display());
    assert!(text.contains(&line));
    workspace.write("main.tf", &text.replace(&line, ""));
    expect(&workspace, &["Cannot verify the database server", &database.arn, "ca_bundle"]);
}

#[test]
fn a_database_out_of_reach_keeps_the_state_when_asked_to() {
    let rig = Rig::start(&Wish::organization().with(DatabaseWish::instance(
        "payments-prod",
        "us-east-1",
        "ledger",
        "postgres",
    )));
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    let admin = admin(&rig, database, &database.master_password);
    workspace.write("main.tf", &configuration(&rig, &database.arn, &admin, ""));
    workspace.apply().ok();

    rig.control("POST", "deny", &json!({"account": database.account_id, "actions": ["secretsmanager:GetSecretValue"]}));
    let error = workspace.plan_run();
    assert_eq!(error.code, 1, "{}", error.stdout);
    workspace.write("main.tf", &configuration(&rig, &database.arn, &admin, "on_unreachable = \"keep\""));
    let kept = workspace.plan().nothing();
    assert!(kept.stdout.contains("Warning"), "{}", kept.stdout);

    workspace.write("main.tf", &configuration(&rig, &database.arn, &admin, "refresh = \"aws\""));
    workspace.plan().nothing();
}

#[test]
fn a_chosen_database_that_is_missing_is_refused_before_anything_is_made() {
    let rig = ledger();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    let admin = admin(&rig, database, &database.master_password);
    let arguments = format!("{admin}\n  databases = [\"shop\", \"nope\"]");
    workspace.write("main.tf", &configuration(&rig, &database.arn, &arguments, ""));
    expect(&workspace, &["cannot be covered", "nope", &database.arn]);
    let secrets = rig.aws_of(database, "secretsmanager", "list_secrets", &json!({})).unwrap();
    assert_eq!(secrets["SecretList"].as_array().unwrap().len(), 1, "nothing was stored: {secrets}");
}

#[test]
fn an_administrator_whose_login_is_refused_leaves_room_for_the_plan_that_repairs_it() {
    let rig = ledger();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    let text = format!(
        "{}\nresource \"rdsaccess_master_credential\" \"it\" {{\n  target_arn = \"{arn}\"\n}}\nresource \"rdsaccess_role\" \
         \"it\" {{\n  target_arn = \"{arn}\"\n  access = \"read_only\"\n  admin = {{ secret_ref = \
         rdsaccess_master_credential.it.secret_ref }}\n}}\n",
        blocks::provider(&rig, ""),
        arn = database.arn,
    );
    workspace.write("main.tf", &text);
    workspace.apply().ok();
    workspace.plan().nothing();
    let change = format!("ALTER ROLE \"{}\" PASSWORD 'changed-by-hand-1'", database.master_username);
    as_owner(database, "postgres", &change);
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("rdsaccess_master_credential.it will be updated"), "{plan}");
    assert!(plan.contains("Warning"), "the role says that it was not refreshed:\n{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
}

#[test]
fn a_role_is_imported_although_its_administrator_is_known_to_the_configuration_only() {
    let rig = ledger();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    let admin = admin(&rig, database, &database.master_password);
    workspace.write("main.tf", &configuration(&rig, &database.arn, &admin, ""));
    workspace.apply().ok();
    let before = workspace.resource("rdsaccess_role.it").unwrap();
    workspace.run(&["state", "rm", "rdsaccess_role.it"]).ok();
    workspace.import("rdsaccess_role.it", &format!("{}|hoop_ro", database.arn)).ok();
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("will be updated in-place"), "{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
    let after = workspace.resource("rdsaccess_role.it").unwrap();
    assert_eq!(after["secret_version"], before["secret_version"], "a password that works is kept");
}

#[test]
fn a_role_made_by_hand_after_destroy_is_not_taken_over() {
    let rig = ledger();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    let admin = admin(&rig, database, &database.master_password);
    workspace.write("main.tf", &configuration(&rig, &database.arn, &admin, ""));
    workspace.apply().ok();
    workspace.destroy().ok();
    as_owner(database, "shop", "CREATE ROLE hoop_ro LOGIN PASSWORD 'by-hand-1'");
    expect(&workspace, &["hoop_ro", "import"]);
}

fn is_stopped(rig: &Rig, status: &str) {
    let database = rig.database(0);
    let value = json!({"account": database.account_id, "region": database.region, "kind": "instance",
        "identifier": database.identifier, "status": status});
    rig.control("POST", "status", &value);
}

#[test]
fn a_stopped_database_stops_a_refresh_that_needs_a_session_alone() {
    let rig = ledger();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    let admin = admin(&rig, database, &database.master_password);
    let write = |block: &str| workspace.write("main.tf", &configuration(&rig, &database.arn, &admin, block));
    write("");
    workspace.apply().ok();
    is_stopped(&rig, "stopped");
    let error = workspace.plan_run().error();
    assert!(error.contains("is stopped"), "{error}");
    write("on_unreachable = \"keep\"");
    assert!(workspace.plan().nothing().stdout.contains("is stopped"));
    write("refresh = \"aws\"");
    workspace.plan().nothing();
    write("");
    is_stopped(&rig, "available");
    workspace.plan().nothing();
}

#[test]
fn a_secret_of_a_database_that_is_gone_may_be_out_of_reach_too() {
    let rig = ledger();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    let admin = admin(&rig, database, &database.master_password);
    let write = |block: &str| workspace.write("main.tf", &configuration(&rig, &database.arn, &admin, block));
    write("");
    workspace.apply().ok();
    let params = json!({"DBInstanceIdentifier": "ledger", "SkipFinalSnapshot": true});
    rig.aws_of(database, "rds", "delete_db_instance", &params).unwrap();
    let deny = json!({"account": database.account_id, "actions": ["secretsmanager:DescribeSecret"]});
    rig.control("POST", "deny", &deny);
    let error = workspace.plan_run().error();
    assert!(error.contains("DescribeSecret"), "{error}");
    write("on_unreachable = \"keep\"");
    let kept = workspace.plan().nothing();
    assert!(kept.stdout.contains("Warning") && kept.stdout.contains("DescribeSecret"), "{}", kept.stdout);
    rig.control("DELETE", "deny", &serde_json::Value::Null);
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("must be replaced"), "{plan}");
}
