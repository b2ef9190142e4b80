//! A part of the accounts that always holds the same ones, however many others come and go.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{AccountId, Invalid};

/// Some of a number of parts. Which part an account is in follows from its id alone: the first eight bytes of the
/// SHA-256 of the twelve digits, as a number, modulo the number of parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    count: u64,
    indexes: BTreeSet<u64>,
}

impl Shard {
    /// As many parts as the largest organization can have accounts.
    pub const MOST: u64 = 10_000;

    /// These of `count` parts, counted from 0.
    ///
    /// # Errors
    /// No part, a part that there is not, or a number of parts out of range.
    pub fn new(count: u64, indexes: BTreeSet<u64>) -> Result<Self, Invalid> {
        if !(1..=Self::MOST).contains(&count) {
            return Err(Invalid::new(format!("{count} parts: between 1 and {} are expected", Self::MOST)));
        }
        match indexes.last() {
            None => Err(Invalid::new("no index: at least one part is expected")),
            Some(&last) if last >= count => Err(Invalid::new(match count {
                1 => format!("there is no part {last}: with `count = 1` the only index is 0"),
                _ => format!("there is no part {last}: with `count = {count}` the indexes are 0 to {}", count - 1),
            })),
            Some(_) => Ok(Self { count, indexes }),
        }
    }

    /// Whether an account is in one of these parts.
    pub fn holds(&self, account: &AccountId) -> bool {
        self.indexes.contains(&(hash(account) % self.count))
    }
}

fn hash(account: &AccountId) -> u64 {
    let digest = Sha256::digest(account.as_str().as_bytes());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> AccountId {
        text.parse().unwrap()
    }

    fn shard(count: u64, indexes: &[u64]) -> Result<Shard, Invalid> {
        Shard::new(count, indexes.iter().copied().collect())
    }

    /// Computed by Python: `int.from_bytes(hashlib.sha256(id).digest()[:8], "big")`.
    #[test]
    fn the_parts_are_those_that_another_program_computes() {
        let known = [
            ("111111111111", 11_640_332_683_238_964_226, [0, 0, 1, 2, 4, 2, 2, 2, 226, 4226]),
            ("123456789012", 3_040_832_028_734_941_834, [0, 0, 1, 2, 1, 10, 10, 138, 834, 1834]),
            ("999999999999", 6_209_701_625_225_902_132, [0, 0, 1, 0, 0, 4, 52, 52, 132, 2132]),
            ("000000000000", 17_848_069_930_752_570_819, [0, 1, 0, 3, 2, 3, 3, 195, 819, 819]),
            ("210987654321", 18_142_761_064_202_135_072, [0, 0, 2, 0, 5, 0, 32, 32, 72, 5072]),
        ];
        for (account, number, parts) in known {
            assert_eq!(hash(&id(account)), number, "{account}");
            for (count, part) in [1, 2, 3, 4, 7, 16, 64, 256, 1_000, 10_000].into_iter().zip(parts) {
                assert!(shard(count, &[part]).unwrap().holds(&id(account)), "{account} of {count}");
            }
        }
    }

    #[test]
    fn parts_that_there_are_not_are_refused_in_words() {
        let said = |count, indexes: &[u64]| shard(count, indexes).unwrap_err().0;
        assert!(said(0, &[0]).contains("between 1 and 10000"), "{}", said(0, &[0]));
        assert!(said(10_001, &[0]).contains("between 1 and 10000"));
        assert!(said(4, &[]).contains("at least one"));
        assert!(said(4, &[0, 4]).contains("no part 4: with `count = 4` the indexes are 0 to 3"), "{}", said(4, &[4]));
        assert!(said(1, &[1]).contains("the only index is 0"));
        assert!(shard(Shard::MOST, &[Shard::MOST - 1]).is_ok());
    }

    proptest! {
        #[test]
        fn every_account_is_in_exactly_one_part(account in "[0-9]{12}", count in 1_u64..300) {
            let holders = (0..count).filter(|part| shard(count, &[*part]).unwrap().holds(&id(&account))).count();
            prop_assert_eq!(holders, 1);
        }

        #[test]
        fn several_parts_hold_what_each_of_them_holds(account in "[0-9]{12}", parts in prop::collection::btree_set(0_u64..16, 1..16)) {
            let each = parts.iter().any(|part| shard(16, &[*part]).unwrap().holds(&id(&account)));
            prop_assert_eq!(Shard::new(16, parts).unwrap().holds(&id(&account)), each);
        }

        #[test]
        fn a_new_account_moves_no_other(
            before in prop::collection::btree_set("[0-9]{12}", 0..40), new in "[0-9]{12}", count in 1_u64..20, part in 0_u64..20,
        ) {
            let shard = shard(count, &[part % count]).unwrap();
            let held = |ids: &BTreeSet<String>| -> BTreeSet<String> {
                ids.iter().filter(|account| shard.holds(&id(account))).cloned().collect()
            };
            let mut after = before.clone();
            after.insert(new.clone());
            let mut expected = held(&before);
            expected.extend(shard.holds(&id(&new)).then_some(new));
            prop_assert_eq!(held(&after), expected);
        }
    }
}
