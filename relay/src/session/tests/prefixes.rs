//! Namespaces on air: a publisher of one is asked for tracks in those below it (draft-18 §9.5).

use super::*;

fn track(namespace: &[&'static str]) -> TrackName {
    TrackName { namespace: Namespace::new(namespace.iter().copied()), name: "notes".into() }
}

/// Subscribes, and has `publisher` grant what the relay then asks it for.
async fn watched_at(viewer: &Session, publisher: &mut Publisher, track: &TrackName) -> Subscription {
    let options = SubscribeOptions::default();
    let grant = publisher.grant(track, SubscribeOk::default());
    let (subscription, writer) = tokio::join!(viewer.subscribe(track.clone(), options), grant);
    writer.push(object(0, 0, 10));
    writer.done(DoneCode::TrackEnded, "over");
    subscription.expect("granted")
}

async fn announced(world: &mut World, namespace: &[&'static str]) -> Publisher {
    let (session, requests) = world.connect().await;
    let namespace = Namespace::new(namespace.iter().copied());
    let namespace = session.publish_namespace(namespace).await.expect("on air");
    Publisher { session, requests, _namespace: namespace }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_is_asked_for_tracks_below_its_namespace() {
    let mut world = World::with(|config| config.open = true);
    let viewer = world.viewer().await;
    let mut above = announced(&mut world, &["lab"]).await;
    let deep = track(&["lab", "desk", "lamp"]);
    let mut watched = watched_at(&viewer, &mut above, &deep).await;
    assert_eq!(next(&mut watched).await, Ok((0, 0)));
    assert_eq!(next(&mut watched).await, Err(Some(DoneCode::TrackEnded)));

    // Of two the one that says more of the name is asked.
    let mut below = announced(&mut world, &["lab", "desk"]).await;
    watched_at(&viewer, &mut below, &deep).await;
    watched_at(&viewer, &mut above, &track(&["lab", "door"])).await;
    drop(below);
    tokio::time::sleep(Duration::from_secs(1)).await;
    watched_at(&viewer, &mut above, &deep).await;
}

#[tokio::test(start_paused = true)]
async fn a_field_that_only_begins_alike_is_another_namespace() {
    let mut world = World::with(|config| config.open = true);
    let viewer = world.viewer().await;
    let mut publisher = announced(&mut world, &["lab", "desk"]).await;
    for elsewhere in [track(&["lab", "desktop"]), track(&["lab"]), track(&["desk"])] {
        let answer = viewer.subscribe(elsewhere.clone(), SubscribeOptions::default()).await;
        let is_unknown = matches!(&answer, Err(Refused::Error { code: RequestCode::DoesNotExist, .. }));
        assert!(is_unknown, "{elsewhere}: {answer:?}");
    }
    assert!(publisher.asked().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_track_is_served_by_a_publisher_of_a_namespace_above_it() {
    let mut world = World::with(|config| config.open = true);
    let viewer = world.viewer().await;
    let deep = track(&["lab", "desk"]);
    let options = SubscribeOptions { rendezvous_timeout: Some(RENDEZVOUS), ..SubscribeOptions::default() };
    let (watched, _served) = tokio::join!(viewer.subscribe(deep.clone(), options), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut publisher = announced(&mut world, &["lab"]).await;
        (publisher.grant(&deep, SubscribeOk::default()).await, publisher)
    });
    assert!(watched.is_ok(), "{watched:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_published_below_an_announced_namespace_takes_over_its_viewers() {
    let mut world = World::with(|config| config.open = true);
    let (viewer, other) = (world.viewer().await, world.viewer().await);
    let mut above = announced(&mut world, &["lab"]).await;
    let deep = track(&["lab", "desk"]);
    let (watched, mut old) = watch_it(&viewer, &mut above, &deep).await;
    let mut watched = watched;
    let mut new = other.publish(deep.clone(), PublishOffer::default()).await.expect("on its way");
    timeout(LONG, new.granted()).await.expect("answered").expect("taken");
    assert_eq!(timeout(LONG, old.event()).await, Ok(None));
    new.push(object(3, 0, 10));
    assert_eq!(next(&mut watched).await, Ok((3, 0)));
}

#[tokio::test(start_paused = true)]
async fn so_many_namespaces_are_on_air_and_no_more() {
    let mut world = World::with(|config| config.open = true);
    let (mut sessions, mut announced) = (Vec::new(), Vec::new());
    let refused = loop {
        if announced.len() % MAX_NAMESPACES == 0 {
            sessions.push(world.viewer().await);
        }
        let session = sessions.last().expect("one at least");
        let namespace = Namespace::new(["lab".to_owned(), announced.len().to_string()]);
        match session.publish_namespace(namespace).await {
            Ok(namespace) => announced.push(namespace),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, Refused::Error { code: RequestCode::ExcessiveLoad, .. }), "{refused}");
    assert_eq!(world.metric("relay_broadcasts"), announced.len() as u64);
    drop(announced.pop());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let namespace = Namespace::new(["lab", "again"]);
    world.viewer().await.publish_namespace(namespace).await.expect("one place is free");
}
