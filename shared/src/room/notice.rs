//! The one notice that stands over the chat.

use serde::{Deserialize, Serialize};

use super::{Speaker, Wall};

/// Characters that it may have.
pub const MAX_CHARS: usize = 300;

/// Puts a notice up; an empty text takes it down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The text.
    pub text: String,
}

/// The notice that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Since when.
    pub at: Wall,
    /// Who put it up.
    #[serde(flatten)]
    pub from: Speaker,
    /// The text: plain, never markup.
    pub text: String,
}
