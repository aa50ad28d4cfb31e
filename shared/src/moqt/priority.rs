//! The order in which data leaves (draft-18 §7.2).
//!
//! One number per stream, lower leaves first. From its top bit down:
//!
//! | bits | what | lower leaves first because |
//! |---|---|---|
//! | 1 | sign: control and request streams are negative | control messages are small and decide the rest |
//! | 8 | subscriber priority | rule 1 |
//! | 8 | publisher priority | rule 2 |
//! | 11 | rank of the group among those with open streams | rule 3, after the group order |
//! | 4 | subgroup ID, the last value for all larger ones | rule 4 |
//!
//! A rank, not a group ID: it neither wraps nor depends on how far IDs jump, and two tracks of the same
//! priority stand side by side, each with its most urgent group at 0.

use super::{GroupId, GroupOrder, Priority, SubgroupId};

/// The session's control stream.
pub(crate) const CONTROL: i32 = -i32::MAX;
/// Every request stream.
pub(crate) const REQUEST: i32 = -i32::MAX + 1;

const RANK_BITS: u32 = 11;
const SUBGROUP_BITS: u32 = 4;

/// The place of a data stream.
pub(crate) fn send_order(
    subscriber: Priority,
    publisher: Priority,
    rank: usize,
    subgroup: SubgroupId,
) -> i32 {
    let rank = i32::try_from(rank).unwrap_or(i32::MAX).min((1 << RANK_BITS) - 1);
    let subgroup = i32::try_from(subgroup.0).unwrap_or(i32::MAX).min((1 << SUBGROUP_BITS) - 1);
    (i32::from(subscriber.0) << (8 + RANK_BITS + SUBGROUP_BITS))
        | (i32::from(publisher.0) << (RANK_BITS + SUBGROUP_BITS))
        | (rank << SUBGROUP_BITS)
        | subgroup
}

/// How many of `live` groups, in ascending order without repetition, leave before `group`.
pub(crate) fn rank(live: &[GroupId], group: GroupId, order: GroupOrder) -> usize {
    match order {
        GroupOrder::Ascending => live.partition_point(|&g| g < group),
        GroupOrder::Descending => live.len() - live.partition_point(|&g| g <= group),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_decide_one_after_the_other() {
        let order = |s, p, r, g| send_order(Priority(s), Priority(p), r, SubgroupId(g));
        // Each step is less urgent by one rule, though all later rules speak for it.
        let steps = [
            CONTROL,
            REQUEST,
            order(0, 0, 0, 0),
            order(0, 0, 0, 1),
            order(0, 0, 1, 0),
            order(0, 1, 0, 0),
            order(1, 0, 0, 0),
            order(1, 0, 5000, u64::MAX),
            order(1, 1, 0, 0),
            order(255, 255, usize::MAX, u64::MAX),
        ];
        assert!(steps.windows(2).all(|w| w[0] < w[1]), "{steps:?}");
    }

    #[test]
    fn ranks_follow_the_group_order() {
        let live = [GroupId(3), GroupId(7), GroupId(u64::MAX)];
        let ranks = |order| live.map(|g| rank(&live, g, order));
        assert_eq!(ranks(GroupOrder::Ascending), [0, 1, 2]);
        assert_eq!(ranks(GroupOrder::Descending), [2, 1, 0]);
    }
}
