//! LOC packaging: a coded frame as an object's properties and payload, and back (LOC-04).

use bytes::Bytes;

use crate::{
    media::{TemporalLayer, Timestamp},
    moqt::{Properties, wire::Property},
};

/// LOC's properties (LOC-04 §2.3).
mod id {
    pub(super) const TIMESCALE: u64 = 0x08;
    pub(super) const VIDEO_FRAME_MARKING: u64 = 0x09;
    pub(super) const IMMUTABLE: u64 = 0x0b;
    pub(super) const AUDIO_LEVEL: u64 = 0x0c;
    pub(super) const VIDEO_CONFIG: u64 = 0x0d;
    pub(super) const AUDIO_CONFIG: u64 = 0x0f;
    pub(super) const TIMESTAMP: u64 = 0x10;
}

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
    /// The temporal layer, 0 to 7.
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
    ///
    /// # Panics
    /// Where `config` has 64 KiB or more.
    pub fn encode(&self) -> Properties {
        let mut pairs = Vec::with_capacity(4);
        if let Some(marking) = self.marking {
            pairs
                .push(Property::Bytes(id::VIDEO_FRAME_MARKING, Bytes::copy_from_slice(&[marking.to_byte()])));
        }
        if let Some(level) = self.audio_level {
            pairs.push(Property::Number(id::AUDIO_LEVEL, level.to_byte().into()));
        }
        if let Some(config) = &self.config {
            let key = if self.audio_level.is_some() { id::AUDIO_CONFIG } else { id::VIDEO_CONFIG };
            pairs.push(Property::Bytes(key, config.clone()));
        }
        pairs.push(Property::Number(id::TIMESTAMP, self.timestamp.0));
        Properties::from_pairs(&pairs)
    }

    /// Reads object properties, the immutable ones too. A Timescale is heeded; unknown properties are
    /// skipped.
    ///
    /// # Errors
    /// [`Error`] where the object is not LOC.
    pub fn decode(properties: &Properties) -> Result<Self, Error> {
        let mut reading = Reading::default();
        reading.read(properties)?;
        let timestamp = reading.timestamp.ok_or(Error::NoTimestamp)?;
        reading.header.timestamp = match reading.timescale {
            None => Timestamp(timestamp),
            Some(0) => return Err(Error::Properties("its Timescale is 0 units a second".into())),
            Some(units) => {
                let micros = u128::from(timestamp) * 1_000_000 / u128::from(units);
                Timestamp(u64::try_from(micros).unwrap_or(u64::MAX))
            }
        };
        Ok(reading.header)
    }
}

/// A header as its properties come.
#[derive(Debug, Default)]
struct Reading {
    header: Header,
    timestamp: Option<u64>,
    timescale: Option<u64>,
}

impl Reading {
    fn read(&mut self, properties: &Properties) -> Result<(), Error> {
        for pair in pairs(properties)? {
            match pair {
                Property::Bytes(id::IMMUTABLE, inner) => {
                    for pair in pairs(&Properties(inner))? {
                        self.take(pair)?;
                    }
                }
                other => self.take(other)?,
            }
        }
        Ok(())
    }

    fn take(&mut self, pair: Property) -> Result<(), Error> {
        match pair {
            Property::Number(id::TIMESTAMP, value) => self.timestamp = Some(value),
            Property::Number(id::TIMESCALE, value) => self.timescale = Some(value),
            // The level is in the lowest byte.
            Property::Number(id::AUDIO_LEVEL, value) => {
                self.header.audio_level = Some(AudioLevel::from_byte(value as u8));
            }
            Property::Bytes(id::VIDEO_FRAME_MARKING, bytes) => {
                let first = bytes.first().copied();
                let byte = first.ok_or_else(|| Error::Properties("its frame marking is empty".into()))?;
                self.header.marking = Some(FrameMarking::from_byte(byte));
            }
            Property::Bytes(id::VIDEO_CONFIG | id::AUDIO_CONFIG, bytes) => self.header.config = Some(bytes),
            Property::Number(..) | Property::Bytes(..) => {}
        }
        Ok(())
    }
}

fn pairs(properties: &Properties) -> Result<Vec<Property>, Error> {
    properties.pairs().map_err(|error| Error::Properties(error.reason))
}

/// Bits of a frame marking's first byte (RFC 9626 §3.1). What may follow it names spatial layers and
/// base pictures, which are not used here.
mod marking {
    pub(super) const START: u8 = 0x80;
    pub(super) const END: u8 = 0x40;
    pub(super) const INDEPENDENT: u8 = 0x20;
    pub(super) const DISCARDABLE: u8 = 0x10;
    pub(super) const BASE_LAYER_SYNC: u8 = 0x08;
    pub(super) const TEMPORAL_ID: u8 = 0x07;
}

impl FrameMarking {
    /// An object is a whole frame: it starts and ends it.
    fn to_byte(self) -> u8 {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        marking::START
            | marking::END
            | flag(self.independent, marking::INDEPENDENT)
            | flag(self.discardable, marking::DISCARDABLE)
            | flag(self.base_layer_sync, marking::BASE_LAYER_SYNC)
            | self.layer.0.min(marking::TEMPORAL_ID)
    }

    fn from_byte(byte: u8) -> Self {
        Self {
            independent: byte & marking::INDEPENDENT != 0,
            discardable: byte & marking::DISCARDABLE != 0,
            base_layer_sync: byte & marking::BASE_LAYER_SYNC != 0,
            layer: TemporalLayer(byte & marking::TEMPORAL_ID),
        }
    }
}

impl AudioLevel {
    fn to_byte(self) -> u8 {
        u8::from(self.voice) << 7 | self.level.min(0x7f)
    }

    fn from_byte(byte: u8) -> Self {
        Self { voice: byte & 0x80 != 0, level: byte & 0x7f }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_frame() -> Header {
        Header {
            timestamp: Timestamp(1_746_104_606_044_000),
            marking: Some(FrameMarking {
                independent: true,
                discardable: false,
                base_layer_sync: true,
                layer: TemporalLayer(1),
            }),
            config: Some(Bytes::from_static(&[1, 2])),
            audio_level: None,
        }
    }

    #[test]
    fn a_picture_has_the_bytes_of_the_draft() {
        let expected = [
            0x09, 0x01, 0xe9, // Video Frame Marking: whole, independent, base layer sync, layer 1
            0x04, 0x02, 0x01, 0x02, // Video Config: 9 + 4
            0x03, 0xfe, 0x06, 0x34, 0x12, 0xa8, 0xc8, 0xaf, 0x60, // Timestamp: 0xD + 3
        ];
        assert_eq!(key_frame().encode().0, expected[..]);
        assert_eq!(Header::decode(&Properties(Bytes::copy_from_slice(&expected))), Ok(key_frame()));
    }

    #[test]
    fn sound_survives_a_round_trip() {
        let sound = Header {
            timestamp: Timestamp(5),
            marking: None,
            config: Some(Bytes::from_static(b"OpusHead")),
            audio_level: Some(AudioLevel { voice: true, level: 100 }),
        };
        let properties = sound.encode();
        let expected = [
            &[0x0c, 0x80, 0xe4, 0x03, 0x08][..], // Audio Level: voice, -100 dBov; then Audio Config
            b"OpusHead",
            &[0x01, 0x05],
        ];
        assert_eq!(properties.0, expected.concat());
        assert_eq!(Header::decode(&properties), Ok(sound));
    }

    #[test]
    fn a_timescale_is_heeded_and_the_unknown_skipped() {
        let properties = Properties::from_pairs(&[
            Property::Number(0x08, 90_000),
            Property::Bytes(0x0b, Properties::from_pairs(&[Property::Number(0x10, 180_045)]).0),
            Property::Number(0x3e, 7),
            Property::Bytes(0x9d, Bytes::from_static(b"grease")),
        ]);
        let header = Header { timestamp: Timestamp(2_000_500), ..Header::default() };
        assert_eq!(Header::decode(&properties), Ok(header));
    }

    #[test]
    fn what_is_not_loc_is_refused_in_words() {
        assert_eq!(Header::decode(&Properties::default()), Err(Error::NoTimestamp));
        for wrong in [
            &[0x08, 0x00, 0x08, 0x05][..], // Timescale 0
            &[0x09, 0x00, 0x07, 0x05],     // a marking without a byte
            &[0x0d, 0x05, 0x00],           // cut
        ] {
            let refused = Header::decode(&Properties(Bytes::copy_from_slice(wrong)));
            assert!(matches!(refused, Err(Error::Properties(_))), "{wrong:?}: {refused:?}");
        }
    }
}
