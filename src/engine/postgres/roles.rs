//! The login and its groups: attributes, memberships, the stored `SET role`, and our note on both.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Cluster, Contents, Membership, Oid, Role};
use super::change::{Difference, Gaps, Step};
use super::grants::Place;
use super::level;
use super::quote::{Quoted, Sql, ident, literal, words};
use super::reach::Reach;
use super::terms;
use crate::access::{Access, Identifier, Secret};
use crate::engine::{Ownership, RoleSpec};

/// Whose the role of this name is.
pub(super) fn ownership(cluster: &Cluster, spec: &RoleSpec) -> Ownership {
    let Some(role) = cluster.role_named(spec.name.as_str()) else { return Ownership::Absent };
    let name = &role.name;
    let me = cluster.roles.get(&cluster.me);
    if role.oid == cluster.me {
        return Ownership::Foreign(format!("`{name}` is the user that this provider itself logs in with"));
    }
    if role.superuser && !me.is_some_and(|me| me.superuser) {
        return Ownership::Foreign(format!("`{name}` is a superuser, which this provider may not change"));
    }
    match role.mark() {
        None if spec.adopt && spec.known => Ownership::Ours,
        None if spec.adopt => hindrance(cluster, role).map_or(Ownership::Ours, Ownership::Foreign),
        Some(mark) if spec.adopt || mark.is_same_owner(&spec.mark) => Ownership::Ours,
        Some(mark) if mark.target == spec.mark.target => {
            Ownership::Foreign(format!("the role `{name}` is {}", mark.bearer()))
        }
        Some(mark) => Ownership::Foreign(format!(
            "the role `{name}` was made by this provider for another database ({}), so it came here with a snapshot or \
             a copy; import it to manage it here",
            mark.target
        )),
        None => Ownership::Foreign(format!("the role `{name}` exists and carries no mark of this provider")),
    }
}

/// Why a role that nobody of ours made is not taken over: more than a login for a database depends on it. Taking it over
/// would end that, and a later destroy would drop it.
fn hindrance(cluster: &Cluster, role: &Role) -> Option<String> {
    let reach = Reach::new(cluster);
    let name = ident(&role.name);
    let strong = [
        (role.superuser, "NOSUPERUSER"),
        (role.create_role, "NOCREATEROLE"),
        (role.replication, "NOREPLICATION"),
        (role.bypass_rls, "NOBYPASSRLS"),
    ];
    let strong = strong.into_iter().filter(|(has, _)| *has);
    let mut first: Vec<Sql> =
        strong.map(|(_, repair)| Sql::of("ALTER ROLE {} {}", &[name.clone(), words(repair)])).collect();
    let held = reach.memberships_of(role.oid).filter(|m| reach.has_power(m.role));
    let mine = reach.mine_among_members(role.oid);
    first.extend(held.chain(mine).map(|membership| revoke_membership(cluster, &reach, membership, false)));
    let first: Vec<&str> = first.iter().map(Sql::as_str).collect();
    (!first.is_empty()).then(|| {
        format!(
            "the role `{}` carries no mark of this provider and is more than a login for a database; to hand it over \
             all the same, first run: {}",
            role.name,
            first.join("; ")
        )
    })
}

/// The login by itself: what opens a change, and what closes it once the new rights are there.
#[derive(Debug, Default)]
pub(super) struct LoginChange {
    pub(super) gaps: Gaps,
    pub(super) uncovered: Gaps,
    pub(super) opening: Vec<Step>,
    pub(super) closing: Vec<Step>,
}

/// Compares the login with its specification. `groups` are all groups that it should be a member of, by database oid.
pub(super) fn compare_login(
    cluster: &Cluster,
    reach: &Reach<'_>,
    spec: &RoleSpec,
    groups: &BTreeMap<Oid, String>,
) -> LoginChange {
    let mut change = LoginChange::default();
    let name = ident(spec.name.as_str());
    let role = cluster.role_named(spec.name.as_str());
    match role {
        None => change.opening.push(Step::mine(Sql::of("CREATE ROLE {} LOGIN INHERIT", std::slice::from_ref(&name)))),
        Some(role) => {
            attributes(cluster, role, &mut change);
            extra_memberships(cluster, reach, spec, role, groups, &mut change);
            extra_settings(cluster, spec, role, groups, &mut change);
        }
    }
    terms::compare(cluster, reach, spec, role, &mut change);
    if role.and_then(Role::mark).as_ref() != Some(&spec.mark) {
        let sql = Sql::of("COMMENT ON ROLE {} IS {}", &[name, literal(&spec.mark.to_json())]);
        change.opening.push(Step::mine(sql));
    }
    change
}

/// Stores a verifier as the password of the login.
pub(super) fn set_password(spec: &RoleSpec, verifier: &Secret<String>) -> Step {
    let fragments = [ident(spec.name.as_str()), literal(verifier.expose())];
    Step::mine(Sql::of("ALTER ROLE {} PASSWORD {}", &fragments))
}

fn attributes(cluster: &Cluster, role: &Role, change: &mut LoginChange) {
    let mut repairs: Vec<Quoted> = Vec::new();
    let lacks = [
        (!role.login, "login is disabled", "LOGIN"),
        (!role.inherit, "login does not inherit the rights of its groups", "INHERIT"),
    ];
    for (_, text, repair) in lacks.into_iter().filter(|(lacks, ..)| *lacks) {
        change.gaps.lacking(text);
        repairs.push(words(repair));
    }
    let (removable, fixed) = extra_attributes(cluster, role);
    for (text, repair) in removable {
        change.gaps.plain(format!("has {text}"));
        repairs.push(words(repair));
    }
    for text in fixed {
        change.uncovered.plain(format!("the login has {text}, which only a user with {text} may take away"));
    }
    for repair in repairs {
        change.opening.push(Step::mine(Sql::of("ALTER ROLE {} {}", &[ident(&role.name), repair])));
    }
}

type Attribute = (&'static str, &'static str);

/// Attributes beyond those of a plain role: those that the administrator may take away, and the others. Since
/// PostgreSQL 16 that needs the attribute itself; before, the three strongest ones needed a superuser.
fn extra_attributes(cluster: &Cluster, role: &Role) -> (Vec<Attribute>, Vec<&'static str>) {
    let me = cluster.roles.get(&cluster.me);
    let superuser = me.is_some_and(|me| me.superuser);
    let by_own = |own: bool| superuser || (cluster.version >= 160_000 && own);
    let all = [
        (role.superuser, "SUPERUSER", "NOSUPERUSER", superuser),
        (role.replication, "REPLICATION", "NOREPLICATION", by_own(me.is_some_and(|me| me.replication))),
        (role.bypass_rls, "BYPASSRLS", "NOBYPASSRLS", by_own(me.is_some_and(|me| me.bypass_rls))),
        (
            role.create_db,
            "CREATEDB",
            "NOCREATEDB",
            cluster.version < 160_000 || by_own(me.is_some_and(|me| me.create_db)),
        ),
        (role.create_role, "CREATEROLE", "NOCREATEROLE", true),
    ];
    let held = || all.iter().filter(|(has, ..)| *has);
    let removable = held().filter(|(.., may)| *may).map(|(_, text, repair, _)| (*text, *repair)).collect();
    (removable, held().filter(|(.., may)| !*may).map(|(_, text, ..)| *text).collect())
}

fn extra_memberships(
    cluster: &Cluster,
    reach: &Reach<'_>,
    spec: &RoleSpec,
    role: &Role,
    groups: &BTreeMap<Oid, String>,
    change: &mut LoginChange,
) {
    let wanted: BTreeSet<&str> = groups.values().map(String::as_str).collect();
    for membership in reach.memberships_of(role.oid) {
        let group = cluster.role_name(membership.role);
        let belongs = wanted.contains(group.as_str()) || terms::is_wanted(cluster, spec, membership);
        if belongs && !membership.admin {
            continue;
        }
        let shadow = terms::shadow(cluster, reach, spec, membership);
        let what = if belongs { format!("may pass on {group}") } else { format!("is a member of {group}{shadow}") };
        let may = reach.may_revoke(membership);
        // RDS lets its administrators grant and revoke this one without ADMIN on it; whether here, an attempt shows.
        if !may && !belongs && terms::is_iam(cluster, membership.role) {
            let pair = [ident(&group), ident(&role.name)];
            change.gaps.plain(what);
            change.closing.push(Step::mine(Sql::of("REVOKE {} FROM {}", &pair)));
            continue;
        }
        if !may {
            change.uncovered.plain(format!("the login {what}, granted by {}", cluster.role_name(membership.grantor)));
            continue;
        }
        change.gaps.plain(what);
        change.closing.push(Step::mine(revoke_membership(cluster, reach, membership, belongs)));
    }
}

/// Takes a membership away, or only the right to pass it on. What was passed on goes with it.
pub(super) fn revoke_membership(
    cluster: &Cluster,
    reach: &Reach<'_>,
    membership: &Membership,
    only_admin: bool,
) -> Sql {
    let (role, member) = (ident(&cluster.role_name(membership.role)), ident(&cluster.role_name(membership.member)));
    let grantor = ident(&cluster.role_name(membership.grantor));
    match (reach.stores_options(), only_admin) {
        (true, true) => Sql::of("REVOKE ADMIN OPTION FOR {} FROM {} GRANTED BY {} CASCADE", &[role, member, grantor]),
        (true, false) => Sql::of("REVOKE {} FROM {} GRANTED BY {} CASCADE", &[role, member, grantor]),
        (false, true) => Sql::of("REVOKE ADMIN OPTION FOR {} FROM {}", &[role, member]),
        (false, false) => Sql::of("REVOKE {} FROM {}", &[role, member]),
    }
}

fn extra_settings(
    cluster: &Cluster,
    spec: &RoleSpec,
    role: &Role,
    groups: &BTreeMap<Oid, String>,
    change: &mut LoginChange,
) {
    for setting in cluster.settings.iter().filter(|s| s.login == role.oid) {
        let wanted = groups.get(&setting.database).filter(|_| spec.access == Access::Ddl);
        if wanted.is_some() {
            continue;
        }
        let database = cluster.databases.iter().find(|d| d.oid == setting.database);
        let sql = match database {
            Some(database) => {
                Sql::of("ALTER ROLE {} IN DATABASE {} RESET role", &[ident(&role.name), ident(&database.name)])
            }
            None if setting.database == 0 => Sql::of("ALTER ROLE {} RESET role", &[ident(&role.name)]),
            None => continue,
        };
        let place = database.map_or_else(|| "all databases".to_owned(), |d| format!("database {}", d.name));
        change.gaps.plain(format!("runs as {} in {place}", setting.role));
        change.closing.push(Step::mine(sql));
    }
}

/// The group itself: that it exists, has no attributes and is a member only of the named owners.
pub(super) fn compare_group(place: &Place<'_>, out: &mut Difference) {
    let group = place.group;
    let name = ident(&group.name);
    let role = place.group_oid.and_then(|oid| place.cluster.roles.get(&oid));
    match role {
        None => {
            out.gaps.lacking(format!("group {} is missing", group.name));
            out.steps.push(Step::mine(Sql::of("CREATE ROLE {} NOLOGIN INHERIT", std::slice::from_ref(&name))));
        }
        Some(role) => {
            group_attributes(place, role, out);
            group_memberships(place, role, out);
        }
    }
    if role.and_then(Role::mark).as_ref() != Some(&group.mark) {
        let sql = Sql::of("COMMENT ON ROLE {} IS {}", &[name.clone(), literal(&group.mark.to_json())]);
        out.steps.push(Step::mine(sql));
    }
    for owner in &group.owners {
        missing_owner(place, owner, out);
    }
}

fn group_attributes(place: &Place<'_>, role: &Role, out: &mut Difference) {
    let (mut removable, fixed) = extra_attributes(place.cluster, role);
    if role.login {
        removable.push(("LOGIN", "NOLOGIN"));
    }
    for (text, repair) in removable {
        out.gaps.plain(format!("group {} has {text}", role.name));
        out.steps.push(Step::mine(Sql::of("ALTER ROLE {} {}", &[ident(&role.name), words(repair)])));
    }
    for text in fixed {
        out.uncovered.plain(format!("group {} has {text}", role.name));
    }
    if !role.inherit && place.group.level == Access::Ddl && !place.group.owners.is_empty() {
        out.gaps.lacking(format!("group {} does not inherit", role.name));
        out.steps.push(Step::mine(Sql::of("ALTER ROLE {} INHERIT", &[ident(&role.name)])));
    }
}

fn group_memberships(place: &Place<'_>, role: &Role, out: &mut Difference) {
    for membership in place.reach.memberships_of(role.oid) {
        let other = place.cluster.role_name(membership.role);
        let wanted = place.group.owners.contains(&other);
        if wanted && !membership.admin {
            continue;
        }
        let verb = if wanted { "may pass on" } else { "is a member of" };
        let what = format!("group {} {verb} {other}", role.name);
        if place.reach.may_revoke(membership) {
            out.gaps.plain(what);
            out.steps.push(Step::mine(revoke_membership(place.cluster, place.reach, membership, wanted)));
        } else {
            out.uncovered.plain(what);
        }
    }
    let elsewhere = place.cluster.footprints.iter().filter(|f| f.role == role.oid && f.database != 0);
    for footprint in elsewhere.filter(|f| f.database != place.database.oid) {
        let database = place.cluster.databases.iter().find(|d| d.oid == footprint.database);
        let label = database.map_or_else(|| footprint.database.to_string(), |d| d.name.clone());
        out.uncovered.plain(format!("group {} also has rights in database {label}", role.name));
    }
}

fn missing_owner(place: &Place<'_>, owner: &str, out: &mut Difference) {
    let Some(target) = place.cluster.role_named(owner) else {
        out.uncovered.plain(format!("the owner {owner} does not exist"));
        return;
    };
    if let Some(danger) = place.reach.danger_of(target.oid) {
        out.uncovered.plain(danger);
        return;
    }
    let held = place
        .group_oid
        .is_some_and(|oid| place.reach.memberships_of(oid).any(|m| m.role == target.oid && place.reach.inherits(m)));
    if held {
        return;
    }
    if !place.reach.may_grant(target.oid) {
        out.uncovered.plain(format!("may not change objects of {}", place.out_of_reach(owner)));
        return;
    }
    out.gaps.lacking(format!("group {} is not a member of {owner}", place.group.name));
    let pair = [ident(owner), ident(&place.group.name)];
    let sql = if place.reach.stores_options() {
        Sql::of("GRANT {} TO {} WITH INHERIT TRUE", &pair)
    } else {
        Sql::of("GRANT {} TO {}", &pair)
    };
    out.steps.push(Step::mine(sql));
}

/// Ties the login to the group of one database.
pub(super) fn compare_membership(place: &Place<'_>, spec: &RoleSpec, out: &mut Difference) {
    let login = place.cluster.role_named(spec.name.as_str());
    let needs_set = spec.access == Access::Ddl;
    let (group, name) = (ident(&place.group.name), ident(spec.name.as_str()));
    let held = login.zip(place.group_oid).is_some_and(|(login, group)| {
        // A NOINHERIT attribute is a gap of the login, mended there.
        let serves = |m: &Membership| m.inherit.unwrap_or(true) && (!needs_set || m.set.unwrap_or(true));
        place.reach.memberships_of(login.oid).any(|m| m.role == group && serves(m))
    });
    if !held {
        out.gaps.lacking(format!("is not a member of {}", place.group.name));
        let pair = [group.clone(), name.clone()];
        let sql = match (place.reach.stores_options(), needs_set) {
            (false, _) => Sql::of("GRANT {} TO {}", &pair),
            (true, true) => Sql::of("GRANT {} TO {} WITH INHERIT TRUE, SET TRUE", &pair),
            (true, false) => Sql::of("GRANT {} TO {} WITH INHERIT TRUE, SET FALSE", &pair),
        };
        out.steps.push(Step::mine(sql));
    }
    let runs_as_group = place.cluster.settings.iter().any(|s| {
        Some(s.login) == login.map(|l| l.oid) && s.database == place.database.oid && s.role == place.group.name
    });
    if needs_set && !runs_as_group {
        out.gaps.lacking(format!("does not run as {}", place.group.name));
        let fragments = [name, ident(&place.database.name), literal(&place.group.name)];
        out.steps.push(Step::mine(Sql::of("ALTER ROLE {} IN DATABASE {} SET role = {}", &fragments)));
    }
}

/// The smallest level that contains what the role holds, PUBLIC apart.
pub(super) fn infer_level<'a>(reach: &Reach<'_>, role: &Role, contents: impl Iterator<Item = &'a Contents>) -> Access {
    let rights = reach.rights_of(role.oid);
    let mut found = Access::ReadOnly;
    for contents in contents {
        for schema in &contents.schemas {
            for grant in schema.acl.iter().filter(|g| rights.contains(&g.grantee)) {
                found = found.max(level::smallest_with(grant.privilege, level::on_schema).unwrap_or(found));
            }
        }
        for relation in &contents.relations {
            if rights.contains(&relation.owner) {
                return Access::Ddl;
            }
            for grant in relation.acl.iter().filter(|g| rights.contains(&g.grantee)) {
                let holds = |level| level::on_relation(level, relation.kind);
                found = found.max(level::smallest_with(grant.privilege, holds).unwrap_or(found));
            }
        }
    }
    found
}
