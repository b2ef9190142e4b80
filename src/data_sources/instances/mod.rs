//! `rdsaccess_instances`: the databases of any accounts and regions.

mod model;
mod select;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;

use crate::access::{AccountId, Region};
use crate::aws::rds::Inventory;
use crate::aws::{self, Sessions};
use crate::context::Context;
use crate::data_sources::shard;
use crate::report::{Explain, Report};
use crate::schema::{Attr, DataSource, Query, Reports};

use model::{ErrorModel, Instances, OtherModel, RegionOrAll, TargetModel};
use select::Selection;

/// The data source.
pub struct InstancesDataSource;

/// What one account and region answered.
struct Answer {
    account: AccountId,
    /// `None`: the account could not be entered, or its regions not be listed
    region: Option<Region>,
    inventory: Result<Arc<Inventory>, aws::Error>,
}

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
        let answers = ask(sessions, &accounts, &regions).await;
        let failures: Vec<&Answer> = answers.iter().filter(|a| a.inventory.is_err()).collect();
        if query.state.on_error.get().map(String::as_str) != Some("report") && !failures.is_empty() {
            return Err(Reports(one_report_per_account(&failures)));
        }
        query.state.errors = Attr::Known(failures.iter().filter_map(|a| error_model(a)).collect());
        fill(&mut query.state, &answers);
        Ok(())
    }
}

/// Asks every account and region at once; the sessions bound how many requests are under way. An account is entered
/// first, so that one that cannot be entered is one failure without a region.
async fn ask(sessions: &Sessions, accounts: &BTreeSet<AccountId>, regions: &BTreeSet<RegionOrAll>) -> Vec<Answer> {
    let by_account = accounts.iter().map(|account| async move {
        let entered = match sessions.check_access(account).await {
            Ok(()) => regions_of(sessions, account, regions).await,
            Err(error) => Err(error),
        };
        let regions = match entered {
            Ok(regions) => regions,
            Err(error) => return vec![Answer { account: account.clone(), region: None, inventory: Err(error) }],
        };
        let asked = regions.into_iter().map(|region| async move {
            let inventory = sessions.inventory(account, &region).await;
            Answer { account: account.clone(), region: Some(region), inventory }
        });
        join_all(asked).await
    });
    join_all(by_account).await.into_iter().flatten().collect()
}

async fn regions_of(
    sessions: &Sessions,
    account: &AccountId,
    regions: &BTreeSet<RegionOrAll>,
) -> Result<BTreeSet<Region>, aws::Error> {
    let mut named: BTreeSet<Region> = regions
        .iter()
        .filter_map(|region| match region {
            RegionOrAll::One(region) => Some(region.clone()),
            RegionOrAll::All => None,
        })
        .collect();
    if regions.contains(&RegionOrAll::All) {
        named.extend(sessions.enabled_regions(account).await?);
    }
    Ok(named)
}

/// A denied account is one error, however many regions it has: the first reason stands for all.
fn one_report_per_account(failures: &[&Answer]) -> Vec<Report> {
    let mut reports: BTreeMap<&AccountId, (Report, Vec<String>)> = BTreeMap::new();
    for answer in failures {
        if let Err(error) = &answer.inventory {
            let (_, regions) = reports.entry(&answer.account).or_insert_with(|| (Report::of(error), Vec::new()));
            regions.extend(answer.region.as_ref().map(ToString::to_string));
        }
    }
    reports
        .into_iter()
        .map(|(account, (mut report, regions))| {
            if regions.len() > 1 {
                report.detail.push_str(&format!(
                    "\n\nIn account {account} these regions could not be read: {}.",
                    crate::access::list_names(&regions)
                ));
            }
            report
        })
        .collect()
}

fn error_model(answer: &Answer) -> Option<ErrorModel> {
    let error = answer.inventory.as_ref().err()?;
    Some(ErrorModel {
        account_id: answer.account.clone().into(),
        region: answer.region.clone().into(),
        reason: crate::report::sentence(&error.detail()).into(),
    })
}

fn fill(state: &mut Instances, answers: &[Answer]) {
    let selection = Selection::new(state);
    let inventories = || answers.iter().filter_map(|a| a.inventory.as_ref().ok());
    let targets = inventories()
        .flat_map(|i| &i.targets)
        .filter(|t| selection.takes(t))
        .map(|t| (t.arn.to_string(), TargetModel::from(t)))
        .collect();
    let others = inventories()
        .flat_map(|i| &i.others)
        .filter(|o| selection.takes_identifier(&o.arn.identifier))
        .map(|o| (o.arn.to_string(), OtherModel::from(o)))
        .collect();
    state.targets = Attr::Known(targets);
    state.others = Attr::Known(others);
}
