use bytes::Bytes;
use shared::{
    loc::{FrameMarking, Header},
    moqt::{Location, Priority, Properties, ResetCode, Subgroup},
};

use super::*;
use crate::random::Random;

const INTERVAL: Duration = Duration::from_micros(33_333);
const GOP: u64 = 10;

fn time(group: u64, object: u64) -> Timestamp {
    Timestamp(1_000_000_000) + INTERVAL * u32::try_from(group * GOP + object).expect("small")
}

/// A picture of two temporal layers: odd objects are of the enhancement layer.
fn object(group: u64, id: u64) -> Item {
    let layer = (id % 2) as u8;
    let header = Header {
        timestamp: time(group, id),
        marking: Some(FrameMarking {
            independent: id == 0,
            discardable: layer == 1,
            base_layer_sync: layer == 1,
            layer: TemporalLayer(layer),
        }),
        ..Header::default()
    };
    let payload: &[u8] = if id == 0 {
        &[0, 0, 0, 1, 0x67, 66, 0xc0, 30, 0, 0, 0, 1, 0x68, 1, 0, 0, 0, 1, 0x65, 1]
    } else {
        &[0, 0, 0, 1, 0x41, 1]
    };
    raw(group, u64::from(layer), id, header.encode(), payload)
}

fn raw(group: u64, subgroup: u64, id: u64, properties: Properties, payload: &[u8]) -> Item {
    Item::Object(Object {
        subgroup: Subgroup {
            group: GroupId(group),
            id: SubgroupId(subgroup),
            priority: Priority(64),
            ends_group: subgroup == 0,
            from_first: true,
        },
        id: ObjectId(id),
        status: Status::Normal,
        properties,
        payload: Bytes::copy_from_slice(payload),
    })
}

fn end(group: u64, subgroup: u64, end: SubgroupEnd) -> Item {
    Item::End { group: GroupId(group), subgroup: SubgroupId(subgroup), end }
}

fn reset(group: u64, subgroup: u64) -> Item {
    end(group, subgroup, SubgroupEnd::Reset(ResetCode::DeliveryTimeout))
}

fn drain(video: &mut Video, due: Timestamp) -> Vec<Location> {
    std::iter::from_fn(|| video.poll(Some(due))).map(|frame| place(&frame)).collect()
}

fn place(frame: &VideoFrame) -> Location {
    let index = frame.timestamp.since(Timestamp(1_000_000_000)).as_micros() as u64 + 500;
    Location::new(index / 33_333 / GOP, index / 33_333 % GOP)
}

fn all(group: u64, objects: impl IntoIterator<Item = u64>) -> Vec<Location> {
    objects.into_iter().map(|object| Location::new(group, object)).collect()
}

#[test]
fn layers_are_merged_in_the_order_of_capture() {
    let mut video = Video::new(INTERVAL);
    for id in [0, 2, 4, 1, 3] {
        video.push(object(1, id));
    }
    assert_eq!(drain(&mut video, time(1, 0)), all(1, 0..5));
    assert_eq!(video.lost(), Lost::default());
}

#[test]
fn an_enhancement_frame_is_waited_for_until_it_is_due() {
    let mut video = Video::new(INTERVAL);
    for id in [0, 2, 4] {
        video.push(object(1, id));
    }
    assert_eq!(drain(&mut video, time(1, 0)), all(1, [0]));
    video.push(object(1, 1));
    assert_eq!(drain(&mut video, time(1, 1)), all(1, [1, 2]));
    assert_eq!(drain(&mut video, time(1, 3)), all(1, [4]));
    // Too late by now.
    video.push(object(1, 3));
    assert_eq!(drain(&mut video, time(1, 4)), []);
    assert_eq!(video.lost().frames, 2);
}

#[test]
fn a_lost_base_frame_ends_its_group() {
    let mut video = Video::new(INTERVAL);
    for id in [0, 1, 2, 3] {
        video.push(object(1, id));
    }
    video.push(reset(1, 0));
    video.push(object(1, 5));
    assert_eq!(drain(&mut video, time(1, 9)), all(1, 0..4));
    video.push(object(2, 0));
    video.push(object(2, 1));
    assert_eq!(drain(&mut video, time(1, 9)), all(2, 0..2));
    assert_eq!(video.take_broken(), Some(GroupId(1)));
    assert_eq!(video.take_broken(), None);
}

#[test]
fn a_stalled_base_layer_is_left_only_when_the_next_keyframe_is_due() {
    let mut video = Video::new(INTERVAL);
    video.push(object(1, 0));
    video.push(object(1, 1));
    for id in 0..4 {
        video.push(object(2, id));
    }
    assert_eq!(drain(&mut video, time(1, 8)), all(1, [0, 1]));
    video.push(object(1, 2));
    assert_eq!(drain(&mut video, time(1, 9)), all(1, [2]));
    assert_eq!(drain(&mut video, time(2, 0)), all(2, 0..4));
}

#[test]
fn groups_that_come_newest_first_are_played_in_order() {
    let mut video = Video::new(INTERVAL);
    for (group, id) in [(1, 0), (1, 1), (3, 0), (3, 1)] {
        video.push(object(group, id));
    }
    for subgroup in [0, 1] {
        video.push(end(1, subgroup, SubgroupEnd::Finished));
    }
    assert_eq!(drain(&mut video, time(1, 1)), all(1, [0, 1]));
    video.push(object(2, 0));
    video.push(end(2, 0, SubgroupEnd::Finished));
    // Group 2's only lane is over: group 3 follows at once.
    assert_eq!(drain(&mut video, time(1, 1)), [all(2, [0]), all(3, [0, 1])].concat());
}

#[test]
fn an_object_that_is_not_loc_breaks_only_its_group() {
    let mut video = Video::new(INTERVAL);
    video.push(object(1, 0));
    assert_eq!(video.push(raw(1, 0, 1, Properties::default(), b"noise")), None);
    video.push(object(1, 2));
    for id in 0..3 {
        video.push(object(2, id));
    }
    assert_eq!(drain(&mut video, time(2, 0)), [all(1, [0]), all(2, 0..3)].concat());
    assert_eq!(video.lost().not_loc, 1);
}

#[test]
fn frames_far_too_late_are_left_for_a_keyframe_that_is_due() {
    let mut video = Video::new(INTERVAL);
    for group in 1..4 {
        for id in 0..GOP {
            video.push(object(group, id));
        }
    }
    assert_eq!(video.poll(Some(time(1, 0))).as_ref().map(place), Some(Location::new(1, 0)));
    let rest = drain(&mut video, time(3, 8));
    assert_eq!(rest, all(3, 0..GOP));
    assert_eq!(video.lost().frames, 2 * GOP - 1);
}

#[test]
fn what_waits_is_bounded() {
    let mut video = Video::new(INTERVAL);
    for group in 0..1_000 {
        video.push(object(group, 0));
    }
    assert!(video.groups.len() <= MOST_GROUPS);
    assert!(video.lost().overflow >= 900);
    assert_eq!(drain(&mut video, time(999, 0)).last(), Some(&Location::new(999, 0)));
}

/// Whatever order, loss and lateness: frames leave in order, none twice, none without its references.
#[test]
fn no_gap_reaches_the_decoder_under_loss_and_reordering() {
    for seed in 0..200 {
        let mut random = Random::new(seed * 7_919 + 1);
        let mut video = Video::new(INTERVAL);
        let mut arrivals = Vec::new();
        for group in 0..8 {
            for lane in 0..2u64 {
                let cut = if random.chance(25) { random.below(GOP) } else { GOP };
                let late = random.below(400);
                for id in (0..GOP).filter(|id| id % 2 == lane) {
                    let at = time(group, id).0 + late * 1_000;
                    if id >= cut {
                        arrivals.push((at, reset(group, lane)));
                        break;
                    }
                    arrivals.push((at, object(group, id)));
                }
                if cut == GOP {
                    let at = time(group, GOP).0 + late * 1_000;
                    arrivals.push((at, end(group, lane, SubgroupEnd::Finished)));
                }
            }
        }
        arrivals.sort_by_key(|(at, _)| *at);
        let mut decoded: Vec<Location> = Vec::new();
        for (at, item) in arrivals {
            video.push(item);
            decoded.extend(drain(&mut video, Timestamp(at - 100_000)));
        }
        decoded.extend(drain(&mut video, time(20, 0)));
        assert!(decoded.is_sorted_by(|a, b| a < b), "seed {seed}: {decoded:?}");
        for (index, frame) in decoded.iter().enumerate() {
            let base = frame.object.0 - frame.object.0 % 2;
            let needed = if base == frame.object.0 { base.checked_sub(2) } else { Some(base) };
            let needed = needed.map(|object| Location::new(frame.group.0, object));
            let is_there = needed.is_none_or(|needed| decoded[..index].contains(&needed));
            assert!(is_there, "seed {seed}: {frame} lacks {needed:?} in {decoded:?}");
        }
        assert!(decoded.len() > 20, "seed {seed}: only {} frames", decoded.len());
    }
}

fn packet_object(group: u64) -> Item {
    let timestamp =
        Timestamp(1_000_000_000) + Duration::from_millis(20) * u32::try_from(group).expect("small");
    raw(group, 0, 0, Header { timestamp, ..Header::default() }.encode(), b"x")
}

fn twenty(_: &Bytes) -> Option<Duration> {
    Some(Duration::from_millis(20))
}

fn sounds(sound: &mut Sound, due: u64) -> Vec<String> {
    let due = Timestamp(1_000_000_000 + due * 1_000);
    std::iter::from_fn(|| sound.poll(Some(due)))
        .map(|packet| match packet {
            Packet::Frame(frame) => {
                format!("{}", frame.timestamp.since(Timestamp(1_000_000_000)).as_millis())
            }
            Packet::Concealed { timestamp, .. } => {
                format!("({})", timestamp.since(Timestamp(1_000_000_000)).as_millis())
            }
            Packet::Restart => "restart".into(),
        })
        .collect()
}

#[test]
fn sound_is_put_in_order_and_concealed_when_due() {
    let mut sound = Sound::new(twenty);
    for group in [5, 7, 8] {
        sound.push(packet_object(group));
    }
    assert_eq!(sounds(&mut sound, 100), ["100"]);
    assert_eq!(sounds(&mut sound, 121), ["(120)", "140", "160"]);
    sound.push(packet_object(6));
    assert_eq!(sounds(&mut sound, 200), [""; 0]);
    for group in [40, 41] {
        sound.push(packet_object(group));
    }
    assert_eq!(sounds(&mut sound, 200), ["restart", "800", "820"]);
    assert!(sound.lost().frames >= 2);
}
