//! Readable keys of accounts.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::AccountId;
use crate::aws::organizations::Account;

/// What stands for a name without any letter or digit of ASCII.
const NAMELESS: &str = "account";
/// Digits of the id that tell namesakes apart, nearly always.
const DIGITS: usize = 4;

/// One handle per account, of `[a-z0-9-]`, no two the same.
///
/// A handle follows from the account itself, so that no other account that comes, goes or changes its name gives it a
/// new one. Only of accounts with the same name and the same last digits those that joined later get all digits; for
/// that all accounts of the organization must be given, whatever the filters are.
pub(super) fn handles<'a>(accounts: impl IntoIterator<Item = &'a Account>) -> BTreeMap<AccountId, String> {
    let mut accounts: Vec<&Account> = accounts.into_iter().collect();
    accounts.sort_by(|a, b| (&a.joined_at, &a.id).cmp(&(&b.joined_at, &b.id)));
    let mut taken = BTreeSet::new();
    let handle = |account: &Account| {
        let (name, id) = (clean(&account.name), account.id.as_str());
        let short = format!("{name}-{}", &id[id.len() - DIGITS..]);
        // One with all digits is like no other: the last part of a short one is shorter.
        if taken.insert(short.clone()) { short } else { format!("{name}-{id}") }
    };
    let handles: Vec<String> = accounts.iter().copied().map(handle).collect();
    accounts.into_iter().map(|account| account.id.clone()).zip(handles).collect()
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

    fn account(id: &str, name: &str, joined_at: u32) -> Account {
        Account {
            id: id.parse().unwrap(),
            name: name.to_owned(),
            email: String::new(),
            arn: String::new(),
            status: String::new(),
            joined_method: String::new(),
            joined_at: Some(format!("2026-01-01T00:00:{joined_at:02}Z")),
            ou_id: String::new(),
            ou_path: "Root".parse().unwrap(),
        }
    }

    fn of(accounts: &[(&str, &str)]) -> Vec<String> {
        let accounts: Vec<Account> = (0..).zip(accounts).map(|(n, (id, name))| account(id, name, n)).collect();
        let mut handles = handles(&accounts);
        accounts.iter().map(|account| handles.remove(&account.id).unwrap()).collect()
    }

    #[test]
    fn a_name_becomes_readable() {
        for (name, handle) in [
            ("Payments (EU) Prod", "payments-eu-prod-9012"),
            ("--a__b--", "a-b-9012"),
            ("日本", "account-9012"),
            ("", "account-9012"),
            ("İzmir", "i-zmir-9012"),
        ] {
            assert_eq!(of(&[("123456789012", name)]), [handle], "{name}");
        }
    }

    #[test]
    fn namesakes_are_told_apart_by_their_ids() {
        let accounts = [("100000001111", "Data"), ("200000002222", "data"), ("300000003333", "other")];
        assert_eq!(of(&accounts), ["data-1111", "data-2222", "other-3333"]);
    }

    #[test]
    fn who_joined_later_gets_all_digits_where_four_are_not_enough() {
        assert_eq!(of(&[("200000061111", "a"), ("100000051111", "a")]), ["a-1111", "a-100000051111"]);
    }

    #[test]
    fn a_name_that_looks_like_a_handle_is_told_apart_too() {
        let accounts = [("100000001111", "a"), ("300000001111", "a"), ("300000003333", "a-1111")];
        assert_eq!(of(&accounts), ["a-1111", "a-300000001111", "a-1111-3333"]);
        assert_eq!(of(&[("100000001111", "a-10000000"), ("200000001111", "a")]), ["a-10000000-1111", "a-1111"]);
    }

    fn organization() -> impl Strategy<Value = Vec<Account>> {
        let name = prop_oneof!["[aA _-]{0,3}", "a-[0-2]{1,12}", ".{0,20}"];
        prop::collection::btree_map("[0-2]{12}", (name, 0_u32..60), 0..20).prop_map(|accounts| {
            accounts.into_iter().map(|(id, (name, joined_at))| account(&id, &name, joined_at)).collect()
        })
    }

    proptest! {
        #[test]
        fn every_account_has_a_handle_of_its_own(accounts in organization()) {
            let handles = handles(&accounts);
            prop_assert_eq!(handles.len(), accounts.len());
            prop_assert_eq!(handles.values().collect::<BTreeSet<_>>().len(), accounts.len());
        }

        #[test]
        fn a_handle_fits_into_names_and_keys(accounts in organization()) {
            for handle in handles(&accounts).values() {
                prop_assert!(!handle.is_empty() && !handle.contains("--"), "{}", handle);
                prop_assert!(!handle.starts_with('-') && !handle.ends_with('-'), "{}", handle);
                prop_assert!(handle.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            }
        }

        #[test]
        fn the_order_of_the_accounts_does_not_matter(accounts in organization()) {
            prop_assert_eq!(handles(&accounts), handles(accounts.iter().rev()));
        }

        #[test]
        fn who_joins_changes_no_handle(accounts in organization(), name in "[aA _-]{0,3}", id in "3[0-2]{11}") {
            let before = handles(&accounts);
            let newcomer = Account { joined_at: Some("2027-01-01T00:00:00Z".to_owned()), ..account(&id, &name, 0) };
            let mut after = handles(accounts.iter().chain([&newcomer]));
            after.remove(&newcomer.id);
            prop_assert_eq!(after, before);
        }
    }
}
