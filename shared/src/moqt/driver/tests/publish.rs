//! Subscriptions that their publisher begins, between two sessions.

use super::{
    order::{Raw, write},
    *,
};
use crate::moqt::{
    EndOfTrack, FetchItem, Filter, PublishRequest, SubscriberEvent,
    wire::{Message, Parameters, RequestOk},
};

async fn offered(to: &mut Side) -> PublishRequest {
    match to.requests.next().await {
        Some(Request::Publish(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn paused() -> PublishOffer {
    PublishOffer { forward: false, ..PublishOffer::default() }
}

#[tokio::test]
async fn objects_leave_before_the_offer_is_taken() {
    let (client, mut server) = pair().await;
    let offer = PublishOffer {
        ok: SubscribeOk { largest: Some(Location::new(3, 0)), ..SubscribeOk::default() },
        forward: true,
    };
    let mut writer = client.session.publish(track("v"), offer.clone()).await.expect("on its way");
    let objects = [object(4, 0, 0, "key"), object(4, 0, 1, vec![7; 300_000]), object(4, 0, 2, "last")];
    for object in &objects {
        assert!(writer.push(Item::Object(object.clone())));
    }
    writer.push(end(4, 0));
    let request = offered(&mut server).await;
    assert_eq!((request.track(), request.offer()), (&track("v"), &offer));
    while writer.stats().objects == 0 {
        tokio::task::yield_now().await;
    }
    let options = SubscribeOptions { priority: Priority(9), ..SubscribeOptions::default() };
    let mut subscription = request.accept(options);
    assert_eq!(subscription.ok(), &offer.ok);
    assert_eq!(writer.granted().await, Ok(options));
    for object in &objects {
        assert_eq!(subscription.recv().await, Some(Received::Item(Item::Object(object.clone()))));
    }
    assert_eq!(subscription.recv().await, Some(Received::Item(end(4, 0))));
    writer.done(DoneCode::TrackEnded, "over");
    let done = Received::Done { code: DoneCode::TrackEnded, reason: "over".into() };
    assert_eq!(subscription.recv().await, Some(done));
    assert_eq!(subscription.recv().await, None);
}

#[tokio::test]
async fn an_offer_without_forwarding_waits_for_the_subscribers_word() {
    let (client, mut server) = pair().await;
    let mut writer = client.session.publish(track("v"), paused()).await.expect("on its way");
    let options = SubscribeOptions { forward: false, ..SubscribeOptions::default() };
    let request = offered(&mut server).await;
    assert!(!request.offer().forward);
    let mut subscription = request.accept(options);
    assert_eq!(writer.granted().await, Ok(options));
    writer.push(Item::Object(object(1, 0, 0, "unseen")));
    writer.push(end(1, 0));
    subscription.set_forward(true);
    assert_eq!(writer.event().await, Some(SubscriberEvent::Forward(true)));
    writer.push(Item::Object(object(2, 0, 0, "seen")));
    assert_eq!(subscription.recv().await, Some(Received::Item(Item::Object(object(2, 0, 0, "seen")))));
    subscription.set_forward(false);
    assert_eq!(writer.event().await, Some(SubscriberEvent::Forward(false)));
    assert!(!writer.options().forward);
}

#[tokio::test]
async fn the_subscribers_answer_starts_the_flow_and_sets_the_filter() {
    let (client, mut server) = pair().await;
    let ok = SubscribeOk { largest: Some(Location::new(6, 2)), ..SubscribeOk::default() };
    let offer = PublishOffer { ok, forward: false };
    let mut writer = client.session.publish(track("v"), offer).await.expect("on its way");
    let options = SubscribeOptions { filter: Filter::NextGroupStart, ..SubscribeOptions::default() };
    let mut subscription = offered(&mut server).await.accept(options);
    assert_eq!(writer.granted().await, Ok(options));
    assert_eq!(writer.event().await, Some(SubscriberEvent::Forward(true)));
    writer.push(Item::Object(object(6, 0, 3, "cut")));
    writer.push(Item::Object(object(7, 0, 0, "first")));
    assert_eq!(subscription.recv().await, Some(Received::Item(Item::Object(object(7, 0, 0, "first")))));
}

#[tokio::test]
async fn a_refused_offer_closes_its_writer_with_the_subscribers_reason() {
    let (client, mut server) = pair().await;
    for code in [RequestCode::Uninterested, RequestCode::InternalError] {
        let offer = PublishOffer::default();
        let mut writer = client.session.publish(track("v"), offer).await.expect("on its way");
        writer.push(Item::Object(object(1, 0, 0, vec![0; 1 << 20])));
        let request = offered(&mut server).await;
        match code {
            RequestCode::Uninterested => request.reject(code, "not needed"),
            _ => drop(request),
        }
        match writer.granted().await {
            Err(Refused::Error { code: refused, .. }) => assert_eq!(refused, code),
            other => panic!("{other:?}"),
        }
        assert!(writer.is_closed() && !writer.push(Item::Object(object(1, 0, 1, "late"))));
        assert_eq!(writer.event().await, None);
    }
}

#[tokio::test]
async fn either_side_ends_what_was_published() {
    let (client, mut server) = pair().await;
    let mut writer = client.session.publish(track("v"), PublishOffer::default()).await.expect("on its way");
    let subscription = offered(&mut server).await.accept(SubscribeOptions::default());
    writer.granted().await.expect("taken");
    writer.push(Item::Object(object(1, 0, 0, vec![0; 1 << 20])));
    drop(subscription);
    assert_eq!(writer.event().await, None);
    assert!(!writer.push(Item::Object(object(1, 0, 1, "late"))));

    let writer = client.session.publish(track("v"), PublishOffer::default()).await.expect("on its way");
    let mut subscription = offered(&mut server).await.accept(SubscribeOptions::default());
    drop(writer);
    assert!(matches!(subscription.recv().await, Some(Received::Done { code: DoneCode::InternalError, .. })));
    assert_eq!(subscription.recv().await, None);

    let mut writer = client.session.publish(track("v"), PublishOffer::default()).await.expect("on its way");
    server.session.close(SessionCode::NoError, "closed");
    assert!(matches!(writer.granted().await, Err(Refused::Session(_))));
}

#[tokio::test]
async fn a_track_that_is_subscribed_to_is_not_offered() {
    let (client, mut server) = pair().await;
    let (_subscription, _writer) =
        subscribed(&mut server, &client, "v", SubscribeOptions::default(), SubscribeOk::default()).await;
    match server.session.publish(track("v"), PublishOffer::default()).await {
        Err(Refused::Error { code: RequestCode::DuplicateSubscription, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn little_is_taken_of_a_track_before_its_offer_is_answered() {
    let (client, mut server) = pair().await;
    let writer = client.session.publish(track("v"), PublishOffer::default()).await.expect("on its way");
    const GROUPS: u64 = 64;
    for group in 0..GROUPS {
        writer.push(Item::Object(object(group, 0, 0, vec![0; 60_000])));
        writer.push(end(group, 0));
    }
    let request = offered(&mut server).await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let before = server.session.stats().received_bytes;
    assert!(before < 60_000 * GROUPS, "{before} bytes");
    let mut subscription = request.accept(SubscribeOptions::default());
    let mut objects = 0;
    while objects < GROUPS {
        match subscription.recv().await {
            Some(Received::Item(Item::Object(_))) => objects += 1,
            Some(Received::Item(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_past_of_a_published_track_is_fetched() {
    let (mut client, mut server) = pair().await;
    let ok = SubscribeOk { largest: Some(Location::new(3, 0)), ..SubscribeOk::default() };
    let offer = PublishOffer { ok, forward: true };
    let _writer = client.session.publish(track("v"), offer).await.expect("on its way");
    let subscription = offered(&mut server).await.accept(SubscribeOptions::default());
    let range = FetchRange::Relative { groups: 0 };
    let serve = async {
        let Some(Request::Fetch(request)) = client.requests.next().await else { panic!("no fetch") };
        let (start, end) = request.range();
        assert_eq!((start, end), (Location::new(3, 0), Location::new(3, 0)));
        let mut writer = request.accept(end, EndOfTrack::No, Properties::default());
        assert!(writer.send(object(3, 0, 0, "past")).await);
        writer.finish();
    };
    let (fetch, ()) = tokio::join!(server.session.fetch_joining(&subscription, range, Priority(1)), serve);
    let mut fetch = fetch.expect("granted");
    assert!(matches!(fetch.next().await, Ok(Some(FetchItem::Object(o))) if o.payload == "past"));
    assert_eq!(fetch.next().await, Ok(None));
}

#[tokio::test]
async fn a_subscriber_may_say_for_how_long_it_takes_what_is_published() {
    for expires in [None, Some(Duration::from_secs(5))] {
        let (raw, client) = Raw::publisher(Config::new(Role::Client)).await;
        let mut writer = client.session.publish(track("v"), paused()).await.expect("on its way");
        assert_eq!(writer.expires(), None);
        let (mut send, _recv) = raw.connection.accept_bi().await.expect("a request");
        let parameters = Parameters { expires, ..Parameters::default() };
        write(&mut send, &Message::RequestOk(RequestOk { parameters, ..RequestOk::default() })).await;
        writer.granted().await.expect("taken");
        assert_eq!(writer.expires(), expires);
    }
}
