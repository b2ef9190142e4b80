//! Logins and statements through `psql` and `mariadb`: clients that we did not write.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::rig::{Database, Rig};

/// The rows of the last statement, each a list of texts; SQL NULL is an empty text (PostgreSQL) or `NULL` (MariaDB).
pub(crate) type Rows = Vec<Vec<String>>;

/// A user's way into a database: by the endpoint's host name, with full verification of the server's certificate.
#[derive(Debug, Clone)]
pub(crate) struct Login<'a> {
    target: &'a Database,
    user: String,
    password: String,
    database: String,
    tls: Tls,
}

/// How the server's certificate is checked. Anything but `VerifyFull` is there to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    VerifyFull,
    SystemAuthorities,
    Plain,
}

impl<'a> Login<'a> {
    pub(crate) fn new(target: &'a Database, user: &str, password: &str) -> Self {
        let database = if target.server.as_deref() == Some("postgres") { "postgres" } else { "" };
        Self {
            target,
            user: user.to_owned(),
            password: password.to_owned(),
            database: database.to_owned(),
            tls: Tls::VerifyFull,
        }
    }

    /// The master user with the password that it was created with.
    pub(crate) fn master(target: &'a Database) -> Self {
        Self::new(target, &target.master_username, &target.master_password)
    }

    /// The database to connect to (default: `postgres`, or none on MariaDB).
    pub(crate) fn database(mut self, name: &str) -> Self {
        name.clone_into(&mut self.database);
        self
    }

    pub(crate) fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Runs statements; the error is what the client said.
    pub(crate) fn run(&self, rig: &Rig, sql: &str) -> Result<Rows, String> {
        if self.target.server.as_deref() == Some("postgres") {
            finish(self.psql(rig), sql)
        } else {
            finish(self.mariadb(rig), sql)
        }
    }

    fn psql(&self, rig: &Rig) -> Command {
        let mut command = rig.command("psql");
        let (mode, authority) = match self.tls {
            Tls::VerifyFull => ("verify-full", rig.made.ca_file.clone()),
            Tls::SystemAuthorities => ("verify-full", "/etc/ssl/certs/ca-certificates.crt".into()),
            Tls::Plain => ("disable", rig.made.ca_file.clone()),
        };
        command
            .args(PSQL)
            .args(["-h", &self.target.endpoint, "-p", &self.target.port.to_string()])
            .args(["-U", &self.user, "-d", &self.database])
            .env("PGPASSWORD", &self.password)
            .env("PGSSLMODE", mode)
            .env("PGSSLROOTCERT", authority)
            .env("PGCONNECT_TIMEOUT", "10");
        command
    }

    fn mariadb(&self, rig: &Rig) -> Command {
        let mut command = rig.command("mariadb");
        command.args(MARIADB);
        match self.tls {
            Tls::VerifyFull => {
                command.arg(format!("--ssl-ca={}", rig.made.ca_file.display())).arg("--ssl-verify-server-cert")
            }
            Tls::SystemAuthorities => {
                command.arg("--ssl-ca=/etc/ssl/certs/ca-certificates.crt").arg("--ssl-verify-server-cert")
            }
            Tls::Plain => command.arg("--skip-ssl"),
        };
        command
            .arg(format!("--host={}", self.target.endpoint))
            .arg(format!("--port={}", self.target.port))
            .arg(format!("--user={}", self.user))
            .arg("--connect-timeout=10")
            .env("MYSQL_PWD", &self.password);
        if !self.database.is_empty() {
            command.arg(&self.database);
        }
        command
    }
}

/// Runs statements as the server's owner, over its socket: for making and checking what a test needs.
///
/// # Panics
/// When the target has no server or the statement fails.
pub(crate) fn as_owner(target: &Database, database: &str, sql: &str) -> Rows {
    finish(owners_client(target, database), sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The client of the server's owner, over its socket, not started; it reads statements from its standard input.
///
/// # Panics
/// When the target has no server.
pub(crate) fn owners_client(target: &Database, database: &str) -> Command {
    let socket = target.socket.as_ref().expect("the target has a server");
    let owner = target.superuser.as_deref().expect("the server has an owner");
    let mut command = if target.server.as_deref() == Some("postgres") {
        let mut psql = Command::new("psql");
        psql.args(PSQL).arg("-h").arg(socket).args(["-p", &target.port.to_string(), "-U", owner, "-d", database]);
        psql
    } else {
        let mut mariadb = Command::new("mariadb");
        mariadb.args(MARIADB).arg(format!("--socket={}", socket.display())).arg(format!("--user={owner}"));
        if !database.is_empty() {
            mariadb.arg(database);
        }
        mariadb
    };
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

const PSQL: [&str; 9] = ["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-f-"];
const MARIADB: [&str; 4] = ["--no-defaults", "--batch", "--skip-column-names", "--raw"];

fn finish(mut command: Command, sql: &str) -> Result<Rows, String> {
    command.env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}; run scripts/install"))?;
    // A client that is refused ends without reading.
    let _ = child.stdin.take().expect("a pipe").write_all(sql.as_bytes());
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}
