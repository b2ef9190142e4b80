use aws_sdk_rds::types::{
    ClusterPendingModifiedValues, DbClusterMember, DbSubnetGroup, Endpoint as RdsEndpoint, PendingModifiedValues,
};

use super::*;
use crate::aws::rds::Described;

fn place() -> Place {
    Place {
        partition: Partition::Aws,
        region: "eu-west-1".parse().unwrap(),
        account_id: "123456789012".parse().unwrap(),
    }
}

fn arn(rest: &str) -> Arn {
    format!("arn:aws:rds:eu-west-1:123456789012:{rest}").parse().unwrap()
}

fn group(id: &str, status: &str) -> VpcSecurityGroupMembership {
    VpcSecurityGroupMembership::builder().vpc_security_group_id(id).status(status).build()
}

fn db(id: &str, engine: &str) -> aws_sdk_rds::types::builders::DbInstanceBuilder {
    DbInstance::builder().db_instance_identifier(id).engine(engine).dbi_resource_id(format!("db-{id}"))
}

fn member(id: &str, writer: bool) -> DbClusterMember {
    DbClusterMember::builder().db_instance_identifier(id).is_cluster_writer(writer).build()
}

fn aurora(id: &str) -> aws_sdk_rds::types::builders::DbClusterBuilder {
    DbCluster::builder().db_cluster_identifier(id).engine("aurora-postgresql").db_cluster_resource_id("cluster-X")
}

fn sorted(instances: Vec<DbInstance>, clusters: Vec<DbCluster>) -> Inventory {
    classify(&place(), &Answers { instances, clusters, ..Answers::default() })
}

fn reason(inventory: &Inventory, of: &str) -> Unsupported {
    match inventory.find(&arn(of)) {
        Described::Unsupported(other) => other.reason,
        other => panic!("{of}: {other:?}"),
    }
}

#[test]
fn a_standalone_instance_is_a_target_with_everything_that_rds_tells() {
    let instance = db("ledger", "postgres")
        .engine_version("16.4")
        .endpoint(RdsEndpoint::builder().address("Ledger.abc.eu-west-1.rds.amazonaws.com").port(5433).build())
        .master_username("admin1")
        .db_name("app")
        .iam_database_authentication_enabled(true)
        .publicly_accessible(true)
        .db_subnet_group(DbSubnetGroup::builder().vpc_id("vpc-1").build())
        .vpc_security_groups(group("sg-b", "active"))
        .vpc_security_groups(group("sg-a", "adding"))
        .vpc_security_groups(group("sg-c", "removing"))
        .db_instance_status("available")
        .tag_list(Tag::builder().key("env").value("prod").build())
        .master_user_secret(
            MasterUserSecret::builder()
                .secret_arn("arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf")
                .secret_status("rotating")
                .kms_key_id("arn:aws:kms:eu-west-1:123456789012:key/1")
                .build(),
        )
        .pending_modified_values(PendingModifiedValues::builder().db_instance_class("db.m7g.large").build())
        .build();
    let Described::Target(target) = sorted(vec![instance], vec![]).find(&arn("db:ledger")) else { panic!() };
    assert_eq!(target.endpoint.unwrap().to_string(), "ledger.abc.eu-west-1.rds.amazonaws.com:5433");
    assert_eq!(target.security_group_ids, ["sg-a", "sg-b"]);
    assert_eq!(target.vpc_id.as_deref(), Some("vpc-1"));
    assert_eq!(target.pending_changes, ["DBInstanceClass"]);
    assert_eq!(target.resource_id, "db-ledger");
    assert!(target.iam_authentication && target.publicly_accessible && !target.aurora);
    assert_eq!(target.rds_engine, "postgres");
    assert_eq!(target.tags["env"], "prod");
    assert!(target.managed_secret.is_some());
    assert_eq!(target.managed_status.as_deref(), Some("rotating"));
    assert_eq!(target.managed_kms_key_id.as_deref(), Some("arn:aws:kms:eu-west-1:123456789012:key/1"));
    assert_eq!((target.status.as_str(), target.database_name.as_deref()), ("available", Some("app")));
}

#[test]
fn a_database_that_is_being_created_lacks_fields_and_is_still_a_target() {
    let inventory = sorted(vec![DbInstance::builder().db_instance_identifier("new").engine("mysql").build()], vec![]);
    let target = &inventory.targets[0];
    assert_eq!((target.endpoint.as_ref(), target.vpc_id.as_ref(), target.status.as_str()), (None, None, "unknown"));
}

#[test]
fn a_cluster_is_listed_once_and_its_members_point_to_it() {
    let vpc = DbSubnetGroup::builder().vpc_id("vpc-1").build();
    let members = vec![
        db("a", "aurora-postgresql").db_cluster_identifier("main").build(),
        db("b", "aurora-postgresql")
            .db_cluster_identifier("main")
            .db_subnet_group(vpc)
            .publicly_accessible(true)
            .build(),
    ];
    let cluster = aurora("main")
        .endpoint("main.cluster-x.eu-west-1.rds.amazonaws.com")
        .reader_endpoint("main.cluster-ro-x.eu-west-1.rds.amazonaws.com")
        .db_cluster_members(member("a", false))
        .db_cluster_members(member("b", true))
        .pending_modified_values(ClusterPendingModifiedValues::builder().master_user_password("****").build())
        .build();
    let inventory = sorted(members, vec![cluster]);
    assert_eq!(inventory.targets.len(), 1);
    let target = &inventory.targets[0];
    assert_eq!((target.arn.clone(), target.aurora), (arn("cluster:main"), true));
    assert_eq!(target.rds_engine, "aurora-postgresql");
    assert_eq!(target.members, ["b", "a"]);
    assert_eq!(target.vpc_id.as_deref(), Some("vpc-1"));
    assert!(target.publicly_accessible);
    assert_eq!(target.endpoint.as_ref().unwrap().port, 5432);
    assert_eq!(target.pending_changes, ["MasterUserPassword"]);
    assert_eq!(reason(&inventory, "db:a"), Unsupported::ClusterMember(arn("cluster:main")));
}

#[test]
fn the_vpc_of_a_cluster_without_members_comes_from_its_subnet_group() {
    let mut answers = Answers { clusters: vec![aurora("main").db_subnet_group("dbs").build()], ..Answers::default() };
    assert!(answers.lack_a_vpc());
    answers.vpc_of_subnet_group.insert("dbs".to_owned(), "vpc-9".to_owned());
    assert_eq!(classify(&place(), &answers).targets[0].vpc_id.as_deref(), Some("vpc-9"));
}

#[test]
fn replicas_point_to_their_writer_and_keep_what_a_connection_needs() {
    let elsewhere = "arn:aws:rds:us-east-1:123456789012:db:ledger";
    let inventory = sorted(
        vec![
            db("near", "postgres")
                .read_replica_source_db_instance_identifier("ledger")
                .endpoint(RdsEndpoint::builder().address("near.x.eu-west-1.rds.amazonaws.com").port(5432).build())
                .build(),
            db("far", "postgres").read_replica_source_db_instance_identifier(elsewhere).build(),
            db("of-cluster", "postgres").read_replica_source_db_cluster_identifier("main").build(),
        ],
        vec![aurora("copy").replication_source_identifier(elsewhere).build()],
    );
    assert!(inventory.targets.is_empty());
    assert_eq!(reason(&inventory, "db:near"), Unsupported::ReadReplica(arn("db:ledger").to_string()));
    assert_eq!(reason(&inventory, "db:far"), Unsupported::ReadReplica(elsewhere.to_owned()));
    assert_eq!(reason(&inventory, "db:of-cluster"), Unsupported::ReadReplica(arn("cluster:main").to_string()));
    assert_eq!(reason(&inventory, "cluster:copy"), Unsupported::ReadReplica(elsewhere.to_owned()));
    let Described::Unsupported(near) = inventory.find(&arn("db:near")) else { panic!() };
    assert!(near.target.unwrap().endpoint.is_some());
}

#[test]
fn only_the_primary_of_a_global_database_is_a_target() {
    let primary = "arn:aws:rds:us-east-1:123456789012:cluster:main";
    let inventory = sorted(
        vec![],
        vec![
            aurora("primary").global_cluster_identifier("world").db_cluster_members(member("p", true)).build(),
            aurora("headless").global_cluster_identifier("world").build(),
            aurora("second").global_cluster_identifier("world").replication_source_identifier(primary).build(),
            aurora("third").global_cluster_identifier("world").db_cluster_members(member("t", false)).build(),
        ],
    );
    assert_eq!(reason(&inventory, "cluster:second"), Unsupported::GlobalSecondary(primary.to_owned()));
    assert!(reason(&inventory, "cluster:third").to_string().contains("`world`"));
    let names: Vec<_> = inventory.targets.iter().map(|t| t.arn.identifier.as_str()).collect();
    assert_eq!(names, ["headless", "primary"]);
}

#[test]
fn other_engines_are_named_with_the_reason() {
    let engines = [
        ("neptune", "graph database"),
        ("docdb", "no SQL database"),
        ("oracle-ee", "Oracle"),
        ("oracle-se2-cdb", "Oracle"),
        ("db2-ae", "Db2"),
        ("custom-sqlserver-ee", "RDS Custom"),
        ("custom-oracle-ee-cdb", "RDS Custom"),
        ("new-engine", "`new-engine` is not supported"),
        ("", "is not supported"),
    ];
    let instances = engines.iter().enumerate().map(|(n, (engine, _))| db(&format!("x{n}"), engine).build()).collect();
    let docdb = DbCluster::builder().db_cluster_identifier("docs").engine("docdb").build();
    let neptune = DbCluster::builder().db_cluster_identifier("graph").engine("neptune");
    let neptune = neptune.db_cluster_members(member("x0", true)).build();
    let inventory = sorted(instances, vec![docdb, neptune]);
    assert!(inventory.targets.is_empty());
    assert_eq!(inventory.others.len(), engines.len() + 2);
    for (n, (engine, why)) in engines.iter().enumerate() {
        let reason = reason(&inventory, &format!("db:x{n}"));
        assert_eq!(reason, Unsupported::Engine((*engine).to_owned()));
        assert!(reason.to_string().contains(why), "{reason}");
    }
    assert!(inventory.others.iter().all(|o| o.target.is_none()));
}

#[test]
fn every_kind_of_instance_that_has_roles_is_a_target() {
    use aws_sdk_rds::types::{DbSubnetGroup, Outpost, Subnet};
    let outpost = Subnet::builder().subnet_outpost(Outpost::builder().arn("arn:aws:outposts:x").build()).build();
    for (what, instance, engine) in [
        ("Express", db("x", "sqlserver-ex"), EngineKind::Sqlserver),
        ("Web", db("x", "sqlserver-web"), EngineKind::Sqlserver),
        ("Standard", db("x", "sqlserver-se"), EngineKind::Sqlserver),
        ("Enterprise", db("x", "sqlserver-ee"), EngineKind::Sqlserver),
        ("MariaDB", db("x", "mariadb"), EngineKind::Mariadb),
        ("Multi-AZ with one standby", db("x", "postgres").multi_az(true), EngineKind::Postgres),
        (
            "on Outposts",
            db("x", "mysql")
                .backup_target("outposts")
                .db_subnet_group(DbSubnetGroup::builder().vpc_id("vpc-1").subnets(outpost).build()),
            EngineKind::Mysql,
        ),
        ("source of replicas", db("x", "postgres").read_replica_db_instance_identifiers("r"), EngineKind::Postgres),
        ("promoted replica", db("x", "postgres").read_replica_source_db_instance_identifier(""), EngineKind::Postgres),
    ] {
        let inventory = sorted(vec![instance.build()], vec![]);
        assert_eq!(inventory.targets.first().map(|t| t.engine), Some(engine), "{what}");
    }
}

#[test]
fn the_status_never_takes_a_database_away() {
    for status in ["creating", "deleting", "stopped", "stopping", "storage-full", "incompatible-restore", "failed"] {
        let cluster = aurora("c").status(status).build();
        let inventory = sorted(vec![db("i", "postgres").db_instance_status(status).build()], vec![cluster]);
        let found: Vec<_> = inventory.targets.iter().map(|t| t.status.as_str()).collect();
        assert_eq!(found, [status, status]);
    }
}

#[test]
fn every_kind_of_cluster_that_has_roles_is_a_target_once() {
    use aws_sdk_rds::types::ClusterScalabilityType;
    let multi_az = |engine: &str| DbCluster::builder().db_cluster_identifier("c").engine(engine).multi_az(true);
    let (postgres, mysql) = (EngineKind::Postgres, EngineKind::Mysql);
    for (what, cluster, engine, is_aurora) in [
        ("Aurora PostgreSQL", aurora("c").engine_mode("provisioned"), postgres, true),
        ("Aurora MySQL", aurora("c").engine("aurora-mysql"), mysql, true),
        ("Aurora MySQL 5.6", aurora("c").engine("aurora"), mysql, true),
        ("Serverless v1", aurora("c").engine_mode("serverless").capacity(0), postgres, true),
        ("parallel query", aurora("c").engine("aurora-mysql").engine_mode("parallelquery"), mysql, true),
        ("with endpoints of its own", aurora("c").custom_endpoints("reports.cluster-custom-x"), postgres, true),
        ("without members", aurora("c").status("available"), postgres, true),
        ("limitless", aurora("c").cluster_scalability_type(ClusterScalabilityType::Limitless), postgres, true),
        ("promoted", aurora("c").replication_source_identifier(""), postgres, true),
        ("a clone across accounts", aurora("c").cross_account_clone(true), postgres, true),
        ("Multi-AZ PostgreSQL", multi_az("postgres"), postgres, false),
        ("Multi-AZ MySQL", multi_az("mysql"), mysql, false),
    ] {
        let node = db("m", "aurora-postgresql").db_cluster_identifier("c").db_instance_class("db.serverless");
        let inventory = sorted(vec![node.build()], vec![cluster.db_cluster_members(member("m", true)).build()]);
        let found: Vec<_> = inventory.targets.iter().map(|t| (t.arn.to_string(), t.engine, t.aurora)).collect();
        assert_eq!(found, [(arn("cluster:c").to_string(), engine, is_aurora)], "{what}");
    }
}

#[test]
fn a_name_of_a_source_is_the_cluster_or_instance_that_has_it() {
    let far = "arn:aws:rds:eu-west-1:999999999999:db:theirs";
    let multi_az = DbCluster::builder().db_cluster_identifier("three").engine("mysql");
    let inventory = sorted(
        vec![
            db("old", "mysql").read_replica_db_cluster_identifiers("migrated").build(),
            db("of-theirs", "mysql").read_replica_source_db_instance_identifier(far).build(),
            db("of-three", "mysql").read_replica_source_db_cluster_identifier("three").build(),
        ],
        vec![
            multi_az.build(),
            aurora("migrated").engine("aurora-mysql").replication_source_identifier("old").build(),
            aurora("behind").replication_source_identifier(arn("db:old").to_string()).build(),
        ],
    );
    let of = |name: &str| reason(&inventory, name);
    assert_eq!(of("cluster:migrated"), Unsupported::ReadReplica(arn("db:old").to_string()));
    assert_eq!(of("cluster:behind"), Unsupported::ReadReplica(arn("db:old").to_string()));
    assert_eq!(of("db:of-theirs"), Unsupported::ReadReplica(far.to_owned()));
    assert_eq!(of("db:of-three"), Unsupported::ReadReplica(arn("cluster:three").to_string()));
    assert_eq!(inventory.targets.len(), 2);
}

#[test]
fn a_secondary_of_a_global_database_is_told_by_what_only_secondaries_have() {
    use aws_sdk_rds::types::WriteForwardingStatus as Forwarding;
    let global = |id: &str| aurora(id).global_cluster_identifier("world");
    let primary = "arn:aws:rds:us-east-1:123456789012:cluster:main";
    for (what, cluster, secondary) in [
        ("with its source", global("c").replication_source_identifier(primary), true),
        ("with its source and no members", global("c").replication_source_identifier(primary), true),
        ("with readers only", global("c").db_cluster_members(member("a", false)), true),
        ("forwarding", global("c").global_write_forwarding_status(Forwarding::Enabled), true),
        ("asked to forward", global("c").global_write_forwarding_requested(true), true),
        ("the primary", global("c").db_cluster_members(member("a", true)), false),
        (
            "the primary, by its replicas",
            global("c").read_replica_identifiers("arn:aws:rds:eu-west-2:123456789012:cluster:second"),
            false,
        ),
        (
            "the primary, which forwards nothing",
            global("c").global_write_forwarding_status(Forwarding::Disabled),
            false,
        ),
        ("failed over: now it has the writer", global("c").db_cluster_members(member("b", true)), false),
    ] {
        let inventory = sorted(vec![], vec![cluster.build()]);
        assert_eq!(inventory.targets.is_empty(), secondary, "{what}");
    }
}

#[test]
fn answers_of_two_moments_are_sorted_by_fixed_rules() {
    // The list of clusters knows the new member; the instance was described a moment before it joined.
    let joined = aurora("main").db_cluster_members(member("late", true)).build();
    let inventory = sorted(vec![db("late", "aurora-postgresql").build()], vec![joined]);
    assert_eq!(reason(&inventory, "db:late"), Unsupported::ClusterMember(arn("cluster:main")));
    assert_eq!(inventory.targets.len(), 1);

    // The cluster was made after the clusters were listed.
    let early = db("early", "aurora-postgresql").db_cluster_identifier("new").build();
    let inventory = sorted(vec![early], vec![]);
    assert_eq!(reason(&inventory, "db:early"), Unsupported::ClusterMember(arn("cluster:new")));
    assert!(inventory.targets.is_empty());

    // It moved from one page to the next: the later page counts.
    let pages = ["creating", "available"].map(|status| db("twice", "mysql").db_instance_status(status).build());
    let inventory = sorted(pages.to_vec(), vec![]);
    let found: Vec<_> = inventory.targets.iter().map(|t| t.status.as_str()).collect();
    assert_eq!(found, ["available"]);
}

#[test]
fn what_aws_does_not_list_is_gone() {
    assert_eq!(sorted(vec![], vec![]).find(&arn("db:ledger")), Described::Gone);
}
