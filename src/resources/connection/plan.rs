//! What a plan promises beyond the declarations.

use crate::access::{Access, EngineKind, SecretRef};
use crate::gateway::{EnvState, EnvValue, LONGEST_RESOURCE_NAME, subtype};
use crate::report::Report;
use crate::schema::{Attr, Change, Reports};
use crate::value::Path;

use super::imported::Unclaimed;
use super::manager;
use super::model::{Connection, OK, Role};
use super::rules::problems;
use super::seen;
use super::spec::{Delivery, wanted_password};

/// Fills in the default of `resource_name` and says which results the change can move.
pub(super) fn plan(change: &mut Change<Connection>) -> Result<(), Reports> {
    let found = problems(&change.planned);
    if !found.is_empty() {
        return Err(found.into());
    }
    match &change.prior {
        None if change.config.resource_name.is_null() => {
            change.planned.resource_name = change.planned.name.clone().map(|name| without_level(&name));
            if let Some(problem) = long_resource_name(&change.planned) {
                return Err(problem.into());
            }
        }
        None => {}
        Some(prior) => {
            change.warnings.extend(Unclaimed::of(&change.private).warning(prior, &change.planned));
            moved(prior, &mut change.planned);
            manager::refuse(change)?;
        }
    }
    if let Some(problem) = seen::too_many_tags(change) {
        return Err(problem.into());
    }
    change.warnings.extend(seen::unreviewed(change));
    Ok(())
}

/// A name may be longer than that of the resource which it is the default of.
fn long_resource_name(planned: &Connection) -> Option<Report> {
    let length = planned.resource_name.get()?.chars().count();
    (length > LONGEST_RESOURCE_NAME).then(|| {
        let detail = format!(
            "Left out, `resource_name` is the name of the connection without its ending `-ro`, `-rw` or `-ddl`, and here that \
             has {length} characters. The gateway takes {LONGEST_RESOURCE_NAME}. Set `resource_name`, or shorten `name`."
        );
        Report::error("The name is too long for a gateway resource", detail).at(Path::attribute("resource_name"))
    })
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
