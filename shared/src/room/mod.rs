//! The interaction vocabulary: what viewers say, and what everybody hears. Shapes and parsing, one file a kind.
//!
//! Everything is JSON, an object of a MoQT track each. What a viewer says goes up on its own track `say` as a
//! [`Saying`], in a datagram or, where it is too large for one, on a stream; it is sent again until a
//! [`Reply`] to its ID comes on the viewer's track `replies`. The room applies it at most once.
//!
//! | track | its objects are | travels |
//! |---|---|---|
//! | `room/<room>/audience/<viewer>` `say` | [`Saying`], up | datagrams, or streams |
//! | `room/<room>/audience/<viewer>` `replies` | [`Reply`], down to that viewer | one stream a group |
//! | `room/<room>/feed` `state` | object 0 of a group a [`Snapshot`], then [`Delta`]s | one stream a group |
//! | `room/<room>/feed` `chat` | [`chat::Line`] | one stream a group of up to 50 |
//! | `room/<room>/feed` `danmaku` | [`danmaku::Bullet`] | datagrams |
//! | `room/<room>/feed` `reactions` | [`reactions::Tally`] | datagrams |
//! | `room/<room>/feed` `desk` | object 0 of a group a [`desk::Snapshot`], then [`desk::Delta`]s; moderators only | one stream a group |
//!
//! | module | what it is |
//! |---|---|
//! | [`identity`] | who somebody is, and what they may do |
//! | [`text`] | text that people wrote: bounds, and what is neutralised |
//! | [`say`] | the envelope up, and the answers |
//! | [`state`] | what everybody sees: snapshot and deltas |
//! | [`chat`], [`danmaku`], [`reactions`], [`questions`], [`polls`], [`products`], [`presence`], [`notice`] | the kinds |
//! | [`mode`] | what the host allows: features, slow mode, who may speak |
//! | [`desk`] | what moderators see |
//! | [`run`] | how groups of these tracks are numbered |
//! | [`speaker`] | one viewer's voice: numbers, repeats, keeps order |
//! | [`listener`] | one viewer's ear: snapshots and deltas, order, gaps |

use serde::{Deserialize, Serialize};

pub mod chat;
pub mod danmaku;
pub mod desk;
pub mod identity;
pub mod listener;
pub mod mode;
pub mod notice;
pub mod polls;
pub mod presence;
pub mod products;
pub mod questions;
pub mod reactions;
pub mod run;
pub mod say;
pub mod speaker;
pub mod state;
pub mod text;

pub use identity::{Identity, Role, ViewerId};
pub use say::{Refusal, Reply, Say, SayId, Saying};
pub use state::{Delta, Snapshot};

/// A point in wall time, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub u64);

/// Number of a chat or danmaku message within its room; it grows in the order in which the room took them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

/// Who said something, as everybody sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaker {
    /// The viewer's ID.
    pub viewer: ViewerId,
    /// The name at that time.
    pub name: String,
    /// The role at that time.
    pub role: Role,
}
