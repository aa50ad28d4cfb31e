//! Both halves of a stream: polled, so that one task can serve many, and without copying bytes.

use std::{
    fmt,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use quinn::{ReadError, StoppedError, VarInt, WriteError};

use super::{Direction, Half, Watch, WatchStream, codes::CodeSpace, memory};

/// Code of what is dropped unfinished: `CANCELLED` (draft-18 §15.10.4).
const DROPPED: u64 = 0x1;

/// Why a stream's bytes stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The peer reset what it sent, or asked to stop what we send.
    #[error("ended by the peer with code {0}")]
    Peer(u64),
    /// The connection is gone.
    #[error("the connection is gone")]
    Connection,
    /// This side finished, reset or stopped it before.
    #[error("ended here")]
    Ended,
}

/// Our end of a stream that we send. Dropping it unfinished resets it.
#[derive(Debug)]
pub struct SendStream {
    sender: Sender,
    watch: Option<Box<dyn WatchStream>>,
}

/// Our end of a stream that the peer sends. Dropping it stops it.
#[derive(Debug)]
pub struct RecvStream {
    receiver: Receiver,
    watch: Option<Box<dyn WatchStream>>,
}

#[derive(Debug)]
enum Sender {
    Quic(QuicSender),
    Memory { writer: memory::Writer, finished: bool },
}

#[derive(Debug)]
enum Receiver {
    Quic { half: RecvHalf, space: CodeSpace, ended: bool },
    Memory(memory::Reader),
}

/// A quinn stream, or one that wtransport took from quinn and that stays inside its wrapper.
#[derive(Debug)]
pub(crate) enum SendHalf {
    Quinn(quinn::SendStream),
    Web(wtransport::SendStream),
}

/// As [`SendHalf`].
#[derive(Debug)]
pub(crate) enum RecvHalf {
    Quinn(quinn::RecvStream),
    Web(wtransport::RecvStream),
}

struct QuicSender {
    half: SendHalf,
    space: CodeSpace,
    /// What goes before the first byte: a WebTransport stream's header.
    head: Bytes,
    /// Finished or reset.
    ended: bool,
    stopping: Option<Stopping>,
}

/// Waits for the peer's STOP_SENDING or for the last acknowledgement.
enum Stopping {
    Waits(Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>> + Send + Sync>>),
    Done(Option<u64>),
}

pub(crate) fn send_quic(
    mut half: SendHalf,
    space: CodeSpace,
    head: Bytes,
    watch: Option<&dyn Watch>,
) -> SendStream {
    let watch = watch.map(|watch| watch.stream(half_of(half.quinn().id(), Direction::Sent)));
    let sender = Sender::Quic(QuicSender { half, space, head, ended: false, stopping: None });
    SendStream { sender, watch }
}

pub(crate) fn recv_quic(mut half: RecvHalf, space: CodeSpace, watch: Option<&dyn Watch>) -> RecvStream {
    let watch = watch.map(|watch| watch.stream(half_of(half.quinn().id(), Direction::Received)));
    RecvStream { receiver: Receiver::Quic { half, space, ended: false }, watch }
}

pub(crate) fn send_memory(writer: memory::Writer) -> SendStream {
    SendStream { sender: Sender::Memory { writer, finished: false }, watch: None }
}

pub(crate) fn recv_memory(reader: memory::Reader) -> RecvStream {
    RecvStream { receiver: Receiver::Memory(reader), watch: None }
}

fn half_of(id: quinn::StreamId, direction: Direction) -> Half {
    let is_bidirectional = id.dir() == quinn::Dir::Bi;
    Half { stream: VarInt::from(id).into_inner(), direction, is_bidirectional }
}

impl SendStream {
    /// Writes as many of `chunks` as fit: fully written ones become empty, a partly written one keeps
    /// its rest. `Ready(Ok)` as soon as at least one byte was taken; `Pending` registers the waker.
    /// Bytes are not copied.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<usize, StreamError>> {
        let before: Vec<Bytes> = if self.watch.is_some() { chunks.to_vec() } else { Vec::new() };
        let written = match &mut self.sender {
            Sender::Quic(sender) => sender.poll_write(cx, chunks),
            Sender::Memory { writer, .. } => writer.poll_write(cx, chunks),
        };
        if let Some(watch) = &mut self.watch {
            for (before, after) in before.iter().zip(chunks.iter()) {
                let taken = before.slice(..before.len().saturating_sub(after.len()));
                if !taken.is_empty() {
                    watch.bytes(&taken);
                }
            }
        }
        written
    }

    /// Whether the peer stopped it (`Ready(Some(code))`), or nothing is left to wait for
    /// (`Ready(None)`): all was acknowledged after `finish`, it was reset, or the connection is gone.
    pub fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        match &mut self.sender {
            Sender::Quic(sender) => sender.poll_stopped(cx),
            Sender::Memory { writer, .. } => writer.poll_stopped(cx),
        }
    }

    /// Says that no more comes; does not wait.
    pub fn finish(&mut self) {
        match &mut self.sender {
            Sender::Quic(sender) => sender.finish(),
            Sender::Memory { writer, finished } => {
                writer.finish();
                *finished = true;
            }
        }
    }

    /// Abandons it; also after `finish`, as long as not all is acknowledged.
    pub fn reset(&mut self, code: u64) {
        match &mut self.sender {
            Sender::Quic(sender) => sender.reset(code),
            Sender::Memory { writer, .. } => writer.reset(code),
        }
    }

    /// Its place in the send order: lower leaves first, as MoQT counts (draft-18 §7).
    pub fn set_order(&mut self, order: i32) {
        if let Sender::Quic(sender) = &mut self.sender {
            // quinn sends higher numbers first. A stream that has ended has no order: nothing is lost.
            let _ = sender.half.quinn().set_priority(order.saturating_neg());
        }
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        match &mut self.sender {
            // quinn finishes what is dropped, which would make half a stream look like a whole one.
            Sender::Quic(sender) if !sender.ended => sender.reset(DROPPED),
            Sender::Memory { writer, finished: false } => writer.reset(DROPPED),
            Sender::Quic(_) | Sender::Memory { .. } => {}
        }
    }
}

impl RecvStream {
    /// The next bytes, at most `max`; `Ok(None)` at the FIN. Bytes are not copied.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Option<Bytes>, StreamError>> {
        let read = self.poll_receiver(cx, max);
        if let (Some(watch), Poll::Ready(Ok(Some(bytes)))) = (&mut self.watch, &read) {
            watch.bytes(bytes);
        }
        read
    }

    fn poll_receiver(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Option<Bytes>, StreamError>> {
        let (half, space, ended) = match &mut self.receiver {
            Receiver::Quic { half, space, ended } => (half, *space, ended),
            Receiver::Memory(reader) => return reader.poll_read(cx, max),
        };
        // The future holds nothing: one that is dropped after a poll has only left its waker behind.
        let read = ready!(pin!(half.quinn().read_chunk(max.max(1), true)).poll(cx));
        *ended = !matches!(read, Ok(Some(_)));
        Poll::Ready(match read {
            Ok(chunk) => Ok(chunk.map(|chunk| chunk.bytes)),
            Err(ReadError::Reset(code)) => Err(StreamError::Peer(space.application_code(code))),
            Err(ReadError::ClosedStream) => Err(StreamError::Ended),
            Err(
                ReadError::ConnectionLost(_) | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected,
            ) => Err(StreamError::Connection),
        })
    }

    /// Asks the peer to stop sending. What was not read yet is thrown away.
    pub fn stop(&mut self, code: u64) {
        match &mut self.receiver {
            Receiver::Quic { half, space, ended } => {
                // It fails where the stream has ended already: then there is nothing to stop.
                let _ = half.quinn().stop(space.wire_code(code));
                *ended = true;
            }
            Receiver::Memory(reader) => reader.stop(code),
        }
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        match &mut self.receiver {
            Receiver::Quic { ended: true, .. } => {}
            Receiver::Quic { .. } | Receiver::Memory(_) => self.stop(DROPPED),
        }
    }
}

impl QuicSender {
    fn poll_write(&mut self, cx: &mut Context<'_>, chunks: &mut [Bytes]) -> Poll<Result<usize, StreamError>> {
        while !self.head.is_empty() {
            ready!(write(&mut self.half, self.space, cx, std::slice::from_mut(&mut self.head)))?;
        }
        if chunks.iter().all(Bytes::is_empty) {
            return Poll::Ready(Ok(0));
        }
        write(&mut self.half, self.space, cx, chunks)
    }

    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let half = &mut self.half;
        let stopping = self.stopping.get_or_insert_with(|| Stopping::Waits(Box::pin(half.quinn().stopped())));
        let code = match stopping {
            Stopping::Waits(future) => match ready!(future.as_mut().poll(cx)) {
                Ok(code) => code.map(|code| self.space.application_code(code)),
                Err(StoppedError::ConnectionLost(_) | StoppedError::ZeroRttRejected) => None,
            },
            Stopping::Done(code) => *code,
        };
        *stopping = Stopping::Done(code);
        Poll::Ready(code)
    }

    fn finish(&mut self) {
        if self.ended {
            return;
        }
        if !self.head.is_empty() {
            // An empty stream: its header has to go first. Where not even that fits, the stream is
            // given up, since without its header the peer could not know what ended.
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let empty = self.poll_write(&mut cx, &mut []);
            if !matches!(empty, Poll::Ready(Ok(_))) {
                return self.reset(DROPPED);
            }
        }
        // It fails where the peer stopped the stream, which `poll_write` and `poll_stopped` tell.
        let _ = self.half.quinn().finish();
        self.ended = true;
    }

    fn reset(&mut self, code: u64) {
        // It fails where the stream has been reset or acknowledged whole: then it is over anyway.
        let _ = self.half.quinn().reset(self.space.wire_code(code));
        self.ended = true;
    }
}

impl fmt::Debug for QuicSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicSender")
            .field("half", &self.half)
            .field("space", &self.space)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl SendHalf {
    fn quinn(&mut self) -> &mut quinn::SendStream {
        match self {
            Self::Quinn(stream) => stream,
            Self::Web(stream) => stream.quic_stream_mut(),
        }
    }
}

impl RecvHalf {
    fn quinn(&mut self) -> &mut quinn::RecvStream {
        match self {
            Self::Quinn(stream) => stream,
            Self::Web(stream) => stream.quic_stream_mut(),
        }
    }
}

fn write(
    half: &mut SendHalf,
    space: CodeSpace,
    cx: &mut Context<'_>,
    chunks: &mut [Bytes],
) -> Poll<Result<usize, StreamError>> {
    // The future holds nothing: one that is dropped after a poll has only left its waker behind.
    let written = ready!(pin!(half.quinn().write_chunks(chunks)).poll(cx));
    Poll::Ready(match written {
        Ok(written) => Ok(written.bytes),
        Err(WriteError::Stopped(code)) => Err(StreamError::Peer(space.application_code(code))),
        Err(WriteError::ClosedStream) => Err(StreamError::Ended),
        Err(WriteError::ConnectionLost(_) | WriteError::ZeroRttRejected) => Err(StreamError::Connection),
    })
}
