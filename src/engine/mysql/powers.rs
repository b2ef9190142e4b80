//! What makes an account more than a role of this provider: rights on everything, and other accounts that it may act as.
//! Pure.

use super::catalog::{AccountName, Catalog, Membership, Proxy};
use super::change::{Change, On};
use super::level::{Privileges, contains_level, list};
use super::memberships;
use super::quote::{Statement, account as account_sql};

/// Why an account without our mark is not taken over, in words that say what to do first. Taking it over would take these
/// rights from it, and a later destroy would drop it: an administrator, a replication user, somebody's own login.
///
/// Where there is no place for a mark, the rights of a level on a whole database say that the account is ours, so that
/// a right on everything is drift like any other.
pub(super) fn obstacle(catalog: &Catalog, name: &AccountName) -> Option<String> {
    let mut grants = catalog.grants.iter().filter(|grant| grant.account.is(name));
    if !catalog.dialect.has_attributes() && grants.any(|grant| contains_level(&grant.privileges)) {
        return None;
    }
    let held = on_everything(catalog, name);
    if !held.is_empty() {
        let words = format!("holds {} on all databases", list(&held));
        let revoke = Change { on: On::Everything, privileges: held }.revoke(name);
        return Some(format!("{words}; to make it a role all the same, take that back first: {}", revoke.sql()));
    }
    let strong = |membership: &&Membership| is_strong(catalog, &membership.role_name());
    let membership = of_member(catalog, name).find(strong)?;
    Some(format!(
        "is a member of {}, which holds rights on all databases; to make it a role all the same, revoke that first",
        membership.role
    ))
}

/// The rights that an account or role itself holds on everything.
pub(super) fn on_everything(catalog: &Catalog, name: &AccountName) -> Privileges {
    let printed = name.printed();
    let held = catalog.global.iter().filter(|(grantee, _)| *grantee == printed);
    held.map(|(_, privilege)| privilege.clone()).collect()
}

/// Whether a role, or one inside it, holds rights on everything.
fn is_strong(catalog: &Catalog, role: &AccountName) -> bool {
    let mut names = vec![role.clone()];
    let mut next = 0;
    while let Some(name) = names.get(next).cloned() {
        let wide = |account: &super::catalog::Account| account.is_wide_role && account.name.is(&name);
        if !on_everything(catalog, &name).is_empty() || catalog.accounts.iter().any(wide) {
            return true;
        }
        for inner in of_member(catalog, &name).map(Membership::role_name) {
            if !names.iter().any(|known| known.is(&inner)) {
                names.push(inner);
            }
        }
        next += 1;
    }
    false
}

fn of_member<'a>(catalog: &'a Catalog, name: &AccountName) -> impl Iterator<Item = &'a Membership> {
    catalog.memberships.iter().filter(move |membership| membership.member.is(name))
}

/// The accounts that this one may act as, where the administrator may take that back.
pub(super) fn revocable_proxies<'a>(catalog: &'a Catalog, name: &'a AccountName) -> impl Iterator<Item = &'a Proxy> {
    proxies(catalog, name).filter(|proxy| may_revoke(catalog, proxy))
}

/// The accounts that this one may act as against the administrator's reach, in words that say what takes it back.
pub(super) fn lasting_proxies<'a>(catalog: &'a Catalog, name: &'a AccountName) -> impl Iterator<Item = String> + 'a {
    proxies(catalog, name).filter(|proxy| !may_revoke(catalog, proxy)).map(|proxy| {
        let administrator = &catalog.administrator.user;
        let sql = revoke_sql(proxy);
        format!("{}, which {administrator} may not take back; whoever has PROXY on it can: {sql}", proxy_words(proxy))
    })
}

/// What the account may do, in words.
pub(super) fn proxy_words(proxy: &Proxy) -> String {
    let whom = &proxy.on;
    let whom = if whom.user.is_empty() { "any account".to_owned() } else { account_sql(whom) };
    format!("may act as {whom} (PROXY)")
}

/// Takes it back.
pub(super) fn revoke_proxy(proxy: &Proxy) -> Statement {
    Statement::new(format!("revoking PROXY from {}", proxy.account.user), revoke_sql(proxy))
}

fn revoke_sql(proxy: &Proxy) -> String {
    format!("REVOKE PROXY ON {} FROM {}", account_sql(&proxy.on), account_sql(&proxy.account))
}

fn proxies<'a>(catalog: &'a Catalog, name: &'a AccountName) -> impl Iterator<Item = &'a Proxy> {
    catalog.proxies.iter().filter(|proxy| proxy.account.is(name))
}

/// Everybody may give and take PROXY on the own account; on another that it may touch, who holds it with the grant option.
fn may_revoke(catalog: &Catalog, proxy: &Proxy) -> bool {
    let administrator = &catalog.administrator;
    let passes_on = |held: &Proxy| {
        held.with_grant && held.account.is(administrator) && (held.on.user.is_empty() || held.on.user == proxy.on.user)
    };
    proxy.on.is(administrator) || catalog.proxies.iter().any(passes_on) && memberships::may_touch(catalog, &proxy.on)
}
