//! Several publishers of one namespace: one is used, the others stand by.

use super::*;

/// Grants a track at a publisher that goes on with it.
async fn go_on(publisher: &mut Publisher, track: &TrackName, largest: Option<(u64, u64)>) -> TrackWriter {
    let properties = TrackProperties { dynamic_groups: true, ..TrackProperties::default() }.encode();
    let largest = largest.map(|(group, object)| Location::new(group, object));
    publisher.grant(track, SubscribeOk { largest, properties, ..SubscribeOk::default() }).await
}

/// A publisher that announces the room, and is asked for the catalog and for `track` at once.
async fn taking_over(
    world: &mut World,
    track: &TrackName,
    largest: Option<(u64, u64)>,
) -> (Publisher, TrackWriter) {
    let (session, requests) = world.connect().await;
    let namespace = session.publish_namespace(world.room.stage()).await.expect("on air");
    let mut publisher = Publisher { session, requests, _namespace: namespace };
    let mut found = None;
    for _ in 0..2 {
        match publisher.asked().await {
            Some(Request::Subscribe(request)) if request.track() == track => {
                let properties =
                    TrackProperties { dynamic_groups: true, ..TrackProperties::default() }.encode();
                let largest = largest.map(|(group, object)| Location::new(group, object));
                found = Some(request.accept(SubscribeOk { largest, properties, ..SubscribeOk::default() }));
            }
            Some(Request::Subscribe(request)) => std::mem::forget(request.accept(SubscribeOk::default())),
            other => panic!("{other:?}"),
        }
    }
    (publisher, found.expect("the track is asked for"))
}

#[tokio::test(start_paused = true)]
async fn the_newest_publisher_wins_and_viewers_stay() {
    let mut world = World::new();
    let mut old = world.publisher().await;
    let track = world.room.on_stage("video-720p");
    let viewer = world.viewer().await;
    let (mut watched, before) = watch_it(&viewer, &mut old, &track).await;
    before.push(object(3, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((3, 0)));
    let mut told = viewer.subscribe_namespace(world.room.stage()).await.expect("granted");
    assert_eq!(told.next().await, Some(NamespaceEvent::Published(world.room.stage())));

    let (new, after) = taking_over(&mut world, &track, None).await;
    assert_eq!(told.next().await, Some(NamespaceEvent::Withdrawn(world.room.stage())));
    assert_eq!(told.next().await, Some(NamespaceEvent::Published(world.room.stage())));
    after.push(object(5, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((5, 0)), "the subscription goes on");
    drop(old);
    after.push(object(5, 1, 10));
    assert_eq!(next(&mut watched).await, Ok((5, 1)), "the end of the earlier one changes nothing");
    assert_eq!((world.metric("relay_broadcasts"), world.metric("relay_takeovers_total")), (1, 2));

    new.session.close(moqt::SessionCode::NoError, "crashed");
    assert!(next(&mut watched).await.is_err());
    assert_eq!(told.next().await, Some(NamespaceEvent::Withdrawn(world.room.stage())));
    match viewer.subscribe(track, SubscribeOptions::default()).await {
        Err(Refused::Error { code: RequestCode::DoesNotExist, reason, .. }) => {
            assert_eq!(reason, "room demo is not on air");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_stands_by_takes_over_at_once_when_the_used_publisher_goes() {
    enum Goes {
        Closes,
        Withdraws,
        EndsTheTrack,
    }
    for how in [Goes::Closes, Goes::Withdraws, Goes::EndsTheTrack] {
        let mut world = World::new();
        let mut spare = world.publisher().await;
        let track = world.room.on_stage("video-720p");
        let viewer = world.viewer().await;
        let (mut watched, spares) = watch_it(&viewer, &mut spare, &track).await;
        spares.push(object(3, 0, 10));
        assert_eq!(next(&mut watched).await, Ok((3, 0)));
        let (used, writer) = taking_over(&mut world, &track, Some((4, 0))).await;
        writer.push(object(4, 0, 10));
        assert_eq!(next(&mut watched).await, Ok((4, 0)));
        assert!(spares.is_closed(), "nothing is taken of who stands by");

        let started = tokio::time::Instant::now();
        let mut kept = Some((used, writer));
        match how {
            Goes::Closes => {
                let (used, _writer) = kept.take().expect("there");
                used.session.close(moqt::SessionCode::NoError, "crashed");
            }
            Goes::Withdraws => {
                let (Publisher { session, requests, _namespace }, writer) = kept.take().expect("there");
                drop(_namespace);
                std::mem::forget((session, requests, writer));
            }
            Goes::EndsTheTrack => {
                let (used, writer) = kept.take().expect("there");
                writer.done(DoneCode::TrackEnded, "over");
                kept = None;
                std::mem::forget(used);
            }
        }
        // The catalog is asked for again too.
        let mut again = None;
        while again.is_none() {
            match spare.asked().await {
                Some(Request::Subscribe(request)) if request.track() == &track => {
                    let properties =
                        TrackProperties { dynamic_groups: true, ..TrackProperties::default() }.encode();
                    let largest = Some(Location::new(4, 3));
                    again = Some(request.accept(SubscribeOk { largest, expires: None, properties }));
                }
                Some(Request::Subscribe(request)) => std::mem::forget(request.accept(SubscribeOk::default())),
                other => panic!("{other:?}"),
            }
        }
        let again = again.expect("asked for");
        again.push(object(4, 3, 10));
        again.push(object(5, 0, 10));
        assert_eq!(next(&mut watched).await, Ok((5, 0)), "a group begun by one is not ended by another");
        assert!(started.elapsed() < Duration::from_millis(200), "{:?}", started.elapsed());
        assert_eq!(world.metric("relay_objects_repeated_total"), 1);
        let late = world.viewer().await;
        let mut late = late.subscribe(track.clone(), SubscribeOptions::default()).await.expect("granted");
        assert_eq!(next(&mut late).await, Ok((5, 0)));
        assert_eq!(world.metric("relay_broadcasts"), 1);
        drop(kept);
    }
}

#[tokio::test(start_paused = true)]
async fn viewers_are_told_to_ask_again_where_groups_do_not_go_on() {
    for largest in [Some((2, 0)), None] {
        let mut world = World::new();
        let mut old = world.publisher().await;
        let track = world.room.on_stage("video-720p");
        let viewer = world.viewer().await;
        let (mut watched, before) = watch_it(&viewer, &mut old, &track).await;
        before.push(object(7, 0, 10));
        assert_eq!(next(&mut watched).await, Ok((7, 0)));
        let (_new, after) = taking_over(&mut world, &track, largest).await;
        after.push(object(2, 0, 10));
        assert_eq!(next(&mut watched).await, Err(Some(DoneCode::InternalError)));
        let mut again = viewer.subscribe(track, SubscribeOptions::default()).await.expect("granted");
        assert_eq!(next(&mut again).await, Ok((2, 0)), "the new one's from its start, told of {largest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_track_that_the_newer_publisher_lacks_stays_with_the_earlier_one() {
    let mut world = World::new();
    let mut old = world.publisher().await;
    let track = world.room.on_stage("video-1080p");
    let viewer = world.viewer().await;
    let (mut watched, writer) = watch_it(&viewer, &mut old, &track).await;
    writer.push(object(1, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((1, 0)));
    let (session, requests) = world.connect().await;
    let namespace = session.publish_namespace(world.room.stage()).await.expect("on air");
    let mut new = Publisher { session, requests, _namespace: namespace };
    for _ in 0..2 {
        match new.asked().await {
            Some(Request::Subscribe(request)) if request.track() == &track => {
                request.reject(RequestCode::DoesNotExist, "no such track");
            }
            Some(Request::Subscribe(request)) => std::mem::forget(request.accept(SubscribeOk::default())),
            other => panic!("{other:?}"),
        }
    }
    writer.push(object(2, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((2, 0)));
    old.session.close(moqt::SessionCode::NoError, "gone");
    assert_eq!(next(&mut watched).await, Err(Some(DoneCode::InternalError)), "nobody has it any more");
}

#[tokio::test(start_paused = true)]
async fn many_publishers_of_one_namespace_are_bounded_and_the_newest_is_used() {
    let mut world = World::new();
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(world.publisher().await);
    }
    let track = world.room.on_stage("video-720p");
    let viewer = world.viewer().await;
    let newest = all.last_mut().expect("some");
    let watch = viewer.subscribe(track.clone(), SubscribeOptions::default());
    let (watched, writer) = tokio::join!(watch, go_on(newest, &track, None));
    let mut watched = watched.expect("granted");
    writer.push(object(1, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((1, 0)));
    assert_eq!(world.metric("relay_broadcasts"), 1);
    drop(all);
    assert!(next(&mut watched).await.is_err());
    tokio::time::sleep(LONG).await;
    assert_eq!((world.metric("relay_broadcasts"), world.metric("relay_tracks")), (0, 0));
}
