//! `rdsaccess_agents`: the gateway's agents.

mod model;

use crate::access::list_names;
use crate::context::Context;
use crate::gateway::{Agent, Gateway};
use crate::report::Report;
use crate::schema::{Attr, DataSource, Query, Reports};
use crate::value::Path;

use model::{AgentModel, Agents};

/// The data source.
pub struct AgentsDataSource;

impl DataSource for AgentsDataSource {
    type Context = Context;
    type Model = Agents;

    const NAME: &'static str = "rdsaccess_agents";
    const SUBCATEGORY: &'static str = "Gateway";

    async fn read(&self, context: &Context, query: &mut Query<Agents>) -> Result<(), Reports> {
        let gateway = context.gateway()?;
        let agents = gateway.agents().await?;
        let wanted = query.state.must_include.get().into_iter().flatten();
        let missing: Vec<&String> = wanted.filter(|wanted| !agents.iter().any(|agent| agent.is(wanted))).collect();
        if !missing.is_empty() {
            return Err(lacks(gateway, &missing, &agents).into());
        }
        query.state.access_control = gateway.has_access_control().await?.into();
        query.state.agents = Attr::Known(agents.iter().map(|a| (a.name.clone(), AgentModel::from(a))).collect());
        Ok(())
    }
}

fn lacks(gateway: &Gateway, missing: &[&String], agents: &[Agent]) -> Report {
    let missing: Vec<String> = missing.iter().map(|wanted| format!("`{wanted}`")).collect();
    let names: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
    let there = match names.is_empty() {
        true => "It has none: create one in the gateway first.".to_owned(),
        false => format!("Its agents: {}.", list_names(&names)),
    };
    let detail = format!("The gateway {} has no agent {}. {there}", gateway.settings().url, list_names(&missing));
    Report::error("The gateway has no such agent", detail).at(Path::attribute("must_include"))
}
