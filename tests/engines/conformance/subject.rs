//! What the suite asks of a server: one adapter per engine says how to start it, how to enter it, and where its SQL
//! differs. Everything else is written once, in the case files beside this one.

use std::fmt;
use std::sync::Arc;

use rdsaccess::access::{Access, DatabaseName, EngineKind, Grant, Mark};
use rdsaccess::engine::{RoleSpec, Scope, Server};

/// Resource id of the server under test.
pub(crate) const RESOURCE_ID: &str = "db-CONFORMANCE";
/// Password of every role that the suite makes: no part of it occurs anywhere else.
pub(crate) const PASSWORD: &str = "Sentinel~w0rd~7f3a";
/// The password that follows it.
pub(crate) const NEXT_PASSWORD: &str = "Follower~w0rd~19c4";

/// What the server answered to one statement, or to a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was done
    Allowed,
    /// A right is missing; the server's code
    Denied(String),
    /// Anything else; the server's code and words
    Failed(String, String),
}

impl Outcome {
    pub(crate) fn is_allowed(&self) -> bool {
        *self == Self::Allowed
    }

    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::Denied(code) => write!(f, "denied ({code})"),
            Self::Failed(code, text) => write!(f, "failed ({code}: {text})"),
        }
    }
}

/// What a statement is expected to do at the levels that do not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is denied with this code; with two codes (`1142/1227`) which one depends on the level
    Denied(&'static str),
    /// The server says that it was done, and this query (one value, asked in the same session) shows that nothing was
    Idle(&'static str),
}

/// One line of the proof: a statement, the smallest level that allows it, and what the others get.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Heading that it stands under
    pub(crate) area: &'static str,
    /// The statement, tried in the database `app`
    pub(crate) sql: String,
    /// The smallest level that allows it; none does when `None`
    pub(crate) from: Option<Access>,
    /// What the levels below get
    pub(crate) refusal: Refusal,
    /// How the statement is shown, where it holds a number that differs from run to run
    pub(crate) shown: Option<&'static str>,
}

impl Row {
    pub(crate) fn new(area: &'static str, sql: impl Into<String>, from: Option<Access>, refusal: Refusal) -> Self {
        Self { area, sql: sql.into(), from, refusal, shown: None }
    }

    pub(crate) fn shown_as(self, shown: &'static str) -> Self {
        Self { shown: Some(shown), ..self }
    }
}

/// A change by hand, made after a role of this level was made on the database `app`.
#[derive(Debug, Clone)]
pub(crate) struct Drift {
    /// Level of the role
    pub(crate) access: Access,
    /// What the DBA does in `app`; `$role` is the role and `$group` its group, where the engine has groups. Both are
    /// quoted where they are put in.
    pub(crate) by_hand: &'static [&'static str],
    /// What reading must say of it, in `login`, `coverage` or `uncovered`; `$role` and `$group` unquoted
    pub(crate) seen: &'static [&'static str],
    /// What the role can do until it is repaired and not afterwards
    pub(crate) opens: &'static [&'static str],
    /// What the role cannot do until it is repaired
    pub(crate) closes: &'static [&'static str],
    /// Clean-up by the DBA, so that the next drift begins with the same database
    pub(crate) after: &'static [&'static str],
}

/// A right beside the level `read_only` on the database `app`.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    /// The entry of `grants`
    pub(crate) grant: Grant,
    /// What it opens: denied without it, allowed with it
    pub(crate) opens: &'static [&'static str],
    /// What stays denied with it
    pub(crate) stays: &'static [&'static str],
    /// How the DBA takes it away; `$role` as in [`Drift`]
    pub(crate) taken: &'static [&'static str],
    /// What reading says then
    pub(crate) missing: &'static str,
}

/// Names that must survive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Possible names of roles
    pub(crate) roles: Vec<String>,
    /// Possible names of databases
    pub(crate) databases: Vec<String>,
    /// Possible names of tables
    pub(crate) tables: Vec<String>,
    /// Names of roles that are refused before anything is sent
    pub(crate) refused: Vec<String>,
}

/// What a `ddl` role leaves behind in `app`.
#[derive(Debug, Clone)]
pub(crate) struct Legacy {
    /// What it runs
    pub(crate) makes: &'static [&'static str],
    /// What the removal says of it, as an error or as a warning
    pub(crate) named: &'static str,
    /// What the DBA does so that the role can go, where it cannot before
    pub(crate) freed: &'static [&'static str],
    /// A query with one value that the removal must not change
    pub(crate) kept: &'static str,
}

/// A running server of one engine, alone for one test.
pub(crate) trait Subject: Sized {
    /// An open session.
    type Session;

    /// Databases of the server itself, which no level covers.
    const SYSTEM_DATABASES: &'static [&'static str];
    /// Whether a role can end by itself.
    const HAS_EXPIRY: bool;
    /// Whether the number of sessions of a role can be bounded.
    const HAS_CONNECTION_LIMIT: bool;
    /// Whether an open session loses a right at once. Where it does not, ending the sessions is part of the removal.
    const OPEN_SESSIONS_FOLLOW: bool;
    /// What a clear password in a statement would stand behind in the log.
    const CLEAR: &'static [&'static str];

    /// Starts (or enters, and empties) a server that nobody else uses while the value lives.
    async fn start() -> Self;

    /// Name and version in short, such as `postgresql-15` or `mariadb-10.11`: where its proof is filed.
    fn label(&self) -> String;

    /// Which engine it is.
    fn kind(&self) -> EngineKind;

    /// The engine on this server as the administrator, as another process would open it: nothing is shared with
    /// earlier calls.
    fn engine(&self) -> Arc<dyn Server>;

    /// The administrator's name.
    fn administrator(&self) -> String;

    /// Whether a role carries our mark. Where it cannot, the stored secret says that it is ours.
    fn keeps_marks(&self) -> bool;

    /// Runs statements as somebody with every right.
    async fn by_hand(&self, database: &str, statements: &[&str]);

    /// Runs statements as the administrator, who then owns what they make.
    async fn as_administrator(&self, database: &str, statements: &[&str]);

    /// The first column of a query by somebody with every right, as texts.
    async fn column(&self, database: &str, query: &str) -> Vec<String>;

    /// Logs in as a role.
    ///
    /// # Errors
    /// The server's refusal.
    async fn login(&self, user: &str, password: &str, database: &str) -> Result<Self::Session, Outcome>;

    /// Closes a session.
    async fn leave(session: Self::Session);

    /// Waits until the server has forgotten the closed sessions of a role.
    async fn wait_until_gone(&self, user: &str);

    /// Tries one statement. A session that is gone is a failure without a code.
    async fn attempt(session: &mut Self::Session, sql: &str) -> Outcome;

    /// The first value of a query in the session; its refusal in words when there is one.
    async fn value(session: &mut Self::Session, sql: &str) -> String;

    /// Every statement that the server has logged so far.
    async fn log(&self) -> String;

    /// The statements in a piece of the log that change roles or rights.
    fn changing(log: &str) -> Vec<String>;

    /// A name as SQL takes it.
    fn quote(name: &str) -> String;

    /// A table as SQL takes it, in a session in this database: where the suite makes its tables (`sales` on PostgreSQL,
    /// `dbo` on SQL Server, the database itself on MySQL).
    fn table(database: &str, name: &str) -> String;

    /// Makes an empty database of the administrator, with the place for [`Subject::table`].
    async fn make_database(&self, name: &str);

    /// Makes the objects of every kind in `app` that the proof is about.
    async fn furnish(&self);

    /// The proof, in the order in which it is tried: `read_only` first, `ddl` last, on the same objects.
    fn proof(&self) -> Vec<Row>;

    /// Runs before this row, so that one row does not decide about the next: where DDL can be rolled back, it rolls
    /// back the one before and begins a transaction.
    async fn before_row(_session: &mut Self::Session, _sql: &str) {}

    /// The name of the group of a role, where the engine has groups.
    async fn group(&self, _access: Access) -> Option<String> {
        None
    }

    /// Changes by hand that must be seen and repaired.
    fn drifts(&self) -> Vec<Drift>;

    /// Rights beside the level.
    fn beside(&self) -> Vec<Beside>;

    /// Entries of `grants` that the engine refuses, and a word of the reason.
    fn refused_grants(&self) -> Vec<(Grant, &'static str)>;

    /// Names that must survive.
    fn names(&self) -> Names;

    /// What a `ddl` role leaves behind.
    fn legacy(&self) -> Legacy;

    /// Everything on the server that names a role: accounts, memberships, settings, rights. Sorted.
    async fn traces(&self) -> Vec<String>;

    /// Makes the role `creator` with the password [`PASSWORD`], which may create tables in `app` where
    /// [`Subject::table`] has them.
    async fn make_creator(&self);

    /// Makes the role `stubborn`, whose password the administrator cannot set.
    async fn make_stubborn(&self);

    /// Makes the role `theirs` with the password [`NEXT_PASSWORD`] and some rights of its own, as somebody else would,
    /// such that the administrator could manage it.
    async fn make_foreign(&self);

    /// Names of roles that are never managed: the administrator, superusers.
    async fn untouchable(&self) -> Vec<String>;

    /// A role on some databases.
    fn spec(&self, name: &str, access: Access, databases: &[&str]) -> RoleSpec {
        let databases = databases.iter().map(|name| name.parse::<DatabaseName>().unwrap()).collect();
        RoleSpec {
            name: name.parse().unwrap(),
            host: "%".parse().unwrap(),
            access,
            scope: Scope { databases: Some(databases), ..Scope::default() },
            grants: Default::default(),
            terms: Default::default(),
            mark: Mark::new(RESOURCE_ID, Some(format!("{access} login"))),
            adopt: !self.keeps_marks(),
            known: false,
        }
    }

    /// Makes a database with the table `orders (id, note)` of one row, owned by the administrator.
    async fn make_shop(&self, database: &str) {
        self.make_database(database).await;
        let orders = Self::table(database, "orders");
        self.as_administrator(
            database,
            &[
                &format!("CREATE TABLE {orders} (id INT, note VARCHAR(40))"),
                &format!("INSERT INTO {orders} (id, note) VALUES (1, 'first')"),
            ],
        )
        .await;
    }

    /// Logs in as a role of the suite and tries one statement.
    async fn try_as(&self, user: &str, database: &str, sql: &str) -> Outcome {
        match self.login(user, PASSWORD, database).await {
            Ok(mut session) => Self::attempt(&mut session, sql).await,
            Err(refused) => refused,
        }
    }

    /// A role as GRANT and REVOKE take it.
    fn account(name: &str) -> String {
        Self::quote(name)
    }
}

/// A subject whose databases hold schemas that a role can be confined to, and owners that it can act for.
pub(crate) trait Schemas: Subject {
    /// A table in a schema, as SQL takes it.
    fn table_in(schema: &str, name: &str) -> String;

    /// Makes a schema of the administrator.
    async fn make_schema(&self, database: &str, name: &str) {
        self.as_administrator(database, &[&format!("CREATE SCHEMA {}", Self::quote(name))]).await;
    }

    /// Names of schemas that must survive.
    fn schema_names(&self) -> Vec<String>;

    /// Makes the owner `keeper`, for whom the administrator may act, with the table `kept`, and the owner `other` with
    /// the table `strange`, both where [`Subject::table`] has them.
    async fn make_owners(&self);

    /// The owner of a table.
    async fn owner(&self, database: &str, name: &str) -> String;
}
