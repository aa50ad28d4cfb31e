//! What waits for a reader: a bounded queue between the session's task and one handle.

use std::{collections::VecDeque, task::Waker};

/// Bytes that may wait for one reader, unless it is told otherwise. Past it the peer's streams are not read
/// on (flow control), and datagrams are dropped and counted.
pub(crate) const MAX_BYTES: usize = 4 << 20;
/// Items that may wait for one reader, unless it is told otherwise.
pub(crate) const MAX_ITEMS: usize = 1024;

/// A queue for one reader.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    queue: VecDeque<(T, usize)>,
    bytes: usize,
    max_bytes: usize,
    max_items: usize,
    /// Fewer bytes than that, for now.
    early: Option<usize>,
    reader: Option<Waker>,
    held_back: bool,
    is_ended: bool,
    is_left: bool,
    dropped: u64,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            max_bytes: MAX_BYTES,
            max_items: MAX_ITEMS,
            early: None,
            reader: None,
            held_back: false,
            is_ended: false,
            is_left: false,
            dropped: 0,
        }
    }
}

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Popped<T> {
    /// The next item; whether the streams behind it may be read on now.
    Item { item: T, resume: bool },
    /// Nothing yet: the waker is kept.
    Empty,
    /// Nothing will come.
    Ended,
}

impl<T> Inbox<T> {
    /// One that takes fewer bytes for now.
    pub(crate) fn with_limit(bytes: usize) -> Self {
        Self { early: Some(bytes), ..Self::default() }
    }

    /// Takes as many bytes as any, from now on.
    pub(crate) fn widen(&mut self) {
        self.early = None;
    }

    /// Sets how many bytes and items may wait from now on.
    pub(crate) fn limit(&mut self, bytes: usize, items: usize) {
        (self.max_bytes, self.max_items) = (bytes.max(1), items.max(1));
    }

    /// Whether no more is to be appended.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= self.most_bytes() || self.queue.len() >= self.max_items
    }

    fn most_bytes(&self) -> usize {
        self.early.map_or(self.max_bytes, |early| early.min(self.max_bytes))
    }

    /// Whether whoever fills it is to wait; it is told by `resume` then.
    pub(crate) fn hold_back(&mut self) -> bool {
        self.held_back = !self.is_left && self.is_full();
        self.held_back
    }

    /// Appends an item whatever waits already: callers ask [`hold_back`](Self::hold_back) first.
    pub(crate) fn push(&mut self, item: T, bytes: usize) {
        if self.is_ended || self.is_left {
            return;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.queue.push_back((item, bytes));
        self.wake();
    }

    /// Appends an item that may as well be lost.
    pub(crate) fn push_or_drop(&mut self, item: T, bytes: usize) {
        if self.is_full() {
            self.dropped += 1;
        } else {
            self.push(item, bytes);
        }
    }

    /// Takes the next item for the reader.
    pub(crate) fn pop(&mut self, reader: &Waker) -> Popped<T> {
        match self.queue.pop_front() {
            Some((item, bytes)) => {
                self.bytes = self.bytes.saturating_sub(bytes);
                let is_low = self.bytes <= self.most_bytes() / 2 && self.queue.len() <= self.max_items / 2;
                let resume = self.held_back && is_low;
                if resume {
                    self.held_back = false;
                }
                Popped::Item { item, resume }
            }
            None if self.is_ended => Popped::Ended,
            None => {
                self.reader = Some(reader.clone());
                Popped::Empty
            }
        }
    }

    /// No more comes; what waits is still read.
    pub(crate) fn end(&mut self) {
        self.is_ended = true;
        self.wake();
    }

    /// The reader is gone: what waits is let go.
    pub(crate) fn leave(&mut self) {
        self.is_left = true;
        self.queue = VecDeque::new();
        self.bytes = 0;
    }

    /// Whether the reader is gone.
    pub(crate) fn is_left(&self) -> bool {
        self.is_left
    }

    /// Items that were let go because the reader was behind.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_holds_back_and_resumes_at_half() {
        let waker = Waker::noop();
        let mut inbox = Inbox::default();
        let mut pushed = 0;
        while !inbox.hold_back() {
            inbox.push(pushed, 64 << 10);
            pushed += 1;
        }
        assert_eq!(pushed, MAX_BYTES / (64 << 10));
        inbox.push_or_drop(usize::MAX, 1);
        assert_eq!(inbox.dropped(), 1);
        let mut resumed_at = None;
        for expected in 0..pushed {
            match inbox.pop(waker) {
                Popped::Item { item, resume } => {
                    assert_eq!(item, expected);
                    if resume {
                        assert_eq!(resumed_at.replace(expected), None);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(resumed_at, Some(pushed / 2 - 1));
        assert_eq!(inbox.pop(waker), Popped::Empty);
        inbox.end();
        assert_eq!(inbox.pop(waker), Popped::Ended);
    }
}
