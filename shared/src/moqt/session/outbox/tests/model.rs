//! The scheduling algorithm of draft-18 §7.2, the slow way, against what leaves.

use std::collections::BTreeMap;

use super::*;
use crate::moqt::{FetchItem, session::fetchbox::Fetchbox, wire::RequestId};

/// Random runs.
const RUNS: u64 = 400;
/// Steps of one run.
const STEPS: u64 = 120;

/// xorshift64*, so that a run repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}

/// Where an object goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Subgroup(SubgroupId),
    Datagram,
    Fetch,
}

/// An object that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    request: usize,
    publisher: Priority,
    group: GroupId,
    way: Way,
    id: ObjectId,
}

/// The model: all that waits, in the order in which it came.
struct Model {
    /// Subscriber priority and group order of each request.
    requests: Vec<(Priority, GroupOrder)>,
    pending: Vec<Pending>,
}

impl Model {
    /// The next object of each subgroup and fetch, and all datagrams.
    fn schedulable(&self) -> Vec<Pending> {
        let is_same_stream = |a: &Pending, b: &Pending| {
            a.request == b.request
                && a.way == b.way
                && match a.way {
                    Way::Subgroup(_) => a.group == b.group,
                    Way::Fetch => true,
                    Way::Datagram => false,
                }
        };
        let is_next = |(at, one): &(usize, &Pending)| {
            !self.pending[..*at].iter().any(|before| is_same_stream(before, one))
        };
        self.pending.iter().enumerate().filter(is_next).map(|(_, one)| *one).collect()
    }

    /// Whether the draft has `a` leave before `b`.
    fn precedes(&self, a: &Pending, b: &Pending) -> bool {
        let (of_a, of_b) = (self.requests[a.request], self.requests[b.request]);
        if of_a.0 != of_b.0 {
            return of_a.0 < of_b.0;
        }
        if a.publisher != b.publisher {
            return a.publisher < b.publisher;
        }
        if a.request != b.request {
            return false;
        }
        if a.group != b.group {
            return match of_a.1 {
                GroupOrder::Ascending => a.group < b.group,
                GroupOrder::Descending => a.group > b.group,
            };
        }
        match (a.way, b.way) {
            (Way::Subgroup(a), Way::Subgroup(b)) => a < b,
            (Way::Datagram, Way::Datagram) => a.id < b.id,
            _ => false,
        }
    }
}

/// Where the next object is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// Among equals first, as the driver does.
    Datagram,
    Open(u64),
    Waits(LaneId),
    Fetch,
}

/// What a driver holds of one subscription.
struct Sending {
    outbox: Outbox,
    /// Its streams: lane and place.
    streams: BTreeMap<u64, (LaneId, i32)>,
}

struct World {
    now: Instant,
    model: Model,
    subscriptions: Vec<Sending>,
    fetch: Fetchbox,
    next_stream: u64,
    next_ids: BTreeMap<(usize, GroupId), u64>,
    fetch_at: u64,
}

impl World {
    fn new(random: &mut Random) -> Self {
        let mut requests = Vec::new();
        let subscriptions = (0..3)
            .map(|_| {
                let priority = Priority(100 + random.below(3) as u8);
                let order = match random.below(2) {
                    0 => GroupOrder::Ascending,
                    _ => GroupOrder::Descending,
                };
                requests.push((priority, order));
                let options =
                    SubscribeOptions { priority, order: Some(order), ..SubscribeOptions::default() };
                let Rig { outbox, .. } = Rig::new(options, SubscribeOk::default());
                Sending { outbox, streams: BTreeMap::new() }
            })
            .collect();
        let priority = Priority(100 + random.below(3) as u8);
        requests.push((priority, GroupOrder::Ascending));
        Self {
            now: Instant::now(),
            model: Model { requests, pending: Vec::new() },
            subscriptions,
            fetch: Fetchbox::new(priority),
            next_stream: 0,
            next_ids: BTreeMap::new(),
            fetch_at: 0,
        }
    }

    fn publish(&mut self, random: &mut Random) {
        let request = random.below(4) as usize;
        let publisher = |subgroup: u64| Priority((60 + subgroup % 3) as u8);
        let mut object = object(random.below(5), random.below(24), 0, 1);
        let way = match (request, random.below(4)) {
            (3, _) => Way::Fetch,
            (_, 0) => Way::Datagram,
            _ => Way::Subgroup(object.subgroup.id),
        };
        object.subgroup.priority = publisher(object.subgroup.id.0);
        if way == Way::Fetch {
            self.fetch_at += 1;
            object.subgroup.group = GroupId(self.fetch_at);
        }
        let id = self.next_ids.entry((request, object.subgroup.group)).or_default();
        object.id = ObjectId(*id);
        *id += 1;
        self.model.pending.push(Pending {
            request,
            publisher: object.subgroup.priority,
            group: object.subgroup.group,
            way,
            id: object.id,
        });
        match way {
            Way::Fetch => assert!(self.fetch.push(FetchItem::Object(object))),
            Way::Datagram => {
                assert!(self.subscriptions[request].outbox.push(self.now, Item::Datagram(object)))
            }
            Way::Subgroup(_) => {
                assert!(self.subscriptions[request].outbox.push(self.now, Item::Object(object)));
            }
        }
    }

    fn reprioritise(&mut self, random: &mut Random) {
        let request = random.below(4) as usize;
        let priority = Priority(100 + random.below(3) as u8);
        self.model.requests[request].0 = priority;
        match self.subscriptions.get_mut(request) {
            Some(subscription) => {
                let parameters = Parameters { priority: Some(priority), ..Parameters::default() };
                subscription.outbox.update(self.now, &parameters);
            }
            None => self.fetch.set_priority(priority),
        }
    }

    /// What a driver takes next: the lowest place of all.
    fn choose(&mut self) -> Option<(usize, Source)> {
        let mut offers = Vec::new();
        for (request, Sending { outbox, streams }) in self.subscriptions.iter_mut().enumerate() {
            for (stream, place) in outbox.take_orders() {
                streams.get_mut(&stream).expect("it was opened").1 = place;
            }
            for (stream, (lane, place)) in &*streams {
                if outbox.lanes.get(lane).is_some_and(|lane| !lane.queue.is_empty()) {
                    offers.push((*place, request, Source::Open(*stream)));
                }
            }
            offers.extend(outbox.waiting().map(|(place, lane)| (place, request, Source::Waits(lane))));
            offers.extend(outbox.datagram_place().map(|place| (place, request, Source::Datagram)));
        }
        if self.model.pending.iter().any(|pending| pending.way == Way::Fetch) {
            offers.push((self.fetch.place(), 3, Source::Fetch));
        }
        offers.into_iter().min().map(|(_, request, source)| (request, source))
    }

    /// Lets one object leave; gives which.
    fn send(&mut self, request: usize, source: Source) -> Pending {
        let is_it = |pending: &&Pending| {
            pending.request == request
                && match (source, pending.way) {
                    (Source::Fetch, Way::Fetch) => true,
                    (Source::Waits(lane), Way::Subgroup(id)) => lane == (pending.group, id),
                    (Source::Open(stream), Way::Subgroup(id)) => {
                        self.subscriptions[request].streams[&stream].0 == (pending.group, id)
                    }
                    _ => false,
                }
        };
        let of_stream = self.model.pending.iter().find(is_it).copied();
        match source {
            Source::Fetch => {
                assert!(matches!(self.fetch.next(RequestId(0)), Next::Write(_)));
                of_stream.expect("it waits")
            }
            Source::Datagram => {
                let bytes = self.subscriptions[request].outbox.next_datagram(self.now).expect("it waits");
                let Ok(Datagram::Object { object, .. }) = Datagram::decode(bytes) else {
                    panic!("no object")
                };
                let found = self.model.pending.iter().find(|pending| {
                    let at = Location { group: pending.group, object: pending.id };
                    pending.request == request && pending.way == Way::Datagram && at == object.location()
                });
                *found.expect("it waits")
            }
            Source::Waits(lane) => {
                let stream = self.next_stream;
                self.next_stream += 1;
                let sending = &mut self.subscriptions[request];
                sending.outbox.opened(lane, stream);
                sending.streams.insert(stream, (lane, i32::MAX));
                assert!(matches!(sending.outbox.next(self.now, lane, stream), Next::Write(_)));
                of_stream.expect("it waits")
            }
            Source::Open(stream) => {
                let sending = &mut self.subscriptions[request];
                let lane = sending.streams[&stream].0;
                assert!(matches!(sending.outbox.next(self.now, lane, stream), Next::Write(_)));
                of_stream.expect("it waits")
            }
        }
    }

    /// Whether something left; it is what the draft says.
    fn leave(&mut self) -> bool {
        let Some((request, source)) = self.choose() else {
            assert_eq!(self.model.pending, [], "what waits leaves");
            return false;
        };
        let schedulable = self.model.schedulable();
        let left = self.send(request, source);
        assert!(schedulable.contains(&left), "{left:?} is not the next of its stream");
        for other in &schedulable {
            let requests = &self.model.requests;
            assert!(!self.model.precedes(other, &left), "{left:?} left before {other:?}: {requests:?}");
        }
        self.model.pending.retain(|pending| *pending != left);
        true
    }
}

#[test]
fn what_leaves_is_what_the_drafts_rules_choose() {
    for seed in 1..=RUNS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut world = World::new(&mut random);
        for _ in 0..STEPS {
            match random.below(9) {
                0 => world.reprioritise(&mut random),
                1..=5 => world.publish(&mut random),
                _ => {
                    world.leave();
                }
            }
        }
        while world.leave() {}
    }
}
