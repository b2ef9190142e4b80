//! `rdsaccess_instances`.

use serde_json::{Value, json};

use super::{contains_all, data, errors, names, workspace, write_provider};
use crate::rig::Rig;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Run, Workspace};

const EXTERNAL_ID: &str = "agreed-on";

fn instance(account: &str, region: &str, identifier: &str, engine: &str) -> DatabaseWish {
    DatabaseWish::instance(account, region, identifier, engine).unreachable()
}

/// Two instances in two regions of payments-eu, one in orders-eu, an Aurora cluster with two members in payments-prod.
fn databases() -> Wish {
    let cluster = DatabaseWish::cluster("payments-prod", "eu-west-1", "ledger", "aurora-postgresql").unreachable();
    Wish::organization()
        .with(instance("payments-eu", "eu-west-1", "orders-1", "postgres").tag("access", "managed").tag("team", "a"))
        .with(instance("payments-eu", "us-east-1", "orders-2", "mysql").tag("access", "managed"))
        .with(instance("orders-eu", "eu-west-1", "stock", "mariadb").tag("access", "left-alone").tag("team", "b"))
        .with(cluster.tag("access", "managed"))
}

/// Data sources over all accounts of the organization and two regions, with further arguments each.
fn everywhere(sources: &[(&str, &str)]) -> String {
    let accounts = "data \"rdsaccess_accounts\" \"all\" {\n}\n".to_owned();
    let sources = sources.iter().map(|(name, arguments)| {
        format!(
            "data \"rdsaccess_instances\" \"{name}\" {{\n  account_ids = data.rdsaccess_accounts.all.ids\n  regions = \
             [\"eu-west-1\", \"us-east-1\"]\n{arguments}\n}}\n"
        )
    });
    accounts + &sources.collect::<String>()
}

/// Objects that live as long as their database is in `targets`.
const FED: &str = "resource \"terraform_data\" \"each\" {\n  for_each = data.rdsaccess_instances.all.targets\n  input    = \
                   each.value.identifier\n}\n";

/// One data source over named accounts, with further arguments.
fn in_accounts(rig: &Rig, accounts: &[&str], arguments: &str) -> String {
    let ids: Vec<&str> = accounts.iter().map(|name| rig.account_id(name)).collect();
    format!(
        "data \"rdsaccess_instances\" \"all\" {{\n  account_ids = {ids:?}\n  regions = [\"eu-west-1\", \
         \"us-east-1\"]\n{arguments}\n}}\n"
    )
}

/// The identifiers of the targets, sorted.
fn targets(workspace: &Workspace<'_>, name: &str) -> Vec<String> {
    let found = data(workspace, &format!("rdsaccess_instances.{name}"));
    let targets = found["targets"].as_object().expect("a map");
    let mut identifiers: Vec<String> =
        targets.values().map(|target| target["identifier"].as_str().expect("a name").to_owned()).collect();
    identifiers.sort();
    identifiers
}

#[test]
fn databases_of_several_accounts_and_regions_are_listed_once() {
    let rig = Rig::start(&databases());
    let orders = rig.database(0);
    let replica = json!({ "DBInstanceIdentifier": "copy", "SourceDBInstanceIdentifier": "orders-1" });
    rig.aws_of(orders, "rds", "create_db_instance_read_replica", &replica).expect("a replica");
    let oracle = json!({
        "DBInstanceIdentifier": "old", "Engine": "oracle-ee", "DBInstanceClass": "db.m5.large", "AllocatedStorage": 20,
        "MasterUsername": "admin1", "MasterUserPassword": "Initial-Passw0rd",
    });
    rig.aws_of(orders, "rds", "create_db_instance", &oracle).expect("an instance of another engine");
    let workspace = workspace(&rig, "", &everywhere(&[("all", "")]));
    workspace.apply().ok();

    let found = data(&workspace, "rdsaccess_instances.all");
    assert_eq!(found["errors"], json!([]));
    let arns: Vec<&str> = names(&found["targets"]);
    let mut made: Vec<&str> = rig.made.databases.iter().map(|database| database.arn.as_str()).collect();
    made.sort_unstable();
    assert_eq!(arns, made);

    let target = &found["targets"][&orders.arn];
    for (name, value) in [
        ("account_id", json!(orders.account_id)),
        ("region", json!("eu-west-1")),
        ("kind", json!("instance")),
        ("engine", json!("postgres")),
        ("engine_version", json!("15.8")),
        ("aurora", json!(false)),
        ("endpoint", json!(orders.endpoint)),
        ("reader_endpoint", Value::Null),
        ("port", json!(orders.port)),
        ("master_username", json!(orders.master_username)),
        ("iam_authentication", json!(false)),
        ("vpc_id", json!(rig.network(orders).vpc)),
        ("security_group_ids", json!([rig.network(orders).db_base])),
        ("status", json!("available")),
        ("tags", json!({ "access": "managed", "team": "a" })),
        ("managed_secret_arn", Value::Null),
        ("resource_id", json!(orders.resource_id)),
    ] {
        assert_eq!(target[name], value, "{name}");
    }
    let ledger = rig.database(3);
    let cluster = &found["targets"][&ledger.arn];
    assert_eq!((&cluster["kind"], &cluster["aurora"]), (&json!("cluster"), &json!(true)));
    assert_eq!((&cluster["engine"], &cluster["endpoint"]), (&json!("postgres"), &json!(ledger.endpoint)));
    contains_all(cluster["reader_endpoint"].as_str().unwrap(), &["ledger.cluster-ro-"]);
    assert_eq!(cluster["security_group_ids"], json!([rig.network(ledger).db_base]));

    let others = found["others"].as_object().unwrap();
    let reason = |identifier: &str| {
        let other = others.values().find(|other| other["identifier"] == identifier);
        other.unwrap_or_else(|| panic!("{identifier} is not in {others:?}"))["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(others.len(), 4);
    contains_all(&reason("ledger-1"), &[&ledger.arn]);
    contains_all(&reason("ledger-2"), &[&ledger.arn]);
    contains_all(&reason("copy"), &[&orders.arn]);
    contains_all(&reason("old"), &["oracle-ee"]);

    let shown = workspace.run(&["show", "-json", "-no-color"]).ok().stdout;
    workspace.plan().nothing();
    workspace.apply().ok();
    assert_eq!(workspace.run(&["show", "-json", "-no-color"]).ok().stdout, shown, "two runs give the same bytes");
}

#[test]
fn filters_choose_databases() {
    let rig = Rig::start(&databases());
    rig.control("PUT", "settings", &json!({ "page_size": 1 }));
    let workspace = workspace(
        &rig,
        "",
        &everywhere(&[
            ("engine", "engines = [\"postgres\", \"mariadb\"]"),
            ("tag", "tags = { access = \"managed\" }"),
            ("tags", "tags = { access = \"managed\", team = \"*\" }"),
            ("glob", "identifiers = [\"orders-?\", \"led*\"]"),
            ("both", "engines = [\"postgres\"]\nidentifiers = [\"orders-*\"]"),
            ("none", "identifiers = [\"nothing\"]"),
        ]),
    );
    workspace.apply().ok();
    for (source, expected) in [
        ("engine", &["ledger", "orders-1", "stock"][..]),
        ("tag", &["ledger", "orders-1", "orders-2"]),
        ("tags", &["orders-1"]),
        ("glob", &["ledger", "orders-1", "orders-2"]),
        ("both", &["orders-1"]),
        ("none", &[]),
    ] {
        assert_eq!(targets(&workspace, source), expected, "{source}");
    }
}

#[test]
fn the_callers_account_and_the_providers_region_are_the_default() {
    let rig = Rig::start(&databases());
    for region in ["us-east-1", "eu-west-1"] {
        let create = json!({
            "DBInstanceIdentifier": format!("hub-{region}"), "Engine": "postgres", "DBInstanceClass": "db.t4g.micro",
            "AllocatedStorage": 20, "MasterUsername": "admin1", "MasterUserPassword": "Initial-Passw0rd",
        });
        rig.aws(None, region, "rds", "create_db_instance", &create).expect("a database of the hub");
    }
    rig.control("DELETE", "log", &Value::Null);
    let sources = [
        ("mine", String::new()),
        ("mine_everywhere", "  regions = [\"*\"]\n".to_owned()),
        ("everywhere", format!("  account_ids = [{:?}]\n  regions = [\"*\"]\n", rig.account_id("payments-eu"))),
        ("nowhere", "  account_ids = []\n".to_owned()),
    ];
    let sources = sources.map(|(name, text)| format!("data \"rdsaccess_instances\" \"{name}\" {{\n{text}}}\n"));
    let workspace = workspace(&rig, "", &sources.concat());
    rig.control("POST", "deny", &json!({ "actions": ["organizations:*"] }));
    workspace.apply().ok();
    assert_eq!(targets(&workspace, "mine"), ["hub-us-east-1"]);
    assert_eq!(targets(&workspace, "mine_everywhere"), ["hub-eu-west-1", "hub-us-east-1"]);
    assert_eq!(targets(&workspace, "everywhere"), ["orders-1", "orders-2"]);
    assert_eq!(targets(&workspace, "nowhere"), Vec::<String>::new());
    let assumed = rig.calls("AssumeRole");
    assert!(!assumed.is_empty());
    for call in assumed {
        contains_all(&call.to_string(), &[rig.account_id("payments-eu")]);
    }
}

#[test]
fn an_account_that_is_denied_destroys_nothing() {
    let rig = Rig::start(&databases());
    let accounts = ["payments-eu", "orders-eu", "payments-prod"];
    let workspace = workspace(&rig, "", &(in_accounts(&rig, &accounts, "") + FED));
    workspace.apply().ok();
    let each = |workspace: &Workspace<'_>| -> Vec<String> {
        let state = workspace.state();
        let resources = state["values"]["root_module"]["resources"].as_array().unwrap();
        let ours = resources.iter().filter(|resource| resource["type"] == "terraform_data");
        ours.map(|resource| resource["values"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let before = each(&workspace);
    assert_eq!(before.len(), 4);

    let (denied, role) = (rig.account_id("payments-eu"), &rig.made.organization.member_role);
    rig.control("POST", "deny", &json!({ "actions": ["rds:DescribeDBInstances"], "account": denied }));
    let refused = |run: &Run, parts: &[&str]| {
        contains_all(&run.error(), parts);
        assert_eq!(errors(run), 1, "{}", run.stderr);
        assert!(!run.stdout.contains("will be destroyed"), "{}", run.stdout);
        assert_eq!(each(&workspace), before);
    };
    let allow = format!("Allow rds:DescribeDBInstances for arn:aws:iam::{denied}:role/{role}");
    let regions = format!("In account {denied} these regions could not be read: eu-west-1, us-east-1.");
    refused(&workspace.plan_run(), &["AWS denied access", denied, &allow, &regions]);
    refused(&workspace.apply(), &["AWS denied access", denied]);

    rig.control("DELETE", "deny", &Value::Null);
    rig.control("POST", "deny", &json!({ "actions": ["sts:AssumeRole"], "account": denied }));
    let arn = format!("arn:aws:iam::{denied}:role/{role}");
    let ours = format!("is in the way, not the account: allow sts:AssumeRole on {arn} there");
    refused(&workspace.plan_run(), &["Cannot enter the account", "The identity-based policy of", &ours, denied]);

    rig.control("DELETE", "deny", &Value::Null);
    workspace.plan().nothing();
}

#[test]
fn every_account_that_cannot_be_read_is_one_error() {
    let rig = Rig::start(&databases());
    rig.control("POST", "deny", &json!({ "actions": ["rds:Describe*"], "account": rig.account_id("payments-eu") }));
    rig.control("POST", "accounts", &json!({ "id": rig.account_id("orders-eu"), "status": "SUSPENDED" }));
    let accounts = ["payments-eu", "orders-eu", "payments-prod"];
    let workspace = workspace(&rig, "", &in_accounts(&rig, &accounts, ""));
    let run = workspace.plan_run();
    contains_all(
        &run.error(),
        &["AWS denied access", "The account is suspended or closed", "is SUSPENDED in AWS Organizations"],
    );
    assert_eq!(errors(&run), 2, "{}", run.stderr);

    workspace.write("main.tf", &in_accounts(&rig, &accounts, "  on_error = \"report\""));
    workspace.apply().ok();
    assert_eq!(targets(&workspace, "all"), ["ledger"]);
    let found = data(&workspace, "rdsaccess_instances.all");
    let errors = found["errors"].as_array().expect("a list");
    let mut failed: Vec<Value> = errors.iter().map(|error| json!([error["account_id"], error["region"]])).collect();
    let (denied, suspended) = (rig.account_id("payments-eu"), rig.account_id("orders-eu"));
    let mut expected =
        vec![json!([denied, "eu-west-1"]), json!([denied, "us-east-1"]), json!([suspended, Value::Null])];
    for list in [&mut failed, &mut expected] {
        list.sort_by_key(ToString::to_string);
    }
    assert_eq!(failed, expected, "an account that cannot be entered is named once");
    for error in errors {
        contains_all(error["reason"].as_str().unwrap(), &[error["account_id"].as_str().unwrap()]);
    }
}

#[test]
fn throttling_and_lost_answers_are_waited_for() {
    let rig = Rig::start(&databases());
    let workspace = workspace(&rig, "", &everywhere(&[("all", "")]));
    for fault in [
        json!({ "service": "rds", "action": "DescribeDBInstances", "times": 6 }),
        json!({ "service": "rds", "action": "DescribeDBClusters", "times": 2, "drop": true }),
        json!({ "service": "sts", "action": "AssumeRole", "times": 2, "status": 500, "code": "InternalFailure" }),
    ] {
        rig.control("POST", "faults", &fault);
    }
    workspace.apply().ok();
    assert_eq!(targets(&workspace, "all"), ["ledger", "orders-1", "orders-2", "stock"]);
    let faults = rig.control("GET", "faults", &Value::Null);
    let hits: Vec<&Value> = faults.as_array().unwrap().iter().map(|fault| &fault["hits"]).collect();
    assert_eq!(hits, [6, 2, 2]);
}

#[test]
fn the_external_id_must_be_the_agreed_one() {
    let rig = Rig::start(&databases().external_id(EXTERNAL_ID));
    let member_role = |id: &str| format!("  member_role = {{ external_id = {id:?} }}");
    let workspace = workspace(&rig, &member_role(EXTERNAL_ID), &in_accounts(&rig, &["payments-eu"], ""));
    workspace.apply().ok();
    assert_eq!(targets(&workspace, "all"), ["orders-1", "orders-2"]);

    let role = format!("arn:aws:iam::{}:role/{}", rig.account_id("payments-eu"), rig.made.organization.member_role);
    let wrong = "asks for exactly the external id that is set in `member_role`";
    let missing = "asks for no external id (none is set)";
    for (arguments, step) in [(member_role("something-else"), wrong), (String::new(), missing)] {
        write_provider(&workspace, &rig, &arguments);
        let run = workspace.plan_run();
        contains_all(&run.error(), &["Cannot enter the account", &role, "sts:AssumeRole", step]);
        assert_eq!(errors(&run), 1, "{}", run.stderr);
    }
}
