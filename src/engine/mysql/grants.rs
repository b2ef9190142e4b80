//! What an account should hold, what it holds, and the difference. Pure: a [`Catalog`] goes in, changes and words come
//! out.
//!
//! Whose a grant is. On a covered database the account is ours, so anything beyond the level is taken back. With
//! `databases` left out the account's grants on every non-system database are ours too, also those on databases that
//! are gone. With chosen databases a grant elsewhere is taken back only when it is exactly the set of a level (this
//! provider granted it before the choice was narrowed); any other stays and is named in `uncovered`, as do grants on
//! system databases.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{AccountName, Catalog, DatabaseGrant, Object, ObjectGrant, is_system};
use super::pattern::unescape;
use super::privilege::{Privilege, Privileges, is_level, level, list, smallest_level};
use super::quote::{Statement, account as account_sql, identifier};
use crate::access::{Access, Coverage, Identifier, Missing, list_names};
use crate::engine::RoleSpec;

/// What a statement gives or takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum On {
    /// Everything on the server
    Everything,
    /// A database, by the exact text stored in the grant tables
    Database(String),
    /// A table, column or routine of a database
    Object(String, Object),
}

/// One GRANT or REVOKE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// What it is on
    pub(super) on: On,
    /// What is given or taken
    pub(super) privileges: Privileges,
}

/// The difference between what is held and what should be held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// To be granted, first
    pub(super) grant: Vec<Change>,
    /// To be revoked, afterwards, so that a replaced grant leaves no gap in between
    pub(super) revoke: Vec<Change>,
    /// Gaps of the account apart from covered databases
    pub(super) login: Vec<Missing>,
    /// Gaps per covered database
    pub(super) coverage: Coverage,
    /// What stays as it is, per database
    pub(super) uncovered: Coverage,
    /// All rights found outside system databases
    pub(super) held: Privileges,
}

impl Comparison {
    /// Compares the grants of an account with the level and scope that it should have.
    pub(super) fn of(catalog: &Catalog, name: &AccountName, spec: &RoleSpec) -> Self {
        let mut comparison = Self::default();
        let covered = comparison.covered(catalog, spec);
        let grants: Vec<&DatabaseGrant> = catalog.grants.iter().filter(|grant| grant.account.is(name)).collect();
        let objects: Vec<&ObjectGrant> = catalog.objects.iter().filter(|grant| grant.account.is(name)).collect();
        let wanted = level(spec.access);
        for database in &covered {
            comparison.compare_database(catalog, database, &wanted, &grants);
            comparison.compare_objects(database, &wanted, &objects);
        }
        for grant in &grants {
            comparison.compare_elsewhere(catalog, spec, &covered, grant);
        }
        comparison.compare_everything(catalog, name);
        comparison.note_public(catalog, &covered, &wanted);
        let everywhere = comparison.revoke.iter().filter(|change| change.on == On::Everything);
        let of_system = |stored: &str| catalog.settings.form.only(stored).as_deref().is_some_and(is_system);
        let own = grants.iter().filter(|grant| !of_system(&grant.stored)).map(|grant| &grant.privileges);
        let held = own.chain(everywhere.map(|change| &change.privileges));
        comparison.held = held.chain(objects.iter().map(|grant| &grant.privileges)).flatten().cloned().collect();
        comparison
    }

    /// The smallest level that contains what is held.
    pub(super) fn access(&self) -> Access {
        smallest_level(&self.held)
    }

    /// The statements that make the difference disappear.
    pub(super) fn statements(&self, name: &AccountName) -> Vec<Statement> {
        let grants = self.grant.iter().map(|change| change.grant(name));
        grants.chain(self.revoke.iter().map(|change| change.revoke(name))).collect()
    }

    /// The databases that the scope covers, named as the server names them. Every one gets a key in `coverage`.
    fn covered(&mut self, catalog: &Catalog, spec: &RoleSpec) -> BTreeSet<String> {
        let mut covered = BTreeSet::new();
        for database in chosen(catalog, spec) {
            let obstacle = if is_system(&database) {
                Some("is a system database, which no level covers")
            } else if !catalog.databases.contains(&database) {
                Some("does not exist")
            } else if catalog.settings.form.stored(&database).is_none() {
                Some("cannot be granted alone: its name is longer than 64 characters once _ and % are escaped")
            } else {
                None
            };
            match obstacle {
                Some(text) => self.leave(&database, text),
                None => {
                    self.coverage.databases.insert(database.clone(), Vec::new());
                    covered.insert(database);
                }
            }
        }
        covered
    }

    fn compare_database(&mut self, catalog: &Catalog, database: &str, wanted: &Privileges, grants: &[&DatabaseGrant]) {
        let form = catalog.settings.form;
        let Some(stored) = form.stored(database) else { return };
        let empty = Privileges::new();
        let right = grants.iter().find(|grant| grant.stored == stored).map_or(&empty, |grant| &grant.privileges);
        let wrong: Vec<&DatabaseGrant> =
            grants.iter().copied().filter(|grant| is_wrong_form(catalog, grant, database)).collect();
        let through_wrong = wrong.iter().filter(|grant| form.opens(&grant.stored, database));
        let effective: Privileges =
            right.iter().chain(through_wrong.flat_map(|grant| &grant.privileges)).cloned().collect();

        self.gap(database, "missing", wanted.difference(&effective), "");
        self.gap(database, "holds", effective.difference(wanted), " beyond the level");
        for grant in wrong {
            self.wrong_form(catalog, database, grant);
        }
        self.grant_on(On::Database(stored.clone()), wanted.difference(right));
        self.revoke_on(On::Database(stored), right.difference(wanted));
    }

    fn wrong_form(&mut self, catalog: &Catalog, database: &str, grant: &DatabaseGrant) {
        let stored = &grant.stored;
        let others: Vec<&str> = catalog
            .databases
            .iter()
            .filter(|other| *other != database && catalog.settings.form.opens(stored, other))
            .map(String::as_str)
            .collect();
        let effect = if !catalog.settings.form.opens(stored, database) {
            "which opens nothing while partial_revokes is ON".to_owned()
        } else if others.is_empty() {
            "a pattern that can open other databases".to_owned()
        } else {
            format!("a pattern that also opens {}", list_names(&others))
        };
        self.add(database, Missing::plain(format!("is granted as {stored}, {effect}")));
        self.revoke_on(On::Database(stored.clone()), &grant.privileges);
    }

    fn compare_objects(&mut self, database: &str, wanted: &Privileges, objects: &[&ObjectGrant]) {
        for grant in objects.iter().filter(|grant| grant.database == database) {
            let beyond: Privileges = grant.privileges.difference(wanted).cloned().collect();
            if beyond.is_empty() {
                continue;
            }
            let (noun, name) = match &grant.object {
                Object::Table(table) => ("table".to_owned(), table.clone()),
                Object::Column(table, column) => ("column".to_owned(), format!("{table}.{column}")),
                Object::Routine(kind, routine) => (kind.to_lowercase(), routine.clone()),
            };
            let what = format!("holds {} beyond the level", list(&beyond));
            self.add_object(database, what, noun, name);
            self.revoke_on(On::Object(database.to_owned(), grant.object.clone()), &beyond);
        }
    }

    /// A grant that opens no covered database.
    fn compare_elsewhere(
        &mut self,
        catalog: &Catalog,
        spec: &RoleSpec,
        covered: &BTreeSet<String>,
        grant: &DatabaseGrant,
    ) {
        let form = catalog.settings.form;
        if grant.privileges.is_empty()
            || covered.iter().any(|database| form.opens(&grant.stored, database))
            || covered.iter().any(|database| is_wrong_form(catalog, grant, database))
        {
            return;
        }
        let held = list(&grant.privileges);
        let only = form.only(&grant.stored);
        let named = only.as_deref().unwrap_or(&grant.stored);
        if only.as_deref().is_some_and(is_system) {
            self.leave(named, &format!("holds {held}, granted by somebody else"));
        } else if spec.scope.databases.is_none() || is_level(&grant.privileges) {
            let why = match &only {
                Some(database) if catalog.databases.contains(database) => "outside its databases",
                Some(_) => "a database that does not exist",
                None => "a pattern that opens no covered database",
            };
            self.login.push(Missing::plain(format!("holds {held} on {named}, {why}")));
            self.revoke_on(On::Database(grant.stored.clone()), &grant.privileges);
        } else {
            self.leave(named, &format!("holds {held} outside its databases, granted by somebody else"));
        }
    }

    /// Privileges on everything. The view prints `'user'@'host'` without escapes, so the same text is built here.
    fn compare_everything(&mut self, catalog: &Catalog, name: &AccountName) {
        let printed = format!("'{}'@'{}'", name.user, name.host.to_lowercase());
        let held = catalog.global.iter().filter(|(grantee, _)| *grantee == printed);
        let held: Privileges = held.map(|(_, privilege)| privilege.clone()).collect();
        if !held.is_empty() {
            self.login.push(Missing::plain(format!("holds {} on all databases", list(&held))));
            self.revoke_on(On::Everything, &held);
        }
    }

    /// Rights that every account has through MariaDB's `PUBLIC` or MySQL's `mandatory_roles`.
    fn note_public(&mut self, catalog: &Catalog, covered: &BTreeSet<String>, wanted: &Privileges) {
        let public = |grant: &&DatabaseGrant| grant.account.user == "PUBLIC" && grant.account.host.is_empty();
        for grant in catalog.grants.iter().filter(public) {
            let beyond = list(grant.privileges.difference(wanted));
            for database in covered.iter().filter(|name| catalog.settings.form.opens(&grant.stored, name)) {
                if !beyond.is_empty() {
                    let on = identifier(&grant.stored);
                    let text = format!("PUBLIC holds {beyond}; to take it back: REVOKE {beyond} ON {on}.* FROM PUBLIC");
                    self.leave(database, &text);
                }
            }
        }
        let mandatory = catalog.settings.mandatory_roles.trim();
        if !mandatory.is_empty() {
            self.leave_everywhere(&format!("mandatory_roles gives every account the rights of {mandatory}"));
        }
    }

    fn gap<'a>(&mut self, database: &str, verb: &str, held: impl Iterator<Item = &'a Privilege>, tail: &str) {
        let names = list(held);
        if !names.is_empty() {
            self.add(database, Missing::plain(format!("{verb} {names}{tail}")));
        }
    }

    fn add(&mut self, database: &str, gap: Missing) {
        self.coverage.databases.entry(database.to_owned()).or_default().push(gap);
    }

    /// Objects with the same gap are listed together.
    fn add_object(&mut self, database: &str, what: String, noun: String, name: String) {
        let gaps = self.coverage.databases.entry(database.to_owned()).or_default();
        match gaps.iter_mut().find(|gap| gap.what == what && gap.noun == noun) {
            Some(gap) => gap.names.push(name),
            None => gaps.push(Missing { what, noun, names: vec![name] }),
        }
    }

    /// Names something that stays as it is and concerns every covered database.
    pub(super) fn leave_everywhere(&mut self, text: &str) {
        for database in self.coverage.databases.keys().cloned().collect::<Vec<_>>() {
            self.leave(&database, text);
        }
    }

    /// Names something that stays as it is.
    fn leave(&mut self, key: &str, text: &str) {
        self.uncovered.databases.entry(key.to_owned()).or_default().push(Missing::plain(text));
    }

    fn grant_on<'a>(&mut self, on: On, privileges: impl IntoIterator<Item = &'a Privilege>) {
        push(&mut self.grant, on, privileges);
    }

    fn revoke_on<'a>(&mut self, on: On, privileges: impl IntoIterator<Item = &'a Privilege>) {
        push(&mut self.revoke, on, privileges);
    }
}

/// Why the chosen databases cannot be covered as written: one does not exist, or belongs to the server itself.
pub(super) fn wrong_choice(catalog: &Catalog, spec: &RoleSpec) -> Option<String> {
    spec.scope.databases.as_ref()?;
    let chosen = chosen(catalog, spec);
    let absent: Vec<&String> = chosen.iter().filter(|name| !catalog.databases.contains(*name)).collect();
    let system: Vec<&String> = chosen.iter().filter(|name| is_system(name)).collect();
    if !absent.is_empty() {
        Some(format!("the server has no database {}; correct the name or create it first", list_names(&absent)))
    } else if !system.is_empty() {
        Some(format!("{} belongs to the server itself and is covered by no level; leave it out", list_names(&system)))
    } else {
        None
    }
}

/// The chosen databases, or all of the server that are not its own.
fn chosen(catalog: &Catalog, spec: &RoleSpec) -> BTreeSet<String> {
    match &spec.scope.databases {
        None => catalog.databases.iter().filter(|database| !is_system(database)).cloned().collect(),
        Some(names) if catalog.settings.folds_case => names.iter().map(|name| name.as_str().to_lowercase()).collect(),
        Some(names) => names.iter().map(|name| name.as_str().to_owned()).collect(),
    }
}

/// Whether a grant means this database but is stored in another form than the server's mode asks for: a pattern that
/// opens it, or an escaped name where names are literal.
fn is_wrong_form(catalog: &Catalog, grant: &DatabaseGrant, database: &str) -> bool {
    let form = catalog.settings.form;
    if grant.privileges.is_empty() || form.stored(database).as_deref() == Some(grant.stored.as_str()) {
        return false;
    }
    form.opens(&grant.stored, database)
        || (unescape(&grant.stored).as_deref() == Some(database) && !catalog.databases.contains(&grant.stored))
}

/// Adds a change; the same object is listed once.
fn push<'a>(changes: &mut Vec<Change>, on: On, privileges: impl IntoIterator<Item = &'a Privilege>) {
    let privileges: Privileges = privileges.into_iter().cloned().collect();
    if privileges.is_empty() {
        return;
    }
    match changes.iter_mut().find(|change| change.on == on) {
        Some(change) => change.privileges.extend(privileges),
        None => changes.push(Change { on, privileges }),
    }
}

impl Change {
    fn grant(&self, name: &AccountName) -> Statement {
        let (held, on) = (list(&self.privileges), self.on.words());
        let sql = format!("GRANT {} ON {} TO {}", self.sql_privileges(), self.on.sql(), account_sql(name));
        Statement::new(format!("granting {held} on {on}"), sql)
    }

    fn revoke(&self, name: &AccountName) -> Statement {
        let (held, on) = (list(&self.privileges), self.on.words());
        let sql = format!("REVOKE {} ON {} FROM {}", self.sql_privileges(), self.on.sql(), account_sql(name));
        Statement::new(format!("revoking {held} on {on}"), sql)
    }

    fn sql_privileges(&self) -> String {
        match &self.on {
            On::Object(_, Object::Column(_, column)) => {
                let column = identifier(column);
                self.privileges.iter().map(|held| format!("{held} ({column})")).collect::<Vec<_>>().join(", ")
            }
            _ => list(&self.privileges),
        }
    }
}

impl On {
    fn sql(&self) -> String {
        match self {
            Self::Everything => "*.*".to_owned(),
            Self::Database(stored) => format!("{}.*", identifier(stored)),
            Self::Object(database, Object::Table(table) | Object::Column(table, _)) => {
                format!("{}.{}", identifier(database), identifier(table))
            }
            Self::Object(database, Object::Routine(kind, name)) => {
                // The kind comes from an ENUM of the server; anything unexpected must not reach the statement.
                let kind = Privilege::named(kind).map(|kind| format!("{kind} ")).unwrap_or_default();
                format!("{kind}{}.{}", identifier(database), identifier(name))
            }
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Everything => "all databases".to_owned(),
            Self::Database(stored) => stored.clone(),
            Self::Object(database, Object::Table(name) | Object::Column(name, _) | Object::Routine(_, name)) => {
                format!("{database}.{name}")
            }
        }
    }
}

/// Every grant that this provider may have made, to be taken back when the account is disabled: all on covered
/// databases, and elsewhere what [`Comparison::of`] would take back.
pub(super) fn take_everything(comparison: &Comparison, catalog: &Catalog, name: &AccountName) -> Vec<Statement> {
    let covered: BTreeMap<String, &str> = comparison
        .coverage
        .databases
        .keys()
        .filter_map(|database| Some((catalog.settings.form.stored(database)?, database.as_str())))
        .collect();
    let mut revoke: Vec<Change> = Vec::new();
    for grant in catalog.grants.iter().filter(|grant| grant.account.is(name) && covered.contains_key(&grant.stored)) {
        push(&mut revoke, On::Database(grant.stored.clone()), &grant.privileges);
    }
    for change in &comparison.revoke {
        push(&mut revoke, change.on.clone(), &change.privileges);
    }
    revoke.iter().map(|change| change.revoke(name)).collect()
}
