//! How an account logs in and what bounds that: the way it should be, the gaps, the clauses that close them. Pure.

use super::catalog::{Account, AccountName, Catalog, Tls};
use super::connect::Dialect;
use super::password::{Plugin, Verifier, is_hash_of};
use super::quote::{Statement, account as account_sql, literal};
use crate::access::{Auth, Missing, Secret};
use crate::engine::Terms;

/// The plugin of RDS that takes tokens.
const IAM: &str = "AWSAuthenticationPlugin";
/// What the plugin wants to read in the account.
const IAM_TEXT: &str = "RDS";
/// The largest number of connections that every version takes.
const MOST_CONNECTIONS: u32 = i32::MAX as u32;

/// A way to log in, to be set on an account. It replaces every other.
pub(super) enum Way {
    /// With this password
    Password(Verifier),
    /// With this password, while the one before stays good until the next is set
    PasswordKeepingOld(Verifier),
    /// With tokens, and with no password at all
    Iam,
}

/// What of the terms this server cannot hold, in words.
pub(super) fn refusal(dialect: Dialect, terms: &Terms, password: Option<&Secret<String>>) -> Option<String> {
    let (major, minor, patch) = dialect.version;
    let engine = if dialect.mariadb { "MariaDB" } else { "MySQL" };
    if terms.keeps_old_password && !dialect.has_dual_passwords() {
        Some(format!(
            "{engine} {major}.{minor}.{patch} cannot keep the old password beside a new one; MySQL 8.0.14 and later can"
        ))
    } else if terms.valid_until.is_some() {
        Some(format!("{engine} has no accounts that end at a given time; leave `valid_until` out"))
    } else if terms.connection_limit == Some(0) {
        Some(format!("{engine} reads a connection limit of 0 as no limit; leave `connection_limit` out or raise it"))
    } else if terms.connection_limit.is_some_and(|limit| limit > MOST_CONNECTIONS) {
        Some(format!("`connection_limit` must not be larger than {MOST_CONNECTIONS}"))
    } else if terms.auth == Auth::Iam && password.is_some() {
        Some("a role that logs in with tokens of IAM takes no password".to_owned())
    } else {
        None
    }
}

/// What differs from the specification.
pub(super) fn gaps(account: &Account, terms: &Terms, demand_tls: bool) -> Vec<Missing> {
    let mut gaps = Vec::new();
    if account.locked {
        gaps.push(Missing::lacking("login is locked"));
    }
    match account.tls {
        Tls::Required => {}
        Tls::Optional if demands_tls(terms, demand_tls) => gaps.push(Missing::plain("login without TLS is allowed")),
        Tls::Special if demands_tls(terms, demand_tls) => {
            gaps.push(Missing::of_terms("login needs a certificate of the client"));
        }
        Tls::Optional | Tls::Special => {}
    }
    gaps.extend(way_gap(account, terms).map(Missing::plain));
    if account.keeps_old_password && !terms.keeps_old_password {
        gaps.push(Missing::plain("an old password is still good"));
    }
    let limits = account.limits;
    if limits.connections != wanted_connections(terms) {
        let words = |limit: i64| if limit == 0 { "none".to_owned() } else { limit.to_string() };
        let (found, wanted) = (words(limits.connections), words(wanted_connections(terms)));
        gaps.push(Missing::of_terms(format!("connection limit is {found} instead of {wanted}")));
    }
    if limits.hourly > 0 {
        gaps.push(Missing::of_terms("is limited per hour"));
    }
    if limits.password_days > 0 {
        gaps.push(Missing::of_terms(format!("its password ends every {} days", limits.password_days)));
    }
    gaps
}

fn way_gap(account: &Account, terms: &Terms) -> Option<String> {
    let plugins: Vec<&str> = account.logins.iter().map(|(plugin, _)| plugin.as_str()).collect();
    match terms.auth {
        Auth::Iam if is_iam(account) => None,
        Auth::Iam => Some(format!("logs in with {} instead of IAM", plugins.join(" or "))),
        Auth::Password if plugins == [IAM] => Some("logs in with IAM instead of a password".to_owned()),
        Auth::Password if plugins.len() > 1 => Some(format!("logs in with {}", plugins.join(" or "))),
        Auth::Password if !takes_passwords(account) => {
            Some(format!("login uses the plugin {}, which this provider does not speak", plugins.join(" or ")))
        }
        Auth::Password => None,
    }
}

/// Whether a password that this provider sets can be one of the ways to log in. The driver speaks no others either, so a
/// login could prove nothing: `sha256_password`, `ed25519`, the socket, LDAP, PAM.
fn takes_passwords(account: &Account) -> bool {
    account.logins.iter().any(|(plugin, _)| Plugin::named(plugin).is_some())
}

/// Whether tokens are the only way to log in.
pub(super) fn is_iam(account: &Account) -> bool {
    matches!(account.logins.as_slice(), [(plugin, text)] if plugin == IAM && text.expose() == IAM_TEXT.as_bytes())
}

/// Whether the account has exactly this password and no other way to log in. An older password besides is no matter.
pub(super) fn is_set(account: &Account, password: &Secret<String>) -> bool {
    let set = |(plugin, hash): &(String, Secret<Vec<u8>>)| is_hash_of(plugin, hash.expose(), password) == Some(true);
    !account.expired && account.logins.len() == 1 && account.logins.iter().all(set)
}

/// Whether the password would log the account in, as far as the stored hashes tell. An older password that is kept is
/// not the account's password: the hash of the new one is what counts.
pub(super) fn judge(account: &Account, password: &Secret<String>) -> Option<bool> {
    if account.locked || account.expired || !takes_passwords(account) {
        return Some(false);
    }
    let verdicts = account.logins.iter().map(|(plugin, hash)| is_hash_of(plugin, hash.expose(), password));
    verdicts.reduce(|one, other| match (one, other) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    })?
}

/// The one way to keep of several, when no password is given: the first whose hash is understood.
pub(super) fn only_way(account: &Account) -> Option<Way> {
    let known = |(plugin, hash): &(String, Secret<Vec<u8>>)| {
        let text = String::from_utf8(hash.expose().clone()).ok().filter(|text| !text.is_empty())?;
        Some(Verifier { plugin: Plugin::named(plugin)?, text: Secret::new(text) })
    };
    let several = account.logins.len() > 1;
    account.logins.iter().filter(|_| several).find_map(known).map(Way::Password)
}

/// The way that a new password is set. The old one stays only where it is one that logs in today: an account that is
/// locked or expired has none. MySQL keeps it only under the same plugin.
pub(super) fn new_password(account: &Account, terms: &Terms, verifier: Verifier) -> Way {
    if terms.keeps_old_password && has_password(account) && has_plugin(account, verifier.plugin) {
        Way::PasswordKeepingOld(verifier)
    } else {
        Way::Password(verifier)
    }
}

/// What is to be said when the old password ends at once although it should stay.
pub(super) fn lost_password(account: &Account, terms: &Terms, verifier: &Verifier) -> Option<String> {
    let lost = terms.keeps_old_password && has_password(account) && !has_plugin(account, verifier.plugin);
    let (before, _) = account.logins.first()?;
    lost.then(|| {
        format!(
            "the old password ended at once: the account changed from {before} to {}, and MySQL keeps an old password \
             only under the same plugin",
            verifier.plugin.as_str()
        )
    })
}

fn has_password(account: &Account) -> bool {
    let set = account.logins.iter().any(|(plugin, hash)| plugin != IAM && !hash.expose().is_empty());
    set && !account.locked && !account.expired
}

fn has_plugin(account: &Account, plugin: Plugin) -> bool {
    account.logins.iter().all(|(present, _)| present == plugin.as_str())
}

/// The clauses of CREATE USER, in the order of the grammar, up to the lock.
pub(super) fn of_new(dialect: Dialect, way: &Way, terms: &Terms, demand_tls: bool) -> String {
    let mut clauses = way.clause(dialect);
    if demands_tls(terms, demand_tls) {
        clauses.push_str(" REQUIRE SSL");
    }
    if wanted_connections(terms) != 0 {
        clauses.push_str(&connections(terms));
    }
    clauses
}

/// The clauses of ALTER USER that close the gaps, in the order of the grammar, up to the lock.
pub(super) fn of_present(
    dialect: Dialect,
    account: &Account,
    way: Option<&Way>,
    terms: &Terms,
    demand_tls: bool,
) -> String {
    let mut clauses = way.map(|way| way.clause(dialect)).unwrap_or_default();
    // With tokens the demand stands in the same statement, whatever was read before.
    if demands_tls(terms, demand_tls) && (account.tls != Tls::Required || matches!(way, Some(Way::Iam))) {
        clauses.push_str(" REQUIRE SSL");
    }
    let limits = account.limits;
    if limits.connections != wanted_connections(terms) {
        clauses.push_str(&connections(terms));
    }
    if limits.hourly > 0 {
        clauses.push_str(if clauses.contains(" WITH MAX_") { "" } else { " WITH" });
        clauses.push_str(" MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0");
    }
    if limits.password_days > 0 {
        clauses.push_str(" PASSWORD EXPIRE DEFAULT");
    }
    clauses
}

/// Ends the old password of an account that keeps one against the specification. A change of the plugin ends it, too.
pub(super) fn end_old_password(
    name: &AccountName,
    account: Option<&Account>,
    way: Option<&Way>,
    terms: &Terms,
) -> Option<Statement> {
    let account = account.filter(|account| account.keeps_old_password && !terms.keeps_old_password)?;
    let ends_anyway = match way {
        Some(Way::Password(verifier) | Way::PasswordKeepingOld(verifier)) => !has_plugin(account, verifier.plugin),
        Some(Way::Iam) => true,
        None => false,
    };
    let sql = format!("ALTER USER {} DISCARD OLD PASSWORD", account_sql(name));
    (!ends_anyway).then(|| Statement::new(format!("ending the old password of {}", name.user), sql))
}

/// The plugin for a new password. The one of the account stays where it can: clients may depend on it. From MySQL 9 on
/// `mysql_native_password` is gone.
pub(super) fn plugin(catalog: &Catalog, account: Option<&Account>) -> Plugin {
    let present = account.and_then(|account| Plugin::named(&account.logins.first()?.0));
    match present {
        Some(Plugin::Native) if !catalog.dialect.mariadb && catalog.dialect.version >= (9, 0, 0) => Plugin::CachingSha2,
        Some(plugin) => plugin,
        None => catalog.settings.plugin,
    }
}

/// Tokens go over the wire as they are, so an account that takes them needs TLS in any case.
fn demands_tls(terms: &Terms, demand_tls: bool) -> bool {
    demand_tls || terms.auth == Auth::Iam
}

fn wanted_connections(terms: &Terms) -> i64 {
    terms.connection_limit.map_or(0, i64::from)
}

fn connections(terms: &Terms) -> String {
    format!(" WITH MAX_USER_CONNECTIONS {}", wanted_connections(terms))
}

impl Way {
    fn clause(&self, dialect: Dialect) -> String {
        let (plugin, text, tail) = match self {
            Self::Password(verifier) => (verifier.plugin.as_str(), verifier.text.expose().as_str(), ""),
            Self::PasswordKeepingOld(verifier) => {
                (verifier.plugin.as_str(), verifier.text.expose().as_str(), " RETAIN CURRENT PASSWORD")
            }
            Self::Iam => (IAM, IAM_TEXT, ""),
        };
        let text = literal(text);
        if dialect.mariadb {
            format!(" IDENTIFIED VIA {plugin} USING {text}{tail}")
        } else {
            format!(" IDENTIFIED WITH {plugin} AS {text}{tail}")
        }
    }
}
