//! All tracks below a prefix.

use shared::moqt::{PublishRequest, TracksOptions, TracksSubscription};

use super::*;

async fn collecting(session: &Session, prefix: Namespace) -> TracksSubscription {
    session.subscribe_tracks(prefix, TracksOptions::default()).await.expect("granted")
}

async fn published(session: &Session, track: &TrackName) -> TrackWriter {
    let mut writer = session.publish(track.clone(), PublishOffer::default()).await.expect("on its way");
    timeout(LONG, writer.granted()).await.expect("answered").expect("taken");
    writer
}

/// Waits until the relay wants objects.
async fn flows(writer: &mut TrackWriter) {
    while !writer.options().forward {
        assert!(timeout(LONG, writer.event()).await.expect("it is told").is_some());
    }
}

async fn offered(requests: &mut Requests) -> PublishRequest {
    match timeout(LONG, requests.next()).await {
        Ok(Some(Request::Publish(request))) => request,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn tracks_that_are_published_now_and_later_are_offered_and_served() {
    let mut world = World::new();
    let publisher = world.viewer().await;
    let (viewer, mut requests) = world.connect().await;
    let [now, later] = ["a", "b"].map(|name| world.room.on_stage(name));
    let mut first = published(&publisher, &now).await;
    let _tracks = collecting(&viewer, world.room.stage()).await;
    let request = offered(&mut requests).await;
    assert_eq!((request.track(), request.offer().forward), (&now, true));
    let mut watched = request.accept(SubscribeOptions::default());
    flows(&mut first).await;
    let second = published(&publisher, &later).await;
    let request = offered(&mut requests).await;
    assert_eq!(request.track(), &later);
    request.reject(RequestCode::Uninterested, "no");
    first.push(object(1, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((1, 0)));
    assert_eq!(world.metric("relay_subscriptions"), 1);
    // Published anew: offered anew.
    second.done(DoneCode::TrackEnded, "over");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let _again = published(&publisher, &later).await;
    assert_eq!(offered(&mut requests).await.track(), &later);
    first.done(DoneCode::TrackEnded, "over");
    assert_eq!(next(&mut watched).await, Err(Some(DoneCode::TrackEnded)));
}

#[tokio::test(start_paused = true)]
async fn the_request_decides_whether_objects_come_before_the_answer() {
    let mut world = World::new();
    let publisher = world.viewer().await;
    let (viewer, mut requests) = world.connect().await;
    let options = TracksOptions { forward: false };
    let _tracks = viewer.subscribe_tracks(world.room.stage(), options).await.expect("granted");
    let _writer = published(&publisher, &world.room.on_stage("a")).await;
    assert!(!offered(&mut requests).await.offer().forward);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_offered_its_own_tracks_or_what_it_is_subscribed_to() {
    let mut world = World::new();
    let (publisher, mut own) = world.connect().await;
    let (viewer, mut requests) = world.connect().await;
    let track = world.room.on_stage("a");
    let mut writer = published(&publisher, &track).await;
    let mut watched = viewer.subscribe(track, SubscribeOptions::default()).await.expect("granted");
    flows(&mut writer).await;
    let _tracks =
        (collecting(&publisher, world.room.stage()).await, collecting(&viewer, world.room.stage()).await);
    assert!(timeout(LONG, own.next()).await.is_err());
    assert!(timeout(LONG, requests.next()).await.is_err());
    writer.push(object(1, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((1, 0)));
}

#[tokio::test(start_paused = true)]
async fn who_takes_its_request_back_is_offered_nothing_more() {
    let mut world = World::new();
    let publisher = world.viewer().await;
    let (viewer, mut requests) = world.connect().await;
    let tracks = collecting(&viewer, world.room.stage()).await;
    let mut writer = published(&publisher, &world.room.on_stage("a")).await;
    let mut watched = offered(&mut requests).await.accept(SubscribeOptions::default());
    flows(&mut writer).await;
    writer.push(object(1, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((1, 0)));
    drop(tracks);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let _other = published(&publisher, &world.room.on_stage("b")).await;
    assert!(timeout(LONG, requests.next()).await.is_err());
    writer.push(object(1, 1, 10));
    assert_eq!(next(&mut watched).await, Ok((1, 1)), "what was taken goes on");
    let _tracks = collecting(&viewer, world.room.stage()).await;
    assert_eq!(offered(&mut requests).await.track(), &world.room.on_stage("b"));
}

#[tokio::test(start_paused = true)]
async fn tracks_past_a_sessions_bound_are_told_as_blocked() {
    let mut world = World::new();
    let publishers = [world.viewer().await, world.viewer().await, world.viewer().await];
    let (viewer, mut requests) = world.connect().await;
    let mut tracks = collecting(&viewer, world.room.stage()).await;
    // Every place of the viewer's is taken by an offer that it does not answer.
    let (mut held, mut unanswered) = (Vec::new(), Vec::new());
    for number in 0..MAX_SUBSCRIPTIONS {
        // So many that no publisher meets its own bound.
        let publisher = &publishers[number % publishers.len()];
        held.push(published(publisher, &world.room.on_stage(&format!("track-{number}"))).await);
        unanswered.push(offered(&mut requests).await);
    }
    let last = world.room.on_stage("last");
    held.push(published(&publishers[0], &last).await);
    assert_eq!(timeout(LONG, tracks.blocked()).await, Ok(Some(last)));
}

#[tokio::test(start_paused = true)]
async fn only_rooms_of_this_relay_are_collected() {
    let mut world = World::new();
    let viewer = world.viewer().await;
    let other: Room = "other".parse().expect("a room");
    let refused = viewer.subscribe_tracks(other.stage(), TracksOptions::default()).await;
    assert!(matches!(refused, Err(Refused::Error { code: RequestCode::Unauthorized, .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn the_prefix_moves_where_it_may() {
    let mut world = World::new();
    let publisher = world.viewer().await;
    let (viewer, mut requests) = world.connect().await;
    let track = world.room.on_stage("a");
    let _writer = published(&publisher, &track).await;
    let mut tracks = collecting(&viewer, Namespace::new(["elsewhere"])).await;
    tracks.set_prefix(world.room.stage()).await.expect("granted");
    assert_eq!(offered(&mut requests).await.track(), &track);
    let other: Room = "other".parse().expect("a room");
    match tracks.set_prefix(other.stage()).await {
        Err(Refused::Error { code: RequestCode::Unauthorized, .. }) => {}
        answer => panic!("{answer:?}"),
    }
    assert_eq!(tracks.blocked().await, None);
}

#[tokio::test(start_paused = true)]
async fn more_tracks_than_are_told_are_not_offered() {
    let mut world = World::with(|config| config.max_enumerated = 1);
    let publisher = world.viewer().await;
    let _writers = [
        published(&publisher, &world.room.on_stage("a")).await,
        published(&publisher, &world.room.on_stage("b")).await,
    ];
    let viewer = world.viewer().await;
    let refused = viewer.subscribe_tracks(world.room.stage(), TracksOptions::default()).await;
    assert!(
        matches!(refused, Err(Refused::Error { code: RequestCode::NamespaceTooLarge, .. })),
        "{refused:?}"
    );
}
