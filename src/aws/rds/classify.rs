//! From Describe answers to targets and others. Pure; fields that AWS leaves out (an endpoint while a database is
//! being created, a VPC on a cluster) are looked for elsewhere in the answers or stay unknown.
//!
//! The lists of instances and clusters are asked at the same time and in pages, so that they may show two moments. What
//! they say together is sorted by fixed rules: what is listed twice counts as the later page says; an instance is a
//! member as soon as either list says so, and then never a target beside its cluster; a cluster counts as long as the
//! list of clusters has it. Whatever else changed in between is seen by the next read.

use std::collections::BTreeMap;

use aws_sdk_rds::types::{DbCluster, DbInstance, MasterUserSecret, Tag, VpcSecurityGroupMembership};

use super::inventory::{Inventory, Other};
use super::pending;
use crate::access::{AccountId, Arn, Endpoint, EngineKind, Partition, Region, Target, TargetKind, Unsupported};
use crate::aws::{Error, Session};

/// What the Describe calls returned.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) instances: Vec<DbInstance>,
    pub(super) clusters: Vec<DbCluster>,
    pub(super) vpc_of_subnet_group: BTreeMap<String, String>,
}

/// Where the answers come from: the missing parts of an ARN.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) partition: Partition,
    pub(super) region: Region,
    pub(super) account_id: AccountId,
}

impl Place {
    pub(super) async fn of(session: &Session) -> Result<Self, Error> {
        let partition = session.sessions.caller().await?.partition;
        Ok(Self { partition, region: session.region.clone(), account_id: session.account.clone() })
    }

    fn arn(&self, kind: TargetKind, identifier: &str) -> Arn {
        let Self { partition, region, account_id } = self.clone();
        Arn { partition, region, account_id, kind, identifier: identifier.to_owned() }
    }

    /// RDS names a source in the same region by its identifier and one elsewhere by its ARN.
    fn source(&self, kind: TargetKind, name: &str) -> String {
        if name.starts_with("arn:") { name.to_owned() } else { self.arn(kind, name).to_string() }
    }
}

impl Answers {
    /// Whether a cluster's VPC can only be learned from its subnet group.
    pub(super) fn lack_a_vpc(&self) -> bool {
        let no_vpc = |c: &&DbCluster| c.db_subnet_group().is_some() && member_vpc(&self.members(c)).is_none();
        self.clusters
            .iter()
            .filter(|c| EngineKind::from_rds(c.engine().unwrap_or_default()).is_some())
            .any(|c| no_vpc(&c))
    }

    /// Which cluster lists an instance as its member.
    fn clusters_of_members(&self) -> BTreeMap<&str, &str> {
        let pairs = self.clusters.iter().flat_map(|c| {
            let members = c.db_cluster_members().iter().filter_map(|m| m.db_instance_identifier());
            members.filter_map(|member| Some((member, c.db_cluster_identifier()?)))
        });
        pairs.collect()
    }

    /// What a name of a source stands for: a cluster can follow an instance, and RDS tells only the name.
    fn kind_of(&self, name: &str, usual: TargetKind) -> TargetKind {
        let instance = self.instances.iter().any(|i| i.db_instance_identifier() == Some(name));
        let cluster = self.clusters.iter().any(|c| c.db_cluster_identifier() == Some(name));
        match (instance, cluster) {
            (true, false) => TargetKind::Instance,
            (false, true) => TargetKind::Cluster,
            _ => usual,
        }
    }

    /// The member instances of a cluster that were described.
    fn members(&self, cluster: &DbCluster) -> Vec<&DbInstance> {
        let id = cluster.db_cluster_identifier();
        self.instances.iter().filter(|i| id.is_some() && i.db_cluster_identifier() == id).collect()
    }
}

/// Sorts everything into targets and others.
pub(super) fn classify(place: &Place, answers: &Answers) -> Inventory {
    let mut inventory = Inventory::default();
    let clusters_of = answers.clusters_of_members();
    let instances = answers.instances.iter().filter_map(|i| instance(place, answers, &clusters_of, i));
    let clusters = answers.clusters.iter().filter_map(|c| cluster(place, answers, c));
    let sorted: BTreeMap<Arn, Sorted> = instances.chain(clusters).collect();
    for sorted in sorted.into_values() {
        match sorted {
            Sorted::Target(target) => inventory.targets.push(*target),
            Sorted::Other(other) => inventory.others.push(*other),
        }
    }
    inventory.targets.shrink_to_fit();
    inventory.others.shrink_to_fit();
    inventory
}

enum Sorted {
    Target(Box<Target>),
    Other(Box<Other>),
}

/// `None` only for an answer without an identifier, which names nothing.
fn instance(
    place: &Place,
    answers: &Answers,
    clusters_of: &BTreeMap<&str, &str>,
    i: &DbInstance,
) -> Option<(Arn, Sorted)> {
    let identifier = i.db_instance_identifier()?;
    let arn = place.arn(TargetKind::Instance, identifier);
    let rds_engine = i.engine().unwrap_or_default();
    let target = EngineKind::from_rds(rds_engine).map(|engine| instance_target(arn.clone(), engine, i));
    let cluster = i.db_cluster_identifier().or_else(|| clusters_of.get(identifier).copied());
    let refusal = match cluster {
        Some(cluster) => Some(Unsupported::ClusterMember(place.arn(TargetKind::Cluster, cluster))),
        None => replica_of(place, answers, i),
    };
    Some((arn.clone(), sort(arn, rds_engine, target, refusal)))
}

fn cluster(place: &Place, answers: &Answers, c: &DbCluster) -> Option<(Arn, Sorted)> {
    let arn = place.arn(TargetKind::Cluster, c.db_cluster_identifier()?);
    let rds_engine = c.engine().unwrap_or_default();
    let target = EngineKind::from_rds(rds_engine).map(|engine| cluster_target(arn.clone(), engine, c, answers));
    Some((arn.clone(), sort(arn, rds_engine, target, cluster_refusal(place, answers, c))))
}

fn sort(arn: Arn, rds_engine: &str, target: Option<Target>, refusal: Option<Unsupported>) -> Sorted {
    let engine = rds_engine.to_owned();
    let other = |reason, target| Sorted::Other(Box::new(Other { arn, engine: engine.clone(), reason, target }));
    match (target, refusal) {
        (None, _) => other(Unsupported::Engine(engine.clone()), None),
        (Some(target), None) => Sorted::Target(Box::new(target)),
        (target, Some(reason)) => other(reason, target),
    }
}

fn replica_of(place: &Place, answers: &Answers, i: &DbInstance) -> Option<Unsupported> {
    let instance = i.read_replica_source_db_instance_identifier().map(|s| (TargetKind::Instance, s));
    let cluster = i.read_replica_source_db_cluster_identifier().map(|s| (TargetKind::Cluster, s));
    let mut sources = [instance, cluster].into_iter().flatten();
    let (kind, source) = sources.find(|(_, source)| !source.is_empty())?;
    Some(Unsupported::ReadReplica(place.source(answers.kind_of(source, kind), source)))
}

/// A cluster that follows another one. In a global database both the primary and the secondaries carry the global
/// identifier. A secondary also names its source (one without members does so too), forwards writes, or has members of
/// which none is the writer; a cluster of which none of this is said is taken for the primary.
fn cluster_refusal(place: &Place, answers: &Answers, c: &DbCluster) -> Option<Unsupported> {
    let source = c.replication_source_identifier().filter(|s| !s.is_empty());
    let source = source.map(|s| place.source(answers.kind_of(s, TargetKind::Cluster), s));
    let global = c.global_cluster_identifier().filter(|g| !g.is_empty());
    match (global, source) {
        (Some(_), Some(source)) => Some(Unsupported::GlobalSecondary(source)),
        (Some(global), None) if has_no_writer(c) || forwards_writes(c) => {
            Some(Unsupported::GlobalSecondary(format!("the primary cluster of the global database `{global}`")))
        }
        (Some(_) | None, None) => None,
        (None, Some(source)) => Some(Unsupported::ReadReplica(source)),
    }
}

fn has_no_writer(c: &DbCluster) -> bool {
    let members = c.db_cluster_members();
    !members.is_empty() && !members.iter().any(|m| m.is_cluster_writer() == Some(true))
}

/// Only a secondary can be asked to forward writes.
fn forwards_writes(c: &DbCluster) -> bool {
    use aws_sdk_rds::types::WriteForwardingStatus::{Disabling, Enabled, Enabling};
    matches!(c.global_write_forwarding_status(), Some(Enabled | Enabling | Disabling))
        || c.global_write_forwarding_requested() == Some(true)
}

fn instance_target(arn: Arn, engine: EngineKind, i: &DbInstance) -> Target {
    let endpoint = i.endpoint().and_then(|e| endpoint(e.address(), e.port(), engine));
    Target {
        arn,
        resource_id: i.dbi_resource_id().unwrap_or_default().to_owned(),
        engine,
        rds_engine: i.engine().unwrap_or_default().to_owned(),
        engine_version: i.engine_version().unwrap_or_default().to_owned(),
        aurora: is_aurora(i.engine()),
        endpoint,
        reader_endpoint: None,
        master_username: i.master_username().unwrap_or_default().to_owned(),
        database_name: i.db_name().filter(|n| !n.is_empty()).map(str::to_owned),
        iam_authentication: i.iam_database_authentication_enabled().unwrap_or_default(),
        publicly_accessible: i.publicly_accessible().unwrap_or_default(),
        vpc_id: i.db_subnet_group().and_then(|g| g.vpc_id()).map(str::to_owned),
        security_group_ids: group_ids(i.vpc_security_groups()),
        status: i.db_instance_status().unwrap_or("unknown").to_owned(),
        tags: tags(i.tag_list()),
        managed_secret: i.master_user_secret().and_then(secret_ref),
        managed_status: i.master_user_secret().and_then(|s| s.secret_status()).map(str::to_owned),
        managed_kms_key_id: i.master_user_secret().and_then(|s| s.kms_key_id()).map(str::to_owned),
        pending_changes: pending::of_instance(i.pending_modified_values()),
        members: Vec::new(),
    }
}

fn cluster_target(arn: Arn, engine: EngineKind, c: &DbCluster, answers: &Answers) -> Target {
    let members = answers.members(c);
    let subnet_group = c.db_subnet_group().and_then(|group| answers.vpc_of_subnet_group.get(group).cloned());
    Target {
        arn,
        resource_id: c.db_cluster_resource_id().unwrap_or_default().to_owned(),
        engine,
        rds_engine: c.engine().unwrap_or_default().to_owned(),
        engine_version: c.engine_version().unwrap_or_default().to_owned(),
        aurora: is_aurora(c.engine()),
        endpoint: endpoint(c.endpoint(), c.port(), engine),
        reader_endpoint: c.reader_endpoint().map(str::to_lowercase),
        master_username: c.master_username().unwrap_or_default().to_owned(),
        database_name: c.database_name().filter(|n| !n.is_empty()).map(str::to_owned),
        iam_authentication: c.iam_database_authentication_enabled().unwrap_or_default(),
        publicly_accessible: c.publicly_accessible().unwrap_or_default()
            || members.iter().any(|m| m.publicly_accessible() == Some(true)),
        vpc_id: member_vpc(&members).map(str::to_owned).or(subnet_group),
        security_group_ids: group_ids(c.vpc_security_groups()),
        status: c.status().unwrap_or("unknown").to_owned(),
        tags: tags(c.tag_list()),
        managed_secret: c.master_user_secret().and_then(secret_ref),
        managed_status: c.master_user_secret().and_then(|s| s.secret_status()).map(str::to_owned),
        managed_kms_key_id: c.master_user_secret().and_then(|s| s.kms_key_id()).map(str::to_owned),
        pending_changes: pending::of_cluster(c.pending_modified_values()),
        members: member_names(c),
    }
}

fn is_aurora(engine: Option<&str>) -> bool {
    engine.is_some_and(|e| e.starts_with("aurora"))
}

fn endpoint(host: Option<&str>, port: Option<i32>, engine: EngineKind) -> Option<Endpoint> {
    let host = host.filter(|h| !h.is_empty())?.to_lowercase();
    let port = port.and_then(|p| u16::try_from(p).ok()).filter(|p| *p > 0).unwrap_or_else(|| engine.default_port());
    Some(Endpoint { host, port })
}

fn member_vpc<'a>(members: &[&'a DbInstance]) -> Option<&'a str> {
    members.iter().find_map(|m| m.db_subnet_group()?.vpc_id())
}

/// Writer first, then by name.
fn member_names(c: &DbCluster) -> Vec<String> {
    let mut members: Vec<_> = c.db_cluster_members().iter().collect();
    members.sort_by_key(|m| (m.is_cluster_writer() != Some(true), m.db_instance_identifier()));
    members.into_iter().filter_map(|m| m.db_instance_identifier().map(str::to_owned)).collect()
}

/// Groups that are attached or being attached; one that is being removed is as good as gone.
fn group_ids(groups: &[VpcSecurityGroupMembership]) -> Vec<String> {
    let stays = groups.iter().filter(|g| g.status() != Some("removing"));
    let mut ids: Vec<String> = stays.filter_map(|g| g.vpc_security_group_id().map(str::to_owned)).collect();
    ids.sort();
    ids.dedup();
    ids
}

fn tags(list: &[Tag]) -> BTreeMap<String, String> {
    let pair = |t: &Tag| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned()));
    list.iter().filter_map(pair).collect()
}

fn secret_ref(secret: &MasterUserSecret) -> Option<crate::access::SecretRef> {
    secret.secret_arn()?.parse().ok()
}

#[cfg(test)]
mod tests;
