//! The account itself: whose it is, what it lacks, and the statements that make and settle it. Pure.

use super::catalog::{Account, AccountName, Catalog};
use super::connect::Dialect;
use super::grants::Comparison;
use super::memberships;
use super::powers;
use super::quote::{Statement, account as account_sql, literal};
use super::terms::{self, Way};
use crate::access::{Auth, Gap, Identifier, Mark, Missing};
use crate::engine::{Ownership, RoleSpec};

/// The member of the account's attributes that holds our mark; other members stay.
const MARK: &str = "rdsaccess";

/// The account that a specification means.
pub(super) fn account_name(spec: &RoleSpec) -> AccountName {
    AccountName { user: spec.name.as_str().to_owned(), host: spec.host.as_str().to_owned() }
}

/// Whose the account is.
pub(super) fn ownership(catalog: &Catalog, spec: &RoleSpec) -> Ownership {
    let name = account_name(spec);
    let Some(account) = catalog.account(&name) else { return Ownership::Absent };
    let printed = format!("'{}'@'{}'", name.user, name.host);
    match mark(account) {
        // The master user's secret lies where that of a role of this name would, so adoption proves nothing here.
        _ if name.user == catalog.administrator.user => Ownership::Foreign(format!(
            "the account {printed} belongs to the administrator that the provider logs in as; it cannot be a role"
        )),
        Some(mark) if spec.adopt || mark.is_same_owner(&spec.mark) => Ownership::Ours,
        None if spec.adopt => match powers::obstacle(catalog, &name) {
            Some(words) => Ownership::Foreign(format!("the account {printed} is more than a role: it {words}")),
            None => Ownership::Ours,
        },
        Some(mark) if mark.target == spec.mark.target => {
            Ownership::Foreign(format!("the account {printed} is {}", mark.bearer()))
        }
        Some(mark) => Ownership::Foreign(format!("the account {printed} is marked as made for {}", mark.target)),
        None if catalog.dialect.has_attributes() => {
            Ownership::Foreign(format!("the account {printed} exists and does not carry the mark of this provider"))
        }
        None if is_left_by_create(catalog, spec, account) => Ownership::Ours,
        None => Ownership::Foreign(format!(
            "the account {printed} exists, this engine has no place for a mark, and no stored secret says that it is ours"
        )),
    }
}

/// Whether an account without a place for a mark is what a create with tokens leaves, which has no secret to tell whose
/// it is: exactly what is wanted, or still locked and with no right beyond that.
fn is_left_by_create(catalog: &Catalog, spec: &RoleSpec, account: &Account) -> bool {
    if spec.terms.auth != Auth::Iam || !terms::is_iam(account) {
        return false;
    }
    let found = compare(catalog, spec, true);
    let mut gaps = found.login.iter().chain(found.coverage.databases.values().flatten());
    if account.locked { gaps.all(|gap| gap.gap == Gap::Lacks) } else { gaps.next().is_none() }
}

fn mark(account: &Account) -> Option<Mark> {
    Mark::parse(&account.attributes.as_ref()?.get(MARK)?.to_string())
}

/// Compares account and grants with the specification.
pub(super) fn compare(catalog: &Catalog, spec: &RoleSpec, demand_tls: bool) -> Comparison {
    let name = account_name(spec);
    let mut comparison = Comparison::of(catalog, &name, spec);
    match catalog.account(&name) {
        Some(account) => {
            comparison.login.extend(terms::gaps(account, &spec.terms, demand_tls));
            let roles = memberships::revocable(catalog, &name);
            comparison.login.extend(roles.map(|role| Missing::plain(format!("is a member of {}", role.role))));
            let proxies = powers::revocable_proxies(catalog, &name);
            comparison.login.extend(proxies.map(|proxy| Missing::plain(powers::proxy_words(proxy))));
            lasting(catalog, &name).for_each(|words| comparison.leave_everywhere(&words));
        }
        None => {
            for gaps in comparison.coverage.databases.values_mut() {
                *gaps = vec![Missing::lacking("role is missing")];
            }
        }
    }
    note_namesakes(&mut comparison, catalog, &name);
    comparison
}

/// Rights beside the level that the administrator may take back: granted roles, and other accounts to act as.
pub(super) fn leave<'a>(catalog: &'a Catalog, name: &'a AccountName) -> impl Iterator<Item = Statement> + 'a {
    let roles = memberships::revocable(catalog, name).map(memberships::revoke);
    roles.chain(powers::revocable_proxies(catalog, name).map(powers::revoke_proxy))
}

/// Those that it may not take back, in words.
pub(super) fn lasting<'a>(catalog: &'a Catalog, name: &'a AccountName) -> impl Iterator<Item = String> + 'a {
    memberships::lasting(catalog, name).chain(powers::lasting_proxies(catalog, name))
}

/// Accounts that the server may choose instead of ours, because their host fits a client better.
fn note_namesakes(comparison: &mut Comparison, catalog: &Catalog, name: &AccountName) {
    let others = catalog.accounts.iter().filter(|account| !account.is_role && !account.name.is(name));
    for other in others.map(|account| &account.name) {
        let host = if other.host.is_empty() { "%" } else { &other.host };
        if other.user == name.user {
            let text =
                format!("another account of this user exists for host {host}: logins from there may use that one");
            comparison.leave_everywhere(&text);
        } else if other.user.is_empty() {
            let text = format!("an account without a name exists for host {host}: logins from there may end up in it");
            comparison.leave_everywhere(&text);
        }
    }
}

/// Makes the account, locked: should the run die before the grants are there, it is harmless.
pub(super) fn create(dialect: Dialect, spec: &RoleSpec, way: &Way, demand_tls: bool) -> Statement {
    let clauses = terms::of_new(dialect, way, &spec.terms, demand_tls);
    let mut sql = format!("CREATE USER {}{clauses} ACCOUNT LOCK", account_sql(&account_name(spec)));
    if dialect.has_attributes() {
        sql.push_str(&attribute(&spec.mark));
    }
    Statement::new(format!("creating the account {}", spec.name), sql)
}

/// What is to be changed on an account that exists. Only the clauses that differ are sent; the account is unlocked last.
pub(super) fn settle(
    catalog: &Catalog,
    spec: &RoleSpec,
    account: Option<&Account>,
    way: Option<&Way>,
    demand_tls: bool,
) -> Vec<Statement> {
    let name = account_name(spec);
    let mut statements: Vec<Statement> = leave(catalog, &name).collect();
    statements.extend(terms::end_old_password(&name, account, way, &spec.terms));
    let mut clauses = match account {
        Some(account) => terms::of_present(catalog.dialect, account, way, &spec.terms, demand_tls),
        None => String::new(),
    };
    if account.is_none_or(|account| account.locked) {
        clauses.push_str(" ACCOUNT UNLOCK");
    }
    let unmarked = account.is_some_and(|account| mark(account).as_ref() != Some(&spec.mark));
    if unmarked && catalog.dialect.has_attributes() {
        clauses.push_str(&attribute(&spec.mark));
    }
    if !clauses.is_empty() {
        let sql = format!("ALTER USER {}{clauses}", account_sql(&name));
        statements.push(Statement::new(format!("setting up the account {}", spec.name), sql));
    }
    statements
}

/// Locks the account: no login from now on, open sessions stay.
pub(super) fn lock(name: &AccountName) -> Statement {
    let sql = format!("ALTER USER {} ACCOUNT LOCK", account_sql(name));
    Statement::new(format!("locking the account {}", name.user), sql)
}

/// Drops the account with its grants.
pub(super) fn drop_account(name: &AccountName) -> Statement {
    Statement::new(format!("dropping the account {}", name.user), format!("DROP USER {}", account_sql(name)))
}

/// The server merges the object into the attributes that are there: only a null takes the old purpose away.
fn attribute(mark: &Mark) -> String {
    let mut mark = serde_json::json!(mark);
    if let Some(members) = mark.as_object_mut() {
        members.entry("purpose").or_insert(serde_json::Value::Null);
    }
    format!(" ATTRIBUTE {}", literal(&serde_json::json!({ MARK: mark }).to_string()))
}
