//! One connection, however it travels.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{BufMut, Bytes, BytesMut};
use quinn::VarInt;
use tracing::debug;

use super::{
    ConnectionError, Direction, Kind, PathStats, RecvStream, SendStream, Watch,
    allowance::Allowance,
    codes::CodeSpace,
    memory,
    stream::{self, RecvHalf, SendHalf},
    tuning,
};

/// HTTP/3's code for an end without an error (RFC 9114 §8.1); as an application code it means 0.
const H3_NO_ERROR: u64 = 0x100;
/// Type of a unidirectional WebTransport stream (draft-ietf-webtrans-http3 §4.2).
const WEBTRANSPORT_UNI: u16 = 0x54;
/// Signal of a bidirectional WebTransport stream (draft-ietf-webtrans-http3 §4.3).
const WEBTRANSPORT_BI: u16 = 0x41;

/// One connection. Clones share it; dropping the last closes it, and with it every stream.
///
/// All methods may be called from many tasks at once, and the futures of all of them may be dropped
/// at any point without losing a stream or a datagram.
#[derive(Debug, Clone)]
pub struct Connection(Arc<Inner>);

#[derive(Debug)]
pub(crate) enum Inner {
    Quic(Quic),
    Memory(memory::End),
}

/// A connection over UDP.
#[derive(Debug)]
pub(crate) struct Quic {
    pub(crate) connection: quinn::Connection,
    /// The WebTransport session on it, where it is one.
    pub(crate) web: Option<Web>,
    /// The socket of a client; a server keeps its own.
    pub(crate) socket: Option<ClientSocket>,
    pub(crate) ended_here: AtomicBool,
    /// Who sees its streams and datagrams.
    watch: Option<Arc<dyn Watch>>,
    /// How many streams the peer may have open, bidirectional and unidirectional.
    allowances: (Allowance, Allowance),
}

/// A WebTransport session.
#[derive(Debug)]
pub(crate) struct Web {
    pub(crate) session: wtransport::Connection,
    pub(crate) path: String,
}

/// A client's own socket, which outlives its connection until the peer was told of the end.
pub(crate) enum ClientSocket {
    Quic(quinn::Endpoint),
    Web(wtransport::Endpoint<wtransport::endpoint::endpoint_side::Client>),
}

impl Connection {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// How it travels.
    pub fn kind(&self) -> Kind {
        match &*self.0 {
            Inner::Quic(Quic { web: None, .. }) => Kind::Quic,
            Inner::Quic(Quic { web: Some(_), .. }) => Kind::WebTransport,
            Inner::Memory(end) => end.kind(),
        }
    }

    /// Where the peer is; an IPv4 address is shown as one on a dual-stack socket too.
    pub fn remote_addr(&self) -> SocketAddr {
        match &*self.0 {
            Inner::Quic(quic) => canonical(quic.connection.remote_address()),
            Inner::Memory(end) => end.remote_addr(),
        }
    }

    /// Path of the WebTransport URL, with its query; empty on raw QUIC.
    pub fn path(&self) -> &str {
        match &*self.0 {
            Inner::Quic(Quic { web: Some(web), .. }) => &web.path,
            Inner::Quic(_) | Inner::Memory(_) => "",
        }
    }

    /// Opens a bidirectional stream, waiting for the peer's limit. The peer learns of it with the
    /// first byte or the end.
    ///
    /// # Errors
    /// [`ConnectionError`] where the connection has ended.
    pub async fn open_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        match &*self.0 {
            Inner::Quic(quic) => quic.open_bi().await,
            Inner::Memory(end) => end.open_bi().await,
        }
    }

    /// Opens a unidirectional stream, waiting for the peer's limit. The peer learns of it with the
    /// first byte or the end.
    ///
    /// # Errors
    /// [`ConnectionError`] where the connection has ended.
    pub async fn open_uni(&self) -> Result<SendStream, ConnectionError> {
        match &*self.0 {
            Inner::Quic(quic) => quic.open_uni().await,
            Inner::Memory(end) => end.open_uni().await,
        }
    }

    /// The peer's next bidirectional stream. Ask again at once: on WebTransport few of them wait.
    ///
    /// # Errors
    /// [`ConnectionError`] where the connection has ended.
    pub async fn accept_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        match &*self.0 {
            Inner::Quic(quic) => quic.accept_bi().await,
            Inner::Memory(end) => end.accept_bi().await,
        }
    }

    /// The peer's next unidirectional stream. Ask again at once: on WebTransport few of them wait.
    ///
    /// # Errors
    /// [`ConnectionError`] where the connection has ended.
    pub async fn accept_uni(&self) -> Result<RecvStream, ConnectionError> {
        match &*self.0 {
            Inner::Quic(quic) => quic.accept_uni().await,
            Inner::Memory(end) => end.accept_uni().await,
        }
    }

    /// Tells that so many of the peer's streams are open: where it has use for many, it may have more, up to
    /// 128 bidirectional and 256 unidirectional ones. It begins with 16 of each. Does nothing in memory.
    pub fn has_open(&self, bidirectional: usize, unidirectional: usize) {
        let Inner::Quic(Quic { connection, allowances: (bi, uni), .. }) = &*self.0 else { return };
        if let Some(more) = bi.grow(bidirectional) {
            connection.set_max_concurrent_bi_streams(more.into());
        }
        if let Some(more) = uni.grow(unidirectional) {
            connection.set_max_concurrent_uni_streams(more.into());
        }
    }

    /// The peer's next datagram. The oldest are dropped where too many wait.
    ///
    /// # Errors
    /// [`ConnectionError`] where the connection has ended.
    pub async fn recv_datagram(&self) -> Result<Bytes, ConnectionError> {
        match &*self.0 {
            Inner::Quic(quic) => quic.recv_datagram().await,
            Inner::Memory(end) => end.recv_datagram().await,
        }
    }

    /// Sends a datagram, or drops the oldest that waits. `false` where it is larger than
    /// [`max_datagram_size`](Self::max_datagram_size), unsupported, or the connection has ended.
    pub fn send_datagram(&self, datagram: Bytes) -> bool {
        match &*self.0 {
            Inner::Quic(quic) => quic.send_datagram(datagram),
            Inner::Memory(end) => end.send_datagram(datagram),
        }
    }

    /// Largest datagram in bytes that fits now; 0 where the peer takes none.
    pub fn max_datagram_size(&self) -> usize {
        match &*self.0 {
            Inner::Quic(quic) => quic.max_datagram_size(),
            Inner::Memory(_) => memory::DATAGRAM_BYTES,
        }
    }

    /// Closes it with an application code. What was not acknowledged yet is lost. A browser sees
    /// neither code nor reason.
    pub fn close(&self, code: u64, reason: &str) {
        match &*self.0 {
            Inner::Quic(quic) => quic.close(code, reason),
            Inner::Memory(end) => end.close(code, reason),
        }
    }

    /// Closes it and waits until the peer was told, a few round trips at most: for programs that exit
    /// right after. On a server's connection it does not wait; see [`Server::close`](super::Server::close).
    pub async fn close_and_wait(&self, code: u64, reason: &str) {
        self.close(code, reason);
        if let Inner::Quic(Quic { socket: Some(socket), .. }) = &*self.0 {
            match socket {
                ClientSocket::Quic(endpoint) => endpoint.wait_idle().await,
                ClientSocket::Web(endpoint) => endpoint.wait_idle().await,
            }
        }
    }

    /// Waits for its end and says why it ended.
    pub async fn closed(&self) -> ConnectionError {
        match &*self.0 {
            Inner::Quic(quic) => quic.closed().await,
            Inner::Memory(end) => end.closed().await,
        }
    }

    /// Has the peer acknowledge something: bytes received grow where it is still there. Does nothing in memory.
    pub fn ping(&self) {
        match &*self.0 {
            Inner::Quic(quic) => quic.ping(),
            Inner::Memory(_) => {}
        }
    }

    /// What the path did so far. In memory only bytes of datagrams are counted.
    pub fn stats(&self) -> PathStats {
        match &*self.0 {
            Inner::Quic(quic) => quic.stats(),
            Inner::Memory(end) => end.stats(),
        }
    }
}

impl Quic {
    pub(crate) fn new(connection: quinn::Connection, socket: Option<ClientSocket>) -> Self {
        let ended_here = AtomicBool::new(false);
        let allowances = tuning::allowances();
        Self { connection, web: None, socket, ended_here, watch: None, allowances }
    }

    pub(crate) fn web(session: wtransport::Connection, path: String, socket: Option<ClientSocket>) -> Self {
        let mut quic = Self::new(session.quic_connection().clone(), socket);
        quic.web = Some(Web { session, path });
        quic
    }

    // Streams are opened on quinn itself, with the header to be sent before their first byte: nothing
    // is awaited between a stream's creation and its return, so no half-created stream can be lost.

    async fn open_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let (send, recv) = self.connection.open_bi().await.map_err(|error| self.error(error))?;
        let (send, recv) = (SendHalf::Quinn(send), RecvHalf::Quinn(recv));
        let send = stream::send_quic(send, self.space(), self.head(WEBTRANSPORT_BI), self.watch());
        Ok((send, stream::recv_quic(recv, self.space(), self.watch())))
    }

    async fn open_uni(&self) -> Result<SendStream, ConnectionError> {
        let send = self.connection.open_uni().await.map_err(|error| self.error(error))?;
        let send = SendHalf::Quinn(send);
        Ok(stream::send_quic(send, self.space(), self.head(WEBTRANSPORT_UNI), self.watch()))
    }

    async fn accept_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let (send, recv) = match &self.web {
            Some(web) => {
                let (send, recv) = web.session.accept_bi().await.map_err(|error| self.web_error(&error))?;
                (SendHalf::Web(send), RecvHalf::Web(recv))
            }
            None => {
                let (send, recv) = self.connection.accept_bi().await.map_err(|error| self.error(error))?;
                (SendHalf::Quinn(send), RecvHalf::Quinn(recv))
            }
        };
        let send = stream::send_quic(send, self.space(), Bytes::new(), self.watch());
        Ok((send, stream::recv_quic(recv, self.space(), self.watch())))
    }

    async fn accept_uni(&self) -> Result<RecvStream, ConnectionError> {
        let recv = match &self.web {
            Some(web) => {
                RecvHalf::Web(web.session.accept_uni().await.map_err(|error| self.web_error(&error))?)
            }
            None => RecvHalf::Quinn(self.connection.accept_uni().await.map_err(|error| self.error(error))?),
        };
        Ok(stream::recv_quic(recv, self.space(), self.watch()))
    }

    async fn recv_datagram(&self) -> Result<Bytes, ConnectionError> {
        let datagram = match &self.web {
            Some(web) => match web.session.receive_datagram().await {
                Ok(datagram) => datagram.payload(),
                Err(error) => return Err(self.web_error(&error)),
            },
            None => self.connection.read_datagram().await.map_err(|error| self.error(error))?,
        };
        if let Some(watch) = &self.watch {
            watch.datagram(Direction::Received, &datagram);
        }
        Ok(datagram)
    }

    fn send_datagram(&self, datagram: Bytes) -> bool {
        if let Some(watch) = &self.watch {
            watch.datagram(Direction::Sent, &datagram);
        }
        match &self.web {
            Some(web) => {
                let mut framed = BytesMut::with_capacity(datagram.len() + 8);
                put_varint(&mut framed, quarter_stream_id(web));
                framed.put_slice(&datagram);
                self.connection.send_datagram(framed.freeze()).is_ok()
            }
            None => self.connection.send_datagram(datagram).is_ok(),
        }
    }

    fn max_datagram_size(&self) -> usize {
        let whole = self.connection.max_datagram_size().unwrap_or(0);
        let head = self.web.as_ref().map_or(0, |web| {
            let mut head = BytesMut::new();
            put_varint(&mut head, quarter_stream_id(web));
            head.len()
        });
        whole.saturating_sub(head)
    }

    fn close(&self, code: u64, reason: &str) {
        if self.connection.close_reason().is_none() {
            self.ended_here.store(true, Ordering::Relaxed);
        }
        self.connection.close(VarInt::from_u64(code).unwrap_or(VarInt::MAX), reason.as_bytes());
    }

    async fn closed(&self) -> ConnectionError {
        let error = self.connection.closed().await;
        let ended_here = self.ended_here.load(Ordering::Relaxed);
        if let (quinn::ConnectionError::LocallyClosed, Some(web), false) = (&error, &self.web, ended_here) {
            // The peer ended the session and wtransport then closed the connection: only wtransport's
            // queues know with what code.
            loop {
                if let Err(error) = web.session.receive_datagram().await {
                    return self.web_error(&error);
                }
            }
        }
        self.error(error)
    }

    fn stats(&self) -> PathStats {
        let stats = self.connection.stats();
        PathStats {
            rtt: stats.path.rtt,
            sent_packets: stats.path.sent_packets,
            lost_packets: stats.path.lost_packets,
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            congestion_window: stats.path.cwnd,
        }
    }

    /// quinn sends no PING on demand: widening the window for a moment sends a MAX_DATA, which has to be
    /// acknowledged as well.
    fn ping(&self) {
        self.connection.set_receive_window(VarInt::from_u32(tuning::CONNECTION_WINDOW + 1));
        self.connection.set_receive_window(VarInt::from_u32(tuning::CONNECTION_WINDOW));
    }

    /// This connection, with somebody who looks on.
    pub(crate) fn watched_by(mut self, watch: Option<Arc<dyn Watch>>) -> Self {
        self.watch = watch;
        self
    }

    fn watch(&self) -> Option<&dyn Watch> {
        self.watch.as_deref()
    }

    fn space(&self) -> CodeSpace {
        if self.web.is_some() { CodeSpace::WebTransport } else { CodeSpace::Quic }
    }

    /// What goes before the first byte of a stream that we open.
    fn head(&self, kind: u16) -> Bytes {
        self.web.as_ref().map_or_else(Bytes::new, |web| {
            let mut head = BytesMut::with_capacity(10);
            put_varint(&mut head, u64::from(kind));
            put_varint(&mut head, web.session.session_id().into_u64());
            head.freeze()
        })
    }

    fn error(&self, error: quinn::ConnectionError) -> ConnectionError {
        match error {
            quinn::ConnectionError::ApplicationClosed(close) => {
                self.by_peer(close.error_code.into_inner(), &close.reason)
            }
            quinn::ConnectionError::LocallyClosed if self.ended_here.load(Ordering::Relaxed) => {
                ConnectionError::Local
            }
            // Nobody here closed it: the peer ended the WebTransport session, or the server stops.
            quinn::ConnectionError::LocallyClosed if self.web.is_some() => self.by_peer(0, b""),
            quinn::ConnectionError::LocallyClosed => ConnectionError::Local,
            quinn::ConnectionError::TimedOut => ConnectionError::TimedOut,
            quinn::ConnectionError::Reset => {
                ConnectionError::Transport("the peer no longer knows it, as after a restart".into())
            }
            other => ConnectionError::Transport(other.to_string()),
        }
    }

    fn web_error(&self, error: &wtransport::error::ConnectionError) -> ConnectionError {
        use wtransport::error::ConnectionError as Web;
        match error {
            Web::ApplicationClosed(close) => self.by_peer(close.code().into_inner(), close.reason()),
            Web::LocallyClosed => self.error(quinn::ConnectionError::LocallyClosed),
            Web::TimedOut => ConnectionError::TimedOut,
            Web::ConnectionClosed(_) | Web::LocalH3Error(_) | Web::QuicProto(_) | Web::CidsExhausted => {
                debug!(%error, "WebTransport session broke");
                ConnectionError::Transport(error.to_string())
            }
        }
    }

    fn by_peer(&self, code: u64, reason: &[u8]) -> ConnectionError {
        let code = if self.web.is_some() && code == H3_NO_ERROR { 0 } else { code };
        ConnectionError::Peer { code, reason: String::from_utf8_lossy(reason).into_owned() }
    }
}

impl fmt::Debug for ClientSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match self {
            Self::Quic(endpoint) => endpoint.local_addr(),
            Self::Web(endpoint) => endpoint.local_addr(),
        };
        f.debug_tuple("ClientSocket").field(&address).finish()
    }
}

impl Drop for Quic {
    fn drop(&mut self) {
        self.close(0, "");
    }
}

/// An IPv4 address that a dual-stack socket shows as IPv6 is shown as IPv4.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// What a WebTransport datagram starts with (RFC 9297 §2.1).
fn quarter_stream_id(web: &Web) -> u64 {
    web.session.session_id().into_u64() / 4
}

/// Writes a QUIC variable-length integer (RFC 9000 §16); `value` is below 2^62.
fn put_varint(out: &mut BytesMut, value: u64) {
    match value {
        0..0x40 => out.put_u8(value as u8),
        0x40..0x4000 => out.put_u16(value as u16 | 0x4000),
        0x4000..0x4000_0000 => out.put_u32(value as u32 | 0x8000_0000),
        _ => out.put_u64(value | 0xc000_0000_0000_0000),
    }
}
