//! The moment until which a login is good.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::Invalid;

/// A point in time in whole seconds, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expiry(Timestamp);

impl Expiry {
    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.as_second()
    }

    /// From seconds since 1970; `None` beyond the year 9999.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        Timestamp::from_second(seconds).ok().map(Self)
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }
}

impl FromStr for Expiry {
    type Err = Invalid;

    /// RFC 3339 with any offset; fractions of a second are refused, because the engines round them.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let expected = || {
            Invalid::new(format!("`{text}` is not a time of RFC 3339 in whole seconds, such as `2030-01-31T12:00:00Z`"))
        };
        let moment: Timestamp = text.parse().map_err(|_| expected())?;
        if moment.subsec_nanosecond() != 0 || !text.contains('T') {
            return Err(expected());
        }
        Ok(Self(moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_moment_is_the_same_expiry() {
        let utc: Expiry = "2030-01-31T12:00:00Z".parse().unwrap();
        assert_eq!("2030-01-31T13:00:00+01:00".parse::<Expiry>().unwrap(), utc);
        assert_eq!(utc.to_string(), "2030-01-31T12:00:00Z");
        assert_eq!(Expiry::from_seconds(utc.seconds()), Some(utc));
    }

    #[test]
    fn other_texts_are_refused_with_an_example() {
        for text in
            ["", "tomorrow", "2030-01-31", "2030-01-31T12:00:00", "2030-01-31T12:00:00.5Z", "2030-13-01T00:00:00Z"]
        {
            assert!(text.parse::<Expiry>().unwrap_err().0.contains("2030-01-31T12:00:00Z"), "{text}");
        }
    }
}
