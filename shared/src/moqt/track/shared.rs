//! What handles share with the session's task.

use std::{collections::VecDeque, task::Waker};

use crate::moqt::{GroupId, NamespaceEvent, Received, RequestCode, session::inbox::Inbox, wire::Parameters};

/// Groups that a reader may give up between two looks of the task; past it the oldest is forgotten.
const MAX_STOPS: usize = 64;
/// Namespace events that may wait; past it the peer's subscription is cancelled, which withdraws all.
const MAX_EVENTS: usize = 4096;

/// A subscription of ours: what came, and what is to be changed.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) inbox: Inbox<Received>,
    /// Changes of one look of the task, merged.
    pub(crate) update: Option<Box<Parameters>>,
    pub(crate) stops: Vec<GroupId>,
}

impl Reading {
    pub(crate) fn stop(&mut self, group: GroupId) {
        if self.stops.len() >= MAX_STOPS {
            self.stops.remove(0);
        }
        self.stops.push(group);
    }
}

/// A request that only lives or not.
#[derive(Debug, Default)]
pub(crate) struct Life {
    answer: Option<Result<(), (RequestCode, String)>>,
    is_answered: bool,
    is_left: bool,
    is_ended: bool,
    waiter: Option<Waker>,
}

impl Life {
    /// The application answers; only the first answer counts.
    pub(crate) fn answer(&mut self, answer: Result<(), (RequestCode, String)>) {
        if !self.is_answered {
            self.is_answered = true;
            self.answer = Some(answer);
        }
    }

    pub(crate) fn take_answer(&mut self) -> Option<Result<(), (RequestCode, String)>> {
        self.answer.take()
    }

    /// The handle is gone.
    pub(crate) fn leave(&mut self) {
        self.is_left = true;
    }

    pub(crate) fn is_left(&self) -> bool {
        self.is_left
    }

    /// The other side ended it.
    pub(crate) fn end(&mut self) {
        self.is_ended = true;
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }

    /// Whether it ended; where not, `waiter` is woken then.
    pub(crate) fn is_ended(&mut self, waiter: &Waker) -> bool {
        if !self.is_ended {
            self.waiter = Some(waiter.clone());
        }
        self.is_ended
    }
}

/// A namespace subscription of the peer's.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    pub(crate) life: Life,
    events: VecDeque<NamespaceEvent>,
}

impl Telling {
    /// Takes an event; `false` once the subscription is over.
    pub(crate) fn push(&mut self, event: NamespaceEvent) -> bool {
        if self.life.is_ended || self.life.is_left {
            return false;
        }
        if self.events.len() >= MAX_EVENTS {
            self.life.leave();
            return false;
        }
        self.events.push_back(event);
        true
    }

    pub(crate) fn take_events(&mut self) -> VecDeque<NamespaceEvent> {
        std::mem::take(&mut self.events)
    }
}
