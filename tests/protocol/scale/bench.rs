//! Rows of `make bench`. Times are the provider's: the client speaks its protocol, and AWS answers after 50 ms.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::accounts::{Tree, pages};
use super::fake::FakeAws;
use super::provider::{Provider, entries};

const LATENCY: Duration = Duration::from_millis(50);
const CONCURRENCY: u64 = 64;
const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];

/// `RDSACCESS_BENCH_ACCOUNTS`: the sizes of organizations, with commas between them.
fn sizes() -> Vec<u64> {
    let named = std::env::vars().find(|(name, _)| name == "RDSACCESS_BENCH_ACCOUNTS").map(|(_, value)| value);
    let named = named.unwrap_or_else(|| "100,1000,10000".to_owned());
    named.split(',').map(|size| size.parse().expect("a number of accounts")).collect()
}

/// The least that so many calls take when so many are under way at once. Answers that were throttled or failed are not
/// counted: a storm of retries would raise the bound, and look good.
fn bound(calls: u64) -> Duration {
    LATENCY * u32::try_from(calls.div_ceil(CONCURRENCY)).unwrap()
}

/// The settings of a fake with so many accounts and ten databases for each.
fn settings(accounts: u64, more: &Value) -> Value {
    let mut all = json!({"accounts": accounts, "databases": 10 * accounts, "latency_ms": LATENCY.as_millis()});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

#[expect(clippy::print_stdout, reason = "the row is what the benchmark is run for")]
fn show(what: &str, calls: u64, time: Duration, least: Duration, rest: &str) {
    let ratio = time.as_secs_f64() / least.as_secs_f64();
    println!(
        "{what:<52} {calls:>6} calls {:>7} ms, bound {:>6} ms, ratio {ratio:>5.2}, {rest}",
        time.as_millis(),
        least.as_millis(),
    );
}

/// What a throttle lets through: so many calls of one account, region and action at this rate, after a burst.
struct Rate {
    calls: u64,
    per_second: u64,
    burst: u64,
}

impl Rate {
    fn bound(&self) -> Duration {
        Duration::from_secs(self.calls.saturating_sub(self.burst)) / u32::try_from(self.per_second).unwrap()
    }
}

async fn instances(what: &str, accounts: u64, more: &Value, rates: &[Rate]) {
    let aws = FakeAws::start(&settings(accounts, more));
    let query = json!({"account_ids": aws.accounts().await, "regions": REGIONS});
    let mut provider = Provider::start(&aws, &json!({"max_concurrency": CONCURRENCY})).await;
    let begin = Instant::now();
    let found = provider.read("rdsaccess_instances", &query).await.unwrap();
    let (time, counters) = (begin.elapsed(), aws.counters().await);
    let members = |arn: &str| arn.rsplit(':').next().unwrap().matches('-').count() == 2;
    let others = entries(&found, "others").filter(|(arn, _)| !members(arn)).count();
    assert_eq!((entries(&found, "targets").count() + others) as u64, 10 * accounts, "everything is found");
    assert!(counters.answered > 7 * accounts && counters.peak <= CONCURRENCY, "{counters:?}");
    let microseconds = time.as_micros() / u128::from(counters.total);
    let rest = format!(
        "{microseconds} us a call, peak {} MiB, wasted calls: {} throttled and {} failed, connections {}",
        provider.peak_memory(),
        counters.throttled,
        counters.failed,
        counters.connections
    );
    let least = rates.iter().map(Rate::bound).chain([bound(counters.answered)]).max().unwrap_or_default();
    show(what, counters.total, time, least, &rest);
}

/// The bar is 1.3 times the bound and 150 MiB at 1,000 accounts; a bound on growth is that no call gets dearer.
#[tokio::test]
#[ignore = "takes minutes: make bench"]
async fn discovery_of_databases() {
    for accounts in sizes() {
        instances(&format!("instances, {accounts} accounts x 3 regions"), accounts, &json!({}), &[]).await;
    }
    let throttle = json!({
        "sts:AssumeRole": {"rate": 300, "burst": 100},
        "rds:*": {"rate": 5, "burst": 1},
    });
    // All accounts are entered in one; the few calls of each place of RDS pass side by side.
    let entering = Rate { calls: 1_000, per_second: 300, burst: 100 };
    let more = json!({"rds_page": 5, "throttle": throttle});
    instances("instances, 1000 accounts x 3 regions, throttled", 1000, &more, &[entering]).await;
    let more = json!({"failures": {"share": 0.02}});
    instances("instances, 1000 accounts x 3 regions, 2% failures", 1000, &more, &[]).await;
}

async fn accounts(what: &str, accounts: u64, tree: [u32; 2]) {
    let tree = json!({"breadth": tree[0], "depth": tree[1]});
    let aws = FakeAws::start(&settings(accounts, &json!({"tree": tree})));
    let mut provider = Provider::start(&aws, &json!({"max_concurrency": CONCURRENCY})).await;
    let begin = Instant::now();
    let found = provider.read("rdsaccess_accounts", &json!({})).await.unwrap();
    let (time, counters) = (begin.elapsed(), aws.counters().await);
    let tree = Tree::of(&found);
    assert_eq!(tree.ids.len() as u64, accounts + 1, "everything is found");
    // Who I am and the root come before the pages; the list of all accounts is a chain of its own.
    let chain = 2 + tree.chain.max(pages(tree.ids.len()));
    let rest = format!(
        "longest chain {chain} pages, {} units, peak {} MiB, at once {}",
        tree.units,
        provider.peak_memory(),
        counters.peak
    );
    let least = (LATENCY * u32::try_from(chain).unwrap()).max(bound(counters.answered));
    show(what, counters.total, time, least, &rest);
}

/// The bound is the longest chain of pages, of which each names the next (of a unit's, or of all accounts), or what the calls take at 64 at once.
#[tokio::test]
#[ignore = "takes minutes: make bench"]
async fn discovery_of_accounts() {
    for size in sizes() {
        for (shape, tree) in [("wide (500 units)", [500, 1]), ("deep (5 levels)", [3, 5]), ("one unit", [1, 1])] {
            accounts(&format!("accounts, {size} in a tree that is {shape}"), size, tree).await;
        }
    }
}
