//! Work that many callers want and that is done once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::Error;

type Cell<V> = Arc<OnceCell<Result<V, Error>>>;

/// Values that are made on first use, one per key. Callers that ask at the same time wait for one computation and
/// share its outcome, also a failure; a failure is not kept for callers that come later.
#[derive(Debug)]
pub(super) struct OncePerKey<K, V> {
    /// Each with the moment when it was made: its computation begins after that
    cells: Mutex<HashMap<K, (Moment, Cell<V>)>>,
    moments: AtomicU64,
}

/// A point in the order of events, see [`OncePerKey::now`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

impl<K, V> Default for OncePerKey<K, V> {
    fn default() -> Self {
        Self { cells: Mutex::new(HashMap::new()), moments: AtomicU64::new(0) }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> OncePerKey<K, V> {
    /// The value of a key, made by `make` when there is none. When the caller that makes it is cancelled, another one
    /// that waits takes over.
    pub(super) async fn get<F>(&self, key: &K, make: impl FnOnce() -> F) -> Result<V, Error>
    where
        F: Future<Output = Result<V, Error>>,
    {
        self.get_since(Moment(0), key, make).await
    }

    /// The value of a key, from a computation that begins after `since`: an older one is made again, for all who ask
    /// from now on.
    pub(super) async fn get_since<F>(&self, since: Moment, key: &K, make: impl FnOnce() -> F) -> Result<V, Error>
    where
        F: Future<Output = Result<V, Error>>,
    {
        let cell = self.cell(since, key);
        // Boxed: what is rarely run must not make the futures of all callers large.
        let outcome = cell.get_or_init(|| Box::pin(make())).await.clone();
        if outcome.is_err() {
            self.remove(key, &cell);
        }
        outcome
    }

    /// This moment, for [`OncePerKey::get_since`].
    pub(super) fn now(&self) -> Moment {
        Moment(self.moments.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn cell(&self, since: Moment, key: &K) -> Cell<V> {
        let mut cells = self.cells();
        match cells.get(key) {
            Some((made, cell)) if *made > since => cell.clone(),
            _ => {
                let cell = Cell::default();
                cells.insert(key.clone(), (self.now(), cell.clone()));
                cell
            }
        }
    }

    /// Forgets the value of a key. A computation that is under way still answers those who wait for it, and nobody
    /// after them.
    pub(super) fn forget(&self, key: &K) {
        self.cells().remove(key);
    }

    fn remove(&self, key: &K, failed: &Cell<V>) {
        let mut cells = self.cells();
        if cells.get(key).is_some_and(|(_, current)| Arc::ptr_eq(current, failed)) {
            cells.remove(key);
        }
    }

    fn cells(&self) -> MutexGuard<'_, HashMap<K, (Moment, Cell<V>)>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::aws::{Call, Fault};

    fn failure() -> Error {
        Error::new(Call::new("sts:GetCallerIdentity"), Fault::Throttled("Rate exceeded".to_owned()))
    }

    #[tokio::test]
    async fn callers_at_the_same_time_share_one_computation() {
        let (cache, runs) = (OncePerKey::default(), AtomicUsize::new(0));
        let ask = || {
            cache.get(&"key", || async {
                runs.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok(7)
            })
        };
        let (a, b, c) = tokio::join!(ask(), ask(), ask());
        assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], [7, 7, 7]);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_failure_is_shared_but_not_kept() {
        let (cache, runs) = (OncePerKey::<&str, u8>::default(), AtomicUsize::new(0));
        let fail = || {
            cache.get(&"key", || async {
                runs.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Err(failure())
            })
        };
        let (a, b) = tokio::join!(fail(), fail());
        assert!(a.is_err() && b.is_err());
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert_eq!(cache.get(&"key", || async { Ok(3) }).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn what_began_before_forget_is_not_seen_after_it() {
        let cache = OncePerKey::default();
        let old = cache.get(&"key", || async {
            cache.forget(&"key");
            Ok("before")
        });
        assert_eq!(old.await.unwrap(), "before");
        assert_eq!(cache.get(&"key", || async { Ok("after") }).await.unwrap(), "after");
    }

    #[tokio::test]
    async fn nobody_who_asks_since_a_moment_gets_what_was_begun_before_it() {
        let (cache, runs) = (OncePerKey::default(), AtomicUsize::new(0));
        let count = || async { Ok(runs.fetch_add(1, Ordering::SeqCst)) };
        assert_eq!(cache.get(&"key", count).await.unwrap(), 0);
        let (first, second) = (cache.now(), cache.now());
        assert_eq!(cache.get(&"key", count).await.unwrap(), 0);
        assert_eq!(cache.get_since(first, &"key", count).await.unwrap(), 1);
        assert_eq!(cache.get_since(second, &"key", count).await.unwrap(), 1, "it began after both");
        assert_eq!(cache.get(&"key", count).await.unwrap(), 1, "those who take any get the latest");
        assert_eq!(cache.get_since(cache.now(), &"key", count).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_computation_that_is_under_way_is_too_old_for_who_asks_now() {
        let cache = OncePerKey::default();
        let old = cache.get(&"key", || async {
            tokio::task::yield_now().await;
            Ok("before")
        });
        let new = async { cache.get_since(cache.now(), &"key", || async { Ok("after") }).await };
        let (old, new) = tokio::join!(old, new);
        assert_eq!((old.unwrap(), new.unwrap()), ("before", "after"));
        assert_eq!(cache.get(&"key", || async { Ok("none") }).await.unwrap(), "after");
    }
}
