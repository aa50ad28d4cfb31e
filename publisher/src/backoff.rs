//! How long to wait before the next attempt to reach the relay. Pure.

use std::time::Duration;

/// Doubles from a quarter of a second to ten seconds, each time by up to half less, so that publishers that
/// lost the same relay do not come back at the same moment.
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    random: u64,
}

impl Backoff {
    /// One whose jitter comes from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { failures: 0, random: seed | 1 }
    }

    /// The wait before the next attempt.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = (FIRST * 2u32.saturating_pow(self.failures.min(16))).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        // xorshift64: any spread will do.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let share = (self.random >> 40) as f64 / (1u64 << 24) as f64;
        wait.mul_f64(1.0 - share / 2.0)
    }

    /// An attempt was successful: the next wait is short again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        let (mut one, mut other) = (Backoff::new(1), Backoff::new(2));
        let waits: Vec<Duration> = (0..20).map(|_| one.next()).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2);
        assert!(waits[19] <= LONGEST && waits[19] >= LONGEST / 2);
        assert!(waits[5] > waits[0] * 4, "{waits:?}");
        assert_ne!(waits, (0..20).map(|_| other.next()).collect::<Vec<_>>());
        one.reset();
        assert!(one.next() <= FIRST);
    }
}
