//! Tells at most so often: the first time at once, then what gathered meanwhile.

use shared::room::Wall;

/// At most once in so many milliseconds.
#[derive(Debug, Default)]
pub(super) struct Pace<const MILLIS: u64> {
    told_at: Option<Wall>,
    due_at: Option<Wall>,
}

impl<const MILLIS: u64> Pace<MILLIS> {
    /// There is something to tell.
    pub(super) fn want(&mut self, now: Wall) {
        let soonest = self.told_at.map_or(now, |told| Wall(told.0.saturating_add(MILLIS)));
        self.due_at.get_or_insert(soonest.max(now));
    }

    /// When to tell it.
    pub(super) fn deadline(&self) -> Option<Wall> {
        self.due_at
    }

    /// Whether it is to be told now; it counts as told then.
    pub(super) fn is_due(&mut self, now: Wall) -> bool {
        let is_due = self.due_at.is_some_and(|due| due <= now);
        if is_due {
            self.due_at = None;
            self.told_at = Some(now);
        }
        is_due
    }
}
