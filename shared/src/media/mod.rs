//! Coded and raw media as they travel between capture, wire and display.

mod codec;
mod frame;
pub mod h264;
mod picture;
pub mod timecode;
mod units;

pub use codec::{AudioCodec, Codec, UnknownCodec, VideoCodec};
pub use frame::{AudioFrame, FrameKind, TemporalLayer, VideoFrame};
pub use picture::Picture;
pub use units::{Bitrate, FrameRate, Resolution, Timestamp, UnitError};
