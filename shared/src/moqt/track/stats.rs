//! What is counted of one subscription beside sums: how long objects waited, and why streams were reset.

use std::time::Duration;

use crate::moqt::ResetCode;

/// Shortest wait that is told apart from none, in microseconds.
const FIRST: u64 = 16;
/// Classes of waits: each is twice as long as the one before, and the last has no end.
const CLASSES: usize = 20;

/// How many objects waited how long: [`bounds`](Self::bounds) has the longest wait of each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waits([u32; CLASSES]);

impl Waits {
    /// Counts one that waited so long.
    pub(crate) fn note(&mut self, waited: Duration) {
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        let class = (micros / FIRST).checked_ilog2().map_or(0, |doublings| doublings as usize + 1);
        if let Some(count) = self.0.get_mut(class.min(CLASSES - 1)) {
            *count = count.wrapping_add(1);
        }
    }
    /// How many each class gained since `before`, which is an earlier look at the same.
    pub fn since(&self, before: &Self) -> impl Iterator<Item = u32> {
        self.0.into_iter().zip(before.0).map(|(now, before)| now.wrapping_sub(before))
    }
    /// The longest wait of each class; `None` for the last.
    pub fn bounds() -> impl Iterator<Item = Option<Duration>> {
        (0..CLASSES).map(|class| (class + 1 < CLASSES).then(|| Duration::from_micros(FIRST << class)))
    }
}

/// Streams that were reset, by code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resets([u32; Self::CODES.len() + 1]);

impl Resets {
    /// The codes that are told apart; what has another comes last.
    pub const CODES: [ResetCode; 10] = [
        ResetCode::InternalError,
        ResetCode::Cancelled,
        ResetCode::DeliveryTimeout,
        ResetCode::SessionClosed,
        ResetCode::GoingAway,
        ResetCode::TooFarBehind,
        ResetCode::UnknownObjectStatus,
        ResetCode::ExpiredAuthToken,
        ResetCode::ExcessiveLoad,
        ResetCode::MalformedTrack,
    ];

    /// Where a code is counted.
    pub fn place(code: ResetCode) -> usize {
        Self::CODES.iter().position(|known| *known == code).unwrap_or(Self::CODES.len())
    }
    /// Counts one.
    pub(crate) fn note(&mut self, code: ResetCode) {
        if let Some(count) = self.0.get_mut(Self::place(code)) {
            *count = count.wrapping_add(1);
        }
    }
    /// How many each [`place`](Self::place) gained since `before`, which is an earlier look at the same.
    pub fn since(&self, before: &Self) -> impl Iterator<Item = u32> {
        self.0.into_iter().zip(before.0).map(|(now, before)| now.wrapping_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_in_the_first_class_that_is_long_enough() {
        let bounds: Vec<_> = Waits::bounds().collect();
        for (micros, class) in
            [(0, 0), (15, 0), (16, 1), (31, 1), (32, 2), (1_000, 6), (u64::MAX, CLASSES - 1)]
        {
            let mut waits = Waits::default();
            waits.note(Duration::from_micros(micros));
            assert_eq!(waits.since(&Waits::default()).position(|count| count == 1), Some(class), "{micros}");
            assert!(bounds[class].is_none_or(|bound| Duration::from_micros(micros) < bound), "{micros}");
        }
    }

    #[test]
    fn a_code_that_the_draft_does_not_list_is_counted_last() {
        let mut resets = Resets::default();
        resets.note(ResetCode::TooFarBehind);
        let before = resets;
        resets.note(ResetCode(0x77));
        resets.note(ResetCode(u64::MAX));
        let gained: Vec<_> = resets.since(&before).collect();
        assert_eq!((gained.iter().sum::<u32>(), gained.last()), (2, Some(&2)));
    }
}
