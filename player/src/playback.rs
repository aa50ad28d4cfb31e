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
    media::{FrameRate, Picture, Resolution, Timestamp},
    moqt::{Item, Location},
};

use crate::{
    config::Latency,
    decode::{Decoder, opus},
    depackage::{self, Packet},
    display::{Display, file::Recorder},
    jitter::{self, Jitter, Transit},
    playhead::{Playhead, Rebuffering, Steered},
    session::{Control, Event, FeedId, Leave},
    sound,
    state::State,
    stats::{Now, Report, Shown, Stats},
};

/// Everything that plays one room.
pub(crate) struct Playback {
    parts: Parts,
    video: Option<Video>,
    /// The rendition that follows at its next keyframe.
    upcoming: Option<Video>,
    hearing: Option<Hearing>,
    playhead: Playhead,
    rebuffering: Rebuffering,
    /// Decoded, not shown yet.
    pictures: VecDeque<Arc<Picture>>,
    /// Where the decoded pictures end.
    seen_until: Option<Timestamp>,
    /// Pictures captured before it are the way to the live edge, and never count as late.
    live_since: Option<Timestamp>,
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

/// The picture track.
struct Video {
    id: FeedId,
    name: String,
    resolution: Option<Resolution>,
    frame_rate: Option<FrameRate>,
    frames: depackage::Video,
    arrivals: Arrivals,
}

/// The sound track.
struct Hearing {
    id: FeedId,
    packets: depackage::Sound,
    arrivals: Arrivals,
    track: sound::Track,
    /// The moment that is heard now.
    heard: Option<Timestamp>,
}

/// How late a track comes, counted from what was published after the subscription.
struct Arrivals {
    jitter: Jitter,
    largest: Option<Location>,
}

/// Pictures that may be decoded ahead of their time.
const MOST_PICTURES: usize = 8;
/// A picture is due for decoding this long before it is due for showing.
const DECODING: Duration = Duration::from_millis(8);
/// Sound may be missing for this long before playing stops: concealment covers as much.
const SOUND_GRACE: Duration = Duration::from_millis(40);
/// A picture may stand for this long past its time before it counts as rebuffering.
const PICTURE_GRACE: Duration = Duration::from_millis(100);
/// A track that is silent for longer no longer holds up the other.
const TRACK_DEAD: Duration = Duration::from_secs(1);
/// For this long the start waits for all tracks.
const START_TOGETHER: Duration = Duration::from_millis(150);
/// Without anything live, what there is plays after this time.
const START_ANYWAY: Duration = Duration::from_millis(600);
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
            pictures: VecDeque::new(),
            seen_until: None,
            live_since: None,
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
                let rate = feed.frame_rate.map_or(30.0, FrameRate::per_second);
                let video = Video {
                    id: feed.id,
                    name: feed.name,
                    resolution: feed.resolution,
                    frame_rate: feed.frame_rate,
                    frames: depackage::Video::new(Duration::from_secs_f64(1.0 / rate)),
                    arrivals: Arrivals { jitter: Jitter::default(), largest: feed.largest },
                };
                tracing::info!(track = video.name, "playing");
                if self.video.is_none() {
                    self.video = Some(video);
                } else {
                    self.upcoming = Some(video);
                }
            }
            Event::Sound(feed) => {
                self.hearing = Some(Hearing {
                    id: feed.id,
                    packets: depackage::Sound::new(opus::duration),
                    arrivals: Arrivals { jitter: Jitter::default(), largest: feed.largest },
                    track: sound::Track::default(),
                    heard: None,
                });
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
            self.stats.shown(shown);
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
        self.stats.report(&facts, is_final)
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
        self.seen_until = None;
        self.live_since = None;
        self.waiting_since = None;
    }

    fn forget_video(&mut self) {
        if let Some(video) = self.video.take() {
            add(&mut self.gone, video.frames.lost());
        }
    }

    fn tracks(&self) -> Vec<&Jitter> {
        let video = self.video.as_ref().map(|video| &video.arrivals.jitter);
        let sound = self.hearing.as_ref().map(|hearing| &hearing.arrivals.jitter);
        video.into_iter().chain(sound).collect()
    }

    fn steer(&mut self, now: Timestamp) {
        let tracks = self.tracks();
        let target = jitter::target(&tracks, self.parts.latency);
        if self.playhead.media(now).is_some() {
            if let Some(target) = target
                && self.playhead.steer(now, target) == Steered::Jumped
            {
                tracing::debug!("too far behind: jumping to live");
            }
            return;
        }
        if tracks.is_empty() || (self.seen_until.is_none() && self.heard_until().is_none()) {
            return;
        }
        let all = tracks.iter().all(|jitter| jitter.shortest().is_some());
        let waited = now.since(*self.waiting_since.get_or_insert(now));
        match target {
            Some(target) if all || waited > START_TOGETHER => {
                self.playhead.start(now, target);
                self.live_since = self.playhead.media(now);
            }
            // Nothing live comes: what there is plays from its end.
            None if waited > START_ANYWAY => {
                let end = self.seen_until.max(self.heard_until()).unwrap_or(now);
                self.playhead.start(now, Transit::between(end, now));
                self.live_since = self.playhead.media(now);
            }
            Some(_) | None => {}
        }
    }

    /// Lets the sound go on its way; where a device plays it, time follows the device.
    fn hear(&mut self, now: Timestamp) {
        let (Some(media), Some(hearing)) = (self.playhead.media(now), &mut self.hearing) else { return };
        hearing.heard = None;
        if self.playhead.is_standing() {
            return;
        }
        match self.parts.output.pump(&mut hearing.track, media, self.playhead.rate()) {
            Some(heard) => {
                self.playhead.follow(now, heard);
                hearing.heard = Some(heard);
            }
            None => hearing.heard = Some(media).filter(|media| hearing.track.covers(*media)),
        }
    }

    fn decode_sound(&mut self, media: Option<Timestamp>) -> bool {
        let Some(hearing) = &mut self.hearing else { return false };
        let due = media.map(|media| media + DECODING + self.parts.output.lead());
        let Some(packet) = hearing.packets.poll(due) else { return false };
        let (at, decoded) = match packet {
            Packet::Frame(frame) => (frame.timestamp, self.parts.opus.decode(&frame.payload)),
            Packet::Concealed { timestamp, duration } => (timestamp, self.parts.opus.conceal(duration)),
            Packet::Restart => return true,
        };
        match decoded {
            Ok(samples) => {
                self.stats.sound.decoded += 1;
                if let Some(recorder) = &self.parts.recorder {
                    recorder.sound(at, &samples);
                }
                hearing.track.push(at, samples);
            }
            Err(error) => {
                self.gone_sound.not_loc += 1;
                tracing::debug!(%error, "sound is left out");
            }
        }
        true
    }

    fn decode_picture(&mut self, media: Option<Timestamp>) -> bool {
        if media.is_none() {
            // On the way to the live edge only the newest counts.
            while self.pictures.len() > 1 {
                self.pictures.pop_front();
            }
        }
        if self.pictures.len() >= MOST_PICTURES {
            return false;
        }
        let Some(video) = &mut self.video else { return false };
        let frame = video.frames.poll(media.map(|media| media + DECODING));
        if let Some(group) = video.frames.take_broken() {
            let _ = self.parts.control.try_send(Control::NeedsKeyframe(video.id, group));
        }
        let Some(frame) = frame else { return false };
        let interval = video.frame_rate.map_or(30.0, FrameRate::per_second).recip();
        match self.parts.decoder.decode(&frame) {
            Ok(Some(picture)) => {
                self.stats.frames.decoded += 1;
                let picture = Arc::new(picture);
                if let Some(recorder) = &self.parts.recorder {
                    recorder.picture(&picture, video.frame_rate);
                }
                if self.state != State::Live {
                    self.first_picture(&picture);
                }
                self.seen_until = Some(frame.timestamp + Duration::from_secs_f64(interval));
                self.pictures.push_back(picture);
            }
            Ok(None) => {}
            Err(error) => {
                self.gone.not_loc += 1;
                tracing::debug!(%error, "a picture is left out");
                let group = video.frames.group().unwrap_or_default();
                let _ = self.parts.control.try_send(Control::NeedsKeyframe(video.id, group));
            }
        }
        true
    }

    /// The very first picture is shown at once: whoever waits sees that something comes.
    fn first_picture(&mut self, picture: &Arc<Picture>) {
        if self.playhead.media(picture.timestamp).is_none() && self.pictures.is_empty() {
            self.parts.display.show(picture);
        }
        self.set_state(State::Live);
    }

    /// Changes to the next rendition where the pictures have come to its keyframe.
    fn switch(&mut self) {
        let Some(entry) = self.upcoming.as_ref().and_then(|upcoming| upcoming.frames.entry()) else { return };
        // A keyframe that is half a frame early or late is the same moment.
        let reached = self.seen_until.is_none_or(|until| until + Duration::from_millis(10) >= entry);
        if reached && let Some(upcoming) = self.upcoming.take() {
            self.forget_video();
            tracing::info!(track = upcoming.name, "changed the rendition");
            let _ = self.parts.control.try_send(Control::Switched(upcoming.id));
            self.video = Some(upcoming);
        }
    }

    fn show(&mut self, now: Timestamp, more: bool) {
        let Some(media) = self.playhead.media(now) else { return };
        let interval = self.interval();
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

    /// Stands still where there is nothing to play, and goes on where there is again.
    fn watch_for_gaps(&mut self, now: Timestamp) {
        let Some(media) = self.playhead.media(now) else { return };
        if self.end.is_some() {
            return;
        }
        let (heard, seen) = (self.heard_until(), self.seen_until);
        let sound_lives = heard.is_some_and(|heard| seen.is_none_or(|seen| heard + TRACK_DEAD > seen));
        let leader = if sound_lives { heard } else { seen };
        let Some(leader) = leader else { return };
        if self.playhead.is_standing() {
            if leader > media + DECODING {
                self.playhead.resume(now);
            }
        } else if media > leader + SOUND_GRACE {
            self.rebuffering.begin(past(now, media.since(leader)));
            self.playhead.stand(media);
            self.set_state(State::Buffering);
        }
        let frozen = seen.is_some_and(|seen| media > seen + PICTURE_GRACE) && self.video.is_some();
        if frozen && !self.rebuffering.is_running() {
            let since = seen.map_or(Duration::ZERO, |seen| media.since(seen));
            self.rebuffering.begin(past(now, since));
        }
        if !frozen && !self.playhead.is_standing() && self.rebuffering.is_running() {
            self.rebuffering.end(now);
            self.set_state(State::Live);
        }
    }

    fn heard_until(&self) -> Option<Timestamp> {
        self.hearing.as_ref().and_then(|hearing| hearing.track.end())
    }

    fn interval(&self) -> Duration {
        let rate = self.video.as_ref().and_then(|video| video.frame_rate);
        Duration::from_secs_f64(rate.map_or(30.0, FrameRate::per_second).recip())
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

impl Arrivals {
    /// Notes when something was ready. What was published before the subscription says nothing of the
    /// network's jitter.
    fn note(&mut self, captured: Option<Timestamp>, location: Option<Location>, ready: Timestamp) {
        let is_new = location.is_some_and(|location| self.largest.is_none_or(|largest| location > largest));
        if let Some(captured) = captured.filter(|_| is_new) {
            self.jitter.observe(captured, ready);
        }
    }
}

fn add(sum: &mut depackage::Lost, lost: depackage::Lost) {
    sum.frames += lost.frames;
    sum.not_loc += lost.not_loc;
    sum.overflow += lost.overflow;
}

fn past(now: Timestamp, ago: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(u64::try_from(ago.as_micros()).unwrap_or(u64::MAX)))
}
