//! Who is there, in numbers, at most every two seconds; raised hands.

use shared::room::{
    Delta, Refusal, ViewerId, Wall,
    presence::{MAX_HANDS, Presence, Raised, UpHand},
};

use super::{feed::Feeds, pace::Pace, people::People};

/// Milliseconds between two words.
const EVERY: u64 = 2_000;
/// Milliseconds between two tellings of hands.
const HANDS_EVERY: u64 = 500;
/// For how long the hand of somebody who left stays up, in milliseconds: for a reconnect.
const AWAY: u64 = 30_000;

/// Numbers and hands.
#[derive(Debug, Default)]
pub(super) struct Attendance {
    watching: u32,
    hands: Vec<UpHand>,
    pace: Pace<EVERY>,
    hands_pace: Pace<HANDS_EVERY>,
}

impl Attendance {
    /// With the hands from before a restart.
    pub(super) fn new(now: Wall, hands: Vec<UpHand>) -> Self {
        let mut new = Self { hands, ..Self::default() };
        if !new.hands.is_empty() {
            // Whoever does not come back is noticed then.
            new.pace.want(now);
        }
        new
    }

    /// So many sessions watch.
    pub(super) fn watch(&mut self, now: Wall, watching: u32) {
        if std::mem::replace(&mut self.watching, watching) != watching {
            self.pace.want(now);
        }
    }

    /// Somebody came or left.
    pub(super) fn moved(&mut self, now: Wall) {
        self.pace.want(now);
    }

    /// A hand goes up or down.
    pub(super) fn raise(
        &mut self,
        now: Wall,
        (viewer, name): (&ViewerId, &str),
        to: Raised,
    ) -> Result<(), Refusal> {
        let at = self.hands.iter().position(|hand| hand.viewer == *viewer);
        match (to, at) {
            (Raised::Up, Some(_)) | (Raised::Down, None) => return Err(Refusal::Again),
            (Raised::Up, None) if self.hands.len() >= MAX_HANDS => {
                return Err(Refusal::Full { max: MAX_HANDS });
            }
            (Raised::Up, None) => {
                self.hands.push(UpHand { viewer: viewer.clone(), name: name.to_owned(), at: now });
            }
            (Raised::Down, Some(at)) => {
                self.hands.remove(at);
            }
        }
        self.hands_pace.want(now);
        Ok(())
    }

    /// Lowers a viewer's hand, or everybody's.
    pub(super) fn lower(&mut self, now: Wall, viewer: Option<&ViewerId>) -> Result<(), Refusal> {
        let before = self.hands.len();
        self.hands.retain(|hand| viewer.is_some_and(|viewer| hand.viewer != *viewer));
        if before == self.hands.len() {
            return Err(Refusal::Unknown);
        }
        self.hands_pace.want(now);
        Ok(())
    }

    /// Whether a viewer's hand is up.
    pub(super) fn is_up(&self, viewer: &ViewerId) -> bool {
        self.hands.iter().any(|hand| hand.viewer == *viewer)
    }

    /// When something is told next.
    pub(super) fn deadline(&self) -> Option<Wall> {
        [self.pace.deadline(), self.hands_pace.deadline()].into_iter().flatten().min()
    }

    /// Tells what is due.
    pub(super) fn flush(&mut self, now: Wall, people: &mut People, feeds: &mut Feeds) {
        if self.pace.is_due(now) {
            people.forget(now);
            let before = self.hands.len();
            self.hands.retain(|hand| !people.is_away(now, &hand.viewer, AWAY));
            if self.hands.len() != before {
                self.hands_pace.want(now);
            }
            let (present, joined, left) = people.take_counts();
            let presence = Presence { watching: self.watching, present, joined, left };
            if presence != feeds.state().presence {
                feeds.tell(now, Delta::Presence(presence));
            }
            let is_settled = joined == 0 && left == 0;
            let has_away = self.hands.iter().any(|hand| people.is_away(now, &hand.viewer, 0));
            if !is_settled || has_away {
                // The next word says that nobody came or left since.
                self.pace.want(now);
            }
        }
        if self.hands_pace.is_due(now) {
            feeds.tell(now, Delta::Hands(self.hands.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::speaker, *};

    #[test]
    fn a_hand_goes_up_once_and_down_again() {
        let mut attendance = Attendance::default();
        let ann = speaker("ann").viewer;
        let mut raise = |to| attendance.raise(Wall(1), (&ann, "Ann"), to);
        assert_eq!(raise(Raised::Down), Err(Refusal::Again));
        assert_eq!(raise(Raised::Up), Ok(()));
        assert_eq!(raise(Raised::Up), Err(Refusal::Again));
        assert_eq!(raise(Raised::Down), Ok(()));
    }

    #[test]
    fn hands_are_bounded_and_a_moderator_lowers_one_or_all() {
        let mut attendance = Attendance::default();
        let viewer = |n: usize| speaker(&format!("v{n}")).viewer;
        for n in 0..MAX_HANDS {
            attendance.raise(Wall(1), (&viewer(n), "name"), Raised::Up).expect("up");
        }
        let more = attendance.raise(Wall(1), (&viewer(MAX_HANDS), "name"), Raised::Up);
        assert_eq!(more, Err(Refusal::Full { max: MAX_HANDS }));
        assert_eq!(attendance.lower(Wall(1), Some(&viewer(3))), Ok(()));
        assert_eq!(attendance.lower(Wall(1), Some(&viewer(3))), Err(Refusal::Unknown));
        assert_eq!(attendance.hands.len(), MAX_HANDS - 1);
        assert_eq!(attendance.lower(Wall(1), None), Ok(()));
        assert!(attendance.hands.is_empty());
    }

    #[test]
    fn numbers_are_told_at_most_every_two_seconds_and_hands_of_those_who_left_go_down() {
        let (mut attendance, mut people, mut feeds) =
            (Attendance::default(), People::default(), Feeds::default());
        attendance.raise(Wall(0), (&speaker("gone").viewer, "Gone"), Raised::Up).expect("up");
        let mut told = 0;
        for now in 0..10_000 {
            attendance.watch(Wall(now), u32::try_from(now).expect("small"));
            attendance.flush(Wall(now), &mut people, &mut feeds);
            told += std::iter::from_fn(|| feeds.next()).count();
        }
        // Five words, and the hand that nobody is known for.
        assert!(feeds.state().hands.is_empty());
        assert!((5..=8).contains(&told), "{told}");
    }
}
