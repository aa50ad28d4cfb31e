//! What the control messages say (draft-18 §10).

use std::{fmt, time::Duration};

use bytes::Bytes;

use super::{RequestId, Token, TrackAlias};
use crate::moqt::{
    DoneCode, Filter, Grease, GroupId, GroupOrder, Location, Namespace, Priority, Properties, RequestCode,
    TrackName,
};

/// A control message (draft-18 §10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// First on each control stream.
    Setup(Setup),
    /// Asks the peer to leave.
    Goaway(Goaway),
    /// Asks for a track.
    Subscribe(Subscribe),
    /// Grants SUBSCRIBE.
    SubscribeOk(SubscribeOk),
    /// Changes a request.
    RequestUpdate(RequestUpdate),
    /// Offers a track.
    Publish(Publish),
    /// Ends a subscription.
    PublishDone(PublishDone),
    /// Asks for the past.
    Fetch(Fetch),
    /// Grants FETCH.
    FetchOk(FetchOk),
    /// Asks about a track.
    TrackStatus(TrackStatus),
    /// Announces a namespace.
    PublishNamespace(PublishNamespace),
    /// A namespace below the prefix is there: its suffix.
    Namespace(Namespace),
    /// A namespace below the prefix is gone: its suffix.
    NamespaceDone(Namespace),
    /// Asks for namespaces.
    SubscribeNamespace(SubscribeNamespace),
    /// Asks for tracks.
    SubscribeTracks(SubscribeTracks),
    /// A track below the prefix cannot be published.
    PublishBlocked(PublishBlocked),
    /// Grants any other request. PUBLISH_OK is read as this too.
    RequestOk(RequestOk),
    /// Refuses any request.
    RequestError(RequestError),
}

impl Message {
    /// The namespace or prefix that a request names itself.
    pub(crate) fn namespace(&self) -> Option<&Namespace> {
        match self {
            Self::Subscribe(message) => Some(&message.track.namespace),
            Self::Publish(message) => Some(&message.track.namespace),
            Self::TrackStatus(message) => Some(&message.track.namespace),
            Self::PublishNamespace(message) => Some(&message.namespace),
            Self::SubscribeNamespace(message) => Some(&message.prefix),
            Self::SubscribeTracks(message) => Some(&message.prefix),
            Self::Fetch(message) => match &message.range {
                WireFetchRange::Standalone { track, .. } => Some(&track.namespace),
                WireFetchRange::Relative { .. } | WireFetchRange::Absolute { .. } => None,
            },
            Self::RequestUpdate(message) => message.parameters.prefix.as_ref(),
            Self::Setup(_)
            | Self::Goaway(_)
            | Self::SubscribeOk(_)
            | Self::PublishDone(_)
            | Self::FetchOk(_)
            | Self::Namespace(_)
            | Self::NamespaceDone(_)
            | Self::PublishBlocked(_)
            | Self::RequestOk(_)
            | Self::RequestError(_) => None,
        }
    }

    /// Its parameters, where it is of a kind that has any.
    pub(crate) fn parameters_mut(&mut self) -> Option<&mut Parameters> {
        match self {
            Self::Subscribe(message) => Some(&mut message.parameters),
            Self::SubscribeOk(message) => Some(&mut message.parameters),
            Self::RequestUpdate(message) => Some(&mut message.parameters),
            Self::Publish(message) => Some(&mut message.parameters),
            Self::Fetch(message) => Some(&mut message.parameters),
            Self::FetchOk(message) => Some(&mut message.parameters),
            Self::TrackStatus(message) => Some(&mut message.parameters),
            Self::PublishNamespace(message) => Some(&mut message.parameters),
            Self::SubscribeNamespace(message) => Some(&mut message.parameters),
            Self::SubscribeTracks(message) => Some(&mut message.parameters),
            Self::RequestOk(message) => Some(&mut message.parameters),
            Self::Setup(_)
            | Self::Goaway(_)
            | Self::PublishDone(_)
            | Self::Namespace(_)
            | Self::NamespaceDone(_)
            | Self::PublishBlocked(_)
            | Self::RequestError(_) => None,
        }
    }
}

/// SETUP's options (draft-18 §10.3.1). Unknown ones are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Setup {
    /// PATH.
    pub path: Option<Bytes>,
    /// AUTHORITY.
    pub authority: Option<Bytes>,
    /// MAX_AUTH_TOKEN_CACHE_SIZE in bytes.
    pub max_auth_token_cache_size: u64,
    /// AUTHORIZATION_TOKENs.
    pub tokens: Vec<Token>,
    /// MOQT_IMPLEMENTATION.
    pub implementation: Option<Bytes>,
    /// An option without a meaning, when sent; never set by reading.
    pub grease: Option<Grease>,
}

/// GOAWAY (draft-18 §10.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goaway {
    /// Where to go; empty: here again.
    pub uri: String,
    /// How long the sender waits.
    pub timeout: Duration,
    /// The smallest request of the receiver that was not handled; on the control stream only.
    pub request: Option<RequestId>,
}

/// Message parameters, parsed (draft-18 §10.2). `None`: not in the message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters {
    /// OBJECT_DELIVERY_TIMEOUT.
    pub object_timeout: Option<Duration>,
    /// SUBGROUP_DELIVERY_TIMEOUT.
    pub subgroup_timeout: Option<Duration>,
    /// AUTHORIZATION_TOKENs.
    pub tokens: Vec<Token>,
    /// RENDEZVOUS_TIMEOUT.
    pub rendezvous_timeout: Option<Duration>,
    /// EXPIRES.
    pub expires: Option<Duration>,
    /// LARGEST_OBJECT.
    pub largest: Option<Location>,
    /// FILL_TIMEOUT.
    pub fill_timeout: Option<Duration>,
    /// FORWARD.
    pub forward: Option<bool>,
    /// SUBSCRIBER_PRIORITY.
    pub priority: Option<Priority>,
    /// SUBSCRIPTION_FILTER.
    pub filter: Option<Filter>,
    /// GROUP_ORDER.
    pub order: Option<GroupOrder>,
    /// NEW_GROUP_REQUEST as on the wire: the largest group known plus 1, or 0 where none is known.
    pub new_group: Option<GroupId>,
    /// TRACK_NAMESPACE_PREFIX.
    pub prefix: Option<Namespace>,
}

/// SUBSCRIBE (draft-18 §10.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Its number.
    pub request: RequestId,
    /// The track.
    pub track: TrackName,
    /// Priority, order, filter, forward, timeouts, tokens, new group.
    pub parameters: Parameters,
}

/// SUBSCRIBE_OK (draft-18 §10.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeOk {
    /// Name of the track on data streams.
    pub alias: TrackAlias,
    /// Expires, largest.
    pub parameters: Parameters,
    /// Track properties.
    pub properties: Properties,
}

/// REQUEST_UPDATE (draft-18 §10.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestUpdate {
    /// Its number.
    pub request: RequestId,
    /// What changes.
    pub parameters: Parameters,
}

/// PUBLISH (draft-18 §10.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Its number.
    pub request: RequestId,
    /// The track.
    pub track: TrackName,
    /// Name of the track on data streams.
    pub alias: TrackAlias,
    /// Expires, largest, forward.
    pub parameters: Parameters,
    /// Track properties.
    pub properties: Properties,
}

/// PUBLISH_DONE (draft-18 §10.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishDone {
    /// Why.
    pub code: DoneCode,
    /// Data streams opened for the subscription.
    pub streams: u64,
    /// Words.
    pub reason: String,
}

/// FETCH (draft-18 §10.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Its number.
    pub request: RequestId,
    /// What range.
    pub range: WireFetchRange,
    /// Priority, order, tokens.
    pub parameters: Parameters,
}

/// What a FETCH names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireFetchRange {
    /// A track and a range; both ends included (the wire's "plus 1" is undone here).
    Standalone {
        /// The track.
        track: TrackName,
        /// First location.
        start: Location,
        /// Last location; object `u64::MAX` for the whole group.
        end: Location,
    },
    /// Relative to the subscription's largest group.
    Relative {
        /// The subscription.
        joining: RequestId,
        /// Groups before the largest.
        groups: u64,
    },
    /// From a group to where the subscription begins.
    Absolute {
        /// The subscription.
        joining: RequestId,
        /// First group.
        group: GroupId,
    },
}

/// FETCH_OK (draft-18 §10.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchOk {
    /// Whether the end is the track's.
    pub end_of_track: bool,
    /// Last location, included.
    pub end: Location,
    /// Expires and so on.
    pub parameters: Parameters,
    /// Track properties.
    pub properties: Properties,
}

/// TRACK_STATUS (draft-18 §10.14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackStatus {
    /// Its number.
    pub request: RequestId,
    /// The track.
    pub track: TrackName,
    /// As SUBSCRIBE's.
    pub parameters: Parameters,
}

/// PUBLISH_NAMESPACE (draft-18 §10.15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishNamespace {
    /// Its number.
    pub request: RequestId,
    /// What is announced.
    pub namespace: Namespace,
    /// Tokens.
    pub parameters: Parameters,
}

/// SUBSCRIBE_NAMESPACE (draft-18 §10.18).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeNamespace {
    /// Its number.
    pub request: RequestId,
    /// Below what.
    pub prefix: Namespace,
    /// Tokens.
    pub parameters: Parameters,
}

/// SUBSCRIBE_TRACKS (draft-18 §10.19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeTracks {
    /// Its number.
    pub request: RequestId,
    /// Below what.
    pub prefix: Namespace,
    /// Forward, tokens and so on.
    pub parameters: Parameters,
}

/// PUBLISH_BLOCKED (draft-18 §10.20).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishBlocked {
    /// The namespace after the prefix.
    pub suffix: Namespace,
    /// The track in it.
    pub name: Bytes,
}

/// REQUEST_OK, and PUBLISH_OK (draft-18 §10.5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestOk {
    /// What the granted request allows for.
    pub parameters: Parameters,
    /// Track properties, in the answer to TRACK_STATUS.
    pub properties: Properties,
}

/// REQUEST_ERROR (draft-18 §10.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    /// Why.
    pub code: RequestCode,
    /// How long to wait before another try; `None`: do not.
    pub retry_after: Option<Duration>,
    /// Words.
    pub reason: String,
    /// Where to go instead, with `REDIRECT`.
    pub redirect: Option<Redirect>,
}

/// Where a refused request may be made instead (draft-18 §10.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Where to connect; empty: here. A client's is always empty.
    pub uri: String,
    /// The track to ask for; with neither namespace nor name, the request's own. For a request of
    /// namespaces the name is empty.
    pub track: TrackName,
}

impl Redirect {
    /// To `uri`, for the same as was asked for here.
    pub fn to(uri: impl Into<String>) -> Self {
        let same = TrackName { namespace: Namespace::new([] as [Bytes; 0]), name: Bytes::new() };
        Self { uri: uri.into(), track: same }
    }

    /// Whether it is for the same as was asked for here.
    pub fn is_for_the_same(&self) -> bool {
        self.track.namespace.fields().is_empty() && self.track.name.is_empty()
    }
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.uri.is_empty() { "the same place" } else { &self.uri })?;
        if self.is_for_the_same() { Ok(()) } else { write!(f, " for {}", self.track) }
    }
}
