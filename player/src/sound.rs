//! Decoded sound on its way to the ear.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use shared::media::Timestamp;

use crate::{
    config::DisplayKind,
    decode::{CHANNELS, SAMPLE_RATE, Samples},
};

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
    /// The default device, where somebody watches, this build can use one and there is one. Says once
    /// where not.
    #[cfg(feature = "speaker")]
    pub(crate) fn open(volume: &Volume, display: DisplayKind) -> Self {
        if display == DisplayKind::None {
            return Self::Silent;
        }
        match speaker::Speaker::open(volume.clone()) {
            Ok(speaker) => Self::Device(speaker),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "there is no sound");
                Self::Silent
            }
        }
    }

    /// Says once, to who watches, that this build has no sound.
    #[cfg(not(feature = "speaker"))]
    pub(crate) fn open(volume: &Volume, display: DisplayKind) -> Self {
        if display == DisplayKind::Window && !volume.is_muted() {
            tracing::info!("sound is decoded but not heard: build with --features speaker to hear it");
        }
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

/// How loud it is: set once, muted and unmuted by the viewer.
#[derive(Debug, Clone)]
pub(crate) struct Volume {
    #[cfg(feature = "speaker")]
    level: f32,
    is_muted: Arc<AtomicBool>,
}

impl Volume {
    /// From 0 to 1; at 0 it begins muted.
    pub(crate) fn new(level: f32) -> Self {
        Self {
            // Who unmutes what begins silent wants to hear it.
            #[cfg(feature = "speaker")]
            level: if level > 0.0 { level } else { 1.0 },
            is_muted: Arc::new(AtomicBool::new(level <= 0.0)),
        }
    }

    /// Mutes, or unmutes.
    pub(crate) fn toggle(&self) {
        self.is_muted.fetch_xor(true, Ordering::Relaxed);
    }

    /// Whether nothing is to be heard.
    pub(crate) fn is_muted(&self) -> bool {
        self.is_muted.load(Ordering::Relaxed)
    }

    /// From 0 to 1.
    #[cfg(feature = "speaker")]
    pub(crate) fn now(&self) -> f32 {
        if self.is_muted() { 0.0 } else { self.level }
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
