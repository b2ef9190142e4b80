//! One connection has one holder: two blocks of a name, and one object that is replaced or moved.

use serde_json::json;

use crate::connection::configuration;
use crate::gateway::FakeGateway;
use crate::workspace::Workspace;

const LAB: &str = "agent_name = \"lab\"";
const IT: &str = "rdsaccess_connection.it";

/// The same block once more, under another address.
fn again(address: &str, more: &str) -> String {
    let all = configuration(more);
    let begin = all.find("resource \"rdsaccess_connection\"").expect("there is a block");
    all[begin..].replace("\"it\"", &format!("\"{address}\""))
}

fn refused(said: &str) {
    for words in ["Two blocks for one gateway connection", "the same name `ledger-ro`", "Nothing was changed"] {
        assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains(words), "`{words}` is not in {said}");
    }
}

/// State and gateway agree on one connection.
fn is_whole(gateway: &FakeGateway, workspace: &Workspace<'_>, address: &str) {
    workspace.plan().nothing();
    let held = workspace.resource(address).expect("it is in the state");
    assert_eq!(held["id"], gateway.stored("ledger-ro")["id"]);
}

#[test]
fn two_new_blocks_of_one_name_are_refused_by_the_plan() {
    let gateway = FakeGateway::start();
    let other = format!("{LAB}\n  database = \"other\"");
    let workspace = gateway.workspace(&(configuration(LAB) + &again("other", &other)));
    refused(&workspace.plan_run().error());
    assert_eq!(gateway.writes(), Vec::<String>::new());
}

/// Their plans are those of one block that is planned twice, as `terraform test` does in one process.
#[test]
fn of_two_new_blocks_that_are_wholly_equal_the_apply_makes_one() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&(configuration(LAB) + &again("other", LAB)));
    refused(&workspace.apply().error());
    let made = gateway.writes().iter().filter(|call| call.starts_with("POST ")).count();
    assert_eq!(made, 1, "{:?}", gateway.writes());
    let is_first = workspace.resource(IT).is_some();
    assert_ne!(is_first, workspace.resource("rdsaccess_connection.other").is_some());
    let all = configuration(LAB);
    workspace.write("main.tf", &if is_first { all } else { all.replace("\"it\"", "\"other\"") });
    is_whole(&gateway, &workspace, if is_first { IT } else { "rdsaccess_connection.other" });
}

#[test]
fn a_new_block_with_the_name_of_one_that_is_there_is_refused_by_the_plan() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    workspace.write("other.tf", &again("other", LAB));
    gateway.forget_log();
    refused(&workspace.plan_run().error());
    refused(&workspace.apply().error());
    assert_eq!(gateway.writes(), Vec::<String>::new());
    workspace.write("other.tf", "");
    is_whole(&gateway, &workspace, IT);
}

#[test]
fn names_that_are_known_only_after_apply_are_refused_then() {
    let gateway = FakeGateway::start();
    let later = |text: &str, of: &str| text.replace("\"ledger-ro\"", &format!("terraform_data.{of}.output"));
    let data = |of: &str| format!("resource \"terraform_data\" \"{of}\" {{\n  input = \"ledger-ro\"\n}}\n");
    let text = later(&configuration(LAB), "a") + &later(&again("other", LAB), "b") + &data("a") + &data("b");
    let workspace = gateway.workspace(&text);
    workspace.plan().changes();
    refused(&workspace.apply_planned().error());
    let made = gateway.writes().iter().filter(|call| call.starts_with("POST ")).count();
    assert!(made <= 1, "{:?}", gateway.writes());
    workspace.write("main.tf", &(later(&configuration(LAB), "a") + &data("a")));
    workspace.apply().ok();
    workspace.plan().nothing();
}

#[test]
fn an_object_that_is_replaced_by_one_of_its_name_keeps_its_connection() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    let replace = ["apply", "-input=false", "-no-color", "-auto-approve", "-replace", IT];
    let before = gateway.stored("ledger-ro")["id"].clone();
    workspace.run(&replace).ok();
    assert_ne!(gateway.stored("ledger-ro")["id"], before);
    is_whole(&gateway, &workspace, IT);
    workspace.run(&["taint", IT]).ok();
    workspace.apply().ok();
    is_whole(&gateway, &workspace, IT);

    // The new one takes over the connection before the old one is destroyed, which must not take it away again.
    let first = format!("{LAB}\n  lifecycle {{\n    create_before_destroy = true\n  }}");
    workspace.write("main.tf", &configuration(&first));
    let said = workspace.run(&replace).ok().stdout;
    assert!(said.contains("A connection that another block holds was left"), "{said}");
    is_whole(&gateway, &workspace, IT);
}

#[test]
fn a_block_under_another_address_holds_the_connection_whatever_came_first() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    workspace.write("main.tf", &configuration(LAB).replace("\"it\"", "\"other\""));
    workspace.apply().ok();
    is_whole(&gateway, &workspace, "rdsaccess_connection.other");
    assert!(workspace.resource(IT).is_none());
}

#[test]
fn two_objects_that_hold_one_connection_already_are_told() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    workspace.write("other.tf", &again("other", LAB));
    workspace.import("rdsaccess_connection.other", "ledger-ro").ok();
    let said = workspace.apply().ok().stdout;
    assert!(said.contains("Warning: Two objects of the state hold one connection"), "{said}");
    assert!(said.contains("terraform state rm"), "{said}");
    assert_eq!(workspace.resource("rdsaccess_connection.other").unwrap()["secret_state"], json!("in_sync"));
}
