//! One seed: who is there, over which network, and what must be left of it in the end: nothing.

use std::{
    collections::BTreeMap,
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use relay::{Config, Embedded};
use shared::{
    moqt::{self, Namespace, Refused, Requests, Role, Session, SessionCode, TrackName},
    naming::Room,
    transport::{
        Connection,
        memory::{self, Link, PerMille, Weather},
    },
};
use tokio::{
    runtime::{Builder, Handle},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    dice::Dice,
    ledger::Ledger,
    publisher::{Claim, publisher},
    subscriber::subscriber,
};

/// Longer than anything may take that is not held up for ever. Time here costs nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// For how long the relay takes a track without viewers.
const LINGER: Duration = Duration::from_secs(1);
/// Tracks of a namespace; not all of them are published.
pub(crate) const TRACKS: [&str; 3] = ["t0", "t1", "t2"];
/// What the relay counts while it lasts.
const GAUGES: [&str; 7] = [
    "relay_sessions{transport=\"memory\"}",
    "relay_sessions{transport=\"quic\"}",
    "relay_sessions{transport=\"webtransport\"}",
    "relay_broadcasts",
    "relay_tracks",
    "relay_subscriptions",
    "relay_cache_bytes",
];

/// What came of a seed.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Which promises were broken, in words.
    pub(crate) wrong: Vec<String>,
    /// The same for the same course of events.
    pub(crate) digest: u64,
    /// How often what happened.
    pub(crate) totals: Totals,
    /// Who was there, for people.
    pub(crate) plan: String,
}

/// How often what happened, by name.
pub(crate) type Totals = BTreeMap<&'static str, u64>;

/// What all who take part share.
#[derive(Debug)]
pub(crate) struct World {
    state: Mutex<State>,
    /// Every track that somebody may publish.
    pub(crate) names: Vec<TrackName>,
    begin: Instant,
    telling: Telling,
}

/// Whether what happens is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    Aloud,
    Silent,
}

#[derive(Debug, Default)]
struct State {
    ledger: Ledger,
    wrong: Vec<String>,
    digest: DefaultHasher,
    totals: Totals,
}

/// Who meets whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One publisher and one subscriber.
    Direct,
    /// Publishers and subscribers of a relay.
    Relayed { publishers: u64, subscribers: u64 },
}

/// The way to a peer.
#[derive(Debug, Clone)]
pub(crate) struct Net {
    weather: Weather,
    relay: Option<Arc<Embedded>>,
}

/// A session that was set up, and the network under it.
pub(crate) struct Seat {
    pub(crate) session: Session,
    pub(crate) requests: Requests,
    pub(crate) link: Link,
}

/// Plays a seed to its end.
pub(crate) fn play(seed: u64, telling: Telling) -> Outcome {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let (world, plan) = runtime.block_on(async {
        let (world, plan) = stage(seed, telling).await;
        (Arc::into_inner(world), plan)
    });
    drop(runtime);
    let Some(world) = world else { panic!("somebody still holds the world of seed {seed}") };
    let State { wrong, digest, totals, .. } =
        world.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    Outcome { wrong, digest: digest.finish(), totals, plan }
}

async fn stage(seed: u64, telling: Telling) -> (Arc<World>, String) {
    let mut dice = Dice::new(seed);
    let shape = match dice.chance(25) {
        true => Shape::Direct,
        false => Shape::Relayed { publishers: dice.between(1, 2), subscribers: dice.between(1, 3) },
    };
    let weather = weather(&mut dice);
    let namespaces = namespaces(&mut dice);
    let names = namespaces.iter().flat_map(|namespace| {
        TRACKS.map(|name| TrackName { namespace: namespace.clone(), name: name.into() })
    });
    let world =
        Arc::new(World { state: Mutex::default(), names: names.collect(), begin: Instant::now(), telling });
    let plan = format!("{shape:?} {weather:?}");
    let mut actors = JoinSet::new();
    let relay = match shape {
        Shape::Direct => {
            direct(&world, &mut dice, weather, &namespaces[0], &mut actors).await;
            None
        }
        Shape::Relayed { publishers, subscribers } => {
            let relay = Arc::new(Embedded::new(&settings(&mut dice)).expect("a key"));
            let net = Net { weather, relay: Some(Arc::clone(&relay)) };
            for number in 0..publishers {
                // Where there is one namespace only, the second publisher takes it over.
                let claim = if publishers as usize > namespaces.len() { Claim::Shared } else { Claim::Sole };
                let namespace = namespaces[number as usize % namespaces.len()].clone();
                let (world, net, dice) = (Arc::clone(&world), net.clone(), dice.fork());
                actors.spawn(async move {
                    let mut dice = dice;
                    sleep(dice.millis(0, 3_000 * number)).await;
                    if let Some(seat) = net.connect(&world, &mut dice).await {
                        publisher(world, number as u8, (namespace, claim), seat, dice).await;
                    }
                });
            }
            if dice.chance(8) {
                let (world, relay, after) =
                    (Arc::clone(&world), Arc::clone(&relay), dice.millis(500, 15_000));
                actors.spawn(async move {
                    sleep(after).await;
                    world.count("relays stopped");
                    relay.stop();
                });
            }
            for _ in 0..subscribers {
                actors.spawn(subscriber(Arc::clone(&world), Some(net.clone()), None, dice.fork()));
            }
            Some(relay)
        }
    };
    let all = async { while actors.join_next().await.is_some() {} };
    if timeout(3 * PATIENCE, all).await.is_err() {
        world.wrong("somebody waits for ever");
    }
    actors.shutdown().await;
    drop(actors);
    rest(&world, relay).await;
    (world, plan)
}

async fn direct(
    world: &Arc<World>,
    dice: &mut Dice,
    weather: Weather,
    namespace: &Namespace,
    actors: &mut JoinSet<()>,
) {
    let (client, server, link) = memory::pair_in(weather, dice.next());
    let set_up = async {
        tokio::join!(
            biased;
            moqt::start(client, moqt::Config::new(Role::Client)),
            moqt::start(server, moqt::Config::new(Role::Server))
        )
    };
    let (Ok((session, requests)), Ok((served, asked))) = set_up.await else { return };
    let ours = Seat { session, requests, link: link.clone() };
    let theirs = Seat { session: served, requests: asked, link };
    let claim = (namespace.clone(), Claim::Sole);
    actors.spawn(publisher(Arc::clone(world), 0, claim, theirs, dice.fork()));
    actors.spawn(subscriber(Arc::clone(world), None, Some(ours), dice.fork()));
}

/// Everybody has left: whatever is still there is left over.
async fn rest(world: &World, relay: Option<Arc<Embedded>>) {
    let left = |relay: &Option<Arc<Embedded>>| {
        let metrics = relay.as_ref().map(|relay| relay.metrics()).unwrap_or_default();
        let of = |gauge: &&str| {
            metrics.lines().find_map(|line| line.strip_prefix(gauge)?.strip_prefix(' ')).unwrap_or("0") != "0"
        };
        let mut left: Vec<String> = GAUGES.into_iter().filter(of).map(str::to_owned).collect();
        let tasks = Handle::current().metrics().num_alive_tasks();
        if tasks > 0 {
            left.push(format!("{tasks} tasks"));
        }
        left
    };
    let end = Instant::now() + PATIENCE;
    while !left(&relay).is_empty() && Instant::now() < end {
        sleep(Duration::from_millis(500)).await;
    }
    let left = left(&relay);
    if !left.is_empty() {
        world.wrong(&format!("left over after everybody has gone: {left:?}"));
    }
}

fn weather(dice: &mut Dice) -> Weather {
    let calm = Weather { delay: dice.millis(0, 60), ..Weather::default() };
    if dice.chance(15) {
        return calm;
    }
    let mille = |dice: &mut Dice, percent, most| {
        PerMille(if dice.chance(percent) { dice.between(1, most) as u16 } else { 0 })
    };
    Weather {
        jitter: dice.millis(0, 120),
        datagram_loss: mille(dice, 50, 300),
        late: mille(dice, 50, 60),
        late_by: dice.millis(50, 500),
        stall: mille(dice, 20, 8),
        stall_for: dice.millis(200, 4_000),
        reset: mille(dice, 30, 12),
        cut: mille(dice, 50, 500),
        window: dice.pick(&[200, 2_000, 20_000, 256_000]),
        ..calm
    }
}

fn namespaces(dice: &mut Dice) -> Vec<Namespace> {
    let room: Room = "sim".parse().expect("a room");
    let plain = [Namespace::new(["sim", "a"]), Namespace::new(["sim", "b"])];
    match dice.between(0, 3) {
        0 => vec![room.stage()],
        1 => vec![room.stage(), plain[0].clone()],
        2 => vec![plain[0].clone()],
        _ => plain.to_vec(),
    }
}

fn settings(dice: &mut Dice) -> Config {
    Config {
        open: true,
        cache_bytes: relay::config::ByteCount(dice.pick(&[2_000, 20_000, 1 << 20])),
        cache_age: dice.millis(500, 10_000),
        linger: LINGER,
        pause_offers: dice.pick(&[false, true]),
        ..Config::new()
    }
}

impl Net {
    /// A session with the relay, or nothing where the network was too bad for that.
    pub(crate) async fn connect(&self, world: &World, dice: &mut Dice) -> Option<Seat> {
        let relay = self.relay.as_ref()?;
        let (client, server, link) = memory::pair_in(self.weather, dice.next());
        // It ends with its session, which the gauge of tasks shows.
        drop(tokio::spawn(relay.serve(server)));
        self.start(world, client, link).await
    }

    async fn start(&self, world: &World, client: Connection, link: Link) -> Option<Seat> {
        let started = moqt::start(client, moqt::Config::new(Role::Client));
        match timeout(PATIENCE, started).await {
            Ok(Ok((session, requests))) => {
                world.count("sessions");
                Some(Seat { session, requests, link })
            }
            Ok(Err(error)) => {
                world.check_end(error.code, &error.reason);
                None
            }
            Err(_) => {
                world.wrong("a session's set-up has no end");
                None
            }
        }
    }
}

impl World {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A promise was broken.
    pub(crate) fn wrong(&self, what: &str) {
        let at = self.begin.elapsed();
        self.tell(|| format!("WRONG: {what}"));
        self.lock().wrong.push(format!("after {at:?}: {what}"));
    }

    /// The same where there is something wrong.
    pub(crate) fn check(&self, right: Result<(), String>) {
        if let Err(what) = right {
            self.wrong(&what);
        }
    }

    pub(crate) fn with_ledger<T>(&self, work: impl FnOnce(&mut Ledger) -> T) -> T {
        work(&mut self.lock().ledger)
    }

    /// Prints what happens, where somebody wants to know.
    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.telling == Telling::Aloud {
            println!("{:>10.4} {}", self.begin.elapsed().as_secs_f64(), what());
        }
    }

    /// Counts something.
    pub(crate) fn count(&self, what: &'static str) {
        self.note(what, 0);
    }

    /// Counts something and takes it into the digest.
    pub(crate) fn note(&self, what: &'static str, which: u64) {
        let at = self.begin.elapsed();
        self.tell(|| format!("{what} ({which:#x})"));
        let mut state = self.lock();
        *state.totals.entry(what).or_default() += 1;
        (at, what, which).hash(&mut state.digest);
    }

    /// Makes a request, which ends in an answer.
    pub(crate) async fn ask<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, Refused>>,
    ) -> Option<T> {
        match timeout(PATIENCE, call).await {
            Ok(Ok(granted)) => {
                self.note(what, 1);
                Some(granted)
            }
            Ok(Err(Refused::Error { code, .. })) => {
                self.note("refused", code.0);
                None
            }
            Ok(Err(Refused::Redirected { .. })) => {
                self.count("redirected");
                None
            }
            Ok(Err(_)) => {
                self.count("ended before the answer");
                None
            }
            Err(_) => {
                self.wrong(&format!("{what} has no answer"));
                None
            }
        }
    }

    /// Why a session ended. Nobody here breaks the protocol; the network may break a control stream.
    pub(crate) fn check_end(&self, code: SessionCode, reason: &str) {
        self.note("session ends", code.0);
        let is_fine = [SessionCode::NoError, SessionCode::GoawayTimeout, SessionCode::ControlMessageTimeout];
        if !is_fine.contains(&code) && !reason.contains("control stream") {
            self.wrong(&format!("a session ended with {code}: {reason}"));
        }
    }
}
