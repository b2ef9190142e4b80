//! Durations as people write them in HCL: `"90s"`, `"30m"`, `"720h"`, `"30d"`, `"1h30m"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Invalid;

/// The longest duration taken: one hundred years.
const LONGEST_SECONDS: u64 = 100 * 366 * 86_400;

/// A length of time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    seconds: u64,
}

impl Span {
    /// A span of so many seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self { seconds }
    }

    /// Whole seconds.
    pub fn seconds(self) -> u64 {
        self.seconds
    }

    /// As the standard library's duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

impl FromStr for Span {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = || {
            Invalid::new(format!(
                "`{text}` is not a duration: numbers with the units d, h, m and s are expected, such as `30d`, `720h` or `1h30m`, up to 100 years"
            ))
        };
        let mut rest = text;
        let mut seconds: u64 = 0;
        let mut smallest = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let unit = match tail.chars().next() {
                Some('d') => 86_400,
                Some('h') => 3_600,
                Some('m') => 60,
                Some('s') => 1,
                _ => return Err(refuse()),
            };
            if unit >= smallest {
                return Err(refuse());
            }
            smallest = unit;
            let number: u64 = number.parse().map_err(|_| refuse())?;
            seconds = number.checked_mul(unit).and_then(|s| s.checked_add(seconds)).ok_or_else(refuse)?;
            rest = &tail[1..];
        }
        if text.is_empty() || seconds > LONGEST_SECONDS { Err(refuse()) } else { Ok(Self { seconds }) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.seconds;
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, letter) in [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')] {
            if rest >= unit {
                write!(f, "{}{letter}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ways_to_write_a_duration_are_read() {
        for (text, seconds) in
            [("90s", 90), ("30m", 1_800), ("720h", 2_592_000), ("30d", 2_592_000), ("1h30m", 5_400), ("0s", 0)]
        {
            assert_eq!(text.parse::<Span>().unwrap().seconds(), seconds, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "30", "d", "-1h", "1.5h", "1m1h", "1h1h", "1 h", "99999999999999999999d", "40000d", "1µs"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
