//! Readable keys of accounts.

use crate::access::AccountId;
use crate::aws::organizations::Account;

/// What stands for a name without any letter or digit of ASCII.
const NAMELESS: &str = "account";
/// Digits and letters that tell one id from all others: 36 to the power of 8 is more than there are ids.
const PLACES: u32 = 8;

/// The handle of an account, of `[a-z0-9-]`: its name and its whole id, so that no two accounts have the same one. It
/// follows from the account alone: no other one that comes, goes or changes its name gives it a new one.
pub(super) fn handle(account: &Account) -> String {
    format!("{}-{}", clean(&account.name), short(&account.id))
}

/// The id as a number in base 36, always of the same length.
fn short(id: &AccountId) -> String {
    let number =
        id.as_str().chars().filter_map(|c| c.to_digit(10)).fold(0_u64, |all, digit| all * 10 + u64::from(digit));
    let digit =
        |place| u32::try_from(number / 36_u64.pow(place) % 36).ok().and_then(|digit| char::from_digit(digit, 36));
    (0..PLACES).rev().filter_map(digit).collect()
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

    fn of(id: &str, name: &str) -> String {
        handle(&Account {
            id: id.parse().unwrap(),
            name: name.to_owned(),
            email: String::new(),
            arn: String::new(),
            status: String::new(),
            joined_method: String::new(),
            joined_at: None,
            ou_id: String::new(),
            ou_path: "Root".parse().unwrap(),
        })
    }

    #[test]
    fn a_name_becomes_readable() {
        for (name, handle) in [
            ("Payments (EU) Prod", "payments-eu-prod-1kpqzg2c"),
            ("--a__b--", "a-b-1kpqzg2c"),
            ("日本", "account-1kpqzg2c"),
            ("", "account-1kpqzg2c"),
            ("İzmir", "i-zmir-1kpqzg2c"),
        ] {
            assert_eq!(of("123456789012", name), handle, "{name}");
        }
    }

    #[test]
    fn the_whole_id_is_in_it() {
        for (id, short) in [("000000000000", "00000000"), ("100000001111", "19xtf2on"), ("999999999999", "cre66i9r")] {
            assert_eq!(of(id, "a"), format!("a-{short}"));
            assert_eq!(u64::from_str_radix(short, 36).unwrap(), id.parse::<u64>().unwrap());
        }
        assert_ne!(of("100000001111", "data"), of("200000001111", "Data"), "the same last digits");
    }

    proptest! {
        #[test]
        fn no_two_accounts_share_one(
            (one, other) in ("[0-9]{12}", "[0-9]{12}"),
            (name, another) in (".{0,20}", prop_oneof!["[aA _-]{0,3}", "a-[0-9a-z]{8}", ".{0,20}"]),
        ) {
            prop_assume!(one != other);
            prop_assert_ne!(of(&one, &name), of(&other, &name));
            prop_assert_ne!(of(&one, &name), of(&other, &another));
        }

        #[test]
        fn it_fits_into_names_and_keys(id in "[0-9]{12}", name in ".{0,20}") {
            let handle = of(&id, &name);
            prop_assert!(!handle.contains("--"), "{}", handle);
            prop_assert!(!handle.starts_with('-') && !handle.ends_with('-'), "{}", handle);
            prop_assert!(handle.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }
    }
}
