//! Every parser against seeded bytes: random ones, and valid ones with changes. A fuzzer finds more
//! (`shared/fuzz`); this keeps what must hold in front of every change.

// The fuzz crate's own checks, compiled here, since that crate is outside the workspace.
#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "they are public in that crate")]
mod fuzz;

use bytes::BytesMut;
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use shared::{
    loc,
    media::{TemporalLayer, Timestamp},
    moqt::{
        AuthToken, Filter, GroupId, Location, Namespace, Object, ObjectId, Priority, Properties, Status,
        Subgroup, SubgroupId, TokenType, TrackName,
        wire::{
            FetchEncoder, Message, Parameters, RequestId, Setup, SubgroupHeader, Subscribe, Token,
            TrackAlias, TrackProperties, encode_datagram, encode_object_header,
        },
    },
};

/// Random inputs of each kind for each parser.
const CASES: u32 = 3_000;

/// Runs `parser` on random bytes and on `valid` with up to eight bytes changed and its end cut.
fn withstands(parser: fn(&[u8]), valid: &[u8]) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng = || TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    parser(valid);
    TestRunner::new_with_rng(config.clone(), rng())
        .run(&prop::collection::vec(any::<u8>(), 0..200), |bytes| {
            parser(&bytes);
            Ok(())
        })
        .expect("random bytes do no harm");
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    TestRunner::new_with_rng(config, rng())
        .run(&(changes, any::<prop::sample::Index>()), |(changes, cut)| {
            let mut bytes = valid.to_vec();
            for (place, byte) in changes {
                bytes[place.index(valid.len())] = byte;
            }
            parser(&bytes);
            parser(&bytes[..cut.index(valid.len())]);
            Ok(())
        })
        .expect("changed bytes do no harm");
}

fn object(id: u64, payload: &'static [u8]) -> Object {
    Object {
        subgroup: Subgroup {
            group: GroupId(1000),
            id: SubgroupId(1),
            priority: Priority(64),
            ends_group: true,
            from_first: true,
        },
        id: ObjectId(id),
        status: Status::Normal,
        properties: frame_properties(),
        payload: payload.into(),
    }
}

fn frame_properties() -> Properties {
    let marking = loc::FrameMarking {
        independent: false,
        discardable: true,
        base_layer_sync: true,
        layer: TemporalLayer(1),
    };
    loc::Header {
        timestamp: Timestamp(1_746_104_606_044_000),
        marking: Some(marking),
        ..loc::Header::default()
    }
    .encode()
}

#[test]
fn control_messages() {
    let parameters = Parameters {
        priority: Some(Priority(200)),
        filter: Some(Filter::AbsoluteRange(Location::new(5, 0), GroupId(9))),
        tokens: vec![Token::UseValue(AuthToken { kind: TokenType(0), value: "token".into() })],
        ..Parameters::default()
    };
    let track = TrackName { namespace: Namespace::new(["room", "demo", "stage"]), name: "catalog".into() };
    let mut bytes = BytesMut::new();
    for message in [
        Message::Setup(Setup {
            path: Some("/".into()),
            implementation: Some("x".into()),
            ..Setup::default()
        }),
        Message::Subscribe(Subscribe { request: RequestId(300), track, parameters }),
    ] {
        message.encode(&mut bytes).expect("valid");
    }
    withstands(fuzz::control_message, &bytes);
}

/// A program for [`fuzz::session`]: the peer subscribes, the application grants it and publishes, and the
/// other way round.
#[test]
fn sessions() {
    let track = TrackName { namespace: Namespace::new(["a", "b"]), name: (&b"\x01"[..]).into() };
    let subscribe =
        Message::Subscribe(Subscribe { request: RequestId(0), track, parameters: Parameters::default() });
    let mut bytes = BytesMut::new();
    subscribe.encode(&mut bytes).expect("valid");
    let mut program = vec![0, 1, bytes.len() as u8];
    program.extend_from_slice(&bytes);
    program.extend_from_slice(&[
        12, 0, 14, 0, 0, 14, 0, 1, 14, 0, 20, 9, 11, 0, 9, 10, 12, 8, 2, 7, 7, 15, 0, 9,
    ]);
    withstands(fuzz::session, &program);
}

#[test]
fn subgroup_streams() {
    let header = SubgroupHeader {
        alias: TrackAlias(7),
        group: GroupId(1000),
        subgroup: Some(SubgroupId(1)),
        priority: Some(Priority(64)),
        ends_group: true,
        from_first: true,
        has_properties: true,
    };
    let mut bytes = BytesMut::new();
    header.encode(&mut bytes);
    let objects = [object(1, b"first"), object(3, b""), object(5, b"last of them")];
    let mut previous = None;
    for object in &objects {
        encode_object_header(previous, &header, object, &mut bytes);
        bytes.extend_from_slice(&object.payload);
        previous = Some(object.id);
    }
    withstands(fuzz::stream, &bytes);
}

#[test]
fn fetch_streams() {
    let (mut bytes, mut encoder) = (BytesMut::new(), FetchEncoder::default());
    for object in [object(0, b"zero"), object(1, b"one"), object(7, b"seven")] {
        encoder.object(&object, &mut bytes);
        bytes.extend_from_slice(&object.payload);
        encoder.gap(Location::new(1000, object.id.0), true, &mut bytes);
    }
    withstands(fuzz::fetch, &bytes);
}

#[test]
fn datagrams() {
    withstands(fuzz::datagram, &encode_datagram(TrackAlias(7), &object(3, b"payload")));
}

#[test]
fn properties() {
    let track =
        TrackProperties { priority: Some(Priority(9)), dynamic_groups: true, ..TrackProperties::default() };
    withstands(fuzz::properties, &track.encode().0);
}

#[test]
fn loc_headers() {
    withstands(fuzz::loc, &frame_properties().0);
}

#[test]
fn catalogs() {
    let valid = br#"{"version":"draft-01","generatedAt":1,"tracks":[{"name":"v","packaging":"loc",
        "isLive":true,"codec":"avc1.42C01E","bitrate":1e6,"framerate":29.97,"width":640,"height":360,
        "initRef":"a"}],"initDataList":[{"id":"a","type":"inline","data":"AAEC"}]}"#;
    withstands(fuzz::catalog, valid);
    let update = br#"{"deltaUpdate":[{"op":"add","tracks":[{"name":"a","packaging":"loc","isLive":true,
        "codec":"opus","bitrate":64000}]},{"op":"clone","tracks":[{"parentName":"a","name":"b"}]},
        {"op":"remove","tracks":[{"name":"a"}]}]}"#;
    withstands(fuzz::catalog, update);
}

#[test]
fn sayings() {
    for valid in [
        r##"{"id":7,"say":{"kind":"danmaku","text":"hello","color":"#ff0000","mode":"top","media":5}}"##,
        r#"{"id":1,"say":{"kind":"poll","act":"open","question":"q","choices":["a","b"],"correct":1}}"#,
    ] {
        withstands(fuzz::saying, valid.as_bytes());
    }
}

#[test]
fn h264_bitstreams() {
    // An access unit: SPS (Baseline, 1280x720), PPS and the start of an IDR slice.
    let valid = [
        0x00, 0x00, 0x00, 0x01, 0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x28, 0x02, 0xdd, 0x80,
        0x88, //
        0x45, 0x38, 0x00, 0x00, 0x00, 0x01, 0x68, 0xce, 0x3c, 0x80, 0x00, 0x00, 0x01, 0x65, 0xb8, 0x00,
    ];
    withstands(fuzz::sps, &valid);
}

#[test]
fn timecodes() {
    let picture: Vec<u8> = [200, 200].into_iter().chain((0..3000_u32).map(|at| (at * 7) as u8)).collect();
    withstands(fuzz::timecode, &picture);
}

/// A target's name, its corpus and what it calls.
type Target = (&'static str, &'static str, fn(&[u8]));

/// What fuzzers found worth keeping, one input a line in base64: each reaches code that the others do not.
#[test]
fn corpora() {
    use base64::{Engine, prelude::BASE64_STANDARD};

    let targets: [Target; 11] = [
        ("catalog", include_str!("../fuzz/corpus/catalog.txt"), fuzz::catalog),
        ("control_message", include_str!("../fuzz/corpus/control_message.txt"), fuzz::control_message),
        ("datagram", include_str!("../fuzz/corpus/datagram.txt"), fuzz::datagram),
        ("fetch", include_str!("../fuzz/corpus/fetch.txt"), fuzz::fetch),
        ("loc", include_str!("../fuzz/corpus/loc.txt"), fuzz::loc),
        ("properties", include_str!("../fuzz/corpus/properties.txt"), fuzz::properties),
        ("saying", include_str!("../fuzz/corpus/saying.txt"), fuzz::saying),
        ("session", include_str!("../fuzz/corpus/session.txt"), fuzz::session),
        ("sps", include_str!("../fuzz/corpus/sps.txt"), fuzz::sps),
        ("stream", include_str!("../fuzz/corpus/stream.txt"), fuzz::stream),
        ("timecode", include_str!("../fuzz/corpus/timecode.txt"), fuzz::timecode),
    ];
    for (name, corpus, parser) in targets {
        assert!(corpus.lines().count() >= 10, "{name} has a corpus");
        for line in corpus.lines() {
            parser(&BASE64_STANDARD.decode(line).expect("base64"));
        }
    }
}
