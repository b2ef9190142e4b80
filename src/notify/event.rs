//! What there is to tell.

use std::collections::BTreeMap;

use crate::access::{Arn, Endpoint, SecretRef};

/// The roles of a database are there, or are not in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// UUID; the same for every attempt to tell the same
    pub id: String,
    /// The organization of the receiver, empty where there is none
    pub organization: String,
    /// Who made the roles: the ARN of the provider's identity
    pub account_arn: String,
    /// When the event was begun, RFC 3339
    pub created_at: String,
    /// The database
    pub database: Database,
    /// Its roles
    pub roles: Vec<Outcome>,
}

/// The database of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// ARN
    pub arn: Arn,
    /// Name of the database that RDS made with it; empty where it made none
    pub name: String,
    /// Engine as RDS names it, `aurora-postgresql` included
    pub engine: String,
    /// Where it is; `None` while it has no endpoint
    pub endpoint: Option<Endpoint>,
    /// Name of the master user
    pub master: String,
    /// Tags
    pub tags: BTreeMap<String, String>,
}

/// What became of one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Name of the login
    pub username: String,
    /// `ro`, `rw` or `ddl`; empty where the level is not known
    pub suffix: &'static str,
    /// Where it logs in
    pub endpoint: Option<Endpoint>,
    /// Database that it opens first
    pub default_database: String,
    /// Where its password is
    pub secret: SecretPlace,
    /// When its password was stored, RFC 3339
    pub completed_at: String,
    /// What is wrong with it; `None` when it is in order
    pub problem: Option<String>,
}

/// Where the password of a role is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// It logs in with tokens
    Tokens,
    /// It has a password, and nobody says where
    Unnamed,
    /// In a store
    At(SecretRef),
}

impl Event {
    /// Whether every role is in order.
    pub fn is_completed(&self) -> bool {
        self.roles.iter().all(|role| role.problem.is_none())
    }

    /// `completed` or `failed`.
    pub fn status(&self) -> &'static str {
        status(self.is_completed())
    }

    /// Which roles are not in order, and why; empty when all are.
    pub fn message(&self) -> String {
        let wrong: Vec<String> = self
            .roles
            .iter()
            .filter_map(|role| role.problem.as_ref().map(|problem| format!("{}: {problem}", role.username)))
            .collect();
        if wrong.is_empty() {
            return String::new();
        }
        format!("{} of {} roles are not in order: {}", wrong.len(), self.roles.len(), wrong.join("; "))
    }
}

impl Outcome {
    /// `completed` or `failed`.
    pub fn status(&self) -> &'static str {
        status(self.problem.is_none())
    }
}

fn status(is_completed: bool) -> &'static str {
    if is_completed { "completed" } else { "failed" }
}
