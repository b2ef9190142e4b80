//! What an account should hold, what it holds, and the difference. Pure: a [`Catalog`] goes in, changes and words come
//! out.
//!
//! Whose a grant is. On a covered database the account is ours, so anything beyond level and `grants` is taken back. With
//! `databases` left out the account's grants on every non-system database are ours too, also those on databases that
//! are gone. With chosen databases a database that is no longer covered shows by the rights of a level that the account
//! holds on the whole of it, which this provider grants and nobody else has a reason to: all that is held there goes,
//! down to tables and routines, and those first, so that a run that dies in between leaves the sign. Anything else stays
//! and is named in `uncovered`, as do grants on system databases.

use std::collections::BTreeMap;

use super::catalog::{AccountName, Catalog, DatabaseGrant, Object, ObjectGrant, is_system};
use super::change::{Change, On, push};
use super::level::{Privilege, Privileges, contains_level, list, smallest_level};
use super::pattern::unescape;
use super::powers::on_everything;
use super::quote::{Statement, account as account_sql, identifier};
use super::wanted::Wanted;
use crate::access::{Access, Coverage, Gap, Missing, list_names};
use crate::engine::RoleSpec;

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
    /// Compares the grants of an account with the level, scope and single rights that it should have.
    pub(super) fn of(catalog: &Catalog, name: &AccountName, spec: &RoleSpec) -> Self {
        let wanted = Wanted::of(catalog, spec);
        let mut comparison = Self::default();
        comparison.coverage.databases = wanted.databases.keys().map(|name| (name.clone(), Vec::new())).collect();
        for (database, words) in wanted.obstacles.iter().chain(&wanted.absent) {
            comparison.leave(database, words);
        }
        let grants: Vec<&DatabaseGrant> = catalog.grants.iter().filter(|grant| grant.account.is(name)).collect();
        let objects: Vec<&ObjectGrant> = catalog.objects.iter().filter(|grant| grant.account.is(name)).collect();
        for (database, privileges) in &wanted.databases {
            comparison.compare_database(catalog, database, privileges, &grants);
            comparison.compare_objects(&wanted, database, &objects);
        }
        let elsewhere = Elsewhere { catalog, wanted: &wanted, all_is_ours: spec.scope.databases.is_none() };
        for grant in objects.iter().filter(|grant| !wanted.covers(&grant.database)) {
            comparison.compare_object_elsewhere(&elsewhere, grant, &grants);
        }
        for grant in &grants {
            comparison.compare_elsewhere(&elsewhere, grant);
        }
        comparison.compare_everything(catalog, name);
        comparison.note_public(catalog, &wanted);
        comparison.held = comparison.held(catalog, &wanted, &grants, &objects);
        comparison
    }

    /// All rights found outside system databases, without those that `grants` give.
    fn held(
        &self,
        catalog: &Catalog,
        wanted: &Wanted,
        grants: &[&DatabaseGrant],
        objects: &[&ObjectGrant],
    ) -> Privileges {
        let on_databases = grants.iter().filter_map(|grant| {
            let only = catalog.settings.form.only(&grant.stored).unwrap_or_default();
            (!is_system(&only)).then(|| wanted.of_level(&only, None, &grant.privileges))
        });
        let on_objects = objects.iter().filter(|grant| !is_system(&grant.database));
        let on_objects =
            on_objects.map(|grant| wanted.of_level(&grant.database, Some(&grant.object), &grant.privileges));
        let everywhere = self.revoke.iter().filter(|change| change.on == On::Everything);
        on_databases.chain(on_objects).chain(everywhere.map(|change| change.privileges.clone())).flatten().collect()
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

        self.gap(database, Gap::Lacks, wanted.difference(&effective));
        self.gap(database, Gap::Exceeds, effective.difference(wanted));
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

    fn compare_objects(&mut self, wanted: &Wanted, database: &str, objects: &[&ObjectGrant]) {
        let held = || objects.iter().filter(|grant| grant.database == database);
        for on in wanted.objects.iter().filter(|on| on.exists && on.database == database) {
            let whole = wanted.databases.get(database);
            let present: Privileges = held()
                .filter(|grant| grant.object.is(&on.object))
                .flat_map(|grant| &grant.privileges)
                .chain(whole.into_iter().flatten())
                .cloned()
                .collect();
            let missing: Privileges = on.privileges.difference(&present).cloned().collect();
            self.add_object(database, Gap::Lacks, &missing, &on.object);
            self.grant_on(On::Object(database.to_owned(), on.object.clone()), &missing);
        }
        for grant in held() {
            let allowed = wanted.allowed(database, &grant.object);
            let beyond: Privileges = grant.privileges.difference(&allowed).cloned().collect();
            self.add_object(database, Gap::Exceeds, &beyond, &grant.object);
            self.revoke_on(On::Object(database.to_owned(), grant.object.clone()), &beyond);
        }
    }

    /// A grant that opens no covered database.
    fn compare_elsewhere(&mut self, elsewhere: &Elsewhere<'_>, grant: &DatabaseGrant) {
        let Elsewhere { catalog, wanted, .. } = elsewhere;
        let form = catalog.settings.form;
        if grant.privileges.is_empty()
            || wanted.databases.keys().any(|database| form.opens(&grant.stored, database))
            || wanted.databases.keys().any(|database| is_wrong_form(catalog, grant, database))
        {
            return;
        }
        let held = list(&grant.privileges);
        let only = form.only(&grant.stored);
        let named = only.as_deref().unwrap_or(&grant.stored);
        if only.as_deref().is_some_and(is_system) {
            self.leave(named, &format!("holds {held}, granted by somebody else"));
        } else if elsewhere.all_is_ours || contains_level(&grant.privileges) {
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

    /// A grant on a table, column or routine of a database that is not covered.
    fn compare_object_elsewhere(&mut self, elsewhere: &Elsewhere<'_>, grant: &ObjectGrant, grants: &[&DatabaseGrant]) {
        if grant.privileges.is_empty() {
            return;
        }
        let (held, (noun, name)) = (list(&grant.privileges), grant.object.words());
        let form = elsewhere.catalog.settings.form;
        let covered_once = grants.iter().any(|whole| {
            contains_level(&whole.privileges) && form.only(&whole.stored).as_deref() == Some(grant.database.as_str())
        });
        if is_system(&grant.database) || !(elsewhere.all_is_ours || covered_once) {
            self.leave(&grant.database, &format!("holds {held} on {noun} {name}, granted by somebody else"));
        } else {
            let what = format!("holds {held} outside its databases");
            join(&mut self.login, Missing::plain(what), noun, format!("{}.{name}", grant.database));
            self.revoke_on(On::Object(grant.database.clone(), grant.object.clone()), &grant.privileges);
        }
    }

    /// Privileges on everything.
    fn compare_everything(&mut self, catalog: &Catalog, name: &AccountName) {
        let held = on_everything(catalog, name);
        if !held.is_empty() {
            self.login.push(Missing::plain(format!("holds {} on all databases", list(&held))));
            self.revoke_on(On::Everything, &held);
        }
    }

    /// Rights that every account has: through MariaDB's `PUBLIC`, through MySQL's `mandatory_roles`, and through grants
    /// to the account without a name, which both engines give to everybody on whole databases.
    fn note_public(&mut self, catalog: &Catalog, wanted: &Wanted) {
        for grant in &catalog.grants {
            let account = &grant.account;
            let (whom, from) = match (account.user.as_str(), account.host.as_str()) {
                ("PUBLIC", "") => ("PUBLIC".to_owned(), "PUBLIC".to_owned()),
                ("", host) => (format!("everybody from {host}"), account_sql(account)),
                _ => continue,
            };
            for (database, wanted) in &wanted.databases {
                let beyond = list(grant.privileges.difference(wanted));
                if !beyond.is_empty() && catalog.settings.form.opens(&grant.stored, database) {
                    let on = identifier(&grant.stored);
                    let text = format!("{whom} holds {beyond}; to take it back: REVOKE {beyond} ON {on}.* FROM {from}");
                    self.leave(database, &text);
                }
            }
        }
        for grant in &catalog.objects {
            let public = grant.account.user == "PUBLIC" && grant.account.host.is_empty();
            let beyond = list(grant.privileges.difference(&wanted.allowed(&grant.database, &grant.object)));
            if public && wanted.covers(&grant.database) && !beyond.is_empty() {
                let (noun, name) = grant.object.words();
                self.leave(&grant.database, &format!("PUBLIC holds {beyond} on {noun} {name}"));
            }
        }
        let public = AccountName { user: "PUBLIC".to_owned(), host: String::new() };
        if catalog.accounts.iter().any(|role| role.is_wide_role && role.name.is(&public)) {
            self.leave_everywhere("PUBLIC holds rights on all databases; SHOW GRANTS FOR PUBLIC names them");
        }
        let mandatory = catalog.settings.mandatory_roles.trim();
        if !mandatory.is_empty() {
            self.leave_everywhere(&format!("mandatory_roles gives every account the rights of {mandatory}"));
        }
    }

    fn gap<'a>(&mut self, database: &str, gap: Gap, held: impl Iterator<Item = &'a Privilege>) {
        let names = list(held);
        if !names.is_empty() {
            self.add(database, of_privileges(gap, &names));
        }
    }

    fn add(&mut self, database: &str, gap: Missing) {
        self.coverage.databases.entry(database.to_owned()).or_default().push(gap);
    }

    fn add_object(&mut self, database: &str, gap: Gap, privileges: &Privileges, object: &Object) {
        if privileges.is_empty() {
            return;
        }
        let (noun, name) = object.words();
        let gaps = self.coverage.databases.entry(database.to_owned()).or_default();
        join(gaps, of_privileges(gap, &list(privileges)), noun, name);
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

/// What decides about grants outside the covered databases.
struct Elsewhere<'a> {
    catalog: &'a Catalog,
    wanted: &'a Wanted,
    /// `databases` is left out, so that every grant is ours
    all_is_ours: bool,
}

/// Privileges that are lacking, or that are too much.
fn of_privileges(gap: Gap, names: &str) -> Missing {
    match gap {
        Gap::Lacks => Missing::lacking(format!("missing {names}")),
        Gap::Exceeds | Gap::Terms => Missing::plain(format!("holds {names} beyond the level")),
    }
}

/// Adds a gap; objects with the same gap are listed together.
fn join(gaps: &mut Vec<Missing>, missing: Missing, noun: String, name: String) {
    match gaps.iter_mut().find(|gap| gap.what == missing.what && gap.noun == noun) {
        Some(gap) => gap.names.push(name),
        None => gaps.push(Missing { noun, names: vec![name], ..missing }),
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
    let of_covered = |grant: &&ObjectGrant| comparison.coverage.databases.contains_key(&grant.database);
    for grant in catalog.objects.iter().filter(|grant| grant.account.is(name)).filter(of_covered) {
        push(&mut revoke, On::Object(grant.database.clone(), grant.object.clone()), &grant.privileges);
    }
    for change in &comparison.revoke {
        push(&mut revoke, change.on.clone(), &change.privileges);
    }
    revoke.iter().map(|change| change.revoke(name)).collect()
}
