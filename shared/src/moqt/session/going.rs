//! GOAWAY (draft-18 §10.4).

use std::time::{Duration, Instant};

use super::{Core, Event, Output, Request, Stream, violation};
use crate::moqt::{
    GoingAway, Refused, RequestCode, ResetCode, Role, SessionCode,
    wire::{Goaway, Message, RequestId, WireError},
};

#[derive(Debug, Default)]
pub(super) struct Going {
    is_sent: bool,
    is_received: bool,
    leave_by: Option<Instant>,
}

/// GOAWAY on one request stream.
#[derive(Debug, Default)]
pub(super) struct RequestGoing {
    is_sent: bool,
    is_received: bool,
    /// When it is reset.
    pub(super) leave_by: Option<Instant>,
}

impl Going {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.leave_by
    }

    /// After GOAWAY the peer's requests are refused.
    pub(super) fn refuses_theirs(&self) -> bool {
        self.is_sent
    }

    /// After the peer's GOAWAY nothing new is asked of it.
    pub(super) fn refuses_ours(&self) -> Option<Refused> {
        self.is_received.then(refusal)
    }

    pub(super) fn tick(&mut self, now: Instant, open: usize) -> Option<(SessionCode, &'static str)> {
        self.leave_by.filter(|&by| by <= now)?;
        self.leave_by = None;
        Some(if open == 0 {
            (SessionCode::NoError, "gone away")
        } else {
            (SessionCode::GoawayTimeout, "requests were still open when the time after GOAWAY was over")
        })
    }
}

impl Core {
    /// Asks the peer to leave, once. A client cannot name a URI: it sends an empty one. After `timeout`,
    /// where it is not zero, the session closes.
    pub(crate) fn goaway(&mut self, now: Instant, uri: &str, timeout: Duration) {
        if self.going.is_sent || self.is_closed {
            return;
        }
        self.going.is_sent = true;
        self.going.leave_by = now.checked_add(timeout).filter(|_| !timeout.is_zero());
        let uri = if self.role == Role::Server { uri.to_owned() } else { String::new() };
        let request = Some(self.ids.peer_next());
        self.send_control(&Message::Goaway(Goaway { uri, timeout, request }));
    }

    /// Asks the peer to take one request elsewhere, once. After the timeout, where it is not zero, it is
    /// reset.
    pub(crate) fn request_goaway(&mut self, now: Instant, stream: Stream, to: GoingAway) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        if std::mem::replace(&mut request.going.is_sent, true) {
            return;
        }
        let GoingAway { mut uri, timeout } = to;
        if self.role == Role::Client {
            uri.clear();
        }
        request.going.leave_by = now.checked_add(timeout).filter(|_| !timeout.is_zero());
        self.timers.extend(request.going.leave_by.map(|by| (by, stream)));
        self.send(stream, &Message::Goaway(Goaway { uri, timeout, request: None }));
    }

    /// The time of a request that was to leave may be over.
    pub(super) fn leave_timer(&mut self, now: Instant, stream: Stream) {
        let Some(request) = self.requests.get(&stream) else { return };
        if request.going.leave_by.is_none_or(|by| by > now) {
            return;
        }
        if request.takes_answers() {
            self.answer_missing(stream, "the peer did not take it elsewhere in time");
        } else {
            self.tell_end(stream);
        }
        self.cancel(stream, ResetCode::GoingAway);
    }

    /// The peer wants one request elsewhere. It goes on until either side ends it.
    pub(super) fn goaway_asked(&mut self, stream: Stream, goaway: Goaway) -> Result<(), WireError> {
        if goaway.request.is_some() {
            return Err(violation("GOAWAY on a request stream names a request ID"));
        }
        self.check_goaway_uri(&goaway)?;
        let Some(request) = self.requests.get_mut(&stream) else { return Ok(()) };
        if std::mem::replace(&mut request.going.is_received, true) {
            return Err(violation("a second GOAWAY came on one request stream"));
        }
        let Goaway { uri, timeout, .. } = goaway;
        self.tell(stream, Event::GoingAway(GoingAway { uri, timeout }));
        Ok(())
    }

    fn check_goaway_uri(&self, goaway: &Goaway) -> Result<(), WireError> {
        match self.role {
            Role::Server if !goaway.uri.is_empty() => Err(violation("a client's GOAWAY names a URI")),
            Role::Server | Role::Client => Ok(()),
        }
    }

    pub(super) fn control_goaway(&mut self, goaway: Goaway) -> Result<(), WireError> {
        if self.going.is_received {
            return Err(violation("the peer sent a second GOAWAY"));
        }
        self.check_goaway_uri(&goaway)?;
        let first = match goaway.request {
            Some(id) if self.ids.is_ours(id) => id,
            Some(id) => {
                return Err(WireError {
                    code: SessionCode::InvalidRequestId,
                    reason: format!("GOAWAY names request ID {}, which is not one of this side's", id.0),
                });
            }
            None => return Err(violation("GOAWAY on the control stream lacks its request ID")),
        };
        self.going.is_received = true;
        let Goaway { uri, timeout, .. } = goaway;
        self.outputs.push_back(Output::GoingAway(GoingAway { uri, timeout }));
        self.refuse_unhandled(first);
        Ok(())
    }

    /// The peer did not handle our requests from `first` on, and will not: they are refused as if it had
    /// said so already.
    fn refuse_unhandled(&mut self, first: RequestId) {
        let is_unhandled = |request: &Request| request.is_ours && request.id >= first && !request.is_answered;
        let mut unhandled: Vec<_> = self
            .requests
            .iter()
            .filter(|(_, r)| is_unhandled(r))
            .map(|(&stream, r)| (r.id, stream))
            .collect();
        unhandled.sort_unstable();
        for (_, stream) in unhandled {
            self.tell(stream, Event::Refused(refusal()));
            self.cancel(stream, ResetCode::GoingAway);
        }
    }
}

fn refusal() -> Refused {
    Refused::Error {
        code: RequestCode::GoingAway,
        reason: "the peer is going away: connect anew".to_owned(),
        retry_after: None,
    }
}
