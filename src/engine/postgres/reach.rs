//! For whom the administrator may act, and which roles get what through memberships.
//!
//! The rules changed with PostgreSQL 16. Before, CREATEROLE may grant every role except superusers, and whether a
//! member inherits is the member's attribute. Since, granting needs ADMIN on the role, and each membership stores
//! whether it inherits and whether it allows SET ROLE.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::catalog::{Cluster, DATABASE_OWNER, Database, Membership, Oid};
use super::quote::{Quoted, Sql, ident, words};

/// The version from which memberships carry their own options.
const MEMBERSHIP_OPTIONS: u32 = 160_000;

/// Beginnings of the names of roles that the server or RDS made. Each of them carries a special right.
const SYSTEM_ROLES: [&str; 4] = ["pg_", "rds_", "rdsadmin", "rdsrepladmin"];

/// Those among them that say how somebody logs in, and nothing more.
const LOGIN_ROLES: [&str; 2] = ["rds_iam", "rds_ad"];

/// How the administrator can act for another role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It has the role's rights already
    Direct,
    /// By SET ROLE
    Set,
    /// By granting itself the role for the time of a transaction; `set` when it would not inherit the rights even then
    Borrow {
        /// Whether SET ROLE is needed on top
        set: bool,
    },
    /// Not at all
    Never,
}

/// A role that statements run for, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Actor {
    /// Name of the role
    pub(super) name: String,
    /// How to become it
    pub(super) way: Way,
}

impl Actor {
    /// The administrator itself.
    pub(super) fn me() -> Self {
        Self { name: String::new(), way: Way::Direct }
    }

    /// `pg_database_owner`, for an owner of the database who does not inherit.
    fn database_owner() -> Self {
        Self { name: "pg_database_owner".to_owned(), way: Way::Set }
    }

    /// The same role, entered by SET ROLE, so that it is the grantor for certain.
    pub(super) fn in_person(mut self) -> Self {
        self.way = match self.way {
            Way::Direct if self.name.is_empty() => Way::Direct,
            Way::Direct | Way::Set => Way::Set,
            Way::Borrow { .. } => Way::Borrow { set: true },
            Way::Never => Way::Never,
        };
        self
    }
}

/// The graph of memberships, seen from the administrator.
pub(super) struct Reach<'a> {
    cluster: &'a Cluster,
    by_member: BTreeMap<Oid, Vec<&'a Membership>>,
    by_role: BTreeMap<Oid, Vec<&'a Membership>>,
    mine: BTreeSet<Oid>,
    settable: BTreeSet<Oid>,
}

impl<'a> Reach<'a> {
    /// Works the graph out once.
    pub(super) fn new(cluster: &'a Cluster) -> Self {
        let mut by_member: BTreeMap<Oid, Vec<&Membership>> = BTreeMap::new();
        let mut by_role: BTreeMap<Oid, Vec<&Membership>> = BTreeMap::new();
        for membership in &cluster.memberships {
            by_member.entry(membership.member).or_default().push(membership);
            by_role.entry(membership.role).or_default().push(membership);
        }
        let mut reach = Self { cluster, by_member, by_role, mine: BTreeSet::new(), settable: BTreeSet::new() };
        reach.mine = reach.upwards(cluster.me, |m| reach.inherits(m));
        reach.settable = reach.upwards(cluster.me, |m| m.set.unwrap_or(true));
        reach
    }

    /// How to act for this role. In a database, `pg_database_owner` stands for the owner of the database.
    pub(super) fn actor(&self, role: Oid, database: Option<&Database>) -> Actor {
        let asked = role;
        let role = match database {
            Some(database) if role == DATABASE_OWNER => database.owner,
            _ => role,
        };
        if role == self.cluster.me {
            return if asked == DATABASE_OWNER && self.is_hollow() { Actor::database_owner() } else { Actor::me() };
        }
        Actor { name: self.cluster.role_name(role), way: self.way(role) }
    }

    /// Whether the administrator has no rights through memberships, not even through the one that the owner of a
    /// database has by itself. From 16 on that one always counts.
    fn is_hollow(&self) -> bool {
        let me = self.cluster.roles.get(&self.cluster.me);
        !self.stores_options() && me.is_some_and(|me| !me.inherit && !me.superuser)
    }

    /// How to act for a group that is about to be made by the administrator.
    pub(super) fn future_actor(&self, name: &str) -> Actor {
        let way = if self.is_superuser() { Way::Direct } else { Way::Borrow { set: !self.borrowing_inherits() } };
        Actor { name: name.to_owned(), way }
    }

    fn way(&self, role: Oid) -> Way {
        let Some(target) = self.cluster.roles.get(&role) else { return Way::Never };
        if self.is_superuser() || self.mine.contains(&role) {
            Way::Direct
        } else if self.settable.contains(&role) {
            Way::Set
        } else if target.superuser || target.name.starts_with("pg_") || !self.may_grant(role) || self.is_mine(role) {
            Way::Never
        } else {
            Way::Borrow { set: !self.borrowing_inherits() }
        }
    }

    /// Whether the administrator may grant membership in this role.
    pub(super) fn may_grant(&self, role: Oid) -> bool {
        let Some(target) = self.cluster.roles.get(&role) else { return false };
        if self.is_superuser() {
            return true;
        }
        if target.superuser {
            return false;
        }
        if !self.stores_options() && self.cluster.roles.get(&self.cluster.me).is_some_and(|me| me.create_role) {
            return true;
        }
        self.by_role.get(&role).into_iter().flatten().any(|m| m.admin && self.mine.contains(&m.member))
    }

    /// Whether this membership can be taken away. From 16 on only who recorded it may, or who has that role's rights.
    pub(super) fn may_revoke(&self, membership: &Membership) -> bool {
        let by_grantor = !self.stores_options() || self.is_superuser() || self.mine.contains(&membership.grantor);
        self.may_grant(membership.role) && by_grantor
    }

    /// Whether the administrator is a superuser.
    pub(super) fn is_superuser(&self) -> bool {
        self.cluster.roles.get(&self.cluster.me).is_some_and(|me| me.superuser)
    }

    /// Whether memberships carry their own options (PostgreSQL 16 and later).
    pub(super) fn stores_options(&self) -> bool {
        self.cluster.version >= MEMBERSHIP_OPTIONS
    }

    /// Whether a membership gives its rights without SET ROLE.
    pub(super) fn inherits(&self, membership: &Membership) -> bool {
        let attribute = || self.cluster.roles.get(&membership.member).is_some_and(|member| member.inherit);
        membership.inherit.unwrap_or_else(attribute)
    }

    /// The memberships of this role in others.
    pub(super) fn memberships_of(&self, member: Oid) -> impl Iterator<Item = &'a Membership> {
        self.by_member.get(&member).into_iter().flatten().copied()
    }

    /// The members of this role.
    pub(super) fn members_of(&self, role: Oid) -> impl Iterator<Item = &'a Membership> {
        self.by_role.get(&role).into_iter().flatten().copied()
    }

    /// Every role whose rights this one has, itself included.
    pub(super) fn rights_of(&self, role: Oid) -> BTreeSet<Oid> {
        self.upwards(role, |m| self.inherits(m))
    }

    /// Every role that has the rights of this one, itself included.
    pub(super) fn holders_of(&self, role: Oid) -> BTreeSet<Oid> {
        let mut found = BTreeSet::from([role]);
        let mut next = vec![role];
        while let Some(at) = next.pop() {
            for membership in self.members_of(at).filter(|m| self.inherits(m)) {
                if found.insert(membership.member) {
                    next.push(membership.member);
                }
            }
        }
        found
    }

    /// Whether there is such a role on the way up from this one, through memberships of whatever kind.
    pub(super) fn leads_to(&self, role: Oid, wanted: impl Fn(&Oid) -> bool) -> bool {
        self.nearest(role, wanted).is_some()
    }

    /// Why a group must never be able to act for this role: it, or a role that it can reach through memberships of
    /// whatever kind, administers the server. A right to pass on a membership is as good as the membership.
    pub(super) fn danger_of(&self, role: Oid) -> Option<String> {
        let administers = |oid: &Oid| self.administers(*oid);
        let name = self.cluster.role_name(role);
        if administers(&role) {
            return Some(format!("{name} administers this server; a ddl role that may act for it could do everything"));
        }
        let power = self.nearest(role, administers)?;
        let power = self.cluster.role_name(power);
        Some(format!(
            "{name} is, directly or not, a member of {power}, which administers this server; a ddl role that may act \
             for it could do everything"
        ))
    }

    fn administers(&self, role: Oid) -> bool {
        self.cluster.roles.get(&role).is_some_and(|role| {
            role.oid == self.cluster.me
                || role.superuser
                || role.create_role
                || role.bypass_rls
                || role.replication
                || SYSTEM_ROLES.iter().any(|prefix| role.name.starts_with(prefix))
        })
    }

    /// Whether a role, or one that it can reach through memberships of whatever kind, administers the server. How
    /// somebody logs in is no such power.
    pub(super) fn has_power(&self, role: Oid) -> bool {
        let logs_in = |oid: Oid| LOGIN_ROLES.contains(&self.cluster.role_name(oid).as_str());
        self.leads_to(role, |oid| self.administers(*oid) && !logs_in(*oid))
    }

    /// The members of this role that the administrator is, or whose rights it has or can take on. The row that
    /// PostgreSQL 16 makes for whoever creates a role gives neither.
    pub(super) fn mine_among_members(&self, role: Oid) -> impl Iterator<Item = &'a Membership> {
        let uses = |m: &&Membership| self.inherits(m) || m.set.unwrap_or(true);
        let mine = |m: &&Membership| self.mine.contains(&m.member) || self.settable.contains(&m.member);
        self.members_of(role).filter(uses).filter(mine)
    }

    /// Statements around a borrowed role: take it, and put back what was there before. The row that RDS or PostgreSQL
    /// itself made has another grantor and stays as it is.
    pub(super) fn borrow(&self, name: &str) -> (Sql, Sql) {
        let role = ident(name);
        let me = ident(&self.cluster.role_name(self.cluster.me));
        if !self.stores_options() {
            let pair = [role, me];
            return (Sql::of("GRANT {} TO {}", &pair), Sql::of("REVOKE {} FROM {}", &pair));
        }
        let take = Sql::of("GRANT {} TO {} WITH INHERIT TRUE, SET TRUE", &[role.clone(), me.clone()]);
        let back = match self.own_row(name) {
            Some(row) => Sql::of(
                "GRANT {} TO {} WITH INHERIT {}, SET {}",
                &[role, me, boolean(row.inherit == Some(true)), boolean(row.set == Some(true))],
            ),
            None => Sql::of("REVOKE {} FROM {}", &[role, me]),
        };
        (take, back)
    }

    /// A membership of the administrator that it, or a role whose rights it has, recorded.
    fn own_row(&self, name: &str) -> Option<&'a Membership> {
        let role = self.cluster.role_named(name)?;
        self.memberships_of(self.cluster.me).find(|m| m.role == role.oid && self.mine.contains(&m.grantor))
    }

    /// Whether a role that the administrator grants itself gives its rights at once.
    fn borrowing_inherits(&self) -> bool {
        self.stores_options() || self.cluster.roles.get(&self.cluster.me).is_some_and(|me| me.inherit)
    }

    /// Whether the role is itself a member of the administrator, so that the opposite would be a circle.
    fn is_mine(&self, role: Oid) -> bool {
        self.upwards(role, |_| true).contains(&self.cluster.me)
    }

    /// The first role of that kind on the way up through all memberships, whatever their options.
    fn nearest(&self, start: Oid, wanted: impl Fn(&Oid) -> bool) -> Option<Oid> {
        let (mut seen, mut next) = (BTreeSet::from([start]), VecDeque::from([start]));
        while let Some(at) = next.pop_front() {
            if wanted(&at) {
                return Some(at);
            }
            next.extend(self.memberships_of(at).map(|m| m.role).filter(|role| seen.insert(*role)));
        }
        None
    }

    fn upwards(&self, start: Oid, follow: impl Fn(&Membership) -> bool) -> BTreeSet<Oid> {
        let mut found = BTreeSet::from([start]);
        let mut next = vec![start];
        while let Some(at) = next.pop() {
            for membership in self.memberships_of(at).filter(|m| follow(m)) {
                if found.insert(membership.role) {
                    next.push(membership.role);
                }
            }
        }
        found
    }
}

fn boolean(value: bool) -> Quoted {
    words(if value { "TRUE" } else { "FALSE" })
}
