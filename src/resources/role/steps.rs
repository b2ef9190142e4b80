//! The steps that make, observe and remove a role.

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::access::rotation::Goal;
use crate::access::{Arn, EngineKind, HostPattern, Identifier, RoleName, Secret, SecretRef, Target};
use crate::context::{Context, Refresh};
use crate::engine::{Observed, Ownership, Removal, RemovalAction, RoleSpec, Server};
use crate::report::{Explain, Reach, Report, Severity};
use crate::schema::{Apply, Attr, Reports};
use crate::store::{Credential, Held, Place, Request, Settled, Store, Subject, VersionId, rotate};

use super::model::Role;
use super::plan::OK;
use super::spec;

/// Length of a generated password: the longest that every engine and API takes is 41.
const PASSWORD_LENGTH: usize = 40;

/// What is in the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The name is taken
    #[error("on {arn} {words}")]
    Foreign { arn: Arn, words: String },
    /// The promise of the plan
    #[error("the role `{name}` on {arn} is not what the plan promised: {}", .gaps.join("; "))]
    Broken { arn: Arn, name: String, gaps: Vec<String> },
    /// Chosen databases that are not there
    #[error("on {arn} these databases cannot be covered: {}", .missing.join("; "))]
    NoDatabase { arn: Arn, missing: Vec<String> },
    /// The proof failed
    #[error("{arn} accepted a new password for `{name}` and then refused a login with it")]
    NotProven { arn: Arn, name: String },
    /// A state that lacks a part
    #[error("`{0}` is missing in the state of this role")]
    Incomplete(&'static str),
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::Foreign { .. } => "The name of the role is taken",
            Self::Broken { .. } => "The role is not complete",
            Self::NoDatabase { .. } => "A chosen database cannot be covered",
            Self::NotProven { .. } => "The new password does not work",
            Self::Incomplete(_) => "Incomplete state",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        Some(
            match self {
                Self::Foreign { .. } => "Choose another `name`, or import the role as `<target_arn>|<role name>`",
                Self::Broken { .. } => {
                    "Plan again to see what is there now. What cannot be repaired is listed in `uncovered`"
                }
                Self::NoDatabase { .. } => "Correct `databases`, or create them first",
                Self::NotProven { .. } => {
                    "Check what else decides about logins: pg_hba rules, expiry, locks. The password is stored as \
                     pending; apply again to continue"
                }
                Self::Incomplete(_) => "Remove it from state and import it",
            }
            .to_owned(),
        )
    }
}

/// Everything that a change of one role needs.
pub(super) struct Bench {
    pub(super) target: Target,
    pub(super) server: Arc<dyn Server>,
    pub(super) store: Arc<dyn Store>,
    pub(super) place: Place,
    pub(super) spec: RoleSpec,
}

impl Bench {
    /// Opens what is needed and reads what is there; nothing is changed.
    pub(super) async fn open(context: &Context, target: Target, role: &Role, adopt: bool) -> Result<Self, Reports> {
        let arn = target.arn.clone();
        let reports = spec::check_target(role, &target);
        if !reports.is_empty() {
            return Err(reports.into());
        }
        let spec = spec::spec(role, &target, adopt)?;
        let admin = role.admin.get().and_then(|a| a.secret_ref.get());
        let server = context.admin(&target, admin).await?;
        let store = context.store(None, &arn)?;
        let place = place(arn, &spec.name, role.host.get());
        Ok(Self { target, server, store, place, spec })
    }

    /// The secret of the role, if it is one of ours for this database.
    pub(super) async fn secret(&self) -> Result<Option<Held>, Reports> {
        let held = self.store.find(&self.place).await?;
        Ok(held.filter(|held| held.is_for(&self.target.resource_id)))
    }

    /// What the role is. A role of somebody else is an error.
    pub(super) async fn observe(&self) -> Result<Observed, Reports> {
        let observed = self.server.read(&self.spec).await?;
        match observed.ownership {
            Ownership::Foreign(words) => Err(Error::Foreign { arn: self.target.arn.clone(), words }.into()),
            _ => Ok(observed),
        }
    }

    /// Refuses databases that are chosen and cannot be covered, before anything is made.
    pub(super) fn check_databases(&self, role: &Role, observed: &Observed) -> Result<(), Error> {
        let missing = spec::missing_databases(role, observed);
        if missing.is_empty() { Ok(()) } else { Err(Error::NoDatabase { arn: self.target.arn.clone(), missing }) }
    }

    /// Brings the role to what is written, without touching its password.
    pub(super) async fn converge(&self) -> Result<Observed, Reports> {
        Ok(self.server.ensure(&self.spec, None).await?)
    }

    /// Brings secret and role to a proven password.
    pub(super) async fn settle(&self, context: &Context, goal: Goal) -> Result<Settled, Reports> {
        let make = || self.credential(context);
        let request = Request { goal, place: &self.place, target: &self.target.resource_id, make: &make };
        rotate(&*self.store, self, &request).await
    }

    fn credential(&self, context: &Context) -> Result<Credential, Reports> {
        Ok(Credential {
            username: self.spec.name.clone(),
            password: context.password(PASSWORD_LENGTH)?,
            engine: Some(self.target.engine),
            endpoint: self.target.endpoint.clone(),
            database: self.spec.scope.databases.as_ref().and_then(|d| d.first().cloned()),
            arn: Some(self.target.arn.clone()),
        })
    }
}

impl Subject for Bench {
    fn accepts<'a>(&'a self, password: &'a Secret<String>) -> BoxFuture<'a, Result<bool, Reports>> {
        Box::pin(async move { Ok(self.server.proves(&self.spec, password).await?) })
    }

    fn change<'a>(&'a self, password: &'a Secret<String>) -> BoxFuture<'a, Result<(), Reports>> {
        Box::pin(async move {
            self.server.ensure(&self.spec, Some(password)).await?;
            if self.server.proves(&self.spec, password).await? {
                return Ok(());
            }
            let (arn, name) = (self.target.arn.clone(), self.spec.name.to_string());
            Err(Error::NotProven { arn, name }.into())
        })
    }
}

/// Writes what AWS says of the database into the state.
pub(super) fn describe(state: &mut Role, target: &Target) {
    state.endpoint = target.endpoint.as_ref().map(|e| e.host.clone()).into();
    state.port = target.endpoint.as_ref().map(|e| i64::from(e.port)).into();
    state.engine = target.engine.into();
    state.target_resource_id = target.resource_id.clone().into();
}

/// Writes what the server showed into the state.
pub(super) fn show(state: &mut Role, spec: &RoleSpec, kind: EngineKind, observed: &Observed) {
    state.username = spec::username(spec).into();
    state.default_database = Some(default_database(kind, observed)).filter(|name| !name.is_empty()).into();
    state.coverage = match observed.ownership {
        Ownership::Absent => spec::missing(observed),
        _ => spec::coverage(observed),
    }
    .into();
    state.uncovered = observed.uncovered.texts().into();
}

/// The database that a client should connect to first. MySQL and MariaDB clients can do without.
fn default_database(kind: EngineKind, observed: &Observed) -> String {
    match (&observed.default_database, kind) {
        (Some(name), _) => name.as_str().to_owned(),
        (None, EngineKind::Postgres) => "postgres".to_owned(),
        (None, _) => String::new(),
    }
}

/// Ends a create or update: what was promised is kept, or the call fails with what is there.
pub(super) fn finish(apply: &mut Apply<Role>, bench: &Bench, observed: &Observed) -> Result<(), Reports> {
    let promised = apply.planned.clone();
    let found = spec::coverage(observed);
    describe(&mut apply.state, &bench.target);
    show(&mut apply.state, &bench.spec, bench.target.engine, observed);
    keep_known(&mut apply.state, &promised);
    for (database, text) in observed.uncovered.texts() {
        let summary = "Part of the database is out of reach";
        let detail = format!("{}, database `{database}`, role `{}`: {text}.", bench.target.arn, bench.spec.name);
        apply.warnings.push(Report::warning(summary, detail));
    }
    let expected = promised.coverage.get().cloned().unwrap_or_else(|| spec::completed(&found));
    match spec::keep_promise(&expected, &found) {
        Ok(kept) => {
            apply.state.coverage = kept.into();
            Ok(())
        }
        Err(gaps) => {
            apply.state.coverage = found.into();
            apply.saved = true;
            let (arn, name) = (bench.target.arn.clone(), bench.spec.name.to_string());
            Err(Error::Broken { arn, name, gaps }.into())
        }
    }
}

/// A known result of the plan must come back as it was; the next refresh brings it up to date.
fn keep_known(state: &mut Role, promised: &Role) {
    fn keep<T: Clone>(state: &mut Attr<T>, promised: &Attr<T>) {
        if !promised.is_unknown() {
            *state = promised.clone();
        }
    }
    keep(&mut state.endpoint, &promised.endpoint);
    keep(&mut state.port, &promised.port);
    keep(&mut state.engine, &promised.engine);
    keep(&mut state.default_database, &promised.default_database);
    keep(&mut state.uncovered, &promised.uncovered);
    keep(&mut state.username, &promised.username);
    keep(&mut state.target_resource_id, &promised.target_resource_id);
}

/// Writes the proven secret into the state.
pub(super) fn settled(context: &Context, state: &mut Role, settled: &Settled) {
    state.secret_ref = settled.secret_ref.clone().into();
    state.secret_version = settled.version.0.clone().into();
    if !state.rotated_at.is_known() {
        state.rotated_at = context.timestamp().into();
    }
    state.credential = OK.to_owned().into();
}

/// What is to say of the stored password: `ok`, or what is wrong with it.
pub(super) async fn credential(context: &Context, bench: &Bench, state: &mut Role) -> Result<(), Reports> {
    let held = match state.secret_ref.get() {
        Some(secret_ref) => bench.store.look(secret_ref).await?,
        None => bench.secret().await?,
    };
    let Some(held) = held.filter(|held| !held.deleted) else {
        state.credential = "no stored password".to_owned().into();
        return Ok(());
    };
    let Some(version) = &held.proven else {
        state.credential = "the stored password is not proven".to_owned().into();
        return Ok(());
    };
    state.secret_ref = held.secret_ref.clone().into();
    if state.secret_version.get() != Some(&version.0) {
        state.secret_version = version.0.clone().into();
    }
    if context.refresh() == Refresh::Database {
        let works = match is_set(bench, state, &held, version).await? {
            Some(fits) => fits,
            None => {
                let stored = bench.store.value(&held.secret_ref, version).await?;
                bench.server.accepts(&bench.spec, &stored.password).await?
            }
        };
        let word = if works { OK } else { "the stored password is refused" };
        state.credential = word.to_owned().into();
    }
    Ok(())
}

/// Whether the times tell that the role has the stored password; `None` where server or store say no time.
async fn is_set(bench: &Bench, state: &Role, held: &Held, version: &VersionId) -> Result<Option<bool>, Reports> {
    let Some(set) = bench.server.password_set(&bench.spec).await? else { return Ok(None) };
    let stored = bench.store.stored_at(&held.secret_ref, version).await?;
    let rotated = state.rotated_at.get().and_then(|at| at.parse::<Timestamp>().ok()).map(SystemTime::from);
    Ok(stored.map(|stored| set.fits(stored, rotated)))
}

/// The secret that goes with the role: the one that state knows, or the one that a create left when it was interrupted
/// before it could say so.
pub(super) async fn secret_of(context: &Context, state: &Role, arn: &Arn) -> Result<Option<SecretRef>, Reports> {
    if let Some(known) = state.secret_ref.get() {
        return Ok(Some(known.clone()));
    }
    let (Some(name), Some(target)) = (state.name.get(), state.target_resource_id.get()) else {
        return Ok(None);
    };
    let place = place(arn.clone(), name, state.host.get());
    let held = context.store(None, arn)?.find(&place).await?;
    let ours = held.filter(|held| !held.deleted && held.target.as_deref() == Some(target.as_str()));
    Ok(ours.map(|held| held.secret_ref))
}

/// Schedules the secret of the role for deletion. `current` is the resource id of another database that now has the
/// ARN: a secret that was taken over for it stays.
pub(super) async fn forget_secret(
    context: &Context,
    state: &Role,
    arn: &Arn,
    current: Option<&str>,
) -> Result<(), Reports> {
    let Some(secret_ref) = secret_of(context, state, arn).await? else {
        return Ok(());
    };
    let store = context.store(None, arn)?;
    if current.is_some() {
        let held = store.look(&secret_ref).await?;
        if held.is_none_or(|held| held.target.as_deref() == current) {
            return Ok(());
        }
    }
    Ok(store.forget(&secret_ref).await?)
}

/// Whether the errors say that an administrator's credential does not work: its own resource has to repair that, and
/// needs a plan to do so.
pub(super) fn is_refused(reports: &Reports) -> bool {
    let mut errors = reports.0.iter().filter(|report| report.severity == Severity::Error).peekable();
    errors.peek().is_some() && errors.all(|report| report.reach == Reach::Refused)
}

/// Writes the names that the role has for ever into the state.
pub(super) fn name(state: &mut Role, bench: &Bench) {
    state.name = bench.spec.name.clone().into();
    if state.host.is_unknown() {
        let host = bench.spec.host.clone();
        state.host = Some(host).filter(|_| spec::has_hosts(bench.target.engine)).into();
    }
}

/// Where the secret of a role is.
fn place(arn: Arn, name: &RoleName, host: Option<&HostPattern>) -> Place {
    match host {
        Some(host) => Place::account(arn, name.clone(), host),
        None => Place::user(arn, name.clone()),
    }
}

/// How destroy takes the role away; `None` keeps it.
pub(super) fn removal(state: &Role) -> Option<Removal> {
    let action = match state.on_destroy.get().map(String::as_str) {
        Some("retain") => return None,
        Some("disable") => RemovalAction::Disable,
        _ => RemovalAction::Drop,
    };
    Some(Removal {
        action,
        end_sessions: state.end_sessions.get().map(String::as_str) != Some("never"),
        reassign_owned_to: state.reassign_owned_to.get().cloned(),
    })
}
