//! A connection inside this process: two ends, same streams and datagrams as the network's, no sockets.
//!
//! Streams hold at most [`STREAM_BYTES`] that wait to be read, [`BI_STREAMS`] and [`UNI_STREAMS`] may wait
//! to be accepted, and [`DATAGRAMS`] to be received: writers wait, of datagrams the oldest is dropped.
//! Send order is ignored: nothing here ever competes for a path.
//!
//! | module | what it is |
//! |---|---|
//! | `weather` | a bad network in between, and its seeded luck |
//! | `pipe` | one direction of a stream |
//! | `arrivals` | streams that wait to be accepted |

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::{
    sync::{Mutex as AsyncMutex, Notify, mpsc},
    time::{Duration, Instant},
};

use super::{
    Connection, ConnectionError, Kind, PathStats, RecvStream, SendStream, connection::Inner, stream,
};

mod arrivals;
mod pipe;
#[cfg(test)]
mod tests;
mod weather;

use arrivals::Arrivals;
use pipe::Pipe;
pub(crate) use pipe::{Reader, Writer};
use weather::{At, Path};
pub use weather::{BROKEN, PerMille, Weather};

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
    let (left, right, _) = joined(Kind::Memory, &Path::default(), &Path::default());
    (left, right)
}

/// Two ends with a network in between that has this weather in both directions, each with its own luck;
/// the same seed is the same network. Runs on tokio's clock.
pub fn pair_in(weather: Weather, seed: u64) -> (Connection, Connection, Link) {
    pair_as(Kind::Memory, weather, seed)
}

/// The same, said to travel as `kind`: what depends on that can be tested without sockets.
pub fn pair_as(kind: Kind, weather: Weather, seed: u64) -> (Connection, Connection, Link) {
    joined(kind, &Path::new(weather, seed), &Path::new(weather, !seed))
}

fn joined(kind: Kind, there: &Path, back: &Path) -> (Connection, Connection, Link) {
    let (bi_left, from_left_bi) = mpsc::channel(BI_STREAMS);
    let (bi_right, from_right_bi) = mpsc::channel(BI_STREAMS);
    let (uni_left, from_left_uni) = mpsc::channel(UNI_STREAMS);
    let (uni_right, from_right_uni) = mpsc::channel(UNI_STREAMS);
    let (left, right) = (Arc::new(Side::new(there)), Arc::new(Side::new(back)));
    let streams = Arc::new(Streams::default());
    let end = |own: &Arc<Side>, peer: &Arc<Side>, bi, uni, from_bi, from_uni| {
        Connection::new(Inner::Memory(End {
            kind,
            own: own.clone(),
            peer: peer.clone(),
            streams: streams.clone(),
            bi,
            uni,
            from_bi: AsyncMutex::new(Arrivals::new(from_bi, BI_STREAMS)),
            from_uni: AsyncMutex::new(Arrivals::new(from_uni, UNI_STREAMS)),
        }))
    };
    (
        end(&left, &right, bi_left, uni_left, from_right_bi, from_right_uni),
        end(&right, &left, bi_right, uni_right, from_left_bi, from_left_uni),
        Link { left, right, streams },
    )
}

/// The network between two ends, for who wants to cut it. Dropping it leaves the ends connected.
#[derive(Debug, Clone)]
pub struct Link {
    left: Arc<Side>,
    right: Arc<Side>,
    streams: Arc<Streams>,
}

impl Link {
    /// Nothing arrives any more. The first end of the pair notices after `left`, the second after `right`,
    /// both as [`ConnectionError::TimedOut`].
    pub fn cut(&self, left: Duration, right: Duration) {
        let now = Instant::now();
        let (left, right) = (At::from(now + left), At::from(now + right));
        self.left.end(left, ConnectionError::TimedOut);
        self.right.end(right, ConnectionError::TimedOut);
        self.streams.end(&self.left, left, right);
    }
}

/// One end of a pair. Dropping it closes both.
#[derive(Debug)]
pub(crate) struct End {
    kind: Kind,
    own: Arc<Side>,
    peer: Arc<Side>,
    streams: Arc<Streams>,
    bi: mpsc::Sender<(At, (Writer, Reader))>,
    uni: mpsc::Sender<(At, Reader)>,
    from_bi: AsyncMutex<Arrivals<(Writer, Reader)>>,
    from_uni: AsyncMutex<Arrivals<Reader>>,
}

/// What one end knows: why it ended and which datagrams wait for it.
#[derive(Debug)]
struct Side {
    /// To the other end.
    path: Path,
    ended: Mutex<Option<(At, ConnectionError)>>,
    has_ended: Notify,
    /// By arrival.
    datagrams: Mutex<VecDeque<(At, Bytes)>>,
    datagram_came: Notify,
    lost_datagrams: AtomicU64,
    received_bytes: AtomicU64,
}

/// Every stream that still lives with the side that writes it, so that the end of the connection wakes who
/// waits on one.
#[derive(Debug, Default)]
struct Streams(Mutex<Vec<(Weak<Side>, Weak<Pipe>)>>);

impl End {
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn remote_addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
    }

    pub(crate) async fn open_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let (our_writer, their_reader) = self.pipe(&self.own, &self.peer);
        let (their_writer, our_reader) = self.pipe(&self.peer, &self.own);
        let stream = (self.own.path.arrival(), (their_writer, their_reader));
        self.unless_ended(self.bi.send(stream)).await?.map_err(|_| self.ended())?;
        Ok((stream::send_memory(our_writer), stream::recv_memory(our_reader)))
    }

    pub(crate) async fn open_uni(&self) -> Result<SendStream, ConnectionError> {
        let (writer, reader) = self.pipe(&self.own, &self.peer);
        let stream = (self.own.path.arrival(), reader);
        self.unless_ended(self.uni.send(stream)).await?.map_err(|_| self.ended())?;
        Ok(stream::send_memory(writer))
    }

    pub(crate) async fn accept_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let next = async { self.from_bi.lock().await.next().await };
        let (writer, reader) = self.unless_ended(next).await?.ok_or_else(|| self.ended())?;
        Ok((stream::send_memory(writer), stream::recv_memory(reader)))
    }

    pub(crate) async fn accept_uni(&self) -> Result<RecvStream, ConnectionError> {
        let next = async { self.from_uni.lock().await.next().await };
        let reader = self.unless_ended(next).await?.ok_or_else(|| self.ended())?;
        Ok(stream::recv_memory(reader))
    }

    pub(crate) async fn recv_datagram(&self) -> Result<Bytes, ConnectionError> {
        loop {
            let came = self.own.datagram_came.notified();
            let next = locked(&self.own.datagrams).front().map(|(at, _)| *at);
            if next.is_some_and(At::is_reached)
                && let Some((_, datagram)) = locked(&self.own.datagrams).pop_front()
            {
                return Ok(datagram);
            }
            let waits = async {
                match next {
                    None => came.await,
                    Some(at) => tokio::select! {
                        biased;
                        () = came => {}
                        () = at.reached() => {}
                    },
                }
            };
            self.unless_ended(waits).await?;
        }
    }

    pub(crate) fn send_datagram(&self, datagram: Bytes) -> bool {
        if datagram.len() > DATAGRAM_BYTES {
            return false;
        }
        if self.own.path.loses_datagram() || self.peer.ends().is_some() {
            self.own.lost_datagrams.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        self.peer.received_bytes.fetch_add(datagram.len() as u64, Ordering::Relaxed);
        let at = self.own.path.arrival();
        let mut waiting = locked(&self.peer.datagrams);
        if waiting.len() == DATAGRAMS {
            waiting.pop_front();
            self.own.lost_datagrams.fetch_add(1, Ordering::Relaxed);
        }
        let place = waiting.partition_point(|(other, _)| *other <= at);
        waiting.insert(place, (at, datagram));
        drop(waiting);
        self.peer.datagram_came.notify_one();
        true
    }

    pub(crate) fn close(&self, code: u64, reason: &str) {
        let told = self.own.path.arrival();
        self.own.end(At::ONCE, ConnectionError::Local);
        self.peer.end(told, ConnectionError::Peer { code, reason: reason.to_owned() });
        self.streams.end(&self.own, At::ONCE, told);
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
        locked(&self.own.ended).as_ref().map_or(ConnectionError::Local, |(_, error)| error.clone())
    }

    async fn unless_ended<T>(&self, work: impl Future<Output = T>) -> Result<T, ConnectionError> {
        let is_over = async {
            loop {
                let told = self.own.has_ended.notified();
                match self.own.ends() {
                    Some(at) => return at.reached().await,
                    None => told.await,
                }
            }
        };
        tokio::select! {
            biased;
            () = is_over => Err(self.ended()),
            done = work => Ok(done),
        }
    }

    /// A new stream from one side to the other.
    fn pipe(&self, from: &Arc<Side>, to: &Arc<Side>) -> (Writer, Reader) {
        let (writer, reader) = Pipe::open(from.path.clone(), to.path.clone());
        self.streams.add(from, writer.pipe());
        if let (Some(writer_ends), Some(reader_ends)) = (from.ends(), to.ends()) {
            writer.pipe().end(writer_ends, reader_ends);
        }
        (writer, reader)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.close(0, "");
    }
}

impl Side {
    fn new(path: &Path) -> Self {
        Self {
            path: path.clone(),
            ended: Mutex::default(),
            has_ended: Notify::new(),
            datagrams: Mutex::default(),
            datagram_came: Notify::new(),
            lost_datagrams: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
        }
    }

    /// When it ends, once that is known.
    fn ends(&self) -> Option<At> {
        locked(&self.ended).as_ref().map(|(at, _)| *at)
    }

    /// The first reason stays.
    fn end(&self, at: At, reason: ConnectionError) {
        locked(&self.ended).get_or_insert((at, reason));
        self.has_ended.notify_waiters();
        locked(&self.datagrams).retain(|(arrival, _)| *arrival <= at);
    }
}

impl Streams {
    fn add(&self, writer: &Arc<Side>, pipe: &Arc<Pipe>) {
        let mut all = locked(&self.0);
        if all.len() == all.capacity() {
            all.retain(|(_, pipe)| pipe.strong_count() > 0);
        }
        all.push((Arc::downgrade(writer), Arc::downgrade(pipe)));
    }

    /// The connection ends at `side` at `here`, and at the other one at `there`.
    fn end(&self, side: &Arc<Side>, here: At, there: At) {
        let all = std::mem::take(&mut *locked(&self.0));
        for (writer, pipe) in all {
            let Some(pipe) = pipe.upgrade() else { continue };
            match writer.ptr_eq(&Arc::downgrade(side)) {
                true => pipe.end(here, there),
                false => pipe.end(there, here),
            }
        }
    }
}

/// A panic elsewhere cannot leave these states half changed, so a poisoned lock is still good.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
