//! One call: get a token, send, repeat where that is safe, say what went wrong.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use vaultrs::client::VaultClient;
use vaultrs::error::ClientError;

use crate::aws::Sessions;

use super::error::{Failure, Fault};
use super::settings::{Namespace, Token};
use super::tokens::{Denial, Tokens};
use super::{At, Settings, http};

/// A server of Vault or OpenBao. A clone shares connections and token. Nothing is built or called before the first
/// request.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    sessions: Sessions,
    clock: fn() -> SystemTime,
    http: OnceLock<reqwest::Client>,
    tokens: Tokens,
}

/// What is asked, for retries and for errors.
pub(super) struct Request<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) mount: &'a str,
    /// 1 or 2
    pub(super) version: u8,
    /// Path as a policy names it
    pub(super) path: String,
    /// What a policy must allow
    pub(super) capabilities: &'static [&'static str],
    /// Whether it may be sent again when nobody knows whether it was carried out
    pub(super) repeatable: bool,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Vault {
    /// Keeps the settings. `sessions` sign a login by `aws_iam`, at the time of `clock`.
    pub fn new(settings: Settings, sessions: Sessions, clock: fn() -> SystemTime) -> Self {
        let inner = Inner { settings, sessions, clock, http: OnceLock::new(), tokens: Tokens::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The namespace of the provider block.
    pub fn namespace(&self) -> &Namespace {
        &self.inner.settings.namespace
    }

    pub(super) fn tokens(&self) -> &Tokens {
        &self.inner.tokens
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    pub(super) fn now(&self) -> SystemTime {
        (self.inner.clock)()
    }

    pub(super) fn address(&self) -> String {
        self.inner.settings.address.to_string()
    }

    /// Sends a request until it has an answer that is final. `None` when there is nothing at the path. A token that has
    /// ended is replaced by one new login.
    pub(super) async fn call<T, F, Answer>(&self, request: &Request<'_>, send: F) -> Result<Option<T>, Fault>
    where
        F: Fn(Arc<VaultClient>) -> Answer + Send + Sync,
        Answer: Future<Output = Result<T, ClientError>> + Send,
    {
        let (mut attempt, mut may_log_in) = (1, true);
        loop {
            let lent = self.lend(request.namespace).await?;
            let failure = match send(Arc::clone(&lent.client)).await {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => Failure::of(&error),
            };
            match &failure {
                Failure::Status { status: 404, message } if message == super::error::NO_MESSAGE => return Ok(None),
                Failure::Status { status: 403, message } => {
                    match self.after_denial(&lent, message, may_log_in).await? {
                        Denial::Retry => continue,
                        Denial::NewLogin => {
                            may_log_in = false;
                            continue;
                        }
                        Denial::Final(message) => {
                            return Err(self.fault(request, Failure::Status { status: 403, message }));
                        }
                    }
                }
                _ => {}
            }
            if !failure.is_worth_another(request.repeatable) || attempt >= self.settings().attempts {
                return Err(self.fault(request, failure));
            }
            let pause = pause(self.settings().pause, attempt);
            tracing::debug!(path = request.path, attempt, ?pause, "call of Vault is repeated");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Looks which version the engine has, before anything is written: one of version 1 would take the paths of
    /// version 2 for names. Every token that may use a mount may ask this; where it is refused the check is left out.
    ///
    /// # Errors
    /// The engine has another version.
    pub(super) async fn check_engine(&self, at: &At, version: u8) -> Result<(), Fault> {
        let client = self.lend(&at.namespace).await?.client;
        let middle = &client.middle;
        let url = format!("{}/{}/sys/internal/ui/mounts/{}", client.http.base, middle.version, at.mount);
        let mut request =
            self.http()?.get(url).header("X-Vault-Request", "true").header("X-Vault-Token", &middle.token);
        if let Some(namespace) = &middle.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        let Ok(answer) = request.send().await.and_then(reqwest::Response::error_for_status) else { return Ok(()) };
        let Ok(mount) = answer.json::<serde_json::Value>().await else { return Ok(()) };
        let found = mount["data"]["options"]["version"].as_str().unwrap_or("1");
        let is_kv = matches!(mount["data"]["type"].as_str(), Some("kv" | "generic"));
        if is_kv && found == version.to_string() {
            return Ok(());
        }
        let kind = mount["data"]["type"].as_str().unwrap_or("unknown");
        let message = format!("an engine of type {kind}, version {found}, is there");
        Err(Fault::NoEngine { address: self.address(), mount: at.mount.clone(), version, message })
    }

    /// A client in a namespace.
    pub(super) fn client_in(&self, namespace: &Namespace, token: &Token) -> Result<VaultClient, Fault> {
        http::vault_client(self.http()?, self.settings(), namespace, Some(token)).map_err(Fault::Client)
    }

    /// A client in the namespace of the provider block.
    pub(super) fn plain_client(&self, token: Option<&Token>) -> Result<VaultClient, Fault> {
        http::vault_client(self.http()?, self.settings(), self.namespace(), token).map_err(Fault::Client)
    }

    /// The HTTP client, built at the first call.
    fn http(&self) -> Result<&reqwest::Client, Fault> {
        if let Some(client) = self.inner.http.get() {
            return Ok(client);
        }
        let client = http::client(self.settings()).map_err(Fault::Client)?;
        Ok(self.inner.http.get_or_init(|| client))
    }

    fn fault(&self, request: &Request<'_>, failure: Failure) -> Fault {
        let (address, path) = (self.address(), request.path.clone());
        match failure {
            Failure::Status { status: 403, message } => {
                Fault::Denied { address, path, capabilities: request.capabilities, message }
            }
            Failure::Status { status: 404 | 405, message } => {
                Fault::NoEngine { address, mount: request.mount.to_owned(), version: request.version, message }
            }
            // 400 for a check-and-set that does not fit; a quota or a wrong body says something else.
            Failure::Status { status: 400, message } if message.contains("check-and-set") => Fault::Conflict { path },
            failure => self.transport_fault(path, failure),
        }
    }

    /// What can go wrong with every call, also with a login.
    pub(super) fn transport_fault(&self, path: String, failure: Failure) -> Fault {
        let address = self.address();
        match failure {
            Failure::Status { status: 429, message } => Fault::Throttled { address, message },
            Failure::Status { status: 503, message } if message.contains("sealed") => Fault::Sealed { address },
            Failure::Status { status, message } => Fault::Refused { address, path, status, message },
            Failure::Transport { reason, .. } => Fault::Unreachable { address, reason },
            Failure::Certificate { reason } => Fault::Tls { address, reason },
            Failure::Unreadable => Fault::Unreadable { address, path },
        }
    }
}

impl Failure {
    /// Whether to send the request again. One that may have been carried out is repeated only when that does no harm.
    /// 412: a standby that has not seen our last write yet.
    pub(super) fn is_worth_another(&self, repeatable: bool) -> bool {
        match self {
            Self::Status { status: 429, .. } | Self::Transport { connecting: true, .. } => true,
            Self::Status { status: 503, message } if message.contains("sealed") => false,
            Self::Status { status: 412 | 500 | 502..=504, .. } | Self::Transport { .. } => repeatable,
            _ => false,
        }
    }
}

/// The pause after a failed attempt (counted from 1): between half and all of a bound that doubles.
pub(super) fn pause(base: Duration, attempt: u32) -> Duration {
    let bound = base.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    // Without entropy pauses are merely not spread.
    let random = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    bound.mul_f64(0.5 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_have_been_carried_out_is_sent_again_blindly() {
        let status = |status| Failure::Status { status, message: "no message".to_owned() };
        let repeated =
            |repeatable| (400..600).filter(|s| status(*s).is_worth_another(repeatable)).collect::<Vec<u16>>();
        assert_eq!(repeated(false), [429]);
        assert_eq!(repeated(true), [412, 429, 500, 502, 503, 504]);
        let lost = |connecting| Failure::Transport { connecting, reason: String::new() };
        assert!(lost(true).is_worth_another(false) && lost(false).is_worth_another(true));
        assert!(!lost(false).is_worth_another(false));
        let sealed = Failure::Status { status: 503, message: "Vault is sealed".to_owned() };
        assert!(!sealed.is_worth_another(true), "it stays sealed until somebody comes");
    }

    #[test]
    fn pauses_double_and_are_spread() {
        for (attempt, bound) in [(1, 500), (2, 1000), (3, 2000)] {
            let pause = pause(Duration::from_millis(500), attempt).as_millis();
            assert!((bound / 2..=bound).contains(&pause), "{pause}");
        }
    }
}
