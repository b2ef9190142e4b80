//! What the login itself holds: the single rights of `grants`, whatever is within its level, and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Cluster, Contents, Database, Oid, PUBLIC, Privilege, Role, Schema};
use super::change::{Difference, Gaps};
use super::check::privilege;
use super::defaults;
use super::grants::{self, Hold, Place};
use super::group::Group;
use super::level::Privileges;
use super::reach::Reach;
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

    fn with_objects(&self) -> impl Iterator<Item = &'a str> + '_ {
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

/// The login in a database that it covers.
pub(super) fn compare(level: &Place<'_>, spec: &RoleSpec, out: &mut Difference) {
    let wishes = Wishes::of(spec, &level.database.name, level.cluster.version);
    let login = Group::login(spec);
    let oid = level.cluster.role_named(&login.name).map(|role| role.oid);
    let place = Place { group: &login, group_oid: oid, hold: Hold::Single(&wishes), ..*level };
    grants::compare_login(&place, out);
    defaults::compare(&place, out);
    for absent in wishes.absent(place.contents) {
        out.uncovered.plain(format!("there is no {absent}, which grants names"));
    }
    if let Some(text) = unknown_to_server(spec, level.cluster.version) {
        out.uncovered.plain(text);
    }
    out_of_sight(&place, &wishes, &mut out.uncovered);
}

/// Schemas where the login has rights on objects and cannot get at them.
fn out_of_sight(place: &Place<'_>, wishes: &Wishes<'_>, out: &mut Gaps) {
    let rights = place.group_oid.map(|oid| place.reach.rights_of(oid)).unwrap_or_default();
    let asked: BTreeSet<&str> = wishes.with_objects().collect();
    for schema in place.contents.schemas.iter().filter(|s| asked.contains(s.name.as_str())) {
        let usage = schema.acl.iter().filter(|g| g.privilege == Privilege::Usage);
        let held = usage.clone().any(|g| g.grantee == PUBLIC || rights.contains(&g.grantee));
        let wanted = place.covers(schema) || wishes.on_schema(&schema.name).contains(&Privilege::Usage);
        if !held && !wanted {
            out.plain(format!(
                "what grants gives in schema {0} cannot be reached without USAGE on schema {0}, which no grant gives",
                schema.name
            ));
        }
    }
}

/// The login in a database that it does not cover: it holds nothing there. `contents` are `None` where nothing but
/// rights on the database itself can be.
pub(super) fn compare_elsewhere(
    cluster: &Cluster,
    reach: &Reach<'_>,
    role: &Role,
    database: &Database,
    contents: Option<&Contents>,
) -> Difference {
    let (nothing, login) = (Contents::default(), Group::retiring(role));
    let place = Place {
        cluster,
        reach,
        database,
        contents: contents.unwrap_or(&nothing),
        group: &login,
        group_oid: Some(role.oid),
        hold: Hold::Nothing,
    };
    let mut out = Difference::default();
    grants::compare_login(&place, &mut out);
    defaults::compare(&place, &mut out);
    out
}

/// Databases that the login does not cover and where something lists it in its rights, the databases themselves apart.
pub(super) fn databases_left<'a>(cluster: &'a Cluster, login: &str, covered: &[Database]) -> Vec<&'a Database> {
    let Some(role) = cluster.role_named(login) else { return Vec::new() };
    let footprints = cluster.footprints.iter().filter(|f| f.role == role.oid && f.granted);
    let found = footprints.filter_map(|f| cluster.databases.iter().find(|d| d.oid == f.database));
    let mut left: Vec<&Database> = found.filter(|d| covered.iter().all(|c| c.oid != d.oid)).collect();
    left.sort_by(|a, b| a.name.cmp(&b.name));
    left
}
