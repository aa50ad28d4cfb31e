//! QUIC for thousands of connections in one loop on one thread, lighter than what it loads: quinn-proto
//! with nothing around it. Packets of many connections share a few sockets and are taken in batches; each
//! connection answers a batch once.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use mio::{Events, Interest, Poll, Token};
use quinn_proto as proto;
use quinn_udp::{BATCH_SIZE, EcnCodepoint, RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

/// What a socket is asked to hold; the kernel grants what its limits allow.
const BUFFER_BYTES: usize = 8 << 20;
/// Largest batch of packets that the kernel hands over as one.
const LARGEST: usize = 65_536;
/// Packets of one connection that leave in one call.
const SEGMENTS: usize = 10;
/// Batches that are taken from each socket before what they ask for is done.
const BATCHES: usize = 16;
/// Tries to send while the socket is full, before a packet counts as lost.
const TRIES: usize = 10_000;

/// Names a connection of an engine, until it is over.
pub(super) type Key = usize;

/// Whoever uses the connections.
pub(super) trait Handler {
    /// Something happened on a connection. What is written to it leaves right after.
    fn event(&mut self, key: Key, quic: &mut proto::Connection, event: proto::Event);

    /// A client connected; its first event follows.
    fn accepted(&mut self, key: Key);
}

/// Sockets and connections.
pub(super) struct Engine {
    poll: Poll,
    events: Events,
    ports: Vec<Port>,
    links: Vec<Option<Box<Link>>>,
    free: Vec<Key>,
    timers: BinaryHeap<Reverse<(Instant, Key)>>,
    touched: Vec<Key>,
    received: Vec<u8>,
    leaving: Vec<u8>,
    /// Packets that found the socket full.
    pub(super) unsent: u64,
}

struct Port {
    socket: mio::net::UdpSocket,
    state: UdpSocketState,
    endpoint: proto::Endpoint,
    keys: HashMap<proto::ConnectionHandle, Key>,
    is_readable: bool,
}

struct Link {
    port: usize,
    handle: proto::ConnectionHandle,
    quic: proto::Connection,
    /// When its timer is to be looked at.
    queued: Option<Instant>,
    is_touched: bool,
}

impl Engine {
    /// Clients on so many sockets.
    pub(super) fn clients(sockets: usize) -> io::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::new((0..sockets.max(1)).map(|_| Port::new(any, None)).collect::<io::Result<_>>()?)
    }

    /// A server on one socket.
    pub(super) fn server(listen: SocketAddr, config: proto::ServerConfig) -> io::Result<Self> {
        Self::new(vec![Port::new(listen, Some(Arc::new(config)))?])
    }

    fn new(mut ports: Vec<Port>) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (index, port) in ports.iter_mut().enumerate() {
            poll.registry().register(&mut port.socket, Token(index), Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(64),
            ports,
            links: Vec::new(),
            free: Vec::new(),
            timers: BinaryHeap::new(),
            touched: Vec::new(),
            received: vec![0; BATCH_SIZE * LARGEST],
            leaving: Vec::with_capacity(LARGEST),
            unsent: 0,
        })
    }

    /// Begins to connect, from the socket whose turn `turn` is.
    pub(super) fn connect(
        &mut self,
        turn: usize,
        config: proto::ClientConfig,
        to: SocketAddr,
        host: &str,
    ) -> Result<Key, proto::ConnectError> {
        let port = turn % self.ports.len();
        let (handle, quic) = self.ports[port].endpoint.connect(Instant::now(), config, to, host)?;
        Ok(self.add(port, handle, quic))
    }

    /// Does something with a connection, and sends what comes of it at once.
    pub(super) fn with<T, H: Handler>(
        &mut self,
        key: Key,
        handler: &mut H,
        what: impl FnOnce(&mut H, &mut proto::Connection) -> T,
    ) -> Option<T> {
        let done = what(handler, &mut self.links.get_mut(key)?.as_mut()?.quic);
        self.settle(key, handler);
        Some(done)
    }

    /// Waits for packets and timers until `deadline` at most, and does what is due once.
    pub(super) fn turn(&mut self, deadline: Instant, handler: &mut impl Handler) -> io::Result<()> {
        let until = self.timers.peek().map_or(deadline, |Reverse((timer, _))| deadline.min(*timer));
        let is_waiting = !self.ports.iter().any(|port| port.is_readable) && self.touched.is_empty();
        let wait = if is_waiting { until.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &self.events {
            self.ports[event.token().0].is_readable = true;
        }
        // What came is heard before timers fire: an acknowledgement that waits in a socket is none too late.
        for _ in 0..BATCHES {
            for port in 0..self.ports.len() {
                if self.ports[port].is_readable {
                    self.receive(port, handler)?;
                }
            }
        }
        self.fire(Instant::now());
        for key in std::mem::take(&mut self.touched) {
            self.settle(key, handler);
        }
        Ok(())
    }

    fn add(&mut self, port: usize, handle: proto::ConnectionHandle, quic: proto::Connection) -> Key {
        let link = Box::new(Link { port, handle, quic, queued: None, is_touched: false });
        let key = self.free.pop().unwrap_or_else(|| {
            self.links.push(None);
            self.links.len() - 1
        });
        self.ports[port].keys.insert(handle, key);
        self.links[key] = Some(link);
        self.touch(key);
        key
    }

    fn touch(&mut self, key: Key) {
        if let Some(link) = &mut self.links[key]
            && !std::mem::replace(&mut link.is_touched, true)
        {
            self.touched.push(key);
        }
    }

    /// Takes one batch from a socket.
    fn receive(&mut self, index: usize, handler: &mut impl Handler) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.received);
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let count = {
            let mut slices: Vec<IoSliceMut<'_>> = buffer.chunks_mut(LARGEST).map(IoSliceMut::new).collect();
            let port = &mut self.ports[index];
            match port.state.recv((&port.socket).into(), &mut slices, &mut metas) {
                Ok(count) => count,
                Err(error) => {
                    self.received = buffer;
                    let port = &mut self.ports[index];
                    // Whatever a peer's absence reports is about an earlier packet.
                    port.is_readable = error.kind() != io::ErrorKind::WouldBlock;
                    return Ok(());
                }
            }
        };
        let now = Instant::now();
        for (meta, packets) in metas.iter().zip(buffer.chunks(LARGEST)).take(count) {
            let mut packets = BytesMut::from(&packets[..meta.len]);
            while !packets.is_empty() {
                let packet = packets.split_to(meta.stride.min(packets.len()).max(1));
                self.packet(index, now, meta, packet, handler);
            }
        }
        self.received = buffer;
        Ok(())
    }

    fn packet(
        &mut self,
        index: usize,
        now: Instant,
        meta: &RecvMeta,
        packet: BytesMut,
        handler: &mut impl Handler,
    ) {
        let ecn = meta.ecn.and_then(|ecn| proto::EcnCodepoint::from_bits(ecn as u8));
        self.leaving.clear();
        let port = &mut self.ports[index];
        let event = port.endpoint.handle(now, meta.addr, meta.dst_ip, ecn, packet, &mut self.leaving);
        match event {
            Some(proto::DatagramEvent::ConnectionEvent(handle, event)) => {
                let Some(key) = port.keys.get(&handle).copied() else { return };
                if let Some(link) = &mut self.links[key] {
                    link.quic.handle_event(event);
                }
                self.touch(key);
            }
            Some(proto::DatagramEvent::NewConnection(incoming)) => {
                let accepted = port.endpoint.accept(incoming, now, &mut self.leaving, None);
                match accepted {
                    Ok((handle, quic)) => {
                        let key = self.add(index, handle, quic);
                        handler.accepted(key);
                    }
                    Err(error) => {
                        if let Some(answer) = error.response {
                            self.send(index, &answer);
                        }
                    }
                }
            }
            Some(proto::DatagramEvent::Response(answer)) => self.send(index, &answer),
            None => {}
        }
    }

    /// Tells connections whose time has come.
    fn fire(&mut self, now: Instant) {
        while let Some(&Reverse((at, key))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            let Some(link) = &mut self.links[key] else { continue };
            if link.queued != Some(at) {
                continue;
            }
            link.queued = None;
            if link.quic.poll_timeout().is_some_and(|due| due <= now) {
                link.quic.handle_timeout(now);
                self.touch(key);
            } else {
                self.arm(key);
            }
        }
    }

    /// Sees to it that the timer is looked at no later than it is due.
    fn arm(&mut self, key: Key) {
        let Some(link) = &mut self.links[key] else { return };
        let Some(due) = link.quic.poll_timeout() else { return };
        if link.queued.is_none_or(|queued| due < queued) {
            link.queued = Some(due);
            self.timers.push(Reverse((due, key)));
        }
    }

    /// Hands on what happened on a connection and sends what it has.
    fn settle(&mut self, key: Key, handler: &mut impl Handler) {
        let Some(mut link) = self.links.get_mut(key).and_then(Option::take) else { return };
        link.is_touched = false;
        while let Some(event) = link.quic.poll() {
            handler.event(key, &mut link.quic, event);
        }
        let port = &mut self.ports[link.port];
        while let Some(event) = link.quic.poll_endpoint_events() {
            if let Some(event) = port.endpoint.handle_event(link.handle, event) {
                link.quic.handle_event(event);
            }
        }
        let now = Instant::now();
        loop {
            self.leaving.clear();
            let Some(transmit) = link.quic.poll_transmit(now, SEGMENTS, &mut self.leaving) else { break };
            self.send(link.port, &transmit);
        }
        if link.quic.is_drained() {
            self.ports[link.port].keys.remove(&link.handle);
            self.free.push(key);
            return;
        }
        self.links[key] = Some(link);
        self.arm(key);
    }

    /// Sends what is in `leaving`.
    fn send(&mut self, index: usize, transmit: &proto::Transmit) {
        let port = &self.ports[index];
        let transmit = Transmit {
            destination: transmit.destination,
            ecn: transmit.ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn as u8)),
            contents: &self.leaving[..transmit.size],
            segment_size: transmit.segment_size,
            src_ip: transmit.src_ip,
        };
        for _ in 0..TRIES {
            match port.state.send((&port.socket).into(), &transmit) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                _ => return,
            }
        }
        self.unsent += 1;
    }
}

impl Port {
    fn new(address: SocketAddr, server: Option<Arc<proto::ServerConfig>>) -> io::Result<Self> {
        let socket = udp(address)?;
        socket.set_nonblocking(true)?;
        let state = UdpSocketState::new((&socket).into())?;
        let socket = mio::net::UdpSocket::from_std(socket);
        let config = Arc::new(proto::EndpointConfig::default());
        let endpoint = proto::Endpoint::new(config, server, true, None);
        Ok(Self { socket, state, endpoint, keys: HashMap::new(), is_readable: false })
    }
}

/// A UDP socket with as much room as the kernel grants.
pub(super) fn udp(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // Smaller buffers still work: packets that find no room count as lost then, and are sent again.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.bind(&address.into())?;
    Ok(socket.into())
}
