//! All tracks below a prefix (draft-18 §10.19): each is offered by a PUBLISH of its own.

use std::{future::poll_fn, sync::Arc, task::Poll};

use tokio::sync::oneshot;

use super::{
    Refused, Telling, Updated,
    asked::UNANSWERED,
    reader::{answer, asked, ready},
};
use crate::moqt::{
    AuthToken, Namespace, RequestCode, TrackName,
    driver::{
        bell::{Bell, Port},
        calls::{Ask, Call, What},
    },
    session::{Stream, inbox::Inbox},
};

/// What a subscriber asks for with all tracks below a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TracksOptions {
    /// Whether objects of a track come at once, before its offer is taken.
    pub forward: bool,
}

impl Default for TracksOptions {
    fn default() -> Self {
        Self { forward: true }
    }
}

/// A granted SUBSCRIBE_TRACKS: the tracks come as [`Request::Publish`](super::Request::Publish). Dropping it
/// cancels it; tracks that were taken go on.
#[derive(Debug)]
pub struct TracksSubscription {
    pub(super) port: Arc<Port<Inbox<TrackName>>>,
}

impl TracksSubscription {
    pub(crate) fn ask(
        bell: &Arc<Bell>,
        stream: Stream,
        prefix: Namespace,
        options: TracksOptions,
    ) -> (Self, Ask<()>) {
        let port = Port::new(bell, stream, Inbox::default());
        let (reply, answer) = oneshot::channel();
        let what = What::Collect { prefix, options, port: Arc::clone(&port), reply };
        (Self { port }, Ask { call: Call { stream, what }, answer })
    }

    /// Asks for the tracks below another prefix; those that were offered go on. It is asked for also where
    /// the answer is not waited for (draft-18 §10.9.2).
    ///
    /// # Errors
    /// [`Refused`] by the peer, which ends the subscription then, or by its end.
    pub fn set_prefix(
        &self,
        prefix: Namespace,
    ) -> impl Future<Output = Result<Updated, Refused>> + Send + use<> {
        answer(asked(&self.port, Vec::new(), |parameters| parameters.prefix = Some(prefix)))
    }

    /// The next track that the publisher has and cannot offer (PUBLISH_BLOCKED, draft-18 §10.20): it can be
    /// subscribed to instead. `None` once the publisher or the session ended it.
    pub async fn blocked(&mut self) -> Option<TrackName> {
        poll_fn(|cx| {
            let popped = self.port.lock().pop(cx.waker());
            ready(&self.port, popped)
        })
        .await
    }
}

impl Drop for TracksSubscription {
    fn drop(&mut self) {
        self.port.lock().leave();
        self.port.ring();
    }
}

/// The peer's SUBSCRIBE_TRACKS. Dropping it unanswered refuses it with INTERNAL_ERROR.
#[derive(Debug)]
pub struct TracksRequest {
    prefix: Namespace,
    options: TracksOptions,
    pub(super) port: Arc<Port<Telling<TrackName>>>,
}

impl TracksRequest {
    pub(crate) fn new(
        prefix: Namespace,
        options: TracksOptions,
        port: Arc<Port<Telling<TrackName>>>,
    ) -> Self {
        Self { prefix, options, port }
    }

    /// Below what.
    pub fn prefix(&self) -> &Namespace {
        &self.prefix
    }
    /// How the tracks are to be offered: `forward` is that of every offer which this causes.
    pub fn options(&self) -> TracksOptions {
        self.options
    }
    /// The tokens that it came with (draft-18 §10.2.2). Whether they are good is for the application.
    pub fn tokens(&self) -> Vec<AuthToken> {
        self.port.aside.tokens()
    }
    /// Takes it; every track below the prefix is then offered with
    /// [`Session::publish`](crate::moqt::Session::publish), now and later, until the peer cancels.
    pub fn accept(self) -> TracksWriter {
        self.port.lock().life.answer(Ok(()));
        self.port.ring();
        TracksWriter { port: Arc::clone(&self.port) }
    }
    /// Refuses it.
    pub fn reject(self, code: RequestCode, reason: &str) {
        self.port.lock().life.answer(Err((code, reason.to_owned())));
        self.port.ring();
    }
}

impl Drop for TracksRequest {
    fn drop(&mut self) {
        // Does nothing after an answer.
        self.port.lock().life.answer(Err((RequestCode::InternalError, UNANSWERED.to_owned())));
        self.port.ring();
    }
}

/// Our side of the peer's SUBSCRIBE_TRACKS. Dropping it ends it; offers that were made go on.
#[derive(Debug)]
pub struct TracksWriter {
    pub(super) port: Arc<Port<Telling<TrackName>>>,
}

impl TracksWriter {
    /// Tells the peer of a track that cannot be offered to it (PUBLISH_BLOCKED, draft-18 §10.20): an offer
    /// of it is refused on this side from now on. `false` once the peer cancelled, or fell so far behind
    /// that it was.
    pub fn blocked(&self, track: TrackName) -> bool {
        let is_open = self.port.lock().push(track);
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

impl Drop for TracksWriter {
    fn drop(&mut self) {
        self.port.lock().life.leave();
        self.port.ring();
    }
}
