//! A subscription's filter as the range of locations that pass (draft-18 §5.1.2).

use crate::moqt::{Filter, GroupId, Location, ObjectId};

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// The first location.
    pub(crate) start: Location,
    /// The last group; `None` for all that come.
    pub(crate) end: Option<GroupId>,
}

impl Window {
    /// The filter, counted from the largest location published.
    pub(crate) fn new(filter: Filter, largest: Option<Location>) -> Self {
        let from = |start| Self { start, end: None };
        match (filter, largest) {
            (Filter::Unfiltered, _) => from(Location::default()),
            (Filter::LargestObject | Filter::NextGroupStart, None) => from(Location::default()),
            (Filter::LargestObject, Some(Location { group, object })) => match object.0.checked_add(1) {
                Some(next) => from(Location { group, object: ObjectId(next) }),
                None => from(Self::group_after(group)),
            },
            (Filter::NextGroupStart, Some(largest)) => from(Self::group_after(largest.group)),
            (Filter::AbsoluteStart(start), _) => from(start),
            (Filter::AbsoluteRange(start, end), _) => Self { start, end: Some(end) },
        }
    }

    /// Whether an object there passes.
    pub(crate) fn passes(&self, location: Location) -> bool {
        location >= self.start && !self.is_past(location.group)
    }

    /// Whether this group and all that follow are past the end.
    pub(crate) fn is_past(&self, group: GroupId) -> bool {
        self.end.is_some_and(|end| group > end)
    }

    /// Whether a group cannot hold anything that passes.
    pub(crate) fn excludes(&self, group: GroupId) -> bool {
        group < self.start.group || self.is_past(group)
    }

    /// Whether objects at the front of this group do not pass.
    pub(crate) fn cuts(&self, group: GroupId) -> bool {
        group == self.start.group && self.start.object > ObjectId(0)
    }

    fn group_after(group: GroupId) -> Location {
        Location { group: GroupId(group.0.saturating_add(1)), object: ObjectId(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_starts_and_ends_where_the_draft_says() {
        let largest = Some(Location::new(7, 3));
        let first = |filter, largest| Window::new(filter, largest).start;
        assert_eq!(first(Filter::Unfiltered, largest), Location::new(0, 0));
        assert_eq!(first(Filter::LargestObject, largest), Location::new(7, 4));
        assert_eq!(first(Filter::LargestObject, None), Location::new(0, 0));
        assert_eq!(first(Filter::LargestObject, Some(Location::new(7, u64::MAX))), Location::new(8, 0));
        assert_eq!(first(Filter::NextGroupStart, largest), Location::new(8, 0));
        assert_eq!(first(Filter::NextGroupStart, None), Location::new(0, 0));
        let range = Window::new(Filter::AbsoluteRange(Location::new(5, 2), GroupId(6)), largest);
        let passes = [(5, 1), (5, 2), (6, u64::MAX), (7, 0)].map(|(g, o)| range.passes(Location::new(g, o)));
        assert_eq!(passes, [false, true, true, false]);
        assert!(range.excludes(GroupId(4)) && range.cuts(GroupId(5)) && range.excludes(GroupId(7)));
    }
}
