//! The guide `docs/guides/migration.md`: its blocks make what AWS Connect left ours, and nothing of the old stays open.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::aws_connect::{boundary_of, copy, provider_block};
use crate::fixture::{bash, fill, is_postgres, planned_changes};
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::{Database, Rig, repository};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

/// What was made on one database: level, login and connection.
type Made = &'static [(&'static str, &'static str, &'static str)];

/// As the wizard's pages make it.
const LEDGER: Made =
    &[("read_only", "hoop_ro", "team-ro"), ("read_write", "hoop_rw", "team-rw"), ("ddl", "hoop_ddl", "team-ddl")];
/// Under other names, as the guide's sample has it.
const ORDERS: Made = &[("read_only", "hoop_ro", "orders_ro"), ("read_write", "orders_writer", "orders_rw")];
const CIDR: &str = "10.20.0.0/16";
const WORDS: &str = "Allows the agent to reach the database";

/// How the wizard gave the gateway what a connection holds.
#[derive(Clone, Copy, PartialEq)]
enum Values {
    Plain,
    Vault,
}

/// The text between this and the end of the block.
fn block_after(begin: &str) -> String {
    let guide = std::fs::read_to_string(repository().join("docs/guides/migration.md")).expect("the guide is there");
    let (_, rest) = guide.split_once(begin).expect("the guide has the block");
    rest.split("```").next().expect("it ends").to_owned()
}

/// The block of the guide that begins with this name of a file.
fn block(name: &str) -> String {
    block_after(&format!("```terraform\n# {name}\n"))
}

/// The password that was given a role: from the wizard's alphabet.
fn given(role: &str) -> String {
    format!("Wizard_{role}*made0This1For2")
}

/// Runs the statements that the wizard's agent would run for a role, as the master user like it.
fn wizard_role(rig: &Rig, database: &Database, level: &str, name: &str) {
    let password = given(name);
    let rows = if level == "read_only" { "SELECT" } else { "SELECT, INSERT, UPDATE, DELETE" };
    let master = Login::master(database);
    if !is_postgres(database) {
        let more = if level == "ddl" { ", ALTER, CREATE, DROP" } else { "" };
        let sql =
            format!("CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'; GRANT {rows}{more} ON *.* TO '{name}'@'%'");
        master.run(rig, &sql).expect("the master user has GRANT OPTION");
        return;
    }
    let more = if level == "ddl" { ", TRUNCATE, REFERENCES, TRIGGER" } else { "" };
    let create =
        format!("CREATE ROLE {name} WITH LOGIN PASSWORD '{password}' NOINHERIT NOCREATEDB NOCREATEROLE NOSUPERUSER");
    master.run(rig, &create).expect("the master user makes roles");
    for place in ["shop", "archive"] {
        let grants = format!(
            "GRANT USAGE ON SCHEMA public TO {name}; GRANT {rows}{more} ON ALL TABLES IN SCHEMA public TO {name}"
        );
        master.clone().database(place).run(rig, &grants).expect("the tables are the master user's");
    }
}

/// The group that the wizard makes and attaches.
fn wizard_group(rig: &Rig, database: &Database) -> String {
    let network = rig.network(database);
    let name = format!("hoop-aws-connect-sg-{}", database.identifier);
    let tags = json!([{"Key": "Name", "Value": name}, {"Key": "hoop.dev/gateway", "Value": "gateway.example.com"}]);
    let params = json!({"GroupName": name, "Description": WORDS, "VpcId": network.vpc,
        "TagSpecifications": [{"ResourceType": "security-group", "Tags": tags}]});
    let made = rig.aws_of(database, "ec2", "create_security_group", &params).expect("the group is made");
    let id = made["GroupId"].as_str().expect("an id").to_owned();
    let rule = json!({"GroupId": id, "IpPermissions": [{"IpProtocol": "tcp", "FromPort": database.port,
        "ToPort": database.port, "IpRanges": [{"CidrIp": CIDR, "Description": WORDS}]}]});
    rig.aws_of(database, "ec2", "authorize_security_group_ingress", &rule).expect("the rule is made");
    let attach = json!({"DBInstanceIdentifier": database.identifier, "VpcSecurityGroupIds": [network.db_base, id]});
    rig.aws_of(database, "rds", "modify_db_instance", &attach).expect("the group is attached");
    id
}

/// The connection that the wizard makes: each value as it is or as a reference to Vault, and one tag.
fn wizard_connection(gateway: &FakeGateway, database: &Database, role: &str, name: &str, values: Values) {
    let (subtype, home) = if is_postgres(database) { ("postgres", "postgres") } else { ("mysql", "mysql") };
    let port = database.port.to_string();
    let password = given(role);
    // The instance, also of a cluster, and under its own name.
    let (host, arn) = (
        database.endpoint.replace(".cluster-", "."),
        database.arn.replace(&format!(":cluster:{}", database.identifier), &format!(":db:{}-1", database.identifier)),
    );
    let pairs = [("HOST", &*host), ("PORT", &port), ("USER", role), ("PASSWORD", &password), ("DB", home)];
    let secret: serde_json::Map<String, Value> = pairs
        .into_iter()
        .map(|(key, value)| {
            let text = match values {
                Values::Plain => value.to_owned(),
                Values::Vault => format!("_vaultkv2:teamkv/data/{role}_{host}:{key}"),
            };
            let key = if key == "PASSWORD" { "PASS" } else { key };
            (format!("envvar:{key}"), json!(STANDARD.encode(text)))
        })
        .collect();
    let tags = json!({"hoop.dev/aws-connect.dbarn": arn});
    gateway.make(name, &json!({"subtype": subtype, "secret": secret, "connection_tags": tags, "reviewers": ["sre"]}));
}

/// Everything on one database.
fn wizard(rig: &Rig, gateway: &FakeGateway, database: &Database, made: Made, values: Values) {
    fill(database, &["shop", "archive"]);
    if is_postgres(database) {
        // The table in a place that no level covers.
        as_owner(database, "template1", "CREATE TABLE orders (id int)");
    }
    for (level, role, connection) in made {
        wizard_role(rig, database, level, role);
        wizard_connection(gateway, database, role, connection, values);
        let works = Login::new(database, role, &given(role)).database("shop");
        works.run(rig, "SELECT * FROM orders").expect("what the wizard left works");
    }
}

/// The guide's files and its sample of values, brought to this rig; `orders` only where there is such a database.
fn configure(workspace: &mut Workspace<'_>, rig: &Rig, gateway: &FakeGateway, group: &str, place: (&str, &str)) {
    copy(workspace, "modules/aws-connect", "aws-connect");
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace.write("main.tf", &block("main.tf"));
    workspace.write("rig_override.tf", &provider_block(rig, ""));
    let mut values = block("terraform.tfvars");
    let mut put = |sample: &str, here: &str| {
        assert!(values.contains(sample), "{sample} is not in {values}");
        values = values.replace(sample, here);
    };
    put("https://hoop.example.com", &gateway.url);
    put("\"prod-eu\"", "\"lab\"");
    put("444455556666", rig.account_id(place.0));
    put("\"eu-central-1\"", &format!("{:?}", place.1));
    put("sg-0123456789abcdef0", group);
    put("arn:aws:rds:us-east-1:111122223333:db:ledger", &rig.database(0).arn);
    if let Some(orders) = rig.made.databases.get(1) {
        put("arn:aws:rds:us-east-1:111122223333:db:orders", &orders.arn);
    } else {
        let (ledger, _) = values.split_once("\n  # Other names").expect("the second of the sample");
        values = format!("{ledger}}}\n");
    }
    workspace.write("terraform.tfvars", &values);
    workspace.init().ok();
}

/// Without the import blocks nothing is taken over.
fn nothing_is_taken_in_silence(workspace: &Workspace<'_>, gateway: &FakeGateway, group: &str) {
    let refused = workspace.apply().error();
    assert!(refused.contains(group) && refused.contains("import"), "{refused}");
    assert_eq!(gateway.env("team-ro", "PASS"), given("hoop_ro"));
}

/// The guide's loop over the databases.
fn take_the_master_passwords(workspace: &Workspace<'_>, names: &str) -> String {
    let script = format!("targets=(){}", block_after("```shell\ntargets=()"));
    assert!(script.contains("ledger orders"), "{script}");
    let script = script.replace("ledger orders", names);
    let script = script.replace("terraform apply", "\"$TERRAFORM\" apply -input=false -no-color -auto-approve");
    bash(workspace, &["-c", &script], &[]).ok().stdout
}

/// The step of the guide that lets the agent read; from here on the fake AWS goes by its policy.
fn let_the_agent_read(rig: &Rig, workspace: &Workspace<'_>, agent: &Agent<'_>) {
    workspace.write("agent.tf", &block("agent.tf"));
    let target = "-target=data.rdsaccess_policy.agent";
    workspace.run(&["apply", "-input=false", "-no-color", "-auto-approve", target]).ok();
    let document = workspace.output("agent_policy_json");
    agent.give(&serde_json::from_str(document.as_str().expect("a document")).expect("JSON"));
    rig.control("PUT", "settings", &json!({"enforce": true}));
}

fn target(name: &str) -> String {
    format!("-target=module.database[\"{name}\"]")
}

/// The plan says itself which statements make the wizard's accounts roles; the master user runs them, and nobody misses a
/// right that was granted per database before.
fn take_the_rights_on_everything_back(rig: &Rig, workspace: &Workspace<'_>, place: (&str, &str)) {
    let database = rig.database(0);
    let whole = workspace.plan_run().error();
    assert!(whole.contains("REVOKE "), "one server stops the plan of all: {whole}");
    let said = workspace.run(&["plan", "-input=false", "-no-color", &target("ledger")]).error();
    let statements: Vec<String> = said.match_indices("REVOKE ").map(|(start, _)| statement(&said[start..])).collect();
    let master = Login::new(database, &database.master_username, &master_password(rig, database, place));
    let grant = block_after("```sql\nGRANT");
    master.run(rig, &format!("GRANT{grant}")).expect("the master user may grant");
    for (_, role, _) in LEDGER {
        let sql = statements.iter().find(|sql| sql.contains(&format!("`{role}`"))).expect("each is named");
        master.run(rig, sql).expect("the master user may take back what it may grant");
    }
    let works = |role: &str| Login::new(database, role, &given(role)).run(rig, "SELECT * FROM shop.orders").is_ok();
    assert_eq!((works("hoop_ro"), works("hoop_rw")), (true, false), "the outage, and the way around it");
}

fn a_level_that_is_not_there_stops_the_plan(workspace: &Workspace<'_>) {
    let path = workspace.folder().join("terraform.tfvars");
    let values = std::fs::read_to_string(&path).expect("the values");
    workspace
        .write("terraform.tfvars", &values.replace("      read_only  = {", "      ddl = {}\n      read_only  = {"));
    let said = workspace.plan_run().error();
    let place = "module.database[\\\"orders\\\"].rdsaccess_role.this[\\\"ddl\\\"]";
    assert!(said.contains("Cannot import non-existent remote object") && said.contains(place), "{said}");
    workspace.write("terraform.tfvars", &values);
}

/// Up to the end of the account's name.
fn statement(text: &str) -> String {
    let end = text.find("`@`%`").expect("the account is quoted") + "`@`%`".len();
    text[..end].to_owned()
}

/// Everything is imported and updated in place.
fn only_imports(changes: &[Value], wanted: usize) {
    for change in changes {
        assert_eq!(change["change"]["actions"], json!(["update"]), "{}", change["address"]);
        assert!(!change["change"]["importing"].is_null(), "{}", change["address"]);
    }
    assert_eq!(changes.len(), wanted);
}

/// Plans a part or everything, with so many imports, and applies that plan.
fn import(workspace: &Workspace<'_>, gateway: &FakeGateway, part: &[&str], wanted: usize) {
    gateway.forget_log();
    let plan = workspace.run(&[&["plan", "-input=false", "-no-color", "-out=plan.bin"], part].concat()).ok().stdout;
    assert!(plan.contains(&format!("{wanted} to import, 0 to add, {wanted} to change, 0 to destroy.")), "{plan}");
    assert!(plan.contains("\"no stored password\" -> \"ok\"") && plan.contains("-> \"complete\""), "{plan}");
    assert_eq!(gateway.writes(), Vec::<String>::new(), "a plan changes nothing");
    only_imports(&planned_changes(workspace), wanted);
    workspace.apply_planned().ok();
    workspace.plan().nothing();
}

/// What a connection holds, and the rights that the guide gives the agent, are enough to open a session.
fn it_is_ours(
    rig: &Rig,
    gateway: &FakeGateway,
    workspace: &Workspace<'_>,
    agent: &Agent<'_>,
    number: usize,
    made: Made,
) {
    let database = rig.database(number);
    for (level, role, name) in made {
        let secret_ref = gateway.env(name, "PASS");
        assert!(secret_ref.starts_with("_aws:rdsaccess/") && secret_ref.ends_with(":password"), "{secret_ref}");
        let stored = gateway.stored(name);
        assert!(!stored.to_string().contains(&STANDARD.encode(given(role))));
        assert_eq!(stored["reviewers"], json!(["sre"]), "what the configuration leaves out stays");
        assert_eq!(stored["connection_tags"]["hoop.dev/aws-connect.dbarn"], json!(database.arn));
        let plain = ["HOST", "PORT", "USER", "DB"].map(|key| gateway.env(name, key));
        // Of `archive` and `shop` the first.
        assert_eq!(plain, [&database.endpoint, &database.port.to_string(), *role, "archive"]);
        let login = agent.login(gateway, name).expect("the agent finds the secret");
        boundary_of(rig, &login, &json!({"username": role, "access": level}), "shop", closed(database));
        let password = agent.resolves(&secret_ref).expect("as before");
        assert_eq!(workspace.leaks(&[&password, &given(role)]), vec![]);
        let old = Login::new(database, role, &given(role)).database("shop");
        assert!(old.run(rig, "SELECT 1").is_err(), "the wizard's password of {role} is shut");
    }
    assert_eq!(agent.reads(&master_secret(database)).unwrap_err().code, "AccessDeniedException");
}

fn master_secret(database: &Database) -> String {
    let Database { account_id, region, identifier, master_username, .. } = database;
    let kind = if database.arn.contains(":cluster:") { "cluster" } else { "db" };
    format!("rdsaccess/{account_id}/{region}/{kind}/{identifier}/{master_username}")
}

fn master_password(rig: &Rig, database: &Database, (account, region): (&str, &str)) -> String {
    let params = json!({"SecretId": master_secret(database)});
    let value = rig.aws(Some(account), region, "secretsmanager", "get_secret_value", &params).expect("it is stored");
    let secret: Value = serde_json::from_str(value["SecretString"].as_str().expect("a text")).expect("JSON");
    secret["password"].as_str().expect("a password").to_owned()
}

/// A database that no level reaches.
fn closed(database: &Database) -> &'static str {
    if is_postgres(database) { "template1" } else { "mysql" }
}

fn the_group_stays(rig: &Rig, group: &str) {
    let params = json!({"DBInstanceIdentifier": "ledger"});
    let attached = rig.aws_of(rig.database(0), "rds", "describe_db_instances", &params);
    assert!(attached.expect("the instance").to_string().contains(group), "the group stays attached");
}

fn ledger(engine: &str) -> Wish {
    let database = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine);
    Wish::organization().with(database.holding(&["shop", "archive"]))
}

/// The whole sample of the guide: a database of the wizard, and an Aurora cluster with other names, with values in Vault.
#[test]
fn what_the_wizard_left_on_postgres_becomes_ours_by_the_guide() {
    let place = ("shared-services", "eu-central-1");
    let orders = DatabaseWish::cluster("payments-prod", "us-east-1", "orders", "aurora-postgresql");
    let rig = Rig::start(&ledger("postgres").with(orders.holding(&["shop", "archive"])));
    let gateway = FakeGateway::start();
    let group = wizard_group(&rig, rig.database(0));
    wizard(&rig, &gateway, rig.database(0), LEDGER, Values::Plain);
    wizard(&rig, &gateway, rig.database(1), ORDERS, Values::Vault);
    let mut workspace = Workspace::new(&rig);
    configure(&mut workspace, &rig, &gateway, &group, place);
    nothing_is_taken_in_silence(&workspace, &gateway, &group);

    workspace.write("imports.tf", &block("imports.tf"));
    let first = take_the_master_passwords(&workspace, "ledger orders");
    assert!(first.contains("1 imported, 2 added, 1 changed, 0 destroyed"), "{first}");
    let agent = Agent::new(&rig, place.0, place.1);
    let_the_agent_read(&rig, &workspace, &agent);
    a_level_that_is_not_there_stops_the_plan(&workspace);
    import(&workspace, &gateway, &[], 10);
    for (number, made) in [(0, LEDGER), (1, ORDERS)] {
        it_is_ours(&rig, &gateway, &workspace, &agent, number, made);
        assert_eq!(workspace.leaks(&[&master_password(&rig, rig.database(number), place)]), vec![]);
    }
    the_group_stays(&rig, &group);
}

#[test]
fn what_the_wizard_left_on_mariadb_becomes_ours_by_the_guide() {
    let place = ("payments-prod", "us-east-1");
    let (rig, gateway) = (Rig::start(&ledger("mariadb")), FakeGateway::start());
    let group = wizard_group(&rig, rig.database(0));
    wizard(&rig, &gateway, rig.database(0), LEDGER, Values::Plain);
    let mut workspace = Workspace::new(&rig);
    configure(&mut workspace, &rig, &gateway, &group, place);
    nothing_is_taken_in_silence(&workspace, &gateway, &group);

    workspace.write("imports.tf", &block("imports.tf"));
    let first = take_the_master_passwords(&workspace, "ledger");
    assert!(first.contains("1 imported, 1 added, 1 changed, 0 destroyed"), "{first}");
    let agent = Agent::new(&rig, place.0, place.1);
    let_the_agent_read(&rig, &workspace, &agent);
    take_the_rights_on_everything_back(&rig, &workspace, place);
    import(&workspace, &gateway, &[&target("ledger")], 6);
    it_is_ours(&rig, &gateway, &workspace, &agent, 0, LEDGER);
    assert_eq!(workspace.leaks(&[&master_password(&rig, rig.database(0), place)]), vec![]);
    the_group_stays(&rig, &group);
}
