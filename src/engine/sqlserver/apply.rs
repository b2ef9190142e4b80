//! Reading and ensuring a role: the only place besides `drop` that changes a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::SqlServer;
use super::catalog::{Catalog, Principal, number, text};
use super::connect::{MASTER, Reserved};
use super::error::{Class, Failure};
use super::password::password_literal;
use super::privilege::check_grant;
use super::quote::{Statement, literal};
use super::roles::{barred, check_role_name, compare, create, enable, ownership, set_password, wrong_choice};
use crate::access::{Access, Auth, Identifier, RoleName, Secret};
use crate::engine::{Fault, Observed, Ownership, PasswordSet, RoleSpec};

/// Name of the lock that one writer holds, in `master`.
const LOCK: &str = "rdsaccess.roles";
/// How often a step is tried again.
const RETRIES: u32 = 8;
/// First pause between tries; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// `too recent to change`, `cannot be used at this time`.
const USED_BEFORE: [u32; 2] = [15114, 15115];
/// How exactly the server's clock tells when a password was set, and ours when a version was stored.
const CLOCKS: Duration = Duration::from_secs(300);
/// The same where the server shows local time, which jumps twice a year.
const LOCAL_CLOCKS: Duration = Duration::from_secs(3900);

/// The catalog, shared by all roles of the server until something is written.
#[derive(Default)]
pub(super) struct SharedCatalog {
    /// Counts writes; a catalog that was read before the last one is stale
    writes: AtomicU64,
    cached: tokio::sync::Mutex<Option<(u64, Arc<Catalog>)>>,
}

impl SharedCatalog {
    /// Marks the beginning of a write; its end is marked when the guard is dropped, also by a cancelled call.
    pub(super) fn writing(&self) -> Writing<'_> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Writing(self)
    }
}

/// A write that is under way.
pub(super) struct Writing<'a>(&'a SharedCatalog);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.writes.fetch_add(1, Ordering::SeqCst);
    }
}

/// Decides whether a failure is worth another try, and waits before it.
pub(super) struct Retry {
    tries: u32,
    patience: Duration,
    /// When the first failure came
    since: Option<Instant>,
    /// A session broke before, so that an unreachable server may be one that restarts
    broken: bool,
}

impl Retry {
    pub(super) fn new(patience: Duration) -> Self {
        Self { tries: 0, patience, since: None, broken: false }
    }

    /// Waits, or gives the failure back.
    ///
    /// # Errors
    /// A failure that no other try can change, or one too many.
    pub(super) async fn after(&mut self, failure: Failure) -> Result<(), Failure> {
        self.broken |= matches!(failure.class, Class::Lost | Class::ReadOnly);
        let in_time = self.since.get_or_insert_with(Instant::now).elapsed() < self.patience;
        let again = match failure.class {
            Class::Conflict | Class::Converge | Class::Busy | Class::Lost => self.tries < RETRIES && in_time,
            // During a failover the old writer answers as read-only and then not at all.
            Class::ReadOnly => in_time,
            Class::Unreachable => self.broken && in_time,
            Class::Closed | Class::Login | Class::Denied | Class::Final => false,
        };
        if !again {
            return Err(failure);
        }
        tokio::time::sleep(jittered(FIRST_PAUSE * 2_u32.pow(self.tries.min(6)))).await;
        self.tries += 1;
        Ok(())
    }
}

/// Between half and all of the pause, so that writers that met once do not meet again.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0_u8; 1];
    // Without entropy the pause is merely not spread.
    let _ = getrandom::fill(&mut byte);
    let pause = pause.min(LONGEST_PAUSE);
    pause / 2 + pause / 2 * u32::from(byte[0]) / 255
}

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
    let comparison = compare(catalog, spec);
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
                    retry.after(failure).await?;
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
        let mut cached = self.catalog.cached.lock().await;
        let writes = self.catalog.writes.load(Ordering::SeqCst);
        if let Some((_, catalog)) = cached.as_ref().filter(|(at, _)| *at == writes) {
            return Ok(Arc::clone(catalog));
        }
        let mut retry = Retry::new(self.patience);
        let catalog = loop {
            match Catalog::load(&self.pool, None).await {
                Ok(catalog) => break Arc::new(catalog),
                Err(failure) => {
                    self.pool.close_idle();
                    retry.after(failure).await?;
                }
            }
        };
        *cached = Some((writes, Arc::clone(&catalog)));
        Ok(catalog)
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
