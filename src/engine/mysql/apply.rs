//! Reading and ensuring a role: the only place besides `drop` that changes a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql_async::Value;

use super::Mysql;
use super::catalog::Catalog;
use super::connect::Session;
use super::error::{Class, Failure};
use super::named::Named;
use super::password::{Salt, is_hash_of, verifier};
use super::quote::{Statement, literal};
use super::roles::{account_name, compare, create, ownership, plugin, settle};
use super::rules::{check_grant, check_role_name};
use super::wanted::Wanted;
use crate::access::{DatabaseName, EngineKind, RoleName, Secret, TlsMode};
use crate::engine::{Fault, Observed, Ownership, RoleSpec};

/// Name of the server-wide lock that one writer holds; at most 64 characters.
const LOCK: &str = "rdsaccess.roles";
/// How often a step is tried again.
const RETRIES: u32 = 8;
/// First pause between tries; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

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
            Class::Login | Class::Denied | Class::Final => false,
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

impl Mysql {
    /// A trivial query.
    pub(super) async fn ping_server(&self) -> Result<(), Failure> {
        let mut session = self.sessions.session().await?;
        session.run(&Statement::new("asking for a trivial answer", "SELECT 1")).await?;
        session.rest();
        Ok(())
    }

    /// What the role is, from the shared catalog.
    pub(super) async fn read_role(&self, spec: &RoleSpec) -> Result<Observed, Failure> {
        let catalog = self.catalog().await?;
        if !spec.grants.iter().any(|grant| grant.objects.is_some()) {
            return Ok(self.observe(&catalog, spec));
        }
        let mut session = self.sessions.session().await?;
        let named = Named::load(&mut session, &catalog.settings, spec).await?;
        session.rest();
        Ok(self.observe(&Catalog { named, ..(*catalog).clone() }, spec))
    }

    /// Whether the password is that of the account.
    pub(super) async fn accepts_password(&self, spec: &RoleSpec, password: &Secret<String>) -> Result<bool, Failure> {
        match self.catalog().await {
            Ok(catalog) => match judge(&catalog, spec, password) {
                Some(verdict) => Ok(verdict),
                None => self.try_login(&spec.name, password).await,
            },
            Err(failure) if failure.class == Class::Denied => self.try_login(&spec.name, password).await,
            Err(failure) => Err(failure),
        }
    }

    /// Whether one login with this name and password works.
    pub(super) async fn try_login(&self, user: &RoleName, password: &Secret<String>) -> Result<bool, Failure> {
        match self.sessions.can_log_in(user, password).await {
            Ok(()) => Ok(true),
            Err(failure) if failure.class == Class::Login => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Makes the role what it should be, under the writer's lock, as often as the retry list allows.
    pub(super) async fn ensure_role(
        &self,
        spec: &RoleSpec,
        password: Option<&Secret<String>>,
    ) -> Result<Observed, Failure> {
        let _writer = self.writer.lock().await;
        let mut retry = Retry::new(self.patience);
        loop {
            match self.ensure_once(spec, password).await {
                Ok(observed) => return Ok(observed),
                Err(failure) => retry.after(failure).await?,
            }
        }
    }

    async fn ensure_once(&self, spec: &RoleSpec, password: Option<&Secret<String>>) -> Result<Observed, Failure> {
        let mut session = self.locked_session().await?;
        let mut catalog = Catalog::load_for(&mut session, spec).await?;
        let statements = plan(&catalog, spec, password, self.demands_tls())?;
        if !statements.is_empty() {
            let writing = self.catalog.writing();
            session.batch(&statements).await?;
            drop(writing);
            catalog = Catalog::load_for(&mut session, spec).await?;
        }
        self.unlock(session).await?;
        Ok(self.observe(&catalog, spec))
    }

    /// A session that holds the writer's lock. The lock ends with the session, so a run that dies frees it.
    pub(super) async fn locked_session(&self) -> Result<Session, Failure> {
        let mut session = self.sessions.session().await?;
        let sql = format!("SELECT GET_LOCK({}, {})", literal(LOCK), self.patience.as_secs());
        let rows = session.run(&Statement::new("waiting for the lock of the writer", sql)).await?;
        let taken = rows.into_iter().next().and_then(|mut row| row.take::<Option<i64>, _>(0)).flatten();
        if taken == Some(1) { Ok(session) } else { Err(holder(&mut session).await?) }
    }

    /// Gives the lock back and keeps the session.
    pub(super) async fn unlock(&self, mut session: Session) -> Result<(), Failure> {
        let sql = format!("DO RELEASE_LOCK({})", literal(LOCK));
        session.run(&Statement::new("giving back the lock of the writer", sql)).await?;
        session.rest();
        Ok(())
    }

    /// The shared catalog, read again when something was written since.
    async fn catalog(&self) -> Result<Arc<Catalog>, Failure> {
        let mut cached = self.catalog.cached.lock().await;
        let writes = self.catalog.writes.load(Ordering::SeqCst);
        if let Some((_, catalog)) = cached.as_ref().filter(|(at, _)| *at == writes) {
            return Ok(Arc::clone(catalog));
        }
        let mut retry = Retry::new(self.patience);
        let catalog = loop {
            match self.load().await {
                Ok(catalog) => break Arc::new(catalog),
                Err(failure) => retry.after(failure).await?,
            }
        };
        *cached = Some((writes, Arc::clone(&catalog)));
        Ok(catalog)
    }

    async fn load(&self) -> Result<Catalog, Failure> {
        let mut session = self.sessions.session().await?;
        let catalog = Catalog::load(&mut session).await?;
        session.rest();
        Ok(catalog)
    }

    /// Whether accounts must refuse logins without TLS: unless our own sessions go without.
    pub(super) fn demands_tls(&self) -> bool {
        self.login.trust.mode != TlsMode::Disable
    }

    fn observe(&self, catalog: &Catalog, spec: &RoleSpec) -> Observed {
        let comparison = compare(catalog, spec, self.demands_tls());
        let first = comparison.coverage.databases.keys().next();
        Observed {
            ownership: ownership(catalog, spec),
            access: comparison.access(),
            default_database: first.and_then(|name| name.parse::<DatabaseName>().ok()),
            login: comparison.login,
            coverage: comparison.coverage,
            uncovered: comparison.uncovered,
        }
    }
}

/// The statements that turn what is into what should be; empty when nothing differs. Grants come before the account is
/// unlocked, and a password that is already there is not set again.
pub(super) fn plan(
    catalog: &Catalog,
    spec: &RoleSpec,
    password: Option<&Secret<String>>,
    demand_tls: bool,
) -> Result<Vec<Statement>, Failure> {
    if let Ownership::Foreign(words) = ownership(catalog, spec) {
        return Err(Failure::last(Fault::Foreign(words)));
    }
    check(catalog, spec)?;
    if let Some(words) = Wanted::of(catalog, spec).refusal(catalog, spec) {
        return Err(Failure::last(Fault::NotFound(words)));
    }
    let name = account_name(spec);
    let account = catalog.account(&name);
    let hash = |password: &Secret<String>| {
        verifier(plugin(catalog, account), password, catalog.settings.rounds, salt()?)
            .map_err(|invalid| Failure::last(Fault::Unsupported(invalid.to_string())))
    };
    let mut statements = Vec::new();
    let mut new_password = None;
    match (account, password) {
        // Nobody knows this password: the account can be used only after another was set.
        (None, None) => statements.push(create(catalog.dialect, spec, &hash(&nobodys_password()?)?, demand_tls)),
        (None, Some(password)) => statements.push(create(catalog.dialect, spec, &hash(password)?, demand_tls)),
        (Some(_), Some(password)) if !is_set(catalog, spec, password) => new_password = Some(hash(password)?),
        (Some(_), _) => {}
    }
    statements.extend(compare(catalog, spec, demand_tls).statements(&name));
    statements.extend(settle(catalog, spec, account, new_password.as_ref(), demand_tls));
    Ok(statements)
}

/// Refuses what this engine cannot hold, before anything is changed.
fn check(catalog: &Catalog, spec: &RoleSpec) -> Result<(), Failure> {
    let kind = if catalog.dialect.mariadb { EngineKind::Mariadb } else { EngineKind::Mysql };
    let grants = spec.grants.iter().try_for_each(|grant| check_grant(kind, grant));
    check_role_name(kind, &spec.name)
        .and(grants)
        .map_err(|invalid| Failure::last(Fault::Unsupported(invalid.to_string())))
}

/// Whether the account has exactly this password and no other way to log in.
fn is_set(catalog: &Catalog, spec: &RoleSpec, password: &Secret<String>) -> bool {
    catalog.account(&account_name(spec)).is_some_and(|account| {
        let set =
            |(plugin, hash): &(String, Secret<Vec<u8>>)| is_hash_of(plugin, hash.expose(), password) == Some(true);
        !account.expired && account.logins.len() == 1 && account.logins.iter().all(set)
    })
}

/// Whether the password would log the account in, as far as the stored hashes tell.
fn judge(catalog: &Catalog, spec: &RoleSpec, password: &Secret<String>) -> Option<bool> {
    let Some(account) = catalog.account(&account_name(spec)) else { return Some(false) };
    if account.locked || account.expired {
        return Some(false);
    }
    let verdicts = account.logins.iter().map(|(plugin, hash)| is_hash_of(plugin, hash.expose(), password));
    verdicts.reduce(|one, other| match (one, other) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    })?
}

fn salt() -> Result<Salt, Failure> {
    let mut salt = [0; 20];
    fill(&mut salt)?;
    Ok(Salt(salt))
}

fn nobodys_password() -> Result<Secret<String>, Failure> {
    let mut bytes = [0; 32];
    fill(&mut bytes)?;
    Ok(Secret::new(hex::encode(bytes)))
}

fn fill(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|error| {
        Failure::last(Fault::Unsupported(format!("the operating system gives no random numbers: {error}")))
    })
}

/// Who holds the writer's lock, as a failure.
async fn holder(session: &mut Session) -> Result<Failure, Failure> {
    let step = "waiting for the lock of the writer";
    let sql =
        format!("SELECT ID, USER, HOST FROM information_schema.processlist WHERE ID = IS_USED_LOCK({})", literal(LOCK));
    let rows = session.run(&Statement::new(step, sql)).await?;
    let who = rows.into_iter().next().map(mysql_async::from_row_opt::<(u64, String, Value)>);
    let text = match who {
        Some(Ok((id, user, Value::Bytes(host)))) => format!(
            "another run of this provider is changing roles: session {id} of user {user} from {}",
            String::from_utf8_lossy(&host)
        ),
        _ => "another run of this provider is changing roles".to_owned(),
    };
    Ok(Failure::last(Fault::Blocked { step: step.to_owned(), text }))
}
