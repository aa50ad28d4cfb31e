//! What handles share with the session's task.

use std::{
    collections::VecDeque,
    task::{Poll, Waker},
    time::Instant,
};

use crate::moqt::{
    GroupId, Namespace, NamespaceEvent, Received, RequestCode, SubscribeOptions, session::inbox::Inbox,
};

/// Groups that a reader may give up between two looks of the task; past it the oldest is forgotten.
const MAX_STOPS: usize = 64;
/// Events that may wait for a namespace or tracks subscription; past it the peer's subscription is cancelled, which withdraws all.
const MAX_EVENTS: usize = 4096;

/// A subscription of ours: what came, and what is to be changed.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// With the time when each thing came; of an object, when the first byte of its payload did.
    pub(crate) inbox: Inbox<(Received, Instant)>,
    pub(crate) stops: Vec<GroupId>,
    /// The application's answer to the peer's offer.
    answer: Option<Result<SubscribeOptions, (RequestCode, String)>>,
    is_answered: bool,
}

impl Reading {
    /// For a track that the peer offers: until the answer few bytes are taken of it.
    pub(crate) fn offered(bytes: usize) -> Self {
        Self { inbox: Inbox::with_limit(bytes), ..Self::default() }
    }

    /// The application answers an offer; only the first answer counts.
    pub(crate) fn answer(&mut self, answer: Result<SubscribeOptions, (RequestCode, String)>) {
        if !self.is_answered {
            self.is_answered = true;
            self.inbox.widen();
            self.answer = Some(answer);
        }
    }

    pub(crate) fn take_answer(&mut self) -> Option<Result<SubscribeOptions, (RequestCode, String)>> {
        self.answer.take()
    }

    pub(crate) fn stop(&mut self, group: GroupId) {
        if self.stops.len() >= MAX_STOPS {
            self.stops.remove(0);
        }
        self.stops.push(group);
    }
}

/// A request that only lives or not, or is answered with a `T`.
#[derive(Debug, Default)]
pub(crate) struct Life<T = ()> {
    answer: Option<Result<T, (RequestCode, String)>>,
    is_answered: bool,
    is_left: bool,
    is_ended: bool,
    waiter: Option<Waker>,
}

impl<T> Life<T> {
    /// The application answers; only the first answer counts.
    pub(crate) fn answer(&mut self, answer: Result<T, (RequestCode, String)>) {
        if !self.is_answered {
            self.is_answered = true;
            self.answer = Some(answer);
        }
    }

    pub(crate) fn take_answer(&mut self) -> Option<Result<T, (RequestCode, String)>> {
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

/// A subscription of the peer's to what is below a prefix: namespaces, or tracks that are blocked.
#[derive(Debug)]
pub(crate) struct Telling<E = NamespaceEvent> {
    pub(crate) life: Life,
    told: VecDeque<Told<E>>,
    /// The prefix that the peer wants; the application did not take it yet.
    asked: Option<Namespace>,
    is_prefix_open: bool,
    waiter: Option<Waker>,
}

/// What the application tells, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told<E = NamespaceEvent> {
    /// A namespace came or went, or a track is blocked.
    Event(E),
    /// The answer for a new prefix.
    Prefix(Result<(), (RequestCode, String)>),
}

impl<E> Default for Telling<E> {
    fn default() -> Self {
        Self {
            life: Life::default(),
            told: VecDeque::new(),
            asked: None,
            is_prefix_open: false,
            waiter: None,
        }
    }
}

impl<E> Telling<E> {
    /// Takes an event; `false` once the subscription is over.
    pub(crate) fn push(&mut self, event: E) -> bool {
        if self.life.is_ended || self.life.is_left {
            return false;
        }
        if self.told.len() >= MAX_EVENTS {
            self.life.leave();
            return false;
        }
        self.told.push_back(Told::Event(event));
        true
    }

    pub(crate) fn take_told(&mut self) -> VecDeque<Told<E>> {
        std::mem::take(&mut self.told)
    }

    /// The peer wants another prefix.
    pub(crate) fn ask_prefix(&mut self, prefix: Namespace) {
        self.asked = Some(prefix);
        self.is_prefix_open = true;
        self.wake();
    }

    /// The application answers for it; only the first answer counts.
    pub(crate) fn answer_prefix(&mut self, answer: Result<(), (RequestCode, String)>) {
        if std::mem::take(&mut self.is_prefix_open) {
            self.told.push_back(Told::Prefix(answer));
        }
    }

    /// The prefix that the peer wants, once; `None` once the subscription is over.
    pub(crate) fn poll_prefix(&mut self, waiter: &Waker) -> Poll<Option<Namespace>> {
        match self.asked.take() {
            None if !self.life.is_ended => {
                self.waiter = Some(waiter.clone());
                Poll::Pending
            }
            asked => Poll::Ready(asked.filter(|_| !self.life.is_ended)),
        }
    }

    /// The other side ended it.
    pub(crate) fn end(&mut self) {
        self.life.end();
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }
}
