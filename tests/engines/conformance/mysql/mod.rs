//! MySQL and MariaDB as a subject of the suite.

mod drift;
mod grants;
mod names;
mod proof;

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row as MysqlRow};
use rdsaccess::access::{EngineKind, Grant};
use rdsaccess::engine::{Server, open};

use super::subject::{Beside, Drift, Legacy, NEXT_PASSWORD, Names, Outcome, PASSWORD, Row, Subject};
use crate::mysql::changing;
use crate::server_mariadb::{ADMIN, TestServer, texts};

suite!(Mysql);
suite_of_terms!(Mysql);

/// The codes that say that a right is missing.
const DENIALS: [u16; 12] = [1044, 1045, 1095, 1142, 1143, 1227, 1370, 1698, 1959, 3118, 3530, 4151];

/// A server with one session of the administrator that stays, for statements that are about other people's sessions.
pub(crate) struct Mysql {
    server: TestServer,
    version: String,
    present: Conn,
}

fn outcome(error: &mysql_async::Error) -> Outcome {
    match error {
        mysql_async::Error::Server(error) if DENIALS.contains(&error.code) => Outcome::Denied(error.code.to_string()),
        mysql_async::Error::Server(error) => Outcome::Failed(error.code.to_string(), error.message.clone()),
        other => Outcome::Failed(String::new(), other.to_string()),
    }
}

impl Subject for Mysql {
    type Session = Conn;

    const SYSTEM_DATABASES: &'static [&'static str] = &["mysql", "information_schema", "performance_schema", "sys"];
    const HAS_EXPIRY: bool = false;
    const HAS_CONNECTION_LIMIT: bool = true;
    const OPEN_SESSIONS_FOLLOW: bool = false;
    const CLEAR: &'static [&'static str] = &["IDENTIFIED BY", "PASSWORD("];

    async fn start() -> Self {
        let server = TestServer::start(&[]).await;
        let mut present = server.connect(ADMIN, "").await.unwrap();
        let version: Option<String> = present.query_first("SELECT VERSION()").await.unwrap();
        Self { server, version: version.unwrap(), present }
    }

    fn label(&self) -> String {
        let name = if self.server.is_mysql { "mysql" } else { "mariadb" };
        let numbers: Vec<&str> = self.version.split('.').take(2).collect();
        format!("{name}-{}", numbers.join("."))
    }

    fn kind(&self) -> EngineKind {
        if self.server.is_mysql { EngineKind::Mysql } else { EngineKind::Mariadb }
    }

    fn engine(&self) -> Arc<dyn Server> {
        open(self.kind(), self.server.admin()).unwrap()
    }

    fn administrator(&self) -> String {
        ADMIN.0.to_owned()
    }

    fn keeps_marks(&self) -> bool {
        self.server.is_mysql
    }

    async fn by_hand(&self, _database: &str, statements: &[&str]) {
        self.server.by_hand(statements).await;
    }

    async fn as_administrator(&self, database: &str, statements: &[&str]) {
        let mut conn = self.server.connect(ADMIN, database).await.unwrap();
        for sql in statements {
            conn.query_drop(*sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        conn.disconnect().await.unwrap();
    }

    async fn column(&self, _database: &str, query: &str) -> Vec<String> {
        self.server.by_hand(&[query]).await.into_iter().filter_map(|row| row.into_iter().next()).collect()
    }

    async fn login(&self, user: &str, password: &str, database: &str) -> Result<Conn, Outcome> {
        self.server.connect((user, password), database).await.map_err(|error| outcome(&error))
    }

    async fn leave(session: Conn) {
        session.disconnect().await.unwrap();
    }

    async fn wait_until_gone(&self, user: &str) {
        let sql = format!("SELECT ID FROM information_schema.processlist WHERE USER = '{user}'");
        while !self.column("", &sql).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn attempt(session: &mut Conn, sql: &str) -> Outcome {
        match session.query::<MysqlRow, _>(sql).await {
            Ok(_) => Outcome::Allowed,
            Err(error) => outcome(&error),
        }
    }

    async fn value(session: &mut Conn, sql: &str) -> String {
        match session.query_first::<MysqlRow, _>(sql).await {
            Ok(row) => row.and_then(|row| texts(row).into_iter().next()).unwrap_or_default(),
            Err(error) => outcome(&error).to_string(),
        }
    }

    async fn log(&self) -> String {
        self.server.logged_since(0)
    }

    fn changing(log: &str) -> Vec<String> {
        changing(log)
    }

    fn quote(name: &str) -> String {
        format!("`{}`", name.replace('`', "``"))
    }

    fn table(database: &str, name: &str) -> String {
        format!("{}.{}", Self::quote(database), Self::quote(name))
    }

    fn account(name: &str) -> String {
        format!("{}@`%`", Self::quote(name))
    }

    async fn make_database(&self, name: &str) {
        self.as_administrator("", &[&format!("CREATE DATABASE {}", Self::quote(name))]).await;
    }

    async fn furnish(&self) {
        self.make_shop("other").await;
        self.as_administrator("app", &proof::OWNED).await;
        self.by_hand("app", &proof::OF_THE_DBA).await;
    }

    fn proof(&self) -> Vec<Row> {
        proof::rows(self.server.is_mysql, &self.version, self.present.id())
    }

    fn drifts(&self) -> Vec<Drift> {
        drift::all(self.server.is_mysql)
    }

    fn beside(&self) -> Vec<Beside> {
        grants::all()
    }

    fn refused_grants(&self) -> Vec<(Grant, &'static str)> {
        grants::refused()
    }

    fn names(&self) -> Names {
        names::all(self.server.is_mysql)
    }

    fn legacy(&self) -> Legacy {
        let makes: &[&str] = &[
            "CREATE TABLE app.made (id INT)",
            "INSERT INTO app.made VALUES (5)",
            "CREATE VIEW app.viewed AS SELECT id FROM app.made",
        ];
        // MySQL refuses to drop a definer for those who may not set one that does not exist.
        let freed: &[&str] =
            if self.server.is_mysql { &["GRANT ALLOW_NONEXISTENT_DEFINER ON *.* TO admin1"] } else { &[] };
        Legacy { makes, named: "view app.viewed", freed, kept: "SELECT id FROM app.made" }
    }

    async fn traces(&self) -> Vec<String> {
        let mut found = Vec::new();
        let accounts = "SELECT CONCAT_WS(' ', User, Host, HEX(authentication_string), ssl_type, max_user_connections) \
                        FROM mysql.user";
        found.extend(self.column("", accounts).await);
        for table in ["db", "tables_priv", "columns_priv", "procs_priv", self.memberships()] {
            let rows = self.server.by_hand(&[&format!("SELECT * FROM mysql.{table}")]).await;
            found.extend(rows.into_iter().map(|row| format!("{table}: {}", row.join(" "))));
        }
        found.sort();
        found
    }

    async fn make_creator(&self) {
        let create = format!("CREATE USER creator IDENTIFIED BY '{PASSWORD}'");
        self.by_hand("app", &[&create, "GRANT CREATE ON app.* TO creator"]).await;
    }

    async fn make_stubborn(&self) {
        self.by_hand("app", &["CREATE USER stubborn", "REVOKE CREATE USER, UPDATE ON *.* FROM admin1"]).await;
    }

    async fn make_foreign(&self) {
        let create = format!("CREATE USER theirs IDENTIFIED BY '{NEXT_PASSWORD}'");
        self.by_hand("app", &[&create, "GRANT INSERT ON app.orders TO theirs"]).await;
    }

    async fn untouchable(&self) -> Vec<String> {
        vec![ADMIN.0.to_owned()]
    }
}

impl Mysql {
    fn memberships(&self) -> &'static str {
        if self.server.is_mysql { "role_edges" } else { "roles_mapping" }
    }
}
