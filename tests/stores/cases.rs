//! What every store must do.

use std::time::{Duration, SystemTime};

use rdsaccess::access::Identifier;
use rdsaccess::report::Explain;
use rdsaccess::store::{Fault, Held, Place, Store, VersionId};
use serde_json::json;

use crate::bench::{Bench, Kind, TARGET, credential, prove, put, user};

/// More calls than any step makes.
const MANY: usize = 30;

async fn found(store: &dyn Store, place: &Place) -> Held {
    store.find(place).await.unwrap().expect("there is a secret")
}

async fn password(store: &dyn Store, held: &Held, version: Option<&VersionId>) -> String {
    store.value(&held.secret_ref, version.unwrap()).await.unwrap().password.expose().clone()
}

pub(crate) async fn a_secret_goes_from_pending_to_proven_under_one_id(bench: Bench) {
    let (store, place) = (bench.store(), bench.place("hoop_ro"));
    assert_eq!(store.find(&place).await.unwrap(), None);
    let held = put(&*store, &place, "first").await.unwrap();
    assert_eq!((held.proven.as_ref(), held.target.as_deref(), held.deleted), (None, Some(TARGET), false));
    assert_eq!(found(&*store, &place).await, held, "what was answered is what is found");
    assert_eq!(store.look(&held.secret_ref).await.unwrap(), Some(held.clone()));
    assert_eq!(password(&*store, &held, held.pending.as_ref()).await, "first");

    let first = held.pending.clone().unwrap();
    store.promote(&held.secret_ref, &first).await.unwrap();
    let proven = found(&*store, &place).await;
    assert_eq!((proven.proven.as_ref(), proven.pending.as_ref()), (Some(&first), None));
    assert_eq!(bench.seen_by_readers(&held.secret_ref).await.as_deref(), Some("first"));

    let second = put(&*store, &place, "second").await.unwrap();
    assert_eq!((second.proven.as_ref(), second.pending != second.proven), (Some(&first), true));
    assert_eq!(bench.seen_by_readers(&held.secret_ref).await.as_deref(), Some("first"), "nobody sees a pending value");
    assert_eq!(password(&*store, &second, second.proven.as_ref()).await, "first");
    assert_eq!(password(&*store, &second, second.pending.as_ref()).await, "second");
    let whole = store.value(&second.secret_ref, second.pending.as_ref().unwrap()).await.unwrap();
    assert_eq!(whole, credential("hoop_ro", "second"));

    store.promote(&second.secret_ref, second.pending.as_ref().unwrap()).await.unwrap();
    let proven = found(&*store, &place).await;
    assert_eq!((proven.proven, proven.pending), (second.pending, None));
    assert_eq!(bench.seen_by_readers(&held.secret_ref).await.as_deref(), Some("second"));
}

pub(crate) async fn every_call_may_be_repeated(bench: Bench) {
    let (store, place) = (bench.store(), bench.place("hoop_ro"));
    let (secret_ref, version) = prove(&*store, &place, "first").await;
    for _ in 0..2 {
        store.promote(&secret_ref, &version).await.unwrap();
        let held = found(&*store, &place).await;
        assert_eq!((held.proven.as_ref(), held.pending.as_ref()), (Some(&version), None));
        assert_eq!(bench.seen_by_readers(&secret_ref).await.as_deref(), Some("first"));
    }
    for _ in 0..2 {
        store.forget(&secret_ref).await.unwrap();
        assert!(store.look(&secret_ref).await.unwrap().is_none_or(|held| held.deleted));
        assert_eq!(bench.seen_by_readers(&secret_ref).await, None);
    }
    let other = "00000000-0000-4000-8000-000000000000".to_owned();
    assert!(store.promote(&secret_ref, &VersionId(other)).await.is_err(), "a version that is not there");
}

pub(crate) async fn a_pending_value_is_replaced_as_a_whole(bench: Bench) {
    let (store, place) = (bench.store(), bench.place("hoop_ro"));
    let first = put(&*store, &place, "first").await.unwrap();
    let second = put(&*store, &place, "second").await.unwrap();
    assert_ne!(first.pending, second.pending);
    assert_eq!(found(&*store, &place).await.pending, second.pending);
    let error = store.promote(&first.secret_ref, first.pending.as_ref().unwrap()).await;
    if bench.kind != Kind::SecretsManager {
        assert!(error.is_err(), "the value is not there any more");
        store.promote(&second.secret_ref, second.pending.as_ref().unwrap()).await.unwrap();
        assert_eq!(bench.readable_at_pending(&second.secret_ref).await, Vec::<String>::new());
    }
}

/// Runs a rotation that is killed after `calls` calls, for every number of calls, and goes on with a new process.
pub(crate) async fn it_is_killed_after_every_call_and_goes_on(bench: Bench) {
    let (mut kills, mut old) = (0, None);
    for round in 0..2 {
        for calls in 0..MANY {
            let (place, new) = (bench.place("hoop_ro"), format!("round-{round}-after-{calls}"));
            bench.kill_after(calls).await;
            let killed = rotate(&bench, &place, &new, &mut old.clone()).await.is_err();
            bench.revive().await;
            if let Ok(Some(held)) = bench.store().find(&place).await {
                let seen = bench.seen_by_readers(&held.secret_ref).await;
                let allowed = [old.clone(), Some(new.clone()), None];
                assert!(allowed.contains(&seen), "after {calls} calls readers see {seen:?}, before it was {old:?}");
                assert!(held.proven.is_none() || seen.is_some());
            }
            let mut current = None;
            rotate(&bench, &place, &new, &mut current).await.unwrap();
            let held = found(&*bench.store(), &place).await;
            assert_eq!(held.pending, None, "nothing is left over after {calls} calls");
            assert_eq!(bench.seen_by_readers(&held.secret_ref).await, current, "after {calls} calls");
            assert_eq!(bench.read(&held.secret_ref).await.unwrap().password.expose(), current.as_ref().unwrap());
            old = current;
            if !killed {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 5, "a rotation makes several calls, and each was the last one: {kills}");
}

/// What a run does: it goes on with a pending value, or stores one; then the database has it, and it is promoted.
async fn rotate(bench: &Bench, place: &Place, new: &str, current: &mut Option<String>) -> Result<(), String> {
    let store = bench.store();
    let held = store.find(place).await.map_err(|e| e.to_string())?;
    let held = match held.filter(|held| held.is_for(TARGET) && held.pending.is_some()) {
        Some(held) => held,
        None => put(&*store, place, new).await.map_err(|e| e.to_string())?,
    };
    let version = held.pending.as_ref().ok_or("no pending version")?;
    let value = store.value(&held.secret_ref, version).await.map_err(|e| e.to_string())?;
    store.promote(&held.secret_ref, version).await.map_err(|e| e.to_string())?;
    *current = Some(value.password.expose().clone());
    Ok(())
}

pub(crate) async fn a_forgotten_secret_is_made_again_at_its_place(bench: Bench) {
    let (store, place) = (bench.store(), bench.place("hoop_ro"));
    let (secret_ref, first) = prove(&*store, &place, "first").await;
    put(&*store, &place, "never proven").await.unwrap();
    store.forget(&secret_ref).await.unwrap();
    assert!(store.find(&place).await.unwrap().is_none_or(|held| held.deleted && !held.is_for(TARGET)));
    assert!(matches!(bench.read(&secret_ref).await.unwrap_err().fault, Fault::Gone));

    let held = put(&*store, &place, "second").await.unwrap();
    assert!(held.secret_ref.is_same_place(&secret_ref), "{} is not {secret_ref}", held.secret_ref);
    let seen = found(&*store, &place).await;
    assert!(seen.is_for(TARGET) && seen.pending == held.pending, "{seen:?}");
    assert_ne!(bench.seen_by_readers(&held.secret_ref).await.as_deref(), Some("second"));
    store.promote(&held.secret_ref, held.pending.as_ref().unwrap()).await.unwrap();
    assert_eq!(bench.seen_by_readers(&held.secret_ref).await.as_deref(), Some("second"));
    let seen = found(&*store, &place).await;
    assert_eq!((seen.proven.as_ref(), seen.pending.as_ref()), (held.pending.as_ref(), None));
    assert_ne!(seen.proven, Some(first));
}

pub(crate) async fn a_secret_of_somebody_else_is_left_alone(bench: Bench) {
    let (store, place) = (bench.store(), bench.place("hoop_ro"));
    bench.make_foreign(&place).await;
    let seen = store.find(&place).await.unwrap();
    assert!(seen.as_ref().is_none_or(|held| held.target.is_none()), "it carries no mark: {seen:?}");
    let error = put(&*store, &place, "ours").await.unwrap_err();
    assert!(matches!(error.fault, Fault::Foreign(_)), "{error}");
    assert!(error.detail().contains("is taken") && error.next_step().unwrap().contains("path_prefix"), "{error}");
    let by_name = match seen {
        Some(held) => held.secret_ref,
        None => format!("vault:kv1::kv:{}", place.name("rdsaccess/")).parse().unwrap(),
    };
    assert!(matches!(store.forget(&by_name).await.unwrap_err().fault, Fault::LostMark(_)));
    assert_eq!(bench.seen_by_readers(&by_name).await.as_deref(), Some("theirs"));
    assert_eq!(bench.read(&by_name).await.unwrap().username.as_str(), "theirs", "it can be read for a login");
}

/// Two processes store and promote at the same time. Whoever gets through agrees with the store on the value.
pub(crate) async fn two_runs_at_once_never_mean_two_values_by_one_version(bench: Bench) {
    let place = bench.place("hoop_ro");
    prove(&*bench.store(), &place, "before").await;
    let (one, other) = (bench.store(), bench.store());
    let (a, b) = tokio::join!(put(&*one, &place, "one"), put(&*other, &place, "other"));
    // Without check-and-set both may find the other's traces and give up; whoever is next stores anew.
    let mut held = found(&*one, &place).await;
    let is_void = one.value(&held.secret_ref, held.pending.as_ref().unwrap()).await.is_err();
    if is_void {
        assert!(bench.has_no_check_and_set() && a.is_err() && b.is_err(), "{a:?} {b:?}");
        held = put(&*one, &place, "next").await.unwrap();
    }
    assert!(bench.has_no_check_and_set() || a.is_ok() || b.is_ok(), "{a:?} {b:?}");
    let stored = password(&*one, &held, held.pending.as_ref()).await;
    for (result, text) in [(&a, "one"), (&b, "other")] {
        match result {
            Ok(mine) if mine.pending == held.pending => assert_eq!(stored, text),
            // It was replaced right after; whoever looks before the change of the database sees that.
            Ok(mine) => assert_ne!(mine.pending, held.pending),
            Err(error) => assert!(error.fault.is_overtaken(), "{error}"),
        }
    }
    let version = held.pending.clone().unwrap();
    let (a, b) = tokio::join!(one.promote(&held.secret_ref, &version), other.promote(&held.secret_ref, &version));
    assert!(a.is_ok() || b.is_ok(), "{a:?} {b:?}");
    one.promote(&held.secret_ref, &version).await.unwrap();
    let held = found(&*one, &place).await;
    assert_eq!((held.proven.as_ref(), held.pending.as_ref()), (Some(&version), None));
    assert_eq!(bench.seen_by_readers(&held.secret_ref).await, Some(stored));
}

/// A run looks, another one stores a value and gives it to the database, and the first one stores.
pub(crate) async fn only_the_pending_version_that_was_seen_is_replaced(bench: Bench) {
    let place = bench.place("hoop_ro");
    for round in ["the first value", "one after a proven one"] {
        let store = bench.store();
        let seen = store.find(&place).await.unwrap().and_then(|held| held.pending);
        let faster = put(&*bench.store(), &place, "faster").await.unwrap();
        let late = credential("hoop_ro", "late");
        let gone = VersionId("6f1b7bb4-0000-4000-8000-000000000000".to_owned());
        for seen in [seen.as_ref(), Some(&gone)] {
            let refused = store.put_pending(&place, TARGET, &place.username, &late, seen).await.unwrap_err();
            assert!(refused.fault.is_overtaken(), "{round}: {refused}");
        }
        let held = found(&*store, &place).await;
        assert_eq!((&held.proven, &held.pending), (&faster.proven, &faster.pending), "{round}");
        assert_eq!(password(&*store, &held, held.pending.as_ref()).await, "faster", "{round}");
        let seen = held.pending.as_ref();
        let last = store.put_pending(&place, TARGET, &place.username, &late, seen).await.unwrap();
        store.promote(&last.secret_ref, last.pending.as_ref().unwrap()).await.unwrap();
    }
}

/// Nobody has given either value to the database.
pub(crate) async fn two_first_values_at_once_never_read_as_proven(bench: Bench) {
    for round in 0..8 {
        let place = bench.place(&format!("hoop_{round}"));
        let (one, other) = (bench.store(), bench.store());
        let (a, b) = tokio::join!(put(&*one, &place, "one"), put(&*other, &place, "other"));
        assert!(bench.has_no_check_and_set() || a.is_ok() || b.is_ok(), "{a:?} {b:?}");
        for held in [&a, &b].into_iter().flatten().chain([&found(&*one, &place).await]) {
            assert_eq!(held.proven, None, "round {round}: {a:?} {b:?}");
        }
    }
}

pub(crate) async fn a_secret_of_an_earlier_database_is_taken_over(bench: Bench) {
    let (store, place) = (bench.store(), bench.place("hoop_ro"));
    prove(&*store, &place, "of the old one").await;
    assert!(!found(&*store, &place).await.is_for("db-NEW"));
    let new = credential("hoop_ro", "of the new one");
    let held = store.put_pending(&place, "db-NEW", &user("hoop_ro"), &new, None).await.unwrap();
    assert!(found(&*store, &place).await.is_for("db-NEW"));
    assert_eq!(bench.seen_by_readers(&held.secret_ref).await.as_deref(), Some("of the old one"));
    let error = store.put_pending(&place, TARGET, &user("somebody"), &new, held.pending.as_ref()).await.unwrap_err();
    assert!(error.to_string().contains("another user"), "{error}");
}

pub(crate) async fn hostile_names_have_places_of_their_own(bench: Bench) {
    let store = bench.store();
    let names = ["a/b", "a.b", "../x", "a b", "a:b", "a%2Fb", "ä\"'", "x.pending", "x.mark", "x", "a?b#c", "=2E"];
    for name in names {
        prove(&*store, &bench.place(name), &format!("of {name}")).await;
    }
    for name in names {
        let held = found(&*store, &bench.place(name)).await;
        let value = store.value(&held.secret_ref, held.proven.as_ref().unwrap()).await.unwrap();
        assert_eq!((value.username.as_str(), value.password.expose().as_str()), (name, format!("of {name}").as_str()));
        let parsed = held.secret_ref.to_string().parse().unwrap();
        assert_eq!(bench.seen_by_readers(&parsed).await, Some(format!("of {name}")), "{parsed}");
    }
}

pub(crate) async fn a_version_knows_when_it_was_stored(bench: Bench) {
    let (store, place) = (bench.store(), bench.place("hoop_ro"));
    let before = SystemTime::now() - Duration::from_secs(5);
    let held = put(&*store, &place, "first").await.unwrap();
    let version = held.pending.unwrap();
    let of = async |version: &VersionId| store.stored_at(&held.secret_ref, version).await.unwrap();
    assert!(of(&version).await.is_some_and(|at| at >= before && at <= SystemTime::now() + Duration::from_secs(5)));
    store.promote(&held.secret_ref, &version).await.unwrap();
    assert!(of(&version).await.is_some_and(|at| at >= before));
    assert_eq!(of(&VersionId("nonsense".to_owned())).await, None);
}

pub(crate) async fn what_is_not_permitted_is_named(bench: Bench) {
    let place = bench.place("hoop_ro");
    let (store, words) = match bench.kind {
        Kind::SecretsManager => {
            let order =
                json!({"action": "CreateSecret", "code": "AccessDeniedException", "message": "no", "times": -1});
            bench.server.steer("POST", "faults", &order).await;
            (bench.store(), vec!["secretsmanager:CreateSecret"])
        }
        Kind::Kv2 => {
            let rules = json!({"secret/metadata/*": ["create", "read", "update"]});
            let words =
                vec!["permits no `create`", "secret/data/rdsaccess/", "capabilities = [\"create\", \"update\"]"];
            (bench.store_with_policy(&rules).await, words)
        }
        Kind::Kv1 => {
            let words = vec!["permits no `create`", "kv/rdsaccess/", "capabilities = [\"create\", \"update\"]"];
            (bench.store_with_policy(&json!({"kv/*": ["read"]})).await, words)
        }
    };
    let error = put(&*store, &place, "first").await.unwrap_err();
    let text = format!("{} {} {}", error.summary(), error.detail(), error.next_step().unwrap_or_default());
    for word in words {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    assert!(!text.contains("first"), "{text}");
}

pub(crate) async fn a_proven_version_is_read_and_an_unproven_one_refused(bench: Bench) {
    let (store, place) = (bench.store(), bench.place("hoop_ro"));
    let held = put(&*store, &place, "first").await.unwrap();
    let error = bench.read(&held.secret_ref).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Unproven), "{error}");
    store.promote(&held.secret_ref, held.pending.as_ref().unwrap()).await.unwrap();
    assert_eq!(bench.read(&held.secret_ref).await.unwrap(), credential("hoop_ro", "first"));
    put(&*store, &place, "second").await.unwrap();
    assert_eq!(bench.read(&held.secret_ref).await.unwrap().password.expose(), "first");
}
