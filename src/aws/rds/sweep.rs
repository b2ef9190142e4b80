//! The databases of many accounts and regions: one scheduler, however many there are.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::Inventory;
use crate::access::{AccountId, Region};
use crate::aws::{Error, Sessions};

/// Accounts that are looked into at the same time, per request that may be under way. What they ask is bounded by the
/// chains of requests; with two there is always one whose next request is ready.
const ACCOUNTS_PER_REQUEST: usize = 2;
/// The same, when accounts wait because AWS throttles them: others go on in their place, up to this many.
const ACCOUNTS_PER_REQUEST_THROTTLED: usize = 16;

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
    /// is entered first, so that one that cannot be entered is one failure without a region.
    pub async fn sweep(&self, accounts: BTreeSet<AccountId>, regions: Regions, mut each: impl FnMut(Found)) {
        let (regions, mut waiting) = (Arc::new(regions), accounts.into_iter());
        let mut asked = JoinSet::new();
        loop {
            let one_more_asleep = self.load().one_more_asleep();
            while asked.len() < self.accounts_at_once()
                && let Some(account) = waiting.next()
            {
                asked.spawn(look_into(self.clone(), account, regions.clone()));
            }
            tokio::select! {
                done = asked.join_next() => match done {
                    Some(Ok(found)) => found.into_iter().for_each(&mut each),
                    // What panicked there becomes a diagnostic here, as everywhere.
                    Some(Err(broken)) => if let Ok(panic) = broken.try_into_panic() {
                        std::panic::resume_unwind(panic);
                    },
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

async fn look_into(sessions: Sessions, account: AccountId, regions: Arc<Regions>) -> Vec<Found> {
    let (named, failure) = match places(&sessions, &account, &regions).await {
        Ok(places) => places,
        Err(error) => return vec![Found { account, region: None, inventory: Err(error) }],
    };
    let asked = named.into_iter().map(|region| async {
        let inventory = sessions.inventory(&account, &region).await;
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
