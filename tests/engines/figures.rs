//! What `make bench` shows of the engines: a row for every figure, beside its bar.

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
    /// All round trips of the case inside TLS, logins and the lock included
    pub round_trips: usize,
    /// Time for the case as a whole
    pub time: Duration,
}

impl Figure {
    /// Shows the row, and fails when it is above its bar.
    #[expect(clippy::print_stdout, reason = "the row is what the benchmark is run for")]
    pub fn check(&self) {
        let Self { case, unit, count, bar, round_trips, time } = self;
        let verdict = if count <= bar { "pass" } else { "FAIL" };
        let millis = time.as_millis();
        println!(
            "{case:<52}{count:>4} {unit:<28} bar {bar:>3}  {verdict}   {round_trips:>3} round trips with logins and \
             lock, {millis:>5} ms"
        );
        assert!(count <= bar, "{case}: {count} {unit}, the bar is {bar}");
    }
}
