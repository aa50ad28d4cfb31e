//! What one side asks of a track without subscribing to it (draft-18 §10.14).

use super::{Asked, Core, Event, Kind, Stream, violation};
use crate::moqt::{
    Refused, RequestCode, SubscribeOk, TrackName,
    wire::{self, Message, Parameters, RequestOk, WireError},
};

impl Core {
    /// Asks how a track stands.
    pub(crate) fn track_status(&mut self, stream: Stream, track: TrackName) -> Result<(), Refused> {
        self.ask(stream, Kind::Inquiring, |request| {
            let parameters = Parameters::default();
            Message::TrackStatus(wire::TrackStatus { request, track, parameters })
        })
    }

    /// Answers the peer's TRACK_STATUS with what SUBSCRIBE_OK would say; the stream ends with it.
    pub(crate) fn grant_status(&mut self, stream: Stream, ok: &SubscribeOk) {
        if !matches!(self.requests.get(&stream).map(|request| &request.kind), Some(Kind::Informing)) {
            return;
        }
        let parameters = Parameters { largest: ok.largest, expires: ok.expires, ..Parameters::default() };
        let properties = ok.properties.clone();
        self.send(stream, &Message::RequestOk(RequestOk { parameters, properties }));
        self.retire(stream);
    }

    pub(super) fn status_asked(&mut self, stream: Stream, ask: wire::TrackStatus) {
        self.put(stream, Kind::Informing, Asked::Status(ask.track));
    }

    /// TRACK_STATUS_OK: the one REQUEST_OK that has track properties.
    pub(super) fn status_told(&mut self, stream: Stream, ok: RequestOk) -> Result<(), WireError> {
        let RequestOk { parameters, properties } = ok;
        let (largest, expires) = (parameters.largest, parameters.expires);
        if (Parameters { largest: None, expires: None, ..parameters }) != Parameters::default() {
            return Err(violation("TRACK_STATUS_OK has a parameter that SUBSCRIBE_OK cannot have"));
        }
        wire::TrackProperties::decode(&properties)?;
        let event = match properties.unsupported()? {
            None => Event::Status(SubscribeOk { largest, expires, properties }),
            Some(property) => Event::Refused(Refused::Error {
                code: RequestCode::UnsupportedExtension,
                reason: format!(
                    "the track needs an extension that is not known here, property {property:#x}"
                ),
                retry_after: None,
            }),
        };
        self.tell(stream, event);
        self.retire(stream);
        Ok(())
    }
}
