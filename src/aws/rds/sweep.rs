//! The databases of many accounts and regions: one scheduler, however many there are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::{Id, JoinError, JoinSet};

use super::Inventory;
use crate::access::{AccountId, Region};
use crate::aws::once::Moment;
use crate::aws::{Call, Error, Fault, Sessions};

/// Accounts that are looked into at the same time, per request that may be under way. What they ask is bounded by the
/// chains of requests; with two there is always one whose next request is ready.
const ACCOUNTS_PER_REQUEST: usize = 2;
/// The same, when accounts wait because AWS throttles them: others go on in their place, up to this many.
const ACCOUNTS_PER_REQUEST_THROTTLED: usize = 16;

/// Terraform asks for all data sources that wait for nothing within a moment: the readings begin when they all have asked.
const GATHER: Duration = Duration::from_millis(5);

/// Which regions to look into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Regions {
    /// Named ones, in every account
    pub named: BTreeSet<Region>,
    /// All that are enabled in each account
    pub enabled: bool,
}

/// What one account and region answered.
#[derive(Debug)]
pub struct Found {
    /// The account
    pub account: AccountId,
    /// The region; `None`: the account could not be entered, or its regions not be listed
    pub region: Option<Region>,
    /// What is there
    pub inventory: Result<Arc<Inventory>, Error>,
}

impl Sessions {
    /// Looks into accounts and regions, and hands over each account when it is done, in no particular order. An account
    /// is entered first, so that one that cannot be entered is one failure without a region. What was read before this
    /// call is read again, since another provider may have made a database in the meantime; sweeps at the same time share
    /// what begins after both.
    pub async fn sweep(&self, accounts: BTreeSet<AccountId>, regions: Regions, mut each: impl FnMut(Found)) {
        let (regions, mut waiting, since) = (Arc::new(regions), accounts.into_iter(), self.inventories().now());
        tokio::time::sleep(GATHER).await;
        let (mut asked, mut accounts) = (JoinSet::new(), HashMap::new());
        loop {
            let one_more_asleep = self.load().one_more_asleep();
            while asked.len() < self.accounts_at_once()
                && let Some(account) = waiting.next()
            {
                let task = asked.spawn(look_into(self.clone(), account.clone(), regions.clone(), since));
                accounts.insert(task.id(), account);
            }
            tokio::select! {
                done = asked.join_next_with_id() => match done {
                    Some(Ok((task, found))) => {
                        accounts.remove(&task);
                        found.into_iter().for_each(&mut each);
                    }
                    Some(Err(broken)) => broken_off(broken, &mut accounts).into_iter().for_each(&mut each),
                    None => return,
                },
                () = one_more_asleep => {}
            }
        }
    }

    /// Accounts that wait for AWS take no room from others.
    fn accounts_at_once(&self) -> usize {
        let requests = self.settings().max_concurrency.max(1);
        (requests * ACCOUNTS_PER_REQUEST + self.load().asleep()).min(requests * ACCOUNTS_PER_REQUEST_THROTTLED)
    }
}

/// An account whose task did not end is a failure, never one without databases.
fn broken_off(broken: JoinError, accounts: &mut HashMap<Id, AccountId>) -> Option<Found> {
    let account = accounts.remove(&broken.id());
    match broken.try_into_panic() {
        // What panicked there becomes a diagnostic here, as everywhere.
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => account.map(|account| {
            let call = Call { account: Some(account.clone()), ..Call::new("rds:DescribeDBInstances") };
            let fault = Fault::Unexpected("the look-up was broken off before its end".to_owned());
            Found { account, region: None, inventory: Err(call.failed(fault)) }
        }),
    }
}

async fn look_into(sessions: Sessions, account: AccountId, regions: Arc<Regions>, since: Moment) -> Vec<Found> {
    let (named, failure) = match places(&sessions, &account, &regions).await {
        Ok(places) => places,
        Err(error) => return vec![Found { account, region: None, inventory: Err(error) }],
    };
    let asked = named.into_iter().map(|region| async {
        let inventory = sessions.inventory_since(since, &account, &region).await;
        Found { account: account.clone(), region: Some(region), inventory }
    });
    let mut found = join_all(asked).await;
    found.extend(failure.map(|error| Found { account, region: None, inventory: Err(error) }));
    found
}

/// The regions of an account. That the enabled ones cannot be listed does not hide those that are named.
async fn places(
    sessions: &Sessions,
    account: &AccountId,
    regions: &Regions,
) -> Result<(BTreeSet<Region>, Option<Error>), Error> {
    let chain = sessions.load().begin().await;
    if let Err(refused) = sessions.check_entry(account).await {
        // Organizations has a pace of its own: accounts that answer must not wait for it.
        drop(chain);
        return Err(sessions.with_standing(account, refused).await);
    }
    let mut named = regions.named.clone();
    if !regions.enabled {
        return Ok((named, None));
    }
    match sessions.enabled_regions(account).await {
        Ok(enabled) => {
            named.extend(enabled);
            Ok((named, None))
        }
        Err(error) => Ok((named, Some(error))),
    }
}

#[cfg(test)]
mod tests;
