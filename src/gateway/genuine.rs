//! Whether a `404` is the gateway's own word, and what it is worth.
//!
//! Proxies (Kong, AWS API Gateway) that have lost their route say `404` in the gateway's form, and every connection would
//! read as gone. So the first `404` of a process is proven by a call that only the gateway answers, and only to a token that
//! it takes. The same call tells whether the token sees every connection.

use reqwest::Method;
use serde::Deserialize;

use super::client::Request;
use super::{Error, Gateway, Kind};

/// What the proof has shown about the token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    /// No connection is hidden from it
    pub(super) everything: bool,
}

/// Who we are to the gateway.
#[derive(Deserialize)]
struct UserInfo {
    #[serde(rename = "org_id")]
    _organization: String,
    #[serde(default)]
    is_admin: bool,
    #[serde(default)]
    role: String,
}

impl Gateway {
    /// Proves a `404`.
    ///
    /// # Errors
    /// [`Kind::NotTheGateway`] when something else answers; otherwise when the gateway cannot be asked or refuses.
    pub(super) async fn prove(&self, request: &Request, missing: &Error) -> Result<Sight, Error> {
        let whoami = self.request(Method::GET, &["userinfo"]).about_the_same(request);
        let proof = match self.tried(&whoami).await {
            Ok(answer) => match serde_json::from_slice::<UserInfo>(&answer) {
                Ok(user) => return self.sight(&user, request).await,
                Err(_) => "answered something else than the gateway does".to_owned(),
            },
            Err(Error { kind: kind @ (Kind::NotFound { .. } | Kind::Unexpected { .. }), .. }) => {
                format!("failed: {kind}")
            }
            Err(error) => return Err(error),
        };
        let path = whoami.path().to_owned();
        Err(self.error(request, Kind::NotTheGateway { missing: missing.kind.to_string(), path, proof }))
    }

    /// Everybody sees everything as long as access control is off.
    async fn sight(&self, user: &UserInfo, request: &Request) -> Result<Sight, Error> {
        if user.is_admin || ["admin", "auditor"].contains(&user.role.as_str()) {
            return Ok(Sight { everything: true });
        }
        let plugin = self.request(Method::GET, &["plugins", "access_control"]).about_the_same(request);
        match self.tried(&plugin).await {
            Ok(_) => Ok(Sight { everything: false }),
            Err(error) if error.is_not_found() => Ok(Sight { everything: true }),
            Err(error) => Err(error),
        }
    }
}
