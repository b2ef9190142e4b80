//! What a plan of the master credential says beyond the declarations.

use crate::access::{EngineKind, Target, TargetKind};
use crate::context::{Context, Takes};
use crate::report::Report;
use crate::schema::{Attr, Change, Private, Reports};
use crate::store::{Place, StoreSettings};
use crate::value::{Path, Step};

use super::model::{MasterCredential, OK};
use super::steps::{self, Error, OBSERVED_AT};

/// Why an apply replaces the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// `rotation.keepers` differ
    Keepers,
    /// `rotation.after` was over at the last refresh
    Due,
    /// `credential` is not `ok`
    Repair,
}

/// Decides from configuration, state and private state alone, so that plan and apply give the same answer.
pub(super) fn reason(prior: &MasterCredential, planned: &MasterCredential, private: &Private) -> Option<Reason> {
    let keepers = match (prior.keepers(), planned.keepers()) {
        (Attr::Known(before), Attr::Known(after)) => before != after,
        (Attr::Known(_), Attr::Unknown) => true,
        _ => false,
    };
    if keepers {
        return Some(Reason::Keepers);
    }
    let observed: Option<jiff::Timestamp> = private.get(OBSERVED_AT).and_then(|text| text.parse().ok());
    let with_prior_time = MasterCredential { rotated_at: prior.rotated_at.clone(), ..planned.clone() };
    if let (Attr::Known(due), Some(observed)) = (with_prior_time.due(), observed)
        && observed >= due
    {
        return Some(Reason::Due);
    }
    (prior.credential.get().map(String::as_str) != Some(OK)).then_some(Reason::Repair)
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
    let wanted = planned.store_settings();
    let StoreSettings::SecretsManager(settings) = context.store_settings(wanted.as_ref());
    let place = Place::user(arn.clone(), username.clone());
    !settings.holds(&place, secret_ref)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::model::Rotation;
    use super::*;

    fn state(keepers: Option<&str>, after: Option<&str>) -> MasterCredential {
        let keepers = keepers.map(|text| BTreeMap::from([("k".to_owned(), text.to_owned())]));
        let after = after.map(|text| text.parse().unwrap());
        MasterCredential {
            rotation: Rotation { after: after.into(), keepers: keepers.into() }.into(),
            rotated_at: "2026-01-01T00:00:00Z".to_owned().into(),
            credential: OK.to_owned().into(),
            ..MasterCredential::default()
        }
    }

    fn observed(at: &str) -> Private {
        let mut private = Private::default();
        private.set(OBSERVED_AT, at);
        private
    }

    #[test]
    fn keepers_that_differ_replace_the_password_and_new_ones_do_not() {
        let none = Private::default();
        let of = |text| state(text, None);
        assert_eq!(reason(&of(Some("a")), &of(Some("b")), &none), Some(Reason::Keepers));
        assert_eq!(reason(&of(Some("a")), &of(Some("a")), &none), None);
        assert_eq!(reason(&of(None), &of(Some("a")), &none), None, "after an import nothing is replaced");
        assert_eq!(reason(&of(Some("a")), &of(None), &none), None);
        let mut unknown = of(Some("a"));
        unknown.rotation = Rotation { keepers: Attr::Unknown, ..Rotation::default() }.into();
        assert_eq!(reason(&of(Some("a")), &unknown, &none), Some(Reason::Keepers));
    }

    #[test]
    fn an_age_is_over_by_the_time_of_the_last_refresh_alone() {
        let due = |after, at| reason(&state(None, None), &state(None, Some(after)), &observed(at));
        assert_eq!(due("30d", "2026-01-31T00:00:00Z"), Some(Reason::Due));
        assert_eq!(due("30d", "2026-01-30T23:59:59Z"), None);
        let prior = state(None, Some("30d"));
        assert_eq!(reason(&prior, &prior, &Private::default()), None, "never refreshed");
    }

    #[test]
    fn anything_but_ok_is_repaired() {
        let broken =
            MasterCredential { credential: "the proven password is refused".to_owned().into(), ..state(None, None) };
        assert_eq!(reason(&broken, &state(None, None), &Private::default()), Some(Reason::Repair));
        let unknown = MasterCredential { credential: Attr::Null, ..state(None, None) };
        assert_eq!(reason(&unknown, &state(None, None), &Private::default()), Some(Reason::Repair));
    }

    #[test]
    fn the_due_time_follows_the_configuration() {
        let mut model = state(None, Some("720h"));
        model.set_due();
        assert_eq!(model.rotation_due_at.get().map(String::as_str), Some("2026-01-31T00:00:00Z"));
        model.rotated_at = Attr::Unknown;
        model.set_due();
        assert!(model.rotation_due_at.is_unknown());
        model.rotation = Attr::Null;
        model.set_due();
        assert!(model.rotation_due_at.is_null());
    }
}
