//! A connection as the gateway shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::access::{Secret, Span};

use super::spec::{AccessModes, MANAGED_TAG};
use super::{EnvValue, Error, Reference};

/// What environment variables begin with on the wire; files begin with `filesystem:`.
pub(super) const ENV_PREFIX: &str = "envvar:";

/// A connection. Lists without order are sets, so that their order never shows as a difference.
#[derive(Debug, Clone)]
pub struct Connection {
    /// UUID
    pub id: String,
    /// Unique name, never changes
    pub name: String,
    /// The gateway resource it belongs to
    pub resource_name: String,
    /// `database`, `application`, `custom`
    pub kind: String,
    /// `postgres`, `mysql`, `mssql`, …
    pub subtype: String,
    /// The agent that opens the sessions
    pub agent_id: String,
    /// Command of the web terminal; the gateway fills it in
    pub command: Vec<String>,
    /// `online` or `offline`
    pub status: String,
    /// Who manages it, when not an admin through the API
    pub managed_by: Option<String>,
    /// The database of [`super::DB`]; `None` when there is none or when it is hidden
    pub default_database: Option<String>,
    /// Ways of using it
    pub access_modes: AccessModes,
    /// Groups that review sessions
    pub reviewers: BTreeSet<String>,
    /// Info types that are redacted
    pub redact_types: BTreeSet<String>,
    /// Ids of guardrail rules
    pub guardrail_rules: BTreeSet<String>,
    /// Groups that can approve without a review
    pub force_approve_groups: BTreeSet<String>,
    /// Attributes without those that Hoop itself manages
    pub attributes: BTreeSet<String>,
    /// Attributes that Hoop itself manages (protection profiles)
    pub managed_attributes: BTreeSet<String>,
    /// Metadata that a session must have
    pub mandatory_metadata_fields: BTreeSet<String>,
    /// Longest just-in-time access
    pub access_max_duration: Option<Span>,
    /// Approvals that a session needs
    pub min_review_approvals: Option<u32>,
    /// Template of the Jira issue
    pub jira_issue_template_id: Option<String>,
    /// Tags with key and value
    pub tags: BTreeMap<String, String>,
    /// When its variables were last changed; until then when it was made. Older gateways do not say
    pub secrets_updated_at: Option<String>,
    pub(super) raw: Raw,
}

/// What came of making a connection.
#[derive(Debug)]
pub enum Creation {
    /// It was made
    Made(Connection),
    /// One of that name is there, and why it was looked for: the name is taken, or the answer was lost
    Found(Connection, Error),
}

/// One environment variable as the gateway shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Env {
    /// It is not there
    Absent,
    /// The gateway hides its value (`hide_role_info`, or a token that is no admin's)
    Hidden,
    /// Where the agent finds the value
    Reference(Reference),
    /// A literal, perhaps a secret
    Literal(Secret<String>),
    /// It is there, but not base64 of UTF-8
    Unreadable,
}

impl Env {
    /// A variable as it comes over the wire.
    pub(super) fn shown(secret: Option<&Value>) -> Self {
        let encoded = match secret {
            None => return Self::Absent,
            Some(Value::Null) => return Self::Hidden,
            Some(value) => value.as_str().unwrap_or_default(),
        };
        let Some(text) = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return Self::Unreadable;
        };
        Reference::recognise(&text).map_or_else(|| Self::Literal(Secret::new(text)), Self::Reference)
    }
}

/// How an environment variable compares with the wanted value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvState {
    /// The same
    InSync,
    /// Another value, or none
    Differs,
    /// Nobody can tell, because the gateway hides it
    Hidden,
}

impl EnvState {
    /// The word of the attribute `secret_state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InSync => "in_sync",
            Self::Differs => "differs",
            Self::Hidden => "hidden",
        }
    }
}

impl Connection {
    /// Whether this provider made it: our tag is there.
    pub fn is_ours(&self) -> bool {
        is_marked(&self.tags)
    }

    /// One environment variable by its plain name, such as [`super::HOST`]. Without a single variable all count as hidden:
    /// that is what the gateway shows to a token that is no admin's.
    pub fn env(&self, key: &str) -> Env {
        let secrets = self.raw.0.get("secret").and_then(Value::as_object).filter(|secrets| !secrets.is_empty());
        let Some(secrets) = secrets else { return Env::Hidden };
        Env::shown(secrets.get(&format!("{ENV_PREFIX}{key}")))
    }

    /// Compares an environment variable with the wanted value, in memory.
    pub fn compare(&self, key: &str, wanted: &EnvValue) -> EnvState {
        let same = match self.env(key) {
            Env::Hidden => return EnvState::Hidden,
            Env::Absent | Env::Unreadable => false,
            Env::Reference(reference) => reference.as_str() == wanted.expose(),
            Env::Literal(text) => text.expose() == wanted.expose(),
        };
        if same { EnvState::InSync } else { EnvState::Differs }
    }
}

/// What a list shows of a connection: the gateway leaves out the secrets and several settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedConnection {
    /// UUID
    pub id: String,
    /// Unique name
    pub name: String,
    /// The gateway resource it belongs to
    #[serde(default, deserialize_with = "or_default")]
    pub resource_name: String,
    /// `postgres`, `mysql`, `mssql`, …
    #[serde(default, deserialize_with = "or_default")]
    pub subtype: String,
    /// The agent that opens the sessions
    #[serde(default, deserialize_with = "or_default")]
    pub agent_id: String,
    /// Who manages it, when not an admin through the API
    #[serde(default)]
    pub managed_by: Option<String>,
    /// Tags with key and value
    #[serde(default, rename = "connection_tags", deserialize_with = "or_default")]
    pub tags: BTreeMap<String, String>,
}

impl ListedConnection {
    /// Whether this provider made it: our tag is there.
    pub fn is_ours(&self) -> bool {
        is_marked(&self.tags)
    }
}

fn is_marked(tags: &BTreeMap<String, String>) -> bool {
    tags.get(MANAGED_TAG).is_some_and(|value| value == "true")
}

/// The object as it came, unknown fields and secrets included. It never prints.
#[derive(Clone, Deserialize)]
pub(super) struct Raw(pub(super) Map<String, Value>);

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw(***)")
    }
}

/// The fields that are read; everything else stays in [`Raw`].
#[derive(Deserialize)]
struct Wire {
    id: String,
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    resource_name: String,
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    subtype: String,
    #[serde(default, deserialize_with = "or_default")]
    agent_id: String,
    #[serde(default, deserialize_with = "or_default")]
    command: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    status: String,
    #[serde(default, deserialize_with = "or_default")]
    managed_by: String,
    #[serde(default, deserialize_with = "or_default")]
    default_database: String,
    #[serde(flatten)]
    access_modes: AccessModes,
    #[serde(default, deserialize_with = "or_default")]
    reviewers: BTreeSet<String>,
    #[serde(default, deserialize_with = "or_default")]
    redact_types: BTreeSet<String>,
    #[serde(default, deserialize_with = "or_default")]
    guardrail_rules: BTreeSet<String>,
    #[serde(default, deserialize_with = "or_default")]
    force_approve_groups: BTreeSet<String>,
    #[serde(default, deserialize_with = "or_default")]
    attributes: BTreeSet<String>,
    #[serde(default, deserialize_with = "or_default")]
    managed_attributes: BTreeSet<String>,
    #[serde(default, deserialize_with = "or_default")]
    mandatory_metadata_fields: BTreeSet<String>,
    #[serde(default)]
    access_max_duration: Option<u64>,
    #[serde(default)]
    min_review_approvals: Option<u32>,
    #[serde(default, deserialize_with = "or_default")]
    jira_issue_template_id: String,
    #[serde(default, rename = "connection_tags", deserialize_with = "or_default")]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    secrets_updated_at: Option<String>,
}

impl<'de> Deserialize<'de> for Connection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        // The text of this error can repeat a value; the caller shows only the place.
        let wire = Wire::deserialize(Value::Object(raw.0.clone())).map_err(serde::de::Error::custom)?;
        Ok(Self {
            attributes: wire.attributes.difference(&wire.managed_attributes).cloned().collect(),
            managed_attributes: wire.managed_attributes,
            id: wire.id,
            name: wire.name,
            resource_name: wire.resource_name,
            kind: wire.kind,
            subtype: wire.subtype,
            agent_id: wire.agent_id,
            command: wire.command,
            status: wire.status,
            managed_by: filled(wire.managed_by),
            default_database: filled(wire.default_database),
            access_modes: wire.access_modes,
            reviewers: wire.reviewers,
            redact_types: wire.redact_types,
            guardrail_rules: wire.guardrail_rules,
            force_approve_groups: wire.force_approve_groups,
            mandatory_metadata_fields: wire.mandatory_metadata_fields,
            access_max_duration: wire.access_max_duration.map(Span::from_seconds),
            min_review_approvals: wire.min_review_approvals,
            jira_issue_template_id: filled(wire.jira_issue_template_id),
            tags: wire.tags,
            secrets_updated_at: wire.secrets_updated_at,
            raw,
        })
    }
}

/// The gateway writes `null` for empty lists and texts now and then.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connection(further: Value) -> Connection {
        let mut body = json!({
            "id": "0b6f2f0e-5c1d-4a86-9a3e-2d1c7b9f4e10", "name": "ledger-ro",
            "access_mode_connect": "enabled", "access_mode_exec": "disabled",
            "access_mode_runbooks": "enabled", "access_schema": "enabled",
        });
        body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn nulls_read_as_nothing_and_managed_attributes_are_set_apart() {
        let read = connection(json!({
            "reviewers": null, "force_approve_groups": null, "connection_tags": null, "managed_by": null,
            "jira_issue_template_id": "", "attributes": ["pii", "profile"], "managed_attributes": ["profile"],
            "access_max_duration": 3600, "something_new": {"a": 1},
        }));
        assert!(read.reviewers.is_empty() && read.managed_by.is_none() && read.jira_issue_template_id.is_none());
        assert_eq!(read.attributes, BTreeSet::from(["pii".to_owned()]));
        assert_eq!(read.access_max_duration, Some(Span::from_seconds(3600)));
        assert!(read.access_modes.connect && !read.access_modes.exec);
    }

    #[test]
    fn values_are_told_apart_and_compared() {
        let read = connection(json!({"secret": {
            "envvar:HOST": "ZGIuaW50ZXJuYWw=", "envvar:USER": null, "envvar:PASS": "X2F3czphOmI=", "envvar:DB": "%%",
        }}));
        let literal = EnvValue::Plain("db.internal".to_owned());
        assert_eq!(read.env("HOST"), Env::Literal("db.internal".into()));
        assert_eq!(read.env("PASS"), Env::Reference(Reference::aws("a", "b").unwrap()));
        assert_eq!([read.env("USER"), read.env("DB"), read.env("PORT")], [Env::Hidden, Env::Unreadable, Env::Absent]);
        let states = ["HOST", "USER", "PASS", "DB", "PORT"].map(|key| read.compare(key, &literal).as_str());
        assert_eq!(states, ["in_sync", "hidden", "differs", "differs", "differs"]);
    }

    #[test]
    fn a_token_without_rights_sees_no_variable_and_nothing_counts_as_gone() {
        for read in [connection(json!({})), connection(json!({"secret": {}})), connection(json!({"secret": null}))] {
            assert_eq!(read.env("HOST"), Env::Hidden);
        }
    }

    #[test]
    fn a_connection_never_prints_its_secrets() {
        let read = connection(json!({"secret": {"envvar:PASS": "aHVudGVyMg=="}}));
        let text = format!("{read:?} {:?}", read.env("PASS"));
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
    }

    #[test]
    fn only_our_tag_with_its_value_is_our_mark() {
        assert!(connection(json!({"connection_tags": {"rdsaccess.managed": "true"}})).is_ours());
        assert!(!connection(json!({"connection_tags": {"rdsaccess.managed": "false"}})).is_ours());
        assert!(!connection(json!({"connection_tags": {"hoop.dev/aws-connect.dbarn": "arn"}})).is_ours());
    }
}
