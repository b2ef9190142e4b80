//! What the provider knows of a database from AWS: one answer for a standalone instance or a cluster.

use std::collections::BTreeMap;
use std::fmt;

use super::{Arn, EngineKind, SecretRef};

/// How RDS names a master password that waits for the maintenance window.
pub const PENDING_PASSWORD: &str = "MasterUserPassword";

/// Host name and port to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// DNS name, lower case
    pub host: String,
    /// TCP port
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A described database: a standalone instance or a cluster (by its writer endpoint).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// ARN as it was asked for
    pub arn: Arn,
    /// `DbiResourceId` or `DbClusterResourceId`: never used twice by AWS, unlike the ARN
    pub resource_id: String,
    /// Engine family
    pub engine: EngineKind,
    /// Engine as RDS names it (`aurora-postgresql`, `sqlserver-ee`, …)
    pub rds_engine: String,
    /// Engine version, as RDS prints it
    pub engine_version: String,
    /// Whether it is an Aurora cluster
    pub aurora: bool,
    /// Writer endpoint; `None` while the database is being created
    pub endpoint: Option<Endpoint>,
    /// Reader endpoint host of a cluster
    pub reader_endpoint: Option<String>,
    /// Name of the master user
    pub master_username: String,
    /// Name of the database made at creation, when AWS reports one
    pub database_name: Option<String>,
    /// Whether IAM database authentication is on
    pub iam_authentication: bool,
    /// Whether the instance has a public address
    pub publicly_accessible: bool,
    /// VPC of the subnet group; `None` when AWS does not report one
    pub vpc_id: Option<String>,
    /// Attached VPC security groups, sorted
    pub security_group_ids: Vec<String>,
    /// Status as RDS prints it (`available`, `resetting-master-credentials`, …)
    pub status: String,
    /// Tags
    pub tags: BTreeMap<String, String>,
    /// The secret that RDS manages for the master user
    pub managed_secret: Option<SecretRef>,
    /// State of that secret as RDS prints it (`creating`, `active`, `rotating`, `impaired`)
    pub managed_status: Option<String>,
    /// Key that encrypts that secret
    pub managed_kms_key_id: Option<String>,
    /// Names of the changes that wait for the maintenance window (`DBInstanceClass`, `MasterUserPassword`, …), sorted
    pub pending_changes: Vec<String>,
    /// The instances of a cluster, writer first; empty for a standalone instance
    pub members: Vec<String>,
}

impl Target {
    /// Whether RDS would refuse a change because the database is stopped.
    pub fn is_stopped(&self) -> bool {
        matches!(self.status.as_str(), "stopped" | "stopping")
    }

    /// What waits for the maintenance window beside a master password.
    pub fn other_pending_changes(&self) -> Vec<&str> {
        self.pending_changes.iter().map(String::as_str).filter(|change| *change != PENDING_PASSWORD).collect()
    }
}

/// Why an RDS object is no target, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsupported {
    /// A member of a cluster: its cluster is the target
    ClusterMember(Arn),
    /// A read replica: its writer is the target
    ReadReplica(String),
    /// A secondary cluster of a global database
    GlobalSecondary(String),
    /// An engine that the provider does not manage
    Engine(String),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterMember(cluster) => write!(f, "it is a member of a cluster; use the cluster's ARN: {cluster}"),
            Self::ReadReplica(writer) => write!(f, "it is a read replica; use its writer: {writer}"),
            Self::GlobalSecondary(writer) => {
                write!(f, "it is a secondary cluster of a global database; use the writer's cluster: {writer}")
            }
            Self::Engine(engine) => match why_not(engine) {
                Some(why) => write!(f, "its engine `{engine}` is not supported: {why}"),
                None => write!(f, "its engine `{engine}` is not supported"),
            },
        }
    }
}

/// Why an engine that RDS lists has no roles for us.
fn why_not(engine: &str) -> Option<&'static str> {
    let families = [
        ("neptune", "Neptune is a graph database without SQL roles"),
        ("docdb", "DocumentDB is no SQL database"),
        ("custom-", "RDS Custom leaves users and passwords to whoever runs its operating system"),
        ("oracle-", "roles in Oracle are not managed"),
        ("db2-", "users of Db2 belong to the operating system, not to the database"),
    ];
    families.iter().find(|(family, _)| engine.starts_with(family)).map(|(_, why)| *why)
}
