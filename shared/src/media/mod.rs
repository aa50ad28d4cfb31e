//! Coded media as it travels between encoder, wire and decoder.

mod codec;
mod frame;
mod units;

pub use codec::{AudioCodec, Codec, VideoCodec};
pub use frame::{AudioFrame, FrameKind, TemporalLayer, VideoFrame};
pub use units::{Bitrate, FrameRate, Resolution, Timestamp, UnitError};
