//! What hosts and moderators see beside the room: what waits, who is silenced or banned, who did what.

use serde::{Deserialize, Serialize};

use super::{MessageId, Speaker, ViewerId, Wall, questions::Question, state::put};

/// Messages that may wait for approval.
pub const MAX_WAITING: usize = 200;
/// Acts that the desk shows; all of them are in the store.
pub const MAX_ACTS: usize = 100;

/// Object 0 of a group of the track `desk`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Snapshot {
    /// Messages that wait, oldest first.
    pub waiting: Vec<Waiting>,
    /// Questions that only moderators see.
    pub questions: Vec<Question>,
    /// Who is silenced.
    pub muted: Vec<Muted>,
    /// Who is banned.
    pub banned: Vec<Banned>,
    /// Words that are blocked.
    pub blocked_words: Vec<String>,
    /// What moderators did, oldest first.
    pub acts: Vec<ActDone>,
}

/// A later object of the group: one thing, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "delta", content = "is", rename_all = "camelCase")]
pub enum Delta {
    /// A message waits.
    Waiting(Waiting),
    /// It was decided on.
    Decided(MessageId),
    /// A question that only moderators see is new or changed.
    Question(Question),
    /// A question is no longer only theirs.
    QuestionGone(super::questions::QuestionId),
    /// Everybody who is silenced.
    Muted(Vec<Muted>),
    /// Everybody who is banned.
    Banned(Vec<Banned>),
    /// All blocked words.
    BlockedWords(Vec<String>),
    /// A moderator did something.
    Act(ActDone),
}

/// A message that waits for approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its number.
    pub message: MessageId,
    /// Since when.
    pub at: Wall,
    /// Who wrote it.
    #[serde(flatten)]
    pub from: Speaker,
    /// The text: plain, never markup.
    pub text: String,
}

/// Somebody who is silenced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Muted {
    /// Who.
    pub viewer: ViewerId,
    /// Their name.
    pub name: String,
    /// Until when.
    pub until: Wall,
}

/// Somebody who is banned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banned {
    /// Who.
    pub viewer: ViewerId,
    /// Their name.
    pub name: String,
    /// Since when.
    pub at: Wall,
}

/// What a moderator did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActDone {
    /// When.
    pub at: Wall,
    /// Who.
    pub by: Speaker,
    /// What: the `kind` of the saying.
    pub act: String,
    /// To whom, where it was done to somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ViewerId>,
    /// More of it, in words: the text that was deleted, for how long.
    pub detail: String,
}

impl Snapshot {
    /// Takes a change in.
    pub fn apply(&mut self, delta: Delta) {
        match delta {
            Delta::Waiting(message) => self.waiting.push(message),
            Delta::Decided(gone) => self.waiting.retain(|message| message.message != gone),
            Delta::Question(question) => {
                put(&mut self.questions, question, |one, other| one.question == other.question);
            }
            Delta::QuestionGone(gone) => self.questions.retain(|question| question.question != gone),
            Delta::Muted(muted) => self.muted = muted,
            Delta::Banned(banned) => self.banned = banned,
            Delta::BlockedWords(words) => self.blocked_words = words,
            Delta::Act(act) => {
                self.acts.push(act);
                let over = self.acts.len().saturating_sub(MAX_ACTS);
                self.acts.drain(..over);
            }
        }
    }
}
