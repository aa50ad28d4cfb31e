//! One direction of a bad network, without sockets or a clock.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

/// Packets on their way; more are dropped and counted as overflow.
const MAX_PACKETS: usize = 65_536;

/// What a direction does to packets. The default does nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// What every packet takes.
    pub delay: Duration,
    /// At most so much is added at random, evenly; packets keep their order all the same.
    pub jitter: Duration,
    /// Share of packets that is lost at random, from 0 to 1.
    pub loss: f64,
    /// Bits in a second; `None` is without limit.
    pub rate: Option<u64>,
    /// Bytes that may wait for the rate; a packet that finds no room is dropped.
    pub queue: usize,
    /// Decides which packets are lost and how long each is delayed.
    pub seed: u64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            rate: None,
            queue: 64 * 1024,
            seed: 0,
        }
    }
}

/// What happened to the packets of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounters {
    /// Packets handed over.
    pub forwarded: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets lost at random.
    pub lost: u64,
    /// Packets that found the queue full.
    pub overflowed: u64,
}

/// One direction: packets go in, and come out when they are due.
#[derive(Debug)]
pub(super) struct Line<To> {
    conditions: Conditions,
    chance: Chance,
    /// When the last packet has left the queue.
    free_at: Option<Instant>,
    under_way: VecDeque<(Instant, To, Bytes)>,
    counters: LinkCounters,
}

impl<To> Line<To> {
    pub(super) fn new(conditions: Conditions) -> Self {
        let counters = LinkCounters::default();
        Self {
            conditions,
            chance: Chance(conditions.seed),
            free_at: None,
            under_way: VecDeque::new(),
            counters,
        }
    }

    pub(super) fn set(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    pub(super) fn counters(&self) -> LinkCounters {
        self.counters
    }

    /// Counts a packet that was dropped before it came here.
    pub(super) fn overflow(&mut self) {
        self.counters.overflowed += 1;
    }

    pub(super) fn push(&mut self, now: Instant, to: To, packet: Bytes) {
        // Both are drawn for every packet, so that one setting does not shift the other's fate.
        let (fate, wobble) = (self.chance.share(), self.chance.share());
        if fate < self.conditions.loss {
            self.counters.lost += 1;
            return;
        }
        let free_at = self.free_at.map_or(now, |free_at| free_at.max(now));
        let sent_at = match self.conditions.rate {
            Some(rate) => {
                let rate = rate.max(1) as f64;
                let waiting = (free_at - now).as_secs_f64() * rate / 8.0;
                if waiting + packet.len() as f64 > self.conditions.queue as f64 {
                    return self.overflow();
                }
                free_at + Duration::from_secs_f64(packet.len() as f64 * 8.0 / rate)
            }
            None => now,
        };
        if self.under_way.len() >= MAX_PACKETS {
            return self.overflow();
        }
        self.free_at = Some(sent_at);
        let due = sent_at + self.conditions.delay + self.conditions.jitter.mul_f64(wobble);
        let due = self.under_way.back().map_or(due, |(last, ..)| due.max(*last));
        self.under_way.push_back((due, to, packet));
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<(To, Bytes)> {
        if self.deadline()? > now {
            return None;
        }
        let (_, to, packet) = self.under_way.pop_front()?;
        self.counters.forwarded += 1;
        self.counters.bytes += packet.len() as u64;
        Some((to, packet))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.under_way.front().map(|(due, ..)| *due)
    }
}

/// A small generator of even numbers between 0 and 1 (SplitMix64): the same from the same seed.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn packet(bytes: usize) -> Bytes {
        Bytes::from(vec![0; bytes])
    }

    /// When each of the packets that went in together comes out.
    fn arrivals(line: &mut Line<usize>, start: Instant) -> Vec<(usize, Duration)> {
        let mut all = Vec::new();
        while let Some(due) = line.deadline() {
            while let Some((index, _)) = line.pop(due) {
                all.push((index, due - start));
            }
        }
        all
    }

    #[test]
    fn a_rate_spaces_packets_and_a_full_queue_drops_the_last() {
        let start = Instant::now();
        let conditions =
            Conditions { delay: 10 * MS, rate: Some(8_000_000), queue: 3_000, ..Conditions::default() };
        let mut line = Line::new(conditions);
        (0..5).for_each(|index| line.push(start, index, packet(1_000)));
        assert_eq!(line.pop(start + 10 * MS), None);
        // A megabyte a second is a millisecond for each; three fit.
        assert_eq!(arrivals(&mut line, start), [(0, 11 * MS), (1, 12 * MS), (2, 13 * MS)]);
        let expected = LinkCounters { forwarded: 3, bytes: 3_000, lost: 0, overflowed: 2 };
        assert_eq!(line.counters(), expected);

        // Idle time is not saved up.
        line.push(start + 100 * MS, 9, packet(1_000));
        assert_eq!(arrivals(&mut line, start), [(9, 111 * MS)]);
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed_and_keeps_order() {
        let start = Instant::now();
        let conditions = Conditions { delay: 20 * MS, jitter: 10 * MS, loss: 0.1, ..Conditions::default() };
        let run = |seed| {
            let mut line = Line::new(Conditions { seed, ..conditions });
            (0..2_000).for_each(|index| line.push(start + MS * index as u32, index, packet(10)));
            (arrivals(&mut line, start), line.counters().lost)
        };
        let (first, lost) = run(7);
        assert_eq!((&first, lost), (&run(7).0, run(7).1));
        assert_ne!(first, run(8).0);
        assert!((140..260).contains(&lost), "{lost}");
        assert!(first.is_sorted_by_key(|(index, _)| *index) && first.is_sorted_by_key(|(_, due)| *due));
        let taken = |(index, due): &(usize, Duration)| *due - MS * *index as u32;
        assert!(first.iter().all(|arrival| (20 * MS..=30 * MS).contains(&taken(arrival))));
        assert!(first.iter().any(|arrival| taken(arrival) > 28 * MS));
    }

    #[test]
    fn a_change_is_for_what_comes_after() {
        let start = Instant::now();
        let mut line = Line::new(Conditions { delay: 5 * MS, ..Conditions::default() });
        line.push(start, 0, packet(1));
        line.set(Conditions { loss: 1.0, ..Conditions::default() });
        line.push(start, 1, packet(1));
        assert_eq!(arrivals(&mut line, start), [(0, 5 * MS)]);
        assert_eq!(line.counters().lost, 1);
    }
}
