//! QUIC, raw or as WebTransport: one [`Connection`] type over both, one UDP port for both.
//!
//! | module | what it is |
//! |---|---|
//! | [`tls`] | identities, certificate hashes, whom to trust |

use std::{
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;

pub mod tls;

/// ALPN and WebTransport subprotocol of draft-18 (draft-18 §3.1).
pub const MOQT: &str = "moqt-18";

/// How a connection travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// QUIC with ALPN `moqt-18`.
    Quic,
    /// WebTransport over HTTP/3.
    WebTransport,
    /// In this process, for tests.
    Memory,
}

/// Congestion control of what this side sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Congestion {
    /// Model-based: keeps its rate under random loss.
    #[default]
    Bbr,
    /// Loss-based.
    Cubic,
}

/// What a path did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathStats {
    /// Smoothed round trip time.
    pub rtt: Duration,
    /// Packets sent.
    pub sent_packets: u64,
    /// Packets held to be lost.
    pub lost_packets: u64,
    /// UDP payload bytes sent.
    pub sent_bytes: u64,
    /// UDP payload bytes received.
    pub received_bytes: u64,
    /// Congestion window in bytes.
    pub congestion_window: u64,
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer closed it.
    #[error("closed by the peer with code {code}: {reason}")]
    Peer {
        /// Application code.
        code: u64,
        /// The peer's words.
        reason: String,
    },
    /// This side closed it.
    #[error("closed here")]
    Local,
    /// Nothing came for the idle timeout.
    #[error("nothing was heard from the peer for too long")]
    TimedOut,
    /// Anything else.
    #[error("the connection broke: {0}")]
    Transport(String),
}

/// Why no connection came about, in words that say what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConnectError(pub String);

/// Why a stream's bytes stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The peer reset what it sent, or asked to stop what we send.
    #[error("ended by the peer with code {0}")]
    Peer(u64),
    /// The connection is gone.
    #[error("the connection is gone")]
    Connection,
}

/// A client's settings.
#[derive(Debug, Clone, Default)]
pub struct ClientConfig {
    /// Whose certificate is accepted.
    pub trust: tls::Trust,
    /// Congestion control of what this side sends.
    pub congestion: Congestion,
}

/// Connects to `moqt://host:port[/path]` (raw QUIC) or `https://host:port[/path]` (WebTransport).
///
/// # Errors
/// [`ConnectError`] says what failed and what to do: a bad URL, no such host, nobody there,
/// a certificate that is not trusted, a peer that does not speak `moqt-18`.
pub async fn connect(url: &url::Url, config: &ClientConfig) -> Result<Connection, ConnectError> {
    let _ = (url, config);
    unimplemented!()
}

/// A server's settings.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// UDP address; port 0 picks a free one. `[::]` serves IPv4 too.
    pub listen: SocketAddr,
    /// The certificate to show.
    pub identity: tls::Identity,
    /// Congestion control of what this side sends.
    pub congestion: Congestion,
}

/// One UDP port that serves raw QUIC and WebTransport. Dropping it closes it and its connections.
#[derive(Debug)]
pub struct Server {}

impl Server {
    /// Binds the port.
    ///
    /// # Errors
    /// The operating system's, as where the port is in use.
    pub fn bind(config: &ServerConfig) -> std::io::Result<Self> {
        let _ = config;
        unimplemented!()
    }
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        unimplemented!()
    }
    /// The next connection attempt; `None` once closed. Handshakes run outside, in `Incoming`.
    pub async fn accept(&self) -> Option<Incoming> {
        unimplemented!()
    }
    /// Shows this certificate to all who connect from now on.
    ///
    /// # Errors
    /// [`tls::IdentityError`] where key and certificate do not fit.
    pub fn set_identity(&self, identity: &tls::Identity) -> Result<(), tls::IdentityError> {
        let _ = identity;
        unimplemented!()
    }
    /// Stops accepting and closes every connection, then waits until peers were told.
    pub async fn close(&self, code: u64, reason: &str) {
        let _ = (code, reason);
        unimplemented!()
    }
}

/// A connection attempt.
#[derive(Debug)]
pub struct Incoming {}

impl Incoming {
    /// Where it comes from.
    pub fn remote_addr(&self) -> SocketAddr {
        unimplemented!()
    }
    /// Finishes the handshake, of HTTP/3 and WebTransport too, within a few seconds.
    ///
    /// # Errors
    /// [`ConnectError`] where it fails.
    pub async fn connect(self) -> Result<Connection, ConnectError> {
        unimplemented!()
    }
}

/// One connection. Clones share it; dropping the last closes it.
#[derive(Debug, Clone)]
pub struct Connection {}

impl Connection {
    /// How it travels.
    pub fn kind(&self) -> Kind {
        unimplemented!()
    }
    /// Where the peer is.
    pub fn remote_addr(&self) -> SocketAddr {
        unimplemented!()
    }
    /// Path of the WebTransport URL, with its query; empty on raw QUIC.
    pub fn path(&self) -> &str {
        unimplemented!()
    }
    /// Opens a bidirectional stream, waiting for the peer's limit.
    pub async fn open_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        unimplemented!()
    }
    /// Opens a unidirectional stream, waiting for the peer's limit.
    pub async fn open_uni(&self) -> Result<SendStream, ConnectionError> {
        unimplemented!()
    }
    /// The peer's next bidirectional stream.
    pub async fn accept_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        unimplemented!()
    }
    /// The peer's next unidirectional stream.
    pub async fn accept_uni(&self) -> Result<RecvStream, ConnectionError> {
        unimplemented!()
    }
    /// The peer's next datagram.
    pub async fn recv_datagram(&self) -> Result<Bytes, ConnectionError> {
        unimplemented!()
    }
    /// Sends a datagram, or drops the oldest that waits. `false` where it is too large or unsupported.
    pub fn send_datagram(&self, datagram: Bytes) -> bool {
        let _ = datagram;
        unimplemented!()
    }
    /// Largest datagram that fits now.
    pub fn max_datagram_size(&self) -> usize {
        unimplemented!()
    }
    /// Closes it with an application code.
    pub fn close(&self, code: u64, reason: &str) {
        let _ = (code, reason);
        unimplemented!()
    }
    /// Waits for its end.
    pub async fn closed(&self) -> ConnectionError {
        unimplemented!()
    }
    /// What the path did so far.
    pub fn stats(&self) -> PathStats {
        unimplemented!()
    }
}

/// Our end of a stream that we send. Dropping it unfinished resets it.
#[derive(Debug)]
pub struct SendStream {}

impl SendStream {
    /// Writes as many of `chunks` as fit: fully written ones become empty, a partly written one keeps
    /// its rest. `Ready(Ok)` as soon as at least one byte was taken; `Pending` registers the waker.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<usize, StreamError>> {
        let _ = (cx, chunks);
        unimplemented!()
    }
    /// Whether the peer stopped it (`Ready(Some(code))`) or all was acknowledged after `finish`
    /// (`Ready(None)`).
    pub fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let _ = cx;
        unimplemented!()
    }
    /// Says that no more comes; does not wait.
    pub fn finish(&mut self) {
        unimplemented!()
    }
    /// Abandons it; also after `finish`, as long as not all is acknowledged.
    pub fn reset(&mut self, code: u64) {
        let _ = code;
        unimplemented!()
    }
    /// Its place in the send order: lower leaves first, as MoQT counts.
    pub fn set_order(&mut self, order: i32) {
        let _ = order;
        unimplemented!()
    }
}

/// Our end of a stream that the peer sends. Dropping it stops it.
#[derive(Debug)]
pub struct RecvStream {}

impl RecvStream {
    /// The next bytes, at most `max`; `Ok(None)` at the FIN.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Option<Bytes>, StreamError>> {
        let _ = (cx, max);
        unimplemented!()
    }
    /// Asks the peer to stop sending.
    pub fn stop(&mut self, code: u64) {
        let _ = code;
        unimplemented!()
    }
}
