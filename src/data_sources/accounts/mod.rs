//! `rdsaccess_accounts`: the accounts of the organization, with the tree of organizational units.

mod access;
mod handle;
mod model;
mod select;

use std::collections::{BTreeMap, BTreeSet};

use crate::access::AccountId;
use crate::aws;
use crate::aws::organizations::{Account, OrganizationTree};
use crate::context::Context;
use crate::data_sources::shard;
use crate::report::Report;
use crate::schema::{Attr, DataSource, Query, Reports};

use model::{AccountModel, Accounts, UnitModel};

/// The data source.
pub struct AccountsDataSource;

impl DataSource for AccountsDataSource {
    type Context = Context;
    type Model = Accounts;

    const NAME: &'static str = "rdsaccess_accounts";
    const SUBCATEGORY: &'static str = "Discovery";

    fn validate(config: &Accounts) -> Vec<Report> {
        shard::validate(&config.shard)
    }

    async fn read(&self, context: &Context, query: &mut Query<Accounts>) -> Result<(), Reports> {
        let sessions = context.aws()?;
        let tree = sessions.organization().await?;
        let mut chosen = select::by_place_and_status(&tree, &query.state)?;
        if let Some(shard) = shard::parse(&query.state.shard)? {
            chosen.retain(|account| shard.holds(&account.id));
        }
        let wants_tags = query.state.include_tags.get() == Some(&true) || select::filters_by_tags(&query.state);
        let tags = if wants_tags { Some(tags_of(sessions, &chosen).await?) } else { None };
        if let Some(tags) = &tags {
            chosen.retain(|account| select::has_tags(&query.state, tags.get(&account.id)));
        }
        fill(&mut query.state, &tree, &chosen, tags);
        if query.state.check_access.get() == Some(&true) {
            access::check(sessions, &mut query.state, &chosen).await;
        }
        Ok(())
    }
}

/// Tags by account.
type Tags = BTreeMap<AccountId, BTreeMap<String, String>>;

/// One call per account, so only for those that the other filters leave.
async fn tags_of(sessions: &aws::Sessions, accounts: &[&Account]) -> Result<Tags, aws::Error> {
    let ids: Vec<AccountId> = accounts.iter().map(|account| account.id.clone()).collect();
    sessions.account_tags(ids).await
}

fn fill(state: &mut Accounts, tree: &OrganizationTree, chosen: &[&Account], mut tags: Option<Tags>) {
    let prefix = state.handle_prefix.get().cloned().unwrap_or_default();
    let accounts = chosen.iter().map(|account| {
        let handle = handle::handle(account);
        let tags = tags.as_mut().map(|tags| tags.remove(&account.id).unwrap_or_default());
        (account.id.to_string(), AccountModel::new(account, format!("{prefix}{handle}"), tags))
    });
    let mut held: BTreeMap<&str, BTreeSet<AccountId>> = BTreeMap::new();
    for account in chosen {
        held.entry(&account.ou_id).or_default().insert(account.id.clone());
    }
    let units = tree
        .units
        .iter()
        .map(|unit| (unit.path.to_string(), UnitModel::new(unit, held.remove(unit.id.as_str()).unwrap_or_default())));
    state.accounts = Attr::Known(accounts.collect());
    state.units = Attr::Known(units.collect());
    state.ids = Attr::Known(chosen.iter().map(|account| account.id.clone()).collect());
}

#[cfg(test)]
mod tests {
    use crate::aws::organizations::{Unit, UnitPath};

    use super::*;

    fn tree() -> OrganizationTree {
        let root = UnitPath::root("Root");
        let unit = |id: &str, name: &str, path: &UnitPath| Unit {
            id: id.to_owned(),
            name: name.to_owned(),
            path: path.clone(),
        };
        let account = |id: &str, unit: &Unit| Account {
            id: id.parse().unwrap(),
            name: "Payments".to_owned(),
            email: "a@example.com".to_owned(),
            arn: "arn".to_owned(),
            status: "ACTIVE".to_owned(),
            joined_method: "CREATED".to_owned(),
            joined_at: None,
            ou_id: unit.id.clone(),
            ou_path: unit.path.clone(),
        };
        let units = vec![unit("r-ab12", "Root", &root), unit("ou-ab12-00000001", "R/D", &root.child("R/D"))];
        let accounts = vec![account("100000000001", &units[0]), account("200000000002", &units[1])];
        OrganizationTree { units, accounts }
    }

    #[test]
    fn a_unit_holds_the_chosen_accounts_and_names_its_parent() {
        let (tree, mut state) = (tree(), Accounts::default());
        fill(&mut state, &tree, &[&tree.accounts[1]], None);
        let units = state.units.into_known().unwrap();
        assert_eq!(units.keys().collect::<Vec<_>>(), ["Root", "Root/R\\/D"]);
        assert_eq!(units["Root"].parent_path, Attr::Null);
        assert_eq!(units["Root"].account_ids, Attr::Known(Default::default()));
        assert_eq!(units["Root/R\\/D"].parent_path.get().map(String::as_str), Some("Root"));
        assert_eq!(units["Root/R\\/D"].account_ids, state.ids);
    }

    #[test]
    fn a_handle_has_the_prefix_and_is_the_same_whatever_the_filters_leave() {
        let (tree, mut state) = (tree(), Accounts { handle_prefix: "aws-".to_owned().into(), ..Default::default() });
        let handle = |state: &Accounts| state.accounts.get().unwrap()["200000000002"].handle.clone();
        fill(&mut state, &tree, &tree.accounts.iter().collect::<Vec<_>>(), None);
        assert_eq!(handle(&state).get().map(String::as_str), Some("aws-payments-2jvmu3nm"));
        fill(&mut state, &tree, &[&tree.accounts[1]], None);
        assert_eq!(handle(&state).get().map(String::as_str), Some("aws-payments-2jvmu3nm"));
    }

    #[test]
    fn tags_are_null_unless_they_were_read() {
        let (tree, mut state) = (tree(), Accounts::default());
        fill(&mut state, &tree, &[&tree.accounts[0]], None);
        assert!(state.accounts.get().unwrap()["100000000001"].tags.is_null());
        fill(&mut state, &tree, &[&tree.accounts[0]], Some(Tags::new()));
        assert_eq!(state.accounts.get().unwrap()["100000000001"].tags, Attr::Known(BTreeMap::new()));
    }
}
