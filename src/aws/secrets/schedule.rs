//! How often AWS rotates a secret: whole days, or the whole hours that a rate expression takes.

use aws_sdk_secretsmanager::types::RotationRulesType;

use crate::access::{Invalid, Span};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// An interval that Secrets Manager takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Every so many hours, 4 to 23
    Hours(i64),
    /// Every so many days, 1 to 999
    Days(i64),
}

impl Schedule {
    /// Reads what AWS says; `None` for a cron expression.
    pub(super) fn of(rules: &RotationRulesType) -> Option<Self> {
        match rules.schedule_expression() {
            Some(expression) => Self::parse(expression),
            None => rules.automatically_after_days().filter(|days| *days > 0).map(Self::Days),
        }
    }

    /// `rate(4 hours)`, `rate(1 day)`
    fn parse(expression: &str) -> Option<Self> {
        let (number, unit) = expression.trim().strip_prefix("rate(")?.strip_suffix(')')?.trim().split_once(' ')?;
        let number: i64 = number.parse().ok()?;
        match unit.trim() {
            "hour" | "hours" => Some(Self::Hours(number)),
            "day" | "days" => Some(Self::Days(number)),
            _ => None,
        }
    }

    pub(super) fn rules(self) -> RotationRulesType {
        let rules = RotationRulesType::builder();
        match self {
            Self::Hours(hours) => rules.schedule_expression(format!("rate({hours} hours)")),
            Self::Days(days) => rules.automatically_after_days(days),
        }
        .build()
    }

    /// The time between two rotations.
    pub fn span(self) -> Span {
        let (number, unit) = match self {
            Self::Hours(hours) => (hours, HOUR),
            Self::Days(days) => (days, DAY),
        };
        Span::from_seconds(u64::try_from(number).unwrap_or_default().saturating_mul(unit))
    }
}

impl TryFrom<Span> for Schedule {
    type Error = Invalid;

    fn try_from(span: Span) -> Result<Self, Invalid> {
        let seconds = span.seconds();
        let number = |unit: u64| i64::try_from(seconds / unit).unwrap_or(i64::MAX);
        match (seconds % DAY, seconds % HOUR) {
            (0, _) if (1..=999).contains(&number(DAY)) => Ok(Self::Days(number(DAY))),
            (_, 0) if (4..=23).contains(&number(HOUR)) => Ok(Self::Hours(number(HOUR))),
            _ => Err(Invalid::new(format!(
                "AWS rotates a secret every 4 to 23 whole hours or every 1 to 999 whole days, not every {span}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: &str) -> Option<Schedule> {
        Schedule::try_from(text.parse::<Span>().unwrap()).ok()
    }

    #[test]
    fn only_intervals_that_aws_takes_become_a_schedule() {
        assert_eq!(schedule("30d"), Some(Schedule::Days(30)));
        assert_eq!(schedule("720h"), Some(Schedule::Days(30)));
        assert_eq!(schedule("24h"), Some(Schedule::Days(1)));
        assert_eq!(schedule("4h"), Some(Schedule::Hours(4)));
        assert_eq!(schedule("23h"), Some(Schedule::Hours(23)));
        for refused in ["0s", "3h", "25h", "90m", "1d1h", "1000d", "4h1s"] {
            assert_eq!(schedule(refused), None, "{refused}");
        }
    }

    #[test]
    fn what_aws_keeps_is_read_as_it_was_written() {
        for schedule in [Schedule::Days(1), Schedule::Days(999), Schedule::Hours(4), Schedule::Hours(23)] {
            assert_eq!(Schedule::of(&schedule.rules()), Some(schedule));
            assert_eq!(Schedule::try_from(schedule.span()), Ok(schedule));
        }
        assert_eq!(Schedule::parse("rate(1 day)"), Some(Schedule::Days(1)));
        for other in ["cron(0 8 1 * ? *)", "rate(1)", "rate(x days)", "rate(1 week)"] {
            assert_eq!(Schedule::parse(other), None, "{other}");
        }
        // With an expression AWS also tells the days that it comes to.
        let both = RotationRulesType::builder().schedule_expression("rate(12 hours)").automatically_after_days(1);
        assert_eq!(Schedule::of(&both.build()), Some(Schedule::Hours(12)));
    }
}
