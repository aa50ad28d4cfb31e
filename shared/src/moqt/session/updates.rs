//! REQUEST_UPDATE on both sides (draft-18 §10.9).

use std::collections::VecDeque;

use super::{
    Core, Event, Kind, Request, Stream,
    namespaces::Below,
    requests::{SESSION_ONLY, clipped},
    violation,
};
use crate::moqt::{
    AuthToken, Location, Namespace, Refused, RequestCode, Updated,
    wire::{Message, Parameters, RequestError, RequestOk, RequestUpdate, WireError},
};

/// Updates of ours on one request that may be without an answer.
pub(crate) const MAX_UNANSWERED: usize = 16;

/// The updates of one request.
#[derive(Debug, Default)]
pub(super) struct Updates {
    /// The peer's that wait.
    held: VecDeque<(Parameters, Vec<AuthToken>)>,
    /// What the application is asked about: a new prefix.
    asked: Option<Namespace>,
    /// One of the peer's failed; nothing follows it.
    has_failed: bool,
    /// Ours without an answer, each with the prefix that it asks for.
    unanswered: VecDeque<Option<Namespace>>,
}

impl Updates {
    /// The prefix that the application is asked about.
    pub(super) fn asked(&self) -> Option<&Namespace> {
        self.asked.as_ref()
    }

    /// Updates of ours without an answer.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }
}

impl Core {
    /// An update of the peer's. What answers it must not be taken for the answer to its request: before
    /// that, it waits.
    pub(super) fn update_asked(&mut self, stream: Stream, update: RequestUpdate) -> Result<(), WireError> {
        self.ids.take(update.request)?;
        let mut message = Message::RequestUpdate(update);
        let tokens = self.take_message_tokens(&mut message)?;
        let Message::RequestUpdate(RequestUpdate { parameters, .. }) = message else { return Ok(()) };
        let Some(request) = self.requests.get_mut(&stream) else { return Ok(()) };
        check(request, &parameters)?;
        let tokens = match tokens {
            _ if request.updates.has_failed => return Ok(()),
            Ok(tokens) => tokens,
            Err((code, reason)) => {
                self.fail_update(stream, code, reason);
                return Ok(());
            }
        };
        if let Kind::Publishing(publishing) = &mut request.kind {
            publishing.update(&parameters);
        }
        if request.updates.held.len() >= self.limits.waiting_updates {
            self.fail_update(stream, RequestCode::ExcessiveLoad, "too many updates wait for an answer");
            return Ok(());
        }
        request.updates.held.push_back((parameters, tokens));
        self.apply_held(stream);
        Ok(())
    }

    /// Updates take their turn, as long as none waits for the application.
    pub(super) fn apply_held(&mut self, stream: Stream) {
        while let Some(request) = self.requests.get_mut(&stream)
            && request.is_granted()
            && request.updates.asked.is_none()
            && let Some((parameters, tokens)) = request.updates.held.pop_front()
        {
            if !tokens.is_empty() {
                self.tell(stream, Event::Tokens(tokens));
            }
            self.apply_update(stream, parameters);
        }
    }

    fn apply_update(&mut self, stream: Stream, parameters: Parameters) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        match (&request.kind, parameters.prefix.clone()) {
            (Kind::Publishing(_) | Kind::Serving(_), _) => {
                self.tell(stream, Event::Update(Box::new(parameters)));
            }
            (Kind::Telling(_) | Kind::Offering(_), Some(prefix)) if prefix.is_of_the_session() => {
                self.fail_update(stream, RequestCode::DoesNotExist, SESSION_ONLY);
            }
            (Kind::Telling(_) | Kind::Offering(_), Some(prefix)) => {
                let below = match request.kind {
                    Kind::Offering(_) => Below::Tracks,
                    _ => Below::Namespaces,
                };
                if let Some(other) = self.overlapping(stream, below, &prefix) {
                    let reason = format!("the prefix overlaps with the subscribed {other}");
                    return self.fail_update(stream, RequestCode::PrefixOverlap, &reason);
                }
                if let Some(request) = self.requests.get_mut(&stream) {
                    request.updates.asked = Some(prefix.clone());
                }
                self.tell(stream, Event::Prefix(prefix));
            }
            // A publisher has nothing to change of what it offered but its tokens.
            (Kind::Telling(_) | Kind::Offering(_) | Kind::Hearing { .. } | Kind::Subscribing(_), _) => {
                self.say_ok(stream, Parameters::default());
            }
            (
                Kind::Unread
                | Kind::Fetching(_)
                | Kind::Announcing { .. }
                | Kind::Learning(_)
                | Kind::Collecting(_)
                | Kind::Informing
                | Kind::Inquiring,
                _,
            ) => {}
        }
    }

    fn say_ok(&mut self, stream: Stream, parameters: Parameters) {
        self.send(stream, &Message::RequestOk(RequestOk { parameters, ..RequestOk::default() }));
    }

    /// Answers an update of the peer's to a subscription or a fetch, which has been applied.
    pub(crate) fn updated(&mut self, stream: Stream, largest: Option<Location>) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        let mut parameters = Parameters { largest, ..Parameters::default() };
        if let Kind::Publishing(publishing) = &mut request.kind {
            publishing.updated(largest);
            parameters.expires = publishing.expires();
        }
        self.say_ok(stream, parameters);
        self.release_joining(stream);
    }

    /// The application answers for the prefix that it was asked about. What follows is told relative to
    /// it; what was told outside of it is forgotten on both sides.
    pub(crate) fn grant_prefix(&mut self, stream: Stream) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        let Some(prefix) = request.updates.asked.take() else { return };
        match &mut request.kind {
            Kind::Telling(telling) => telling.set_prefix(prefix),
            Kind::Offering(offering) => offering.set_prefix(prefix),
            _ => {}
        }
        self.say_ok(stream, Parameters::default());
        self.apply_held(stream);
    }

    /// Refuses an update of the peer's, which ends its request (draft-18 §10.9.1): a subscription by
    /// PUBLISH_DONE, once its streams are closed, everything else at once.
    pub(crate) fn fail_update(&mut self, stream: Stream, code: RequestCode, reason: &str) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        request.updates.has_failed = true;
        request.updates.held.clear();
        if matches!(request.kind, Kind::Publishing(_)) && request.is_granted() {
            let error = RequestError { code, retry_after: None, reason: clipped(reason), redirect: None };
            self.send(stream, &Message::RequestError(error));
            self.tell(stream, Event::UpdateFailed(reason.to_owned()));
        } else {
            self.tell_end(stream);
            self.refuse_now(stream, code, reason);
        }
    }

    /// Changes a granted request of ours, with the tokens that are [carried](Self::carry); `false` where there is nothing to change any more.
    pub(crate) fn update(&mut self, stream: Stream, parameters: Parameters) -> bool {
        let tokens = std::mem::take(&mut self.tokens.carried);
        let Some(request) = self.requests.get_mut(&stream) else { return false };
        let may = match &request.kind {
            Kind::Subscribing(subscribing) => !subscribing.is_done(),
            _ => request.is_ours,
        };
        if !may {
            return false;
        }
        request.updates.unanswered.push_back(parameters.prefix.clone());
        let request = self.ids.next();
        let mut message = Message::RequestUpdate(RequestUpdate { request, parameters });
        self.put_tokens(stream, &mut message, &tokens);
        self.send(stream, &message);
        true
    }

    /// The peer answered an update of ours.
    pub(super) fn update_answered(&mut self, stream: Stream, ok: &Parameters) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        let prefix = request.updates.unanswered.pop_front().flatten();
        let Parameters { largest, expires, .. } = *ok;
        let withdrawn = match (&mut request.kind, prefix) {
            (Kind::Learning(learning), Some(prefix)) => learning.set_prefix(prefix),
            (Kind::Collecting(collecting), Some(prefix)) => {
                collecting.set_prefix(prefix);
                Vec::new()
            }
            _ => Vec::new(),
        };
        for namespace in withdrawn {
            self.tell(stream, Event::Namespace(crate::moqt::NamespaceEvent::Withdrawn(namespace)));
        }
        self.tell(stream, Event::Updated(Ok(Updated { largest, expires })));
    }

    /// The peer refused an update of ours. No other is answered after that, and the request is over: the
    /// peer still says so for a subscription, and resets a fetch.
    pub(super) fn update_refused(&mut self, stream: Stream, error: RequestError) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        let RequestError { code, reason, retry_after, .. } = error;
        let refused = Refused::Error { code, reason, retry_after };
        let unanswered = std::mem::take(&mut request.updates.unanswered).len();
        let is_of_namespaces = request.is_of_namespaces();
        for _ in 0..unanswered {
            self.tell(stream, Event::Updated(Err(refused.clone())));
        }
        if is_of_namespaces {
            self.answer_missing(stream, "an update was refused");
            self.retire(stream);
        }
    }
}

/// Which parameters an update has a place for is a matter of its request (draft-18 §10.2).
fn check(request: &Request, parameters: &Parameters) -> Result<(), WireError> {
    if matches!(request.kind, Kind::Informing) {
        return Err(violation("TRACK_STATUS cannot be updated"));
    }
    let is_subscription = matches!(request.kind, Kind::Publishing(_) | Kind::Subscribing(_));
    let is_fetch = matches!(request.kind, Kind::Serving(_));
    let is_namespaces = matches!(request.kind, Kind::Telling(_) | Kind::Offering(_));
    let wrong = [
        ("FORWARD", parameters.forward.is_some() && !is_subscription),
        ("SUBSCRIPTION_FILTER", parameters.filter.is_some() && !is_subscription),
        ("NEW_GROUP_REQUEST", parameters.new_group.is_some() && !is_subscription),
        ("SUBSCRIBER_PRIORITY", parameters.priority.is_some() && !is_subscription && !is_fetch),
        ("TRACK_NAMESPACE_PREFIX", parameters.prefix.is_some() && !is_namespaces),
    ];
    match wrong.into_iter().find(|(_, is_wrong)| *is_wrong) {
        Some((name, _)) => Err(violation(&format!("REQUEST_UPDATE: {name} has no place in this request's"))),
        None => Ok(()),
    }
}
