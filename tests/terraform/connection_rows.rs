//! What a connection leaves behind: the gateway's resource, and connections that no state holds any more.

use serde_json::json;

use crate::connection::{configuration, connection};
use crate::gateway::FakeGateway;
use crate::workspace::Workspace;

const LAB: &str = "agent_name = \"lab\"";
const IT: &str = "rdsaccess_connection.it";
const TWIN: &str = "Another connection for the same database and user";

fn role(username: &str) -> String {
    format!(
        "{{ username = \"{username}\", engine = \"postgres\", endpoint = \"ledger.c1a2b3.eu-central-1.rds.amazonaws.com\", \
         port = 5432, default_database = \"ledger\", secret_ref = \"vault:kv2::kv:a\" }}"
    )
}

/// One connection per level, which share the resource `ledger`.
fn levels(levels: &str) -> String {
    let more = format!("{LAB}\n  for_each = toset({levels})");
    connection("ledger-${each.key}", &role("hoop_${each.key}"), &more)
}

/// The words, without the lines that Terraform breaks them into.
fn flat(said: &str) -> String {
    said.split_whitespace().filter(|word| *word != "\u{2502}").collect::<Vec<_>>().join(" ")
}

fn begin(text: &str) -> (FakeGateway, Workspace<'static>) {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(text);
    (gateway, workspace)
}

#[test]
fn the_resource_that_came_with_connections_goes_with_the_last_of_them() {
    let (gateway, workspace) = begin(&levels("[\"ro\", \"rw\", \"ddl\"]"));
    let said = workspace.apply().ok().stdout;
    assert!(!said.contains(TWIN), "three users are three connections: {said}");
    assert_eq!(gateway.resources(), ["ledger"]);
    workspace.plan().nothing();
    workspace.write("main.tf", &levels("[\"rw\", \"ddl\"]"));
    workspace.apply().ok();
    assert_eq!(gateway.resources(), ["ledger"], "the others use it");
    let said = workspace.destroy().ok().stdout;
    assert!(!said.contains("was left"), "{said}");
    assert_eq!(gateway.resources(), Vec::<String>::new());
}

#[test]
fn a_resource_that_was_there_before_or_that_others_use_or_fill_stays() {
    let (gateway, workspace) = begin(&configuration(LAB));
    gateway.fill_resource("ledger", &json!({}));
    workspace.apply().ok();
    workspace.destroy().ok();
    assert_eq!(gateway.resources(), ["ledger"], "it was there before");

    let (gateway, workspace) = begin(&configuration(LAB));
    workspace.apply().ok();
    gateway.make("of-somebody-else", &json!({"resource_name": "ledger"}));
    let said = workspace.destroy().ok().stdout;
    assert!(!said.contains("was left"), "{said}");
    assert_eq!(gateway.stored("of-somebody-else")["resource_name"], "ledger");
    assert_eq!(gateway.resources(), ["ledger"]);

    let (gateway, workspace) = begin(&configuration(LAB));
    workspace.apply().ok();
    gateway.fill_resource("ledger", &json!({"envvar:HOST": "eA=="}));
    let said = workspace.destroy().ok().stdout;
    assert!(said.contains("Warning: The gateway's resource `ledger` was left"), "{said}");
    assert_eq!(gateway.resources(), ["ledger"]);
}

#[test]
fn a_connection_that_moves_takes_its_resource_along() {
    let (gateway, workspace) = begin(&configuration(&format!("{LAB}\n  resource_name = \"ledger\"")));
    gateway.fill_resource("of-others", &json!({}));
    workspace.apply().ok();
    gateway.change("ledger-ro", &json!({"resource_name": "of-others"}));
    workspace.apply().ok();
    assert_eq!(gateway.stored("ledger-ro")["resource_name"], "ledger", "a hand had moved it away");
    assert_eq!(gateway.resources(), ["of-others", "ledger"]);
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  resource_name = \"books\"")));
    workspace.apply().ok();
    assert_eq!(gateway.resources(), ["of-others", "books"]);
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  resource_name = \"of-others\"")));
    workspace.apply().ok();
    workspace.destroy().ok();
    assert_eq!(gateway.resources(), ["of-others"]);
}

#[test]
fn a_resource_that_cannot_be_removed_is_named() {
    let (gateway, workspace) = begin(&configuration(LAB));
    workspace.apply().ok();
    gateway.fault(
        &json!({"method": "DELETE", "path": "/api/resources/*", "n": 9, "status": 500, "body": {"message": "no"}}),
    );
    let said = workspace.destroy().ok().stdout;
    for word in ["resource `ledger` was left", "DELETE http", "500", "Delete the resource in the gateway"] {
        assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains(word), "`{word}` is not in {said}");
    }
    assert!(gateway.stored("ledger-ro").is_null());
}

#[test]
fn a_resource_goes_with_the_last_connection_though_each_was_made_in_a_run_of_its_own() {
    let (gateway, workspace) = begin(&levels("[\"ro\"]"));
    workspace.apply().ok();
    for wanted in ["[\"ro\", \"rw\"]", "[\"rw\"]"] {
        workspace.write("main.tf", &levels(wanted));
        let said = workspace.apply().ok().stdout;
        assert!(!said.contains("was left"), "{said}");
        assert_eq!(gateway.resources(), ["ledger"]);
    }
    let said = workspace.destroy().ok().stdout;
    assert!(!said.contains("was left"), "{said}");
    assert_eq!(gateway.resources(), Vec::<String>::new());
}

#[test]
fn a_resource_that_two_states_share_goes_with_the_last_connection_of_either() {
    let (gateway, first) = begin(&levels("[\"ro\"]"));
    first.apply().ok();
    let second = gateway.workspace(&levels("[\"rw\"]"));
    second.apply().ok();
    let said = first.destroy().ok().stdout;
    assert!(!said.contains("was left"), "the other state uses it: {said}");
    assert_eq!(gateway.resources(), ["ledger"]);
    second.destroy().ok();
    assert_eq!(gateway.resources(), Vec::<String>::new());
}

#[test]
fn a_resource_that_somebody_made_survives_runs_that_join_it_and_is_named_at_the_end() {
    let (gateway, workspace) = begin(&levels("[\"ro\"]"));
    gateway.fill_resource("ledger", &json!({}));
    for wanted in ["[\"ro\"]", "[\"ro\", \"rw\"]", "[\"rw\", \"ddl\"]"] {
        workspace.write("main.tf", &levels(wanted));
        let said = workspace.apply().ok().stdout;
        assert!(!said.contains("was left"), "others use it: {said}");
    }
    let said = workspace.destroy().ok().stdout;
    assert_eq!(said.matches("Warning: The gateway's resource `ledger` was left").count(), 1, "{said}");
    assert_eq!(gateway.resources(), ["ledger"]);
}

#[test]
fn a_resource_whose_connection_a_hand_deleted_is_removed_or_named() {
    let (gateway, workspace) = begin(&levels("[\"ro\"]"));
    workspace.apply().ok();
    gateway.remove("ledger-ro");
    workspace.apply().ok();
    let said = workspace.destroy().ok().stdout;
    assert!(said.contains("Warning: The gateway's resource `ledger` was left"), "nobody knows it any more: {said}");
    assert_eq!(gateway.resources(), ["ledger"]);

    // The state is lost, and the connection itself shows what came with it.
    let (gateway, workspace) = begin(&configuration(LAB));
    workspace.apply().ok();
    workspace.run(&["state", "rm", IT]).ok();
    workspace.import(IT, "ledger-ro").ok();
    let said = workspace.destroy().ok().stdout;
    assert!(!said.contains("was left"), "{said}");
    assert_eq!(gateway.resources(), Vec::<String>::new());
}

#[test]
fn a_connection_of_an_earlier_run_under_another_name_is_told() {
    let (gateway, workspace) = begin(&connection("ledger-ro", &role("hoop_ro"), LAB));
    workspace.apply().ok();
    workspace.run(&["state", "rm", IT]).ok();
    workspace.write("main.tf", &connection("ledger-rw", &role("hoop_rw"), LAB));
    let said = workspace.apply().ok().stdout;
    assert!(!said.contains(TWIN), "another user: {said}");
    workspace.run(&["state", "rm", IT]).ok();

    workspace.write("main.tf", &connection("books-ro", &role("hoop_ro"), LAB));
    let said = flat(&workspace.apply().ok().stdout);
    assert!(
        said.contains(TWIN) && said.contains("also made `ledger-ro`, for") && !said.contains("ledger-rw"),
        "{said}"
    );
    assert!(said.contains("If no state holds it") && said.contains("import it by its name"), "{said}");
    assert!(!gateway.stored("ledger-ro").is_null() && !gateway.stored("books-ro").is_null());

    // One of the same name is taken over, and nothing else is said of it.
    workspace.run(&["state", "rm", IT]).ok();
    workspace.write("main.tf", &connection("ledger-ro", &role("hoop_ro"), LAB));
    let said = workspace.apply().ok().stdout;
    assert!(said.contains("An existing connection was taken over") && !said.contains(TWIN), "{said}");
    assert_eq!(workspace.resource(IT).unwrap()["id"], gateway.stored("ledger-ro")["id"]);
    workspace.plan().nothing();
}

#[test]
fn a_connection_that_goes_or_that_another_state_holds_is_told_as_such() {
    let more = format!("{LAB}\n  lifecycle {{\n    create_before_destroy = true\n  }}");
    let (gateway, workspace) = begin(&connection("ledger-ro", &role("hoop_ro"), &more));
    workspace.apply().ok();
    workspace.write("main.tf", &connection("books-ro", &role("hoop_ro"), &more));
    let said = flat(&workspace.apply().ok().stdout);
    assert!(said.contains("All is well if this apply replaces it (`create_before_destroy`)"), "{said}");
    assert!(gateway.stored("ledger-ro").is_null());

    let other = gateway.workspace(&connection("stock-ro", &role("hoop_ro"), LAB));
    let said = flat(&other.apply().ok().stdout);
    assert!(said.contains("another block, workspace or configuration holds it"), "{said}");
    assert!(said.contains("Do not import one that another state holds") && !said.contains("import {"), "{said}");
}

#[test]
fn earlier_connections_that_cannot_be_listed_stop_nothing() {
    let (gateway, workspace) = begin(&configuration(LAB));
    gateway.fault(&json!({"method": "GET", "path": "/api/connections", "n": 9, "status": 500}));
    workspace.apply().ok();
    assert!(!gateway.stored("ledger-ro").is_null());
}
