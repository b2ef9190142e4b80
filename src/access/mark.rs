//! How the provider recognises what it made.

use serde::{Deserialize, Serialize};

/// AWS tag, always `true`, on every object that the provider made.
pub const MANAGED_TAG: &str = "rdsaccess:managed";
/// AWS tag with the resource id of the database that the object was made for.
pub const TARGET_TAG: &str = "rdsaccess:target";

/// AWS tag with the name of the database user, on secrets.
pub const USERNAME_TAG: &str = "rdsaccess:username";

/// The owner note that is written into a role's COMMENT or ATTRIBUTE as JSON, where the engine has such a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Who made it; always `rdsaccess`
    pub managed_by: String,
    /// Resource id of the database
    pub target: String,
    /// What the object is for, in words a DBA can read
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

impl Mark {
    /// The mark for an object of this database.
    pub fn new(resource_id: &str, purpose: Option<String>) -> Self {
        Self { managed_by: "rdsaccess".to_owned(), target: resource_id.to_owned(), purpose }
    }

    /// Reads a comment; `None` when it is not our JSON.
    pub fn parse(comment: &str) -> Option<Self> {
        serde_json::from_str::<Self>(comment).ok().filter(|m| m.managed_by == "rdsaccess")
    }

    /// The text to write.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_json_is_our_mark() {
        let mark = Mark::new("db-ABC", Some("read_only on app".to_owned()));
        assert_eq!(Mark::parse(&mark.to_json()), Some(mark));
        for foreign in ["", "created by hand", "{}", r#"{"managed_by":"someone","target":"db-ABC"}"#] {
            assert_eq!(Mark::parse(foreign), None, "{foreign}");
        }
    }
}
