//! Tracks that are published one by one.

use super::*;

/// Publishes a track at the relay, which takes it.
async fn published(session: &Session, track: &TrackName, offer: PublishOffer) -> TrackWriter {
    let mut writer = session.publish(track.clone(), offer).await.expect("on its way");
    timeout(LONG, writer.granted()).await.expect("answered").expect("taken");
    writer
}

async fn code(session: &Session, track: &TrackName) -> RequestCode {
    let mut writer = session.publish(track.clone(), PublishOffer::default()).await.expect("on its way");
    match timeout(LONG, writer.granted()).await.expect("answered") {
        Err(Refused::Error { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

async fn is_gone(viewer: &Session, track: &TrackName) -> bool {
    let answer = viewer.subscribe(track.clone(), SubscribeOptions::default()).await;
    matches!(answer, Err(Refused::Error { code: RequestCode::DoesNotExist, .. }))
}

/// A relay that spares publishers whom nobody watches.
fn sparing() -> World {
    World::with(|config| config.pause_offers = true)
}

#[tokio::test(start_paused = true)]
async fn a_published_track_is_taken_without_a_word_to_its_publisher() {
    let mut world = World::new();
    let (publisher, viewer) = (world.viewer().await, world.viewer().await);
    let track = world.room.on_stage("video-720p");
    let mut writer = published(&publisher, &track, PublishOffer::default()).await;
    assert!(writer.options().forward, "whoever comes starts at once");
    writer.push(object(0, 0, 10));
    tokio::time::sleep(LINGER * 2).await;
    let mut watched = viewer.subscribe(track.clone(), SubscribeOptions::default()).await.expect("granted");
    assert_eq!(next(&mut watched).await, Ok((0, 0)));
    drop(watched);
    tokio::time::sleep(LINGER * 2).await;
    let options = SubscribeOptions { forward: false, priority: Priority(7), ..SubscribeOptions::default() };
    let _paused = viewer.subscribe(track, options).await.expect("still published");
    // A publisher on moq-transport 0.17 would end the track at any REQUEST_UPDATE.
    assert!(timeout(LONG, writer.event()).await.is_err(), "nothing is asked of it");
}

#[tokio::test(start_paused = true)]
async fn who_waited_for_a_track_gets_all_that_is_published() {
    for pause_offers in [false, true] {
        let mut world = World::with(|config| config.pause_offers = pause_offers);
        let (publisher, viewer) = (world.viewer().await, world.viewer().await);
        let track = world.room.on_stage("video-720p");
        let options =
            SubscribeOptions { rendezvous_timeout: Some(RENDEZVOUS), ..SubscribeOptions::default() };
        let (watched, writer) = tokio::join!(viewer.subscribe(track.clone(), options), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let mut writer =
                publisher.publish(track.clone(), PublishOffer::default()).await.expect("on its way");
            let granted = timeout(LONG, writer.granted()).await.expect("answered").expect("taken");
            assert!(granted.forward, "somebody waits: pausing is {pause_offers}");
            let changed = timeout(Duration::from_secs(1), writer.event()).await;
            assert!(changed.is_err(), "the answer says all: {changed:?}, pausing is {pause_offers}");
            writer
        });
        writer.push(object(0, 0, 10));
        writer.done(DoneCode::TrackEnded, "over");
        let mut watched = watched.expect("granted");
        assert_eq!(next(&mut watched).await, Ok((0, 0)));
        assert_eq!(next(&mut watched).await, Err(Some(DoneCode::TrackEnded)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_published_track_flows_while_somebody_watches_where_the_relay_is_sparing() {
    let mut world = sparing();
    let (publisher, viewer) = (world.viewer().await, world.viewer().await);
    let track = world.room.on_stage("video-720p");
    assert!(is_gone(&viewer, &track).await);
    let properties = TrackProperties { dynamic_groups: true, ..TrackProperties::default() }.encode();
    let ok = SubscribeOk { largest: Some(Location::new(3, 0)), expires: None, properties };
    let mut writer = published(&publisher, &track, PublishOffer { ok: ok.clone(), forward: true }).await;
    assert!(!writer.options().forward, "nobody needs it yet");
    assert_eq!((world.metric("relay_tracks"), world.metric("relay_broadcasts")), (1, 1));

    let options = SubscribeOptions { priority: Priority(7), ..SubscribeOptions::default() };
    let mut watched = viewer.subscribe(track.clone(), options).await.expect("granted");
    assert_eq!(watched.ok(), &ok);
    let events = [timeout(LONG, writer.event()).await, timeout(LONG, writer.event()).await];
    let expected = [SubscriberEvent::Forward(true), SubscriberEvent::NewGroup(GroupId(3))];
    assert_eq!(events, expected.map(|event| Ok(Some(event))));
    assert_eq!(writer.options().priority, Priority(7));
    for item in [object(4, 0, 10), object(4, 1, 10)] {
        assert!(writer.push(item));
    }
    assert_eq!([next(&mut watched).await, next(&mut watched).await], [Ok((4, 0)), Ok((4, 1))]);
    let late = world.viewer().await;
    let mut joined = late.subscribe(track.clone(), SubscribeOptions::default()).await.expect("granted");
    assert_eq!(next(&mut joined).await, Ok((4, 0)));

    drop((watched, joined));
    assert!(timeout(LINGER / 2, writer.event()).await.is_err(), "the next viewer starts at once");
    assert_eq!(timeout(LINGER, writer.event()).await, Ok(Some(SubscriberEvent::Forward(false))));
    let _again = viewer.subscribe(track, SubscribeOptions::default()).await.expect("still published");
    assert_eq!(timeout(LONG, writer.event()).await, Ok(Some(SubscriberEvent::Forward(true))));
}

#[tokio::test(start_paused = true)]
async fn a_published_catalog_is_kept_for_whoever_comes() {
    let mut world = World::new();
    let (publisher, viewer) = (world.viewer().await, world.viewer().await);
    let catalog = world.room.catalog();
    let writer = published(&publisher, &catalog, PublishOffer::default()).await;
    assert!(writer.options().forward);
    writer.push(object(0, 0, 10));
    tokio::time::sleep(Duration::from_secs(30)).await;
    let mut watched = viewer.subscribe(catalog, SubscribeOptions::default()).await.expect("granted");
    assert_eq!(next(&mut watched).await, Ok((0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_published_track_ends_with_its_publishers_word_or_session() {
    let mut world = World::new();
    let viewer = world.viewer().await;
    let track = world.room.on_stage("video-720p");
    let publisher = world.viewer().await;
    let writer = published(&publisher, &track, PublishOffer::default()).await;
    let mut watched = viewer.subscribe(track.clone(), SubscribeOptions::default()).await.expect("granted");
    writer.done(DoneCode::TrackEnded, "over");
    assert_eq!(next(&mut watched).await, Err(Some(DoneCode::TrackEnded)));
    assert!(is_gone(&viewer, &track).await);
    assert_eq!((world.metric("relay_tracks"), world.metric("relay_broadcasts")), (0, 0));

    let _writer = published(&publisher, &track, PublishOffer::default()).await;
    let mut watched = viewer.subscribe(track.clone(), SubscribeOptions::default()).await.expect("granted");
    publisher.close(moqt::SessionCode::NoError, "crashed");
    assert_eq!(next(&mut watched).await, Err(Some(DoneCode::InternalError)));
    assert!(is_gone(&viewer, &track).await);
    assert_eq!((world.metric("relay_tracks"), world.metric("relay_broadcasts")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_publishes_one_track_is_not_asked_for_another() {
    let mut world = World::new();
    let (publisher, mut requests) = world.connect().await;
    let viewer = world.viewer().await;
    let _writer = published(&publisher, &world.room.on_stage("a"), PublishOffer::default()).await;
    let other = world.room.on_stage("b");
    assert!(is_gone(&viewer, &other).await);
    let status = viewer.track_status(other).await;
    assert!(matches!(status, Err(Refused::Error { code: RequestCode::DoesNotExist, .. })), "{status:?}");
    assert!(timeout(LONG, requests.next()).await.is_err());
    let ok = viewer.track_status(world.room.on_stage("a")).await.expect("known");
    assert_eq!(ok, SubscribeOk::default());
}

#[tokio::test(start_paused = true)]
async fn tracks_and_namespace_of_one_session_are_one_broadcast() {
    let mut world = World::new();
    let (publisher, mut requests) = world.connect().await;
    let viewer = world.viewer().await;
    let catalog = published(&publisher, &world.room.catalog(), PublishOffer::default()).await;
    let announced = publisher.publish_namespace(world.room.stage()).await.expect("on air");
    assert_eq!(world.metric("relay_broadcasts"), 1);
    // What was not published is asked for now, and the catalog is not asked for twice.
    let track = world.room.on_stage("b");
    let (watched, _writer) =
        tokio::join!(viewer.subscribe(track.clone(), SubscribeOptions::default()), async {
            match timeout(LONG, requests.next()).await {
                Ok(Some(Request::Subscribe(request))) if request.track() == &track => {
                    request.accept(SubscribeOk::default())
                }
                other => panic!("{other:?}"),
            }
        });
    assert!(watched.is_ok());
    drop(announced);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.metric("relay_broadcasts"), 1, "its catalog is still published");
    assert!(is_gone(&viewer, &world.room.on_stage("c")).await);
    catalog.done(DoneCode::TrackEnded, "over");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.metric("relay_broadcasts"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_newest_publisher_of_a_track_wins_and_its_viewers_stay() {
    let mut world = sparing();
    let (old, new, viewer) = (world.viewer().await, world.viewer().await, world.viewer().await);
    let track = world.room.on_stage("video-720p");
    let mut first = published(&old, &track, PublishOffer::default()).await;
    let mut watched = viewer.subscribe(track.clone(), SubscribeOptions::default()).await.expect("granted");
    assert_eq!(timeout(LONG, first.event()).await, Ok(Some(SubscriberEvent::Forward(true))));
    first.push(object(4, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((4, 0)));
    let second = published(&new, &track, PublishOffer::default()).await;
    assert!(second.options().forward, "somebody watches");
    while timeout(LONG, first.event()).await.expect("it is told").is_some() {}
    drop(old);
    second.push(object(5, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((5, 0)), "the old one's end changes nothing");
    assert_eq!((world.metric("relay_tracks"), world.metric("relay_broadcasts")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_track_is_published_where_its_namespace_could_be() {
    let mut world = World::new();
    let session = world.viewer().await;
    let other: Room = "other".parse().expect("a room");
    assert_eq!(code(&session, &other.on_stage("a")).await, RequestCode::Unauthorized);
    let elsewhere = TrackName { namespace: Namespace::new(["chat"]), name: "a".into() };
    assert_eq!(code(&session, &elsewhere).await, RequestCode::Unauthorized);
    assert_eq!((world.metric("relay_requests_refused_total"), world.metric("relay_tracks")), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_session_publishes_so_many_tracks_and_no_more() {
    let mut world = World::new();
    let session = world.viewer().await;
    let mut writers = Vec::new();
    let mut refused = None;
    for number in 0..=MAX_OFFERS {
        let track = world.room.on_stage(&format!("track-{number}"));
        let mut writer = session.publish(track, PublishOffer::default()).await.expect("on its way");
        match timeout(LONG, writer.granted()).await.expect("answered") {
            Ok(_) => writers.push(writer),
            Err(Refused::Error { code, .. }) => {
                refused = Some(code);
                break;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(refused, Some(RequestCode::ExcessiveLoad));
    drop(writers.pop());
    tokio::time::sleep(Duration::from_secs(1)).await;
    published(&session, &world.room.on_stage("again"), PublishOffer::default()).await;
}

#[tokio::test(start_paused = true)]
async fn viewers_of_an_announced_track_go_on_with_whoever_publishes_it() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let track = world.room.on_stage("video-720p");
    let (viewer, new) = (world.viewer().await, world.viewer().await);
    let (mut watched, mut writer) = watch_it(&viewer, &mut publisher, &track).await;
    writer.push(object(1, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((1, 0)));
    let second = published(&new, &track, PublishOffer::default()).await;
    assert!(second.options().forward, "somebody watches");
    assert_eq!(timeout(LONG, writer.event()).await, Ok(None));
    second.push(object(2, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((2, 0)));
    second.done(DoneCode::TrackEnded, "over");
    assert_eq!(next(&mut watched).await, Err(Some(DoneCode::TrackEnded)));
    // What is announced can be asked for again.
    let (_again, _writer) = watch_it(&viewer, &mut publisher, &track).await;
}
