//! Readable keys of accounts.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::AccountId;

/// What stands for a name without any letter or digit of ASCII.
const NAMELESS: &str = "account";
/// Digits of the id that tell namesakes apart, where these are enough.
const FEWEST_DIGITS: usize = 4;

/// One handle per account, of `[a-z0-9-]`, no two the same. They follow from all accounts of the organization, so the
/// caller must not filter before: an account would be renamed when a filter hides its namesake.
pub(super) fn handles<'a>(accounts: impl IntoIterator<Item = (&'a AccountId, &'a str)>) -> BTreeMap<AccountId, String> {
    let mut drafts: Vec<Draft<'a>> =
        accounts.into_iter().map(|(id, name)| Draft { id, name: clean(name), digits: 0 }).collect();
    loop {
        let taken_twice = taken_twice(&drafts);
        let mut changed = false;
        for draft in drafts.iter_mut().filter(|draft| taken_twice.contains(&draft.handle())) {
            changed |= draft.lengthen();
        }
        // Two handles with all digits differ in the id, so at the end nothing is taken twice.
        if !changed {
            return drafts.iter().map(|draft| (draft.id.clone(), draft.handle())).collect();
        }
    }
}

struct Draft<'a> {
    id: &'a AccountId,
    name: String,
    /// How many digits of the id are appended
    digits: usize,
}

impl Draft<'_> {
    fn handle(&self) -> String {
        let id = self.id.as_str();
        match self.digits {
            0 => self.name.clone(),
            digits => format!("{}-{}", self.name, &id[id.len() - digits..]),
        }
    }

    fn lengthen(&mut self) -> bool {
        let before = self.digits;
        self.digits = (before + 1).clamp(FEWEST_DIGITS, self.id.as_str().len());
        self.digits != before
    }
}

fn taken_twice(drafts: &[Draft<'_>]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    drafts.iter().map(Draft::handle).filter(|handle| !seen.insert(handle.clone())).collect()
}

/// The name in lower case, with one `-` for each run of anything but letters and digits of ASCII, and none at the ends.
fn clean(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let cleaned = words.collect::<Vec<_>>().join("-");
    if cleaned.is_empty() { NAMELESS.to_owned() } else { cleaned }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(accounts: &[(&str, &str)]) -> Vec<String> {
        let ids: Vec<AccountId> = accounts.iter().map(|(id, _)| id.parse().unwrap()).collect();
        handles(ids.iter().zip(accounts.iter().map(|(_, name)| *name))).into_values().collect()
    }

    #[test]
    fn a_name_becomes_readable() {
        for (name, handle) in [
            ("Payments (EU) Prod", "payments-eu-prod"),
            ("--a__b--", "a-b"),
            ("日本", "account"),
            ("", "account"),
            ("İzmir", "i-zmir"),
        ] {
            assert_eq!(of(&[("123456789012", name)]), [handle], "{name}");
        }
    }

    #[test]
    fn namesakes_both_get_digits_of_their_ids() {
        let accounts = [("100000001111", "Data"), ("200000002222", "data"), ("300000003333", "other")];
        assert_eq!(of(&accounts), ["data-1111", "data-2222", "other"]);
    }

    #[test]
    fn more_digits_tell_apart_what_four_do_not() {
        assert_eq!(of(&[("100000051111", "a"), ("200000061111", "a")]), ["a-51111", "a-61111"]);
        let three = [("100000051111", "a"), ("200000061111", "a"), ("300000002222", "a")];
        assert_eq!(of(&three), ["a-51111", "a-61111", "a-2222"]);
    }

    #[test]
    fn a_name_that_looks_like_a_handle_with_digits_is_told_apart_too() {
        let accounts = [("100000001111", "a"), ("200000002222", "a"), ("300000003333", "a-1111")];
        assert_eq!(of(&accounts), ["a-01111", "a-2222", "a-1111-3333"]);
    }

    fn organization() -> impl Strategy<Value = Vec<(AccountId, String)>> {
        let id = "[0-2]{12}".prop_map(|id| id.parse::<AccountId>().unwrap());
        let name = prop_oneof!["[aA _-]{0,3}", "a-[0-2]{1,12}", ".{0,20}"];
        prop::collection::btree_map(id, name, 0..20).prop_map(|accounts| accounts.into_iter().collect())
    }

    fn of_all(accounts: &[(AccountId, String)]) -> BTreeMap<AccountId, String> {
        handles(accounts.iter().map(|(id, name)| (id, name.as_str())))
    }

    proptest! {
        #[test]
        fn every_account_has_a_handle_of_its_own(accounts in organization()) {
            let handles = of_all(&accounts);
            prop_assert_eq!(handles.len(), accounts.len());
            prop_assert_eq!(handles.values().collect::<BTreeSet<_>>().len(), accounts.len());
        }

        #[test]
        fn a_handle_fits_into_names_and_keys(accounts in organization()) {
            for handle in of_all(&accounts).values() {
                prop_assert!(!handle.is_empty() && !handle.contains("--"), "{}", handle);
                prop_assert!(!handle.starts_with('-') && !handle.ends_with('-'), "{}", handle);
                prop_assert!(handle.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            }
        }

        #[test]
        fn the_order_of_the_accounts_does_not_matter(accounts in organization()) {
            let reversed: Vec<_> = accounts.iter().rev().cloned().collect();
            prop_assert_eq!(of_all(&accounts), of_all(&reversed));
        }

        #[test]
        fn a_name_that_nobody_else_has_stays_without_digits(accounts in organization()) {
            let mut accounts = accounts;
            accounts.push(("999999999999".parse().unwrap(), "Quite Alone".to_owned()));
            prop_assert!(of_all(&accounts).values().any(|handle| handle == "quite-alone"));
        }
    }
}
