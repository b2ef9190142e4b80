//! `rdsaccess_agents`: the gateway's agents.

mod model;

use std::sync::Arc;

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
        let wanted = query.state.must_include.get().cloned().unwrap_or_default();
        // Who names none may look for one that an apply has just made.
        let agents = match wanted.is_empty() {
            true => Arc::from(gateway.agents().await?),
            false => gateway.agents_among(&wanted).await?,
        };
        let is_missing = |wanted: &String| !agents.iter().any(|agent| agent.is(wanted));
        // An error would also stop a destroy, which reads this first; a postcondition does not.
        query.state.missing = Attr::Known(wanted.into_iter().filter(is_missing).collect());
        query.state.access_control = gateway.has_access_control().await?.into();
        query.state.agents = Attr::Known(agents.iter().map(|a| (a.name.clone(), AgentModel::from(a))).collect());
        Ok(())
    }
}
