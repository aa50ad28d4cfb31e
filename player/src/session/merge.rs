//! Two subscriptions to one track, read as one: each object once, and in the order of its subgroup. Pure.

use std::collections::BTreeMap;

use shared::moqt::{GroupId, Item, ObjectId, SubgroupEnd, SubgroupId};

/// Which subscription something comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The one that is left.
    Former,
    /// The one that takes over; the only one, where there is one.
    Latter,
}

/// What was passed on of a track's newest subgroups.
#[derive(Debug, Default)]
pub(super) struct Merge {
    subgroups: BTreeMap<(GroupId, SubgroupId), Progress>,
    /// Of groups below nothing is known any more.
    floor: GroupId,
    has_former: bool,
    is_taken_over: bool,
}

/// How far a subgroup is.
#[derive(Debug)]
struct Progress {
    /// Where what was passed on last came from.
    from: Source,
    /// The last object that was passed on; `None` before the first.
    passed: Option<ObjectId>,
    /// Whether the other subscription gave that object too: then it can go on from there.
    is_level: bool,
    is_over: bool,
}

/// Subgroups that are remembered: ten seconds of sound.
const MOST: usize = 512;

impl Merge {
    /// Whether an item is to be passed on.
    pub(super) fn take(&mut self, source: Source, item: &Item) -> bool {
        let (key, object) = match item {
            Item::Object(object) | Item::Datagram(object) => {
                ((object.subgroup.group, object.subgroup.id), Some(object.id))
            }
            Item::End { group, subgroup, .. } => ((*group, *subgroup), None),
        };
        if key.0 < self.floor {
            return false;
        }
        let is_alone = !self.has_former;
        let progress = self.subgroups.entry(key).or_insert(Progress {
            from: source,
            passed: None,
            is_level: false,
            is_over: false,
        });
        let may_go_on = is_alone || progress.from == source || progress.is_level || progress.passed.is_none();
        let is_new = match (object, item) {
            (Some(id), _) => {
                progress.is_level |= progress.from != source && progress.passed == Some(id);
                progress.passed.is_none_or(|passed| id > passed) && may_go_on
            }
            // What one relay breaks off, the other may go on with.
            (None, Item::End { end: SubgroupEnd::Reset(_), .. }) => is_alone && !progress.is_over,
            (None, _) => may_go_on && !progress.is_over,
        };
        if is_new {
            if progress.from != source {
                progress.from = source;
                progress.is_level = false;
            }
            progress.is_level &= object.is_none();
            progress.passed = object.or(progress.passed);
            progress.is_over |= object.is_none();
            self.is_taken_over |= self.has_former && source == Source::Latter;
        }
        while self.subgroups.len() > MOST {
            if let Some(((group, _), _)) = self.subgroups.pop_first() {
                self.floor = GroupId(group.0.saturating_add(1));
            }
        }
        is_new
    }

    /// There is another subscription from now on.
    pub(super) fn moved(&mut self) {
        for progress in self.subgroups.values_mut() {
            progress.from = Source::Former;
            progress.is_level = false;
        }
        self.has_former = true;
        self.is_taken_over = false;
    }

    /// Whether something was passed on that only the latter subscription had by then.
    pub(super) fn is_taken_over(&self) -> bool {
        self.is_taken_over
    }

    /// Only the latter subscription is left.
    pub(super) fn former_is_gone(&mut self) {
        self.has_former = false;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use shared::moqt::{Object, Priority, Properties, ResetCode, Status, Subgroup};

    use super::{
        Source::{Former, Latter},
        *,
    };

    fn object(group: u64, subgroup: u64, id: u64) -> Item {
        Item::Object(Object {
            subgroup: Subgroup {
                group: GroupId(group),
                id: SubgroupId(subgroup),
                priority: Priority(64),
                ends_group: true,
                from_first: true,
            },
            id: ObjectId(id),
            status: Status::Normal,
            properties: Properties::default(),
            payload: Bytes::new(),
        })
    }

    fn end(group: u64, end: SubgroupEnd) -> Item {
        Item::End { group: GroupId(group), subgroup: SubgroupId(0), end }
    }

    /// A merge that got objects 0 to `last` of group 1, and then another subscription.
    fn moved(last: u64) -> Merge {
        let mut merge = Merge::default();
        (0..=last).for_each(|id| assert!(merge.take(Latter, &object(1, 0, id))));
        merge.moved();
        merge
    }

    #[test]
    fn each_object_is_passed_on_once_whichever_comes_first() {
        let mut merge = moved(2);
        for (source, item, expected) in [
            (Former, object(1, 0, 3), true),
            (Latter, object(1, 0, 0), false),
            (Latter, object(1, 0, 1), false),
            (Latter, object(1, 0, 2), false),
            (Latter, object(1, 0, 3), false),
            (Latter, object(1, 0, 4), true),
            (Former, object(1, 0, 4), false),
            (Former, object(1, 0, 5), true),
            (Latter, object(1, 0, 5), false),
            (Latter, end(1, SubgroupEnd::Finished), true),
            (Former, end(1, SubgroupEnd::Finished), false),
            (Latter, object(2, 0, 0), true),
            (Former, object(2, 0, 0), false),
            (Former, object(2, 0, 2), true),
        ] {
            assert_eq!(merge.take(source, &item), expected, "{source:?} {item:?}");
        }
    }

    #[test]
    fn one_that_is_ahead_does_not_open_a_gap() {
        let mut merge = moved(2);
        // The layers of a group are apart, so that IDs are not in a row.
        assert!(!merge.take(Latter, &object(1, 0, 6)), "3 to 5 may still come");
        assert!(merge.take(Former, &object(1, 0, 4)));
        assert!(!merge.is_taken_over());
        assert!(merge.take(Former, &object(1, 0, 6)));
        assert!(merge.take(Latter, &object(2, 0, 0)));
        assert!(merge.is_taken_over());
    }

    #[test]
    fn what_one_relay_breaks_off_the_other_goes_on_with() {
        let reset = SubgroupEnd::Reset(ResetCode::Cancelled);
        let mut merge = moved(2);
        assert!(!merge.take(Former, &end(1, reset)));
        for id in 0..=2 {
            assert!(!merge.take(Latter, &object(1, 0, id)));
        }
        assert!(merge.take(Latter, &object(1, 0, 3)));
        merge.former_is_gone();
        assert!(merge.take(Latter, &end(1, reset)));
        // One that began late goes on where nothing else will come.
        let mut merge = moved(2);
        merge.former_is_gone();
        assert!(merge.take(Latter, &object(1, 0, 7)));
        assert!(!merge.take(Latter, &object(1, 0, 7)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut merge = Merge::default();
        (0..10_000).for_each(|group| assert!(merge.take(Latter, &object(group, 0, 0))));
        assert_eq!(merge.subgroups.len(), MOST);
        assert!(!merge.take(Latter, &object(3, 0, 1)), "of so old a group nothing is known");
    }
}
