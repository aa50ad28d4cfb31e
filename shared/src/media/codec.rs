//! Names of codecs as WebCodecs and the MSF catalog spell them.

use std::{fmt, str::FromStr};

/// Any codec that a catalog can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// A picture codec.
    Video(VideoCodec),
    /// A sound codec.
    Audio(AudioCodec),
}

/// A picture codec with what its codec string says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264; `avc1.PPCCLL` in RFC 6381's form.
    H264 {
        /// `profile_idc`.
        profile: u8,
        /// The constraint flags' byte.
        constraints: u8,
        /// `level_idc`: ten times the level.
        level: u8,
    },
}

/// A sound codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// Opus, always 48 kHz on the wire.
    Opus,
}

/// The codec string is none that this project knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("codec {0:?} is not known here: expected avc1.PPCCLL (H.264) or opus")]
pub struct UnknownCodec(String);

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Video(video) => video.fmt(f),
            Self::Audio(audio) => audio.fmt(f),
        }
    }
}

impl fmt::Display for VideoCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::H264 { profile, constraints, level } => {
                write!(f, "avc1.{profile:02X}{constraints:02X}{level:02X}")
            }
        }
    }
}

impl fmt::Display for AudioCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opus => f.write_str("opus"),
        }
    }
}

impl FromStr for Codec {
    type Err = UnknownCodec;

    fn from_str(text: &str) -> Result<Self, UnknownCodec> {
        let unknown = || UnknownCodec(text.to_owned());
        if text.eq_ignore_ascii_case("opus") {
            return Ok(Self::Audio(AudioCodec::Opus));
        }
        let hex = text
            .strip_prefix("avc1.")
            .or_else(|| text.strip_prefix("avc3."))
            .filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .ok_or_else(unknown)?;
        let [_, profile, constraints, level] =
            u32::from_str_radix(hex, 16).map_err(|_| unknown())?.to_be_bytes();
        Ok(Self::Video(VideoCodec::H264 { profile, constraints, level }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codec_strings_survive_a_round_trip() {
        for text in ["avc1.42C01E", "avc1.640028", "opus"] {
            let codec: Codec = text.parse().expect("a known codec");
            assert_eq!(codec.to_string(), text);
        }
    }

    #[test]
    fn other_codec_strings_are_refused_by_name() {
        for text in ["", "avc1.42", "avc1.42C01G", "vp09.00.10.08", "avc1.42C01Eé"] {
            let error = text.parse::<Codec>().expect_err(text);
            assert!(error.to_string().contains("avc1.PPCCLL"), "{error}");
        }
    }
}
