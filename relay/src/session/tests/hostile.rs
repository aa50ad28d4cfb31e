//! Publishers and viewers that misbehave: each is bounded by a named limit or answered with the draft's code,
//! and a broadcast beside them goes on.

use shared::moqt::{FetchOptions, GroupOrder};

use super::*;

/// A broadcast that has nothing to do with what is tried beside it.
struct Bystander {
    _publisher: Publisher,
    _viewer: Session,
    writer: TrackWriter,
    watched: Subscription,
    group: u64,
}

impl Bystander {
    /// In the room of the world.
    async fn new(world: &mut World) -> Self {
        let mut publisher = world.publisher().await;
        let track = world.room.on_stage("bystander");
        let viewer = world.viewer().await;
        let (watched, writer) = watch_it(&viewer, &mut publisher, &track).await;
        Self { _publisher: publisher, _viewer: viewer, writer, watched, group: 0 }
    }

    /// A group comes through whole and alone.
    async fn is_undisturbed(&mut self) {
        self.group += 1;
        for id in 0..3 {
            assert!(self.writer.push(object(self.group, id, 1000)), "its viewer is still there");
            assert_eq!(next(&mut self.watched).await, Ok((self.group, id)));
        }
        self.writer.push(end(self.group));
    }
}

/// A world that takes any namespace, its bystander, and a track of another publisher with a viewer.
async fn beside(
    change: impl FnOnce(&mut Config),
) -> (World, Bystander, Session, TrackName, TrackWriter, Subscription) {
    let mut world = World::with(|config| {
        config.open = true;
        change(config);
    });
    let bystander = Bystander::new(&mut world).await;
    let (session, viewer) = (world.viewer().await, world.viewer().await);
    let track = TrackName { namespace: Namespace::new(["lab"]), name: "x".into() };
    let mut writer = session.publish(track.clone(), PublishOffer::default()).await.expect("on its way");
    timeout(LONG, writer.granted()).await.expect("answered").expect("taken");
    let watched = viewer.subscribe(track.clone(), SubscribeOptions::default()).await.expect("granted");
    // Both sessions live on with what they hold.
    std::mem::forget(viewer);
    (world, bystander, session, track, writer, watched)
}

#[tokio::test(start_paused = true)]
async fn groups_that_come_out_of_order_are_passed_on_as_they_come() {
    let (_world, mut bystander, _session, _, writer, mut watched) = beside(|_| {}).await;
    for group in [5, 3, 9, 4, 8] {
        writer.push(object(group, 0, 10));
        writer.push(end(group));
        assert_eq!(next(&mut watched).await, Ok((group, 0)));
        bystander.is_undisturbed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_comes_again_with_other_bytes_ends_its_track_as_malformed() {
    let (_world, mut bystander, _session, _, writer, mut watched) = beside(|_| {}).await;
    writer.push(object(1, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((1, 0)));
    let Item::Object(mut again) = object(1, 0, 11) else { unreachable!("an object") };
    again.subgroup.id = SubgroupId(1);
    writer.push(Item::Object(again));
    assert_eq!(next(&mut watched).await, Err(Some(DoneCode::MalformedTrack)));
    bystander.is_undisturbed().await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_tiny_groups_is_kept_within_the_caches_bound() {
    let (world, mut bystander, _session, _, writer, mut watched) = beside(|_| {}).await;
    const GROUPS: u64 = 30_000;
    for group in 0..GROUPS {
        writer.push(object(group, 0, 0));
        writer.push(end(group));
        // Its own viewer may lose some: all that it gets is in order of coming.
        while let Ok(Some(Received::Item(_))) = timeout(Duration::ZERO, watched.recv()).await {}
        if group % 1_000 == 0 {
            bystander.is_undisturbed().await;
            assert!(world.metric("relay_cache_bytes") <= 3 << 20, "--cache-bytes of each of three tracks");
        }
    }
    writer.push(object(GROUPS, 0, 1));
    while next(&mut watched).await != Ok((GROUPS, 0)) {}
    assert!(world.metric("relay_cache_evicted_objects_total") > 0);
    bystander.is_undisturbed().await;
}

#[tokio::test(start_paused = true)]
async fn an_object_larger_than_any_may_be_ends_its_track() {
    let (mut world, mut bystander, _session, _, _writer, _watched) = beside(|_| {}).await;
    let (client, server) = memory::pair();
    let relay = Arc::clone(&world.relay);
    world.connections.spawn(async move { run(server, &relay).await.expect("set up") });
    let mut config = moqt::Config::new(Role::Client);
    config.data_limits.subscriber_bytes = 64 << 20;
    config.max_queue_bytes = 64 << 20;
    let (session, _requests) = moqt::start(client, config).await.expect("set up");
    let track = TrackName { namespace: Namespace::new(["huge"]), name: "x".into() };
    let mut writer = session.publish(track.clone(), PublishOffer::default()).await.expect("on its way");
    timeout(LONG, writer.granted()).await.expect("answered").expect("taken");
    let viewer = world.viewer().await;
    let mut watched = viewer.subscribe(track, SubscribeOptions::default()).await.expect("granted");
    // What its length says is enough: nothing of it is held.
    writer.push(object(1, 0, (8 << 20) + 1));
    let ended = next(&mut watched).await;
    assert!(ended.is_err(), "{ended:?}");
    assert!(writer.is_closed());
    assert!(world.metric("relay_cache_bytes") <= 1 << 20);
    bystander.is_undisturbed().await;
}

#[tokio::test(start_paused = true)]
async fn tracks_by_the_thousand_are_refused_past_the_sessions_bounds() {
    let (mut world, mut bystander, session, _, _writer, _watched) = beside(|_| {}).await;
    let mut offers = Vec::new();
    let mut refused = 0;
    for number in 0..1_000 {
        let name = format!("track-{number}").into();
        let track = TrackName { namespace: Namespace::new(["lab"]), name };
        // At most so many requests are open in one session.
        let Ok(Ok(mut offer)) =
            timeout(Duration::from_secs(1), session.publish(track, PublishOffer::default())).await
        else {
            break;
        };
        match timeout(LONG, offer.granted()).await.expect("answered") {
            Ok(_) => offers.push(offer),
            Err(Refused::Error { code: RequestCode::ExcessiveLoad, .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(offers.len() <= 256, "{}", offers.len());
    assert!(refused > 0, "{} were taken and none refused", offers.len());
    let viewer = world.viewer().await;
    let (mut granted, mut refused) = (Vec::new(), 0);
    for number in 0..400 {
        let name = format!("track-{}", number % offers.len()).into();
        let track = TrackName { namespace: Namespace::new(["lab", "none"]), name };
        match timeout(LONG, viewer.subscribe(track, SubscribeOptions::default())).await.expect("answered") {
            Ok(subscription) => granted.push(subscription),
            Err(_) => refused += 1,
        }
    }
    assert_eq!((granted.len(), refused), (0, 400), "nobody publishes them");
    bystander.is_undisturbed().await;
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_comes_and_goes_in_a_loop_leaves_nothing_behind() {
    let (mut world, mut bystander, _session, track, writer, mut watched) = beside(|_| {}).await;
    writer.push(object(1, 0, 1000));
    assert_eq!(next(&mut watched).await, Ok((1, 0)));
    let before = (world.metric("relay_subscriptions"), world.metric("relay_tracks"));
    let viewer = world.viewer().await;
    for turn in 0..2_000 {
        let subscription =
            viewer.subscribe(track.clone(), SubscribeOptions::default()).await.expect("granted");
        drop(subscription);
        if turn % 200 == 0 {
            bystander.is_undisturbed().await;
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((world.metric("relay_subscriptions"), world.metric("relay_tracks")), before);
    writer.push(object(1, 1, 10));
    assert_eq!(next(&mut watched).await, Ok((1, 1)));
    bystander.is_undisturbed().await;
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_takes_nothing_is_ended_as_too_far_behind() {
    let (mut world, mut bystander, _session, track, writer, mut watched) = beside(|config| {
        config.queue_bytes = ByteCount(1 << 20);
    })
    .await;
    let stuck = world.viewer().await;
    let mut never_read = stuck.subscribe(track, SubscribeOptions::default()).await.expect("granted");
    // One that takes no more than a first window: its reader holds some, a stream some more.
    for id in 0..1_000 {
        writer.push(object(1, id, 60_000));
        assert_eq!(next(&mut watched).await, Ok((1, id)));
    }
    writer.push(end(1));
    for id in 0..10 {
        writer.push(object(2, id, 60_000));
        assert_eq!(next(&mut watched).await, Ok((2, id)));
    }
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bystander.is_undisturbed().await;
        assert_eq!(world.metric("relay_subscriptions_stuck_total"), 0, "it has --stuck to take something");
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.metric("relay_subscriptions_stuck_total"), 1);
    let code = loop {
        match next(&mut never_read).await {
            Ok(_) => {}
            Err(code) => break code,
        }
    };
    assert_eq!(code, Some(DoneCode::TooFarBehind));
    assert!(world.metric("relay_groups_skipped_total") > 0, "it skipped first");
    bystander.is_undisturbed().await;
}

#[tokio::test(start_paused = true)]
async fn fetches_again_and_again_are_answered_or_refused() {
    let (mut world, mut bystander, _session, track, writer, mut watched) = beside(|_| {}).await;
    for id in 0..4 {
        writer.push(object(1, id, 1000));
        assert_eq!(next(&mut watched).await, Ok((1, id)));
    }
    let greedy = world.viewer().await;
    let range = || FetchRange::Standalone {
        track: track.clone(),
        start: Location::new(1, 0),
        end: Location::new(1, 3),
    };
    // Answers that are not read hold their place, once they are larger than a stream.
    let (mut granted, mut refused) = (0, 0);
    let mut held = Vec::new();
    for turn in 0..500 {
        match timeout(LONG, greedy.fetch(range(), FetchOptions::default())).await.expect("answered") {
            Ok(fetch) => {
                granted += 1;
                if turn < 20 {
                    held.push(fetch);
                }
            }
            Err(Refused::Error { code: RequestCode::ExcessiveLoad, .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
        if turn % 100 == 0 {
            bystander.is_undisturbed().await;
        }
    }
    assert_eq!(granted + refused, 500);
    assert!(granted > 0);
    bystander.is_undisturbed().await;
}

#[tokio::test(start_paused = true)]
async fn fetches_of_the_same_range_are_one_at_the_publisher_in_either_order() {
    for order in [GroupOrder::Ascending, GroupOrder::Descending] {
        let mut world = World::new();
        let mut publisher = world.publisher().await;
        let track = world.room.on_stage("chapters");
        let first = world.viewer().await;
        let ok = SubscribeOk { largest: Some(Location::new(4, 9)), ..SubscribeOk::default() };
        let (watched, writer) = tokio::join!(
            first.subscribe(track.clone(), SubscribeOptions::default()),
            publisher.grant(&track, ok)
        );
        let mut watched = watched.expect("granted");
        writer.push(object(5, 0, 10));
        assert_eq!(next(&mut watched).await, Ok((5, 0)));
        let viewers = [world.viewer().await, world.viewer().await, world.viewer().await];
        let read = |viewer: Session| {
            let (start, end) = (Location::new(3, 0), Location::new(5, 0));
            let range = FetchRange::Standalone { track: track.clone(), start, end };
            async move {
                let options = FetchOptions { order, ..FetchOptions::default() };
                let mut fetch = viewer.fetch(range, options).await.expect("granted");
                let mut places = Vec::new();
                while let Some(item) = fetch.next().await.expect("not reset") {
                    match item {
                        FetchItem::Object(object) => {
                            places.push((object.subgroup.group.0, object.id.0));
                        }
                        other => panic!("nothing is unknown: {other:?}"),
                    }
                }
                places
            }
        };
        let serve = async {
            let Some(Request::Fetch(request)) = publisher.asked().await else { panic!("a fetch") };
            assert_eq!(request.order(), order);
            tokio::time::sleep(Duration::from_millis(200)).await;
            let mut writer =
                request.accept(Location::new(4, 9), shared::moqt::EndOfTrack::No, Properties::default());
            let mut places = [(3, 0), (3, 1), (4, 0)];
            if order == GroupOrder::Descending {
                places = [(4, 0), (3, 0), (3, 1)];
            }
            for (group, id) in places {
                let Item::Object(object) = object(group, id, 10) else { unreachable!("an object") };
                writer.send(object).await;
            }
            writer.finish();
        };
        let [one, two, three] = viewers;
        let (one, two, three, ()) = tokio::join!(read(one), read(two), read(three), serve);
        let mut expected = vec![(3, 0), (3, 1), (4, 0), (5, 0)];
        if order == GroupOrder::Descending {
            expected = vec![(5, 0), (4, 0), (3, 0), (3, 1)];
        }
        assert_eq!((&one, &two, &three), (&expected, &expected, &expected));
        assert!(publisher.asked().await.is_none(), "it is asked once");
        let counted = ["relay_fetches_upstream_total", "relay_fetches_merged_total"];
        assert_eq!(counted.map(|name| world.metric(name)), [1, 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn all_caches_together_are_bounded_and_watched_tracks_keep_their_newest_group() {
    const TOTAL: u64 = 400_000;
    let (mut world, mut bystander, session, track, writer, mut watched) =
        beside(|config| config.cache_total = ByteCount(TOTAL as usize)).await;
    let name = "unwatched".into();
    let unwatched = TrackName { namespace: track.namespace.clone(), name };
    let mut other = session.publish(unwatched, PublishOffer::default()).await.expect("on its way");
    timeout(LONG, other.granted()).await.expect("answered").expect("taken");
    for group in 0..100 {
        other.push(object(group, 0, 10_000));
        other.push(end(group));
        writer.push(object(group, 0, 10_000));
        writer.push(end(group));
        assert_eq!(next(&mut watched).await, Ok((group, 0)));
        assert!(world.metric("relay_cache_bytes") <= TOTAL);
    }
    bystander.is_undisturbed().await;
    let late = world.viewer().await;
    let mut late = late.subscribe(track, SubscribeOptions::default()).await.expect("granted");
    assert_eq!(next(&mut late).await, Ok((99, 0)), "late joiners start at once");
}
