//! A bad network between two ends in this process: seeded, on tokio's clock, the same way for the same seed.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

use super::{STREAM_BYTES, locked};

/// Of a thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerMille(pub u16);

/// What one direction of a network does to what is sent. Time is tokio's, so that tests can stop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// What everything takes.
    pub delay: Duration,
    /// What each thing may take longer: streams and datagrams overtake each other, bytes of one stream
    /// never do.
    pub jitter: Duration,
    /// Datagrams that are lost.
    pub datagram_loss: PerMille,
    /// Pieces of a stream that come late, as after a lost packet: only that stream waits.
    pub late: PerMille,
    /// How late.
    pub late_by: Duration,
    /// Sent things after which the whole direction stands still.
    pub stall: PerMille,
    /// For how long.
    pub stall_for: Duration,
    /// Pieces of a stream in whose place both ends see it reset and stopped with [`BROKEN`].
    pub reset: PerMille,
    /// Writes that are cut into pieces anywhere.
    pub cut: PerMille,
    /// Bytes of one stream that may be under way or wait to be read; writers wait beyond it.
    pub window: usize,
}

/// Code of streams that [`Weather::reset`] broke.
pub const BROKEN: u64 = 0x5bad;

impl Default for Weather {
    /// Nothing bad: all arrives at once.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            datagram_loss: PerMille(0),
            late: PerMille(0),
            late_by: Duration::ZERO,
            stall: PerMille(0),
            stall_for: Duration::ZERO,
            reset: PerMille(0),
            cut: PerMille(0),
            window: STREAM_BYTES,
        }
    }
}

/// When something is there: at once, or at a time of tokio's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At(Option<Instant>);

impl At {
    /// At once.
    pub(super) const ONCE: Self = Self(None);

    pub(super) fn from(time: Instant) -> Self {
        Self(Some(time))
    }

    pub(super) fn time(self) -> Option<Instant> {
        self.0
    }

    pub(super) fn is_reached(self) -> bool {
        self.0.is_none_or(|at| at <= Instant::now())
    }

    pub(super) async fn reached(self) {
        if let Some(at) = self.0 {
            // Boxed, since few wait at all and those who may are many.
            Box::pin(tokio::time::sleep_until(at)).await;
        }
    }
}

/// One direction between two ends. Without weather it is perfect and needs no clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Path(Option<Arc<(Weather, Mutex<Luck>)>>);

#[derive(Debug)]
struct Luck {
    state: u64,
    stands_until: Option<Instant>,
}

impl Path {
    pub(super) fn new(weather: Weather, seed: u64) -> Self {
        Self(Some(Arc::new((weather, Mutex::new(Luck { state: seed, stands_until: None })))))
    }

    /// When what is sent now is there.
    pub(super) fn arrival(&self) -> At {
        self.arrival_of(PerMille(0))
    }

    /// The same for a piece of a stream.
    pub(super) fn arrival_of_piece(&self) -> At {
        self.arrival_of(self.0.as_deref().map_or(PerMille(0), |(weather, _)| weather.late))
    }

    fn arrival_of(&self, late: PerMille) -> At {
        let Some((weather, luck)) = self.0.as_deref() else { return At::ONCE };
        let mut luck = locked(luck);
        let now = Instant::now();
        if luck.hits(weather.stall) {
            luck.stands_until = luck.stands_until.max(Some(now + weather.stall_for));
        }
        let leaves = luck.stands_until.map_or(now, |until| until.max(now));
        let jitter = luck.below(weather.jitter.as_micros() as u64 + 1);
        let late = if luck.hits(late) { weather.late_by } else { Duration::ZERO };
        At(Some(leaves + weather.delay + Duration::from_micros(jitter) + late))
    }

    pub(super) fn loses_datagram(&self) -> bool {
        self.hits(|weather| weather.datagram_loss)
    }

    pub(super) fn breaks_stream(&self) -> bool {
        self.hits(|weather| weather.reset)
    }

    /// How much of so many bytes travels as one piece.
    pub(super) fn piece(&self, bytes: usize) -> usize {
        match self.0.as_deref() {
            Some((weather, luck)) if bytes > 1 => {
                let mut luck = locked(luck);
                if luck.hits(weather.cut) { 1 + luck.below(bytes as u64 - 1) as usize } else { bytes }
            }
            _ => bytes,
        }
    }

    pub(super) fn window(&self) -> usize {
        self.0.as_deref().map_or(STREAM_BYTES, |(weather, _)| weather.window)
    }

    fn hits(&self, chance: impl FnOnce(&Weather) -> PerMille) -> bool {
        self.0.as_deref().is_some_and(|(weather, luck)| locked(luck).hits(chance(weather)))
    }
}

impl Luck {
    fn hits(&mut self, PerMille(chance): PerMille) -> bool {
        chance > 0 && self.below(1000) < u64::from(chance)
    }

    /// Evenly below `end`, as far as that matters here.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
