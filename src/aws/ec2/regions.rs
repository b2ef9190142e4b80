//! Which regions an account has.

use crate::access::{AccountId, Invalid, Region};
use crate::aws::{Error, Fault, Sessions};

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
        let mut regions = regions.map_err(|e| call.failed(Fault::Unexpected(e.0)))?;
        regions.sort();
        Ok(regions)
    }
}
