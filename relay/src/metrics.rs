//! Counters for the operator, for Prometheus. What each one means stands where it is defined, and is served
//! with it. To count is one relaxed addition.
//!
//! | module | what it is |
//! |---|---|
//! | `latency` | how long things take |
//! | `tracks` | counters of each track |
//! | `text` | all of it as text |

use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use shared::{
    moqt::{ResetCode, Resets, Waits},
    transport::Kind,
};

mod latency;
pub(crate) mod text;
mod tracks;

pub(crate) use latency::{Latency, Spread};
use text::{Page, Value};
pub(crate) use tracks::{Book, Meter, Totals, TrackCounters};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Relaxed);
    }
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
    fn sample(&self) -> Value {
        Value::Count(self.value())
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Relaxed);
    }
    pub(crate) fn subtract(&self, number: u64) {
        self.0.fetch_sub(number, Relaxed);
    }
    pub(crate) fn set(&self, number: u64) {
        self.0.store(number, Relaxed);
    }
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
    fn sample(&self) -> Value {
        // Exact below 2^53.
        Value::Now(self.value() as f64)
    }
}

impl Latency {
    fn sample(&self) -> Value {
        Value::Spread(Box::new(self.look()))
    }
}

/// Streams that were reset, by reason.
#[derive(Debug)]
pub(crate) struct ByReason([Counter; Resets::CODES.len() + 1]);

impl Default for ByReason {
    fn default() -> Self {
        Self(array::from_fn(|_| Counter::default()))
    }
}

impl ByReason {
    /// Counts one.
    pub(crate) fn add(&self, code: ResetCode) {
        self.0.get(Resets::place(code)).into_iter().for_each(|counter| counter.add(1));
    }

    /// Counts what came between two looks at a viewer.
    pub(crate) fn add_since(&self, now: &Resets, before: &Resets) {
        for (counter, new) in self.0.iter().zip(now.since(before)).filter(|(_, new)| *new > 0) {
            counter.add(u64::from(new));
        }
    }

    fn tell(&self, page: &mut Page, name: &'static str, help: &str) {
        let names = Resets::CODES.iter().map(|code| code.name().unwrap_or("OTHER")).chain(["OTHER"]);
        for (counter, reason) in self.0.iter().zip(names) {
            page.add(name, help, vec![("reason", reason.to_owned())], counter.sample());
        }
    }
}

/// Adds one to a gauge as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted {
    metrics: Arc<Metrics>,
    gauge: fn(&Metrics) -> &Gauge,
}

impl Counted {
    pub(crate) fn new(metrics: &Arc<Metrics>, gauge: fn(&Metrics) -> &Gauge) -> Self {
        gauge(metrics).add(1);
        Self { metrics: Arc::clone(metrics), gauge }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.gauge)(&self.metrics).subtract(1);
    }
}

macro_rules! metrics {
    ($($field:ident: $type:ident, $kind:literal, $name:literal $({$label:ident = $value:literal})?, $help:literal;)*) => {
        /// All of a relay's counters.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(#[doc = $help] pub(crate) $field: $type,)*
            /// Streams of viewers that were reset.
            pub(crate) resets_sent: ByReason,
            /// Streams that publishers reset.
            pub(crate) resets_received: ByReason,
            /// The counters of each track.
            pub(crate) book: Book,
        }

        impl Metrics {
            fn table(&self, page: &mut Page) {
                $(
                    let labels = vec![$((stringify!($label), $value.to_owned()))?];
                    page.add($name, $help, labels, self.$field.sample());
                )*
            }
        }
    };
}

metrics! {
    connections: Gauge, "gauge", "relay_connections", "Connections that are open or being set up.";
    connections_refused: Counter, "counter", "relay_connections_refused_total", "Connections refused because --max-connections were open.";
    connections_failed: Counter, "counter", "relay_connections_failed_total", "Connections whose handshake or MoQT set-up failed.";
    handshakes_started: Counter, "counter", "relay_handshakes_started_total", "Handshakes begun with peers that were not refused.";
    handshakes_failed_quic: Counter, "counter", "relay_handshakes_failed_total"{stage = "transport"}, "Handshakes that failed: before QUIC and WebTransport were set up, or MoQT after them.";
    handshakes_failed_moqt: Counter, "counter", "relay_handshakes_failed_total"{stage = "moqt"}, "Handshakes that failed: before QUIC and WebTransport were set up, or MoQT after them.";
    handshake: Latency, "histogram", "relay_handshake_seconds", "Time from a peer's first packet to its MoQT session, of those that got one.";
    sessions_quic: Gauge, "gauge", "relay_sessions"{transport = "quic"}, "MoQT sessions that are set up.";
    sessions_webtransport: Gauge, "gauge", "relay_sessions"{transport = "webtransport"}, "MoQT sessions that are set up.";
    sessions_memory: Gauge, "gauge", "relay_sessions"{transport = "memory"}, "MoQT sessions that are set up.";
    http_refused: Counter, "counter", "relay_http_refused_total", "HTTP connections refused because too many were open.";
    broadcasts: Gauge, "gauge", "relay_broadcasts", "Broadcasts that are on air: namespaces that are announced, or that tracks are published in.";
    tracks: Gauge, "gauge", "relay_tracks", "Tracks that are taken from their publishers.";
    subscriptions: Gauge, "gauge", "relay_subscriptions", "Subscriptions that viewers hold.";
    requests_refused: Counter, "counter", "relay_requests_refused_total", "Requests of peers that were answered with an error.";
    offers_blocked: Counter, "counter", "relay_offers_blocked_total", "Published tracks that could not be offered to a session for want of a stream or of a place.";
    objects_in: Counter, "counter", "relay_objects_received_total", "Objects received from publishers.";
    bytes_in: Counter, "counter", "relay_object_bytes_received_total", "Payload bytes received from publishers.";
    objects_out: Counter, "counter", "relay_objects_sent_total", "Objects handed to viewers' connections.";
    bytes_out: Counter, "counter", "relay_object_bytes_sent_total", "Payload bytes handed to viewers' connections.";
    fanout: Latency, "histogram", "relay_fanout_seconds", "Time from when an object began to arrive until it was handed to the last of its viewers' connections, once for each object.";
    delivery: Latency, "histogram", "relay_delivery_seconds", "Time from when an object began to arrive until it was handed to a viewer's QUIC stream or datagram, once for each viewer; the sum is an upper bound.";
    datagrams_dropped: Counter, "counter", "relay_datagrams_dropped_total", "Datagrams to viewers that were dropped, since too many waited or one was too large for the path.";
    timed_out: Counter, "counter", "relay_delivery_timeouts_total", "Subgroups and datagrams let go because their delivery timeout was over.";
    objects_skipped: Counter, "counter", "relay_objects_skipped_total", "Objects let go because their viewer was behind.";
    groups_skipped: Counter, "counter", "relay_groups_skipped_total", "Groups of which something was let go because the viewer was behind.";
    objects_fetched: Counter, "counter", "relay_objects_fetched_total", "Objects sent from the cache to answer a FETCH.";
    cache_hits_join: Counter, "counter", "relay_cache_hits_total"{request = "subscribe"}, "Requests that the cache had all for: a late joiner the newest group from its first object, a fetch its whole range.";
    cache_hits_fetch: Counter, "counter", "relay_cache_hits_total"{request = "fetch"}, "Requests that the cache had all for: a late joiner the newest group from its first object, a fetch its whole range.";
    cache_misses_join: Counter, "counter", "relay_cache_misses_total"{request = "subscribe"}, "Requests that the cache lacked something for.";
    cache_misses_fetch: Counter, "counter", "relay_cache_misses_total"{request = "fetch"}, "Requests that the cache lacked something for.";
    fetches_upstream: Counter, "counter", "relay_fetches_upstream_total", "Fetches that publishers were asked for, of what no cache has.";
    fetches_merged: Counter, "counter", "relay_fetches_merged_total", "Fetches that got the answer which another one asked a publisher for.";
    cache_bytes: Gauge, "gauge", "relay_cache_bytes", "Payload and property bytes in the caches of all tracks.";
    objects_evicted: Counter, "counter", "relay_cache_evicted_objects_total", "Objects that left a cache for its bound of bytes or age.";
    new_groups: Counter, "counter", "relay_new_group_requests_total", "New groups asked of publishers for viewers.";
    subscriptions_stuck: Counter, "counter", "relay_subscriptions_stuck_total", "Subscriptions ended because their viewer took nothing for --stuck.";
    publishers_silent: Counter, "counter", "relay_publishers_silent_total", "Publishers' sessions ended because nothing was heard of them for --publisher-silence.";
    takeovers: Counter, "counter", "relay_takeovers_total", "Tracks that another publisher went on with.";
    objects_repeated: Counter, "counter", "relay_objects_repeated_total", "Objects of a publisher that took over which were not passed on, since its predecessor's groups reached as far.";
    rooms: Gauge, "gauge", "relay_rooms", "Rooms that take what viewers say, or tell them of it.";
    voices: Gauge, "gauge", "relay_room_voices", "Sessions that may speak in a room.";
    sayings_accepted: Counter, "counter", "relay_room_sayings_total"{outcome = "accepted"}, "What viewers said, by what came of it: applied, refused with a reason, answered as before, or let go unread.";
    sayings_refused: Counter, "counter", "relay_room_sayings_total"{outcome = "refused"}, "What viewers said, by what came of it: applied, refused with a reason, answered as before, or let go unread.";
    sayings_repeated: Counter, "counter", "relay_room_sayings_total"{outcome = "repeated"}, "What viewers said, by what came of it: applied, refused with a reason, answered as before, or let go unread.";
    sayings_ignored: Counter, "counter", "relay_room_sayings_total"{outcome = "ignored"}, "What viewers said, by what came of it: applied, refused with a reason, answered as before, or let go unread.";
    busy_likes: Counter, "counter", "relay_room_busy_total"{class = "like"}, "What was refused because the whole room was too busy, by what it was.";
    busy_danmaku: Counter, "counter", "relay_room_busy_total"{class = "danmaku"}, "What was refused because the whole room was too busy, by what it was.";
    busy_chat: Counter, "counter", "relay_room_busy_total"{class = "chat"}, "What was refused because the whole room was too busy, by what it was.";
    busy_questions: Counter, "counter", "relay_room_busy_total"{class = "question"}, "What was refused because the whole room was too busy, by what it was.";
    busy_others: Counter, "counter", "relay_room_busy_total"{class = "moderator"}, "What was refused because the whole room was too busy, by what it was.";
    room_lost: Counter, "counter", "relay_room_records_lost_total", "Interactions and moderation acts that were not stored because the store was behind or failed.";
    analytics_lost: Counter, "counter", "relay_analytics_lost_total", "Events that were not stored because the store was behind or failed.";
}

impl Metrics {
    /// As the text that `/metrics` answers with.
    pub(crate) fn to_text(&self) -> String {
        let mut page = Page::default();
        self.tell(&mut page);
        page.into_text()
    }

    /// Adds all of them to a page.
    pub(crate) fn tell(&self, page: &mut Page) {
        self.table(page);
        let help = "Streams of objects to viewers that were reset before their end.";
        self.resets_sent.tell(page, "relay_stream_resets_sent_total", help);
        let help = "Streams of objects that publishers reset before their end.";
        self.resets_received.tell(page, "relay_stream_resets_received_total", help);
        self.book.tell(page);
    }

    /// Counts how long a viewer's objects waited between two looks.
    pub(crate) fn delivered(&self, now: &Waits, before: &Waits) {
        for (new, bound) in now.since(before).zip(Waits::bounds()) {
            // Classes there end where doublings end here.
            let took = bound.map_or(std::time::Duration::from_secs(8), |bound| {
                bound - std::time::Duration::from_micros(1)
            });
            self.delivery.observe_many(took, u64::from(new));
        }
    }

    /// The gauge of sessions that travel so.
    pub(crate) fn sessions(kind: Kind) -> fn(&Self) -> &Gauge {
        match kind {
            Kind::Quic => |metrics| &metrics.sessions_quic,
            Kind::WebTransport => |metrics| &metrics.sessions_webtransport,
            Kind::Memory => |metrics| &metrics.sessions_memory,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    };

    use bytes::Bytes;
    use shared::moqt::{Namespace, TrackName};

    use super::*;

    /// Reads as strictly as Prometheus: gives the samples with their labels.
    fn parse(text: &str) -> BTreeMap<String, f64> {
        let mut samples = BTreeMap::new();
        let mut family: Option<(String, String)> = None;
        let mut families = BTreeSet::new();
        let body = text.strip_suffix("# EOF\n").expect("the end is told");
        for line in body.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a help");
                assert!(help.len() > 10 && families.insert(name.to_owned()), "{line}");
                continue;
            }
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type");
                assert!(families.contains(name), "{line}");
                family = Some((name.to_owned(), kind.to_owned()));
                continue;
            }
            let (key, value) = line.rsplit_once(' ').expect("a value");
            let name = key.split('{').next().expect("a name");
            let (of, kind) = family.as_ref().expect("a family before its samples");
            let ends: &[&str] = match kind.as_str() {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_sum", "_count"],
                other => panic!("unknown type {other}"),
            };
            assert!(name.strip_prefix(of.as_str()).is_some_and(|end| ends.contains(&end)), "{line} in {of}");
            assert!(name.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_'), "{line}");
            let value: f64 = value.parse().expect("a number");
            assert!(samples.insert(key.to_owned(), value).is_none(), "twice: {line}");
        }
        samples
    }

    #[test]
    fn the_text_is_well_formed_whatever_names_peers_choose() {
        let metrics = Arc::new(Metrics::default());
        let name = |name: &str| TrackName {
            namespace: Namespace::new(["room", "a\"b\\", "c\nd"]),
            name: Bytes::copy_from_slice(name.as_bytes()),
        };
        let meters = ["video", "video", "x}\" 1\n# EOF\n"].map(|track| Meter::new(&metrics, &name(track)));
        meters.iter().for_each(|meter| meter.objects_in.add(1));
        metrics.fanout.observe(Duration::from_millis(3));
        metrics.resets_sent.add(ResetCode::TooFarBehind);
        let samples = parse(&metrics.to_text());
        assert_eq!(samples["relay_fanout_seconds_count"], 1.0);
        assert_eq!(samples["relay_fanout_seconds_bucket{le=\"+Inf\"}"], 1.0);
        assert_eq!(samples["relay_fanout_seconds_bucket{le=\"0.002048\"}"], 0.0);
        assert_eq!(samples["relay_fanout_seconds_bucket{le=\"0.004096\"}"], 1.0);
        assert_eq!(samples["relay_stream_resets_sent_total{reason=\"TOO_FAR_BEHIND\"}"], 1.0);
        let of_tracks =
            samples.iter().filter(|(key, _)| key.starts_with("relay_track_received_objects_total"));
        let of_tracks: Vec<f64> = of_tracks.map(|(_, value)| *value).collect();
        assert_eq!(
            (of_tracks.len(), of_tracks.iter().sum::<f64>()),
            (3, 3.0),
            "two of one name, one, the others"
        );
    }

    #[test]
    fn a_viewers_waits_keep_their_place() {
        let metrics = Metrics::default();
        metrics.delivery.observe_many(Duration::from_micros(1023), 2);
        let samples = parse(&metrics.to_text());
        assert_eq!(samples["relay_delivery_seconds_bucket{le=\"0.000512\"}"], 0.0);
        assert_eq!(samples["relay_delivery_seconds_bucket{le=\"0.001024\"}"], 2.0);
    }

    #[test]
    fn a_family_of_labels_is_described_once() {
        let metrics = Arc::new(Metrics::default());
        let sessions: Vec<_> =
            (0..3).map(|_| Counted::new(&metrics, Metrics::sessions(Kind::WebTransport))).collect();
        metrics.objects_in.add(2);
        let text = metrics.to_text();
        assert_eq!(text.matches("# TYPE relay_sessions gauge").count(), 1);
        assert!(text.contains("\nrelay_sessions{transport=\"webtransport\"} 3\n"), "{text}");
        assert!(text.contains("\nrelay_objects_received_total 2\n"), "{text}");
        drop(sessions);
        assert!(metrics.to_text().contains("\nrelay_sessions{transport=\"webtransport\"} 0\n"), "{text}");
    }
}
