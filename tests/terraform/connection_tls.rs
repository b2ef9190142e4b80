//! How far the TLS of a connection's sessions goes: what a hand weakens is repaired, what goes further stays.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::connection::{configuration, connection, role};
use crate::gateway::FakeGateway;
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_connection.it";
const LAB: &str = "agent_name = \"lab\"";

/// Somebody sets a variable of the connection, or takes it out.
fn set(gateway: &FakeGateway, key: &str, value: Option<&str>) {
    let mut secret = gateway.stored("ledger-ro")["secret"].clone();
    let variables = secret.as_object_mut().unwrap();
    match value {
        Some(value) => variables.insert(format!("envvar:{key}"), json!(STANDARD.encode(value))),
        None => variables.remove(&format!("envvar:{key}")),
    };
    gateway.change("ledger-ro", &json!({ "secret": secret }));
}

/// The plan repairs TLS, says why in these words, and changes nothing else.
fn repairs(workspace: &Workspace<'_>, words: &str) {
    let said = workspace.plan().changes().stdout;
    assert!(said.contains(&format!("\"{words}\" -> \"ok\"")), "{said}");
    let planned = workspace.planned();
    let all = planned["resource_changes"].as_array().unwrap();
    let change = &all.iter().find(|change| change["address"] == IT).unwrap()["change"];
    assert_eq!(change["actions"], json!(["update"]));
    let (before, after) = (change["before"].as_object().unwrap(), change["after"].as_object().unwrap());
    let moved: Vec<&String> = before.keys().filter(|key| before.get(*key) != after.get(*key)).collect();
    assert_eq!(moved, ["tls_state"]);
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(state(workspace), "ok");
}

fn state(workspace: &Workspace<'_>) -> Value {
    workspace.resource(IT).unwrap()["tls_state"].clone()
}

#[test]
fn tls_that_a_hand_weakens_is_planned_in_words_and_repaired() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    let made = gateway.stored("ledger-ro")["secret"].clone();
    assert_eq!((state(&workspace), gateway.env("ledger-ro", "SSLMODE")), (json!("ok"), "require".to_owned()));
    for (value, words) in [
        (Some("disable"), "SSLMODE is disable instead of require"),
        (Some("prefer"), "SSLMODE is prefer instead of require"),
        (Some("hunter2-by-hand"), "SSLMODE is no value that the agent knows instead of require"),
        (None, "SSLMODE is not set, which stands for prefer, instead of require"),
    ] {
        set(&gateway, "SSLMODE", value);
        repairs(&workspace, words);
        assert_eq!(gateway.stored("ledger-ro")["secret"], made);
    }
    assert_eq!(workspace.leaks(&["hunter2-by-hand"]), vec![]);

    let sqlserver = role("engine = \"sqlserver\", port = 1433");
    workspace.write("main.tf", &connection("ledger-ro", &sqlserver, LAB));
    workspace.apply().ok();
    workspace.plan().nothing();
    set(&gateway, "INSECURE", Some("true"));
    repairs(&workspace, "INSECURE is true instead of false");
    assert_eq!(gateway.env("ledger-ro", "INSECURE"), "false");

    workspace.write("main.tf", &connection("ledger-ro", &role("engine = \"mysql\", port = 3306"), LAB));
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(state(&workspace), Value::Null, "no setting of the gateway is about it");
}

#[test]
fn tls_that_goes_further_stays_also_when_something_else_changes() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    set(&gateway, "SSLMODE", Some("verify-full"));
    workspace.plan().nothing();
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  reviewers = [\"dba\"]")));
    workspace.apply().ok();
    assert_eq!(gateway.env("ledger-ro", "SSLMODE"), "verify-full");
    workspace.plan().nothing();
    gateway.toggle("hide_role_info", true);
    workspace.plan().nothing();
}

#[test]
fn a_connection_that_is_imported_without_a_word_on_tls_gets_it() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    set(&gateway, "SSLMODE", None);
    workspace.run(&["state", "rm", IT]).ok();
    workspace.import(IT, "ledger-ro").ok();
    assert_eq!(state(&workspace), "SSLMODE is not set, which stands for prefer, instead of require");
    let said = workspace.plan().changes().stdout;
    assert!(said.contains("0 to add, 1 to change, 0 to destroy") && said.contains("-> \"ok\""), "{said}");
    workspace.apply_planned().ok();
    assert_eq!(gateway.env("ledger-ro", "SSLMODE"), "require");
    workspace.plan().nothing();
}

#[test]
fn tls_of_connections_follows_the_provider_that_does_without() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    set(&gateway, "SSLMODE", Some("disable"));
    workspace.write("provider.tf", "provider \"rdsaccess\" {\n  tls = { mode = \"disable\" }\n}\n");
    workspace.plan().nothing();
    gateway.remove("ledger-ro");
    workspace.apply().ok();
    assert_eq!(gateway.env("ledger-ro", "SSLMODE"), "prefer");
    workspace.plan().nothing();

    workspace.write("provider.tf", "");
    repairs(&workspace, "SSLMODE is prefer instead of require");
    assert_eq!(gateway.env("ledger-ro", "SSLMODE"), "require");
}
