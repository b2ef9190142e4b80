//! `rdsaccess_agents` that looks for agents before anything is changed.

use serde_json::json;

use crate::connection::{configuration, words};
use crate::gateway::FakeGateway;

/// A look at the gateway that fails for an agent or the plugin that is missing.
const LOOK: &str = r#"
data "rdsaccess_agents" "first" {
  must_include = ["lab"]

  lifecycle {
    postcondition {
      condition     = length(self.missing) == 0
      error_message = "No agent ${join(", ", self.missing)} among ${join(", ", keys(self.agents))}."
    }
    postcondition {
      condition     = self.access_control == true
      error_message = "The plugin access_control is off."
    }
  }
}
"#;
const BEHIND_IT: &str = "agent_name = \"lab\"\n  depends_on = [data.rdsaccess_agents.first]";

#[test]
fn what_is_missing_is_told_by_name_and_by_id() {
    let gateway = FakeGateway::start();
    let wanted = format!("[\"lab\", \"{}\", \"no\", \"such/one\"]", gateway.agent_id("spare"));
    let list = format!("data \"rdsaccess_agents\" \"it\" {{\n  must_include = {wanted}\n}}\n");
    let all = "data \"rdsaccess_agents\" \"all\" {}\n";
    let shown = "output \"missing\" {\n  value = [for one in [data.rdsaccess_agents.it, data.rdsaccess_agents.all] : one.missing]\n}\n";
    let workspace = gateway.workspace(&(configuration("agent_name = \"lab\"") + &list + all + shown));
    workspace.apply().ok();
    assert_eq!(workspace.output("missing"), json!([["no", "such/one"], []]));
}

#[test]
fn an_agent_that_was_deleted_does_not_stop_a_destroy() {
    let gateway = FakeGateway::start();
    gateway.toggle("access_control", true);
    let workspace = gateway.workspace(&(configuration(BEHIND_IT) + LOOK));
    workspace.apply().ok();
    gateway.remove_agent("lab");
    gateway.toggle("access_control", false);
    let said = words(&workspace.plan_run().error());
    assert!(said.contains("No agent lab among spare.") && said.contains("access_control is off"), "{said}");
    assert!(!gateway.stored("ledger-ro").is_null());

    workspace.destroy().ok();
    assert!(gateway.stored("ledger-ro").is_null());
}

#[test]
fn many_looks_of_a_plan_cost_one_call_each() {
    let gateway = FakeGateway::start();
    gateway.toggle("access_control", true);
    let many = "  for_each     = toset([for n in range(12) : \"db${n}\"])\n  must_include";
    let looks = LOOK.replace("  must_include", many).replace("first", "each");
    let further = LOOK.replace("first", "other").replace("lab", "spare");
    let workspace = gateway.workspace(&(configuration("agent_name = \"lab\"") + &looks + &further));
    workspace.plan().changes();
    let mut calls = gateway.calls();
    calls.retain(|call| call.starts_with("GET /api/agents ") || call.starts_with("GET /api/plugins/"));
    calls.sort();
    assert_eq!(calls, ["GET /api/agents 200", "GET /api/plugins/access_control 200"]);
}
