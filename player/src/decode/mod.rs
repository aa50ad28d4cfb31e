//! Coded media -> pictures and sound.

use shared::media::{Picture, VideoFrame};

mod openh264;
pub(crate) mod opus;

/// Sound to be played: 48 kHz, left and right in turn.
pub(crate) type Samples = Vec<i16>;

/// Samples a second of all sound here.
pub(crate) const SAMPLE_RATE: u32 = 48_000;
/// Left and right.
pub(crate) const CHANNELS: usize = 2;

/// What a decoder could not use. It then waits for the next keyframe.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct DecodeError(pub(crate) String);

/// Decodes one picture track. It is fed consistently: a keyframe first, and nothing whose references
/// are missing.
pub(crate) trait Decoder: Send {
    /// Decodes one frame; `None` where it gives no picture, as before the first keyframe.
    ///
    /// # Errors
    /// [`DecodeError`] for a frame that is damaged; all until the next keyframe then give no picture.
    fn decode(&mut self, frame: &VideoFrame) -> Result<Option<Picture>, DecodeError>;
}

/// A decoder of H.264.
pub(crate) fn video() -> Box<dyn Decoder> {
    Box::new(openh264::OpenH264::default())
}
