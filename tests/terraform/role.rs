//! `rdsaccess_role` with the real client on real PostgreSQL and MariaDB servers.

use serde_json::{Value, json};

use crate::blocks;
use crate::rig::{Database, Rig};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Cli, Workspace};

fn wish(engine: &str) -> Wish {
    Wish::organization()
        .with(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop", "stock"]))
}

/// A table with a row in every database.
fn fill(database: &Database) {
    for name in ["shop", "stock"] {
        as_owner(database, name, "CREATE TABLE orders (id int PRIMARY KEY, note text)");
        as_owner(database, name, "INSERT INTO orders VALUES (1, 'first')");
    }
    if database.server.as_deref() == Some("postgres") {
        let owner = &database.master_username;
        for name in ["shop", "stock"] {
            as_owner(database, name, &format!("ALTER TABLE orders OWNER TO \"{owner}\""));
        }
    }
}

/// The master's credential as a secret that somebody else keeps.
fn master_secret(rig: &Rig, database: &Database) -> String {
    let value = json!({"username": database.master_username, "password": database.master_password}).to_string();
    let made = rig
        .aws_of(database, "secretsmanager", "create_secret", &json!({"Name": "masters/ledger", "SecretString": value}))
        .unwrap();
    made["ARN"].as_str().unwrap().to_owned()
}

fn configuration(rig: &Rig, admin: &str, arguments: &str) -> String {
    let arn = &rig.database(0).arn;
    format!(
        "{}\nresource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{arn}\"\n  admin      = {{ secret_ref = \"{admin}\" }}\n{arguments}\n}}\n",
        blocks::provider(rig, "")
    )
}

/// The stored password, read as an application reads it.
fn password(rig: &Rig, secret_ref: &str) -> String {
    let params = json!({"SecretId": secret_ref, "VersionStage": "AWSCURRENT"});
    let value = rig.aws_of(rig.database(0), "secretsmanager", "get_secret_value", &params).unwrap();
    let secret: Value = serde_json::from_str(value["SecretString"].as_str().unwrap()).unwrap();
    secret["password"].as_str().unwrap().to_owned()
}

struct As<'a> {
    rig: &'a Rig,
    user: String,
    password: String,
}

impl As<'_> {
    fn run(&self, database: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
        Login::new(self.rig.database(0), &self.user, &self.password).database(database).run(self.rig, sql)
    }
}

fn role<'a>(rig: &'a Rig, workspace: &Workspace<'_>) -> As<'a> {
    let state = workspace.resource("rdsaccess_role.it").unwrap();
    As {
        rig,
        user: state["username"].as_str().unwrap().to_owned(),
        password: password(rig, state["secret_ref"].as_str().unwrap()),
    }
}

fn lives(engine: &str, cli: Cli) {
    let rig = Rig::start(&wish(engine));
    let database = rig.database(0);
    fill(database);
    let admin = master_secret(&rig, database);
    let workspace = Workspace::new(&rig).cli(cli);

    workspace.write("main.tf", &configuration(&rig, &admin, "  access = \"read_only\""));
    workspace.apply().ok();
    workspace.plan().nothing();
    let state = workspace.resource("rdsaccess_role.it").unwrap();
    assert_eq!(state["name"], "hoop_ro");
    assert_eq!(state["credential"], "ok");
    assert_eq!(state["coverage"]["shop"], "complete");
    assert_eq!(state["endpoint"], database.endpoint.as_str());
    let reader = role(&rig, &workspace);
    assert_eq!(reader.run("shop", "SELECT note FROM orders").unwrap(), [["first"]]);
    assert!(reader.run("shop", "INSERT INTO orders VALUES (2, 'x')").is_err());
    assert!(reader.run("stock", "CREATE TABLE mine (id int)").is_err());

    workspace.write(
        "main.tf",
        &configuration(&rig, &admin, "  access = \"read_write\"\n  name = \"hoop_ro\"\n  databases = [\"shop\"]"),
    );
    let plan = workspace.plan().changes();
    assert!(plan.stdout.contains("will be updated in-place"), "{}", plan.stdout);
    workspace.apply().ok();
    workspace.plan().nothing();
    let writer = role(&rig, &workspace);
    assert_eq!(writer.password, reader.password, "a change of the level keeps the password");
    writer.run("shop", "INSERT INTO orders VALUES (2, 'second')").unwrap();
    assert!(writer.run("stock", "SELECT note FROM orders").is_err(), "stock is not covered any more");
    assert!(writer.run("shop", "DROP TABLE orders").is_err());

    let secret_ref = workspace.resource("rdsaccess_role.it").unwrap()["secret_ref"].as_str().unwrap().to_owned();
    workspace.destroy().ok();
    let refused = writer.run("shop", "SELECT 1").unwrap_err();
    assert!(!refused.is_empty());
    let left = rig.aws_of(database, "secretsmanager", "describe_secret", &json!({"SecretId": secret_ref})).unwrap();
    assert!(left.get("DeletedDate").is_some(), "the secret is scheduled for deletion: {left}");

    workspace.apply().ok();
    workspace.plan().nothing();
    let again = role(&rig, &workspace);
    again.run("shop", "SELECT note FROM orders").unwrap();
    assert_eq!(workspace.leaks(&[&reader.password, &again.password, &database.master_password]), []);
    workspace.destroy().ok();
}

#[test]
fn a_postgres_role_lives_from_create_to_destroy() {
    lives("postgres", Cli::installed());
}

#[test]
fn a_postgres_role_lives_from_create_to_destroy_with_opentofu() {
    lives("postgres", Cli::opentofu());
}

#[test]
fn a_mariadb_role_lives_from_create_to_destroy() {
    lives("mariadb", Cli::installed());
}

#[test]
fn the_three_levels_live_beside_each_other_and_ddl_objects_are_covered() {
    let rig = Rig::start(&wish("postgres"));
    let database = rig.database(0);
    fill(database);
    let admin = master_secret(&rig, database);
    let workspace = Workspace::new(&rig);
    let arn = &database.arn;
    let text = format!(
        "{}\nresource \"rdsaccess_role\" \"it\" {{\n  for_each = toset([\"read_only\", \"read_write\", \"ddl\"])\n  \
         target_arn = \"{arn}\"\n  access = each.key\n  databases = [\"shop\"]\n  admin = {{ secret_ref = \"{admin}\" }}\n}}\n",
        blocks::provider(&rig, "")
    );
    workspace.write("main.tf", &text);
    workspace.apply().ok();
    workspace.plan().nothing();
    let login = |level: &str| {
        let state = workspace.resource(&format!("rdsaccess_role.it[\"{level}\"]")).unwrap();
        As {
            rig: &rig,
            user: state["username"].as_str().unwrap().to_owned(),
            password: password(&rig, state["secret_ref"].as_str().unwrap()),
        }
    };
    login("ddl").run("shop", "CREATE TABLE later (id serial PRIMARY KEY, note text)").unwrap();
    login("read_write").run("shop", "INSERT INTO later (note) VALUES ('x')").unwrap();
    assert_eq!(login("read_only").run("shop", "SELECT note FROM later").unwrap(), [["x"]]);
    assert!(login("read_only").run("shop", "DELETE FROM later").is_err());
    assert!(login("read_write").run("shop", "DROP TABLE later").is_err());
    workspace.plan().nothing();
    login("ddl").run("shop", "DROP TABLE later").unwrap();
    workspace.destroy().ok();
}

fn drift(engine: &str, break_grant: &str, break_password: &str) {
    let rig = Rig::start(&wish(engine));
    let database = rig.database(0);
    fill(database);
    let admin = master_secret(&rig, database);
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, &admin, "  access = \"read_only\""));
    workspace.apply().ok();
    let before = role(&rig, &workspace);

    as_owner(database, "shop", break_grant);
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("missing") && plan.contains("\"complete\""), "the plan says what is missing:\n{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
    before.run("shop", "SELECT note FROM orders").unwrap();

    as_owner(database, "shop", break_password);
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("the stored password is refused\" -> \"ok\""), "{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
    let after = role(&rig, &workspace);
    assert_ne!(after.password, before.password);
    after.run("shop", "SELECT note FROM orders").unwrap();

    let drop = if engine == "postgres" { "DROP OWNED BY hoop_ro; DROP ROLE hoop_ro" } else { "DROP USER hoop_ro" };
    as_owner(database, "shop", drop);
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("role is missing"), "{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
    role(&rig, &workspace).run("shop", "SELECT note FROM orders").unwrap();
}

#[test]
fn drift_on_postgres_is_planned_in_words_and_repaired() {
    drift(
        "postgres",
        "DO $$ DECLARE g text; BEGIN FOR g IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'rdsaccess\\_ro\\_%' LOOP \
         EXECUTE format('REVOKE SELECT ON orders FROM %I', g); END LOOP; END $$",
        "ALTER ROLE hoop_ro PASSWORD 'changed-by-hand-1'",
    );
}

#[test]
fn drift_on_mariadb_is_planned_in_words_and_repaired() {
    drift("mariadb", "REVOKE SELECT ON shop.* FROM hoop_ro", "ALTER USER hoop_ro IDENTIFIED BY 'changed-by-hand-1'");
}

#[test]
fn a_role_of_somebody_else_is_refused_and_can_be_imported() {
    let rig = Rig::start(&wish("postgres"));
    let database = rig.database(0);
    fill(database);
    let admin = master_secret(&rig, database);
    as_owner(database, "shop", "CREATE ROLE hoop_ro LOGIN PASSWORD 'by-hand-1'");
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, &admin, "  access = \"read_only\""));
    let refused = workspace.apply().error();
    assert!(refused.contains("hoop_ro") && refused.contains("import"), "{refused}");
    let secrets = rig.aws_of(database, "secretsmanager", "list_secrets", &json!({})).unwrap();
    assert_eq!(secrets["SecretList"].as_array().unwrap().len(), 1, "nothing was stored: {secrets}");
    let mine = As { rig: &rig, user: "hoop_ro".to_owned(), password: "by-hand-1".to_owned() };
    mine.run("shop", "SELECT 1").unwrap();
}

#[test]
fn what_a_killed_create_left_behind_is_taken_over() {
    let rig = Rig::start(&wish("postgres"));
    let database = rig.database(0);
    fill(database);
    let admin = master_secret(&rig, database);
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, &admin, "  access = \"read_only\""));
    workspace.apply().ok();
    // A provider that dies before Terraform writes its state leaves exactly this: everything made, nothing known.
    workspace.run(&["state", "rm", "rdsaccess_role.it"]).ok();
    workspace.apply().ok();
    workspace.plan().nothing();
    role(&rig, &workspace).run("shop", "SELECT note FROM orders").unwrap();
    workspace.destroy().ok();
}

#[test]
fn a_database_that_cannot_be_reached_is_one_error_or_a_kept_state() {
    let rig = Rig::start(
        &Wish::organization()
            .with(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").unreachable()),
    );
    let admin = master_secret(&rig, rig.database(0));
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, &admin, "  access = \"read_only\""));
    let error = workspace.apply().error();
    assert!(error.contains("Cannot reach the database") && error.contains("db:ledger"), "{error}");
    assert!(error.contains("security group"), "the next step is named: {error}");
    assert!(workspace.resource("rdsaccess_role.it").is_none(), "nothing was made");
}
