//! The variables and arguments that a plugin process is started with.

use std::ffi::OsString;
use std::path::PathBuf;

use jiff::Timestamp;
use tracing_subscriber::filter::LevelFilter;

use super::arguments::Command;
use super::logging;

/// What the process was started with, read once and only as far as a plugin needs it. As in go-plugin, a variable
/// that is set but empty counts as not set.
#[derive(Debug, Clone)]
pub struct Environment {
    /// What the command line asks for
    pub(super) command: Command,
    /// `TF_PLUGIN_MAGIC_COOKIE`: what only a plugin host sets
    pub(super) cookie: Option<String>,
    /// `PLUGIN_PROTOCOL_VERSIONS`: the major versions that the host speaks, in any order
    pub(super) protocol_versions: Option<String>,
    /// `PLUGIN_CLIENT_CERT`: the host's certificate as PEM text; not set when the user has switched TLS off
    pub(super) client_certificate: Option<String>,
    /// `PLUGIN_MULTIPLEX_GRPC`: the host wants to know whether several services can share a connection
    pub(super) asks_for_multiplexing: bool,
    /// `PLUGIN_UNIX_SOCKET_DIR`: where the host wants the socket
    pub(super) socket_directory: Option<PathBuf>,
    /// `PLUGIN_UNIX_SOCKET_GROUP`: name or number of the group that may connect
    pub(super) socket_group: Option<String>,
    /// `TMPDIR`: where the socket goes otherwise
    pub(super) temporary_directory: Option<PathBuf>,
    /// `TF_LOG_PROVIDER_RDSACCESS`, else `TF_LOG_PROVIDER`, else `TF_LOG`
    pub(super) log_level: LevelFilter,
    /// The time of log lines
    pub(super) clock: fn() -> Timestamp,
}

impl Environment {
    /// Picks what a plugin needs. `arguments` begins after the program's name.
    pub fn collect(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        arguments: impl IntoIterator<Item = OsString>,
        clock: fn() -> Timestamp,
    ) -> Self {
        let mut environment = Self::empty(Command::parse(arguments), clock);
        let mut levels = logging::Levels::default();
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|_| !value.is_empty()) else { continue };
            environment.take(name, value, &mut levels);
        }
        environment.log_level = levels.effective();
        environment
    }

    fn empty(command: Command, clock: fn() -> Timestamp) -> Self {
        Self {
            command,
            cookie: None,
            protocol_versions: None,
            client_certificate: None,
            asks_for_multiplexing: false,
            socket_directory: None,
            socket_group: None,
            temporary_directory: None,
            log_level: LevelFilter::OFF,
            clock,
        }
    }

    fn take(&mut self, name: &str, value: OsString, levels: &mut logging::Levels) {
        match name {
            "TF_PLUGIN_MAGIC_COOKIE" => self.cookie = value.into_string().ok(),
            "PLUGIN_PROTOCOL_VERSIONS" => self.protocol_versions = value.into_string().ok(),
            // Not valid as text means not valid as PEM: it must not be taken for "no TLS"
            "PLUGIN_CLIENT_CERT" => self.client_certificate = Some(value.to_string_lossy().into_owned()),
            "PLUGIN_MULTIPLEX_GRPC" => self.asks_for_multiplexing = true,
            "PLUGIN_UNIX_SOCKET_DIR" => self.socket_directory = Some(value.into()),
            "PLUGIN_UNIX_SOCKET_GROUP" => self.socket_group = value.into_string().ok(),
            "TMPDIR" => self.temporary_directory = Some(value.into()),
            _ => levels.take(name, &value.to_string_lossy()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(variables: &[(&str, &str)]) -> Environment {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Environment::collect(variables, [], || Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let environment = collect(&[("PLUGIN_CLIENT_CERT", ""), ("PLUGIN_MULTIPLEX_GRPC", ""), ("TF_LOG", "")]);
        assert_eq!(environment.client_certificate, None);
        assert!(!environment.asks_for_multiplexing);
        assert_eq!(environment.log_level, LevelFilter::OFF);
    }

    #[test]
    fn the_provider_log_variable_wins_over_the_general_one() {
        let environment = collect(&[("TF_LOG_PROVIDER", "warn"), ("TF_LOG", "TRACE")]);
        assert_eq!(environment.log_level, LevelFilter::WARN);
    }

    #[cfg(unix)]
    #[test]
    fn a_certificate_that_is_no_text_does_not_switch_tls_off() {
        use std::os::unix::ffi::OsStringExt;
        let value = OsString::from_vec(vec![0xff, 0xfe]);
        let environment =
            Environment::collect([(OsString::from("PLUGIN_CLIENT_CERT"), value)], [], || Timestamp::UNIX_EPOCH);
        assert!(environment.client_certificate.is_some());
    }
}
