//! Work that many callers want and that is done once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::Error;

type Cell<V> = Arc<OnceCell<Result<V, Error>>>;

/// Values that are made on first use, one per key. Callers that ask at the same time wait for one computation and
/// share its outcome, also a failure; a failure is not kept for callers that come later.
#[derive(Debug)]
pub(super) struct OncePerKey<K, V> {
    cells: Mutex<HashMap<K, Cell<V>>>,
}

impl<K, V> Default for OncePerKey<K, V> {
    fn default() -> Self {
        Self { cells: Mutex::new(HashMap::new()) }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> OncePerKey<K, V> {
    /// The value of a key, made by `make` when there is none. When the caller that makes it is cancelled, another one
    /// that waits takes over.
    pub(super) async fn get<F>(&self, key: &K, make: impl FnOnce() -> F) -> Result<V, Error>
    where
        F: Future<Output = Result<V, Error>>,
    {
        let cell = self.cells().entry(key.clone()).or_default().clone();
        // Boxed: what is rarely run must not make the futures of all callers large.
        let outcome = cell.get_or_init(|| Box::pin(make())).await.clone();
        if outcome.is_err() {
            self.remove(key, &cell);
        }
        outcome
    }

    /// Forgets the value of a key. A computation that is under way still answers those who wait for it, and nobody
    /// after them.
    pub(super) fn forget(&self, key: &K) {
        self.cells().remove(key);
    }

    fn remove(&self, key: &K, failed: &Cell<V>) {
        let mut cells = self.cells();
        if cells.get(key).is_some_and(|current| Arc::ptr_eq(current, failed)) {
            cells.remove(key);
        }
    }

    fn cells(&self) -> MutexGuard<'_, HashMap<K, Cell<V>>> {
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
}
