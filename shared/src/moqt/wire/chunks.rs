//! Received bytes in a row, taken off the front without copying where one chunk holds them.

use std::{collections::VecDeque, ops::Range};

use bytes::{Buf, Bytes, BytesMut};

use super::field::{integer_length, peek_integer};

/// Chunks shorter than this are gathered when others wait before them, so that a peer that sends
/// byte by byte cannot make this side hold a packet's buffer for each.
const SMALL: usize = 1024;

/// Bytes in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    queue: VecDeque<Bytes>,
    /// Small chunks after the queue, gathered.
    tail: BytesMut,
    length: usize,
}

impl Chunks {
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        if bytes.is_empty() {
        } else if self.queue.is_empty() && self.tail.is_empty() {
            self.queue.push_back(bytes);
        } else if bytes.len() < SMALL {
            self.tail.extend_from_slice(&bytes);
        } else {
            self.flush();
            self.queue.push_back(bytes);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Lets go of everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Puts the next `count` bytes into one piece, the [`front`](Self::front); `false` where fewer are here.
    pub(super) fn gather(&mut self, count: usize) -> bool {
        if self.queue.front().is_some_and(|front| front.len() >= count) {
            return true;
        }
        let Some(bytes) = self.take(count) else { return false };
        self.length += bytes.len();
        self.queue.push_front(bytes);
        true
    }

    /// The next bytes that are in one piece.
    pub(super) fn front(&self) -> &[u8] {
        self.queue.front().map_or(&[], |front| front)
    }

    /// A part of the [`front`](Self::front), without copying it.
    pub(super) fn slice(&self, range: Range<usize>) -> Bytes {
        match self.queue.front() {
            Some(front) if !range.is_empty() => front.slice(range),
            _ => Bytes::new(),
        }
    }

    /// Lets go of `count` bytes of the [`front`](Self::front).
    pub(super) fn advance(&mut self, count: usize) {
        if let Some(front) = self.queue.front_mut() {
            front.advance(count);
            self.length -= count;
            if front.is_empty() {
                self.queue.pop_front();
            }
        }
    }

    /// The next `count` bytes; `None` where fewer are here. Copies only where they span chunks.
    pub(super) fn take(&mut self, count: usize) -> Option<Bytes> {
        if count > self.length {
            return None;
        }
        self.flush();
        self.length -= count;
        if self.queue.front().is_none_or(|front| front.len() >= count) {
            return Some(self.split_front(count));
        }
        let mut gathered = BytesMut::with_capacity(count);
        while gathered.len() < count {
            let missing = count - gathered.len();
            let part = self.queue.front().map_or(0, |front| front.len().min(missing));
            gathered.extend_from_slice(&self.split_front(part));
        }
        Some(gathered.freeze())
    }

    /// The next integer; `None` where it is not whole yet.
    pub(super) fn take_integer(&mut self) -> Option<u64> {
        if !self.gather(1) || !self.gather(integer_length(*self.front().first()?)) {
            return None;
        }
        let (value, length) = peek_integer(self.front())?;
        self.advance(length);
        Some(value)
    }

    fn flush(&mut self) {
        if !self.tail.is_empty() {
            self.queue.push_back(self.tail.split().freeze());
        }
    }

    /// At most the first chunk's bytes.
    fn split_front(&mut self, count: usize) -> Bytes {
        let Some(front) = self.queue.front_mut() else { return Bytes::new() };
        let part = front.split_to(count);
        if front.is_empty() {
            self.queue.pop_front();
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_chunk_holds_is_not_copied() {
        let chunk = Bytes::from(vec![7; 5000]);
        let mut chunks = Chunks::default();
        chunks.push(chunk.clone());
        let front = chunks.take(10).expect("10 bytes are here");
        let back = chunks.take(4990).expect("the rest is here");
        assert_eq!(front.as_ptr(), chunk.as_ptr());
        assert_eq!(back.as_ptr(), chunk[10..].as_ptr());
        assert!(chunks.is_empty());
    }

    #[test]
    fn what_spans_chunks_is_put_into_one_piece() {
        let mut chunks = Chunks::default();
        for byte in [0x80, 0x07, 1, 2, 3] {
            chunks.push(Bytes::from(vec![byte]));
        }
        assert_eq!(chunks.front(), [0x80]);
        assert_eq!(chunks.take_integer(), Some(7));
        assert!(chunks.gather(2) && !chunks.gather(4));
        assert_eq!(chunks.slice(1..2), [2][..]);
        chunks.advance(2);
        assert_eq!((chunks.take_integer(), chunks.take_integer()), (Some(3), None));
        assert!(chunks.is_empty());
    }

    #[test]
    fn small_chunks_do_not_pile_up() {
        let mut chunks = Chunks::default();
        for byte in 0..=255u8 {
            chunks.push(Bytes::from(vec![byte; 300]));
        }
        assert_eq!(chunks.queue.len(), 1, "only the first waits as it came");
        let all = chunks.take(300 * 256).expect("all are here");
        assert!(all.chunks(300).zip(0..=255).all(|(part, byte)| part == [byte; 300]));
        assert_eq!(chunks.take(1), None);
    }
}
