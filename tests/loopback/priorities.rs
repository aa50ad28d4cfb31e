//! A link that is too thin for all that is offered: what the draft's priorities say gives way, does.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use shared::{
    moqt::{
        self, Config, DoneCode, GroupId, Item, Namespace, Object, ObjectId, Priority, Properties, Received,
        Request, Requests, Role, Status, Subgroup, SubgroupEnd, SubgroupId, SubscribeOk, SubscribeOptions,
        Subscription, TrackName, TrackWriter,
    },
    transport::{
        self, ClientConfig, Server, ServerConfig,
        tls::{Identity, Trust},
    },
};
use tests::impair::{Conditions, Impair};
use tokio::time::{Instant, interval, timeout};

/// Groups of one second.
const GROUPS: u64 = 8;
const FRAMES: u64 = 30;
/// Bytes of an object: 2 Mbit/s of the base layer, 2.4 of the enhancement layer, 0.1 of audio.
const BASE: usize = 8_333;
const ENHANCEMENT: usize = 10_000;
const SOUND: usize = 250;
const SOUNDS: u64 = 50;
/// What is later than this is let go by the publisher, and so missing.
const IN_TIME: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

fn track(name: &'static str) -> TrackName {
    TrackName { namespace: Namespace::new(["priorities"]), name: name.into() }
}

fn object(group: u64, subgroup: u64, id: u64, bytes: usize) -> Item {
    let priority = Priority(if subgroup == 0 { 64 } else { 128 });
    let (group, subgroup) = (GroupId(group), SubgroupId(subgroup));
    Item::Object(Object {
        subgroup: Subgroup { group, id: subgroup, priority, ends_group: false, from_first: true },
        id: ObjectId(id),
        status: Status::Normal,
        properties: Properties::default(),
        payload: Bytes::from(vec![id as u8; bytes]),
    })
}

fn end(group: u64, subgroup: u64) -> Item {
    Item::End { group: GroupId(group), subgroup: SubgroupId(subgroup), end: SubgroupEnd::Finished }
}

/// What one subscription got: objects by subgroup, and subgroups that ended whole.
#[derive(Debug, Default)]
struct Got {
    objects: [u64; 2],
    whole: [u64; 2],
}

async fn read(mut subscription: Subscription) -> Result<Got> {
    let mut got = Got::default();
    loop {
        let received = timeout(PATIENCE, subscription.recv()).await.context("nothing more comes")?;
        match received {
            Some(Received::Item(Item::Object(object))) => got.objects[object.subgroup.id.0 as usize] += 1,
            Some(Received::Item(Item::End { subgroup, end: SubgroupEnd::Finished, .. })) => {
                got.whole[subgroup.0 as usize] += 1;
            }
            Some(Received::Item(Item::End { .. } | Item::Datagram(_))) => {}
            Some(Received::Done { code: DoneCode::TrackEnded, .. }) => return Ok(got),
            other => bail!("the subscription ended early: {other:?}"),
        }
    }
}

async fn grant(requests: &mut Requests) -> Result<TrackWriter> {
    match timeout(PATIENCE, requests.next()).await? {
        Some(Request::Subscribe(request)) => Ok(request.accept(SubscribeOk::default())),
        other => bail!("not a subscription: {other:?}"),
    }
}

/// Two layers of video as subgroups of one track, a group a second.
async fn film(writer: TrackWriter) -> moqt::WriterStats {
    let mut ticks = interval(Duration::from_secs(1) / FRAMES as u32);
    for group in 0..GROUPS {
        for frame in 0..FRAMES {
            ticks.tick().await;
            writer.push(object(group, 0, 2 * frame, BASE));
            writer.push(object(group, 1, 2 * frame + 1, ENHANCEMENT));
        }
        writer.push(end(group, 0));
        writer.push(end(group, 1));
    }
    // The last group has its time as well.
    tokio::time::sleep(IN_TIME).await;
    let stats = writer.stats();
    writer.done(DoneCode::TrackEnded, "over");
    stats
}

async fn sound(writer: TrackWriter) {
    let mut ticks = interval(Duration::from_secs(1) / SOUNDS as u32);
    for group in 0..GROUPS * SOUNDS {
        ticks.tick().await;
        writer.push(object(group, 0, 0, SOUND));
        writer.push(end(group, 0));
    }
    writer.done(DoneCode::TrackEnded, "over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_thin_link_audio_and_base_arrive_whole_and_the_enhancement_gives_way() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let hosts = ["127.0.0.1".to_owned()];
    let identity = Identity::self_made(folder.path(), &hosts, std::time::SystemTime::now())?;
    let trust = Trust::Hashes(vec![identity.hash()]);
    let listen = ([127, 0, 0, 1], 0).into();
    let server =
        Server::bind(&ServerConfig { listen, identity, congestion: Default::default(), watcher: None })?;
    let thin =
        Conditions { rate: Some(3_000_000), delay: Duration::from_millis(20), ..Conditions::default() };
    let link = Impair::start_each(server.local_addr(), Conditions::default(), thin)?;
    let url = format!("moqt://{}", link.local_addr()).parse()?;
    let config = ClientConfig { trust, ..ClientConfig::default() };
    let accept = async {
        let incoming = server.accept().await.context("nobody comes")?;
        anyhow::Ok(moqt::start(incoming.connect().await?, Config::new(Role::Server)).await?)
    };
    let connect = async {
        let connection = transport::connect(&url, &config).await?;
        anyhow::Ok(moqt::start(connection, Config::new(Role::Client)).await?)
    };
    let ((_publisher, mut requests), (viewer, _requests)) = tokio::try_join!(accept, connect)?;
    let options = |priority| SubscribeOptions {
        priority: Priority(priority),
        object_timeout: Some(IN_TIME),
        subgroup_timeout: Some(IN_TIME),
        ..SubscribeOptions::default()
    };
    let (audio, audio_writer) =
        tokio::join!(viewer.subscribe(track("audio"), options(32)), grant(&mut requests));
    let (video, video_writer) =
        tokio::join!(viewer.subscribe(track("video"), options(64)), grant(&mut requests));
    let (audio, video) = (tokio::spawn(read(audio?)), tokio::spawn(read(video?)));
    let began = Instant::now();
    let (stats, ()) = tokio::join!(film(video_writer?), sound(audio_writer?));
    let (audio, video) = (audio.await??, video.await??);
    println!("in {:?}: audio {audio:?}, video {video:?}, {stats:?}", began.elapsed());
    let sounds = GROUPS * SOUNDS;
    assert_eq!((audio.objects[0], audio.whole[0]), (sounds, sounds), "audio is whole");
    assert_eq!((video.objects[0], video.whole[0]), (GROUPS * FRAMES, GROUPS), "the base layer is whole");
    let enhancement = video.objects[1];
    assert!(enhancement < GROUPS * FRAMES, "3 Mbit/s cannot hold 4.5: {video:?}");
    assert!(enhancement > 0, "what is left of the link is used: {video:?}");
    assert!(stats.timed_out > 0, "what gave way is counted: {stats:?}");
    Ok(())
}
