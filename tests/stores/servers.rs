//! The fake AWS and the stand-in for Vault, started for one test and stopped with it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

/// A program that says in one line of JSON what it made, and ends with its standard input.
pub(crate) struct Server {
    pub(crate) made: Value,
    process: Child,
    stdin: Option<ChildStdin>,
    http: reqwest::Client,
}

pub(crate) fn fakes() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fakes"))
}

/// The interpreter of the virtual environment that `scripts/install` makes; `RDSACCESS_PYTHON` names another one.
pub(crate) fn python() -> Command {
    let own = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python"));
    Command::new(std::env::var_os("RDSACCESS_PYTHON").map_or(own, PathBuf::from))
}

impl Server {
    /// The fake AWS, with an organization and no database.
    pub(crate) fn aws() -> Self {
        let mut command = python();
        command.arg(fakes().join("rig.py"));
        Self::start(command, "{}\n")
    }

    pub(crate) fn vault(options: &[&str]) -> Self {
        let mut command = Command::new("python3");
        command.arg("-B").arg(fakes().join("vault/server.py")).arg("--until-stdin-closes").args(options);
        Self::start(command, "")
    }

    fn start(mut command: Command, input: &str) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python 3.11 or later runs the servers of the tests: run scripts/install");
        let mut stdin = process.stdin.take();
        stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let made: Value = serde_json::from_str(&line).expect("the server says where it listens: run scripts/install");
        assert!(made.get("error").is_none(), "{made}");
        let http = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
        Self { made, process, stdin, http }
    }

    pub(crate) fn text(&self, key: &str) -> String {
        self.made[key].as_str().unwrap_or_else(|| panic!("{key} is not in {}", self.made)).to_owned()
    }

    fn url(&self) -> String {
        self.made.get("url").or(self.made.get("endpoint")).and_then(Value::as_str).unwrap().to_owned()
    }

    /// Steers it through its routes below `/rig/`.
    pub(crate) async fn steer(&self, method: &str, route: &str, body: &Value) -> Value {
        let request = self.http.request(method.parse().unwrap(), format!("{}/rig/{route}", self.url()));
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{route}: {}", answer.status());
        answer.json().await.unwrap()
    }

    /// A request as somebody else sends it, with the root token.
    pub(crate) async fn request(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = self.http.request(method.parse().unwrap(), format!("{}/v1/{path}", self.url()));
        let request = request.header("X-Vault-Token", self.text("token"));
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.process.wait();
    }
}

/// Runs a Python program of the virtual environment and reads what it prints.
pub(crate) fn run_python(program: &str, input: &Value) -> Value {
    let mut child = python()
        .args(["-c", program])
        .current_dir(fakes())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs: scripts/install makes its environment");
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the program fails:\n{program}");
    serde_json::from_slice(&output.stdout).unwrap()
}
