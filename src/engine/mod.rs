//! Database servers: one contract, one folder per engine with the same file names in each.
//!
//! A resource says what a role should be ([`RoleSpec`]); a [`Server`] reads what is ([`Observed`]) and makes the
//! difference disappear. Statements are built purely from the difference; only `apply` and `drop` change a server.
//!
//! The same thing stands under the same name in every folder that has it:
//!
//! | file | what it knows | postgres | mysql | sqlserver |
//! |---|---|---|---|---|
//! | `server` | the contract, and which call does what | x | x | x |
//! | `connect` | sessions and their bound | x | x | x |
//! | `tls` | certificates, where the driver leaves them to us | x | | x |
//! | `lock` | the one writer, and who else has the lock | x | x | x |
//! | `catalog` | what is there | x | x | x |
//! | `snapshot` | one reading for all roles, database by database | x | | |
//! | `named` | the objects that `grants` name, looked up one by one | | x | |
//! | `check` | what is refused before anything is sent | x | x | x |
//! | `level` | what a level holds, and which privileges there are | x | x | x |
//! | `wanted` | what `grants` come to, beside the level | x | x | x |
//! | `group`, `reach`, `cancel` | groups that hold levels; for whom we may act; what is stopped halfway | x | | |
//! | `pattern`, `memberships`, `powers` | how grants name databases; roles and proxies that were granted | | x | |
//! | `roles` | the login itself: whose it is, what it lacks | x | x | x |
//! | `terms` | how the login proves itself, and what bounds it | x | x | |
//! | `grants` | the rights of the level, compared | x | x | x |
//! | `direct`, `defaults`, `public` | rights of the login itself, on later objects, through PUBLIC | x | | |
//! | `change` | a difference as words and statements | x | x | x |
//! | `plan` | all differences together, in the order in which they are sent | x | x | x |
//! | `apply`, `drop` | sending, attempts, removal | x | x | x |
//! | `owned` | what a user owns, before it goes | | | x |
//! | `quote`, `password`, `error` | safe SQL, verifiers, classes of failures | x | x | x |

mod connections;
mod ending;
mod error;
#[cfg(test)]
mod golden;
mod key;
mod retry;
mod role;
mod shared;

pub mod mysql;
pub mod postgres;
pub mod sqlserver;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::access::{Endpoint, EngineKind, Grant, Invalid, RoleName, Secret, Trust};

pub use connections::Connections;
pub use error::{Error, Fault};
pub use key::{Key, Token, Tokens};
pub use role::{Observed, Ownership, PasswordSet, Removal, RemovalAction, RoleSpec, Scope, Terms};

/// Everything needed to enter a server as an administrator (or as the role itself, to prove its password).
#[derive(Debug, Clone)]
pub struct Login {
    /// Host name and port; the name is verified against the certificate
    pub endpoint: Endpoint,
    /// User to log in as
    pub username: RoleName,
    /// Its password, or where its tokens come from
    pub key: Key,
    /// What to trust
    pub trust: Trust,
    /// ARN of the database, for error texts
    pub target: String,
    /// The connections to this endpoint, shared with every other login to it
    pub connections: Connections,
}

/// The result of a call on a server.
pub type Reply<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// One database server, entered with one administrator's credential.
///
/// Connections open lazily, are shared and bounded by [`Login::connections`]. Reads may run in parallel; writes of
/// one server run one after the other, also across processes. Every method may be cancelled at any await and may be
/// called again: it continues from what it observes. No method logs a secret or puts a clear password into SQL where
/// the engine takes a verifier.
pub trait Server: Send + Sync {
    /// Logs in (or uses a pooled session) and runs a trivial query.
    fn ping(&self) -> Reply<'_, ()>;

    /// Compares what is with what should be; changes nothing. The catalog is read once for all roles of the server and
    /// forgotten with the first write.
    fn read<'a>(&'a self, role: &'a RoleSpec) -> Reply<'a, Observed>;

    /// Creates the role or changes exactly what differs, sets the password when one is given, and returns what is
    /// there afterwards. Refuses a role of that name which is not ours ([`Ownership::Foreign`]).
    fn ensure<'a>(&'a self, role: &'a RoleSpec, password: Option<&'a Secret<String>>) -> Reply<'a, Observed>;

    /// Whether this password is that of the role, for a refresh: at most one login, or none where the stored hash can
    /// be recomputed. Where no login was tried, another account may still catch the client; see [`Server::proves`].
    ///
    /// # Errors
    /// Whatever says nothing about the password, such as [`Fault::LoginBarred`].
    fn accepts<'a>(&'a self, role: &'a RoleSpec, password: &'a Secret<String>) -> Reply<'a, bool>;

    /// Whether a client gets in with this name and password: always one real login, never a computation. This is what
    /// a stored password must pass before it is promoted. On MySQL and MariaDB the server chooses the account by the
    /// client's address, so that a more specific host with another password makes the difference. An older password that
    /// MySQL keeps beside the new one gets in and still proves nothing: it ends with the next change.
    ///
    /// # Errors
    /// As [`Server::accepts`].
    fn proves<'a>(&'a self, role: &'a RoleSpec, password: &'a Secret<String>) -> Reply<'a, bool>;

    /// When the password of the role was set, where the server says so: a refresh then needs no login. `None` where it
    /// does not, or where the password is no good whenever it was set; [`Server::accepts`] answers then.
    fn password_set<'a>(&'a self, _role: &'a RoleSpec) -> Reply<'a, Option<PasswordSet>> {
        Box::pin(async { Ok(None) })
    }

    /// Ends the sessions that the role has open at this moment; those that its clients open afterwards stay. A role
    /// that is not there or is not ours has none. Returns warnings for the person.
    fn end_sessions<'a>(&'a self, role: &'a RoleSpec) -> Reply<'a, Vec<String>>;

    /// Takes the role away as `how` says; a role that is not there is a success. Returns warnings for the person.
    fn remove<'a>(&'a self, role: &'a RoleSpec, how: &'a Removal) -> Reply<'a, Vec<String>>;
}

/// The server of an engine. Nothing is sent before the first call.
///
/// # Errors
/// [`Fault::Tls`] when nothing is trusted, [`Fault::Unsupported`] for a way to log in that the engine does not have.
pub fn open(kind: EngineKind, login: Login) -> Result<Arc<dyn Server>, Error> {
    match kind {
        EngineKind::Postgres => Ok(Arc::new(postgres::Postgres::new(login)?)),
        EngineKind::Mysql | EngineKind::Mariadb => Ok(Arc::new(mysql::Mysql::new(login)?.of_kind(kind))),
        EngineKind::Sqlserver => Ok(Arc::new(sqlserver::SqlServer::new(login)?)),
    }
}

/// Refuses a name that this engine cannot hold, before anything is sent.
///
/// # Errors
/// The sentence says the limit.
pub fn check_role_name(kind: EngineKind, name: &RoleName) -> Result<(), Invalid> {
    match kind {
        EngineKind::Postgres => postgres::check_role_name(name),
        EngineKind::Mysql | EngineKind::Mariadb => mysql::check_role_name(kind, name),
        EngineKind::Sqlserver => sqlserver::check_role_name(name),
    }
}

/// Refuses a password that this engine cannot hold, or that would not arrive as it is, before anything is sent. Without
/// an engine: one that none can. The server's own policy has its say later.
///
/// # Errors
/// The sentence says the limit, and nothing of the password.
pub fn check_password(kind: Option<EngineKind>, password: &Secret<String>) -> Result<(), Invalid> {
    let text = password.expose();
    if text.is_empty() {
        return Err(Invalid::new("the password is empty"));
    }
    if text.chars().any(char::is_control) {
        // Clients take passwords from variables, files and URLs, line by line.
        return Err(Invalid::new("the password holds a control character, such as a line break or NUL"));
    }
    match kind {
        Some(EngineKind::Postgres) => postgres::check_password(password),
        Some(EngineKind::Mysql | EngineKind::Mariadb) => mysql::check_password(password),
        Some(EngineKind::Sqlserver) => sqlserver::check_password(password),
        None => Ok(()),
    }
}

/// Refuses a grant that this engine does not have, before anything is sent: a kind of object, a privilege on it, a
/// schema where there are none.
///
/// # Errors
/// The sentence says what the engine takes.
pub fn check_grant(kind: EngineKind, grant: &Grant) -> Result<(), Invalid> {
    match kind {
        EngineKind::Postgres => postgres::check_grant(grant),
        EngineKind::Mysql | EngineKind::Mariadb => mysql::check_grant(kind, grant),
        EngineKind::Sqlserver => sqlserver::check_grant(grant),
    }
}
