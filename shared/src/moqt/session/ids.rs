//! Request IDs and track aliases.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{Stream, violation};
use crate::moqt::{
    Role, SessionCode,
    wire::{RequestId, TrackAlias, WireError},
};

/// How many of the peer's request IDs may arrive before one that is missing; past it that one is taken
/// as lost. Requests travel on streams of their own, so that a later one can overtake.
const MAX_OUT_OF_ORDER: usize = 4096;
/// Aliases of ended subscriptions that are still known, so that their late streams are stopped at once.
const MAX_RETIRED: usize = 1024;

/// The request IDs of both sides (draft-18 §10.1).
#[derive(Debug)]
pub(super) struct RequestIds {
    next: u64,
    /// All of the peer's below this came, or never will: a request that is reset at once leaves no trace.
    peer_below: u64,
    /// Those that came at or above it.
    peer_above: BTreeSet<u64>,
    /// What comes after the largest of the peer's.
    peer_next: u64,
}

impl RequestIds {
    pub(super) fn new(role: Role) -> Self {
        let (ours, theirs) = match role {
            Role::Client => (0, 1),
            Role::Server => (1, 0),
        };
        Self { next: ours, peer_below: theirs, peer_above: BTreeSet::new(), peer_next: theirs }
    }

    /// What our next one will be.
    pub(super) fn peek(&self) -> RequestId {
        RequestId(self.next)
    }

    /// Our next one.
    pub(super) fn next(&mut self) -> RequestId {
        let id = self.next;
        self.next += 2;
        RequestId(id)
    }

    /// The parity of ours.
    pub(super) fn is_ours(&self, id: RequestId) -> bool {
        id.0 % 2 == self.next % 2
    }

    /// The smallest of the peer's after all that came.
    pub(super) fn peer_next(&self) -> RequestId {
        RequestId(self.peer_next)
    }

    /// Notes one of the peer's.
    pub(super) fn take(&mut self, id: RequestId) -> Result<(), WireError> {
        let wrong = |reason: String| Err(WireError { code: SessionCode::InvalidRequestId, reason });
        if self.is_ours(id) {
            return wrong(format!("request ID {} has the parity of the other side", id.0));
        }
        if id.0 < self.peer_below || !self.peer_above.insert(id.0) {
            return wrong(format!("request ID {} came twice", id.0));
        }
        self.peer_next = self.peer_next.max(id.0.saturating_add(2));
        if self.peer_above.len() > MAX_OUT_OF_ORDER
            && let Some(&first) = self.peer_above.first()
        {
            self.peer_below = first;
        }
        while self.peer_above.remove(&self.peer_below) {
            self.peer_below = self.peer_below.saturating_add(2);
        }
        Ok(())
    }
}

/// What a track alias of the peer stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alias {
    /// This subscription.
    Known(Stream),
    /// One that is over.
    Retired,
    /// Nothing yet.
    Unknown,
}

/// Track aliases of both sides (draft-18 §11.1).
#[derive(Debug, Default)]
pub(super) struct Aliases {
    next: u64,
    known: HashMap<TrackAlias, Stream>,
    retired: VecDeque<TrackAlias>,
}

impl Aliases {
    /// Our next one.
    pub(super) fn next(&mut self) -> TrackAlias {
        let alias = self.next;
        self.next += 1;
        TrackAlias(alias)
    }

    /// Binds one of the peer's to a subscription.
    pub(super) fn bind(&mut self, alias: TrackAlias, stream: Stream) -> Result<(), WireError> {
        if self.known.contains_key(&alias) {
            return Err(WireError {
                code: SessionCode::DuplicateTrackAlias,
                ..violation(&format!("track alias {} already names another track", alias.0))
            });
        }
        self.retired.retain(|&r| r != alias);
        self.known.insert(alias, stream);
        Ok(())
    }

    /// The subscription is over.
    pub(super) fn retire(&mut self, alias: TrackAlias) {
        if self.known.remove(&alias).is_some() {
            if self.retired.len() >= MAX_RETIRED {
                self.retired.pop_front();
            }
            self.retired.push_back(alias);
        }
    }

    /// A subscription that was offered under this alias is refused at once: its streams are stopped.
    pub(super) fn refuse(&mut self, alias: TrackAlias) {
        if !self.known.contains_key(&alias) && !self.retired.contains(&alias) {
            if self.retired.len() >= MAX_RETIRED {
                self.retired.pop_front();
            }
            self.retired.push_back(alias);
        }
    }

    pub(super) fn find(&self, alias: TrackAlias) -> Alias {
        match self.known.get(&alias) {
            Some(&stream) => Alias::Known(stream),
            None if self.retired.contains(&alias) => Alias::Retired,
            None => Alias::Unknown,
        }
    }
}
