//! What `make bench` shows of the engines: a row for every figure, beside its bar.

use std::collections::BTreeSet;
use std::time::Duration;

/// One measured case. Counts have bars; times depend on the machine and have none.
pub struct Figure {
    /// Server and case
    pub case: String,
    /// What is counted
    pub unit: &'static str,
    /// How many
    pub count: usize,
    /// At most so many
    pub bar: usize,
    /// What else was measured
    pub beside: String,
}

impl Figure {
    /// Shows the row, and fails when it is above its bar.
    #[expect(clippy::print_stdout, reason = "the row is what the benchmark is run for")]
    pub fn check(&self) {
        let Self { case, unit, count, bar, beside } = self;
        let verdict = if count <= bar { "pass" } else { "FAIL" };
        println!("{case:<52}{count:>4} {unit:<26} bar {bar:>3}  {verdict}   {beside}");
        assert!(count <= bar, "{case}: {count} {unit}, the bar is {bar}");
    }
}

/// Everything that was sent inside TLS, and the time of the whole case.
pub fn with_login_and_lock(round_trips: usize, time: Duration) -> String {
    format!("{round_trips:>3} round trips with login and lock, {:>5} ms", time.as_millis())
}

/// The most connections that were open at once, by what a server lists again and again. One that the client has closed
/// stays in the list for a moment, so only what three samples in a row show is counted.
#[derive(Default)]
pub struct Peak<Id> {
    last: [BTreeSet<Id>; 2],
    most: usize,
    has_seen: bool,
}

impl<Id: Ord + Clone> Peak<Id> {
    /// Takes a sample.
    pub fn note(&mut self, now: BTreeSet<Id>) {
        let [before, earlier] = &self.last;
        let held = now.iter().filter(|id| before.contains(id) && earlier.contains(id)).count();
        self.most = self.most.max(held);
        self.has_seen |= !now.is_empty();
        self.last.swap(0, 1);
        self.last[0] = now;
    }

    /// So many.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Whether there was one in any sample, however short it lived.
    pub fn has_seen(&self) -> bool {
        self.has_seen
    }
}
