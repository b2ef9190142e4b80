//! Taking a role away.
//!
//! A session keeps its rights while it is open, and DROP LOGIN refuses a login that has one. So the login is disabled
//! first, its sessions are ended, its users go database by database, and only then the login: a login dropped alone
//! leaves users behind that a new login with the same SID would revive.

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
use crate::engine::ending::{Sessions, end_sessions, still_open};
use crate::engine::retry::{Class, Retry};
use crate::engine::{Fault, Ownership, Removal, RemovalAction, RoleSpec};

/// What ends a session.
const KILL: &str = "KILL id";
/// `not an active process`: the session ended by itself.
const NOT_ACTIVE: u32 = 6106;

impl SqlServer {
    /// Drops or disables the login; one that is not there is a success, one that is not ours stays with a warning.
    pub(super) async fn remove_role(&self, spec: &RoleSpec, how: &Removal) -> Result<Vec<String>, Failure> {
        let _writer = self.pool.writer().await;
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
            warnings.extend(self.end_all(login, None).await?);
        } else {
            let open = self.sessions_of(login).await?;
            warnings.extend(still_open(&login.name, &open, "are left open as asked and keep their rights", KILL));
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
        let _writer = self.pool.writer().await;
        let catalog = Catalog::load(&self.pool, None).await?;
        let warning = match (ownership(&catalog, spec), catalog.principal(spec.name.as_str())) {
            (Ownership::Ours, Some(login)) => {
                let now = self.sessions_of(login).await?;
                self.end_all(login, Some(&now)).await?
            }
            _ => None,
        };
        Ok(warning.into_iter().collect())
    }

    /// Ends sessions of the login, all or only these, and waits until they are gone. Returns a warning when some are left.
    async fn end_all(&self, login: &Principal, only: Option<&[u64]>) -> Result<Option<String>, Failure> {
        let left = end_sessions(&mut OfLogin { server: self, login }, only).await?;
        let why = |why: &str| format!("could not be ended{why} and keep their rights");
        Ok(left.and_then(|left| still_open(&login.name, &left.ids, &why(&left.why), KILL)))
    }

    /// Ends one session. Returns the server's words when it refuses.
    async fn end_session(&self, id: u64) -> Result<Option<String>, Failure> {
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
    async fn sessions_of(&self, login: &Principal) -> Result<Vec<u64>, Failure> {
        let sid = bytes(&login.sid);
        let sql = format!("SELECT session_id FROM sys.dm_exec_sessions WHERE original_security_id = {sid};");
        let step = "listing the sessions of the login (needs VIEW SERVER STATE)";
        let mut session = self.pool.session(MASTER).await?;
        let results = session.run(&Statement::new(step, sql)).await?;
        session.keep();
        Ok(results.iter().flatten().filter_map(|row| u64::try_from(number(row, 0)?).ok()).collect())
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

/// The sessions of one login.
struct OfLogin<'a> {
    server: &'a SqlServer,
    login: &'a Principal,
}

impl Sessions for OfLogin<'_> {
    type Failure = Failure;

    async fn list(&mut self) -> Result<Vec<u64>, Failure> {
        self.server.sessions_of(self.login).await
    }

    async fn end(&mut self, id: u64) -> Result<Option<String>, Failure> {
        self.server.end_session(id).await
    }
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
