//! How fast AWS lets us ask. AWS counts requests per account, region and service; so does this folder.
//!
//! A [`Pace`] costs nothing until AWS throttles. Then requests of that account, region and service pass one after the
//! other at a rate that every throttled answer halves and every other answer raises a little, so that it settles just
//! under what AWS allows. Nobody else is slowed down: the wait happens before a request is signed, so that neither a
//! connection nor a turn under `max_concurrency` is held meanwhile, and a long wait ages no signature.
//!
//! The SDK has an adaptive mode of its own. It is not used: it learns nothing in its first half second and then allows
//! one request in two seconds, which is an eternity for an account that is asked three times; its waiters are woken
//! together; and its number of tries would still end a call that only had to wait.

mod load;
mod sdk;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::access::{AccountId, Region, jittered};

use load::Who;

pub(super) use load::Load;
pub(super) use sdk::{PacedIdentities, SharedPace};

/// Requests per second: the least that a throttled account is asked.
const SLOWEST: f64 = 0.5;
/// The least after the first throttled answer.
const FIRST: f64 = 2.0;
/// Above this rate nothing is held back any more.
const FREE: f64 = 2_000.0;
/// What an answer that is not throttled adds to the rate: it doubles about every 1.4 seconds, however fast it is.
const RAISE: f64 = 0.5;
/// A limit that was not confirmed for so long is forgotten.
const FORGET: Duration = Duration::from_secs(60);
/// Over which time the rate before the first throttled answer is measured.
const WINDOW: Duration = Duration::from_secs(1);
/// How many paces are kept before those are dropped that hold nothing back.
const KEPT: usize = 1_024;

/// The pace of one account, region and service.
#[derive(Debug)]
pub(super) struct Pace {
    of: Key,
    state: Mutex<State>,
    /// Who waits for a turn, first come, first served.
    line: tokio::sync::Mutex<()>,
    load: Arc<Load>,
    patience: Duration,
    /// Whether it was told that requests wait
    is_told: AtomicBool,
}

/// A call took so long that it was given up while it waited for its turn.
#[derive(Debug, thiserror::Error)]
#[error("given up after {} s, waiting for its turn: AWS throttles this account, region and service", .0.as_secs())]
pub(super) struct TooLong(Duration);

#[derive(Debug)]
struct State {
    limit: Option<Limit>,
    /// How often the rate was cut. A throttled answer to a request that was sent before the last cut says nothing new.
    cuts: u64,
    /// Answers since the beginning of the window.
    answers: (Instant, u32),
}

#[derive(Debug)]
struct Limit {
    /// Requests per second
    rate: f64,
    /// When the next request may be sent
    next: Instant,
    throttled_at: Instant,
}

impl Limit {
    fn gap(&self) -> Duration {
        jittered(Duration::from_secs_f64(1.0 / self.rate))
    }
}

impl Pace {
    /// Nothing is held back. A call that is throttled is given up `patience` after it began, wherever it is then.
    fn new(of: Key, load: Arc<Load>, patience: Duration) -> Self {
        let state = Mutex::new(State { limit: None, cuts: 0, answers: (Instant::now(), 0) });
        Self { of, state, line: tokio::sync::Mutex::default(), load, patience, is_told: AtomicBool::new(false) }
    }

    /// Waits until a request of a call that began at `since` may be sent.
    ///
    /// # Errors
    /// The patience is over before its turn comes.
    pub(super) async fn turn(&self, since: Instant) -> Result<(), TooLong> {
        let Some(rate) = self.state().limit.as_ref().map(|limit| limit.rate) else { return Ok(()) };
        self.tell(rate);
        let _asleep = self.load.sleep(if self.of.1.is_some() { Who::Account } else { Who::Hub });
        let turn = async {
            let _first = self.line.lock().await;
            while let Some(at) = self.try_turn() {
                tokio::time::sleep_until(at).await;
            }
        };
        tokio::time::timeout_at(since + self.patience, turn).await.map_err(|_| TooLong(self.patience))
    }

    /// Says once why nothing seems to happen.
    fn tell(&self, rate: f64) {
        if self.is_told.swap(true, Ordering::Relaxed) {
            return;
        }
        let (service, account, region) = &self.of;
        let account = account.as_ref().map_or("of the provider itself", AccountId::as_str);
        let patience = self.patience.as_secs();
        tracing::warn!(
            service, account, %region, rate,
            "AWS throttles: requests to this service, account and region wait for their turn, a call at most {patience} s"
        );
    }

    /// Takes the turn when it is due; else says when to try again.
    fn try_turn(&self) -> Option<Instant> {
        let (now, mut state) = (Instant::now(), self.state());
        let limit = state.limit.as_mut()?;
        if now < limit.next {
            return Some(limit.next);
        }
        limit.next = now + limit.gap();
        None
    }

    /// The number that a request remembers: which cut it was sent after.
    fn cuts(&self) -> u64 {
        self.state().cuts
    }

    /// AWS answered that it is asked too often.
    fn throttled(&self, sent_after: u64) {
        let (now, mut state) = (Instant::now(), self.state());
        if sent_after != state.cuts {
            return;
        }
        state.cuts += 1;
        let rate = match &state.limit {
            Some(limit) => (limit.rate / 2.0).max(SLOWEST),
            None => (state.measured(now) / 2.0).clamp(FIRST, FREE / 2.0),
        };
        let mut limit = Limit { rate, next: now, throttled_at: now };
        limit.next = now + limit.gap();
        tracing::debug!(rate, "AWS throttles: requests of this account, region and service are slowed down");
        state.limit = Some(limit);
    }

    /// AWS answered anything else.
    fn answered(&self, sent_after: u64) {
        let (now, mut state) = (Instant::now(), self.state());
        if now - state.answers.0 > WINDOW {
            state.answers = (now, 0);
        }
        state.answers.1 += 1;
        let current = sent_after == state.cuts;
        let Some(limit) = &mut state.limit else { return };
        if current {
            limit.rate += RAISE;
        }
        if limit.rate > FREE || now - limit.throttled_at > FORGET {
            state.limit = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Answers per second lately.
    fn measured(&self, now: Instant) -> f64 {
        let (since, count) = self.answers;
        f64::from(count) / (now - since).max(WINDOW / 10).as_secs_f64()
    }
}

/// Whom AWS counts. The hub's own calls of STS and Organizations have no account: which one it is, STS tells.
type Key = (&'static str, Option<AccountId>, Region);

/// The paces in use.
#[derive(Debug)]
pub(super) struct Paces {
    known: Mutex<HashMap<Key, Arc<Pace>>>,
    load: Arc<Load>,
    patience: Duration,
}

impl Paces {
    pub(super) fn new(load: Arc<Load>, patience: Duration) -> Self {
        Self { known: Mutex::default(), load, patience }
    }

    pub(super) fn of(&self, service: &'static str, account: Option<&AccountId>, region: &Region) -> Arc<Pace> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            // Thousands of places are asked once; only a pace that somebody uses or that holds back knows anything.
            known.retain(|_, pace| Arc::strong_count(pace) > 1 || pace.state().limit.is_some());
        }
        let key = (service, account.cloned(), region.clone());
        let new = || Arc::new(Pace::new(key.clone(), self.load.clone(), self.patience));
        known.entry(key.clone()).or_insert_with(new).clone()
    }
}

#[cfg(test)]
mod tests;
