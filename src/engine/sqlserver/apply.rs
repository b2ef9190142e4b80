//! Reading and ensuring a role: the only place besides `drop` that changes a server.

use std::sync::Arc;
use std::time::Duration;

use super::SqlServer;
use super::catalog::{Catalog, Principal};
use super::check::check_spec;
use super::connect::MASTER;
use super::error::Failure;
use super::plan::{Batch, plan};
use super::quote::Statement;
use super::roles::{barred, compare, ownership};
use crate::access::{Access, Auth, Identifier, RoleName, Secret};
use crate::engine::retry::{Class, Retry};
use crate::engine::{Fault, Observed, PasswordSet, RoleSpec};

/// `too recent to change`, `cannot be used at this time`.
const USED_BEFORE: [u32; 2] = [15114, 15115];
/// How exactly the server's clock tells when a password was set, and ours when a version was stored.
const CLOCKS: Duration = Duration::from_secs(300);
/// The same where the server shows local time, which jumps twice a year.
const LOCAL_CLOCKS: Duration = Duration::from_secs(3900);

/// What one call has reached; kept over its retries.
#[derive(Default)]
struct Progress {
    /// The password was set
    password_set: bool,
    /// The connection broke, so what was sent last may have been executed
    unsure: bool,
}

impl SqlServer {
    /// A trivial query.
    pub(super) async fn ping_server(&self) -> Result<(), Failure> {
        let mut session = self.pool.session(MASTER).await?;
        session.run(&Statement::new("asking for a trivial answer", "SELECT 1;")).await?;
        session.keep();
        Ok(())
    }

    /// What the role is, from the shared catalog.
    pub(super) async fn read_role(&self, spec: &RoleSpec) -> Result<Observed, Failure> {
        Ok(observe(&*self.catalog().await?, spec))
    }

    /// Whether the password is that of the login; none is tried where it cannot be good.
    pub(super) async fn accepts_password(&self, spec: &RoleSpec, password: &Secret<String>) -> Result<bool, Failure> {
        let catalog = self.catalog().await?;
        match catalog.principal(spec.name.as_str()) {
            Some(login) if !login.must_change && !login.expired => self.try_login(spec, password).await,
            _ => Ok(false),
        }
    }

    /// Whether one login with this name and password works. The server says the same of a wrong password and of a login
    /// that may not connect, so the catalog tells these apart.
    pub(super) async fn try_login(&self, spec: &RoleSpec, password: &Secret<String>) -> Result<bool, Failure> {
        if self.pool.accepts(&spec.name, password).await? {
            return Ok(true);
        }
        let catalog = self.catalog().await?;
        let login = catalog.principal(spec.name.as_str());
        match login.and_then(|login| barred(&catalog, login)) {
            Some(why) => Err(Fault::LoginBarred(why.to_owned()).into()),
            None => Ok(false),
        }
    }

    /// When the password was set, for a login that can use it.
    pub(super) async fn read_password_set(&self, spec: &RoleSpec) -> Result<Option<PasswordSet>, Failure> {
        let catalog = self.catalog().await?;
        Ok(catalog.principal(spec.name.as_str()).and_then(|login| password_set(&catalog, login)))
    }

    /// Makes the role what it should be, under the writer's lock, as often as the retry list allows.
    pub(super) async fn ensure_role(
        &self,
        spec: &RoleSpec,
        password: Option<&Secret<String>>,
    ) -> Result<Observed, Failure> {
        check_spec(spec)?;
        let _writer = self.pool.writer().await;
        let mut retry = Retry::new(self.patience);
        let mut progress = Progress::default();
        loop {
            match self.ensure_once(spec, password, &mut progress).await {
                Ok(observed) => return Ok(observed),
                Err(failure) => {
                    progress.unsure |= failure.class == Class::Lost;
                    self.pool.close_idle();
                    retry.after(failure.class, failure).await?;
                }
            }
        }
    }

    async fn ensure_once(
        &self,
        spec: &RoleSpec,
        password: Option<&Secret<String>>,
        progress: &mut Progress,
    ) -> Result<Observed, Failure> {
        let lock = self.lock().await?;
        let catalog = Catalog::load(&self.pool, None).await?;
        if let Some(password) = password.filter(|_| progress.unsure && !progress.password_set) {
            progress.password_set = self.has_password(&catalog, &spec.name, password).await?;
        }
        let password = password.filter(|_| !progress.password_set);
        let batches = plan(&catalog, spec, password)?;
        let mut catalog = catalog;
        if !batches.is_empty() {
            let writing = self.catalog.writing();
            for (at, batch) in batches.iter().enumerate() {
                // The batch with the password is the first.
                match password.filter(|_| at == 0) {
                    Some(password) => {
                        self.send_password(&catalog, batch, &spec.name, password).await?;
                        progress.password_set = true;
                    }
                    None => self.run(batch).await?,
                }
            }
            drop(writing);
            let changed: Vec<&str> = batches.iter().map(|batch| batch.database.as_str()).collect();
            catalog = Catalog::load(&self.pool, Some((&catalog, &changed))).await?;
        }
        lock.release().await?;
        Ok(observe(&catalog, spec))
    }

    /// Sends the batch with the password. The policy may refuse a password that was used before; the one that is set
    /// already is as good as set.
    async fn send_password(
        &self,
        catalog: &Catalog,
        batch: &Batch,
        name: &RoleName,
        password: &Secret<String>,
    ) -> Result<(), Failure> {
        match self.run(batch).await {
            Err(failure) if USED_BEFORE.contains(&failure.code) => {
                if self.has_password(catalog, name, password).await? { Ok(()) } else { Err(failure) }
            }
            other => other,
        }
    }

    /// Whether the password arrived although the connection broke: a disabled login is refused by another number than a
    /// wrong password.
    async fn has_password(
        &self,
        catalog: &Catalog,
        name: &RoleName,
        password: &Secret<String>,
    ) -> Result<bool, Failure> {
        if catalog.principal(name.as_str()).is_none() {
            return Ok(false);
        }
        match self.pool.accepts(name, password).await {
            Ok(accepted) => Ok(accepted),
            Err(failure) if failure.code == 18470 => Ok(true),
            Err(failure) if matches!(failure.fault, Fault::LoginBarred(_)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Runs one batch in its database.
    pub(super) async fn run(&self, batch: &Batch) -> Result<(), Failure> {
        let mut session = self.pool.session(&batch.database).await?;
        session.run(&batch.statement).await?;
        session.keep();
        Ok(())
    }

    /// The shared catalog, read again when something was written since.
    pub(super) async fn catalog(&self) -> Result<Arc<Catalog>, Failure> {
        self.catalog.get_or_read(self.load_patiently()).await
    }

    async fn load_patiently(&self) -> Result<Catalog, Failure> {
        let mut retry = Retry::new(self.patience);
        loop {
            match Catalog::load(&self.pool, None).await {
                Err(failure) => {
                    self.pool.close_idle();
                    retry.after(failure.class, failure).await?;
                }
                done => return done,
            }
        }
    }
}

fn observe(catalog: &Catalog, spec: &RoleSpec) -> Observed {
    let comparison = compare(catalog, spec);
    Observed {
        ownership: ownership(catalog, spec),
        auth: Auth::Password,
        notes: Vec::new(),
        access: comparison.access.unwrap_or(Access::ReadOnly),
        covered: comparison.covered,
        default_database: comparison.default_database.and_then(|name| name.parse().ok()),
        login: comparison.login,
        coverage: comparison.coverage,
        uncovered: comparison.uncovered,
    }
}

/// `None` where the password is no good whenever it was set, or the server does not say.
fn password_set(catalog: &Catalog, login: &Principal) -> Option<PasswordSet> {
    let age = login.password_age.filter(|_| !login.must_change && !login.expired)?;
    let seconds = u64::try_from(catalog.now - age).ok()?;
    let at = std::time::SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    Some(PasswordSet { at, within: if catalog.local_time { LOCAL_CLOCKS } else { CLOCKS } })
}
