//! What the gateway refuses, and what becomes of failures in between.

use std::collections::BTreeSet;

use rdsaccess::gateway::{ConnectionSpec, EnvValue, Error, Gateway, Kind, PASS, Setting};
use rdsaccess::report::Report;
use serde_json::json;

use crate::rig::{READER, Rig};

fn explained(error: &Error) -> String {
    let report = Report::of(error);
    format!("{}\n{}", report.summary, report.detail)
}

#[tokio::test]
async fn a_wrong_token_and_a_token_without_rights_are_told_apart() {
    let rig = Rig::start();
    let spec = rig.spec("ledger-ro").await;
    for token in ["hpk_unknown", "1f0e|unknown", "xapi-unknown"] {
        let error = Gateway::new(rig.settings(token)).agents().await.unwrap_err();
        assert!(matches!(error.kind, Kind::Unauthorized { .. }), "{token}: {error}");
        assert!(explained(&error).contains("HOOP_APIKEY") && !explained(&error).contains("unknown"));
    }
    let error = Gateway::new(rig.settings(READER)).create_connection(&spec).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Forbidden { .. }), "{error}");
    assert!(explained(&error).contains("group `admin`"));
    let legacy = format!("{}|legacy-key", rig.org_id);
    assert_eq!(Gateway::new(rig.settings(&legacy)).agents().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_expiring_jwt_is_replaced_by_the_one_that_the_gateway_gives() {
    let rig = Rig::start();
    rig.steer("POST", "tokens", json!({"token": "eyJa.first.x", "groups": ["admin"], "next": "eyJa.second.x"})).await;
    let gateway = Gateway::new(rig.settings("eyJa.first.x"));
    for _ in 0..3 {
        assert_eq!(gateway.agents().await.unwrap().len(), 1);
    }
    let error = Gateway::new(rig.settings("eyJa.first.x")).agents().await.unwrap_err();
    assert!(explained(&error).contains("it has expired"), "{}", explained(&error));
    assert_eq!(gateway.clone().agents().await.unwrap().len(), 1, "a clone knows the new one");
}

#[tokio::test]
async fn a_taken_name_is_a_conflict() {
    let rig = Rig::start();
    let spec = rig.spec("ledger-ro").await;
    rig.gateway().create_connection(&spec).await.unwrap();
    let error = rig.gateway().create_connection(&spec).await.unwrap_err();
    assert!(error.is_conflict() && !error.may_have_happened());
    assert!(explained(&error).contains("Connection `ledger-ro`") && explained(&error).contains("Import"));
}

#[tokio::test]
async fn the_gateways_own_words_reach_the_reader_when_it_refuses() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let spec = rig.spec("ledger-ro").await;
    gateway.create_connection(&spec).await.unwrap();
    rig.change("ledger-ro", json!({"tags": ["-broken-"]})).await;
    let changed = ConnectionSpec { reviewers: Setting::Set(BTreeSet::from(["dba".to_owned()])), ..spec.clone() };
    let error = gateway.update_connection(&changed).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Refused { status: 422, .. }), "{error}");
    assert!(explained(&error).contains("tags: values must contain"), "{}", explained(&error));

    let unknown = BTreeSet::from(["b19bba55-8646-4d94-a40a-c3afe2f4bafd".to_owned()]);
    let other = ConnectionSpec { guardrail_rules: Setting::Set(unknown), name: "ledger-rw".to_owned(), ..spec };
    rig.forget_log().await;
    let error = gateway.create_connection(&other).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Server { status: 500, .. }), "{error}");
    assert!(explained(&error).contains("guardrail rule"), "{}", explained(&error));
    assert_eq!(rig.calls().await, ["POST /api/connections 500"]);
}

#[tokio::test]
async fn invalid_values_never_leave_the_provider() {
    let rig = Rig::start();
    let spec = ConnectionSpec { name: "ledger--ro".to_owned(), ..rig.spec("ledger-ro").await };
    rig.forget_log().await;
    let error = rig.gateway().create_connection(&spec).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Invalid(_)), "{error}");
    assert!(rig.calls().await.is_empty());
}

#[tokio::test]
async fn a_gateway_that_is_away_for_a_moment_is_asked_again_and_then_given_up() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    for status in [429, 502, 503, 504] {
        rig.forget_log().await;
        rig.fault(json!({"method": "GET", "n": 2, "status": status})).await;
        gateway.agents().await.unwrap();
        let failed = format!("GET /api/agents {status}");
        assert_eq!(rig.calls().await, [failed.as_str(), failed.as_str(), "GET /api/agents 200"]);
    }
    rig.fault(json!({"n": 99, "status": 503, "body": {"message": "maintenance"}})).await;
    rig.forget_log().await;
    let error = gateway.agents().await.unwrap_err();
    assert_eq!(error.kind, Kind::Server { status: 503, message: "maintenance".to_owned() });
    assert!(error.is_unreachable());
    assert_eq!(rig.calls().await.len(), 3);
}

#[tokio::test]
async fn a_post_is_repeated_after_429_only() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let spec = rig.spec("ledger-ro").await;
    rig.fault(json!({"method": "POST", "n": 1, "status": 503})).await;
    rig.forget_log().await;
    let error = gateway.create_connection(&spec).await.unwrap_err();
    assert!(error.may_have_happened(), "{error}");
    assert_eq!(rig.calls().await, ["POST /api/connections 503"]);

    rig.fault(json!({"method": "POST", "n": 1, "status": 429, "headers": {"Retry-After": "0"}})).await;
    gateway.create_connection(&spec).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_to_a_write_says_that_it_may_have_happened() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let mut spec = rig.spec("ledger-ro").await;
    rig.fault(json!({"method": "POST", "drop": true, "when": "after"})).await;
    let error = gateway.create_connection(&spec).await.unwrap_err();
    assert!(error.may_have_happened() && error.is_unreachable(), "{error}");
    assert!(gateway.get_connection("ledger-ro").await.unwrap().is_some());

    // PUT and DELETE are repeated; the second DELETE finds nothing and is a success all the same.
    spec.env.insert(PASS.to_owned(), EnvValue::Secret("s3cret".into()));
    for method in ["PUT", "DELETE"] {
        rig.fault(json!({"method": method, "drop": true, "when": "after"})).await;
    }
    gateway.update_connection(&spec).await.unwrap();
    assert_eq!(rig.stored("ledger-ro").await["secret"]["envvar:PASS"], "czNjcmV0");
    gateway.delete_connection("ledger-ro").await.unwrap();
    assert!(rig.stored("ledger-ro").await.is_null());
}

#[tokio::test]
async fn a_write_that_succeeded_is_no_error_when_it_cannot_be_read_again() {
    let rig = Rig::start();
    let spec = rig.spec("ledger-ro").await;
    rig.fault(json!({"method": "GET", "path": "/api/connections/*", "n": 99, "status": 503})).await;
    let made = rig.gateway().create_connection(&spec).await.unwrap();
    assert_eq!(made.id, rig.stored("ledger-ro").await["id"].as_str().unwrap());
}

#[tokio::test]
async fn a_secret_that_the_gateway_repeats_does_not_reach_the_error() {
    let rig = Rig::start();
    let mut spec = rig.spec("ledger-ro").await;
    spec.env.insert(PASS.to_owned(), EnvValue::Secret("s3cret-value".into()));
    let echo = "cannot store s3cret-value (czNjcmV0LXZhbHVl) of hpk_admin_of_the_fake";
    rig.fault(json!({"method": "POST", "status": 500, "body": {"message": echo}})).await;
    let error = rig.gateway().create_connection(&spec).await.unwrap_err();
    let text = format!("{} {error:?}", explained(&error));
    assert!(text.contains("cannot store ***"), "{text}");
    for secret in ["s3cret-value", "czNjcmV0LXZhbHVl", "hpk_admin"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_404_that_is_not_the_gateways_own_does_not_mean_gone() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    for body in [json!("<html>404</html>"), json!({})] {
        rig.fault(json!({"status": 404, "body": body})).await;
        let error = gateway.get_connection("ledger-ro").await.unwrap_err();
        assert_eq!(error.kind, Kind::Unexpected { status: 404, location: None });
        rig.fault(json!({"status": 404, "body": body})).await;
        assert!(gateway.delete_connection("ledger-ro").await.is_err());
    }
}

/// What the proxies of others say where they have no route, in the gateway's own form.
const FOREIGN: [&str; 3] = ["no Route matched with those values", "Not Found", "404 page not found"];

#[tokio::test]
async fn a_404_of_a_proxy_in_the_gateways_form_does_not_mean_gone() {
    let rig = Rig::start();
    let spec = rig.spec("ledger-ro").await;
    rig.gateway().create_connection(&spec).await.unwrap();
    for message in FOREIGN {
        let gateway = rig.gateway();
        rig.fault(json!({"n": 99, "status": 404, "body": {"message": message}})).await;
        let errors = [
            gateway.get_connection("ledger-ro").await.unwrap_err(),
            gateway.delete_connection("ledger-ro").await.unwrap_err(),
            gateway.update_connection(&spec).await.unwrap_err(),
            gateway.resource("ledger-ro", "ledger-ro").await.unwrap_err(),
            gateway.agent("lab").await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error.kind, Kind::NotTheGateway { .. }), "{error}");
            let said = explained(&error);
            for words in [message, "GET /userinfo at the same address", "Something in between", "HOOP_APIURL"] {
                assert!(said.contains(words), "{words} is not in {said}");
            }
        }
        rig.steer("DELETE", "faults", json!(null)).await;
        assert!(gateway.get_connection("ledger-ro").await.unwrap().is_some());
        assert!(gateway.get_connection("ledger-rw").await.unwrap().is_none(), "a refused proof is tried again");
    }
}

#[tokio::test]
async fn a_404_is_proven_once_by_a_call_that_needs_the_token() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    rig.forget_log().await;
    for name in ["ledger-ro", "ledger-rw"] {
        assert!(gateway.clone().get_connection(name).await.unwrap().is_none());
    }
    let gone = |name: &str| format!("GET /api/connections/{name} 404");
    assert_eq!(rig.calls().await, [gone("ledger-ro"), "GET /api/userinfo 200".to_owned(), gone("ledger-rw")]);

    for (status, said) in [(401, "does not know the token"), (403, "may not do this"), (503, "maintenance")] {
        let gateway = rig.gateway();
        rig.fault(json!({"path": "/api/connections/*", "status": 404, "body": {"message": "Not Found"}})).await;
        let fault = json!({"path": "/api/userinfo", "n": 3, "status": status, "body": {"message": "maintenance"}});
        rig.fault(fault).await;
        let error = gateway.get_connection("ledger-ro").await.unwrap_err();
        assert!(error.to_string().contains(said) && error.call.connection.as_deref() == Some("ledger-ro"), "{error}");
        assert_eq!(error.is_unreachable(), status == 503);
        rig.steer("DELETE", "faults", json!(null)).await;
    }
    for body in [json!([]), json!({"status": "ok"}), json!("<html>log in</html>")] {
        rig.fault(json!({"path": "/api/connections/*", "status": 404, "body": {"message": "Not Found"}})).await;
        rig.fault(json!({"path": "/api/userinfo", "status": 200, "body": body})).await;
        let error = rig.gateway().get_connection("ledger-ro").await.unwrap_err();
        assert!(matches!(error.kind, Kind::NotTheGateway { .. }), "{body}: {error}");
    }
}

#[tokio::test]
async fn a_token_that_does_not_see_everything_cannot_tell_what_is_gone() {
    let rig = Rig::start();
    rig.gateway().create_connection(&rig.spec("ledger-ro").await).await.unwrap();
    rig.toggle("access_control", true).await;
    let reader = Gateway::new(rig.settings(READER));
    for name in ["ledger-ro", "ledger-rw"] {
        let error = reader.get_connection(name).await.unwrap_err();
        assert_eq!(error.kind, Kind::MaybeHidden);
        assert!(explained(&error).contains("group `admin`"), "{}", explained(&error));
    }
    assert!(rig.gateway().get_connection("ledger-rw").await.unwrap().is_none());
    rig.steer("POST", "tokens", json!({"token": "hpk_auditor", "groups": ["auditor"]})).await;
    let auditor = Gateway::new(rig.settings("hpk_auditor"));
    assert!(auditor.get_connection("ledger-ro").await.unwrap().is_some());
    assert!(auditor.get_connection("ledger-rw").await.unwrap().is_none());
    rig.toggle("access_control", false).await;
    let reader = Gateway::new(rig.settings(READER));
    assert!(reader.get_connection("ledger-ro").await.unwrap().is_some());
    assert!(reader.get_connection("ledger-rw").await.unwrap().is_none());
}

#[tokio::test]
async fn an_answer_that_is_no_json_points_at_the_address() {
    let rig = Rig::start();
    rig.fault(json!({"status": 200, "body": "<html>log in</html>"})).await;
    let error = rig.gateway().agents().await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreadable { reason: "a web page came back".to_owned() });
    rig.fault(json!({"status": 200, "body": [{"id": "s3cret", "name": 7}]})).await;
    let error = rig.gateway().agents().await.unwrap_err();
    assert!(explained(&error).contains("HOOP_APIURL") && !explained(&error).contains("s3cret"));
}
