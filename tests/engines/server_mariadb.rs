//! A private MariaDB on the loopback address with TLS, its general log on, and an administrator like that of RDS.
//!
//! `RDSACCESS_TEST_MYSQL` chooses another version, or MySQL: see `installed`.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row, SslOpts};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rdsaccess::access::{Endpoint, Secret, TlsMode, Trust};
use rdsaccess::engine::{Connections, Login};
use tempfile::TempDir;

use crate::iam_rig::IamRig;
use crate::installed::{self, Programs};

/// The administrator, without SUPER as on RDS.
pub(crate) const ADMIN: (&str, &str) = ("admin1", "Admin-S3cret");
/// Somebody with every right, to make drift by hand.
pub(crate) const DBA: (&str, &str) = ("dba", "Dba-S3cret");

const RDS_PRIVILEGES: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, \
     SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, \
     SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER";
/// What the administrator of RDS for MySQL 8.0.36 and later holds on top, through a role.
const RDS_MYSQL_PRIVILEGES: &str =
    "CREATE ROLE, DROP ROLE, APPLICATION_PASSWORD_ADMIN, ROLE_ADMIN, SET_ANY_DEFINER, XA_RECOVER_ADMIN";
/// Options that MySQL must be given when the data directory is made, and the same afterwards.
const MADE_WITH: [&str; 1] = ["--lower-case-table-names="];
/// The unprivileged user that the server runs as when the tests run as root.
const NOBODY: u32 = 65534;

/// A running server; it stops when the value is dropped.
pub(crate) struct TestServer {
    process: Child,
    dir: TempDir,
    port: u16,
    root: Vec<u8>,
    /// Whether it is MySQL, not MariaDB
    pub(crate) is_mysql: bool,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl TestServer {
    /// Starts a server with more options.
    pub(crate) async fn start(options: &[&str]) -> Self {
        Self::start_named(&installed::selected_mysql(), options).await
    }

    /// Starts a MariaDB, whatever the other tests run on.
    pub(crate) async fn start_mariadb(options: &[&str]) -> Self {
        Self::start_named(&installed::selected_mariadb(), options).await
    }

    /// Starts a MySQL, whatever the other tests run on.
    pub(crate) async fn start_mysql(options: &[&str]) -> Self {
        Self::start_named(installed::MYSQL, options).await
    }

    /// Starts `mariadb-<version>` or `mysql-<version>`.
    pub(crate) async fn start_named(name: &str, options: &[&str]) -> Self {
        Self::launch(name, options, None).await
    }

    /// Starts `mariadb-<version>` or `mysql-<version>` with RDS's authentication plugin, which takes tokens.
    pub(crate) async fn start_with_iam(name: &str, rig: &IamRig) -> Self {
        let of_mariadb = (!installed::mysql(name).is_mysql).then_some("--plugin-maturity=experimental");
        let options: Vec<&str> = of_mariadb.into_iter().chain(["--plugin-load-add=aws_auth.so"]).collect();
        Self::launch(name, &options, Some(rig)).await
    }

    async fn launch(name: &str, options: &[&str], iam: Option<&IamRig>) -> Self {
        let program = Program::find(name, options);
        let dir = TempDir::with_prefix("rdsaccess-").expect("a temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("a directory others can enter");
        copy(&program.template(), &dir.path().join("data")).expect("a copy of the empty data directory");
        let root = write_certificates(dir.path());
        fs::write(dir.path().join("init.sql"), program.accounts()).expect("the start-up statements");
        own(dir.path()).expect("files that belong to the server's user");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let environment = iam.map(|rig| rig.environment(&rig.register(port)));
        if iam.is_some() {
            link_plugins(name, &dir.path().join("plugins")).expect("a folder of plugins");
        }
        let process = program.run(dir.path(), port, options, environment.into_iter().flatten());
        let mut server = Self { process, dir, port, root, is_mysql: program.is_mysql };
        server.wait_until_up().await;
        server
    }

    async fn wait_until_up(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.connect(DBA, "").await {
                Ok(_) => return,
                Err(error) if Instant::now() > deadline || self.process.try_wait().is_ok_and(|end| end.is_some()) => {
                    panic!("the server does not start: {error}\n{}", self.text("error.log"));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(30)).await,
            }
        }
    }

    /// Where it listens on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The administrator's login, with full verification.
    pub(crate) fn admin(&self) -> Login {
        Login {
            endpoint: Endpoint { host: "localhost".to_owned(), port: self.port },
            username: ADMIN.0.parse().expect("a role name"),
            key: Secret::from(ADMIN.1).into(),
            trust: Trust { mode: TlsMode::VerifyFull, roots: Arc::new(vec![self.root.clone()]) },
            target: "arn:aws:rds:eu-west-1:123456789012:db:payments".to_owned(),
            connections: Connections::at_most(3),
        }
    }

    /// Logs in with TLS, with a current database when one is named.
    pub(crate) async fn connect(&self, login: (&str, &str), database: &str) -> mysql_async::Result<Conn> {
        self.connect_with(login, database, Some(self.verifying())).await
    }

    /// Logs in with the given TLS options.
    pub(crate) async fn connect_with(
        &self,
        login: (&str, &str),
        database: &str,
        tls: Option<SslOpts>,
    ) -> mysql_async::Result<Conn> {
        Conn::new(self.options(login, database, tls)).await
    }

    /// Logs in with a token, which goes over in clear text within TLS.
    pub(crate) async fn connect_with_token(&self, login: (&str, &str)) -> mysql_async::Result<Conn> {
        Conn::new(self.options(login, "", Some(self.verifying())).enable_cleartext_plugin(true)).await
    }

    /// Logs in with a token and without TLS.
    pub(crate) async fn connect_with_token_in_the_open(&self, login: (&str, &str)) -> mysql_async::Result<Conn> {
        Conn::new(self.options(login, "", None).enable_cleartext_plugin(true)).await
    }

    fn verifying(&self) -> SslOpts {
        SslOpts::default().with_disable_built_in_roots(true).with_root_certs(vec![self.root.clone().into()])
    }

    fn options(&self, (user, password): (&str, &str), database: &str, tls: Option<SslOpts>) -> OptsBuilder {
        OptsBuilder::default()
            .ip_or_hostname("localhost")
            .tcp_port(self.port)
            .user(Some(user))
            .pass(Some(password))
            .db_name((!database.is_empty()).then_some(database))
            .prefer_socket(false)
            .ssl_opts(tls)
    }

    /// Runs statements as somebody with every right.
    pub(crate) async fn by_hand(&self, statements: &[&str]) -> Vec<Vec<String>> {
        let mut conn = self.connect(DBA, "").await.expect("the DBA logs in");
        let mut rows = Vec::new();
        for statement in statements {
            let result: Vec<Row> = conn.query(*statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
            rows = result.into_iter().map(texts).collect();
        }
        let _ = conn.disconnect().await;
        rows
    }

    /// What the general log holds now, to be given to [`Self::logged_since`].
    pub(crate) fn log_position(&self) -> usize {
        self.text("general.log").len()
    }

    /// The general log since then.
    pub(crate) fn logged_since(&self, position: usize) -> String {
        self.text("general.log")[position..].to_owned()
    }

    /// A file of the server: `general.log` or `error.log`.
    pub(crate) fn text(&self, file: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join(file)).unwrap_or_default()).into_owned()
    }
}

/// The columns of a row as texts; NULL becomes an empty one.
pub(crate) fn texts(row: Row) -> Vec<String> {
    row.unwrap().into_iter().map(|value| mysql_async::from_value::<Option<String>>(value).unwrap_or_default()).collect()
}

struct Program {
    name: String,
    server: PathBuf,
    install: PathBuf,
    is_mysql: bool,
    /// Options that the data directory is made with
    made_with: Vec<String>,
}

impl Program {
    fn find(name: &str, options: &[&str]) -> Self {
        let Programs { server, install, is_mysql } = installed::mysql(name);
        let matters = |option: &&&str| is_mysql && MADE_WITH.iter().any(|name| option.starts_with(name));
        let made_with = options.iter().filter(matters).map(|option| (*option).to_owned()).collect();
        Self { name: name.to_owned(), server, install, is_mysql, made_with }
    }

    /// An empty data directory, made once and kept beside the test programs.
    fn template(&self) -> PathBuf {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // A newer build of the server gets another template.
        let built = fs::metadata(&self.server).and_then(|program| program.modified()).expect("the server's age");
        let built = built.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let template = place.join(format!("{}{}-empty-{built}", self.name, self.made_with.concat()));
        if !template.exists() {
            let dir = TempDir::with_prefix("rdsaccess-install-").expect("a temporary directory");
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("a directory others can enter");
            fs::create_dir(dir.path().join("data")).expect("a data directory");
            own(dir.path()).expect("a directory that belongs to the server's user");
            self.install(&dir.path().join("data"));
            // Tests run in parallel processes: whoever is second finds the place taken, which is as good.
            let half_done = place.join(format!("empty-{}", std::process::id()));
            copy(&dir.path().join("data"), &half_done).expect("a copy of the empty data directory");
            if fs::rename(&half_done, &template).is_err() {
                let _ = fs::remove_dir_all(&half_done);
            }
        }
        template
    }

    fn install(&self, data: &Path) {
        let mut command = if self.is_mysql {
            let mut command = Command::new(&self.install);
            command.args(["--no-defaults", "--initialize-insecure"]).args(&self.made_with);
            command
        } else {
            let mut command = Command::new(&self.install);
            let options = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"];
            command.args(options).args(["--skip-name-resolve", "--innodb-log-file-size=4M"]);
            command
        };
        // A server that starts clears its temporary directory, so it must not be one that others use.
        command.arg(option("--datadir=", data)).args(run_as_nobody()).env("TMPDIR", data.parent().unwrap());
        let output = command.output().unwrap_or_else(|error| {
            panic!("cannot make an empty database: {error}; run: scripts/servers {}", self.name)
        });
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Run at start-up, one statement per line.
    fn accounts(&self) -> String {
        let (admin, admin_password) = ADMIN;
        let (dba, dba_password) = DBA;
        let more = if self.is_mysql {
            format!(
                "CREATE ROLE rds_superuser_role;\n\
                 GRANT {RDS_MYSQL_PRIVILEGES} ON *.* TO rds_superuser_role WITH GRANT OPTION;\n\
                 GRANT rds_superuser_role TO {admin}@'%' WITH ADMIN OPTION;\n\
                 SET DEFAULT ROLE rds_superuser_role TO {admin}@'%';\n"
            )
        } else {
            String::new()
        };
        format!(
            "CREATE USER {dba}@'%' IDENTIFIED BY '{dba_password}';\n\
             GRANT ALL ON *.* TO {dba}@'%' WITH GRANT OPTION;\n\
             CREATE USER {admin}@'%' IDENTIFIED BY '{admin_password}';\n\
             GRANT {RDS_PRIVILEGES} ON *.* TO {admin}@'%' WITH GRANT OPTION;\n\
             {more}\
             CREATE DEFINER = {dba}@'%' PROCEDURE mysql.rds_kill(IN thread BIGINT) READS SQL DATA KILL thread;\n"
        )
    }

    fn run(
        &self,
        dir: &Path,
        port: u16,
        options: &[&str],
        environment: impl Iterator<Item = (&'static str, String)>,
    ) -> Child {
        let common = [
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-use-native-aio=0",
            "--performance-schema=OFF",
            "--skip-log-bin",
            "--general-log=1",
        ];
        let special: &[&str] = if self.is_mysql { &["--mysqlx=OFF"] } else { &["--innodb-log-file-size=4M"] };
        let mut command = Command::new(&self.server);
        command.arg("--no-defaults").envs(environment);
        let plugins = dir.join("plugins");
        command.args(plugins.exists().then(|| option("--plugin-dir=", &plugins)));
        for (name, file) in [
            ("--datadir=", "data"),
            ("--tmpdir=", ""),
            ("--socket=", "s.sock"),
            ("--pid-file=", "pid"),
            ("--log-error=", "error.log"),
            ("--general-log-file=", "general.log"),
            ("--init-file=", "init.sql"),
            ("--ssl-cert=", "server.crt"),
            ("--ssl-key=", "server.key"),
            ("--ssl-ca=", "ca.crt"),
        ] {
            command.arg(option(name, &dir.join(file)));
        }
        command.args(common).args(special).args(options).arg(format!("--port={port}")).args(run_as_nobody());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server runs")
    }
}

/// One folder with links to the plugins of several.
fn link_plugins(name: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)?;
    for from in installed::plugins_with_auth(name) {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            symlink(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The server refuses to run as root.
fn run_as_nobody() -> Option<&'static str> {
    is_root().then_some("--user=nobody")
}

fn own(path: &Path) -> io::Result<()> {
    if !is_root() {
        return Ok(());
    }
    chown(path, Some(NOBODY), Some(NOBODY))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            own(&entry?.path())?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A CA and a certificate for `localhost` alone. Returns the CA's certificate.
fn write_certificates(dir: &Path) -> Vec<u8> {
    let mut ca = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().expect("a key")).expect("a CA");
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let server = server.signed_by(&key, &ca).expect("a certificate");
    for (file, text) in [("ca.crt", ca.pem()), ("server.crt", server.pem()), ("server.key", key.serialize_pem())] {
        fs::write(dir.join(file), text).expect("a certificate file");
    }
    ca.der().to_vec()
}
