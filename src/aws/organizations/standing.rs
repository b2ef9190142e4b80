//! What Organizations says of an account that cannot be entered.
//!
//! STS answers for a closed account as for a role that refuses. Whether an account is on its way out is therefore asked
//! of Organizations, and only a positive answer counts: a hub that has lost a permission learns nothing here, and every
//! error stays as it was.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_organizations::types::Account;
use tokio::sync::Semaphore;

use super::client::status;
use crate::access::AccountId;
use crate::aws::once::OncePerKey;
use crate::aws::{Error, Fault, Sessions};

/// Accounts that are asked for at the same time: Organizations has one endpoint for all and throttles early.
const AT_ONCE: usize = 4;

/// Accounts that are asked for singly, before the list of all is read: with a wrong trust policy everywhere, one call for
/// each of ten thousand accounts would take longer than what was asked for.
const SINGLY: usize = 20;

/// Accounts of which Organizations refuses to tell, before it is asked no more. One alone may be what a policy excepts.
const MOST_DENIED: usize = 3;

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
    /// How many were asked for
    singly: AtomicUsize,
    /// The members in use, of the list of all accounts
    members: OncePerKey<(), Arc<HashSet<AccountId>>>,
    /// Whether that list cannot be had
    has_no_list: AtomicBool,
    /// Whether Organizations does not answer this caller at all
    is_barred: AtomicBool,
    /// Accounts of which it did not want to tell
    denied: Mutex<HashSet<AccountId>>,
    turns: Semaphore,
    /// Accounts on their way out, which need not be tried again, with what is to be said of them
    lost: Mutex<HashMap<AccountId, Error>>,
}

impl Default for Standings {
    fn default() -> Self {
        Self {
            asked: OncePerKey::default(),
            singly: AtomicUsize::new(0),
            members: OncePerKey::default(),
            has_no_list: AtomicBool::new(false),
            is_barred: AtomicBool::new(false),
            denied: Mutex::default(),
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

    /// Whether there is no use in asking for further accounts after this answer for one.
    fn bars(&self, account: &AccountId, error: &Error) -> bool {
        match error.fault {
            Fault::NoOrganization(_) => true,
            Fault::AccessDenied(_) => {
                let mut denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
                denied.insert(account.clone());
                denied.len() >= MOST_DENIED
            }
            _ => false,
        }
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
            if self.is_listed_as_member(account).await {
                return Ok(Standing::Member);
            }
            let _turn = standings.turns.acquire().await;
            self.ask_standing(account).await
        });
        match asked.await {
            Ok(standing) => Some(standing),
            Err(error) => {
                standings.is_barred.fetch_or(standings.bars(account, &error), Ordering::Relaxed);
                tracing::debug!(%error, "Organizations does not tell how the account stands");
                None
            }
        }
    }

    /// Whether the list of all accounts has it as a member in use. What has consequences is asked of the account itself:
    /// the list may be some minutes old.
    async fn is_listed_as_member(&self, account: &AccountId) -> bool {
        let standings = self.standings();
        let is_one_of_few = standings.singly.fetch_add(1, Ordering::Relaxed) < SINGLY;
        if is_one_of_few || standings.has_no_list.load(Ordering::Relaxed) {
            return false;
        }
        match standings.members.get(&(), || self.members_in_use()).await {
            Ok(members) => members.contains(account),
            Err(error) => {
                standings.has_no_list.store(true, Ordering::Relaxed);
                tracing::debug!(%error, "Organizations does not list the accounts");
                false
            }
        }
    }

    async fn members_in_use(&self) -> Result<Arc<HashSet<AccountId>>, Error> {
        let reader = self.reader().await?;
        let (mut members, mut token) = (HashSet::new(), None);
        loop {
            let (accounts, next) = reader.everyone(token).await?;
            let in_use = |state: &Result<String, String>| state.as_ref().is_ok_and(|state| !is_leaving(state));
            members.extend(accounts.into_iter().filter(|(_, state)| in_use(state)).map(|(id, _)| id));
            token = next;
            if token.is_none() {
                return Ok(Arc::new(members));
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
    use crate::aws::scene::{Scene, accounts, refusal};

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

    /// Roles that refuse, in an organization that answers for one account and lists them all.
    fn refusing(words: &'static str, of_one: (u16, &'static str), list: (u16, String)) -> Scene {
        Scene::new(move |asked| match asked.action.as_str() {
            "AssumeRole" => {
                let text = format!("User: hub is not authorized to perform: sts:AssumeRole on resource: role{words}");
                Some(refusal(403, "AccessDenied", &text))
            }
            "DescribeAccount" => Some((of_one.0, of_one.1.to_owned())),
            "ListAccounts" => Some(list.clone()),
            _ => None,
        })
    }

    const SUSPENDED: (u16, &str) = (200, r#"{"Account":{"Id":"200000000000","State":"SUSPENDED"}}"#);
    const DENIED: (u16, &str) = (400, r#"{"__type":"AccessDeniedException","Message":"no"}"#);

    fn listed(of: usize, suspended: &str) -> (u16, String) {
        let state = |id: &str| if id == suspended { "SUSPENDED" } else { "ACTIVE" };
        let account = |id: AccountId| format!(r#"{{"Id":"{id}","State":"{}"}}"#, state(id.as_str()));
        let all: Vec<String> = accounts(of).into_iter().map(account).collect();
        (200, format!(r#"{{"Accounts":[{}]}}"#, all.join(",")))
    }

    /// How many accounts are found to leave.
    async fn leaving(scene: &Scene, of: usize) -> usize {
        let (sessions, mut leaving) = (scene.sessions(4), 0);
        for account in accounts(of) {
            let error = sessions.check_access(&account).await.unwrap_err();
            leaving += usize::from(matches!(error.fault, Fault::AccountLeaving { .. }));
        }
        leaving
    }

    #[tokio::test(start_paused = true)]
    async fn many_refusals_are_looked_up_in_one_list() {
        let active = (200, r#"{"Account":{"Id":"200000000000","State":"ACTIVE"}}"#);
        let scene = refusing("", active, listed(200, ""));
        assert_eq!(leaving(&scene, 200).await, 0);
        assert_eq!((scene.asked("DescribeAccount").len(), scene.asked("ListAccounts").len()), (SINGLY, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_list_says_of_an_account_that_leaves_is_confirmed_by_itself() {
        let scene = refusing("", SUSPENDED, listed(40, "200000000030"));
        assert_eq!(leaving(&scene, 40).await, SINGLY + 1);
        assert_eq!(scene.asked("DescribeAccount").len(), SINGLY + 1);

        let without = refusing("", SUSPENDED, (DENIED.0, DENIED.1.to_owned()));
        assert_eq!(leaving(&without, 40).await, 40, "without the list each is asked for");
        assert_eq!(without.asked("ListAccounts").len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_account_that_is_not_told_of_says_nothing_of_others() {
        let first = AtomicBool::new(true);
        let scene = Scene::new(move |asked| match asked.action.as_str() {
            "AssumeRole" => Some(refusal(403, "AccessDenied", "Access denied")),
            "DescribeAccount" => {
                let answer = if first.swap(false, Ordering::SeqCst) { DENIED } else { SUSPENDED };
                Some((answer.0, answer.1.to_owned()))
            }
            _ => None,
        });
        assert_eq!(leaving(&scene, 5).await, 4);

        let denied = refusing("", DENIED, listed(9, ""));
        assert_eq!(leaving(&denied, 9).await, 0);
        assert_eq!(denied.asked("DescribeAccount").len(), MOST_DENIED, "then nobody asks any more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_policy_of_the_hub_is_no_reason_to_ask_how_an_account_stands() {
        let scene =
            refusing(" because no identity-based policy allows the sts:AssumeRole action", SUSPENDED, listed(2, ""));
        assert_eq!(leaving(&scene, 2).await, 0);
        assert_eq!(scene.asked("DescribeAccount").len(), 0);
    }
}
