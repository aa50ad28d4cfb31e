//! A subscription that its publisher begins (draft-18 §10.10).

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Reading, SubscribeOk, SubscribeOptions, Subscription, TrackWriter, asked::UNANSWERED};
use crate::moqt::{
    AuthToken, RequestCode, TrackName,
    driver::{
        bell::{Bell, Port},
        calls::{Ask, Call, What},
    },
    session::{Stream, outbox::Outbox},
};

/// What a publisher says of a track that it offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishOffer {
    /// What it would answer to a SUBSCRIBE.
    pub ok: SubscribeOk,
    /// Whether objects come at once, before the offer is taken; `false`: only once the subscriber says so.
    pub forward: bool,
}

impl Default for PublishOffer {
    fn default() -> Self {
        Self { ok: SubscribeOk::default(), forward: true }
    }
}

/// The peer's PUBLISH. Objects that come before the answer wait, within bounds, for whoever accepts it.
/// Dropping it unanswered refuses it with INTERNAL_ERROR.
#[derive(Debug)]
pub struct PublishRequest {
    track: TrackName,
    offer: PublishOffer,
    stream: Stream,
    pub(super) port: Arc<Port<Reading>>,
}

impl PublishRequest {
    pub(crate) fn new(
        track: TrackName,
        offer: PublishOffer,
        stream: Stream,
        port: Arc<Port<Reading>>,
    ) -> Self {
        Self { track, offer, stream, port }
    }

    /// The track.
    pub fn track(&self) -> &TrackName {
        &self.track
    }
    /// What the publisher says of it.
    pub fn offer(&self) -> &PublishOffer {
        &self.offer
    }
    /// The tokens that it came with (draft-18 §10.2.2). Whether they are good is for the application.
    pub fn tokens(&self) -> Vec<AuthToken> {
        self.port.aside.tokens()
    }
    /// Takes it: a subscription as SUBSCRIBE makes one. `options.forward` decides whether objects come,
    /// whatever the offer said. `options.new_group` is left out for a track that begins no groups on demand.
    pub fn accept(self, options: SubscribeOptions) -> Subscription {
        self.port.lock().answer(Ok(options));
        self.port.ring();
        Subscription::taken(self.stream, Arc::clone(&self.port), self.offer.ok.clone())
    }
    /// Refuses it, as with `UNINTERESTED`; what came of it is let go.
    pub fn reject(self, code: RequestCode, reason: &str) {
        self.port.lock().answer(Err((code, reason.to_owned())));
        self.port.ring();
    }
}

impl Drop for PublishRequest {
    fn drop(&mut self) {
        // Does nothing after an answer.
        self.port.lock().answer(Err((RequestCode::InternalError, UNANSWERED.to_owned())));
        self.port.ring();
    }
}

impl TrackWriter {
    pub(crate) fn ask(
        bell: &Arc<Bell>,
        stream: Stream,
        track: TrackName,
        offer: PublishOffer,
    ) -> (Self, Ask<()>) {
        let port = Port::new(bell, stream, Outbox::offered(offer.clone()));
        let (reply, answer) = oneshot::channel();
        let what = What::Publish { track, offer, port: Arc::clone(&port), reply };
        (Self::new(port), Ask { call: Call { stream, what }, answer })
    }
}
