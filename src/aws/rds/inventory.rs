//! All databases of one account and region, read once and shared.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::classify::{Answers, Place, classify};
use super::describe::{all_clusters, all_instances, subnet_group_vpcs};
use crate::access::{AccountId, Arn, Region, Target, Unsupported};
use crate::aws::once::Moment;
use crate::aws::{Error, Fault, Session, Sessions};

/// What an account has in a region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Standalone instances, and Aurora and Multi-AZ clusters once, sorted by ARN
    pub targets: Vec<Target>,
    /// What is not a target, sorted by ARN
    pub others: Vec<Other>,
}

/// An RDS object that is not a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Its ARN
    pub arn: Arn,
    /// Engine as RDS names it
    pub engine: String,
    /// Why it is none
    pub reason: Unsupported,
    /// Its endpoint, groups and so on, where the engine is one of ours: a read replica is no target of a role, but it
    /// has security groups and can be connected to
    pub target: Option<Target>,
}

/// The answer for one ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Described {
    /// It can be managed
    Target(Target),
    /// It exists, and is no target
    Unsupported(Other),
    /// AWS knows no such database
    Gone,
}

impl Inventory {
    /// The answer for one ARN. Both lists are sorted by it, and each of a thousand resources asks.
    pub fn find(&self, arn: &Arn) -> Described {
        let target = self.targets.binary_search_by(|target| target.arn.cmp(arn)).ok();
        if let Some(target) = target.and_then(|at| self.targets.get(at)) {
            return Described::Target(target.clone());
        }
        let other = self.others.binary_search_by(|other| other.arn.cmp(arn)).ok();
        other.and_then(|at| self.others.get(at)).cloned().map_or(Described::Gone, Described::Unsupported)
    }

    /// The ARN of the database with this resource id, which stays the same when the database is renamed.
    pub fn named(&self, resource_id: &str) -> Option<&Arn> {
        let others = self.others.iter().filter_map(|other| other.target.as_ref());
        let mut all = self.targets.iter().chain(others).filter(|_| !resource_id.is_empty());
        all.find(|target| target.resource_id == resource_id).map(|target| &target.arn)
    }
}

impl Sessions {
    /// Everything in an account and region. The first caller asks AWS (all pages), the others share the answer until
    /// [`Sessions::forget`].
    ///
    /// # Errors
    /// The account cannot be entered, or a Describe is refused.
    pub async fn inventory(&self, account: &AccountId, region: &Region) -> Result<Arc<Inventory>, Error> {
        let key = (account.clone(), region.clone());
        self.inventories().get(&key, || self.read_inventory(account, region)).await
    }

    /// As [`Sessions::inventory`], from a reading that began after `since`; all who ask from now on share it.
    pub(super) async fn inventory_since(
        &self,
        since: Moment,
        account: &AccountId,
        region: &Region,
    ) -> Result<Arc<Inventory>, Error> {
        let key = (account.clone(), region.clone());
        self.inventories().get_since(since, &key, || self.read_inventory(account, region)).await
    }

    async fn read_inventory(&self, account: &AccountId, region: &Region) -> Result<Arc<Inventory>, Error> {
        let session = self.session(account, region).await?;
        match read(&session).await {
            Ok(inventory) => Ok(Arc::new(inventory)),
            Err(error) => Err(self.explain_region(error).await),
        }
    }

    /// One database, from the shared inventory of its account and region.
    ///
    /// # Errors
    /// As [`Sessions::inventory`].
    pub async fn describe(&self, arn: &Arn) -> Result<Described, Error> {
        self.session_for(arn).await?;
        Ok(self.inventory(&arn.account_id, &arn.region).await?.find(arn))
    }

    /// Forgets the inventory of an account and region, after a change there.
    pub fn forget(&self, account: &AccountId, region: &Region) {
        self.inventories().forget(&(account.clone(), region.clone()));
    }
}

/// Both lists at the same time, each of them a chain of requests of its own.
async fn read(session: &Session) -> Result<Inventory, Error> {
    let rds = session.rds();
    let (instances, clusters) = tokio::join!(all_instances(session, &rds), all_clusters(session, &rds));
    let (instances, clusters) = both(instances, clusters)?;
    let place = Place::of(session).await?;
    let mut answers = Answers { instances, clusters, vpc_of_subnet_group: BTreeMap::new() };
    if answers.lack_a_vpc() {
        let _chain = session.sessions.load().begin().await;
        answers.vpc_of_subnet_group = match subnet_group_vpcs(session, &rds, None).await {
            // Only the security group needs the VPC, and says so itself when it is not known.
            Err(Error { fault: Fault::AccessDenied(_), .. }) => BTreeMap::new(),
            outcome => outcome?,
        };
    }
    Ok(classify(&place, &answers))
}

/// Both answers, or an error that does not depend on which of them came first. Two denials are told as one, so that
/// nobody allows one action only to be told of the other.
fn both<A, B>(instances: Result<A, Error>, clusters: Result<B, Error>) -> Result<(A, B), Error> {
    match (instances, clusters) {
        (Ok(instances), Ok(clusters)) => Ok((instances, clusters)),
        (Err(mut error), Err(other)) if error.is_denied() && other.is_denied() => {
            error.call.action = "rds:DescribeDBInstances and rds:DescribeDBClusters";
            Err(error)
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}
