//! The documents against AWS's Service Authorization Reference, as far as it concerns us.

use std::path::Path;

use super::*;

/// Keys that AWS has for every service.
const GLOBAL: [&str; 4] = ["aws:PrincipalArn", "aws:RequestedRegion", "aws:ResourceAccount", "aws:ResourceOrgID"];

fn reference() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/policy/reference.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Whether an ARN, which may hold wildcards, can be one of this form: same service and same kind of resource.
fn is_of(arn: &str, form: &str) -> bool {
    let split = |text: &str| text.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (arn, form) = (split(arn), split(form));
    let kind = |resource: &str| resource.split(['/', ':']).next().unwrap_or_default().to_owned();
    arn.len() == 6 && arn[2] == form[2] && kind(&arn[5]) == kind(&form[5])
}

fn condition_keys(statement: &Value) -> BTreeSet<String> {
    let operators = statement["Condition"].as_object().into_iter().flatten();
    let keys = operators.flat_map(|(_, keys)| keys.as_object().unwrap().keys().cloned());
    let general = |key: String| match key.split_once('/') {
        Some((tag, _)) => format!("{tag}/${{TagKey}}"),
        None => key,
    };
    keys.map(general).collect()
}

#[test]
fn every_action_is_held_to_what_aws_can_check() {
    let reference = reference();
    let cases = [general(), exact(), full(), alone(), central()];
    let documents = cases.iter().flat_map(documents).filter(|(name, _)| !["trust", "template"].contains(name));
    let documents: Vec<Value> = documents.map(|(_, document)| document).collect();
    for statement in documents.iter().flat_map(statements) {
        for action in texts(&statement["Action"]) {
            let known = &reference["actions"][action];
            let forms = texts(&known["resources"]);
            let on = texts(&statement["Resource"]);
            let fits = |resource: &&str| forms.is_empty() || forms.iter().any(|form| is_of(resource, form));
            assert!(on.iter().any(fits), "{action} on {on:?}: AWS knows {forms:?}");
            assert_eq!(on == ["*"], forms.is_empty(), "{action} on {on:?}: AWS knows {forms:?}");
            let keys = texts(&known["conditions"]);
            for key in condition_keys(statement) {
                assert!(GLOBAL.contains(&key.as_str()) || keys.contains(&key.as_str()), "{action} has no {key}");
            }
        }
    }
}

#[test]
fn every_resource_is_one_of_its_actions() {
    let reference = reference();
    let documents = [general(), exact(), full()].map(|wanted| document(&wanted, "member").unwrap());
    for statement in documents.iter().flat_map(statements).filter(|statement| statement["Resource"] != "*") {
        let actions = texts(&statement["Action"]).into_iter();
        let forms: Vec<&str> = actions.flat_map(|action| texts(&reference["actions"][action]["resources"])).collect();
        for resource in texts(&statement["Resource"]) {
            assert!(forms.iter().any(|form| is_of(resource, form)), "{resource} in {}", statement["Sid"]);
        }
    }
}

#[test]
fn the_reference_speaks_of_every_action_of_the_table() {
    let reference = reference();
    let known: BTreeSet<&str> = reference["actions"].as_object().unwrap().keys().map(String::as_str).collect();
    let used: BTreeSet<&str> = [HUB, MEMBER, AGENT].into_iter().flatten().map(|row| row.action).collect();
    let free: BTreeSet<&str> = super::super::actions::FREE.iter().map(|(action, _)| *action).collect();
    assert_eq!(known, used.union(&free).copied().collect());
}

#[test]
fn an_arn_of_another_kind_is_told_apart() {
    let group = "arn:${Partition}:ec2:${Region}:${Account}:security-group/${SecurityGroupId}";
    assert!(is_of("arn:aws:ec2:*:*:security-group/*", group));
    assert!(!is_of("arn:aws:ec2:*:*:security-group-rule/*", group) && !is_of("*", group));
    let database = "arn:${Partition}:rds:${Region}:${Account}:db:${DbInstanceName}";
    assert!(is_of(ORDERS, database) && !is_of(LEDGER, database));
}
