//! The gateway of the provider block, made at the first use.

use std::sync::Arc;

use crate::access::{Invalid, Secret};
use crate::gateway::{BaseUrl, Gateway, Jitter, Retry, Settings, Token};
use crate::network;
use crate::report::Explain;
use crate::schema::Reports;

use super::Context;

/// The attribute `gateway` of the provider block, with what the environment adds. Nothing is parsed before a resource
/// asks for the gateway: who does not use one must not stumble over a variable that is there for another program.
#[derive(Debug, Clone, Default)]
pub struct GatewayBlock {
    /// Address of the gateway
    pub url: Option<String>,
    /// API key or JWT
    pub token: Option<Secret<String>>,
    /// Certificates to trust besides those of the operating system, PEM
    pub ca_bundle: Option<String>,
    /// What `TF_APPEND_USER_AGENT` adds to the `User-Agent` header
    pub user_agent: Option<String>,
}

/// Why there is no gateway to ask.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Parts of the block will be known only at apply
    #[error("the attribute `gateway` of the provider block will be known only after apply")]
    Unknown,
    /// There is no address
    #[error("the provider block names no gateway")]
    NoUrl,
    /// There is no token
    #[error("the provider block has no token for the gateway {0}")]
    NoToken(String),
    /// The address is not one
    #[error("{0}")]
    Url(#[source] Invalid),
    /// The token is not one
    #[error("{0}")]
    Token(#[source] Invalid),
    /// The certificates are none
    #[error("`gateway.ca_bundle` cannot be used")]
    CaBundle(#[source] network::Error),
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::Unknown => "The gateway is not known yet",
            Self::NoUrl | Self::NoToken(_) => "The gateway is not configured",
            Self::Url(_) | Self::Token(_) | Self::CaBundle(_) => "The gateway is not configured correctly",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::Unknown => "Apply what it comes from first (-target), or give it as a variable.",
            Self::NoUrl => {
                "Set `gateway = { url = \"https://hoop.example.com\" }` in the provider block, or the environment \
                 variable HOOP_APIURL."
            }
            Self::NoToken(_) => "Set `gateway.token` in the provider block, or the environment variable HOOP_APIKEY.",
            Self::Url(_) => "Correct `gateway.url` in the provider block, or the environment variable HOOP_APIURL.",
            Self::Token(_) => "Correct `gateway.token` in the provider block, or the environment variable HOOP_APIKEY.",
            Self::CaBundle(_) => "Give the text of PEM certificates, such as `file(\"ca.pem\")`.",
        };
        Some(step.to_owned())
    }
}

impl Context {
    /// The gateway. Nothing is called before its first request.
    ///
    /// # Errors
    /// It is not configured, not correctly, or not known before apply.
    pub fn gateway(&self) -> Result<&Gateway, Reports> {
        if let Some(gateway) = self.gateway.get() {
            return Ok(gateway);
        }
        if self.parts.unknown.iter().any(|name| name == "gateway") {
            return Err(Error::Unknown.into());
        }
        let gateway = Gateway::new(settings(&self.parts.gateway)?);
        Ok(self.gateway.get_or_init(|| gateway))
    }
}

impl Context {
    /// Checks for a plan that there is a gateway to apply to. Nothing is called; what is known only at apply is not judged.
    ///
    /// # Errors
    /// The gateway is not configured, or not correctly.
    pub fn expect_gateway(&self) -> Result<(), Reports> {
        if self.parts.unknown.iter().any(|name| name == "gateway") {
            return Ok(());
        }
        self.gateway().map(|_| ())
    }

    /// The host of the gateway, where its address is known.
    pub fn gateway_host(&self) -> Option<String> {
        let url: BaseUrl = self.parts.gateway.url.as_deref()?.parse().ok()?;
        Some(url.host().to_owned())
    }
}

fn settings(block: &GatewayBlock) -> Result<Settings, Error> {
    let url = block.url.as_deref().ok_or(Error::NoUrl)?.parse().map_err(Error::Url)?;
    let token = block.token.as_ref().ok_or_else(|| Error::NoToken(format!("{url}")))?;
    let mut settings = Settings::new(url, Token::new(token).map_err(Error::Token)?, Retry::new(jitter()));
    if let Some(text) = &block.ca_bundle {
        settings.ca_bundle = network::parse_ca_bundle(text).map_err(Error::CaBundle)?;
    }
    if let Some(further) = &block.user_agent {
        settings.user_agent = format!("{} {further}", settings.user_agent);
    }
    Ok(settings)
}

/// Without entropy pauses are merely not spread.
fn jitter() -> Jitter {
    Arc::new(|| getrandom::u32().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    fn block() -> GatewayBlock {
        GatewayBlock {
            url: Some("https://hoop.example.com".to_owned()),
            token: Some("hpk_hunter2".into()),
            ..GatewayBlock::default()
        }
    }

    fn refused(block: &GatewayBlock) -> String {
        Report::of(&settings(block).unwrap_err()).to_string()
    }

    #[test]
    fn a_complete_block_becomes_settings() {
        let settings = settings(&GatewayBlock { user_agent: Some("ci/1".to_owned()), ..block() }).unwrap();
        assert_eq!(settings.url.as_str(), "https://hoop.example.com/api");
        assert!(settings.user_agent.starts_with("terraform-provider-rdsaccess/"));
        assert!(settings.user_agent.ends_with(" ci/1"));
    }

    #[test]
    fn what_is_missing_is_named_with_its_variable() {
        assert!(refused(&GatewayBlock { url: None, ..block() }).contains("HOOP_APIURL"));
        assert!(refused(&GatewayBlock { token: None, ..block() }).contains("HOOP_APIKEY"));
    }

    #[test]
    fn what_is_wrong_is_explained_without_repeating_the_token() {
        assert!(refused(&GatewayBlock { url: Some("hoop".to_owned()), ..block() }).contains("gateway.url"));
        let text = refused(&GatewayBlock { token: Some("hunter 2".into()), ..block() });
        assert!(text.contains("gateway.token") && !text.contains("hunter"), "{text}");
        let text = refused(&GatewayBlock { ca_bundle: Some("ca.pem".to_owned()), ..block() });
        assert!(text.contains("gateway.ca_bundle") && text.contains("file("), "{text}");
    }

    #[test]
    fn jitter_differs_from_call_to_call() {
        let jitter = jitter();
        assert!((0..4).map(|_| jitter()).collect::<std::collections::BTreeSet<_>>().len() > 1);
    }
}
