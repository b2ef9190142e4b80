//! `rotation` of `rdsaccess_role`: by keepers, by age, with one login and with two that take turns.

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, has_role, login, master_secret, our_roles, password, secret_of};
use crate::rig::{Database, Rig};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_role.it";

fn rig(engine: &str) -> Rig {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop"]);
    let rig = Rig::start(&Wish::organization().with(wish));
    fill(rig.database(0), &["shop"]);
    rig
}

/// Writes the configuration of a role with these lines.
fn writer<'a>(rig: &'a Rig, workspace: &'a Workspace<'_>) -> impl Fn(&str) + 'a {
    let (arn, admin) = (&rig.database(0).arn, master_secret(rig, rig.database(0)));
    move |lines| {
        let text = format!(
            "{}\nresource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{arn}\"\n  access = \"read_only\"\n  admin = {{ \
             secret_ref = \"{admin}\" }}\n  {lines}\n}}\n",
            blocks::provider(rig, "")
        );
        workspace.write("main.tf", &text);
    }
}

fn state(workspace: &Workspace<'_>) -> Value {
    workspace.resource(IT).expect("the role is in the state")
}

fn text<'a>(state: &'a Value, name: &str) -> &'a str {
    state[name].as_str().unwrap_or_else(|| panic!("{name} is not a text in {state}"))
}

/// Applies, plans again and returns the state.
fn apply(workspace: &Workspace<'_>) -> Value {
    workspace.apply().ok();
    workspace.plan().nothing();
    state(workspace)
}

fn reads(rig: &Rig, login: &Login<'_>) -> bool {
    login.clone().database("shop").run(rig, "SELECT note FROM orders").is_ok_and(|rows| rows == [["first"]])
}

fn rotates(engine: &str) {
    let rig = rig(engine);
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let write = writer(&rig, &workspace);
    write("rotation = { after = \"30d\", keepers = { round = \"1\" } }");
    let made = apply(&workspace);
    let current = |state: &Value| password(&rig, database, text(state, "secret_ref"));
    let mut passwords = vec![database.master_password.clone(), current(&made)];
    assert!(text(&made, "rotation_due_at") > text(&made, "rotated_at"), "{made}");
    assert_eq!(made["rotation"]["strategy"], "single");
    let first = login(&rig, database, &made);
    assert!(reads(&rig, &first));

    write("rotation = { after = \"30d\", keepers = { round = \"2\" } }");
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("1 to change") && plan.contains("secret_version"), "{plan}");
    assert!(!plan.contains("secret_ref"), "a rotation does not move the secret:\n{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let second = state(&workspace);
    passwords.push(current(&second));
    assert_eq!(second["secret_ref"], made["secret_ref"]);
    assert_ne!(second["secret_version"], made["secret_version"]);
    assert!(reads(&rig, &login(&rig, database, &second)));
    assert!(!reads(&rig, &first), "the password before ends at once");

    // Made older than it is: an age cannot pass in a test.
    write("rotation = { after = \"1h\", keepers = { round = \"2\" } }");
    make_old(&workspace, &apply(&workspace));
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("1 to change") && plan.contains("2020-01-01T00:00:00Z"), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let third = state(&workspace);
    passwords.push(current(&third));
    assert_ne!(third["secret_version"], second["secret_version"]);
    assert!(reads(&rig, &login(&rig, database, &third)));

    write("rotation = { keepers = { round = \"2\", more = \"x\" } }");
    workspace.apply().ok();
    passwords.push(current(&state(&workspace)));
    write("");
    let left = apply(&workspace);
    assert_eq!(left["rotation_due_at"], Value::Null);
    assert_eq!(Some(&current(&left)), passwords.last(), "what is left out changes nothing");
    let different: std::collections::BTreeSet<&String> = passwords.iter().collect();
    assert_eq!(different.len(), passwords.len(), "every rotation makes another password");
    assert_eq!(workspace.leaks(&passwords.iter().map(String::as_str).collect::<Vec<_>>()), []);
}

/// Says in the state file that the password was stored long ago: an age cannot pass in a test.
fn make_old(workspace: &Workspace<'_>, state: &Value) {
    let file = workspace.folder().join("terraform.tfstate");
    let text_before = std::fs::read_to_string(&file).unwrap();
    let old = text_before.replace(text(state, "rotated_at"), "2020-01-01T00:00:00Z");
    assert_ne!(old, text_before);
    std::fs::write(&file, old).unwrap();
}

#[test]
fn a_purged_secret_is_made_again_when_a_rotation_is_due() {
    let rig = rig("postgres");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    writer(&rig, &workspace)("rotation = { after = \"1h\" }");
    let made = apply(&workspace);
    make_old(&workspace, &made);
    let purge = json!({ "SecretId": made["secret_ref"], "ForceDeleteWithoutRecovery": true });
    rig.aws_of(database, "secretsmanager", "delete_secret", &purge).unwrap();
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("no stored password") && plan.contains("secret_ref"), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let again = state(&workspace);
    assert_ne!(again["secret_ref"], made["secret_ref"], "it comes back under another ARN");
    assert!(reads(&rig, &login(&rig, database, &again)));
}

#[test]
fn a_repair_leaves_the_secret_where_it_is() {
    let rig = rig("mariadb");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    writer(&rig, &workspace)("");
    let made = apply(&workspace);
    as_owner(database, "", "ALTER USER hoop_ro IDENTIFIED BY 'changed-by-hand-1'");
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("the stored password is refused") && plan.contains("secret_version"), "{plan}");
    assert!(!plan.contains("secret_ref "), "what follows from the reference stays as it is:\n{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let repaired = state(&workspace);
    assert_eq!(repaired["secret_ref"], made["secret_ref"]);
    assert!(reads(&rig, &login(&rig, database, &repaired)));
}

#[test]
fn a_postgres_password_is_rotated_by_keepers_and_by_age() {
    rotates("postgres");
}

#[test]
fn a_mariadb_password_is_rotated_by_keepers_and_by_age() {
    rotates("mariadb");
}

fn takes_turns(engine: &str) {
    let rig = rig(engine);
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let write = writer(&rig, &workspace);
    let round = |number: u8| {
        write(&format!("rotation = {{ strategy = \"two_users\", keepers = {{ round = \"{number}\" }} }}"));
        apply(&workspace)
    };
    let made = round(1);
    let first = login(&rig, database, &made);
    assert_eq!((text(&made, "username"), has_role(database, "hoop_ro_clone")), ("hoop_ro", false));

    let clones = round(2);
    assert_eq!((text(&clones, "name"), text(&clones, "username")), ("hoop_ro", "hoop_ro_clone"));
    assert_eq!(clones["secret_ref"], made["secret_ref"], "both have one secret");
    let second = login(&rig, database, &clones);
    assert!(reads(&rig, &second) && reads(&rig, &first), "the login before stays good");

    let again = round(3);
    assert_eq!(text(&again, "username"), "hoop_ro");
    let third = login(&rig, database, &again);
    assert!(reads(&rig, &third) && reads(&rig, &second), "the login before stays good");
    assert!(!reads(&rig, &first), "the first password ends when its login has its second turn");

    holds_both_logins(database, &workspace);
    assert!(reads(&rig, &second));

    round(4);
    write("rotation = { keepers = { round = \"4\" } }");
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("\"hoop_ro_clone\" -> \"hoop_ro\""), "{plan}");
    let single = apply(&workspace);
    assert_eq!((text(&single, "username"), has_role(database, "hoop_ro_clone")), ("hoop_ro", false));
    assert!(reads(&rig, &login(&rig, database, &single)));

    round(5);
    round(6);
    assert!(has_role(database, "hoop_ro_clone"));
    workspace.destroy().ok();
    assert!(our_roles(database).is_empty(), "destroy takes both: {:?}", our_roles(database));
    assert!(secret_of(&rig, database, "hoop_ro").unwrap().get("DeletedDate").is_some());
}

/// The login that waits for its turn is held to the same rights.
fn holds_both_logins(database: &Database, workspace: &Workspace<'_>) {
    let (broken, words) = if database.server.as_deref() == Some("postgres") {
        ("ALTER ROLE hoop_ro_clone CREATEDB", "hoop_ro_clone: ")
    } else {
        ("REVOKE SELECT ON shop.* FROM hoop_ro_clone", "hoop_ro_clone: missing SELECT")
    };
    as_owner(database, "shop", broken);
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains(words), "{plan}");
    apply(workspace);
}

#[test]
fn two_postgres_logins_take_turns() {
    takes_turns("postgres");
}

#[test]
fn two_mariadb_logins_take_turns() {
    takes_turns("mariadb");
}

#[test]
fn a_second_login_of_somebody_else_is_refused() {
    for engine in ["postgres", "mariadb"] {
        let rig = rig(engine);
        let (database, workspace) = (rig.database(0), Workspace::new(&rig));
        let sql = if engine == "postgres" { "CREATE ROLE hoop_ro_clone LOGIN" } else { "CREATE USER hoop_ro_clone" };
        as_owner(database, "shop", sql);
        writer(&rig, &workspace)("rotation = { strategy = \"two_users\" }");
        let refused = workspace.apply().error();
        assert!(refused.contains("The name of the role is taken") && refused.contains("hoop_ro_clone"), "{refused}");
        assert!(!has_role(database, "hoop_ro") && secret_of(&rig, database, "hoop_ro").is_none(), "nothing was made");
    }
}

#[test]
fn a_real_mysql_keeps_the_password_before_until_the_next_rotation() {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "mysql").holding(&["shop"]).on_mysql();
    let rig = Rig::start(&Wish::organization().with(wish));
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    fill(database, &["shop"]);
    let write = writer(&rig, &workspace);
    let round = |number: u8| {
        write(&format!("rotation = {{ strategy = \"dual_password\", keepers = {{ round = \"{number}\" }} }}"));
        let made = apply(&workspace);
        login(&rig, database, &made)
    };
    let (first, second) = (round(1), round(2));
    assert!(reads(&rig, &first) && reads(&rig, &second), "the password before stays good");
    let third = round(3);
    // Before the second one logs in: the server remembers one old password per account, and the memory of the first
    // would be gone.
    assert!(!reads(&rig, &first), "the one before the last two has ended");
    assert!(reads(&rig, &third) && reads(&rig, &second), "the last two are good");
    let kept = || {
        let sql = "SELECT JSON_CONTAINS_PATH(COALESCE(User_attributes, '{}'), 'one', '$.additional_password') FROM \
                   mysql.user WHERE user = 'hoop_ro'";
        as_owner(database, "", sql)
    };
    assert_eq!(kept(), [["1"]]);
    write("rotation = { keepers = { round = \"3\" } }");
    apply(&workspace);
    assert_eq!(kept(), [["0"]], "a single password is the last one");
    assert!(reads(&rig, &third));
}

/// A rotation that is interrupted just before the new version is promoted.
fn continues(engine: &str, strategy: &str) {
    let rig = rig(engine);
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let write = writer(&rig, &workspace);
    let round =
        |number: u8| write(&format!("rotation = {{ strategy = \"{strategy}\", keepers = {{ n = \"{number}\" }} }}"));
    round(1);
    let made = apply(&workspace);
    round(2);
    let fault = json!({
        "service": "secretsmanager", "action": "UpdateSecretVersionStage", "times": 9,
        "code": "AccessDeniedException", "status": 400,
    });
    rig.control("POST", "faults", &fault);
    let error = workspace.apply().error();
    assert!(error.contains("UpdateSecretVersionStage"), "{error}");
    rig.control("DELETE", "faults", &Value::Null);
    assert_eq!(state(&workspace)["secret_version"], made["secret_version"], "nothing is promoted");
    let changes = |word: &str| {
        let log = std::fs::read(database.log.as_ref().unwrap()).unwrap();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains(word)).count()
    };
    let word = if engine == "postgres" { "SCRAM-SHA-256" } else { "IDENTIFIED VIA" };
    let before = changes(word);
    assert!(before >= 2, "the log shows who set a password: {before}");

    let repaired = apply(&workspace);
    assert_eq!(changes(word), before, "the pending password logs in, so that it is not set again");
    assert_ne!(repaired["secret_version"], made["secret_version"]);
    assert!(reads(&rig, &login(&rig, database, &repaired)));
    let secret = secret_of(&rig, database, "hoop_ro").unwrap();
    assert!(!secret["VersionIdsToStages"].to_string().contains("AWSPENDING"), "{secret}");
}

/// A rotation whose run is killed after the promotion and before the state is saved: all that tells it from one that
/// ended is the state of before.
fn is_done_once(engine: &str, strategy: &str) {
    let rig = rig(engine);
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let write = writer(&rig, &workspace);
    let round =
        |number: u8| write(&format!("rotation = {{ strategy = \"{strategy}\", keepers = {{ n = \"{number}\" }} }}"));
    let killed = |number: u8| {
        let file = workspace.folder().join("terraform.tfstate");
        let before = std::fs::read(&file).unwrap();
        round(number);
        workspace.apply().ok();
        let reached = state(&workspace);
        std::fs::write(&file, before).unwrap();
        reached
    };
    round(1);
    apply(&workspace);
    let second = killed(2);
    let again = apply(&workspace);
    for name in ["secret_version", "username", "credential"] {
        assert_eq!(again[name], second[name], "{name}");
    }
    assert_eq!(again["rotation"]["keepers"]["n"], "2");
    assert!(reads(&rig, &login(&rig, database, &again)));

    // The state knows that version now: the same keepers ask for another one when they differ again.
    let mut versions = vec![text(&again, "secret_version").to_owned()];
    for number in [1, 2, 3] {
        round(number);
        versions.push(text(&apply(&workspace), "secret_version").to_owned());
    }
    // Other keepers than those of the run that was killed.
    versions.push(text(&killed(4), "secret_version").to_owned());
    round(5);
    let last = apply(&workspace);
    versions.push(text(&last, "secret_version").to_owned());
    let different: std::collections::BTreeSet<&String> = versions.iter().collect();
    assert_eq!(different.len(), versions.len(), "{versions:?}");
    assert!(reads(&rig, &login(&rig, database, &last)));
}

#[test]
fn a_rotation_that_a_killed_run_has_finished_is_not_done_again() {
    is_done_once("postgres", "single");
}

#[test]
fn a_turn_that_a_killed_run_has_finished_is_not_taken_again() {
    is_done_once("mariadb", "two_users");
}

#[test]
fn an_interrupted_rotation_tries_the_pending_password_first() {
    continues("postgres", "single");
}

#[test]
fn an_interrupted_turn_of_the_second_login_is_continued() {
    continues("mariadb", "two_users");
}
