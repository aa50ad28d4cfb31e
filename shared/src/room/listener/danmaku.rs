//! The track `danmaku`: bullets as they come, each once, and the ones that did not come.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Known, Unreadable, read};
use crate::{
    moqt::{GroupId, Location, ObjectId},
    room::danmaku::{Bullet, GROUP},
};

/// Reordering is given so long before a gap is fetched.
const REORDER: Duration = Duration::from_millis(40);
/// Bullets that are older are not worth fetching.
const WORTH: Duration = Duration::from_secs(3);
/// Gaps that are remembered; past it the oldest is let go.
const MAX_GAPS: usize = 32;

/// Objects of one group that did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The group.
    pub group: GroupId,
    /// First object.
    pub first: ObjectId,
    /// Last object.
    pub last: ObjectId,
}

/// Bullets, in whatever order they come, and the gaps between them.
#[derive(Debug, Default)]
pub struct Danmaku {
    known: Known,
    next: Option<Location>,
    /// With when each was noticed.
    gaps: VecDeque<(Instant, Missing)>,
    missed: u64,
}

impl Danmaku {
    /// A subscription begins after `largest`, where something was published. What another connection
    /// missed is not asked for.
    pub fn begin(&mut self, largest: Option<Location>) {
        self.gaps.clear();
        self.next = largest.map(after);
    }

    /// Takes an object; `None` where the bullet is known.
    ///
    /// # Errors
    /// [`Unreadable`] where it is no bullet.
    pub fn take(&mut self, now: Instant, at: Location, payload: &[u8]) -> Result<Option<Bullet>, Unreadable> {
        self.note(now, at);
        let bullet: Bullet = read(at, payload)?;
        Ok(self.known.add(bullet.message).then_some(bullet))
    }

    /// The next gap to be fetched now.
    pub fn missing(&mut self, now: Instant) -> Option<Missing> {
        while let Some(&(noticed, missing)) = self.gaps.front() {
            let age = now.saturating_duration_since(noticed);
            if age < REORDER {
                return None;
            }
            self.gaps.pop_front();
            if age < WORTH {
                return Some(missing);
            }
            self.missed += count(missing);
        }
        None
    }

    /// When [`missing`](Self::missing) has something, if nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        self.gaps.front().map(|(noticed, _)| *noticed + REORDER)
    }

    /// Bullets that were let go without being fetched.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Keeps the gaps.
    fn note(&mut self, now: Instant, at: Location) {
        match self.next {
            Some(next) if at < next => return self.fill(at),
            Some(next) if at.group == next.group && at.object > next.object => {
                self.add(now, at.group, next.object.0, at.object.0 - 1);
            }
            Some(next) if at.group > next.group => {
                // The rest of the group before, and the beginning of this one. Whole groups between them
                // are longer ago than anybody wants to see.
                if next.object.0 < GROUP {
                    self.add(now, next.group, next.object.0, GROUP - 1);
                }
                if at.object.0 > 0 {
                    self.add(now, at.group, 0, at.object.0 - 1);
                }
            }
            Some(_) | None => {}
        }
        self.next = Some(after(at));
    }

    fn add(&mut self, now: Instant, group: GroupId, first: u64, last: u64) {
        // A peer may name any number: no more is asked for than a group has.
        let first = first.max(last.saturating_sub(GROUP - 1));
        self.gaps.push_back((now, Missing { group, first: ObjectId(first), last: ObjectId(last) }));
        if self.gaps.len() > MAX_GAPS
            && let Some((_, lost)) = self.gaps.pop_front()
        {
            self.missed += count(lost);
        }
    }

    /// Takes what came late out of its gap.
    fn fill(&mut self, at: Location) {
        let holds = |missing: &Missing| {
            missing.group == at.group && (missing.first..=missing.last).contains(&at.object)
        };
        let Some(index) = self.gaps.iter().position(|(_, missing)| holds(missing)) else { return };
        let Some((noticed, missing)) = self.gaps.remove(index) else { return };
        if at.object < missing.last {
            let rest = Missing { first: ObjectId(at.object.0 + 1), ..missing };
            self.gaps.insert(index, (noticed, rest));
        }
        if at.object > missing.first {
            let rest = Missing { last: ObjectId(at.object.0 - 1), ..missing };
            self.gaps.insert(index, (noticed, rest));
        }
    }
}

fn after(at: Location) -> Location {
    Location { group: at.group, object: ObjectId(at.object.0.saturating_add(1)) }
}

fn count(missing: Missing) -> u64 {
    missing.last.0.saturating_sub(missing.first.0).saturating_add(1)
}
