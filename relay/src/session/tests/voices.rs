//! Viewers that speak, and what the room answers and tells.

use shared::{
    naming::Feed,
    room::{
        Refusal, Reply, Say, SayId, Saying, ViewerId,
        chat::{Draft, Line},
        danmaku::{self, Bullet},
        reactions::{Reaction, Tally, Taps},
        state::Snapshot,
    },
};

use super::*;

/// A viewer with a voice.
struct Speaking {
    session: Session,
    say: TrackWriter,
    replies: Subscription,
    next: u64,
}

impl Speaking {
    /// One whose track is published as it is by native programs.
    async fn join(world: &mut World, name: &str) -> Self {
        let session = world.stranger().await.0;
        Self::join_in(world, session, name).await
    }

    async fn join_in(world: &World, session: Session, name: &str) -> Self {
        let viewer: ViewerId = name.parse().expect("a viewer");
        let replies = session.subscribe(world.room.replies(&viewer), SubscribeOptions::default());
        let replies = replies.await.expect("answers");
        let mut say =
            session.publish(world.room.say(&viewer), PublishOffer::default()).await.expect("a track");
        say.granted().await.expect("taken");
        Self { session, say, replies, next: 0 }
    }

    fn says(&mut self, id: u64, say: Say) {
        let payload = serde_json::to_vec(&Saying { id: SayId(id), say }).expect("JSON");
        self.utters(payload.into());
    }

    fn utters(&mut self, payload: Bytes) {
        let subgroup = Subgroup {
            group: GroupId(0),
            id: SubgroupId(0),
            priority: Priority(16),
            ends_group: false,
            from_first: false,
        };
        let object = Object {
            subgroup,
            id: ObjectId(self.next),
            status: Status::Normal,
            properties: Properties::default(),
            payload,
        };
        self.next += 1;
        assert!(self.say.push(Item::Datagram(object)));
    }

    async fn reply(&mut self) -> Reply {
        heard(&mut self.replies).await
    }
}

/// The next object of a track.
async fn heard<T: serde::de::DeserializeOwned>(track: &mut Subscription) -> T {
    loop {
        match timeout(LONG, track.recv()).await.expect("in time") {
            Some(Received::Item(Item::Object(object) | Item::Datagram(object))) => {
                return serde_json::from_slice(&object.payload).expect("what the room says");
            }
            Some(Received::Item(Item::End { .. })) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn open_world() -> World {
    World::with(|config| config.open = true)
}

fn chat(text: &str) -> Say {
    Say::Chat(Draft { text: text.to_owned(), reply_to: None, media: None })
}

#[tokio::test(start_paused = true)]
async fn what_a_viewer_says_is_answered_and_heard_by_all_also_by_who_comes_later() {
    let mut world = open_world();
    let mut ann = Speaking::join(&mut world, "ann").await;
    let Reply::You(you) = ann.reply().await else { panic!("who one is comes first") };
    assert_eq!((you.viewer.to_string(), you.name), ("ann".to_owned(), "ann".to_owned()));
    let other = world.stranger().await.0;
    let options = SubscribeOptions::default;
    let mut lines = other.subscribe(world.room.on_feed(Feed::Chat), options()).await.expect("a feed");
    for (id, text) in ["one", "two", "three"].into_iter().enumerate() {
        ann.says(id as u64, chat(text));
        ann.says(id as u64, chat(text));
        let answers = (ann.reply().await, ann.reply().await);
        assert!(matches!(&answers.0, Reply::Accepted { message: Some(_), .. }), "{answers:?}");
        assert_eq!(answers.0, answers.1, "said twice, answered the same");
        let Line::Message(message) = heard(&mut lines).await else { panic!("a message") };
        assert_eq!(message.text, text);
    }
    let (ok, mut late) = {
        let late = world.stranger().await.0;
        let subscription = late.subscribe(world.room.on_feed(Feed::Chat), options()).await.expect("a feed");
        (subscription.ok().clone(), subscription)
    };
    assert_eq!(ok.largest.map(|largest| largest.object), Some(ObjectId(2)));
    let mut texts = Vec::new();
    for _ in 0..3 {
        let Line::Message(message) = heard(&mut late).await else { panic!("a message") };
        texts.push(message.text);
    }
    assert_eq!(texts, ["one", "two", "three"]);
}

#[tokio::test(start_paused = true)]
async fn danmaku_and_likes_come_in_datagrams_and_the_state_to_whoever_comes() {
    let mut world = open_world();
    let mut ann = Speaking::join(&mut world, "ann").await;
    let other = world.stranger().await.0;
    let options = SubscribeOptions::default;
    let mut bullets = other.subscribe(world.room.on_feed(Feed::Danmaku), options()).await.expect("a feed");
    let mut tallies = other.subscribe(world.room.on_feed(Feed::Reactions), options()).await.expect("a feed");
    let draft = danmaku::Draft {
        text: "!!!".to_owned(),
        color: danmaku::Color(0xff),
        mode: danmaku::Mode::Top,
        media: None,
    };
    ann.says(1, Say::Danmaku(draft));
    let bullet: Bullet = heard(&mut bullets).await;
    assert_eq!((bullet.text.as_str(), bullet.mode), ("!!!", danmaku::Mode::Top));
    ann.says(2, Say::React(Taps { reaction: Reaction::Like, count: 3 }));
    let tally: Tally = heard(&mut tallies).await;
    assert_eq!(tally.totals.get(&Reaction::Like), Some(&3));
    let late = world.stranger().await.0;
    let mut state = late.subscribe(world.room.on_feed(Feed::State), options()).await.expect("a feed");
    let snapshot: Snapshot = heard(&mut state).await;
    assert!(snapshot.mode.features.chat);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_only_announces_its_namespace_is_asked_for_what_it_says() {
    let mut world = open_world();
    let (session, mut requests) = world.stranger().await;
    let viewer: ViewerId = "page".parse().expect("a viewer");
    let replies = session.subscribe(world.room.replies(&viewer), SubscribeOptions::default());
    let mut replies = replies.await.expect("answers");
    let _namespace = session.publish_namespace(world.room.viewer(&viewer)).await.expect("taken");
    let Some(Request::Subscribe(request)) = requests.next().await else { panic!("a subscription") };
    assert_eq!(*request.track(), world.room.say(&viewer));
    let say = request.accept(SubscribeOk::default());
    let Reply::You(_) = heard(&mut replies).await else { panic!("who one is comes first") };
    let mut ann = Speaking { session, say, replies, next: 0 };
    ann.says(5, chat("hello"));
    let Reply::Accepted { id: SayId(5), message: Some(_) } = ann.reply().await else { panic!("accepted") };
    assert!(ann.session.stats().sent_bytes > 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_answered_with_why() {
    let mut world = open_world();
    let mut ann = Speaking::join(&mut world, "ann").await;
    ann.reply().await;
    for (bytes, id) in [
        (&b"\xff\xfe"[..], None),
        (b"", None),
        (b"{}", None),
        (b"{\"id\":7,\"say\":{\"kind\":\"none\"}}", Some(SayId(7))),
        (b"{\"id\":8,\"say\":{\"kind\":\"chat\"}}", Some(SayId(8))),
        (b"{\"id\":9007199254740993,\"say\":{\"kind\":\"chat\",\"text\":\"x\"}}", None),
    ] {
        ann.utters(Bytes::from_static(bytes));
        let reply = ann.reply().await;
        let Reply::Refused { id: told, why: Refusal::Malformed { .. } } = &reply else { panic!("{reply:?}") };
        assert_eq!(*told, id, "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_speaks_for_another_hears_what_others_say_or_sees_the_desk() {
    let mut world = open_world();
    let mut ann = Speaking::join(&mut world, "ann").await;
    ann.reply().await;
    let bob: ViewerId = "bob".parse().expect("a viewer");
    let offer = PublishOffer::default;
    // A session is one viewer in a room.
    let mut foreign = ann.session.publish(world.room.say(&bob), offer()).await.expect("asked");
    assert!(matches!(foreign.granted().await, Err(Refused::Error { code: RequestCode::Unauthorized, .. })));
    for track in
        [world.room.replies(&bob), world.room.say(&bob), world.room.say(&"ann".parse().expect("a viewer"))]
    {
        let refused = ann.session.subscribe(track.clone(), SubscribeOptions::default()).await;
        let is_refused = matches!(refused, Err(Refused::Error { code: RequestCode::Unauthorized, .. }));
        assert!(is_refused, "{track}");
    }
    let mut cmcd = world.room.say(&bob);
    cmcd.name = Bytes::from_static(b"other");
    let mut foreign = ann.session.publish(cmcd, offer()).await.expect("asked");
    assert!(foreign.granted().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_host_sees_the_desk_and_whoever_it_bans_is_shown_out_and_not_let_in_again() {
    let mut world = World::new();
    let session = world.viewer().await;
    let mut host = Speaking::join_in(&world, session, "host").await;
    let Reply::You(you) = host.reply().await else { panic!("who one is comes first") };
    assert_eq!(you.role, shared::room::Role::Host);
    let desk = host.session.subscribe(world.room.on_feed(Feed::Desk), SubscribeOptions::default()).await;
    let mut desk = desk.expect("a desk");
    let snapshot: shared::room::desk::Snapshot = heard(&mut desk).await;
    assert!(snapshot.acts.is_empty());
    let watcher = world.stranger().await.0;
    let refused = watcher.subscribe(world.room.on_feed(Feed::Desk), SubscribeOptions::default()).await;
    assert!(matches!(refused, Err(Refused::Error { code: RequestCode::Unauthorized, .. })));
    // In memory all come from one address: the watcher is beside whom the host bans.
    let feed = watcher.subscribe(world.room.on_feed(Feed::Chat), SubscribeOptions::default()).await;
    assert!(feed.is_ok());
    let ban = shared::room::mode::Ban {
        viewer: "troll".parse().expect("a viewer"),
        reach: shared::room::mode::Reach::Viewer,
    };
    host.says(1, Say::Ban(ban));
    assert!(matches!(host.reply().await, Reply::Accepted { .. }));
    let banned = loop {
        if let shared::room::desk::Delta::Banned(banned) = heard(&mut desk).await {
            break banned;
        }
    };
    assert_eq!(banned.len(), 1);
    let troll = ("troll".parse().expect("a viewer"), shared::room::Role::Viewer);
    let nowhere = std::net::IpAddr::from([192, 0, 2, 1]);
    assert!(world.relay.room.is_banned(&world.room, Some((&troll.0, troll.1)), nowhere));
    assert!(!world.relay.room.is_banned(&world.room, None, nowhere));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_banned_loses_the_session() {
    let mut world = open_world();
    let mut ann = Speaking::join(&mut world, "ann").await;
    ann.reply().await;
    let session = world.viewer().await;
    let mut host = Speaking::join_in(&world, session, "host").await;
    host.reply().await;
    let (viewer, reach) = ("ann".parse().expect("a viewer"), shared::room::mode::Reach::Viewer);
    host.says(1, Say::Ban(shared::room::mode::Ban { viewer, reach }));
    let closed = timeout(LONG, ann.session.closed()).await.expect("in time");
    assert_eq!(closed.code, moqt::SessionCode::Unauthorized);
    assert!(closed.reason.ends_with("banned from this room"), "{}", closed.reason);
    let again = world.stranger().await.0;
    let replies = world.room.replies(&"ann".parse().expect("a viewer"));
    let refused = again.subscribe(replies, SubscribeOptions::default()).await;
    assert!(matches!(refused, Err(Refused::Error { code: RequestCode::Unauthorized, .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_asks_for_tokens_gives_nobody_a_voice_without_one() {
    let mut world = World::new();
    let session = world.stranger().await.0;
    let ann: ViewerId = "ann".parse().expect("a viewer");
    let mut say = session.publish(world.room.say(&ann), PublishOffer::default()).await.expect("asked");
    assert!(matches!(say.granted().await, Err(Refused::Error { code: RequestCode::Unauthorized, .. })));
    let refused = session.publish_namespace(world.room.viewer(&ann)).await;
    assert!(matches!(refused, Err(Refused::Error { code: RequestCode::Unauthorized, .. })));
    let feed = session.subscribe(world.room.on_feed(Feed::State), SubscribeOptions::default()).await;
    assert!(feed.is_ok(), "watching needs none");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_nobody_is_in_is_closed() {
    let mut world = open_world();
    let ann = Speaking::join(&mut world, "ann").await;
    let watcher = world.stranger().await.0;
    let feed = watcher.subscribe(world.room.on_feed(Feed::Chat), SubscribeOptions::default()).await;
    assert_eq!((world.metric("relay_rooms"), world.metric("relay_room_voices")), (1, 1));
    drop((ann, feed));
    drop(watcher);
    tokio::time::sleep(LONG).await;
    let left =
        ["relay_rooms", "relay_room_voices", "relay_tracks", "relay_cache_bytes", "relay_subscriptions"]
            .map(|name| world.metric(name));
    assert_eq!(left, [0; 5]);
}
