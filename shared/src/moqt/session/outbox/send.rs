//! The driver's side of an outbox: which streams to open, what to write, what to give up.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::{After, Lane, LaneId, Outbox, State};
use crate::moqt::{
    DoneCode, Object, ResetCode,
    priority::{compare, compare_groups, send_order},
    wire::{SubgroupHeader, TrackAlias, encode_object_header, put_datagram},
};

/// What the driver is to do for a subscription. It is filled again and again, so that an object costs no
/// allocation.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// Streams to reset.
    pub(crate) resets: Vec<(u64, ResetCode)>,
    /// New places in the send order.
    pub(crate) orders: Vec<(u64, i32)>,
    /// Streams with something new to write.
    pub(crate) dirty: Vec<u64>,
    /// Whether a lane waits for a stream.
    pub(crate) waits: bool,
    /// The place of the most urgent datagram, where one may leave.
    pub(crate) datagram: Option<i32>,
    /// When to look for what is late.
    pub(crate) deadline: Option<Instant>,
    /// PUBLISH_DONE: code, words and how many streams there were.
    pub(crate) done: Option<(DoneCode, String, u64)>,
}

/// What a stream does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Write this: a head and a payload, either maybe empty.
    Write([Bytes; 2]),
    /// End in order; abandon it where not all is acknowledged by then.
    Finish(Option<Instant>),
    /// Wait: the lane is marked when there is more.
    Wait,
}

impl Outbox {
    /// SUBSCRIBE_OK is sent: data may leave under this name.
    pub(crate) fn open(&mut self, alias: TrackAlias) {
        self.alias = Some(alias);
    }

    /// The most urgent lane that waits for a stream, and its place in the send order.
    pub(crate) fn waiting(&self) -> Option<(i32, LaneId)> {
        self.alias?;
        let waits = |lane: &Lane| lane.state == State::Waiting && !lane.queue.is_empty();
        if !self.lanes.values().any(waits) {
            return None;
        }
        let places = self.places();
        places.into_iter().filter(|(_, _, lane)| waits(lane)).map(|(place, id, _)| (place, id)).min()
    }

    /// A lane got its stream.
    pub(crate) fn opened(&mut self, id: LaneId, stream: u64) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.state = State::Open(stream);
            self.reorder = true;
        }
    }

    /// Puts into `moves` all that is to be done now, in the place of what is there.
    pub(crate) fn take_moves(&mut self, moves: &mut Moves) {
        moves.resets.clear();
        moves.resets.append(&mut self.resets);
        moves.orders.clear();
        self.move_orders(&mut moves.orders);
        moves.dirty.clear();
        self.move_dirty(&mut moves.dirty);
        moves.waits = self.waiting().is_some();
        moves.datagram = self.datagram_place();
        moves.deadline = self.deadline();
        moves.done = self.take_done();
    }

    /// Open lanes with something new to write.
    pub(super) fn move_dirty(&mut self, dirty: &mut Vec<u64>) {
        // One by one: clearing the set would give its memory back, to be asked for with the next object.
        while let Some(id) = self.dirty.pop_first() {
            if let Some(Lane { state: State::Open(stream), .. }) = self.lanes.get(&id) {
                dirty.push(*stream);
            }
        }
    }

    /// New places in the send order, where they changed.
    pub(super) fn move_orders(&mut self, orders: &mut Vec<(u64, i32)>) {
        if std::mem::take(&mut self.reorder) {
            orders.extend(self.places().into_iter().filter_map(|(place, _, lane)| match lane.state {
                State::Open(stream) | State::Finished(stream) => Some((stream, place)),
                State::Waiting | State::Abandoned => None,
            }));
        }
    }

    /// Streams to reset.
    pub(crate) fn take_resets(&mut self) -> Vec<(u64, ResetCode)> {
        std::mem::take(&mut self.resets)
    }

    /// Whether there are streams to reset.
    pub(crate) fn has_resets(&self) -> bool {
        !self.resets.is_empty()
    }

    /// The place of the most urgent datagram in the send order; `None` where none may leave.
    pub(crate) fn datagram_place(&self) -> Option<i32> {
        self.alias?;
        let urgent = self.datagrams.get(self.urgent_datagram()?)?.1.subgroup;
        // The groups before its own leave before it; among equals the driver lets datagrams go first.
        let before = |id: &LaneId| compare_groups(id.0, urgent.group, self.order).is_lt();
        let rank = self.lanes.iter().filter(|(id, lane)| before(id) && is_live(lane)).count();
        Some(send_order(self.options.priority, urgent.priority, rank))
    }

    /// What the stream of a lane does next, its last bytes being written.
    pub(crate) fn next(&mut self, now: Instant, id: LaneId, stream: u64) -> Next {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.state == State::Open(stream)) else {
            return Next::Wait;
        };
        let Some(alias) = self.alias else { return Next::Wait };
        lane.writing = None;
        let Some((at, _)) = lane.queue.front() else {
            let Some(end) = lane.end else { return Next::Wait };
            lane.state = State::Finished(stream);
            self.check_range(now);
            return Next::Finish(self.subgroup_timeout.map(|timeout| end + timeout));
        };
        if self.object_timeout.is_some_and(|timeout| now.saturating_duration_since(*at) > timeout) {
            self.abandon(id, ResetCode::DeliveryTimeout, After::Keep);
            return Next::Wait;
        }
        let Some((at, object)) = lane.queue.pop_front() else { return Next::Wait };
        let header = SubgroupHeader {
            alias,
            group: id.0,
            subgroup: Some(id.1),
            priority: Some(lane.subgroup.priority),
            ends_group: lane.subgroup.ends_group,
            from_first: lane.subgroup.from_first,
            has_properties: true,
        };
        let mut head = room(&mut self.head, object.properties.0.len());
        if !lane.has_header {
            lane.has_header = true;
            self.streams += 1;
            header.encode(&mut head);
        }
        encode_object_header(lane.previous, &header, &object, &mut head);
        lane.previous = Some(object.id);
        self.stats.waits.note(now.saturating_duration_since(at));
        lane.writing = Some((at, object.payload.len()));
        let cost = super::cost(&object);
        self.bytes = self.bytes.saturating_sub(cost);
        self.objects = self.objects.saturating_sub(1);
        self.budget.used.fetch_sub(cost, std::sync::atomic::Ordering::Relaxed);
        self.stats.objects += 1;
        self.stats.bytes += object.payload.len() as u64;
        let written = head.split().freeze();
        self.head = head;
        Next::Write([written, object.payload])
    }

    /// A stream is gone: acknowledged to its end, or stopped by the peer, in which case the rest of its
    /// subgroup is let go.
    pub(crate) fn gone(&mut self, id: LaneId, stream: u64) {
        match self.lanes.get(&id).map(|lane| lane.state) {
            Some(State::Finished(known)) if known == stream => {
                self.lanes.remove(&id);
                self.reorder = true;
            }
            Some(State::Open(known)) if known == stream => {
                self.abandon(id, ResetCode::Cancelled, After::Keep);
            }
            _ => {}
        }
    }

    /// The most urgent datagram that is still worth sending.
    pub(crate) fn next_datagram(&mut self, now: Instant) -> Option<Bytes> {
        let alias = self.alias?;
        let timeout = super::change::smaller(self.object_timeout, self.subgroup_timeout);
        while let Some((at, object)) = self.urgent_datagram().and_then(|at| self.datagrams.remove(at)) {
            if timeout.is_some_and(|timeout| now.saturating_duration_since(at) > timeout) {
                self.skip(object.subgroup.group, 1);
                self.stats.timed_out += 1;
                continue;
            }
            self.stats.objects += 1;
            self.stats.bytes += object.payload.len() as u64;
            self.stats.waits.note(now.saturating_duration_since(at));
            let mut output = room(&mut self.head, object.properties.0.len() + object.payload.len());
            put_datagram(alias, &object, &mut output);
            let datagram = output.split().freeze();
            self.head = output;
            return Some(datagram);
        }
        None
    }

    /// The datagram that was given last did not fit the path.
    pub(crate) fn datagram_lost(&mut self) {
        self.stats.dropped_datagrams += 1;
    }

    /// PUBLISH_DONE, once it may be sent: code, words and how many streams there were.
    pub(super) fn take_done(&mut self) -> Option<(DoneCode, String, u64)> {
        let is_busy = self.lanes.values().any(super::Lane::is_active);
        if self.is_closed || is_busy || !self.datagrams.is_empty() || !self.resets.is_empty() {
            return None;
        }
        self.alias?;
        let (code, reason) = self.ending.take()?;
        self.is_done = true;
        self.close();
        Some((code, reason, self.streams))
    }

    /// Lets go of what is too late (draft-18 §8), and ends a range that is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        let late: Vec<LaneId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| self.due(lane).is_some_and(|due| due <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.abandon(id, ResetCode::DeliveryTimeout, After::Keep);
        }
        self.check_range(now);
    }

    /// A subgroup that was handed over whole is reset, since its time was over before all of it arrived.
    pub(crate) fn timed_out_under_way(&mut self) {
        self.stats.timed_out += 1;
        self.stats.resets.note(ResetCode::DeliveryTimeout);
    }

    /// When to call [`expire`](Self::expire).
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let over = self.range_over();
        if self.object_timeout.is_none() && self.subgroup_timeout.is_none() {
            return over;
        }
        self.lanes.values().filter_map(|lane| self.due(lane)).chain(over).min()
    }

    fn due(&self, lane: &super::Lane) -> Option<Instant> {
        if !lane.is_active() {
            return None;
        }
        let object = self.object_timeout.and_then(|timeout| Some(lane.oldest()? + timeout));
        let subgroup = self.subgroup_timeout.and_then(|timeout| Some(lane.end? + timeout));
        [object, subgroup].into_iter().flatten().min()
    }

    /// All lanes that have a place in the send order, with it.
    fn places(&self) -> Vec<(i32, LaneId, &Lane)> {
        let mut live: Vec<(LaneId, &Lane)> =
            self.lanes.iter().filter(|(_, lane)| is_live(lane)).map(|(id, lane)| (*id, lane)).collect();
        live.sort_by(|(one, _), (other, _)| compare(*one, *other, self.order));
        let place = |(rank, (id, lane)): (usize, (LaneId, _))| {
            let lane: &Lane = lane;
            (send_order(self.options.priority, lane.subgroup.priority, rank), id, lane)
        };
        live.into_iter().enumerate().map(place).collect()
    }

    /// Where in the queue the most urgent datagram is: the first of those that the draft ranks alike.
    fn urgent_datagram(&self) -> Option<usize> {
        let compare = |one: &Object, other: &Object| {
            let (a, b) = (one.subgroup, other.subgroup);
            let groups = compare_groups(a.group, b.group, self.order);
            a.priority.cmp(&b.priority).then(groups).then(one.id.cmp(&other.id))
        };
        let datagrams = self.datagrams.iter().enumerate();
        datagrams.min_by(|(_, (_, one)), (_, (_, other))| compare(one, other)).map(|(at, _)| at)
    }
}

/// Whether a lane has a place in the send order.
fn is_live(lane: &Lane) -> bool {
    lane.is_active() || matches!(lane.state, State::Finished(_))
}

/// The buffer with room for one more head and so many bytes beside it, many of them in one allocation.
fn room(buffer: &mut BytesMut, bytes: usize) -> BytesMut {
    const HEAD: usize = 64;
    const MANY: usize = 4096;
    if buffer.capacity() < HEAD + bytes {
        *buffer = BytesMut::with_capacity(MANY.max(HEAD + bytes));
    }
    std::mem::take(buffer)
}
