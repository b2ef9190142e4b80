//! Where the gateway is, who we are there, and how patient we are.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::access::{Invalid, Secret};

use super::Retry;

/// Longest time for one request, from connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a [`super::Gateway`] needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address of the API
    pub url: BaseUrl,
    /// Credential
    pub token: Token,
    /// Certificates trusted besides those of the operating system, DER
    pub ca_bundle: Vec<Vec<u8>>,
    /// `User-Agent` header
    pub user_agent: String,
    /// Longest time for one attempt
    pub timeout: Duration,
    /// How often and after which pauses a failed call is repeated
    pub retry: Retry,
}

impl Settings {
    /// Settings with a time-out of 30 seconds and no further certificates.
    pub fn new(url: BaseUrl, token: Token, retry: Retry) -> Self {
        let user_agent = concat!("terraform-provider-rdsaccess/", env!("CARGO_PKG_VERSION")).to_owned();
        Self { url, token, ca_bundle: Vec::new(), user_agent, timeout: TIMEOUT, retry }
    }
}

/// The address of the API, always with `/api` at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    host: String,
}

impl BaseUrl {
    /// Scheme, host, prefix and `/api`, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host without its port, as Hoop writes it into its `hoop.dev/gateway` tag.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the token would travel in clear text to another machine.
    pub fn is_clear_text(&self) -> bool {
        let local = ["localhost", "127.0.0.1", "[::1]"].contains(&self.host.as_str());
        self.text.starts_with("http://") && !local
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for BaseUrl {
    type Err = Invalid;

    /// Takes the address of the gateway with or without `/api`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = |why: &str| {
            Err(Invalid::new(format!(
                "the gateway's address {why}: `https://hoop.example.com` is expected, `/api` may follow"
            )))
        };
        let Ok(url) = Url::parse(text.trim()) else {
            return refuse("is not a URL");
        };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("does not begin with `https://` or `http://`");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("holds a user or a password, which belong into `token`");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("holds a query or a fragment");
        }
        let Some(host) = url.host_str() else {
            return refuse("has no host");
        };
        let host = host.to_owned();
        let bare = url.as_str().trim_end_matches('/');
        let bare = bare.strip_suffix("/api").unwrap_or(bare).trim_end_matches('/');
        Ok(Self { text: format!("{bare}/api"), host })
    }
}

/// The credential: an API key `hpk_…` or a JWT, or one of the legacy keys `<org id>|<random>` and `xapi-…`.
/// Which of them it is follows from its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(Secret<String>);

/// The kinds of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `hpk_…`, with the rights of its groups
    ApiKey,
    /// `<org id>|<random>` or `xapi-…`: an admin, on gateways with one organization
    LegacyKey,
    /// Three parts joined by dots: the login of a person, which expires
    Jwt,
    /// Something else, sent as a bearer token
    Other,
}

impl Token {
    /// Which kind it is.
    pub fn kind(&self) -> TokenKind {
        let text = self.0.expose();
        let parts = text.split('.').filter(|part| !part.is_empty()).count();
        match text {
            _ if text.starts_with("xapi-") || text.contains('|') => TokenKind::LegacyKey,
            _ if text.starts_with("hpk_") => TokenKind::ApiKey,
            _ if parts == 3 && text.matches('.').count() == 2 => TokenKind::Jwt,
            _ => TokenKind::Other,
        }
    }

    /// Checks that the credential fits into a header; white space around it (a line end from a file) is dropped.
    ///
    /// # Errors
    /// When it is empty or holds a character that no header can carry. The error does not repeat it.
    pub fn new(text: &Secret<String>) -> Result<Self, Invalid> {
        let trimmed = text.expose().trim();
        if trimmed.is_empty() {
            return Err(Invalid::new("the gateway's token is empty"));
        }
        if !trimmed.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Invalid::new("the gateway's token holds a space or a character outside ASCII"));
        }
        Ok(Self(Secret::new(trimmed.to_owned())))
    }

    /// The secret itself, for cleaning it out of texts.
    pub(super) fn secret(&self) -> &Secret<String> {
        &self.0
    }

    /// The header that carries the credential: legacy keys have their own.
    pub(super) fn header(&self) -> (HeaderName, HeaderValue) {
        let text = self.0.expose();
        let (name, value) = match self.kind() {
            TokenKind::LegacyKey => (HeaderName::from_static("api-key"), text.clone()),
            TokenKind::ApiKey | TokenKind::Jwt | TokenKind::Other => (AUTHORIZATION, format!("Bearer {text}")),
        };
        // `new` has let through only characters that a header takes.
        let mut value = HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        (name, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_with_and_without_api() {
        for (text, base) in [
            ("https://hoop.example.com", "https://hoop.example.com/api"),
            ("https://hoop.example.com/", "https://hoop.example.com/api"),
            ("https://hoop.example.com/api", "https://hoop.example.com/api"),
            (" https://hoop.example.com:8443/api/ ", "https://hoop.example.com:8443/api"),
            ("http://127.0.0.1:8009/team/hoop/api", "http://127.0.0.1:8009/team/hoop/api"),
            ("https://hoop.example.com/apis", "https://hoop.example.com/apis/api"),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().as_str(), base, "{text}");
        }
    }

    #[test]
    fn other_addresses_are_refused_without_repeating_them() {
        for text in [
            "",
            "hoop.example.com",
            "grpc://hoop.example.com",
            "https://u:hunter2@hoop.example.com",
            "https://h/?a=hunter2",
        ] {
            let error = text.parse::<BaseUrl>().unwrap_err().to_string();
            assert!(error.contains("is expected") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn clear_text_is_noticed_except_on_the_own_machine() {
        let clear = |text: &str| text.parse::<BaseUrl>().unwrap().is_clear_text();
        assert!(clear("http://hoop.example.com"));
        assert!(!clear("https://hoop.example.com") && !clear("http://127.0.0.1:8009") && !clear("http://[::1]:8009"));
    }

    #[test]
    fn legacy_keys_have_their_own_header() {
        let header = |text: &str| {
            let (name, value) = Token::new(&text.into()).unwrap().header();
            assert!(value.is_sensitive());
            format!("{name}: {}", value.to_str().unwrap())
        };
        assert_eq!(header("hpk_abc\n"), "authorization: Bearer hpk_abc");
        assert_eq!(header("eyJhbGciOi.x.y"), "authorization: Bearer eyJhbGciOi.x.y");
        assert_eq!(header("xapi-abc"), "api-key: xapi-abc");
        assert_eq!(header("1f0e|abc"), "api-key: 1f0e|abc");
    }

    #[test]
    fn the_kind_of_a_token_follows_from_its_shape() {
        for (text, kind) in [
            ("hpk_a.b.c", TokenKind::ApiKey),
            ("1f0e|a.b.c", TokenKind::LegacyKey),
            ("xapi-abc", TokenKind::LegacyKey),
            ("eyJhbGciOi.x.y", TokenKind::Jwt),
            ("a..b", TokenKind::Other),
            ("a.b.c.", TokenKind::Other),
            ("opaque", TokenKind::Other),
        ] {
            assert_eq!(Token::new(&text.into()).unwrap().kind(), kind, "{text}");
        }
    }

    #[test]
    fn a_token_that_no_header_carries_is_refused_without_repeating_it() {
        for text in ["", " \n", "hunter 2", "hunter\n2", "hünter2"] {
            let error = Token::new(&text.into()).unwrap_err().to_string();
            assert!(!error.contains('2'), "{error}");
        }
        assert_eq!(format!("{:?}", Token::new(&"hunter2".into()).unwrap()), "Token(Secret(***))");
    }
}
