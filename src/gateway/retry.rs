//! Which failures are repeated, and after which pause.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};

/// A source of randomness: each call gives a number, all values equally likely.
pub type Jitter = Arc<dyn Fn() -> u32 + Send + Sync>;

/// How often and after which pauses a call is repeated.
#[derive(Clone)]
pub struct Retry {
    /// Attempts in all, at least one
    pub attempts: u32,
    /// Upper bound of the first pause; it doubles each time
    pub base: Duration,
    /// Upper bound of every pause, also of one that the gateway asks for
    pub longest: Duration,
    /// Spreads the pauses, so that many providers do not come back at once
    pub jitter: Jitter,
}

impl Retry {
    /// Five attempts with pauses of up to 0.5, 1, 2 and 4 seconds.
    pub fn new(jitter: Jitter) -> Self {
        Self { attempts: 5, base: Duration::from_millis(500), longest: Duration::from_secs(20), jitter }
    }

    /// The pause after a failed attempt (counted from 1): between half and all of the exponential bound. A pause that
    /// the gateway names in `Retry-After` is kept to, up to the longest.
    pub(super) fn pause(&self, attempt: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.base.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        let fraction = 0.5 + f64::from((self.jitter)()) / f64::from(u32::MAX) / 2.0;
        asked.unwrap_or_else(|| doubled.min(self.longest).mul_f64(fraction)).min(self.longest)
    }

    /// Whether an answer is worth another attempt. A `POST` is repeated only after `429`: with the others it may have
    /// been carried out.
    pub(super) fn repeats_status(method: &Method, status: StatusCode) -> bool {
        match status.as_u16() {
            429 => true,
            502..=504 => is_idempotent(method),
            _ => false,
        }
    }

    /// Whether a call without an answer is worth another attempt. A `POST` is repeated only when no connection came
    /// about.
    pub(super) fn repeats_failure(method: &Method, connecting: bool) -> bool {
        connecting || is_idempotent(method)
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempts, base, longest, .. } = self;
        f.debug_struct("Retry").field("attempts", attempts).field("base", base).field("longest", longest).finish()
    }
}

fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::PUT, Method::DELETE].contains(method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_are_spread_and_bounded() {
        let pause = |random: u32, attempt: u32| Retry::new(Arc::new(move || random)).pause(attempt, None).as_millis();
        assert_eq!([1, 2, 3, 4].map(|n| pause(u32::MAX, n)), [500, 1000, 2000, 4000]);
        assert_eq!([1, 2, 3, 4].map(|n| pause(0, n)), [250, 500, 1000, 2000]);
        assert_eq!(pause(u32::MAX, 60), 20_000);
    }

    #[test]
    fn a_pause_that_the_gateway_asks_for_is_kept_to_up_to_the_longest() {
        let retry = Retry::new(Arc::new(|| 0));
        assert_eq!(retry.pause(1, Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(retry.pause(1, Some(Duration::from_secs(3600))), retry.longest);
    }

    #[test]
    fn a_post_is_repeated_only_when_it_cannot_have_been_carried_out() {
        let repeated = |method: Method| {
            (400..600)
                .filter(|s| Retry::repeats_status(&method, StatusCode::from_u16(*s).unwrap()))
                .collect::<Vec<u16>>()
        };
        assert_eq!(repeated(Method::POST), [429]);
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            assert_eq!(repeated(method.clone()), [429, 502, 503, 504], "{method}");
            assert!(Retry::repeats_failure(&method, false));
        }
        assert!(Retry::repeats_failure(&Method::POST, true));
        assert!(!Retry::repeats_failure(&Method::POST, false));
    }
}
