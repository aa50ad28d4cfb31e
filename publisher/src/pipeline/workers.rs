//! What each thread of the flow does.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Result;
use shared::media::{Bitrate, FrameRate, Picture, Resolution};
use tokio::sync::mpsc;

use super::slot::{Put, Slot};
use crate::{
    capture::{AudioSource, CodedSource, VideoSource},
    encode::{AudioEncoder, VideoEncoder},
    filter::Scaler,
    package::{AudioPackager, VideoPackager},
    rendition::Decimator,
    session::Publication,
    stage::TrackIndex,
    stats::Stats,
};

/// The way from capture to one encoder.
pub(super) struct Lane {
    pub(super) slot: Arc<Slot<Arc<Picture>>>,
    decimator: Decimator,
}

/// One rendition's encoder with all that it needs.
pub(super) struct Rendition {
    /// Place in the ladder.
    pub(super) index: usize,
    pub(super) track: TrackIndex,
    pub(super) slot: Arc<Slot<Arc<Picture>>>,
    pub(super) resolution: Resolution,
    pub(super) bitrate: Bitrate,
    pub(super) encoder: Box<dyn VideoEncoder>,
    pub(super) packager: VideoPackager,
}

/// The sound with all that it needs.
pub(super) struct Sound {
    pub(super) source: Box<dyn AudioSource>,
    pub(super) encoder: Box<dyn AudioEncoder>,
    pub(super) packager: AudioPackager,
    pub(super) track: TrackIndex,
}

impl Lane {
    pub(super) fn new(slot: Arc<Slot<Arc<Picture>>>, frame_rate: FrameRate) -> Self {
        Self { slot, decimator: Decimator::new(frame_rate) }
    }
}

/// What the source's thread does.
pub(super) enum Capture {
    /// Pictures go to encoders.
    Raw { source: Box<dyn VideoSource>, lanes: Vec<Lane> },
    /// Coded pictures go to the session as they are, to one track.
    Coded { source: Box<dyn CodedSource>, packager: VideoPackager, tracks: Vec<TrackIndex> },
}

impl Capture {
    /// Takes from the source until it ends or `stop` is set.
    pub(super) fn run(
        self,
        feed: &mpsc::WeakSender<Publication>,
        stats: &Stats,
        stop: &AtomicBool,
    ) -> Result<()> {
        match self {
            Self::Raw { source, lanes } => capture(source, lanes, stats, stop),
            Self::Coded { source, packager, tracks } => match tracks.first() {
                Some(&track) => pass(source, packager, track, feed, stats, stop),
                None => Ok(()),
            },
        }
    }
}

/// Packages coded pictures until their source ends, the broadcast does or `stop` is set.
fn pass(
    mut source: Box<dyn CodedSource>,
    mut packager: VideoPackager,
    track: TrackIndex,
    feed: &mpsc::WeakSender<Publication>,
    stats: &Stats,
    stop: &AtomicBool,
) -> Result<()> {
    let mut skipped = 0;
    let result = loop {
        let frame = match source.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        };
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        stats.skipped(source.skipped(), &mut skipped);
        if let Some(counters) = stats.renditions.first() {
            counters.coded(&frame);
        }
        let items = packager.push(frame);
        let Some(feed) = feed.upgrade() else { return Ok(()) };
        if feed.blocking_send(Publication { track, items }).is_err() {
            return Ok(());
        }
    };
    if let Some(feed) = feed.upgrade() {
        // Where the session is over nobody needs to be told.
        let _ = feed.blocking_send(Publication { track, items: packager.end().collect() });
    }
    result
}

/// Puts the source's pictures into the lanes until it ends or `stop` is set.
fn capture(
    mut source: Box<dyn VideoSource>,
    mut lanes: Vec<Lane>,
    stats: &Stats,
    stop: &AtomicBool,
) -> Result<()> {
    let mut skipped = 0;
    while let Some(picture) = source.next()? {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        stats.skipped(source.skipped(), &mut skipped);
        let picture = Arc::new(picture);
        for lane in &mut lanes {
            if lane.decimator.pass(picture.timestamp) && lane.slot.put(Arc::clone(&picture)) == Put::Replaced
            {
                stats.dropped.add(1);
            }
        }
    }
    Ok(())
}

/// Scales, encodes and packages what comes into the slot until it is closed.
pub(super) fn encode(mut work: Rendition, feed: &mpsc::Sender<Publication>, stats: &Stats) -> Result<()> {
    let mut scaler = Scaler::new(work.resolution);
    let mut bitrate = work.bitrate;
    while let Some(picture) = work.slot.take() {
        if let Some(told) = stats.renditions.get(work.index) {
            if told.take_keyframe_request() {
                work.encoder.force_keyframe();
            }
            if told.bitrate() != bitrate {
                bitrate = told.bitrate();
                work.encoder.set_bitrate(bitrate)?;
            }
        }
        let frame = if picture.resolution == work.resolution {
            work.encoder.encode(&picture)?
        } else {
            work.encoder.encode(&scaler.scale(&picture)?)?
        };
        let Some(frame) = frame else {
            stats.too_large.add(1);
            continue;
        };
        if let Some(counters) = stats.renditions.get(work.index) {
            counters.coded(&frame);
        }
        let items = work.packager.push(frame);
        // Full only where the session's task gets no time; then pictures are let go before encoding.
        if feed.blocking_send(Publication { track: work.track, items }).is_err() {
            return Ok(());
        }
    }
    let items = work.packager.end().collect();
    // Where the session is over nobody needs to be told.
    let _ = feed.blocking_send(Publication { track: work.track, items });
    Ok(())
}

/// Encodes and packages sound until its source ends, the broadcast does or `stop` is set.
pub(super) fn sound(
    mut work: Sound,
    feed: &mpsc::WeakSender<Publication>,
    stats: &Stats,
    stop: &AtomicBool,
) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let Some(packet) = work.source.next()? else { return Ok(()) };
        let frame = work.encoder.encode(&packet.samples, packet.timestamp)?;
        stats.audio_bytes.add(frame.payload.len() as u64);
        let items = work.packager.push(frame).into();
        let Some(feed) = feed.upgrade() else { return Ok(()) };
        if feed.blocking_send(Publication { track: work.track, items }).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
