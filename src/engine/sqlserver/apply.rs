//! Reading and ensuring a role: the only place besides `drop` that changes a server.

use std::sync::Arc;
use std::time::Duration;

use super::SqlServer;
use super::catalog::{Catalog, Principal, number, text};
use super::connect::{MASTER, Reserved};
use super::error::Failure;
use super::password::password_literal;
use super::privilege::check_grant;
use super::quote::{Statement, literal};
use super::roles::{barred, check_role_name, compare, create, enable, ownership, set_password, wrong_choice};
use crate::access::{Access, Auth, Identifier, RoleName, Secret};
use crate::engine::retry::{Class, Retry};
use crate::engine::{Fault, Observed, Ownership, PasswordSet, RoleSpec};

/// Name of the lock that one writer holds, in `master`.
const LOCK: &str = "rdsaccess.roles";
/// `too recent to change`, `cannot be used at this time`.
const USED_BEFORE: [u32; 2] = [15114, 15115];
/// How exactly the server's clock tells when a password was set, and ours when a version was stored.
const CLOCKS: Duration = Duration::from_secs(300);
/// The same where the server shows local time, which jumps twice a year.
const LOCAL_CLOCKS: Duration = Duration::from_secs(3900);

/// One batch and the database that it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) database: String,
    pub(super) statement: Statement,
}

impl Batch {
    pub(super) fn on_server(statement: Statement) -> Self {
        Self { database: MASTER.to_owned(), statement }
    }
}

/// The batches that turn what is into what should be; empty when nothing differs. The login is enabled last. A password
/// is set whenever one is given: the server shows no hash to compare it with.
pub(super) fn plan(
    catalog: &Catalog,
    spec: &RoleSpec,
    password: Option<&Secret<String>>,
) -> Result<Vec<Batch>, Failure> {
    if let Ownership::Foreign(words) = ownership(catalog, spec) {
        return Err(Fault::Foreign(words).into());
    }
    if let Some(words) = wrong_choice(catalog, spec) {
        return Err(Fault::NotFound(words).into());
    }
    let literal = |password: &Secret<String>| {
        password_literal(password).map_err(|invalid| Failure::from(Fault::Unsupported(invalid.to_string())))
    };
    let mut batches = Vec::new();
    match (catalog.principal(spec.name.as_str()), password) {
        // Nobody knows this password: the login can be used only after another was set.
        (None, None) => batches.push(create(&spec.name, &literal(&nobodys_password()?)?)),
        (None, Some(password)) => batches.push(create(&spec.name, &literal(password)?)),
        (Some(_), Some(password)) => batches.push(set_password(&spec.name, &literal(password)?)),
        (Some(_), None) => {}
    }
    let comparison = match password {
        Some(_) => compare(&with_password_set(catalog, spec), spec),
        None => compare(catalog, spec),
    };
    if !comparison.server.is_empty() {
        batches.push(Statement::transaction(format!("settling the login {}", spec.name), &comparison.server));
    }
    let mut batches: Vec<Batch> = batches.into_iter().map(Batch::on_server).collect();
    for (database, statements) in &comparison.databases {
        let step = format!("settling the user {} in {database}", spec.name);
        batches.push(Batch { database: database.clone(), statement: Statement::transaction(step, statements) });
    }
    if comparison.enable {
        batches.push(Batch::on_server(enable(&spec.name)));
    }
    Ok(batches)
}

/// What is after the password was set: no lock and no duty to change it.
fn with_password_set(catalog: &Catalog, spec: &RoleSpec) -> Catalog {
    let mut after = catalog.clone();
    let names = after.names;
    for login in after.principals.iter_mut().filter(|login| names.same(&login.name, spec.name.as_str())) {
        (login.must_change, login.locked) = (false, false);
    }
    after
}

/// What no server of this engine could give, refused before anything is sent.
fn check_spec(spec: &RoleSpec) -> Result<(), Failure> {
    let terms = spec.terms;
    let beyond = [
        (terms.auth == Auth::Iam, "IAM database authentication"),
        (terms.valid_until.is_some(), "end of a login"),
        (terms.connection_limit.is_some(), "connection limit of a login"),
        (terms.keeps_old_password, "second password of a login"),
    ];
    if let Some((_, what)) = beyond.into_iter().find(|(asked, _)| *asked) {
        return Err(Fault::Unsupported(format!("SQL Server on RDS has no {what}")).into());
    }
    let name = check_role_name(&spec.name);
    match name.err().or_else(|| spec.grants.iter().find_map(|grant| check_grant(grant).err())) {
        Some(invalid) => Err(Fault::Unsupported(invalid.to_string()).into()),
        None => Ok(()),
    }
}

/// Meets every password policy and is forgotten at once.
fn nobodys_password() -> Result<Secret<String>, Failure> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(|error| Failure::from(Fault::Unsupported(format!("no entropy: {error}"))))?;
    Ok(Secret::new(format!("{}-aA1", hex::encode(bytes))))
}

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
        let _writer = self.writer.lock().await;
        let mut retry = Retry::new(self.patience);
        let mut progress = Progress::default();
        loop {
            match self.ensure_once(spec, password, &mut progress).await {
                Ok(observed) => return Ok(observed),
                Err(failure) => {
                    progress.unsure = failure.class == Class::Lost;
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

    /// The lock of one writer. It ends with its session, so a run that dies frees it.
    pub(super) async fn lock(&self) -> Result<WriterLock, Failure> {
        let mut session = self.pool.reserved().await?;
        let sql = format!(
            "DECLARE @taken int; EXEC @taken = sys.sp_getapplock @Resource = {}, @LockMode = 'Exclusive', \
             @LockOwner = 'Session', @LockTimeout = {}; SELECT @taken;",
            literal(LOCK),
            self.patience.as_millis()
        );
        let results = session.run(&Statement::new("waiting for the lock of the writer", sql)).await?;
        let taken = results.last().and_then(|rows| rows.first()).and_then(|row| number(row, 0));
        if taken.is_some_and(|taken| taken >= 0) { Ok(WriterLock(session)) } else { Err(holder(&mut session).await) }
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

/// The lock, while this value lives.
pub(super) struct WriterLock(Reserved);

impl WriterLock {
    /// Gives the lock back at once; without this the server notices the closed connection a little later.
    pub(super) async fn release(mut self) -> Result<(), Failure> {
        let resource = literal(LOCK);
        let sql = format!("EXEC sys.sp_releaseapplock @Resource = {resource}, @LockOwner = 'Session';");
        self.0.run(&Statement::new("giving back the lock of the writer", sql)).await.map(drop)
    }
}

/// Who holds the lock, for the error.
async fn holder(session: &mut Reserved) -> Failure {
    let step = "waiting for the lock of the writer";
    let sql = format!(
        "SELECT s.session_id, s.login_name, s.program_name, s.host_name FROM sys.dm_tran_locks AS l \
         JOIN sys.dm_exec_sessions AS s ON s.session_id = l.request_session_id \
         WHERE l.resource_type = 'APPLICATION' AND l.request_status = 'GRANT' \
         AND CHARINDEX({}, l.resource_description) > 0;",
        literal(LOCK)
    );
    let text = match session.run(&Statement::new("looking who holds the lock of the writer", sql)).await {
        Ok(results) => match results.first().and_then(|rows| rows.first()) {
            Some(row) => format!(
                "it is held by session {} of {} ({}, from {})",
                number(row, 0).unwrap_or_default(),
                text(row, 1),
                text(row, 2),
                text(row, 3)
            ),
            None => "it was held until now".to_owned(),
        },
        Err(failure) => format!("who holds it is not visible: {}", failure.fault),
    };
    Failure { class: Class::Final, code: 0, fault: Fault::Blocked { step: step.to_owned(), text } }
}

fn observe(catalog: &Catalog, spec: &RoleSpec) -> Observed {
    let comparison = compare(catalog, spec);
    Observed {
        ownership: ownership(catalog, spec),
        auth: Auth::Password,
        notes: Vec::new(),
        access: comparison.access.unwrap_or(Access::ReadOnly),
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
