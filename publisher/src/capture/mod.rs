//! Where pictures and sound come from, in real time.
//!
//! | module | what it is |
//! |---|---|
//! | [`spec`] | a source as the command line names it |
//! | `clock` | the broadcast's time: when something is due, and its timestamp |
//! | `y4m` | raw pictures from a pipe |
//! | `screen`, `camera`, `microphone` | devices, each with the feature of its name (`mic`) |
//! | `devices` | which of them this build has |
//! | `pattern`, `tone` | a moving picture with its time in it, and a tone that marks each second |

use std::sync::Arc;

use shared::media::{FrameRate, Picture, Resolution, Timestamp};

use crate::{config::Config, encode::opus};

#[cfg(feature = "camera")]
mod camera;
mod clock;
mod devices;
#[cfg(feature = "mic")]
mod microphone;
mod pattern;
#[cfg(feature = "screen")]
mod screen;
pub mod spec;
mod tone;
mod y4m;

use clock::Clock;
pub use spec::{AudioSpec, SourceSpec};

/// A source that cannot be opened or broke off: what was being done, to what, and what to do now.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

/// Pictures, each handed out when it is due.
pub trait VideoSource: Send {
    /// Size of all its pictures.
    fn resolution(&self) -> Resolution;

    /// Pictures a second, at most.
    fn frame_rate(&self) -> FrameRate;

    /// Waits for the next picture; `None` where the source has ended as it should.
    ///
    /// # Errors
    /// [`Error`] where it broke off.
    fn next(&mut self) -> Result<Option<Picture>, Error>;

    /// Pictures that were let go since the source itself, or who takes from it, was late. Only grows.
    fn skipped(&self) -> u64;
}

/// Sound, each packet handed out when its last sample is due.
pub trait AudioSource: Send {
    /// Waits for the next packet; `None` where the source has ended as it should.
    ///
    /// # Errors
    /// [`Error`] where it broke off.
    fn next(&mut self) -> Result<Option<Samples>, Error>;
}

/// What one packet sounds: [`opus::PACKET`] at [`opus::SAMPLE_RATE`] with [`opus::CHANNELS`] interleaved
/// channels, from -1 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// When the first was captured.
    pub timestamp: Timestamp,
    /// All of them, left before right.
    pub samples: Vec<f32>,
}

/// Samples a packet holds of each channel.
const PACKET_FRAMES: usize = (opus::SAMPLE_RATE as usize / 1000) * opus::PACKET.as_millis() as usize;

/// What a broadcast is made of.
pub struct Sources {
    /// Pictures.
    pub video: Box<dyn VideoSource>,
    /// Sound; `None` for a broadcast without.
    pub audio: Option<Box<dyn AudioSource>>,
}

/// Opens what `config` names. Time begins with the first picture or packet that is asked for.
///
/// # Errors
/// [`Error`] names the source and what to do.
pub fn open(config: &Config) -> Result<Sources, Error> {
    let clock = Arc::new(Clock::default());
    let video: Box<dyn VideoSource> = match &config.source {
        SourceSpec::Pattern => {
            let (resolution, frame_rate) = asked_shape(config);
            Box::new(pattern::Pattern::new(resolution, frame_rate, Arc::clone(&clock)))
        }
        SourceSpec::Y4m(path) => Box::new(y4m::Y4m::open(path, Arc::clone(&clock))?),
        SourceSpec::Screen => devices::screen(asked_shape(config).1, Arc::clone(&clock))?,
        SourceSpec::Camera(device) => {
            let (resolution, frame_rate) = asked_shape(config);
            devices::camera(device.as_deref(), resolution, frame_rate, Arc::clone(&clock))?
        }
        other => return Err(Error(format!("this build has no source {other}: choose pattern"))),
    };
    let audio = config.audio.clone().unwrap_or_else(|| config.source.own_sound());
    let audio: Option<Box<dyn AudioSource>> = match audio {
        AudioSpec::Tone => Some(Box::new(tone::Tone::new(clock))),
        AudioSpec::Microphone => Some(devices::microphone(clock)?),
        AudioSpec::None => None,
        other => return Err(Error(format!("this build has no sound from {other}: choose tone or none"))),
    };
    Ok(Sources { video, audio })
}

/// The largest size and the highest rate that is asked for.
fn asked_shape(config: &Config) -> (Resolution, FrameRate) {
    let pixels = |size: Resolution| u64::from(size.width) * u64::from(size.height);
    let sizes = config.rendition.iter().map(|rendition| rendition.resolution);
    let rates = config.rendition.iter().filter_map(|rendition| rendition.frame_rate);
    (
        sizes.max_by_key(|&size| pixels(size)).unwrap_or(pattern::RESOLUTION),
        rates.max_by(|a, b| a.per_second().total_cmp(&b.per_second())).unwrap_or(pattern::frame_rate()),
    )
}
