//! Polls and quizzes: vote once, live bars, lock, reveal.

use serde::{Deserialize, Serialize};

use super::Wall;

/// Characters of a poll's question.
pub const MAX_QUESTION_CHARS: usize = 200;
/// Characters of a choice.
pub const MAX_CHOICE_CHARS: usize = 100;
/// Choices of a poll: at least 2, at most this.
pub const MAX_CHOICES: usize = 10;
/// Polls that a room keeps.
pub const MAX_POLLS: usize = 50;

/// Number of a poll within its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PollId(pub u64);

/// A viewer's choice, once a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// In which.
    pub poll: PollId,
    /// For which choice, counted from 0.
    pub choice: usize,
}

/// What the host does with polls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "camelCase")]
pub enum Act {
    /// Opens one; the one before is locked.
    Open(Draft),
    /// No more votes.
    Lock {
        /// In which.
        poll: PollId,
    },
    /// Shows the right answer of a quiz and, where they were hidden, the votes.
    Reveal {
        /// Of which.
        poll: PollId,
    },
    /// Takes it away.
    Remove {
        /// Which.
        poll: PollId,
    },
}

/// A new poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// What is asked.
    pub question: String,
    /// The choices.
    pub choices: Vec<String>,
    /// The right one, counted from 0, which makes it a quiz: its votes are hidden until it is revealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct: Option<usize>,
}

/// Where a poll stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Votes are taken.
    Open,
    /// No more votes.
    Locked,
    /// The answer is shown.
    Revealed,
}

/// A poll as everybody sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Poll {
    /// Its number.
    pub poll: PollId,
    /// When it was opened.
    pub at: Wall,
    /// What is asked.
    pub question: String,
    /// The choices.
    pub choices: Vec<String>,
    /// Votes for each choice; `None` while they are hidden.
    pub votes: Option<Vec<u32>>,
    /// How many voted.
    pub voters: u32,
    /// Whether one choice is right.
    pub is_quiz: bool,
    /// The right choice, once revealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct: Option<usize>,
    /// Where it stands.
    pub stage: Stage,
}
