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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Call, Fault};

    fn failure(account: &str, region: Option<&str>, action: &'static str, fault: Fault) -> Failure {
        let (account, region): (AccountId, Option<Region>) =
            (account.parse().unwrap(), region.map(|name| name.parse().unwrap()));
        let call = Call { account: Some(account.clone()), region: region.clone(), ..Call::new(action) };
        Failure { account, region, error: aws::Error::new(call, fault) }
    }

    fn denied(account: &str, region: &str) -> Failure {
        failure(account, Some(region), "rds:DescribeDBInstances", Fault::AccessDenied("no".to_owned()))
    }

    #[test]
    fn an_account_is_one_error_that_lists_the_regions_that_failed_alike() {
        let (one, other) = ("111111111111", "222222222222");
        let reports =
            one_report_per_account(&[denied(one, "eu-west-1"), denied(one, "us-east-1"), denied(other, "eu-west-1")]);
        assert_eq!(reports.len(), 2);
        let first = &reports[0].detail;
        assert!(first.contains(&format!("In account {one} these regions could not be read: eu-west-1, us-east-1.")));
        assert!(reports[1].detail.contains("account 222222222222, region eu-west-1"));
        assert!(!reports[1].detail.contains("these regions"), "{}", reports[1].detail);
    }

    #[test]
    fn regions_that_failed_for_another_reason_keep_it() {
        let account = "111111111111";
        let off = Fault::RegionOff { enabled: Some(false), text: "the region is not enabled".to_owned() };
        let off = |region| failure(account, Some(region), "rds:DescribeDBInstances", off.clone());
        let failures = [off("af-south-1"), denied(account, "eu-west-1"), off("me-south-1")];
        let reports = one_report_per_account(&failures);
        assert_eq!((reports.len(), reports[0].summary.as_str()), (1, "The region is not enabled in the account"));
        let detail = &reports[0].detail;
        for part in [
            "these regions could not be read: af-south-1, me-south-1.",
            "AWS denied access: ",
            "account 111111111111, region eu-west-1",
            "Allow rds:DescribeDBInstances",
        ] {
            assert!(detail.contains(part), "{part} is not in {detail}");
        }
    }

    #[test]
    fn a_region_is_named_in_the_list_and_an_account_without_one_stands_alone() {
        let account = "111111111111";
        let regions = failure(account, None, "ec2:DescribeRegions", Fault::AccessDenied("no".to_owned()));
        let model = ErrorModel::from(&regions);
        assert_eq!(model.region.get(), None);
        let reports = one_report_per_account(&[regions, denied(account, "eu-west-1")]);
        assert!(reports[0].detail.contains("name the regions instead of `*`"), "{}", reports[0].detail);
        assert!(reports[0].detail.contains("region eu-west-1"), "{}", reports[0].detail);
    }
}
