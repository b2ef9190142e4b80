//! What is there: reading it, and writing it into the state.

use crate::access::{Arn, RoleName, SecretRef, Target};
use crate::context::{Attempt, Context, Found, OnUnreachable, Refresh, Takes, check_ready, found};
use crate::report::Report;
use crate::schema::{Apply, Attr, Reading, Reports};
use crate::store::{Held, Place, Store, VersionId};

use super::model::MasterCredential;
use super::steps::{self, GONE, Secured};
use super::target_arn;
use crate::resources::rotation::{self, OK};

/// Brings the state up to date; changes nothing. `false` when neither database nor secret is there.
pub(super) async fn read(context: &Context, reading: &mut Reading<MasterCredential>) -> Result<bool, Reports> {
    let arn = target_arn(&reading.state)?;
    let described = match context.aws()?.describe(&arn).await {
        Ok(described) => described,
        Err(error) if context.keeps(&error) => return keep(reading, Report::of(&error)),
        Err(error) => return Err(error.into()),
    };
    let target = match found(&arn, Takes::Writers, described)? {
        Found::Target(target) => Some(*target),
        Found::Gone => None,
    };
    let store = context.store(reading.state.store_settings().as_ref(), &arn)?;
    let held = match held(&*store, &arn, target.as_ref(), &reading.state).await {
        Ok(held) => held,
        Err(error) if context.keeps(&error) => return keep(reading, Report::of(&error)),
        Err(error) => return Err(error.into()),
    };
    let there = held.as_ref().is_some_and(|held| !held.deleted);
    let Some(target) = target else {
        reading.state.target_resource_id = Attr::Null;
        return Ok(there && !reading.imported);
    };
    if reading.imported {
        if !there {
            return Ok(false);
        }
        reading.state.password_length = 40.into();
    }
    reading.state.username = steps::username(&target)?.into();
    reading.state.target_resource_id = target.resource_id.clone().into();
    rotation::note_refresh(context, &mut reading.private);
    credential(context, reading, &*store, &target, held).await?;
    Ok(true)
}

/// The prior state with a warning.
fn keep(reading: &mut Reading<MasterCredential>, report: Report) -> Result<bool, Reports> {
    rotation::forget_refresh(&mut reading.private);
    reading.warnings.push(report.as_warning());
    Ok(true)
}

/// The secret of the state, or, after an import, the one at the place where it would be made.
async fn held(
    store: &dyn Store,
    arn: &Arn,
    target: Option<&Target>,
    state: &MasterCredential,
) -> Result<Option<Held>, crate::store::Error> {
    if let Some(secret_ref) = state.secret_ref.get() {
        return store.look(secret_ref).await;
    }
    let Some(username) = target.and_then(|target| target.master_username.parse::<RoleName>().ok()) else {
        return Ok(None);
    };
    let held = store.find(&Place::user(arn.clone(), username)).await?;
    Ok(held.filter(|held| held.target.is_some()))
}

/// Finds out whether the stored password works.
async fn credential(
    context: &Context,
    reading: &mut Reading<MasterCredential>,
    store: &dyn Store,
    target: &Target,
    held: Option<Held>,
) -> Result<(), Reports> {
    let state = &mut reading.state;
    let Some(held) = held.filter(|held| !held.deleted) else {
        state.credential = GONE.to_owned().into();
        return Ok(());
    };
    state.secret_ref = held.secret_ref.clone().into();
    let Some(proven) = &held.proven else {
        let words = match held.pending {
            Some(_) => "a change of the password did not finish",
            None => "the secret holds no password",
        };
        state.credential = words.to_owned().into();
        return Ok(());
    };
    if state.secret_version.get() != Some(&proven.0) {
        state.rotated_at = rotation::stored_at(context, store, &held.secret_ref, proven).await?.into();
        state.secret_version = proven.0.clone().into();
    }
    state.set_due();
    if let Some(secret) = &target.managed_secret {
        state.credential = format!("RDS manages the password now, in {secret}").into();
        return Ok(());
    }
    if context.refresh() == Refresh::Aws {
        // The labels say that a login has proven it; whether it still works was not asked.
        if state.credential.is_null() {
            state.credential = OK.to_owned().into();
        }
        return Ok(());
    }
    log_in(context, reading, store, target, &held.secret_ref, proven).await
}

/// One login with the proven version.
async fn log_in(
    context: &Context,
    reading: &mut Reading<MasterCredential>,
    store: &dyn Store,
    target: &Target,
    secret_ref: &SecretRef,
    proven: &VersionId,
) -> Result<(), Reports> {
    if let Err(error) = check_ready(target.clone()) {
        if context.on_unreachable() == OnUnreachable::Keep {
            return keep(reading, Report::of(&error)).map(drop);
        }
        return Err(error.into());
    }
    let stored = match store.value(secret_ref, proven).await {
        Ok(stored) => stored,
        Err(error) if context.keeps(&error) => return keep(reading, Report::of(&error)).map(drop),
        Err(error) => return Err(error.into()),
    };
    let username = steps::username(target)?;
    let words = match context.try_login(target, &username, &stored.password).await? {
        Attempt::Accepted => OK,
        Attempt::Refused => "the proven password is refused",
        Attempt::OutOfReach(error) if context.keeps_unreachable(&error) => {
            return keep(reading, Report::of(&error)).map(drop);
        }
        Attempt::OutOfReach(error) => return Err(error.into()),
    };
    reading.state.credential = words.to_owned().into();
    Ok(())
}

/// Writes what an apply reached into the state.
pub(super) async fn made(
    context: &Context,
    apply: &mut Apply<MasterCredential>,
    secured: &Secured,
) -> Result<(), Reports> {
    let Secured { settled, target, username } = secured;
    let prior = apply.prior.as_ref().map(|prior| (&prior.secret_version, &prior.rotated_at));
    let store = context.store(apply.planned.store_settings().as_ref(), &target.arn)?;
    let rotated_at = rotation::rotated_at(context, &*store, prior, settled).await?;
    let state = &mut apply.state;
    state.username = username.clone().into();
    state.secret_ref = settled.secret_ref.clone().into();
    state.secret_version = settled.version.0.clone().into();
    state.rotated_at = rotated_at.into();
    state.credential = OK.to_owned().into();
    state.target_resource_id = target.resource_id.clone().into();
    state.set_due();
    Ok(())
}

/// What a destroy says of what stays.
pub(super) fn left_behind(state: &MasterCredential) -> Report {
    let text = |name: Option<String>, other: &str| name.unwrap_or_else(|| other.to_owned());
    let user = text(state.username.get().map(ToString::to_string), "the master user");
    let arn = text(state.target_arn.get().map(ToString::to_string), "the database");
    let secret = text(state.secret_ref.get().map(ToString::to_string), "its secret");
    Report::warning(
        "The master password and its secret stay",
        format!(
            "The password of {user} on {arn} was not changed, and the secret {secret} was kept, because nothing else \
             knows the password. Delete the secret by hand when the password is replaced or no longer needed."
        ),
    )
}
