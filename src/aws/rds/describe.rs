//! The Describe calls: all pages of an account and region, or one database afresh.

use std::collections::BTreeMap;

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbCluster, DbInstance, Filter};

use super::classify::{Answers, Place, classify};
use super::inventory::Described;
use crate::access::{Arn, TargetKind};
use crate::aws::{Error, Fault, Session, Sessions};

/// The largest page that RDS takes.
const PAGE: i32 = 100;

impl Sessions {
    /// One database, asked afresh: for checks before a change, verification after it, and waiting.
    ///
    /// # Errors
    /// The account cannot be entered, or a Describe is refused.
    pub async fn describe_now(&self, arn: &Arn) -> Result<Described, Error> {
        let session = self.session_for(arn).await?;
        let mut answers = match arn.kind {
            TargetKind::Instance => one_instance(&session, arn).await?,
            TargetKind::Cluster => one_cluster(&session, arn).await?,
        };
        if let Some(group) = answers.clusters.iter().find_map(|c| c.db_subnet_group()).filter(|_| answers.lack_a_vpc())
        {
            answers.vpc_of_subnet_group = match subnet_group_vpcs(&session, &session.rds(), Some(group)).await {
                Err(Error { fault: Fault::AccessDenied(_) | Fault::NotFound(_), .. }) => BTreeMap::new(),
                outcome => outcome?,
            };
        }
        Ok(classify(&Place::of(&session).await?, &answers).find(arn))
    }
}

pub(super) async fn all_instances(session: &Session, rds: &Client) -> Result<Vec<DbInstance>, Error> {
    let _chain = session.sessions.load().begin().await;
    let mut pages = rds.describe_db_instances().max_records(PAGE).into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| session.call("rds:DescribeDBInstances").refused(&e))?;
        all.extend(page.db_instances.unwrap_or_default());
    }
    Ok(all)
}

/// The account's own clusters: those that others share with it are listed only when they are asked for
/// (`IncludeShared`), and are no databases of this account.
pub(super) async fn all_clusters(session: &Session, rds: &Client) -> Result<Vec<DbCluster>, Error> {
    let _chain = session.sessions.load().begin().await;
    let mut pages = rds.describe_db_clusters().max_records(PAGE).into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| session.call("rds:DescribeDBClusters").refused(&e))?;
        all.extend(page.db_clusters.unwrap_or_default());
    }
    Ok(all)
}

/// Subnet group -> VPC: clusters name only the group.
pub(super) async fn subnet_group_vpcs(
    session: &Session,
    rds: &Client,
    group: Option<&str>,
) -> Result<BTreeMap<String, String>, Error> {
    let request = rds.describe_db_subnet_groups().set_db_subnet_group_name(group.map(str::to_owned));
    let request = if group.is_none() { request.max_records(PAGE) } else { request };
    let mut pages = request.into_paginator().send();
    let mut all = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| session.call("rds:DescribeDBSubnetGroups").refused(&e))?;
        let pairs = page.db_subnet_groups.unwrap_or_default().into_iter();
        all.extend(pairs.filter_map(|g| Some((g.db_subnet_group_name?, g.vpc_id?))));
    }
    Ok(all)
}

async fn one_instance(session: &Session, arn: &Arn) -> Result<Answers, Error> {
    let request = session.rds().describe_db_instances().db_instance_identifier(&arn.identifier);
    let call = || session.call("rds:DescribeDBInstances").on(arn);
    let answer = none_if_gone(request.send().await.map_err(|e| call().refused(&e)))?;
    let instances = answer.and_then(|a| a.db_instances).unwrap_or_default();
    Ok(Answers { instances, ..Answers::default() })
}

async fn one_cluster(session: &Session, arn: &Arn) -> Result<Answers, Error> {
    let request = session.rds().describe_db_clusters().db_cluster_identifier(&arn.identifier);
    let call = || session.call("rds:DescribeDBClusters").on(arn);
    let answer = none_if_gone(request.send().await.map_err(|e| call().refused(&e)))?;
    let clusters = answer.and_then(|a| a.db_clusters).unwrap_or_default();
    if clusters.is_empty() {
        return Ok(Answers::default());
    }
    let members = Filter::builder().name("db-cluster-id").values(&arn.identifier).build();
    let members = session.rds().describe_db_instances().filters(members).send().await;
    let members = members.map_err(|e| session.call("rds:DescribeDBInstances").on(arn).refused(&e))?;
    Ok(Answers { clusters, instances: members.db_instances.unwrap_or_default(), ..Answers::default() })
}

fn none_if_gone<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
