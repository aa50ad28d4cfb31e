//! The analytics vocabulary: facts as they happen, never conclusions.
//!
//! Whoever sees a fact makes an [`Event`] of it; what it means is worked out later from what was stored.

use crate::{media::Timestamp, naming::Room, transport::Kind};

/// Number of a session within one run of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Number of a broadcast within one run of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BroadcastId(pub u64);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
}

/// What a session does in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// It publishes the broadcast.
    Publisher,
    /// It watches.
    Viewer,
}

impl Part {
    /// The word that is stored and printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Viewer => "viewer",
        }
    }
}

/// The word that is stored and printed for a way to travel.
pub const fn transport_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Quic => "quic",
        Kind::WebTransport => "webtransport",
        Kind::Memory => "memory",
    }
}

/// Bytes of a session's connection so far, as UDP payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// From the peer.
    pub received_bytes: u64,
    /// To the peer.
    pub sent_bytes: u64,
}

/// What a fact is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A peer's session was set up.
    SessionStarted {
        /// Its number.
        session: SessionId,
        /// How it travels.
        transport: Kind,
    },
    /// A session took part in a room for the first time.
    SessionJoined {
        /// Its number.
        session: SessionId,
        /// The room.
        room: Room,
        /// As what.
        part: Part,
    },
    /// A session's running totals.
    SessionProgress {
        /// Its number.
        session: SessionId,
        /// Totals since its start.
        traffic: Traffic,
    },
    /// A session is over.
    SessionEnded {
        /// Its number.
        session: SessionId,
        /// Why, in words for a person.
        reason: String,
        /// Totals since its start.
        traffic: Traffic,
    },
    /// A room went on air.
    BroadcastStarted {
        /// The broadcast's number.
        broadcast: BroadcastId,
        /// The room.
        room: Room,
        /// Who publishes it.
        session: SessionId,
    },
    /// A room went off air.
    BroadcastEnded {
        /// The broadcast's number.
        broadcast: BroadcastId,
        /// Why, in words for a person.
        reason: String,
    },
    /// A track's running totals, as they came from its publisher.
    TrackProgress {
        /// The broadcast that the track is part of.
        broadcast: BroadcastId,
        /// The track's name.
        track: String,
        /// Objects since the broadcast's start.
        objects: u64,
        /// Their payload bytes.
        bytes: u64,
    },
    /// What a viewer was sent of a track since the last such fact; the first one says that it takes it.
    TrackDelivered {
        /// The viewer's session.
        session: SessionId,
        /// The broadcast that the track is part of.
        broadcast: BroadcastId,
        /// The track's name.
        track: String,
        /// Objects handed to the viewer's connection.
        objects: u64,
        /// Their payload bytes.
        bytes: u64,
        /// Groups of which something was let go because the viewer was behind.
        skipped_groups: u64,
    },
}
