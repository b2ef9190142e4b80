//! The password that `password_wo` gives: it goes the way of every other password, and only when its version differs or
//! the stored one no longer works.

use crate::access::rotation::Goal;
use crate::access::{Secret, Target};
use crate::context::Context;
use crate::report::Report;
use crate::schema::{Apply, Reports};
use crate::store::Held;

use super::bench::{Bench, check};
use super::model::Role;
use super::plan::Reason;
use super::rules;

/// The password of the configuration, checked again: an ephemeral value is another one at apply than at plan.
///
/// # Errors
/// It is missing, the engine cannot hold it, or something else of the configuration excludes it.
pub(super) fn password(
    context: &Context,
    target: &Target,
    apply: &Apply<Role>,
) -> Result<Option<Secret<String>>, Reports> {
    let reports = rules::given(&apply.config);
    if !reports.is_empty() {
        return Err(reports.into());
    }
    if !apply.planned.is_given() {
        return Ok(None);
    }
    let Some(password) = apply.config.password_wo.get() else {
        let detail = "`password_wo_version` stands in the plan, and `password_wo` has no value. Plan again.";
        return Err(Report::error("There is no password to set", detail).into());
    };
    check(context, target, &Role { password_wo: password.clone().into(), ..apply.planned.clone() })?;
    Ok(Some(password.clone()))
}

/// What a run wants. After tokens any password that works would do, but one that is given is the wanted one.
pub(super) fn goal(reason: Reason, is_given: bool) -> Goal {
    match reason {
        Reason::FirstPassword if is_given => Goal::Renew,
        reason => reason.goal(),
    }
}

/// Whether another password than the proven one is wanted. What is pending is for the rotation to see: one that works is
/// promoted before the given one follows, and one that the database never took gives way.
pub(super) async fn settle(bench: &Bench, goal: Goal) -> Result<Goal, Reports> {
    if bench.given.is_none() || goal == Goal::Ensure {
        return Ok(goal);
    }
    match bench.secret().await? {
        Some(Held { secret_ref, proven: Some(version), pending: None, .. }) => {
            let proven = bench.store.value(&secret_ref, &version).await?;
            Ok(if bench.is_given(&proven) == Some(true) { Goal::Ensure } else { Goal::Renew })
        }
        _ => Ok(goal),
    }
}
