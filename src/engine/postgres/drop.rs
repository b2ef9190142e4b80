//! Taking a role away. What it owns is never dropped: it is handed over, or the removal is refused.
//!
//! The way through the databases follows `pg_shdepend`, where the server itself notes what depends on a role.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::apply::{Attempts, transaction};
use super::catalog::{Cluster, Membership, Oid, Role};
use super::change::{Difference, Step};
use super::error::{Failure, Remedy};
use super::grants::{self, Hold, Place};
use super::group::{Group, level_of};
use super::plan::covered_databases;
use super::quote::{Quoted, Sql, ident, literal, number, words};
use super::reach::{Actor, Reach, Way};
use super::server::Postgres;
use super::snapshot::Inside;
use super::{defaults, roles, terms};
use crate::access::{Identifier, RoleName, list_names};
use crate::engine::{Fault, Ownership, Removal, RemovalAction, RoleSpec};

/// How often sessions are told to end before they count as stuck.
const KILL_ATTEMPTS: u32 = 40;
/// Pause between two of these.
const KILL_PAUSE: Duration = Duration::from_millis(100);

/// Where something depends on a role, as far as the reading of the server tells.
#[derive(Debug)]
struct Dependents {
    /// `None` for what all databases share
    database: Option<String>,
    open: bool,
    owns: bool,
}

impl Postgres {
    /// Drops or disables the login, and drops groups that nobody needs any more. Returns warnings.
    pub(super) async fn take_away(&self, spec: &RoleSpec, how: &Removal) -> Result<Vec<String>, Failure> {
        let mut lock = self.lock().await?;
        let mut attempts = Attempts::new();
        loop {
            self.forget();
            let done = self.take_away_locked(spec, how).await;
            self.forget();
            match done {
                Err(failure) => self.wait_to_retry(failure, &mut attempts, &mut lock).await?,
                Ok(warnings) => {
                    lock.release().await;
                    return Ok(warnings);
                }
            }
        }
    }

    /// Ends the sessions that the login has now. Its clients may come back at once, and their new sessions stay.
    pub(super) async fn end_open_sessions(&self, spec: &RoleSpec) -> Result<Vec<String>, Failure> {
        let lock = self.lock().await?;
        self.forget();
        let cluster = self.shared().await?;
        let ours = roles::ownership(&cluster, spec) == Ownership::Ours;
        let left = match cluster.role_named(spec.name.as_str()).filter(|_| ours) {
            Some(role) => {
                let now = self.sessions(role.oid, None).await?;
                self.end_sessions(&cluster, role.oid, true, Some(&now)).await?
            }
            None => 0,
        };
        self.forget();
        lock.release().await;
        Ok(if left == 0 { Vec::new() } else { vec![stuck_warning(&spec.name, left)] })
    }

    async fn take_away_locked(&self, spec: &RoleSpec, how: &Removal) -> Result<Vec<String>, Failure> {
        let cluster = self.shared().await?;
        let related = related_groups(&cluster, spec);
        let heir = how.reassign_owned_to.as_ref().map(Identifier::as_str);
        if let Some(heir) = heir.filter(|heir| cluster.role_named(heir).is_none()) {
            return Err(Fault::NotFound(format!("the role {heir} of reassign_owned_to does not exist")).into());
        }
        let mut warnings = match roles::ownership(&cluster, spec) {
            Ownership::Absent => Vec::new(),
            Ownership::Foreign(text) => return Ok(vec![format!("{text}; it was left as it is")]),
            Ownership::Ours => match cluster.role_named(spec.name.as_str()) {
                Some(role) => self.take_login(&cluster, role, how, heir).await?,
                None => Vec::new(),
            },
        };
        warnings.extend(self.tidy(spec, &related, heir).await?);
        Ok(warnings)
    }

    async fn take_login(
        &self,
        cluster: &Cluster,
        role: &Role,
        how: &Removal,
        heir: Option<&str>,
    ) -> Result<Vec<String>, Failure> {
        let dependents = dependents(cluster, role.oid);
        if how.action == RemovalAction::Drop && heir.is_none() {
            let owned = self.owned(role.oid, &dependents).await?;
            if !owned.is_empty() {
                let text = format!("{} owns {}", role.name, list_names(&owned));
                return Err(Fault::Owner(text).into());
            }
        }
        self.close_login(cluster, role).await?;
        self.forget();
        let mut left = if how.end_sessions { self.end_sessions(cluster, role.oid, true, None).await? } else { 0 };
        if how.action == RemovalAction::Disable {
            self.strip(role, &dependents).await?;
        }
        if how.action == RemovalAction::Drop {
            self.dissolve(role, &dependents, heir).await?;
            // A session that runs as its group outlives its login, with all rights of the group.
            if how.end_sessions {
                left = self.end_sessions(cluster, role.oid, false, None).await?;
            }
        }
        if !how.end_sessions {
            left = self.sessions(role.oid, None).await?.len();
        }
        Ok(if left == 0 { Vec::new() } else { vec![sessions_warning(&role.name, left)] })
    }

    /// Keeps the role from logging in and takes our groups from it. From here on only open sessions can act.
    async fn close_login(&self, cluster: &Cluster, role: &Role) -> Result<(), Failure> {
        let reach = Reach::new(cluster);
        let name = ident(&role.name);
        let mut steps = Vec::new();
        if role.login {
            steps.push(Step::mine(Sql::of("ALTER ROLE {} NOLOGIN", std::slice::from_ref(&name))));
        }
        for membership in reach.memberships_of(role.oid) {
            let ours = cluster.roles.get(&membership.role).and_then(level_of).is_some();
            if (ours || terms::is_iam(cluster, membership.role)) && reach.may_revoke(membership) {
                steps.push(Step::mine(roles::revoke_membership(cluster, &reach, membership, false)));
            }
        }
        for setting in cluster.settings.iter().filter(|s| s.login == role.oid) {
            let ours = cluster.role_named(&setting.role).and_then(level_of).is_some();
            let database = cluster.databases.iter().find(|d| d.oid == setting.database).filter(|_| ours);
            if let Some(database) = database {
                let fragments = [name.clone(), ident(&database.name)];
                steps.push(Step::mine(Sql::of("ALTER ROLE {} IN DATABASE {} RESET role", &fragments)));
            }
        }
        if steps.is_empty() {
            return Ok(());
        }
        let step = format!("disabling {}", role.name);
        self.transact(self.maintenance().await?, &transaction(&reach, &steps, None), &step).await
    }

    /// Drops groups of ours without members. Groups in `related` are worth a warning when they stay; a group that
    /// cannot be dropped never keeps a login from going.
    async fn tidy(
        &self,
        spec: &RoleSpec,
        related: &BTreeSet<String>,
        heir: Option<&str>,
    ) -> Result<Vec<String>, Failure> {
        self.forget();
        let cluster = self.shared().await?;
        let mut warnings = Vec::new();
        for group in unused_groups(&cluster, spec) {
            let is_related = related.contains(&group.name);
            let why = match self.tidy_group(group, heir.filter(|_| is_related)).await {
                Ok(why) => why,
                Err(failure) if failure.remedy == Remedy::Retry => return Err(failure),
                Err(failure) => Some(format!("could not be dropped: {}", failure.fault)),
            };
            warnings.extend(why.filter(|_| is_related).map(|why| format!("The group {} {why}", group.name)));
        }
        Ok(warnings)
    }

    /// Drops one group, or says why it stays.
    async fn tidy_group(&self, group: &Role, heir: Option<&str>) -> Result<Option<String>, Failure> {
        let dependents = dependents(&*self.shared().await?, group.oid);
        let owned = self.owned(group.oid, &dependents).await?;
        if !owned.is_empty() && heir.is_none() {
            return Ok(Some(format!(
                "stays, because it owns {}. Name a role in reassign_owned_to to hand that over.",
                list_names(&owned)
            )));
        }
        self.leave(group).await?;
        self.dissolve(group, &dependents, heir).await?;
        Ok(None)
    }

    /// The same with every change; what cannot be tidied now is tidied by the next one. Returns whether there was
    /// something to tidy.
    pub(super) async fn tidy_quietly(&self, spec: &RoleSpec) -> bool {
        let unused = match self.shared().await {
            Ok(cluster) => unused_groups(&cluster, spec).next().is_some(),
            Err(_) => false,
        };
        if !unused {
            return false;
        }
        if let Err(failure) = self.tidy(spec, &BTreeSet::new(), None).await {
            tracing::warn!(target = self.pool.login().target, "unused groups stay: {}", failure.fault);
        }
        self.forget();
        true
    }

    /// Takes a group out of every role that somebody made it a member of: with the rights of an owner it could not take
    /// back what it passed on of them.
    async fn leave(&self, group: &Role) -> Result<(), Failure> {
        let cluster = self.shared().await?;
        let reach = Reach::new(&cluster);
        let held = reach.memberships_of(group.oid).filter(|membership| reach.may_revoke(membership));
        let steps: Vec<Step> = held.map(|m| Step::mine(roles::revoke_membership(&cluster, &reach, m, false))).collect();
        if steps.is_empty() {
            return Ok(());
        }
        let step = format!("taking {} out of other roles", group.name);
        let done = self.transact(self.maintenance().await?, &transaction(&reach, &steps, None), &step).await;
        self.forget();
        done
    }

    /// Empties a role in every database where something depends on it, and drops it with the last one. What was read of
    /// the server may still hold roles that went just before: a statement about one of them fails as vanished, and the
    /// next attempt reads anew.
    async fn dissolve(&self, role: &Role, dependents: &[Dependents], heir: Option<&str>) -> Result<(), Failure> {
        let cluster = self.shared().await?;
        let reach = Reach::new(&cluster);
        if let Some(closed) = dependents.iter().find(|d| !d.open) {
            let database = closed.database.as_deref().unwrap_or_default();
            let text = format!("{} has rights or objects in database {database}, which takes no logins", role.name);
            return Err(Fault::Owner(text).into());
        }
        let maintenance = self.maintenance().await?;
        let mut databases: Vec<&str> = dependents.iter().filter_map(|d| d.database.as_deref()).collect();
        if databases.is_empty() {
            databases.push(maintenance);
        }
        let last = databases.len() - 1;
        for (n, database) in databases.into_iter().enumerate() {
            let mut steps = self.emptying(&cluster, &reach, role, database).await?;
            if !dependents.is_empty() {
                steps.extend(letting_go(&cluster, &reach, role, heir));
            }
            let farewell = (n == last).then(|| Sql::of("DROP ROLE {}", &[ident(&role.name)]));
            let step = format!("dropping {} in database {database}", role.name);
            self.transact(database, &transaction(&reach, &steps, farewell), &step).await?;
        }
        Ok(())
    }

    /// Revokes what the role itself holds, wherever that is; what it owns stays.
    async fn strip(&self, role: &Role, dependents: &[Dependents]) -> Result<(), Failure> {
        let cluster = self.shared().await?;
        let reach = Reach::new(&cluster);
        let maintenance = self.maintenance().await?;
        let open = dependents.iter().filter(|d| d.open);
        let databases: BTreeSet<&str> = open.map(|d| d.database.as_deref().unwrap_or(maintenance)).collect();
        for database in databases {
            let steps = self.emptying(&cluster, &reach, role, database).await?;
            if !steps.is_empty() {
                let step = format!("taking the rights of {} in database {database}", role.name);
                self.transact(database, &transaction(&reach, &steps, None), &step).await?;
            }
        }
        Ok(())
    }

    /// Revokes what the role holds, each right as the one who granted it: DROP OWNED alone skips what the
    /// administrator did not grant.
    async fn emptying(
        &self,
        cluster: &Cluster,
        reach: &Reach<'_>,
        role: &Role,
        database: &str,
    ) -> Result<Vec<Step>, Failure> {
        let Some(here) = cluster.database_named(database) else { return Ok(Vec::new()) };
        let contents = match self.snapshot().inside(&self.pool, database).await? {
            Inside::Open(contents) => contents,
            Inside::Closed(text) => {
                let step = format!("dropping {} in database {database}", role.name);
                return Err(Failure { fault: Fault::Denied { step, text }, remedy: Remedy::Report });
            }
        };
        let group = Group::retiring(role);
        let place = Place {
            cluster,
            reach,
            database: here,
            contents: &contents,
            group: &group,
            group_oid: Some(role.oid),
            hold: Hold::Nothing,
            kin: [None; 2],
        };
        let mut out = Difference::default();
        grants::compare(&place, &mut out);
        defaults::compare(&place, &mut out);
        Ok(out.into_steps())
    }

    /// What the role owns, in the server's words, such as `table public.a`.
    async fn owned(&self, oid: Oid, dependents: &[Dependents]) -> Result<Vec<String>, Failure> {
        let sql = Sql::of(
            "SELECT pg_describe_object(s.classid, s.objid, s.objsubid) FROM pg_shdepend AS s \
             WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = {} AND s.deptype = 'o' \
               AND s.classid <> 'pg_default_acl'::regclass \
               AND s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY 1",
            &[number(oid)],
        );
        let mut found = BTreeSet::new();
        for place in dependents.iter().filter(|d| d.owns) {
            let database = match &place.database {
                Some(name) if !place.open => {
                    found.insert(format!("objects in database {name}"));
                    continue;
                }
                Some(name) => name.as_str(),
                None => self.maintenance().await?,
            };
            found.extend(self.ask(database, &sql, "listing what the role owns").await?);
        }
        Ok(found.into_iter().collect())
    }

    /// Ends the sessions of a role, all or those of these processes, by its number: it also finds those whose login is
    /// already gone and that nobody can act as (`exists`). Returns how many did not end.
    async fn end_sessions(
        &self,
        cluster: &Cluster,
        oid: Oid,
        exists: bool,
        only: Option<&[String]>,
    ) -> Result<usize, Failure> {
        let reach = Reach::new(cluster);
        let may_signal = reach.rights_of(cluster.me).iter().any(|r| cluster.role_name(*r) == "pg_signal_backend");
        let actor = if may_signal || !exists { Actor::me() } else { reach.actor(oid, None) };
        let [all, these] = among(only);
        let kill = Sql::of(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usesysid = {} \
             AND ({} OR pid::text = ANY ({}::text[])) AND pid <> pg_backend_pid()",
            &[number(oid), all, these],
        );
        let sql = transaction(&reach, &[Step { actor, sql: kill }], None);
        let mut left = 0;
        for attempt in 0..KILL_ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(KILL_PAUSE).await;
            }
            left = self.sessions(oid, only).await?.len();
            if left == 0 {
                break;
            }
            match self.ask(self.maintenance().await?, &sql, "ending the sessions of the role").await {
                // Not allowed: the caller warns with the number that is left.
                Err(Failure { fault: Fault::Denied { .. }, .. }) => break,
                other => other?,
            };
        }
        Ok(left)
    }

    async fn sessions(&self, oid: Oid, only: Option<&[String]>) -> Result<Vec<String>, Failure> {
        let [all, these] = among(only);
        let open = "SELECT pid FROM pg_stat_activity WHERE usesysid = {} AND ({} OR pid::text = ANY ({}::text[]))";
        let sql = Sql::of(open, &[number(oid), all, these]);
        self.ask(self.maintenance().await?, &sql, "counting the sessions of the role").await
    }

    async fn ask(&self, database: &str, sql: &Sql, step: &str) -> Result<Vec<String>, Failure> {
        let session = self.pool.session(database).await?;
        let rows = session.run(sql, step).await?;
        session.keep();
        Ok(rows)
    }

    async fn shared(&self) -> Result<Arc<Cluster>, Failure> {
        self.snapshot().cluster(&self.pool, self.maintenance().await?).await
    }
}

/// How many rows this transaction, and what the session did just before, deleted from the catalogs where an object has
/// its own row. Letting go of rights deletes only from the others.
macro_rules! deleted {
    () => {
        "(SELECT coalesce(sum(pg_stat_get_xact_tuples_deleted(c.oid)), 0)::text FROM pg_class AS c \
          WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ( \
            'pg_shdepend', 'pg_depend', 'pg_default_acl', 'pg_init_privs', 'pg_policy', 'pg_auth_members', \
            'pg_parameter_acl', 'pg_description', 'pg_shdescription', 'pg_seclabel'))"
    };
}

/// Hands over what the role owns, makes sure that nothing is left, and lets go of the rest: entries in access lists of
/// other kinds of objects, row policies, default privileges. DROP OWNED would drop owned objects. The check before it
/// keeps it from those that are there; one that a session makes, or somebody hands over, right after that check is
/// found out by what DROP OWNED deleted, and the transaction comes to nothing.
fn letting_go(cluster: &Cluster, reach: &Reach<'_>, role: &Role, heir: Option<&str>) -> Vec<Step> {
    let name = ident(&role.name);
    let actor = reach.actor(role.oid, None);
    let mut steps = Vec::new();
    if let Some(heir) = heir {
        if let Some(target) = cluster.role_named(heir) {
            let as_heir = reach.actor(target.oid, None);
            // REASSIGN needs the rights of both at once, so the heir is borrowed by a statement that does nothing.
            if matches!(as_heir.way, Way::Borrow { set: false }) {
                steps.push(Step { actor: as_heir, sql: Sql::of("SELECT 1", &[]) });
            }
        }
        let sql = Sql::of("REASSIGN OWNED BY {} TO {}", &[name.clone(), ident(heir)]);
        steps.push(Step { actor: actor.clone(), sql });
    }
    let guard = Sql::of(
        "DO $check$ BEGIN IF EXISTS (SELECT FROM pg_shdepend AS s \
           WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = {} AND s.deptype = 'o' \
             AND s.classid <> 'pg_default_acl'::regclass \
             AND s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))) \
         THEN RAISE EXCEPTION 'the role owns objects again' USING ERRCODE = '2BP01'; END IF; \
         IF NOT current_setting('track_counts')::bool \
         THEN RAISE EXCEPTION 'with track_counts off it cannot be seen whether DROP OWNED drops objects' \
           USING ERRCODE = '55000', HINT = 'Set track_counts to on.'; END IF; END $check$",
        &[number(role.oid)],
    );
    steps.push(Step::mine(guard));
    let count = concat!("SELECT set_config('rdsaccess.deleted', ", deleted!(), ", true)");
    steps.push(Step::mine(Sql::of(count, &[])));
    steps.push(Step { actor, sql: Sql::of("DROP OWNED BY {}", &[name]) });
    let recount = concat!(
        "DO $check$ BEGIN IF current_setting('rdsaccess.deleted') <> ",
        deleted!(),
        " THEN RAISE EXCEPTION 'the role came to own objects meanwhile' USING ERRCODE = '40001'; END IF; END $check$"
    );
    steps.push(Step::mine(Sql::of(recount, &[])));
    steps
}

/// Where something depends on a role, by the name of the database; what all databases share comes last.
fn dependents(cluster: &Cluster, oid: Oid) -> Vec<Dependents> {
    let of_role = cluster.footprints.iter().filter(|footprint| footprint.role == oid);
    let mut found: Vec<Dependents> = of_role
        .map(|footprint| {
            let database = cluster.databases.iter().find(|database| database.oid == footprint.database);
            Dependents {
                database: database.map(|database| database.name.clone()),
                open: database.is_none_or(|database| database.open),
                owns: footprint.owns,
            }
        })
        .collect();
    found.sort_by(|a, b| (a.database.is_none(), &a.database).cmp(&(b.database.is_none(), &b.database)));
    found
}

/// The groups that the login needs or is a member of.
fn related_groups(cluster: &Cluster, spec: &RoleSpec) -> BTreeSet<String> {
    let (databases, _) = covered_databases(cluster, spec);
    let needed = databases.iter().map(|database| Group::of(spec, &database.name).name);
    let login = cluster.role_named(spec.name.as_str()).map(|role| role.oid);
    let held = cluster.memberships.iter().filter(|m| Some(m.member) == login);
    let held = held.filter_map(|m| cluster.roles.get(&m.role)).filter(|r| level_of(r).is_some());
    needed.chain(held.map(|role| role.name.clone())).collect()
}

/// Groups of ours on this database server that have no member left.
fn unused_groups<'a>(cluster: &'a Cluster, spec: &'a RoleSpec) -> impl Iterator<Item = &'a Role> {
    let ours = |role: &&Role| level_of(role).is_some() && role.mark().is_some_and(|m| m.target == spec.mark.target);
    cluster.roles.values().filter(ours).filter(|role| !has_members(cluster, role.oid))
}

/// The row that PostgreSQL 16 makes for whoever creates a role is no use of it.
fn has_members(cluster: &Cluster, oid: Oid) -> bool {
    let is_creators_row = |m: &Membership| m.admin && m.inherit == Some(false) && m.set == Some(false);
    cluster.memberships.iter().any(|m| m.role == oid && m.member != cluster.me && !is_creators_row(m))
}

/// For `all or one of these processes`: the two parts of the condition.
fn among(only: Option<&[String]>) -> [Quoted; 2] {
    let pids = only.unwrap_or_default().join(",");
    [words(if only.is_none() { "true" } else { "false" }), literal(&format!("{{{pids}}}"))]
}

fn stuck_warning(name: &RoleName, left: usize) -> String {
    format!(
        "Sessions of {name} that could not be ended: {left}. They keep the rights that they had until they end; to end \
         one by hand: SELECT pg_terminate_backend(pid)."
    )
}

fn sessions_warning(name: &str, left: usize) -> String {
    format!(
        "Sessions of {name} that are still open: {left}. PostgreSQL lets a session that runs as its group keep the \
         group's rights until it ends. Set end_sessions, or end them by hand."
    )
}
