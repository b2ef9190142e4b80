//! The calls to Organizations, one page each, and what the answers say.

use std::collections::BTreeMap;

use aws_sdk_organizations::Client;
use aws_sdk_organizations::types as sdk;
use aws_smithy_types::date_time::Format;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::path::UnitPath;
use super::tree::{Account, Unit};
use super::walk::{Listing, Page, Pages};
use crate::access::AccountId;
use crate::aws::{Call, Error, Fault};

/// The largest page that Organizations gives; without it the size is up to each action.
const PAGE_SIZE: i32 = 20;

/// An account and its state, or what is wrong with that.
pub(super) type Stated = (AccountId, Result<String, String>);

/// The client with what its errors name.
pub(super) struct Reader {
    pub(super) client: Client,
    pub(super) call: Call,
    /// Calls that are worth having under way at the same time
    pub(super) at_once: usize,
}

impl Pages for Reader {
    async fn page(&self, of: &Listing, token: Option<String>) -> Result<Page, Error> {
        match of {
            Listing::Roots => self.roots(token).await,
            Listing::Units(parent) => self.units(parent, token).await,
            Listing::Accounts(parent) => self.accounts(parent, token).await,
            Listing::Every => self.every(token).await,
        }
    }
}

impl Reader {
    /// The tags of accounts, one call for each.
    pub(super) async fn tags_of(
        &self,
        ids: impl IntoIterator<Item = AccountId>,
    ) -> Result<BTreeMap<AccountId, BTreeMap<String, String>>, Error> {
        let tags = |id: AccountId| async move { Ok((id.clone(), self.tags(&id).await?)) };
        stream::iter(ids.into_iter().map(tags)).buffer_unordered(self.at_once).try_collect().await
    }

    fn call(&self, action: &'static str, resource: &str) -> Call {
        Call { action, resource: Some(resource.to_owned()), ..self.call.clone() }
    }

    async fn roots(&self, token: Option<String>) -> Result<Page, Error> {
        let request = self.client.list_roots().max_results(PAGE_SIZE).set_next_token(token.clone());
        let found = request.send().await.map_err(|e| self.call.clone().refused(&e))?;
        let roots = listed(found.roots, "roots").map_err(|fault| self.call.clone().failed(fault))?;
        let units: Vec<Unit> = roots.into_iter().map(root).collect();
        if token.is_none() && units.is_empty() && found.next_token.is_none() {
            let text = "AWS lists no root for this caller".to_owned();
            return Err(self.call.clone().failed(Fault::NoOrganization(text)));
        }
        Ok(Page { units, next: found.next_token, ..Page::default() })
    }

    async fn units(&self, parent: &Unit, token: Option<String>) -> Result<Page, Error> {
        let request = self.client.list_organizational_units_for_parent().parent_id(&parent.id);
        let call = || self.call("organizations:ListOrganizationalUnitsForParent", &parent.path.to_string());
        let answer = request.max_results(PAGE_SIZE).set_next_token(token).send().await;
        let found = answer.map_err(|e| call().refused(&e))?;
        let units = listed(found.organizational_units, "organizational units").map_err(|fault| call().failed(fault))?;
        let units = units.into_iter().map(|found| unit(found, parent));
        Ok(Page { units: units.collect(), next: found.next_token, ..Page::default() })
    }

    async fn accounts(&self, parent: &Unit, token: Option<String>) -> Result<Page, Error> {
        let request = self.client.list_accounts_for_parent().parent_id(&parent.id);
        let call = || self.call("organizations:ListAccountsForParent", &parent.path.to_string());
        let answer = request.max_results(PAGE_SIZE).set_next_token(token).send().await;
        let found = answer.map_err(|e| call().refused(&e))?;
        let accounts = listed(found.accounts, "accounts").map_err(|fault| call().failed(fault))?;
        let accounts: Result<Vec<Account>, String> = accounts.into_iter().map(|found| account(found, parent)).collect();
        let accounts = accounts.map_err(|text| call().failed(Fault::Unexpected(text)))?;
        Ok(Page { accounts, next: found.next_token, ..Page::default() })
    }

    async fn every(&self, token: Option<String>) -> Result<Page, Error> {
        let (accounts, next) = self.everyone(token).await?;
        Ok(Page { members: accounts.into_iter().map(|(id, _)| id).collect(), next, ..Page::default() })
    }

    /// One page of all accounts, each with its state or what is wrong with that, and where the next page begins.
    pub(super) async fn everyone(&self, token: Option<String>) -> Result<(Vec<Stated>, Option<String>), Error> {
        let request = self.client.list_accounts().max_results(PAGE_SIZE).set_next_token(token);
        let call = || Call { action: "organizations:ListAccounts", ..self.call.clone() };
        let found = request.send().await.map_err(|e| call().refused(&e))?;
        let accounts = listed(found.accounts, "accounts").map_err(|fault| call().failed(fault))?;
        let stated = |found: sdk::Account| {
            let state = status(found.state.as_ref(), found.status.as_ref());
            found.id.unwrap_or_default().parse().map(|id| (id, state))
        };
        let accounts: Result<Vec<Stated>, crate::access::Invalid> = accounts.into_iter().map(stated).collect();
        Ok((accounts.map_err(|e| call().failed(Fault::Unexpected(e.0)))?, found.next_token))
    }

    async fn tags(&self, id: &AccountId) -> Result<BTreeMap<String, String>, Error> {
        let (mut tags, mut token) = (BTreeMap::new(), None);
        loop {
            let request = self.client.list_tags_for_resource().resource_id(id.as_str());
            let call = || self.call("organizations:ListTagsForResource", id.as_str());
            let found = request.set_next_token(token).send().await.map_err(|e| call().refused(&e))?;
            let page = listed(found.tags, "tags").map_err(|fault| call().failed(fault))?;
            tags.extend(page.into_iter().map(|tag| (tag.key, tag.value)));
            token = found.next_token;
            if token.is_none() {
                return Ok(tags);
            }
        }
    }
}

/// A list that an answer has to hold. One without it tells nothing, and an organization without accounts would be taken
/// for one that lost them.
fn listed<T>(list: Option<Vec<T>>, of: &str) -> Result<Vec<T>, Fault> {
    list.ok_or_else(|| Fault::Unexpected(format!("the answer holds no list of {of}")))
}

fn root(found: sdk::Root) -> Unit {
    let name = found.name.unwrap_or_else(|| "Root".to_owned());
    Unit { id: found.id.unwrap_or_default(), path: UnitPath::root(&name), name }
}

fn unit(found: sdk::OrganizationalUnit, parent: &Unit) -> Unit {
    let name = found.name.unwrap_or_default();
    Unit { id: found.id.unwrap_or_default(), path: parent.path.child(&name), name }
}

fn account(found: sdk::Account, parent: &Unit) -> Result<Account, String> {
    let id: AccountId = found.id.unwrap_or_default().parse().map_err(|e: crate::access::Invalid| e.0)?;
    let status =
        status(found.state.as_ref(), found.status.as_ref()).map_err(|text| format!("account {id} has {text}"))?;
    Ok(Account {
        id,
        name: found.name.unwrap_or_default(),
        email: found.email.unwrap_or_default(),
        arn: found.arn.unwrap_or_default(),
        status,
        joined_method: found.joined_method.map(|m| m.as_str().to_owned()).unwrap_or_default(),
        joined_at: found.joined_timestamp.and_then(|t| t.fmt(Format::DateTime).ok()),
        ou_id: parent.id.clone(),
        ou_path: parent.path.clone(),
    })
}

/// `State` is the successor of `Status` and tells more; endpoints that do not send it yet send `Status`. A word that is
/// none of `State` fits no filter, and the account would leave every list without a word.
pub(super) fn status(state: Option<&sdk::AccountState>, status: Option<&sdk::AccountStatus>) -> Result<String, String> {
    let word = state.map(|s| s.as_str()).or(status.map(|s| s.as_str()));
    let word = word.ok_or_else(|| "neither a `State` nor a `Status`".to_owned())?;
    if sdk::AccountState::values().contains(&word) {
        Ok(word.to_owned())
    } else {
        Err(format!("the state `{word}`, which this version does not know"))
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;
    use crate::aws::scene::Scene;

    fn unit() -> Unit {
        Unit { id: "ou-ab12-00000001".to_owned(), name: "Prod".to_owned(), path: "Root/Prod".parse().unwrap() }
    }

    #[test]
    fn an_account_keeps_what_aws_tells_and_where_it_was_found() {
        let found = sdk::Account::builder()
            .id("123456789012")
            .name("prod")
            .status(sdk::AccountStatus::Active)
            .state(sdk::AccountState::PendingClosure)
            .joined_method(sdk::AccountJoinedMethod::Invited)
            .joined_timestamp(DateTime::from_secs(1_800_000_000))
            .build();
        let account = account(found, &unit()).unwrap();
        assert_eq!((account.status.as_str(), account.joined_method.as_str()), ("PENDING_CLOSURE", "INVITED"));
        assert_eq!(account.joined_at.as_deref(), Some("2027-01-15T08:00:00Z"));
        assert_eq!(account.ou_path.to_string(), "Root/Prod");
    }

    #[test]
    fn an_endpoint_without_the_new_field_still_tells_the_status() {
        assert_eq!(status(None, Some(&sdk::AccountStatus::Suspended)), Ok("SUSPENDED".to_owned()));
        let found = sdk::Account::builder().id("123456789012").status(sdk::AccountStatus::Suspended).build();
        assert_eq!(account(found, &unit()).unwrap().status, "SUSPENDED");
    }

    #[test]
    fn an_account_whose_state_is_missing_or_not_known_is_an_error() {
        let found = || sdk::Account::builder().id("123456789012");
        let said = |found: sdk::Account| account(found, &unit()).unwrap_err();
        assert!(said(found().build()).contains("123456789012 has neither"));
        let new = found().state(sdk::AccountState::from("QUARANTINED")).status(sdk::AccountStatus::Active);
        assert!(said(new.build()).contains("the state `QUARANTINED`"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_without_its_list_is_no_empty_list() {
        for silent in ["ListRoots", "ListAccounts", "ListAccountsForParent", "ListOrganizationalUnitsForParent"] {
            let scene = Scene::new(move |asked| {
                let list = match asked.action.as_str() {
                    action if action == silent => "{}",
                    "ListRoots" => r#"{"Roots":[{"Id":"r-ab12","Name":"Root"}]}"#,
                    "ListAccounts" | "ListAccountsForParent" => r#"{"Accounts":[]}"#,
                    "ListOrganizationalUnitsForParent" => r#"{"OrganizationalUnits":[]}"#,
                    _ => return None,
                };
                Some((200, list.to_owned()))
            });
            let error = scene.sessions(4).organization().await.unwrap_err();
            assert!(matches!(&error.fault, Fault::Unexpected(text) if text.contains("no list of")), "{error}");
            assert!(error.to_string().contains(silent), "{error}");
        }
    }

    #[test]
    fn an_answer_without_an_account_id_is_an_error() {
        assert!(account(sdk::Account::builder().build(), &unit()).is_err());
    }
}
