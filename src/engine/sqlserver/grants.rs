//! What a login should hold in one database, what it holds, and the difference. Pure: a [`Content`] goes in, words and
//! statements come out.
//!
//! A level is held by membership in fixed database roles, which cover later objects by nature. Any other membership, and
//! any right that neither the level nor `grants` names, is taken back. Rights through `public` stay and are named.

use super::catalog::{Catalog, Content, Database, Names, Principal, Right, Securable, State, User};
use super::change::{DBO, Difference, grant, leave_role, merge, take, words};
use super::level::{contains_level, is_within, level_of_right, level_of_role, level_roles};
use super::owned::drop_user;
use super::quote::identifier;
use super::wanted::{Wanted, wanted};
use crate::access::{Access, Identifier, Missing};
use crate::engine::RoleSpec;

/// `public` in every database.
const PUBLIC: i64 = 0;
/// Rights that `public` has in every new database.
const PUBLIC_BY_DEFAULT: [&str; 3] =
    ["CONNECT", "VIEW ANY COLUMN ENCRYPTION KEY DEFINITION", "VIEW ANY COLUMN MASTER KEY DEFINITION"];

/// How a login appears in a database.
enum Found<'a> {
    /// Not at all
    Nowhere,
    /// As the user of its own name
    Right(&'a User),
    /// As a user of another name
    Renamed(&'a User),
    /// The user of its name belongs to a login that is gone, as after a restore
    Orphan(&'a User),
    /// Not to be repaired here, for this reason
    Obstacle(String),
}

/// Compares a covered database with the level and the grants that the login should have there.
pub(super) fn compare(catalog: &Catalog, database: &Database, content: &Content, spec: &RoleSpec) -> Difference {
    let mut difference = Difference::default();
    let name = spec.name.as_str();
    let user = match find(catalog, database, content, name) {
        Found::Obstacle(words) => {
            difference.left.push(Missing::plain(words));
            difference.blocked = true;
            return difference;
        }
        Found::Nowhere => {
            difference.lack("user is missing", format!("CREATE USER {0} FOR LOGIN {0}", identifier(name)));
            None
        }
        Found::Renamed(user) => {
            let (old, new) = (identifier(&user.name), identifier(name));
            difference.add(format!("user is named {}", user.name), format!("ALTER USER {old} WITH NAME = {new}"));
            Some(user)
        }
        Found::Orphan(user) => {
            let user_name = identifier(&user.name);
            let sql = format!("ALTER USER {user_name} WITH LOGIN = {}", identifier(name));
            difference.lack("user belongs to a login that is gone", sql);
            Some(user)
        }
        Found::Right(user) => Some(user),
    };
    let wanted = wanted(&spec.grants, catalog.names, &database.name);
    let side = Side { content, names: database.names, access: spec.access, user, grantee: identifier(name) };
    side.compare_roles(&mut difference);
    side.compare_rights(&wanted, &mut difference);
    side.note_public(&wanted, &mut difference);
    difference
}

/// A database that is not covered: a user of the login there has to go, if it has what this provider gives.
pub(super) fn compare_elsewhere(content: &Content, login: &Principal) -> Difference {
    let mut difference = Difference::default();
    let Some(user) = content.user_of(&login.sid) else { return difference };
    if is_owner(user) {
        difference.left.push(Missing::plain(owner_words()));
        difference.blocked = true;
        return difference;
    }
    if !contains_level(&content.roles_of(user)) {
        let (name, sql) = (&user.name, drop_user(content, user).join("; "));
        let text = format!("the user {name} there is at no level, so somebody else made it; to take it away: {sql}");
        difference.left.push(Missing::plain(text));
        difference.blocked = true;
        return difference;
    }
    difference.gaps.push(Missing::plain(format!("user {} exists, and the database is not covered", user.name)));
    difference.statements = drop_user(content, user);
    difference
}

/// Takes every membership and right from a user and leaves it.
pub(super) fn strip_user(content: &Content, user: &User) -> Vec<String> {
    let grantee = identifier(&user.name);
    let roles = content.roles_of(user).into_iter().map(|role| leave_role(role, &grantee));
    let held = |right: &&Right| matches!(right.state, State::Granted | State::Grantable);
    let rights = content.rights.iter().filter(|right| right.grantee == user.id).filter(held);
    roles.chain(rights.filter_map(|right| take("REVOKE", content, right, &grantee))).collect()
}

/// Whether the user is the database's owner, who cannot be limited.
pub(super) fn is_owner(user: &User) -> bool {
    user.name == "dbo"
}

pub(super) fn owner_words() -> String {
    "the login owns the database and holds every right there; to end that: ALTER AUTHORIZATION ON DATABASE::… TO \
     another login"
        .to_owned()
}

fn find<'a>(catalog: &Catalog, database: &Database, content: &'a Content, name: &str) -> Found<'a> {
    let login = catalog.principal(name);
    let of_login = login.and_then(|login| content.user_of(&login.sid));
    let named = content.users.iter().find(|user| database.names.same(&user.name, name));
    match (of_login, named) {
        (Some(user), _) if is_owner(user) => Found::Obstacle(owner_words()),
        (Some(user), Some(named)) if user.id == named.id => Found::Right(user),
        (Some(user), Some(_)) => Found::Obstacle(format!(
            "the login enters as the user {}, and the user {name} is somebody else's; drop or rename one of them",
            user.name
        )),
        (Some(user), None) => Found::Renamed(user),
        (None, None) => Found::Nowhere,
        (None, Some(named)) => without_login(catalog, named),
    }
}

fn without_login<'a>(catalog: &Catalog, named: &'a User) -> Found<'a> {
    let other = catalog.principals.iter().find(|principal| principal.sid == named.sid && !named.sid.is_empty());
    match other {
        _ if named.kind == "R" => Found::Obstacle(format!("a role is named {} there", named.name)),
        Some(other) => Found::Obstacle(format!("the user {} there belongs to the login {}", named.name, other.name)),
        None if !catalog.sees_logins => Found::Obstacle(format!(
            "whose the user {} there is cannot be told, because logins are not all visible to {}: it lacks VIEW ANY \
             DEFINITION",
            named.name, catalog.me
        )),
        None if named.kind == "S" && named.authentication == 1 => Found::Orphan(named),
        None => Found::Obstacle(format!("the user {} there is not one of a login of this server", named.name)),
    }
}

/// The comparison of one user.
struct Side<'a> {
    content: &'a Content,
    names: Names,
    access: Access,
    user: Option<&'a User>,
    grantee: String,
}

impl Side<'_> {
    fn compare_roles(&self, difference: &mut Difference) {
        let held = self.user.map(|user| self.content.roles_of(user)).unwrap_or_default();
        let level = level_roles(self.access);
        for role in level.iter().filter(|role| !held.contains(role)) {
            let sql = format!("ALTER ROLE {} ADD MEMBER {}", identifier(role), self.grantee);
            difference.lack(format!("is not a member of {role}"), sql);
        }
        for role in held {
            difference.raise(level_of_role(role));
            if !level.contains(&role) {
                difference.add(format!("is a member of {role} beyond the level"), leave_role(role, &self.grantee));
            }
        }
    }

    fn compare_rights(&self, wanted: &[Wanted], difference: &mut Difference) {
        let mine = |right: &&Right| self.user.is_some_and(|user| right.grantee == user.id);
        let held: Vec<&Right> = self.content.rights.iter().filter(mine).collect();
        for (on, name) in wanted {
            let has = |right: &&Right| right.state != State::Denied && self.is(right, on, name);
            if !held.iter().any(has) {
                difference.add_on(Missing::lacking(format!("missing {name}")), on, grant(on, name, &self.grantee));
            }
        }
        // CREATE USER gives CONNECT, so only a user that is there can lack it.
        let connects = |right: &&&Right| right.name == "CONNECT" && right.on == Securable::Database;
        if self.user.is_some() && !held.iter().filter(connects).any(|right| right.state != State::Denied) {
            difference.lack("missing CONNECT", grant(&Securable::Database, "CONNECT", &self.grantee));
        }
        for right in &held {
            let same = |other: &&Right| other.state != State::Denied && self.is(other, &right.on, &right.name);
            let is_asked = wanted.iter().any(|(on, name)| self.is(right, on, name)) || connects(&right);
            // What is granted above in the name of `dbo` is no longer denied in that name.
            let is_replaced = is_asked && right.grantor == DBO && !held.iter().copied().any(|other| same(&other));
            if !(right.state == State::Denied && is_replaced) {
                self.compare_right(right, is_asked, difference);
            }
        }
    }

    fn compare_right(&self, right: &Right, is_asked: bool, difference: &mut Difference) {
        let is_within = self.is_within(right);
        let (missing, prefix) = match right.state {
            State::Excepted => return,
            State::Denied => (Missing::lacking(format!("is denied {}", right.name)), "REVOKE"),
            State::Grantable => (Missing::plain(format!("may pass on {}", right.name)), "REVOKE GRANT OPTION FOR"),
            State::Granted if is_asked => return,
            State::Granted => {
                difference.raise(level_of_right(&right.name));
                if is_within {
                    return;
                }
                (Missing::plain(format!("holds {} beyond the level", right.name)), "REVOKE")
            }
        };
        // A right that is both too much and may be passed on loses both at once.
        let excess = right.state == State::Grantable && !is_asked && !is_within;
        let prefix = if excess { "REVOKE" } else { prefix };
        match take(prefix, self.content, right, &self.grantee) {
            Some(sql) => difference.add_on(missing, &right.on, sql),
            None => merge(&mut difference.left, missing, &right.on),
        }
    }

    /// What everybody is given or denied here. Denials through other roles go with the membership.
    fn note_public(&self, wanted: &[Wanted], difference: &mut Difference) {
        for right in self.content.rights.iter().filter(|right| right.grantee == PUBLIC) {
            let expected = self.is_within(right) || wanted.iter().any(|(on, name)| self.is(right, on, name));
            let says = match right.state {
                State::Excepted => continue,
                State::Denied => "is denied",
                State::Granted | State::Grantable if expected => continue,
                _ if PUBLIC_BY_DEFAULT.contains(&right.name.as_str()) && right.on == Securable::Database => continue,
                State::Granted | State::Grantable => "holds",
            };
            let (noun, name) = words(&right.on);
            let on = if name.is_empty() { noun.to_owned() } else { format!(" on {noun} {name}") };
            let text = match take("REVOKE", self.content, right, "public") {
                Some(sql) => format!("public {says} {}{on}; to take it back: {sql}", right.name),
                None => format!("public {says} {}{on}", right.name),
            };
            difference.left.push(Missing::plain(text));
        }
    }

    /// Whether the level holds this right here. None holds rights on roles or users, nor ALTER on the database, which
    /// is ALTER on both.
    fn is_within(&self, right: &Right) -> bool {
        let somewhere = match &right.on {
            Securable::Principal(..) | Securable::Other(_) => false,
            Securable::Database => right.name != "ALTER",
            _ => true,
        };
        somewhere && is_within(self.access, &right.name)
    }

    fn is(&self, right: &Right, on: &Securable, name: &str) -> bool {
        right.name == name && same_place(self.names, &right.on, on)
    }
}

fn same_place(names: Names, one: &Securable, other: &Securable) -> bool {
    match (one, other) {
        (Securable::Database, Securable::Database) => true,
        (Securable::Schema(one), Securable::Schema(other)) => names.same(one, other),
        (Securable::Object(schema, one), Securable::Object(of, other)) => {
            names.same(schema, of) && names.same(one, other)
        }
        (one, other) => one == other,
    }
}
