//! Arguments and results of `rdsaccess_instances`.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{AccountId, Arn, EngineKind, Region, Target};
use crate::aws::rds::Other;
use crate::data_sources::shard::ShardModel;
use crate::model;
use crate::schema::Attr;

model! {
    /// Lists the RDS instances and Aurora clusters of any accounts and regions.
    ///
    /// `targets` holds everything that `rdsaccess_role` accepts: a standalone instance, or an Aurora or Multi-AZ cluster
    /// once. The status of a database never removes it from `targets`, and an account or region that cannot be read is
    /// an error, so that a plan never shrinks because AWS could not be asked.
    ///
    /// However many accounts there are, at most `max_concurrency` requests are under way. Where AWS throttles, that
    /// account, region and service is asked more slowly, and nobody else; a request that is throttled for ten minutes
    /// fails. The least permissions are `rds:DescribeDBInstances` and `rds:DescribeDBClusters`, with
    /// `rds:DescribeDBSubnetGroups` for the VPC of clusters without members and `ec2:DescribeRegions` for `["*"]`.
    pub struct Instances {
        /// Accounts to look into; by default the caller's own, which needs neither Organizations nor a role. An empty set,
        /// such as the `ids` of a unit without accounts, finds nothing.
        account_ids: BTreeSet<AccountId> = optional().default_words("the caller's account"),
        /// Regions to look into; `*` stands for all regions that are enabled in each account, also beside names. A region
        /// that is named and not enabled in an account is an error.
        regions: BTreeSet<RegionOrAll> = optional().not_empty().default_words("the provider's region"),
        /// Engines to keep.
        engines: BTreeSet<EngineKind> = optional().not_empty(),
        /// Tags that a database must have, all of them; the value `*` stands for any value.
        tags: BTreeMap<String, String> = optional(),
        /// Globs of which one must match the identifier, such as `payments-*`.
        identifiers: BTreeSet<Glob> = optional().not_empty(),
        /// `fail`: an account or region that cannot be read is an error. `report`: it is listed in `errors` instead, for
        /// inventories and outputs. Never feed a result with `report` to `for_each`: a plan would destroy what could not
        /// be seen.
        on_error: String = optional().one_of(&["fail", "report"]).defaults_to("fail"),
        /// A part of `account_ids`, as in `rdsaccess_accounts`; the accounts of the other parts are not entered.
        shard: ShardModel = optional(),
        /// The databases, by ARN.
        targets: BTreeMap<String, TargetModel> = computed(),
        /// What is not a target, by ARN, with the reason: members of clusters, replicas, secondaries of global databases,
        /// and engines without roles for us (Oracle, Db2, RDS Custom, Neptune, DocumentDB). Of the filters only
        /// `identifiers` holds here, not `tags` and `engines`, so that the reason is found whatever else does not fit.
        others: BTreeMap<String, OtherModel> = computed(),
        /// What could not be read, by account and region; empty unless `on_error = "report"`.
        errors: Vec<ErrorModel> = computed(),
    }
}

model! {
    /// A database.
    pub struct TargetModel {
        /// DB instance or cluster identifier.
        identifier: String = computed(),
        /// Account.
        account_id: AccountId = computed(),
        /// Region.
        region: Region = computed(),
        /// `instance` or `cluster`.
        kind: String = computed(),
        /// `postgres`, `mysql`, `mariadb` or `sqlserver`.
        engine: EngineKind = computed(),
        /// Version, as RDS prints it.
        engine_version: String = computed(),
        /// Whether it is an Aurora cluster.
        aurora: bool = computed(),
        /// Host name of the writer; null while the database is being created.
        endpoint: String = computed(),
        /// Host name of the readers of a cluster.
        reader_endpoint: String = computed(),
        /// TCP port; null while the database is being created.
        port: i64 = computed(),
        /// Name of the master user.
        master_username: String = computed(),
        /// Whether IAM database authentication is on.
        iam_authentication: bool = computed(),
        /// Whether it has a public address.
        publicly_accessible: bool = computed(),
        /// VPC.
        vpc_id: String = computed(),
        /// Attached security groups.
        security_group_ids: BTreeSet<String> = computed(),
        /// Status, as RDS prints it.
        status: String = computed(),
        /// Tags.
        tags: BTreeMap<String, String> = computed(),
        /// ARN of the secret that RDS manages for the master user.
        managed_secret_arn: String = computed(),
        /// `DbiResourceId` or `DbClusterResourceId`: the part of IAM policies that names the database.
        resource_id: String = computed(),
    }
}

model! {
    /// An RDS object that is not a target.
    pub struct OtherModel {
        /// DB instance or cluster identifier.
        identifier: String = computed(),
        /// Account.
        account_id: AccountId = computed(),
        /// Region.
        region: Region = computed(),
        /// `instance` or `cluster`.
        kind: String = computed(),
        /// Engine, as RDS names it.
        engine: String = computed(),
        /// Why it is no target, and what to use instead.
        reason: String = computed(),
    }
}

model! {
    /// An account and region that could not be read.
    pub struct ErrorModel {
        /// Account.
        account_id: AccountId = computed(),
        /// Region; null when the account could not be entered or its regions not be listed.
        region: Region = computed(),
        /// What failed, and what to do.
        reason: String = computed(),
    }
}

impl From<&Target> for TargetModel {
    fn from(target: &Target) -> Self {
        let Arn { region, account_id, kind, identifier, .. } = target.arn.clone();
        Self {
            identifier: identifier.into(),
            account_id: account_id.into(),
            region: region.into(),
            kind: kind.as_str().to_owned().into(),
            engine: target.engine.into(),
            engine_version: target.engine_version.clone().into(),
            aurora: target.aurora.into(),
            endpoint: target.endpoint.as_ref().map(|e| e.host.clone()).into(),
            reader_endpoint: target.reader_endpoint.clone().into(),
            port: target.endpoint.as_ref().map(|e| i64::from(e.port)).into(),
            master_username: target.master_username.clone().into(),
            iam_authentication: target.iam_authentication.into(),
            publicly_accessible: target.publicly_accessible.into(),
            vpc_id: target.vpc_id.clone().into(),
            security_group_ids: Attr::Known(target.security_group_ids.iter().cloned().collect()),
            status: target.status.clone().into(),
            tags: target.tags.clone().into(),
            managed_secret_arn: target.managed_secret.as_ref().map(ToString::to_string).into(),
            resource_id: target.resource_id.clone().into(),
        }
    }
}

impl From<&Other> for OtherModel {
    fn from(other: &Other) -> Self {
        let Arn { region, account_id, kind, identifier, .. } = other.arn.clone();
        Self {
            identifier: identifier.into(),
            account_id: account_id.into(),
            region: region.into(),
            kind: kind.as_str().to_owned().into(),
            engine: other.engine.clone().into(),
            reason: crate::report::sentence(&other.reason.to_string()).into(),
        }
    }
}

/// A region, or `*` for every region that is enabled in an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegionOrAll {
    /// `*`
    All,
    /// One region
    One(Region),
}

impl std::str::FromStr for RegionOrAll {
    type Err = crate::access::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
}

impl std::fmt::Display for RegionOrAll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::One(region) => region.fmt(f),
        }
    }
}

/// A pattern for identifiers: `*` for any characters, `?` for one, `[ab]` for a class.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glob(String);

impl Glob {
    /// The matcher; the pattern was checked when it was parsed.
    pub fn matcher(&self) -> Option<globset::GlobMatcher> {
        globset::Glob::new(&self.0).ok().map(|glob| glob.compile_matcher())
    }
}

impl std::str::FromStr for Glob {
    type Err = crate::access::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match globset::Glob::new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(why) => Err(crate::access::Invalid::new(format!("`{text}` is not a pattern: {}", why.kind()))),
        }
    }
}

impl std::fmt::Display for Glob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

crate::text_kinds! {
    RegionOrAll;
    Glob;
}
