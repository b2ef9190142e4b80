//! Roles that somebody granted to the account. They give rights beside the level, so they are taken back where the
//! administrator may, and named where it may not. Pure.

use super::catalog::{AccountName, Catalog, Membership};
use super::level::Privilege;
use super::quote::{Statement, account as account_sql, identifier};
use crate::access::list_names;

/// The roles of an account that the administrator may take back.
pub(super) fn revocable<'a>(catalog: &'a Catalog, name: &'a AccountName) -> impl Iterator<Item = &'a Membership> {
    of_account(catalog, name).filter(|membership| Reach::of(catalog).may_revoke(membership))
}

/// The roles of an account that the administrator may not take back, in words that say who can.
pub(super) fn lasting<'a>(catalog: &'a Catalog, name: &'a AccountName) -> impl Iterator<Item = String> + 'a {
    let lasting = of_account(catalog, name).filter(|membership| !Reach::of(catalog).may_revoke(membership));
    lasting.map(move |membership| {
        let (role, sql) = (&membership.role, revoke_sql(membership));
        let (who, administrator) = (who_can(catalog, membership), &catalog.administrator.user);
        format!("is a member of {role}, which {administrator} may not take back; {who} can: {sql}")
    })
}

/// Whether the administrator may give and take what concerns this account or role: not that of a system user of MySQL,
/// unless it is one.
pub(super) fn may_touch(catalog: &Catalog, name: &AccountName) -> bool {
    Reach::of(catalog).may_touch(name)
}

/// Takes a role back.
pub(super) fn revoke(membership: &Membership) -> Statement {
    Statement::new(format!("revoking the role {}", membership.role), revoke_sql(membership))
}

fn of_account<'a>(catalog: &'a Catalog, name: &'a AccountName) -> impl Iterator<Item = &'a Membership> {
    catalog.memberships.iter().filter(move |membership| membership.member.is(name))
}

fn revoke_sql(membership: &Membership) -> String {
    let role = match &membership.role_host {
        Some(_) => account_sql(&membership.role_name()),
        None => identifier(&membership.role),
    };
    format!("REVOKE {role} FROM {}", account_sql(&membership.member))
}

/// Who may take a role back instead of the administrator.
fn who_can(catalog: &Catalog, membership: &Membership) -> String {
    let admins = catalog.memberships.iter().filter(|other| other.with_admin && other.is_of_role(membership));
    let admins = admins.map(|other| &other.member).filter(|member| !member.is(&membership.member));
    let names: Vec<String> = admins
        .map(|name| if name.host.is_empty() { name.user.clone() } else { format!("{}@{}", name.user, name.host) })
        .collect();
    if holds(catalog, &membership.role_name(), &["SYSTEM_USER"]) {
        "whoever has ROLE_ADMIN and SYSTEM_USER".to_owned()
    } else if !names.is_empty() {
        list_names(&names)
    } else if catalog.dialect.mariadb {
        "whoever has the role WITH ADMIN OPTION".to_owned()
    } else {
        "whoever has ROLE_ADMIN".to_owned()
    }
}

/// The administrator and the roles whose rights it has in its sessions: on MySQL the active ones with the roles inside
/// them. MariaDB looks through all of its roles when one is passed on or taken back.
struct Reach<'a> {
    catalog: &'a Catalog,
    names: Vec<AccountName>,
}

impl<'a> Reach<'a> {
    fn of(catalog: &'a Catalog) -> Self {
        let mut names = vec![catalog.administrator.clone()];
        if !catalog.dialect.mariadb {
            let active = |name: &&AccountName| catalog.active_roles.contains(&account_sql(name));
            names.extend(catalog.accounts.iter().map(|account| &account.name).filter(active).cloned());
        }
        // What MySQL's administrator is a member of without its being active gives it nothing.
        let mut next = usize::from(!catalog.dialect.mariadb);
        while let Some(member) = names.get(next).cloned() {
            for role in of_account(catalog, &member).map(Membership::role_name) {
                if !names.iter().any(|known| known.is(&role)) {
                    names.push(role);
                }
            }
            next += 1;
        }
        Self { catalog, names }
    }

    fn may_revoke(&self, membership: &Membership) -> bool {
        let catalog = self.catalog;
        let of_role = catalog.memberships.iter().filter(|other| other.with_admin && other.is_of_role(membership));
        let passes_it_on = of_role.into_iter().any(|other| self.names.iter().any(|name| name.is(&other.member)));
        if catalog.dialect.mariadb {
            return passes_it_on;
        }
        (passes_it_on || self.holds(&["ROLE_ADMIN", "SUPER"])) && self.may_touch(&membership.role_name())
    }

    /// MySQL keeps what concerns a system user to system users.
    fn may_touch(&self, name: &AccountName) -> bool {
        !holds(self.catalog, name, &["SYSTEM_USER"]) || self.holds(&["SYSTEM_USER"])
    }

    fn holds(&self, privileges: &[&str]) -> bool {
        self.names.iter().any(|name| holds(self.catalog, name, privileges))
    }
}

/// Whether an account or role itself holds one of these on everything.
fn holds(catalog: &Catalog, name: &AccountName, privileges: &[&str]) -> bool {
    let printed = name.printed();
    let meant: Vec<_> = privileges.iter().filter_map(|privilege| Privilege::named(privilege)).collect();
    catalog.global.iter().any(|(grantee, privilege)| *grantee == printed && meant.contains(privilege))
}
