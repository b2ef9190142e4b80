//! The Vault of the provider block, made at the first use.

use crate::access::{Invalid, Region, Secret};
use crate::network;
use crate::report::{Explain, Reach, Report};
use crate::schema::Reports;
use crate::store::vault::{Address, JwtSource, Login, Settings, Token, Vault};

use super::{Context, now};

/// The attribute `vault` of the provider block, with what the environment adds. Nothing is parsed before a resource asks
/// for Vault: who does not use it must not stumble over a variable that is there for another program.
#[derive(Debug, Clone, Default)]
pub struct VaultBlock {
    /// Address of the server
    pub address: Option<String>,
    /// Namespace
    pub namespace: Option<String>,
    /// Certificates to trust besides those of the operating system, PEM
    pub ca_bundle: Option<String>,
    /// File with such certificates, from the environment
    pub ca_file: Option<String>,
    /// How to log in
    pub auth: Option<VaultAuth>,
    /// What `TF_APPEND_USER_AGENT` adds to the `User-Agent` header
    pub user_agent: Option<String>,
    /// Whether the provider block itself has warned of what is to be warned of
    pub is_judged: bool,
}

impl VaultBlock {
    /// A warning where the token would be read by everybody in between.
    pub fn clear_text(&self) -> Option<Report> {
        let address: Address = self.address.as_deref()?.parse().ok()?;
        let report = Report::warning(
            "The token of Vault travels in clear text",
            format!(
                "The address {address} has no TLS: everybody in between can read token and secrets. Use an `https://` \
                 address."
            ),
        );
        (self.auth.is_some() && address.is_clear_text()).then_some(report)
    }
}

/// How to log in, as it is written.
#[derive(Debug, Clone)]
pub enum VaultAuth {
    /// A token
    Token(Secret<String>),
    /// AppRole
    AppRole {
        /// Role id
        role_id: String,
        /// Secret id
        secret_id: Secret<String>,
        /// Mount of the method
        mount: String,
    },
    /// AWS IAM
    AwsIam {
        /// Role in Vault
        role: String,
        /// Mount of the method
        mount: String,
        /// Value of the header that ties the signature to this Vault
        header_value: Option<String>,
        /// Region of STS
        region: Option<Region>,
    },
    /// JWT
    Jwt {
        /// Role in Vault
        role: String,
        /// The JWT itself
        token: Option<Secret<String>>,
        /// File with the JWT
        token_file: Option<String>,
        /// Mount of the method
        mount: String,
    },
}

/// Why there is no Vault to ask.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Parts of the block will be known only at apply
    #[error("the attribute `vault` of the provider block will be known only after apply")]
    Unknown,
    /// There is no address
    #[error("the provider block names no Vault")]
    NoAddress,
    /// There is no login
    #[error("the provider block has no login for Vault {0}")]
    NoLogin(String),
    /// A part is not what it should be
    #[error("{0}")]
    Part(#[source] Invalid),
    /// The certificates are none
    #[error("the certificates for Vault cannot be used")]
    CaBundle(#[source] network::Error),
    /// The file with certificates cannot be read
    #[error("the file `{path}` that VAULT_CACERT names cannot be read: {reason}")]
    CaFile {
        /// The file
        path: String,
        /// Why
        reason: String,
    },
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::Unknown => "Vault is not known yet",
            Self::NoAddress | Self::NoLogin(_) => "Vault is not configured",
            Self::Part(_) | Self::CaBundle(_) | Self::CaFile { .. } => "Vault is not configured correctly",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::Unknown => "Apply what it comes from first (-target), or give it as a variable.",
            Self::NoAddress => {
                "Set `vault = { address = \"https://vault.example.com:8200\" }` in the provider block, or the environment \
                 variable VAULT_ADDR."
            }
            Self::NoLogin(_) => {
                "Set one of `token`, `approle`, `aws_iam` and `jwt` in `vault.auth` of the provider block, or the \
                 environment variable VAULT_TOKEN."
            }
            Self::Part(_) => "Correct `vault` in the provider block, or the environment variable VAULT_*.",
            Self::CaBundle(_) => {
                "Give the text of PEM certificates in `vault.ca_bundle`, such as `file(\"ca.pem\")`, or their path in \
                 VAULT_CACERT."
            }
            Self::CaFile { .. } => "Correct VAULT_CACERT, or write `vault.ca_bundle`.",
        };
        Some(step.to_owned())
    }

    /// What is in Vault is out of reach, and nothing is known to be wrong with it.
    fn reach(&self) -> Reach {
        Reach::OutOfReach
    }
}

impl Context {
    /// Vault. Nothing is called before its first request.
    ///
    /// # Errors
    /// It is not configured, not correctly, or not known before apply.
    pub fn vault(&self) -> Result<&Vault, Reports> {
        Ok(self.try_vault()?)
    }

    /// As [`Context::vault`], with the reason itself.
    pub(super) fn try_vault(&self) -> Result<&Vault, Error> {
        if let Some(vault) = self.vault.get() {
            return Ok(vault);
        }
        if !self.is_vault_known() {
            return Err(Error::Unknown);
        }
        let settings = settings(&self.parts.vault)?;
        if let Some(warning) = self.clear_text_of_vault() {
            tracing::warn!("{warning}");
        }
        let vault = Vault::new(settings, self.aws.clone(), now);
        Ok(self.vault.get_or_init(|| vault))
    }

    /// Whether the attribute `vault` is known as a whole.
    pub(super) fn is_vault_known(&self) -> bool {
        !self.parts.unknown.iter().any(|name| name == "vault")
    }

    /// The warning that the provider block did not give, because nobody knew that Vault is used.
    pub(super) fn clear_text_of_vault(&self) -> Option<Report> {
        if self.parts.vault.is_judged { None } else { self.parts.vault.clear_text() }
    }

    /// The namespace of the provider block, as references carry it; empty where it is none.
    pub(super) fn vault_namespace(&self) -> String {
        let written = self.parts.vault.namespace.as_deref().unwrap_or_default();
        written.parse::<crate::store::vault::Namespace>().map(|name| name.as_str().to_owned()).unwrap_or_default()
    }
}

fn settings(block: &VaultBlock) -> Result<Settings, Error> {
    let address = block.address.as_deref().ok_or(Error::NoAddress)?.parse().map_err(Error::Part)?;
    let namespace = block.namespace.as_deref().unwrap_or_default().parse().map_err(Error::Part)?;
    let auth = block.auth.as_ref().ok_or_else(|| Error::NoLogin(format!("{address}")))?;
    let mut settings = Settings::new(address, namespace, login(auth).map_err(Error::Part)?);
    let text = match (&block.ca_bundle, &block.ca_file) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(path)) => Some(read(path)?),
        (None, None) => None,
    };
    if let Some(text) = text {
        settings.ca_bundle = network::parse_ca_bundle(&text).map_err(Error::CaBundle)?;
    }
    if let Some(further) = &block.user_agent {
        settings.user_agent = format!("{} {further}", settings.user_agent);
    }
    Ok(settings)
}

fn read(path: &str) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::CaFile { path: path.to_owned(), reason: error.to_string() })
}

fn login(auth: &VaultAuth) -> Result<Login, Invalid> {
    Ok(match auth.clone() {
        VaultAuth::Token(token) => Login::Token(Token::new(&token)?),
        VaultAuth::AppRole { role_id, secret_id, mount } => {
            Login::AppRole { mount: mount.parse()?, role_id, secret_id }
        }
        VaultAuth::AwsIam { role, mount, header_value, region } => {
            Login::AwsIam { mount: mount.parse()?, role, header_value, region }
        }
        VaultAuth::Jwt { role, token, token_file, mount } => {
            let source = match (token, token_file) {
                (Some(token), _) => JwtSource::Text(token),
                (None, Some(path)) => JwtSource::File(path.into()),
                (None, None) => return Err(Invalid::new("`vault.auth.jwt` has neither `token` nor `token_file`")),
            };
            Login::Jwt { mount: mount.parse()?, role, token: source }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> VaultBlock {
        VaultBlock {
            address: Some("https://vault.example.com:8200".to_owned()),
            auth: Some(VaultAuth::Token("hvs.hunter2".into())),
            ..VaultBlock::default()
        }
    }

    fn refused(block: &VaultBlock) -> String {
        Report::of(&settings(block).unwrap_err()).to_string()
    }

    #[test]
    fn a_complete_block_becomes_settings() {
        let block = VaultBlock { user_agent: Some("ci/1".to_owned()), namespace: Some("/a/".to_owned()), ..block() };
        let settings = settings(&block).unwrap();
        assert_eq!(
            (settings.address.to_string().as_str(), settings.namespace.as_str()),
            ("https://vault.example.com:8200", "a")
        );
        assert!(settings.user_agent.ends_with(" ci/1"));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_missing_is_named_with_its_variable() {
        assert!(refused(&VaultBlock { address: None, ..block() }).contains("VAULT_ADDR"));
        assert!(refused(&VaultBlock { auth: None, ..block() }).contains("VAULT_TOKEN"));
        let no_file = VaultBlock { ca_file: Some("/nonexistent/ca.pem".to_owned()), ..block() };
        assert!(refused(&no_file).contains("VAULT_CACERT"));
    }

    #[test]
    fn what_is_wrong_is_explained_without_repeating_the_token() {
        let text = refused(&VaultBlock { auth: Some(VaultAuth::Token("hunter 2".into())), ..block() });
        assert!(text.contains("holds a space") && !text.contains("hunter"), "{text}");
        let text = refused(&VaultBlock { ca_bundle: Some("ca.pem".to_owned()), ..block() });
        assert!(text.contains("vault.ca_bundle") && text.contains("file("), "{text}");
    }
}
