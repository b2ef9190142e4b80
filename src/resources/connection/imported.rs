//! Settings that an import found. They are in state, so that a plan shows how the configuration differs; what the
//! configuration leaves out was never ours and stays on the gateway.

use std::collections::BTreeSet;

use crate::access::list_names;
use crate::report::Report;
use crate::schema::{Model, Private};
use crate::value::Value;

use super::model::Connection;

/// Private entry with the names.
const ENTRY: &str = "imported_settings";

/// Every setting that stays as it is when the configuration leaves it out.
const SETTINGS: [&str; 11] = [
    "access_max_duration",
    "attributes",
    "force_approve_groups",
    "groups",
    "guardrail_rules",
    "jira_issue_template_id",
    "mandatory_metadata_fields",
    "min_review_approvals",
    "redact_types",
    "reviewers",
    "tags",
];

/// Names of the settings that an import found and that no apply has decided on yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unclaimed(BTreeSet<String>);

impl Unclaimed {
    /// What private state remembers.
    pub(super) fn of(private: &Private) -> Self {
        let names = private.get(ENTRY).unwrap_or_default().split(',').filter(|name| !name.is_empty());
        Self(names.map(str::to_owned).collect())
    }

    /// Remembers which settings the imported state holds.
    pub(super) fn remember(private: &mut Private, imported: &Connection) {
        let fields = imported.fields();
        let found: Vec<&str> = SETTINGS.into_iter().filter(|name| !is_null(fields.get(*name))).collect();
        if !found.is_empty() {
            private.set(ENTRY, found.join(","));
        }
    }

    /// The configuration has decided.
    pub(super) fn forget(private: &mut Private) {
        private.remove(ENTRY);
    }

    /// Whether an import found it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Says what leaves the state and stays on the gateway.
    pub(super) fn warning(&self, prior: &Connection, planned: &Connection) -> Option<Report> {
        let (before, after) = (prior.fields(), planned.fields());
        let left: Vec<&String> = self.0.iter().filter(|name| leaves_out(before.get(*name), after.get(*name))).collect();
        (!left.is_empty()).then(|| {
            Report::warning(
                "Settings of an imported connection stay as they are",
                format!(
                    "The configuration of connection `{}` leaves out: {}. The plan takes them out of the state; on the \
                     gateway they stay as they are. Write them into the configuration to manage them.",
                    prior.name.get().map_or("", String::as_str),
                    list_names(&left)
                ),
            )
        })
    }
}

/// Whether the plan takes something out: the whole setting, or a tag.
fn leaves_out(before: Option<&Value>, after: Option<&Value>) -> bool {
    match (before, after) {
        (Some(Value::Map(before)), Some(Value::Map(after))) => before.keys().any(|key| !after.contains_key(key)),
        _ => is_null(after) && !is_null(before),
    }
}

fn is_null(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_null)
}
