//! What a plan of the master credential says beyond the declarations.

use crate::access::{EngineKind, Target, TargetKind};
use crate::context::{Context, Takes};
use crate::report::Report;
use crate::schema::{Attr, Change, Private, Reports};
use crate::store::Place;
use crate::value::{Path, Step};

use super::error::Error;
use super::model::MasterCredential;
use super::{key, observe, steps};
use crate::resources::rotation::{self, OK, Trigger, trigger};

/// Why an apply replaces the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// `method` differs
    Switch,
    /// A rotation is wanted
    Rotation(Trigger),
    /// `credential` is not `ok`
    Repair,
    /// AWS rotates the secret of RDS at other times than wanted; no password is replaced
    Schedule,
}

/// Decides from configuration, state and private state alone, so that plan and apply give the same answer.
pub(super) fn reason(prior: &MasterCredential, planned: &MasterCredential, private: &Private) -> Option<Reason> {
    if planned.method.is_unknown() || prior.is_managed() != planned.is_managed() {
        return Some(Reason::Switch);
    }
    let credential = prior.credential.get().map(String::as_str);
    if credential.is_some_and(observe::is_managed_by_rds) {
        // Nothing to rotate or repair: only the user may take the password back from RDS, with `method`.
        return None;
    }
    let wanted = trigger(&prior.own_schedule(), &planned.own_schedule(), &prior.rotated_at, private);
    let works = credential == Some(OK);
    let moved = planned.is_managed() && prior.schedule().after != planned.schedule().after;
    let moved = moved && !planned.schedule().after.is_null();
    wanted.map(Reason::Rotation).or((!works).then_some(Reason::Repair)).or(moved.then_some(Reason::Schedule))
}

/// Whether the server refuses the password that RDS has stored.
pub(super) fn is_refused(prior: &MasterCredential) -> bool {
    prior.is_managed() && prior.credential.get().is_some_and(|text| text == observe::REFUSED)
}

/// Fills in what is known already and marks what the change moves.
pub(super) async fn plan(context: &Context, change: &mut Change<MasterCredential>) -> Result<(), Reports> {
    settle_length(change);
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
    let replaces = reason.is_some_and(|reason| reason != Reason::Schedule);
    let keys = (key_of(&prior), change.planned.kms_key_id.clone());
    let key_differs = prior.is_managed() && change.planned.is_managed() && keys.0 != keys.1;
    let target = if replaces || key_differs { known_target(context, change).await? } else { None };
    if let Some(target) = &target {
        check_update(target, &prior, &change.planned, reason)?;
        if change.planned.is_managed() && key::is_on_trust(target, &keys.0, &keys.1) {
            warn_of_alias(change, target);
        }
    }
    if reason.is_none() {
        warn_of_rds(change, &prior);
    }
    if replaces {
        plan_password(context, change, &prior, reason, target.as_ref());
        check_store(context, change)?;
    }
    change.planned.set_due();
    Ok(())
}

/// What can be said now of the store that an apply will need.
fn check_store(context: &Context, change: &mut Change<MasterCredential>) -> Result<(), Reports> {
    let planned = &change.planned;
    if !planned.method.is_unknown() && !planned.is_managed() && !planned.store_is_unknown() {
        change.warnings.extend(context.check_store(planned.store_settings().as_ref())?);
    }
    Ok(())
}

/// The key of a secret of RDS; a password of ours has none.
fn key_of(prior: &MasterCredential) -> Attr<String> {
    if prior.is_managed() { prior.kms_key_id.clone() } else { Attr::Null }
}

/// Marks what another password moves, and says when clients need it.
fn plan_password(
    context: &Context,
    change: &mut Change<MasterCredential>,
    prior: &MasterCredential,
    reason: Option<Reason>,
    target: Option<&Target>,
) {
    let planned = change.planned.clone();
    let is_on = planned.is_managed() && target.is_some_and(|target| target.managed_secret.is_some());
    let lost = prior.credential.get().is_some_and(|text| text == observe::NOT_MANAGED);
    let switches = reason == Some(Reason::Switch);
    let replaces = match reason {
        // What RDS manages already is taken over as it is.
        Some(Reason::Switch) => !is_on,
        Some(Reason::Repair) => !prior.is_managed() || lost || is_refused(prior),
        _ => false,
    };
    if replaces {
        warn(change, &planned, None);
    }
    change.planned.credential = OK.to_owned().into();
    change.planned.secret_version = Attr::Unknown;
    change.planned.rotated_at = Attr::Unknown;
    let has_no_place = lost || prior.secret_ref.is_null();
    if switches || if prior.is_managed() { has_no_place } else { moves(context, prior, &planned) } {
        // Unknown even where RDS has one: the plan is made again at apply, and may by then find none.
        change.planned.secret_ref = Attr::Unknown;
    }
}

/// What stands in the way of a change of what is there.
fn check_update(
    target: &Target,
    prior: &MasterCredential,
    planned: &MasterCredential,
    reason: Option<Reason>,
) -> Result<(), Error> {
    if !planned.method.is_unknown() && !planned.is_managed() && reason != Some(Reason::Switch) {
        steps::check(target)?;
    }
    check_target(target, &key_of(prior), planned)
}

/// Says that nobody has compared the key.
fn warn_of_alias(change: &mut Change<MasterCredential>, target: &Target) {
    let alias = change.planned.kms_key_id.get().map(String::as_str).unwrap_or_default();
    let found = target.managed_kms_key_id.as_deref().unwrap_or("a key that AWS does not name");
    let detail = format!(
        "RDS manages the master password of {} already, in a secret that {found} encrypts, and goes on with that key. \
         Whether `{alias}` means it was not asked: write the key id or ARN to have it compared.",
        target.arn
    );
    change.warnings.push(Report::warning("The key of the secret is taken on trust", detail));
}

/// RDS makes passwords of its own length.
fn settle_length(change: &mut Change<MasterCredential>) {
    if !change.config.password_length.is_null() {
        return;
    }
    if change.planned.method.is_unknown() {
        change.planned.password_length = Attr::Unknown;
    } else if change.planned.is_managed() {
        change.planned.password_length = Attr::Null;
    }
}

/// What the description of a database says against the wanted password.
fn check_target(target: &Target, prior_key: &Attr<String>, planned: &MasterCredential) -> Result<(), Error> {
    if planned.method.is_unknown() {
        Ok(())
    } else if planned.is_managed() {
        key::check(target, prior_key, &planned.kms_key_id)
    } else {
        check_length(target, planned.length())
    }
}

/// Says that only a change of `method` takes a password back that somebody let RDS manage.
fn warn_of_rds(change: &mut Change<MasterCredential>, prior: &MasterCredential) {
    let Some(text) = prior.credential.get().filter(|text| observe::is_managed_by_rds(text)) else { return };
    let arn = prior.target_arn.get().map(ToString::to_string).unwrap_or_default();
    let detail = format!(
        "{arn}: {text}, and the stored password no longer works. Set `method = \"rds_managed\"` to leave it to RDS, or \
         switch manage_master_user_password off: the next apply then replaces the password."
    );
    change.warnings.push(Report::warning("RDS manages this master password now", detail));
}

async fn plan_create(context: &Context, change: &mut Change<MasterCredential>) -> Result<(), Reports> {
    change.planned.credential = OK.to_owned().into();
    change.planned.set_due();
    check_store(context, change)?;
    let target = known_target(context, change).await?;
    let planned = change.planned.clone();
    if let Some(target) = &target {
        if !planned.method.is_unknown() && !planned.is_managed() {
            steps::check(target)?;
        }
        check_target(target, &Attr::Null, &planned)?;
        if planned.is_managed() && target.managed_secret.is_some() {
            if key::is_on_trust(target, &Attr::Null, &planned.kms_key_id) {
                warn_of_alias(change, target);
            }
            return Ok(());
        }
    }
    if planned.is_managed() {
        warn(change, &planned, target.as_ref());
        return Ok(());
    }
    if planned.adopt_secret_ref.is_known() {
        return Ok(());
    }
    match is_held(context, &planned, target.as_ref()).await {
        Ok(true) => {}
        Ok(false) => warn(change, &planned, target.as_ref()),
        Err(reports) => change.warnings.push(could_not_look(&planned, &reports)),
    }
    Ok(())
}

/// The database, when it is known.
async fn known_target(context: &Context, change: &Change<MasterCredential>) -> Result<Option<Target>, Reports> {
    match &change.planned.target_arn {
        Attr::Known(arn) => context.find_for_plan(arn, Takes::Writers).await,
        _ => Ok(None),
    }
}

/// RDS takes 41 characters for clusters and for MySQL and MariaDB, 128 elsewhere; never less than 8. What the generator
/// draws from holds none of the characters that RDS refuses (`/`, `"`, `@` and space).
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
/// plan that does not know the store expects the worst.
async fn is_held(context: &Context, planned: &MasterCredential, target: Option<&Target>) -> Result<bool, Reports> {
    let (Some(target), false) = (target, planned.store_is_unknown()) else { return Ok(false) };
    let Ok(username) = target.master_username.parse() else { return Ok(false) };
    let place = Place::user(target.arn.clone(), username);
    let held = context.store(planned.store_settings().as_ref(), &target.arn)?.find(&place).await?;
    Ok(held.is_some_and(|held| held.is_for(&target.resource_id) && held.proven.is_some() && held.pending.is_none()))
}

/// Says that the store could not be asked whether it holds the password.
fn could_not_look(planned: &MasterCredential, reports: &Reports) -> Report {
    let arn = planned.target_arn.get().map_or_else(|| "the database".to_owned(), ToString::to_string);
    let why: Vec<String> = reports.0.iter().map(|report| format!("{}: {}", report.summary, report.detail)).collect();
    let detail = format!(
        "Whether the store holds a master password of {arn} that works could not be looked at: {}\nOn apply the password \
         is replaced unless it does.",
        why.join("; ")
    );
    Report::warning("The master password may be replaced", detail)
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
    let keep = match planned.is_managed() {
        true => "",
        false => " To keep the password, name a secret that holds it as `adopt_secret_ref`.",
    };
    let detail = format!("On apply {words}.{keep}");
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

    fn of_rds(after: &str) -> MasterCredential {
        let after = after.parse::<crate::access::Span>().unwrap().into();
        MasterCredential {
            method: "rds_managed".to_owned().into(),
            rotation: Rotation { after, ..Rotation::default() }.into(),
            rotated_at: "2026-01-01T00:00:00Z".to_owned().into(),
            ..state("a")
        }
    }

    #[test]
    fn the_age_of_a_password_of_rds_is_left_to_aws_and_its_schedule_is_ours() {
        let mut old = Private::default();
        old.set("observed_at", "2030-01-01T00:00:00Z");
        assert_eq!(reason(&of_rds("30d"), &of_rds("30d"), &old), None, "AWS rotates it");
        assert_eq!(reason(&of_rds("7d"), &of_rds("30d"), &old), Some(Reason::Schedule));
        let broken = MasterCredential { credential: observe::NOT_MANAGED.to_owned().into(), ..of_rds("7d") };
        assert_eq!(reason(&broken, &of_rds("30d"), &old), Some(Reason::Repair));
    }

    #[test]
    fn another_method_switches_before_anything_else() {
        for (prior, planned) in [(of_rds("7d"), state("b")), (state("b"), of_rds("7d"))] {
            assert_eq!(reason(&prior, &planned, &Private::default()), Some(Reason::Switch));
        }
        let open = MasterCredential { method: Attr::Unknown, ..state("a") };
        assert_eq!(reason(&state("a"), &open, &Private::default()), Some(Reason::Switch));
    }

    #[test]
    fn a_rotation_is_wanted_before_a_repair() {
        let reason = |prior: &MasterCredential, planned: &str| reason(prior, &state(planned), &Private::default());
        assert_eq!(reason(&state("a"), "a"), None);
        assert_eq!(reason(&state("a"), "b"), Some(Reason::Rotation(Trigger::Keepers)));
        let broken = MasterCredential { credential: "the proven password is refused".to_owned().into(), ..state("a") };
        assert_eq!(reason(&broken, "a"), Some(Reason::Repair));
        assert_eq!(reason(&broken, "b"), Some(Reason::Rotation(Trigger::Keepers)));
        let reason_of = |prior: &MasterCredential| reason(prior, "a");
        let taken =
            observe::managed_by_rds(&"arn:aws:secretsmanager:eu-west-1:123456789012:secret:r-AbCdEf".parse().unwrap());
        assert_eq!(reason_of(&MasterCredential { credential: taken.clone().into(), ..state("a") }), None);
        let taken = MasterCredential { credential: taken.into(), ..state("a") };
        assert_eq!(reason(&taken, "b"), None, "a rotation would be refused");
        let switch = MasterCredential { method: "rds_managed".to_owned().into(), ..state("b") };
        assert_eq!(super::reason(&taken, &switch, &Private::default()), Some(Reason::Switch));
        let unread = MasterCredential { credential: Attr::Null, ..state("a") };
        assert_eq!(reason(&unread, "a"), Some(Reason::Repair));
    }
}
