//! From raw pictures and samples to coded frames.
//!
//! | module | what it is |
//! |---|---|
//! | [`openh264`] | H.264, the one place that encodes with openh264 |
//! | [`opus`] | Opus, 48 kHz stereo, 20 ms a packet |
//! | `look`, `quantiser` | how coarse each picture is coded, so that every second holds the bitrate (pure) |
//! | [`rate`] | which bitrate the path carries (pure) |

use std::time::Duration;

use shared::media::{AudioFrame, Bitrate, FrameRate, Picture, Resolution, Timestamp, VideoCodec, VideoFrame};

mod look;
pub mod openh264;
pub mod opus;
mod quantiser;
pub mod rate;

/// An encoder that refused its settings or its input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The codec's library said no.
    #[error("{codec} cannot {action}: {reason}")]
    Codec {
        /// The library.
        codec: &'static str,
        /// What it was asked to do.
        action: String,
        /// Its words.
        reason: String,
    },
    /// A picture of another size than the encoder was made for.
    #[error("the encoder is made for pictures of {expected}, not {got}")]
    Size {
        /// What it was made for.
        expected: Resolution,
        /// What it was given.
        got: Resolution,
    },
    /// Not one packet's worth of samples.
    #[error("the sound encoder takes {expected} samples at a time, not {got}")]
    Samples {
        /// Samples of all channels in a packet.
        expected: usize,
        /// What it was given.
        got: usize,
    },
}

/// What pictures show, which decides how they are best encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// A filmed scene: noise, motion, soft edges.
    #[default]
    Camera,
    /// A computer's screen: text, flat areas, long stills.
    Screen,
}

/// Number of temporal layers, 1 to 3: the pictures of the highest can be dropped and the rest decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TemporalLayers(u8);

impl TemporalLayers {
    /// `None` where `count` is not 1 to 3.
    pub fn new(count: u8) -> Option<Self> {
        (1..=3).contains(&count).then_some(Self(count))
    }

    /// How many.
    pub fn count(self) -> u8 {
        self.0
    }

    /// Pictures after which the layers come again in the same order.
    pub(crate) fn pattern(self) -> u8 {
        1 << (self.0 - 1)
    }

    /// The layer of a picture at this place of the pattern.
    pub(crate) fn of(self, place: u8) -> u8 {
        // The first is in the lowest layer, the one half a pattern later in the next, and so on.
        (self.0 - 1).saturating_sub(place.trailing_zeros().min(7) as u8)
    }
}

impl Default for TemporalLayers {
    /// Two: half of the frame rate can be let go.
    fn default() -> Self {
        Self(2)
    }
}

/// What a video encoder is made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoSettings {
    /// Size of all its pictures.
    pub resolution: Resolution,
    /// Pictures a second.
    pub frame_rate: FrameRate,
    /// Bits a second to begin with.
    pub bitrate: Bitrate,
    /// Longest time from one key frame to the next.
    pub keyframe_interval: Duration,
    /// Temporal layers.
    pub layers: TemporalLayers,
    /// What the pictures show.
    pub content: Content,
}

impl VideoSettings {
    /// Whether the codec takes the pictures for a screen's: with three layers, openh264 would stop the program
    /// over them.
    pub(crate) fn codes_as_screen(&self) -> bool {
        self.content == Content::Screen && self.layers.count() < 3
    }

    /// Pictures from one key frame to the next: whole periods of the temporal layers' pattern, at least one.
    pub fn keyframe_pictures(&self) -> u32 {
        let pattern = u32::from(self.layers.pattern());
        // The interval is seconds and the rate at most 240: far inside of u32.
        let pictures = (self.keyframe_interval.as_secs_f64() * self.frame_rate.per_second()).round() as u32;
        (pictures / pattern).max(1) * pattern
    }
}

/// Makes coded pictures of raw ones, in order and without delay: one comes out for one that goes in.
pub trait VideoEncoder: Send {
    /// Encodes a picture; `None` where the encoder let it go.
    ///
    /// # Errors
    /// [`Error`] where the size is not that of the settings, or the codec fails.
    fn encode(&mut self, picture: &Picture) -> Result<Option<VideoFrame>, Error>;

    /// Makes the next picture a key frame.
    fn force_keyframe(&mut self);

    /// Changes the bitrate from the next picture on.
    ///
    /// # Errors
    /// [`Error`] where the codec refuses it; the bitrate then stays.
    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), Error>;

    /// What it produces, as its own parameter set says.
    fn codec(&self) -> VideoCodec;
}

/// An encoder of H.264 with these settings, ready for its first picture, which becomes a key frame.
///
/// # Errors
/// [`Error`] where the codec refuses the settings.
pub fn video(settings: VideoSettings) -> Result<Box<dyn VideoEncoder>, Error> {
    Ok(Box::new(openh264::Encoder::new(settings)?))
}

/// Makes packets of samples.
pub trait AudioEncoder: Send {
    /// Samples a packet holds, all channels counted.
    fn packet_samples(&self) -> usize;

    /// Encodes one packet of interleaved samples from -1 to 1; `timestamp` is that of the first.
    ///
    /// # Errors
    /// [`Error`] where there are more or fewer than [`Self::packet_samples`], or the codec fails.
    fn encode(&mut self, samples: &[f32], timestamp: Timestamp) -> Result<AudioFrame, Error>;
}
