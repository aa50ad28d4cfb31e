//! The envelope of what a viewer says, and the answers to it.

use serde::{Deserialize, Serialize};

use super::{
    MessageId, Role, ViewerId, Wall, chat, danmaku, identity::Standing, mode, notice, polls, presence,
    products, questions, reactions,
};

/// A viewer's own number for one saying: any that it does not use again, up to 2^53 (so that JavaScript can
/// count it). The room remembers the last 1,024 of each viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SayId(pub u64);

/// One object of a viewer's track `say`: `{"id": 7, "say": {"kind": "chat", "text": "hello"}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saying {
    /// Its number, the same in every repetition.
    pub id: SayId,
    /// What is said.
    pub say: Say,
}

/// What can be said. The second half is for hosts and moderators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Say {
    /// A chat message.
    Chat(chat::Draft),
    /// A bullet comment.
    Danmaku(danmaku::Draft),
    /// Taps on a reaction.
    React(reactions::Taps),
    /// A question for the host.
    Ask(questions::Draft),
    /// One vote for a question.
    Upvote(questions::Upvote),
    /// A choice in a poll.
    Vote(polls::Vote),
    /// A hand goes up or down.
    Hand(presence::Hand),
    /// A new name for oneself.
    Rename(presence::Rename),

    /// Takes a message away.
    Delete(chat::Delete),
    /// Silences a viewer for a time.
    Mute(mode::Mute),
    /// Sends a viewer away.
    Ban(mode::Ban),
    /// Lets a viewer come back.
    Unban(mode::Unban),
    /// Changes what is allowed.
    Mode(mode::Change),
    /// Says yes or no to a message that waits for approval.
    Approve(chat::Approve),
    /// Moves a question on.
    Question(questions::Move),
    /// Opens, locks, reveals or removes a poll.
    Poll(polls::Act),
    /// Changes the product cards.
    Product(products::Act),
    /// Puts up a notice, or takes it down.
    Notice(notice::Draft),
    /// Lowers a viewer's hand, or everybody's.
    LowerHands(presence::Lower),
}

/// One object of a viewer's track `replies`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "camelCase")]
pub enum Reply {
    /// First object of every group: who one is here, and what the room last answered.
    You(You),
    /// The saying was applied, now or before.
    Accepted {
        /// Which.
        id: SayId,
        /// The message that it became, for chat and danmaku.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<MessageId>,
    },
    /// The saying was not applied.
    Refused {
        /// Which; `None` where it could not be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<SayId>,
        /// Why.
        #[serde(flatten)]
        why: Refusal,
    },
}

/// Who one is in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct You {
    /// One's ID.
    pub viewer: ViewerId,
    /// One's name.
    pub name: String,
    /// One's role.
    pub role: Role,
    /// How one came.
    pub standing: Standing,
    /// Until when one is silenced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Wall>,
    /// Choices in polls that are up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<polls::Vote>,
    /// Questions that one voted for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upvotes: Vec<questions::QuestionId>,
    /// Whether one's hand is up.
    #[serde(default)]
    pub hand: bool,
}

/// Why something said was not applied. `{"why": "tooFast", "seconds": 2.5}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "camelCase")]
#[non_exhaustive]
pub enum Refusal {
    /// Too many in too short a time: again after so many seconds.
    TooFast {
        /// Seconds to wait.
        seconds: f64,
    },
    /// The whole room is too busy for this kind: again later.
    Busy {
        /// Seconds to wait.
        seconds: f64,
    },
    /// Silenced for so many seconds yet.
    Muted {
        /// Seconds to wait.
        seconds: f64,
    },
    /// Sent away.
    Banned,
    /// It has a word that is blocked here.
    BlockedWord,
    /// Longer than allowed.
    TooLong {
        /// Characters that are allowed.
        max: usize,
    },
    /// Nothing in it.
    Empty,
    /// It has characters that cannot be shown: controls, direction overrides, piles of marks.
    BadText,
    /// Links are off, or this is no http or https address.
    BadLink,
    /// Only emotes are allowed now.
    EmotesOnly,
    /// Only members may speak now.
    MembersOnly,
    /// This kind is switched off in the room.
    Off,
    /// What it is about is over, such as a locked poll.
    Closed,
    /// What it is about is not there.
    Unknown,
    /// Done before, such as a second vote.
    Again,
    /// It takes another role.
    NotAllowed,
    /// Kept until a moderator approves it; not shown yet.
    Waiting,
    /// As many as fit are there already.
    Full {
        /// How many fit.
        max: usize,
    },
    /// It could not be read.
    Malformed {
        /// What is wrong with it.
        detail: String,
    },
}
