//! What of a request the relay answers by itself: waiting, moving, renewing, refusing.

use shared::moqt::{EndOfTrack, FetchOptions, FetchRequest, GroupOrder, Redirect};
use tokio::time::Instant;

use super::*;

fn patient(time: Duration) -> SubscribeOptions {
    SubscribeOptions { rendezvous_timeout: Some(time), ..SubscribeOptions::default() }
}

fn code(answer: Result<Subscription, Refused>) -> RequestCode {
    match answer {
        Err(Refused::Error { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_waits_for_a_publisher_as_long_as_it_asks_for() {
    let mut world = World::new();
    let viewer = world.viewer().await;
    let track = world.room.on_stage("video-720p");
    let began = Instant::now();
    let subscribe = |time| viewer.subscribe(track.clone(), patient(time));
    assert_eq!(code(subscribe(Duration::ZERO).await), RequestCode::DoesNotExist);
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(code(subscribe(Duration::from_secs(2)).await), RequestCode::Timeout);
    assert_eq!(began.elapsed().as_secs(), 2);
    assert_eq!(code(subscribe(LONG).await), RequestCode::Timeout);
    assert_eq!(began.elapsed().as_secs(), 2 + RENDEZVOUS.as_secs(), "the relay's bound");
    let (subscription, _writer) = tokio::join!(subscribe(LONG), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut publisher = world.publisher().await;
        (publisher.grant(&track, SubscribeOk::default()).await, publisher)
    });
    assert!(subscription.is_ok(), "{subscription:?}");
}

#[tokio::test(start_paused = true)]
async fn who_no_longer_waits_is_forgotten() {
    let mut world = World::new();
    let viewer = world.viewer().await;
    let track = world.room.on_stage("video-720p");
    let waiting = timeout(Duration::from_secs(1), viewer.subscribe(track.clone(), patient(LONG)));
    assert!(waiting.await.is_err());
    tokio::time::sleep(Duration::from_millis(10)).await;
    let mut publisher = world.publisher().await;
    assert!(publisher.asked().await.is_none(), "nobody wants the track");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_subscription_can_move_to_another_room_only_where_it_may() {
    let mut world = World::new();
    let _publisher = world.publisher().await;
    let viewer = world.viewer().await;
    let mut told = viewer.subscribe_namespace(Namespace::new(["elsewhere"])).await.expect("granted");
    told.set_prefix(Namespace::new(["room", "demo"])).await.expect("granted");
    assert_eq!(told.next().await, Some(NamespaceEvent::Published(world.room.stage())));
    let other: Room = "other".parse().expect("a room");
    match told.set_prefix(other.stage()).await {
        Err(Refused::Error { code: RequestCode::Unauthorized, .. }) => {}
        answer => panic!("{answer:?}"),
    }
    assert_eq!(told.next().await, Some(NamespaceEvent::Withdrawn(world.room.stage())));
    assert_eq!(told.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_prefix_of_more_than_is_told_is_refused_and_a_longer_one_is_not() {
    let mut world = World::with(|config| {
        config.open = true;
        config.max_enumerated = 3;
    });
    let publisher = world.viewer().await;
    let mut published = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let namespace = Namespace::new(["many", name]);
        published.push(publisher.publish_namespace(namespace).await.expect("on air"));
    }
    let viewer = world.viewer().await;
    let too_large = |answer: Refused| match answer {
        Refused::Error { code: RequestCode::NamespaceTooLarge, reason, .. } => {
            assert!(reason.contains("longer"), "{reason}");
        }
        other => panic!("{other}"),
    };
    let many = || Namespace::new(["many"]);
    too_large(viewer.subscribe_namespace(many()).await.expect_err("four are below"));
    let told = viewer.subscribe_namespace(Namespace::new(["many", "a"])).await.expect("one is below");
    too_large(told.set_prefix(many()).await.expect_err("four are below"));
    published.pop();
    tokio::time::sleep(Duration::from_millis(10)).await;
    viewer.subscribe_namespace(many()).await.expect("three are below");
}

#[tokio::test(start_paused = true)]
async fn a_publishers_redirect_and_its_times_are_passed_on() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let viewer = world.viewer().await;
    let track = world.room.on_stage("video-720p");
    let to = Redirect { track: world.room.on_stage("video-360p"), ..Redirect::to("") };
    let options = SubscribeOptions::default();
    let (answer, ()) = tokio::join!(viewer.subscribe(track.clone(), options), async {
        match publisher.asked().await {
            Some(Request::Subscribe(request)) => request.redirect(to.clone(), "smaller", None),
            other => panic!("{other:?}"),
        }
    });
    let moved = Refused::Redirected { to, reason: "smaller".into(), retry_after: None };
    assert_eq!(answer.expect_err("redirected"), moved);
    let later = Duration::from_millis(700);
    let (answer, ()) = tokio::join!(viewer.subscribe(track, options), async {
        match publisher.asked().await {
            Some(Request::Subscribe(request)) => {
                request.reject_until(RequestCode::Unauthorized, "not yet", later);
            }
            other => panic!("{other:?}"),
        }
    });
    let (code, reason, retry_after) = (RequestCode::Unauthorized, "not yet".to_owned(), Some(later));
    assert_eq!(answer.expect_err("refused"), Refused::Error { code, reason, retry_after });
}

#[tokio::test(start_paused = true)]
async fn a_subscription_upstream_is_renewed_and_viewers_do_not_notice() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let viewer = world.viewer().await;
    let track = world.room.on_stage("video-720p");
    let ok = SubscribeOk { expires: Some(Duration::from_secs(20)), ..SubscribeOk::default() };
    let (subscription, writer) = tokio::join!(
        viewer.subscribe(track.clone(), SubscribeOptions::default()),
        publisher.grant(&track, ok)
    );
    let mut subscription = subscription.expect("granted");
    assert_eq!(subscription.ok().expires, None);
    tokio::time::sleep(LONG * 3).await;
    assert!(writer.push(object(1, 0, 10)), "it is not over");
    assert_eq!(next(&mut subscription).await, Ok((1, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_whose_time_is_over_ends_with_that_code() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let viewer = world.viewer().await;
    let track = world.room.on_stage("video-720p");
    // Too little for the relay to ask for more.
    let ok = SubscribeOk { expires: Some(Duration::from_millis(500)), ..SubscribeOk::default() };
    let (subscription, writer) = tokio::join!(
        viewer.subscribe(track.clone(), SubscribeOptions::default()),
        publisher.grant(&track, ok)
    );
    let began = Instant::now();
    assert_eq!(next(&mut subscription.expect("granted")).await, Err(Some(DoneCode::Expired)));
    assert_eq!(began.elapsed().as_millis() / 100, 5);
    assert!(writer.is_closed());
}

#[tokio::test(start_paused = true)]
async fn the_sessions_own_namespaces_are_not_the_relays() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let viewer = world.viewer().await;
    let track = TrackName { namespace: Namespace::new([".session"]), name: "x".into() };
    let answer = viewer.subscribe(track, patient(LONG)).await;
    assert_eq!(code(answer), RequestCode::DoesNotExist);
    assert!(publisher.asked().await.is_none(), "nothing is forwarded");
}

fn place(item: Option<FetchItem>) -> Option<(u64, u64)> {
    match item? {
        FetchItem::Object(object) | FetchItem::Datagram(object) => {
            Some((object.subgroup.group.0, object.id.0))
        }
        FetchItem::Gap { end, nonexistent } => {
            assert!(!nonexistent);
            Some((end.group.0, end.object.0))
        }
    }
}

/// A track of which the relay has group 5 and the publisher more, and the answer to a fetch from group 3 on,
/// with what the publisher does with what is asked of it.
async fn fetched(options: FetchOptions, answer: impl FnOnce(FetchRequest)) -> (Vec<(u64, u64)>, Duration) {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let viewer = world.viewer().await;
    let track = world.room.on_stage("chapters");
    let ok = SubscribeOk { largest: Some(Location::new(4, 9)), ..SubscribeOk::default() };
    let (subscription, writer) = tokio::join!(
        viewer.subscribe(track.clone(), SubscribeOptions::default()),
        publisher.grant(&track, ok)
    );
    let mut subscription = subscription.expect("granted");
    writer.push(object(5, 0, 10));
    writer.push(object(5, 1, 10));
    assert_eq!((next(&mut subscription).await, next(&mut subscription).await), (Ok((5, 0)), Ok((5, 1))));
    let (start, end) = (Location::new(3, 0), Location::new(5, 1));
    let began = Instant::now();
    let range = FetchRange::Standalone { track, start, end };
    let read = async {
        let mut fetch = viewer.fetch(range, options).await.expect("granted");
        let mut places = Vec::new();
        while let Some(place) = place(fetch.next().await.expect("not reset")) {
            places.push(place);
        }
        (places, began.elapsed())
    };
    let serve = async {
        match publisher.asked().await {
            Some(Request::Fetch(request)) => {
                // In descending order what follows the newest object that is here is asked for as well.
                let (first, last) = request.range();
                assert!(first == start && last.group.0 >= 4, "{first} to {last}");
                answer(request);
            }
            None => {}
            other => panic!("{other:?}"),
        }
    };
    tokio::join!(read, serve).0
}

const UNKNOWN: (u64, u64) = (4, u64::MAX);

#[tokio::test(start_paused = true)]
async fn what_the_cache_lacks_is_fetched_from_the_publisher() {
    let (places, _) = fetched(FetchOptions::default(), |request| {
        let time = request.fill_timeout().expect("the relay says how long it waits");
        assert!(time <= FILL && time > FILL / 2, "{time:?}");
        let mut writer = request.accept(Location::new(4, 9), EndOfTrack::No, Properties::default());
        tokio::spawn(async move {
            for (group, id) in [(3, 0), (3, 1), (4, 0)] {
                let Item::Object(object) = object(group, id, 10) else { return };
                writer.send(object).await;
            }
            writer.finish();
        });
    })
    .await;
    assert_eq!(places, [(3, 0), (3, 1), (4, 0), (5, 0), (5, 1)]);
}

#[tokio::test(start_paused = true)]
async fn what_the_publisher_does_not_give_is_not_known() {
    let (places, _) = fetched(FetchOptions::default(), |request| {
        request.reject(RequestCode::InvalidRange, "only the newest group is kept");
    })
    .await;
    assert_eq!(places, [UNKNOWN, (5, 0), (5, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_is_slow_is_waited_for_as_long_as_the_viewer_and_the_relay_want() {
    for (asked, waited) in
        [(None, FILL), (Some(Duration::from_secs(1)), Duration::from_secs(1)), (Some(LONG), FILL)]
    {
        let options = FetchOptions { fill_timeout: asked, ..FetchOptions::default() };
        let (places, took) = fetched(options, |request| {
            let mut writer = request.accept(Location::new(4, 9), EndOfTrack::No, Properties::default());
            tokio::spawn(async move {
                let Item::Object(object) = object(3, 0, 10) else { return };
                writer.send(object).await;
                tokio::time::sleep(LONG).await;
                drop(writer);
            });
        })
        .await;
        assert_eq!(places, [(3, 0), UNKNOWN, (5, 0), (5, 1)]);
        assert_eq!(took.as_millis() / 100, waited.as_millis() / 100, "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_want_to_wait_gets_what_is_there() {
    let options = FetchOptions { fill_timeout: Some(Duration::ZERO), ..FetchOptions::default() };
    let (places, took) =
        fetched(options, |request| panic!("nothing is asked of the publisher: {request:?}")).await;
    assert_eq!((places, took), (vec![UNKNOWN, (5, 0), (5, 1)], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_for_late_joiners_goes_on_ageing() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let track = world.room.on_stage("video-720p");
    let first = world.viewer().await;
    let (mut early, writer) = watch_it(&first, &mut publisher, &track).await;
    writer.push(object(1, 0, 10));
    assert_eq!(next(&mut early).await, Ok((1, 0)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (second, third) = (world.viewer().await, world.viewer().await);
    let within = |seconds| SubscribeOptions {
        object_timeout: Some(Duration::from_secs(seconds)),
        ..SubscribeOptions::default()
    };
    let mut patient = second.subscribe(track.clone(), within(3)).await.expect("granted");
    let mut hasty = third.subscribe(track, within(1)).await.expect("granted");
    assert_eq!(next(&mut patient).await, Ok((1, 0)));
    writer.push(object(2, 0, 10));
    assert_eq!(next(&mut hasty).await, Ok((2, 0)), "the object before came more than a second ago");
}

#[tokio::test(start_paused = true)]
async fn the_newest_group_comes_first_where_that_is_asked_for() {
    let options = FetchOptions { order: GroupOrder::Descending, ..FetchOptions::default() };
    let (places, _) = fetched(options, |request| {
        assert_eq!(request.order(), GroupOrder::Descending);
        let mut writer = request.accept(Location::new(4, 9), EndOfTrack::No, Properties::default());
        tokio::spawn(async move {
            for (group, id) in [(4, 0), (3, 0), (3, 1)] {
                let Item::Object(object) = object(group, id, 10) else { return };
                writer.send(object).await;
            }
            writer.finish();
        });
    })
    .await;
    assert_eq!(places, [(5, 0), (5, 1), (4, 0), (3, 0), (3, 1)]);
    let (places, _) = fetched(options, |request| {
        request.reject(RequestCode::InvalidRange, "only the newest group is kept");
    })
    .await;
    assert_eq!(places, [(5, 0), (5, 1), (3, u64::MAX)], "what is nowhere is said to be unknown");
}
