//! A distant server: a TCP proxy on loopback that delays and counts.
//!
//! What goes through is encrypted, so round trips are counted by who speaks: a round trip is whatever a client sends in
//! records of application data until the server's answer reaches it. The handshake of TLS does not count, because its
//! length depends on what the server's library prefers; nor does what a client sends before it closes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// What a round trip through the proxy takes at least; half of it passes in each direction.
pub const ROUND_TRIP: Duration = Duration::from_millis(20);
/// Content type of a TLS record.
const APPLICATION_DATA: u8 = 23;

/// The running proxy; it stops when dropped.
pub struct Proxy {
    /// Where it listens on loopback
    pub port: u16,
    seen: Arc<Mutex<Vec<Arc<Talk>>>>,
    task: JoinHandle<()>,
}

/// What was counted on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The client's port as the server sees it
    pub port: u16,
    /// Round trips so far inside TLS, the login included
    pub round_trips: usize,
}

/// One connection, while it is counted.
struct Talk {
    port: u16,
    round_trips: AtomicUsize,
    /// The client has sent something that is not answered yet
    asked: AtomicBool,
    /// The client sends nothing any more
    closed: AtomicBool,
    records: Mutex<Records>,
}

/// Follows the headers of TLS records, which are not encrypted.
#[derive(Default)]
struct Records {
    header: Vec<u8>,
    rest: usize,
    begun: bool,
}

impl Records {
    /// Whether application data begins in this piece.
    fn hold_data(&mut self, piece: &[u8]) -> bool {
        let mut data = false;
        for &byte in piece {
            if self.rest > 0 {
                self.rest -= 1;
                continue;
            }
            self.header.push(byte);
            if !self.begun {
                // The wish for TLS goes ahead in clear: eight bytes on PostgreSQL, a packet of 32 and its head on MySQL.
                self.begun = true;
                self.rest = match byte {
                    0 => 7,
                    32 => 35,
                    _ => continue,
                };
                self.header.clear();
            } else if let [kind, _, _, high, low] = *self.header.as_slice() {
                data |= kind == APPLICATION_DATA;
                self.rest = usize::from(u16::from_be_bytes([high, low]));
                self.header.clear();
            }
        }
        data
    }
}

impl Proxy {
    /// Starts before the server on this port of loopback.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(listener, server, Arc::clone(&seen)));
        Self { port, seen, task }
    }

    /// Every connection so far, the first one first.
    pub fn connections(&self) -> Vec<Connection> {
        let count =
            |talk: &Arc<Talk>| Connection { port: talk.port, round_trips: talk.round_trips.load(Ordering::SeqCst) };
        self.seen.lock().unwrap().iter().map(count).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server: u16, seen: Arc<Mutex<Vec<Arc<Talk>>>>) {
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let talk = Arc::new(Talk {
            port: server.local_addr().unwrap().port(),
            round_trips: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            records: Mutex::default(),
        });
        seen.lock().unwrap().push(Arc::clone(&talk));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let heard = Arc::clone(&talk);
        tokio::spawn(carry(from_client, to_server, move |piece| heard.client_says(piece), |_| ()));
        tokio::spawn(carry(from_server, to_client, |_| (), move |piece| talk.client_hears(piece)));
    }
}

impl Talk {
    fn client_says(&self, piece: &[u8]) {
        if self.records.lock().unwrap().hold_data(piece) {
            self.asked.store(true, Ordering::SeqCst);
        }
        self.closed.fetch_or(piece.is_empty(), Ordering::SeqCst);
    }

    fn client_hears(&self, piece: &[u8]) {
        let answers = !piece.is_empty() && !self.closed.load(Ordering::SeqCst);
        if answers && self.asked.swap(false, Ordering::SeqCst) {
            self.round_trips.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Carries one direction, each piece as much later as it was sent earlier than the next; the end is an empty piece.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    sent: impl Fn(&[u8]) + Send + 'static,
    arrives: impl Fn(&[u8]) + Send + 'static,
) {
    let (road, mut end_of_road) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((at, piece)) = end_of_road.recv().await {
            sleep_until(at).await;
            arrives(&piece);
            if piece.is_empty() || to.write_all(&piece).await.is_err() {
                break;
            }
        }
        let _already_closed = to.shutdown().await;
    });
    let mut buffer = vec![0; 65536];
    loop {
        let length = from.read(&mut buffer).await.unwrap_or(0);
        let piece = buffer[..length].to_vec();
        sent(&piece);
        if road.send((Instant::now() + ROUND_TRIP / 2, piece)).is_err() || length == 0 {
            return;
        }
    }
}

#[tokio::test]
async fn an_answer_makes_a_round_trip_and_a_handshake_or_a_goodbye_does_not() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(server.local_addr().unwrap().port()).await;
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
    let (mut far, peer) = server.accept().await.unwrap();
    let before = Instant::now();
    // A handshake, cut within the header of a record; then twice two records without an answer between them.
    let wish: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];
    let pieces: [&[u8]; 4] = [wish, &[22, 3, 1, 0, 2, 23, 23, 20, 3, 3], &[0, 1, 23], &[23, 3, 3, 0, 1, 9]];
    for (piece, answered) in [(0, true), (1, false), (2, true), (3, false), (3, true), (3, false), (3, true)] {
        client.write_all(pieces[piece]).await.unwrap();
        far.read_exact(&mut vec![0; pieces[piece].len()]).await.unwrap();
        if answered {
            far.write_all(b"ok").await.unwrap();
            client.read_exact(&mut [0; 2]).await.unwrap();
        }
    }
    assert!(before.elapsed() >= 4 * ROUND_TRIP, "each of them takes its time");
    client.write_all(pieces[3]).await.unwrap();
    drop(client);
    far.read_to_end(&mut Vec::new()).await.unwrap();
    let _client_is_gone = far.write_all(b"bye").await;
    drop(far);
    tokio::time::sleep(2 * ROUND_TRIP).await;
    assert_eq!(proxy.connections(), [Connection { port: peer.port(), round_trips: 2 }]);
}
