//! Which moment of the broadcast plays now.
//!
//! One clock for picture and sound. It runs with the system's clock, a little faster where it is behind
//! the delay that the network asks for and a little slower where it is ahead, follows the sound device
//! where one plays, jumps where it is far behind, and stands still where there is nothing to play.

use std::time::Duration;

use shared::media::Timestamp;

use crate::jitter::Transit;

/// Maps the time of day to the moment that plays.
#[derive(Debug, Default)]
pub(crate) struct Playhead {
    state: State,
    rate: f64,
    steering: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum State {
    /// Nothing has played yet.
    #[default]
    Waiting,
    /// `media` played at `at`, and time passes since.
    Playing { at: Timestamp, media: Timestamp },
    /// Stands at `media`.
    Standing { media: Timestamp },
}

/// What [`Playhead::steer`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steered {
    /// Followed by its rate, if at all.
    Smoothly,
    /// Left out what lies between: the picture continues at the next keyframe.
    Jumped,
}

impl Playhead {
    /// Begins to play such that what was captured `delay` ago plays at `now`.
    pub(crate) fn start(&mut self, now: Timestamp, delay: Transit) {
        self.state = State::Playing { at: now, media: delay.before(now) };
        self.rate = 1.0;
        self.steering = false;
    }

    /// The moment that plays; `None` before the start.
    pub(crate) fn media(&self, now: Timestamp) -> Option<Timestamp> {
        match self.state {
            State::Waiting => None,
            State::Playing { at, media } => Some(media + now.since(at).mul_f64(self.rate)),
            State::Standing { media } => Some(media),
        }
    }

    /// When `media` will play, if nothing changes; `None` where the playhead does not move.
    pub(crate) fn due(&self, media: Timestamp) -> Option<Timestamp> {
        match self.state {
            State::Playing { at, media: from } => Some(at + media.since(from).div_f64(self.rate)),
            State::Waiting | State::Standing { .. } => None,
        }
    }

    /// Time from capture to playing.
    pub(crate) fn delay(&self, now: Timestamp) -> Option<Transit> {
        self.media(now).map(|media| Transit::between(media, now))
    }

    /// How fast it plays: 1 is as captured.
    pub(crate) fn rate(&self) -> f64 {
        match self.state {
            State::Playing { .. } => self.rate,
            State::Waiting | State::Standing { .. } => 0.0,
        }
    }

    /// Steers towards `target`: by rate, or by a jump where it is far behind.
    pub(crate) fn steer(&mut self, now: Timestamp, target: Transit) -> Steered {
        let (State::Playing { .. }, Some(delay)) = (self.state, self.delay(now)) else {
            return Steered::Smoothly;
        };
        let behind = delay.0 - target.0;
        if behind > micros(FAR_BEHIND) {
            self.start(now, target);
            return Steered::Jumped;
        }
        let limit = if self.steering { CLOSE_ENOUGH } else { WORTH_STEERING };
        self.steering = behind.abs() > micros(limit);
        let rate = if self.steering {
            let most = if behind > micros(BEHIND) { FASTEST } else { FAST };
            1.0 + (behind as f64 / GENTLE_MICROS).clamp(-SLOWEST, most)
        } else {
            1.0
        };
        self.set_rate(now, rate);
        Steered::Smoothly
    }

    /// The device sounds `heard` now: the playhead follows it, since ears notice what eyes do not.
    pub(crate) fn follow(&mut self, now: Timestamp, heard: Timestamp) {
        let State::Playing { .. } = self.state else { return };
        let Some(media) = self.media(now) else { return };
        let ahead = Transit::between(heard, media).0;
        if ahead.abs() > micros(AUDIBLE) {
            // A share at a time: the device tells its position in steps.
            self.state = State::Playing { at: now, media: Transit(ahead / 8).before(media) };
        }
    }

    /// Stands still at `media`, since there is nothing to play after it.
    pub(crate) fn stand(&mut self, media: Timestamp) {
        self.state = State::Standing { media };
        self.steering = false;
    }

    /// Goes on from where it stands.
    pub(crate) fn resume(&mut self, now: Timestamp) {
        if let State::Standing { media } = self.state {
            self.state = State::Playing { at: now, media };
            self.rate = 1.0;
        }
    }

    /// Whether it stands for want of media.
    pub(crate) fn is_standing(&self) -> bool {
        matches!(self.state, State::Standing { .. })
    }

    /// Back to before the start: for a new broadcast.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    fn set_rate(&mut self, now: Timestamp, rate: f64) {
        if let Some(media) = self.media(now) {
            self.state = State::Playing { at: now, media };
            self.rate = rate;
        }
    }
}

/// Behind by more than this, it jumps.
const FAR_BEHIND: Duration = Duration::from_millis(800);
/// Behind by more than this, it hurries as fast as speech stays pleasant.
const BEHIND: Duration = Duration::from_millis(150);
/// Off by more than this, it starts to steer.
const WORTH_STEERING: Duration = Duration::from_millis(6);
/// Off by less than this, it stops steering.
const CLOSE_ENOUGH: Duration = Duration::from_millis(1);
/// An offset between sound and picture that is worth mending.
const AUDIBLE: Duration = Duration::from_millis(2);
/// An offset of this many microseconds would be made up in a second, were the rates not limited.
const GENTLE_MICROS: f64 = 500_000.0;
const FAST: f64 = 0.05;
const FASTEST: f64 = 0.1;
const SLOWEST: f64 = 0.1;

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// How often and how long there was nothing to play.
#[derive(Debug, Default)]
pub(crate) struct Rebuffering {
    since: Option<Timestamp>,
    count: u64,
    total: Duration,
}

impl Rebuffering {
    /// What should have played at `since` was not there.
    pub(crate) fn begin(&mut self, since: Timestamp) {
        if self.since.is_none() {
            self.since = Some(since);
            self.count += 1;
        }
    }

    /// It plays again. Since when it did not.
    pub(crate) fn end(&mut self, now: Timestamp) -> Option<Timestamp> {
        let since = self.since.take()?;
        self.total += now.since(since);
        Some(since)
    }

    /// Whether it rebuffers now.
    pub(crate) fn is_running(&self) -> bool {
        self.since.is_some()
    }

    /// How often.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// For how long in total, the running one included.
    pub(crate) fn total(&self, now: Timestamp) -> Duration {
        self.total + self.since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000_000);

    fn after(millis: u64) -> Timestamp {
        START + Duration::from_millis(millis)
    }

    #[test]
    fn it_plays_what_was_captured_the_delay_ago() {
        let mut playhead = Playhead::default();
        assert_eq!(playhead.media(START), None);
        playhead.start(START, Transit(50_000));
        assert_eq!(playhead.media(after(100)), Some(after(50)));
        assert_eq!(playhead.due(after(80)), Some(after(130)));
    }

    #[test]
    fn it_catches_up_by_rate_and_comes_to_rest() {
        let mut playhead = Playhead::default();
        playhead.start(START, Transit(300_000));
        let mut fastest = 1.0f64;
        for step in 0..1_500 {
            assert_eq!(playhead.steer(after(step * 10), Transit(50_000)), Steered::Smoothly);
            fastest = fastest.max(playhead.rate());
        }
        let delay = playhead.delay(after(15_000)).expect("playing");
        assert!((49_000..52_000).contains(&delay.0), "{delay:?}");
        assert_eq!(playhead.rate(), 1.0);
        assert!((1.05..=1.1).contains(&fastest), "{fastest}");
    }

    #[test]
    fn it_slows_down_where_the_network_asks_for_more() {
        let mut playhead = Playhead::default();
        playhead.start(START, Transit(20_000));
        for step in 0..300 {
            playhead.steer(after(step * 10), Transit(90_000));
            assert!(playhead.rate() >= 0.9);
        }
        let delay = playhead.delay(after(3_000)).expect("playing");
        assert!((86_000..91_000).contains(&delay.0), "{delay:?}");
    }

    #[test]
    fn far_behind_it_jumps() {
        let mut playhead = Playhead::default();
        playhead.start(START, Transit(50_000));
        playhead.stand(after(1_000));
        playhead.resume(after(3_000));
        assert_eq!(playhead.media(after(3_000)), Some(after(1_000)));
        assert_eq!(playhead.steer(after(3_010), Transit(50_000)), Steered::Jumped);
        assert_eq!(playhead.media(after(3_010)), Some(after(2_960)));
    }

    #[test]
    fn it_follows_a_sound_device_that_drifts() {
        let mut playhead = Playhead::default();
        playhead.start(START, Transit(50_000));
        for step in 1..1_000 {
            // The device runs 1 in 1,000 slow.
            let heard = Timestamp(START.0 - 50_000 + step * 9_990);
            playhead.follow(after(step * 10), heard);
        }
        let media = playhead.media(after(9_990)).expect("playing");
        let apart = Transit::between(Timestamp(START.0 - 50_000 + 999 * 9_990), media);
        assert!(apart.0.abs() <= 3_000, "{apart:?}");
    }

    #[test]
    fn pauses_are_counted_once_and_add_up() {
        let mut rebuffering = Rebuffering::default();
        rebuffering.begin(after(0));
        rebuffering.begin(after(50));
        rebuffering.end(after(120));
        rebuffering.end(after(500));
        rebuffering.begin(after(1_000));
        assert_eq!((rebuffering.count(), rebuffering.total(after(1_030))), (2, Duration::from_millis(150)));
    }
}
