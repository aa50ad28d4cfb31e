//! One coded picture or one packet of sound.

use bytes::Bytes;

use super::{Timestamp, units::Duration};

/// Whether a picture can be decoded without the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// An IDR picture with its parameter sets; opens a group.
    Key,
    /// A picture that needs earlier ones.
    Delta,
}

/// Temporal layer of a picture: 0 is the base, higher layers can be dropped whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TemporalLayer(pub u8);

/// One coded picture. Dropping it frees only this handle: the payload is reference-counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoFrame {
    /// When the picture was captured.
    pub timestamp: Timestamp,
    /// Key or delta.
    pub kind: FrameKind,
    /// The temporal layer that the picture belongs to.
    pub layer: TemporalLayer,
    /// H.264 access unit in Annex B form; a key frame starts with SPS and PPS.
    pub payload: Bytes,
}

/// One packet of coded sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFrame {
    /// When the packet's first sample was captured.
    pub timestamp: Timestamp,
    /// How long the packet sounds.
    pub duration: Duration,
    /// One Opus packet.
    pub payload: Bytes,
}
