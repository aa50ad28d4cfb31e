//! What is in the files.

use std::{fs, io::Write as _, time::Duration};

use bytes::{Bytes, BytesMut};

use super::*;
use crate::{
    moqt::{
        AuthToken, GroupId, GroupOrder, Location, Namespace, Object, ObjectId, Priority, Properties, Status,
        Subgroup, SubgroupId, TokenType, TrackName,
        wire::{
            Fetch, FetchEncoder, Goaway, Message, Parameters, Property, RequestId, Setup, SubgroupHeader,
            Subscribe, Token, TokenAlias, TrackAlias, WireFetchRange, encode_datagram, encode_object_header,
        },
    },
    transport::{Direction, Half},
};

/// What a file holds once `act` has happened on a connection.
fn written(act: impl FnOnce(&mut Watched)) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let qlog = Folder::open(folder.path(), "test").expect("it can be written to");
    let mut watched = qlog.connection(Side::Server);
    act(&mut watched);
    drop(watched);
    qlog.finish();
    assert_eq!(qlog.lost(), 0);
    let mut files = fs::read_dir(folder.path()).expect("a folder").map(|file| file.expect("a file").path());
    let (path, more) = (files.next().expect("a file"), files.next());
    assert!(path.to_str().is_some_and(|path| path.ends_with("-0000_server.sqlog")), "{path:?}");
    assert_eq!(more, None);
    records(&fs::read(path).expect("read"))
}

/// The records of a JSON text sequence.
fn records(bytes: &[u8]) -> Vec<Value> {
    let mut all = bytes.split(|&byte| byte == 0x1e);
    assert_eq!(all.next(), Some(&b""[..]), "it begins with a record separator");
    all.map(|record| {
        assert_eq!(record.last(), Some(&b'\n'));
        serde_json::from_slice(record).expect("JSON")
    })
    .collect()
}

fn half(direction: Direction, is_bidirectional: bool) -> Half {
    Half { stream: 3, direction, is_bidirectional }
}

fn encoded(message: &Message) -> Bytes {
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes).expect("it can be sent");
    bytes.freeze()
}

fn track() -> TrackName {
    TrackName { namespace: Namespace::new(["room", "demo"]), name: Bytes::from_static(b"\xffname") }
}

fn object(id: u64, payload: &'static [u8]) -> Object {
    Object {
        subgroup: Subgroup {
            group: GroupId(9),
            id: SubgroupId(0),
            priority: Priority(64),
            ends_group: true,
            from_first: true,
        },
        id: ObjectId(id),
        status: Status::Normal,
        properties: Properties::from_pairs(&[Property::Number(2, 77)]),
        payload: Bytes::from_static(payload),
    }
}

/// Name and data of each event but the head.
fn events(records: &[Value]) -> Vec<(&str, &Value)> {
    records[1..].iter().map(|event| (event["name"].as_str().expect("a name"), &event["data"])).collect()
}

#[test]
fn a_file_begins_with_what_it_is_and_holds_quinns_events_without_its_head() {
    let records = written(|watched| {
        let (mut quic, _) = watched.quic.take().expect("a writer");
        for piece in [
            "\u{1e}{\"head\":",
            "1}\n\u{1e}{\"time\":1.5,",
            "\"name\":\"transport:packet_sent\",\"data\":{}}\n",
        ] {
            quic.write_all(piece.as_bytes()).expect("it takes all");
        }
    });
    assert_eq!(records[0]["qlog_version"], "0.3");
    assert_eq!(records[0]["qlog_format"], "JSON-SEQ");
    assert_eq!(records[0]["trace"]["vantage_point"]["type"], "server");
    assert_eq!(records[0]["trace"]["event_schemas"][0], MOQT_SCHEMA);
    assert!(records[0]["trace"]["common_fields"]["reference_time"].as_f64() > Some(1.7e12));
    assert_eq!(events(&records), [("transport:packet_sent", &json!({}))]);
}

#[test]
fn control_messages_are_told_byte_by_byte_and_without_secrets() {
    let secret = AuthToken { kind: TokenType(7), value: "very-secret".into() };
    let setup = Setup {
        path: Some("/live?token=very-secret".into()),
        max_auth_token_cache_size: 100,
        tokens: vec![Token::Register(TokenAlias(1), secret.clone())],
        ..Setup::default()
    };
    let parameters = Parameters {
        tokens: vec![Token::UseValue(secret)],
        forward: Some(false),
        largest: None,
        ..Parameters::default()
    };
    let subscribe = Subscribe { request: RequestId(4), track: track(), parameters };
    let uri = "moqt://next/?token=very-secret".to_owned();
    let goaway = Goaway { uri, timeout: Duration::from_millis(1500), request: Some(RequestId(6)) };
    let records = written(|watched| {
        let mut control = watched.streams.stream(half(Direction::Received, false));
        for message in [Message::Setup(setup), Message::Goaway(goaway)] {
            for byte in encoded(&message) {
                control.bytes(&Bytes::copy_from_slice(&[byte]));
            }
        }
        let mut request = watched.streams.stream(half(Direction::Sent, true));
        request.bytes(&encoded(&Message::Subscribe(subscribe)));
    });
    assert!(!serde_json::to_string(&records).expect("JSON").contains("secret"));
    let events = events(&records);
    let names: Vec<_> = events.iter().map(|(name, _)| *name).collect();
    let parsed = "moqt:control_message_parsed";
    assert_eq!(names, ["moqt:stream_type_set", parsed, parsed, "moqt:control_message_created"]);
    assert_eq!(*events[0].1, json!({ "owner": "remote", "stream_id": 3, "stream_type": "control" }));
    let options = json!([
        { "name": "path", "value": "/live?…" },
        { "name": "max_auth_token_cache_size", "value": 100 },
        {
            "name": "authorization_token", "alias_type": "register", "token_alias": 1,
            "token_type": 7, "token_value": { "length": 11 },
        },
    ]);
    assert_eq!(
        *events[1].1,
        json!({ "stream_id": 3, "message": { "type": "setup", "setup_options": options } })
    );
    assert_eq!(events[2].1["message"]["timeout"], 1500);
    assert_eq!(events[2].1["message"]["request_id"], 6);
    let message = &events[3].1["message"];
    assert_eq!(message["type"], "subscribe");
    assert_eq!(message["track_namespace"], json!([{ "value": "room" }, { "value": "demo" }]));
    assert_eq!(message["track_name"], json!({ "value_bytes": "ff6e616d65" }));
    assert_eq!(message["number_of_parameters"], 2);
    assert_eq!(message["parameters"][0], json!({ "name": "forward", "value": 0 }));
}

#[test]
fn objects_are_told_without_their_payload() {
    let header = SubgroupHeader {
        alias: TrackAlias(5),
        group: GroupId(9),
        subgroup: Some(SubgroupId(0)),
        priority: Some(Priority(64)),
        ends_group: true,
        from_first: true,
        has_properties: true,
    };
    let mut subgroup = BytesMut::new();
    header.encode(&mut subgroup);
    encode_object_header(None, &header, &object(0, b"private"), &mut subgroup);
    subgroup.extend_from_slice(b"private");
    encode_object_header(Some(ObjectId(0)), &header, &object(3, b"xy"), &mut subgroup);
    subgroup.extend_from_slice(b"xy");
    let subgroup = subgroup.freeze();
    let records = written(|watched| {
        let mut stream = watched.streams.stream(half(Direction::Sent, false));
        stream.bytes(&subgroup.slice(..9));
        stream.bytes(&subgroup.slice(9..));
        watched
            .streams
            .datagram(Direction::Received, &encode_datagram(TrackAlias(5), &object(1, b"private")));
        watched.streams.datagram(Direction::Received, &Bytes::from_static(b"\xffgarbage"));
    });
    assert!(!serde_json::to_string(&records).expect("JSON").contains("private"));
    let events = events(&records);
    let names: Vec<_> = events.iter().map(|(name, _)| name.trim_start_matches("moqt:")).collect();
    let created = "subgroup_object_created";
    let expected = ["stream_type_set", "subgroup_header_created", created, created, "object_datagram_parsed"];
    assert_eq!(names, expected);
    assert_eq!((&events[1].1["track_alias"], &events[1].1["group_id"]), (&json!(5), &json!(9)));
    let lengths = |index: usize| {
        let data = events[index].1;
        (data["object_id"].as_u64(), data["object_id_delta"].as_u64(), data["object_payload_length"].as_u64())
    };
    assert_eq!(lengths(2), (Some(0), Some(0), Some(7)));
    assert_eq!(lengths(3), (Some(3), Some(2), Some(2)));
    assert_eq!(events[2].1["properties"], json!([{ "type": 2, "value": 77 }]));
    assert_eq!(events[4].1["object_payload"], json!({ "length": 7 }));
}

#[test]
fn a_fetch_is_read_in_the_order_that_it_asked_for() {
    let range =
        WireFetchRange::Standalone { track: track(), start: Location::new(8, 0), end: Location::new(9, 0) };
    let parameters = Parameters { order: Some(GroupOrder::Descending), ..Parameters::default() };
    let fetch = Fetch { request: RequestId(2), range, parameters };
    let (mut answer, mut encoder) = (BytesMut::new(), FetchEncoder::default());
    FetchEncoder::header(RequestId(2), &mut answer);
    for group in [9, 8] {
        let mut object = object(0, b"z");
        object.subgroup.group = GroupId(group);
        encoder.object(&object, &mut answer);
        answer.extend_from_slice(b"z");
    }
    let answer = answer.freeze();
    let records = written(|watched| {
        watched.streams.stream(half(Direction::Received, true)).bytes(&encoded(&Message::Fetch(fetch)));
        watched.streams.stream(half(Direction::Sent, false)).bytes(&answer);
    });
    let groups = events(&records).into_iter().filter(|(name, _)| *name == "moqt:fetch_object_created");
    assert_eq!(groups.map(|(_, data)| data["group_id"].as_u64()).collect::<Vec<_>>(), [Some(9), Some(8)]);
}

#[test]
fn what_cannot_be_read_ends_the_log_of_its_stream_only() {
    let records = written(|watched| {
        let mut broken = watched.streams.stream(half(Direction::Received, false));
        broken.bytes(&Bytes::from_static(b"\x04 no stream"));
        broken.bytes(&Bytes::from_static(b"nor this"));
        let goaway = Goaway { uri: String::new(), timeout: Duration::ZERO, request: None };
        let mut request = watched.streams.stream(half(Direction::Received, true));
        request.bytes(&encoded(&Message::Goaway(goaway)));
    });
    let names: Vec<_> = events(&records).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["moqt:control_message_parsed"]);
}

#[cfg(unix)]
#[test]
fn what_the_thread_cannot_take_is_lost_and_counted_and_nobody_waits() {
    const RECORDS: u64 = 20_000;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
    assert!(made.success());
    let writer = Writer::start().expect("a thread");
    let file = writer.file(path.clone());
    // The thread waits for who reads the pipe, which is nobody yet.
    (0..RECORDS).for_each(|number| file.write(&json!({ "number": number })));
    let lost = writer.lost();
    assert!(lost > 1_000, "{lost}");
    drop((file, writer));
    let kept = records(&fs::read(path).expect("what was kept"));
    assert_eq!(kept.len() as u64 + lost, RECORDS);
    assert_eq!(kept[0], json!({ "number": 0 }));
}

#[test]
fn a_folder_that_cannot_be_used_is_told_with_the_option() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let error = Folder::given(Some(file.path()), "test").expect_err("no folder");
    let text = error.to_string();
    assert!(text.contains("--qlog") && text.contains(&file.path().display().to_string()), "{text}");
    assert!(Folder::given(None, "test").expect("nothing was asked for").is_none());
}
