//! Sessions: one connection per database, bounded together, kept for some seconds.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use tokio::net::TcpStream;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::error::{Failure, proves_password};
use super::quote::Statement;
use super::tls::{self, Transport};
use crate::access::{Identifier, RoleName, Secret};
use crate::engine::connections::{Pool as Connections, Seat};
use crate::engine::retry::Class;
use crate::engine::{Fault, Key, Login};

/// The database that every login can enter; logins and the writer's lock belong there.
pub(super) const MASTER: &str = "master";
/// What the server shows as the name of the client.
pub(super) const APPLICATION_NAME: &str = "terraform-provider-rdsaccess";
/// Time to connect, shake hands and log in.
const CONNECT: Duration = Duration::from_secs(15);
/// Time for one round trip: longer than a wait for the writer's lock and than the lock waits of a transaction.
const ROUND_TRIP: Duration = Duration::from_secs(150);
/// How often a server that starts or has no free connection is asked again.
const CONNECT_ATTEMPTS: u32 = 5;
/// Pause between two such attempts.
const CONNECT_PAUSE: Duration = Duration::from_millis(500);
/// How long a session that is no longer needed may take to say so.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long a session waits for reuse: an open one keeps others from dropping its database.
const IDLE_LIFETIME: Duration = Duration::from_secs(3);
/// Settings of every session. The first error of a batch ends its transaction; a lock is waited for ten seconds.
const SETTINGS: &str = "SET XACT_ABORT ON; SET LOCK_TIMEOUT 10000; SET NOCOUNT ON; SET QUOTED_IDENTIFIER ON;";

type Connection = Client<Compat<Box<dyn Transport>>>;

/// The sessions of one server.
pub(super) struct Pool {
    login: Login,
    tls: Option<Arc<ClientConfig>>,
    connections: Connections<Connection>,
}

impl Pool {
    /// Prepares TLS; nothing is sent.
    ///
    /// # Errors
    /// [`Fault::Unsupported`] for tokens: RDS for SQL Server has no IAM authentication. [`Fault::Tls`] when nothing is
    /// trusted.
    pub(super) fn new(login: Login) -> Result<Self, Fault> {
        if matches!(login.key, Key::Tokens(_)) {
            let text = "RDS for SQL Server has no IAM database authentication; use `auth = \"password\"`";
            return Err(Fault::Unsupported(text.to_owned()));
        }
        let tls = tls::client_config(&login.trust)?;
        Ok(Self { connections: login.connections.pool(IDLE_LIFETIME), login, tls })
    }

    /// How many sessions may work at once.
    pub(super) fn bound(&self) -> usize {
        self.connections.bound()
    }

    /// A session in this database, an idle one if there is one. Waits while all connections are in use.
    pub(super) async fn session(&self, database: &str) -> Result<Session<'_>, Failure> {
        let seat = self.connections.seat().await?;
        let connection = match self.connections.take(database) {
            Some((connection, _)) => connection,
            None => {
                self.make_room().await;
                self.enter(database).await?
            }
        };
        Ok(Session { pool: self, connection, database: database.to_owned(), seat })
    }

    /// Waits until nobody else in this process writes to this server.
    pub(super) async fn writer(&self) -> OwnedMutexGuard<()> {
        self.connections.writer().await
    }

    /// A session for the writer's lock, which the writer holds while he takes others.
    pub(super) async fn reserved(&self) -> Result<Reserved, Failure> {
        let seat = self.connections.lock_seat().await?;
        self.make_room().await;
        Ok(Reserved { connection: self.enter(MASTER).await?, _seat: seat })
    }

    /// Says goodbye to the resting sessions that have to go before another is opened.
    async fn make_room(&self) {
        for leaving in self.connections.make_room() {
            let _closed_or_given_up = timeout(GOODBYE, leaving.close()).await;
        }
    }

    /// Closes every session that is not in use, so that the next ones are new.
    pub(super) fn close_idle(&self) {
        self.connections.close_idle();
    }

    /// Whether this name and password log in: one login, closed at once.
    pub(super) async fn accepts(&self, role: &RoleName, password: &Secret<String>) -> Result<bool, Failure> {
        let _seat = self.connections.seat().await?;
        self.make_room().await;
        match self.connect(role, password, MASTER).await {
            Ok(connection) => {
                let _closed_or_given_up = timeout(GOODBYE, connection.close()).await;
                Ok(true)
            }
            Err(failure) if proves_password(failure.code) => Ok(true),
            Err(Failure { class: Class::Login, .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Logs the administrator in and sets the session up. A server that starts is asked again.
    async fn enter(&self, database: &str) -> Result<Connection, Failure> {
        let shown = self.login.key.show().await?;
        let mut attempt = 1;
        let mut connection = loop {
            match self.connect(&self.login.username, shown.secret(), database).await {
                Ok(connection) => break connection,
                Err(failure) if is_transient(&failure) && attempt < CONNECT_ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(CONNECT_PAUSE).await;
                }
                Err(failure) => return Err(failure),
            }
        };
        run(&mut connection, &Statement::new("setting up the session", SETTINGS)).await?;
        Ok(connection)
    }

    async fn connect(&self, user: &RoleName, password: &Secret<String>, database: &str) -> Result<Connection, Failure> {
        let attempt = async {
            let transport = self.transport().await?;
            let config = self.config(user, password, database);
            Client::connect(config, transport.compat()).await.map_err(|error| Failure::of_login(&error))
        };
        match timeout(CONNECT, attempt).await {
            Ok(result) => result,
            Err(_) => Err(Fault::Unreachable(format!("no answer within {} seconds", CONNECT.as_secs())).into()),
        }
    }

    async fn transport(&self) -> Result<Box<dyn Transport>, Failure> {
        let endpoint = &self.login.endpoint;
        let unreachable = |error: std::io::Error| Fault::Unreachable(error.to_string());
        let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        match &self.tls {
            Some(config) => Ok(tls::secure(tcp, Arc::clone(config), &endpoint.host).await?),
            None => Ok(Box::new(tcp)),
        }
    }

    fn config(&self, user: &RoleName, password: &Secret<String>, database: &str) -> Config {
        let mut config = Config::new();
        config.host(&self.login.endpoint.host);
        config.port(self.login.endpoint.port);
        config.database(database);
        config.application_name(APPLICATION_NAME);
        config.authentication(AuthMethod::sql_server(user.as_str(), password.expose()));
        // The stream that the driver gets is encrypted already, unless tls.mode is "disable".
        config.encryption(EncryptionLevel::NotSupported);
        // Our own time limits also end a name look-up and a handshake.
        config.handshake_timeout(None);
        config.command_timeout(None);
        config
    }
}

/// A database that cannot be opened yet may be recovering; one of another login stays closed.
fn is_transient(failure: &Failure) -> bool {
    failure.class == Class::Busy || failure.code == 4060
}

/// A session in one database. Dropped, its connection closes, so that a call which was cancelled or failed leaves no
/// open transaction behind; [`Session::keep`] returns it for reuse.
pub(super) struct Session<'a> {
    pool: &'a Pool,
    // Closed before the seat is given back.
    connection: Connection,
    database: String,
    seat: Seat,
}

impl Session<'_> {
    /// Runs one batch; the rows of each of its results.
    pub(super) async fn run(&mut self, statement: &Statement) -> Result<Vec<Vec<Row>>, Failure> {
        run(&mut self.connection, statement).await
    }

    /// Hands the session back.
    pub(super) fn keep(self) {
        self.pool.connections.keep(self.seat, self.database, self.connection);
    }
}

/// The session of the writer's lock.
pub(super) struct Reserved {
    // Closed before the seat is given back.
    connection: Connection,
    _seat: Seat,
}

impl Reserved {
    /// Runs one batch; the rows of each of its results.
    pub(super) async fn run(&mut self, statement: &Statement) -> Result<Vec<Vec<Row>>, Failure> {
        run(&mut self.connection, statement).await
    }
}

/// Sends one batch as it is (never as a call with parameters). When no answer comes in time, what was sent may still be
/// executed: the session must not be used again.
async fn run(connection: &mut Connection, statement: &Statement) -> Result<Vec<Vec<Row>>, Failure> {
    let exchange = async { connection.simple_query(statement.sql()).await?.into_results().await };
    match timeout(ROUND_TRIP, exchange).await {
        Ok(Ok(results)) => Ok(results),
        Ok(Err(error)) => Err(Failure::of_statement(statement.step(), &error)),
        Err(_) => Err(Failure::timed_out(statement.step(), ROUND_TRIP.as_secs())),
    }
}
