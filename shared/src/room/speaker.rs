//! What one viewer says: numbered, sent until it is answered, in order. Pure.
//!
//! Chat and all that changes something goes one at a time: the next leaves once the room has answered the
//! one before, so that it takes them in the order in which they were said. Bullets and reactions overlap.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    MessageId, Refusal, Reply, Say, SayId, Saying,
    reactions::{MAX_TAPS, Reaction, Taps},
};

/// Sayings that may wait, those in order and the others counted each for themselves.
pub const MAX_WAITING: usize = 64;
/// Taps on one reaction that may wait to be sent.
pub const MAX_WAITING_TAPS: u32 = 10_000;
/// After so long without an answer a saying is given up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Bullets and reactions that may be without an answer at a time.
const WINDOW: usize = 16;
/// Outcomes that wait for [`Speaker::outcome`]; past it the oldest is forgotten.
const MAX_OUTCOMES: usize = 4 * MAX_WAITING;
/// Time from one batch of reactions to the next: five a second.
const BETWEEN_TAPS: Duration = Duration::from_millis(200);
/// An answer is waited for so long at first, while no round trip was measured.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Bounds of the wait that measured round trips give, and of its doubling.
const LEAST_WAIT: Duration = Duration::from_millis(50);
const MOST_WAIT: Duration = Duration::from_secs(2);
/// Numbers fit into the integers that JavaScript counts exactly.
const NUMBERS: u64 = 1 << 53;

/// Nothing more is taken for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too much waits to be said already: wait until the room has answered")]
pub struct Full;

/// An object for the track `say`, to be sent now: as a datagram where it fits, else on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// What it says.
    pub id: SayId,
    /// The object's payload.
    pub payload: Bytes,
}

/// What became of a saying. Each that was taken has one outcome.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The room applied it.
    Accepted {
        /// Which.
        id: SayId,
        /// What was said.
        say: Say,
        /// The message that it became, for chat and danmaku.
        message: Option<MessageId>,
    },
    /// The room did not apply it.
    Refused {
        /// Which.
        id: SayId,
        /// What was said, so that the text is not lost.
        say: Say,
        /// Why.
        why: Refusal,
    },
    /// No answer came in [`PATIENCE`]: whether the room applied it is not known.
    GivenUp {
        /// Which.
        id: SayId,
        /// What was said, so that the text is not lost.
        say: Say,
    },
}

impl Outcome {
    /// Which saying it is of.
    pub fn id(&self) -> SayId {
        match self {
            Self::Accepted { id, .. } | Self::Refused { id, .. } | Self::GivenUp { id, .. } => *id,
        }
    }
}

/// How much was sent and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Objects sent, repetitions included.
    pub sent: u64,
    /// Repetitions among them.
    pub repeated: u64,
    /// Sayings that were given up.
    pub given_up: u64,
    /// Sayings and taps that were not taken since too many waited.
    pub full: u64,
    /// Outcomes that nobody asked for in time.
    pub forgotten: u64,
}

/// One viewer's voice.
#[derive(Debug)]
pub struct Speaker {
    next_id: u64,
    link: Link,
    /// In the order in which they were said; only the first is under way.
    ordered: VecDeque<Pending>,
    /// The first [`WINDOW`] of them are under way.
    free: VecDeque<Pending>,
    taps: BTreeMap<Reaction, Batch>,
    /// The next batch of reactions does not leave before.
    next_taps: Option<Instant>,
    outcomes: VecDeque<Outcome>,
    trip: Trip,
    stats: Stats,
}

/// Whether what is sent can arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Up,
    Down,
}

/// A saying without an answer.
#[derive(Debug)]
struct Pending {
    id: SayId,
    say: Say,
    payload: Bytes,
    said: Instant,
    /// When it was sent last, and when it is sent again; `None` where it was not sent on this connection.
    sent: Option<(Instant, Instant)>,
    wait: Duration,
    times: u32,
}

/// Taps that were not sent yet.
#[derive(Debug)]
struct Batch {
    id: SayId,
    count: u32,
    since: Instant,
}

impl Speaker {
    /// A voice on a connection that is up. `first` is the number of its first saying, the next ones count
    /// on from there: a random one of 53 bits, so that no run of a viewer repeats one of another.
    pub fn new(first: SayId) -> Self {
        Self {
            next_id: first.0 % NUMBERS,
            link: Link::Up,
            ordered: VecDeque::new(),
            free: VecDeque::new(),
            taps: BTreeMap::new(),
            next_taps: None,
            outcomes: VecDeque::new(),
            trip: Trip::default(),
            stats: Stats::default(),
        }
    }

    /// Takes something to be said. Taps on a reaction join those that wait, and get their number.
    ///
    /// # Errors
    /// [`Full`] where too much waits: nothing was taken.
    pub fn say(&mut self, now: Instant, say: Say) -> Result<SayId, Full> {
        let queue = match &say {
            Say::React(taps) => return self.tap(now, *taps),
            Say::Danmaku(_) => &self.free,
            _ => &self.ordered,
        };
        if queue.len() >= MAX_WAITING {
            self.stats.full += 1;
            return Err(Full);
        }
        let is_free = matches!(say, Say::Danmaku(_));
        let id = self.new_id();
        let pending = Pending::new(id, say, now);
        if is_free {
            self.free.push_back(pending)
        } else {
            self.ordered.push_back(pending)
        }
        Ok(id)
    }

    /// The next object to be sent now, or again. `None` while the connection is down.
    pub fn poll(&mut self, now: Instant) -> Option<Transmit> {
        self.expire(now);
        if self.link == Link::Down {
            return None;
        }
        self.send_taps(now);
        let wait = self.trip.wait();
        let under_way = self.ordered.iter_mut().take(1).chain(self.free.iter_mut().take(WINDOW));
        let due = under_way.into_iter().find(|pending| pending.is_due(now))?;
        self.stats.sent += 1;
        self.stats.repeated += u64::from(due.times > 0);
        Some(due.send(now, wait))
    }

    /// Takes an answer of the room. One that is not about anything under way changes nothing.
    pub fn heard(&mut self, now: Instant, reply: &Reply) {
        let id = match reply {
            Reply::Accepted { id, .. } | Reply::Refused { id: Some(id), .. } => *id,
            Reply::You(_) | Reply::Refused { id: None, .. } => return,
        };
        let Some(pending) = self.take(id) else { return };
        // Of one that was sent again it is not known which sending was answered.
        if let (Some((at, _)), 1) = (pending.sent, pending.times) {
            self.trip.measured(now.saturating_duration_since(at));
        }
        let say = pending.say;
        self.tell(match reply {
            Reply::Refused { why, .. } => Outcome::Refused { id, say, why: why.clone() },
            Reply::Accepted { message, .. } => Outcome::Accepted { id, say, message: *message },
            Reply::You(_) => return,
        });
    }

    /// What became of a saying, in the order in which that was known.
    pub fn outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// When [`poll`](Self::poll) has something to do again, if nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        let over = self.ordered.iter().chain(&self.free).map(|pending| pending.said + PATIENCE);
        let over = over.chain(self.taps.values().map(|batch| batch.since + PATIENCE)).min();
        if self.link == Link::Down {
            return over;
        }
        let under_way = self.ordered.iter().take(1).chain(self.free.iter().take(WINDOW));
        let due = under_way.map(|pending| pending.sent.map_or(pending.said, |(_, again)| again)).min();
        let taps = match self.free.len() < WINDOW {
            true => {
                let since = self.taps.values().map(|batch| batch.since).min();
                since.map(|since| self.next_taps.map_or(since, |next| next.max(since)))
            }
            false => None,
        };
        [over, due, taps].into_iter().flatten().min()
    }

    /// The connection is gone: nothing is sent until [`reconnected`](Self::reconnected).
    pub fn disconnected(&mut self) {
        self.link = Link::Down;
    }

    /// There is a connection, and whatever is without an answer is sent on it at once: the room knows
    /// what it applied before.
    pub fn reconnected(&mut self) {
        self.link = Link::Up;
        for pending in self.ordered.iter_mut().chain(&mut self.free) {
            pending.sent = None;
        }
    }

    /// How many sayings have no answer yet; taps that wait count as one for each reaction.
    pub fn unanswered(&self) -> usize {
        self.ordered.len() + self.free.len() + self.taps.len()
    }

    /// How long it took the room to answer, smoothed; `None` before the first answer.
    pub fn round_trip(&self) -> Option<Duration> {
        self.trip.smoothed.map(|(mean, _)| mean)
    }

    /// What was sent so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn tap(&mut self, now: Instant, taps: Taps) -> Result<SayId, Full> {
        let waiting = self.taps.get(&taps.reaction).map_or(0, |batch| batch.count);
        if waiting.saturating_add(taps.count) > MAX_WAITING_TAPS {
            self.stats.full += 1;
            return Err(Full);
        }
        let id = match self.taps.get_mut(&taps.reaction) {
            Some(batch) => {
                batch.count += taps.count;
                return Ok(batch.id);
            }
            None => self.new_id(),
        };
        self.taps.insert(taps.reaction, Batch { id, count: taps.count, since: now });
        Ok(id)
    }

    /// Makes a saying of the taps that wait the longest.
    fn send_taps(&mut self, now: Instant) {
        if self.free.len() >= WINDOW || self.next_taps.is_some_and(|next| now < next) {
            return;
        }
        let oldest = self.taps.iter().min_by_key(|(_, batch)| batch.since).map(|(reaction, _)| *reaction);
        let Some((reaction, batch)) = oldest.and_then(|reaction| self.taps.remove_entry(&reaction)) else {
            return;
        };
        let count = batch.count.min(MAX_TAPS);
        if batch.count > count {
            let rest = Batch { id: self.new_id(), count: batch.count - count, since: batch.since };
            self.taps.insert(reaction, rest);
        }
        self.next_taps = Some(now + BETWEEN_TAPS);
        let said = batch.since;
        self.free.push_back(Pending::new(batch.id, Say::React(Taps { reaction, count }), said));
    }

    /// Gives up what waits for too long.
    fn expire(&mut self, now: Instant) {
        let is_over = |since: Instant| now.saturating_duration_since(since) >= PATIENCE;
        let (mut over, mut kept) = (Vec::new(), BTreeMap::new());
        for queue in [&mut self.ordered, &mut self.free] {
            let mut left = VecDeque::with_capacity(queue.len());
            for pending in queue.drain(..) {
                if is_over(pending.said) {
                    over.push((pending.id, pending.say));
                } else {
                    left.push_back(pending);
                }
            }
            *queue = left;
        }
        for (reaction, batch) in std::mem::take(&mut self.taps) {
            if is_over(batch.since) {
                over.push((batch.id, Say::React(Taps { reaction, count: batch.count })));
            } else {
                kept.insert(reaction, batch);
            }
        }
        self.taps = kept;
        for (id, say) in over {
            self.stats.given_up += 1;
            self.tell(Outcome::GivenUp { id, say });
        }
    }

    fn take(&mut self, id: SayId) -> Option<Pending> {
        for queue in [&mut self.ordered, &mut self.free] {
            if let Some(index) = queue.iter().position(|pending| pending.id == id && pending.times > 0) {
                return queue.remove(index);
            }
        }
        None
    }

    fn tell(&mut self, outcome: Outcome) {
        if self.outcomes.len() >= MAX_OUTCOMES {
            self.outcomes.pop_front();
            self.stats.forgotten += 1;
        }
        self.outcomes.push_back(outcome);
    }

    fn new_id(&mut self) -> SayId {
        let id = SayId(self.next_id);
        self.next_id = (self.next_id + 1) % NUMBERS;
        id
    }
}

impl Pending {
    fn new(id: SayId, say: Say, said: Instant) -> Self {
        let saying = Saying { id, say };
        let payload = serde_json::to_vec(&saying).expect("a saying has no keys that JSON lacks");
        Self { id, say: saying.say, payload: payload.into(), said, sent: None, wait: FIRST_WAIT, times: 0 }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.sent.is_none_or(|(_, again)| now >= again)
    }

    fn send(&mut self, now: Instant, first: Duration) -> Transmit {
        self.wait = if self.sent.is_some() { (self.wait * 2).min(MOST_WAIT) } else { first };
        self.sent = Some((now, now + self.wait));
        self.times += 1;
        Transmit { id: self.id, payload: self.payload.clone() }
    }
}

/// Round trips as they were measured: mean and deviation, smoothed as in RFC 9002 §5.3.
#[derive(Debug, Default)]
struct Trip {
    smoothed: Option<(Duration, Duration)>,
}

impl Trip {
    fn measured(&mut self, trip: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (trip, trip / 2),
            Some((mean, deviation)) => ((mean * 7 + trip) / 8, (deviation * 3 + mean.abs_diff(trip)) / 4),
        });
    }

    /// How long an answer is waited for.
    fn wait(&self) -> Duration {
        self.smoothed
            .map_or(FIRST_WAIT, |(mean, deviation)| (mean + deviation * 4).clamp(LEAST_WAIT, MOST_WAIT))
    }
}

#[cfg(test)]
mod tests;
