//! What is on the server: one batch for logins and databases, and one per database for users and rights. Everything is
//! fetched whole and compared on this side, so that no name of the configuration ever stands in a query.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use tiberius::{ColumnData, Row};

use super::connect::{MASTER, Pool, Session};
use super::error::Failure;
use super::quote::Statement;
use crate::engine::retry::Class;

/// Databases of the server and of RDS; no level covers them.
const SYSTEM: [&str; 5] = ["master", "model", "msdb", "tempdb", "distribution"];
/// What the names of RDS's own databases begin with.
const RDS: &str = "rdsadmin";

/// How names are compared. Which names are the same is for the collation to say: of the server for logins and
/// databases, of a database for its users, roles and schemas. Letter case and trailing blanks are modelled here, accents
/// and widths are not: names that differ only in those are taken as different, and the server refuses the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Names {
    /// Whether letter case is ignored
    pub(super) folds: bool,
}

impl Names {
    fn of_collation(collation: &str) -> Self {
        let is = |part: &str| collation.split('_').any(|word| word.eq_ignore_ascii_case(part));
        Self { folds: !is("CS") && !is("BIN") && !is("BIN2") }
    }

    /// Whether two names mean the same.
    pub(super) fn same(self, one: &str, other: &str) -> bool {
        let (one, other) = (one.trim_end_matches(' '), other.trim_end_matches(' '));
        one == other || self.folds && one.to_lowercase() == other.to_lowercase()
    }
}

/// A login, or a role of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Principal {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) sid: Vec<u8>,
    /// `S` for a login with a password, `U` and `G` for Windows, `R` for a role
    pub(super) kind: String,
    pub(super) disabled: bool,
    pub(super) default_database: String,
    pub(super) checks_policy: bool,
    pub(super) checks_expiration: bool,
    /// After too many failed attempts
    pub(super) locked: bool,
    pub(super) must_change: bool,
    pub(super) expired: bool,
    /// Seconds since the password was set, by the server's clock
    pub(super) password_age: Option<i64>,
}

/// What a right of the server is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The server itself
    Server,
    /// A login
    Login(String),
    /// A role of the server
    Role(String),
    /// Anything else, by its class in `sys.server_permissions`
    Other(String),
}

/// A right on the server, or on something that is not in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerRight {
    pub(super) grantee: i64,
    pub(super) on: Place,
    pub(super) name: String,
    pub(super) state: State,
    /// Who gave it, and alone can take it back
    pub(super) grantor: i64,
}

/// Whether a right is given or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// GRANT
    Granted,
    /// GRANT WITH GRANT OPTION
    Grantable,
    /// DENY, which wins over every GRANT
    Denied,
    /// A column that was taken out of a grant on its table
    Excepted,
}

impl State {
    fn of(letter: &str) -> Option<Self> {
        match letter {
            "G" => Some(Self::Granted),
            "W" => Some(Self::Grantable),
            "D" => Some(Self::Denied),
            "R" => Some(Self::Excepted),
            _ => None,
        }
    }
}

/// What a right is on, inside a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Securable {
    /// The whole database
    Database,
    /// A schema
    Schema(String),
    /// A table, view, procedure, function, sequence or synonym
    Object(String, String),
    /// A column of a table
    Column(String, String, String),
    /// A type or a collection of XML schemas: its class as statements write it, its schema and its name
    InSchema(&'static str, String, String),
    /// A role or user: its class as statements write it, and its name
    Principal(&'static str, String),
    /// Anything else, by its class in `sys.database_permissions`
    Other(String),
}

impl Securable {
    /// The schema that it is, or lies in.
    pub(super) fn schema(&self) -> Option<&str> {
        match self {
            Self::Schema(schema) | Self::Object(schema, _) | Self::Column(schema, _, _) => Some(schema),
            Self::InSchema(_, schema, _) => Some(schema),
            Self::Database | Self::Principal(..) | Self::Other(_) => None,
        }
    }
}

/// A right inside a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) grantee: i64,
    pub(super) on: Securable,
    pub(super) name: String,
    pub(super) state: State,
    /// Who gave it: a right can be taken back in the giver's name only
    pub(super) grantor: i64,
    /// Whether what it is on has an owner of its own, beside that of its schema
    pub(super) owned: bool,
}

/// A user or role of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) sid: Vec<u8>,
    /// `S` for a user of a login, `R` for a role
    pub(super) kind: String,
    /// 1 when a login of the server authenticates it
    pub(super) authentication: i64,
    /// Principal that owns it, for roles
    pub(super) owner: i64,
}

/// What is inside one database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) users: Vec<User>,
    /// Role and member, by id
    pub(super) members: Vec<(i64, i64)>,
    pub(super) rights: Vec<Right>,
    /// Name and owner
    pub(super) schemas: Vec<(String, i64)>,
}

/// How far a database can be entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// It was read
    Open(Arc<Content>),
    /// One of the server's own
    System,
    /// It cannot be changed or not even entered, for this reason
    Closed(String),
}

/// One database of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) names: Names,
    pub(super) owner: Vec<u8>,
    pub(super) reach: Reach,
}

/// Everything that a comparison needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Catalog {
    /// Major version: 13 for 2016, 16 for 2022
    pub(super) version: u32,
    pub(super) names: Names,
    /// The administrator's own login
    pub(super) me: String,
    /// Whether all logins are visible
    pub(super) sees_logins: bool,
    /// Seconds since 1970 by the server's clock
    pub(super) now: i64,
    /// Whether the server's clock shows local time
    pub(super) local_time: bool,
    pub(super) principals: Vec<Principal>,
    /// Member and the role's name
    pub(super) members: Vec<(i64, String)>,
    pub(super) rights: Vec<ServerRight>,
    pub(super) databases: Vec<Database>,
}

impl Catalog {
    /// The login or role of the server with this name.
    pub(super) fn principal(&self, name: &str) -> Option<&Principal> {
        self.principals.iter().find(|principal| self.names.same(&principal.name, name))
    }

    /// The database of this name.
    pub(super) fn database(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|database| self.names.same(&database.name, name))
    }
}

impl Content {
    /// The user of a login.
    pub(super) fn user_of(&self, sid: &[u8]) -> Option<&User> {
        self.users.iter().find(|user| user.kind != "R" && !sid.is_empty() && user.sid == sid)
    }

    /// The name of a user or role.
    pub(super) fn name_of(&self, id: i64) -> Option<&str> {
        self.users.iter().find(|user| user.id == id).map(|user| user.name.as_str())
    }

    /// The roles that a user is a direct member of.
    pub(super) fn roles_of(&self, user: &User) -> Vec<&str> {
        let ids = self.members.iter().filter(|(_, member)| *member == user.id).map(|(role, _)| *role);
        ids.filter_map(|id| self.users.iter().find(|role| role.id == id)).map(|role| role.name.as_str()).collect()
    }
}

/// Seconds from 1970 to 2000: `DATEDIFF` counts in 32 bits, which 1970 would overflow in 2038.
const TO_2000: i64 = 946_684_800;

const SERVER: &str = "\
SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), CAST(SERVERPROPERTY('Collation') AS nvarchar(128)), \
SUSER_SNAME(), HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW ANY DEFINITION'), HAS_PERMS_BY_NAME(NULL, NULL, 'ALTER ANY LOGIN'), \
DATEDIFF(SECOND, '20000101', GETUTCDATE()), DATEDIFF(MINUTE, GETUTCDATE(), GETDATE());
SELECT p.principal_id, p.name, p.sid, p.type, p.is_disabled, p.default_database_name, l.is_policy_checked, \
l.is_expiration_checked, CAST(LOGINPROPERTY(p.name, 'IsLocked') AS int), \
CAST(LOGINPROPERTY(p.name, 'IsMustChange') AS int), CAST(LOGINPROPERTY(p.name, 'IsExpired') AS int), \
DATEDIFF(SECOND, CAST(LOGINPROPERTY(p.name, 'PasswordLastSetTime') AS datetime), GETDATE()) \
FROM sys.server_principals AS p LEFT JOIN sys.sql_logins AS l ON l.principal_id = p.principal_id;
SELECT m.member_principal_id, r.name FROM sys.server_role_members AS m \
JOIN sys.server_principals AS r ON r.principal_id = m.role_principal_id;
SELECT p.grantee_principal_id, p.class, p.permission_name, p.state, p.grantor_principal_id, p.class_desc, n.name, n.type \
FROM sys.server_permissions AS p \
LEFT JOIN sys.server_principals AS n ON p.class = 101 AND n.principal_id = p.major_id;
SELECT d.name, d.collation_name, d.owner_sid, d.state_desc, d.is_read_only, HAS_DBACCESS(d.name), \
d.source_database_id, d.is_distributor FROM sys.databases AS d;";

/// Rights are read for everybody: who takes a schema over has to give its rights again. `HAS_PERMS_BY_NAME` reads a name
/// as statements do, so it is quoted; no name of a database is too long for that.
const DATABASE: &str = "\
SELECT HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), 'DATABASE', 'CONTROL');
SELECT principal_id, name, sid, type, authentication_type, owning_principal_id FROM sys.database_principals;
SELECT role_principal_id, member_principal_id FROM sys.database_role_members;
SELECT p.grantee_principal_id, p.class, p.permission_name, p.state, p.class_desc, s.name, \
COALESCE(o.name, u.name, t.name, x.name), c.name, u.type, p.grantor_principal_id, \
COALESCE(o.principal_id, t.principal_id, x.principal_id) \
FROM sys.database_permissions AS p \
LEFT JOIN sys.objects AS o ON p.class = 1 AND o.object_id = p.major_id \
LEFT JOIN sys.columns AS c ON p.class = 1 AND p.minor_id > 0 AND c.object_id = p.major_id AND c.column_id = p.minor_id \
LEFT JOIN sys.database_principals AS u ON p.class = 4 AND u.principal_id = p.major_id \
LEFT JOIN sys.types AS t ON p.class = 6 AND t.user_type_id = p.major_id \
LEFT JOIN sys.xml_schema_collections AS x ON p.class = 10 AND x.xml_collection_id = p.major_id \
LEFT JOIN sys.schemas AS s ON s.schema_id = \
CASE p.class WHEN 1 THEN o.schema_id WHEN 3 THEN p.major_id WHEN 6 THEN t.schema_id WHEN 10 THEN x.schema_id END \
WHERE p.major_id >= 0;
SELECT name, principal_id FROM sys.schemas;";

impl Catalog {
    /// Reads the server and every database that can be entered. Databases that were read before and are not in `changed`
    /// are taken from `earlier`.
    pub(super) async fn load(pool: &Pool, earlier: Option<(&Self, &[&str])>) -> Result<Self, Failure> {
        let mut session = pool.session(MASTER).await?;
        let results = session.run(&Statement::new("reading the logins and databases", SERVER)).await?;
        session.keep();
        let mut catalog = server(&results)?;
        let known: BTreeMap<&str, &Reach> =
            earlier.map(|(earlier, changed)| unchanged(earlier, changed)).unwrap_or_default();
        let databases = std::mem::take(&mut catalog.databases);
        let opened = databases.into_iter().map(|database| open(pool, &known, database));
        catalog.databases = stream::iter(opened).buffered(pool.bound()).try_collect().await?;
        Ok(catalog)
    }
}

fn unchanged<'a>(earlier: &'a Catalog, changed: &[&str]) -> BTreeMap<&'a str, &'a Reach> {
    let stays = |database: &&Database| !changed.contains(&database.name.as_str());
    earlier.databases.iter().filter(stays).map(|database| (database.name.as_str(), &database.reach)).collect()
}

async fn open(pool: &Pool, known: &BTreeMap<&str, &Reach>, database: Database) -> Result<Database, Failure> {
    let reach = match (&database.reach, known.get(database.name.as_str())) {
        (Reach::Open(_), Some(reach)) => (*reach).clone(),
        (Reach::Open(_), None) => enter(pool, &database.name).await?,
        (closed, _) => closed.clone(),
    };
    Ok(Database { reach, ..database })
}

async fn enter(pool: &Pool, name: &str) -> Result<Reach, Failure> {
    let read = async {
        let mut session: Session<'_> = pool.session(name).await?;
        let results = session.run(&Statement::new(format!("reading the database {name}"), DATABASE)).await?;
        session.keep();
        Ok(results)
    };
    match read.await {
        Ok(results) if is_controlled(&results) => Ok(Reach::Open(Arc::new(content(&results)))),
        // Without CONTROL users and rights are neither all visible nor to be changed.
        Ok(_) => Ok(Reach::Closed(NO_CONTROL.to_owned())),
        // One database must not hide the others.
        Err(Failure { class: Class::Closed, fault, .. }) => Ok(Reach::Closed(format!("cannot be entered: {fault}"))),
        Err(failure) => Err(failure),
    }
}

const NO_CONTROL: &str = "cannot be managed, because the administrator is not db_owner there; to make it so, as the \
     owner of the database: ALTER ROLE db_owner ADD MEMBER its user";

fn is_controlled(results: &[Vec<Row>]) -> bool {
    results.first().and_then(|rows| rows.first()).and_then(|row| number(row, 0)) == Some(1)
}

fn server(results: &[Vec<Row>]) -> Result<Catalog, Failure> {
    let [facts, principals, members, rights, databases] = results else { return Err(unreadable()) };
    let facts = facts.first().ok_or_else(unreadable)?;
    let version = text(facts, 0).split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default();
    let names = Names::of_collation(&text(facts, 1));
    Ok(Catalog {
        version,
        names,
        me: text(facts, 2),
        sees_logins: number(facts, 3) == Some(1) || number(facts, 4) == Some(1),
        now: number(facts, 5).unwrap_or_default() + TO_2000,
        local_time: number(facts, 6) != Some(0),
        principals: principals.iter().map(principal).collect(),
        members: members.iter().map(|row| (id(row, 0), text(row, 1))).collect(),
        rights: rights.iter().filter_map(server_right).collect(),
        databases: databases.iter().map(database).collect(),
    })
}

fn unreadable() -> Failure {
    let step = "reading the logins and databases".to_owned();
    crate::engine::Fault::Statement { step, text: "the answer has another number of results".to_owned() }.into()
}

fn principal(row: &Row) -> Principal {
    let flag = |at| number(row, at) == Some(1);
    Principal {
        id: id(row, 0),
        name: text(row, 1),
        sid: binary(row, 2),
        kind: text(row, 3).trim_end().to_owned(),
        disabled: flag(4),
        default_database: text(row, 5),
        checks_policy: flag(6),
        checks_expiration: flag(7),
        locked: flag(8),
        must_change: flag(9),
        expired: flag(10),
        password_age: number(row, 11),
    }
}

fn server_right(row: &Row) -> Option<ServerRight> {
    let state = State::of(text(row, 3).trim_end())?;
    let name = text(row, 6);
    let on = match id(row, 1) {
        100 => Place::Server,
        101 if name.is_empty() => Place::Other(text(row, 5)),
        101 if text(row, 7).trim_end() == "R" => Place::Role(name),
        101 => Place::Login(name),
        _ => Place::Other(text(row, 5)),
    };
    Some(ServerRight { grantee: id(row, 0), on, name: text(row, 2), state, grantor: id(row, 4) })
}

fn database(row: &Row) -> Database {
    let name = text(row, 0);
    let closed = |why: &str| Reach::Closed(why.to_owned());
    let (state, read_only, access) = (text(row, 3), number(row, 4) == Some(1), number(row, 5) == Some(1));
    let reach = if is_system(&name) || number(row, 7) == Some(1) {
        Reach::System
    } else if number(row, 6).is_some() {
        closed("is a snapshot, which never changes")
    } else if state != "ONLINE" {
        closed(&format!("is {}", state.to_lowercase()))
    } else if !access {
        closed(
            "cannot be entered by the administrator (916), because another login made or restored it: let that login \
             give it a user in db_owner, or reset the master password with RDS, which restores its rights",
        )
    } else if read_only {
        closed("is read-only")
    } else {
        Reach::Open(Arc::default())
    };
    Database { names: Names::of_collation(&text(row, 1)), owner: binary(row, 2), name, reach }
}

fn is_system(name: &str) -> bool {
    let name = name.to_lowercase();
    SYSTEM.contains(&name.as_str())
        || name.strip_prefix(RDS).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

fn content(results: &[Vec<Row>]) -> Content {
    let rows = |at: usize| results.get(at).into_iter().flatten();
    let user = |row: &Row| User {
        id: id(row, 0),
        name: text(row, 1),
        sid: binary(row, 2),
        kind: text(row, 3).trim_end().to_owned(),
        authentication: number(row, 4).unwrap_or_default(),
        owner: number(row, 5).unwrap_or(-1),
    };
    Content {
        users: rows(1).map(user).collect(),
        members: rows(2).map(|row| (id(row, 0), id(row, 1))).collect(),
        rights: rows(3).filter_map(right).collect(),
        schemas: rows(4).map(|row| (text(row, 0), id(row, 1))).collect(),
    }
}

fn right(row: &Row) -> Option<Right> {
    let state = State::of(text(row, 3).trim_end())?;
    let (schema, name, column) = (text(row, 5), text(row, 6), text(row, 7));
    let on = match id(row, 1) {
        0 => Securable::Database,
        3 => Securable::Schema(schema),
        1 | 4 | 6 | 10 if name.is_empty() => Securable::Other(text(row, 4)),
        1 if column.is_empty() => Securable::Object(schema, name),
        1 => Securable::Column(schema, name, column),
        4 => Securable::Principal(principal_class(text(row, 8).trim_end()), name),
        6 => Securable::InSchema("TYPE", schema, name),
        10 => Securable::InSchema("XML SCHEMA COLLECTION", schema, name),
        _ => Securable::Other(text(row, 4)),
    };
    let (grantor, owned) = (id(row, 9), number(row, 10).is_some());
    Some(Right { grantee: id(row, 0), on, name: text(row, 2), state, grantor, owned })
}

/// How statements write the class of a principal of this type.
fn principal_class(kind: &str) -> &'static str {
    match kind {
        "R" => "ROLE",
        "A" => "APPLICATION ROLE",
        _ => "USER",
    }
}

fn id(row: &Row, at: usize) -> i64 {
    number(row, at).unwrap_or(-1)
}

/// A number or a bit; `None` for NULL.
pub(super) fn number(row: &Row, at: usize) -> Option<i64> {
    match row.get_column_data(at).ok()? {
        ColumnData::U8(value) => value.map(i64::from),
        ColumnData::I16(value) => value.map(i64::from),
        ColumnData::I32(value) => value.map(i64::from),
        ColumnData::I64(value) => *value,
        ColumnData::Bit(value) => value.map(i64::from),
        _ => None,
    }
}

/// A text; empty for NULL.
pub(super) fn text(row: &Row, at: usize) -> String {
    match row.get_column_data(at) {
        Ok(ColumnData::String(Some(value))) => value.clone().into_owned(),
        _ => String::new(),
    }
}

fn binary(row: &Row, at: usize) -> Vec<u8> {
    match row.get_column_data(at) {
        Ok(ColumnData::Binary(Some(value))) => value.clone().into_owned(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_the_collation_says() {
        let folding = Names::of_collation("SQL_Latin1_General_CP1_CI_AS");
        assert!(folding.same("Hoop_RO", "hoop_ro") && folding.same("hoop_ro  ", "hoop_ro"));
        assert!(folding.same("\u{C4}rger", "\u{E4}rger") && !folding.same("a", "\u{E4}"));
        for exact in ["Latin1_General_CS_AS", "Latin1_General_BIN", "Latin1_General_100_BIN2_UTF8"] {
            let names = Names::of_collation(exact);
            assert!(!names.same("Hoop_RO", "hoop_ro") && names.same("hoop_ro ", "hoop_ro"), "{exact}");
        }
    }

    #[test]
    fn the_servers_own_databases_are_told_apart() {
        for name in ["master", "MSDB", "rdsadmin", "rdsadmin_ReportServer", "distribution"] {
            assert!(is_system(name), "{name}");
        }
        assert!(!is_system("rdsadministration") && !is_system("app"));
    }
}
