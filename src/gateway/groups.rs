//! Who may use a connection: the per-connection configuration of the plugin `access_control`.
//!
//! While the plugin does not exist everybody sees every connection, so enabling it is a decision for the whole
//! organisation that this client never takes. `PUT /plugins/{name}` would replace the links of *all* connections and
//! is not used.

use std::collections::BTreeSet;

use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::client::Request;
use super::{Connection, Error, Gateway, Kind};

#[derive(Deserialize)]
struct Link {
    config: Option<BTreeSet<String>>,
}

impl Gateway {
    /// Checks that groups can be set, before a connection is made that needs them.
    ///
    /// # Errors
    /// [`Kind::AccessControlOff`] when the plugin is not enabled; otherwise when the gateway refuses.
    pub async fn require_access_control(&self, connection: &str) -> Result<(), Error> {
        let request = self.request(Method::GET, &["plugins", "access_control"]).about(connection);
        match self.send::<IgnoredAny>(&request).await {
            Err(error) if error.is_not_found() => Err(self.error(&request, Kind::AccessControlOff)),
            answer => answer.map(|_| ()),
        }
    }

    /// Whether connections can have groups: the plugin is enabled. `None`: this token may not look. A yes holds for the
    /// life of this process, because the answer has every connection of the gateway in it.
    ///
    /// # Errors
    /// When the gateway cannot be asked.
    pub async fn has_access_control(&self) -> Result<Option<bool>, Error> {
        self.access_control().get(|answer| *answer == Some(true), || self.ask_access_control()).await
    }

    async fn ask_access_control(&self) -> Result<Option<bool>, Error> {
        match self.send::<IgnoredAny>(&self.request(Method::GET, &["plugins", "access_control"])).await {
            Ok(_) => Ok(Some(true)),
            Err(error) if error.is_not_found() => Ok(Some(false)),
            Err(Error { kind: Kind::Forbidden { .. }, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The groups that may use a connection. `None`: the plugin is not enabled, or it has nothing for this connection.
    ///
    /// # Errors
    /// When the gateway cannot be asked or refuses.
    pub async fn groups(&self, connection: &Connection) -> Result<Option<BTreeSet<String>>, Error> {
        match self.send::<Link>(&self.link(Method::GET, connection)).await {
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(|link| Some(link.config.unwrap_or_default())),
        }
    }

    /// Sets the groups that may use a connection, and nobody else but admins and auditors.
    ///
    /// # Errors
    /// [`Kind::AccessControlOff`] when the plugin is not enabled; otherwise when the gateway refuses.
    pub async fn set_groups(&self, connection: &Connection, groups: &BTreeSet<String>) -> Result<(), Error> {
        let request = self.link(Method::PUT, connection).body(json!({ "config": groups }));
        match self.send::<Link>(&request).await {
            Err(error) if error.is_not_found() => Err(self.error(&request, Kind::AccessControlOff)),
            answer => answer.map(|_| ()),
        }
    }

    /// Removes the groups of a connection; nothing to remove is a success.
    ///
    /// # Errors
    /// When the gateway cannot be asked or refuses.
    pub async fn clear_groups(&self, connection: &Connection) -> Result<(), Error> {
        match self.send_for_nothing(&self.link(Method::DELETE, connection)).await {
            Err(error) if error.is_not_found() => Ok(()),
            answer => answer,
        }
    }

    fn link(&self, method: Method, connection: &Connection) -> Request {
        // The route takes the id only, not the name.
        self.request(method, &["plugins", "access_control", "conn", &connection.id]).about(&connection.name)
    }
}
