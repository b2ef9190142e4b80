//! One reading of a server for all its roles, until something is written.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// A catalog that is read once and forgotten with the first write.
pub(super) struct Shared<T> {
    /// Counts writes; a catalog that was read before the last one is stale
    writes: AtomicU64,
    cached: Mutex<Option<(u64, Arc<T>)>>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { writes: AtomicU64::new(0), cached: Mutex::new(None) }
    }
}

impl<T> Shared<T> {
    /// Marks the beginning of a write; its end is marked when the guard is dropped, also by a cancelled call.
    pub(super) fn writing(&self) -> Writing<'_> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Writing(&self.writes)
    }

    /// The catalog; `read` runs only when something was written since it was read.
    ///
    /// # Errors
    /// As `read`.
    pub(super) async fn get_or_read<E>(&self, read: impl Future<Output = Result<T, E>>) -> Result<Arc<T>, E> {
        let mut cached = self.cached.lock().await;
        let writes = self.writes.load(Ordering::SeqCst);
        if let Some((_, catalog)) = cached.as_ref().filter(|(at, _)| *at == writes) {
            return Ok(Arc::clone(catalog));
        }
        let catalog = Arc::new(read.await?);
        *cached = Some((writes, Arc::clone(&catalog)));
        Ok(catalog)
    }
}

/// A write that is under way.
pub(super) struct Writing<'a>(&'a AtomicU64);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
