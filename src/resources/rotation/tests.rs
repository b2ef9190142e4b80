//! When a rotation is due, also over months, with several machines and with clocks that are wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::access::RoleName;
use crate::context::Clock;
use crate::store::{Credential, Held, Reply};

fn kept(text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("k".to_owned(), text.to_owned())])
}

fn keepers(keepers: Attr<&BTreeMap<String, String>>) -> Schedule<'_> {
    Schedule { after: Attr::Null, keepers }
}

fn after(text: Option<&str>) -> Schedule<'static> {
    Schedule { after: text.map(|text| text.parse().unwrap()).into(), keepers: Attr::Null }
}

fn observed(at: &str) -> Private {
    let mut private = Private::default();
    private.set(OBSERVED_AT, at);
    private
}

fn since() -> Attr<String> {
    "2026-01-01T00:00:00Z".to_owned().into()
}

#[test]
fn keepers_that_differ_replace_the_password_and_new_ones_do_not() {
    let (a, b) = (kept("a"), kept("b"));
    let of = |prior, planned| trigger(&keepers(prior), &keepers(planned), &since(), &Private::default());
    assert_eq!(of(Attr::Known(&a), Attr::Known(&b)), Some(Trigger::Keepers));
    assert_eq!(of(Attr::Known(&a), Attr::Known(&a)), None);
    assert_eq!(of(Attr::Null, Attr::Known(&a)), None, "after an import nothing is replaced");
    assert_eq!(of(Attr::Known(&a), Attr::Null), None);
    assert_eq!(of(Attr::Known(&a), Attr::Unknown), Some(Trigger::Keepers));
}

#[test]
fn an_age_is_over_by_the_time_of_the_last_refresh_alone() {
    let due = |text, at| trigger(&after(None), &after(Some(text)), &since(), &observed(at));
    assert_eq!(due("30d", "2026-01-31T00:00:00Z"), Some(Trigger::Due));
    assert_eq!(due("30d", "2026-01-30T23:59:59Z"), None);
    let schedule = after(Some("30d"));
    assert_eq!(trigger(&schedule, &schedule, &since(), &Private::default()), None, "never refreshed");
    assert_eq!(trigger(&schedule, &schedule, &Attr::Null, &observed("2030-01-01T00:00:00Z")), None);
}

#[test]
fn an_age_that_is_not_known_yet_may_be_over() {
    let schedule = Schedule { after: Attr::Unknown, keepers: Attr::Null };
    let at = observed("2026-01-01T00:00:01Z");
    assert_eq!(trigger(&after(None), &schedule, &since(), &at), Some(Trigger::Due));
    assert_eq!(trigger(&after(None), &schedule, &Attr::Null, &at), None, "nothing was stored yet");
}

#[test]
fn the_due_time_follows_age_and_rotation() {
    let due = |text, since: Attr<String>| after(text).due(&since).map(|at| at.to_string());
    assert_eq!(due(Some("720h"), since()), "2026-01-31T00:00:00Z".to_owned().into());
    assert!(due(Some("720h"), Attr::Unknown).is_unknown());
    assert!(due(None, Attr::Unknown).is_null());
}

#[test]
fn an_age_of_no_time_is_refused() {
    assert!(!is_an_age(&"0s".into()) && !is_an_age(&"0d".into()));
    assert!(is_an_age(&"1s".into()));
    assert!(is_an_age(&"nonsense".into()), "the parser has its own words");
}

const DAY: Duration = Duration::from_secs(86_400);
const SECOND: Duration = Duration::from_secs(1);

/// A machine that runs Terraform, with a clock that a test moves.
pub(in crate::resources) struct Machine {
    clock: Arc<Mutex<SystemTime>>,
    pub(in crate::resources) context: Context,
}

impl Machine {
    pub(in crate::resources) fn at(time: &str) -> Self {
        let clock = Arc::new(Mutex::new(moment(time)));
        let shown = Arc::clone(&clock);
        let context = Context::with_clock(Clock::new(move || *shown.lock().unwrap()));
        Self { clock, context }
    }

    fn passes(&self, time: Duration) {
        *self.clock.lock().unwrap() += time;
    }

    fn jumps_to(&self, time: &str) {
        *self.clock.lock().unwrap() = moment(time);
    }

    /// What a plan after a refresh on this machine wants.
    fn wants(&self, age: &str, rotated_at: &str) -> Option<Trigger> {
        let mut private = Private::default();
        note_refresh(&self.context, &mut private);
        let schedule = after(Some(age));
        trigger(&schedule, &schedule, &rotated_at.to_owned().into(), &private)
    }
}

fn moment(time: &str) -> SystemTime {
    time.parse::<Timestamp>().unwrap().into()
}

/// A store with one secret, of which it can be told when its versions were stored, or not.
pub(in crate::resources) struct OneSecret {
    pub(in crate::resources) held: Held,
    pub(in crate::resources) stored_at: Option<SystemTime>,
    /// What the proven version says of its keepers; nothing where no value may be read
    pub(in crate::resources) keepers: Option<String>,
}

impl OneSecret {
    pub(in crate::resources) fn proven(version: &str, stored_at: Option<&str>) -> Self {
        let held = Held {
            secret_ref: secret_ref(),
            proven: Some(VersionId(version.to_owned())),
            pending: None,
            target: Some("db-NOW".to_owned()),
            deleted: false,
        };
        Self { held, stored_at: stored_at.map(moment), keepers: None }
    }
}

pub(in crate::resources) fn secret_ref() -> SecretRef {
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf".parse().unwrap()
}

/// A refresh looks, and writes nothing.
impl Store for OneSecret {
    fn find<'a>(&'a self, _place: &'a Place) -> Reply<'a, Option<Held>> {
        Box::pin(async { Ok(Some(self.held.clone())) })
    }

    fn look<'a>(&'a self, _secret_ref: &'a SecretRef) -> Reply<'a, Option<Held>> {
        Box::pin(async { Ok(Some(self.held.clone())) })
    }

    fn stored_at<'a>(&'a self, _secret_ref: &'a SecretRef, _version: &'a VersionId) -> Reply<'a, Option<SystemTime>> {
        Box::pin(async { Ok(self.stored_at) })
    }

    fn value<'a>(&'a self, _secret_ref: &'a SecretRef, _version: &'a VersionId) -> Reply<'a, Credential> {
        assert!(self.keepers.is_some(), "no value is read");
        let text = r#"{"username":"hoop_ro","password":"p"}"#.into();
        let credential = Credential { keepers: self.keepers.clone(), ..Credential::from_json(&text).unwrap() };
        Box::pin(async { Ok(credential) })
    }

    fn is_ours(&self, version: &VersionId) -> bool {
        version.0.starts_with('v')
    }

    fn put_pending<'a>(
        &'a self,
        _place: &'a Place,
        _target: &'a str,
        _username: &'a RoleName,
        _credential: &'a Credential,
        _replacing: Option<&'a VersionId>,
    ) -> Reply<'a, Held> {
        panic!("nothing is written")
    }

    fn promote<'a>(&'a self, _secret_ref: &'a SecretRef, _version: &'a VersionId) -> Reply<'a, ()> {
        panic!("nothing is written")
    }

    fn forget<'a>(&'a self, _secret_ref: &'a SecretRef) -> Reply<'a, ()> {
        panic!("nothing is written")
    }
}

fn settled(version: &str, moved: bool) -> Settled {
    Settled {
        secret_ref: secret_ref(),
        version: VersionId(version.to_owned()),
        username: "hoop_ro".parse().unwrap(),
        moved,
    }
}

#[tokio::test]
async fn a_year_of_daily_runs_rotates_every_thirty_days() {
    let machine = Machine::at("2026-01-01T00:00:00Z");
    let store = OneSecret::proven("v0", None);
    let (mut rotated_at, mut days) = (now(&machine.context), Vec::new());
    for day in 1..=365_u32 {
        machine.passes(DAY - SECOND);
        assert_eq!(machine.wants("30d", &rotated_at), None, "a second before day {day}");
        machine.passes(SECOND);
        if machine.wants("30d", &rotated_at).is_some() {
            let before = (Attr::from(format!("v{day}")), Attr::from(rotated_at.clone()));
            let moved = settled("next", true);
            rotated_at =
                super::rotated_at(&machine.context, &store, Some((&before.0, &before.1)), &moved).await.unwrap();
            days.push(day);
            assert_eq!(machine.wants("30d", &rotated_at), None, "once");
        }
    }
    assert_eq!(days, (1..=12).map(|month| month * 30).collect::<Vec<u32>>());
}

#[test]
fn clocks_that_differ_or_jump_back_never_rotate_too_early() {
    let (ahead, behind) = (Machine::at("2026-01-01T02:00:00Z"), Machine::at("2026-01-01T00:00:00Z"));
    let rotated_at = now(&ahead.context);
    assert_eq!(behind.wants("30d", &rotated_at), None, "it was observed before it was rotated");
    assert_eq!(behind.wants("1s", &rotated_at), None);
    behind.passes(30 * DAY);
    assert_eq!(behind.wants("30d", &rotated_at), None, "two hours are left by the clock that is ahead");
    behind.passes(Duration::from_secs(7_200));
    assert_eq!(behind.wants("30d", &rotated_at), Some(Trigger::Due));
    for wrong in ["1971-01-01T00:00:00Z", "2025-12-31T23:59:59Z"] {
        behind.jumps_to(wrong);
        assert_eq!(behind.wants("30d", &rotated_at), None, "{wrong}");
    }
    behind.jumps_to("2026-02-01T00:00:00Z");
    assert_eq!(behind.wants("30d", &rotated_at), Some(Trigger::Due), "and right again");
}

#[tokio::test]
async fn a_version_that_is_kept_keeps_its_time_and_another_one_brings_its_own() {
    let machine = Machine::at("2026-03-01T00:00:00Z");
    let before = (Attr::from("v1".to_owned()), since());
    let told = OneSecret::proven("v2", Some("2026-02-01T00:00:00Z"));
    let at = async |store: &OneSecret, settled: Settled| {
        rotated_at(&machine.context, store, Some((&before.0, &before.1)), &settled).await.unwrap()
    };
    assert_eq!(at(&told, settled("v1", false)).await, "2026-01-01T00:00:00Z");
    assert_eq!(at(&told, settled("v2", false)).await, "2026-02-01T00:00:00Z", "another machine has promoted it");
    assert_eq!(at(&told, settled("v3", true)).await, "2026-03-01T00:00:00Z");
    let silent = OneSecret::proven("v2", None);
    assert_eq!(at(&silent, settled("v2", false)).await, "2026-03-01T00:00:00Z", "the store does not tell");
}

#[tokio::test]
async fn keepers_that_come_back_after_an_import_with_others_are_not_done() {
    let (a, b) = (kept("a"), kept("b"));
    let wanted = keepers(Attr::Known(&a)).digest();
    let store = OneSecret { keepers: wanted.clone(), ..OneSecret::proven("v1", None) };
    let (mut private, none) = (Private::default(), Attr::Null);
    assert_eq!(trigger(&keepers(Attr::Null), &keepers(Attr::Known(&b)), &none, &private), None, "the import");
    note_kept(&mut private, &"v1".to_owned().into());
    let back = trigger(&keepers(Attr::Known(&b)), &keepers(Attr::Known(&a)), &none, &private);
    assert_eq!(back, Some(Trigger::Keepers));
    assert!(!is_done(&store, Some(&store.held), wanted.as_ref(), &private).await.unwrap());
    note_kept(&mut private, &Attr::Null);
    assert_eq!(private.get(SETTLED), Some("v1"), "a version that is not known takes nothing back");
}

#[tokio::test]
async fn keepers_are_done_when_a_version_that_no_apply_knows_was_made_for_them() {
    let (a, b) = (kept("a"), kept("b"));
    let [one, other] = [&a, &b].map(|kept| keepers(Attr::Known(kept)).digest());
    assert!(one.is_some() && one != other && keepers(Attr::Null).digest().is_none());
    let known = |version: &str| {
        let mut private = Private::default();
        note_settled(&mut private, &settled(version, true));
        private
    };
    let store = |version: &str| OneSecret { keepers: one.clone(), ..OneSecret::proven(version, None) };
    let done = async |store: &OneSecret, wanted: &Option<String>, private: &Private| {
        is_done(store, Some(&store.held), wanted.as_ref(), private).await.unwrap()
    };
    assert!(done(&store("v2"), &one, &known("v1")).await);
    assert!(done(&store("v2"), &one, &Private::default()).await, "an import, or a state of before");
    assert!(!done(&store("v2"), &other, &known("v1")).await, "made for others");
    let unread = OneSecret::proven("v2", None);
    assert!(!done(&unread, &one, &known("v2")).await, "an apply has settled on it: the keepers have differed since");
    assert!(!done(&unread, &None, &known("v1")).await);
    assert!(!done(&OneSecret::proven("other", None), &one, &known("v1")).await, "another program has stored it");
    let mut pending = OneSecret::proven("v2", None);
    pending.held.pending = Some(VersionId("v3".to_owned()));
    assert!(!done(&pending, &one, &known("v1")).await, "the rotation goes on with what is pending");
}

#[test]
fn what_could_not_be_refreshed_is_not_due() {
    let machine = Machine::at("2026-03-01T00:00:00Z");
    let (mut private, schedule) = (Private::default(), after(Some("30d")));
    note_refresh(&machine.context, &mut private);
    assert_eq!(trigger(&schedule, &schedule, &since(), &private), Some(Trigger::Due));
    forget_refresh(&mut private);
    assert_eq!(trigger(&schedule, &schedule, &since(), &private), None);
}

#[test]
fn an_age_without_a_beginning_has_no_end() {
    assert!(after(Some("720h")).due(&Attr::Null).is_null());
}
