//! The server behind the contract: what it holds, and which call does what.

use std::future::Future;
use std::time::Duration;

use super::catalog::Catalog;
use super::connect::Sessions;
use super::error::Failure;
use super::plan::check_texts;
use crate::access::{EngineKind, Secret};
use crate::engine::shared::Shared;
use crate::engine::{Error, Login, Observed, Removal, Reply, RoleSpec, Server};

/// How long to wait for another writer, and for a failover to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A MySQL or MariaDB server.
pub struct Mysql {
    pub(super) login: Login,
    pub(super) sessions: Sessions,
    pub(super) catalog: Shared<Catalog>,
    pub(super) patience: Duration,
    /// Which of the two engines it is said to be, so that what it cannot hold is refused before anything is sent
    kind: Option<EngineKind>,
}

impl Mysql {
    /// Nothing is sent.
    ///
    /// # Errors
    /// None: the signature is that of every engine.
    pub fn new(login: Login) -> Result<Self, Error> {
        let sessions = Sessions::new(login.clone());
        Ok(Self { login, sessions, catalog: Default::default(), patience: PATIENCE, kind: None })
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
                check_texts(kind, role)?;
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
