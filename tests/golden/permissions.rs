//! Every call of AWS has its row in the table of permissions, and every row its call.

use std::collections::BTreeSet;

use rdsaccess::data_sources::policy::actions::{AGENT, FREE, HUB, MEMBER, Permission};

use crate::house::sources;

/// What operations of the SDKs begin with.
const VERBS: [&str; 19] = [
    "assume",
    "authorize",
    "create",
    "delete",
    "describe",
    "get",
    "list",
    "modify",
    "put",
    "remove",
    "replicate",
    "restore",
    "revoke",
    "rotate",
    "start",
    "stop",
    "tag",
    "untag",
    "update",
];
/// Functions of the SDKs' answers and of our own that read like operations.
const NO_OPERATIONS: [&str; 2] = ["describe_now", "tag_list"];
/// The prefixes of the services that are used.
const SERVICES: [&str; 7] = ["ec2", "kms", "organizations", "rds", "rds-db", "secretsmanager", "sts"];

/// Named in errors, never called: what else a trust policy may allow.
const NAMED_ALONE: [&str; 3] = ["sts:SetContext", "sts:SetSourceIdentity", "sts:TagSession"];

fn rows() -> impl Iterator<Item = &'static Permission> {
    [HUB, MEMBER, AGENT].into_iter().flatten()
}

/// The code below `src/aws` without its tests and comments.
fn code() -> String {
    let is_aws = |path: &&std::path::PathBuf| path.to_string_lossy().contains("/src/aws/");
    let texts = sources().iter().filter(is_aws).map(|path| std::fs::read_to_string(path).unwrap()).collect::<Vec<_>>();
    let without_tests = texts.iter().map(|text| text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default());
    let lines = without_tests.flat_map(str::lines).filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The texts of the form `"service:Action"`.
fn named_actions(code: &str) -> BTreeSet<String> {
    let quoted = code.split('"').skip(1).step_by(2);
    let is_action = |text: &&str| {
        text.split_once(':').is_some_and(|(service, action)| {
            SERVICES.contains(&service) && action.len() > 2 && action.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    };
    quoted.filter(is_action).map(str::to_owned).collect()
}

/// The operations that the code makes requests of: `.describe_db_instances()` and the like, in lower case without `_`.
fn operations(code: &str) -> BTreeSet<String> {
    let words = code.split('.').skip(1).filter_map(|rest| rest.split_once("()").map(|(word, _)| word));
    let is_operation = |word: &&str| {
        word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            && word.split_once('_').is_some_and(|(verb, _)| VERBS.contains(&verb))
            && !NO_OPERATIONS.contains(word)
    };
    words.filter(is_operation).map(|word| word.replace('_', "")).collect()
}

fn operation_of(action: &str) -> String {
    action.split(':').nth(1).unwrap_or_default().to_lowercase()
}

#[test]
fn every_action_that_a_call_names_is_in_the_table() {
    let free = FREE.iter().map(|(action, _)| *action);
    let known: BTreeSet<&str> = rows().map(|row| row.action).chain(free).chain(NAMED_ALONE).collect();
    let named = named_actions(&code());
    let unknown: Vec<&String> = named.iter().filter(|action| !known.contains(action.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?} have no row in src/data_sources/policy/actions.rs");
    let called: BTreeSet<&str> = rows().filter(|row| row.made_by.is_none()).map(|row| row.action).collect();
    let needless: Vec<&&str> = called.iter().filter(|action| !named.contains(**action)).collect();
    assert!(needless.is_empty(), "nothing calls {needless:?}");
}

#[test]
fn every_request_of_the_sdks_is_in_the_table() {
    let known: BTreeSet<String> =
        rows().map(|row| row.action).chain(FREE.iter().map(|(action, _)| *action)).map(operation_of).collect();
    let sent = operations(&code());
    let unknown: Vec<&String> = sent.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?} have no row in src/data_sources/policy/actions.rs");
    let own = rows().filter(|row| row.made_by.is_none() && row.action != "rds-db:connect");
    let needless: Vec<String> = own.map(|row| operation_of(row.action)).filter(|name| !sent.contains(name)).collect();
    assert!(needless.is_empty(), "nothing sends {needless:?}");
}

#[test]
fn the_readers_of_the_source_see_what_they_should() {
    let text =
        r#"let call = session.call("rds:DescribeDBInstances"); x.describe_db_instances().send(); "a: b"; y.len()"#;
    assert_eq!(named_actions(text), BTreeSet::from(["rds:DescribeDBInstances".to_owned()]));
    assert_eq!(operations(text), BTreeSet::from(["describedbinstances".to_owned()]));
}

#[test]
fn every_row_belongs_to_a_feature() {
    for row in rows() {
        assert!(!row.features.is_empty(), "{}", row.action);
        let alike = rows().filter(|other| *other == row).count();
        assert!(alike <= 2, "{} on {:?} stands there {alike} times", row.action, row.on);
    }
}
