//! What a fetch gets of a cache (draft-18 §10.12.3): objects in the order that was asked for, and where
//! there may be objects that are not here, the word that they are not known.

use std::time::Instant;

use shared::moqt::{FetchItem, GroupId, GroupOrder, Item, Location, ObjectId, Status};

use super::Cache;

/// What a fetch gets.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::media) struct Answer {
    /// What is sent, in order.
    pub(in crate::media) pieces: Vec<Piece>,
    /// The last location that the answer covers.
    pub(in crate::media) end: Location,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::media) struct Piece {
    /// An object, or the end of a gap.
    pub(in crate::media) item: FetchItem,
    /// After this its object may not be served any more (draft-18 §12.3).
    pub(in crate::media) good_until: Option<Instant>,
}

impl Piece {
    /// Where it stands.
    pub(in crate::media) fn location(&self) -> Location {
        match &self.item {
            FetchItem::Object(object) | FetchItem::Datagram(object) => object.location(),
            FetchItem::Gap { end, .. } => *end,
        }
    }
}

/// Why a fetch gets nothing.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::media) enum Missing {
    /// Nothing was published yet.
    Nothing,
    /// The range ends before it starts, or starts after the newest object.
    Range,
}

impl Cache {
    /// The objects between two locations, both included; an object of `u64::MAX` means to the group's end.
    pub(in crate::media) fn range(
        &self,
        start: Location,
        end: Location,
        order: GroupOrder,
    ) -> Result<Answer, Missing> {
        let largest = self.largest.ok_or(Missing::Nothing)?;
        if start > end || start > largest {
            return Err(Missing::Range);
        }
        let end = end.min(largest);
        let mut groups: Vec<GroupId> =
            self.groups.range(start.group..=end.group).map(|(&id, _)| id).collect();
        let (first, last) = match order {
            GroupOrder::Ascending => (start.group, end),
            GroupOrder::Descending => {
                groups.reverse();
                (end.group, Location { group: start.group, object: ObjectId(u64::MAX) })
            }
        };
        let mut pieces: Vec<Piece> = Vec::new();
        for group in groups {
            for piece in self.objects(group, start, end) {
                let at = piece.location();
                let told = pieces.last().map(Piece::location);
                if told == Some(at) {
                    continue;
                }
                if let Some(before) = before(at, order, told, (first, start))
                    && self.is_unknown(told.map_or(first, |told| told.group), group)
                {
                    pieces.push(unknown(before));
                }
                pieces.push(piece);
            }
        }
        let told = pieces.last().map(Piece::location);
        if told != Some(last) && self.is_unknown(told.map_or(first, |told| told.group), last.group) {
            pieces.push(unknown(last));
        }
        Ok(Answer { pieces, end })
    }

    /// A group's objects by their ID.
    fn objects(&self, group: GroupId, start: Location, end: Location) -> Vec<Piece> {
        let items = self.groups.get(&group).into_iter().flat_map(|group| &group.items);
        let pieces = items.filter_map(|(at, item)| {
            let (object, item) = match item {
                Item::Object(object) => (object, FetchItem::Object(object.clone())),
                Item::Datagram(object) => (object, FetchItem::Datagram(object.clone())),
                Item::End { .. } => return None,
            };
            let is_asked = object.status == Status::Normal && (start..=end).contains(&object.location());
            is_asked.then(|| Piece { item, good_until: self.good_for.map(|good_for| *at + good_for) })
        });
        let mut pieces: Vec<Piece> = pieces.collect();
        pieces.sort_by_key(Piece::location);
        pieces
    }

    /// Whether a group from one to the other may hold objects that are not here.
    fn is_unknown(&self, one: GroupId, other: GroupId) -> bool {
        let (Some(known), Some(arrived)) = (self.known_from, self.arrived) else { return true };
        let groups = one.min(other)..=one.max(other);
        *groups.start() < known.group
            || *groups.end() > arrived.group
            || (known.object.0 > 0 && groups.contains(&known.group))
            || (self.is_behind() && groups.contains(&arrived.group))
            || self.groups.range(groups).any(|(_, group)| group.is_cut || group.is_broken)
    }
}

/// The location before an object in the order of the answer; `None` where the object follows what was told,
/// or is the first that was asked for.
fn before(
    at: Location,
    order: GroupOrder,
    told: Option<Location>,
    (first, start): (GroupId, Location),
) -> Option<Location> {
    let object = at.object.0.checked_sub(1).map(|object| Location { object: ObjectId(object), ..at });
    let before = object.or_else(|| {
        let group = match order {
            GroupOrder::Ascending => at.group.0.checked_sub(1),
            GroupOrder::Descending => at.group.0.checked_add(1),
        };
        Some(Location { group: GroupId(group?), object: ObjectId(u64::MAX) })
    });
    let is_first = match told {
        Some(told) => before == Some(told),
        None if at.group != first => false,
        None if at.group == start.group => at.object <= start.object,
        None => at.object == ObjectId(0),
    };
    before.filter(|_| !is_first)
}

fn unknown(end: Location) -> Piece {
    Piece { item: FetchItem::Gap { end, nonexistent: false }, good_until: None }
}
