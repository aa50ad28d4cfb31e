//! A namespace or tracks subscription of the peer's that is to have another prefix (draft-18 §10.9.2).

use std::{future::poll_fn, sync::Arc};

use super::{NamespaceWriter, Telling, TracksWriter};
use crate::moqt::{Namespace, RequestCode, TrackName, driver::bell::Port};

/// The peer wants to be told of what is below another prefix. Dropping it unanswered ends its subscription
/// with INTERNAL_ERROR.
#[derive(Debug)]
pub struct PrefixRequest {
    prefix: Namespace,
    port: Below,
}

#[derive(Debug)]
enum Below {
    Namespaces(Arc<Port<Telling>>),
    Tracks(Arc<Port<Telling<TrackName>>>),
}

impl NamespaceWriter {
    /// Waits until the peer asks for another prefix; `None` once it cancelled or the session ended.
    /// Cancelling it loses nothing.
    pub async fn prefix_asked(&mut self) -> Option<PrefixRequest> {
        let prefix = poll_fn(|cx| self.port.lock().poll_prefix(cx.waker())).await?;
        Some(PrefixRequest { prefix, port: Below::Namespaces(Arc::clone(&self.port)) })
    }
}

impl TracksWriter {
    /// Waits until the peer asks for another prefix; `None` once it cancelled or the session ended.
    /// Cancelling it loses nothing.
    pub async fn prefix_asked(&mut self) -> Option<PrefixRequest> {
        let prefix = poll_fn(|cx| self.port.lock().poll_prefix(cx.waker())).await?;
        Some(PrefixRequest { prefix, port: Below::Tracks(Arc::clone(&self.port)) })
    }
}

impl PrefixRequest {
    /// Below what.
    pub fn prefix(&self) -> &Namespace {
        &self.prefix
    }
    /// Takes it. The peer forgets what it was told of namespaces outside of the new prefix; what else is
    /// below it is to be told with `tell`. Tracks that were offered go on; what else is below it is to be
    /// offered.
    pub fn accept(self) {
        self.answer(Ok(()));
    }
    /// Refuses it, which ends the subscription.
    pub fn reject(self, code: RequestCode, reason: &str) {
        self.answer(Err((code, reason.to_owned())));
    }

    /// Does nothing after another answer.
    fn answer(&self, answer: Result<(), (RequestCode, String)>) {
        match &self.port {
            Below::Namespaces(port) => {
                port.lock().answer_prefix(answer);
                port.ring();
            }
            Below::Tracks(port) => {
                port.lock().answer_prefix(answer);
                port.ring();
            }
        }
    }
}

impl Drop for PrefixRequest {
    fn drop(&mut self) {
        let reason = "the change was dropped without an answer".to_owned();
        self.answer(Err((RequestCode::InternalError, reason)));
    }
}
