//! The tracks that play.

use std::time::Duration;

use shared::{
    media::{FrameRate, Resolution, Timestamp},
    moqt::Location,
};

use crate::{
    decode::opus,
    depackage,
    jitter::Jitter,
    session::{FeedId, SoundFeed, VideoFeed},
    sound,
};

/// The picture track.
pub(super) struct Video {
    pub(super) id: FeedId,
    pub(super) name: String,
    pub(super) resolution: Option<Resolution>,
    pub(super) frame_rate: Option<FrameRate>,
    pub(super) frames: depackage::Video,
    pub(super) arrivals: Arrivals,
}

/// The sound track.
pub(super) struct Hearing {
    pub(super) id: FeedId,
    pub(super) packets: depackage::Sound,
    pub(super) arrivals: Arrivals,
    pub(super) track: sound::Track,
    /// The moment that is heard now.
    pub(super) heard: Option<Timestamp>,
}

/// How late a track comes, from where it comes as it is captured: what is caught up with at the start
/// says nothing of the network's jitter.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) jitter: Jitter,
    /// What was published before the subscription.
    largest: Option<Location>,
    first: Option<Timestamp>,
    /// The newest so far: when it was captured, and when it was ready.
    newest: Option<(Timestamp, Timestamp)>,
    is_live: bool,
}

/// Past this time a track that still comes faster than it is captured is taken as it is.
const CAUGHT_UP: Duration = Duration::from_secs(1);

impl Video {
    pub(super) fn new(feed: VideoFeed) -> Self {
        let VideoFeed { id, name, resolution, frame_rate, largest } = feed;
        let frames = depackage::Video::new(interval(frame_rate));
        Self { id, name, resolution, frame_rate, frames, arrivals: Arrivals::after(largest) }
    }

    /// Time from one picture to the next.
    pub(super) fn interval(&self) -> Duration {
        interval(self.frame_rate)
    }
}

impl Hearing {
    pub(super) fn new(feed: SoundFeed) -> Self {
        Self {
            id: feed.id,
            packets: depackage::Sound::new(opus::duration),
            arrivals: Arrivals::after(feed.largest),
            track: sound::Track::default(),
            heard: None,
        }
    }
}

impl Arrivals {
    fn after(largest: Option<Location>) -> Self {
        Self { jitter: Jitter::default(), largest, first: None, newest: None, is_live: false }
    }

    /// Notes when something was ready.
    pub(super) fn note(&mut self, captured: Option<Timestamp>, location: Option<Location>, ready: Timestamp) {
        let (Some(captured), Some(location)) = (captured, location) else { return };
        let first = *self.first.get_or_insert(ready);
        let is_new = self.largest.is_none_or(|largest| location > largest);
        let at_pace = self.newest.is_some_and(|(before, then)| {
            captured > before && ready.since(then) * 2 >= captured.since(before)
        });
        if self.newest.is_none_or(|(before, _)| captured > before) {
            self.newest = Some((captured, ready));
        }
        self.is_live |= is_new && (at_pace || ready.since(first) > CAUGHT_UP);
        if self.is_live {
            self.jitter.observe(captured, ready);
        }
    }

    /// Goes on with what another rendition taught, where this one has taught nothing yet.
    pub(super) fn succeed(&mut self, before: Self) {
        if !self.jitter.is_settled() {
            self.jitter = before.jitter;
        }
    }
}

/// Time from one picture to the next.
fn interval(rate: Option<FrameRate>) -> Duration {
    Duration::from_secs_f64(rate.map_or(30.0, FrameRate::per_second).recip())
}
