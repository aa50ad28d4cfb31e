//! Messages, headers and datagrams as bytes (draft-18 §10, §11).
//!
//! The only place that knows moq-transport's codec. What that lacks or gets wrong is ours.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::{
    DoneCode, Filter, GroupId, GroupOrder, Location, Namespace, Object, ObjectId, Priority, Properties,
    RequestCode, SessionCode, Status, Subgroup, SubgroupId, TrackName, track::FetchRange,
};

/// Number of a request in a session: even from the client, odd from the server (draft-18 §10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// The short name of a track on data streams and datagrams, chosen by its publisher (draft-18 §11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackAlias(pub u64);

/// Bytes that break the draft's rules: the session is to be closed with `code`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {reason}")]
pub struct WireError {
    /// The draft's code for it.
    pub code: SessionCode,
    /// What is wrong, for a person.
    pub reason: String,
}

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

/// SETUP's options (draft-18 §10.3.1). Unknown ones are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Setup {
    /// PATH.
    pub path: Option<Bytes>,
    /// AUTHORITY.
    pub authority: Option<Bytes>,
    /// MAX_AUTH_TOKEN_CACHE_SIZE in bytes.
    pub max_auth_token_cache_size: u64,
    /// AUTHORIZATION_TOKENs, each as its structure's bytes.
    pub tokens: Vec<Bytes>,
    /// MOQT_IMPLEMENTATION.
    pub implementation: Option<Bytes>,
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
    /// AUTHORIZATION_TOKENs, each as its structure's bytes.
    pub tokens: Vec<Bytes>,
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
    /// NEW_GROUP_REQUEST.
    pub new_group: Option<GroupId>,
    /// TRACK_NAMESPACE_PREFIX.
    pub prefix: Option<Namespace>,
}

/// SUBSCRIBE (draft-18 §10.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Its number.
    pub request: RequestId,
    /// The track.
    pub track: TrackName,
    /// Priority, order, filter, forward, timeouts, tokens, new group.
    pub parameters: Parameters,
}

/// SUBSCRIBE_OK (draft-18 §10.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeOk {
    /// Name of the track on data streams.
    pub alias: TrackAlias,
    /// Expires, largest.
    pub parameters: Parameters,
    /// Track properties.
    pub properties: Properties,
}

/// REQUEST_UPDATE (draft-18 §10.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestUpdate {
    /// Its number.
    pub request: RequestId,
    /// What changes.
    pub parameters: Parameters,
}

/// PUBLISH (draft-18 §10.11).
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

/// PUBLISH_DONE (draft-18 §10.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishDone {
    /// Why.
    pub code: DoneCode,
    /// Data streams opened for the subscription.
    pub streams: u64,
    /// Words.
    pub reason: String,
}

/// FETCH (draft-18 §10.13).
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

/// FETCH_OK (draft-18 §10.14).
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

/// TRACK_STATUS (draft-18 §10.15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackStatus {
    /// Its number.
    pub request: RequestId,
    /// The track.
    pub track: TrackName,
    /// As SUBSCRIBE's.
    pub parameters: Parameters,
}

/// PUBLISH_NAMESPACE (draft-18 §10.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishNamespace {
    /// Its number.
    pub request: RequestId,
    /// What is announced.
    pub namespace: Namespace,
    /// Tokens.
    pub parameters: Parameters,
}

/// SUBSCRIBE_NAMESPACE (draft-18 §10.19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeNamespace {
    /// Its number.
    pub request: RequestId,
    /// Below what.
    pub prefix: Namespace,
    /// Tokens.
    pub parameters: Parameters,
}

/// SUBSCRIBE_TRACKS (draft-18 §10.20).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeTracks {
    /// Its number.
    pub request: RequestId,
    /// Below what.
    pub prefix: Namespace,
    /// Forward, tokens and so on.
    pub parameters: Parameters,
}

/// PUBLISH_BLOCKED (draft-18 §10.21).
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

/// Redirect structure (draft-18 §10.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Where to connect; empty: here.
    pub uri: String,
    /// The track to ask for; an empty namespace keeps the request's.
    pub track: TrackName,
}

impl Message {
    /// Takes the next message off the front of `input`; `Ok(None)` where it is not whole yet.
    /// At most 64 KiB and a few bytes are ever needed.
    ///
    /// # Errors
    /// [`WireError`] for a message that breaks the draft.
    pub fn decode(input: &mut BytesMut) -> Result<Option<Self>, WireError> {
        let _ = input;
        unimplemented!()
    }

    /// Appends the message.
    ///
    /// # Errors
    /// [`WireError`] where it would be longer than the draft allows.
    pub fn encode(&self, output: &mut BytesMut) -> Result<(), WireError> {
        let _ = output;
        unimplemented!()
    }
}

/// How a unidirectional stream begins (draft-18 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamHeader {
    /// The peer's control stream. Its SETUP message is left in the input: its type is the stream's.
    Control,
    /// A subgroup of a track.
    Subgroup(SubgroupHeader),
    /// The answer to a FETCH.
    Fetch(RequestId),
    /// Padding, to be read and forgotten.
    Padding,
}

/// SUBGROUP_HEADER (draft-18 §11.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubgroupHeader {
    /// The track.
    pub alias: TrackAlias,
    /// The group.
    pub group: GroupId,
    /// The subgroup; `None`: the first object's ID.
    pub subgroup: Option<SubgroupId>,
    /// The publisher's priority; `None`: the track's default.
    pub priority: Option<Priority>,
    /// Whether it holds the group's last object.
    pub ends_group: bool,
    /// Whether it begins with the subgroup's first object.
    pub from_first: bool,
    /// Whether objects have a properties field.
    pub has_properties: bool,
}

/// Reads the objects of one subgroup or fetch stream from bytes as they come, without copying payloads.
/// Keeps what has come of an unfinished object, at most its limit.
#[derive(Debug)]
pub struct ObjectReader {}

impl ObjectReader {
    /// For a subgroup stream. `default_priority` is the track's, for a header without one.
    pub fn subgroup(header: SubgroupHeader, default_priority: Priority, max_object_bytes: usize) -> Self {
        let _ = (header, default_priority, max_object_bytes);
        unimplemented!()
    }
    /// Adds received bytes.
    pub fn push(&mut self, bytes: Bytes) {
        let _ = bytes;
        unimplemented!()
    }
    /// The next whole object.
    ///
    /// # Errors
    /// [`ObjectError`] for bytes that break the draft or an object over the limit.
    pub fn next(&mut self) -> Result<Option<Object>, ObjectError> {
        unimplemented!()
    }
    /// Whether the stream may end here: no half object is kept.
    pub fn is_between_objects(&self) -> bool {
        unimplemented!()
    }
}

/// Objects that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The session is to be closed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The object is larger than this side takes; its subscription ends.
    #[error("an object of {bytes} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// What is taken.
        limit: usize,
    },
}

impl StreamHeader {
    /// Takes the header off the front of `input`; `Ok(None)` where it is not whole yet.
    ///
    /// # Errors
    /// [`WireError`] for a stream type or header that breaks the draft.
    pub fn decode(input: &mut BytesMut) -> Result<Option<Self>, WireError> {
        let _ = input;
        unimplemented!()
    }
}

impl SubgroupHeader {
    /// Appends it.
    pub fn encode(&self, output: &mut BytesMut) {
        let _ = output;
        unimplemented!()
    }
}

/// Appends what stands before an object's payload on a subgroup stream: ID delta to `previous`,
/// properties where the header has them, payload length or status. The payload itself follows as it is.
pub fn encode_object_header(
    previous: Option<ObjectId>,
    header: &SubgroupHeader,
    object: &Object,
    output: &mut BytesMut,
) {
    let _ = (previous, header, object, output);
    unimplemented!()
}

/// A datagram (draft-18 §11.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datagram {
    /// An object; `priority` is `None` for the track's default.
    Object {
        /// The track.
        alias: TrackAlias,
        /// Whether it states its priority.
        priority: Option<Priority>,
        /// The object; its subgroup's priority is to be set where `priority` is `None`.
        object: Object,
    },
    /// Padding.
    Padding,
}

impl Datagram {
    /// Reads a datagram; the payload shares its memory.
    ///
    /// # Errors
    /// [`WireError`] where it breaks the draft.
    pub fn decode(input: Bytes) -> Result<Self, WireError> {
        let _ = input;
        unimplemented!()
    }
}

/// An object as a datagram.
pub fn encode_datagram(alias: TrackAlias, object: &Object) -> Bytes {
    let _ = (alias, object);
    unimplemented!()
}

/// What the answer to a FETCH holds (draft-18 §11.4.4).
pub use super::track::FetchItem;

/// Writes fetch objects, each relative to the one before.
#[derive(Debug, Default)]
pub struct FetchEncoder {}

impl FetchEncoder {
    /// Appends FETCH_HEADER.
    pub fn header(request: RequestId, output: &mut BytesMut) {
        let _ = (request, output);
        unimplemented!()
    }
    /// Appends what stands before an object's payload.
    pub fn object(&mut self, object: &Object, output: &mut BytesMut) {
        let _ = (object, output);
        unimplemented!()
    }
}

/// Reads fetch items from bytes as they come.
#[derive(Debug)]
pub struct FetchReader {}

impl FetchReader {
    /// A reader that takes objects up to a limit.
    pub fn new(max_object_bytes: usize) -> Self {
        let _ = max_object_bytes;
        unimplemented!()
    }
    /// Adds received bytes.
    pub fn push(&mut self, bytes: Bytes) {
        let _ = bytes;
        unimplemented!()
    }
    /// The next whole item.
    ///
    /// # Errors
    /// [`ObjectError`] for bytes that break the draft or an object over the limit.
    pub fn next(&mut self) -> Result<Option<FetchItem>, ObjectError> {
        unimplemented!()
    }
    /// Whether the stream may end here.
    pub fn is_between_objects(&self) -> bool {
        unimplemented!()
    }
}

/// Track properties that the engine itself heeds (draft-18 §12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrackProperties {
    /// OBJECT_DELIVERY_TIMEOUT.
    pub object_timeout: Option<Duration>,
    /// SUBGROUP_DELIVERY_TIMEOUT.
    pub subgroup_timeout: Option<Duration>,
    /// MAX_CACHE_DURATION.
    pub max_cache: Option<Duration>,
    /// DEFAULT_PUBLISHER_PRIORITY.
    pub priority: Option<Priority>,
    /// DEFAULT_PUBLISHER_GROUP_ORDER.
    pub order: Option<GroupOrder>,
    /// DYNAMIC_GROUPS: whether NEW_GROUP_REQUEST is heeded.
    pub dynamic_groups: bool,
}

impl TrackProperties {
    /// As they stand on the wire.
    pub fn encode(&self) -> Properties {
        unimplemented!()
    }
    /// Reads those that the engine heeds, skipping others.
    ///
    /// # Errors
    /// [`WireError`] where they cannot be read.
    pub fn decode(properties: &Properties) -> Result<Self, WireError> {
        let _ = properties;
        unimplemented!()
    }
}

/// One key-value pair of [`Properties`]: an even type has a number, an odd one bytes (draft-18 §1.4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// Even type.
    Number(u64, u64),
    /// Odd type.
    Bytes(u64, Bytes),
}

impl Properties {
    /// Writes pairs, which are in ascending order of type.
    pub fn from_pairs(pairs: &[Property]) -> Self {
        let _ = pairs;
        unimplemented!()
    }
    /// Reads all pairs.
    ///
    /// # Errors
    /// [`WireError`] where they cannot be read.
    pub fn pairs(&self) -> Result<Vec<Property>, WireError> {
        unimplemented!()
    }
}

// Used by the encoders' authors; removed from here once they are.
const _: (Option<Status>, Option<FetchRange>, Option<Subgroup>) = (None, None, None);
