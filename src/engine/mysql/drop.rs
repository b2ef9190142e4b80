//! Taking a role away.
//!
//! A session whose current database is a covered one keeps its rights after REVOKE and even after DROP USER. So the
//! account is locked first, its sessions are ended, and only then it goes.

use super::Mysql;
use super::catalog::{AccountName, Catalog};
use super::connect::Session;
use super::error::Failure;
use super::grants::take_everything;
use super::pattern::NameForm;
use super::quote::{Statement, bytes};
use super::roles::{account_name, compare, drop_account, lasting, leave, lock, ownership};
use crate::access::list_names;
use crate::engine::ending::{Left, Sessions, end_sessions, still_open};
use crate::engine::retry::{Class, Retry};
use crate::engine::{Fault, Ownership, Removal, RemovalAction, RoleSpec};

/// `no such thread`: the session ended by itself.
const NO_SUCH_THREAD: u16 = 1094;
/// `not owner of thread`, `access denied`: the administrator may not end it directly.
const NOT_OWNER: [u16; 2] = [1095, 1227];

impl Mysql {
    /// Drops or disables the account; one that is not there is a success, one that is not ours stays with a warning.
    pub(super) async fn remove_role(&self, spec: &RoleSpec, how: &Removal) -> Result<Vec<String>, Failure> {
        let _writer = self.sessions.writer().await;
        let mut retry = Retry::new(self.patience);
        loop {
            match self.remove_once(spec, how).await {
                Ok(warnings) => return Ok(warnings),
                Err(failure) => self.again(&mut retry, failure).await?,
            }
        }
    }

    /// Ends the sessions that the account has now. Its clients may come back at once, and their new sessions stay.
    pub(super) async fn end_open_sessions(&self, spec: &RoleSpec) -> Result<Vec<String>, Failure> {
        let _writer = self.sessions.writer().await;
        let mut session = self.sessions.session().await?;
        let catalog = Catalog::load(&mut session).await?;
        let name = account_name(spec);
        let mut warning = None;
        if ownership(&catalog, spec) == Ownership::Ours {
            let mut open = OfAccount { session: &mut session, catalog: &catalog, name: &name };
            let now = open.list().await?;
            warning = open.end_all(Some(&now)).await?;
        }
        session.rest();
        Ok(warning.into_iter().collect())
    }

    async fn remove_once(&self, spec: &RoleSpec, how: &Removal) -> Result<Vec<String>, Failure> {
        let mut session = self.locked_session().await?;
        let catalog = Catalog::load(&mut session).await?;
        match ownership(&catalog, spec) {
            Ownership::Absent => {
                self.unlock(session).await?;
                return Ok(Vec::new());
            }
            Ownership::Foreign(words) => {
                self.unlock(session).await?;
                return Ok(vec![format!("{words}; it was left as it is")]);
            }
            Ownership::Ours => {}
        }
        let name = account_name(spec);
        let _writing = self.catalog.writing();
        let mut statements = vec![lock(&name)];
        if how.action == RemovalAction::Disable {
            let comparison = compare(&catalog, spec, self.demands_tls());
            statements.extend(take_everything(&comparison, &catalog, &name));
            statements.extend(leave(&catalog, &name));
        }
        session.batch(&statements).await?;
        let mut warnings = Vec::new();
        if how.action == RemovalAction::Disable {
            let printed = name.printed();
            warnings.extend(lasting(&catalog, &name).map(|words| format!("the disabled account {printed} {words}")));
        }
        let mut open = OfAccount { session: &mut session, catalog: &catalog, name: &name };
        if how.end_sessions {
            warnings.extend(open.end_all(None).await?);
        } else {
            warnings.extend(warning(&name, &open.list().await?, "are left open as asked"));
        }
        if how.action == RemovalAction::Drop {
            warnings.extend(self.drop_role(&mut session, &name).await?);
        }
        self.unlock(session).await?;
        Ok(warnings)
    }

    async fn drop_role(&self, session: &mut Session<'_>, name: &AccountName) -> Result<Option<String>, Failure> {
        let defined = defined_by(session, name).await?;
        let names = list_names(&defined);
        session.run(&drop_account(name)).await.map_err(|failure| name_definers(failure, name, &names))?;
        let warning = format!(
            "the account '{}'@'{}' was dropped, but it is the DEFINER of {names}: these fail from now on with error 1449 \
             until they are defined anew",
            name.user, name.host
        );
        Ok((!defined.is_empty()).then_some(warning))
    }
}

/// The sessions of one account.
struct OfAccount<'a, 's> {
    session: &'a mut Session<'s>,
    catalog: &'a Catalog,
    name: &'a AccountName,
}

impl Sessions for OfAccount<'_, '_> {
    type Failure = Failure;

    async fn list(&mut self) -> Result<Vec<u64>, Failure> {
        sessions_of(self.session, self.catalog, self.name).await
    }

    async fn end(&mut self, id: u64) -> Result<Option<String>, Failure> {
        end_session(self.session, id).await
    }
}

impl OfAccount<'_, '_> {
    /// Ends them, all or only these, and waits until they are gone. Returns a warning when some are left.
    async fn end_all(&mut self, only: Option<&[u64]>) -> Result<Option<String>, Failure> {
        let left = end_sessions(self, only).await?;
        Ok(left.and_then(|Left { ids, why }| warning(self.name, &ids, &format!("could not be ended{why}"))))
    }
}

/// A warning about sessions that outlive the rights of their account; none when there are none.
fn warning(name: &AccountName, ids: &[u64], why: &str) -> Option<String> {
    let account = format!("'{}'@'{}'", name.user, name.host);
    let what = format!("{why}: each keeps its rights on its current database until it disconnects");
    still_open(&account, ids, &what, "CALL mysql.rds_kill(id)")
}

/// Ends one session, with RDS's own procedure where the administrator may not. Returns the server's words when both
/// are refused.
async fn end_session(session: &mut Session<'_>, id: u64) -> Result<Option<String>, Failure> {
    let step = format!("ending session {id}");
    for sql in [format!("KILL {id}"), format!("CALL mysql.rds_kill({id})")] {
        match session.run(&Statement::new(step.as_str(), sql)).await {
            Ok(_) => return Ok(None),
            Err(failure) if failure.code == NO_SUCH_THREAD => return Ok(None),
            Err(failure) if NOT_OWNER.contains(&failure.code) => {}
            Err(failure) if failure.class == Class::Lost => return Err(failure),
            Err(failure) => return Ok(Some(failure.fault.to_string())),
        }
    }
    Ok(Some("permission denied".to_owned()))
}

/// Ids of the sessions that belong to this account. The server shows the client's address but not the account, so with
/// several accounts of one user only sessions that no other of them can have are counted.
async fn sessions_of(session: &mut Session<'_>, catalog: &Catalog, name: &AccountName) -> Result<Vec<u64>, Failure> {
    let user = bytes(&name.user);
    let sql = format!("SELECT ID, HOST FROM information_schema.processlist WHERE CAST(USER AS BINARY) = {user}");
    let rows = session.run(&Statement::new("listing the sessions of the account (needs PROCESS)", sql)).await?;
    let namesakes = |other: &&AccountName| other.user == name.user && !other.is(name);
    let others: Vec<&AccountName> = catalog.accounts.iter().map(|account| &account.name).filter(namesakes).collect();
    let ours = |client: &str| {
        let address = client.rsplit_once(':').map_or(client, |(address, _)| address);
        others.is_empty() || (admits(&name.host, address) && !others.iter().any(|other| admits(&other.host, address)))
    };
    let rows = rows.into_iter().filter_map(|row| mysql_async::from_row_opt::<(u64, String)>(row).ok());
    Ok(rows.filter(|(_, client)| ours(client)).map(|(id, _)| id).collect())
}

/// Whether a host pattern lets a client in. A netmask (`10.0.0.0/255.0.0.0`) is taken as admitting everybody, so that
/// a session that may belong to another account is left alone.
fn admits(pattern: &str, address: &str) -> bool {
    pattern.contains('/') || NameForm::Pattern.opens(&pattern.to_lowercase(), &address.to_lowercase())
}

/// Views, routines, triggers and events that run as this account.
async fn defined_by(session: &mut Session<'_>, name: &AccountName) -> Result<Vec<String>, Failure> {
    let definer = bytes(&format!("{}@{}", name.user, name.host.to_lowercase()));
    let sql = [
        ("view", "TABLE_SCHEMA", "TABLE_NAME", "views"),
        ("routine", "ROUTINE_SCHEMA", "ROUTINE_NAME", "routines"),
        ("trigger", "TRIGGER_SCHEMA", "TRIGGER_NAME", "triggers"),
        ("event", "EVENT_SCHEMA", "EVENT_NAME", "events"),
    ]
    .map(|(kind, schema, object, table)| {
        format!(
            "SELECT '{kind}', {schema}, {object} FROM information_schema.{table} \
             WHERE CAST(DEFINER AS BINARY) = {definer}"
        )
    });
    let step = "listing what the account is the DEFINER of";
    let queries: Vec<Statement> = sql.into_iter().map(|sql| Statement::new(step, sql)).collect();
    let rows = session.batch(&queries).await?.into_iter().flatten();
    let mut found: Vec<String> = rows
        .filter_map(|row| mysql_async::from_row_opt::<(String, String, String)>(row).ok())
        .map(|(kind, schema, object)| format!("{kind} {schema}.{object}"))
        .collect();
    found.sort();
    Ok(found)
}

/// MySQL refuses to drop a definer (4006) for an administrator without SET_ANY_DEFINER or SET_USER_ID.
fn name_definers(failure: Failure, name: &AccountName, defined: &str) -> Failure {
    if failure.code != 4006 {
        return failure;
    }
    let step = format!("dropping the account {}", name.user);
    let text = format!(
        "it is the DEFINER of {defined}; define these anew with another account, or use on_destroy = \"disable\""
    );
    Failure { fault: Fault::Denied { step, text }, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_matched_against_host_patterns() {
        assert!(admits("%", "10.0.0.1"));
        assert!(admits("10.0.%", "10.0.0.1"));
        assert!(!admits("10.1.%", "10.0.0.1"));
        assert!(admits("LOCALHOST", "localhost"));
        assert!(admits("10.0.0.0/255.0.0.0", "10.0.0.1"));
    }
}
