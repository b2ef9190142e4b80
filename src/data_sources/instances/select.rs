//! Which of the databases are wanted.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{EngineKind, Target};
use crate::data_sources::tags::has_tags;

use super::model::Instances;

/// The filters of the data source; what is not set takes everything.
pub(super) struct Selection {
    engines: Option<BTreeSet<EngineKind>>,
    tags: BTreeMap<String, String>,
    identifiers: Option<Vec<globset::GlobMatcher>>,
}

impl Selection {
    pub(super) fn new(query: &Instances) -> Self {
        Self {
            engines: query.engines.get().cloned(),
            tags: query.tags.get().cloned().unwrap_or_default(),
            identifiers: query.identifiers.get().map(|globs| globs.iter().filter_map(|g| g.matcher()).collect()),
        }
    }

    pub(super) fn takes(&self, target: &Target) -> bool {
        self.engines.as_ref().is_none_or(|engines| engines.contains(&target.engine))
            && has_tags(&target.tags, &self.tags)
            && self.takes_identifier(&target.arn.identifier)
    }

    pub(super) fn takes_identifier(&self, identifier: &str) -> bool {
        self.identifiers.as_ref().is_none_or(|globs| globs.iter().any(|glob| glob.is_match(identifier)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(identifier: &str, engine: EngineKind, tags: &[(&str, &str)]) -> Target {
        Target {
            arn: format!("arn:aws:rds:eu-central-1:123456789012:db:{identifier}").parse().unwrap(),
            resource_id: "db-A".to_owned(),
            engine,
            rds_engine: engine.as_str().to_owned(),
            engine_version: "16.4".to_owned(),
            aurora: false,
            endpoint: None,
            reader_endpoint: None,
            master_username: "admin".to_owned(),
            database_name: None,
            iam_authentication: false,
            publicly_accessible: false,
            vpc_id: None,
            security_group_ids: vec![],
            status: "available".to_owned(),
            tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            managed_secret: None,
            managed_status: None,
            managed_kms_key_id: None,
            pending_changes: vec![],
            members: vec![],
        }
    }

    #[test]
    fn without_filters_everything_is_taken() {
        assert!(Selection::new(&Instances::default()).takes(&target("a", EngineKind::Mysql, &[])));
    }

    #[test]
    fn every_filter_must_agree() {
        let query = Instances {
            engines: BTreeSet::from([EngineKind::Postgres]).into(),
            tags: BTreeMap::from([("env".to_owned(), "prod".to_owned()), ("team".to_owned(), "*".to_owned())]).into(),
            identifiers: BTreeSet::from(["pay-*".parse().unwrap(), "led?er".parse().unwrap()]).into(),
            ..Default::default()
        };
        let selection = Selection::new(&query);
        let tags = [("env", "prod"), ("team", "a")];
        assert!(selection.takes(&target("pay-1", EngineKind::Postgres, &tags)));
        assert!(selection.takes(&target("ledger", EngineKind::Postgres, &tags)));
        assert!(!selection.takes(&target("pay-1", EngineKind::Mysql, &tags)));
        assert!(!selection.takes(&target("pay-1", EngineKind::Postgres, &tags[..1])));
        assert!(!selection.takes(&target("repay-1", EngineKind::Postgres, &tags)));
    }
}
