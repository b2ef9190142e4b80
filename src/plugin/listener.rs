//! Listening, and turning accepted connections into what the server reads.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use super::environment::Environment;
use super::error::Error;
#[cfg(unix)]
use super::socket::{self, SocketFile};

/// How long a peer may take for the TLS handshake. Both sides are on one machine.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait after a failed accept, for instance when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A loopback port
    Tcp(SocketAddr),
    /// A socket file
    Unix(PathBuf),
}

impl Address {
    /// The network as go-plugin calls it.
    pub(super) fn network(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Unix(_) => "unix",
        }
    }

    /// Host and port, or the path.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(path) => path.display().to_string(),
        }
    }
}

/// An open socket to which hosts can already connect, even before anybody accepts.
#[derive(Debug)]
pub(super) enum Listener {
    /// A loopback port
    Tcp(std::net::TcpListener),
    /// A socket file, which lives as long as the listener
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, SocketFile),
}

impl Listener {
    /// Opens a socket file. Where that is not possible, a loopback port serves as well, but only if TLS keeps the
    /// other users of the machine away.
    ///
    /// # Errors
    /// When neither can be opened.
    pub(super) fn bind(environment: &Environment, with_tls: bool) -> Result<Self, Error> {
        #[cfg(unix)]
        match socket::bind(environment) {
            Ok((listener, file)) => return Ok(Self::Unix(listener, file)),
            Err(error) if with_tls && environment.socket_directory.is_none() => {
                tracing::warn!(%error, "no socket file, using a loopback port");
            }
            Err(error) => return Err(error),
        }
        #[cfg(not(unix))]
        let _ = (environment, with_tls);
        Self::bind_loopback()
    }

    fn bind_loopback() -> Result<Self, Error> {
        let address = (Ipv4Addr::LOCALHOST, 0);
        let failed = |source| Error::Listen { place: "127.0.0.1".into(), source };
        std::net::TcpListener::bind(address).map(Self::Tcp).map_err(failed)
    }

    /// Where to connect to.
    ///
    /// # Errors
    /// When the system does not know the port.
    pub(super) fn address(&self) -> Result<Address, Error> {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map(Address::Tcp)
                .map_err(|source| Error::Listen { place: "127.0.0.1".into(), source }),
            #[cfg(unix)]
            Self::Unix(_, file) => Ok(Address::Unix(file.path().to_owned())),
        }
    }

    /// Accepts connections until `ending`. A slow or foreign peer holds nobody up: each handshake has its own task.
    ///
    /// # Errors
    /// When the socket cannot be handed to the runtime.
    pub(super) fn connections(
        self,
        tls: Option<TlsAcceptor>,
        ending: CancellationToken,
    ) -> Result<ReceiverStream<Result<Connection, Infallible>>, Error> {
        let socket = Socket::register(self).map_err(Error::Runtime)?;
        let (sender, receiver) = mpsc::channel(16);
        tokio::spawn(async move {
            ending.run_until_cancelled(accept_all(&socket, tls, sender)).await;
        });
        Ok(ReceiverStream::new(receiver))
    }
}

/// A connection to the host, ready for HTTP/2.
pub(super) struct Connection(Box<dyn Transport>);

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

impl Connection {
    pub(super) fn new(transport: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Box::new(transport))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

/// The listener once it belongs to the runtime.
enum Socket {
    Tcp(tokio::net::TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, #[expect(dead_code, reason = "removes the file on drop")] SocketFile),
}

impl Socket {
    fn register(listener: Listener) -> io::Result<Self> {
        match listener {
            Listener::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(tokio::net::TcpListener::from_std(listener)?))
            }
            #[cfg(unix)]
            Listener::Unix(listener, file) => {
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(tokio::net::UnixListener::from_std(listener)?, file))
            }
        }
    }

    async fn accept(&self) -> io::Result<Connection> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Connection::new(stream))
            }
            #[cfg(unix)]
            Self::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Connection::new(stream)),
        }
    }
}

async fn accept_all(socket: &Socket, tls: Option<TlsAcceptor>, sender: mpsc::Sender<Result<Connection, Infallible>>) {
    loop {
        match socket.accept().await {
            Ok(connection) => {
                tokio::spawn(admit(connection, tls.clone(), sender.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn admit(connection: Connection, tls: Option<TlsAcceptor>, sender: mpsc::Sender<Result<Connection, Infallible>>) {
    let connection = match tls {
        None => connection,
        Some(acceptor) => match within_timeout(acceptor.accept(connection)).await {
            Ok(stream) => Connection::new(stream),
            Err(error) => {
                tracing::warn!(%error, "refused a connection");
                return;
            }
        },
    };
    // The receiver is gone only when the server has ended
    let _ = sender.send(Ok(connection)).await;
}

async fn within_timeout<T>(handshake: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let slow = |_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long");
    tokio::time::timeout(TLS_TIMEOUT, handshake).await.map_err(slow)?
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
}
