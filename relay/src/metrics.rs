//! Counters for the operator, in the text format of Prometheus. What each one means stands where it is
//! defined, and is served with it.

use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use shared::transport::Kind;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Relaxed);
    }
    fn value(&self) -> u64 {
        self.0.load(Relaxed)
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
    fn value(&self) -> u64 {
        self.0.load(Relaxed)
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
    ($($field:ident: $type:ident, $kind:literal, $name:literal $({$labels:literal})?, $help:literal;)*) => {
        /// All of a relay's counters.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(#[doc = $help] pub(crate) $field: $type,)*
        }

        impl Metrics {
            /// As the text that `/metrics` answers with.
            pub(crate) fn to_text(&self) -> String {
                let mut text = String::new();
                let mut last = "";
                $(
                    if last != $name {
                        last = $name;
                        let _ = writeln!(text, "# HELP {} {}\n# TYPE {} {}", $name, $help, $name, $kind);
                    }
                    let labels = concat!("" $(, "{", $labels, "}")?);
                    let _ = writeln!(text, "{}{labels} {}", $name, self.$field.value());
                )*
                let _ = last;
                text
            }
        }
    };
}

metrics! {
    connections: Gauge, "gauge", "relay_connections", "Connections that are open or being set up.";
    connections_refused: Counter, "counter", "relay_connections_refused_total", "Connections refused because --max-connections were open.";
    connections_failed: Counter, "counter", "relay_connections_failed_total", "Connections whose handshake or MoQT set-up failed.";
    sessions_quic: Gauge, "gauge", "relay_sessions"{"transport=\"quic\""}, "MoQT sessions that are set up.";
    sessions_webtransport: Gauge, "gauge", "relay_sessions"{"transport=\"webtransport\""}, "MoQT sessions that are set up.";
    sessions_memory: Gauge, "gauge", "relay_sessions"{"transport=\"memory\""}, "MoQT sessions that are set up.";
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
    objects_skipped: Counter, "counter", "relay_objects_skipped_total", "Objects let go because their viewer was behind.";
    groups_skipped: Counter, "counter", "relay_groups_skipped_total", "Groups of which something was let go because the viewer was behind.";
    objects_fetched: Counter, "counter", "relay_objects_fetched_total", "Objects sent from the cache to answer a FETCH.";
    cache_bytes: Gauge, "gauge", "relay_cache_bytes", "Payload and property bytes in the caches of all tracks.";
    objects_evicted: Counter, "counter", "relay_cache_evicted_objects_total", "Objects that left a cache for its bound of bytes or age.";
    new_groups: Counter, "counter", "relay_new_group_requests_total", "New groups asked of publishers for viewers.";
    rooms: Gauge, "gauge", "relay_rooms", "Rooms that take what viewers say, or tell them of it.";
    voices: Gauge, "gauge", "relay_room_voices", "Sessions that may speak in a room.";
    sayings_accepted: Counter, "counter", "relay_room_sayings_total"{"outcome=\"accepted\""}, "What viewers said, by what came of it: applied, refused with a reason, answered as before, or let go unread.";
    sayings_refused: Counter, "counter", "relay_room_sayings_total"{"outcome=\"refused\""}, "What viewers said, by what came of it: applied, refused with a reason, answered as before, or let go unread.";
    sayings_repeated: Counter, "counter", "relay_room_sayings_total"{"outcome=\"repeated\""}, "What viewers said, by what came of it: applied, refused with a reason, answered as before, or let go unread.";
    sayings_ignored: Counter, "counter", "relay_room_sayings_total"{"outcome=\"ignored\""}, "What viewers said, by what came of it: applied, refused with a reason, answered as before, or let go unread.";
    busy_likes: Counter, "counter", "relay_room_busy_total"{"class=\"like\""}, "What was refused because the whole room was too busy, by what it was.";
    busy_danmaku: Counter, "counter", "relay_room_busy_total"{"class=\"danmaku\""}, "What was refused because the whole room was too busy, by what it was.";
    busy_chat: Counter, "counter", "relay_room_busy_total"{"class=\"chat\""}, "What was refused because the whole room was too busy, by what it was.";
    busy_questions: Counter, "counter", "relay_room_busy_total"{"class=\"question\""}, "What was refused because the whole room was too busy, by what it was.";
    busy_others: Counter, "counter", "relay_room_busy_total"{"class=\"moderator\""}, "What was refused because the whole room was too busy, by what it was.";
    room_lost: Counter, "counter", "relay_room_records_lost_total", "Interactions and moderation acts that were not stored because the store was behind or failed.";
    analytics_lost: Counter, "counter", "relay_analytics_lost_total", "Events that were not stored because the store was behind or failed.";
}

impl Metrics {
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
    use super::*;

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
