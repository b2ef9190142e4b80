//! The server behind the contract: what it holds, and which call does what.

use std::future::Future;
use std::time::Duration;

use super::catalog::Catalog;
use super::connect::Pool;
use super::error::Failure;
use crate::access::Secret;
use crate::engine::shared::Shared;
use crate::engine::{Error, Login, Observed, PasswordSet, Removal, Reply, RoleSpec, Server};

/// How long to wait for another writer, and for a failover to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of SQL Server.
pub struct SqlServer {
    pub(super) login: Login,
    pub(super) pool: Pool,
    pub(super) catalog: Shared<Catalog>,
    pub(super) patience: Duration,
}

impl SqlServer {
    /// Prepares TLS; nothing is sent.
    ///
    /// # Errors
    /// [`Fault::Tls`](crate::engine::Fault::Tls) when nothing is trusted, [`Fault::Unsupported`](crate::engine::Fault::Unsupported) for
    /// tokens.
    pub fn new(login: Login) -> Result<Self, Error> {
        let pool = Pool::new(login.clone()).map_err(|fault| Error::new(&login, fault))?;
        Ok(Self { login, pool, catalog: Default::default(), patience: PATIENCE })
    }

    /// Waits so long for another writer and for the end of a failover, instead of a minute.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    fn reply<'a, T>(&'a self, work: impl Future<Output = Result<T, Failure>> + Send + 'a) -> Reply<'a, T> {
        Box::pin(async move { work.await.map_err(|failure| Error::new(&self.login, failure.fault)) })
    }
}

impl Server for SqlServer {
    fn ping(&self) -> Reply<'_, ()> {
        self.reply(self.ping_server())
    }

    fn read<'a>(&'a self, role: &'a RoleSpec) -> Reply<'a, Observed> {
        self.reply(self.read_role(role))
    }

    fn ensure<'a>(&'a self, role: &'a RoleSpec, password: Option<&'a Secret<String>>) -> Reply<'a, Observed> {
        self.reply(self.ensure_role(role, password))
    }

    fn accepts<'a>(&'a self, role: &'a RoleSpec, password: &'a Secret<String>) -> Reply<'a, bool> {
        self.reply(self.accepts_password(role, password))
    }

    fn proves<'a>(&'a self, role: &'a RoleSpec, password: &'a Secret<String>) -> Reply<'a, bool> {
        self.reply(self.try_login(role, password))
    }

    fn password_set<'a>(&'a self, role: &'a RoleSpec) -> Reply<'a, Option<PasswordSet>> {
        self.reply(self.read_password_set(role))
    }

    fn end_sessions<'a>(&'a self, role: &'a RoleSpec) -> Reply<'a, Vec<String>> {
        self.reply(self.end_open_sessions(role))
    }

    fn remove<'a>(&'a self, role: &'a RoleSpec, how: &'a Removal) -> Reply<'a, Vec<String>> {
        self.reply(self.remove_role(role, how))
    }
}
