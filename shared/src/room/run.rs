//! How groups of the room's tracks are numbered. Within a relay's run they follow each other without a gap, so
//! that "four groups back" is what it says, and a listener knows which one is missing; those of a later run are
//! larger, as the clock is.

use super::Wall;
use crate::moqt::GroupId;

/// Groups of a run by whose numbers its first one is known. A number stays within what JavaScript counts exactly.
const KNOWN: u64 = 1 << 8;

/// The first group of a run that begins now.
pub fn first_group(now: Wall) -> GroupId {
    GroupId(now.0.saturating_mul(KNOWN))
}

/// The first group of the run that an early group is of: for a listener who was there before anything was said.
pub fn first_of(group: GroupId) -> GroupId {
    GroupId(group.0 / KNOWN * KNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_early_group_tells_the_first_and_a_later_run_has_larger_ones() {
        let first = first_group(Wall(1_800_000_000_000));
        assert!(first.0 < 1 << 53);
        assert_eq!(first_of(first), first);
        assert_eq!(first_of(GroupId(first.0 + 200)), first);
        assert!(first_group(Wall(1_800_000_001_000)).0 > first.0 + 100_000);
    }
}
