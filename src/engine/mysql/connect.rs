//! Sessions: TLS, the bounded pool, session settings, round trips.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as Driver, IoError, OptsBuilder, Row, SslOpts};
use rustls::{CertificateError, RootCertStore};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::error::{Failure, is_after_authentication, tls_error};
use super::quote::Statement;
use crate::access::{Identifier, RoleName, Secret, TlsMode, Trust};
use crate::engine::connections::{Pool, Seat};
use crate::engine::{Fault, Login};

/// Time to connect, shake hands and log in.
const CONNECT: Duration = Duration::from_secs(15);
/// Time for one round trip; longer than the lock wait of one statement.
const ROUND_TRIP: Duration = Duration::from_secs(120);
/// A pooled session that rested longer is tested before it is used.
const RESTED: Duration = Duration::from_secs(10);
/// A session that rests for longer is closed: the server would soon end it itself (`wait_timeout` below).
const IDLE_LIFETIME: Duration = Duration::from_secs(150);
/// Statements in one round trip at most.
const BATCH: usize = 200;

/// Settings that our SQL relies on. The server may impose another character set than the handshake asked for (its option
/// `skip-character-set-client-handshake`, or `init_connect`), and some of those take a backtick for the second half of a
/// character. `NO_AUTO_CREATE_USER`, where it still exists, keeps a GRANT from creating an account without a password when
/// the account vanished in between. A session whose machine vanished must not hold the writer's lock for the server's own
/// eight hours; `wait_timeout` counts only between statements and is longer than any pause of ours.
const SETTINGS: &str = "SET NAMES utf8mb4, SESSION wait_timeout = 180, SESSION sql_mode = IF(VERSION() LIKE '%MariaDB%' OR VERSION() LIKE '5.%', \
     'NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER', 'NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES'), \
     SESSION lock_wait_timeout = 30, SESSION innodb_lock_wait_timeout = 30";

/// Engine and version of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    /// MariaDB, not MySQL
    pub(super) mariadb: bool,
    /// Major, minor, patch
    pub(super) version: (u16, u16, u16),
}

impl Dialect {
    /// Reads `SELECT VERSION()`: `8.0.36`, `5.7.44-log`, `10.11.6-MariaDB-log`, `5.5.5-10.4.2-MariaDB`.
    pub(super) fn parse(version: &str) -> Option<Self> {
        let mariadb = version.contains("MariaDB");
        let version = version.strip_prefix("5.5.5-").filter(|_| mariadb).unwrap_or(version);
        let mut numbers = version.split('.').map(|part| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..end].parse::<u16>().ok()
        });
        let (major, minor) = (numbers.next()??, numbers.next()??);
        Some(Self { mariadb, version: (major, minor, numbers.next().flatten().unwrap_or_default()) })
    }

    /// Whether accounts can be locked, which an interrupted create relies on.
    fn can_lock_accounts(self) -> bool {
        self.version >= if self.mariadb { (10, 4, 2) } else { (5, 7, 8) }
    }

    /// Whether roles exist.
    pub(super) fn has_roles(self) -> bool {
        self.mariadb || self.version >= (8, 0, 0)
    }

    /// Whether an account can keep its old password beside a new one.
    pub(super) fn has_dual_passwords(self) -> bool {
        !self.mariadb && self.version >= (8, 0, 14)
    }

    /// Whether accounts carry a JSON object of attributes.
    pub(super) fn has_attributes(self) -> bool {
        !self.mariadb && self.version >= (8, 0, 21)
    }
}

/// The sessions of one login, kept for the next use when they ended well.
pub(super) struct Sessions {
    login: Login,
    tls: Option<SslOpts>,
    /// With `verify-ca`, the name in the server's certificate, learnt from the first handshake.
    certified_name: Mutex<Option<String>>,
    connections: Pool<Resting>,
}

struct Resting {
    conn: Conn,
    dialect: Dialect,
}

/// One session in use. Dropping it closes the connection, so that a cancelled call leaves no lock and no half-read
/// answer behind; [`Session::rest`] keeps it for the next use.
pub(super) struct Session<'a> {
    conn: Conn,
    dialect: Dialect,
    connections: &'a Pool<Resting>,
    seat: Seat,
}

impl Sessions {
    /// Nothing is sent.
    pub(super) fn new(login: Login) -> Self {
        let connections = login.connections.pool(IDLE_LIFETIME);
        Self { tls: tls_options(&login.trust), login, certified_name: Mutex::default(), connections }
    }

    /// A rested session, or a new one.
    pub(super) async fn session(&self) -> Result<Session<'_>, Failure> {
        let seat = self.connections.seat().await.map_err(Failure::last)?;
        let connections = &self.connections;
        if let Some(Resting { conn, dialect }) = self.rested().await {
            return Ok(Session { conn, dialect, connections, seat });
        }
        self.make_room().await;
        let mut conn = self.enter().await?;
        let dialect = set_up(&mut conn).await?;
        Ok(Session { conn, dialect, connections, seat })
    }

    /// Waits until nobody else in this process writes to this server.
    pub(super) async fn writer(&self) -> OwnedMutexGuard<()> {
        self.connections.writer().await
    }

    /// Says goodbye to the resting sessions that have to go before another is opened.
    async fn make_room(&self) {
        for leaving in self.connections.make_room() {
            let _closed_or_given_up = timeout(CONNECT, leaving.conn.disconnect()).await;
        }
    }

    /// Logs the administrator in; a kept token that is refused is replaced once.
    async fn enter(&self) -> Result<Conn, Failure> {
        let shown = self.login.key.show().await.map_err(Failure::last)?;
        shown.check(self.tls.is_some()).map_err(Failure::last)?;
        let refusal = match self.connect(&self.login.username, shown.secret(), shown.is_token()).await {
            Err(failure) if failure.class == crate::engine::retry::Class::Login => failure,
            other => return other,
        };
        match self.login.key.show_again(&shown).await.map_err(Failure::last)? {
            Some(again) => self.connect(&self.login.username, again.secret(), again.is_token()).await,
            None => Err(refusal),
        }
    }

    /// Whether this user and password can log in: one attempt.
    pub(super) async fn can_log_in(&self, user: &RoleName, password: &Secret<String>) -> Result<(), Failure> {
        let _seat = self.connections.seat().await.map_err(Failure::last)?;
        self.make_room().await;
        let conn = match self.connect(user, password, false).await {
            Err(failure) if is_after_authentication(&failure) => return Ok(()),
            other => other?,
        };
        // The login is proven; a goodbye that gets lost changes nothing.
        let _ = timeout(CONNECT, conn.disconnect()).await;
        Ok(())
    }

    async fn rested(&self) -> Option<Resting> {
        loop {
            let (mut resting, time) = self.connections.take("")?;
            if time < RESTED || matches!(timeout(CONNECT, resting.conn.ping()).await, Ok(Ok(()))) {
                return Some(resting);
            }
        }
    }

    /// A password is never sent as it is, a token always.
    async fn connect(&self, user: &RoleName, secret: &Secret<String>, is_token: bool) -> Result<Conn, Failure> {
        let error = match self.handshake(user, secret, is_token).await? {
            Ok(conn) => return Ok(conn),
            Err(error) => error,
        };
        // The driver cannot leave out the name check alone. So `verify-ca` asks the certificate for its own name, and
        // connects again with that name and the full check of the chain.
        match certified_name(&error) {
            Some(name) if self.login.trust.mode == TlsMode::VerifyCa => {
                *lock(&self.certified_name) = Some(name);
                self.handshake(user, secret, is_token).await?.map_err(|error| Failure::of_login(&error))
            }
            _ => Err(Failure::of_login(&error)),
        }
    }

    async fn handshake(
        &self,
        user: &RoleName,
        secret: &Secret<String>,
        is_token: bool,
    ) -> Result<Result<Conn, Driver>, Failure> {
        let unreachable = || {
            let text = format!("no answer from the server within {} seconds", CONNECT.as_secs());
            Failure { class: crate::engine::retry::Class::Unreachable, ..Failure::last(Fault::Unreachable(text)) }
        };
        timeout(CONNECT, Conn::new(self.options(user, secret, is_token))).await.map_err(|_| unreachable())
    }

    fn options(&self, user: &RoleName, secret: &Secret<String>, is_token: bool) -> OptsBuilder {
        let name = lock(&self.certified_name).clone();
        let tls = self.tls.clone().map(|tls| tls.with_danger_tls_hostname_override(name));
        OptsBuilder::default()
            .ip_or_hostname(&self.login.endpoint.host)
            .tcp_port(self.login.endpoint.port)
            .user(Some(user.as_str()))
            .pass(Some(secret.expose()))
            .ssl_opts(tls)
            // A loopback end of a tunnel must never be taken for the server's own machine.
            .prefer_socket(false)
            // Without TLS options the driver would send the token over an open connection.
            .enable_cleartext_plugin(is_token && self.tls.is_some())
            .tcp_keepalive(Some(Duration::from_secs(30)))
            .stmt_cache_size(0)
            .connect_attribute("program_name", "rdsaccess")
    }
}

/// TLS options; a certificate that the TLS library cannot read would spoil the whole set, so it is left out.
fn tls_options(trust: &Trust) -> Option<SslOpts> {
    if trust.mode == TlsMode::Disable {
        return None;
    }
    let readable = |der: &&Vec<u8>| RootCertStore::empty().add((*der).clone().into()).is_ok();
    let roots = trust.roots.iter().filter(readable).map(|der| der.clone().into()).collect();
    Some(SslOpts::default().with_disable_built_in_roots(true).with_root_certs(roots))
}

/// The DNS name or address that a certificate is valid for, out of the error that says it is not valid for another.
fn certified_name(error: &Driver) -> Option<String> {
    let Driver::Io(IoError::Io(io)) = error else { return None };
    let Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) =
        tls_error(io)
    else {
        return None;
    };
    presented.iter().find_map(|name| presented_name(name))
}

/// Reads `DnsName("*.example.com")` or `IpAddress(127.0.0.1)`; a wildcard is filled with one label.
fn presented_name(text: &str) -> Option<String> {
    let (kind, rest) = text.split_once('(')?;
    let name = rest.strip_suffix(')')?.trim_matches('"');
    match kind {
        "DnsName" => Some(name.strip_prefix("*.").map_or_else(|| name.to_owned(), |domain| format!("any.{domain}"))),
        "IpAddress" => Some(name.to_owned()),
        _ => None,
    }
}

async fn set_up(conn: &mut Conn) -> Result<Dialect, Failure> {
    let step = "setting up the session";
    let version = async {
        conn.query_drop(SETTINGS).await?;
        conn.query_first::<String, _>("SELECT VERSION()").await
    };
    let version = timeout(CONNECT, version).await.map_err(|_| Failure::timed_out(step, CONNECT.as_secs()))?;
    let version = version.map_err(|error| Failure::of_statement(step, &error))?.unwrap_or_default();
    Dialect::parse(&version).filter(|dialect| dialect.can_lock_accounts()).ok_or_else(|| {
        let text = format!(
            "the server's version is `{version}`; roles are managed on MySQL 5.7.8 and later and on MariaDB 10.4.2 and \
             later, which can lock an account"
        );
        Failure::last(Fault::Unsupported(text))
    })
}

impl Session<'_> {
    /// Engine and version.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Keeps the session for the next use.
    pub(super) fn rest(self) {
        self.connections.keep(self.seat, String::new(), Resting { conn: self.conn, dialect: self.dialect });
    }

    /// Runs one statement.
    pub(super) async fn run(&mut self, statement: &Statement) -> Result<Vec<Row>, Failure> {
        Ok(self.batch(std::slice::from_ref(statement)).await?.pop().unwrap_or_default())
    }

    /// Runs statements one after the other, as many as fit into one round trip, and stops at the first that fails.
    /// Returns the rows of each.
    pub(super) async fn batch(&mut self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Failure> {
        let mut sets = Vec::with_capacity(statements.len());
        for chunk in statements.chunks(BATCH) {
            self.round_trip(chunk, &mut sets).await?;
        }
        Ok(sets)
    }

    async fn round_trip(&mut self, statements: &[Statement], sets: &mut Vec<Vec<Row>>) -> Result<(), Failure> {
        let mut running = 0;
        let exchange = async {
            let sql = statements.iter().map(Statement::sql).collect::<Vec<_>>().join(";\n");
            let mut results = self.conn.query_iter(sql).await?;
            for index in 0..statements.len() {
                running = index;
                sets.push(results.collect::<Row>().await?);
            }
            results.drop_result().await
        };
        let outcome = timeout(ROUND_TRIP, exchange).await;
        let step = statements.get(running).map(Statement::step).unwrap_or_default();
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::of_statement(step, &error)),
            Err(_) => Err(Failure::timed_out(step, ROUND_TRIP.as_secs())),
        }
    }
}

/// The guarded values are replaced whole, so a panic elsewhere cannot leave them half-changed.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_print_them() {
        for (text, mariadb, version) in [
            ("8.0.36", false, (8, 0, 36)),
            ("5.7.44-log", false, (5, 7, 44)),
            ("9.7.4-2", false, (9, 7, 4)),
            ("10.11.19-MariaDB-0+deb12u1-log", true, (10, 11, 19)),
            ("5.5.5-10.6.14-MariaDB-log", true, (10, 6, 14)),
            ("8.0", false, (8, 0, 0)),
        ] {
            assert_eq!(Dialect::parse(text), Some(Dialect { mariadb, version }), "{text}");
        }
        assert_eq!(Dialect::parse("unknown"), None);
    }

    #[test]
    fn servers_that_cannot_lock_an_account_are_told_apart() {
        let locks = |text: &str| Dialect::parse(text).unwrap().can_lock_accounts();
        assert!(locks("5.7.8") && locks("10.4.2-MariaDB") && locks("9.7.4"));
        assert!(!locks("5.6.51") && !locks("10.3.39-MariaDB"));
    }

    #[test]
    fn the_name_in_a_certificate_is_read_from_the_refusal() {
        assert_eq!(presented_name("DnsName(\"db.example.com\")").as_deref(), Some("db.example.com"));
        assert_eq!(presented_name("DnsName(\"*.example.com\")").as_deref(), Some("any.example.com"));
        assert_eq!(presented_name("IpAddress(127.0.0.1)").as_deref(), Some("127.0.0.1"));
        assert_eq!(presented_name("UniformResourceIdentifier(x)"), None);
    }
}
