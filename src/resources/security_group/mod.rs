//! `rdsaccess_security_group`: who may open a connection to a database.

mod model;
mod plan;
mod rules;
mod steps;

use std::collections::BTreeMap;

use crate::access::Arn;
use crate::aws::ec2::SecurityGroup as Group;
use crate::context::{Context, Found, Takes};
use crate::report::Report;
use crate::schema::{Apply, Attr, Change, Reading, Reports, Resource};

use super::{import, lost};
use model::{SecurityGroup, SecurityGroupIdentity};

/// The resource.
pub struct SecurityGroupResource;

impl Resource for SecurityGroupResource {
    type Context = Context;
    type Model = SecurityGroup;
    type Identity = SecurityGroupIdentity;

    const NAME: &'static str = "rdsaccess_security_group";
    const SUBCATEGORY: &'static str = "Network";
    const IMPORT_ID: &'static str = "`<target_arn>|<sg-id>`";

    fn identity(state: &SecurityGroup) -> SecurityGroupIdentity {
        SecurityGroupIdentity { target_arn: state.target_arn.clone(), id: state.id.clone() }
    }

    fn validate(config: &SecurityGroup) -> Vec<Report> {
        plan::validate(config)
    }

    async fn plan(&self, context: &Context, change: &mut Change<SecurityGroup>) -> Result<(), Reports> {
        if lost::rests(context, change) { Ok(()) } else { plan::plan(context, change).await }
    }

    async fn read(&self, context: &Context, reading: &mut Reading<SecurityGroup>) -> Result<bool, Reports> {
        let (arn, id) = names(&reading.state)?;
        lost::forget(&mut reading.private);
        let found = match context.aws()?.describe(&arn).await {
            Ok(described) => crate::context::found(&arn, Takes::ReplicasToo, described)?,
            Err(error) if !reading.imported && context.keeps(&error) => {
                lost::keep(context, reading, error.into());
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        };
        let groups = steps::groups(context, &arn).await?;
        let Some(group) = steps::find(&groups, &id).await? else {
            return Ok(false);
        };
        match found {
            Found::Target(target) => {
                let rules = groups.rules(&group.id).await?;
                steps::observe(&mut reading.state, &group, &target, &rules, reading.imported);
                observe_settings(&mut reading.state, &group, &own_tags(context, &group)?, reading.imported);
            }
            Found::Gone => reading.state.target_resource_id = Attr::Null,
        }
        Ok(true)
    }

    async fn create(&self, context: &Context, apply: &mut Apply<SecurityGroup>) -> Result<(), Reports> {
        let arn = target_arn(&apply.planned)?;
        let (lock, target) = steps::locked_ready(context, &arn).await?;
        let groups = steps::groups(context, &arn).await?;
        let tags = steps::all_tags(context, &apply.planned, &target.resource_id)?;
        let group = steps::make(&groups, &target, &apply.planned, &tags).await?;
        steps::observe(&mut apply.state, &group, &target, &[], false);
        apply.state.ingress = apply.planned.ingress.clone();
        apply.saved = true;
        let port = steps::port(&target);
        let none = SecurityGroup::default();
        steps::set_tags(&groups, &group, &tags, &none).await?;
        steps::set_rules(&groups, &group.id, &apply.planned, &Default::default(), port).await?;
        if apply.planned.attach.get() == Some(&true) {
            steps::attach(&lock, &group.id).await?;
        }
        finish(&groups, &group, &lock, apply).await
    }

    async fn update(&self, context: &Context, apply: &mut Apply<SecurityGroup>) -> Result<(), Reports> {
        let arn = target_arn(&apply.planned)?;
        let (lock, target) = steps::locked_ready(context, &arn).await?;
        let groups = steps::groups(context, &arn).await?;
        let prior = apply.prior.clone().unwrap_or_default();
        let id = prior.id.get().cloned().unwrap_or_default();
        let group = steps::find(&groups, &id).await?.ok_or(steps::Error::GroupGone(id))?;
        let before = prior.ingress.get().cloned().unwrap_or_default();
        let tags = steps::all_tags(context, &apply.planned, &target.resource_id)?;
        steps::set_tags(&groups, &group, &tags, &prior).await?;
        steps::set_rules(&groups, &group.id, &apply.planned, &before, steps::port(&target)).await?;
        if apply.planned.attach.get() == Some(&true) {
            steps::attach(&lock, &group.id).await?;
        } else {
            steps::detach(&lock, &group.id).await?;
        }
        finish(&groups, &group, &lock, apply).await
    }

    async fn delete(&self, context: &Context, apply: &mut Apply<SecurityGroup>) -> Result<(), Reports> {
        let (arn, id) = names(&apply.state)?;
        let groups = match steps::groups(context, &arn).await {
            Ok(groups) => groups,
            Err(reports) => {
                let object = format!("The security group {id} of {arn}");
                let warning = context.leaves_with_account(&reports, &object).ok_or(reports)?;
                apply.warnings.push(warning);
                return Ok(());
            }
        };
        if steps::find(&groups, &id).await?.is_none() {
            return Ok(());
        }
        if let (lock, Found::Target(_)) = steps::locked(context, &arn).await? {
            steps::detach(&lock, &id).await?;
        }
        Ok(groups.delete(&id).await?)
    }

    fn import_id(id: &str) -> Result<SecurityGroup, Reports> {
        let (arn, group) = import::split(id, Self::IMPORT_ID)?;
        if !group.starts_with("sg-") {
            let why = format!("`{group}` is not the id of a security group");
            return Err(import::refuse(why, Self::IMPORT_ID).into());
        }
        Ok(SecurityGroup { target_arn: arn.into(), id: group.to_owned().into(), ..SecurityGroup::default() })
    }

    fn import_identity(identity: &SecurityGroupIdentity) -> Result<SecurityGroup, Reports> {
        Ok(SecurityGroup {
            target_arn: identity.target_arn.clone(),
            id: identity.id.clone(),
            ..SecurityGroup::default()
        })
    }
}

/// Reads back what the change made.
async fn finish(
    groups: &crate::aws::ec2::SecurityGroups,
    group: &Group,
    lock: &crate::aws::rds::ModifyLock,
    apply: &mut Apply<SecurityGroup>,
) -> Result<(), Reports> {
    let rules = groups.rules(&group.id).await?;
    if let Found::Target(target) = crate::context::found(lock.arn(), Takes::ReplicasToo, lock.describe_now().await?)? {
        steps::observe(&mut apply.state, group, &target, &rules, false);
    }
    Ok(())
}

fn target_arn(model: &SecurityGroup) -> Result<Arn, Reports> {
    model.target_arn.get().cloned().ok_or_else(|| incomplete("target_arn").into())
}

fn names(state: &SecurityGroup) -> Result<(Arn, String), Reports> {
    let id = state.id.get().cloned().ok_or_else(|| incomplete("id"))?;
    Ok((target_arn(state)?, id))
}

fn incomplete(attribute: &str) -> Report {
    Report::error(
        "Incomplete state",
        format!("`{attribute}` is missing in the state of this security group. Remove it from state and import it."),
    )
}

/// The tags that `tags` speaks of: neither ours nor those of the provider block.
fn own_tags(context: &Context, group: &Group) -> Result<BTreeMap<String, String>, Reports> {
    let provider = &context.aws()?.settings().tags;
    Ok(group
        .tags
        .iter()
        .filter(|(key, value)| {
            !["rdsaccess:", "aws:", "hoop.dev/"].iter().any(|prefix| key.starts_with(prefix))
                && provider.get(*key) != Some(value)
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect())
}

/// What stands in the configuration and can be seen: the name, the tags that were written. After an import also the
/// defaults of what cannot be seen.
fn observe_settings(state: &mut SecurityGroup, group: &Group, tags: &BTreeMap<String, String>, imported: bool) {
    state.name = model::GroupName(group.name.clone()).into();
    let written = state.tags.get().cloned().unwrap_or_default();
    let tags = if imported { tags } else { &group.tags };
    let seen: BTreeMap<String, String> = tags
        .iter()
        .filter(|(key, _)| imported || written.contains_key(*key))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    if !(seen.is_empty() && (state.tags.is_null() || imported)) {
        state.tags = seen.into();
    }
    if imported {
        state.attach = state.attached.clone();
        state.exclusive = false.into();
    }
}
