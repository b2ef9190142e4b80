//! From the planned connection to what the gateway is asked for. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{EngineKind, Invalid, Secret, SecretRef, TlsMode};
use crate::gateway::{self, ConnectionSpec, EnvValue, Reference, Setting, USER, endpoint_env, iam_env, mark_tags};
use crate::report::Report;
use crate::schema::{Attr, Reports};
use crate::value::Path;

use super::imported::Unclaimed;
use super::model::{AccessModes, Connection, Role};

/// Key of the password in a secret of Secrets Manager.
const PASSWORD_KEY: &str = "password";
/// As [`PASSWORD_KEY`], in Vault: the key that the gateway itself writes there.
const VAULT_PASSWORD_KEY: &str = "PASSWORD";

/// What the connection holds in the place of the password.
pub(super) fn reference(secret: &SecretRef) -> Result<Reference, Invalid> {
    let key = match secret {
        SecretRef::SecretsManager { .. } => PASSWORD_KEY,
        SecretRef::Vault { .. } => VAULT_PASSWORD_KEY,
    };
    Reference::to_secret(secret, key)
}

/// How the connection gets its password, by `secret_delivery`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The gateway's agent reads it from the store
    Reference,
    /// The gateway stores this one
    Copy(Secret<String>),
}

/// What the planned connection asks for.
pub(super) fn spec(wish: &Wish<'_>) -> Result<ConnectionSpec, Reports> {
    let planned = wish.planned;
    let role = known(&planned.role, Path::attribute("role"))?;
    let name = known(&planned.name, Path::attribute("name"))?;
    let engine = *role_part(&role.engine, "engine")?;
    let approvals = wish.setting("min_review_approvals", |c| &c.min_review_approvals);
    Ok(ConnectionSpec {
        resource_name: planned.resource_name.get().cloned(),
        env: environment(planned, role, &wish.delivery)?,
        access_modes: planned.access_modes.get().map(modes).unwrap_or_default(),
        reviewers: wish.setting("reviewers", |c| &c.reviewers),
        redact_types: wish.setting("redact_types", |c| &c.redact_types),
        guardrail_rules: wish.setting("guardrail_rules", |c| &c.guardrail_rules),
        force_approve_groups: wish.setting("force_approve_groups", |c| &c.force_approve_groups),
        attributes: wish.setting("attributes", |c| &c.attributes),
        mandatory_metadata_fields: wish.setting("mandatory_metadata_fields", |c| &c.mandatory_metadata_fields),
        access_max_duration: wish.setting("access_max_duration", |c| &c.access_max_duration),
        min_review_approvals: narrowed(approvals),
        jira_issue_template_id: wish.setting("jira_issue_template_id", |c| &c.jira_issue_template_id),
        tags: wish.tags()?,
        forget_tags: forgotten_tags(planned, wish.prior, wish.unclaimed),
        tls: wish.tls,
        ..ConnectionSpec::new(name, engine, &wish.agent_id)
    })
}

/// A planned connection with what is needed to turn it into a request.
pub(super) struct Wish<'a> {
    /// What was promised
    pub(super) planned: &'a Connection,
    /// The state before
    pub(super) prior: Option<&'a Connection>,
    /// What an import found and the configuration never named
    pub(super) unclaimed: &'a Unclaimed,
    /// The agent
    pub(super) agent_id: String,
    /// How it gets its password
    pub(super) delivery: Delivery,
    /// How the provider itself verifies databases
    pub(super) tls: TlsMode,
}

impl Wish<'_> {
    /// A setting that is left out stays as it is, unless it was ours before.
    pub(super) fn setting<T: Clone>(&self, name: &str, of: impl Fn(&Connection) -> &Attr<T>) -> Setting<T> {
        match of(self.planned) {
            Attr::Known(value) => Setting::Set(value.clone()),
            _ if self.unclaimed.has(name) => Setting::Keep,
            _ if self.prior.is_some_and(|prior| of(prior).is_known()) => Setting::Clear,
            _ => Setting::Keep,
        }
    }

    fn tags(&self) -> Result<BTreeMap<String, String>, Reports> {
        let mut tags = self.planned.tags.get().cloned().unwrap_or_default();
        tags.extend(mark_tags(known(&self.planned.target_arn, Path::attribute("target_arn"))?));
        Ok(tags)
    }
}

/// Keys of the tags that were ours and go.
pub(super) fn forgotten_tags(
    planned: &Connection,
    prior: Option<&Connection>,
    unclaimed: &Unclaimed,
) -> BTreeSet<String> {
    let before = prior.and_then(|prior| prior.tags.get()).filter(|_| !unclaimed.has("tags"));
    let kept = planned.tags.get();
    let is_kept = |key: &String| kept.is_some_and(|tags| tags.contains_key(key));
    before.into_iter().flatten().map(|(key, _)| key.clone()).filter(|key| !is_kept(key)).collect()
}

/// The variables that are ours.
fn environment(planned: &Connection, role: &Role, delivery: &Delivery) -> Result<BTreeMap<String, EnvValue>, Reports> {
    let port = role_part(&role.port, "port")?;
    let port = u16::try_from(*port).map_err(|_| invalid("port", &Invalid::new("a port is at most 65535")))?;
    let database = wanted_database(planned, role).ok_or_else(|| super::rules::problems(planned))?;
    let mut env = endpoint_env(role_part(&role.endpoint, "endpoint")?, port, database);
    env.extend(login(role, delivery)?);
    Ok(env)
}

/// The database that sessions open.
fn wanted_database<'a>(planned: &'a Connection, role: &'a Role) -> Option<&'a str> {
    let named = planned.database.get().or_else(|| role.default_database.get());
    named.map(String::as_str).or_else(|| fallback_database(*role.engine.get()?))
}

/// What sessions open when neither connection nor role names a database. The gateway's `mysql -D$DB` breaks without one,
/// and a server without a database of its own has this one, which every account may use.
pub(super) fn fallback_database(engine: EngineKind) -> Option<&'static str> {
    match engine {
        EngineKind::Mysql | EngineKind::Mariadb => Some("information_schema"),
        EngineKind::Postgres | EngineKind::Sqlserver => None,
    }
}

/// User and password.
fn login(role: &Role, delivery: &Delivery) -> Result<BTreeMap<String, EnvValue>, Reports> {
    let username = role_part(&role.username, "username")?;
    if role.is_iam() {
        return iam_env(username).map_err(|why| invalid("username", &why));
    }
    Ok(BTreeMap::from([
        (USER.to_owned(), EnvValue::Plain(username.clone())),
        (gateway::PASS.to_owned(), password(role, delivery)?),
    ]))
}

fn password(role: &Role, delivery: &Delivery) -> Result<EnvValue, Reports> {
    match delivery {
        Delivery::Reference => {
            let secret = role_part(&role.secret_ref, "secret_ref")?;
            let reference = reference(secret).map_err(|why| invalid("secret_ref", &why))?;
            Ok(EnvValue::Reference(reference))
        }
        Delivery::Copy(password) => Ok(EnvValue::Secret(password.clone())),
    }
}

/// The password that the connection should have, if the role says.
pub(super) fn wanted_password(role: &Role, delivery: &Delivery) -> Option<EnvValue> {
    if role.is_iam() {
        return iam_env(role.username.get()?).ok()?.remove(gateway::PASS);
    }
    password(role, delivery).ok()
}

/// The ways of using a connection; what is not known counts as the default.
fn modes(modes: &AccessModes) -> gateway::AccessModes {
    let on = |mode: &Attr<bool>| mode.get().copied().unwrap_or(true);
    gateway::AccessModes {
        connect: on(&modes.connect),
        exec: on(&modes.exec),
        runbooks: on(&modes.runbooks),
        schema: on(&modes.schema),
    }
}

/// The schema bounds the number.
fn narrowed(setting: Setting<i64>) -> Setting<u32> {
    match setting {
        Setting::Keep => Setting::Keep,
        Setting::Clear => Setting::Clear,
        Setting::Set(number) => Setting::Set(u32::try_from(number).unwrap_or(u32::MAX)),
    }
}

/// The engine that the gateway's words stand for; `known` decides between MySQL and MariaDB, which it does not tell
/// apart.
pub(super) fn engine_of(kind: &str, subtype: &str, known: Option<EngineKind>) -> Option<EngineKind> {
    let fits = |engine: &EngineKind| kind == "database" && gateway::subtype(*engine) == subtype;
    known.filter(fits).or_else(|| EngineKind::ALL.into_iter().find(fits))
}

fn role_part<'a, T>(part: &'a Attr<T>, name: &str) -> Result<&'a T, Reports> {
    known(part, Path::attribute("role").field(name))
}

fn known<T>(attr: &Attr<T>, at: Path) -> Result<&T, Reports> {
    attr.get().ok_or_else(|| {
        let detail = format!("`{at}` is null, and the connection needs it. Give it a value.");
        Report::error(format!("`{at}` is missing"), detail).at(at).into()
    })
}

fn invalid(part: &str, why: &Invalid) -> Reports {
    crate::schema::misfit(&Path::attribute("role").field(part), why).into()
}
