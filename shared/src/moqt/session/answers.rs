//! The peer's answers to our requests.

use std::time::Instant;

use super::{Core, Event, Kind, Request, Stream, requests::misplaced, violation};
use crate::moqt::{
    DoneCode, Redirect, Refused, RequestCode, Role,
    wire::{Message, Parameters, RequestError, RequestOk, WireError},
};

impl Core {
    /// A message of the peer on a request stream of ours.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        stream: Stream,
        message: Message,
    ) -> Result<(), WireError> {
        let Some(request) = self.requests.get_mut(&stream) else { return Ok(()) };
        let (is_granted, updates) = (request.is_granted(), request.updates.unanswered());
        if is_answer(&message) && updates <= usize::from(is_granted) {
            self.tokens.given.answered(stream);
        }
        request.is_answered |= is_answer(&message);
        match message {
            Message::RequestError(error) if request.is_ours && !is_granted => {
                return self.refused(stream, error);
            }
            Message::RequestError(error) if updates > 0 => {
                self.update_refused(stream, error);
                return Ok(());
            }
            Message::RequestOk(ok) if is_granted && updates > 0 => {
                let misplaced = match &request.kind {
                    Kind::Subscribing(_) => {
                        Parameters { largest: None, expires: None, ..ok.parameters.clone() }
                    }
                    _ => ok.parameters.clone(),
                };
                check_ok(&ok, &misplaced)?;
                self.update_answered(stream, &ok.parameters);
                return Ok(());
            }
            _ => {}
        }
        match (&mut request.kind, message) {
            (Kind::Subscribing(s), Message::SubscribeOk(ok)) if s.alias().is_none() => {
                self.subscribed(stream, ok)
            }
            (Kind::Publishing(_), Message::RequestOk(ok)) if !is_granted => self.offer_taken(stream, ok),
            (Kind::Subscribing(s), Message::PublishDone(done)) if s.alias().is_some() => {
                self.done_told(now, stream, done)
            }
            (Kind::Fetching(_), Message::FetchOk(ok)) if !is_granted => self.fetched(stream, &ok),
            (Kind::Announcing { granted }, Message::RequestOk(ok)) if !is_granted => {
                check_ok(&ok, &ok.parameters)?;
                *granted = true;
                self.tell(stream, Event::Granted);
                Ok(())
            }
            (Kind::Learning(learning), Message::RequestOk(ok)) if !is_granted => {
                check_ok(&ok, &ok.parameters)?;
                learning.is_granted = true;
                self.tell(stream, Event::Granted);
                Ok(())
            }
            (Kind::Collecting(collecting), Message::RequestOk(ok)) if !is_granted => {
                check_ok(&ok, &ok.parameters)?;
                collecting.is_granted = true;
                self.tell(stream, Event::Granted);
                Ok(())
            }
            (Kind::Collecting(_), Message::PublishBlocked(blocked)) if is_granted => {
                self.blocked_told(stream, blocked)
            }
            (Kind::Inquiring, Message::RequestOk(ok)) => self.status_told(stream, ok),
            (Kind::Learning(_), Message::Namespace(suffix)) if is_granted => {
                self.namespace_came(stream, &suffix)
            }
            (Kind::Learning(_), Message::NamespaceDone(suffix)) if is_granted => {
                self.namespace_went(stream, &suffix)
            }
            (_, other) => {
                Err(misplaced(&other, if is_granted { "after the answer" } else { "as this answer" }))
            }
        }
    }

    fn refused(&mut self, stream: Stream, error: RequestError) -> Result<(), WireError> {
        let RequestError { code, retry_after, reason, redirect } = error;
        let refused = match redirect {
            Some(to) => {
                self.check_redirect(stream, &to)?;
                Refused::Redirected { to, reason, retry_after }
            }
            None => Refused::Error { code, reason, retry_after },
        };
        self.tell(stream, Event::Refused(refused));
        self.retire(stream);
        Ok(())
    }

    /// Draft-18 §10.6.1: a client cannot name a URI, and a namespace has no track name.
    fn check_redirect(&self, stream: Stream, to: &Redirect) -> Result<(), WireError> {
        if self.role == Role::Server && !to.uri.is_empty() {
            return Err(violation("a client's REDIRECT names a URI"));
        }
        let is_of_namespaces = self.requests.get(&stream).is_some_and(Request::is_of_namespaces);
        if is_of_namespaces && !to.track.name.is_empty() {
            return Err(violation("a REDIRECT of a namespace's request names a track"));
        }
        Ok(())
    }

    /// The peer's half of a request of ours ended in order.
    pub(super) fn answer_finished(&mut self, stream: Stream) {
        let Some(request) = self.requests.get(&stream) else { return };
        match &request.kind {
            // What it tells comes on data streams or has come.
            Kind::Subscribing(subscribing) if subscribing.is_done() => {}
            Kind::Fetching(fetching) if fetching.is_granted => {}
            // The subscriber will not change it any more.
            Kind::Publishing(publishing) if publishing.is_established() => {}
            _ => {
                self.answer_missing(stream, "the peer ended it without a word");
                self.retire(stream);
            }
        }
    }

    /// The peer ended a request of ours other than by an answer.
    pub(super) fn answer_missing(&mut self, stream: Stream, reason: &str) {
        let Some(request) = self.requests.get(&stream) else { return };
        let refused = || {
            let code = RequestCode::InternalError;
            Event::Refused(Refused::Error { code, reason: reason.to_owned(), retry_after: None })
        };
        let event = match &request.kind {
            Kind::Subscribing(s) if s.alias().is_some() => {
                Event::Done(DoneCode::InternalError, reason.to_owned())
            }
            Kind::Announcing { granted: true } => Event::Ended,
            Kind::Learning(learning) if learning.is_granted => {
                self.all_namespaces_went(stream);
                Event::Ended
            }
            Kind::Publishing(publishing) if publishing.is_established() => Event::Ended,
            Kind::Collecting(collecting) if collecting.is_granted => Event::Ended,
            Kind::Publishing(_)
            | Kind::Subscribing(_)
            | Kind::Fetching(_)
            | Kind::Announcing { .. }
            | Kind::Learning(_)
            | Kind::Collecting(_)
            | Kind::Inquiring => refused(),
            Kind::Unread
            | Kind::Serving(_)
            | Kind::Hearing { .. }
            | Kind::Telling(_)
            | Kind::Offering(_)
            | Kind::Informing => Event::Ended,
        };
        self.tell(stream, event);
    }
}

/// Whether a message answers a request or an update.
fn is_answer(message: &Message) -> bool {
    matches!(
        message,
        Message::RequestOk(_) | Message::RequestError(_) | Message::SubscribeOk(_) | Message::FetchOk(_)
    )
}

/// Only TRACK_STATUS is answered with properties, and what the answer at hand has no place for is
/// `misplaced` (draft-18 §10.5, §10.2).
fn check_ok(ok: &RequestOk, misplaced: &Parameters) -> Result<(), WireError> {
    if !ok.properties.0.is_empty() {
        return Err(violation("REQUEST_OK has track properties, and the request was not for them"));
    }
    if *misplaced != Parameters::default() {
        return Err(violation("REQUEST_OK has a parameter that has no place in this answer"));
    }
    Ok(())
}
