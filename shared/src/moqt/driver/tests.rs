//! Two sessions over connections in memory, with the real driver.

use bytes::Bytes;

use super::*;
use crate::{
    moqt::{
        DoneCode, GroupId, Item, Location, Object, ObjectId, Priority, Properties, Received, Request, Status,
        Subgroup, SubgroupEnd, SubgroupId, SubscribeOk, TrackWriter,
    },
    transport::memory,
};

mod control;
mod ends;
mod hostile;
mod joining;
mod malformed;
mod namespaces;
mod order;
mod publish;
mod resets;
mod status;
mod tracks;
mod updates;

pub(super) struct Side {
    pub(super) session: Session,
    pub(super) requests: Requests,
}

pub(super) async fn pair() -> (Side, Side) {
    let (client, server) = memory::pair();
    let (client, server) = tokio::join!(
        start(client, Config { path: Some("/room".into()), ..Config::new(Role::Client) }),
        start(server, Config::new(Role::Server))
    );
    let side = |(session, requests)| Side { session, requests };
    (side(client.expect("client")), side(server.expect("server")))
}

pub(super) fn track(name: &'static str) -> TrackName {
    TrackName { namespace: Namespace::new(["room", "demo"]), name: Bytes::from_static(name.as_bytes()) }
}

pub(super) fn object(group: u64, subgroup: u64, id: u64, payload: impl Into<Bytes>) -> Object {
    Object {
        subgroup: Subgroup {
            group: GroupId(group),
            id: SubgroupId(subgroup),
            priority: Priority(64),
            ends_group: false,
            from_first: id == 0,
        },
        id: ObjectId(id),
        status: Status::Normal,
        properties: Properties::default(),
        payload: payload.into(),
    }
}

pub(super) fn end(group: u64, subgroup: u64) -> Item {
    Item::End { group: GroupId(group), subgroup: SubgroupId(subgroup), end: SubgroupEnd::Finished }
}

/// Subscribes from `to` and grants it at `from`.
pub(super) async fn subscribed(
    from: &mut Side,
    to: &Side,
    name: &'static str,
    options: SubscribeOptions,
    ok: SubscribeOk,
) -> (Subscription, TrackWriter) {
    let grant = async {
        match from.requests.next().await {
            Some(Request::Subscribe(request)) => {
                assert_eq!(request.track(), &track(name));
                request.accept(ok)
            }
            other => panic!("{other:?}"),
        }
    };
    let (subscription, writer) = tokio::join!(to.session.subscribe(track(name), options), grant);
    (subscription.expect("granted"), writer)
}

#[tokio::test]
async fn a_subscription_delivers_streams_datagrams_and_its_end() {
    let (client, mut server) = pair().await;
    assert_eq!(server.session.path(), "/room");
    let ok = SubscribeOk { largest: Some(Location::new(3, 0)), ..SubscribeOk::default() };
    let (mut subscription, writer) =
        subscribed(&mut server, &client, "video", SubscribeOptions::default(), ok.clone()).await;
    assert_eq!(subscription.ok(), &ok);
    let objects = [object(4, 0, 0, "key"), object(4, 0, 1, ""), object(4, 0, 2, vec![7; 300_000])];
    for object in &objects {
        assert!(writer.push(Item::Object(object.clone())));
    }
    writer.push(end(4, 0));
    for object in &objects {
        assert_eq!(subscription.recv().await, Some(Received::Item(Item::Object(object.clone()))));
    }
    assert_eq!(subscription.recv().await, Some(Received::Item(end(4, 0))));
    let mut datagram = object(5, 0, 0, "d");
    datagram.subgroup.from_first = false;
    writer.push(Item::Datagram(datagram.clone()));
    assert_eq!(subscription.recv().await, Some(Received::Item(Item::Datagram(datagram))));
    assert_eq!(writer.stats().objects, 4);
    writer.done(DoneCode::TrackEnded, "over");
    let done = Received::Done { code: DoneCode::TrackEnded, reason: "over".into() };
    assert_eq!(subscription.recv().await, Some(done));
    assert_eq!(subscription.recv().await, None);
}
