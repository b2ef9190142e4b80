//! `terraform test` of the module `aws-connect` on a database: its roles end where they should, and a test that proves
//! nothing fails.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::aws_connect::{copy, provider_block, rig, with_gateway};
use crate::fixture::{has_role, secret_of};
use crate::gateway::FakeGateway;
use crate::rig::{Rig, python, repository};
use crate::workspace::{Run, Workspace};

const BOUNDARY: &str = "tests/boundary/boundary.tftest.hcl";
const IN_THE_TEST: &str = "provider \"rdsaccess\" {\n  allow_command = true\n}\n";

/// The boundary test in a workspace, as a person would run it.
fn boundary_test<'a>(rig: &'a Rig, gateway: &FakeGateway) -> Workspace<'a> {
    let workspace = with_gateway(rig, gateway);
    copy(&workspace, "modules/aws-connect", ".");
    let test = fs::read_to_string(workspace.folder().join(BOUNDARY)).expect("the test is there");
    assert!(test.contains(IN_THE_TEST), "{test}");
    workspace.write(BOUNDARY, &test.replace(IN_THE_TEST, &provider_block(rig, "allow_command = true")));
    workspace.run(&["init", "-input=false", "-no-color", "-test-directory=tests/boundary"]).ok();
    workspace
}

/// Runs it with a neighbour.
fn prove(workspace: &Workspace<'_>, rig: &Rig, neighbour: &str, more: &str) -> Run {
    let (arn, ca) = (&rig.database(0).arn, rig.made.ca_file.display());
    let text = format!(
        "target_arn = \"{arn}\"\nagent_name = \"lab\"\ndatabase = \"shop\"\nneighbour = \"{neighbour}\"\n\
         table = \"orders\"\nca_bundle = \"{ca}\"\n{more}"
    );
    workspace.write("boundary.tfvars", &text);
    workspace.run(&["test", "-no-color", "-test-directory=tests/boundary", "-var-file=boundary.tfvars"])
}

/// `terraform test` itself logs in as every role, on a database that this rig made.
fn terraform_test_proves_the_boundary(engine: &str) {
    let (rig, gateway) = (rig(engine), FakeGateway::start());
    let workspace = boundary_test(&rig, &gateway);
    let said = prove(&workspace, &rig, "other", "").ok().stdout;
    assert!(said.contains("Success! 1 passed, 0 failed."), "{said}");
    assert!(gateway.stored("ledger-ro").is_null(), "the test takes away what it made");
    assert!(!has_role(rig.database(0), "boundary_control"), "its control too");

    // Were the neighbour open, it would fail: the boundary is not only said to hold.
    let run = prove(&workspace, &rig, "shop", "");
    assert!(run.code != 0 && run.stderr.contains("reads the neighbour: allowed"), "{}\n{}", run.stdout, run.stderr);

    // A refusal by a neighbour that is not there proves nothing.
    let error = prove(&workspace, &rig, "nosuch", "").error();
    assert!(error.contains("nosuch") && error.contains("rdsaccess_role.control"), "{error}");

    // With an administrator that exists, which is what the runs before have left, and a way in for this machine.
    let left = secret_of(&rig, rig.database(0), &rig.database(0).master_username).expect("the master's secret stays");
    let admin = left["ARN"].as_str().expect("an ARN");
    let more = format!("admin_secret_ref = \"{admin}\"\ningress = [{{ cidr_ipv4 = \"10.20.0.0/16\" }}]\n");
    prove(&workspace, &rig, "other", &more).ok();
}

#[test]
fn terraform_test_logs_in_as_every_role_on_postgres() {
    terraform_test_proves_the_boundary("postgres");
}

#[test]
fn terraform_test_logs_in_as_every_role_on_mariadb() {
    terraform_test_proves_the_boundary("mariadb");
}

/// Runs the script of the boundary test by itself, with nothing in the path but these programs.
fn try_logins(engine: &str, programs: &[(&str, &str)]) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, script) in programs {
        let path = folder.path().join(name);
        fs::write(&path, script).expect("the program is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can run");
    }
    let login = |user: &str, suffix: &str| json!({"db_credentials": {"host": "db.test", "port": "3306", "user": user, "password": "x"}, "role_suffix_name": suffix});
    let response = json!({"result": [login("boundary_control", "ro"), login("hoop_ro", "ro")]});
    let output = python()
        .arg(repository().join("examples/modules/aws-connect/tests/boundary/login.py"))
        .args(["ca.pem", "shop", "other", "orders", "boundary_control"])
        .env("PATH", folder.path())
        .env("HOOP_AWS_CONNECT_REQUEST", json!({ "database_type": engine }).to_string())
        .env("HOOP_AWS_CONNECT_RESPONSE", response.to_string())
        .output()
        .expect("python runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_missing_client_is_told_with_what_installs_it() {
    for (engine, words) in [
        ("postgres", "psql is not installed: apt-get install postgresql-client"),
        ("aurora-mysql", "mariadb is not installed: apt-get install mariadb-client"),
        ("sqlserver", "for sqlserver there is no client here. Nothing is proven."),
    ] {
        let (code, said) = try_logins(engine, &[]);
        assert!(code == 1 && said.contains(words), "{engine}: {said}");
    }
}

#[test]
fn a_neighbour_with_nothing_to_read_proves_nothing() {
    let first = "boundary_control reads no row of orders in other, so that a refusal there proves nothing: ";
    let without_table = "echo 'ERROR:  relation \"orders\" does not exist' >&2; exit 1";
    for (script, words) in [("exit 0", "it is empty"), (without_table, "relation \"orders\" does not exist")] {
        let (code, said) = try_logins("postgres", &[("psql", &format!("#!/bin/sh\n{script}\n"))]);
        assert!(code == 1 && said.contains(first) && said.contains(words), "{said}");
    }
}

/// The client of MySQL refuses the words of MariaDB's, as the real one does.
const OF_MYSQL: &str = r#"#!/bin/sh
case "$*" in
  --version) echo "mysql  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)" ;;
  *--ssl-verify-server-cert*) echo "mysql: [ERROR] unknown option '--ssl-verify-server-cert'." >&2; exit 2 ;;
  *--ssl-mode=VERIFY_IDENTITY*boundary_control*|*boundary_control*--ssl-mode=VERIFY_IDENTITY*) echo 1 ;;
  *other*|*INSERT*|*CREATE*) echo "ERROR 1044 (42000): Access denied" >&2; exit 1 ;;
  *) [ "$MYSQL_PWD" = x ] || { echo "ERROR 1045 (28000): Access denied" >&2; exit 1; } ;;
esac
"#;

#[test]
fn the_client_of_mysql_serves_where_there_is_no_other() {
    let (code, said) = try_logins("mysql", &[("mysql", OF_MYSQL)]);
    assert!(code == 0 && said.contains("a control and 1 roles, 6 logins, no surprise"), "{said}");
    let of_mariadb = OF_MYSQL.replace("(MySQL Community Server - GPL)", "15.1 Distrib 10.11.19-MariaDB");
    let (code, said) = try_logins("mysql", &[("mysql", &of_mariadb)]);
    assert!(code == 1 && said.contains("unknown option"), "MariaDB's words go to MariaDB's client: {said}");
}
