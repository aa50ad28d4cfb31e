//! Questions for the host: asked, approved, on screen, answered or hidden.

use std::collections::{BTreeSet, HashSet};

use shared::room::{
    Delta, Refusal, Speaker, ViewerId, Wall, desk,
    questions::{MAX_QUESTIONS, Move, Question, QuestionId, Stage},
};

use super::{feed::Feeds, pace::Pace};

/// Milliseconds between two tellings of votes.
const EVERY: u64 = 500;
/// Viewers whose vote for one question is remembered; further ones are refused.
const MAX_VOTERS: usize = 100_000;

/// A question and who voted for it.
#[derive(Debug)]
struct Asked {
    question: Question,
    voters: HashSet<ViewerId>,
}

/// The room's questions, oldest first.
#[derive(Debug, Default)]
pub(super) struct Questions {
    all: Vec<Asked>,
    /// Those whose votes changed since they were told.
    changed: BTreeSet<QuestionId>,
    pace: Pace<EVERY>,
}

impl Questions {
    /// Those from before a restart, with who voted.
    pub(super) fn restore(questions: Vec<Question>, votes: Vec<(QuestionId, ViewerId)>) -> Self {
        let all = questions.into_iter().map(|question| Asked { question, voters: HashSet::new() });
        let mut restored = Self { all: all.collect(), ..Self::default() };
        for (question, viewer) in votes {
            if let Some(asked) = restored.find(question) {
                asked.voters.insert(viewer);
            }
        }
        for asked in &mut restored.all {
            asked.question.votes = count(&asked.voters);
        }
        restored
    }

    /// Those that everybody sees, and those that only moderators see.
    pub(super) fn by_who_sees_them(&self) -> (Vec<Question>, Vec<Question>) {
        self.all.iter().map(|asked| asked.question.clone()).partition(|question| question.stage.is_public())
    }

    /// Takes a question in at `stage`. Where there are too many, an old one that is done makes place.
    pub(super) fn ask(
        &mut self,
        now: Wall,
        question: QuestionId,
        (from, text, stage): (Speaker, String, Stage),
        feeds: &mut Feeds,
    ) -> Result<(), Refusal> {
        if self.all.len() >= MAX_QUESTIONS {
            let done = |stage| self.all.iter().position(|asked| asked.question.stage == stage);
            let at = done(Stage::Hidden).or_else(|| done(Stage::Answered));
            let gone = self.all.remove(at.ok_or(Refusal::Full { max: MAX_QUESTIONS })?).question;
            match gone.stage.is_public() {
                true => feeds.tell(now, Delta::QuestionGone(gone.question)),
                false => feeds.tell_desk(now, desk::Delta::QuestionGone(gone.question)),
            }
        }
        let question = Question { question, at: now, from, text, votes: 0, stage };
        show(now, &question, feeds);
        self.all.push(Asked { question, voters: HashSet::new() });
        Ok(())
    }

    /// Counts a vote.
    pub(super) fn upvote(&mut self, now: Wall, id: QuestionId, viewer: &ViewerId) -> Result<(), Refusal> {
        let asked = self.find(id).filter(|asked| asked.question.stage.is_public()).ok_or(Refusal::Unknown)?;
        if asked.question.stage == Stage::Answered {
            return Err(Refusal::Closed);
        }
        if asked.voters.contains(viewer) {
            return Err(Refusal::Again);
        }
        if asked.voters.len() >= MAX_VOTERS {
            return Err(Refusal::Full { max: MAX_VOTERS });
        }
        asked.voters.insert(viewer.clone());
        asked.question.votes = count(&asked.voters);
        self.changed.insert(id);
        self.pace.want(now);
        Ok(())
    }

    /// Moves a question on; gives who asked it.
    pub(super) fn advance(&mut self, now: Wall, to: Move, feeds: &mut Feeds) -> Result<ViewerId, Refusal> {
        let asked = self.find(to.question).ok_or(Refusal::Unknown)?;
        let (was, author) = (asked.question.stage, asked.question.from.viewer.clone());
        if was == to.to {
            return Err(Refusal::Again);
        }
        if to.to == Stage::OnScreen {
            // One at a time.
            let up: Vec<QuestionId> = self.at(Stage::OnScreen).map(|question| question.question).collect();
            for question in up {
                self.set(now, question, Stage::Approved, feeds);
            }
        }
        self.set(now, to.question, to.to, feeds);
        Ok(author)
    }

    /// Hides what a viewer asked and is not answered.
    pub(super) fn hide_all_of(&mut self, now: Wall, viewer: &ViewerId, feeds: &mut Feeds) {
        let theirs = self.all.iter().map(|asked| &asked.question).filter(|question| {
            question.from.viewer == *viewer && !matches!(question.stage, Stage::Hidden | Stage::Answered)
        });
        let theirs: Vec<QuestionId> = theirs.map(|question| question.question).collect();
        for question in theirs {
            self.set(now, question, Stage::Hidden, feeds);
        }
    }

    /// Which ones a viewer voted for.
    pub(super) fn upvotes_of(&self, viewer: &ViewerId) -> Vec<QuestionId> {
        let theirs = self.all.iter().filter(|asked| asked.voters.contains(viewer));
        theirs.map(|asked| asked.question.question).collect()
    }

    /// When votes are told next.
    pub(super) fn deadline(&self) -> Option<Wall> {
        self.pace.deadline()
    }

    /// Tells votes that are due.
    pub(super) fn flush(&mut self, now: Wall, feeds: &mut Feeds) {
        if self.pace.is_due(now) {
            for id in std::mem::take(&mut self.changed) {
                if let Some(asked) = self.find(id) {
                    show(now, &asked.question, feeds);
                }
            }
        }
    }

    fn set(&mut self, now: Wall, id: QuestionId, stage: Stage, feeds: &mut Feeds) {
        let Some(asked) = self.find(id) else { return };
        let was_public = std::mem::replace(&mut asked.question.stage, stage).is_public();
        if was_public != stage.is_public() {
            match was_public {
                true => feeds.tell(now, Delta::QuestionGone(id)),
                false => feeds.tell_desk(now, desk::Delta::QuestionGone(id)),
            }
        }
        show(now, &asked.question, feeds);
    }

    fn at(&self, stage: Stage) -> impl Iterator<Item = &Question> {
        self.all.iter().map(|asked| &asked.question).filter(move |question| question.stage == stage)
    }

    fn find(&mut self, id: QuestionId) -> Option<&mut Asked> {
        self.all.iter_mut().find(|asked| asked.question.question == id)
    }
}

/// Tells those who may see it.
fn show(now: Wall, question: &Question, feeds: &mut Feeds) {
    match question.stage.is_public() {
        true => feeds.tell(now, Delta::Question(question.clone())),
        false => feeds.tell_desk(now, desk::Delta::Question(question.clone())),
    }
}

fn count(voters: &HashSet<ViewerId>) -> u32 {
    u32::try_from(voters.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::speaker, *};

    fn asked(number: u64, stage: Stage) -> (Questions, Feeds) {
        let (mut questions, mut feeds) = (Questions::default(), Feeds::default());
        for id in 1..=number {
            let question = (speaker("ann"), format!("question {id}"), stage);
            questions.ask(Wall(id), QuestionId(id), question, &mut feeds).expect("asked");
        }
        (questions, feeds)
    }

    #[test]
    fn a_question_is_seen_by_those_who_may_see_it_at_each_stage() {
        let (mut questions, mut feeds) = asked(1, Stage::Asked);
        let seen = |feeds: &Feeds| (feeds.state().questions.len(), feeds.desk().questions.len());
        assert_eq!(seen(&feeds), (0, 1));
        for (to, expected) in [
            (Stage::Approved, (1, 0)),
            (Stage::OnScreen, (1, 0)),
            (Stage::Hidden, (0, 1)),
            (Stage::Answered, (1, 0)),
        ] {
            let to = Move { question: QuestionId(1), to };
            questions.advance(Wall(2), to, &mut feeds).expect("moved");
            assert_eq!(seen(&feeds), expected, "{to:?}");
            assert_eq!(questions.advance(Wall(2), to, &mut feeds), Err(Refusal::Again));
        }
    }

    #[test]
    fn one_question_stands_over_the_picture() {
        let (mut questions, mut feeds) = asked(3, Stage::Approved);
        for id in 1..=3 {
            let to = Move { question: QuestionId(id), to: Stage::OnScreen };
            questions.advance(Wall(4), to, &mut feeds).expect("moved");
        }
        let stages: Vec<Stage> = feeds.state().questions.iter().map(|question| question.stage).collect();
        assert_eq!(stages, [Stage::Approved, Stage::Approved, Stage::OnScreen]);
    }

    #[test]
    fn a_viewer_has_one_vote_for_a_question_that_it_sees() {
        let (mut questions, mut feeds) = asked(2, Stage::Approved);
        let ann = speaker("ann").viewer;
        assert_eq!(questions.upvote(Wall(5), QuestionId(1), &ann), Ok(()));
        assert_eq!(questions.upvote(Wall(5), QuestionId(1), &ann), Err(Refusal::Again));
        assert_eq!(questions.upvote(Wall(5), QuestionId(9), &ann), Err(Refusal::Unknown));
        questions
            .advance(Wall(5), Move { question: QuestionId(2), to: Stage::Hidden }, &mut feeds)
            .expect("hidden");
        assert_eq!(questions.upvote(Wall(5), QuestionId(2), &ann), Err(Refusal::Unknown));
        questions.flush(Wall(5), &mut feeds);
        assert_eq!(feeds.state().questions[0].votes, 1);
        assert_eq!(questions.upvotes_of(&ann), [QuestionId(1)]);
    }

    #[test]
    fn the_oldest_that_is_done_makes_place_and_where_none_is_the_new_one_is_refused() {
        let (mut questions, mut feeds) = asked(MAX_QUESTIONS as u64, Stage::Approved);
        let new = || (speaker("bob"), "one more".to_owned(), Stage::Approved);
        let full = Err(Refusal::Full { max: MAX_QUESTIONS });
        assert_eq!(questions.ask(Wall(9), QuestionId(999), new(), &mut feeds), full);
        let to = Move { question: QuestionId(7), to: Stage::Answered };
        questions.advance(Wall(9), to, &mut feeds).expect("answered");
        assert_eq!(questions.ask(Wall(9), QuestionId(999), new(), &mut feeds), Ok(()));
        assert_eq!(feeds.state().questions.len(), MAX_QUESTIONS);
        assert!(feeds.state().questions.iter().all(|question| question.question != QuestionId(7)));
    }
}
