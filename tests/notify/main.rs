//! Telling others, against a receiver on this machine: signatures, attempts, refusals.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the support modules run only inside tests, where a panic is the report"
)]

#[path = "../fakes/receiver.rs"]
mod receiver;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdsaccess::access::Secret;
use rdsaccess::notify::{Delivery, Error, Kind, Receipt, Receiver as Wanted, Retry, Sender};
use rdsaccess::report::Report;
use serde_json::json;

use receiver::{Answer, Receiver, verify};

/// `whsec_` and `a key of Standard Webhooks!` in base64.
const KEY: &str = "whsec_YSBrZXkgb2YgU3RhbmRhcmQgV2ViaG9va3Mh";
const OTHER_KEY: &str = "whsec_YW5vdGhlciBrZXkgb2YgdGhlIHJlY2VpdmVy";

fn python() -> Command {
    let own = std::env::var_os("RDSACCESS_PYTHON").map(Into::into);
    Command::new(own.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python")))
}

/// Pauses that no test has to wait for.
fn hasty() -> Retry {
    Retry { base: Duration::from_millis(1), longest: Duration::from_millis(2), jitter: Arc::new(|| 0) }
}

#[expect(clippy::disallowed_methods, reason = "receivers look at the real time")]
fn sender() -> Sender {
    Sender::new("test/1".to_owned(), hasty(), Arc::new(SystemTime::now))
}

fn delivery(within: Duration) -> Delivery {
    Delivery { id: "6f0d7f6a-3f5e-5a6c-8a2f-0d5f3d1c2b7a".to_owned(), payload: json!({"a": "ä"}), within }
}

fn endpoint(receiver: &Receiver, path: &str) -> Wanted {
    let address = format!("{}{path}", receiver.url).parse().unwrap();
    Wanted::endpoint(address, &Secret::from(KEY)).unwrap()
}

/// A sender whose HTTP client is made already: what follows has all of its time.
async fn warm_sender(receiver: &Receiver) -> Sender {
    let sender = sender();
    sender.deliver(&endpoint(receiver, "/"), &delivery(Duration::from_secs(60))).await.unwrap();
    sender
}

async fn deliver(wanted: &Wanted) -> Result<Receipt, Error> {
    sender().deliver(wanted, &delivery(Duration::from_secs(60))).await
}

#[tokio::test]
async fn the_signature_is_accepted_by_the_libraries_of_receivers_and_by_nobody_with_another_key() {
    let receiver = Receiver::start();
    deliver(&endpoint(&receiver, "/hook?team=pay")).await.unwrap();
    let taken = &receiver.taken()[0];
    assert_eq!(taken.line, "POST /hook?team=pay HTTP/1.1");
    assert_eq!((taken.body.as_str(), taken.headers["content-type"].as_str()), ("{\"a\":\"ä\"}", "application/json"));
    assert_eq!(taken.verified(python(), KEY), "standardwebhooks accepts\nsvix accepts\n");
    let refused = |secret: &str, headers: &BTreeMap<String, String>, body: &str| {
        let said = verify(python(), secret, headers, body);
        assert!(said.contains("standardwebhooks refuses") && said.contains("svix refuses"), "{said}");
    };
    refused(OTHER_KEY, &taken.headers, &taken.body);
    refused(KEY, &taken.headers, "{\"a\":\"b\"}");
    let mut other_id = taken.headers.clone();
    for name in ["webhook-id", "svix-id"] {
        other_id.insert(name.to_owned(), "another".to_owned());
    }
    refused(KEY, &other_id, &taken.body);
}

/// A receiver refuses what was recorded and is played again later: the time is signed.
#[tokio::test]
async fn every_attempt_is_signed_with_its_own_time_and_an_old_one_is_refused() {
    let receiver = Receiver::start();
    receiver.answers([Answer::Status(500, "", "")]);
    let times = Arc::new(Mutex::new(vec![1_700_000_060, 1_700_000_000]));
    let now = move || UNIX_EPOCH + Duration::from_secs(times.lock().unwrap().pop().unwrap_or(1_700_000_060));
    let sender = Sender::new("test/1".to_owned(), hasty(), Arc::new(now));
    sender.deliver(&endpoint(&receiver, "/"), &delivery(Duration::from_secs(60))).await.unwrap();
    let taken = receiver.taken();
    assert_eq!(taken[0].id(), taken[1].id());
    assert_eq!(taken[0].headers["webhook-timestamp"], "1700000000");
    assert_eq!(taken[1].headers["webhook-timestamp"], "1700000060");
    assert_ne!(taken[0].headers["webhook-signature"], taken[1].headers["webhook-signature"]);
    let said = taken[0].verified(python(), KEY);
    assert!(said.contains("standardwebhooks refuses: Message timestamp too old"), "{said}");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_with_the_same_id_and_body() {
    let receiver = Receiver::start();
    let passing = [408, 425, 429, 500, 502, 503, 504, 507];
    receiver.answers(passing.map(|status| Answer::Status(status, "", "")));
    receiver.answers([Answer::Lost]);
    deliver(&endpoint(&receiver, "/")).await.unwrap();
    let taken = receiver.taken();
    assert_eq!(taken.len(), passing.len() + 2);
    assert!(taken.iter().all(|one| (one.id(), &one.body) == (taken[0].id(), &taken[0].body)));
}

#[tokio::test]
async fn what_will_not_pass_is_tried_once() {
    let receiver = Receiver::start();
    for (status, kind) in [
        (400, Kind::Refused { status: 400, message: "no".to_owned() }),
        (401, Kind::Unauthorized { status: 401, message: "no".to_owned() }),
        (404, Kind::NotFound { message: "no".to_owned() }),
        (409, Kind::Refused { status: 409, message: "no".to_owned() }),
        (410, Kind::Gone { message: "no".to_owned() }),
    ] {
        receiver.answers([Answer::Status(status, "", "no")]);
        let before = receiver.taken().len();
        let error = deliver(&endpoint(&receiver, "/")).await.unwrap_err();
        assert_eq!((error.attempts, error.kind), (1, kind));
        assert_eq!(receiver.taken().len(), before + 1);
    }
}

/// A terminal that shows the error would obey them.
#[tokio::test]
async fn escape_sequences_of_a_receiver_do_not_reach_a_terminal() {
    let receiver = Receiver::start();
    receiver.answers([Answer::Status(400, "", "no\r\n\u{1b}[2Jgood\u{7}")]);
    let error = deliver(&endpoint(&receiver, "/")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused { status: 400, message: "no \u{fffd}[2Jgood\u{fffd}".to_owned() });
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (receiver, elsewhere) = (Receiver::start(), Receiver::start());
    let location: &'static str = Box::leak(format!("Location: {}/\r\n", elsewhere.url).into_boxed_str());
    for status in [301, 302, 307, 308] {
        receiver.answers([Answer::Status(status, location, "")]);
        let error = deliver(&endpoint(&receiver, "/")).await.unwrap_err();
        assert_eq!(error.kind, Kind::Redirect { status });
    }
    assert!(elsewhere.taken().is_empty());
}

#[tokio::test]
async fn a_pause_that_is_longer_than_the_time_left_is_not_waited_for() {
    let receiver = Receiver::start();
    receiver.answers([Answer::Status(503, "Retry-After: 3600\r\n", "at night")]);
    let error = deliver(&endpoint(&receiver, "/")).await.unwrap_err();
    assert_eq!((error.attempts, receiver.taken().len()), (1, 1));
    let text = Report::of(&error).to_string();
    assert!(text.contains("503: at night") && text.contains("1 attempt:"), "{text}");
}

#[tokio::test]
async fn a_pause_that_no_clock_can_tell_is_not_waited_for() {
    let receiver = Receiver::start();
    receiver.answers([Answer::Status(503, "Retry-After: 18446744073709551615\r\n", "")]);
    let sent = sender();
    let error = sent.deliver(&endpoint(&receiver, "/"), &delivery(Duration::from_secs(60))).await.unwrap_err();
    assert_eq!(error.attempts, 1);
}

#[tokio::test]
async fn a_date_in_retry_after_is_kept_to() {
    let receiver = Receiver::start();
    receiver.answers([Answer::Status(503, "Retry-After: Tue, 14 Nov 2023 22:13:20 GMT\r\n", "")]);
    let at_once = || UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let sent = Sender::new("test/1".to_owned(), hasty(), Arc::new(at_once));
    sent.deliver(&endpoint(&receiver, "/"), &delivery(Duration::from_secs(60))).await.unwrap();
    receiver.answers([Answer::Status(503, "Retry-After: Tue, 14 Nov 2023 22:13:20 GMT\r\n", "")]);
    let an_hour_before = || UNIX_EPOCH + Duration::from_secs(1_699_996_400);
    let sent = Sender::new("test/1".to_owned(), hasty(), Arc::new(an_hour_before));
    let error = sent.deliver(&endpoint(&receiver, "/"), &delivery(Duration::from_secs(60))).await.unwrap_err();
    assert_eq!(error.attempts, 1, "an hour is more than there is");
}

#[tokio::test]
async fn a_receiver_that_never_answers_costs_no_more_than_the_time_there_is() {
    let receiver = Receiver::start();
    let sender = warm_sender(&receiver).await;
    receiver.answers([Answer::Held]);
    let wanted = endpoint(&receiver, "/");
    let error = sender.deliver(&wanted, &delivery(Duration::from_secs(1))).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Late { .. }), "{error:?}");
}

#[tokio::test]
async fn no_attempt_is_made_that_has_no_time_for_an_answer() {
    let receiver = Receiver::start();
    let sender = warm_sender(&receiver).await;
    receiver.answers([Answer::Status(503, "", "at night")]);
    let wanted = endpoint(&receiver, "/");
    let error = sender.deliver(&wanted, &delivery(Duration::from_millis(999))).await.unwrap_err();
    assert_eq!((error.attempts, error.kind), (1, Kind::Busy { status: 503, message: "at night".to_owned() }));
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_named_without_its_path_and_query() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/hunter2/hook?key=hunter2").parse().unwrap();
    let wanted = Wanted::endpoint(url, &Secret::from(KEY)).unwrap();
    let sender = warm_sender(&Receiver::start()).await;
    let error = sender.deliver(&wanted, &delivery(Duration::from_secs(3))).await.unwrap_err();
    let text = format!("{} {error:?}", Report::of(&error));
    assert!(matches!(error.kind, Kind::Unreachable { .. }) && error.attempts > 1, "{text}");
    assert!(text.contains(&format!("POST http://{address}/… ")) && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_receiver_whose_certificate_nobody_vouches_for_gets_nothing() {
    let (receiver, _) = Receiver::start_tls();
    let error = deliver(&endpoint(&receiver, "/")).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Tls { .. }) && error.attempts == 1, "{error:?}");
    assert!(receiver.taken().is_empty());
}

#[tokio::test]
async fn svix_is_asked_with_its_token_and_says_that_it_knows_an_event() {
    let receiver = Receiver::start();
    let token = Secret::from("testsk_hunter2.eu");
    let wanted = Wanted::svix(Some(receiver.url.parse().unwrap()), "1f0e a", &token).unwrap();
    receiver.answers([Answer::Status(409, "", ""), Answer::Status(422, "", "what is testsk_hunter2.eu")]);
    assert_eq!(deliver(&wanted).await.unwrap(), Receipt::Known);
    let taken = &receiver.taken()[0];
    assert_eq!(taken.line, "POST /api/v1/app/1f0e%20a/msg/ HTTP/1.1");
    assert_eq!(taken.headers["authorization"], "Bearer testsk_hunter2.eu");
    assert!(!taken.headers.contains_key("webhook-signature"), "Svix signs for every endpoint");
    let expected = json!({
        "eventType": "dbroles.job.finished", "eventId": "6f0d7f6a-3f5e-5a6c-8a2f-0d5f3d1c2b7a", "payload": {"a": "ä"},
    });
    assert_eq!(taken.json(), expected);
    let text = Report::of(&deliver(&wanted).await.unwrap_err()).to_string();
    assert!(text.contains("422: what is ***") && !text.contains("hunter2"), "{text}");
}

/// An answer that was lost leaves open whether Svix took the event; an answer that it is busy does not.
#[tokio::test]
async fn an_event_that_svix_knows_from_an_attempt_without_answer_was_sent_by_us() {
    let receiver = Receiver::start();
    let wanted = Wanted::svix(Some(receiver.url.parse().unwrap()), "a", &Secret::from("testsk_x.eu")).unwrap();
    receiver.answers([Answer::Lost, Answer::Status(409, "", "")]);
    assert_eq!(deliver(&wanted).await.unwrap(), Receipt::New);
    receiver.answers([Answer::Status(503, "", ""), Answer::Status(409, "", "")]);
    assert_eq!(deliver(&wanted).await.unwrap(), Receipt::Known);
    assert_eq!(deliver(&wanted).await.unwrap(), Receipt::New);
}

/// Only so much of an answer is read, and a token that lies across the end of that is not shown either.
#[tokio::test]
async fn what_a_receiver_repeats_of_a_token_is_hidden_also_where_the_answer_is_cut() {
    let receiver = Receiver::start();
    let token = format!("testsk_{}.eu", "HUNTER".repeat(9));
    let wanted = Wanted::svix(Some(receiver.url.parse().unwrap()), "a", &Secret::from(token.as_str())).unwrap();
    for before in [20, 40, 60] {
        let answer = format!("{}{}", "x".repeat(before), format!("{token} ").repeat(100));
        receiver.answers([Answer::Status(400, "", Box::leak(answer.into_boxed_str()))]);
        let text = Report::of(&deliver(&wanted).await.unwrap_err()).to_string();
        assert!(text.contains("xxx***") && !text.contains("testsk") && !text.contains("HUNT"), "{text}");
    }
}

#[test]
fn without_an_address_the_region_of_the_token_names_the_server_of_svix() {
    let server = |token: &str| Wanted::svix(None, "a", &Secret::from(token)).unwrap().address().to_string();
    assert_eq!(server("sk_x.eu"), "https://api.eu.svix.com/…");
    assert_eq!(server("sk_x"), "https://api.svix.com/…");
    assert_eq!(server("sk_x.evil"), "https://api.svix.com/…");
}

#[test]
fn keys_and_tokens_that_are_none_are_refused_without_repeating_them() {
    let url = || "https://h.example.com".parse().unwrap();
    for key in ["", "whsec_", "whsec_hunter2", "whsec_aHVudGVyMg==", "hunter 2"] {
        let error = Wanted::endpoint(url(), &Secret::from(key)).err().unwrap().to_string();
        assert!(error.contains("24 bytes") && !error.contains("hunter") && !error.contains("aHVud"), "{error}");
    }
    for token in ["", " ", "hunter 2", "hünter2"] {
        let error = Wanted::svix(None, "a", &Secret::from(token)).err().unwrap().to_string();
        assert!(!error.contains("nter"), "{error}");
    }
    assert!(
        Wanted::endpoint(url(), &Secret::from("YSBrZXkgb2YgU3RhbmRhcmQgV2ViaG9va3Mh")).is_ok(),
        "the prefix may lack"
    );
}
