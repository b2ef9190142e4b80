//! `rdsaccess_master_credential` with the real client and real databases, from create to destroy.

use serde_json::{Value, json};

use crate::blocks;
use crate::rig::{Database, Rig};
use crate::sql::Login;
use crate::tds;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

pub(crate) const ADDRESS: &str = "rdsaccess_master_credential.it";

pub(crate) fn configuration(rig: &Rig, arguments: &str) -> String {
    let arn = &rig.database(0).arn;
    format!(
        "{}\nresource \"rdsaccess_master_credential\" \"it\" {{\n  target_arn = \"{arn}\"\n{arguments}\n}}\n",
        blocks::provider(rig, "tags = { owner = \"platform\" }")
    )
}

/// The value of the version that carries AWSCURRENT.
pub(crate) fn stored(rig: &Rig, secret_ref: &str) -> Value {
    let params = json!({"SecretId": secret_ref, "VersionStage": "AWSCURRENT"});
    let value = rig.aws_of(rig.database(0), "secretsmanager", "get_secret_value", &params).unwrap();
    serde_json::from_str(value["SecretString"].as_str().unwrap()).unwrap()
}

pub(crate) fn stored_password(rig: &Rig, secret_ref: &str) -> String {
    stored(rig, secret_ref)["password"].as_str().unwrap().to_owned()
}

pub(crate) fn logs_in(rig: &Rig, password: &str) -> bool {
    let database = rig.database(0);
    if database.server.as_deref() == Some("sqlserver") {
        return tds::logs_in(database, &database.master_username, password);
    }
    Login::new(database, &database.master_username, password).run(rig, "SELECT 1").is_ok()
}

pub(crate) fn text(state: &Value, name: &str) -> String {
    state[name].as_str().unwrap_or_else(|| panic!("{name} is not in {state}")).to_owned()
}

/// Terraform draws boxes and breaks lines.
pub(crate) fn on_one_line(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

fn stages(rig: &Rig, secret_ref: &str) -> Value {
    let params = json!({"SecretId": secret_ref});
    rig.aws_of(rig.database(0), "secretsmanager", "describe_secret", &params).unwrap()["VersionIdsToStages"].clone()
}

/// Resets the password beside us, as soon as RDS is done with our own change.
fn set_password(rig: &Rig, database: &Database, password: &str) {
    rig.control("PUT", "settings", &json!({"modify_polls": 0, "available_polls": 0, "password_delay_polls": 0}));
    let (noun, key) = match database.arn.contains(":cluster:") {
        true => ("cluster", "DBClusterIdentifier"),
        false => ("instance", "DBInstanceIdentifier"),
    };
    let (name, change) = (json!({key: database.identifier}), format!("modify_db_{noun}"));
    let with_password = json!({key: database.identifier, "MasterUserPassword": password});
    for _ in 0..10 {
        rig.aws_of(database, "rds", &format!("describe_db_{noun}s"), &name).unwrap();
        match rig.aws_of(database, "rds", &change, &with_password) {
            Err(error) if error.code.contains("State") => {}
            done => return drop(done.unwrap()),
        }
    }
    panic!("{} does not become available", database.identifier);
}

pub(crate) fn modify_calls(rig: &Rig) -> usize {
    rig.calls("ModifyDBInstance").len() + rig.calls("ModifyDBCluster").len()
}

/// Create, rotate, repair, import and destroy on one database.
fn lives(wish: DatabaseWish) {
    let rig = Rig::start(&Wish::organization().with(wish));
    let database = rig.database(0);
    // RDS says `available` for a while, then resets, and the password arrives late.
    rig.control("PUT", "settings", &json!({"modify_polls": 2, "available_polls": 1, "password_delay_polls": 2}));
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, "  rotation = { after = \"30d\", keepers = { round = \"1\" } }"));

    let plan = workspace.plan().changes().stdout;
    let words = on_one_line(&plan);
    let promise = format!(
        "the master password of {} on {} will be replaced; clients that use it stop working",
        database.master_username, database.arn
    );
    assert!(words.contains(&promise), "{promise}\nis not in\n{words}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let made = workspace.resource(ADDRESS).unwrap();
    let secret_ref = text(&made, "secret_ref");
    let first = stored_password(&rig, &secret_ref);
    assert!(logs_in(&rig, &first) && !logs_in(&rig, &database.master_password));
    assert_eq!((first.len(), made["credential"].as_str()), (40, Some("ok")));
    assert_eq!(made["username"], database.master_username);
    assert_eq!(made["target_resource_id"], database.resource_id);
    assert!(text(&made, "rotation_due_at") > text(&made, "rotated_at"));
    assert_eq!(stages(&rig, &secret_ref), json!({text(&made, "secret_version"): ["AWSCURRENT"]}));
    let value = stored(&rig, &secret_ref);
    assert_eq!(
        (value["host"].as_str(), value["port"].as_u64()),
        (Some(&*database.endpoint), Some(database.port.into()))
    );

    workspace.write("main.tf", &configuration(&rig, "  rotation = { after = \"30d\", keepers = { round = \"2\" } }"));
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("will be updated in-place") && plan.contains("secret_version"), "{plan}");
    assert!(!plan.contains("secret_ref"), "a rotation does not move the secret:\n{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let second = stored_password(&rig, &secret_ref);
    assert!(second != first && logs_in(&rig, &second) && !logs_in(&rig, &first));

    set_password(&rig, database, "By-Hand.Passw0rd");
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("\"the proven password is refused\" -> \"ok\""), "{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
    let third = stored_password(&rig, &secret_ref);
    assert!(third != second && logs_in(&rig, &third));

    workspace.run(&["state", "rm", ADDRESS]).ok();
    let before = modify_calls(&rig);
    workspace.import(ADDRESS, &database.arn).ok();
    workspace.apply().ok();
    workspace.plan().nothing();
    let imported = workspace.resource(ADDRESS).unwrap();
    assert_eq!(text(&imported, "secret_ref"), secret_ref);

    let destroyed = workspace.destroy().ok();
    assert!(destroyed.stdout.contains("The master password and its secret stay"), "{}", destroyed.stdout);
    assert_eq!(modify_calls(&rig), before, "import and destroy change nothing in RDS");
    assert_eq!(stored_password(&rig, &secret_ref), third);
    assert!(logs_in(&rig, &third));

    let plan = workspace.plan().changes().stdout;
    assert!(!plan.contains("will be replaced; clients"), "a proven secret is there already:\n{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(modify_calls(&rig), before, "the proven password is adopted");
    assert_eq!(stored_password(&rig, &secret_ref), third);
    assert_eq!(workspace.leaks(&[&first, &second, &third]), []);
    let log = std::fs::read_to_string(database.log.as_ref().unwrap()).unwrap();
    assert!(![&first, &second, &third].iter().any(|password| log.contains(*password)));
}

#[test]
fn a_master_password_of_postgres_lives_from_create_to_destroy() {
    lives(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres"));
}

#[test]
fn a_master_password_of_mariadb_lives_from_create_to_destroy() {
    lives(DatabaseWish::instance("orders-eu", "us-east-1", "stock", "mariadb"));
}

/// The stand-in checks the wire, TLS and the login; what it cannot show is how a real server times a reset.
#[test]
fn a_master_password_of_sql_server_lives_from_create_to_destroy() {
    lives(DatabaseWish::instance("orders-eu", "us-east-1", "reports", "sqlserver-ex"));
}

#[test]
fn a_master_password_of_a_multi_az_cluster_lives_from_create_to_destroy() {
    lives(DatabaseWish::cluster("payments-prod", "eu-west-1", "ledger", "postgres"));
}

#[test]
fn a_master_password_of_an_aurora_cluster_lives_from_create_to_destroy() {
    lives(DatabaseWish::cluster("payments-prod", "eu-west-1", "ledger", "aurora-postgresql"));
}

fn postgres() -> Rig {
    Rig::start(&Wish::organization().with(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres")))
}

#[test]
fn a_password_that_waits_for_the_window_is_applied_alone() {
    let wish = DatabaseWish::cluster("payments-prod", "eu-west-1", "ledger", "aurora-postgresql");
    let rig = Rig::start(&Wish::organization().with(wish));
    rig.control("PUT", "settings", &json!({"hold_cluster_password": true}));
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, ""));
    workspace.apply().ok();
    let sent: Vec<Value> =
        rig.calls("ModifyDBCluster").iter().map(|c| c["params"]["ApplyImmediately"].clone()).collect();
    assert_eq!(sent, ["false", "true"]);
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    assert!(logs_in(&rig, &stored_password(&rig, &secret_ref)));
}

#[test]
fn nothing_is_reset_when_the_store_the_network_or_rds_stands_in_the_way() {
    let rig = Rig::start(
        &Wish::organization()
            .with(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres"))
            .with(DatabaseWish::instance("payments-prod", "us-east-1", "closed", "postgres").unreachable()),
    );
    let (database, closed) = (rig.database(0), rig.database(1));
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, ""));
    for denied in ["secretsmanager:CreateSecret", "secretsmanager:PutSecretValue"] {
        rig.control("POST", "deny", &json!({"actions": [denied]}));
        let error = workspace.apply().error();
        assert!(error.contains(denied) && error.contains(&database.account_id), "{error}");
        rig.control("DELETE", "deny", &Value::Null);
    }
    assert!(workspace.resource(ADDRESS).is_none());

    workspace.write(
        "main.tf",
        &configuration(&rig, "  timeouts = { create = \"60s\" }").replace(&database.arn, &closed.arn),
    );
    rig.control("DELETE", "log", &Value::Null);
    let error = workspace.apply().error();
    assert!(error.contains("Cannot reach the database") && error.contains(&closed.endpoint), "{error}");
    assert_eq!(rig.calls("CreateSecret").len(), 0, "nothing is stored for a database that does not answer");
    assert_eq!(modify_calls(&rig), 0);

    let params = json!({"DBInstanceIdentifier": "ledger", "ManageMasterUserPassword": true});
    rig.aws_of(database, "rds", "modify_db_instance", &params).unwrap();
    rig.control("DELETE", "log", &Value::Null);
    workspace.write("main.tf", &configuration(&rig, ""));
    let error = workspace.apply().error();
    assert!(error.contains("RDS manages this master password") && error.contains(&database.arn), "{error}");
    assert_eq!(modify_calls(&rig), 0);
}

#[test]
fn an_empty_secret_of_a_denied_run_is_used_by_the_next() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, ""));
    rig.control("POST", "deny", &json!({"actions": ["secretsmanager:PutSecretValue"]}));
    workspace.apply().error();
    assert!(logs_in(&rig, &rig.database(0).master_password), "nothing was reset");
    rig.control("DELETE", "deny", &Value::Null);
    workspace.apply().ok();
    workspace.plan().nothing();
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    assert!(logs_in(&rig, &stored_password(&rig, &secret_ref)));
}

#[test]
fn a_password_in_a_secret_of_others_is_adopted_without_a_reset() {
    let rig = postgres();
    let database = rig.database(0);
    let make = |name: &str, password: &str| {
        let value = json!({"username": database.master_username, "password": password}).to_string();
        let params = json!({"Name": name, "SecretString": value});
        rig.aws_of(database, "secretsmanager", "create_secret", &params).unwrap()["ARN"].as_str().unwrap().to_owned()
    };
    let wrong = make("old/wrong", "not-the-password");
    let right = make("old/right", &database.master_password);
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, &format!("  adopt_secret_ref = \"{wrong}\"")));
    let error = workspace.apply().error();
    assert!(error.contains("cannot be adopted") && error.contains("old/wrong"), "{error}");

    workspace.write("main.tf", &configuration(&rig, &format!("  adopt_secret_ref = \"{right}\"")));
    let plan = workspace.plan().changes().stdout;
    assert!(!plan.contains("will be replaced; clients"), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(modify_calls(&rig), 0);
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    assert_ne!(secret_ref, right);
    assert_eq!(stored_password(&rig, &secret_ref), database.master_password);
    assert_eq!(workspace.leaks(&[&database.master_password]), []);

    workspace.write("main.tf", &configuration(&rig, &format!("  adopt_secret_ref = \"{wrong}\"")));
    let plan = workspace.plan().changes().stdout;
    assert!(!plan.contains("secret_version") && !plan.contains("will be replaced; clients"), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!((modify_calls(&rig), stored_password(&rig, &secret_ref)), (0, database.master_password.clone()));
}

#[test]
fn a_secret_that_is_gone_or_moves_is_made_again() {
    let rig = postgres();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, ""));
    workspace.apply().ok();
    let first = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");

    rig.aws_of(database, "secretsmanager", "delete_secret", &json!({"SecretId": first})).unwrap();
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("\"the secret is gone\" -> \"ok\""), "{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
    let second = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    assert!(logs_in(&rig, &stored_password(&rig, &second)));

    let moved = "  store = { secrets_manager = { name_prefix = \"other/\", tags = { team = \"dba\" } } }\n";
    workspace.write("main.tf", &configuration(&rig, &format!("{moved}  rotation = {{ keepers = {{ a = \"1\" }} }}")));
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(text(&workspace.resource(ADDRESS).unwrap(), "secret_ref"), second, "a new store waits for a rotation");
    workspace.write("main.tf", &configuration(&rig, &format!("{moved}  rotation = {{ keepers = {{ a = \"2\" }} }}")));
    workspace.apply().ok();
    workspace.plan().nothing();
    let third = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    assert!(third.contains(":secret:other/") && logs_in(&rig, &stored_password(&rig, &third)));
    let old = rig.aws_of(database, "secretsmanager", "describe_secret", &json!({"SecretId": second})).unwrap();
    assert!(!old["DeletedDate"].is_null(), "{old}");
}

#[test]
fn an_age_that_is_over_at_refresh_is_planned_once() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, "  rotation = { after = \"30d\" }"));
    workspace.apply().ok();
    workspace.plan().nothing();
    let made = workspace.resource(ADDRESS).unwrap();
    let state = workspace.folder().join("terraform.tfstate");
    let old = std::fs::read_to_string(&state).unwrap().replace(&text(&made, "rotated_at"), "2020-01-01T00:00:00Z");
    std::fs::write(&state, old).unwrap();

    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("rotated_at") && plan.contains("2020-01-01T00:00:00Z"), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let after = workspace.resource(ADDRESS).unwrap();
    assert_ne!(after["secret_version"], made["secret_version"]);
    assert_eq!(after["secret_ref"], made["secret_ref"]);
}

#[test]
fn a_database_that_is_gone_takes_its_secret_with_it() {
    let rig = postgres();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, ""));
    workspace.apply().ok();
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    let params = json!({"DBInstanceIdentifier": "ledger", "SkipFinalSnapshot": true});
    rig.aws_of(database, "rds", "delete_db_instance", &params).unwrap();
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("must be replaced"), "{plan}");
    workspace.destroy().ok();
    let secret = rig.aws_of(database, "secretsmanager", "describe_secret", &json!({"SecretId": secret_ref})).unwrap();
    assert!(!secret["DeletedDate"].is_null(), "{secret}");
}

#[test]
fn an_unreachable_database_fails_or_keeps_the_refresh() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    let reachable = configuration(&rig, "");
    workspace.write("main.tf", &reachable);
    workspace.apply().ok();
    let status = |status: &str| {
        let database = rig.database(0);
        let value = json!({"account": database.account_id, "region": database.region, "kind": "instance",
            "identifier": database.identifier, "status": status});
        rig.control("POST", "status", &value);
    };
    status("stopped");
    let error = workspace.plan_run().error();
    assert!(error.contains("is stopped"), "{error}");
    workspace.write("main.tf", &reachable.replace("tags = {", "on_unreachable = \"keep\"\n  tags = {"));
    let kept = workspace.plan().nothing();
    assert!(kept.stdout.contains("is stopped"), "{}", kept.stdout);
    status("available");
    workspace.plan().nothing();
}

#[test]
fn one_account_may_hold_the_secrets_of_all_with_replicas() {
    let rig = postgres();
    let database = rig.database(0);
    let central = rig.account_id("sandbox").to_owned();
    let store = format!(
        "store = {{ secrets_manager = {{ account_id = \"{central}\", region = \"eu-west-1\", recovery_window_days = 9, \
         replica_regions = [\"us-east-1\"], tags = {{ team = \"dba\" }} }} }}\n  tags = {{"
    );
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, "").replace("tags = {", &store));
    workspace.apply().ok();
    workspace.plan().nothing();
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    let place = format!("{}/us-east-1/db/ledger/{}", database.account_id, database.master_username);
    assert!(secret_ref.contains(&format!(":eu-west-1:{central}:secret:rdsaccess/{place}-")), "{secret_ref}");
    let ask = |operation: &str| {
        rig.aws(Some("sandbox"), "eu-west-1", "secretsmanager", operation, &json!({"SecretId": secret_ref})).unwrap()
    };
    let secret = ask("describe_secret");
    assert_eq!(secret["ReplicationStatus"][0]["Region"], "us-east-1", "{secret}");
    let tags: std::collections::BTreeMap<&str, &str> = secret["Tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| (tag["Key"].as_str().unwrap(), tag["Value"].as_str().unwrap()))
        .collect();
    let expected = [
        ("owner", "platform"),
        ("rdsaccess:managed", "true"),
        ("rdsaccess:target", &database.resource_id),
        ("rdsaccess:username", &database.master_username),
        ("team", "dba"),
    ];
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), expected);

    let params = json!({"DBInstanceIdentifier": "ledger", "SkipFinalSnapshot": true});
    rig.aws_of(database, "rds", "delete_db_instance", &params).unwrap();
    workspace.destroy().ok();
    assert!(!ask("describe_secret")["DeletedDate"].is_null());
    assert_eq!(rig.calls("DeleteSecret")[0]["params"]["RecoveryWindowInDays"], 9);
}

#[test]
fn a_name_that_is_taken_by_others_is_refused_before_any_change() {
    let rig = postgres();
    let database = rig.database(0);
    let name = format!("rdsaccess/{}/us-east-1/db/ledger/{}", database.account_id, database.master_username);
    let params = json!({"Name": name, "SecretString": "theirs"});
    rig.aws_of(database, "secretsmanager", "create_secret", &params).unwrap();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, ""));
    let error = workspace.apply().error();
    assert!(error.contains("The name of the secret is taken") && error.contains(&name), "{error}");
    assert_eq!(modify_calls(&rig), 0);
    let value = rig.aws_of(database, "secretsmanager", "get_secret_value", &json!({"SecretId": name})).unwrap();
    assert_eq!(value["SecretString"], "theirs");
}

#[test]
fn what_cannot_work_is_refused_by_the_plan() {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "mariadb").unreachable();
    let multi_az = DatabaseWish::cluster("payments-prod", "us-east-1", "multi", "postgres").unreachable();
    let rig = Rig::start(&Wish::organization().with(wish).with(multi_az));
    let cluster = rig.database(1).arn.as_str();
    let params = json!({"DBInstanceIdentifier": "erp", "Engine": "sqlserver-ex", "DBInstanceClass": "db.t3.small",
        "AllocatedStorage": 20, "MasterUsername": "admin1", "MasterUserPassword": "Some-Passw0rd"});
    let made = rig.aws_of(rig.database(0), "rds", "create_db_instance", &params).unwrap();
    let workspace = Workspace::new(&rig);
    let (mariadb, sqlserver) = (rig.database(0).arn.as_str(), made["DBInstance"]["DBInstanceArn"].as_str().unwrap());
    let nothing = mariadb.replace("ledger", "nothing");
    let cases = [
        (mariadb, "  password_length = 42", "at most 41 characters, 42 are asked for"),
        (mariadb, "  password_length = 7", "between 8 and 128"),
        (mariadb, "  rotation = { after = \"0s\" }", "longer than"),
        (mariadb, "  credential = \"ok\"", "`credential` cannot be set"),
        (sqlserver, "  password_length = 129", "between 8 and 128"),
        (cluster, "  password_length = 42", "at most 41 characters, 42 are asked for"),
    ];
    for (arn, arguments, expected) in cases {
        workspace.write("main.tf", &configuration(&rig, arguments).replace(mariadb, arn));
        let error = workspace.plan_run().error();
        assert!(error.contains(expected), "{expected} is not in:\n{error}");
    }
    workspace.write("main.tf", &configuration(&rig, "").replace(mariadb, &nothing));
    let plan = workspace.plan().changes().stdout;
    assert!(on_one_line(&plan).contains(&format!("the master password of {nothing} will be replaced")), "{plan}");
    let error = workspace.apply().error();
    assert!(error.contains("No such database"), "{error}");
}

#[test]
fn a_wait_that_takes_too_long_is_resumed_with_the_same_password() {
    is_resumed(&postgres());
}

/// The password arrives on the port that RDS names, which is not the usual one here.
#[test]
fn a_wait_for_sql_server_takes_as_long_as_the_configuration_says_and_is_resumed() {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "reports", "sqlserver-ex");
    let rig = Rig::start(&Wish::organization().with(wish));
    assert!(![1433, 1443].contains(&rig.database(0).port));
    is_resumed(&rig);
}

fn is_resumed(rig: &Rig) {
    let workspace = Workspace::new(rig);
    rig.control("PUT", "settings", &json!({"password_delay_ms": 15_000}));
    workspace.write("main.tf", &configuration(rig, "  timeouts = { create = \"8s\" }"));
    let error = workspace.apply().error();
    assert!(
        error.contains("but within 8s no login with it worked") && error.contains("apply again to continue"),
        "{error}"
    );
    workspace.write("main.tf", &configuration(rig, ""));
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(rig.calls("PutSecretValue").len(), 1, "the pending password was used again");
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    assert!(logs_in(rig, &stored_password(rig, &secret_ref)));
}
