//! `rdsaccess_master_credential` with `method = "rds_managed"`, and switching between the two methods.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::within;
use crate::master_credential::{
    ADDRESS, configuration, logs_in, modify_calls, on_one_line, stored, stored_password, text,
};
use crate::rig::Rig;
use crate::sql::as_owner;
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

pub(crate) const MANAGED: &str = "  method = \"rds_managed\"\n";

fn one(wish: DatabaseWish) -> Rig {
    Rig::start(&Wish::organization().with(wish))
}

pub(crate) fn postgres() -> Rig {
    one(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres"))
}

fn cluster(engine: &str) -> Rig {
    one(DatabaseWish::cluster("payments-prod", "eu-west-1", "ledger", engine))
}

/// The calls of Modify so far: what each managed, rotated, and whether it was at once.
pub(crate) fn modifications(rig: &Rig) -> Vec<[Option<String>; 3]> {
    let calls = [rig.calls("ModifyDBInstance"), rig.calls("ModifyDBCluster")].concat();
    let names = ["ManageMasterUserPassword", "RotateMasterUserPassword", "ApplyImmediately"];
    calls.iter().map(|call| names.map(|name| call["params"][name].as_str().map(str::to_owned))).collect()
}

pub(crate) fn expected(manage: Option<&str>, rotate: Option<&str>, at_once: &str) -> [Option<String>; 3] {
    [manage.map(str::to_owned), rotate.map(str::to_owned), Some(at_once.to_owned())]
}

/// A change of the database by hand.
pub(crate) fn by_hand(rig: &Rig, changes: &Value) -> Value {
    let database = rig.database(0);
    let is_cluster = database.arn.contains(":cluster:");
    let (operation, key) = match is_cluster {
        true => ("modify_db_cluster", "DBClusterIdentifier"),
        false => ("modify_db_instance", "DBInstanceIdentifier"),
    };
    let mut params = changes.clone();
    params[key] = json!(database.identifier);
    let answer = rig.aws_of(database, "rds", operation, &params).unwrap();
    answer[if is_cluster { "DBCluster" } else { "DBInstance" }].clone()
}

fn slowly(rig: &Rig) {
    rig.control("PUT", "settings", &json!({"modify_polls": 2, "available_polls": 1, "password_delay_polls": 2}));
}

pub(crate) fn secret(rig: &Rig, secret_ref: &str) -> Value {
    rig.aws_of(rig.database(0), "secretsmanager", "describe_secret", &json!({"SecretId": secret_ref})).unwrap()
}

pub(crate) fn secret_status(rig: &Rig, status: &str) {
    let database = rig.database(0);
    let kind = if database.arn.contains(":cluster:") { "cluster" } else { "instance" };
    let value = json!({"account": database.account_id, "region": database.region, "kind": kind,
        "identifier": database.identifier, "secret_status": status});
    rig.control("POST", "status", &value);
}

/// Create, rotate, schedule, import and destroy on one database.
fn lives(rig: &Rig) {
    let database = rig.database(0);
    slowly(rig);
    let workspace = Workspace::new(rig);
    let rotation = |after: &str, round: &str| {
        format!("{MANAGED}  rotation = {{ after = \"{after}\", keepers = {{ round = \"{round}\" }} }}")
    };
    workspace.write("main.tf", &configuration(rig, &rotation("30d", "1")));
    let plan = workspace.plan().changes().stdout;
    let promise = format!("the master password of {} on {} will be replaced", database.master_username, database.arn);
    assert!(on_one_line(&plan).contains(&promise), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(modifications(rig), [expected(Some("true"), None, "true")]);
    let made = workspace.resource(ADDRESS).unwrap();
    let secret_ref = text(&made, "secret_ref");
    assert!(secret_ref.contains(":secret:rds!"), "{secret_ref}");
    assert_eq!((made["credential"].as_str(), &made["password_length"]), (Some("ok"), &Value::Null));
    assert!(text(&made, "rotation_due_at") > text(&made, "rotated_at"));
    let first = stored_password(rig, &secret_ref);
    assert!(logs_in(rig, &first) && !logs_in(rig, &database.master_password));
    assert_eq!(secret(rig, &secret_ref)["RotationRules"], json!({"AutomaticallyAfterDays": 30}));
    assert_eq!(rig.calls("CreateSecret").len(), 0, "RDS keeps it in a secret of its own");

    workspace.write("main.tf", &configuration(rig, &rotation("30d", "2")));
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("secret_version") && !plan.contains("secret_ref"), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(modifications(rig)[1..], [expected(None, Some("true"), "true")]);
    let second = stored_password(rig, &secret_ref);
    assert!(second != first && logs_in(rig, &second) && !logs_in(rig, &first));
    assert_ne!(workspace.resource(ADDRESS).unwrap()["secret_version"], made["secret_version"]);

    workspace.write("main.tf", &configuration(rig, &rotation("12h", "2")));
    let plan = workspace.plan().changes().stdout;
    assert!(!plan.contains("secret_version"), "a schedule replaces no password:\n{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(secret(rig, &secret_ref)["RotationRules"], json!({"ScheduleExpression": "rate(12 hours)"}));
    let params = json!({"SecretId": secret_ref, "RotateImmediately": false,
        "RotationRules": {"ScheduleExpression": "cron(0 8 1 * ? *)"}});
    rig.aws_of(database, "secretsmanager", "rotate_secret", &params).unwrap();
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("after") && plan.contains("12h"), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(secret(rig, &secret_ref)["RotationRules"], json!({"ScheduleExpression": "rate(12 hours)"}));
    assert_eq!(modifications(rig).len(), 2, "a schedule is no change of the database");

    workspace.run(&["state", "rm", ADDRESS]).ok();
    workspace.import(ADDRESS, &database.arn).ok();
    let imported = workspace.resource(ADDRESS).unwrap();
    assert_eq!((imported["method"].as_str(), imported["credential"].as_str()), (Some("rds_managed"), Some("ok")));
    assert_eq!(text(&imported, "secret_ref"), secret_ref);
    workspace.apply().ok();
    workspace.plan().nothing();

    let destroyed = workspace.destroy().ok();
    assert!(destroyed.stdout.contains("RDS goes on managing the master password"), "{}", destroyed.stdout);
    assert_eq!(modifications(rig).len(), 2, "import and destroy change nothing in RDS");
    let plan = workspace.plan().changes().stdout;
    assert!(!plan.contains("will be replaced; clients"), "RDS manages it already:\n{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(modifications(rig).len(), 2, "what RDS manages is taken over as it is");
    assert!(logs_in(rig, &second));
    assert_eq!(workspace.leaks(&[&first, &second]), []);
}

#[test]
fn rds_manages_the_password_of_an_instance_from_create_to_destroy() {
    lives(&postgres());
}

#[test]
fn rds_manages_the_password_of_a_mariadb_instance_from_create_to_destroy() {
    lives(&one(DatabaseWish::instance("orders-eu", "us-east-1", "stock", "mariadb")));
}

#[test]
fn rds_manages_the_password_of_an_aurora_cluster_from_create_to_destroy() {
    lives(&cluster("aurora-postgresql"));
}

#[test]
fn rds_manages_the_password_of_a_multi_az_cluster_from_create_to_destroy() {
    lives(&cluster("postgres"));
}

/// password -> rds_managed -> password
fn switches(rig: &Rig) {
    let database = rig.database(0);
    slowly(rig);
    let workspace = Workspace::new(rig);
    workspace.write("main.tf", &configuration(rig, ""));
    workspace.apply().ok();
    let ours = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    let first = stored_password(rig, &ours);

    workspace.write("main.tf", &configuration(rig, MANAGED));
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("will be updated in-place") && plan.contains("secret_ref"), "{plan}");
    assert!(on_one_line(&plan).contains("will be replaced; clients that use it stop working"), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let of_rds = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    let second = stored_password(rig, &of_rds);
    assert!(of_rds.contains(":secret:rds!") && logs_in(rig, &second) && !logs_in(rig, &first));
    assert!(!secret(rig, &ours)["DeletedDate"].is_null(), "the password in it is history");

    workspace.write("main.tf", &configuration(rig, ""));
    let plan = workspace.plan().changes().stdout;
    assert!(on_one_line(&plan).contains("will be replaced; clients that use it stop working"), "{plan}");
    let before = modifications(rig).len();
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(modifications(rig)[before..], [expected(Some("false"), None, "true")], "one call");
    let back = workspace.resource(ADDRESS).unwrap();
    assert_eq!((text(&back, "secret_ref"), back["password_length"].as_u64()), (ours.clone(), Some(40)));
    let third = stored_password(rig, &ours);
    assert!(logs_in(rig, &third) && !logs_in(rig, &second) && third != first);
    let gone = rig.aws_of(database, "secretsmanager", "describe_secret", &json!({"SecretId": of_rds}));
    assert_eq!(gone.unwrap_err().code, "ResourceNotFoundException");
    assert_eq!(stored(rig, &ours)["host"], database.endpoint.as_str());
    assert_eq!(workspace.leaks(&[&first, &second, &third]), []);
}

#[test]
fn a_change_of_the_method_switches_an_instance_in_place_in_both_directions() {
    switches(&postgres());
}

#[test]
fn a_change_of_the_method_switches_a_cluster_in_place_in_both_directions() {
    switches(&cluster("aurora-postgresql"));
}

#[test]
fn a_switch_is_refused_while_another_change_waits_for_the_window() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    let refused = |arguments: &str| {
        workspace.write("main.tf", &configuration(&rig, arguments));
        let before = modify_calls(&rig);
        let error = workspace.apply().error();
        assert!(on_one_line(&error).contains("waits for the maintenance window: DBInstanceClass"), "{error}");
        assert!(error.contains("Nothing was changed"), "{error}");
        assert_eq!(modify_calls(&rig), before);
    };
    by_hand(&rig, &json!({"DBInstanceClass": "db.r6g.large"}));
    refused(MANAGED);
    by_hand(&rig, &json!({"DBInstanceClass": "db.r6g.large", "ApplyImmediately": true}));
    workspace.apply().ok();
    by_hand(&rig, &json!({"DBInstanceClass": "db.r6g.xlarge"}));
    refused("");
    workspace.write("main.tf", &configuration(&rig, &format!("{MANAGED}  rotation = {{ keepers = {{ a = \"1\" }} }}")));
    workspace.apply().ok();
    refused(&format!("{MANAGED}  rotation = {{ keepers = {{ a = \"2\" }} }}"));
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    assert!(logs_in(&rig, &stored_password(&rig, &secret_ref)));
}

#[test]
fn only_a_change_of_the_method_follows_somebody_who_let_rds_manage_the_password() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, ""));
    workspace.apply().ok();
    let ours = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    let made = by_hand(&rig, &json!({"ManageMasterUserPassword": true}));
    let of_rds = made["MasterUserSecret"]["SecretArn"].as_str().unwrap().to_owned();
    let before = modify_calls(&rig);

    let plan = workspace.plan().nothing().stdout;
    assert!(plan.contains("RDS manages this master password now") && on_one_line(&plan).contains(&of_rds), "{plan}");
    workspace.apply().ok();
    let kept = workspace.resource(ADDRESS).unwrap();
    assert_eq!(text(&kept, "credential"), format!("RDS manages the password now, in {of_rds}"));
    assert_eq!(text(&kept, "secret_ref"), ours);

    for keepers in ["1", "2"] {
        let rotation = format!("  rotation = {{ after = \"30d\", keepers = {{ round = \"{keepers}\" }} }}");
        workspace.write("main.tf", &configuration(&rig, &rotation));
        let plan = workspace.plan().changes().stdout;
        assert!(!plan.contains("secret_version"), "a rotation that the apply would refuse is planned:\n{plan}");
        workspace.apply().ok();
    }
    assert_eq!(modify_calls(&rig), before);
    let params = json!({"SecretId": ours, "RecoveryWindowInDays": 7});
    rig.aws_of(rig.database(0), "secretsmanager", "delete_secret", &params).unwrap();
    let plan = workspace.plan().nothing().stdout;
    assert!(plan.contains("RDS manages this master password now"), "a secret that is gone is no repair:\n{plan}");
    workspace.write("main.tf", &configuration(&rig, MANAGED));
    let plan = workspace.plan().changes().stdout;
    assert!(!on_one_line(&plan).contains("will be replaced; clients"), "RDS manages it already:\n{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(text(&workspace.resource(ADDRESS).unwrap(), "secret_ref"), of_rds);
    assert_eq!(modify_calls(&rig), before, "it is on already");
    assert!(!secret(&rig, &ours)["DeletedDate"].is_null());
}

#[test]
fn the_state_of_the_secret_of_rds_shows_and_is_waited_for() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, MANAGED));
    workspace.apply().ok();
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    let before = modify_calls(&rig);
    for status in ["impaired", "rotating", "creating"] {
        secret_status(&rig, status);
        let plan = workspace.plan().changes().stdout;
        assert!(plan.contains(&format!("\"the secret of RDS is {status}\" -> \"ok\"")), "{plan}");
        assert!(!plan.contains("will be replaced; clients"), "{plan}");
    }
    secret_status(&rig, "impaired");
    workspace.write("main.tf", &configuration(&rig, &format!("{MANAGED}  timeouts = {{ update = \"3s\" }}")));
    let error = workspace.apply().error();
    assert!(on_one_line(&error).contains("was not done within 3s") && error.contains("impaired"), "{error}");
    assert!(error.contains("timeouts.update"), "{error}");
    secret_status(&rig, "active");
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(modify_calls(&rig), before, "nothing was reset");

    by_hand(&rig, &json!({"RotateMasterUserPassword": true, "ApplyImmediately": true}));
    workspace.plan().nothing();
    assert_eq!(text(&workspace.resource(ADDRESS).unwrap(), "secret_ref"), secret_ref);

    by_hand(&rig, &json!({"ManageMasterUserPassword": false, "MasterUserPassword": "By-Hand.Passw0rd"}));
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("\"RDS does not manage the password any more\" -> \"ok\""), "{plan}");
    assert!(on_one_line(&plan).contains("will be replaced; clients"), "{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
    let renewed = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    assert!(renewed != secret_ref && logs_in(&rig, &stored_password(&rig, &renewed)));
}

#[test]
fn what_does_not_fit_the_method_is_refused_without_a_look_at_aws() {
    let rig = one(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").unreachable());
    let workspace = Workspace::new(&rig);
    let adopted = "adopt_secret_ref = \"arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf\"";
    let cases = [
        (format!("{MANAGED}  password_length = 20"), "`password_length` does not fit the method"),
        (format!("{MANAGED}  store = {{ secrets_manager = {{ name_prefix = \"a/\" }} }}"), "`store` does not fit"),
        (format!("{MANAGED}  {adopted}"), "`adopt_secret_ref` does not fit the method"),
        (format!("{MANAGED}  rotation = {{ after = \"90m\" }}"), "AWS has no such rotation schedule"),
        (format!("{MANAGED}  rotation = {{ after = \"30h\" }}"), "AWS has no such rotation schedule"),
        ("  kms_key_id = \"alias/a\"".to_owned(), "`kms_key_id` does not fit the method"),
        ("  method = \"lambda\"".to_owned(), "password"),
    ];
    for (arguments, expected) in cases {
        workspace.write("main.tf", &configuration(&rig, &arguments));
        rig.control("DELETE", "log", &Value::Null);
        let error = workspace.plan_run().error();
        assert!(error.contains(expected), "{expected} is not in:\n{error}");
        assert_eq!(rig.calls("DescribeDBInstances").len(), 0);
    }
}

#[test]
fn a_role_reads_the_secret_again_when_rds_rotates_it_underneath() {
    let rig = one(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").holding(&["shop"]));
    let database = rig.database(0);
    by_hand(&rig, &json!({"ManageMasterUserPassword": true}));
    let workspace = Workspace::new(&rig);
    let role = format!(
        "resource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{}\"\n  access = \"read_only\"\n}}\n",
        database.arn
    );
    workspace.write("main.tf", &format!("{}\n{role}", blocks::provider(&rig, "")));
    // RDS changes the database first and the secret a moment later.
    let change = format!("ALTER ROLE \"{}\" PASSWORD 'not-stored-yet'", database.master_username);
    as_owner(database, "postgres", &change);
    rig.control("DELETE", "log", &Value::Null);
    let second = json!({"action": "GetSecretValue", "skip": 1, "times": 1, "latency_ms": 3_000});
    rig.control("POST", "faults", &second);
    let mut command = workspace.command(&["apply", "-input=false", "-no-color", "-auto-approve"]);
    let mut terraform = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let asked_again = within(std::time::Duration::from_secs(60), || rig.calls("GetSecretValue").len() == 2);
    assert!(asked_again, "the refused login leads to a second read");
    by_hand(&rig, &json!({"RotateMasterUserPassword": true, "ApplyImmediately": true}));
    assert!(terraform.wait().unwrap().success(), "the password of the second read logs in");
    workspace.plan().nothing();
}
