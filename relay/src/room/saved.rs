//! What outlives the room: what is written down, and what a restart brings back.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use shared::{
    media::Timestamp,
    room::{
        MessageId, SayId, Speaker, ViewerId, Wall,
        chat::Message,
        desk::{ActDone, Muted},
        mode::Mode,
        notice::Notice,
        polls::{Poll, Vote},
        presence::UpHand,
        products::{Pin, Product},
        questions::{Question, QuestionId},
        reactions::Reaction,
    },
};

use super::moderation::Ban;

/// Something to be written down.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// A saying that was applied.
    Said(Said),
    /// What a moderator did: the audit log.
    Act(ActDone),
    /// A message is gone for everybody.
    Deleted(MessageId),
    /// All messages of a viewer are.
    Cleared(ViewerId),
    /// The room as it is now: a [`Saved`] in JSON.
    State(Bytes),
}

/// A saying that was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// When.
    pub at: Wall,
    /// Where in the broadcast whoever said it was; `None` where that is not known.
    pub media: Option<Timestamp>,
    /// Who.
    pub from: Speaker,
    /// Its `kind`.
    pub kind: &'static str,
    /// The number that its sender gave it; `None` where that was answered before.
    pub say: Option<SayId>,
    /// The number of the message, question or poll that it is or is about.
    pub subject: Option<u64>,
    /// What was said, in JSON: for chat the message as everybody saw it.
    pub detail: Bytes,
}

/// The room without its messages and votes, which are written down one by one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Saved {
    /// The rules.
    pub mode: Mode,
    /// Words that are blocked.
    pub blocked_words: Vec<String>,
    /// Who is silenced.
    pub muted: Vec<Muted>,
    /// Who is banned.
    pub banned: Vec<Ban>,
    /// The notice that is up.
    pub notice: Option<Notice>,
    /// Questions at all stages, without their votes.
    pub questions: Vec<Question>,
    /// Polls with the right choices of quizzes, without their votes.
    pub polls: Vec<(Poll, Option<usize>)>,
    /// Products.
    pub products: Vec<Product>,
    /// The card that is up.
    pub pin: Option<Pin>,
    /// Hands that are up.
    pub hands: Vec<UpHand>,
    /// Taps so far.
    pub reactions: BTreeMap<Reaction, u64>,
    /// What moderators did last.
    pub acts: Vec<ActDone>,
    /// Names that viewers gave themselves here.
    pub names: BTreeMap<ViewerId, String>,
    /// The last number that was given to anything.
    pub number: u64,
}

/// All that a restart brings back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Restored {
    /// The room.
    pub saved: Saved,
    /// The last chat messages, oldest first.
    pub chats: Vec<Message>,
    /// Who voted for which choice of the polls.
    pub votes: Vec<(Vote, ViewerId)>,
    /// Who voted for which of the questions.
    pub upvotes: Vec<(QuestionId, ViewerId)>,
    /// What was applied in the last minutes, oldest first, so that it is not applied again.
    pub answered: Vec<(Speaker, SayId, Option<MessageId>)>,
}
