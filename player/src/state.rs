//! What a viewer is told about the room.

use serde::Serialize;

/// Where a player stands with its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// On the way to the relay.
    Connecting,
    /// It plays.
    Live,
    /// On air, but nothing to play yet or at the moment.
    Buffering,
    /// The room is not on air.
    Offline,
    /// The broadcast has ended for good.
    Ended,
}

impl State {
    /// In words for a person.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Connecting => "Connecting",
            Self::Live => "Live",
            Self::Buffering => "Buffering",
            Self::Offline => "Not on air - waiting",
            Self::Ended => "The broadcast has ended",
        }
    }
}
