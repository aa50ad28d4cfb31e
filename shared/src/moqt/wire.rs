//! Messages, headers and datagrams as bytes (draft-18 §10, §11).
//!
//! The only place that knows moq-transport's codec: integers, names, key-value pairs and message
//! types are its own. The forms that it lacks or gets wrong are written here.
//!
//! | module | what it is |
//! |---|---|
//! | `field` | integers, names and texts inside a message |
//! | `message` | what the control messages say |
//! | `control` | control messages as bytes |
//! | `body` | what of them takes more than a row of fields |
//! | `parameters` | message parameters as bytes |
//! | `token` | authorization tokens as bytes |
//! | `properties` | properties of tracks and objects |
//! | `object` | what the engine heeds of an object's properties |
//! | `chunks` | received bytes in a row |
//! | `data` | subgroup streams |
//! | `fetch` | fetch streams |
//! | `datagram` | datagrams |
//! | `padding` | padding |

mod body;
mod chunks;
mod control;
mod data;
mod datagram;
mod fetch;
mod field;
mod message;
mod object;
pub(crate) mod padding;
mod parameters;
mod properties;
#[cfg(test)]
mod tests;
mod token;

pub use data::{ObjectReader, StreamHeader, SubgroupHeader, encode_object_header};
pub use datagram::{Datagram, encode_datagram, put_datagram};
pub use fetch::{FetchEncoder, FetchReader};
pub use message::{
    Fetch, FetchOk, Goaway, Message, Parameters, Publish, PublishBlocked, PublishDone, PublishNamespace,
    Redirect, RequestError, RequestOk, RequestUpdate, Setup, Subscribe, SubscribeNamespace, SubscribeOk,
    SubscribeTracks, TrackStatus, WireFetchRange,
};
pub use object::{IMMUTABLE_PROPERTIES, ObjectProperties, PRIOR_GROUP_ID_GAP, PRIOR_OBJECT_ID_GAP};
pub use properties::{Property, TrackProperties};
pub use token::{Token, TokenAlias};

use super::SessionCode;
/// What the answer to a FETCH holds (draft-18 §11.4.4).
pub use super::track::FetchItem;

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

impl WireError {
    fn new(code: SessionCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    fn violation(reason: impl Into<String>) -> Self {
        Self::new(SessionCode::ProtocolViolation, reason)
    }

    /// For what this side was about to send.
    fn ours(reason: impl Into<String>) -> Self {
        Self::new(SessionCode::InternalError, reason)
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
    /// Its track is malformed: the subscription or fetch ends, the session lives on (draft-18 §2.4.2).
    #[error("the track is malformed: {0}")]
    Malformed(String),
}
