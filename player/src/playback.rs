//! What comes from the network becomes what is seen and heard, each at its time.
//!
//! One thread owns all of it: it depackages, decodes as soon as something can be decoded, and shows each
//! picture when the playhead reaches it. Time is an argument throughout.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc::Receiver},
    time::Duration,
};

use shared::{
    media::{Picture, Timestamp},
    moqt::Item,
};

use crate::{
    config::Latency,
    decode::{Decoder, opus},
    depackage,
    display::{Display, file::Recorder},
    jitter::{Jitter, Lesson},
    playhead::{Playhead, Rebuffering},
    session::{Control, Event, FeedId, Leave},
    sound,
    state::State,
    stats::{Moment, Now, Report, Shown, Stats},
};

mod decoding;
mod pace;
#[cfg(test)]
mod tests;
mod tracks;

use tracks::{Hearing, Video};

/// Everything that plays one room.
pub(crate) struct Playback {
    parts: Parts,
    video: Option<Video>,
    /// The rendition that follows at its next keyframe.
    upcoming: Option<Video>,
    hearing: Option<Hearing>,
    playhead: Playhead,
    rebuffering: Rebuffering,
    lesson: Lesson,
    /// Decoded, not shown yet.
    pictures: VecDeque<Arc<Picture>>,
    /// Where the decoded pictures end.
    seen_until: Option<Timestamp>,
    /// Pictures captured before it are the way to the live edge, and never count as late.
    live_since: Option<Timestamp>,
    /// Whether the pictures have ever come to the moment that plays.
    in_time: bool,
    waiting_since: Option<Timestamp>,
    state: State,
    pub(crate) stats: Stats,
    /// Counts of feeds that are gone.
    gone: depackage::Lost,
    gone_sound: depackage::Lost,
    end: Option<anyhow::Result<Leave>>,
    ending_since: Option<Timestamp>,
}

/// What a playback is made of.
pub(crate) struct Parts {
    pub(crate) decoder: Box<dyn Decoder>,
    pub(crate) opus: opus::Opus,
    pub(crate) display: Box<dyn Display>,
    pub(crate) shown: Receiver<Shown>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) control: tokio::sync::mpsc::Sender<Control>,
    pub(crate) latency: Latency,
    pub(crate) output: sound::Output,
    pub(crate) started: Timestamp,
}

/// A picture is due for decoding this long before it is due for showing.
const DECODING: Duration = Duration::from_millis(8);
/// On the way to the live edge, pictures later than this are not shown.
const HURRY: Duration = Duration::from_millis(100);
/// The last pictures and sounds may take this long.
const LAST: Duration = Duration::from_secs(3);
/// However still it is, so often one looks.
const IDLE: Duration = Duration::from_millis(50);

impl Playback {
    pub(crate) fn new(parts: Parts) -> Self {
        let stats = Stats::new(parts.started);
        Self {
            parts,
            video: None,
            upcoming: None,
            hearing: None,
            playhead: Playhead::default(),
            rebuffering: Rebuffering::default(),
            lesson: Lesson::default(),
            pictures: VecDeque::new(),
            seen_until: None,
            live_since: None,
            in_time: false,
            waiting_since: None,
            state: State::Connecting,
            stats,
            gone: depackage::Lost::default(),
            gone_sound: depackage::Lost::default(),
            end: None,
            ending_since: None,
        }
    }

    /// Takes what the session tells.
    pub(crate) fn take(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::State(state) => self.set_state(state),
            Event::Video(feed) => {
                let video = Video::new(feed);
                tracing::info!(track = video.name, "playing");
                if self.video.is_none() {
                    self.video = Some(video);
                } else {
                    self.upcoming = Some(video);
                }
            }
            Event::Sound(feed) => {
                self.hearing = Some(Hearing::new(feed));
            }
            Event::Item { feed, at, item } => self.take_item(feed, at, item),
            Event::Interrupted => self.interrupt(now),
            Event::Path(kind, path) => self.stats.path(kind, path),
            Event::End(end) => {
                self.end = Some(end);
                self.ending_since = Some(now);
            }
        }
    }

    /// Does what can be done now. Whether more can be done at once.
    pub(crate) fn advance(&mut self, now: Timestamp) -> bool {
        while let Ok(shown) = self.parts.shown.try_recv() {
            let is_live = self.live_since.is_some_and(|since| shown.captured >= since);
            self.stats.shown(shown, if is_live { Moment::Live } else { Moment::Start });
        }
        self.steer(now);
        self.hear(now);
        let media = self.playhead.media(now);
        let more = self.decode_sound(media) | self.decode_picture(media);
        self.switch();
        self.show(now, more);
        self.watch_for_gaps(now);
        more
    }

    /// When there is something to do at the latest.
    pub(crate) fn deadline(&self, now: Timestamp) -> Timestamp {
        let picture = self.pictures.front().and_then(|picture| self.playhead.due(picture.timestamp));
        let waits = [
            self.video.as_ref().and_then(|video| video.frames.gives_up_at()),
            self.hearing.as_ref().and_then(|hearing| hearing.packets.gives_up_at()),
        ];
        let missing =
            waits.into_iter().flatten().filter_map(|media| self.playhead.due(media)).filter(|at| *at > now);
        missing.chain(picture).fold(now + IDLE, Timestamp::min)
    }

    /// Whether nothing more comes and all of it was shown.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        let Some(end) = &self.end else { return false };
        let drained = match self.playhead.media(now) {
            Some(media) => {
                let heard = self.hearing.as_ref().and_then(|hearing| hearing.track.end());
                self.pictures.is_empty()
                    && [heard, self.seen_until].into_iter().flatten().all(|end| end <= media)
            }
            None => true,
        };
        let waits = matches!(end, Ok(Leave::Ended)) && !drained;
        !waits || self.ending_since.is_some_and(|since| now.since(since) > LAST)
    }

    /// The line of statistics for now.
    pub(crate) fn report(&mut self, now: Timestamp, is_final: bool) -> Report {
        let tracks = self.tracks();
        let shortest = tracks.iter().filter_map(|jitter| jitter.shortest()).max();
        let delay = self.playhead.delay(now);
        let held = delay.zip(shortest).map_or(0, |(delay, shortest)| delay.0 - shortest.0);
        let video = self.video.as_ref();
        let lost = video.map(|video| video.frames.lost()).unwrap_or_default();
        let unheard = self.hearing.as_ref().map(|hearing| hearing.packets.lost()).unwrap_or_default();
        self.stats.frames.dropped = lost.frames + self.gone.frames;
        self.stats.frames.unreadable = lost.not_loc + self.gone.not_loc;
        self.stats.frames.not_recorded = self.parts.recorder.as_ref().map_or(0, Recorder::left_out);
        let overflow = self.hearing.as_ref().map_or(0, |hearing| hearing.track.dropped());
        self.stats.sound.dropped = unheard.frames + self.gone_sound.frames + overflow;
        self.stats.sound.unreadable = unheard.not_loc + self.gone_sound.not_loc;
        let facts = Now {
            at: now,
            state: self.state,
            rendition: video.map(|video| video.name.as_str()),
            resolution: video.and_then(|video| video.resolution),
            rebuffering: &self.rebuffering,
            buffer: Duration::from_micros(u64::try_from(held).unwrap_or_default()),
            delay,
            rate: self.playhead.rate(),
        };
        let report = self.stats.report(&facts, is_final);
        self.parts.display.report(&report);
        report
    }

    /// Lets go of the screen and finishes the recordings. How the session ended.
    ///
    /// # Errors
    /// What ended the session where that was no wish of the viewer, or what could not be recorded.
    pub(crate) fn close(mut self) -> anyhow::Result<Leave> {
        self.parts.display.close();
        let recorded = self.parts.recorder.take().map_or(Ok(()), Recorder::finish);
        let end = self.end.unwrap_or(Ok(Leave::Quit));
        end.and_then(|leave| recorded.map(|()| leave))
    }

    /// The end of the broadcast stays on the screen.
    pub(crate) fn note_end(&mut self) {
        match &self.end {
            Some(Ok(Leave::Ended)) => self.set_state(State::Ended),
            Some(Ok(Leave::Quit) | Err(_)) | None => {}
        }
    }

    fn take_item(&mut self, feed: FeedId, at: Timestamp, item: Item) {
        let (location, bytes) = match &item {
            Item::Object(object) | Item::Datagram(object) => (Some(object.location()), object.payload.len()),
            Item::End { .. } => (None, 0),
        };
        self.stats.received(bytes);
        let of_feed = |video: &&mut Video| video.id == feed;
        if let Some(video) = [&mut self.video, &mut self.upcoming].into_iter().flatten().find(of_feed) {
            let captured = video.frames.push(item);
            video.arrivals.note(captured, location, at + DECODING / 2);
            if video.frames.lost().not_loc == 1 && captured.is_none() && bytes > 0 {
                tracing::warn!(
                    track = video.name,
                    "an object is not LOC: such ones are left out and counted"
                );
            }
        } else if let Some(hearing) = self.hearing.as_mut().filter(|hearing| hearing.id == feed) {
            let captured = hearing.packets.push(item);
            hearing.arrivals.note(captured, location, at + self.parts.output.lead());
            if hearing.packets.lost().not_loc == 1 && captured.is_none() && bytes > 0 {
                tracing::warn!("a sound object is not LOC: such ones are left out and counted");
            }
        }
    }

    fn interrupt(&mut self, now: Timestamp) {
        self.forget_video();
        self.upcoming = None;
        if let Some(hearing) = self.hearing.take() {
            add(&mut self.gone_sound, hearing.packets.lost());
        }
        self.pictures.clear();
        self.playhead.reset();
        self.rebuffering.end(now);
        self.lesson = Lesson::default();
        self.seen_until = None;
        self.live_since = None;
        self.in_time = false;
        self.waiting_since = None;
    }

    fn forget_video(&mut self) -> Option<Video> {
        let video = self.video.take()?;
        add(&mut self.gone, video.frames.lost());
        Some(video)
    }

    fn tracks(&self) -> Vec<&Jitter> {
        let video = self.video.as_ref().map(|video| &video.arrivals.jitter);
        let sound = self.hearing.as_ref().map(|hearing| &hearing.arrivals.jitter);
        video.into_iter().chain(sound).collect()
    }

    fn show(&mut self, now: Timestamp, more: bool) {
        let Some(media) = self.playhead.media(now) else { return };
        let interval = self.video.as_ref().map_or(HURRY, Video::interval);
        let mut newest: Option<Arc<Picture>> = None;
        while self.pictures.front().is_some_and(|picture| picture.timestamp <= media) {
            let Some(picture) = self.pictures.pop_front() else { break };
            if let Some(unseen) = newest.replace(picture) {
                self.stats.frames.late += u64::from(self.is_live(&unseen));
            }
        }
        let Some(picture) = newest else { return };
        let lateness = media.since(picture.timestamp);
        if lateness > HURRY && more {
            self.stats.frames.late += u64::from(self.is_live(&picture));
            return;
        }
        self.stats.frames.late += u64::from(lateness > interval && self.is_live(&picture));
        self.parts.display.show(&picture);
        if let Some(heard) = self.hearing.as_ref().and_then(|hearing| hearing.heard) {
            self.stats.lip_sync(picture.timestamp, heard);
        }
    }

    fn heard_until(&self) -> Option<Timestamp> {
        self.hearing.as_ref().and_then(|hearing| hearing.track.end())
    }

    fn is_live(&self, picture: &Picture) -> bool {
        self.live_since.is_some_and(|since| picture.timestamp >= since)
    }

    fn set_state(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.parts.display.state(state);
        }
    }
}

fn add(sum: &mut depackage::Lost, lost: depackage::Lost) {
    sum.frames += lost.frames;
    sum.not_loc += lost.not_loc;
    sum.overflow += lost.overflow;
}
