//! Everything that a change of one role needs, and the order of its steps.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;

use crate::access::rotation::Goal;
use crate::access::{Arn, EngineKind, Gap, HostPattern, Identifier, RoleName, Secret, SecretRef, Target};
use crate::context::Context;
use crate::engine::{self, Fault, Observed, Ownership, PasswordSet, Removal, RemovalAction, RoleSpec, Server};
use crate::report::Report;
use crate::resources::rotation::{Trigger, is_done};
use crate::schema::{Private, Reports};
use crate::store::{self, Credential, Held, Place, Request, Settled, Store, Subject, rotate};

use super::error::Error;
use super::logins::{clone_name, merged};
use super::model::{Role, Strategy};
use super::plan::Reason;
use super::{given, rules, secret, spec};

/// Private entry: the second login has been made, or taken over.
const SECOND_LOGIN: &str = "second_login";
/// Length of a generated password: the longest that every engine and API takes is 41.
const PASSWORD_LENGTH: usize = 40;

/// A role, entered as its administrator.
pub(super) struct Bench {
    pub(super) target: Target,
    pub(super) server: Arc<dyn Server>,
    pub(super) store: Arc<dyn Store>,
    pub(super) place: Place,
    pub(super) spec: RoleSpec,
    /// The administrator's secret, where it is named or managed by RDS
    master: Option<SecretRef>,
    /// The second login: wanted, or left from a strategy before
    clone: Option<RoleSpec>,
    /// The secret of a role of its own that has the name of the second login
    clone_taken: Option<SecretRef>,
    /// Whether it is the second login's turn
    is_clones_turn: bool,
    strategy: Strategy,
    /// Digest of the keepers that a new password is made for
    keepers: Option<String>,
    /// The password that `password_wo` gives
    pub(super) given: Option<Secret<String>>,
    /// Whether the role logged in with tokens until now and gets a password
    gets_password: bool,
    /// Whether sessions are ended when a password is replaced
    ends_sessions: bool,
    /// What the person should know of what was done
    notes: Mutex<Vec<Note>>,
}

/// What the person should know.
struct Note {
    /// What it is about; the rest is about what an apply as a whole left
    summary: Option<&'static str>,
    text: String,
}

/// Refuses what does not fit the database, before anything is opened.
///
/// # Errors
/// Everything that does not fit.
pub(super) fn check(context: &Context, target: &Target, role: &Role) -> Result<(), Reports> {
    let reports = rules::check_target(role, target, context.tls_mode());
    if reports.is_empty() { Ok(()) } else { Err(reports.into()) }
}

impl Bench {
    /// Opens what is needed; nothing is changed. `prior` is the state before with its private state, where there is one.
    pub(super) async fn open(
        context: &Context,
        target: Target,
        role: &Role,
        prior: Option<(&Role, &Private)>,
        adopt: bool,
    ) -> Result<Self, Reports> {
        let arn = target.arn.clone();
        let spec = spec::spec(role, &target, adopt)?;
        let had_clone = prior.is_some_and(|(prior, private)| prior.has_second_login() || has_second_login(private));
        let prior = prior.map(|(prior, _)| prior);
        let may_have = prior.is_some_and(|prior| prior.strategy() == Strategy::TwoUsers);
        let clone = if had_clone || may_have || role.strategy() == Strategy::TwoUsers {
            let name = clone_name(&spec.name).map_err(|invalid| Report::error("Invalid name", invalid.0))?;
            let mark = spec.mark.clone().of_second(spec.name.as_str());
            Some(RoleSpec { name, mark, adopt: had_clone, ..spec.clone() })
        } else {
            None
        };
        let administrator = role.administrator();
        let server = context.admin(&target, &administrator).await?;
        let mut bench = Self {
            server,
            master: administrator.secret(&target).cloned(),
            store: context.store(role.store_settings().as_ref(), &arn)?,
            place: place(arn, &spec.name, role.host.get()),
            target,
            spec,
            clone,
            clone_taken: None,
            is_clones_turn: false,
            strategy: role.strategy(),
            keepers: role.schedule().digest(),
            given: None,
            gets_password: prior.is_some_and(Role::is_iam) && !role.is_iam(),
            ends_sessions: role.always_ends_sessions(),
            notes: Mutex::default(),
        };
        bench.spare_others(context, role).await?;
        if !role.is_iam() {
            bench.find_turn(context, prior).await?;
        }
        Ok(bench)
    }

    /// A login with a secret of its own is another role, also where a state says that there is a second login: its turn
    /// may never have come. That secret is in the store of this role or in the provider's.
    async fn spare_others(&mut self, context: &Context, role: &Role) -> Result<(), Reports> {
        let Some(clone) = &self.clone else { return Ok(()) };
        let place = place(self.target.arn.clone(), &clone.name, role.host.get());
        let mut held = self.store.find(&place).await?;
        if held.is_none() && role.store.is_known() {
            held = context.store(None, &self.target.arn)?.find(&place).await?;
        }
        if let Some(held) = held.filter(|held| held.is_for(&self.target.resource_id)) {
            self.clone_taken = Some(held.secret_ref);
            self.clone = None;
        }
        Ok(())
    }

    /// Whose turn it is stands in the proven version; a pending one that names the second login says that it is ours. The
    /// secret is the one that the state knows: after a restore it carries another mark, and after a change of the store
    /// another place is looked at.
    async fn find_turn(&mut self, context: &Context, prior: Option<&Role>) -> Result<(), Reports> {
        let Some(name) = self.clone.as_ref().map(|clone| clone.name.clone()) else { return Ok(()) };
        let (mut store, mut held) = (Arc::clone(&self.store), None);
        if let Some((prior, secret_ref)) = prior.and_then(|prior| Some((prior, prior.secret_ref.get()?))) {
            let before = secret::store_in_use(context, prior, &self.target.arn)?;
            held = before.look(secret_ref).await?.filter(|held| !held.deleted);
            if held.is_some() {
                store = before;
            }
        }
        if held.is_none() {
            held = self.secret().await?;
        }
        let Some(held) = held else { return Ok(()) };
        let mut is_for_clone = [false; 2];
        for (version, found) in [&held.proven, &held.pending].into_iter().zip(&mut is_for_clone) {
            if let Some(version) = version {
                *found = match store.value(&held.secret_ref, version).await {
                    // A pending version may have no value; the rotation replaces it.
                    Err(store::Error { fault: store::Fault::Gone, .. }) => false,
                    stored => stored?.username == name,
                };
            }
        }
        self.is_clones_turn = is_for_clone[0];
        // Where the state says two logins and nothing says that the second was made, its first turn is still to come.
        let may_be_left = prior.is_none_or(|prior| prior.strategy() != Strategy::TwoUsers);
        let is_ours = is_for_clone.contains(&true)
            || may_be_left && held.is_for(&self.target.resource_id) && self.is_left_clone().await?;
        if let Some(clone) = &mut self.clone {
            clone.adopt |= is_ours;
        }
        Ok(())
    }

    /// Whether the second login may be one that a role before this left behind with its secret, on engines where nothing
    /// but that secret says whose a login is: it holds nothing beyond what it should.
    async fn is_left_clone(&self) -> Result<bool, Reports> {
        let unmarked = matches!(self.target.engine, EngineKind::Mariadb | EngineKind::Sqlserver);
        let Some(clone) = self.clone.as_ref().filter(|clone| unmarked && !clone.adopt) else { return Ok(false) };
        let seen = self.server.read(&RoleSpec { adopt: true, ..clone.clone() }).await?;
        let mut gaps = seen.login.iter().chain(seen.coverage.databases.values().flatten());
        Ok(seen.ownership == Ownership::Ours && gaps.all(|gap| gap.gap == Gap::Lacks))
    }

    /// Takes the role for one that an earlier apply has settled, where the state says so: it has a stored password, or
    /// tokens. A role that was imported without a look at it has neither.
    pub(super) fn trust(&mut self, prior: &Role) {
        let known = prior.secret_version.get().is_some() || prior.is_iam();
        self.spec.known = known;
        if let Some(clone) = &mut self.clone {
            // Before its first turn a login of that name is somebody else's.
            clone.known = known && clone.adopt;
        }
    }

    /// The login whose turn it is, and the other one.
    fn turns(&self) -> (&RoleSpec, Option<&RoleSpec>) {
        match &self.clone {
            Some(clone) if self.is_clones_turn => (clone, Some(&self.spec)),
            other => (&self.spec, other.as_ref()),
        }
    }

    /// Name of the login whose turn it is.
    pub(super) fn username(&self) -> &RoleName {
        &self.turns().0.name
    }

    /// Whether there are, or were, two logins.
    pub(super) fn has_clone(&self) -> bool {
        self.clone.is_some()
    }

    /// Whether a second login is to go although it is its turn.
    pub(super) fn leaves_clone(&self) -> bool {
        self.strategy != Strategy::TwoUsers && self.is_clones_turn
    }

    /// Whether the role gets a password in place of tokens. Until it has one nobody can log in with any.
    pub(super) fn gets_password(&self) -> bool {
        self.gets_password
    }

    /// The secret of the role, if it is one of ours for this database.
    pub(super) async fn secret(&self) -> Result<Option<Held>, Reports> {
        let held = self.store.find(&self.place).await?;
        Ok(held.filter(|held| held.is_for(&self.target.resource_id)))
    }

    /// What is there, whoever it belongs to.
    pub(super) async fn look(&self) -> Result<Observed, Reports> {
        let (current, other) = self.turns();
        let seen = self.server.read(current).await?;
        match other {
            Some(other) => match self.server.read(other).await? {
                Observed { ownership: Ownership::Foreign(_), .. } => Ok(seen),
                second => Ok(merged(seen, second, &other.name)),
            },
            None => Ok(seen),
        }
    }

    /// What is there, refusing logins that belong to somebody else.
    pub(super) async fn observe(&self) -> Result<Observed, Reports> {
        if let (Some(secret_ref), Strategy::TwoUsers) = (&self.clone_taken, self.strategy) {
            let name = &self.spec.name;
            let words =
                format!("the second login of `{name}` would be a role of its own, whose secret is {secret_ref}");
            return Err(Error::Foreign { arn: self.target.arn.clone(), words }.into());
        }
        // One that is not wanted and not ours is in nobody's way.
        let second = self.clone.iter().filter(|clone| clone.adopt || self.strategy == Strategy::TwoUsers);
        for spec in std::iter::once(&self.spec).chain(second) {
            if let Ownership::Foreign(words) = self.server.read(spec).await?.ownership {
                return Err(Error::Foreign { arn: self.target.arn.clone(), words }.into());
            }
        }
        self.look().await
    }

    /// Refuses databases that are chosen and cannot be covered, before anything is made.
    pub(super) fn check_databases(&self, role: &Role, observed: &Observed) -> Result<(), Error> {
        let missing = spec::missing_databases(role, observed);
        if missing.is_empty() { Ok(()) } else { Err(Error::NoDatabase { arn: self.target.arn.clone(), missing }) }
    }

    /// Brings the role to what is written, without touching a password. The second login follows while it is wanted.
    pub(super) async fn converge(&self) -> Result<Observed, Reports> {
        let (current, other) = self.turns();
        let seen = self.server.ensure(current, None).await?;
        let Some(other) = other.filter(|_| self.strategy == Strategy::TwoUsers) else { return Ok(seen) };
        let second = self.server.read(other).await?;
        if second.ownership == Ownership::Absent {
            return Ok(seen);
        }
        Ok(merged(seen, self.server.ensure(other, None).await?, &other.name))
    }

    /// What a run wants for this reason. Keepers that a run before has made a password for ask for no other one.
    pub(super) async fn goal(&self, reason: Reason, private: &Private) -> Result<Goal, Reports> {
        let goal = given::goal(reason, self.given.is_some());
        if reason != Reason::Rotation(Trigger::Keepers) {
            return Ok(goal);
        }
        let held = self.secret().await?;
        let is_done = is_done(&*self.store, held.as_ref(), self.keepers.as_ref(), private).await?;
        Ok(if is_done { Goal::Ensure } else { goal })
    }

    /// Brings secret and role to a proven password.
    pub(super) async fn settle(&mut self, context: &Context, goal: Goal) -> Result<Settled, Reports> {
        let goal = given::settle(self, goal).await?;
        let mut settled = self.rotate(context, goal).await?;
        self.note_turn(&settled);
        if self.leaves_clone() {
            settled = self.rotate(context, Goal::Renew).await?;
            self.note_turn(&settled);
        }
        Ok(settled)
    }

    fn note_turn(&mut self, settled: &Settled) {
        if let Some(clone) = &mut self.clone {
            self.is_clones_turn = settled.username == clone.name;
            // The secret names it: it is ours.
            clone.adopt |= self.is_clones_turn;
        }
    }

    async fn rotate(&self, context: &Context, goal: Goal) -> Result<Settled, Reports> {
        let make = || self.credential(context, goal);
        let request =
            Request { goal, place: &self.place, target: &self.target.resource_id, now: context.now(), make: &make };
        rotate(&*self.store, &Rotation { bench: self, goal }, &request).await
    }

    /// Whether a stored credential is the one that `password_wo` gives; `None` where it gives none.
    pub(super) fn is_given(&self, stored: &Credential) -> Option<bool> {
        self.given.as_ref().map(|given| stored.password == *given && stored.username == self.spec.name)
    }

    /// A new password: for the login whose turn is next, or for the one that is to be repaired.
    fn credential(&self, context: &Context, goal: Goal) -> Result<Credential, Reports> {
        let (current, other) = self.turns();
        let next = match self.strategy {
            Strategy::TwoUsers if goal == Goal::Renew => other.unwrap_or(current),
            Strategy::TwoUsers => current,
            Strategy::Single | Strategy::DualPassword => &self.spec,
        };
        Ok(Credential {
            username: next.name.clone(),
            password: match &self.given {
                Some(given) => given.clone(),
                None => context.password(PASSWORD_LENGTH)?,
            },
            engine: Some(self.target.engine),
            endpoint: self.target.endpoint.clone(),
            database: self.spec.scope.databases.as_ref().and_then(|d| d.first().cloned()),
            arn: Some(self.target.arn.clone()),
            master: self.master.clone(),
            keepers: self.keepers.clone(),
        })
    }

    /// The login of a credential. One that our secret names is ours.
    fn spec_of(&self, credential: &Credential) -> RoleSpec {
        match &self.clone {
            Some(clone) if clone.name == credential.username => RoleSpec { adopt: true, ..clone.clone() },
            _ => self.spec.clone(),
        }
    }

    /// Whether a stored password is that of its login, for a refresh. A login that lacks something and is barred, such
    /// as one that takes tokens only, is no reason to stop a plan: what it lacks is repaired.
    pub(super) async fn accepts(&self, stored: &Credential, seen: &Observed) -> Result<bool, Reports> {
        match self.server.accepts(&self.spec_of(stored), &stored.password).await {
            Err(engine::Error { fault: Fault::LoginBarred(_), .. }) if !seen.login.is_empty() => Ok(false),
            answer => Ok(answer?),
        }
    }

    /// Whether another password is what opens a login that is barred: the stored one is not or no longer good, as the
    /// catalog tells, or what everything but a password repairs was repaired and something is lacking still.
    async fn needs_password(&self, spec: &RoleSpec, credential: &Credential) -> Result<bool, Reports> {
        match self.server.accepts(spec, &credential.password).await {
            Err(engine::Error { fault: Fault::LoginBarred(_), .. }) => {
                Ok(!self.server.read(spec).await?.login.is_empty())
            }
            answer => Ok(!answer?),
        }
    }

    /// When the password of the login whose turn it is was set, where the server says so.
    pub(super) async fn password_set(&self) -> Result<Option<PasswordSet>, Reports> {
        Ok(self.server.password_set(self.turns().0).await?)
    }

    /// Ends the sessions that the role has open.
    pub(super) async fn end_sessions(&self) -> Result<(), Reports> {
        for spec in std::iter::once(&self.spec).chain(self.own_clone().await?) {
            let notes = self.server.end_sessions(spec).await?;
            self.note(notes);
        }
        Ok(())
    }

    /// The second login, unless one of its name is somebody else's.
    async fn own_clone(&self) -> Result<Option<&RoleSpec>, Reports> {
        let Some(clone) = &self.clone else { return Ok(None) };
        let is_ours = !matches!(self.server.read(clone).await?.ownership, Ownership::Foreign(_));
        Ok(Some(clone).filter(|_| is_ours))
    }

    /// Remembers that the second login is ours: what somebody makes of it later is repaired.
    pub(super) fn remember(&self, private: &mut Private) {
        if self.clone.as_ref().is_some_and(|clone| clone.adopt) {
            private.set(SECOND_LOGIN, "ours");
        }
    }

    /// Takes the second login away where it is wanted no more.
    pub(super) async fn leave_clone(&self, role: &Role, private: &mut Private) -> Result<(), Reports> {
        if self.strategy != Strategy::TwoUsers
            && let Some(clone) = self.own_clone().await?
        {
            let how = Removal {
                action: RemovalAction::Drop,
                end_sessions: role.end_sessions.get().is_none_or(|word| word != "never"),
                reassign_owned_to: role.reassign_owned_to.get().cloned(),
            };
            let notes = self.server.remove(clone, &how).await?;
            self.note(notes);
        }
        if self.strategy != Strategy::TwoUsers {
            private.remove(SECOND_LOGIN);
        }
        Ok(())
    }

    /// Takes the role away, with both its logins.
    pub(super) async fn remove(&self, how: &Removal) -> Result<(), Reports> {
        for spec in self.own_clone().await?.into_iter().chain([&self.spec]) {
            let notes = self.server.remove(spec, how).await?;
            self.note(notes);
        }
        Ok(())
    }

    fn note(&self, notes: Vec<String>) {
        self.note_as(None, notes);
    }

    fn note_as(&self, summary: Option<&'static str>, notes: impl IntoIterator<Item = String>) {
        let notes = notes.into_iter().map(|text| Note { summary, text });
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).extend(notes);
    }

    /// What the person should know of what was done so far.
    pub(super) fn take_notes(&self, summary: &str) -> Vec<Report> {
        let notes = std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner));
        notes.into_iter().map(|note| Report::warning(note.summary.unwrap_or(summary), note.text)).collect()
    }
}

/// Whether the second login has been made, or taken over.
fn has_second_login(private: &Private) -> bool {
    private.get(SECOND_LOGIN).is_some()
}

/// A rotation of the role's password.
struct Rotation<'a> {
    bench: &'a Bench,
    goal: Goal,
}

impl Rotation<'_> {
    /// Whether the password that is replaced is the proven one. Another one was set by somebody else, and must not stay
    /// good beside the new one; whether this run began as a repair does not tell.
    async fn is_old_ours(&self) -> Result<bool, Reports> {
        let proven = self.bench.secret().await?.and_then(|held| Some((held.secret_ref, held.proven?)));
        match proven {
            Some((secret_ref, version)) => {
                let stored = self.bench.store.value(&secret_ref, &version).await?;
                self.accepts(&stored).await
            }
            None => Ok(self.goal == Goal::Renew),
        }
    }
}

impl Subject for Rotation<'_> {
    fn accepts<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<bool, Reports>> {
        let bench = self.bench;
        Box::pin(async move {
            let spec = bench.spec_of(credential);
            match bench.server.proves(&spec, &credential.password).await {
                // A login with tokens takes no password at all, and says so in words of its own.
                Err(engine::Error { fault: Fault::LoginBarred(_), .. }) if bench.gets_password => Ok(false),
                Err(error @ engine::Error { fault: Fault::LoginBarred(_), .. }) => {
                    if bench.needs_password(&spec, credential).await? { Ok(false) } else { Err(error.into()) }
                }
                answer => Ok(answer?),
            }
        })
    }

    fn change<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), Reports>> {
        let bench = self.bench;
        Box::pin(async move {
            let mut spec = bench.spec_of(credential);
            spec.terms.keeps_old_password = spec.terms.keeps_old_password && self.is_old_ours().await?;
            let done = bench.server.ensure(&spec, Some(&credential.password)).await?;
            let text = |note: String| format!("{}, role `{}`: {note}.", bench.target.arn, spec.name);
            bench.note_as(Some("The password before has ended"), done.notes.into_iter().map(text));
            if bench.server.proves(&spec, &credential.password).await? {
                return Ok(());
            }
            Err(Error::NotProven { arn: bench.target.arn.clone(), name: spec.name.to_string() }.into())
        })
    }

    fn wants(&self, credential: &Credential) -> bool {
        self.bench.is_given(credential).unwrap_or(true)
    }

    fn works<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), Reports>> {
        let bench = self.bench;
        Box::pin(async move {
            if bench.ends_sessions {
                let notes = bench.server.end_sessions(&bench.spec_of(credential)).await?;
                bench.note(notes);
            }
            Ok(())
        })
    }
}

/// Where the secret of a role is.
pub(super) fn place(arn: Arn, name: &RoleName, host: Option<&HostPattern>) -> Place {
    match host {
        Some(host) => Place::account(arn, name.clone(), host),
        None => Place::user(arn, name.clone()),
    }
}
