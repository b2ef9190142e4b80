//! A receiver of webhooks: it keeps what it gets and answers as it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// How one request is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With a status, further headers and a text
    Status(u16, &'static str, &'static str),
    /// Not at all: the connection ends when the request was taken
    Lost,
    /// Not at all: the connection stays open
    Held,
}

/// A request as it came. The names of headers are in lower case.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Taken {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// What the libraries of receivers say of the signature, one after the other.
    pub(crate) fn verified(&self, python: Command, secret: &str) -> String {
        verify(python, secret, &self.headers, &self.body)
    }
}

/// What the libraries of receivers say of a request: see `verify_webhook.py`.
pub(crate) fn verify(mut python: Command, secret: &str, headers: &BTreeMap<String, String>, body: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fakes/verify_webhook.py");
    let mut child = python
        .args(["-B", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs: scripts/install makes its environment");
    let asked = json!({ "secret": secret, "headers": headers, "body": body });
    write!(child.stdin.take().expect("a pipe"), "{asked}").expect("it reads its input");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "verify_webhook.py failed: scripts/install brings standardwebhooks and svix");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The receiver; it answers 204 where no other answer is waiting.
pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    answers: VecDeque<Answer>,
    taken: Vec<Taken>,
    held: Vec<TcpStream>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Mutex::new(Shared::default()));
        let ours = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let ours = Arc::clone(&ours);
                std::thread::spawn(move || serve(stream, &ours));
            }
        });
        Self { url, shared }
    }

    /// The answers to the next requests.
    pub(crate) fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.lock().expect("no panic").answers.extend(answers);
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.shared.lock().expect("no panic").taken.clone()
    }
}

fn serve(stream: TcpStream, shared: &Mutex<Shared>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let (line, headers) = lines.split_first()?;
    let headers: BTreeMap<String, String> = headers
        .iter()
        .filter_map(|header| header.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = vec![0; headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let taken = Taken { line: line.clone(), headers, body: String::from_utf8_lossy(&body).into_owned() };
    let answer = {
        let mut shared = shared.lock().expect("no panic");
        shared.taken.push(taken);
        shared.answers.pop_front().unwrap_or(Answer::Status(204, "", ""))
    };
    answered(stream, answer, shared)
}

fn answered(mut stream: TcpStream, answer: Answer, shared: &Mutex<Shared>) -> Option<()> {
    match answer {
        Answer::Lost => {}
        Answer::Held => shared.lock().expect("no panic").held.push(stream),
        Answer::Status(status, headers, text) => {
            let length = text.len();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{text}"
            )
            .ok()?;
        }
    }
    Some(())
}
