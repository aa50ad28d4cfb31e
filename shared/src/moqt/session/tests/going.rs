//! GOAWAY.

use super::*;
use crate::moqt::{GoingAway, ResetCode, wire::Goaway};

const STREAM: Stream = Stream(0);

fn goaway(uri: &str, request: Option<u64>) -> Message {
    let (uri, timeout) = (uri.to_owned(), Duration::from_secs(1));
    Message::Goaway(Goaway { uri, timeout, request: request.map(RequestId) })
}

fn to(uri: &str, seconds: u64) -> GoingAway {
    GoingAway { uri: uri.to_owned(), timeout: Duration::from_secs(seconds) }
}

#[test]
fn a_server_says_where_to_go_and_a_client_cannot() {
    let mut pair = Pair::new();
    pair.server.goaway(pair.now, "moqt://other", Duration::ZERO);
    pair.server.goaway(pair.now, "moqt://third", Duration::ZERO);
    assert_eq!(pair.run().client, [Output::GoingAway(to("moqt://other", 0))]);
    pair.client.goaway(pair.now, "moqt://other", Duration::ZERO);
    assert_eq!(pair.run().server, [Output::GoingAway(to("", 0))]);
    assert_eq!((pair.client.deadline(), pair.server.deadline()), (None, None));
}

#[test]
fn nothing_new_is_asked_of_who_goes_and_what_comes_is_refused() {
    let mut pair = Pair::new();
    pair.subscribe(STREAM, "v", &granted(None));
    pair.client.announce(Stream(1), namespace(&["a"])).expect("asked");
    pair.server.goaway(pair.now, "", Duration::ZERO);
    // The announcement is on its way, and comes too late.
    let seen = pair.run();
    assert_eq!(seen.client[0], Output::GoingAway(to("", 0)));
    assert_eq!(refusal(&seen.client, Stream(1)), Some(RequestCode::GoingAway));
    let asked = pair.client.announce(Stream(2), namespace(&["b"]));
    assert!(matches!(asked, Err(Refused::Error { code: RequestCode::GoingAway, .. })));
    // What stands goes on.
    pair.server.publish_done(STREAM, DoneCode::GoingAway, "", 0);
    assert_eq!(pair.run().client, [Output::Tell(STREAM, Event::Done(DoneCode::GoingAway, String::new()))]);

    let mut lone = Lone::new(Role::Server);
    lone.core.goaway(lone.now, "", Duration::ZERO);
    lone.outputs();
    let (request, parameters) = (RequestId(0), Parameters::default());
    let namespace = namespace(&["a"]);
    lone.open(STREAM, &Message::PublishNamespace(wire::PublishNamespace { request, namespace, parameters }));
    let (said, is_finished) = lone.said(STREAM);
    assert!(is_finished);
    assert!(matches!(&said[..], [Message::RequestError(e)] if e.code == RequestCode::GoingAway));
}

#[test]
fn it_names_the_first_request_that_was_not_handled() {
    for (role, ids, next) in [
        (Role::Server, &[][..], 0),
        (Role::Client, &[], 1),
        (Role::Server, &[0, 2], 4),
        // One that was reset on its way does not make those after it unhandled.
        (Role::Server, &[0, 4], 6),
    ] {
        let mut lone = Lone::new(role);
        for &id in ids {
            let (request, parameters) = (RequestId(id), Parameters::default());
            let namespace = namespace(&["a"]);
            let message = wire::PublishNamespace { request, namespace, parameters };
            lone.open(Stream(id), &Message::PublishNamespace(message));
        }
        lone.outputs();
        lone.core.goaway(lone.now, "", Duration::from_secs(1));
        let [Output::Control(bytes)] = &lone.outputs()[..] else { panic!("no GOAWAY") };
        let said = Message::decode(&mut BytesMut::from(&bytes[..])).expect("valid");
        assert_eq!(said, Some(goaway("", Some(next))));
    }
}

#[test]
fn after_its_time_the_session_closes() {
    let second = Duration::from_secs(1);
    let mut idle = Lone::new(Role::Server);
    idle.core.goaway(idle.now, "", second);
    assert_eq!(idle.core.deadline(), Some(idle.now + second));
    idle.core.handle(idle.now + second, Input::Tick);
    assert_eq!(idle.closed(), Some(SessionCode::NoError));

    let mut busy = Lone::new(Role::Server);
    busy.core.announce(STREAM, namespace(&["a"])).expect("asked");
    busy.core.goaway(busy.now, "", second);
    busy.core.handle(busy.now + second, Input::Tick);
    assert_eq!(busy.closed(), Some(SessionCode::GoawayTimeout));
}

#[test]
fn a_goaway_that_cannot_be_closes_the_session() {
    for (role, messages, code) in [
        (Role::Client, vec![goaway("", Some(0)), goaway("", Some(0))], SessionCode::ProtocolViolation),
        (Role::Client, vec![goaway("", None)], SessionCode::ProtocolViolation),
        (Role::Client, vec![goaway("", Some(1))], SessionCode::InvalidRequestId),
        (Role::Server, vec![goaway("", Some(0))], SessionCode::InvalidRequestId),
        (Role::Server, vec![goaway("moqt://x", Some(1))], SessionCode::ProtocolViolation),
    ] {
        let mut lone = Lone::new(role);
        messages.iter().for_each(|message| lone.control(message));
        assert_eq!(lone.closed(), Some(code), "{role:?} {messages:?}");
    }
}

#[test]
fn one_request_may_be_sent_elsewhere_once() {
    for (role, messages, code) in [
        (Role::Client, vec![goaway("moqt://x", None)], None),
        (Role::Server, vec![goaway("", None)], None),
        (Role::Client, vec![goaway("", None), goaway("", None)], Some(SessionCode::ProtocolViolation)),
        (Role::Client, vec![goaway("", Some(0))], Some(SessionCode::ProtocolViolation)),
        (Role::Server, vec![goaway("moqt://x", None)], Some(SessionCode::ProtocolViolation)),
    ] {
        let mut lone = Lone::new(role);
        lone.core.announce(STREAM, namespace(&["a"])).expect("asked");
        messages.iter().for_each(|message| lone.say(STREAM, message));
        assert_eq!(lone.closed(), code, "{role:?} {messages:?}");
        lone.core.cancel(STREAM, ResetCode::GoingAway);
    }
}

#[test]
fn what_the_peer_did_not_handle_is_refused_at_once() {
    let mut lone = Lone::new(Role::Client);
    for number in 0..4 {
        lone.core.announce(Stream(number), namespace(&["a"])).expect("asked");
    }
    // The last one is answered, though the peer says otherwise.
    lone.say(Stream(3), &Message::RequestOk(wire::RequestOk::default()));
    lone.outputs();
    lone.control(&goaway("moqt://x", Some(2)));
    let gone = |number| {
        let code = RequestCode::GoingAway;
        let reason = "the peer is going away: connect anew".to_owned();
        let refused = Refused::Error { code, reason, retry_after: None };
        let stream = Stream(number);
        [Output::Tell(stream, Event::Refused(refused)), Output::Abandon(stream, ResetCode::GoingAway)]
    };
    let mut expected = vec![Output::GoingAway(to("moqt://x", 1))];
    expected.extend(gone(1));
    expected.extend(gone(2));
    assert_eq!(lone.outputs(), expected);
    // What it may have handled, it answers.
    lone.say(STREAM, &Message::RequestOk(wire::RequestOk::default()));
    assert_eq!(lone.outputs(), [Output::Tell(STREAM, Event::Granted)]);
}

#[test]
fn a_request_is_asked_to_leave_once_and_reset_after_its_time() {
    for from_server in [true, false] {
        let mut pair = Pair::new();
        pair.client.announce(STREAM, namespace(&["a"])).expect("asked");
        pair.run();
        pair.server.grant(STREAM);
        pair.run();
        let (side, uri) = match from_server {
            true => (&mut pair.server, "moqt://x"),
            false => (&mut pair.client, ""),
        };
        side.request_goaway(pair.now, STREAM, to("moqt://x", 1));
        side.request_goaway(pair.now, STREAM, to("moqt://y", 2));
        assert_eq!(side.deadline(), Some(pair.now + Duration::from_secs(1)));
        let seen = pair.run();
        let told = [Output::Tell(STREAM, Event::GoingAway(to(uri, 1)))];
        let ended = [Output::Tell(STREAM, Event::Ended)];
        assert_eq!(if from_server { seen.client } else { seen.server }, told);
        assert_eq!(pair.pass(Duration::from_millis(999)), Seen::default());
        let seen = pair.pass(Duration::from_millis(1));
        assert_eq!((&seen.client[..], &seen.server[..]), (&ended[..], &ended[..]));
        assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());
        assert_eq!((pair.client.deadline(), pair.server.deadline()), (None, None));
    }
}

#[test]
fn a_request_that_left_in_time_has_no_timer() {
    let mut pair = Pair::new();
    pair.client.announce(STREAM, namespace(&["a"])).expect("asked");
    pair.run();
    pair.server.grant(STREAM);
    pair.server.request_goaway(pair.now, STREAM, to("", 1));
    pair.run();
    pair.client.cancel(STREAM, ResetCode::Cancelled);
    pair.run();
    assert_eq!(pair.server.deadline(), None);
}
