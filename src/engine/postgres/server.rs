//! The server behind the contract: what it holds, and how its calls find what they need.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::OnceCell;

use super::catalog::{Cluster, Contents, Database, Role};
use super::check::check_spec;
use super::connect::Pool;
use super::direct::databases_left;
use super::error::{Failure, Remedy};
use super::lock::{WriterLock, Writers};
use super::plan::{Plan, Survey, covered_databases};
use super::quote::Sql;
use super::snapshot::{Inside, Snapshot};
use super::terms::is_over;
use crate::access::{Identifier, Secret};
use crate::engine::{Error, Fault, Login, Observed, Removal, Reply, RoleSpec, Server};

/// The database that is tried first when none is known.
const USUAL_DATABASE: &str = "postgres";
/// A PostgreSQL server, entered as one administrator.
pub struct Postgres {
    pub(super) pool: Pool,
    pub(super) writers: Writers,
    maintenance: OnceCell<String>,
    snapshot: Mutex<Arc<Snapshot>>,
}

impl Postgres {
    /// Prepares TLS; nothing is sent.
    ///
    /// # Errors
    /// [`Fault::Tls`] when TLS is on and nothing is trusted.
    pub fn new(login: Login) -> Result<Self, Error> {
        let pool = Pool::new(login.clone()).map_err(|fault| Error::new(&login, fault))?;
        Ok(Self { pool, writers: Writers::default(), maintenance: OnceCell::new(), snapshot: Mutex::default() })
    }

    /// Waits so long for the answer to what was sent in one go, instead of two and a half minutes.
    #[must_use]
    pub fn with_round_trip(mut self, limit: Duration) -> Self {
        self.pool.round_trip = limit;
        self
    }

    /// Waits so long for a lock of somebody else before a change is tried again, instead of ten seconds.
    #[must_use]
    pub fn with_lock_wait(mut self, limit: Duration) -> Self {
        self.pool.lock_wait = limit;
        self
    }

    /// Waits until this caller is the only writer.
    pub(super) async fn lock(&self) -> Result<WriterLock<'_>, Failure> {
        self.writers.lock(&self.pool, self.maintenance().await?).await
    }

    /// Makes the next reading a new one.
    pub(super) fn forget(&self) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// The reading of now.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads what this role is about.
    pub(super) async fn survey(&self, spec: &RoleSpec) -> Result<Survey, Failure> {
        let snapshot = self.snapshot();
        let cluster = self.cluster(&snapshot, spec).await?;
        let (databases, absent) = covered_databases(&cluster, spec);
        let inside = databases.iter().map(|database| snapshot.inside(&self.pool, &database.name));
        let inside = try_join_all(inside).await?;
        let left = self.left(&snapshot, &cluster, spec, &databases).await?;
        let mut survey = Survey { cluster, open: Vec::new(), closed: Vec::new(), left, absent };
        for (database, inside) in databases.into_iter().zip(inside) {
            match inside {
                Inside::Open(contents) => survey.open.push((database, contents)),
                Inside::Closed(why) => survey.closed.push((database, why)),
            }
        }
        Ok(survey)
    }

    /// The databases that the role does not cover and that hold rights of the login all the same.
    async fn left(
        &self,
        snapshot: &Snapshot,
        cluster: &Cluster,
        spec: &RoleSpec,
        covered: &[Database],
    ) -> Result<Vec<(Database, Option<Arc<Contents>>)>, Failure> {
        let databases = databases_left(cluster, spec.name.as_str(), covered);
        let inside = databases.into_iter().map(async |database| {
            // A session in a template would keep others from CREATE DATABASE.
            let inside = match database.is_user_database() {
                true => snapshot.inside(&self.pool, &database.name).await?,
                false => return Ok((database.clone(), None)),
            };
            let contents = if let Inside::Open(contents) = inside { Some(contents) } else { None };
            Ok::<_, Failure>((database.clone(), contents))
        });
        try_join_all(inside).await
    }

    async fn cluster(&self, snapshot: &Snapshot, spec: &RoleSpec) -> Result<Arc<Cluster>, Failure> {
        if let Some(chosen) = spec.scope.databases.iter().flatten().next() {
            match snapshot.cluster(&self.pool, chosen.as_str()).await {
                Err(failure) if failure.remedy == Remedy::OtherDatabase => {}
                other => return other,
            }
        }
        snapshot.cluster(&self.pool, self.maintenance().await?).await
    }

    /// A database for statements that no particular database is needed for: one that the role covers.
    pub(super) async fn entry(&self, spec: &RoleSpec) -> Result<String, Failure> {
        let open = self.survey(spec).await?.open;
        match open.into_iter().next() {
            Some((database, _)) => Ok(database.name),
            None => Ok(self.maintenance().await?.to_owned()),
        }
    }

    /// The database where the lock is taken, picked by the same rule in every process: `postgres`, or the first one
    /// by name that can be entered.
    pub(super) async fn maintenance(&self) -> Result<&str, Failure> {
        let name = self.maintenance.get_or_try_init(|| async {
            match self.enter(USUAL_DATABASE).await {
                Ok(()) => Ok(USUAL_DATABASE.to_owned()),
                Err(failure) if failure.remedy == Remedy::OtherDatabase => self.first_open_database(failure).await,
                Err(failure) => Err(failure),
            }
        });
        name.await.map(String::as_str)
    }

    async fn first_open_database(&self, refused: Failure) -> Result<String, Failure> {
        let session = self.pool.session("template1").await?;
        let list = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname <> 'rdsadmin' \
                    AND has_database_privilege(oid, 'CONNECT') ORDER BY datname COLLATE \"C\"";
        let names = session.run(&Sql::of(list, &[]), "listing the databases").await?;
        // Not kept: a session in template1 keeps others from CREATE DATABASE.
        drop(session);
        for name in names {
            if self.enter(&name).await.is_ok() {
                return Ok(name);
            }
        }
        Err(refused)
    }

    async fn enter(&self, database: &str) -> Result<(), Failure> {
        self.pool.session(database).await?.keep();
        Ok(())
    }

    fn error(&self, failure: Failure) -> Error {
        Error::new(self.pool.login(), failure.fault)
    }

    async fn check(&self) -> Result<(), Failure> {
        let session = self.pool.session(self.maintenance().await?).await?;
        session.run(&Sql::of("SELECT 1", &[]), "asking for a sign of life").await?;
        session.keep();
        Ok(())
    }

    /// Whether the password logs in. When it does not, and the reason is the login's state and not the password, this
    /// is an error: see [`Self::state_of`].
    async fn login_works(&self, role: &RoleSpec, password: &Secret<String>) -> Result<bool, Failure> {
        let database = self.entry(role).await?;
        let answer = self.pool.accepts(&role.name, password, &database).await;
        let may_be_over = matches!(&answer, Ok(false)) && role.terms.valid_until.is_some();
        if may_be_over && self.state_of(role).await?.is_some_and(|held| is_over(role, &held)) {
            let text = "the login has ended, as valid_until says; whether its password is right cannot be seen";
            return Err(Fault::LoginBarred(text.to_owned()).into());
        }
        match answer {
            // The refusal of a role without LOGIN looks like any other that is not about the password, and it is a gap
            // that apply repairs.
            Err(failure) if matches!(failure.fault, Fault::LoginBarred(_)) => {
                if self.state_of(role).await?.is_some_and(|role| role.login) { Err(failure) } else { Ok(false) }
            }
            other => other,
        }
    }

    /// The same for a refresh. After the end that the specification gives, the server refuses every password in the
    /// same words: that is as it should be, and no reason to set another one.
    async fn login_serves(&self, role: &RoleSpec, password: &Secret<String>) -> Result<bool, Failure> {
        match self.login_works(role, password).await {
            Err(failure) if matches!(failure.fault, Fault::LoginBarred(_)) => {
                let held = self.state_of(role).await?;
                if held.is_some_and(|held| is_over(role, &held)) { Ok(true) } else { Err(failure) }
            }
            other => other,
        }
    }

    /// The login as it is now.
    async fn state_of(&self, role: &RoleSpec) -> Result<Option<Role>, Failure> {
        self.forget();
        let cluster = self.survey(role).await?.cluster;
        Ok(cluster.role_named(role.name.as_str()).cloned())
    }
}

impl Server for Postgres {
    fn ping(&self) -> Reply<'_, ()> {
        Box::pin(async { self.check().await.map_err(|f| self.error(f)) })
    }

    fn read<'a>(&'a self, role: &'a RoleSpec) -> Reply<'a, Observed> {
        Box::pin(async {
            check_spec(role).map_err(|invalid| self.error(Fault::Unsupported(invalid.0).into()))?;
            let survey = self.survey(role).await.map_err(|f| self.error(f))?;
            Ok(Plan::new(&survey, role).observed)
        })
    }

    fn ensure<'a>(&'a self, role: &'a RoleSpec, password: Option<&'a Secret<String>>) -> Reply<'a, Observed> {
        Box::pin(async move {
            check_spec(role).map_err(|invalid| self.error(Fault::Unsupported(invalid.0).into()))?;
            self.make(role, password).await.map_err(|f| self.error(f))
        })
    }

    fn accepts<'a>(&'a self, role: &'a RoleSpec, password: &'a Secret<String>) -> Reply<'a, bool> {
        Box::pin(async move { self.login_serves(role, password).await.map_err(|f| self.error(f)) })
    }

    fn proves<'a>(&'a self, role: &'a RoleSpec, password: &'a Secret<String>) -> Reply<'a, bool> {
        Box::pin(async move { self.login_works(role, password).await.map_err(|f| self.error(f)) })
    }

    fn remove<'a>(&'a self, role: &'a RoleSpec, how: &'a Removal) -> Reply<'a, Vec<String>> {
        Box::pin(async move { self.take_away(role, how).await.map_err(|f| self.error(f)) })
    }
}
