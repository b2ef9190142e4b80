//! Taking a role away.
//!
//! A session keeps its rights while it is open, and DROP LOGIN refuses a login that has one. So the login is disabled
//! first, its sessions are ended, its users go database by database, and only then the login: a login dropped alone
//! leaves users behind that a new login with the same SID would revive.

use std::time::Duration;

use super::SqlServer;
use super::catalog::{Catalog, Principal, Reach, number};
use super::connect::MASTER;
use super::error::Failure;
use super::grants::{is_owner, owner_words, strip_user};
use super::owned::drop_user;
use super::plan::Batch;
use super::quote::{Statement, bytes};
use super::roles::{disable, drop_login, ownership};
use crate::access::{Identifier, list_names};
use crate::engine::retry::{Class, Retry};
use crate::engine::{Fault, Ownership, Removal, RemovalAction, RoleSpec};

/// How often open sessions are looked for before the person is warned.
const LOOKS: usize = 50;
/// Time between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// `not an active process`: the session ended by itself.
const NOT_ACTIVE: u32 = 6106;

impl SqlServer {
    /// Drops or disables the login; one that is not there is a success, one that is not ours stays with a warning.
    pub(super) async fn remove_role(&self, spec: &RoleSpec, how: &Removal) -> Result<Vec<String>, Failure> {
        let _writer = self.writer.lock().await;
        let mut retry = Retry::new(self.patience);
        loop {
            match self.remove_once(spec, how).await {
                Ok(warnings) => return Ok(warnings),
                Err(failure) => {
                    self.pool.close_idle();
                    retry.after(failure.class, failure).await?;
                }
            }
        }
    }

    async fn remove_once(&self, spec: &RoleSpec, how: &Removal) -> Result<Vec<String>, Failure> {
        let lock = self.lock().await?;
        let catalog = Catalog::load(&self.pool, None).await?;
        let warnings = match (ownership(&catalog, spec), catalog.principal(spec.name.as_str())) {
            (Ownership::Foreign(words), _) => vec![format!("{words}; it was left as it is")],
            (Ownership::Ours, Some(login)) => {
                let _writing = self.catalog.writing();
                self.take_away(&catalog, login, spec, how).await?
            }
            _ => Vec::new(),
        };
        lock.release().await?;
        Ok(warnings)
    }

    async fn take_away(
        &self,
        catalog: &Catalog,
        login: &Principal,
        spec: &RoleSpec,
        how: &Removal,
    ) -> Result<Vec<String>, Failure> {
        self.run(&Batch::on_server(disable(&spec.name))).await?;
        let mut warnings = Vec::new();
        if how.end_sessions {
            warnings.extend(self.end_sessions(login, |_| true).await?);
        } else {
            let open = self.sessions_of(login).await?;
            warnings.extend(still_open(login, &open, "are left open as asked and keep their rights"));
        }
        for (database, statements) in users(catalog, login, how.action, &mut warnings) {
            let step = format!("taking the user {} out of {database}", login.name);
            self.run(&Batch { database, statement: Statement::transaction(step, &statements) }).await?;
        }
        if how.action == RemovalAction::Drop {
            let dropped = self.run(&Batch::on_server(drop_login(&spec.name))).await;
            dropped.map_err(|failure| judge(failure, login, how))?;
        }
        Ok(warnings)
    }

    /// Ends the sessions that the login has now. Its clients may come back at once, and their new sessions stay.
    pub(super) async fn end_open_sessions(&self, spec: &RoleSpec) -> Result<Vec<String>, Failure> {
        let _writer = self.writer.lock().await;
        let catalog = Catalog::load(&self.pool, None).await?;
        let warning = match (ownership(&catalog, spec), catalog.principal(spec.name.as_str())) {
            (Ownership::Ours, Some(login)) => {
                let now = self.sessions_of(login).await?;
                self.end_sessions(login, |id| now.contains(&id)).await?
            }
            _ => None,
        };
        Ok(warning.into_iter().collect())
    }

    /// Ends these sessions of the login and waits until they are gone. Returns a warning when some are left.
    async fn end_sessions(&self, login: &Principal, meant: impl Fn(i64) -> bool) -> Result<Option<String>, Failure> {
        let mut refused = None;
        let mut left = Vec::new();
        for look in 0..LOOKS {
            left = self.sessions_of(login).await?;
            left.retain(|id| meant(*id));
            if left.is_empty() {
                return Ok(None);
            }
            for id in left.iter().filter(|_| look % 10 == 0) {
                refused = self.end_session(*id).await?.or(refused);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        let why = refused.map(|words| format!(" ({words})")).unwrap_or_default();
        Ok(still_open(login, &left, &format!("could not be ended{why} and keep their rights")))
    }

    /// Ends one session. Returns the server's words when it refuses.
    async fn end_session(&self, id: i64) -> Result<Option<String>, Failure> {
        let statement = Statement::new(format!("ending session {id}"), format!("KILL {id};"));
        match self.run(&Batch::on_server(statement)).await {
            Err(failure) if failure.code == NOT_ACTIVE => Ok(None),
            Err(failure) if failure.class == Class::Lost => Err(failure),
            Err(failure) => Ok(Some(failure.fault.to_string())),
            Ok(()) => Ok(None),
        }
    }

    /// Ids of the sessions that this login opened, also of those that act as somebody else now; not those of others that
    /// act as this login. Found by SID: a name may have changed since.
    async fn sessions_of(&self, login: &Principal) -> Result<Vec<i64>, Failure> {
        let sid = bytes(&login.sid);
        let sql = format!("SELECT session_id FROM sys.dm_exec_sessions WHERE original_security_id = {sid};");
        let step = "listing the sessions of the login (needs VIEW SERVER STATE)";
        let mut session = self.pool.session(MASTER).await?;
        let results = session.run(&Statement::new(step, sql)).await?;
        session.keep();
        Ok(results.iter().flatten().filter_map(|row| number(row, 0)).collect())
    }
}

/// What has to run in each database where the login has a user.
fn users(
    catalog: &Catalog,
    login: &Principal,
    action: RemovalAction,
    warnings: &mut Vec<String>,
) -> Vec<(String, Vec<String>)> {
    let mut work = Vec::new();
    let mut closed = Vec::new();
    for database in &catalog.databases {
        let content = match &database.reach {
            Reach::Open(content) => content,
            Reach::Closed(_) => {
                closed.push(database.name.as_str());
                continue;
            }
            Reach::System => continue,
        };
        let Some(user) = content.user_of(&login.sid) else { continue };
        if is_owner(user) {
            warnings.push(format!("in {}: {}", database.name, owner_words()));
            continue;
        }
        let statements = match action {
            RemovalAction::Drop => drop_user(content, user),
            RemovalAction::Disable => strip_user(content, user),
        };
        if !statements.is_empty() {
            work.push((database.name.clone(), statements));
        }
    }
    if !closed.is_empty() {
        let names = list_names(&closed);
        warnings.push(format!("a user of the login {} may be left in {names}: not looked into", login.name));
    }
    work
}

/// A warning about sessions that outlive the rights of their login; none when there are none.
fn still_open(login: &Principal, ids: &[i64], why: &str) -> Option<String> {
    let listed: Vec<String> = ids.iter().map(i64::to_string).collect();
    (!ids.is_empty()).then(|| {
        format!(
            "{} open session(s) of {} {why}; to end one: KILL id, id {}",
            ids.len(),
            login.name,
            list_names(&listed)
        )
    })
}

/// DROP LOGIN refuses a login with open sessions (15434), which is final where these were not to be ended. One that
/// somebody else has just dropped is refused as if a right were missing (15151): reading again tells.
fn judge(failure: Failure, login: &Principal, how: &Removal) -> Failure {
    if failure.code == 15151 {
        return Failure { class: Class::Converge, ..failure };
    }
    if failure.code != 15434 || how.end_sessions {
        return failure;
    }
    let step = format!("dropping the login {}", login.name);
    let text = "it has open sessions, which `end_sessions` does not end; end them, or use on_destroy = \"disable\"";
    Failure { class: Class::Final, fault: Fault::Blocked { step, text: text.to_owned() }, ..failure }
}
