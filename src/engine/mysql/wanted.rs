//! What an account should hold: its level on every covered database, and its single rights beside it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Catalog, Object, is_system};
use super::level::{Privilege, Privileges, granted, level};
use crate::access::{Grant, Identifier, ObjectKind, list_names};
use crate::engine::RoleSpec;

/// A right on a single table or routine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedObject {
    /// Database that it is in
    pub(super) database: String,
    /// The table or routine
    pub(super) object: Object,
    /// What should be held
    pub(super) privileges: Privileges,
    /// Whether it is there. What is held on a table that was dropped stays: it comes back with the table
    pub(super) exists: bool,
}

/// What an account should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Rights of the level alone
    level: Privileges,
    /// Covered databases, named as the server names them: what should be held on the whole of each
    pub(super) databases: BTreeMap<String, Privileges>,
    /// What should be held on single objects
    pub(super) objects: Vec<WantedObject>,
    /// Databases that are chosen and cannot be covered, with the reason
    pub(super) obstacles: Vec<(String, String)>,
    /// What `grants` name and is not there, per database
    pub(super) absent: Vec<(String, String)>,
}

impl Wanted {
    /// Level, scope and grants of a specification on this server.
    pub(super) fn of(catalog: &Catalog, spec: &RoleSpec) -> Self {
        let level = level(spec.access);
        let mut wanted =
            Self { level, databases: BTreeMap::new(), objects: Vec::new(), obstacles: Vec::new(), absent: Vec::new() };
        for database in chosen(catalog, spec) {
            match obstacle(catalog, &database) {
                Some(words) => wanted.obstacles.push((database, words.to_owned())),
                None => {
                    wanted.databases.insert(database, wanted.level.clone());
                }
            }
        }
        for grant in &spec.grants {
            wanted.add(catalog, grant);
        }
        wanted
    }

    fn add(&mut self, catalog: &Catalog, grant: &Grant) {
        let database = catalog.settings.fold(grant.database.as_str());
        let privileges = granted(catalog.dialect.mariadb, grant.kind, &grant.privileges);
        let Some(whole) = self.databases.get_mut(&database) else {
            let words = match obstacle(catalog, &database) {
                Some(words) => format!("`grants` name it, and it {words}"),
                None => "`grants` name it, and it is none of the role's databases".to_owned(),
            };
            self.absent.push((database, words));
            return;
        };
        match &grant.objects {
            None => whole.extend(privileges),
            Some(names) => {
                for name in names {
                    self.add_object(catalog, &database, grant.kind, name.as_str(), &privileges);
                }
            }
        }
    }

    fn add_object(&mut self, catalog: &Catalog, database: &str, kind: ObjectKind, name: &str, privileges: &Privileges) {
        let (found, possible) = if kind == ObjectKind::Function {
            let kinds = ["FUNCTION", "PROCEDURE"].map(|kind| Object::Routine(kind.to_owned(), name.to_owned()));
            (catalog.named.routines_called(database, name), kinds.to_vec())
        } else {
            let table = catalog.settings.fold(name);
            let object = Object::Table(table.clone());
            let found = catalog.named.has_table(database, &table).then(|| object.clone());
            (found.into_iter().collect(), vec![object])
        };
        let exists = !found.is_empty();
        if !exists {
            self.absent.push((database.to_owned(), format!("`grants` name the {kind} {name}, which does not exist")));
        }
        for object in if exists { found } else { possible } {
            self.merge(WantedObject { database: database.to_owned(), object, privileges: privileges.clone(), exists });
        }
    }

    /// Two entries of `grants` may name the same object.
    fn merge(&mut self, new: WantedObject) {
        let same = |old: &&mut WantedObject| old.database == new.database && old.object.is(&new.object);
        match self.objects.iter_mut().find(same) {
            Some(old) => old.privileges.extend(new.privileges),
            None => self.objects.push(new),
        }
    }

    /// Whether the database is covered.
    pub(super) fn covers(&self, database: &str) -> bool {
        self.databases.contains_key(database)
    }

    /// What may be held on one object of a covered database: what it should, and what is held on the whole of it.
    pub(super) fn allowed(&self, database: &str, object: &Object) -> Privileges {
        let whole = self.databases.get(database).into_iter().flatten();
        let single = self.on(database, object).into_iter().flat_map(|wanted| &wanted.privileges);
        whole.chain(single).cloned().chain(self.as_creator(database, object)).collect()
    }

    /// The server gives these to whoever creates a routine; to take them back would be in vain.
    fn as_creator(&self, database: &str, object: &Object) -> Privileges {
        let creates = Privilege::named("CREATE ROUTINE")
            .is_some_and(|create| self.databases.get(database).is_some_and(|whole| whole.contains(&create)));
        if creates && matches!(object, Object::Routine(..)) {
            Privilege::of_set("Alter Routine,Execute")
        } else {
            Privileges::new()
        }
    }

    fn on(&self, database: &str, object: &Object) -> Option<&WantedObject> {
        let whole = object.without_column();
        self.objects.iter().find(|wanted| wanted.database == database && wanted.object.is(&whole))
    }

    /// What is left of the rights found on a database, or on an object of it, when those are left out that `grants` give
    /// beside the level: from the rest the level is inferred.
    pub(super) fn of_level(&self, database: &str, object: Option<&Object>, held: &Privileges) -> Privileges {
        let whole = self.databases.get(database).into_iter().flatten();
        let single = object.and_then(|object| self.on(database, object)).into_iter().flat_map(|on| &on.privileges);
        let beside: BTreeSet<&Privilege> = whole.chain(single).filter(|held| !self.level.contains(held)).collect();
        held.iter().filter(|held| !beside.contains(held)).cloned().collect()
    }

    /// Why the specification cannot be fulfilled as written; `None` when it can.
    pub(super) fn refusal(&self, catalog: &Catalog, spec: &RoleSpec) -> Option<String> {
        wrong_choice(catalog, spec).or_else(|| {
            let (database, words) = self.absent.first()?;
            Some(format!("database {database}: {words}; correct `grants`, or create what they name first"))
        })
    }
}

/// Why a database cannot be covered.
fn obstacle(catalog: &Catalog, database: &str) -> Option<&'static str> {
    if is_system(database) {
        Some("is a system database, which no level covers")
    } else if !catalog.databases.contains(database) {
        Some("does not exist")
    } else if catalog.settings.form.stored(database).is_none() {
        Some("cannot be granted alone: its name is longer than 64 characters once _ and % are escaped")
    } else {
        None
    }
}

/// Why the chosen databases cannot be covered as written: one does not exist, or belongs to the server itself.
fn wrong_choice(catalog: &Catalog, spec: &RoleSpec) -> Option<String> {
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
        Some(names) => names.iter().map(|name| catalog.settings.fold(name.as_str())).collect(),
    }
}
