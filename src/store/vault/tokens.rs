//! The token that all calls share: renewed in time, replaced when Vault does not know it any more. A token that may still
//! be good is never given up for one that is not there yet: a `secret_id` may be good for one login only, a JWT may have
//! ended meanwhile, and between a change of a password and its promotion there is no later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use vaultrs::client::VaultClient;

use super::client::Vault;
use super::error::{Failure, Fault};
use super::login::{self, Grant};
use super::settings::{Login, Namespace, Token};

/// A life shorter than this is not worth another renewal.
const SHORT: Duration = Duration::from_secs(10);

/// What a [`Vault`] holds.
#[derive(Default)]
pub(super) struct Tokens(Mutex<State>);

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// How many tokens there were: no two share a number
    issued: u64,
}

/// A token and its clients, one per namespace.
struct Held {
    token: Token,
    /// When it is to be renewed; `None` for one that does not end or cannot be renewed
    renew_at: Option<Instant>,
    /// When it ends; `None` where nobody says
    ends_at: Option<Instant>,
    number: u64,
    clients: BTreeMap<Namespace, Arc<VaultClient>>,
}

/// A client for one request, and which token it carries.
pub(super) struct Lent {
    pub(super) client: Arc<VaultClient>,
    token: Token,
    number: u64,
}

/// What follows from an answer 403.
pub(super) enum Denial {
    /// There is another token already: the request is sent again with it
    Retry,
    /// The token had ended, and a login has given another one
    NewLogin,
    /// It is final, in these words
    Final(String),
}

impl State {
    fn hold(&mut self, token: Token, grant: Grant) -> &mut Held {
        self.issued += 1;
        let (renew_at, ends_at) = grant.moments(Instant::now());
        self.held.insert(Held { token, renew_at, ends_at, number: self.issued, clients: BTreeMap::new() })
    }
}

impl Held {
    /// Renewal failed for now: it is tried again after half of what is left.
    fn postpone(&mut self) {
        let now = Instant::now();
        let left = self.ends_at.map(|at| at.saturating_duration_since(now)).filter(|left| *left > SHORT);
        self.renew_at = left.and_then(|left| now.checked_add(left / 2));
    }
}

impl Vault {
    /// The client for a namespace, with a token that is good for now.
    pub(super) async fn lend(&self, namespace: &Namespace) -> Result<Lent, Fault> {
        let mut state = self.tokens().0.lock().await;
        let now = Instant::now();
        if state.held.as_ref().is_some_and(|held| held.renew_at.is_some_and(|at| now >= at)) {
            self.prolong(&mut state).await?;
        }
        let now = Instant::now();
        if self.can_log_in() && state.held.as_ref().is_some_and(|held| held.ends_at.is_some_and(|at| now >= at)) {
            state.held = None;
        }
        if state.held.is_none() {
            let (token, grant) = login::log_in(self).await?;
            state.hold(token, grant);
        }
        match &mut state.held {
            Some(held) => self.lend_of(held, namespace),
            None => Err(Fault::Client("there is no token".to_owned())),
        }
    }

    fn lend_of(&self, held: &mut Held, namespace: &Namespace) -> Result<Lent, Fault> {
        let client = match held.clients.get(namespace) {
            Some(client) => Arc::clone(client),
            None => {
                let client = Arc::new(self.client_in(namespace, &held.token)?);
                held.clients.insert(namespace.clone(), Arc::clone(&client));
                client
            }
        };
        Ok(Lent { client, token: held.token.clone(), number: held.number })
    }

    /// Renews the token. Where Vault refuses that a login gives another one; where neither works the old one stays.
    async fn prolong(&self, state: &mut State) -> Result<(), Fault> {
        let Some(held) = state.held.as_mut() else { return Ok(()) };
        let failure = match login::renew(self, &self.plain_client(Some(&held.token))?).await {
            Ok(grant) => {
                (held.renew_at, held.ends_at) = grant.moments(Instant::now());
                return Ok(());
            }
            Err(failure) => failure,
        };
        held.postpone();
        // Where Vault did not answer, a login would not be answered either and might use up what it is made with.
        if self.can_log_in() && !failure.is_worth_another(true) {
            match login::log_in(self).await {
                Ok((token, grant)) => {
                    state.hold(token, grant);
                }
                Err(error) => tracing::warn!(%error, "the token of Vault is neither renewed nor replaced"),
            }
        }
        Ok(())
    }

    fn can_log_in(&self) -> bool {
        !matches!(self.settings().login, Login::Token(_))
    }

    /// Finds out whether a policy said no, or whether the token has ended; then one login gives another.
    ///
    /// # Errors
    /// The token has ended, and there is no other.
    pub(super) async fn after_denial(&self, lent: &Lent, message: &str, may_log_in: bool) -> Result<Denial, Fault> {
        if self.is_replaced(lent).await {
            return Ok(Denial::Retry);
        }
        // Where it cannot be told the token counts as good, and the first error stands.
        let looked_up = login::look_up(self, &self.plain_client(Some(&lent.token))?).await;
        if !may_log_in || !matches!(looked_up, Err(Failure::Status { status: 403, .. })) {
            return Ok(Denial::Final(message.to_owned()));
        }
        if !self.can_log_in() {
            return Err(Fault::TokenRefused { address: self.address(), message: message.to_owned() });
        }
        let mut state = self.tokens().0.lock().await;
        if state.held.as_ref().is_none_or(|held| held.number != lent.number) {
            return Ok(Denial::Retry);
        }
        tracing::debug!(
            address = self.address(),
            "the token of Vault has ended or cannot be looked up, one more login"
        );
        match login::log_in(self).await {
            Ok((token, grant)) => {
                state.hold(token, grant);
                Ok(Denial::NewLogin)
            }
            Err(fault) if is_invalid(message) => Err(fault),
            // A policy may also deny `auth/token/lookup-self`; then the token is good for everything else.
            Err(fault) => Ok(Denial::Final(format!(
                "{message}. Whether the token has ended cannot be told, and another login failed: {fault}"
            ))),
        }
    }

    async fn is_replaced(&self, lent: &Lent) -> bool {
        let state = self.tokens().0.lock().await;
        state.held.as_ref().is_some_and(|held| held.number != lent.number)
    }
}

/// What newer versions say of a token that they do not know.
fn is_invalid(message: &str) -> bool {
    ["invalid token", "bad token"].iter().any(|words| message.contains(words))
}
