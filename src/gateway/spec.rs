//! What a connection is wanted to be, and how that is laid over what is there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::access::{
    Arn, EngineKind, Invalid, Span, TlsMode, clean_tag_value, is_connection_name, is_tag_key, is_tag_value,
};

use super::connection::ENV_PREFIX;
use super::env::{initial_env, weakness};
use super::{Env, EnvValue, subtype};

/// Tag, always `true`, on every connection that this provider made.
pub const MANAGED_TAG: &str = "rdsaccess.managed";
/// Tag with the ARN of the database, by which Hoop's own views find the connections of a database.
pub const DATABASE_TAG: &str = "hoop.dev/aws-connect.dbarn";

/// Most tags of a connection, ours included.
pub const MOST_TAGS: usize = 10;
/// Longest name of a gateway resource: the width of its database column.
pub const LONGEST_RESOURCE_NAME: usize = 128;
/// Fields that the gateway only shows; they are not sent back.
const READ_ONLY: [&str; 11] = [
    "id",
    "status",
    "default_database",
    "redact_enabled",
    "managed_by",
    "managed_attributes",
    "effective_features",
    "secrets_updated_at",
    "jit_access_duration_sec",
    "mcp_oauth_warning",
    "mcp_oauth_granted",
];

/// The tags of a connection of ours.
pub fn mark_tags(database: &Arn) -> BTreeMap<String, String> {
    BTreeMap::from([
        (MANAGED_TAG.to_owned(), "true".to_owned()),
        (DATABASE_TAG.to_owned(), clean_tag_value(&database.to_string())),
    ])
}

/// The ways of using a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct AccessModes {
    /// Through a local port
    #[serde(rename = "access_mode_connect", deserialize_with = "enabled")]
    pub connect: bool,
    /// In the web terminal
    #[serde(rename = "access_mode_exec", deserialize_with = "enabled")]
    pub exec: bool,
    /// By runbooks
    #[serde(rename = "access_mode_runbooks", deserialize_with = "enabled")]
    pub runbooks: bool,
    /// Browsing the schema
    #[serde(rename = "access_schema", deserialize_with = "enabled")]
    pub schema: bool,
}

impl Default for AccessModes {
    fn default() -> Self {
        Self { connect: true, exec: true, runbooks: true, schema: true }
    }
}

fn enabled<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Option::<String>::deserialize(from).map(|word| word.as_deref() == Some("enabled"))
}

/// A setting that the user may leave to others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Setting<T> {
    /// Not ours: whatever is there stays
    #[default]
    Keep,
    /// It was ours and is not wanted any more
    Clear,
    /// This value
    Set(T),
}

/// A connection as it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionSpec {
    /// Unique name; a connection keeps it for life
    pub name: String,
    /// Engine, which decides on the subtype
    pub engine: EngineKind,
    /// How far TLS goes where the connection has no word on it
    pub tls: TlsMode,
    /// UUID of the agent
    pub agent_id: String,
    /// The gateway resource; `None` keeps what is there, and means the name for a new connection
    pub resource_name: Option<String>,
    /// Environment variables by their plain names; others stay
    pub env: BTreeMap<String, EnvValue>,
    /// Environment variables that were ours and go
    pub forget_env: BTreeSet<String>,
    /// Ways of using it
    pub access_modes: AccessModes,
    /// Groups that review sessions
    pub reviewers: Setting<BTreeSet<String>>,
    /// Info types that are redacted
    pub redact_types: Setting<BTreeSet<String>>,
    /// Ids of guardrail rules
    pub guardrail_rules: Setting<BTreeSet<String>>,
    /// Groups that can approve without a review
    pub force_approve_groups: Setting<BTreeSet<String>>,
    /// Attributes; those that Hoop itself manages stay besides
    pub attributes: Setting<BTreeSet<String>>,
    /// Metadata that a session must have
    pub mandatory_metadata_fields: Setting<BTreeSet<String>>,
    /// Longest just-in-time access
    pub access_max_duration: Setting<Span>,
    /// Approvals that a session needs, more than 0
    pub min_review_approvals: Setting<u32>,
    /// Template of the Jira issue
    pub jira_issue_template_id: Setting<String>,
    /// Tags; others stay
    pub tags: BTreeMap<String, String>,
    /// Tags that were ours and go
    pub forget_tags: BTreeSet<String>,
}

impl ConnectionSpec {
    /// A connection with every access mode and no further settings.
    pub fn new(name: &str, engine: EngineKind, agent_id: &str) -> Self {
        Self {
            name: name.to_owned(),
            engine,
            tls: TlsMode::VerifyFull,
            agent_id: agent_id.to_owned(),
            resource_name: None,
            env: BTreeMap::new(),
            forget_env: BTreeSet::new(),
            access_modes: AccessModes::default(),
            reviewers: Setting::Keep,
            redact_types: Setting::Keep,
            guardrail_rules: Setting::Keep,
            force_approve_groups: Setting::Keep,
            attributes: Setting::Keep,
            mandatory_metadata_fields: Setting::Keep,
            access_max_duration: Setting::Keep,
            min_review_approvals: Setting::Keep,
            jira_issue_template_id: Setting::Keep,
            tags: BTreeMap::new(),
            forget_tags: BTreeSet::new(),
        }
    }

    /// The body for a new connection.
    pub(super) fn new_body(&self) -> Result<Map<String, Value>, Invalid> {
        self.laid_over(&Map::new())
    }

    /// The body that changes an existing connection: everything that the spec does not name is as it was, fields that
    /// this provider does not know included. Values that the gateway hides go back as `null`, which keeps them.
    pub(super) fn laid_over(&self, old: &Map<String, Value>) -> Result<Map<String, Value>, Invalid> {
        let mut body = old.clone();
        body.insert("secret".to_owned(), Value::Object(self.secrets(old)?));
        body.insert("connection_tags".to_owned(), Value::Object(self.all_tags(old)?));
        body.insert("attributes".to_owned(), json!(self.all_attributes(old)));
        self.put_identity(&mut body)?;
        self.put_modes(&mut body);
        self.put_settings(&mut body)?;
        READ_ONLY.iter().for_each(|field| drop(body.remove(*field)));
        Ok(body)
    }

    /// Environment variables of others, less the forgotten ones, plus ours.
    fn secrets(&self, old: &Map<String, Value>) -> Result<Map<String, Value>, Invalid> {
        let mut secrets = object(old, "secret");
        self.forget_env.iter().for_each(|key| drop(secrets.remove(&format!("{ENV_PREFIX}{key}"))));
        for (key, value) in initial_env(self.engine, self.tls) {
            let name = format!("{ENV_PREFIX}{key}");
            let found = Env::shown(secrets.get(&name));
            if found == Env::Absent || weakness(&found, self.engine, self.tls).is_some() {
                secrets.insert(name, Value::String(value.encode(&key)?));
            }
        }
        for (key, value) in &self.env {
            secrets.insert(format!("{ENV_PREFIX}{key}"), Value::String(value.encode(key)?));
        }
        Ok(secrets)
    }

    fn all_tags(&self, old: &Map<String, Value>) -> Result<Map<String, Value>, Invalid> {
        for (key, value) in &self.tags {
            check_tag(key, value)?;
        }
        let mut tags = object(old, "connection_tags");
        self.forget_tags.iter().for_each(|key| drop(tags.remove(key)));
        tags.extend(self.tags.iter().map(|(key, value)| (key.clone(), json!(value))));
        if tags.len() > MOST_TAGS {
            let names: Vec<&str> = tags.keys().map(String::as_str).collect();
            return Err(Invalid::new(format!(
                "the connection would have {} tags, and the gateway takes {MOST_TAGS}: {}",
                tags.len(),
                names.join(", ")
            )));
        }
        Ok(tags)
    }

    /// Ours (or those that are there, when they are not ours to set) and those that Hoop manages.
    fn all_attributes(&self, old: &Map<String, Value>) -> BTreeSet<String> {
        let mut attributes = texts(old, "managed_attributes");
        match &self.attributes {
            Setting::Keep => attributes.extend(texts(old, "attributes")),
            Setting::Clear => {}
            Setting::Set(wanted) => attributes.extend(wanted.iter().cloned()),
        }
        attributes
    }

    fn put_identity(&self, body: &mut Map<String, Value>) -> Result<(), Invalid> {
        if !is_connection_name(&self.name) {
            return Err(Invalid::new(format!(
                "`{}` is not a connection name: letters, digits and `_` are expected, joined by single `-` or `.`, 3 to \
                 254 characters",
                self.name
            )));
        }
        if self.changes_engine(body) {
            // An empty list makes the gateway fill in the command of the subtype.
            body.insert("command".to_owned(), json!([]));
        }
        body.insert("name".to_owned(), json!(self.name));
        body.insert("type".to_owned(), json!("database"));
        body.insert("subtype".to_owned(), json!(subtype(self.engine)));
        body.insert("agent_id".to_owned(), json!(self.agent_id));
        let resource = self.resource_name.as_deref().or_else(|| body.get("resource_name").and_then(Value::as_str));
        let resource = resource.filter(|name| !name.is_empty()).unwrap_or(&self.name).to_owned();
        if resource.chars().count() > LONGEST_RESOURCE_NAME {
            return Err(Invalid::new(format!(
                "`{resource}` is too long for the name of a gateway resource ({LONGEST_RESOURCE_NAME} characters); set \
                 `resource_name`"
            )));
        }
        body.insert("resource_name".to_owned(), json!(resource));
        Ok(())
    }

    fn changes_engine(&self, old: &Map<String, Value>) -> bool {
        old.get("subtype").and_then(Value::as_str) != Some(subtype(self.engine))
    }

    fn put_modes(&self, body: &mut Map<String, Value>) {
        let AccessModes { connect, exec, runbooks, schema } = self.access_modes;
        for (field, on) in [
            ("access_mode_connect", connect),
            ("access_mode_exec", exec),
            ("access_mode_runbooks", runbooks),
            ("access_schema", schema),
        ] {
            body.insert(field.to_owned(), json!(if on { "enabled" } else { "disabled" }));
        }
    }

    fn put_settings(&self, body: &mut Map<String, Value>) -> Result<(), Invalid> {
        if self.min_review_approvals == Setting::Set(0) {
            return Err(Invalid::new("`min_review_approvals` must be more than 0"));
        }
        let empty = || json!([]);
        put(body, "reviewers", &self.reviewers, empty());
        put(body, "redact_types", &self.redact_types, empty());
        put(body, "guardrail_rules", &self.guardrail_rules, empty());
        put(body, "mandatory_metadata_fields", &self.mandatory_metadata_fields, empty());
        put(body, "force_approve_groups", &self.force_approve_groups, Value::Null);
        put(body, "min_review_approvals", &self.min_review_approvals, Value::Null);
        put(body, "jira_issue_template_id", &self.jira_issue_template_id, json!(""));
        let seconds = match &self.access_max_duration {
            Setting::Keep => Setting::Keep,
            Setting::Clear => Setting::Clear,
            Setting::Set(span) => Setting::Set(span.seconds()),
        };
        put(body, "access_max_duration", &seconds, Value::Null);
        Ok(())
    }
}

fn put<T: serde::Serialize>(body: &mut Map<String, Value>, field: &str, setting: &Setting<T>, cleared: Value) {
    match setting {
        Setting::Keep => {}
        Setting::Clear => drop(body.insert(field.to_owned(), cleared)),
        Setting::Set(value) => drop(body.insert(field.to_owned(), json!(value))),
    }
}

fn check_tag(key: &str, value: &str) -> Result<(), Invalid> {
    if !is_tag_key(key) {
        return Err(Invalid::new(format!(
            "`{key}` is not a tag key of the gateway: 1 to 64 letters, digits and `_`, with single `-`, `.` or `/` inside"
        )));
    }
    if !is_tag_value(value) {
        return Err(Invalid::new(format!(
            "the tag `{key}` cannot have the value `{value}`: the gateway takes 1 to 256 letters, digits, spaces and \
             `-_+=@/:`, and refuses a dot although its documentation allows it; `provider::rdsaccess::tag_value` cleans \
             a text"
        )));
    }
    Ok(())
}

fn object(old: &Map<String, Value>, field: &str) -> Map<String, Value> {
    old.get(field).and_then(Value::as_object).cloned().unwrap_or_default()
}

fn texts(old: &Map<String, Value>, field: &str) -> BTreeSet<String> {
    let list = old.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::{HOST, PASS, Reference};

    const AGENT: &str = "0b6f2f0e-5c1d-4a86-9a3e-2d1c7b9f4e10";

    fn spec() -> ConnectionSpec {
        ConnectionSpec::new("ledger-ro", EngineKind::Postgres, AGENT)
    }

    fn old() -> Map<String, Value> {
        let Value::Object(old) = json!({
            "id": "1", "name": "ledger-ro", "resource_name": "ledger", "subtype": "postgres", "command": ["my-psql"],
            "status": "online", "managed_by": null, "managed_attributes": ["profile"], "something_new": {"a": [1]},
            "secret": {"envvar:HOST": "b2xk", "envvar:SSLMODE": "dmVyaWZ5LWZ1bGw=", "filesystem:CA": "Y2E=", "envvar:PASS": null},
            "connection_tags": {"env": "prod", "gone": "x"}, "attributes": ["pii", "profile"],
            "reviewers": ["dba"], "access_max_duration": 3600, "force_approve_groups": ["sre"],
        }) else {
            unreachable!()
        };
        old
    }

    #[test]
    fn what_the_spec_does_not_name_stays_and_read_only_fields_are_not_sent() {
        let body = spec().laid_over(&old()).unwrap();
        for field in ["something_new", "command", "secret", "connection_tags", "reviewers", "access_max_duration"] {
            assert_eq!(body[field], old()[field], "{field}");
        }
        assert_eq!(body["resource_name"], "ledger");
        assert_eq!(body["attributes"], json!(["pii", "profile"]));
        assert!(READ_ONLY.iter().all(|field| !body.contains_key(*field)));
    }

    #[test]
    fn settings_are_set_and_cleared_and_attributes_of_hoop_stay() {
        let body = ConnectionSpec {
            reviewers: Setting::Set(BTreeSet::from(["b".to_owned(), "a".to_owned()])),
            force_approve_groups: Setting::Clear,
            access_max_duration: Setting::Clear,
            attributes: Setting::Clear,
            min_review_approvals: Setting::Set(2),
            ..spec()
        }
        .laid_over(&old())
        .unwrap();
        assert_eq!(body["reviewers"], json!(["a", "b"]));
        assert_eq!([&body["force_approve_groups"], &body["access_max_duration"]], [&Value::Null, &Value::Null]);
        assert_eq!(body["attributes"], json!(["profile"]));
        assert_eq!(body["min_review_approvals"], 2);
    }

    #[test]
    fn variables_and_tags_of_others_stay_and_ours_are_set_or_forgotten() {
        let mut spec = spec();
        spec.env.insert(PASS.to_owned(), EnvValue::Reference(Reference::aws("ledger", "password").unwrap()));
        spec.forget_env.insert(HOST.to_owned());
        spec.tags.insert("team".to_owned(), "pay".to_owned());
        spec.forget_tags.insert("gone".to_owned());
        let body = spec.laid_over(&old()).unwrap();
        assert_eq!(
            body["secret"],
            json!({"envvar:SSLMODE": "dmVyaWZ5LWZ1bGw=", "filesystem:CA": "Y2E=", "envvar:PASS": "X2F3czpsZWRnZXI6cGFzc3dvcmQ="})
        );
        assert_eq!(body["connection_tags"], json!({"env": "prod", "team": "pay"}));
    }

    #[test]
    fn a_new_connection_gets_the_command_of_its_subtype_and_insists_on_tls() {
        let body = spec().new_body().unwrap();
        assert_eq!(body["command"], json!([]));
        assert_eq!(body["secret"], json!({"envvar:SSLMODE": "cmVxdWlyZQ=="}));
        assert_eq!(body["resource_name"], "ledger-ro");
        assert_eq!(body["access_mode_connect"], "enabled");
    }

    #[test]
    fn another_engine_gets_its_own_command() {
        let body = ConnectionSpec { engine: EngineKind::Mysql, ..spec() }.laid_over(&old()).unwrap();
        assert_eq!((&body["subtype"], &body["command"]), (&json!("mysql"), &json!([])));
    }

    #[test]
    fn what_the_gateway_would_refuse_or_misread_is_refused_before_the_call() {
        let refused = |change: fn(&mut ConnectionSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.laid_over(&old()).unwrap_err().to_string()
        };
        assert!(refused(|s| s.name = "ledger--ro".to_owned()).contains("not a connection name"));
        assert!(refused(|s| s.resource_name = Some("x".repeat(129))).contains("too long"));
        assert!(refused(|s| s.min_review_approvals = Setting::Set(0)).contains("more than 0"));
        assert!(refused(|s| drop(s.tags.insert("host".to_owned(), "a.b".to_owned()))).contains("refuses a dot"));
        assert!(refused(|s| drop(s.tags.insert("host-".to_owned(), "a".to_owned()))).contains("not a tag key"));
        assert!(refused(|s| s.tags.extend((0..9).map(|n| (format!("t{n}"), "x".to_owned())))).contains("11 tags"));
        let magic = refused(|s| drop(s.env.insert(PASS.to_owned(), EnvValue::Secret("_aws:hunter2:b".into()))));
        assert!(magic.contains("`PASS`") && !magic.contains("hunter2"), "{magic}");
    }

    #[test]
    fn our_tags_pass_the_gateways_rule() {
        let arn = "arn:aws:rds:eu-central-1:123456789012:db:ledger".parse().unwrap();
        assert!(mark_tags(&arn).iter().all(|(key, value)| check_tag(key, value).is_ok()));
    }
}
