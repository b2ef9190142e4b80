//! The login itself: whose it is, what it lacks, and the statements that make and settle it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Catalog, Database, Place, Principal, Reach, ServerRight, State};
use super::change::Difference;
use super::check::check_role_name;
use super::connect::MASTER;
use super::grants::{compare as compare_database, compare_elsewhere};
use super::level::contains_level;
use super::quote::{Statement, identifier};
use crate::access::{Access, Coverage, Identifier, Missing, RoleName, Secret};
use crate::engine::{Ownership, RoleSpec};

/// The server role whose members act as `sa`.
const SYSADMIN: &str = "sysadmin";
/// `sa`, whatever its name.
const SA: i64 = 1;

/// Whose the login is. A login has no place for a mark, so a stored secret of ours says that it is ours.
pub(super) fn ownership(catalog: &Catalog, spec: &RoleSpec) -> Ownership {
    let name = spec.name.as_str();
    let Some(principal) = catalog.principal(name) else { return Ownership::Absent };
    if catalog.names.same(&catalog.me, name) {
        Ownership::Foreign(format!("`{name}` is the administrator that this provider logs in as"))
    } else if principal.kind != "S" {
        let kind = if principal.kind == "R" { "a server role" } else { "a login without a password" };
        Ownership::Foreign(format!("`{name}` is {kind}"))
    } else if let Err(invalid) = check_role_name(&spec.name) {
        Ownership::Foreign(invalid.to_string())
    } else if let Some(words) = power(catalog, principal).filter(|_| spec.adopt && !is_covered(catalog, principal)) {
        Ownership::Foreign(words)
    } else if spec.adopt {
        Ownership::Ours
    } else {
        Ownership::Foreign(format!("the login `{name}` exists, and no stored secret of this provider belongs to it"))
    }
}

/// Why the login looks like that of an administrator, and what to do when it is not.
fn power(catalog: &Catalog, login: &Principal) -> Option<String> {
    let name = identifier(&login.name);
    let member = catalog.members.iter().find(|(member, _)| *member == login.id);
    let of_role = member.map(|(_, role)| {
        let sql = format!("ALTER SERVER ROLE {} DROP MEMBER {name}", identifier(role));
        (format!("is a member of the server role {role}"), sql)
    });
    let rules = |right: &str| right == "CONTROL SERVER" || right.starts_with("ALTER ANY ");
    let held = |right: &&ServerRight| {
        right.grantee == login.id && right.on == Place::Server && right.state != State::Denied && rules(&right.name)
    };
    let by_right = || {
        let right = catalog.rights.iter().find(held)?;
        let sql = format!("REVOKE {} FROM {name} CASCADE", right.name);
        Some((format!("holds {} on the server", right.name), sql))
    };
    let (what, sql) = of_role.or_else(by_right)?;
    Some(format!(
        "the login `{}` {what} and is at no level in any database, so it is taken for an administrator of somebody; if it \
         is not, take that from it first: {sql}",
        login.name
    ))
}

/// Whether the login has a user at a level somewhere, which tells a login of ours that somebody raised by hand from one
/// that is imported.
fn is_covered(catalog: &Catalog, login: &Principal) -> bool {
    catalog.databases.iter().any(|database| match &database.reach {
        Reach::Open(content) => content.user_of(&login.sid).is_some_and(|user| contains_level(&content.roles_of(user))),
        _ => false,
    })
}

/// The login and every database, compared with a specification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Gaps of the login
    pub(super) login: Vec<Missing>,
    /// Statements on the server that close them, except that the login is enabled last
    pub(super) server: Vec<String>,
    /// Whether the login is to be enabled
    pub(super) enable: bool,
    /// Gaps per covered database
    pub(super) coverage: Coverage,
    /// What stays as it is
    pub(super) uncovered: Coverage,
    /// Statements per database, as the server spells it
    pub(super) databases: BTreeMap<String, Vec<String>>,
    /// Smallest level that contains the rights found
    pub(super) access: Option<Access>,
    /// Covered databases, also those that cannot be entered now
    pub(super) covered: BTreeSet<String>,
    /// First covered database that can be entered
    pub(super) default_database: Option<String>,
}

/// Compares the login with what it should be.
pub(super) fn compare(catalog: &Catalog, spec: &RoleSpec) -> Comparison {
    let mut comparison = Comparison { enable: true, ..Comparison::default() };
    let login = catalog.principal(spec.name.as_str());
    for (key, database) in covered(catalog, spec) {
        if database.reach != Reach::System {
            comparison.covered.insert(key.clone());
        }
        match &database.reach {
            Reach::Closed(why) => comparison.leave(&key, Missing::plain(why)),
            Reach::System => comparison.leave(&key, Missing::plain("is a system database, which no level covers")),
            Reach::Open(content) => {
                let difference = compare_database(catalog, database, content, spec);
                comparison.take(&key, &database.name, difference, true);
            }
        }
    }
    for name in spec.scope.databases.iter().flatten().map(Identifier::as_str) {
        if catalog.database(name).is_none() {
            comparison.leave(name, Missing::plain("does not exist"));
        }
    }
    if let Some(login) = login {
        comparison.compare_rest(catalog, spec, login);
        comparison.compare_login(catalog, login);
    } else {
        comparison.server.clear();
        for gaps in comparison.coverage.databases.values_mut() {
            *gaps = vec![Missing::lacking("role is missing")];
        }
    }
    if !catalog.sees_logins {
        let text = format!("logins are not all visible to {}: it lacks VIEW ANY DEFINITION", catalog.me);
        for key in comparison.coverage.databases.keys().cloned().collect::<Vec<_>>() {
            comparison.leave(&key, Missing::plain(text.as_str()));
        }
    }
    comparison
}

/// The databases that the scope covers, each under the name that the configuration uses. Snapshots are never covered
/// unless they are named.
fn covered<'a>(catalog: &'a Catalog, spec: &RoleSpec) -> Vec<(String, &'a Database)> {
    match &spec.scope.databases {
        Some(chosen) => {
            let found = |name: &crate::access::DatabaseName| {
                catalog.database(name.as_str()).map(|database| (name.as_str().to_owned(), database))
            };
            chosen.iter().filter_map(found).collect()
        }
        None => {
            let users = catalog.databases.iter().filter(|database| database.reach != Reach::System);
            users.map(|database| (database.name.clone(), database)).collect()
        }
    }
}

/// What `databases` and `grants` name and cannot be had, in words.
pub(super) fn wrong_choice(catalog: &Catalog, spec: &RoleSpec) -> Option<String> {
    let chosen = spec.scope.databases.iter().flatten().map(Identifier::as_str);
    let missing = chosen.clone().find(|name| catalog.database(name).is_none());
    if let Some(name) = missing {
        return Some(format!("there is no database `{name}`"));
    }
    if let Some(name) = chosen.clone().find(|n| catalog.database(n).is_some_and(|d| d.reach == Reach::System)) {
        return Some(format!("`{name}` is a system database, which no level covers"));
    }
    let covered = covered(catalog, spec);
    let outside = |grant: &&crate::access::Grant| {
        let name = grant.database.as_str();
        !covered.iter().any(|(_, database)| catalog.names.same(&database.name, name))
    };
    let grant = spec.grants.iter().find(outside)?;
    Some(format!("`grants` names the database `{}`, which the role does not cover", grant.database))
}

impl Comparison {
    fn leave(&mut self, key: &str, words: Missing) {
        self.uncovered.databases.entry(key.to_owned()).or_default().push(words);
    }

    fn take(&mut self, key: &str, name: &str, difference: Difference, covered: bool) {
        for words in difference.left {
            self.leave(key, words);
        }
        if difference.blocked {
            return;
        }
        if covered || !difference.gaps.is_empty() {
            self.coverage.databases.insert(key.to_owned(), difference.gaps);
        }
        if covered && self.default_database.is_none() {
            self.default_database = Some(key.to_owned());
        }
        if !difference.statements.is_empty() {
            self.databases.insert(name.to_owned(), difference.statements);
        }
        self.access = self.access.max(difference.access);
    }

    /// Databases that the scope leaves out, where the login was covered before or got a user by hand.
    fn compare_rest(&mut self, catalog: &Catalog, spec: &RoleSpec, login: &Principal) {
        let inside: Vec<String> =
            covered(catalog, spec).into_iter().map(|(_, database)| database.name.clone()).collect();
        for database in catalog.databases.iter().filter(|database| !inside.contains(&database.name)) {
            if let Reach::Open(content) = &database.reach {
                self.take(&database.name, &database.name, compare_elsewhere(content, login), false);
            }
        }
    }

    fn compare_login(&mut self, catalog: &Catalog, login: &Principal) {
        let name = identifier(&login.name);
        self.enable = login.disabled;
        if login.disabled {
            self.login.push(Missing::lacking("login is disabled"));
        }
        let mut with = |gap: String, clause: &str| {
            self.login.push(Missing::of_terms(gap));
            self.server.push(format!("ALTER LOGIN {name} WITH {clause}"));
        };
        if !catalog.names.same(&login.default_database, MASTER) {
            with(format!("default database is {}", login.default_database), "DEFAULT_DATABASE = [master]");
        }
        if login.checks_expiration && !login.must_change {
            with("password expiration is on".to_owned(), "CHECK_EXPIRATION = OFF");
        }
        if !login.checks_policy {
            with("password policy is off".to_owned(), "CHECK_POLICY = ON");
        }
        if login.locked && login.checks_policy && !login.must_change {
            // UNLOCK would need the password; switching the policy off and on forgets the failed attempts as well.
            with("login is locked".to_owned(), "CHECK_POLICY = OFF");
            self.server.push(format!("ALTER LOGIN {name} WITH CHECK_POLICY = ON"));
        }
        if login.checks_expiration && login.must_change {
            // Refused (15128) until a password was set, which ends the duty to change it.
            self.login.push(Missing::plain("password expiration is on"));
        }
        self.compare_server_rights(catalog, login, &name);
    }

    fn compare_server_rights(&mut self, catalog: &Catalog, login: &Principal, name: &str) {
        for (_, role) in catalog.members.iter().filter(|(member, _)| *member == login.id) {
            self.login.push(Missing::plain(format!("is a member of the server role {role}")));
            self.server.push(format!("ALTER SERVER ROLE {} DROP MEMBER {name}", identifier(role)));
        }
        let mine: Vec<&ServerRight> = catalog.rights.iter().filter(|right| right.grantee == login.id).collect();
        let connects = |right: &&ServerRight| right.name == "CONNECT SQL" && right.on == Place::Server;
        if !mine.iter().any(|right| connects(right) && right.state != State::Denied) {
            self.login.push(Missing::lacking("missing CONNECT SQL"));
            self.server.push(format!("GRANT CONNECT SQL TO {name}"));
        }
        for right in mine {
            // What is granted above is no longer denied in the same name.
            let (denied, own) = (right.state == State::Denied, right.grantor == own_grantor(catalog));
            if !connects(&right) || denied && !own {
                self.compare_server_right(catalog, right, name);
            }
        }
    }

    /// A right that no level holds. Only who gave it takes it back, unless the administrator is a sysadmin.
    fn compare_server_right(&mut self, catalog: &Catalog, right: &ServerRight, name: &str) {
        let says = if right.state == State::Denied { "is denied" } else { "holds" };
        let (place, clause) = match &right.on {
            Place::Server => ("the server".to_owned(), Some(String::new())),
            Place::Login(login) => (format!("login {login}"), Some(format!(" ON LOGIN::{}", identifier(login)))),
            Place::Role(role) => {
                (format!("server role {role}"), Some(format!(" ON SERVER ROLE::{}", identifier(role))))
            }
            Place::Other(class) => (format!("securable {}", class.to_lowercase().replace('_', " ")), None),
        };
        let what = format!("{says} {} on {place}", right.name);
        let gap = if right.state == State::Denied { Missing::lacking } else { Missing::plain };
        let sql = clause.map(|clause| format!("REVOKE {}{clause} FROM {name} CASCADE", right.name));
        let grantor = catalog.principals.iter().find(|principal| principal.id == right.grantor);
        let giver = grantor.map_or("somebody who is not visible", |grantor| grantor.name.as_str());
        match (sql, grantor) {
            (Some(sql), _) if right.grantor == own_grantor(catalog) => {
                self.login.push(gap(what));
                self.server.push(sql);
            }
            (Some(sql), Some(grantor)) if is_sysadmin(catalog) => {
                self.login.push(gap(what));
                self.server.push(format!("{sql} AS {}", identifier(&grantor.name)));
            }
            (Some(sql), _) => {
                let text = format!("the login {what}, given by {giver}, who alone can take it back: {sql}");
                self.leave(MASTER, Missing::plain(text));
            }
            (None, _) => self.leave(MASTER, Missing::plain(format!("the login {what}, given by {giver}"))),
        }
    }
}

fn is_sysadmin(catalog: &Catalog) -> bool {
    let me = catalog.principal(&catalog.me).map(|me| me.id);
    me == Some(SA) || catalog.members.iter().any(|(member, role)| Some(*member) == me && role == SYSADMIN)
}

/// In whose name the administrator gives and takes on the server: a sysadmin does so as `sa`.
fn own_grantor(catalog: &Catalog) -> i64 {
    if is_sysadmin(catalog) { SA } else { catalog.principal(&catalog.me).map_or(-1, |me| me.id) }
}

/// Why the login gets in with no password at all, as far as the catalog tells.
pub(super) fn barred(catalog: &Catalog, login: &Principal) -> Option<&'static str> {
    let denied = |right: &ServerRight| {
        let is_connect = right.name == "CONNECT SQL" && right.on == Place::Server;
        right.grantee == login.id && is_connect && right.state == State::Denied
    };
    if login.disabled {
        Some("the login is disabled")
    } else if login.locked {
        Some("the login is locked after too many failed attempts")
    } else if catalog.rights.iter().any(denied) {
        Some("the login is denied CONNECT SQL")
    } else {
        None
    }
}

/// Makes the login, disabled: should the run die before its rights are there, it is harmless. There is no clause for
/// that, so both statements stand in one transaction, and in a batch of their own that the server masks.
pub(super) fn create(name: &RoleName, password: &Secret<String>) -> Statement {
    let login = identifier(name.as_str());
    Statement::new(
        format!("creating the login {name}"),
        format!(
            "BEGIN TRANSACTION;\nCREATE LOGIN {login} WITH PASSWORD = {}, DEFAULT_DATABASE = [master], \
             CHECK_EXPIRATION = OFF, CHECK_POLICY = ON;\nALTER LOGIN {login} DISABLE;\nCOMMIT TRANSACTION;",
            password.expose()
        ),
    )
}

/// Sets the password; also lifts a lock and the duty to change it. Policy and expiry are settled afterwards: they cannot
/// be switched off while that duty stands.
pub(super) fn set_password(name: &RoleName, password: &Secret<String>) -> Statement {
    let login = identifier(name.as_str());
    Statement::new(
        format!("setting the password of {name}"),
        format!("ALTER LOGIN {login} WITH PASSWORD = {} UNLOCK;", password.expose()),
    )
}

/// Lets the login in: the last step of a change.
pub(super) fn enable(name: &RoleName) -> Statement {
    Statement::new(format!("enabling the login {name}"), format!("ALTER LOGIN {} ENABLE;", identifier(name.as_str())))
}

/// No login from now on; open sessions stay.
pub(super) fn disable(name: &RoleName) -> Statement {
    Statement::new(format!("disabling the login {name}"), format!("ALTER LOGIN {} DISABLE;", identifier(name.as_str())))
}

/// Drops the login; its users are dropped before.
pub(super) fn drop_login(name: &RoleName) -> Statement {
    Statement::new(format!("dropping the login {name}"), format!("DROP LOGIN {};", identifier(name.as_str())))
}
