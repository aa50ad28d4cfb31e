//! A relay with publishers and viewers on connections in memory, on a clock that the tests move.

use std::collections::HashMap;

use bytes::Bytes;
use shared::{
    moqt::{
        DoneCode, FetchItem, FetchRange, Filter, GroupId, Item, Location, Object, ObjectId, Priority,
        Properties, PublishOffer, PublishedNamespace, Received, Refused, ResetCode, Status, Subgroup,
        SubgroupEnd, SubgroupId, SubscribeOk, SubscribeOptions, SubscriberEvent, Subscription, TrackName,
        TrackWriter, wire::TrackProperties,
    },
    transport::memory,
};
use tokio::time::timeout;

use super::*;
mod requests;

use crate::{
    analytics::{recorder::now, store::Store},
    auth::{Keys, host_token},
    config::ByteCount,
    media::Limits,
    room,
    tasks::Tasks,
};

/// Longer than anything takes by itself.
const LONG: Duration = Duration::from_secs(60);
const LINGER: Duration = Duration::from_secs(5);
const RENDEZVOUS: Duration = Duration::from_secs(8);
const FILL: Duration = Duration::from_secs(3);

mod hostile;
mod offers;
mod prefixes;
mod publishers;
mod tracks;
mod voices;

struct World {
    relay: Arc<Relay>,
    connections: JoinSet<()>,
    room: Room,
    /// Of a host, which all present.
    token: AuthToken,
    _stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// One whose operator changed something.
    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), now()).expect("a store");
        let metrics = Arc::new(Metrics::default());
        let (recorder, _) = Recorder::start(store, Arc::clone(&metrics)).expect("a thread");
        let mut config = Config {
            rooms: vec!["demo".parse().expect("a room")],
            cache_bytes: ByteCount(1 << 20),
            linger: LINGER,
            rendezvous: RENDEZVOUS,
            fill: FILL,
            ..Config::new()
        };
        change(&mut config);
        let limits = Limits::of(&config);
        let tasks = Tasks::default();
        let registry = Registry::new(limits, Arc::clone(&metrics), recorder.clone(), tasks.clone());
        let (stop, stopping) = watch::channel(false);
        let keys = Keys::passing().expect("a key");
        let token = host_token(&keys, &config.rooms[0]);
        let auth = Auth::new(&config, keys);
        let room = Rooms::new(&registry, tasks, room::Keeper::default(), HashMap::new());
        let relay = Arc::new(Relay::new(&config, registry, room, metrics, recorder, stopping, auth));
        let room = config.rooms[0].clone();
        Self { relay, connections: JoinSet::new(), room, token, _stop: stop, _folder: folder }
    }

    async fn connect(&mut self) -> (Session, Requests) {
        let (client, server) = memory::pair();
        let relay = Arc::clone(&self.relay);
        self.connections.spawn(async move { run(server, &relay).await.expect("set up") });
        let config = moqt::Config { tokens: vec![self.token.clone()], ..moqt::Config::new(Role::Client) };
        moqt::start(client, config).await.expect("set up")
    }

    async fn viewer(&mut self) -> Session {
        self.connect().await.0
    }

    /// A publisher that is on air, whose catalog the relay has taken.
    async fn publisher(&mut self) -> Publisher {
        let (session, requests) = self.connect().await;
        let namespace = session.publish_namespace(self.room.stage()).await.expect("on air");
        let mut publisher = Publisher { session, requests, _namespace: namespace };
        let catalog = publisher.grant(&self.room.catalog(), SubscribeOk::default()).await;
        // The track lives with the session.
        std::mem::forget(catalog);
        publisher
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.relay.metrics().to_text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).expect("a counter")
    }
}

struct Publisher {
    session: Session,
    requests: Requests,
    _namespace: PublishedNamespace,
}

impl Publisher {
    async fn asked(&mut self) -> Option<Request> {
        timeout(LONG, self.requests.next()).await.ok().flatten()
    }

    async fn grant(&mut self, track: &TrackName, ok: SubscribeOk) -> TrackWriter {
        match self.asked().await {
            Some(Request::Subscribe(request)) if request.track() == track => request.accept(ok),
            other => panic!("not a subscription to {track}: {other:?}"),
        }
    }
}

fn object(group: u64, id: u64, bytes: usize) -> Item {
    let subgroup = Subgroup {
        group: GroupId(group),
        id: SubgroupId(0),
        priority: Priority(64),
        ends_group: false,
        from_first: true,
    };
    let payload = Bytes::from(vec![7; bytes]);
    let properties = Properties::default();
    Item::Object(Object { subgroup, id: ObjectId(id), status: Status::Normal, properties, payload })
}

fn end(group: u64) -> Item {
    Item::End { group: GroupId(group), subgroup: SubgroupId(0), end: SubgroupEnd::Finished }
}

fn location(item: &Item) -> Option<(u64, u64)> {
    match item {
        Item::Object(object) | Item::Datagram(object) => Some((object.subgroup.group.0, object.id.0)),
        Item::End { .. } => None,
    }
}

/// The next object's place, or how the subscription ended.
async fn next(subscription: &mut Subscription) -> Result<(u64, u64), Option<DoneCode>> {
    loop {
        match timeout(LONG, subscription.recv()).await.expect("something comes") {
            Some(Received::Item(item)) => {
                if let Some(location) = location(&item) {
                    return Ok(location);
                }
            }
            Some(Received::Done { code, .. }) => return Err(Some(code)),
            None => return Err(None),
        }
    }
}

async fn watch_it(
    viewer: &Session,
    publisher: &mut Publisher,
    track: &TrackName,
) -> (Subscription, TrackWriter) {
    let properties = TrackProperties { dynamic_groups: true, ..TrackProperties::default() }.encode();
    let ok = SubscribeOk { properties, ..SubscribeOk::default() };
    let options = SubscribeOptions::default();
    let (subscription, writer) =
        tokio::join!(viewer.subscribe(track.clone(), options), publisher.grant(track, ok));
    (subscription.expect("granted"), writer)
}

#[test]
fn a_broadcast_that_was_replaced_is_withdrawn_first() {
    let [a, b, c] = ["a", "b", "c"].map(|name| Namespace::new(["room", name]));
    let told = BTreeMap::from([(a.clone(), BroadcastId(1)), (b.clone(), BroadcastId(2))]);
    let now = BTreeMap::from([(b.clone(), BroadcastId(3)), (c.clone(), BroadcastId(4))]);
    use NamespaceEvent::{Published, Withdrawn};
    assert_eq!(difference(&told, &now), [Withdrawn(a), Withdrawn(b.clone()), Published(b), Published(c)]);
    assert_eq!(difference(&now, &now), []);
}

#[tokio::test(start_paused = true)]
async fn a_track_is_taken_once_and_late_viewers_start_with_the_newest_group() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let track = world.room.on_stage("video-720p");
    let first = world.viewer().await;
    let (mut early, writer) = watch_it(&first, &mut publisher, &track).await;
    for item in [object(1, 0, 10), object(1, 1, 10), end(1), object(2, 0, 10), object(2, 1, 10)] {
        assert!(writer.push(item));
    }
    for expected in [(1, 0), (1, 1), (2, 0), (2, 1)] {
        assert_eq!(next(&mut early).await, Ok(expected));
    }
    let second = world.viewer().await;
    let mut late = second.subscribe(track, SubscribeOptions::default()).await.expect("granted");
    assert_eq!(late.ok().largest, Some(Location::new(2, 1)));
    writer.push(object(2, 2, 10));
    for expected in [(2, 0), (2, 1), (2, 2)] {
        assert_eq!(next(&mut late).await, Ok(expected));
    }
    assert_eq!(next(&mut early).await, Ok((2, 2)));
    assert!(publisher.asked().await.is_none(), "nothing more is asked of the publisher");
    assert_eq!((world.metric("relay_subscriptions"), world.metric("relay_tracks")), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_track_is_given_back_some_time_after_its_last_viewer_left() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let track = world.room.on_stage("video-720p");
    let viewer = world.viewer().await;
    let (subscription, mut writer) = watch_it(&viewer, &mut publisher, &track).await;
    writer.push(object(1, 0, 10));
    drop(subscription);
    assert!(timeout(LINGER / 2, writer.event()).await.is_err(), "the next viewer starts at once");
    assert_eq!(timeout(LINGER, writer.event()).await, Ok(None));
    assert_eq!((world.metric("relay_tracks"), world.metric("relay_cache_bytes")), (1, 0));
    let (_again, _writer) = watch_it(&viewer, &mut publisher, &track).await;
}

#[tokio::test(start_paused = true)]
async fn wishes_for_a_new_group_are_merged() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let track = world.room.on_stage("video-720p");
    let viewer = world.viewer().await;
    let (mut one, mut writer) = watch_it(&viewer, &mut publisher, &track).await;
    let other = world.viewer().await;
    let two = other.subscribe(track, SubscribeOptions::default()).await.expect("granted");
    writer.push(object(3, 0, 10));
    assert_eq!(next(&mut one).await, Ok((3, 0)));
    one.request_new_group(GroupId(3));
    assert_eq!(timeout(LONG, writer.event()).await, Ok(Some(SubscriberEvent::NewGroup(GroupId(3)))));
    for _ in 0..3 {
        one.request_new_group(GroupId(3));
        two.request_new_group(GroupId(u64::MAX));
    }
    let half = Duration::from_millis(500);
    assert!(timeout(half, writer.event()).await.is_err(), "once a second");
    assert_eq!(timeout(LONG, writer.event()).await, Ok(Some(SubscriberEvent::NewGroup(GroupId(3)))));
    one.request_new_group(GroupId(3));
    writer.push(object(4, 0, 10));
    assert!(timeout(LONG, writer.event()).await.is_err(), "it came meanwhile");
    assert_eq!(world.metric("relay_new_group_requests_total"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_joining_fetch_gets_what_the_publisher_is_still_sending() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let track = world.room.on_stage("chapters");
    let viewer = world.viewer().await;
    let options = SubscribeOptions { filter: Filter::LargestObject, ..SubscribeOptions::default() };
    let ok = SubscribeOk { largest: Some(Location::new(9, 1)), ..SubscribeOk::default() };
    let (joined, writer) =
        tokio::join!(viewer.join(track.clone(), options, FetchRange::Relative { groups: 0 }), async {
            let writer = publisher.grant(&track, ok).await;
            // The first objects are on their way while the viewer is already answered.
            tokio::time::sleep(Duration::from_millis(50)).await;
            writer.push(object(9, 0, 10));
            writer.push(object(9, 1, 10));
            writer.push(object(9, 2, 10));
            writer
        });
    let (mut subscription, fetch) = joined.expect("granted");
    let mut fetch = fetch.expect("granted");
    for id in 0..2 {
        match fetch.next().await {
            Ok(Some(FetchItem::Object(object))) => assert_eq!(object.location(), Location::new(9, id)),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(fetch.next().await, Ok(None)));
    assert_eq!(next(&mut subscription).await, Ok((9, 2)));
    drop(writer);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_does_not_wait_for_ever_for_a_publisher_that_sends_nothing() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let track = world.room.on_stage("chapters");
    let viewer = world.viewer().await;
    let options = SubscribeOptions { filter: Filter::LargestObject, ..SubscribeOptions::default() };
    let ok = SubscribeOk { largest: Some(Location::new(9, 1)), ..SubscribeOk::default() };
    let join = viewer.join(track.clone(), options, FetchRange::Relative { groups: 0 });
    let (joined, _writer) = tokio::join!(timeout(LONG, join), publisher.grant(&track, ok));
    let (_subscription, fetch) = joined.expect("in time").expect("granted");
    let mut fetch = fetch.expect("granted");
    let unknown = FetchItem::Gap { end: Location::new(9, 1), nonexistent: false };
    assert_eq!(fetch.next().await, Ok(Some(unknown)));
    assert_eq!(fetch.next().await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_malformed_track_ends_for_viewers_and_fetches_with_that_code() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let track = world.room.on_stage("video-720p");
    let viewer = world.viewer().await;
    let ok = SubscribeOk { largest: Some(Location::new(5, 0)), ..SubscribeOk::default() };
    let watch = viewer.subscribe(track.clone(), SubscribeOptions::default());
    let (subscription, writer) = tokio::join!(watch, publisher.grant(&track, ok));
    let mut subscription = subscription.expect("granted");
    // It waits for group 5, which the publisher told of.
    let (start, end) = (Location::new(5, 0), Location::new(5, 0));
    let range = FetchRange::Standalone { track: track.clone(), start, end };
    let waiting = viewer.fetch(range, Priority(1));
    let malform = async {
        let Item::Object(first) = object(4, 1, 10) else { unreachable!("an object") };
        let end = Object { status: Status::EndOfGroup, payload: Bytes::new(), ..first };
        writer.push(Item::Object(end));
        assert_eq!(next(&mut subscription).await, Ok((4, 1)));
        let Item::Object(mut after) = object(4, 7, 10) else { unreachable!("an object") };
        after.subgroup.id = SubgroupId(1);
        writer.push(Item::Object(after));
        let given_up = timeout(LONG, subscription.recv()).await.expect("a reset");
        let reset = SubgroupEnd::Reset(ResetCode::MalformedTrack);
        let end = Item::End { group: GroupId(4), subgroup: SubgroupId(0), end: reset };
        assert_eq!(given_up, Some(Received::Item(end)));
        timeout(LONG, subscription.recv()).await.expect("an end")
    };
    let (fetched, done) = tokio::join!(waiting, malform);
    assert!(matches!(done, Some(Received::Done { code: DoneCode::MalformedTrack, .. })), "{done:?}");
    match fetched {
        Err(Refused::Error { code, .. }) => assert_eq!(code, RequestCode::MalformedTrack),
        other => panic!("{other:?}"),
    }
    // The publisher's session lives on, and the track can be asked for again.
    let again = viewer.subscribe(track.clone(), SubscribeOptions::default());
    let (subscription, writer) = tokio::join!(again, publisher.grant(&track, SubscribeOk::default()));
    writer.push(object(6, 0, 10));
    assert_eq!(next(&mut subscription.expect("granted")).await, Ok((6, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_late_joiner_is_not_served_what_its_publisher_lets_expire() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let track = world.room.on_stage("video-720p");
    let viewer = world.viewer().await;
    let properties =
        TrackProperties { max_cache: Some(Duration::from_secs(2)), ..TrackProperties::default() };
    let ok = SubscribeOk { properties: properties.encode(), ..SubscribeOk::default() };
    let watch = viewer.subscribe(track.clone(), SubscribeOptions::default());
    let (early, writer) = tokio::join!(watch, publisher.grant(&track, ok));
    let mut early = early.expect("granted");
    writer.push(object(1, 0, 10));
    assert_eq!(next(&mut early).await, Ok((1, 0)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let late = world.viewer().await;
    let mut late = late.subscribe(track, SubscribeOptions::default()).await.expect("granted");
    writer.push(object(2, 0, 10));
    assert_eq!(next(&mut late).await, Ok((2, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_does_not_read_loses_groups_and_slows_nobody() {
    let mut world = World::new();
    let mut publisher = world.publisher().await;
    let track = world.room.on_stage("video-720p");
    let viewer = world.viewer().await;
    let (mut fast, writer) = watch_it(&viewer, &mut publisher, &track).await;
    let other = world.viewer().await;
    let mut slow = other.subscribe(track, SubscribeOptions::default()).await.expect("granted");
    // A group is more than a stream in memory holds.
    const GROUPS: u64 = 100;
    for group in 1..=GROUPS {
        for id in 0..10 {
            writer.push(object(group, id, 60_000));
            assert_eq!(next(&mut fast).await, Ok((group, id)));
        }
        writer.push(end(group));
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&(GROUPS, 9)) {
        seen.push(next(&mut slow).await.expect("an object"));
    }
    let newest: Vec<_> = seen.iter().filter(|(group, _)| *group == GROUPS).map(|(_, id)| *id).collect();
    assert_eq!(newest, (0..10).collect::<Vec<_>>(), "it is at the newest group again, from its start");
    assert!(seen.len() < 1_000, "{} objects", seen.len());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let skipped = world.metric("relay_groups_skipped_total");
    assert!(skipped > 0 && skipped < GROUPS, "{skipped}");
    let sent = world.metric("relay_objects_sent_total") + world.metric("relay_objects_skipped_total");
    assert_eq!(sent, 2_000, "each object was sent to each viewer or is counted as skipped");
    assert!(world.metric("relay_cache_bytes") <= 1 << 20);
}

#[tokio::test(start_paused = true)]
async fn only_the_operators_rooms_go_on_air() {
    let mut world = World::new();
    let session = world.viewer().await;
    let other: Room = "other".parse().expect("a room");
    for (namespace, word) in [(other.stage(), "--rooms"), (Namespace::new(["chat"]), "--open")] {
        match session.publish_namespace(namespace).await {
            Err(Refused::Error { code: RequestCode::Unauthorized, reason, .. }) => {
                assert!(reason.contains(word), "{reason}");
            }
            answer => panic!("{answer:?}"),
        }
    }
    assert_eq!(world.metric("relay_requests_refused_total"), 2);
    assert_eq!(world.metric("relay_broadcasts"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tracks_status_is_told_from_what_is_known_or_asked_of_its_publisher() {
    let mut world = World::new();
    let viewer = world.viewer().await;
    let track = world.room.on_stage("video-720p");
    let code = |answer: Result<SubscribeOk, Refused>| match answer {
        Err(Refused::Error { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(viewer.track_status(track.clone()).await), RequestCode::DoesNotExist);
    let mut publisher = world.publisher().await;

    // Not taken yet: the publisher says.
    let ok = SubscribeOk { largest: Some(Location::new(7, 7)), ..SubscribeOk::default() };
    let (status, ()) = tokio::join!(viewer.track_status(track.clone()), async {
        match publisher.asked().await {
            Some(Request::TrackStatus(request)) if request.track() == &track => request.answer(ok.clone()),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(status, Ok(ok));
    let (refused, ()) = tokio::join!(viewer.track_status(world.room.on_stage("none")), async {
        match publisher.asked().await {
            Some(Request::TrackStatus(request)) => request.reject(RequestCode::DoesNotExist, "no such track"),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(code(refused), RequestCode::DoesNotExist);
    assert_eq!(world.metric("relay_tracks"), 1, "no track is taken for a question");

    // Taken: the relay says, and the publisher is not asked.
    let (mut watched, writer) = watch_it(&viewer, &mut publisher, &track).await;
    writer.push(object(9, 3, 10));
    assert_eq!(next(&mut watched).await, Ok((9, 3)));
    let status = viewer.track_status(track.clone()).await.expect("known");
    assert_eq!((status.largest, &status.properties), (Some(Location::new(9, 3)), &watched.ok().properties));

    // A publisher that does not answer.
    let asked = viewer.track_status(world.room.on_stage("slow"));
    let (answer, request) = tokio::join!(timeout(LONG, asked), publisher.asked());
    assert_eq!(code(answer.expect("in time")), RequestCode::Timeout);
    drop(request);
}
