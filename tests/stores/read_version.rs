//! What readers get of a secret in Vault by the stage that they ask for.

use rdsaccess::access::{SecretRef, SecretStage};
use rdsaccess::store::{Error, Fault, Version, VersionId, vault};
use serde_json::json;

use crate::bench::{Bench, prove, put};

use SecretStage::{Current, Pending, Previous};

async fn read(bench: &Bench, secret_ref: &SecretRef, stage: SecretStage) -> Result<Version, Error> {
    vault::read_version(&bench.vault(), secret_ref, stage).await
}

/// The password and the id of a version that is there.
async fn found(bench: &Bench, secret_ref: &SecretRef, stage: SecretStage) -> (String, Option<VersionId>) {
    let version = read(bench, secret_ref, stage).await.unwrap();
    (version.contents.password.unwrap().expose().clone(), version.id)
}

async fn is_missing(bench: &Bench, secret_ref: &SecretRef, stage: SecretStage) -> bool {
    matches!(read(bench, secret_ref, stage).await.unwrap_err().fault, Fault::NoVersion(named) if named == stage)
}

#[tokio::test]
async fn version_2_gives_the_current_the_pending_and_the_previous_one() {
    let bench = Bench::kv2().await;
    let (store, place) = (bench.store(), bench.place("hoop_ro"));
    let (secret_ref, first) = prove(&*store, &place, "first").await;
    assert_eq!(found(&bench, &secret_ref, Current).await, ("first".to_owned(), Some(first.clone())));
    for stage in [Pending, Previous] {
        assert!(is_missing(&bench, &secret_ref, stage).await, "{stage}");
    }

    let second = put(&*store, &place, "second").await.unwrap().pending.unwrap();
    assert_eq!(found(&bench, &secret_ref, Current).await, ("first".to_owned(), Some(first.clone())));
    assert_eq!(found(&bench, &secret_ref, Pending).await, ("second".to_owned(), Some(second.clone())));

    store.promote(&secret_ref, &second).await.unwrap();
    assert_eq!(found(&bench, &secret_ref, Current).await, ("second".to_owned(), Some(second.clone())));
    assert_eq!(found(&bench, &secret_ref, Previous).await, ("first".to_owned(), Some(first.clone())));
    assert!(is_missing(&bench, &secret_ref, Pending).await);

    prove(&*store, &place, "third").await;
    assert_eq!(found(&bench, &secret_ref, Previous).await, ("second".to_owned(), Some(second)), "and no older one");
    let SecretRef::Vault { mount, path, .. } = &secret_ref else { panic!("{secret_ref}") };
    let destroy = json!({ "versions": [2] });
    assert_eq!(bench.server.request("POST", &format!("{mount}/destroy/{path}"), &destroy).await.0, 204);
    let by_number = ("first".to_owned(), Some(VersionId("1".to_owned())));
    assert_eq!(found(&bench, &secret_ref, Previous).await, by_number, "the ids of older ones are not kept");
}

#[tokio::test]
async fn version_1_gives_the_current_and_the_pending_one() {
    let bench = Bench::kv1().await;
    let (store, place) = (bench.store(), bench.place("hoop_ro"));
    let (secret_ref, first) = prove(&*store, &place, "first").await;
    let second = put(&*store, &place, "second").await.unwrap().pending.unwrap();
    assert_eq!(found(&bench, &secret_ref, Current).await, ("first".to_owned(), Some(first)));
    assert_eq!(found(&bench, &secret_ref, Pending).await, ("second".to_owned(), Some(second.clone())));
    store.promote(&secret_ref, &second).await.unwrap();
    assert_eq!(found(&bench, &secret_ref, Current).await, ("second".to_owned(), Some(second)));
    for stage in [Pending, Previous] {
        assert!(is_missing(&bench, &secret_ref, stage).await, "{stage}");
    }
}

#[tokio::test]
async fn one_of_ours_that_no_login_has_proven_is_given_only_to_who_asks_for_it() {
    for bench in [Bench::kv2().await, Bench::kv1().await] {
        let (store, place) = (bench.store(), bench.place("hoop_ro"));
        let held = put(&*store, &place, "first").await.unwrap();
        let error = read(&bench, &held.secret_ref, Current).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Unproven), "{error}");
        let pending = found(&bench, &held.secret_ref, Pending).await;
        assert_eq!(pending, ("first".to_owned(), held.pending.clone()));

        // A promotion that is cut off after it wrote the current value: readers of ours get the proven one or none.
        promote_until_written(&bench, &held.secret_ref, held.pending.as_ref().unwrap()).await;
        assert_eq!(bench.seen_by_readers(&held.secret_ref).await.as_deref(), Some("first"));
        let error = read(&bench, &held.secret_ref, Current).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Unproven), "{error}");
        assert_eq!(found(&bench, &held.secret_ref, Pending).await.0, "first");
    }
}

/// Promotes, and refuses to clear the pending path away.
async fn promote_until_written(bench: &Bench, secret_ref: &SecretRef, version: &VersionId) {
    for (method, path) in [("POST", "secret/destroy/*"), ("DELETE", "kv/*.pending")] {
        let order = json!({ "method": method, "path": path, "n": -1, "status": 418, "errors": ["killed"] });
        bench.server.steer("POST", "faults", &order).await;
    }
    bench.store().promote(secret_ref, version).await.unwrap_err();
    bench.revive().await;
}

#[tokio::test]
async fn a_secret_of_somebody_else_is_read_as_it_is_and_has_no_id() {
    let bench = Bench::kv2().await;
    for (mount, body) in [
        ("secret/data", json!({"data": {"username": "dba", "password": "theirs", "port": 5433}})),
        ("kv", json!({"username": "dba", "password": "theirs", "port": 5433})),
    ] {
        bench.server.request("POST", &format!("{mount}/team/db"), &body).await;
        bench.server.request("POST", &format!("{mount}/team/db.pending"), &body).await;
    }
    for text in ["vault:kv2::secret:team/db", "vault:kv1::kv:team/db"] {
        let secret_ref: SecretRef = text.parse().unwrap();
        let version = read(&bench, &secret_ref, Current).await.unwrap();
        assert_eq!((version.id, version.contents.port), (None, Some(5433)), "{text}");
        assert_eq!(version.contents.password.unwrap().expose(), "theirs");
        assert!(is_missing(&bench, &secret_ref, Pending).await, "{text}: what lies beside it is not ours");
        assert!(is_missing(&bench, &secret_ref, Previous).await, "{text}");
    }
    let newer = json!({"data": {"password": "newer"}});
    bench.server.request("POST", "secret/data/team/db", &newer).await;
    let secret_ref = "vault:kv2::secret:team/db".parse().unwrap();
    assert_eq!(found(&bench, &secret_ref, Current).await.0, "newer", "a password without a user");
    assert_eq!(found(&bench, &secret_ref, Previous).await, ("theirs".to_owned(), None));
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let bench = Bench::kv2().await;
    for text in ["vault:kv2::secret:team/none", "vault:kv1::kv:team/none"] {
        let secret_ref: SecretRef = text.parse().unwrap();
        let error = read(&bench, &secret_ref, Current).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Gone) && error.to_string().contains(text), "{error}");
        assert!(is_missing(&bench, &secret_ref, Pending).await && is_missing(&bench, &secret_ref, Previous).await);
    }
}
