//! An allowance that fills again with time (pure).

use std::time::Duration;

/// A burst, then one each so many microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) burst: u64,
    pub(crate) micros: u64,
}

/// What is left of an allowance. Times are microseconds of any clock, the same one each time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bucket {
    /// When it is full again.
    full_at: u64,
}

impl Bucket {
    /// Takes one; otherwise the time until there is one.
    pub(crate) fn take(&mut self, now: u64, rate: Rate) -> Result<(), Duration> {
        // A clock that was set back costs no more than an empty bucket.
        let full_at = self.full_at.clamp(now, now.saturating_add(rate.micros.saturating_mul(rate.burst)));
        let spare = rate.micros.saturating_mul(rate.burst.saturating_sub(1));
        let wait = (full_at - now).saturating_sub(spare);
        if wait > 0 {
            return Err(Duration::from_micros(wait));
        }
        self.full_at = full_at.saturating_add(rate.micros);
        Ok(())
    }

    /// Whether nothing of it is missing.
    pub(crate) fn is_full(&self, now: u64) -> bool {
        self.full_at <= now
    }
}
