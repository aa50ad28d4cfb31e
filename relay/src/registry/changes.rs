//! Tells all who wait that something changed, in the order in which they came: so that the same course of
//! events is the same for everybody.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Notify;

/// Whose changes are told. Dropping it tells those who wait that there will be no more.
#[derive(Debug, Default)]
pub(crate) struct Changes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Odd once nothing changes any more; each change adds two.
    version: AtomicU64,
    waiters: Notify,
}

/// One who waits.
#[derive(Debug)]
pub(crate) struct Watcher {
    shared: Arc<Shared>,
    seen: u64,
}

/// There will be no more changes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Over;

impl Changes {
    /// Something changed.
    pub(crate) fn tell(&self) {
        self.add(2);
    }

    /// For one who knows how things are now.
    pub(crate) fn watch(&self) -> Watcher {
        let shared = Arc::clone(&self.0);
        Watcher { seen: shared.version.load(Ordering::Acquire), shared }
    }

    fn add(&self, number: u64) {
        self.0.version.fetch_add(number, Ordering::AcqRel);
        self.0.waiters.notify_waiters();
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.add(1);
    }
}

impl Watcher {
    /// Looks at how things are now: only what changes from here on is told.
    pub(crate) fn mark_unchanged(&mut self) {
        self.seen = self.shared.version.load(Ordering::Acquire);
    }

    /// Waits for a change since the last look. Cancelling it loses nothing.
    pub(crate) async fn changed(&mut self) -> Result<(), Over> {
        loop {
            let told = self.shared.waiters.notified();
            let version = self.shared.version.load(Ordering::Acquire);
            if version % 2 == 1 {
                return Err(Over);
            }
            if version != self.seen {
                self.seen = version;
                return Ok(());
            }
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_told_once_and_so_is_the_end() {
        let changes = Changes::default();
        let mut watcher = changes.watch();
        changes.tell();
        changes.tell();
        assert_eq!(watcher.changed().await, Ok(()));
        changes.tell();
        watcher.mark_unchanged();
        let (waited, ()) = tokio::join!(biased; watcher.changed(), async { changes.tell() });
        assert_eq!(waited, Ok(()));
        drop(changes);
        assert_eq!(watcher.changed().await, Err(Over));
    }
}
