//! Fetch streams (draft-18 §11.4.4).

use bytes::{Bytes, BytesMut};

use super::{
    FetchItem, ObjectError, RequestId, WireError,
    chunks::Chunks,
    data::within,
    field::{put_bytes, put_integer, put_location},
};
use crate::moqt::{
    GroupId, GroupOrder, Location, Object, ObjectId, Priority, Properties, Status, Subgroup, SubgroupId,
};

/// Type of a fetch stream (draft-18 §3.4).
pub(super) const FETCH_HEADER: u64 = 0x05;

/// Serialization Flags (draft-18 §11.4.4.1).
mod flag {
    pub(super) const SUBGROUP_MODE: u64 = 0x03;
    pub(super) const SUBGROUP_PRIOR: u64 = 0x01;
    pub(super) const SUBGROUP_NEXT: u64 = 0x02;
    pub(super) const SUBGROUP_PRESENT: u64 = 0x03;
    pub(super) const OBJECT: u64 = 0x04;
    pub(super) const GROUP: u64 = 0x08;
    pub(super) const PRIORITY: u64 = 0x10;
    pub(super) const PROPERTIES: u64 = 0x20;
    pub(super) const DATAGRAM: u64 = 0x40;
    /// All below are flags of an object.
    pub(super) const LIMIT: u64 = 0x80;
    pub(super) const END_OF_NONEXISTENT: u64 = 0x8c;
    pub(super) const END_OF_UNKNOWN: u64 = 0x10c;
}

/// What an item may refer to in the ones before it.
#[derive(Debug, Clone, Copy, Default)]
struct Prior {
    /// Of the last object or gap.
    location: Option<Location>,
    /// Of the last object.
    subgroup: Option<SubgroupId>,
    /// Of the last object.
    priority: Option<Priority>,
}

/// Writes fetch objects, each relative to the one before.
#[derive(Debug, Default)]
pub struct FetchEncoder {
    prior: Prior,
}

impl FetchEncoder {
    /// Appends FETCH_HEADER.
    pub fn header(request: RequestId, output: &mut BytesMut) {
        put_integer(FETCH_HEADER, output);
        put_integer(request.0, output);
    }

    /// Appends what stands before the payload of an object that was published on a subgroup's stream. Groups come in the order that the fetch asked
    /// for, objects of a group in ascending order. An end is not written: a fetch has no statuses, and
    /// FETCH_OK says where it ends.
    pub fn object(&mut self, object: &Object, output: &mut BytesMut) {
        let subgroup = object.subgroup.id;
        let mode = match self.prior.subgroup {
            _ if subgroup.0 == 0 => 0,
            Some(prior) if prior == subgroup => flag::SUBGROUP_PRIOR,
            Some(_) | None => flag::SUBGROUP_PRESENT,
        };
        self.write(object, mode, output);
    }

    /// The same for an object that was published as a datagram: it has no subgroup.
    pub fn datagram(&mut self, object: &Object, output: &mut BytesMut) {
        self.write(object, flag::DATAGRAM, output);
    }

    fn write(&mut self, object: &Object, mode: u64, output: &mut BytesMut) {
        if object.status != Status::Normal {
            return;
        }
        let location = object.location();
        let Subgroup { id: subgroup, priority, .. } = object.subgroup;
        let group_delta = match self.prior.location {
            None => Some(location.group.0),
            Some(prior) if prior.group == location.group => None,
            Some(prior) => Some(prior.group.0.abs_diff(location.group.0) - 1),
        };
        let object_delta = match (self.prior.location, group_delta) {
            (Some(prior), _) if prior.object.0.checked_add(1) == Some(location.object.0) => None,
            (Some(prior), None) => Some(location.object.0.saturating_sub(prior.object.0)),
            (_, Some(_)) | (None, None) => Some(location.object.0),
        };
        let states_priority = self.prior.priority != Some(priority);
        let set = |set: bool, flag: u64| if set { flag } else { 0 };
        let flags = mode
            | set(object_delta.is_some(), flag::OBJECT)
            | set(group_delta.is_some(), flag::GROUP)
            | set(states_priority, flag::PRIORITY)
            | set(!object.properties.0.is_empty(), flag::PROPERTIES);
        put_integer(flags, output);
        if let Some(delta) = group_delta {
            put_integer(delta, output);
        }
        if mode == flag::SUBGROUP_PRESENT {
            put_integer(subgroup.0, output);
        }
        if let Some(delta) = object_delta {
            put_integer(delta, output);
        }
        if states_priority {
            output.extend_from_slice(&[priority.0]);
        }
        if !object.properties.0.is_empty() {
            put_bytes(&object.properties.0, output);
        }
        put_integer(object.payload.len() as u64, output);
        // A datagram has no subgroup that the next object could refer to.
        let subgroup = (mode != flag::DATAGRAM).then_some(subgroup);
        self.prior = Prior { location: Some(location), subgroup, priority: Some(priority) };
    }

    /// Appends the end of a range without objects: they never were (`nonexistent`) or are not known.
    /// Its location is written as it is, and no payload length follows.
    pub fn gap(&mut self, end: Location, nonexistent: bool, output: &mut BytesMut) {
        put_integer(if nonexistent { flag::END_OF_NONEXISTENT } else { flag::END_OF_UNKNOWN }, output);
        put_location(end, output);
        self.prior.location = Some(end);
    }
}

/// Reads fetch items from bytes as they come, as [`ObjectReader`](super::ObjectReader) does objects.
#[derive(Debug)]
pub struct FetchReader {
    chunks: Chunks,
    limit: usize,
    order: GroupOrder,
    prior: Prior,
    part: Part,
    /// What has come of the item.
    item: Partial,
    failed: Option<ObjectError>,
}

/// What of an item comes next.
#[derive(Debug, Clone, Copy)]
enum Part {
    Flags,
    Group,
    Subgroup,
    Object,
    Priority,
    PropertiesLength,
    Properties(usize),
    PayloadLength,
    Payload(usize),
}

/// The fields of an item as they come.
#[derive(Debug, Default)]
struct Partial {
    flags: u64,
    group: u64,
    subgroup: u64,
    object: u64,
    priority: Priority,
    properties: Bytes,
}

impl FetchReader {
    /// A reader that takes objects up to a limit, of an answer with ascending groups.
    pub fn new(max_object_bytes: usize) -> Self {
        Self {
            chunks: Chunks::default(),
            limit: max_object_bytes,
            order: GroupOrder::Ascending,
            prior: Prior::default(),
            part: Part::Flags,
            item: Partial::default(),
            failed: None,
        }
    }

    /// The reader for an answer with groups in this order.
    #[must_use]
    pub fn with_order(self, order: GroupOrder) -> Self {
        Self { order, ..self }
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: Bytes) {
        if self.failed.is_none() {
            self.chunks.push(bytes);
        }
    }

    /// The next whole item. An object's subgroup neither ends its group nor is known to be from its
    /// first object: a fetch does not say.
    ///
    /// # Errors
    /// [`ObjectError`] for bytes that break the draft or an object over the limit, properties included.
    #[expect(clippy::should_implement_trait, reason = "an iterator that has ended does not begin again")]
    pub fn next(&mut self) -> Result<Option<FetchItem>, ObjectError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.advance().inspect_err(|error| {
            self.failed = Some(error.clone());
            self.chunks.clear();
        })
    }

    /// Whether the stream may end here.
    pub fn is_between_objects(&self) -> bool {
        matches!(self.part, Part::Flags) && self.chunks.is_empty()
    }

    fn advance(&mut self) -> Result<Option<FetchItem>, ObjectError> {
        loop {
            self.part = match self.part {
                Part::Flags => {
                    let Some(flags) = self.chunks.take_integer() else { return Ok(None) };
                    let known = flags < flag::LIMIT
                        || matches!(flags, flag::END_OF_NONEXISTENT | flag::END_OF_UNKNOWN);
                    if !known {
                        return Err(violation(format!("flags {flags:#x} are not in draft-18")));
                    }
                    self.item = Partial { flags, ..Partial::default() };
                    Part::Group
                }
                Part::Group => match self.group()? {
                    Some(group) => {
                        self.item.group = group;
                        Part::Subgroup
                    }
                    None => return Ok(None),
                },
                Part::Subgroup => match self.subgroup()? {
                    Some(subgroup) => {
                        self.item.subgroup = subgroup;
                        Part::Object
                    }
                    None => return Ok(None),
                },
                Part::Object => match self.object()? {
                    Some(object) if self.item.flags >= flag::LIMIT => return Ok(Some(self.gap(object))),
                    Some(object) => {
                        self.item.object = object;
                        Part::Priority
                    }
                    None => return Ok(None),
                },
                Part::Priority => {
                    if self.has(flag::PRIORITY) {
                        let Some(byte) = self.chunks.take(1) else { return Ok(None) };
                        self.item.priority = Priority(byte.first().copied().unwrap_or_default());
                    } else {
                        self.item.priority = self.prior.priority.ok_or_else(|| no_prior("priority"))?;
                    }
                    if self.has(flag::PROPERTIES) { Part::PropertiesLength } else { Part::PayloadLength }
                }
                Part::PropertiesLength => {
                    let Some(length) = self.chunks.take_integer() else { return Ok(None) };
                    Part::Properties(within(length, 0, self.limit)?)
                }
                Part::Properties(length) => {
                    let Some(properties) = self.chunks.take(length) else { return Ok(None) };
                    self.item.properties = properties;
                    Part::PayloadLength
                }
                Part::PayloadLength => {
                    let Some(length) = self.chunks.take_integer() else { return Ok(None) };
                    Part::Payload(within(length, self.item.properties.len(), self.limit)?)
                }
                Part::Payload(length) => {
                    let Some(payload) = self.chunks.take(length) else { return Ok(None) };
                    return Ok(Some(self.finish(payload)));
                }
            };
        }
    }

    fn has(&self, flag: u64) -> bool {
        self.item.flags & flag != 0
    }

    fn is_gap(&self) -> bool {
        self.item.flags >= flag::LIMIT
    }

    /// The group; the end of a gap states it as it is, since a gap may end in its own group.
    fn group(&mut self) -> Result<Option<u64>, ObjectError> {
        let prior = self.prior.location.map(|prior| prior.group.0);
        if !self.has(flag::GROUP) {
            return prior.map(Some).ok_or_else(|| no_prior("group"));
        }
        let Some(value) = self.chunks.take_integer() else { return Ok(None) };
        let group = match (prior, self.order) {
            (None, _) => Some(value),
            _ if self.is_gap() => Some(value),
            (Some(prior), GroupOrder::Ascending) => {
                value.checked_add(1).and_then(|step| prior.checked_add(step))
            }
            (Some(prior), GroupOrder::Descending) => {
                value.checked_add(1).and_then(|step| prior.checked_sub(step))
            }
        };
        group.map(Some).ok_or_else(|| violation("a group's ID is below 0 or over 2^64-1"))
    }

    fn subgroup(&mut self) -> Result<Option<u64>, ObjectError> {
        if self.is_gap() || self.has(flag::DATAGRAM) {
            return Ok(Some(0));
        }
        let prior = || self.prior.subgroup.map(|prior| prior.0).ok_or_else(|| no_prior("subgroup"));
        match self.item.flags & flag::SUBGROUP_MODE {
            flag::SUBGROUP_PRESENT => Ok(self.chunks.take_integer()),
            flag::SUBGROUP_PRIOR => prior().map(Some),
            flag::SUBGROUP_NEXT => {
                let next = prior()?.checked_add(1);
                next.map(Some).ok_or_else(|| violation("a subgroup's ID is over 2^64-1"))
            }
            _ => Ok(Some(0)),
        }
    }

    fn object(&mut self) -> Result<Option<u64>, ObjectError> {
        let prior = self.prior.location.map(|prior| prior.object.0);
        let object = if self.has(flag::OBJECT) {
            let Some(value) = self.chunks.take_integer() else { return Ok(None) };
            match prior {
                Some(prior) if !self.has(flag::GROUP) => prior.checked_add(value),
                Some(_) | None => Some(value),
            }
        } else {
            prior.ok_or_else(|| no_prior("object"))?.checked_add(1)
        };
        object.map(Some).ok_or_else(|| violation("an object's ID is over 2^64-1"))
    }

    fn gap(&mut self, object: u64) -> FetchItem {
        let end = Location::new(self.item.group, object);
        self.part = Part::Flags;
        self.prior.location = Some(end);
        FetchItem::Gap { end, nonexistent: self.item.flags == flag::END_OF_NONEXISTENT }
    }

    fn finish(&mut self, payload: Bytes) -> FetchItem {
        let Partial { flags, group, subgroup, object, priority, properties } = std::mem::take(&mut self.item);
        self.part = Part::Flags;
        self.prior = Prior {
            location: Some(Location::new(group, object)),
            // A datagram has no subgroup that the next object could refer to.
            subgroup: (flags & flag::DATAGRAM == 0).then_some(SubgroupId(subgroup)),
            priority: Some(priority),
        };
        let object = Object {
            subgroup: Subgroup {
                group: GroupId(group),
                id: SubgroupId(subgroup),
                priority,
                ends_group: false,
                from_first: false,
            },
            id: ObjectId(object),
            status: Status::Normal,
            properties: Properties(properties),
            payload,
        };
        match flags & flag::DATAGRAM {
            0 => FetchItem::Object(object),
            _ => FetchItem::Datagram(object),
        }
    }
}

fn violation(reason: impl Into<String>) -> ObjectError {
    WireError::violation(format!("fetch: {}", reason.into())).into()
}

fn no_prior(what: &str) -> ObjectError {
    violation(format!("an object takes its {what} from an object before it, and there is none"))
}
