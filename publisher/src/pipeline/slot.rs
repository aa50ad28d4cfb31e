//! The place between capture and an encoder: one picture, of which the newest wins.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Holds at most one item. Where another comes before it is taken, the older one is let go, so that what is
/// taken is never older than the taker is slow: delay does not grow.
#[derive(Debug)]
pub(super) struct Slot<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    item: Option<T>,
    closed: bool,
}

/// What became of the item that was in the slot before.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// The slot was free.
    Free,
    /// One was let go for the new one.
    Replaced,
}

impl<T> Slot<T> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { item: None, closed: false }), changed: Condvar::new() }
    }

    /// Puts an item in.
    pub(super) fn put(&self, item: T) -> Put {
        let before = self.lock().item.replace(item);
        self.changed.notify_one();
        if before.is_some() { Put::Replaced } else { Put::Free }
    }

    /// Waits for an item; `None` once the slot is closed and empty.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.item.take() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No more items come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Each change is one assignment, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_wins_and_the_last_is_still_taken_after_the_close() {
        let slot = Slot::new();
        assert_eq!([slot.put(1), slot.put(2)], [Put::Free, Put::Replaced]);
        assert_eq!(slot.take(), Some(2));
        slot.put(3);
        slot.close();
        assert_eq!([slot.take(), slot.take()], [Some(3), None]);
    }

    #[test]
    fn a_waiting_taker_is_woken() {
        let slot = Slot::new();
        std::thread::scope(|scope| {
            let taker = scope.spawn(|| (slot.take(), slot.take()));
            slot.put(7);
            // Until the first was taken a close does not lose it.
            slot.close();
            assert_eq!(taker.join().expect("the taker"), (Some(7), None));
        });
    }
}
