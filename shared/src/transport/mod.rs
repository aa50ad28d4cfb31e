//! QUIC, raw or as WebTransport: one [`Connection`] type over both, one UDP port for both.
//!
//! | module | what it is |
//! |---|---|
//! | [`tls`] | identities, certificate hashes, whom to trust |
//! | [`memory`] | a connection inside this process, for tests |
//! | `client`, `server` | how connections come about |
//! | `route` | where to connect, and where relays send to |
//! | `connection`, `stream` | what they do, polled and without copying bytes |
//! | `watch` | whoever looks on |
//! | `codes` | stream codes on the wire |
//! | `comeback` | what a server does about its connections from before a crash |
//! | `socket`, `tuning` | UDP sockets, and how QUIC is set up |

use std::time::Duration;

mod allowance;
mod client;
mod codes;
mod comeback;
mod connection;
mod floor;
pub mod memory;
mod route;
mod server;
mod socket;
mod stream;
pub mod tls;
mod tuning;
mod watch;

pub use self::{
    client::{ClientConfig, connect},
    connection::Connection,
    route::{Route, RouteError},
    server::{Incoming, Server, ServerConfig},
    stream::{RecvStream, SendStream, StreamError},
    watch::{Direction, Half, Side, Watch, WatchStream, Watched, Watcher},
};

/// ALPN and WebTransport subprotocol of draft-18 (draft-18 §3.1).
pub const MOQT: &str = "moqt-18";
/// ALPN of HTTP/3, under WebTransport.
pub(crate) const H3: &str = "h3";

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

#[cfg(test)]
mod tests;
