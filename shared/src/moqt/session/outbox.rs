//! What waits to be sent for one subscription: bounded, and past its bound only the newest group is
//! kept. It decides what leaves, in which order and what is let go; the driver moves bytes.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

use bytes::BytesMut;

use super::window::Window;
use crate::moqt::{
    DataLimits, DoneCode, Filter, GroupId, GroupOrder, Item, Location, Object, RequestCode, ResetCode,
    Subgroup, SubgroupEnd, SubgroupId, SubscribeOk, SubscribeOptions, SubscriberEvent, WriterStats,
    wire::{TrackAlias, TrackProperties},
};

mod change;
mod lane;
mod offer;
mod send;

use lane::{Lane, State};
pub(crate) use send::{Moves, Next};

/// Bytes that may wait for one subscriber, unless its session's limits say otherwise; so below.
pub(crate) const MAX_BYTES: usize = 4 << 20;
/// Objects that may wait for one subscriber.
pub(crate) const MAX_OBJECTS: usize = 4096;
/// Subgroups that are known at once, those that were abandoned and may still grow included.
pub(crate) const MAX_LANES: usize = 1024;
/// Datagrams that may wait; past it the oldest is dropped.
pub(crate) const MAX_DATAGRAMS: usize = 256;
/// What an object costs beside its bytes.
const OVERHEAD: usize = 96;
/// How long an AbsoluteRange stays open after its end for what the streams of later groups overtook: streams
/// arrive in any order (draft-18 §2.2).
const STRAGGLERS: Duration = Duration::from_secs(1);
/// Groups remembered as skipped, so that each is counted once.
const MAX_SKIPPED: usize = 64;

/// A subgroup of a track: one stream.
pub(crate) type LaneId = (GroupId, SubgroupId);

/// Bytes that wait in one session, over all of its subscribers.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    /// A budget of so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: Arc::default(), limit }
    }
    /// Whether it is spent, and by one that holds so many bytes: more than its share. Those that keep up
    /// do not pay for those that do not.
    fn is_spent_by(&self, bytes: usize) -> bool {
        self.used.load(Ordering::Relaxed) > self.limit && bytes > self.limit / Arc::strong_count(&self.used)
    }
}

/// How a request for a subscription was answered by the application.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// SUBSCRIBE_OK.
    Accept(SubscribeOk),
    /// REQUEST_ERROR.
    Reject(RequestCode, String),
}

/// One subscriber's queue.
#[derive(Debug)]
pub(crate) struct Outbox {
    options: SubscribeOptions,
    limits: DataLimits,
    order: GroupOrder,
    /// What the publisher says of the track.
    track: TrackProperties,
    object_timeout: Option<Duration>,
    subgroup_timeout: Option<Duration>,
    /// Set once SUBSCRIBE_OK is sent.
    alias: Option<TrackAlias>,
    window: Window,
    /// The last group of which objects may be missing that a wider filter now lets pass.
    patchy: Option<GroupId>,
    largest: Option<Location>,
    /// When something of the window came last, or the first that is past its end.
    came: Option<Instant>,
    lanes: BTreeMap<LaneId, Lane>,
    datagrams: VecDeque<(Instant, Object)>,
    /// Groups below are not sent any more.
    floor: GroupId,
    bytes: usize,
    objects: usize,
    budget: Budget,
    streams: u64,
    /// Where heads of objects and datagrams are written, many in one allocation.
    head: BytesMut,
    /// Open lanes with something new to write.
    dirty: BTreeSet<LaneId>,
    /// Streams to reset.
    resets: Vec<(u64, ResetCode)>,
    /// Whether places in the send order changed.
    reorder: bool,
    skipped: BTreeSet<GroupId>,
    stats: WriterStats,
    answer: Option<Answer>,
    is_answered: bool,
    ending: Option<(DoneCode, String)>,
    is_closed: bool,
    /// PUBLISH_DONE was handed over.
    is_done: bool,
    new_group: Option<GroupId>,
    forward_changed: Option<bool>,
    listener: Option<Waker>,
    offer: offer::Offer,
}

impl Outbox {
    /// For a subscription that is asked for; nothing leaves before [`open`](Self::open).
    pub(crate) fn new(options: SubscribeOptions, budget: Budget) -> Self {
        Self {
            options,
            limits: DataLimits::default(),
            order: options.order.unwrap_or(GroupOrder::Ascending),
            track: TrackProperties::default(),
            object_timeout: options.object_timeout,
            subgroup_timeout: options.subgroup_timeout,
            alias: None,
            window: Window::new(Filter::Unfiltered, None),
            patchy: None,
            largest: None,
            came: None,
            lanes: BTreeMap::new(),
            datagrams: VecDeque::new(),
            floor: GroupId(0),
            bytes: 0,
            objects: 0,
            budget,
            streams: 0,
            head: BytesMut::new(),
            dirty: BTreeSet::new(),
            resets: Vec::new(),
            reorder: false,
            skipped: BTreeSet::new(),
            stats: WriterStats::default(),
            answer: None,
            is_answered: false,
            ending: None,
            is_closed: false,
            is_done: false,
            new_group: None,
            forward_changed: None,
            listener: None,
            offer: offer::Offer::default(),
        }
    }

    /// The same with other bounds.
    pub(crate) fn within(self, limits: DataLimits) -> Self {
        Self { limits, ..self }
    }

    /// Grants the subscription: the filter counts from `ok.largest`, timeouts and order from its properties.
    pub(crate) fn accept(&mut self, ok: SubscribeOk) {
        if let Filter::AbsoluteRange(_, end) = self.options.filter
            && ok.largest.is_some_and(|largest| largest.group > end)
        {
            let reason = format!("group {end} and all before it are over");
            return self.reject(RequestCode::InvalidRange, reason);
        }
        self.track = TrackProperties::decode(&ok.properties).unwrap_or_default();
        self.order = self.options.order.or(self.track.order).unwrap_or(GroupOrder::Ascending);
        self.set_timeouts();
        self.largest = ok.largest;
        self.window = Window::new(self.options.filter, ok.largest);
        self.is_answered = true;
        self.answer = Some(Answer::Accept(ok));
    }

    /// Refuses the subscription; does nothing after another answer.
    pub(crate) fn reject(&mut self, code: RequestCode, reason: String) {
        if !self.is_answered && !self.is_closed {
            self.is_answered = true;
            self.answer = Some(Answer::Reject(code, reason));
            self.close();
        }
    }

    /// The application's answer, once.
    pub(crate) fn take_answer(&mut self) -> Option<Answer> {
        self.answer.take()
    }

    /// Takes an item. `false` once the subscription is over.
    pub(crate) fn push(&mut self, now: Instant, item: Item) -> bool {
        if self.is_closed || self.ending.is_some() {
            return false;
        }
        match item {
            Item::Object(object) => self.push_object(now, object),
            Item::Datagram(object) => self.push_datagram(now, object),
            Item::End { group, subgroup, end } => self.push_end(now, (group, subgroup), end),
        }
        self.check_range(now);
        true
    }

    fn push_object(&mut self, now: Instant, object: Object) {
        let location = object.location();
        let Subgroup { group, id, .. } = object.subgroup;
        self.note(now, location);
        if !self.window.passes(location) {
            // The filter was narrowed while the subgroup was under way (draft-18 §11.4.3).
            if let Some(lane) = self.lanes.get_mut(&(group, id)) {
                lane.is_broken |= lane.is_active();
            }
            return;
        }
        if group < self.floor {
            return self.skip(group, 1);
        }
        let mut subgroup = object.subgroup;
        subgroup.from_first &= !self.window.cuts(group);
        let is_patchy = self.patchy.is_some_and(|last| group <= last);
        let lane = self
            .lanes
            .entry((group, id))
            .or_insert_with(|| Lane { is_broken: is_patchy, ..Lane::new(subgroup) });
        if matches!(lane.state, State::Finished(_)) {
            // It ended and goes on all the same: on a new stream, as a relay does after a reset.
            *lane = Lane::new(Subgroup { from_first: false, ..subgroup });
        }
        if lane.state == State::Abandoned {
            return self.skip(group, 1);
        }
        if !self.options.forward {
            lane.is_broken = true;
            return self.bound();
        }
        if lane.last().is_some_and(|last| object.id <= last) {
            // It came on a stream of its own, after later ones: on a stream nothing goes back.
            lane.is_broken = true;
            return self.skip(group, 1);
        }
        lane.subgroup.from_first &= !lane.is_broken;
        let cost = cost(&object);
        if lane.state == State::Waiting && lane.queue.is_empty() {
            self.reorder = true;
        }
        lane.queue.push_back((now, object));
        self.bytes += cost;
        self.objects += 1;
        self.budget.used.fetch_add(cost, Ordering::Relaxed);
        self.dirty.insert((group, id));
        self.bound();
    }

    /// Notes what is published.
    fn note(&mut self, now: Instant, location: Location) {
        if self.window.passes(location) || !self.is_past() {
            self.came = Some(now);
        }
        self.largest = self.largest.max(Some(location));
    }

    /// Whether something past the end of the window is published.
    fn is_past(&self) -> bool {
        self.largest.is_some_and(|largest| self.window.is_past(largest.group))
    }

    fn push_datagram(&mut self, now: Instant, object: Object) {
        let location = object.location();
        self.note(now, location);
        if !self.window.passes(location) || !self.options.forward {
            return;
        }
        if self.datagrams.len() >= self.limits.subscriber_datagrams.max(1)
            && let Some((_, oldest)) = self.datagrams.pop_front()
        {
            self.skip(oldest.subgroup.group, 1);
            self.stats.dropped_datagrams += 1;
        }
        self.datagrams.push_back((now, object));
    }

    fn push_end(&mut self, now: Instant, id: LaneId, end: SubgroupEnd) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        match end {
            _ if matches!(lane.state, State::Finished(_)) => {}
            _ if !lane.is_active() => {
                self.lanes.remove(&id);
            }
            SubgroupEnd::Finished if !lane.is_broken => {
                lane.end = Some(now);
                self.dirty.insert(id);
            }
            SubgroupEnd::Finished => self.abandon(id, ResetCode::Cancelled, After::Remove),
            SubgroupEnd::Reset(code) => self.abandon(id, code, After::Remove),
        }
    }

    /// Keeps the bounds: all but the newest group is let go, and where that alone is too much, that too.
    fn bound(&mut self) {
        let is_over = |outbox: &Self| {
            outbox.bytes > outbox.limits.subscriber_bytes
                || outbox.objects > outbox.limits.subscriber_objects
                || outbox.lanes.len() > outbox.limits.subscriber_subgroups
                || outbox.budget.is_spent_by(outbox.bytes)
        };
        if !is_over(self) {
            return;
        }
        if let Some((&(newest, _), _)) = self.lanes.last_key_value() {
            self.skip_below(newest);
            if is_over(self) {
                self.skip_below(GroupId(newest.0.saturating_add(1)));
            }
        }
    }

    fn skip_below(&mut self, floor: GroupId) {
        self.floor = self.floor.max(floor);
        let old: Vec<LaneId> = self.lanes.range(..(self.floor, SubgroupId(0))).map(|(id, _)| *id).collect();
        for id in old {
            self.abandon(id, ResetCode::TooFarBehind, After::Remove);
        }
    }

    /// Lets go of what a lane has not sent. One that handed all to the connection is left to it.
    fn abandon(&mut self, id: LaneId, code: ResetCode, after: After) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let (objects, bytes) = lane.clear();
        let mut lost = objects as u64;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.objects = self.objects.saturating_sub(objects);
        self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
        if let State::Open(stream) = lane.state {
            self.resets.push((stream, code));
            self.stats.resets.note(code);
            if let Some((_, payload)) = lane.writing.take() {
                lost += 1;
                self.stats.objects = self.stats.objects.saturating_sub(1);
                self.stats.bytes = self.stats.bytes.saturating_sub(payload as u64);
            }
        }
        match after {
            After::Keep if lane.end.is_none() => lane.state = State::Abandoned,
            After::Restart if lane.end.is_none() => {
                *lane = Lane::new(Subgroup { from_first: false, ..lane.subgroup });
                lane.is_broken = true;
            }
            After::Keep | After::Remove | After::Restart => {
                self.lanes.remove(&id);
            }
        }
        self.dirty.remove(&id);
        self.reorder = true;
        if lost > 0 && (code == ResetCode::TooFarBehind || code == ResetCode::DeliveryTimeout) {
            self.skip(id.0, lost);
        }
        // What upstream gave up is not kept for.
        let is_ours = matches!(after, After::Keep);
        self.stats.timed_out += u64::from(is_ours && code == ResetCode::DeliveryTimeout);
    }

    fn skip(&mut self, group: GroupId, objects: u64) {
        self.stats.skipped_objects += objects;
        if self.skipped.insert(group) {
            self.stats.skipped_groups += 1;
            if self.skipped.len() > MAX_SKIPPED {
                self.skipped.pop_first();
            }
        }
    }

    /// When an AbsoluteRange ends by itself: once its groups are through, and no more of them comes.
    fn range_over(&self) -> Option<Instant> {
        let is_open = self.ending.is_none() && !self.is_closed;
        let is_through = is_open && self.is_past() && !self.lanes.values().any(Lane::is_active);
        self.came.filter(|_| is_through).map(|came| came + STRAGGLERS)
    }

    fn check_range(&mut self, now: Instant) {
        if self.range_over().is_some_and(|over| over <= now) {
            self.end(now, DoneCode::SubscriptionEnded, "the range that was asked for is over".to_owned());
        }
    }

    /// Ends the subscription once all that waits has left. Streams without an end are finished where the
    /// code says that nothing more exists, and reset otherwise.
    pub(crate) fn end(&mut self, now: Instant, code: DoneCode, reason: String) {
        if self.is_closed || self.ending.is_some() {
            return;
        }
        self.withdraw();
        let is_whole = code == DoneCode::TrackEnded || code == DoneCode::SubscriptionEnded;
        let (reset, is_at_once) = match code {
            // Draft-18 §2.4.2: immediately.
            DoneCode::MalformedTrack => (ResetCode::MalformedTrack, true),
            // What waits is what was not taken: it would keep the subscription open.
            DoneCode::TooFarBehind => (ResetCode::TooFarBehind, true),
            DoneCode::GoingAway => (ResetCode::GoingAway, false),
            DoneCode::ExcessiveLoad => (ResetCode::ExcessiveLoad, false),
            _ => (ResetCode::Cancelled, false),
        };
        if is_at_once {
            self.datagrams.clear();
        }
        let ids: Vec<LaneId> = self.lanes.keys().copied().collect();
        for id in ids {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            if !lane.is_active() {
                if !matches!(lane.state, State::Finished(_)) {
                    self.lanes.remove(&id);
                }
            } else if is_at_once {
                self.abandon(id, reset, After::Remove);
            } else if lane.end.is_none() {
                if is_whole && !lane.is_broken {
                    lane.end = Some(now);
                    self.dirty.insert(id);
                } else {
                    self.abandon(id, reset, After::Remove);
                }
            }
        }
        self.ending = Some((code, reason));
    }

    /// The subscription is over: what waits is let go, and whoever listens is told.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        let ids: Vec<LaneId> = self.lanes.keys().copied().collect();
        for id in ids {
            self.abandon(id, ResetCode::Cancelled, After::Remove);
        }
        self.datagrams.clear();
        self.wake();
    }

    /// Whether the subscription is over.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed || self.ending.is_some()
    }

    /// What was asked for, with later changes.
    pub(crate) fn options(&self) -> SubscribeOptions {
        self.options
    }

    /// Whether it was ended, and PUBLISH_DONE is not sent yet.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Whether it came to its end: streams that are still on their way go on.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Objects that were handed over whole, and those of which something waits.
    pub(crate) fn taken_and_waiting(&self) -> (u64, usize) {
        let begun = self.lanes.values().filter(|lane| lane.writing.is_some()).count();
        let waiting = self.objects + self.datagrams.len() + begun;
        (self.stats.objects.saturating_sub(begun as u64), waiting)
    }

    /// What was sent and skipped.
    pub(crate) fn stats(&self) -> WriterStats {
        self.stats
    }

    /// What the subscriber changed; newer changes of a kind replace older ones. `None`: nothing yet, and
    /// `listener` is woken for more.
    pub(crate) fn take_event(&mut self, listener: &Waker) -> Option<SubscriberEvent> {
        if let Some(forward) = self.forward_changed.take() {
            return Some(SubscriberEvent::Forward(forward));
        }
        if let Some(after) = self.new_group.take() {
            return Some(SubscriberEvent::NewGroup(after));
        }
        self.listener = Some(listener.clone());
        None
    }

    fn wake(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.wake();
        }
    }
}

/// What becomes of a lane that is abandoned.
#[derive(Debug, Clone, Copy)]
enum After {
    /// Something else keeps its later objects out, or none come.
    Remove,
    /// Its later objects are let go too.
    Keep,
    /// Its later objects go on a new stream.
    Restart,
}

/// What an object takes of the bounds.
fn cost(object: &Object) -> usize {
    object.payload.len() + object.properties.0.len() + OVERHEAD
}

#[cfg(test)]
mod tests;
