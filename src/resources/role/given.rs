//! The password that `password_wo` gives: it goes the way of every other password, and only when its version differs or
//! the stored one no longer works.

use crate::access::rotation::Goal;
use crate::access::{Secret, Target};
use crate::context::Context;
use crate::report::Report;
use crate::schema::{Apply, Reports};

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

/// Prepares the rotation to a given password, and says whether another one than the proven one is wanted.
///
/// A pending password of a run that was interrupted is used when it logs in already, also where another one is given by
/// now: who asks the server for another one could lose both. One that the database never took, because the server
/// refused it, gives way to the given one; nothing else would ever take it out of the way.
pub(super) async fn settle(bench: &Bench, context: &Context, goal: Goal) -> Result<Goal, Reports> {
    let (Some(given), Some(held)) = (&bench.given, bench.secret().await?) else { return Ok(goal) };
    let is_given = |stored: &crate::store::Credential| stored.password == *given && stored.username == bench.spec.name;
    if let Some(version) = &held.pending {
        let pending = bench.store.value(&held.secret_ref, version).await?;
        if is_given(&pending) {
            return Ok(goal);
        }
        if bench.logs_in(&pending).await? {
            let text = format!(
                "{}, role `{}`: a run before this one had set a password when it was interrupted. That one works and \
                 was kept; it is not what `password_wo` says now. Change `password_wo_version` to set that.",
                bench.target.arn, bench.spec.name
            );
            bench.note_as(Some("The password of an interrupted run was kept"), [text]);
            return Ok(goal);
        }
        let (place, target) = (&bench.place, &bench.target.resource_id);
        let credential = bench.credential(context, goal)?;
        bench.store.put_pending(place, target, &place.username, &credential).await?;
        return Ok(goal);
    }
    match (&held.proven, goal) {
        (Some(version), Goal::Renew) => {
            let proven = bench.store.value(&held.secret_ref, version).await?;
            Ok(if is_given(&proven) { Goal::Ensure } else { Goal::Renew })
        }
        _ => Ok(goal),
    }
}
