//! One reading of the organization for all who ask at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

use super::client::Reader;
use super::tree::OrganizationTree;
use super::walk::walk;
use crate::access::AccountId;
use crate::aws::{Error, Sessions};

/// Terraform asks for all data sources that wait for nothing within a moment: a reading begins when they all have asked.
const GATHER: Duration = Duration::from_millis(5);

/// What the calls to Organizations of one process share.
#[derive(Debug, Default)]
pub(in crate::aws) struct Shared {
    readings: Readings<Arc<OrganizationTree>>,
}

impl Sessions {
    /// Reads the organization: its units and accounts, without tags. Those who ask while it is being read share the next
    /// reading, so nobody gets what was read before asking.
    ///
    /// # Errors
    /// [`Fault::NoOrganization`](crate::aws::Fault::NoOrganization), or
    /// [`Fault::AccessDenied`](crate::aws::Fault::AccessDenied) outside the management account and the delegated
    /// administrators.
    pub async fn organization(&self) -> Result<Arc<OrganizationTree>, Error> {
        let reader = self.reader().await?;
        self.organizations_shared().readings.next(|| async { walk(&reader).await.map(Arc::new) }).await
    }

    /// The tags of accounts, one call per account.
    ///
    /// # Errors
    /// As [`Sessions::organization`].
    pub async fn account_tags(
        &self,
        ids: impl IntoIterator<Item = AccountId>,
    ) -> Result<BTreeMap<AccountId, BTreeMap<String, String>>, Error> {
        self.reader().await?.tags_of(ids).await
    }

    pub(super) async fn reader(&self) -> Result<Reader, Error> {
        let (client, call) = self.organizations().await?;
        Ok(Reader { client, call, at_once: self.settings().max_concurrency.max(1) })
    }
}

/// Readings, one after the other and counted.
#[derive(Debug)]
struct Readings<V> {
    begun: AtomicU64,
    last: Mutex<Option<(u64, Result<V, Error>)>>,
}

impl<V> Default for Readings<V> {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), last: Mutex::new(None) }
    }
}

impl<V: Clone> Readings<V> {
    /// The outcome of a reading that begins after this call.
    async fn next<F>(&self, read: impl FnOnce() -> F) -> Result<V, Error>
    where
        F: Future<Output = Result<V, Error>>,
    {
        let begun_before = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        match &*last {
            Some((number, outcome)) if *number > begun_before => outcome.clone(),
            _ => {
                sleep(GATHER).await;
                let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
                // Boxed: it must not make the futures of those who only wait large.
                let outcome = Box::pin(read()).await;
                *last = Some((number, outcome.clone()));
                outcome
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::aws::{Call, Fault};

    /// Gives the number of readings so far, after a while.
    async fn count(runs: &AtomicU64) -> Result<u64, Error> {
        let number = runs.fetch_add(1, Ordering::SeqCst) + 1;
        sleep(Duration::from_millis(10)).await;
        Ok(number)
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_at_the_same_time_shares_a_reading() {
        let (readings, runs) = (Readings::default(), AtomicU64::new(0));
        let all = join_all((0..20).map(|_| readings.next(|| count(&runs)))).await;
        assert!(all.into_iter().all(|outcome| outcome.unwrap() == 1));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_gets_what_was_begun_before_asking() {
        let (readings, runs) = (Readings::default(), AtomicU64::new(0));
        let first = readings.next(|| count(&runs));
        let later = async {
            sleep(2 * GATHER).await;
            join_all((0..5).map(|_| readings.next(|| count(&runs)))).await
        };
        let (first, later) = tokio::join!(first, later);
        assert_eq!(first.unwrap(), 1);
        assert!(later.into_iter().all(|outcome| outcome.unwrap() == 2));
        assert_eq!(readings.next(|| count(&runs)).await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_is_given_up_or_fails_is_not_in_the_way() {
        let readings = Readings::default();
        let never = readings.next(std::future::pending);
        assert!(tokio::time::timeout(Duration::from_secs(1), never).await.is_err());
        let fault = || Fault::AccessDenied("no".to_owned());
        let refused = readings.next(|| async { Err(Call::new("organizations:ListRoots").failed(fault())) }).await;
        assert!(refused.is_err());
        assert_eq!(readings.next(|| async { Ok(7) }).await.unwrap(), 7);
    }
}
