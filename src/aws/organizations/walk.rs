//! The calls: one level of the tree after the other, all parents of a level at the same time.

use std::collections::BTreeMap;

use aws_sdk_organizations::Client;
use aws_sdk_organizations::types as sdk;
use aws_smithy_types::date_time::Format;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::path::UnitPath;
use super::tree::{Account, OrganizationTree, Unit};
use crate::access::AccountId;
use crate::aws::{Call, Error, Fault, Sessions};

/// Parents or accounts that are asked for at the same time. Organizations has one endpoint for all and throttles early.
const AT_ONCE: usize = 8;

impl Sessions {
    /// Reads the organization: its units and accounts, without tags.
    ///
    /// # Errors
    /// [`Fault::NoOrganization`], or [`Fault::AccessDenied`] outside the management account and the delegated
    /// administrators.
    pub async fn organization(&self) -> Result<OrganizationTree, Error> {
        let (client, call) = self.organizations().await?;
        let walker = Walker { client, call };
        let mut level = walker.roots().await?;
        let mut tree = OrganizationTree::default();
        while !level.is_empty() {
            let parents: Vec<_> = level.iter().map(|unit| walker.children(unit)).collect();
            let children: Vec<_> = stream::iter(parents).buffer_unordered(AT_ONCE).try_collect().await?;
            tree.units.append(&mut level);
            for (mut units, mut accounts) in children {
                level.append(&mut units);
                tree.accounts.append(&mut accounts);
            }
        }
        tree.sort();
        Ok(tree)
    }

    /// The tags of accounts, one call per account.
    ///
    /// # Errors
    /// As [`Sessions::organization`].
    pub async fn account_tags(
        &self,
        ids: impl IntoIterator<Item = AccountId>,
    ) -> Result<BTreeMap<AccountId, BTreeMap<String, String>>, Error> {
        let (client, call) = self.organizations().await?;
        let walker = &Walker { client, call };
        let tags = |id: AccountId| async move { Ok((id.clone(), walker.tags(&id).await?)) };
        stream::iter(ids.into_iter().map(tags)).buffer_unordered(AT_ONCE).try_collect().await
    }
}

struct Walker {
    client: Client,
    call: Call,
}

impl Walker {
    fn call(&self, action: &'static str, resource: &str) -> Call {
        Call { action, resource: Some(resource.to_owned()), ..self.call.clone() }
    }

    async fn roots(&self) -> Result<Vec<Unit>, Error> {
        let mut pages = self.client.list_roots().into_paginator().send();
        let mut roots = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| self.call.clone().refused(&e))?;
            roots.extend(page.roots.unwrap_or_default().into_iter().map(|root| {
                let name = root.name.unwrap_or_else(|| "Root".to_owned());
                Unit { id: root.id.unwrap_or_default(), path: UnitPath::root(&name), name }
            }));
        }
        if roots.is_empty() {
            let text = "AWS lists no root for this caller".to_owned();
            return Err(self.call.clone().failed(Fault::NoOrganization(text)));
        }
        Ok(roots)
    }

    async fn children(&self, parent: &Unit) -> Result<(Vec<Unit>, Vec<Account>), Error> {
        tokio::try_join!(self.units(parent), self.accounts(parent))
    }

    async fn units(&self, parent: &Unit) -> Result<Vec<Unit>, Error> {
        let request = self.client.list_organizational_units_for_parent().parent_id(&parent.id);
        let call = || self.call("organizations:ListOrganizationalUnitsForParent", &parent.path.to_string());
        let mut pages = request.into_paginator().send();
        let mut units = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| call().refused(&e))?;
            units.extend(page.organizational_units.unwrap_or_default().into_iter().map(|unit| {
                let name = unit.name.unwrap_or_default();
                Unit { id: unit.id.unwrap_or_default(), path: parent.path.child(&name), name }
            }));
        }
        Ok(units)
    }

    async fn accounts(&self, parent: &Unit) -> Result<Vec<Account>, Error> {
        let mut pages = self.client.list_accounts_for_parent().parent_id(&parent.id).into_paginator().send();
        let call = || self.call("organizations:ListAccountsForParent", &parent.path.to_string());
        let mut accounts = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| call().refused(&e))?;
            for found in page.accounts.unwrap_or_default() {
                accounts.push(account(found, parent).map_err(|text| call().failed(Fault::Unexpected(text)))?);
            }
        }
        Ok(accounts)
    }

    async fn tags(&self, id: &AccountId) -> Result<BTreeMap<String, String>, Error> {
        let request = self.client.list_tags_for_resource().resource_id(id.as_str());
        let mut pages = request.into_paginator().send();
        let mut tags = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| self.call("organizations:ListTagsForResource", id.as_str()).refused(&e))?;
            tags.extend(page.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)));
        }
        Ok(tags)
    }
}

fn account(found: sdk::Account, parent: &Unit) -> Result<Account, String> {
    let id = found.id.unwrap_or_default();
    Ok(Account {
        id: id.parse().map_err(|e: crate::access::Invalid| e.0)?,
        name: found.name.unwrap_or_default(),
        email: found.email.unwrap_or_default(),
        arn: found.arn.unwrap_or_default(),
        status: status(found.state.as_ref(), found.status.as_ref()),
        joined_method: found.joined_method.map(|m| m.as_str().to_owned()).unwrap_or_default(),
        joined_at: found.joined_timestamp.and_then(|t| t.fmt(Format::DateTime).ok()),
        ou_id: parent.id.clone(),
        ou_path: parent.path.clone(),
        tags: BTreeMap::new(),
    })
}

/// `State` is the successor of `Status` and tells more; endpoints that do not send it yet send `Status`.
pub(super) fn status(state: Option<&sdk::AccountState>, status: Option<&sdk::AccountStatus>) -> String {
    state.map(|s| s.as_str()).or(status.map(|s| s.as_str())).unwrap_or("UNKNOWN").to_owned()
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;

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
        assert_eq!(status(None, Some(&sdk::AccountStatus::Suspended)), "SUSPENDED");
        assert_eq!(status(None, None), "UNKNOWN");
    }

    #[test]
    fn an_answer_without_an_account_id_is_an_error() {
        assert!(account(sdk::Account::builder().build(), &unit()).is_err());
    }
}
