//! Which regions an account has.

use aws_sdk_ec2::types::Filter;

use crate::access::{AccountId, Invalid, Region};
use crate::aws::{Error, Fault, Sessions};

/// What `ec2:DescribeRegions` says of a region that needs an opt-in which was not given.
const OFF: &str = "not-opted-in";

impl Sessions {
    /// The regions that are enabled in an account, sorted: those that need no opt-in, and those opted in to.
    ///
    /// # Errors
    /// The account cannot be entered, or `ec2:DescribeRegions` is refused.
    pub async fn enabled_regions(&self, account: &AccountId) -> Result<Vec<Region>, Error> {
        let session = self.session(account, &self.home_region().await?).await?;
        let call = session.call("ec2:DescribeRegions");
        let answer =
            session.ec2().describe_regions().all_regions(false).send().await.map_err(|e| call.clone().refused(&e))?;
        let names = answer.regions.unwrap_or_default().into_iter().filter_map(|r| r.region_name);
        let regions = names.map(|name| name.parse::<Region>()).collect::<Result<Vec<_>, Invalid>>();
        let mut regions = regions.map_err(|e| call.clone().failed(Fault::Unexpected(e.0)))?;
        // Every account has the regions that need no opt-in: without any, its databases would all be gone.
        if regions.is_empty() {
            return Err(call.failed(Fault::Unexpected("AWS lists no region that is enabled".to_owned())));
        }
        regions.sort();
        Ok(regions)
    }

    /// Credentials that the home region took and another region refuses: the region is off in the account, or the
    /// credentials are a session that only default regions take. The home region is asked which of the two it is; where
    /// that is not allowed the error names both.
    pub(in crate::aws) async fn explain_region(&self, error: Error) -> Error {
        let (Fault::CredentialsRefused(text), Some(account), Some(region)) =
            (&error.fault, &error.call.account, &error.call.region)
        else {
            return error;
        };
        if self.home_region().await.is_ok_and(|home| home == *region) {
            return error;
        }
        let text = text.clone();
        let fault = match self.is_off(account, region).await {
            Ok(true) => Fault::RegionOff { enabled: Some(false), text: format!("the region is not enabled: {text}") },
            Ok(false) => Fault::RegionOff { enabled: Some(true), text: format!("credentials refused: {text}") },
            // Refused at home too: the region is not what is wrong.
            Err(Error { fault: Fault::CredentialsRefused(_), .. }) => return error,
            Err(_) => Fault::RegionOff { enabled: None, text: format!("credentials refused in this region: {text}") },
        };
        Error { fault, ..error }
    }

    async fn is_off(&self, account: &AccountId, region: &Region) -> Result<bool, Error> {
        let session = self.session(account, &self.home_region().await?).await?;
        let call = session.call("ec2:DescribeRegions");
        let this = Filter::builder().name("region-name").values(region.as_str()).build();
        let request = session.ec2().describe_regions().all_regions(true).filters(this);
        let answer = request.send().await.map_err(|e| call.refused(&e))?;
        Ok(answer.regions().iter().any(|r| r.opt_in_status() == Some(OFF)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::scene::{Scene, accounts};

    #[tokio::test(start_paused = true)]
    async fn an_account_without_any_region_is_an_error() {
        for inside in ["<regionInfo/>", ""] {
            let answer = format!("<DescribeRegionsResponse>{inside}</DescribeRegionsResponse>");
            let scene = Scene::new(move |asked| (asked.action == "DescribeRegions").then(|| (200, answer.clone())));
            let account = accounts(1).pop_first().unwrap();
            let error = scene.sessions(4).enabled_regions(&account).await.unwrap_err();
            assert!(matches!(&error.fault, Fault::Unexpected(text) if text.contains("no region")), "{error}");
        }
    }
}
