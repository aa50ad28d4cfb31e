//! Refusals, cancelled requests and ends.

use super::{
    hostile::subgroup,
    order::{Raw, write},
    resets::send,
    *,
};
use crate::moqt::{
    EndOfTrack, FetchItem, FetchOptions, GroupOrder, ResetCode,
    wire::{Message, PublishDone},
};

fn code<T: std::fmt::Debug>(answer: Result<T, Refused>) -> (RequestCode, String) {
    match answer {
        Err(Refused::Error { code, reason, .. }) => (code, reason),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_reaches_who_asked_with_its_reason() {
    let (client, mut server) = pair().await;
    let refuse = async {
        match server.requests.next().await {
            Some(Request::Subscribe(request)) => request.reject(RequestCode::Unauthorized, "no token"),
            other => panic!("{other:?}"),
        }
        // Dropped without a word.
        assert!(matches!(server.requests.next().await, Some(Request::PublishNamespace(_))));
        match server.requests.next().await {
            Some(Request::Fetch(request)) => request.reject(RequestCode::DoesNotExist, "never was"),
            other => panic!("{other:?}"),
        }
    };
    let ask = async {
        let subscribed = client.session.subscribe(track("v"), SubscribeOptions::default()).await;
        assert_eq!(code(subscribed), (RequestCode::Unauthorized, "no token".into()));
        let announced = client.session.publish_namespace(Namespace::new(["a"])).await;
        assert_eq!(code(announced).0, RequestCode::InternalError);
        let (start, end) = (Location::new(0, 0), Location::new(1, 0));
        let range = FetchRange::Standalone { track: track("v"), start, end };
        let fetched = client.session.fetch(range, Priority(1)).await;
        assert_eq!(code(fetched), (RequestCode::DoesNotExist, "never was".into()));
    };
    tokio::join!(refuse, ask);
    drop(server.requests);
    let refused = client.session.subscribe(track("v"), SubscribeOptions::default()).await;
    assert_eq!(code(refused).0, RequestCode::NotSupported);
}

#[tokio::test]
async fn a_reader_that_leaves_ends_its_writer_and_frees_the_track() {
    let (client, mut server) = pair().await;
    for _ in 0..2 {
        let (subscription, mut writer) =
            subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
        writer.push(Item::Object(object(1, 0, 0, vec![0; 1 << 20])));
        drop(subscription);
        assert_eq!(writer.event().await, None);
        assert!(!writer.push(Item::Object(object(1, 0, 1, "late"))));
    }
}

#[tokio::test]
async fn a_request_whose_caller_leaves_is_cancelled() {
    let (client, mut server) = pair().await;
    let asking = client.session.clone();
    let ask = tokio::spawn(async move { asking.subscribe(track("v"), SubscribeOptions::default()).await });
    let Some(Request::Subscribe(request)) = server.requests.next().await else { panic!("no request") };
    ask.abort();
    let mut writer = request.accept(SubscribeOk::default());
    assert_eq!(writer.event().await, None);
    subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
}

#[tokio::test]
async fn a_writer_that_is_dropped_tells_so() {
    let (client, mut server) = pair().await;
    let (mut subscription, writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
    drop(writer);
    let Some(Received::Done { code: DoneCode::InternalError, .. }) = subscription.recv().await else {
        panic!("no end");
    };
    assert_eq!(subscription.recv().await, None);
}

/// PUBLISH_DONE may overtake what its subscription's streams carry; its reader gets it last.
#[tokio::test]
async fn the_end_comes_after_all_streams() {
    let (client, mut server) = pair().await;
    let (mut subscription, writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
    for group in 0..40 {
        writer.push(Item::Object(object(group, 0, 0, vec![0; 50_000])));
        writer.push(end(group, 0));
    }
    writer.done(DoneCode::TrackEnded, "over");
    let (mut objects, mut ends) = (0, 0);
    loop {
        match subscription.recv().await {
            Some(Received::Item(Item::Object(_))) => objects += 1,
            Some(Received::Item(Item::End { end: SubgroupEnd::Finished, .. })) => ends += 1,
            Some(Received::Done { code: DoneCode::TrackEnded, .. }) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((objects, ends, subscription.recv().await), (40, 40, None));
    server.session.drained().await;
}

#[tokio::test]
async fn a_reader_gives_up_a_group_and_the_others_go_on() {
    let (client, mut server) = pair().await;
    let (mut subscription, writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
    writer.push(Item::Object(object(1, 0, 0, "old")));
    assert_eq!(subscription.recv().await, Some(Received::Item(Item::Object(object(1, 0, 0, "old")))));
    subscription.stop(GroupId(1));
    let reset = SubgroupEnd::Reset(ResetCode::Cancelled);
    let ended = Item::End { group: GroupId(1), subgroup: SubgroupId(0), end: reset };
    assert_eq!(subscription.recv().await, Some(Received::Item(ended)));
    writer.push(Item::Object(object(2, 0, 0, "new")));
    assert_eq!(subscription.recv().await, Some(Received::Item(Item::Object(object(2, 0, 0, "new")))));
}

#[tokio::test]
async fn a_fetch_that_breaks_off_is_not_taken_for_a_whole_one() {
    let (client, mut server) = pair().await;
    let (start, end) = (Location::new(0, 0), Location::new(9, 0));
    let range = FetchRange::Standalone { track: track("v"), start, end };
    let serve = async {
        let Some(Request::Fetch(request)) = server.requests.next().await else { panic!("no request") };
        let mut writer = request.accept(end, EndOfTrack::No, Properties::default());
        assert!(writer.send(object(0, 0, 0, "first")).await);
        writer
    };
    let (fetch, writer) = tokio::join!(client.session.fetch(range, Priority(1)), serve);
    let mut fetch = fetch.expect("granted");
    let item = fetch.next().await.expect("comes");
    assert!(matches!(item, Some(FetchItem::Object(_))));
    drop(writer);
    assert!(fetch.next().await.is_err());
}

#[derive(Debug, Clone, Copy)]
enum Leave {
    Stop,
    Reset,
    Finish,
}

/// moq-transport 0.17 drops all streams of a session at once when its program has said all: control streams
/// among them, which closes the session (draft-18 §3.3), and takes nothing back.
#[tokio::test]
async fn the_last_words_of_a_peer_that_leaves_are_heard() {
    for leave in [Leave::Stop, Leave::Reset, Leave::Finish] {
        let (mut raw, client) = Raw::publisher(Config::new(Role::Client)).await;
        let mut subscription = raw.granted(&client, "v").await;
        // Nothing is awaited that does not happen at once: all of it waits when the session's task looks.
        let done = PublishDone { code: DoneCode::TrackEnded, streams: 2, reason: "over".into() };
        write(&mut raw.requests[0].0, &Message::PublishDone(done)).await;
        for group in [1, 2] {
            send(&raw.connection, subgroup(0, group, 1)).await.finish();
        }
        match leave {
            Leave::Stop => raw.controls.1.stop(0),
            Leave::Reset => raw.controls.0.reset(0),
            Leave::Finish => raw.controls.0.finish(),
        }
        assert_eq!(client.session.closed().await.code, SessionCode::ProtocolViolation, "{leave:?}");
        let mut groups = Vec::new();
        let ended = loop {
            match subscription.recv().await {
                Some(Received::Item(Item::Object(object))) => groups.push(object.subgroup.group.0),
                Some(Received::Item(_)) => {}
                other => break other,
            }
        };
        let over = Received::Done { code: DoneCode::TrackEnded, reason: "over".into() };
        assert_eq!((groups, ended), (vec![1, 2], Some(over)), "{leave:?}");
    }
}

#[tokio::test]
async fn a_fetch_may_ask_for_the_newest_group_first() {
    let (client, mut server) = pair().await;
    let (start, end) = (Location::new(1, 0), Location::new(9, 1));
    let range = FetchRange::Standalone { track: track("v"), start, end };
    let places = [(9, 0), (9, 1), (4, 0), (1, 3)];
    let serve = async {
        let Some(Request::Fetch(request)) = server.requests.next().await else { panic!("no request") };
        assert_eq!(request.order(), GroupOrder::Descending);
        let mut writer = request.accept(end, EndOfTrack::No, Properties::default());
        for (group, id) in places {
            assert!(writer.send(object(group, 0, id, "x")).await);
        }
        writer.finish();
    };
    let options = FetchOptions { order: GroupOrder::Descending, ..FetchOptions::default() };
    let (fetch, ()) = tokio::join!(client.session.fetch(range, options), serve);
    let (mut fetch, mut came) = (fetch.expect("granted"), Vec::new());
    while let Some(FetchItem::Object(object)) = fetch.next().await.expect("not reset") {
        came.push((object.subgroup.group.0, object.id.0));
    }
    assert_eq!(came, places);
}

#[tokio::test]
async fn a_session_leaves_no_task_behind() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let (client, mut server) = pair().await;
    let (mut subscription, mut writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
    let shared = Arc::downgrade(&client.session.shared);
    writer.push(Item::Object(object(1, 0, 0, vec![0; 1 << 20])));
    assert_eq!(tasks(), before + 2);
    drop(client);
    assert!(shared.upgrade().is_none());
    assert_eq!(server.session.closed().await.code, SessionCode::NoError);
    while subscription.recv().await.is_some() {}
    assert_eq!(writer.event().await, None);
    assert!(server.requests.next().await.is_none());
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(tasks(), before);
}
