//! What could not be read, as one error per account or as a list.

use crate::access::{AccountId, Region, list_names};
use crate::aws;
use crate::report::{Explain, Report, sentence};

use super::model::ErrorModel;

/// An account and region that could not be read.
pub(super) struct Failure {
    pub(super) account: AccountId,
    pub(super) region: Option<Region>,
    pub(super) error: aws::Error,
}

impl From<&Failure> for ErrorModel {
    fn from(failure: &Failure) -> Self {
        Self {
            account_id: failure.account.clone().into(),
            region: failure.region.clone().into(),
            reason: sentence(&failure.error.detail()).into(),
        }
    }
}

/// One error per account, however many of its regions failed. Regions that failed alike stand together: the first one
/// tells the reason for all of them, and what to do.
pub(super) fn one_report_per_account(failures: &[Failure]) -> Vec<Report> {
    failures.chunk_by(|a, b| a.account == b.account).filter_map(report).collect()
}

fn report(of_account: &[Failure]) -> Option<Report> {
    let mut kinds: Vec<(&Failure, Vec<String>)> = Vec::new();
    for failure in of_account {
        let region = failure.region.iter().map(ToString::to_string);
        match kinds.iter_mut().find(|(first, _)| is_alike(first, failure)) {
            Some((_, regions)) => regions.extend(region),
            None => kinds.push((failure, region.collect())),
        }
    }
    let (first, regions) = kinds.first()?;
    let mut report = Report::of(&first.error);
    report.detail.push_str(&listed(&first.account, regions));
    for (failure, regions) in kinds.iter().skip(1) {
        let Report { summary, detail, .. } = Report::of(&failure.error);
        report.detail.push_str(&format!("\n\n{summary}: {detail}{}", listed(&failure.account, regions)));
    }
    Some(report)
}

/// The same kind of failure of the same call.
fn is_alike(a: &Failure, b: &Failure) -> bool {
    a.error.call.action == b.error.call.action
        && a.region.is_some() == b.region.is_some()
        && Report::of(&a.error).summary == Report::of(&b.error).summary
}

fn listed(account: &AccountId, regions: &[String]) -> String {
    if regions.len() < 2 {
        return String::new();
    }
    format!("\n\nIn account {account} these regions could not be read: {}.", list_names(regions))
}
