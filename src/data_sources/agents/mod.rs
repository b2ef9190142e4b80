//! `rdsaccess_agents`: the gateway's agents.

mod model;

use crate::context::Context;
use crate::schema::{Attr, DataSource, Query, Reports};

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
        query.state.access_control = gateway.has_access_control().await?.into();
        query.state.agents = Attr::Known(agents.iter().map(|a| (a.name.clone(), AgentModel::from(a))).collect());
        Ok(())
    }
}
