//! A bad network: a UDP proxy that delays, loses and queues what passes, the same way for the same seed.
//!
//! All clients of one proxy share its two links, as viewers behind one line do; a test in which each
//! viewer has a line of its own starts a proxy for each. The proxy runs on its own thread, so that
//! what a test computes does not shift its clock. Deliveries are late by a millisecond at most.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Instant,
};

use anyhow::Context as _;
use bytes::Bytes;
use tokio::{
    net::UdpSocket,
    sync::{Notify, mpsc},
    task::JoinSet,
};

mod line;

pub use line::{Conditions, LinkCounters};

use line::Line;

/// Clients of one proxy; packets of more are dropped.
const MAX_CLIENTS: usize = 1_024;
/// Packets from the target that wait to be taken over; more are dropped and counted as overflow.
const BACKLOG: usize = 4_096;
/// Packets taken at once before the clock is looked at again.
const BATCH: usize = 64;
/// Larger than any UDP payload.
const PACKET: usize = 65_536;

/// What happened to packets so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// From the clients to the target.
    pub up: LinkCounters,
    /// From the target to the clients.
    pub down: LinkCounters,
}

/// A running proxy. Dropping it ends it; what it still holds is lost.
#[derive(Debug)]
pub struct Impair {
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    lines: Mutex<Lines>,
    stop: Notify,
}

/// Both directions; packets carry the client that they come from or go to.
#[derive(Debug)]
struct Lines {
    up: Line<SocketAddr>,
    down: Line<SocketAddr>,
}

impl Impair {
    /// Starts a proxy on a free port of the loopback address in front of `target`; each direction is
    /// a link with these conditions, and has its own chance.
    ///
    /// # Errors
    /// The operating system's, where no socket or thread can be had.
    pub fn start(target: SocketAddr, conditions: Conditions) -> anyhow::Result<Self> {
        let down = Conditions { seed: conditions.seed.wrapping_add(1), ..conditions };
        Self::start_each(target, conditions, down)
    }

    /// The same with a link for each direction: `up` leads to the target.
    ///
    /// # Errors
    /// As [`Impair::start`].
    pub fn start_each(target: SocketAddr, up: Conditions, down: Conditions) -> anyhow::Result<Self> {
        let loopback = match target {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        };
        let front = std::net::UdpSocket::bind(loopback).context("cannot bind the impaired address")?;
        front.set_nonblocking(true)?;
        let local_addr = front.local_addr()?;
        let lines = Lines { up: Line::new(up), down: Line::new(down) };
        let shared = Arc::new(Shared { lines: Mutex::new(lines), stop: Notify::new() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let running = shared.clone();
        let thread = std::thread::Builder::new()
            .name("impair".into())
            .spawn(move || {
                let done = runtime.block_on(async {
                    tokio::select! {
                        () = running.stop.notified() => Ok(()),
                        ended = run(front, target, &running) => ended,
                    }
                });
                if let Err(error) = done {
                    eprintln!("the impaired network before {target} ended: {error}");
                }
            })
            .context("cannot start the impaired network's thread")?;
        Ok(Self { local_addr, shared, thread: Some(thread) })
    }

    /// Where clients connect to instead of the target.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Changes both links for the packets that come from now on; chance goes on where it was, whatever
    /// the new seed.
    pub fn set(&self, conditions: Conditions) {
        self.set_each(conditions, conditions);
    }

    /// The same with a link for each direction.
    pub fn set_each(&self, up: Conditions, down: Conditions) {
        let mut lines = self.shared.lines();
        lines.up.set(up);
        lines.down.set(down);
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        let lines = self.shared.lines();
        Counters { up: lines.up.counters(), down: lines.down.counters() }
    }
}

impl Drop for Impair {
    fn drop(&mut self) {
        self.shared.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Towards the target there is one socket per client, as behind a NAT.
struct Clients {
    target: SocketAddr,
    sockets: HashMap<SocketAddr, Arc<UdpSocket>>,
    /// Read the sockets; they end with the proxy.
    readers: JoinSet<()>,
    answers: mpsc::Sender<(SocketAddr, Bytes)>,
}

async fn run(front: std::net::UdpSocket, target: SocketAddr, shared: &Arc<Shared>) -> io::Result<()> {
    let front = UdpSocket::from_std(front)?;
    let (answers, mut from_target) = mpsc::channel(BACKLOG);
    let mut clients = Clients { target, sockets: HashMap::new(), readers: JoinSet::new(), answers };
    let mut packet = vec![0; PACKET];
    loop {
        let deadline = deliver(&front, &clients, shared);
        let wait = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = wait => {}
            ready = front.readable() => {
                ready?;
                for _ in 0..BATCH {
                    // An error is an earlier packet's, refused by a client that is gone.
                    let Ok((length, client)) = front.try_recv_from(&mut packet) else { break };
                    if clients.knows(client, shared)? {
                        let packet = Bytes::copy_from_slice(&packet[..length]);
                        shared.lines().up.push(Instant::now(), client, packet);
                    }
                }
            }
            Some((client, packet)) = from_target.recv() => {
                let now = Instant::now();
                let mut lines = shared.lines();
                lines.down.push(now, client, packet);
                for _ in 1..BATCH {
                    let Ok((client, packet)) = from_target.try_recv() else { break };
                    lines.down.push(now, client, packet);
                }
            }
        }
    }
}

/// Hands over all that is due; says when the next is.
fn deliver(front: &UdpSocket, clients: &Clients, shared: &Shared) -> Option<Instant> {
    let now = Instant::now();
    let mut lines = shared.lines();
    while let Some((client, packet)) = lines.up.pop(now) {
        if let Some(socket) = clients.sockets.get(&client) {
            // Whoever is not there does not get it: that is UDP.
            let _ = socket.try_send(&packet);
        }
    }
    while let Some((client, packet)) = lines.down.pop(now) {
        let _ = front.try_send_to(&packet, client);
    }
    lines.up.deadline().into_iter().chain(lines.down.deadline()).min()
}

impl Clients {
    /// Makes a socket for a client that is new; `false` where there are too many.
    fn knows(&mut self, client: SocketAddr, shared: &Arc<Shared>) -> io::Result<bool> {
        let full = self.sockets.len() >= MAX_CLIENTS;
        let Entry::Vacant(entry) = self.sockets.entry(client) else { return Ok(true) };
        if full {
            return Ok(false);
        }
        let own = SocketAddr::new(
            match self.target {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            },
            0,
        );
        let socket = std::net::UdpSocket::bind(own)?;
        socket.connect(self.target)?;
        socket.set_nonblocking(true)?;
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let reader = read(socket.clone(), client, self.answers.clone(), shared.clone());
        self.readers.spawn(reader);
        entry.insert(socket);
        Ok(true)
    }
}

/// Takes over what the target answers to one client.
async fn read(
    socket: Arc<UdpSocket>,
    client: SocketAddr,
    answers: mpsc::Sender<(SocketAddr, Bytes)>,
    shared: Arc<Shared>,
) {
    let mut packet = vec![0; PACKET];
    loop {
        // An error says that the target was not there for an earlier packet; it may come back.
        let Ok(length) = socket.recv(&mut packet).await else { continue };
        match answers.try_send((client, Bytes::copy_from_slice(&packet[..length]))) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => shared.lines().down.overflow(),
            Err(mpsc::error::TrySendError::Closed(_)) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn packets_come_back_after_both_delays_and_counted() {
        let target = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let conditions = Conditions { delay: Duration::from_millis(20), ..Conditions::default() };
        let impair = Impair::start(target.local_addr().unwrap(), conditions).unwrap();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(impair.local_addr()).unwrap();
        for socket in [&target, &client] {
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        }

        let mut packet = [0; 100];
        let start = Instant::now();
        client.send(b"there").unwrap();
        let (length, from) = target.recv_from(&mut packet).unwrap();
        assert_eq!(&packet[..length], b"there");
        assert!(start.elapsed() >= Duration::from_millis(20));
        target.send_to(b"back", from).unwrap();
        let length = client.recv(&mut packet).unwrap();
        assert_eq!(&packet[..length], b"back");
        assert!(start.elapsed() >= Duration::from_millis(40));
        let Counters { up, down } = impair.counters();
        assert_eq!((up.forwarded, up.bytes, down.forwarded, down.bytes), (1, 5, 1, 4));

        // From now on nothing passes upwards.
        impair.set_each(Conditions { loss: 1.0, ..conditions }, conditions);
        client.send(b"lost").unwrap();
        while impair.counters().up.lost == 0 {
            std::thread::yield_now();
        }
        drop(impair);
        target.set_nonblocking(true).unwrap();
        assert!(target.recv_from(&mut packet).is_err());
    }
}
