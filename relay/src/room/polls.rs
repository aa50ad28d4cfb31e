//! Polls and quizzes: vote once, live bars, lock, reveal.

use std::collections::{BTreeSet, HashMap};

use shared::room::{
    Delta, Refusal, ViewerId, Wall,
    polls::{Draft, MAX_CHOICE_CHARS, MAX_CHOICES, MAX_POLLS, MAX_QUESTION_CHARS, Poll, PollId, Stage, Vote},
    text,
};

use super::{feed::Feeds, pace::Pace};

/// Milliseconds between two tellings of the bars.
const EVERY: u64 = 500;
/// Viewers whose choice in one poll is remembered; further ones are refused.
const MAX_VOTERS: usize = 100_000;

/// A poll with what is not shown of it.
#[derive(Debug)]
struct Asked {
    poll: Poll,
    correct: Option<usize>,
    counts: Vec<u32>,
    choices: HashMap<ViewerId, usize>,
}

impl Asked {
    /// As everybody sees it now.
    fn shown(&mut self) -> Poll {
        let is_hidden = self.poll.is_quiz && self.poll.stage != Stage::Revealed;
        self.poll.votes = (!is_hidden).then(|| self.counts.clone());
        self.poll.voters = u32::try_from(self.choices.len()).unwrap_or(u32::MAX);
        self.poll.correct = self.correct.filter(|_| self.poll.stage == Stage::Revealed);
        self.poll.clone()
    }

    fn take(&mut self, viewer: ViewerId, choice: usize) {
        if let Some(count) = self.counts.get_mut(choice)
            && self.choices.insert(viewer, choice).is_none()
        {
            *count = count.saturating_add(1);
        }
    }
}

/// The room's polls, oldest first.
#[derive(Debug, Default)]
pub(super) struct Polls {
    all: Vec<Asked>,
    changed: BTreeSet<PollId>,
    pace: Pace<EVERY>,
}

impl Polls {
    /// Those from before a restart with the right choices of quizzes, and who chose what.
    pub(super) fn restore(polls: Vec<(Poll, Option<usize>)>, votes: Vec<(Vote, ViewerId)>) -> Self {
        let all = polls.into_iter().map(|(poll, correct)| {
            let counts = vec![0; poll.choices.len()];
            Asked { poll, correct, counts, choices: HashMap::new() }
        });
        let mut restored = Self { all: all.collect(), ..Self::default() };
        for (vote, viewer) in votes {
            if let Some(asked) = restored.find(vote.poll) {
                asked.take(viewer, vote.choice);
            }
        }
        restored
    }

    /// As everybody sees them.
    pub(super) fn shown(&mut self) -> Vec<Poll> {
        self.all.iter_mut().map(Asked::shown).collect()
    }

    /// As they are to be brought back by a restart.
    pub(super) fn saved(&self) -> Vec<(Poll, Option<usize>)> {
        self.all.iter().map(|asked| (asked.poll.clone(), asked.correct)).collect()
    }

    /// Opens a poll and locks the one before; past the bound the oldest goes.
    pub(super) fn open(
        &mut self,
        now: Wall,
        poll: PollId,
        draft: &Draft,
        feeds: &mut Feeds,
    ) -> Result<(), Refusal> {
        let question = text::clean(&draft.question, MAX_QUESTION_CHARS)?;
        if !(2..=MAX_CHOICES).contains(&draft.choices.len()) {
            let detail = format!("a poll has 2 to {MAX_CHOICES} choices");
            return Err(Refusal::Malformed { detail });
        }
        let choices = draft.choices.iter().map(|choice| text::clean(choice, MAX_CHOICE_CHARS));
        let choices = choices.collect::<Result<Vec<_>, _>>()?;
        if draft.correct.is_some_and(|correct| correct >= choices.len()) {
            let detail = "the right choice is none of the choices".to_owned();
            return Err(Refusal::Malformed { detail });
        }
        let open: Vec<PollId> =
            self.all.iter().filter(|asked| asked.poll.stage == Stage::Open).map(id).collect();
        for poll in open {
            self.set(now, poll, Stage::Locked, feeds);
        }
        if self.all.len() >= MAX_POLLS {
            let gone = self.all.remove(0);
            feeds.tell(now, Delta::PollGone(gone.poll.poll));
        }
        let counts = vec![0; choices.len()];
        let (is_quiz, correct) = (draft.correct.is_some(), draft.correct);
        let poll = Poll {
            poll,
            at: now,
            question,
            choices,
            votes: None,
            voters: 0,
            is_quiz,
            correct: None,
            stage: Stage::Open,
        };
        let mut asked = Asked { poll, correct, counts, choices: HashMap::new() };
        feeds.tell(now, Delta::Poll(asked.shown()));
        self.all.push(asked);
        Ok(())
    }

    /// Counts a vote.
    pub(super) fn vote(&mut self, now: Wall, vote: Vote, viewer: &ViewerId) -> Result<(), Refusal> {
        let asked = self.find(vote.poll).ok_or(Refusal::Unknown)?;
        if asked.poll.stage != Stage::Open {
            return Err(Refusal::Closed);
        }
        if vote.choice >= asked.counts.len() {
            return Err(Refusal::Unknown);
        }
        if asked.choices.contains_key(viewer) {
            return Err(Refusal::Again);
        }
        if asked.choices.len() >= MAX_VOTERS {
            return Err(Refusal::Full { max: MAX_VOTERS });
        }
        asked.take(viewer.clone(), vote.choice);
        self.changed.insert(vote.poll);
        self.pace.want(now);
        Ok(())
    }

    /// Locks or reveals a poll; a revealed one stays so.
    pub(super) fn advance(
        &mut self,
        now: Wall,
        poll: PollId,
        to: Stage,
        feeds: &mut Feeds,
    ) -> Result<(), Refusal> {
        let asked = self.find(poll).ok_or(Refusal::Unknown)?;
        match (asked.poll.stage, to) {
            (Stage::Revealed, _) | (Stage::Locked, Stage::Locked | Stage::Open) => Err(Refusal::Again),
            (Stage::Open | Stage::Locked, _) => {
                self.set(now, poll, to, feeds);
                Ok(())
            }
        }
    }

    /// Takes a poll away.
    pub(super) fn remove(&mut self, now: Wall, poll: PollId, feeds: &mut Feeds) -> Result<(), Refusal> {
        let at = self.all.iter().position(|asked| asked.poll.poll == poll).ok_or(Refusal::Unknown)?;
        self.all.remove(at);
        self.changed.remove(&poll);
        feeds.tell(now, Delta::PollGone(poll));
        Ok(())
    }

    /// What a viewer chose.
    pub(super) fn votes_of(&self, viewer: &ViewerId) -> Vec<Vote> {
        let votes = self.all.iter().filter_map(|asked| {
            let choice = *asked.choices.get(viewer)?;
            Some(Vote { poll: asked.poll.poll, choice })
        });
        votes.collect()
    }

    /// When the bars are told next.
    pub(super) fn deadline(&self) -> Option<Wall> {
        self.pace.deadline()
    }

    /// Tells bars that are due.
    pub(super) fn flush(&mut self, now: Wall, feeds: &mut Feeds) {
        if self.pace.is_due(now) {
            for poll in std::mem::take(&mut self.changed) {
                if let Some(asked) = self.find(poll) {
                    feeds.tell(now, Delta::Poll(asked.shown()));
                }
            }
        }
    }

    fn set(&mut self, now: Wall, poll: PollId, stage: Stage, feeds: &mut Feeds) {
        if let Some(asked) = self.find(poll) {
            asked.poll.stage = stage;
            feeds.tell(now, Delta::Poll(asked.shown()));
        }
    }

    fn find(&mut self, poll: PollId) -> Option<&mut Asked> {
        self.all.iter_mut().find(|asked| asked.poll.poll == poll)
    }
}

fn id(asked: &Asked) -> PollId {
    asked.poll.poll
}

#[cfg(test)]
mod tests {
    use super::{super::tests::speaker, *};

    fn draft(correct: Option<usize>) -> Draft {
        Draft { question: "tea?".to_owned(), choices: vec!["yes".to_owned(), "no".to_owned()], correct }
    }

    fn opened(correct: Option<usize>) -> (Polls, Feeds) {
        let (mut polls, mut feeds) = (Polls::default(), Feeds::default());
        polls.open(Wall(1), PollId(1), &draft(correct), &mut feeds).expect("opened");
        (polls, feeds)
    }

    fn vote(choice: usize) -> Vote {
        Vote { poll: PollId(1), choice }
    }

    #[test]
    fn a_viewer_votes_once_while_the_poll_is_open() {
        let (mut polls, mut feeds) = opened(None);
        let (ann, bob) = (speaker("ann").viewer, speaker("bob").viewer);
        assert_eq!(polls.vote(Wall(2), vote(1), &ann), Ok(()));
        assert_eq!(polls.vote(Wall(2), vote(0), &ann), Err(Refusal::Again));
        assert_eq!(polls.vote(Wall(2), vote(2), &bob), Err(Refusal::Unknown));
        assert_eq!(polls.vote(Wall(2), vote(usize::MAX), &bob), Err(Refusal::Unknown));
        polls.advance(Wall(3), PollId(1), Stage::Locked, &mut feeds).expect("locked");
        assert_eq!(polls.vote(Wall(3), vote(0), &bob), Err(Refusal::Closed));
        let shown = &feeds.state().polls[0];
        assert_eq!((shown.votes.as_deref(), shown.voters), (Some(&[0, 1][..]), 1));
        assert_eq!(polls.votes_of(&ann), [vote(1)]);
    }

    #[test]
    fn the_answer_and_the_votes_of_a_quiz_are_hidden_until_it_is_revealed() {
        let (mut polls, mut feeds) = opened(Some(1));
        polls.vote(Wall(2), vote(1), &speaker("ann").viewer).expect("taken");
        polls.flush(Wall(2), &mut feeds);
        let shown = feeds.state().polls[0].clone();
        assert_eq!((shown.votes, shown.correct, shown.voters), (None, None, 1));
        polls.advance(Wall(3), PollId(1), Stage::Locked, &mut feeds).expect("locked");
        assert_eq!(feeds.state().polls[0].votes, None);
        polls.advance(Wall(3), PollId(1), Stage::Revealed, &mut feeds).expect("revealed");
        let shown = feeds.state().polls[0].clone();
        assert_eq!((shown.votes, shown.correct), (Some(vec![0, 1]), Some(1)));
        assert_eq!(polls.advance(Wall(4), PollId(1), Stage::Locked, &mut feeds), Err(Refusal::Again));
    }

    #[test]
    fn bars_move_at_most_twice_a_second() {
        let (mut polls, mut feeds) = opened(None);
        while feeds.next().is_some() {}
        let mut told = 0;
        for n in 0..5_000 {
            let now = Wall(1 + n);
            polls.vote(now, vote(0), &speaker(&format!("v{n}")).viewer).expect("taken");
            polls.flush(now, &mut feeds);
            told += std::iter::from_fn(|| feeds.next()).count();
        }
        assert!((10..=11).contains(&told), "{told}");
    }

    #[test]
    fn a_new_poll_locks_the_one_before_and_the_oldest_of_too_many_goes() {
        let (mut polls, mut feeds) = opened(None);
        for id in 2..=MAX_POLLS as u64 + 1 {
            polls.open(Wall(id), PollId(id), &draft(None), &mut feeds).expect("opened");
        }
        let shown = &feeds.state().polls;
        assert_eq!((shown.len(), shown[0].poll), (MAX_POLLS, PollId(2)));
        assert_eq!(shown.iter().filter(|poll| poll.stage == Stage::Open).count(), 1);
    }

    #[test]
    fn a_poll_that_makes_no_sense_is_refused() {
        let (mut polls, mut feeds) = (Polls::default(), Feeds::default());
        for (question, choices, correct) in [
            ("", vec!["a", "b"], None),
            ("q", vec!["a"], None),
            ("q", vec!["a"; 11], None),
            ("q", vec!["a", " "], None),
            ("q", vec!["a", "b"], Some(2)),
        ] {
            let choices = choices.into_iter().map(str::to_owned).collect();
            let draft = Draft { question: question.to_owned(), choices, correct };
            assert!(polls.open(Wall(1), PollId(1), &draft, &mut feeds).is_err(), "{draft:?}");
        }
        assert!(polls.all.is_empty());
    }

    #[test]
    fn a_restart_brings_votes_back_and_they_cannot_be_cast_again() {
        let (mut polls, mut feeds) = opened(Some(0));
        let ann = speaker("ann").viewer;
        polls.vote(Wall(2), vote(1), &ann).expect("taken");
        let mut again = Polls::restore(polls.saved(), vec![(vote(1), ann.clone())]);
        assert_eq!(again.vote(Wall(9), vote(0), &ann), Err(Refusal::Again));
        again.advance(Wall(9), PollId(1), Stage::Revealed, &mut feeds).expect("revealed");
        assert_eq!(again.shown()[0].votes, Some(vec![0, 1]));
        assert_eq!(again.shown()[0].correct, Some(0));
    }
}
