//! Handles to what an application asks of a peer and what a peer asks of it.
//!
//! A handle is the life of what it stands for: dropping it withdraws, cancels or ends it.
//!
//! | module | what it is |
//! |---|---|
//! | `away` | what every handle can be asked to do: leave |
//! | `asked` | the peer's requests, before they are answered |
//! | `prefix` | a namespace subscription that moves |
//! | `redirect` | refusals that say more than a code |
//! | `writer` | what this side sends |
//! | `reader` | what this side receives |
//! | `offer` | a subscription that its publisher begins |
//! | `tracks` | all tracks below a prefix |
//! | `stats` | waits and resets of one subscription |
//! | `status` | what is asked of a track without subscribing to it |
//! | `shared` | what handles share with the session's task |

use std::time::Duration;

use super::{
    AuthToken, DoneCode, GroupId, Item, Location, Namespace, Object, Priority, Properties, Redirect,
    RequestCode, SessionError, TrackName,
};

mod asked;
mod away;
mod offer;
mod prefix;
mod reader;
mod redirect;
mod shared;
mod stats;
mod status;
mod tracks;
mod writer;

pub use asked::{
    FetchRequest, NamespaceRequest, NamespaceSubscriptionRequest, Request, Requests, SubscribeRequest,
};
pub use offer::{PublishOffer, PublishRequest};
pub use prefix::PrefixRequest;
pub use reader::{Fetch, NamespaceSubscription, PublishedNamespace, Subscription};
pub(crate) use shared::{Life, Reading, Telling, Told};
pub use stats::{Resets, Waits};
pub(crate) use status::Inquiry;
pub use status::TrackStatusRequest;
pub use tracks::{TracksOptions, TracksRequest, TracksSubscription, TracksWriter};
pub use writer::{FetchWriter, NamespaceWriter, TrackWriter};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum GroupOrder {
    /// Oldest first.
    #[default]
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
    /// Ask for a new group at once, larger than this one (draft-18 §10.2.13). `u64::MAX` where none is
    /// known: any new group will do.
    pub new_group: Option<GroupId>,
    /// How long a relay is to wait for a publisher of the track, where there is none; it may wait less
    /// (draft-18 §10.2.6). `None` for not at all.
    pub rendezvous_timeout: Option<Duration>,
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
            rendezvous_timeout: None,
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

/// How a track stands (draft-18 §10.14): what a publisher would say of it when it accepts a subscription.
pub type TrackStatusOk = SubscribeOk;

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
    /// The peer sends the request elsewhere (draft-18 §10.6.1). Whether to follow is for the application.
    #[error("redirected to {to}: {reason}")]
    Redirected {
        /// Where to, and for what.
        to: Redirect,
        /// The peer's words.
        reason: String,
        /// How long the peer holds to it; `None` where it does not say.
        retry_after: Option<Duration>,
    },
    /// The session ended first.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// What a subscriber changes of a subscription at once (draft-18 §10.9.1). What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Urgency.
    pub priority: Option<Priority>,
    /// Where to start and end. Objects before a later start, or after an earlier end, may still arrive; a
    /// start before what was published, or a later end, gives no objects of the past: those are fetched.
    pub filter: Option<Filter>,
    /// Whether objects are sent at all.
    pub forward: Option<bool>,
    /// How long an object is worth sending; zero for as long as the publisher likes.
    pub object_timeout: Option<Duration>,
    /// How long a subgroup is worth sending; zero for as long as the publisher likes.
    pub subgroup_timeout: Option<Duration>,
    /// Asks for a group larger than this one; `u64::MAX` where none is known.
    pub new_group: Option<GroupId>,
    /// New tokens; none leave the old ones.
    pub tokens: Vec<AuthToken>,
}

/// The answer to a change (draft-18 §10.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Updated {
    /// The largest location published, of a subscription.
    pub largest: Option<Location>,
    /// For how long a subscription is good from now on; `None` where its publisher does not say.
    pub expires: Option<Duration>,
}

/// What a GOAWAY says (draft-18 §10.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoingAway {
    /// Where to go; empty for the same place again. A client's is always empty.
    pub uri: String,
    /// How long the peer waits before it ends what is left; zero where it does not say.
    pub timeout: Duration,
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
    /// It needs a group larger than this one (NEW_GROUP_REQUEST): a publisher whose current group is not
    /// larger begins a new one. `u64::MAX`: the subscriber knows no group, any new one will do.
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

/// How objects of the past are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FetchOptions {
    /// Urgency among all that this session asks for.
    pub priority: Priority,
    /// Which groups come first; the objects of a group always ascend (draft-18 §10.2.8).
    pub order: GroupOrder,
    /// How long a relay may wait for objects that it does not have, before it says that they are not known
    /// (draft-18 §10.2.5); zero for not at all. `None` leaves it to the relay.
    pub fill_timeout: Option<Duration>,
}

impl From<Priority> for FetchOptions {
    fn from(priority: Priority) -> Self {
        Self { priority, ..Self::default() }
    }
}

/// What a fetch receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    /// The next object in the range.
    Object(Object),
    /// The next one, which was published as a datagram: it has no subgroup.
    Datagram(Object),
    /// No objects up to this location: they never were (`true`) or are not known (`false`).
    Gap {
        /// Last location of the gap.
        end: Location,
        /// Whether it is known that there never were any.
        nonexistent: bool,
    },
}

impl From<Object> for FetchItem {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
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
    /// Subgroups and datagrams that a delivery timeout let go (draft-18 §8).
    pub timed_out: u64,
    /// Datagrams that were dropped, since too many waited or one was too large for the path.
    pub dropped_datagrams: u64,
    /// Streams of it that were reset before their end.
    pub resets: Resets,
    /// From when objects began to come to when they were handed to their stream.
    pub waits: Waits,
}

/// Whether a fetch's end is also its track's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndOfTrack {
    /// Nothing follows in the track.
    Yes,
    /// More follows or may.
    No,
}

/// An implementation's name as MOQT_IMPLEMENTATION carries it.
pub(crate) const IMPLEMENTATION: &str = concat!("live-room/", env!("CARGO_PKG_VERSION"));
