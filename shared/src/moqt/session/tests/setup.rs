//! SETUP, and what else comes on the control stream.

use super::*;
use crate::moqt::{Grease, track::IMPLEMENTATION, wire::Goaway};

fn core(role: Role, is_webtransport: bool) -> Lone {
    let now = Instant::now();
    let config =
        Config { path: Some("/room?x=1".into()), authority: Some("a:1".into()), ..Config::new(role) };
    Lone { now, core: Core::new(now, &config, is_webtransport) }
}

fn sent(lone: &mut Lone) -> Message {
    let bytes: Vec<u8> = lone.outputs().into_iter().fold(Vec::new(), |mut all, output| {
        let Output::Control(bytes) = output else { panic!("{output:?}") };
        all.extend_from_slice(&bytes);
        all
    });
    Message::decode(&mut BytesMut::from(&bytes[..])).expect("valid").expect("whole")
}

#[test]
fn only_a_client_on_raw_quic_says_where_it_goes() {
    let (path, authority) = (Some(Bytes::from_static(b"/room?x=1")), Some(Bytes::from_static(b"a:1")));
    let implementation = Some(IMPLEMENTATION.into());
    let without = Setup { implementation, max_auth_token_cache_size: 16 << 10, ..Setup::default() };
    let with_url = Setup { path, authority, ..without.clone() };
    assert_eq!(sent(&mut core(Role::Client, false)), Message::Setup(with_url.clone()));
    assert_eq!(sent(&mut core(Role::Client, true)), Message::Setup(without.clone()));
    assert_eq!(sent(&mut core(Role::Server, false)), Message::Setup(without));
    let mut server = core(Role::Server, false);
    let mut bytes = raw(&Message::Setup(with_url));
    server.outputs();
    while !bytes.is_empty() {
        assert_eq!(server.outputs(), []);
        server.core.handle(server.now, Input::Control(bytes.split_to(1)));
    }
    assert_eq!(server.outputs(), [Output::Ready(Some("/room?x=1".into()))]);
}

#[test]
fn a_setup_that_cannot_be_is_answered_with_its_code() {
    let path = |path: &'static str| Setup { path: Some(path.into()), ..Setup::default() };
    let authority = |a: &'static str| Setup { authority: Some(a.into()), ..Setup::default() };
    for (role, is_webtransport, setup, code) in [
        (Role::Client, false, path("/"), SessionCode::InvalidPath),
        (Role::Server, true, path("/"), SessionCode::InvalidPath),
        (Role::Client, false, authority("a"), SessionCode::InvalidAuthority),
        (Role::Server, true, authority("a"), SessionCode::InvalidAuthority),
        (Role::Server, false, path("room"), SessionCode::MalformedPath),
        (Role::Server, false, path("/a b"), SessionCode::MalformedPath),
        (Role::Server, false, path("/#x"), SessionCode::MalformedPath),
        (Role::Server, false, path("/\u{e9}"), SessionCode::MalformedPath),
        (Role::Server, false, path("/%2"), SessionCode::MalformedPath),
        (Role::Server, false, path("/%2g"), SessionCode::MalformedPath),
        (Role::Server, false, path("/{a}"), SessionCode::MalformedPath),
        (Role::Server, false, authority(""), SessionCode::MalformedAuthority),
        (Role::Server, false, authority("a/b"), SessionCode::MalformedAuthority),
        (Role::Server, false, authority(":443"), SessionCode::MalformedAuthority),
        (Role::Server, false, authority("user@:443"), SessionCode::MalformedAuthority),
    ] {
        let mut lone = core(role, is_webtransport);
        lone.control(&Message::Setup(setup.clone()));
        assert_eq!(lone.closed(), Some(code), "{setup:?}");
    }
}

#[test]
fn a_peer_without_setup_is_waited_for_and_then_closed() {
    let mut lone = core(Role::Server, false);
    lone.outputs();
    let by = lone.now + Duration::from_secs(10);
    assert_eq!(lone.core.deadline(), Some(by));
    lone.core.handle(by - Duration::from_millis(1), Input::Tick);
    assert_eq!(lone.outputs(), []);
    lone.core.handle(by, Input::Tick);
    assert_eq!(lone.closed(), Some(SessionCode::ControlMessageTimeout));
    assert_eq!(lone.core.deadline(), None);
    assert_eq!(Lone::new(Role::Server).core.deadline(), None);
}

#[test]
fn the_control_stream_takes_setup_once_and_then_goaway_only() {
    let goaway = Goaway { uri: String::new(), timeout: Duration::ZERO, request: Some(RequestId(1)) };
    let mut early = core(Role::Server, false);
    early.control(&Message::Goaway(goaway));
    assert_eq!(early.closed(), Some(SessionCode::ProtocolViolation));
    for message in [
        Message::Setup(Setup::default()),
        Message::RequestOk(Default::default()),
        Message::Namespace(namespace(&["a"])),
    ] {
        let mut lone = Lone::new(Role::Server);
        lone.control(&message);
        assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation), "{message:?}");
    }
    let mut ended = Lone::new(Role::Client);
    ended.core.handle(ended.now, Input::ControlEnded);
    assert_eq!(ended.closed(), Some(SessionCode::ProtocolViolation));
}

#[test]
fn garbage_closes_the_session_and_what_follows_is_not_heard() {
    for garbage in [&b"\x3f\x00\x00"[..], b"\x40\x00\x00", b"\x10\x00\x00", b"\x10\x00\x01\xff"] {
        let mut lone = Lone::new(Role::Server);
        lone.core.handle(lone.now, Input::Control(Bytes::copy_from_slice(garbage)));
        assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation), "{garbage:?}");
        lone.control(&Message::Setup(Setup::default()));
        assert_eq!(lone.outputs(), []);
    }
}

#[test]
fn what_the_peer_says_of_itself_can_be_read() {
    let authority = |text: &'static str| Setup { authority: Some(text.into()), ..Setup::default() };
    for text in ["a", "a:1", "[::1]:443", "user@a:1", "a%20b"] {
        let mut lone = core(Role::Server, false);
        lone.control(&Message::Setup(authority(text)));
        assert_eq!(lone.closed(), None, "{text}");
        assert_eq!(lone.core.peer().authority.as_deref(), Some(text));
    }
    let mut lone = core(Role::Client, false);
    let implementation = Some(Bytes::from_static(b"theirs/\xff"));
    lone.control(&Message::Setup(Setup { implementation, ..Setup::default() }));
    assert_eq!(lone.core.peer().implementation.as_deref(), Some("theirs/\u{fffd}"));
}

#[test]
fn a_setup_can_hold_a_value_without_a_meaning_and_no_name() {
    for n in [0, 1, 65_535] {
        let config = Config { grease: Some(Grease(n)), implementation: None, ..Config::new(Role::Client) };
        let now = Instant::now();
        let mut lone = Lone { now, core: Core::new(now, &config, true) };
        let plain = Config { grease: None, ..config };
        let mut without = Lone { now, core: Core::new(now, &plain, true) };
        let (Some(Output::Control(greased)), Some(Output::Control(plain))) =
            (lone.core.poll(), without.core.poll())
        else {
            panic!("no SETUP")
        };
        assert!(greased.len() > plain.len() + 1, "{n}");
        let read = |bytes: &Bytes| Message::decode(&mut BytesMut::from(&bytes[..])).expect("valid");
        assert_eq!(read(&greased), read(&plain));
    }
}
