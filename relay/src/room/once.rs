//! What was answered to a viewer's sayings, so that one that comes again is not applied again.

use std::collections::{HashMap, VecDeque};

use shared::room::{MessageId, Refusal, Reply, SayId};

/// Answers that are remembered of one viewer.
pub(super) const EACH: usize = 1024;
/// Answers that are remembered of all viewers of a room. Past it those of each viewer are cut to an equal share,
/// the oldest first.
pub(super) const ALL: usize = 131_072;

/// What became of a saying.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// It was applied.
    Accepted,
    /// It became a message.
    Message(MessageId),
    /// It was not applied. Boxed: most are applied, and all are remembered.
    Refused(Box<Refusal>),
}

impl Outcome {
    /// The answer to the saying `id`.
    pub(super) fn reply(&self, id: SayId) -> Reply {
        match self {
            Self::Accepted => Reply::Accepted { id, message: None },
            Self::Message(message) => Reply::Accepted { id, message: Some(*message) },
            Self::Refused(why) => Reply::Refused { id: Some(id), why: (**why).clone() },
        }
    }
}

/// One viewer's answers.
#[derive(Debug, Default)]
pub(super) struct Answered {
    order: VecDeque<SayId>,
    outcomes: HashMap<SayId, Outcome>,
}

impl Answered {
    /// What became of it, if it is remembered.
    pub(super) fn outcome(&self, id: SayId) -> Option<&Outcome> {
        self.outcomes.get(&id)
    }

    /// Remembers an answer; gives by how many more are remembered now.
    pub(super) fn remember(&mut self, id: SayId, outcome: Outcome) -> usize {
        if self.outcomes.insert(id, outcome).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() <= EACH {
            return 1;
        }
        self.keep(EACH);
        0
    }

    /// Forgets all but the newest `most`; gives how many were forgotten.
    pub(super) fn keep(&mut self, most: usize) -> usize {
        let over = self.order.len().saturating_sub(most);
        for id in self.order.drain(..over) {
            self.outcomes.remove(&id);
        }
        over
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answers_are_remembered_and_no_others() {
        let mut answered = Answered::default();
        let mut count = 0;
        for id in 0..EACH as u64 + 10 {
            count += answered.remember(SayId(id), Outcome::Message(MessageId(id)));
        }
        assert_eq!((answered.len(), count), (EACH, EACH));
        assert_eq!(answered.outcome(SayId(9)), None);
        assert_eq!(answered.outcome(SayId(10)), Some(&Outcome::Message(MessageId(10))));
        assert_eq!(answered.keep(4), EACH - 4);
        assert_eq!((answered.len(), answered.outcomes.len()), (4, 4));
    }

    #[test]
    fn a_refusal_is_told_again_word_for_word() {
        let outcome = Outcome::Refused(Box::new(Refusal::TooLong { max: 500 }));
        let again = Reply::Refused { id: Some(SayId(7)), why: Refusal::TooLong { max: 500 } };
        assert_eq!(outcome.reply(SayId(7)), again);
    }
}
