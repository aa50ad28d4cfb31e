//! Request streams: what may begin them, what may follow, and how they end.

use super::*;
use crate::moqt::{
    Properties, ResetCode,
    driver::Refusal,
    wire::{
        FetchOk, PublishDone, PublishNamespace, Redirect, RequestError, RequestOk, RequestUpdate, Subscribe,
        SubscribeNamespace,
    },
};

const STREAM: Stream = Stream(0);

fn subscribe(id: u64) -> Message {
    let (request, parameters) = (RequestId(id), Parameters::default());
    Message::Subscribe(Subscribe { request, track: track("video"), parameters })
}

fn subscribe_ok(properties: Properties) -> Message {
    let parameters = Parameters::default();
    Message::SubscribeOk(wire::SubscribeOk { alias: TrackAlias(7), parameters, properties })
}

fn fetch_ok() -> Message {
    let (end, parameters) = (Location::new(1, 0), Parameters::default());
    Message::FetchOk(FetchOk { end_of_track: false, end, parameters, properties: Properties::default() })
}

fn done() -> Message {
    Message::PublishDone(PublishDone { code: DoneCode::TrackEnded, streams: 0, reason: String::new() })
}

fn error() -> Message {
    let code = RequestCode::DoesNotExist;
    Message::RequestError(RequestError { code, retry_after: None, reason: "none".into(), redirect: None })
}

fn ok() -> Message {
    Message::RequestOk(RequestOk::default())
}

fn update(id: u64) -> Message {
    Message::RequestUpdate(RequestUpdate { request: RequestId(id), parameters: Parameters::default() })
}

#[test]
fn only_a_request_may_begin_a_request_stream() {
    let messages = [
        Message::Setup(Setup::default()),
        subscribe_ok(Properties::default()),
        fetch_ok(),
        done(),
        error(),
        ok(),
        update(0),
        Message::Namespace(namespace(&["a"])),
        Message::NamespaceDone(namespace(&["a"])),
    ];
    for message in messages {
        let mut lone = Lone::new(Role::Server);
        lone.open(STREAM, &message);
        assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation), "{message:?}");
    }
    let mut garbage = Lone::new(Role::Server);
    garbage.core.handle(garbage.now, Input::Opened(STREAM));
    garbage.core.handle(garbage.now, Input::Bytes(STREAM, Bytes::from_static(b"\x0a\x00\x00")));
    assert_eq!(garbage.closed(), Some(SessionCode::ProtocolViolation));
}

#[test]
fn after_a_request_only_its_updates_may_come() {
    for message in [subscribe(2), ok(), done(), Message::Namespace(namespace(&["a"]))] {
        let mut lone = Lone::new(Role::Server);
        lone.open(STREAM, &subscribe(0));
        lone.say(STREAM, &message);
        assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation), "{message:?}");
    }
}

#[test]
fn a_request_stream_may_not_end_within_a_message() {
    let mut lone = Lone::new(Role::Server);
    let whole = raw(&subscribe(0));
    lone.core.handle(lone.now, Input::Opened(STREAM));
    lone.core.handle(lone.now, Input::Bytes(STREAM, whole.slice(..whole.len() - 1)));
    assert_eq!(lone.outputs(), []);
    lone.core.handle(lone.now, Input::Finished(STREAM));
    assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation));
    let mut reset = Lone::new(Role::Server);
    reset.core.handle(reset.now, Input::Opened(STREAM));
    reset.core.handle(reset.now, Input::Bytes(STREAM, whole.slice(..4)));
    reset.core.handle(reset.now, Input::Cancelled(STREAM, 1));
    assert_eq!(reset.closed(), None);
}

#[test]
fn an_answer_must_fit_its_request_and_come_once() {
    type Ask = fn(&mut Core);
    let subscribe: Ask = |core| core.subscribe(STREAM, track("v"), &Default::default()).expect("asked");
    let fetch: Ask = |core| {
        let (start, end) = (Location::new(1, 0), Location::new(2, 0));
        let range = wire::WireFetchRange::Standalone { track: track("v"), start, end };
        core.fetch(STREAM, range, Priority(1)).expect("asked");
    };
    let announce: Ask = |core| core.announce(STREAM, namespace(&["a"])).expect("asked");
    let learn: Ask = |core| core.learn(STREAM, namespace(&["a"])).expect("asked");
    let granted = || subscribe_ok(Properties::default());
    let suffix = || Message::Namespace(namespace(&["b"]));
    let with_properties = || {
        Message::RequestOk(RequestOk { properties: Properties("\x02\x05".into()), ..RequestOk::default() })
    };
    let with_parameters = || {
        let parameters = Parameters { largest: at(1, 1), ..Parameters::default() };
        Message::RequestOk(RequestOk { parameters, ..RequestOk::default() })
    };
    let cases: Vec<(Ask, Vec<Message>)> = vec![
        (subscribe, vec![ok()]),
        (subscribe, vec![fetch_ok()]),
        (subscribe, vec![done()]),
        (subscribe, vec![suffix()]),
        (subscribe, vec![granted(), granted()]),
        (subscribe, vec![granted(), error()]),
        (subscribe, vec![granted(), ok()]),
        (fetch, vec![granted()]),
        (fetch, vec![fetch_ok(), fetch_ok()]),
        (fetch, vec![ok()]),
        (
            fetch,
            vec![Message::FetchOk(FetchOk {
                end_of_track: false,
                end: Location::new(0, 9),
                parameters: Parameters::default(),
                properties: Properties::default(),
            })],
        ),
        (announce, vec![granted()]),
        (announce, vec![ok(), ok()]),
        (announce, vec![ok(), error()]),
        (announce, vec![suffix()]),
        (announce, vec![with_properties()]),
        (announce, vec![with_parameters()]),
        (learn, vec![suffix()]),
        (learn, vec![Message::NamespaceDone(namespace(&["b"]))]),
        (learn, vec![ok(), Message::NamespaceDone(namespace(&["b"]))]),
        (learn, vec![with_properties()]),
        (learn, vec![with_parameters()]),
        (learn, vec![ok(), update(1)]),
    ];
    for (index, (ask, answers)) in cases.into_iter().enumerate() {
        let mut lone = Lone::new(Role::Client);
        ask(&mut lone.core);
        let (last, first) = answers.split_last().expect("one at least");
        first.iter().for_each(|answer| lone.say(STREAM, answer));
        assert_eq!(lone.closed(), None, "case {index}");
        lone.say(STREAM, last);
        assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation), "case {index}: {last:?}");
    }
}

#[test]
fn each_update_has_one_answer_and_that_no_properties() {
    let mut lone = Lone::new(Role::Client);
    lone.core.subscribe(STREAM, track("v"), &SubscribeOptions::default()).expect("asked");
    lone.say(STREAM, &subscribe_ok(Properties::default()));
    for _ in 0..2 {
        lone.core.update(STREAM, Parameters { forward: Some(false), ..Parameters::default() });
    }
    let parameters = Parameters { largest: at(3, 4), ..Parameters::default() };
    lone.say(STREAM, &Message::RequestOk(RequestOk { parameters, ..RequestOk::default() }));
    assert_eq!(lone.closed(), None);
    let properties = Properties("\x02\x05".into());
    lone.say(STREAM, &Message::RequestOk(RequestOk { properties, ..RequestOk::default() }));
    assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation));
}

#[test]
fn a_refusal_says_why_and_when_to_come_back() {
    let mut lone = Lone::new(Role::Client);
    lone.core.subscribe(STREAM, track("v"), &SubscribeOptions::default()).expect("asked");
    let retry_after = Some(Duration::from_millis(1500));
    let (code, reason) = (RequestCode::ExcessiveLoad, "later".to_owned());
    let error = RequestError { code, retry_after, reason: reason.clone(), redirect: None };
    lone.outputs();
    lone.say(STREAM, &Message::RequestError(error));
    let told = Output::Tell(STREAM, Event::Refused(Refused::Error { code, reason, retry_after }));
    assert_eq!(lone.outputs(), [told, Output::Retire(STREAM)]);
}

fn redirect(uri: &'static str, track: TrackName) -> Redirect {
    Redirect { track, ..Redirect::to(uri) }
}

fn redirected(to: Redirect) -> Message {
    let (code, retry_after) = (RequestCode::Redirect, Some(Duration::from_secs(2)));
    Message::RequestError(RequestError { code, retry_after, reason: "moved".into(), redirect: Some(to) })
}

#[test]
fn a_redirect_says_where_to_and_for_what() {
    let mut lone = Lone::new(Role::Client);
    lone.core.subscribe(STREAM, track("v"), &SubscribeOptions::default()).expect("asked");
    lone.outputs();
    let to = redirect("moqt://other", track("w"));
    lone.say(STREAM, &redirected(to.clone()));
    let (reason, retry_after) = ("moved".to_owned(), Some(Duration::from_secs(2)));
    let refused = Refused::Redirected { to, reason, retry_after };
    assert_eq!(refused.to_string(), "redirected to moqt://other for room/demo/w: moved");
    assert_eq!(lone.outputs(), [Output::Tell(STREAM, Event::Refused(refused)), Output::Retire(STREAM)]);
}

#[test]
fn a_redirect_that_cannot_be_closes_the_session() {
    type Ask = fn(&mut Core);
    let subscribe: Ask = |core| core.subscribe(STREAM, track("v"), &Default::default()).expect("asked");
    let announce: Ask = |core| core.announce(STREAM, namespace(&["a"])).expect("asked");
    let learn: Ask = |core| core.learn(STREAM, namespace(&["a"])).expect("asked");
    let here = || Redirect::to("");
    let named = || redirect("", TrackName { namespace: namespace(&["b"]), name: "w".into() });
    let space = || redirect("", TrackName { namespace: namespace(&["b"]), name: Bytes::new() });
    let there = || Redirect::to("moqt://x");
    let violation = Some(SessionCode::ProtocolViolation);
    for (role, ask, to, code) in [
        (Role::Client, subscribe, there(), None),
        (Role::Client, subscribe, named(), None),
        (Role::Server, subscribe, here(), None),
        (Role::Server, subscribe, named(), None),
        (Role::Server, subscribe, there(), violation),
        (Role::Client, announce, there(), None),
        (Role::Client, announce, space(), None),
        (Role::Client, announce, named(), violation),
        (Role::Server, announce, there(), violation),
        (Role::Client, learn, space(), None),
        (Role::Client, learn, named(), violation),
    ] {
        let mut lone = Lone::new(role);
        ask(&mut lone.core);
        lone.say(STREAM, &redirected(to.clone()));
        assert_eq!(lone.closed(), code, "{role:?} {to:?}");
    }
}

#[test]
fn our_redirects_are_such_as_the_draft_allows() {
    let to = redirect("moqt://x", track("w"));
    let refusal = Refusal { retry_after: None, redirect: Some(to.clone()) };
    let told = |seen: &[Output]| {
        seen.iter().find_map(|output| match output {
            Output::Tell(_, Event::Refused(Refused::Redirected { to, .. })) => Some(to.clone()),
            _ => None,
        })
    };
    let mut pair = Pair::new();
    pair.client.subscribe(STREAM, track("v"), &SubscribeOptions::default()).expect("asked");
    pair.run();
    pair.server.set_refusal(STREAM, refusal.clone());
    pair.server.refuse(STREAM, RequestCode::Redirect, "");
    assert_eq!(told(&pair.run().client), Some(to.clone()));
    // A namespace has no track name.
    pair.client.announce(Stream(2), namespace(&["a"])).expect("asked");
    pair.run();
    pair.server.set_refusal(Stream(2), refusal.clone());
    pair.server.refuse(Stream(2), RequestCode::Redirect, "");
    let nameless = TrackName { name: Bytes::new(), ..track("w") };
    assert_eq!(told(&pair.run().client), Some(redirect("moqt://x", nameless)));
    // A client cannot say where to connect to.
    pair.server.subscribe(Stream(3), track("v"), &SubscribeOptions::default()).expect("asked");
    pair.run();
    pair.client.set_refusal(Stream(3), refusal.clone());
    pair.client.refuse(Stream(3), RequestCode::Redirect, "");
    assert_eq!(told(&pair.run().server), Some(redirect("", track("w"))));
    // A refusal of another kind has none.
    pair.client.subscribe(Stream(4), track("v"), &SubscribeOptions::default()).expect("asked");
    pair.run();
    pair.server.set_refusal(Stream(4), refusal);
    pair.server.refuse(Stream(4), RequestCode::DoesNotExist, "");
    assert_eq!(super::refusal(&pair.run().client, Stream(4)), Some(RequestCode::DoesNotExist));
}

#[test]
fn who_asks_for_too_much_is_told_when_to_come_back() {
    let mut pair = Pair::new();
    for (stream, refusal, expected) in [
        (Stream(1), Refusal::default(), Duration::from_secs(1)),
        (
            Stream(2),
            Refusal { retry_after: Some(Duration::from_millis(70)), redirect: None },
            Duration::from_millis(70),
        ),
    ] {
        pair.client.subscribe(stream, track("v"), &SubscribeOptions::default()).expect("asked");
        pair.run();
        pair.server.set_refusal(stream, refusal);
        pair.server.refuse(stream, RequestCode::ExcessiveLoad, "");
        let (code, reason) = (RequestCode::ExcessiveLoad, String::new());
        let told = Refused::Error { code, reason, retry_after: Some(expected) };
        assert_eq!(pair.run().client, [Output::Tell(stream, Event::Refused(told))]);
    }
}

#[test]
fn reasons_are_cut_to_what_the_draft_allows() {
    let mut pair = Pair::new();
    pair.client.subscribe(STREAM, track("v"), &SubscribeOptions::default()).expect("asked");
    pair.run();
    pair.server.refuse(STREAM, RequestCode::Unauthorized, &"\u{e9}".repeat(1000));
    let reason = "\u{e9}".repeat(512);
    let told = Event::Refused(refused(RequestCode::Unauthorized, &reason));
    assert_eq!(pair.run().client, [Output::Tell(STREAM, told)]);
}

#[test]
fn either_side_cancels_and_both_forget() {
    type Ask = fn(&mut Core);
    let subscribe: Ask = |core| core.subscribe(STREAM, track("v"), &Default::default()).expect("asked");
    let announce: Ask = |core| core.announce(STREAM, namespace(&["a"])).expect("asked");
    let learn: Ask = |core| core.learn(STREAM, namespace(&["a"])).expect("asked");
    for ask in [subscribe, announce, learn] {
        let mut pair = Pair::new();
        ask(&mut pair.client);
        assert!(matches!(pair.run().server[..], [Output::Asked(..)]));
        pair.client.cancel(STREAM, ResetCode::Cancelled);
        assert_eq!(pair.run().server, [Output::Tell(STREAM, Event::Ended)]);
        assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());

        let mut pair = Pair::new();
        ask(&mut pair.client);
        pair.run();
        pair.server.cancel(STREAM, ResetCode::GoingAway);
        let seen = pair.run();
        assert_eq!(refusal(&seen.client, STREAM), Some(RequestCode::InternalError), "{seen:?}");
        assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());
    }
}

#[test]
fn an_end_without_a_word_is_an_answer_too() {
    let mut lone = Lone::new(Role::Client);
    lone.core.subscribe(STREAM, track("v"), &SubscribeOptions::default()).expect("asked");
    lone.core.handle(lone.now, Input::Finished(STREAM));
    let outputs = lone.outputs();
    assert_eq!(refusal(&outputs, STREAM), Some(RequestCode::InternalError), "{outputs:?}");
}

/// An update's REQUEST_OK would be read as the request's own.
#[test]
fn an_update_is_not_answered_before_its_request() {
    let (request, parameters) = (RequestId(0), Parameters::default());
    let announce = Message::PublishNamespace(PublishNamespace {
        request,
        namespace: namespace(&["a"]),
        parameters: parameters.clone(),
    });
    let learn =
        Message::SubscribeNamespace(SubscribeNamespace { request, prefix: namespace(&["a"]), parameters });
    for ask in [announce, learn] {
        let mut lone = Lone::new(Role::Server);
        lone.open(STREAM, &ask);
        lone.say(STREAM, &update(2));
        assert_eq!(lone.said(STREAM), (vec![], false));
        lone.core.grant(STREAM);
        assert_eq!(lone.said(STREAM), (vec![ok(), ok()], false));
        lone.say(STREAM, &update(4));
        assert_eq!(lone.said(STREAM), (vec![ok()], false));
    }
}
