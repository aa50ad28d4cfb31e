//! Binds a session to a connection: awaits, calls the core, writes. It decides nothing.

use std::time::Duration;

use super::{
    Fetch, FetchRange, Namespace, NamespaceSubscription, Priority, PublishedNamespace, Refused, Requests,
    SessionCode, SubscribeOptions, Subscription, TrackName,
};
use crate::transport::{Connection, PathStats};

/// Which side of the session this is (draft-18 §3): it decides the parity of request IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opened the connection.
    Client,
    /// Took it.
    Server,
}

/// A session's set-up and bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Which side this is.
    pub role: Role,
    /// AUTHORITY setup option; for a client on raw QUIC only.
    pub authority: Option<String>,
    /// PATH setup option; for a client on raw QUIC only.
    pub path: Option<String>,
    /// Largest payload that an object may have, in bytes. A larger one ends its track's subscription.
    pub max_object_bytes: usize,
    /// Bytes that may wait for all subscribers of this session before the oldest groups are skipped.
    pub max_queue_bytes: usize,
    /// Requests of the peer that may wait for `Requests::next`.
    pub max_pending_requests: usize,
    /// How long the peer may take for its SETUP.
    pub setup_timeout: Duration,
}

impl Config {
    /// The defaults for a side: 8 MiB an object, 16 MiB of queue, 64 pending requests, 10 s for SETUP.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            authority: None,
            path: None,
            max_object_bytes: 8 << 20,
            max_queue_bytes: 16 << 20,
            max_pending_requests: 64,
            setup_timeout: Duration::from_secs(10),
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The draft's code; `NoError` where the transport just ended.
    pub code: SessionCode,
    /// Why, in words for a person.
    pub reason: String,
}

/// The session is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the MoQT session ended ({code}): {reason}")]
pub struct SessionError {
    /// The draft's code.
    pub code: SessionCode,
    /// Why.
    pub reason: String,
}

/// A running session. Clones share it; when the last one and the [`Requests`] are dropped, it closes.
#[derive(Debug, Clone)]
pub struct Session {}

/// Starts a session on a connection, and with it the one task that drives it; the task ends with the
/// session. Waits for the peer's SETUP.
///
/// # Errors
/// [`SessionError`] where the peer's SETUP does not come or cannot be used.
pub async fn start(connection: Connection, config: Config) -> Result<(Session, Requests), SessionError> {
    let _ = (connection, config);
    unimplemented!()
}

impl Session {
    /// Subscribes to a track.
    ///
    /// # Errors
    /// [`Refused`] by the peer or by the session's end.
    pub async fn subscribe(
        &self,
        track: TrackName,
        options: SubscribeOptions,
    ) -> Result<Subscription, Refused> {
        let _ = (track, options);
        unimplemented!()
    }

    /// Fetches objects of a track's past. `Standalone` only.
    ///
    /// # Errors
    /// [`Refused`] by the peer or by the session's end.
    pub async fn fetch(&self, range: FetchRange, priority: Priority) -> Result<Fetch, Refused> {
        let _ = (range, priority);
        unimplemented!()
    }

    /// Subscribes with a joining fetch: the fetch ends where the subscription begins. The fetch alone
    /// may be refused, as where nothing is published yet.
    ///
    /// # Errors
    /// [`Refused`] where the subscription is.
    pub async fn join(
        &self,
        track: TrackName,
        options: SubscribeOptions,
        range: FetchRange,
    ) -> Result<(Subscription, Result<Fetch, Refused>), Refused> {
        let _ = (track, options, range);
        unimplemented!()
    }

    /// Announces a namespace.
    ///
    /// # Errors
    /// [`Refused`] by the peer or by the session's end.
    pub async fn publish_namespace(&self, namespace: Namespace) -> Result<PublishedNamespace, Refused> {
        let _ = namespace;
        unimplemented!()
    }

    /// Asks to be told of namespaces below a prefix.
    ///
    /// # Errors
    /// [`Refused`] by the peer or by the session's end.
    pub async fn subscribe_namespace(&self, prefix: Namespace) -> Result<NamespaceSubscription, Refused> {
        let _ = prefix;
        unimplemented!()
    }

    /// The PATH that the peer gave: from SETUP on raw QUIC, from the URL on WebTransport.
    pub fn path(&self) -> &str {
        unimplemented!()
    }

    /// Asks the peer to leave: GOAWAY with an empty or new URI.
    pub fn goaway(&self, uri: &str, timeout: Duration) {
        let _ = (uri, timeout);
        unimplemented!()
    }

    /// Closes the session for all handles.
    pub fn close(&self, code: SessionCode, reason: &str) {
        let _ = (code, reason);
        unimplemented!()
    }

    /// Waits until the session is over.
    pub async fn closed(&self) -> Closed {
        unimplemented!()
    }

    /// The path's round trip time, loss and bytes.
    pub fn stats(&self) -> PathStats {
        unimplemented!()
    }
}
