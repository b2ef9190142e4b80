//! PostgreSQL as a subject of the suite.

mod drift;
mod furniture;
mod grants;
mod names;
mod proof;

use std::sync::Arc;
use std::time::Duration;

use rdsaccess::access::{Access, EngineKind, Grant};
use rdsaccess::engine::Server;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::subject::{Beside, Drift, Legacy, NEXT_PASSWORD, Names, Outcome, PASSWORD, Row, Schemas, Subject};
use crate::server_postgres::{MASTER, PostgresServer};

suite!(Postgres);
suite_of_schemas!(Postgres);
suite_of_terms!(Postgres);

/// A server with one session of the administrator that stays, for statements that are about other people's sessions.
pub(crate) struct Postgres {
    server: PostgresServer,
    version: u32,
    _present: Client,
}

fn outcome(error: &tokio_postgres::Error) -> Outcome {
    let Some(server) = error.as_db_error() else { return Outcome::Failed(String::new(), error.to_string()) };
    let code = server.code().code().to_owned();
    let denials =
        [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION];
    if denials.contains(server.code()) {
        Outcome::Denied(code)
    } else {
        Outcome::Failed(code, server.message().to_owned())
    }
}

/// Statements that refuse to run inside a transaction before they look at anybody's rights.
fn stands_alone(sql: &str) -> bool {
    ["ALTER SYSTEM", "CREATE DATABASE", "DROP DATABASE", "CREATE TABLESPACE"].iter().any(|verb| sql.starts_with(verb))
}

impl Subject for Postgres {
    type Session = Client;

    const SYSTEM_DATABASES: &'static [&'static str] = &["rdsadmin", "template0", "template1"];
    const HAS_EXPIRY: bool = true;
    const HAS_CONNECTION_LIMIT: bool = true;
    const OPEN_SESSIONS_FOLLOW: bool = true;
    const CLEAR: &'static [&'static str] = &[];

    async fn start() -> Self {
        let server = PostgresServer::start().await;
        let present = server.master("postgres").await;
        let version: i32 =
            present.query_one("SHOW server_version_num", &[]).await.unwrap().get::<_, String>(0).parse().unwrap();
        Self { server, version: version.unsigned_abs() / 10_000, _present: present }
    }

    fn label(&self) -> String {
        format!("postgresql-{}", self.version)
    }

    fn kind(&self) -> EngineKind {
        EngineKind::Postgres
    }

    fn engine(&self) -> Arc<dyn Server> {
        self.server.engine()
    }

    fn administrator(&self) -> String {
        MASTER.to_owned()
    }

    fn keeps_marks(&self) -> bool {
        true
    }

    async fn by_hand(&self, database: &str, statements: &[&str]) {
        run(&self.server.superuser(database).await, statements).await;
    }

    async fn as_administrator(&self, database: &str, statements: &[&str]) {
        run(&self.server.master(database).await, statements).await;
    }

    async fn column(&self, database: &str, query: &str) -> Vec<String> {
        let rows = self.server.superuser(database).await.simple_query(query).await;
        texts(&rows.unwrap_or_else(|error| panic!("{query}: {error:?}")))
    }

    async fn login(&self, user: &str, password: &str, database: &str) -> Result<Client, Outcome> {
        self.server.connect(user, password, database).await.map_err(|error| outcome(&error))
    }

    async fn leave(session: Client) {
        drop(session);
    }

    async fn wait_until_gone(&self, user: &str) {
        let sql = format!("SELECT pid FROM pg_stat_activity WHERE usename = '{user}'");
        while !self.column("postgres", &sql).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn attempt(session: &mut Client, sql: &str) -> Outcome {
        match session.batch_execute(sql).await {
            Ok(()) => Outcome::Allowed,
            Err(error) => outcome(&error),
        }
    }

    async fn value(session: &mut Client, sql: &str) -> String {
        match session.simple_query(sql).await {
            Ok(rows) => texts(&rows).into_iter().next().unwrap_or_default(),
            Err(error) => outcome(&error).to_string(),
        }
    }

    async fn log(&self) -> String {
        self.server.log()
    }

    fn changing(log: &str) -> Vec<String> {
        let statements = log.lines().filter_map(|line| line.split_once("statement: ")).map(|(_, sql)| sql.trim());
        statements.filter(|sql| !sql.starts_with("SELECT ")).map(ToOwned::to_owned).collect()
    }

    fn quote(name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    fn table(_database: &str, name: &str) -> String {
        Self::table_in("sales", name)
    }

    async fn make_database(&self, name: &str) {
        if name != "app" {
            let sql = format!("CREATE DATABASE {} OWNER {MASTER}", Self::quote(name));
            self.by_hand("postgres", &[&sql]).await;
        }
        self.as_administrator(name, &["CREATE SCHEMA sales"]).await;
    }

    async fn furnish(&self) {
        self.as_administrator("app", &furniture::OWNED).await;
        self.by_hand("app", &furniture::STRANGE).await;
    }

    fn proof(&self) -> Vec<Row> {
        proof::rows(self.version)
    }

    async fn before_row(session: &mut Client, sql: &str) {
        session.batch_execute("ROLLBACK").await.unwrap();
        if !stands_alone(sql) {
            session.batch_execute("BEGIN").await.unwrap();
        }
    }

    async fn group(&self, access: Access) -> Option<String> {
        let sql = format!("SELECT rolname FROM pg_roles WHERE rolname LIKE 'rdsaccess\\_{}\\_%'", access.suffix());
        self.column("postgres", &sql).await.into_iter().next()
    }

    fn drifts(&self) -> Vec<Drift> {
        drift::all(self.version)
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
        Legacy {
            makes: &["CREATE TABLE sales.made (id int)", "INSERT INTO sales.made VALUES (5)"],
            named: "table sales.made",
            freed: &[],
            kept: "SELECT id FROM sales.made",
        }
    }

    async fn traces(&self) -> Vec<String> {
        let mut found = Vec::new();
        let databases = "SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1";
        for database in self.column("postgres", databases).await {
            let here = self.column(&database, TRACES).await;
            found.extend(here.into_iter().map(|line| format!("{database}: {line}")));
        }
        found
    }

    async fn make_creator(&self) {
        let create = format!("CREATE ROLE creator LOGIN PASSWORD '{PASSWORD}'");
        self.as_administrator("app", &[&create, "GRANT USAGE, CREATE ON SCHEMA sales TO creator"]).await;
    }

    async fn make_stubborn(&self) {
        // Up to 15 the administrator may set the password of every role but those with the strongest attributes, and
        // from 16 on of those that it made.
        self.by_hand("app", &["CREATE ROLE stubborn LOGIN REPLICATION"]).await;
    }

    async fn make_foreign(&self) {
        let create = format!("CREATE ROLE theirs LOGIN PASSWORD '{NEXT_PASSWORD}'");
        self.as_administrator("app", &[&create, "GRANT USAGE ON SCHEMA sales TO theirs"]).await;
    }

    async fn untouchable(&self) -> Vec<String> {
        self.by_hand("postgres", &["CREATE ROLE root SUPERUSER LOGIN"]).await;
        vec![MASTER.to_owned(), "root".to_owned()]
    }
}

/// Everything in a database, and in what all databases share, that names a role.
const TRACES: &str = "
    SELECT 'role ' || r::text || coalesce(' ' || shobj_description(r.oid, 'pg_authid'), '') FROM pg_roles AS r
    UNION ALL SELECT 'member ' || roleid::regrole || ' ' || member::regrole || ' ' || grantor::regrole
      FROM pg_auth_members
    UNION ALL SELECT 'setting ' || s::text FROM pg_db_role_setting AS s
    UNION ALL SELECT 'depends ' || pg_describe_object(classid, objid, objsubid) || ' ' || refobjid::regrole
      FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
      AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY 1";

impl Schemas for Postgres {
    fn table_in(schema: &str, name: &str) -> String {
        format!("{}.{}", Self::quote(schema), Self::quote(name))
    }

    fn schema_names(&self) -> Vec<String> {
        names::possible(63)
    }

    async fn make_owners(&self) {
        let setup = [
            "CREATE ROLE keeper",
            "CREATE ROLE other",
            "GRANT keeper, other TO admin1",
            "GRANT USAGE, CREATE ON SCHEMA sales TO keeper, other",
            "CREATE TABLE sales.kept (id int)",
            "CREATE TABLE sales.strange (id int)",
            "ALTER TABLE sales.kept OWNER TO keeper",
            "ALTER TABLE sales.strange OWNER TO other",
        ];
        self.as_administrator("app", &setup).await;
    }

    async fn owner(&self, database: &str, name: &str) -> String {
        let query = format!("SELECT tableowner FROM pg_tables WHERE schemaname = 'sales' AND tablename = '{name}'");
        self.column(database, &query).await.remove(0)
    }
}

async fn run(client: &Client, statements: &[&str]) {
    for sql in statements {
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}

fn texts(messages: &[SimpleQueryMessage]) -> Vec<String> {
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    rows.map(ToOwned::to_owned).collect()
}
