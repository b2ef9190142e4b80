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
fn a_connection_of_an_earlier_run_under_another_name_is_told_with_its_import_block() {
    let (gateway, workspace) = begin(&connection("ledger-ro", &role("hoop_ro"), LAB));
    workspace.apply().ok();
    workspace.run(&["state", "rm", IT]).ok();
    workspace.write("main.tf", &connection("ledger-rw", &role("hoop_rw"), LAB));
    let said = workspace.apply().ok().stdout;
    assert!(!said.contains(TWIN), "another user: {said}");
    workspace.run(&["state", "rm", IT]).ok();

    workspace.write("main.tf", &connection("books-ro", &role("hoop_ro"), LAB));
    let said = workspace.apply().ok().stdout;
    assert!(said.contains(TWIN) && said.contains("id = \"ledger-ro\"") && !said.contains("ledger-rw"), "{said}");
    assert!(!gateway.stored("ledger-ro").is_null() && !gateway.stored("books-ro").is_null());

    // The block is enough.
    let block = "import {\n  to = rdsaccess_connection.it\n  id = \"ledger-ro\"\n}\n";
    workspace.run(&["state", "rm", IT]).ok();
    workspace.write("main.tf", &(connection("ledger-ro", &role("hoop_ro"), LAB) + block));
    workspace.apply().ok();
    assert_eq!(workspace.resource(IT).unwrap()["id"], gateway.stored("ledger-ro")["id"]);
    workspace.plan().nothing();
}

#[test]
fn earlier_connections_that_cannot_be_listed_stop_nothing() {
    let (gateway, workspace) = begin(&configuration(LAB));
    gateway.fault(&json!({"method": "GET", "path": "/api/connections", "n": 9, "status": 500}));
    workspace.apply().ok();
    assert!(!gateway.stored("ledger-ro").is_null());
}
