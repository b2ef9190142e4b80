//! The organization: accounts and units by number. Account 0 is the management account, unit 0 the root.

use crate::numbering::{Numbering, digits};
use crate::settings::Settings;

const TEAMS: [&str; 8] = ["payments", "orders", "search", "ledger", "identity", "media", "data", "edge"];
const STAGES: [&str; 3] = ["prod", "staging", "dev"];
/// Account ids begin here, so that all have twelve digits.
const FIRST_ACCOUNT: u64 = 100_000_000_000;

/// The shape of the tree and the ids of everything in it.
#[derive(Debug, Clone)]
pub(crate) struct Organization {
    /// Member accounts
    pub(crate) accounts: u32,
    /// The root and all units
    units: u32,
    /// The first unit without units below it
    first_leaf: u32,
    breadth: u32,
    suspended_every: u32,
    account_ids: Numbering,
    unit_ids: Numbering,
    root_id: String,
    id: String,
}

impl Organization {
    pub(crate) fn new(settings: &Settings) -> Self {
        let breadth = settings.tree.breadth.max(1);
        let level = |depth: u32| breadth.saturating_pow(depth);
        let first_leaf = (0..settings.tree.depth).map(level).fold(0, u32::saturating_add);
        let seed = settings.seed.to_string();
        Self {
            accounts: settings.accounts,
            units: first_leaf.saturating_add(level(settings.tree.depth)),
            first_leaf,
            breadth,
            suspended_every: settings.suspended_every,
            account_ids: Numbering::new(900_000_000_000, 7_777_777_777, settings.seed),
            unit_ids: Numbering::new(36_u64.pow(8), 1_234_567_891, settings.seed),
            root_id: digits(&["root", &seed], 4),
            id: digits(&["organization", &seed], 10),
        }
    }

    pub(crate) fn account_id(&self, account: u32) -> String {
        (FIRST_ACCOUNT + self.account_ids.encode(u64::from(account))).to_string()
    }

    /// The number of an account that exists.
    pub(crate) fn account(&self, id: &str) -> Option<u32> {
        let id = id.parse::<u64>().ok().filter(|_| id.len() == 12)?;
        let number = u32::try_from(self.account_ids.decode(id.checked_sub(FIRST_ACCOUNT)?)).ok()?;
        (number <= self.accounts).then_some(number)
    }

    pub(crate) fn is_suspended(&self, account: u32) -> bool {
        account > 0 && self.suspended_every > 0 && account.is_multiple_of(self.suspended_every)
    }

    pub(crate) fn account_name(&self, account: u32) -> String {
        match account {
            0 => "management".to_owned(),
            n => format!("{}-{}-{n}", pick(&TEAMS, n / 3), pick(&STAGES, n)),
        }
    }

    pub(crate) fn account_tags(&self, account: u32) -> Vec<(&'static str, &'static str)> {
        match account {
            0 => Vec::new(),
            n => vec![("environment", pick(&STAGES, n)), ("team", pick(&TEAMS, n / 3))],
        }
    }

    pub(crate) fn account_arn(&self, account: u32) -> String {
        format!("{}:account/o-{}/{}", self.prefix(), self.id, self.account_id(account))
    }

    pub(crate) fn unit_id(&self, unit: u32) -> String {
        match unit {
            0 => format!("r-{}", self.root_id),
            unit => format!("ou-{}-{}", self.root_id, base36(self.unit_ids.encode(u64::from(unit)))),
        }
    }

    /// The number of a root or unit that exists.
    pub(crate) fn unit(&self, id: &str) -> Option<u32> {
        if id.strip_prefix("r-") == Some(&self.root_id) {
            return Some(0);
        }
        let id = id.strip_prefix("ou-")?.strip_prefix(&self.root_id)?.strip_prefix('-')?;
        let encoded = u64::from_str_radix(id, 36).ok().filter(|_| id.len() == 8)?;
        let number = u32::try_from(self.unit_ids.decode(encoded)).ok()?;
        (number > 0 && number < self.units).then_some(number)
    }

    pub(crate) fn unit_name(unit: u32) -> String {
        match unit {
            0 => "Root".to_owned(),
            unit => format!("Unit {unit}"),
        }
    }

    pub(crate) fn unit_arn(&self, unit: u32) -> String {
        let kind = if unit == 0 { "root" } else { "ou" };
        format!("{}:{kind}/o-{}/{}", self.prefix(), self.id, self.unit_id(unit))
    }

    pub(crate) fn organization_id(&self) -> String {
        format!("o-{}", self.id)
    }

    pub(crate) fn organization_arn(&self) -> String {
        format!("{}:organization/o-{}", self.prefix(), self.id)
    }

    /// Units directly below a unit.
    pub(crate) fn units_in(&self, unit: u32) -> std::ops::Range<u32> {
        if unit >= self.first_leaf {
            return 0..0;
        }
        let first = unit * self.breadth + 1;
        first..first + self.breadth
    }

    /// Accounts directly in a unit.
    pub(crate) fn accounts_in(&self, unit: u32) -> impl Iterator<Item = u32> + use<> {
        let holders = (self.units - 1).max(1);
        let first = if self.units == 1 { Some(0) } else { unit.checked_sub(1) };
        let members = first.map(|first| (first + 1..=self.accounts).step_by(holders as usize));
        (unit == 0).then_some(0).into_iter().chain(members.into_iter().flatten())
    }

    fn prefix(&self) -> String {
        format!("arn:aws:organizations::{}", self.account_id(0))
    }
}

fn pick<const N: usize>(words: &[&'static str; N], number: u32) -> &'static str {
    words.get(number as usize % N).copied().unwrap_or_default()
}

/// Eight characters of a-z and 0-9.
fn base36(mut number: u64) -> String {
    let mut text = Vec::new();
    for _ in 0..8 {
        text.push(u32::try_from(number % 36).ok().and_then(|digit| char::from_digit(digit, 36)).unwrap_or('0'));
        number /= 36;
    }
    text.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::settings::Tree;

    fn organization(accounts: u32, breadth: u32, depth: u32) -> Organization {
        Organization::new(&Settings { accounts, tree: Tree { breadth, depth }, ..Settings::default() })
    }

    /// Walks from the root; returns how many units and which accounts were found.
    fn walk(organization: &Organization) -> (usize, Vec<u32>) {
        let (mut open, mut units, mut accounts) = (vec![0], 0, Vec::new());
        while let Some(unit) = open.pop() {
            units += 1;
            accounts.extend(organization.accounts_in(unit));
            open.extend(organization.units_in(unit));
        }
        accounts.sort_unstable();
        (units, accounts)
    }

    #[test]
    fn every_account_is_in_one_unit_of_the_tree_whatever_its_shape() {
        for (breadth, depth, units) in [(3, 2, 13), (500, 1, 501), (1, 5, 6), (1, 1, 2), (2, 0, 1)] {
            let organization = organization(1234, breadth, depth);
            let (found, accounts) = walk(&organization);
            assert_eq!((found, accounts), (units, (0..=1234).collect()), "{breadth} {depth}");
        }
    }

    #[test]
    fn ids_are_found_again_and_others_are_not() {
        let organization = organization(5000, 3, 4);
        let ids: BTreeSet<String> = (0..=5000).map(|n| organization.account_id(n)).collect();
        assert_eq!(ids.len(), 5001);
        assert!((0..=5000).all(|n| organization.account(&organization.account_id(n)) == Some(n)));
        assert!((0..121).all(|n| organization.unit(&organization.unit_id(n)) == Some(n)));
        assert_eq!(organization.account(&organization.account_id(5001)), None);
        assert_eq!(organization.account("123"), None);
        assert_eq!(organization.unit(&organization.unit_id(121)), None);
        assert_eq!(organization.unit("ou-ab12-zzzzzzzz"), None);
    }
}
