//! The order in which data leaves (draft-18 §7.2).
//!
//! One number per stream, lower leaves first. From its top bit down:
//!
//! | bits | what | lower leaves first because |
//! |---|---|---|
//! | 1 | sign: control and request streams are negative | control messages are small and decide the rest |
//! | 8 | subscriber priority | rule 1 |
//! | 8 | publisher priority | rule 2 |
//! | 15 | rank among the request's streams | rules 3 and 4: group order, then subgroup ID |
//!
//! A rank, not IDs: it neither wraps nor depends on how far they jump, it tells all streams of a request
//! apart, and two tracks of the same priority stand side by side, each with its most urgent stream at 0.

use std::cmp::Ordering;

use super::{GroupId, GroupOrder, Priority, SubgroupId};

/// The session's control stream.
pub(crate) const CONTROL: i32 = -i32::MAX;
/// Every request stream.
pub(crate) const REQUEST: i32 = -i32::MAX + 1;
/// Padding: after all else.
pub(crate) const PADDING: i32 = i32::MAX;

const RANK_BITS: u32 = 15;
/// The last rank is left to padding.
const MAX_RANK: i32 = (1 << RANK_BITS) - 2;

/// The place of a data stream.
pub(crate) fn send_order(subscriber: Priority, publisher: Priority, rank: usize) -> i32 {
    let rank = i32::try_from(rank).unwrap_or(i32::MAX).min(MAX_RANK);
    (i32::from(subscriber.0) << (8 + RANK_BITS)) | (i32::from(publisher.0) << RANK_BITS) | rank
}

/// Which of two groups of a request leaves first.
pub(crate) fn compare_groups(one: GroupId, other: GroupId, order: GroupOrder) -> Ordering {
    match order {
        GroupOrder::Ascending => one.cmp(&other),
        GroupOrder::Descending => other.cmp(&one),
    }
}

/// Which of two subgroups of a request leaves first, where the publisher finds them equally urgent.
pub(crate) fn compare(
    one: (GroupId, SubgroupId),
    other: (GroupId, SubgroupId),
    order: GroupOrder,
) -> Ordering {
    compare_groups(one.0, other.0, order).then(one.1.cmp(&other.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_decide_one_after_the_other() {
        let order = |s, p, r| send_order(Priority(s), Priority(p), r);
        // Each step is less urgent by one rule, though all later rules speak for it.
        let steps = [
            CONTROL,
            REQUEST,
            order(0, 0, 0),
            order(0, 0, 1),
            order(0, 1, 0),
            order(1, 0, 0),
            order(1, 0, 5000),
            order(1, 1, 0),
            order(255, 255, usize::MAX),
            PADDING,
        ];
        assert!(steps.windows(2).all(|w| w[0] < w[1]), "{steps:?}");
    }

    #[test]
    fn groups_go_in_their_order_and_subgroups_ascend() {
        let mut lanes = [(3, 1), (7, 0), (u64::MAX, 2), (3, 0)].map(|(g, s)| (GroupId(g), SubgroupId(s)));
        lanes.sort_by(|&a, &b| compare(a, b, GroupOrder::Descending));
        assert_eq!(lanes.map(|(g, s)| (g.0, s.0)), [(u64::MAX, 2), (7, 0), (3, 0), (3, 1)]);
        lanes.sort_by(|&a, &b| compare(a, b, GroupOrder::Ascending));
        assert_eq!(lanes.map(|(g, s)| (g.0, s.0)), [(3, 0), (3, 1), (7, 0), (u64::MAX, 2)]);
    }
}
