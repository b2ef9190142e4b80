//! What is on the server: settings, databases, accounts and grants. Read whole in one round trip, so that all roles of a
//! server share it, and kept until the first write.

use std::collections::BTreeSet;

use mysql_async::prelude::FromRow;
use mysql_async::{Row, Value};

use super::connect::{Dialect, Session};
use super::error::Failure;
use super::level::{Privilege, Privileges};
use super::named::{Named, routine_name};
use super::password::Plugin;
use super::pattern::NameForm;
use super::quote::Statement;
use crate::access::Secret;
use crate::engine::RoleSpec;

/// The accounts of MySQL.
const ACCOUNTS: &str = "SELECT User, Host, plugin, authentication_string, ssl_type, account_locked, password_expired, \
     max_user_connections, GREATEST(max_questions, max_updates, max_connections), IFNULL(password_lifetime, 0), 0 \
     FROM mysql.user";
/// The same, where an account can have an older password besides.
const ACCOUNTS_WITH_OLD_PASSWORDS: &str = "SELECT User, Host, plugin, authentication_string, ssl_type, account_locked, \
     password_expired, max_user_connections, GREATEST(max_questions, max_updates, max_connections), \
     IFNULL(password_lifetime, 0), IFNULL(JSON_CONTAINS_PATH(User_attributes, 'one', '$.additional_password'), 0) \
     FROM mysql.user";

/// Databases of the server itself and of RDS, which no level ever covers.
const SYSTEM_DATABASES: [&str; 7] =
    ["information_schema", "mysql", "performance_schema", "sys", "innodb", "tmp", "ndbinfo"];

/// Whether a database belongs to the server itself.
pub(super) fn is_system(database: &str) -> bool {
    SYSTEM_DATABASES.iter().any(|system| system.eq_ignore_ascii_case(database))
}

/// User and host: the key of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccountName {
    /// User, case-sensitive
    pub(super) user: String,
    /// Host pattern; the server keeps it in lower case
    pub(super) host: String,
}

impl AccountName {
    /// As information_schema prints it: without escapes, the host as it is kept.
    pub(super) fn printed(&self) -> String {
        format!("'{}'@'{}'", self.user, self.host.to_lowercase())
    }

    /// Whether this is the account; host names ignore case.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.user == other.user && self.host.eq_ignore_ascii_case(&other.host)
    }
}

/// What the server asks of the connections of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    /// Nothing
    Optional,
    /// Encryption
    Required,
    /// A certificate of the client, or one cipher
    Special,
}

/// What bounds an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Sessions at once; 0 is as many as the server gives
    pub(super) connections: i64,
    /// The largest of the limits per hour: queries, updates, connections; 0 is none
    pub(super) hourly: u64,
    /// Days after which the password ends; the server's own rule when it is not positive
    pub(super) password_days: i64,
}

/// One account.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Its key
    pub(super) name: AccountName,
    /// Ways to log in, any of which is enough: plugin and stored hash
    pub(super) logins: Vec<(String, Secret<Vec<u8>>)>,
    /// What the server asks of its connections
    pub(super) tls: Tls,
    /// Whether it is locked
    pub(super) locked: bool,
    /// Whether its password must be changed before anything else
    pub(super) expired: bool,
    /// Whether a second, older password of MySQL is good as well
    pub(super) keeps_old_password: bool,
    /// Its bounds
    pub(super) limits: Limits,
    /// Whether it is a MariaDB role and not an account
    pub(super) is_role: bool,
    /// Whether it is a MariaDB role that holds rights on everything
    pub(super) is_wide_role: bool,
    /// The JSON object of attributes (MySQL 8.0.21 and later)
    pub(super) attributes: Option<serde_json::Value>,
}

/// One row of `mysql.db`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatabaseGrant {
    /// Who holds it
    pub(super) account: AccountName,
    /// The database name exactly as stored: a pattern or a name
    pub(super) stored: String,
    /// What is held
    pub(super) privileges: Privileges,
}

/// What a grant below the level of databases is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Object {
    /// A table or view
    Table(String),
    /// One column of a table
    Column(String, String),
    /// A routine: its kind (`PROCEDURE`, `FUNCTION`, `PACKAGE`) and its name
    Routine(String, String),
}

impl Object {
    /// Whether this is the same object; routine names ignore case.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Routine(kind, name), Self::Routine(other_kind, other_name)) => {
                kind == other_kind && name.to_lowercase() == other_name.to_lowercase()
            }
            _ => self == other,
        }
    }

    /// The table of a column; everything else as it is.
    pub(super) fn without_column(&self) -> Self {
        match self {
            Self::Column(table, _) => Self::Table(table.clone()),
            other => other.clone(),
        }
    }

    /// Its kind in the singular, and its name.
    pub(super) fn words(&self) -> (String, String) {
        match self {
            Self::Table(table) => ("table".to_owned(), table.clone()),
            Self::Column(table, column) => ("column".to_owned(), format!("{table}.{column}")),
            Self::Routine(kind, routine) => (kind.to_lowercase(), routine.clone()),
        }
    }
}

/// A grant below the level of databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectGrant {
    /// Who holds it
    pub(super) account: AccountName,
    /// Database, always a plain name
    pub(super) database: String,
    /// What it is on
    pub(super) object: Object,
    /// What is held
    pub(super) privileges: Privileges,
}

/// A role that was granted to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Membership {
    /// The member
    pub(super) member: AccountName,
    /// The role; MariaDB's have no host
    pub(super) role: String,
    /// Host of the role on MySQL
    pub(super) role_host: Option<String>,
    /// Whether the member may pass it on and take it back
    pub(super) with_admin: bool,
}

impl Membership {
    /// The role; MariaDB's have an empty host in the tables of grants.
    pub(super) fn role_name(&self) -> AccountName {
        AccountName { user: self.role.clone(), host: self.role_host.clone().unwrap_or_default() }
    }

    /// Whether both are about the same role.
    pub(super) fn is_of_role(&self, other: &Self) -> bool {
        self.role_name().is(&other.role_name())
    }
}

/// A right to act as another account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    /// Who holds it
    pub(super) account: AccountName,
    /// The other account; without a user it is any
    pub(super) on: AccountName,
    /// Whether it may be passed on and taken back
    pub(super) with_grant: bool,
}

/// What decides how statements are written and how stored grants are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    /// How database names in grants are read
    pub(super) form: NameForm,
    /// Whether database names ignore case (`lower_case_table_names` is not 0)
    pub(super) folds_case: bool,
    /// The plugin of new accounts
    pub(super) plugin: Plugin,
    /// Rounds of `caching_sha2_password`
    pub(super) rounds: u32,
    /// Roles that every account has, as the server prints them
    pub(super) mandatory_roles: String,
    /// Whether the plugin that takes tokens of IAM shows among the plugins. It explains a failure and decides nothing
    pub(super) iam_loaded: bool,
}

impl Settings {
    /// The name of a database or table as the server keeps it.
    pub(super) fn fold(&self, name: &str) -> String {
        if self.folds_case { name.to_lowercase() } else { name.to_owned() }
    }
}

/// Everything read from one server.
#[derive(Debug, Clone)]
pub(super) struct Catalog {
    /// Engine and version
    pub(super) dialect: Dialect,
    /// The account that is logged in
    pub(super) administrator: AccountName,
    /// Its active roles on MySQL, as the server prints them: quoted, one after the other
    pub(super) active_roles: String,
    /// Settings
    pub(super) settings: Settings,
    /// Databases that exist, system ones included
    pub(super) databases: BTreeSet<String>,
    /// Accounts and MariaDB roles
    pub(super) accounts: Vec<Account>,
    /// Grants on databases
    pub(super) grants: Vec<DatabaseGrant>,
    /// Grants on tables, columns and routines
    pub(super) objects: Vec<ObjectGrant>,
    /// Privileges on everything: `'user'@'host'` as the server prints it, and the privilege
    pub(super) global: Vec<(String, Privilege)>,
    /// Rights to act as other accounts
    pub(super) proxies: Vec<Proxy>,
    /// Granted roles
    pub(super) memberships: Vec<Membership>,
    /// What exists of the objects that the role in question names
    pub(super) named: Named,
}

impl Catalog {
    /// Reads everything in one round trip.
    pub(super) async fn load(session: &mut Session<'_>) -> Result<Self, Failure> {
        let dialect = session.dialect();
        let mut sets = session.batch(&queries(dialect)).await?.into_iter();
        let mut next = || sets.next().unwrap_or_default();
        let (current_user, active_roles) = typed::<(String, Option<String>)>(next()).pop().unwrap_or_default();
        let (user, host) = current_user.rsplit_once('@').unwrap_or_default();
        let settings = settings(dialect, &typed(next()));
        let databases = typed::<(String,)>(next()).into_iter().map(|(name,)| name).collect();
        let accounts = next();
        let mut catalog = Self {
            dialect,
            administrator: AccountName { user: user.to_owned(), host: host.to_owned() },
            active_roles: active_roles.unwrap_or_default(),
            settings,
            databases,
            accounts: if dialect.mariadb { mariadb_accounts(accounts) } else { mysql_accounts(accounts) },
            grants: next().iter().filter_map(database_grant).collect(),
            objects: object_grants(next(), next(), next()),
            global: global_privileges(next()),
            proxies: proxies(next()),
            memberships: memberships(next()),
            named: Named::default(),
        };
        if dialect.mariadb {
            catalog.settings.iam_loaded = !next().is_empty();
        }
        catalog.add_attributes(next());
        Ok(catalog)
    }

    /// Reads everything, and looks up the objects that this role names.
    pub(super) async fn load_for(session: &mut Session<'_>, spec: &RoleSpec) -> Result<Self, Failure> {
        let mut catalog = Self::load(session).await?;
        catalog.named = Named::load(session, &catalog.settings, spec).await?;
        Ok(catalog)
    }

    /// The account of that name.
    pub(super) fn account(&self, name: &AccountName) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name.is(name) && !account.is_role)
    }

    fn add_attributes(&mut self, rows: Vec<Row>) {
        for (user, host, json) in typed::<(String, String, String)>(rows) {
            let name = AccountName { user, host };
            if let Some(account) = self.accounts.iter_mut().find(|account| account.name.is(&name)) {
                account.attributes = serde_json::from_str(&json).ok();
            }
        }
    }
}

fn queries(dialect: Dialect) -> Vec<Statement> {
    let accounts = if dialect.has_dual_passwords() { ACCOUNTS_WITH_OLD_PASSWORDS } else { ACCOUNTS };
    let active_roles = !dialect.mariadb && dialect.has_roles();
    let mut queries = vec![
        if active_roles { "SELECT CURRENT_USER(), CURRENT_ROLE()" } else { "SELECT CURRENT_USER(), NULL" },
        "SHOW VARIABLES WHERE Variable_name IN ('partial_revokes', 'lower_case_table_names', \
         'default_authentication_plugin', 'authentication_policy', 'caching_sha2_password_digest_rounds', \
         'mandatory_roles')",
        "SELECT SCHEMA_NAME FROM information_schema.schemata",
        if dialect.mariadb { "SELECT User, Host, Priv FROM mysql.global_priv" } else { accounts },
        "SELECT * FROM mysql.db",
        "SELECT User, Host, Db, Table_name, Table_priv FROM mysql.tables_priv WHERE Table_priv <> ''",
        "SELECT User, Host, Db, Table_name, Column_name, Column_priv FROM mysql.columns_priv",
        "SELECT User, Host, Db, Routine_type, Routine_name, Proc_priv FROM mysql.procs_priv",
        "SELECT GRANTEE, PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.user_privileges \
         WHERE PRIVILEGE_TYPE <> 'USAGE' OR IS_GRANTABLE = 'YES'",
        "SELECT User, Host, Proxied_user, Proxied_host, With_grant FROM mysql.proxies_priv",
    ];
    if dialect.mariadb {
        queries.push("SELECT User, Host, Role, NULL, Admin_option FROM mysql.roles_mapping");
        queries.push("SELECT 1 FROM information_schema.plugins WHERE PLUGIN_NAME = 'AWSAuthenticationPlugin'");
    } else if dialect.has_roles() {
        queries.push("SELECT TO_USER, TO_HOST, FROM_USER, FROM_HOST, WITH_ADMIN_OPTION FROM mysql.role_edges");
    }
    if dialect.has_attributes() {
        queries
            .push("SELECT USER, HOST, ATTRIBUTE FROM information_schema.user_attributes WHERE ATTRIBUTE IS NOT NULL");
    }
    queries
        .into_iter()
        .map(|sql| Statement::new("reading accounts and grants (needs SELECT on mysql.*)", sql))
        .collect()
}

/// Rows of the expected shape; a row of another shape (bytes that are no text) belongs to no account of ours.
fn typed<T: FromRow>(rows: Vec<Row>) -> Vec<T> {
    rows.into_iter().filter_map(|row| mysql_async::from_row_opt(row).ok()).collect()
}

fn settings(dialect: Dialect, variables: &[(String, String)]) -> Settings {
    let value = |name: &str| {
        let found = variables.iter().find(|(variable, _)| variable.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    Settings {
        form: if value("partial_revokes").eq_ignore_ascii_case("ON") { NameForm::Literal } else { NameForm::Pattern },
        folds_case: !matches!(value("lower_case_table_names"), "" | "0"),
        plugin: default_plugin(dialect, value("default_authentication_plugin"), value("authentication_policy")),
        rounds: value("caching_sha2_password_digest_rounds").parse().unwrap_or(5000),
        mandatory_roles: value("mandatory_roles").to_owned(),
        iam_loaded: false,
    }
}

/// The plugin of new accounts. `authentication_policy` names it first (`*:caching_sha2_password,,`), where `*` alone
/// leaves it to the older variable or to the version's own default.
fn default_plugin(dialect: Dialect, variable: &str, policy: &str) -> Plugin {
    if dialect.mariadb {
        return Plugin::Native;
    }
    let first = policy.split(',').next().unwrap_or_default().trim();
    let named = Plugin::named(first.trim_start_matches("*:")).or_else(|| Plugin::named(variable));
    named.unwrap_or(if dialect.version < (8, 0, 0) { Plugin::Native } else { Plugin::CachingSha2 })
}

fn mysql_accounts(rows: Vec<Row>) -> Vec<Account> {
    type Columns = (String, String, String, Option<Vec<u8>>, String, String, String, i64, u64, i64, i64);
    let account = |(user, host, plugin, hash, ssl, locked, expired, sessions, hourly, days, old): Columns| Account {
        name: AccountName { user, host },
        logins: vec![(plugin, Secret::new(hash.unwrap_or_default()))],
        tls: match ssl.as_str() {
            "" => Tls::Optional,
            "ANY" => Tls::Required,
            _ => Tls::Special,
        },
        locked: locked == "Y",
        expired: expired == "Y",
        keeps_old_password: old != 0,
        limits: Limits { connections: sessions, hourly, password_days: days },
        is_role: false,
        is_wide_role: false,
        attributes: None,
    };
    typed::<Columns>(rows).into_iter().map(account).collect()
}

fn mariadb_accounts(rows: Vec<Row>) -> Vec<Account> {
    typed::<(String, String, String)>(rows)
        .into_iter()
        .filter_map(|(user, host, json)| {
            let json: serde_json::Value = serde_json::from_str(&json).ok()?;
            Some(mariadb_account(AccountName { user, host }, &json))
        })
        .collect()
}

/// Reads the JSON of `mysql.global_priv`. With several ways to log in, `auth_or` lists them and `{}` stands for the one
/// at the top.
fn mariadb_account(name: AccountName, json: &serde_json::Value) -> Account {
    let login = |part: &serde_json::Value| {
        let text = |key: &str| part.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        (text("plugin"), Secret::new(text("authentication_string").into_bytes()))
    };
    let alternatives = json.get("auth_or").and_then(serde_json::Value::as_array);
    let others = alternatives.into_iter().flatten().filter(|part| part.get("plugin").is_some());
    let flag = |key: &str| json.get(key).and_then(serde_json::Value::as_bool).unwrap_or_default();
    let number = |key: &str| json.get(key).and_then(serde_json::Value::as_i64).unwrap_or_default();
    let hourly = ["max_questions", "max_updates", "max_connections"].map(number).into_iter().max();
    Account {
        name,
        logins: std::iter::once(login(json)).chain(others.map(login)).collect(),
        tls: match number("ssl_type") {
            0 => Tls::Optional,
            1 => Tls::Required,
            _ => Tls::Special,
        },
        locked: flag("account_locked"),
        expired: json.get("password_last_changed").and_then(serde_json::Value::as_i64) == Some(0),
        keeps_old_password: false,
        limits: Limits {
            connections: number("max_user_connections"),
            hourly: hourly.and_then(|most| u64::try_from(most).ok()).unwrap_or_default(),
            password_days: number("password_lifetime"),
        },
        is_role: flag("is_role"),
        is_wide_role: flag("is_role") && number("access") != 0,
        attributes: None,
    }
}

fn database_grant(row: &Row) -> Option<DatabaseGrant> {
    let text = |column: &str| row.get_opt::<String, _>(column).and_then(Result::ok);
    let held = |name: &str| matches!(row.get_opt::<Value, _>(name), Some(Ok(Value::Bytes(yes))) if yes == b"Y");
    let columns = row.columns_ref().iter().map(|column| column.name_str());
    let privileges =
        columns.filter(|name| held(name)).filter_map(|name| Privilege::of_column(&name)).collect::<Privileges>();
    Some(DatabaseGrant {
        account: AccountName { user: text("User")?, host: text("Host")? },
        stored: text("Db")?,
        privileges,
    })
}

fn object_grants(tables: Vec<Row>, columns: Vec<Row>, routines: Vec<Row>) -> Vec<ObjectGrant> {
    let grant = |user, host, database, object, held: &str| ObjectGrant {
        account: AccountName { user, host },
        database,
        object,
        privileges: Privilege::of_set(held),
    };
    type Five = (String, String, String, String, String);
    type Six = (String, String, String, String, String, String);
    let tables = typed::<Five>(tables);
    let columns = typed::<Six>(columns);
    let routines = typed::<Six>(routines);
    let tables = tables.into_iter().map(|(u, h, d, table, held)| grant(u, h, d, Object::Table(table), &held));
    let columns =
        columns.into_iter().map(|(u, h, d, table, column, held)| grant(u, h, d, Object::Column(table, column), &held));
    let routines = routines
        .into_iter()
        .map(|(u, h, d, kind, name, held)| grant(u, h, d, Object::Routine(kind, routine_name(&name)), &held));
    tables.chain(columns).chain(routines).collect()
}

fn global_privileges(rows: Vec<Row>) -> Vec<(String, Privilege)> {
    let mut found = Vec::new();
    for (grantee, name, grantable) in typed::<(String, String, String)>(rows) {
        if grantable == "YES" {
            found.extend(Privilege::named("GRANT OPTION").map(|option| (grantee.clone(), option)));
        }
        if name != "USAGE" {
            found.extend(Privilege::named(&name).map(|privilege| (grantee, privilege)));
        }
    }
    found
}

fn proxies(rows: Vec<Row>) -> Vec<Proxy> {
    let proxy = |(user, host, on_user, on_host, with_grant)| Proxy {
        account: AccountName { user, host },
        on: AccountName { user: on_user, host: on_host },
        with_grant,
    };
    typed::<(String, String, String, String, bool)>(rows).into_iter().map(proxy).collect()
}

fn memberships(rows: Vec<Row>) -> Vec<Membership> {
    type Columns = (String, String, String, Option<String>, String);
    let membership = |(user, host, role, role_host, admin): Columns| Membership {
        member: AccountName { user, host },
        role,
        role_host,
        with_admin: admin == "Y",
    };
    typed::<Columns>(rows).into_iter().map(membership).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mysql(version: (u16, u16, u16)) -> Dialect {
        Dialect { mariadb: false, version }
    }

    #[test]
    fn the_default_plugin_follows_the_servers_settings() {
        for (version, variable, policy, expected) in [
            ((5, 7, 44), "mysql_native_password", "", Plugin::Native),
            ((5, 7, 44), "", "", Plugin::Native),
            ((8, 0, 36), "mysql_native_password", "*,,", Plugin::Native),
            ((8, 0, 36), "caching_sha2_password", "*,,", Plugin::CachingSha2),
            ((8, 4, 0), "", "*:caching_sha2_password,,", Plugin::CachingSha2),
            ((8, 4, 0), "", "mysql_native_password,,", Plugin::Native),
            ((9, 7, 0), "", "*,,", Plugin::CachingSha2),
        ] {
            assert_eq!(default_plugin(mysql(version), variable, policy), expected, "{version:?} {variable} {policy}");
        }
    }

    #[test]
    fn partial_revokes_decides_how_database_names_are_read() {
        let with = |value: &str| settings(mysql((8, 0, 36)), &[("partial_revokes".into(), value.into())]).form;
        assert_eq!(with("ON"), NameForm::Literal);
        assert_eq!(with("OFF"), NameForm::Pattern);
        assert_eq!(settings(mysql((5, 7, 44)), &[]).form, NameForm::Pattern);
    }

    #[test]
    fn a_mariadb_account_is_read_from_its_json() {
        let json = serde_json::json!({
            "access": 18_446_744_073_709_551_615_u64, "plugin": "mysql_native_password",
            "authentication_string": "*AB", "auth_or": [{}, {"plugin": "unix_socket"}],
            "ssl_type": 1, "account_locked": true, "password_last_changed": 1, "max_user_connections": 7,
            "max_questions": 5, "max_updates": 0, "password_lifetime": -1,
        });
        let account = mariadb_account(AccountName { user: "u".into(), host: "%".into() }, &json);
        let plugins: Vec<&str> = account.logins.iter().map(|(plugin, _)| plugin.as_str()).collect();
        assert_eq!(plugins, ["mysql_native_password", "unix_socket"]);
        assert!(account.tls == Tls::Required && account.locked && !account.expired && !account.is_role);
        assert_eq!(account.limits, Limits { connections: 7, hourly: 5, password_days: -1 });
        assert!(!format!("{account:?}").contains("*AB"), "a hash never prints");
    }

    #[test]
    fn each_version_is_asked_only_for_what_it_has() {
        let text = |dialect| queries(dialect).iter().map(Statement::sql).collect::<Vec<_>>().join("\n");
        assert!(!text(mysql((5, 7, 44))).contains("role_edges"));
        assert!(text(mysql((8, 0, 20))).contains("role_edges"));
        assert!(!text(mysql((8, 0, 20))).contains("user_attributes"));
        assert!(text(mysql((8, 0, 21))).contains("user_attributes"));
        assert!(!text(mysql((8, 0, 13))).contains("additional_password"));
        assert!(text(mysql((8, 0, 14))).contains("additional_password"));
        assert!(text(Dialect { mariadb: true, version: (10, 11, 0) }).contains("global_priv"));
    }
}
