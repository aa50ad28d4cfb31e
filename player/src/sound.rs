//! Decoded sound on its way to the ear.

use std::{collections::VecDeque, time::Duration};

use shared::media::Timestamp;

use crate::decode::{CHANNELS, SAMPLE_RATE, Samples};

#[cfg(feature = "speaker")]
pub(crate) mod speaker;

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
