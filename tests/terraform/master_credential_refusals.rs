//! Which databases `rdsaccess_master_credential` refuses, and what it waits out.

use serde_json::{Value, json};

use crate::fixture::master_secret;
use crate::master_credential::{ADDRESS, configuration, logs_in, modify_calls, on_one_line, stored_password, text};
use crate::rig::Rig;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const METHODS: [&str; 2] = ["", "  method = \"rds_managed\"\n"];

fn postgres() -> Rig {
    Rig::start(&Wish::organization().with(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres")))
}

fn status(rig: &Rig, status: &str) {
    let database = rig.database(0);
    let value = json!({"account": database.account_id, "region": database.region, "kind": "instance",
        "identifier": database.identifier, "status": status});
    rig.control("POST", "status", &value);
}

#[test]
fn a_replica_and_a_member_are_refused_with_the_arn_that_is_taken() {
    let rig = Rig::start(
        &Wish::organization()
            .with(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").unreachable())
            .with(DatabaseWish::cluster("payments-prod", "us-east-1", "orders", "aurora-postgresql").unreachable()),
    );
    let (source, cluster) = (rig.database(0), rig.database(1));
    let params = json!({"DBInstanceIdentifier": "ledger-r", "SourceDBInstanceIdentifier": "ledger"});
    let replica = rig.aws_of(source, "rds", "create_db_instance_read_replica", &params).unwrap();
    let replica = replica["DBInstance"]["DBInstanceArn"].as_str().unwrap();
    let member = source.arn.replace(":db:ledger", ":db:orders-1");
    let workspace = Workspace::new(&rig);
    let cases =
        [(replica, "it is a read replica", &source.arn), (&member, "it is a member of a cluster", &cluster.arn)];
    for (arn, why, instead) in cases {
        for method in METHODS {
            workspace.write("main.tf", &configuration(&rig, method).replace(&source.arn, arn));
            let words = on_one_line(&workspace.plan_run().error());
            assert!(words.contains(why) && words.contains(instead.as_str()), "{words}");
        }
    }
    assert_eq!(modify_calls(&rig), 0);
}

#[test]
fn a_stopped_database_is_refused_with_its_next_step() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    status(&rig, "stopped");
    for method in METHODS {
        workspace.write("main.tf", &configuration(&rig, method));
        let error = workspace.apply().error();
        assert!(error.contains("is stopped") && error.contains("Start it first"), "{error}");
    }
    assert_eq!((modify_calls(&rig), rig.calls("CreateSecret").len()), (0, 0));
}

#[test]
fn another_password_that_waits_is_refused_before_anything_is_stored() {
    let rig = Rig::start(&Wish::organization().with(DatabaseWish::cluster(
        "payments-prod",
        "eu-west-1",
        "ledger",
        "aurora-postgresql",
    )));
    rig.control("PUT", "settings", &json!({"hold_cluster_password": true}));
    let params = json!({"DBClusterIdentifier": "ledger", "MasterUserPassword": "By-Hand.Passw0rd"});
    rig.aws_of(rig.database(0), "rds", "modify_db_cluster", &params).unwrap();
    rig.control("DELETE", "log", &Value::Null);
    let workspace = Workspace::new(&rig);
    let adopted = format!("  adopt_secret_ref = \"{}\"", master_secret(&rig, rig.database(0)));
    rig.control("DELETE", "log", &Value::Null);
    for method in METHODS.into_iter().chain([adopted.as_str()]) {
        workspace.write("main.tf", &configuration(&rig, method));
        let error = workspace.apply().error();
        assert!(on_one_line(&error).contains("Another new master password of"), "{error}");
    }
    assert_eq!((modify_calls(&rig), rig.calls("CreateSecret").len()), (0, 0));
}

#[test]
fn a_busy_database_is_waited_for_within_the_time_out() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    let refusal = |times: i32| {
        json!({"action": "ModifyDBInstance", "times": times, "code": "InvalidDBInstanceState",
            "message": "Database instance is not in available state."})
    };
    for method in METHODS {
        rig.control("POST", "faults", &refusal(-1));
        workspace.write("main.tf", &configuration(&rig, &format!("{method}  timeouts = {{ create = \"4s\" }}")));
        let error = workspace.apply().error();
        assert!(error.contains("not in available state") && error.contains("apply again"), "{error}");
        rig.control("DELETE", "faults", &Value::Null);

        rig.control("DELETE", "log", &Value::Null);
        rig.control("POST", "faults", &refusal(2));
        workspace.write("main.tf", &configuration(&rig, method));
        workspace.apply().ok();
        workspace.plan().nothing();
        assert_eq!(modify_calls(&rig), 3, "two refusals were waited out");
        let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
        assert!(logs_in(&rig, &stored_password(&rig, &secret_ref)));
        workspace.run(&["state", "rm", ADDRESS]).ok();
    }
}

fn pending_of_ours(rig: &Rig, workspace: &Workspace<'_>) {
    let fault = json!({"action": "ModifyDBInstance", "times": -1, "code": "InsufficientDBInstanceCapacity"});
    rig.control("POST", "faults", &fault);
    workspace.write("main.tf", &configuration(rig, ""));
    workspace.apply().error();
    rig.control("DELETE", "faults", &Value::Null);
    assert_eq!(rig.calls("PutSecretValue").len(), 1, "a pending version waits");
    rig.control("DELETE", "log", &Value::Null);
}

/// A password that an earlier run stored and RDS never took is not set because another secret is adopted.
#[test]
fn an_adopted_password_replaces_a_pending_one_that_rds_never_took() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    pending_of_ours(&rig, &workspace);
    let adopted = format!("  adopt_secret_ref = \"{}\"", master_secret(&rig, rig.database(0)));
    workspace.write("main.tf", &configuration(&rig, &adopted));
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(modify_calls(&rig), 0, "nothing is reset");
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    assert_eq!(stored_password(&rig, &secret_ref), rig.database(0).master_password);
}

/// The first run of an adoption stored what was adopted and died; then the owner rotated it.
#[test]
fn an_adoption_that_was_cut_off_takes_the_password_of_today() {
    let rig = postgres();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    let adopted = master_secret(&rig, database);
    workspace.write("main.tf", &configuration(&rig, &format!("  adopt_secret_ref = \"{adopted}\"")));
    rig.control("POST", "deny", &json!({"actions": ["secretsmanager:UpdateSecretVersionStage"]}));
    workspace.apply().error();
    rig.control("DELETE", "deny", &Value::Null);
    let params = json!({"DBInstanceIdentifier": "ledger", "MasterUserPassword": "Rotated.By-0wner"});
    rig.aws_of(database, "rds", "modify_db_instance", &params).unwrap();
    let value = json!({"username": database.master_username, "password": "Rotated.By-0wner"}).to_string();
    let params = json!({"SecretId": adopted, "SecretString": value});
    rig.aws_of(database, "secretsmanager", "put_secret_value", &params).unwrap();
    rig.control("DELETE", "log", &Value::Null);
    workspace.apply().ok();
    assert_eq!(modify_calls(&rig), 0, "nothing is reset");
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    assert_eq!(stored_password(&rig, &secret_ref), "Rotated.By-0wner");
    assert!(logs_in(&rig, "Rotated.By-0wner"));
}

#[test]
fn the_secret_of_a_renamed_database_outlives_a_destroy() {
    let rig = postgres();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, ""));
    workspace.apply().ok();
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    let params = json!({"DBInstanceIdentifier": "ledger", "NewDBInstanceIdentifier": "ledger-old",
        "ApplyImmediately": true});
    rig.aws_of(database, "rds", "modify_db_instance", &params).unwrap();
    let now = format!("{}-old", database.arn);
    let plan = on_one_line(&workspace.plan().changes().stdout);
    assert!(plan.contains("The database was renamed") && plan.contains(&now), "{plan}");
    let destroyed = on_one_line(&workspace.destroy().ok().stdout);
    assert!(destroyed.contains("its secret stays") && destroyed.contains(&now), "{destroyed}");
    let secret = rig.aws_of(database, "secretsmanager", "describe_secret", &json!({"SecretId": secret_ref})).unwrap();
    assert!(secret["DeletedDate"].is_null(), "{secret}");
}

#[test]
fn an_import_that_finds_no_secret_or_cannot_look_says_so() {
    let rig = postgres();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    let plain = configuration(&rig, "");
    workspace.write("main.tf", &plain);
    let error = on_one_line(&workspace.import(ADDRESS, &database.arn).error());
    let name = format!("rdsaccess/{}/us-east-1/db/ledger/{}", database.account_id, database.master_username);
    assert!(error.contains(&name) && error.contains("leave the import out"), "{error}");

    workspace.apply().ok();
    workspace.run(&["state", "rm", ADDRESS]).ok();
    workspace.write("main.tf", &plain.replace("tags = {", "on_unreachable = \"keep\"\n  tags = {"));
    status(&rig, "stopped");
    let error = workspace.import(ADDRESS, &database.arn).error();
    assert!(error.contains("is stopped"), "{error}");
    assert!(workspace.resource(ADDRESS).is_none(), "no empty state is kept");
}
