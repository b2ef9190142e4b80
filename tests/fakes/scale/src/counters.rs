//! What was asked, and how much at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    Refused,
    Throttled,
    Failed,
}

/// Everything since the start, or since it was forgotten.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    actions: Mutex<BTreeMap<String, [u64; 4]>>,
    under_way: AtomicU64,
    peak: AtomicU64,
    connections: AtomicU64,
    calls: AtomicU64,
}

impl Counters {
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    /// A request has arrived; the guard ends it.
    pub(crate) fn begin(&self) -> UnderWay<'_> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        UnderWay(self)
    }

    /// The number of a call, never given twice.
    pub(crate) fn number(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn count(&self, action: String, end: End) {
        let mut actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = actions.entry(action).or_default().get_mut(end as usize) {
            *count += 1;
        }
    }

    pub(crate) fn show(&self) -> Value {
        let actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        let calls: BTreeMap<&String, u64> = actions.iter().map(|(name, ends)| (name, ends.iter().sum())).collect();
        let all = |end: End| actions.values().filter_map(|ends| ends.get(end as usize)).sum::<u64>();
        json!({
            "total": calls.values().sum::<u64>(),
            "calls": calls,
            "answered": all(End::Answered),
            "refused": all(End::Refused),
            "throttled": all(End::Throttled),
            "failed": all(End::Failed),
            "peak": self.peak.load(Ordering::SeqCst),
            "under_way": self.under_way.load(Ordering::SeqCst),
            "connections": self.connections.load(Ordering::SeqCst),
        })
    }

    /// Begins at nothing; what is under way stays.
    pub(crate) fn forget(&self) {
        self.actions.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.peak.store(self.under_way.load(Ordering::SeqCst), Ordering::SeqCst);
        self.connections.store(0, Ordering::SeqCst);
    }
}

/// A request that has arrived and is not answered.
pub(crate) struct UnderWay<'a>(&'a Counters);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_what_was_under_way_at_once() {
        let counters = Counters::default();
        drop((counters.begin(), counters.begin()));
        let _last = counters.begin();
        counters.count("sts:AssumeRole".to_owned(), End::Answered);
        counters.count("sts:AssumeRole".to_owned(), End::Throttled);
        let shown = counters.show();
        assert_eq!((shown["peak"].as_u64(), shown["under_way"].as_u64()), (Some(2), Some(1)));
        assert_eq!((shown["calls"]["sts:AssumeRole"].as_u64(), shown["throttled"].as_u64()), (Some(2), Some(1)));
        counters.forget();
        assert_eq!((counters.show()["peak"].as_u64(), counters.show()["total"].as_u64()), (Some(1), Some(0)));
    }
}
