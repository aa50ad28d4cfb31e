//! REQUEST_UPDATE for every kind of request, on both sides.

use super::*;
use crate::moqt::{
    Filter, GroupId, TokenType, Updated,
    wire::{RequestError, RequestOk, RequestUpdate, Token},
};

const STREAM: Stream = Stream(0);

fn parameters() -> Parameters {
    Parameters::default()
}

fn prefix(fields: &[&'static str]) -> Parameters {
    Parameters { prefix: Some(namespace(fields)), ..parameters() }
}

fn token(value: &'static str) -> AuthToken {
    AuthToken { kind: TokenType(1), value: value.into() }
}

/// Each kind of request that can be asked for, asked for by the client and granted by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Subscription,
    Fetch,
    Announcement,
    Namespaces,
}

const ALL: [Of; 4] = [Of::Subscription, Of::Fetch, Of::Announcement, Of::Namespaces];

fn granted_pair(of: Of) -> Pair {
    let mut pair = Pair::new();
    match of {
        Of::Subscription => {
            pair.subscribe(STREAM, "v", &granted(at(3, 0)));
        }
        Of::Fetch => {
            let (start, end) = (Location::new(1, 0), Location::new(2, 0));
            let range = wire::WireFetchRange::Standalone { track: track("v"), start, end };
            pair.client.fetch(STREAM, range, Priority(1)).expect("asked");
            pair.run();
            pair.server.grant_fetch(STREAM, end, crate::moqt::EndOfTrack::No, Default::default());
        }
        Of::Announcement => {
            pair.client.announce(STREAM, namespace(&["a"])).expect("asked");
            pair.run();
            pair.server.grant(STREAM);
        }
        Of::Namespaces => {
            pair.client.learn(STREAM, namespace(&["a"])).expect("asked");
            pair.run();
            pair.server.grant(STREAM);
        }
    }
    pair.run();
    pair
}

fn updated(largest: Option<Location>) -> Output {
    Output::Tell(STREAM, Event::Updated(Ok(Updated { largest, expires: None })))
}

fn refused_update(seen: &[Output]) -> Option<RequestCode> {
    seen.iter().find_map(|output| match output {
        Output::Tell(_, Event::Updated(Err(Refused::Error { code, .. }))) => Some(*code),
        _ => None,
    })
}

#[test]
fn every_kind_of_request_is_updated_and_each_update_answered_once() {
    for of in ALL {
        let mut pair = granted_pair(of);
        for _ in 0..3 {
            assert!(pair.client.update(STREAM, parameters()), "{of:?}");
        }
        let seen = pair.run();
        match of {
            Of::Subscription | Of::Fetch => {
                let told = || Output::Tell(STREAM, Event::Update(Box::new(parameters())));
                assert_eq!(seen.server, [told(), told(), told()], "{of:?}");
                for _ in 0..3 {
                    pair.server.updated(STREAM, at(4, 0).filter(|_| of == Of::Subscription));
                }
                let largest = at(4, 0).filter(|_| of == Of::Subscription);
                assert_eq!(pair.run().client, [updated(largest), updated(largest), updated(largest)]);
            }
            Of::Announcement | Of::Namespaces => {
                assert_eq!(seen.server, []);
                assert_eq!(seen.client, [updated(None), updated(None), updated(None)], "{of:?}");
            }
        }
        pair.client.cancel(STREAM, ResetCode::Cancelled);
        assert!(!pair.client.update(STREAM, parameters()), "it is over");
    }
}

#[test]
fn what_has_no_place_in_an_update_closes_the_session() {
    let forward = Parameters { forward: Some(true), ..parameters() };
    let filter = Parameters { filter: Some(Filter::LargestObject), ..parameters() };
    let new_group = Parameters { new_group: Some(GroupId(1)), ..parameters() };
    let priority = Parameters { priority: Some(Priority(1)), ..parameters() };
    for (update, allowed) in [
        (forward, &[Of::Subscription][..]),
        (filter, &[Of::Subscription]),
        (new_group, &[Of::Subscription]),
        (priority, &[Of::Subscription, Of::Fetch]),
        (prefix(&["b"]), &[Of::Namespaces]),
    ] {
        for of in ALL {
            let mut pair = granted_pair(of);
            pair.client.update(STREAM, update.clone());
            let seen = pair.run();
            let code = seen.server.iter().find_map(|output| match output {
                Output::Close(error) => Some(error.code),
                _ => None,
            });
            let expected = (!allowed.contains(&of)).then_some(SessionCode::ProtocolViolation);
            assert_eq!(code, expected, "{of:?} {update:?}");
        }
    }
}

#[test]
fn tokens_in_an_update_are_for_the_application() {
    for of in ALL {
        let mut pair = granted_pair(of);
        pair.client.carry(vec![token("new")]);
        pair.client.update(STREAM, parameters());
        let seen = pair.run();
        assert_eq!(seen.server[0], Output::Tell(STREAM, Event::Tokens(vec![token("new")])), "{of:?}");
    }
}

#[test]
fn a_refused_update_ends_its_request() {
    for of in [Of::Subscription, Of::Fetch, Of::Namespaces] {
        let mut pair = granted_pair(of);
        let change = if of == Of::Namespaces { prefix(&["z"]) } else { parameters() };
        pair.client.update(STREAM, change);
        pair.client.update(STREAM, parameters());
        assert_eq!(pair.run().client, [], "{of:?}");
        pair.server.fail_update(STREAM, RequestCode::Unauthorized, "no");
        let mut seen = pair.run();
        // The peer says it once; both are over by it.
        for _ in 0..2 {
            assert_eq!(refused_update(&[seen.client.remove(0)]), Some(RequestCode::Unauthorized), "{of:?}");
        }
        let ended = || vec![Output::Tell(STREAM, Event::Ended)];
        match of {
            Of::Subscription => {
                assert_eq!(seen.server, [Output::Tell(STREAM, Event::UpdateFailed("no".into()))]);
                assert_eq!(seen.client, []);
                pair.server.publish_done(STREAM, DoneCode::UpdateFailed, "no", 0);
                let done = Event::Done(DoneCode::UpdateFailed, "no".into());
                assert_eq!(pair.run().client, [Output::Tell(STREAM, done)]);
            }
            // The client waits for its data stream to be reset.
            Of::Fetch => assert_eq!((seen.server, seen.client), (ended(), vec![])),
            Of::Namespaces | Of::Announcement => {
                assert_eq!((seen.server, seen.client), (ended(), ended()));
                assert!(pair.client.requests.is_empty());
            }
        }
        assert!(pair.server.requests.is_empty(), "{of:?}");
    }
}

#[test]
fn after_a_refused_update_nothing_more_is_answered() {
    let mut lone = Lone::new(Role::Server);
    let (request, track) = (RequestId(0), track("v"));
    let ask = wire::Subscribe { request, track, parameters: parameters() };
    lone.open(STREAM, &Message::Subscribe(ask));
    lone.core.grant_subscribe(STREAM, &granted(None));
    lone.core.fail_update(STREAM, RequestCode::InvalidRange, "over");
    lone.outputs();
    let update = RequestUpdate { request: RequestId(2), parameters: parameters() };
    lone.say(STREAM, &Message::RequestUpdate(update));
    assert_eq!(lone.outputs(), []);
}

#[test]
fn a_bad_token_in_an_update_fails_it() {
    let mut lone = Lone::new(Role::Server);
    let (request, prefix) = (RequestId(0), namespace(&["a"]));
    let ask = wire::SubscribeNamespace { request, prefix, parameters: parameters() };
    lone.open(STREAM, &Message::SubscribeNamespace(ask));
    lone.core.grant(STREAM);
    lone.outputs();
    let tokens = vec![Token::UseValue(token("a")), Token::UseValue(token("a"))];
    let update = RequestUpdate { request: RequestId(2), parameters: Parameters { tokens, ..parameters() } };
    lone.say(STREAM, &Message::RequestUpdate(update));
    let (said, is_finished) = lone.said(STREAM);
    assert!(is_finished);
    assert!(matches!(&said[..], [Message::RequestError(e)] if e.code == RequestCode::MalformedAuthToken));
}

#[test]
fn a_new_prefix_moves_what_is_told_once_it_is_granted() {
    let mut pair = granted_pair(Of::Namespaces);
    let published = |fields: &[&'static str]| NamespaceEvent::Published(namespace(fields));
    let told = |event| Output::Tell(STREAM, Event::Namespace(event));
    pair.server.tell_namespace(STREAM, published(&["a", "b", "c"]));
    pair.server.tell_namespace(STREAM, published(&["a", "d"]));
    pair.run();
    pair.client.update(STREAM, prefix(&["a", "b"]));
    assert_eq!(pair.run().server, [Output::Tell(STREAM, Event::Prefix(namespace(&["a", "b"])))]);
    // Before the answer things go on as they were.
    pair.server.tell_namespace(STREAM, published(&["a", "e"]));
    assert_eq!(pair.run().client, [told(published(&["a", "e"]))]);
    pair.server.grant_prefix(STREAM);
    let withdrawn = |fields: &[&'static str]| told(NamespaceEvent::Withdrawn(namespace(fields)));
    assert_eq!(pair.run().client, [withdrawn(&["a", "d"]), withdrawn(&["a", "e"]), updated(None)]);
    // What is known still is not told again, and what is outside of the prefix not at all.
    pair.server.tell_namespace(STREAM, published(&["a", "b", "c"]));
    pair.server.tell_namespace(STREAM, published(&["a", "f"]));
    pair.server.tell_namespace(STREAM, published(&["a", "b", "g"]));
    pair.server.tell_namespace(STREAM, NamespaceEvent::Withdrawn(namespace(&["a", "b", "c"])));
    assert_eq!(pair.run().client, [told(published(&["a", "b", "g"])), withdrawn(&["a", "b", "c"])]);
}

#[test]
fn changes_of_prefix_take_their_turn() {
    let mut pair = granted_pair(Of::Namespaces);
    pair.client.update(STREAM, prefix(&["b"]));
    pair.client.update(STREAM, parameters());
    pair.client.update(STREAM, prefix(&["c"]));
    let asked = |name| Output::Tell(STREAM, Event::Prefix(namespace(&[name])));
    assert_eq!(pair.run().server, [asked("b")]);
    pair.server.grant_prefix(STREAM);
    let seen = pair.run();
    assert_eq!((seen.client, seen.server), (vec![updated(None), updated(None)], vec![asked("c")]));
    pair.server.grant_prefix(STREAM);
    assert_eq!(pair.run().client, [updated(None)]);
    pair.server.tell_namespace(STREAM, NamespaceEvent::Published(namespace(&["c", "x"])));
    let told = Event::Namespace(NamespaceEvent::Published(namespace(&["c", "x"])));
    assert_eq!(pair.run().client, [Output::Tell(STREAM, told)]);
}

#[test]
fn a_prefix_that_overlaps_with_another_is_refused_and_its_own_is_not_another() {
    let mut pair = granted_pair(Of::Namespaces);
    pair.client.update(STREAM, prefix(&["a", "b"]));
    assert_eq!(pair.run().server, [Output::Tell(STREAM, Event::Prefix(namespace(&["a", "b"])))]);
    // One that is asked for counts already.
    pair.client.learn(Stream(1), namespace(&["a", "b", "c"])).expect("asked");
    assert_eq!(refusal(&pair.run().client, Stream(1)), Some(RequestCode::PrefixOverlap));
    pair.server.grant_prefix(STREAM);
    pair.run();
    pair.client.learn(Stream(2), namespace(&["a", "c"])).expect("asked");
    pair.run();
    pair.server.grant(Stream(2));
    pair.run();
    pair.client.update(Stream(2), prefix(&["a"]));
    let seen = pair.run();
    assert_eq!(refused_update(&seen.client), Some(RequestCode::PrefixOverlap));
    assert_eq!(seen.server, [Output::Tell(Stream(2), Event::Ended)]);
}

#[test]
fn updates_that_wait_are_bounded() {
    let mut pair = granted_pair(Of::Namespaces);
    pair.client.update(STREAM, prefix(&["b"]));
    for _ in 0..16 {
        pair.client.update(STREAM, parameters());
    }
    pair.run();
    assert!(!pair.server.requests.is_empty());
    pair.client.update(STREAM, parameters());
    let seen = pair.run();
    assert_eq!(refused_update(&seen.client), Some(RequestCode::ExcessiveLoad));
    assert!(pair.server.requests.is_empty() && pair.client.requests.is_empty());
}

#[test]
fn an_update_has_one_answer_and_only_what_belongs_into_it() {
    let ok = |parameters| Message::RequestOk(RequestOk { parameters, ..RequestOk::default() });
    let with_largest = || Parameters { largest: at(1, 1), ..parameters() };
    for (answers, code) in [
        (vec![ok(parameters())], None),
        (vec![ok(with_largest())], Some(SessionCode::ProtocolViolation)),
        (vec![ok(parameters()), ok(parameters())], Some(SessionCode::ProtocolViolation)),
    ] {
        let mut lone = Lone::new(Role::Client);
        lone.core.announce(STREAM, namespace(&["a"])).expect("asked");
        lone.say(STREAM, &ok(parameters()));
        lone.core.update(STREAM, parameters());
        answers.iter().for_each(|answer| lone.say(STREAM, answer));
        assert_eq!(lone.closed(), code, "{answers:?}");
    }
    let error = || {
        let code = RequestCode::Unauthorized;
        Message::RequestError(RequestError { code, retry_after: None, reason: String::new(), redirect: None })
    };
    let mut lone = Lone::new(Role::Client);
    lone.core.subscribe(STREAM, track("v"), &SubscribeOptions::default()).expect("asked");
    let (alias, properties) = (TrackAlias(1), crate::moqt::Properties::default());
    lone.say(
        STREAM,
        &Message::SubscribeOk(wire::SubscribeOk { alias, parameters: parameters(), properties }),
    );
    lone.core.update(STREAM, parameters());
    lone.say(STREAM, &error());
    assert_eq!(lone.closed(), None);
    lone.say(STREAM, &error());
    assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation));
}

#[test]
fn a_subscription_ends_at_its_time_unless_it_is_renewed() {
    let minute = Duration::from_secs(60);
    let mut pair = Pair::new();
    let ok = SubscribeOk { expires: Some(minute), ..granted(None) };
    pair.subscribe(STREAM, "v", &ok);
    pair.server.lease(pair.now, STREAM);
    assert_eq!(pair.server.deadline(), Some(pair.now + minute));
    assert_eq!(pair.pass(minute / 2), Seen::default());
    pair.client.update(STREAM, parameters());
    pair.run();
    pair.server.lease(pair.now, STREAM);
    pair.server.updated(STREAM, None);
    let renewed = Updated { largest: None, expires: Some(minute) };
    assert_eq!(pair.run().client, [Output::Tell(STREAM, Event::Updated(Ok(renewed)))]);
    assert_eq!(pair.pass(minute - Duration::from_millis(1)), Seen::default());
    assert_eq!(pair.pass(Duration::from_millis(1)).server, [Output::Tell(STREAM, Event::Expired)]);
    pair.server.publish_done(STREAM, DoneCode::Expired, "", 0);
    pair.run();
    assert_eq!(pair.server.deadline(), None);
    // One that ended before has no timer.
    pair.subscribe(Stream(1), "w", &ok);
    pair.server.lease(pair.now, Stream(1));
    pair.client.cancel(Stream(1), ResetCode::Cancelled);
    pair.run();
    assert_eq!(pair.server.deadline(), None);
}
