//! What changed over the last seconds.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Traffic, millis};
use crate::{
    metrics::{Spread, Totals, TrackCounters},
    process::Usage,
};

/// Moments that are kept: two minutes.
const MOMENTS: usize = 121;
/// Moments between which the CPU for each object is told: a minute.
const MINUTE: usize = 60;
/// Moments between which rates are told.
const RATE: usize = 5;
/// Moments between which it is warned of.
pub(super) const RECENT: usize = 10;
/// For how long at least durations are gathered that a quantile is told of.
const GATHER: Duration = Duration::from_secs(10);

/// One look.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    pub(super) at: Instant,
    pub(super) usage: Usage,
    pub(super) totals: Totals,
    pub(super) analytics_lost: u64,
    pub(super) refused: u64,
    pub(super) handshakes_started: u64,
    pub(super) handshakes_failed: u64,
    pub(super) datagrams_dropped: u64,
}

/// The last looks.
#[derive(Debug, Default)]
pub(super) struct Window {
    moments: VecDeque<Moment>,
    tracks: BTreeMap<u64, Track>,
    fanout: Gathered,
}

#[derive(Debug)]
struct Track {
    counters: Arc<TrackCounters>,
    recent: VecDeque<(Instant, Totals)>,
    fanout: Gathered,
}

/// Durations of the last while: since `old`, which `middle` takes the place of every [`GATHER`].
#[derive(Debug, Default)]
struct Gathered {
    old: Option<Spread>,
    middle: Option<(Instant, Spread)>,
    now: Option<Spread>,
}

impl Gathered {
    fn take(&mut self, now: Instant, look: Spread) {
        match &mut self.middle {
            None => {
                self.old = Some(look.clone());
                self.middle = Some((now, look.clone()));
            }
            Some((at, middle)) if now.saturating_duration_since(*at) >= GATHER => {
                self.old = Some(std::mem::replace(middle, look.clone()));
                *at = now;
            }
            Some(_) => {}
        }
        self.now = Some(look);
    }

    fn quantile(&self, part: f64) -> Option<f64> {
        self.now.as_ref()?.since(self.old.as_ref()?).quantile(part).map(millis)
    }
}

impl Window {
    /// Takes a look; tracks that are not among these are forgotten.
    pub(super) fn take(&mut self, moment: Moment, tracks: Vec<(u64, Arc<TrackCounters>)>, fanout: Spread) {
        let at = moment.at;
        self.moments.push_back(moment);
        if self.moments.len() > MOMENTS {
            self.moments.pop_front();
        }
        self.fanout.take(at, fanout);
        let mut before = std::mem::take(&mut self.tracks);
        for (id, counters) in tracks {
            let (totals, look) = (counters.totals(), counters.fanout.look());
            let mut track = before.remove(&id).unwrap_or_else(|| Track {
                counters,
                recent: VecDeque::new(),
                fanout: Gathered::default(),
            });
            track.recent.push_back((at, totals));
            if track.recent.len() > RECENT + 1 {
                track.recent.pop_front();
            }
            track.fanout.take(at, look);
            self.tracks.insert(id, track);
        }
    }

    /// The newest moment and the one so many before it, or the oldest.
    pub(super) fn span(&self, moments: usize) -> Option<(&Moment, &Moment)> {
        Some((ago(&self.moments, moments)?, self.moments.back()?))
    }

    /// What passes through the whole relay.
    pub(super) fn traffic(&self) -> Traffic {
        let mut traffic = self.span(RATE).map(|(one, next)| traffic_between(one, next)).unwrap_or_default();
        let recent = self.span(RECENT).map(|(one, next)| next.totals.since(one.totals));
        traffic.skipped = recent.unwrap_or_default().skipped;
        traffic.fanout_p50_ms = self.fanout.quantile(0.5);
        traffic.fanout_p99_ms = self.fanout.quantile(0.99);
        traffic
    }

    /// The tracks, and what passes through each.
    pub(super) fn tracks(&self) -> impl Iterator<Item = (&TrackCounters, Traffic)> {
        self.tracks.values().map(|track| {
            let mut traffic = Traffic::default();
            if let (Some(one), Some(next)) = (ago(&track.recent, RATE), track.recent.back()) {
                traffic = rate(next.1.since(one.1), next.0.saturating_duration_since(one.0));
            }
            traffic.skipped = track.since_recent().skipped;
            traffic.fanout_p50_ms = track.fanout.quantile(0.5);
            traffic.fanout_p99_ms = track.fanout.quantile(0.99);
            (&*track.counters, traffic)
        })
    }

    /// The tracks, what passed through each of late, and whether it was there all that time.
    pub(super) fn recent(&self) -> impl Iterator<Item = (&TrackCounters, Totals, bool)> {
        self.tracks
            .values()
            .map(|track| (&*track.counters, track.since_recent(), track.recent.len() > RECENT))
    }

    /// CPU in hundredths of one core.
    pub(super) fn cpu_percent(&self) -> Option<f64> {
        let (one, next) = self.span(RATE)?;
        cpu_between(one, next)
    }

    /// CPU seconds for each object that was handed to a viewer, over the last minute.
    pub(super) fn cpu_per_object(&self) -> Option<f64> {
        let (one, next) = self.span(MINUTE)?;
        let objects = next.totals.objects_out.saturating_sub(one.totals.objects_out);
        let cpu = next.usage.cpu?.saturating_sub(one.usage.cpu?);
        (objects > 0).then(|| cpu.as_secs_f64() / objects as f64)
    }

    /// Resident memory in bytes.
    pub(super) fn memory(&self) -> Option<u64> {
        self.moments.back()?.usage.memory
    }

    /// A value for each moment but the first.
    pub(super) fn history<T>(&self, of: impl Fn(&Moment, &Moment) -> T) -> Vec<T> {
        self.moments.iter().zip(self.moments.iter().skip(1)).map(|(one, next)| of(one, next)).collect()
    }
}

impl Track {
    fn since_recent(&self) -> Totals {
        match (self.recent.front(), self.recent.back()) {
            (Some((_, one)), Some((_, next))) => next.since(*one),
            _ => Totals::default(),
        }
    }
}

fn ago<T>(all: &VecDeque<T>, number: usize) -> Option<&T> {
    all.get(all.len().saturating_sub(number + 1))
}

/// What passed in a second between two moments.
pub(super) fn traffic_between(one: &Moment, next: &Moment) -> Traffic {
    rate(next.totals.since(one.totals), next.at.saturating_duration_since(one.at))
}

/// CPU between two moments, in hundredths of one core.
pub(super) fn cpu_between(one: &Moment, next: &Moment) -> Option<f64> {
    let time = next.at.saturating_duration_since(one.at).as_secs_f64();
    let cpu = next.usage.cpu?.saturating_sub(one.usage.cpu?);
    (time > 0.0).then(|| round(cpu.as_secs_f64() / time * 100.0))
}

fn rate(totals: Totals, time: Duration) -> Traffic {
    let seconds = time.as_secs_f64();
    if seconds <= 0.0 {
        return Traffic::default();
    }
    Traffic {
        objects_in: round(totals.objects_in as f64 / seconds),
        objects_out: round(totals.objects_out as f64 / seconds),
        mbit_in: round(totals.bytes_in as f64 * 8e-6 / seconds),
        mbit_out: round(totals.bytes_out as f64 * 8e-6 / seconds),
        ..Traffic::default()
    }
}

/// To thousandths: nobody reads more.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
pub(super) mod tests {
    use shared::moqt::{Namespace, TrackName};

    use super::*;

    pub(in super::super) fn moment(at: Instant) -> Moment {
        Moment {
            at,
            usage: Usage::default(),
            totals: Totals::default(),
            analytics_lost: 0,
            refused: 0,
            handshakes_started: 0,
            handshakes_failed: 0,
            datagrams_dropped: 0,
        }
    }

    pub(in super::super) fn track(room: &str) -> Arc<TrackCounters> {
        let namespace = Namespace::new(["room", room, "stage"].map(str::to_owned));
        Arc::new(TrackCounters::new(&TrackName { namespace, name: "video".into() }))
    }

    #[test]
    fn rates_are_of_the_last_seconds_and_the_past_is_bounded() {
        let (start, track) = (Instant::now(), track("demo"));
        let mut window = Window::default();
        for second in 0..300_u32 {
            track.objects_out.add(60);
            track.bytes_out.add(60 * 12_500);
            track.fanout.observe(Duration::from_millis(if second < 200 { 50 } else { 2 }));
            let mut moment = moment(start + Duration::from_secs(1) * second);
            moment.totals = track.totals();
            moment.usage.cpu = Some(Duration::from_millis(6) * second);
            window.take(moment, vec![(7, Arc::clone(&track))], track.fanout.look());
        }
        let (_, traffic) = window.tracks().next().expect("a track");
        assert_eq!((traffic.objects_out, traffic.mbit_out), (60.0, 6.0));
        assert!(traffic.fanout_p99_ms.is_some_and(|p99| p99 < 3.0), "{traffic:?}");
        assert_eq!(window.traffic(), traffic);
        assert_eq!(window.cpu_percent(), Some(0.6));
        assert!(window.cpu_per_object().is_some_and(|cpu| (cpu - 0.0001).abs() < 1e-9));
        assert_eq!(window.history(|_, _| ()).len(), MOMENTS - 1);
        window.take(moment(start + Duration::from_secs(300)), Vec::new(), track.fanout.look());
        assert_eq!(window.tracks().count(), 0);
    }
}
