//! How RDS describes an instance, a cluster and a subnet group. Field for field what AWS sends for an ordinary database,
//! so that a page has the size that it has there.

use crate::fleet::{Database, Instance, Kind, Place};
use crate::world::World;
use crate::xml::Xml;

const CREATED: &str = "2024-03-01T09:30:00Z";
const RESTORABLE: &str = "2026-01-01T00:00:00Z";
const TEAMS: [&str; 4] = ["payments", "orders", "search", "ledger"];

/// What is the same for everything in a place.
pub(super) struct Describe<'a> {
    world: &'a World,
    place: Place,
    account: String,
    region: &'a str,
    host_part: String,
    vpc: String,
    group: String,
    subnets: [String; 2],
}

impl<'a> Describe<'a> {
    pub(super) fn new(world: &'a World, place: Place) -> Self {
        let digits = |what: &str| world.fleet.digits(place, what, 17);
        Self {
            world,
            place,
            account: world.organization.account_id(place.account),
            region: world.fleet.region_name(place),
            host_part: world.fleet.host_part(&world.organization, place),
            vpc: format!("vpc-{}", digits("vpc")),
            group: format!("sg-{}", digits("group")),
            subnets: ["a", "b"].map(|zone| format!("subnet-{}", digits(zone))),
        }
    }

    fn arn(&self, kind: &str, name: &str) -> String {
        format!("arn:aws:rds:{}:{}:{kind}:{name}", self.region, self.account)
    }

    fn host(&self, name: &str, prefix: &str) -> String {
        format!("{name}.{prefix}{}.{}.rds.amazonaws.com", self.host_part, self.region)
    }

    fn resource_id(&self, prefix: &str, name: &str) -> String {
        format!("{prefix}-{}", self.world.fleet.digits(self.place, name, 26).to_uppercase())
    }

    fn security_groups(&self, xml: &mut Xml) {
        xml.list("VpcSecurityGroups", "VpcSecurityGroupMembership", [&self.group], |xml, group| {
            xml.text("VpcSecurityGroupId", group);
            xml.text("Status", "active");
        });
    }
}

pub(super) fn instance(xml: &mut Xml, describe: &Describe<'_>, found: &Instance) {
    let (name, kind) = (found.identifier(), found.database.kind);
    let (engine, in_cluster) = (kind.engine(), found.member > 0);
    xml.text("DBInstanceIdentifier", &name);
    xml.text("DBInstanceClass", if in_cluster { "db.r6g.large" } else { "db.t4g.micro" });
    xml.text("Engine", engine);
    xml.text("DBInstanceStatus", "available");
    xml.text("MasterUsername", "admin1");
    xml.element("Endpoint", |xml| {
        xml.text("Address", describe.host(&name, ""));
        xml.text("Port", port(engine));
        xml.text("HostedZoneId", "Z2R2ITUGPM61AM");
    });
    xml.text("AllocatedStorage", if engine.starts_with("aurora") { 1 } else { 20 });
    xml.text("InstanceCreateTime", CREATED);
    xml.text("PreferredBackupWindow", "01:14-01:44");
    xml.text("BackupRetentionPeriod", 7);
    xml.element("DBSecurityGroups", |_| {});
    describe.security_groups(xml);
    xml.list("DBParameterGroups", "DBParameterGroup", [()], |xml, ()| {
        xml.text("DBParameterGroupName", format!("default.{engine}{}", major(engine)));
        xml.text("ParameterApplyStatus", "in-sync");
    });
    let zone = if found.member.is_multiple_of(2) { "a" } else { "b" };
    xml.text("AvailabilityZone", format!("{}{zone}", describe.region));
    xml.element("DBSubnetGroup", |xml| subnet_group(xml, describe));
    xml.text("PreferredMaintenanceWindow", "wed:06:38-wed:07:08");
    xml.element("PendingModifiedValues", |_| {});
    instance_terms(xml, describe, found);
    tags(xml, &found.database);
}

fn instance_terms(xml: &mut Xml, describe: &Describe<'_>, found: &Instance) {
    let (name, kind) = (found.identifier(), found.database.kind);
    let (engine, in_cluster) = (kind.engine(), found.member > 0);
    xml.text("LatestRestorableTime", RESTORABLE);
    xml.text("MultiAZ", false);
    xml.text("EngineVersion", version(engine));
    xml.text("AutoMinorVersionUpgrade", true);
    if let Some(source) = found.source() {
        xml.text("ReadReplicaSourceDBInstanceIdentifier", source);
    }
    xml.list("ReadReplicaDBInstanceIdentifiers", "ReadReplicaDBInstanceIdentifier", [(); 0], |_, ()| {});
    xml.text("LicenseModel", license(engine));
    xml.list("OptionGroupMemberships", "OptionGroupMembership", [()], |xml, ()| {
        xml.text("OptionGroupName", format!("default:{engine}-{}", major(engine)));
        xml.text("Status", "in-sync");
    });
    xml.text("PubliclyAccessible", false);
    xml.text("StorageType", if engine.starts_with("aurora") { "aurora" } else { "gp3" });
    xml.text("DbInstancePort", 0);
    if in_cluster {
        xml.text("DBClusterIdentifier", found.database.identifier());
        xml.text("PromotionTier", 1);
    }
    xml.text("StorageEncrypted", true);
    xml.text("KmsKeyId", format!("arn:aws:kms:{}:{}:key/{}", describe.region, describe.account, describe.vpc));
    xml.text("DbiResourceId", describe.resource_id("db", &name));
    xml.text("CACertificateIdentifier", "rds-ca-rsa2048-g1");
    for list in ["DomainMemberships", "EnabledCloudwatchLogsExports", "AssociatedRoles"] {
        xml.element(list, |_| {});
    }
    xml.text("CopyTagsToSnapshot", true);
    xml.text("MonitoringInterval", 0);
    xml.text("DBInstanceArn", describe.arn("db", &name));
    xml.text("IAMDatabaseAuthenticationEnabled", found.database.number.is_multiple_of(2));
    xml.text("DeletionProtection", true);
    xml.text("PerformanceInsightsEnabled", false);
    xml.text("NetworkType", "IPV4");
}

pub(super) fn cluster(xml: &mut Xml, describe: &Describe<'_>, found: &Database) {
    let (name, engine) = (found.identifier(), found.kind.engine());
    xml.text("AllocatedStorage", 1);
    xml.list("AvailabilityZones", "AvailabilityZone", ["a", "b", "c"], |xml, zone| xml.raw(&[describe.region, zone]));
    xml.text("BackupRetentionPeriod", 7);
    xml.text("DBClusterIdentifier", &name);
    xml.text("DBClusterParameterGroup", format!("default.{engine}{}", major(engine)));
    xml.text("DBSubnetGroup", "dbs");
    xml.text("Status", "available");
    xml.text("EarliestRestorableTime", CREATED);
    xml.text("LatestRestorableTime", RESTORABLE);
    xml.text("Endpoint", describe.host(&name, "cluster-"));
    xml.text("ReaderEndpoint", describe.host(&name, "cluster-ro-"));
    xml.text("MultiAZ", !engine.starts_with("aurora"));
    xml.text("Engine", engine);
    xml.text("EngineVersion", version(engine));
    xml.text("Port", port(engine));
    xml.text("MasterUsername", "admin1");
    xml.text("PreferredBackupWindow", "01:37-02:07");
    xml.text("PreferredMaintenanceWindow", "wed:02:40-wed:03:10");
    xml.element("ReadReplicaIdentifiers", |_| {});
    let members = if let Kind::Cluster(_, members) = found.kind { members } else { 0 };
    xml.list("DBClusterMembers", "DBClusterMember", 1..=members, |xml, member| {
        xml.text("DBInstanceIdentifier", Instance { database: *found, member }.identifier());
        xml.text("IsClusterWriter", member == 1);
        xml.text("DBClusterParameterGroupStatus", "in-sync");
        xml.text("PromotionTier", 1);
    });
    describe.security_groups(xml);
    cluster_terms(xml, describe, found);
    tags(xml, found);
}

fn cluster_terms(xml: &mut Xml, describe: &Describe<'_>, found: &Database) {
    let (name, engine) = (found.identifier(), found.kind.engine());
    xml.text("HostedZoneId", "Z2R2ITUGPM61AM");
    xml.text("StorageEncrypted", true);
    xml.text("KmsKeyId", format!("arn:aws:kms:{}:{}:key/{}", describe.region, describe.account, describe.vpc));
    xml.text("DbClusterResourceId", describe.resource_id("cluster", &name));
    xml.text("DBClusterArn", describe.arn("cluster", &name));
    xml.text("IAMDatabaseAuthenticationEnabled", found.number.is_multiple_of(2));
    xml.text("ClusterCreateTime", CREATED);
    xml.text("EngineMode", "provisioned");
    xml.text("StorageType", if engine.starts_with("aurora") { "aurora" } else { "gp3" });
    for list in ["AssociatedRoles", "EnabledCloudwatchLogsExports", "DomainMemberships"] {
        xml.element(list, |_| {});
    }
    xml.text("DeletionProtection", true);
    xml.text("HttpEndpointEnabled", false);
    xml.text("CopyTagsToSnapshot", true);
    xml.text("CrossAccountClone", false);
    xml.text("AutoMinorVersionUpgrade", true);
    xml.text("NetworkType", "IPV4");
}

pub(super) fn subnet_group(xml: &mut Xml, describe: &Describe<'_>) {
    xml.text("DBSubnetGroupName", "dbs");
    xml.text("DBSubnetGroupDescription", "databases");
    xml.text("VpcId", &describe.vpc);
    xml.text("SubnetGroupStatus", "Complete");
    let zones = describe.subnets.iter().zip(["a", "b"]);
    xml.list("Subnets", "Subnet", zones, |xml, (subnet, zone)| {
        xml.text("SubnetIdentifier", subnet);
        xml.element("SubnetAvailabilityZone", |xml| xml.text("Name", format!("{}{zone}", describe.region)));
        xml.text("SubnetStatus", "Active");
    });
    xml.text("DBSubnetGroupArn", describe.arn("subgrp", "dbs"));
}

fn tags(xml: &mut Xml, database: &Database) {
    let team = usize::try_from(database.number / 3 % 4).ok().and_then(|at| TEAMS.get(at)).copied().unwrap_or_default();
    let stage = if database.number.is_multiple_of(3) { "prod" } else { "staging" };
    let all = [("environment", stage), ("team", team), ("access", "managed")];
    xml.list("TagList", "Tag", all, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

fn port(engine: &str) -> u16 {
    match engine {
        "postgres" | "aurora-postgresql" => 5432,
        "mysql" | "mariadb" | "aurora-mysql" => 3306,
        "sqlserver-se" => 1433,
        _ => 1521,
    }
}

fn version(engine: &str) -> &'static str {
    match engine {
        "postgres" => "16.4",
        "aurora-postgresql" => "15.4",
        "mysql" => "8.0.39",
        "aurora-mysql" => "8.0.mysql_aurora.3.05.2",
        "mariadb" => "10.11.9",
        "sqlserver-se" => "15.00.4385.2.v1",
        _ => "19.0.0.0.ru-2024-07.rur-2024-07.r1",
    }
}

fn major(engine: &str) -> &'static str {
    version(engine).split('.').next().unwrap_or_default()
}

fn license(engine: &str) -> &'static str {
    match engine {
        "postgres" | "aurora-postgresql" => "postgresql-license",
        "sqlserver-se" => "license-included",
        "oracle-se2" => "bring-your-own-license",
        _ => "general-public-license",
    }
}
