//! What late joiners and fetches get: the newest groups of a track, bounded in bytes and age.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use shared::moqt::{GroupId, Item, Location, Object, Status};

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
    largest: Option<Location>,
    /// The largest location that came.
    arrived: Option<Location>,
    /// Groups below were let go.
    floor: GroupId,
    evicted: u64,
}

#[derive(Debug)]
struct Group {
    items: Vec<Item>,
    bytes: usize,
    touched: Instant,
}

/// What a fetch gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Objects by location.
    pub(super) objects: Vec<Object>,
    /// The last location that the answer covers.
    pub(super) end: Location,
}

/// Why a fetch gets nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing was published yet.
    Nothing,
    /// The range ends before it starts, or starts after the newest object.
    Range,
}

impl Cache {
    pub(super) fn new(max_bytes: usize, max_age: Duration) -> Self {
        Self {
            groups: BTreeMap::new(),
            bytes: 0,
            max_bytes,
            max_age,
            largest: None,
            arrived: None,
            floor: GroupId(0),
            evicted: 0,
        }
    }

    /// Keeps an item that came.
    pub(super) fn push(&mut self, now: Instant, item: &Item) {
        let (group, cost) = match item {
            Item::Object(object) | Item::Datagram(object) => {
                self.arrived = self.arrived.max(Some(object.location()));
                self.largest = self.largest.max(self.arrived);
                (object.subgroup.group, OVERHEAD + object.payload.len() + object.properties.0.len())
            }
            Item::End { group, .. } => (*group, 0),
        };
        let is_end = matches!(item, Item::End { .. });
        if group < self.floor || is_end && !self.groups.contains_key(&group) {
            return;
        }
        let kept = self.groups.entry(group).or_insert(Group { items: Vec::new(), bytes: 0, touched: now });
        kept.items.push(item.clone());
        kept.bytes += cost;
        kept.touched = now;
        self.bytes += cost;
        self.expire(now);
    }

    /// Lets go of what is over the bounds.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((&oldest, group)) = self.groups.first_key_value() {
            let is_newest = self.groups.len() == 1;
            let is_old = now.saturating_duration_since(group.touched) > self.max_age;
            if self.bytes <= self.max_bytes && (is_newest || !is_old) {
                break;
            }
            self.evict(oldest);
        }
    }

    fn evict(&mut self, group: GroupId) {
        self.floor = self.floor.max(GroupId(group.0.saturating_add(1)));
        if let Some(group) = self.groups.remove(&group) {
            self.bytes = self.bytes.saturating_sub(group.bytes);
            self.evicted +=
                group.items.iter().filter(|item| !matches!(item, Item::End { .. })).count() as u64;
        }
    }

    /// Lets go of all, as after a pause; what was the largest location stays known.
    pub(super) fn clear(&mut self) {
        self.groups.clear();
        self.bytes = 0;
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

    /// The newest group's items in the order in which they came, and those of every later group than
    /// `from`, where that is earlier.
    pub(super) fn replay(&self, from: Option<GroupId>) -> impl Iterator<Item = &Item> {
        let newest = self.groups.last_key_value().map(|(&group, _)| group);
        let first = newest.map(|newest| from.map_or(newest, |from| from.min(newest)));
        first.into_iter().flat_map(|first| self.groups.range(first..)).flat_map(|(_, group)| &group.items)
    }

    /// Whether the newest group is here from its object 0 on.
    pub(super) fn has_start(&self) -> bool {
        self.groups.last_key_value().is_some_and(|(_, group)| {
            group.items.iter().any(|item| match item {
                Item::Object(object) | Item::Datagram(object) => object.id.0 == 0,
                Item::End { .. } => false,
            })
        })
    }

    /// The objects between two locations, both included; an object of `u64::MAX` means to the group's end.
    pub(super) fn range(&self, start: Location, end: Location) -> Result<Answer, Missing> {
        let largest = self.largest.ok_or(Missing::Nothing)?;
        if start > end || start > largest {
            return Err(Missing::Range);
        }
        let end = end.min(largest);
        let mut objects = Vec::new();
        for (_, group) in self.groups.range(start.group..=end.group) {
            let from = objects.len();
            objects.extend(group.items.iter().filter_map(|item| match item {
                Item::Object(object) | Item::Datagram(object)
                    if object.status == Status::Normal && (start..=end).contains(&object.location()) =>
                {
                    Some(object.clone())
                }
                Item::Object(_) | Item::Datagram(_) | Item::End { .. } => None,
            }));
            objects[from..].sort_by_key(|object| object.id);
        }
        objects.dedup_by_key(|object| object.location());
        Ok(Answer { objects, end })
    }
}

#[cfg(test)]
mod tests;
