//! Pauses that are not all of the same length.

use std::time::Duration;

/// Between `least` and `most`, at random: those who met once, or began together, do not go on in step.
pub fn between(least: Duration, most: Duration) -> Duration {
    let mut byte = [0_u8];
    // Without randomness the pauses are merely not spread.
    let _ = getrandom::fill(&mut byte);
    least + most.saturating_sub(least) * u32::from(byte[0]) / 256
}

/// Up to a quarter longer, so that many who ask the same service do not ask it in step.
pub fn jittered(pause: Duration) -> Duration {
    between(pause, pause + pause / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_over_what_is_asked_for_and_not_beyond() {
        let second = Duration::from_secs(1);
        let all: Vec<Duration> = (0..200).map(|_| jittered(second)).collect();
        assert!(all.iter().all(|pause| (second..=second * 5 / 4).contains(pause)), "{all:?}");
        assert!(all.iter().max() > all.iter().min().map(|least| *least + second / 10).as_ref(), "{all:?}");
        assert_eq!(between(second, second), second);
        assert_eq!(between(second * 2, second), second * 2);
    }
}
