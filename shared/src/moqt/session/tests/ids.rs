//! Request IDs.

use super::*;
use crate::moqt::wire::{PublishNamespace, RequestUpdate};

fn announce(id: u64) -> Message {
    Message::PublishNamespace(PublishNamespace {
        request: RequestId(id),
        namespace: namespace(&["a"]),
        parameters: Parameters::default(),
    })
}

#[test]
fn each_side_counts_its_own_and_updates_count_too() {
    let mut pair = Pair::new();
    pair.client.announce(Stream(0), namespace(&["a"])).expect("asked");
    pair.run();
    pair.subscribe(Stream(1), "video", &granted(None));
    pair.client.update(Stream(1), Parameters { priority: Some(Priority(1)), ..Parameters::default() });
    pair.client.announce(Stream(2), namespace(&["b"])).expect("asked");
    pair.server.announce(Stream(3), namespace(&["c"])).expect("asked");
    pair.server.announce(Stream(4), namespace(&["d"])).expect("asked");
    let seen = pair.run();
    assert!(!seen.client.iter().chain(&seen.server).any(|o| matches!(o, Output::Close(_))), "{seen:?}");
    let ids = [0, 1, 2].map(|stream| pair.server.request_id(Stream(stream)));
    assert_eq!(ids, [0, 2, 6].map(|id| Some(RequestId(id))));
    let ids = [3, 4].map(|stream| pair.client.request_id(Stream(stream)));
    assert_eq!(ids, [1, 3].map(|id| Some(RequestId(id))));
}

#[test]
fn an_id_of_the_wrong_side_or_one_that_came_closes_the_session() {
    for (role, ids) in [(Role::Server, [1, 0, 0]), (Role::Client, [0, 1, 1])] {
        let mut wrong = Lone::new(role);
        wrong.open(Stream(0), &announce(ids[0]));
        assert_eq!(wrong.closed(), Some(SessionCode::InvalidRequestId));
        let mut twice = Lone::new(role);
        twice.open(Stream(0), &announce(ids[1]));
        twice.open(Stream(1), &announce(ids[2]));
        assert_eq!(twice.closed(), Some(SessionCode::InvalidRequestId));
    }
    let mut update = Lone::new(Role::Server);
    update.open(Stream(0), &announce(0));
    let parameters = Parameters::default();
    update.say(Stream(0), &Message::RequestUpdate(RequestUpdate { request: RequestId(0), parameters }));
    assert_eq!(update.closed(), Some(SessionCode::InvalidRequestId));
}

#[test]
fn requests_may_overtake_each_other() {
    let mut lone = Lone::new(Role::Server);
    for (stream, id) in [(0, 4), (1, 0), (2, 2)] {
        lone.open(Stream(stream), &announce(id));
    }
    assert_eq!(lone.closed(), None);
    lone.open(Stream(3), &announce(2));
    assert_eq!(lone.closed(), Some(SessionCode::InvalidRequestId));
}

/// A request that is reset before its first byte arrives never shows its ID.
#[test]
fn an_id_that_never_comes_does_not_end_a_long_session() {
    let mut lone = Lone::new(Role::Server);
    for id in 1..20_000 {
        lone.open(Stream(id), &announce(2 * id));
        lone.core.handle(lone.now, Input::Cancelled(Stream(id), 1));
    }
    assert_eq!(lone.closed(), None);
    lone.open(Stream(0), &announce(2 * 19_999));
    assert_eq!(lone.closed(), Some(SessionCode::InvalidRequestId));
}
