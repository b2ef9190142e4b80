data "rdsaccess_agents" "all" {}

# The agents in the networks of production, of which at least one must be connected.
locals {
  production = { for name, agent in data.rdsaccess_agents.all.agents : name => agent if startswith(name, "prod-") }
}

output "connected" {
  value = [for name, agent in local.production : name if agent.status == "CONNECTED"]

  precondition {
    condition     = anytrue([for agent in values(local.production) : agent.status == "CONNECTED"])
    error_message = "No agent of production is connected to the gateway."
  }
}

# Whatever depends on this is left alone, with a sentence, where the agent is not there.
data "rdsaccess_agents" "first" {
  must_include = ["prod-eu"]

  lifecycle {
    postcondition {
      condition     = length(self.missing) == 0
      error_message = "The gateway has no agent ${join(", ", self.missing)}. Its agents: ${join(", ", keys(self.agents))}."
    }
  }
}
