//! Sessions: how one is opened, and how the few that a server is allowed are shared.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres::error::Error as DriverError;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::cancel::Change;
use super::error::{Failure, is_after_authentication, is_busy};
use super::quote::Sql;
use super::tls::client_config;
use crate::access::{Identifier, RoleName, Secret};
use crate::engine::connections::{Pool as Connections, Seat};
use crate::engine::{Fault, Login};

/// How long a login may take, name resolution and TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long one round trip may take: longer than the time limit of a statement, which the server keeps itself.
const ROUND_TRIP: Duration = Duration::from_secs(150);
/// After this time without traffic the other end is asked whether it is there, and then again in these intervals.
const PROBE_AFTER: Duration = Duration::from_secs(10);
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// So many probes without an answer end the connection.
const PROBES: u32 = 3;
/// How long a statement waits for a lock that somebody else holds.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How long a writer in another process is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a server that starts or has no free connection is asked again.
const CONNECT_ATTEMPTS: u32 = 5;
/// Pause between two such attempts.
const CONNECT_PAUSE: Duration = Duration::from_millis(500);
/// How long a connection that is no longer needed may take to say so.
const GOODBYE: Duration = Duration::from_secs(1);
/// Where the session of the writer's lock rests: no name of a database is empty.
const LOCK_PLACE: &str = "";
/// After this time without an answer to what was sent a connection counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(30);
/// How long a session waits for reuse. An open session keeps others from dropping its database, and DROP DATABASE waits
/// five seconds for it to go.
const IDLE_LIFETIME: Duration = Duration::from_secs(3);
/// The same probes by the server, beside its own limit for what is not acknowledged: a machine that vanishes says no
/// goodbye, and its session would hold the writer's lock for the two hours that an operating system waits.
const SERVER_PROBES: &str = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3 \
                             -c tcp_user_timeout=60s";
/// Settings of every session. The empty search path keeps objects that somebody planted in `public` from being called
/// by an administrator; the rest undoes what may be set for the user or the database.
const OPTIONS: &str = "-c search_path=pg_catalog -c role=none -c statement_timeout=120s \
                       -c idle_in_transaction_session_timeout=60s -c default_transaction_read_only=off \
                       -c standard_conforming_strings=on -c client_min_messages=warning";
/// What the server shows as the name of the client.
pub(super) const APPLICATION_NAME: &str = "terraform-provider-rdsaccess";

/// The sessions of one server: bounded together, kept for reuse per database.
pub(super) struct Pool {
    login: Login,
    tls: Option<MakeRustlsConnect>,
    /// The time for one round trip
    pub(super) round_trip: Duration,
    /// The time for one lock
    pub(super) lock_wait: Duration,
    /// The time for the writers of other processes
    pub(super) patience: Duration,
    connections: Connections<Connection>,
}

/// An open connection.
pub(super) struct Connection {
    pub(super) client: Arc<Client>,
    /// What moves its bytes; it ends once the connection is closed
    task: JoinHandle<()>,
}

impl Connection {
    /// Says goodbye and waits until that is sent, so that the next connection is not one too many.
    async fn close(self) {
        drop(self.client);
        let _closed_or_given_up = tokio::time::timeout(GOODBYE, self.task).await;
    }
}

impl Pool {
    /// Prepares TLS; nothing is sent.
    ///
    /// # Errors
    /// [`Fault::Tls`] when nothing is trusted.
    pub(super) fn new(login: Login) -> Result<Self, Fault> {
        let tls = client_config(&login.trust)?.map(MakeRustlsConnect::new);
        Ok(Self {
            connections: login.connections.pool(IDLE_LIFETIME),
            login,
            tls,
            round_trip: ROUND_TRIP,
            lock_wait: LOCK_WAIT,
            patience: PATIENCE,
        })
    }

    /// Who logs in, and where.
    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    /// A session in this database, an idle one if there is one. Waits while all connections are in use.
    pub(super) async fn session(&self, database: &str) -> Result<Session<'_>, Failure> {
        let seat = self.connections.seat().await?;
        let connection = self.resting_or_new(database, database).await?;
        Ok(Session { pool: self, seat, connection, database: database.to_owned() })
    }

    /// Closes every session that is not in use, so that the next ones are new.
    pub(super) fn close_idle(&self) {
        self.connections.close_idle();
    }

    /// Waits until nobody else in this process writes to this server.
    pub(super) async fn writer(&self) -> OwnedMutexGuard<()> {
        self.connections.writer().await
    }

    /// The seat of the session for the writer's lock.
    pub(super) async fn lock_seat(&self) -> Result<Seat, Failure> {
        Ok(self.connections.lock_seat().await?)
    }

    /// A session for the writer's lock, which the last writer left if it is still there.
    pub(super) async fn lock_session(&self, database: &str) -> Result<Connection, Failure> {
        self.resting_or_new(LOCK_PLACE, database).await
    }

    /// Leaves the session of the writer's lock to the next writer.
    pub(super) fn keep_lock(&self, seat: Seat, connection: Connection) {
        self.connections.keep(seat, LOCK_PLACE.to_owned(), connection);
    }

    async fn resting_or_new(&self, place: &str, database: &str) -> Result<Connection, Failure> {
        while let Some((connection, _)) = self.connections.take(place) {
            if !connection.client.is_closed() {
                return Ok(connection);
            }
        }
        self.make_room().await;
        self.connect_patiently(database).await
    }

    async fn make_room(&self) {
        for leaving in self.connections.make_room() {
            leaving.close().await;
        }
    }

    /// Whether this password logs the role in: one login, closed at once.
    pub(super) async fn accepts(
        &self,
        role: &RoleName,
        password: &Secret<String>,
        database: &str,
    ) -> Result<bool, Failure> {
        let _seat = self.connections.seat().await?;
        self.make_room().await;
        match self.connect(role.as_str(), password, database).await? {
            Ok(connection) => {
                connection.close().await;
                Ok(true)
            }
            Err(error) if is_after_authentication(&error) => Ok(true),
            Err(error) => match Failure::connecting(&error) {
                Failure { fault: Fault::LoginRefused(_), .. } => Ok(false),
                failure => Err(failure),
            },
        }
    }

    async fn connect_patiently(&self, database: &str) -> Result<Connection, Failure> {
        let mut attempt = 1;
        let mut shown = self.login.key.show().await?;
        shown.check(self.tls.is_some())?;
        loop {
            match self.connect(self.login.username.as_str(), shown.secret(), database).await? {
                Ok(connection) => return Ok(connection),
                Err(error) if is_busy(&error) && attempt < CONNECT_ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(CONNECT_PAUSE).await;
                }
                Err(error) => {
                    let failure = Failure::connecting(&error);
                    if !matches!(failure.fault, Fault::LoginRefused(_) | Fault::LoginBarred(_)) {
                        return Err(failure);
                    }
                    match self.login.key.show_again(&shown).await? {
                        Some(again) => shown = again,
                        None if shown.is_token() => return Err(failure.with(of_token)),
                        None => return Err(failure),
                    }
                }
            }
        }
    }

    /// One attempt; the outer result is about time, the inner one is the server's answer.
    async fn connect(
        &self,
        user: &str,
        password: &Secret<String>,
        database: &str,
    ) -> Result<Result<Connection, DriverError>, Failure> {
        let config = self.config(user, password, database);
        let attempt = async {
            match self.tls.clone() {
                Some(tls) => config.connect(tls).await.map(|(client, connection)| open(client, connection)),
                None => config.connect(NoTls).await.map(|(client, connection)| open(client, connection)),
            }
        };
        tokio::time::timeout(CONNECT_TIMEOUT, attempt).await.map_err(|_| {
            let seconds = CONNECT_TIMEOUT.as_secs();
            Fault::Unreachable(format!("no answer within {seconds} seconds")).into()
        })
    }

    fn config(&self, user: &str, password: &Secret<String>, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host(&self.login.endpoint.host)
            .port(self.login.endpoint.port)
            .user(user)
            .password(password.expose())
            .dbname(database)
            .options(format!("{OPTIONS} {SERVER_PROBES} -c lock_timeout={}ms", self.lock_wait.as_millis()))
            .application_name(APPLICATION_NAME)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(DEAD_AFTER)
            .keepalives(true)
            .keepalives_idle(PROBE_AFTER)
            .keepalives_interval(PROBE_INTERVAL)
            .keepalives_retries(PROBES)
            .ssl_mode(if self.tls.is_some() { SslMode::Require } else { SslMode::Disable })
            // Poolers and proxies offer none, so it cannot be required.
            .channel_binding(ChannelBinding::Prefer);
        config
    }
}

/// What stands behind most refusals of a token; the server does not say.
fn of_token(fault: Fault) -> Fault {
    let hint = "it was shown a token: the user must be a member of rds_iam, the identity that signed needs \
                rds-db:connect for it, and IAM database authentication must be on";
    match fault {
        // The server says of a token that it does not like what it says of a user who may not log in at all.
        Fault::LoginRefused(text) | Fault::LoginBarred(text) => Fault::LoginRefused(format!("{text}; {hint}")),
        other => other,
    }
}

fn open(client: Client, connection: impl Future<Output = Result<(), DriverError>> + Send + 'static) -> Connection {
    let task = tokio::spawn(async {
        // Whoever waits for an answer is told of the failure.
        let _ended = connection.await;
    });
    Connection { client: Arc::new(client), task }
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
    /// Runs a batch in one round trip; the first column of every row, in order. `step` says what is being done.
    pub(super) async fn run(&self, sql: &Sql, step: &str) -> Result<Vec<String>, Failure> {
        run(&self.connection.client, sql, step, self.pool.round_trip).await
    }

    /// A transaction that changes something, under the writer's lock.
    pub(super) fn change(&self, lock: Arc<Client>) -> Change {
        let pool = self.pool;
        Change::new(Arc::clone(&self.connection.client), pool.tls.clone(), lock, pool.round_trip)
    }

    /// Hands the session back.
    pub(super) fn keep(self) {
        if !self.connection.client.is_closed() {
            self.pool.connections.keep(self.seat, self.database, self.connection);
        }
    }
}

/// Runs a batch in one round trip; the first column of every row, in order. When no answer comes within `limit`, what
/// was sent may still be executed: the session must not be used again.
pub(super) async fn run(client: &Client, sql: &Sql, step: &str, limit: Duration) -> Result<Vec<String>, Failure> {
    let answer = tokio::time::timeout(limit, client.simple_query(sql.as_str())).await;
    let messages = match answer {
        Ok(messages) => messages.map_err(|e| Failure::running(&e, step))?,
        Err(_) => return Err(Failure::timed_out(step, limit)),
    };
    let texts = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().map(str::to_owned),
        _ => None,
    });
    Ok(texts.collect())
}
