//! The difference between what a group should hold in one database and what it holds there: exact in both directions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::catalog::{
    Cluster, Contents, Database, Function, GROUP_PREFIX, Grant, Oid, PUBLIC, Privilege, Relation, RelationKind, Schema,
    Stray,
};
use super::change::{Difference, Step, Turn};
use super::group::Group;
use super::level::{self, Privileges};
use super::quote::{Quoted, Sql, ident, list, qualified, quoted_by_server};
use super::reach::{Actor, Reach, Way};
use super::wanted::Wishes;
use crate::access::{Access, ObjectKind};

/// One database as one group, or one login, sees it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) reach: &'a Reach<'a>,
    pub(super) database: &'a Database,
    pub(super) contents: &'a Contents,
    /// Whose rights are compared: a group, or a login seen as one
    pub(super) group: &'a Group,
    /// `None` while it does not exist
    pub(super) group_oid: Option<Oid>,
    /// What it is to hold
    pub(super) hold: Hold<'a>,
    /// The group and the login that are compared together, each by its own place
    pub(super) kin: [Option<Oid>; 2],
}

/// What somebody is to hold.
#[derive(Clone, Copy)]
pub(super) enum Hold<'a> {
    /// A level: what a group is for
    Level,
    /// Single rights: what a login has beside its groups. Rights within the level may be there too
    Single(&'a Wishes<'a>),
    /// Nothing any more
    Nothing,
}

/// What has to be there on an object, and what may be there.
struct Rights {
    wanted: Privileges,
    allowed: Privileges,
}

/// An object with an access list.
struct Object<'a> {
    owner: Oid,
    acl: &'a [Grant],
    /// `None` for what is in no schema
    schema: Option<&'a Schema>,
    /// `None` for what has no columns
    relation: Option<Oid>,
    noun: &'static str,
    label: String,
    /// As it stands after ON, such as `TABLE "a"."b"`
    target: Target,
}

/// Kind and quoted name of an object; objects of one kind can stand in one statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    kind: TargetKind,
    name: Quoted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TargetKind {
    Database,
    Schema,
    Table,
    Sequence,
    Routine,
}

/// Adds what the group lacks, or has beyond its level, on every database, and on the schemas of this one and what is in
/// them.
pub(super) fn compare(place: &Place<'_>, out: &mut Difference) {
    let mut wanted = Wanted::default();
    for database in &place.cluster.databases {
        place.on_database(database, &mut wanted, out);
    }
    compare_inside(place, wanted, out);
}

/// The same for a login, whose rights on other databases are compared with those in them.
pub(super) fn compare_login(place: &Place<'_>, out: &mut Difference) {
    let mut wanted = Wanted::default();
    place.on_database(place.database, &mut wanted, out);
    compare_inside(place, wanted, out);
}

fn compare_inside(place: &Place<'_>, mut wanted: Wanted, out: &mut Difference) {
    for schema in &place.contents.schemas {
        let rights = place.rights(
            || level::on_schema(place.group.level),
            place.covers(schema),
            |wishes| wishes.on_schema(&schema.name),
        );
        place.object(&schema_object(schema), &rights, &mut wanted, out);
    }
    let schemas: BTreeMap<Oid, &Schema> = place.contents.schemas.iter().map(|s| (s.oid, s)).collect();
    let columns = place.column_grants();
    for relation in &place.contents.relations {
        let Some(schema) = schemas.get(&relation.schema) else { continue };
        let rights = place.on_relation(relation, schema);
        let object = relation_object(relation, schema);
        // First the columns: a right on one may have been passed on where the same right on the table was not.
        if let Some(grants) = columns.get(&relation.oid) {
            place.columns(relation, grants, &object, &rights, out);
        }
        place.object(&object, &rights, &mut wanted, out);
    }
    for function in &place.contents.functions {
        let Some(schema) = schemas.get(&function.schema) else { continue };
        place.on_function(function, schema, &mut wanted, out);
    }
    wanted.into_steps(&place.group.name, out);
    for stray in place.contents.strays.iter().filter(|s| Some(s.role) == place.group_oid) {
        place.stray(stray, out);
    }
}

/// GRANT statements in the making: objects that lack the same rights and have the same owner share one.
#[derive(Default)]
struct Wanted(Vec<(Actor, Privileges, TargetKind, Vec<Quoted>)>);

impl Wanted {
    fn add(&mut self, actor: Actor, privileges: Privileges, target: &Target) {
        let same = |(a, p, k, _): &&mut (Actor, Privileges, TargetKind, Vec<Quoted>)| {
            *a == actor && *p == privileges && *k == target.kind
        };
        match self.0.iter_mut().find(same) {
            Some((.., names)) => names.push(target.name.clone()),
            None => self.0.push((actor, privileges, target.kind, vec![target.name.clone()])),
        }
    }

    fn into_steps(self, group: &str, out: &mut Difference) {
        for (actor, privileges, kind, names) in self.0 {
            let sql = Sql::of(grant_template(kind), &[level::sql(&privileges), list(names), ident(group)]);
            out.steps.push(Step { actor, sql });
        }
    }
}

impl Place<'_> {
    /// Whether the level is about this schema. Schemas that an extension made count only when they are named.
    pub(super) fn covers(&self, schema: &Schema) -> bool {
        match &self.group.schemas {
            _ if matches!(self.hold, Hold::Nothing) => false,
            Some(names) => names.contains(&schema.name),
            None => !schema.extension,
        }
    }

    /// What has to be, and what may be, on one object: `level` is what the level has there when it covers the place,
    /// `single` what is asked for by itself.
    fn rights(
        &self,
        level: impl FnOnce() -> Privileges,
        covered: bool,
        single: impl FnOnce(&Wishes<'_>) -> Privileges,
    ) -> Rights {
        let of_level = if covered { level() } else { Privileges::new() };
        match self.hold {
            Hold::Level => Rights { wanted: of_level.clone(), allowed: of_level },
            Hold::Nothing => Rights { wanted: Privileges::new(), allowed: Privileges::new() },
            Hold::Single(wishes) => {
                let wanted = single(wishes);
                Rights { allowed: wanted.union(&of_level).copied().collect(), wanted }
            }
        }
    }

    fn on_database(&self, database: &Database, wanted: &mut Wanted, out: &mut Difference) {
        let here = database.oid == self.database.oid;
        let rights = self.rights(level::on_database, here, |wishes| wishes.on_database());
        self.object(&database_object(database), &rights, wanted, out);
    }

    fn on_relation(&self, relation: &Relation, schema: &Schema) -> Rights {
        self.rights(
            || level::on_relation(self.group.level, relation.kind),
            self.covers(schema) && !relation.extension,
            |wishes| {
                let kind = relation.kind.object_kind();
                wishes.on_object(kind, &schema.name, &relation.name, relation.extension)
            },
        )
    }

    fn on_function(&self, function: &Function, schema: &Schema, wanted: &mut Wanted, out: &mut Difference) {
        let single = |wishes: &Wishes<'_>| wishes.on_object(ObjectKind::Function, &schema.name, &function.name, false);
        let rights = self.rights(Privileges::new, false, single);
        self.object(&function_object(function, schema), &rights, wanted, out);
    }

    fn object(&self, object: &Object<'_>, rights: &Rights, wanted: &mut Wanted, out: &mut Difference) {
        let held: Vec<&Grant> = object.acl.iter().filter(|g| Some(g.grantee) == self.group_oid).collect();
        let stands = |grant: &&&Grant| {
            grant.grantor == object.owner || !self.is_ours(grant.grantor) && !self.is_kin(grant.grantor)
        };
        let held_set: Privileges = held.iter().filter(stands).map(|g| g.privilege).collect();
        let missing: Privileges = rights.wanted.difference(&held_set).copied().collect();
        if !missing.is_empty() {
            self.missing(object, missing, wanted, out);
        }
        if Some(object.owner) == self.group_oid {
            self.owned(object.noun, &object.label, out);
            return;
        }
        let none = Privileges::new();
        for grant in held {
            let allowed = if stands(&&grant) { &rights.allowed } else { &none };
            self.extra(object, grant, allowed, out);
        }
    }

    /// Whether a role is one of those that this change compares, marked or not yet.
    fn is_kin(&self, role: Oid) -> bool {
        self.kin.contains(&Some(role))
    }

    /// Whether a role is a group or a login of ours. None of them passes rights on: what one gave goes with its right
    /// to give, and may not count as held until then.
    fn is_ours(&self, role: Oid) -> bool {
        self.cluster.roles.get(&role).is_some_and(|role| role.mark().is_some())
    }

    fn missing(&self, object: &Object<'_>, missing: Privileges, wanted: &mut Wanted, out: &mut Difference) {
        let actor = self.reach.actor(object.owner, Some(self.database));
        if actor.way != Way::Never {
            out.gaps.lacking_on(format!("missing {}", level::sql(&missing)), object.noun, &*object.label);
            wanted.add(actor, missing, &object.target);
            return;
        }
        let public: Privileges = object.acl.iter().filter(|g| g.grantee == PUBLIC).map(|g| g.privilege).collect();
        let left: Privileges = missing.difference(&public).copied().collect();
        if !left.is_empty() {
            let why = self.out_of_reach(&actor.name);
            out.uncovered.on(format!("missing {} (owner {why})", level::sql(&left)), object.noun, &*object.label);
        }
    }

    fn extra(&self, object: &Object<'_>, grant: &Grant, allowed: &Privileges, out: &mut Difference) {
        let extra = self.extra_word();
        if grant.privilege == Privilege::Unknown {
            out.uncovered.on(format!("{extra} right unknown to this provider"), object.noun, &*object.label);
            return;
        }
        let wanted = allowed.contains(&grant.privilege);
        if wanted && !grant.grantable {
            return;
        }
        let option = if wanted { " GRANT OPTION FOR" } else { "" };
        let what = format!("{extra}{option} {}", level::sql(&Privileges::from([grant.privilege])));
        match self.taking(object, grant, wanted) {
            Ok(steps) => {
                out.gaps.on(what, object.noun, &*object.label);
                out.taken.extend(steps);
            }
            Err(_) if self.goes_with_its_grantor(object, grant) => out.gaps.on(what, object.noun, &*object.label),
            Err(why) => out.uncovered.on(format!("{what} (granted by {why})"), object.noun, &*object.label),
        }
    }

    /// What takes a right, or only the option to pass it on, or why its grantor cannot.
    fn taking(&self, object: &Object<'_>, grant: &Grant, only_option: bool) -> Result<Vec<(Turn, Step)>, String> {
        let actor = self.reach.actor(grant.grantor, Some(self.database));
        if actor.way == Way::Never {
            return Err(self.out_of_reach(&actor.name));
        }
        let revoke = |actor: Actor, only_option: bool, cascade: bool, from: &str| {
            let kind = object.target.kind;
            let template = if only_option { revoke_option_template(kind) } else { revoke_template(kind, cascade) };
            let privilege = level::sql(&Privileges::from([grant.privilege]));
            Step { actor, sql: Sql::of(template, &[privilege, object.target.name.clone(), ident(from)]) }
        };
        if grant.grantor == object.owner {
            let step = revoke(actor, only_option, grant.grantable, &self.group.name);
            return Ok(vec![(turn(object, 0), step)]);
        }
        if let Some(why) = self.hindered(object, grant) {
            return Err(format!("{}, who {why}", actor.name));
        }
        let distance = self.distance(object, grant);
        let taken = revoke(actor.in_person(), only_option, grant.grantable, &self.group.name);
        let mut steps = vec![(turn(object, distance.unwrap_or(1)), taken)];
        if distance.is_none() {
            let owner = self.reach.actor(object.owner, Some(self.database));
            let grantor = self.cluster.role_name(grant.grantor);
            if owner.way == Way::Never {
                return Err(format!("{grantor}, who may not give it any more"));
            }
            let keeps =
                |g: &Grant| (g.grantee, g.grantor, g.privilege) == (grant.grantor, object.owner, grant.privilege);
            let keeps = object.acl.iter().any(keeps);
            let privilege = level::sql(&Privileges::from([grant.privilege]));
            let parts = [privilege, object.target.name.clone(), ident(&grantor)];
            let sql = Sql::of(grant_option_template(object.target.kind), &parts);
            steps.push((Turn::Restored, Step { actor: owner.clone(), sql }));
            steps.push((turn(object, 0), revoke(owner, keeps, true, &grantor)));
        }
        Ok(steps)
    }

    /// Over how many others the grantor has the right to give from the owner; `None` when he has lost it. What was
    /// passed on can outlive that: two who gave each other the same keep it when the owner takes it from both, and a
    /// login that gave it to its own group still has it through the group.
    fn distance(&self, object: &Object<'_>, grant: &Grant) -> Option<usize> {
        let (mut seen, mut next) = (BTreeSet::from([object.owner]), VecDeque::from([(object.owner, 0)]));
        while let Some((at, distance)) = next.pop_front() {
            if at == grant.grantor {
                return Some(distance);
            }
            let given = object.acl.iter().filter(|g| g.grantor == at && g.grantable && g.privilege == grant.privilege);
            next.extend(given.filter(|g| seen.insert(g.grantee)).map(|g| (g.grantee, distance + 1)));
        }
        let same = |g: &Grant| g.grantee == grant.grantor && g.grantable && g.privilege == grant.privilege;
        let columns = self.contents.columns.iter().filter(|c| Some(c.relation) == object.relation);
        columns.map(|c| &c.grant).any(same).then_some(1)
    }

    /// Whether the same change takes from the grantor, with everything that follows from it, the right to pass this on:
    /// neither a group nor a login of ours keeps one.
    fn goes_with_its_grantor(&self, object: &Object<'_>, grant: &Grant) -> bool {
        let source = |g: &&Grant| g.grantee == grant.grantor && g.privilege == grant.privilege && g.grantable;
        let mut sources = object.acl.iter().filter(source).peekable();
        let reached = |g: &Grant| self.reach.actor(g.grantor, Some(self.database)).way != Way::Never;
        let kin = grant.grantor != object.owner && self.is_kin(grant.grantor);
        kin && sources.peek().is_some() && sources.all(reached)
    }

    /// Why a grantor other than the owner could not take back what it gave, even in person.
    fn hindered(&self, object: &Object<'_>, grant: &Grant) -> Option<String> {
        if grant.grantor == object.owner {
            return None;
        }
        let rights = self.reach.rights_of(grant.grantor);
        if rights.contains(&object.owner) {
            // The server takes such a REVOKE as one of the owner.
            return Some("is a member of the owner since then".to_owned());
        }
        let schema = object.schema?;
        let superuser = self.cluster.roles.get(&grant.grantor).is_some_and(|role| role.superuser);
        let usage = schema.acl.iter().filter(|g| g.privilege == Privilege::Usage).map(|g| g.grantee);
        let mut holders = usage.chain([schema.owner]);
        let sees = superuser || holders.any(|holder| holder == PUBLIC || rights.contains(&holder));
        (!sees).then(|| format!("lacks USAGE on schema {}", schema.name))
    }

    /// What the group holds on single columns, by relation: there may be very many of both.
    fn column_grants(&self) -> BTreeMap<Oid, Vec<&Grant>> {
        let mut found: BTreeMap<Oid, Vec<&Grant>> = BTreeMap::new();
        for column in self.contents.columns.iter().filter(|c| Some(c.grant.grantee) == self.group_oid) {
            found.entry(column.relation).or_default().push(&column.grant);
        }
        found
    }

    /// Rights on single columns: only those beyond the level matter, and the right to pass one on. A REVOKE on the table takes away those that the same
    /// role granted.
    fn columns(
        &self,
        relation: &Relation,
        grants: &[&Grant],
        object: &Object<'_>,
        rights: &Rights,
        out: &mut Difference,
    ) {
        if Some(relation.owner) == self.group_oid {
            return;
        }
        let of_table: BTreeSet<(Privilege, Oid)> =
            object.acl.iter().filter(|g| Some(g.grantee) == self.group_oid).map(|g| (g.privilege, g.grantor)).collect();
        let mut seen = BTreeSet::new();
        // What may be passed on is taken with everything that follows from it, so it stands for the others.
        let (passable, others): (Vec<&Grant>, Vec<&Grant>) = grants.iter().partition(|grant| grant.grantable);
        for grant in passable.into_iter().chain(others) {
            let one = (grant.privilege, grant.grantor);
            let known = rights.allowed.contains(&grant.privilege) || of_table.contains(&one);
            if (grant.grantable || !known) && seen.insert(one) {
                self.extra(object, grant, &rights.allowed, out);
            }
        }
    }

    /// Readers and writers own nothing; an owner may do everything with what is his.
    fn owned(&self, noun: &str, label: &str, out: &mut Difference) {
        if self.group.level != Access::Ddl {
            out.uncovered.on(format!("{} has the rights of the owner", self.group.name), noun, label);
        }
    }

    /// How a right beyond the level begins in words: a login's own rights are told from those of its group.
    pub(super) fn extra_word(&self) -> &'static str {
        if self.group.name.starts_with(GROUP_PREFIX) { "extra" } else { "login holds extra" }
    }

    fn stray(&self, stray: &Stray, out: &mut Difference) {
        let identity = stray.identity.as_str();
        match stray.dependency.as_str() {
            "o" => self.owned(&stray.object_type, identity, out),
            "a" => {
                let actor = self.reach.actor(stray.owner, Some(self.database));
                let template = revoke_all_template(&stray.object_type);
                if let (Some(template), true) = (template, actor.way != Way::Never) {
                    out.gaps.on(format!("{} rights", self.extra_word()), &stray.object_type, identity);
                    let sql = Sql::of(template, &[quoted_by_server(identity), ident(&self.group.name)]);
                    out.taken.push((Turn::Given, Step { actor, sql }));
                } else {
                    out.uncovered.on(format!("{} rights", self.extra_word()), &stray.object_type, identity);
                }
            }
            _ => {}
        }
    }

    /// Why something cannot be changed: `x is out of reach of admin`.
    pub(super) fn out_of_reach(&self, name: &str) -> String {
        format!("{name} is out of reach of {}", self.cluster.role_name(self.cluster.me))
    }
}

/// When a right is taken back whose grantor is so far from the owner.
fn turn(object: &Object<'_>, distance: usize) -> Turn {
    match object.target.kind {
        TargetKind::Database | TargetKind::Schema if distance > 0 => Turn::EntrancePassedOn(Reverse(distance)),
        TargetKind::Database | TargetKind::Schema => Turn::Entrance,
        TargetKind::Table | TargetKind::Sequence | TargetKind::Routine if distance > 0 => {
            Turn::PassedOn(Reverse(distance))
        }
        TargetKind::Table | TargetKind::Sequence | TargetKind::Routine => Turn::Given,
    }
}

fn database_object(database: &Database) -> Object<'_> {
    Object {
        schema: None,
        relation: None,
        owner: database.owner,
        acl: &database.acl,
        noun: "database",
        label: database.name.clone(),
        target: Target { kind: TargetKind::Database, name: ident(&database.name) },
    }
}

fn schema_object(schema: &Schema) -> Object<'_> {
    Object {
        schema: None,
        relation: None,
        owner: schema.owner,
        acl: &schema.acl,
        noun: "schema",
        label: schema.name.clone(),
        target: Target { kind: TargetKind::Schema, name: ident(&schema.name) },
    }
}

fn relation_object<'a>(relation: &'a Relation, schema: &'a Schema) -> Object<'a> {
    let kind = if relation.kind == RelationKind::Sequence { TargetKind::Sequence } else { TargetKind::Table };
    Object {
        schema: Some(schema),
        relation: Some(relation.oid),
        owner: relation.owner,
        acl: &relation.acl,
        noun: relation.kind.noun(),
        label: format!("{}.{}", schema.name, relation.name),
        target: Target { kind, name: qualified(&schema.name, &relation.name) },
    }
}

fn function_object<'a>(function: &'a Function, schema: &'a Schema) -> Object<'a> {
    let noun = match function.kind.as_str() {
        "p" => "procedure",
        "a" => "aggregate",
        _ => "function",
    };
    Object {
        schema: Some(schema),
        relation: None,
        owner: function.owner,
        acl: &function.acl,
        noun,
        label: function.signature.clone(),
        target: Target { kind: TargetKind::Routine, name: quoted_by_server(&function.signature) },
    }
}

fn grant_template(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Database => "GRANT {} ON DATABASE {} TO {}",
        TargetKind::Schema => "GRANT {} ON SCHEMA {} TO {}",
        TargetKind::Table => "GRANT {} ON TABLE {} TO {}",
        TargetKind::Sequence => "GRANT {} ON SEQUENCE {} TO {}",
        TargetKind::Routine => "GRANT {} ON ROUTINE {} TO {}",
    }
}

fn grant_option_template(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Database => "GRANT {} ON DATABASE {} TO {} WITH GRANT OPTION",
        TargetKind::Schema => "GRANT {} ON SCHEMA {} TO {} WITH GRANT OPTION",
        TargetKind::Table => "GRANT {} ON TABLE {} TO {} WITH GRANT OPTION",
        TargetKind::Sequence => "GRANT {} ON SEQUENCE {} TO {} WITH GRANT OPTION",
        TargetKind::Routine => "GRANT {} ON ROUTINE {} TO {} WITH GRANT OPTION",
    }
}

/// CASCADE where the right may have been passed on: what the group gave away goes with it.
fn revoke_template(kind: TargetKind, cascade: bool) -> &'static str {
    match (kind, cascade) {
        (TargetKind::Database, false) => "REVOKE {} ON DATABASE {} FROM {}",
        (TargetKind::Schema, false) => "REVOKE {} ON SCHEMA {} FROM {}",
        (TargetKind::Table, false) => "REVOKE {} ON TABLE {} FROM {}",
        (TargetKind::Sequence, false) => "REVOKE {} ON SEQUENCE {} FROM {}",
        (TargetKind::Routine, false) => "REVOKE {} ON ROUTINE {} FROM {}",
        (TargetKind::Database, true) => "REVOKE {} ON DATABASE {} FROM {} CASCADE",
        (TargetKind::Schema, true) => "REVOKE {} ON SCHEMA {} FROM {} CASCADE",
        (TargetKind::Table, true) => "REVOKE {} ON TABLE {} FROM {} CASCADE",
        (TargetKind::Sequence, true) => "REVOKE {} ON SEQUENCE {} FROM {} CASCADE",
        (TargetKind::Routine, true) => "REVOKE {} ON ROUTINE {} FROM {} CASCADE",
    }
}

fn revoke_option_template(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Database => "REVOKE GRANT OPTION FOR {} ON DATABASE {} FROM {} CASCADE",
        TargetKind::Schema => "REVOKE GRANT OPTION FOR {} ON SCHEMA {} FROM {} CASCADE",
        TargetKind::Table => "REVOKE GRANT OPTION FOR {} ON TABLE {} FROM {} CASCADE",
        TargetKind::Sequence => "REVOKE GRANT OPTION FOR {} ON SEQUENCE {} FROM {} CASCADE",
        TargetKind::Routine => "REVOKE GRANT OPTION FOR {} ON ROUTINE {} FROM {} CASCADE",
    }
}

/// For kinds that no level and no grant is about but that somebody can be granted by hand.
fn revoke_all_template(object_type: &str) -> Option<&'static str> {
    match object_type {
        "function" | "aggregate" => Some("REVOKE ALL ON FUNCTION {} FROM {} CASCADE"),
        "procedure" => Some("REVOKE ALL ON PROCEDURE {} FROM {} CASCADE"),
        "type" => Some("REVOKE ALL ON TYPE {} FROM {} CASCADE"),
        "table" | "view" => Some("REVOKE ALL ON TABLE {} FROM {} CASCADE"),
        "schema" => Some("REVOKE ALL ON SCHEMA {} FROM {} CASCADE"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    #[test]
    fn many_column_grants_on_many_relations_are_compared_in_one_pass() {
        let many = 1..=60_000;
        let role = |oid: Oid, name: &str| {
            json!({"oid": oid, "name": name, "superuser": oid == 10, "inherit": true, "create_role": false,
                   "create_db": false, "login": false, "replication": false, "bypass_rls": false, "valid_until": null, "expired": false,
                   "connection_limit": -1, "comment": null})
        };
        let database = json!({"oid": 5, "name": "app", "owner": 10, "open": true, "template": false, "acl": null});
        let cluster = json!({"version": 150_000, "me": 10, "roles": [role(10, "boss"), role(11, "rdsaccess_ro_x")],
                             "memberships": null, "databases": [database], "settings": null, "footprints": null});
        let relations = many.clone().map(|oid| {
            json!({"oid": oid, "schema": 2200, "name": format!("t{oid}"), "kind": "r", "owner": 10,
                   "extension": false, "acl": null})
        });
        // Most of them are those of somebody else.
        let columns = many
            .map(|oid| json!({"relation": oid, "grant": [if oid % 10 == 0 { 11 } else { 10 }, 10, "UPDATE", false]}));
        let schema = json!({"oid": 2200, "name": "public", "owner": 10, "extension": false, "acl": null});
        let contents = json!({"schemas": [schema], "relations": relations.collect::<Vec<_>>(),
                              "columns": columns.collect::<Vec<_>>(), "functions": null, "defaults": null, "strays": null});
        let (cluster, contents) =
            (Cluster::parse(&cluster.to_string()).unwrap(), Contents::parse(&contents.to_string()).unwrap());
        let (reach, group) = (Reach::new(&cluster), Group::retiring(&cluster.roles[&11]));
        let place = Place {
            cluster: &cluster,
            reach: &reach,
            database: &cluster.databases[0],
            contents: &contents,
            group: &group,
            group_oid: Some(11),
            hold: Hold::Nothing,
            kin: [None; 2],
        };
        let (mut out, began) = (Difference::default(), Instant::now());
        compare(&place, &mut out);
        assert_eq!(out.into_steps().len(), 6_000);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}
