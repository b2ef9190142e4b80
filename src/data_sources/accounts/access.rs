//! Whether the accounts can be entered.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use crate::aws::organizations::{Account, is_leaving};
use crate::aws::{Entry, EntryState, Sessions};
use crate::schema::Attr;

use super::model::{AccessModel, Accounts};

/// Enters the accounts, some at a time, and notes how that went. An account that AWS is taking away is not tried.
pub(super) async fn check(sessions: &Sessions, state: &mut Accounts, chosen: &[&Account]) {
    let at_once = sessions.settings().max_concurrency.max(1);
    let asked = chosen.iter().map(|account| async move {
        let entry = match suspended(&account.status) {
            Some(entry) => entry,
            None => sessions.entry(&account.id).await,
        };
        (account.id.to_string(), entry)
    });
    // Collected first: a stream that borrows from an iterator of closures is of no use to a future that moves.
    let asked: Vec<_> = asked.collect();
    let entries: BTreeMap<String, Entry> = stream::iter(asked).buffer_unordered(at_once).collect().await;
    let Attr::Known(accounts) = &mut state.accounts else { return };
    for (id, entry) in entries {
        if let Some(account) = accounts.get_mut(&id) {
            account.access = AccessModel::from(entry).into();
        }
    }
}

/// What the status alone tells.
fn suspended(status: &str) -> Option<Entry> {
    is_leaving(status).then(|| Entry {
        state: EntryState::Suspended,
        reason: Some(format!(
            "The account is {status} in AWS Organizations, so that nobody can enter it. Leave it out (`statuses`), or have \
             AWS Support reopen it within 90 days of its closure."
        )),
    })
}

impl From<Entry> for AccessModel {
    fn from(entry: Entry) -> Self {
        Self { state: entry.state.as_str().to_owned().into(), reason: entry.reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_tells_without_a_call_that_an_account_goes() {
        for status in ["SUSPENDED", "PENDING_CLOSURE", "CLOSED"] {
            let entry = suspended(status).unwrap();
            assert_eq!(entry.state.as_str(), "suspended");
            assert!(entry.reason.unwrap().contains(status));
        }
        assert_eq!(suspended("ACTIVE"), None);
        assert_eq!(suspended("PENDING_ACTIVATION"), None);
    }
}
