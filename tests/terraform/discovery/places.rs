//! `rdsaccess_instances` over accounts and regions of which some are off, denied, throttled or large.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{contains_all, data, errors, names, workspace};
use crate::rig::Rig;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

fn instance(account: &str, region: &str, identifier: &str) -> DatabaseWish {
    DatabaseWish::instance(account, region, identifier, "postgres").unreachable()
}

fn databases() -> Wish {
    Wish::organization()
        .with(instance("payments-eu", "eu-west-1", "orders-1"))
        .with(instance("payments-eu", "us-east-1", "orders-2"))
        .with(instance("orders-eu", "eu-west-1", "stock"))
        .with(instance("payments-prod", "eu-west-1", "ledger"))
}

/// The data source over accounts and regions, with further arguments.
fn source(rig: &Rig, accounts: &[&str], regions: &[&str], arguments: &str) -> String {
    let ids: Vec<&str> = accounts.iter().map(|name| rig.account_id(name)).collect();
    format!(
        "data \"rdsaccess_instances\" \"all\" {{\n  account_ids = {ids:?}\n  regions = {regions:?}\n{arguments}\n}}\n"
    )
}

fn found(workspace: &Workspace<'_>) -> Value {
    data(workspace, "rdsaccess_instances.all")
}

/// The identifiers of the targets, sorted.
fn targets(workspace: &Workspace<'_>) -> Vec<String> {
    let found = found(workspace);
    let targets = found["targets"].as_object().expect("a map").values();
    let mut identifiers: Vec<String> = targets.map(|t| t["identifier"].as_str().expect("a name").to_owned()).collect();
    identifiers.sort();
    identifiers
}

/// Account and region of each entry of `errors`, as they stand.
fn failed(workspace: &Workspace<'_>) -> Vec<(String, Option<String>)> {
    let found = found(workspace);
    let errors = found["errors"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    errors.map(|e| (text(&e["account_id"]).expect("an account"), text(&e["region"]))).collect()
}

fn shown(workspace: &Workspace<'_>) -> String {
    workspace.run(&["show", "-json", "-no-color"]).ok().stdout
}

/// The calls of RDS since the log was cleared.
fn asked_of_rds(rig: &Rig) -> Vec<Value> {
    rig.control("GET", "log?service=rds", &Value::Null).as_array().cloned().expect("a list")
}

#[test]
fn a_region_that_is_off_is_never_asked_by_a_star_and_told_when_it_is_named() {
    let rig = Rig::start(&databases());
    let account = rig.account_id("payments-eu");
    let switch = |enabled: bool| {
        rig.control("POST", "regions", &json!({ "account": account, "region": "af-south-1", "enabled": enabled }))
    };
    let everywhere = source(&rig, &["payments-eu"], &["*"], "");
    let workspace = workspace(&rig, "", &everywhere);
    rig.control("DELETE", "log", &Value::Null);
    workspace.apply().ok();
    assert_eq!(targets(&workspace), ["orders-1", "orders-2"]);
    let regions: BTreeSet<String> =
        asked_of_rds(&rig).iter().map(|call| call["region"].as_str().unwrap().to_owned()).collect();
    assert!(regions.contains("eu-west-1") && regions.contains("ap-northeast-1") && !regions.contains("af-south-1"));
    let asked = rig.calls("DescribeRegions");
    assert!(asked.iter().all(|call| call["account"] == account && call["region"] == rig.made.region), "{asked:?}");

    switch(true);
    let create = json!({
        "DBInstanceIdentifier": "cape", "Engine": "postgres", "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20, "MasterUsername": "admin1", "MasterUserPassword": "Initial-Passw0rd",
    });
    rig.aws(Some("payments-eu"), "af-south-1", "rds", "create_db_instance", &create).expect("a database there");
    workspace.apply().ok();
    assert_eq!(targets(&workspace), ["cape", "orders-1", "orders-2"]);

    switch(false);
    workspace.apply().ok();
    assert_eq!(targets(&workspace), ["orders-1", "orders-2"]);
    workspace.write("main.tf", &source(&rig, &["payments-eu"], &["*", "af-south-1"], ""));
    let run = workspace.plan_run();
    let enable = format!("Enable af-south-1 in account {account}");
    contains_all(&run.error(), &["The region is not enabled in the account", "region af-south-1", &enable]);
    assert_eq!(errors(&run), 1, "{}", run.stderr);

    workspace.write("main.tf", &source(&rig, &["payments-eu"], &["*", "af-south-1"], "  on_error = \"report\""));
    workspace.apply().ok();
    assert_eq!(targets(&workspace), ["orders-1", "orders-2"]);
    assert_eq!(failed(&workspace), [(account.to_owned(), Some("af-south-1".to_owned()))]);

    rig.control("POST", "deny", &json!({ "actions": ["ec2:DescribeRegions"], "account": account }));
    workspace.write("main.tf", &everywhere);
    let allow = format!("Allow ec2:DescribeRegions for arn:aws:iam::{account}:role/");
    contains_all(&workspace.plan_run().error(), &["AWS denied access", &allow, "name the regions instead of `*`"]);
    workspace.write("main.tf", &source(&rig, &["payments-eu"], &["af-south-1", "eu-west-1"], ""));
    let check = format!("Check that af-south-1 is enabled in account {account}");
    contains_all(&workspace.plan_run().error(), &["The region refuses the credentials", &check]);
    let both = source(&rig, &["payments-eu"], &["*", "eu-west-1"], "  on_error = \"report\"");
    workspace.write("main.tf", &both);
    workspace.apply().ok();
    assert_eq!(targets(&workspace), ["orders-1"], "what is named is read although the others cannot be listed");
    assert_eq!(failed(&workspace), [(account.to_owned(), None)]);
}

#[test]
fn one_denied_region_is_told_precisely_and_always_in_the_same_words() {
    let rig = Rig::start(&databases());
    let (payments, orders) = (rig.account_id("payments-eu"), rig.account_id("orders-eu"));
    let accounts = ["payments-eu", "orders-eu", "payments-prod"];
    let regions = ["eu-west-1", "us-east-1"];
    rig.control(
        "POST",
        "deny",
        &json!([
            { "actions": ["rds:Describe*"], "account": payments, "region": "us-east-1" },
            { "actions": ["rds:DescribeDBClusters"], "account": orders },
        ]),
    );
    let workspace = workspace(&rig, "", &source(&rig, &accounts, &regions, ""));
    let run = workspace.plan_run();
    let both = format!("rds:DescribeDBInstances and rds:DescribeDBClusters in account {payments}, region us-east-1");
    let allow = format!("Allow rds:DescribeDBClusters for arn:aws:iam::{orders}:role/");
    let listed = format!("In account {orders} these regions could not be read: eu-west-1, us-east-1.");
    contains_all(&run.error(), &["AWS denied access", &both, &allow, &listed]);
    assert!(!run.error().contains(&format!("account {payments}, region eu-west-1")), "{}", run.error());
    assert_eq!(errors(&run), 2, "{}", run.stderr);
    assert_eq!(workspace.plan_run().error(), run.error());

    workspace.write("main.tf", &source(&rig, &accounts, &regions, "  on_error = \"report\""));
    workspace.apply().ok();
    assert_eq!(targets(&workspace), ["ledger", "orders-1"]);
    let mut expected = vec![
        (payments.to_owned(), Some("us-east-1".to_owned())),
        (orders.to_owned(), Some("eu-west-1".to_owned())),
        (orders.to_owned(), Some("us-east-1".to_owned())),
    ];
    expected.sort();
    assert_eq!(failed(&workspace), expected, "by account, then by region");
    let before = shown(&workspace);
    workspace.plan().nothing();
    workspace.apply().ok();
    assert_eq!(shown(&workspace), before, "two runs give the same bytes");
}

#[test]
fn a_throttled_account_is_read_completely_and_delays_nobody() {
    const THROTTLED: usize = 12;
    let rig = Rig::start(&databases());
    let throttled = rig.account_id("payments-eu");
    let accounts = ["payments-eu", "orders-eu", "payments-prod", "sandbox", "shared-services", "payments-staging"];
    let workspace = workspace(&rig, "  max_concurrency = 4", &source(&rig, &accounts, &["eu-west-1", "us-east-1"], ""));
    let faults: Vec<Value> = ["Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"]
        .iter()
        .map(|code| json!({ "service": "rds", "account": throttled, "times": THROTTLED / 4, "code": code }))
        .collect();
    rig.control("POST", "faults", &json!(faults));
    rig.control("DELETE", "log", &Value::Null);
    workspace.plan_run().ok();
    let calls = asked_of_rds(&rig);
    let (slow, healthy): (Vec<&Value>, Vec<&Value>) = calls.iter().partition(|call| call["account"] == throttled);
    assert_eq!(healthy.len(), 5 * 2 * 2, "five accounts, two regions, two lists: each asked once");
    assert_eq!(slow.len(), 2 * 2 + THROTTLED, "no try is wasted");
    let last = |calls: &[&Value]| calls.iter().filter_map(|call| call["number"].as_i64()).max();
    let answered: Vec<&Value> = slow.iter().copied().filter(|call| call["status"] == 200).collect();
    assert_eq!(answered.len(), 4);
    assert!(last(&healthy) < last(&answered), "the healthy accounts were done before");

    rig.control("DELETE", "faults", &Value::Null);
    workspace.apply().ok();
    assert_eq!(targets(&workspace), ["ledger", "orders-1", "orders-2", "stock"]);
}

#[test]
fn a_throttled_hub_still_enters_every_account() {
    let rig = Rig::start(&databases());
    let accounts = ["payments-eu", "orders-eu", "payments-prod", "sandbox"];
    let workspace = workspace(&rig, "", &source(&rig, &accounts, &["eu-west-1", "us-east-1"], ""));
    rig.control("POST", "faults", &json!({ "service": "sts", "action": "AssumeRole", "times": 9 }));
    workspace.apply().ok();
    assert_eq!(targets(&workspace), ["ledger", "orders-1", "orders-2", "stock"]);
    assert_eq!(rig.control("GET", "faults", &Value::Null)[0]["hits"], 9);
}

#[test]
fn lists_of_more_than_a_page_are_read_to_the_end() {
    let rig = Rig::start(&databases());
    let create = |operation: &str, value: &Value| {
        rig.aws(Some("orders-eu"), "eu-west-1", "rds", operation, value).expect("it is made");
    };
    for n in 0..104 {
        let instance = json!({
            "DBInstanceIdentifier": format!("i-{n:03}"), "Engine": "postgres", "DBInstanceClass": "db.t4g.micro",
            "AllocatedStorage": 20, "MasterUsername": "admin1", "MasterUserPassword": "Initial-Passw0rd",
        });
        create("create_db_instance", &instance);
        let cluster = json!({
            "DBClusterIdentifier": format!("c-{n:03}"), "Engine": "aurora-postgresql", "MasterUsername": "admin1",
            "MasterUserPassword": "Initial-Passw0rd",
        });
        create("create_db_cluster", &cluster);
    }
    rig.control("DELETE", "log", &Value::Null);
    let workspace = workspace(&rig, "", &source(&rig, &["orders-eu"], &["eu-west-1"], ""));
    workspace.plan_run().ok();
    for action in ["DescribeDBInstances", "DescribeDBClusters"] {
        let pages = rig.calls(action);
        let first = &pages[0]["params"];
        assert_eq!((pages.len(), first["MaxRecords"].as_str()), (2, Some("100")), "{pages:?}");
        assert!(first["Marker"].is_null() && !pages[1]["params"]["Marker"].is_null(), "{pages:?}");
        assert!(first["IncludeShared"].is_null(), "clusters of others are none of the account's");
    }
    workspace.apply().ok();
    assert_eq!(names(&found(&workspace)["targets"]).len(), 104 * 2 + 1);
    let before = shown(&workspace);
    workspace.apply().ok();
    assert_eq!(shown(&workspace), before, "two runs give the same bytes");
}

#[test]
fn one_account_needs_neither_an_organization_nor_a_role() {
    let rig = Rig::start(&databases());
    let denied = json!({ "actions": ["organizations:*", "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"] });
    let create = json!({
        "DBInstanceIdentifier": "mine", "Engine": "postgres", "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20, "MasterUsername": "admin1", "MasterUserPassword": "Initial-Passw0rd",
    });
    rig.aws(None, "us-east-1", "rds", "create_db_instance", &create).expect("a database of the hub");
    rig.control("POST", "deny", &denied);
    rig.control("DELETE", "log", &Value::Null);
    let workspace = workspace(&rig, "", "data \"rdsaccess_instances\" \"all\" {\n}\n");
    workspace.apply().ok();
    assert_eq!(targets(&workspace), ["mine"]);
    let calls = rig.control("GET", "log", &Value::Null);
    let actions: BTreeSet<&str> = calls.as_array().unwrap().iter().filter_map(|call| call["action"].as_str()).collect();
    assert_eq!(actions, BTreeSet::from(["DescribeDBClusters", "DescribeDBInstances", "GetCallerIdentity"]));
}
