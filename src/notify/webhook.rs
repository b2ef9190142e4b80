//! Sending an event until somebody takes it: to an endpoint with a signature of Standard Webhooks, or to Svix.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::access::{Invalid, Secret};
use crate::network::{HttpSettings, certificate_reason, http_client, innermost};

use super::retry::is_passing;
use super::{EVENT_TYPE, Error, Kind, Redactor, Retry};

/// Longest time for one attempt.
const ATTEMPT: Duration = Duration::from_secs(30);
/// Least time for another attempt: one that has less says only that it had too little.
const SHORTEST_RETRY: Duration = Duration::from_secs(1);
/// Most of an answer that is looked at, in bytes.
const LARGEST_ANSWER: usize = 4096;
/// Longest text of a receiver that goes into an error, in characters.
const LONGEST_MESSAGE: usize = 300;
/// Fewest bytes of a signing key that Standard Webhooks allows.
const SHORTEST_KEY: usize = 24;

/// Where an event goes: an `http` or `https` URL without user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Whether everybody in between can read what is sent.
    pub fn is_clear_text(&self) -> bool {
        let local = matches!(self.0.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        self.0.scheme() == "http" && !local
    }
}

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse =
            |why: &str| Err(Invalid::new(format!("the address {why}: `https://hooks.example.com/roles` is expected")));
        let Ok(url) = Url::parse(text) else { return refuse("is not a URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("does not begin with `https://` or `http://`");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("holds a user or a password, which would stand in state");
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Address {
    /// The server alone: path and query may hold what only the receiver should see.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.0.path() == "/" { "" } else { "/…" };
        write!(f, "{}{path}", self.0.origin().ascii_serialization())
    }
}

/// Who gets an event, and how it is proven that it is from us.
pub struct Receiver {
    address: Address,
    proof: Proof,
    redactor: Redactor,
}

enum Proof {
    /// Signed with this key
    Signature(standardwebhooks::Webhook),
    /// Handed to Svix, which signs for every endpoint of the application
    Svix(Secret<String>),
}

impl Receiver {
    /// An endpoint that checks signatures of Standard Webhooks.
    ///
    /// # Errors
    /// A key that is no base64, or too short; the error does not repeat it.
    pub fn endpoint(address: Address, key: &Secret<String>) -> Result<Self, Invalid> {
        let text = key.expose().trim();
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        let bytes = STANDARD.decode(encoded).ok().filter(|bytes| bytes.len() >= SHORTEST_KEY).ok_or_else(|| {
            Invalid::new(format!(
                "the signing key is not one: {SHORTEST_KEY} bytes or more in base64 are expected, with or without `whsec_` \
                 before them"
            ))
        })?;
        let encoded = Secret::<String>::from(encoded);
        let signer =
            standardwebhooks::Webhook::from_bytes(bytes).map_err(|_| Invalid::new("the signing key is not one"))?;
        Ok(Self { address, proof: Proof::Signature(signer), redactor: Redactor::new([&encoded]) })
    }

    /// An application of Svix. Without an address the server is that of the token's region.
    ///
    /// # Errors
    /// A token that no header can carry, an application or an address that leads to another place of the API; the error
    /// does not repeat the token.
    pub fn svix(server: Option<Address>, application: &str, token: &Secret<String>) -> Result<Self, Invalid> {
        let text = token.expose().trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Invalid::new("the token of Svix is empty, or holds a space or a character outside ASCII"));
        }
        let server = server.map_or_else(|| region_server(text).parse(), Ok)?;
        let address = svix_messages(server, application)?;
        let token = Secret::<String>::from(text);
        let redactor = Redactor::new([&token]);
        Ok(Self { address, proof: Proof::Svix(token), redactor })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    fn body(&self, delivery: &Delivery) -> String {
        match &self.proof {
            Proof::Signature(_) => delivery.payload.to_string(),
            Proof::Svix(_) => {
                json!({ "eventType": EVENT_TYPE, "eventId": delivery.id, "payload": delivery.payload }).to_string()
            }
        }
    }

    /// The headers of one attempt. The time is that of the attempt: receivers refuse old ones.
    fn headers(&self, id: &str, now: SystemTime, body: &str) -> Result<HeaderMap, Kind> {
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        match &self.proof {
            Proof::Signature(signer) => {
                let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                let timestamp = i64::try_from(seconds).unwrap_or(i64::MAX);
                let signature = signer.sign(id, timestamp, body.as_bytes()).map_err(|_| Kind::Unsigned)?;
                // Svix's own libraries look for its names before those of the standard; the scheme is the same.
                for prefix in ["webhook", "svix"] {
                    for (name, value) in [("id", id), ("timestamp", &timestamp.to_string()), ("signature", &signature)]
                    {
                        insert(&mut headers, &format!("{prefix}-{name}"), value)?;
                    }
                }
            }
            Proof::Svix(token) => {
                let mut value =
                    HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| Kind::Unsigned)?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
        }
        Ok(headers)
    }

    /// What the answer says of the event when it is there. Svix refuses an id that it has.
    fn receipt(&self, status: u16) -> Option<Receipt> {
        match status {
            200..=299 => Some(Receipt::New),
            409 if matches!(self.proof, Proof::Svix(_)) => Some(Receipt::Known),
            _ => None,
        }
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Kind> {
    let name = HeaderName::try_from(name).map_err(|_| Kind::Unsigned)?;
    headers.insert(name, HeaderValue::try_from(value).map_err(|_| Kind::Unsigned)?);
    Ok(())
}

/// Where Svix takes the messages of an application.
///
/// # Errors
/// Parts that URLs give a meaning of their own.
pub fn svix_messages(server: Address, application: &str) -> Result<Address, Invalid> {
    // These two segments are steps in the path, however they are encoded.
    if matches!(application, "" | "." | "..") {
        return Err(Invalid::new(format!("`{application}` is no application of Svix: `app_…` or its uid is expected")));
    }
    let Address(mut url) = server;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Invalid::new(
            "the address of the server of Svix holds a `?` or a `#`, which would swallow the path of the API: \
             `https://api.eu.svix.com` is expected",
        ));
    }
    let Ok(mut segments) = url.path_segments_mut() else {
        return Err(Invalid::new("the address of the server of Svix has no path"));
    };
    segments.pop_if_empty().extend(["api", "v1", "app", application, "msg", ""]);
    drop(segments);
    Ok(Address(url))
}

/// A token of Svix ends with its region.
fn region_server(token: &str) -> String {
    let region = token.rsplit_once('.').map(|(_, region)| region);
    match region.filter(|region| ["us", "eu", "in", "ca", "au"].contains(region)) {
        Some(region) => format!("https://api.{region}.svix.com"),
        None => "https://api.svix.com".to_owned(),
    }
}

/// How a receiver came to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It took the event from us now
    New,
    /// It had one with this id before, and took nothing
    Known,
}

/// One event for one receiver.
#[derive(Debug)]
pub struct Delivery {
    /// Id of the event: the same for every attempt
    pub id: String,
    /// The body of the webhook
    pub payload: Value,
    /// Time for all attempts together
    pub within: Duration,
}

/// What tells the time of an attempt.
pub type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Sends events. The HTTP client is built at the first one.
pub struct Sender {
    user_agent: String,
    retry: Retry,
    now: Now,
    http: OnceLock<reqwest::Client>,
}

impl Sender {
    /// Keeps what it needs; nothing is opened.
    pub fn new(user_agent: String, retry: Retry, now: Now) -> Self {
        Self { user_agent, retry, now, http: OnceLock::new() }
    }

    /// Sends until the receiver has the event, or refuses it, or the time is over.
    ///
    /// # Errors
    /// What the last attempt came to.
    pub async fn deliver(&self, receiver: &Receiver, delivery: &Delivery) -> Result<Receipt, Error> {
        let start = Instant::now();
        let left = || delivery.within.saturating_sub(start.elapsed());
        let (mut attempt, mut may_be_there) = (1, false);
        loop {
            let failure = match self.attempt(receiver, delivery, left()).await {
                // What it has is what it took from an attempt whose answer was lost.
                Ok(Receipt::Known) if may_be_there => return Ok(Receipt::New),
                Ok(receipt) => return Ok(receipt),
                Err(failure) => failure,
            };
            may_be_there |= matches!(failure.kind, Kind::Late { .. } | Kind::Unreachable { .. });
            let pause = self.retry.pause(attempt, failure.asked);
            let address = receiver.address.to_string();
            if !failure.is_passing || pause.saturating_add(SHORTEST_RETRY) > left() {
                return Err(Error { address, event: delivery.id.clone(), attempts: attempt, kind: failure.kind });
            }
            tracing::debug!(address, event = delivery.id, attempt, ?pause, reason = %failure.kind, "an event is sent again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, receiver: &Receiver, delivery: &Delivery, left: Duration) -> Result<Receipt, Failure> {
        let body = receiver.body(delivery);
        let headers = receiver.headers(&delivery.id, (self.now)(), &body).map_err(Failure::last)?;
        let time = ATTEMPT.min(left);
        let request = self.http()?.post(receiver.address.0.clone()).headers(headers).body(body).timeout(time);
        let mut response = request.send().await.map_err(|error| transport(error, time))?;
        let status = response.status().as_u16();
        tracing::debug!(address = %receiver.address, event = delivery.id, status, "an event was sent");
        if let Some(receipt) = receiver.receipt(status) {
            return Ok(receipt);
        }
        let asked = retry_after(response.headers(), (self.now)());
        let message = said(&mut response, &receiver.redactor).await;
        Err(Failure { kind: Kind::of(status, message), is_passing: is_passing(status), asked })
    }

    fn http(&self) -> Result<&reqwest::Client, Failure> {
        if let Some(client) = self.http.get() {
            return Ok(client);
        }
        let settings = HttpSettings { user_agent: self.user_agent.clone(), timeout: ATTEMPT, ca_bundle: Vec::new() };
        let client = http_client(&settings).map_err(|reason| Failure::last(Kind::Client { reason }))?;
        Ok(self.http.get_or_init(|| client))
    }
}

struct Failure {
    kind: Kind,
    is_passing: bool,
    asked: Option<Duration>,
}

impl Failure {
    fn last(kind: Kind) -> Self {
        Self { kind, is_passing: false, asked: None }
    }
}

/// An attempt without an answer.
fn transport(error: reqwest::Error, time: Duration) -> Failure {
    let late = error.is_timeout() && !error.is_connect();
    let error = error.without_url();
    if let Some(reason) = certificate_reason(&error) {
        return Failure::last(Kind::Tls { reason });
    }
    let kind = if late { Kind::Late { after: time } } else { Kind::Unreachable { reason: innermost(&error) } };
    Failure { kind, is_passing: true, asked: None }
}

/// What the receiver said, as far as it is looked at, cleaned before it is cut, on one line.
async fn said(response: &mut Response, redactor: &Redactor) -> String {
    let (mut bytes, mut is_whole) = (Vec::new(), false);
    while bytes.len() <= LARGEST_ANSWER && !is_whole {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => is_whole = true,
            Err(_) => break,
        }
    }
    is_whole &= bytes.len() <= LARGEST_ANSWER;
    bytes.truncate(LARGEST_ANSWER);
    let cleaned = redactor.clean_bytes(&bytes, !is_whole);
    let line = cleaned.split_whitespace().collect::<Vec<_>>().join(" ");
    // A terminal would obey escape sequences, and who answers is somebody else.
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    line.chars().take(LONGEST_MESSAGE).map(shown).collect()
}

/// `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = SystemTime::from(jiff::fmt::rfc2822::parse(text).ok()?.timestamp());
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let key = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let receiver = Receiver::endpoint("https://h.example.com".parse().unwrap(), &key).unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_614_265_330);
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let headers = receiver.headers(id, now, r#"{"test": 2432232314}"#).ok().unwrap();
        for prefix in ["webhook", "svix"] {
            assert_eq!(headers[format!("{prefix}-id").as_str()], id);
            assert_eq!(headers[format!("{prefix}-timestamp").as_str()], "1614265330");
            let signature = &headers[format!("{prefix}-signature").as_str()];
            assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        }
    }

    #[test]
    fn an_application_of_svix_is_one_segment_below_the_server() {
        let address =
            |server: &str, application| Ok(svix_messages(server.parse::<Address>()?, application)?.0.to_string());
        for (server, application, expected) in [
            ("https://s.example.com", "app_1", "https://s.example.com/api/v1/app/app_1/msg/"),
            (
                "https://s.example.com/svix/",
                "a/../b?c#d e",
                "https://s.example.com/svix/api/v1/app/a%2F..%2Fb%3Fc%23d%20e/msg/",
            ),
            ("https://s.example.com/svix", "%2e%2E", "https://s.example.com/svix/api/v1/app/%252e%252E/msg/"),
        ] {
            assert_eq!(address(server, application).map_err(|e: Invalid| e.to_string()), Ok(expected.to_owned()));
        }
        for (server, application, why) in [
            ("https://s.example.com", "..", "no application"),
            ("https://s.example.com", ".", "no application"),
            ("https://s.example.com/?a=hunter2", "app_1", "a `?` or a `#`"),
            ("https://s.example.com/#hunter2", "app_1", "a `?` or a `#`"),
        ] {
            let error = address(server, application).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_address_has_no_user_and_is_shown_without_its_path_and_query() {
        let address: Address = "https://h.example.com:8443/services/hunter2?token=hunter2#x".parse().unwrap();
        assert_eq!((address.to_string().as_str(), address.is_clear_text()), ("https://h.example.com:8443/…", false));
        assert_eq!("https://h.example.com".parse::<Address>().unwrap().to_string(), "https://h.example.com");
        assert!("http://h.example.com".parse::<Address>().unwrap().is_clear_text());
        assert!(!"http://127.0.0.1:8080/a".parse::<Address>().unwrap().is_clear_text());
        for text in ["", "h.example.com", "ftp://h.example.com", "https://u:hunter2@h.example.com"] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("is expected") && !error.contains("hunter2"), "{error}");
        }
    }
}
