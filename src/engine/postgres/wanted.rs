//! What the single rights of `grants` come to in one database.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Contents, Oid, Privilege, Schema};
use super::check::privilege;
use super::level::Privileges;
use crate::access::{Grant, Identifier, ObjectKind};
use crate::engine::RoleSpec;

/// The version that brought the right to maintain a table.
const MAINTAIN_SINCE: u32 = 170_000;

/// The grants of one database, by what they are on.
#[derive(Debug, Default)]
pub(super) struct Wishes<'a> {
    on_database: Privileges,
    on_schemas: BTreeMap<&'a str, Privileges>,
    on_all: BTreeMap<(ObjectKind, &'a str), Privileges>,
    on_named: BTreeMap<(ObjectKind, &'a str, &'a str), Privileges>,
}

impl<'a> Wishes<'a> {
    /// What a specification asks for in one database of a server of this version.
    pub(super) fn of(spec: &'a RoleSpec, database: &str, version: u32) -> Self {
        let mut wishes = Self::default();
        for grant in spec.grants.iter().filter(|grant| grant.database.as_str() == database) {
            let known = grant.privileges.iter().filter_map(|name| privilege(grant.kind, name).ok());
            let privileges: Privileges = known.filter(|p| is_known(*p, version)).collect();
            wishes.add(grant, &privileges);
        }
        wishes
    }

    fn add(&mut self, grant: &'a Grant, privileges: &Privileges) {
        let schema = grant.schema.as_ref().map(Identifier::as_str).unwrap_or_default();
        match (grant.kind, &grant.objects) {
            (ObjectKind::Database, _) => self.on_database.extend(privileges),
            (ObjectKind::Schema, _) => self.on_schemas.entry(schema).or_default().extend(privileges),
            (kind, None) => self.on_all.entry((kind, schema)).or_default().extend(privileges),
            (kind, Some(names)) => {
                for name in names {
                    self.on_named.entry((kind, schema, name.as_str())).or_default().extend(privileges);
                }
            }
        }
    }

    /// On the database.
    pub(super) fn on_database(&self) -> Privileges {
        self.on_database.clone()
    }

    /// On a schema.
    pub(super) fn on_schema(&self, schema: &str) -> Privileges {
        self.on_schemas.get(schema).cloned().unwrap_or_default()
    }

    /// On an object in a schema. What an extension made is meant only by its name.
    pub(super) fn on_object(&self, kind: ObjectKind, schema: &str, name: &str, extension: bool) -> Privileges {
        let all = self.on_all.get(&(kind, schema)).filter(|_| !extension);
        let named = self.on_named.get(&(kind, schema, name));
        all.into_iter().chain(named).flatten().copied().collect()
    }

    /// Every schema that something is asked for in.
    fn schemas(&self) -> BTreeSet<&'a str> {
        let named = self.on_named.keys().map(|(_, schema, _)| *schema);
        self.with_objects().chain(self.on_schemas.keys().copied()).chain(named).collect()
    }

    /// Every schema that something is asked for on objects in.
    pub(super) fn with_objects(&self) -> impl Iterator<Item = &'a str> + '_ {
        let named = self.on_named.keys().map(|(_, schema, _)| *schema);
        self.on_all.keys().map(|(_, schema)| *schema).chain(named)
    }

    /// What is asked for and is not there, in words such as `table sales.orders`.
    pub(super) fn absent(&self, contents: &Contents) -> Vec<String> {
        let schemas: BTreeMap<&str, &Schema> = contents.schemas.iter().map(|s| (s.name.as_str(), s)).collect();
        let missing = self.schemas().into_iter().filter(|name| !schemas.contains_key(name));
        let mut absent: Vec<String> = missing.map(|name| format!("schema {name}")).collect();
        let relations = contents.relations.iter().map(|r| (r.kind.object_kind(), r.schema, r.name.as_str()));
        let functions = contents.functions.iter().map(|f| (ObjectKind::Function, f.schema, f.name.as_str()));
        let present: BTreeSet<(ObjectKind, Oid, &str)> = relations.chain(functions).collect();
        for (kind, schema, name) in self.on_named.keys() {
            if schemas.get(schema).is_some_and(|schema| !present.contains(&(*kind, schema.oid, *name))) {
                absent.push(format!("{kind} {schema}.{name}"));
            }
        }
        absent
    }
}

/// A privilege of `grants` that this server does not have yet, in words.
pub(super) fn unknown_to_server(spec: &RoleSpec, version: u32) -> Option<String> {
    let mut grants = spec.grants.iter().filter(|grant| {
        let known = grant.privileges.iter().filter_map(|name| privilege(grant.kind, name).ok());
        known.into_iter().any(|p| !is_known(p, version))
    });
    grants.next().map(|grant| {
        let running = version / 10_000;
        format!(
            "the privilege MAINTAIN, which grants asks for in database {}, came with PostgreSQL 17, and this server \
                 runs {running}",
            grant.database
        )
    })
}

fn is_known(privilege: Privilege, version: u32) -> bool {
    privilege != Privilege::Maintain || version >= MAINTAIN_SINCE
}
