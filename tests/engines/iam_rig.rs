//! IAM database authentication without AWS: keys of our own, tokens that botocore makes, and a stand-in for the part of
//! RDS that checks them (`tests/fakes/databases/iam_server.py`). Policies are not looked at.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use rdsaccess::access::{Endpoint, Region, Secret};
use rdsaccess::aws::settings::StaticKeys;
use rdsaccess::aws::{Sessions, Settings};
use rdsaccess::engine::{Fault, Key, Token, Tokens};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The region of every database.
pub const REGION: &str = "eu-central-1";
/// A key of an IAM user, and its secret.
pub const PERMANENT_KEY: (&str, &str) = ("AKIARIGPERMANENT", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
/// A key of an assumed role, its secret, and its session token.
pub const TEMPORARY_KEY: (&str, &str, &str) =
    ("ASIARIGTEMPORARY", "s+e/cret=of~the-role", "session/token+of==the-role");

const ACCOUNT: &str = "123456789012";

/// A running stand-in; stopped when dropped. One serves any number of database servers.
pub struct IamRig {
    process: Child,
    dir: TempDir,
    ldap: u16,
    lines: u16,
    databases: Mutex<BTreeMap<String, Value>>,
}

impl IamRig {
    /// Starts the stand-in.
    pub fn start() -> Self {
        let dir = TempDir::with_prefix("rdsaccess-iam-").unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let mut process = Command::new(python())
            .args(["-m", "databases.iam_server"])
            .arg(dir.path().join("configuration.json"))
            .current_dir(fakes())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            panic!("{error}: {}", fs::read_to_string(dir.path().join("log")).unwrap_or_default())
        });
        let port = |name: &str| u16::try_from(ports[name].as_u64().unwrap()).unwrap();
        Self { process, dir, ldap: port("ldap"), lines: port("lines"), databases: Mutex::default() }
    }

    /// Makes a database known that listens at this port of `localhost`; the name that its server shows to the stand-in.
    pub fn register(&self, port: u16) -> String {
        let name = format!("localhost:{port}");
        let entry = json!({"hosts": ["localhost"], "port": port, "region": REGION, "account": ACCOUNT});
        let mut databases = self.databases.lock().unwrap();
        databases.insert(name.clone(), entry);
        let (access_key, secret_key) = PERMANENT_KEY;
        let (role_key, role_secret, session_token) = TEMPORARY_KEY;
        let keys = json!({
            access_key: {"secret_key": secret_key, "account": ACCOUNT},
            role_key: {"secret_key": role_secret, "session_token": session_token, "account": ACCOUNT},
        });
        let unfinished = self.dir.path().join("unfinished");
        fs::write(&unfinished, json!({"databases": *databases, "keys": keys}).to_string()).unwrap();
        fs::rename(unfinished, self.dir.path().join("configuration.json")).unwrap();
        name
    }

    /// The port of the LDAP server, for PostgreSQL.
    pub fn ldap(&self) -> u16 {
        self.ldap
    }

    /// The environment of a MariaDB or MySQL server that is this database.
    pub fn environment(&self, database: &str) -> [(&'static str, String); 2] {
        [("RDSACCESS_IAM_PORT", self.lines.to_string()), ("RDSACCESS_IAM_DATABASE", database.to_owned())]
    }

    /// Every login so far, one a line: `accepted <user> at <database>`, or `refused <user> at <database>: <reason>`.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }
}

impl Drop for IamRig {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// What a token is made from.
#[derive(Debug, Clone)]
pub struct TokenWish {
    /// The endpoint that is signed
    pub host: String,
    /// Its port
    pub port: u16,
    /// The database user
    pub user: String,
    /// The region that is signed
    pub region: String,
    /// Access key id
    pub access_key: String,
    /// Its secret
    pub secret_key: String,
    /// Of a temporary key
    pub session_token: Option<String>,
    /// How many seconds ago it is made
    pub age: u64,
}

impl TokenWish {
    /// A right token for a user of the database at this port.
    pub fn new(user: &str, port: u16) -> Self {
        Self {
            host: "localhost".to_owned(),
            port,
            user: user.to_owned(),
            region: REGION.to_owned(),
            access_key: PERMANENT_KEY.0.to_owned(),
            secret_key: PERMANENT_KEY.1.to_owned(),
            session_token: None,
            age: 0,
        }
    }

    /// The same, signed with the key of an assumed role.
    pub fn of_a_role(self) -> Self {
        let (access_key, secret_key, session_token) = TEMPORARY_KEY;
        Self {
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            session_token: Some(session_token.to_owned()),
            ..self
        }
    }

    /// The token, as botocore makes it.
    pub fn token(&self) -> String {
        Self::tokens(std::slice::from_ref(self)).remove(0)
    }

    /// The tokens of several wishes, which is as fast as one.
    pub fn tokens(wishes: &[Self]) -> Vec<String> {
        Self::made(wishes.iter().map(Self::as_json))
    }

    /// The same of `generate_db_auth_token` of botocore itself, made at a moment in seconds since 1970.
    pub fn tokens_at(wishes: &[Self], seconds: u64) -> Vec<String> {
        Self::made(wishes.iter().map(|wish| {
            let mut asked = wish.as_json();
            asked["at"] = json!(seconds);
            asked
        }))
    }

    fn made(wishes: impl ExactSizeIterator<Item = Value>) -> Vec<String> {
        let count = wishes.len();
        let mut process = Command::new(python())
            .arg(fakes().join("databases/make_token.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = process.stdin.take().unwrap();
        for wish in wishes {
            writeln!(input, "{wish}").unwrap();
        }
        drop(input);
        let output = process.wait_with_output().unwrap();
        let tokens: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        assert_eq!(tokens.len(), count, "botocore made no token");
        tokens
    }

    /// The token, as the provider makes it. It is made now, whatever `age` says.
    pub async fn token_of_the_provider(&self) -> String {
        // The servers look at the clock of this machine.
        #[allow(clippy::disallowed_methods)]
        self.token_of_the_provider_at(SystemTime::now()).await
    }

    /// The token, as the provider makes it at this moment.
    pub async fn token_of_the_provider_at(&self, now: SystemTime) -> String {
        let keys = StaticKeys {
            access_key: self.access_key.clone(),
            secret_key: Secret::from(self.secret_key.as_str()),
            token: self.session_token.as_deref().map(Secret::from),
        };
        let region: Region = self.region.parse().unwrap();
        let settings = Settings { static_keys: Some(keys), region: Some(region.clone()), ..Settings::default() };
        let endpoint = Endpoint { host: self.host.clone(), port: self.port };
        let token = Sessions::new(settings).iam_token(&endpoint, &region, &self.user.parse().unwrap(), now).await;
        token.unwrap().token.expose().clone()
    }

    /// What an engine logs in with: a new token of the provider each time.
    pub fn key(self) -> Key {
        Key::Tokens(Arc::new(self))
    }

    fn as_json(&self) -> Value {
        json!({
            "host": self.host, "port": self.port, "user": self.user, "region": self.region, "age": self.age,
            "access_key": self.access_key, "secret_key": self.secret_key, "session_token": self.session_token,
        })
    }
}

impl Tokens for TokenWish {
    fn token<'a>(&'a self, _refused: Option<&'a Token>) -> BoxFuture<'a, Result<Token, Fault>> {
        Box::pin(async move { Ok(Token { secret: Secret::new(self.token_of_the_provider().await), fresh: true }) })
    }
}

fn fakes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes")
}

fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    assert!(python.exists(), "there is no Python environment; run: scripts/install");
    python
}
