//! What plugin and host tell each other before they are connected.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::pki_types::CertificateDer;

use super::environment::Environment;
use super::listener::Address;

/// Terraform and OpenTofu put this into the environment of every provider. It protects from nothing; it only tells a
/// plugin that a host has started it, and not a person.
const MAGIC_COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The version of the line itself.
const CORE_VERSION: u8 = 1;

/// The only protocol that this program serves.
pub(super) const PROTOCOL_VERSION: u8 = 6;

/// Whether a plugin host has started this process.
pub(super) fn started_by_host(environment: &Environment) -> bool {
    environment.cookie.as_deref() == Some(MAGIC_COOKIE)
}

/// Whether the host can use the protocol. If not, we still announce what we have, because the host then names both
/// versions in its own error. A host that says nothing is asked nothing.
pub(super) fn host_speaks_our_protocol(environment: &Environment) -> bool {
    let Some(versions) = &environment.protocol_versions else { return true };
    versions.split(',').any(|version| version.trim().parse() == Ok(PROTOCOL_VERSION))
}

/// The one line on standard output. It ends with a line feed.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// Where the server listens
    pub(super) address: &'a Address,
    /// What the host shall trust; without it the connection is in plain text
    pub(super) certificate: Option<&'a CertificateDer<'a>>,
    /// Hosts that ask get a seventh field
    pub(super) answer_multiplexing: bool,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Go reads the certificate with base64.RawStdEncoding, which refuses padding
        let certificate = self.certificate.map(|der| STANDARD_NO_PAD.encode(der)).unwrap_or_default();
        let (network, place) = (self.address.network(), self.address.place());
        write!(f, "{CORE_VERSION}|{PROTOCOL_VERSION}|{network}|{place}|grpc|{certificate}")?;
        if self.answer_multiplexing {
            f.write_str("|false")?;
        }
        f.write_str("\n")
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn environment(name: &str, value: &str) -> Environment {
        Environment::collect([(OsString::from(name), OsString::from(value))], [], || jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn only_the_right_cookie_means_a_host() {
        assert!(started_by_host(&environment("TF_PLUGIN_MAGIC_COOKIE", MAGIC_COOKIE)));
        assert!(!started_by_host(&environment("TF_PLUGIN_MAGIC_COOKIE", "another")));
        assert!(!started_by_host(&environment("TF_LOG", "off")));
    }

    #[test]
    fn versions_come_in_any_order() {
        for (versions, speaks) in
            [("5,6", true), ("6,5", true), ("6", true), (" 6 ", true), ("5", false), ("16", false)]
        {
            let environment = environment("PLUGIN_PROTOCOL_VERSIONS", versions);
            assert_eq!(host_speaks_our_protocol(&environment), speaks, "{versions}");
        }
        assert!(host_speaks_our_protocol(&environment("TF_LOG", "off")));
    }

    #[test]
    fn the_line_has_six_fields_and_the_certificate_no_padding() {
        let address = Address::Tcp(([127, 0, 0, 1], 4711).into());
        let certificate = CertificateDer::from(vec![1, 2, 3, 4]);
        let line = Line { address: &address, certificate: Some(&certificate), answer_multiplexing: false };
        assert_eq!(line.to_string(), "1|6|tcp|127.0.0.1:4711|grpc|AQIDBA\n");
        let line = Line { address: &address, certificate: None, answer_multiplexing: false };
        assert_eq!(line.to_string(), "1|6|tcp|127.0.0.1:4711|grpc|\n");
    }

    #[test]
    fn a_host_that_asks_for_multiplexing_gets_a_seventh_field() {
        let address = Address::Unix("/tmp/x/plugin.sock".into());
        let line = Line { address: &address, certificate: None, answer_multiplexing: true };
        assert_eq!(line.to_string(), "1|6|unix|/tmp/x/plugin.sock|grpc||false\n");
    }
}
