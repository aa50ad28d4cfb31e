//! What a receiver remembers of a track, so that it notices when the track is malformed
//! (draft-18 §2.4.2, §12.8, §12.9) and delivers no object twice.
//!
//! It is bounded: of objects that are further back than it remembers, and of more subgroups, ranges and
//! objects of a group than it keeps, only what is still known is checked.

use crate::moqt::{
    GroupId, GroupOrder, Location, Object, Status, SubgroupId,
    wire::{ObjectError, ObjectProperties},
};

mod group;

pub(crate) use group::{Forwarding, Last};
use group::{Group, Print};

/// Groups that are remembered; past it the one with the smallest ID is forgotten.
pub(crate) const MAX_GROUPS: usize = 16;
/// Ranges of groups that are known never to exist; past it the oldest is forgotten.
const MAX_GAPS: usize = 32;

/// Whether an object is to be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is new, as far as is remembered.
    New,
    /// The same, and on another stream than the last object of its subgroup, with IDs between them: whether
    /// those exist is not known (draft-18 §11.4.3).
    Apart,
    /// The same object came before.
    Repeated,
}

/// What is remembered of one track.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// In ascending order.
    groups: Vec<Group>,
    /// A group that was forgotten, for its memory.
    spare: Option<Group>,
    /// First and last group of ranges that never exist.
    gaps: Vec<(GroupId, GroupId)>,
    /// The largest location that holds a payload.
    largest: Option<Location>,
    /// Nothing exists from here on.
    end: Option<Location>,
}

impl Record {
    /// An object came.
    ///
    /// # Errors
    /// [`ObjectError::Malformed`] where it makes the track malformed, [`ObjectError::Wire`] where its
    /// properties close the session.
    pub(crate) fn object(&mut self, object: &Object, forwarding: Forwarding) -> Result<Verdict, ObjectError> {
        let properties = ObjectProperties::decode(&object.properties)?;
        let location = object.location();
        self.check_end(location, object.status)?;
        let Some(at) = self.enter(location.group)? else { return Ok(Verdict::New) };
        if let Some(count) = properties.group_gap {
            self.group_gap(at, count)?;
        }
        if object.status == Status::EndOfTrack {
            self.end_of_track(location)?;
        }
        let print = Print::new(object, forwarding, properties.immutable);
        let verdict = match self.groups.get_mut(at) {
            Some(group) => group.object(object, forwarding, properties.object_gap, print)?,
            None => Verdict::New,
        };
        if object.status == Status::Normal {
            self.largest = self.largest.max(Some(location));
        }
        Ok(verdict)
    }

    /// A subgroup's stream came to its end in order, its last object being this one.
    ///
    /// # Errors
    /// [`ObjectError::Malformed`] where that makes the track malformed.
    pub(crate) fn finished(
        &mut self,
        group: GroupId,
        subgroup: SubgroupId,
        last: Last,
        ends_group: bool,
    ) -> Result<(), ObjectError> {
        match self.groups.binary_search_by_key(&group, |known| known.id) {
            Ok(at) => self.groups[at].finished(subgroup, last, ends_group),
            Err(_) => Ok(()),
        }
    }

    fn check_end(&self, location: Location, status: Status) -> Result<(), ObjectError> {
        match self.end {
            Some(end) if location > end || (location == end && status != Status::EndOfTrack) => {
                Err(malformed(format!("object {location} came, though the track ended before {end}")))
            }
            _ => Ok(()),
        }
    }

    fn end_of_track(&mut self, location: Location) -> Result<(), ObjectError> {
        if let Some(largest) = self.largest.filter(|&largest| largest >= location) {
            return Err(malformed(format!("the track ends before {location}, but object {largest} came")));
        }
        match self.end.replace(location) {
            Some(end) if end != location => {
                Err(malformed(format!("the track ends before {location}, and before {end} too")))
            }
            _ => Ok(()),
        }
    }

    /// The place of a group; `None` for one that is further back than what is remembered.
    fn enter(&mut self, id: GroupId) -> Result<Option<usize>, ObjectError> {
        let at = match self.groups.last() {
            Some(newest) if newest.id == id => return Ok(Some(self.groups.len() - 1)),
            _ => self.groups.binary_search_by_key(&id, |group| group.id),
        };
        let at = match at {
            Ok(at) => return Ok(Some(at)),
            Err(at) => at,
        };
        if let Some((first, last)) = self.gaps.iter().find(|(first, last)| (first..=last).contains(&&id)) {
            return Err(malformed(format!(
                "group {id} came, though groups {first} to {last} were said never to exist"
            )));
        }
        if self.groups.len() < MAX_GROUPS {
            self.groups.insert(at, Group::new(self.spare.take(), id));
            return Ok(Some(at));
        }
        let Some(at) = at.checked_sub(1) else { return Ok(None) };
        let oldest = self.groups.remove(0);
        self.groups.insert(at, Group::new(Some(oldest), id));
        Ok(Some(at))
    }

    fn group_gap(&mut self, at: usize, count: u64) -> Result<(), ObjectError> {
        let Some(group) = self.groups.get_mut(at) else { return Ok(()) };
        let id = group.id;
        match group.gap.replace(count) {
            Some(known) if known == count => return Ok(()),
            Some(known) => {
                let reason = format!("in group {id} the prior group ID gap is {known} and {count}");
                return Err(malformed(reason));
            }
            None => {}
        }
        let Some(first) = id.0.checked_sub(count) else {
            return Err(malformed(format!("group {id} has a prior group ID gap of {count}, over its ID")));
        };
        if count == 0 {
            return Ok(());
        }
        let range = (GroupId(first), GroupId(id.0 - 1));
        if let Some(known) = self.groups.iter().find(|group| (range.0..=range.1).contains(&group.id)) {
            let reason = format!("group {} came, and is in the prior group ID gap of group {id}", known.id);
            return Err(malformed(reason));
        }
        remember(&mut self.gaps, range, MAX_GAPS);
        Ok(())
    }
}

/// What is remembered of the answer to a FETCH, which is in order and within its range (draft-18 §10.12.3).
#[derive(Debug)]
pub(crate) struct FetchRecord {
    record: Record,
    order: GroupOrder,
    /// First and last location that were asked for, where they are known.
    range: Option<(Location, Location)>,
    last: Option<Location>,
}

impl FetchRecord {
    /// For an answer with groups in this order.
    pub(crate) fn new(order: GroupOrder, range: Option<(Location, Location)>) -> Self {
        Self { record: Record::default(), order, range, last: None }
    }

    /// In which order the groups are.
    pub(crate) fn order(&self) -> GroupOrder {
        self.order
    }

    /// An object came.
    ///
    /// # Errors
    /// As [`Record::object`].
    pub(crate) fn object(&mut self, object: &Object, forwarding: Forwarding) -> Result<(), ObjectError> {
        let location = object.location();
        if let Some((start, end)) = self.range
            && !(start..=end).contains(&location)
        {
            let reason = format!("a fetch from {start} to {end} was answered with object {location}");
            return Err(malformed(reason));
        }
        self.step(location)?;
        self.record.object(object, forwarding).map(drop)
    }

    /// The end of a range without objects came.
    ///
    /// # Errors
    /// [`ObjectError::Malformed`] where it goes back.
    pub(crate) fn gap(&mut self, end: Location) -> Result<(), ObjectError> {
        self.step(end)
    }

    fn step(&mut self, to: Location) -> Result<(), ObjectError> {
        match self.last.replace(to) {
            Some(last) if !self.follows(last, to) => {
                Err(malformed(format!("in the answer to a fetch {to} follows {last}")))
            }
            _ => Ok(()),
        }
    }

    fn follows(&self, last: Location, next: Location) -> bool {
        if last.group == next.group {
            return next.object > last.object;
        }
        match self.order {
            GroupOrder::Ascending => next.group > last.group,
            GroupOrder::Descending => next.group < last.group,
        }
    }
}

/// Keeps a range, forgetting the oldest where there are too many.
fn remember<T>(ranges: &mut Vec<T>, range: T, limit: usize) {
    if ranges.len() >= limit {
        ranges.remove(0);
    }
    ranges.push(range);
}

fn malformed(reason: String) -> ObjectError {
    ObjectError::Malformed(reason)
}

#[cfg(test)]
mod tests;
