//! Likes and other reactions: counted here, told at most twice a second.

use std::collections::BTreeMap;

use shared::room::{
    Refusal, Wall,
    reactions::{MAX_TAPS, Reaction, Tally, Taps},
};

use super::{feed::Feeds, pace::Pace};

/// Milliseconds between two tallies.
const EVERY: u64 = 500;
/// The last tally is told again after so many milliseconds, and then each time after twice as many: a datagram may
/// be lost, and nothing follows it that would make that good.
const AGAIN: u64 = 500;
/// How often it is.
const REPEATS: u32 = 6;

/// The room's taps.
#[derive(Debug, Default)]
pub(super) struct Reactions {
    totals: BTreeMap<Reaction, u64>,
    burst: BTreeMap<Reaction, u32>,
    pace: Pace<EVERY>,
    /// When the last tally is told again, and how often it was.
    again: Option<(Wall, u32)>,
}

impl Reactions {
    /// Going on from these totals.
    pub(super) fn new(totals: BTreeMap<Reaction, u64>) -> Self {
        Self { totals, ..Self::default() }
    }

    /// Counts taps.
    pub(super) fn tap(&mut self, now: Wall, taps: Taps) -> Result<(), Refusal> {
        match taps.count {
            0 => return Err(Refusal::Empty),
            count if count > MAX_TAPS => return Err(Refusal::Full { max: MAX_TAPS as usize }),
            _ => {}
        }
        let total = self.totals.entry(taps.reaction).or_default();
        *total = total.saturating_add(u64::from(taps.count));
        let burst = self.burst.entry(taps.reaction).or_default();
        *burst = burst.saturating_add(taps.count);
        self.pace.want(now);
        Ok(())
    }

    /// When the next tally is due.
    pub(super) fn deadline(&self) -> Option<Wall> {
        self.pace.deadline().into_iter().chain(self.again.map(|(at, _)| at)).min()
    }

    /// Tells a tally that is due.
    pub(super) fn flush(&mut self, now: Wall, feeds: &mut Feeds) {
        let repeats = match self.again {
            _ if self.pace.is_due(now) => 0,
            Some((at, repeats)) if at <= now => repeats + 1,
            _ => return,
        };
        let burst = std::mem::take(&mut self.burst);
        feeds.reactions(now, Tally { totals: self.totals.clone(), burst });
        let wait = AGAIN << repeats;
        self.again = (repeats < REPEATS).then(|| (Wall(now.0.saturating_add(wait)), repeats));
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Output, *};

    #[test]
    fn however_many_tap_two_tallies_a_second_tell_of_all() {
        let (mut reactions, mut feeds) = (Reactions::default(), Feeds::default());
        let mut tallies = Vec::new();
        for now in 0..10_000 {
            let now = Wall(now);
            assert_eq!(reactions.tap(now, Taps { reaction: Reaction::Like, count: 3 }), Ok(()));
            reactions.flush(now, &mut feeds);
            while let Some(Output::Publish(publication)) = feeds.next() {
                tallies.push(serde_json::from_slice::<Tally>(&publication.payload).expect("a tally"));
            }
        }
        assert_eq!(tallies.len(), 20);
        let burst: u64 = tallies.iter().map(|tally| u64::from(tally.burst[&Reaction::Like])).sum();
        assert_eq!(Some(burst), tallies.last().map(|tally| tally.totals[&Reaction::Like]));
        assert_eq!(reactions.totals[&Reaction::Like], 30_000);
    }

    #[test]
    fn the_last_tally_is_told_again_for_a_while_since_nothing_makes_its_loss_good() {
        let (mut reactions, mut feeds) = (Reactions::default(), Feeds::default());
        assert_eq!(reactions.tap(Wall(0), Taps { reaction: Reaction::Like, count: 3 }), Ok(()));
        let mut told = Vec::new();
        while let Some(at) = reactions.deadline() {
            reactions.flush(at, &mut feeds);
            while let Some(Output::Publish(publication)) = feeds.next() {
                let tally = serde_json::from_slice::<Tally>(&publication.payload).expect("a tally");
                told.push((at.0, tally.totals[&Reaction::Like], tally.burst.len()));
            }
        }
        let times: Vec<u64> = told.iter().map(|(at, ..)| *at).collect();
        assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert!(told.iter().all(|(_, likes, _)| *likes == 3), "{told:?}");
        assert!(told[1..].iter().all(|(.., burst)| *burst == 0), "no burst twice: {told:?}");
    }

    #[test]
    fn no_tap_and_too_many_are_refused() {
        let mut reactions = Reactions::default();
        let mut tap = |count| reactions.tap(Wall(1), Taps { reaction: Reaction::Clap, count });
        assert_eq!(tap(0), Err(Refusal::Empty));
        assert_eq!(tap(101), Err(Refusal::Full { max: 100 }));
        assert_eq!(tap(u32::MAX), Err(Refusal::Full { max: 100 }));
    }
}
