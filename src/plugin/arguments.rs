//! What the command line asks for.

use std::ffi::OsString;

/// The program's modes. Terraform gives no arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Serve the process that started this one
    Serve,
    /// Serve whoever connects, until interrupted: for debuggers and tests
    Debug,
    /// Print the version
    Version,
    /// Print how to use the program
    Help,
    /// An argument that does not exist
    Unknown(String),
}

impl Command {
    /// Reads the arguments after the program's name. One dash is as good as two, as in programs written in Go.
    pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Self {
        let mut command = Self::Serve;
        for argument in arguments {
            let text = argument.to_string_lossy();
            command = match text.strip_prefix("--").or_else(|| text.strip_prefix('-')) {
                Some("debug") => Self::Debug,
                Some("version" | "V") => return Self::Version,
                Some("help" | "h") => return Self::Help,
                _ => return Self::Unknown(text.into_owned()),
            };
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Command {
        Command::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn without_arguments_the_program_serves_its_parent() {
        assert_eq!(parse(&[]), Command::Serve);
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        assert_eq!(parse(&["--debug"]), Command::Debug);
        assert_eq!(parse(&["-debug"]), Command::Debug);
        assert_eq!(parse(&["--version"]), Command::Version);
        assert_eq!(parse(&["-h"]), Command::Help);
    }

    #[test]
    fn an_argument_that_does_not_exist_is_named() {
        assert_eq!(parse(&["--debug", "--verbose"]), Command::Unknown("--verbose".to_owned()));
        assert_eq!(parse(&["plan"]), Command::Unknown("plan".to_owned()));
    }
}
