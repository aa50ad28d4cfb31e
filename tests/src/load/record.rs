//! What arrived, when, and how late. Pure.

use std::ops::Range;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::{shape::Shape, stamp::Stamp};

/// Longer latencies count as this one, in nanoseconds.
const LONGEST: u64 = 120_000_000_000;

/// What subscribers got.
#[derive(Debug)]
pub(super) struct Record {
    /// Objects that were sent within it are those that count, in nanoseconds of the shared clock.
    pub(super) window: Range<u64>,
    kinds: Vec<(&'static str, Histogram<u64>)>,
    kind_of: Vec<usize>,
    /// For each track the numbers of objects of the window: the first and the last that anybody got.
    seen: Vec<Option<(u64, u64)>>,
    /// For each track how many were to be sent in the window, where this program publishes.
    pub(super) published: Vec<u64>,
    /// Objects of the window that each subscriber got.
    got: Vec<u64>,
    /// Objects and payload bytes that arrived within the window, whenever they were sent, visitors' too.
    pub(super) arrived: u64,
    pub(super) arrived_bytes: u64,
    /// From the request of a visitor to its first object.
    pub(super) first: Histogram<u64>,
    /// Payloads that were not of this load.
    pub(super) foreign: u64,
    /// Bytes of these in the measured time.
    pub(super) foreign_bytes: u64,
}

/// Who got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    /// One of those who are measured.
    Subscriber(usize),
    /// One who comes and goes, and asked for its first object at this time, where it still waits.
    Visitor(Option<u64>),
    /// One whose link is bad.
    Troubled,
}

impl Record {
    pub(super) fn new(shape: &Shape, subscribers: usize) -> Self {
        let mut kinds: Vec<(&'static str, Histogram<u64>)> = Vec::new();
        let kind_of = shape.tracks.iter().map(|track| {
            kinds.iter().position(|(kind, _)| *kind == track.kind).unwrap_or_else(|| {
                kinds.push((track.kind, latencies()));
                kinds.len() - 1
            })
        });
        Self {
            kind_of: kind_of.collect(),
            kinds,
            window: u64::MAX..u64::MAX,
            seen: vec![None; shape.tracks.len()],
            published: vec![0; shape.tracks.len()],
            got: vec![0; subscribers],
            arrived: 0,
            arrived_bytes: 0,
            first: latencies(),
            foreign: 0,
            foreign_bytes: 0,
        }
    }

    /// An object's last byte was read at `now`.
    pub(super) fn object(&mut self, listener: Listener, payload: &[u8], now: u64) {
        let Some(stamp) = Stamp::of(payload).filter(|stamp| (stamp.track as usize) < self.seen.len()) else {
            self.foreign += 1;
            if self.window.contains(&now) {
                self.foreign_bytes += payload.len() as u64;
            }
            return;
        };
        if self.window.contains(&now) && listener != Listener::Troubled {
            self.arrived += 1;
            self.arrived_bytes += payload.len() as u64;
        }
        match listener {
            Listener::Subscriber(index) if self.window.contains(&stamp.sent) => {
                let track = stamp.track as usize;
                let number = stamp.number;
                let seen = self.seen[track].get_or_insert((number, number));
                *seen = (seen.0.min(number), seen.1.max(number));
                self.got[index] += 1;
                self.kinds[self.kind_of[track]].1.saturating_record(now.saturating_sub(stamp.sent));
            }
            Listener::Visitor(Some(asked)) => self.first.saturating_record(now.saturating_sub(asked)),
            Listener::Subscriber(_) | Listener::Visitor(None) | Listener::Troubled => {}
        }
    }

    /// Objects that subscriber `index` was to get.
    fn expected(&self, shape: &Shape, index: usize) -> u64 {
        let of = |track: usize| {
            let span = self.seen[track].map_or(0, |(first, last)| last - first + 1);
            self.published[track].max(span)
        };
        shape.tracks_of(index).into_iter().map(of).sum()
    }

    /// Objects that are still to come, of all that were to come.
    pub(super) fn missing(&self, shape: &Shape) -> (u64, u64) {
        let mut sums = (0, 0);
        for (index, got) in self.got.iter().enumerate() {
            let expected = self.expected(shape, index);
            sums = (sums.0 + expected.saturating_sub(*got), sums.1 + expected);
        }
        sums
    }

    /// Latencies of all kinds together and of each, in milliseconds.
    pub(super) fn latencies(&self) -> Value {
        let mut all = latencies();
        let mut kinds = serde_json::Map::new();
        for (kind, histogram) in &self.kinds {
            // They have the same bounds.
            let _ = all.add(histogram);
            kinds.insert((*kind).to_owned(), percentiles(histogram));
        }
        json!({ "all": percentiles(&all), "kinds": kinds })
    }
}

fn latencies() -> Histogram<u64> {
    // The bounds are constants that it takes.
    Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds of a histogram")
}

/// In milliseconds.
pub(super) fn percentiles(histogram: &Histogram<u64>) -> Value {
    let at = |share: f64| histogram.value_at_quantile(share) as f64 / 1e6;
    json!({
        "count": histogram.len(), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99),
        "max": histogram.max() as f64 / 1e6,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_got_and_another_did_not_is_missing() {
        let shape = Shape::named("video").unwrap();
        let mut record = Record::new(&shape, 2);
        record.window = 100..200;
        let payload = |number, sent| Stamp { track: 0, number, sent }.payload(50);
        for number in 5..8 {
            record.object(Listener::Subscriber(0), &payload(number, 150), 160);
        }
        record.object(Listener::Subscriber(1), &payload(5, 150), 250);
        record.object(Listener::Subscriber(1), &payload(4, 99), 160);
        record.object(Listener::Troubled, &payload(6, 150), 160);
        record.object(Listener::Subscriber(0), b"something else", 160);
        assert_eq!(record.missing(&shape), (2, 6));
        assert_eq!((record.arrived, record.arrived_bytes, record.foreign), (4, 200, 1));
        record.published[0] = 10;
        assert_eq!(record.missing(&shape), (16, 20));
    }

    #[test]
    fn a_visitor_is_counted_until_its_first_object() {
        let shape = Shape::named("video").unwrap();
        let mut record = Record::new(&shape, 0);
        let payload = Stamp { track: 0, number: 0, sent: 3_000_000 }.payload(50);
        record.object(Listener::Visitor(Some(1_000_000)), &payload, 5_000_000);
        record.object(Listener::Visitor(None), &payload, 5_000_000);
        assert_eq!(record.first.len(), 1);
        assert!((3_990_000..4_010_000).contains(&record.first.max()));
    }
}
