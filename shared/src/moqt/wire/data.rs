//! Subgroup streams (draft-18 §11.4).

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use super::{
    ObjectError, RequestId, TrackAlias, WireError,
    chunks::Chunks,
    control::SETUP,
    fetch::FETCH_HEADER,
    field::{integer_length, peek_integer, put_bytes, put_integer},
    padding,
};
use crate::moqt::{GroupId, Object, ObjectId, Priority, Properties, Status, Subgroup, SubgroupId};

/// Bits of a subgroup header's type (draft-18 §11.4.2).
mod bit {
    pub(super) const PROPERTIES: u64 = 0x01;
    pub(super) const SUBGROUP_FIRST_OBJECT: u64 = 0x02;
    pub(super) const SUBGROUP_PRESENT: u64 = 0x04;
    pub(super) const SUBGROUP_MODE: u64 = 0x06;
    pub(super) const END_OF_GROUP: u64 = 0x08;
    pub(super) const SUBGROUP_HEADER: u64 = 0x10;
    pub(super) const DEFAULT_PRIORITY: u64 = 0x20;
    pub(super) const FIRST_OBJECT: u64 = 0x40;
}

/// How a unidirectional stream begins (draft-18 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamHeader {
    /// The peer's control stream. Its SETUP message is left in the input: its type is the stream's.
    Control,
    /// A subgroup of a track.
    Subgroup(SubgroupHeader),
    /// The answer to a FETCH.
    Fetch(RequestId),
    /// Padding, to be read and forgotten.
    Padding,
}

impl StreamHeader {
    /// Takes the header off the front of `input`; `Ok(None)` where it is not whole yet.
    ///
    /// # Errors
    /// [`WireError`] for a stream type or header that breaks the draft.
    pub fn decode(input: &mut BytesMut) -> Result<Option<Self>, WireError> {
        let mut cursor = Cursor { input, taken: 0 };
        let Some(kind) = cursor.integer() else { return Ok(None) };
        let header = match kind {
            SETUP => return Ok(Some(Self::Control)),
            padding::STREAM => Some(Self::Padding),
            FETCH_HEADER => cursor.integer().map(|request| Self::Fetch(RequestId(request))),
            kind if SubgroupHeader::is_type(kind) => {
                SubgroupHeader::decode(kind, &mut cursor).map(Self::Subgroup)
            }
            other => {
                return Err(WireError::violation(format!("a stream of type {other:#x} is not in draft-18")));
            }
        };
        let taken = cursor.taken;
        if header.is_some() {
            input.advance(taken);
        }
        Ok(header)
    }
}

/// Reads fields that may not be whole yet, taking none.
struct Cursor<'a> {
    input: &'a [u8],
    taken: usize,
}

impl Cursor<'_> {
    fn integer(&mut self) -> Option<u64> {
        let (value, length) = peek_integer(self.input.get(self.taken..)?)?;
        self.taken += length;
        Some(value)
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.input.get(self.taken)?;
        self.taken += 1;
        Some(byte)
    }

    /// Bytes that are needed before the next integer can be read.
    fn needed(&self) -> usize {
        self.taken + self.input.get(self.taken).map_or(1, |&first| integer_length(first))
    }
}

/// SUBGROUP_HEADER (draft-18 §11.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubgroupHeader {
    /// The track.
    pub alias: TrackAlias,
    /// The group.
    pub group: GroupId,
    /// The subgroup; `None`: the first object's ID.
    pub subgroup: Option<SubgroupId>,
    /// The publisher's priority; `None`: the track's default.
    pub priority: Option<Priority>,
    /// Whether it holds the group's last object.
    pub ends_group: bool,
    /// Whether it begins with the subgroup's first object.
    pub from_first: bool,
    /// Whether objects have a properties field.
    pub has_properties: bool,
}

impl SubgroupHeader {
    /// Whether a stream type is one of a subgroup: 0b0XX1XXXX without the reserved mode 0b11.
    fn is_type(kind: u64) -> bool {
        kind < 0x80 && kind & bit::SUBGROUP_HEADER != 0 && kind & bit::SUBGROUP_MODE != bit::SUBGROUP_MODE
    }

    fn decode(kind: u64, cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            alias: TrackAlias(cursor.integer()?),
            group: GroupId(cursor.integer()?),
            subgroup: match kind & bit::SUBGROUP_MODE {
                bit::SUBGROUP_PRESENT => Some(SubgroupId(cursor.integer()?)),
                bit::SUBGROUP_FIRST_OBJECT => None,
                _ => Some(SubgroupId(0)),
            },
            priority: match kind & bit::DEFAULT_PRIORITY {
                0 => Some(Priority(cursor.byte()?)),
                _ => None,
            },
            ends_group: kind & bit::END_OF_GROUP != 0,
            from_first: kind & bit::FIRST_OBJECT != 0,
            has_properties: kind & bit::PROPERTIES != 0,
        })
    }

    /// Appends it.
    pub fn encode(&self, output: &mut BytesMut) {
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        let mode = match self.subgroup {
            Some(SubgroupId(0)) => 0,
            Some(_) => bit::SUBGROUP_PRESENT,
            None => bit::SUBGROUP_FIRST_OBJECT,
        };
        let kind = bit::SUBGROUP_HEADER
            | mode
            | flag(self.has_properties, bit::PROPERTIES)
            | flag(self.ends_group, bit::END_OF_GROUP)
            | flag(self.priority.is_none(), bit::DEFAULT_PRIORITY)
            | flag(self.from_first, bit::FIRST_OBJECT);
        put_integer(kind, output);
        put_integer(self.alias.0, output);
        put_integer(self.group.0, output);
        if let Some(SubgroupId(id @ 1..)) = self.subgroup {
            put_integer(id, output);
        }
        if let Some(Priority(priority)) = self.priority {
            output.extend_from_slice(&[priority]);
        }
    }
}

/// An object's status on the wire (draft-18 §11.2.1.1).
pub(super) fn status_code(status: Status) -> u64 {
    match status {
        Status::Normal => 0,
        Status::EndOfGroup => 3,
        Status::EndOfTrack => 4,
    }
}

/// The status that a code stands for.
pub(super) fn status_of(code: u64) -> Result<Status, WireError> {
    match code {
        0 => Ok(Status::Normal),
        3 => Ok(Status::EndOfGroup),
        4 => Ok(Status::EndOfTrack),
        other => Err(WireError::violation(format!("object status {other:#x} is not in draft-18"))),
    }
}

/// Appends what stands before an object's payload on a subgroup stream: ID delta to `previous`, which
/// is smaller, properties where the header has them, payload length or status. The payload itself
/// follows as it is. Properties are left out where the header says that there are none, and for an end.
pub fn encode_object_header(
    previous: Option<ObjectId>,
    header: &SubgroupHeader,
    object: &Object,
    output: &mut BytesMut,
) {
    let delta = match previous {
        Some(previous) => object.id.0.saturating_sub(previous.0).saturating_sub(1),
        None => object.id.0,
    };
    put_integer(delta, output);
    if header.has_properties {
        match object.status {
            Status::Normal => put_bytes(&object.properties.0, output),
            Status::EndOfGroup | Status::EndOfTrack => put_integer(0, output),
        }
    }
    match object.status {
        Status::Normal if !object.payload.is_empty() => put_integer(object.payload.len() as u64, output),
        Status::Normal | Status::EndOfGroup | Status::EndOfTrack => {
            put_integer(0, output);
            put_integer(status_code(object.status), output);
        }
    }
}

/// Reads the objects of one subgroup stream from bytes as they come, without copying payloads that
/// came in one piece. Keeps what has come of an unfinished object, at most its limit, provided that
/// [`next`](Self::next) is called until it has none after each [`push`](Self::push). After an error it
/// takes no more and gives the same error again.
#[derive(Debug)]
pub struct ObjectReader {
    chunks: Chunks,
    header: SubgroupHeader,
    priority: Priority,
    limit: usize,
    subgroup: Option<SubgroupId>,
    previous: Option<ObjectId>,
    /// Of the last object: nothing may follow one that is an end.
    status: Status,
    /// Bytes that the next head needs at least.
    needed: usize,
    /// Of the object whose payload is still to come.
    head: Option<Head>,
    failed: Option<ObjectError>,
}

/// What stands before an object's payload.
#[derive(Debug)]
struct Head {
    id: ObjectId,
    status: Status,
    properties: Bytes,
    /// Bytes of the payload.
    payload: usize,
}

/// What can be said of the bytes of a head.
enum Parsed {
    /// It is here: its parts, and its length.
    Whole { id: ObjectId, status: Status, properties: Range<usize>, payload: usize, length: usize },
    /// It is cut short: so many bytes are needed at least.
    Needs(usize),
}

impl ObjectReader {
    /// For a subgroup stream. `default_priority` is the track's, for a header without one.
    pub fn subgroup(header: SubgroupHeader, default_priority: Priority, max_object_bytes: usize) -> Self {
        Self {
            chunks: Chunks::default(),
            header,
            priority: header.priority.unwrap_or(default_priority),
            limit: max_object_bytes,
            subgroup: header.subgroup,
            previous: None,
            status: Status::Normal,
            needed: 1,
            head: None,
            failed: None,
        }
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: Bytes) {
        if self.failed.is_none() {
            self.chunks.push(bytes);
        }
    }

    /// The next whole object.
    ///
    /// # Errors
    /// [`ObjectError`] for bytes that break the draft or an object over the limit, properties included.
    #[expect(clippy::should_implement_trait, reason = "an iterator that has ended does not begin again")]
    pub fn next(&mut self) -> Result<Option<Object>, ObjectError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.advance().inspect_err(|error| {
            self.failed = Some(error.clone());
            self.chunks.clear();
        })
    }

    /// Whether the stream may end here: no half object is kept.
    pub fn is_between_objects(&self) -> bool {
        self.head.is_none() && self.chunks.is_empty()
    }

    /// Whether a part of an object's payload is here, and not all of it.
    pub fn is_in_payload(&self) -> bool {
        self.head.is_some() && !self.chunks.is_empty()
    }

    /// The last object that came; `None` before the first.
    pub fn last(&self) -> Option<(ObjectId, Status)> {
        self.previous.map(|id| (id, self.status))
    }

    fn advance(&mut self) -> Result<Option<Object>, ObjectError> {
        let head = match self.head.take() {
            Some(head) => head,
            None => match self.take_head()? {
                Some(head) => head,
                None => return Ok(None),
            },
        };
        match self.chunks.take(head.payload) {
            Some(payload) => Ok(Some(self.finish(head, payload))),
            None => {
                self.head = Some(head);
                Ok(None)
            }
        }
    }

    fn take_head(&mut self) -> Result<Option<Head>, ObjectError> {
        while self.chunks.gather(self.needed) {
            match self.parse(self.chunks.front())? {
                Parsed::Needs(bytes) => self.needed = bytes,
                Parsed::Whole { id, status, properties, payload, length } => {
                    let properties = self.chunks.slice(properties);
                    self.chunks.advance(length);
                    self.needed = 1;
                    return Ok(Some(Head { id, status, properties, payload }));
                }
            }
        }
        Ok(None)
    }

    /// Reads a head from the front of `bytes`; what is wrong in it is found as soon as it is there.
    fn parse(&self, bytes: &[u8]) -> Result<Parsed, ObjectError> {
        let mut cursor = Cursor { input: bytes, taken: 0 };
        let Some(delta) = cursor.integer() else { return Ok(Parsed::Needs(cursor.needed())) };
        let id = self.identify(delta)?;
        let mut properties = 0..0;
        if self.header.has_properties {
            let Some(length) = cursor.integer() else { return Ok(Parsed::Needs(cursor.needed())) };
            properties = cursor.taken..cursor.taken + within(length, 0, self.limit)?;
            cursor.taken = properties.end;
        }
        let Some(length) = cursor.integer() else { return Ok(Parsed::Needs(cursor.needed())) };
        let payload = within(length, properties.len(), self.limit)?;
        let mut status = Status::Normal;
        if payload == 0 {
            let Some(code) = cursor.integer() else { return Ok(Parsed::Needs(cursor.needed())) };
            status = status_of(code)?;
            if status != Status::Normal && !properties.is_empty() {
                return Err(WireError::violation("an object that is an end has properties").into());
            }
        }
        Ok(Parsed::Whole { id, status, properties, payload, length: cursor.taken })
    }

    fn identify(&self, delta: u64) -> Result<ObjectId, WireError> {
        if self.status != Status::Normal {
            return Err(WireError::violation("an object follows the one that ends its group or track"));
        }
        let id = match self.previous {
            None => Some(delta),
            Some(ObjectId(previous)) => previous.checked_add(1).and_then(|next| next.checked_add(delta)),
        };
        id.map(ObjectId).ok_or_else(|| WireError::violation("an object's ID is over 2^64-1"))
    }

    fn finish(&mut self, head: Head, payload: Bytes) -> Object {
        let Head { id, status, properties, .. } = head;
        let is_first = self.previous.replace(id).is_none();
        self.status = status;
        Object {
            subgroup: Subgroup {
                group: self.header.group,
                id: *self.subgroup.get_or_insert(SubgroupId(id.0)),
                priority: self.priority,
                ends_group: self.header.ends_group,
                from_first: self.header.from_first && is_first,
            },
            id,
            status,
            properties: Properties(properties),
            payload,
        }
    }
}

/// A length that together with `before` keeps to the limit.
pub(super) fn within(length: u64, before: usize, limit: usize) -> Result<usize, ObjectError> {
    let bytes = length.saturating_add(before as u64);
    match usize::try_from(length) {
        Ok(length) if bytes <= limit as u64 => Ok(length),
        _ => Err(ObjectError::TooLarge { bytes, limit }),
    }
}
