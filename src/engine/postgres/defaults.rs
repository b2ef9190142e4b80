//! Later objects: default privileges for every role that can create in a covered schema today.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{DATABASE_OWNER, DefaultPrivileges, Grant, ObjectType, Oid, PUBLIC, Privilege, Role, Schema};
use super::change::{Difference, Step};
use super::grants::{Hold, Place};
use super::group::{is_named_for, level_of};
use super::level::{self, Privileges};
use super::quote::{Sql, ident, words};
use super::reach::{Actor, Way};
use crate::access::Access;

/// The kinds of objects whose default privileges a level has.
const KINDS: [ObjectType; 2] = [ObjectType::Tables, ObjectType::Sequences];

/// Adds what is missing for, or too much on, later objects.
pub(super) fn compare(place: &Place<'_>, out: &mut Difference) {
    let defaults = Defaults::of(place);
    if matches!(place.hold, Hold::Level) {
        defaults.missing(out);
    }
    defaults.extra(out);
}

struct Defaults<'a> {
    place: &'a Place<'a>,
    by_creator: BTreeMap<(Oid, Oid, ObjectType), &'a DefaultPrivileges>,
}

impl<'a> Defaults<'a> {
    fn of(place: &'a Place<'a>) -> Self {
        let by_creator = place.contents.defaults.iter().map(|d| ((d.creator, d.schema, d.objects), d)).collect();
        Self { place, by_creator }
    }

    fn missing(&self, out: &mut Difference) {
        for schema in self.place.contents.schemas.iter().filter(|s| self.place.covers(s)) {
            for creator in creators(self.place, schema) {
                self.missing_of_creator(schema, creator, out);
            }
            if self.place.group.level == Access::Ddl {
                self.missing_for_others(schema, out);
            }
        }
    }

    fn held(&self, creator: Option<Oid>, schema: Oid, kind: ObjectType, grantee: Option<Oid>) -> Privileges {
        let Some(creator) = creator else { return Privileges::new() };
        [schema, 0]
            .into_iter()
            .filter_map(|namespace| self.by_creator.get(&(creator, namespace, kind)))
            .flat_map(|defaults| &defaults.acl)
            .filter(|grant| Some(grant.grantee) == grantee)
            .map(|grant| grant.privilege)
            .collect()
    }

    fn missing_of_creator(&self, schema: &Schema, creator: Oid, out: &mut Difference) {
        let place = self.place;
        let actor = place.reach.actor(creator, None);
        let name = place.cluster.role_name(creator);
        for kind in KINDS {
            let held = self.held(Some(creator), schema.oid, kind, place.group_oid);
            let desired = level::on_later(place.group.level, kind);
            let missing: Privileges = desired.difference(&held).copied().collect();
            if missing.is_empty() {
                continue;
            }
            let what = format!("missing {} for later {} of {name}", level::sql(&missing), noun(kind));
            if actor.way == Way::Never {
                let me = place.cluster.role_name(place.cluster.me);
                out.uncovered.on(format!("{what}, who is out of reach of {me},"), "schema", &*schema.name);
            } else {
                out.gaps.lacking_on(what, "schema", &*schema.name);
                out.steps.push(grant(&actor, &name, schema, kind, &missing, &place.group.name));
            }
        }
    }

    /// What a `ddl` group creates, the other groups of ours in the same schema get their rights on. Without this a
    /// reader that was made first would lack them.
    fn missing_for_others(&self, schema: &Schema, out: &mut Difference) {
        let place = self.place;
        let actor = match place.group_oid {
            Some(oid) => place.reach.actor(oid, None),
            None => place.reach.future_actor(&place.group.name),
        };
        if actor.way == Way::Never {
            return;
        }
        for (oid, name, level) in self.other_groups(schema) {
            for kind in KINDS {
                let held = self.held(place.group_oid, schema.oid, kind, Some(oid));
                let missing: Privileges = level::on_later(level, kind).difference(&held).copied().collect();
                if !missing.is_empty() {
                    let what = format!("missing {} of {name} for later {}", level::sql(&missing), noun(kind));
                    out.gaps.lacking_on(what, "schema", &*schema.name);
                    out.steps.push(grant(&actor, &place.group.name, schema, kind, &missing, name));
                }
            }
        }
    }

    /// The other groups of ours that cover a schema: they hold USAGE on it, unless everybody does and the schema is out
    /// of reach.
    fn other_groups(&self, schema: &Schema) -> Vec<(Oid, &'a str, Access)> {
        let place = self.place;
        let holds = |grantee: Oid| schema.acl.iter().any(|g| g.privilege == Privilege::Usage && g.grantee == grantee);
        let covers = |role: &Role, level: Access| {
            holds(role.oid) || holds(PUBLIC) && is_named_for(&role.name, level, &place.database.name, &schema.name)
        };
        let others = place.cluster.roles.values().filter(|role| Some(role.oid) != place.group_oid);
        let groups = others.filter_map(|role| Some((role, level_of(role)?)));
        let covering = groups.filter(|(role, level)| covers(role, *level));
        covering.map(|(role, level)| (role.oid, role.name.as_str(), level)).collect()
    }

    fn extra(&self, out: &mut Difference) {
        let place = self.place;
        let schemas: BTreeMap<Oid, &Schema> = place.contents.schemas.iter().map(|s| (s.oid, s)).collect();
        for defaults in &place.contents.defaults {
            let schema = schemas.get(&defaults.schema).copied();
            let covered = match schema {
                Some(schema) => place.covers(schema),
                None => defaults.schema == 0 && place.group.schemas.is_none() && !matches!(place.hold, Hold::Nothing),
            };
            let desired =
                if covered { level::on_later(place.group.level, defaults.objects) } else { Privileges::new() };
            let ours = |g: &&Grant| Some(g.grantee) == place.group_oid && Some(defaults.creator) != place.group_oid;
            let extra: Privileges = defaults
                .acl
                .iter()
                .filter(ours)
                .filter(|g| g.grantable || !desired.contains(&g.privilege))
                .map(|g| g.privilege)
                .filter(|p| *p != Privilege::Unknown)
                .collect();
            if !extra.is_empty() {
                self.extra_of_creator(defaults, schema, &extra, &desired, out);
            }
        }
    }

    fn extra_of_creator(
        &self,
        defaults: &DefaultPrivileges,
        schema: Option<&Schema>,
        extra: &Privileges,
        desired: &Privileges,
        out: &mut Difference,
    ) {
        let place = self.place;
        let actor = place.reach.actor(defaults.creator, None);
        let name = place.cluster.role_name(defaults.creator);
        let word = place.extra_word();
        let what = format!("{word} {} for later {} of {name}", level::sql(extra), noun(defaults.objects));
        let label = schema.map_or_else(|| "(all)".to_owned(), |s| s.name.clone());
        let Some(kind) = keyword(defaults.objects).filter(|_| actor.way != Way::Never) else {
            out.uncovered.on(what, "schema", label);
            return;
        };
        out.gaps.on(what, "schema", label);
        let (creator, group) = (ident(&name), ident(&place.group.name));
        let privileges = level::sql(extra);
        let sql = match schema {
            Some(schema) => Sql::of(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} REVOKE {} ON {} FROM {} CASCADE",
                &[creator, ident(&schema.name), privileges, words(kind), group],
            ),
            None => Sql::of(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {} REVOKE {} ON {} FROM {} CASCADE",
                &[creator, privileges, words(kind), group],
            ),
        };
        out.steps.push(Step { actor: actor.clone(), sql });
        // A right of the level that was held with the option to pass it on comes back without it.
        let again: Privileges = extra.intersection(desired).copied().collect();
        if let (Some(schema), false) = (schema, again.is_empty()) {
            out.steps.push(grant(&actor, &name, schema, defaults.objects, &again, &place.group.name));
        }
    }
}

/// Roles that can create in this schema: its owner, who was granted CREATE, the owners of what is there, and everybody
/// who has the rights of one of these through memberships.
///
/// Left out are superusers that own nothing there, logins of ours (they create as their group), and roles that may
/// create only because PUBLIC may, groups of ours apart: that list would be every role of the server, and each entry
/// would keep its role from being dropped. The right of PUBLIC itself is reported instead.
fn creators(place: &Place<'_>, schema: &Schema) -> BTreeSet<Oid> {
    let owners: BTreeSet<Oid> =
        place.contents.relations.iter().filter(|r| r.schema == schema.oid && !r.extension).map(|r| r.owner).collect();
    let granted = schema.acl.iter().filter(|g| g.privilege == Privilege::Create && g.grantee != PUBLIC);
    let mut able: BTreeSet<Oid> = BTreeSet::new();
    for oid in granted.map(|g| g.grantee).chain([schema.owner]) {
        let oid = if oid == DATABASE_OWNER { place.database.owner } else { oid };
        able.extend(place.reach.holders_of(oid));
    }
    if schema.acl.iter().any(|g| g.privilege == Privilege::Create && g.grantee == PUBLIC) {
        able.extend(ddl_groups(place));
    }
    able.retain(|oid| {
        place.cluster.roles.get(oid).is_some_and(|role| {
            let login_of_ours = role.mark().is_some() && level_of(role).is_none();
            !role.superuser && !login_of_ours && !role.name.starts_with("pg_")
        })
    });
    able.extend(owners);
    able.into_iter().filter(|oid| Some(*oid) != place.group_oid).collect()
}

/// The groups of ours that create in this database.
fn ddl_groups(place: &Place<'_>) -> BTreeSet<Oid> {
    let connect = place.database.acl.iter().map(|g| g.grantee);
    let traces = place.cluster.footprints.iter().filter(|f| f.database == place.database.oid).map(|f| f.role);
    let present: BTreeSet<Oid> = connect.chain(traces).collect();
    let roles = present.into_iter().filter_map(|oid| place.cluster.roles.get(&oid));
    roles.filter(|role| level_of(role) == Some(Access::Ddl)).map(|role| role.oid).collect()
}

fn grant(actor: &Actor, creator: &str, schema: &Schema, kind: ObjectType, privileges: &Privileges, to: &str) -> Step {
    let kind = keyword(kind).unwrap_or("TABLES");
    let sql = Sql::of(
        "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} GRANT {} ON {} TO {}",
        &[ident(creator), ident(&schema.name), level::sql(privileges), words(kind), ident(to)],
    );
    Step { actor: actor.clone(), sql }
}

fn keyword(kind: ObjectType) -> Option<&'static str> {
    match kind {
        ObjectType::Tables => Some("TABLES"),
        ObjectType::Sequences => Some("SEQUENCES"),
        ObjectType::Functions => Some("FUNCTIONS"),
        ObjectType::Types => Some("TYPES"),
        ObjectType::Schemas => Some("SCHEMAS"),
        ObjectType::Other => None,
    }
}

fn noun(kind: ObjectType) -> &'static str {
    match kind {
        ObjectType::Tables => "tables",
        ObjectType::Sequences => "sequences",
        ObjectType::Functions => "functions",
        ObjectType::Types => "types",
        ObjectType::Schemas => "schemas",
        ObjectType::Other => "objects",
    }
}
