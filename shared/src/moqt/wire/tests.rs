//! The wire against bytes written by hand from the draft, and against itself.

mod random;
mod streams;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use random::Random;

use super::*;
use crate::moqt::{
    DoneCode, Filter, GroupId, GroupOrder, Location, Namespace, Priority, Properties, RequestCode, TrackName,
};

fn track(name: &'static str) -> TrackName {
    TrackName { namespace: Namespace::new(["a", "bc"]), name: name.into() }
}

fn token(bytes: &[u8]) -> Token {
    Token::decode(Bytes::copy_from_slice(bytes)).expect("a token")
}

fn encoded(message: &Message) -> BytesMut {
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes).expect("a message that the draft allows");
    bytes
}

fn decoded(bytes: &[u8]) -> Result<Option<Message>, WireError> {
    Message::decode(&mut BytesMut::from(bytes))
}

fn code_of(bytes: &[u8]) -> SessionCode {
    decoded(bytes).expect_err("the bytes break the draft").code
}

/// Each message in one form, with the bytes that the draft gives it.
fn vectors() -> Vec<(Message, &'static [u8])> {
    let filter = Filter::AbsoluteRange(Location::new(5, 1), GroupId(8));
    vec![
        (
            Message::Setup(Setup {
                path: Some("/x".into()),
                authority: None,
                max_auth_token_cache_size: 200,
                tokens: vec![token(&[3, 0, 9])],
                implementation: Some("me".into()),
                grease: None,
            }),
            &[
                0xaf, 0x00, // type 0x2F00
                0x00, 0x10, // length
                0x01, 0x02, b'/', b'x', // PATH
                0x02, 0x03, 0x03, 0x00, 0x09, // AUTHORIZATION_TOKEN: 1 + 2
                0x01, 0x80, 0xc8, // MAX_AUTH_TOKEN_CACHE_SIZE: 3 + 1, 200
                0x03, 0x02, b'm', b'e', // MOQT_IMPLEMENTATION: 4 + 3
            ],
        ),
        (
            Message::Goaway(Goaway {
                uri: "u".into(),
                timeout: Duration::from_millis(300),
                request: Some(RequestId(4)),
            }),
            &[
                0x10, 0x00, 0x05, // GOAWAY
                0x01, b'u', // URI
                0x81, 0x2c, // timeout 300
                0x04, // request ID
            ],
        ),
        (
            Message::Subscribe(Subscribe {
                request: RequestId(2),
                track: track("v"),
                parameters: Parameters {
                    object_timeout: Some(Duration::from_millis(100)),
                    subgroup_timeout: Some(Duration::from_millis(50)),
                    forward: Some(false),
                    priority: Some(Priority(200)),
                    filter: Some(filter),
                    order: Some(GroupOrder::Descending),
                    new_group: Some(GroupId(0)),
                    ..Parameters::default()
                },
            }),
            &[
                0x03, 0x00, 0x1c, // SUBSCRIBE
                0x02, // request ID
                0x02, 0x01, b'a', 0x02, b'b', b'c', // namespace
                0x01, b'v', // name
                0x07, // parameters
                0x02, 0x64, // OBJECT_DELIVERY_TIMEOUT
                0x04, 0x32, // SUBGROUP_DELIVERY_TIMEOUT: 2 + 4
                0x0a, 0x00, // FORWARD: 6 + 0xA, one byte
                0x10, 0xc8, // SUBSCRIBER_PRIORITY: 0x10 + 0x10, one byte
                0x01, 0x04, 0x04, 0x05, 0x01, 0x03, // SUBSCRIPTION_FILTER: range from 5.1, 3 groups on
                0x01, 0x02, // GROUP_ORDER
                0x10, 0x00, // NEW_GROUP_REQUEST: 0x22 + 0x10
            ],
        ),
        (
            Message::SubscribeOk(SubscribeOk {
                alias: TrackAlias(7),
                parameters: Parameters {
                    expires: Some(Duration::from_secs(1)),
                    largest: Some(Location::new(300, 2)),
                    ..Parameters::default()
                },
                properties: TrackProperties { dynamic_groups: true, ..TrackProperties::default() }.encode(),
            }),
            &[
                0x04, 0x00, 0x0b, // SUBSCRIBE_OK
                0x07, // alias
                0x02, // parameters
                0x08, 0x83, 0xe8, // EXPIRES 1000
                0x01, 0x81, 0x2c, 0x02, // LARGEST_OBJECT 300.2, without a length
                0x30, 0x01, // DYNAMIC_GROUPS
            ],
        ),
        (
            Message::RequestUpdate(RequestUpdate {
                request: RequestId(6),
                parameters: Parameters {
                    prefix: Some(Namespace::new(["z"])),
                    tokens: vec![token(&[2, 5]), token(&[3, 0])],
                    ..Parameters::default()
                },
            }),
            &[
                0x02, 0x00, 0x0e, // REQUEST_UPDATE
                0x06, // request ID
                0x03, // parameters
                0x03, 0x02, 0x02, 0x05, // AUTHORIZATION_TOKEN: USE_ALIAS 5
                0x00, 0x02, 0x03, 0x00, // another: USE_VALUE, type 0, an empty value
                0x31, 0x01, 0x01, b'z', // TRACK_NAMESPACE_PREFIX: 3 + 0x31
            ],
        ),
        (
            Message::Publish(Publish {
                request: RequestId(1),
                track: track(""),
                alias: TrackAlias(9),
                parameters: Parameters::default(),
                properties: Properties::default(),
            }),
            &[0x1d, 0x00, 0x0a, 0x01, 0x02, 0x01, b'a', 0x02, b'b', b'c', 0x00, 0x09, 0x00],
        ),
        (
            Message::PublishDone(PublishDone {
                code: DoneCode::TooFarBehind,
                streams: (1 << 62) - 1,
                reason: "slow".into(),
            }),
            &[
                0x0b, 0x00, 0x0f, // PUBLISH_DONE
                0x05, // TOO_FAR_BEHIND
                0xff, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // not known
                0x04, b's', b'l', b'o', b'w',
            ],
        ),
        (
            Message::Fetch(Fetch {
                request: RequestId(0),
                range: WireFetchRange::Standalone {
                    track: track("v"),
                    start: Location::new(1, 0),
                    end: Location::new(3, u64::MAX),
                },
                parameters: Parameters { fill_timeout: Some(Duration::ZERO), ..Parameters::default() },
            }),
            &[
                0x16, 0x00, 0x11, // FETCH
                0x00, 0x01, // request ID, standalone
                0x02, 0x01, b'a', 0x02, b'b', b'c', 0x01, b'v', // track
                0x01, 0x00, // start
                0x03, 0x00, // end: all of group 3
                0x01, 0x0a, 0x00, // FILL_TIMEOUT
            ],
        ),
        (
            Message::Fetch(Fetch {
                request: RequestId(0),
                range: WireFetchRange::Relative { joining: RequestId(8), groups: 2 },
                parameters: Parameters::default(),
            }),
            &[0x16, 0x00, 0x05, 0x00, 0x02, 0x08, 0x02, 0x00],
        ),
        (
            Message::FetchOk(FetchOk {
                end_of_track: true,
                end: Location::new(3, 4),
                parameters: Parameters::default(),
                properties: Properties::default(),
            }),
            &[0x18, 0x00, 0x04, 0x01, 0x03, 0x05, 0x00], // the object is one more
        ),
        (
            Message::PublishNamespace(PublishNamespace {
                request: RequestId(3),
                namespace: Namespace::new(["a"]),
                parameters: Parameters::default(),
            }),
            &[0x06, 0x00, 0x05, 0x03, 0x01, 0x01, b'a', 0x00],
        ),
        (Message::Namespace(Namespace::new(["a"])), &[0x08, 0x00, 0x03, 0x01, 0x01, b'a']),
        (Message::NamespaceDone(Namespace::new([] as [Bytes; 0])), &[0x0e, 0x00, 0x01, 0x00]),
        (
            Message::SubscribeNamespace(SubscribeNamespace {
                request: RequestId(0),
                prefix: Namespace::new([] as [Bytes; 0]),
                parameters: Parameters::default(),
            }),
            &[0x50, 0x00, 0x03, 0x00, 0x00, 0x00],
        ),
        (
            Message::PublishBlocked(PublishBlocked { suffix: Namespace::new(["a"]), name: "n".into() }),
            &[0x0f, 0x00, 0x05, 0x01, 0x01, b'a', 0x01, b'n'],
        ),
        (Message::RequestOk(RequestOk::default()), &[0x07, 0x00, 0x01, 0x00]),
        (
            Message::RequestError(RequestError {
                code: RequestCode::ExcessiveLoad,
                retry_after: Some(Duration::ZERO),
                reason: String::new(),
                redirect: None,
            }),
            &[0x05, 0x00, 0x03, 0x09, 0x01, 0x00], // the interval is one more
        ),
        (
            Message::RequestError(RequestError {
                code: RequestCode::Redirect,
                retry_after: None,
                reason: "r".into(),
                redirect: Some(Redirect { uri: "u".into(), track: track("") }),
            }),
            &[
                0x05, 0x00, 0x0d, // REQUEST_ERROR
                0x34, 0x00, 0x01, b'r', // REDIRECT, no retry, reason
                0x01, b'u', 0x02, 0x01, b'a', 0x02, b'b', b'c', 0x00, // redirect
            ],
        ),
    ]
}

#[test]
fn messages_have_the_bytes_of_the_draft() {
    for (message, bytes) in vectors() {
        assert_eq!(encoded(&message), bytes, "{message:?}");
        assert_eq!(decoded(bytes), Ok(Some(message)));
    }
}

#[test]
fn publish_ok_reads_as_request_ok() {
    let parameters = Parameters { priority: Some(Priority(3)), ..Parameters::default() };
    let ok = Message::RequestOk(RequestOk { parameters, ..RequestOk::default() });
    assert_eq!(decoded(&[0x1e, 0x00, 0x03, 0x01, 0x20, 0x03]), Ok(Some(ok)));
}

#[test]
fn every_message_survives_a_round_trip_and_every_cut_of_it_waits() {
    let mut random = Random::new(0x5eed);
    for _ in 0..2_000 {
        let message = random.message();
        let mut bytes = encoded(&message);
        for cut in 0..bytes.len() {
            assert_eq!(decoded(&bytes[..cut]), Ok(None), "{message:?} cut at {cut}");
        }
        bytes.extend_from_slice(b"next");
        assert_eq!(Message::decode(&mut bytes), Ok(Some(message)));
        assert_eq!(bytes, b"next"[..], "what follows is left");
    }
}

#[test]
fn a_message_that_is_shorter_than_its_fields_is_an_error() {
    // Nothing is optional at the end of these but GOAWAY's request and REQUEST_OK's kin's properties.
    for (message, bytes) in vectors() {
        let (kind, payload) = match bytes {
            [0xaf, low, _, _, payload @ ..] => (vec![0xaf, *low], payload),
            [kind, _, _, payload @ ..] => (vec![*kind], payload),
            _ => panic!("{message:?} is too short"),
        };
        for cut in 0..payload.len() {
            let mut short = kind.clone();
            short.extend_from_slice(&(cut as u16).to_be_bytes());
            short.extend_from_slice(&payload[..cut]);
            match decoded(&short) {
                Ok(Some(other)) => assert_ne!(other, message, "cut at {cut}"),
                Ok(None) => panic!("{message:?} cut at {cut} waits for what never comes"),
                Err(error) => assert!(
                    matches!(
                        error.code,
                        SessionCode::ProtocolViolation | SessionCode::KeyValueFormattingError
                    ),
                    "{error}"
                ),
            }
        }
    }
}

#[test]
fn what_the_draft_forbids_closes_the_session() {
    let violations: &[(&str, &[u8])] = &[
        ("unknown type, at once", &[0x0a]),
        ("CLIENT_SETUP of old drafts", &[0x20, 0x00, 0x00]),
        ("bytes after the last field", &[0x08, 0x00, 0x04, 0x01, 0x01, b'a', 0x00]),
        ("empty namespace field", &[0x08, 0x00, 0x02, 0x01, 0x00]),
        ("33 namespace fields", &[0x08, 0x00, 0x01, 0x21]),
        ("unknown parameter", &[0x07, 0x00, 0x03, 0x01, 0x40, 0x00]),
        ("parameter out of place", &[0x07, 0x00, 0x03, 0x01, 0x0a, 0x00]),
        ("parameter twice", &[0x07, 0x00, 0x05, 0x02, 0x10, 0x01, 0x00, 0x01]),
        ("FORWARD of 2", &[0x07, 0x00, 0x03, 0x01, 0x10, 0x02]),
        ("GROUP_ORDER of 0", &[0x07, 0x00, 0x03, 0x01, 0x22, 0x00]),
        ("filter type 5", &[0x07, 0x00, 0x04, 0x01, 0x21, 0x01, 0x05]),
        ("filter with more than it has", &[0x07, 0x00, 0x05, 0x01, 0x21, 0x02, 0x02, 0x00]),
        (
            "filter past the last group",
            &[
                0x07, 0x00, 0x0f, 0x01, 0x21, 0x0c, 0x04, 0x01, 0x00, //
                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
        ),
        ("fetch type 4", &[0x16, 0x00, 0x02, 0x00, 0x04]),
        ("End Of Track of 2", &[0x18, 0x00, 0x04, 0x02, 0x00, 0x00, 0x00]),
        ("a reference in SETUP", &[0xaf, 0x00, 0x00, 0x04, 0x03, 0x02, 0x02, 0x05]),
        ("PATH twice", &[0xaf, 0x00, 0x00, 0x04, 0x01, 0x00, 0x00, 0x00]),
    ];
    for (what, bytes) in violations {
        assert_eq!(code_of(bytes), SessionCode::ProtocolViolation, "{what}");
    }
    let misformed: &[(&str, &[u8])] = &[
        ("PATH that ends too early", &[0xaf, 0x00, 0x00, 0x03, 0x01, 0x05, b'x']),
        ("empty token", &[0xaf, 0x00, 0x00, 0x02, 0x03, 0x00]),
        ("token of alias type 4", &[0xaf, 0x00, 0x00, 0x04, 0x03, 0x02, 0x04, 0x00]),
        ("token of an alias and more", &[0x02, 0x00, 0x07, 0x00, 0x01, 0x03, 0x03, 0x02, 0x05, 0x00]),
    ];
    for (what, bytes) in misformed {
        assert_eq!(code_of(bytes), SessionCode::KeyValueFormattingError, "{what}");
    }
}

#[test]
fn unknown_setup_options_are_ignored_even_twice() {
    let bytes = [
        0xaf, 0x00, 0x00, 0x0a, //
        0x02, 0x05, // 0x02: 5
        0x7f, 0x01, 0xff, // 0x81: one byte
        0x00, 0x02, 0xaa, 0xbb, // 0x81 again
        0x01, // 0x82: its value is missing
    ];
    assert_eq!(code_of(&bytes), SessionCode::KeyValueFormattingError);
    let mut whole = bytes[..bytes.len() - 1].to_vec();
    whole[3] = 0x09;
    assert_eq!(decoded(&whole), Ok(Some(Message::Setup(Setup::default()))));
}

#[test]
fn integers_need_not_be_in_their_shortest_form() {
    let plain = decoded(&[0x08, 0x00, 0x03, 0x01, 0x01, b'a']);
    assert_eq!(decoded(&[0x80, 0x08, 0x00, 0x05, 0xc0, 0x00, 0x01, 0x01, b'a']), plain);
}

#[test]
fn names_and_texts_keep_to_the_limits() {
    let name = |fields: usize, field: usize, name: usize| TrackName {
        namespace: Namespace::new(vec![vec![b'f'; field]; fields]),
        name: vec![b'n'; name].into(),
    };
    let subscribe = |track: TrackName| {
        let message =
            Message::Subscribe(Subscribe { request: RequestId(0), track, parameters: Parameters::default() });
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes).map(|()| bytes)
    };
    for (fields, field, bytes) in [(32, 128, 0), (1, 4096, 0), (1, 1, 4095)] {
        let sent = subscribe(name(fields, field, bytes)).expect("at the limit");
        assert!(matches!(decoded(&sent), Ok(Some(Message::Subscribe(_)))));
    }
    for (fields, field, bytes) in [(33, 1, 0), (1, 4097, 0), (2, 2048, 1), (1, 0, 0)] {
        assert!(subscribe(name(fields, field, bytes)).is_err(), "{fields} fields of {field}, {bytes}");
    }
    // 4095 + 2 bytes, as a peer would send them.
    let mut long = vec![0x03, 0x10, 0x08, 0x00, 0x01, 0x8f, 0xff];
    long.extend_from_slice(&[b'f'; 4095]);
    long.extend_from_slice(&[0x02, b'n', b'n', 0x00]);
    long[2] = (long.len() - 3) as u8;
    assert_eq!(code_of(&long), SessionCode::ProtocolViolation);
}

#[test]
fn long_reasons_are_cut_and_a_peers_are_refused() {
    let done =
        |reason: String| Message::PublishDone(PublishDone { code: DoneCode::Expired, streams: 0, reason });
    let sent = encoded(&done("é".repeat(1000)));
    assert_eq!(decoded(&sent), Ok(Some(done("é".repeat(512)))));

    let mut long = vec![0x0b, 0x04, 0x05, 0x06, 0x00, 0x84, 0x01];
    long.extend_from_slice(&[b'x'; 1025]);
    assert_eq!(code_of(&long), SessionCode::ProtocolViolation);
}

#[test]
fn a_uri_has_at_most_8192_bytes() {
    let goaway = |bytes: usize| {
        Message::Goaway(Goaway { uri: "u".repeat(bytes), timeout: Duration::ZERO, request: None })
    };
    let longest = encoded(&goaway(8192));
    assert_eq!(decoded(&longest), Ok(Some(goaway(8192))));
    assert!(goaway(8193).encode(&mut BytesMut::new()).is_err());
    let mut longer = vec![0x10, 0x00, 0x00, 0xa0, 0x01];
    longer.extend_from_slice(&[b'u'; 8193]);
    longer.push(0);
    longer[1..3].copy_from_slice(&8196_u16.to_be_bytes());
    assert_eq!(code_of(&longer), SessionCode::ProtocolViolation);
}

#[test]
fn a_message_has_at_most_64_kib() {
    let setup = |bytes: usize| {
        Message::Setup(Setup {
            tokens: vec![token(&vec![3; 32_000]), token(&vec![3; bytes])],
            ..Setup::default()
        })
    };
    let mut output = BytesMut::new();
    assert!(setup(33_527).encode(&mut output).is_ok());
    assert_eq!(output.len(), 4 + usize::from(u16::MAX));
    assert_eq!(Message::decode(&mut output.clone()), Ok(Some(setup(33_527))));
    output.clear();
    let error = setup(33_528).encode(&mut output).expect_err("one byte too many");
    assert!(error.to_string().contains("SETUP of 65536 bytes"), "{error}");
    assert!(output.is_empty(), "nothing of it is sent");
}

#[test]
fn parameters_are_sent_only_where_they_belong() {
    let parameters = Parameters { order: Some(GroupOrder::Ascending), ..Parameters::default() };
    let update = Message::RequestUpdate(RequestUpdate { request: RequestId(0), parameters });
    assert!(update.encode(&mut BytesMut::new()).is_err());
}

#[test]
fn no_filter_is_left_out_and_in_an_update_it_is_the_start() {
    let parameters = Parameters { filter: Some(Filter::Unfiltered), ..Parameters::default() };
    let subscribe = Subscribe { request: RequestId(0), track: track("v"), parameters: parameters.clone() };
    let Ok(Some(Message::Subscribe(read))) = decoded(&encoded(&Message::Subscribe(subscribe))) else {
        panic!("SUBSCRIBE is read as SUBSCRIBE");
    };
    assert_eq!(read.parameters, Parameters::default());
    let update = encoded(&Message::RequestUpdate(RequestUpdate { request: RequestId(0), parameters }));
    assert_eq!(update, [0x02, 0x00, 0x07, 0x00, 0x01, 0x21, 0x03, 0x03, 0x00, 0x00][..]);
}

#[test]
fn track_properties_are_found_among_immutable_ones_too() {
    let inner = Properties::from_pairs(&[Property::Number(0x0e, 7), Property::Number(0x4000, 1)]);
    let properties = Properties::from_pairs(&[
        Property::Number(0x02, 500),
        Property::Bytes(0x0b, inner.0),
        Property::Number(0x22, 2),
        Property::Bytes(0x9d, Bytes::from_static(b"grease")),
    ]);
    let expected = TrackProperties {
        object_timeout: Some(Duration::from_millis(500)),
        priority: Some(Priority(7)),
        order: Some(GroupOrder::Descending),
        ..TrackProperties::default()
    };
    assert_eq!(TrackProperties::decode(&properties), Ok(expected));
    assert_eq!(properties.unsupported(), Ok(Some(0x4000)));
    assert_eq!(expected.encode().unsupported(), Ok(None));
    for (key, value) in [(0x0e, 256), (0x22, 0), (0x30, 2)] {
        let wrong = Properties::from_pairs(&[Property::Number(key, value)]);
        let error = TrackProperties::decode(&wrong).expect_err("out of range");
        assert_eq!(error.code, SessionCode::ProtocolViolation);
    }
}

#[test]
fn integers_are_those_of_the_draft() {
    let examples: &[(&[u8], u64)] = &[
        (&[0x25], 37),
        (&[0x80, 0x25], 37),
        (&[0xbb, 0xbd], 15_293),
        (&[0xed, 0x7f, 0x3e, 0x7d], 226_442_877),
        (&[0xfa, 0xa1, 0xa0, 0xe4, 0x03, 0xd8], 2_893_212_287_960),
        (&[0xfc, 0x89, 0x98, 0xab, 0xc6, 0x6b, 0xc0], 151_288_809_941_952),
        (&[0xfe, 0xfa, 0x31, 0x8f, 0xa8, 0xe3, 0xca, 0x11], 70_423_237_261_249_041),
        (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], u64::MAX),
    ];
    for (bytes, value) in examples {
        assert_eq!(field::peek_integer(bytes), Some((*value, bytes.len())));
        assert_eq!(field::integer_length(bytes[0]), bytes.len());
        for cut in 0..bytes.len() {
            assert_eq!(field::peek_integer(&bytes[..cut]), None);
        }
    }
}
