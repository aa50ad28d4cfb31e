//! Objects and their headers as JSON (draft-pardue-moq-qlog-moq-events-07, MOQT Events).

use serde_json::{Map, Value, json};

use super::message::properties;
use crate::moqt::{
    Object, ObjectId, Priority, Status, SubgroupId,
    wire::{FetchItem, SubgroupHeader},
};

/// A datagram. `priority` is `None` where it has the track's.
pub(super) fn datagram(alias: u64, priority: Option<Priority>, object: &Object) -> Value {
    let mut data = Map::new();
    data.insert("track_alias".into(), alias.into());
    data.insert("group_id".into(), object.subgroup.group.0.into());
    data.insert("object_id".into(), object.id.0.into());
    put(&mut data, "publisher_priority", priority.map(|priority| priority.0.into()));
    put_properties(&mut data, object);
    put(&mut data, "object_status", status(object));
    data.insert("object_payload".into(), json!({ "length": object.payload.len() }));
    data.insert("end_of_group".into(), object.subgroup.ends_group.into());
    Value::Object(data)
}

/// SUBGROUP_HEADER.
pub(super) fn subgroup_header(stream: u64, header: &SubgroupHeader) -> Value {
    let mode = match header.subgroup {
        Some(SubgroupId(0)) => 0,
        None => 1,
        Some(_) => 2,
    };
    let mut data = Map::new();
    data.insert("stream_id".into(), stream.into());
    data.insert("track_alias".into(), header.alias.0.into());
    data.insert("group_id".into(), header.group.0.into());
    data.insert("subgroup_id_mode".into(), mode.into());
    put(&mut data, "subgroup_id", header.subgroup.map(|id| id.0.into()));
    put(&mut data, "publisher_priority", header.priority.map(|priority| priority.0.into()));
    data.insert("contains_end_of_group".into(), header.ends_group.into());
    data.insert("properties_present".into(), header.has_properties.into());
    Value::Object(data)
}

/// An object on a subgroup's stream, after the one of the ID `previous`.
pub(super) fn subgroup_object(
    stream: u64,
    previous: Option<ObjectId>,
    header: &SubgroupHeader,
    object: &Object,
) -> Value {
    let delta =
        previous.map_or(object.id.0, |previous| object.id.0.saturating_sub(previous.0).saturating_sub(1));
    let mut data = Map::new();
    data.insert("stream_id".into(), stream.into());
    data.insert("object_id_delta".into(), delta.into());
    // Not in the draft, which allows for more: a person reads IDs more easily than deltas.
    data.insert("group_id".into(), header.group.0.into());
    data.insert("object_id".into(), object.id.0.into());
    put_properties(&mut data, object);
    data.insert("object_payload_length".into(), object.payload.len().into());
    put(&mut data, "object_status", status(object));
    Value::Object(data)
}

/// What a fetch's stream holds.
pub(super) fn fetch_object(stream: u64, item: &FetchItem) -> Value {
    let mut data = Map::new();
    data.insert("stream_id".into(), stream.into());
    let (is_datagram, object, gap) = match item {
        FetchItem::Object(object) => (false, Some(object), None),
        FetchItem::Datagram(object) => (true, Some(object), None),
        FetchItem::Gap { end, nonexistent } => (false, None, Some((*end, *nonexistent))),
    };
    data.insert("datagram".into(), is_datagram.into());
    data.insert("end_of_nonexistent_range".into(), gap.is_some_and(|(_, nonexistent)| nonexistent).into());
    data.insert("end_of_unknown_range".into(), gap.is_some_and(|(_, nonexistent)| !nonexistent).into());
    let location = object.map(Object::location).or(gap.map(|(end, _)| end));
    put(&mut data, "group_id", location.map(|location| location.group.0.into()));
    let subgroup = object.filter(|_| !is_datagram).map(|object| object.subgroup.id.0.into());
    put(&mut data, "subgroup_id", subgroup);
    put(&mut data, "object_id", location.map(|location| location.object.0.into()));
    put(&mut data, "publisher_priority", object.map(|object| object.subgroup.priority.0.into()));
    if let Some(object) = object {
        put_properties(&mut data, object);
    }
    data.insert("object_payload_length".into(), object.map_or(0, |object| object.payload.len()).into());
    Value::Object(data)
}

fn put(data: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    data.extend(value.map(|value| (name.to_owned(), value)));
}

fn put_properties(data: &mut Map<String, Value>, object: &Object) {
    if !object.properties.0.is_empty() {
        data.insert("properties_length".into(), object.properties.0.len().into());
        data.insert("properties".into(), properties(&object.properties));
    }
}

/// The wire's number of an end (draft-18 §11.2.1.1).
fn status(object: &Object) -> Option<Value> {
    match object.status {
        Status::Normal => None,
        Status::EndOfGroup => Some(3.into()),
        Status::EndOfTrack => Some(4.into()),
    }
}
