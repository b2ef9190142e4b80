//! The pace inside the SDK: a request waits where its credentials are asked for, and its outcome is seen where an
//! attempt ends. What is throttled is tried again for as long as our patience lasts; everything else as often as the
//! SDK was told.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, FinalizerInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::retry::RetryConfig;
use tokio::time::Instant;

use super::Pace;
use crate::aws::credentials::HeldCredentials;
use crate::aws::fault::is_throttled;

/// The pace has the pause between two tries of a throttled request; the SDK adds none of its own. A request that is not
/// signed asks for no credentials and so never waits for its turn: it keeps the pauses of the SDK.
const NO_PAUSE: Duration = Duration::from_millis(1);

/// Credentials that are handed out when a request may be sent. The SDK asks for them once per attempt, right before it
/// signs: its cache of identities is switched off.
#[derive(Debug)]
pub(in crate::aws) struct Paced {
    pub(in crate::aws) pace: Arc<Pace>,
    pub(in crate::aws) credentials: HeldCredentials,
}

impl ProvideCredentials for Paced {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.pace.turn().await.map_err(CredentialsError::provider_error)?;
            self.credentials.current().await.map_err(CredentialsError::provider_error)
        })
    }
}

/// Tells the pace what AWS answered.
#[derive(Debug)]
pub(in crate::aws) struct SharedPace(pub(in crate::aws) Arc<Pace>);

/// How an attempt was sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// The cut that came before it
    cuts: u64,
    is_signed: bool,
}

/// How often a request was throttled, and when its call began: what it waited in line before counts too.
#[derive(Debug, Clone, Copy)]
struct Throttled {
    times: u32,
    since: Instant,
}

/// How the SDK was told to retry.
#[derive(Debug, Clone)]
struct Usual(RetryConfig);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Storable for Throttled {
    type Storer = StoreReplace<Self>;
}

impl Storable for Usual {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for SharedPace {
    fn name(&self) -> &'static str {
        "pace"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.interceptor_state().store_put(Throttled { times: 0, since: Instant::now() });
        Ok(())
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_signed = context.request().headers().contains_key("authorization");
        cfg.interceptor_state().store_put(Sent { cuts: self.0.cuts(), is_signed });
        Ok(())
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(sent) = cfg.load::<Sent>().copied() else { return Ok(()) };
        let throttled = context.response().is_some_and(is_throttled);
        if throttled {
            self.0.throttled(sent.cuts);
        } else if context.response().is_some() {
            self.0.answered(sent.cuts);
        }
        self.plan_next_try(throttled, sent.is_signed, cfg);
        Ok(())
    }
}

impl SharedPace {
    /// What the SDK reads when it decides about another try.
    fn plan_next_try(&self, throttled: bool, is_signed: bool, cfg: &mut ConfigBag) {
        let Some(Usual(usual)) = cfg.load::<Usual>().cloned().or_else(|| cfg.load::<RetryConfig>().cloned().map(Usual))
        else {
            return;
        };
        let none = Throttled { times: 0, since: Instant::now() };
        let mut so_far = cfg.load::<Throttled>().copied().unwrap_or(none);
        so_far.times += u32::from(throttled);
        let longer = usual.clone().with_max_attempts(usual.max_attempts().saturating_add(so_far.times));
        let next = match throttled {
            true if so_far.since.elapsed() >= self.0.patience => usual.clone().with_max_attempts(1),
            true if is_signed => longer.with_initial_backoff(NO_PAUSE).with_max_backoff(NO_PAUSE),
            _ => longer,
        };
        let state = cfg.interceptor_state();
        state.store_put(Usual(usual));
        state.store_put(so_far);
        state.store_put(next);
    }
}
