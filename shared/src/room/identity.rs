//! Who somebody is, and what they may do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::naming::{Room, is_plain};

/// What somebody may do in a room. The order is that of their rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Watches and takes part.
    Viewer,
    /// Keeps order as well.
    Moderator,
    /// Publishes, and decides what the room is.
    Host,
}

impl Role {
    /// Whether it may act on what others say.
    pub fn moderates(self) -> bool {
        self >= Self::Moderator
    }
}

/// Stable name of a viewer in a room: 1 to 64 of `a-z A-Z 0-9 - _`. It is a field of the viewer's namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ViewerId(String);

/// Not a viewer's ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no viewer ID: use 1 to 64 letters, digits, '-' or '_'")]
pub struct BadViewerId(String);

impl FromStr for ViewerId {
    type Err = BadViewerId;

    fn from_str(text: &str) -> Result<Self, BadViewerId> {
        if is_plain(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadViewerId(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for ViewerId {
    type Error = BadViewerId;

    fn try_from(text: String) -> Result<Self, BadViewerId> {
        text.parse()
    }
}

impl From<ViewerId> for String {
    fn from(id: ViewerId) -> Self {
        id.0
    }
}

impl fmt::Display for ViewerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether somebody came through the room's door or was sent by the streamer's own site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Joined without an account.
    Guest,
    /// Has a token that somebody with the key made for them.
    Member,
}

/// Who somebody is in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The room.
    pub room: Room,
    /// The viewer's ID there.
    pub viewer: ViewerId,
    /// The name that others see.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// How they came.
    pub standing: Standing,
}
