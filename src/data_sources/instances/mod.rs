//! `rdsaccess_instances`: the databases of any accounts and regions.

mod failures;
mod model;
mod select;

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::rds::{Found, Inventory, Regions};
use crate::context::Context;
use crate::data_sources::shard;
use crate::report::Report;
use crate::schema::{Attr, DataSource, Query, Reports};

use failures::Failure;
use model::{ErrorModel, Instances, OtherModel, RegionOrAll, TargetModel};
use select::Selection;

/// The data source.
pub struct InstancesDataSource;

impl DataSource for InstancesDataSource {
    type Context = Context;
    type Model = Instances;

    const NAME: &'static str = "rdsaccess_instances";
    const SUBCATEGORY: &'static str = "Discovery";

    fn validate(config: &Instances) -> Vec<Report> {
        shard::validate(&config.shard)
    }

    async fn read(&self, context: &Context, query: &mut Query<Instances>) -> Result<(), Reports> {
        let sessions = context.aws()?;
        let mut accounts = match query.state.account_ids.get() {
            Some(ids) => {
                // An identity of the provider that fails is one error, not one for every account.
                if !ids.is_empty() {
                    sessions.caller().await?;
                }
                ids.clone()
            }
            None => BTreeSet::from([sessions.caller().await?.account_id.clone()]),
        };
        if let Some(shard) = shard::parse(&query.state.shard)? {
            accounts.retain(|account| shard.holds(account));
        }
        let regions = match query.state.regions.get() {
            Some(regions) => regions.clone(),
            None => BTreeSet::from([RegionOrAll::One(sessions.home_region().await?)]),
        };
        let mut results = Results::new(&query.state);
        sessions.sweep(accounts, places(&regions), |found| results.take(found)).await;
        let failures = results.failures();
        if query.state.on_error.get().map(String::as_str) != Some("report") && !failures.is_empty() {
            return Err(Reports(failures::one_report_per_account(&failures)));
        }
        query.state.errors = Attr::Known(failures.iter().map(ErrorModel::from).collect());
        query.state.targets = Attr::Known(results.targets);
        query.state.others = Attr::Known(results.others);
        Ok(())
    }
}

fn places(regions: &BTreeSet<RegionOrAll>) -> Regions {
    let named = regions.iter().filter_map(|region| match region {
        RegionOrAll::One(region) => Some(region.clone()),
        RegionOrAll::All => None,
    });
    Regions { named: named.collect(), enabled: regions.contains(&RegionOrAll::All) }
}

/// What was found so far. Only what is wanted is kept, and in an order that does not depend on who answered first.
struct Results {
    selection: Selection,
    targets: BTreeMap<String, TargetModel>,
    others: BTreeMap<String, OtherModel>,
    failures: Vec<Failure>,
}

impl Results {
    fn new(query: &Instances) -> Self {
        let (targets, others) = (BTreeMap::new(), BTreeMap::new());
        Self { selection: Selection::new(query), targets, others, failures: Vec::new() }
    }

    fn take(&mut self, found: Found) {
        let Found { account, region, inventory } = found;
        match inventory {
            Ok(inventory) => self.select(&inventory),
            Err(error) => self.failures.push(Failure { account, region, error }),
        }
    }

    fn select(&mut self, inventory: &Inventory) {
        let targets = inventory.targets.iter().filter(|t| self.selection.takes(t));
        self.targets.extend(targets.map(|t| (t.arn.to_string(), TargetModel::from(t))));
        let others = inventory.others.iter().filter(|o| self.selection.takes_identifier(&o.arn.identifier));
        self.others.extend(others.map(|o| (o.arn.to_string(), OtherModel::from(o))));
    }

    /// By account, then by region; a failure of a whole account stands first.
    fn failures(&mut self) -> Vec<Failure> {
        let mut failures = std::mem::take(&mut self.failures);
        failures.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
        failures
    }
}
