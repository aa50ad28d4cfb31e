//! One subgroup on its way out.

use std::{collections::VecDeque, time::Instant};

use super::cost;
use crate::moqt::{Object, ObjectId, Subgroup};

/// Where a subgroup stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It has no stream yet.
    Waiting,
    /// It has this stream.
    Open(u64),
    /// All of it was handed to this stream, which is not acknowledged to its end.
    Finished(u64),
    /// It was given up; what still comes for it is let go.
    Abandoned,
}

/// One subgroup of one subscription.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) subgroup: Subgroup,
    pub(super) state: State,
    pub(super) queue: VecDeque<(Instant, Object)>,
    /// When its end came.
    pub(super) end: Option<Instant>,
    /// Objects of it were left out: it cannot end as a whole one.
    pub(super) is_broken: bool,
    pub(super) has_header: bool,
    /// The object before the next one on the stream.
    pub(super) previous: Option<ObjectId>,
    /// The object that is being written: since when it waits, and its payload bytes.
    pub(super) writing: Option<(Instant, usize)>,
}

impl Lane {
    pub(super) fn new(subgroup: Subgroup) -> Self {
        Self {
            subgroup,
            state: State::Waiting,
            queue: VecDeque::new(),
            end: None,
            is_broken: false,
            has_header: false,
            previous: None,
            writing: None,
        }
    }

    /// Empties the queue: objects and cost.
    pub(super) fn clear(&mut self) -> (usize, usize) {
        let objects = self.queue.len();
        let bytes = self.queue.drain(..).map(|(_, object)| cost(&object)).sum();
        (objects, bytes)
    }

    /// The last object that was given to its stream.
    pub(super) fn last(&self) -> Option<ObjectId> {
        self.queue.back().map(|(_, object)| object.id).or(self.previous)
    }

    /// Whether it still has something to do.
    pub(super) fn is_active(&self) -> bool {
        match self.state {
            State::Waiting => !self.queue.is_empty(),
            State::Open(_) => true,
            State::Finished(_) | State::Abandoned => false,
        }
    }

    /// Since when its oldest object waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.writing.map(|(at, _)| at).or_else(|| self.queue.front().map(|(at, _)| *at))
    }
}
