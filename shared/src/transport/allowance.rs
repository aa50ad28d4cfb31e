//! How many streams a peer may have open: few at first, more where it has use for them. quinn keeps memory for
//! each that the peer might open, and a viewer opens hardly any.

use std::sync::atomic::{AtomicU32, Ordering};

/// What a peer may have open before it shows that it needs more.
const FIRST: u32 = 16;
/// By how much more it may have each time.
const STEP: u32 = 4;

/// The allowance of one kind of streams.
#[derive(Debug)]
pub(super) struct Allowance {
    now: AtomicU32,
    most: u32,
}

impl Allowance {
    /// One that grows to `most`.
    pub(super) const fn new(most: u32) -> Self {
        let now = if FIRST < most { FIRST } else { most };
        Self { now: AtomicU32::new(now), most }
    }

    /// How many streams are allowed now.
    pub(super) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// The new allowance, where `open` streams are half of the present one and it grows for them: before the
    /// peer has to wait.
    pub(super) fn grow(&self, open: usize) -> Option<u32> {
        let now = self.now();
        if now >= self.most || open < (now / 2) as usize {
            return None;
        }
        let more = now.saturating_mul(STEP).min(self.most);
        self.now.store(more, Ordering::Relaxed);
        Some(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_before_it_is_used_up_and_up_to_its_bound() {
        let allowance = Allowance::new(200);
        assert_eq!(allowance.now(), FIRST);
        assert_eq!(allowance.grow(7), None);
        assert_eq!(allowance.grow(8), Some(64));
        assert_eq!(allowance.grow(8), None, "once for the same");
        assert_eq!(allowance.grow(40), Some(200));
        assert_eq!(allowance.grow(1_000), None);
        assert_eq!(Allowance::new(4).now(), 4);
    }
}
