//! From a reading of the server and a specification to what is there, what is missing, and the statements in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::catalog::{Cluster, Contents, Database, Oid, Role};
use super::change::{Difference, Step};
use super::direct;
use super::grants::{self, Hold, Place};
use super::group::Group;
use super::reach::Reach;
use super::wanted::{Wishes, unknown_to_server};
use super::{defaults, public, roles, terms};
use crate::access::{Access, Coverage, DatabaseName, Identifier, Missing, list_names};
use crate::engine::{Fault, Observed, RoleSpec};

/// What was read for one role.
pub(super) struct Survey {
    pub(super) cluster: Arc<Cluster>,
    /// Covered databases that could be entered
    pub(super) open: Vec<(Database, Arc<Contents>)>,
    /// Covered databases that could not, and why
    pub(super) closed: Vec<(Database, String)>,
    /// Databases beyond those where the login holds rights of its own; `None` for one that could not be entered
    pub(super) left: Vec<(Database, Option<Arc<Contents>>)>,
    /// Chosen databases that do not exist or belong to the system
    pub(super) absent: Vec<String>,
}

/// The databases of the cluster that a role covers, and the chosen ones that are not there.
pub(super) fn covered_databases(cluster: &Cluster, spec: &RoleSpec) -> (Vec<Database>, Vec<String>) {
    let existing = |wanted: &dyn Fn(&Database) -> bool| -> Vec<Database> {
        let mut found: Vec<Database> = cluster.databases.iter().filter(|d| wanted(d)).cloned().collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    };
    let Some(chosen) = &spec.scope.databases else {
        let found = existing(&Database::is_user_database);
        let asked: BTreeSet<&str> = spec.grants.iter().map(|grant| grant.database.as_str()).collect();
        let absent = asked.into_iter().filter(|name| !found.iter().any(|d| d.name == *name)).map(str::to_owned);
        let absent = absent.collect();
        return (found, absent);
    };
    let names: BTreeSet<&str> = chosen.iter().map(Identifier::as_str).collect();
    // A chosen database that takes no connections is found, and reported as closed.
    let found = existing(&|d| names.contains(d.name.as_str()) && (d.is_user_database() || !d.open && !d.template));
    let absent = names.iter().filter(|name| !found.iter().any(|d| d.name == **name)).map(|n| (*n).to_owned());
    let absent = absent.collect();
    (found, absent)
}

/// The difference between a role and its specification.
pub(super) struct Plan {
    pub(super) observed: Observed,
    /// Why the specification cannot be reached whatever is sent
    pub(super) refusal: Option<Fault>,
    /// Statements about the login, first
    pub(super) opening: Vec<Step>,
    /// Statements per database
    pub(super) databases: Vec<(String, Vec<Step>)>,
    /// Statements that take old rights away, last
    pub(super) closing: Vec<Step>,
}

impl Plan {
    /// Works everything out; sends nothing.
    pub(super) fn new(survey: &Survey, spec: &RoleSpec) -> Self {
        let reach = Reach::new(&survey.cluster);
        Planner { survey, spec, reach }.plan()
    }

    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.opening.is_empty() && !self.changes_a_database() && self.closing.is_empty()
    }

    /// Everything that would be sent.
    pub(super) fn statements(&self) -> Vec<Step> {
        let inside = self.databases.iter().flat_map(|(_, steps)| steps);
        self.opening.iter().chain(inside).chain(&self.closing).cloned().collect()
    }

    /// Whether there is something to send to a particular database.
    pub(super) fn changes_a_database(&self) -> bool {
        self.databases.iter().any(|(_, steps)| !steps.is_empty())
    }

    /// One transaction per database: the login with the first, what it loses with the last. What no database is needed
    /// for is sent to `entry`.
    pub(super) fn into_transactions(self, password: Option<Step>, entry: String) -> Vec<(String, Vec<Step>)> {
        let mut opening = self.opening;
        opening.extend(password);
        let mut parts: Vec<(String, Vec<Step>)> =
            self.databases.into_iter().filter(|(_, steps)| !steps.is_empty()).collect();
        if parts.is_empty() {
            parts.push((entry, Vec::new()));
        }
        if let Some((_, steps)) = parts.first_mut() {
            opening.append(steps);
            *steps = opening;
        }
        if let Some((_, steps)) = parts.last_mut() {
            steps.extend(self.closing);
        }
        parts
    }
}

struct Planner<'a> {
    survey: &'a Survey,
    spec: &'a RoleSpec,
    reach: Reach<'a>,
}

impl Planner<'_> {
    fn plan(&self) -> Plan {
        let cluster = &*self.survey.cluster;
        let login = roles::compare_login(cluster, &self.reach, self.spec, &self.groups());
        let role = cluster.role_named(self.spec.name.as_str());
        let login_limits = login.uncovered.into_missing();
        let mut coverage = Coverage::default();
        let mut uncovered = self.unreadable();
        let mut databases = Vec::new();
        for (database, contents) in &self.survey.open {
            let (gaps, mut limits, steps) = self.compare(database, contents).into_parts();
            let gaps = if role.is_some() { gaps } else { vec![Missing::lacking("role is missing")] };
            coverage.databases.insert(database.name.clone(), gaps);
            limits.extend(login_limits.iter().cloned());
            if !limits.is_empty() {
                uncovered.databases.insert(database.name.clone(), limits);
            }
            databases.push((database.name.clone(), steps));
        }
        let observed = Observed {
            ownership: roles::ownership(cluster, self.spec),
            auth: role.map(|role| terms::auth_of(cluster, &self.reach, role)).unwrap_or_default(),
            notes: Vec::new(),
            login: login.gaps.into_missing(),
            coverage,
            uncovered,
            access: role.map_or(Access::ReadOnly, |role| self.level(role)),
            covered: self.covered().map(|database| database.name.clone()).collect(),
            default_database: self.default_database(),
        };
        let (opening, closing) = (login.opening, login.closing);
        let mut plan = Plan { observed, refusal: self.refusal(), opening, databases, closing };
        if let Some(role) = role {
            self.add_elsewhere(&mut plan, role);
            if !plan.is_empty() {
                plan.opening.splice(0..0, terms::without_password(self.spec));
            }
        }
        plan
    }

    /// What the login itself holds in databases that it does not cover, and the steps that take it back.
    fn add_elsewhere(&self, plan: &mut Plan, role: &Role) {
        for (database, entered, difference) in self.elsewhere(role) {
            let name = &database.name;
            let (gaps, limits, steps) = difference.into_parts();
            let there = |gap: Missing| Missing { what: format!("{} in database {name}", gap.what), ..gap };
            plan.observed.login.extend(gaps.into_iter().map(there));
            if !limits.is_empty() {
                plan.observed.uncovered.databases.entry(name.clone()).or_default().extend(limits);
            }
            if entered {
                plan.databases.push((name.clone(), steps));
            } else {
                plan.closing.extend(steps);
            }
        }
    }

    /// What the login itself holds in databases that it does not cover; whether the database was entered.
    fn elsewhere(&self, role: &Role) -> Vec<(&Database, bool, Difference)> {
        let cluster = &*self.survey.cluster;
        let covered: BTreeSet<Oid> = self.covered().map(|database| database.oid).collect();
        let others = cluster.databases.iter().filter(|database| !covered.contains(&database.oid));
        let compared = others.map(|database| {
            let left = self.survey.left.iter().find(|(left, _)| left.oid == database.oid);
            let contents = left.and_then(|(_, contents)| contents.as_deref());
            let mut difference = direct::compare_elsewhere(cluster, &self.reach, role, database, contents);
            if left.is_some() && contents.is_none() {
                difference.uncovered.plain(format!("{} holds rights there, and it cannot be entered", role.name));
            }
            (database, contents.is_some(), difference)
        });
        compared.collect()
    }

    /// Covered databases, also those that cannot be entered now.
    fn covered(&self) -> impl Iterator<Item = &Database> {
        let open = self.survey.open.iter().map(|(database, _)| database);
        open.chain(self.survey.closed.iter().map(|(database, _)| database))
    }

    /// The groups that the login belongs to, also those of databases that cannot be entered now.
    fn groups(&self) -> BTreeMap<Oid, String> {
        self.covered().map(|database| (database.oid, Group::of(self.spec, &database.name).name)).collect()
    }

    fn compare(&self, database: &Database, contents: &Contents) -> Difference {
        let group = Group::of(self.spec, &database.name);
        let cluster = &*self.survey.cluster;
        let group_oid = cluster.role_named(&group.name).map(|role| role.oid);
        let kin = [group_oid, cluster.role_named(self.spec.name.as_str()).map(|role| role.oid)];
        let place =
            Place { cluster, reach: &self.reach, database, contents, group: &group, group_oid, hold: Hold::Level, kin };
        let mut out = Difference::default();
        roles::compare_group(&place, &mut out);
        roles::compare_membership(&place, self.spec, &mut out);
        grants::compare(&place, &mut out);
        defaults::compare(&place, &mut out);
        direct::compare(&place, self.spec, &mut out);
        public::list_excess(&place, &mut out.uncovered);
        for schema in group.schemas.iter().flatten() {
            if !contents.schemas.iter().any(|s| s.name == *schema) {
                out.uncovered.plain(format!("schema {schema} does not exist"));
            }
        }
        out
    }

    fn level(&self, role: &Role) -> Access {
        roles::infer_level(&self.reach, role, self.survey.open.iter().map(|(_, contents)| &**contents))
    }

    fn unreadable(&self) -> Coverage {
        let mut out = Coverage::default();
        for (database, why) in &self.survey.closed {
            out.databases.insert(database.name.clone(), vec![Missing::plain(format!("cannot be entered: {why}"))]);
        }
        for name in &self.survey.absent {
            out.databases.insert(name.clone(), vec![Missing::plain("there is no such database")]);
        }
        out
    }

    /// The database that clients are sent to: the first covered one, `postgres` only when there is no other.
    fn default_database(&self) -> Option<DatabaseName> {
        let names = || self.survey.open.iter().map(|(database, _)| database.name.as_str());
        names().find(|name| *name != "postgres").or_else(|| names().next()).and_then(|name| name.parse().ok())
    }

    fn refusal(&self) -> Option<Fault> {
        self.absent_databases()
            .or_else(|| self.absent_schemas())
            .or_else(|| self.impossible_grants())
            .or_else(|| terms::refusal(&self.survey.cluster, self.spec))
            .or_else(|| self.unusable_owners())
            .or_else(|| self.foreign_groups())
    }

    fn absent_databases(&self) -> Option<Fault> {
        let absent = &self.survey.absent;
        let text = || format!("no database that can be managed has the name {}", list_names(absent));
        (!absent.is_empty()).then(|| Fault::NotFound(text()))
    }

    /// A chosen schema may be missing in some databases, but not in all of them.
    fn absent_schemas(&self) -> Option<Fault> {
        let chosen = self.spec.scope.schemas.as_ref()?;
        let exists = |name: &str| self.survey.open.iter().any(|(_, c)| c.schemas.iter().any(|s| s.name == name));
        let absent: Vec<&str> = chosen.iter().map(Identifier::as_str).filter(|name| !exists(name)).collect();
        let text = || format!("no covered database has a schema with the name {}", list_names(&absent));
        (!absent.is_empty() && !self.survey.open.is_empty()).then(|| Fault::NotFound(text()))
    }

    fn impossible_grants(&self) -> Option<Fault> {
        let version = self.survey.cluster.version;
        if let Some(text) = unknown_to_server(self.spec, version) {
            return Some(Fault::Unsupported(text));
        }
        self.survey.open.iter().find_map(|(database, contents)| {
            let absent = Wishes::of(self.spec, &database.name, version).absent(contents);
            let text = || format!("database {} has no {}, which grants names", database.name, list_names(&absent));
            (!absent.is_empty()).then(|| Fault::NotFound(text()))
        })
    }

    fn unusable_owners(&self) -> Option<Fault> {
        let owners = self.spec.scope.owners.as_ref().filter(|_| self.spec.access == Access::Ddl)?;
        owners.iter().find_map(|owner| self.unusable_owner(owner.as_str()))
    }

    fn unusable_owner(&self, name: &str) -> Option<Fault> {
        let cluster = &self.survey.cluster;
        let Some(owner) = cluster.role_named(name) else {
            return Some(Fault::NotFound(format!("the owner {name} does not exist")));
        };
        let me = cluster.role_name(cluster.me);
        if let Some(text) = self.reach.danger_of(owner.oid) {
            return Some(Fault::Unsupported(format!("{text}; leave it out of owners")));
        }
        if self.reach.may_grant(owner.oid) {
            return None;
        }
        let text = format!("{me} may not grant {name}; as its owner run: GRANT {name} TO {me} WITH ADMIN OPTION");
        Some(Fault::Denied { step: format!("making the group a member of {name}"), text })
    }

    fn foreign_groups(&self) -> Option<Fault> {
        self.groups().values().find_map(|name| {
            let role = self.survey.cluster.role_named(name)?;
            let text = format!("the role `{name}` exists and carries no mark of this provider");
            role.mark().is_none().then_some(Fault::Foreign(text))
        })
    }
}
