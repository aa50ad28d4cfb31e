//! Notices a viewer that takes nothing of what waits for it (pure).

use std::time::{Duration, Instant};

/// What was seen of one subscription.
#[derive(Debug, Default)]
pub(super) struct Progress {
    taken: u64,
    /// Since when something waits and nothing was taken.
    stands_since: Option<Instant>,
}

impl Progress {
    /// Looks at how many objects were taken so far, and how many wait; whether nothing moved for `longest`.
    pub(super) fn is_stuck(&mut self, now: Instant, taken: u64, waiting: usize, longest: Duration) -> bool {
        if std::mem::replace(&mut self.taken, taken) != taken || waiting == 0 {
            self.stands_since = None;
        }
        if waiting == 0 {
            return false;
        }
        let since = *self.stands_since.get_or_insert(now);
        now.saturating_duration_since(since) >= longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_is_not_stuck_and_idle_is_neither() {
        let start = Instant::now();
        let longest = Duration::from_secs(10);
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut progress = Progress::default();
        assert!(!progress.is_stuck(at(0), 5, 0, longest));
        assert!(!progress.is_stuck(at(60), 5, 0, longest), "nothing waits");
        assert!(!progress.is_stuck(at(61), 5, 3, longest));
        assert!(!progress.is_stuck(at(70), 6, 3, longest), "one was taken");
        assert!(!progress.is_stuck(at(79), 6, 9, longest));
        assert!(progress.is_stuck(at(80), 6, 9, longest));
    }
}
