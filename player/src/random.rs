//! Chance: the system's, and a seeded one for tests.

use ring::rand::{SecureRandom as _, SystemRandom};

/// A number that nobody can guess.
pub(crate) fn unguessable() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the system gives random numbers");
    u64::from_be_bytes(bytes)
}

/// A xorshift generator: the same seed gives the same run.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Random(u64);

#[cfg(test)]
impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
