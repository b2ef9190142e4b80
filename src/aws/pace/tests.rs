use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;

use super::*;
use crate::aws::scene::{Scene, accounts, refusal, result, throttled};
use crate::aws::settings::{TokenOrigin, WebIdentity, WebToken};
use crate::aws::{Error, Fault, Settings};

fn pace() -> Arc<Pace> {
    patient_for(600)
}

fn patient_for(seconds: u64) -> Arc<Pace> {
    let of = ("rds", "222222222222".parse().ok(), "eu-west-1".parse().unwrap());
    Arc::new(Pace::new(of, Arc::new(Load::new(64)), Duration::from_secs(seconds)))
}

/// What AWS does: a bucket of tokens that is filled at a rate.
struct Bucket {
    tokens: f64,
    rate: f64,
    burst: f64,
    at: Instant,
    refused: u32,
}

impl Bucket {
    fn new(rate: f64, burst: f64) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { tokens: burst, rate, burst, at: Instant::now(), refused: 0 }))
    }

    fn takes(&mut self) -> bool {
        let now = Instant::now();
        self.tokens = (self.tokens + self.rate * (now - self.at).as_secs_f64()).min(self.burst);
        self.at = now;
        let takes = self.tokens >= 1.0;
        if takes {
            self.tokens -= 1.0
        } else {
            self.refused += 1
        }
        takes
    }
}

async fn ask(pace: &Pace, bucket: &Mutex<Bucket>) {
    loop {
        pace.turn(Instant::now()).await.unwrap();
        let cuts = pace.cuts();
        let taken = bucket.lock().unwrap().takes();
        tokio::time::sleep(Duration::from_millis(50)).await;
        if taken {
            return pace.answered(cuts);
        }
        pace.throttled(cuts);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_back_before_aws_throttles() {
    let (pace, began) = (pace(), Instant::now());
    for _ in 0..1_000 {
        pace.turn(Instant::now()).await.unwrap();
        pace.answered(0);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn after_a_throttled_answer_requests_pass_one_by_one_in_the_order_in_which_they_came() {
    let (pace, passed) = (pace(), Mutex::new(Vec::new()));
    pace.throttled(0);
    let began = Instant::now();
    let turns = (0..5).map(|n| {
        let (pace, passed) = (&pace, &passed);
        async move {
            pace.turn(Instant::now()).await.unwrap();
            passed.lock().unwrap().push((n, began.elapsed()));
        }
    });
    join_all(turns).await;
    let passed = passed.lock().unwrap();
    assert!(passed.iter().map(|(n, _)| *n).eq(0..5), "{passed:?}");
    let gaps = passed.windows(2).map(|pair| pair[1].1 - pair[0].1);
    for gap in gaps.chain([passed[0].1]) {
        assert!(gap >= Duration::from_millis(500) && gap < Duration::from_millis(630), "{passed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_were_throttled_together_slow_it_down_once() {
    let pace = pace();
    for _ in 0..64 {
        pace.throttled(0);
    }
    assert_eq!((pace.cuts(), pace.state().limit.as_ref().unwrap().rate), (1, FIRST));
    pace.throttled(1);
    assert_eq!(pace.state().limit.as_ref().unwrap().rate, FIRST / 2.0);
    for cuts in 2..20 {
        pace.throttled(cuts);
    }
    assert_eq!(pace.state().limit.as_ref().unwrap().rate, SLOWEST);
}

#[tokio::test(start_paused = true)]
async fn it_settles_just_under_what_aws_allows_and_loses_nothing() {
    for (rate, burst, requests) in [(20.0, 10.0, 400), (500.0, 100.0, 3_000), (2.0, 1.0, 40)] {
        let (pace, bucket, began) = (pace(), Bucket::new(rate, burst), Instant::now());
        join_all((0..requests).map(|_| ask(&pace, &bucket))).await;
        let (refused, took) = (bucket.lock().unwrap().refused, began.elapsed().as_secs_f64());
        let least = (f64::from(requests) - burst) / rate;
        assert!(took < least * 2.0 + 5.0, "{requests} requests at {rate}/s took {took} s, at least {least} s");
        // The first burst is sent before anything is known.
        assert!(refused < requests + requests / 2, "{refused} of {requests} refused at {rate}/s");
    }
}

#[tokio::test(start_paused = true)]
async fn only_who_is_throttled_waits() {
    let paces = Paces::new(Arc::new(Load::new(64)), Duration::from_secs(600));
    let (account, other) = ("222222222222".parse().unwrap(), "333333333333".parse().unwrap());
    let (here, there): (Region, Region) = ("eu-west-1".parse().unwrap(), "us-east-1".parse().unwrap());
    paces.of("rds", Some(&account), &here).throttled(0);
    let began = Instant::now();
    for pace in [
        paces.of("rds", Some(&other), &here),
        paces.of("rds", Some(&account), &there),
        paces.of("ec2", Some(&account), &here),
    ] {
        pace.turn(Instant::now()).await.unwrap();
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    paces.of("rds", Some(&account), &here).turn(Instant::now()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_aws_no_longer_confirms_is_forgotten() {
    let pace = pace();
    pace.throttled(0);
    for _ in 0..200 {
        pace.turn(Instant::now()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        pace.answered(1);
    }
    let faster = pace.state().limit.as_ref().map(|limit| limit.rate);
    assert!(faster.is_none_or(|rate| rate > 50.0), "{faster:?}");
    tokio::time::sleep(FORGET).await;
    pace.answered(1);
    assert!(pace.state().limit.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_while_waiting_takes_no_turn() {
    let (pace, began) = (pace(), Instant::now());
    pace.throttled(0);
    let gone = tokio::time::timeout(Duration::from_millis(100), pace.turn(Instant::now()));
    assert!(gone.await.is_err());
    pace.turn(Instant::now()).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(630), "{:?}", began.elapsed());
}

#[test]
fn paces_that_hold_nothing_back_are_not_kept() {
    let paces = Paces::new(Arc::new(Load::new(64)), Duration::from_secs(600));
    let region: Region = "eu-west-1".parse().unwrap();
    let account = |n: usize| format!("{n:012}").parse::<AccountId>().unwrap();
    paces.of("rds", Some(&account(0)), &region).throttled(0);
    let used = paces.of("rds", Some(&account(1)), &region);
    for n in 2..KEPT * 3 {
        paces.of("rds", Some(&account(n)), &region);
    }
    assert!(paces.known.lock().unwrap().len() <= KEPT);
    assert!(paces.of("rds", Some(&account(0)), &region).state().limit.is_some(), "it still holds back");
    assert!(Arc::ptr_eq(&used, &paces.of("rds", Some(&account(1)), &region)), "somebody uses it");
}

/// The outcome of one call through the SDK, and how often AWS was asked.
async fn call(answers: impl Fn(u32) -> Option<(u16, String)> + Send + Sync + 'static) -> (Result<(), Error>, usize) {
    let count = AtomicU32::new(0);
    let scene = Scene::new(move |asked| match asked.action.as_str() {
        "DescribeDBInstances" => answers(count.fetch_add(1, Ordering::SeqCst)),
        _ => None,
    });
    let (account, region) = ("222222222222".parse().unwrap(), "eu-west-1".parse().unwrap());
    let outcome = scene.sessions(4).inventory(&account, &region).await;
    (outcome.map(drop), scene.asked("DescribeDBInstances").len())
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_is_tried_for_as_long_as_it_takes() {
    let (outcome, asked) = call(|n| (n < 30).then(throttled)).await;
    outcome.unwrap();
    assert_eq!(asked, 31);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_always_throttled_ends_when_the_patience_does() {
    let began = Instant::now();
    let (outcome, asked) = call(|_| Some(throttled())).await;
    let fault = outcome.unwrap_err().fault;
    assert!(matches!(fault, Fault::Throttled(_)), "{fault}");
    assert!(began.elapsed() >= Duration::from_secs(600) && began.elapsed() < Duration::from_secs(601));
    assert!(asked > 230 && asked < 310, "{asked} tries in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn every_code_for_slower_is_understood() {
    for code in ["Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"] {
        let (outcome, asked) = call(move |n| (n < 12).then(|| refusal(400, code, "slower"))).await;
        outcome.unwrap();
        assert_eq!(asked, 13, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_failures_are_tried_as_often_as_ever_and_throttling_does_not_use_that_up() {
    let broken = || refusal(500, "InternalFailure", "broken");
    let (outcome, asked) = call(move |_| Some(broken())).await;
    assert!(outcome.is_err());
    assert_eq!(asked, 8);
    let (outcome, asked) = call(move |n| if n < 20 { Some(throttled()) } else { Some(broken()) }).await;
    assert!(outcome.is_err());
    assert_eq!(asked, 28);
    let (outcome, asked) = call(|_| Some(refusal(403, "AccessDenied", "no"))).await;
    assert!(matches!(outcome.unwrap_err().fault, Fault::AccessDenied(_)));
    assert_eq!(asked, 1);
}

/// The outcome of a web identity that STS throttles `times` times, and how often STS was asked.
async fn exchange(times: u32) -> (Result<(), Error>, usize) {
    let count = AtomicU32::new(0);
    let scene = Scene::new(move |asked| match asked.action.as_str() {
        "AssumeRoleWithWebIdentity" if count.fetch_add(1, Ordering::SeqCst) < times => Some(throttled()),
        "AssumeRoleWithWebIdentity" => {
            let keys = "<Credentials><AccessKeyId>AKIA111111111111</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                        <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>";
            Some((200, result(&asked.action, keys)))
        }
        _ => None,
    });
    let web_identity = Some(WebIdentity {
        role_arn: "arn:aws:iam::111111111111:role/ci".to_owned(),
        token: WebToken::Inline("e.y.J".into()),
        session_name: None,
        origin: TokenOrigin::ProviderBlock,
    });
    let settings = Settings { region: "us-east-1".parse().ok(), web_identity, ..Settings::default() };
    let outcome = scene.sessions_with(settings).hub_credentials().await;
    (outcome.map(drop), scene.asked("AssumeRoleWithWebIdentity").len())
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_signed_waits_for_its_turn_too() {
    let began = Instant::now();
    let (outcome, asked) = exchange(12).await;
    outcome.unwrap();
    assert_eq!(asked, 13);
    assert!(began.elapsed() > Duration::from_secs(5), "{:?}", began.elapsed());

    let began = Instant::now();
    let (outcome, asked) = exchange(u32::MAX).await;
    let fault = outcome.unwrap_err().fault;
    assert!(matches!(fault, Fault::Throttled(_)), "{fault}");
    assert!(began.elapsed() >= Duration::from_secs(600) && began.elapsed() < Duration::from_secs(601));
    assert!(asked > 230 && asked < 310, "{asked} tries in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_in_line_gives_up_and_leaves_it_to_the_others() {
    let (pace, began) = (patient_for(60), Instant::now());
    for cuts in 0..4 {
        pace.throttled(cuts);
    }
    let turns = join_all((0..1_000).map(|_| pace.turn(Instant::now()))).await;
    let passed = turns.iter().take_while(|turn| turn.is_ok()).count();
    assert!(passed > 20 && passed <= 30, "{passed} at one in two seconds");
    assert!(turns.iter().skip(passed).all(Result::is_err));
    assert_eq!(began.elapsed(), Duration::from_secs(60));
    pace.turn(Instant::now()).await.unwrap();
    assert_eq!(pace.load.asleep(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_throttled_before_waits_only_for_what_is_left_of_its_time() {
    let pace = patient_for(60);
    for cuts in 0..4 {
        pace.throttled(cuts);
    }
    let others = join_all((0..100).map(|_| pace.turn(Instant::now())));
    let began = Instant::now();
    let late = async {
        tokio::time::sleep(Duration::from_secs(50)).await;
        let outcome = pace.turn(began).await;
        (outcome.is_err(), began.elapsed())
    };
    let (_, (gave_up, after)) = tokio::join!(others, late);
    assert!(gave_up);
    assert_eq!(after, Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_too_long_is_told_as_throttling_of_the_call() {
    let scene = Scene::new(|asked| (asked.action == "AssumeRole").then(throttled));
    let (sessions, began) = (scene.sessions(64), Instant::now());
    sessions.caller().await.unwrap();
    let accounts = accounts(400);
    let entered = join_all(accounts.iter().map(|account| sessions.check_access(account))).await;
    let mut late = 0;
    for outcome in entered {
        let error = outcome.unwrap_err();
        assert!(matches!(error.fault, Fault::Throttled(_)) && error.call.action == "sts:AssumeRole", "{error}");
        late += u32::from(error.to_string().contains("given up after 600 s, waiting for its turn"));
    }
    assert!(late > 50, "{late} gave up in line");
    // Also who was throttled just before the ten minutes were over.
    assert!(began.elapsed() < Duration::from_secs(600 + 5), "{:?}", began.elapsed());
    let asked = scene.asked("AssumeRole").len();
    assert!(asked < 400 + 310, "{asked} tries in ten minutes");
}
