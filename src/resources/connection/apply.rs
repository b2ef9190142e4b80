//! The steps of create, update and delete.

use std::collections::BTreeSet;

use crate::context::Context;
use crate::gateway::{self, ConnectionSpec, Creation, DATABASE_TAG, Env, EnvState, Gateway, Made, Setting, USER};
use crate::report::Report;
use crate::schema::{Apply, Attr, Reports};

use super::error::Error;
use super::imported::Unclaimed;
use super::model::Connection;
use super::names;
use super::read::{secret_state, tls_state};
use super::rows::{self, Row};
use super::spec::{Delivery, Wish, spec};

/// Makes the connection, then sets its groups.
pub(super) async fn create(context: &Context, apply: &mut Apply<Connection>) -> Result<(), Reports> {
    let gateway = context.gateway()?;
    let wanted = wanted(context, apply).await?;
    check_groups(gateway, &wanted).await?;
    names::making(gateway, &wanted.spec.name)?;
    let row = Row::before_write(gateway, None, &apply.planned).await?;
    let made = make(gateway, &wanted.spec, &mut apply.warnings).await?;
    row.map(|row| row.keep(&mut apply.private));
    if !names::was_there(gateway, &wanted.spec.name) {
        apply.warnings.extend(super::orphans::warning(gateway, &wanted.spec).await);
    }
    finish(gateway, apply, &made, &wanted).await
}

/// Writes what differs, then sets or removes the groups.
pub(super) async fn update(context: &Context, apply: &mut Apply<Connection>) -> Result<(), Reports> {
    let gateway = context.gateway()?;
    let wanted = wanted(context, apply).await?;
    check_groups(gateway, &wanted).await?;
    let id = apply.prior.as_ref().and_then(|prior| prior.id.get());
    let row = Row::before_write(gateway, apply.prior.as_ref(), &apply.planned).await?;
    let changed = gateway.update_connection_of(id.map(String::as_str), &wanted.spec).await?;
    if let Some(left) = row.and_then(|row| row.keep(&mut apply.private)) {
        apply.warnings.extend(rows::sweep(gateway, &left, &wanted.spec.name).await);
    }
    finish(gateway, apply, &changed, &wanted).await?;
    Unclaimed::forget(&mut apply.private);
    Ok(())
}

/// Deletes the connection, unless another one has taken its name or somebody else manages it now, and the resource that
/// came with it.
pub(super) async fn delete(gateway: &Gateway, apply: &mut Apply<Connection>) -> Result<(), Reports> {
    let Some(name) = apply.state.name.get().cloned() else { return Ok(()) };
    rows::leaving(gateway, &apply.private);
    let found = gateway.get_connection(&name).await?;
    match &found {
        Some(other) if apply.state.id.get().is_some_and(|id| *id != other.id) => {
            apply.warnings.push(stays(&name, &other.id));
        }
        Some(gateway::Connection { managed_by: Some(managed_by), .. }) => {
            apply.warnings.push(belongs_to(&name, managed_by));
            return Ok(());
        }
        Some(_) if !gateway.remember(Made::Claimed, &name) => {
            apply.warnings.push(taken_by_another_block(&name));
            return Ok(());
        }
        Some(found) => {
            gateway.delete_connection(&name).await?;
            names::deleted(gateway, &name, Some(&found.id));
        }
        None => names::deleted(gateway, &name, apply.state.id.get().map(String::as_str)),
    }
    apply.warnings.extend(rows::left_by(gateway, &apply.private, &apply.state, found.as_ref()).await);
    Ok(())
}

fn stays(name: &str, id: &str) -> Report {
    Report::warning(
        "A connection of the same name was left",
        format!(
            "Connection `{name}` was deleted and made anew by somebody else (its id is {id} now), so it stays. Import it \
             to manage it, or delete it in the gateway."
        ),
    )
}

fn belongs_to(name: &str, managed_by: &str) -> Report {
    Report::warning(
        "A connection that somebody else manages was left",
        format!(
            "Connection `{name}` has come to be managed by `{managed_by}`, and nobody else may change it, so it stays. \
             Delete it where that is configured."
        ),
    )
}

fn taken_by_another_block(name: &str) -> Report {
    Report::warning(
        "A connection that another block holds was left",
        format!(
            "Connection `{name}` was to be destroyed, and another block of the same name has taken it over in this run, so \
             it stays with that one. A `moved` block gives a connection another address without a detour."
        ),
    )
}

/// Groups need a plugin that the whole gateway has or has not: nothing is written before that is known.
async fn check_groups(gateway: &Gateway, wanted: &Wanted) -> Result<(), gateway::Error> {
    match wanted.groups {
        Setting::Set(_) => gateway.require_access_control(&wanted.spec.name).await,
        Setting::Keep | Setting::Clear => Ok(()),
    }
}

/// What the plan asks for.
struct Wanted {
    spec: ConnectionSpec,
    groups: Setting<BTreeSet<String>>,
    delivery: Delivery,
}

/// What the plan asks for, with the agent's id and the password that is to be copied.
async fn wanted(context: &Context, apply: &Apply<Connection>) -> Result<Wanted, Reports> {
    let problems = super::rules::problems(&apply.planned);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let unclaimed = Unclaimed::of(&apply.private);
    let agent_id = agent_id(context.gateway()?, &apply.planned).await?;
    let (planned, prior) = (&apply.planned, apply.prior.as_ref());
    let delivery = delivery(context, planned).await?;
    let wish = Wish { planned, prior, unclaimed: &unclaimed, agent_id, delivery, tls: context.tls_mode() };
    Ok(Wanted { spec: spec(&wish)?, groups: wish.setting("groups", |c| &c.groups), delivery: wish.delivery })
}

/// A copy is read now and never before: a plan knows which secret it is, not what it holds.
async fn delivery(context: &Context, planned: &Connection) -> Result<Delivery, Reports> {
    let secret_ref = planned.role.get().and_then(|role| role.secret_ref.get()).filter(|_| planned.is_copy());
    let Some(secret_ref) = secret_ref else { return Ok(Delivery::Reference) };
    let name = planned.name.get().cloned().unwrap_or_default();
    let credential = match context.try_secret(secret_ref).await? {
        Ok(credential) => credential,
        Err(why) => return Err(Error::NoPassword { name, why }.into()),
    };
    let wanted = planned.role.get().and_then(|role| role.username.get()).cloned().unwrap_or_default();
    let found = credential.username.to_string();
    if found != wanted {
        return Err(Error::OtherUser { name, secret: secret_ref.to_string(), found, wanted }.into());
    }
    Ok(Delivery::Copy(credential.password))
}

async fn agent_id(gateway: &Gateway, planned: &Connection) -> Result<String, Reports> {
    let Some(agent) = planned.agent_name.get() else {
        return Ok(planned.agent_id.get().cloned().unwrap_or_default());
    };
    let name = planned.name.get().cloned().unwrap_or_default();
    if let Some(found) = gateway.agent(agent).await.map_err(|error| error.about(&name))? {
        return Ok(found.id);
    }
    let known = gateway.agents().await.map_err(|error| error.about(&name))?;
    let known = known.into_iter().map(|agent| agent.name).collect();
    Err(Error::NoAgent { name, agent: agent.clone(), base: gateway.settings().url.to_string(), known }.into())
}

/// Makes the connection. When the name is taken, or when the answer was lost, it may be our own from a run that was
/// interrupted: then it is brought to what is wanted. One that another object of this run destroys is waited for.
async fn make(
    gateway: &Gateway,
    spec: &ConnectionSpec,
    warnings: &mut Vec<Report>,
) -> Result<gateway::Connection, Reports> {
    loop {
        let (found, error) = match gateway.create_or_find_connection(spec).await? {
            Creation::Made(made) => return Ok(made),
            Creation::Found(found, error) => (found, error),
        };
        // After a lost answer it is most likely what this run has just made.
        let was_there = error.is_conflict().then(|| taken_over(&found));
        check_ours(&found, spec, error)?;
        if was_there.is_none() || names::claim(gateway, &spec.name, &found.id) {
            warnings.extend(was_there);
            return Ok(gateway.update_connection(spec).await?);
        }
        if !gateway.await_deletion(&spec.name, &found.id).await? {
            return Err(Error::BeingDeleted { name: spec.name.clone() }.into());
        }
    }
}

fn taken_over(found: &gateway::Connection) -> Report {
    Report::warning(
        "An existing connection was taken over",
        format!(
            "Connection `{}` (id {}) was there already, made by this provider for the same database and user: in a run that \
             was interrupted, or by another configuration. It was brought to what this configuration says. If another state \
             holds it too, take it out of one of them with `terraform state rm`.",
            found.name, found.id
        ),
    )
}

/// Our mark, the same database and the same user: this is the connection that an interrupted run has made.
fn check_ours(found: &gateway::Connection, spec: &ConnectionSpec, conflict: gateway::Error) -> Result<(), Error> {
    let name = spec.name.clone();
    if let Some(managed_by) = found.managed_by.clone() {
        return Err(Error::AgentManaged { name, managed_by });
    }
    if !found.is_ours() {
        return Err(Error::Taken { name, conflict });
    }
    let same_user = spec.env.get(USER).is_some_and(|user| found.compare(USER, user) != EnvState::Differs);
    let database = found.tags.get(DATABASE_TAG);
    if same_user && database == spec.tags.get(DATABASE_TAG) {
        return Ok(());
    }
    let user = match found.env(USER) {
        Env::Literal(user) => user.expose().clone(),
        Env::Reference(user) => user.as_str().to_owned(),
        Env::Hidden | Env::Absent | Env::Unreadable => "unknown".to_owned(),
    };
    Err(Error::TakenByOurs { name, conflict, user, database: database.cloned().unwrap_or_default() })
}

/// From here on the connection is there: its state is kept whatever happens.
async fn finish(
    gateway: &Gateway,
    apply: &mut Apply<Connection>,
    found: &gateway::Connection,
    wanted: &Wanted,
) -> Result<(), Reports> {
    apply.saved = true;
    names::made(gateway, &found.name, &found.id);
    let planned = apply.planned.secret_state.clone();
    settle(&mut apply.state, found, &wanted.delivery);
    if apply.state.tls_state.is_unknown() {
        apply.state.tls_state = tls_state(found, wanted.spec.engine, wanted.spec.tls);
    }
    apply.state.groups = apply.prior.as_ref().map_or(Attr::Null, |prior| prior.groups.clone());
    match &wanted.groups {
        Setting::Keep => {}
        Setting::Clear => gateway.clear_groups(found).await?,
        Setting::Set(groups) => gateway.set_groups(found, groups).await?,
    }
    apply.state.groups = apply.planned.groups.clone();
    let state = apply.state.secret_state.get().cloned().unwrap_or_default();
    if planned.get().is_some_and(|promised| *promised == EnvState::InSync.as_str() && state != *promised) {
        return Err(Error::NotInSync { name: found.name.clone(), state }.into());
    }
    Ok(())
}

/// Fills in the results. One that the plan promised stays, but for the state of the secret, which is always looked at.
fn settle(state: &mut Connection, found: &gateway::Connection, delivery: &Delivery) {
    let promise = |attr: &mut Attr<String>, there: &str| {
        if attr.is_unknown() {
            *attr = there.to_owned().into();
        }
    };
    promise(&mut state.id, &found.id);
    promise(&mut state.status, &found.status);
    promise(&mut state.resource_name, &found.resource_name);
    if state.command.is_unknown() {
        state.command = found.command.clone().into();
    }
    state.secret_state = secret_state(state.role.get(), Some(delivery), found);
}
