//! `rdsaccess_accounts`: every account of trees of any shape, with the calls that its pages take.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::fake::FakeAws;
use super::provider::{Provider, entries, field, texts};

/// The accounts and units of a result, and how many calls their pages take.
pub(crate) struct Tree {
    pub(crate) ids: BTreeSet<String>,
    pub(crate) units: usize,
    /// Pages of accounts and units of all parents together
    pub(crate) pages: u64,
    /// Pages on the longest way from the root: a unit is known when its parent's units are
    pub(crate) chain: u64,
}

/// Of twenty, the most that AWS gives.
pub(crate) fn pages(entries: usize) -> u64 {
    entries.div_ceil(20).max(1) as u64
}

impl Tree {
    pub(crate) fn of(result: &rmpv::Value) -> Self {
        let units: Vec<(&str, &rmpv::Value)> = entries(result, "units").collect();
        let children =
            |path: &str| units.iter().filter(|(_, unit)| field(unit, "parent_path").as_str() == Some(path)).count();
        let (mut all, mut chain) = (0, 0);
        for (path, unit) in &units {
            let (own, below) = (pages(texts(field(unit, "account_ids")).len()), pages(children(path)));
            all += own + below;
            let names: Vec<&str> = path.split('/').collect();
            let above: u64 = (1..names.len()).map(|depth| pages(children(&names[..depth].join("/")))).sum();
            chain = chain.max(above + own.max(below));
        }
        let ids = texts(field(result, "ids")).into_iter().map(str::to_owned).collect();
        Self { ids, units: units.len(), pages: all, chain }
    }
}

#[tokio::test]
async fn every_account_is_found_once_whatever_the_tree_looks_like() {
    for (breadth, depth, units) in [(45, 1, 46), (3, 3, 40), (1, 5, 6), (1, 1, 2)] {
        let tree = json!({"breadth": breadth, "depth": depth});
        let aws = FakeAws::start(&json!({"accounts": 130, "tree": tree}));
        let provider = Provider::start(&aws, &json!({})).await;
        let found = Tree::of(&provider.read("rdsaccess_accounts", &json!({})).await.unwrap());
        let members: BTreeSet<String> = aws.accounts().await.into_iter().collect();
        assert_eq!((found.units, found.ids.len()), (units, 131));
        assert!(members.is_subset(&found.ids));
        let counters = aws.counters().await;
        let least = 2 + pages(131) + found.pages;
        assert_eq!(counters.total, least, "who I am, the root, all accounts and the pages: {counters:?}");
    }
}

#[tokio::test]
async fn empty_pages_throttling_and_failures_hide_no_account() {
    let throttle = json!({"organizations:*": {"rate": 20, "burst": 5}});
    for more in [json!({"empty_pages": true}), json!({"throttle": throttle}), json!({"failures": {"share": 0.1}})] {
        let mut settings = json!({"accounts": 130, "tree": {"breadth": 4, "depth": 2}});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let aws = FakeAws::start(&settings);
        let provider = Provider::start(&aws, &json!({})).await;
        let found: Value = json!(Tree::of(&provider.read("rdsaccess_accounts", &json!({})).await.unwrap()).ids);
        assert_eq!(found.as_array().unwrap().len(), 131, "{more}");
        let counters = aws.counters().await;
        assert_eq!(counters.throttled > 0, more.get("throttle").is_some(), "{counters:?}");
        assert_eq!(counters.failed > 0, more.get("failures").is_some(), "{counters:?}");
    }
}
