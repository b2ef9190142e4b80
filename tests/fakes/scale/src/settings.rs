//! What the organization is like, and how AWS behaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything that can be set, at the start and by `PUT /control/settings` while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Makes other ids
    pub(crate) seed: u64,
    /// Member accounts; the management account comes on top
    pub(crate) accounts: u32,
    /// Databases in all member accounts and regions together, spread evenly; a cluster counts once
    pub(crate) databases: u64,
    /// Regions that are on in every account
    pub(crate) regions: Vec<String>,
    /// Regions that exist and are off in every account
    pub(crate) regions_off: Vec<String>,
    /// Units below the root; the members are spread evenly over all of them
    pub(crate) tree: Tree,
    /// Role that the hub may enter
    pub(crate) member_role: String,
    /// External id that the role asks for
    pub(crate) external_id: Option<String>,
    /// Every so manieth account is suspended; 0 for none
    pub(crate) suspended_every: u32,
    /// Every so manieth account lacks the role; 0 for none
    pub(crate) role_missing_every: u32,
    /// Seconds that credentials live, whatever was asked for
    pub(crate) session_seconds: Option<u64>,
    /// Time that every answer takes
    pub(crate) latency_ms: u64,
    /// Most entries on a page of Organizations
    pub(crate) organizations_page: usize,
    /// Most entries on a page of RDS
    pub(crate) rds_page: usize,
    /// Whether Organizations puts an empty page with a token before every page, as AWS may
    pub(crate) empty_pages: bool,
    /// Buckets by action (`rds:DescribeDBInstances`), service (`rds:*`) or for all (`*`); the closest name holds. Every
    /// account, region and action has a bucket of its own.
    pub(crate) throttle: BTreeMap<String, Rate>,
    /// Calls that fail for no reason of the caller's
    pub(crate) failures: Failures,
}

/// How the organization branches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tree {
    /// Units in each unit
    pub(crate) breadth: u32,
    /// Levels below the root; AWS allows five
    pub(crate) depth: u32,
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rate {
    /// Calls per second in the long run
    pub(crate) rate: f64,
    /// Calls at once
    pub(crate) burst: f64,
}

/// How often and how calls fail.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Failures {
    /// Share of all calls, 0 to 1
    pub(crate) share: f64,
    /// The kinds, one after the other; all when empty
    pub(crate) kinds: Vec<FailureKind>,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FailureKind {
    /// 500
    #[serde(rename = "500")]
    Internal,
    /// 503
    #[serde(rename = "503")]
    Unavailable,
    /// The connection ends without an answer
    #[serde(rename = "lost")]
    Lost,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            accounts: 10,
            databases: 100,
            regions: ["eu-central-1", "eu-west-1", "us-east-1"].map(str::to_owned).to_vec(),
            regions_off: vec!["af-south-1".to_owned()],
            tree: Tree::default(),
            member_role: "HoopOrganizationAccountAccessRole".to_owned(),
            external_id: None,
            suspended_every: 0,
            role_missing_every: 0,
            session_seconds: None,
            latency_ms: 0,
            organizations_page: 20,
            rds_page: 100,
            empty_pages: false,
            throttle: BTreeMap::new(),
            failures: Failures::default(),
        }
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self { breadth: 3, depth: 2 }
    }
}

impl Settings {
    /// These settings with the given ones in place of the old.
    ///
    /// # Errors
    /// A setting that does not exist, or a value of the wrong type.
    pub(crate) fn changed(&self, changes: &[u8]) -> Result<Self, serde_json::Error> {
        let changes: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(changes)?;
        let mut all = serde_json::to_value(self)?;
        if let Some(all) = all.as_object_mut() {
            all.extend(changes);
        }
        serde_json::from_value(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_leaves_the_rest_and_refuses_what_does_not_exist() {
        let settings = Settings { accounts: 7, ..Settings::default() };
        let changed = settings.changed(br#"{"latency_ms": 5, "throttle": {"*": {"rate": 1, "burst": 2}}}"#).unwrap();
        assert_eq!((changed.accounts, changed.latency_ms), (7, 5));
        assert_eq!(changed.throttle["*"], Rate { rate: 1.0, burst: 2.0 });
        assert!(settings.changed(br#"{"latencyms": 5}"#).is_err());
    }
}
