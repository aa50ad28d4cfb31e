//! How the relay does, for the people who run it: looked at once a second, kept for two minutes.
//!
//! | module | what it is |
//! |---|---|
//! | `window` | what changed over the last seconds (pure) |
//! | `warnings` | what of it a person should know of (pure) |

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde::Serialize;
use shared::naming::Room;
use tokio::{sync::watch, time::MissedTickBehavior};

use crate::{
    Config,
    certificate::Shown,
    clock::rfc3339_of,
    metrics::{
        Metrics, Totals,
        text::{Page, Value},
    },
    process,
    registry::Registry,
};

mod warnings;
mod window;

use warnings::Warning;
use window::{Moment, Window};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// Rooms and tracks that are told of one by one: those with most viewers and most traffic.
const MAX_TOLD: usize = 200;

/// Looks on, and says how it is.
#[derive(Debug)]
pub(crate) struct Observer {
    metrics: Arc<Metrics>,
    registry: Arc<Registry>,
    certificate: watch::Receiver<Shown>,
    began: (Instant, SystemTime),
    max_connections: usize,
    cache_bytes: u64,
    cache_total: u64,
    window: Mutex<Window>,
}

/// All that `/status.json` answers with. Rates are those of the last five seconds, quantiles of the last ten
/// to twenty. What is not known is `null`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    version: &'static str,
    /// When this was looked at, RFC 3339 in UTC.
    at: String,
    uptime_seconds: u64,
    sessions: Sessions,
    handshakes: Handshakes,
    traffic: Traffic,
    rooms: Vec<RoomStatus>,
    rooms_total: usize,
    tracks: Vec<TrackStatus>,
    tracks_total: usize,
    cache: CacheStatus,
    cpu: Cpu,
    memory_bytes: Option<u64>,
    analytics_lost: u64,
    /// The last two minutes, a value a second, oldest first.
    history: History,
    warnings: Vec<Warning>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sessions {
    quic: u64,
    webtransport: u64,
    /// Connections that are open or being set up, and how many there may be.
    connections: u64,
    max_connections: usize,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Handshakes {
    started: u64,
    failed: u64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// What passes in a second, and how long it takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Traffic {
    objects_in: f64,
    objects_out: f64,
    mbit_in: f64,
    mbit_out: f64,
    /// Objects let go in the last ten seconds.
    skipped: u64,
    fanout_p50_ms: Option<f64>,
    fanout_p99_ms: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
struct RoomStatus {
    name: String,
    viewers: usize,
    tracks: usize,
    #[serde(flatten)]
    traffic: Traffic,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct TrackStatus {
    /// Its full name, shortened to 200 letters.
    name: String,
    room: Option<String>,
    track: String,
    viewers: u64,
    cache_bytes: u64,
    #[serde(flatten)]
    traffic: Traffic,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct CacheStatus {
    bytes: u64,
    /// What all tracks together may hold now.
    bound_bytes: u64,
    track_bound_bytes: u64,
    fullest_track_bytes: u64,
    hits: u64,
    misses: u64,
    evicted_objects: u64,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cpu {
    /// Of one core: 100 is one core all the time.
    percent: Option<f64>,
    cores: usize,
    /// Over the last minute.
    seconds_per_object: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct History {
    cpu_percent: Vec<f64>,
    memory_bytes: Vec<u64>,
    mbit_in: Vec<f64>,
    mbit_out: Vec<f64>,
}

impl Observer {
    pub(crate) fn new(
        config: &Config,
        metrics: Arc<Metrics>,
        registry: Arc<Registry>,
        certificate: watch::Receiver<Shown>,
    ) -> Self {
        let observer = Self {
            metrics,
            registry,
            certificate,
            began: (Instant::now(), SystemTime::now()),
            max_connections: config.max_connections,
            cache_bytes: config.cache_bytes.0 as u64,
            cache_total: config.cache_total.0 as u64,
            window: Mutex::default(),
        };
        observer.look();
        observer
    }

    /// Looks until it is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            self.look();
        }
    }

    fn look(&self) {
        let metrics = &self.metrics;
        let moment = Moment {
            at: Instant::now(),
            usage: process::usage(),
            totals: Totals {
                objects_in: metrics.objects_in.value(),
                bytes_in: metrics.bytes_in.value(),
                objects_out: metrics.objects_out.value(),
                bytes_out: metrics.bytes_out.value(),
                skipped: metrics.objects_skipped.value(),
            },
            analytics_lost: metrics.analytics_lost.value(),
            refused: metrics.connections_refused.value(),
            handshakes_started: metrics.handshakes_started.value(),
            handshakes_failed: self.handshakes_failed(),
            datagrams_dropped: metrics.datagrams_dropped.value(),
        };
        metrics.book.settle();
        let tracks = metrics.book.tracks();
        self.lock().take(moment, tracks, metrics.fanout.look());
    }

    fn handshakes_failed(&self) -> u64 {
        self.metrics.handshakes_failed_quic.value() + self.metrics.handshakes_failed_moqt.value()
    }

    /// The text of `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        let mut page = Page::default();
        self.metrics.tell(&mut page);
        let usage = process::usage();
        let mut add = |name, help, value: Option<Value>| {
            if let Some(value) = value {
                page.add(name, help, Vec::new(), value);
            }
        };
        let per_object = self.lock().cpu_per_object().map(Value::Now);
        let help = "CPU seconds of the process for each object handed to a viewer, over the last minute.";
        add("relay_cpu_seconds_per_object", help, per_object);
        let cpu = usage.cpu.map(|cpu| Value::Sum(cpu.as_secs_f64()));
        add("process_cpu_seconds_total", "CPU time of the process in seconds.", cpu);
        let whole = |value: u64| Value::Now(value as f64);
        add(
            "process_resident_memory_bytes",
            "Resident memory of the process in bytes.",
            usage.memory.map(whole),
        );
        add("process_open_fds", "Open file descriptors of the process.", usage.files.map(whole));
        let began = self.began.1.duration_since(SystemTime::UNIX_EPOCH).ok();
        let began = began.map(|began| Value::Now((began.as_secs_f64() * 1000.0).round() / 1000.0));
        add("process_start_time_seconds", "When the process began, in seconds since the epoch.", began);
        page.into_text()
    }

    /// How it is.
    pub(crate) fn status(&self) -> Status {
        let rooms = self.registry.rooms_with_viewers();
        let window = self.lock();
        let metrics = &self.metrics;
        let tracks = self.tracks(&window);
        let certificate = *self.certificate.borrow();
        let warnings = warnings::of(&window, &rooms, certificate.not_after, SystemTime::now());
        let handshake = metrics.handshake.look();
        let tracks_total = tracks.len();
        let told = |mut tracks: Vec<TrackStatus>| {
            let load = |track: &TrackStatus| track.traffic.mbit_in + track.traffic.mbit_out;
            tracks.sort_by(|one, other| load(other).total_cmp(&load(one)).then(one.name.cmp(&other.name)));
            tracks.truncate(MAX_TOLD);
            tracks
        };
        Status {
            version: env!("CARGO_PKG_VERSION"),
            at: rfc3339_of(SystemTime::now()),
            uptime_seconds: self.began.0.elapsed().as_secs(),
            sessions: Sessions {
                quic: metrics.sessions_quic.value(),
                webtransport: metrics.sessions_webtransport.value(),
                connections: metrics.connections.value(),
                max_connections: self.max_connections,
            },
            handshakes: Handshakes {
                started: metrics.handshakes_started.value(),
                failed: self.handshakes_failed(),
                p50_ms: handshake.quantile(0.5).map(millis),
                p99_ms: handshake.quantile(0.99).map(millis),
            },
            traffic: window.traffic(),
            rooms: rooms_told(&rooms, &tracks),
            rooms_total: rooms.len(),
            cache: CacheStatus {
                bytes: metrics.cache_bytes.value(),
                bound_bytes: self.cache_bytes.saturating_mul(tracks_total as u64).min(self.cache_total),
                track_bound_bytes: self.cache_bytes,
                fullest_track_bytes: tracks.iter().map(|track| track.cache_bytes).max().unwrap_or(0),
                hits: metrics.cache_hits_join.value() + metrics.cache_hits_fetch.value(),
                misses: metrics.cache_misses_join.value() + metrics.cache_misses_fetch.value(),
                evicted_objects: metrics.objects_evicted.value(),
            },
            tracks: told(tracks),
            tracks_total,
            cpu: Cpu {
                percent: window.cpu_percent(),
                cores: process::cores(),
                seconds_per_object: window.cpu_per_object(),
            },
            memory_bytes: window.memory(),
            analytics_lost: metrics.analytics_lost.value(),
            history: History {
                cpu_percent: window.history(|one, next| window::cpu_between(one, next).unwrap_or(0.0)),
                memory_bytes: window.history(|_, next| next.usage.memory.unwrap_or(0)),
                mbit_in: window.history(|one, next| window::traffic_between(one, next).mbit_in),
                mbit_out: window.history(|one, next| window::traffic_between(one, next).mbit_out),
            },
            warnings,
        }
    }

    fn tracks(&self, window: &Window) -> Vec<TrackStatus> {
        let told = window.tracks().map(|(track, traffic)| TrackStatus {
            name: track.label.clone(),
            room: track.room.as_ref().map(Room::to_string),
            track: track.name.clone(),
            viewers: track.viewers.value(),
            cache_bytes: track.cache_bytes.value(),
            traffic,
        });
        told.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rooms on air, those with most viewers first.
fn rooms_told(rooms: &BTreeMap<Room, usize>, tracks: &[TrackStatus]) -> Vec<RoomStatus> {
    let mut told: Vec<RoomStatus> = rooms
        .iter()
        .map(|(room, &viewers)| RoomStatus {
            name: room.to_string(),
            viewers,
            tracks: 0,
            traffic: Traffic::default(),
        })
        .collect();
    let places: BTreeMap<String, usize> =
        told.iter().enumerate().map(|(at, room)| (room.name.clone(), at)).collect();
    for track in tracks {
        let place = track.room.as_ref().and_then(|room| places.get(room));
        if let Some(room) = place.and_then(|at| told.get_mut(*at)) {
            room.tracks += 1;
            room.traffic.add(&track.traffic);
        }
    }
    told.sort_by(|one, other| other.viewers.cmp(&one.viewers).then(one.name.cmp(&other.name)));
    told.truncate(MAX_TOLD);
    told
}

impl Traffic {
    /// The sum; of what it takes the longest.
    fn add(&mut self, more: &Self) {
        self.objects_in += more.objects_in;
        self.objects_out += more.objects_out;
        self.mbit_in += more.mbit_in;
        self.mbit_out += more.mbit_out;
        self.skipped += more.skipped;
        let longer = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
        self.fanout_p50_ms = longer(self.fanout_p50_ms, more.fanout_p50_ms);
        self.fanout_p99_ms = longer(self.fanout_p99_ms, more.fanout_p99_ms);
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
