//! What a login should hold in one database, what it holds, and the difference. Pure: a [`Content`] goes in, words and
//! statements come out.
//!
//! A level is held by membership in fixed database roles, which cover later objects by nature. Any other membership, and
//! any right that neither the level nor `grants` names, is taken back. Rights through `public` stay and are named.

use super::catalog::{Catalog, Content, Database, Names, Principal, Right, Securable, State, User};
use super::privilege::{is_within, level_of_right, level_of_role, level_roles, right as known_right};
use super::quote::identifier;
use crate::access::{Access, Grant, Identifier, Missing, ObjectKind};
use crate::engine::RoleSpec;

/// `public` in every database.
const PUBLIC: i64 = 0;
/// Rights that `public` has in every new database.
const PUBLIC_BY_DEFAULT: [&str; 3] =
    ["CONNECT", "VIEW ANY COLUMN ENCRYPTION KEY DEFINITION", "VIEW ANY COLUMN MASTER KEY DEFINITION"];

/// The difference in one database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// What apply repairs
    pub(super) gaps: Vec<Missing>,
    /// Whether nothing can be done here
    pub(super) blocked: bool,
    /// What stays as it is
    pub(super) left: Vec<Missing>,
    /// Statements that make the gaps disappear
    pub(super) statements: Vec<String>,
    /// The smallest level that contains the rights found
    pub(super) access: Option<Access>,
}

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

/// A database that is not covered: a user of the login there has to go.
pub(super) fn compare_elsewhere(content: &Content, login: &Principal) -> Difference {
    let mut difference = Difference::default();
    let Some(user) = content.user_of(&login.sid) else { return difference };
    if is_owner(user) {
        difference.left.push(Missing::plain(owner_words()));
        difference.blocked = true;
        return difference;
    }
    difference.gaps.push(Missing::plain(format!("user {} exists, and the database is not covered", user.name)));
    difference.statements = drop_user(content, user);
    difference
}

/// Takes a user away. What it owns as a container goes to `dbo`; objects in it stay where they are.
pub(super) fn drop_user(content: &Content, user: &User) -> Vec<String> {
    let schemas = content.schemas.iter().filter(|(_, owner)| *owner == user.id);
    let schemas = schemas.map(|(schema, _)| format!("ALTER AUTHORIZATION ON SCHEMA::{} TO [dbo]", identifier(schema)));
    let roles = content.users.iter().filter(|role| role.kind == "R" && role.owner == user.id);
    let roles = roles.map(|role| format!("ALTER AUTHORIZATION ON ROLE::{} TO [dbo]", identifier(&role.name)));
    schemas.chain(roles).chain([format!("DROP USER {}", identifier(&user.name))]).collect()
}

/// Takes every membership and right from a user and leaves it.
pub(super) fn strip_user(content: &Content, user: &User) -> Vec<String> {
    let grantee = identifier(&user.name);
    let roles = content.roles_of(user).into_iter().map(|role| leave_role(role, &grantee));
    let rights = content.rights.iter().filter(|right| right.grantee == user.id && right.state != State::Denied);
    roles.chain(rights.filter_map(|right| revoke(&right.on, &right.name, &grantee))).collect()
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

impl Difference {
    fn lack(&mut self, gap: impl Into<String>, statement: String) {
        self.gaps.push(Missing::lacking(gap));
        self.statements.push(statement);
    }

    fn add(&mut self, gap: impl Into<String>, statement: String) {
        self.gaps.push(Missing::plain(gap));
        self.statements.push(statement);
    }

    /// Objects with the same gap are listed together.
    fn add_on(&mut self, missing: Missing, on: &Securable, statement: String) {
        merge(&mut self.gaps, missing, on);
        self.statements.push(statement);
    }

    fn raise(&mut self, found: Option<Access>) {
        self.access = self.access.max(found);
    }
}

fn merge(list: &mut Vec<Missing>, missing: Missing, on: &Securable) {
    let (noun, name) = words(on);
    match list.iter_mut().find(|gap| gap.what == missing.what && gap.noun == noun && !name.is_empty()) {
        Some(gap) => gap.names.push(name),
        None if noun.is_empty() => list.push(missing),
        None => list.push(Missing { noun: noun.to_owned(), names: vec![name], ..missing }),
    }
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
        None if named.kind == "S" && named.authentication == 1 => Found::Orphan(named),
        None => Found::Obstacle(format!("the user {} there is not one of a login of this server", named.name)),
    }
}

/// A right that `grants` asks for.
type Wanted = (Securable, &'static str);

/// The rights that `grants` asks for in this database. All objects of a kind are granted at the scope of their schema.
fn wanted(grants: &std::collections::BTreeSet<Grant>, names: Names, database: &str) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for grant in grants.iter().filter(|grant| names.same(grant.database.as_str(), database)) {
        let rights = grant.privileges.iter().filter_map(|privilege| known_right(grant.kind, privilege.as_str()));
        let rights: Vec<&'static str> = rights.collect();
        for on in places(grant) {
            wanted.extend(rights.iter().map(|right| (on.clone(), *right)));
        }
    }
    wanted
}

fn places(grant: &Grant) -> Vec<Securable> {
    let schema = grant.schema.as_ref().map(|schema| schema.as_str().to_owned());
    match (grant.kind, schema, &grant.objects) {
        (ObjectKind::Database, _, _) | (_, None, _) => vec![Securable::Database],
        (_, Some(schema), Some(objects)) => {
            objects.iter().map(|object| Securable::Object(schema.clone(), object.as_str().to_owned())).collect()
        }
        (_, Some(schema), None) => vec![Securable::Schema(schema)],
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
        for right in held {
            self.compare_right(right, wanted, difference);
        }
    }

    fn compare_right(&self, right: &Right, wanted: &[Wanted], difference: &mut Difference) {
        let is_wanted = wanted.iter().any(|(on, name)| self.is(right, on, name));
        let is_connect = right.name == "CONNECT" && right.on == Securable::Database;
        let (missing, prefix) = match right.state {
            State::Denied if is_connect => return,
            State::Denied => (Missing::lacking(format!("is denied {}", right.name)), "REVOKE"),
            State::Grantable => (Missing::plain(format!("may pass on {}", right.name)), "REVOKE GRANT OPTION FOR"),
            State::Granted if is_wanted || is_connect => return,
            State::Granted => {
                difference.raise(level_of_right(&right.name));
                if is_within(self.access, &right.name) {
                    return;
                }
                (Missing::plain(format!("holds {} beyond the level", right.name)), "REVOKE")
            }
        };
        // A right that is both too much and may be passed on loses both at once.
        let excess =
            right.state == State::Grantable && !is_wanted && !is_connect && !is_within(self.access, &right.name);
        let prefix = if excess { "REVOKE" } else { prefix };
        match take(prefix, &right.on, &right.name, &self.grantee) {
            Some(sql) => difference.add_on(missing, &right.on, sql),
            None => merge(&mut difference.left, missing, &right.on),
        }
    }

    /// What everybody is given or denied here. Denials through other roles go with the membership.
    fn note_public(&self, wanted: &[Wanted], difference: &mut Difference) {
        for right in self.content.rights.iter().filter(|right| right.grantee == PUBLIC) {
            let expected =
                is_within(self.access, &right.name) || wanted.iter().any(|(on, name)| self.is(right, on, name));
            let says = match right.state {
                State::Denied => "is denied",
                State::Granted | State::Grantable if expected => continue,
                _ if PUBLIC_BY_DEFAULT.contains(&right.name.as_str()) && right.on == Securable::Database => continue,
                State::Granted | State::Grantable => "holds",
            };
            let (noun, name) = words(&right.on);
            let on = if name.is_empty() { noun.to_owned() } else { format!(" on {noun} {name}") };
            let text = match take("REVOKE", &right.on, &right.name, "public") {
                Some(sql) => format!("public {says} {}{on}; to take it back: {sql}", right.name),
                None => format!("public {says} {}{on}", right.name),
            };
            difference.left.push(Missing::plain(text));
        }
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
        _ => false,
    }
}

fn leave_role(role: &str, grantee: &str) -> String {
    format!("ALTER ROLE {} DROP MEMBER {grantee}", identifier(role))
}

/// The place of a right in a statement; `None` for one that is not known here.
fn clause(on: &Securable) -> Option<String> {
    Some(match on {
        Securable::Database => String::new(),
        Securable::Schema(schema) => format!(" ON SCHEMA::{}", identifier(schema)),
        Securable::Object(schema, object) => format!(" ON OBJECT::{}.{}", identifier(schema), identifier(object)),
        Securable::Column(schema, object, column) => {
            format!(" ON OBJECT::{}.{} ({})", identifier(schema), identifier(object), identifier(column))
        }
        Securable::Other(_) => return None,
    })
}

/// Kind and name of a place, in words.
fn words(on: &Securable) -> (&'static str, String) {
    match on {
        Securable::Database => ("", String::new()),
        Securable::Schema(schema) => ("schema", schema.clone()),
        Securable::Object(schema, object) => ("object", format!("{schema}.{object}")),
        Securable::Column(schema, object, column) => ("column", format!("{schema}.{object}.{column}")),
        Securable::Other(class) => ("securable", class.to_lowercase().replace('_', " ")),
    }
}

/// `name` is out of the closed list or out of the catalog.
fn grant(on: &Securable, name: &str, grantee: &str) -> String {
    format!("GRANT {name}{} TO {grantee}", clause(on).unwrap_or_default())
}

fn revoke(on: &Securable, name: &str, grantee: &str) -> Option<String> {
    take("REVOKE", on, name, grantee)
}

/// CASCADE also takes what was passed on, without which a right that may be passed on cannot be taken.
fn take(prefix: &str, on: &Securable, name: &str, grantee: &str) -> Option<String> {
    let is_right = name.bytes().all(|b| b.is_ascii_uppercase() || b == b' ');
    clause(on).filter(|_| is_right).map(|on| format!("{prefix} {name}{on} FROM {grantee} CASCADE"))
}
