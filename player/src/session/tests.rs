use bytes::Bytes;
use shared::{
    catalog::{Catalog, Track},
    media::{Bitrate, Codec},
    moqt::{
        EndOfTrack, Object, ObjectId, Properties, Request, Requests, Status, Subgroup, SubgroupEnd,
        SubgroupId, SubscribeOk, TrackWriter,
    },
    transport::memory,
};

use super::*;
use crate::config::Cli;

/// What a stand-in for the relay has in the room.
enum Stage {
    /// Refuses everything so.
    Refuses(RequestCode, &'static str),
    /// A broadcast with this catalog, and what its video track sends.
    Plays(Vec<u8>, Vec<Item>),
}

/// Lets a player watch the room until it leaves, fails, or `enough` of what it tells is there.
async fn watch(
    stage: Stage,
    arguments: &[&str],
    enough: impl Fn(&[Event]) -> bool,
) -> (anyhow::Result<Turn>, Vec<Event>) {
    let (client, server) = memory::pair();
    let settings = moqt::Config { path: Some("/".into()), ..moqt::Config::new(moqt::Role::Client) };
    let (client, server) = tokio::join!(
        moqt::start(client, settings),
        moqt::start(server, moqt::Config::new(moqt::Role::Server))
    );
    let ((session, _requests), (_server, requests)) = (client.expect("client"), server.expect("server"));
    let relay = tokio::spawn(serve(requests, stage));
    let (events, mut told) = mpsc::channel(100);
    let (control, controls) = mpsc::channel(10);
    let config = Cli::settings(arguments).expect("settings");
    let mut driver = Driver::new(Arc::new(config), Clock::new(), events, controls, None, None);
    let collect = async {
        let mut all = Vec::new();
        while let Some(event) = told.recv().await {
            all.push(event);
            if enough(&all) {
                let _ = control.try_send(Control::Quit);
            }
        }
        all
    };
    let stay = async {
        let turn = driver.stay(Link::new(session, Kind::Memory, None)).await;
        drop(driver);
        turn
    };
    let both = async { tokio::join!(stay, collect) };
    let both = tokio::time::timeout(Duration::from_secs(20), both).await.expect("it comes to an end");
    relay.abort();
    both
}

async fn serve(mut requests: Requests, stage: Stage) {
    let mut writers: Vec<TrackWriter> = Vec::new();
    let catalog = |bytes: &[u8]| object(0, 0, bytes);
    while let Some(request) = requests.next().await {
        match (request, &stage) {
            (Request::Subscribe(request), Stage::Refuses(code, reason)) => request.reject(*code, reason),
            (Request::Fetch(request), Stage::Refuses(code, reason)) => request.reject(*code, reason),
            (Request::Subscribe(request), Stage::Plays(_, items)) => {
                let is_catalog = request.track().name == "catalog";
                let largest = is_catalog.then(|| Location::new(0, 0));
                let writer = request.accept(SubscribeOk { largest, ..SubscribeOk::default() });
                if !is_catalog {
                    items.iter().for_each(|item| assert!(writer.push(item.clone())));
                }
                writers.push(writer);
            }
            (Request::Fetch(request), Stage::Plays(bytes, _)) => {
                let end = Location::new(0, 0);
                let mut writer = request.accept(end, EndOfTrack::No, Properties::default());
                writer.send(catalog(bytes)).await;
                writer.finish();
            }
            (Request::SubscribeNamespace(request), _) => drop(request.accept()),
            (_, _) => {}
        }
    }
}

fn object(group: u64, id: u64, payload: &[u8]) -> Object {
    let (group, subgroup) = (GroupId(group), SubgroupId(0));
    Object {
        subgroup: Subgroup {
            group,
            id: subgroup,
            priority: Priority(64),
            ends_group: true,
            from_first: true,
        },
        id: ObjectId(id),
        status: Status::Normal,
        properties: Properties::default(),
        payload: Bytes::copy_from_slice(payload),
    }
}

fn broadcast() -> Catalog {
    let video = |height: u32| Track {
        name: format!("video-{height}p"),
        codec: "avc1.42C01F".parse::<Codec>().expect("a codec"),
        bitrate: Bitrate(1_000_000),
        resolution: Some(Resolution { width: height * 16 / 9, height }),
        frame_rate: None,
        render_group: Some(1),
        alt_group: Some(1),
        target_latency: None,
        init_data: None,
        label: None,
    };
    Catalog { tracks: vec![video(360), video(720)], ..Catalog::default() }
}

/// What the player says of a room that it cannot play.
async fn complaint(stage: Stage, arguments: &[&str]) -> String {
    match watch(stage, arguments, |_| false).await {
        (Err(error), _) => format!("{error:#}"),
        (Ok(_), events) => panic!("it is content: {events:?}"),
    }
}

#[tokio::test]
async fn each_room_that_cannot_be_played_is_told_in_one_message() {
    let version = br#"{"version":"99","tracks":[]}"#;
    let refused = |code, reason| Stage::Refuses(code, reason);
    let cases: [(Stage, &[&str], &[&str]); 6] = [
        (Stage::Plays(b"<html>".to_vec(), vec![]), &[], &["room demo cannot be played", "JSON"]),
        (Stage::Plays(vec![0xff, 0], vec![]), &["--wait"], &["room demo cannot be played", "JSON"]),
        (Stage::Plays(version.to_vec(), vec![]), &[], &["cannot be played", "99", "update"]),
        (refused(RequestCode::DoesNotExist, "nobody"), &[], &["not on air", "nobody", "--wait"]),
        (refused(RequestCode::Unauthorized, "no token"), &["--wait"], &["let you into", "--token"]),
        (
            Stage::Plays(broadcast().to_json(), vec![]),
            &["--rendition", "4K"],
            &["4K", "video-360p, video-720p"],
        ),
    ];
    for (stage, arguments, words) in cases {
        let said = complaint(stage, arguments).await;
        for word in words {
            assert!(said.contains(word), "{word:?} in {said:?}");
        }
    }
}

#[tokio::test]
async fn a_broadcast_is_watched_in_the_best_rendition() {
    let media = [Item::Object(object(1, 0, b"key")), Item::Object(object(1, 1, b"delta"))];
    let end = Item::End { group: GroupId(1), subgroup: SubgroupId(0), end: SubgroupEnd::Finished };
    let stage = Stage::Plays(broadcast().to_json(), [media.to_vec(), vec![end]].concat());
    let items = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Item { .. })).count();
    let (turn, events) = watch(stage, &[], |events| items(events) == 3).await;
    assert!(matches!(turn, Ok(Turn::Leave(Leave::Quit))));
    let name = events.iter().find_map(|event| match event {
        Event::Video(feed) => Some(feed.name.as_str()),
        _ => None,
    });
    assert_eq!(name, Some("video-720p"));
    assert!(events.iter().any(|event| matches!(event, Event::State(State::Buffering))));
}

#[tokio::test]
async fn what_is_left_of_an_earlier_broadcast_is_not_on_air() {
    let catalog = Catalog { is_complete: true, ..Catalog::default() };
    let said = complaint(Stage::Plays(catalog.to_json(), vec![]), &[]).await;
    assert!(said.contains("not on air"), "{said}");
}

#[tokio::test]
async fn who_waits_is_told_that_the_room_is_not_on_air() {
    let stage = Stage::Refuses(RequestCode::DoesNotExist, "nobody");
    let offline = |events: &[Event]| matches!(events.last(), Some(Event::State(State::Offline)));
    let (turn, _) = watch(stage, &["--wait"], offline).await;
    assert!(matches!(turn, Ok(Turn::Leave(Leave::Quit))));
}
