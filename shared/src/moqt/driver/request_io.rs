//! Request streams: bytes to and from the core.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{
    bell::{Bell, Ring, Target},
    clock::now,
    task::Task,
};
use crate::{
    moqt::{
        ResetCode, priority,
        session::{Input, Stream},
    },
    transport::{RecvStream, SendStream, StreamError},
};

/// Bytes taken off a request stream at once.
const READ: usize = 16 << 10;
/// Ended requests of which the rest is still read, so that their answers arrive; past it the oldest is
/// stopped.
const MAX_DRAINING: usize = 256;
/// Reads before other things get their turn.
const TURN: usize = 16;

/// One request stream.
pub(super) struct RequestIo {
    send: Option<SendStream>,
    recv: Option<RecvStream>,
    out: VecDeque<Bytes>,
    is_opening: bool,
    is_retired: bool,
    is_finished: bool,
    ring: Arc<Ring>,
}

impl RequestIo {
    pub(super) fn theirs(bell: &Arc<Bell>, stream: Stream, mut send: SendStream, recv: RecvStream) -> Self {
        send.set_order(priority::REQUEST);
        let io = Self { send: Some(send), recv: Some(recv), is_opening: false, ..Self::new(bell, stream) };
        io.ring.ring();
        io
    }

    fn new(bell: &Arc<Bell>, stream: Stream) -> Self {
        Self {
            send: None,
            recv: None,
            out: VecDeque::new(),
            is_opening: true,
            is_retired: false,
            is_finished: false,
            ring: bell.ring(Target::Request(stream)),
        }
    }

    pub(super) fn opened(&mut self, mut send: SendStream, recv: RecvStream) {
        send.set_order(priority::REQUEST);
        self.send = Some(send);
        self.recv = Some(recv);
        self.is_opening = false;
        self.ring.ring();
    }

    fn write(&mut self) -> Result<(), StreamError> {
        let Some(send) = &mut self.send else {
            if !self.is_opening {
                self.out.clear();
            }
            return Ok(());
        };
        let waker = self.ring.waker();
        let mut cx = Context::from_waker(&waker);
        while !self.out.is_empty() {
            match send.poll_write(&mut cx, self.out.make_contiguous()) {
                Poll::Ready(Ok(_)) => self.out.retain(|chunk| !chunk.is_empty()),
                Poll::Ready(Err(error)) => {
                    self.send = None;
                    self.out.clear();
                    return Err(error);
                }
                Poll::Pending => return Ok(()),
            }
        }
        if self.is_retired && !self.is_finished {
            self.is_finished = true;
            send.finish();
        }
        match send.poll_stopped(&mut cx) {
            Poll::Ready(Some(code)) => {
                self.send = None;
                Err(StreamError::Peer(code))
            }
            Poll::Ready(None) => {
                self.send = None;
                Ok(())
            }
            Poll::Pending => Ok(()),
        }
    }

    /// Whether nothing is left to do after the end of the request.
    fn is_over(&self) -> bool {
        self.is_retired && self.recv.is_none() && self.send.is_none() && !self.is_opening
    }

    /// Whether our words have not all reached the peer.
    pub(super) fn is_unfinished(&self) -> bool {
        self.is_retired && (self.send.is_some() || self.is_opening)
    }
}

enum Read {
    Bytes(Bytes),
    End,
    Reset(u64),
    Nothing,
}

impl Task {
    pub(super) fn send_request(&mut self, stream: Stream, bytes: Bytes) {
        let is_new = !self.requests.contains_key(&stream);
        let io = self.requests.entry(stream).or_insert_with(|| RequestIo::new(&self.bell, stream));
        io.out.push_back(bytes);
        io.ring.ring();
        let waits: usize = io.out.iter().map(Bytes::len).sum();
        if is_new {
            self.opening.push_back(stream);
            self.open_bi();
        } else if waits > self.unread_bytes {
            tracing::warn!(stream = stream.0, waits, "the peer does not read its answers: request cancelled");
            self.core.handle(now(), Input::Cancelled(stream, ResetCode::ExcessiveLoad.0));
        }
    }

    pub(super) fn retire_request(&mut self, stream: Stream) {
        let Some(io) = self.requests.get_mut(&stream) else { return };
        io.is_retired = true;
        io.ring.ring();
        self.draining.push_back(stream);
        if self.draining.len() > MAX_DRAINING
            && let Some(oldest) = self.draining.pop_front()
        {
            self.requests.remove(&oldest);
        }
        self.drop_handle(stream);
    }

    pub(super) fn abandon_request(&mut self, stream: Stream, code: ResetCode) {
        if let Some(mut io) = self.requests.remove(&stream) {
            if let Some(send) = &mut io.send {
                send.reset(code.0);
            }
            if let Some(recv) = &mut io.recv {
                recv.stop(code.0);
            }
            self.opening.retain(|&s| s != stream);
        }
        self.drop_handle(stream);
    }

    pub(super) fn look_at_request(&mut self, stream: Stream) {
        for turn in 0.. {
            if self.holds_back(stream) {
                break;
            }
            let Some(io) = self.requests.get_mut(&stream) else { return };
            let is_retired = io.is_retired;
            let input = match io.read() {
                Read::Nothing => break,
                Read::Bytes(_) if is_retired => None,
                Read::Bytes(bytes) => Some(Input::Bytes(stream, bytes)),
                Read::End => Some(Input::Finished(stream)),
                Read::Reset(code) => Some(Input::Cancelled(stream, code)),
            };
            if turn >= TURN {
                io.ring.ring();
            }
            if let Some(input) = input {
                self.core.handle(now(), input);
                self.settle();
            }
            if turn >= TURN {
                break;
            }
        }
        let Some(io) = self.requests.get_mut(&stream) else { return };
        if let Err(StreamError::Peer(code)) = io.write() {
            self.core.handle(now(), Input::Stopped(stream, code));
            self.settle();
        }
        if self.requests.get(&stream).is_some_and(RequestIo::is_over) {
            self.requests.remove(&stream);
            self.draining.retain(|&s| s != stream);
        }
    }
}

impl RequestIo {
    fn read(&mut self) -> Read {
        let Some(recv) = &mut self.recv else { return Read::Nothing };
        let waker = self.ring.waker();
        match recv.poll_read(&mut Context::from_waker(&waker), READ) {
            Poll::Ready(Ok(Some(bytes))) => Read::Bytes(bytes),
            Poll::Ready(Ok(None)) => {
                self.recv = None;
                Read::End
            }
            Poll::Ready(Err(StreamError::Peer(code))) => {
                self.recv = None;
                Read::Reset(code)
            }
            Poll::Ready(Err(_)) | Poll::Pending => Read::Nothing,
        }
    }

    /// Looks at it again, as once its reader has room.
    pub(super) fn ring(&self) {
        self.ring.ring();
    }
}
