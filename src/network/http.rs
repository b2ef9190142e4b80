//! Clients for servers that speak HTTP and are not AWS.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

/// Longest time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client is made with.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// `User-Agent` header
    pub user_agent: String,
    /// Longest time for one request, from connecting to the last byte
    pub timeout: Duration,
    /// Certificates trusted besides those of the operating system, DER
    pub ca_bundle: Vec<Vec<u8>>,
}

/// Builds an HTTP client. It trusts the operating system's certificates and `ca_bundle`; on a machine without any
/// (a bare container) Mozilla's take the place of the system's. Redirects are not followed: a foreign host would get
/// what is meant for the first one, and a `POST` would become a `GET`.
///
/// # Errors
/// Certificates that TLS cannot use, in words.
pub fn http_client(settings: &HttpSettings) -> Result<reqwest::Client, String> {
    http_client_with(settings, |builder| builder)
}

/// The same with something else set, such as another rule for redirects.
///
/// # Errors
/// As [`http_client`].
pub fn http_client_with(
    settings: &HttpSettings,
    set: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, String> {
    let builder = || {
        let builder = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .timeout(settings.timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(settings.timeout))
            .redirect(reqwest::redirect::Policy::none());
        set(builder)
    };
    let own: Vec<_> = settings
        .ca_bundle
        .iter()
        .map(|der| reqwest::Certificate::from_der(der))
        .collect::<Result<_, _>>()
        .map_err(|error| innermost(&error))?;
    builder().tls_certs_merge(own).build().or_else(|error| {
        tracing::debug!(reason = innermost(&error), "no certificates of the operating system, Mozilla's are used");
        builder().tls_backend_preconfigured(mozilla(settings)?).build().map_err(|error| innermost(&error))
    })
}

fn mozilla(settings: &HttpSettings) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for der in &settings.ca_bundle {
        roots.add(der.as_slice().into()).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

/// The deepest cause: the layers above only say that sending failed.
pub fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Why TLS refused the server, when it did.
pub fn certificate_reason(error: &(dyn StdError + 'static)) -> Option<String> {
    tls_error(error).filter(|tls| matches!(tls, rustls::Error::InvalidCertificate(_))).map(ToString::to_string)
}

/// Whether the server answered a TLS greeting with something else, as a port for clear text does.
pub fn speaks_no_tls(error: &(dyn StdError + 'static)) -> bool {
    matches!(tls_error(error), Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)))
}

/// What TLS itself said. An `io::Error` leaves the error that it wraps out of its sources.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref() {
        return Some(tls);
    }
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    wrapped.and_then(|inner| tls_error(inner)).or_else(|| tls_error(error.source()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_builds_without_an_installed_crypto_provider_with_and_without_system_certificates() {
        let settings =
            HttpSettings { user_agent: "x/1".to_owned(), timeout: Duration::from_secs(30), ca_bundle: Vec::new() };
        assert!(http_client(&settings).is_ok());
        assert!(mozilla(&settings).is_ok());
    }
}
