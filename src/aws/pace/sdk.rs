//! The pace inside the SDK: a request waits where its identity is asked for, and its outcome is seen where an attempt
//! ends. What is throttled is tried again for as long as our patience lasts; everything else as often as the
//! SDK was told.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::{
    IdentityFuture, ResolveCachedIdentity, ResolveIdentity, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, FinalizerInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::retry::RetryConfig;
use tokio::time::Instant;

use super::Pace;
use crate::aws::fault::is_throttled;

/// The pace has the pause between two tries of a throttled request; the SDK adds none of its own.
const NO_PAUSE: Duration = Duration::from_millis(1);

/// Identities that are handed out when a request may be sent. The SDK asks its cache for one once per attempt, right
/// before it signs, also for a request that needs none; nothing is kept here, because credentials keep themselves.
#[derive(Debug)]
pub(in crate::aws) struct PacedIdentities(pub(in crate::aws) Arc<Pace>);

impl ResolveCachedIdentity for PacedIdentities {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        cfg: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        IdentityFuture::new(async move {
            // What a call has waited before counts for this try too.
            let since = cfg.load::<Throttled>().map_or_else(Instant::now, |so_far| so_far.since);
            self.0.turn(since).await?;
            resolver.resolve_identity(components, cfg).await
        })
    }
}

/// Tells the pace what AWS answered.
#[derive(Debug)]
pub(in crate::aws) struct SharedPace(pub(in crate::aws) Arc<Pace>);

/// The cut that came before an attempt.
#[derive(Debug, Clone, Copy)]
struct Sent {
    cuts: u64,
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
        _context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.interceptor_state().store_put(Sent { cuts: self.0.cuts() });
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
        self.plan_next_try(throttled, cfg);
        Ok(())
    }
}

impl SharedPace {
    /// What the SDK reads when it decides about another try.
    fn plan_next_try(&self, throttled: bool, cfg: &mut ConfigBag) {
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
            true => longer.with_initial_backoff(NO_PAUSE).with_max_backoff(NO_PAUSE),
            false => longer,
        };
        let state = cfg.interceptor_state();
        state.store_put(Usual(usual));
        state.store_put(so_far);
        state.store_put(next);
    }
}
