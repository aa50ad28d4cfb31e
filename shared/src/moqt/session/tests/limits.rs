//! What a peer may have kept here, and how it is answered when it wants more.

use super::*;
use crate::moqt::wire::{Fetch, PublishNamespace, RequestOk, RequestUpdate, Subscribe, WireFetchRange};

fn lone(role: Role, limits: Limits) -> Lone {
    let now = Instant::now();
    let config = Config { limits, ..Config::new(role) };
    let mut lone = Lone { now, core: Core::new(now, &config, false) };
    lone.control(&Message::Setup(Setup::default()));
    lone.outputs();
    lone
}

/// The code of a refusal that finished its stream, and of nothing else.
fn refused_with(lone: &mut Lone, stream: Stream) -> Option<RequestCode> {
    match lone.said(stream) {
        (said, true) => match &said[..] {
            [Message::RequestError(error)] => Some(error.code),
            _ => None,
        },
        (_, false) => None,
    }
}

#[test]
fn too_many_requests_are_refused_and_the_session_lives() {
    let mut lone = lone(Role::Server, Limits { requests: 3, ..Limits::default() });
    let announce = |lone: &mut Lone, number: u64| {
        let (request, parameters) = (RequestId(2 * number), Parameters::default());
        let message = PublishNamespace { request, namespace: namespace(&["a"]), parameters };
        lone.open(Stream(number), &Message::PublishNamespace(message));
        refused_with(lone, Stream(number))
    };
    let answers: Vec<_> = (0..5).map(|number| announce(&mut lone, number)).collect();
    let full = Some(RequestCode::ExcessiveLoad);
    assert_eq!(answers, [None, None, None, full, full]);
    // One that ends makes room.
    lone.core.handle(lone.now, Input::Cancelled(Stream(0), 1));
    assert_eq!(announce(&mut lone, 5), None);
}

#[test]
fn namespaces_over_this_sides_bound_are_refused_and_the_session_lives() {
    let mut lone =
        lone(Role::Server, Limits { namespace_fields: 2, namespace_bytes: 5, ..Limits::default() });
    let cases: [(&[&'static str], _); 5] = [
        (&["a", "b"], None),
        (&["ab", "cde"], None),
        (&["a", "b", "c"], Some(RequestCode::NotSupported)),
        (&["abc", "def"], Some(RequestCode::NotSupported)),
        (&["a"], None),
    ];
    for (number, (fields, answer)) in (0..).zip(cases) {
        let (request, parameters) = (RequestId(2 * number), Parameters::default());
        let message = PublishNamespace { request, namespace: namespace(fields), parameters };
        lone.open(Stream(number), &Message::PublishNamespace(message));
        assert_eq!(refused_with(&mut lone, Stream(number)), answer, "{fields:?}");
    }
}

#[test]
fn too_many_updates_before_the_answer_end_the_request() {
    let mut lone = lone(Role::Server, Limits { waiting_updates: 2, ..Limits::default() });
    let stream = Stream(0);
    let (request, parameters) = (RequestId(0), Parameters::default());
    lone.open(stream, &Message::Subscribe(Subscribe { request, track: track("v"), parameters }));
    for id in [2, 4] {
        let parameters = Parameters::default();
        lone.say(stream, &Message::RequestUpdate(RequestUpdate { request: RequestId(id), parameters }));
        assert_eq!(lone.said(stream), (vec![], false));
    }
    let (request, parameters) = (RequestId(6), Parameters::default());
    lone.say(stream, &Message::RequestUpdate(RequestUpdate { request, parameters }));
    assert_eq!(refused_with(&mut lone, stream), Some(RequestCode::ExcessiveLoad));
    assert!(lone.core.requests.is_empty());
}

#[test]
fn too_many_joining_fetches_are_refused() {
    let mut lone = lone(Role::Server, Limits { joining_fetches: 2, ..Limits::default() });
    let (request, parameters) = (RequestId(0), Parameters::default());
    lone.open(Stream(0), &Message::Subscribe(Subscribe { request, track: track("v"), parameters }));
    lone.outputs();
    let mut fetch = |number: u64| {
        let range = WireFetchRange::Relative { joining: RequestId(0), groups: 0 };
        let (request, parameters) = (RequestId(2 * number), Parameters::default());
        lone.open(Stream(number), &Message::Fetch(Fetch { request, range, parameters }));
        refused_with(&mut lone, Stream(number))
    };
    let full = Some(RequestCode::ExcessiveLoad);
    assert_eq!([fetch(1), fetch(2), fetch(3), fetch(4)], [None, None, full, full]);
}

#[test]
fn a_peer_that_tells_of_too_many_namespaces_is_cancelled() {
    let mut lone = lone(Role::Client, Limits { namespaces: 2, ..Limits::default() });
    let stream = Stream(0);
    lone.core.learn(stream, namespace(&["a"])).expect("asked");
    lone.say(stream, &Message::RequestOk(RequestOk::default()));
    for name in ["x", "y", "x"] {
        lone.say(stream, &Message::Namespace(namespace(&[name])));
    }
    lone.outputs();
    lone.say(stream, &Message::Namespace(namespace(&["z"])));
    let outputs = lone.outputs();
    assert_eq!(outputs.last(), Some(&Output::Abandon(stream, ResetCode::ExcessiveLoad)));
    let withdrawn = outputs
        .iter()
        .filter(|output| matches!(output, Output::Tell(_, Event::Namespace(NamespaceEvent::Withdrawn(_)))));
    assert_eq!(withdrawn.count(), 2);
}
