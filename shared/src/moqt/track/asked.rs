//! The peer's requests, before they are answered.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use super::{
    EndOfTrack, FetchWriter, Life, NamespaceWriter, PublishRequest, PublishedNamespace, SubscribeOk,
    SubscribeOptions, Telling, TrackStatusRequest, TrackWriter, TracksRequest,
};
use crate::moqt::{
    AuthToken, GroupOrder, Location, Namespace, Priority, Properties, RequestCode, TrackName,
    driver::{
        Shared,
        bell::{Port, lock},
    },
    session::{
        FetchAsked,
        fetchbox::{Answer, Fetchbox},
        inbox::{Inbox, Popped},
        outbox::Outbox,
    },
};

/// Requests from the peer, in the order of their arrival. Bounded: past the bound further ones are
/// answered EXCESSIVE_LOAD. Dropping it refuses all that follow.
#[derive(Debug)]
pub struct Requests {
    waiting: Arc<Mutex<Inbox<Box<Request>>>>,
    /// Keeps the session open.
    _session: Arc<Shared>,
}

impl Requests {
    pub(crate) fn new(waiting: Arc<Mutex<Inbox<Box<Request>>>>, session: Arc<Shared>) -> Self {
        Self { waiting, _session: session }
    }

    /// The next request; `None` once the session is closed. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Request> {
        poll_fn(|cx| match lock(&self.waiting).pop(cx.waker()) {
            Popped::Item { item, .. } => Poll::Ready(Some(*item)),
            Popped::Empty => Poll::Pending,
            Popped::Ended => Poll::Ready(None),
        })
        .await
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        lock(&self.waiting).leave();
    }
}

/// A request from the peer. Dropping it unanswered refuses it with INTERNAL_ERROR.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// It wants a track.
    Subscribe(SubscribeRequest),
    /// It offers a track.
    Publish(PublishRequest),
    /// It wants objects of the past.
    Fetch(FetchRequest),
    /// It announces a namespace.
    PublishNamespace(NamespaceRequest),
    /// It wants to know of namespaces.
    SubscribeNamespace(NamespaceSubscriptionRequest),
    /// It wants all tracks below a prefix.
    SubscribeTracks(TracksRequest),
    /// It asks how a track stands.
    TrackStatus(TrackStatusRequest),
}

pub(super) const UNANSWERED: &str = "the request was dropped without an answer";

/// The peer's SUBSCRIBE.
#[derive(Debug)]
pub struct SubscribeRequest {
    track: TrackName,
    options: SubscribeOptions,
    pub(super) port: Arc<Port<Outbox>>,
}

impl SubscribeRequest {
    pub(crate) fn new(track: TrackName, options: SubscribeOptions, port: Arc<Port<Outbox>>) -> Self {
        Self { track, options, port }
    }

    /// The track.
    pub fn track(&self) -> &TrackName {
        &self.track
    }
    /// What was asked for with it.
    pub fn options(&self) -> SubscribeOptions {
        self.options
    }
    /// The tokens that it came with (draft-18 §10.2.2). Whether they are good is for the application.
    pub fn tokens(&self) -> Vec<AuthToken> {
        self.port.aside.tokens()
    }
    /// Waits until the peer cancels it or the session ends, as while an answer takes its time.
    pub async fn cancelled(&self) {
        poll_fn(|cx| self.port.aside.poll_over(cx.waker())).await;
    }
    /// Grants it. The writer applies the filter, counted from `ok.largest`. Where the filter's range is
    /// over already, the request is refused with INVALID_RANGE, and the writer is closed.
    pub fn accept(self, ok: SubscribeOk) -> TrackWriter {
        self.port.lock().accept(ok);
        self.port.ring();
        TrackWriter::new(Arc::clone(&self.port))
    }
    /// Refuses it.
    pub fn reject(self, code: RequestCode, reason: &str) {
        self.port.lock().reject(code, reason.to_owned());
        self.port.ring();
    }
}

impl Drop for SubscribeRequest {
    fn drop(&mut self) {
        // Does nothing after an answer.
        self.port.lock().reject(RequestCode::InternalError, UNANSWERED.to_owned());
        self.port.ring();
    }
}

/// The peer's FETCH, a joining one already turned into its range.
#[derive(Debug)]
pub struct FetchRequest {
    asked: FetchAsked,
    pub(super) port: Arc<Port<Fetchbox>>,
}

impl FetchRequest {
    pub(crate) fn new(asked: FetchAsked, port: Arc<Port<Fetchbox>>) -> Self {
        Self { asked, port }
    }

    /// The track.
    pub fn track(&self) -> &TrackName {
        &self.asked.track
    }
    /// First and last location, both included; an object of `u64::MAX` means to the group's end.
    pub fn range(&self) -> (Location, Location) {
        (self.asked.start, self.asked.end)
    }
    /// In which order groups are to be sent; objects in a group always ascend.
    pub fn order(&self) -> GroupOrder {
        self.asked.order
    }
    /// How urgent it is to the subscriber.
    pub fn priority(&self) -> Priority {
        self.asked.priority
    }
    /// How long a relay is to wait for objects that it does not have, before it says that they are not
    /// known; zero for not at all (draft-18 §10.2.5). `None` where the subscriber does not say.
    pub fn fill_timeout(&self) -> Option<Duration> {
        self.asked.fill_timeout
    }
    /// The tokens that it came with (draft-18 §10.2.2). Whether they are good is for the application.
    pub fn tokens(&self) -> Vec<AuthToken> {
        self.port.aside.tokens()
    }
    /// Grants it. `end` is the last location that will be delivered.
    pub fn accept(self, end: Location, end_of_track: EndOfTrack, properties: Properties) -> FetchWriter {
        self.port.lock().answer(Answer::Accept(end, end_of_track, properties));
        self.port.ring();
        FetchWriter::new(Arc::clone(&self.port))
    }
    /// Refuses it.
    pub fn reject(self, code: RequestCode, reason: &str) {
        self.port.lock().answer(Answer::Reject(code, reason.to_owned()));
        self.port.ring();
    }
}

impl Drop for FetchRequest {
    fn drop(&mut self) {
        self.port.lock().answer(Answer::Reject(RequestCode::InternalError, UNANSWERED.to_owned()));
        self.port.ring();
    }
}

/// The peer's PUBLISH_NAMESPACE.
#[derive(Debug)]
pub struct NamespaceRequest {
    namespace: Namespace,
    pub(super) port: Arc<Port<Life>>,
}

impl NamespaceRequest {
    pub(crate) fn new(namespace: Namespace, port: Arc<Port<Life>>) -> Self {
        Self { namespace, port }
    }

    /// What it announces.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }
    /// The tokens that it came with (draft-18 §10.2.2). Whether they are good is for the application.
    pub fn tokens(&self) -> Vec<AuthToken> {
        self.port.aside.tokens()
    }
    /// Takes it. The answer tells when it is withdrawn; dropping that cancels the announcement.
    pub fn accept(self) -> PublishedNamespace {
        self.port.lock().answer(Ok(()));
        self.port.ring();
        PublishedNamespace::new(self.namespace.clone(), Arc::clone(&self.port))
    }
    /// Refuses it.
    pub fn reject(self, code: RequestCode, reason: &str) {
        self.port.lock().answer(Err((code, reason.to_owned())));
        self.port.ring();
    }
}

impl Drop for NamespaceRequest {
    fn drop(&mut self) {
        self.port.lock().answer(Err((RequestCode::InternalError, UNANSWERED.to_owned())));
        self.port.ring();
    }
}

/// The peer's SUBSCRIBE_NAMESPACE.
#[derive(Debug)]
pub struct NamespaceSubscriptionRequest {
    prefix: Namespace,
    pub(super) port: Arc<Port<Telling>>,
}

impl NamespaceSubscriptionRequest {
    pub(crate) fn new(prefix: Namespace, port: Arc<Port<Telling>>) -> Self {
        Self { prefix, port }
    }

    /// Below what.
    pub fn prefix(&self) -> &Namespace {
        &self.prefix
    }
    /// The tokens that it came with (draft-18 §10.2.2). Whether they are good is for the application.
    pub fn tokens(&self) -> Vec<AuthToken> {
        self.port.aside.tokens()
    }
    /// Takes it; the peer is then told with `tell`.
    pub fn accept(self) -> NamespaceWriter {
        self.port.lock().life.answer(Ok(()));
        self.port.ring();
        NamespaceWriter::new(Arc::clone(&self.port))
    }
    /// Refuses it.
    pub fn reject(self, code: RequestCode, reason: &str) {
        self.port.lock().life.answer(Err((code, reason.to_owned())));
        self.port.ring();
    }
}

impl Drop for NamespaceSubscriptionRequest {
    fn drop(&mut self) {
        self.port.lock().life.answer(Err((RequestCode::InternalError, UNANSWERED.to_owned())));
        self.port.ring();
    }
}
