//! Merges what viewers ask of a publisher, and limits how often it is asked (draft-18 §10.2.13).

use std::time::{Duration, Instant};

use shared::moqt::GroupId;

/// A publisher is asked for a new group at most so often for one track.
const INTERVAL: Duration = Duration::from_secs(1);

/// The requests for one track.
#[derive(Debug, Default)]
pub(super) struct NewGroups {
    wanted: Option<GroupId>,
    not_before: Option<Instant>,
}

impl NewGroups {
    /// A viewer needs a group after this one.
    pub(super) fn ask(&mut self, after: GroupId) {
        self.wanted = self.wanted.max(Some(after));
    }

    /// What to ask of the publisher now; `newest` is the newest group that came.
    pub(super) fn poll(&mut self, now: Instant, newest: Option<GroupId>) -> Option<GroupId> {
        // Whatever number a peer gives, what it lacks is at most the group after the newest.
        let wanted = self.wanted?.min(newest?);
        if newest > Some(wanted) {
            self.wanted = None;
            return None;
        }
        if self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        self.wanted = None;
        self.not_before = Some(now + INTERVAL);
        Some(wanted)
    }

    /// When to poll again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.wanted.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_viewers_ask_once_a_second() {
        let start = Instant::now();
        let newest = Some(GroupId(5));
        let mut requests = NewGroups::default();
        requests.ask(GroupId(5));
        requests.ask(GroupId(4));
        requests.ask(GroupId(u64::MAX));
        assert_eq!(requests.poll(start, newest), newest);
        requests.ask(GroupId(5));
        assert_eq!(requests.poll(start + INTERVAL / 2, newest), None);
        assert_eq!(requests.deadline(), Some(start + INTERVAL));
        assert_eq!(requests.poll(start + INTERVAL, newest), newest);
        assert_eq!(requests.deadline(), None);
    }

    #[test]
    fn a_group_that_came_meanwhile_is_enough() {
        let start = Instant::now();
        let mut requests = NewGroups::default();
        requests.ask(GroupId(5));
        assert_eq!(requests.poll(start, None), None, "nothing came yet: the first group is on its way");
        assert_eq!(requests.poll(start, Some(GroupId(6))), None);
        assert_eq!(requests.poll(start, Some(GroupId(6))), None);
    }
}
