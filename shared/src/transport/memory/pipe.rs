//! One direction of a stream: what its writer sent and its reader did not take yet.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use super::{
    locked,
    weather::{At, BROKEN, Path},
};
use crate::transport::StreamError;

/// The stream's state, which its two halves and the connection share.
#[derive(Debug)]
pub(super) struct Pipe {
    /// From the writer to the reader.
    path: Path,
    /// From the reader to the writer.
    back: Path,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<(At, Bytes)>,
    bytes: usize,
    /// When the last byte is there.
    last: Option<At>,
    finished: Option<At>,
    reset: Option<(At, u64)>,
    /// The network broke it: what is still written goes nowhere.
    is_lost: bool,
    /// The reader's wish to stop, and when the writer knows of it.
    stopped: Option<(At, u64)>,
    is_left: bool,
    /// All was read to the end, and when the writer knows of it.
    acknowledged: Option<At>,
    /// The connection's end at each half.
    writer_ends: Option<At>,
    reader_ends: Option<At>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Who waits for the stream's end at the writer.
    stopper: Option<Waker>,
}

impl Pipe {
    /// A new stream over a network of these two directions.
    pub(super) fn open(path: Path, back: Path) -> (Writer, Reader) {
        let pipe = Arc::new(Self { path, back, state: Mutex::default() });
        (
            Writer { pipe: pipe.clone(), timer: Timer::default(), end_timer: Timer::default() },
            Reader { pipe, timer: Timer::default() },
        )
    }

    /// The connection is over, for each half at its time.
    pub(super) fn end(&self, writer_ends: At, reader_ends: At) {
        self.with(|state| {
            state.writer_ends.get_or_insert(writer_ends);
            let ends = *state.reader_ends.get_or_insert(reader_ends);
            if let Some(limit) = ends.time() {
                let is_in_time = |at: At| at.time().is_none_or(|at| at <= limit);
                state.chunks.retain(|(at, _)| is_in_time(*at));
                state.bytes = state.chunks.iter().map(|(_, piece)| piece.len()).sum();
                state.finished = state.finished.filter(|at| is_in_time(*at));
                state.reset = state.reset.filter(|(at, _)| is_in_time(*at));
            }
        });
    }

    /// Changes the state, then wakes both halves, outside the lock.
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = locked(&self.state);
        let result = change(&mut state);
        let wakers = [state.reader.take(), state.writer.take(), state.stopper.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        result
    }
}

impl State {
    /// Sends a piece; what can reach nobody any more is let go.
    fn push(&mut self, at: At, piece: Bytes) {
        let at = self.last.map_or(at, |last| last.max(at));
        self.last = Some(at);
        if !self.is_left && !self.is_lost && self.reader_ends.is_none() {
            self.bytes += piece.len();
            self.chunks.push_back((at, piece));
        }
    }

    fn clear(&mut self) {
        self.chunks = VecDeque::new();
        self.bytes = 0;
    }

    /// Whether the last byte and the FIN were read.
    fn is_read(&self) -> bool {
        self.finished.is_some() && self.chunks.is_empty()
    }
}

/// Wakes whoever waits for what is under way.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn wake_at(&mut self, cx: &mut Context<'_>, times: impl IntoIterator<Item = Option<At>>) {
        let now = Instant::now();
        let next = times.into_iter().flatten().filter_map(At::time).filter(|at| *at > now).min();
        let Some(next) = next else { return };
        match &mut self.0 {
            Some(sleep) if sleep.deadline() == next => {}
            Some(sleep) => sleep.as_mut().reset(next),
            none => *none = Some(Box::pin(tokio::time::sleep_until(next))),
        }
        if let Some(sleep) = &mut self.0
            && sleep.as_mut().poll(cx).is_ready()
        {
            cx.waker().wake_by_ref();
        }
    }
}

/// The sending half. [`SendStream`](crate::transport::SendStream) says what dropping does.
#[derive(Debug)]
pub(crate) struct Writer {
    pipe: Arc<Pipe>,
    timer: Timer,
    end_timer: Timer,
}

impl Writer {
    pub(super) fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<usize, StreamError>> {
        let Pipe { path, back, state } = &*self.pipe;
        let mut state = locked(state);
        if let Some((at, code)) = state.stopped
            && at.is_reached()
        {
            return Poll::Ready(Err(StreamError::Peer(code)));
        }
        if state.writer_ends.is_some_and(At::is_reached) {
            return Poll::Ready(Err(StreamError::Connection));
        }
        if state.finished.is_some() || state.reset.is_some() && !state.is_lost {
            return Poll::Ready(Err(StreamError::Ended));
        }
        let mut taken = 0;
        for chunk in chunks.iter_mut() {
            while !chunk.is_empty() && state.bytes < path.window() {
                let room = chunk.len().min(path.window() - state.bytes);
                let piece = chunk.split_to(path.piece(room));
                taken += piece.len();
                if !state.is_lost && path.breaks_stream() {
                    state.is_lost = true;
                    state.reset = Some((path.arrival(), BROKEN));
                    state.stopped.get_or_insert((back.arrival(), BROKEN));
                }
                state.push(path.arrival_of_piece(), piece);
            }
        }
        if taken == 0 && chunks.iter().any(|chunk| !chunk.is_empty()) {
            state.writer = Some(cx.waker().clone());
            let times = [state.stopped.map(|(at, _)| at), state.writer_ends];
            drop(state);
            self.timer.wake_at(cx, times);
            return Poll::Pending;
        }
        let is_lost = state.is_lost;
        let wakers = [state.reader.take(), state.stopper.take_if(|_| is_lost)];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        Poll::Ready(Ok(taken))
    }

    pub(crate) fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let mut state = locked(&self.pipe.state);
        if let Some((at, code)) = state.stopped
            && at.is_reached()
        {
            return Poll::Ready(Some(code));
        }
        let is_over = [state.acknowledged, state.writer_ends].into_iter().flatten().any(At::is_reached);
        if is_over || state.reset.is_some() && !state.is_lost {
            return Poll::Ready(None);
        }
        state.stopper = Some(cx.waker().clone());
        let times = [state.stopped.map(|(at, _)| at), state.acknowledged, state.writer_ends];
        drop(state);
        self.end_timer.wake_at(cx, times);
        Poll::Pending
    }

    pub(crate) fn finish(&mut self) {
        let Pipe { path, back, .. } = &*self.pipe;
        self.pipe.with(|state| {
            if state.reset.is_none() && state.finished.is_none() && state.reader_ends.is_none() {
                let at = path.arrival_of_piece();
                state.finished = Some(state.last.map_or(at, |last| last.max(at)));
                if state.is_read() {
                    state.acknowledged = Some(back.arrival());
                }
            }
        });
    }

    pub(crate) fn reset(&mut self, code: u64) {
        let path = &self.pipe.path;
        self.pipe.with(|state| {
            if state.reset.is_none() && !state.is_read() && state.reader_ends.is_none() {
                let at = path.arrival();
                state.reset = Some((at, code));
                if at == At::ONCE {
                    state.clear();
                }
            }
        });
    }
}

/// The receiving half. [`RecvStream`](crate::transport::RecvStream) says what dropping does.
#[derive(Debug)]
pub(crate) struct Reader {
    pipe: Arc<Pipe>,
    timer: Timer,
}

impl Reader {
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Option<Bytes>, StreamError>> {
        let mut state = locked(&self.pipe.state);
        if let Some((at, code)) = state.reset
            && at.is_reached()
        {
            state.clear();
            return Poll::Ready(Err(StreamError::Peer(code)));
        }
        if state.is_left {
            return Poll::Ready(Err(StreamError::Ended));
        }
        let front = state.chunks.front().map(|(at, _)| *at);
        if front.is_none() && state.finished.is_some_and(At::is_reached) {
            return Poll::Ready(Ok(None));
        }
        if !front.is_some_and(At::is_reached) {
            if state.reader_ends.is_some_and(At::is_reached) {
                return Poll::Ready(Err(StreamError::Connection));
            }
            state.reader = Some(cx.waker().clone());
            let fin = state.finished.filter(|_| front.is_none());
            let times = [front, fin, state.reset.map(|(at, _)| at), state.reader_ends];
            drop(state);
            self.timer.wake_at(cx, times);
            return Poll::Pending;
        }
        let Some((_, first)) = state.chunks.front_mut() else { return Poll::Pending };
        let part = first.split_to(first.len().min(max.max(1)));
        if first.is_empty() {
            state.chunks.pop_front();
        }
        state.bytes -= part.len();
        if state.is_read() {
            state.acknowledged = Some(self.pipe.back.arrival());
        }
        let is_acknowledged = state.acknowledged.is_some();
        let wakers = [state.writer.take(), state.stopper.take_if(|_| is_acknowledged)];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        Poll::Ready(Ok(Some(part)))
    }

    pub(crate) fn stop(&mut self, code: u64) {
        let back = &self.pipe.back;
        self.pipe.with(|state| {
            if !state.is_left && state.reset.is_none_or(|(at, _)| !at.is_reached()) && !state.is_read() {
                state.is_left = true;
                // A connection that is over carries no word any more.
                if !state.reader_ends.is_some_and(At::is_reached) {
                    state.stopped.get_or_insert((back.arrival(), code));
                }
                state.clear();
            }
        });
    }
}
