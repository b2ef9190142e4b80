//! MySQL 5.7 to 9, Aurora MySQL and MariaDB 10.4 to 11: direct grants on whole databases, no roles.
//!
//! | file | what it knows |
//! |---|---|
//! | `connect` | sessions, their bound, certificates |
//! | `catalog`, `named` | what is there, read once per server; the tables and routines that `grants` name |
//! | `rules` | what a configuration may say |
//! | `wanted`, `grants`, `login`, `roles`, `memberships`, `powers`, `change` | what should be, and the difference, in words and SQL: all pure |
//! | `privilege`, `pattern`, `password` | what a level holds, how grants name databases, hashes |
//! | `lock`, `apply`, `drop` | the one writer, sending it, attempts, removal |
//! | `quote`, `error` | safe SQL, classes of failures |

mod apply;
mod catalog;
mod change;
mod connect;
mod drop;
mod error;
mod grants;
mod lock;
mod login;
mod memberships;
mod named;
mod password;
mod pattern;
mod powers;
mod privilege;
mod quote;
mod roles;
mod rules;
mod wanted;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use super::shared::Shared;
use super::{Error, Login, Observed, Removal, Reply, RoleSpec, Server};
use crate::access::{EngineKind, Secret};
use error::Failure;

pub use password::check_password;
pub use rules::{check_grant, check_role_name};

/// How long to wait for another writer, and for a failover to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A MySQL or MariaDB server.
pub struct Mysql {
    login: Login,
    sessions: connect::Sessions,
    /// Writes of this process run one after the other
    writer: tokio::sync::Mutex<()>,
    catalog: Shared<catalog::Catalog>,
    patience: Duration,
    /// Which of the two engines it is said to be, so that what it cannot hold is refused before anything is sent
    kind: Option<EngineKind>,
}

impl Mysql {
    /// Nothing is sent.
    ///
    /// # Errors
    /// None: the signature is that of every engine.
    pub fn new(login: Login) -> Result<Self, Error> {
        let sessions = connect::Sessions::new(login.clone());
        let (writer, catalog) = Default::default();
        Ok(Self { login, sessions, writer, catalog, patience: PATIENCE, kind: None })
    }

    /// Waits so long for another writer and for the end of a failover, instead of a minute.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Refuses names and grants that this engine does not take before it is entered, and not only once it has said
    /// what it is.
    #[must_use]
    pub fn of_kind(mut self, kind: EngineKind) -> Self {
        self.kind = Some(kind);
        self
    }

    fn reply<'a, T>(&'a self, work: impl Future<Output = Result<T, Failure>> + Send + 'a) -> Reply<'a, T> {
        Box::pin(async move { work.await.map_err(|failure| Error::new(&self.login, failure.fault)) })
    }
}

impl Server for Mysql {
    fn ping(&self) -> Reply<'_, ()> {
        self.reply(self.ping_server())
    }

    fn read<'a>(&'a self, role: &'a RoleSpec) -> Reply<'a, Observed> {
        self.reply(self.read_role(role))
    }

    fn ensure<'a>(&'a self, role: &'a RoleSpec, password: Option<&'a Secret<String>>) -> Reply<'a, Observed> {
        self.reply(async move {
            if let Some(kind) = self.kind {
                apply::check_texts(kind, role)?;
            }
            self.ensure_role(role, password).await
        })
    }

    fn accepts<'a>(&'a self, role: &'a RoleSpec, password: &'a Secret<String>) -> Reply<'a, bool> {
        self.reply(self.accepts_password(role, password))
    }

    fn proves<'a>(&'a self, role: &'a RoleSpec, password: &'a Secret<String>) -> Reply<'a, bool> {
        self.reply(self.proves_password(role, password))
    }

    fn end_sessions<'a>(&'a self, role: &'a RoleSpec) -> Reply<'a, Vec<String>> {
        self.reply(self.end_open_sessions(role))
    }

    fn remove<'a>(&'a self, role: &'a RoleSpec, how: &'a Removal) -> Reply<'a, Vec<String>> {
        self.reply(self.remove_role(role, how))
    }
}
