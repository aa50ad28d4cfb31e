//! Handles to what this side sends.

use std::{
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use super::{FetchItem, NamespaceEvent, SubscriberEvent, Telling, WriterStats};
use crate::moqt::{
    DoneCode, Item, Refused, ResetCode, SubscribeOptions,
    driver::{bell::Port, clock},
    session::{fetchbox::Fetchbox, outbox::Outbox},
};

/// One subscriber's end of a track: what is pushed leaves in the order of the draft's priorities.
/// Its queue is bounded; past the bound it skips to the newest group and counts. Dropping it ends the
/// subscription with `INTERNAL_ERROR`.
#[derive(Debug)]
pub struct TrackWriter {
    pub(super) port: Arc<Port<Outbox>>,
}

impl TrackWriter {
    pub(crate) fn new(port: Arc<Port<Outbox>>) -> Self {
        Self { port }
    }

    /// Hands `item` over, never waiting. `false` once the subscription is over.
    pub fn push(&self, item: Item) -> bool {
        self.push_since(clock::now(), item)
    }
    /// The same for what is passed on, and began to come at `began`: delivery timeouts count from there
    /// (draft-18 §8).
    pub fn push_since(&self, began: Instant, item: Item) -> bool {
        let is_open = self.port.lock().push(began, item);
        self.port.ring();
        is_open
    }
    /// Waits until the subscriber takes a track that was published to it, and gives what it asks for; at
    /// once for a subscription that it asked for itself. Cancelling it loses nothing.
    ///
    /// # Errors
    /// [`Refused`] by the subscriber or by the session's end: the writer is closed then.
    pub async fn granted(&mut self) -> Result<SubscribeOptions, Refused> {
        poll_fn(|cx| self.port.lock().poll_taken(cx.waker()).map_or(Poll::Pending, Poll::Ready)).await
    }
    /// For how long the subscriber takes a track that was published to it: EXPIRES of its PUBLISH_OK
    /// (draft-18 §10.2.10), counted from when [`granted`](Self::granted) gave its answer. `None` where it does
    /// not say. It may end the subscription sooner, or later.
    pub fn expires(&self) -> Option<Duration> {
        self.port.lock().offer_expires()
    }
    /// Waits until PUBLISH is on its way.
    pub(crate) async fn made(&self) -> Result<(), Refused> {
        poll_fn(|cx| self.port.lock().poll_made(cx.waker()).map_or(Poll::Pending, Poll::Ready)).await
    }
    /// Ends the subscription: PUBLISH_DONE once every stream is finished or reset. Streams whose end was
    /// not pushed are finished with `TRACK_ENDED` and `SUBSCRIPTION_ENDED`, and reset with other codes.
    pub fn done(self, code: DoneCode, reason: &str) {
        self.port.lock().end(clock::now(), code, reason.to_owned());
        self.port.ring();
    }
    /// What the subscriber changes; `None` once it cancelled or the session ended.
    pub async fn event(&mut self) -> Option<SubscriberEvent> {
        poll_fn(|cx| {
            let mut outbox = self.port.lock();
            match outbox.take_event(cx.waker()) {
                Some(event) => Poll::Ready(Some(event)),
                None if outbox.is_closed() => Poll::Ready(None),
                None => Poll::Pending,
            }
        })
        .await
    }
    /// What the subscriber asks for, later changes included.
    pub fn options(&self) -> SubscribeOptions {
        self.port.lock().options()
    }
    /// Whether the subscription is over.
    pub fn is_closed(&self) -> bool {
        self.port.lock().is_closed()
    }
    /// How far the subscriber is: objects that the connection took whole so far, and those of which
    /// something waits.
    pub fn taken_and_waiting(&self) -> (u64, usize) {
        self.port.lock().taken_and_waiting()
    }
    /// What was sent so far.
    pub fn stats(&self) -> WriterStats {
        self.port.lock().stats()
    }
}

impl Drop for TrackWriter {
    fn drop(&mut self) {
        // Does nothing after `done`.
        let reason = "the publisher dropped the subscription".to_owned();
        self.port.lock().end(clock::now(), DoneCode::InternalError, reason);
        self.port.ring();
    }
}

/// The answer to a fetch. Dropping it before `finish` resets the stream.
#[derive(Debug)]
pub struct FetchWriter {
    pub(super) port: Arc<Port<Fetchbox>>,
}

impl FetchWriter {
    pub(crate) fn new(port: Arc<Port<Fetchbox>>) -> Self {
        Self { port }
    }

    /// Sends the next object or gap, waiting while the subscriber is behind. They come in the order that the
    /// request asks for. `false` once it cancelled.
    pub async fn send(&mut self, item: impl Into<FetchItem>) -> bool {
        poll_fn(|cx| match self.port.lock().holds_back(cx.waker()) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        })
        .await;
        let is_open = self.port.lock().push(item.into());
        self.port.ring();
        is_open
    }
    /// Ends the answer.
    pub fn finish(self) {
        self.port.lock().finish();
        self.port.ring();
    }
    /// Gives the answer up: its stream is reset with this code, and what waits is not sent any more.
    pub fn abandon(self, code: ResetCode) {
        self.port.lock().leave(code);
        self.port.ring();
    }
}

impl Drop for FetchWriter {
    fn drop(&mut self) {
        // Does nothing after `finish` or `abandon`.
        self.port.lock().leave(ResetCode::InternalError);
        self.port.ring();
    }
}

/// Tells a peer of namespaces. Dropping it ends its subscription.
#[derive(Debug)]
pub struct NamespaceWriter {
    pub(super) port: Arc<Port<Telling>>,
}

impl NamespaceWriter {
    pub(crate) fn new(port: Arc<Port<Telling>>) -> Self {
        Self { port }
    }

    /// Sends NAMESPACE or NAMESPACE_DONE; one that tells nothing new is left out. `false` once the peer
    /// cancelled, or fell so far behind that it was.
    pub fn tell(&self, event: NamespaceEvent) -> bool {
        let is_open = self.port.lock().push(event);
        self.port.ring();
        is_open
    }
    /// Waits until the peer cancels or the session ends.
    pub async fn ended(&mut self) {
        poll_fn(|cx| match self.port.lock().life.is_ended(cx.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

impl Drop for NamespaceWriter {
    fn drop(&mut self) {
        self.port.lock().life.leave();
        self.port.ring();
    }
}
