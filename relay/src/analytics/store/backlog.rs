//! What waits for a thread of the store to commit it: bounded, and kept for the next try where one fails.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::metrics::{Counter, Metrics};

/// How long to wait after a failure.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How much may wait, and for how long.
#[derive(Debug)]
pub(super) struct Rules {
    /// Items that may wait. Past it the oldest are lost and counted.
    pub(super) most: usize,
    /// How long an item may wait for its commit.
    pub(super) commit_after: Duration,
    /// Counts what is lost.
    pub(super) lost: fn(&Metrics) -> &Counter,
    /// What the items are, for the log.
    pub(super) what: &'static str,
}

/// Items in the order in which they came.
#[derive(Debug)]
pub(super) struct Backlog<T> {
    items: VecDeque<T>,
    rules: Rules,
    metrics: Arc<Metrics>,
    has_failed: bool,
}

impl<T> Backlog<T> {
    pub(super) fn new(rules: Rules, metrics: Arc<Metrics>) -> Self {
        Self { items: VecDeque::new(), rules, metrics, has_failed: false }
    }

    pub(super) fn push(&mut self, item: T) {
        self.items.push_back(item);
        if self.items.len() > self.rules.most {
            self.items.pop_front();
            self.lose(1);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Has `write` write all of them or none. Gives whether it did, and the time until the next commit.
    pub(super) fn commit(
        &mut self,
        write: impl FnOnce(&VecDeque<T>) -> rusqlite::Result<()>,
    ) -> (bool, Duration) {
        let what = self.rules.what;
        match write(&self.items) {
            Ok(()) => {
                self.items.clear();
                if std::mem::take(&mut self.has_failed) {
                    tracing::info!("{what} can be written again");
                }
                (true, self.rules.commit_after)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.has_failed, true) {
                    tracing::warn!(%error, waiting = self.items.len(), "cannot write {what}: trying on");
                }
                (false, RETRY_AFTER)
            }
        }
    }

    /// Nothing is committed any more: what still waits is lost.
    pub(super) fn give_up(self) {
        self.lose(self.items.len());
    }

    fn lose(&self, number: usize) {
        (self.rules.lost)(&self.metrics).add(number as u64);
    }
}
