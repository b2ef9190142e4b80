//! What can go wrong with Vault, in classes that differ in what the person on call does next.

use vaultrs::error::ClientError;

use crate::aws;
use crate::network::{certificate_reason, innermost};
use crate::report::{Explain, Reach};

/// What stands for a message where Vault says nothing.
pub(super) const NO_MESSAGE: &str = "no message";
/// Longest text of Vault that goes into an error, in characters.
const LONGEST_MESSAGE: usize = 400;

/// Why a call of Vault failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The token is good, but no policy allows the call
    #[error("Vault {address} permits no {} on `{path}`: {message}", quoted(capabilities, "`", " or "))]
    Denied {
        /// The server
        address: String,
        /// Path as a policy names it
        path: String,
        /// What the policy must allow
        capabilities: &'static [&'static str],
        /// Vault's words
        message: String,
    },
    /// The token ended, was revoked, or never was one
    #[error("Vault {address} does not know the token: {message}")]
    TokenRefused {
        /// The server
        address: String,
        /// Vault's words
        message: String,
    },
    /// No token was given
    #[error("Vault {address} gave no token for the login by `{method}`: {message}")]
    LoginRefused {
        /// The server
        address: String,
        /// Which login
        method: &'static str,
        /// Vault's words
        message: String,
    },
    /// The credentials that sign a login could not be had
    #[error("the login by `aws_iam` could not be signed")]
    Unsigned(#[source] aws::Error),
    /// The file with the JWT cannot be read
    #[error("the file `{path}` with the JWT for Vault cannot be used: {reason}")]
    JwtFile {
        /// The file
        path: String,
        /// Why
        reason: String,
    },
    /// No key-value engine of this version is there
    #[error("Vault {address} has no key-value engine of version {version} at `{mount}`: {message}")]
    NoEngine {
        /// The server
        address: String,
        /// The mount
        mount: String,
        /// 1 or 2
        version: u8,
        /// Vault's words
        message: String,
    },
    /// Somebody else wrote at the same moment
    #[error("somebody else wrote `{path}` at the same moment, so nothing was overwritten")]
    Conflict {
        /// What was to be written
        path: String,
    },
    /// The server waits for its keys
    #[error("Vault {address} is sealed")]
    Sealed {
        /// The server
        address: String,
    },
    /// No answer
    #[error("Vault {address} cannot be reached: {reason}")]
    Unreachable {
        /// The server
        address: String,
        /// Why
        reason: String,
    },
    /// The server's certificate is refused
    #[error("the certificate of Vault {address} is refused: {reason}")]
    Tls {
        /// The server
        address: String,
        /// Why
        reason: String,
    },
    /// Too many requests, after several attempts
    #[error("Vault {address} takes no more requests for now (status 429): {message}")]
    Throttled {
        /// The server
        address: String,
        /// Vault's words
        message: String,
    },
    /// Another answer
    #[error("Vault {address} answered `{path}` with status {status}: {message}")]
    Refused {
        /// The server
        address: String,
        /// What was asked
        path: String,
        /// HTTP status
        status: u16,
        /// Vault's words
        message: String,
    },
    /// An answer that is not one of Vault
    #[error("the answer of {address} to `{path}` is none of Vault")]
    Unreadable {
        /// The server
        address: String,
        /// What was asked
        path: String,
    },
    /// The HTTP client cannot be built
    #[error("no connection to Vault can be prepared: {0}")]
    Client(String),
}

fn quoted(words: &[&str], quote: &str, between: &str) -> String {
    words.iter().map(|word| format!("{quote}{word}{quote}")).collect::<Vec<_>>().join(between)
}

impl Fault {
    pub(in crate::store) fn summary(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "Vault does not permit it",
            Self::TokenRefused { .. } | Self::LoginRefused { .. } => "Vault refused the login",
            Self::Unsigned(_) | Self::JwtFile { .. } => "Cannot log in to Vault",
            Self::NoEngine { .. } => "The key-value engine is not there",
            Self::Conflict { .. } => "Somebody else wrote the secret",
            Self::Sealed { .. } | Self::Unreachable { .. } | Self::Tls { .. } => "Cannot reach Vault",
            Self::Throttled { .. } => "Vault is busy",
            Self::Refused { .. } | Self::Unreadable { .. } | Self::Client(_) => "Vault did not do it",
        }
    }

    pub(in crate::store) fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::Denied { path, capabilities, .. } => {
                return Some(format!(
                    "Add to the policy of the token: path \"{path}\" {{ capabilities = [{}] }}",
                    quoted(capabilities, "\"", ", ")
                ));
            }
            Self::TokenRefused { .. } => {
                "Give another token in `vault.auth.token` or VAULT_TOKEN, or let the provider log in by `approle`, \
                 `aws_iam` or `jwt`"
            }
            Self::LoginRefused { .. } => "Compare `vault.auth` and `vault.namespace` with the role in Vault",
            Self::Unsigned(_) => "Correct the hub identity of the provider block, or use another login",
            Self::JwtFile { .. } => "Correct `vault.auth.jwt.token_file`",
            Self::NoEngine { mount, version, .. } => {
                return Some(format!(
                    "Correct `mount`, `kv_version` or `vault.namespace`, or enable it: vault secrets enable \
                     -path={mount} -version={version} kv"
                ));
            }
            Self::Conflict { .. } => "Run the apply again when the other one is done: it continues from what is stored",
            Self::Sealed { .. } => "Unseal it, then run the same command again",
            Self::Unreachable { .. } => "Check `vault.address` or VAULT_ADDR, the network and HTTPS_PROXY",
            Self::Tls { .. } => "Give its authority in `vault.ca_bundle` or VAULT_CACERT",
            Self::Throttled { .. } => "Run the same command again; a quota of Vault may be too low",
            Self::Refused { status: 300..=399, .. } => {
                "Set `vault.address` to the active node or to the load balancer: redirects are followed on the same host \
                 only, and only with status 307 or 308"
            }
            Self::Refused { .. } => "Compare the request with Vault's audit log",
            Self::Unreadable { .. } => "Check `vault.address`: a proxy may have answered in the place of Vault",
            Self::Client(_) => return None,
        };
        Some(step.to_owned())
    }

    /// As with AWS: what cannot be entered tells as little of the secret as what cannot be reached.
    pub(in crate::store) fn reach(&self) -> Reach {
        match self {
            Self::Sealed { .. } | Self::Unreachable { .. } | Self::Throttled { .. } | Self::Tls { .. } => {
                Reach::OutOfReach
            }
            Self::Denied { .. } | Self::TokenRefused { .. } | Self::LoginRefused { .. } => Reach::OutOfReach,
            Self::Unsigned(error) => error.reach(),
            Self::Refused { status: 500..=599, .. } => Reach::OutOfReach,
            _ => Reach::Fine,
        }
    }
}

/// How a call failed, before it is known what was asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Vault, or something before it, answered with a status that is no success
    Status { status: u16, message: String },
    /// There was no answer; a connection came about unless `connecting`
    Transport { connecting: bool, reason: String },
    /// TLS refused the server
    Certificate { reason: String },
    /// The answer has another form. Its text may hold a value, so it is not kept.
    Unreadable,
}

impl Failure {
    /// Takes an error of the client library apart. The text of an error that could repeat an answer is never used.
    pub(super) fn of(error: &ClientError) -> Self {
        match error {
            ClientError::APIError { code, errors } => Self::Status { status: *code, message: message(errors) },
            ClientError::RestClientError { source } => match answer(source) {
                Some((status, words)) => Self::Status { status, message: message(&[words.to_owned()]) },
                None => transport(source),
            },
            _ => Self::Unreadable,
        }
    }
}

/// Status and meaning of an answer without the field `errors`. The library keeps it in a type that it does not export,
/// and shows it in `Debug` only. Vault itself answers so for a version that is deleted, and for a path that an engine
/// of version 2 does not have; anything else is the page of a proxy.
fn answer(error: &(dyn std::error::Error + 'static)) -> Option<(u16, &'static str)> {
    let text = format!("{error:?}");
    let digits = text.strip_prefix("ServerResponseError { code: ")?;
    let status = digits.split(',').next()?.parse().ok()?;
    let words = match status {
        404 if text.contains("deletion_time") => "",
        404 if text.contains("Invalid path for a versioned") => "the engine there has version 2",
        _ => "the answer has no message of Vault",
    };
    Some((status, words))
}

fn transport(error: &(dyn std::error::Error + 'static)) -> Failure {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(reason) = refused_certificate(current) {
            return Failure::Certificate { reason };
        }
        if let Some(http) = current.downcast_ref::<reqwest::Error>() {
            let connecting = http.is_connect();
            return match certificate_reason(http) {
                Some(reason) => Failure::Certificate { reason },
                None if http.is_timeout() && !connecting => {
                    Failure::Transport { connecting, reason: "no answer in time".to_owned() }
                }
                None => Failure::Transport { connecting, reason: innermost(http) },
            };
        }
        cause = current.source();
    }
    Failure::Unreadable
}

/// Why TLS refused the server, when this layer says so.
fn refused_certificate(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    match error.downcast_ref() {
        Some(tls @ rustls::Error::InvalidCertificate(_)) => Some(tls.to_string()),
        _ => None,
    }
}

/// Vault's words on one line, cut.
fn message(errors: &[String]) -> String {
    let words = errors.iter().flat_map(|e| e.split_whitespace()).collect::<Vec<_>>().join(" ");
    if words.is_empty() { NO_MESSAGE.to_owned() } else { words.chars().take(LONGEST_MESSAGE).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_vault_keeps_its_status_and_words() {
        let errors = vec!["1 error occurred:\n\t* permission denied\n\n".to_owned()];
        let failure = Failure::of(&ClientError::APIError { code: 403, errors });
        let message = "1 error occurred: * permission denied".to_owned();
        assert_eq!(failure, Failure::Status { status: 403, message });
        assert_eq!(
            Failure::of(&ClientError::APIError { code: 404, errors: Vec::new() }),
            Failure::Status { status: 404, message: "no message".to_owned() }
        );
    }

    #[test]
    fn a_denial_names_the_line_that_the_policy_lacks() {
        let fault = Fault::Denied {
            address: "https://v".to_owned(),
            path: "secret/metadata/a".to_owned(),
            capabilities: &["read"],
            message: "permission denied".to_owned(),
        };
        assert!(fault.to_string().contains("`read` on `secret/metadata/a`"));
        assert!(fault.next_step().unwrap().contains(r#"path "secret/metadata/a" { capabilities = ["read"] }"#));
        assert_eq!(fault.reach(), Reach::OutOfReach, "it cannot be entered, as with AWS");
    }

    #[test]
    fn only_what_says_nothing_about_the_secret_is_out_of_reach() {
        let address = || "https://v".to_owned();
        assert_eq!(Fault::Sealed { address: address() }.reach(), Reach::OutOfReach);
        let unreachable = Fault::Unreachable { address: address(), reason: "refused".to_owned() };
        assert_eq!(unreachable.reach(), Reach::OutOfReach);
        assert_eq!(Fault::Conflict { path: "a".to_owned() }.reach(), Reach::Fine);
    }
}
