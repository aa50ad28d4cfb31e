//! How long things take: a histogram that costs two relaxed additions a time.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The first class ends here, in microseconds.
const FIRST: u64 = 16;
/// What is longer counts as this, so that sums stay sums.
const LONGEST: Duration = Duration::from_secs(3600);
/// Classes to a doubling: a quantile is at most a fifth too high.
const STEPS: usize = 4;
const DOUBLINGS: usize = 19;
/// The last class has no end: 8.4 s and more.
const CLASSES: usize = 1 + DOUBLINGS * STEPS + 1;

/// Durations since the start. Classes never change, so that two looks can be subtracted.
#[derive(Debug)]
pub(crate) struct Latency {
    counts: [AtomicU64; CLASSES],
    micros: AtomicU64,
}

impl Default for Latency {
    fn default() -> Self {
        Self { counts: array::from_fn(|_| AtomicU64::new(0)), micros: AtomicU64::new(0) }
    }
}

impl Latency {
    /// Counts one.
    pub(crate) fn observe(&self, took: Duration) {
        self.observe_many(took, 1);
    }

    /// Counts so many that took about so long each, as where only classes are known.
    pub(crate) fn observe_many(&self, took: Duration, number: u64) {
        if number > 0 {
            let micros = took.min(LONGEST).as_micros() as u64;
            if let Some(count) = self.counts.get(class(micros)) {
                count.fetch_add(number, Relaxed);
                self.micros.fetch_add(micros.saturating_mul(number), Relaxed);
            }
        }
    }

    /// What was counted so far.
    pub(crate) fn look(&self) -> Spread {
        Spread {
            counts: array::from_fn(|class| self.counts.get(class).map_or(0, |count| count.load(Relaxed))),
            micros: self.micros.load(Relaxed),
        }
    }
}

fn class(micros: u64) -> usize {
    let Some(doublings) = (micros / FIRST).checked_ilog2() else { return 0 };
    let octave = doublings as usize;
    let step = (micros >> (micros.ilog2() - STEPS.ilog2())) as usize % STEPS;
    (1 + octave * STEPS + step).min(CLASSES - 1)
}

/// What is above all of a class, in microseconds.
fn bound(class: usize) -> Option<u64> {
    let Some(above) = class.checked_sub(1) else { return Some(FIRST) };
    let (octave, step) = (above / STEPS, above % STEPS);
    (class + 1 < CLASSES).then(|| (FIRST << octave) / STEPS as u64 * (STEPS + step + 1) as u64)
}

/// A look at a [`Latency`], or what lies between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spread {
    counts: [u64; CLASSES],
    micros: u64,
}

impl Spread {
    /// What came after an earlier look.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut counts = self.counts;
        counts.iter_mut().zip(before.counts).for_each(|(now, before)| *now = now.saturating_sub(before));
        Self { counts, micros: self.micros.saturating_sub(before.micros) }
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// In seconds.
    pub(crate) fn sum(&self) -> f64 {
        Duration::from_micros(self.micros).as_secs_f64()
    }

    /// What so large a part, 0 to 1, took at most; `None` without any. The longest class counts as its start.
    pub(crate) fn quantile(&self, part: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = ((count as f64 * part).ceil() as u64).clamp(1, count);
        let mut passed = 0;
        let reached = self.counts.iter().position(|count| {
            passed += count;
            passed >= wanted
        });
        reached.and_then(|class| bound(class.min(CLASSES - 2))).map(Duration::from_micros)
    }

    /// The count of each doubling with its end in seconds, the last without one.
    pub(crate) fn doublings(&self) -> Vec<(f64, u64)> {
        let first = self.counts.first().copied().unwrap_or(0);
        let mut all = vec![(Duration::from_micros(FIRST).as_secs_f64(), first)];
        for (octave, counts) in self.counts.get(1..).unwrap_or(&[]).chunks(STEPS).enumerate() {
            let end = match octave < DOUBLINGS {
                true => Duration::from_micros(FIRST << (octave + 1)).as_secs_f64(),
                false => f64::INFINITY,
            };
            all.push((end, counts.iter().sum()));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_join_without_a_gap() {
        for micros in (0..70_000).chain([1 << 22, (1 << 23) - 1, 1 << 23, u64::MAX]) {
            let class = class(micros);
            assert!(bound(class).is_none_or(|bound| micros < bound), "{micros} in {class}");
            let lower = class.checked_sub(1).and_then(bound).unwrap_or(0);
            assert!(micros >= lower, "{micros} in {class}");
        }
    }

    #[test]
    fn quantiles_are_near_what_was_observed() {
        let latency = Latency::default();
        assert_eq!(latency.look().quantile(0.5), None);
        (1..=1000).for_each(|millis| latency.observe(Duration::from_millis(millis)));
        let look = latency.look();
        for (part, exact) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = look.quantile(part).expect("some").as_secs_f64() * 1000.0;
            assert!(found >= exact && found <= exact * 1.25, "{part}: {found}");
        }
        latency.observe(Duration::MAX);
        let late = latency.look().since(&look);
        assert_eq!((late.count(), late.doublings().last()), (1, Some(&(f64::INFINITY, 1))));
        assert_eq!(look.doublings().iter().map(|(_, count)| count).sum::<u64>(), 1000);
    }
}
