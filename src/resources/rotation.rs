//! What every object with a rotated password shares: when a rotation is due, and when a password was stored.
//!
//! Plan and apply decide from configuration, state and the time of the last refresh, never from the clock.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::access::{Arn, SecretRef, Span};
use crate::context::Context;
use crate::report::Report;
use crate::schema::{Attr, Private, Reports};
use crate::store::{Error, Held, Place, Settled, Store, StoreSettings, VersionId};
use crate::value::Value;

/// What `credential` says when the stored password logs in.
pub(super) const OK: &str = "ok";
/// Private entry: when the object was last refreshed.
const OBSERVED_AT: &str = "observed_at";
/// Private entry: references of secrets that are to be deleted, one a line.
const LEFT: &str = "left_secrets";
/// Private entry: the version that the last apply has settled on.
const SETTLED: &str = "settled_version";

/// The arguments that decide when a password is replaced.
#[derive(Debug, Clone)]
pub(super) struct Schedule<'a> {
    /// `rotation.after`
    pub(super) after: Attr<Span>,
    /// `rotation.keepers`
    pub(super) keepers: Attr<&'a BTreeMap<String, String>>,
}

impl Schedule<'_> {
    /// What a secret says of the keepers that its password was made for.
    pub(super) fn digest(&self) -> Option<String> {
        let keepers = serde_json::to_string(self.keepers.get()?).ok()?;
        Some(hex::encode(Sha256::new().chain_update("rdsaccess keepers").chain_update(keepers).finalize()))
    }

    /// When a password that was stored at a time is due.
    pub(super) fn due(&self, rotated_at: &Attr<String>) -> Attr<Timestamp> {
        match (&self.after, rotated_at) {
            (Attr::Null, _) | (_, Attr::Null) => Attr::Null,
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

/// Notes the version that an apply has settled on, which from then on is the one before every other rotation.
pub(super) fn note_settled(private: &mut Private, settled: &Settled) {
    private.set(SETTLED, settled.version.0.as_str());
}

/// Notes the version of a password that an apply had no reason to replace. An import knows none that was settled on, and
/// keepers that come back later are to rotate also when the version says that it was made for them.
pub(super) fn note_kept(private: &mut Private, version: &Attr<String>) {
    if let Some(version) = version.get() {
        private.set(SETTLED, version.as_str());
    }
}

/// Whether a run that was killed has made the password that other keepers ask for: the proven version is one that no
/// apply of this object has settled on, and says that it was made for them. `wanted` is their digest.
///
/// # Errors
/// The store cannot be asked.
pub(super) async fn is_done(
    store: &dyn Store,
    held: Option<&Held>,
    wanted: Option<&String>,
    private: &Private,
) -> Result<bool, Error> {
    let (Some(Held { secret_ref, proven: Some(version), pending: None, .. }), Some(wanted)) = (held, wanted) else {
        return Ok(false);
    };
    // A rotation function of AWS copies what it does not know into its own versions.
    if private.get(SETTLED) == Some(&version.0) || !store.is_ours(version) {
        return Ok(false);
    }
    Ok(store.value(secret_ref, version).await?.keepers.as_ref() == Some(wanted))
}

/// When the object was last refreshed, as plan and apply see it.
pub(super) fn observed_at(private: &Private) -> Option<Timestamp> {
    private.get(OBSERVED_AT)?.parse().ok()
}

/// The time of this call, as state keeps it.
pub(super) fn now(context: &Context) -> String {
    in_seconds(context.now())
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

/// When a version was stored, as state keeps it; the time of this call where the store does not tell.
///
/// # Errors
/// The store cannot be asked.
pub(super) async fn stored_at(
    context: &Context,
    store: &dyn Store,
    secret_ref: &SecretRef,
    version: &VersionId,
) -> Result<String, Error> {
    let at = store.stored_at(secret_ref, version).await?;
    Ok(at.map_or_else(|| now(context), in_seconds))
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
    stored_at(context, store, &settled.secret_ref, &settled.version).await
}

/// Whether a rotation puts the secret of a place somewhere else than where it is now. `wanted` are the settings of the
/// object's own store.
pub(super) fn moves(context: &Context, wanted: Option<&StoreSettings>, place: &Place, now: Option<&SecretRef>) -> bool {
    context.store_is_unknown(wanted)
        || now.is_none_or(|secret_ref| !context.store_settings(wanted).holds(place, secret_ref))
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
    let step = "Delete it by hand, because no later apply will.";
    forget(context, settings, arn, old, step).await.err().into_iter().collect()
}

/// Notes the secret at the place that the store had before, until it is deleted: a run may end before that, or fail.
pub(super) fn note_left(private: &mut Private, old: Option<&SecretRef>, new: Option<&SecretRef>) {
    let moved = old.zip(new).filter(|(old, new)| !old.is_same_place(new));
    let is_new = |left: &SecretRef| new.is_some_and(|new| new.is_same_place(left));
    let mut left: Vec<SecretRef> = noted(private).into_iter().filter(|left| !is_new(left)).collect();
    left.extend(moved.map(|(old, _)| old.clone()).filter(|old| !noted(private).contains(old)));
    note(private, &left);
}

/// The secrets at places before that are not known to be deleted.
pub(super) fn noted(private: &Private) -> Vec<SecretRef> {
    private.get(LEFT).into_iter().flat_map(str::lines).filter_map(|line| line.parse().ok()).collect()
}

/// Replaces what [`noted`] says.
pub(super) fn note(private: &mut Private, left: &[SecretRef]) {
    let lines: Vec<String> = left.iter().map(ToString::to_string).collect();
    if lines.is_empty() { private.remove(LEFT) } else { private.set(LEFT, lines.join("\n")) }
}

/// Schedules the deletion of the noted secrets; what fails is a warning and stays noted.
pub(super) async fn leave_noted(
    context: &Context,
    settings: Option<&StoreSettings>,
    arn: &Arn,
    private: &mut Private,
) -> Vec<Report> {
    let (mut warnings, mut left) = (Vec::new(), Vec::new());
    for old in noted(private) {
        let step = "The next plan shows it in `credential`, and apply tries again; after a destroy delete it by hand.";
        if let Err(warning) = forget(context, settings, arn, &old, step).await {
            warnings.push(warning);
            left.push(old);
        }
    }
    note(private, &left);
    warnings
}

async fn forget(
    context: &Context,
    settings: Option<&StoreSettings>,
    arn: &Arn,
    old: &SecretRef,
    step: &str,
) -> Result<(), Report> {
    let forgotten = match context.store(settings, arn) {
        Ok(store) => store.forget(old).await.map_err(Reports::from),
        Err(reports) => Err(reports),
    };
    forgotten.map_err(|Reports(reports)| {
        let why: Vec<String> = reports.into_iter().map(|report| report.detail).collect();
        let detail = format!(
            "{arn}: the secret {old} is at the place that the store had before and was not deleted; its password no longer \
             counts. {step} {}",
            why.join(" ")
        );
        Report::warning("A secret is left at its old place", detail)
    })
}

/// A time in whole seconds, as state keeps it.
pub(super) fn in_seconds(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or_default();
    Timestamp::from_second(at.as_second()).unwrap_or_default().to_string()
}

#[cfg(test)]
pub(super) mod tests;
