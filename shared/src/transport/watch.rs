//! Whoever looks on: at the connections of this side, and at what passes over each of them.

use std::{fmt::Debug, io::Write, sync::Arc, time::Instant};

use bytes::Bytes;

/// Which end of a connection this side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// It connected.
    Client,
    /// It was connected to.
    Server,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From this side.
    Sent,
    /// From the peer.
    Received,
}

/// One half of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Half {
    /// Its QUIC stream ID.
    pub stream: u64,
    /// Which way its bytes go.
    pub direction: Direction,
    /// Whether the stream has another half.
    pub is_bidirectional: bool,
}

/// Looks at every connection.
pub trait Watcher: Debug + Send + Sync {
    /// A connection begins, or the attempt at one.
    fn connection(&self, side: Side) -> Watched;
}

/// Who looks at one connection.
pub struct Watched {
    /// Where QUIC's own events go, as qlog (JSON text sequences), and the moment that their time counts from.
    pub quic: Option<(Box<dyn Write + Send + Sync>, Instant)>,
    /// Who sees the streams and datagrams.
    pub streams: Arc<dyn Watch>,
}

/// Looks at one connection. It is called where media passes: it must not wait for anything.
pub trait Watch: Debug + Send + Sync {
    /// A half of a stream begins; gives who sees its bytes.
    fn stream(&self, half: Half) -> Box<dyn WatchStream>;
    /// A datagram passes.
    fn datagram(&self, direction: Direction, datagram: &Bytes);
}

/// Sees the bytes of one half of a stream, in their order.
pub trait WatchStream: Debug + Send {
    /// The next bytes.
    fn bytes(&mut self, bytes: &Bytes);
}
