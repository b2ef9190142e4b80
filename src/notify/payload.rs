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
                "db_name": database.name,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::event::Database;
    use super::*;

    fn event() -> Event {
        let endpoint = Some(Endpoint { host: "ledger.x.eu-west-1.rds.amazonaws.com".to_owned(), port: 5432 });
        let role = |username: &str, suffix, secret: &str, problem: Option<&str>| Outcome {
            username: username.to_owned(),
            suffix,
            endpoint: endpoint.clone(),
            default_database: "shop".to_owned(),
            secret: secret.parse().map_or(SecretPlace::Unnamed, SecretPlace::At),
            completed_at: "2026-01-05T10:01:05Z".to_owned(),
            problem: problem.map(str::to_owned),
        };
        Event {
            id: "6f0d7f6a-3f5e-5a6c-8a2f-0d5f3d1c2b7a".to_owned(),
            organization: "1f0e".to_owned(),
            account_arn: "arn:aws:iam::999900001111:user/hub".to_owned(),
            created_at: "2026-01-05T10:00:00Z".to_owned(),
            database: Database {
                arn: "arn:aws:rds:eu-west-1:111122223333:db:ledger".parse().unwrap(),
                name: "customers".to_owned(),
                engine: "postgres".to_owned(),
                endpoint: endpoint.clone(),
                master: "admin1".to_owned(),
                tags: BTreeMap::from([("bu".to_owned(), "banking".to_owned()), ("team".to_owned(), "pay".to_owned())]),
            },
            roles: vec![
                role("hoop_ro", "ro", "vault:kv2::teamkv:rdsaccess/ledger/hoop_ro", None),
                role("hoop_rw", "rw", "", Some("credential: locked")),
            ],
        }
    }

    #[test]
    fn a_webhook_gets_the_job_as_the_gateway_shows_it() {
        let hook = HookStatus { exit_code: 0, output: "done\n".to_owned(), seconds: 2 };
        let why = "1 of 2 roles are not in order: hoop_rw: credential: locked";
        let expected = json!({
            "event_type": "dbroles.job.finished",
            "event_payload": {
                "org_id": "1f0e",
                "id": "6f0d7f6a-3f5e-5a6c-8a2f-0d5f3d1c2b7a",
                "created_at": "2026-01-05T10:00:00Z",
                "completed_at": "2026-01-05T10:01:07Z",
                "spec": {
                    "account_arn": "arn:aws:iam::999900001111:user/hub",
                    "db_arn": "arn:aws:rds:eu-west-1:111122223333:db:ledger",
                    "db_name": "customers",
                    "db_engine": "postgres",
                    "db_tags": [{"key": "bu", "value": "banking"}, {"key": "team", "value": "pay"}],
                },
                "status": {
                    "phase": "failed",
                    "message": why,
                    "result": [
                        {
                            "user_role": "hoop_ro", "status": "completed", "message": "",
                            "completed_at": "2026-01-05T10:01:05Z",
                            "credentials_info": {
                                "secrets_manager_provider": "vault",
                                "secret_id": "teamkv/rdsaccess/ledger/hoop_ro",
                                "secret_keys": ["HOST", "PORT", "USER", "PASSWORD", "DB"],
                            },
                        },
                        {
                            "user_role": "hoop_rw", "status": "failed", "message": "credential: locked",
                            "completed_at": "2026-01-05T10:01:05Z",
                            "credentials_info": {
                                "secrets_manager_provider": "database", "secret_id": "", "secret_keys": [],
                            },
                        },
                    ],
                },
                "hook_status": {"exit_code": 0, "output": "done\n", "execution_time_sec": 2},
            },
        });
        assert_eq!(event().payload("2026-01-05T10:01:07Z", Some(&hook)), expected);
        assert_eq!(event().payload("x", None)["event_payload"]["hook_status"], Value::Null);
    }

    #[test]
    fn a_command_gets_the_request_and_the_response_as_the_agent_does() {
        let passwords = Passwords { master: "m-hunter2".into(), roles: vec!["r-hunter2".into()] };
        let read = |text: Secret<String>| -> Value { serde_json::from_str(text.expose()).unwrap() };
        let request = json!({
            "org_id": "1f0e",
            "sid": "6f0d7f6a-3f5e-5a6c-8a2f-0d5f3d1c2b7a",
            "resource_id": "arn:aws:rds:eu-west-1:111122223333:db:ledger",
            "hostname": "ledger.x.eu-west-1.rds.amazonaws.com",
            "port": "5432",
            "master_user": "admin1",
            "master_password": "m-hunter2",
            "database_type": "postgres",
            "database_tags": [{"bu": "banking"}, {"team": "pay"}],
            "vault_provider": {"secret_id": "teamkv/rdsaccess/ledger/"},
            "exec_hook": {"command": ["python3", "hook.py"], "input_file": ""},
        });
        assert_eq!(read(event().request(&passwords, &["python3", "hook.py"].map(str::to_owned))), request);
        let response = read(event().response(&passwords));
        assert_eq!((&response["status"], &response["sid"]), (&json!("failed"), &request["sid"]));
        let first = json!({
            "db_credentials": {
                "host": "ledger.x.eu-west-1.rds.amazonaws.com", "port": "5432", "user": "hoop_ro",
                "password": "r-hunter2", "default_database": "shop", "options": {},
                "secrets_manager_provider": "vault", "secret_id": "teamkv/rdsaccess/ledger/hoop_ro",
                "secret_keys": ["HOST", "PORT", "USER", "PASSWORD", "DB"],
            },
            "role_suffix_name": "ro", "status": "completed", "message": "", "completed_at": "2026-01-05T10:01:05Z",
        });
        assert_eq!(response["result"][0], first);
        let second = &response["result"][1];
        assert_eq!((&second["status"], &second["message"]), (&json!("failed"), &json!("credential: locked")));
        assert_eq!(second["db_credentials"]["password"], "", "nobody knows it");
    }

    #[test]
    fn without_passwords_nothing_of_them_is_there() {
        let mut event = event();
        event.roles.remove(0);
        let text = event.response(&Passwords::none());
        let read: Value = serde_json::from_str(text.expose()).unwrap();
        assert_eq!(read["result"][0]["db_credentials"]["password"], "");
        let request: Value = serde_json::from_str(event.request(&Passwords::none(), &[]).expose()).unwrap();
        assert_eq!((&request["master_password"], &request["vault_provider"]), (&json!(""), &Value::Null));
    }

    /// A variable of Linux has at most 128 KiB.
    #[test]
    fn two_hundred_roles_fit_into_the_variables() {
        let mut event = event();
        let secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:rdsaccess/111122223333/eu-west-1/db/ledger/a_role-AbCdEf";
        event.roles[0].secret = SecretPlace::At(secret.parse().unwrap());
        event.roles = vec![event.roles[0].clone(); 200];
        let passwords = Passwords { master: "x".into(), roles: vec!["p".repeat(40).as_str().into(); 200] };
        let size = event.response(&passwords).expose().len();
        assert!((64 * 1024..120 * 1024).contains(&size), "{size}");
    }

    #[test]
    fn a_role_whose_time_is_not_known_was_ready_when_the_event_was_begun() {
        let mut event = event();
        event.roles[0].completed_at.clear();
        let job = event.payload("x", None);
        assert_eq!(job["event_payload"]["status"]["result"][0]["completed_at"], "2026-01-05T10:00:00Z");
    }
}
