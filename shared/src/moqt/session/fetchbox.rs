//! What waits to be sent in answer to one FETCH. Bounded by its writer, which waits.

use std::{collections::VecDeque, task::Waker};

use bytes::{Bytes, BytesMut};

use super::outbox::Next;
use crate::moqt::{
    EndOfTrack, FetchItem, Location, Priority, Properties, RequestCode, ResetCode,
    priority::send_order,
    wire::{FetchEncoder, RequestId},
};

/// Bytes that may wait; past it the writer waits.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// What an item costs beside its bytes.
const OVERHEAD: usize = 96;

/// How a FETCH was answered by the application.
#[derive(Debug)]
pub(crate) enum Answer {
    /// FETCH_OK.
    Accept(Location, EndOfTrack, Properties),
    /// REQUEST_ERROR.
    Reject(RequestCode, String),
}

/// The answer to one FETCH on its way out.
#[derive(Debug)]
pub(crate) struct Fetchbox {
    answer: Option<Answer>,
    is_answered: bool,
    queue: VecDeque<FetchItem>,
    bytes: usize,
    is_finished: bool,
    /// The writer is gone without finishing: what the stream is reset with.
    left: Option<ResetCode>,
    is_closed: bool,
    writer: Option<Waker>,
    encoder: FetchEncoder,
    has_header: bool,
    /// The subscriber's.
    priority: Priority,
}

impl Fetchbox {
    /// For a fetch that is asked for.
    pub(crate) fn new(priority: Priority) -> Self {
        Self {
            answer: None,
            is_answered: false,
            queue: VecDeque::new(),
            bytes: 0,
            is_finished: false,
            left: None,
            is_closed: false,
            writer: None,
            encoder: FetchEncoder::default(),
            has_header: false,
            priority,
        }
    }

    /// The application answers; only the first answer counts.
    pub(crate) fn answer(&mut self, answer: Answer) {
        if !self.is_answered {
            self.is_answered = true;
            self.answer = Some(answer);
        }
    }

    /// The answer, once.
    pub(crate) fn take_answer(&mut self) -> Option<Answer> {
        self.answer.take()
    }

    /// Whether the writer is to wait; it is woken when not any more.
    pub(crate) fn holds_back(&mut self, writer: &Waker) -> bool {
        let is_full = !self.is_closed && self.bytes >= MAX_BYTES;
        if is_full {
            self.writer = Some(writer.clone());
        }
        is_full
    }

    /// Takes an item; `false` once the fetch is over.
    pub(crate) fn push(&mut self, item: FetchItem) -> bool {
        if self.is_closed {
            return false;
        }
        self.bytes += cost(&item);
        self.queue.push_back(item);
        true
    }

    /// No more comes.
    pub(crate) fn finish(&mut self) {
        self.is_finished = true;
    }

    /// The writer is gone; without [`finish`](Self::finish) the stream is to be reset.
    pub(crate) fn leave(&mut self, code: ResetCode) {
        if !self.is_finished {
            self.left.get_or_insert(code);
        }
    }

    /// What the stream is to be reset with, if it is.
    pub(crate) fn left(&self) -> Option<ResetCode> {
        self.left
    }

    /// The fetch is over.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.queue.clear();
        self.bytes = 0;
        self.wake();
    }

    /// Changes the urgency.
    pub(crate) fn set_priority(&mut self, priority: Priority) {
        self.priority = priority;
    }

    /// The place in the send order: that of the next object.
    pub(crate) fn place(&self) -> i32 {
        let next = self.queue.iter().find_map(|item| match item {
            FetchItem::Object(object) | FetchItem::Datagram(object) => Some(object.subgroup),
            FetchItem::Gap { .. } => None,
        });
        let publisher = next.map_or_else(Priority::default, |subgroup| subgroup.priority);
        send_order(self.priority, publisher, 0)
    }

    /// What the stream does next.
    pub(crate) fn next(&mut self, request: RequestId) -> Next {
        let mut head = BytesMut::new();
        if !self.has_header {
            self.has_header = true;
            FetchEncoder::header(request, &mut head);
        }
        let mut payload = Bytes::new();
        if let Some(item) = self.queue.pop_front() {
            self.bytes = self.bytes.saturating_sub(cost(&item));
            match item {
                FetchItem::Object(object) => {
                    self.encoder.object(&object, &mut head);
                    payload = object.payload;
                }
                FetchItem::Datagram(object) => {
                    self.encoder.datagram(&object, &mut head);
                    payload = object.payload;
                }
                FetchItem::Gap { end, nonexistent } => self.encoder.gap(end, nonexistent, &mut head),
            }
            if self.bytes <= MAX_BYTES / 2 {
                self.wake();
            }
        } else if head.is_empty() {
            return if self.is_finished { Next::Finish(None) } else { Next::Wait };
        }
        Next::Write([head.freeze(), payload])
    }

    fn wake(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

fn cost(item: &FetchItem) -> usize {
    match item {
        FetchItem::Object(object) | FetchItem::Datagram(object) => {
            object.payload.len() + object.properties.0.len() + OVERHEAD
        }
        FetchItem::Gap { .. } => OVERHEAD,
    }
}

#[cfg(test)]
mod tests;
