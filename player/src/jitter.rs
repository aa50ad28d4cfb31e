//! How late media comes, and how much to hold back so that it is in time.

use std::{collections::VecDeque, time::Duration};

use shared::media::Timestamp;

/// Time from capture to being playable, in microseconds. The clocks at both ends may differ by any
/// constant, so that it may be below zero; only differences between transits have a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Transit(pub(crate) i64);

impl Transit {
    /// From a capture time to when it was ready.
    pub(crate) fn between(captured: Timestamp, ready: Timestamp) -> Self {
        let micros = i128::from(ready.0) - i128::from(captured.0);
        Self(micros.clamp(-LIMIT, LIMIT) as i64)
    }

    /// The capture time of what is ready at `now` after this transit.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_add_signed(self.0.saturating_neg()))
    }
}

/// Below any transit.
const LEAST: Transit = Transit(i64::MIN);
/// No transit is longer than ten years: sums of two never overflow.
const LIMIT: i128 = 10 * 365 * 86_400 * 1_000_000;

/// Transits of one track over the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Jitter {
    window: VecDeque<(Timestamp, Transit)>,
    sorted: Vec<Transit>,
    stale: u32,
}

impl Jitter {
    /// Notes that what was captured at `captured` became playable at `ready`.
    pub(crate) fn observe(&mut self, captured: Timestamp, ready: Timestamp) {
        let transit = Transit::between(captured, ready);
        while self.window.len() >= MOST_SAMPLES
            || self.window.front().is_some_and(|(at, _)| ready.since(*at) > WINDOW)
        {
            self.window.pop_front();
        }
        self.window.push_back((ready, transit));
        self.stale += 1;
        let is_late = self.needed().is_none_or(|needed| transit > needed);
        if is_late || self.stale >= SORT_EVERY {
            self.sorted.clear();
            self.sorted.extend(self.window.iter().map(|(_, transit)| *transit));
            self.sorted.sort_unstable();
            self.stale = 0;
        }
    }

    /// The shortest transit: what would be held back if there were no jitter.
    pub(crate) fn shortest(&self) -> Option<Transit> {
        self.sorted.first().copied()
    }

    /// The transit within which 99 of 100 come.
    pub(crate) fn needed(&self) -> Option<Transit> {
        let last = self.sorted.len().checked_sub(1)?;
        self.sorted.get(last - last / 100).copied()
    }

    /// The longest transit of what came since a moment.
    pub(crate) fn longest(&self, since: Timestamp) -> Option<Transit> {
        self.window.iter().rev().take_while(|(at, _)| *at >= since).map(|(_, transit)| *transit).max()
    }

    /// Whether enough was seen to rely on it.
    pub(crate) fn is_settled(&self) -> bool {
        self.window.len() >= 10
    }
}

const WINDOW: Duration = Duration::from_secs(10);
const MOST_SAMPLES: usize = 1024;
/// Sorting now and then is enough: what comes later than all before sorts at once.
const SORT_EVERY: u32 = 8;

/// What a break in playing taught: to hold back as much as would have covered it, for a while that doubles
/// with each break of a series. One that stays alone soon costs no latency any more.
#[derive(Debug, Default)]
pub(crate) struct Lesson {
    learned: Option<Learned>,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    at: Timestamp,
    transit: Transit,
    held: Duration,
}

impl Lesson {
    /// Playing broke off at `since` and goes on `now`.
    pub(crate) fn learn(&mut self, tracks: &[&Jitter], since: Timestamp, now: Timestamp) {
        let from = Timestamp(since.0.saturating_sub(LOOK_BACK));
        let longest = tracks.iter().filter_map(|track| track.longest(from)).max();
        let shortest = tracks.iter().filter_map(|track| track.shortest()).max();
        if let (Some(longest), Some(shortest)) = (longest, shortest) {
            let most = shortest.0.saturating_add(MOST_LEARNED);
            let transit = Transit(longest.0.min(most)).max(self.needed(now).unwrap_or(LEAST));
            let before = self.learned.filter(|learned| now.since(learned.at) < SERIES);
            let held = before.map_or(FIRST_HELD, |learned| (learned.held * 2).min(LONGEST_HELD));
            self.learned = Some(Learned { at: now, transit, held });
        }
    }

    /// What is to be held back by now, if anything was learned that still counts.
    pub(crate) fn needed(&self, now: Timestamp) -> Option<Transit> {
        self.learned.filter(|learned| now.since(learned.at) < learned.held).map(|learned| learned.transit)
    }
}

/// What came so long before a break may be its cause. In microseconds.
const LOOK_BACK: u64 = 200_000;
/// However long a break was, no more than this is held back because of it beyond the shortest way: an
/// outage is not to be waited for. In microseconds.
const MOST_LEARNED: i64 = 300_000;
/// How long the lesson of a first break is kept.
const FIRST_HELD: Duration = Duration::from_secs(8);
/// No lesson is kept for longer.
const LONGEST_HELD: Duration = Duration::from_secs(64);
/// Breaks come in series; after this time without one it was the last.
const SERIES: Duration = Duration::from_secs(120);

/// What to hold back: from capture to playing, over all tracks that play together.
pub(crate) fn target(
    tracks: &[&Jitter],
    learned: Option<Transit>,
    latency: crate::config::Latency,
) -> Option<Transit> {
    let needed = tracks.iter().filter_map(|track| track.needed()).max()?.max(learned.unwrap_or(LEAST));
    let shortest = tracks.iter().filter_map(|track| track.shortest()).max()?;
    let settled = tracks.iter().all(|track| track.shortest().is_none() || track.is_settled());
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4);
    Some(match latency {
        crate::config::Latency::Auto => {
            let margin = if settled { MARGIN } else { FIRST_MARGIN };
            let most = shortest.0 + micros(MOST_HELD);
            Transit((needed.0 + micros(margin)).min(most))
        }
        crate::config::Latency::Fixed(held) => Transit(shortest.0 + micros(held)),
    })
}

/// Covers how late a thread wakes up.
const MARGIN: Duration = Duration::from_millis(4);
/// Stands for the jitter as long as it is not known.
const FIRST_MARGIN: Duration = Duration::from_millis(12);
/// However bad the network is, nothing is held back for longer.
const MOST_HELD: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Latency, random::Random};

    fn run(jitter: &mut Jitter, frames: u64, mut transit: impl FnMut(u64) -> u64) {
        for frame in 0..frames {
            let captured = Timestamp(1_000_000_000 + frame * 33_333);
            jitter.observe(captured, Timestamp(captured.0 + transit(frame)));
        }
    }

    #[test]
    fn a_steady_network_needs_hardly_any_buffer() {
        let mut jitter = Jitter::default();
        run(&mut jitter, 100, |_| 12_000);
        let target = target(&[&jitter], None, Latency::Auto).expect("known");
        assert_eq!(target, Transit(12_000 + 4_000));
    }

    #[test]
    fn frames_that_loss_delays_are_covered_and_forgotten_again() {
        let mut random = Random::new(7);
        let mut jitter = Jitter::default();
        run(&mut jitter, 300, |_| if random.chance(8) { 95_000 } else { 35_000 });
        let target = |jitter: &Jitter| target(&[jitter], None, Latency::Auto).expect("known").0;
        assert!((95_000..110_000).contains(&target(&jitter)), "{}", target(&jitter));
        for frame in 300..700 {
            let captured = Timestamp(1_000_000_000 + frame * 33_333);
            jitter.observe(captured, Timestamp(captured.0 + 35_000));
        }
        assert_eq!(target(&jitter), 39_000);
    }

    #[test]
    fn a_publisher_whose_clock_is_ahead_is_no_special_case() {
        let mut jitter = Jitter::default();
        for frame in 0..50 {
            jitter.observe(Timestamp(9_000_000 + frame * 20_000), Timestamp(1_000_000 + frame * 20_000));
        }
        assert_eq!(target(&[&jitter], None, Latency::Auto), Some(Transit(-8_000_000 + 4_000)));
        let fixed = target(&[&jitter], None, Latency::Fixed(Duration::from_millis(200)));
        assert_eq!(fixed, Some(Transit(-7_800_000)));
    }

    #[test]
    fn the_slower_track_decides() {
        let (mut picture, mut sound) = (Jitter::default(), Jitter::default());
        run(&mut picture, 50, |_| 15_000);
        run(&mut sound, 50, |_| 31_000);
        assert_eq!(target(&[&picture, &sound], None, Latency::Auto), Some(Transit(35_000)));
    }

    #[test]
    fn a_break_is_remembered_for_a_while_and_an_outage_only_in_part() {
        let mut jitter = Jitter::default();
        run(&mut jitter, 300, |frame| if frame == 290 { 250_000 } else { 20_000 });
        let at = |frame: u64| Timestamp(1_000_000_000 + frame * 33_333);
        let mut lesson = Lesson::default();
        lesson.learn(&[&jitter], at(292), at(297));
        assert_eq!(lesson.needed(at(300)), Some(Transit(250_000)));
        assert_eq!(target(&[&jitter], lesson.needed(at(300)), Latency::Auto), Some(Transit(254_000)));
        assert_eq!(lesson.needed(at(300 + 240)), None);
        jitter.observe(at(300), at(300) + Duration::from_secs(5));
        lesson.learn(&[&jitter], at(301), at(450));
        assert_eq!(lesson.needed(at(460)), Some(Transit(320_000)));
    }

    #[test]
    fn breaks_of_a_series_are_remembered_for_longer_and_longer() {
        let mut jitter = Jitter::default();
        run(&mut jitter, 300, |frame| if frame == 290 { 90_000 } else { 20_000 });
        let mut lesson = Lesson::default();
        let broke = Timestamp(1_009_700_000);
        let mut now = Timestamp(1_010_000_000);
        for held in [8, 16, 32, 64, 64] {
            lesson.learn(&[&jitter], broke, now);
            assert!(lesson.needed(now + Duration::from_millis(held * 1_000 - 1)).is_some(), "{held} s");
            now = now + Duration::from_secs(held);
            assert_eq!(lesson.needed(now), None, "{held} s");
        }
        let later = now + Duration::from_secs(120);
        lesson.learn(&[&jitter], broke, later);
        assert_eq!(lesson.needed(later + Duration::from_secs(8)), None);
    }
}
