//! `rdsaccess_connection`: a database role as a connection of the Hoop gateway.
//!
//! | module     | what it does                                                    |
//! |------------|-----------------------------------------------------------------|
//! | `model`    | declares the arguments and results                              |
//! | `rules`    | checks what needs no gateway                                    |
//! | `texts`    | checks single names and ids                                     |
//! | `plan`     | says what an update moves                                       |
//! | `spec`     | turns a planned connection into a request                       |
//! | `read`     | turns what the gateway shows into state                         |
//! | `apply`    | creates, updates and deletes                                    |
//! | `names`    | refuses two blocks of one name                                  |
//! | `rows`     | removes the gateway's resource that came with a connection      |
//! | `seen`     | remembers for the plan what a refresh saw of others              |
//! | `manager`  | leaves alone what somebody else has come to manage              |
//! | `orphans`  | finds connections of ours that no state may hold                |
//! | `imported` | remembers what an import found and the configuration leaves out |
//! | `error`    | puts into words what can go wrong                               |

mod apply;
mod error;
mod imported;
mod manager;
mod model;
mod names;
mod orphans;
mod plan;
mod read;
mod rows;
mod rules;
mod seen;
mod spec;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::BTreeSet;

use crate::access::is_connection_name;
use crate::context::{Context, OnUnreachable};
use crate::gateway::{self, Env, Gateway, PASS};
use crate::report::Report;
use crate::schema::{Apply, Change, Limits, Reading, Reports, Resource};
use crate::store::Fault;

use super::lost;
use error::Error;
use imported::Unclaimed;
use model::{COPY, Connection, ConnectionIdentity, REFERENCE};
use read::{Sight, observe};
use spec::Delivery;

/// The resource.
pub struct ConnectionResource;

impl Resource for ConnectionResource {
    type Context = Context;
    type Model = Connection;
    type Identity = ConnectionIdentity;

    const NAME: &'static str = "rdsaccess_connection";
    const SUBCATEGORY: &'static str = "Gateway";
    const IMPORT_ID: &'static str = "the name of the connection";
    const LIMITS: Limits = Limits { create: 300, read: 120, update: 300, delete: 300 };

    fn identity(state: &Connection) -> ConnectionIdentity {
        ConnectionIdentity { name: state.name.clone() }
    }

    fn validate(config: &Connection) -> Vec<Report> {
        rules::problems(config)
    }

    async fn plan(&self, context: &Context, change: &mut Change<Connection>) -> Result<(), Reports> {
        if lost::rests(context, change) || manager::rests(change) {
            return Ok(());
        }
        if let Ok(gateway) = context.gateway() {
            manager::refuse_anew(gateway, change).await?;
            let Change { prior, planned, private, warnings, .. } = &mut *change;
            warnings.extend(names::check(gateway, prior.as_ref(), planned, private)?);
        }
        plan::plan(change)?;
        // Other resources must not be changed for a connection that cannot be made then: a master password is reset once.
        if change.prior.as_ref() == Some(&change.planned) { Ok(()) } else { context.expect_gateway() }
    }

    async fn read(&self, context: &Context, reading: &mut Reading<Connection>) -> Result<bool, Reports> {
        lost::forget(&mut reading.private);
        match look(context, reading).await {
            Err(failure) if failure.may_keep(context, reading) => {
                let name = reading.state.name.get().cloned().unwrap_or_default();
                lost::keep(context, reading, failure.about(&name).into());
                Ok(true)
            }
            looked => Ok(looked?),
        }
    }

    async fn create(&self, context: &Context, apply: &mut Apply<Connection>) -> Result<(), Reports> {
        seen::mark(&mut apply.private);
        apply::create(context, apply).await
    }

    async fn update(&self, context: &Context, apply: &mut Apply<Connection>) -> Result<(), Reports> {
        apply::update(context, apply).await
    }

    async fn delete(&self, context: &Context, apply: &mut Apply<Connection>) -> Result<(), Reports> {
        apply::delete(context.gateway()?, apply).await
    }

    fn import_id(id: &str) -> Result<Connection, Reports> {
        if is_connection_name(id) {
            return Ok(Connection { name: id.to_owned().into(), ..Connection::default() });
        }
        let detail =
            format!("`{id}` is not the name of a connection. Give the name alone, such as `payments-main-ro`.");
        Err(Report::error("Invalid import id", detail).into())
    }

    fn import_identity(identity: &ConnectionIdentity) -> Result<Connection, Reports> {
        Self::import_id(identity.name.get().map_or("", String::as_str))
    }
}

/// Why a connection could not be looked at.
enum Failure {
    Gateway(gateway::Error),
    Own(Error),
    Context(Reports),
}

impl Failure {
    /// `on_unreachable = "keep"`: the prior state stands in for a gateway or store that cannot be asked.
    fn may_keep(&self, context: &Context, reading: &Reading<Connection>) -> bool {
        let out_of_reach = match self {
            Self::Gateway(error) => error.is_unreachable() && context.on_unreachable() == OnUnreachable::Keep,
            Self::Own(Error::NoPassword { why, .. }) => context.keeps(why),
            Self::Context(reports) => context.keeps_state(reports),
            Self::Own(_) => false,
        };
        out_of_reach && !reading.imported
    }

    fn about(self, connection: &str) -> Self {
        match self {
            Self::Gateway(error) => Self::Gateway(error.about(connection)),
            other => other,
        }
    }
}

impl From<gateway::Error> for Failure {
    fn from(error: gateway::Error) -> Self {
        Self::Gateway(error)
    }
}

impl From<Failure> for Reports {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Gateway(error) => error.into(),
            Failure::Own(error) => error.into(),
            Failure::Context(reports) => reports,
        }
    }
}

/// Reads the connection. `false`: there is none, or another one has taken the name.
async fn look(context: &Context, reading: &mut Reading<Connection>) -> Result<bool, Failure> {
    let gateway = context.gateway().map_err(Failure::Context)?;
    let name = reading.state.name.get().cloned().unwrap_or_default();
    let found = gateway.get_connection(&name).await?;
    let found = found.filter(|found| reading.state.id.get().is_none_or(|id| *id == found.id));
    names::refreshed(gateway, &name, found.is_some());
    let Some(found) = found else { return Ok(false) };
    if reading.imported {
        check_importable(&found).map_err(Failure::Own)?;
    }
    manager::remember(gateway, &mut reading.private, &found);
    seen::remember(&mut reading.private, &found);
    let agent_name = agent_name(gateway, &reading.state, &found).await?;
    let groups = groups(gateway, reading, &found).await?;
    let delivery = delivery(context, reading, &found).await?;
    let sight = Sight { connection: &found, groups, agent_name, delivery, tls: context.tls_mode() };
    let before = reading.state.clone();
    observe(&mut reading.state, &sight, reading.imported);
    reading.warnings.extend(manager::keep(before, &mut reading.state, &found));
    reading.warnings.extend(seen::lost_mark(&mut reading.private, &found));
    if reading.imported {
        let is_copy = matches!(found.env(PASS), Env::Literal(_));
        reading.state.secret_delivery = if is_copy { COPY } else { REFERENCE }.to_owned().into();
        Unclaimed::remember(&mut reading.private, &reading.state);
    }
    Ok(true)
}

fn check_importable(found: &gateway::Connection) -> Result<(), Error> {
    let name = found.name.clone();
    if let Some(managed_by) = found.managed_by.clone() {
        return Err(Error::AgentManaged { name, managed_by });
    }
    if spec::engine_of(&found.kind, &found.subtype, None).is_none() {
        return Err(Error::NotADatabase { name, kind: found.kind.clone(), subtype: found.subtype.clone() });
    }
    Ok(())
}

/// How the connection should get its password. A secret is read only for a literal that it can be compared with; one that
/// cannot be used is a warning, so that what repairs it can be planned.
async fn delivery(
    context: &Context,
    reading: &mut Reading<Connection>,
    found: &gateway::Connection,
) -> Result<Option<Delivery>, Failure> {
    if !reading.state.is_copy() {
        return Ok(Some(Delivery::Reference));
    }
    let secret_ref = reading.state.role.get().and_then(|role| role.secret_ref.get());
    let (Some(secret_ref), Env::Literal(_)) = (secret_ref, found.env(PASS)) else { return Ok(None) };
    match context.try_secret(secret_ref).await.map_err(Failure::Context)? {
        Ok(credential) => Ok(Some(Delivery::Copy(credential.password))),
        Err(why) => {
            let unusable = matches!(why.fault, Fault::Gone | Fault::Unproven | Fault::Malformed(_));
            let error = Error::NoPassword { name: found.name.clone(), why };
            if !unusable {
                return Err(Failure::Own(error));
            }
            reading.warnings.push(Report::of(&error).as_warning());
            Ok(None)
        }
    }
}

/// The name of the connection's agent, where the state names one; its id where the agent is gone.
async fn agent_name(
    gateway: &Gateway,
    state: &Connection,
    found: &gateway::Connection,
) -> Result<Option<String>, gateway::Error> {
    let Some(name) = state.agent_name.get() else { return Ok(None) };
    let ask = async |agent: &str| gateway.agent(agent).await.map_err(|error| error.about(&found.name));
    if ask(name).await?.is_some_and(|agent| agent.id == found.agent_id) {
        return Ok(Some(name.clone()));
    }
    Ok(Some(ask(&found.agent_id).await?.map_or_else(|| found.agent_id.clone(), |agent| agent.name)))
}

/// The groups, where the state holds some or an import looks for them.
async fn groups(
    gateway: &Gateway,
    reading: &Reading<Connection>,
    found: &gateway::Connection,
) -> Result<Option<BTreeSet<String>>, gateway::Error> {
    if reading.state.groups.is_known() || reading.imported {
        return gateway.groups(found).await;
    }
    Ok(None)
}
