//! What happened to a role by hand, or was left half-done, and what the next apply makes of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, is_postgres, login, master_secret, secret_of, within};
use crate::rig::{Database, Rig};
use crate::sql::{Login, Rows, as_owner};
use crate::token::token;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_role.it";
const MAKES_IAM: &str = "ALTER USER hoop_ro IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL";

fn rig(engine: &str) -> Rig {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop"]).with_iam();
    let rig = Rig::start(&Wish::organization().with(wish));
    fill(rig.database(0), &["shop"]);
    rig
}

/// Writes a configuration of a reading role; `block` goes into the provider, `lines` into the role.
fn writer<'a>(rig: &'a Rig, workspace: &'a Workspace<'_>) -> impl Fn(&str, &str) + 'a {
    let admin = master_secret(rig, rig.database(0));
    move |block, lines| {
        let text = format!(
            "{}\nresource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{}\"\n  access = \"read_only\"\n  admin = {{ \
             secret_ref = \"{admin}\" }}\n  {lines}\n}}\n",
            blocks::provider(rig, block),
            rig.database(0).arn
        );
        workspace.write("main.tf", &text);
    }
}

fn apply(workspace: &Workspace<'_>) -> Value {
    workspace.apply().ok();
    workspace.plan().nothing();
    workspace.resource(IT).expect("the role is in the state")
}

fn reads(rig: &Rig, login: &Login<'_>) -> bool {
    login.clone().database("shop").run(rig, "SELECT note FROM orders").is_ok_and(|rows| rows == [["first"]])
}

fn with_token(rig: &Rig, database: &Database) -> Result<Rows, String> {
    let secret = token(rig, database, "hoop_ro");
    Login::new(database, "hoop_ro", &secret).database("shop").run(rig, "SELECT note FROM orders")
}

/// A role with a password that logs in no more, although its password was never touched.
fn is_repaired(broken: &str) {
    let rig = rig("mariadb");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let write = writer(&rig, &workspace);
    write("", "");
    let made = apply(&workspace);
    as_owner(database, "", broken);
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("1 to change") && plan.contains("is refused"), "{plan}");
    let again = apply(&workspace);
    assert_ne!(again["secret_version"], made["secret_version"]);
    assert!(reads(&rig, &login(&rig, database, &again)));
    assert!(with_token(&rig, database).is_err());
}

#[test]
fn a_password_role_that_takes_tokens_only_gets_a_password_again() {
    is_repaired(MAKES_IAM);
}

#[test]
fn a_password_that_has_expired_is_replaced() {
    is_repaired("ALTER USER hoop_ro PASSWORD EXPIRE");
}

#[test]
fn a_rotation_of_a_role_that_takes_tokens_only_ends_that() {
    let rig = rig("mariadb");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let write = writer(&rig, &workspace);
    write("", "rotation = { keepers = { round = \"1\" } }");
    apply(&workspace);
    let fault = json!({
        "service": "secretsmanager", "action": "UpdateSecretVersionStage", "times": 9, "code": "AccessDeniedException",
        "status": 400,
    });
    write("", "rotation = { keepers = { round = \"2\" } }");
    rig.control("POST", "faults", &fault);
    assert!(workspace.apply().error().contains("UpdateSecretVersionStage"));
    rig.control("DELETE", "faults", &Value::Null);
    as_owner(database, "", MAKES_IAM);
    let again = apply(&workspace);
    assert!(reads(&rig, &login(&rig, database, &again)));
}

#[test]
fn a_switch_to_tokens_that_failed_halfway_is_taken_back() {
    for engine in ["mariadb", "postgres"] {
        let rig = rig(engine);
        let (database, workspace) = (rig.database(0), Workspace::new(&rig));
        let write = writer(&rig, &workspace);
        write("", "");
        let first = login(&rig, database, &apply(&workspace));
        write("", "auth = \"iam\"");
        let fault = json!({
            "service": "secretsmanager", "action": "DeleteSecret", "times": 9, "code": "AccessDeniedException",
            "status": 400,
        });
        rig.control("POST", "faults", &fault);
        assert!(workspace.apply().error().contains("DeleteSecret"));
        rig.control("DELETE", "faults", &Value::Null);
        write("", "");
        let again = login(&rig, database, &apply(&workspace));
        assert!(reads(&rig, &again), "{engine}");
        assert!(!reads(&rig, &first) && with_token(&rig, database).is_err(), "{engine}");
    }
}

#[test]
fn a_password_is_proven_although_all_sessions_of_the_role_are_taken() {
    for engine in ["mariadb", "postgres"] {
        let rig = rig(engine);
        let (database, workspace) = (rig.database(0), Workspace::new(&rig));
        let write = writer(&rig, &workspace);
        let round = |number: u8| {
            let keepers = format!("rotation = {{ keepers = {{ round = \"{number}\" }} }}");
            write("", &format!("connection_limit = 1\n  {keepers}"));
        };
        round(1);
        let session = login(&rig, database, &apply(&workspace));
        let (home, sleep, count, kill) = if is_postgres(database) {
            (
                "postgres",
                "SELECT pg_sleep(300)",
                "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hoop_ro'",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hoop_ro'",
            )
        } else {
            (
                "",
                "SELECT SLEEP(300)",
                "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'hoop_ro'",
                "KILL USER hoop_ro",
            )
        };
        let is_open = || as_owner(database, home, count)[0][0] == "1";
        std::thread::scope(|scope| {
            scope.spawn(|| session.run(&rig, sleep));
            assert!(within(Duration::from_secs(20), is_open), "no session is open");
            round(2);
            let run = workspace.apply();
            let stays = is_open();
            as_owner(database, home, kill);
            run.ok();
            assert!(stays, "{engine}: the session is left alone");
        });
        workspace.plan().nothing();
        let after = workspace.resource(IT).unwrap();
        assert!(within(Duration::from_secs(20), || !is_open()));
        assert!(reads(&rig, &login(&rig, database, &after)) && !reads(&rig, &session), "{engine}");
    }
}

#[test]
fn a_switch_to_tokens_ends_the_secret_where_it_was_stored() {
    let rig = rig("postgres");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let write = writer(&rig, &workspace);
    write("", "");
    let made = apply(&workspace);
    let secret = || secret_of(&rig, database, "hoop_ro").unwrap();
    assert_eq!(secret()["ARN"], made["secret_ref"]);
    write("store = { secrets_manager = { name_prefix = \"other/\" } }", "auth = \"iam\"");
    let tokens = apply(&workspace);
    assert_eq!(tokens["secret_ref"], Value::Null);
    assert!(secret().get("DeletedDate").is_some(), "{}", secret());
}

#[test]
fn a_plan_says_that_iam_authentication_was_switched_off() {
    let rig = rig("postgres");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let write = writer(&rig, &workspace);
    write("", "auth = \"iam\"");
    apply(&workspace);
    let switch = |on: bool| {
        let params = json!({
            "DBInstanceIdentifier": database.identifier, "EnableIAMDatabaseAuthentication": on, "ApplyImmediately": true,
        });
        rig.aws_of(database, "rds", "modify_db_instance", &params).unwrap();
    };
    switch(false);
    let run = workspace.plan_run();
    assert_eq!(run.code, 1, "nothing that apply refuses is promised:\n{}", run.stdout);
    let error = run.error();
    for word in ["IAM authentication is off", "--enable-iam-database-authentication", &database.arn] {
        assert!(error.contains(word), "`{word}` is not in:\n{error}");
    }
    switch(true);
    workspace.plan().nothing();
}

#[test]
fn a_role_that_logs_in_with_tokens_is_imported_as_that() {
    for engine in ["postgres", "mariadb"] {
        let rig = rig(engine);
        let (database, workspace) = (rig.database(0), Workspace::new(&rig));
        let write = writer(&rig, &workspace);
        write("", "auth = \"iam\"");
        let made = apply(&workspace);
        workspace.run(&["state", "rm", IT]).ok();
        // Without `admin` in the configuration of an import, the master's own secret is found.
        crate::fixture::default_master_secret(&rig, database);
        workspace.import(IT, &format!("{}|hoop_ro", database.arn)).ok();
        let imported = workspace.resource(IT).unwrap();
        for name in ["auth", "credential", "coverage", "secret_ref"] {
            assert_eq!(imported[name], made[name], "{engine}: {name}");
        }
        let plan = workspace.plan_run().stdout;
        assert!(!plan.contains("auth ") && !plan.contains("credential"), "{engine}: {plan}");
        apply(&workspace);
        assert_eq!(with_token(&rig, database).unwrap(), [["first"]]);
    }
}

#[test]
fn a_refresh_of_aws_alone_sees_the_age_and_the_labels() {
    let rig = rig("postgres");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let write = writer(&rig, &workspace);
    write("refresh = \"aws\"", "rotation = { after = \"1h\" }");
    let made = apply(&workspace);
    let file = workspace.folder().join("terraform.tfstate");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(made["rotated_at"].as_str().unwrap(), "2020-01-01T00:00:00Z")).unwrap();
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("1 to change") && plan.contains("2020-01-01T00:00:00Z"), "{plan}");
    let rotated = apply(&workspace);
    assert_ne!(rotated["secret_version"], made["secret_version"]);
    assert!(reads(&rig, &login(&rig, database, &rotated)));

    rig.aws_of(database, "secretsmanager", "delete_secret", &json!({ "SecretId": rotated["secret_ref"] })).unwrap();
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("no stored password"), "{plan}");
    let again = apply(&workspace);
    assert_eq!(again["credential"], "ok");
    assert!(reads(&rig, &login(&rig, database, &again)));
}

#[test]
fn a_create_with_tokens_that_was_killed_is_continued_and_nothing_else_is_taken_over() {
    let rig = rig("mariadb");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let write = writer(&rig, &workspace);
    write("", "auth = \"iam\"");
    let made = "CREATE USER hoop_ro IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL";
    for (account, beyond) in [
        (made.to_owned(), ""),
        (format!("{made} ACCOUNT LOCK"), "GRANT INSERT ON shop.* TO hoop_ro"),
        ("CREATE USER hoop_ro IDENTIFIED BY 'by-hand-1' ACCOUNT LOCK".to_owned(), ""),
    ] {
        as_owner(database, "", &account);
        if !beyond.is_empty() {
            as_owner(database, "", beyond);
        }
        assert!(workspace.apply().error().contains("hoop_ro"), "{account} {beyond} is taken over");
        as_owner(database, "", "DROP USER hoop_ro");
    }
    as_owner(database, "", &format!("{made} ACCOUNT LOCK"));
    apply(&workspace);
    assert_eq!(with_token(&rig, database).unwrap(), [["first"]]);
    workspace.destroy().ok();
}
