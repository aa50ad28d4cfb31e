//! A subscription that this side begins (draft-18 §10.10): objects may leave before it is granted.

use std::{
    task::Waker,
    time::{Duration, Instant},
};

use super::{Budget, Outbox};
use crate::moqt::{
    DataLimits, Priority, PublishOffer, Refused, SubscribeOptions,
    wire::{Parameters, TrackAlias},
};

/// How far an offer got.
#[derive(Debug, Default)]
pub(super) struct Offer {
    state: State,
    waiter: Option<Waker>,
    /// For how long the subscriber said that it takes it.
    expires: Option<Duration>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// The subscriber takes it, or asked for it in the first place.
    #[default]
    Taken,
    /// No stream is there for PUBLISH.
    Waits,
    /// PUBLISH is on its way.
    Made,
    /// Given up before it was made.
    Withdrawn,
    /// It could not be made.
    Unmade(Refused),
    /// The subscriber does not take it.
    Refused(Refused),
}

impl Outbox {
    /// For a track that is offered.
    pub(crate) fn offered(offer: PublishOffer) -> Self {
        let options = SubscribeOptions { forward: offer.forward, ..SubscribeOptions::default() };
        let mut outbox = Self::new(options, Budget::new(usize::MAX));
        outbox.accept(offer.ok);
        outbox.answer = None;
        outbox.offer.state = State::Waits;
        outbox
    }

    /// Has its session's budget and limits, and its name on data streams; nothing may wait before that.
    pub(crate) fn offer_opens(&mut self, alias: TrackAlias, budget: Budget, limits: DataLimits) {
        self.budget = budget;
        self.limits = limits;
        self.open(alias);
    }

    /// PUBLISH has a stream.
    pub(crate) fn offer_made(&mut self) {
        if self.offer.state == State::Waits {
            self.step(State::Made);
        }
    }

    /// PUBLISH_OK: what it leaves out has the draft's default, not the offer's value.
    pub(crate) fn offer_taken(&mut self, now: Instant, mut parameters: Parameters) {
        parameters.forward.get_or_insert(true);
        parameters.priority.get_or_insert(Priority::default());
        self.offer.expires = parameters.expires;
        self.update(now, &parameters);
        self.step(State::Taken);
    }

    /// EXPIRES of PUBLISH_OK (draft-18 §10.2.10).
    pub(crate) fn offer_expires(&self) -> Option<Duration> {
        self.offer.expires
    }

    /// REQUEST_ERROR, or the session's end.
    pub(crate) fn offer_refused(&mut self, refused: Refused) {
        match self.offer.state {
            State::Waits => self.step(State::Unmade(refused)),
            State::Made => self.step(State::Refused(refused)),
            State::Taken | State::Withdrawn | State::Unmade(_) | State::Refused(_) => {}
        }
    }

    /// Whether it was given up before anything of it left: then nothing may.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.offer.state == State::Withdrawn
    }

    /// Gives it up, where it is not made yet.
    pub(super) fn withdraw(&mut self) {
        if self.offer.state == State::Waits {
            self.step(State::Withdrawn);
        }
    }

    /// Whether PUBLISH is on its way. `None`: not yet, and `waiter` is woken then.
    pub(crate) fn poll_made(&mut self, waiter: &Waker) -> Option<Result<(), Refused>> {
        match &self.offer.state {
            State::Taken | State::Made | State::Withdrawn | State::Refused(_) => Some(Ok(())),
            State::Unmade(refused) => Some(Err(refused.clone())),
            State::Waits => {
                self.offer.waiter = Some(waiter.clone());
                None
            }
        }
    }

    /// What the subscriber asks for, once it takes the track. `None`: not yet, and `waiter` is woken then.
    pub(crate) fn poll_taken(&mut self, waiter: &Waker) -> Option<Result<SubscribeOptions, Refused>> {
        match &self.offer.state {
            State::Taken | State::Withdrawn => Some(Ok(self.options)),
            State::Unmade(refused) | State::Refused(refused) => Some(Err(refused.clone())),
            State::Waits | State::Made => {
                self.offer.waiter = Some(waiter.clone());
                None
            }
        }
    }

    fn step(&mut self, state: State) {
        self.offer.state = state;
        if let Some(waiter) = self.offer.waiter.take() {
            waiter.wake();
        }
    }
}
