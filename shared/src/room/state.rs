//! What everybody sees of the room: a snapshot, and what changed since.

use serde::{Deserialize, Serialize};

use super::{
    mode::Mode,
    notice::Notice,
    polls::{Poll, PollId},
    presence::{Presence, UpHand},
    products::{Pin, Product},
    questions::{Question, QuestionId},
    reactions::Tally,
};

/// Object 0 of a group of the track `state`: all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Snapshot {
    /// The rules.
    pub mode: Mode,
    /// Who is there.
    pub presence: Presence,
    /// The notice that is up.
    pub notice: Option<Notice>,
    /// Questions that everybody sees, oldest first.
    pub questions: Vec<Question>,
    /// Polls, oldest first.
    pub polls: Vec<Poll>,
    /// Products, in the host's order.
    pub products: Vec<Product>,
    /// The card that is up.
    pub pin: Option<Pin>,
    /// Hands that are up, the longest first.
    pub hands: Vec<UpHand>,
    /// Taps so far.
    pub reactions: Tally,
}

/// A later object of the group: one thing, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "delta", content = "is", rename_all = "camelCase")]
pub enum Delta {
    /// The rules.
    Mode(Mode),
    /// Who is there.
    Presence(Presence),
    /// The notice; `null` takes it down.
    Notice(Option<Notice>),
    /// A question is new or changed.
    Question(Question),
    /// A question is gone for everybody.
    QuestionGone(QuestionId),
    /// A poll is new or changed.
    Poll(Poll),
    /// A poll is gone.
    PollGone(PollId),
    /// All products, in order.
    Products(Vec<Product>),
    /// The card that is up; `null` takes it down.
    Pin(Option<Pin>),
    /// All hands that are up.
    Hands(Vec<UpHand>),
}

impl Snapshot {
    /// Takes a change in.
    pub fn apply(&mut self, delta: Delta) {
        match delta {
            Delta::Mode(mode) => self.mode = mode,
            Delta::Presence(presence) => self.presence = presence,
            Delta::Notice(notice) => self.notice = notice,
            Delta::Question(question) => {
                put(&mut self.questions, question, |one, other| one.question == other.question);
            }
            Delta::QuestionGone(gone) => self.questions.retain(|question| question.question != gone),
            Delta::Poll(poll) => put(&mut self.polls, poll, |one, other| one.poll == other.poll),
            Delta::PollGone(gone) => self.polls.retain(|poll| poll.poll != gone),
            Delta::Products(products) => self.products = products,
            Delta::Pin(pin) => self.pin = pin,
            Delta::Hands(hands) => self.hands = hands,
        }
    }
}

/// Puts `item` where the same one is, else at the end.
pub(super) fn put<T>(all: &mut Vec<T>, item: T, is_same: impl Fn(&T, &T) -> bool) {
    match all.iter_mut().find(|known| is_same(known, &item)) {
        Some(known) => *known = item,
        None => all.push(item),
    }
}
