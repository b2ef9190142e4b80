//! The documented JSON of an event. Pure.
//!
//! A webhook gets the job as `GET /api/dbroles/jobs/{id}` of the gateway would show it, and never a password. A command
//! gets the gateway's request to its agent and the agent's response, each in an environment variable.

use serde_json::{Value, json};

use crate::access::{Endpoint, Secret, SecretRef};

use super::event::{Event, Outcome, SecretPlace};

/// Type of the event.
pub const EVENT_TYPE: &str = "dbroles.job.finished";

/// The keys of a secret in Secrets Manager, as RDS itself writes them.
const AWS_KEYS: [&str; 5] = ["host", "port", "username", "password", "dbname"];
/// The keys of a secret in Vault, as the gateway writes them.
const VAULT_KEYS: [&str; 5] = ["HOST", "PORT", "USER", "PASSWORD", "DB"];

/// How a command ended, as a webhook is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookStatus {
    /// Exit code
    pub exit_code: i64,
    /// Output, cleaned and cut
    pub output: String,
    /// Whole seconds that it took
    pub seconds: u64,
}

/// The passwords that a command gets; empty ones unless it is to get them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passwords {
    /// Of the master user
    pub master: Secret<String>,
    /// Of the roles, in their order; a missing one is empty
    pub roles: Vec<Secret<String>>,
}

impl Passwords {
    /// No password at all.
    pub fn none() -> Self {
        Self { master: "".into(), roles: Vec::new() }
    }
}

impl Event {
    /// The body of the webhook.
    pub fn payload(&self, completed_at: &str, hook: Option<&HookStatus>) -> Value {
        json!({ "event_type": EVENT_TYPE, "event_payload": self.job(completed_at, hook) })
    }

    fn job(&self, completed_at: &str, hook: Option<&HookStatus>) -> Value {
        let database = &self.database;
        let tags: Vec<Value> = database.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        let result: Vec<Value> = self.roles.iter().map(|role| self.result(role)).collect();
        json!({
            "org_id": self.organization,
            "id": self.id,
            "created_at": self.created_at,
            "completed_at": completed_at,
            "spec": {
                "account_arn": self.account_arn,
                "db_arn": database.arn.to_string(),
                "db_name": database.arn.identifier,
                "db_engine": database.engine,
                "db_tags": tags,
            },
            "status": { "phase": self.status(), "message": self.message(), "result": result },
            "hook_status": hook.map(|hook| json!({
                "exit_code": hook.exit_code, "output": hook.output, "execution_time_sec": hook.seconds,
            })),
        })
    }

    fn result(&self, role: &Outcome) -> Value {
        let secret = Described::of(&role.secret);
        json!({
            "user_role": role.username,
            "status": role.status(),
            "message": role.problem.clone().unwrap_or_default(),
            "completed_at": self.time_of(role),
            "credentials_info": {
                "secrets_manager_provider": secret.provider,
                "secret_id": secret.id,
                "secret_keys": secret.keys,
            },
        })
    }

    /// The variable `HOOP_AWS_CONNECT_REQUEST`.
    pub fn request(&self, passwords: &Passwords, command: &[String]) -> Secret<String> {
        let database = &self.database;
        let tags: Vec<Value> = database.tags.iter().map(|(key, value)| json!({ key: value })).collect();
        let in_vault = self.roles.iter().find_map(|role| match &role.secret {
            SecretPlace::At(SecretRef::Vault { mount, path, .. }) => Some(folder(mount, path)),
            _ => None,
        });
        text(&json!({
            "org_id": self.organization,
            "sid": self.id,
            "resource_id": database.arn.to_string(),
            "hostname": host(database.endpoint.as_ref()),
            "port": port(database.endpoint.as_ref()),
            "master_user": database.master,
            "master_password": passwords.master.expose(),
            "database_type": database.engine,
            "database_tags": tags,
            "vault_provider": in_vault.map(|id| json!({ "secret_id": id })),
            "exec_hook": { "command": command, "input_file": "" },
        }))
    }

    /// The variable `HOOP_AWS_CONNECT_RESPONSE`.
    pub fn response(&self, passwords: &Passwords) -> Secret<String> {
        let result: Vec<Value> = self
            .roles
            .iter()
            .enumerate()
            .map(|(index, role)| self.credentials(role, passwords.roles.get(index)))
            .collect();
        text(&json!({
            "sid": self.id, "status": self.status(), "message": self.message(), "result": result,
        }))
    }

    /// A role with a problem keeps its credentials: scripts read them without asking, and they may well work.
    fn credentials(&self, role: &Outcome, password: Option<&Secret<String>>) -> Value {
        let secret = Described::of(&role.secret);
        json!({
            "db_credentials": {
                "host": host(role.endpoint.as_ref()),
                "port": port(role.endpoint.as_ref()),
                "user": role.username,
                "password": password.map_or("", |password| password.expose().as_str()),
                "default_database": role.default_database,
                "options": {},
                "secrets_manager_provider": secret.provider,
                "secret_id": secret.id,
                "secret_keys": secret.keys,
            },
            "role_suffix_name": role.suffix,
            "status": role.status(),
            "message": role.problem.clone().unwrap_or_default(),
            "completed_at": self.time_of(role),
        })
    }

    fn time_of(&self, role: &Outcome) -> String {
        if role.completed_at.is_empty() { self.created_at.clone() } else { role.completed_at.clone() }
    }
}

/// Where a password is, in the words of the documented JSON. The gateway knows `database` (it stores the password
/// itself) and `vault`; `aws` and `iam` are ours.
struct Described {
    provider: &'static str,
    id: String,
    keys: &'static [&'static str],
}

impl Described {
    fn of(secret: &SecretPlace) -> Self {
        match secret {
            SecretPlace::Tokens => Self { provider: "iam", id: String::new(), keys: &[] },
            SecretPlace::Unnamed => Self { provider: "database", id: String::new(), keys: &[] },
            SecretPlace::At(SecretRef::Vault { mount, path, .. }) => {
                Self { provider: "vault", id: format!("{mount}/{path}"), keys: &VAULT_KEYS }
            }
            SecretPlace::At(in_aws @ SecretRef::SecretsManager { .. }) => {
                Self { provider: "aws", id: in_aws.to_string(), keys: &AWS_KEYS }
            }
        }
    }
}

/// The place below which the secrets of a database lie, as the gateway's own setting names it.
fn folder(mount: &str, path: &str) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    if folder.is_empty() { format!("{mount}/") } else { format!("{mount}/{folder}/") }
}

fn host(endpoint: Option<&Endpoint>) -> String {
    endpoint.map(|endpoint| endpoint.host.clone()).unwrap_or_default()
}

fn port(endpoint: Option<&Endpoint>) -> String {
    endpoint.map(|endpoint| endpoint.port.to_string()).unwrap_or_default()
}

fn text(json: &Value) -> Secret<String> {
    Secret::new(json.to_string())
}
