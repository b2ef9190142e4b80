//! The fake AWS for scale: `tests/fakes/scale`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::client::BINARY;

/// The access key of the hub's user there.
pub(crate) const HUB_KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// A running fake. It ends when the value is dropped, because its standard input is closed.
pub(crate) struct FakeAws {
    _child: Child,
    pub(crate) url: String,
    http: reqwest::Client,
}

/// What it counted.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Counters {
    pub(crate) calls: BTreeMap<String, u64>,
    pub(crate) total: u64,
    pub(crate) answered: u64,
    pub(crate) refused: u64,
    pub(crate) throttled: u64,
    pub(crate) failed: u64,
    pub(crate) peak: u64,
    pub(crate) connections: u64,
}

impl FakeAws {
    /// Starts it with these settings, see its `settings.rs`.
    pub(crate) fn start(settings: &Value) -> Self {
        let mut child = Command::new(program())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the fake AWS was built and starts");
        writeln!(child.stdin.as_mut().expect("a pipe"), "{settings}").expect("it reads its settings");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it says its port");
        let said: Value = serde_json::from_str(&line).expect("it takes the settings, and answers in JSON");
        // The parent's environment may name a proxy, which has no business here.
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { _child: child, url: format!("http://127.0.0.1:{}", said["port"]), http }
    }

    /// What it counted since the start.
    pub(crate) async fn counters(&self) -> Counters {
        self.get("counters").await
    }

    /// The ids of all member accounts.
    pub(crate) async fn accounts(&self) -> Vec<String> {
        self.get("accounts").await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, what: &str) -> T {
        let answer = self.http.get(format!("{}/control/{what}", self.url)).send().await.expect("it answers");
        answer.json().await.expect("JSON of the expected form")
    }
}

/// The program, built in the profile of these tests: cargo builds the programs of another package for nobody's tests.
fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM
        .get_or_init(|| {
            let mut build = Command::new(env!("CARGO"));
            build
                .args(["build", "--quiet", "--workspace", "--bin", "fake-aws"])
                .current_dir(env!("CARGO_MANIFEST_DIR"));
            if !cfg!(debug_assertions) {
                build.arg("--release");
            }
            let done = build.output().expect("cargo runs");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            PathBuf::from(BINARY).with_file_name("fake-aws")
        })
        .clone()
}
