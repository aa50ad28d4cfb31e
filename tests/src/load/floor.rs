//! Floors: servers that send a shape's objects to whoever connects, with nothing around them. One is quinn
//! with a task for each connection, as relays are built; the other is quinn-proto in one plain loop.

use std::{
    net::SocketAddr,
    path::PathBuf,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use bytes::{Bytes, BytesMut};
use clap::{Args, ValueEnum};
use quinn_proto::{Connection, Event};
use shared::moqt::{
    GroupId, Object, ObjectId, Priority, Properties, Status, Subgroup, SubgroupId,
    wire::{SubgroupHeader, TrackAlias, encode_datagram, encode_object_header},
};
use tokio::sync::broadcast;

use super::{
    clock,
    engine::{Engine, Handler, Key, udp},
    peer::{Over, Part, Peer, Plan},
    record::Record,
    shape::{Due, Schedule, Shape, Way},
    stamp::Stamp,
    tls,
};

/// Objects that wait for a connection's task; one that is further behind misses some.
const BEHIND: usize = 1_024;
/// From the last connection to the first object.
const PAUSE: Duration = Duration::from_millis(300);

/// How a floor is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// quinn, a task for each connection
    Quinn,
    /// quinn-proto, one loop
    Proto,
}

/// Settings of a floor.
#[derive(Debug, Clone, Args)]
pub(super) struct Config {
    /// What it is built on
    #[arg(value_enum)]
    kind: Kind,
    /// UDP address
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// Certificate chain in PEM
    #[arg(long, value_name = "PEM")]
    cert: PathBuf,
    /// Its private key in PEM
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// What is sent
    #[arg(long, default_value = "video")]
    shape: String,
    /// Begin when so many have connected
    #[arg(long, value_name = "N")]
    subscribers: usize,
}

/// Serves until it is ended.
pub(super) fn serve(config: &Config) -> Result<()> {
    let shape = Shape::named(&config.shape).with_context(|| format!("there is no shape {}", config.shape))?;
    match config.kind {
        Kind::Quinn => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(quinn(config, &shape))
        }
        Kind::Proto => proto(config, &shape),
    }
}

/// An object as it is sent.
#[derive(Debug, Clone)]
struct Sent {
    due: Due,
    object: Object,
}

impl Sent {
    fn new(due: Due, shape: &Shape) -> Self {
        let track = shape.tracks[due.track];
        let subgroup = Subgroup {
            group: GroupId(due.group),
            id: SubgroupId(due.subgroup),
            priority: Priority(track.priority),
            ends_group: false,
            from_first: due.opens,
        };
        let stamp = Stamp { track: due.track as u32, number: due.number, sent: clock::now() };
        let object = Object {
            subgroup,
            id: ObjectId(due.object),
            status: Status::Normal,
            properties: Properties::default(),
            payload: stamp.payload(due.bytes),
        };
        Self { due, object }
    }
}

async fn quinn(config: &Config, shape: &Shape) -> Result<()> {
    let settings = tls::server(&config.cert, &config.key)?;
    let socket = udp(config.listen)?;
    let endpoint = quinn::Endpoint::new(
        quinn::EndpointConfig::default(),
        Some(settings),
        socket,
        std::sync::Arc::new(quinn::TokioRuntime),
    )?;
    let channels: Vec<broadcast::Sender<Sent>> =
        shape.tracks.iter().map(|_| broadcast::channel(BEHIND).0).collect();
    let mut tasks = tokio::task::JoinSet::new();
    let mut handshakes = tokio::task::JoinSet::new();
    let mut index = 0;
    while index < config.subscribers {
        let connection = tokio::select! {
            incoming = endpoint.accept() => {
                let incoming = incoming.context("the floor's socket is closed")?;
                handshakes.spawn(async move { incoming.await });
                continue;
            }
            Some(connection) = handshakes.join_next() => connection?.context("a handshake with the floor")?,
        };
        // A task for each track that the connection gets: one object, one wake.
        for track in shape.tracks_of(index) {
            let way = shape.tracks[track].way;
            tasks.spawn(feed(connection.clone(), channels[track].subscribe(), way));
        }
        index += 1;
    }
    tokio::time::sleep(PAUSE).await;
    let (began, at) = (clock::now(), Instant::now());
    let mut schedule = Schedule::new(shape, began, 0);
    while let Some(due) = schedule.deadline() {
        let due = at + Duration::from_nanos(due - began);
        tokio::time::sleep_until(due.into()).await;
        while let Some(due) = schedule.next(clock::now()) {
            let track = due.track;
            // Nobody listens to a track without subscribers.
            let _ = channels[track].send(Sent::new(due, shape));
        }
    }
    Ok(())
}

async fn feed(connection: quinn::Connection, mut objects: broadcast::Receiver<Sent>, way: Way) -> Result<()> {
    let mut streams: Vec<Option<(quinn::SendStream, SubgroupHeader, Option<ObjectId>)>> = Vec::new();
    loop {
        let Sent { due, object } = match objects.recv().await {
            Ok(sent) => sent,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return Ok(()),
        };
        let alias = TrackAlias(due.track as u64);
        if way == Way::Datagrams {
            connection.send_datagram(encode_datagram(alias, &object)).map_err(|error| anyhow!(error))?;
            continue;
        }
        let layer = due.subgroup as usize;
        streams.resize_with(streams.len().max(layer + 1), || None);
        let mut head = BytesMut::new();
        if due.opens {
            let header = SubgroupHeader {
                alias,
                group: object.subgroup.group,
                subgroup: Some(object.subgroup.id),
                priority: Some(object.subgroup.priority),
                ends_group: false,
                from_first: true,
                has_properties: false,
            };
            header.encode(&mut head);
            let stream = connection.open_uni().await?;
            stream.set_priority(-i32::from(object.subgroup.priority.0))?;
            streams[layer] = Some((stream, header, None));
        }
        // It lagged behind a subgroup's beginning.
        let Some((stream, header, previous)) = &mut streams[layer] else { continue };
        encode_object_header(*previous, header, &object, &mut head);
        *previous = Some(object.id);
        let mut chunks: [Bytes; 2] = [head.freeze(), object.payload];
        stream.write_all_chunks(&mut chunks).await?;
        if due.ends {
            stream.finish()?;
            streams[layer] = None;
        }
    }
}

/// The connections of the plain loop.
struct Crowd {
    plan: Rc<Plan>,
    peers: Vec<Option<Peer>>,
    order: Vec<Key>,
    record: Record,
}

impl Handler for Crowd {
    fn event(&mut self, key: Key, quic: &mut Connection, event: Event) {
        if let Some(Some(peer)) = self.peers.get_mut(key) {
            peer.event(quic, event, &mut self.record);
        }
    }

    fn accepted(&mut self, key: Key) {
        self.peers.resize_with(self.peers.len().max(key + 1), || None);
        let tracks = self.plan.shape.tracks_of(self.order.len());
        self.peers[key] = Some(Peer::new(self.plan.clone(), Part::Publisher(tracks)));
        self.order.push(key);
    }
}

fn proto(config: &Config, shape: &Shape) -> Result<()> {
    let settings = tls::server(&config.cert, &config.key)?;
    let mut engine = Engine::server(config.listen, settings)?;
    let record = Record::new(shape, 0);
    let plan = Plan {
        shape: shape.clone(),
        over: Over::Nothing,
        authority: String::new(),
        path: String::new(),
        feeds: Vec::new(),
    };
    let mut crowd = Crowd { plan: Rc::new(plan), peers: Vec::new(), order: Vec::new(), record };
    while crowd.order.len() < config.subscribers {
        engine.turn(Instant::now() + Duration::from_secs(1), &mut crowd)?;
    }
    let start = Instant::now() + PAUSE;
    while Instant::now() < start {
        engine.turn(start, &mut crowd)?;
    }
    let (began, at) = (clock::now(), Instant::now());
    let mut schedule = Schedule::new(shape, began, 0);
    let of: Vec<Vec<usize>> = (0..crowd.order.len()).map(|index| shape.tracks_of(index)).collect();
    while let Some(next) = schedule.deadline() {
        while let Some(due) = schedule.next(clock::now()) {
            // One moment for all, as from a publisher.
            let sent = clock::now();
            for index in (0..of.len()).filter(|index| of[*index].contains(&due.track)) {
                let key = crowd.order[index];
                engine.with(key, &mut crowd, |crowd, quic| {
                    if let Some(Some(peer)) = crowd.peers.get_mut(key) {
                        peer.publish(quic, &due, sent);
                    }
                });
            }
        }
        engine.turn(at + Duration::from_nanos(next.saturating_sub(began)), &mut crowd)?;
    }
    Ok(())
}
