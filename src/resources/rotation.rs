//! What every object with a rotated password shares: when a rotation is due, and when a password was stored.
//!
//! Plan and apply decide from configuration, state and the time of the last refresh, never from the clock.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

use crate::access::{Arn, SecretRef, Span};
use crate::context::Context;
use crate::report::Report;
use crate::schema::{Attr, Private, Reports};
use crate::store::{Error, Place, Settled, Store, StoreSettings, VersionId};
use crate::value::Value;

/// What `credential` says when the stored password logs in.
pub(super) const OK: &str = "ok";
/// Private entry: when the object was last refreshed.
const OBSERVED_AT: &str = "observed_at";

/// The arguments that decide when a password is replaced.
#[derive(Debug, Clone)]
pub(super) struct Schedule<'a> {
    /// `rotation.after`
    pub(super) after: Attr<Span>,
    /// `rotation.keepers`
    pub(super) keepers: Attr<&'a BTreeMap<String, String>>,
}

impl Schedule<'_> {
    /// When a password that was stored at a time is due.
    pub(super) fn due(&self, rotated_at: &Attr<String>) -> Attr<Timestamp> {
        match (&self.after, rotated_at) {
            (Attr::Null, _) => Attr::Null,
            (Attr::Known(after), Attr::Known(since)) => add(since, *after).into(),
            _ => Attr::Unknown,
        }
    }
}

fn add(since: &str, after: Span) -> Option<Timestamp> {
    let since: Timestamp = since.parse().ok()?;
    since.checked_add(SignedDuration::from_secs(i64::try_from(after.seconds()).ok()?)).ok()
}

/// Why a password that works is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    /// `rotation.keepers` differ
    Keepers,
    /// `rotation.after` was over at the last refresh
    Due,
}

/// Whether a rotation is wanted. `rotated_at` is that of the state before.
pub(super) fn trigger(
    prior: &Schedule<'_>,
    planned: &Schedule<'_>,
    rotated_at: &Attr<String>,
    private: &Private,
) -> Option<Trigger> {
    let keepers = match (&prior.keepers, &planned.keepers) {
        (Attr::Known(before), Attr::Known(after)) => before != after,
        (Attr::Known(_), Attr::Unknown) => true,
        _ => false,
    };
    if keepers {
        return Some(Trigger::Keepers);
    }
    let observed = observed_at(private)?;
    match planned.due(rotated_at) {
        Attr::Known(due) if observed >= due => Some(Trigger::Due),
        // An age that is not known yet may turn out to be over.
        Attr::Unknown if planned.after.is_unknown() && rotated_at.is_known() => Some(Trigger::Due),
        _ => None,
    }
}

/// When the object was last refreshed, as plan and apply see it.
pub(super) fn observed_at(private: &Private) -> Option<Timestamp> {
    private.get(OBSERVED_AT)?.parse().ok()
}

/// The time of this call, as state keeps it.
pub(super) fn now(context: &Context) -> String {
    seconds(context.now()).to_string()
}

/// Notes the time of a refresh.
pub(super) fn note_refresh(context: &Context, private: &mut Private) {
    private.set(OBSERVED_AT, now(context));
}

/// Notes that the object could not be looked at: what is out of reach is not rotated for its age.
pub(super) fn forget_refresh(private: &mut Private) {
    private.remove(OBSERVED_AT);
}

/// An age of no time would be over at every refresh.
pub(super) fn is_an_age(value: &Value) -> bool {
    match value {
        Value::String(text) => text.parse::<Span>().map_or(true, |span| span.seconds() > 0),
        _ => true,
    }
}

/// When a version was stored, as state keeps it.
///
/// # Errors
/// The store cannot be asked.
pub(super) async fn stored_at(
    store: &dyn Store,
    secret_ref: &SecretRef,
    version: &VersionId,
) -> Result<Attr<String>, Error> {
    Ok(store.stored_at(secret_ref, version).await?.map(|at| seconds(at).to_string()).into())
}

/// `rotated_at` after an apply: that of the state before where the version is the same, else when it was stored.
///
/// # Errors
/// The store cannot be asked.
pub(super) async fn rotated_at(
    context: &Context,
    store: &dyn Store,
    prior: Option<(&Attr<String>, &Attr<String>)>,
    settled: &Settled,
) -> Result<String, Error> {
    let unchanged = prior.filter(|(version, _)| version.get() == Some(&settled.version.0));
    if let Some(at) = unchanged.and_then(|(_, rotated_at)| rotated_at.get()) {
        return Ok(at.clone());
    }
    if settled.moved {
        return Ok(now(context));
    }
    Ok(stored_at(store, &settled.secret_ref, &settled.version).await?.into_known().unwrap_or_else(|| now(context)))
}

/// Whether a rotation puts the secret of a place somewhere else than where it is now. `wanted` are the settings of the
/// object's own store.
pub(super) fn moves(context: &Context, wanted: Option<&StoreSettings>, place: &Place, now: Option<&SecretRef>) -> bool {
    now.is_none_or(|secret_ref| !context.store_settings(wanted).holds(place, secret_ref))
}

/// Schedules the deletion of the secret at the place that the store had before; a failure is a warning, because the new
/// secret is proven.
pub(super) async fn leave_old_place(
    context: &Context,
    settings: Option<&StoreSettings>,
    arn: &Arn,
    old: Option<&SecretRef>,
    new: Option<&SecretRef>,
) -> Vec<Report> {
    let Some((old, _)) = old.zip(new).filter(|(old, new)| !old.is_same_place(new)) else { return Vec::new() };
    let forgotten = match context.store(settings, arn) {
        Ok(store) => store.forget(old).await.map_err(Reports::from),
        Err(reports) => Err(reports),
    };
    match forgotten {
        Ok(()) => Vec::new(),
        Err(Reports(reports)) => reports.into_iter().map(Report::as_warning).collect(),
    }
}

/// A time in whole seconds.
fn seconds(at: SystemTime) -> Timestamp {
    let at = Timestamp::try_from(at).unwrap_or_default();
    Timestamp::from_second(at.as_second()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
