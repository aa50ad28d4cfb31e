//! Questions for the host: asked, approved, on screen, answered or hidden.

use serde::{Deserialize, Serialize};

use super::{Speaker, Wall};

/// Characters that one may have.
pub const MAX_CHARS: usize = 300;
/// Questions that a room keeps.
pub const MAX_QUESTIONS: usize = 200;

/// Number of a question within its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuestionId(pub u64);

/// What a viewer asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The text.
    pub text: String,
}

/// One vote; each viewer has one for each question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upvote {
    /// For which.
    pub question: QuestionId,
}

/// Where a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Only moderators see it. Where questions need no approval, none is here.
    Asked,
    /// Everybody sees it, and votes.
    Approved,
    /// It stands over the picture; one at a time.
    OnScreen,
    /// It was answered.
    Answered,
    /// Only moderators see it.
    Hidden,
}

impl Stage {
    /// Whether everybody sees it.
    pub fn is_public(self) -> bool {
        match self {
            Self::Approved | Self::OnScreen | Self::Answered => true,
            Self::Asked | Self::Hidden => false,
        }
    }
}

/// Moves a question on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Which.
    pub question: QuestionId,
    /// To where.
    pub to: Stage,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its number.
    pub question: QuestionId,
    /// When it was asked.
    pub at: Wall,
    /// Who asked.
    #[serde(flatten)]
    pub from: Speaker,
    /// The text: plain, never markup.
    pub text: String,
    /// Votes for it.
    pub votes: u32,
    /// Where it stands.
    pub stage: Stage,
}
