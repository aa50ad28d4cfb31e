//! One load on one server, measured.

use std::{
    collections::VecDeque,
    net::{SocketAddr, ToSocketAddrs},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use quinn_proto::{ClientConfig, Connection, Event, VarInt};
use serde_json::{Value, json};
use url::Url;

use super::{
    clock,
    engine::{Engine, Handler, Key},
    peer::{Over, Part, Peer, Phase, Plan},
    process,
    record::{Listener, Record, percentiles},
    shape::{Schedule, Shape},
    talk::{self, Talk},
    tls,
};
use crate::impair::{Conditions, Impair};

/// For how long a visitor stays.
const VISIT: Duration = Duration::from_secs(1);
/// How long connections may take all together.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a publisher tries to connect to a relay that has just been started.
const TRIES: usize = 25;

/// What is wrong with one subscriber's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Trouble {
    /// It carries 64 kbit/s
    Slow,
    /// It is cut when the measurement begins
    Cut,
}

/// Settings of a run.
#[derive(Debug, Clone, Args)]
pub(super) struct Config {
    /// The server, as moqt://localhost:4443 (raw QUIC) or https://localhost:4443 (WebTransport)
    #[arg(long)]
    pub(super) url: Url,
    /// The server is a floor: it speaks no MoQT and sends by itself
    #[arg(long)]
    pub(super) floor: bool,
    /// The server's process, whose CPU time and memory are measured
    #[arg(long, value_name = "ID")]
    pub(super) pid: Option<u32>,
    /// What is sent: video, layers, audio, datagrams, tracks, calm, burst or idle
    #[arg(long, default_value = "video")]
    pub(super) shape: String,
    /// Connections that subscribe
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) subscribers: usize,
    /// Seconds that are measured
    #[arg(long, default_value = "4")]
    pub(super) secs: f64,
    /// Seconds of load before
    #[arg(long, default_value = "1.5")]
    pub(super) settle: f64,
    /// Seconds that objects may be late at most
    #[arg(long, default_value = "2")]
    pub(super) drain: f64,
    /// Handshakes at a time
    #[arg(long, default_value = "24")]
    pub(super) ramp: usize,
    /// UDP sockets of the subscribers
    #[arg(long, default_value = "16")]
    pub(super) sockets: usize,
    /// Visitors a second, who come for a second beside the subscribers
    #[arg(long, default_value = "0")]
    pub(super) visitors: u64,
    /// One more subscriber with a bad link
    #[arg(long, value_enum)]
    pub(super) trouble: Option<Trouble>,
    /// Subscribers hear the chat and the taps of a room as well, and a hundred people are in it
    #[arg(long)]
    pub(super) room: bool,
    /// Messages a second that these people write
    #[arg(long, default_value = "0")]
    pub(super) messages: u64,
    /// Taps a second that they give
    #[arg(long, default_value = "0")]
    pub(super) taps: u64,
}

/// All connections.
struct Crowd {
    peers: Vec<Option<Peer>>,
    record: Record,
}

impl Handler for Crowd {
    fn event(&mut self, key: Key, quic: &mut Connection, event: Event) {
        if let Some(Some(peer)) = self.peers.get_mut(key) {
            peer.event(quic, event, &mut self.record);
        }
    }

    fn accepted(&mut self, _key: Key) {}
}

struct Run<'a> {
    config: &'a Config,
    plan: Rc<Plan>,
    quic: ClientConfig,
    host: String,
    address: SocketAddr,
    engine: Engine,
    crowd: Crowd,
    publishers: Vec<Key>,
    subscribers: Vec<Key>,
    schedule: Option<Schedule>,
    visitors: VecDeque<(Instant, Key)>,
    next_visitor: Option<Instant>,
    visits: u64,
    turn: usize,
    /// The same moment by both clocks.
    epoch: (Instant, u64),
}

/// What is read at both ends of the measured time.
#[derive(Debug, Clone, Copy)]
struct Reading {
    server: u64,
    own: u64,
    idle: [f64; 2],
}

/// Runs it.
pub(super) fn run(config: &Config) -> Result<Value> {
    let shape = Shape::named(&config.shape).with_context(|| format!("there is no shape {}", config.shape))?;
    let mut run = Run::new(config, &shape)?;
    let idle_memory = run.memory();
    run.announce()?;
    let before = run.reading()?;
    run.subscribe()?;
    let after = run.reading()?;
    let handshake_us = (after.server - before.server) as f64 / 1e3 / config.subscribers.max(1) as f64;
    // The bad link lasts as long as the run, and so do people.
    let link = run.trouble()?;
    let talk = config.room.then(|| Talk::start(&config.url, config.messages, config.taps)).transpose()?;
    run.measure(idle_memory, handshake_us, link.as_ref(), talk.as_ref())
}

impl<'a> Run<'a> {
    fn new(config: &'a Config, shape: &Shape) -> Result<Self> {
        let over = match (config.floor, config.url.scheme()) {
            (true, _) => Over::Nothing,
            (false, "moqt") => Over::Quic,
            (false, "https") => Over::WebTransport,
            (false, _) => bail!("{} must start with moqt:// or https://", config.url),
        };
        let host = config.url.host_str().context("the URL names no host")?.to_owned();
        let port = config.url.port().unwrap_or(443);
        let address = (host.as_str(), port).to_socket_addrs()?.find(SocketAddr::is_ipv4);
        let address = address.with_context(|| format!("{host} has no IPv4 address"))?;
        let path = if config.url.path().is_empty() { "/" } else { config.url.path() };
        let feeds = if config.room { talk::feeds()? } else { Vec::new() };
        let (authority, path) = (format!("{host}:{port}"), path.to_owned());
        let plan = Plan { shape: shape.clone(), over, authority, path, feeds };
        Ok(Self {
            config,
            plan: Rc::new(plan),
            quic: tls::client(over)?,
            host,
            address,
            engine: Engine::clients(config.sockets.min(config.subscribers.max(1)))?,
            crowd: Crowd { peers: Vec::new(), record: Record::new(shape, config.subscribers) },
            publishers: Vec::new(),
            subscribers: Vec::new(),
            schedule: None,
            visitors: VecDeque::new(),
            next_visitor: None,
            visits: 0,
            turn: 0,
            epoch: (Instant::now(), clock::now()),
        })
    }

    fn connect(&mut self, part: Part, to: SocketAddr) -> Result<Key> {
        self.turn += 1;
        let key = self.engine.connect(self.turn, self.quic.clone(), to, &self.host)?;
        self.crowd.peers.resize_with(self.crowd.peers.len().max(key + 1), || None);
        self.crowd.peers[key] = Some(Peer::new(self.plan.clone(), part));
        Ok(key)
    }

    fn phase(&self, key: Key) -> Phase {
        let peer = self.crowd.peers.get(key).and_then(Option::as_ref);
        peer.map_or(Phase::Over("it is closed".into()), |peer| peer.phase.clone())
    }

    /// Waits until a connection is ready.
    fn ready(&mut self, key: Key, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            match self.phase(key) {
                Phase::Ready => return Ok(()),
                Phase::Over(why) => bail!("{why}"),
                Phase::Connecting if Instant::now() > deadline => bail!("no answer"),
                Phase::Connecting => self.step(Instant::now() + Duration::from_millis(20))?,
            }
        }
    }

    fn announce(&mut self) -> Result<()> {
        if self.config.floor {
            return Ok(());
        }
        let shape = self.plan.shape.clone();
        for publisher in 0..shape.publishers {
            let tracks: Vec<usize> =
                (0..shape.tracks.len()).filter(|track| track % shape.publishers == publisher).collect();
            let mut tries = 0;
            let key = loop {
                let key = self.connect(Part::Publisher(tracks.clone()), self.address)?;
                match self.ready(key, Duration::from_secs(2)) {
                    Ok(()) => break key,
                    Err(error) if tries >= TRIES => return Err(error.context("the publisher")),
                    Err(_) => tries += 1,
                }
                self.close(key);
                self.pass(Duration::from_millis(100))?;
            };
            self.publishers.push(key);
        }
        Ok(())
    }

    /// Connects all subscribers, a few at a time.
    fn subscribe(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let (mut under_way, mut done): (Vec<Key>, Vec<Key>) = (Vec::new(), Vec::new());
        let mut told = Instant::now();
        while done.len() < self.config.subscribers {
            while under_way.len() < self.config.ramp && self.subscribers.len() < self.config.subscribers {
                let index = self.subscribers.len();
                let tracks = self.plan.shape.tracks_of(index);
                let key =
                    self.connect(Part::Subscriber(Listener::Subscriber(index), tracks), self.address)?;
                self.subscribers.push(key);
                under_way.push(key);
            }
            self.step(Instant::now() + Duration::from_millis(20))?;
            let mut still = Vec::new();
            for key in under_way {
                match self.phase(key) {
                    Phase::Ready => done.push(key),
                    Phase::Connecting => still.push(key),
                    Phase::Over(why) => {
                        bail!("subscriber {} of {}: {why}", done.len(), self.config.subscribers)
                    }
                }
            }
            under_way = still;
            if told.elapsed() > Duration::from_secs(2) {
                eprintln!("load: {} of {} subscribed", done.len(), self.config.subscribers);
                told = Instant::now();
            }
            if Instant::now() > deadline {
                bail!("only {} of {} subscribed in {PATIENCE:?}", done.len(), self.config.subscribers);
            }
        }
        Ok(())
    }

    /// One more subscriber behind a bad link, which is still good.
    fn trouble(&mut self) -> Result<Option<Impair>> {
        let Some(trouble) = self.config.trouble else { return Ok(None) };
        let link = Impair::start(self.address, Conditions::default())?;
        let tracks = self.plan.shape.tracks_of(0);
        let key = self.connect(Part::Subscriber(Listener::Troubled, tracks), link.local_addr())?;
        self.ready(key, Duration::from_secs(5)).context("the subscriber with a bad link")?;
        if trouble == Trouble::Slow {
            link.set(Conditions { rate: Some(64_000), ..Conditions::default() });
        }
        Ok(Some(link))
    }

    fn measure(
        mut self,
        idle_memory: u64,
        handshake_us: f64,
        link: Option<&Impair>,
        talk: Option<&Talk>,
    ) -> Result<Value> {
        let second = |secs: f64| Duration::from_secs_f64(secs);
        let now = clock::now();
        if !self.config.floor {
            // Group IDs grow from run to run.
            self.schedule = Some(Schedule::new(&self.plan.shape, now + 50_000_000, now / 1_000_000));
        }
        if self.config.visitors > 0 {
            self.next_visitor = Some(Instant::now());
        }
        self.pass(second(self.config.settle))?;
        if let (Some(link), Some(Trouble::Cut)) = (link, self.config.trouble) {
            link.set(Conditions { loss: 1.0, ..Conditions::default() });
        }
        let memory_before = self.memory();
        let before = self.reading()?;
        let start = clock::now();
        let length = (self.config.secs * 1e9) as u64;
        self.crowd.record.window = start..start + length;
        let began = Instant::now();
        talk.inspect(|talk| talk.begin());
        while began.elapsed() < second(self.config.secs) {
            self.step(began + second(self.config.secs))?;
        }
        let after = self.reading()?;
        let memory = self.memory();
        let talk = talk.map(Talk::report);
        self.drain()?;
        let mut report = self.report(before, after, [idle_memory, memory_before, memory], handshake_us);
        report["talk"] = talk.into();
        Ok(report)
    }

    /// Waits for what is late.
    fn drain(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs_f64(self.config.drain);
        loop {
            self.pass(Duration::from_millis(100))?;
            let (missing, _) = self.crowd.record.missing(&self.plan.shape);
            if missing == 0 || Instant::now() > deadline {
                return Ok(());
            }
        }
    }

    fn pass(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.step(until)?;
        }
        Ok(())
    }

    /// Does what is due, and waits for more until `until` at most.
    fn step(&mut self, until: Instant) -> Result<()> {
        self.publish();
        self.visit()?;
        let (instant, nanos) = self.epoch;
        let of = |due: u64| instant + Duration::from_nanos(due.saturating_sub(nanos));
        let due = self.schedule.as_ref().and_then(Schedule::deadline).map(of);
        let next = [due, self.next_visitor].into_iter().flatten().fold(until, Instant::min);
        Ok(self.engine.turn(next, &mut self.crowd)?)
    }

    fn publish(&mut self) {
        let Some(schedule) = &mut self.schedule else { return };
        let publishers = self.plan.shape.publishers;
        while let Some(due) = schedule.next(clock::now()) {
            let sent = clock::now();
            if self.crowd.record.window.contains(&sent) {
                self.crowd.record.published[due.track] += 1;
            }
            let key = self.publishers[due.track % publishers];
            self.engine.with(key, &mut self.crowd, |crowd, quic| {
                if let Some(Some(peer)) = crowd.peers.get_mut(key) {
                    peer.publish(quic, &due, sent);
                }
            });
        }
    }

    /// Visitors come and go.
    fn visit(&mut self) -> Result<()> {
        let now = Instant::now();
        while let Some(next) = self.next_visitor.filter(|next| *next <= now) {
            let tracks = self.plan.shape.tracks_of(self.visits as usize);
            let listener = Listener::Visitor(Some(clock::now()));
            let key = self.connect(Part::Subscriber(listener, tracks), self.address)?;
            self.visitors.push_back((now + VISIT, key));
            self.visits += 1;
            self.next_visitor = Some(next + Duration::from_secs(1) / self.config.visitors as u32);
        }
        while let Some((_, key)) = self.visitors.pop_front_if(|(leaves, _)| *leaves <= now) {
            self.close(key);
        }
        Ok(())
    }

    fn close(&mut self, key: Key) {
        self.engine.with(key, &mut self.crowd, |_, quic| {
            quic.close(Instant::now(), VarInt::from_u32(0), bytes::Bytes::new());
        });
        self.crowd.peers[key] = None;
    }

    fn memory(&self) -> u64 {
        self.config.pid.and_then(|id| process::resident(id).ok()).unwrap_or_default()
    }

    fn reading(&self) -> Result<Reading> {
        let server = self.config.pid.map(process::cpu).transpose()?.unwrap_or_default();
        Ok(Reading { server, own: process::cpu(std::process::id())?, idle: process::idle()? })
    }

    fn report(&self, before: Reading, after: Reading, memory: [u64; 3], handshake_us: f64) -> Value {
        let Record { arrived, arrived_bytes, .. } = self.crowd.record;
        let (missing, expected) = self.crowd.record.missing(&self.plan.shape);
        let (secs, subscribers) = (self.config.secs, self.config.subscribers.max(1) as f64);
        let cpu = (after.server - before.server) as f64 / 1e9;
        let own = (after.own - before.own) as f64 / 1e9;
        let lost = self.subscribers.iter().filter(|key| self.phase(**key) != Phase::Ready).count();
        let unsent: u64 = self
            .publishers
            .iter()
            .filter_map(|key| self.crowd.peers[*key].as_ref())
            .map(|peer| peer.unsent)
            .sum();
        let busy = |core: usize| 1.0 - (after.idle[core] - before.idle[core]) / secs;
        json!({
            "shape": self.plan.shape.name, "subscribers": self.config.subscribers,
            "over": match self.plan.over { Over::WebTransport => "webtransport", Over::Quic | Over::Nothing => "quic" },
            "trouble": self.config.trouble.map(|trouble| format!("{trouble:?}").to_lowercase()),
            "visitors": self.config.visitors, "secs": secs,
            "expected": expected, "missing": missing, "unsent": unsent, "ended": lost,
            "delivered": if expected == 0 { 0.0 } else { 1.0 - missing as f64 / expected as f64 },
            "objectsPerSecond": arrived as f64 / secs,
            "mbitPerSecond": arrived_bytes as f64 * 8.0 / 1e6 / secs,
            "latencyMs": self.crowd.record.latencies(),
            "firstObjectMs": percentiles(&self.crowd.record.first),
            "visits": self.visits,
            "cpuFraction": cpu / secs,
            "cpuUsPerObject": cpu * 1e6 / arrived.max(1) as f64,
            "cpuSecondsPerGbit": cpu * 1e9 / (arrived_bytes.max(1) as f64 * 8.0),
            "handshakeUs": handshake_us,
            "memoryKib": memory,
            "memoryKibPerSubscriber": (memory[2] as f64 - memory[0] as f64) / subscribers,
            "generator": own / secs,
            "others": [busy(0) - cpu / secs, busy(1) - own / secs],
            "foreign": self.crowd.record.foreign,
            "feedBytesPerSecond": self.crowd.record.foreign_bytes as f64 / secs / subscribers,
        })
    }
}
