//! The gateway's resources that came with connections of ours. The gateway makes one along with the first connection that
//! names it and never removes it, so destroy does: when it was made for us, nobody uses it, and nobody put anything in it.
//!
//! Which ones were made for us is known from looking before each write: there was none, or it evidently came with a
//! connection that carries our mark. So connections of other runs and of other states take part, and whichever is destroyed
//! last removes it. What came into being in another way stays: somebody may have made it on purpose, and an empty one looks
//! just like ours. Then a warning names it.

use crate::gateway::{self, Error, Gateway, GatewayResource, Kind, Made};
use crate::report::{Explain, Report};
use crate::schema::Private;

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
        let is_ours = gateway.remembers(Made::Resource, name) || is_ours(gateway, name, connection).await?;
        if is_ours {
            gateway.remember(Made::Resource, name);
        }
        Ok(Some(Self { name: name.clone(), is_ours }))
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

/// Whether a resource is there because of us, or will be. A gateway that does not know the route at all has none that we
/// could remove.
async fn is_ours(gateway: &Gateway, name: &str, connection: &str) -> Result<bool, Error> {
    match gateway.resource(name, connection).await {
        Err(Error { kind: Kind::Unexpected { status: 404, .. }, .. }) => Ok(false),
        Err(error) => Err(error),
        Ok(None) => Ok(true),
        Ok(Some(found)) if found.has_variables() => Ok(false),
        Ok(Some(found)) => Ok(came_with_ours(gateway, name, &found).await.unwrap_or_else(|error| {
            tracing::warn!(resource = name, %error, "whether the gateway's resource came with a connection of ours is not known");
            false
        })),
    }
}

/// Whether it came with a connection that carries our mark.
async fn came_with_ours(gateway: &Gateway, name: &str, found: &GatewayResource) -> Result<bool, Error> {
    for listed in gateway.connections_of_resource(name).await?.iter().filter(|listed| listed.is_ours()) {
        if gateway.get_connection(&listed.name).await?.is_some_and(|connection| found.came_with(&connection)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Before a connection is deleted: the others that go at the same time need to know that the resource is ours.
pub(super) fn leaving(gateway: &Gateway, private: &Private) {
    if let Some(name) = private.get(ENTRY) {
        gateway.remember(Made::Resource, name);
    }
}

/// After a connection was deleted (`None`: it was gone already): removes its resource, or says why it stays. Whoever uses
/// it still is reason enough, and nobody needs to hear of it.
pub(super) async fn left_by(
    gateway: &Gateway,
    private: &Private,
    state: &Connection,
    deleted: Option<&gateway::Connection>,
) -> Option<Report> {
    let connection = state.name.get()?;
    if let Some(name) = private.get(ENTRY) {
        return sweep(gateway, name, connection).await;
    }
    let name = state.resource_name.get()?;
    if gateway.remembers(Made::Resource, name) {
        return sweep(gateway, name, connection).await;
    }
    let found = gateway.resource(name, connection).await.ok()??;
    let deleted = deleted.filter(|deleted| deleted.is_ours() && deleted.resource_name == *name);
    if deleted.is_some_and(|deleted| found.came_with(deleted)) {
        return sweep(gateway, name, connection).await;
    }
    let is_unused = gateway.connections_of_resource(name).await.is_ok_and(|users| users.is_empty());
    // The one that it is known to be made for may have been deleted meanwhile.
    if !is_unused || found.has_variables() || gateway.remembers(Made::Resource, name) {
        return None;
    }
    gateway.remember(Made::Leftover, name).then(|| unclaimed(name))
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

fn unclaimed(name: &str) -> Report {
    Report::warning(
        format!("The gateway's resource `{name}` was left"),
        "No connection uses it any more, and it has no environment variables. It stays, because it was there before the \
         connections of this provider, or what it was made for does not show any more. Delete it in the gateway if nobody \
         needs it.",
    )
}

fn left(name: &str, error: &Error) -> Report {
    let detail = format!("{}. Delete the resource in the gateway if no connection uses it.", error.detail());
    Report::warning(format!("The gateway's resource `{name}` was left"), detail)
}
