//! `rdsaccess_security_group` with the real client, from create to destroy.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::blocks;
use crate::rig::{Database, Rig};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::{Run, Workspace};

fn rig() -> Rig {
    Rig::start(
        &Wish::organization()
            .with(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").unreachable()),
    )
}

fn configuration(rig: &Rig, arguments: &str) -> String {
    let arn = &rig.database(0).arn;
    format!(
        "{}\nresource \"rdsaccess_security_group\" \"it\" {{\n  target_arn = \"{arn}\"\n{arguments}\n}}\n",
        blocks::provider(rig, "tags = { owner = \"platform\" }")
    )
}

const OFFICE: &str = "  ingress = [{ cidr_ipv4 = \"10.20.0.0/16\", description = \"office\" }]";

fn groups_of(rig: &Rig, database: &Database) -> Vec<String> {
    let answer = rig
        .aws_of(database, "rds", "describe_db_instances", &json!({"DBInstanceIdentifier": database.identifier}))
        .unwrap();
    let groups = answer["DBInstances"][0]["VpcSecurityGroups"].as_array().unwrap().clone();
    groups.iter().map(|g| g["VpcSecurityGroupId"].as_str().unwrap().to_owned()).collect()
}

fn group(rig: &Rig, id: &str) -> Option<Value> {
    let answer = rig.aws_of(rig.database(0), "ec2", "describe_security_groups", &json!({"GroupIds": [id]})).ok()?;
    Some(answer["SecurityGroups"][0].clone())
}

fn open(rig: &Rig, id: &str, cidr: &str, port: u16) {
    let permission = json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]});
    let params = json!({"GroupId": id, "IpPermissions": [permission]});
    rig.aws_of(rig.database(0), "ec2", "authorize_security_group_ingress", &params).unwrap();
}

fn close(rig: &Rig, id: &str, cidr: &str, port: u16) {
    let permission = json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]});
    let params = json!({"GroupId": id, "IpPermissions": [permission]});
    rig.aws_of(rig.database(0), "ec2", "revoke_security_group_ingress", &params).unwrap();
}

#[test]
fn a_group_lives_from_create_to_destroy_beside_the_groups_of_others() {
    let rig = rig();
    let database = rig.database(0);
    let base = rig.network(database).db_base.clone();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, OFFICE));

    workspace.apply().ok();
    workspace.plan().nothing();
    let made = workspace.resource("rdsaccess_security_group.it").unwrap();
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(made["name"], "hoop-aws-connect-sg-ledger");
    assert_eq!(made["attached"], true);
    assert_eq!(made["port"], database.port);
    assert_eq!(made["target_resource_id"], database.resource_id);
    assert_eq!(groups_of(&rig, database), [base.clone(), id.clone()]);
    let tags = group(&rig, &id).unwrap()["Tags"].to_string();
    for tag in ["rdsaccess:managed", "rdsaccess:target", "owner"] {
        assert!(tags.contains(tag), "{tag} is not in {tags}");
    }

    workspace.write("main.tf", &configuration(&rig, &format!("{OFFICE}\n  tags = {{ env = \"prod\" }}")));
    workspace.apply().ok();
    workspace.plan().nothing();
    assert!(group(&rig, &id).unwrap()["Tags"].to_string().contains("prod"));
    workspace.write(
        "main.tf",
        &configuration(&rig, "  ingress = [{ cidr_ipv4 = \"10.30.0.0/16\" }, { cidr_ipv6 = \"2001:db8::/32\" }]"),
    );
    let plan = workspace.plan().changes();
    assert!(plan.stdout.contains("will be updated in-place"), "{}", plan.stdout);
    workspace.apply().ok();
    workspace.plan().nothing();
    let after = group(&rig, &id).unwrap().to_string();
    assert!(
        after.contains("10.30.0.0/16") && after.contains("2001:db8::/32") && !after.contains("10.20.0.0/16"),
        "{after}"
    );
    assert!(!group(&rig, &id).unwrap()["Tags"].to_string().contains("prod"));

    workspace.write("main.tf", &configuration(&rig, &format!("{OFFICE}\n  attach = false")));
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(groups_of(&rig, database), std::slice::from_ref(&base));

    workspace.write("main.tf", &configuration(&rig, OFFICE));
    workspace.apply().ok();
    workspace.destroy().ok();
    assert_eq!(groups_of(&rig, database), std::slice::from_ref(&base));
    assert!(group(&rig, &id).is_none(), "the group is gone");
    assert!(group(&rig, &base).is_some(), "the group of others stays");
}

/// A group that somebody makes and attaches with their own tool, beside what is attached.
fn attach_by_hand(rig: &Rig, name: &str) -> String {
    let database = rig.database(0);
    let params = json!({"GroupName": name, "Description": "by hand", "VpcId": rig.network(database).vpc});
    let made = rig.aws_of(database, "ec2", "create_security_group", &params).unwrap();
    let id = made["GroupId"].as_str().unwrap().to_owned();
    let all = [groups_of(rig, database), vec![id.clone()]].concat();
    let params = json!({"DBInstanceIdentifier": database.identifier, "VpcSecurityGroupIds": all});
    rig.aws_of(database, "rds", "modify_db_instance", &params).unwrap();
    id
}

/// Runs the client while the database refuses changes; as soon as the provider was refused, the database is available
/// again, and somebody is quicker than the provider's next try.
fn while_it_waits(rig: &Rig, run: impl FnOnce() -> Run + Send, by_hand: impl FnOnce()) -> Run {
    let database = rig.database(0);
    let status = |status: &str| {
        let place = json!({"account": database.account_id, "region": database.region, "kind": "instance",
            "identifier": database.identifier, "status": status});
        rig.control("POST", "status", &place);
    };
    rig.control("DELETE", "log", &Value::Null);
    status("modifying");
    std::thread::scope(|scope| {
        let client = scope.spawn(run);
        let end = Instant::now() + Duration::from_secs(60);
        while rig.calls("ModifyDBInstance").is_empty() && Instant::now() < end && !client.is_finished() {
            std::thread::sleep(Duration::from_millis(50));
        }
        let refused = rig.calls("ModifyDBInstance");
        status("available");
        by_hand();
        let run = client.join().unwrap();
        assert_eq!(refused.len(), 1, "the provider was refused once: {}", run.stdout);
        run
    })
}

#[test]
fn a_group_that_others_attach_while_the_provider_waits_stays_attached() {
    let rig = rig();
    let database = rig.database(0);
    let base = rig.network(database).db_base.clone();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, OFFICE));
    workspace.init().ok();

    let mut theirs = String::new();
    while_it_waits(&rig, || workspace.apply(), || theirs = attach_by_hand(&rig, "theirs")).ok();
    let id = workspace.resource("rdsaccess_security_group.it").unwrap()["id"].as_str().unwrap().to_owned();
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(groups_of(&rig, database)), sorted(vec![base.clone(), theirs.clone(), id.clone()]));
    workspace.plan().nothing();

    let mut more = String::new();
    while_it_waits(&rig, || workspace.destroy(), || more = attach_by_hand(&rig, "more")).ok();
    assert_eq!(sorted(groups_of(&rig, database)), sorted(vec![base, theirs, more]));
    assert!(group(&rig, &id).is_none(), "the group is gone");
}

#[test]
fn the_quota_counts_what_is_attached_when_the_call_is_sent() {
    let rig = rig();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, OFFICE));
    workspace.init().ok();
    for name in ["one", "two", "three"] {
        attach_by_hand(&rig, name);
    }
    let refused = while_it_waits(&rig, || workspace.apply(), || drop(attach_by_hand(&rig, "four"))).error();
    assert!(refused.contains("Too many security groups") && refused.contains("has 5 security groups"), "{refused}");
    let id = workspace.resource("rdsaccess_security_group.it").unwrap()["id"].as_str().unwrap().to_owned();
    let attached = groups_of(&rig, database);
    assert!(attached.len() == 5 && !attached.contains(&id), "{attached:?}");

    rig.control("DELETE", "log", &Value::Null);
    workspace.write("main.tf", &configuration(&rig, &format!("{OFFICE}\n  attach = false")));
    workspace.destroy().ok();
    assert!(rig.calls("ModifyDBInstance").is_empty(), "what is not attached is not detached");
}

#[test]
fn a_list_of_others_that_overwrites_ours_before_it_is_verified_is_made_up_for() {
    let rig = rig();
    let database = rig.database(0);
    let base = rig.network(database).db_base.clone();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, OFFICE));
    rig.control("DELETE", "log", &Value::Null);
    workspace.apply().ok();
    let log = rig.control("GET", "log", &Value::Null);
    let actions = log.as_array().unwrap().iter().filter_map(|call| call["action"].as_str());
    let describes = actions.take_while(|a| *a != "ModifyDBInstance").filter(|a| *a == "DescribeDBInstances").count();
    workspace.destroy().ok();

    // The Describe that verifies is slow, so that somebody else's list comes between.
    let slow = json!({"action": "DescribeDBInstances", "skip": describes, "times": 1, "latency_ms": 4000});
    rig.control("POST", "faults", &slow);
    rig.control("DELETE", "log", &Value::Null);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| workspace.apply());
        let taken = || rig.calls("ModifyDBInstance").first().is_some_and(|call| call["status"] == 200);
        while !taken() && !client.is_finished() {
            std::thread::sleep(Duration::from_millis(50));
        }
        let params = json!({"DBInstanceIdentifier": database.identifier, "VpcSecurityGroupIds": [base]});
        rig.aws_of(database, "rds", "modify_db_instance", &params).unwrap();
        client.join().unwrap().ok();
    });
    assert_eq!(rig.calls("ModifyDBInstance").len(), 3, "ours, theirs, and ours again");
    assert_eq!(groups_of(&rig, database).len(), 2);
    workspace.plan().nothing();
}

/// The sources that EC2 has for the port of the database, in words.
fn sources(rig: &Rig, id: &str) -> Vec<String> {
    let port = rig.database(0).port;
    let found = group(rig, id).unwrap();
    let mut sources = Vec::new();
    for permission in found["IpPermissions"].as_array().unwrap() {
        assert_eq!((&permission["IpProtocol"], &permission["FromPort"]), (&json!("tcp"), &json!(port)), "{permission}");
        assert_eq!(permission["ToPort"], port, "{permission}");
        for (list, keys) in [
            ("IpRanges", &["CidrIp"][..]),
            ("Ipv6Ranges", &["CidrIpv6"]),
            ("UserIdGroupPairs", &["UserId", "GroupId"]),
            ("PrefixListIds", &["PrefixListId"]),
        ] {
            let all = permission[list].as_array().into_iter().flatten();
            let words = |one: &Value| keys.iter().filter_map(|key| one[*key].as_str()).collect::<Vec<_>>().join("/");
            sources.extend(all.map(words));
        }
    }
    sources.sort();
    sources
}

#[test]
fn every_kind_of_source_is_a_rule_and_each_goes_alone() {
    let elsewhere = DatabaseWish::instance("orders-eu", "us-east-1", "stock", "postgres").unreachable();
    let rig = Rig::start(
        &Wish::organization()
            .with(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").unreachable())
            .with(elsewhere),
    );
    let (database, other) = (rig.database(0), rig.database(1));
    let (near, far) = (&rig.network(database).app, &rig.network(other).app);
    let far = format!("{}/{far}", other.account_id);
    let list = json!({"PrefixListName": "offices", "MaxEntries": 2, "AddressFamily": "IPv4"});
    let list = rig.aws_of(database, "ec2", "create_managed_prefix_list", &list).unwrap();
    let list = list["PrefixList"]["PrefixListId"].as_str().unwrap().to_owned();
    let kinds = [
        ("cidr_ipv4", "10.20.0.0/16".to_owned(), "10.20.0.0/16".to_owned()),
        ("cidr_ipv6", "2001:db8::/32".to_owned(), "2001:db8::/32".to_owned()),
        ("security_group_id", near.clone(), format!("{}/{near}", database.account_id)),
        ("security_group_id", far.clone(), far),
        ("prefix_list_id", list.clone(), list),
    ];
    let write = |workspace: &Workspace<'_>, left_out: Option<usize>| {
        let chosen = || kinds.iter().enumerate().filter(|(number, _)| Some(*number) != left_out);
        let blocks: Vec<_> = chosen()
            .map(|(n, (kind, value, _))| format!("{{ {kind} = \"{value}\", description = \"n{n}\" }}"))
            .collect();
        workspace.write("main.tf", &configuration(&rig, &format!("  ingress = [{}]", blocks.join(", "))));
        let mut expected: Vec<String> = chosen().map(|(_, (_, _, there))| there.clone()).collect();
        expected.sort();
        expected
    };
    let workspace = Workspace::new(&rig);
    let all = write(&workspace, None);
    workspace.apply().ok();
    workspace.plan().nothing();
    let id = workspace.resource("rdsaccess_security_group.it").unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(sources(&rig, &id), all);
    assert_eq!(workspace.resource("rdsaccess_security_group.it").unwrap()["other_ingress"], json!([]));

    // Each kind is told from the others, goes alone and comes back.
    for (number, (kind, value, _)) in kinds.iter().enumerate() {
        let expected = write(&workspace, Some(number));
        let plan = workspace.plan().changes().stdout;
        assert!(plan.contains("will be updated in-place") && plan.contains(value), "{kind}:\n{plan}");
        workspace.apply_planned().ok();
        assert_eq!(sources(&rig, &id), expected, "{kind}");
    }
    let all = write(&workspace, None);
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(sources(&rig, &id), all);
    workspace.destroy().ok();
    assert!(group(&rig, &id).is_none());
}

#[test]
fn drift_made_by_hand_is_planned_and_repaired() {
    let rig = rig();
    let database = rig.database(0);
    let base = rig.network(database).db_base.clone();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, OFFICE));
    workspace.apply().ok();
    let id = workspace.resource("rdsaccess_security_group.it").unwrap()["id"].as_str().unwrap().to_owned();

    close(&rig, &id, "10.20.0.0/16", database.port);
    open(&rig, &id, "192.168.0.0/16", database.port);
    let params = json!({"DBInstanceIdentifier": "ledger", "VpcSecurityGroupIds": [base]});
    rig.aws_of(database, "rds", "modify_db_instance", &params).unwrap();
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("10.20.0.0/16"), "the missing rule is planned:\n{plan}");
    assert!(plan.contains("attached") && plan.contains("false -> true"), "{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(groups_of(&rig, database).len(), 2);
    let state = workspace.resource("rdsaccess_security_group.it").unwrap();
    let other = format!("tcp {} from 192.168.0.0/16", database.port);
    assert_eq!(state["other_ingress"], json!([other]), "a rule of others is listed and stays");

    workspace.write("main.tf", &configuration(&rig, &format!("{OFFICE}\n  exclusive = true")));
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("192.168.0.0/16"), "{plan}");
    workspace.apply().ok();
    workspace.plan().nothing();
    assert!(!group(&rig, &id).unwrap().to_string().contains("192.168.0.0/16"));
}

#[test]
fn a_group_made_by_hand_is_refused_and_can_be_imported() {
    let rig = rig();
    let database = rig.database(0);
    let vpc = &rig.network(database).vpc;
    let params = json!({"GroupName": "hoop-aws-connect-sg-ledger", "Description": "by hand", "VpcId": vpc});
    let made = rig.aws_of(database, "ec2", "create_security_group", &params).unwrap();
    let id = made["GroupId"].as_str().unwrap().to_owned();
    open(&rig, &id, "10.20.0.0/16", database.port);
    let workspace = Workspace::new(&rig);
    workspace
        .write("main.tf", &configuration(&rig, "  ingress = [{ cidr_ipv4 = \"10.20.0.0/16\" }]\n  attach = false"));

    let refused = workspace.apply().error();
    assert!(refused.contains(&id) && refused.contains("did not make") && refused.contains("import"), "{refused}");
    assert!(workspace.resource("rdsaccess_security_group.it").is_none());

    workspace.import("rdsaccess_security_group.it", &format!("{}|{id}", database.arn)).ok();
    workspace.plan().nothing();
    workspace.destroy().ok();
    assert!(group(&rig, &id).is_none());
}

#[test]
fn a_group_or_database_that_is_gone_is_made_again() {
    let rig = rig();
    let database = rig.database(0);
    let base = rig.network(database).db_base.clone();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, OFFICE));
    workspace.apply().ok();
    let id = workspace.resource("rdsaccess_security_group.it").unwrap()["id"].as_str().unwrap().to_owned();

    let params = json!({"DBInstanceIdentifier": "ledger", "VpcSecurityGroupIds": [base]});
    rig.aws_of(database, "rds", "modify_db_instance", &params).unwrap();
    rig.aws_of(database, "ec2", "delete_security_group", &json!({"GroupId": id})).unwrap();
    assert!(workspace.plan().changes().stdout.contains("will be created"));
    workspace.apply().ok();
    workspace.plan().nothing();

    let id = workspace.resource("rdsaccess_security_group.it").unwrap()["id"].as_str().unwrap().to_owned();
    let params = json!({"DBInstanceIdentifier": "ledger", "SkipFinalSnapshot": true});
    rig.aws_of(database, "rds", "delete_db_instance", &params).unwrap();
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("must be replaced"), "{plan}");
    workspace.destroy().ok();
    assert!(group(&rig, &id).is_none(), "destroy removes the group of a database that is gone");
}

#[test]
fn a_pending_change_of_the_instance_survives() {
    let rig = rig();
    let database = rig.database(0);
    let params =
        json!({"DBInstanceIdentifier": "ledger", "DBInstanceClass": "db.r6g.large", "ApplyImmediately": false});
    rig.aws_of(database, "rds", "modify_db_instance", &params).unwrap();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, OFFICE));
    workspace.apply().ok();
    let params = json!({"DBInstanceIdentifier": "ledger"});
    let instance = rig.aws_of(database, "rds", "describe_db_instances", &params).unwrap()["DBInstances"][0].clone();
    assert_eq!(instance["PendingModifiedValues"]["DBInstanceClass"], "db.r6g.large", "{instance}");
    assert_ne!(instance["DBInstanceClass"], "db.r6g.large");
}

#[test]
fn bad_input_is_one_error_with_the_next_step() {
    let rig = rig();
    let arn = rig.database(0).arn.clone();
    let workspace = Workspace::new(&rig);
    let with_arn = |arn: &str, more: &str| {
        format!(
            "{}\nresource \"rdsaccess_security_group\" \"it\" {{\n  target_arn = \"{arn}\"\n{more}\n}}\n",
            blocks::provider(&rig, "")
        )
    };
    let cases = [
        (with_arn("arn:aws:s3:::bucket", ""), "is not the ARN of a database"),
        (with_arn(&arn, "  ingress = [{ cidr_ipv4 = \"10.20.3.4/16\" }]"), "must be written `10.20.0.0/16`"),
        (with_arn(&arn, "  ingress = [{ description = \"no source\" }]"), "exactly one source"),
        (with_arn(&arn, "  name = \"sg-mine\""), "keeps for ids"),
        (with_arn(&arn, "  id = \"sg-1\""), "`id` cannot be set"),
    ];
    for (text, expected) in cases {
        workspace.write("main.tf", &text);
        let error = workspace.validate().error();
        assert!(error.contains(expected), "{expected} is not in:\n{error}");
    }
    workspace.write("main.tf", &with_arn(&arn.replace("ledger", "nothing"), ""));
    let error = workspace.apply().error();
    assert!(error.contains("No such database") && error.contains("db:nothing"), "{error}");
}
