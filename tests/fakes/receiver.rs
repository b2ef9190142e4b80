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
    held: Vec<Box<dyn Send>>,
}

/// Makes what speaks over a connection out of it.
type Wrap = dyn Fn(TcpStream) -> Box<dyn Wire> + Send + Sync;

trait Wire: Read + Write + Send {}

impl<T: Read + Write + Send> Wire for T {}

impl Receiver {
    pub(crate) fn start() -> Self {
        Self::listen("http", |stream| Box::new(stream))
    }

    /// With TLS, for `localhost`; its certificate, PEM, comes with it.
    pub(crate) fn start_tls() -> (Self, String) {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = rustls::pki_types::PrivateKeyDer::try_from(pair.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![pair.cert.der().clone()], key)
            .expect("the certificate fits the key");
        let config = Arc::new(config);
        let receiver = Self::listen("https", move |stream| {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
            Box::new(rustls::StreamOwned::new(session, stream))
        });
        (receiver, pair.cert.pem())
    }

    fn listen(scheme: &str, wrap: impl Fn(TcpStream) -> Box<dyn Wire> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let host = if scheme == "https" { "localhost" } else { "127.0.0.1" };
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (ours, wrap): (_, Arc<Wrap>) = (Arc::clone(&shared), Arc::new(wrap));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (ours, wrap) = (Arc::clone(&ours), Arc::clone(&wrap));
                std::thread::spawn(move || serve(wrap(stream), &ours));
            }
        });
        Self { url: format!("{scheme}://{host}:{port}"), shared }
    }

    /// The answers to the next requests.
    pub(crate) fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.lock().expect("no panic").answers.extend(answers);
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.shared.lock().expect("no panic").taken.clone()
    }
}

fn serve(mut stream: Box<dyn Wire>, shared: &Mutex<Shared>) -> Option<()> {
    let mut reader = BufReader::new(&mut stream);
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

fn answered(mut stream: Box<dyn Wire>, answer: Answer, shared: &Mutex<Shared>) -> Option<()> {
    match answer {
        Answer::Lost => {}
        Answer::Held => shared.lock().expect("no panic").held.push(Box::new(stream)),
        Answer::Status(status, headers, text) => {
            let length = text.len();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{text}"
            )
            .ok()?;
            stream.flush().ok()?;
        }
    }
    Some(())
}
