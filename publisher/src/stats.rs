//! Counters that the flow's threads write and the progress line reads.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

use shared::{
    media::{Bitrate, VideoFrame},
    transport::PathStats,
};

/// Counters of a whole broadcast. All only grow, but for what the path and the audience are now.
#[derive(Debug)]
pub(crate) struct Stats {
    /// Pictures let go before encoding, since an encoder was still busy with an earlier one or capture was
    /// late.
    pub(crate) dropped: Counter,
    /// Pictures let go by encoders, as they would have been too large for the bitrate.
    pub(crate) too_large: Counter,
    /// Frames and packets let go because no relay was there to take them.
    pub(crate) off_air: Counter,
    /// Groups of which something was let go, since the path was behind.
    pub(crate) skipped_groups: Counter,
    /// One a rendition, in the ladder's order.
    pub(crate) renditions: Vec<RenditionStats>,
    /// Bytes of coded sound.
    pub(crate) audio_bytes: Counter,
    /// People who watch; negative: not known.
    viewers: AtomicI64,
    /// Round trip time in microseconds; 0: no connection.
    rtt_micros: AtomicU64,
}

/// Counters of one rendition, and what its encoder is told.
#[derive(Debug)]
pub(crate) struct RenditionStats {
    /// Pictures encoded.
    pub(crate) frames: Counter,
    /// Bytes of coded pictures.
    pub(crate) bytes: Counter,
    force_keyframe: AtomicBool,
    bitrate: AtomicU32,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Stats {
    /// All at zero, for renditions that begin with these bitrates.
    pub(crate) fn new(bitrates: impl IntoIterator<Item = Bitrate>) -> Self {
        let rendition = |bitrate: Bitrate| RenditionStats {
            frames: Counter::default(),
            bytes: Counter::default(),
            force_keyframe: AtomicBool::new(false),
            bitrate: AtomicU32::new(bitrate.0),
        };
        Self {
            dropped: Counter::default(),
            too_large: Counter::default(),
            off_air: Counter::default(),
            skipped_groups: Counter::default(),
            renditions: bitrates.into_iter().map(rendition).collect(),
            audio_bytes: Counter::default(),
            viewers: AtomicI64::new(-1),
            rtt_micros: AtomicU64::new(0),
        }
    }

    /// Counts what a source has let go by now, of which `counted` were counted before.
    pub(crate) fn skipped(&self, skipped: u64, counted: &mut u64) {
        self.dropped.add(skipped.saturating_sub(*counted));
        *counted = skipped;
    }

    /// People who watch, where the relay has said so.
    pub(crate) fn viewers(&self) -> Option<u64> {
        u64::try_from(self.viewers.load(Ordering::Relaxed)).ok()
    }

    pub(crate) fn set_viewers(&self, viewers: Option<u64>) {
        let value = viewers.and_then(|viewers| i64::try_from(viewers).ok()).unwrap_or(-1);
        self.viewers.store(value, Ordering::Relaxed);
    }

    /// Round trip time in microseconds, where there is a connection.
    pub(crate) fn rtt_micros(&self) -> Option<u64> {
        Some(self.rtt_micros.load(Ordering::Relaxed)).filter(|&micros| micros > 0)
    }

    pub(crate) fn set_path(&self, path: Option<PathStats>) {
        let micros = path.map_or(0, |path| u64::try_from(path.rtt.as_micros()).unwrap_or(u64::MAX).max(1));
        self.rtt_micros.store(micros, Ordering::Relaxed);
    }
}

impl RenditionStats {
    /// Counts a coded picture.
    pub(crate) fn coded(&self, frame: &VideoFrame) {
        self.frames.add(1);
        self.bytes.add(frame.payload.len() as u64);
    }

    /// Asks the encoder for a key frame.
    pub(crate) fn force_keyframe(&self) {
        self.force_keyframe.store(true, Ordering::Relaxed);
    }

    /// Whether a key frame was asked for since the last time this was called.
    pub(crate) fn take_keyframe_request(&self) -> bool {
        self.force_keyframe.swap(false, Ordering::Relaxed)
    }

    /// What the encoder is to spend now.
    pub(crate) fn bitrate(&self) -> Bitrate {
        Bitrate(self.bitrate.load(Ordering::Relaxed))
    }

    pub(crate) fn set_bitrate(&self, bitrate: Bitrate) {
        self.bitrate.store(bitrate.0, Ordering::Relaxed);
    }
}
