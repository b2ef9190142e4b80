//! What is there: the system catalogs, read as any user may read them. One query for the server, one per database.
//!
//! Access lists are taken with their built-in defaults (`acldefault`), because an empty column means "as built in" and
//! not "none". Everything else about the server's rules is worked out from these rows, in memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::error::Failure;
use super::quote::Sql;
use crate::access::{Mark, ObjectKind};
use crate::engine::Fault;

/// The number by which the server refers to a role, database, schema or relation.
pub(super) type Oid = u32;

/// PUBLIC, as access lists write it.
pub(super) const PUBLIC: Oid = 0;
/// `pg_database_owner`, whose only member is the owner of the current database.
pub(super) const DATABASE_OWNER: Oid = 6171;
/// Beginning of the name of every group of ours.
pub(super) const GROUP_PREFIX: &str = "rdsaccess_";

/// One privilege; the names are the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Privilege {
    Select,
    Insert,
    Update,
    Delete,
    Truncate,
    References,
    Trigger,
    Maintain,
    Usage,
    Create,
    Connect,
    Temporary,
    Execute,
    /// One that a later version of the server brought
    #[serde(other)]
    Unknown,
}

/// One line of an access list.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "(Oid, Oid, Privilege, bool)")]
pub(super) struct Grant {
    /// Who holds it
    pub(super) grantee: Oid,
    /// Who gave it
    pub(super) grantor: Oid,
    /// What is held
    pub(super) privilege: Privilege,
    /// Whether it may be passed on
    pub(super) grantable: bool,
}

impl From<(Oid, Oid, Privilege, bool)> for Grant {
    fn from((grantee, grantor, privilege, grantable): (Oid, Oid, Privilege, bool)) -> Self {
        Self { grantee, grantor, privilege, grantable }
    }
}

/// What all databases share.
#[derive(Debug, Deserialize)]
pub(super) struct Cluster {
    /// `150018` for 15.18
    pub(super) version: u32,
    /// The user that is logged in
    pub(super) me: Oid,
    #[serde(deserialize_with = "by_oid")]
    pub(super) roles: BTreeMap<Oid, Role>,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) memberships: Vec<Membership>,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) databases: Vec<Database>,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) settings: Vec<Setting>,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) footprints: Vec<Footprint>,
}

/// A login or a group.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Role {
    pub(super) oid: Oid,
    pub(super) name: String,
    pub(super) superuser: bool,
    pub(super) inherit: bool,
    pub(super) create_role: bool,
    pub(super) create_db: bool,
    pub(super) login: bool,
    pub(super) replication: bool,
    pub(super) bypass_rls: bool,
    /// Until when its password is valid, in seconds since 1970; for ever when `None`
    pub(super) valid_until: Option<i64>,
    /// Whether that has passed
    pub(super) expired: bool,
    pub(super) connection_limit: i32,
    pub(super) comment: Option<String>,
}

impl Role {
    /// Our note on it.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.comment.as_deref().and_then(Mark::parse)
    }
}

/// That one role is a member of another. From PostgreSQL 16 a pair may appear several times, with different grantors.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Membership {
    pub(super) role: Oid,
    pub(super) member: Oid,
    pub(super) grantor: Oid,
    pub(super) admin: bool,
    /// Stored from PostgreSQL 16 on; before, the member's own attribute counts
    pub(super) inherit: Option<bool>,
    /// Stored from PostgreSQL 16 on; before, every member may SET ROLE
    pub(super) set: Option<bool>,
}

/// A database of the server.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Database {
    pub(super) oid: Oid,
    pub(super) name: String,
    pub(super) owner: Oid,
    pub(super) open: bool,
    pub(super) template: bool,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) acl: Vec<Grant>,
}

impl Database {
    /// Whether it is not one of the server's own or of RDS.
    pub(super) fn is_user_database(&self) -> bool {
        self.open && !self.template && !self.name.starts_with("template") && self.name != "rdsadmin"
    }
}

/// A stored `SET role` of a login; database 0 means all.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Setting {
    pub(super) database: Oid,
    pub(super) login: Oid,
    /// The role that is set
    pub(super) role: String,
}

/// Where a role leaves traces: in which database something depends on it. Database 0 means shared objects.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Footprint {
    pub(super) role: Oid,
    pub(super) database: Oid,
    /// Whether it stands in access lists there, and does not only own something
    pub(super) granted: bool,
    /// Whether it owns something there, default privileges apart
    pub(super) owns: bool,
}

/// The inside of one database, system schemas apart.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Contents {
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) schemas: Vec<Schema>,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) relations: Vec<Relation>,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) columns: Vec<ColumnGrant>,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) functions: Vec<Function>,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) defaults: Vec<DefaultPrivileges>,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) strays: Vec<Stray>,
}

/// A schema.
#[derive(Debug, Deserialize)]
pub(super) struct Schema {
    pub(super) oid: Oid,
    pub(super) name: String,
    pub(super) owner: Oid,
    /// Whether an extension made it
    pub(super) extension: bool,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) acl: Vec<Grant>,
}

/// A table, view or sequence.
#[derive(Debug, Deserialize)]
pub(super) struct Relation {
    pub(super) oid: Oid,
    pub(super) schema: Oid,
    pub(super) name: String,
    pub(super) kind: RelationKind,
    pub(super) owner: Oid,
    /// Whether an extension made it
    pub(super) extension: bool,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) acl: Vec<Grant>,
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) enum RelationKind {
    #[serde(rename = "r")]
    Table,
    #[serde(rename = "p")]
    PartitionedTable,
    #[serde(rename = "v")]
    View,
    #[serde(rename = "m")]
    MaterializedView,
    #[serde(rename = "f")]
    ForeignTable,
    #[serde(rename = "S")]
    Sequence,
}

impl RelationKind {
    /// The word for people, in the singular.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Table | Self::PartitionedTable => "table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::ForeignTable => "foreign table",
            Self::Sequence => "sequence",
        }
    }

    /// The kind that `grants` knows it by.
    pub(super) fn object_kind(self) -> ObjectKind {
        match self {
            Self::Sequence => ObjectKind::Sequence,
            Self::Table | Self::PartitionedTable | Self::View | Self::MaterializedView | Self::ForeignTable => {
                ObjectKind::Table
            }
        }
    }
}

/// A function, procedure or aggregate that no extension made.
#[derive(Debug, Deserialize)]
pub(super) struct Function {
    pub(super) schema: Oid,
    pub(super) name: String,
    /// `f`, `p`, `a` or `w`
    pub(super) kind: String,
    /// Schema, name and types of its arguments, quoted by the server
    pub(super) signature: String,
    pub(super) owner: Oid,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) acl: Vec<Grant>,
}

/// A right on some column of a relation.
#[derive(Debug, Deserialize)]
pub(super) struct ColumnGrant {
    pub(super) relation: Oid,
    pub(super) grant: Grant,
}

/// What a creator's later objects come with.
#[derive(Debug, Deserialize)]
pub(super) struct DefaultPrivileges {
    pub(super) creator: Oid,
    /// 0 for every schema
    pub(super) schema: Oid,
    pub(super) objects: ObjectType,
    #[serde(deserialize_with = "nothing_is_empty")]
    pub(super) acl: Vec<Grant>,
}

/// The kind of objects that default privileges are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) enum ObjectType {
    #[serde(rename = "r")]
    Tables,
    #[serde(rename = "S")]
    Sequences,
    #[serde(rename = "f")]
    Functions,
    #[serde(rename = "T")]
    Types,
    #[serde(rename = "n")]
    Schemas,
    #[serde(other)]
    Other,
}

/// Something else that depends on one of our groups, or whose access list names a login.
#[derive(Debug, Deserialize)]
pub(super) struct Stray {
    pub(super) role: Oid,
    /// `o` it owns that, `a` it is in its access list, `r` a row policy names it
    pub(super) dependency: String,
    /// The server's word for the kind of object, such as `function`
    pub(super) object_type: String,
    /// Its name, quoted by the server
    pub(super) identity: String,
    /// Its owner; 0 when the kind has none or is not looked up
    pub(super) owner: Oid,
}

/// The lines of an access list as JSON; `$acl` is an expression over the current row.
macro_rules! acl_json {
    ($acl:literal) => {
        concat!(
            "(SELECT json_agg(json_build_array(a.grantee::int8, a.grantor::int8, a.privilege_type, a.is_grantable))",
            " FROM aclexplode(",
            $acl,
            ") AS a)"
        )
    };
}

/// Schemas that belong to users. `pg_` is reserved by the server.
macro_rules! user_schema {
    () => {
        "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    };
}

/// Whether an extension made the object.
macro_rules! of_extension {
    ($class:literal, $oid:literal) => {
        concat!(
            "EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = '",
            $class,
            "'::regclass AND e.objid = ",
            $oid,
            " AND e.deptype = 'e')"
        )
    };
}

const CLUSTER: &str = concat!(
    "SELECT json_build_object(\
     'version', current_setting('server_version_num')::int, \
     'me', (SELECT oid::int8 FROM pg_roles WHERE rolname = current_user), \
     'roles', (SELECT json_agg(json_build_object('oid', r.oid::int8, 'name', r.rolname, 'superuser', r.rolsuper, \
       'inherit', r.rolinherit, 'create_role', r.rolcreaterole, 'create_db', r.rolcreatedb, 'login', r.rolcanlogin, \
       'replication', r.rolreplication, 'bypass_rls', r.rolbypassrls, \
       'valid_until', CASE WHEN r.rolvaliduntil <> 'infinity' THEN \
         greatest(floor(extract(epoch FROM r.rolvaliduntil)), -62135596800)::int8 END, \
       'expired', coalesce(r.rolvaliduntil <= now(), false), 'connection_limit', r.rolconnlimit, \
       'comment', shobj_description(r.oid, 'pg_authid'))) FROM pg_roles AS r), \
     'memberships', (SELECT json_agg(json_build_object('role', m.roleid::int8, 'member', m.member::int8, \
       'grantor', m.grantor::int8, 'admin', m.admin_option, \
       'inherit', (to_jsonb(m) ->> 'inherit_option')::bool, 'set', (to_jsonb(m) ->> 'set_option')::bool)) \
       FROM pg_auth_members AS m), \
     'databases', (SELECT json_agg(json_build_object('oid', d.oid::int8, 'name', d.datname, 'owner', d.datdba::int8, \
       'open', d.datallowconn, 'template', d.datistemplate, 'acl', ",
    acl_json!("coalesce(d.datacl, acldefault('d', d.datdba))"),
    ")) FROM pg_database AS d), \
     'settings', (SELECT json_agg(json_build_object('database', s.setdatabase::int8, 'login', s.setrole::int8, \
       'role', substr(c.line, 6))) FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c(line) \
       WHERE c.line LIKE 'role=%'), \
     'footprints', (SELECT json_agg(json_build_object('role', f.refobjid::int8, 'database', f.dbid::int8, \
       'granted', f.granted, 'owns', f.owns)) \
       FROM (SELECT s.refobjid, s.dbid, bool_or(s.deptype = 'a') AS granted, \
           bool_or(s.deptype = 'o' AND s.classid <> 'pg_default_acl'::regclass) AS owns FROM pg_shdepend AS s \
         WHERE s.refclassid = 'pg_authid'::regclass GROUP BY 1, 2) AS f))"
);

const CONTENTS: &str = concat!(
    "SELECT json_build_object(\
     'schemas', (SELECT json_agg(json_build_object('oid', n.oid::int8, 'name', n.nspname, 'owner', n.nspowner::int8, \
       'extension', ",
    of_extension!("pg_namespace", "n.oid"),
    ", 'acl', ",
    acl_json!("coalesce(n.nspacl, acldefault('n', n.nspowner))"),
    ")) FROM pg_namespace AS n WHERE ",
    user_schema!(),
    "), 'relations', (SELECT json_agg(json_build_object('oid', c.oid::int8, 'schema', c.relnamespace::int8, \
       'name', c.relname, 'kind', c.relkind, 'owner', c.relowner::int8, 'extension', ",
    of_extension!("pg_class", "c.oid"),
    ", 'acl', ",
    acl_json!(
        "coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r'::\"char\" END, c.relowner))"
    ),
    ") ORDER BY c.oid) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
       WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ",
    user_schema!(),
    "), 'columns', (SELECT json_agg(json_build_object('relation', t.attrelid::int8, 'grant', \
       json_build_array(a.grantee::int8, a.grantor::int8, a.privilege_type, a.is_grantable))) \
       FROM pg_attribute AS t, aclexplode(t.attacl) AS a WHERE t.attacl IS NOT NULL AND NOT t.attisdropped), \
     'defaults', (SELECT json_agg(json_build_object('creator', p.defaclrole::int8, \
       'schema', p.defaclnamespace::int8, 'objects', p.defaclobjtype, 'acl', ",
    acl_json!("p.defaclacl"),
    ")) FROM pg_default_acl AS p), \
     'functions', (SELECT json_agg(json_build_object('schema', p.pronamespace::int8, 'name', p.proname, \
       'kind', p.prokind, 'signature', p.oid::regprocedure::text, 'owner', p.proowner::int8, 'acl', ",
    acl_json!("coalesce(p.proacl, acldefault('f', p.proowner))"),
    ") ORDER BY p.oid) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE ",
    user_schema!(),
    " AND NOT ",
    of_extension!("pg_proc", "p.oid"),
    "), 'strays', (SELECT json_agg(json_build_object('role', s.refobjid::int8, 'dependency', s.deptype, \
       'object_type', coalesce(i.type, ''), 'identity', coalesce(i.identity, ''), 'owner', coalesce( \
         (SELECT f.proowner FROM pg_proc AS f WHERE s.classid = 'pg_proc'::regclass AND f.oid = s.objid), \
         (SELECT y.typowner FROM pg_type AS y WHERE s.classid = 'pg_type'::regclass AND y.oid = s.objid), \
         (SELECT c.relowner FROM pg_class AS c WHERE s.classid = 'pg_class'::regclass AND c.oid = s.objid), \
         (SELECT n.nspowner FROM pg_namespace AS n WHERE s.classid = 'pg_namespace'::regclass AND n.oid = s.objid), \
         0)::int8)) \
       FROM pg_shdepend AS s JOIN pg_roles AS r ON r.oid = s.refobjid, \
         pg_identify_object(s.classid, s.objid, 0) AS i \
       WHERE s.refclassid = 'pg_authid'::regclass \
         AND (r.rolname LIKE 'rdsaccess\\_%' OR s.deptype = 'a' AND NOT r.rolsuper AND r.rolname !~ '^(pg|rds)_') \
         AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND s.classid <> 'pg_default_acl'::regclass \
         AND NOT (s.classid = 'pg_namespace'::regclass \
           AND EXISTS (SELECT FROM pg_namespace AS n WHERE n.oid = s.objid AND ",
    user_schema!(),
    ")) AND NOT (s.classid = 'pg_proc'::regclass AND s.deptype = 'a' \
           AND EXISTS (SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace \
             WHERE p.oid = s.objid AND ",
    user_schema!(),
    " AND NOT ",
    of_extension!("pg_proc", "p.oid"),
    ")) AND NOT (s.classid = 'pg_class'::regclass AND s.deptype IN ('o', 'a', 'i') \
           AND EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE c.oid = s.objid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ",
    user_schema!(),
    "))))"
);

/// The query whose answer [`Cluster::parse`] reads.
pub(super) fn cluster_query() -> Sql {
    Sql::of(CLUSTER, &[])
}

/// The query whose answer [`Contents::parse`] reads; it looks at the database of the session.
pub(super) fn contents_query() -> Sql {
    Sql::of(CONTENTS, &[])
}

impl Cluster {
    /// Reads the answer.
    pub(super) fn parse(json: &str) -> Result<Self, Failure> {
        serde_json::from_str(json).map_err(|e| unreadable(&e))
    }

    /// A role by its exact name.
    pub(super) fn role_named(&self, name: &str) -> Option<&Role> {
        self.roles.values().find(|role| role.name == name)
    }

    /// A database by its exact name.
    pub(super) fn database_named(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == name)
    }

    /// The name of a role; a number for one that is gone.
    pub(super) fn role_name(&self, oid: Oid) -> String {
        match self.roles.get(&oid) {
            Some(role) => role.name.clone(),
            None if oid == PUBLIC => "PUBLIC".to_owned(),
            None => oid.to_string(),
        }
    }
}

impl Contents {
    /// Reads the answer.
    pub(super) fn parse(json: &str) -> Result<Self, Failure> {
        serde_json::from_str(json).map_err(|e| unreadable(&e))
    }
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Fault::Statement { step: "reading the catalog".to_owned(), text: format!("unexpected answer: {error}") }.into()
}

/// `json_agg` over no rows gives null.
fn nothing_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

fn by_oid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Oid, Role>, D::Error> {
    Ok(nothing_is_empty::<D, Role>(deserializer)?.into_iter().map(|role| (role.oid, role)).collect())
}
