//! The one address of all services: every call is counted, delayed, perhaps failed or throttled, and answered.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::api;
use crate::caller::Caller;
use crate::counters::{Counters, End};
use crate::faults;
use crate::numbering::digits;
use crate::settings::{FailureKind, Settings};
use crate::throttle::{Buckets, Key};
use crate::wire::{Answer, Refusal, Request, respond};
use crate::world::World;

/// Everything that calls share.
#[derive(Debug)]
pub(crate) struct Server {
    world: RwLock<Arc<World>>,
    pub(crate) counters: Counters,
    buckets: Buckets,
}

impl Server {
    pub(crate) fn new(settings: Settings) -> Self {
        let world = RwLock::new(World::new(settings));
        Self { world, counters: Counters::default(), buckets: Buckets::default() }
    }

    pub(crate) fn world(&self) -> Arc<World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts other settings in place; all buckets are full again.
    pub(crate) fn change(&self, settings: Settings) {
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = World::new(settings);
        self.buckets.forget();
    }
}

/// One call of AWS.
pub(crate) async fn answer(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(request) = Request::read(&headers, &body) else {
        return (StatusCode::BAD_REQUEST, "not a service or form that is spoken here").into_response();
    };
    let (world, number, under_way) = (server.world(), server.counters.number(), server.counters.begin());
    if world.settings.latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(world.settings.latency_ms)).await;
    }
    let (outcome, end) = decide(&server, &world, &request, &headers, number);
    server.counters.count(format!("{}:{}", request.service.name(), request.action), end);
    drop(under_way);
    match outcome {
        Ok(outcome) => respond(&request, &digits(&["request", &number.to_string()], 32), outcome),
        Err(Lost) => faults::lose_the_connection(),
    }
}

/// No answer at all.
struct Lost;

fn decide(
    server: &Server,
    world: &World,
    request: &Request,
    headers: &HeaderMap,
    number: u64,
) -> (Result<Result<Answer, Refusal>, Lost>, End) {
    match faults::failure(&world.settings, number) {
        Some(FailureKind::Lost) => return (Err(Lost), End::Failed),
        Some(kind) => return (Ok(Err(faults::refusal(request.service, kind))), End::Failed),
        None => {}
    }
    let caller = match Caller::read(world, headers, request.service, now()) {
        Ok(caller) => caller,
        Err(refusal) => return (Ok(Err(refusal)), End::Refused),
    };
    let key = Key {
        account: caller.account,
        region: caller.region.clone(),
        service: request.service,
        action: request.action.clone(),
    };
    if !server.buckets.take(&world.settings, key, Instant::now()) {
        return (Ok(Err(Refusal::throttled(request.service))), End::Throttled);
    }
    let outcome = api::answer(world, &caller, request, now());
    let end = if outcome.is_ok() { End::Answered } else { End::Refused };
    (Ok(outcome), end)
}

/// Seconds since 1970.
fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the one place where this process gets its clock")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
