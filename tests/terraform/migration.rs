//! The guide `docs/guides/migration.md`: its blocks make what AWS Connect left ours, and nothing of the old stays open.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::aws_connect::{boundary_of, copy, provider_block};
use crate::fixture::{fill, is_postgres, planned_changes};
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::{Database, Rig, repository};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const LEVELS: [(&str, &str); 3] = [("read_only", "ro"), ("read_write", "rw"), ("ddl", "ddl")];
const CIDR: &str = "10.20.0.0/16";
const WORDS: &str = "Allows the agent to reach the database";

/// The block of the guide that begins with this name of a file.
fn block(name: &str) -> String {
    let guide = std::fs::read_to_string(repository().join("docs/guides/migration.md")).expect("the guide is there");
    let begin = format!("```terraform\n# {name}\n");
    let (_, rest) = guide.split_once(&begin).expect("the guide has the block");
    rest.split("```").next().expect("it ends").to_owned()
}

/// The password that the wizard gave a role: from its alphabet.
fn given(suffix: &str) -> String {
    format!("Wizard_{suffix}*made0This1For2Hoop")
}

/// Runs the statements that the wizard's agent would run for a role.
fn wizard_role(rig: &Rig, database: &Database, suffix: &str) {
    let (name, password) = (format!("hoop_{suffix}"), given(suffix));
    let rows = if suffix == "ro" { "SELECT" } else { "SELECT, INSERT, UPDATE, DELETE" };
    let master = Login::master(database);
    if !is_postgres(database) {
        let more = if suffix == "ddl" { ", ALTER, CREATE, DROP" } else { "" };
        // The master user of the rig lacks rights on the system schema that the grant hands on.
        let sql =
            format!("CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'; GRANT {rows}{more} ON *.* TO '{name}'@'%'");
        as_owner(database, "", &sql);
        return;
    }
    let more = if suffix == "ddl" { ", TRUNCATE, REFERENCES, TRIGGER" } else { "" };
    let create =
        format!("CREATE ROLE {name} WITH LOGIN PASSWORD '{password}' NOINHERIT NOCREATEDB NOCREATEROLE NOSUPERUSER");
    master.run(rig, &create).expect("the master user makes roles");
    for name_of_database in ["shop", "archive"] {
        let grants = format!(
            "GRANT USAGE ON SCHEMA public TO {name}; GRANT {rows}{more} ON ALL TABLES IN SCHEMA public TO {name}"
        );
        as_owner(database, name_of_database, &grants);
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

/// The connection that the wizard makes: every value as it is, and one tag.
fn wizard_connection(gateway: &FakeGateway, database: &Database, suffix: &str) {
    let plain = |value: &str| STANDARD.encode(value);
    let (subtype, home) = if is_postgres(database) { ("postgres", "postgres") } else { ("mysql", "mysql") };
    let secret = json!({
        "envvar:HOST": plain(&database.endpoint), "envvar:PORT": plain(&database.port.to_string()),
        "envvar:USER": plain(&format!("hoop_{suffix}")), "envvar:PASS": plain(&given(suffix)), "envvar:DB": plain(home),
    });
    let tags = json!({"hoop.dev/aws-connect.dbarn": database.arn});
    let name = format!("team-{suffix}");
    gateway.make(&name, &json!({"subtype": subtype, "secret": secret, "connection_tags": tags, "reviewers": ["sre"]}));
}

/// The guide's files, brought to this rig by an override file.
fn configure(workspace: &Workspace<'_>, rig: &Rig, group: &str, (account, region): (&str, &str)) {
    copy(workspace, "modules/aws-connect", "aws-connect");
    workspace.write("main.tf", &block("main.tf"));
    workspace.write("rig_override.tf", &provider_block(rig, ""));
    let values = json!({
        "agent_name": "lab", "agent_account_id": rig.account_id(account), "agent_region": region,
        "databases": {"ledger": {"arn": rig.database(0).arn, "security_group_id": group, "connection_prefix": "team",
            "cidr": CIDR}},
    });
    workspace.write("terraform.tfvars.json", &values.to_string());
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

/// `place` is the account and region of the gateway's agent.
fn what_the_wizard_left_becomes_ours(engine: &str, place: (&str, &str)) {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop", "archive"]);
    let (rig, gateway) = (Rig::start(&Wish::organization().with(wish)), FakeGateway::start());
    let database = rig.database(0);
    fill(database, &["shop", "archive"]);
    if is_postgres(database) {
        // The table in a place that no level covers.
        as_owner(database, "template1", "CREATE TABLE orders (id int)");
    }
    let group = wizard_group(&rig, database);
    for (_, suffix) in LEVELS {
        wizard_role(&rig, database, suffix);
        wizard_connection(&gateway, database, suffix);
        let works = Login::new(database, &format!("hoop_{suffix}"), &given(suffix)).database("shop");
        works.run(&rig, "SELECT * FROM orders").expect("what the wizard left works");
    }
    let mut workspace = Workspace::new(&rig);
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.set("HOOP_APIKEY", ADMIN);
    configure(&workspace, &rig, &group, place);
    workspace.init().ok();

    // Without the import blocks nothing is taken over.
    let refused = workspace.apply().error();
    assert!(refused.contains(&group) && refused.contains("import"), "{refused}");
    assert_eq!(gateway.env("team-ro", "PASS"), given("ro"));

    workspace.write("imports.tf", &block("imports.tf"));
    gateway.forget_log();
    let target = "-target=module.database[\"ledger\"].rdsaccess_master_credential.this";
    let first = workspace.run(&["apply", "-input=false", "-no-color", "-auto-approve", target]).ok().stdout;
    assert!(first.contains("1 imported, 1 added, 1 changed, 0 destroyed"), "{first}");
    if !is_postgres(database) {
        takes_the_rights_on_everything_back(&rig, &workspace);
    }
    let agent = Agent::new(&rig, place.0, place.1);
    let_the_agent_read(&rig, &workspace, &agent);
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("6 to import, 0 to add, 6 to change, 0 to destroy."), "{plan}");
    assert!(plan.contains("\"no stored password\" -> \"ok\"") && plan.contains("-> \"complete\""), "{plan}");
    assert_eq!(gateway.writes(), Vec::<String>::new(), "a plan changes nothing");
    only_imports(&planned_changes(&workspace));
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    it_is_ours(&rig, &gateway, &workspace, &agent);
    let attached = rig.aws_of(database, "rds", "describe_db_instances", &json!({"DBInstanceIdentifier": "ledger"}));
    assert!(attached.expect("the instance").to_string().contains(&group), "the group stays attached");
    let mut secrets: Vec<String> = LEVELS.iter().map(|(_, suffix)| given(suffix)).collect();
    secrets.push(master_password(&rig, place));
    assert_eq!(workspace.leaks(&secrets.iter().map(String::as_str).collect::<Vec<_>>()), vec![]);
}

/// The plan says itself which statements make the wizard's accounts roles.
fn takes_the_rights_on_everything_back(rig: &Rig, workspace: &Workspace<'_>) {
    let database = rig.database(0);
    let said = workspace.plan_run().error();
    let statements: Vec<String> = said.match_indices("REVOKE ").map(|(start, _)| statement(&said[start..])).collect();
    for (_, suffix) in LEVELS {
        let sql = statements.iter().find(|sql| sql.contains(&format!("hoop_{suffix}"))).expect("each is named");
        as_owner(database, "", sql);
    }
}

/// Up to the end of the account's name.
fn statement(text: &str) -> String {
    let end = text.find("`@`%`").expect("the account is quoted") + "`@`%`".len();
    text[..end].to_owned()
}

/// Everything is imported and updated in place.
fn only_imports(changes: &[Value]) {
    for change in changes {
        assert_eq!(change["change"]["actions"], json!(["update"]), "{}", change["address"]);
        assert!(!change["change"]["importing"].is_null(), "{}", change["address"]);
    }
    assert_eq!(changes.len(), 6);
}

/// What a connection holds, and the rights that the guide gives the agent, are enough to open a session.
fn it_is_ours(rig: &Rig, gateway: &FakeGateway, workspace: &Workspace<'_>, agent: &Agent<'_>) {
    let database = rig.database(0);
    for (level, suffix) in LEVELS {
        let name = format!("team-{suffix}");
        let secret_ref = gateway.env(&name, "PASS");
        assert!(secret_ref.starts_with("_aws:rdsaccess/") && secret_ref.ends_with(":password"), "{secret_ref}");
        assert!(!gateway.stored(&name).to_string().contains(&STANDARD.encode(given(suffix))));
        assert_eq!(gateway.stored(&name)["reviewers"], json!(["sre"]), "what the configuration leaves out stays");
        let role = json!({"username": format!("hoop_{suffix}"), "access": level});
        let login = agent.login(gateway, &name).expect("the agent finds the secret");
        boundary_of(rig, &login, &role, "shop", closed(database));
        assert_eq!(workspace.leaks(&[&agent.resolves(&secret_ref).expect("as before")]), vec![]);
        let old = Login::new(database, &format!("hoop_{suffix}"), &given(suffix)).database("shop");
        assert!(old.run(rig, "SELECT 1").is_err(), "the wizard's password of {suffix} is shut");
    }
    assert_eq!(agent.reads(&master_secret(rig)).unwrap_err().code, "AccessDeniedException");
}

fn master_secret(rig: &Rig) -> String {
    let Database { account_id, region, master_username, .. } = rig.database(0);
    format!("rdsaccess/{account_id}/{region}/db/ledger/{master_username}")
}

fn master_password(rig: &Rig, (account, region): (&str, &str)) -> String {
    let params = json!({"SecretId": master_secret(rig)});
    let value = rig.aws(Some(account), region, "secretsmanager", "get_secret_value", &params).expect("it is stored");
    let secret: Value = serde_json::from_str(value["SecretString"].as_str().expect("a text")).expect("JSON");
    secret["password"].as_str().expect("a password").to_owned()
}

/// A database that no level reaches.
fn closed(database: &Database) -> &'static str {
    if is_postgres(database) { "template1" } else { "mysql" }
}

#[test]
fn what_the_wizard_left_on_postgres_becomes_ours_by_the_guide() {
    what_the_wizard_left_becomes_ours("postgres", ("shared-services", "eu-central-1"));
}

#[test]
fn what_the_wizard_left_on_mariadb_becomes_ours_by_the_guide() {
    what_the_wizard_left_becomes_ours("mariadb", ("payments-prod", "us-east-1"));
}
