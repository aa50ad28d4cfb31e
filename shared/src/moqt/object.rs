//! What travels in a track: objects, and the ends of the subgroups that carry them.

use bytes::Bytes;

use super::{GroupId, Location, ObjectId, Priority, ResetCode, SubgroupId};

/// What all objects of one subgroup stream share (draft-18 §11.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subgroup {
    /// The group.
    pub group: GroupId,
    /// The subgroup in it.
    pub id: SubgroupId,
    /// The publisher's priority.
    pub priority: Priority,
    /// Whether this subgroup holds the group's last object: its FIN then ends the group.
    pub ends_group: bool,
    /// Whether this is the subgroup's very first object (FIRST_OBJECT, draft-18 §11.4.2). It counts where
    /// it is first on a stream: whoever takes a subgroup up in the middle sees the later ones without it.
    pub from_first: bool,
}

/// Object properties as they stand on the wire, without their length: key-value pairs with
/// delta-coded ascending types (draft-18 §2.5). Empty where there are none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Properties(pub Bytes);

/// Whether an object carries a payload or marks an end (draft-18 §11.2.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Status {
    /// A payload, maybe an empty one.
    #[default]
    Normal,
    /// No object with this ID or a larger one is in the group.
    EndOfGroup,
    /// No object here or after exists in the track.
    EndOfTrack,
}

/// One object, whole. Cloning counts references; the payload is never copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The subgroup that carries it. For a datagram, `id` is 0 and `from_first` false.
    pub subgroup: Subgroup,
    /// The ID in the group.
    pub id: ObjectId,
    /// Payload or end.
    pub status: Status,
    /// The object's properties.
    pub properties: Properties,
    /// The payload; empty for an end.
    pub payload: Bytes,
}

impl Object {
    /// Where in the track it is.
    pub fn location(&self) -> Location {
        Location { group: self.subgroup.group, object: self.id }
    }
}

/// How a subgroup stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubgroupEnd {
    /// All of its objects were delivered.
    Finished,
    /// It was abandoned; objects may be missing.
    Reset(ResetCode),
}

/// What happens in a track, in the order in which a publisher makes it or a subscriber gets it.
/// A relay passes an item on as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An object on its subgroup's stream. Objects of one subgroup come in order.
    Object(Object),
    /// No more objects come on this subgroup's stream.
    End {
        /// The group.
        group: GroupId,
        /// The subgroup in it.
        subgroup: SubgroupId,
        /// Whether that was all.
        end: SubgroupEnd,
    },
    /// An object in a datagram: may be lost or come out of order (draft-18 §11.3.1).
    Datagram(Object),
}
