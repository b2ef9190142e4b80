//! Rights that everybody has through PUBLIC. They are never revoked here, because others may live on them; what exceeds
//! the level is listed with the statement that would take it away.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Oid, PUBLIC, Privilege, Relation, RelationKind, Schema};
use super::change::Gaps;
use super::grants::Place;
use super::level::{self, Privileges};
use super::quote::{Quoted, Sql, ident, list, qualified};
use crate::access::list_names;

/// Above this number of objects the statement names the schema instead.
const MOST_OBJECTS: usize = 10;

/// Lists what PUBLIC holds beyond the level.
pub(super) fn list_excess(place: &Place<'_>, out: &mut Gaps) {
    for schema in &place.contents.schemas {
        let allowed = if place.covers(schema) { level::on_schema(place.group.level) } else { Privileges::new() };
        let public = schema.acl.iter().filter(|g| g.grantee == PUBLIC);
        let mut excess = public.filter(|g| g.privilege == Privilege::Create && !allowed.contains(&g.privilege));
        if excess.next().is_some() {
            let remedy = Sql::of("REVOKE CREATE ON SCHEMA {} FROM PUBLIC", &[ident(&schema.name)]);
            out.plain(format!("PUBLIC holds CREATE on schema {} ({})", schema.name, remedy.as_str()));
        }
    }
    for ((schema, is_sequence, privileges), relations) in relations_in_excess(place) {
        out.plain(sentence(schema, is_sequence, &privileges, &relations));
    }
}

type Excess<'a> = BTreeMap<(&'a str, bool, Privileges), Vec<&'a str>>;

fn relations_in_excess<'a>(place: &Place<'a>) -> Excess<'a> {
    let schemas: BTreeMap<Oid, &Schema> = place.contents.schemas.iter().map(|s| (s.oid, s)).collect();
    let mut columns: BTreeMap<Oid, BTreeSet<Privilege>> = BTreeMap::new();
    for column in place.contents.columns.iter().filter(|c| c.grant.grantee == PUBLIC) {
        columns.entry(column.relation).or_default().insert(column.grant.privilege);
    }
    let mut found = Excess::new();
    for relation in &place.contents.relations {
        let Some(schema) = schemas.get(&relation.schema) else { continue };
        if !place.covers(schema) && (relation.extension || !is_open(schema)) {
            continue;
        }
        let held = relation.acl.iter().filter(|g| g.grantee == PUBLIC).map(|g| g.privilege);
        let mut excess: Privileges = held.chain(columns.get(&relation.oid).into_iter().flatten().copied()).collect();
        let allowed = allowed(place, relation, schema);
        excess.retain(|privilege| !allowed.contains(privilege) && *privilege != Privilege::Unknown);
        if !excess.is_empty() {
            let is_sequence = relation.kind == RelationKind::Sequence;
            found.entry((&schema.name, is_sequence, excess)).or_default().push(&relation.name);
        }
    }
    found
}

fn allowed(place: &Place<'_>, relation: &Relation, schema: &Schema) -> Privileges {
    if place.covers(schema) { level::on_relation(place.group.level, relation.kind) } else { Privileges::new() }
}

/// Whether everybody can reach into the schema.
fn is_open(schema: &Schema) -> bool {
    schema.acl.iter().any(|g| g.grantee == PUBLIC && g.privilege == Privilege::Usage)
}

fn sentence(schema: &str, is_sequence: bool, privileges: &Privileges, relations: &[&str]) -> String {
    let mut labels: Vec<String> = relations.iter().map(|name| format!("{schema}.{name}")).collect();
    labels.sort();
    let noun = match (is_sequence, relations.len()) {
        (true, 1) => "sequence".to_owned(),
        (true, n) => format!("{n} sequences:"),
        (false, 1) => "table".to_owned(),
        (false, n) => format!("{n} tables:"),
    };
    let privileges = level::sql(privileges);
    let remedy = remedy(schema, is_sequence, &privileges, relations);
    format!("PUBLIC holds {privileges} on {noun} {} ({})", list_names(&labels), remedy.as_str())
}

fn remedy(schema: &str, is_sequence: bool, privileges: &Quoted, relations: &[&str]) -> Sql {
    let names = || list(relations.iter().map(|name| qualified(schema, name)));
    match (is_sequence, relations.len() > MOST_OBJECTS) {
        (false, false) => Sql::of("REVOKE {} ON TABLE {} FROM PUBLIC", &[privileges.clone(), names()]),
        (true, false) => Sql::of("REVOKE {} ON SEQUENCE {} FROM PUBLIC", &[privileges.clone(), names()]),
        (false, true) => {
            Sql::of("REVOKE {} ON ALL TABLES IN SCHEMA {} FROM PUBLIC", &[privileges.clone(), ident(schema)])
        }
        (true, true) => {
            Sql::of("REVOKE {} ON ALL SEQUENCES IN SCHEMA {} FROM PUBLIC", &[privileges.clone(), ident(schema)])
        }
    }
}
