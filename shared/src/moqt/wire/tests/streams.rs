//! Data streams and datagrams.

use bytes::{Bytes, BytesMut};

use super::{super::*, random::Random};
use crate::moqt::{
    GroupId, GroupOrder, Location, Object, ObjectId, Priority, Properties, Status, Subgroup, SubgroupId,
};

const DEFAULT: Priority = Priority(77);

fn header(bytes: &[u8]) -> Result<Option<StreamHeader>, WireError> {
    StreamHeader::decode(&mut BytesMut::from(bytes))
}

#[test]
fn every_form_of_a_subgroup_header_is_read() {
    for kind in 0..=0xffu8 {
        // Alias 1, group 2, then what may be a subgroup ID of 3 and a priority of 4.
        let type_bytes = if kind < 0x80 { vec![kind] } else { vec![0x80, kind] };
        let bytes = [&type_bytes[..], &[1, 2, 3, 4]].concat();
        let valid = kind & 0x90 == 0x10 && kind & 0x06 != 0x06;
        let read = header(&bytes);
        let Ok(Some(StreamHeader::Subgroup(read))) = read else {
            assert!(!valid, "{kind:#x}: {read:?}");
            assert!(kind == 0x05 || read.is_err(), "{kind:#x}: {read:?}");
            continue;
        };
        assert!(valid, "{kind:#x}");
        let (subgroup, next) = match kind & 0x06 {
            0x00 => (Some(SubgroupId(0)), 3),
            0x02 => (None, 3),
            _ => (Some(SubgroupId(3)), 4),
        };
        let expected = SubgroupHeader {
            alias: TrackAlias(1),
            group: GroupId(2),
            subgroup,
            priority: (kind & 0x20 == 0).then_some(Priority(next)),
            ends_group: kind & 0x08 != 0,
            from_first: kind & 0x40 != 0,
            has_properties: kind & 0x01 != 0,
        };
        assert_eq!(read, expected, "{kind:#x}");
        let mut written = BytesMut::new();
        read.encode(&mut written);
        assert!(bytes.starts_with(&written), "{kind:#x}: {written:?}");
    }
}

#[test]
fn stream_types_are_those_of_the_draft() {
    assert_eq!(header(&[0x05, 0x07]), Ok(Some(StreamHeader::Fetch(RequestId(7)))));
    assert_eq!(header(&[0xf0, 0x13, 0x2b, 0x3e, 0x28]), Ok(Some(StreamHeader::Padding)));
    for unknown in [&[0x00][..], &[0x16], &[0x80, 0x90], &[0xaf, 0x01]] {
        let error = header(unknown).expect_err("no stream begins so");
        assert_eq!(error.code, SessionCode::ProtocolViolation);
    }
    let mut control = BytesMut::new();
    Message::Setup(Setup::default()).encode(&mut control).expect("an empty SETUP");
    let setup = control.clone();
    assert_eq!(StreamHeader::decode(&mut control), Ok(Some(StreamHeader::Control)));
    assert_eq!(control, setup, "SETUP is left to be read as a message");
}

#[test]
fn a_subgroup_has_the_bytes_of_the_draft() {
    let mut stream = BytesMut::from(
        &[
            0x15, 0x02, 0x00, 0x00, 0x00, // subgroup 0 of group 0, alias 2, priority 0, with properties
            0x00, // ID delta
            0x0b, 0x04, 0xf0, 0x82, 0x57, 0xf0, 0xd3, // properties: 4 = 2186796243,
            0x49, 0x03, b'i', b'd', b':', // 77 = "id:"
            0x04, b'a', b'b', b'c', b'd', // payload
            0x00, 0x00, // ID delta, no properties
            0x04, b'e', b'f', b'g', b'h', //
            0x01, 0x00, 0x00, 0x03, // ID delta of 1, no properties, no payload, end of group
        ][..],
    );
    let Ok(Some(StreamHeader::Subgroup(header))) = StreamHeader::decode(&mut stream) else {
        panic!("a subgroup header");
    };
    let mut reader = ObjectReader::subgroup(header, DEFAULT, 100);
    reader.push(stream.freeze());
    let first = reader.next().expect("whole").expect("an object");
    assert_eq!((first.id, &first.payload[..]), (ObjectId(0), &b"abcd"[..]));
    assert_eq!(
        first.properties.pairs(),
        Ok(vec![Property::Number(4, 0x8257_f0d3), Property::Bytes(77, Bytes::from_static(b"id:"))])
    );
    let second = reader.next().expect("whole").expect("an object");
    assert_eq!((second.id, &second.payload[..]), (ObjectId(1), &b"efgh"[..]));
    let end = reader.next().expect("whole").expect("an object");
    assert_eq!((end.id, end.status), (ObjectId(3), Status::EndOfGroup));
    assert_eq!(reader.next(), Ok(None));
    assert!(reader.is_between_objects());
    reader.push(Bytes::from_static(&[0]));
    assert!(reader.next().is_err(), "nothing follows the end");
}

/// A stream's bytes, header included.
fn written(header: &SubgroupHeader, objects: &[Object]) -> BytesMut {
    let mut stream = BytesMut::new();
    header.encode(&mut stream);
    let mut previous = None;
    for object in objects {
        encode_object_header(previous, header, object, &mut stream);
        stream.extend_from_slice(&object.payload);
        previous = Some(object.id);
    }
    stream
}

#[test]
fn subgroups_survive_a_round_trip_in_any_pieces() {
    let mut random = Random::new(18);
    for _ in 0..500 {
        let header = random.subgroup_header();
        let objects = random.objects(&header, DEFAULT);
        let mut stream = written(&header, &objects);
        assert_eq!(StreamHeader::decode(&mut stream), Ok(Some(StreamHeader::Subgroup(header))));
        let mut reader = ObjectReader::subgroup(header, DEFAULT, 10_000);
        let mut read = Vec::new();
        let (mut rest, pieces) = (stream.freeze(), random.below(2000) + 1);
        while !rest.is_empty() {
            let piece = 1 + random.below(pieces.min(rest.len() as u64));
            reader.push(rest.split_to(piece as usize));
            while let Some(object) = reader.next().expect("what was written") {
                read.push(object);
            }
        }
        assert_eq!(read, objects);
        assert!(reader.is_between_objects());
    }
}

#[test]
fn payloads_in_one_chunk_are_not_copied() {
    let header = SubgroupHeader { has_properties: true, ..Random::new(3).subgroup_header() };
    let object = Object {
        subgroup: Subgroup {
            group: header.group,
            id: SubgroupId(0),
            priority: DEFAULT,
            ends_group: false,
            from_first: true,
        },
        id: ObjectId(0),
        status: Status::Normal,
        properties: Properties::from_pairs(&[Property::Number(0x10, 5)]),
        payload: vec![1; 2000].into(),
    };
    let mut bytes = BytesMut::new();
    encode_object_header(None, &header, &object, &mut bytes);
    let payload_at = bytes.len();
    bytes.extend_from_slice(&object.payload);
    let chunk = bytes.freeze();
    let mut reader = ObjectReader::subgroup(header, DEFAULT, 10_000);
    reader.push(chunk.clone());
    let read = reader.next().expect("whole").expect("an object");
    assert_eq!(read.payload.as_ptr(), chunk[payload_at..].as_ptr());
}

#[test]
fn objects_over_the_limit_are_refused_before_they_come() {
    let header = SubgroupHeader { has_properties: true, ..Random::new(4).subgroup_header() };
    let refused = |bytes: &'static [u8]| {
        let mut reader = ObjectReader::subgroup(header, DEFAULT, 100);
        reader.push(Bytes::from_static(bytes));
        let error = reader.next().expect_err("too large");
        reader.push(Bytes::from_static(&[0; 1000]));
        assert_eq!(reader.next(), Err(error.clone()), "the error stays");
        error
    };
    // 60 bytes of properties and 41 of payload.
    let mut both = vec![0x00, 60];
    both.extend_from_slice(&[0; 60]);
    both.push(41);
    let error = refused(both.leak());
    assert_eq!(error, ObjectError::TooLarge { bytes: 101, limit: 100 });
    let huge = refused(&[0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(huge, ObjectError::TooLarge { bytes: u64::MAX, limit: 100 });
    let properties = refused(&[0x00, 101]);
    assert_eq!(properties, ObjectError::TooLarge { bytes: 101, limit: 100 });
}

#[test]
fn objects_that_break_the_draft_close_the_session() {
    let bare = SubgroupHeader { has_properties: false, ..Random::new(5).subgroup_header() };
    let full = SubgroupHeader { has_properties: true, ..bare };
    let cases: &[(&str, SubgroupHeader, &[u8])] = &[
        ("status 1", bare, &[0x00, 0x00, 0x01]),
        ("properties on an end", full, &[0x00, 0x02, 0x10, 0x05, 0x00, 0x03]),
        (
            "ID past the last",
            bare,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, b'x', 0x00, 0x01, b'x'],
        ),
    ];
    for (what, header, bytes) in cases {
        let mut reader = ObjectReader::subgroup(*header, DEFAULT, 100);
        reader.push(Bytes::from_static(bytes));
        let error = loop {
            match reader.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{what} was let through"),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(&error, ObjectError::Wire(wire) if wire.code == SessionCode::ProtocolViolation),
            "{what}: {error}"
        );
    }
}

/// Objects as a fetch gives them, groups in this order, with a gap now and then.
fn fetch_items(random: &mut Random, order: GroupOrder) -> Vec<FetchItem> {
    let mut items = Vec::new();
    let mut location = Location::new(1 << 40, random.below(10));
    for _ in 0..random.below(20) {
        let end = random.flip().then(|| random.below(3));
        if end == Some(0) {
            items.push(FetchItem::Gap { end: location, nonexistent: random.flip() });
        } else {
            let is_datagram = random.below(4) == 0;
            let object = Object {
                subgroup: Subgroup {
                    group: location.group,
                    id: SubgroupId(if is_datagram { 0 } else { random.below(3) }),
                    priority: Priority(random.below(2) as u8),
                    ends_group: false,
                    from_first: false,
                },
                id: location.object,
                status: Status::Normal,
                properties: random.properties(),
                payload: random.bytes(50),
            };
            items.push(if is_datagram { FetchItem::Datagram(object) } else { FetchItem::Object(object) });
        }
        let step = random.below(3);
        location = match (step, order) {
            (0, _) => Location::new(location.group.0, location.object.0 + 1 + random.below(2)),
            (_, GroupOrder::Ascending) => Location::new(location.group.0 + step, random.below(10)),
            (_, GroupOrder::Descending) => Location::new(location.group.0 - step, random.below(10)),
        };
    }
    items
}

#[test]
fn fetches_survive_a_round_trip_in_any_pieces() {
    let mut random = Random::new(19);
    for round in 0..500 {
        let order = if round % 2 == 0 { GroupOrder::Ascending } else { GroupOrder::Descending };
        let items = fetch_items(&mut random, order);
        let mut stream = BytesMut::new();
        FetchEncoder::header(RequestId(6), &mut stream);
        let mut encoder = FetchEncoder::default();
        for item in &items {
            match item {
                FetchItem::Object(object) => {
                    encoder.object(object, &mut stream);
                    stream.extend_from_slice(&object.payload);
                }
                FetchItem::Datagram(object) => {
                    encoder.datagram(object, &mut stream);
                    stream.extend_from_slice(&object.payload);
                }
                FetchItem::Gap { end, nonexistent } => encoder.gap(*end, *nonexistent, &mut stream),
            }
        }
        assert_eq!(StreamHeader::decode(&mut stream), Ok(Some(StreamHeader::Fetch(RequestId(6)))));
        let mut reader = FetchReader::new(1000).with_order(order);
        let (mut rest, mut read) = (stream.freeze(), Vec::new());
        while !rest.is_empty() {
            let piece = 1 + random.below(rest.len().min(40) as u64);
            reader.push(rest.split_to(piece as usize));
            while let Some(item) = reader.next().expect("what was written") {
                read.push(item);
            }
        }
        assert_eq!(read, items);
        assert!(reader.is_between_objects());
    }
}

#[test]
fn a_fetch_refers_only_to_what_came() {
    let cases: &[(&str, &[u8])] = &[
        ("no group", &[0x14]),
        ("no object", &[0x18, 0x01]),
        ("no priority", &[0x0c, 0x01, 0x01]),
        ("no subgroup", &[0x1d, 0x01]),
        ("flags of 0x80", &[0x80, 0x80]),
        // A gap has neither subgroup nor priority.
        ("no priority after a gap", &[0x80, 0x8c, 0x01, 0x01, 0x00]),
        // A datagram has no subgroup: flags 0x5c, then 0x01.
        ("no subgroup after a datagram", &[0x5c, 0x01, 0x01, 0x05, 0x00, 0x01]),
    ];
    for (what, bytes) in cases {
        let mut reader = FetchReader::new(100);
        reader.push(Bytes::from_static(bytes));
        let error = loop {
            match reader.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{what} was let through"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, ObjectError::Wire(_)), "{what}: {error}");
    }
}

#[test]
fn every_form_of_a_datagram_is_read() {
    for kind in 0..=0x7fu8 {
        let mut bytes = vec![kind, 0x01, 0x02];
        let (has, mut id) = (|bit: u8| kind & bit != 0, 0);
        if !has(0x04) {
            bytes.push(0x05);
            id = 5;
        }
        if !has(0x08) {
            bytes.push(0xc8);
        }
        if has(0x01) {
            bytes.extend_from_slice(&[0x02, 0x10, 0x05]);
        }
        bytes.push(0x00); // status, or payload
        let read = Datagram::decode(bytes.into());
        let valid = kind & 0x50 == 0 && kind & 0x22 != 0x22;
        let Ok(Datagram::Object { alias, priority, object }) = read else {
            assert!(!valid, "{kind:#x}: {read:?}");
            continue;
        };
        assert!(valid, "{kind:#x}");
        assert_eq!(alias, TrackAlias(1));
        assert_eq!(priority, (!has(0x08)).then_some(Priority(200)), "{kind:#x}");
        assert_eq!(object.location(), Location::new(2, id));
        assert_eq!(object.subgroup.ends_group, has(0x02));
        assert_eq!(object.payload.is_empty(), has(0x20), "{kind:#x}");
        assert_eq!(object.properties.0.is_empty(), !has(0x01));
        let again = Datagram::decode(encode_datagram(alias, &object));
        let priority = Some(object.subgroup.priority);
        assert_eq!(again, Ok(Datagram::Object { alias, priority, object }), "{kind:#x}");
    }
}

#[test]
fn datagrams_that_break_the_draft_close_the_session() {
    let cases: &[(&str, &[u8])] = &[
        ("nothing", &[]),
        ("no properties in properties", &[0x0d, 0x01, 0x02, 0x00, b'x']),
        ("properties on an end", &[0x2d, 0x01, 0x02, 0x02, 0x10, 0x05, 0x03]),
        ("a payload after a status", &[0x2c, 0x01, 0x02, 0x00, b'x']),
        ("cut", &[0x00, 0x01, 0x02]),
    ];
    for (what, bytes) in cases {
        let error = Datagram::decode(Bytes::from_static(bytes)).expect_err(what);
        assert_eq!(error.code, SessionCode::ProtocolViolation, "{what}");
    }
    let padding = Bytes::from_static(&[0xf0, 0x13, 0x2b, 0x3e, 0x29, 0x00]);
    assert_eq!(Datagram::decode(padding), Ok(Datagram::Padding));
}
