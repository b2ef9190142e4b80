//! What is there: reading it, and writing it into the state.

use crate::access::{Arn, RoleName, SecretRef, Target};
use crate::aws::secrets::Schedule;
use crate::context::{Attempt, Context, Found, OnUnreachable, Refresh, Takes, check_ready, found};
use crate::report::Report;
use crate::schema::{Apply, Attr, Reading, Reports};
use crate::store::{Held, Place, Store, VersionId};

use super::error::Error;
use super::model::{MasterCredential, RDS_MANAGED, Rotation};
use super::steps::{self, GONE, Secured};
use super::{key, managed, target_arn};
use crate::resources::lost;
use crate::resources::rotation::{self, OK};

/// What `credential` says when RDS does not manage the password that it is to manage.
pub(super) const NOT_MANAGED: &str = "RDS does not manage the password any more";
/// What it says when the server refuses what RDS has stored: somebody changed the password by hand.
pub(super) const REFUSED: &str = "the password in the secret of RDS is refused";
const MANAGED_BY_RDS: &str = "RDS manages the password now, in ";

/// Brings the state up to date; changes nothing. `false` when neither database nor secret is there.
pub(super) async fn read(context: &Context, reading: &mut Reading<MasterCredential>) -> Result<bool, Reports> {
    let arn = target_arn(&reading.state)?;
    let described = match context.aws()?.describe(&arn).await {
        Ok(described) => described,
        Err(error) if context.keeps(&error) => return keep(context, reading, Report::of(&error)),
        Err(error) => return Err(error.into()),
    };
    let target = match found(&arn, Takes::Writers, described)? {
        Found::Target(target) => Some(*target),
        Found::Gone => None,
    };
    if target.is_none() {
        warn_of_new_name(context, reading, &arn).await?;
    }
    if reading.state.method.is_null() && !reading.imported {
        // A state from before there was a choice.
        reading.state.method = "password".to_owned().into();
    }
    if is_of_rds(reading, target.as_ref()) {
        return read_managed(context, reading, target).await;
    }
    read_stored(context, reading, &arn, target).await
}

/// Reads a password that is in a store of ours.
async fn read_stored(
    context: &Context,
    reading: &mut Reading<MasterCredential>,
    arn: &Arn,
    target: Option<Target>,
) -> Result<bool, Reports> {
    let store = match context.store(reading.state.store_settings().as_ref(), arn) {
        Ok(store) => store,
        Err(reports) if context.keeps_state(&reports) && !reading.imported => {
            rotation::forget_refresh(&mut reading.private);
            lost::keep(context, reading, reports);
            return Ok(true);
        }
        Err(reports) => return Err(reports),
    };
    let held = match held(&*store, arn, target.as_ref(), &reading.state).await {
        Ok(held) => held,
        Err(error) if context.keeps(&error) => return keep(context, reading, Report::of(&error)),
        Err(error) => return Err(error.into()),
    };
    let there = held.as_ref().is_some_and(|held| !held.deleted);
    let Some(target) = target else {
        reading.state.target_resource_id = Attr::Null;
        return Ok(there && !reading.imported);
    };
    if reading.imported {
        if !there {
            return Err(no_secret(context, arn, &target)?.into());
        }
        reading.state.method = "password".to_owned().into();
        reading.state.password_length = 40.into();
    }
    reading.state.username = steps::username(&target)?.into();
    reading.state.target_resource_id = target.resource_id.clone().into();
    rotation::note_refresh(context, &mut reading.private);
    credential(context, reading, &*store, &target, held).await?;
    Ok(true)
}

/// Says that a database which is no longer there has another name now.
async fn warn_of_new_name(
    context: &Context,
    reading: &mut Reading<MasterCredential>,
    arn: &Arn,
) -> Result<(), Reports> {
    let Some(resource_id) = reading.state.target_resource_id.get() else { return Ok(()) };
    let Some(renamed) = context.renamed(arn, resource_id).await? else { return Ok(()) };
    let secret = reading.state.secret_ref.get().map(|secret| format!("`adopt_secret_ref = \"{secret}\"`"));
    let keep =
        secret.filter(|_| !reading.state.is_managed()).map(|secret| format!(" with {secret}")).unwrap_or_default();
    let detail = format!(
        "{arn} has another name: it is {renamed} now, and its master password is the same. Write `target_arn = \
         \"{renamed}\"`{keep} to go on with it. The secret is kept."
    );
    reading.warnings.push(Report::warning("The database was renamed", detail));
    Ok(())
}

/// Where an import has looked in vain.
fn no_secret(context: &Context, arn: &Arn, target: &Target) -> Result<Error, Reports> {
    let place = Place::user(arn.clone(), steps::username(target)?);
    Ok(Error::NoSecret { arn: arn.clone(), secret: context.store_settings(None).describe(&place) })
}

/// What `credential` says of a password of ours that somebody let RDS manage.
pub(super) fn managed_by_rds(secret: &SecretRef) -> String {
    format!("{MANAGED_BY_RDS}{secret}")
}

/// Whether `credential` says so.
pub(super) fn is_managed_by_rds(credential: &str) -> bool {
    credential.starts_with(MANAGED_BY_RDS)
}

/// Whether the password is one that RDS makes. An import takes what it finds.
fn is_of_rds(reading: &Reading<MasterCredential>, target: Option<&Target>) -> bool {
    match reading.imported {
        true => target.is_some_and(|target| target.managed_secret.is_some()),
        false => reading.state.is_managed(),
    }
}

/// Brings the state of a password of RDS up to date; changes nothing.
async fn read_managed(
    context: &Context,
    reading: &mut Reading<MasterCredential>,
    target: Option<Target>,
) -> Result<bool, Reports> {
    let Some(target) = target else {
        // RDS deletes its secret with the database, so nothing is left.
        reading.state.target_resource_id = Attr::Null;
        return Ok(false);
    };
    if reading.imported {
        reading.state.method = RDS_MANAGED.to_owned().into();
    }
    reading.state.username = steps::username(&target)?.into();
    reading.state.target_resource_id = target.resource_id.clone().into();
    rotation::note_refresh(context, &mut reading.private);
    if let Some(found) = key::other_key(&target, &reading.state.kms_key_id) {
        reading.state.kms_key_id = found.into();
    }
    let Some(secret_ref) = target.managed_secret.clone() else {
        reading.state.credential = NOT_MANAGED.to_owned().into();
        return Ok(true);
    };
    if let Err(error) = check_ready(target.clone())
        && context.refresh() == Refresh::Database
    {
        return match context.on_unreachable() {
            OnUnreachable::Keep => keep(context, reading, Report::of(&error)),
            OnUnreachable::Fail => Err(error.into()),
        };
    }
    match look_at_rds(context, reading, &target, &secret_ref).await {
        Err(reports) if !reading.imported && context.keeps_state(&reports) => {
            lost::keep(context, reading, reports);
            Ok(true)
        }
        outcome => outcome.map(|()| true),
    }
}

async fn look_at_rds(
    context: &Context,
    reading: &mut Reading<MasterCredential>,
    target: &Target,
    secret_ref: &SecretRef,
) -> Result<(), Reports> {
    let version = managed::current(context, secret_ref).await?;
    if let Some(rotation) = reading.state.rotation.get().filter(|rotation| rotation.after.is_known()) {
        let schedule = managed::schedule(context, secret_ref).await?;
        let after = schedule.map(Schedule::span).into();
        reading.state.rotation = Rotation { after, ..rotation.clone() }.into();
    }
    let credential = match (target.managed_status.as_deref(), &version) {
        (_, None) => "the secret of RDS holds no password".to_owned(),
        (Some(managed::ACTIVE), Some(version)) if context.refresh() == Refresh::Aws => {
            // Only a login tells whether the password that was refused works again; another version is another password.
            let is_refused = reading.state.credential.get().is_some_and(|text| text == REFUSED);
            let keeps = is_refused && reading.state.secret_version.get() == Some(&version.id);
            if keeps { REFUSED } else { OK }.to_owned()
        }
        (Some(managed::ACTIVE), Some(_)) => log_in_as_rds(context, target, secret_ref).await?.to_owned(),
        (status, Some(_)) => secret_is(status.unwrap_or("in an unknown state")),
    };
    let state = &mut reading.state;
    state.secret_ref = secret_ref.clone().into();
    if let Some(version) = version {
        state.rotated_at = version.stored_at.into();
        state.secret_version = version.id.into();
    }
    state.credential = credential.into();
    state.set_due();
    Ok(())
}

fn secret_is(status: &str) -> String {
    format!("the secret of RDS is {status}")
}

/// One login with the password of RDS, and another when RDS has replaced it in between.
pub(super) async fn log_in_as_rds(
    context: &Context,
    target: &Target,
    secret_ref: &SecretRef,
) -> Result<&'static str, Reports> {
    let username = steps::username(target)?;
    let credential = context.read_secret(secret_ref).await?;
    match context.try_login(target, &username, &credential.password).await? {
        Attempt::Accepted => return Ok(OK),
        Attempt::OutOfReach(error) => return Err(error.into()),
        Attempt::Refused => {}
    }
    let again = context.read_secret(secret_ref).await?;
    if again.password != credential.password
        && matches!(context.try_login(target, &username, &again.password).await?, Attempt::Accepted)
    {
        return Ok(OK);
    }
    Ok(REFUSED)
}

/// The prior state with a warning. An import has no state that could be kept.
fn keep(context: &Context, reading: &mut Reading<MasterCredential>, report: Report) -> Result<bool, Reports> {
    if reading.imported {
        return Err(report.into());
    }
    rotation::forget_refresh(&mut reading.private);
    lost::keep(context, reading, report.into());
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
    // Whatever became of our secret: only the user may take the password back, with `method`.
    let taken = target.managed_secret.as_ref().map(managed_by_rds);
    let Some(held) = held.filter(|held| !held.deleted) else {
        state.credential = taken.unwrap_or_else(|| GONE.to_owned()).into();
        return Ok(());
    };
    state.secret_ref = held.secret_ref.clone().into();
    let Some(proven) = &held.proven else {
        let words = match held.pending {
            Some(_) => "a change of the password did not finish",
            None => "the secret holds no password",
        };
        state.credential = taken.unwrap_or_else(|| words.to_owned()).into();
        return Ok(());
    };
    if state.secret_version.get() != Some(&proven.0) {
        state.rotated_at = rotation::stored_at(context, store, &held.secret_ref, proven).await?.into();
        state.secret_version = proven.0.clone().into();
    }
    state.set_due();
    if let Some(taken) = taken {
        state.credential = taken.into();
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
            return keep(context, reading, Report::of(&error)).map(drop);
        }
        return Err(error.into());
    }
    let stored = match store.value(secret_ref, proven).await {
        Ok(stored) => stored,
        Err(error) if context.keeps(&error) => return keep(context, reading, Report::of(&error)).map(drop),
        Err(error) => return Err(error.into()),
    };
    let username = steps::username(target)?;
    let words = match context.try_login(target, &username, &stored.password).await? {
        Attempt::Accepted => OK,
        Attempt::Refused => "the proven password is refused",
        Attempt::OutOfReach(error) if context.keeps_unreachable(&error) => {
            return keep(context, reading, Report::of(&error)).map(drop);
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
    rotation::note_settled(&mut apply.private, settled);
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

/// Keeps in the state of an update that RDS has accepted a new password: the same keepers are not to rotate again,
/// whatever fails after it. A create or a switch finds by the management itself what was begun.
pub(super) fn asked(apply: &mut Apply<MasterCredential>) {
    let Some(prior) = apply.prior.clone().filter(MasterCredential::is_managed) else { return };
    let (rotation, timeouts) = (apply.planned.rotation.clone(), apply.planned.timeouts.clone());
    apply.state = MasterCredential { rotation, timeouts, credential: secret_is(managed::ROTATING).into(), ..prior };
    apply.saved = true;
}

/// Writes into the state what RDS reached.
pub(super) fn managed(
    context: &Context,
    apply: &mut Apply<MasterCredential>,
    made: managed::Managed,
) -> Result<(), Reports> {
    let arn = made.target.arn;
    let meanwhile = apply.planned.secret_ref.get().is_some_and(|planned| *planned != made.secret_ref);
    apply.state = apply.planned.clone();
    // A switch is wanted again until the secret of before is dealt with, and a create finds what is there.
    apply.saved = apply.prior.as_ref().is_some_and(MasterCredential::is_managed);
    let state = &mut apply.state;
    state.username = made.username.into();
    state.secret_ref = made.secret_ref.into();
    state.secret_version = made.version.id.into();
    state.rotated_at = made.version.stored_at.unwrap_or_else(|| context.timestamp()).into();
    state.credential = OK.to_owned().into();
    state.target_resource_id = made.target.resource_id.into();
    state.set_due();
    if meanwhile { Err(Error::MovedMeanwhile(arn).into()) } else { Ok(()) }
}

/// What a destroy says of a database that has another name now.
pub(super) fn left_renamed(secret: &SecretRef, arn: &Arn, renamed: &Arn) -> Report {
    Report::warning(
        "The database was renamed: its secret stays",
        format!(
            "{arn} is {renamed} now. Its master password was not changed, and the secret {secret} was kept, because nothing \
             else knows the password. To go on with it, name the secret as `adopt_secret_ref` of a master credential of \
             {renamed}; otherwise delete it by hand when it is no longer needed."
        ),
    )
}

/// What a destroy leaves in another account than that of the database, or in Vault.
pub(super) fn left_elsewhere(state: &MasterCredential, arn: &Arn) -> Option<Report> {
    let is_elsewhere = match state.secret_ref.get()? {
        SecretRef::SecretsManager { account_id, .. } => *account_id != arn.account_id,
        SecretRef::Vault { .. } => true,
    };
    (is_elsewhere && !state.is_managed()).then(|| left_behind(state))
}

/// What a destroy says of what stays.
pub(super) fn left_behind(state: &MasterCredential) -> Report {
    let text = |name: Option<String>, other: &str| name.unwrap_or_else(|| other.to_owned());
    let user = text(state.username.get().map(ToString::to_string), "the master user");
    let arn = text(state.target_arn.get().map(ToString::to_string), "the database");
    let secret = text(state.secret_ref.get().map(ToString::to_string), "its secret");
    if state.is_managed() {
        return Report::warning(
            "RDS goes on managing the master password",
            format!(
                "The password of {user} on {arn} was not changed: RDS keeps and rotates it in {secret}. To end that, \
                 switch manage_master_user_password off and give the database a password of your own."
            ),
        );
    }
    Report::warning(
        "The master password and its secret stay",
        format!(
            "The password of {user} on {arn} was not changed, and the secret {secret} was kept, because nothing else \
             knows the password. Delete the secret by hand when the password is replaced or no longer needed."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_outside_of_the_account_that_goes_is_named() {
        let arn: Arn = "arn:aws:rds:eu-west-1:111111111111:db:ledger".parse().unwrap();
        let state = |secret_ref: &str, method: &str| MasterCredential {
            target_arn: arn.clone().into(),
            secret_ref: secret_ref.parse::<SecretRef>().unwrap().into(),
            method: method.to_owned().into(),
            ..MasterCredential::default()
        };
        let beside = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:a-AbCdEf";
        assert_eq!(left_elsewhere(&state(beside, "password"), &arn), None, "it goes with the account");
        for secret_ref in ["arn:aws:secretsmanager:eu-west-1:222222222222:secret:a-AbCdEf", "vault:kv2::secret:a/b"] {
            let warning = left_elsewhere(&state(secret_ref, "password"), &arn).unwrap();
            assert!(warning.detail.contains(secret_ref) && warning.detail.contains("was kept"), "{warning}");
            assert_eq!(left_elsewhere(&state(secret_ref, RDS_MANAGED), &arn), None, "RDS keeps its own");
        }
        assert_eq!(left_elsewhere(&MasterCredential::default(), &arn), None);
    }
}
