//! What a receiver remembers of one group.

use std::hash::{Hash, Hasher};

use super::{Verdict, malformed, remember};
use crate::moqt::{GroupId, Object, ObjectId, Priority, Status, SubgroupId, wire::ObjectError};

/// Subgroups of a group that are remembered; further ones are not checked.
const MAX_SUBGROUPS: usize = 64;
/// Objects of a group that are remembered; past it the one with the smallest ID is forgotten.
const MAX_PRINTS: usize = 512;
/// Ranges of objects that are known never to exist; past it the oldest is forgotten.
const MAX_HOLES: usize = 32;
/// Bytes at each end of a payload that tell it from another of the same length.
const SAMPLE: usize = 32;

/// How an object is sent (draft-18 §11.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// On its subgroup's stream: on this one of the connection's.
    Subgroup(u64),
    /// In a datagram.
    Datagram,
}

/// The last object of a subgroup's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) id: ObjectId,
    pub(crate) status: Status,
}

impl Last {
    /// The first ID that cannot exist where this is a group's last object; `None`: all can.
    fn bound(self) -> Option<ObjectId> {
        match self.status {
            Status::Normal => self.id.0.checked_add(1).map(ObjectId),
            Status::EndOfGroup | Status::EndOfTrack => Some(self.id),
        }
    }
}

/// What tells an object from another at the same location: all that may not change, and of the payload
/// its length and its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print(u64);

impl Print {
    pub(super) fn new(object: &Object, forwarding: Forwarding, immutable: Option<&[u8]>) -> Self {
        let mut hasher = Fnv::default();
        (object.status, object.subgroup.priority).hash(&mut hasher);
        match forwarding {
            Forwarding::Subgroup(_) => Some(object.subgroup.id),
            Forwarding::Datagram => None,
        }
        .hash(&mut hasher);
        immutable.hash(&mut hasher);
        let payload = &object.payload[..];
        let head = payload.get(..SAMPLE).unwrap_or(payload);
        let tail = &payload[payload.len().saturating_sub(SAMPLE).max(head.len())..];
        (payload.len(), head, tail).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// FNV-1a by words: the same in every run, and quick for a handful of bytes. Whoever can choose both
/// payloads gains nothing by making them collide.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().fold(0, |word, &byte| (word << 8) | u64::from(byte));
            self.write_u64(word);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Debug)]
struct Subgroup {
    id: SubgroupId,
    priority: Priority,
    largest: ObjectId,
    /// The stream that came as far as that.
    stream: u64,
    /// The last object before a FIN.
    last: Option<ObjectId>,
}

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: GroupId,
    /// PRIOR_GROUP_ID_GAP, as its objects tell it.
    pub(super) gap: Option<u64>,
    /// No object exists from here on.
    end: Option<ObjectId>,
    /// The largest object with a payload.
    largest: Option<ObjectId>,
    subgroups: Vec<Subgroup>,
    /// By ascending ID.
    prints: Vec<(ObjectId, Print)>,
    /// First and last object of ranges that never exist.
    holes: Vec<(ObjectId, ObjectId)>,
}

impl Group {
    /// A new one, in the memory of one that is forgotten.
    pub(super) fn new(old: Option<Self>, id: GroupId) -> Self {
        let (mut subgroups, mut prints, mut holes) =
            old.map(|old| (old.subgroups, old.prints, old.holes)).unwrap_or_default();
        subgroups.clear();
        prints.clear();
        holes.clear();
        Self { id, gap: None, end: None, largest: None, subgroups, prints, holes }
    }

    pub(super) fn object(
        &mut self,
        object: &Object,
        forwarding: Forwarding,
        gap: Option<u64>,
        print: Print,
    ) -> Result<Verdict, ObjectError> {
        let Object { id, status, subgroup, .. } = object;
        let (id, status) = (*id, *status);
        let is_end = status != Status::Normal;
        if self.end.is_some_and(|end| id > end || (id == end && !is_end)) {
            return Err(self.past_end(id));
        }
        if let Some((first, last)) = self.holes.iter().find(|(first, last)| (first..=last).contains(&&id)) {
            let reason = format!("objects {first} to {last} of the group were said never to exist");
            return Err(self.wrong(id, &reason));
        }
        if let Some(count) = gap {
            self.object_gap(id, count)?;
        }
        let mut end = None;
        let mut is_next = true;
        match forwarding {
            Forwarding::Subgroup(stream) => {
                is_next = self.enter(subgroup.id, subgroup.priority, id, stream)?;
            }
            Forwarding::Datagram if subgroup.ends_group && !is_end => end = Last { id, status }.bound(),
            Forwarding::Datagram => {}
        }
        let verdict = match self.note(id, print)? {
            Verdict::New if !is_next => Verdict::Apart,
            verdict => verdict,
        };
        if !is_end {
            self.largest = self.largest.max(Some(id));
        } else {
            end = Some(id);
        }
        self.ends(end)?;
        Ok(verdict)
    }

    pub(super) fn finished(
        &mut self,
        id: SubgroupId,
        last: Last,
        ends_group: bool,
    ) -> Result<(), ObjectError> {
        let group = self.id;
        if let Some(subgroup) = self.subgroups.iter_mut().find(|subgroup| subgroup.id == id) {
            let largest = subgroup.largest;
            let known = subgroup.last.replace(last.id).unwrap_or(largest);
            if known != last.id {
                return Err(malformed(format!(
                    "subgroup {id} of group {group} ends with object {}, though object {known} came",
                    last.id
                )));
            }
        }
        self.ends(if ends_group { last.bound() } else { None })
    }

    /// Nothing exists from `end` on.
    fn ends(&mut self, end: Option<ObjectId>) -> Result<(), ObjectError> {
        let Some(end) = end else { return Ok(()) };
        if let Some(largest) = self.largest.filter(|&largest| largest >= end) {
            return Err(self.wrong(largest, &format!("the group ends before object {end}")));
        }
        match self.end.replace(end) {
            Some(known) if known != end => {
                let reason = format!("group {} ends before object {end}, and before {known} too", self.id);
                Err(malformed(reason))
            }
            _ => Ok(()),
        }
    }

    /// The subgroup of an object has one priority and nothing after its last object. Gives `false` where
    /// objects that are not known of may be between it and the furthest one.
    fn enter(
        &mut self,
        id: SubgroupId,
        priority: Priority,
        object: ObjectId,
        stream: u64,
    ) -> Result<bool, ObjectError> {
        let Some(subgroup) = self.subgroups.iter_mut().find(|subgroup| subgroup.id == id) else {
            if self.subgroups.len() < MAX_SUBGROUPS {
                self.subgroups.push(Subgroup { id, priority, largest: object, stream, last: None });
            }
            return Ok(true);
        };
        if subgroup.priority != priority {
            let reason =
                format!("its subgroup {id} had priority {}, now {}", subgroup.priority.0, priority.0);
            return Err(self.wrong(object, &reason));
        }
        if let Some(last) = subgroup.last.filter(|&last| object > last) {
            return Err(self.wrong(object, &format!("its subgroup {id} ended with object {last}")));
        }
        if object < subgroup.largest {
            return Ok(true);
        }
        let is_next = subgroup.stream == stream || object.0 - subgroup.largest.0 <= 1;
        (subgroup.largest, subgroup.stream) = (object, stream);
        Ok(is_next)
    }

    fn object_gap(&mut self, id: ObjectId, count: u64) -> Result<(), ObjectError> {
        let Some(first) = id.0.checked_sub(count).map(ObjectId) else {
            return Err(self.wrong(id, &format!("its prior object ID gap of {count} is over its ID")));
        };
        if count == 0 {
            return Ok(());
        }
        let at = self.prints.partition_point(|(known, _)| *known < first);
        if let Some((known, _)) = self.prints.get(at).filter(|(known, _)| *known < id) {
            return Err(self.wrong(id, &format!("object {known} is in its prior object ID gap of {count}")));
        }
        let hole = (first, ObjectId(id.0 - 1));
        if !self.holes.contains(&hole) {
            remember(&mut self.holes, hole, MAX_HOLES);
        }
        Ok(())
    }

    fn note(&mut self, id: ObjectId, print: Print) -> Result<Verdict, ObjectError> {
        let at = match self.prints.last() {
            Some((last, _)) if *last >= id => self.prints.partition_point(|(known, _)| *known < id),
            _ => self.prints.len(),
        };
        match self.prints.get(at) {
            Some((known, before)) if *known == id && *before == print => return Ok(Verdict::Repeated),
            Some((known, _)) if *known == id => {
                return Err(self.wrong(id, "it came before and was not the same"));
            }
            _ => {}
        }
        if self.prints.len() < MAX_PRINTS {
            self.prints.insert(at, (id, print));
        } else if let Some(at) = at.checked_sub(1) {
            self.prints.remove(0);
            self.prints.insert(at, (id, print));
        }
        Ok(Verdict::New)
    }

    #[cfg(test)]
    pub(super) fn is_bounded(&self) -> bool {
        self.subgroups.len() <= MAX_SUBGROUPS
            && self.prints.len() <= MAX_PRINTS
            && self.holes.len() <= MAX_HOLES
    }

    fn past_end(&self, id: ObjectId) -> ObjectError {
        let end = self.end.unwrap_or_default();
        self.wrong(id, &format!("its group ended before object {end}"))
    }

    fn wrong(&self, id: ObjectId, reason: &str) -> ObjectError {
        malformed(format!("object {id} of group {}: {reason}", self.id))
    }
}
