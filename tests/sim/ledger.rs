//! What was published, and whether what arrives is that.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes, BytesMut};
use shared::moqt::{
    FetchItem, Filter, GroupId, Item, Location, Object, ObjectId, Properties, Status, SubgroupEnd,
    SubgroupId, TrackName,
};

/// Bytes at the front of a payload that say where it belongs.
pub(crate) const STAMP: usize = 17;

/// Whether an object travels alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Stream,
    Datagram,
}

/// All objects that were published. Several publishers may publish under one name, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<TrackName, Vec<(u8, Track)>>);

#[derive(Debug, Default)]
struct Track {
    objects: BTreeMap<Location, (By, Object)>,
    subgroups: BTreeMap<(GroupId, SubgroupId), BTreeSet<ObjectId>>,
}

/// A payload of so many bytes that only this object has.
pub(crate) fn payload(publisher: u8, at: Location, bytes: usize) -> Bytes {
    let mut payload = BytesMut::with_capacity(bytes);
    if bytes >= STAMP {
        payload.put_u8(publisher);
        payload.put_u64(at.group.0);
        payload.put_u64(at.object.0);
    }
    payload.resize(bytes, (at.group.0 * 31 + at.object.0 * 7) as u8 ^ publisher);
    payload.freeze()
}

/// Properties that only this object has: an even type's value is a number.
pub(crate) fn properties(at: Location) -> Properties {
    match (at.group.0 + at.object.0) % 3 {
        0 => Properties::default(),
        odd => Properties(Bytes::copy_from_slice(&[0x10 * odd as u8, (at.object.0 % 64) as u8])),
    }
}

impl Ledger {
    pub(crate) fn publish(&mut self, publisher: u8, name: &TrackName, item: &Item) {
        let tracks = self.0.entry(name.clone()).or_default();
        let track = match tracks.iter().position(|(known, _)| *known == publisher) {
            Some(at) => &mut tracks[at].1,
            None => {
                tracks.push((publisher, Track::default()));
                &mut tracks.last_mut().expect("just pushed").1
            }
        };
        let (by, object) = match item {
            Item::Object(object) => (By::Stream, object),
            Item::Datagram(object) => (By::Datagram, object),
            Item::End { .. } => return,
        };
        let of_subgroup = (object.subgroup.group, object.subgroup.id);
        if by == By::Stream {
            track.subgroups.entry(of_subgroup).or_default().insert(object.id);
        }
        track.objects.insert(object.location(), (by, object.clone()));
    }

    /// Whether this very object was published, and how.
    fn find(&self, name: &TrackName, object: &Object) -> Result<(u8, By), String> {
        let at = object.location();
        let mut why = format!("{name} {at} was never published");
        for (publisher, track) in self.0.get(name).into_iter().flatten() {
            let Some((by, published)) = track.objects.get(&at) else { continue };
            let same = published.payload == object.payload
                && published.properties == object.properties
                && published.status == object.status
                && published.subgroup.priority == object.subgroup.priority;
            if same {
                return Ok((*publisher, *by));
            }
            why = format!("{name} {at} is not what was published: {object:?} and not {published:?}");
        }
        Err(why)
    }

    fn subgroup(&self, name: &TrackName, publisher: u8, of: (GroupId, SubgroupId)) -> BTreeSet<ObjectId> {
        let tracks = self.0.get(name).into_iter().flatten();
        let track = tracks.filter(|(known, _)| *known == publisher).map(|(_, track)| track).next();
        track.and_then(|track| track.subgroups.get(&of)).cloned().unwrap_or_default()
    }
}

/// What one subscription got so far.
#[derive(Debug)]
pub(crate) struct Receipt {
    name: TrackName,
    first: Location,
    last: Option<GroupId>,
    /// The last location of a fetch.
    limit: Option<Location>,
    seen: BTreeSet<Location>,
    subgroups: BTreeMap<(GroupId, SubgroupId), Subgroup>,
}

#[derive(Debug, Default)]
struct Subgroup {
    publisher: u8,
    from_first: bool,
    ids: Vec<ObjectId>,
}

impl Receipt {
    /// For a subscription that was granted at `largest`.
    pub(crate) fn new(name: TrackName, filter: Filter, largest: Option<Location>) -> Self {
        let next = |at: Location| Location::new(at.group.0, at.object.0 + 1);
        let next_group = |at: Location| Location::new(at.group.0 + 1, 0);
        let (first, last) = match filter {
            Filter::Unfiltered => (Location::default(), None),
            Filter::LargestObject => (largest.map(next).unwrap_or_default(), None),
            Filter::NextGroupStart => (largest.map(next_group).unwrap_or_default(), None),
            Filter::AbsoluteStart(start) => (start, None),
            Filter::AbsoluteRange(start, end) => (start, Some(end)),
        };
        Self { name, first, last, limit: None, seen: BTreeSet::new(), subgroups: BTreeMap::new() }
    }

    /// For a fetch of a range.
    pub(crate) fn of_range(name: TrackName, first: Location, last: Location) -> Self {
        Self { limit: Some(last), ..Self::new(name, Filter::AbsoluteRange(first, last.group), None) }
    }

    /// Takes what a subscription delivered.
    pub(crate) fn item(&mut self, ledger: &Ledger, item: &Item) -> Result<(), String> {
        match item {
            Item::Object(object) => {
                let publisher = self.object(ledger, object, By::Stream)?;
                let of = (object.subgroup.group, object.subgroup.id);
                let subgroup = self.subgroups.entry(of).or_insert_with(|| Subgroup {
                    publisher,
                    from_first: object.subgroup.from_first,
                    ids: Vec::new(),
                });
                if subgroup.ids.last().is_some_and(|last| *last >= object.id) {
                    return Err(format!("{} {} came after {:?}", self.name, object.location(), subgroup.ids));
                }
                subgroup.ids.push(object.id);
                Ok(())
            }
            Item::Datagram(object) => self.object(ledger, object, By::Datagram).map(drop),
            Item::End { group, subgroup, end } => self.end(ledger, (*group, *subgroup), *end),
        }
    }

    /// Takes what a fetch delivered: any object, in ascending order.
    pub(crate) fn fetched(&mut self, ledger: &Ledger, item: &FetchItem) -> Result<(), String> {
        let (object, by) = match item {
            FetchItem::Object(object) => (object, By::Stream),
            FetchItem::Datagram(object) => (object, By::Datagram),
            FetchItem::Gap { .. } => return Ok(()),
        };
        if self.seen.last().is_some_and(|last| *last >= object.location()) {
            return Err(format!("{} {} was fetched out of order", self.name, object.location()));
        }
        self.object(ledger, object, by).map(drop)
    }

    fn object(&mut self, ledger: &Ledger, object: &Object, by: By) -> Result<u8, String> {
        let at = object.location();
        let (publisher, published) = ledger.find(&self.name, object)?;
        if published != by {
            return Err(format!("{} {at} was published by {published:?} and came by {by:?}", self.name));
        }
        let is_past = self.last.is_some_and(|last| at.group > last) || self.limit.is_some_and(|end| at > end);
        if at < self.first || is_past {
            return Err(format!("{} {at} is not in {}..{:?}", self.name, self.first, self.last));
        }
        if !self.seen.insert(at) {
            return Err(format!("{} {at} came twice", self.name));
        }
        Ok(publisher)
    }

    /// A FIN says that all is there: from the first object on, or from where the stream began.
    fn end(&mut self, ledger: &Ledger, of: (GroupId, SubgroupId), end: SubgroupEnd) -> Result<(), String> {
        let Some(got) = self.subgroups.get(&of) else { return Ok(()) };
        let mut all = ledger.subgroup(&self.name, got.publisher, of);
        if !got.from_first {
            all.retain(|id| got.ids.first().is_some_and(|first| id >= first));
        }
        if end == SubgroupEnd::Finished && !all.iter().eq(&got.ids) {
            return Err(format!(
                "{} group {} subgroup {} ended whole with {:?} of {all:?}",
                self.name, of.0, of.1, got.ids
            ));
        }
        Ok(())
    }

    /// All that came.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &Location> {
        self.seen.iter()
    }

    /// Whether a location came already.
    pub(crate) fn has(&self, at: Location) -> bool {
        self.seen.contains(&at)
    }
}

/// Whether an object only marks an end.
pub(crate) fn is_mark(object: &Object) -> bool {
    object.status != Status::Normal
}
