//! Where Vault is, who we are there, and how patient we are. Parsed at the edge: nothing here is checked twice.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;

use crate::access::{Invalid, Region, Secret};

/// Longest time for one request, from connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a [`super::Vault`] needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address of the server
    pub address: Address,
    /// Namespace of Vault Enterprise, HCP Vault or OpenBao
    pub namespace: Namespace,
    /// How to get a token
    pub login: Login,
    /// Certificates trusted besides those of the operating system, DER
    pub ca_bundle: Vec<Vec<u8>>,
    /// `User-Agent` header
    pub user_agent: String,
    /// Longest time for one attempt
    pub timeout: Duration,
    /// How often a failed call is sent
    pub attempts: u32,
    /// Upper bound of the first pause; it doubles each time
    pub pause: Duration,
}

impl Settings {
    /// Five attempts of at most 30 seconds, with pauses of up to 0.5, 1, 2 and 4 seconds.
    pub fn new(address: Address, namespace: Namespace, login: Login) -> Self {
        let user_agent = concat!("terraform-provider-rdsaccess/", env!("CARGO_PKG_VERSION")).to_owned();
        let pause = Duration::from_millis(500);
        Self { address, namespace, login, ca_bundle: Vec::new(), user_agent, timeout: TIMEOUT, attempts: 5, pause }
    }
}

/// How to get a token.
#[derive(Debug, Clone)]
pub enum Login {
    /// A token that is there already
    Token(Token),
    /// AppRole
    AppRole {
        /// Mount of the method
        mount: AuthMount,
        /// Role id
        role_id: String,
        /// Secret id
        secret_id: Secret<String>,
    },
    /// AWS IAM: Vault asks STS who signed a request of the hub identity
    AwsIam {
        /// Mount of the method
        mount: AuthMount,
        /// Role in Vault
        role: String,
        /// Value of `X-Vault-AWS-IAM-Server-ID`, where Vault asks for one
        header_value: Option<String>,
        /// Region of the STS endpoint, where Vault asks a regional one
        region: Option<Region>,
    },
    /// JWT of a CI system or of Kubernetes
    Jwt {
        /// Mount of the method
        mount: AuthMount,
        /// Role in Vault
        role: String,
        /// The JWT
        token: JwtSource,
    },
}

impl Login {
    /// What the configuration calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::AppRole { .. } => "approle",
            Self::AwsIam { .. } => "aws_iam",
            Self::Jwt { .. } => "jwt",
        }
    }
}

/// Where a JWT comes from.
#[derive(Debug, Clone)]
pub enum JwtSource {
    /// It is written
    Text(Secret<String>),
    /// It is read from a file at every login, because who writes it renews it
    File(PathBuf),
}

/// The address of a server: scheme, host, port, and a path where Vault is behind a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    origin: String,
    host: String,
    /// Without slashes at its ends
    path: String,
}

impl Address {
    /// Scheme, host and port.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// What every path of the API begins with: `v1`, after the path of a proxy.
    pub(super) fn version(&self) -> String {
        if self.path.is_empty() { "v1".to_owned() } else { format!("{}/v1", self.path) }
    }

    /// Whether the token would travel in clear text to another machine.
    pub fn is_clear_text(&self) -> bool {
        self.origin.starts_with("http://") && !self.is_loopback()
    }

    /// Whether it is the own machine.
    pub(super) fn is_loopback(&self) -> bool {
        let ip = self.host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        self.host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.path.is_empty() { "" } else { "/" };
        write!(f, "{}{slash}{}", self.origin, self.path)
    }
}

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = |why: &str| {
            Err(Invalid::new(format!("the address of Vault {why}: `https://vault.example.com:8200` is expected")))
        };
        let Ok(url) = Url::parse(text.trim()) else {
            return refuse("is not a URL");
        };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("does not begin with `https://` or `http://`");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("holds a user or a password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("holds a query or a fragment");
        }
        let Some(host) = url.host_str() else {
            return refuse("has no host");
        };
        let path = url.path().trim_matches('/');
        let path = path.strip_suffix("v1").filter(|p| p.is_empty() || p.ends_with('/')).unwrap_or(path);
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            host: host.to_owned(),
            path: path.trim_matches('/').to_owned(),
        })
    }
}

/// A token of Vault, fit for a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(Secret<String>);

impl Token {
    /// Checks that it fits into a header; white space around it (a line end from a file) is dropped.
    ///
    /// # Errors
    /// When it is empty or holds a character that no header can carry. The error does not repeat it.
    pub fn new(text: &Secret<String>) -> Result<Self, Invalid> {
        let trimmed = text.expose().trim();
        if trimmed.is_empty() {
            return Err(Invalid::new("the token of Vault is empty"));
        }
        if !trimmed.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Invalid::new("the token of Vault holds a space or a character outside ASCII"));
        }
        Ok(Self(Secret::new(trimmed.to_owned())))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// A namespace, without slashes at its ends; empty for the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Namespace(String);

impl Namespace {
    /// The path of the namespace.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Namespace {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim_matches('/');
        if text.is_empty() || is_path(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new(format!("`{text}` is not a namespace of Vault: {PATH} is expected")))
    }
}

/// Mount of a login method, without `auth/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthMount(String);

impl AuthMount {
    /// The path of the mount.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AuthMount {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mount = text.trim_matches('/');
        let mount = mount.strip_prefix("auth/").unwrap_or(mount);
        if is_path(mount) {
            return Ok(Self(mount.to_owned()));
        }
        Err(Invalid::new(format!("`{text}` is not the mount of a login method: {PATH} is expected")))
    }
}

const PATH: &str = "a path of letters, digits and `_-.=@+` between slashes";

/// A path that means the same in Vault, in a URL without any encoding, and in a reference of ours: no empty part, no
/// part that a URL would swallow.
pub fn is_path(text: &str) -> bool {
    let fits = |part: &str| {
        !matches!(part, "" | "." | "..") && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-.=@+".contains(c))
    };
    text.split('/').all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_with_and_without_a_path() {
        for (text, shown, version) in [
            ("https://vault.example.com:8200", "https://vault.example.com:8200", "v1"),
            ("https://vault.example.com/", "https://vault.example.com", "v1"),
            ("https://vault.example.com/v1/", "https://vault.example.com", "v1"),
            (" http://127.0.0.1:8200/ui/vault ", "http://127.0.0.1:8200/ui/vault", "ui/vault/v1"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.version().as_str()), (shown, version), "{text}");
        }
    }

    #[test]
    fn other_addresses_are_refused_without_repeating_them() {
        for text in ["", "vault:8200", "unix:///run/vault", "https://u:hunter2@v", "https://v/?hunter2", "http://"] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("is expected") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn clear_text_is_noticed_except_on_the_own_machine() {
        let clear = |text: &str| text.parse::<Address>().unwrap().is_clear_text();
        assert!(clear("http://vault.example.com") && !clear("https://vault.example.com"));
        assert!(!clear("http://127.0.0.1:8200") && !clear("http://[::1]:8200") && !clear("http://localhost"));
        assert!(clear("http://localhost.example.com") && clear("http://[2001:db8::1]"));
    }

    #[test]
    fn a_path_never_needs_an_encoding() {
        for good in ["secret", "team/kv", "a.b/c=2Ed@e", "_x-y+z"] {
            assert!(is_path(good), "{good}");
        }
        for bad in ["", "/", "a//b", "a/", "../a", "a/./b", "a b", "a:b", "a?b", "a%2Fb", "ä"] {
            assert!(!is_path(bad), "{bad}");
        }
    }

    #[test]
    fn namespaces_and_mounts_are_taken_with_slashes_around_them() {
        assert_eq!("/team/a/".parse::<Namespace>().unwrap().as_str(), "team/a");
        assert_eq!("".parse::<Namespace>().unwrap().as_str(), "");
        assert_eq!("auth/approle/".parse::<AuthMount>().unwrap().as_str(), "approle");
        assert!("a b".parse::<Namespace>().is_err() && "".parse::<AuthMount>().is_err());
    }

    #[test]
    fn a_token_that_no_header_carries_is_refused_without_repeating_it() {
        for text in ["", "\n", "hunter 2", "hunter\n2", "hünter2"] {
            let error = Token::new(&text.into()).unwrap_err().to_string();
            assert!(!error.contains('2'), "{error}");
        }
        assert_eq!(Token::new(&"hvs.abc\n".into()).unwrap().expose(), "hvs.abc");
        assert_eq!(format!("{:?}", Token::new(&"hunter2".into()).unwrap()), "Token(Secret(***))");
    }
}
