//! Tracks below a prefix, which their publisher offers one by one (draft-18 §6.1, §10.19, §10.20).

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Asked, Core, Event, Kind, Stream, namespaces::Below, violation};
use crate::moqt::{
    Namespace, Refused, RequestCode, ResetCode, TrackName, TracksOptions,
    name::{MAX_FULL_NAME_BYTES, MAX_NAMESPACE_FIELDS},
    wire::{self, Message, Parameters, PublishBlocked, WireError},
};

/// Tracks that one SUBSCRIBE_TRACKS may be told of as blocked; past it the request is ended, since what was
/// told must be remembered.
const MAX_BLOCKED: usize = 4096;

/// The peer wants tracks.
#[derive(Debug)]
pub(super) struct Offering {
    prefix: Namespace,
    pub(super) is_granted: bool,
    blocked: BTreeSet<TrackName>,
}

/// We want tracks.
#[derive(Debug)]
pub(super) struct Collecting {
    prefix: Namespace,
    pub(super) is_granted: bool,
}

impl Offering {
    pub(super) fn prefix(&self) -> &Namespace {
        &self.prefix
    }

    /// What is told from now on is below `prefix`. What was offered or blocked stays so.
    pub(super) fn set_prefix(&mut self, prefix: Namespace) {
        self.prefix = prefix;
    }
}

impl Collecting {
    /// What is told from now on is below `prefix`.
    pub(super) fn set_prefix(&mut self, prefix: Namespace) {
        self.prefix = prefix;
    }
}

impl Core {
    /// Asks for every track below a prefix.
    pub(crate) fn collect(
        &mut self,
        stream: Stream,
        prefix: Namespace,
        options: TracksOptions,
    ) -> Result<(), Refused> {
        let kind = Kind::Collecting(Collecting { prefix: prefix.clone(), is_granted: false });
        let parameters = Parameters { forward: (!options.forward).then_some(false), ..Parameters::default() };
        self.ask(stream, kind, |request| {
            Message::SubscribeTracks(wire::SubscribeTracks { request, prefix, parameters })
        })
    }

    /// Tells the peer that a track cannot be offered to it: from now on it is not. One that is not below
    /// the prefix, or was told before, changes nothing.
    pub(crate) fn tell_blocked(&mut self, stream: Stream, track: TrackName) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        let Kind::Offering(offering) = &mut request.kind else { return };
        let Some(suffix) = track.namespace.suffix_of(&offering.prefix) else { return };
        let name = track.name.clone();
        if offering.blocked.len() >= MAX_BLOCKED {
            self.tell_end(stream);
            self.cancel(stream, ResetCode::ExcessiveLoad);
        } else if offering.blocked.insert(track) {
            self.send(stream, &Message::PublishBlocked(PublishBlocked { suffix, name }));
        }
    }

    /// Whether the peer was told that this track is blocked (draft-18 §6.1).
    pub(super) fn is_blocked(&self, track: &TrackName) -> bool {
        self.requests.values().any(|request| match &request.kind {
            Kind::Offering(offering) => offering.blocked.contains(track),
            _ => false,
        })
    }

    pub(super) fn tracks_asked(&mut self, stream: Stream, ask: wire::SubscribeTracks) {
        let wire::SubscribeTracks { request: _, prefix, parameters } = ask;
        if let Some(other) = self.overlapping(stream, Below::Tracks, &prefix) {
            let reason = format!("the prefix overlaps with that of the tracks of {other}");
            return self.refuse_now(stream, RequestCode::PrefixOverlap, &reason);
        }
        let offering = Offering { prefix: prefix.clone(), is_granted: false, blocked: BTreeSet::new() };
        let options = TracksOptions { forward: parameters.forward.unwrap_or(true) };
        self.put(stream, Kind::Offering(offering), Asked::Tracks(prefix, options));
    }

    /// PUBLISH_BLOCKED.
    pub(super) fn blocked_told(&mut self, stream: Stream, blocked: PublishBlocked) -> Result<(), WireError> {
        let Some(request) = self.requests.get(&stream) else { return Ok(()) };
        let Kind::Collecting(collecting) = &request.kind else { return Ok(()) };
        let track = TrackName { namespace: collecting.prefix.join(&blocked.suffix), name: blocked.name };
        let bytes = track.namespace.fields().iter().map(Bytes::len).sum::<usize>() + track.name.len();
        if track.namespace.fields().len() > MAX_NAMESPACE_FIELDS || bytes > MAX_FULL_NAME_BYTES {
            return Err(violation(
                "PUBLISH_BLOCKED and its prefix are over 32 fields or 4096 bytes together",
            ));
        }
        self.tell(stream, Event::Blocked(track));
        Ok(())
    }
}
