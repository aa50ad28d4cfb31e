//! The peer's requests, and how request streams end (draft-18 §3.3.2, §10).

use std::time::{Duration, Instant};

use super::{Asked, Core, Kind, Output, Stream, encode, violation};
use crate::moqt::{
    Limits, Namespace, RequestCode, ResetCode, Role,
    driver::Refusal,
    wire::{Message, RequestError, RequestId, WireError},
};

/// Why nothing can be asked for in the session's own namespaces.
pub(super) const SESSION_ONLY: &str = "namespaces that begin with . or .session are the session's own";
/// What a peer whose request is too much is told to wait, where the application does not say.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Core {
    /// Reads what came on a request stream, message by message.
    pub(super) fn read_request(&mut self, now: Instant, stream: Stream) -> Result<(), WireError> {
        while !self.is_closed {
            let Some(request) = self.requests.get_mut(&stream) else { break };
            let Some(message) = Message::decode(&mut request.input)? else { break };
            let is_unread = matches!(request.kind, Kind::Unread);
            match message {
                message if is_unread => self.asked(stream, message)?,
                Message::Goaway(goaway) => self.goaway_asked(stream, goaway)?,
                Message::RequestUpdate(update) if request.takes_updates() => {
                    self.update_asked(stream, update)?;
                }
                message if request.takes_answers() => self.answered(now, stream, message)?,
                other => return Err(misplaced(&other, "after a request")),
            }
        }
        Ok(())
    }

    /// The first message of a peer's request stream.
    fn asked(&mut self, stream: Stream, mut message: Message) -> Result<(), WireError> {
        let Some(id) = request_id(&message) else {
            return Err(misplaced(&message, "first on a request stream"));
        };
        self.ids.take(id)?;
        // What is registered counts, whatever becomes of the request.
        let tokens = self.take_message_tokens(&mut message)?;
        let open = self.requests.len();
        let Some(request) = self.requests.get_mut(&stream) else { return Ok(()) };
        request.id = id;
        let refused = if self.going.refuses_theirs() {
            Some((RequestCode::GoingAway, "this side is going away: connect anew"))
        } else if open > self.limits.requests {
            Some((RequestCode::ExcessiveLoad, "too many requests are open in this session"))
        } else if message.namespace().is_some_and(|namespace| is_too_large(namespace, &self.limits)) {
            Some((RequestCode::NotSupported, "the namespace has more fields or bytes than are taken here"))
        } else if message.namespace().is_some_and(Namespace::is_of_the_session) {
            Some((RequestCode::DoesNotExist, SESSION_ONLY))
        } else {
            None
        };
        let refused = refused.or_else(|| tokens.as_ref().err().copied());
        if let Some((code, reason)) = refused {
            if let Message::Publish(publish) = &message {
                self.aliases.refuse(publish.alias);
            }
            self.refuse_now(stream, code, reason);
            return Ok(());
        }
        request.tokens = tokens.unwrap_or_default();
        match message {
            Message::Subscribe(ask) => self.subscribe_asked(stream, ask),
            Message::Fetch(ask) => self.fetch_asked(stream, ask),
            Message::PublishNamespace(ask) => {
                self.put(stream, Kind::Hearing { granted: false }, Asked::Announce(ask.namespace));
            }
            Message::SubscribeNamespace(ask) => self.learn_asked(stream, ask.prefix),
            Message::TrackStatus(ask) => self.status_asked(stream, ask),
            Message::Publish(ask) => self.publish_asked(stream, ask)?,
            Message::SubscribeTracks(ask) => self.tracks_asked(stream, ask),
            // None of them has a request ID.
            other => return Err(misplaced(&other, "first on a request stream")),
        }
        Ok(())
    }

    /// Refuses a request of the peer's on behalf of the application.
    pub(crate) fn refuse(&mut self, stream: Stream, code: RequestCode, reason: &str) {
        self.refuse_now(stream, code, reason);
    }

    /// What goes with the refusal of a request of the peer's that follows. A client's redirect has no URI,
    /// one of namespaces no track name (draft-18 §10.6.1).
    pub(crate) fn set_refusal(&mut self, stream: Stream, mut refusal: Refusal) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        if let Some(redirect) = &mut refusal.redirect {
            if self.role == Role::Client {
                redirect.uri.clear();
            }
            if request.is_of_namespaces() {
                redirect.track.name.clear();
            }
        }
        request.refusal = refusal;
    }

    pub(super) fn refuse_now(&mut self, stream: Stream, code: RequestCode, reason: &str) {
        let Some(request) = self.forget(stream) else { return };
        let Refusal { retry_after, redirect } = request.refusal;
        let is_full = code == RequestCode::ExcessiveLoad;
        let retry_after = retry_after.or(is_full.then_some(RETRY_AFTER));
        let redirect = redirect.filter(|_| code == RequestCode::Redirect);
        let error = RequestError { code, retry_after, reason: clipped(reason), redirect };
        match encode(&Message::RequestError(error)) {
            Ok(bytes) => {
                self.outputs.push_back(Output::Send(stream, bytes));
                self.outputs.push_back(Output::Retire(stream));
            }
            Err(_) => self.outputs.push_back(Output::Abandon(stream, ResetCode::InternalError)),
        }
    }

    /// Keeps a request of the peer's and asks the application.
    pub(super) fn put(&mut self, stream: Stream, kind: Kind, asked: Asked) {
        if let Some(request) = self.requests.get_mut(&stream) {
            request.kind = kind;
            self.outputs.push_back(Output::Asked(stream, asked));
        }
    }

    /// The peer finished its half.
    pub(super) fn request_finished(&mut self, stream: Stream) -> Result<(), WireError> {
        let Some(request) = self.requests.get(&stream) else { return Ok(()) };
        if !request.input.is_empty() {
            return Err(violation("a request stream ended in the middle of a message"));
        }
        if request.takes_answers() {
            self.answer_finished(stream);
            return Ok(());
        }
        match &request.kind {
            // The requester will not change it any more.
            Kind::Publishing(_) | Kind::Serving(_) | Kind::Informing => {}
            // Draft-18 §6.1: a FIN takes it back; an announcement likewise.
            Kind::Hearing { .. } | Kind::Telling(_) | Kind::Offering(_) => {
                self.tell_end(stream);
                self.retire(stream);
            }
            Kind::Unread => self.retire(stream),
            Kind::Subscribing(_)
            | Kind::Fetching(_)
            | Kind::Announcing { .. }
            | Kind::Learning(_)
            | Kind::Collecting(_)
            | Kind::Inquiring => {}
        }
        Ok(())
    }

    /// The peer reset its half of a request stream, or stopped ours for good.
    pub(super) fn request_cancelled(&mut self, stream: Stream, code: u64) {
        let Some(request) = self.requests.get(&stream) else { return };
        if request.takes_answers() {
            let reason = format!("the peer cancelled it with {}", ResetCode(code));
            self.answer_missing(stream, &reason);
        } else {
            self.tell_end(stream);
        }
        self.cancel(stream, ResetCode::Cancelled);
    }

    /// Ends our half in order and forgets the request.
    pub(super) fn retire(&mut self, stream: Stream) {
        if self.forget(stream).is_some() {
            self.outputs.push_back(Output::Retire(stream));
        }
    }
}

/// The request ID of a message that may begin a request stream.
fn request_id(message: &Message) -> Option<RequestId> {
    match message {
        Message::Subscribe(m) => Some(m.request),
        Message::Publish(m) => Some(m.request),
        Message::Fetch(m) => Some(m.request),
        Message::TrackStatus(m) => Some(m.request),
        Message::PublishNamespace(m) => Some(m.request),
        Message::SubscribeNamespace(m) => Some(m.request),
        Message::SubscribeTracks(m) => Some(m.request),
        Message::Setup(_)
        | Message::Goaway(_)
        | Message::SubscribeOk(_)
        | Message::RequestUpdate(_)
        | Message::PublishDone(_)
        | Message::FetchOk(_)
        | Message::Namespace(_)
        | Message::NamespaceDone(_)
        | Message::PublishBlocked(_)
        | Message::RequestOk(_)
        | Message::RequestError(_) => None,
    }
}

/// The draft's name of a message.
pub(super) fn name(message: &Message) -> &'static str {
    match message {
        Message::Setup(_) => "SETUP",
        Message::Goaway(_) => "GOAWAY",
        Message::Subscribe(_) => "SUBSCRIBE",
        Message::SubscribeOk(_) => "SUBSCRIBE_OK",
        Message::RequestUpdate(_) => "REQUEST_UPDATE",
        Message::Publish(_) => "PUBLISH",
        Message::PublishDone(_) => "PUBLISH_DONE",
        Message::Fetch(_) => "FETCH",
        Message::FetchOk(_) => "FETCH_OK",
        Message::TrackStatus(_) => "TRACK_STATUS",
        Message::PublishNamespace(_) => "PUBLISH_NAMESPACE",
        Message::Namespace(_) => "NAMESPACE",
        Message::NamespaceDone(_) => "NAMESPACE_DONE",
        Message::SubscribeNamespace(_) => "SUBSCRIBE_NAMESPACE",
        Message::SubscribeTracks(_) => "SUBSCRIBE_TRACKS",
        Message::PublishBlocked(_) => "PUBLISH_BLOCKED",
        Message::RequestOk(_) => "REQUEST_OK",
        Message::RequestError(_) => "REQUEST_ERROR",
    }
}

pub(super) fn misplaced(message: &Message, place: &str) -> WireError {
    violation(&format!("{} may not come {place}", name(message)))
}

/// A reason phrase has at most 1024 bytes (draft-18 §1.4.4).
pub(super) fn clipped(reason: &str) -> String {
    let mut end = reason.len().min(1024);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].to_owned()
}

/// Whether a namespace is over a bound of this side.
fn is_too_large(namespace: &Namespace, limits: &Limits) -> bool {
    let fields = namespace.fields();
    let bytes: usize = fields.iter().map(bytes::Bytes::len).sum();
    fields.len() > limits.namespace_fields || bytes > limits.namespace_bytes
}
