//! The roles that are taken: what of the configuration arrives at STS.

use serde_json::{Value, json};

use super::{contains_all, forget, instances, keyless, role_of_the_hub};
use crate::blocks;
use crate::rig::Rig;
use crate::wish::Wish;
use crate::workspace::Workspace;

#[test]
fn every_argument_of_assume_role_arrives() {
    let rig = Rig::start(&Wish::organization());
    let role = role_of_the_hub(&rig, "hub");
    forget(&rig);
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": ["rds:Describe*", "sts:AssumeRole"], "Resource": "*" }
    ]});
    let block = format!(
        "assume_role = {{\n    role_arn = \"{role}\"\n    external_id = \"agreed-on\"\n    session_name = \"ci-7\"\n    \
         duration = \"15m\"\n    policy = jsonencode({policy})\n    tags = {{ team = \"platform\", env = \"prod\" }}\n  }}"
    );
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &(blocks::provider(&rig, &block) + &instances(&rig)));
    workspace.apply().ok();
    let asked = rig.calls("AssumeRole");
    let mut params = asked[0]["params"].clone();
    let sent: Value = serde_json::from_str(params["Policy"].take().as_str().unwrap()).unwrap();
    assert_eq!(sent, policy);
    let expected = json!({
        "RoleArn": role, "ExternalId": "agreed-on", "RoleSessionName": "ci-7", "DurationSeconds": "900", "Policy": null,
        "Tags.member.1.Key": "env", "Tags.member.1.Value": "prod",
        "Tags.member.2.Key": "team", "Tags.member.2.Value": "platform",
    });
    assert_eq!(params, expected);
    // The member's session is the member's own: neither tags nor policy of the hub's session are repeated.
    let member = &asked[1]["params"];
    assert_eq!(member["RoleSessionName"], "rdsaccess-ci-7");
    assert_eq!(member["DurationSeconds"], "3600");
    assert!(member["Policy"].is_null() && member["Tags.member.1.Key"].is_null() && member["ExternalId"].is_null());
}

#[test]
fn an_account_may_have_a_role_of_its_own() {
    let rig = Rig::start(&Wish::organization().external_id("agreed-on"));
    let special = rig.account_id("payments-prod").to_owned();
    let general = rig.account_id("orders-eu").to_owned();
    let trust = |external_id: &str| {
        let account = &rig.made.organization.management_account;
        json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Condition": { "StringEquals": { "sts:ExternalId": external_id } },
        }]})
    };
    let role = json!({
        "RoleName": "DbAccess", "Path": "/ops/", "AssumeRolePolicyDocument": trust("another-word").to_string(),
    });
    rig.aws(Some("payments-prod"), "us-east-1", "iam", "create_role", &role).expect("a role");
    forget(&rig);
    let sources =
        format!("data \"rdsaccess_instances\" \"all\" {{\n  account_ids = [\"{special}\", \"{general}\"]\n}}\n");
    let overrides =
        format!("overrides = {{ \"{special}\" = {{ name = \"ops/DbAccess\", external_id = \"another-word\" }} }}");
    let workspace = Workspace::new(&rig);
    let with = |extra: &str| {
        let provider = blocks::provider(&rig, "").replace("member_role = {", &format!("member_role = {{\n    {extra}"));
        workspace.write("main.tf", &(provider + &sources));
    };
    with(&format!("session_name = \"audit\"\n    duration = \"45m\"\n    {overrides}"));
    workspace.apply().ok();
    let mut asked = rig.calls("AssumeRole");
    asked.sort_by_key(|call| call["params"]["RoleArn"] != format!("arn:aws:iam::{special}:role/ops/DbAccess"));
    let member = &rig.made.organization.member_role;
    for (call, (arn, word)) in asked.iter().zip([
        (format!("arn:aws:iam::{special}:role/ops/DbAccess"), "another-word"),
        (format!("arn:aws:iam::{general}:role/{member}"), "agreed-on"),
    ]) {
        let expected = json!({
            "RoleArn": arn, "ExternalId": word, "RoleSessionName": "audit", "DurationSeconds": "2700",
        });
        assert_eq!(call["params"], expected);
    }
    forget(&rig);
    with(&overrides);
    workspace.plan_run();
    assert_eq!(rig.calls("AssumeRole")[0]["params"]["RoleSessionName"], "rdsaccess-moto", "the name of the caller");
}

#[test]
fn what_sts_would_refuse_is_refused_before_it_is_asked() {
    let rig = Rig::start(&Wish::organization());
    let said = |arguments: &str| keyless(&rig, arguments, &instances(&rig)).validate().error();
    let role = "role_arn = \"arn:aws:iam::123456789012:role/hub\"";
    contains_all(&said(&format!("assume_role = {{ {role}, duration = \"5m\" }}")), &["between 15m and 12h"]);
    contains_all(&said(&format!("assume_role = {{ {role}, session_name = \"Jürgen\" }}")), &["2 to 64 letters"]);
    contains_all(&said("assume_role = { role_arn = \"hub\" }"), &["is not the ARN of a role"]);
    assert_eq!(super::calls(&rig), Vec::<Value>::new());
}
