//! The HTTP client below `vaultrs`: our roots, time-outs, proxies and redirects.

use reqwest::redirect::{Attempt, Policy};
use vaultrs::client::{VaultClient, VaultClientSettingsBuilder};

use super::Settings;
use super::settings::{Namespace, Token};
use crate::network::{HttpSettings, http_client_with};

/// As many redirects as `vault` itself follows.
const REDIRECTS: usize = 10;

/// Builds the HTTP client, with redirects on the same host and HTTPS_PROXY and NO_PROXY honoured.
pub(super) fn client(settings: &Settings) -> Result<reqwest::Client, String> {
    let http = HttpSettings {
        user_agent: settings.user_agent.clone(),
        timeout: settings.timeout,
        ca_bundle: settings.ca_bundle.clone(),
    };
    http_client_with(&http, |builder| {
        let builder = builder.redirect(Policy::custom(same_host));
        // A proxy would get the token in clear text, and its own machine where this one is meant.
        if settings.address.is_loopback() { builder.no_proxy() } else { builder }
    })
}

/// Another host would get the token; and after 301, 302 and 303 a write would become a read, which answers it with
/// success although nothing was written.
fn same_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let origin = attempt.previous().first().map(reqwest::Url::origin);
    let keeps_method = matches!(attempt.status().as_u16(), 307 | 308);
    if !keeps_method || origin != Some(attempt.url().origin()) {
        return attempt.stop();
    }
    if attempt.previous().len() > REDIRECTS { attempt.error("too many redirects") } else { attempt.follow() }
}

/// A client of `vaultrs` over our HTTP client. Its own would read certificates by path and look at environment
/// variables; so it is made for an address without TLS, with nothing left to a default, and then given ours.
pub(super) fn vault_client(
    http: &reqwest::Client,
    settings: &Settings,
    namespace: &Namespace,
    token: Option<&Token>,
) -> Result<VaultClient, String> {
    let own = VaultClientSettingsBuilder::default()
        .address("http://127.0.0.1")
        .ca_certs(Vec::new())
        .identity(None)
        .timeout(None)
        .token(String::new())
        .verify(true)
        .version(1)
        .wrapping(false)
        .namespace(None)
        .build()
        .map_err(|error| error.to_string())?;
    let mut client = VaultClient::new(own).map_err(|error| error.to_string())?;
    client.http.http = http.clone();
    client.http.base = settings.address.origin().to_owned();
    client.middle.version = settings.address.version();
    client.middle.token = token.map(|token| token.expose().to_owned()).unwrap_or_default();
    client.middle.namespace = Some(namespace.as_str().to_owned()).filter(|name| !name.is_empty());
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::vault::Login;

    fn settings() -> Settings {
        let login = Login::Token(Token::new(&"hvs.x".into()).unwrap());
        Settings::new("https://vault.example.com/team".parse().unwrap(), Namespace::default(), login)
    }

    #[test]
    fn the_client_builds_without_an_installed_crypto_provider() {
        assert!(client(&settings()).is_ok());
    }

    #[test]
    fn no_proxy_stands_between_us_and_the_own_machine() {
        let has_proxies = |address: &str| {
            let settings = Settings { address: address.parse().unwrap(), ..settings() };
            format!("{:?}", client(&settings).unwrap()).contains("proxies")
        };
        assert!(has_proxies("https://vault.example.com") && has_proxies("http://10.0.0.1:8200"));
        for own in ["http://127.0.0.1:8200", "https://localhost:8200", "http://[::1]:8200"] {
            assert!(!has_proxies(own), "{own}");
        }
    }

    #[test]
    fn nothing_of_the_librarys_own_defaults_is_left() {
        let http = client(&settings()).unwrap();
        let token = Token::new(&"hvs.y".into()).unwrap();
        let made = vault_client(&http, &settings(), &"a/b".parse().unwrap(), Some(&token)).unwrap();
        assert_eq!(made.http.base, "https://vault.example.com");
        assert_eq!((made.middle.version.as_str(), made.middle.token.as_str()), ("team/v1", "hvs.y"));
        assert_eq!(made.middle.namespace.as_deref(), Some("a/b"));
    }
}
