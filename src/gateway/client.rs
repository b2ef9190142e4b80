//! One call: send, repeat where that is safe, turn the answer into a result.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::network::{HttpSettings, certificate_reason, http_client, innermost, speaks_no_tls};

use crate::access::Secret;

use super::agents;
use super::genuine::Sight;
use super::notes::{Made, Notes};
use super::shared::Shared;
use super::{Call, EnvValue, Error, Kind, Retry, Settings, Token, TokenKind};

/// Longest text of the gateway that goes into an error, in characters.
const LONGEST_MESSAGE: usize = 1000;
/// Header with the token that replaces an expiring JWT.
const NEW_TOKEN: &str = "x-new-access-token";
/// What stays as it is inside one segment of a path or one part of a query.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The gateway. A clone shares the HTTP client and its connections.
#[derive(Debug, Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    /// The token in use: that of the settings, or the last that the gateway gave in its place
    token: RwLock<Token>,
    http: OnceLock<reqwest::Client>,
    /// What this process noted of the gateway's objects, by kind and name
    made: Mutex<Notes>,
    /// Set once a call has shown that the gateway itself answers at this address and takes the token
    genuine: OnceCell<Sight>,
    /// The agents that were looked up
    agents: agents::Found,
    /// All agents, for those who ask for some of them
    listed: Shared<Arc<[agents::Agent]>>,
    /// Whether connections can have groups
    access_control: Shared<Option<bool>>,
}

impl Gateway {
    /// Keeps the settings. Nothing is built or called before the first request.
    pub fn new(settings: Settings) -> Self {
        let token = RwLock::new(settings.token.clone());
        let (made, genuine, agents) = (Mutex::default(), OnceCell::new(), agents::Found::default());
        let (http, listed, access_control) = (OnceLock::new(), Shared::default(), Shared::default());
        Self { inner: Arc::new(Inner { settings, token, http, made, genuine, agents, listed, access_control }) }
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Remembers something of an object for the life of this process. Returns whether it was not known before.
    pub fn remember(&self, what: Made, name: &str) -> bool {
        self.with_notes(|notes| notes.add(what, name))
    }

    /// Whether [`Gateway::remember`] was told so.
    pub fn remembers(&self, what: Made, name: &str) -> bool {
        self.with_notes(|notes| notes.has(what, name))
    }

    /// Looks into what this process has noted and changes it, in one step: of two objects at the same time one is later.
    pub fn with_notes<T>(&self, look: impl FnOnce(&mut Notes) -> T) -> T {
        look(&mut self.inner.made.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The agents that were looked up.
    pub(super) fn found_agents(&self) -> &agents::Found {
        &self.inner.agents
    }

    /// All agents, as they were listed.
    pub(super) fn listed_agents(&self) -> &Shared<Arc<[agents::Agent]>> {
        &self.inner.listed
    }

    /// Whether connections can have groups, as it was answered.
    pub(super) fn access_control(&self) -> &Shared<Option<bool>> {
        &self.inner.access_control
    }

    /// Whether a connection that the gateway does not show is not there. Known after the first `404`.
    pub(super) fn sees_everything(&self) -> bool {
        self.inner.genuine.get().is_some_and(|sight| sight.everything)
    }

    /// The token in use.
    fn token(&self) -> Token {
        self.inner.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the token that the gateway gives in the place of an expiring JWT. Keys do not expire, so a header that comes
    /// with one is not the gateway's.
    fn renew(&self, headers: &HeaderMap) {
        let Some(given) = headers.get(NEW_TOKEN).and_then(|value| value.to_str().ok()) else { return };
        let Ok(token) = Token::new(&Secret::from(given)) else { return };
        let mut used = self.inner.token.write().unwrap_or_else(PoisonError::into_inner);
        if used.kind() == TokenKind::Jwt && token.kind() == TokenKind::Jwt && *used != token {
            *used = token;
            tracing::debug!("the gateway has replaced the token");
        }
    }

    /// Describes a request, for [`Gateway::send`] and for errors.
    pub(super) fn request(&self, method: Method, path: &[&str]) -> Request {
        let path = path.iter().fold(String::new(), |all, part| all + "/" + &encoded(part));
        Request { method, path, query: String::new(), body: None, connection: None, secrets: Vec::new() }
    }

    /// Sends a request until it has an answer that is final, and reads the answer as JSON.
    pub(super) async fn send<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        let answer = self.answered(request).await?;
        serde_json::from_slice(&answer).map_err(|error| {
            // The error's own text can repeat a value.
            let reason = format!("unexpected JSON in line {}, column {}", error.line(), error.column());
            self.error(request, Kind::Unreadable { reason: html(&answer).unwrap_or(reason) })
        })
    }

    /// As [`Gateway::send`], for answers without content.
    pub(super) async fn send_for_nothing(&self, request: &Request) -> Result<(), Error> {
        self.answered(request).await.map(|_| ())
    }

    /// An error about a request.
    pub(super) fn error(&self, request: &Request, kind: impl Into<Kind>) -> Error {
        let call = Call {
            method: method_name(&request.method),
            path: request.path.clone(),
            base: self.settings().url.to_string(),
            connection: request.connection.clone(),
        };
        Error { call, kind: kind.into() }
    }

    /// The final answer; a `404` is the gateway's own. One proof does for the life of the process.
    async fn answered(&self, request: &Request) -> Result<Vec<u8>, Error> {
        match self.tried(request).await {
            Err(missing) if missing.is_not_found() => {
                Err(self.inner.genuine.get_or_try_init(|| self.prove(request, &missing)).await.err().unwrap_or(missing))
            }
            answer => answer,
        }
    }

    /// Sends a request until it has an answer that is final.
    pub(super) async fn tried(&self, request: &Request) -> Result<Vec<u8>, Error> {
        let retry = &self.settings().retry;
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if !failure.repeat || attempt >= retry.attempts {
                return Err(self.error(request, failure.kind));
            }
            let pause = retry.pause(attempt, failure.asked);
            tracing::debug!(method = %request.method, path = request.path, attempt, ?pause, reason = %failure.kind, "gateway call is repeated");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, request: &Request) -> Result<Vec<u8>, Failure> {
        let started = Instant::now();
        let response = self.built(request)?.send().await.map_err(|error| self.transport(request, error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        tracing::debug!(method = %request.method, path = request.path, status = status.as_u16(), elapsed = ?started.elapsed(), "gateway call");
        let body = response.bytes().await.map_err(|error| self.transport(request, error))?;
        if status.is_success() {
            self.renew(&headers);
            return Ok(body.to_vec());
        }
        Err(Failure {
            kind: self.refusal(request, status, &headers, &body),
            repeat: Retry::repeats_status(&request.method, status),
            asked: retry_after(&headers),
        })
    }

    fn built(&self, request: &Request) -> Result<reqwest::RequestBuilder, Failure> {
        let settings = self.settings();
        let url = format!("{}{}{}", settings.url, request.path, request.query);
        let (name, value) = self.token().header();
        let mut built = self.http()?.request(request.method.clone(), url).header(name, value);
        built = built.header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(body) = &request.body {
            built = built.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.to_string());
        }
        Ok(built)
    }

    /// The HTTP client, built at the first call.
    fn http(&self) -> Result<&reqwest::Client, Failure> {
        if let Some(client) = self.inner.http.get() {
            return Ok(client);
        }
        let Settings { user_agent, timeout, ca_bundle, .. } = self.settings();
        let settings = HttpSettings { user_agent: user_agent.clone(), timeout: *timeout, ca_bundle: ca_bundle.clone() };
        let client = http_client(&settings).map_err(|reason| Failure::fatal(Kind::Client { reason }))?;
        Ok(self.inner.http.get_or_init(|| client))
    }

    /// A call without an answer.
    fn transport(&self, request: &Request, error: reqwest::Error) -> Failure {
        let (connecting, late) = (error.is_connect(), error.is_timeout());
        let error = error.without_url();
        if let Some(reason) = certificate_reason(&error) {
            return Failure::fatal(Kind::Tls { reason });
        }
        if speaks_no_tls(&error) {
            return Failure::fatal(Kind::NoTls);
        }
        let kind = match late && !connecting {
            true => Kind::Timeout { after: self.settings().timeout },
            false => Kind::Unreachable { reason: innermost(&error) },
        };
        Failure { kind, repeat: Retry::repeats_failure(&request.method, connecting), asked: None }
    }

    /// An answer that is no success.
    fn refusal(&self, request: &Request, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Kind {
        let own = message(body);
        let message = self.cleaned(request, &own.clone().unwrap_or_else(|| "no message".to_owned()));
        match status.as_u16() {
            401 => Kind::Unauthorized { message, token: self.token().kind() },
            403 => Kind::Forbidden { message, token: self.token().kind() },
            // The 404 page of a proxy or of a wrong address must not read as "the connection is gone"; one in the gateway's
            // form is proven in `answered`.
            404 if own.is_some() => Kind::NotFound { message },
            409 => Kind::Conflict { message },
            status @ (400 | 422) => Kind::Refused { status, message },
            429 => Kind::Throttled { message },
            status @ 500..=599 => Kind::Server { status, message },
            status => {
                let location = headers.get(LOCATION).and_then(|l| l.to_str().ok());
                Kind::Unexpected { status, location: location.map(without_query) }
            }
        }
    }

    /// Takes the secrets of the request out of a text of the gateway, then cuts it.
    fn cleaned(&self, request: &Request, text: &str) -> String {
        let mut text = text.to_owned();
        let sent = request.secrets.iter().filter(|v| matches!(v, EnvValue::Secret(_))).map(EnvValue::expose);
        let tokens = [self.settings().token.clone(), self.token()];
        let tokens = tokens.iter().map(|token| token.secret().expose().as_str());
        for secret in sent.chain(tokens).filter(|s| !s.is_empty()) {
            text = text.replace(secret, "***").replace(&STANDARD.encode(secret), "***");
        }
        text.chars().take(LONGEST_MESSAGE).collect()
    }
}

/// One request. It holds secrets, so it has no `Debug`.
pub(super) struct Request {
    method: Method,
    path: String,
    query: String,
    body: Option<Value>,
    connection: Option<String>,
    secrets: Vec<EnvValue>,
}

impl Request {
    /// The path below the address of the API.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// With a JSON body.
    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// With the name of the connection, for errors.
    pub(super) fn about(mut self, connection: &str) -> Self {
        self.connection = Some(connection.to_owned());
        self
    }

    /// With the connection that another request is for, if it is for one.
    pub(super) fn about_the_same(mut self, other: &Self) -> Self {
        self.connection.clone_from(&other.connection);
        self
    }

    /// With the values that no error text may repeat.
    pub(super) fn hiding<'a>(mut self, values: impl IntoIterator<Item = &'a EnvValue>) -> Self {
        self.secrets.extend(values.into_iter().cloned());
        self
    }

    /// With a further parameter of the query.
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(&format!("{}={}", encoded(name), encoded(value)));
        self
    }
}

struct Failure {
    kind: Kind,
    repeat: bool,
    asked: Option<Duration>,
}

impl Failure {
    fn fatal(kind: Kind) -> Self {
        Self { kind, repeat: false, asked: None }
    }
}

/// A text as one segment of a path, as it is sent.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "POST",
    }
}

/// The gateway's own words: `{"message": "…"}`.
fn message(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        message: String,
    }
    serde_json::from_slice::<Answer>(body).ok().map(|answer| answer.message)
}

fn html(body: &[u8]) -> Option<String> {
    body.trim_ascii_start().starts_with(b"<").then(|| "a web page came back".to_owned())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn without_query(location: &str) -> String {
    location.split(['?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Token;

    fn gateway() -> Gateway {
        let url = "https://hoop.example.com".parse().unwrap();
        let token = Token::new(&"hpk_hunter2".into()).unwrap();
        Gateway::new(Settings::new(url, token, Retry::new(Arc::new(|| 0))))
    }

    #[test]
    fn names_and_selectors_are_encoded() {
        let request = gateway().request(Method::GET, &["connections", "a/b c?d"]).query("tag_selector", "a.b/c=d e,f");
        assert_eq!(request.path, "/connections/a%2Fb%20c%3Fd");
        assert_eq!(request.query, "?tag_selector=a.b%2Fc%3Dd%20e%2Cf");
    }

    #[test]
    fn a_message_of_the_gateway_is_cleaned_of_secrets_and_cut() {
        let gateway = gateway();
        let secrets = [EnvValue::Secret("s3cret".into()), EnvValue::Plain("db.internal".to_owned())];
        let request = gateway.request(Method::PUT, &["connections", "a"]).hiding(&secrets);
        let text = "db.internal: s3cret czNjcmV0 hpk_hunter2";
        assert_eq!(gateway.cleaned(&request, text), "db.internal: *** *** ***");
        assert_eq!(gateway.cleaned(&request, &"x".repeat(5000)).len(), LONGEST_MESSAGE);
    }

    #[test]
    fn only_the_gateway_itself_says_that_something_does_not_exist() {
        let gateway = gateway();
        let request = gateway.request(Method::GET, &["connections", "a"]);
        let kind = |body: &str| gateway.refusal(&request, StatusCode::NOT_FOUND, &HeaderMap::new(), body.as_bytes());
        assert_eq!(kind(r#"{"message":"not found"}"#), Kind::NotFound { message: "not found".to_owned() });
        for foreign in ["", "404 page not found", "<html>", "{}"] {
            assert_eq!(kind(foreign), Kind::Unexpected { status: 404, location: None }, "{foreign}");
        }
    }

    #[test]
    fn only_a_jwt_is_replaced_and_neither_one_prints() {
        let url: crate::gateway::BaseUrl = "https://hoop.example.com".parse().unwrap();
        let of = |token: &str| {
            let token = Token::new(&token.into()).unwrap();
            Gateway::new(Settings::new(url.clone(), token, Retry::new(Arc::new(|| 0))))
        };
        let headers =
            |token: &'static str| HeaderMap::from_iter([(NEW_TOKEN.parse().unwrap(), HeaderValue::from_static(token))]);
        let used = |gateway: &Gateway| gateway.token().secret().expose().clone();
        let gateway = of("eyJold.x.y");
        for refused in ["hpk_other", "", "not a token"] {
            gateway.renew(&headers(refused));
            assert_eq!(used(&gateway), "eyJold.x.y", "{refused}");
        }
        gateway.renew(&headers("eyJnew.x.y"));
        assert_eq!(used(&gateway), "eyJnew.x.y");
        let request = gateway.request(Method::GET, &["agents"]);
        assert_eq!(gateway.cleaned(&request, "eyJold.x.y eyJnew.x.y"), "*** ***");
        assert!(!format!("{gateway:?}").contains("eyJ"));
        for key in ["hpk_key", "1f0e|key", "xapi-key"] {
            let gateway = of(key);
            gateway.renew(&headers("eyJnew.x.y"));
            assert_eq!(used(&gateway), key);
        }
    }

    #[test]
    fn a_gateway_never_prints_its_token() {
        assert!(!format!("{:?}", gateway()).contains("hunter2"));
    }
}
