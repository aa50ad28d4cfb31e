//! Media over QUIC Transport, draft-18.
//!
//! | module | what it is |
//! |---|---|
//! | [`name`] | namespaces, track names, IDs |
//! | [`token`] | authorization tokens |
//! | [`object`] | what travels in a track |
//! | [`code`] | the draft's error codes |
//! | `wire` | messages, headers and datagrams as bytes |
//! | `session` | the sans-IO state machine |
//! | `priority` | the order in which data leaves |
//! | [`track`] | handles: what an application publishes, subscribes to and fetches |
//! | `driver` | binds a session to a connection; the only async code here |
//! | [`coverage`] | what of draft-18 is here, and which tests show it |
//!
//! # Publishing any track
//!
//! ```no_run
#![doc = include_str!("../../examples/publish.rs")]
//! ```
//!
//! # Subscribing to it
//!
//! ```no_run
#![doc = include_str!("../../examples/subscribe.rs")]
//! ```

pub mod code;
#[doc = include_str!("coverage.md")]
pub mod coverage {}
mod driver;
pub mod name;
pub mod object;
mod priority;
mod session;
pub mod token;
pub mod track;
pub mod wire;

pub use code::{DoneCode, RequestCode, ResetCode, SessionCode};
pub use driver::{Closed, Config, DataLimits, Grease, Limits, Role, Session, SessionError, start};
pub use name::{GroupId, Location, Namespace, ObjectId, Priority, SubgroupId, TrackName};
pub use object::{Item, Object, Properties, Status, Subgroup, SubgroupEnd};
pub use token::{AuthToken, TokenType};
pub use track::{
    Changes, EndOfTrack, Fetch, FetchItem, FetchOptions, FetchRange, FetchRequest, FetchWriter, Filter,
    GoingAway, GroupOrder, NamespaceEvent, NamespaceRequest, NamespaceSubscription,
    NamespaceSubscriptionRequest, NamespaceWriter, PrefixRequest, PublishOffer, PublishRequest,
    PublishedNamespace, Received, Refused, Request, Requests, Resets, SubscribeOk, SubscribeOptions,
    SubscribeRequest, SubscriberEvent, Subscription, TrackStatusOk, TrackStatusRequest, TrackWriter,
    TracksOptions, TracksRequest, TracksSubscription, TracksWriter, Updated, Waits, WriterStats,
};
pub use wire::Redirect;
