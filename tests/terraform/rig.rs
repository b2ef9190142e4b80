//! The rig: a fake AWS with an organization, real databases behind its endpoints, all stopped when it is dropped.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::namespace;
use crate::wish::Wish;

const STOP_WITHIN: Duration = Duration::from_secs(20);

/// A running rig. When it is dropped, also in a panic, everything it started is stopped by process id; after a panic
/// its directory with all logs stays, and its path is printed.
pub(crate) struct Rig {
    pub(crate) made: Made,
    child: Child,
    stdin: Option<ChildStdin>,
    boto: Mutex<Option<Boto>>,
}

/// What `fakes/rig.py` made.
#[derive(Debug, Deserialize)]
pub(crate) struct Made {
    pub(crate) directory: PathBuf,
    pub(crate) endpoint: String,
    pub(crate) launcher_pid: u32,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) region: String,
    pub(crate) organization: Organization,
    pub(crate) networks: BTreeMap<String, Network>,
    pub(crate) databases: Vec<Database>,
    pub(crate) hosts_file: PathBuf,
    pub(crate) ca_file: PathBuf,
    /// Every login with a token: `accepted …`, or `refused …` and why.
    pub(crate) iam_log: PathBuf,
    /// Where it was wished for.
    pub(crate) vault: Option<MadeVault>,
}

/// The stand-in for Vault, with the mounts `secret` (version 2) and `kv` (version 1).
#[derive(Debug, Deserialize)]
pub(crate) struct MadeVault {
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) ca_file: PathBuf,
    /// A line of JSON for every request, written before its answer.
    pub(crate) log: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Organization {
    pub(crate) management_account: String,
    pub(crate) member_role: String,
    pub(crate) external_id: Option<String>,
    pub(crate) accounts: BTreeMap<String, Account>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) ou_path: String,
}

/// The network of one account and region; `db_base` is attached to every database there and belongs to other people.
#[derive(Debug, Deserialize)]
pub(crate) struct Network {
    pub(crate) vpc: String,
    pub(crate) db_base: String,
    pub(crate) app: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Database {
    /// Empty until the database exists in AWS.
    #[serde(default)]
    pub(crate) arn: String,
    #[serde(default)]
    pub(crate) resource_id: String,
    pub(crate) account: String,
    pub(crate) account_id: String,
    pub(crate) region: String,
    pub(crate) identifier: String,
    pub(crate) engine: String,
    pub(crate) endpoint: String,
    pub(crate) port: u16,
    pub(crate) master_username: String,
    pub(crate) master_password: String,
    /// `postgres`, `mariadb`, `mysql`, `sqlserver` or nothing.
    pub(crate) server: Option<String>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) superuser: Option<String>,
    pub(crate) log: Option<PathBuf>,
    pub(crate) pid: Option<u32>,
}

/// An error that AWS (the fake one) answered.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct AwsError {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) status: u16,
}

impl Rig {
    /// Starts everything, in about four seconds.
    ///
    /// # Panics
    /// When something is missing on this machine or does not start; the text says what.
    pub(crate) fn start(wish: &Wish) -> Self {
        Self::try_start(wish).unwrap_or_else(|reason| panic!("the rig did not start: {reason}"))
    }

    pub(crate) fn try_start(wish: &Wish) -> Result<Self, String> {
        let mut child = python()
            .arg(fakes().join("rig.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}; run scripts/install", python_program().display()))?;
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let line = serde_json::to_string(wish).expect("a wish is JSON") + "\n";
        stdin.write_all(line.as_bytes()).map_err(|error| error.to_string())?;
        let mut answer = String::new();
        BufReader::new(stdout).read_line(&mut answer).map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| format!("no answer of rig.py: {error}"))?;
        if let Some(reason) = answer.get("error") {
            let _ = child.wait();
            return Err(reason.as_str().unwrap_or_default().to_owned());
        }
        let made = serde_json::from_value(answer).map_err(|error| error.to_string())?;
        Ok(Self { made, child, stdin: Some(stdin), boto: Mutex::new(None) })
    }

    /// The database of this number, in the order of the wish.
    pub(crate) fn database(&self, number: usize) -> &Database {
        &self.made.databases[number]
    }

    pub(crate) fn account_id(&self, name: &str) -> &str {
        &self.made.organization.accounts[name].id
    }

    pub(crate) fn network(&self, database: &Database) -> &Network {
        &self.made.networks[&format!("{}/{}", database.account, database.region)]
    }

    /// The process id of the program that holds everything else.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A program that sees the databases' host names, with the AWS credentials of the hub and nothing else of the
    /// caller's environment but the path.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = namespace::command(&self.made.hosts_file, program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.made.directory)
            .env("AWS_ACCESS_KEY_ID", &self.made.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &self.made.secret_key)
            .env("AWS_REGION", &self.made.region)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// One AWS call through boto3 as the hub (`account` none) or inside a member account, by its name.
    pub(crate) fn aws(
        &self,
        account: Option<&str>,
        region: &str,
        service: &str,
        operation: &str,
        params: &Value,
    ) -> Result<Value, AwsError> {
        let call = json!({
            "endpoint": self.made.endpoint,
            "account_id": account.map(|name| self.account_id(name)),
            "external_id": self.made.organization.external_id,
            "role": self.made.organization.member_role,
            "region": region, "service": service, "operation": operation, "params": params,
        });
        self.ask_aws(&call)
    }

    /// A call by any caller, as `fakes/aws/call.py` describes it.
    pub(crate) fn ask_aws(&self, call: &Value) -> Result<Value, AwsError> {
        let mut boto = self.boto.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = boto.get_or_insert_with(Boto::start).ask(call);
        match answer.get("ok") {
            Some(value) => Ok(value.clone()),
            None => {
                Err(serde_json::from_value(answer["error"].clone()).expect("aws.call prints an answer or an error"))
            }
        }
    }

    /// A call in the account and region of a database.
    pub(crate) fn aws_of(
        &self,
        database: &Database,
        service: &str,
        operation: &str,
        params: &Value,
    ) -> Result<Value, AwsError> {
        self.aws(Some(&database.account), &database.region, service, operation, params)
    }

    /// The control API of the fake AWS, see `fakes/aws/control.py`: `rig.control("PUT", "settings", json!({…}))`.
    ///
    /// # Panics
    /// When the fake AWS refuses: the test asked for something that does not exist.
    pub(crate) fn control(&self, method: &str, path: &str, value: &Value) -> Value {
        let body = if value.is_null() { String::new() } else { value.to_string() };
        let address = self.made.endpoint.trim_start_matches("http://");
        let (status, answer) = http(address, method, &format!("/rig/{path}"), "", &body).expect("the fake AWS answers");
        assert_eq!(status, 200, "{method} /rig/{path} {body}: {answer}");
        serde_json::from_str(&answer).expect("the control API answers in JSON")
    }

    /// The calls of this action since the start or the last `DELETE /rig/log`.
    pub(crate) fn calls(&self, action: &str) -> Vec<Value> {
        let answer = self.control("GET", &format!("log?action={action}"), &Value::Null);
        answer.as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        drop(self.boto.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        if let (true, Some(stdin)) = (std::thread::panicking(), self.stdin.as_mut()) {
            let _ = stdin.write_all(b"keep\n");
        }
        drop(self.stdin.take());
        let end = Instant::now() + STOP_WITHIN;
        while Instant::now() < end {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // The kernel ends what rig.py started when rig.py ends.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn fakes() -> PathBuf {
    repository().join("tests/fakes")
}

/// The interpreter of the virtual environment that `scripts/install` makes; `RDSACCESS_PYTHON` names another one.
pub(crate) fn python_program() -> PathBuf {
    std::env::var_os("RDSACCESS_PYTHON").map_or_else(|| repository().join(".venv/bin/python"), PathBuf::from)
}

pub(crate) fn python() -> Command {
    Command::new(python_program())
}

/// The program `aws.call`: it answers line by line, and ends when its standard input is closed.
struct Boto {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Boto {
    fn start() -> Self {
        let mut child = python()
            .args(["-m", "aws.call"])
            .current_dir(fakes())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs: scripts/install makes its environment");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        Self { child, stdin, stdout: BufReader::new(stdout) }
    }

    fn ask(&mut self, call: &Value) -> Value {
        let stdin = self.stdin.as_mut().expect("it is open until the end");
        writeln!(stdin, "{call}").expect("aws.call reads its input");
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).expect("aws.call answers");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("aws.call ended at {call}: {error}"))
    }
}

impl Drop for Boto {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// The smallest HTTP client: one request, one connection. Further headers end with `\r\n` each.
pub(crate) fn http(
    address: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, rest) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok((status, rest.to_owned()))
}
