//! Decoded sound on its way to the ear.

use std::{collections::VecDeque, time::Duration};

use shared::media::Timestamp;

use crate::decode::{CHANNELS, SAMPLE_RATE, Samples};

#[cfg(feature = "speaker")]
pub(crate) mod speaker;

/// Where sound goes.
pub(crate) enum Output {
    /// Nowhere: it is decoded and keeps time with the picture, but is not heard.
    Silent,
    /// To a device.
    #[cfg(feature = "speaker")]
    Device(speaker::Speaker),
}

impl Output {
    /// The default device at a loudness from 0 to 1, where this build can use one and there is one. Says
    /// once where not.
    #[cfg(feature = "speaker")]
    pub(crate) fn open(volume: f32) -> Self {
        match speaker::Speaker::open(volume) {
            Ok(speaker) => Self::Device(speaker),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "there is no sound");
                Self::Silent
            }
        }
    }

    /// Says once that this build has no sound.
    #[cfg(not(feature = "speaker"))]
    pub(crate) fn open(volume: f32) -> Self {
        tracing::info!(volume, "sound is decoded but not heard: build with --features speaker to hear it");
        Self::Silent
    }

    /// Lets sound go on its way, when `media` plays at `rate`. The moment that is heard now.
    pub(crate) fn pump(&mut self, track: &mut Track, media: Timestamp, rate: f64) -> Option<Timestamp> {
        match self {
            Self::Silent => {
                let _ = rate;
                track.pass(media);
                None
            }
            #[cfg(feature = "speaker")]
            Self::Device(speaker) => speaker.pump(track, media, rate),
        }
    }

    /// How much earlier sound is needed than it is heard.
    pub(crate) fn lead(&self) -> Duration {
        match self {
            Self::Silent => Duration::ZERO,
            #[cfg(feature = "speaker")]
            Self::Device(_) => speaker::LEAD,
        }
    }
}

/// Decoded sound in order of time. Bounded: past two seconds the oldest goes.
#[derive(Debug, Default)]
pub(crate) struct Track {
    chunks: VecDeque<Chunk>,
    /// Where the sound that was decoded ends.
    end: Option<Timestamp>,
    dropped: u64,
}

#[derive(Debug)]
struct Chunk {
    at: Timestamp,
    samples: Samples,
}

/// Packets of 20 ms that may wait.
const MOST_CHUNKS: usize = 100;

impl Track {
    /// Adds what was captured at `at`.
    pub(crate) fn push(&mut self, at: Timestamp, samples: Samples) {
        self.end = Some(at + length(&samples));
        self.chunks.push_back(Chunk { at, samples });
        while self.chunks.len() > MOST_CHUNKS {
            self.chunks.pop_front();
            self.dropped += 1;
        }
    }

    /// Where the sound ends that was ever decoded.
    pub(crate) fn end(&self) -> Option<Timestamp> {
        self.end
    }

    /// Whether there is sound of this moment.
    pub(crate) fn covers(&self, media: Timestamp) -> bool {
        self.chunks.iter().any(|chunk| chunk.at <= media && media < chunk.at + length(&chunk.samples))
    }

    /// Lets go of what lies before a moment: it has sounded, or it is too late for it.
    pub(crate) fn pass(&mut self, media: Timestamp) {
        while self.chunks.front().is_some_and(|chunk| chunk.at + length(&chunk.samples) <= media) {
            self.chunks.pop_front();
        }
    }

    /// Where the first sound begins that waits.
    #[cfg(feature = "speaker")]
    pub(crate) fn begin(&self) -> Option<Timestamp> {
        self.chunks.front().map(|chunk| chunk.at)
    }

    /// Takes the chunk that sounds next, with its time.
    #[cfg(feature = "speaker")]
    pub(crate) fn take(&mut self) -> Option<(Timestamp, Samples)> {
        self.chunks.pop_front().map(|chunk| (chunk.at, chunk.samples))
    }

    /// Chunks that were dropped because too many waited.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// How long samples sound.
fn length(samples: &Samples) -> Duration {
    Duration::from_micros((samples.len() / CHANNELS) as u64 * 1_000_000 / u64::from(SAMPLE_RATE))
}
