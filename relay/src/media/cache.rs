//! What late joiners and fetches get: the newest groups of a track, bounded in bytes and age.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use shared::moqt::{GroupId, Item, Location, ObjectId, SubgroupEnd};

mod range;

pub(super) use range::Piece;
#[cfg(test)]
use range::{Answer, Missing};

/// What an object costs beside its bytes, so that empty ones are bounded too.
const OVERHEAD: usize = 200;

/// The groups of one track. The newest is kept from its first object on, whatever its age; only where it
/// alone is larger than the bound it is let go, and the track is taken up again with the next group.
#[derive(Debug)]
pub(super) struct Cache {
    groups: BTreeMap<GroupId, Group>,
    bytes: usize,
    max_bytes: usize,
    max_age: Duration,
    /// The publisher's MAX_CACHE_DURATION: for how long an object may be served from here (draft-18 §12.3).
    good_for: Option<Duration>,
    largest: Option<Location>,
    /// The largest location that came.
    arrived: Option<Location>,
    /// Objects before this one may exist though they are not here.
    known_from: Option<Location>,
    /// Groups below were let go.
    floor: GroupId,
    evicted: u64,
}

#[derive(Debug)]
struct Group {
    /// With the time when each began to come.
    items: Vec<(Instant, Item)>,
    bytes: usize,
    touched: Instant,
    /// Objects at its front were let go.
    is_cut: bool,
    /// The publisher abandoned a subgroup of it: what follows there is not known.
    is_broken: bool,
}

impl Cache {
    pub(super) fn new(max_bytes: usize, max_age: Duration) -> Self {
        Self {
            groups: BTreeMap::new(),
            bytes: 0,
            max_bytes,
            max_age,
            good_for: None,
            largest: None,
            arrived: None,
            known_from: None,
            floor: GroupId(0),
            evicted: 0,
        }
    }

    /// The same for a track that begins here: of what was before there is nothing to be known.
    pub(super) fn from_the_start(max_bytes: usize, max_age: Duration) -> Self {
        let start = Location { group: GroupId(0), object: ObjectId(0) };
        Self { known_from: Some(start), ..Self::new(max_bytes, max_age) }
    }

    /// Sets the publisher's MAX_CACHE_DURATION; `None`: as long as the bounds allow.
    pub(super) fn set_duration(&mut self, good_for: Option<Duration>) {
        self.good_for = good_for;
    }

    /// Keeps an item that began to come at `began`.
    pub(super) fn push(&mut self, began: Instant, item: &Item) {
        let (group, cost) = match item {
            Item::Object(object) | Item::Datagram(object) => {
                self.arrived = self.arrived.max(Some(object.location()));
                self.largest = self.largest.max(self.arrived);
                self.known_from.get_or_insert(object.location());
                (object.subgroup.group, cost(item))
            }
            Item::End { group, .. } => (*group, 0),
        };
        let is_end = matches!(item, Item::End { .. });
        if group < self.floor || is_end && !self.groups.contains_key(&group) {
            return;
        }
        let kept = self.groups.entry(group).or_insert(Group {
            items: Vec::new(),
            bytes: 0,
            touched: began,
            is_cut: false,
            is_broken: false,
        });
        kept.is_broken |= matches!(item, Item::End { end: SubgroupEnd::Reset(_), .. });
        kept.items.push((began, item.clone()));
        kept.bytes += cost;
        kept.touched = kept.touched.max(began);
        self.bytes += cost;
        self.expire(began);
    }

    /// Lets go of what is over the bounds, and of objects that may not be served any more.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Some(good_for) = self.good_for {
            self.expire_objects(now, good_for);
        }
        while let Some((&oldest, group)) = self.groups.first_key_value() {
            let is_newest = self.groups.len() == 1;
            let is_old = now.saturating_duration_since(group.touched) > self.max_age;
            if self.bytes <= self.max_bytes && (is_newest || !is_old) {
                break;
            }
            self.evict(oldest);
        }
    }

    fn expire_objects(&mut self, now: Instant, good_for: Duration) {
        for group in self.groups.values_mut() {
            let is_late = |at: &Instant| now.saturating_duration_since(*at) > good_for;
            let late = group.items.iter().take_while(|(at, _)| is_late(at)).count();
            for (_, item) in group.items.drain(..late) {
                let cost = cost(&item);
                group.bytes = group.bytes.saturating_sub(cost);
                self.bytes = self.bytes.saturating_sub(cost);
                self.evicted += u64::from(cost > 0);
                group.is_cut = true;
            }
        }
    }

    /// Lets the oldest group go where there are more than `most`; whether it did.
    pub(super) fn evict_beyond(&mut self, most: usize) -> bool {
        let oldest = self.groups.first_key_value().map(|(&oldest, _)| oldest);
        oldest.filter(|_| self.groups.len() > most).inspect(|&oldest| self.evict(oldest)).is_some()
    }

    fn evict(&mut self, group: GroupId) {
        self.floor = self.floor.max(GroupId(group.0.saturating_add(1)));
        let floor = Location { group: self.floor, object: ObjectId(0) };
        self.known_from = self.known_from.max(Some(floor));
        if let Some(group) = self.groups.remove(&group) {
            self.bytes = self.bytes.saturating_sub(group.bytes);
            self.evicted +=
                group.items.iter().filter(|(_, item)| !matches!(item, Item::End { .. })).count() as u64;
        }
    }

    /// Lets go of the oldest groups where there are more than `most`.
    pub(super) fn keep_groups(&mut self, most: usize) {
        while self.evict_beyond(most) {}
    }

    /// Lets go of all, as after a pause; what was the largest location stays known.
    pub(super) fn clear(&mut self) {
        self.groups.clear();
        self.bytes = 0;
        self.known_from = None;
    }

    /// The largest location that was seen here or, where the publisher told of a larger one, there.
    pub(super) fn largest(&self) -> Option<Location> {
        self.largest
    }

    /// Takes the publisher's word for a largest location.
    pub(super) fn heard_of(&mut self, largest: Option<Location>) {
        self.largest = self.largest.max(largest);
    }

    /// Whether the publisher told of objects that did not come yet.
    pub(super) fn is_behind(&self) -> bool {
        self.arrived < self.largest
    }

    /// Bytes held, with what objects cost beside them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Objects that were let go since the last call.
    pub(super) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// The newest group's items in the order in which they came, with the time when each began to, and those
    /// of every later group than `from`, where that is earlier. A group without its front is left out.
    pub(super) fn replay(&self, from: Option<GroupId>) -> impl Iterator<Item = &(Instant, Item)> {
        let newest = self.groups.last_key_value().map(|(&group, _)| group);
        let first = newest.map(|newest| from.map_or(newest, |from| from.min(newest)));
        let groups = first.into_iter().flat_map(|first| self.groups.range(first..));
        groups.filter(|(_, group)| !group.is_cut).flat_map(|(_, group)| &group.items)
    }

    /// Whether the newest group is here from its object 0 on.
    pub(super) fn has_start(&self) -> bool {
        self.groups.last_key_value().is_some_and(|(_, group)| {
            group.items.iter().any(|(_, item)| match item {
                Item::Object(object) | Item::Datagram(object) => object.id.0 == 0,
                Item::End { .. } => false,
            })
        })
    }
}

/// What an item takes of the bound.
fn cost(item: &Item) -> usize {
    match item {
        Item::Object(object) | Item::Datagram(object) => {
            OVERHEAD + object.payload.len() + object.properties.0.len()
        }
        Item::End { .. } => 0,
    }
}

#[cfg(test)]
mod tests;
