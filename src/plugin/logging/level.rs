//! How much to log.

use tracing_subscriber::filter::LevelFilter;

/// The variables that say how much to log, the most specific first.
const VARIABLES: [&str; 3] = ["TF_LOG_PROVIDER_RDSACCESS", "TF_LOG_PROVIDER", "TF_LOG"];

/// What the variables said, in the same order.
#[derive(Debug, Default)]
pub(in crate::plugin) struct Levels([Option<LevelFilter>; VARIABLES.len()]);

impl Levels {
    /// Takes a variable if it is one of ours.
    pub(in crate::plugin) fn take(&mut self, name: &str, value: &str) {
        if let Some(index) = VARIABLES.iter().position(|variable| *variable == name) {
            self.0[index] = Some(parse(value));
        }
    }

    /// The level of the most specific variable; off when none is set.
    pub(in crate::plugin) fn effective(&self) -> LevelFilter {
        self.0.iter().flatten().next().copied().unwrap_or(LevelFilter::OFF)
    }
}

/// Terraform takes every word that it does not know for TRACE; `JSON` is such a word with a meaning of its own.
fn parse(value: &str) -> LevelFilter {
    match value.trim().to_ascii_uppercase().as_str() {
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" => LevelFilter::WARN,
        "ERROR" => LevelFilter::ERROR,
        "OFF" => LevelFilter::OFF,
        _ => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effective(variables: &[(&str, &str)]) -> LevelFilter {
        let mut levels = Levels::default();
        for (name, value) in variables {
            levels.take(name, value);
        }
        levels.effective()
    }

    #[test]
    fn nothing_is_logged_unless_asked_for() {
        assert_eq!(effective(&[]), LevelFilter::OFF);
        assert_eq!(effective(&[("TF_LOG_CORE", "TRACE")]), LevelFilter::OFF);
    }

    #[test]
    fn the_most_specific_variable_wins_whatever_the_order() {
        let variables = [("TF_LOG", "trace"), ("TF_LOG_PROVIDER_RDSACCESS", "off"), ("TF_LOG_PROVIDER", "info")];
        assert_eq!(effective(&variables), LevelFilter::OFF);
        assert_eq!(effective(&variables[..1]), LevelFilter::TRACE);
    }

    #[test]
    fn an_unknown_word_means_everything_as_it_does_to_terraform() {
        assert_eq!(effective(&[("TF_LOG", "json")]), LevelFilter::TRACE);
        assert_eq!(effective(&[("TF_LOG", "verbose")]), LevelFilter::TRACE);
    }
}
