//! Roles and administrators that log in with tokens of IAM authentication, on real servers that check them.

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, is_postgres, login, master_secret, secret_of};
use crate::rig::{Database, Rig};
use crate::sql::{Login, Rows, as_owner};
use crate::token::token;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_role.it";

fn rig(engine: &str) -> Rig {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop"]).with_iam();
    let rig = Rig::start(&Wish::organization().with(wish));
    fill(rig.database(0), &["shop"]);
    rig
}

fn write(rig: &Rig, workspace: &Workspace<'_>, admin: &str, lines: &str) {
    let text = format!(
        "{}\nresource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{}\"\n  access = \"read_only\"\n  admin = {admin}\n  \
         {lines}\n}}\n",
        blocks::provider(rig, ""),
        rig.database(0).arn
    );
    workspace.write("main.tf", &text);
}

fn apply(workspace: &Workspace<'_>) -> Value {
    workspace.apply().ok();
    workspace.plan().nothing();
    workspace.resource(IT).expect("the role is in the state")
}

fn with_token(rig: &Rig, database: &Database) -> Result<Rows, String> {
    let secret = token(rig, database, "hoop_ro");
    Login::new(database, "hoop_ro", &secret).database("shop").run(rig, "SELECT note FROM orders")
}

/// From a password to tokens and back, in place.
fn switches(engine: &str) {
    let rig = rig(engine);
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let admin = format!("{{ secret_ref = \"{}\" }}", master_secret(&rig, database));
    write(&rig, &workspace, &admin, "");
    let made = apply(&workspace);
    let first = login(&rig, database, &made).database("shop");
    first.run(&rig, "SELECT note FROM orders").unwrap();
    assert!(with_token(&rig, database).is_err());

    write(&rig, &workspace, &admin, "auth = \"iam\"");
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("1 to change") && plan.contains("\"password\" -> \"iam\""), "{plan}");
    let tokens = apply(&workspace);
    for nothing in ["secret_ref", "secret_version", "rotated_at", "rotation_due_at"] {
        assert_eq!(tokens[nothing], Value::Null, "{nothing}");
    }
    assert_eq!((&tokens["credential"], &tokens["coverage"]["shop"]), (&json!("ok"), &json!("complete")));
    assert_eq!(with_token(&rig, database).unwrap(), [["first"]]);
    assert!(first.run(&rig, "SELECT 1").is_err(), "the password is gone");
    assert!(secret_of(&rig, database, "hoop_ro").unwrap().get("DeletedDate").is_some());

    let broken = if is_postgres(database) {
        "REVOKE rds_iam FROM hoop_ro"
    } else {
        "ALTER USER hoop_ro IDENTIFIED BY 'by-hand-1'"
    };
    as_owner(database, "shop", broken);
    workspace.plan().changes();
    apply(&workspace);
    assert_eq!(with_token(&rig, database).unwrap(), [["first"]]);

    write(&rig, &workspace, &admin, "");
    let again = apply(&workspace);
    assert_ne!(again["secret_version"], made["secret_version"]);
    login(&rig, database, &again).database("shop").run(&rig, "SELECT note FROM orders").unwrap();
    assert!(with_token(&rig, database).is_err(), "tokens are no good any more");
    assert!(first.run(&rig, "SELECT 1").is_err(), "nor is the password before them");
    workspace.destroy().ok();
}

#[test]
fn a_postgres_role_switches_to_tokens_and_back_in_place() {
    switches("postgres");
}

#[test]
fn a_mariadb_role_switches_to_tokens_and_back_in_place() {
    switches("mariadb");
}

#[test]
fn a_switch_to_tokens_that_was_interrupted_is_finished() {
    let rig = rig("postgres");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let admin = format!("{{ secret_ref = \"{}\" }}", master_secret(&rig, database));
    write(&rig, &workspace, &admin, "");
    apply(&workspace);
    write(&rig, &workspace, &admin, "auth = \"iam\"");
    let fault = json!({
        "service": "secretsmanager", "action": "DeleteSecret", "times": 9, "code": "AccessDeniedException", "status": 400,
    });
    rig.control("POST", "faults", &fault);
    assert!(workspace.apply().error().contains("DeleteSecret"));
    rig.control("DELETE", "faults", &Value::Null);
    assert_eq!(with_token(&rig, database).unwrap(), [["first"]], "the database has switched");
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("\"password\" -> \"iam\""), "the switch is still planned:\n{plan}");
    apply(&workspace);
    assert!(secret_of(&rig, database, "hoop_ro").unwrap().get("DeletedDate").is_some());

    let restored = secret_of(&rig, database, "hoop_ro").unwrap()["ARN"].clone();
    rig.aws_of(database, "secretsmanager", "restore_secret", &json!({ "SecretId": restored })).unwrap();
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("the secret of the password before is still there"), "{plan}");
    apply(&workspace);
    assert!(secret_of(&rig, database, "hoop_ro").unwrap().get("DeletedDate").is_some());
}

/// The whole life of a role, made by an administrator without any password.
fn is_made_with_tokens(engine: &str) {
    let rig = rig(engine);
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    if is_postgres(database) {
        // From version 16 on the master user keeps its password; another administrator is needed to show tokens.
        as_owner(database, "postgres", "CREATE ROLE dba LOGIN CREATEROLE CREATEDB");
        as_owner(database, "postgres", &format!("GRANT \"{}\" TO dba WITH ADMIN OPTION", database.master_username));
        as_owner(database, "postgres", "GRANT rds_iam TO dba");
    } else {
        let grants = as_owner(database, "", &format!("SHOW GRANTS FOR '{}'", database.master_username))[0][0].clone();
        as_owner(database, "", "CREATE USER dba IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL");
        let rights = grants.split(" ON ").next().unwrap();
        as_owner(database, "", &format!("{rights} ON *.* TO dba WITH GRANT OPTION"));
    }
    write(&rig, &workspace, "{ auth = \"iam\", username = \"dba\" }", "auth = \"iam\"");
    apply(&workspace);
    assert_eq!(with_token(&rig, database).unwrap(), [["first"]]);
    let log = std::fs::read_to_string(&rig.made.iam_log).unwrap();
    assert!(log.contains("accepted dba at "), "{log}");
    assert!(!log.contains("refused dba at "), "{log}");
    assert!(rig.calls("GetSecretValue").is_empty() && rig.calls("CreateSecret").is_empty(), "no secret is involved");
    workspace.destroy().ok();
    assert!(with_token(&rig, database).is_err());
}

#[test]
fn a_postgres_administrator_logs_in_with_tokens() {
    is_made_with_tokens("postgres");
}

#[test]
fn a_mariadb_administrator_logs_in_with_tokens() {
    is_made_with_tokens("mariadb");
}

#[test]
fn an_administrator_whose_token_is_refused_is_told_what_is_missing() {
    let users = [("mariadb", "CREATE USER dba IDENTIFIED BY 'a-password-1'"), ("postgres", "CREATE ROLE dba LOGIN")];
    for (engine, user) in users {
        let rig = rig(engine);
        let (database, workspace) = (rig.database(0), Workspace::new(&rig));
        as_owner(database, if is_postgres(database) { "postgres" } else { "" }, user);
        write(&rig, &workspace, "{ auth = \"iam\", username = \"dba\" }", "");
        let error = workspace.apply().error();
        let resource = format!("dbuser:{}/dba", database.resource_id);
        for word in ["refused the token", "rds-db:connect", &resource, "AWSAuthenticationPlugin", "rds_iam"] {
            assert!(error.contains(word), "{engine}: `{word}` is not in:\n{error}");
        }
    }
}
