//! Answers of the gateway that many objects of one run ask for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::Error;

/// The outcome of one call.
type Cell<T> = Arc<OnceCell<Result<T, Error>>>;

/// One answer for the life of this process. Who asks at the same time waits for one call and shares its outcome; a
/// failure is not kept, and an answer that is not enough for somebody is asked for again.
#[derive(Debug)]
pub(super) struct Shared<T> {
    cell: Mutex<Cell<T>>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { cell: Mutex::default() }
    }
}

impl<T: Clone> Shared<T> {
    /// The shared answer when it is `enough`, else one whose call began after this was asked.
    ///
    /// # Errors
    /// That of the call.
    pub(super) async fn get<A: Future<Output = Result<T, Error>>>(
        &self,
        enough: impl Fn(&T) -> bool,
        ask: impl Fn() -> A,
    ) -> Result<T, Error> {
        let first = self.current();
        let (outcome, asked_here) = self.outcome(&first, ask()).await;
        match outcome {
            Ok(answer) if !asked_here && !enough(&answer) => {
                self.forget(&first);
                self.outcome(&self.current(), ask()).await.0
            }
            outcome => outcome,
        }
    }

    /// What a call says, and whether it was made here.
    async fn outcome(&self, cell: &Cell<T>, call: impl Future<Output = Result<T, Error>>) -> (Result<T, Error>, bool) {
        let mut asked_here = false;
        let asking = async {
            asked_here = true;
            call.await
        };
        let outcome = cell.get_or_init(|| asking).await.clone();
        if outcome.is_err() {
            self.forget(cell);
        }
        (outcome, asked_here)
    }

    fn current(&self) -> Cell<T> {
        Arc::clone(&self.lock())
    }

    /// Makes room for a new call, unless somebody has done so.
    fn forget(&self, cell: &Cell<T>) {
        let mut kept = self.lock();
        if Arc::ptr_eq(&kept, cell) {
            *kept = Cell::default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Cell<T>> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
