//! Which lane a bullet takes, from when to when. Pure; nothing ever overlaps.
//!
//! Each crosses in the same time, so a longer one moves faster. A lane is free when the one before has fully
//! entered and will have left before the new one reaches the far edge. Where no lane is free a bullet waits:
//! one's own first and for as long as it takes, then by rank, newer before older; the rest is dropped.

use std::{
    cmp::Reverse,
    time::{Duration, Instant},
};

use shared::room::danmaku::Mode;

/// Bullets that wait for a lane; past it the least important is dropped.
const MAX_WAITING: usize = 100;
/// For so long one waits that is not one's own.
const MAX_WAIT: Duration = Duration::from_secs(3);
/// Distance between two in a lane, in pixels.
const GAP: f32 = 24.0;

/// Whose it is, the least important first: one's own is never dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A viewer's.
    Viewer,
    /// A moderator's.
    Moderator,
    /// The host's.
    Host,
    /// One's own.
    Own,
}

/// The stage in numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// In pixels.
    pub width: f32,
    /// How many lanes there are.
    pub lanes: usize,
    /// From the first pixel in to the last pixel out.
    pub crossing: Duration,
    /// For how long one that stands is there.
    pub standing: Duration,
}

/// A bullet before it has a place.
#[derive(Debug, Clone)]
pub struct Candidate<T> {
    /// What is shown.
    pub bullet: T,
    /// In pixels.
    pub width: f32,
    /// How it moves.
    pub mode: Mode,
    /// Whose it is.
    pub rank: Rank,
}

/// A bullet in its place.
#[derive(Debug, Clone)]
pub struct Placed<T> {
    /// What it is.
    pub candidate: Candidate<T>,
    /// Counted from the top.
    pub lane: usize,
    start: Instant,
    /// When it is gone.
    end: Instant,
}

/// Assigns lanes.
#[derive(Debug)]
pub struct Lanes<T> {
    stage: Stage,
    placed: Vec<Placed<T>>,
    waiting: Vec<(Instant, Candidate<T>)>,
    dropped: u64,
}

impl<T> Lanes<T> {
    /// An empty stage.
    pub fn new(stage: Stage) -> Self {
        Self { stage, placed: Vec::new(), waiting: Vec::new(), dropped: 0 }
    }

    /// Another size or speed: the stage is cleared where what runs on it would collide.
    pub fn restage(&mut self, stage: Stage) {
        if self.stage != stage {
            self.placed.clear();
            self.stage = stage;
        }
    }

    /// Takes one in; it is placed when there is room.
    pub fn put(&mut self, now: Instant, candidate: Candidate<T>) {
        self.waiting.push((now, candidate));
        self.waiting.sort_by_key(|(since, one)| (Reverse(one.rank), Reverse(*since)));
        if self.waiting.len() > MAX_WAITING {
            self.waiting.pop();
            self.dropped += 1;
        }
    }

    /// Lets go of what is over, and gives those that wait their lanes.
    pub fn poll(&mut self, now: Instant) {
        self.placed.retain(|placed| placed.end > now);
        for (since, candidate) in std::mem::take(&mut self.waiting) {
            let is_late = now.saturating_duration_since(since) >= MAX_WAIT;
            match self.free_lane(now, &candidate) {
                Some(lane) => {
                    let end = now + self.time(candidate.mode);
                    self.placed.push(Placed { candidate, lane, start: now, end });
                }
                None if is_late && candidate.rank != Rank::Own => self.dropped += 1,
                None => self.waiting.push((since, candidate)),
            }
        }
    }

    /// Those that are on stage, each with its left edge in pixels.
    pub fn placed(&self, now: Instant) -> impl Iterator<Item = (&Placed<T>, f32)> {
        self.placed.iter().map(move |placed| (placed, self.left(now, placed)))
    }

    /// How many lanes there are.
    pub fn lanes(&self) -> usize {
        self.stage.lanes
    }

    /// Whether nothing is on stage and nothing waits.
    pub fn is_empty(&self) -> bool {
        self.placed.is_empty() && self.waiting.is_empty()
    }

    /// Those that found no place in time.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn free_lane(&self, now: Instant, candidate: &Candidate<T>) -> Option<usize> {
        let lanes = self.stage.lanes;
        let order = (0..lanes).map(|at| match candidate.mode {
            Mode::Bottom => lanes - 1 - at,
            Mode::Scroll | Mode::Top => at,
        });
        order.into_iter().find(|lane| self.is_free(now, *lane, candidate))
    }

    fn is_free(&self, now: Instant, lane: usize, candidate: &Candidate<T>) -> bool {
        let mut there = self.placed.iter().filter(|placed| placed.lane == lane);
        match candidate.mode {
            Mode::Top | Mode::Bottom => there.next().is_none(),
            Mode::Scroll => {
                let arrives = Duration::from_secs_f32(self.stage.width / self.speed(candidate.width));
                there.all(|placed| match placed.candidate.mode {
                    Mode::Top | Mode::Bottom => false,
                    Mode::Scroll => {
                        let right = self.left(now, placed) + placed.candidate.width;
                        right + GAP <= self.stage.width && placed.end <= now + arrives
                    }
                })
            }
        }
    }

    fn left(&self, now: Instant, placed: &Placed<T>) -> f32 {
        let width = placed.candidate.width;
        match placed.candidate.mode {
            Mode::Top | Mode::Bottom => (self.stage.width - width) / 2.0,
            Mode::Scroll => {
                let since = now.saturating_duration_since(placed.start).as_secs_f32();
                self.stage.width - since * self.speed(width)
            }
        }
    }

    /// Pixels a second, never zero.
    fn speed(&self, width: f32) -> f32 {
        (self.stage.width + width).max(1.0) / self.stage.crossing.as_secs_f32().max(0.001)
    }

    fn time(&self, mode: Mode) -> Duration {
        match mode {
            Mode::Scroll => self.stage.crossing,
            Mode::Top | Mode::Bottom => self.stage.standing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const STAGE: Stage =
        Stage { width: 1280.0, lanes: 8, crossing: Duration::from_secs(8), standing: Duration::from_secs(4) };
    const MS: Duration = Duration::from_millis(1);

    fn candidate(bullet: u64, width: f32, mode: Mode, rank: Rank) -> Candidate<u64> {
        Candidate { bullet, width, mode, rank }
    }

    #[test]
    fn never_do_two_overlap_however_many_come_of_whatever_length_and_mode() {
        for seed in 1..12 {
            let (mut lanes, mut random, start) = (Lanes::new(STAGE), Random::new(seed), Instant::now());
            for step in 0..1000 {
                let now = start + step * 40 * MS;
                while random.chance(30) {
                    let mode = match random.below(10) {
                        0 => Mode::Top,
                        1 => Mode::Bottom,
                        _ => Mode::Scroll,
                    };
                    let rank = if random.chance(5) { Rank::Host } else { Rank::Viewer };
                    lanes.put(now, candidate(0, 20.0 + random.below(2000) as f32, mode, rank));
                }
                lanes.poll(now);
                let spans: Vec<(usize, f32, f32)> = lanes
                    .placed(now)
                    .map(|(placed, left)| (placed.lane, left, left + placed.candidate.width))
                    .collect();
                for (at, one) in spans.iter().enumerate() {
                    for other in &spans[at + 1..] {
                        let visible = one.2.min(other.2).min(STAGE.width) - one.1.max(other.1).max(0.0);
                        assert!(one.0 != other.0 || visible <= 0.5, "seed {seed}: {one:?} {other:?}");
                    }
                }
            }
            assert!(lanes.dropped() > 0, "more came than fit");
        }
    }

    #[test]
    fn all_cross_in_the_same_time_and_longer_ones_faster() {
        let (mut lanes, now) = (Lanes::new(STAGE), Instant::now());
        lanes.put(now, candidate(1, 100.0, Mode::Scroll, Rank::Viewer));
        lanes.put(now, candidate(2, 900.0, Mode::Scroll, Rank::Viewer));
        lanes.poll(now);
        for (placed, left) in lanes.placed(now + STAGE.crossing) {
            assert!((left + placed.candidate.width).abs() < 0.5, "{left}");
        }
        assert_eq!(lanes.placed(now).count(), 2);
        lanes.poll(now + STAGE.crossing);
        assert!(lanes.is_empty());
    }

    #[test]
    fn ones_own_goes_before_all_others_and_is_never_dropped() {
        let (mut lanes, start) = (Lanes::new(Stage { lanes: 1, ..STAGE }), Instant::now());
        lanes.put(start, candidate(1, 2000.0, Mode::Scroll, Rank::Viewer));
        lanes.poll(start);
        for bullet in 10..200 {
            lanes.put(start + MS, candidate(bullet, 300.0, Mode::Scroll, Rank::Viewer));
        }
        lanes.put(start + 2 * MS, candidate(5, 3000.0, Mode::Scroll, Rank::Own));
        let mut begun: Vec<u64> = Vec::new();
        for step in 1..1200 {
            let now = start + step * 10 * MS;
            lanes.poll(now);
            for (placed, _) in lanes.placed(now) {
                if !begun.contains(&placed.candidate.bullet) {
                    begun.push(placed.candidate.bullet);
                }
            }
        }
        assert_eq!(begun.get(1), Some(&5), "{begun:?}");
    }

    #[test]
    fn what_stands_is_at_its_edge_one_a_lane() {
        let (mut lanes, now) = (Lanes::new(STAGE), Instant::now());
        for (bullet, mode) in [(1, Mode::Top), (2, Mode::Bottom), (3, Mode::Bottom), (4, Mode::Scroll)] {
            lanes.put(now, candidate(bullet, 100.0, mode, Rank::Viewer));
        }
        lanes.poll(now);
        let mut places: Vec<(u64, usize)> =
            lanes.placed(now).map(|(placed, _)| (placed.candidate.bullet, placed.lane)).collect();
        places.sort_unstable();
        assert_eq!(places.len(), 4);
        assert_eq!((places[0], places[3]), ((1, 0), (4, 1)));
        assert!(places[1].1 >= 6 && places[2].1 >= 6);
    }
}
