//! Which answers are worth another attempt, and after which pause.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A source of randomness: each call gives a number, all values equally likely.
pub type Jitter = Arc<dyn Fn() -> u32 + Send + Sync>;

/// The pauses between attempts. How many there are follows from the time that a delivery has.
#[derive(Clone)]
pub struct Retry {
    /// Upper bound of the first pause; it doubles each time
    pub base: Duration,
    /// Upper bound of every pause that nobody asked for
    pub longest: Duration,
    /// Spreads the pauses, so that many providers do not come back at once
    pub jitter: Jitter,
}

impl Retry {
    /// Pauses of up to 1, 2, 4 … 30 seconds.
    pub fn new(jitter: Jitter) -> Self {
        Self { base: Duration::from_secs(1), longest: Duration::from_secs(30), jitter }
    }

    /// The pause after a failed attempt (counted from 1): between half and all of the exponential bound, or longer
    /// when the receiver asks for that. One that asks for none is not asked again at once, over and over.
    pub(super) fn pause(&self, attempt: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.base.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        let fraction = 0.5 + f64::from((self.jitter)()) / f64::from(u32::MAX) / 2.0;
        doubled.min(self.longest).mul_f64(fraction).max(asked.unwrap_or_default())
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, longest, .. } = self;
        f.debug_struct("Retry").field("base", base).field("longest", longest).finish()
    }
}

/// Whether an answer may become another one later. Sending twice is safe: the event carries its id.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_are_spread_and_bounded() {
        let pause = |random: u32, attempt: u32| Retry::new(Arc::new(move || random)).pause(attempt, None).as_millis();
        assert_eq!([1, 2, 3, 4].map(|n| pause(u32::MAX, n)), [1000, 2000, 4000, 8000]);
        assert_eq!([1, 2, 3, 4].map(|n| pause(0, n)), [500, 1000, 2000, 4000]);
        assert_eq!(pause(u32::MAX, 60), 30_000);
    }

    #[test]
    fn a_pause_that_the_receiver_asks_for_is_kept_to() {
        let retry = Retry::new(Arc::new(|| 0));
        assert_eq!(retry.pause(1, Some(Duration::from_secs(77))), Duration::from_secs(77));
        assert_eq!(retry.pause(1, Some(Duration::MAX)), Duration::MAX);
        assert_eq!(retry.pause(9, Some(Duration::from_secs(3))), Duration::from_secs(15));
    }

    #[test]
    fn no_receiver_is_asked_again_at_once() {
        let retry = Retry::new(Arc::new(|| 0));
        assert_eq!(retry.pause(1, Some(Duration::ZERO)), Duration::from_millis(500));
        assert_eq!(retry.pause(9, Some(Duration::ZERO)), Duration::from_secs(15));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let again: Vec<u16> = (400..=599).filter(|status| is_passing(*status)).collect();
        assert_eq!(again[..3], [408, 425, 429]);
        assert_eq!(again.len(), 103);
    }
}
