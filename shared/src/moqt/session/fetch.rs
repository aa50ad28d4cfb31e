//! Fetches on both sides (draft-18 §5.2, §10.12, §10.13).

use super::{Asked, Core, Event, FetchAsked, Kind, Stream, subscribe::Hold, violation};
use crate::moqt::{
    EndOfTrack, FetchOptions, GroupId, GroupOrder, Location, ObjectId, Priority, Properties, Refused,
    RequestCode, TrackName,
    wire::{self, FetchOk, Message, Parameters, RequestId, WireError, WireFetchRange},
};

/// The peer fetches.
#[derive(Debug)]
pub(super) struct Serving {
    start: Location,
    pub(super) is_granted: bool,
}

/// We fetch.
#[derive(Debug)]
pub(super) struct Fetching {
    pub(super) is_granted: bool,
    /// The data stream ended before FETCH_OK came.
    is_over: bool,
    /// Known for a standalone fetch only.
    start: Option<Location>,
}

impl Core {
    /// Fetches.
    pub(crate) fn fetch(
        &mut self,
        stream: Stream,
        range: WireFetchRange,
        options: impl Into<FetchOptions>,
    ) -> Result<(), Refused> {
        let FetchOptions { priority, order, fill_timeout } = options.into();
        let start = match &range {
            WireFetchRange::Standalone { start, .. } => Some(*start),
            WireFetchRange::Relative { .. } => None,
            WireFetchRange::Absolute { group, .. } => Some(Location { group: *group, object: ObjectId(0) }),
        };
        let priority = (priority != Priority::default()).then_some(priority);
        let order = (order != GroupOrder::Ascending).then_some(order);
        let parameters = Parameters { priority, order, fill_timeout, ..Parameters::default() };
        self.ask(stream, Kind::Fetching(Fetching { is_granted: false, is_over: false, start }), |request| {
            Message::Fetch(wire::Fetch { request, range, parameters })
        })
    }

    /// Which fetch of ours a data stream answers.
    pub(crate) fn fetch_of(&self, id: RequestId) -> Option<Stream> {
        let (stream, _) = self
            .requests
            .iter()
            .find(|(_, r)| r.is_ours && r.id == id && matches!(r.kind, Kind::Fetching(_)))?;
        Some(*stream)
    }

    /// The data stream of a fetch, of either side, ended: with the answer to it, so does the request.
    pub(crate) fn fetch_over(&mut self, stream: Stream) {
        if let Some(request) = self.requests.get_mut(&stream)
            && let Kind::Fetching(fetching) = &mut request.kind
            && !fetching.is_granted
        {
            fetching.is_over = true;
        } else {
            self.retire(stream);
        }
    }

    /// Grants a fetch of the peer's. `end` is the last location that will be delivered.
    pub(crate) fn grant_fetch(
        &mut self,
        stream: Stream,
        end: Location,
        end_of_track: EndOfTrack,
        properties: Properties,
    ) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        let Kind::Serving(serving) = &mut request.kind else { return };
        serving.is_granted = true;
        let end = end.max(serving.start);
        let end_of_track = end_of_track == EndOfTrack::Yes;
        let parameters = Parameters::default();
        self.send(stream, &Message::FetchOk(FetchOk { end_of_track, end, parameters, properties }));
        self.apply_held(stream);
    }

    pub(super) fn fetch_asked(&mut self, stream: Stream, ask: wire::Fetch) {
        let range = match &ask.range {
            WireFetchRange::Standalone { track, start, end } => Ok((track.clone(), *start, *end)),
            WireFetchRange::Relative { joining, groups } => {
                let groups = *groups;
                match self.join(*joining) {
                    Join::Wait(subscription) => return self.fetch_wait(subscription, stream, ask),
                    Join::No(code, reason) => Err((code, reason)),
                    Join::Yes(track, end) => {
                        let group = GroupId(end.group.0.saturating_sub(groups));
                        Ok((track, Location { group, object: ObjectId(0) }, end))
                    }
                }
            }
            WireFetchRange::Absolute { joining, group } => {
                let start = Location { group: *group, object: ObjectId(0) };
                match self.join(*joining) {
                    Join::Wait(subscription) => return self.fetch_wait(subscription, stream, ask),
                    Join::No(code, reason) => Err((code, reason)),
                    Join::Yes(track, end) => Ok((track, start, end)),
                }
            }
        };
        match range {
            Err((code, reason)) => self.refuse_now(stream, code, reason),
            Ok((_, start, end)) if start > end => {
                let reason = format!("the range ends at {end}, before its start {start}");
                self.refuse_now(stream, RequestCode::InvalidRange, &reason);
            }
            Ok((track, start, end)) => {
                let asked = FetchAsked {
                    track,
                    start,
                    end,
                    priority: ask.parameters.priority.unwrap_or_default(),
                    order: ask.parameters.order.unwrap_or(GroupOrder::Ascending),
                    fill_timeout: ask.parameters.fill_timeout,
                };
                self.put(stream, Kind::Serving(Serving { start, is_granted: false }), Asked::Fetch(asked));
            }
        }
    }

    fn join(&self, id: RequestId) -> Join {
        let found = self.requests.iter().find_map(|(stream, request)| match &request.kind {
            Kind::Publishing(publishing) if request.id == id => Some((*stream, publishing)),
            _ => None,
        });
        let Some((stream, publishing)) = found else {
            return Join::No(
                RequestCode::InvalidJoiningRequestId,
                "no subscription has the request ID that is to be joined",
            );
        };
        match publishing.join() {
            None => Join::Wait(stream),
            Some(Ok((track, end))) => Join::Yes(track, end),
            Some(Err(reason)) => Join::No(RequestCode::InvalidRange, reason),
        }
    }

    fn fetch_wait(&mut self, subscription: Stream, stream: Stream, ask: wire::Fetch) {
        let Some(request) = self.requests.get_mut(&subscription) else { return };
        let Kind::Publishing(publishing) = &mut request.kind else { return };
        if publishing.wait(stream, ask, self.limits.joining_fetches) == Hold::Full {
            self.refuse_now(
                stream,
                RequestCode::ExcessiveLoad,
                "too many fetches wait for this subscription",
            );
        } else if let Some(fetch) = self.requests.get_mut(&stream) {
            fetch.kind = Kind::Serving(Serving { start: Location::default(), is_granted: false });
        }
    }

    pub(super) fn fetched(&mut self, stream: Stream, ok: &FetchOk) -> Result<(), WireError> {
        wire::TrackProperties::decode(&ok.properties)?;
        let Some(request) = self.requests.get_mut(&stream) else { return Ok(()) };
        let Kind::Fetching(fetching) = &mut request.kind else { return Ok(()) };
        if fetching.start.is_some_and(|start| ok.end < start) {
            return Err(violation("FETCH_OK ends before the start that was asked for"));
        }
        if let Some(property) = ok.properties.unsupported()? {
            self.unsupported(stream, property);
            return Ok(());
        }
        fetching.is_granted = true;
        let is_over = fetching.is_over;
        self.tell(stream, Event::Fetched);
        if is_over {
            self.retire(stream);
        }
        Ok(())
    }
}

enum Join {
    Yes(TrackName, Location),
    No(RequestCode, &'static str),
    /// Until this subscription is answered and its updates are applied.
    Wait(Stream),
}
