//! Connections that somebody else has come to manage. The gateway takes no change of theirs then, so what they do to it is
//! told and never planned: a plan that had to repair it could not be applied, nor could anything else in the same plan.

use crate::access::list_names;
use crate::gateway::{self, Gateway, Made};
use crate::report::Report;
use crate::schema::{Change, Model, Private, Reports};
use crate::value::Value;

use super::error::Error;
use super::model::Connection;

/// Private entry: who manages the connection, when the last refresh found somebody.
const MANAGED_BY: &str = "managed_by";
/// Private entry beside it: the name of that connection. The plan of an object that takes the place of this one has no state
/// that would tell it.
const MANAGED_NAME: &str = "managed_name";
/// What is no argument: no plan repairs it, so it is told as it is.
const RESULTS: [&str; 5] = ["id", "command", "status", "secret_state", "tls_state"];

/// Keeps for the plan who else manages the connection.
pub(super) fn remember(gateway: &Gateway, private: &mut Private, found: &gateway::Connection) {
    if let Some(managed_by) = &found.managed_by {
        private.set(MANAGED_BY, managed_by);
        private.set(MANAGED_NAME, &found.name);
        gateway.remember(Made::ByOthers, &found.name);
    } else {
        private.remove(MANAGED_BY);
        private.remove(MANAGED_NAME);
    }
}

/// Ends a refresh: the arguments stay as they were, the results are those that are there. The warning names what differs.
pub(super) fn keep(before: Connection, state: &mut Connection, found: &gateway::Connection) -> Option<Report> {
    let managed_by = found.managed_by.as_ref()?;
    let seen = std::mem::replace(state, before);
    let kept = state.fields();
    let differs = |name: &String, there: &Value| !RESULTS.contains(&name.as_str()) && kept.get(name) != Some(there);
    let names: Vec<String> = seen
        .fields()
        .iter()
        .filter(|(name, there)| differs(name, there))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    state.id = seen.id;
    state.command = seen.command;
    state.status = seen.status;
    state.secret_state = seen.secret_state;
    state.tls_state = seen.tls_state;
    (!names.is_empty()).then(|| {
        Report::warning(
            "A gateway connection is as somebody else wants it",
            format!(
                "Connection `{}` has come to be managed by `{managed_by}`, and nobody else may change it. On the gateway these \
                 differ from the state: {}. The state stays as it was, and nothing is planned. To give the connection up, \
                 take it out of the configuration with a `removed` block; to have it back, end that where `{managed_by}` is \
                 configured.",
                found.name,
                list_names(&names)
            ),
        )
    })
}

/// Whether there is nothing to plan: somebody else manages the connection, and nobody asks for a change.
pub(super) fn rests(change: &Change<Connection>) -> bool {
    change.private.get(MANAGED_BY).is_some() && change.prior.as_ref() == Some(&change.planned)
}

/// The gateway would refuse a change that the configuration asks for.
pub(super) fn refuse(change: &Change<Connection>) -> Result<(), Error> {
    let (Some(managed_by), Some(prior)) = (change.private.get(MANAGED_BY), &change.prior) else { return Ok(()) };
    if *prior == change.planned {
        return Ok(());
    }
    let (name, managed_by) = (prior.name.get().cloned().unwrap_or_default(), managed_by.to_owned());
    Err(match prior.name == change.planned.name {
        true => Error::AgentManaged { name, managed_by },
        false => Error::Irreplaceable { name, managed_by },
    })
}

/// Nor can it be made anew: a destroy leaves it, the create that follows is refused, and no state would hold it any more.
/// Terraform hands the private state on to the plan of a replacement, but not for an object that is tainted: of that one
/// only the refresh of this run knows.
pub(super) async fn refuse_anew(gateway: &Gateway, change: &Change<Connection>) -> Result<(), Reports> {
    let (None, Some(name)) = (&change.prior, change.planned.name.get()) else { return Ok(()) };
    let private = &change.private;
    let managed_by = if private.get(MANAGED_NAME) == Some(name) {
        private.get(MANAGED_BY).map(str::to_owned)
    } else if gateway.remembers(Made::ByOthers, name) {
        gateway.get_connection(name).await?.and_then(|found| found.managed_by)
    } else {
        None
    };
    let refused = |managed_by| Err(Error::Irreplaceable { name: name.clone(), managed_by }.into());
    managed_by.map_or(Ok(()), refused)
}
