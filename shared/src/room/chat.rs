//! Chat messages: ordered, with history.

use serde::{Deserialize, Serialize};

use super::{MessageId, Speaker, ViewerId, Wall};
use crate::media::Timestamp;

/// Characters that a message may have.
pub const MAX_CHARS: usize = 500;
/// Messages that a late joiner gets.
pub const HISTORY: usize = 200;
/// Messages of one group of the track.
pub const GROUP: u64 = 50;

/// What a viewer writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    /// The text.
    pub text: String,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Where in the broadcast the writer is, in microseconds since the epoch as in LOC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Timestamp>,
}

/// One object of the track `chat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "camelCase")]
pub enum Line {
    /// A message.
    Message(Message),
    /// A message is gone.
    Deleted {
        /// Which.
        message: MessageId,
    },
    /// All messages of a viewer are gone.
    Cleared {
        /// Whose.
        viewer: ViewerId,
    },
}

/// A message as everybody sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its number.
    pub message: MessageId,
    /// When the room took it.
    pub at: Wall,
    /// Who wrote it.
    #[serde(flatten)]
    pub from: Speaker,
    /// The text: plain, never markup.
    pub text: String,
    /// What it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Quoted>,
    /// Where in the broadcast its writer was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Timestamp>,
}

/// The message that another one answers, as far as it is shown there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quoted {
    /// Its number.
    pub message: MessageId,
    /// Who wrote it.
    pub name: String,
    /// How it begins, up to 80 characters.
    pub text: String,
}

/// Takes a chat or danmaku message away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    /// Which.
    pub message: MessageId,
}

/// Decides on a message that waits (see [`super::desk`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approve {
    /// Which.
    pub message: MessageId,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of something that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It is shown.
    Show,
    /// It is not.
    Drop,
}
