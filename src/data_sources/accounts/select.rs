//! Which of the accounts are wanted.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::organizations::{Account, OrganizationTree, Selection};
use crate::data_sources::tags;
use crate::report::Report;
use crate::value::Path;

use super::model::Accounts;

/// The accounts that every filter but `tags` leaves, by id.
///
/// # Errors
/// A unit that the organization does not have.
pub(super) fn by_place_and_status<'t>(
    tree: &'t OrganizationTree,
    query: &Accounts,
) -> Result<Vec<&'t Account>, Report> {
    let units = query.organizational_units.get().map(|names| names.iter().map(|name| name.unit()).collect());
    let statuses: Option<BTreeSet<String>> =
        query.statuses.get().map(|all| all.iter().map(ToString::to_string).collect());
    let selection = Selection {
        units: units.unwrap_or_default(),
        recursive: query.recursive.get() != Some(&false),
        statuses: statuses.unwrap_or_default(),
        exclude_ids: query.exclude_ids.get().cloned().unwrap_or_default(),
    };
    tree.select(&selection).map_err(|unknown| {
        Report::error(
            "No such organizational unit",
            format!(
                "{}\n\nCorrect the path, with capitals as AWS Organizations shows them, or give the id (`ou-…`).",
                crate::report::sentence(&unknown.to_string())
            ),
        )
        .at(Path::root().field("organizational_units"))
    })
}

/// Whether the tags of the accounts decide.
pub(super) fn filters_by_tags(query: &Accounts) -> bool {
    query.tags.get().is_some_and(|tags| !tags.is_empty())
}

/// Whether an account has all the tags that are asked for.
pub(super) fn has_tags(query: &Accounts, tags: Option<&BTreeMap<String, String>>) -> bool {
    let none = BTreeMap::new();
    query.tags.get().is_none_or(|wanted| tags::has_tags(tags.unwrap_or(&none), wanted))
}

#[cfg(test)]
mod tests {
    use crate::aws::organizations::{Unit, UnitPath};

    use super::*;

    /// Root (1), Root/Prod (2, 3 suspended), Root/Prod/R\/D (4)
    fn tree() -> OrganizationTree {
        let (root, mut units, mut accounts) = (UnitPath::root("Root"), Vec::new(), Vec::new());
        let paths = [root.clone(), root.child("Prod"), root.child("Prod").child("R/D")];
        for (number, path) in paths.into_iter().enumerate() {
            let id = if number == 0 { "r-ab12".to_owned() } else { format!("ou-ab12-0000000{number}") };
            units.push(Unit { id, name: String::new(), path });
        }
        for (id, unit, status) in [(1, 0, "ACTIVE"), (2, 1, "ACTIVE"), (3, 1, "SUSPENDED"), (4, 2, "ACTIVE")] {
            accounts.push(Account {
                id: format!("{id}00000000000").parse().unwrap(),
                name: String::new(),
                email: String::new(),
                arn: String::new(),
                status: status.to_owned(),
                joined_method: String::new(),
                joined_at: None,
                ou_id: units[unit].id.clone(),
                ou_path: units[unit].path.clone(),
            });
        }
        OrganizationTree { units, accounts }
    }

    /// First digits of the chosen ids.
    fn chosen(query: &Accounts) -> String {
        by_place_and_status(&tree(), query).unwrap().iter().map(|a| &a.id.as_str()[..1]).collect()
    }

    fn in_units(names: &[&str]) -> Accounts {
        let units: BTreeSet<_> = names.iter().map(|name| name.parse().unwrap()).collect();
        Accounts { organizational_units: units.into(), ..Default::default() }
    }

    #[test]
    fn units_are_found_by_id_and_by_path_with_escapes() {
        assert_eq!(chosen(&Accounts::default()), "1234");
        assert_eq!(chosen(&in_units(&["Root/Prod"])), "234");
        assert_eq!(chosen(&in_units(&["Root/Prod/R\\/D"])), "4");
        assert_eq!(chosen(&Accounts { recursive: false.into(), ..in_units(&["ou-ab12-00000001", "r-ab12"]) }), "123");
    }

    #[test]
    fn statuses_and_exclusions_narrow_the_choice() {
        let query = Accounts {
            statuses: BTreeSet::from([super::super::model::Status::Active]).into(),
            exclude_ids: BTreeSet::from(["400000000000".parse().unwrap()]).into(),
            ..Default::default()
        };
        assert_eq!(chosen(&query), "12");
    }

    #[test]
    fn a_unit_that_is_not_there_is_named_at_its_attribute() {
        let report = by_place_and_status(&tree(), &in_units(&["Root/prod"])).unwrap_err();
        assert_eq!(report.attribute, Some(Path::root().field("organizational_units")));
        assert!(report.detail.contains("`Root/prod`") && report.detail.contains("Root/Prod"), "{}", report.detail);
    }

    #[test]
    fn every_tag_must_be_there() {
        let map = |tags: &[(&str, &str)]| -> BTreeMap<String, String> {
            tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let query = Accounts { tags: map(&[("env", "prod"), ("team", "*")]).into(), ..Default::default() };
        assert!(filters_by_tags(&query) && !filters_by_tags(&Accounts::default()));
        assert!(has_tags(&query, Some(&map(&[("env", "prod"), ("team", "a"), ("more", "b")]))));
        assert!(!has_tags(&query, Some(&map(&[("env", "prod")]))));
        assert!(!has_tags(&query, Some(&map(&[("env", "test"), ("team", "a")]))));
        assert!(!has_tags(&query, None));
        assert!(has_tags(&Accounts::default(), None));
    }
}
