//! Datagrams (draft-18 §11.3, §11.5.2).

use bytes::{Bytes, BytesMut};

use super::{
    TrackAlias, WireError,
    data::{status_code, status_of},
    field::{Fields, put_bytes, put_integer},
    padding,
};
use crate::moqt::{GroupId, Object, ObjectId, Priority, Properties, Status, Subgroup, SubgroupId};

/// Bits of an object datagram's type (draft-18 §11.3.1).
mod bit {
    pub(super) const PROPERTIES: u64 = 0x01;
    pub(super) const END_OF_GROUP: u64 = 0x02;
    pub(super) const ZERO_OBJECT_ID: u64 = 0x04;
    pub(super) const DEFAULT_PRIORITY: u64 = 0x08;
    pub(super) const STATUS: u64 = 0x20;
    pub(super) const ALL: u64 = 0x2f;
}

/// A datagram (draft-18 §11.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datagram {
    /// An object; `priority` is `None` for the track's default.
    Object {
        /// The track.
        alias: TrackAlias,
        /// Whether it states its priority.
        priority: Option<Priority>,
        /// The object; its subgroup's priority is to be set where `priority` is `None`.
        object: Object,
    },
    /// Padding.
    Padding,
}

impl Datagram {
    /// Reads a datagram; the payload shares its memory.
    ///
    /// # Errors
    /// [`WireError`] where it breaks the draft.
    pub fn decode(input: Bytes) -> Result<Self, WireError> {
        let mut fields = Fields::new("datagram", input);
        let kind = fields.integer("type")?;
        if kind == padding::DATAGRAM {
            return Ok(Self::Padding);
        }
        let has = |bit: u64| kind & bit != 0;
        if kind & !bit::ALL != 0 || (has(bit::STATUS) && has(bit::END_OF_GROUP)) {
            return Err(fields.violation(format_args!("type {kind:#x} is not in draft-18")));
        }
        let alias = TrackAlias(fields.integer("track alias")?);
        let group = GroupId(fields.integer("group ID")?);
        let id = if has(bit::ZERO_OBJECT_ID) { 0 } else { fields.integer("object ID")? };
        let priority = match has(bit::DEFAULT_PRIORITY) {
            true => None,
            false => Some(Priority(fields.byte("publisher priority")?)),
        };
        let properties = match has(bit::PROPERTIES) {
            true => fields.bytes("properties", usize::MAX)?,
            false => Bytes::new(),
        };
        if has(bit::PROPERTIES) && properties.is_empty() {
            return Err(fields.violation("it says that it has properties and has none"));
        }
        let status = if has(bit::STATUS) {
            let status = status_of(fields.integer("object status")?)?;
            fields.end()?;
            status
        } else {
            Status::Normal
        };
        if status != Status::Normal && !properties.is_empty() {
            return Err(fields.violation("an object that is an end has properties"));
        }
        let subgroup = Subgroup {
            group,
            id: SubgroupId(0),
            priority: priority.unwrap_or_default(),
            ends_group: has(bit::END_OF_GROUP),
            from_first: false,
        };
        let properties = Properties(properties);
        let object = Object { subgroup, id: ObjectId(id), status, properties, payload: fields.rest() };
        Ok(Self::Object { alias, priority, object })
    }
}

/// An object as a datagram, with its priority. An end leaves out its properties.
pub fn encode_datagram(alias: TrackAlias, object: &Object) -> Bytes {
    let mut output = BytesMut::with_capacity(48 + object.properties.0.len() + object.payload.len());
    put_datagram(alias, object, &mut output);
    output.freeze()
}

/// Appends an object as a datagram, as [`encode_datagram`] does.
pub fn put_datagram(alias: TrackAlias, object: &Object, output: &mut BytesMut) {
    let Object { subgroup, id, status, properties, payload } = object;
    let is_normal = *status == Status::Normal;
    let flag = |set: bool, bit: u64| if set { bit } else { 0 };
    let has_properties = is_normal && !properties.0.is_empty();
    let kind = flag(has_properties, bit::PROPERTIES)
        | flag(is_normal && subgroup.ends_group, bit::END_OF_GROUP)
        | flag(id.0 == 0, bit::ZERO_OBJECT_ID)
        | flag(!is_normal, bit::STATUS);
    put_integer(kind, output);
    put_integer(alias.0, output);
    put_integer(subgroup.group.0, output);
    if id.0 != 0 {
        put_integer(id.0, output);
    }
    output.extend_from_slice(&[subgroup.priority.0]);
    if has_properties {
        put_bytes(&properties.0, output);
    }
    match is_normal {
        true => output.extend_from_slice(payload),
        false => put_integer(status_code(*status), output),
    }
}
