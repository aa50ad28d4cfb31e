//! Likes and other reactions: counted at the relay.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Taps that one saying may carry.
pub const MAX_TAPS: u32 = 100;

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reaction {
    /// The like button.
    Like,
    /// Applause.
    Clap,
    /// Laughter.
    Laugh,
    /// Astonishment.
    Wow,
    /// A party.
    Party,
    /// "I do not follow": for teaching.
    Confused,
}

/// Taps of one viewer since its last saying of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taps {
    /// On what.
    pub reaction: Reaction,
    /// How many.
    pub count: u32,
}

/// One object of the track `reactions`, at most two a second: all that was tapped so far. A lost one is
/// made good by the next.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Taps since the room began.
    pub totals: BTreeMap<Reaction, u64>,
    /// Those of them since the tally before.
    pub burst: BTreeMap<Reaction, u32>,
}
