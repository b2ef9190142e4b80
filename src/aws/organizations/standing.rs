//! What Organizations says of an account that cannot be entered.
//!
//! STS answers for a closed account as for a role that refuses. Whether an account is on its way out is therefore asked
//! of Organizations, and only a positive answer counts: a hub that has lost a permission learns nothing here, and every
//! error stays as it was.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use aws_sdk_organizations::types::Account;
use tokio::sync::Semaphore;

use super::client::status;
use crate::access::AccountId;
use crate::aws::once::OncePerKey;
use crate::aws::{Error, Fault, Sessions};

/// Accounts that are asked for at the same time: Organizations has one endpoint for all and throttles early.
const AT_ONCE: usize = 4;

/// The states of an account that AWS is taking away, as `AccountState` names them.
const LEAVING: [&str; 3] = ["SUSPENDED", "PENDING_CLOSURE", "CLOSED"];

/// Whether AWS is taking an account of this state away. One that waits for its activation is not.
pub fn is_leaving(state: &str) -> bool {
    LEAVING.contains(&state)
}

/// How an account stands in the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// A member that is in use
    Member,
    /// A member that AWS is taking away, in this state
    Leaving(String),
    /// No member, or none any more
    Stranger,
}

/// What was asked so far, once per account.
#[derive(Debug)]
pub(in crate::aws) struct Standings {
    asked: OncePerKey<AccountId, Standing>,
    /// Whether Organizations does not answer this caller at all
    is_barred: AtomicBool,
    turns: Semaphore,
    /// Accounts on their way out, which need not be tried again, with what is to be said of them
    lost: Mutex<HashMap<AccountId, Error>>,
}

impl Default for Standings {
    fn default() -> Self {
        Self {
            asked: OncePerKey::default(),
            is_barred: AtomicBool::new(false),
            turns: Semaphore::new(AT_ONCE),
            lost: Mutex::default(),
        }
    }
}

impl Standings {
    /// What is known of an account that is on its way out: it is not tried again.
    pub(in crate::aws) fn lost(&self, account: &AccountId) -> Option<Error> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }
}

impl Sessions {
    /// The error of entering an account, with what Organizations says of the account; unchanged where that is nothing.
    pub(in crate::aws) async fn with_standing(&self, account: &AccountId, error: Error) -> Error {
        // An error that names another account, or none, is about the way to the account.
        if !error.is_refused_entry() || error.call.account.as_ref() != Some(account) {
            return error;
        }
        let Fault::CannotAssume { role_arn, external_id, text } = error.fault.clone() else { return error };
        let fault = match self.standing(account).await {
            Some(Standing::Leaving(state)) => Fault::AccountLeaving { state, text },
            // An account may join while we run, so that it is tried again.
            Some(Standing::Stranger) => {
                return Error { fault: Fault::NotInOrganization { role_arn, external_id, text }, ..error };
            }
            Some(Standing::Member) | None => return error,
        };
        let error = Error { fault, ..error };
        let lost = &self.standings().lost;
        lost.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), error.clone());
        error
    }

    /// `None`: Organizations did not tell.
    async fn standing(&self, account: &AccountId) -> Option<Standing> {
        let standings = self.standings();
        if standings.is_barred.load(Ordering::Relaxed) {
            return None;
        }
        let asked = standings.asked.get(account, || async {
            let _turn = standings.turns.acquire().await;
            self.ask_standing(account).await
        });
        match asked.await {
            Ok(standing) => Some(standing),
            Err(error) => {
                let is_barred = matches!(error.fault, Fault::AccessDenied(_) | Fault::NoOrganization(_));
                standings.is_barred.fetch_or(is_barred, Ordering::Relaxed);
                tracing::debug!(%error, "Organizations does not tell how the account stands");
                None
            }
        }
    }

    async fn ask_standing(&self, account: &AccountId) -> Result<Standing, Error> {
        let (client, call) = self.organizations().await?;
        let call = crate::aws::Call { action: "organizations:DescribeAccount", ..call.on(account) };
        match client.describe_account().account_id(account.as_str()).send().await {
            Ok(answer) => answer
                .account()
                .map(standing_of)
                .ok_or_else(|| call.failed(Fault::Unexpected("Organizations describes no account".to_owned()))),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_account_not_found_exception()) => {
                Ok(Standing::Stranger)
            }
            Err(error) => Err(call.refused(&error)),
        }
    }
}

fn standing_of(account: &Account) -> Standing {
    match status(account.state(), account.status()) {
        Ok(state) if is_leaving(&state) => Standing::Leaving(state),
        _ => Standing::Member,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_organizations::types::{AccountState, AccountStatus};

    use super::*;

    #[test]
    fn only_a_state_on_the_way_out_counts() {
        let of = |state| standing_of(&Account::builder().state(state).build());
        for state in [AccountState::Suspended, AccountState::PendingClosure, AccountState::Closed] {
            assert_eq!(of(state.clone()), Standing::Leaving(state.as_str().to_owned()));
        }
        for state in [AccountState::Active, AccountState::PendingActivation, AccountState::from("NEW")] {
            assert_eq!(of(state.clone()), Standing::Member, "{state:?}");
        }
        let old = Account::builder().status(AccountStatus::Suspended).build();
        assert_eq!(standing_of(&old), Standing::Leaving("SUSPENDED".to_owned()));
        assert_eq!(standing_of(&Account::builder().build()), Standing::Member, "no answer is no proof");
    }
}
