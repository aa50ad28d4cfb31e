//! Namespaces that are the session's own.

use super::*;
use crate::moqt::{
    ResetCode,
    wire::{
        Fetch, Publish, PublishNamespace, RequestOk, Subscribe, SubscribeNamespace, SubscribeTracks,
        TrackStatus, WireFetchRange,
    },
};

const STREAM: Stream = Stream(0);

fn requests(of: &Namespace) -> Vec<Message> {
    let (request, parameters) = (RequestId(0), Parameters::default());
    let track = TrackName { namespace: of.clone(), name: Bytes::new() };
    let (start, end) = (Location::new(0, 0), Location::new(1, 0));
    let range = WireFetchRange::Standalone { track: track.clone(), start, end };
    let (alias, properties) = (TrackAlias(0), crate::moqt::Properties::default());
    let (namespace, prefix) = (of.clone(), of.clone());
    let with = || parameters.clone();
    vec![
        Message::Subscribe(Subscribe { request, track: track.clone(), parameters: with() }),
        Message::Publish(Publish { request, track: track.clone(), alias, parameters: with(), properties }),
        Message::TrackStatus(TrackStatus { request, track, parameters: with() }),
        Message::Fetch(Fetch { request, range, parameters: with() }),
        Message::PublishNamespace(PublishNamespace { request, namespace, parameters: with() }),
        Message::SubscribeNamespace(SubscribeNamespace { request, prefix: of.clone(), parameters: with() }),
        Message::SubscribeTracks(SubscribeTracks { request, prefix, parameters: with() }),
    ]
}

#[test]
fn what_is_the_sessions_does_not_exist_and_never_reaches_the_application() {
    for of in
        [namespace(&["."]), namespace(&[".", "a"]), namespace(&[".session"]), namespace(&[".session", "a"])]
    {
        for message in requests(&of) {
            let mut lone = Lone::new(Role::Server);
            lone.open(STREAM, &message);
            let (said, is_finished) = lone.said(STREAM);
            assert!(is_finished, "{message:?}");
            assert!(
                matches!(&said[..], [Message::RequestError(e)] if e.code == RequestCode::DoesNotExist),
                "{message:?}: {said:?}"
            );
        }
    }
}

#[test]
fn another_reserved_namespace_is_for_the_application() {
    let mut lone = Lone::new(Role::Server);
    let (request, parameters, of) = (RequestId(0), Parameters::default(), namespace(&[".new", "a"]));
    let message = PublishNamespace { request, namespace: of.clone(), parameters };
    lone.open(STREAM, &Message::PublishNamespace(message));
    assert_eq!(lone.outputs(), [Output::Asked(STREAM, Asked::Announce(of))]);
}

#[test]
fn nothing_of_it_is_asked_for_or_told_and_no_request_id_is_used_up() {
    let own = || namespace(&[".session", "a"]);
    let mut pair = Pair::new();
    let refused = pair.client.announce(STREAM, own()).expect_err("it is the session's");
    assert!(matches!(refused, Refused::Error { code: RequestCode::DoesNotExist, .. }));
    pair.client.learn(STREAM, namespace(&[])).expect("asked");
    assert_eq!(pair.client.request_id(STREAM), Some(RequestId(0)));
    pair.run();
    pair.server.grant(STREAM);
    pair.run();
    pair.server.tell_namespace(STREAM, NamespaceEvent::Published(own()));
    assert_eq!(pair.run(), Seen::default());
    pair.client.cancel(STREAM, ResetCode::Cancelled);

    let mut lone = Lone::new(Role::Client);
    lone.core.learn(STREAM, namespace(&[])).expect("asked");
    lone.say(STREAM, &Message::RequestOk(RequestOk::default()));
    lone.outputs();
    lone.say(STREAM, &Message::Namespace(own()));
    lone.say(STREAM, &Message::NamespaceDone(own()));
    assert_eq!(lone.outputs(), []);
}

#[test]
fn a_prefix_cannot_become_the_sessions() {
    let mut pair = Pair::new();
    pair.client.learn(STREAM, namespace(&["a"])).expect("asked");
    pair.run();
    pair.server.grant(STREAM);
    pair.run();
    pair.client.update(STREAM, Parameters { prefix: Some(namespace(&["."])), ..Parameters::default() });
    let seen = pair.run();
    assert_eq!(seen.server, [Output::Tell(STREAM, Event::Ended)]);
    let Some(Output::Tell(_, Event::Updated(Err(Refused::Error { code, .. })))) = seen.client.first() else {
        panic!("{seen:?}")
    };
    assert_eq!(*code, RequestCode::DoesNotExist);
}
