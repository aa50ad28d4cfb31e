//! LOC packaging: a coded frame as an object's properties and payload, and back (LOC-04).

use bytes::Bytes;

use crate::{
    media::{TemporalLayer, Timestamp},
    moqt::Properties,
};

/// What LOC says of a frame beside its payload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// When the frame was captured.
    pub timestamp: Timestamp,
    /// Video Frame Marking (RFC 9626); for pictures.
    pub marking: Option<FrameMarking>,
    /// WebCodecs `description`, where parameter sets are not in the stream.
    pub config: Option<Bytes>,
    /// Audio Level (RFC 6464); for sound.
    pub audio_level: Option<AudioLevel>,
}

/// Video Frame Marking (RFC 9626, LOC-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameMarking {
    /// Whether it can be decoded without any other.
    pub independent: bool,
    /// Whether no other needs it.
    pub discardable: bool,
    /// Whether it needs the base layer only.
    pub base_layer_sync: bool,
    /// The temporal layer.
    pub layer: TemporalLayer,
}

/// Audio Level (RFC 6464).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AudioLevel {
    /// Whether it is held to be speech.
    pub voice: bool,
    /// 0 (loudest) to 127 (silence), in -dBov.
    pub level: u8,
}

/// An object that is not LOC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Properties cannot be read.
    #[error("the object's properties cannot be read: {0}")]
    Properties(String),
    /// No Timestamp.
    #[error("the object has no LOC Timestamp (property 0x10), so it cannot be placed in time")]
    NoTimestamp,
}

impl Header {
    /// As object properties.
    pub fn encode(&self) -> Properties {
        unimplemented!()
    }

    /// Reads object properties. A Timescale is heeded; unknown properties are skipped.
    ///
    /// # Errors
    /// [`Error`] where the object is not LOC.
    pub fn decode(properties: &Properties) -> Result<Self, Error> {
        let _ = properties;
        unimplemented!()
    }
}
