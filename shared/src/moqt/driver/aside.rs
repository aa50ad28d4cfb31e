//! What a request has beside its own state: the same for every kind.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use super::{bell::lock, calls::Reply};
use crate::moqt::{
    AuthToken, GoingAway, Redirect, Refused, Updated, session::updates::MAX_UNANSWERED, wire::Parameters,
};

/// Beside a request's state. In this order: the task looks at the flags for every object, and seldom further.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Aside {
    /// Whether the task was woken for the request, and did not look yet.
    has_rung: AtomicBool,
    /// Whether the task has something to take: most of the time it has not.
    has_news: AtomicBool,
    things: Mutex<Things>,
}

#[derive(Debug, Default)]
struct Things {
    tokens: Vec<AuthToken>,
    /// Newer ones that the application did not take yet.
    new_tokens: Option<Vec<AuthToken>>,
    token_waiter: Option<Waker>,
    /// Changes since the last look of the task, merged.
    change: Option<Box<Change>>,
    /// Who waits for the answer to each change that was sent.
    unanswered: VecDeque<Vec<Reply<Updated>>>,
    /// What goes with a refusal.
    refusal: Option<Refusal>,
    /// The peer wants it elsewhere.
    going: Option<GoingAway>,
    /// We want it elsewhere: not said yet.
    leaving: Option<GoingAway>,
    is_over: bool,
    end_waiter: Option<Waker>,
    /// Who waits for `going`.
    waiter: Option<Waker>,
}

#[derive(Debug, Default)]
struct Change {
    parameters: Parameters,
    tokens: Vec<AuthToken>,
    replies: Vec<Reply<Updated>>,
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
    /// Whether the task is to be woken: it was not since it looked last.
    pub(super) fn ring(&self) -> bool {
        !self.has_rung.swap(true, Ordering::AcqRel)
    }

    /// The task looks now.
    pub(super) fn look(&self) {
        self.has_rung.store(false, Ordering::Release);
    }

    /// Whether there is a refusal, a change or a leave to take, once for all of them.
    pub(super) fn take_news(&self) -> bool {
        self.has_news.load(Ordering::Relaxed) && self.has_news.swap(false, Ordering::AcqRel)
    }

    fn tell(&self) {
        self.has_news.store(true, Ordering::Release);
    }

    /// The tokens that came with the request.
    pub(crate) fn tokens(&self) -> Vec<AuthToken> {
        lock(&self.things).tokens.clone()
    }

    /// Tokens came.
    pub(super) fn set_tokens(&self, tokens: Vec<AuthToken>) {
        lock(&self.things).tokens = tokens;
    }

    /// Newer tokens came.
    pub(super) fn renew(&self, tokens: Vec<AuthToken>) {
        let mut things = lock(&self.things);
        things.tokens.clone_from(&tokens);
        things.new_tokens = Some(tokens);
        wake(&mut things.token_waiter);
    }

    /// Newer tokens, once; `None` once the request is over.
    pub(crate) fn poll_tokens(&self, waiter: &Waker) -> Poll<Option<Vec<AuthToken>>> {
        let mut things = lock(&self.things);
        match things.new_tokens.take() {
            None if !things.is_over => {
                things.token_waiter = Some(waiter.clone());
                Poll::Pending
            }
            tokens => Poll::Ready(tokens),
        }
    }

    /// Changes the request; `reply` gets the peer's answer.
    pub(crate) fn change(
        &self,
        tokens: Vec<AuthToken>,
        reply: Option<Reply<Updated>>,
        change: impl FnOnce(&mut Parameters),
    ) {
        let mut things = lock(&self.things);
        if things.is_over {
            return;
        }
        let merged = things.change.get_or_insert_default();
        change(&mut merged.parameters);
        if !tokens.is_empty() {
            merged.tokens = tokens;
        }
        // Who does not wait any more is forgotten, so that their number is that of those who wait.
        merged.replies.retain(|reply| !reply.is_closed());
        merged.replies.extend(reply);
        self.tell();
    }

    /// What to send, unless too much of it is unanswered.
    pub(super) fn take_change(&self) -> Option<(Parameters, Vec<AuthToken>)> {
        let mut things = lock(&self.things);
        if things.unanswered.len() >= MAX_UNANSWERED {
            return None;
        }
        let Change { parameters, tokens, replies } = *things.change.take()?;
        things.unanswered.push_back(replies);
        Some((parameters, tokens))
    }

    /// The change that was taken last cannot be sent.
    pub(super) fn drop_change(&self) {
        lock(&self.things).unanswered.pop_back();
    }

    /// The peer answered the oldest change.
    pub(super) fn answered(&self, answer: &Result<Updated, Refused>) {
        for reply in lock(&self.things).unanswered.pop_front().into_iter().flatten() {
            let _ = reply.send(answer.clone());
        }
        // A change may have waited for this.
        self.tell();
    }

    /// The refusal that follows has these.
    pub(crate) fn set_refusal(&self, refusal: Refusal) {
        lock(&self.things).refusal = Some(refusal);
        self.tell();
    }

    pub(super) fn take_refusal(&self) -> Option<Refusal> {
        lock(&self.things).refusal.take()
    }

    /// The peer is to take it elsewhere.
    pub(crate) fn leave(&self, uri: String, timeout: Duration) {
        lock(&self.things).leaving = Some(GoingAway { uri, timeout });
        self.tell();
    }

    pub(super) fn take_leaving(&self) -> Option<GoingAway> {
        lock(&self.things).leaving.take()
    }

    /// The peer wants it elsewhere.
    pub(super) fn going(&self, going: GoingAway) {
        let mut things = lock(&self.things);
        things.going = Some(going);
        wake(&mut things.waiter);
    }

    /// The request is over.
    pub(super) fn end(&self) {
        let mut things = lock(&self.things);
        things.is_over = true;
        things.change = None;
        things.unanswered.clear();
        wake(&mut things.waiter);
        wake(&mut things.token_waiter);
        wake(&mut things.end_waiter);
    }

    /// Whether it is over; where not, `waiter` is woken then.
    pub(crate) fn poll_over(&self, waiter: &Waker) -> Poll<()> {
        let mut things = lock(&self.things);
        if things.is_over {
            return Poll::Ready(());
        }
        things.end_waiter = Some(waiter.clone());
        Poll::Pending
    }

    /// Where the peer wants it, once; `None` once it is over.
    pub(crate) fn poll_going(&self, waiter: &Waker) -> Poll<Option<GoingAway>> {
        let mut things = lock(&self.things);
        match things.going.take() {
            None if !things.is_over => {
                things.waiter = Some(waiter.clone());
                Poll::Pending
            }
            going => Poll::Ready(going),
        }
    }
}

fn wake(waiter: &mut Option<Waker>) {
    if let Some(waiter) = waiter.take() {
        waiter.wake();
    }
}
