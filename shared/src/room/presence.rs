//! Who is there, in numbers; raised hands; names.

use serde::{Deserialize, Serialize};

use super::{ViewerId, Wall};

/// Characters of a name.
pub const MAX_NAME_CHARS: usize = 24;
/// Hands that may be up at one time.
pub const MAX_HANDS: usize = 200;

/// How many there are, told at most once in two seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Presence {
    /// Sessions that watch, whether or not they speak.
    pub watching: u32,
    /// Viewers with a voice.
    pub present: u32,
    /// Viewers with a voice who came since the last word.
    pub joined: u32,
    /// Those who left.
    pub left: u32,
}

/// A hand goes up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hand {
    /// Where it is.
    pub hand: Raised,
}

/// Where a hand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Raised {
    /// Up.
    Up,
    /// Down.
    Down,
}

/// A hand that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpHand {
    /// Whose.
    pub viewer: ViewerId,
    /// Their name.
    pub name: String,
    /// Since when.
    pub at: Wall,
}

/// Lowers hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lower {
    /// Whose; everybody's where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer: Option<ViewerId>,
}

/// A new name for oneself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// The name.
    pub name: String,
}
