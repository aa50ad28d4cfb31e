//! When playing starts, stands still and goes on.

use std::time::Duration;

use shared::media::Timestamp;

use super::{DECODING, Playback};
use crate::{
    jitter::{self, Transit},
    playhead::Steered,
    state::State,
};

/// Sound may be missing for this long before playing stops: concealment covers as much.
const SOUND_GRACE: Duration = Duration::from_millis(40);
/// A picture may stand for this long past its time before it counts as rebuffering.
const PICTURE_GRACE: Duration = Duration::from_millis(100);
/// A track that is silent for longer no longer holds up the other.
const TRACK_DEAD: Duration = Duration::from_secs(1);
/// For this long the start waits for all tracks.
const START_TOGETHER: Duration = Duration::from_millis(150);
/// The start waits no longer: not for pictures that are still on the way to the live edge, and not for
/// anything live.
const START_ANYWAY: Duration = Duration::from_secs(1);

impl Playback {
    pub(super) fn steer(&mut self, now: Timestamp) {
        let tracks = self.tracks();
        let target = jitter::target(&tracks, self.lesson.needed(now), self.parts.latency);
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
        let all_live = tracks.iter().all(|jitter| jitter.shortest().is_some());
        let waited = now.since(*self.waiting_since.get_or_insert(now));
        match target {
            // A late joiner's pictures come from the group's begin: they are decoded unseen until they
            // have come to where playing starts.
            Some(target)
                if (self.pictures_reach(target.before(now)) && (all_live || waited > START_TOGETHER))
                    || waited > START_ANYWAY =>
            {
                self.start(now, target);
            }
            // Nothing live comes: what there is plays from its end.
            None if waited > START_ANYWAY => {
                let end = self.seen_until.max(self.heard_until()).unwrap_or(now);
                self.start(now, Transit::between(end, now));
            }
            Some(_) | None => {}
        }
    }

    /// Lets the sound go on its way; where a device plays it, time follows the device.
    pub(super) fn hear(&mut self, now: Timestamp) {
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

    /// Stands still where there is nothing to play, and goes on where there is again.
    pub(super) fn watch_for_gaps(&mut self, now: Timestamp) {
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
            tracing::debug!(sound_lives, "nothing to play: standing still");
            self.set_state(State::Buffering);
        }
        // Pictures that were never in time yet are still starting, which is no interruption.
        self.in_time |= self.pictures_reach(media);
        let frozen = self.in_time && !self.pictures_reach(past(media, PICTURE_GRACE));
        if frozen && !self.rebuffering.is_running() {
            let since = seen.map_or(Duration::ZERO, |seen| media.since(seen));
            self.rebuffering.begin(past(now, since));
            tracing::debug!("the picture is frozen");
        }
        if !frozen && !self.playhead.is_standing() && self.rebuffering.is_running() {
            if let Some(since) = self.rebuffering.end(now) {
                let tracks = self.video.iter().map(|video| &video.arrivals.jitter);
                let tracks = tracks.chain(self.hearing.iter().map(|hearing| &hearing.arrivals.jitter));
                self.lesson.learn(&tracks.collect::<Vec<_>>(), since, now);
            }
            tracing::debug!("playing goes on");
            self.set_state(State::Live);
        }
    }

    fn start(&mut self, now: Timestamp, delay: Transit) {
        self.playhead.start(now, delay);
        let media = self.playhead.media(now);
        self.live_since = media;
        self.stats.live(now);
        tracing::debug!(delay_ms = delay.0 / 1000, "playing starts");
    }

    /// Whether the decoded pictures come to this moment; where there are none to come, they do.
    fn pictures_reach(&self, media: Timestamp) -> bool {
        self.video.is_none() || self.seen_until.is_some_and(|seen| seen >= media)
    }
}

fn past(now: Timestamp, ago: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(u64::try_from(ago.as_micros()).unwrap_or(u64::MAX)))
}
