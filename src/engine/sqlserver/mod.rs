//! SQL Server 2016 to 2022 on RDS: one login per instance, one user per covered database, fixed database roles.
//!
//! `connect` enters the server over the tunnel that `tls` makes, `catalog` reads what is, `roles` (the login) and
//! `grants` (one database) compare it purely with what should be and build the statements, `owned` those that take a user
//! away, `apply` and `drop` send them.
//! `password` makes the one literal that SQL Server needs, `privilege` knows what a level holds and what can be granted,
//! `quote` is the only way to build SQL, `error` says what is worth a retry.
//!
//! Objects that a `ddl` role makes belong to the owner of their schema, not to the role. A schema that it makes belongs to
//! the role: before its user goes, `owned` gives the schema to `dbo`, and everybody's rights in it again.

mod apply;
mod catalog;
mod connect;
mod drop;
mod error;
mod grants;
mod owned;
mod password;
mod privilege;
mod quote;
mod roles;
mod tls;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use super::shared::Shared;
use super::{Error, Login, Observed, PasswordSet, Removal, Reply, RoleSpec, Server};
use crate::access::Secret;
use error::Failure;

pub use password::check_password;
pub use privilege::check_grant;
pub use roles::check_role_name;

/// How long to wait for another writer, and for a failover to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of SQL Server.
pub struct SqlServer {
    login: Login,
    pool: connect::Pool,
    /// Writes of this process run one after the other
    writer: tokio::sync::Mutex<()>,
    catalog: Shared<catalog::Catalog>,
    patience: Duration,
}

impl SqlServer {
    /// Prepares TLS; nothing is sent.
    ///
    /// # Errors
    /// [`Fault::Tls`](super::Fault::Tls) when nothing is trusted, [`Fault::Unsupported`](super::Fault::Unsupported) for
    /// tokens.
    pub fn new(login: Login) -> Result<Self, Error> {
        let pool = connect::Pool::new(login.clone()).map_err(|fault| Error::new(&login, fault))?;
        Ok(Self { login, pool, writer: Default::default(), catalog: Default::default(), patience: PATIENCE })
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
