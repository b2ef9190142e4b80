//! What `rdsaccess_instances` lists as a target, and what under `others` with the reason.

use serde_json::{Value, json};

use super::{contains_all, data, workspace};
use crate::rig::Rig;
use crate::wish::{DatabaseWish, Wish};

const ACCOUNT: &str = "payments-prod";
const REGION: &str = "eu-west-1";

fn make(rig: &Rig, region: &str, operation: &str, value: &Value) {
    rig.aws(Some(ACCOUNT), region, "rds", operation, value).unwrap_or_else(|e| panic!("{operation} {value}: {e:?}"));
}

fn cluster(rig: &Rig, region: &str, identifier: &str, more: &Value) {
    let mut wish = json!({
        "DBClusterIdentifier": identifier, "Engine": "aurora-postgresql", "MasterUsername": "admin1",
        "MasterUserPassword": "Initial-Passw0rd",
    });
    for (name, value) in more.as_object().expect("an object") {
        wish[name] = value.clone();
    }
    make(rig, region, "create_db_cluster", &wish);
}

fn instance(rig: &Rig, identifier: &str, engine: &str, more: &Value) {
    let mut wish = json!({
        "DBInstanceIdentifier": identifier, "Engine": engine, "DBInstanceClass": "db.m5.large",
    });
    for (name, value) in more.as_object().expect("an object") {
        wish[name] = value.clone();
    }
    make(rig, REGION, "create_db_instance", &wish);
}

fn alone() -> Value {
    json!({ "AllocatedStorage": 20, "MasterUsername": "admin1", "MasterUserPassword": "Initial-Passw0rd" })
}

#[test]
fn every_kind_of_database_is_a_target_or_has_a_reason() {
    let ledger = DatabaseWish::cluster(ACCOUNT, REGION, "ledger", "aurora-postgresql").unreachable();
    let rig = Rig::start(&Wish::organization().with(ledger));
    let account = rig.account_id(ACCOUNT);
    let set_engine = |kind: &str, identifier: &str, engine: &str| {
        let place = json!({
            "account": account, "region": REGION, "kind": kind, "identifier": identifier, "engine": engine,
        });
        rig.control("POST", "engine", &place);
    };
    cluster(
        &rig,
        REGION,
        "elastic",
        &json!({ "ServerlessV2ScalingConfiguration": { "MinCapacity": 0.5, "MaxCapacity": 4.0 } }),
    );
    instance(
        &rig,
        "elastic-1",
        "aurora-postgresql",
        &json!({ "DBClusterIdentifier": "elastic", "DBInstanceClass": "db.serverless" }),
    );
    cluster(&rig, REGION, "old-serverless", &json!({ "EngineMode": "serverless" }));
    cluster(
        &rig,
        REGION,
        "three-zones",
        &json!({ "Engine": "postgres", "DBClusterInstanceClass": "db.m5d.large", "AllocatedStorage": 100, "StorageType": "io1", "Iops": 1000 }),
    );
    for (identifier, engine) in [("oracle", "oracle-ee"), ("db2", "db2-ae"), ("custom", "custom-sqlserver-ee")] {
        instance(&rig, identifier, "postgres", &alone());
        set_engine("instance", identifier, engine);
    }
    for (identifier, engine) in [("graph", "neptune"), ("documents", "docdb")] {
        cluster(&rig, REGION, identifier, &json!({}));
        set_engine("cluster", identifier, engine);
    }
    make(
        &rig,
        REGION,
        "create_global_cluster",
        &json!({ "GlobalClusterIdentifier": "world", "Engine": "aurora-postgresql" }),
    );
    cluster(&rig, REGION, "world-primary", &json!({ "GlobalClusterIdentifier": "world" }));
    let primary = format!("arn:aws:rds:{REGION}:{account}:cluster:world-primary");
    let secondary = json!({ "GlobalClusterIdentifier": "world", "ReplicationSourceIdentifier": primary });
    cluster(&rig, "us-east-1", "world-secondary", &secondary);
    instance(&rig, "stopped", "mysql", &alone());
    let stopped = json!({
        "account": account, "region": REGION, "kind": "instance", "identifier": "stopped", "status": "stopped",
    });
    rig.control("POST", "status", &stopped);

    let configuration = format!(
        "data \"rdsaccess_instances\" \"all\" {{\n  account_ids = [{account:?}]\n  regions = [{REGION:?}, \
         \"us-east-1\"]\n}}\n"
    );
    let workspace = workspace(&rig, "", &configuration);
    workspace.apply().ok();
    let found = data(&workspace, "rdsaccess_instances.all");
    let targets = found["targets"].as_object().expect("a map").values();
    let mut targets: Vec<(&str, &str, bool)> = targets
        .map(|t| (t["identifier"].as_str().unwrap(), t["engine"].as_str().unwrap(), t["aurora"].as_bool().unwrap()))
        .collect();
    targets.sort_unstable();
    let expected = [
        ("elastic", "postgres", true),
        ("ledger", "postgres", true),
        ("old-serverless", "postgres", true),
        ("stopped", "mysql", false),
        ("three-zones", "postgres", false),
        ("world-primary", "postgres", true),
    ];
    assert_eq!(targets, expected);

    let others = found["others"].as_object().expect("a map");
    let reason = |identifier: &str| {
        let other = others.values().find(|other| other["identifier"] == identifier);
        other.unwrap_or_else(|| panic!("{identifier} is not in {others:?}"))["reason"].as_str().unwrap()
    };
    let elastic = format!("arn:aws:rds:{REGION}:{account}:cluster:elastic");
    for (identifier, part) in [
        ("elastic-1", elastic.as_str()),
        ("ledger-1", "use the cluster's ARN"),
        ("ledger-2", "use the cluster's ARN"),
        ("oracle", "`oracle-ee` is not supported"),
        ("db2", "`db2-ae` is not supported"),
        ("custom", "RDS Custom"),
        ("graph", "Neptune is a graph database"),
        ("documents", "DocumentDB is no SQL database"),
        ("world-secondary", primary.as_str()),
    ] {
        contains_all(reason(identifier), &[part]);
    }
    assert_eq!(others.len(), 9, "{others:?}");
}
