//! Counters of each track. To Prometheus only the busiest are told by name: how many series there are does
//! not depend on what publishers do.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared::{moqt::TrackName, naming::Room};

use super::{
    Counter, Gauge, Latency, Metrics,
    text::{Page, Value},
};

/// Tracks that are told by name.
pub(crate) const MAX_NAMED: usize = 50;
/// What the others are told as.
const OTHER: &str = "other";
/// Letters of a name that are shown; tracks with the same ones are told as one.
const MAX_LETTERS: usize = 200;
/// What of how busy a track was counts from one look to the next.
const MEMORY: f64 = 0.9;
/// By how much a track has to be busier than one that has a name to take its place.
const HOLD: f64 = 1.5;

/// The counters of one track.
#[derive(Debug)]
pub(crate) struct TrackCounters {
    /// Its full name, shortened.
    pub(crate) label: String,
    /// The room that it is a part of.
    pub(crate) room: Option<Room>,
    /// The track's own name.
    pub(crate) name: String,
    pub(crate) objects_in: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) objects_out: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) skipped: Counter,
    pub(crate) viewers: Gauge,
    pub(crate) cache_bytes: Gauge,
    /// From when an object began to come to when it was handed to the last viewer's connection.
    pub(crate) fanout: Latency,
}

impl TrackCounters {
    pub(crate) fn new(track: &TrackName) -> Self {
        Self {
            label: shortened(&track.to_string()),
            room: Room::of(&track.namespace),
            name: shortened(&track.name.escape_ascii().to_string()),
            objects_in: Counter::default(),
            bytes_in: Counter::default(),
            objects_out: Counter::default(),
            bytes_out: Counter::default(),
            skipped: Counter::default(),
            viewers: Gauge::default(),
            cache_bytes: Gauge::default(),
            fanout: Latency::default(),
        }
    }

    /// What passed so far.
    pub(crate) fn totals(&self) -> Totals {
        Totals {
            objects_in: self.objects_in.value(),
            bytes_in: self.bytes_in.value(),
            objects_out: self.objects_out.value(),
            bytes_out: self.bytes_out.value(),
            skipped: self.skipped.value(),
        }
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(MAX_LETTERS).collect()
}

/// What passed through a track.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) objects_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) objects_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) skipped: u64,
}

impl Totals {
    /// What came after an earlier look.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            objects_in: self.objects_in.saturating_sub(before.objects_in),
            bytes_in: self.bytes_in.saturating_sub(before.bytes_in),
            objects_out: self.objects_out.saturating_sub(before.objects_out),
            bytes_out: self.bytes_out.saturating_sub(before.bytes_out),
            skipped: self.skipped.saturating_sub(before.skipped),
        }
    }

    pub(crate) fn add(&mut self, more: Self) {
        self.objects_in += more.objects_in;
        self.bytes_in += more.bytes_in;
        self.objects_out += more.objects_out;
        self.bytes_out += more.bytes_out;
        self.skipped += more.skipped;
    }
}

/// The tracks that there are now.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    next: u64,
    live: BTreeMap<u64, Arc<TrackCounters>>,
    ledger: Ledger,
}

/// A track's entry in the book. Dropping it takes the track out.
#[derive(Debug)]
pub(crate) struct Meter {
    id: u64,
    counters: Arc<TrackCounters>,
    metrics: Arc<Metrics>,
}

impl Meter {
    /// Enters a track.
    pub(crate) fn new(metrics: &Arc<Metrics>, track: &TrackName) -> Self {
        metrics.tracks.add(1);
        let counters = Arc::new(TrackCounters::new(track));
        let mut open = metrics.book.lock();
        let id = open.next;
        open.next += 1;
        open.live.insert(id, Arc::clone(&counters));
        open.ledger.enroll(&counters.label);
        drop(open);
        Self { id, counters, metrics: Arc::clone(metrics) }
    }

    /// The track's cache holds so many bytes now; gives how many it held before.
    pub(crate) fn hold(&self, bytes: usize) -> usize {
        let (before, now) = (self.cache_bytes.value(), bytes as u64);
        self.cache_bytes.set(now);
        self.metrics.cache_bytes.add(now.saturating_sub(before));
        self.metrics.cache_bytes.subtract(before.saturating_sub(now));
        usize::try_from(before).unwrap_or(usize::MAX)
    }

    /// The counters, to share.
    pub(crate) fn counters(&self) -> &Arc<TrackCounters> {
        &self.counters
    }
}

impl Deref for Meter {
    type Target = TrackCounters;
    fn deref(&self) -> &TrackCounters {
        &self.counters
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.hold(0);
        self.metrics.tracks.subtract(1);
        let mut open = self.metrics.book.lock();
        open.ledger.enter(self.id, &self.counters.label, self.counters.totals());
        open.ledger.seen.remove(&self.id);
        open.live.remove(&self.id);
    }
}

impl Book {
    /// The tracks that there are now, each with a number of its own.
    pub(crate) fn tracks(&self) -> Vec<(u64, Arc<TrackCounters>)> {
        self.lock().live.iter().map(|(id, track)| (*id, Arc::clone(track))).collect()
    }

    /// Chooses who has a name from now on, by what passed of late.
    pub(crate) fn settle(&self) {
        let mut open = self.lock();
        let Open { live, ledger, .. } = &mut *open;
        ledger.look(live.iter().map(|(id, track)| (*id, track.label.as_str(), track.totals())));
    }

    /// Adds all series to a page.
    pub(super) fn tell(&self, page: &mut Page) {
        self.settle();
        let (named, other) = {
            let open = self.lock();
            (open.ledger.named.clone(), open.ledger.other)
        };
        for (name, what, of) in SERIES {
            let help = format!(
                "{what} The {MAX_NAMED} busiest tracks are told by name, all others together as track=\"{OTHER}\"."
            );
            let rest = std::iter::once((OTHER, &other));
            for (label, totals) in named.iter().map(|(label, totals)| (label.as_str(), totals)).chain(rest) {
                page.add(name, &help, vec![("track", label.to_owned())], Value::Count(of(totals)));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A series: its name, its help, and what of a track it tells.
type Series = (&'static str, &'static str, fn(&Totals) -> u64);

/// The series that each track has.
const SERIES: [Series; 5] = [
    ("relay_track_received_objects_total", "Objects received of a track.", |totals| totals.objects_in),
    ("relay_track_received_bytes_total", "Payload bytes received of a track.", |totals| totals.bytes_in),
    ("relay_track_sent_objects_total", "Objects handed to viewers of a track.", |totals| totals.objects_out),
    ("relay_track_sent_bytes_total", "Payload bytes handed to viewers of a track.", |totals| {
        totals.bytes_out
    }),
    (
        "relay_track_skipped_objects_total",
        "Objects of a track let go for viewers that were behind.",
        |totals| totals.skipped,
    ),
];

/// Which series each track's objects are counted in. What passes while a track has a name is counted there,
/// what passes otherwise with the others: no series ever goes back.
#[derive(Debug, Default)]
struct Ledger {
    named: BTreeMap<String, Totals>,
    other: Totals,
    /// What was counted of each track.
    seen: BTreeMap<u64, Totals>,
    busy: BTreeMap<String, f64>,
}

impl Ledger {
    /// Gives a new track a name, where there is one to spare.
    fn enroll(&mut self, label: &str) {
        if self.named.len() < MAX_NAMED && label != OTHER {
            self.named.entry(label.to_owned()).or_default();
        }
    }

    /// Counts what passed through a track since the last time.
    fn enter(&mut self, id: u64, label: &str, totals: Totals) -> Totals {
        let before = self.seen.insert(id, totals).unwrap_or_default();
        let new = totals.since(before);
        match self.named.get_mut(label).filter(|_| label != OTHER) {
            Some(named) => named.add(new),
            None => self.other.add(new),
        }
        new
    }

    /// Counts what passed through all tracks that there are, and chooses who has a name from now on.
    fn look<'a>(&mut self, live: impl Iterator<Item = (u64, &'a str, Totals)>) {
        let mut there = BTreeSet::new();
        self.busy.values_mut().for_each(|busy| *busy *= MEMORY);
        for (id, label, totals) in live {
            let new = self.enter(id, label, totals);
            if label != OTHER {
                *self.busy.entry(label.to_owned()).or_default() += (new.objects_in + new.objects_out) as f64;
                there.insert(label);
            }
        }
        self.busy.retain(|label, _| there.contains(label.as_str()));
        let mut ranks: Vec<(f64, &String)> = self
            .busy
            .iter()
            .map(|(label, busy)| (busy * if self.named.contains_key(label) { HOLD } else { 1.0 }, label))
            .collect();
        ranks.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
        let named = ranks.into_iter().take(MAX_NAMED);
        self.named = named
            .map(|(_, label)| (label.clone(), self.named.get(label).copied().unwrap_or_default()))
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(objects: u64) -> Totals {
        Totals { objects_in: objects, bytes_in: objects * 10, ..Totals::default() }
    }

    #[test]
    fn the_busiest_have_names_and_nothing_is_counted_twice() {
        let labels: Vec<String> = (0..200).map(|n| format!("room/{n}/stage/video")).collect();
        let mut ledger = Ledger::default();
        let mut passed = vec![0; labels.len()];
        let mut before = Totals::default();
        for second in 0..50_usize {
            // The busy ones change in time.
            for (n, passed) in passed.iter_mut().enumerate() {
                *passed += if n / 60 == second / 20 { 30 } else { 1 };
            }
            ledger.look(
                labels
                    .iter()
                    .zip(&passed)
                    .enumerate()
                    .map(|(n, (label, passed))| (n as u64, label.as_str(), totals(*passed))),
            );
            assert_eq!(ledger.named.len(), MAX_NAMED);
            assert!(ledger.other.objects_in >= before.objects_in, "the sum of the others never goes back");
            before = ledger.other;
        }
        assert!(
            ledger.named.keys().all(|label| (120..180).contains(&number(label))),
            "{:?}",
            ledger.named.keys()
        );
        ledger.look(std::iter::empty());
        assert_eq!((ledger.named.len(), ledger.busy.len()), (0, 0));
    }

    fn number(label: &str) -> u64 {
        label.split('/').nth(1).and_then(|n| n.parse().ok()).expect("a number")
    }

    #[test]
    fn a_track_of_the_name_of_the_others_is_one_of_them() {
        let mut ledger = Ledger::default();
        ledger.look([(0, OTHER, totals(3)), (1, "room/a", totals(1)), (2, "room/a", totals(1))].into_iter());
        ledger.look([(0, OTHER, totals(4)), (1, "room/a", totals(2)), (2, "room/a", totals(5))].into_iter());
        assert_eq!(ledger.named, BTreeMap::from([("room/a".to_owned(), totals(5))]));
        assert_eq!(ledger.other, totals(6), "what passed before it had a name included");
    }
}
