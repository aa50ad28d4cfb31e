//! What the cases say, in the codec's types.

use moqtap_codec::{
    draft18::data_stream::{DatagramHeader, SubgroupHeader, SubgroupObject},
    kvp::{KeyValuePair, KvpValue},
    types::TrackNamespace,
    varint::{Moqt18, VarInt},
};

/// EXPIRES (draft-18 §10.2.10), in milliseconds.
pub(super) const EXPIRES: u64 = 0x08;
/// LARGEST_OBJECT (draft-18 §10.2.11).
pub(super) const LARGEST_OBJECT: u64 = 0x09;
/// FORWARD (draft-18 §10.2.12).
pub(super) const FORWARD: u64 = 0x10;
/// SUBSCRIBER_PRIORITY (draft-18 §10.2.7).
pub(super) const SUBSCRIBER_PRIORITY: u64 = 0x20;
/// GROUP_ORDER (draft-18 §10.2.8).
pub(super) const GROUP_ORDER: u64 = 0x22;

/// A number on the wire.
pub(super) fn var(value: u64) -> VarInt {
    VarInt::from_u64_moqt(value)
}

/// A namespace from its fields, joined by slashes.
pub(super) fn namespace(path: &str) -> TrackNamespace {
    TrackNamespace(path.split('/').filter(|field| !field.is_empty()).map(|field| field.into()).collect())
}

/// A parameter or property that is a number.
pub(super) fn number(key: u64, value: u64) -> KeyValuePair {
    KeyValuePair { key: var(key), value: KvpValue::Varint(var(value)) }
}

/// A parameter or property that is bytes.
pub(super) fn bytes(key: u64, value: &[u8]) -> KeyValuePair {
    KeyValuePair { key: var(key), value: KvpValue::Bytes(value.to_vec()) }
}

/// A parameter that is a location.
pub(super) fn location(key: u64, group: u64, object: u64) -> KeyValuePair {
    let mut value = Vec::new();
    var(group).encode_moqt::<Moqt18>(&mut value);
    var(object).encode_moqt::<Moqt18>(&mut value);
    bytes(key, &value)
}

/// The bits of a subgroup's type (draft-18 §11.4.2).
pub(super) mod subgroup {
    /// A subgroup, whose ID is 0.
    pub(crate) const PLAIN: u8 = 0x10;
    /// Its objects have properties.
    pub(crate) const PROPERTIES: u8 = 0x01;
    /// Its ID stands in the header.
    pub(crate) const WITH_ID: u8 = 0x04;
    /// It has the last object of its group.
    pub(crate) const ENDS_GROUP: u8 = 0x08;
    /// Its priority is the track's.
    pub(crate) const DEFAULT_PRIORITY: u8 = 0x20;
    /// It begins with its first object.
    pub(crate) const FROM_FIRST: u8 = 0x40;
}

/// A whole subgroup 0 with a priority and without properties.
pub(super) fn group(alias: u64, group: u64) -> SubgroupHeader {
    SubgroupHeader {
        header_type: subgroup::PLAIN | subgroup::FROM_FIRST | subgroup::ENDS_GROUP,
        track_alias: var(alias),
        group_id: var(group),
        subgroup_id: var(0),
        publisher_priority: Some(64),
    }
}

/// An object of a subgroup, without properties.
pub(super) fn object(id: u64, payload: impl Into<Vec<u8>>) -> SubgroupObject {
    let payload = payload.into();
    SubgroupObject {
        object_id: var(id),
        extension_headers: Vec::new(),
        payload_length: var(payload.len() as u64),
        object_status: None,
        payload,
    }
}

/// An object in a datagram, of the type given by its bits.
pub(super) fn datagram(datagram_type: u8, alias: u64, group: u64, object: u64) -> DatagramHeader {
    DatagramHeader {
        datagram_type,
        track_alias: var(alias),
        group_id: var(group),
        object_id: var(object),
        publisher_priority: Some(32),
        properties: Vec::new(),
        object_status: None,
    }
}
