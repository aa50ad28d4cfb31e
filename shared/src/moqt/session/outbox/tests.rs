//! What leaves, in which order, and what is let go.

use super::*;
use crate::moqt::{
    ObjectId, Priority, Properties, Status,
    priority::send_order,
    wire::{Datagram, ObjectReader, Parameters, StreamHeader},
};

mod bounds;
mod filter;
mod model;
mod timeout;

impl Outbox {
    fn take_dirty(&mut self) -> Vec<u64> {
        let mut dirty = Vec::new();
        self.move_dirty(&mut dirty);
        dirty
    }

    fn take_orders(&mut self) -> Vec<(u64, i32)> {
        let mut orders = Vec::new();
        self.move_orders(&mut orders);
        orders
    }
}

/// An outbox with the streams that a driver would open for it.
struct Rig {
    now: Instant,
    outbox: Outbox,
    /// Lanes by the number of their stream.
    streams: Vec<LaneId>,
}

impl Rig {
    fn new(options: SubscribeOptions, ok: SubscribeOk) -> Self {
        Self::within(options, ok, Budget::new(64 << 20))
    }

    fn within(options: SubscribeOptions, ok: SubscribeOk, budget: Budget) -> Self {
        let mut outbox = Outbox::new(options, budget);
        outbox.accept(ok.clone());
        assert_eq!(outbox.take_answer(), Some(Answer::Accept(ok)));
        outbox.open(TrackAlias(3));
        Self { now: Instant::now(), outbox, streams: Vec::new() }
    }

    fn plain() -> Self {
        Self::new(SubscribeOptions::default(), SubscribeOk::default())
    }

    fn push(&mut self, object: Object) -> bool {
        self.outbox.push(self.now, Item::Object(object))
    }

    fn end(&mut self, group: u64, subgroup: u64) {
        self.ends(group, subgroup, SubgroupEnd::Finished);
    }

    fn ends(&mut self, group: u64, subgroup: u64, end: SubgroupEnd) {
        let (group, subgroup) = (GroupId(group), SubgroupId(subgroup));
        self.outbox.push(self.now, Item::End { group, subgroup, end });
    }

    /// Opens a stream for the most urgent lane that waits for one.
    fn open(&mut self) -> Option<(u64, LaneId)> {
        let (_, lane) = self.outbox.waiting()?;
        let stream = self.streams.len() as u64;
        self.outbox.opened(lane, stream);
        self.streams.push(lane);
        Some((stream, lane))
    }

    fn next(&mut self, stream: u64) -> Next {
        let lane = self.streams[stream as usize];
        self.outbox.next(self.now, lane, stream)
    }

    /// All that a stream takes now, and how that ends.
    fn write(&mut self, stream: u64) -> (Vec<u8>, Next) {
        let mut bytes = Vec::new();
        loop {
            match self.next(stream) {
                Next::Write(chunks) => chunks.iter().for_each(|chunk| bytes.extend_from_slice(chunk)),
                other => return (bytes, other),
            }
        }
    }

    /// Nothing is held any more.
    fn assert_empty(&self) {
        assert_eq!((self.outbox.bytes, self.outbox.objects), (0, 0));
        assert_eq!(self.outbox.budget.used.load(Ordering::Relaxed), 0);
    }
}

fn object(group: u64, subgroup: u64, id: u64, bytes: usize) -> Object {
    Object {
        subgroup: Subgroup {
            group: GroupId(group),
            id: SubgroupId(subgroup),
            priority: Priority(64),
            ends_group: false,
            from_first: id == 0,
        },
        id: ObjectId(id),
        status: Status::Normal,
        properties: Properties::default(),
        payload: vec![id as u8; bytes].into(),
    }
}

fn lane(group: u64, subgroup: u64) -> LaneId {
    (GroupId(group), SubgroupId(subgroup))
}

/// What stands on a subgroup stream.
fn read(bytes: &[u8]) -> (crate::moqt::wire::SubgroupHeader, Vec<Object>) {
    let mut input = bytes::BytesMut::from(bytes);
    let Ok(Some(StreamHeader::Subgroup(header))) = StreamHeader::decode(&mut input) else {
        panic!("no subgroup");
    };
    let mut reader = ObjectReader::subgroup(header, Priority(0), 1 << 24);
    reader.push(input.freeze());
    let objects = std::iter::from_fn(|| reader.next().expect("valid")).collect();
    assert!(reader.is_between_objects());
    (header, objects)
}

#[test]
fn a_request_that_is_dropped_after_its_answer_was_taken_is_not_refused() {
    let mut outbox = Outbox::new(SubscribeOptions::default(), Budget::new(1 << 20));
    outbox.accept(SubscribeOk::default());
    assert_eq!(outbox.take_answer(), Some(Answer::Accept(SubscribeOk::default())));
    outbox.reject(RequestCode::InternalError, "dropped".to_owned());
    assert_eq!(outbox.take_answer(), None);
    assert!(!outbox.is_closed());
}

#[test]
fn a_subgroup_is_a_stream_from_its_header_to_its_end() {
    let mut rig = Rig::plain();
    let objects = [object(7, 1, 0, 5), object(7, 1, 2, 0), object(7, 1, 3, 900)];
    for object in &objects {
        assert!(rig.push(object.clone()));
    }
    let (stream, of) = rig.open().expect("waits");
    assert_eq!((of, rig.open()), (lane(7, 1), None));
    let (bytes, next) = rig.write(stream);
    assert_eq!(next, Next::Wait);
    let (header, read) = read(&bytes);
    assert_eq!((header.alias, header.from_first), (TrackAlias(3), true));
    assert_eq!(read, objects);
    rig.end(7, 1);
    assert_eq!(rig.outbox.take_dirty(), [stream]);
    assert_eq!(rig.next(stream), Next::Finish(None));
    assert_eq!(rig.next(stream), Next::Wait);
    rig.outbox.gone(of, stream);
    assert!(rig.outbox.lanes.is_empty());
    rig.assert_empty();
    let waits = rig.outbox.stats().waits;
    assert_eq!(waits.since(&Default::default()).sum::<u32>(), 3);
    let stats = WriterStats { objects: 3, bytes: 905, waits, ..WriterStats::default() };
    assert_eq!(rig.outbox.stats(), stats);
}

/// Upstream, two streams of one subgroup overtake each other.
#[test]
fn an_object_that_comes_after_later_ones_is_left_out_and_its_stream_is_not_whole() {
    let mut rig = Rig::plain();
    for id in [0, 3, 2, 3, 4] {
        assert!(rig.push(object(7, 1, id, 5)));
    }
    rig.end(7, 1);
    assert_eq!(rig.outbox.stats().skipped_objects, 2);
    let resets = rig.outbox.take_resets();
    assert!(rig.open().is_none() && resets.is_empty(), "nothing had left: no stream has to tell of it");
    rig.assert_empty();

    let mut rig = Rig::plain();
    rig.push(object(7, 1, 3, 5));
    let (stream, _) = rig.open().expect("waits");
    assert_eq!(read(&rig.write(stream).0).1[0].id, ObjectId(3));
    rig.push(object(7, 1, 2, 5));
    rig.push(object(7, 1, 4, 5));
    rig.end(7, 1);
    assert_eq!(rig.outbox.take_resets(), [(stream, ResetCode::Cancelled)]);
}

#[test]
fn nothing_leaves_before_the_answer() {
    let mut outbox = Outbox::new(SubscribeOptions::default(), Budget::new(1 << 20));
    outbox.accept(SubscribeOk::default());
    let now = Instant::now();
    outbox.push(now, Item::Object(object(1, 0, 0, 9)));
    outbox.push(now, Item::Datagram(object(1, 0, 1, 9)));
    assert_eq!((outbox.waiting(), outbox.next_datagram(now)), (None, None));
    outbox.open(TrackAlias(0));
    assert!(outbox.waiting().is_some() && outbox.next_datagram(now).is_some());
}

#[test]
fn streams_are_given_to_the_most_urgent_first() {
    for (order, groups) in [(GroupOrder::Ascending, [4, 5, 9]), (GroupOrder::Descending, [9, 5, 4])] {
        let options = SubscribeOptions { order: Some(order), ..SubscribeOptions::default() };
        let mut rig = Rig::new(options, SubscribeOk::default());
        for group in [5, 9, 4] {
            rig.push(object(group, 1, 1, 1));
            rig.push(object(group, 0, 0, 1));
        }
        let opened: Vec<LaneId> = std::iter::from_fn(|| rig.open()).map(|(_, lane)| lane).collect();
        assert_eq!(opened, groups.map(|g| [lane(g, 0), lane(g, 1)]).concat(), "{order:?}");
        // What the publisher finds urgent comes before the order of groups.
        let mut urgent = object(6, 2, 0, 1);
        urgent.subgroup.priority = Priority(63);
        rig.push(object(10, 0, 0, 1));
        rig.push(urgent);
        assert_eq!(rig.open().map(|(_, lane)| lane), Some(lane(6, 2)));
    }
}

#[test]
fn places_change_as_groups_and_priorities_do() {
    let options = SubscribeOptions { order: Some(GroupOrder::Descending), ..SubscribeOptions::default() };
    let mut rig = Rig::new(options, SubscribeOk::default());
    let place = |p, rank| send_order(Priority(p), Priority(64), rank);
    rig.push(object(1, 0, 0, 1));
    rig.open();
    assert_eq!(rig.outbox.take_orders(), [(0, place(128, 0))]);
    assert_eq!(rig.outbox.take_orders(), []);
    rig.push(object(2, 0, 0, 1));
    rig.open();
    assert_eq!(rig.outbox.take_orders(), [(1, place(128, 0)), (0, place(128, 1))]);
    let parameters = Parameters { priority: Some(Priority(9)), ..Parameters::default() };
    rig.outbox.update(rig.now, &parameters);
    assert_eq!(rig.outbox.options().priority, Priority(9));
    assert_eq!(rig.outbox.take_orders(), [(1, place(9, 0)), (0, place(9, 1))]);
    rig.write(1);
    rig.end(2, 0);
    rig.write(1);
    rig.outbox.gone(lane(2, 0), 1);
    assert_eq!(rig.outbox.take_orders(), [(0, place(9, 0))]);
}

#[test]
fn the_track_says_the_order_where_the_subscriber_does_not() {
    let track = TrackProperties { order: Some(GroupOrder::Descending), ..TrackProperties::default() };
    let ok = SubscribeOk { properties: track.encode(), ..SubscribeOk::default() };
    let first = |options| {
        let mut rig = Rig::new(options, ok.clone());
        rig.push(object(1, 0, 0, 1));
        rig.push(object(2, 0, 0, 1));
        rig.open().map(|(_, lane)| lane.0)
    };
    assert_eq!(first(SubscribeOptions::default()), Some(GroupId(2)));
    let ascending = SubscribeOptions { order: Some(GroupOrder::Ascending), ..SubscribeOptions::default() };
    assert_eq!(first(ascending), Some(GroupId(1)));
}

#[test]
fn datagrams_leave_as_they_came() {
    let mut rig = Rig::plain();
    for id in 0..3 {
        rig.outbox.push(rig.now, Item::Datagram(object(5, 0, id, 10)));
    }
    for id in 0..3 {
        let bytes = rig.outbox.next_datagram(rig.now).expect("waits");
        let Ok(Datagram::Object { alias, object, .. }) = Datagram::decode(bytes) else { panic!("no object") };
        assert_eq!((alias, object.location()), (TrackAlias(3), Location::new(5, id)));
    }
    assert_eq!(rig.outbox.next_datagram(rig.now), None);
    assert_eq!(rig.outbox.stats().objects, 3);
}

#[test]
fn the_end_is_told_after_the_last_stream() {
    let mut rig = Rig::plain();
    rig.push(object(1, 0, 0, 1));
    rig.push(object(1, 1, 1, 1));
    rig.outbox.push(rig.now, Item::Datagram(object(1, 0, 2, 1)));
    rig.open();
    rig.write(0);
    rig.outbox.end(rig.now, DoneCode::TrackEnded, "over".into());
    assert!(rig.outbox.is_closed() && rig.outbox.is_ending());
    assert!(!rig.push(object(2, 0, 0, 1)));
    assert_eq!(rig.outbox.take_done(), None);
    assert_eq!(rig.next(0), Next::Finish(None));
    assert_eq!(rig.outbox.take_done(), None);
    let (stream, _) = rig.open().expect("waits");
    assert_eq!(rig.write(stream).1, Next::Finish(None));
    assert_eq!(rig.outbox.take_done(), None);
    assert!(rig.outbox.next_datagram(rig.now).is_some());
    assert_eq!(rig.outbox.take_done(), Some((DoneCode::TrackEnded, "over".into(), 2)));
    assert_eq!(rig.outbox.take_done(), None);
    assert!(rig.outbox.is_done() && !rig.outbox.is_ending());
    assert_eq!(rig.outbox.take_resets(), []);
    rig.assert_empty();
}

#[test]
fn an_end_that_is_none_of_the_track_resets_what_is_open() {
    let mut rig = Rig::plain();
    rig.push(object(1, 0, 0, 1));
    rig.push(object(2, 0, 0, 1));
    rig.open();
    rig.outbox.end(rig.now, DoneCode::InternalError, String::new());
    assert_eq!(rig.outbox.take_done(), None);
    assert_eq!(rig.outbox.take_resets(), [(0, ResetCode::Cancelled)]);
    // The header was never on its way.
    assert_eq!(rig.outbox.take_done(), Some((DoneCode::InternalError, String::new(), 0)));
    rig.assert_empty();
}

#[test]
fn what_is_closed_lets_all_go_and_tells_its_listener() {
    let mut rig = Rig::plain();
    rig.push(object(1, 0, 0, 1));
    rig.open();
    rig.write(0);
    rig.push(object(1, 0, 1, 1));
    rig.push(object(2, 0, 0, 1));
    assert_eq!(rig.outbox.take_event(Waker::noop()), None);
    rig.outbox.close();
    assert!(rig.outbox.is_closed() && !rig.outbox.is_done());
    assert_eq!(rig.outbox.take_resets(), [(0, ResetCode::Cancelled)]);
    assert_eq!((rig.outbox.take_done(), rig.outbox.waiting()), (None, None));
    assert_eq!(rig.next(0), Next::Wait);
    rig.assert_empty();
}

#[test]
fn a_subgroup_that_upstream_broke_off_is_reset_with_its_code() {
    let mut rig = Rig::plain();
    rig.push(object(1, 0, 0, 1));
    rig.open();
    rig.write(0);
    rig.ends(1, 0, SubgroupEnd::Reset(ResetCode::DeliveryTimeout));
    assert_eq!(rig.outbox.take_resets(), [(0, ResetCode::DeliveryTimeout)]);
    assert!(rig.outbox.lanes.is_empty());
    // It goes on upstream on another stream.
    rig.push(object(1, 0, 5, 1));
    assert_eq!(rig.open().map(|(_, lane)| lane), Some(lane(1, 0)));
}

#[test]
fn a_subgroup_that_its_reader_stopped_is_not_sent_again() {
    let mut rig = Rig::plain();
    rig.push(object(1, 0, 0, 1));
    rig.open();
    rig.outbox.gone(lane(1, 0), 0);
    rig.push(object(1, 0, 1, 1));
    rig.push(object(1, 1, 2, 1));
    assert_eq!(rig.open().map(|(_, lane)| lane), Some(lane(1, 1)));
    assert_eq!(rig.open(), None);
    rig.end(1, 0);
    assert!(!rig.outbox.lanes.contains_key(&lane(1, 0)));
}

#[test]
fn a_subscriber_asks_for_groups_and_the_newest_wish_counts() {
    let mut rig = Rig::plain();
    for wire in [5, 9, 7] {
        let parameters = Parameters { new_group: Some(GroupId(wire)), ..Parameters::default() };
        rig.outbox.update(rig.now, &parameters);
    }
    let event = rig.outbox.take_event(Waker::noop());
    assert_eq!(event, Some(SubscriberEvent::NewGroup(GroupId(8))));
    assert_eq!(rig.outbox.take_event(Waker::noop()), None);
}
