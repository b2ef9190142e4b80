//! TLS inside TDS.
//!
//! The driver verifies against the operating system's roots besides ours, checks names always or nothing at all, and
//! takes the process-wide crypto provider. So the tunnel is made here, with the verifier of every other engine: our own
//! PRELOGIN asks for encryption, the handshake travels in PRELOGIN packets as TDS 7 wants it, and the driver finds a
//! stream that is secure already. It asks such a stream for encryption too; that question is answered here with "not
//! supported", which to the driver means a plain stream.

use std::io::{self, Cursor, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::postgres::tls::client_config_with;
use crate::access::Trust;
use crate::engine::Fault;

/// Type of a packet that a client sends before the login; the handshake of TDS 7 travels in such packets.
const PRELOGIN: u8 = 0x12;
/// Type of a server's answer.
const ANSWER: u8 = 0x04;
/// Status of the last packet of a message.
const LAST: u8 = 0x01;
const HEADER: usize = 8;
/// The most that a packet holds before the login has agreed on more.
const PAYLOAD: usize = 4096 - HEADER;
/// Token of the option that speaks of encryption.
const ENCRYPTION: u8 = 1;
const ENCRYPT_ON: u8 = 1;
const ENCRYPT_NOT_SUPPORTED: u8 = 2;
const ENCRYPT_REQUIRED: u8 = 3;
/// What we ask, and with other values what the driver is answered: VERSION (0) and ENCRYPTION (1) behind a table of
/// token, offset and length.
const OPTIONS: [u8; 18] = [0, 0, 11, 0, 6, ENCRYPTION, 0, 17, 0, 1, 0xFF, 0, 0, 0, 0, 0, 0, ENCRYPT_ON];

/// The client side of TLS, `None` when it is switched off. SQL Server speaks TLS 1.2 inside TDS 7; 1.3 needs TDS 8.
///
/// # Errors
/// [`Fault::Tls`] when no trusted root is left.
pub(super) fn client_config(trust: &Trust) -> Result<Option<Arc<ClientConfig>>, Fault> {
    Ok(client_config_with(trust, &[&rustls::version::TLS12])?.map(Arc::new))
}

/// A stream that the driver may use.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// Encrypts a connection that nothing was sent on.
///
/// # Errors
/// [`Fault::Tls`] when the server offers no TLS or its certificate is not trusted, [`Fault::Unreachable`] otherwise.
pub(super) async fn secure(
    mut tcp: TcpStream,
    config: Arc<ClientConfig>,
    host: &str,
) -> Result<Box<dyn Transport>, Fault> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Fault::Tls(format!("`{host}` is neither a host name nor an address")))?;
    ask_for_encryption(&mut tcp).await?;
    let framed = Framed { inner: tcp, handshake: true, sending: Vec::new(), received: Cursor::default() };
    let mut tls = TlsConnector::from(config).connect(name, framed).await.map_err(|error| fault(&error))?;
    tls.get_mut().0.handshake = false;
    Ok(Box::new(Secured { tls, question: Vec::new(), answer: Cursor::default() }))
}

fn fault(error: &io::Error) -> Fault {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => Fault::Tls(tls.to_string()),
        None => Fault::Unreachable(error.to_string()),
    }
}

async fn ask_for_encryption(tcp: &mut TcpStream) -> Result<(), Fault> {
    let lost = |error: io::Error| Fault::Unreachable(error.to_string());
    tcp.write_all(&packet(PRELOGIN, &OPTIONS)).await.map_err(lost)?;
    let mut header = [0; HEADER];
    tcp.read_exact(&mut header).await.map_err(lost)?;
    let mut payload = vec![0; payload_length(&header).map_err(lost)?];
    tcp.read_exact(&mut payload).await.map_err(lost)?;
    match encryption(&payload) {
        _ if header[0] != ANSWER => Err(Fault::Unreachable("what answers there is not a SQL Server".to_owned())),
        Some(ENCRYPT_ON | ENCRYPT_REQUIRED) => Ok(()),
        _ => Err(Fault::Tls("the server offers no TLS".to_owned())),
    }
}

/// The encryption option of a PRELOGIN answer.
fn encryption(payload: &[u8]) -> Option<u8> {
    let entry =
        payload.chunks(5).take_while(|entry| entry.first() != Some(&0xFF)).find(|e| e.first() == Some(&ENCRYPTION))?;
    let [_, high, low, _, _] = *entry else { return None };
    payload.get(usize::from(u16::from_be_bytes([high, low]))).copied()
}

/// One packet that is a whole message.
fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + HEADER).unwrap_or(u16::MAX).to_be_bytes();
    let mut packet = vec![kind, LAST, length[0], length[1], 0, 0, 0, 0];
    packet.extend_from_slice(payload);
    packet
}

fn payload_length(header: &[u8; HEADER]) -> io::Result<usize> {
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    length.checked_sub(HEADER).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a packet without a header"))
}

/// Puts what the TLS library sends into PRELOGIN packets, and takes what it receives out of them, until the handshake is
/// over.
struct Framed<S> {
    inner: S,
    handshake: bool,
    /// Packets to be written
    sending: Vec<u8>,
    /// The packet that was read last; its header comes first
    received: Cursor<Vec<u8>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Framed<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sending.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.sending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sending.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads until a whole packet is there. `false` at the end of the stream.
    fn poll_packet(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let bytes = self.received.get_ref();
            let wanted = match bytes.first_chunk::<HEADER>() {
                Some(header) => HEADER + payload_length(header)?,
                None => HEADER,
            };
            if bytes.len() == wanted && wanted > HEADER {
                return Poll::Ready(Ok(true));
            }
            let mut space = vec![0; wanted - bytes.len()];
            let mut buffer = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(false));
            }
            self.received.get_mut().extend_from_slice(buffer.filled());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Framed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.handshake {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        ready!(this.poll_send(cx))?;
        if this.received.position() == 0 {
            if !ready!(this.poll_packet(cx))? {
                return Poll::Ready(Ok(()));
            }
            this.received.set_position(HEADER as u64);
        }
        let count = Read::read(&mut this.received, buf.initialize_unfilled())?;
        buf.advance(count);
        if this.received.position() == this.received.get_ref().len() as u64 {
            this.received = Cursor::default();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.handshake {
            return Pin::new(&mut this.inner).poll_write(cx, buf);
        }
        let taken = buf.len().min(PAYLOAD);
        this.sending.extend(packet(PRELOGIN, buf.get(..taken).unwrap_or_default()));
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

/// The tunnel, with the driver's own PRELOGIN kept from the server.
struct Secured {
    tls: TlsStream<Framed<TcpStream>>,
    /// The driver's first packet, as far as it was written
    question: Vec<u8>,
    /// The answer to it, as far as it is still to be read
    answer: Cursor<Vec<u8>>,
}

impl Secured {
    /// How much of the driver's first packet is still to come.
    fn missing(&self) -> usize {
        let whole = self
            .question
            .first_chunk::<HEADER>()
            .map_or(HEADER, |header| payload_length(header).map_or(HEADER, |payload| HEADER + payload));
        whole.saturating_sub(self.question.len())
    }
}

impl AsyncRead for Secured {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let count = Read::read(&mut this.answer, buf.initialize_unfilled())?;
        if count > 0 {
            buf.advance(count);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.tls).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let missing = this.missing();
        if missing == 0 {
            return Pin::new(&mut this.tls).poll_write(cx, buf);
        }
        let taken = buf.len().min(missing);
        this.question.extend_from_slice(buf.get(..taken).unwrap_or_default());
        if this.missing() == 0 {
            let mut options = OPTIONS;
            if let Some(last) = options.last_mut() {
                *last = ENCRYPT_NOT_SUPPORTED;
            }
            this.answer = Cursor::new(packet(ANSWER, &options));
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tls).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tls).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_sent_in_a_handshake_travels_in_packets() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut framed = Framed { inner: near, handshake: true, sending: Vec::new(), received: Cursor::default() };
        let flight = vec![7_u8; 5000];
        let server = tokio::spawn(async move {
            let mut sent = vec![0; 5000 + 2 * HEADER];
            far.read_exact(&mut sent).await.unwrap();
            // In three pieces, to be put together again.
            for piece in packet(PRELOGIN, b"hello").chunks(5) {
                far.write_all(piece).await.unwrap();
            }
            far.write_all(b"plain").await.unwrap();
            sent
        });
        framed.write_all(&flight).await.unwrap();
        framed.flush().await.unwrap();
        let mut answer = [0; 5];
        framed.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"hello");
        framed.handshake = false;
        framed.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"plain");
        let sent = server.await.unwrap();
        assert_eq!(sent[..4], [PRELOGIN, LAST, 0x10, 0x00]);
        assert_eq!(sent[4096..4100], [PRELOGIN, LAST, 0x03, 0x98], "the rest follows in a second packet");
    }

    #[test]
    fn the_answer_about_encryption_is_found() {
        assert_eq!(encryption(&OPTIONS), Some(ENCRYPT_ON));
        assert_eq!(encryption(&[]), None);
        assert_eq!(encryption(&[ENCRYPTION, 0, 200, 0, 1, 0xFF]), None, "an offset beyond the end");
        assert_eq!(encryption(&[ENCRYPTION, 0]), None);
    }

    #[tokio::test]
    async fn a_server_without_tls_gets_no_login() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let mut options = OPTIONS;
        options[17] = ENCRYPT_NOT_SUPPORTED;
        server.write_all(&packet(ANSWER, &options)).await.unwrap();
        assert!(matches!(ask_for_encryption(&mut tcp).await, Err(Fault::Tls(text)) if text.contains("no TLS")));
    }
}
