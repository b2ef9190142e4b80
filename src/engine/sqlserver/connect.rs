//! Sessions: one connection per database, bounded together, kept for some seconds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::error::{Failure, proves_password};
use super::quote::Statement;
use super::tls::{self, Transport};
use crate::access::{Identifier, RoleName, Secret};
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
/// How long a session waits for reuse: an open one keeps others from dropping its database.
const IDLE_LIFETIME: Duration = Duration::from_secs(3);
/// Settings of every session. The first error of a batch ends its transaction; a lock is waited for ten seconds.
const SETTINGS: &str = "SET XACT_ABORT ON; SET LOCK_TIMEOUT 10000; SET NOCOUNT ON; SET QUOTED_IDENTIFIER ON;";

type Connection = Client<Compat<Box<dyn Transport>>>;

/// The sessions of one server.
pub(super) struct Pool {
    login: Login,
    tls: Option<Arc<ClientConfig>>,
    permits: Arc<Semaphore>,
    bound: usize,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// The longest unused first
    idle: VecDeque<Idle>,
    /// Sessions in use
    active: usize,
}

struct Idle {
    database: String,
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// Prepares TLS; nothing is sent. One connection of the login's bound is set aside for the writer's lock, so that a
    /// bound of one becomes two while something is changed.
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
        let bound = login.max_connections.saturating_sub(1).max(1);
        Ok(Self { login, tls, permits: Arc::new(Semaphore::new(bound)), bound, kept: Arc::default() })
    }

    /// How many sessions may work at once.
    pub(super) fn bound(&self) -> usize {
        self.bound
    }

    /// A session in this database, an idle one if there is one. Waits while all connections are in use.
    pub(super) async fn session(&self, database: &str) -> Result<Session<'_>, Failure> {
        let seat = self.seat().await?;
        let connection = match seat.take_idle(database) {
            Some(connection) => connection,
            None => self.enter(database).await?,
        };
        Ok(Session { connection, database: database.to_owned(), seat })
    }

    /// A session outside the shared ones, for the writer's lock.
    pub(super) async fn reserved(&self) -> Result<Reserved, Failure> {
        Ok(Reserved(self.enter(MASTER).await?))
    }

    /// Closes every session that is not in use, so that the next ones are new.
    pub(super) fn close_idle(&self) {
        self.kept().idle.clear();
    }

    /// Whether this name and password log in: one login, closed at once.
    pub(super) async fn accepts(&self, role: &RoleName, password: &Secret<String>) -> Result<bool, Failure> {
        let seat = self.seat().await?;
        seat.make_room();
        match self.connect(role, password, MASTER).await {
            Ok(_) => Ok(true),
            Err(failure) if proves_password(failure.code) => Ok(true),
            Err(Failure { class: Class::Login, .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn seat(&self) -> Result<Seat<'_>, Failure> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| Fault::Unreachable("the provider is stopping".to_owned()))?;
        self.kept().active += 1;
        Ok(Seat { pool: self, _permit: permit })
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

    fn kept(&self) -> MutexGuard<'_, Kept> {
        locked(&self.kept)
    }

    fn keep(&self, database: String, connection: Connection) {
        self.kept().idle.push_back(Idle { database, connection, since: Instant::now() });
        let kept = Arc::downgrade(&self.kept);
        tokio::spawn(async move {
            tokio::time::sleep(IDLE_LIFETIME).await;
            if let Some(kept) = kept.upgrade() {
                locked(&kept).idle.retain(|idle| idle.since.elapsed() < IDLE_LIFETIME);
            }
        });
    }
}

/// A database that cannot be opened yet may be recovering; one of another login stays closed.
fn is_transient(failure: &Failure) -> bool {
    failure.class == Class::Busy || failure.code == 4060
}

fn locked(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to hold one connection.
struct Seat<'a> {
    pool: &'a Pool,
    _permit: OwnedSemaphorePermit,
}

impl Seat<'_> {
    fn take_idle(&self, database: &str) -> Option<Connection> {
        let mut kept = self.pool.kept();
        let place = kept.idle.iter().rposition(|idle| idle.database == database);
        let found = place.and_then(|at| kept.idle.remove(at)).map(|idle| idle.connection);
        drop(kept);
        if found.is_none() {
            self.make_room();
        }
        found
    }

    /// Closes idle sessions of other databases, so that one more stays within the bound.
    fn make_room(&self) {
        let mut kept = self.pool.kept();
        while kept.idle.len() + kept.active > self.pool.bound && kept.idle.pop_front().is_some() {}
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.pool.kept().active -= 1;
    }
}

/// A session in one database. Dropped, its connection closes, so that a call which was cancelled or failed leaves no
/// open transaction behind; [`Session::keep`] returns it for reuse.
pub(super) struct Session<'a> {
    connection: Connection,
    database: String,
    seat: Seat<'a>,
}

impl Session<'_> {
    /// Runs one batch; the rows of each of its results.
    pub(super) async fn run(&mut self, statement: &Statement) -> Result<Vec<Vec<Row>>, Failure> {
        run(&mut self.connection, statement).await
    }

    /// Hands the session back.
    pub(super) fn keep(self) {
        self.seat.pool.keep(self.database, self.connection);
    }
}

/// The session of the writer's lock.
pub(super) struct Reserved(Connection);

impl Reserved {
    /// Runs one batch; the rows of each of its results.
    pub(super) async fn run(&mut self, statement: &Statement) -> Result<Vec<Vec<Row>>, Failure> {
        run(&mut self.0, statement).await
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
