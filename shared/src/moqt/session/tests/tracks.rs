//! All tracks below a prefix.

use super::*;
use crate::moqt::{
    PublishOffer, ResetCode, TracksOptions,
    wire::{PublishBlocked, RequestOk, RequestUpdate, SubscribeNamespace, SubscribeTracks},
};

const STREAM: Stream = Stream(0);

fn asked(pair: &mut Pair, stream: Stream, prefix: &[&'static str], options: TracksOptions) {
    pair.client.collect(stream, namespace(prefix), options).expect("asked");
    let asked = Output::Asked(stream, Asked::Tracks(namespace(prefix), options));
    assert_eq!(pair.run().server, [asked]);
}

/// The client collects tracks; the server grants it.
fn granted_tracks(pair: &mut Pair, stream: Stream, prefix: &[&'static str]) {
    asked(pair, stream, prefix, TracksOptions::default());
    pair.server.grant(stream);
    assert_eq!(pair.run().client, [Output::Tell(stream, Event::Granted)]);
}

fn tracks(id: u64, prefix: &[&'static str]) -> Message {
    let (request, prefix, parameters) = (RequestId(id), namespace(prefix), Parameters::default());
    Message::SubscribeTracks(SubscribeTracks { request, prefix, parameters })
}

fn blocked(suffix: &[&'static str], name: &'static str) -> Message {
    Message::PublishBlocked(PublishBlocked { suffix: namespace(suffix), name: name.into() })
}

fn ok() -> Message {
    Message::RequestOk(RequestOk::default())
}

#[test]
fn the_request_says_whether_objects_are_to_come_at_once() {
    for forward in [true, false] {
        asked(&mut Pair::new(), STREAM, &["room"], TracksOptions { forward });
    }
    asked(&mut Pair::new(), STREAM, &[], TracksOptions::default());
}

#[test]
fn what_is_published_comes_as_offers_of_its_own() {
    let mut pair = Pair::new();
    granted_tracks(&mut pair, STREAM, &["room"]);
    let offer = PublishOffer::default();
    let stream = Stream(1);
    pair.server.publish(stream, track("v"), &offer).expect("offered");
    let told = Output::Asked(stream, Asked::Publish(track("v"), offer));
    assert_eq!(pair.run().client, [told]);
    pair.client.grant_publish(stream, &SubscribeOptions::default());
    pair.run();
    pair.client.cancel(STREAM, ResetCode::Cancelled);
    assert_eq!(pair.run().server, [Output::Tell(STREAM, Event::Ended)]);
    assert_eq!((pair.client.requests.len(), pair.server.requests.len()), (1, 1), "what was taken goes on");
}

#[test]
fn a_track_that_is_told_as_blocked_is_not_offered_any_more() {
    let mut pair = Pair::new();
    granted_tracks(&mut pair, STREAM, &["room"]);
    for _ in 0..2 {
        pair.server.tell_blocked(STREAM, track("v"));
    }
    let other = TrackName { namespace: namespace(&["elsewhere"]), name: "v".into() };
    pair.server.tell_blocked(STREAM, other);
    assert_eq!(pair.run().client, [Output::Tell(STREAM, Event::Blocked(track("v")))], "once");
    let refused = pair.server.publish(Stream(1), track("v"), &PublishOffer::default());
    assert!(matches!(refused, Err(Refused::Error { code: RequestCode::Uninterested, .. })), "{refused:?}");
    pair.server.publish(Stream(2), track("w"), &PublishOffer::default()).expect("another one");
    pair.run();
    // It is subscribed to instead.
    pair.subscribe(Stream(3), "v", &granted(None));
    pair.client.cancel(STREAM, ResetCode::Cancelled);
    pair.client.cancel(Stream(3), ResetCode::Cancelled);
    pair.run();
    pair.server.publish(Stream(4), track("v"), &PublishOffer::default()).expect("nothing forbids it now");
}

#[test]
fn too_many_blocked_tracks_end_the_request() {
    let mut pair = Pair::new();
    granted_tracks(&mut pair, STREAM, &["room"]);
    for number in 0..=4096 {
        let name = Bytes::from(number.to_string());
        pair.server.tell_blocked(STREAM, TrackName { namespace: namespace(&["room"]), name });
    }
    let seen = pair.run();
    assert_eq!(seen.server, [Output::Tell(STREAM, Event::Ended)]);
    assert_eq!(seen.client.last(), Some(&Output::Tell(STREAM, Event::Ended)));
    assert!(pair.client.requests.is_empty() && pair.server.requests.is_empty());
}

#[test]
fn prefixes_may_not_overlap_except_with_those_of_namespaces() {
    let cases: [(&[&'static str], &[&'static str]); 4] =
        [(&["a"], &["a", "b"]), (&["a", "b"], &["a"]), (&["a"], &["a"]), (&["a"], &[])];
    for (first, second) in cases {
        let mut lone = Lone::new(Role::Server);
        lone.open(STREAM, &tracks(0, first));
        lone.open(Stream(1), &tracks(2, second));
        let (said, is_finished) = lone.said(Stream(1));
        assert!(is_finished);
        assert!(matches!(&said[..], [Message::RequestError(e)] if e.code == RequestCode::PrefixOverlap));
    }
    let mut lone = Lone::new(Role::Server);
    lone.open(STREAM, &tracks(0, &["a"]));
    lone.open(Stream(1), &tracks(2, &["b"]));
    let (request, prefix, parameters) = (RequestId(4), namespace(&["a"]), Parameters::default());
    lone.open(Stream(2), &Message::SubscribeNamespace(SubscribeNamespace { request, prefix, parameters }));
    let asked = lone.outputs();
    assert!(matches!(asked[..], [Output::Asked(..), Output::Asked(..), Output::Asked(..)]), "{asked:?}");
}

#[test]
fn a_prefix_is_free_again_once_its_request_ended() {
    for end in [Input::Finished(STREAM), Input::Cancelled(STREAM, 1), Input::Stopped(STREAM, 1)] {
        let mut lone = Lone::new(Role::Server);
        lone.open(STREAM, &tracks(0, &["a"]));
        lone.core.grant(STREAM);
        lone.outputs();
        lone.core.handle(lone.now, end);
        assert!(lone.outputs().contains(&Output::Tell(STREAM, Event::Ended)));
        lone.open(Stream(1), &tracks(2, &["a"]));
        assert!(matches!(lone.outputs()[..], [Output::Asked(..)]));
    }
}

#[test]
fn an_update_is_answered_after_the_request() {
    let mut lone = Lone::new(Role::Server);
    lone.open(STREAM, &tracks(0, &["a"]));
    let parameters = Parameters::default();
    lone.say(STREAM, &Message::RequestUpdate(RequestUpdate { request: RequestId(2), parameters }));
    assert_eq!(lone.said(STREAM), (vec![], false));
    lone.core.grant(STREAM);
    assert_eq!(lone.said(STREAM), (vec![ok(), ok()], false));
}

#[test]
fn an_answer_that_does_not_fit_closes_the_session() {
    let name = Bytes::from(vec![b'x'; 4094]);
    let long = PublishBlocked { suffix: namespace(&["b"]), name };
    let cases = [
        vec![blocked(&["b"], "v")],
        vec![Message::Namespace(namespace(&["b"]))],
        vec![ok(), ok()],
        vec![ok(), Message::Namespace(namespace(&["b"]))],
        vec![ok(), Message::PublishBlocked(long)],
    ];
    for (index, answers) in cases.iter().enumerate() {
        let mut lone = Lone::new(Role::Client);
        lone.core.collect(STREAM, namespace(&["room"]), TracksOptions::default()).expect("asked");
        answers.iter().for_each(|answer| lone.say(STREAM, answer));
        assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation), "case {index}");
    }
    let mut lone = Lone::new(Role::Client);
    lone.core.learn(STREAM, namespace(&["room"])).expect("asked");
    lone.say(STREAM, &ok());
    lone.say(STREAM, &blocked(&["b"], "v"));
    assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation), "SUBSCRIBE_NAMESPACE is for namespaces");
}

#[test]
fn the_prefix_can_move_and_what_follows_is_relative_to_it() {
    let mut pair = Pair::new();
    granted_tracks(&mut pair, STREAM, &["a"]);
    granted_tracks(&mut pair, Stream(1), &["c"]);
    let to = |field| Parameters { prefix: Some(namespace(&[field])), ..Parameters::default() };
    assert!(pair.client.update(STREAM, to("b")));
    assert_eq!(pair.run().server, [Output::Tell(STREAM, Event::Prefix(namespace(&["b"])))]);
    pair.server.grant_prefix(STREAM);
    assert!(matches!(pair.run().client[..], [Output::Tell(STREAM, Event::Updated(Ok(_)))]));
    let below = TrackName { namespace: namespace(&["b", "x"]), name: "v".into() };
    pair.server.tell_blocked(STREAM, below.clone());
    assert_eq!(pair.run().client, [Output::Tell(STREAM, Event::Blocked(below))]);
    // Where it would overlap, it ends.
    assert!(pair.client.update(STREAM, to("c")));
    let seen = pair.run();
    assert_eq!(seen.server, [Output::Tell(STREAM, Event::Ended)]);
    assert!(matches!(
        &seen.client[..],
        [
            Output::Tell(
                STREAM,
                Event::Updated(Err(Refused::Error { code: RequestCode::PrefixOverlap, .. }))
            ),
            ..
        ]
    ));
    assert_eq!((pair.client.requests.len(), pair.server.requests.len()), (1, 1));
}
