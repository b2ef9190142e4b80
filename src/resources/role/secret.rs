//! The stored password beside the role: what state says of it, and its end.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;

use crate::access::{Arn, SecretRef, Target};
use crate::context::{Context, Refresh};
use crate::engine::{Observed, PasswordSet};
use crate::report::Report;
use crate::resources::rotation::{self, OK};
use crate::schema::{Apply, Attr, Reading, Reports};
use crate::store::{Held, Place, Settled, Store, VersionId};

use super::bench::{Bench, place};
use super::error::Error;
use super::model::Role;
use super::plan::Reason;

/// What `credential` says of a secret that holds no proven version.
const UNPROVEN: &str = "the stored password is not proven";
/// What `credential` says when the server takes another password.
const REFUSED: &str = "the stored password is refused";
/// What `credential` says of a proven version beside one that waits for its proof.
const UNFINISHED: &str = "a change of the password did not finish";

/// How `credential` begins when the secret at the place before is still there; its reference follows.
const LEFT: &str = "the secret at the place before is still there: ";

/// Whether the state says that nothing but a secret at the place before is in the way.
pub(super) fn is_left(credential: &str) -> bool {
    credential.starts_with(LEFT)
}

/// Says of a password that is good otherwise that the secret at the place before is still there: the next apply deletes
/// it. One that is gone is forgotten.
pub(super) async fn left(context: &Context, reading: &mut Reading<Role>, arn: &Arn) -> Result<(), Reports> {
    let state = &mut reading.state;
    if state.credential.get().is_some_and(|word| is_left(word)) {
        state.credential = OK.to_owned().into();
    }
    let store = store_in_use(context, state, arn)?;
    let mut left = Vec::new();
    for secret_ref in rotation::noted(&reading.private) {
        match store.look(&secret_ref).await {
            Ok(held) if held.as_ref().is_none_or(|held| held.deleted || held.target.is_none()) => {}
            Ok(_) => left.push(secret_ref),
            Err(error) => {
                reading.warnings.push(Report::of(&error).as_warning());
                return Ok(());
            }
        }
    }
    if let Some(first) = left.first().filter(|_| state.credential.get().is_some_and(|word| word == OK)) {
        state.credential = format!("{LEFT}{first}").into();
    }
    rotation::note(&mut reading.private, &left);
    Ok(())
}

/// Whether the state says that there is a secret, whatever becomes of its password.
pub(super) fn is_stored(state: &Role) -> bool {
    let says = state
        .credential
        .get()
        .is_some_and(|word| [OK, UNPROVEN, REFUSED, UNFINISHED].contains(&word.as_str()) || is_left(word));
    says && state.secret_ref.is_known()
}

/// Writes the proven secret into the state.
pub(super) async fn settled(
    context: &Context,
    apply: &mut Apply<Role>,
    bench: &Bench,
    settled: &Settled,
) -> Result<(), Reports> {
    let prior = apply.prior.as_ref().map(|prior| (&prior.secret_version, &prior.rotated_at));
    let kept = rotation::rotated_at(context, &*bench.store, prior, settled).await?;
    let set = if settled.moved { None } else { bench.password_set().await? };
    let rotated_at = since_proof(kept, rotation::now(context), set);
    rotation::note_settled(&mut apply.private, settled);
    let state = &mut apply.state;
    state.secret_ref = settled.secret_ref.clone().into();
    state.secret_version = settled.version.0.clone().into();
    state.username = settled.username.to_string().into();
    state.rotated_at = rotated_at.into();
    state.credential = OK.to_owned().into();
    state.set_due();
    Ok(())
}

/// Whether the credential is still as the plan found it: a secret that vanished since would come back under another ARN
/// than was promised, and a second login whose turn came since cannot just go.
pub(super) async fn check_plan(bench: &Bench, planned: &Role, reason: Option<Reason>) -> Result<(), Reports> {
    let is_promised = planned.secret_ref.get().filter(|_| reason.is_some());
    let has_moved = match is_promised {
        Some(secret_ref) => bench.store.look(secret_ref).await?.is_none(),
        None => bench.leaves_clone() && reason.is_none(),
    };
    let (arn, name) = (bench.target.arn.clone(), bench.spec.name.to_string());
    if has_moved { Err(Error::Moved { arn, name }.into()) } else { Ok(()) }
}

/// Writes into the state that there is no password.
pub(super) fn none(state: &mut Role) {
    state.secret_ref = Attr::Null;
    state.secret_version = Attr::Null;
    state.rotated_at = Attr::Null;
    state.rotation_due_at = Attr::Null;
}

/// Writes what was known before into the state where a plan could not tell that nothing changes.
pub(super) fn keep(prior: &Role, state: &mut Role) {
    if state.secret_version.is_unknown() {
        state.secret_ref = prior.secret_ref.clone();
        state.secret_version = prior.secret_version.clone();
        state.rotated_at = prior.rotated_at.clone();
        state.credential = prior.credential.clone();
        state.set_due();
    }
}

/// Finds out what is to say of the stored password: `ok`, or what is wrong with it.
pub(super) async fn read(context: &Context, bench: &Bench, state: &mut Role, seen: &Observed) -> Result<(), Reports> {
    let store = store_in_use(context, state, &bench.target.arn)?;
    let Some((held, version)) = labels(context, &*store, &bench.place, &bench.target, state).await? else {
        return Ok(());
    };
    if context.refresh() == Refresh::Database {
        let works = match is_set(bench, &*store, state, &held, &version).await? {
            Some(fits) => fits,
            None => bench.accepts(&store.value(&held.secret_ref, &version).await?, seen).await?,
        };
        let word = match (works, &held.pending) {
            (true, None) => OK,
            (true, Some(_)) => UNFINISHED,
            (false, _) => REFUSED,
        };
        state.credential = word.to_owned().into();
    }
    Ok(())
}

/// As [`read`], as far as the store and AWS tell, without asking the database.
pub(super) async fn look(context: &Context, state: &mut Role, target: &Target) -> Result<(), Reports> {
    let Some(name) = state.name.get() else { return Ok(()) };
    let place = place(target.arn.clone(), name, state.host.get());
    labels(context, &*store_in_use(context, state, &target.arn)?, &place, target, state).await.map(drop)
}

/// The store of the role. It also finds a secret that is still in another one.
pub(super) fn store_in_use(context: &Context, state: &Role, arn: &Arn) -> Result<Arc<dyn Store>, Reports> {
    context.store(state.store_settings().as_ref(), arn)
}

/// What the labels of the secret say: the secret with its proven version, or what is wrong with it. What a look at the
/// database found before stays.
async fn labels(
    context: &Context,
    store: &dyn Store,
    place: &Place,
    target: &Target,
    state: &mut Role,
) -> Result<Option<(Held, VersionId)>, Reports> {
    if state.is_iam() {
        of_tokens(store.find(place).await?, target, state);
        return Ok(None);
    }
    let held = match state.secret_ref.get() {
        Some(secret_ref) => store.look(secret_ref).await?,
        None => store.find(place).await?.filter(|held| held.is_for(&target.resource_id)),
    };
    let Some(held) = held.filter(|held| !held.deleted) else {
        state.credential = "no stored password".to_owned().into();
        return Ok(None);
    };
    let Some(version) = held.proven.clone() else {
        state.credential = UNPROVEN.to_owned().into();
        return Ok(None);
    };
    state.secret_ref = held.secret_ref.clone().into();
    if state.secret_version.get() != Some(&version.0) || state.rotated_at.is_null() {
        state.rotated_at = rotation::stored_at(context, store, &held.secret_ref, &version).await?.into();
        state.secret_version = version.0.clone().into();
    }
    if state.credential.is_null() {
        state.credential = OK.to_owned().into();
    }
    state.set_due();
    Ok(Some((held, version)))
}

/// Whether the secret of the role is there: where the state says, or at the place of today.
pub(super) async fn remains(context: &Context, bench: &Bench, state: &Role) -> Result<bool, Reports> {
    let known = match state.secret_ref.get() {
        Some(secret_ref) => store_in_use(context, state, &bench.target.arn)?.look(secret_ref).await?,
        None => None,
    };
    if known.is_some_and(|held| held.is_for(&bench.target.resource_id)) {
        return Ok(true);
    }
    Ok(bench.secret().await?.is_some())
}

/// Whether the times tell that the login has the stored password; `None` where server or store say no time.
async fn is_set(
    bench: &Bench,
    store: &dyn Store,
    state: &Role,
    held: &Held,
    version: &VersionId,
) -> Result<Option<bool>, Reports> {
    let Some(set) = bench.password_set().await? else { return Ok(None) };
    let stored = store.stored_at(&held.secret_ref, version).await?;
    Ok(stored.map(|stored| set.fits(stored, state.rotated_at.get().and_then(|at| moment(at)))))
}

fn moment(at: &str) -> Option<SystemTime> {
    at.parse::<Timestamp>().ok().map(SystemTime::from)
}

/// `rotated_at` of a password that was there and that a login has just proven. It may have been set long after it was
/// stored, by an apply that was resumed: where the server tells when, and a refresh would hold that against the time
/// that is kept, the proof is what counts.
fn since_proof(kept: String, now: String, set: Option<PasswordSet>) -> String {
    let is_later = set.is_some_and(|set| moment(&kept).is_some_and(|kept| set.at > kept + set.within));
    if is_later { now } else { kept }
}

/// A login with tokens has no secret; one that is left from a password before is to go.
fn of_tokens(left: Option<Held>, target: &Target, state: &mut Role) {
    none(state);
    let word = match left.filter(|held| held.is_for(&target.resource_id)) {
        Some(held) => format!("the secret of the password before is still there: {}", held.secret_ref),
        None if !target.iam_authentication => "IAM authentication of the database is off".to_owned(),
        None => OK.to_owned(),
    };
    state.credential = word.into();
}

/// Schedules the secret of a role that logs in with tokens for deletion: the one that state knows, wherever it is, and
/// the one that lies at the place of today.
pub(super) async fn forget_left(context: &Context, bench: &Bench, prior: Option<&Role>) -> Result<(), Reports> {
    let known = prior.and_then(|prior| prior.secret_ref.get().map(|secret_ref| (prior, secret_ref)));
    if let Some((prior, secret_ref)) = known {
        store_in_use(context, prior, &bench.target.arn)?.forget(secret_ref).await?;
    }
    match bench.secret().await? {
        Some(held) => Ok(bench.store.forget(&held.secret_ref).await?),
        None => Ok(()),
    }
}

/// The secret at the place of today: one that a create or a move of the store left when it was interrupted before it
/// could say so.
async fn secret_of_today(context: &Context, state: &Role, arn: &Arn) -> Result<Option<SecretRef>, Reports> {
    let (Some(name), Some(target)) = (state.name.get(), state.target_resource_id.get()) else {
        return Ok(None);
    };
    let place = place(arn.clone(), name, state.host.get());
    let held = store_in_use(context, state, arn)?.find(&place).await?;
    let ours = held.filter(|held| !held.deleted && held.target.as_deref() == Some(target.as_str()));
    Ok(ours.map(|held| held.secret_ref))
}

/// The present ARN of a database that was renamed: the role is in it still. What a refresh has forgotten, the mark of the
/// secret tells.
pub(super) async fn renamed(context: &Context, state: &Role, arn: &Arn) -> Result<Option<Arn>, Reports> {
    let mut known = state.target_resource_id.get().cloned();
    if let (None, Some(secret_ref)) = (&known, state.secret_ref.get()) {
        known = store_in_use(context, state, arn)?.look(secret_ref).await?.and_then(|held| held.target);
    }
    context.renamed_now(arn, known.as_deref()).await
}

/// What a destroy says of a database that has another name now.
pub(super) fn left_renamed(state: &Role, arn: &Arn, renamed: &Arn) -> Report {
    let name = state.name.get().map(ToString::to_string).unwrap_or_default();
    let secret = state.secret_ref.get().map(|secret| format!(", and its secret {secret} was kept")).unwrap_or_default();
    Report::warning(
        "The database was renamed: its role stays",
        format!(
            "{arn} is {renamed} now, and the role `{name}` is in it still{secret}. To go on with it, import the role as \
             `{renamed}|{name}`; otherwise drop it by hand."
        ),
    )
}

/// Schedules the secret of the role for deletion. `current` is the resource id of another database that now has the
/// ARN: a secret that was taken over for it stays.
pub(super) async fn forget(context: &Context, state: &Role, arn: &Arn, current: Option<&str>) -> Result<(), Reports> {
    let store = store_in_use(context, state, arn)?;
    let known = state.secret_ref.get().cloned();
    let today = secret_of_today(context, state, arn).await?.filter(|today| known.as_ref() != Some(today));
    for secret_ref in known.iter().chain(&today) {
        if current.is_some() {
            let held = store.look(secret_ref).await?;
            if held.is_none_or(|held| held.target.as_deref() == current) {
                continue;
            }
        }
        store.forget(secret_ref).await?;
    }
    Ok(())
}

/// Schedules the secret of a role for deletion whose account AWS takes away. A secret in such an account goes with it.
pub(super) async fn forget_elsewhere(context: &Context, state: &Role, arn: &Arn) -> Result<(), Reports> {
    let goes = |reports: &Reports| context.leaves_with_account(reports, "").is_some();
    let store = store_in_use(context, state, arn)?;
    let known = state.secret_ref.get().cloned();
    let today = match secret_of_today(context, state, arn).await {
        Err(reports) if goes(&reports) => None,
        today => today?.filter(|today| known.as_ref() != Some(today)),
    };
    for secret_ref in known.iter().chain(&today) {
        match store.forget(secret_ref).await.map_err(Reports::from) {
            Err(reports) if !goes(&reports) => return Err(reports),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::access::RoleName;
    use crate::resources::role::model::Rotation;
    use crate::resources::rotation::tests::{Machine, OneSecret, secret_ref};

    fn target() -> Target {
        let ledger = crate::resources::role::rules::tests::target(crate::access::EngineKind::Postgres, "17.2");
        Target { resource_id: "db-NOW".to_owned(), ..ledger }
    }

    /// What a refresh makes of a state, as far as the store tells.
    async fn refreshed(machine: &Machine, store: &OneSecret, mut state: Role) -> Role {
        let name: RoleName = "hoop_ro".parse().unwrap();
        let place = place(target().arn, &name, None);
        labels(&machine.context, store, &place, &target(), &mut state).await.unwrap();
        state
    }

    fn aged(version: &str, rotated_at: &str) -> Role {
        let after = "30d".parse::<crate::access::Span>().unwrap().into();
        Role {
            rotation: Rotation { after, ..Rotation::default() }.into(),
            secret_ref: secret_ref().into(),
            secret_version: version.to_owned().into(),
            rotated_at: rotated_at.to_owned().into(),
            credential: OK.to_owned().into(),
            ..Role::default()
        }
    }

    #[tokio::test]
    async fn an_import_takes_the_age_from_the_version() {
        let machine = Machine::at("2026-03-01T00:00:00Z");
        let store = OneSecret::proven("v1", Some("2026-01-01T00:00:00Z"));
        let state = refreshed(&machine, &store, Role::default()).await;
        assert_eq!(state.rotated_at, "2026-01-01T00:00:00Z".to_owned().into());
        assert_eq!((state.secret_version, state.rotation_due_at), ("v1".to_owned().into(), Attr::Null));
        let silent = OneSecret::proven("v1", None);
        let state = refreshed(&machine, &silent, Role::default()).await;
        assert_eq!(state.rotated_at, "2026-03-01T00:00:00Z".to_owned().into(), "first seen now");
    }

    #[tokio::test]
    async fn a_version_that_another_machine_promoted_is_as_old_as_it_is() {
        let machine = Machine::at("2026-03-01T00:00:00Z");
        let store = OneSecret::proven("v2", Some("2026-02-20T00:00:00Z"));
        let state = refreshed(&machine, &store, aged("v1", "2026-01-01T00:00:00Z")).await;
        assert_eq!(state.rotated_at, "2026-02-20T00:00:00Z".to_owned().into());
        assert_eq!(state.rotation_due_at, "2026-03-22T00:00:00Z".to_owned().into());
        let same = refreshed(&machine, &store, aged("v2", "2026-02-25T00:00:00Z")).await;
        assert_eq!(same.rotated_at, "2026-02-25T00:00:00Z".to_owned().into(), "what an apply has written stays");
    }

    #[tokio::test]
    async fn labels_tell_of_what_is_missing() {
        let machine = Machine::at("2026-03-01T00:00:00Z");
        let mut store = OneSecret::proven("v1", None);
        store.held.pending = store.held.proven.take();
        let word = async |store: &OneSecret| {
            refreshed(&machine, store, aged("v1", "2026-01-01T00:00:00Z")).await.credential.into_known().unwrap()
        };
        assert_eq!(word(&store).await, UNPROVEN);
        store.held.deleted = true;
        assert_eq!(word(&store).await, "no stored password");
    }

    #[test]
    fn a_password_that_a_resumed_apply_set_late_fits_once_a_login_has_proven_it() {
        let [stored, set, now] = ["2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"];
        let set = PasswordSet { at: moment(set).unwrap(), within: Duration::from_secs(300) };
        let fits = |rotated_at: &str| set.fits(moment(stored).unwrap(), moment(rotated_at));
        assert!(!fits(stored), "a refresh takes it for the password of somebody else");
        let proven = since_proof(stored.to_owned(), now.to_owned(), Some(set));
        assert_eq!(proven, now);
        assert!(fits(&proven), "and not again after the proof");
        let in_time = PasswordSet { at: moment(stored).unwrap() + Duration::from_secs(60), ..set };
        assert_eq!(since_proof(stored.to_owned(), now.to_owned(), Some(in_time)), stored, "its age goes on");
        assert_eq!(since_proof(stored.to_owned(), now.to_owned(), None), stored, "the server does not tell");
    }
}
