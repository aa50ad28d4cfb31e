//! Sessions over real sockets on the loopback address: what leaves first when all of it waits.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use shared::{
    moqt::{
        self, Config, DoneCode, EndOfTrack, FetchItem, FetchRange, GroupId, GroupOrder, Item, Location,
        Namespace, Object, ObjectId, Priority, Properties, Received, Request, Requests, Role, Session,
        Status, Subgroup, SubgroupEnd, SubgroupId, SubscribeOk, SubscribeOptions, Subscription, TrackName,
        TrackWriter,
    },
    transport::{
        ClientConfig, Congestion, Server, ServerConfig, connect,
        tls::{Identity, Trust},
    },
};
use url::Url;

/// One object of a group of video.
const VIDEO_BYTES: usize = 240 << 10;
/// Groups of video: together below what may wait for one subscriber.
const GROUPS: u64 = 12;

fn track(name: &'static str) -> TrackName {
    TrackName { namespace: Namespace::new(["room", "demo"]), name: name.into() }
}

fn object(group: u64, bytes: usize) -> Object {
    Object {
        subgroup: Subgroup {
            group: GroupId(group),
            id: SubgroupId(0),
            priority: Priority(64),
            ends_group: true,
            from_first: true,
        },
        id: ObjectId(0),
        status: Status::Normal,
        properties: Properties::default(),
        payload: vec![7; bytes].into(),
    }
}

fn push(writer: &TrackWriter, group: u64, bytes: usize) {
    writer.push(Item::Object(object(group, bytes)));
    let (group, subgroup) = (GroupId(group), SubgroupId(0));
    writer.push(Item::End { group, subgroup, end: SubgroupEnd::Finished });
}

async fn subscribe(
    client: &Session,
    server: &mut Requests,
    name: &'static str,
    priority: u8,
) -> (Subscription, TrackWriter) {
    let options = SubscribeOptions {
        priority: Priority(priority),
        order: Some(GroupOrder::Descending),
        ..SubscribeOptions::default()
    };
    let grant = async {
        match server.next().await {
            Some(Request::Subscribe(request)) => request.accept(SubscribeOk::default()),
            other => panic!("{other:?}"),
        }
    };
    let (subscription, writer) = tokio::join!(client.subscribe(track(name), options), grant);
    (subscription.expect("granted"), writer)
}

/// Notes each whole object until the end.
async fn note(mut subscription: Subscription, name: &'static str, log: &Mutex<Vec<(&'static str, u64)>>) {
    while let Some(received) = subscription.recv().await {
        if let Received::Item(Item::Object(object)) = received {
            log.lock().expect("whole").push((name, object.subgroup.group.0));
        }
    }
}

async fn burst(scheme: &str) -> Vec<(&'static str, u64)> {
    let folder = std::env::temp_dir().join(format!("sessions-{scheme}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let identity = Identity::self_made(&folder, &[], SystemTime::now()).expect("an identity");
    let _ = std::fs::remove_dir_all(&folder);
    let config = ServerConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        identity: identity.clone(),
        congestion: Congestion::default(),
        watcher: None,
    };
    let listener = Arc::new(Server::bind(&config).expect("bound"));
    let url = Url::parse(&format!("{scheme}://{}/", listener.local_addr())).expect("a URL");
    let trusting = ClientConfig { trust: Trust::Hashes(vec![identity.hash()]), ..ClientConfig::default() };
    let accepted = async { listener.accept().await.expect("open").connect().await };
    let (client, server) = tokio::join!(connect(&url, &trusting), accepted);
    let (client, server) = tokio::join!(
        moqt::start(client.expect("connected"), Config::new(Role::Client)),
        moqt::start(server.expect("connected"), Config::new(Role::Server))
    );
    let ((client, _requests), (_server, mut requests)) = (client.expect("set up"), server.expect("set up"));
    let (video_in, video) = subscribe(&client, &mut requests, "video", 64).await;
    let (audio_in, audio) = subscribe(&client, &mut requests, "audio", 32).await;
    let (start, end) = (Location::new(0, 0), Location::new(0, 0));
    let range = FetchRange::Standalone { track: track("past"), start, end };
    let granted = async {
        match requests.next().await {
            Some(Request::Fetch(request)) => request.accept(end, EndOfTrack::No, Properties::default()),
            other => panic!("{other:?}"),
        }
    };
    let (fetch, mut past) = tokio::join!(client.fetch(range, Priority(200)), granted);
    let mut fetch = fetch.expect("granted");

    // The least urgent first: had it its way, it would arrive first.
    assert!(past.send(object(0, 200 << 10)).await);
    past.finish();
    for group in 1..=GROUPS {
        push(&video, group, VIDEO_BYTES);
    }
    push(&audio, 100, 200);
    video.done(DoneCode::TrackEnded, "");
    audio.done(DoneCode::TrackEnded, "");
    let log = Mutex::new(Vec::new());
    let fetched = async {
        while let Some(item) = fetch.next().await.expect("whole") {
            assert!(matches!(item, FetchItem::Object(_)));
            log.lock().expect("whole").push(("past", 0));
        }
    };
    tokio::join!(note(video_in, "video", &log), note(audio_in, "audio", &log), fetched);
    log.into_inner().expect("whole")
}

#[tokio::test]
async fn a_burst_arrives_in_the_order_of_its_priorities() {
    for scheme in ["moqt", "https"] {
        let log = burst(scheme).await;
        assert_eq!(log.len() as u64, GROUPS + 2, "{log:?}");
        let place = |what| log.iter().position(|seen| *seen == what).expect("it came");
        let middle = log.len() / 2;
        assert!(place(("audio", 100)) < middle, "{scheme}: {log:?}");
        assert!(place(("past", 0)) > middle, "{scheme}: {log:?}");
        let (newest, oldest) = (place(("video", GROUPS)), place(("video", 1)));
        assert!(newest < middle && oldest > middle, "{scheme}: {log:?}");
    }
}
