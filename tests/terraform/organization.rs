//! `examples/organization`: from the tree of an organization to logins and connections, with permissions by unit.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::aws_connect::{boundary, copy, provider_block};
use crate::fixture::{fill, our_roles, planned_changes};
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::Rig;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

/// Databases of two units, one without the tag, and one in a unit that nobody named.
fn rig() -> Rig {
    let managed = |account: &str, region: &str, name: &str, engine: &str| {
        DatabaseWish::instance(account, region, name, engine).holding(&["shop", "other"]).tag("access", "managed")
    };
    let wish = Wish::organization()
        .with(managed("payments-prod", "us-east-1", "ledger", "postgres"))
        .with(managed("payments-eu", "eu-west-1", "orders", "mariadb"))
        .with(managed("sandbox", "us-east-1", "toys", "postgres").unreachable())
        .with(DatabaseWish::instance("payments-prod", "us-east-1", "untagged", "postgres").unreachable());
    let rig = Rig::start(&wish);
    for number in [0, 1] {
        fill(rig.database(number), &["shop", "other"]);
    }
    rig
}

fn workspace<'a>(rig: &'a Rig, gateway: &FakeGateway) -> Workspace<'a> {
    let mut workspace = Workspace::new(rig);
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace.set("TF_VAR_gateway_url", &gateway.url);
    workspace.set("TF_VAR_agent_name", "lab");
    copy(&workspace, "modules/aws-connect", "../modules/aws-connect");
    copy(&workspace, "organization", ".");
    workspace.write("rig_override.tf", &provider_block(rig, ""));
    // The roles cover one database of each server.
    let only = |number: usize| (rig.database(number).arn.clone(), json!({"databases": ["shop"]}));
    let overrides: Value = Value::Object([only(0), only(1)].into_iter().collect());
    workspace.write("overrides.auto.tfvars.json", &json!({ "overrides": overrides }).to_string());
    workspace.init().ok();
    workspace
}

/// The output, by identifier of the database and level.
fn roles(workspace: &Workspace<'_>) -> BTreeMap<String, Value> {
    let databases = workspace.output("roles");
    let mut all = BTreeMap::new();
    for (arn, levels) in databases.as_object().expect("a map") {
        let identifier = arn.rsplit(':').next().expect("an ARN");
        let of_database = levels.as_object().expect("a map of levels");
        all.extend(of_database.iter().map(|(level, role)| (format!("{identifier}/{level}"), role.clone())));
    }
    all
}

fn connections(workspace: &Workspace<'_>) -> Vec<String> {
    roles(workspace).into_keys().collect()
}

#[test]
fn every_database_of_the_units_gets_the_permissions_of_its_unit() {
    let (rig, gateway) = (rig(), FakeGateway::start());
    gateway.toggle("access_control", true);
    let workspace = workspace(&rig, &gateway);
    workspace.apply().ok();
    workspace.plan().nothing();

    let roles = roles(&workspace);
    let expected = ["ledger/ddl", "ledger/read_only", "ledger/read_write", "orders/read_only", "orders/read_write"];
    assert_eq!(connections(&workspace), expected, "ddl is taken away below Prod/EU, and nothing else is touched");
    for (key, role) in &roles {
        let database = rig.database(usize::from(key.starts_with("orders")));
        boundary(&rig, database, role, "shop", "other");
    }
    let name = |key: &str| roles[key]["connection"].as_str().expect("a name").to_owned();
    let stored = |key: &str| gateway.stored(&name(key));
    // Inherited from Workloads by both, and from Prod by the unit below it.
    for database in ["ledger", "orders"] {
        assert_eq!(gateway.groups(&name(&format!("{database}/read_only"))), json!(["developers"]));
        let writer = stored(&format!("{database}/read_write"));
        assert_eq!((&writer["reviewers"], &writer["access_max_duration"]), (&json!(["sre-leads"]), &json!(3600)));
    }
    assert_eq!(stored("ledger/read_only")["reviewers"], json!([]));
    assert_eq!(stored("ledger/ddl")["min_review_approvals"], 2);

    // A word about the unit below moves its databases and no other.
    let below = json!({"permissions": {
        "Root/Workloads": {"levels": {"read_only": {"groups": ["developers"]}}},
        "Root/Workloads/Prod/EU": {"levels": {"read_only": {"groups": ["auditors"]}}},
    }});
    workspace.write("permissions.auto.tfvars.json", &below.to_string());
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(connections(&workspace), ["ledger/read_only", "orders/read_only"]);
    assert_eq!(gateway.groups(&name("ledger/read_only")), json!(["developers"]));
    assert_eq!(gateway.groups(&name("orders/read_only")), json!(["auditors"]));
    assert!(stored("orders/read_write").is_null(), "a level that nobody has any more is gone");
    assert_eq!(our_roles(rig.database(1)), [["hoop_ro"]]);

    workspace.write("permissions.auto.tfvars.json", &below.to_string().replace("auditors", "controllers"));
    workspace.plan().changes();
    let changed: Vec<Value> = planned_changes(&workspace).iter().map(|change| change["address"].clone()).collect();
    let orders = &rig.database(1).arn;
    assert_eq!(changed, [json!(format!("module.database[\"{orders}\"].rdsaccess_connection.this[\"read_only\"]"))]);
    workspace.destroy().ok();
    assert_eq!(our_roles(rig.database(1)), Vec::<Vec<String>>::new());
}
