//! What a subscriber changes of its subscription (draft-18 §10.9).

use std::time::{Duration, Instant};

use super::{After, LaneId, Outbox};
use crate::moqt::{
    Filter, Location, ResetCode,
    session::{subscribe::new_group_from_wire, window::Window},
    wire::Parameters,
};

impl Outbox {
    /// Why an update cannot be granted: all of the groups that it asks for are over (draft-18 §5.1.2).
    pub(crate) fn refuses(&self, parameters: &Parameters) -> Option<String> {
        match parameters.filter {
            Some(Filter::AbsoluteRange(_, end)) if self.largest.is_some_and(|l| l.group > end) => {
                Some(format!("group {end} and all before it are over"))
            }
            _ => None,
        }
    }

    /// Applies the subscriber's REQUEST_UPDATE; gives the largest location for the answer.
    pub(crate) fn update(&mut self, now: Instant, parameters: &Parameters) -> Option<Location> {
        self.options.priority = parameters.priority.unwrap_or(self.options.priority);
        self.order = parameters.order.unwrap_or(self.order);
        let some = |new: Option<Duration>, old| new.or(old).filter(|t| !t.is_zero());
        self.options.object_timeout = some(parameters.object_timeout, self.options.object_timeout);
        self.options.subgroup_timeout = some(parameters.subgroup_timeout, self.options.subgroup_timeout);
        self.set_timeouts();
        self.reorder = true;
        if let Some(filter) = parameters.filter {
            self.options.filter = filter;
            let window = Window::new(filter, self.largest);
            if window.start < self.window.start {
                self.patchy = self.largest.map(|largest| largest.group);
                let cut = self.window;
                let lanes = self.lanes.iter_mut().filter(|(id, _)| cut.cuts(id.0));
                lanes.for_each(|(_, lane)| lane.is_broken = true);
            }
            self.window = window;
            self.abandon_all(After::Remove, |id| window.excludes(id.0));
        }
        if let Some(forward) = parameters.forward.filter(|&f| f != self.options.forward) {
            self.options.forward = forward;
            self.forward_changed = Some(forward);
            if !forward {
                // Objects after a pause go on a new stream: the old one cannot skip what was left out.
                self.datagrams.clear();
                self.abandon_all(After::Restart, |_| true);
            }
        }
        if let Some(wire) = parameters.new_group {
            self.new_group = self.new_group.max(Some(new_group_from_wire(wire)));
        }
        self.check_range(now);
        self.wake();
        self.largest
    }

    /// Draft-18 §8: of the subscriber's and the publisher's timeout the smaller counts.
    pub(super) fn set_timeouts(&mut self) {
        self.object_timeout = smaller(self.options.object_timeout, self.track.object_timeout);
        self.subgroup_timeout = smaller(self.options.subgroup_timeout, self.track.subgroup_timeout);
    }

    fn abandon_all(&mut self, after: After, which: impl Fn(LaneId) -> bool) {
        let ids: Vec<LaneId> =
            self.lanes.iter().filter(|(id, l)| l.is_active() && which(**id)).map(|(id, _)| *id).collect();
        for id in ids {
            self.abandon(id, ResetCode::Cancelled, after);
        }
    }
}

pub(super) fn smaller(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    let some = |t: Option<Duration>| t.filter(|t| !t.is_zero());
    match (some(a), some(b)) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
