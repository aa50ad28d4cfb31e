//! Control messages as bytes (draft-18 §10).

use bytes::{Buf, BytesMut};
use moq_transport::message::wire_id as id;

use super::{
    Fetch, FetchOk, Goaway, Message, Parameters, Publish, PublishBlocked, PublishDone, PublishNamespace,
    RequestError, RequestOk, RequestUpdate, Setup, Subscribe, SubscribeNamespace, SubscribeOk,
    SubscribeTracks, TrackAlias, TrackStatus, WireError, WireFetchRange,
    body::{decode_end, put_end},
    field::{Fields, peek_integer, put_integer, put_namespace, put_reason, put_track},
};
use crate::moqt::{DoneCode, Properties, TrackName};

/// Type of SETUP, which is also the type of a control stream (draft-18 §3.4, §10.3).
pub(super) const SETUP: u64 = 0x2f00;

impl Message {
    /// Takes the next message off the front of `input`; `Ok(None)` where it is not whole yet.
    /// At most 64 KiB and a few bytes are ever needed.
    ///
    /// # Errors
    /// [`WireError`] for a message that breaks the draft.
    pub fn decode(input: &mut BytesMut) -> Result<Option<Self>, WireError> {
        let Some((kind, kind_bytes)) = peek_integer(input) else { return Ok(None) };
        let Some(name) = name_of(kind) else {
            return Err(WireError::violation(format!(
                "a control message of type {kind:#x} is not in draft-18"
            )));
        };
        let Some(&[high, low]) = input.get(kind_bytes..kind_bytes + 2) else { return Ok(None) };
        let (start, length) = (kind_bytes + 2, usize::from(u16::from_be_bytes([high, low])));
        if input.len() < start + length {
            return Ok(None);
        }
        input.advance(start);
        let mut fields = Fields::new(name, input.split_to(length).freeze());
        let message = Self::decode_payload(kind, &mut fields)?;
        fields.end()?;
        Ok(Some(message))
    }

    fn decode_payload(kind: u64, fields: &mut Fields) -> Result<Self, WireError> {
        Ok(match kind {
            SETUP => Self::Setup(Setup::decode(fields)?),
            id::GoAway => Self::Goaway(Goaway::decode(fields)?),
            id::Subscribe => Self::Subscribe(Subscribe {
                request: fields.request()?,
                track: fields.track()?,
                parameters: Parameters::decode(kind, fields)?,
            }),
            id::SubscribeOk => Self::SubscribeOk(SubscribeOk {
                alias: TrackAlias(fields.integer("track alias")?),
                parameters: Parameters::decode(kind, fields)?,
                properties: Properties(fields.rest()),
            }),
            id::RequestUpdate => Self::RequestUpdate(RequestUpdate {
                request: fields.request()?,
                parameters: Parameters::decode(kind, fields)?,
            }),
            id::Publish => Self::Publish(Publish {
                request: fields.request()?,
                track: fields.track()?,
                alias: TrackAlias(fields.integer("track alias")?),
                parameters: Parameters::decode(kind, fields)?,
                properties: Properties(fields.rest()),
            }),
            id::PublishDone => Self::PublishDone(PublishDone {
                code: DoneCode(fields.integer("status code")?),
                streams: fields.integer("stream count")?,
                reason: fields.reason()?,
            }),
            id::Fetch => Self::Fetch(Fetch {
                request: fields.request()?,
                range: WireFetchRange::decode(fields)?,
                parameters: Parameters::decode(kind, fields)?,
            }),
            id::FetchOk => Self::FetchOk(FetchOk {
                end_of_track: match fields.byte("End Of Track")? {
                    0 => false,
                    1 => true,
                    other => {
                        return Err(fields.violation(format_args!("End Of Track is {other}, not 0 or 1")));
                    }
                },
                end: decode_end(fields)?,
                parameters: Parameters::decode(kind, fields)?,
                properties: Properties(fields.rest()),
            }),
            id::TrackStatus => Self::TrackStatus(TrackStatus {
                request: fields.request()?,
                track: fields.track()?,
                parameters: Parameters::decode(kind, fields)?,
            }),
            id::PublishNamespace => Self::PublishNamespace(PublishNamespace {
                request: fields.request()?,
                namespace: fields.namespace()?,
                parameters: Parameters::decode(kind, fields)?,
            }),
            id::Namespace => Self::Namespace(fields.namespace()?),
            id::NamespaceDone => Self::NamespaceDone(fields.namespace()?),
            id::SubscribeNamespace => Self::SubscribeNamespace(SubscribeNamespace {
                request: fields.request()?,
                prefix: fields.namespace()?,
                parameters: Parameters::decode(kind, fields)?,
            }),
            id::SubscribeTracks => Self::SubscribeTracks(SubscribeTracks {
                request: fields.request()?,
                prefix: fields.namespace()?,
                parameters: Parameters::decode(kind, fields)?,
            }),
            id::PublishBlocked => {
                let TrackName { namespace: suffix, name } = fields.track()?;
                Self::PublishBlocked(PublishBlocked { suffix, name })
            }
            // The draft lists a type for PUBLISH_OK, and says that it is REQUEST_OK.
            id::RequestOk | id::PublishOk => Self::RequestOk(RequestOk {
                parameters: Parameters::decode(id::RequestOk, fields)?,
                properties: Properties(fields.rest()),
            }),
            id::RequestError => Self::RequestError(RequestError::decode(fields)?),
            other => return Err(fields.violation(format_args!("type {other:#x} is not in draft-18"))),
        })
    }

    /// Appends the message.
    ///
    /// # Errors
    /// [`WireError`] where it would be longer than the draft allows, or holds what the draft does not
    /// allow in it. Nothing is appended then.
    pub fn encode(&self, output: &mut BytesMut) -> Result<(), WireError> {
        let kind = self.kind();
        let mut payload = BytesMut::new();
        self.encode_payload(kind, &mut payload)?;
        let length = u16::try_from(payload.len()).map_err(|_| {
            WireError::ours(format!(
                "a {} of {} bytes is longer than the {} that the draft allows",
                name_of(kind).unwrap_or("message"),
                payload.len(),
                u16::MAX
            ))
        })?;
        put_integer(kind, output);
        output.extend_from_slice(&length.to_be_bytes());
        output.extend_from_slice(&payload);
        Ok(())
    }

    fn kind(&self) -> u64 {
        match self {
            Self::Setup(_) => SETUP,
            Self::Goaway(_) => id::GoAway,
            Self::Subscribe(_) => id::Subscribe,
            Self::SubscribeOk(_) => id::SubscribeOk,
            Self::RequestUpdate(_) => id::RequestUpdate,
            Self::Publish(_) => id::Publish,
            Self::PublishDone(_) => id::PublishDone,
            Self::Fetch(_) => id::Fetch,
            Self::FetchOk(_) => id::FetchOk,
            Self::TrackStatus(_) => id::TrackStatus,
            Self::PublishNamespace(_) => id::PublishNamespace,
            Self::Namespace(_) => id::Namespace,
            Self::NamespaceDone(_) => id::NamespaceDone,
            Self::SubscribeNamespace(_) => id::SubscribeNamespace,
            Self::SubscribeTracks(_) => id::SubscribeTracks,
            Self::PublishBlocked(_) => id::PublishBlocked,
            Self::RequestOk(_) => id::RequestOk,
            Self::RequestError(_) => id::RequestError,
        }
    }

    fn encode_payload(&self, kind: u64, output: &mut BytesMut) -> Result<(), WireError> {
        match self {
            Self::Setup(setup) => setup.encode(output)?,
            Self::Goaway(goaway) => goaway.encode(output)?,
            Self::Subscribe(Subscribe { request, track, parameters })
            | Self::TrackStatus(TrackStatus { request, track, parameters }) => {
                put_integer(request.0, output);
                put_track(track, output)?;
                parameters.encode(kind, output)?;
            }
            Self::SubscribeOk(SubscribeOk { alias, parameters, properties }) => {
                put_integer(alias.0, output);
                parameters.encode(kind, output)?;
                output.extend_from_slice(&properties.0);
            }
            Self::RequestUpdate(RequestUpdate { request, parameters }) => {
                put_integer(request.0, output);
                parameters.encode(kind, output)?;
            }
            Self::Publish(Publish { request, track, alias, parameters, properties }) => {
                put_integer(request.0, output);
                put_track(track, output)?;
                put_integer(alias.0, output);
                parameters.encode(kind, output)?;
                output.extend_from_slice(&properties.0);
            }
            Self::PublishDone(PublishDone { code, streams, reason }) => {
                put_integer(code.0, output);
                put_integer(*streams, output);
                put_reason(reason, output);
            }
            Self::Fetch(Fetch { request, range, parameters }) => {
                put_integer(request.0, output);
                range.encode(output)?;
                parameters.encode(kind, output)?;
            }
            Self::FetchOk(FetchOk { end_of_track, end, parameters, properties }) => {
                output.extend_from_slice(&[u8::from(*end_of_track)]);
                put_end(*end, output);
                parameters.encode(kind, output)?;
                output.extend_from_slice(&properties.0);
            }
            Self::PublishNamespace(PublishNamespace { request, namespace, parameters })
            | Self::SubscribeNamespace(SubscribeNamespace { request, prefix: namespace, parameters })
            | Self::SubscribeTracks(SubscribeTracks { request, prefix: namespace, parameters }) => {
                put_integer(request.0, output);
                put_namespace(namespace, output)?;
                parameters.encode(kind, output)?;
            }
            Self::Namespace(suffix) | Self::NamespaceDone(suffix) => put_namespace(suffix, output)?,
            Self::PublishBlocked(PublishBlocked { suffix, name }) => {
                put_track(&TrackName { namespace: suffix.clone(), name: name.clone() }, output)?;
            }
            Self::RequestOk(RequestOk { parameters, properties }) => {
                parameters.encode(kind, output)?;
                output.extend_from_slice(&properties.0);
            }
            Self::RequestError(error) => error.encode(output)?,
        }
        Ok(())
    }
}

/// The draft's name of a message type; `None` for one that it does not have.
fn name_of(kind: u64) -> Option<&'static str> {
    Some(match kind {
        SETUP => "SETUP",
        id::GoAway => "GOAWAY",
        id::Subscribe => "SUBSCRIBE",
        id::SubscribeOk => "SUBSCRIBE_OK",
        id::RequestUpdate => "REQUEST_UPDATE",
        id::Publish => "PUBLISH",
        id::PublishOk => "PUBLISH_OK",
        id::PublishDone => "PUBLISH_DONE",
        id::Fetch => "FETCH",
        id::FetchOk => "FETCH_OK",
        id::TrackStatus => "TRACK_STATUS",
        id::PublishNamespace => "PUBLISH_NAMESPACE",
        id::Namespace => "NAMESPACE",
        id::NamespaceDone => "NAMESPACE_DONE",
        id::SubscribeNamespace => "SUBSCRIBE_NAMESPACE",
        id::SubscribeTracks => "SUBSCRIBE_TRACKS",
        id::PublishBlocked => "PUBLISH_BLOCKED",
        id::RequestOk => "REQUEST_OK",
        id::RequestError => "REQUEST_ERROR",
        _ => return None,
    })
}
