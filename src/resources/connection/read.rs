//! From what the gateway shows to state. Pure.

use std::collections::BTreeSet;

use crate::access::{Auth, EngineKind, TlsMode};
use crate::gateway::{
    self, DATABASE_TAG, DB, Env, EnvState, HOST, IAM_MARKER, MANAGED_TAG, PASS, PORT, TlsState, USER,
};
use crate::schema::Attr;

use super::model::{AccessModes, Connection, OK, Role};
use super::spec::{Delivery, engine_of, fallback_database, wanted_password};

/// What is there.
pub(super) struct Sight<'a> {
    /// The connection
    pub(super) connection: &'a gateway::Connection,
    /// Its groups; `None` when they were not asked for or none are set
    pub(super) groups: Option<BTreeSet<String>>,
    /// Name of its agent; `None` when it was not asked for
    pub(super) agent_name: Option<String>,
    /// How it should get its password; `None` when the secret gives none to compare with
    pub(super) delivery: Option<Delivery>,
    /// How the provider itself verifies databases
    pub(super) tls: TlsMode,
}

/// Brings the state up to date. A setting that the state does not hold is not managed and is not looked at; an import
/// (`all`) takes everything in.
pub(super) fn observe(state: &mut Connection, sight: &Sight<'_>, all: bool) {
    let found = sight.connection;
    state.name = found.name.clone().into();
    state.target_arn = found.tags.get(DATABASE_TAG).and_then(|arn| arn.parse().ok()).into();
    state.resource_name = found.resource_name.clone().into();
    state.access_modes = Attr::Known(modes(found.access_modes));
    match &sight.agent_name {
        Some(name) => state.agent_name = name.clone().into(),
        None => state.agent_id = found.agent_id.clone().into(),
    }
    observe_login(state, found);
    observe_settings(state, sight, all);
    observe_tags(state, found, all);
    state.id = found.id.clone().into();
    state.command = found.command.clone().into();
    state.status = found.status.clone().into();
    state.secret_state = secret_state(state.role.get(), sight.delivery.as_ref(), found);
    let engine = state.role.get().and_then(|role| role.engine.get().copied());
    state.tls_state = engine.map_or(Attr::Null, |engine| tls_state(found, engine, sight.tls));
}

/// How far the TLS of sessions goes; null where the gateway has no setting for the engine.
pub(super) fn tls_state(found: &gateway::Connection, engine: EngineKind, tls: TlsMode) -> Attr<String> {
    gateway::tls_state(found, engine, tls)
        .map(|state| match state {
            TlsState::Enough => OK.to_owned(),
            TlsState::Weak(words) => words,
            TlsState::Hidden => EnvState::Hidden.as_str().to_owned(),
        })
        .into()
}

/// Whether the password is the wanted one; null when the role does not say which that is.
pub(super) fn secret_state(
    role: Option<&Role>,
    delivery: Option<&Delivery>,
    found: &gateway::Connection,
) -> Attr<String> {
    let role = role.filter(|role| role.is_iam() || role.secret_ref.is_known());
    let wanted = role.zip(delivery).and_then(|(role, delivery)| wanted_password(role, delivery));
    let word = match (wanted, found.env(PASS)) {
        (Some(wanted), _) => found.compare(PASS, &wanted),
        (None, Env::Hidden) => EnvState::Hidden,
        (None, Env::Reference(_) | Env::Literal(_)) if role.is_none() => return Attr::Null,
        (None, _) => EnvState::Differs,
    };
    word.as_str().to_owned().into()
}

fn observe_login(state: &mut Connection, found: &gateway::Connection) {
    let mut role = state.role.get().cloned().unwrap_or_default();
    role.engine = engine_of(&found.kind, &found.subtype, role.engine.get().copied()).into();
    role.endpoint = text(found, HOST, &role.endpoint);
    role.port = match found.env(PORT) {
        Env::Hidden => role.port,
        Env::Literal(port) => port.expose().parse::<i64>().ok().into(),
        _ => Attr::Null,
    };
    match found.env(USER) {
        Env::Hidden => {}
        Env::Reference(user) if user.as_str().starts_with(IAM_MARKER) => {
            role.username = user.as_str().trim_start_matches(IAM_MARKER).to_owned().into();
            role.auth = Auth::Iam.into();
        }
        _ => {
            role.username = text(found, USER, &role.username);
            role.auth = Auth::Password.into();
        }
    }
    if role.auth.is_null() {
        role.auth = Auth::Password.into();
    }
    let fallback = role.engine.get().and_then(|engine| fallback_database(*engine));
    let database = if state.database.is_known() { &mut state.database } else { &mut role.default_database };
    let there = text(found, DB, database);
    let is_fallback = database.is_null() && there.get().map(String::as_str) == fallback;
    *database = if is_fallback { Attr::Null } else { there };
    state.role = role.into();
}

/// A variable as text; a reference is shown as it is written. A hidden value is taken to be what it was.
fn text(found: &gateway::Connection, key: &str, before: &Attr<String>) -> Attr<String> {
    match found.env(key) {
        Env::Hidden => before.clone(),
        Env::Absent | Env::Unreadable => Attr::Null,
        Env::Reference(reference) => reference.as_str().to_owned().into(),
        Env::Literal(value) => value.expose().clone().into(),
    }
}

fn observe_settings(state: &mut Connection, sight: &Sight<'_>, all: bool) {
    let found = sight.connection;
    let set = |attr: &mut Attr<BTreeSet<String>>, there: &BTreeSet<String>| {
        if attr.is_known() || (all && !there.is_empty()) {
            *attr = there.clone().into();
        }
    };
    set(&mut state.reviewers, &found.reviewers);
    set(&mut state.redact_types, &found.redact_types);
    set(&mut state.guardrail_rules, &found.guardrail_rules);
    set(&mut state.force_approve_groups, &found.force_approve_groups);
    set(&mut state.attributes, &found.attributes);
    set(&mut state.mandatory_metadata_fields, &found.mandatory_metadata_fields);
    value(&mut state.groups, sight.groups.clone().filter(|groups| !all || !groups.is_empty()), all);
    value(&mut state.access_max_duration, found.access_max_duration, all);
    value(&mut state.min_review_approvals, found.min_review_approvals.map(i64::from), all);
    value(&mut state.jira_issue_template_id, found.jira_issue_template_id.clone(), all);
}

fn value<T>(attr: &mut Attr<T>, there: Option<T>, all: bool) {
    if attr.is_known() || all {
        *attr = there.into();
    }
}

/// The tags that the state knows, or on import all but ours.
fn observe_tags(state: &mut Connection, found: &gateway::Connection, all: bool) {
    let ours = |key: &str| [MANAGED_TAG, DATABASE_TAG].contains(&key);
    let known = state.tags.get();
    let seen = |key: &str| known.map_or(all && !ours(key), |tags| tags.contains_key(key));
    let tags: std::collections::BTreeMap<_, _> =
        found.tags.iter().filter(|(key, _)| seen(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
    if known.is_some() || !tags.is_empty() {
        state.tags = tags.into();
    }
}

fn modes(modes: gateway::AccessModes) -> AccessModes {
    let gateway::AccessModes { connect, exec, runbooks, schema } = modes;
    AccessModes { connect: connect.into(), exec: exec.into(), runbooks: runbooks.into(), schema: schema.into() }
}
