//! Bounds of a session's data plane: what a peer may make this side hold.

use std::time::Duration;

use crate::moqt::session::{inbox, outbox};

/// How much of a session's data this side holds. Each bound has an answer, so that a peer that goes past it
/// costs itself: the least urgent is let go, read later, or dropped, and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataLimits {
    /// Streams of one subscription of ours that may be open at once. Past it the least urgent of them is
    /// stopped with EXCESSIVE_LOAD (draft-18 §13.5).
    pub streams: usize,
    /// Streams that may wait until their track alias is known. Past it the oldest is stopped with
    /// EXCESSIVE_LOAD (draft-18 §11.4.2).
    pub unknown_streams: usize,
    /// How long such a stream waits before it is stopped.
    pub unknown_for: Duration,
    /// Bytes that may wait for one reader. Past it its streams are not read on, which holds the peer back by
    /// flow control, and datagrams are dropped.
    pub reader_bytes: usize,
    /// Objects that may wait for one reader, with the same answer.
    pub reader_items: usize,
    /// Bytes of a track that the peer publishes (PUBLISH) which may wait until the application answers it, with
    /// the same answer.
    pub offered_bytes: usize,
    /// Bytes that may wait for one subscriber. Past it only the newest group is kept.
    pub subscriber_bytes: usize,
    /// Objects that may wait for one subscriber, with the same answer.
    pub subscriber_objects: usize,
    /// Subgroups that may be under way to one subscriber, with the same answer.
    pub subscriber_subgroups: usize,
    /// Datagrams that may wait for one subscriber. Past it the oldest is dropped.
    pub subscriber_datagrams: usize,
}

impl Default for DataLimits {
    fn default() -> Self {
        Self {
            streams: 512,
            unknown_streams: 64,
            unknown_for: Duration::from_secs(5),
            reader_bytes: inbox::MAX_BYTES,
            reader_items: inbox::MAX_ITEMS,
            offered_bytes: 256 << 10,
            subscriber_bytes: outbox::MAX_BYTES,
            subscriber_objects: outbox::MAX_OBJECTS,
            subscriber_subgroups: outbox::MAX_LANES,
            subscriber_datagrams: outbox::MAX_DATAGRAMS,
        }
    }
}
