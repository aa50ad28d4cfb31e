//! Where pictures and sound come from, in real time.
//!
//! | module | what it is |
//! |---|---|
//! | [`spec`] | a source as the command line names it |
//! | `clock` | the broadcast's time: when something is due, and its timestamp |
//! | `file` | films, decoded or as they are |
//! | `openh264` | the one place that decodes H.264 |
//! | `y4m` | raw pictures from a pipe |
//! | `screen`, `camera`, `microphone` | devices, each with the feature of its name (`mic`) |
//! | `devices` | which of them this build has |
//! | `pattern`, `tone` | a moving picture with its time in it, and a tone that marks each second |

use std::sync::Arc;

use shared::media::{Bitrate, FrameRate, Picture, Resolution, Timestamp, VideoCodec, VideoFrame};

use crate::{config::Config, encode::opus};

#[cfg(feature = "camera")]
mod camera;
mod clock;
mod devices;
mod file;
#[cfg(feature = "mic")]
mod microphone;
mod openh264;
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

/// Pictures that are coded already, each handed out when it is due, in the order of presentation.
pub trait CodedSource: Send {
    /// Size of all its pictures.
    fn resolution(&self) -> Resolution;

    /// Pictures a second, at most.
    fn frame_rate(&self) -> FrameRate;

    /// Bits a second, over all.
    fn bitrate(&self) -> Bitrate;

    /// What they are coded with.
    fn codec(&self) -> VideoCodec;

    /// Waits for the next picture; `None` where the source has ended as it should.
    ///
    /// # Errors
    /// [`Error`] where it broke off.
    fn next(&mut self) -> Result<Option<VideoFrame>, Error>;

    /// Pictures that were let go since the source itself, or who takes from it, was late. Only grows.
    fn skipped(&self) -> u64;
}

/// Where a broadcast's pictures come from.
pub enum Video {
    /// To be encoded.
    Raw(Box<dyn VideoSource>),
    /// To be sent as they are.
    Coded(Box<dyn CodedSource>),
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
    pub video: Video,
    /// Sound; `None` for a broadcast without.
    pub audio: Option<Box<dyn AudioSource>>,
}

/// Opens what `config` names. Time begins with the first picture or packet that is asked for.
///
/// # Errors
/// [`Error`] names the source and what to do.
pub fn open(config: &Config) -> Result<Sources, Error> {
    let clock = Arc::new(Clock::default());
    let repeat = if config.repeat { file::Repeat::Forever } else { file::Repeat::Once };
    let video = match &config.source {
        SourceSpec::File(path) if config.passthrough => {
            Video::Coded(Box::new(file::Coded::open(path, repeat, Arc::clone(&clock))?))
        }
        _ => Video::Raw(raw(config, repeat, &clock)?),
    };
    let audio = config.audio.clone().unwrap_or_else(|| config.source.own_sound());
    let audio: Option<Box<dyn AudioSource>> = match audio {
        AudioSpec::Tone => Some(Box::new(tone::Tone::new(clock))),
        AudioSpec::File(path) => {
            let is_own = config.source == SourceSpec::File(path.clone());
            let cut = if is_own { file::Cut::Ends } else { file::Cut::Fails };
            match file::Sound::open(&path, repeat, cut, clock)? {
                Some(sound) => Some(Box::new(sound)),
                None if config.audio.is_none() => None,
                None => {
                    let name = path.display();
                    return Err(Error(format!("{name} has no sound: choose another film or --audio none")));
                }
            }
        }
        AudioSpec::Microphone => Some(devices::microphone(clock)?),
        AudioSpec::None => None,
    };
    Ok(Sources { video, audio })
}

/// Pictures that are to be encoded.
fn raw(config: &Config, repeat: file::Repeat, clock: &Arc<Clock>) -> Result<Box<dyn VideoSource>, Error> {
    let clock = Arc::clone(clock);
    Ok(match &config.source {
        SourceSpec::Pattern => {
            let (resolution, frame_rate) = asked_shape(config);
            Box::new(pattern::Pattern::new(resolution, frame_rate, clock))
        }
        SourceSpec::Y4m(path) => Box::new(y4m::Y4m::open(path, clock)?),
        SourceSpec::Screen => devices::screen(asked_shape(config).1, clock)?,
        SourceSpec::Camera(device) => {
            let (resolution, frame_rate) = asked_shape(config);
            devices::camera(device.as_deref(), resolution, frame_rate, clock)?
        }
        SourceSpec::File(path) => Box::new(file::Video::open(path, repeat, clock)?),
    })
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
