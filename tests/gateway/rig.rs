//! Starts the stand-in of the gateway and steers it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rdsaccess::access::{EngineKind, Secret};
use rdsaccess::gateway::{ConnectionSpec, Gateway, Retry, Settings, Token};
use serde_json::{Value, json};

pub(crate) const ADMIN: &str = "hpk_admin_of_the_fake";
pub(crate) const READER: &str = "hpk_reader_of_the_fake";

/// A running stand-in; it ends with this value.
pub(crate) struct Rig {
    pub(crate) url: String,
    pub(crate) org_id: String,
    process: Child,
    _stdin: Option<ChildStdin>,
    http: reqwest::Client,
}

impl Rig {
    /// A gateway with the connected agent `lab`.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A gateway that serves TLS.
    pub(crate) fn start_tls(cert: &Path, key: &Path) -> Self {
        Self::start_with(&["--cert", cert.to_str().unwrap(), "--key-file", key.to_str().unwrap()])
    }

    pub(crate) fn start_with(options: &[&str]) -> Self {
        let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fakes/gateway/server.py");
        let mut process = Command::new("python3")
            .args(["-B", server, "--until-stdin-closes", "--agent", "lab:CONNECTED"])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 (3.11 or later) runs the stand-in of the gateway: `apt-get install python3`");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).expect("the stand-in prints where it listens");
        let text = |field: &str| started[field].as_str().unwrap().to_owned();
        let http = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
        Self { url: text("url"), org_id: text("org_id"), _stdin: process.stdin.take(), process, http }
    }

    /// The client under test, as admin, with short pauses.
    pub(crate) fn gateway(&self) -> Gateway {
        Gateway::new(self.settings(ADMIN))
    }

    pub(crate) fn settings(&self, token: &str) -> Settings {
        settings(&self.url, token)
    }

    /// A spec that the stand-in takes.
    pub(crate) async fn spec(&self, name: &str) -> ConnectionSpec {
        ConnectionSpec::new(name, EngineKind::Postgres, &self.gateway().agent("lab").await.unwrap().unwrap().id)
    }

    pub(crate) async fn fault(&self, fault: Value) {
        self.steer("POST", "faults", fault).await;
    }

    /// The API requests so far, as `METHOD path status`.
    pub(crate) async fn calls(&self) -> Vec<String> {
        let text = |call: &Value, field: &str| call[field].as_str().unwrap_or_default().to_owned();
        let log = self.log().await;
        log.iter().map(|c| format!("{} {} {}", text(c, "method"), text(c, "path"), c["status"])).collect()
    }

    pub(crate) async fn log(&self) -> Vec<Value> {
        self.steer("GET", "log", Value::Null).await.as_array().unwrap().clone()
    }

    pub(crate) async fn forget_log(&self) {
        self.steer("DELETE", "log", Value::Null).await;
    }

    /// The body of the last request with this method.
    pub(crate) async fn last_body(&self, method: &str) -> Value {
        let log = self.log().await;
        let call = log.iter().rev().find(|c| c["method"] == method).unwrap();
        serde_json::from_str(call["body"].as_str().unwrap()).unwrap()
    }

    /// A connection as it is stored, secrets included.
    pub(crate) async fn stored(&self, name: &str) -> Value {
        let all = self.steer("GET", "connections", Value::Null).await;
        all.as_array().unwrap().iter().find(|c| c["name"] == name).cloned().unwrap_or(Value::Null)
    }

    /// Somebody else changes a stored connection.
    pub(crate) async fn change(&self, name: &str, fields: Value) {
        self.steer("PATCH", &format!("connections/{name}"), fields).await;
    }

    pub(crate) async fn toggle(&self, name: &str, on: bool) {
        self.steer("PUT", "toggles", json!({ name: on })).await;
    }

    pub(crate) async fn steer(&self, method: &str, route: &str, body: Value) -> Value {
        let request = self.http.request(method.parse().unwrap(), format!("{}/rig/{route}", self.url));
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{route}: {}", answer.status());
        answer.json().await.unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Settings with three attempts and pauses of milliseconds.
pub(crate) fn settings(url: &str, token: &str) -> Settings {
    let retry = Retry { attempts: 3, base: Duration::from_millis(5), ..Retry::new(Arc::new(|| 0)) };
    let token = Token::new(&Secret::from(token)).unwrap();
    Settings { timeout: Duration::from_secs(10), ..Settings::new(url.parse().unwrap(), token, retry) }
}
