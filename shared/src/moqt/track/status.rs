//! What is asked of a track without subscribing to it (draft-18 §10.14).

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Life, TrackStatusOk, asked::UNANSWERED};
use crate::moqt::{
    AuthToken, RequestCode, TrackName,
    driver::{
        bell::{Bell, Port},
        calls::{Ask, Call, What},
    },
    session::Stream,
};

/// The peer's TRACK_STATUS. Dropping it unanswered refuses it with INTERNAL_ERROR.
#[derive(Debug)]
pub struct TrackStatusRequest {
    track: TrackName,
    pub(super) port: Arc<Port<Life<TrackStatusOk>>>,
}

impl TrackStatusRequest {
    pub(crate) fn new(track: TrackName, port: Arc<Port<Life<TrackStatusOk>>>) -> Self {
        Self { track, port }
    }

    /// The track.
    pub fn track(&self) -> &TrackName {
        &self.track
    }
    /// The tokens that it came with (draft-18 §10.2.2). Whether they are good is for the application.
    pub fn tokens(&self) -> Vec<AuthToken> {
        self.port.aside.tokens()
    }
    /// Says what the answer to a SUBSCRIBE would say now. No subscription comes of it.
    pub fn answer(self, ok: TrackStatusOk) {
        self.port.lock().answer(Ok(ok));
        self.port.ring();
    }
    /// Refuses it.
    pub fn reject(self, code: RequestCode, reason: &str) {
        self.port.lock().answer(Err((code, reason.to_owned())));
        self.port.ring();
    }
}

impl Drop for TrackStatusRequest {
    fn drop(&mut self) {
        // Does nothing after an answer.
        self.port.lock().answer(Err((RequestCode::InternalError, UNANSWERED.to_owned())));
        self.port.ring();
    }
}

/// Our TRACK_STATUS, until it is answered. Dropping it cancels the request.
#[derive(Debug)]
pub(crate) struct Inquiry(Arc<Port<Life>>);

impl Inquiry {
    pub(crate) fn ask(bell: &Arc<Bell>, stream: Stream, track: TrackName) -> (Self, Ask<TrackStatusOk>) {
        let port = Port::new(bell, stream, Life::default());
        let (reply, answer) = oneshot::channel();
        let what = What::Inquire { track, port: Arc::clone(&port), reply };
        (Self(port), Ask { call: Call { stream, what }, answer })
    }
}

impl Drop for Inquiry {
    fn drop(&mut self) {
        self.0.lock().leave();
        self.0.ring();
    }
}
