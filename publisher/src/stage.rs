//! What is on air: each track with its newest group so far. Pure.
//!
//! A subscriber gets the newest group from its object 0, so that it need not wait for the next key frame;
//! so does one that comes back after the relay was away.

use bytes::Bytes;
use shared::moqt::{
    FetchWriter, GroupId, Item, Location, Object, ObjectId, Properties, SubgroupEnd, SubscribeOk,
    wire::TrackProperties,
};

/// Number of a track on the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TrackIndex(pub(crate) usize);

/// All tracks of a broadcast.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    tracks: Vec<Track>,
}

#[derive(Debug)]
pub(crate) struct Track {
    name: Bytes,
    properties: Properties,
    largest: Option<Location>,
    newest: Vec<Item>,
    newest_bytes: usize,
}

/// Whether a track makes a new group when it is asked for one (draft-18 DYNAMIC_GROUPS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewGroups {
    OnRequest,
    AtWill,
}

impl Stage {
    /// Puts a track on the stage.
    pub(crate) fn add(&mut self, name: &str, new_groups: NewGroups) -> TrackIndex {
        let dynamic_groups = new_groups == NewGroups::OnRequest;
        let properties = TrackProperties { dynamic_groups, ..TrackProperties::default() }.encode();
        let name = Bytes::copy_from_slice(name.as_bytes());
        self.tracks.push(Track { name, properties, largest: None, newest: Vec::new(), newest_bytes: 0 });
        TrackIndex(self.tracks.len() - 1)
    }

    /// The track of this name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<(TrackIndex, &Track)> {
        let index = self.tracks.iter().position(|track| track.name == name)?;
        Some((TrackIndex(index), self.tracks.get(index)?))
    }

    /// The track of this number.
    pub(crate) fn track(&self, index: TrackIndex) -> Option<&Track> {
        self.tracks.get(index.0)
    }

    /// Keeps an item that goes on air.
    pub(crate) fn record(&mut self, index: TrackIndex, item: &Item) {
        if let Some(track) = self.tracks.get_mut(index.0) {
            track.record(item);
        }
    }
}

impl Track {
    /// What a subscriber is told.
    pub(crate) fn ok(&self) -> SubscribeOk {
        SubscribeOk { largest: self.largest, expires: None, properties: self.properties.clone() }
    }

    /// The newest group's items so far, in order; empty where it is too large to be kept.
    pub(crate) fn newest_group(&self) -> &[Item] {
        &self.newest
    }

    /// The track's properties, as they stand on the wire.
    pub(crate) fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Whether a subscriber that wants a group after `known` has to wait for one that is still to be made.
    pub(crate) fn needs_new_group(&self, known: GroupId) -> bool {
        self.largest.is_none_or(|largest| known.0 == 0 || known >= largest.group)
    }

    /// The objects of the newest group from `start` to `end`, both included.
    pub(crate) fn between(&self, start: Location, end: Location) -> Vec<Object> {
        let mut objects: Vec<Object> = self
            .newest
            .iter()
            .filter_map(|item| match item {
                Item::Object(object) if (start..=end).contains(&object.location()) => Some(object.clone()),
                Item::Object(_) | Item::End { .. } | Item::Datagram(_) => None,
            })
            .collect();
        objects.sort_by_key(Object::location);
        objects
    }

    fn record(&mut self, item: &Item) {
        let (Item::Object(object) | Item::Datagram(object)) = item else {
            self.record_end(item);
            return;
        };
        let location = object.location();
        if self.largest.is_none_or(|largest| location.group > largest.group) {
            self.newest.clear();
            self.newest_bytes = 0;
        }
        self.largest = self.largest.max(Some(location));
        self.newest_bytes += object.payload.len();
        if self.newest_bytes > MAX_GROUP_BYTES || self.newest.len() >= MAX_GROUP_ITEMS {
            // Part of a group is worth nothing: late subscribers wait for the next one.
            self.newest.clear();
        } else if object.id == ObjectId(0) || !self.newest.is_empty() {
            self.newest.push(item.clone());
        }
    }

    fn record_end(&mut self, item: &Item) {
        let Item::End { group, end: SubgroupEnd::Finished, .. } = item else { return };
        if self.largest.is_some_and(|largest| largest.group == *group) && !self.newest.is_empty() {
            self.newest.push(item.clone());
        }
    }
}

/// Sends objects as the answer to a fetch, for as long as the peer wants them.
pub(crate) async fn deliver(mut writer: FetchWriter, objects: Vec<Object>) {
    for object in objects {
        if !writer.send(object).await {
            return;
        }
    }
    writer.finish();
}

/// A group of 10 s at 25 Mbit/s.
const MAX_GROUP_BYTES: usize = 32 << 20;
const MAX_GROUP_ITEMS: usize = 4096;

#[cfg(test)]
mod tests {
    use shared::media::{FrameKind, TemporalLayer, Timestamp, VideoFrame};

    use super::*;
    use crate::package::VideoPackager;

    fn stage_with(kinds: &[FrameKind]) -> (Stage, TrackIndex) {
        let mut stage = Stage::default();
        let index = stage.add("video-720p", NewGroups::OnRequest);
        let mut packager = VideoPackager::new(GroupId(100), 1);
        for &kind in kinds {
            let payload = Bytes::from_static(b"picture");
            let frame = VideoFrame { timestamp: Timestamp(1), kind, layer: TemporalLayer(0), payload };
            for item in packager.push(frame) {
                stage.record(index, &item);
            }
        }
        (stage, index)
    }

    #[test]
    fn the_newest_group_is_kept_from_its_key_frame_on_and_no_other() {
        let (stage, _) = stage_with(&[FrameKind::Key, FrameKind::Delta, FrameKind::Key, FrameKind::Delta]);
        let (_, track) = stage.find(b"video-720p").expect("the track");
        assert_eq!(track.ok().largest, Some(Location::new(101, 1)));
        let objects = track.between(Location::default(), Location::new(u64::MAX, u64::MAX));
        let locations: Vec<Location> = objects.iter().map(Object::location).collect();
        assert_eq!(locations, [Location::new(101, 0), Location::new(101, 1)]);
        assert_eq!(track.newest_group().len(), 2, "ends of the old group are not kept");
        assert!(stage.find(b"video-1080p").is_none());
    }

    #[test]
    fn a_new_group_is_needed_by_who_knows_the_newest_or_nothing() {
        let (stage, index) = stage_with(&[FrameKind::Key, FrameKind::Key]);
        let track = stage.track(index).expect("the track");
        for (known, needed) in [(0, true), (100, false), (101, true), (200, true)] {
            assert_eq!(track.needs_new_group(GroupId(known)), needed, "{known}");
        }
    }

    #[test]
    fn a_group_that_is_too_large_is_not_kept_in_part() {
        let (mut stage, index) = stage_with(&[FrameKind::Key]);
        let huge = Bytes::from(vec![0; MAX_GROUP_BYTES]);
        let mut packager = VideoPackager::new(GroupId(200), 1);
        for kind in [FrameKind::Key, FrameKind::Delta, FrameKind::Delta] {
            let frame =
                VideoFrame { timestamp: Timestamp(1), kind, layer: TemporalLayer(0), payload: huge.clone() };
            for item in packager.push(frame) {
                stage.record(index, &item);
            }
        }
        assert!(stage.track(index).expect("the track").newest_group().is_empty());
    }
}
