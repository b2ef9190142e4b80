//! `rdsaccess_role`: a role with a level of access, and its password in a store.

mod bench;
mod error;
mod given;
mod home;
mod logins;
mod model;
mod plan;
mod rules;
mod secret;
mod spec;
mod steps;

use std::collections::BTreeMap;

use crate::access::rotation::Goal;
use crate::access::{Access, Arn, Auth, Identifier, RoleName, Target};
use crate::context::{Context, Found, Refresh, Takes, found};
use crate::engine::{Observed, Ownership, RemovalAction};
use crate::report::{Reach, Report};
use crate::schema::{Apply, Attr, Change, Reading, Reports, Resource};

use super::rotation::{OK, forget_refresh, leave_noted, note_left, note_refresh};
use super::{import, lost};
use bench::Bench;
use error::Error;
use model::{Role, RoleIdentity};

/// The resource.
pub struct RoleResource;

impl Resource for RoleResource {
    type Context = Context;
    type Model = Role;
    type Identity = RoleIdentity;

    const NAME: &'static str = "rdsaccess_role";
    const SUBCATEGORY: &'static str = "Database";
    const IMPORT_ID: &'static str = "`<target_arn>|<role name>`";

    fn identity(state: &Role) -> RoleIdentity {
        RoleIdentity { target_arn: state.target_arn.clone(), name: state.name.clone() }
    }

    fn validate(config: &Role) -> Vec<Report> {
        rules::validate(config)
    }

    async fn plan(&self, context: &Context, change: &mut Change<Role>) -> Result<(), Reports> {
        if lost::rests(context, change) { Ok(()) } else { plan::plan(context, change).await }
    }

    async fn read(&self, context: &Context, reading: &mut Reading<Role>) -> Result<bool, Reports> {
        let arn = target_arn(&reading.state)?;
        lost::forget(&mut reading.private);
        let target = match context.aws()?.describe(&arn).await {
            Ok(described) => found(&arn, Takes::Writers, described)?,
            Err(error) if !reading.imported && context.keeps(&error) => {
                forget_refresh(&mut reading.private);
                lost::keep(context, reading, error.into());
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        };
        let before = reading.state.clone();
        let (is_there, outcome) = match target {
            Found::Target(target) => (true, observe(context, reading, *target).await),
            Found::Gone => (false, gone(context, reading, &arn).await),
        };
        match outcome {
            Err(reports)
                if !reading.imported && (context.keeps_state(&reports) || is_there && steps::is_refused(&reports)) =>
            {
                reading.state = before;
                forget_refresh(&mut reading.private);
                lost::keep(context, reading, reports);
                Ok(true)
            }
            outcome => outcome,
        }
    }

    async fn create(&self, context: &Context, apply: &mut Apply<Role>) -> Result<(), Reports> {
        let arn = target_arn(&apply.planned)?;
        let target = context.ready(&arn, Takes::Writers).await?;
        bench::check(context, &target, &apply.planned)?;
        let given = given::password(context, &target, apply)?;
        let mut bench = Bench::open(context, target, &apply.planned, None, false).await?;
        let goal = if given.is_some() { Goal::Renew } else { Goal::Ensure };
        bench.given = given;
        // A secret of ours exists before the role does: a run that was killed in between left it.
        bench.spec.adopt = bench.secret().await?.is_some();
        let observed = bench.observe().await?;
        bench.check_databases(&apply.planned, &observed)?;
        steps::describe(&mut apply.state, &bench.target);
        steps::name(&mut apply.state, &bench);
        apply.saved = true;
        let observed = if apply.planned.is_iam() {
            tokens(context, apply, &bench).await?
        } else {
            if observed.ownership != Ownership::Absent {
                // A role that was left half-made may be locked still; its password is proven by a login.
                bench.converge().await?;
            }
            let settled = bench.settle(context, goal).await?;
            bench.remember(&mut apply.private);
            secret::settled(context, apply, &bench, &settled).await?;
            bench.spec.adopt = true;
            bench.converge().await?
        };
        apply.warnings.extend(bench.take_notes("Sessions of the role are still open"));
        steps::finish(apply, &bench, &observed)
    }

    async fn update(&self, context: &Context, apply: &mut Apply<Role>) -> Result<(), Reports> {
        let prior = apply.prior.clone().unwrap_or_default();
        if !plan::needs_server(&prior, &apply.planned, &apply.private) {
            return Ok(());
        }
        let arn = target_arn(&apply.planned)?;
        let target = context.ready(&arn, Takes::Writers).await?;
        bench::check(context, &target, &apply.planned)?;
        let given = given::password(context, &target, apply)?;
        let mut bench = Bench::open(context, target, &apply.planned, Some((&prior, &apply.private)), true).await?;
        bench.given = given;
        bench.trust(&prior);
        bench.remember(&mut apply.private);
        let before = bench.observe().await?;
        bench.check_databases(&apply.planned, &before)?;
        let observed = if apply.planned.is_iam() {
            let observed = tokens(context, apply, &bench).await?;
            steps::reached(apply, &prior);
            observed
        } else {
            password(context, apply, &mut bench, &prior).await?
        };
        bench.leave_clone(&apply.planned, &mut apply.private).await?;
        if apply.planned.always_ends_sessions() && steps::takes_away(&prior, &apply.planned, &before) {
            bench.end_sessions().await?;
        }
        apply.warnings.extend(bench.take_notes("Something of the role remains"));
        steps::whole(apply);
        steps::finish(apply, &bench, &observed)
    }

    async fn delete(&self, context: &Context, apply: &mut Apply<Role>) -> Result<(), Reports> {
        let arn = target_arn(&apply.state)?;
        let removal = steps::removal(&apply.state);
        let found = match context.find_now(&arn, Takes::Writers).await {
            Ok(found) => found,
            Err(reports) => return leave(context, apply, &arn, reports).await,
        };
        // A database that was made anew under the same ARN holds nothing of this role.
        let another = match &found {
            Found::Target(target) => apply.state.target_resource_id.get() != Some(&target.resource_id),
            Found::Gone => false,
        };
        if let (Some(how), Found::Target(target), false) = (&removal, &found, another) {
            let target = crate::context::check_ready((**target).clone())?;
            let bench = Bench::open(context, target, &apply.state, Some((&apply.state, &apply.private)), true).await?;
            bench.remove(how).await?;
            apply.warnings.extend(bench.take_notes("Something of the role remains"));
        }
        if found == Found::Gone
            && let Some(renamed) = secret::renamed(context, &apply.state, &arn).await?
        {
            apply.warnings.push(secret::left_renamed(&apply.state, &arn, &renamed));
            return Ok(());
        }
        let drops = removal.as_ref().is_some_and(|how| how.action == RemovalAction::Drop);
        if !drops {
            return Ok(());
        }
        let current = match &found {
            Found::Target(target) if another => Some(target.resource_id.as_str()),
            _ => None,
        };
        secret::forget(context, &apply.state, &arn, current).await?;
        let settings = apply.state.store_settings();
        apply.warnings.extend(leave_noted(context, settings.as_ref(), &arn, &mut apply.private).await);
        Ok(())
    }

    fn import_id(id: &str) -> Result<Role, Reports> {
        let (arn, name) = import::split(id, Self::IMPORT_ID)?;
        let name: RoleName = name.parse().map_err(|error| import::refuse(error, Self::IMPORT_ID))?;
        Ok(Role { target_arn: arn.into(), name: name.into(), ..Role::default() })
    }

    fn import_identity(identity: &RoleIdentity) -> Result<Role, Reports> {
        Ok(Role { target_arn: identity.target_arn.clone(), name: identity.name.clone(), ..Role::default() })
    }
}

/// Takes leave of a role whose account AWS takes away: what lives elsewhere is deleted, the role goes with the account.
///
/// # Errors
/// The reports, where they say anything else.
async fn leave(context: &Context, apply: &mut Apply<Role>, arn: &Arn, reports: Reports) -> Result<(), Reports> {
    let name = apply.state.name.get().map(ToString::to_string).unwrap_or_default();
    let object = format!("The role `{name}` of {arn}");
    let warning = context.leaves_with_account(&reports, &object).ok_or(reports)?;
    apply.warnings.push(warning);
    if steps::removal(&apply.state).is_some_and(|how| how.action == RemovalAction::Drop) {
        secret::forget_elsewhere(context, &apply.state, arn).await?;
        let settings = apply.state.store_settings();
        apply.warnings.extend(leave_noted(context, settings.as_ref(), arn, &mut apply.private).await);
    }
    Ok(())
}

/// Brings the state up to date with the database. `false` when neither role nor secret is there.
async fn observe(context: &Context, reading: &mut Reading<Role>, target: Target) -> Result<bool, Reports> {
    steps::describe(&mut reading.state, &target);
    if reading.imported {
        import_defaults(&mut reading.state, &target)?;
    }
    if context.refresh() == Refresh::Aws && !reading.imported {
        secret::look(context, &mut reading.state, &target).await?;
        secret::left(context, reading, &target.arn).await?;
        note_refresh(context, &mut reading.private);
        return Ok(true);
    }
    if target.is_stopped() {
        return Err(crate::context::TargetError::Stopped { arn: target.arn, status: target.status }.into());
    }
    let prior = reading.state.clone();
    let mut bench = match Bench::open(context, target, &reading.state, Some((&prior, &reading.private)), true).await {
        Err(Reports(reports)) if reading.imported && reports.iter().any(|r| r.reach == Reach::Refused) => {
            // Terraform gives no configuration to an import, so `admin` is not known yet. The plan that follows knows it.
            unread(&mut reading.state);
            reading.warnings.extend(reports.into_iter().map(Report::as_warning));
            return Ok(true);
        }
        bench => bench?,
    };
    let mut observed = bench.look().await?;
    if reading.imported {
        match observed.ownership {
            Ownership::Absent => return Ok(false),
            // A role that is imported is taken from here on for one that an apply may repair.
            Ownership::Foreign(words) => {
                return Err(Error::Foreign { arn: bench.target.arn.clone(), words }.into());
            }
            Ownership::Ours => {}
        }
        reading.state.access = observed.access.into();
        reading.state.auth = observed.auth.into();
        bench.spec.access = observed.access;
        bench.spec.terms.auth = observed.auth;
        observed = bench.look().await?;
    }
    steps::show(&mut reading.state, &prior, &bench, &observed);
    secret::read(context, &bench, &mut reading.state, &observed).await?;
    secret::left(context, reading, &bench.target.arn).await?;
    note_refresh(context, &mut reading.private);
    Ok(observed.ownership != Ownership::Absent || secret::remains(context, &bench, &reading.state).await?)
}

/// Brings a role that logs in with tokens to what is written, and then ends the secret of a password before: until the
/// database has switched, that password may still be needed.
async fn tokens(context: &Context, apply: &mut Apply<Role>, bench: &Bench) -> Result<Observed, Reports> {
    let observed = bench.converge().await?;
    secret::forget_left(context, bench, apply.prior.as_ref()).await?;
    let settings = apply.prior.as_ref().and_then(Role::store_settings);
    let left = leave_noted(context, settings.as_ref(), &bench.target.arn, &mut apply.private).await;
    apply.warnings.extend(left);
    secret::none(&mut apply.state);
    apply.state.credential = OK.to_owned().into();
    Ok(observed)
}

/// Brings a role with a password to what is written.
async fn password(
    context: &Context,
    apply: &mut Apply<Role>,
    bench: &mut Bench,
    prior: &Role,
) -> Result<Observed, Reports> {
    let arn = target_arn(&apply.planned)?;
    let reason = plan::reason(prior, &apply.planned, &apply.private);
    secret::check_plan(bench, &apply.planned, reason).await?;
    // Tokens end with the same statement that sets the first password.
    let observed = if bench.gets_password() { None } else { Some(bench.converge().await?) };
    if let Some(reason) = reason {
        let goal = bench.goal(reason, &apply.private).await?;
        let settled = bench.settle(context, goal).await?;
        bench.remember(&mut apply.private);
        secret::settled(context, apply, bench, &settled).await?;
        note_left(&mut apply.private, prior.secret_ref.get(), apply.state.secret_ref.get());
        steps::reached(apply, prior);
    } else {
        secret::keep(prior, &mut apply.state);
    }
    let left = leave_noted(context, prior.store_settings().as_ref(), &arn, &mut apply.private).await;
    apply.warnings.extend(left);
    match observed {
        // What a login lacks may end with its new password only: a plugin that takes no password.
        Some(observed) if !bench.has_clone() && observed.login.is_empty() => Ok(observed),
        _ => bench.converge().await,
    }
}

/// The database is gone: what remains of the role is its secret.
async fn gone(context: &Context, reading: &mut Reading<Role>, arn: &Arn) -> Result<bool, Reports> {
    let Some(secret_ref) = reading.state.secret_ref.get() else {
        return Ok(false);
    };
    let remains =
        secret::store_in_use(context, &reading.state, arn)?.look(secret_ref).await?.is_some_and(|held| !held.deleted);
    reading.state.target_resource_id = Attr::Null;
    Ok(remains)
}

/// An import knows the parts of the id only; the rest begins with its defaults.
fn import_defaults(state: &mut Role, target: &Target) -> Result<(), Reports> {
    if spec::has_hosts(target.engine) {
        let host = spec::default_host().map_err(|error| Report::error("Invalid default", error.0))?;
        state.host = host.into();
    }
    state.auth = Auth::Password.into();
    state.on_destroy = "drop".to_owned().into();
    state.end_sessions = "on_destroy".to_owned().into();
    state.username = state.name.get().map(|name| name.as_str().to_owned()).into();
    Ok(())
}

/// An imported role that could not be looked at: the first plan with its `admin` brings it to what is written.
fn unread(state: &mut Role) {
    state.access = Access::ReadOnly.into();
    state.coverage = BTreeMap::from([(spec::NO_DATABASE.to_owned(), spec::UNREAD.to_owned())]).into();
    state.uncovered = BTreeMap::new().into();
    state.credential = spec::UNREAD.to_owned().into();
}

fn target_arn(model: &Role) -> Result<Arn, Reports> {
    Ok(model.target_arn.get().cloned().ok_or(Error::Incomplete("target_arn"))?)
}
