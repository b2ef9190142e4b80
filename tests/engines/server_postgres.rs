//! A private PostgreSQL server that looks like one of RDS: TLS with its own authority, a bootstrap superuser `rdsadmin`
//! that nobody logs in as, and a master user `admin1` without superuser rights.
//!
//! Its version is chosen by `RDSACCESS_TEST_PG`, see `installed`. PostgreSQL refuses to run as root; then it runs as
//! `nobody`.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rdsaccess::access::{Endpoint, EngineKind, Secret, TlsMode, Trust};
use rdsaccess::engine::{Connections, Login, Server, open};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::iam_rig::IamRig;
use crate::installed;

/// The master user, as RDS makes it.
pub const MASTER: &str = "admin1";
/// Its password.
pub const MASTER_PASSWORD: &str = "M4ster~Secret";

/// The one name in the server's certificate.
const HOST: &str = "localhost";

/// What RDS sets up, in short. From version 16 on CREATEROLE grants only what its holder administers, and RDS lets its
/// superuser grant these.
const LIKE_RDS: &str = "
    CREATE ROLE rds_superuser NOLOGIN;
    CREATE ROLE rds_iam NOLOGIN;
    CREATE ROLE rds_password NOLOGIN;
    CREATE ROLE rds_replication NOLOGIN;
    CREATE ROLE rds_ad NOLOGIN;
    CREATE ROLE rdsrepladmin NOLOGIN REPLICATION;
    GRANT pg_monitor, pg_signal_backend, rds_replication, rds_password TO rds_superuser WITH ADMIN OPTION;
    DO $$
    BEGIN
        IF current_setting('server_version_num')::int >= 150000 THEN
            GRANT pg_checkpoint TO rds_superuser WITH ADMIN OPTION;
        END IF;
        IF current_setting('server_version_num')::int >= 160000 THEN
            GRANT rds_iam, rds_ad, pg_read_all_data, pg_write_all_data TO rds_superuser WITH ADMIN OPTION;
        END IF;
    END $$;
    CREATE ROLE admin1 LOGIN CREATEROLE CREATEDB PASSWORD 'M4ster~Secret' VALID UNTIL 'infinity';
    GRANT rds_superuser TO admin1";

/// A running server; stopped when dropped.
pub struct PostgresServer {
    port: u16,
    authority: Vec<u8>,
    dir: TempDir,
    process: Child,
}

impl PostgresServer {
    /// Starts a server with the databases `app` and `postgres`, both of the master user.
    pub async fn start() -> Self {
        Self::start_version(&installed::selected_postgres()).await
    }

    /// Starts a server of this version.
    pub async fn start_version(version: &str) -> Self {
        Self::start_from(&installed::postgres(version), None).await
    }

    /// Starts a server whose members of `rds_iam` log in with tokens, as on RDS. It is Debian's newest, whatever version
    /// is selected: others are built without LDAP.
    pub async fn start_with_iam(rig: &IamRig) -> Self {
        Self::start_from(&installed::newest_debian_postgres(), Some(rig)).await
    }

    async fn start_from(bin: &Path, iam: Option<&IamRig>) -> Self {
        let dir = tempfile::Builder::new().prefix("rdsaccess-pg-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let data = dir.path().join("data");
        copy_template(bin, &data);
        let authority = write_certificates(&data);
        let port = free_port();
        write_settings(&data, port, iam);
        give_to_owner(dir.path());
        let log = File::create(dir.path().join("log")).unwrap();
        let process = unprivileged(&bin.join("postgres"), dir.path())
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self { port, authority, dir, process };
        server.set_up().await;
        server
    }

    async fn set_up(&self) {
        for _ in 0..200 {
            if self.log().contains("ready to accept connections") {
                let superuser = self.superuser("postgres").await;
                superuser.batch_execute(LIKE_RDS).await.unwrap();
                for database in ["CREATE DATABASE app OWNER admin1", "CREATE DATABASE rdsadmin"] {
                    superuser.batch_execute(database).await.unwrap();
                }
                let closing = "REVOKE ALL ON DATABASE rdsadmin FROM PUBLIC; ALTER DATABASE postgres OWNER TO admin1";
                return superuser.batch_execute(closing).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("PostgreSQL did not start: {}", self.log());
    }

    /// What the server has logged so far: every statement, as `application|user|database|…`.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("log")).unwrap()).into_owned()
    }

    /// Where it listens on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The master user's login for the engine.
    pub fn login(&self) -> Login {
        Login {
            endpoint: Endpoint { host: HOST.to_owned(), port: self.port },
            username: MASTER.parse().unwrap(),
            key: Secret::from(MASTER_PASSWORD).into(),
            trust: Trust { mode: TlsMode::VerifyFull, roots: Arc::new(vec![self.authority.clone()]) },
            target: "arn:aws:rds:eu-central-1:123456789012:db:ledger".to_owned(),
            connections: Connections::at_most(3),
        }
    }

    /// The engine on this server, as another process would open it: nothing is shared with earlier calls.
    pub fn engine(&self) -> Arc<dyn Server> {
        open(EngineKind::Postgres, self.login()).unwrap()
    }

    /// Stops the server's side of the engine's sessions, as a node does that hangs: the connections stay open.
    pub async fn freeze_sessions(&self) -> Frozen {
        let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'terraform-provider-rdsaccess'";
        let rows = self.superuser("postgres").await.query(sql, &[]).await.unwrap();
        let frozen = Frozen(rows.iter().map(|row| row.get::<_, i32>(0).to_string()).collect());
        assert!(!frozen.0.is_empty(), "there is no session to stop");
        frozen.signal("-STOP");
        frozen
    }

    /// Refuses every later login of this user, whatever its password.
    pub async fn refuse(&self, user: &str) {
        let path = self.dir.path().join("data/pg_hba.conf");
        let lines = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("host all {user} 0.0.0.0/0 reject\n{lines}")).unwrap();
        self.superuser("postgres").await.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        // The postmaster reads the file when it handles the signal.
        for _ in 0..100 {
            if self.log().contains("received SIGHUP") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    /// A session of the bootstrap superuser.
    pub async fn superuser(&self, database: &str) -> Client {
        let (client, connection) = self.config("rdsadmin", database).connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A session of the master user.
    pub async fn master(&self, database: &str) -> Client {
        self.connect(MASTER, MASTER_PASSWORD, database).await.unwrap()
    }

    /// A login with a password.
    pub async fn connect(&self, user: &str, password: &str, database: &str) -> Result<Client, tokio_postgres::Error> {
        let mut config = self.config(user, database);
        let (client, connection) = config.password(password).connect(self.tls()).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    fn config(&self, user: &str, database: &str) -> Config {
        let mut config = Config::new();
        config.host(HOST).port(self.port).user(user).dbname(database).application_name("test");
        config
    }

    fn tls(&self) -> MakeRustlsConnect {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.authority.clone())).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Processes that are stopped; they go on when this is dropped.
pub struct Frozen(Vec<String>);

impl Frozen {
    /// Lets them go on.
    pub fn thaw(self) {}

    fn signal(&self, signal: &str) {
        let _signalled = Command::new("kill").arg(signal).args(&self.0).status();
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // SIGQUIT ends the server and its workers at once; SIGKILL would leave the workers.
        let _signalled = Command::new("kill").args(["-QUIT", &self.process.id().to_string()]).status();
        let _ended = self.process.wait();
    }
}

fn is_root() -> bool {
    let own = fs::metadata("/proc/self").unwrap();
    std::os::unix::fs::MetadataExt::uid(&own) == 0
}

fn unprivileged(program: &Path, home: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.env("HOME", home).env("LC_ALL", "C").current_dir(home);
    command
}

fn give_to_owner(dir: &Path) {
    if is_root() {
        assert!(Command::new("chown").args(["-R", "nobody:nogroup"]).arg(dir).status().unwrap().success());
    }
}

/// `initdb` takes half a second, a copy of its result a tenth: the result is kept beside the build.
fn copy_template(bin: &Path, data: &Path) {
    let version = Command::new(bin.join("postgres")).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap().trim().replace([' ', '(', ')', '/'], "_");
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("template_{version}"));
    if !kept.exists() {
        make_template(bin, &kept);
    }
    copy(&kept, data);
}

fn make_template(bin: &Path, kept: &Path) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    give_to_owner(dir.path());
    let made = dir.path().join("data");
    let output = unprivileged(&bin.join("initdb"), dir.path())
        .args(["--username=rdsadmin", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-D"])
        .arg(&made)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let private = kept.with_extension(std::process::id().to_string());
    copy(&made, &private);
    // Another test may have been faster; its template is as good.
    if fs::rename(&private, kept).is_err() {
        fs::remove_dir_all(&private).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn write_certificates(data: &Path) -> Vec<u8> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let server_key = KeyPair::generate().unwrap();
    let names = vec![HOST.to_owned()];
    let server = CertificateParams::new(names).unwrap().signed_by(&server_key, &issuer).unwrap();
    fs::write(data.join("server.crt"), server.pem()).unwrap();
    fs::write(data.join("server.key"), server_key.serialize_pem()).unwrap();
    fs::set_permissions(data.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
    authority.der().to_vec()
}

fn write_settings(data: &Path, port: u16, iam: Option<&IamRig>) {
    let settings = format!(
        "listen_addresses='127.0.0.1'\nport={port}\nunix_socket_directories=''\nssl=on\nfsync=off\n\
         synchronous_commit=off\nfull_page_writes=off\nshared_buffers=16MB\nmax_connections=40\nautovacuum=off\n\
         wal_level=minimal\nmax_wal_senders=0\njit=off\nlogging_collector=off\npassword_encryption='scram-sha-256'\n\
         log_statement=all\nlog_line_prefix='%a|%u|%d|'\n"
    );
    let path = data.join("postgresql.conf");
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str(&settings);
    fs::write(path, text).unwrap();
    let tokens = iam.map_or_else(String::new, |rig| {
        let (name, ldap) = (rig.register(port), rig.ldap());
        let options = format!("ldapserver=127.0.0.1 ldapport={ldap} ldapprefix=\"cn=\" ldapsuffix=\",ou={name}\"");
        // From version 16 on the master user is a member of rds_iam through rds_superuser.
        format!("hostssl all {MASTER} 127.0.0.1/32 scram-sha-256\nhostssl all +rds_iam 127.0.0.1/32 ldap {options}\n")
    });
    let access =
        format!("hostnossl all rdsadmin 127.0.0.1/32 trust\n{tokens}hostssl all all 127.0.0.1/32 scram-sha-256\n");
    fs::write(data.join("pg_hba.conf"), access).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
