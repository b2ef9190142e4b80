//! How fast Organizations is asked. It has one small rate per action for the whole organization, which other programs
//! share, and which AWS does not promise; so the pace is found while asking.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use crate::aws::rds::jittered;
use crate::aws::{Error, Fault};

/// Calls under way at the start. A tree begins with few calls, so this costs no time, and it stays near the bursts that
/// Organizations takes.
const FIRST: usize = 16;
/// Nobody asks for this long after the first refusal; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// A rate that is used up is back within seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Refusals in a row, with a pause after each and no answer between, that end it: after about a minute.
const MOST_REFUSALS: u32 = 15;

/// A bound on the calls under way that follows the answers: it doubles while all goes well up to `most`, is halved by
/// a refusal, and then grows by one with each round of answers. All calls pause together, because the rate is one.
#[derive(Debug)]
pub(super) struct Pace {
    slots: Semaphore,
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Calls that may be under way
    window: usize,
    /// Slots that are still in use and go away when they are given back
    owed: usize,
    /// Answers since the window last grew
    answers: usize,
    /// How often the window was halved. A call that began before the last time says nothing about the window of now.
    cuts: u64,
    refusals_in_a_row: u32,
    resume_at: Instant,
}

/// A call under way.
struct Turn<'p> {
    pace: &'p Pace,
    slot: Option<SemaphorePermit<'p>>,
    cuts: u64,
}

impl Pace {
    /// At most this many calls at the same time.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        let window = FIRST.min(most);
        let state = State { window, owed: 0, answers: 0, cuts: 0, refusals_in_a_row: 0, resume_at: Instant::now() };
        Self { slots: Semaphore::new(window), most, state: Mutex::new(state) }
    }

    /// The most calls that can be under way.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Makes a call as often as it is throttled. It gives up when AWS has taken none of the calls for a long time; a
    /// call that is refused while others are answered only waits.
    pub(super) async fn call<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        loop {
            let turn = self.turn().await;
            match ask().await {
                Err(error) if matches!(error.fault, Fault::Throttled(_)) => {
                    if turn.refused() {
                        return Err(error);
                    }
                }
                answer => {
                    turn.answered();
                    return answer;
                }
            }
        }
    }

    async fn turn(&self) -> Turn<'_> {
        loop {
            // The semaphore is never closed.
            let slot = self.slots.acquire().await.ok();
            let resume_at = self.state().resume_at;
            sleep_until(resume_at).await;
            let mut state = self.state();
            if state.owed == 0 && state.resume_at <= Instant::now() {
                return Turn { pace: self, slot, cuts: state.cuts };
            }
            // The window was halved while this call waited.
            state.give_back(slot);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    fn answered(self) {
        let (pace, mut state) = (self.pace, self.pace.state());
        if self.cuts < state.cuts {
            return;
        }
        state.refusals_in_a_row = 0;
        state.answers += 1;
        // Before the first refusal every answer makes room for one more.
        let enough = if state.cuts == 0 { 1 } else { state.window };
        if state.window < pace.most && state.answers >= enough {
            (state.window, state.answers) = (state.window + 1, 0);
            if state.owed > 0 { state.owed -= 1 } else { pace.slots.add_permits(1) }
        }
    }

    /// Whether it is time to give up.
    fn refused(self) -> bool {
        let (pace, mut state) = (self.pace, self.pace.state());
        if self.cuts == state.cuts {
            let window = (state.window / 2).max(1);
            let surplus = state.window - window;
            state.owed += surplus - pace.slots.forget_permits(surplus);
            (state.window, state.answers) = (window, 0);
            state.cuts += 1;
            let pause = FIRST_PAUSE * 2_u32.pow(state.refusals_in_a_row.min(8));
            state.resume_at = Instant::now() + jittered(pause.min(LONGEST_PAUSE));
            state.refusals_in_a_row += 1;
        }
        state.refusals_in_a_row > MOST_REFUSALS
    }
}

impl State {
    fn give_back(&mut self, slot: Option<SemaphorePermit<'_>>) {
        if let (true, Some(slot)) = (self.owed > 0, slot) {
            self.owed -= 1;
            slot.forget();
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let slot = self.slot.take();
        self.pace.state().give_back(slot);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;
    use crate::aws::Call;

    fn throttled() -> Error {
        Call::new("organizations:ListAccountsForParent").failed(Fault::Throttled("Rate exceeded".to_owned()))
    }

    /// An API with 50 ms per answer and a bucket of tokens.
    struct Api {
        tokens: Mutex<(f64, Instant)>,
        burst: f64,
        per_second: f64,
        under_way: AtomicUsize,
        peak: AtomicUsize,
        asked: AtomicUsize,
    }

    impl Api {
        fn new(burst: f64, per_second: f64) -> Self {
            let (under_way, peak, asked) = Default::default();
            Self { tokens: Mutex::new((burst, Instant::now())), burst, per_second, under_way, peak, asked }
        }

        async fn ask(&self) -> Result<(), Error> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.peak.fetch_max(self.under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            let mut bucket = self.tokens.lock().unwrap();
            let (left, since) = *bucket;
            let left = (left + since.elapsed().as_secs_f64() * self.per_second).min(self.burst);
            *bucket = (if left >= 1.0 { left - 1.0 } else { left }, Instant::now());
            if left >= 1.0 { Ok(()) } else { Err(throttled()) }
        }
    }

    /// How long it takes to make so many calls that all want to begin now, by the test's own clock.
    async fn run(pace: &Pace, api: &Api, calls: usize) -> Duration {
        let start = Instant::now();
        let answers = join_all((0..calls).map(|_| pace.call(|| api.ask()))).await;
        assert!(answers.iter().all(Result::is_ok), "no call fails while others are answered");
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn without_refusals_the_bound_is_reached_and_never_passed() {
        let (pace, api) = (Pace::new(64), Api::new(1e9, 0.0));
        let took = run(&pace, &api, 1_000).await;
        assert_eq!(api.peak.load(Ordering::SeqCst), 64);
        // 16, 32, then 64 at a time: 952 / 64 is 15 rounds.
        assert!(took <= Duration::from_millis(17 * 50), "{took:?}");
        let (pace, api) = (Pace::new(3), Api::new(1e9, 0.0));
        run(&pace, &api, 20).await;
        assert_eq!(api.peak.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_rate_is_used_and_no_call_fails() {
        let (pace, api) = (Pace::new(64), Api::new(10.0, 8.0));
        let took = run(&pace, &api, 400).await;
        let least = Duration::from_secs((400 - 10) / 8);
        assert!(took < least * 2, "{took:?}, at least {least:?}");
        let asked = api.asked.load(Ordering::SeqCst);
        assert!(asked < 400 * 3, "{asked} requests for 400 calls");
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_never_answers_ends_it_after_a_while() {
        let (pace, asked, start) = (Pace::new(64), AtomicUsize::new(0), Instant::now());
        let refuse = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            Err::<(), _>(throttled())
        };
        let error = pace.call(refuse).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Throttled(_)));
        assert_eq!(asked.load(Ordering::SeqCst), 16);
        assert!((40..120).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        // A later walk begins with patience again once AWS answers.
        pace.call(|| async { Ok(()) }).await.unwrap();
        assert_eq!(pace.state().refusals_in_a_row, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn another_error_is_not_repeated() {
        let (pace, asked) = (Pace::new(64), AtomicUsize::new(0));
        let deny = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            Err::<(), _>(Call::new("organizations:ListRoots").failed(Fault::AccessDenied("no".to_owned())))
        };
        assert!(pace.call(deny).await.is_err());
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_dropped_gives_its_turn_back() {
        let pace = Pace::new(1);
        let never = pace.call(std::future::pending::<Result<(), Error>>);
        assert!(tokio::time::timeout(Duration::from_secs(1), never).await.is_err());
        pace.call(|| async { Ok(()) }).await.unwrap();
    }
}
