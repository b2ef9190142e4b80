//! The gateway's resources that came with connections of ours. The gateway makes one along with the first connection that
//! names it and never removes it, so destroy does: when it was made for us, nobody uses it, and nobody put anything in it.
//!
//! Which ones were made for us is known from looking before each write. The connections of a database share one, so it is
//! also remembered for the life of the process: whichever of them is destroyed last removes it.

use crate::gateway::{Error, Gateway, Kind, Made};
use crate::report::{Explain, Report};
use crate::schema::{Attr, Private};

use super::model::Connection;

/// Private entry with the name of the resource that was made for us.
const ENTRY: &str = "made_resource";

/// A resource that a write is going to use, and whether it is there because of us.
pub(super) struct Row {
    name: String,
    is_ours: bool,
}

impl Row {
    /// Looks before a write. `None`: the write does not touch the resource.
    pub(super) async fn before_write(
        gateway: &Gateway,
        prior: Option<&Connection>,
        planned: &Connection,
    ) -> Result<Option<Self>, Error> {
        let Some(name) = planned.resource_name.get() else { return Ok(None) };
        if prior.is_some_and(|prior| prior.resource_name == planned.resource_name) {
            return Ok(None);
        }
        let connection = planned.name.get().map_or("", String::as_str);
        if !is_there(gateway, name, connection).await? {
            gateway.remember(Made::Resource, name);
        }
        Ok(Some(Self { name: name.clone(), is_ours: gateway.remembers(Made::Resource, name) }))
    }

    /// Keeps what the write has made in private state. Returns the resource that was left by it.
    pub(super) fn keep(self, private: &mut Private) -> Option<String> {
        let left = private.get(ENTRY).filter(|old| *old != self.name).map(str::to_owned);
        match self.is_ours {
            true => private.set(ENTRY, &self.name),
            // It may be ours from before: a hand had moved the connection away from it.
            false if left.is_some() => private.remove(ENTRY),
            false => {}
        }
        left
    }
}

/// A gateway that does not know the route at all has no resources that we could remove.
async fn is_there(gateway: &Gateway, name: &str, connection: &str) -> Result<bool, Error> {
    match gateway.resource(name, connection).await {
        Err(Error { kind: Kind::Unexpected { status: 404, .. }, .. }) => Ok(true),
        answer => answer.map(|found| found.is_some()),
    }
}

/// The resource that a deleted connection was the reason of.
pub(super) fn made_for(gateway: &Gateway, private: &Private, state: &Connection) -> Option<String> {
    let of_the_process = |name: &&String| gateway.remembers(Made::Resource, name);
    private.get(ENTRY).map(str::to_owned).or_else(|| match &state.resource_name {
        Attr::Known(name) => Some(name).filter(of_the_process).cloned(),
        Attr::Null | Attr::Unknown => None,
    })
}

/// Removes a resource of ours unless it is used, now or by the last of its connections that this process deletes. The
/// connection is changed already, so that a failure is a warning.
pub(super) async fn sweep(gateway: &Gateway, name: &str, connection: &str) -> Option<Report> {
    gateway.remember(Made::Resource, name);
    match gateway.resource(name, connection).await {
        Ok(Some(found)) if found.has_variables() => Some(filled(name)),
        Ok(Some(_)) => gateway.remove_unused_resource(name, connection).await.err().map(|error| left(name, &error)),
        Ok(None) => None,
        Err(error) => Some(left(name, &error)),
    }
}

fn filled(name: &str) -> Report {
    Report::warning(
        format!("The gateway's resource `{name}` was left"),
        "It was made with a connection of this provider, and somebody has given it environment variables since. Delete it \
         in the gateway if nobody needs them.",
    )
}

fn left(name: &str, error: &Error) -> Report {
    let detail = format!("{}. Delete the resource in the gateway if no connection uses it.", error.detail());
    Report::warning(format!("The gateway's resource `{name}` was left"), detail)
}
