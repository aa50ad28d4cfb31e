//! Coded frames as the items of a track: groups, subgroups, objects with LOC properties.
//!
//! A key frame opens a group; a temporal layer is a subgroup; object IDs count the group's pictures in the
//! order of capture, whatever their layer. A packet of sound is a group of one object.

use shared::{
    loc,
    media::{AudioFrame, FrameKind, TemporalLayer, Timestamp, VideoFrame},
    moqt::{GroupId, Item, Object, ObjectId, Priority, Status, Subgroup, SubgroupEnd, SubgroupId},
};

/// Publisher priority of the catalog: before all media.
pub const CATALOG_PRIORITY: Priority = Priority(16);
/// Publisher priority of sound.
pub const AUDIO_PRIORITY: Priority = Priority(32);
/// Publisher priority of pictures' base layer; every layer above it comes 32 later.
pub const VIDEO_PRIORITY: Priority = Priority(64);

/// The first group of a broadcast that begins `now`: larger than all of an earlier broadcast, as long as
/// clocks go forward and groups come slower than one a millisecond.
pub fn first_group(now: Timestamp) -> GroupId {
    GroupId(now.0 / 1000)
}

/// Makes items of one rendition's pictures.
#[derive(Debug)]
pub struct VideoPackager {
    next_group: GroupId,
    layers: u8,
    open: Option<OpenGroup>,
    /// Pictures before the first key frame, which nobody could decode.
    unusable: u64,
}

#[derive(Debug)]
struct OpenGroup {
    group: GroupId,
    next_object: u64,
    /// Bit n: subgroup n has begun.
    begun: u8,
}

impl VideoPackager {
    /// A packager whose first key frame opens `first_group`, for pictures of `layers` temporal layers.
    pub fn new(first_group: GroupId, layers: u8) -> Self {
        Self { next_group: first_group, layers, open: None, unusable: 0 }
    }

    /// The items of one more picture: with a key frame first the ends of the group before.
    pub fn push(&mut self, frame: VideoFrame) -> Vec<Item> {
        let mut items = Vec::with_capacity(3);
        if frame.kind == FrameKind::Key {
            items.extend(self.end());
            self.open = Some(OpenGroup { group: self.next_group, next_object: 0, begun: 0 });
            self.next_group.0 += 1;
        }
        let Some(open) = &mut self.open else {
            self.unusable += 1;
            return items;
        };
        let layer = frame.layer.0.min(MAX_LAYER);
        let subgroup = Subgroup {
            group: open.group,
            id: SubgroupId(u64::from(layer)),
            priority: Priority(VIDEO_PRIORITY.0 + 32 * layer),
            // With several subgroups it is not known before its end which one has the last object.
            ends_group: self.layers <= 1,
            from_first: open.begun & (1 << layer) == 0,
        };
        let independent = frame.kind == FrameKind::Key;
        let header = loc::Header {
            timestamp: frame.timestamp,
            marking: Some(loc::FrameMarking {
                independent,
                discardable: layer > 0 && layer + 1 >= self.layers,
                base_layer_sync: layer == 1,
                layer: TemporalLayer(layer),
            }),
            ..loc::Header::default()
        };
        items.push(Item::Object(Object {
            subgroup,
            id: ObjectId(open.next_object),
            status: Status::Normal,
            properties: header.encode(),
            payload: frame.payload,
        }));
        open.next_object += 1;
        open.begun |= 1 << layer;
        items
    }

    /// Ends the group that is open: what remains to be said when the broadcast ends.
    pub fn end(&mut self) -> impl Iterator<Item = Item> + use<> {
        let (group, begun) = self.open.take().map_or((GroupId(0), 0), |open| (open.group, open.begun));
        (0..=MAX_LAYER).filter(move |layer| begun & (1 << layer) != 0).map(move |layer| Item::End {
            group,
            subgroup: SubgroupId(u64::from(layer)),
            end: SubgroupEnd::Finished,
        })
    }

    /// Pictures let go because no key frame came before them.
    pub fn unusable(&self) -> u64 {
        self.unusable
    }
}

/// openh264 has at most four layers.
const MAX_LAYER: u8 = 3;

/// Makes items of packets of sound.
#[derive(Debug)]
pub struct AudioPackager {
    next_group: GroupId,
}

impl AudioPackager {
    /// A packager whose first packet is `first_group`.
    pub fn new(first_group: GroupId) -> Self {
        Self { next_group: first_group }
    }

    /// The items of one more packet: a group of one object.
    pub fn push(&mut self, frame: AudioFrame) -> [Item; 2] {
        let header = loc::Header { timestamp: frame.timestamp, ..loc::Header::default() };
        let group = self.next_group;
        self.next_group.0 += 1;
        whole_group(group, AUDIO_PRIORITY, header.encode(), frame.payload)
    }
}

/// A catalog as a group of one object.
pub fn catalog(group: GroupId, json: Vec<u8>) -> [Item; 2] {
    whole_group(group, CATALOG_PRIORITY, shared::moqt::Properties::default(), json.into())
}

fn whole_group(
    group: GroupId,
    priority: Priority,
    properties: shared::moqt::Properties,
    payload: bytes::Bytes,
) -> [Item; 2] {
    let subgroup = Subgroup { group, id: SubgroupId(0), priority, ends_group: true, from_first: true };
    let object = Object { subgroup, id: ObjectId(0), status: Status::Normal, properties, payload };
    [Item::Object(object), Item::End { group, subgroup: SubgroupId(0), end: SubgroupEnd::Finished }]
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn frame(at: u64, kind: FrameKind, layer: u8) -> VideoFrame {
        let payload = Bytes::from(format!("{at}"));
        VideoFrame { timestamp: Timestamp(at), kind, layer: TemporalLayer(layer), payload }
    }

    fn shape(items: &[Item]) -> Vec<String> {
        let line = |item: &Item| match item {
            Item::Object(object) => format!(
                "{} s{} p{} {}",
                object.location(),
                object.subgroup.id,
                object.subgroup.priority.0,
                object.payload.escape_ascii()
            ),
            Item::End { group, subgroup, .. } => format!("end {group} s{subgroup}"),
            Item::Datagram(_) => "datagram".to_owned(),
        };
        items.iter().map(line).collect()
    }

    #[test]
    fn layers_become_subgroups_and_objects_count_across_them() {
        let mut packager = VideoPackager::new(GroupId(7), 2);
        let mut items = packager.push(frame(0, FrameKind::Delta, 0));
        assert!(items.is_empty() && packager.unusable() == 1, "nothing can be decoded before a key frame");
        for (at, kind, layer) in [
            (1, FrameKind::Key, 0),
            (2, FrameKind::Delta, 1),
            (3, FrameKind::Delta, 0),
            (4, FrameKind::Key, 0),
        ] {
            items.extend(packager.push(frame(at, kind, layer)));
        }
        items.extend(packager.end());
        assert_eq!(packager.end().count(), 0, "an end is said once");
        let expected = [
            "7.0 s0 p64 1",
            "7.1 s1 p96 2",
            "7.2 s0 p64 3",
            "end 7 s0",
            "end 7 s1",
            "8.0 s0 p64 4",
            "end 8 s0",
        ];
        assert_eq!(shape(&items), expected);
    }

    #[test]
    fn every_packet_of_sound_is_a_group_of_its_own() {
        let mut packager = AudioPackager::new(GroupId(7));
        let packet = |at| AudioFrame {
            timestamp: Timestamp(at),
            duration: std::time::Duration::from_millis(20),
            payload: Bytes::from_static(b"x"),
        };
        let items: Vec<Item> = [0, 20_000].into_iter().flat_map(|at| packager.push(packet(at))).collect();
        assert_eq!(shape(&items), ["7.0 s0 p32 x", "end 7 s0", "8.0 s0 p32 x", "end 8 s0"]);
    }

    #[test]
    fn a_broadcast_begun_later_has_larger_groups() {
        let hour_of_sound = 3600 * 50;
        let start = Timestamp(1_800_000_000_000_000);
        let again = start + std::time::Duration::from_secs(3600);
        assert!(first_group(again).0 > first_group(start).0 + hour_of_sound);
    }
}
