//! Frames become pictures and sound as soon as they can.

use std::{sync::Arc, time::Duration};

use shared::media::{Picture, Timestamp};

use super::{DECODING, Playback};
use crate::{depackage::Packet, session::Control, state::State};

/// Pictures that may be decoded ahead of their time.
const MOST_PICTURES: usize = 8;

impl Playback {
    pub(super) fn decode_sound(&mut self, media: Option<Timestamp>) -> bool {
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

    pub(super) fn decode_picture(&mut self, media: Option<Timestamp>) -> bool {
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
        let until = frame.timestamp + video.interval();
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
                self.seen_until = Some(until);
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
    pub(super) fn switch(&mut self) {
        let Some(entry) = self.upcoming.as_ref().and_then(|upcoming| upcoming.frames.entry()) else { return };
        // A keyframe that is half a frame early or late is the same moment.
        let reached = self.seen_until.is_none_or(|until| until + Duration::from_millis(10) >= entry);
        if reached && let Some(mut upcoming) = self.upcoming.take() {
            if let Some(before) = self.forget_video() {
                upcoming.arrivals.succeed(before.arrivals);
            }
            tracing::info!(track = upcoming.name, "changed the rendition");
            let _ = self.parts.control.try_send(Control::Switched(upcoming.id));
            self.video = Some(upcoming);
        }
    }
}
