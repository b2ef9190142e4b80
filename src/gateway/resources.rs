//! The gateway's resources: rows that hold the connections of a database together. The gateway makes one by itself when a
//! connection names a resource that does not exist, and never removes it.

use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

use super::connection::or_default;
use super::{Error, Gateway, Kind};

/// A resource, as far as it decides on whether somebody would miss it.
#[derive(Debug, Deserialize)]
pub struct GatewayResource {
    #[serde(default, deserialize_with = "or_default")]
    env_vars: BTreeMap<String, IgnoredAny>,
}

impl GatewayResource {
    /// Whether somebody has given it variables of its own: the gateway makes it without any.
    pub fn has_variables(&self) -> bool {
        !self.env_vars.is_empty()
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
