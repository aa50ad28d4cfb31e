//! The bytes that the caches of all tracks may hold together.
//!
//! Past seven eighths of it each track lets its older groups go, and one that nobody watches all; only where
//! that is not enough, and all of it is held, the newest group of a watched track goes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The common bound. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Pool {
    /// Of so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: Arc::default(), limit }
    }

    /// One cache holds `after` bytes where it held `before`.
    pub(super) fn count(&self, before: usize, after: usize) {
        self.used.fetch_add(after.saturating_sub(before), Ordering::Relaxed);
        self.used.fetch_sub(before.saturating_sub(after), Ordering::Relaxed);
    }

    /// Whether what can be missed is to be let go.
    pub(super) fn is_short(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.limit / 8 * 7
    }

    /// Whether all of it is held.
    pub(super) fn is_full(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.limit
    }
}
