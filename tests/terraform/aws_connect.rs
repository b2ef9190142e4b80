//! The module `examples/modules/aws-connect`: what it makes of its settings, and that its roles end where they should.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, has_role, password, secret_of};
use crate::gateway::{ADMIN, FakeGateway};
use crate::receiver::Receiver;
use crate::rig::{Database, Rig, repository};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Run, Workspace};

const BOUNDARY: &str = "tests/boundary/boundary.tftest.hcl";
const IN_THE_TEST: &str = "provider \"rdsaccess\" {\n  allow_command = true\n}\n";
const KEY: &str = "whsec_dGhlIGtleSB0aGF0IHRoZSBtb2R1bGUgc2lnbnMgd2l0aA==";
const LEVELS: [(&str, &str); 3] = [("read_only", "ro"), ("read_write", "rw"), ("ddl", "ddl")];

fn rig(engine: &str) -> Rig {
    let ledger = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine)
        .holding(&["shop", "other", "bare", "empty"]);
    let rig = Rig::start(&Wish::organization().with(ledger));
    fill(rig.database(0), &["shop", "other", "empty"]);
    as_owner(rig.database(0), "empty", "DELETE FROM orders");
    rig
}

/// Copies everything below a folder of the examples into a folder of the workspace.
pub(crate) fn copy(workspace: &Workspace<'_>, example: &str, to: &str) {
    copy_folder(&repository().join("examples").join(example), &workspace.folder().join(to));
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for path in fs::read_dir(from).expect("the example is there").flatten().map(|entry| entry.path()) {
        let place = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &place);
        } else {
            fs::copy(&path, &place).expect("the file is copied");
        }
    }
}

/// The provider block alone: the module says itself which provider it needs.
pub(crate) fn provider_block(rig: &Rig, more: &str) -> String {
    let text = blocks::provider(rig, more);
    text[text.find("provider \"rdsaccess\" {").expect("the block is there")..].to_owned()
}

fn with_gateway<'a>(rig: &'a Rig, gateway: &FakeGateway) -> Workspace<'a> {
    let mut workspace = Workspace::new(rig);
    workspace.set("HOOP_APIURL", &gateway.url);
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace
}

#[test]
fn the_module_keeps_its_own_tests() {
    let workspace = Workspace::offline();
    copy(&workspace, "modules/aws-connect", ".");
    workspace.init().ok();
    let tests = fs::read_to_string(workspace.folder().join("tests/module.tftest.hcl")).expect("the tests are there");
    let count = tests.lines().filter(|line| line.starts_with("run ")).count();
    let said = workspace.run(&["test", "-no-color"]).ok().stdout;
    assert!(count > 20 && said.contains(&format!("Success! {count} passed, 0 failed.")), "{said}");
}

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

    // A refusal by a neighbour that is not there, or has nothing to read, proves nothing.
    for (neighbour, words) in
        [("nosuch", "nosuch"), ("bare", "reads no row of orders in bare"), ("empty", "it is empty")]
    {
        let error = prove(&workspace, &rig, neighbour, "").error();
        assert!(error.contains(words), "{neighbour}: {error}");
    }

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

/// One call of the module, with what a person would set.
fn call(rig: &Rig, receiver: &Receiver) -> String {
    format!(
        r#"{provider}
variable "key" {{
  type      = string
  ephemeral = true
  default   = null
}}

module "ledger" {{
  source     = "./aws-connect"
  target_arn = "{arn}"
  agent_name = "lab"
  defaults = {{
    ingress      = [{{ cidr_ipv4 = "10.20.0.0/16", description = "gateway" }}]
    levels       = {{ read_only = {{ groups = ["developers"] }}, read_write = {{ groups = ["sre"] }}, ddl = {{ groups = ["dba"] }} }}
    notification = {{ webhook_url = "{url}/roles" }}
  }}
  overrides      = {{ databases = ["shop"], tags = {{ team = "pay" }} }}
  webhook_secret = var.key
}}

output "it" {{
  value = module.ledger
}}
"#,
        provider = blocks::provider(rig, ""),
        arn = rig.database(0).arn,
        url = receiver.url,
    )
}

/// What is granted works, and what is not is refused, by a login with the stored password.
pub(crate) fn boundary(rig: &Rig, database: &Database, role: &Value, covered: &str, closed: &str) {
    let user = role["username"].as_str().expect("a name");
    let secret = password(rig, database, role["secret_ref"].as_str().expect("a reference"));
    let login = |name: &str| Login::new(database, user, &secret).database(name);
    let may = |name: &str, sql: &str| login(name).run(rig, sql).is_ok();
    let level = role["access"].as_str().expect("a level");
    assert!(may(covered, "SELECT * FROM orders"), "{user} reads");
    assert_eq!(
        may(covered, "INSERT INTO orders SELECT * FROM orders WHERE 1 = 0"),
        level != "read_only",
        "{user} writes"
    );
    let create = format!("CREATE TABLE of_{user} (id int); DROP TABLE of_{user}");
    assert_eq!(may(covered, &create), level == "ddl", "{user} creates");
    let refused = login(closed).run(rig, "SELECT * FROM orders").expect_err("the neighbour is closed");
    assert!(refused.contains("denied"), "{user}: {refused}");
}

fn the_module_does_what_the_wizard_does(engine: &str) {
    let (rig, gateway, receiver) = (rig(engine), FakeGateway::start(), Receiver::start());
    gateway.toggle("access_control", true);
    let database = rig.database(0);
    let mut workspace = with_gateway(&rig, &gateway);
    workspace.set("TF_VAR_key", KEY);
    copy(&workspace, "modules/aws-connect", "aws-connect");
    workspace.write("main.tf", &call(&rig, &receiver));
    workspace.init().ok();
    workspace.apply().ok();
    workspace.plan().nothing();

    let it = workspace.output("it");
    for (level, suffix) in LEVELS {
        let role = &it["roles"][level];
        assert_eq!(role["username"], format!("hoop_{suffix}"));
        boundary(&rig, database, role, "shop", "other");
        let stored = gateway.stored(&format!("ledger-{suffix}"));
        assert_eq!(stored["connection_tags"]["team"], "pay");
        assert_eq!(stored["connection_tags"]["hoop.dev/aws-connect.dbarn"], json!(database.arn));
    }
    assert_eq!(gateway.groups("ledger-rw"), json!(["sre"]));
    assert!(it["security_group_id"].as_str().is_some_and(|id| id.starts_with("sg-")), "{it}");
    assert_eq!((receiver.taken().len(), &it["notification"]["status"]), (1, &json!("completed")));
    let secrets: Vec<String> = LEVELS
        .iter()
        .map(|(level, _)| password(&rig, database, it["roles"][level]["secret_ref"].as_str().unwrap()))
        .collect();
    let master = password(&rig, database, it["master_secret_ref"].as_str().expect("a reference"));
    let all: Vec<&str> = secrets.iter().map(String::as_str).chain([master.as_str(), KEY]).collect();
    assert_eq!(workspace.leaks(&all), vec![]);

    workspace.destroy().ok();
    assert!(LEVELS.iter().all(|(_, suffix)| gateway.stored(&format!("ledger-{suffix}")).is_null()));
    assert_eq!(crate::fixture::our_roles(database), Vec::<Vec<String>>::new());
}

#[test]
fn one_call_does_what_the_wizard_does_on_postgres() {
    the_module_does_what_the_wizard_does("postgres");
}

#[test]
fn one_call_does_what_the_wizard_does_on_mariadb() {
    the_module_does_what_the_wizard_does("mariadb");
}
