//! What a plan promises beyond the declarations.

use crate::access::{Access, EngineKind, SecretRef};
use crate::gateway::{self, EnvState, EnvValue, subtype};
use crate::schema::{Attr, Change, Private, Reports};

use super::error::Error;
use super::imported::Unclaimed;
use super::model::{Connection, OK, Role};
use super::rules::problems;
use super::seen;
use super::spec::{Delivery, wanted_password};

/// Private entry: who manages the connection, when the last refresh found somebody.
const MANAGED_BY: &str = "managed_by";

/// Fills in the default of `resource_name` and says which results the change can move.
pub(super) fn plan(change: &mut Change<Connection>) -> Result<(), Reports> {
    let found = problems(&change.planned);
    if !found.is_empty() {
        return Err(found.into());
    }
    match &change.prior {
        None if change.config.resource_name.is_null() => {
            change.planned.resource_name = change.planned.name.clone().map(|name| without_level(&name));
        }
        None => {}
        Some(prior) => {
            change.warnings.extend(Unclaimed::of(&change.private).warning(prior, &change.planned));
            moved(prior, &mut change.planned);
            refuse_managed(change)?;
        }
    }
    if let Some(problem) = seen::too_many_tags(change) {
        return Err(problem.into());
    }
    change.warnings.extend(seen::unreviewed(change));
    Ok(())
}

/// Keeps for the plan who else manages the connection.
pub(super) fn remember_manager(private: &mut Private, found: &gateway::Connection) {
    match &found.managed_by {
        Some(managed_by) => private.set(MANAGED_BY, managed_by),
        None => private.remove(MANAGED_BY),
    }
}

/// The gateway would refuse any change of a connection that somebody else has come to manage.
fn refuse_managed(change: &Change<Connection>) -> Result<(), Error> {
    let Some(managed_by) = change.private.get(MANAGED_BY).filter(|_| change.prior.as_ref() != Some(&change.planned))
    else {
        return Ok(());
    };
    let name = change.planned.name.get().cloned().unwrap_or_default();
    Err(Error::AgentManaged { name, managed_by: managed_by.to_owned() })
}

/// `payments-main-ro` and its siblings belong to `payments-main`.
pub(super) fn without_level(name: &str) -> String {
    let level = Access::ALL.into_iter().find_map(|level| name.strip_suffix(&format!("-{}", level.suffix())));
    level.filter(|rest| !rest.is_empty()).unwrap_or(name).to_owned()
}

/// The results of an update: a command belongs to an engine, a status to an agent, the state of the secret to the login.
pub(super) fn moved(prior: &Connection, planned: &mut Connection) {
    if gateway_engine(&prior.role) != gateway_engine(&planned.role) {
        planned.command = Attr::Unknown;
    }
    if (&prior.agent_id, &prior.agent_name) != (&planned.agent_id, &planned.agent_name) {
        planned.status = Attr::Unknown;
    }
    planned.secret_state = secret_state(prior, planned);
    planned.tls_state = tls_state(prior, planned);
}

/// A TLS that goes less far than that of a new connection is planned to be as good; one that is hidden stays as it is.
fn tls_state(prior: &Connection, planned: &Connection) -> Attr<String> {
    if gateway_engine(&prior.role) != gateway_engine(&planned.role) {
        return Attr::Unknown;
    }
    prior.tls_state.clone().map(|word| if word == EnvState::Hidden.as_str() { word } else { OK.to_owned() })
}

/// Unknown where a part of the role is.
fn gateway_engine(role: &Attr<Role>) -> Attr<&'static str> {
    let engine = |engine: EngineKind| subtype(engine);
    match role {
        Attr::Known(role) => role.engine.clone().map(engine),
        Attr::Null => Attr::Null,
        Attr::Unknown => Attr::Unknown,
    }
}

/// A password that differs is planned to be in sync; one that the gateway hides is written with any other change.
fn secret_state(prior: &Connection, planned: &Connection) -> Attr<String> {
    let (before, after) = (source(prior), source(planned));
    let word = |state: EnvState| Attr::Known(state.as_str().to_owned());
    let is = |state: EnvState| prior.secret_state == word(state);
    if after.is_none() || before != after {
        return Attr::Unknown;
    }
    if is(EnvState::Differs) {
        return word(EnvState::InSync);
    }
    if is(EnvState::InSync) || prior == planned { prior.secret_state.clone() } else { Attr::Unknown }
}

/// Where the connection's password comes from.
#[derive(PartialEq, Eq)]
enum Source {
    /// The agent knows
    Agent(EnvValue),
    /// This version of this secret is copied
    Copy(SecretRef, Attr<String>),
}

/// `None` as long as a part of it is unknown.
fn source(of: &Connection) -> Option<Source> {
    let role = of.role.get().filter(|_| of.secret_delivery.is_known())?;
    if !of.is_copy() {
        return wanted_password(role, &Delivery::Reference).map(Source::Agent);
    }
    let version = Some(&role.secret_version).filter(|version| !version.is_unknown())?;
    Some(Source::Copy(role.secret_ref.get()?.clone(), version.clone()))
}
