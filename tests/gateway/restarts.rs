//! A gateway that is away while a connection is made.

use rdsaccess::gateway::{Creation, Kind};
use serde_json::json;

use crate::rig::Rig;

const POST: &str = "/api/connections";

/// The call that proves the first `404` of a process.
const PROOF: &str = "GET /api/userinfo 200";

#[tokio::test]
async fn a_post_is_repeated_once_a_look_has_shown_that_nothing_was_made() {
    let rig = Rig::start();
    let (gateway, spec) = (rig.gateway(), rig.spec("ledger-ro").await);
    // A name that is taken and free again when one looks was that of a connection which is gone by now.
    for fault in [json!({"status": 503}), json!({"status": 504}), json!({"drop": true}), json!({"status": 409})] {
        let mut fault = fault.clone();
        (fault["method"], fault["path"]) = (json!("POST"), json!(POST));
        rig.fault(fault.clone()).await;
        rig.forget_log().await;
        let made = gateway.create_or_find_connection(&spec).await.unwrap();
        assert!(matches!(made, Creation::Made(_)), "{fault}: {made:?}");
        let mut calls = rig.calls().await;
        calls.retain(|call| call != PROOF);
        assert_eq!(calls[1..3], ["GET /api/connections/ledger-ro 404", "POST /api/connections 201"], "{fault}");
        gateway.delete_connection("ledger-ro").await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_was_made_though_the_answer_was_lost_is_found_and_not_made_twice() {
    let rig = Rig::start();
    let (gateway, spec) = (rig.gateway(), rig.spec("ledger-ro").await);
    rig.fault(json!({"method": "POST", "path": POST, "status": 503, "when": "after"})).await;
    rig.forget_log().await;
    let Creation::Found(found, why) = gateway.create_or_find_connection(&spec).await.unwrap() else {
        panic!("made twice")
    };
    assert_eq!(found.id, rig.stored("ledger-ro").await["id"].as_str().unwrap());
    assert!(!why.is_conflict(), "{why}");
    assert_eq!(rig.calls().await, ["POST /api/connections 503", "GET /api/connections/ledger-ro 200"]);

    let Creation::Found(_, why) = gateway.create_or_find_connection(&spec).await.unwrap() else { panic!("made twice") };
    assert!(why.is_conflict(), "{why}");
}

#[tokio::test]
async fn the_attempts_end_and_what_no_repetition_mends_is_not_repeated() {
    let rig = Rig::start();
    let (gateway, spec) = (rig.gateway(), rig.spec("ledger-ro").await);
    for (status, posts) in [(503, 3), (500, 1), (422, 1), (403, 1)] {
        rig.fault(json!({"method": "POST", "path": POST, "n": posts, "status": status})).await;
        rig.forget_log().await;
        let error = gateway.create_or_find_connection(&spec).await.unwrap_err();
        assert_eq!(matches!(error.kind, Kind::Server { .. }), status >= 500, "{error}");
        let made = rig.calls().await.iter().filter(|call| call.starts_with("POST ")).count();
        assert_eq!(made, posts, "{status}");
    }
    assert!(rig.stored("ledger-ro").await.is_null());
}
