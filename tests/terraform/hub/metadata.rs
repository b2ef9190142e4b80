//! A small HTTP server on loopback that stands in for what hands out credentials on an instance, in a pod, or at a portal.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// One request: `GET /path?query`, and its headers in lower case.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) line: String,
    headers: Vec<(String, String)>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Answers until the test ends.
pub(super) struct Metadata {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Metadata {
    /// Answers every request with a status and a text.
    pub(super) fn start(answer: impl Fn(&Request) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client may go away in the middle.
                let _ = serve(connection, &answer, &seen);
            }
        });
        Self { url, requests }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no answer panicked").clone()
    }
}

fn serve(
    connection: TcpStream,
    answer: &impl Fn(&Request) -> (u16, String),
    seen: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let Some((first, rest)) = lines.split_first() else { return Ok(()) };
    let headers: Vec<(String, String)> = rest
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let request = Request { line: first.trim_end_matches(" HTTP/1.1").to_owned(), headers };
    let length = request.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    reader.by_ref().take(length).read_to_end(&mut Vec::new())?;
    let (status, body) = answer(&request);
    seen.lock().expect("no answer panicked").push(request);
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nConnection: close\r\n\
         X-Aws-Ec2-Metadata-Token-Ttl-Seconds: 21600\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Credentials of STS in the form of the metadata services.
pub(super) fn document(session: &Value) -> String {
    let of = |name: &str| session[name].as_str().expect("a text").to_owned();
    serde_json::json!({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
        "AccessKeyId": of("AccessKeyId"), "SecretAccessKey": of("SecretAccessKey"), "Token": of("SessionToken"),
        "Expiration": "2099-01-01T00:00:00Z",
    })
    .to_string()
}
