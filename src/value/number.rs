//! Exact numbers: Terraform's numbers are decimals of any length, never floats.

use std::fmt;
use std::str::FromStr;

use bigdecimal::{BigDecimal, ToPrimitive};

/// The longest number taken, in digits before or after the point. Terraform itself keeps 512 bits; the bound keeps a
/// hostile exponent from filling the memory.
const MOST_DIGITS: u64 = 10_000;

/// A decimal number, exact and without a distinction between `1`, `1.0` and `1e0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(BigDecimal);

/// A text or float that is not a number Terraform could send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a finite decimal number of at most {MOST_DIGITS} digits")]
pub struct NotANumber;

impl Number {
    fn new(decimal: BigDecimal) -> Result<Self, NotANumber> {
        let (_, scale) = decimal.as_bigint_and_exponent();
        if scale.unsigned_abs() > MOST_DIGITS || decimal.digits() > MOST_DIGITS {
            return Err(NotANumber);
        }
        Ok(Self(decimal.normalized()))
    }

    /// The number as a whole number of 64 bits, if it is one.
    pub fn to_i64(&self) -> Option<i64> {
        if self.is_whole() { self.0.to_i64() } else { None }
    }

    /// Whether there is nothing behind the point.
    pub fn is_whole(&self) -> bool {
        self.0.is_integer()
    }

    /// The number as a float, if the float is exactly the number.
    pub fn to_exact_f64(&self) -> Option<f64> {
        let float = self.0.to_f64().filter(|f| f.is_finite())?;
        (BigDecimal::try_from(float).ok()? == self.0).then_some(float)
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(BigDecimal::from(number).normalized())
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(BigDecimal::from(number).normalized())
    }
}

impl TryFrom<f64> for Number {
    type Error = NotANumber;

    fn try_from(float: f64) -> Result<Self, NotANumber> {
        BigDecimal::try_from(float).map_err(|_| NotANumber).and_then(Self::new)
    }
}

impl FromStr for Number {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let longest = usize::try_from(MOST_DIGITS).unwrap_or(usize::MAX);
        if text.is_empty() || text.len() > longest || !text.bytes().all(|b| b"0123456789+-.eE".contains(&b)) {
            return Err(NotANumber);
        }
        BigDecimal::from_str(text).map_err(|_| NotANumber).and_then(Self::new)
    }
}

impl fmt::Display for Number {
    /// Plain digits without an exponent, as Terraform sends numbers that are neither integers nor floats.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_plain_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn the_way_of_writing_does_not_matter() {
        assert_eq!(number("1"), number("1.0"));
        assert_eq!(number("1000"), number("1e3"));
        assert_eq!(Number::from(3i64), number("3.000"));
        assert_eq!(number("1e30").to_string(), "1000000000000000000000000000000");
    }

    #[test]
    fn nothing_is_rounded() {
        let long = "12345678901234567890123.000000000000000000000000000001";
        assert_eq!(number(long).to_string(), long);
        assert_eq!(number("0.1").to_exact_f64(), None);
        assert_eq!(number("1.5").to_exact_f64(), Some(1.5));
        assert_eq!(number("9223372036854775808").to_i64(), None);
        assert_eq!(number("-9223372036854775808").to_i64(), Some(i64::MIN));
        assert_eq!(number("2.5").to_i64(), None);
    }

    #[test]
    fn hostile_numbers_are_refused() {
        for text in ["", "NaN", "inf", "1e999999999", "1e-999999999", "1_000", " 1", "--1", "e5"] {
            assert!(text.parse::<Number>().is_err(), "{text}");
        }
        assert!(Number::try_from(f64::NAN).is_err());
        assert!(Number::try_from(f64::INFINITY).is_err());
    }
}
