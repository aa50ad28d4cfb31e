//! What waits to be sent in answer to one FETCH. Bounded by its writer, which waits.

use std::{collections::VecDeque, task::Waker};

use bytes::{Bytes, BytesMut};

use super::outbox::Next;
use crate::moqt::{
    EndOfTrack, Location, Object, Priority, Properties, RequestCode,
    priority::send_order,
    wire::{FetchEncoder, RequestId},
};

/// Bytes that may wait; past it the writer waits.
pub(crate) const MAX_BYTES: usize = 1 << 20;

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
    queue: VecDeque<Object>,
    bytes: usize,
    is_finished: bool,
    /// The writer is gone without finishing.
    is_left: bool,
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
            is_left: false,
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

    /// Takes an object; `false` once the fetch is over.
    pub(crate) fn push(&mut self, object: Object) -> bool {
        if self.is_closed {
            return false;
        }
        self.bytes += cost(&object);
        self.queue.push_back(object);
        true
    }

    /// No more comes.
    pub(crate) fn finish(&mut self) {
        self.is_finished = true;
    }

    /// The writer is gone; without [`finish`](Self::finish) the stream is to be reset.
    pub(crate) fn leave(&mut self) {
        self.is_left = !self.is_finished;
    }

    /// Whether the stream is to be reset.
    pub(crate) fn is_left(&self) -> bool {
        self.is_left
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
        let object = self.queue.front().map(|object| object.subgroup);
        let publisher = object.map_or_else(Priority::default, |subgroup| subgroup.priority);
        send_order(self.priority, publisher, 0, object.map(|subgroup| subgroup.id).unwrap_or_default())
    }

    /// What the stream does next.
    pub(crate) fn next(&mut self, request: RequestId) -> Next {
        let mut head = BytesMut::new();
        if !self.has_header {
            self.has_header = true;
            FetchEncoder::header(request, &mut head);
        }
        let mut payload = Bytes::new();
        if let Some(object) = self.queue.pop_front() {
            self.encoder.object(&object, &mut head);
            self.bytes = self.bytes.saturating_sub(cost(&object));
            payload = object.payload;
            if self.bytes <= MAX_BYTES / 2 {
                self.wake();
            }
        } else if head.is_empty() {
            return if self.is_finished { Next::Finish(None) } else { Next::Wait };
        }
        let mut chunks = vec![head.freeze()];
        if !payload.is_empty() {
            chunks.push(payload);
        }
        Next::Write(chunks)
    }

    fn wake(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

fn cost(object: &Object) -> usize {
    object.payload.len() + object.properties.0.len() + 96
}

#[cfg(test)]
mod tests;
