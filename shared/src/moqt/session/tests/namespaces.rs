//! Announcements.

use super::*;
use crate::moqt::{NamespaceEvent, ResetCode};

const STREAM: Stream = Stream(0);

fn learning(prefix: &[&'static str]) -> Pair {
    let mut pair = Pair::new();
    pair.client.learn(STREAM, namespace(prefix)).expect("asked");
    assert_eq!(pair.run().server, [Output::Asked(STREAM, Asked::Learn(namespace(prefix)))]);
    pair.server.grant(STREAM);
    assert_eq!(pair.run().client, [Output::Tell(STREAM, Event::Granted)]);
    pair
}

fn tell(pair: &mut Pair, event: NamespaceEvent) -> Vec<Output> {
    pair.server.tell_namespace(STREAM, event);
    pair.run().client
}

fn told(event: NamespaceEvent) -> Vec<Output> {
    vec![Output::Tell(STREAM, Event::Namespace(event))]
}

fn published(fields: &[&'static str]) -> NamespaceEvent {
    NamespaceEvent::Published(namespace(fields))
}

fn withdrawn(fields: &[&'static str]) -> NamespaceEvent {
    NamespaceEvent::Withdrawn(namespace(fields))
}

#[test]
fn an_announcement_is_granted_and_withdrawn() {
    for withdraw in [Input::Finished as fn(Stream) -> Input, |stream| Input::Cancelled(stream, 1)] {
        let mut pair = Pair::new();
        pair.client.announce(STREAM, namespace(&["room", "a"])).expect("asked");
        let asked = Output::Asked(STREAM, Asked::Announce(namespace(&["room", "a"])));
        assert_eq!(pair.run().server, [asked]);
        pair.server.grant(STREAM);
        pair.server.grant(STREAM);
        assert_eq!(pair.run().client, [Output::Tell(STREAM, Event::Granted)]);
        pair.server.handle(pair.now, withdraw(STREAM));
        assert_eq!(pair.run().server, [Output::Tell(STREAM, Event::Ended)]);
        assert!(pair.server.requests.is_empty());
    }
}

#[test]
fn a_granted_announcement_may_be_revoked() {
    let mut pair = Pair::new();
    pair.client.announce(STREAM, namespace(&["a"])).expect("asked");
    pair.run();
    pair.server.grant(STREAM);
    pair.run();
    pair.server.cancel(STREAM, ResetCode::ExpiredAuthToken);
    assert_eq!(pair.run().client, [Output::Tell(STREAM, Event::Ended)]);
}

#[test]
fn namespaces_are_told_of_once_and_in_full() {
    let mut pair = learning(&["room"]);
    assert_eq!(tell(&mut pair, published(&["room", "a"])), told(published(&["room", "a"])));
    assert_eq!(tell(&mut pair, published(&["room", "a"])), []);
    assert_eq!(tell(&mut pair, published(&["room"])), told(published(&["room"])));
    assert_eq!(tell(&mut pair, published(&["other"])), []);
    assert_eq!(tell(&mut pair, withdrawn(&["room", "b"])), []);
    assert_eq!(tell(&mut pair, withdrawn(&["room", "a"])), told(withdrawn(&["room", "a"])));
    assert_eq!(tell(&mut pair, withdrawn(&["room", "a"])), []);
    assert_eq!(tell(&mut pair, published(&["room", "a"])), told(published(&["room", "a"])));
}

#[test]
fn an_empty_prefix_is_told_of_all() {
    let mut pair = learning(&[]);
    assert_eq!(tell(&mut pair, published(&["x", "y"])), told(published(&["x", "y"])));
}

#[test]
fn the_end_of_a_namespace_subscription_withdraws_all() {
    for end in [Input::Finished as fn(Stream) -> Input, |stream| Input::Cancelled(stream, 1)] {
        let mut pair = learning(&["room"]);
        tell(&mut pair, published(&["room", "a"]));
        tell(&mut pair, published(&["room", "b"]));
        pair.client.handle(pair.now, end(STREAM));
        let mut all = told(withdrawn(&["room", "a"]));
        all.extend(told(withdrawn(&["room", "b"])));
        all.push(Output::Tell(STREAM, Event::Ended));
        assert_eq!(pair.run().client, all);
        assert!(pair.client.requests.is_empty());
    }
}

#[test]
fn prefixes_may_not_overlap() {
    for other in [&["room"][..], &[], &["room", "demo"], &["room", "demo", "stage"]] {
        let mut pair = learning(&["room", "demo"]);
        pair.client.learn(Stream(1), namespace(other)).expect("asked");
        assert_eq!(refusal(&pair.run().client, Stream(1)), Some(RequestCode::PrefixOverlap), "{other:?}");
        pair.client.cancel(STREAM, ResetCode::Cancelled);
        pair.client.learn(Stream(2), namespace(other)).expect("asked");
        assert_eq!(refusal(&pair.run().client, Stream(2)), None, "{other:?}");
    }
    let mut pair = learning(&["room", "demo"]);
    pair.client.learn(Stream(1), namespace(&["room", "dem"])).expect("asked");
    assert_eq!(refusal(&pair.run().client, Stream(1)), None);
}

#[test]
fn a_peer_that_tells_too_much_is_cancelled_and_all_is_withdrawn() {
    let mut lone = Lone::new(Role::Client);
    lone.core.learn(STREAM, namespace(&["room"])).expect("asked");
    lone.say(STREAM, &Message::RequestOk(Default::default()));
    for index in 0..16_384_u32 {
        lone.say(STREAM, &Message::Namespace(Namespace::new([index.to_string()])));
    }
    lone.outputs();
    lone.say(STREAM, &Message::Namespace(namespace(&["more"])));
    let outputs = lone.outputs();
    let is_withdrawn =
        |o: &&Output| matches!(o, Output::Tell(_, Event::Namespace(NamespaceEvent::Withdrawn(_))));
    assert_eq!(outputs.iter().filter(is_withdrawn).count(), 16_384);
    let end = [Output::Tell(STREAM, Event::Ended), Output::Abandon(STREAM, ResetCode::ExcessiveLoad)];
    assert_eq!(outputs[16_384..], end);
}

#[test]
fn a_prefix_and_its_suffix_are_one_namespace_with_its_limits() {
    for suffix in [Namespace::new(["x"; 32]), Namespace::new(["x".repeat(4093)])] {
        let mut lone = Lone::new(Role::Client);
        lone.core.learn(STREAM, namespace(&["room"])).expect("asked");
        lone.say(STREAM, &Message::RequestOk(Default::default()));
        lone.say(STREAM, &Message::Namespace(suffix));
        assert_eq!(lone.closed(), Some(SessionCode::ProtocolViolation));
    }
}
