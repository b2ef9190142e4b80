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
    /// The role whose second login it is, where two logins take turns
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_of: Option<String>,
}

impl Mark {
    /// The mark for an object of this database.
    pub fn new(resource_id: &str, purpose: Option<String>) -> Self {
        Self { managed_by: "rdsaccess".to_owned(), target: resource_id.to_owned(), purpose, second_of: None }
    }

    /// The mark of the second login of a role.
    #[must_use]
    pub fn of_second(self, role: &str) -> Self {
        Self { second_of: Some(role.to_owned()), ..self }
    }

    /// Whether both are for the same database and the same role; the purpose may change.
    pub fn is_same_owner(&self, other: &Self) -> bool {
        (&self.target, &self.second_of) == (&other.target, &other.second_of)
    }

    /// What carries the mark, in words.
    pub fn bearer(&self) -> String {
        match &self.second_of {
            Some(role) => format!("the second login of `{role}`"),
            None => "a role of its own".to_owned(),
        }
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
    fn a_second_login_and_a_role_of_its_own_have_different_owners() {
        let mark = Mark::new("db-ABC", Some("read_only on app".to_owned()));
        let second = mark.clone().of_second("hoop_ro");
        assert!(mark.is_same_owner(&Mark::new("db-ABC", None)) && !mark.is_same_owner(&Mark::new("db-X", None)));
        assert!(!mark.is_same_owner(&second) && !second.is_same_owner(&mark.clone().of_second("other")));
        assert_eq!(Mark::parse(&second.to_json()), Some(second.clone()));
        assert_eq!(
            (mark.bearer().as_str(), second.bearer().as_str()),
            ("a role of its own", "the second login of `hoop_ro`")
        );
    }

    #[test]
    fn only_our_own_json_is_our_mark() {
        let mark = Mark::new("db-ABC", Some("read_only on app".to_owned()));
        assert_eq!(Mark::parse(&mark.to_json()), Some(mark));
        for foreign in ["", "created by hand", "{}", r#"{"managed_by":"someone","target":"db-ABC"}"#] {
            assert_eq!(Mark::parse(foreign), None, "{foreign}");
        }
    }
}
