//! Which accounts of the tree are meant. Pure.

use std::collections::BTreeSet;

use super::path::{UnitPath, UnitRef};
use super::tree::{Account, OrganizationTree};
use crate::access::{AccountId, list_names};

/// A choice of accounts; an empty list does not restrict.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Units to look in; empty for all
    pub units: Vec<UnitRef>,
    /// Whether units below those are meant too
    pub recursive: bool,
    /// Statuses to take; empty for all
    pub statuses: BTreeSet<String>,
    /// Accounts to leave out
    pub exclude_ids: BTreeSet<AccountId>,
}

/// A unit that the organization does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the organization has no unit `{name}`; it has {known}")]
pub struct UnknownUnit {
    /// As it was written
    pub name: String,
    known: String,
}

impl OrganizationTree {
    /// The chosen accounts, by id.
    ///
    /// # Errors
    /// A unit that does not exist: a misspelt name must not select nothing.
    pub fn select(&self, selection: &Selection) -> Result<Vec<&Account>, UnknownUnit> {
        let units = selection.units.iter().map(|u| self.path_of(u)).collect::<Result<Vec<_>, _>>()?;
        let in_units = |a: &Account| {
            let held = |unit: &&UnitPath| {
                if selection.recursive { unit.contains(&a.ou_path) } else { **unit == a.ou_path }
            };
            units.is_empty() || units.iter().any(held)
        };
        let chosen = |a: &&Account| {
            in_units(a)
                && (selection.statuses.is_empty() || selection.statuses.contains(&a.status))
                && !selection.exclude_ids.contains(&a.id)
        };
        Ok(self.accounts.iter().filter(chosen).collect())
    }

    fn path_of(&self, wanted: &UnitRef) -> Result<&UnitPath, UnknownUnit> {
        let found = self.units.iter().find(|unit| match wanted {
            UnitRef::Id(id) => unit.id == *id,
            UnitRef::Path(path) => unit.path == *path,
        });
        found.map(|unit| &unit.path).ok_or_else(|| {
            let mut known: Vec<&UnitPath> = self.units.iter().map(|unit| &unit.path).collect();
            if let UnitRef::Path(path) = wanted {
                known.sort_by_cached_key(|unit| std::cmp::Reverse(path.likeness(unit)));
            }
            let known: Vec<String> = known.into_iter().map(ToString::to_string).collect();
            UnknownUnit { name: wanted.to_string(), known: list_names(&known) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Unit;
    use super::*;

    fn unit(id: &str, path: &str) -> Unit {
        Unit { id: id.to_owned(), name: path.rsplit('/').next().unwrap().to_owned(), path: path.parse().unwrap() }
    }

    fn account(id: &str, unit: &Unit, status: &str) -> Account {
        Account {
            id: id.parse().unwrap(),
            name: String::new(),
            email: String::new(),
            arn: String::new(),
            status: status.to_owned(),
            joined_method: "CREATED".to_owned(),
            joined_at: None,
            ou_id: unit.id.clone(),
            ou_path: unit.path.clone(),
        }
    }

    /// Root (1), Root/Prod (2, 3 suspended), Root/Prod/EU (4), Root/Production (5)
    fn tree() -> OrganizationTree {
        let units = [
            unit("r-ab12", "Root"),
            unit("ou-ab12-00000001", "Root/Prod"),
            unit("ou-ab12-00000002", "Root/Prod/EU"),
            unit("ou-ab12-00000003", "Root/Production"),
        ];
        let accounts = vec![
            account("100000000000", &units[0], "ACTIVE"),
            account("200000000000", &units[1], "ACTIVE"),
            account("300000000000", &units[1], "SUSPENDED"),
            account("400000000000", &units[2], "ACTIVE"),
            account("500000000000", &units[3], "ACTIVE"),
        ];
        OrganizationTree { units: units.to_vec(), accounts }
    }

    /// First digits of the chosen ids.
    fn chosen(selection: &Selection) -> String {
        tree().select(selection).unwrap().iter().map(|a| &a.id.as_str()[..1]).collect()
    }

    fn units_of(names: &[&str]) -> Vec<UnitRef> {
        names.iter().map(|n| n.parse().unwrap()).collect()
    }

    #[test]
    fn without_restrictions_every_account_is_chosen() {
        assert_eq!(chosen(&Selection::default()), "12345");
    }

    #[test]
    fn units_are_chosen_by_path_or_id_with_or_without_what_is_below() {
        for name in ["Root/Prod", "ou-ab12-00000001"] {
            let all = Selection { units: units_of(&[name]), recursive: true, ..Selection::default() };
            assert_eq!(chosen(&all), "234", "{name}");
            assert_eq!(chosen(&Selection { recursive: false, ..all }), "23", "{name}");
        }
        let two = Selection { units: units_of(&["Root/Prod/EU", "Root/Production"]), ..Selection::default() };
        assert_eq!(chosen(&two), "45");
    }

    #[test]
    fn statuses_and_exclusions_narrow_the_choice() {
        let active = Selection { statuses: BTreeSet::from(["ACTIVE".to_owned()]), ..Selection::default() };
        assert_eq!(chosen(&active), "1245");
        let exclude_ids = BTreeSet::from(["400000000000".parse().unwrap()]);
        assert_eq!(chosen(&Selection { exclude_ids, ..active }), "125");
    }

    #[test]
    fn a_misspelt_unit_is_an_error_that_lists_what_there_is() {
        let wrong = Selection { units: units_of(&["Root/Prdo"]), ..Selection::default() };
        let text = tree().select(&wrong).unwrap_err().to_string();
        assert!(text.contains("`Root/Prdo`") && text.contains("Root/Production"), "{text}");
    }

    #[test]
    fn the_units_that_may_be_meant_come_first() {
        let paths = (0..30).map(|n| format!("Root/A{n}"));
        let paths = paths.chain(["Root/New/Payments", "Root/Zoo", "Root/Zoo/Lions"].map(str::to_owned));
        let units = paths.map(|path| unit("ou-ab12-00000001", &path)).collect();
        let tree = OrganizationTree { units, accounts: Vec::new() };
        let first = |wanted: &str| {
            let wrong = Selection { units: units_of(&[wanted]), ..Selection::default() };
            let text = tree.select(&wrong).unwrap_err().to_string();
            assert!(text.ends_with("and 23 more"), "{text}");
            text.split("it has ").nth(1).unwrap().split(", ").next().unwrap().to_owned()
        };
        assert_eq!(first("root/zoo"), "Root/Zoo", "capitals");
        assert_eq!(first("Root/Old/Payments"), "Root/New/Payments", "it was moved");
        assert_eq!(first("Root/Zoo/Loins"), "Root/Zoo/Lions", "misspelt");
    }
}
