//! The steps that make, change and remove a group.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{Arn, MANAGED_TAG, TARGET_TAG, Target};
use crate::aws::ec2::{GROUPS_PER_INTERFACE, NewGroup, Rule, SecurityGroup as Group, SecurityGroups};
use crate::aws::rds::{Described, GroupsError, ModifyLock};
use crate::context::{Context, Found, Takes, TargetError, check_ready, found};
use crate::report::Explain;
use crate::schema::Reports;

use super::model::{Ingress, SecurityGroup};
use super::rules;

/// What is in the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The name is taken
    #[error("{vpc} already has a security group `{name}` ({id}), {owner}")]
    Foreign { name: String, id: String, vpc: String, owner: String },
    /// No VPC
    #[error("AWS reports no VPC for {0}")]
    NoVpc(Arn),
    /// The quota of groups is used up before the group is made
    #[error("{arn} has {count} security groups attached; a network interface takes {GROUPS_PER_INTERFACE}")]
    TooMany { arn: Arn, count: usize },
    /// The group is there, and cannot be attached or detached
    #[error(transparent)]
    Groups(GroupsError),
    /// The group is gone
    #[error("the security group {0} does not exist any more")]
    GroupGone(String),
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::Foreign { .. } => "The name of the security group is taken",
            Self::NoVpc(_) => "The database has no VPC",
            Self::TooMany { .. } | Self::Groups(GroupsError::TooMany { .. }) => "Too many security groups",
            Self::Groups(GroupsError::LastGroup { .. }) => "Cannot detach the last security group",
            Self::Groups(GroupsError::Call(error)) => return error.summary(),
            Self::Groups(_) => "The security groups of the database are not as asked",
            Self::GroupGone(_) => "The security group is gone",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        Some(
            match self {
                Self::Foreign { .. } => "Choose another `name`, or import the group as `<target_arn>|<sg-id>`",
                Self::NoVpc(_) => {
                    "Wait until RDS has created the database, then apply again. The VPC of a cluster without members is \
                     read with rds:DescribeDBSubnetGroups: allow it to the role in the account"
                }
                Self::TooMany { .. } => {
                    "Detach a group that is not needed, or set `attach = false` and open the port to another group that \
                     is attached. Nothing was made"
                }
                Self::Groups(GroupsError::TooMany { .. }) => {
                    "Detach a group that is not needed and apply again, or set `attach = false` and open the port to \
                     another group that is attached. The group is made, and not attached"
                }
                Self::Groups(GroupsError::LastGroup { .. }) => {
                    "Attach another group to the database first, then apply again"
                }
                Self::Groups(GroupsError::Call(error)) => return error.next_step(),
                Self::Groups(_) => "Somebody else changed the groups at the same time: apply again",
                Self::GroupGone(_) => "Plan again: the refresh will notice it",
            }
            .to_owned(),
        )
    }
}

/// The database under its lock, as it is now.
pub(super) async fn locked(context: &Context, arn: &Arn) -> Result<(ModifyLock, Found), Reports> {
    let lock = context.aws()?.modify_lock(arn).await;
    let found = found(arn, Takes::ReplicasToo, lock.describe_now().await?)?;
    Ok((lock, found))
}

/// The database under its lock, ready for a change.
pub(super) async fn locked_ready(context: &Context, arn: &Arn) -> Result<(ModifyLock, Target), Reports> {
    match locked(context, arn).await? {
        (lock, Found::Target(target)) => Ok((lock, check_ready(*target)?)),
        (_, Found::Gone) => Err(TargetError::Gone(arn.clone()).into()),
    }
}

/// The EC2 calls of the database's account and region.
pub(super) async fn groups(context: &Context, arn: &Arn) -> Result<SecurityGroups, Reports> {
    Ok(context.aws()?.security_groups(&arn.account_id, &arn.region).await?)
}

/// Makes the group or takes over the one that carries our mark.
pub(super) async fn make(
    groups: &SecurityGroups,
    target: &Target,
    wanted: &SecurityGroup,
    tags: &BTreeMap<String, String>,
) -> Result<Group, Reports> {
    let name = wanted.name.get().map(|n| n.0.clone()).unwrap_or_default();
    let vpc_id = target.vpc_id.clone().ok_or_else(|| Error::NoVpc(target.arn.clone()))?;
    match groups.find(&name, &vpc_id).await? {
        Some(group) if is_ours(&group, &target.resource_id) => Ok(group),
        Some(group) => {
            let owner = match group.tags.get(TARGET_TAG) {
                Some(other) => format!("made by this provider for another database ({other})"),
                None => "which this provider did not make".to_owned(),
            };
            Err(Error::Foreign { name, id: group.id, vpc: vpc_id, owner }.into())
        }
        None => {
            check_quota(target, wanted)?;
            let description = format!("Access to {} managed by Terraform (rdsaccess)", target.arn.identifier);
            Ok(groups.create(&NewGroup { name, description, vpc_id, tags: tags.clone() }).await?)
        }
    }
}

fn is_ours(group: &Group, resource_id: &str) -> bool {
    group.tags.get(MANAGED_TAG).is_some_and(|v| v == "true")
        && group.tags.get(TARGET_TAG).is_some_and(|v| v == resource_id)
}

fn check_quota(target: &Target, wanted: &SecurityGroup) -> Result<(), Error> {
    let count = target.security_group_ids.len();
    if wanted.attach.get() == Some(&true) && count >= GROUPS_PER_INTERFACE {
        return Err(Error::TooMany { arn: target.arn.clone(), count });
    }
    Ok(())
}

/// The tag that the gateway's own views look for: the host of the gateway.
const GATEWAY_TAG: &str = "hoop.dev/gateway";

/// The tags of the group: those of the provider block, of the resource, and our mark.
pub(super) fn all_tags(
    context: &Context,
    wanted: &SecurityGroup,
    resource_id: &str,
) -> Result<BTreeMap<String, String>, Reports> {
    let mut tags = context.aws()?.settings().tags.clone();
    tags.extend(wanted.tags.get().cloned().unwrap_or_default());
    tags.extend(context.gateway_host().map(|host| (GATEWAY_TAG.to_owned(), host)));
    tags.insert(MANAGED_TAG.to_owned(), "true".to_owned());
    tags.insert(TARGET_TAG.to_owned(), resource_id.to_owned());
    Ok(tags)
}

/// Brings the tags to what is written: what stood there before and is not written any more goes, others stay.
pub(super) async fn set_tags(
    groups: &SecurityGroups,
    group: &Group,
    all: &BTreeMap<String, String>,
    before: &SecurityGroup,
) -> Result<(), Reports> {
    let gone: Vec<String> = before
        .tags
        .get()
        .into_iter()
        .flat_map(BTreeMap::keys)
        .filter(|key| !all.contains_key(*key) && group.tags.contains_key(*key))
        .cloned()
        .collect();
    let new: BTreeMap<String, String> = all
        .iter()
        .filter(|(key, value)| group.tags.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    groups.tag(&group.id, &new).await?;
    Ok(groups.untag(&group.id, &gone).await?)
}

/// Brings the rules to what is written; adds before it removes, so that nobody who may stay is cut off.
pub(super) async fn set_rules(
    groups: &SecurityGroups,
    group_id: &str,
    wanted: &SecurityGroup,
    before: &BTreeSet<Ingress>,
    port: u16,
) -> Result<(), Reports> {
    let present = groups.rules(group_id).await?;
    let ingress = wanted.ingress.get().cloned().unwrap_or_default();
    let changes = rules::changes(&present, &ingress, before, port, wanted.exclusive.get() == Some(&true));
    let mark = BTreeMap::from([(MANAGED_TAG.to_owned(), "true".to_owned())]);
    groups.authorize(group_id, &changes.add, &mark).await?;
    groups.describe_rules(group_id, &changes.describe).await?;
    Ok(groups.revoke(group_id, &changes.remove).await?)
}

/// Attaches the group beside the others.
pub(super) async fn attach(lock: &ModifyLock, id: &str) -> Result<(), Reports> {
    lock.attach_security_group(id).await.or_else(refused)
}

/// Detaches the group and leaves the others; from a database that is gone there is nothing to detach.
pub(super) async fn detach(lock: &ModifyLock, id: &str) -> Result<(), Reports> {
    match lock.detach_security_group(id).await {
        Err(GroupsError::NotThere(_, described)) if *described == Described::Gone => Ok(()),
        outcome => outcome.or_else(refused),
    }
}

fn refused(error: GroupsError) -> Result<(), Reports> {
    match error {
        GroupsError::Call(error) => Err(error.into()),
        GroupsError::NotThere(arn, described) => match found(&arn, Takes::ReplicasToo, (*described).clone())? {
            Found::Gone => Err(TargetError::Gone(arn).into()),
            Found::Target(_) => Err(Error::Groups(GroupsError::NotThere(arn, described)).into()),
        },
        error => Err(Error::Groups(error).into()),
    }
}

/// The group by its id.
pub(super) async fn find(groups: &SecurityGroups, id: &str) -> Result<Option<Group>, Reports> {
    match groups.describe(&[id.to_owned()]).await {
        Ok(found) => Ok(found.into_iter().next()),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The port that the rules open.
pub(super) fn port(target: &Target) -> u16 {
    target.endpoint.as_ref().map_or_else(|| target.engine.default_port(), |e| e.port)
}

/// Writes what is there into the state.
pub(super) fn observe(state: &mut SecurityGroup, group: &Group, target: &Target, rules: &[Rule], all: bool) {
    let port = port(target);
    let known = state.ingress.get().cloned().unwrap_or_default();
    let ingress = rules::ingress(rules, &known, port, all);
    state.other_ingress = rules::others(rules, &ingress, port).into();
    if !(ingress.is_empty() && state.ingress.is_null()) {
        state.ingress = ingress.into();
    }
    state.id = group.id.clone().into();
    state.arn = group.arn.clone().into();
    state.vpc_id = group.vpc_id.clone().into();
    state.port = i64::from(port).into();
    state.attached = target.security_group_ids.contains(&group.id).into();
    state.target_resource_id = target.resource_id.clone().into();
}
