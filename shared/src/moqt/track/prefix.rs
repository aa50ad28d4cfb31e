//! A namespace subscription of the peer's that is to have another prefix (draft-18 §10.10.2).

use std::{future::poll_fn, sync::Arc};

use super::{NamespaceWriter, Telling};
use crate::moqt::{Namespace, RequestCode, driver::bell::Port};

/// The peer wants to be told of namespaces below another prefix. Dropping it unanswered ends its
/// subscription with INTERNAL_ERROR.
#[derive(Debug)]
pub struct PrefixRequest {
    prefix: Namespace,
    port: Arc<Port<Telling>>,
}

impl NamespaceWriter {
    /// Waits until the peer asks for another prefix; `None` once it cancelled or the session ended.
    /// Cancelling it loses nothing.
    pub async fn prefix_asked(&mut self) -> Option<PrefixRequest> {
        let prefix = poll_fn(|cx| self.port.lock().poll_prefix(cx.waker())).await?;
        Some(PrefixRequest { prefix, port: Arc::clone(&self.port) })
    }
}

impl PrefixRequest {
    /// Below what.
    pub fn prefix(&self) -> &Namespace {
        &self.prefix
    }
    /// Takes it. The peer forgets what it was told outside of the new prefix; what else is below it is to
    /// be told with `tell`.
    pub fn accept(self) {
        self.port.lock().answer_prefix(Ok(()));
        self.port.ring();
    }
    /// Refuses it, which ends the subscription.
    pub fn reject(self, code: RequestCode, reason: &str) {
        self.port.lock().answer_prefix(Err((code, reason.to_owned())));
        self.port.ring();
    }
}

impl Drop for PrefixRequest {
    fn drop(&mut self) {
        // Does nothing after an answer.
        let reason = "the change was dropped without an answer".to_owned();
        self.port.lock().answer_prefix(Err((RequestCode::InternalError, reason)));
        self.port.ring();
    }
}
