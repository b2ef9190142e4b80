//! An administrator that logs in with tokens: a server that asks for them in clear, as RDS does, and notes what it got.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rdsaccess::access::{Endpoint, Secret, TlsMode, Trust};
use rdsaccess::engine::mysql::Mysql;
use rdsaccess::engine::{Connections, Fault, Key, Login, Server, Token, Tokens};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const PROTOCOL_41: u32 = 0x200;
const TRANSACTIONS: u32 = 0x2000;
const SECURE_CONNECTION: u32 = 0x8000;
const MULTI_STATEMENTS: u32 = 0x1_0000;
const MULTI_RESULTS: u32 = 0x2_0000;
const PLUGIN_AUTH: u32 = 0x8_0000;
const SSL: u32 = 0x800;

/// What the server got, in order.
#[derive(Default)]
struct Seen {
    connections: usize,
    tokens: Vec<String>,
    bytes_without_tls: Vec<u8>,
}

struct FakeServer {
    seen: Arc<Mutex<Seen>>,
    login: Login,
}

/// Hands out these in turn; the flag says whether each is fresh.
#[derive(Debug)]
struct Prepared(Mutex<VecDeque<(&'static str, bool)>>);

impl Tokens for Prepared {
    fn token<'a>(&'a self, _: Option<&'a Token>) -> BoxFuture<'a, Result<Token, Fault>> {
        let next = self.0.lock().unwrap().pop_front();
        Box::pin(async move {
            let (text, fresh) = next.expect("no other token is asked for");
            Ok(Token { secret: Secret::from(text), fresh })
        })
    }
}

fn tokens(prepared: &[(&'static str, bool)]) -> Key {
    Key::Tokens(Arc::new(Prepared(Mutex::new(prepared.iter().copied().collect()))))
}

impl FakeServer {
    /// Starts a server that takes one token.
    async fn start(good: &'static str, offers_tls: bool) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Seen>>::default();
        let notes = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                notes.lock().unwrap().connections += 1;
                // A client that turns away is what some tests are about.
                let acceptor = offers_tls.then(|| acceptor.clone());
                tokio::spawn(serve(stream, acceptor, good, Arc::clone(&notes)));
            }
        });
        let login = Login {
            endpoint: Endpoint { host: "localhost".to_owned(), port },
            username: "admin1".parse().unwrap(),
            key: tokens(&[]),
            trust: Trust { mode: TlsMode::VerifyFull, roots: Arc::new(vec![cert.der().to_vec()]) },
            target: "arn:aws:rds:eu-west-1:123456789012:db:payments".to_owned(),
            connections: Connections::at_most(1),
        };
        Self { seen, login }
    }

    async fn ping(&self, key: Key) -> Result<(), Fault> {
        let login = Login { key, ..self.login.clone() };
        Mysql::new(login).unwrap().ping().await.map_err(|error| error.fault)
    }

    fn seen_tokens(&self) -> Vec<String> {
        self.seen.lock().unwrap().tokens.clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    good: &str,
    seen: Arc<Mutex<Seen>>,
) -> std::io::Result<()> {
    write(&mut stream, 0, &greeting(acceptor.is_some())).await?;
    let Some(acceptor) = acceptor else {
        // Whatever comes without TLS is noted; a client that asks for the next step gets it.
        let (_, answer) = read(&mut stream).await?;
        seen.lock().unwrap().bytes_without_tls.extend(answer);
        return Ok(());
    };
    let (_, request) = read(&mut stream).await?;
    seen.lock().unwrap().bytes_without_tls.extend(&request);
    let mut stream = acceptor.accept(stream).await?;
    let (sequence, _) = read(&mut stream).await?;
    write(&mut stream, sequence + 1, b"\xfemysql_clear_password\0").await?;
    let (sequence, answer) = read(&mut stream).await?;
    let token = String::from_utf8_lossy(&answer).trim_end_matches('\0').to_owned();
    seen.lock().unwrap().tokens.push(token.clone());
    if token != good {
        let refusal = b"\xff\x15\x04#28000Access denied for user 'admin1'@'localhost' (using password: YES)";
        return write(&mut stream, sequence + 1, refusal).await;
    }
    write(&mut stream, sequence + 1, OK).await?;
    loop {
        let (_, command) = read(&mut stream).await?;
        let sql = String::from_utf8_lossy(&command[1..]).into_owned();
        let values = match sql.as_str() {
            "SELECT VERSION()" => vec!["8.0.36"],
            "SELECT 1" => vec!["1"],
            _ if sql.starts_with("SELECT @@") => vec!["16777216"; sql.matches("@@").count()],
            _ => vec![],
        };
        answer_query(&mut stream, &values).await?;
    }
}

const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
const END: &[u8] = &[0xfe, 0, 0, 2, 0];

fn greeting(offers_tls: bool) -> Vec<u8> {
    let mut flags = PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | MULTI_STATEMENTS | MULTI_RESULTS | PLUGIN_AUTH;
    if offers_tls {
        flags |= SSL;
    }
    let [a, b, c, d] = flags.to_le_bytes();
    let mut greeting = b"\x0a8.0.36\0\x07\0\0\0abcdefgh\0".to_vec();
    greeting.extend([a, b, 0x2d, 2, 0, c, d, 21]);
    greeting.extend([0; 10]);
    greeting.extend(b"ijklmnopqrst\0mysql_native_password\0");
    greeting
}

/// One row of these values as texts; none is a plain OK.
async fn answer_query(stream: &mut (impl AsyncWrite + Unpin), values: &[&str]) -> std::io::Result<()> {
    let Ok(count) = u8::try_from(values.len()) else { return Ok(()) };
    if count == 0 {
        return write(stream, 1, OK).await;
    }
    write(stream, 1, &[count]).await?;
    for column in 0..count {
        write(stream, 2 + column, b"\x03def\0\0\0\x01c\0\x0c\x2d\0\xff\0\0\0\xfd\0\0\0\0\0").await?;
    }
    write(stream, 2 + count, END).await?;
    let row: Vec<u8> = values
        .iter()
        .flat_map(|value| std::iter::once(u8::try_from(value.len()).unwrap()).chain(value.bytes()))
        .collect();
    write(stream, 3 + count, &row).await?;
    write(stream, 4 + count, END).await
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), sequence: u8, payload: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    stream.write_all(&[length[0], length[1], length[2], sequence]).await?;
    stream.write_all(payload).await?;
    stream.flush().await
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let mut payload = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
    stream.read_exact(&mut payload).await?;
    Ok((head[3], payload))
}

#[tokio::test]
async fn a_token_logs_in_over_tls() {
    let server = FakeServer::start("good", true).await;
    server.ping(tokens(&[("good", true)])).await.unwrap();
    assert_eq!(server.seen_tokens(), ["good"]);
    let clear = server.seen.lock().unwrap().bytes_without_tls.clone();
    assert_eq!(clear.len(), 32, "before TLS there is nothing but the request for it");
}

#[tokio::test]
async fn a_kept_token_that_is_refused_is_replaced_once() {
    let server = FakeServer::start("fresh", true).await;
    server.ping(tokens(&[("kept", false), ("fresh", true)])).await.unwrap();
    assert_eq!(server.seen_tokens(), ["kept", "fresh"]);
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_is_not_replaced() {
    let server = FakeServer::start("another", true).await;
    let fault = server.ping(tokens(&[("fresh", true)])).await.unwrap_err();
    assert!(matches!(fault, Fault::LoginRefused(_)), "{fault}");
    let fault = server.ping(tokens(&[("kept", false), ("fresh", true)])).await.unwrap_err();
    assert!(matches!(fault, Fault::LoginRefused(_)), "{fault}");
    assert_eq!(server.seen_tokens(), ["fresh", "kept", "fresh"]);
}

#[tokio::test]
async fn a_token_is_never_sent_without_tls() {
    let server = FakeServer::start("good", true).await;
    let mut open = server.login.clone();
    open.trust.mode = TlsMode::Disable;
    open.key = tokens(&[("good", true)]);
    let fault = Mysql::new(open).unwrap().ping().await.unwrap_err().fault;
    assert!(matches!(&fault, Fault::Unsupported(text) if text.contains("only over TLS")), "{fault}");
    assert_eq!(server.seen.lock().unwrap().connections, 0, "nothing is sent at all");

    let bare = FakeServer::start("good", false).await;
    let fault = bare.ping(tokens(&[("good", true)])).await.unwrap_err();
    assert!(matches!(fault, Fault::Tls(_)), "{fault}");
    assert_eq!(bare.seen_tokens(), [""; 0]);
    let clear = bare.seen.lock().unwrap().bytes_without_tls.clone();
    assert!(!clear.windows(4).any(|bytes| bytes == b"good"));
}

#[tokio::test]
async fn a_password_is_never_sent_as_it_is() {
    let server = FakeServer::start("a-Passw0rd", true).await;
    let fault = server.ping(Secret::from("a-Passw0rd").into()).await.unwrap_err();
    assert!(matches!(fault, Fault::LoginBarred(_)), "{fault}");
    assert_eq!(server.seen_tokens(), [""; 0]);
}
