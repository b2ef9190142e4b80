//! `examples/organization`: from the tree of an organization to logins and connections, with permissions by unit.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::aws_connect::{boundary_of, copy, provider_block};
use crate::fixture::{fill, is_postgres, our_roles, planned_changes};
use crate::gateway::{ADMIN, FakeGateway};
use crate::least_privilege::hub::Hub;
use crate::rig::{Database, Rig, repository};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

/// Where the gateway's agent runs: in no account or region of a database.
const AGENT: (&str, &str) = ("shared-services", "eu-central-1");

/// Databases of two units, one without the tag, and one in a unit that nobody named.
fn rig() -> Rig {
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

fn managed(account: &str, region: &str, name: &str, engine: &str) -> DatabaseWish {
    DatabaseWish::instance(account, region, name, engine).holding(&["shop", "other"]).tag("access", "managed")
}

fn one_database() -> Rig {
    let rig = Rig::start(&Wish::organization().with(managed("payments-prod", "us-east-1", "ledger", "postgres")));
    fill(rig.database(0), &["shop", "other"]);
    rig
}

/// The example, with further lines in its provider block.
fn workspace<'a>(rig: &'a Rig, gateway: &FakeGateway, more: &str) -> Workspace<'a> {
    filled(Workspace::new(rig), rig, gateway, &provider_block(rig, more))
}

fn filled<'a>(mut workspace: Workspace<'a>, rig: &Rig, gateway: &FakeGateway, provider: &str) -> Workspace<'a> {
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace.set("TF_VAR_gateway_url", &gateway.url);
    workspace.set("TF_VAR_agent_name", "lab");
    workspace.set("TF_VAR_agent_account_id", rig.account_id(AGENT.0));
    workspace.set("TF_VAR_agent_region", AGENT.1);
    copy(&workspace, "modules/aws-connect", "../modules/aws-connect");
    copy(&workspace, "organization", ".");
    workspace.write("rig_override.tf", provider);
    // The roles cover one database of each server.
    let only = |database: &Database| {
        let more = json!({"databases": ["shop"], "tags": {"team": "pay"}});
        (database.arn.clone(), if is_postgres(database) { json!({"databases": ["shop"]}) } else { more })
    };
    let with_server = rig.made.databases.iter().filter(|database| database.server.is_some());
    let overrides = Value::Object(with_server.map(only).collect());
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

/// Gives an agent the document that the example writes for it, and from now on the fake AWS goes by it.
fn permitted<'a>(rig: &'a Rig, place: (&str, &str), workspace: &Workspace<'_>) -> Agent<'a> {
    let agent = Agent::new(rig, place.0, place.1);
    let document = workspace.output("agent_policy_json");
    agent.give(&serde_json::from_str(document.as_str().expect("a document")).expect("JSON"));
    rig.control("PUT", "settings", &json!({"enforce": true}));
    agent
}

/// What a connection holds, and the agent's identity, are enough to log in.
fn opens_every_connection(agent: &Agent<'_>, rig: &Rig, gateway: &FakeGateway, workspace: &Workspace<'_>) {
    for (key, role) in &roles(workspace) {
        let connection = role["connection"].as_str().expect("a name");
        let login = agent.login(gateway, connection).unwrap_or_else(|error| panic!("{key}: {error:?}"));
        assert_eq!(role["endpoint"], gateway.env(connection, "HOST"));
        boundary_of(rig, &login, role, "shop", "other");
    }
}

/// Why the agent opens no connection at all: the one code of the refusals.
fn opens_no_connection(agent: &Agent<'_>, gateway: &FakeGateway, workspace: &Workspace<'_>, code: &str) {
    let roles = roles(workspace);
    assert_eq!(roles.len(), 3);
    for role in roles.values() {
        let refused = agent.login(gateway, role["connection"].as_str().expect("a name")).unwrap_err();
        assert_eq!(refused.code, code, "{}: {}", agent.arn, refused.message);
    }
}

#[test]
fn every_database_of_the_units_gets_the_permissions_of_its_unit() {
    let (rig, gateway) = (rig(), FakeGateway::start());
    gateway.toggle("access_control", true);
    let workspace = workspace(&rig, &gateway, "");
    workspace.apply().ok();
    workspace.plan().nothing();

    let roles = roles(&workspace);
    let expected = ["ledger/ddl", "ledger/read_only", "ledger/read_write", "orders/read_only", "orders/read_write"];
    assert_eq!(connections(&workspace), expected, "ddl is taken away below Prod/EU, and nothing else is touched");
    let agent = permitted(&rig, AGENT, &workspace);
    opens_every_connection(&agent, &rig, &gateway, &workspace);
    let Database { account_id, region, identifier, master_username, .. } = rig.database(0);
    let master = format!("rdsaccess/{account_id}/{region}/db/{identifier}/{master_username}");
    assert_eq!(agent.reads(&master).unwrap_err().code, "AccessDeniedException", "the master's lies beside the roles'");
    let name = |key: &str| roles[key]["connection"].as_str().expect("a name").to_owned();
    let stored = |key: &str| gateway.stored(&name(key));
    // Inherited from Workloads by both, and from Prod by the unit below it.
    for database in ["ledger", "orders"] {
        assert_eq!(gateway.groups(&name(&format!("{database}/read_only"))), json!(["developers"]));
        let writer = stored(&format!("{database}/read_write"));
        assert_eq!((&writer["reviewers"], &writer["access_max_duration"]), (&json!(["sre-leads"]), &json!(3600)));
    }
    assert_eq!(stored("ledger/read_only")["reviewers"], json!([]));
    let team = |key: &str| stored(key)["connection_tags"]["team"].clone();
    assert_eq!(
        (team("orders/read_only"), team("ledger/read_only")),
        (json!("pay"), Value::Null),
        "of one database alone"
    );
    assert_eq!(stored("ledger/ddl")["min_review_approvals"], 2);

    // A word about the unit below moves its databases and no other.
    let below = json!({"permissions": {
        "Root/Workloads": {"levels": {"read_only": {"groups": ["developers"], "redact_types": ["EMAIL_ADDRESS"],
            "access_modes_disabled": ["runbooks"]}}},
        "Root/Workloads/Prod/EU": {"levels": {"read_only": {"groups": ["auditors"]}}},
    }});
    workspace.write("permissions.auto.tfvars.json", &below.to_string());
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(connections(&workspace), ["ledger/read_only", "orders/read_only"]);
    assert_eq!(gateway.groups(&name("ledger/read_only")), json!(["developers"]));
    assert_eq!(gateway.groups(&name("orders/read_only")), json!(["auditors"]));
    let reader = stored("ledger/read_only");
    assert_eq!(reader["redact_types"], json!(["EMAIL_ADDRESS"]));
    assert_eq!(reader["access_mode_runbooks"], "disabled");
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

/// What is said of a unit must not be lost with its name: it may be the review of production.
#[test]
fn a_unit_or_a_database_that_is_not_there_fails_the_plan() {
    let ledger = managed("payments-prod", "us-east-1", "ledger", "postgres").unreachable();
    let (rig, gateway) = (Rig::start(&Wish::organization().with(ledger)), FakeGateway::start());
    gateway.toggle("access_control", true);
    let workspace = workspace(&rig, &gateway, "");
    let permissions = |unit: &str| {
        let of = |groups: &str| json!({"levels": {"read_write": {"groups": [groups]}}});
        let all = json!({"permissions": {"Root": of("all"), "Root/Sandbox": of("play"), unit: of("sre")}});
        workspace.write("permissions.auto.tfvars.json", &all.to_string());
    };
    permissions("Root/Workloads/Prd");
    rig.control("DELETE", "log", &Value::Null);
    let said = workspace.plan_run().error();
    for words in ["units that the organization does not have: Root/Workloads/Prd.", "Root/Workloads/Prod,"] {
        assert!(said.contains(words), "`{words}` is not in: {said}");
    }
    let target = format!("-target=module.database[{:?}]", rig.database(0).arn);
    let said = workspace.run(&["apply", "-input=false", "-no-color", "-auto-approve", &target]).error();
    assert!(said.contains("does not have: Root/Workloads/Prd."), "{said}");
    assert_eq!(rig.calls("ModifyDBInstance"), Vec::<Value>::new());

    // Units above and beside the chosen ones are units too.
    permissions("Root/Workloads/Prod");
    workspace.plan().changes();

    // A rename of the unit leaves what is said of its old name without a unit.
    let units = |parent: &Value| {
        let listed = rig.aws(
            None,
            "us-east-1",
            "organizations",
            "list_organizational_units_for_parent",
            &json!({"ParentId": parent}),
        );
        listed.expect("units")["OrganizationalUnits"].as_array().expect("a list").clone()
    };
    let named = |units: Vec<Value>, name: &str| {
        units.into_iter().find(|unit| unit["Name"] == name).expect("the unit")["Id"].clone()
    };
    let roots = rig.aws(None, "us-east-1", "organizations", "list_roots", &json!({})).expect("roots");
    let prod = named(units(&named(units(&roots["Roots"][0]["Id"]), "Workloads")), "Prod");
    let renamed = json!({"OrganizationalUnitId": prod, "Name": "Production"});
    rig.aws(None, "us-east-1", "organizations", "update_organizational_unit", &renamed).expect("it is renamed");
    let said = workspace.plan_run().error();
    assert!(said.contains("does not have: Root/Workloads/Prod."), "{said}");
    permissions("Root/Workloads/Production");
    workspace.plan().changes();

    let misspelt = json!({"overrides": {"arn:aws:rds:us-east-1:111122223333:db:legder": {"databases": ["shop"]}}});
    workspace.write("overrides.auto.tfvars.json", &misspelt.to_string());
    let said = workspace.plan_run().error();
    assert!(
        said.contains("not among the managed ones of these units: arn:aws:rds:us-east-1:111122223333:db:legder."),
        "{said}"
    );
}

/// The names in the object type of a variable, each with its place: `levels.groups`.
fn settings(text: &str, variable: &str) -> BTreeSet<String> {
    let (_, below) = text.split_once(&format!("variable \"{variable}\" {{\n")).expect("the variable");
    let (_, kind) = below.split_once("object({\n").expect("an object");
    let mut path = Vec::new();
    let mut found = BTreeSet::new();
    for line in kind.lines().map(str::trim) {
        if let Some((name, _)) = line.split_once('=').filter(|(name, _)| !name.contains('}')) {
            path.push(name.trim());
            found.insert(path.join("."));
            if !line.ends_with('{') {
                path.pop();
            }
        } else if path.pop().is_none() {
            return found;
        }
    }
    panic!("the type of {variable} has no end")
}

/// What an object type leaves out is dropped without a word.
#[test]
fn a_level_of_the_example_has_every_setting_of_the_modules() {
    let read =
        |name: &str| std::fs::read_to_string(repository().join("examples").join(name)).expect("the file is read");
    let (example, module) = (read("organization/variables.tf"), read("modules/aws-connect/variables.tf"));
    let whole = settings(&module, "overrides");
    assert!(whole.contains("levels.redact_types") && whole.contains("ingress.prefix_list_id"), "{whole:?}");
    let below = |names: &BTreeSet<String>, place: &str| -> BTreeSet<String> {
        names.iter().filter(|name| name.starts_with(place)).cloned().collect()
    };
    let here = settings(&example, "permissions");
    assert_eq!(here.difference(&whole).collect::<Vec<_>>(), Vec::<&String>::new(), "the module drops these");
    for place in ["levels", "ingress"] {
        assert_eq!(below(&here, place), below(&whole, place));
    }
}

/// What `store` of the example is for: by name, an agent finds only what lies in its own account and region.
#[test]
fn an_agent_elsewhere_finds_no_secret_that_lies_with_its_database() {
    let (rig, gateway) = (one_database(), FakeGateway::start());
    gateway.toggle("access_control", true);
    let workspace = workspace(&rig, &gateway, "store = null");
    workspace.apply().ok();
    let everything = json!({"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"});
    let agent = |account: &str, region: &str| {
        let agent = Agent::new(&rig, account, region);
        agent.give(&json!({"Version": "2012-10-17", "Statement": [everything]}));
        agent
    };
    let strangers = [agent(AGENT.0, AGENT.1), agent(AGENT.0, "us-east-1"), agent("payments-prod", "eu-central-1")];
    let at_home = agent("payments-prod", "us-east-1");
    rig.control("PUT", "settings", &json!({"enforce": true}));
    for stranger in &strangers {
        opens_no_connection(stranger, &gateway, &workspace, "ResourceNotFoundException");
    }
    opens_every_connection(&at_home, &rig, &gateway, &workspace);
}

#[test]
fn an_agent_that_moves_finds_every_secret_at_its_new_place() {
    let (rig, gateway) = (one_database(), FakeGateway::start());
    gateway.toggle("access_control", true);
    let mut workspace = workspace(&rig, &gateway, "");
    workspace.apply().ok();
    let before = permitted(&rig, AGENT, &workspace);
    opens_every_connection(&before, &rig, &gateway, &workspace);

    workspace.set("TF_VAR_agent_region", "us-west-2");
    workspace.apply().ok();
    workspace.plan().nothing();
    opens_every_connection(&permitted(&rig, (AGENT.0, "us-west-2"), &workspace), &rig, &gateway, &workspace);
    // Scheduled for deletion: Secrets Manager gives no value then.
    opens_no_connection(&before, &gateway, &workspace, "InvalidRequestException");
    workspace.destroy().ok();
    assert_eq!(our_roles(rig.database(0)), Vec::<Vec<String>>::new());
}

/// The hub, the roles in the accounts and the agent have what `rdsaccess_policy` writes for a store in the agent's account.
#[test]
fn the_documents_for_the_agents_store_are_enough() {
    let (rig, gateway) = (one_database(), FakeGateway::start());
    gateway.toggle("access_control", true);
    let units = ["payments-prod", "payments-eu", "orders-eu", "payments-staging"];
    let hub = Hub::new(&rig, &[units.as_slice(), &[AGENT.0]].concat());
    let account = rig.account_id(AGENT.0);
    let store = format!("store = {{ secrets_manager = {{ account_id = \"{account}\", region = \"{}\" }} }}", AGENT.1);
    let features = ["discovery", "security_group", "master_password", "role_password", "secret_read"];
    hub.put(&hub.read(&features, &[], "", &store));
    hub.enforce();
    let provider = hub.provider("");
    let provider = &provider[provider.find("provider \"rdsaccess\" {").expect("the block is there")..];
    let workspace = filled(hub.workspace(), &rig, &gateway, provider);
    workspace.apply().ok();
    workspace.plan().nothing();
    opens_every_connection(&permitted(&rig, AGENT, &workspace), &rig, &gateway, &workspace);
    let written = rig.calls("PutSecretValue");
    assert!(!written.is_empty() && written.iter().all(|call| call["account"] == *account), "{written:?}");
    workspace.destroy().ok();
    assert_eq!(our_roles(rig.database(0)), Vec::<Vec<String>>::new());
}
