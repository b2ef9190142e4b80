//! What can go wrong at the gateway, in words.

use std::fmt;
use std::time::Duration;

use crate::access::Invalid;
use crate::report::Explain;

use super::TokenKind;

/// The request that an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// HTTP method
    pub method: &'static str,
    /// Path below the base address, without the query
    pub path: String,
    /// Address of the API
    pub base: String,
    /// Name of the connection that it was for
    pub connection: Option<String>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.base, self.path)
    }
}

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Which one
    pub call: Call,
    /// Why
    pub kind: Kind,
}

/// Why a call did not succeed. `message` is the gateway's own text, cleaned of secrets and cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// 401
    #[error("the gateway does not know the token (401: {message})")]
    Unauthorized {
        /// The gateway's text
        message: String,
        /// What was sent
        token: TokenKind,
    },
    /// 403
    #[error("the token may not do this (403: {message})")]
    Forbidden {
        /// The gateway's text
        message: String,
        /// What was sent
        token: TokenKind,
    },
    /// 404
    #[error("not found (404: {message})")]
    NotFound {
        /// The gateway's text
        message: String,
    },
    /// A 404 in the gateway's form at an address that does not answer as the gateway would
    #[error("{missing}, and that is not the gateway's answer: GET {path} at the same address {proof}")]
    NotTheGateway {
        /// The 404
        missing: String,
        /// Path of the call that the gateway would have answered
        path: String,
        /// What became of it
        proof: String,
    },
    /// A 404 for a connection, to a token that does not see all of them
    #[error("the gateway shows no such connection, and shows this token only the connections of its groups")]
    MaybeHidden,
    /// 409
    #[error("the name is taken (409: {message})")]
    Conflict {
        /// The gateway's text
        message: String,
    },
    /// 400 and 422
    #[error("the gateway refuses the request ({status}: {message})")]
    Refused {
        /// 400 or 422
        status: u16,
        /// The gateway's text
        message: String,
    },
    /// 429
    #[error("the gateway is asked too often (429: {message})")]
    Throttled {
        /// The gateway's text
        message: String,
    },
    /// 5xx, after every attempt
    #[error("the gateway failed ({status}: {message})")]
    Server {
        /// 500 to 599
        status: u16,
        /// The gateway's text
        message: String,
    },
    /// Any other status; redirects are not followed, because they would carry the token elsewhere
    #[error("the gateway answered with the unexpected status {status}{}", location.as_ref().map_or_else(String::new, |l| format!(", a redirect to {l}")))]
    Unexpected {
        /// The status
        status: u16,
        /// Where a redirect points to
        location: Option<String>,
    },
    /// A success whose body is not what the API promises
    #[error("the answer is not what the gateway's API promises: {reason}")]
    Unreadable {
        /// Why, without the content
        reason: String,
    },
    /// No connection came about, after every attempt
    #[error("the gateway cannot be reached: {reason}")]
    Unreachable {
        /// The cause
        reason: String,
    },
    /// The certificate was not accepted
    #[error("the gateway's certificate is not accepted: {reason}")]
    Tls {
        /// The cause
        reason: String,
    },
    /// What listens there answers in clear text
    #[error("the port does not speak TLS, and the address begins with `https://`")]
    NoTls,
    /// No answer in time, after every attempt
    #[error("no answer within {} seconds", .after.as_secs_f32())]
    Timeout {
        /// The longest time for one attempt
        after: Duration,
    },
    /// The HTTP client could not be built
    #[error("the HTTP client cannot be built: {reason}")]
    Client {
        /// The cause
        reason: String,
    },
    /// The connection belongs to an agent
    #[error("the connection is managed by `{managed_by}`, and the gateway lets nobody else change it")]
    AgentManaged {
        /// Content of `managed_by`
        managed_by: String,
    },
    /// Another connection has the name of the one that was to be changed
    #[error("somebody else deleted the connection and made another one of its name (its id was {was} and is {is} now)")]
    Replaced {
        /// The id that we know
        was: String,
        /// The id that is there
        is: String,
    },
    /// Groups were asked for while the plugin does not exist
    #[error("the gateway's plugin `access_control` is not enabled, so that no groups can be set")]
    AccessControlOff,
    /// A value that the gateway would refuse or misread
    #[error("{0}")]
    Invalid(#[from] Invalid),
}

impl Error {
    /// The same error, about a connection.
    #[must_use]
    pub fn about(mut self, connection: &str) -> Self {
        self.call.connection = Some(connection.to_owned());
        self
    }

    /// Whether the gateway says that the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, Kind::NotFound { .. })
    }

    /// Whether an object of that name exists already.
    pub fn is_conflict(&self) -> bool {
        matches!(self.kind, Kind::Conflict { .. })
    }

    /// Whether the gateway could not be asked, so that nothing is known about its objects.
    pub fn is_unreachable(&self) -> bool {
        let failed =
            matches!(self.kind, Kind::Unreachable { .. } | Kind::Tls { .. } | Kind::NoTls | Kind::Timeout { .. });
        failed || matches!(self.kind, Kind::Server { status: 502..=504, .. })
    }

    /// Whether the request may have been carried out although it failed: the next step must look before it repeats.
    pub fn may_have_happened(&self) -> bool {
        let write = self.call.method != "GET";
        write
            && matches!(
                self.kind,
                Kind::Unreachable { .. } | Kind::Timeout { .. } | Kind::Server { .. } | Kind::Unreadable { .. }
            )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.kind)
    }
}

impl std::error::Error for Error {}

impl Explain for Error {
    fn summary(&self) -> String {
        match &self.kind {
            Kind::Unauthorized { .. } => "The gateway does not accept the token",
            Kind::Forbidden { .. } => "The gateway does not permit the call",
            Kind::NotFound { .. } => "The gateway has no such object",
            Kind::MaybeHidden => "The gateway connection may be hidden",
            Kind::Conflict { .. } => "The gateway connection exists already",
            Kind::Refused { .. } | Kind::Invalid(_) => "The gateway connection is not valid",
            Kind::Throttled { .. } | Kind::Server { .. } => "The gateway failed",
            Kind::Unexpected { .. } | Kind::Unreadable { .. } | Kind::NotTheGateway { .. } => {
                "The address is not that of a gateway's API"
            }
            Kind::Unreachable { .. } | Kind::Timeout { .. } => "The gateway cannot be reached",
            Kind::Tls { .. } => "The gateway's certificate is not accepted",
            Kind::NoTls => "The gateway's port does not speak TLS",
            Kind::Client { .. } => "The gateway's client cannot be built",
            Kind::AgentManaged { .. } => "The gateway connection belongs to an agent",
            Kind::Replaced { .. } => "The gateway connection is another one now",
            Kind::AccessControlOff => "The gateway's access control is not enabled",
        }
        .to_owned()
    }

    fn detail(&self) -> String {
        match &self.call.connection {
            Some(name) => format!("Connection `{name}`: {self}"),
            None => self.to_string(),
        }
    }

    fn next_step(&self) -> Option<String> {
        let step = match &self.kind {
            Kind::Unauthorized { token, .. } => unknown_token(*token),
            Kind::Forbidden { token, .. } => forbidden_token(*token),
            Kind::NotFound { .. } => "Check the name, and that `gateway.url` (HOOP_APIURL) is the right gateway.",
            Kind::MaybeHidden => {
                "The plugin `access_control` is enabled. Use an API key with the group `admin` or the auditors' group, so that \
                 a connection that is gone can be told from one that is hidden. Nothing is taken to be gone."
            }
            Kind::Conflict { .. } => "Import the connection by its name, or choose another name.",
            Kind::Refused { .. } | Kind::Invalid(_) => "Correct what the message names and apply again.",
            Kind::Throttled { .. } => "Apply again later, or with a lower `-parallelism`.",
            Kind::Server { status: 502..=504, .. } => {
                "The gateway is not available at the moment: it is being restarted, or a proxy before it does not reach it. \
                 Apply again when it answers."
            }
            Kind::Server { .. } => {
                "Look into the gateway's log for the request. An id that does not exist (an agent, a guardrail rule) \
                 also ends as 500 there. Apply again after that."
            }
            Kind::Unexpected { location: Some(_), .. } => "Set `gateway.url` to the address after the redirect.",
            Kind::Unexpected { .. } | Kind::Unreadable { .. } => {
                "Check `gateway.url` (HOOP_APIURL), and whether a proxy or a login page answers in its place."
            }
            Kind::NotTheGateway { .. } => {
                "Something in between answers in the gateway's place. Check `gateway.url` (HOOP_APIURL) and the routes of \
                 the proxy before the gateway. Nothing is taken to be gone."
            }
            Kind::Unreachable { .. } | Kind::Timeout { .. } => {
                "Check `gateway.url` (HOOP_APIURL), the network, and HTTPS_PROXY / NO_PROXY, then apply again."
            }
            Kind::Tls { .. } => {
                "Set `gateway.ca_bundle` to the certificate of the authority that signed the gateway's (PEM, as \
                 `file(\"ca.pem\")`), or correct the host in `gateway.url`."
            }
            Kind::NoTls => {
                "Set `gateway.url` (HOOP_APIURL) to the port that speaks TLS. `http://` in its place would send the token in \
                 clear text: that is for a gateway on this machine only."
            }
            Kind::Client { .. } => "Check the certificates of the operating system and `gateway.ca_bundle`.",
            Kind::Replaced { .. } => {
                "Nothing was changed. Plan again, and apply if the plan may change that connection."
            }
            Kind::AgentManaged { .. } => "Change it where the agent is configured, or choose another name.",
            Kind::AccessControlOff => {
                "Enable it once, by an admin: `POST /api/plugins` with `{\"name\":\"access_control\",\"connections\":[]}`. \
                 From then on people who are no admin see only connections that name one of their groups."
            }
        };
        Some(step.to_owned())
    }
}

/// What to do about a token that the gateway does not know.
fn unknown_token(token: TokenKind) -> &'static str {
    match token {
        TokenKind::ApiKey => {
            "Check `gateway.token` (HOOP_APIKEY): an API key `hpk_…` of this gateway that has not been revoked."
        }
        TokenKind::LegacyKey => {
            "Check `gateway.token` (HOOP_APIKEY): the gateway takes the legacy keys `<org id>|…` and `xapi-…` of its own \
             organization only, and only while it has a single one. An API key `hpk_…` works everywhere."
        }
        TokenKind::Jwt => {
            "The token in `gateway.token` (HOOP_APIKEY) is the login of a person: it has expired, or it is another \
             gateway's. Log in again (`hoop login`), or make an API key `hpk_…`, which does not expire."
        }
        TokenKind::Other => {
            "The token in `gateway.token` (HOOP_APIKEY) has the form of no credential of the gateway: an API key begins \
             with `hpk_`."
        }
    }
}

/// What to do about a token without the rights.
fn forbidden_token(token: TokenKind) -> &'static str {
    match token {
        TokenKind::Jwt => {
            "Give the user the group `admin`, log in again, or use an API key of that group; the gateway lets only \
             admins write."
        }
        TokenKind::LegacyKey => "Use an API key `hpk_…` with the group `admin`; the gateway lets only admins write.",
        TokenKind::ApiKey | TokenKind::Other => {
            "Give the API key the group `admin`; the gateway lets only admins write."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    fn error(kind: Kind) -> Error {
        let call = Call {
            method: "PUT",
            path: "/connections/ledger-ro".to_owned(),
            base: "https://hoop.example.com/api".to_owned(),
            connection: Some("ledger-ro".to_owned()),
        };
        Error { call, kind }
    }

    #[test]
    fn a_report_names_method_address_connection_message_and_next_step() {
        let report = Report::of(&error(Kind::Refused { status: 422, message: "name: it must".to_owned() }));
        assert_eq!(report.summary, "The gateway connection is not valid");
        assert_eq!(
            report.detail,
            "Connection `ledger-ro`: PUT https://hoop.example.com/api/connections/ledger-ro: the gateway refuses the \
             request (422: name: it must).\n\nCorrect what the message names and apply again."
        );
    }

    #[test]
    fn each_kind_of_token_has_its_own_next_step() {
        let step = |kind: Kind| error(kind).next_step().unwrap();
        let message = || "access denied".to_owned();
        for (token, unknown, forbidden) in [
            (TokenKind::ApiKey, "not been revoked", "Give the API key the group `admin`"),
            (TokenKind::LegacyKey, "only while it has a single one", "Use an API key"),
            (TokenKind::Jwt, "it has expired", "Give the user the group `admin`"),
            (TokenKind::Other, "begins with `hpk_`", "group `admin`"),
        ] {
            let said = step(Kind::Unauthorized { message: message(), token });
            assert!(said.contains(unknown) && said.contains("HOOP_APIKEY"), "{said}");
            assert!(step(Kind::Forbidden { message: message(), token }).contains(forbidden));
        }
    }

    #[test]
    fn a_gateway_that_is_away_is_told_from_one_that_failed() {
        let step = |status: u16| error(Kind::Server { status, message: String::new() }).next_step().unwrap();
        assert!(step(500).contains("An id that does not exist"), "{}", step(500));
        for status in [502, 503, 504] {
            assert!(step(status).contains("restarted") && !step(status).contains("An id"), "{}", step(status));
        }
    }

    #[test]
    fn only_writes_without_a_clear_answer_may_have_happened() {
        let lost = Kind::Timeout { after: Duration::from_secs(30) };
        assert!(error(lost.clone()).may_have_happened());
        let mut read = error(lost);
        read.call.method = "GET";
        assert!(!read.may_have_happened() && read.is_unreachable());
        assert!(!error(Kind::Refused { status: 422, message: String::new() }).may_have_happened());
    }
}
