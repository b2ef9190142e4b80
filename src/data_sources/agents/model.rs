//! Results of `rdsaccess_agents`.

use std::collections::{BTreeMap, BTreeSet};

use crate::gateway::Agent;
use crate::model;

model! {
    /// Lists the agents of the gateway.
    ///
    /// An agent runs in a network that reaches the databases and opens the sessions of their connections; its name or id
    /// goes into `rdsaccess_connection`. An agent that is not connected right now is listed too.
    pub struct Agents {
        /// Names or ids of agents that must be there; `missing` has those that are not. One listing of a run serves all that
        /// it has the agents for.
        must_include: BTreeSet<String> = optional(),
        /// Those of `must_include` that are not there. Judge it in a `postcondition`: it fails a plan before anything is
        /// changed that depends on this data source, and a destroy goes on.
        missing: BTreeSet<String> = computed(),
        /// The agents, by name.
        agents: BTreeMap<String, AgentModel> = computed(),
        /// Whether the gateway's plugin `access_control` is enabled, which `groups` of a connection need; null where the
        /// token may not see it.
        access_control: bool = computed(),
    }
}

model! {
    /// An agent.
    pub struct AgentModel {
        /// UUID.
        id: String = computed(),
        /// Name, unique in the organisation.
        name: String = computed(),
        /// `CONNECTED` or `DISCONNECTED`.
        status: String = computed(),
        /// `standard`, or `embedded` for an agent that runs inside an application.
        mode: String = computed(),
    }
}

impl From<&Agent> for AgentModel {
    fn from(agent: &Agent) -> Self {
        Self {
            id: agent.id.clone().into(),
            name: agent.name.clone().into(),
            status: agent.status.as_str().to_owned().into(),
            mode: agent.mode.clone().into(),
        }
    }
}
