//! A connection inside this process: two ends, same streams and datagrams as the network's, no sockets.
//!
//! Streams hold at most [`STREAM_BYTES`] that wait to be read, [`BI_STREAMS`] and [`UNI_STREAMS`] may wait
//! to be accepted, and [`DATAGRAMS`] to be received: writers wait, of datagrams the oldest is dropped.
//! Send order is ignored: nothing here ever competes for a path.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc, watch};

use super::{
    Connection, ConnectionError, PathStats, RecvStream, SendStream, StreamError, connection::Inner, stream,
};

/// Bytes of one stream that may wait to be read; writers wait beyond it.
pub const STREAM_BYTES: usize = 256 * 1024;
/// Bidirectional streams that may wait to be accepted; opening waits beyond it.
pub const BI_STREAMS: usize = 128;
/// Unidirectional streams that may wait to be accepted; opening waits beyond it.
pub const UNI_STREAMS: usize = 256;
/// Datagrams that may wait to be received; the oldest is dropped beyond it.
pub const DATAGRAMS: usize = 256;
/// Largest datagram in bytes, as on a usual network path.
pub const DATAGRAM_BYTES: usize = 1_200;

/// Two connected ends. Neither needs a running driver: what one writes, the other reads.
pub fn pair() -> (Connection, Connection) {
    let (bi_left, from_left_bi) = mpsc::channel(BI_STREAMS);
    let (bi_right, from_right_bi) = mpsc::channel(BI_STREAMS);
    let (uni_left, from_left_uni) = mpsc::channel(UNI_STREAMS);
    let (uni_right, from_right_uni) = mpsc::channel(UNI_STREAMS);
    let (left, right) = (Arc::new(Side::default()), Arc::new(Side::default()));
    let streams = Arc::new(Streams::default());
    let end = |own: &Arc<Side>, peer: &Arc<Side>, bi, uni, from_bi, from_uni| {
        Connection::new(Inner::Memory(End {
            own: own.clone(),
            peer: peer.clone(),
            streams: streams.clone(),
            bi,
            uni,
            from_bi: AsyncMutex::new(from_bi),
            from_uni: AsyncMutex::new(from_uni),
        }))
    };
    (
        end(&left, &right, bi_left, uni_left, from_right_bi, from_right_uni),
        end(&right, &left, bi_right, uni_right, from_left_bi, from_left_uni),
    )
}

/// One end of a pair. Dropping it closes both.
#[derive(Debug)]
pub(crate) struct End {
    own: Arc<Side>,
    peer: Arc<Side>,
    streams: Arc<Streams>,
    bi: mpsc::Sender<(Writer, Reader)>,
    uni: mpsc::Sender<Reader>,
    from_bi: AsyncMutex<mpsc::Receiver<(Writer, Reader)>>,
    from_uni: AsyncMutex<mpsc::Receiver<Reader>>,
}

/// What one end knows: why it ended and which datagrams wait for it.
#[derive(Debug)]
struct Side {
    ended: watch::Sender<Option<ConnectionError>>,
    datagrams: Mutex<VecDeque<Bytes>>,
    datagram_came: Notify,
    lost_datagrams: AtomicU64,
    received_bytes: AtomicU64,
}

/// Every stream that still lives, so that the end of the connection wakes who waits on one.
#[derive(Debug, Default)]
struct Streams(Mutex<Vec<Weak<Pipe>>>);

impl End {
    pub(crate) fn remote_addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
    }

    pub(crate) async fn open_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let (our_writer, their_reader) = self.pipe();
        let (their_writer, our_reader) = self.pipe();
        self.unless_ended(self.bi.send((their_writer, their_reader))).await?.map_err(|_| self.ended())?;
        Ok((stream::send_memory(our_writer), stream::recv_memory(our_reader)))
    }

    pub(crate) async fn open_uni(&self) -> Result<SendStream, ConnectionError> {
        let (writer, reader) = self.pipe();
        self.unless_ended(self.uni.send(reader)).await?.map_err(|_| self.ended())?;
        Ok(stream::send_memory(writer))
    }

    pub(crate) async fn accept_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let next = async { self.from_bi.lock().await.recv().await };
        let (writer, reader) = self.unless_ended(next).await?.ok_or_else(|| self.ended())?;
        Ok((stream::send_memory(writer), stream::recv_memory(reader)))
    }

    pub(crate) async fn accept_uni(&self) -> Result<RecvStream, ConnectionError> {
        let next = async { self.from_uni.lock().await.recv().await };
        let reader = self.unless_ended(next).await?.ok_or_else(|| self.ended())?;
        Ok(stream::recv_memory(reader))
    }

    pub(crate) async fn recv_datagram(&self) -> Result<Bytes, ConnectionError> {
        loop {
            let came = self.own.datagram_came.notified();
            if let Some(datagram) = locked(&self.own.datagrams).pop_front() {
                return Ok(datagram);
            }
            self.unless_ended(came).await?;
        }
    }

    pub(crate) fn send_datagram(&self, datagram: Bytes) -> bool {
        if datagram.len() > DATAGRAM_BYTES {
            return false;
        }
        self.peer.received_bytes.fetch_add(datagram.len() as u64, Ordering::Relaxed);
        let mut waiting = locked(&self.peer.datagrams);
        if waiting.len() == DATAGRAMS {
            waiting.pop_front();
            self.own.lost_datagrams.fetch_add(1, Ordering::Relaxed);
        }
        waiting.push_back(datagram);
        drop(waiting);
        self.peer.datagram_came.notify_one();
        true
    }

    pub(crate) fn close(&self, code: u64, reason: &str) {
        self.own.end(ConnectionError::Local);
        self.peer.end(ConnectionError::Peer { code, reason: reason.to_owned() });
        self.streams.end();
    }

    pub(crate) async fn closed(&self) -> ConnectionError {
        match self.unless_ended(std::future::pending::<()>()).await {
            Ok(()) => ConnectionError::Local,
            Err(error) => error,
        }
    }

    pub(crate) fn stats(&self) -> PathStats {
        PathStats {
            lost_packets: self.own.lost_datagrams.load(Ordering::Relaxed),
            sent_bytes: self.peer.received_bytes.load(Ordering::Relaxed),
            received_bytes: self.own.received_bytes.load(Ordering::Relaxed),
            ..PathStats::default()
        }
    }

    fn ended(&self) -> ConnectionError {
        self.own.ended.borrow().clone().unwrap_or(ConnectionError::Local)
    }

    async fn unless_ended<T>(&self, work: impl Future<Output = T>) -> Result<T, ConnectionError> {
        let mut ended = self.own.ended.subscribe();
        tokio::select! {
            biased;
            _ = ended.wait_for(Option::is_some) => Err(self.ended()),
            done = work => Ok(done),
        }
    }

    fn pipe(&self) -> (Writer, Reader) {
        let pipe = Arc::new(Pipe::default());
        self.streams.add(&pipe);
        if self.own.ended.borrow().is_some() {
            pipe.with(|state| state.broken = true);
        }
        (Writer(pipe.clone()), Reader(pipe))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.close(0, "");
    }
}

impl Default for Side {
    fn default() -> Self {
        Self {
            ended: watch::Sender::new(None),
            datagrams: Mutex::default(),
            datagram_came: Notify::new(),
            lost_datagrams: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
        }
    }
}

impl Side {
    /// The first reason stays.
    fn end(&self, reason: ConnectionError) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(reason);
            first
        });
    }
}

impl Streams {
    fn add(&self, pipe: &Arc<Pipe>) {
        let mut all = locked(&self.0);
        if all.len() == all.capacity() {
            all.retain(|pipe| pipe.strong_count() > 0);
        }
        all.push(Arc::downgrade(pipe));
    }

    fn end(&self) {
        let all = std::mem::take(&mut *locked(&self.0));
        all.iter().filter_map(Weak::upgrade).for_each(|pipe| pipe.with(|state| state.broken = true));
    }
}

/// One direction of a stream.
#[derive(Debug, Default)]
struct Pipe(Mutex<PipeState>);

#[derive(Debug, Default)]
struct PipeState {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    finished: bool,
    reset: Option<u64>,
    stopped: Option<u64>,
    broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    stop_watcher: Option<Waker>,
}

impl Pipe {
    /// Changes the state, then wakes everyone, outside the lock: tests have few waiters.
    fn with<T>(&self, change: impl FnOnce(&mut PipeState) -> T) -> T {
        let mut state = locked(&self.0);
        let result = change(&mut state);
        let wakers = [state.reader.take(), state.writer.take(), state.stop_watcher.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        result
    }
}

/// The sending half. [`SendStream`] says what dropping does.
#[derive(Debug)]
pub(crate) struct Writer(Arc<Pipe>);

impl Writer {
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<usize, StreamError>> {
        let mut state = locked(&self.0.0);
        if let Some(code) = state.stopped {
            return Poll::Ready(Err(StreamError::Peer(code)));
        }
        if state.broken {
            return Poll::Ready(Err(StreamError::Connection));
        }
        if state.finished || state.reset.is_some() {
            return Poll::Ready(Err(StreamError::Ended));
        }
        let mut taken = 0;
        for chunk in chunks.iter_mut() {
            let part = chunk.split_to(chunk.len().min(STREAM_BYTES - state.bytes));
            if !part.is_empty() {
                taken += part.len();
                state.bytes += part.len();
                state.chunks.push_back(part);
            }
        }
        if taken == 0 && chunks.iter().any(|chunk| !chunk.is_empty()) {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(taken))
    }

    pub(crate) fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let mut state = locked(&self.0.0);
        let all_read = state.finished && state.chunks.is_empty();
        if state.stopped.is_some() || all_read || state.reset.is_some() || state.broken {
            return Poll::Ready(state.stopped);
        }
        state.stop_watcher = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn finish(&mut self) {
        self.0.with(|state| state.finished |= state.reset.is_none());
    }

    pub(crate) fn reset(&mut self, code: u64) {
        self.0.with(|state| {
            if state.reset.is_none() && !(state.finished && state.chunks.is_empty()) {
                state.reset = Some(code);
                state.chunks.clear();
                state.bytes = 0;
            }
        });
    }
}

/// The receiving half. [`RecvStream`] says what dropping does.
#[derive(Debug)]
pub(crate) struct Reader(Arc<Pipe>);

impl Reader {
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Option<Bytes>, StreamError>> {
        let mut state = locked(&self.0.0);
        if let Some(code) = state.reset {
            return Poll::Ready(Err(StreamError::Peer(code)));
        }
        if state.stopped.is_some() {
            return Poll::Ready(Err(StreamError::Ended));
        }
        let Some(first) = state.chunks.front_mut() else {
            if state.finished {
                return Poll::Ready(Ok(None));
            }
            if state.broken {
                return Poll::Ready(Err(StreamError::Connection));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let part = first.split_to(first.len().min(max.max(1)));
        if first.is_empty() {
            state.chunks.pop_front();
        }
        state.bytes -= part.len();
        let wakers = [state.writer.take(), state.stop_watcher.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        Poll::Ready(Ok(Some(part)))
    }

    pub(crate) fn stop(&mut self, code: u64) {
        self.0.with(|state| {
            let all_read = state.finished && state.chunks.is_empty();
            if state.stopped.is_none() && state.reset.is_none() && !all_read {
                state.stopped = Some(code);
                state.chunks.clear();
                state.bytes = 0;
            }
        });
    }
}

/// A panic elsewhere cannot leave these states half changed, so a poisoned lock is still good.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
