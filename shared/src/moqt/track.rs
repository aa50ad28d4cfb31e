//! Handles to what an application asks of a peer and what a peer asks of it.
//!
//! A handle is the life of what it stands for: dropping it withdraws, cancels or ends it.

use std::time::Duration;

use bytes::Bytes;

use super::{
    DoneCode, GroupId, Item, Location, Namespace, Object, Priority, Properties, RequestCode, SessionError,
    TrackName,
};

/// Which objects of a track a subscription passes (draft-18 §5.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Filter {
    /// No filter: all that is published or still arrives. Our relay starts such a subscriber at the
    /// newest group's object 0.
    #[default]
    Unfiltered,
    /// From the object after the largest.
    LargestObject,
    /// From the group after the largest.
    NextGroupStart,
    /// From this location on.
    AbsoluteStart(Location),
    /// From this location to the end of that group, which is not before the start's.
    AbsoluteRange(Location, GroupId),
}

/// In which order groups leave (draft-18 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupOrder {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

/// What a subscriber asks for with a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscribeOptions {
    /// Urgency among all that this session subscribes to.
    pub priority: Priority,
    /// Order of groups; `None` leaves it to the publisher's default.
    pub order: Option<GroupOrder>,
    /// Where to start and end.
    pub filter: Filter,
    /// Whether objects are sent at all, or only the request's state is kept.
    pub forward: bool,
    /// How long an object is worth sending; `None` for as long as the publisher likes.
    pub object_timeout: Option<Duration>,
    /// How long a subgroup is worth sending; `None` for as long as the publisher likes.
    pub subgroup_timeout: Option<Duration>,
    /// Ask for a new group at once, larger than this one (draft-18 §10.2.13).
    pub new_group: Option<GroupId>,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self {
            priority: Priority::default(),
            order: None,
            filter: Filter::Unfiltered,
            forward: true,
            object_timeout: None,
            subgroup_timeout: None,
            new_group: None,
        }
    }
}

/// What a publisher says of a track when it accepts a subscription or a fetch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubscribeOk {
    /// The largest location published; `None` before the first object.
    pub largest: Option<Location>,
    /// For how long the subscription is good; `None` for ever.
    pub expires: Option<Duration>,
    /// Properties of the track, as they stand on the wire.
    pub properties: Properties,
}

/// A request that was not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The peer said no (draft-18 §10.6).
    #[error("{code}: {reason}")]
    Error {
        /// The draft's code.
        code: RequestCode,
        /// The peer's words.
        reason: String,
        /// How long to wait before another try; `None`: do not try again.
        retry_after: Option<Duration>,
    },
    /// The session ended first.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// What a subscription receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// The next item of the track.
    Item(Item),
    /// The publisher ended the subscription; nothing follows (draft-18 §10.11).
    Done {
        /// Why.
        code: DoneCode,
        /// The publisher's words.
        reason: String,
    },
}

/// What a subscriber changes while it is subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriberEvent {
    /// It needs a group larger than this one (NEW_GROUP_REQUEST).
    NewGroup(GroupId),
    /// It paused (`false`) or resumed (`true`) the flow of objects.
    Forward(bool),
}

/// The range that a FETCH asks for, first and last location both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchRange {
    /// Of any track (draft-18 §10.12.1). An `end` of object `u64::MAX` means to the group's end.
    Standalone {
        /// The track.
        track: TrackName,
        /// First location.
        start: Location,
        /// Last location.
        end: Location,
    },
    /// From so many groups before the largest, up to where a subscription begins (draft-18 §10.12.2).
    Relative {
        /// Groups before the largest; 0 for the largest group itself.
        groups: u64,
    },
    /// From this group up to where a subscription begins.
    Absolute {
        /// First group.
        group: GroupId,
    },
}

/// What a fetch receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    /// The next object in the range.
    Object(Object),
    /// No objects up to this location: they never were (`true`) or are not known (`false`).
    Gap {
        /// Last location of the gap.
        end: Location,
        /// Whether it is known that there never were any.
        nonexistent: bool,
    },
}

/// Namespaces that come and go under a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceEvent {
    /// This full namespace is published.
    Published(Namespace),
    /// It no longer is.
    Withdrawn(Namespace),
}

/// What was sent for one subscription, and what was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriterStats {
    /// Objects handed to the connection.
    pub objects: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Objects let go because the subscriber was behind.
    pub skipped_objects: u64,
    /// Groups of which something was let go.
    pub skipped_groups: u64,
}

// ---- the handles: the engine's author replaces the bodies and adds private fields ----

/// Requests from the peer, in the order of their arrival. Bounded: past the bound further ones are
/// answered EXCESSIVE_LOAD. Dropping it refuses all that follow.
#[derive(Debug)]
pub struct Requests {}

impl Requests {
    /// The next request; `None` once the session is closed.
    pub async fn next(&mut self) -> Option<Request> {
        unimplemented!()
    }
}

/// A request from the peer. Dropping it unanswered refuses it with INTERNAL_ERROR.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// It wants a track.
    Subscribe(SubscribeRequest),
    /// It wants objects of the past.
    Fetch(FetchRequest),
    /// It announces a namespace.
    PublishNamespace(NamespaceRequest),
    /// It wants to know of namespaces.
    SubscribeNamespace(NamespaceSubscriptionRequest),
}

/// The peer's SUBSCRIBE.
#[derive(Debug)]
pub struct SubscribeRequest {}

impl SubscribeRequest {
    /// The track.
    pub fn track(&self) -> &TrackName {
        unimplemented!()
    }
    /// What was asked for with it.
    pub fn options(&self) -> SubscribeOptions {
        unimplemented!()
    }
    /// Grants it. The writer applies the filter, counted from `ok.largest`.
    pub fn accept(self, ok: SubscribeOk) -> TrackWriter {
        let _ = ok;
        unimplemented!()
    }
    /// Refuses it.
    pub fn reject(self, code: RequestCode, reason: &str) {
        let _ = (code, reason);
        unimplemented!()
    }
}

/// One subscriber's end of a track: what is pushed leaves in the order of the draft's priorities.
/// Its queue is bounded; past the bound it skips to the newest group and counts. Dropping it ends the
/// subscription with `INTERNAL_ERROR`.
#[derive(Debug)]
pub struct TrackWriter {}

impl TrackWriter {
    /// Hands `item` over, never waiting. `false` once the subscription is over.
    pub fn push(&self, item: Item) -> bool {
        let _ = item;
        unimplemented!()
    }
    /// Ends the subscription: PUBLISH_DONE once every stream is finished or reset.
    pub fn done(self, code: DoneCode, reason: &str) {
        let _ = (code, reason);
        unimplemented!()
    }
    /// What the subscriber changes; `None` once it cancelled or the session ended.
    pub async fn event(&mut self) -> Option<SubscriberEvent> {
        unimplemented!()
    }
    /// Whether the subscription is over.
    pub fn is_closed(&self) -> bool {
        unimplemented!()
    }
    /// What was sent so far.
    pub fn stats(&self) -> WriterStats {
        unimplemented!()
    }
}

/// A granted subscription. Dropping it cancels it.
#[derive(Debug)]
pub struct Subscription {}

impl Subscription {
    /// What the publisher said when it granted it.
    pub fn ok(&self) -> &SubscribeOk {
        unimplemented!()
    }
    /// The next thing; `None` after `Done`, or when the session ended. Bounded: a reader that is too
    /// slow holds back the peer by flow control.
    pub async fn recv(&mut self) -> Option<Received> {
        unimplemented!()
    }
    /// Asks for a group larger than `after`: a keyframe on demand.
    pub fn request_new_group(&self, after: GroupId) {
        let _ = after;
        unimplemented!()
    }
    /// Pauses or resumes the flow of objects.
    pub fn set_forward(&self, forward: bool) {
        let _ = forward;
        unimplemented!()
    }
    /// Changes the urgency.
    pub fn set_priority(&self, priority: Priority) {
        let _ = priority;
        unimplemented!()
    }
    /// Abandons one subgroup's stream (STOP_SENDING), as for a group that is too late.
    pub fn stop(&self, group: GroupId) {
        let _ = group;
        unimplemented!()
    }
}

/// The peer's FETCH, a joining one already turned into its range.
#[derive(Debug)]
pub struct FetchRequest {}

impl FetchRequest {
    /// The track.
    pub fn track(&self) -> &TrackName {
        unimplemented!()
    }
    /// First and last location, both included; an object of `u64::MAX` means to the group's end.
    pub fn range(&self) -> (Location, Location) {
        unimplemented!()
    }
    /// Grants it. `end` is the last location that will be delivered.
    pub fn accept(self, end: Location, end_of_track: EndOfTrack, properties: Properties) -> FetchWriter {
        let _ = (end, end_of_track, properties);
        unimplemented!()
    }
    /// Refuses it.
    pub fn reject(self, code: RequestCode, reason: &str) {
        let _ = (code, reason);
        unimplemented!()
    }
}

/// Whether a fetch's end is also its track's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndOfTrack {
    /// Nothing follows in the track.
    Yes,
    /// More follows or may.
    No,
}

/// The answer to a fetch. Dropping it before `finish` resets the stream.
#[derive(Debug)]
pub struct FetchWriter {}

impl FetchWriter {
    /// Sends the next object, waiting while the subscriber is behind. `false` once it cancelled.
    pub async fn send(&mut self, object: Object) -> bool {
        let _ = object;
        unimplemented!()
    }
    /// Ends the answer.
    pub fn finish(self) {
        unimplemented!()
    }
}

/// A granted fetch. Dropping it cancels it.
#[derive(Debug)]
pub struct Fetch {}

impl Fetch {
    /// The next item; `Ok(None)` at the end.
    ///
    /// # Errors
    /// [`Refused`] where the publisher reset it or the session ended.
    pub async fn next(&mut self) -> Result<Option<FetchItem>, Refused> {
        unimplemented!()
    }
}

/// The peer's PUBLISH_NAMESPACE.
#[derive(Debug)]
pub struct NamespaceRequest {}

impl NamespaceRequest {
    /// What it announces.
    pub fn namespace(&self) -> &Namespace {
        unimplemented!()
    }
    /// Takes it. The answer tells when it is withdrawn; dropping that cancels the announcement.
    pub fn accept(self) -> PublishedNamespace {
        unimplemented!()
    }
    /// Refuses it.
    pub fn reject(self, code: RequestCode, reason: &str) {
        let _ = (code, reason);
        unimplemented!()
    }
}

/// A namespace that one side announced and the other took. Dropping it withdraws or cancels it.
#[derive(Debug)]
pub struct PublishedNamespace {}

impl PublishedNamespace {
    /// Which.
    pub fn namespace(&self) -> &Namespace {
        unimplemented!()
    }
    /// Waits until the other side ends it or the session does.
    pub async fn ended(&mut self) {
        unimplemented!()
    }
}

/// The peer's SUBSCRIBE_NAMESPACE.
#[derive(Debug)]
pub struct NamespaceSubscriptionRequest {}

impl NamespaceSubscriptionRequest {
    /// Below what.
    pub fn prefix(&self) -> &Namespace {
        unimplemented!()
    }
    /// Takes it; the peer is then told with `tell`.
    pub fn accept(self) -> NamespaceWriter {
        unimplemented!()
    }
    /// Refuses it.
    pub fn reject(self, code: RequestCode, reason: &str) {
        let _ = (code, reason);
        unimplemented!()
    }
}

/// Tells a peer of namespaces. Dropping it ends its subscription.
#[derive(Debug)]
pub struct NamespaceWriter {}

impl NamespaceWriter {
    /// Sends NAMESPACE or NAMESPACE_DONE. `false` once the peer cancelled.
    pub fn tell(&self, event: NamespaceEvent) -> bool {
        let _ = event;
        unimplemented!()
    }
    /// Waits until the peer cancels or the session ends.
    pub async fn ended(&mut self) {
        unimplemented!()
    }
}

/// A granted SUBSCRIBE_NAMESPACE. Dropping it cancels it.
#[derive(Debug)]
pub struct NamespaceSubscription {}

impl NamespaceSubscription {
    /// The next change; `None` once it is over.
    pub async fn next(&mut self) -> Option<NamespaceEvent> {
        unimplemented!()
    }
}

/// An implementation's name as MOQT_IMPLEMENTATION carries it.
pub(crate) const IMPLEMENTATION: Bytes = Bytes::from_static(b"live-room/0.1");
