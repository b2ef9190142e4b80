use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::aws::Fault;
use crate::aws::scene::{Asked, LATENCY, Scene, accounts, page_of_instances, refusal, throttled};
use crate::report::Report;

const REQUESTS: usize = 16;

fn regions(names: &[&str]) -> Regions {
    Regions { named: names.iter().map(|name| name.parse().unwrap()).collect(), enabled: false }
}

fn three() -> Regions {
    regions(&["eu-west-1", "us-east-1", "us-west-2"])
}

async fn sweep(scene: &Scene, count: usize, regions: Regions) -> Vec<Found> {
    let mut all = Vec::new();
    scene.sessions(REQUESTS).sweep(accounts(count), regions, |found| all.push(found)).await;
    all.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    all
}

/// The least time that so many calls need.
fn bound(calls: usize) -> Duration {
    LATENCY * u32::try_from(calls.div_ceil(REQUESTS)).unwrap()
}

fn error(found: &Found) -> Report {
    Report::of(found.inventory.as_ref().unwrap_err())
}

fn is_of(asked: &Asked, from: usize, to: usize) -> bool {
    let number: u64 = asked.account.parse().unwrap();
    (200_000_000_000 + from as u64..200_000_000_000 + to as u64).contains(&number)
}

#[tokio::test(start_paused = true)]
async fn requests_are_kept_busy_and_accounts_are_entered_only_when_their_turn_comes() {
    let scene = Scene::new(|_| None);
    let (sessions, mut most) = (scene.sessions(REQUESTS), 0);
    let mut done = 0;
    sessions
        .sweep(accounts(100), three(), |_| {
            done += 1;
            most = most.max(scene.asked("AssumeRole").len() - done / 3);
        })
        .await;
    let calls = scene.asked("*").len();
    assert_eq!((done, calls), (300, 100 * 7 + 1));
    assert!(scene.elapsed() <= bound(calls) * 13 / 10, "{:?} for a bound of {:?}", scene.elapsed(), bound(calls));
    assert!(most <= REQUESTS * ACCOUNTS_PER_REQUEST + 1, "{most} accounts under way");
}

#[tokio::test(start_paused = true)]
async fn both_lists_of_a_place_are_asked_at_the_same_time_and_many_pages_are_no_tail() {
    let scene = Scene::new(|asked| {
        let long = asked.action == "DescribeDBInstances" && asked.region == "eu-west-1" && is_of(asked, 10, 11);
        long.then(|| page_of_instances(asked, 40))
    });
    let found = sweep(&scene, 100, three()).await;
    assert_eq!(found.len(), 300);
    let most = found.iter().map(|f| f.inventory.as_ref().unwrap().targets.len()).max();
    assert_eq!(most, Some(40));
    let pages: Vec<Duration> = scene.asked("*").iter().filter(|a| is_of(a, 10, 11)).map(|a| a.at).collect();
    let (first, last) = (pages.iter().min().unwrap(), pages.iter().max().unwrap());
    assert!(*last - *first < LATENCY * 40 * 13 / 10, "a page waits for no first page: {:?}", *last - *first);
    let calls = scene.asked("*").len();
    assert!(scene.elapsed() <= bound(calls).max(LATENCY * 41) * 13 / 10, "{:?}", scene.elapsed());

    let first = |action: &str| scene.asked(action).iter().find(|a| is_of(a, 50, 51)).unwrap().at;
    let apart = first("DescribeDBInstances").abs_diff(first("DescribeDBClusters"));
    assert!(apart <= LATENCY + Duration::from_millis(5), "{apart:?}");
}

#[tokio::test(start_paused = true)]
async fn throttled_accounts_are_read_completely_and_delay_nobody() {
    let healthy = |asked: &Asked| !is_of(asked, 0, 40);
    let alone = Scene::new(|_| None);
    sweep(&alone, 100, three()).await;

    // Two requests a second and account, for 40 accounts of 100: more than fit under way at a time.
    let buckets: Mutex<BTreeMap<String, Instant>> = Mutex::default();
    let scene = Scene::new(move |asked| {
        if !asked.action.starts_with("Describe") || healthy(asked) {
            return None;
        }
        let (mut buckets, now) = (buckets.lock().unwrap(), Instant::now());
        let next = buckets.entry(asked.account.clone()).or_insert(now);
        if *next > now {
            return Some(throttled());
        }
        *next = now + Duration::from_millis(500);
        None
    });
    let found = sweep(&scene, 100, three()).await;
    assert_eq!(found.len(), 300);
    assert!(found.iter().all(|f| f.inventory.is_ok()));
    assert!(scene.elapsed() < Duration::from_secs(30), "{:?}", scene.elapsed());
    let last =
        scene.asked("*").iter().filter(|a| a.account.starts_with('2') && healthy(a)).map(|a| a.at).max().unwrap();
    assert!(
        last <= alone.elapsed() * 2,
        "the last healthy call came at {last:?}, without throttling {:?}",
        alone.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_throttled_hub_enters_all_accounts_at_the_pace_that_sts_allows() {
    let bucket = Mutex::new((40.0_f64, Instant::now()));
    let scene = Scene::new(move |asked| {
        if asked.action != "AssumeRole" {
            return None;
        }
        let (mut bucket, now) = (bucket.lock().unwrap(), Instant::now());
        bucket.0 = (bucket.0 + 25.0 * (now - bucket.1).as_secs_f64()).min(40.0);
        bucket.1 = now;
        if bucket.0 < 1.0 {
            return Some(throttled());
        }
        bucket.0 -= 1.0;
        None
    });
    let found = sweep(&scene, 200, regions(&["eu-west-1"])).await;
    assert!(found.len() == 200 && found.iter().all(|f| f.inventory.is_ok()));
    let entered = scene.asked("AssumeRole").len();
    let early = scene.asked("AssumeRole").iter().filter(|a| a.at < Duration::from_secs(1)).count();
    assert!(early < 100, "{early} accounts in the first second: they wait in line and not under way");
    assert!(entered < 260, "{entered} tries for 200 accounts");
    assert!(scene.elapsed() < Duration::from_secs(20), "{:?}", scene.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_denied_region_is_told_alone_and_in_the_same_words_whoever_answers_first() {
    let scene = Scene::new(|asked| {
        let denied = asked.region == "us-west-2" && asked.action.starts_with("DescribeDB");
        let text = format!(
            "not authorized to perform: rds:{} with an explicit deny in a service control policy",
            asked.action
        );
        denied.then(|| refusal(403, "AccessDenied", &text))
    });
    let found = sweep(&scene, 1, three()).await;
    assert!(found[0].inventory.is_ok() && found[1].inventory.is_ok());
    let report = error(&found[2]);
    assert_eq!(report.summary, "AWS denied access");
    for part in [
        "rds:DescribeDBInstances and rds:DescribeDBClusters in account 200000000000, region us-west-2",
        "from the service control policy that denies",
        "leave us-west-2 out of `regions`",
    ] {
        assert!(report.detail.contains(part), "{part} is not in {}", report.detail);
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_the_two_lists_that_is_denied_is_named() {
    let scene = Scene::new(|asked| (asked.action == "DescribeDBClusters").then(|| refusal(403, "AccessDenied", "no")));
    let report = error(&sweep(&scene, 1, regions(&["us-west-2"])).await[0]);
    assert!(
        report.detail.contains("Allow rds:DescribeDBClusters for arn:aws:iam::200000000000:role/"),
        "{}",
        report.detail
    );
    assert!(!report.detail.contains("DescribeDBInstances"), "{}", report.detail);
}

fn off_in_africa(regions: Option<&'static str>) -> Scene {
    Scene::new(move |asked| match (asked.action.as_str(), regions) {
        ("DescribeRegions", Some(status)) => {
            let item = format!("<item><regionName>af-south-1</regionName><optInStatus>{status}</optInStatus></item>");
            Some((200, format!("<DescribeRegionsResponse><regionInfo>{item}</regionInfo></DescribeRegionsResponse>")))
        }
        ("DescribeRegions", None) => {
            let error = "<Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error>";
            Some((403, format!("<Response><Errors>{error}</Errors></Response>")))
        }
        (_, _) if asked.region == "af-south-1" => {
            Some(refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid."))
        }
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_off_in_an_account_is_told_from_credentials_that_it_does_not_take() {
    for (regions_say, summary, step) in [
        (Some("not-opted-in"), "The region is not enabled in the account", "Enable af-south-1 in account 200000000000"),
        (Some("opted-in"), "The region refuses the credentials", "at a regional endpoint of STS"),
        (None, "The region refuses the credentials", "Check that af-south-1 is enabled in account 200000000000"),
    ] {
        let scene = off_in_africa(regions_say);
        let found = sweep(&scene, 1, regions(&["af-south-1", "eu-west-1"])).await;
        let report = error(&found[0]);
        assert_eq!(report.summary, summary, "{}", report.detail);
        assert!(report.detail.contains(step), "{}", report.detail);
        assert!(found[1].inventory.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_refused_at_home_too_are_what_is_wrong() {
    let scene = Scene::new(|asked| {
        let error = "<Error><Code>AuthFailure</Code><Message>AWS was not able to validate</Message></Error>";
        match asked.action.as_str() {
            "DescribeRegions" => Some((401, format!("<Response><Errors>{error}</Errors></Response>"))),
            "DescribeDBInstances" => Some(refusal(403, "ExpiredToken", "expired")),
            _ => None,
        }
    });
    for region in ["eu-west-1", "us-east-1"] {
        let found = sweep(&scene, 1, regions(&[region])).await;
        let fault = found[0].inventory.as_ref().unwrap_err().fault.clone();
        assert_eq!(fault, Fault::CredentialsRefused("expired".to_owned()), "{region}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_enabled_regions_are_asked_and_named_ones_beside_them() {
    let scene = Scene::new(|_| None);
    let mut places = regions(&["eu-north-1"]);
    places.enabled = true;
    let found = sweep(&scene, 1, places.clone()).await;
    let asked: Vec<&str> = found.iter().map(|f| f.region.as_ref().unwrap().as_str()).collect();
    assert_eq!(asked, ["eu-north-1", "eu-west-1", "us-east-1"]);

    let found = sweep(&off_in_africa(None), 1, places).await;
    assert!(found[0].region.is_none() && found[1].inventory.is_ok(), "the named one is read all the same");
    let report = error(&found[0]);
    assert!(
        report.detail.contains("Allow ec2:DescribeRegions for arn:aws:iam::200000000000:role/"),
        "{}",
        report.detail
    );
    assert!(report.detail.contains("or name the regions instead of `*`"), "{}", report.detail);
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_account_needs_no_role() {
    let scene = Scene::new(|_| None);
    let hub = BTreeSet::from([crate::aws::scene::HUB.parse().unwrap()]);
    let mut found = Vec::new();
    scene.sessions(REQUESTS).sweep(hub, three(), |f| found.push(f)).await;
    assert!(found.len() == 3 && found.iter().all(|f| f.inventory.is_ok()));
    let actions: BTreeSet<String> = scene.asked("*").into_iter().map(|a| a.action).collect();
    let expected = ["DescribeDBClusters", "DescribeDBInstances", "GetCallerIdentity"].map(str::to_owned);
    assert_eq!(actions, BTreeSet::from(expected));
}

#[tokio::test(start_paused = true)]
async fn sessions_are_made_at_a_regional_endpoint_because_those_are_good_in_every_enabled_region() {
    let scene = Scene::new(|_| None);
    sweep(&scene, 1, regions(&["af-south-1"])).await;
    assert_eq!(scene.asked("AssumeRole")[0].host, "sts.us-east-1.amazonaws.com");
    assert_eq!(scene.asked("DescribeDBClusters")[0].host, "rds.af-south-1.amazonaws.com");
}

#[tokio::test]
async fn an_account_whose_look_up_is_broken_off_is_a_failure() {
    let mut tasks: JoinSet<()> = JoinSet::new();
    let task = tasks.spawn(std::future::pending());
    let account: AccountId = "200000000000".parse().unwrap();
    let mut known = HashMap::from([(task.id(), account.clone())]);
    task.abort();
    let broken = tasks.join_next().await.unwrap().unwrap_err();
    let found = broken_off(broken, &mut known).unwrap();
    assert_eq!((&found.account, found.region.as_ref(), known.len()), (&account, None, 0));
    let report = error(&found);
    assert!(report.detail.contains("account 200000000000") && report.detail.contains("broken off"), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_reads_what_was_read_before_it_again_and_shares_with_others_at_the_same_time() {
    let made = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let later = made.clone();
    let scene = Scene::new(move |asked| {
        let there = asked.action == "DescribeDBInstances" && later.load(std::sync::atomic::Ordering::SeqCst);
        there.then(|| page_of_instances(asked, 1))
    });
    let sessions = scene.sessions(REQUESTS);
    let (account, region) = ("200000000000".parse().unwrap(), "eu-west-1".parse().unwrap());
    assert!(sessions.inventory(&account, &region).await.unwrap().targets.is_empty());
    made.store(true, std::sync::atomic::Ordering::SeqCst);

    let found = Mutex::new(0);
    let count = |f: Found| *found.lock().unwrap() += f.inventory.unwrap().targets.len();
    let sweep = || sessions.sweep(accounts(20), regions(&["eu-west-1"]), count);
    tokio::join!(sweep(), sweep());
    assert_eq!(*found.lock().unwrap(), 2 * 20);
    assert_eq!(scene.asked("DescribeDBInstances").len(), 1 + 20);
    assert_eq!(sessions.inventory(&account, &region).await.unwrap().targets.len(), 1);
    assert_eq!(scene.asked("DescribeDBInstances").len(), 1 + 20, "resources share what the sweep has read");
}
