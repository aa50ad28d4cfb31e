//! GOAWAY (draft-18 §10.4).

use std::time::{Duration, Instant};

use super::{Core, Output, Stream, violation};
use crate::moqt::{
    Refused, RequestCode, Role, SessionCode,
    wire::{Goaway, Message, WireError},
};

#[derive(Debug, Default)]
pub(super) struct Going {
    is_sent: bool,
    is_received: bool,
    leave_by: Option<Instant>,
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
        self.is_received.then(|| Refused::Error {
            code: RequestCode::GoingAway,
            reason: "the peer is going away: connect anew".to_owned(),
            retry_after: None,
        })
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
        self.going.leave_by = (!timeout.is_zero()).then(|| now + timeout);
        let uri = if self.role == Role::Server { uri.to_owned() } else { String::new() };
        let request = Some(self.ids.peer_next());
        self.send_control(&Message::Goaway(Goaway { uri, timeout, request }));
    }

    /// The peer wants one request elsewhere. It goes on until either side ends it.
    pub(super) fn request_goaway(&mut self, stream: Stream, goaway: &Goaway) -> Result<(), WireError> {
        if goaway.request.is_some() {
            return Err(violation("GOAWAY on a request stream names a request ID"));
        }
        if self.role == Role::Server && !goaway.uri.is_empty() {
            return Err(violation("a client's GOAWAY names a URI"));
        }
        let Some(request) = self.requests.get_mut(&stream) else { return Ok(()) };
        if std::mem::replace(&mut request.is_going, true) {
            return Err(violation("a second GOAWAY came on one request stream"));
        }
        Ok(())
    }

    pub(super) fn control_goaway(&mut self, _now: Instant, goaway: &Goaway) -> Result<(), WireError> {
        if self.going.is_received {
            return Err(violation("the peer sent a second GOAWAY"));
        }
        if self.role == Role::Server && !goaway.uri.is_empty() {
            return Err(violation("a client's GOAWAY names a URI"));
        }
        match goaway.request {
            Some(id) if self.ids.is_ours(id) => {}
            Some(id) => {
                return Err(WireError {
                    code: SessionCode::InvalidRequestId,
                    reason: format!("GOAWAY names request ID {}, which is not one of this side's", id.0),
                });
            }
            None => return Err(violation("GOAWAY on the control stream lacks its request ID")),
        }
        self.going.is_received = true;
        self.outputs.push_back(Output::GoingAway { uri: goaway.uri.clone() });
        Ok(())
    }
}
