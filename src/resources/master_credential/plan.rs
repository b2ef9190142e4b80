//! What a plan of the master credential says beyond the declarations.

use crate::access::{EngineKind, Target, TargetKind};
use crate::context::{Context, Takes};
use crate::report::Report;
use crate::schema::{Attr, Change, Private, Reports};
use crate::store::Place;
use crate::value::{Path, Step};

use super::model::MasterCredential;
use super::steps::{self, Error};
use crate::resources::rotation::{self, OK, Trigger, trigger};

/// Why an apply replaces the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A rotation is wanted
    Rotation(Trigger),
    /// `credential` is not `ok`
    Repair,
}

/// Decides from configuration, state and private state alone, so that plan and apply give the same answer.
pub(super) fn reason(prior: &MasterCredential, planned: &MasterCredential, private: &Private) -> Option<Reason> {
    let wanted = trigger(&prior.schedule(), &planned.schedule(), &prior.rotated_at, private);
    let works = prior.credential.get().map(String::as_str) == Some(OK);
    wanted.map(Reason::Rotation).or((!works).then_some(Reason::Repair))
}

/// Fills in what is known already and marks what the change moves.
pub(super) async fn plan(context: &Context, change: &mut Change<MasterCredential>) -> Result<(), Reports> {
    let Some(prior) = change.prior.clone() else {
        return plan_create(context, change).await;
    };
    if prior.target_resource_id.is_null() {
        change.planned.target_resource_id = Attr::Unknown;
        change.replace.push(Path::root().with(Step::Attribute("target_resource_id".to_owned())));
        return Ok(());
    }
    if change.planned.target_arn != prior.target_arn {
        return Ok(());
    }
    let reason = reason(&prior, &change.planned, &change.private);
    if reason == Some(Reason::Repair) {
        let planned = change.planned.clone();
        warn(change, &planned, None);
    }
    if reason.is_some() {
        change.planned.credential = OK.to_owned().into();
        change.planned.secret_version = Attr::Unknown;
        change.planned.rotated_at = Attr::Unknown;
        if moves(context, &prior, &change.planned) {
            change.planned.secret_ref = Attr::Unknown;
        }
        if let Some(target) = known_target(context, change).await? {
            check_length(&target, change.planned.length())?;
        }
    }
    change.planned.set_due();
    Ok(())
}

async fn plan_create(context: &Context, change: &mut Change<MasterCredential>) -> Result<(), Reports> {
    change.planned.credential = OK.to_owned().into();
    change.planned.set_due();
    let target = known_target(context, change).await?;
    if let Some(target) = &target {
        steps::check(target)?;
        check_length(target, change.planned.length())?;
    }
    let planned = change.planned.clone();
    if !planned.adopt_secret_ref.is_null() || is_held(context, &planned, target.as_ref()).await {
        return Ok(());
    }
    warn(change, &planned, target.as_ref());
    Ok(())
}

/// The database, when it is known.
async fn known_target(context: &Context, change: &Change<MasterCredential>) -> Result<Option<Target>, Reports> {
    match &change.planned.target_arn {
        Attr::Known(arn) => context.find_for_plan(arn, Takes::Writers).await,
        _ => Ok(None),
    }
}

/// RDS takes 41 characters for clusters and for MySQL and MariaDB, 128 elsewhere.
pub(super) fn check_length(target: &Target, length: usize) -> Result<(), Error> {
    let short = target.arn.kind == TargetKind::Cluster
        || target.aurora
        || matches!(target.engine, EngineKind::Mysql | EngineKind::Mariadb);
    if short && length > 41 {
        return Err(Error::TooLong { arn: target.arn.clone(), length });
    }
    Ok(())
}

/// Whether a proven secret of ours for this very database is there already: then most likely nothing is replaced. A
/// plan that may not ask the store expects the worst.
async fn is_held(context: &Context, planned: &MasterCredential, target: Option<&Target>) -> bool {
    let (Some(target), false) = (target, planned.store_is_unknown()) else { return false };
    let Ok(username) = target.master_username.parse() else { return false };
    let place = Place::user(target.arn.clone(), username);
    let Ok(store) = context.store(planned.store_settings().as_ref(), &target.arn) else { return false };
    let held = store.find(&place).await.ok().flatten();
    held.is_some_and(|held| held.is_for(&target.resource_id) && held.proven.is_some() && held.pending.is_none())
}

fn warn(change: &mut Change<MasterCredential>, planned: &MasterCredential, target: Option<&Target>) {
    let arn = planned.target_arn.get().map(ToString::to_string);
    let words = match (target, arn) {
        (Some(target), _) => {
            let user = &target.master_username;
            format!(
                "the master password of {user} on {} will be replaced; clients that use it stop working",
                target.arn
            )
        }
        (None, Some(arn)) => {
            format!("the master password of {arn} will be replaced; clients that use it stop working")
        }
        (None, None) => {
            "the master password of the database will be replaced; clients that use it stop working".to_owned()
        }
    };
    let detail = format!("On apply {words}. To keep the password, name a secret that holds it as `adopt_secret_ref`.");
    change.warnings.push(Report::warning("The master password will be replaced", detail));
}

/// Whether a rotation may put the secret somewhere else than where the state says.
fn moves(context: &Context, prior: &MasterCredential, planned: &MasterCredential) -> bool {
    let (Some(secret_ref), Some(arn), Some(username)) =
        (prior.secret_ref.get(), prior.target_arn.get(), prior.username.get())
    else {
        return true;
    };
    if planned.store_is_unknown() || prior.credential.get().is_some_and(|text| text == steps::GONE) {
        return true;
    }
    let place = Place::user(arn.clone(), username.clone());
    rotation::moves(context, planned.store_settings().as_ref(), &place, Some(secret_ref))
}

#[cfg(test)]
mod tests {
    use super::super::model::Rotation;
    use super::*;

    fn state(keepers: &str) -> MasterCredential {
        let keepers = std::collections::BTreeMap::from([("k".to_owned(), keepers.to_owned())]);
        MasterCredential {
            rotation: Rotation { keepers: keepers.into(), ..Rotation::default() }.into(),
            credential: OK.to_owned().into(),
            ..MasterCredential::default()
        }
    }

    #[test]
    fn a_rotation_is_wanted_before_a_repair() {
        let reason = |prior: &MasterCredential, planned: &str| reason(prior, &state(planned), &Private::default());
        assert_eq!(reason(&state("a"), "a"), None);
        assert_eq!(reason(&state("a"), "b"), Some(Reason::Rotation(Trigger::Keepers)));
        let broken = MasterCredential { credential: "the proven password is refused".to_owned().into(), ..state("a") };
        assert_eq!(reason(&broken, "a"), Some(Reason::Repair));
        assert_eq!(reason(&broken, "b"), Some(Reason::Rotation(Trigger::Keepers)));
        let unread = MasterCredential { credential: Attr::Null, ..state("a") };
        assert_eq!(reason(&unread, "a"), Some(Reason::Repair));
    }
}
