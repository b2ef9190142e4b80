//! A SQL Server for tests: the stand-in of `tests/fakes/sqlserver`, or a real one.
//!
//! With `RDSACCESS_TEST_MSSQL` set to `host=… port=… user=… password=… ca_file=…` the tests of what a role may do run
//! on that server. Its user needs what the master user of RDS holds. Databases and logins of the tests have names of
//! their own and are dropped at the end. The tests of faults always run on the stand-in.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rdsaccess::access::{Endpoint, Secret, TlsMode, Trust};
use rdsaccess::engine::{Connections, Login};
use serde_json::{Value, json};
use tempfile::TempDir;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

/// The administrator, with the rights of RDS's master user.
pub(crate) const ADMIN: (&str, &str) = ("admin1", "Admin-S3cret");
/// Somebody with every right, to make drift by hand.
pub(crate) const DBA: (&str, &str) = ("dba", "Dba-S3cret");

pub(crate) type Connection = Client<Compat<TcpStream>>;

/// A running server; it stops when the value is dropped.
pub(crate) struct TestServer {
    stand_in: Option<StandIn>,
    host: String,
    port: u16,
    root: Vec<u8>,
    admin: (String, String),
    dba: (String, String),
    /// What to drop at the end, on a real server
    made: Mutex<Vec<String>>,
    tag: String,
}

struct StandIn {
    process: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    dir: TempDir,
}

impl TestServer {
    /// The real server when there is one, else the stand-in.
    pub(crate) fn start() -> Self {
        match std::env::var_os("RDSACCESS_TEST_MSSQL") {
            Some(text) => Self::real(text.to_str().expect("RDSACCESS_TEST_MSSQL is text")),
            None => Self::stand_in(),
        }
    }

    /// The stand-in of SQL Server 2022.
    pub(crate) fn stand_in() -> Self {
        let dir = TempDir::with_prefix("rdsaccess-").expect("a temporary directory");
        let root = write_certificates(&dir);
        let place = |file: &str| dir.path().join(file).to_str().unwrap().to_owned();
        let wish = json!({
            "certificate": place("server.crt"), "key": place("server.key"), "log": place("log"),
            "admin": ADMIN, "dba": DBA,
        });
        let root_dir = env!("CARGO_MANIFEST_DIR");
        let mut process = Command::new(format!("{root_dir}/.venv/bin/python"))
            .args(["-B", &format!("{root_dir}/tests/fakes/sqlserver/server.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python environment of the tests: run scripts/install");
        let mut pipes = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let started = exchange(&mut pipes, &wish);
        let port = u16::try_from(started["port"].as_u64().expect("the port; run scripts/install")).unwrap();
        let owned = |(name, password): (&str, &str)| (name.to_owned(), password.to_owned());
        Self {
            stand_in: Some(StandIn { process, pipes: Mutex::new(pipes), dir }),
            host: "localhost".to_owned(),
            port,
            root,
            admin: owned(ADMIN),
            dba: owned(DBA),
            made: Mutex::default(),
            tag: String::new(),
        }
    }

    /// The same with names as they are written: for tests that take turns on a real server.
    pub(crate) fn start_unnamed() -> Self {
        let mut server = Self::start();
        server.tag.clear();
        server
    }

    /// Whether it is not the stand-in.
    pub(crate) fn is_real(&self) -> bool {
        self.stand_in.is_none()
    }

    /// A session of the administrator.
    pub(crate) async fn as_admin(&self, database: &str) -> Connection {
        self.connect((&self.admin.0, &self.admin.1), database).await.expect("the administrator logs in")
    }

    /// A session of the DBA.
    pub(crate) async fn as_dba(&self, database: &str) -> Connection {
        self.connect((&self.dba.0, &self.dba.1), database).await.expect("the DBA logs in")
    }

    fn real(text: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let parts: HashMap<&str, &str> = text.split_whitespace().filter_map(|part| part.split_once('=')).collect();
        let part = |name: &str| {
            let found = parts.get(name).unwrap_or_else(|| panic!("RDSACCESS_TEST_MSSQL lacks {name}="));
            (*found).to_owned()
        };
        let admin = (part("user"), part("password"));
        Self {
            stand_in: None,
            host: part("host"),
            port: part("port").parse().expect("a port"),
            root: read_certificate(&part("ca_file")),
            dba: admin.clone(),
            admin,
            made: Mutex::default(),
            tag: format!("_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst)),
        }
    }

    /// A name for this test alone.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{name}{}", self.tag)
    }

    /// Makes a database that the administrator owns, and returns its name.
    pub(crate) async fn database(&self, name: &str) -> String {
        let name = self.name(name);
        let quoted = format!("[{}]", name.replace(']', "]]"));
        self.drop_later(format!("DROP DATABASE {quoted}"));
        let mut admin = self.as_admin("master").await;
        query(&mut admin, &format!("CREATE DATABASE {quoted};")).await.unwrap();
        name
    }

    /// Runs a statement at the end when the server stays.
    pub(crate) fn drop_later(&self, statement: String) {
        self.made.lock().unwrap().push(statement);
    }

    /// The administrator's login, with full verification.
    pub(crate) fn admin(&self) -> Login {
        Login {
            endpoint: Endpoint { host: self.host.clone(), port: self.port },
            username: self.admin.0.parse().unwrap(),
            key: Secret::from(self.admin.1.as_str()).into(),
            trust: Trust { mode: TlsMode::VerifyFull, roots: Arc::new(vec![self.root.clone()]) },
            target: "arn:aws:rds:eu-west-1:123456789012:db:payments".to_owned(),
            connections: Connections::at_most(3),
        }
    }

    /// Logs in with the driver's own TLS.
    pub(crate) async fn connect(&self, (user, password): (&str, &str), database: &str) -> tiberius::Result<Connection> {
        // Fails when another test of the process was first, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut config = Config::new();
        config.host(&self.host);
        config.port(self.port);
        config.database(database);
        config.application_name("rdsaccess tests");
        config.authentication(AuthMethod::sql_server(user, password));
        config.encryption(EncryptionLevel::Required);
        config.trust_cert_ca_bundle(self.root.clone());
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        Client::connect(config, tcp.compat_write()).await
    }

    /// Runs statements as somebody with every right; the rows of the last.
    pub(crate) async fn by_hand(&self, database: &str, statements: &[&str]) -> Vec<Row> {
        let mut dba = self.as_dba(database).await;
        let mut rows = Vec::new();
        for statement in statements {
            rows = query(&mut dba, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        rows
    }

    /// Steers the stand-in.
    pub(crate) fn command(&self, wish: &Value) -> Value {
        exchange(&mut self.stand_in.as_ref().expect("only the stand-in is steered").pipes.lock().unwrap(), wish)
    }

    /// The batches that the stand-in got from the administrator so far, as (database, SQL).
    pub(crate) fn batches(&self) -> Vec<(String, String)> {
        self.batches_of(|login| login == self.admin.0)
    }

    /// The same from everybody.
    pub(crate) fn all_batches(&self) -> Vec<(String, String)> {
        self.batches_of(|_| true)
    }

    fn batches_of(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let log = fs::read_to_string(self.stand_in.as_ref().unwrap().dir.path().join("log")).unwrap();
        let entries = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
        entries.filter(|entry| wanted(&text(entry, "login"))).map(|e| (text(&e, "database"), text(&e, "sql"))).collect()
    }

    /// The batches since then that change something.
    pub(crate) fn changes_since(&self, position: usize) -> Vec<(String, String)> {
        let reads = ["SELECT", "SET ", "DECLARE @taken", "EXEC sys.sp_releaseapplock"];
        let is_read = |sql: &str| reads.iter().any(|start| sql.starts_with(start));
        self.batches().into_iter().skip(position).filter(|(_, sql)| !is_read(sql)).collect()
    }
}

/// Sends a batch; the rows of its first result.
pub(crate) async fn query(connection: &mut Connection, sql: &str) -> tiberius::Result<Vec<Row>> {
    connection.simple_query(sql).await?.into_first_result().await
}

/// The first column of a row as a text; empty for NULL.
pub(crate) fn first_column(row: &Row) -> String {
    use tiberius::ColumnData;
    match row.get_column_data(0) {
        Ok(ColumnData::String(Some(text))) => text.clone().into_owned(),
        Ok(ColumnData::I32(Some(number))) => number.to_string(),
        Ok(ColumnData::I16(Some(number))) => number.to_string(),
        Ok(ColumnData::String(None) | ColumnData::I32(None) | ColumnData::I16(None)) => String::new(),
        other => panic!("a column of another type: {other:?}"),
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(stand_in) = &mut self.stand_in {
            let _ = stand_in.process.kill();
            let _ = stand_in.process.wait();
            return;
        }
        let made: Vec<String> = std::mem::take(&mut self.made.lock().unwrap());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let Ok(mut dba) = self.connect((&self.dba.0, &self.dba.1), "master").await else { return };
                    for statement in made.iter().rev() {
                        let _ = query(&mut dba, statement).await;
                    }
                });
            });
        });
    }
}

fn exchange(pipes: &mut (ChildStdin, BufReader<ChildStdout>), wish: &Value) -> Value {
    writeln!(pipes.0, "{wish}").unwrap();
    let mut line = String::new();
    pipes.1.read_line(&mut line).unwrap();
    serde_json::from_str(&line).expect("an answer of the stand-in; if it misses a module: run scripts/install")
}

fn read_certificate(path: &str) -> Vec<u8> {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    match std::str::from_utf8(&text) {
        Ok(pem) => {
            let body: String = pem
                .lines()
                .skip_while(|l| !l.starts_with("-----BEGIN"))
                .skip(1)
                .take_while(|l| !l.starts_with("-----END"))
                .collect();
            base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).expect("a certificate in PEM")
        }
        Err(_) => text,
    }
}

/// A CA and a certificate for `localhost` alone. Returns the CA's certificate.
fn write_certificates(dir: &TempDir) -> Vec<u8> {
    let mut ca = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().expect("a key")).expect("a CA");
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let server = server.signed_by(&key, &ca).expect("a certificate");
    for (file, text) in [("server.crt", server.pem()), ("server.key", key.serialize_pem())] {
        fs::write(dir.path().join(file), text).expect("a certificate file");
    }
    ca.der().to_vec()
}
