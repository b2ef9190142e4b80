//! `rdsaccess_instances`: everything is found, with no call more than it takes, and never more at once than is allowed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::fake::{Counters, FakeAws};
use super::provider::{Provider, entries};

const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];

/// Reads all accounts in three regions; returns the ARNs of targets and of others.
async fn discover(aws: &FakeAws, provider: &Value) -> (Vec<String>, Vec<String>) {
    let ids = aws.accounts().await;
    let provider = Provider::start(aws, provider).await;
    let query = json!({"account_ids": ids, "regions": REGIONS});
    let found = provider.read("rdsaccess_instances", &query).await.unwrap();
    let arns = |name| entries(&found, name).map(|(arn, _)| arn.to_owned()).collect();
    (arns("targets"), arns("others"))
}

/// How many instances and clusters each account has in each region: both lists together hold everything.
fn per_place(targets: &[String], others: &[String]) -> BTreeMap<(String, String), [usize; 2]> {
    let mut places: BTreeMap<(String, String), [usize; 2]> = BTreeMap::new();
    for arn in targets.iter().chain(others) {
        let parts: Vec<&str> = arn.split(':').collect();
        let counts = places.entry((parts[4].to_owned(), parts[3].to_owned())).or_default();
        counts[usize::from(parts[5] == "cluster")] += 1;
    }
    places
}

/// Ten databases in each account and region: eight can be managed, one is a replica and one of another engine; the
/// three clusters have eight members.
fn assert_all_of_ten_each(aws_accounts: &[String], targets: &[String], others: &[String]) {
    let places = per_place(targets, others);
    assert_eq!(places.len(), aws_accounts.len() * REGIONS.len());
    for ((account, region), counts) in places {
        assert!(aws_accounts.contains(&account) && REGIONS.contains(&region.as_str()));
        assert_eq!(counts, [15, 3], "{account} {region}");
    }
    let each = aws_accounts.len() * REGIONS.len();
    assert_eq!((targets.len(), others.len()), (8 * each, 10 * each));
    assert_eq!(targets.iter().chain(others).collect::<BTreeSet<_>>().len(), 18 * each, "nothing comes twice");
}

fn of(counters: &Counters, action: &str) -> u64 {
    counters.calls.get(action).copied().unwrap_or_default()
}

#[tokio::test]
async fn throttled_calls_are_tried_again_until_everything_is_found() {
    let throttle = json!({
        "sts:AssumeRole": {"rate": 40, "burst": 20},
        "rds:DescribeDBInstances": {"rate": 4, "burst": 1},
    });
    let aws = FakeAws::start(&json!({"accounts": 60, "databases": 1800, "rds_page": 8, "throttle": throttle}));
    let (targets, others) = discover(&aws, &json!({"max_concurrency": 16})).await;
    assert_all_of_ten_each(&aws.accounts().await, &targets, &others);
    let counters = aws.counters().await;
    assert!(counters.throttled > 0, "{counters:?}");
    assert_eq!((counters.refused, counters.failed), (0, 0), "{counters:?}");
    let places = 60 * 3;
    assert_eq!(counters.answered, 1 + 60 + 2 * places + places, "who I am, the roles, two pages and one: {counters:?}");
    assert!(counters.peak <= 16, "{counters:?}");
}

#[tokio::test]
async fn not_one_call_is_wasted() {
    let aws = FakeAws::start(&json!({"accounts": 300, "databases": 2137, "rds_page": 5}));
    let (targets, others) = discover(&aws, &json!({"max_concurrency": 32})).await;
    let places = per_place(&targets, &others);
    let pages = |which: usize| {
        let filled: usize = places.values().map(|counts| counts[which].div_ceil(5).max(1)).sum();
        (filled + 300 * 3 - places.len()) as u64
    };
    let counters = aws.counters().await;
    assert_eq!(of(&counters, "sts:GetCallerIdentity"), 1);
    assert_eq!(of(&counters, "sts:AssumeRole"), 300);
    assert_eq!(of(&counters, "rds:DescribeDBInstances"), pages(0));
    assert_eq!(of(&counters, "rds:DescribeDBClusters"), pages(1));
    assert_eq!(counters.total, 1 + 300 + pages(0) + pages(1), "and nothing else: {counters:?}");
    let databases = targets.len() + others.iter().filter(|arn| !is_member(arn)).count();
    assert_eq!(databases, 2137);
    assert!(counters.peak <= 32 && counters.peak > 1, "{counters:?}");
    assert!(counters.connections <= 32 + 8, "connections are used again: {counters:?}");
}

/// `db-0000012-1` is the first member of the cluster `db-0000012`.
fn is_member(arn: &str) -> bool {
    arn.rsplit(':').next().unwrap_or_default().matches('-').count() == 2
}

#[tokio::test]
async fn errors_of_the_service_and_lost_connections_are_tried_again() {
    let aws = FakeAws::start(&json!({"accounts": 20, "databases": 600, "failures": {"share": 0.1}}));
    let (targets, others) = discover(&aws, &json!({})).await;
    assert_all_of_ten_each(&aws.accounts().await, &targets, &others);
    let counters = aws.counters().await;
    assert!(counters.failed > 0, "{counters:?}");
    assert_eq!(counters.answered, 1 + 20 + 2 * 60, "{counters:?}");
}

#[tokio::test]
async fn every_account_without_the_role_is_named_and_the_others_are_not() {
    let aws = FakeAws::start(&json!({"accounts": 40, "databases": 120, "role_missing_every": 10}));
    let ids = aws.accounts().await;
    let provider = Provider::start(&aws, &json!({})).await;
    let query = json!({"account_ids": ids, "regions": REGIONS});
    let errors = provider.read("rdsaccess_instances", &query).await.unwrap_err();
    assert_eq!(errors.len(), 4, "{errors:?}");
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(errors.iter().any(|text| text.contains(id.as_str())), (number + 1) % 10 == 0, "{id} {errors:?}");
    }
}

#[tokio::test]
async fn a_wrong_external_id_opens_no_account() {
    let aws = FakeAws::start(&json!({"accounts": 3, "databases": 9, "external_id": "right"}));
    let query = json!({"account_ids": aws.accounts().await});
    let with = |id: &str| json!({"member_role": {"external_id": id}});
    let errors = Provider::start(&aws, &with("wrong")).await.read("rdsaccess_instances", &query).await.unwrap_err();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert_eq!(of(&aws.counters().await, "rds:DescribeDBInstances"), 0);
    Provider::start(&aws, &with("right")).await.read("rdsaccess_instances", &query).await.unwrap();
}
