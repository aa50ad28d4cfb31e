//! What a request has beside its own state: the same for every kind.

use std::{
    sync::Mutex,
    task::{Poll, Waker},
    time::Duration,
};

use super::bell::lock;
use crate::moqt::{AuthToken, GoingAway, Redirect};

/// Beside a request's state.
#[derive(Debug, Default)]
pub(crate) struct Aside(Mutex<Things>);

#[derive(Debug, Default)]
struct Things {
    tokens: Vec<AuthToken>,
    /// What goes with a refusal.
    refusal: Option<Refusal>,
    /// The peer wants it elsewhere.
    going: Option<GoingAway>,
    /// We want it elsewhere: not said yet.
    leaving: Option<GoingAway>,
    is_over: bool,
    /// Who waits for `going`.
    waiter: Option<Waker>,
}

/// What goes with a refusal beside its code and words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Refusal {
    /// How long to wait before another try.
    pub(crate) retry_after: Option<Duration>,
    /// Where to go instead.
    pub(crate) redirect: Option<Redirect>,
}

impl Aside {
    /// The tokens that came with the request.
    pub(crate) fn tokens(&self) -> Vec<AuthToken> {
        lock(&self.0).tokens.clone()
    }

    /// Tokens came.
    pub(super) fn set_tokens(&self, tokens: Vec<AuthToken>) {
        lock(&self.0).tokens = tokens;
    }

    /// The refusal that follows has these.
    pub(crate) fn set_refusal(&self, refusal: Refusal) {
        lock(&self.0).refusal = Some(refusal);
    }

    pub(super) fn take_refusal(&self) -> Option<Refusal> {
        lock(&self.0).refusal.take()
    }

    /// The peer is to take it elsewhere.
    pub(crate) fn leave(&self, uri: String, timeout: Duration) {
        lock(&self.0).leaving = Some(GoingAway { uri, timeout });
    }

    pub(super) fn take_leaving(&self) -> Option<GoingAway> {
        lock(&self.0).leaving.take()
    }

    /// The peer wants it elsewhere.
    pub(super) fn going(&self, going: GoingAway) {
        let mut things = lock(&self.0);
        things.going = Some(going);
        things.wake();
    }

    /// The request is over.
    pub(super) fn end(&self) {
        let mut things = lock(&self.0);
        things.is_over = true;
        things.wake();
    }

    /// Where the peer wants it, once; `None` once it is over.
    pub(crate) fn poll_going(&self, waiter: &Waker) -> Poll<Option<GoingAway>> {
        let mut things = lock(&self.0);
        match things.going.take() {
            None if !things.is_over => {
                things.waiter = Some(waiter.clone());
                Poll::Pending
            }
            going => Poll::Ready(going),
        }
    }
}

impl Things {
    fn wake(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }
}
