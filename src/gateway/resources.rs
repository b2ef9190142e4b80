//! The gateway's resources: rows that hold the connections of a database together. The gateway makes one by itself when a
//! connection names a resource that does not exist, and never removes it.

use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::connection::or_default;
use super::{Connection, Error, Gateway, Kind};

/// Longest time from the stamp of a connection to that of the resource that the gateway makes along with it: it takes the
/// first when the request comes in, the second in the transaction that follows.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// A resource, as far as it decides on whether somebody would miss it.
#[derive(Debug, Deserialize)]
pub struct GatewayResource {
    #[serde(default, deserialize_with = "or_default")]
    env_vars: BTreeMap<String, IgnoredAny>,
    #[serde(default)]
    created_at: Option<String>,
}

impl GatewayResource {
    /// Whether somebody has given it variables of its own: the gateway makes it without any.
    pub fn has_variables(&self) -> bool {
        !self.env_vars.is_empty()
    }

    /// Whether the gateway evidently made it along with this connection: just after the request came in. One that was there
    /// before is older than any connection of it. A connection whose variables were changed since shows nothing any more.
    pub fn came_with(&self, connection: &Connection) -> bool {
        let read = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Timestamp>().ok());
        let stamps = read(&self.created_at).zip(read(&connection.secrets_updated_at));
        let since = stamps.and_then(|(resource, connection)| resource.duration_since(connection).try_into().ok());
        since.is_some_and(|since: Duration| since <= SAME_REQUEST)
    }
}

/// What became of a resource that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone, or was gone before
    Gone,
    /// It has connections still
    InUse,
}

impl Gateway {
    /// A resource by its name; `None` when there is none.
    ///
    /// # Errors
    /// When the gateway cannot be asked or refuses.
    pub async fn resource(&self, name: &str, connection: &str) -> Result<Option<GatewayResource>, Error> {
        match self.send(&self.request(Method::GET, &["resources", name]).about(connection)).await {
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Removes a resource that has no connections any more. The gateway itself refuses the others.
    ///
    /// # Errors
    /// When the gateway cannot be asked or fails.
    pub async fn remove_unused_resource(&self, name: &str, connection: &str) -> Result<Removal, Error> {
        let request = self.request(Method::DELETE, &["resources", name]).about(connection);
        match self.send_for_nothing(&request).await {
            Err(Error { kind: Kind::Forbidden { .. }, .. }) => Ok(Removal::InUse),
            Err(error) if error.is_not_found() => Ok(Removal::Gone),
            answer => answer.map(|()| Removal::Gone),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resource_came_with_the_connection_that_was_made_at_its_moment() {
        let connection = |stamp: serde_json::Value| -> Connection {
            let modes = ["access_mode_connect", "access_mode_exec", "access_mode_runbooks", "access_schema"];
            let mut body = json!({"id": "1", "name": "ledger-ro", "secrets_updated_at": stamp});
            modes.iter().for_each(|mode| body[*mode] = json!("enabled"));
            serde_json::from_value(body).unwrap()
        };
        let resource = |stamp: serde_json::Value| -> GatewayResource {
            serde_json::from_value(json!({"env_vars": null, "created_at": stamp})).unwrap()
        };
        let row = resource(json!("2026-01-05T10:00:00.004512Z"));
        assert!(row.came_with(&connection(json!("2026-01-05T10:00:00.001Z"))));
        assert!(row.came_with(&connection(json!("2026-01-05T11:59:59.9+02:00"))));
        let late = json!("2026-01-05T10:00:00.005Z");
        for other in [late, json!("2026-01-05T09:59:58Z"), json!(null), json!("yesterday")] {
            assert!(!row.came_with(&connection(other.clone())), "{other}");
        }
        assert!(!resource(json!(null)).came_with(&connection(json!("2026-01-05T10:00:00Z"))));
    }
}
