//! SQL Server as a subject of the suite.
//!
//! With `RDSACCESS_TEST_MSSQL` set (see `server_sqlserver`) the suite runs on that server, one case after the other, and
//! drops the databases and logins that the cases use, whoever made them: name a server that is there for this. Its user
//! must be a sysadmin, who is administrator and DBA at once. Without it the cases run on the stand-in, which proves the
//! engine but nothing about SQL Server; the table of the levels then needs the real one.

mod drift;
mod grants;
mod names;
mod proof;

use std::sync::Arc;
use std::time::Duration;

use rdsaccess::access::{EngineKind, Grant};
use rdsaccess::engine::{Server, open};
use tiberius::error::Error as Driver;

use super::subject::{Beside, Drift, Legacy, NEXT_PASSWORD, Names, Outcome, PASSWORD, Row, Subject};
use crate::server_sqlserver::{Connection, TestServer, first_column, query};

case!(SqlServer, [#[ignore = "needs a real server: set RDSACCESS_TEST_MSSQL"]], levels, levels_hold);
case!(SqlServer, [], scope, a_chosen_database_is_all_that_a_role_enters);
case!(SqlServer, [], scope, all_databases_are_those_that_are_not_the_systems);
case!(SqlServer, [], scope, databases_that_cannot_be_covered_are_refused_by_name);
case!(SqlServer, [], later, later_tables_of_everybody_who_creates_are_covered);
case!(SqlServer, [], later, what_one_ddl_login_makes_another_may_change);
case!(SqlServer, [], later, a_new_database_is_drift_until_the_next_ensure);
case!(SqlServer, [], drift, every_change_by_hand_is_seen_and_repaired);
case!(SqlServer, [], grants, a_grant_outside_the_covered_databases_is_refused);
case!(SqlServer, [], grants, a_grant_that_cannot_be_is_refused_before_anything_is_sent);
case!(SqlServer, [], grants, each_grant_opens_what_it_names_and_goes_with_the_specification);
case!(SqlServer, [], change, a_level_is_changed_in_place);
case!(SqlServer, [], removal, a_dropped_role_leaves_nothing_and_can_be_made_again);
case!(SqlServer, [], removal, a_disabled_role_keeps_its_name_and_comes_back_with_its_password);
case!(SqlServer, [], password, a_changed_password_replaces_the_old_one_and_is_never_logged);
case!(SqlServer, [], password, a_role_without_a_password_lets_nobody_in);
case!(SqlServer, [], password, a_password_that_cannot_be_set_is_not_logged_either);
case!(SqlServer, [], ownership, a_role_of_somebody_else_is_left_alone_until_it_is_adopted);
case!(SqlServer, [], ownership, a_role_that_came_with_a_copy_of_another_server_is_not_ours);
case!(SqlServer, [], ownership, administrators_are_never_managed);
case!(SqlServer, [], names, hostile_names_make_the_whole_round);
case!(SqlServer, [], names, a_refused_name_is_refused_before_anything_is_sent);
// Not here: `sessions_end_with_the_role_or_are_named`, because SQL Server drops no login that is logged in (see
// `sqlserver::removal`), and `what_a_role_made_stays_and_is_named`, because nothing belongs to a role here.
suite_of_terms!(SqlServer);

/// The codes that say that a right is missing: on an object, a statement, the server, a database, at the login.
const DENIALS: [u32; 17] =
    [229, 230, 262, 297, 300, 916, 1088, 3701, 4060, 4613, 4701, 5011, 6102, 15151, 15247, 18456, 2760];

/// Databases that the cases make.
const DATABASES: [&str; 3] = ["app", "other", "fresh"];
/// Logins that the cases make.
const LOGINS: [&str; 9] =
    ["hoop", "hoop_ro", "hoop_rw", "hoop_ddl", "first", "second", "creator", "theirs", "stubborn"];
/// Where a real server keeps the batches it got.
const EVENTS: &str = "rdsaccess_conformance";

/// A server; on a real one a session holds the turn of this case.
pub(crate) struct SqlServer {
    server: TestServer,
    _turn: Connection,
}

fn outcome(error: &Driver) -> Outcome {
    match error {
        Driver::Server(error) if DENIALS.contains(&error.code()) => Outcome::Denied(error.code().to_string()),
        Driver::Server(error) => Outcome::Failed(error.code().to_string(), error.message().to_owned()),
        other => Outcome::Failed(String::new(), other.to_string()),
    }
}

impl Subject for SqlServer {
    type Session = Connection;

    const SYSTEM_DATABASES: &'static [&'static str] = &["master", "model", "msdb", "tempdb"];
    const HAS_EXPIRY: bool = false;
    const HAS_CONNECTION_LIMIT: bool = false;
    const OPEN_SESSIONS_FOLLOW: bool = true;
    /// The server masks statements with a password in what it shows of them.
    const CLEAR: &'static [&'static str] = &["PASSWORD ="];

    async fn start() -> Self {
        let server = TestServer::start_unnamed();
        let mut turn = server.as_dba("master").await;
        if server.is_real() {
            take_turn(&mut turn).await;
            empty(&server).await;
        }
        Self { server, _turn: turn }
    }

    fn label(&self) -> String {
        "sqlserver".to_owned()
    }

    fn kind(&self) -> EngineKind {
        EngineKind::Sqlserver
    }

    fn engine(&self) -> Arc<dyn Server> {
        open(EngineKind::Sqlserver, self.server.admin()).unwrap()
    }

    fn administrator(&self) -> String {
        self.server.admin().username.to_string()
    }

    fn keeps_marks(&self) -> bool {
        false
    }

    async fn by_hand(&self, database: &str, statements: &[&str]) {
        let admin = Self::quote(&self.administrator());
        let statements: Vec<String> = statements.iter().map(|sql| sql.replace("$admin", &admin)).collect();
        self.server.by_hand(database, &statements.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    async fn as_administrator(&self, database: &str, statements: &[&str]) {
        let mut admin = self.server.as_admin(database).await;
        for sql in statements {
            query(&mut admin, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    async fn column(&self, database: &str, sql: &str) -> Vec<String> {
        self.server.by_hand(database, &[sql]).await.iter().map(first_column).collect()
    }

    async fn login(&self, user: &str, password: &str, database: &str) -> Result<Connection, Outcome> {
        self.server.connect((user, password), database).await.map_err(|error| outcome(&error))
    }

    async fn leave(session: Connection) {
        session.close().await.unwrap();
    }

    async fn wait_until_gone(&self, user: &str) {
        let sql = format!("SELECT session_id FROM sys.dm_exec_sessions WHERE login_name = '{user}';");
        while !self.column("master", &sql).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn attempt(session: &mut Connection, sql: &str) -> Outcome {
        match query(session, sql).await {
            Ok(_) => Outcome::Allowed,
            Err(error) => outcome(&error),
        }
    }

    async fn value(session: &mut Connection, sql: &str) -> String {
        match query(session, sql).await {
            Ok(rows) => rows.first().map(first_column).unwrap_or_default(),
            Err(error) => outcome(&error).to_string(),
        }
    }

    async fn log(&self) -> String {
        if !self.server.is_real() {
            let masked = |sql: &str| sql.contains("LOGIN") && sql.contains("PASSWORD");
            let shown = |sql: String| if masked(&sql) { "--*CREATE LOGIN---".to_owned() } else { sql };
            return self.server.all_batches().into_iter().map(|(_, sql)| shown(sql) + "\n").collect();
        }
        // Events come a second late.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let sql = format!(
            "SELECT e.n.value('(data[@name=\"batch_text\"]/value)[1]', 'nvarchar(max)') FROM (SELECT CAST(t.target_data AS xml) \
             AS x FROM sys.dm_xe_session_targets AS t JOIN sys.dm_xe_sessions AS s ON s.address = t.event_session_address \
             WHERE s.name = '{EVENTS}') AS q CROSS APPLY q.x.nodes('//event') AS e(n);"
        );
        self.column("master", &sql).await.into_iter().map(|sql| sql + "\n").collect()
    }

    fn changing(log: &str) -> Vec<String> {
        let words = ["CREATE ", "ALTER ", "DROP ", "GRANT ", "REVOKE ", "DENY ", "KILL "];
        let changes = |line: &&str| words.iter().any(|word| line.trim_start_matches("--*").starts_with(word));
        log.lines().filter(changes).map(str::to_owned).collect()
    }

    fn quote(name: &str) -> String {
        format!("[{}]", name.replace(']', "]]"))
    }

    fn table(database: &str, name: &str) -> String {
        format!("{}.[dbo].{}", Self::quote(database), Self::quote(name))
    }

    async fn make_database(&self, name: &str) {
        let mut admin = self.server.as_admin("master").await;
        let sql = format!("CREATE DATABASE {};", Self::quote(name));
        query(&mut admin, &sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn furnish(&self) {
        self.make_shop("other").await;
        for sql in proof::OWNED {
            self.as_administrator("app", &[sql]).await;
        }
    }

    fn proof(&self) -> Vec<Row> {
        proof::rows()
    }

    fn drifts(&self) -> Vec<Drift> {
        drift::all()
    }

    fn beside(&self) -> Vec<Beside> {
        grants::all()
    }

    fn refused_grants(&self) -> Vec<(Grant, &'static str)> {
        grants::refused()
    }

    fn names(&self) -> Names {
        names::all()
    }

    fn legacy(&self) -> Legacy {
        Legacy { makes: &[], named: "", freed: &[], kept: "SELECT id FROM dbo.orders;" }
    }

    async fn traces(&self) -> Vec<String> {
        let logins = "SELECT name FROM sys.server_principals;";
        let mut found = self.column("master", logins).await;
        for database in self.column("master", "SELECT name FROM sys.databases WHERE database_id > 4;").await {
            if database.starts_with("rdsadmin") {
                continue;
            }
            let users = self.column(&database, "SELECT name FROM sys.database_principals;").await;
            found.extend(users.into_iter().map(|user| format!("{database}: {user}")));
        }
        found.sort();
        found
    }

    async fn make_creator(&self) {
        let create = format!("CREATE LOGIN creator WITH PASSWORD = N'{PASSWORD}';");
        self.by_hand("master", &[&create]).await;
        let rights = ["GRANT CREATE TABLE TO creator;", "GRANT ALTER ON SCHEMA::dbo TO creator;"];
        self.by_hand("app", &["CREATE USER creator FOR LOGIN creator;", rights[0], rights[1]]).await;
    }

    /// Only an administrator who is no sysadmin can lose the right.
    async fn make_stubborn(&self) {
        let make = ["CREATE LOGIN stubborn WITH PASSWORD = N'Stubborn-pass1';", "ALTER LOGIN stubborn ENABLE;"];
        self.by_hand("master", &make).await;
        let admin = Self::quote(&self.administrator());
        self.by_hand("master", &[&format!("REVOKE ALTER ANY LOGIN FROM {admin};")]).await;
    }

    async fn make_foreign(&self) {
        let create = format!("CREATE LOGIN theirs WITH PASSWORD = N'{NEXT_PASSWORD}';");
        self.by_hand("master", &[&create]).await;
        let make = ["CREATE USER theirs FOR LOGIN theirs;", "GRANT INSERT ON OBJECT::dbo.orders TO theirs;"];
        self.by_hand("app", &make).await;
    }

    async fn untouchable(&self) -> Vec<String> {
        vec![self.administrator(), "sa".to_owned()]
    }
}

async fn take_turn(turn: &mut Connection) {
    let sql = "DECLARE @taken int; EXEC @taken = sys.sp_getapplock @Resource = N'rdsaccess.conformance', \
               @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 600000; SELECT @taken;";
    query(turn, sql).await.expect("the turn of this case");
}

/// Takes away what the cases make, and begins to keep the batches.
async fn empty(server: &TestServer) {
    let mut dba = server.as_dba("master").await;
    for database in DATABASES.iter().map(|name| (*name).to_owned()).chain(names::all().databases) {
        let quoted = SqlServer::quote(&database);
        let _ = query(&mut dba, &format!("ALTER DATABASE {quoted} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;")).await;
        let _ = query(&mut dba, &format!("DROP DATABASE {quoted};")).await;
    }
    for login in LOGINS.iter().map(|name| (*name).to_owned()).chain(names::all().roles) {
        let _ = query(&mut dba, &format!("DROP LOGIN {};", SqlServer::quote(&login))).await;
    }
    let _ = query(&mut dba, &format!("DROP EVENT SESSION {EVENTS} ON SERVER;")).await;
    let create = format!(
        "CREATE EVENT SESSION {EVENTS} ON SERVER ADD EVENT sqlserver.sql_batch_starting ADD TARGET package0.ring_buffer \
         (SET max_memory = 16384) WITH (MAX_DISPATCH_LATENCY = 1 SECONDS);"
    );
    query(&mut dba, &create).await.expect("a session of events");
    query(&mut dba, &format!("ALTER EVENT SESSION {EVENTS} ON SERVER STATE = START;")).await.expect("events begin");
}
