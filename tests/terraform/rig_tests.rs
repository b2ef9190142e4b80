//! The rig itself: names, certificates, the password hook, and that nothing stays behind.

use std::fs;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::{Database, Rig};
use crate::sql::{Login, Tls, as_owner};
use crate::token::{token, token_signed_in};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Workspace, aws_mirror};

const NEW_PASSWORD: &str = "A-New-Passw0rd'1\\";

fn postgres() -> DatabaseWish {
    DatabaseWish::instance("payments-eu", "eu-west-1", "orders", "postgres").holding(&["shop"])
}

fn mariadb() -> DatabaseWish {
    DatabaseWish::instance("orders-eu", "us-east-1", "stock", "mariadb").holding(&["stock"])
}

#[test]
fn databases_answer_only_to_their_names_with_tls() {
    let rig = Rig::start(&Wish::organization().with(postgres()).with(mariadb()));
    let (postgres, mariadb) = (rig.database(0), rig.database(1));
    let tls = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(Login::master(postgres).run(&rig, tls), Ok(vec![vec!["TLSv1.3".to_owned()]]));
    let cipher = Login::master(mariadb).run(&rig, "SHOW STATUS LIKE 'Ssl_version'").expect("the master logs in");
    assert!(cipher[0][1].starts_with("TLSv1."), "{cipher:?}");

    for (target, database) in [(postgres, "shop"), (mariadb, "stock")] {
        let login = Login::master(target).database(database);
        assert_eq!(login.run(&rig, "SELECT 1"), Ok(vec![vec!["1".to_owned()]]));
        for tls in [Tls::SystemAuthorities, Tls::Plain] {
            let refused = login.clone().tls(tls).run(&rig, "SELECT 1");
            assert!(refused.is_err(), "{tls:?} was accepted by {}", target.identifier);
        }
        let mut renamed = target.clone();
        renamed.endpoint = "localhost".to_owned();
        let said = Login::master(&renamed).run(&rig, "SELECT 1").expect_err("the certificate is for another name");
        assert!(said.contains("certificate"), "{said}");
        let wrong = Login::new(target, &target.master_username, "not-the-password").run(&rig, "SELECT 1");
        assert!(wrong.is_err());
        assert!(!resolves(&target.endpoint), "the name resolves outside the namespace too");
    }
}

#[test]
fn master_users_are_no_superusers() {
    let rig = Rig::start(&Wish::organization().with(postgres()).with(mariadb()));
    let (postgres, mariadb) = (Login::master(rig.database(0)), Login::master(rig.database(1)));
    postgres.run(&rig, "CREATE ROLE app LOGIN; GRANT rds_iam TO app; CREATE DATABASE more").expect("RDS allows it");
    for refused in ["CREATE ROLE root SUPERUSER", "SELECT * FROM pg_authid", "ALTER ROLE rdsadmin PASSWORD 'x'"] {
        let said = postgres.run(&rig, refused).expect_err(refused);
        assert!(said.contains("permission denied") || said.contains("must be superuser"), "{refused}: {said}");
    }
    mariadb.run(&rig, "CREATE USER app; GRANT SELECT ON stock.* TO app").expect("RDS allows it");
    for refused in ["SET GLOBAL general_log = 0", "GRANT SUPER ON *.* TO app"] {
        let said = mariadb.run(&rig, refused).expect_err(refused);
        assert!(said.contains("Access denied") || said.contains("denied"), "{refused}: {said}");
    }
    assert_eq!(
        as_owner(rig.database(0), "postgres", "SELECT rolsuper FROM pg_roles WHERE rolname = 'admin1'")[0][0],
        "f"
    );
    assert_eq!(as_owner(rig.database(1), "stock", "SELECT DATABASE()")[0][0], "stock");
}

#[test]
fn a_new_master_password_reaches_the_real_database() {
    let cluster = DatabaseWish::cluster("payments-prod", "eu-west-1", "ledger", "aurora-postgresql");
    let rig = Rig::start(&Wish::organization().with(postgres()).with(mariadb()).with(cluster));
    rig.control("PUT", "settings", &json!({ "modify_polls": 2, "available_polls": 1, "password_delay_polls": 2 }));
    for target in &rig.made.databases {
        assert!(change_password(&rig, target).is_ok());
        assert!(Login::master(target).run(&rig, "SELECT 1").is_ok(), "the old password works until RDS has changed it");
        let states: Vec<String> = (0..4).map(|_| status(&rig, target)).collect();
        let resetting = "resetting-master-credentials";
        assert_eq!(states, ["available", resetting, resetting, "available"], "{}", target.identifier);
        assert!(Login::master(target).run(&rig, "SELECT 1").is_err(), "the old password still works");
        let login = Login::new(target, &target.master_username, NEW_PASSWORD);
        assert!(login.run(&rig, "SELECT 1").is_ok(), "the new password does not work on {}", target.identifier);
        let log = fs::read_to_string(target.log.as_ref().expect("a server has a log")).expect("the log is read");
        assert!(log.contains("SELECT 1"), "the server logs statements");
        assert!(!log.contains("New-Passw0rd"), "the hook wrote the password to the log of {}", target.identifier);
    }
    assert_eq!(rig.control("GET", "databases", &Value::Null)["failures"], json!([]));
    assert_eq!(rig.calls("ModifyDBInstance").len(), 2);
}

#[test]
fn databases_with_iam_authentication_take_tokens_of_their_account() {
    let rig = Rig::start(&Wish::organization().with(postgres().with_iam()).with(mariadb().with_iam()));
    let plugin = "CREATE USER app IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL";
    for (target, make) in [(rig.database(0), "CREATE ROLE app LOGIN; GRANT rds_iam TO app"), (rig.database(1), plugin)]
    {
        Login::master(target).run(&rig, make).expect("the master makes the user");
        let enter = |token: &str| Login::new(target, "app", token).run(&rig, "SELECT 1");
        let right = token(&rig, target, "app");
        assert_eq!(enter(&right), Ok(vec![vec!["1".to_owned()]]), "{}", iam_log(&rig));
        assert!(iam_log(&rig).ends_with(&format!("accepted app at {}\n", target.endpoint)));
        assert!(!iam_log(&rig).contains("X-Amz"), "the log holds a token");

        let other = token_signed_in(&rig, rig.account_id("sandbox"), target, "app");
        assert!(enter(&other).is_err());
        assert!(iam_log(&rig).ends_with(&format!("its key is of account {}\n", rig.account_id("sandbox"))));
        assert!(enter(&right.replace("DBUser=app", "DBUser=other")).is_err());
        assert!(iam_log(&rig).ends_with("it is for user 'other'\n"));
        assert!(enter("A-Passw0rd").is_err());

        let turn = |on: bool| {
            let wanted = json!({
                "DBInstanceIdentifier": target.identifier,
                "EnableIAMDatabaseAuthentication": on,
                "ApplyImmediately": true,
            });
            rig.aws_of(target, "rds", "modify_db_instance", &wanted).expect("RDS allows it");
            assert!(within(Duration::from_secs(10), || status(&rig, target) == "available"));
        };
        turn(false);
        assert!(enter(&right).is_err());
        assert!(iam_log(&rig).ends_with("IAM database authentication is off\n"));
        turn(true);
        assert!(enter(&right).is_ok(), "{}", iam_log(&rig));
    }
}

#[test]
fn a_cluster_with_iam_authentication_takes_tokens_at_each_of_its_names() {
    let cluster = DatabaseWish::cluster("payments-prod", "eu-west-1", "ledger", "aurora-postgresql");
    let rig = Rig::start(&Wish::organization().with(cluster.with_iam()));
    let writer = rig.database(0);
    Login::master(writer).run(&rig, "CREATE ROLE app LOGIN; GRANT rds_iam TO app").expect("the master makes the user");
    let query = format!("host?account={}&region=eu-west-1&kind=cluster&identifier=ledger", writer.account_id);
    let hosts = rig.control("GET", &query, &Value::Null);
    let reader = Database { endpoint: hosts["reader_endpoint"].as_str().expect("a name").to_owned(), ..writer.clone() };
    for target in [writer, &reader] {
        let login = Login::new(target, "app", &token(&rig, target, "app"));
        assert_eq!(login.run(&rig, "SELECT 1"), Ok(vec![vec!["1".to_owned()]]), "{}", iam_log(&rig));
    }
}

#[test]
fn a_wish_puts_a_real_mysql_behind_a_database() {
    let mysql = DatabaseWish::instance("orders-eu", "us-east-1", "carts", "mysql").holding(&["shop"]);
    let rig = Rig::start(&Wish::organization().with(mysql.with_iam().on_mysql()));
    let (target, master) = (rig.database(0), Login::master(rig.database(0)));
    let version = &master.run(&rig, "SELECT @@version_comment").expect("the master logs in")[0][0];
    assert!(!version.contains("MariaDB") && target.server.as_deref() == Some("mysql"), "{version}");
    master.run(&rig, "CREATE ROLE team; GRANT team TO admin1").expect("RDS allows it");
    for refused in ["SET GLOBAL general_log = 0", "GRANT SUPER ON *.* TO admin1", "SHUTDOWN"] {
        let said = master.run(&rig, refused).expect_err(refused);
        assert!(said.to_lowercase().contains("access denied"), "{refused}: {said}");
    }
    master.run(&rig, "CREATE USER app IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL").expect("allowed");
    assert!(Login::new(target, "app", &token(&rig, target, "app")).run(&rig, "SELECT 1").is_ok(), "{}", iam_log(&rig));
    change_password(&rig, target).expect("the change is accepted");
    let login = Login::new(target, &target.master_username, NEW_PASSWORD);
    assert!(
        within(Duration::from_secs(10), || status(&rig, target) == "available" && login.run(&rig, "SELECT 1").is_ok())
    );
    let log = fs::read_to_string(target.log.as_ref().expect("a server has a log")).expect("the log is read");
    assert!(!log.contains("New-Passw0rd"), "the hook wrote the password to the log");
}

fn iam_log(rig: &Rig) -> String {
    fs::read_to_string(&rig.made.iam_log).expect("the log is read")
}

#[test]
fn the_hook_may_be_late() {
    let rig = Rig::start(&Wish::organization().with(postgres().master_password("Another-Passw0rd")));
    rig.control("PUT", "settings", &json!({ "password_delay_ms": 1500 }));
    let target = rig.database(0);
    assert_eq!(target.master_password, "Another-Passw0rd");
    change_password(&rig, target).expect("the change is accepted");
    let login = Login::new(target, &target.master_username, NEW_PASSWORD);
    assert!(login.run(&rig, "SELECT 1").is_err());
    assert!(within(Duration::from_secs(10), || login.run(&rig, "SELECT 1").is_ok()));
}

#[test]
fn wishes_for_the_aws_side_are_kept() {
    let closed = DatabaseWish::instance("sandbox", "eu-west-1", "closed", "postgres").unreachable();
    let later = DatabaseWish::instance("sandbox", "eu-west-1", "later", "mariadb").not_yet_in_aws();
    let rig = Rig::start(&Wish::organization().external_id("agreed-on").with(closed).with(later));
    let (closed, later) = (rig.database(0), rig.database(1));
    assert!(closed.arn.ends_with(":db:closed") && closed.resource_id.starts_with("db-"));
    assert!(closed.server.is_none() && TcpStream::connect(("127.0.0.1", closed.port)).is_err());
    let account = &rig.made.organization.accounts["sandbox"];
    assert_eq!((account.id.as_str(), account.ou_path.as_str()), (closed.account_id.as_str(), "Root/Sandbox"));

    assert!(later.arn.is_empty() && later.engine == "mariadb");
    let wanted = json!({ "DBInstanceIdentifier": "later" });
    let missing = rig.aws_of(later, "rds", "describe_db_instances", &wanted).expect_err("it is not there yet");
    assert_eq!((missing.code.as_str(), missing.status), ("DBInstanceNotFound", 404), "{}", missing.message);
    let create = json!({
        "DBInstanceIdentifier": "later", "Engine": "mariadb", "DBInstanceClass": "db.t4g.micro", "Port": later.port,
        "AllocatedStorage": 20, "MasterUsername": later.master_username, "MasterUserPassword": "Made-Later-1",
        "DBSubnetGroupName": "dbs",
    });
    let made = rig.aws_of(later, "rds", "create_db_instance", &create).expect("it is created");
    assert_eq!(made["DBInstance"]["Endpoint"]["Address"], later.endpoint);
    assert_eq!(made["DBInstance"]["DBSubnetGroup"]["VpcId"], rig.network(later).vpc);
    assert!(Login::new(later, "admin1", "Made-Later-1").run(&rig, "SELECT 1").is_ok());

    let groups = rig.aws_of(closed, "ec2", "describe_security_groups", &json!({})).expect("groups are listed");
    let network = rig.network(closed);
    for id in [&network.db_base, &network.app] {
        assert!(groups.to_string().contains(id.as_str()));
    }
    let hub = rig.aws(None, "us-east-1", "sts", "get_caller_identity", &json!({})).expect("the hub has an identity");
    assert_eq!(hub["Account"], rig.made.organization.management_account);
}

#[test]
fn nothing_stays_behind_also_after_a_panic() {
    let mut seen = None;
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let rig = Rig::start(&Wish::organization().with(postgres()).with(mariadb()));
        seen = Some((pids(&rig), rig.made.directory.clone()));
        panic!("as a failed assertion would");
    }));
    assert!(ended.is_err());
    let (pids, directory) = seen.expect("the rig had started");
    assert!(pids.iter().all(|pid| !is_running(*pid)));
    assert!(directory.join("0-orders/postgres.log").exists(), "the logs of a failed test are kept");
    fs::remove_dir_all(&directory).expect("the logs are removed");

    let rig = Rig::start(&Wish::organization().with(mariadb()));
    let (pids, directory) = (pids_of(&rig), rig.made.directory.clone());
    drop(rig);
    assert!(pids.iter().all(|pid| !is_running(*pid)));
    assert!(!directory.exists());
}

#[test]
fn a_killed_rig_takes_its_servers_with_it() {
    let rig = Rig::start(&Wish::organization().with(postgres()).with(mariadb()));
    let (pids, directory) = (pids(&rig), rig.made.directory.clone());
    let killed = Command::new("kill").args(["-KILL", &rig.pid().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    assert!(within(Duration::from_secs(10), || pids.iter().all(|pid| !is_running(*pid))));
    drop(rig);
    fs::remove_dir_all(&directory).expect("what the killed rig left is removed");
}

#[test]
fn an_impossible_wish_is_refused_in_words() {
    for (wish, reason) in [
        (DatabaseWish::instance("sandbox", "eu-west-1", "x", "oracle-ee"), "no server for engine oracle-ee: only "),
        (DatabaseWish::instance("payments", "eu-west-1", "x", "postgres"), "no account payments: only orders-eu, "),
    ] {
        let Err(said) = Rig::try_start(&Wish::organization().with(wish)) else { panic!("{reason}") };
        assert!(said.contains(reason), "{said}");
    }
}

/// A provider that we did not write reads the seeded database through the member role.
#[test]
fn the_peer_provider_sees_what_was_seeded() {
    if aws_mirror().is_none() {
        eprintln!("skipped: RDSACCESS_AWS_MIRROR names no mirror with hashicorp/aws");
        return;
    }
    let rig = Rig::start(&Wish::organization().external_id("agreed-on").with(postgres()));
    let (target, workspace) = (rig.database(0), Workspace::new(&rig));
    let services = ["ec2", "rds", "sts", "iam", "organizations", "secretsmanager", "kms"];
    let endpoints: String = services.iter().map(|name| format!("    {name} = \"{}\"\n", rig.made.endpoint)).collect();
    workspace.write(
        "main.tf",
        &format!(
            r#"
provider "aws" {{
  region                      = "{}"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  assume_role {{
    role_arn    = "arn:aws:iam::{}:role/{}"
    external_id = "agreed-on"
  }}
  endpoints {{
{endpoints}  }}
}}

data "aws_db_instance" "it" {{
  db_instance_identifier = "{}"
}}

output "it" {{
  value = {{ host = data.aws_db_instance.it.address, id = data.aws_db_instance.it.resource_id }}
}}
"#,
            target.region, target.account_id, rig.made.organization.member_role, target.identifier
        ),
    );
    workspace.init().ok();
    workspace.plan().changes();
    let seen = &workspace.planned()["planned_values"]["outputs"]["it"]["value"];
    assert_eq!(seen, &json!({ "host": target.endpoint, "id": target.resource_id }));
    assert!(rig.calls("AssumeRole").iter().all(|call| call["status"] == 200));
}

fn change_password(rig: &Rig, target: &Database) -> Result<Value, crate::rig::AwsError> {
    let (operation, name) = if target.arn.contains(":cluster:") {
        ("modify_db_cluster", "DBClusterIdentifier")
    } else {
        ("modify_db_instance", "DBInstanceIdentifier")
    };
    rig.aws_of(target, "rds", operation, &json!({ name: target.identifier, "MasterUserPassword": NEW_PASSWORD }))
}

fn status(rig: &Rig, target: &Database) -> String {
    let answer = if target.arn.contains(":cluster:") {
        let wanted = json!({ "DBClusterIdentifier": target.identifier });
        rig.aws_of(target, "rds", "describe_db_clusters", &wanted).map(|found| found["DBClusters"][0]["Status"].clone())
    } else {
        let wanted = json!({ "DBInstanceIdentifier": target.identifier });
        rig.aws_of(target, "rds", "describe_db_instances", &wanted)
            .map(|found| found["DBInstances"][0]["DBInstanceStatus"].clone())
    };
    answer.expect("the database is described").as_str().expect("a status").to_owned()
}

fn pids(rig: &Rig) -> Vec<u32> {
    let found = pids_of(rig);
    assert!(found.iter().all(|pid| is_running(*pid)), "everything runs before it is stopped");
    found
}

fn pids_of(rig: &Rig) -> Vec<u32> {
    let servers = rig.made.databases.iter().filter_map(|database| database.pid);
    servers.chain([rig.made.launcher_pid, rig.pid()]).collect()
}

/// A zombie has ended; it only waits to be asked how.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn resolves(host: &str) -> bool {
    Command::new("getent").args(["hosts", host]).output().is_ok_and(|output| output.status.success())
}

fn within(time: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if done() {
            return true;
        }
        sleep(Duration::from_millis(100));
    }
    false
}
