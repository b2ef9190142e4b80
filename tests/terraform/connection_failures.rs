//! What the gateway refuses, as a person reads it, and what cannot be configured.

use serde_json::json;

use crate::connection::{configuration, connection};
use crate::gateway::{FakeGateway, READER};
use crate::workspace::Workspace;

const LAB: &str = "agent_name = \"lab\"";
const IT: &str = "rdsaccess_connection.it";

fn contains(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
    assert_eq!(said.matches("Error:").count(), 1, "one diagnostic: {said}");
}

#[test]
fn tokens_that_are_unknown_or_may_not_write_are_told_apart() {
    let gateway = FakeGateway::start();
    let mut workspace = gateway.workspace(&configuration(LAB));
    workspace.set("HOOP_APIKEY", "hpk_unknown");
    contains(&workspace.apply().error(), &["`ledger-ro`", "GET http://", "/api/agents/lab", "401", "HOOP_APIKEY"]);
    workspace.set("HOOP_APIKEY", READER);
    contains(&workspace.apply().error(), &["`ledger-ro`", "POST http://", "/api/connections", "403", "group `admin`"]);
    assert!(workspace.resource(IT).is_none() && gateway.stored("ledger-ro").is_null());
}

#[test]
fn a_name_of_somebody_else_is_refused_with_the_way_to_import_it() {
    let gateway = FakeGateway::start();
    gateway.make("ledger-ro", &json!({}));
    let foreign = gateway.stored("ledger-ro");
    let workspace = gateway.workspace(&configuration(LAB));
    contains(
        &workspace.apply().error(),
        &[
            "`ledger-ro`",
            "POST http://",
            "/api/connections",
            "409",
            "terraform import <address> ledger-ro",
            "another name",
        ],
    );
    assert_eq!(gateway.stored("ledger-ro"), foreign);
    assert!(workspace.resource(IT).is_none());

    gateway.change("ledger-ro", &json!({"managed_by": "agent"}));
    contains(&workspace.apply().error(), &["`ledger-ro`", "managed by `agent`", "another name"]);
    contains(&workspace.import(IT, "ledger-ro").error(), &["`ledger-ro`", "managed by `agent`"]);
}

#[test]
fn a_connection_that_an_agent_came_to_manage_is_refused_by_the_plan() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    gateway.change("ledger-ro", &json!({"managed_by": "agent"}));
    workspace.plan().nothing();
    gateway.change("ledger-ro", &json!({"access_mode_exec": "disabled"}));

    // What the manager does is told, and stands in nobody's way.
    let beside = "resource \"terraform_data\" \"beside\" {\n  input = 1\n}\n";
    workspace.write("main.tf", &(configuration(LAB) + beside));
    let said = crate::connection::words(&workspace.plan().changes().stdout);
    for word in ["Warning: A gateway connection is as somebody else wants it", "managed by `agent`", "`access_modes`"] {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
    assert!(said.contains("Plan: 1 to add, 0 to change, 0 to destroy."), "{said}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(gateway.stored("ledger-ro")["access_mode_exec"], "disabled");

    workspace.write("main.tf", &configuration(&format!("{LAB}\n  access_modes = {{ connect = false }}")));
    contains(&workspace.plan_run().error(), &["`ledger-ro`", "managed by `agent`", "where the agent is configured"]);
    workspace.write("main.tf", &configuration(LAB));
    gateway.change("ledger-ro", &json!({"managed_by": null}));
    workspace.plan().changes();
    workspace.apply_planned().ok();
    assert_eq!(gateway.stored("ledger-ro")["access_mode_exec"], "enabled");
    workspace.plan().nothing();
    gateway.change("ledger-ro", &json!({"managed_by": "agent"}));
    let destroyed = workspace.destroy().ok();
    let said = destroyed.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("A connection that somebody else manages was left"), "{said}");
    assert_eq!(gateway.stored("ledger-ro")["managed_by"], "agent", "it belongs to somebody else");
}

#[test]
fn a_connection_that_an_agent_came_to_manage_is_not_given_up_by_a_replacement() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    let replace = format!("-replace={IT}");
    let run = |arguments: &[&str]| {
        let common = ["-input=false", "-no-color"];
        workspace.run(&[&arguments[..1], &common, &arguments[1..]].concat())
    };
    let refused = |said: &str| contains(said, &["`ledger-ro`", "managed by `agent`", "untaint", "`removed` block"]);
    gateway.change("ledger-ro", &json!({"managed_by": "agent"}));
    let stored = gateway.stored("ledger-ro");
    refused(&crate::connection::words(&run(&["apply", "-auto-approve", &replace]).error()));
    workspace.plan().nothing();
    workspace.write("main.tf", &configuration(LAB).replace("\"ledger-ro\"", "\"ledger2-ro\""));
    refused(&crate::connection::words(&run(&["plan"]).error()));
    workspace.write("main.tf", &configuration(LAB));
    run(&["apply", "-auto-approve", "-refresh-only"]).ok();
    refused(&crate::connection::words(&run(&["plan", "-refresh=false", &replace]).error()));

    workspace.run(&["taint", IT]).ok();
    refused(&crate::connection::words(&run(&["apply", "-auto-approve"]).error()));
    assert!(workspace.resource(IT).is_some(), "the state holds it");
    workspace.run(&["untaint", IT]).ok();
    workspace.plan().nothing();
    assert_eq!(gateway.stored("ledger-ro"), stored);

    // Ours again, it is replaced as any other.
    gateway.change("ledger-ro", &json!({"managed_by": null}));
    run(&["apply", "-auto-approve", &replace]).ok();
    assert_ne!(gateway.stored("ledger-ro")["id"], stored["id"]);
    workspace.plan().nothing();
}

#[test]
fn every_refusal_of_every_call_is_explained_and_leaves_state_and_gateway_as_they_were() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    let fault = |method: &str, status: u16| {
        gateway.fault(&json!({"method": method, "path": "/api/connections*", "n": 99, "status": status,
            "body": {"message": "as the test wants"}, "headers": {"Retry-After": "0"}}));
    };
    let summary = |status: u16| match status {
        401 => "The gateway does not accept the token",
        403 => "The gateway does not permit the call",
        404 => "The gateway has no such object",
        409 => "The gateway connection exists already",
        422 => "The gateway connection is not valid",
        _ => "The gateway failed",
    };
    let refused = |method: &str, statuses: &[u16], run: &dyn Fn() -> String| {
        for &status in statuses {
            fault(method, status);
            let said = run();
            contains(&said, &["`ledger-ro`", method, &format!("{status}"), "as the test wants", summary(status)]);
            gateway.mend();
        }
    };
    refused("POST", &[401, 403, 404, 409, 422, 503], &|| workspace.apply().error());
    assert!(workspace.resource(IT).is_none() && gateway.stored("ledger-ro").is_null());
    workspace.apply().ok();
    let (state, stored) = (workspace.resource(IT), gateway.stored("ledger-ro"));
    refused("GET", &[401, 403, 409, 422, 503], &|| workspace.plan_run().error());
    refused("DELETE", &[401, 403, 409, 422, 503], &|| workspace.destroy().error());
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  reviewers = [\"dba\"]")));
    refused("PUT", &[401, 403, 404, 409, 422, 503], &|| workspace.apply().error());
    assert_eq!((workspace.resource(IT), gateway.stored("ledger-ro")), (state, stored));
    workspace.apply().ok();
    workspace.plan().nothing();

    // Gone in between: nothing is left to delete.
    fault("DELETE", 404);
    workspace.destroy().ok();
}

#[test]
fn refusals_of_the_calls_beside_it_name_the_connection_and_nothing_is_made() {
    let gateway = FakeGateway::start();
    gateway.toggle("access_control", true);
    let workspace = gateway.workspace(&configuration(&format!("{LAB}\n  groups = [\"developers\"]")));
    let refused = |method: &str, path: &str, statuses: &[u16]| {
        for &status in statuses {
            gateway.fault(&json!({"method": method, "path": format!("/api/{path}"), "n": 99, "status": status,
                "body": {"message": "as the test wants"}, "headers": {"Retry-After": "0"}}));
            let address = format!("{method} {}/api/{}", gateway.url, path.trim_end_matches('*'));
            contains(
                &crate::connection::words(&workspace.apply().error()),
                &["`ledger-ro`", &address, &status.to_string(), "as the test wants"],
            );
            gateway.mend();
        }
    };
    for path in ["agents/lab", "plugins/access_control", "resources/ledger"] {
        refused("GET", path, &[401, 403, 409, 422, 429, 503]);
        assert!(workspace.resource(IT).is_none() && gateway.stored("ledger-ro").is_null(), "{path}");
    }
    // The connection is made before its groups, and is kept in state: the client makes it anew with the next apply.
    refused("PUT", "plugins/access_control/conn/*", &[401, 403, 409, 422, 429, 503]);
    assert_eq!(workspace.resource(IT).unwrap()["id"], gateway.stored("ledger-ro")["id"]);
    workspace.apply().ok();
    assert_eq!(gateway.groups("ledger-ro"), json!(["developers"]));
    refused("GET", "plugins/access_control/conn/*", &[401, 403, 503]);
    workspace.plan().nothing();
}

#[test]
fn a_connection_that_is_deleted_between_plan_and_apply_is_an_error_and_then_made_again() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  reviewers = [\"dba\"]")));
    workspace.plan().changes();
    gateway.remove("ledger-ro");
    contains(
        &workspace.apply_planned().error(),
        &["`ledger-ro`", "GET http://", "404", "The gateway has no such object"],
    );
    assert!(gateway.stored("ledger-ro").is_null());
    workspace.apply().ok();
    assert_eq!(gateway.stored("ledger-ro")["reviewers"], json!(["dba"]));
    workspace.plan().nothing();
}

#[test]
fn tokens_of_each_kind_are_taken_and_a_jwt_may_be_replaced() {
    let gateway = FakeGateway::start();
    let mut workspace = gateway.workspace(&configuration(LAB));
    let (first, second) = ("eyJfirst.hunter2.hunter2", "eyJsecond.hunter2.hunter2");
    gateway.token(first, second);
    workspace.set("HOOP_APIKEY", first);
    workspace.apply().ok();
    contains(&workspace.plan_run().error(), &["401", "the login of a person", "Log in again"]);
    workspace.set("HOOP_APIKEY", second);
    workspace.plan().nothing();
    let legacy = "1f0e8c1a-5b1e-4d3c-9a53-0d6f6f6c2a10|legacy-key";
    workspace.set("HOOP_APIKEY", legacy);
    workspace.plan().nothing();
    workspace.set("HOOP_APIKEY", "xapi-unknown-key");
    contains(&workspace.plan_run().error(), &["401", "legacy keys"]);
    assert_eq!(workspace.leaks(&[first, second, legacy, "xapi-unknown-key"]), vec![]);
}

#[test]
fn only_databases_are_imported() {
    let gateway = FakeGateway::start();
    gateway.make("ledger-ro", &json!({"subtype": "mongodb"}));
    let workspace = gateway.workspace(&configuration(LAB));
    contains(&workspace.import(IT, "ledger-ro").error(), &["`ledger-ro`", "`mongodb`"]);
    contains(&workspace.import(IT, "no-such-one").error(), &["non-existent remote object"]);
    contains(&workspace.import(IT, "a|b").error(), &["`a|b` is not the name of a connection"]);
}

#[test]
fn an_agent_that_does_not_exist_is_named_with_those_that_do() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration("agent_name = \"nowhere\""));
    contains(&workspace.apply().error(), &["`ledger-ro`", "/api/agents/nowhere", "lab, spare"]);
    workspace.write("main.tf", &configuration("agent_name = \"no/such?x\""));
    contains(&workspace.apply().error(), &["no agent `no/such?x`", "/api/agents/no%2Fsuch%3Fx answered 404"]);
    workspace.write("main.tf", &configuration("agent_id = \"0b6f2f0e-5c1d-4a86-9a3e-2d1c7b9f4e10\""));
    contains(&workspace.apply().error(), &["`ledger-ro`", "POST http://", "500", "an agent"]);
    assert!(workspace.resource(IT).is_none());
}

#[test]
fn groups_need_the_plugin_before_anything_is_made() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(&format!("{LAB}\n  groups = [\"developers\"]")));
    contains(&workspace.apply().error(), &["`ledger-ro`", "/api/plugins/access_control", "Enable it once"]);
    assert!(gateway.stored("ledger-ro").is_null());
    gateway.toggle("access_control", true);

    // A failure after the connection was made keeps it in state.
    gateway.fault(&json!({"method": "PUT", "path": "/api/plugins/*", "n": 99, "status": 500}));
    contains(&workspace.apply().error(), &["`ledger-ro`", "PUT http://", "500"]);
    assert_eq!(workspace.resource(IT).unwrap()["id"], gateway.stored("ledger-ro")["id"]);
    gateway.mend();
    workspace.apply().ok();
    assert_eq!(gateway.groups("ledger-ro"), json!(["developers"]));
    workspace.plan().nothing();
}

#[test]
fn an_update_that_adds_groups_needs_the_plugin_before_anything_is_loosened() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(&format!("{LAB}\n  reviewers = [\"dba\"]")));
    workspace.apply().ok();
    gateway.forget_log();
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  groups = [\"developers\"]")));
    contains(&workspace.apply().error(), &["`ledger-ro`", "/api/plugins/access_control", "Enable it once"]);
    assert_eq!(gateway.writes(), Vec::<String>::new());
    assert_eq!(gateway.stored("ledger-ro")["reviewers"], json!(["dba"]), "the review stays until the groups are there");
    gateway.toggle("access_control", true);
    workspace.apply().ok();
    assert_eq!(
        (&gateway.stored("ledger-ro")["reviewers"], gateway.groups("ledger-ro")),
        (&json!([]), json!(["developers"]))
    );
    workspace.plan().nothing();
}

#[test]
fn a_gateway_that_restarts_while_a_connection_is_made_breaks_no_apply() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    gateway.fault(&json!({"method": "POST", "path": "/api/connections", "n": 2, "status": 503}));
    workspace.apply().ok();
    let (lost, made) = ("POST /api/connections 503", "POST /api/connections 201");
    assert_eq!(gateway.writes(), [lost, lost, made]);
    workspace.plan().nothing();

    // It was made, and only the answer is lost.
    workspace.destroy().ok();
    gateway.forget_log();
    gateway.fault(&json!({"method": "POST", "path": "/api/connections", "status": 503, "when": "after"}));
    let said = workspace.apply().ok().stdout;
    assert!(!said.contains("taken over"), "it is this run's own: {said}");
    assert_eq!(gateway.writes(), [lost]);
    workspace.plan().nothing();
    workspace.destroy().ok();
    assert_eq!(gateway.resources(), Vec::<String>::new(), "the resource is known to be ours all the same");

    gateway.fault(&json!({"method": "POST", "path": "/api/connections", "n": 99, "status": 502}));
    contains(&workspace.apply().error(), &["`ledger-ro`", "POST http://", "502", "restarted", "Apply again"]);
    assert!(workspace.resource(IT).is_none() && gateway.stored("ledger-ro").is_null());
}

#[test]
fn the_gateways_own_words_reach_the_reader_and_a_failed_update_is_made_up_for() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    gateway.change("ledger-ro", &json!({"tags": ["-broken-"]}));
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  reviewers = [\"dba\"]")));
    contains(
        &workspace.apply().error(),
        &["`ledger-ro`", "PUT http://", "/api/connections/ledger-ro", "422", "tags: values must contain"],
    );
    assert_eq!(workspace.resource(IT).unwrap()["reviewers"], json!(null));
    gateway.change("ledger-ro", &json!({"tags": []}));
    workspace.apply().ok();
    workspace.plan().nothing();
}

#[test]
fn a_connection_that_was_made_anew_after_the_plan_is_not_changed() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    let id = workspace.resource(IT).unwrap()["id"].as_str().unwrap().to_owned();
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  reviewers = [\"dba\"]")));
    workspace.plan().changes();
    gateway.remove("ledger-ro");
    gateway.make("ledger-ro", &json!({}));
    let foreign = gateway.stored("ledger-ro");
    let new_id = foreign["id"].as_str().unwrap();
    contains(
        &workspace.apply_planned().error(),
        &["`ledger-ro`", "is another one now", &id, new_id, "Nothing was changed", "Plan again"],
    );
    assert_eq!(gateway.stored("ledger-ro"), foreign);
}

#[test]
fn a_gateway_that_is_away_for_a_moment_is_waited_for_and_one_that_stays_away_is_named() {
    let gateway = FakeGateway::start();
    let mut workspace = gateway.workspace(&configuration(LAB));
    for method in ["GET", "PUT"] {
        gateway.fault(&json!({"method": method, "n": 2, "status": 503}));
    }
    workspace.apply().ok();
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  reviewers = [\"dba\"]")));
    workspace.apply().ok();
    workspace.plan().nothing();

    workspace.set("HOOP_APIURL", "http://127.0.0.1:9");
    contains(
        &workspace.plan_run().error(),
        &["`ledger-ro`", "GET http://127.0.0.1:9/api/connections/ledger-ro", "cannot be reached", "HOOP_APIURL"],
    );
    workspace.write("provider.tf", "provider \"rdsaccess\" {\n  on_unreachable = \"keep\"\n}\n");
    let said = workspace.plan().nothing().stdout;
    assert!(said.contains("Warning: The gateway cannot be reached"), "{said}");
}

#[test]
fn without_a_gateway_the_plan_says_what_to_set() {
    let workspace = Workspace::offline();
    workspace.write("main.tf", &configuration(LAB));
    workspace.init().ok();
    workspace.validate().ok();
    contains(&workspace.plan_run().error(), &["The gateway is not configured", "HOOP_APIURL"]);
    workspace.write("provider.tf", "provider \"rdsaccess\" {\n  gateway = { url = \"https://hoop.example.com\" }\n}\n");
    contains(&workspace.plan_run().error(), &["https://hoop.example.com/api", "HOOP_APIKEY"]);
}

#[test]
fn a_plan_without_a_change_needs_no_gateway() {
    let gateway = FakeGateway::start();
    let mut workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    workspace.set("HOOP_APIURL", "");
    let plan = |workspace: &Workspace<'_>| {
        workspace.run(&["plan", "-refresh=false", "-input=false", "-no-color", "-detailed-exitcode"])
    };
    assert_eq!(plan(&workspace).ok().code, 0);
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  reviewers = [\"dba\"]")));
    contains(&plan(&workspace).error(), &["The gateway is not configured", "HOOP_APIURL"]);
}

#[test]
fn a_name_that_is_too_long_for_the_resource_is_refused_by_the_plan() {
    let gateway = FakeGateway::start();
    let name = "a".repeat(150);
    let long = configuration(LAB).replace("\"ledger-ro\"", &format!("\"{name}-ro\""));
    let workspace = gateway.workspace(&long);
    contains(
        &workspace.plan_run().error(),
        &["too long for a gateway resource", "150 characters", "Set `resource_name`"],
    );
    workspace.write("main.tf", &long.replace(LAB, "agent_name = \"lab\"\n  resource_name = \"short\""));
    workspace.apply().ok();
    assert_eq!(gateway.stored(&format!("{name}-ro"))["resource_name"], "short");
    // It keeps the resource that it has.
    workspace.write("main.tf", &long);
    workspace.plan().nothing();
}

#[test]
fn a_mark_that_was_taken_away_is_told_and_put_back_by_the_next_change() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    let mut tags = gateway.stored("ledger-ro")["connection_tags"].clone();
    tags.as_object_mut().unwrap().remove("rdsaccess.managed");
    gateway.change("ledger-ro", &json!({ "connection_tags": tags }));
    let said = crate::connection::words(&workspace.plan().nothing().stdout);
    assert!(
        said.contains("Warning: The gateway connection has lost its mark") && said.contains("puts it back"),
        "{said}"
    );
    workspace.write("main.tf", &configuration(&format!("{LAB}\n  reviewers = [\"dba\"]")));
    workspace.apply().ok();
    assert_eq!(gateway.stored("ledger-ro")["connection_tags"]["rdsaccess.managed"], "true");
    let said = workspace.plan().nothing().stdout;
    assert!(!said.contains("lost its mark"), "{said}");
}

#[test]
fn a_plan_asks_for_an_agent_once() {
    let gateway = FakeGateway::start();
    let many = "for_each = toset([for n in range(12) : \"db${n}-ro\"])\n  name       = each.key";
    let text = configuration(LAB).replace("name       = \"ledger-ro\"", many);
    let workspace = gateway.workspace(&text);
    let asked = || gateway.calls().into_iter().filter(|call| call.starts_with("GET /api/agents")).collect::<Vec<_>>();
    workspace.apply().ok();
    assert_eq!(asked(), ["GET /api/agents/lab 200"], "the apply");
    gateway.forget_log();
    workspace.plan().nothing();
    assert_eq!(asked(), ["GET /api/agents/lab 200"], "the plan");
}

#[test]
fn the_provider_block_wins_over_the_environment() {
    let gateway = FakeGateway::start();
    let mut workspace = gateway.workspace(&configuration(LAB));
    workspace.set("HOOP_APIURL", "http://127.0.0.1:9");
    workspace.set("HOOP_APIKEY", "hpk_unknown");
    let block = format!(
        "provider \"rdsaccess\" {{\n  gateway = {{ url = \"{}/api\", token = \"hpk_admin_of_the_fake\" }}\n}}\n",
        gateway.url
    );
    workspace.write("provider.tf", &block);
    workspace.apply().ok();
    assert!(!gateway.stored("ledger-ro").is_null());
}

#[test]
fn a_gateway_that_is_known_only_after_apply_is_waited_for() {
    let gateway = FakeGateway::start();
    let mut workspace = gateway.workspace(&configuration(LAB));
    workspace.set("HOOP_APIURL", "");
    let block = "resource \"terraform_data\" \"url\" {\n  input = \"URL\"\n}\n\nprovider \"rdsaccess\" {\n  gateway = { url = \
                 terraform_data.url.output }\n}\n";
    workspace.write("provider.tf", &block.replace("URL", &gateway.url));
    workspace.plan().changes();
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    workspace.write("provider.tf", &block.replace("URL", &format!("{}/api", gateway.url)));
    contains(&workspace.plan_run().error(), &["The gateway is not known yet", "-target"]);
}

#[test]
fn what_needs_no_gateway_is_refused_by_validate() {
    let workspace = Workspace::offline();
    let role = |more: &str| {
        format!(
            "merge({{ username = \"u\", engine = \"postgres\", endpoint = \"db.internal\", port = 5432, default_database = \
             \"d\", secret_ref = \"vault:kv2::kv:a\" }}, {{ {more} }})"
        )
    };
    workspace.write("main.tf", &configuration(LAB));
    workspace.init().ok();
    for (configuration, words) in [
        (configuration(""), "Exactly one of `agent_id` and `agent_name`"),
        (configuration("agent_name = \"lab\"\n  agent_id = \"x\""), "Exactly one of `agent_id` and `agent_name`"),
        (connection("ledger--ro", &role(""), LAB), "Invalid value for `name`"),
        (connection("ledger-ro", &role("auth = \"iam\""), LAB), "third part of the host name"),
        (connection("ledger-ro", &role("secret_ref = null"), LAB), "The role has no secret"),
        (connection("ledger-ro", &role("secret_ref = \"vault:kv2:team:kv:a\""), LAB), "namespace `team`"),
        (connection("ledger-ro", &role("secret_ref = null"), LAB), "`role = rdsaccess_role.<name>`"),
        (connection("ledger-ro", &role("default_database = null"), LAB), "No database to open"),
        (connection("ledger-ro", &role("default_database = \"\""), LAB), "Invalid value for `role.default_database`"),
        (connection("ledger-ro", &role("username = \" \""), LAB), "Invalid value for `role.username`"),
        (connection("ledger-ro", &role("username = \"_aws:a:b\""), LAB), "a reference to a store of secrets"),
        (configuration("agent_name = \"lab\"\n  database = \"_aws:x:y\""), "Invalid value for `database`"),
        (configuration("agent_id = \"prod-eu\""), "use `agent_name = \"prod-eu\"`"),
        (configuration("agent_id = \"75122BCE-F957-49EB-A812-2AB60977CD9F\""), "Write `75122bce-"),
        (
            configuration("agent_name = \"lab\"\n  guardrail_rules = [\"no-drop\"]"),
            "Invalid value for `guardrail_rules`",
        ),
        (configuration("agent_name = \"lab\"\n  jira_issue_template_id = \"OPS\""), "`OPS` is no id of the gateway"),
        (configuration("agent_name = \"lab\"\n  reviewers = [\"\"]"), "`reviewers` holds an empty text"),
        (configuration("agent_name = \"lab\"\n  groups = [\"dba\", \" \"]"), "`groups` holds an empty text"),
        (configuration("agent_name = \"lab\"\n  min_review_approvals = 0"), "between 1 and"),
        (configuration("agent_name = \"lab\"\n  access_max_duration = \"0s\""), "between 1s and"),
        (configuration("agent_name = \"lab\"\n  secret_delivery = \"post\""), "Invalid value for `secret_delivery`"),
        (configuration("agent_name = \"lab\"\n  tags = { a = \"b.c\" }"), "tag_value(\"b.c\")"),
        (configuration("agent_name = \"lab\"\n  tags = { \"a-\" = \"b\" }"), "Invalid tag `a-`"),
        (configuration("agent_name = \"lab\"\n  tags = { \"rdsaccess.managed\" = \"no\" }"), "sets this tag itself"),
        (configuration("agent_name = \"lab\"\n  tags = { for n in range(9) : \"t${n}\" => \"x\" }"), "Too many tags"),
        (configuration("agent_name = \"lab\"\n  id = \"x\""), "`id` cannot be set"),
    ] {
        workspace.write("main.tf", &configuration);
        let said = workspace.validate().error();
        assert!(said.contains(words), "`{words}` is not in: {said}");
    }
}
